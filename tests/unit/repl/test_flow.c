// SPDX-License-Identifier: GPL-3.0-or-later
//
// Replication within one node, from one virtual cluster to another over loopback: what needs a source whose data
// lies on several slices. Between two real processes: tests/integration/test_pcr.py.
#include "tests/unit/sql/sql_harness.h"

#include "kv/key.h"
#include "repl/consumer.h"
#include "repl/cutover.h"
#include "repl/repl.h"
#include "sql/wire/pgwire.h"
#include "tenant/tenant.h"

#define SPANS 6u
#define DEADLINE_NS 60000000000ull

struct flow_test {
    struct sql_test sql;
    struct tenant *source;
    char address[64];
};

struct flow_test_call {
    struct status (*body)(struct task *task, struct flow_test *test);
};

static struct bytes data_key(struct arena *arena, uint64_t tenant, uint32_t span, uint64_t row)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, tenant);
    key_append_uvarint(&key, 1000 + span);
    if (row > 0) key_append_uvarint(&key, row);
    return buffer_bytes(&key);
}

static struct status flow_run_test(struct task *task, void *arg)
{
    struct status st, stop;
    struct flow_test test = {0};
    char dir[256];
    struct kv_options options = {
        .dir = test_dir(dir), .store = KV_STORE_MODEL, .log_segment_bytes = 4 << 20};
    struct pgwire_options wire = {.address = "127.0.0.1:0", .insecure = true};
    struct bootstrap_options bootstrap = {0};
    sql_register();
    tenant_register();
    repl_register();
    TRY(kv_start(task, &options));
    TRY(sql_node_start(task));
    TRY(kv_tenant_create(task, TENANT_SYSTEM, 0));
    TRY(bootstrap_tenant(task, TENANT_SYSTEM, &bootstrap));
    TRY(tenant_node_start(task));
    TRY(settings_store(task, TENANT_SYSTEM, "kv.rangefeed.enabled", "true"));
    TRY(settings_announce(task, TENANT_SYSTEM));
    TRY(pgwire_start(task, &wire, test.address));
    TRY(tenant_create(task, task->arena, "source", 0, &test.source));
    TRY(sql_test_open(task, "root", &test.sql));
    st = ((struct flow_test_call *)arg)->body(task, &test);
    if (failed(st)) st = status_copy(task->arena, st);
    sql_test_close(&test.sql);
    task->shard->node->draining = true;
    stop = pgwire_drain(task, 1000000000u);
    if (!failed(st)) st = stop;
    stop = tenant_node_stop(task);
    if (!failed(st)) st = stop;
    stop = sql_node_stop(task);
    if (!failed(st)) st = stop;
    stop = kv_stop(task);
    if (!failed(st)) st = stop;
out:
    return st;
}

// --- steps -------------------------------------------------------------------------------------------

