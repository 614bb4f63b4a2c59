// SPDX-License-Identifier: GPL-3.0-or-later
//
// What placement decides, on tables of nodes and slices.
#include <criterion/criterion.h>
#include <string.h>

#include "kv/placement.h"

#define NODES 5u

static struct placement_node nodes[NODES];
static struct placement_slice slices[8];
static struct placement_step steps[16];
static struct placement_view view;

static void setup(uint32_t node_count, uint32_t slice_count)
{
    view = (struct placement_view){.zone = {.replicas = 3},
        .nodes = nodes,
        .node_count = node_count,
        .slices = slices,
        .slice_count = slice_count};
    for (uint32_t i = 0; i < node_count; i++)
        nodes[i] = (struct placement_node){
            .id = i + 1, .shard_count = 2, .alive = true, .locality = "", .attrs = ""};
    for (uint32_t i = 0; i < slice_count; i++)
        slices[i] = (struct placement_slice){
            .id = i + 1, .leader = 1, .config = {.count = 1, .members = {{.node = 1}}}};
}

static void member(uint32_t slice, uint32_t node, bool learner)
{
    struct raft_config *config = &slices[slice].config;
    config->members[config->count++] = (struct raft_member){.node = node, .learner = learner};
}

static struct placement_step only(void)
{
    cr_assert_eq(placement_plan(&view, steps, 16), 1);
    return steps[0];
}

// Two nodes survive no more than one; the third makes three voters, one after the other.
Test(placement, a_growing_cluster_gets_an_odd_number_of_voters)
{
    setup(2, 1);
    cr_assert_eq(placement_plan(&view, steps, 16), 0);
    setup(3, 1);
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_ADD && step.node != 1);
    member(0, step.node, true);
    cr_assert(only().kind == PLACEMENT_PROMOTE);
    slices[0].config.members[1].learner = false;
    cr_assert(only().kind == PLACEMENT_ADD);
}

// A node that is silent is waited for; one that is dead is replaced before it is removed.
Test(placement, a_dead_node_is_replaced)
{
    setup(4, 1);
    member(0, 2, false);
    member(0, 3, false);
    nodes[2].alive = false;
    cr_assert_eq(placement_plan(&view, steps, 16), 0);
    nodes[2].dead = true;
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_ADD && step.node == 4);
    member(0, 4, false);
    step = only();
    cr_assert(step.kind == PLACEMENT_REMOVE && step.node == 3);
    setup(3, 1);
    member(0, 2, false);
    member(0, 3, false);
    nodes[2].alive = false;
    nodes[2].dead = true;
    cr_assert_eq(placement_plan(&view, steps, 16), 0, "nowhere to go: what is there stays");
}

// Decommissioning: members and leaders leave, also when the leader itself is the one.
Test(placement, a_leaving_node_is_emptied)
{
    setup(4, 1);
    member(0, 2, false);
    member(0, 3, false);
    nodes[0].leaving = true;
    member(0, 4, false);
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_TRANSFER && step.node != 1);
    slices[0].leader = step.node;
    step = only();
    cr_assert(step.kind == PLACEMENT_REMOVE && step.node == 1);
}

// No step may leave fewer voters than decide.
Test(placement, nothing_is_removed_that_is_needed_to_decide)
{
    setup(4, 1);
    member(0, 2, false);
    member(0, 3, false);
    member(0, 4, false);
    nodes[1].alive = nodes[2].alive = false;
    uint32_t count = placement_plan(&view, steps, 16);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(steps[i].kind != PLACEMENT_REMOVE || steps[i].node == 2 || steps[i].node == 3);
}

Test(placement, leaders_are_spread_and_leave_nodes_that_drain)
{
    setup(3, 4);
    for (uint32_t i = 0; i < 4; i++) {
        member(i, 2, false);
        member(i, 3, false);
        slices[i].load = 10;
    }
    for (uint32_t round = 0; round < 16 && placement_plan(&view, steps, 16) > 0; round++)
        cr_assert_eq(steps[0].kind, PLACEMENT_TRANSFER);
    uint32_t led[4] = {0};
    for (uint32_t i = 0; i < 4; i++)
        led[slices[i].leader]++;
    cr_assert(led[1] >= 1 && led[2] >= 1 && led[3] >= 1 && led[1] <= 2);
    nodes[0].draining = true;
    (void)placement_plan(&view, steps, 16);
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_neq(slices[i].leader, 1);
    // Nor where writes are refused for lack of room.
    nodes[0].draining = false;
    nodes[1].full = true;
    (void)placement_plan(&view, steps, 16);
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_neq(slices[i].leader, 2);
}

