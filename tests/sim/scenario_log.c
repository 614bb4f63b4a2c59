// SPDX-License-Identifier: GPL-3.0-or-later
//
// The shard's log over the simulated disk: random appends and truncations, a crash at every disk
// operation. After each restart
//   - no acknowledged record above the truncation is missing,
//   - what is recovered is a run of what was appended, in order, byte for byte, at the same
//     positions,
//   - what was cut as a torn tail never comes back,
// and acknowledgements come in the order of appending.
#include <errno.h>
#include <inttypes.h>

#include "core/hash.h"
#include "core/log_writer.h"
#include "tests/sim/one_node.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define SHARDS 2
#define SEGMENT_BYTES (128u << 10)
#define BATCH_BYTES_MAX (48u << 10)
#define RECORD_BYTES_MAX (30u << 10)
#define RECORDS_MAX 4096u
#define CASES_SAMPLED 12u
#define APPENDS_BEFORE 40u
#define APPENDS_AFTER 12u

enum record_state { RECORD_QUEUED, RECORD_DURABLE, RECORD_UNKNOWN };

struct model_record {
    struct log_append append; // The log's until its callback.
    struct log_model *model;
    uint64_t sequence;
    uint64_t size;
    enum record_state state;
};

// What one shard's log must hold. It outlives the node.
struct log_model {
    struct log_world *world;
    uint32_t shard;
    struct model_record *live[RECORDS_MAX]; // In order of appending.
    uint32_t count;
    uint64_t next_sequence, last_durable;
    log_position truncated;
    uint32_t recovered_first, recovered_count; // While replaying: indexes into live.
    struct log_writer *log;
    uint64_t incarnation;
    uint32_t to_append;
    bool done, failed;
};

struct log_world {
    struct sim_run *run;
    struct log_model models[SHARDS];
    uint64_t incarnation;
};

// --- records -------------------------------------------------------------------------------------

// Sequence and shard, then noise that depends on both.
static void payload_fill(
    uint8_t *out, uint64_t size, const struct log_model *model, uint64_t sequence)
{
    uint64_t head[2] = {sequence, model->shard};
    for (uint64_t i = 0; i < size; i++)
        out[i] = (uint8_t)(hash_u64(sequence * 31 + model->shard + i / 8) >> (i % 8 * 8));
    memcpy(out, head, size < sizeof head ? size : sizeof head);
}

static void on_durable(struct log_append *append, struct status st)
{
    struct model_record *record = container_of(append, struct model_record, append);
    struct log_model *model = record->model;
    if (failed(st)) {
        record->state = RECORD_UNKNOWN;
        return;
    }
    record->state = RECORD_DURABLE;
    if (record->sequence <= model->last_durable)
        sim_violation(model->world->run, "shard %u acknowledged %" PRIu64 " after %" PRIu64,
            model->shard, record->sequence, model->last_durable);
    model->last_durable = record->sequence;
}

static struct status append_one(
    struct task *task, struct log_model *model, struct sim_random *random)
{
    struct sim_run *run = model->world->run;
    uint64_t most = sim_random_below(random, 10) == 0 ? RECORD_BYTES_MAX : 600;
    uint64_t size = sim_random_between(random, 16, most);
    struct arena_mark mark = arena_mark(task->arena);
    uint8_t *payload = arena_alloc(task->arena, size);
    payload_fill(payload, size, model, model->next_sequence);
    struct model_record *record = ARENA_NEW(&run->arena, struct model_record);
    record->model = model;
    record->sequence = model->next_sequence;
    record->size = size;
    record->append.durable = on_durable;
    record->append.record = (struct log_record){.stream = record->sequence % 3,
        .term = record->sequence / 100,
        .index = record->sequence,
        .payload = bytes_of(payload, size)};
    struct status st = log_writer_append(model->log, &record->append);
    arena_release(task->arena, mark);
    if (failed(st)) return st;
    model->next_sequence++;
    if (model->count == RECORDS_MAX) {
        sim_violation(run, "the model is too small");
        return status_make(E_INTERNAL, "the model is too small");
    }
    model->live[model->count++] = record;
    return STATUS_OK;
}

static void truncate_some(struct log_model *model, struct sim_random *random)
{
    if (model->count == 0) return;
    struct model_record *record = model->live[sim_random_below(random, model->count)];
    if (record->state != RECORD_DURABLE) return;
    if (record->append.position > model->truncated) model->truncated = record->append.position;
    log_writer_truncate(model->log, record->append.position);
}

// --- recovery ------------------------------------------------------------------------------------

static void check_record(struct task *task, struct log_model *model,
    const struct model_record *record, const struct log_record *found, log_position position)
{
    struct sim_run *run = model->world->run;
    struct arena_mark mark = arena_mark(task->arena);
    uint8_t *expected = arena_alloc(task->arena, record->size);
    payload_fill(expected, record->size, model, record->sequence);
    bool same = bytes_equal(found->payload, bytes_of(expected, record->size)) &&
                found->index == record->sequence && found->stream == record->sequence % 3 &&
                found->term == record->sequence / 100;
    arena_release(task->arena, mark);
    if (!same)
        sim_violation(run, "shard %u: record %" PRIu64 " differs", model->shard, record->sequence);
    if (position != record->append.position)
        sim_violation(run, "shard %u: record %" PRIu64 " is at %" PRIu64 ", was at %" PRIu64,
            model->shard, record->sequence, position, record->append.position);
}

