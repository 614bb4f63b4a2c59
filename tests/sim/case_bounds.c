// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of what must not grow without end.
#include "core/mark.h"
#include "kv/client.h"
#include "kv/key.h"
#include "tests/sim/cluster_run.h"
#include "tests/sim/replica_check.h"

#define VALUE_BYTES (200u << 10)
#define VALUES 5u        // A transaction's.
#define TRANSACTIONS 60u // 60 MB: several times what a log may have.
#define KEYS 16u

struct writing {
    struct cluster_run *cluster;
    uint32_t written;
};

static struct status write_large(struct task *task, uint32_t number)
{
    struct status st;
    struct kv_txn *txn = NULL;
    uint8_t *value = arena_alloc_zero(task->arena, VALUE_BYTES);
    memcpy(value, &number, sizeof number);
    TRY(kv_txn_begin(task, &(struct kv_txn_options){.tenant = CLIENTS_TENANT}, &txn));
    for (uint32_t i = 0; i < VALUES; i++) {
        struct buffer key;
        buffer_init(&key, task->arena);
        key_append_tenant_prefix(&key, CLIENTS_TENANT);
        buffer_append_u8(&key, 'a');
        buffer_append_u8(&key, 'z'); // No table of the clients'.
        buffer_append_u8(&key, (uint8_t)((number + i) % KEYS));
        TRY(kv_put(task, txn, buffer_bytes(&key), bytes_of(value, VALUE_BYTES)));
    }
    struct kv_txn *ending = txn;
    txn = NULL;
    TRY(kv_txn_commit(task, ending, NULL));
out:
    if (txn != NULL) kv_txn_rollback(task, txn);
    return st;
}

static struct status writer_main(struct task *task, void *arg)
{
    struct writing *writing = arg;
    while (writing->written < TRANSACTIONS && !task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        struct status st = write_large(task, writing->written);
        if (!failed(st)) writing->written++;
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, 100 * WORLD_MS))) break;
    }
    return STATUS_OK;
}

static bool all_written(void *arg)
{
    return ((struct writing *)arg)->written == TRANSACTIONS;
}

static bool voters_are_three(void *arg)
{
    struct cluster_run *cluster = arg;
    static const uint64_t slices[] = {1};
    return cluster->clients.laid_out && kv_world_replicated(&cluster->kv, slices, 1, 3);
}

// That no log has more than it may is looked at at the end of every run (replica_check.h); here there is much to be
// written, and it holds at any time.
SIM_CASE(cluster_log_bounded, "logs on disk stay within their bound under load, also while a node is away")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    struct writing *writing = ARENA_NEW(&run->arena, struct writing);
    *writing = (struct writing){.cluster = cluster};
    cluster_begin(cluster, run, 3, 60);
    marks_bend_stop();
    cluster->kv.log_bounded = true;
    world_expect(world, "three voters", voters_are_three, cluster, 120 * WORLD_SECOND);
    world->nodes[2].wanted = false;
    sim_node_crash(world->nodes[2].machine);
    if (!run->violated) world_spawn(&world->nodes[0], 0, "sim-writer", writer_main, writing);
    world_expect(world, "all is written", all_written, writing, 300 * WORLD_SECOND);
    sim_count(run, "log bytes at most", replica_check_log_most());
    cluster_end(cluster);
}
