// SPDX-License-Identifier: GPL-3.0-or-later
//
// A node with storage for tests of the KV client: KV_TEST runs its body over both stores, on one
// shard and on three. Tenant 2 exists; keys are made by key(): the tenant's prefix and a text. With
// kv_test_spread the tenant's keys from "m" on lie in another slice (on three shards: of another
// shard).
#pragma once
#include "tests/unit/harness.h"

#include "kv/admin.h"
#include "kv/client.h"
#include "kv/key.h"
#include "kv/leader.h"

#define TENANT 2u
#define MS 1000000ull

struct kv_test {
    task_fn body;
    struct kv_options options;
};

// With KV_TEST_WIRE in the environment every request takes the form that it has between nodes.
static inline struct status kv_test_wire(struct task *task, __attribute__((unused)) void *arg)
{
    static const struct leader_directory wire = {.encodes_all = true};
    leader_directory_set(task->shard, &wire);
    return STATUS_OK;
}

static inline struct status kv_test_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_test *test = (struct kv_test *)arg;
    TRY(kv_start(task, &test->options));
    if (getenv("KV_TEST_WIRE") != NULL) TRY(shard_call_all(task, kv_test_wire, NULL));
    st = kv_tenant_create(task, TENANT, 2);
    if (!failed(st)) st = test->body(task, test);
    struct status stop = kv_stop(task);
    if (!failed(st)) st = stop;
out:
    return st;
}

static inline void kv_test_all(task_fn body)
{
    static const enum kv_store_kind stores[] = {KV_STORE_MODEL, KV_STORE_WIREDTIGER};
    static const uint32_t shards[] = {1, 3};
    // How requests travel and what stores do have nothing to do with each other.
    const int count = getenv("KV_TEST_WIRE") != NULL ? 2 : 4;
    for (int i = 0; i < count; i++) {
        char dir[256];
        struct kv_test test = {.body = body,
            .options = {
                .dir = test_dir(dir), .store = stores[i / 2], .log_segment_bytes = 4 << 20}};
        struct status st = node_test(shards[i % 2], kv_test_run, &test);
        char sqlstate[6];
        status_sqlstate(st, sqlstate);
        test_dirs_remove();
        cr_assert(!failed(st), "%s, %u shards: %s: %s", i / 2 ? "wt" : "model", shards[i % 2],
            sqlstate, failed(st) ? st.message : "");
    }
}

#define KV_TEST(suite, name) \
    static struct status suite##_##name##_body(struct task *task, void *arg); \
    Test(suite, name) \
    { \
        kv_test_all(suite##_##name##_body); \
    } \
    static struct status suite##_##name##_body( \
        __attribute__((unused)) struct task *task, __attribute__((unused)) void *arg)

// --- keys and values -----------------------------------------------------------------------------

static inline struct bytes key_in(struct task *task, uint64_t tenant, const char *text)
{
    struct buffer buffer;
    buffer_init(&buffer, task->arena);
    key_append_tenant_prefix(&buffer, tenant);
    buffer_append_string(&buffer, text);
    return buffer_bytes(&buffer);
}
static inline struct bytes key(struct task *task, const char *text)
{
    return key_in(task, TENANT, text);
}
static inline struct bytes key_number(struct task *task, const char *prefix, uint32_t number)
{
    return key(task, arena_printf(task->arena, "%s%06u", prefix, number));
}
static inline struct span key_span(struct task *task, const char *start, const char *end)
{
    return (struct span){key(task, start), key(task, end)};
}
static inline bool is_text(struct bytes value, const char *text)
{
    if (text == NULL) return value.data == NULL;
    return value.data != NULL && bytes_equal(value, bytes_of_string(text));
}

// The tenant's keys from "m" on go to another slice.
static inline struct status kv_test_spread(struct task *task)
{
    struct span span = {key(task, "m"), key_tenant_span(task->arena, TENANT).end};
    return kv_move_empty(task, span, task->shard->node->shard_count > 1 ? 3 : 1);
}

// --- transactions --------------------------------------------------------------------------------

