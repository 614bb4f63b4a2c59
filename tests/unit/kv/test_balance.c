// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which range goes where when one core has more to do than another; and that loads of all kinds come to rest.
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

#include "kv/balance.h"

#define SLICES 8u
#define RANGES 40u
#define THRESHOLD BALANCE_RATE_DEFAULT

static struct balance_slice slices[SLICES];
static struct balance_wish wish;
static double asked_here; // The part of what there is to do that sessions of the leaders' own nodes ask for.

// The wish of the first slice that has one, after `skip` others that have one.
static bool wished(uint32_t count, uint32_t skip)
{
    for (uint32_t i = 0; i < count; i++) slices[i].movable = (uint64_t)((double)slices[i].load * (1 - asked_here));
    balance_cores(slices, count);
    for (uint32_t next = 0;; next = wish.from + 1) {
        if (!balance_slices(slices, count, THRESHOLD, next, &wish)) return false;
        if (skip-- == 0) return true;
    }
}

static uint64_t from_id(void)
{
    return slices[wish.from].id;
}

static uint64_t to_id(void)
{
    return slices[wish.to].id;
}

static void setup(uint32_t count, uint32_t cores)
{
    for (uint32_t i = 0; i < count; i++)
        slices[i] = (struct balance_slice){
            .id = i + 1, .node = 1 + i % cores / 2, .shard = i % 2, .ranges = 3, .taking = true};
}

Test(balance, the_busiest_core_gives_to_the_idlest)
{
    setup(4, 4); // Two nodes with two cores.
    slices[1].load = 5000;
    slices[2].load = 900;
    slices[3].load = 800;
    cr_assert(wished(4, 0));
    cr_assert(from_id() == 2 && to_id() == 4 && wish.gap == 4200, "not to the meta slice");
    slices[wish.to].taking = false; // It drains.
    cr_assert(wished(4, 0) && from_id() == 2 && to_id() == 3);
    slices[wish.to].placement = 7; // Its copies are elsewhere.
    cr_assert(!wished(4, 0));
}

// Wherever else a range were led, its sessions would have as much more to do as their core were spared.
Test(balance, what_its_own_sessions_ask_for_stays_on_a_node)
{
    asked_here = 0.7;
    setup(4, 4);
    slices[1].load = 5000;
    cr_assert(wished(4, 0) && slices[wish.to].node == 2, "enough comes from others");
    asked_here = 0.8;
    cr_assert(!wished(4, 0), "the other core of the node leads the meta slice alone");
    setup(8, 4);
    slices[1].load = 5000;
    slices[4].load = 100; // On the node's other core.
    cr_assert(wished(8, 0) && from_id() == 2 && to_id() == 5, "cores of one node ask each other for little");
}

Test(balance, small_differences_are_left_alone)
{
    setup(4, 4);
    slices[1].load = 10000;
    slices[2].load = slices[3].load = 7600;
    cr_assert(!wished(4, 0), "a quarter is not enough");
    for (uint32_t i = 0; i < 4; i++) slices[i].load = 0;
    slices[1].load = THRESHOLD - 1;
    cr_assert(!wished(4, 0), "nothing to do worth a move");
    setup(1, 1);
    slices[0].load = 1000000;
    cr_assert(!wished(1, 0), "nowhere else");
}

Test(balance, the_slices_of_a_core_by_what_they_have_to_do)
{
    setup(8, 4);
    slices[1].load = 300; // Slices 2 and 6 are on one core.
    slices[5].load = 4000;
    cr_assert(wished(8, 0) && from_id() == 6);
    cr_assert(wished(8, 1) && from_id() == 2);
    cr_assert(!wished(8, 2));
    setup(8, 4);
    slices[1].load = slices[5].load = 4000;
    cr_assert(wished(8, 0) && from_id() == 2);
    cr_assert(wished(8, 1) && from_id() == 6);
    cr_assert(!wished(8, 2));
}

// What the busiest core does cannot always go (one range, or what stays where it is): that is no reason to leave the others.
Test(balance, cores_after_the_busiest_give_too)
{
    setup(4, 4);
    slices[0].load = 9000;
    slices[1].load = 5000;
    slices[2].load = 100;
    cr_assert(wished(4, 0) && from_id() == 1 && to_id() == 4 && wish.gap == 9000);
    cr_assert(wished(4, 1) && from_id() == 2 && to_id() == 4 && wish.gap == 5000);
    cr_assert(!wished(4, 2));
}

