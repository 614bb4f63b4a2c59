// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges that hold data go from slice to slice: with all versions, under transactions that see no error and lose nothing,
// with the locks that are held; and feeds, fingerprints and virtual clusters that ingest go along.
#include "tests/unit/kv/kv_harness.h"

#include "kv/kv_node.h"
#include "kv/move.h"
#include "kv/move_side.h"
#include "kv/range_admin.h"
#include "kv/rangefeed.h"
#include "kv/txn.h"

#define ACCOUNTS 24u
#define BALANCE 100
#define LARGE_BYTES (16u << 10)

static uint32_t slices_of(struct task *task)
{
    return kv_node_of(task->shard->node)->slice_count;
}

static struct status slice_of(struct task *task, const char *text, uint64_t *slice)
{
    struct kv_range *ranges;
    uint32_t count;
    struct span span = {key(task, text), key_next(task->arena, key(task, text))};
    struct status st = kv_ranges(task, span, task->arena, &ranges, &count);
    *slice = !failed(st) && count == 1 ? ranges[0].slice : 0;
    return st;
}

KV_TEST(move, takes_all_versions_along)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    struct kv_fingerprint before, after;
    uint64_t slice;
    TRY(put_now(task, "a", "first"));
    TRY(put_now(task, "gone", "here"));
    TRY(put_now(task, "z", "stays"));
    struct hlc_timestamp then = hlc_now(&task->shard->hlc);
    TRY(task_sleep(task, MS));
    TRY(put_now(task, "a", "second"));
    TRY(put_now(task, "gone", NULL));
    for (uint32_t i = 0; i < 300; i++)
        TRY(put_now(task, arena_printf(task->arena, "b%05u", i), "row"));
    struct hlc_timestamp now = hlc_now(&task->shard->hlc);
    const struct span all = key_tenant_span(task->arena, TENANT);
    TRY(kv_fingerprint(task, TENANT, all, now, &before));
    for (uint64_t to = 1; to <= slices_of(task); to++) {
        TRY(kv_move(task, key_span(task, "a", "m"), to));
        TRY(slice_of(task, "b", &slice));
        CHECK(slice == to);
        TRY(slice_of(task, "z", &slice));
        CHECK(slice == 2);
        TRY(read_now(task, "a", &value));
        CHECK(is_text(value, "second"));
        TRY(read_now(task, "gone", &value));
        CHECK(is_text(value, NULL));
        TRY(begin_at(task, then, &txn));
        TRY(get(task, txn, "a", &value));
        CHECK(is_text(value, "first"));
        TRY(get(task, txn, "gone", &value));
        CHECK(is_text(value, "here"));
        kv_txn_rollback(task, txn);
        TRY(kv_fingerprint(task, TENANT, all, now, &after));
        CHECK(after.hash == before.hash && after.keys == before.keys);
        TRY(put_now(task, "new", arena_printf(task->arena, "%u", (uint32_t)to)));
        TRY(put_now(task, "new", NULL));
        TRY(kv_fingerprint(task, TENANT, all, now, &after));
        CHECK(after.hash == before.hash && after.keys == before.keys);
    }
out:
    return st;
}

// --- under load ----------------------------------------------------------------------------------

struct bank {
    bool stop;
    uint32_t transfers, audits;
};

static char *account(struct task *task, uint32_t number)
{
    return arena_printf(task->arena, "%c%02u", number % 2 == 0 ? 'c' : 'x', number);
}

static struct status amount_get(
    struct task *task, struct kv_txn *txn, uint32_t number, bool locked, int64_t *amount)
{
    struct bytes value;
    struct status st = locked ? get_locked(task, txn, account(task, number), &value)
                              : get(task, txn, account(task, number), &value);
    *amount = failed(st) || value.data == NULL
                  ? 0
                  : strtoll(arena_string(task->arena, value), NULL, 10);
    return st;
}