// Makes `span` a range of its own, on the n-th slice.
static struct status place(struct task *task, uint64_t tenant, uint32_t span, uint32_t n)
{
    struct status st;
    struct kv_slice_info *slices;
    struct kv_range *ranges;
    uint32_t slice_count, count;
    struct arena arena;
    arena_init(&arena, NULL);
    struct span whole = {data_key(&arena, tenant, span, 0), data_key(&arena, tenant, span + 1, 0)};
    TRY(kv_slices(task, &arena, &slices, &slice_count));
    TRY(kv_split(task, whole.start));
    TRY(kv_split(task, whole.end));
    TRY(kv_ranges(task, whole, &arena, &ranges, &count));
    CHECK(count == 1);
    uint64_t slice = slices[n % slice_count].id;
    if (ranges[0].slice != slice) TRY(kv_move_empty(task, whole, slice));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// One transaction over all spans: a row in each, and one deleted again now and then.
static struct status write_row(struct task *task, uint64_t tenant, uint32_t spans, uint64_t row)
{
    struct status st;
    struct kv_txn *txn;
    struct arena arena;
    char value[32];
    arena_init(&arena, NULL);
    struct kv_txn_options options = {.tenant = tenant};
    snprintf(value, sizeof value, "value %llu", (unsigned long long)row);
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint32_t i = 0; i < spans && !failed(st); i++) {
        st = kv_put(task, txn, data_key(&arena, tenant, i, row), bytes_of_string(value));
        if (!failed(st) && row > 5 && row % 5 == 0)
            st = kv_delete(task, txn, data_key(&arena, tenant, i, row - 3));
    }
    if (failed(st))
        kv_txn_rollback(task, txn);
    else
        st = kv_txn_commit(task, txn, NULL);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status write_rows(
    struct task *task, uint64_t tenant, uint32_t spans, uint64_t from, uint64_t to)
{
    struct status st = STATUS_OK;
    for (uint64_t row = from; row < to; row++)
        TRY(write_row(task, tenant, spans, row));
out:
    return st;
}

static struct status start(struct task *task, struct flow_test *test, struct tenant **target)
{
    struct status st;
    TRY(sql_run(&test->sql, arena_printf(task->arena,
                                "CREATE VIRTUAL CLUSTER target FROM REPLICATION OF source ON "
                                "'postgresql://root@%s?sslmode=disable'",
                                test->address)));
    st = tenant_read_by_name(task, NULL, task->arena, "target", target);
out:
    return st;
}

// Until the target has all that the source has now; gives the time of that.
static struct status wait_replicated(struct task *task, const struct flow_test *test,
    const struct tenant *target, struct hlc_timestamp *at)
{
    struct status st;
    struct consumer_record *record;
    uint64_t deadline = task_now_ns(task) + DEADLINE_NS;
    *at = hlc_now(&task->shard->hlc);
    (void)test;
    do {
        TRY(task_sleep(task, 2000000));
        TRY(consumer_checkpoint(task, target->replication_job));
        TRY(consumer_read(task, NULL, task->arena, target->replication_job, &record));
        CHECK(record != NULL && task_now_ns(task) < deadline);
    } while (hlc_less(record->replicated, *at));
out:
    return st;
}

static struct status check_equal(
    struct task *task, const struct tenant *a, const struct tenant *b, struct hlc_timestamp at)
{
    struct status st;
    struct kv_fingerprint left, right;
    TRY(kv_fingerprint(task, a->id, key_tenant_span(task->arena, a->id), at, &left));
    TRY(kv_fingerprint(task, b->id, key_tenant_span(task->arena, b->id), at, &right));
    CHECK(left.keys > 0 && left.keys == right.keys && left.bytes == right.bytes &&
          left.hash == right.hash);
out:
    return st;
}

static struct status wait_ready(struct task *task, uint64_t id)
{
    struct status st;
    struct tenant *tenant;
    uint64_t deadline = task_now_ns(task) + DEADLINE_NS;
    do {
        TRY(task_sleep(task, 2000000));
        TRY(tenant_read(task, NULL, task->arena, id, &tenant));
        CHECK(tenant != NULL && task_now_ns(task) < deadline);
    } while (tenant->data_state != TENANT_READY);
out:
    return st;
}

static struct status count_slices(struct task *task, uint64_t tenant, uint32_t *slices)
{
    struct status st;
    struct kv_range *ranges;
    uint32_t count;
    uint64_t seen = 0;
    TRY(kv_ranges(task, key_tenant_span(task->arena, tenant), task->arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++)
        seen |= 1ull << ranges[i].slice;
    *slices = (uint32_t)__builtin_popcountll(seen);
out:
    return st;
}

// --- tests -------------------------------------------------------------------------------------------

// Data on several slices, written by transactions across them, arrives whole; the target is spread, too.
static struct status several_slices(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp at;
    uint32_t slices;
    for (uint32_t i = 0; i < SPANS; i++)
        TRY(place(task, test->source->id, i, i));
    TRY(write_rows(task, test->source->id, SPANS, 1, 100));
    TRY(start(task, test, &target));
    TRY(write_rows(task, test->source->id, SPANS, 100, 150));
    TRY(wait_replicated(task, test, target, &at));
    TRY(check_equal(task, test->source, target, at));
    TRY(count_slices(task, target->id, &slices));
    CHECK(slices > 1);
    TRY(write_rows(task, test->source->id, SPANS, 150, 200));
    TRY(sql_run(&test->sql, "ALTER VIRTUAL CLUSTER target COMPLETE REPLICATION TO LATEST"));
    TRY(wait_ready(task, target->id));
    TRY(tenant_read(task, NULL, task->arena, target->id, &target));
    TRY(check_equal(task, test->source, target, target->activation));
    // All of a transaction or nothing: each row is in every span, at that time.
    struct hlc_timestamp later = hlc_now(&task->shard->hlc);
    struct kv_fingerprint span, first;
    for (uint32_t i = 0; i < SPANS; i++) {
        struct span part = {
            data_key(task->arena, target->id, i, 0), data_key(task->arena, target->id, i + 1, 0)};
        TRY(kv_fingerprint(task, target->id, part, later, &span));
        if (i == 0) first = span;
        CHECK(span.keys == first.keys);
    }
out:
    return st;
}

static struct status history_of(struct flow_test *test, const char *name, struct hlc_timestamp from,
    struct hlc_timestamp to, const char **text)
{
    return sql_rows(&test->sql,
        arena_printf(test->sql.task->arena,
            "SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER %s WITH "
            "START TIMESTAMP "
            "'%llu.%010u'] AS OF SYSTEM TIME '%llu.%010u'",
            name, (unsigned long long)from.wall_ns, from.logical, (unsigned long long)to.wall_ns,
            to.logical),
        text);
}

// Not only the newest versions are the same, but all since the start: also where something was deleted that never
// was there, or came and went in one transaction.
static struct status whole_history(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp from, to;
    const char *left, *right;
    TRY(write_rows(task, test->source->id, 2, 1, 20));
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &from));
    for (uint64_t row = 20; row < 60; row++) {
        struct kv_txn *txn;
        struct kv_txn_options options = {.tenant = test->source->id};
        TRY(write_row(task, test->source->id, 2, 1 + row % 3));
        TRY(kv_txn_begin(task, &options, &txn));
        TRY(kv_put(task, txn, data_key(task->arena, test->source->id, 0, row), BYTES_LITERAL("x")));
        TRY(kv_delete(task, txn, data_key(task->arena, test->source->id, 0, row)));
        TRY(kv_delete(task, txn, data_key(task->arena, test->source->id, 3, row)));
        TRY(kv_delete(task, txn, data_key(task->arena, test->source->id, 1, row % 19)));
        TRY(kv_txn_commit(task, txn, NULL));
    }
    TRY(wait_replicated(task, test, target, &to));
    TRY(history_of(test, "source", from, to, &left));
    TRY(history_of(test, "target", from, to, &right));
    CHECK(strlen(left) > 4 && strcmp(left, right) == 0);
out:
    return st;
}

