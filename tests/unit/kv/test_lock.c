// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lock table alone: what it tells the deadlock detector of those who wait.
#include <criterion/criterion.h>

#include "core/env_sim.h"
#include "kv/deadlock.h"
#include "kv/lock.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define WATCHED_NS (10 * SECOND)
#define CROWD 640u

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
