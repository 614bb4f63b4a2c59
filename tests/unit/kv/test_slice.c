// SPDX-License-Identifier: GPL-3.0-or-later
//
// Slices: commits, reads at a time, pending and prepared writes, restarts of every kind, raw versions.
#include "tests/unit/harness.h"

#include <signal.h>
#include <sys/wait.h>

#include "core/codec.h"
#include "core/log_writer.h"
#include "kv/entry.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "kv/slice_internal.h"

static struct kv_options options_of(const char *dir, enum kv_store_kind store)
{
    return (struct kv_options){
        .dir = dir, .store = store, .cache_bytes = 64u << 20, .log_segment_bytes = 4u << 20};
}

static struct slice *slice_here(struct task *task, uint64_t id)
{
    return kv_slice_find(kv_shard_of(task->shard), id);
}

static struct bytes key_of(struct arena *arena, uint64_t tenant, uint64_t number)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, tenant);
    key_append_int(&key, (int64_t)number, KEY_ASCENDING);
    return buffer_bytes(&key);
}

static struct status put(struct task *task, struct slice *slice, uint64_t tenant, uint64_t number,
    struct bytes value, struct hlc_timestamp *ts)
{
    struct slice_write write = {key_of(task->arena, tenant, number), value};
    struct status st = slice_admit(task, slice, value.size);
    if (failed(st)) return st;
    struct hlc_timestamp commit = slice_commit_ts(slice);
    if (ts != NULL) *ts = commit;
    return slice_propose_writes(task, slice, tenant, &write, 1, commit);
}

static struct status get(struct task *task, struct slice *slice, uint64_t tenant, uint64_t number,
    struct hlc_timestamp ts, struct slice_value *value)
{
    struct slice_reader reader = {.tenant = tenant, .ts = ts};
    return slice_read_point(
        task, slice, &reader, key_of(task->arena, tenant, number), task->arena, value);
}

static struct hlc_timestamp now(struct task *task)
{
    return hlc_now(&task->shard->hlc);
}

static struct status test_versions(struct task *task, enum kv_store_kind store)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), store);
    struct status st;
    struct hlc_timestamp first, second, third;
    struct slice_value value;
    TRY(kv_start(task, &options));
    CHECK(kv_is_new(task->shard->node));
    struct slice *slice = slice_here(task, 1);
    TRY(put(task, slice, 5, 1, BYTES_LITERAL("one"), &first));
    TRY(put(task, slice, 5, 1, BYTES_LITERAL("two"), &second));
    CHECK(hlc_less(first, second));
    TRY(get(task, slice, 5, 1, now(task), &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("two")) && hlc_equal(value.ts, second));
    TRY(get(task, slice, 5, 1, first, &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("one")));
    TRY(get(task, slice, 5, 1, hlc_previous(first), &value));
    CHECK(value.value.data == NULL && hlc_is_zero(value.ts));
    TRY(put(task, slice, 5, 1, bytes_of(NULL, 0), &third));
    TRY(get(task, slice, 5, 1, third, &value));
    CHECK(value.value.data == NULL && hlc_equal(value.ts, third));
    TRY(get(task, slice, 5, 1, hlc_previous(third), &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("two")));
    // No commit at or below what was read.
    struct hlc_timestamp read_ts = now(task);
    TRY(get(task, slice, 5, 2, read_ts, &value));
    CHECK(hlc_less(read_ts, slice_commit_ts(slice)));
    TRY(kv_stop(task));

    // A clean restart: the same answers, and timestamps go on upwards.
    TRY(kv_start(task, &options));
    CHECK(!kv_is_new(task->shard->node) || true);
    slice = slice_here(task, 1);
    TRY(get(task, slice, 5, 1, hlc_previous(third), &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("two")));
    TRY(get(task, slice, 5, 1, first, &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("one")));
    CHECK(hlc_less(third, slice_commit_ts(slice)));
    TRY(kv_stop(task));
out:
    return st;
}

NODE_TEST(slice, versions_in_the_model, 1)
{
    return test_versions(task, KV_STORE_MODEL);
}
NODE_TEST(slice, versions_in_wiredtiger, 1)
{
    return test_versions(task, KV_STORE_WIREDTIGER);
}
// Each test has a process of its own: what is long stays so to its end.
NODE_TEST(slice, versions_in_pieces, 1)
{
    mvcc_pieces_set(2, 2);
    return test_versions(task, KV_STORE_WIREDTIGER);
}

// --- scans -----------------------------------------------------------------------------------------------

