// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lock table alone: who gets a lock and when, and what the table tells the deadlock detector of those who wait.
#include "tests/unit/harness.h"

#include "core/env_sim.h"
#include "kv/deadlock.h"
#include "kv/lock.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define WATCHED_NS (10 * SECOND)
#define CROWD 640u

static struct lock_request request_of(uint64_t txn, enum kv_lock mode, enum kv_wait wait)
{
    return (struct lock_request){.owner = {txn, txn}, .mode = mode, .wait = wait};
}

NODE_TEST(lock, table_grants_in_order_and_forgets_what_is_free, 1)
{
    struct status st = STATUS_OK;
    struct lock_table table;
    bool granted;
    TRY(lock_table_init(&table, task->shard));
    struct bytes row = BYTES_LITERAL("row");
    struct lock_request one = request_of(1, KV_LOCK_SHARE, KV_WAIT_FAIL);
    struct lock_request two = request_of(2, KV_LOCK_SHARE, KV_WAIT_FAIL);
    struct lock_request upgrade = request_of(1, KV_LOCK_UPDATE, KV_WAIT_FAIL);
    TRY(lock_try(&table, &one, row, &granted));
    CHECK(granted);
    TRY(lock_try(&table, &two, row, &granted));
    CHECK(granted);
    TRY(lock_try(&table, &upgrade, row, &granted));
    CHECK(!granted);
    CHECK(lock_taken_by_other(&table, 1, row, KV_LOCK_UPDATE));
    lock_release_all(&table, 2);
    TRY(lock_try(&table, &upgrade, row, &granted));
    CHECK(granted);
    CHECK(lock_holds(&table, 1, row, KV_LOCK_UPDATE));
    CHECK(!lock_taken_by_other(&table, 1, row, KV_LOCK_UPDATE));
    CHECK(lock_taken_by_other(&table, 2, row, KV_LOCK_KEY_SHARE));
    for (uint32_t i = 0; i < 5000; i++) { // Enough to grow.
        uint8_t *long_key = arena_alloc_zero(task->arena, 100);
        memcpy(long_key, &i, sizeof i);
        TRY(lock_try(&table, &upgrade, bytes_of(long_key, i % 2 == 0 ? 100 : 4), &granted));
        CHECK(granted);
    }
    CHECK(lock_held_count(&table, 1) == 5001);
    lock_release_all(&table, 1);
    CHECK(table.lock_count == 0 && table.owner_count == 0);
    lock_table_fini(&table);
out:
    return st;
}

// A move that is taken back has left the locks of its span behind, or brings them along again.
NODE_TEST(lock, what_left_and_was_taken_anew_is_not_what_was_held_before, 1)
{
    struct status st = STATUS_OK;
    struct lock_table table;
    struct lock_taken *taken;
    uint32_t count;
    bool granted;
    TRY(lock_table_init(&table, task->shard));
    const struct bytes row = BYTES_LITERAL("row");
    const struct span all = {BYTES_LITERAL("a"), BYTES_LITERAL("z")};
    const struct lock_request one = request_of(1, KV_LOCK_UPDATE, KV_WAIT_FAIL);
    const uint64_t since = table.since;
    for (uint32_t i = 0; i < 2; i++) {
        TRY(lock_try(&table, &one, row, &granted));
        CHECK(granted && lock_held_since(&table, 1, row, KV_LOCK_UPDATE, since) == (i == 0));
        lock_span_take(&table, all, status_make(K_WRONG_RANGE, "moved"), task->arena, 8, &taken, &count);
        CHECK(count == 1 && table.lock_count == 0);
    }
    TRY(lock_try(&table, &one, row, &granted));
    CHECK(granted && lock_held_since(&table, 1, row, KV_LOCK_UPDATE, 0));
    CHECK(!lock_held_since(&table, 1, row, KV_LOCK_UPDATE, since));
    CHECK(!lock_held_since(&table, 1, row, KV_LOCK_UPDATE, taken[0].since[3]));
    lock_release_all(&table, 1);
    CHECK(lock_give(&table, &taken[0]) && lock_held_since(&table, 1, row, KV_LOCK_UPDATE, taken[0].since[3]));
    lock_release_all(&table, 1);
    lock_table_fini(&table);
out:
    return st;
}

