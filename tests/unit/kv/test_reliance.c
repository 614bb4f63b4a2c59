// SPDX-License-Identifier: GPL-3.0-or-later
//
// What transactions rely on without asking for it: in force up to their commits, or they are told.
#include "kv/reliance.h"
#include "kv/txn.h"
#include "tests/unit/kv/kv_harness.h"

static struct status begin_relying(
    struct task *task, struct reliance *reliance, const char *text, struct kv_txn **txn)
{
    struct status st = begin(task, txn);
    if (!failed(st)) kv_txn_rely(*txn, reliance, key(task, text));
    return st;
}

// A change that tells nobody is not noticed, which shows that nobody asks.
KV_TEST(reliance, asks_no_other_slice_when_nothing_was_heard_of)
{
    struct status st = STATUS_OK;
    struct reliance reliance;
    struct kv_txn *txn;
    struct hlc_timestamp ts;
    reliance_init(&reliance);
    TRY(kv_test_spread(task));
    TRY(put_now(task, "z", "1"));
    TRY(begin_relying(task, &reliance, "z", &txn));
    TRY(put(task, txn, "a", "1"));
    TRY(put_now(task, "z", "2"));
    TRY(kv_txn_commit(task, txn, &ts));
    CHECK(hlc_equal(reliance.high, ts));
    CHECK(list_empty(&reliance.commits));
out:
    return st;
}

KV_TEST(reliance, asks_when_something_was_heard_of)
{
    struct status st = STATUS_OK;
    struct reliance reliance;
    struct kv_txn *txn;
    reliance_init(&reliance);
    TRY(kv_test_spread(task));
    TRY(put_now(task, "z", "1"));
    // Something else has changed.
    TRY(begin_relying(task, &reliance, "z", &txn));
    TRY(put(task, txn, "a", "1"));
    reliance_shake(&reliance);
    TRY(commit(task, txn));
    // This has.
    TRY(begin_relying(task, &reliance, "z", &txn));
    TRY(put(task, txn, "a", "2"));
    reliance_shake(&reliance);
    TRY(put_now(task, "z", "2"));
    CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
out:
    return st;
}

// Whose snapshot has moved since (READ COMMITTED) is told of what changed before that, too.
KV_TEST(reliance, begins_where_it_was_noted)
{
    struct status st = STATUS_OK;
    struct reliance reliance;
    struct kv_txn *txn;
    reliance_init(&reliance);
    TRY(put_now(task, "z", "1"));
    TRY(begin_relying(task, &reliance, "z", &txn));
    kv_txn_weaken(txn, true);
    TRY(put_now(task, "z", "2"));
    TRY(kv_txn_step(task, txn));
    TRY(put(task, txn, "a", "1"));
    reliance_shake(&reliance);
    CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
    // At the next statement already.
    TRY(begin_relying(task, &reliance, "z", &txn));
    kv_txn_weaken(txn, true);
    TRY(put_now(task, "z", "3"));
    reliance_shake(&reliance);
    CHECK_FAILS(kv_txn_step(task, txn), E_SERIALIZATION_FAILURE);
    kv_txn_rollback(task, txn);
out:
    return st;
}

// Beyond its shard's clock may lie changes that were not told of yet when it moved.
KV_TEST(reliance, asks_when_the_snapshot_moves_beyond_the_clock)
{
    struct status st = STATUS_OK;
    struct reliance reliance;
    struct kv_txn *txn;
    reliance_init(&reliance);
    TRY(put_now(task, "z", "1"));
    TRY(begin_relying(task, &reliance, "z", &txn));
    TRY(put_now(task, "z", "2"));
    TRY(txn_move_to(task, txn, hlc_now(&task->shard->hlc)));
    CHECK(txn->relied.on == &reliance);
    struct hlc_timestamp ahead = hlc_now(&task->shard->hlc);
    ahead.wall_ns += 50 * MS;
    CHECK_FAILS(txn_move_to(task, txn, ahead), E_SERIALIZATION_FAILURE);
    kv_txn_rollback(task, txn);
out:
    return st;
}

struct relying {
    struct reliance reliance;
    struct hlc_timestamp ts;
};

static struct status commit_relying(struct task *task, void *arg)
{
    struct worker *worker = arg;
    struct relying *relying = worker->context;
    struct kv_txn *txn;
    struct status st = begin_relying(task, &relying->reliance, "z", &txn);
    if (failed(st)) return st;
    st = put(task, txn, "row", "2");
    if (failed(st)) {
        kv_txn_rollback(task, txn);
        return st;
    }
    return kv_txn_commit(task, txn, &relying->ts);
}