static struct status test_scans(struct task *task)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_WIREDTIGER);
    struct status st;
    enum { KEYS = 1000 };
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    struct slice_write *writes = ARENA_ARRAY(task->arena, struct slice_write, KEYS);
    for (uint32_t i = 0; i < KEYS; i++)
        writes[i] = (struct slice_write){key_of(task->arena, 7, i), BYTES_LITERAL("old")};
    struct hlc_timestamp old_ts = slice_commit_ts(slice);
    TRY(slice_propose_writes(task, slice, 7, writes, KEYS, old_ts));
    for (uint32_t i = 0; i < KEYS; i += 2)
        writes[i / 2] = (struct slice_write){
            key_of(task->arena, 7, i), i % 4 ? bytes_of(NULL, 0) : BYTES_LITERAL("new")};
    TRY(slice_propose_writes(task, slice, 7, writes, KEYS / 2, slice_commit_ts(slice)));
    for (int reverse = 0; reverse < 2; reverse++) {
        for (int at_old = 0; at_old < 2; at_old++) {
            struct slice_reader reader = {.tenant = 7, .ts = at_old ? old_ts : now(task)};
            struct slice_scan scan = {
                .span = key_tenant_span(task->arena, 7), .reverse = reverse, .rows_max = 77};
            struct kv_batch batch;
            uint32_t rows = 0;
            struct bytes last = {0};
            while (!scan.done) {
                TRY(slice_read_span(task, slice, &reader, &scan, task->arena, &batch));
                CHECK(batch.count <= 77);
                for (uint32_t i = 0; i < batch.count; i++, rows++) {
                    int order = last.data == NULL ? 1 : bytes_compare(batch.pairs[i].key, last);
                    CHECK(last.data == NULL || (reverse ? order < 0 : order > 0));
                    CHECK(!at_old || bytes_equal(batch.pairs[i].value, BYTES_LITERAL("old")));
                    last = batch.pairs[i].key;
                }
            }
            CHECK(rows == (at_old ? KEYS : KEYS * 3 / 4));
        }
    }
    bool changed;
    TRY(slice_span_changed(task, slice, key_tenant_span(task->arena, 7), old_ts, 0, &changed));
    CHECK(changed);
    TRY(slice_span_changed(
        task, slice, key_tenant_span(task->arena, 7), slice->last_commit, 0, &changed));
    CHECK(!changed);
    TRY(slice_span_changed(task, slice, key_tenant_span(task->arena, 8), HLC_ZERO, 0, &changed));
    CHECK(!changed);
    TRY(kv_stop(task));
out:
    return st;
}

NODE_TEST(slice, scans_see_one_instant_in_either_direction, 1)
{
    return test_scans(task);
}
NODE_TEST(slice, scans_of_long_values_see_one_instant_in_either_direction, 1)
{
    mvcc_pieces_set(2, 2);
    return test_scans(task);
}

// --- long values -----------------------------------------------------------------------------------------
//
// Between two pieces of a long value others run: read, scanned or written, no step is longer than some pieces.

#define LONG_BYTES (8u << 20)
#define BYTES_PER_LOOK (1u << 20)

static uint64_t (*real_mono_ns)(struct env *env);
static struct task *looking;
static uint64_t looks;

// Every look at the clock finds that it is time to let others run. It never goes back.
static uint64_t counted_mono_ns(struct env *env)
{
    static uint64_t passed;
    if (looking != NULL && task_current() == looking) {
        looks++;
        passed += 2000000;
    }
    return real_mono_ns(env) + passed;
}

struct meanwhile {
    struct slice *slice;
    struct status (*act)(struct task *task, struct slice *slice);
    bool done;
};

static struct status act_meanwhile(struct task *task, void *arg)
{
    struct meanwhile *meanwhile = arg;
    struct status st = meanwhile->act(task, meanwhile->slice);
    meanwhile->done = true;
    return st;
}

// As collection does, at once.
static struct status erase(struct task *task, struct slice *slice)
{
    struct status st;
    TRY(store_begin(slice->store));
    TRY(mvcc_clear(&slice->mvcc, key_tenant_span(task->arena, 5)));
    st = store_commit(slice->store);
out:
    return st;
}

static struct status overwrite(struct task *task, struct slice *slice)
{
    return put(task, slice, 5, 1, BYTES_LITERAL("short"), NULL);
}


NODE_TEST(slice, long_values_are_read_in_steps, 1)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_WIREDTIGER);
    struct status st;
    struct env *env = task->shard->env;
    struct slice_value value;
    struct hlc_timestamp ts;
    real_mono_ns = env->mono_ns;
    env->mono_ns = counted_mono_ns;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    uint8_t *text = arena_alloc(task->arena, LONG_BYTES);
    for (uint32_t i = 0; i < LONG_BYTES; i++) text[i] = (uint8_t)(i * 2654435761u >> 24);
    TRY(put(task, slice, 5, 1, bytes_of(text, LONG_BYTES), &ts));
    // As it is; while it is overwritten, which leaves its version; while it is erased: nothing is found then.
    for (uint32_t round = 0; round < 9; round++) {
        struct slice_reader reader = {.tenant = 5, .ts = ts};
        struct slice_scan scan = {.span = key_tenant_span(task->arena, 5), .reverse = round % 3 == 2};
        struct kv_batch batch = {0};
        struct meanwhile meanwhile = {.slice = slice, .act = round < 6 ? overwrite : erase, .done = round < 3};
        if (round > 6) TRY(put(task, slice, 5, 1, bytes_of(text, LONG_BYTES), &reader.ts));
        looks = 0;
        looking = task;
        if (round >= 3) st = slice_task_start_with(slice, act_meanwhile, &meanwhile, "test", TASK_SYSTEM);
        if (!failed(st) && round % 3 == 0) st = get(task, slice, 5, 1, reader.ts, &value);
        else if (!failed(st)) st = slice_read_span(task, slice, &reader, &scan, task->arena, &batch);
        looking = NULL;
        if (failed(st)) goto out;
        while (!meanwhile.done) TRY(task_sleep(task, 1000000));
        if (round % 3 != 0) value.value = batch.count == 0 ? bytes_of(NULL, 0) : batch.pairs[0].value;
        if (round >= 6) {
            CHECK(value.value.data == NULL && batch.count == 0);
            continue;
        }
        CHECK(bytes_equal(value.value, bytes_of(text, LONG_BYTES)));
        CHECK(looks >= LONG_BYTES / BYTES_PER_LOOK);
    }
    TRY(kv_stop(task));
