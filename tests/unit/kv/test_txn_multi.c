// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions over several slices: all or nothing for every reader, also after a stop in the
// middle.
#include "tests/unit/kv/kv_harness.h"

#include "kv/leader.h"
#include "kv/txn.h"

#define ACCOUNTS 12u
#define WORKERS 12u
#define START_BALANCE 100

static struct bytes account_key(struct task *task, uint32_t number)
{
    // Every other account lies in the other slice.
    return key_number(task, number % 2 == 0 ? "b" : "t", number);
}

static struct status balance_put(
    struct task *task, struct kv_txn *txn, uint32_t account, int64_t balance)
{
    char *text = arena_printf(task->arena, "%lld", (long long)balance);
    return kv_put(task, txn, account_key(task, account), bytes_of_string(text));
}

static int64_t balance_of(struct task *task, struct bytes value)
{
    return strtoll(arena_string(task->arena, value), NULL, 10);
}

static struct status transfer_in(
    struct task *task, struct kv_txn *txn, uint32_t from, uint32_t to, bool locks)
{
    struct status st = STATUS_OK;
    const struct kv_read read = {.lock = locks ? KV_LOCK_UPDATE : KV_LOCK_NONE};
    const struct bytes keys[] = {account_key(task, from), account_key(task, to)};
    struct bytes values[2];
    TRY(kv_get_many(task, txn, &read, keys, 2, task->arena, values, NULL));
    TRY(balance_put(task, txn, from, balance_of(task, values[0]) - 7));
    TRY(balance_put(task, txn, to, balance_of(task, values[1]) + 7));
out:
    return st;
}

static struct status total_check(struct task *task)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_scan scan;
    struct kv_batch batch;
    int64_t total = 0;
    uint32_t rows = 0;
    TRY(begin(task, &txn));
    kv_scan_init(&scan, key_span(task, "a", "z"));
    scan.batch_rows = 5;
    do {
        st = kv_scan_next(task, txn, &scan, task->arena, &batch);
        for (uint32_t i = 0; i < batch.count; i++) {
            total += balance_of(task, batch.pairs[i].value);
            rows++;
        }
    } while (!failed(st) && batch.count > 0);
    kv_txn_rollback(task, txn);
    TRY(st);
    CHECK(rows == ACCOUNTS);
    CHECK(total == ACCOUNTS * START_BALANCE);
out:
    return st;
}

struct bank {
    uint32_t done, retried;
};

static struct status banker(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct bank *bank = worker->context;
    uint32_t draw = worker->number * 7919u + 17u;
    for (uint32_t i = 0; i < 12;) {
        if (worker->number % 4 == 3) { // Every fourth only looks.
            TRY(total_check(task));
            i++;
            continue;
        }
        struct kv_txn *txn;
        draw = draw * 1664525u + 1013904223u;
        uint32_t from = (draw >> 8) % ACCOUNTS;
        uint32_t to = (from + 1 + (draw >> 20) % (ACCOUNTS - 1)) % ACCOUNTS;
        TRY(begin(task, &txn));
        st = transfer_in(task, txn, from, to, draw & 0x80000000u);
        if (!failed(st)) {
            st = commit(task, txn);
        } else {
            kv_txn_rollback(task, txn);
        }
        if (status_is(st, E_SERIALIZATION_FAILURE)) {
            __atomic_fetch_add(&bank->retried, 1, __ATOMIC_RELAXED);
            continue;
        }
        TRY(st);
        __atomic_fetch_add(&bank->done, 1, __ATOMIC_RELAXED);
        i++;
    }
out:
    return st;
}

KV_TEST(txn_multi, money_is_neither_made_nor_lost)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bank bank = {0};
    TRY(kv_test_spread(task));
    TRY(begin(task, &txn));
    for (uint32_t i = 0; i < ACCOUNTS; i++) TRY(balance_put(task, txn, i, START_BALANCE));
    TRY(commit(task, txn));
    TRY(total_check(task));
    TRY(run_workers(task, WORKERS, banker, &bank));
    CHECK(bank.done == WORKERS * 3 / 4 * 12);
    TRY(total_check(task));
out:
    return st;
}

// Writes in one slice, reads in another: the reads count all the same.
KV_TEST(txn_multi, refuses_write_skew_between_slices)
{
    struct status st = STATUS_OK;
    struct kv_txn *one;
    struct kv_txn *two;
    struct bytes value;
    TRY(kv_test_spread(task));
    TRY(begin(task, &one));
    TRY(begin(task, &two));
    TRY(get(task, one, "b", &value));
    TRY(get(task, two, "t", &value));
    TRY(put(task, one, "t", "1"));
    TRY(put(task, two, "b", "1"));
    TRY(commit(task, one));
    CHECK_FAILS(commit(task, two), E_SERIALIZATION_FAILURE);
    TRY(begin(task, &one));
    TRY(get(task, one, "b", &value));
    TRY(put(task, one, "b", "own writes do not conflict with own reads"));
    TRY(put(task, one, "t", "2"));
    TRY(commit(task, one));
out:
    return st;
}