static struct status amount_put(struct task *task, struct kv_txn *txn, uint32_t number, int64_t amount)
{
    return put(task, txn, account(task, number), arena_printf(task->arena, "%lld", (long long)amount));
}

// The lower account is locked first: no deadlocks, and so no reason for any error.
static struct status transfer(struct task *task, uint32_t from, uint32_t to)
{
    struct status st;
    struct kv_txn *txn;
    int64_t amounts[2];
    const uint32_t low = from < to ? from : to, high = from < to ? to : from;
    TRY(begin(task, &txn));
    st = amount_get(task, txn, low, true, &amounts[0]);
    if (!failed(st)) st = amount_get(task, txn, high, true, &amounts[1]);
    if (!failed(st)) st = amount_put(task, txn, low, amounts[0] - 1);
    if (!failed(st)) st = amount_put(task, txn, high, amounts[1] + 1);
    if (failed(st)) {
        kv_txn_rollback(task, txn);
        goto out;
    }
    st = commit(task, txn);
out:
    return st;
}

static struct status audit(struct task *task)
{
    struct status st;
    struct kv_txn *txn;
    int64_t sum = 0, amount;
    TRY(begin(task, &txn));
    for (uint32_t i = 0; i < ACCOUNTS && !failed(st); i++) {
        st = amount_get(task, txn, i, false, &amount);
        sum += amount;
    }
    kv_txn_rollback(task, txn);
    TRY(st);
    CHECK(sum == (int64_t)ACCOUNTS * BALANCE);
out:
    return st;
}

static struct status teller(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct bank *bank = worker->context;
    struct arena_mark mark = arena_mark(task->arena);
    for (uint32_t i = 0; !__atomic_load_n(&bank->stop, __ATOMIC_ACQUIRE); i++) {
        uint32_t from = (worker->number * 7 + i * 5) % ACCOUNTS;
        uint32_t to = (from + 1 + i % (ACCOUNTS - 1)) % ACCOUNTS;
        if (worker->number % 4 == 3) {
            TRY(audit(task));
            __atomic_fetch_add(&bank->audits, 1, __ATOMIC_RELAXED);
        } else {
            TRY(transfer(task, from, to));
            __atomic_fetch_add(&bank->transfers, 1, __ATOMIC_RELAXED);
        }
        arena_release(task->arena, mark);
        TRY(task_yield(task));
    }
out:
    __atomic_store_n(&bank->stop, true, __ATOMIC_RELEASE);
    return st;
}

KV_TEST(move, under_transactions_that_see_no_error)
{
    struct status st = STATUS_OK;
    struct bank bank = {0};
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        TRY(put_now(task, account(task, i), arena_printf(task->arena, "%d", BALANCE)));
    TRY(kv_move(task, (struct span){key(task, "m"), key_tenant_span(task->arena, TENANT).end}, 1));
    for (uint32_t i = 0; i < 8; i++) TRY(worker_start(task, workers, i, teller, &bank));
    for (uint32_t i = 0; i < 10 && !__atomic_load_n(&bank.stop, __ATOMIC_ACQUIRE); i++) {
        struct span low = key_span(task, "c", "d"), high = key_span(task, "x", "y");
        TRY(kv_move(task, i % 2 == 0 ? low : high, 1 + i / 2 % slices_of(task)));
        TRY(task_sleep(task, MS));
    }
    __atomic_store_n(&bank.stop, true, __ATOMIC_RELEASE);
    TRY(workers_wait(task, workers, 8));
    TRY(audit(task));
    CHECK(bank.transfers > 0 && bank.audits > 0);
out:
    return st;
}

// --- locks ---------------------------------------------------------------------------------------

