// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions that meet at the same rows: queues instead of aborts, deadlocks, NOWAIT and SKIP
// LOCKED, races of inserts, cancellation. Workers run on all shards at once.
#include "tests/unit/kv/kv_harness.h"

#include "kv/kv_node.h"
#include "kv/lock.h"
#include "kv/txn.h"

#define WORKERS 16u

static uint64_t number_of(struct bytes value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) number = number * 10 + (uint64_t)(value.data[i] - '0');
    return number;
}

static struct status put_number(
    struct task *task, struct kv_txn *txn, const char *text, uint64_t number)
{
    return put(task, txn, text, arena_printf(task->arena, "%llu", (unsigned long long)number));
}

// Reads a row for update and adds one to it. Never 40001: whoever waited sees the newest.
static struct status add_one(struct task *task, const char *text)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(begin(task, &txn));
    st = get_locked(task, txn, text, &value);
    if (!failed(st)) st = put_number(task, txn, text, number_of(value) + 1);
    if (failed(st)) {
        kv_txn_rollback(task, txn);
        goto out;
    }
    st = commit(task, txn);
out:
    return st;
}

static struct status add_many(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    (void)arg;
    for (int i = 0; i < 10; i++) TRY(add_one(task, "hot"));
out:
    return st;
}

KV_TEST(txn_locks, hot_row_queues_and_nobody_is_aborted)
{
    struct status st = STATUS_OK;
    struct bytes value;
    TRY(put_now(task, "hot", "0"));
    TRY(run_workers(task, WORKERS, add_many, NULL));
    TRY(read_now(task, "hot", &value));
    CHECK(number_of(value) == WORKERS * 10);
out:
    return st;
}

// What was read before the lock is still true after it, or the answer is 40001.
KV_TEST(txn_locks, move_the_snapshot_only_when_nothing_read_has_changed)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "1"));
    TRY(begin(task, &txn));
    TRY(get(task, txn, "a", &value));
    struct hlc_timestamp before = kv_txn_read_ts(txn);
    TRY(put_now(task, "b", "2"));
    TRY(get_locked(task, txn, "b", &value));
    CHECK(is_text(value, "2"));
    CHECK(hlc_less(before, kv_txn_read_ts(txn)));
    TRY(put(task, txn, "b", "3"));
    TRY(commit(task, txn));

    TRY(begin(task, &txn));
    TRY(get(task, txn, "a", &value));
    TRY(put_now(task, "a", "changed"));
    TRY(put_now(task, "b", "4"));
    CHECK_FAILS(get_locked(task, txn, "b", &value), E_SERIALIZATION_FAILURE);
    CHECK_FAILS(put(task, txn, "b", "5"), E_SERIALIZATION_FAILURE);
    TRY(kv_txn_restart(task, txn));
    TRY(get_locked(task, txn, "b", &value));
    CHECK(is_text(value, "4"));
    TRY(put(task, txn, "b", "5"));
    TRY(commit(task, txn));
out:
    return st;
}

KV_TEST(txn_locks, scans_lock_rows_as_they_are_now)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_scan scan;
    char *text;
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "1"));
    TRY(begin(task, &txn));
    TRY(put_now(task, "b", "2"));
    TRY(put_now(task, "c", "2"));
    kv_scan_init(&scan, key_span(task, "a", "e"));
    scan.read.lock = KV_LOCK_UPDATE;
    TRY(scan_text(task, txn, &scan, &text));
    CHECK(strcmp(text, "a=1 b=2 c=2 ") == 0);
    TRY(put(task, txn, "a", "3"));
    TRY(commit(task, txn));
out:
    return st;
}