// What is told of a lock holds for it however early it was taken, until it is lost; a later one is another.
NODE_TEST(lock, what_is_told_later_holds_for_what_was_taken_before, 1)
{
    struct status st = STATUS_OK;
    struct lock_table table, other;
    struct lock_taken *taken;
    uint32_t count;
    bool granted;
    TRY(lock_table_init(&table, task->shard));
    TRY(lock_table_init(&other, task->shard));
    table.since = lock_since(7, 3);
    other.since = lock_since(6, 9);
    const struct bytes early = BYTES_LITERAL("early"), late = BYTES_LITERAL("late");
    const struct span all = {BYTES_LITERAL("a"), BYTES_LITERAL("z")}, lates = {late, BYTES_LITERAL("z")};
    const struct lock_request one = request_of(1, KV_LOCK_UPDATE, KV_WAIT_FAIL);
    TRY(lock_try(&table, &one, early, &granted));
    const uint64_t first = table.since;
    table.since++; // Something else was lost.
    TRY(lock_try(&table, &one, late, &granted));
    const uint64_t told = table.since;
    CHECK(lock_held_since(&table, 1, early, KV_LOCK_UPDATE, told) && lock_held_since(&table, 1, late, KV_LOCK_UPDATE, told));
    CHECK(lock_held_since(&table, 1, early, KV_LOCK_UPDATE, first) && !lock_held_since(&table, 1, late, KV_LOCK_UPDATE, first));
    lock_span_take(&table, lates, status_make(K_WRONG_RANGE, "moved"), task->arena, 8, &taken, &count);
    TRY(lock_try(&table, &one, late, &granted));
    CHECK(granted && lock_held_since(&table, 1, early, KV_LOCK_UPDATE, told) && !lock_held_since(&table, 1, late, KV_LOCK_UPDATE, told));
    // In another slice it is known by what was told in either, and is lost there as well.
    lock_span_take(&table, all, status_make(K_WRONG_RANGE, "moved"), task->arena, 8, &taken, &count);
    CHECK(count == 2);
    for (uint32_t i = 0; i < count; i++) CHECK(lock_give(&other, &taken[i]));
    const uint64_t told_there = other.since;
    CHECK(lock_held_since(&other, 1, early, KV_LOCK_UPDATE, told) && lock_held_since(&other, 1, early, KV_LOCK_UPDATE, told_there));
    CHECK(!lock_held_since(&other, 1, late, KV_LOCK_UPDATE, told) && lock_held_since(&other, 1, late, KV_LOCK_UPDATE, told_there));
    lock_release_lost(&other, 1);
    TRY(lock_try(&other, &one, early, &granted));
    CHECK(granted && !lock_held_since(&other, 1, early, KV_LOCK_UPDATE, told) && !lock_held_since(&other, 1, early, KV_LOCK_UPDATE, told_there));
    lock_release_all(&other, 1);
    lock_table_fini(&table);
    lock_table_fini(&other);
    CHECK(lock_since(7, 4) > lock_since(7, 3) + 1000000 && lock_since(7, UINT32_MAX) < lock_since(8, 0));
out:
    return st;
}

