// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of what must not grow without end.
#include "core/mark.h"
#include "kv/admin.h"
#include "kv/client.h"
#include "kv/key.h"
#include "tests/sim/cluster_run.h"
#include "tests/sim/replica_check.h"

#define VALUE_BYTES (200u << 10)
#define VALUES 5u        // A transaction's.
#define TRANSACTIONS 60u // 60 MB: several times what a log may have.
#define KEYS 16u
#define RANGES 500u
#define REST_SECONDS 120u
#define REST_STEPS_MAX 400u // Of the whole cluster, a second: turns of shards, messages, what disks have done.

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

// That no log has more than it may is looked at at the end of every run (replica_check.h); here there is much to be
// written, and it holds at any time.
SIM_CASE(cluster_log_bounded, "logs on disk stay within their bound under load, also while a node is away")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    struct writing *writing = ARENA_NEW(&run->arena, struct writing);
    *writing = (struct writing){.cluster = cluster};
    cluster_begin(cluster, run, 3, 60, NULL);
    marks_bend_stop();
    cluster->kv.log_bounded = true;
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world->nodes[2].wanted = false;
    sim_node_crash(world->nodes[2].machine);
    if (!run->violated) world_spawn(&world->nodes[0], 0, "sim-writer", writer_main, writing);
    world_expect(world, "all is written", all_written, writing, 300 * WORLD_SECOND);
    sim_count(run, "log bytes at most", replica_check_log_most());
    cluster_end(cluster);
}

// What is committed waits in memory within the bounds of a log's window (kv/raft.h), and nothing is acknowledged meanwhile.
static void begin_waiting(struct sim_run *run, struct cluster_run *cluster, const char *mark)
{
    struct world *world = &cluster->kv.world;
    struct writing *writing = ARENA_NEW(&run->arena, struct writing);
    *writing = (struct writing){.cluster = cluster};
    cluster_begin(cluster, run, 3, 60, NULL);
    marks_bend_stop();
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    marks_insist(mark);
    if (!run->violated) world_spawn(&world->nodes[0], 0, "sim-writer", writer_main, writing);
    world_run(world, NULL, NULL, 4 * WORLD_SECOND);
    SIM_CHECK(run, sim_reached(mark));
    SIM_CHECK(run, writing->written < TRANSACTIONS);
    marks_insist(NULL);
    world_expect(world, "all is written", all_written, writing, 300 * WORLD_SECOND);
    cluster_end(cluster);
}

SIM_CASE(cluster_stores_busy, "replicas whose caches were full for some seconds go on")
{
    begin_waiting(run, ARENA_NEW(&run->arena, struct cluster_run), "store.busy");
}

SIM_CASE(cluster_tasks_refused, "replicas for whose work too many tasks were waiting go on")
{
    begin_waiting(run, ARENA_NEW(&run->arena, struct cluster_run), "slice.apply_refused");
}

// --- at rest ---------------------------------------------------------------------------------------

struct splitting {
    uint32_t made;
};

static struct status splitter_main(struct task *task, void *arg)
{
    struct splitting *splitting = arg;
    while (splitting->made < RANGES && !task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        struct buffer key;
        buffer_init(&key, task->arena);
        key_append_tenant_prefix(&key, CLIENTS_TENANT);
        buffer_append_u8(&key, 'z');
        key_append_uvarint(&key, splitting->made + 1);
        struct status st = kv_split_until(task, buffer_bytes(&key), UINT64_MAX / 4); // Not to be joined again.
        if (!failed(st)) splitting->made++;
        arena_release(task->arena, mark);
    }
    return STATUS_OK;
}

static bool all_split(void *arg)
{
    return ((struct splitting *)arg)->made == RANGES;
}

static bool step_count(void *arg)
{
    (*(uint64_t *)arg)++;
    return false;
}

static uint64_t steps_a_second(struct world *world)
{
    uint64_t steps = 0;
    world_run(world, NULL, NULL, 90 * WORLD_SECOND);
    world_run(world, step_count, &steps, REST_SECONDS * WORLD_SECOND);
    return steps / REST_SECONDS;
}

// What is done at rest is done by the node, and not by the range: in turns, whose number is the same on every machine.
SIM_CASE(cluster_rests, "nodes that nobody uses do little, whatever number of ranges they hold")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    struct splitting *splitting = ARENA_NEW(&run->arena, struct splitting);
    cluster_begin(cluster, run, 3, 60, NULL);
    cluster->clients.ranges_rest = true;
    marks_bend_stop();
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    uint64_t few = steps_a_second(world);
    if (!run->violated) world_spawn(&world->nodes[0], 0, "sim-splitter", splitter_main, splitting);
    world_expect(world, "all is split", all_split, splitting, 300 * WORLD_SECOND);
    uint64_t many = steps_a_second(world);
    sim_count(run, "steps a second at rest", few);
    if (!run->violated && few > REST_STEPS_MAX)
        sim_violation(run, "%llu steps a second at rest", (unsigned long long)few);
    if (!run->violated && many > few + few / 8)
        sim_violation(run, "%llu steps a second at rest with few ranges, %llu with many", (unsigned long long)few,
            (unsigned long long)many);
    cluster_end(cluster);
}
