// SPDX-License-Identifier: GPL-3.0-or-later
//
// Micro benchmarks of transactions: point reads against the bare store, scans, update commits with
// 1 to 64 tasks, on the own shard, from another, and over two slices. Prints a table with wall and
// CPU time an operation; the CPU time of the process leaves out the waiting for the disk. Options:
// --store model|wt, --rows N, --cache-mib N, --only two-slices. Data goes to $TMPDIR or /tmp.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/invariant.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "kv/kv_node.h"

#define TENANT 2u
#define TASKS_MAX 64u
#define VALUE_BYTES 100u

static uint32_t row_count = 200000;
static bool only_two_slices;
static struct kv_options kv_options = {.store = KV_STORE_WIREDTIGER, .cache_bytes = 512u << 20};

// --- measuring -----------------------------------------------------------------------------------

struct meter {
    uint64_t wall_ns, cpu_ns;
};

static uint64_t cpu_now_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000u;
}

static struct meter meter_start(struct task *task)
{
    return (struct meter){task->shard->env->mono_ns(task->shard->env), cpu_now_ns()};
}

static void report(struct task *task, struct meter start, const char *what, uint64_t count)
{
    uint64_t wall_ns = task->shard->env->mono_ns(task->shard->env) - start.wall_ns;
    uint64_t cpu_ns = cpu_now_ns() - start.cpu_ns;
    printf("%-52s %9.0f /s %10.2f us wall %8.2f us cpu\n", what,
        (double)count * 1e9 / (double)wall_ns, (double)wall_ns / 1e3 / (double)count,
        (double)cpu_ns / 1e3 / (double)count);
}

static struct bytes row_key(struct arena *arena, uint64_t number)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, TENANT);
    key_append_uvarint(&key, 100);
    key_append_int(&key, (int64_t)number, KEY_ASCENDING);
    return buffer_bytes(&key);
}

static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % row_count;
}

// --- reading -------------------------------------------------------------------------------------

static struct status load(struct task *task)
{
    struct status st = STATUS_OK;
    uint8_t value[VALUE_BYTES] = {1};
    struct meter meter = meter_start(task);
    for (uint32_t i = 0; i < row_count;) {
        const struct kv_txn_options options = {.tenant = TENANT};
        struct kv_txn *txn;
        struct arena_mark mark = arena_mark(task->arena);
        TRY(kv_txn_begin(task, &options, &txn));
        for (uint32_t end = i + 1000; i < end; i++) {
            TRY(kv_put(task, txn, row_key(task->arena, i), bytes_of(value, sizeof value)));
        }
        TRY(kv_txn_commit(task, txn, NULL));
        arena_release(task->arena, mark);
    }
    report(task, meter, "load: 1,000 rows a transaction, a row", row_count);
out:
    return st;
}

static struct status bench_store(struct task *task)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct slice *slice = kv_slice_find(kv, 1);
    uint64_t state = 1;
    const uint64_t count = 500000;
    struct meter meter = meter_start(task);
    for (uint64_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        struct bytes value;
        bool found;
        TRY(store_get(
            slice->store, STORE_CURRENT, row_key(task->arena, draw(&state)), &value, &found));
        invariant(found);
        store_release(slice->store);
        arena_release(task->arena, mark);
    }
    report(task, meter, "store: point read", count);
out:
    return st;
}

enum read_how { READ_NOW, READ_TXN, READ_ONLY_TXN, READ_MANY };

static struct status read_once(struct task *task, enum read_how how, uint64_t *state)
{
    struct status st = STATUS_OK;
    struct bytes value;
    if (how == READ_NOW) {
        return kv_read_now(task, TENANT, row_key(task->arena, draw(state)), task->arena, &value);
    }
    const struct kv_txn_options options = {.tenant = TENANT, .read_only = how == READ_ONLY_TXN};
    struct kv_txn *txn;
    TRY(kv_txn_begin(task, &options, &txn));
    if (how == READ_MANY) {
        struct bytes keys[10];
        struct bytes values[10];
        for (int i = 0; i < 10; i++) keys[i] = row_key(task->arena, draw(state));
        TRY(kv_get_many(task, txn, NULL, keys, 10, task->arena, values, NULL));
    } else {
        TRY(kv_get(
            task, txn, NULL, row_key(task->arena, draw(state)), task->arena, &value));
        invariant(value.data != NULL);
    }
    TRY(kv_txn_commit(task, txn, NULL));
out:
    return st;
}

struct reading {
    enum read_how how;
    const char *what;
    uint64_t count;
};