// Spans that move to other slices while they are replicated: nothing is lost.
static struct status moving_spans(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp at;
    for (uint32_t i = 0; i < 2; i++)
        TRY(place(task, test->source->id, i, i));
    TRY(write_rows(task, test->source->id, 2, 1, 50));
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &at));
    for (uint32_t i = 2; i < SPANS; i++) {
        TRY(place(task, test->source->id, i, i + 1));
        TRY(write_rows(task, test->source->id, i + 1, i * 100, i * 100 + 30));
        TRY(wait_replicated(task, test, target, &at));
        TRY(check_equal(task, test->source, target, at));
    }
out:
    return st;
}

// Erased here when it is erased there.
static struct status cleared_spans(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp at;
    struct kv_fingerprint left;
    TRY(write_rows(task, test->source->id, 3, 1, 50));
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &at));
    struct span gone = {data_key(task->arena, test->source->id, 1, 0),
        data_key(task->arena, test->source->id, 2, 0)};
    TRY(kv_clear(task, test->source->id, gone));
    TRY(write_rows(task, test->source->id, 1, 50, 60));
    TRY(wait_replicated(task, test, target, &at));
    TRY(check_equal(task, test->source, target, at));
    struct span part = {
        data_key(task->arena, target->id, 1, 0), data_key(task->arena, target->id, 2, 0)};
    TRY(kv_fingerprint(task, target->id, part, at, &left));
    CHECK(left.keys == 0);