KV_TEST(move, locks_that_are_held_go_along)
{
    struct status st = STATUS_OK;
    struct kv_txn *holder, *other;
    struct bytes value;
    const struct kv_read read = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
    TRY(put_now(task, "c", "1"));
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "c", &value));
    TRY(kv_move(task, key_span(task, "c", "d"), 1));
    TRY(begin(task, &other));
    CHECK_FAILS(kv_get(task, other, &read, key(task, "c"), task->arena, &value),
        E_LOCK_NOT_AVAILABLE);
    kv_txn_rollback(task, other);
    TRY(put(task, holder, "c", "2"));
    TRY(commit(task, holder));
    TRY(begin(task, &other));
    TRY(kv_get(task, other, &read, key(task, "c"), task->arena, &value));
    CHECK(is_text(value, "2"));
    kv_txn_rollback(task, other);
    // Who only locked, and knows of no lock over there, lets go as well.
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "c", &value));
    TRY(kv_move(task, key_span(task, "c", "d"), 2));
    kv_txn_rollback(task, holder);
    TRY(begin(task, &other));
    TRY(get_locked(task, other, "c", &value));
    kv_txn_rollback(task, other);
out:
    return st;
}

KV_TEST(move, what_was_read_before_is_validated_after)
{
    struct status st = STATUS_OK;
    struct kv_txn *reader;
    struct bytes value;
    TRY(put_now(task, "c", "1"));
    TRY(begin(task, &reader));
    TRY(get(task, reader, "c", &value));
    TRY(put_now(task, "c", "2"));
    TRY(kv_move(task, key_span(task, "c", "d"), 1));
    TRY(put(task, reader, "ca", "after what was read"));
    CHECK_FAILS(commit(task, reader), E_SERIALIZATION_FAILURE);
out:
    return st;
}

// --- commits -------------------------------------------------------------------------------------

struct rival {
    bool asks, has;
};

// Adds one to "c" as soon as it can have it.
static struct status rival_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct rival *rival = ((struct worker *)arg)->context;
    struct kv_txn *txn;
    struct bytes value;
    TRY(begin(task, &txn));
    rival->asks = true;
    st = get_locked(task, txn, "c", &value);
    rival->has = true;
    if (!failed(st))
        st = put(task, txn, "c", arena_printf(task->arena, "%llu", atoll(arena_string(task->arena, value)) + 1));
    if (failed(st)) {
        kv_txn_rollback(task, txn);
        goto out;
    }
    st = commit(task, txn);
out:
    return st;
}

static struct status waiters_here(struct task *task, void *arg)
{
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), 2);
    *(bool *)arg = slice->locks->waiters != NULL;
    return STATUS_OK;
}

static struct status rival_waits(struct task *task)
{
    struct status st = STATUS_OK;
    for (bool waits = false; !waits;) {
        TRY(task_yield(task));
        TRY(shard_call(task, kv_slice_shard(2, task->shard->node->shard_count), waiters_here, &waits));
    }
out:
    return st;
}

static struct status x_moves(struct task *task, void *arg)
{
    return kv_move(task, key_span(task, "x", "y"), *(const uint64_t *)arg);
}

// A commit over several slices finds that one of its rows has gone elsewhere when the rest is prepared. It begins anew,
// and keeps its place before those that wait for its rows: what it read under lock is true as long as it runs.
KV_TEST(move, a_commit_that_begins_anew_keeps_its_locks)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    struct rival rival = {0};
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    const uint32_t shards = task->shard->node->shard_count;
    if (shards == 1) return STATUS_OK; // Its routes know of every move.
    for (uint32_t round = 0; round < 2; round++) {
        rival = (struct rival){0};
        TRY(put_now(task, "c", "1"));
        TRY(put_now(task, "n", "1"));
        TRY(put_now(task, "x", "1"));
        TRY(kv_move(task, key_span(task, "x", "y"), 1));
        TRY(begin(task, &txn));
        TRY(get_locked(task, txn, "c", &value));
        TRY(get_locked(task, txn, "x", &value));
        // The second time it has read what it does not write: its phases come one after the other.
        if (round == 1) TRY(get(task, txn, "n", &value));
        TRY(put(task, txn, "c", "10"));
        TRY(put(task, txn, "x", "10"));
        TRY(worker_start(task, workers, shards - 1, rival_run, &rival));
        TRY(rival_waits(task));
        // This shard's routes go on to say slice 1.
        uint64_t to = 3;
        TRY(shard_call(task, shards - 1, x_moves, &to));
        CHECK(!rival.has);
        TRY(commit(task, txn));
        TRY(workers_wait(task, workers, shards));
        TRY(read_now(task, "c", &value));
        CHECK(is_text(value, "11"));
        TRY(read_now(task, "x", &value));
        CHECK(is_text(value, "10"));
    }