out:
    return st;
}

// --- pending and prepared writes ---------------------------------------------------------------------------

struct writer {
    struct slice *slice;
    struct hlc_timestamp ts;
    bool done;
};
static struct status write_one(struct task *task, void *arg)
{
    struct writer *writer = arg;
    struct status st = put(task, writer->slice, 5, 1, BYTES_LITERAL("late"), &writer->ts);
    writer->done = true;
    return st;
}

// A read at or above a write that is with the log waits for it; a read below does not; the present is below.
NODE_TEST(slice, readers_wait_for_pending_writes, 1)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_MODEL);
    struct status st;
    struct slice_value value;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    struct writer writer = {.slice = slice};
    struct hlc_timestamp present;
    // The log may be quicker than this task's next turn: then once more.
    for (;;) {
        TRY(put(task, slice, 5, 1, BYTES_LITERAL("early"), NULL));
        writer = (struct writer){.slice = slice};
        TRY(task_start(
            task->shard, &(struct task_options){.fn = write_one, .arg = &writer, .kind = "test"}));
        while (hlc_is_zero(writer.ts))
            TRY(task_yield(task));
        present = slice_present(slice);
        if (hlc_less(present, writer.ts)) break;
        while (!writer.done)
            TRY(task_yield(task));
    }
    CHECK(!writer.done);
    CHECK(hlc_less(slice_close(slice), writer.ts));
    TRY(get(task, slice, 5, 1, present, &value));
    CHECK(!writer.done && bytes_equal(value.value, BYTES_LITERAL("early")));
    struct slice_reader reader = {.tenant = 5, .ts = now(task), .no_wait = true};
    struct bytes key = key_of(task->arena, 5, 1);
    CHECK_FAILS(slice_read_point(task, slice, &reader, key, task->arena, &value), K_PENDING);
    struct hlc_timestamp newest;
    TRY(slice_key_newest(slice, key, 0, &newest));
    CHECK(hlc_equal(newest, writer.ts));
    TRY(get(task, slice, 5, 1, reader.ts, &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("late")));
    CHECK(hlc_less_equal(writer.ts, slice_close(slice)));
    TRY(kv_stop(task));
out:
    return st;
}

static struct status propose_op(struct task *task, struct slice *slice, const struct entry_op *op,
    struct bytes key, struct bytes value)
{
    struct entry_builder builder;
    struct status st = slice_admit(task, slice, 0);
    if (failed(st)) return st;
    entry_begin(&builder, task->arena);
    entry_op_append(&builder, op);
    if (key.data != NULL)
        entry_item_append(&builder, &(struct entry_item){.key = key, .value = value});
    return slice_propose(task, slice, entry_end(&builder));
}

// Prepared writes are invisible, hold up readers above them and closed time, and appear at the timestamp of
// their resolution, whatever was written elsewhere in between. A start resolves what it finds.
static struct status test_prepared(struct task *task, bool restart)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_WIREDTIGER);
    struct status st;
    struct slice_value value;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    struct bytes key = key_of(task->arena, 5, 1);
    struct hlc_timestamp prepare_ts = slice_commit_ts(slice);
    TRY(propose_op(task, slice,
        &(struct entry_op){
            .kind = ENTRY_PREPARE, .tenant = 5, .txn = 99, .record_slice = 2, .ts = prepare_ts},
        key, BYTES_LITERAL("prepared")));
    if (restart) {
        // Its record never was: the start finds it and drops it.
        TRY(kv_stop(task));
        TRY(kv_start(task, &options));
        slice = slice_here(task, 1);
        CHECK(slice_prepared_find(slice, 99) == NULL);
        TRY(get(task, slice, 5, 1, now(task), &value));
        CHECK(value.value.data == NULL);
        TRY(kv_stop(task));
        return st;
    }
    TRY(propose_op(task, slice,
        &(struct entry_op){.kind = ENTRY_RECORD,
            .txn = 99,
            .commit = true,
            .ts = prepare_ts,
            .value = BYTES_LITERAL("own")},
        bytes_of(NULL, 0), bytes_of(NULL, 0)));
    TRY(put(task, slice, 5, 2, BYTES_LITERAL("other"), NULL));
    struct pending *prepared = slice_prepared_find(slice, 99);
    CHECK(prepared != NULL && prepared->record_slice == 2 && hlc_equal(prepared->ts, prepare_ts));
    CHECK(hlc_less(slice_close(slice), prepare_ts));
    TRY(get(task, slice, 5, 1, hlc_previous(prepare_ts), &value));
    CHECK(value.value.data == NULL);
    struct slice_reader reader = {.tenant = 5, .ts = now(task), .no_wait = true};
    CHECK_FAILS(slice_read_point(task, slice, &reader, key, task->arena, &value), K_PENDING);
    struct slice_record record;
    bool found;
    TRY(slice_record_get(slice, 99, task->arena, &record, &found));
    CHECK(found && record.commit && bytes_equal(record.value, BYTES_LITERAL("own")));
    struct hlc_timestamp commit_ts = slice_commit_ts(slice);
    TRY(propose_op(task, slice,
        &(struct entry_op){.kind = ENTRY_RESOLVE, .txn = 99, .commit = true, .ts = commit_ts},
        bytes_of(NULL, 0), bytes_of(NULL, 0)));
    TRY(propose_op(task, slice, &(struct entry_op){.kind = ENTRY_RECORD_END, .txn = 99},
        bytes_of(NULL, 0), bytes_of(NULL, 0)));
    CHECK(slice_prepared_find(slice, 99) == NULL);
    TRY(get(task, slice, 5, 1, now(task), &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("prepared")) && hlc_equal(value.ts, commit_ts));
    TRY(slice_record_get(slice, 99, task->arena, &record, &found));
    CHECK(!found);
    // The same again changes nothing.
    TRY(propose_op(task, slice,
        &(struct entry_op){.kind = ENTRY_RESOLVE, .txn = 99, .commit = false, .ts = commit_ts},
        bytes_of(NULL, 0), bytes_of(NULL, 0)));
    TRY(get(task, slice, 5, 1, now(task), &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("prepared")));
    TRY(kv_stop(task));
