// SPDX-License-Identifier: GPL-3.0-or-later
//
// Slices over the simulated disk: commits, large ones too, reads, checkpoints, a crash at every disk
// operation, another number of shards at each start, and stores of the format before now and then. After each restart
//   - every acknowledged commit is there, with all its keys, at its timestamp,
//   - a commit that was not acknowledged is there with all its keys or with none,
//   - what was read at a timestamp before the crash is what is read at it now,
//   - and new commits are above everything that was committed or read.
// Beside it a follower ingests versions in any order into a tenant of its own and reverts it now and then; what a
// crash left open it does again, as a replication stream would. Its tenant is always what a plain list says.
#include <errno.h>
#include <inttypes.h>

#include "core/disk.h"
#include "core/hash.h"
#include "core/invariant.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "kv/recovery.h"
#include "tests/sim/one_node.h"
#include "tests/sim/store_pair.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define SLICES 3u
#define WORKERS 3u // On each shard.
#define KEYS_PER_WORKER 4u
#define SHARDS_MAX 3u
#define COMMITS_MAX 2000u
#define READS_MAX 2000u
#define EXHAUSTIVE_COMMITS 700u
#define CASES_SAMPLED 8u
#define TENANT 5u
#define LARGE_BYTES (2u << 20)
#define FOLLOWER_TENANT 9u
#define FOLLOWER_KEYS 12u
#define FOLLOWER_TIMES 400u
#define FOLLOWER_BATCH 24u
#define FOLLOWER_VERSIONS_MAX 4000u

enum commit_state { COMMIT_UNKNOWN, COMMIT_DONE, COMMIT_VOID };

struct commit {
    uint32_t slice;
    uint32_t keys[3];
    uint32_t key_count;
    struct hlc_timestamp ts; // Zero: never with the log.
    uint64_t value;          // Unique.
    bool large;
    enum commit_state state;
};

struct read {
    uint32_t slice, key;
    struct hlc_timestamp ts;
    uint64_t value; // 0: absent.
};

// A version that the follower received, and what it is doing.
struct received {
    uint32_t key;
    uint64_t ts, value;
    bool tombstone;
};
enum follower_step { FOLLOWER_IDLE, FOLLOWER_INGEST, FOLLOWER_REVERT };
struct follower {
    struct received versions[FOLLOWER_VERSIONS_MAX];
    uint32_t count;
    enum follower_step step; // Begun, its end not known.
    struct received batch[FOLLOWER_BATCH];
    uint32_t batch_count;
    uint64_t revert_ts;
    uint32_t steps; // To do.
};

struct world {
    struct sim_run *run;
    struct follower follower;
    uint64_t incarnation;
    uint32_t shards;
    bool older; // The next start finds the store in the format before.
    uint32_t transactions; // For each worker to do.
    struct commit *commits;
    uint32_t commit_count;
    struct read *reads;
    uint32_t read_count;
    uint64_t next_value;
    struct hlc_timestamp highest[SLICES * SHARDS_MAX + 1]; // Committed or read.
    uint32_t working;
    bool done, failed;
};

struct worker {
    struct world *world;
    uint32_t number;
};

static struct bytes key_of(struct arena *arena, uint32_t number)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, TENANT);
    key_append_int(&key, (int64_t)number, KEY_ASCENDING);
    return buffer_bytes(&key);
}

static struct bytes value_of(struct arena *arena, uint64_t value, bool large)
{
    size_t size = large ? LARGE_BYTES : 8 + value % 100;
    uint8_t *data = arena_alloc(arena, size);
    memset(data, (int)(value & 0xff), size);
    memcpy(data, &value, 8);
    return bytes_of(data, size);
}

static struct status read_key(struct task *task, struct slice *slice, uint32_t key,
    struct hlc_timestamp ts, uint64_t *value, struct hlc_timestamp *version)
{
    struct slice_reader reader = {.tenant = TENANT, .ts = ts};
    struct slice_value got;
    struct arena_mark mark = arena_mark(task->arena);
    struct status st =
        slice_read_point(task, slice, &reader, key_of(task->arena, key), task->arena, &got);
    *value = 0;
    *version = HLC_ZERO;
    if (!failed(st)) {
        *version = got.ts;
        if (got.value.size >= 8) memcpy(value, got.value.data, 8);
    }
    arena_release(task->arena, mark);
    return st;
}