// PostgreSQL's table of row locks, all sixteen pairs, asked of the table itself; and who has the first mode passes to the
// second unless another stands in the way.
NODE_TEST(lock, modes_exclude_each_other_as_in_postgresql, 1)
{
    static const bool conflicts[KV_LOCK_MODES][KV_LOCK_MODES] = {
        // KEY SHARE, SHARE, NO KEY UPDATE, UPDATE
        {false, false, false, true},
        {false, false, true, true},
        {false, true, true, true},
        {true, true, true, true},
    };
    struct status st = STATUS_OK;
    struct lock_table table;
    bool granted;
    TRY(lock_table_init(&table, task->shard));
    const struct bytes row = BYTES_LITERAL("row");
    for (enum kv_lock held = KV_LOCK_KEY_SHARE; held <= KV_LOCK_UPDATE; held++) {
        for (enum kv_lock wanted = KV_LOCK_KEY_SHARE; wanted <= KV_LOCK_UPDATE; wanted++) {
            const bool expected = conflicts[held - 1][wanted - 1];
            const struct lock_request one = request_of(1, held, KV_WAIT_FAIL);
            const struct lock_request two = request_of(2, wanted, KV_WAIT_FAIL);
            const struct lock_request again = request_of(1, wanted, KV_WAIT_FAIL);
            CHECK(lock_modes_conflict(held, wanted) == expected);
            TRY(lock_try(&table, &one, row, &granted));
            CHECK(granted && lock_holds(&table, 1, row, held));
            CHECK(lock_taken_by_other(&table, 2, row, wanted) == expected);
            TRY(lock_try(&table, &two, row, &granted));
            CHECK(granted == !expected);
            lock_release_all(&table, 2);
            TRY(lock_try(&table, &again, row, &granted)); // Nobody else is there.
            CHECK(granted && lock_holds(&table, 1, row, held) && lock_holds(&table, 1, row, wanted));
            CHECK(!lock_taken_by_other(&table, 1, row, wanted));
            lock_release_all(&table, 1);
            CHECK(table.lock_count == 0);
        }
    }
    lock_table_fini(&table);
out:
    return st;
}

struct asked {
    uint32_t count;
    struct bytes key;
};

static enum kv_lock asked_for(const void *arg, struct bytes key)
{
    struct asked *asked = *(struct asked *const *)arg;
    asked->count++;
    return bytes_equal(key, asked->key) ? KV_LOCK_UPDATE : KV_LOCK_NONE;
}

// A commit that holds many locks itself looks at those of others alone: at most one step for each of them.
NODE_TEST(lock, only_locks_of_others_are_looked_at, 1)
{
    struct status st = STATUS_OK;
    struct lock_table table;
    bool granted;
    char text[16];
    struct asked asked = {.key = BYTES_LITERAL("own 7")}, *ask = &asked;
    TRY(lock_table_init(&table, task->shard));
    const struct lock_request one = request_of(1, KV_LOCK_UPDATE, KV_WAIT_FAIL);
    const struct lock_request two = request_of(2, KV_LOCK_SHARE, KV_WAIT_FAIL);
    CHECK(lock_count_of_others(&table, 1) == 0);
    for (uint32_t i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "own %u", i);
        TRY(lock_try(&table, &one, bytes_of_string(text), &granted));
        CHECK(granted);
    }
    CHECK(lock_count_of_others(&table, 1) == 0 && lock_count_of_others(&table, 2) == 3000);
    CHECK(!lock_taken_by_other_any(&table, 1, asked_for, &ask) && asked.count == 0);
    for (uint32_t i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "other %u", i);
        TRY(lock_try(&table, &two, bytes_of_string(text), &granted));
        CHECK(granted);
    }
    CHECK(lock_count_of_others(&table, 1) == 5);
    CHECK(!lock_taken_by_other_any(&table, 1, asked_for, &ask) && asked.count == 5);
    asked.key = BYTES_LITERAL("other 3");
    CHECK(lock_taken_by_other_any(&table, 1, asked_for, &ask));
    CHECK(!lock_taken_by_other_any(&table, 2, asked_for, &ask)); // Its own.
    lock_release_all(&table, 2);
    CHECK(lock_count_of_others(&table, 1) == 0);
    lock_release_all(&table, 1);
    CHECK(table.hold_count == 0 && table.lock_count == 0);
    lock_table_fini(&table);
out:
    return st;
}