static struct status bench_reading(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    const struct reading *reading = arg;
    uint64_t state = 1;
    struct meter meter = meter_start(task);
    for (uint64_t i = 0; i < reading->count; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(read_once(task, reading->how, &state));
        arena_release(task->arena, mark);
    }
    report(task, meter, reading->what, reading->count);
out:
    return st;
}

static struct status bench_scan(struct task *task, uint32_t rows, uint64_t count)
{
    struct status st = STATUS_OK;
    uint64_t state = 1;
    char what[64];
    struct meter meter = meter_start(task);
    for (uint64_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        const struct kv_txn_options options = {.tenant = TENANT, .read_only = true};
        struct kv_txn *txn;
        struct kv_scan scan;
        struct kv_batch batch;
        TRY(kv_txn_begin(task, &options, &txn));
        uint64_t from = draw(&state) % (row_count - rows);
        kv_scan_init(&scan,
            (struct span){row_key(task->arena, from), row_key(task->arena, from + rows)});
        do {
            TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        } while (batch.count > 0);
        kv_txn_rollback(task, txn);
        arena_release(task->arena, mark);
    }
    snprintf(what, sizeof what, "kv: scan of %u rows", rows);
    report(task, meter, what, count);
out:
    return st;
}

// --- writing -------------------------------------------------------------------------------------

struct updates {
    uint32_t running;
    struct wait_queue ended;
    struct status st;
    uint64_t each;
    uint32_t next_seed;
    bool locks;
    uint32_t rows;    // Written in each transaction.
    bool both_slices; // The second row lies in another slice.
    bool reads_more;  // Also a row that it does not write.
};

static struct status update_once(
    struct task *task, const struct updates *updates, uint64_t *state, uint64_t lane)
{
    struct status st = STATUS_OK;
    uint8_t value[VALUE_BYTES] = {2};
    const struct kv_txn_options options = {.tenant = TENANT};
    struct kv_txn *txn;
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint32_t i = 0; i < updates->rows; i++) {
        // Every task has rows of its own: no queues.
        uint64_t number = draw(state) / TASKS_MAX * TASKS_MAX + lane;
        if (updates->both_slices && i == 1) number += 1ull << 40;
        struct bytes key = row_key(task->arena, number);
        if (updates->locks) {
            const struct kv_read read = {.lock = KV_LOCK_UPDATE};
            struct bytes found;
            TRY(kv_get(task, txn, &read, key, task->arena, &found));
        }
        TRY(kv_put(task, txn, key, bytes_of(value, sizeof value)));
    }
    if (updates->reads_more) {
        const struct kv_read read = {0};
        struct bytes found;
        TRY(kv_get(task, txn, &read, row_key(task->arena, TASKS_MAX * UINT64_C(999983)), task->arena, &found));
    }
    TRY(kv_txn_commit(task, txn, NULL));
out:
    return st;
}

static struct status updater(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct updates *updates = arg;
    uint64_t lane = updates->next_seed++;
    uint64_t state = lane * 77 + 1;
    for (uint64_t i = 0; i < updates->each; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(update_once(task, updates, &state, lane));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static void updater_ended(struct task *task, struct status st, void *arg)
{
    struct updates *updates = arg;
    (void)task;
    if (failed(st)) updates->st = status_make(st.code, "an updater failed");
    if (--updates->running == 0) wait_queue_wake_all(&updates->ended, STATUS_OK);
}

static struct status bench_updates(
    struct task *task, struct updates updates, uint32_t tasks, const char *what)
{
    struct status st = STATUS_OK;
    char text[96];
    const uint64_t total = (tasks == 1 ? 5000u : 40000u) / (only_two_slices ? 10u : 1u);
    updates.each = total / tasks;
    struct meter meter = meter_start(task);
    for (uint32_t i = 0; i < tasks; i++) {
        const struct task_options options = {.fn = updater,
            .arg = &updates,
            .kind = "bench.updater",
            .ended = updater_ended,
            .ended_arg = &updates};
        TRY(task_start(task->shard, &options));
        updates.running++;
    }
    while (updates.running > 0) TRY(task_wait(task, &updates.ended));
    TRY(updates.st);
    snprintf(text, sizeof text, "kv: %s, %u tasks", what, tasks);
    report(task, meter, text, total);
out:
    return st;
}

static struct status bench_writing(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    static const uint32_t tasks[] = {1, 16, 64};
    const char *where = arg;
    char what[64];
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "%s: update commit", where);
        TRY(bench_updates(task, (struct updates){.rows = 1}, tasks[i], what));
    }
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "%s: lock, update, commit", where);
        TRY(bench_updates(task, (struct updates){.rows = 1, .locks = true}, tasks[i], what));
    }
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "%s: 4 rows locked, updated", where);
        TRY(bench_updates(task, (struct updates){.rows = 4, .locks = true}, tasks[i], what));
    }