KV_TEST(txn_locks, nowait_fails_and_skip_passes_over)
{
    struct status st = STATUS_OK;
    struct kv_txn *holder;
    struct kv_txn *other;
    struct bytes value;
    struct kv_scan scan;
    char *text;
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "c", "1"));
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "b", &value));
    TRY(begin(task, &other));
    const struct kv_read nowait = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
    CHECK_FAILS(kv_get(task, other, &nowait, key(task, "b"), task->arena, &value),
        E_LOCK_NOT_AVAILABLE);
    kv_scan_init(&scan, key_span(task, "a", "e"));
    scan.read = (struct kv_read){.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_SKIP};
    TRY(scan_text(task, other, &scan, &text));
    CHECK(strcmp(text, "a=1 c=1 ") == 0);
    const struct bytes keys[] = {key(task, "c"), key(task, "b")};
    struct bytes values[2];
    bool skipped[2];
    TRY(kv_get_many(task, other, &scan.read, keys, 2, task->arena, values, skipped));
    CHECK(!skipped[0] && skipped[1] && is_text(values[0], "1"));
    // What was passed over may change without a conflict.
    TRY(put(task, holder, "b", "2"));
    TRY(commit(task, holder));
    TRY(put(task, other, "a", "2"));
    TRY(commit(task, other));
out:
    return st;
}

KV_TEST(txn_locks, shared_locks_share)
{
    struct status st = STATUS_OK;
    struct kv_txn *one;
    struct kv_txn *two;
    struct bytes value;
    const struct kv_read shared = {.lock = KV_LOCK_SHARE, .wait = KV_WAIT_FAIL};
    const struct kv_read exclusive = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
    TRY(put_now(task, "a", "1"));
    TRY(begin(task, &one));
    TRY(begin(task, &two));
    TRY(kv_get(task, one, &shared, key(task, "a"), task->arena, &value));
    TRY(kv_get(task, two, &shared, key(task, "a"), task->arena, &value));
    CHECK_FAILS(kv_get(task, one, &exclusive, key(task, "a"), task->arena, &value),
        E_LOCK_NOT_AVAILABLE);
    kv_txn_rollback(task, two);
    // On another shard the release is a message: it comes before the next request does.
    TRY(kv_get(task, one, &exclusive, key(task, "a"), task->arena, &value));
    kv_txn_rollback(task, one);
out:
    return st;
}

KV_TEST(txn_locks, time_out)
{
    struct status st = STATUS_OK;
    struct kv_txn *holder;
    struct kv_txn *other;
    struct bytes value;
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "a", &value));
    const struct kv_txn_options options = {.tenant = TENANT, .lock_timeout_ns = 5 * MS};
    TRY(kv_txn_begin(task, &options, &other));
    CHECK_FAILS(get_locked(task, other, "a", &value), E_LOCK_NOT_AVAILABLE);
    kv_txn_rollback(task, other);
    // A write that was never locked waits for it at commit.
    TRY(kv_txn_begin(task, &options, &other));
    TRY(put(task, other, "a", "blind"));
    CHECK_FAILS(commit(task, other), E_LOCK_NOT_AVAILABLE);
    TRY(put(task, holder, "a", "1"));
    TRY(commit(task, holder));
    TRY(put_now(task, "a", "2"));
out:
    return st;
}

// --- inserts -------------------------------------------------------------------------------------

struct race {
    uint32_t winners, losers;
};

static struct status insert_one(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct kv_txn *txn;
    struct bytes existing;
    char *own = arena_printf(task->arena, "worker %u", worker->number);
    TRY(begin(task, &txn));
    st = kv_insert(
        task, txn, key(task, "row"), bytes_of_string(own), task->arena, &existing);
    bool won = existing.data == NULL;
    if (failed(st)) {
        kv_txn_rollback(task, txn);
        goto out;
    }
    TRY(commit(task, txn));
    // What the loser sees is what the winner wrote.
    CHECK(won || bytes_has_prefix(existing, BYTES_LITERAL("worker ")));
    __atomic_fetch_add(won ? &((struct race *)worker->context)->winners
                           : &((struct race *)worker->context)->losers,
        1, __ATOMIC_RELAXED);
out:
    return st;
}

KV_TEST(txn_locks, of_racing_inserts_one_wins_and_the_others_see_it)
{
    struct status st = STATUS_OK;
    struct race race = {0};
    TRY(run_workers(task, WORKERS, insert_one, &race));
    CHECK(race.winners == 1);
    CHECK(race.losers == WORKERS - 1);
out:
    return st;
}