out:
    return st;
}

// The source is dropped: what has arrived stays, and can be cut over to.
static struct status dropped_source(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp at;
    struct kv_fingerprint before, after;
    TRY(write_rows(task, test->source->id, 3, 1, 50));
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &at));
    TRY(kv_fingerprint(task, target->id, key_tenant_span(task->arena, target->id), at, &before));
    TRY(sql_run(&test->sql, "DROP VIRTUAL CLUSTER source IMMEDIATE"));
    TRY(sql_run(&test->sql,
        arena_printf(task->arena,
            "ALTER VIRTUAL CLUSTER target COMPLETE REPLICATION TO SYSTEM TIME '%llu.%010u'",
            (unsigned long long)at.wall_ns, at.logical)));
    TRY(wait_ready(task, target->id));
    TRY(kv_fingerprint(task, target->id, key_tenant_span(task->arena, target->id), at, &after));
    CHECK(before.keys > 100 && before.hash == after.hash && before.keys == after.keys);
out:
    return st;
}

// a follows b, as far as b is now, and is cut over there.
static struct status follow_and_cut_over(
    struct task *task, struct flow_test *test, uint64_t a, uint64_t b)
{
    struct status st;
    struct tenant *follower, *source;
    struct hlc_timestamp at;
    TRY(tenant_read(task, NULL, task->arena, a, &follower));
    TRY(tenant_read(task, NULL, task->arena, b, &source));
    TRY(sql_run(&test->sql,
        arena_printf(task->arena,
            "ALTER VIRTUAL CLUSTER %s START REPLICATION OF %s ON "
            "'postgresql://root@%s?sslmode=disable'",
            follower->name, source->name, test->address)));
    TRY(write_rows(task, b, 3, 500, 510));
    TRY(tenant_read(task, NULL, task->arena, a, &follower));
    CHECK(follower->data_state == TENANT_ADD && follower->replication_job != 0);
    TRY(wait_replicated(task, test, follower, &at));
    TRY(check_equal(task, source, follower, at));
    TRY(sql_run(&test->sql,
        arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s COMPLETE REPLICATION TO LATEST",
            follower->name)));
    TRY(wait_ready(task, a));
    TRY(tenant_read(task, NULL, task->arena, a, &follower));
    st = check_equal(task, source, follower, follower->activation);
out:
    return st;
}

// The former primary follows the promoted one from where they parted; its own writes since are undone. There and
// back again, also in the same direction twice.
static struct status failback(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp at;
    uint64_t source = test->source->id;
    TRY(place(task, source, 1, 1));
    TRY(write_rows(task, source, 3, 1, 60));
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &at));
    TRY(sql_run(&test->sql, "ALTER VIRTUAL CLUSTER target COMPLETE REPLICATION TO LATEST"));
    TRY(wait_ready(task, target->id));
    // Both go on by themselves.
    TRY(write_rows(task, source, 3, 40, 80));
    TRY(write_rows(task, target->id, 2, 70, 90));
    TRY(follow_and_cut_over(task, test, source, target->id));
    TRY(write_rows(task, target->id, 3, 200, 230));
    TRY(write_rows(task, source, 3, 210, 240));
    TRY(follow_and_cut_over(task, test, target->id, source));
    TRY(write_rows(task, target->id, 3, 1, 5));
    TRY(write_rows(task, source, 3, 300, 310));
    TRY(follow_and_cut_over(task, test, target->id, source));
    // Without a common past there is no way back.
    struct tenant *stranger;
    TRY(tenant_create(task, task->arena, "stranger", 0, &stranger));
    st = sql_run(&test->sql,
        arena_printf(task->arena,
            "ALTER VIRTUAL CLUSTER stranger START REPLICATION OF source ON "
            "'postgresql://root@%s?sslmode=disable'",
            test->address));
    CHECK(status_is(st, E_NOT_IN_PREREQUISITE_STATE) && strstr(st.message, "neither") != NULL);
    st = STATUS_OK;