static struct status on_replay(
    struct task *task, void *arg, const struct log_record *found, log_position position)
{
    struct log_model *model = arg;
    struct sim_run *run = model->world->run;
    uint32_t at = model->recovered_first + model->recovered_count;
    if (model->recovered_count == 0) {
        // The first one left: all before it must have been given up.
        while (at < model->count && model->live[at]->sequence != found->index)
            at++;
        model->recovered_first = at;
        for (uint32_t i = 0; i < at && i < model->count; i++) {
            if (model->live[i]->append.position > model->truncated)
                sim_violation(run,
                    "shard %u: record %" PRIu64 " is gone, recovery begins at %" PRIu64,
                    model->shard, model->live[i]->sequence, found->index);
        }
    }
    if (at >= model->count || model->live[at]->sequence != found->index) {
        sim_violation(run, "shard %u: record %" PRIu64 " was recovered out of place", model->shard,
            found->index);
        return status_make(E_DATA_CORRUPTED, "recovered out of place");
    }
    check_record(task, model, model->live[at], found, position);
    model->recovered_count++;
    return run->violated ? status_make(E_INTERNAL, "violation") : STATUS_OK;
}

// What was not recovered is gone for good; what was is durable from now on.
static void settle(struct log_model *model)
{
    struct sim_run *run = model->world->run;
    uint32_t end = model->recovered_first + model->recovered_count;
    for (uint32_t i = end; i < model->count; i++) {
        const struct model_record *record = model->live[i];
        if (record->state == RECORD_DURABLE && record->append.position > model->truncated)
            sim_violation(run,
                "shard %u: acknowledged record %" PRIu64 " is missing (%u recovered)", model->shard,
                record->sequence, model->recovered_count);
    }
    for (uint32_t i = 0; i < model->recovered_count; i++) {
        model->live[i] = model->live[model->recovered_first + i];
        model->live[i]->state = RECORD_DURABLE;
    }
    model->count = model->recovered_count;
    model->last_durable = 0;
}

// --- the node's program --------------------------------------------------------------------------

static void on_failed(struct log_writer *log, struct status st, void *arg)
{
    (void)log, (void)st;
    ((struct log_model *)arg)->failed = true;
}

static struct status log_reopen(struct task *task, struct log_model *model, const char *dir)
{
    struct log_writer_options options = {.dir = dir,
        .segment_bytes = SEGMENT_BYTES,
        .batch_bytes_max = BATCH_BYTES_MAX,
        .failed = on_failed,
        .arg = model};
    model->recovered_first = model->recovered_count = 0;
    struct status st = log_writer_open(task, &options, on_replay, model, &model->log);
    if (!failed(st)) settle(model);
    return st;
}

static bool all_durable(const struct log_model *model)
{
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->live[i]->state != RECORD_DURABLE) return false;
    }
    return true;
}

static struct status work(struct task *task, struct log_model *model, struct sim_random *random)
{
    struct status st = STATUS_OK;
    while (model->to_append > 0) {
        for (uint64_t i = sim_random_between(random, 1, 6); i > 0 && model->to_append > 0; i--) {
            st = append_one(task, model, random);
            if (status_is(st, E_DISK_FULL)) { // Heals when there is room again.
                TRY(task_sleep(task, 200 * MS));
                break;
            }
            if (failed(st)) goto out;
            model->to_append--;
        }
        if (sim_random_below(random, 6) == 0) truncate_some(model, random);
        if (sim_random_below(random, 4) == 0) TRY(log_writer_wait(task, model->log));
        TRY(task_sleep(
            task, sim_random_below(random, 3) == 0 ? 0 : sim_random_below(random, 4 * MS)));
    }
    while (!all_durable(model) && !model->failed)
        TRY(task_sleep(task, MS));
    model->done = true;
    while (!model->failed)
        TRY(task_sleep(task, 3600 * SECOND)); // Until the node is stopped.
out:
    return st;
}

static struct status worker(struct task *task, void *arg)
{
    struct log_model *model = arg;
    struct sim_run *run = model->world->run;
    char *dir = arena_printf(task->arena, "/data/log-%u", model->shard);
    struct sim_random random = sim_random_named(hash_combine(run->seed, model->world->incarnation),
        arena_printf(task->arena, "work/%u", model->shard));
    struct status st = log_reopen(task, model, dir);
    if (failed(st)) {
        model->failed = true;
        // A failing disk and a full one are the case's own doing.
        if (!status_is(st, E_IO_ERROR) && !status_is(st, E_DISK_FULL) &&
            !status_is(st, E_ADMIN_SHUTDOWN))
            sim_violation(run, "shard %u: the log does not open: %s", model->shard, st.message);
        return st;
    }
    if (sim_random_below(&random, 8) == 0) { // Closed in peace it opens with all of it.
        TRY(log_writer_close(task, model->log));
        model->log = NULL;
        TRY(log_reopen(task, model, dir));
    }
    st = work(task, model, &random);
    task_cancel_clear(task);
    struct status closed = log_writer_close(task, model->log);
    model->log = NULL;
    if (!failed(st)) st = closed;
out:
    if (failed(st)) model->failed = true;
    return st;
}