Test(balance, the_range_that_closes_the_gap_best)
{
    struct balance_range ranges[] = {{.rate = 800}, {.rate = 450}, {.rate = 100}, {.rate = 10}};
    const uint64_t load = 1360;
    cr_assert_eq(balance_range(ranges, 4, load, 1000, THRESHOLD), 1);
    ranges[1].resting = true;
    cr_assert_eq(balance_range(ranges, 4, load, 1000, THRESHOLD), 2, "800 would only turn the difference around");
    ranges[2].resting = true;
    cr_assert_eq(balance_range(ranges, 4, load, 1000, THRESHOLD), 4);
    const struct balance_range one = {.rate = 5000};
    cr_assert_eq(balance_range(&one, 1, 5000, 5000, THRESHOLD), 1, "all there is to do: it is no better elsewhere");
    const struct balance_range idle = {0};
    cr_assert_eq(balance_range(&idle, 1, 5000, 5000, THRESHOLD), 1);
}

// Many ranges with little each are moved, too, one after the other.
Test(balance, many_small_ranges_are_moved)
{
    struct balance_range ranges[200];
    for (uint32_t i = 0; i < 200; i++) ranges[i] = (struct balance_range){.rate = 100};
    cr_assert_lt(balance_range(ranges, 200, 20000, 20000, THRESHOLD), 200);
}

// Whatever the loads are, and wherever the ranges: after some moves none follows, and none was in vain.
Test(balance, random_loads_come_to_rest)
{
    srand(20261121);
    for (uint32_t run = 0; run < 2000; run++) {
        struct balance_range ranges[RANGES], there[RANGES];
        uint32_t home[RANGES], index[RANGES], moves = 0;
        setup(SLICES, 4);
        for (uint32_t i = 0; i < RANGES; i++) {
            const uint32_t scale = 1u << rand() % 12;
            ranges[i] = (struct balance_range){.rate = (uint64_t)rand() % scale};
            home[i] = (uint32_t)rand() % (run % 2 == 0 ? 2 : SLICES);
        }
        for (;; moves++) {
            cr_assert_leq(moves, RANGES * 3, "run %u: it does not come to rest", run);
            setup(SLICES, 4);
            for (uint32_t i = 0; i < SLICES; i++) slices[i].load = slices[i].ranges = 0;
            for (uint32_t i = 0; i < RANGES; i++) {
                slices[home[i]].load += ranges[i].rate;
                slices[home[i]].ranges++;
            }
            uint32_t chosen = RANGES;
            for (uint32_t skip = 0; chosen == RANGES && wished(SLICES, skip); skip++) {
                uint32_t count = 0;
                for (uint32_t i = 0; i < RANGES; i++) {
                    if (home[i] != from_id() - 1) continue;
                    index[count] = i;
                    there[count++] = ranges[i];
                }
                uint32_t at = balance_range(there, count, slices[wish.from].load, wish.gap, THRESHOLD);
                if (at < count) chosen = index[at];
            }
            if (chosen == RANGES) break;
            // A core has less to do than before, and who gets the range less than it had.
            cr_assert(ranges[chosen].rate > 0 && ranges[chosen].rate < wish.gap);
            home[chosen] = (uint32_t)to_id() - 1;
        }
    }
}

Test(balance, what_an_operator_has_sent_somewhere_stays_for_a_while)
{
    struct balance balance = {0};
    const struct bytes sent = BYTES_LITERAL("sent"), other = BYTES_LITERAL("other");
    balance_rest(&balance, sent, BALANCE_RELOCATED_NS);
    cr_assert(balance_rests(&balance, sent, BALANCE_RELOCATED_NS - 1));
    cr_assert_not(balance_rests(&balance, sent, BALANCE_RELOCATED_NS));
    cr_assert_not(balance_rests(&balance, other, 1));
    // Those that come later are more than there is room for.
    for (uint8_t i = 0; i < BALANCE_RESTED_MAX; i++)
        balance_rest(&balance, (struct bytes){&i, 1}, BALANCE_RELOCATED_NS);
    cr_assert_not(balance_rests(&balance, sent, 1));
}