out:
    return st;
}

// A virtual cluster that was not made in full leaves nothing: its name is free, no job is left.
static struct status half_made(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *half, *found;
    const char *rows;
    TRY(tenant_create_record(task, task->arena, "half", &half));
    CHECK(half->making_job != 0);
    TRY(tenant_unmake(task, half));
    TRY(tenant_read_by_name(task, NULL, task->arena, "half", &found));
    CHECK(found == NULL);
    TRY(sql_run(&test->sql, "CREATE VIRTUAL CLUSTER half"));
    TRY(tenant_read_by_name(task, NULL, task->arena, "half", &found));
    CHECK(found != NULL && found->data_state == TENANT_READY);
    // Nobody undoes what is made.
    found->making_job = half->making_job;
    TRY(tenant_unmake(task, found));
    TRY(tenant_read(task, NULL, task->arena, found->id, &found));
    CHECK(found->data_state == TENANT_READY);
    TRY(sql_rows(&test->sql,
        "SELECT count(*) FROM system.jobs WHERE job_type = 'CREATE TENANT CLEANUP'", &rows));
    CHECK(strstr(rows, "0") != NULL);
out:
    return st;
}

static struct status set(struct task *task, const char *name, const char *value)
{
    struct status st;
    TRY(settings_store(task, TENANT_SYSTEM, name, value));
    st = settings_announce(task, TENANT_SYSTEM);
out:
    return st;
}

// What the standby gathers is bounded by kv_buffer_size, however long it would wait otherwise.
static struct status full_buffers(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct kv_txn *txn;
    struct kv_txn_options options = {.tenant = test->source->id};
    uint8_t *value = arena_alloc(task->arena, 10000);
    memset(value, 'v', 10000);
    TRY(set(task, "physical_replication.consumer.minimum_flush_interval", "10h"));
    TRY(set(task, "physical_replication.consumer.kv_buffer_size", "64KiB"));
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint64_t row = 1; row <= 30; row++)
        TRY(kv_put(task, txn, data_key(task->arena, test->source->id, 0, row), bytes_of(value, 10000)));
    TRY(kv_txn_commit(task, txn, NULL));
    TRY(start(task, test, &target));
    // All that would come before a buffer of 1 MiB is full.
    struct kv_fingerprint here = {0};
    const struct span span = {data_key(task->arena, target->id, 0, 0), data_key(task->arena, target->id, 1, 0)};
    const uint64_t deadline = task_now_ns(task) + DEADLINE_NS;
    while (here.keys == 0) {
        TRY(task_sleep(task, 5000000));
        CHECK(task_now_ns(task) < deadline);
        TRY(kv_fingerprint(task, target->id, span, hlc_now(&task->shard->hlc), &here));
    }
out:
    return st;
}

// A time that somebody has written down is seen although nobody has told the job and its checkpoints are rare.
static struct status polled_time(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *target;
    struct hlc_timestamp at;
    char time[HLC_TEXT_BYTES];
    TRY(write_rows(task, test->source->id, 1, 1, 20));
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &at));
    TRY(set(task, "physical_replication.consumer.job_checkpoint_frequency", "10h"));
    TRY(set(task, "physical_replication.consumer.failover_signal_poll_interval", "20ms"));
    struct datum params[] = {datum_int(target->replication_job), datum_text(hlc_format(at, time))};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "UPDATE system.public.replication_consumers SET cutover_time = $2 WHERE job_id = $1", 2, params,
        (type_oid[]){TYPE_INT8, TYPE_TEXT}));
    TRY(wait_ready(task, target->id));
    TRY(tenant_read(task, NULL, task->arena, target->id, &target));
    CHECK(hlc_equal(target->activation, at));