KV_TEST(txn_locks, inserts_many_and_says_which_were_there)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_pair pairs[5];
    struct bytes existing[5];
    char *text;
    static const char *const names[] = {"t", "b", "q", "a", "own"};
    TRY(kv_test_spread(task));
    TRY(put_now(task, "b", "there"));
    TRY(put_now(task, "q", "there"));
    TRY(begin(task, &txn));
    TRY(put(task, txn, "own", "mine"));
    for (int i = 0; i < 5; i++) {
        pairs[i] = (struct kv_pair){key(task, names[i]), BYTES_LITERAL("new")};
    }
    TRY(kv_insert_many(task, txn, pairs, 5, task->arena, existing));
    CHECK(is_text(existing[0], NULL) && is_text(existing[3], NULL));
    CHECK(is_text(existing[1], "there") && is_text(existing[2], "there"));
    CHECK(is_text(existing[4], "mine"));
    TRY(commit(task, txn));
    TRY(begin(task, &txn));
    TRY(scan_all(task, txn, "a", "z", false, &text));
    CHECK(strcmp(text, "a=new b=there own=mine q=there t=new ") == 0);
    kv_txn_rollback(task, txn);
out:
    return st;
}

// --- deadlocks -----------------------------------------------------------------------------------

struct ring {
    uint32_t count;
    uint32_t ready; // Have their first lock.
    uint32_t aborted;
};

// Worker i locks row i, waits until all have theirs, then wants row i + 1.
static struct status lock_two(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct ring *ring = worker->context;
    struct kv_txn *txn;
    struct bytes value;
    static const char *const rows[] = {"a", "n", "b", "t"};
    TRY(begin(task, &txn));
    TRY(get_locked(task, txn, rows[worker->number], &value));
    __atomic_fetch_add(&ring->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&ring->ready, __ATOMIC_ACQUIRE) < ring->count) {
        TRY(task_sleep(task, MS / 10));
    }
    st = get_locked(task, txn, rows[(worker->number + 1) % ring->count], &value);
    if (status_is(st, E_SERIALIZATION_FAILURE)) {
        __atomic_fetch_add(&ring->aborted, 1, __ATOMIC_RELAXED);
        kv_txn_rollback(task, txn);
        return STATUS_OK;
    }
    TRY(st);
    TRY(put(task, txn, rows[worker->number], "done"));
    TRY(commit(task, txn));
out:
    return st;
}

KV_TEST(txn_locks, deadlocks_end_with_one_victim)
{
    struct status st = STATUS_OK;
    TRY(kv_test_spread(task));
    for (uint32_t count = 2; count <= 4; count++) {
        struct ring ring = {.count = count};
        uint64_t started_ns = task_now_ns(task);
        TRY(run_workers(task, count, lock_two, &ring));
        CHECK(ring.aborted == 1);
        CHECK(task_now_ns(task) - started_ns < 2000 * MS);
    }
out:
    return st;
}

// --- cancellation --------------------------------------------------------------------------------

static struct status lock_hot(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    (void)arg;
    TRY(begin(task, &txn));
    st = get_locked(task, txn, "mine", &value);
    if (!failed(st)) st = get_locked(task, txn, "hot", &value);
    kv_txn_rollback(task, txn);
out:
    return st;
}

KV_TEST(txn_locks, cancelled_waiters_release_everything)
{
    struct status st = STATUS_OK;
    struct kv_txn *holder;
    struct bytes value;
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "hot", &value));
    TRY(worker_start(task, workers, 0, lock_hot, NULL));
    TRY(worker_start(task, workers, 1, lock_hot, NULL));
    for (int i = 0; i < 2; i++) {
        while (workers->list[i].task == NULL)
            TRY(task_sleep(task, 5 * MS));
        task_cancel(workers->list[i].task, status_make(E_QUERY_CANCELED, "cancelled"));
    }
    while (workers->running > 0) TRY(task_wait(task, &workers->ended));
    CHECK(status_is(workers->list[0].st, E_QUERY_CANCELED));
    CHECK(status_is(workers->list[1].st, E_QUERY_CANCELED));
    const struct kv_read nowait = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
    TRY(kv_get(task, holder, &nowait, key(task, "mine"), task->arena, &value));
    kv_txn_rollback(task, holder);
    TRY(add_one(task, "hot"));
out:
    return st;
}

// --- more than there are stacks ----------------------------------------------------------------------------

#define CROWD 400u // More than a shard has stacks: tests/unit/harness.h.