out:
    return st;
}

// A leader that does not know yet which ranges there are waits for that: it once went round without a pause, and nobody
// on its shard could tell it.
KV_TEST(move, a_wish_that_comes_early_waits)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct range *ranges;
    uint32_t count;
    struct bytes value;
    const struct span span = key_span(task, "c", "d");
    TRY(put_now(task, "c1", "1"));
    TRY(range_list(task, span, task->arena, &ranges, &count));
    const uint64_t to = ranges[0].slice == 2 ? 1 : 2;
    CHECK(kv->module_state[KV_SLOT_MOVES] != NULL);
    kv->ranges_told = false;
    TRY(move_want(task, ranges, count, to));
    TRY(task_sleep(task, 20 * MS));
    kv->ranges_told = true;
    TRY(kv_move(task, span, to));
    TRY(read_now(task, "c1", &value));
    CHECK(is_text(value, "1"));
out:
    return st;
}

// --- feeds ---------------------------------------------------------------------------------------

KV_TEST(move, feeds_end_and_go_on_elsewhere)
{
    struct status st = STATUS_OK;
    struct rangefeed *feed = NULL;
    const struct rangefeed_event *events;
    uint32_t count, seen = 0;
    struct rangefeed_options options = {.tenant = TENANT,
        .slice = 2,
        .span = key_span(task, "c", "d"),
        .resolved_every_ns = MS};
    TRY(rangefeed_open(task, &options, &feed));
    TRY(put_now(task, "c1", "1"));
    TRY(kv_move(task, key_span(task, "c", "d"), 1));
    TRY(put_now(task, "c2", "2"));
    do {
        st = rangefeed_next(task, feed, &events, &count);
        for (uint32_t i = 0; !failed(st) && i < count; i++) {
            CHECK(events[i].kind != RANGEFEED_CLEARED);
            if (events[i].kind == RANGEFEED_RESOLVED) options.after = events[i].version.ts;
        }
    } while (!failed(st));
    CHECK(status_is(st, K_WRONG_RANGE));
    rangefeed_close(task, feed);
    feed = NULL;
    options.slice = 1;
    options.after = HLC_ZERO;
    TRY(rangefeed_open(task, &options, &feed));
    while (seen != 3) {
        TRY(rangefeed_next(task, feed, &events, &count));
        for (uint32_t i = 0; i < count; i++) {
            if (events[i].kind != RANGEFEED_VALUE) continue;
            if (bytes_equal(events[i].version.key, key(task, "c1"))) seen |= 1;
            if (bytes_equal(events[i].version.key, key(task, "c2"))) seen |= 2;
        }
    }
out:
    rangefeed_close(task, feed);
    return st;
}