// --- work ------------------------------------------------------------------------------------------

static struct slice *own_slice(struct task *task, struct sim_random *random)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->slice_count == 0) return NULL;
    return kv->slices[sim_random_below(random, kv->slice_count)];
}

static struct status commit_one(
    struct task *task, struct worker *worker, struct slice *slice, struct sim_random *random)
{
    struct world *world = worker->world;
    struct slice_write writes[3];
    struct status st = STATUS_OK;
    if (world->commit_count == COMMITS_MAX) return STATUS_OK;
    struct commit *commit = &world->commits[world->commit_count++];
    struct arena_mark mark = arena_mark(task->arena);
    *commit = (struct commit){.slice = (uint32_t)slice->id,
        .value = ++world->next_value,
        .key_count = (uint32_t)sim_random_between(random, 1, 3),
        .large = sim_random_below(random, world->run->exhaustive ? 300 : 12) == 0};
    // Keys of its own, so that it needs no locks; some far apart.
    uint32_t first = (uint32_t)sim_random_below(random, KEYS_PER_WORKER);
    for (uint32_t i = 0; i < commit->key_count; i++) {
        commit->keys[i] = worker->number * 1000 + (first + i) % KEYS_PER_WORKER;
        writes[i] = (struct slice_write){key_of(task->arena, commit->keys[i]),
            value_of(task->arena, commit->value, commit->large && i == 0)};
    }
    TRY(slice_admit(task, slice, 0));
    commit->ts = slice_commit_ts(slice);
    if (hlc_less_equal(commit->ts, world->highest[slice->id]))
        sim_violation(
            world->run, "slice %" PRIu64 " commits at or below what it gave out", slice->id);
    world->highest[slice->id] = commit->ts;
    st = slice_propose_writes(task, slice, TENANT, writes, commit->key_count, commit->ts);
    if (!failed(st)) commit->state = COMMIT_DONE;
    // Refused cleanly: it must never appear.
    if (failed(st) && !status_is(st, E_AMBIGUOUS_RESULT)) commit->state = COMMIT_VOID;
out:
    if (hlc_is_zero(commit->ts)) commit->state = COMMIT_VOID;
    arena_release(task->arena, mark);
    return st;
}

static struct status read_one(
    struct task *task, struct worker *worker, struct slice *slice, struct sim_random *random)
{
    struct world *world = worker->world;
    uint32_t workers = WORKERS * world->shards;
    uint32_t key = (uint32_t)(sim_random_below(random, workers) * 1000 +
                              sim_random_below(random, KEYS_PER_WORKER));
    struct hlc_timestamp version;
    uint64_t value;
    struct hlc_timestamp ts =
        sim_random_below(random, 2) == 0 ? slice_present(slice) : hlc_now(&task->shard->hlc);
    struct status st = read_key(task, slice, key, ts, &value, &version);
    if (failed(st) || world->read_count == READS_MAX) return st;
    world->reads[world->read_count++] =
        (struct read){.slice = (uint32_t)slice->id, .key = key, .ts = ts, .value = value};
    world->highest[slice->id] = hlc_max(world->highest[slice->id], ts);
    return st;
}

static struct status work(struct task *task, void *arg)
{
    struct worker *worker = arg;
    struct world *world = worker->world;
    struct status st = STATUS_OK;
    struct sim_random random = sim_random_named(hash_combine(world->run->seed, world->incarnation),
        arena_printf(task->arena, "work/%u", worker->number));
    for (uint32_t i = 0; i < world->transactions; i++) {
        struct slice *slice = own_slice(task, &random);
        if (slice == NULL) break;
        switch (sim_random_below(&random, 8)) {
        case 0:
        case 1: st = read_one(task, worker, slice, &random); break;
        case 2: st = task_sleep(task, sim_random_below(&random, 20 * MS)); break;
        case 3:
            if (sim_random_below(&random, 4) == 0) {
                st = kv_checkpoint(task);
                break;
            }
            __attribute__((fallthrough));
        default: st = commit_one(task, worker, slice, &random);
        }
        if (status_is(st, E_DISK_FULL)) {
            TRY(task_sleep(task, 100 * MS));
            st = STATUS_OK;
        }
        TRY(st);
    }
out:
    if (failed(st)) world->failed = true;
    world->working--;
    return st;
}