struct crowd {
    struct kv_txn *holder;
    const char *row;
    uint32_t left, served, turned_away;
    struct status st; // Of anything else.
    struct wait_queue gone;
};

static struct status crowd_go(struct task *task, struct crowd *crowd)
{
    struct status st;
    struct kv_txn *txn;
    struct bytes value;
    st = begin(task, &txn);
    if (failed(st)) return st;
    st = get_locked(task, txn, crowd->row, &value);
    crowd->served += !failed(st);
    crowd->turned_away += status_is(st, E_TOO_MANY_CONNECTIONS);
    kv_txn_rollback(task, txn);
    return status_is(st, E_TOO_MANY_CONNECTIONS) ? STATUS_OK : st;
}

static struct status crowd_waits(struct task *task, void *arg)
{
    struct crowd *crowd = arg;
    struct status st = crowd_go(task, crowd);
    if (failed(st)) crowd->st = st;
    if (--crowd->left == 0) wait_queue_wake_all(&crowd->gone, STATUS_OK);
    return STATUS_OK;
}

static struct status crowd_holder(struct task *task, void *arg)
{
    struct crowd *crowd = arg;
    kv_txn_rollback(task, crowd->holder);
    if (--crowd->left == 0) wait_queue_wake_all(&crowd->gone, STATUS_OK);
    return STATUS_OK;
}

// Between its statements a session has no stack. Those who wait for its locks must leave it one.
KV_TEST(txn_locks, whoever_holds_a_lock_goes_on_however_many_wait_for_it)
{
    struct status st = STATUS_OK;
    struct bytes value;
    const char *const rows[] = {"a", "z"}; // With several shards, of another one, too.
    TRY(kv_test_spread(task));
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "z", "1"));
    for (uint32_t i = 0; i < 2; i++) {
        struct crowd crowd = {.row = rows[i], .left = CROWD + 1};
        struct task_options options = {.fn = crowd_waits, .arg = &crowd, .kind = "crowd", .tenant = TENANT, .class = TASK_DEFAULT};
        wait_queue_init(&crowd.gone);
        TRY(begin(task, &crowd.holder));
        TRY(get_locked(task, crowd.holder, rows[i], &value));
        for (uint32_t k = 0; k < CROWD; k++) TRY(task_start(task->shard, &options));
        options.fn = crowd_holder;
        TRY(task_start(task->shard, &options));
        TRY(task_wait_until(task, &crowd.gone, task_now_ns(task) + UINT64_C(30000000000),
            status_make(E_INTERNAL, "the holder of a lock was not let go on")));
        TRY(crowd.st);
        CHECK(crowd.served + crowd.turned_away == CROWD && crowd.served > 0 && crowd.turned_away > 0);
    }
out:
    return st;
}

// --- locks that go ---------------------------------------------------------------------------------------

// As when another leader takes over: locks are in memory.
static struct status drop_locks(struct task *task, void *arg)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        lock_table_drop(kv->slices[i]->locks, status_make(K_NOT_LEADER, "led elsewhere"));
        kv->slices[i]->locks->since++;
    }
    return STATUS_OK;
}

// Reads a row for update, loses the lock, and another adds one to it; then writes `row`. Reads that are not
// validated (READ COMMITTED) rest on their locks alone.
static struct status write_after_loss(
    struct task *task, const char *row, bool weak, bool staged, struct status *outcome)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(put_now(task, "row", "1"));
    TRY(begin(task, &txn));
    kv_txn_weaken(txn, weak);
    if (staged) txn->buffer_bytes_max = 1; // The next write sends this one to its leader.
    TRY(get_locked(task, txn, "row", &value));
    TRY(shard_call_all(task, drop_locks, NULL));
    TRY(add_one(task, "row"));
    TRY(put_number(task, txn, row, number_of(value) + 10));
    if (staged) *outcome = put_number(task, txn, "later", 1);
    if (staged && failed(*outcome)) {
        kv_txn_rollback(task, txn);
        goto out;
    }
    *outcome = commit(task, txn);
out:
    return st;
}