// Somebody commits who relies on "z", and waits for a row. A change of "z" does not wait for him longer than he may rely:
// its timestamp is above his bound, and he is asked after all.
static struct status change_beside(struct task *task, bool changes, struct status *outcome, bool *above)
{
    struct status st = STATUS_OK;
    struct relying relying = {0};
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    struct kv_txn *holder, *change;
    struct bytes value;
    struct hlc_timestamp change_ts = HLC_ZERO;
    reliance_init(&relying.reliance);
    TRY(put_now(task, "z", "1"));
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "row", &value));
    TRY(worker_start(task, workers, 0, commit_relying, &relying));
    while (list_empty(&relying.reliance.commits)) TRY(task_sleep(task, MS));

    reliance_shake(&relying.reliance);
    TRY(reliance_wait(task, &relying.reliance));
    CHECK(!list_empty(&relying.reliance.commits));
    TRY(begin(task, &change));
    TRY(put(task, change, changes ? "z" : "y", "2"));
    kv_txn_commit_within(change, relying.reliance.high, HLC_ZERO);
    TRY(kv_txn_commit(task, change, &change_ts));
    CHECK(hlc_less(relying.reliance.high, change_ts));
    kv_txn_rollback(task, holder);
    *outcome = workers_wait(task, workers, 1);
    *above = hlc_less(change_ts, relying.ts);
out:
    return st;
}

KV_TEST(reliance, ends_when_its_time_is_over)
{
    struct status st = STATUS_OK;
    struct status outcome;
    bool above;
    TRY(kv_test_spread(task));
    TRY(change_beside(task, true, &outcome, &above));
    CHECK(status_is(outcome, E_SERIALIZATION_FAILURE));
    TRY(change_beside(task, false, &outcome, &above));
    CHECK(!failed(outcome));
    CHECK(above);
out:
    return st;
}

// Whoever is cancelled before its entry is in the log will never commit: a change has nothing to be above, and so nothing
// to wait for.
KV_TEST(reliance, of_a_cancelled_commit_is_over)
{
    struct status st = STATUS_OK;
    struct relying relying = {0};
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    struct kv_txn *holder;
    struct bytes value;
    reliance_init(&relying.reliance);
    TRY(put_now(task, "z", "1"));
    TRY(begin(task, &holder));
    TRY(get_locked(task, holder, "row", &value));
    TRY(worker_start(task, workers, 0, commit_relying, &relying));
    while (list_empty(&relying.reliance.commits)) TRY(task_sleep(task, MS));
    task_cancel(workers->list[0].task, status_make(E_QUERY_CANCELED, "cancelled"));
    CHECK_FAILS(workers_wait(task, workers, 1), E_QUERY_CANCELED);
    CHECK(list_empty(&relying.reliance.commits));
    CHECK(hlc_is_zero(relying.reliance.high));
    kv_txn_rollback(task, holder);
out:
    return st;
}

KV_TEST(reliance, commits_stay_within_their_bounds)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct hlc_timestamp now, ts;
    TRY(kv_test_spread(task));
    for (uint32_t slices = 1; slices <= 2; slices++) {
        TRY(kv_now(task, TENANT, &now));
        struct hlc_timestamp after = {now.wall_ns + 20 * MS, 0};
        TRY(begin(task, &txn));
        TRY(put(task, txn, "a", "1"));
        if (slices == 2) TRY(put(task, txn, "z", "1"));
        kv_txn_commit_within(txn, after, HLC_ZERO);
        TRY(kv_txn_commit(task, txn, &ts));
        CHECK(hlc_less(after, ts));

        TRY(begin(task, &txn));
        TRY(put(task, txn, "a", "2"));
        if (slices == 2) TRY(put(task, txn, "z", "2"));
        kv_txn_commit_within(txn, HLC_ZERO, now);
        CHECK_FAILS(kv_txn_commit(task, txn, &ts), E_SERIALIZATION_FAILURE);
        struct bytes value;
        TRY(read_now(task, "a", &value));
        CHECK(is_text(value, "1"));
    }
    // Nobody's clock is there.
    TRY(begin(task, &txn));
    TRY(put(task, txn, "a", "3"));
    kv_txn_commit_within(txn, (struct hlc_timestamp){now.wall_ns + 3600000 * MS, 0}, HLC_ZERO);
    CHECK_FAILS(kv_txn_commit(task, txn, &ts), E_NOT_IN_PREREQUISITE_STATE);
out:
    return st;
}