static struct status shard_start(struct task *task, void *arg)
{
    struct log_world *world = arg;
    struct task_options options = {
        .fn = worker, .arg = &world->models[task->shard->index], .kind = "log-worker"};
    return task_start(task->shard, &options);
}

static struct status node_init(struct task *task, void *arg)
{
    return shard_call_all(task, shard_start, arg);
}

// --- cases ---------------------------------------------------------------------------------------

static void start(struct log_world *world, struct sim_node *node, uint32_t to_append)
{
    static const struct node_options options = {.shard_count = SHARDS, .fibers_per_shard = 16};
    world->incarnation++;
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct log_model *model = &world->models[i];
        model->done = model->failed = false;
        model->to_append = to_append;
    }
    sim_node_start(node, &options, node_init, world);
}

// All shards have done their work, or one cannot.
static enum one_node_work work_of(void *arg)
{
    const struct log_world *world = arg;
    bool done = true;
    for (uint32_t i = 0; i < SHARDS; i++) {
        const struct log_model *model = &world->models[i];
        if (model->failed) return ONE_NODE_FAILED;
        done = done && model->done;
    }
    return done ? ONE_NODE_DONE : ONE_NODE_WORKS;
}

// Crash at the `crash_at`th operation (0: none), recover, perhaps crashing there too, go on, check.
static uint64_t run_case(struct sim_run *run, uint64_t crash_at)
{
    struct log_world *world = ARENA_NEW(&run->arena, struct log_world);
    struct sim_random random = sim_random_named(hash_combine(run->seed, crash_at), "log/case");
    struct sim *sim = sim_run_begin(run, 0, NULL);
    struct one_node one = {run, sim_node_add(sim, 1), work_of, world};
    world->run = run;
    for (uint32_t i = 0; i < SHARDS; i++) {
        world->models[i].world = world;
        world->models[i].shard = i;
        world->models[i].next_sequence = 1;
    }
    bool full = crash_at == 0 && sim_random_below(&random, 4) == 0;
    if (crash_at == 0 && sim_random_below(&random, 3) == 0)
        sim_disk_fail_at(one.node, sim_random_between(&random, 1, 120), EIO);
    if (full) sim_disk_quota_set(one.node, sim_random_between(&random, 4, 9) * SEGMENT_BYTES);
    sim_disk_crash_at(one.node, crash_at);
    start(world, one.node, APPENDS_BEFORE);
    if (full) {
        sim_run_until(sim, one_node_settled, &one, 2 * SECOND);
        sim_disk_quota_set(one.node, 0);
    }
    one_node_run_out(sim, &one);
    uint64_t ops = sim_disk_ops(one.node);

    // Recovery may crash, too, again and again; at last it is let through.
    for (uint64_t crashes = sim_random_below(&random, 4); crashes > 0 && !run->violated;
         crashes--) {
        one_node_down(sim, &one, &random);
        bool kill = sim_random_below(&random, 2) == 0;
        sim_disk_crash_at(one.node, kill ? 0 : sim_random_between(&random, 1, 40));
        start(world, one.node, APPENDS_AFTER);
        if (!kill) {
            one_node_run_out(sim, &one);
            continue;
        }
        // Only the program dies: a write under way is then read back from the system's cache, and
        // what was read and built upon must not go with the next power cut.
        sim_run_until(sim, one_node_settled, &one, sim_random_below(&random, 40 * MS));
        if (sim_node_running(one.node) != NULL) sim_node_kill(one.node);
    }
    for (uint32_t round = 0; round < 2 && !run->violated; round++) {
        one_node_down(sim, &one, &random);
        sim_disk_crash_at(one.node, 0);
        start(world, one.node, round == 0 ? APPENDS_AFTER : 0);
        if (!one_node_run_out(sim, &one) && !run->violated)
            sim_violation(run, "without faults the log fails");
    }
    if (run->violated) sim_violation(run, "crash at %" PRIu64, crash_at);
    sim_run_end(run, sim);
    return ops;
}

SIM_SCENARIO(log, "the log under a crash at every disk operation: nothing acknowledged is lost")
{
    uint64_t ops = run_case(run, 0);
    uint64_t step = run->exhaustive ? 1 : ops / CASES_SAMPLED + 1;
    uint64_t first = run->exhaustive ? 1 : 1 + run->seed % step;
    for (uint64_t at = first; at <= ops && !run->violated; at += step)
        run_case(run, at);
}