out:
    return st;
}
NODE_TEST(slice, prepared_writes, 1)
{
    return test_prepared(task, false);
}
NODE_TEST(slice, prepared_writes_are_resolved_by_a_start, 1)
{
    return test_prepared(task, true);
}

// --- crashes: a child process commits, tells what was acknowledged, and is killed -------------------------

struct crash {
    const char *dir;
    enum kv_store_kind store;
    int acknowledged; // A pipe.
    uint32_t kill_at;
    bool checkpoints;
    uint32_t committed;
};
struct crash_worker {
    struct crash *crash;
    uint64_t number;
};

static struct status crash_work(struct task *task, void *arg)
{
    struct crash_worker *worker = arg;
    struct status st = STATUS_OK;
    struct slice *slice = slice_here(task, 1 + worker->number % 2);
    for (uint64_t i = 0;; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        // Two keys in one entry: both or none.
        struct slice_write writes[2] = {
            {key_of(task->arena, 5 + worker->number, 2 * i), bytes_of(&i, 8)},
            {key_of(task->arena, 5 + worker->number, 2 * i + 1), bytes_of(&i, 8)}};
        if (i % 10 == 9) { // A large one: it goes through the log in parts.
            uint8_t *large = arena_alloc(task->arena, 3u << 20);
            memset(large, 1, 3u << 20);
            memcpy(large, &i, 8);
            writes[0].value = bytes_of(large, 3u << 20);
        }
        TRY(slice_admit(task, slice, 0));
        TRY(slice_propose_writes(
            task, slice, 5 + worker->number, writes, 2, slice_commit_ts(slice)));
        uint64_t told[2] = {worker->number, i};
        if (write(worker->crash->acknowledged, told, sizeof told) != sizeof told) abort();
        if (++worker->crash->committed == worker->crash->kill_at) raise(SIGKILL);
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static struct status crash_run(struct task *task, void *arg)
{
    struct crash *crash = arg;
    struct crash_worker workers[4];
    struct kv_options options = options_of(crash->dir, crash->store);
    struct status st;
    TRY(kv_start(task, &options));
    for (uint64_t i = 0; i < 4; i++) {
        workers[i] = (struct crash_worker){crash, i};
        TRY(task_start(task->shard,
            &(struct task_options){.fn = crash_work, .arg = &workers[i], .kind = "test"}));
    }
    for (;;) {
        TRY(task_sleep(task, 3000000));
        if (crash->checkpoints) TRY(kv_checkpoint(task));
    }
out:
    return st;
}

static struct {
    uint64_t acknowledged[4]; // Count: all below.
    const char *dir;
    enum kv_store_kind store;
} verify;

static struct status crash_verify(struct task *task, void *arg)
{
    (void)arg;
    struct kv_options options = options_of(verify.dir, verify.store);
    struct status st;
    TRY(kv_start(task, &options));
    for (uint64_t worker = 0; worker < 4; worker++) {
        struct slice *slice = NULL;
        uint64_t id = 1 + worker % 2;
        slice = slice_here(task, id);
        if (slice == NULL) continue; // Another shard's: looked at there.
        for (uint64_t i = 0; i < verify.acknowledged[worker] + 3; i++) {
            struct slice_value a, b;
            struct arena_mark mark = arena_mark(task->arena);
            TRY(get(task, slice, 5 + worker, 2 * i, now(task), &a));
            TRY(get(task, slice, 5 + worker, 2 * i + 1, now(task), &b));
            CHECK((a.value.data == NULL) == (b.value.data == NULL)); // Both or none.
            CHECK(i >= verify.acknowledged[worker] ||
                  a.value.data != NULL); // Nothing acknowledged is missing.
            if (a.value.data != NULL)
                CHECK(memcmp(a.value.data, &i, 8) == 0 && memcmp(b.value.data, &i, 8) == 0);
            arena_release(task->arena, mark);
        }
    }
    // And it goes on.
    struct slice *slice = slice_here(task, 1);
    if (slice != NULL) TRY(put(task, slice, 4, 1, BYTES_LITERAL("on"), NULL));
    TRY(kv_stop(task));
out:
    return st;
}

static void crash_round(
    enum kv_store_kind store, uint32_t kill_at, bool checkpoints, const char *dir)
{
    int told[2];
    cr_assert_eq(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct crash crash = {.dir = dir,
            .store = store,
            .acknowledged = told[1],
            .kill_at = kill_at,
            .checkpoints = checkpoints};
        struct status st = node_test(1, crash_run, &crash);
        fprintf(stderr, "crash child: %s\n", failed(st) ? st.message : "ended");
        _exit(1);
    }
    close(told[1]);
    uint64_t pair[2];
    memset(&verify, 0, sizeof verify);
    while (read(told[0], pair, sizeof pair) == sizeof pair)
        verify.acknowledged[pair[0]] = pair[1] + 1;
    close(told[0]);
    int ended;
    cr_assert_eq(waitpid(child, &ended, 0), child);
    cr_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL, "child ended with %d", ended);
    verify.dir = dir;
    verify.store = store;
}

static void verify_with(uint32_t shards)
{
    struct status st = node_test(shards, crash_verify, NULL);
    cr_assert(!failed(st), "%s", st.message);
}

// Whenever the process is killed, nothing acknowledged is missing and nothing is there by half.
Test(slice, kill_loses_nothing_acknowledged)
{
    static const struct {
        enum kv_store_kind store;
        uint32_t kill_at;
        bool checkpoints;
    } rounds[] = {{KV_STORE_WIREDTIGER, 1, false}, {KV_STORE_MODEL, 17, true},
        {KV_STORE_WIREDTIGER, 60, false}, {KV_STORE_WIREDTIGER, 90, true}};
    for (uint32_t i = 0; i < 4; i++) {
        char dir[256];
        crash_round(rounds[i].store, rounds[i].kill_at, rounds[i].checkpoints, test_dir(dir));
        verify_with(1);
        test_dirs_remove();
    }
}

// A store that a killed process with one shard left is taken over by three shards, then by two, then by one.
Test(slice, another_number_of_shards_takes_the_store_over)
{
    char dir[256];
    crash_round(KV_STORE_WIREDTIGER, 40, false, test_dir(dir));
    verify_with(3);
    verify_with(2);
    verify_with(2);
    verify_with(1);
    test_dirs_remove();
}

static const char *parted_dir;

struct parted_record {
    struct log_append append;
    bool durable;
};

static void parted_durable(struct log_append *append, struct status st)
{
    container_of(append, struct parted_record, append)->durable = !failed(st);
}

// A large entry in two parts, and a learner that joins between them. Only the first part is known to be committed.
static struct status parted_write(struct task *task, void *arg)
{
    struct kv_options options = options_of(parted_dir, KV_STORE_WIREDTIGER);
    struct entry_builder builder;
    struct status st;
    (void)arg;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    TRY(put(task, slice, 5, 1, BYTES_LITERAL("before"), NULL));
    entry_begin(&builder, task->arena);
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_WRITES, .tenant = 5, .ts = slice_commit_ts(slice)});
    entry_item_append(&builder,
        &(struct entry_item){.key = key_of(task->arena, 5, 2), .value = BYTES_LITERAL("in two parts")});
    const struct bytes entry = entry_end(&builder);
    entry_ceiling_set(entry, slice->ceiling);
    const struct raft_config config = {.count = 2, .members = {{.node = 1}, {.node = 7, .learner = true}}};
    uint8_t members[RAFT_CONFIG_BYTES_MAX], *parts[2];
    const size_t cut = entry.size / 2, sizes[2] = {cut, entry.size - cut};
    for (uint32_t i = 0; i < 2; i++) {
        parts[i] = arena_alloc(task->arena, PART_HEADER_BYTES + sizes[i]);
        parts[i][0] = ENTRY_PART_FORMAT;
        parts[i][1] = i == 0 ? PART_FIRST : PART_LAST;
        codec_store(parts[i] + 2, entry.size, 4);
        memcpy(parts[i] + PART_HEADER_BYTES, entry.data + i * cut, sizes[i]);
    }
    const struct bytes payloads[3] = {bytes_of(parts[0], PART_HEADER_BYTES + sizes[0]),
        bytes_of(members, raft_config_encode(&config, members)), bytes_of(parts[1], PART_HEADER_BYTES + sizes[1])};
    struct parted_record records[3];
    for (uint32_t i = 0; i < 3; i++) {
        records[i] = (struct parted_record){.append = {.durable = parted_durable,
            .record = {.stream = slice->id, .term = raft_log_term(&slice->log),
                .index = raft_log_last(&slice->log) + 1 + i, .kind = i == 1 ? RAFT_CONFIG : RAFT_DATA,
                .payload = payloads[i]}}};
        TRY(log_writer_append(slice->kv->log, &records[i].append));
    }
    while (!records[2].durable) TRY(task_sleep(task, 100000));
    TRY(kv_stop(task));