out:
    return st;
}

// Streams are planned anew when a node is further behind another than node_lag_replanning_threshold says; nodes that
// scan differ by what they have to scan.
static struct status lagging_node(struct task *task, struct flow_test *test)
{
    struct status st;
    struct span spans[2] = {{BYTES_LITERAL("a"), BYTES_LITERAL("m")}, {BYTES_LITERAL("m"), BYTES_LITERAL("z")}};
    struct partition partitions[2] = {
        {.target.node = 1, .spans = &spans[0], .span_count = 1}, {.target.node = 2, .spans = &spans[1], .span_count = 1}};
    struct consumer *consumer = ARENA_NEW(task->arena, struct consumer);
    (void)test;
    consumer->partitions = partitions;
    consumer->partition_count = 2;
    frontier_init(&consumer->progress.frontier, (struct span){spans[0].start, spans[1].end});
    TRY(set(task, "physical_replication.consumer.node_lag_replanning_threshold", "3s"));
    frontier_forward(&consumer->progress.frontier, spans[0], (struct hlc_timestamp){.wall_ns = 10000000000});
    TRY(flow_plan_compare(task, consumer));
    frontier_forward(&consumer->progress.frontier, spans[1], (struct hlc_timestamp){.wall_ns = 7000000000});
    TRY(flow_plan_compare(task, consumer));
    frontier_forward(&consumer->progress.frontier, spans[0], (struct hlc_timestamp){.wall_ns = 10000000001});
    CHECK_FAILS(flow_plan_compare(task, consumer), E_REPLAN);
    partitions[1].target.node = 1;
    TRY(flow_plan_compare(task, consumer));
    partitions[1].target.node = 2;
    TRY(set(task, "physical_replication.consumer.node_lag_replanning_threshold", "4s"));
    TRY(flow_plan_compare(task, consumer));
    TRY(set(task, "physical_replication.consumer.node_lag_replanning_threshold", "0"));
    TRY(flow_plan_compare(task, consumer));
out:
    frontier_fini(&consumer->progress.frontier);
    return st;
}