// --- the follower ---------------------------------------------------------------------------------

static struct bytes follower_key(struct arena *arena, uint32_t number)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, FOLLOWER_TENANT);
    for (uint32_t i = 0; i <= number % 4; i++) // Some are prefixes of others, with zeroes in them.
        buffer_append_u8(&key, i == 0 ? (uint8_t)('a' + number / 4) : 0);
    return buffer_bytes(&key);
}

static const struct received *follower_find(
    const struct follower *follower, uint32_t key, uint64_t ts, bool exact)
{
    const struct received *best = NULL;
    for (uint32_t i = 0; i < follower->count; i++) {
        const struct received *at = &follower->versions[i];
        if (at->key != key || at->ts > ts || (exact && at->ts != ts)) continue;
        if (best == NULL || at->ts > best->ts) best = at;
    }
    return best;
}

static void follower_remember(struct follower *follower)
{
    if (follower->step == FOLLOWER_REVERT) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < follower->count; i++) {
            if (follower->versions[i].ts <= follower->revert_ts)
                follower->versions[kept++] = follower->versions[i];
        }
        follower->count = kept;
    }
    for (uint32_t i = 0; follower->step == FOLLOWER_INGEST && i < follower->batch_count; i++) {
        const struct received *version = &follower->batch[i];
        if (follower_find(follower, version->key, version->ts, true) == NULL)
            follower->versions[follower->count++] = *version;
    }
    follower->step = FOLLOWER_IDLE;
}

static struct status follower_do(struct task *task, struct slice *slice, struct follower *follower)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct status st;
    if (follower->step == FOLLOWER_REVERT) {
        st = slice_revert(
            task, slice, FOLLOWER_TENANT, (struct hlc_timestamp){follower->revert_ts, 0}, NULL);
    } else {
        struct kv_version versions[FOLLOWER_BATCH];
        for (uint32_t i = 0; i < follower->batch_count; i++) {
            const struct received *at = &follower->batch[i];
            versions[i] = (struct kv_version){.key = follower_key(task->arena, at->key),
                .value = at->tombstone ? bytes_of(NULL, 0) : bytes_of(&at->value, 8),
                .ts = {at->ts, 0},
                .tombstone = at->tombstone};
        }
        st = slice_ingest(task, slice, FOLLOWER_TENANT, versions, follower->batch_count);
    }
    arena_release(task->arena, mark);
    if (!failed(st)) follower_remember(follower);
    return st;
}

static void follower_choose(struct world *world, struct sim_random *random)
{
    struct follower *follower = &world->follower;
    if (sim_random_below(random, 6) == 0) {
        follower->step = FOLLOWER_REVERT;
        follower->revert_ts = 1000 + sim_random_below(random, FOLLOWER_TIMES);
        return;
    }
    follower->step = FOLLOWER_INGEST;
    follower->batch_count = (uint32_t)sim_random_between(random, 1, FOLLOWER_BATCH);
    for (uint32_t i = 0; i < follower->batch_count; i++) {
        struct received *version = &follower->batch[i];
        if (follower->count > 0 && sim_random_below(random, 5) == 0) { // The stream repeats itself.
            *version = follower->versions[sim_random_below(random, follower->count)];
            continue;
        }
        *version = (struct received){.key = (uint32_t)sim_random_below(random, FOLLOWER_KEYS),
            .ts = 1000 + sim_random_below(random, FOLLOWER_TIMES),
            .value = ++world->next_value,
            .tombstone = sim_random_below(random, 4) == 0};
        // One version has one content.
        for (uint32_t j = 0; j < i; j++) {
            if (follower->batch[j].key == version->key && follower->batch[j].ts == version->ts)
                *version = follower->batch[j];
        }
        const struct received *known = follower_find(follower, version->key, version->ts, true);
        if (known != NULL) *version = *known;
    }
}