out:
    return st;
}

static struct status parted_read(struct task *task, void *arg)
{
    struct kv_options options = options_of(parted_dir, KV_STORE_WIREDTIGER);
    struct status st;
    struct slice_value value;
    (void)arg;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    if (slice != NULL) {
        TRY(slice_await(task, slice));
        TRY(get(task, slice, 5, 1, now(task), &value));
        CHECK(bytes_equal(value.value, BYTES_LITERAL("before")));
        TRY(get(task, slice, 5, 2, now(task), &value));
        CHECK(bytes_equal(value.value, BYTES_LITERAL("in two parts")));
        CHECK(slice->config.count == 2);
    }
    TRY(kv_stop(task));
out:
    return st;
}

// Another number of shards gives the log up, but not the rest of an entry behind a change of members, though by what is
// known to be committed there is nobody else who could send it.
Test(slice, an_entry_whose_members_change_within_it_is_whole_on_another_number_of_shards)
{
    char dir[256];
    parted_dir = test_dir(dir);
    static const uint32_t shards[] = {3, 2, 1};
    struct status st = node_test(1, parted_write, NULL);
    cr_assert(!failed(st), "%s", st.message);
    for (uint32_t i = 0; i < 3; i++) {
        st = node_test(shards[i], parted_read, NULL);
        cr_assert(!failed(st), "%u shards: %s", shards[i], st.message);
    }
    test_dirs_remove();
}

