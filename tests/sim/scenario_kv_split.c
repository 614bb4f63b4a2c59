// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges split by themselves when they have grown too large, while writers go on, and when they are asked for too
// often; nothing is lost by it.
#include "kv/key.h"
#include "kv/kv_node.h"
#include "kv/range_upkeep.h"
#include "tests/sim/sim.h"
#include "tests/sim/store_pair.h"

#define SECOND UINT64_C(1000000000)
#define TENANT 5u
#define ROWS 600u
#define VALUE_BYTES 1000u
#define RANGE_BYTES_MAX (64u << 10)

struct world {
    struct sim_run *run;
    bool done;
    uint32_t ranges;
};

static struct bytes key_of(struct arena *arena, uint32_t number)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, TENANT);
    key_append_int(&key, (int64_t)number, KEY_ASCENDING);
    return buffer_bytes(&key);
}

static struct status write_rows(struct task *task, uint32_t from, uint32_t to)
{
    struct status st = STATUS_OK;
    uint8_t *value = arena_alloc_zero(task->arena, VALUE_BYTES);
    for (uint32_t i = from; i < to; i += 10) {
        const struct kv_txn_options options = {.tenant = TENANT};
        struct kv_txn *txn;
        TRY(kv_txn_begin(task, &options, &txn));
        for (uint32_t k = i; k < i + 10; k++) {
            TRY(kv_put(task, txn, key_of(task->arena, k), bytes_of(value, VALUE_BYTES)));
        }
        TRY(kv_txn_commit(task, txn, NULL));
    }
out:
    return st;
}

static struct status rows_check(struct task *task, struct world *world)
{
    struct status st = STATUS_OK;
    const struct kv_txn_options options = {.tenant = TENANT};
    struct kv_txn *txn = NULL;
    struct kv_scan scan;
    struct kv_batch batch;
    uint32_t rows = 0;
    TRY(kv_txn_begin(task, &options, &txn));
    kv_scan_init(&scan, key_tenant_span(task->arena, TENANT));
    do {
        TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        rows += batch.count;
    } while (batch.count > 0);
    SIM_CHECK(world->run, rows == ROWS);
out:
    kv_txn_rollback(task, txn);
    return st;
}

static struct status tune(struct task *task, void *arg)
{
    struct range_tuning *tuning = range_tuning(task->shard);
    (void)arg;
    *tuning = (struct range_tuning){.split_by_load = true, .split_rate = 20, .look_ns = SECOND};
    return STATUS_OK;
}

// Keys all over a range are read, more often than it may be: it is split until none is.
static struct status load_split(struct task *task, struct world *world)
{
    struct status st;
    struct kv_range *ranges;
    uint32_t before, after = 0;
    TRY(kv_ranges(task, key_tenant_span(task->arena, TENANT), task->arena, &ranges, &before));
    TRY(shard_call_all(task, tune, NULL));
    for (uint32_t i = 0; i < 60 && after <= before; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        for (uint32_t k = 0; k < 200; k++) {
            struct bytes value;
            TRY(kv_read_now(task, TENANT, key_of(task->arena, k * 7 % (ROWS / 10)), task->arena, &value));
        }
        TRY(task_sleep(task, SECOND / 2));
        TRY(kv_ranges(task, key_tenant_span(task->arena, TENANT), task->arena, &ranges, &after));
        arena_release(task->arena, mark);
    }
    SIM_CHECK(world->run, after > before);
out:
    return st;
}

static struct status node_init(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct world *world = arg;
    const struct kv_options options = {.dir = "/data/kv",
        .store = KV_STORE_MODEL,
        .store_open = store_pair_of(world->run, STORE_PAIR_LONGEST),
        .log_segment_bytes = 4u << 20,
        .range_bytes_max = RANGE_BYTES_MAX};
    struct kv_range *ranges;
    TRY(kv_start(task, &options));
    TRY(kv_tenant_create(task, TENANT, 0));
    for (uint32_t part = 0; part < 4; part++) {
        TRY(write_rows(task, part * ROWS / 4, (part + 1) * ROWS / 4));
        TRY(task_sleep(task, 7 * SECOND));
    }
    TRY(task_sleep(task, 60 * SECOND));
    TRY(rows_check(task, world));
    TRY(load_split(task, world));
    TRY(rows_check(task, world));
    TRY(kv_ranges(task, key_tenant_span(task->arena, TENANT), task->arena, &ranges,
        &world->ranges));
    SIM_CHECK(world->run, world->ranges >= 4);
    TRY(kv_stop(task));
    world->done = true;
out:
    return st;
}

static bool settled(void *arg)
{
    struct world *world = arg;
    return world->done || world->run->violated;
}

SIM_SCENARIO(kv_split, "ranges that grow too large split by themselves")
{
    struct world *world = ARENA_NEW(&run->arena, struct world);
    struct sim *sim = sim_run_begin(run, 0, NULL);
    struct sim_node *node = sim_node_add(sim, 1);
    world->run = run;
    const struct node_options options = {
        .shard_count = 1 + (uint32_t)(run->seed % 3), .fibers_per_shard = 128};
    sim_node_start(node, &options, node_init, world);
    if (!sim_run_until(sim, settled, world, 600 * SECOND))
        sim_violation(run, "it does not end: %s", sim_node_status(node).message);
    sim_note(sim, world->ranges);
    sim_run_end(run, sim);
}