KV_TEST(txn_locks, a_lost_lock_is_a_conflict_and_no_lost_update)
{
    static const char *const rows[] = {"row", "other", "z"}; // "z" lies in another slice.
    struct status st = STATUS_OK, outcome;
    struct bytes value;
    TRY(kv_test_spread(task));
    for (uint32_t i = 0; i < 12; i++) {
        TRY(write_after_loss(task, rows[i / 4], i % 2 == 0, i % 4 >= 2, &outcome));
        CHECK(status_is(outcome, E_SERIALIZATION_FAILURE));
        TRY(read_now(task, "row", &value));
        CHECK(number_of(value) == 2);
    }
out:
    return st;
}

// That it holds the lock again does not say that nobody had it in between.
KV_TEST(txn_locks, a_lock_that_was_lost_and_taken_again_was_not_held_all_along)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(kv_test_spread(task));
    for (uint32_t i = 0; i < 8; i++) {
        TRY(put_now(task, "row", "1"));
        TRY(begin(task, &txn));
        kv_txn_weaken(txn, true);
        if (i >= 4) txn->buffer_bytes_max = 1;
        TRY(get_locked(task, txn, "row", &value));
        TRY(shard_call_all(task, drop_locks, NULL));
        TRY(add_one(task, "row"));
        if (i % 2 == 0) TRY(kv_txn_step(task, txn)); // The next statement.
        struct bytes again;
        TRY(get_locked(task, txn, "row", &again));
        CHECK(number_of(again) == 2);
        TRY(put_number(task, txn, i % 4 < 2 ? "row" : "z", number_of(value) + 10));
        st = i < 4 ? STATUS_OK : put_number(task, txn, "later", 1);
        if (i < 4 || !failed(st)) {
            CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
        } else {
            CHECK(status_is(st, E_SERIALIZATION_FAILURE));
            kv_txn_rollback(task, txn);
            st = STATUS_OK;
        }
        TRY(read_now(task, "row", &value));
        CHECK(number_of(value) == 2);
    }
out:
    return st;
}

struct loss {
    const char *from, *to; // What is locked there is lost; NULL: nothing of it.
};

static struct status lose_here(struct task *task, void *arg)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    const struct loss *loss = arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        struct lock_taken *taken;
        uint32_t count;
        const struct span none = {BYTES_LITERAL("\1"), BYTES_LITERAL("\1")};
        lock_span_take(kv->slices[i]->locks, loss->from == NULL ? none : key_span(task, loss->from, loss->to),
            status_make(K_WRONG_RANGE, "gone"), task->arena, 8, &taken, &count);
    }
    return STATUS_OK;
}

static struct status lose(struct task *task, const char *from, const char *to)
{
    struct loss loss = {from, to};
    return shard_call_all(task, lose_here, &loss);
}

static struct status lock_span(struct task *task, struct kv_txn *txn, const char *from, const char *to)
{
    struct kv_scan scan;
    char *text;
    kv_scan_init(&scan, key_span(task, from, to));
    scan.read.lock = KV_LOCK_UPDATE;
    return scan_text(task, txn, &scan, &text);
}

// Of several rows that one request locks, some were locked before: each is known for itself.
KV_TEST(txn_locks, one_of_several_locks_that_was_lost_is_told)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    for (uint32_t i = 0; i < 4; i++) {
        const bool lost = i % 2 == 1, weak = i / 2 == 0;
        TRY(put_now(task, "b1", "1"));
        TRY(put_now(task, "b2", "1"));
        TRY(begin(task, &txn));
        kv_txn_weaken(txn, weak);
        TRY(get_locked(task, txn, "b1", &value));
        TRY(lose(task, NULL, NULL));
        TRY(lock_span(task, txn, "b", "c"));
        if (lost) {
            TRY(lose(task, "b2", "b3"));
            TRY(add_one(task, "b2"));
            if (weak) TRY(get_locked(task, txn, "b2", &value));
        }
        TRY(put(task, txn, "b2", "10"));
        if (lost) {
            CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
        } else {
            TRY(commit(task, txn));
        }
        TRY(read_now(task, "b2", &value));
        CHECK(number_of(value) == (lost ? 2 : 10));
    }
out:
    return st;
}

struct locker {
    bool go, ended;
    struct status st;
};