// --- the log is let go of -----------------------------------------------------------------------------------

NODE_TEST(slice, checkpoints_free_the_log, 1)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_WIREDTIGER);
    struct status st;
    options.log_segment_bytes = 1u << 20;
    TRY(kv_start(task, &options));
    struct kv_shard *kv = kv_shard_of(task->shard);
    uint8_t *value = arena_alloc(task->arena, 100000);
    memset(value, 1, 100000);
    for (uint64_t i = 0; i < 100; i++)
        TRY(put(task, slice_here(task, 1 + i % 2), 5, i, bytes_of(value, 100000), NULL));
    uint64_t applied = slice_here(task, 1)->applied_index;
    TRY(kv_checkpoint(task));
    CHECK(log_writer_bytes(kv->log) <= 2u << 20);
    CHECK(slice_here(task, 1)->checkpoint_index >= applied);
    TRY(kv_stop(task));
    TRY(kv_start(task, &options));
    for (uint64_t i = 0; i < 100; i++) {
        struct slice_value got;
        struct arena_mark mark = arena_mark(task->arena);
        TRY(get(task, slice_here(task, 1 + i % 2), 5, i, now(task), &got));
        CHECK(got.value.size == 100000);
        arena_release(task->arena, mark);
    }
    TRY(kv_stop(task));
out:
    return st;
}

// --- garbage collection --------------------------------------------------------------------------------------

static struct hlc_timestamp gc_allowed;
static struct hlc_timestamp gc_limit(struct slice *slice, uint64_t tenant)
{
    (void)slice;
    return tenant == 5 ? gc_allowed : HLC_ZERO;
}

// Collected is what no read at or above the threshold can see, of that tenant alone; reads below are refused,
// also after a restart.
NODE_TEST(slice, collection_keeps_what_can_be_read, 1)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_WIREDTIGER);
    struct status st;
    struct hlc_timestamp ts[6];
    struct slice_value value;
    uint64_t erased;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    for (uint64_t i = 0; i < 5; i++) {
        TRY(put(task, slice, 5, 1, bytes_of(&i, 8), &ts[i]));
        TRY(put(task, slice, 6, 1, bytes_of(&i, 8), NULL));
        TRY(put(task, slice, 5, 2, i % 2 ? bytes_of(NULL, 0) : bytes_of(&i, 8), NULL));
        TRY(task_sleep(task, 1100000000 / 5));
    }
    TRY(put(task, slice, 5, 3, BYTES_LITERAL("gone"), NULL));
    TRY(put(task, slice, 5, 3, bytes_of(NULL, 0), &ts[5]));
    kv_node_of(task->shard->node)->gc_limit = gc_limit;
    gc_allowed = ts[3];
    TRY(slice_gc(task, slice, &erased));
    // Key 1: versions 0..2. Key 2 at ts[3]: value 2; before it 0 and the tombstone of 1. Key 3 is newer.
    CHECK(erased == 5);
    TRY(get(task, slice, 5, 1, ts[3], &value));
    CHECK(value.value.size == 8 && value.value.data[0] == 3);
    CHECK_FAILS(get(task, slice, 5, 1, hlc_previous(ts[3]), &value), E_BELOW_GC_THRESHOLD);
    TRY(get(task, slice, 6, 1, ts[1], &value));
    CHECK(value.value.data != NULL && value.value.data[0] == 0); // Another tenant's.
    TRY(kv_stop(task));
    TRY(kv_start(task, &options));
    slice = slice_here(task, 1);
    CHECK_FAILS(get(task, slice, 5, 1, ts[2], &value), E_BELOW_GC_THRESHOLD);
    TRY(get(task, slice, 5, 1, ts[3], &value));
    CHECK(value.value.data[0] == 3);
    kv_node_of(task->shard->node)->gc_limit = gc_limit;
    TRY(task_sleep(task, 1100000000));
    gc_allowed = now(task);
    TRY(slice_gc(task, slice, &erased));
    bool empty;
    struct bytes third = key_of(task->arena, 5, 3);
    TRY(slice_span_empty(slice, (struct span){third, key_next(task->arena, third)}, &empty));
    CHECK(empty); // The tombstone, too.
    TRY(get(task, slice, 5, 1, now(task), &value));
    CHECK(value.value.data[0] == 4);
    TRY(kv_stop(task));
out:
    return st;
}

// --- raw versions ----------------------------------------------------------------------------------------------