// Each mode has the savepoint at which it was first needed; what is rolled back leaves the one before it. Whoever relied on
// the stronger one and has only the weaker one left is told, also when it takes the stronger one again.
NODE_TEST(lock, a_savepoint_gives_back_the_mode_that_it_took, 1)
{
    struct status st = STATUS_OK;
    struct lock_table table;
    bool granted;
    TRY(lock_table_init(&table, task->shard));
    const struct bytes row = BYTES_LITERAL("row");
    const struct lock_request other = request_of(2, KV_LOCK_SHARE, KV_WAIT_FAIL);
    struct lock_request one = request_of(1, KV_LOCK_KEY_SHARE, KV_WAIT_FAIL);
    one.level = 1;
    TRY(lock_try(&table, &one, row, &granted));
    const uint64_t first = table.since++;
    one.level = 3;
    one.mode = KV_LOCK_NO_KEY_UPDATE;
    TRY(lock_try(&table, &one, row, &granted));
    const uint64_t second = table.since;
    CHECK(lock_held_since(&table, 1, row, KV_LOCK_KEY_SHARE, first));
    CHECK(!lock_held_since(&table, 1, row, KV_LOCK_NO_KEY_UPDATE, first));
    CHECK(lock_held_since(&table, 1, row, KV_LOCK_NO_KEY_UPDATE, second));
    one.level = 5;
    one.mode = KV_LOCK_UPDATE;
    TRY(lock_try(&table, &one, row, &granted));
    lock_release_levels(&table, 1, 5, 6);
    CHECK(lock_holds(&table, 1, row, KV_LOCK_NO_KEY_UPDATE) && !lock_holds(&table, 1, row, KV_LOCK_UPDATE));
    // Late: it has been asked for again at a later level.
    one.level = 7;
    one.mode = KV_LOCK_NO_KEY_UPDATE;
    TRY(lock_try(&table, &one, row, &granted));
    CHECK(granted);
    lock_release_levels(&table, 1, 3, 4);
    CHECK(lock_holds(&table, 1, row, KV_LOCK_KEY_SHARE) && !lock_holds(&table, 1, row, KV_LOCK_SHARE));
    CHECK(!lock_held_since(&table, 1, row, KV_LOCK_NO_KEY_UPDATE, second));
    TRY(lock_try(&table, &other, row, &granted));
    CHECK(granted);
    lock_release_all(&table, 2);
    TRY(lock_try(&table, &one, row, &granted));
    CHECK(granted && !lock_held_since(&table, 1, row, KV_LOCK_NO_KEY_UPDATE, second));
    CHECK(lock_held_since(&table, 1, row, KV_LOCK_KEY_SHARE, first));
    lock_release_levels(&table, 1, 1, 1);
    CHECK(table.lock_count == 0);
    lock_table_fini(&table);
out:
    return st;
}

// A savepoint's release may come after its transaction has gone on, and asked for the same row again.
NODE_TEST(lock, a_release_that_is_late_is_told_to_who_has_asked_again, 1)
{
    struct status st = STATUS_OK;
    struct lock_table table;
    bool granted;
    TRY(lock_table_init(&table, task->shard));
    const struct bytes row = BYTES_LITERAL("row");
    struct lock_request one = request_of(1, KV_LOCK_UPDATE, KV_WAIT_FAIL);
    const struct lock_request two = request_of(2, KV_LOCK_UPDATE, KV_WAIT_FAIL);
    for (uint32_t i = 0; i < 2; i++) {
        const bool late = i == 1;
        one.level = 3;
        TRY(lock_try(&table, &one, row, &granted));
        if (!late) lock_release_levels(&table, 1, 2, 4);
        one.level = 5;
        TRY(lock_try(&table, &one, row, &granted));
        const uint64_t told = table.since;
        CHECK(granted && lock_held_since(&table, 1, row, KV_LOCK_UPDATE, told));
        if (late) lock_release_levels(&table, 1, 2, 4);
        TRY(lock_try(&table, &two, row, &granted));
        CHECK(granted == late);
        lock_release_all(&table, 2);
        TRY(lock_try(&table, &one, row, &granted));
        CHECK(granted && lock_held_since(&table, 1, row, KV_LOCK_UPDATE, told) != late);
        lock_release_all(&table, 1);
    }
    lock_table_fini(&table);
out:
    return st;
}

// --- what is told of those who wait ------------------------------------------------------------------------