static struct status lock_both(struct task *task, void *arg)
{
    struct locker *locker = arg;
    struct kv_txn *txn;
    struct status st;
    TRY(begin(task, &txn));
    kv_txn_weaken(txn, true);
    const struct kv_read read = {.lock = KV_LOCK_UPDATE};
    const struct bytes keys[] = {key(task, "b1"), key(task, "b2")};
    struct bytes values[2];
    st = kv_get_many(task, txn, &read, keys, 2, task->arena, values, NULL);
    if (!failed(st)) st = get_locked(task, txn, "b1", &values[0]); // Once more.
    while (!locker->go) TRY(task_sleep(task, 100000));
    if (!failed(st)) st = put(task, txn, "b1", "10");
    if (failed(st)) {
        kv_txn_rollback(task, txn);
    } else {
        st = commit(task, txn);
    }
out:
    locker->st = st;
    locker->ended = true;
    return STATUS_OK;
}

static struct status count_waiters(struct task *task, void *arg)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    uint32_t *count = arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) *count += kv->slices[i]->locks->waiters != NULL;
    return STATUS_OK;
}

static struct status await_waiter(struct task *task)
{
    struct status st = STATUS_OK;
    uint32_t count = 0;
    for (;;) {
        for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
            TRY(shard_call(task, i, count_waiters, &count));
        if (count > 0) break;
        TRY(task_sleep(task, 100000));
    }
out:
    return st;
}

// While a request waits for one of its locks it may lose another; and when it has not, it was none of its business.
KV_TEST(txn_locks, a_lock_that_was_lost_while_its_request_waited_is_told)
{
    struct status st = STATUS_OK;
    struct kv_txn *holder;
    struct bytes value;
    for (uint32_t i = 0; i < 2; i++) {
        const bool lost = i == 1;
        struct locker locker = {0};
        TRY(put_now(task, "b1", "1"));
        TRY(put_now(task, "b2", "1"));
        TRY(begin(task, &holder));
        TRY(get_locked(task, holder, "b2", &value));
        TRY(task_start(task->shard,
            &(struct task_options){.fn = lock_both, .arg = &locker, .kind = "locker"}));
        TRY(await_waiter(task));
        TRY(lose(task, lost ? "b1" : NULL, "b2"));
        if (lost) TRY(add_one(task, "b1"));
        kv_txn_rollback(task, holder);
        locker.go = true;
        while (!locker.ended) TRY(task_sleep(task, 100000));
        if (lost) {
            CHECK(status_is(locker.st, E_SERIALIZATION_FAILURE));
        } else {
            TRY(locker.st);
        }
        TRY(read_now(task, "b1", &value));
        CHECK(number_of(value) == (lost ? 2 : 10));
    }
out:
    return st;
}

// Who only locks, or writes elsewhere, is told as well: what it did meanwhile it did not do alone.
KV_TEST(txn_locks, a_lost_lock_is_told_to_who_writes_nothing_there)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    char *text;
    TRY(kv_test_spread(task));
    TRY(put_now(task, "row", "1"));
    for (uint32_t i = 0; i < 32; i++) {
        const bool lost = i % 2 == 0, weak = i / 2 % 2 == 0, writes = i / 4 % 2 == 0, scans = i / 8 % 2 == 0;
        const struct kv_read read = {.lock = i / 16 % 2 == 0 ? KV_LOCK_SHARE : KV_LOCK_UPDATE};
        TRY(begin(task, &txn));
        kv_txn_weaken(txn, weak);
        if (scans) {
            struct kv_scan scan;
            kv_scan_init(&scan, key_span(task, "ro", "rx"));
            scan.read = read;
            TRY(scan_text(task, txn, &scan, &text));
        } else {
            TRY(kv_get(task, txn, &read, key(task, "row"), task->arena, &value));
        }
        if (lost) TRY(shard_call_all(task, drop_locks, NULL));
        if (writes) TRY(put_number(task, txn, "z", i));
        if (lost) {
            CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
        } else {
            TRY(commit(task, txn));
        }
    }
out:
    return st;
}

// --- savepoints ------------------------------------------------------------------------------------------

static struct status is_free(
    struct task *task, const char *row, enum kv_lock lock, bool *is)
{
    struct status st;
    struct kv_txn *txn;
    struct bytes value;
    const struct kv_read read = {.lock = lock, .wait = KV_WAIT_FAIL};
    TRY(begin(task, &txn));
    st = kv_get(task, txn, &read, key(task, row), task->arena, &value);
    kv_txn_rollback(task, txn);
    *is = !failed(st);
    if (status_is(st, E_LOCK_NOT_AVAILABLE)) st = STATUS_OK;
out:
    return st;
}