static struct status follower_check(
    struct task *task, struct slice *slice, struct world *world, struct sim_random *random)
{
    struct status st = STATUS_OK;
    for (uint32_t key = 0; key < FOLLOWER_KEYS; key++) {
        for (uint32_t i = 0; i < 6; i++) {
            uint64_t ts = 999 + sim_random_below(random, FOLLOWER_TIMES + 2);
            const struct received *want = follower_find(&world->follower, key, ts, false);
            struct arena_mark mark = arena_mark(task->arena);
            struct slice_reader reader = {.tenant = FOLLOWER_TENANT, .ts = {ts, 0}};
            struct slice_value got;
            TRY(slice_read_point(
                task, slice, &reader, follower_key(task->arena, key), task->arena, &got));
            bool there = want != NULL && !want->tombstone;
            if ((got.value.data != NULL) != there ||
                (there &&
                    (got.ts.wall_ns != want->ts || memcmp(got.value.data, &want->value, 8) != 0)))
                sim_violation(world->run,
                    "the follower's key %u at %" PRIu64 " is not what it received", key, ts);
            arena_release(task->arena, mark);
        }
    }
out:
    return st;
}

static struct status follow(struct task *task, void *arg)
{
    struct world *world = arg;
    struct follower *follower = &world->follower;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), 1);
    struct sim_random random =
        sim_random_named(hash_combine(world->run->seed, world->incarnation), "follow");
    struct status st;
    TRY(slice_ingest_mark(task, slice, FOLLOWER_TENANT, KV_INGEST_BEGIN, HLC_MAX));
    for (uint32_t i = 0; i <= follower->steps; i++) {
        // First what was cut short, then what is new.
        while (follower->step != FOLLOWER_IDLE) {
            st = follower_do(task, slice, follower);
            if (!status_is(st, E_DISK_FULL)) TRY(st);
            if (failed(st)) TRY(task_sleep(task, 100 * MS));
        }
        TRY(follower_check(task, slice, world, &random));
        if (i == follower->steps || follower->count + FOLLOWER_BATCH > FOLLOWER_VERSIONS_MAX) break;
        follower_choose(world, &random);
        TRY(task_sleep(task, sim_random_below(&random, 4 * MS)));
    }
out:
    if (failed(st) && !status_is(st, E_DISK_FULL)) world->failed = true;
    world->working--;
    return st;
}

// --- after a restart ---------------------------------------------------------------------------------

static struct status verify_commit(
    struct task *task, struct world *world, struct slice *slice, struct commit *commit)
{
    uint32_t there = 0;
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < commit->key_count; i++) {
        struct hlc_timestamp version;
        uint64_t value;
        TRY(read_key(task, slice, commit->keys[i], commit->ts, &value, &version));
        if (hlc_equal(version, commit->ts) && value == commit->value) there++;
    }
    if (commit->state == COMMIT_DONE && there != commit->key_count)
        sim_violation(world->run,
            "slice %" PRIu64 ": acknowledged commit %" PRIu64 " has %u of %u keys", slice->id,
            commit->value, there, commit->key_count);
    if (commit->state != COMMIT_DONE && there != 0 && there != commit->key_count)
        sim_violation(world->run, "slice %" PRIu64 ": commit %" PRIu64 " is there by half",
            slice->id, commit->value);
    if (commit->state == COMMIT_VOID && there != 0)
        sim_violation(world->run, "slice %" PRIu64 ": refused commit %" PRIu64 " is there",
            slice->id, commit->value);
    // What it is now it stays.
    if (commit->state == COMMIT_UNKNOWN) commit->state = there > 0 ? COMMIT_DONE : COMMIT_VOID;
out:
    return st;
}