KV_TEST(txn_multi, commits_at_one_timestamp)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct hlc_timestamp ts;
    struct bytes value;
    TRY(kv_test_spread(task));
    TRY(begin(task, &txn));
    TRY(put(task, txn, "b", "1"));
    TRY(put(task, txn, "t", "1"));
    TRY(kv_txn_commit(task, txn, &ts));
    for (int i = 0; i < 2; i++) { // Just before it nothing, at it everything.
        TRY(begin_at(task, i == 0 ? hlc_previous(ts) : ts, &txn));
        TRY(get(task, txn, "b", &value));
        CHECK(is_text(value, i == 0 ? NULL : "1"));
        TRY(get(task, txn, "t", &value));
        CHECK(is_text(value, i == 0 ? NULL : "1"));
        kv_txn_rollback(task, txn);
    }
out:
    return st;
}

// --- what a stop leaves behind -------------------------------------------------------------------

// Prepares one write in the slice of its key, as kv/commit_multi.c does.
static struct status prepare(
    struct task *task, struct kv_txn *txn, const char *text, uint64_t record_slice)
{
    struct status st = STATUS_OK;
    struct txn_parts parts = {.arena = task->arena};
    TRY(put(task, txn, text, "prepared"));
    TRY(router_evict_all(task, 0)); // Routes from before the ranges were spread: no commit corrects them here.
    TRY(txn_parts_writes(task, txn, &parts));
    for (uint32_t i = 0; i < parts.count; i++) {
        const struct txn_part *part = &parts.parts[i];
        struct leader_commit commit;
        commit_request_init(txn, task, part, &commit);
        TRY(commit_payload(task, txn, part, record_slice, &commit.payload));
        TRY(leader_call(task, &commit.call, task->arena, LEADER_PREPARE));
        leader_reply_end(&commit.call);
    }
out:
    return st;
}

static struct status restart(struct task *task, struct kv_test *test)
{
    struct status st = kv_stop(task);
    return failed(st) ? st : kv_start(task, &test->options);
}

// Two halves prepared; with the record both appear after a restart, without it neither does.
static struct status leave_prepared(struct task *task, struct kv_test *test, bool recorded)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_txn *other;
    struct bytes value;
    const struct kv_txn_options options = {.tenant = TENANT};
    TRY(kv_txn_begin(task, &options, &txn));
    TRY(kv_txn_begin(task, &options, &other));
    other->id = txn->id; // One transaction, prepared in two steps.
    TRY(prepare(task, txn, "b", 2));
    TRY(prepare(task, other, "t", 2));
    if (recorded) {
        struct leader_record_put record = {.commit = true};
        record.call.slice = 2;
        record.call.owner.txn = txn->id;
        record.call.read_ts = hlc_now(&task->shard->hlc);
        TRY(leader_call(task, &record.call, task->arena, LEADER_RECORD_PUT));
        leader_reply_end(&record.call);
    }
    kv_txn_rollback(task, txn);
    kv_txn_rollback(task, other);
    TRY(restart(task, test));
    const char *expected = recorded ? "prepared" : NULL;
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, expected));
    TRY(read_now(task, "t", &value));
    CHECK(is_text(value, expected));
    TRY(put_now(task, "b", "written again"));
out:
    return st;
}

KV_TEST(txn_multi, a_record_commits_what_was_left_prepared)
{
    struct status st = STATUS_OK;
    TRY(kv_test_spread(task));
    TRY(leave_prepared(task, arg, true));
out:
    return st;
}

KV_TEST(txn_multi, without_a_record_it_is_dropped)
{
    struct status st = STATUS_OK;
    TRY(kv_test_spread(task));
    TRY(leave_prepared(task, arg, false));
out:
    return st;
}

// A client that stood still for so long that it may have been given up, and that forgotten, commits no more.
KV_TEST(txn_multi, a_record_that_comes_late_is_refused)
{
    struct status st = STATUS_OK;
    const struct hlc_timestamp now = hlc_now(&task->shard->hlc);
    struct hlc_timestamp old = now;
    old.wall_ns -= 61 * 1000 * MS; // RECORD_LATE_NS, and a second.
    for (uint32_t i = 0; i < 4; i++) {
        struct leader_record_put record = {.commit = i % 2 == 0, .staged = i % 2 == 1};
        record.call.slice = 2;
        record.call.owner.txn = client_txn_id(task->shard);
        record.call.read_ts = i < 2 ? old : now;
        st = leader_call(task, &record.call, task->arena, LEADER_RECORD_PUT);
        leader_reply_end(&record.call);
        if (i >= 2) TRY(st);
        CHECK(i >= 2 || status_is(st, E_SERIALIZATION_FAILURE));
        st = STATUS_OK;
    }
out:
    return st;
}