static inline struct status begin(struct task *task, struct kv_txn **txn)
{
    const struct kv_txn_options options = {.tenant = TENANT};
    return kv_txn_begin(task, &options, txn);
}
static inline struct status begin_at(
    struct task *task, struct hlc_timestamp as_of, struct kv_txn **txn)
{
    const struct kv_txn_options options = {.tenant = TENANT, .as_of = as_of};
    return kv_txn_begin(task, &options, txn);
}
static inline struct status commit(struct task *task, struct kv_txn *txn)
{
    return kv_txn_commit(task, txn, NULL);
}
static inline struct status get(
    struct task *task, struct kv_txn *txn, const char *text, struct bytes *value)
{
    return kv_get(task, txn, NULL, key(task, text), task->arena, value);
}
static inline struct status get_locked(
    struct task *task, struct kv_txn *txn, const char *text, struct bytes *value)
{
    const struct kv_read read = {.lock = KV_LOCK_UPDATE};
    return kv_get(task, txn, &read, key(task, text), task->arena, value);
}
static inline struct status put(
    struct task *task, struct kv_txn *txn, const char *text, const char *value)
{
    return kv_put(task, txn, key(task, text), bytes_of_string(value));
}
static inline struct status erase(struct task *task, struct kv_txn *txn, const char *text)
{
    return kv_delete(task, txn, key(task, text));
}
// One put in a transaction of its own.
static inline struct status put_now(struct task *task, const char *text, const char *value)
{
    struct kv_txn *txn;
    struct status st = begin(task, &txn);
    if (failed(st)) return st;
    st = value == NULL ? erase(task, txn, text) : put(task, txn, text, value);
    if (!failed(st)) return commit(task, txn);
    kv_txn_rollback(task, txn);
    return st;
}
static inline struct status read_now(struct task *task, const char *text, struct bytes *value)
{
    return kv_read_now(task, TENANT, key(task, text), task->arena, value);
}

// The rows of a scan as "a=1 b=2 ".
static inline struct status scan_text(
    struct task *task, struct kv_txn *txn, struct kv_scan *scan, char **text)
{
    struct status st = STATUS_OK;
    struct buffer out;
    struct kv_batch batch;
    buffer_init(&out, task->arena);
    do {
        TRY(kv_scan_next(task, txn, scan, task->arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            struct bytes rest = batch.pairs[i].key;
            uint64_t tenant;
            TRY(key_decode_tenant_prefix(&rest, &tenant));
            buffer_append_bytes(&out, rest);
            buffer_append_u8(&out, '=');
            buffer_append_bytes(&out, batch.pairs[i].value);
            buffer_append_u8(&out, ' ');
        }
    } while (batch.count > 0);
    *text = buffer_string(&out);
out:
    return st;
}
static inline struct status scan_all(struct task *task, struct kv_txn *txn, const char *start,
    const char *end, bool reverse, char **text)
{
    struct kv_scan scan;
    kv_scan_init(&scan, key_span(task, start, end));
    scan.reverse = reverse;
    return scan_text(task, txn, &scan, text);
}

// --- several at once -----------------------------------------------------------------------------

// Workers are tasks of this shard, each of which does its work on the shard `number % shards`.
struct worker {
    uint32_t number;
    task_fn fn;
    void *context;
    struct status st;
    struct task *task; // On this shard: what to cancel.
    struct workers *workers;
};
struct workers {
    uint32_t running;
    struct wait_queue ended;
    struct worker list[64];
};

static inline struct status worker_run(struct task *task, void *arg)
{
    struct worker *worker = (struct worker *)arg;
    worker->task = task;
    return shard_call(
        task, worker->number % task->shard->node->shard_count, worker->fn, worker);
}
static inline void worker_ended(struct task *task, struct status st, void *arg)
{
    struct worker *worker = (struct worker *)arg;
    (void)task;
    if (failed(st) && st.reported) st = status_make(st.code, "worker failed");
    worker->st = st;
    worker->task = NULL;
    worker->workers->running--;
    wait_queue_wake_all(&worker->workers->ended, STATUS_OK);
}
static inline struct status worker_start(
    struct task *task, struct workers *workers, uint32_t number, task_fn fn, void *context)
{
    struct worker *worker = &workers->list[number];
    *worker = (struct worker){
        .number = number, .fn = fn, .context = context, .workers = workers};
    const struct task_options options = {.fn = worker_run,
        .arg = worker,
        .kind = "test.worker",
        .ended = worker_ended,
        .ended_arg = worker};
    struct status st = task_start(task->shard, &options);
    if (!failed(st)) workers->running++;
    return st;
}
// The first failure among them.
static inline struct status workers_wait(struct task *task, struct workers *workers, uint32_t count)
{
    struct status st = STATUS_OK;
    while (workers->running > 0) TRY(task_wait(task, &workers->ended));
    for (uint32_t i = 0; i < count; i++) TRY(workers->list[i].st);
out:
    return st;
}
static inline struct status run_workers(
    struct task *task, uint32_t count, task_fn fn, void *context)
{
    struct status st = STATUS_OK;
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    for (uint32_t i = 0; i < count; i++) TRY(worker_start(task, workers, i, fn, context));
    st = workers_wait(task, workers, count);
out:
    return st;
}