static struct status locks_are(struct task *task, const char *rows, const char *expected)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; rows[i] != 0; i++) {
        const char row[] = {rows[i], 0};
        bool shared, exclusive;
        TRY(is_free(task, row, KV_LOCK_SHARE, &shared));
        TRY(is_free(task, row, KV_LOCK_UPDATE, &exclusive));
        const char is = !shared ? 'x' : exclusive ? '-' : 's';
        CHECK(is == expected[i]);
    }
out:
    return st;
}

KV_TEST(txn_locks, what_was_locked_since_a_savepoint_is_let_go_with_it)
{
    struct status st = STATUS_OK;
    const struct kv_read shared = {.lock = KV_LOCK_SHARE};
    struct kv_txn *txn;
    struct bytes value;
    TRY(kv_test_spread(task));
    for (uint32_t i = 0; i < 2; i++) {
        TRY(begin(task, &txn));
        kv_txn_weaken(txn, i == 0);
        TRY(get_locked(task, txn, "a", &value));
        TRY(kv_get(task, txn, &shared, key(task, "b"), task->arena, &value));
        const struct kv_lock_mark first = kv_txn_lock_mark(txn);
        TRY(get_locked(task, txn, "c", &value));
        const struct kv_lock_mark second = kv_txn_lock_mark(txn);
        TRY(get_locked(task, txn, "a", &value));
        TRY(get_locked(task, txn, "b", &value)); // Shared before.
        TRY(get_locked(task, txn, "c", &value));
        TRY(get_locked(task, txn, "x", &value)); // Another slice.
        TRY(locks_are(task, "abcdx", "xxx-x"));
        kv_txn_unlock_to(txn, &second);
        TRY(locks_are(task, "abcdx", "xsx--"));
        TRY(get_locked(task, txn, "x", &value));
        TRY(get_locked(task, txn, "d", &value));
        TRY(locks_are(task, "abcdx", "xsxxx"));
        kv_txn_unlock_to(txn, &second);
        TRY(locks_are(task, "abcdx", "xsx--"));
        kv_txn_unlock_to(txn, &first);
        TRY(locks_are(task, "abcdx", "xs---"));
        // Others write what was let go, and that is no conflict for who wrote nothing there.
        TRY(put_now(task, "c", "other"));
        if (i == 0) {
            TRY(get_locked(task, txn, "c", &value));
            CHECK(is_text(value, "other"));
        }
        TRY(put(task, txn, "a", "done"));
        if (i == 0) {
            TRY(commit(task, txn));
        } else {
            CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE); // It has read it all the same.
        }
        TRY(begin(task, &txn)); // A commit that fails lets go a little later.
        for (uint32_t k = 0; k < 5; k++)
            TRY(get_locked(task, txn, (const char[]){"abcdx"[k], 0}, &value));
        kv_txn_rollback(task, txn);
        TRY(locks_are(task, "abcdx", "-----"));
    }
out:
    return st;
}

// An insert is checked from the snapshot on; the snapshot may have moved beyond another's insert by the commit.
KV_TEST(txn_locks, an_insert_is_checked_also_when_its_lock_is_lost_and_the_snapshot_moves)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    static const char *const rows[] = {"k0", "k1", "z2", "z3"};
    TRY(kv_test_spread(task));
    for (uint32_t i = 0; i < 4; i++) {
        TRY(put_now(task, "row", "1"));
        TRY(begin(task, &txn));
        kv_txn_weaken(txn, i % 2 == 0);
        TRY(kv_insert(task, txn, key(task, rows[i]), bytes_of_string("10"), task->arena, &value));
        CHECK(value.data == NULL);
        TRY(shard_call_all(task, drop_locks, NULL));
        TRY(put_now(task, rows[i], "7"));
        TRY(put_now(task, "row", "2"));
        TRY(get_locked(task, txn, "row", &value)); // Newer than the snapshot: it moves.
        CHECK(number_of(value) == 2);
        CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
        TRY(read_now(task, rows[i], &value));
        CHECK(number_of(value) == 7);
    }
out:
    return st;
}