// A node that is back counts as alive before its replicas answer their leaders.
Test(placement, nobody_is_made_leader_that_its_leader_does_not_hear)
{
    setup(3, 1);
    member(0, 2, false);
    member(0, 3, false);
    nodes[0].draining = true;
    slices[0].silent = 1u << 1 | 1u << 2;
    cr_assert_eq(placement_plan(&view, steps, 16), 0);
    slices[0].silent = 1u << 1;
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_TRANSFER && step.node == 3);
}

static struct placement_class east;

static void setup_class(uint32_t node_count, uint32_t slice_count)
{
    static const char *const localities[NODES] = {
        "region=east", "region=west", "region=east", "region=west", "region=east"};
    setup(node_count, slice_count);
    for (uint32_t i = 0; i < node_count; i++) {
        nodes[i].locality = localities[i];
        nodes[i].shard_count = 1;
    }
    east = (struct placement_class){.hash = 1, .wanted = true,
        .whole = {.replicas = 3, .constraints = "+region=east"}};
    view.classes = &east;
    view.class_count = 1;
    view.complete = true;
}

// Data with another zone gets slices of its own, begun where they may be, and ready when all copies are there.
Test(placement, zones_have_slices_of_their_own)
{
    setup_class(5, 8);
    view.zone.replicas = 1;
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_TRANSFER || step.kind == PLACEMENT_CREATE);
    // Leaders first; then, with too few slices of the default, one of the zone's own.
    for (uint32_t i = 0; i < 8; i++) {
        slices[i].leader = slices[i].config.members[0].node = 1 + i % 5;
        slices[i].ranges = 1;
    }
    step = only();
    cr_assert(step.kind == PLACEMENT_CREATE && step.class == &east);
    cr_assert(nodes[step.node - 1].locality[7] == 'e');
    // Of the default's that are too many an empty one is taken.
    view.slice_count = 8;
    for (uint32_t i = 0; i < 5; i++) nodes[i].leaving = i > 2;
    for (uint32_t i = 0; i < 8; i++) slices[i].leader = slices[i].config.members[0].node = 1 + i % 3;
    slices[6].ranges = 0;
    step = only();
    cr_assert(step.kind == PLACEMENT_CLASS && step.slice == 7 && step.class == &east);
    // Not where the zone has one already while another node that it allows has none: with one copy each it would stay there.
    slices[6].leader = slices[6].config.members[0].node = 1;
    slices[0].class = &east;
    east.whole.replicas = 1;
    step = only();
    cr_assert(step.kind == PLACEMENT_CREATE && step.class == &east && step.node == 3);
}

Test(placement, a_slice_is_ready_when_its_copies_are_where_its_zone_wants_them)
{
    setup_class(5, 1);
    slices[0].class = &east;
    slices[0].id = 2;
    cr_assert(!placement_ready(&view, &slices[0]));
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_ADD && (step.node == 3 || step.node == 5));
    member(0, 3, false);
    member(0, 5, true);
    cr_assert(!placement_ready(&view, &slices[0]), "a learner");
    slices[0].config.members[2].learner = false;
    cr_assert(placement_ready(&view, &slices[0]));
    slices[0].config.members[1].node = 2;
    cr_assert(!placement_ready(&view, &slices[0]), "in the west");
    slices[0].leader = 0;
    cr_assert(!placement_ready(&view, &slices[0]));
}

Test(placement, an_empty_slice_of_a_zone_that_nobody_has_is_of_the_default_again)
{
    setup_class(1, 3);
    slices[2].class = &east;
    east.wanted = false;
    slices[2].ranges = 1;
    cr_assert_eq(placement_plan(&view, steps, 16), 0, "something is there");
    slices[2].ranges = 0;
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_CLASS && step.slice == 3 && step.class == NULL);
    // Nowhere to be: no slice is begun.
    setup_class(1, 2);
    nodes[0].locality = "region=west";
    cr_assert_eq(placement_plan(&view, steps, 16), 0);
}