static struct status copy_all(struct task *task, struct slice *from, uint64_t from_tenant,
    struct slice *to, uint64_t to_tenant, struct hlc_timestamp after, struct hlc_timestamp at,
    bool all)
{
    struct kv_export export = {.tenant = from_tenant,
        .span = key_tenant_span(task->arena, from_tenant),
        .after = after,
        .at = at,
        .all = all,
        .bytes_max = 5000};
    struct status st = STATUS_OK;
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        TRY(slice_export(task, from, &export, task->arena, &versions, &count));
        for (uint32_t i = 0; i < count; i++)
            versions[i].key = key_rewrite_tenant(task->arena, versions[i].key, to_tenant);
        TRY(slice_ingest(task, to, to_tenant, versions, count));
    }
out:
    return st;
}

static struct status same(
    struct task *task, struct slice *a, struct slice *b, struct hlc_timestamp ts, bool *equal)
{
    struct kv_fingerprint left, right;
    struct status st;
    TRY(slice_fingerprint(task, a, 5, key_tenant_span(task->arena, 5), ts, &left));
    TRY(slice_fingerprint(task, b, 9, key_tenant_span(task->arena, 9), ts, &right));
    *equal = left.hash == right.hash && left.keys == right.keys && left.bytes == right.bytes;
out:
    return st;
}

static struct status churn(struct task *task, struct slice *slice, uint32_t *seed, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        *seed = *seed * 1664525u + 1013904223u;
        uint32_t key = (*seed >> 8) % 200;
        TRY(put(
            task, slice, 5, key, *seed >> 30 == 0 ? bytes_of(NULL, 0) : bytes_of(seed, 4), NULL));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

// Backfill, follow-up with overlaps, any order: the copy has the original's fingerprint at every time; a revert
// takes it back exactly to an earlier one, also across restarts.
static struct status test_copy(struct task *task, enum kv_store_kind store)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), store);
    struct status st;
    uint32_t seed = 1;
    bool equal;
    uint64_t removed;
    TRY(kv_start(task, &options));
    struct slice *from = slice_here(task, 1), *to = slice_here(task, 2);
    TRY(churn(task, from, &seed, 500));
    struct hlc_timestamp backfill = now(task);
    CHECK_FAILS(
        copy_all(task, from, 5, to, 9, HLC_ZERO, backfill, false), E_NOT_IN_PREREQUISITE_STATE);
    TRY(slice_ingest_mark(task, to, 9, KV_INGEST_JOIN, HLC_MAX));
    TRY(copy_all(task, from, 5, to, 9, HLC_ZERO, backfill, false));
    TRY(same(task, from, to, backfill, &equal));
    CHECK(equal);
    TRY(churn(task, from, &seed, 300));
    struct hlc_timestamp middle = now(task);
    TRY(churn(task, from, &seed, 300));
    struct hlc_timestamp late = now(task);
    // The later half first, then all of it again.
    TRY(copy_all(task, from, 5, to, 9, middle, late, true));
    TRY(copy_all(task, from, 5, to, 9, backfill, late, true));
    TRY(same(task, from, to, late, &equal));
    CHECK(equal);
    TRY(same(task, from, to, middle, &equal));
    CHECK(equal);
    TRY(kv_stop(task));
    TRY(kv_start(task, &options));
    from = slice_here(task, 1), to = slice_here(task, 2);
    CHECK(slice_tenant_ingesting(to, 9));
    struct kv_fingerprint before, after;
    TRY(slice_fingerprint(task, from, 5, key_tenant_span(task->arena, 5), middle, &before));
    TRY(slice_revert(task, to, 9, middle, &removed));
    CHECK(removed > 200 && removed <= 300); // Deleting what is not there leaves no version.
    TRY(slice_fingerprint(task, to, 9, key_tenant_span(task->arena, 9), now(task), &after));
    CHECK(before.hash == after.hash && before.keys == after.keys);
    TRY(slice_revert(task, to, 9, middle, &removed));
    CHECK(removed == 0);
    TRY(same(task, from, to, backfill, &equal));
    CHECK(equal); // What is older is untouched.
    TRY(copy_all(task, from, 5, to, 9, middle, late, true));
    TRY(same(task, from, to, late, &equal));
    CHECK(equal); // And it can follow again.
    TRY(slice_ingest_mark(task, to, 9, KV_INGEST_END, HLC_MAX));
    // Whoever comes late does not begin it again.
    TRY(slice_ingest_mark(task, to, 9, KV_INGEST_JOIN, HLC_MAX));
    CHECK(!slice_tenant_ingesting(to, 9));
    CHECK(hlc_less(late, slice_commit_ts(to)));
    TRY(slice_clear(task, to, 9, key_tenant_span(task->arena, 9)));
    TRY(slice_span_empty(to, key_tenant_span(task->arena, 9), &equal));
    CHECK(equal);
    TRY(kv_stop(task));
out:
    return st;
}
NODE_TEST(slice, copies_have_equal_fingerprints_in_the_model, 1)
{
    return test_copy(task, KV_STORE_MODEL);
}
NODE_TEST(slice, copies_of_long_values_have_equal_fingerprints, 1)
{
    mvcc_pieces_set(2, 3);
    return test_copy(task, KV_STORE_WIREDTIGER);
}
NODE_TEST(slice, copies_have_equal_fingerprints_in_wiredtiger, 1)
{
    return test_copy(task, KV_STORE_WIREDTIGER);
}

// --- observers and names -----------------------------------------------------------------------------------