static struct status verify(struct task *task, void *arg)
{
    struct world *world = arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct status st = STATUS_OK;
    // Before anything is read anew, which would push time forward.
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct slice *slice = kv->slices[i];
        if (hlc_less_equal(slice_commit_ts(slice), world->highest[slice->id]))
            sim_violation(world->run, "slice %" PRIu64 ": time went back", slice->id);
    }
    for (uint32_t i = 0; i < world->commit_count; i++) {
        struct commit *commit = &world->commits[i];
        struct slice *slice = kv_slice_find(kv, commit->slice);
        if (slice == NULL || hlc_is_zero(commit->ts)) continue;
        TRY(verify_commit(task, world, slice, commit));
    }
    for (uint32_t i = 0; i < world->read_count; i++) {
        const struct read *read = &world->reads[i];
        struct slice *slice = kv_slice_find(kv, read->slice);
        struct hlc_timestamp version;
        uint64_t value;
        if (slice == NULL) continue;
        TRY(read_key(task, slice, read->key, read->ts, &value, &version));
        if (value != read->value)
            sim_violation(world->run,
                "slice %" PRIu64 ": a read gave %" PRIu64 " and gives %" PRIu64 " now", slice->id,
                read->value, value);
    }
out:
    return st;
}

// --- the node's program --------------------------------------------------------------------------------

static struct status spawn(struct task *task, void *arg)
{
    struct world *world = arg;
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct worker *worker = ARENA_NEW(&world->run->arena, struct worker);
        worker->world = world;
        worker->number = task->shard->index * WORKERS + i;
        struct status st = task_start(
            task->shard, &(struct task_options){.fn = work, .arg = worker, .kind = "kv-worker"});
        if (failed(st)) return st;
        world->working++;
    }
    return STATUS_OK;
}

// As the release before would have written it.
static struct status make_older(struct task *task)
{
    struct bytes content;
    struct buffer older;
    struct status st = disk_read_file(task, "/data/kv/STORE", 1u << 20, &content);
    if (status_is(st, E_UNDEFINED_FILE)) return STATUS_OK;
    if (failed(st)) return st;
    const char *rest = strstr(arena_string(task->arena, content), "\ncluster ");
    invariant(rest != NULL);
    buffer_init(&older, task->arena);
    buffer_printf(&older, "isopod store %u%s", RECOVERY_FORMAT_OLDEST, rest);
    return disk_write_file(task, "/data/kv/STORE", buffer_bytes(&older));
}

static struct status start_storage(struct task *task, const struct world *world, const struct kv_options *options)
{
    struct status st = world->older ? make_older(task) : STATUS_OK;
    return failed(st) ? st : kv_start(task, options);
}

static struct status node_init(struct task *task, void *arg)
{
    struct world *world = arg;
    // The same number of slices whatever the shards of the first start.
    const struct kv_options options = {.dir = "/data/kv",
        .store = KV_STORE_MODEL,
        .store_open = store_pair_of(world->run, LARGE_BYTES),
        .slices_per_shard = SLICES,
        .log_segment_bytes = 6u << 20};
    struct status st = start_storage(task, world, &options);
    bool serving = !failed(st);
    if (failed(st)) {
        if (!status_is(st, E_IO_ERROR) && !status_is(st, E_DISK_FULL) &&
            !status_is(st, E_ADMIN_SHUTDOWN))
            sim_violation(world->run, "storage does not start: %s", st.message);
        goto out;
    }
    TRY(shard_call_all(task, verify, world));
    TRY(shard_call_all(task, spawn, world));
    // Slice 1 is always shard 0's.
    TRY(task_start(
        task->shard, &(struct task_options){.fn = follow, .arg = world, .kind = "kv-follower"}));
    world->working++;
    while (world->working > 0)
        TRY(task_sleep(task, MS));
    world->done = !world->failed;
    TRY(task_sleep(task, 3600 * SECOND)); // Until the node is stopped.
out:
    if (failed(st)) world->failed = true;
    task_cancel_clear(task);
    // The workers hold slices: they end first, by the stop's cancellation.
    while (serving && world->working > 0) {
        if (failed(task_sleep(task, MS))) task_cancel_clear(task);
    }
    if (serving) {
        struct status stopped = kv_stop(task);
        if (!failed(st)) st = stopped;
    }
    return st;
}

// --- cases ---------------------------------------------------------------------------------------------

