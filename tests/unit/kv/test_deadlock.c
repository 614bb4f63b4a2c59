// SPDX-License-Identifier: GPL-3.0-or-later
//
// The graph of waits: a cycle costs its youngest transaction the wait, and nobody else.
#include <criterion/criterion.h>

#include "kv/deadlock.h"

struct kills {
    uint64_t waits[8];
    uint32_t count;
};

static void note_kill(void *arg, struct deadlock_wait_id id)
{
    struct kills *kills = arg;
    kills->waits[kills->count++ % 8] = id.wait;
}

static struct kills kills;
static struct deadlock_graph *graph;

static void setup(void)
{
    cr_assert_not(failed(deadlock_graph_create(note_kill, &kills, &graph)));
}

static void teardown(void)
{
    deadlock_graph_destroy(graph);
}

// Transaction `txn` (its age is its number: higher is younger) waits in wait number `wait` for
// `others`.
static void wait_for(uint64_t txn, uint64_t wait, const uint64_t *others, uint32_t count)
{
    struct lock_owner_id owners[4];
    for (uint32_t i = 0; i < count; i++) owners[i] = (struct lock_owner_id){others[i], others[i]};
    deadlock_graph_wait(graph, (struct deadlock_wait_id){1, 0, 1, wait},
        (struct lock_owner_id){txn, txn}, owners, count);
}
#define WAITS(txn, wait, ...) \
    wait_for(txn, wait, (const uint64_t[]){__VA_ARGS__}, \
        sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

TestSuite(deadlock, .init = setup, .fini = teardown);

Test(deadlock, of_two_ends_with_the_younger)
{
    WAITS(5, 50, 9);
    cr_assert_eq(kills.count, 0);
    WAITS(9, 90, 5);
    cr_assert_eq(kills.count, 1);
    cr_assert_eq(kills.waits[0], 90);
    cr_assert_eq(deadlock_graph_count(graph), 1, "the victim's wait is forgotten");
}

Test(deadlock, of_three_is_found_whoever_closes_it)
{
    WAITS(3, 30, 8, 7);
    WAITS(8, 80, 1);
    WAITS(1, 10, 3);
    cr_assert_eq(kills.count, 1);
    cr_assert_eq(kills.waits[0], 80, "the youngest of the cycle, not of all");
}

Test(deadlock, chains_without_a_cycle_are_none)
{
    WAITS(1, 10, 2);
    WAITS(2, 20, 3);
    WAITS(4, 40, 3, 2, 1);
    cr_assert_eq(kills.count, 0);
    deadlock_graph_wait_end(
        graph, (struct deadlock_wait_id){1, 0, 1, 20}, (struct lock_owner_id){2, 2});
    WAITS(3, 30, 1);
    cr_assert_eq(kills.count, 0, "2 waits no more, so nothing leads back to 3");
}

Test(deadlock, reports_replace_what_was_known)
{
    WAITS(1, 10, 2);
    WAITS(1, 10, 3);
    WAITS(2, 20, 1);
    cr_assert_eq(kills.count, 0);
    WAITS(3, 30, 1);
    cr_assert_eq(kills.count, 1);
}

// A transaction may wait in several slices at once: all its waits end.
Test(deadlock, victim_loses_all_its_waits)
{
    WAITS(9, 91, 4);
    WAITS(9, 92, 5);
    WAITS(5, 50, 9);
    cr_assert_eq(kills.count, 2);
    cr_assert_eq(deadlock_graph_count(graph), 1);
}

// --- crowds ------------------------------------------------------------------------------------------------

#define CROWD 2000u

// Transactions 2 to CROWD + 1 wait in one line for `holder`.
static void line_reports(uint64_t holder)
{
    for (uint64_t txn = 2; txn < 2 + CROWD; txn++) {
        if (txn == holder) continue;
        const uint64_t others[] = {holder, txn - 1};
        wait_for(txn, txn, others, txn - 1 == holder || txn == 2 ? 1 : 2);
    }
}

// Whoever reports must not have the whole line looked at: that would be the square of it each time.
Test(deadlock, reports_of_a_long_line_cost_no_more_than_its_length)
{
    uint64_t now_ns = 0;
    line_reports(1);
    cr_assert_lt(deadlock_graph_steps(graph), CROWD * 150, "each came with new edges: %lu", deadlock_graph_steps(graph));
    deadlock_graph_age(graph, now_ns += 1000000000);
    line_reports(1); // All that was left unsure.
    uint64_t before = deadlock_graph_steps(graph);
    for (uint32_t i = 0; i < 20; i++) {
        deadlock_graph_age(graph, now_ns += 1000000000);
        line_reports(1);
    }
    cr_assert_eq(deadlock_graph_steps(graph), before, "nothing is new");
    for (uint64_t holder = 2; holder < 22; holder++) {
        deadlock_graph_age(graph, now_ns += 1000000000);
        deadlock_graph_wait_end(graph, (struct deadlock_wait_id){1, 0, 1, holder}, (struct lock_owner_id){holder, holder});
        for (uint64_t txn = holder + 1; txn < 2 + CROWD; txn++) {
            const uint64_t others[] = {holder, txn - 1};
            wait_for(txn, txn, others, txn - 1 == holder ? 1 : 2);
        }
    }
    cr_assert_leq(deadlock_graph_steps(graph) - before, 20 * CROWD, "one new edge each");
    cr_assert_eq(kills.count, 0);
}

Test(deadlock, of_a_crowd_is_found_in_the_end)
{
    for (uint64_t txn = 2; txn <= CROWD; txn++) WAITS(txn, txn, txn - 1);
    WAITS(1, 1, CROWD);
    WAITS(7777, 7777, 7778);
    deadlock_graph_age(graph, 4000000000);
    const uint64_t before = deadlock_graph_steps(graph);
    WAITS(7777, 7777, 7778); // Whoever reports next.
    cr_assert_eq(kills.count, 1);
    cr_assert_eq(kills.waits[0], CROWD, "the youngest");
    cr_assert_leq(deadlock_graph_steps(graph) - before, 2 * CROWD);
    deadlock_graph_age(graph, 4900000000);
    for (uint64_t txn = 1; txn < CROWD; txn++) WAITS(txn, txn, txn == 1 ? CROWD : txn - 1);
    cr_assert_eq(kills.count, 1, "it was the only one");
}

// Whoever holds what all of a line wait for, and waits for one of them.
Test(deadlock, with_a_line_is_found_at_once)
{
    line_reports(1);
    WAITS(1, 1, CROWD / 2);
    cr_assert_eq(kills.count, 1);
    cr_assert_eq(kills.waits[0], CROWD / 2);
}

Test(deadlock, one_search_ends_all_cycles)
{
    enum { RINGS = 10, MEMBERS = 200 };
    for (uint64_t ring = 0; ring < RINGS; ring++) {
        // The first of each waits for one of the ring before it, too.
        const uint64_t first = 1 + ring * MEMBERS;
        for (uint64_t i = 1; i < MEMBERS; i++) WAITS(first + i, first + i, first + i - 1);
        WAITS(first, first, first + MEMBERS - 1, ring == 0 ? 9999 : first - 5);
    }
    deadlock_graph_age(graph, 4000000000);
    WAITS(7777, 7777, 7778);
    cr_assert_eq(kills.count, RINGS);
    cr_assert_eq(deadlock_graph_count(graph), RINGS * (MEMBERS - 1) + 1);
}

Test(deadlock, edges_close_more_than_one_cycle)
{
    WAITS(2, 20, 1);
    WAITS(3, 30, 1);
    WAITS(1, 10, 2, 3);
    deadlock_graph_age(graph, 1000000000);
    WAITS(1, 10, 2, 3);
    cr_assert_eq(kills.count, 2);
    cr_assert_eq(deadlock_graph_count(graph), 1, "1 goes on");
}

Test(deadlock, waits_nobody_tells_of_are_forgotten)
{
    line_reports(1);
    deadlock_graph_age(graph, 3000000000);
    WAITS(2, 2, 1);
    deadlock_graph_age(graph, DEADLOCK_WAIT_OLD_NS + 1000000000);
    cr_assert_eq(deadlock_graph_count(graph), 1);
}