struct watch {
    struct slice_observer observer;
    uint32_t proposed, applied, ends, items;
    struct hlc_timestamp last;
    bool disorder;
};
static void watch_proposed(
    struct slice_observer *observer, struct slice *slice, const struct entry_op *op)
{
    (void)slice;
    struct watch *watch = container_of(observer, struct watch, observer);
    watch->proposed += op->kind == ENTRY_WRITES;
}
static void watch_applied(
    struct slice_observer *observer, struct slice *slice, const struct entry_op *op, uint64_t index)
{
    (void)slice;
    (void)index;
    struct watch *watch = container_of(observer, struct watch, observer);
    if (op->kind != ENTRY_WRITES) return;
    watch->applied++;
    watch->items += op->item_count;
    if (!hlc_less(watch->last, op->ts)) watch->disorder = true;
    watch->last = op->ts;
}
static void watch_end(struct slice_observer *observer, struct slice *slice)
{
    (void)slice;
    container_of(observer, struct watch, observer)->ends++;
}

NODE_TEST(slice, observers_are_told_of_everything_in_order, 1)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_MODEL);
    struct status st;
    struct watch watch = {
        .observer = {.proposed = watch_proposed, .applied = watch_applied, .batch_end = watch_end}};
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    slice_observer_add(slice, &watch.observer);
    for (uint64_t i = 0; i < 20; i++)
        TRY(put(task, slice, 5, i, BYTES_LITERAL("x"), NULL));
    struct bytes key = key_of(task->arena, 5, 100), none = {0};
    TRY(propose_op(task, slice,
        &(struct entry_op){
            .kind = ENTRY_PREPARE, .tenant = 5, .txn = 1, .ts = slice_commit_ts(slice)},
        key, BYTES_LITERAL("y")));
    CHECK(watch.applied == 20 && watch.proposed == 20 && watch.items == 20 && watch.ends >= 20);
    TRY(propose_op(task, slice,
        &(struct entry_op){
            .kind = ENTRY_RESOLVE, .txn = 1, .commit = true, .ts = slice_commit_ts(slice)},
        none, none));
    CHECK(watch.applied == 21 && watch.proposed == 21 && watch.items == 21 && !watch.disorder);
    slice_observer_remove(slice, &watch.observer);

    struct kv_pair *pairs;
    uint32_t count;
    struct bytes value;
    TRY(propose_op(task, slice,
        &(struct entry_op){
            .kind = ENTRY_META, .key = BYTES_LITERAL("range/2"), .value = BYTES_LITERAL("b")},
        none, none));
    TRY(propose_op(task, slice,
        &(struct entry_op){
            .kind = ENTRY_META, .key = BYTES_LITERAL("range/1"), .value = BYTES_LITERAL("a")},
        none, none));
    TRY(propose_op(task, slice,
        &(struct entry_op){
            .kind = ENTRY_META, .key = BYTES_LITERAL("sange"), .value = BYTES_LITERAL("c")},
        none, none));
    TRY(slice_meta_list(slice, BYTES_LITERAL("range/"), task->arena, &pairs, &count));
    CHECK(count == 2 && bytes_equal(pairs[0].key, BYTES_LITERAL("range/1")) &&
          bytes_equal(pairs[1].value, BYTES_LITERAL("b")));
    TRY(propose_op(task, slice,
        &(struct entry_op){.kind = ENTRY_META, .key = BYTES_LITERAL("range/1")}, none, none));
    TRY(slice_meta_get(slice, BYTES_LITERAL("range/1"), task->arena, &value));
    CHECK(value.data == NULL);
    TRY(kv_stop(task));
out:
    return st;
}

// Requests after the stop began, or on a full disk, get an error that says so.
NODE_TEST(slice, a_full_disk_refuses_writes_and_reads_go_on, 1)
{
    char dir[256];
    struct kv_options options = options_of(test_dir(dir), KV_STORE_MODEL);
    struct status st;
    struct slice_value value;
    TRY(kv_start(task, &options));
    struct slice *slice = slice_here(task, 1);
    TRY(put(task, slice, 5, 1, BYTES_LITERAL("x"), NULL));
    kv_shard_of(task->shard)->disk_full = true;
    CHECK_FAILS(put(task, slice, 5, 1, BYTES_LITERAL("y"), NULL), E_DISK_FULL);
    TRY(get(task, slice, 5, 1, now(task), &value));
    CHECK(bytes_equal(value.value, BYTES_LITERAL("x")));
    kv_shard_of(task->shard)->disk_full = false;
    TRY(put(task, slice, 5, 1, BYTES_LITERAL("y"), NULL));
    TRY(kv_stop(task));
out:
    return st;
}

Test(slice, passes_over_older_versions_that_all_stay_come_seldom_but_come)
{
    cr_expect_eq(slice_gc_rest_ns(0, 0), GC_EVERY_NS);
    cr_expect_eq(slice_gc_rest_ns(100, 0), GC_EVERY_NS, "few cost nothing");
    cr_expect_gt(slice_gc_rest_ns(10000, 0), 3 * GC_EVERY_NS);
    cr_expect_eq(slice_gc_rest_ns(10000, 1000), GC_EVERY_NS, "there is more to erase soon");
    cr_expect_leq(slice_gc_rest_ns(UINT64_C(1) << 40, 0), 20 * GC_EVERY_NS);
}