Test(placement, conditions_and_rules_as_text)
{
    static const struct {
        const char *text;
        uint32_t rules;
        bool malformed;
        const char *why;
    } rows[] = {
        {"", 0, false, "nothing is wished for"},
        {"+region=b,-zone=2,+ssd", 1, false, "of all copies"},
        {"2:+region=a;1:+region=b,+ssd", 2, false, "numbers of copies"},
        {"region=a", 0, true, "neither + nor -"},
        {"+", 0, true, "names nothing"},
        {"0:+a", 0, true, "no copy at all"},
        {"12345:+a", 0, true, "far too many"},
        {"+a,,+b", 0, true, "an empty condition"},
        {"+a;;+b", 1, true, "an empty rule"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone_rule rule;
        bool malformed = false;
        uint32_t rules = 0;
        for (const char *at = rows[i].text; zone_rule_next(&at, &rule, &malformed);)
            rules++;
        cr_expect_eq(rules, rows[i].rules, "%s: %u rules", rows[i].why, rules);
        cr_expect_eq(malformed, rows[i].malformed, "%s", rows[i].why);
    }
    cr_assert(zone_conditions_met(BYTES_LITERAL("+region=b,-zone=2,+ssd"), "region=b,zone=1", "ssd:fast"));
    cr_assert(!zone_conditions_met(BYTES_LITERAL("-region=a"), "region=a,zone=2", ""));
    cr_assert(!zone_conditions_met(BYTES_LITERAL("+region=a"), "region=ab", ""));
}

// A copy that the constraints forbid goes elsewhere, the leader's own too; where there is nowhere to go it stays.
Test(placement, misplaced_copies_move)
{
    setup(4, 1);
    nodes[0].locality = "region=a";
    nodes[1].locality = nodes[2].locality = nodes[3].locality = "region=b";
    member(0, 2, false);
    member(0, 3, false);
    cr_assert_eq(placement_plan(&view, steps, 16), 0, "no wishes");
    strcpy(view.zone.constraints, "-region=a");
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_ADD && step.node == 4);
    member(0, 4, false);
    step = only();
    cr_assert(step.kind == PLACEMENT_TRANSFER && step.node != 1, "the leader hands over first");
    slices[0].leader = step.node;
    step = only();
    cr_assert(step.kind == PLACEMENT_REMOVE && step.node == 1);
    setup(4, 1);
    nodes[3].alive = false;
    member(0, 2, false);
    member(0, 3, false);
    strcpy(view.zone.constraints, "-region=a");
    cr_assert_eq(placement_plan(&view, steps, 16), 0, "nowhere to go");
}

// The slice of the cluster's own records has wishes of its own, when it has any.
Test(placement, the_meta_slice_may_have_more_copies)
{
    setup(5, 2);
    for (uint32_t i = 0; i < 2; i++) {
        member(i, 2, false);
        member(i, 3, false);
    }
    slices[1].leader = 2;
    cr_assert_eq(placement_plan(&view, steps, 16), 0);
    view.meta_zone = (struct zone){.set = ZONE_REPLICAS, .replicas = 5};
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_ADD && step.slice == 1);
}

// Numbers of copies by place: what is short is made up for, and what is too much gives way.
Test(placement, copies_are_counted_by_place)
{
    setup(5, 1);
    nodes[0].locality = nodes[1].locality = nodes[2].locality = "region=a";
    nodes[3].locality = nodes[4].locality = "region=b";
    member(0, 2, false);
    member(0, 3, false);
    strcpy(view.zone.constraints, "1:+region=a;2:+region=b");
    for (uint32_t round = 0; round < 12 && placement_plan(&view, steps, 16) > 0; round++) {
        struct raft_config *config = &slices[0].config;
        switch (steps[0].kind) {
        case PLACEMENT_ADD: member(0, steps[0].node, false); break;
        case PLACEMENT_TRANSFER: slices[0].leader = steps[0].node; break;
        case PLACEMENT_REMOVE:
            for (uint32_t i = 0; i < config->count; i++) {
                if (config->members[i].node != steps[0].node) continue;
                config->members[i] = config->members[--config->count];
                break;
            }
            break;
        default: cr_assert(false, "unexpected step %d", (int)steps[0].kind);
        }
        cr_assert_leq(config->count, 4);
    }
    uint32_t in_b = 0;
    for (uint32_t i = 0; i < slices[0].config.count; i++)
        in_b += slices[0].config.members[i].node >= 4;
    cr_assert_eq(slices[0].config.count, 3);
    cr_assert_eq(in_b, 2);
    cr_assert_eq(placement_plan(&view, steps, 16), 0, "and there it rests");
}

Test(placement, constraints_and_preferences)
{
    setup(4, 1);
    nodes[1].locality = "region=a,zone=1";
    nodes[2].locality = "region=a,zone=2";
    nodes[3].locality = "region=b,zone=1";
    nodes[3].attrs = "ssd:fast";
    strcpy(view.zone.constraints, "+region=b");
    cr_assert(only().node == 4);
    view.zone.constraints[0] = 0;
    member(0, 2, false);
    cr_assert(only().node == 4, "the one unlike the others");
    member(0, 4, false);
    strcpy(view.zone.lease_preferences, "+region=b;+region=a");
    struct placement_step step = only();
    cr_assert(step.kind == PLACEMENT_TRANSFER && step.node == 4);
}

// Each core of the cluster gets slices of its own, begun where few are led.
Test(placement, new_cores_get_slices)
{
    setup(3, 4);
    view.complete = true;
    view.zone.replicas = 1;
    struct placement_step step = {0};
    for (uint32_t i = 0; i < 4; i++)
        slices[i].leader = slices[i].config.members[0].node = i % 2 + 1;
    step = only();
    cr_assert(step.kind == PLACEMENT_CREATE && step.node == 3);
    view.complete = false;
    cr_assert_eq(placement_plan(&view, steps, 16), 0);
}