static struct crowd {
    struct lock_table table;
    uint32_t size, waiting;
    bool watching, ended;
    uint64_t reports;
    uint64_t last_ns[CROWD + 2], longest_ns; // By transaction; the longest time between two reports of one.
} crowd;

static void on_blocked(struct lock_waiter *waiter)
{
    uint64_t now = shard_now_ns(waiter->table->shard);
    uint64_t *last = &crowd.last_ns[waiter->owner.txn];
    if (crowd.watching) {
        crowd.reports++;
        if (now - *last > crowd.longest_ns) crowd.longest_ns = now - *last;
    }
    *last = now;
}

static struct status take(struct task *task, void *arg)
{
    const struct lock_request request = {
        .owner = {(uint64_t)(uintptr_t)arg, 1}, .mode = KV_LOCK_UPDATE, .wait = KV_WAIT_BLOCK};
    struct lock_answer answer;
    crowd.waiting++;
    struct status st = lock_acquire(task, &crowd.table, &request, bytes_of_string("row"), &answer);
    lock_release_all(&crowd.table, request.owner.txn);
    crowd.waiting--;
    return st;
}

static struct status crowd_init(struct task *task, void *arg)
{
    struct status st;
    const struct lock_request request = {.owner = {1, 1}, .mode = KV_LOCK_UPDATE};
    struct lock_answer answer;
    (void)arg;
    TRY(lock_table_init(&crowd.table, task->shard));
    crowd.table.since = 1;
    crowd.table.blocked = on_blocked;
    TRY(lock_acquire(task, &crowd.table, &request, bytes_of_string("row"), &answer));
    for (uint32_t i = 0; i < crowd.size; i++) {
        const struct task_options options = {
            .fn = take, .arg = (void *)(uintptr_t)(2 + i), .kind = "waiter", .class = TASK_DEFAULT};
        TRY(task_start(task->shard, &options));
    }
    TRY(task_sleep(task, 5 * SECOND)); // All have been told of.
    crowd.watching = true;
    TRY(task_sleep(task, WATCHED_NS));
    crowd.watching = false;
    lock_release_all(&crowd.table, 1);
    while (crowd.waiting > 0)
        TRY(task_sleep(task, MS));
    lock_table_fini(&crowd.table);
    crowd.ended = true;
out:
    return st;
}

static bool has_ended(void *arg)
{
    (void)arg;
    return crowd.ended;
}

static void watch(uint32_t size)
{
    static const struct node_options one_shard = {.shard_count = 1, .fibers_per_shard = CROWD + 64};
    memset(&crowd, 0, sizeof crowd);
    crowd.size = size;
    struct sim *sim = sim_create(1, NULL);
    sim_node_start(sim_node_add(sim, 1), &one_shard, crowd_init, NULL);
    cr_assert(sim_run_until(sim, has_ended, NULL, 60 * SECOND));
    sim_destroy(sim);
}

// However many wait: else they take the shard from whoever holds what they wait for.
Test(lock, reports_of_a_crowd_are_no_more_than_of_some)
{
    const uint64_t most = (WATCHED_NS / LOCK_REPORT_AGAIN_NS + 1) * LOCK_REPORT_TOGETHER;
    watch(CROWD);
    cr_expect_leq(crowd.reports, most, "%lu reports", (unsigned long)crowd.reports);
    // The graph forgets whom it does not hear of.
    cr_expect_leq(crowd.longest_ns, LOCK_REPORT_AGAIN_MAX_NS + LOCK_REPORT_AGAIN_NS);
    cr_expect_lt(LOCK_REPORT_AGAIN_MAX_NS, DEADLOCK_WAIT_OLD_NS / 2);
}

// Edges change while others give up.
Test(lock, few_who_wait_are_told_of_often)
{
    watch(4);
    cr_expect_leq(crowd.longest_ns, LOCK_REPORT_AGAIN_NS + 10 * MS);
    cr_expect_geq(crowd.reports, 4 * (WATCHED_NS / LOCK_REPORT_AGAIN_NS) * 9 / 10);
}