// Opened where the range is not (any more, or yet): marks would be of what is there without it.
KV_TEST(move, a_feed_that_must_find_its_span_is_not_opened_elsewhere)
{
    struct status st = STATUS_OK;
    struct rangefeed *feed = NULL;
    const struct span all = key_span(task, "c", "d");
    const struct span parts[] = {key_span(task, "c", "c5"), key_span(task, "c5", "d")};
    const struct span other = key_span(task, "c", "c5");
    struct rangefeed_options options = {.tenant = TENANT, .slice = 1, .span = all, .expected = &all, .expected_count = 1};
    TRY(rangefeed_open(task, &(struct rangefeed_options){.tenant = TENANT, .slice = 1, .span = all}, &feed));
    rangefeed_close(task, feed);
    feed = NULL;
    CHECK_FAILS(rangefeed_open(task, &options, &feed), K_WRONG_RANGE);
    options.slice = 2;
    TRY(rangefeed_open(task, &options, &feed));
    rangefeed_close(task, feed);
    feed = NULL;
    // A split is no difference, and what the slice has beside the span neither.
    options.expected = parts;
    options.expected_count = 2;
    TRY(rangefeed_open(task, &options, &feed));
    rangefeed_close(task, feed);
    feed = NULL;
    options.expected = &other;
    options.expected_count = 1;
    CHECK_FAILS(rangefeed_open(task, &options, &feed), K_WRONG_RANGE);
out:
    rangefeed_close(task, feed);
    return st;
}

// --- ingesting -----------------------------------------------------------------------------------

KV_TEST(move, a_virtual_cluster_that_ingests_can_be_reverted_afterwards)
{
    struct status st = STATUS_OK;
    const uint64_t tenant = 5;
    uint64_t removed;
    struct kv_fingerprint before, after;
    TRY(kv_tenant_create(task, tenant, 2));
    TRY(kv_ingest_begin(task, tenant));
    struct hlc_timestamp base = hlc_now(&task->shard->hlc);
    for (uint32_t i = 0; i < 40; i++) {
        const struct kv_version version = {.key = key_in(task, tenant, arena_printf(task->arena, "k%02u", i)),
            .value = BYTES_LITERAL("v"),
            .ts = {base.wall_ns - 1000 + i, 0}};
        TRY(kv_ingest(task, tenant, &version, 1));
        if (i == 20)
            TRY(kv_fingerprint(task, tenant, key_tenant_span(task->arena, tenant), version.ts, &before));
        if (i == 30) TRY(kv_move(task, key_tenant_span(task->arena, tenant), 1));
    }
    TRY(kv_revert(task, tenant, (struct hlc_timestamp){base.wall_ns - 1000 + 20, 0}, &removed));
    CHECK(removed >= 19);
    TRY(kv_fingerprint(task, tenant, key_tenant_span(task->arena, tenant), base, &after));
    CHECK(after.hash == before.hash && after.keys == 21);
    TRY(kv_ingest_end(task, tenant, HLC_MAX));
out:
    return st;
}

// --- large transactions --------------------------------------------------------------------------

KV_TEST(move, waits_for_what_is_staged)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    uint64_t slice;
    char *large = arena_alloc(task->arena, LARGE_BYTES + 1);
    memset(large, 'x', LARGE_BYTES);
    large[LARGE_BYTES] = 0;
    TRY(begin(task, &txn));
    txn->buffer_bytes_max = 4 * LARGE_BYTES;
    for (uint32_t i = 0; i < 80; i++) TRY(put(task, txn, arena_printf(task->arena, "c%02u", i), large));
    uint64_t deadline_ns = task->deadline_ns;
    task->deadline_ns = task_now_ns(task) + 200 * MS;
    st = kv_move(task, key_span(task, "c", "d"), 1);
    task->deadline_ns = deadline_ns;
    CHECK(failed(st));
    TRY(slice_of(task, "c", &slice));
    CHECK(slice == 2);
    TRY(commit(task, txn));
    TRY(kv_move(task, key_span(task, "c", "d"), 1));
    TRY(slice_of(task, "c", &slice));
    CHECK(slice == 1);
    TRY(read_now(task, "c79", &value));
    CHECK(value.size == LARGE_BYTES);
out:
    return st;
}