static void start(
    struct world *world, struct sim_node *node, struct sim_random *random, uint32_t transactions)
{
    world->incarnation++;
    world->transactions = transactions;
    world->follower.steps = transactions;
    world->done = world->failed = false;
    world->working = 0;
    // The first start decides on the number of slices (or the second, when it crashed early).
    if (world->incarnation == 1)
        world->shards = 1;
    else if (sim_random_below(random, 2) == 0)
        world->shards = (uint32_t)sim_random_between(random, 1, SHARDS_MAX);
    world->older = sim_random_below(random, 4) == 0;
    // The machine's clock may have been set back meanwhile.
    int64_t offset_ms = (int64_t)sim_random_below(random, 800) - 400;
    sim_clock_offset_set(node, offset_ms * (int64_t)MS);
    const struct node_options options = {.shard_count = world->shards, .fibers_per_shard = 64};
    sim_node_start(node, &options, node_init, world);
}

static enum one_node_work work_of(void *arg)
{
    const struct world *world = arg;
    return world->failed ? ONE_NODE_FAILED : world->done ? ONE_NODE_DONE : ONE_NODE_WORKS;
}

// Crash at the `crash_at`th operation (0: none), recover, perhaps crashing there too, go on, check.
static uint64_t run_case(struct sim_run *run, uint64_t crash_at)
{
    struct world *world = ARENA_NEW(&run->arena, struct world);
    struct sim_random random = sim_random_named(hash_combine(run->seed, crash_at), "kv/case");
    struct sim *sim = sim_run_begin(run, 0, NULL);
    struct one_node one = {run, sim_node_add(sim, 1), work_of, world};
    world->run = run;
    world->commits = ARENA_ARRAY(&run->arena, struct commit, COMMITS_MAX);
    world->reads = ARENA_ARRAY(&run->arena, struct read, READS_MAX);
    bool full = crash_at == 0 && sim_random_below(&random, 4) == 0;
    if (crash_at == 0 && sim_random_below(&random, 3) == 0)
        sim_disk_fail_at(one.node, sim_random_between(&random, 20, 200), EIO);
    if (full) sim_disk_quota_set(one.node, sim_random_between(&random, 14, 30) << 20);
    sim_disk_crash_at(one.node, crash_at);
    start(world, one.node, &random, run->exhaustive ? EXHAUSTIVE_COMMITS : 20);
    if (full) {
        sim_run_until(sim, one_node_settled, &one, 3 * SECOND);
        sim_disk_quota_set(one.node, 0);
    }
    one_node_run_out(sim, &one);
    uint64_t ops = sim_disk_ops(one.node);
    for (uint64_t crashes = sim_random_below(&random, 3); crashes > 0 && !run->violated;
         crashes--) {
        one_node_down(sim, &one, &random);
        sim_disk_crash_at(one.node, sim_random_between(&random, 1, 80));
        start(world, one.node, &random, 8);
        one_node_run_out(sim, &one);
    }
    for (uint32_t round = 0; round < 2 && !run->violated; round++) {
        one_node_down(sim, &one, &random);
        sim_disk_crash_at(one.node, 0);
        start(world, one.node, &random, round == 0 ? 8 : 0);
        if (!one_node_run_out(sim, &one) && !run->violated)
            sim_violation(
                run, "without faults storage fails: %s", sim_node_status(one.node).message);
    }
    sim_note(sim, world->commit_count);
    if (run->violated) sim_violation(run, "crash at %" PRIu64, crash_at);
    sim_run_end(run, sim);
    return ops;
}

// Exhaustively the seed is the operation that the crash comes at, in one and the same long story.
static void crash_at_seed(struct sim_run *run)
{
    uint64_t at = run->seed;
    run->seed = 1;
    uint64_t ops = run_case(run, at);
    run->seed = at;
    sim_count(run, "crash points", ops >= at);
}

SIM_SCENARIO(
    kv_recovery, "slices under a crash at every disk operation: no acknowledged commit is missing")
{
    if (run->exhaustive) {
        crash_at_seed(run);
        return;
    }
    uint64_t ops = run_case(run, 0);
    uint64_t step = ops / CASES_SAMPLED + 1;
    for (uint64_t at = 1 + run->seed % step; at <= ops && !run->violated; at += step)
        run_case(run, at);
}