out:
    return st;
}

static struct status bench_two_slices(struct task *task, const char *where)
{
    struct status st = STATUS_OK;
    static const uint32_t tasks[] = {1, 16, 64};
    char what[64];
    static const char *const names[] = {"", "locks, ", "locks, reads more, "};
    for (int i = 0; i < 9; i++) {
        int kind = i % 3;
        snprintf(what, sizeof what, "%s: %scommit over two slices", where, names[kind]);
        const struct updates updates = {
            .rows = 2, .both_slices = true, .locks = kind > 0, .reads_more = kind == 2};
        TRY(bench_updates(task, updates, tasks[i / 3], what));
    }
out:
    return st;
}

// One transaction of many rows, with checks that the rows are new: a bulk load.
static struct status bench_bulk(struct task *task, uint32_t rows)
{
    struct status st = STATUS_OK;
    uint8_t value[VALUE_BYTES] = {3};
    struct kv_pair *pairs = arena_alloc_zero(task->arena, 1000 * sizeof *pairs);
    struct bytes *existing = arena_alloc_zero(task->arena, 1000 * sizeof *existing);
    const struct kv_txn_options options = {.tenant = TENANT};
    struct kv_txn *txn;
    struct meter meter = meter_start(task);
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint32_t i = 0; i < rows; i += 1000) {
        struct arena_mark mark = arena_mark(task->arena);
        for (uint32_t k = 0; k < 1000; k++) {
            pairs[k] = (struct kv_pair){
                row_key(task->arena, (1ull << 30) + i + k), bytes_of(value, sizeof value)};
        }
        TRY(kv_insert_many(task, txn, pairs, 1000, task->arena, existing));
        TRY(task_yield_if_due(task));
        arena_release(task->arena, mark);
    }
    report(task, meter, "kv: bulk load, insert a row", rows);
    meter = meter_start(task);
    TRY(kv_txn_commit(task, txn, NULL));
    report(task, meter, "kv: bulk load, commit a row", rows);
out:
    return st;
}

// --- all -----------------------------------------------------------------------------------------

static struct status bench_all(struct task *task)
{
    struct status st = STATUS_OK;
    TRY(kv_tenant_create(task, TENANT, 1));
    struct span far = {
        row_key(task->arena, 1ull << 40), key_tenant_span(task->arena, TENANT).end};
    TRY(kv_move_empty(task, far, task->shard->node->shard_count > 1 ? 2 : 2));
    TRY(load(task));
    if (only_two_slices) return bench_two_slices(task, "own shard");
    TRY(bench_store(task));
    struct reading readings[] = {
        {READ_NOW, "kv: point read without a transaction", 500000},
        {READ_ONLY_TXN, "kv: point read, read-only transaction", 500000},
        {READ_TXN, "kv: point read, transaction", 500000},
        {READ_MANY, "kv: ten points at once", 100000},
    };
    for (int i = 0; i < 4; i++) TRY(bench_reading(task, &readings[i]));
    TRY(bench_scan(task, 10, 100000));
    TRY(bench_scan(task, 10000, 200));
    struct reading remote = {READ_NOW, "kv: point read from another shard", 100000};
    TRY(shard_call(task, 1, bench_reading, &remote));
    TRY(bench_bulk(task, 500000));
    TRY(bench_writing(task, (void *)(uintptr_t) "own shard"));
    TRY(bench_two_slices(task, "own shard"));
out:
    return st;
}

static struct status run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    kv_options.dir = arg;
    TRY(kv_start(task, &kv_options));
    st = bench_all(task);
    struct status stop = kv_stop(task);
    if (!failed(st)) st = stop;
out:
    node_stop(task->shard->node);
    return st;
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--store") == 0) {
            kv_options.store =
                strcmp(argv[i + 1], "model") == 0 ? KV_STORE_MODEL : KV_STORE_WIREDTIGER;
        } else if (strcmp(argv[i], "--cache-mib") == 0) {
            kv_options.cache_bytes = (uint64_t)atol(argv[i + 1]) << 20;
        } else if (strcmp(argv[i], "--only") == 0) {
            only_two_slices = strcmp(argv[i + 1], "two-slices") == 0;
        } else if (strcmp(argv[i], "--rows") == 0) {
            row_count = (uint32_t)(atol(argv[i + 1]) / 1000 * 1000);
        }
    }
    return bench_node(&(struct node_options){.id = 1, .shard_count = 2, .pin = true}, run);
}