// All data is again what it was; then it serves and goes on. Who followed it is stopped first, and does not come back.
static struct status reset_data(struct task *task, struct flow_test *test)
{
    struct status st;
    struct tenant *tenant, *target;
    struct hlc_timestamp at, later;
    struct kv_fingerprint before, after;
    char time[HLC_TEXT_BYTES];
    const uint64_t source = test->source->id;
    const struct span all = key_tenant_span(task->arena, source);
    for (uint32_t i = 0; i < 3; i++) TRY(place(task, source, i, i));
    TRY(write_rows(task, source, 3, 1, 40));
    TRY(kv_now(task, source, &at));
    TRY(kv_fingerprint(task, source, all, at, &before));
    TRY(write_rows(task, source, 3, 20, 60));
    const char *sql = arena_printf(
        task->arena, "ALTER VIRTUAL CLUSTER source RESET DATA TO SYSTEM TIME '%s'", hlc_format(at, time));
    // One that follows would not hear of it.
    TRY(start(task, test, &target));
    TRY(wait_replicated(task, test, target, &later));
    CHECK_FAILS(sql_run(&test->sql, sql), E_NOT_IN_PREREQUISITE_STATE);
    TRY(sql_run(&test->sql, "ALTER VIRTUAL CLUSTER target COMPLETE REPLICATION TO LATEST"));
    TRY(wait_ready(task, target->id));
    const char *rows;
    do {
        TRY(sql_run(&test->sql,
            "CANCEL JOBS (SELECT job_id FROM [SHOW JOBS] WHERE job_type = 'REPLICATION STREAM PRODUCER' AND status = 'running')"));
        TRY(task_sleep(task, 5000000));
        TRY(sql_rows(&test->sql,
            "SELECT count(*) FROM [SHOW JOBS] WHERE job_type LIKE 'REPLICATION%' AND finished IS NULL", &rows));
    } while (strcmp(rows, "0") != 0);
    TRY(sql_run(&test->sql, "CREATE VIRTUAL CLUSTER late"));
    CHECK_FAILS(sql_run(&test->sql,
                    arena_printf(task->arena, "ALTER VIRTUAL CLUSTER late RESET DATA TO SYSTEM TIME '%s'",
                        hlc_format(at, time))),
        E_INVALID_PARAMETER_VALUE);
    TRY(sql_run(&test->sql, sql));
    TRY(tenant_read(task, NULL, task->arena, source, &tenant));
    CHECK(tenant->data_state == TENANT_READY && tenant->replication_job == 0);
    TRY(kv_now(task, source, &later));
    TRY(kv_fingerprint(task, source, all, later, &after));
    CHECK(before.keys > 100 && before.keys == after.keys && before.hash == after.hash);
    TRY(write_rows(task, source, 3, 100, 110));
    // The target has what is no more: they are not of one history from here on.
    st = sql_run(&test->sql,
        arena_printf(task->arena,
            "ALTER VIRTUAL CLUSTER target START REPLICATION OF source ON 'postgresql://root@%s?sslmode=disable'",
            test->address));
    CHECK(status_is(st, E_NOT_IN_PREREQUISITE_STATE) && strstr(st.message, "was reset") != NULL);
    st = sql_run(&test->sql, "ALTER VIRTUAL CLUSTER source START SERVICE SHARED");
out:
    return st;
}

// What is left of a cutover gets less with each slice that is done, also when one is done twice.
Test(cutover, what_is_left_gets_less)
{
    uint64_t slices[] = {4, 2, 2, 7, 4, 2};
    struct cutover_work work = {.slices = slices, .count = 6};
    cr_assert_eq(cutover_work_done(&work, 2), 3);
    cr_assert_eq(cutover_work_done(&work, 2), 3);
    cr_assert_eq(cutover_work_done(&work, 1), 3);
    cr_assert_eq(cutover_work_done(&work, 4), 1);
    cr_assert_eq(cutover_work_done(&work, 7), 0);
}

#define FLOW_TEST(name, shards, body_)                                                             \
    Test(flow, name)                                                                               \
    {                                                                                              \
        struct flow_test_call call = {body_};                                                      \
        struct status st = node_test(shards, flow_run_test, &call);                                \
        char sqlstate[6];                                                                          \
        status_sqlstate(st, sqlstate);                                                             \
        test_dirs_remove();                                                                        \
        cr_assert(!failed(st), "%s: %s", sqlstate, failed(st) ? st.message : "");                  \
    }

FLOW_TEST(data_on_several_slices_arrives_whole, 2, several_slices)
FLOW_TEST(spans_may_move_meanwhile, 2, moving_spans)
FLOW_TEST(all_versions_are_the_same, 1, whole_history)
FLOW_TEST(erased_spans_are_erased, 1, cleared_spans)
FLOW_TEST(what_is_half_made_leaves_nothing, 1, half_made)
FLOW_TEST(the_former_primary_follows, 2, failback)
FLOW_TEST(a_dropped_source_takes_nothing_along, 2, dropped_source)
FLOW_TEST(what_is_gathered_is_bounded, 1, full_buffers)
FLOW_TEST(a_cutover_time_is_looked_for, 1, polled_time)
FLOW_TEST(a_node_that_is_behind_gets_other_streams, 1, lagging_node)
FLOW_TEST(data_is_reset_to_a_time, 2, reset_data)
