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
    kills->waits[kills->count++] = id.wait;
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