KV_TEST(move, what_is_begun_ends_after_a_restart)
{
    struct status st = STATUS_OK;
    struct kv_test *test = arg;
    struct bytes value;
    uint64_t slice;
    for (uint32_t i = 0; i < 50; i++)
        TRY(put_now(task, arena_printf(task->arena, "c%02u", i), "row"));
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t deadline_ns = task->deadline_ns;
        // Whoever asks for it does not stay to see it done.
        task->deadline_ns = task_now_ns(task) + (i + 1) * MS;
        st = kv_move(task, key_span(task, "c", "d"), 1 + i % 2);
        task->deadline_ns = deadline_ns;
        TRY(kv_stop(task));
        TRY(kv_start(task, &test->options));
        for (uint32_t k = 0; k < 50; k += 7) {
            TRY(read_now(task, arena_printf(task->arena, "c%02u", k), &value));
            CHECK(is_text(value, "row"));
        }
        TRY(put_now(task, "c00", "row"));
    }
    TRY(kv_move(task, key_span(task, "c", "d"), 2));
    TRY(slice_of(task, "c", &slice));
    CHECK(slice == 2);
out:
    return st;
}

#define HELD_TXN 77u

// Of a transaction of which only this part is shown: it holds back the time that the slice can close.
static struct status hold_here(struct task *task, void *arg)
{
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), slices_of(task));
    const bool *ends = arg;
    struct entry_builder builder;
    entry_begin(&builder, task->arena);
    if (*ends) {
        entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_RESOLVE, .txn = HELD_TXN});
    } else {
        entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_PREPARE,
                                      .tenant = TENANT,
                                      .txn = HELD_TXN,
                                      .record_slice = 2,
                                      .ts = slice_commit_ts(slice)});
        entry_item_append(
            &builder, &(struct entry_item){.key = key(task, "p"), .value = BYTES_LITERAL("1")});
    }
    return slice_propose(task, slice, entry_end(&builder));
}

static struct status let_go_later(struct task *task, void *arg)
{
    (void)arg;
    bool ends = true;
    struct status st =
        task_sleep(task, 50 * MS); // Time to begin without what it waits for, if it did.
    if (failed(st)) return st;
    return shard_call(
        task, kv_slice_shard(slices_of(task), task->shard->node->shard_count), hold_here, &ends);
}

// A range comes to a slice (the last one: nothing else is written there) that cannot close the time of its newest versions yet. They are in the store already, so a feed
// would neither find them below closed time nor hear of them later: it begins when closed time has passed them.
KV_TEST(move, a_feed_misses_nothing_that_came_above_closed_time)
{
    struct status st = STATUS_OK;
    struct rangefeed *feed = NULL;
    const struct rangefeed_event *events;
    uint32_t count;
    bool ends = false, told = false, resolved = false;
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    const struct rangefeed_options options = {.tenant = TENANT,
        .slice = slices_of(task),
        .span = key_span(task, "c", "d"),
        .resolved_every_ns = MS};
    if (slices_of(task) < 3) return STATUS_OK;
    TRY(shard_call(
        task, kv_slice_shard(slices_of(task), task->shard->node->shard_count), hold_here, &ends));
    TRY(put_now(task, "c1", "1"));
    const struct hlc_timestamp then = hlc_now(&task->shard->hlc);
    TRY(kv_move(task, options.span, slices_of(task)));
    TRY(rangefeed_open(task, &options, &feed));
    TRY(worker_start(task, workers, 0, let_go_later, NULL));
    while (!resolved) {
        TRY(rangefeed_next(task, feed, &events, &count));
        for (uint32_t i = 0; i < count; i++) {
            if (events[i].kind == RANGEFEED_VALUE)
                told = told || bytes_equal(events[i].version.key, key(task, "c1"));
            else
                resolved = resolved || hlc_less_equal(then, events[i].version.ts);
        }
    }
    CHECK(told);
    TRY(workers_wait(task, workers, 1));
out:
    rangefeed_close(task, feed);
    return st;
}
