// SPDX-License-Identifier: GPL-3.0-or-later
//
// Consensus alone, case by case. Random faults: tests/sim/scenario_raft.c.
#include <criterion/criterion.h>

#include "tests/sim/raft_cluster.h"

static struct raft_cluster *cluster;

static void setup(uint32_t voters)
{
    cluster = malloc(sizeof *cluster);
    cluster_init(cluster, 7, voters);
    cluster->in_order = true;
}

static void teardown(void)
{
    cluster_check_matching(cluster);
    cr_assert(!cluster->violated, "%s", cluster->violation);
    cluster_fini(cluster);
    free(cluster);
}

// Runs until there is a leader; returns it.
static struct cluster_replica *elect(void)
{
    for (uint32_t i = 0; i < 60 && cluster_leader(cluster) == NULL; i++)
        cluster_run(cluster, 1);
    struct cluster_replica *leader = cluster_leader(cluster);
    cr_assert_not_null(leader);
    cluster_run(cluster, 1);
    return leader;
}

static struct cluster_replica *other_than(const struct cluster_replica *one, uint32_t skip)
{
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
        struct cluster_replica *at = &cluster->nodes[i];
        if (at->running && at != one && skip-- == 0) return at;
    }
    return NULL;
}

static void cut_off(uint32_t node, bool cut)
{
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++)
        cluster->cut[node][i] = cluster->cut[i][node] = cut;
}

static bool same_everywhere(uint64_t index)
{
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
        if (!cluster->nodes[i].running) continue;
        if (cluster->nodes[i].applied < index) return false;
    }
    return true;
}

Test(raft, one_voter_leads_at_once_and_commits_what_is_durable)
{
    setup(1);
    struct cluster_replica *one = &cluster->nodes[1];
    cr_assert(raft_alone(&one->raft));
    cr_assert(cluster_propose(one, 8));
    cr_expect_eq(one->applied, 0, "not before it is durable");
    cluster_disk_complete(one, 1);
    cr_expect_eq(one->applied, 1);
    cr_expect_eq(cluster->messages_sent, 0);
    cr_expect_eq(one->disk_count, 1, "no record but the entry");
    teardown();
}

Test(raft, three_voters_elect_replicate_and_go_quiet)
{
    setup(3);
    struct cluster_replica *leader = elect();
    for (uint32_t i = 0; i < 100; i++)
        cr_assert(cluster_propose(leader, 100));
    cluster_run(cluster, 2);
    cr_expect(same_everywhere(100));
    cluster_run(cluster, 20);
    uint64_t sent = cluster->messages_sent;
    cluster_run(cluster, 1000);
    cr_expect_eq(cluster->messages_sent, sent, "nothing to do is nothing to say");
    for (uint32_t i = 1; i <= 3; i++) {
        cr_expect(cluster->nodes[i].raft.quiet);
        cr_expect_eq(cluster->nodes[i].raft.window_count, 0, "memory of an idle group");
    }
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 2);
    cr_expect(same_everywhere(102), "a proposal wakes it");
    teardown();
}

// The way out after a loss: what the survivor has is committed, it serves alone, and others may be added again.
Test(raft, a_survivor_is_forced_to_go_on_alone)
{
    setup(5);
    struct cluster_replica *leader = elect();
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 3);
    cr_expect(failed(raft_force_alone(&leader->raft)), "who leads needs no force");
    struct cluster_replica *survivor = other_than(leader, 0);
    cut_off(survivor->node, true);
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 20);
    cr_expect_neq(survivor->raft.role, RAFT_LEADER);
    uint64_t applied = survivor->applied, term = survivor->raft.term;
    cr_assert(!failed(raft_force_alone(&survivor->raft)));
    cluster_run(cluster, 3);
    cr_assert(survivor->raft.role == RAFT_LEADER && survivor->raft.term > term);
    cr_expect_eq(survivor->raft.committed.count, 1);
    cr_expect_eq(survivor->raft.committed.members[0].node, survivor->node);
    cr_expect_eq(survivor->raft.commit, survivor->raft.last);
    cr_expect_gt(survivor->applied, applied);
    // By the letter of consensus this is a second past: the cluster's checks of one past do not apply.
    cluster->violated = false;
    cr_assert(cluster_propose(survivor, 8));
    cluster_run(cluster, 1);
    cluster->violated = false;
    cluster_run(cluster, 1);
    cr_expect_eq(survivor->raft.commit, survivor->raft.last, "it commits by itself");
    uint64_t index;
    cr_expect(!failed(raft_config_change(&survivor->raft, RAFT_ADD_LEARNER, 6, &index)));
    cluster->violated = false;
    teardown();
}

Test(raft, proposals_of_a_turn_leave_in_one_message_each)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster_run(cluster, 3);
    uint64_t sent = cluster->messages_sent;
    uint64_t index;
    for (uint32_t i = 0; i < 50; i++)
        cr_assert(raft_propose(&leader->raft, BYTES_LITERAL("entry"), NULL, &index));
    cluster_pump(leader);
    cr_expect_eq(cluster->messages_sent - sent, 2);
    teardown();
}

Test(raft, small_appends_wait_for_more_while_two_are_under_way)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster_run(cluster, 3);
    uint64_t sent = cluster->messages_sent;
    uint64_t index;
    for (uint32_t i = 0; i < 20; i++) {
        cr_assert(raft_propose(&leader->raft, BYTES_LITERAL("entry"), NULL, &index));
        raft_flush(&leader->raft);
    }
    cr_expect_eq(cluster->messages_sent - sent, 2 * RAFT_PACED_MESSAGES);
    cr_expect(leader->raft.held);
    raft_flush_held(&leader->raft);
    cr_expect_eq(cluster->messages_sent - sent, 2 * RAFT_PACED_MESSAGES + 2, "what waited leaves in one");
    cr_expect(!leader->raft.held);
    cluster_run(cluster, 3);
    cr_expect(same_everywhere(index));
    teardown();
}

static void propose_many(struct cluster_replica *leader, uint32_t count)
{
    uint64_t index;
    for (uint32_t i = 0; i < count; i++)
        cr_assert(raft_propose(&leader->raft, BYTES_LITERAL("entry"), NULL, &index));
}

// The member that the leader lets wait; NULL: none.
static struct cluster_replica *lazy_of(struct cluster_replica *leader)
{
    struct cluster_replica *found = NULL;
    for (uint32_t i = 0; i < leader->raft.progress_count; i++) {
        if (!leader->raft.progress[i].lazy) continue;
        cr_expect_null(found);
        found = &cluster->nodes[leader->raft.progress[i].node];
    }
    return found;
}

// One of three voters is enough beside the leader: the other gets what many turns have brought in one append.
Test(raft, under_load_who_is_not_needed_for_a_quorum_gets_fewer_appends)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster_run(cluster, 3);
    cluster->lazy_waits = true;
    cr_expect_null(lazy_of(leader), "few entries are for everybody at once");
    propose_many(leader, RAFT_BUSY_ENTRIES);
    cluster_run(cluster, 1);
    struct cluster_replica *lazy = lazy_of(leader);
    cr_assert_not_null(lazy);
    uint64_t before = lazy->raft.last;
    for (uint32_t i = 0; i < 10; i++) {
        propose_many(leader, 5);
        cluster_pump(leader);
        cr_expect(leader->raft.held_lazy);
        cluster_settle(cluster);
        cr_expect_eq(leader->raft.commit, leader->raft.last, "the quick ones have committed it");
    }
    cr_expect_eq(lazy->raft.last, before);
    uint64_t sent = cluster->messages_sent;
    raft_flush_lazy(&leader->raft);
    cr_expect_eq(cluster->messages_sent, sent + 1);
    cr_expect(!leader->raft.held_lazy);
    propose_many(leader, RAFT_LAZY_ENTRIES);
    sent = cluster->messages_sent;
    raft_flush(&leader->raft);
    cr_expect_eq(cluster->messages_sent, sent + 2, "so many wait for nobody");
    cluster_run(cluster, 30);
    cr_expect_null(lazy_of(leader));
    cr_expect(same_everywhere(leader->raft.last), "what comes last does not stay behind");
    teardown();
}

Test(raft, who_waits_takes_the_place_of_a_quick_member_that_is_gone)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster->lazy_waits = true;
    propose_many(leader, RAFT_BUSY_ENTRIES);
    cluster_run(cluster, 1);
    struct cluster_replica *lazy = lazy_of(leader);
    cr_assert_not_null(lazy);
    struct cluster_replica *quick = other_than(leader, other_than(leader, 0) == lazy);
    cut_off(quick->node, true);
    propose_many(leader, RAFT_BUSY_ENTRIES);
    cluster_pump(leader);
    raft_flush_lazy(&leader->raft); // The driver's, some milliseconds later.
    cluster_settle(cluster);
    cluster_run(cluster, 1);
    cr_expect_eq(lazy_of(leader), quick);
    propose_many(leader, RAFT_BUSY_ENTRIES);
    cluster_pump(leader);
    cluster_settle(cluster);
    cr_expect_eq(leader->raft.commit, leader->raft.last);
    teardown();
}

Test(raft, an_append_is_acknowledged_once_when_it_is_durable)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster_run(cluster, 3);
    cluster->messages_sent = 0;
    cr_assert(cluster_propose(leader, 8));
    cluster_pump(leader);
    cluster_deliver_all(cluster);
    cr_expect_eq(cluster->messages_sent, 2, "two appends, and nothing to say about them yet");
    for (uint32_t i = 1; i <= 3; i++)
        cluster_disk_complete(&cluster->nodes[i], UINT32_MAX);
    cluster_deliver_all(cluster);
    cr_expect_eq(cluster->messages_sent, 4);
    cr_expect_eq(leader->raft.commit, leader->raft.last);
    teardown();
}

Test(raft, a_leader_cut_off_steps_down_and_its_entries_are_replaced)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cut_off(leader->node, true);
    cr_assert(cluster_propose(leader, 8));
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 40);
    cr_expect_neq(leader->raft.role, RAFT_LEADER, "it hears from no quorum");
    struct cluster_replica *next = cluster_leader(cluster);
    cr_assert(next != NULL && next != leader);
    cr_assert(cluster_propose(next, 8));
    cluster_run(cluster, 3);
    uint64_t term = next->raft.term;
    cut_off(leader->node, false);
    cluster_run(cluster, 30);
    cr_expect_eq(leader->proposals_failed, 2, "they never commit, and are told so");
    cr_expect_eq(cluster_leader(cluster), next, "who comes back disturbs nobody");
    cr_expect_eq(next->raft.term, term);
    cr_expect_eq(leader->applied, next->applied);
    teardown();
}

Test(raft, a_follower_cut_off_and_back_does_not_depose_the_leader)
{
    setup(3);
    struct cluster_replica *leader = elect();
    struct cluster_replica *follower = other_than(leader, 0);
    uint64_t term = leader->raft.term;
    cut_off(follower->node, true);
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 200);
    cut_off(follower->node, false);
    cluster_run(cluster, 30);
    cr_expect_eq(leader->raft.role, RAFT_LEADER);
    cr_expect_eq(leader->raft.term, term, "it only asked whether it could win");
    cr_expect_eq(follower->applied, leader->applied);
    teardown();
}

Test(raft, a_quiet_group_notices_that_its_leader_is_gone_when_told)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster_run(cluster, 30);
    cr_assert(leader->raft.quiet);
    cluster_crash(leader, 0);
    cluster_run(cluster, 100);
    cr_expect_null(cluster_leader(cluster), "quiet: nobody looks");
    struct cluster_replica *one = other_than(leader, 0), *two = other_than(leader, 1);
    raft_leader_lost(&one->raft);
    raft_leader_lost(&two->raft);
    cluster_run(cluster, 10);
    cr_expect_not_null(cluster_leader(cluster));
    teardown();
}

// Who was away when the group went to rest asks for nothing: a quiet follower, or a learner, which never calls.
Test(raft, a_member_that_is_back_gets_what_it_missed)
{
    setup(3);
    struct cluster_replica *leader = elect(), *away = other_than(leader, 0);
    cluster_run(cluster, 30);
    cr_assert(away->raft.quiet);
    cluster->cut[leader->node][away->node] = cluster->cut[away->node][leader->node] = true;
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 100);
    cr_assert(leader->raft.quiet, "nobody waits for it");
    cr_expect(raft_owes(&leader->raft, 0));
    cr_expect(raft_owes(&leader->raft, away->node));
    cr_expect(!raft_owes(&leader->raft, other_than(leader, 1)->node));
    cluster->cut[leader->node][away->node] = cluster->cut[away->node][leader->node] = false;
    raft_member_back(&leader->raft, away->node);
    cluster_pump(leader);
    cluster_run(cluster, 20);
    cr_expect_eq(away->raft.commit, leader->raft.commit);
    cr_expect(leader->raft.quiet);
    cr_expect(!raft_owes(&leader->raft, 0));
    teardown();
}

// It lacks nothing, but nobody has heard it: it could not be made leader for as long as the group is at rest.
Test(raft, a_member_that_was_silent_at_the_time_of_rest_is_heard_again)
{
    setup(3);
    struct cluster_replica *leader = elect(), *away = other_than(leader, 0);
    cluster_run(cluster, 30);
    cluster->cut[leader->node][away->node] = cluster->cut[away->node][leader->node] = true;
    raft_wake(&leader->raft);
    cluster_run(cluster, 100);
    cr_assert(leader->raft.quiet);
    cr_expect(!raft_hears(&leader->raft, away->node));
    cr_expect(raft_owes(&leader->raft, away->node));
    cluster->cut[leader->node][away->node] = cluster->cut[away->node][leader->node] = false;
    raft_member_back(&leader->raft, away->node);
    cluster_pump(leader);
    cluster_run(cluster, 20);
    cr_expect(leader->raft.quiet);
    cr_expect(raft_hears(&leader->raft, away->node));
    cr_assert(!failed(raft_transfer(&leader->raft, away->node)));
    teardown();
}

Test(raft, a_leader_that_restarts_is_voted_for_though_followers_were_quiet)
{
    setup(3);
    struct cluster_replica *leader = elect();
    cluster_run(cluster, 30);
    cr_assert(leader->raft.quiet);
    cluster_crash(leader, UINT32_MAX / 2);
    cluster_start(leader);
    cluster_run(cluster, 40);
    cr_expect_not_null(cluster_leader(cluster));
    teardown();
}

Test(raft, leadership_is_handed_over_without_waiting)
{
    setup(3);
    struct cluster_replica *leader = elect();
    struct cluster_replica *next = other_than(leader, 1);
    cluster_run(cluster, 3);
    cr_assert(!failed(raft_transfer(&leader->raft, next->node)));
    cr_expect(!cluster_propose(leader, 8), "nothing is accepted meanwhile");
    cluster_pump(leader);
    cluster_run(cluster, 1);
    cr_expect_eq(cluster_leader(cluster), next);
    cr_expect_eq(leader->raft.role, RAFT_FOLLOWER);
    teardown();
}

Test(raft, handing_over_to_who_does_not_answer_ends_by_itself)
{
    setup(3);
    struct cluster_replica *leader = elect();
    struct cluster_replica *next = other_than(leader, 0);
    cut_off(next->node, true);
    cr_assert(!failed(raft_transfer(&leader->raft, next->node)));
    cluster_run(cluster, 10);
    cr_expect_eq(leader->raft.transferee, 0);
    cr_expect(cluster_propose(leader, 8));
    teardown();
}

static void change(enum raft_change kind, uint32_t node)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < 30; i++) {
        uint64_t index;
        struct cluster_replica *leader = cluster_leader(cluster);
        cluster_run(cluster, 2);
        st = raft_config_change(&leader->raft, kind, node, &index);
        if (!failed(st)) break;
    }
    cr_assert(!failed(st), "%s", st.message);
    cluster_pump(cluster_leader(cluster));
    cluster_run(cluster, 3);
}

// While another node's state takes the place of its own it must not come to lead, whatever was under way when that began.
Test(raft, who_stands_still_does_not_come_to_lead)
{
    setup(3);
    struct cluster_replica *leader = elect(), *next = other_than(leader, 0), *third = other_than(leader, 1);
    raft_stand(&next->raft, true);
    cr_assert(!failed(raft_transfer(&leader->raft, next->node)));
    cluster_run(cluster, 3 * RAFT_ELECTION_TICKS);
    cr_expect_eq(cluster_leader(cluster), leader, "it does not take over");
    raft_campaign(&next->raft);
    cr_expect_eq(next->raft.role, RAFT_FOLLOWER);
    cr_expect(failed(raft_force_alone(&next->raft)));
    // Its vote makes another one leader.
    cut_off(leader->node, true);
    raft_leader_lost(&next->raft);
    raft_leader_lost(&third->raft);
    cluster_run(cluster, 6 * RAFT_ELECTION_TICKS);
    cr_expect_eq(third->raft.role, RAFT_LEADER);
    cr_expect_eq(next->raft.role, RAFT_FOLLOWER);
    cut_off(leader->node, false);
    cluster_run(cluster, 3);
    // The answers to a campaign that had begun do not matter any more.
    raft_stand(&next->raft, false);
    cut_off(third->node, true);
    raft_leader_lost(&next->raft);
    for (uint32_t i = 0; i < 200 && next->raft.role == RAFT_FOLLOWER; i++) raft_tick(&next->raft);
    cr_assert_neq(next->raft.role, RAFT_FOLLOWER);
    raft_stand(&next->raft, true);
    for (uint32_t i = 0; i < 6 * RAFT_ELECTION_TICKS; i++) {
        cluster_run(cluster, 1);
        cr_assert_neq(next->raft.role, RAFT_LEADER);
    }
    cut_off(third->node, false);
    raft_stand(&next->raft, false);
    cr_assert_not_null(elect());
    teardown();
}

Test(raft, one_voter_grows_to_three_by_snapshots_and_shrinks_again)
{
    setup(1);
    struct cluster_replica *one = &cluster->nodes[1];
    for (uint32_t i = 0; i < 20; i++)
        cr_assert(cluster_propose(one, 50));
    cluster_disk_complete(one, UINT32_MAX);
    for (uint32_t node = 2; node <= 3; node++) {
        cluster->nodes[node].exists = true;
        cluster_start(&cluster->nodes[node]);
        change(RAFT_ADD_LEARNER, node);
        change(RAFT_PROMOTE, node);
    }
    cr_expect_eq(cluster->snapshots_sent, 2);
    cr_expect_eq(raft_config_voters(&one->raft.committed), 3);
    cluster_crash(one, UINT32_MAX / 2);
    for (uint32_t node = 2; node <= 3; node++) // The group may rest already.
        raft_leader_lost(&cluster->nodes[node].raft);
    struct cluster_replica *next = elect();
    cr_assert(cluster_propose(next, 8));
    cluster_run(cluster, 2);
    cluster_start(one);
    cluster_run(cluster, 20);
    cr_expect_eq(one->state, next->state);
    for (uint32_t node = 1; node <= 3; node++)
        if (node != next->node) change(RAFT_REMOVE, node);
    cluster_run(cluster, 10);
    cr_expect(raft_alone(&next->raft), "as cheap as before");
    cr_assert(cluster_propose(next, 8));
    cluster_disk_complete(next, UINT32_MAX);
    cr_expect_eq(next->applied, next->raft.last);
    teardown();
}

// It has all that the leader may tell it to be committed, which is not all that there is.
Test(raft, a_member_that_lacks_something_does_not_go_to_rest_with_the_others)
{
    for (uint32_t more = 0; more < 6; more++) { // Silent members get only some heartbeats.
        setup(1);
        struct cluster_replica *one = &cluster->nodes[1], *two = &cluster->nodes[2];
        cr_assert(cluster_propose(one, 50));
        cluster_run(cluster, 3);
        two->exists = true;
        cluster_start(two);
        cut_off(2, true);
        change(RAFT_ADD_LEARNER, 2);
        // It knows the term, and nothing else.
        const struct raft_message hello = {.kind = RAFT_HEARTBEAT, .from = 1, .to = 2, .term = one->raft.term};
        cr_assert(!failed(raft_step(&two->raft, &hello)));
        cluster_pump(two);
        cluster_run(cluster, 30);
        for (uint32_t i = 0; i < more; i++) {
            raft_wake(&one->raft);
            cluster_run(cluster, 4);
        }
        cut_off(2, false);
        raft_wake(&one->raft);
        cluster_pump(one);
        cluster_run(cluster, 20);
        cr_expect_eq(two->state, one->state, "after %u times awake", more);
        teardown();
    }
}

// It has come to a term that its group has not: no answer in that one's is of a later term.
Test(raft, who_was_removed_is_told_whatever_its_term)
{
    setup(3);
    struct cluster_replica *leader = elect(), *gone = other_than(leader, 0);
    cluster_run(cluster, 3);
    cut_off(gone->node, true);
    change(RAFT_REMOVE, gone->node);
    const struct raft_message ask = {.kind = RAFT_VOTE,
        .from = leader->node,
        .to = gone->node,
        .flags = RAFT_FORCE,
        .term = leader->raft.term + 3};
    cr_assert(!failed(raft_step(&gone->raft, &ask)));
    cr_assert_gt(gone->raft.term, leader->raft.term);
    cluster_run(cluster, 3);
    cut_off(gone->node, false);
    raft_leader_lost(&gone->raft);
    cluster_run(cluster, 6 * RAFT_ELECTION_TICKS);
    cr_expect(gone->raft.removed);
    uint64_t sent = cluster->messages_sent;
    cluster_run(cluster, 6 * RAFT_ELECTION_TICKS);
    cr_expect_eq(cluster->messages_sent, sent, "it asks no more");
    cr_expect_eq(cluster_leader(cluster), leader);
    teardown();
}

Test(raft, changes_of_members_that_would_lock_the_group_out_are_refused)
{
    setup(3);
    struct cluster_replica *leader = elect();
    uint64_t index;
    uint32_t a = other_than(leader, 0)->node, b = other_than(leader, 1)->node;
    cluster_run(cluster, 3);
    cr_expect(status_is(raft_config_change(&leader->raft, RAFT_REMOVE, leader->node, &index),
        E_NOT_IN_PREREQUISITE_STATE));
    cr_expect(status_is(
        raft_config_change(&leader->raft, RAFT_PROMOTE, a, &index), E_NOT_IN_PREREQUISITE_STATE));
    cr_expect(status_is(
        raft_config_change(&leader->raft, RAFT_REMOVE, 6, &index), E_NOT_IN_PREREQUISITE_STATE));
    cluster_crash(&cluster->nodes[a], 0);
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 9);
    cr_expect(status_is(raft_config_change(&leader->raft, RAFT_REMOVE, b, &index),
                  E_NOT_IN_PREREQUISITE_STATE),
        "the one that is left could not commit it");
    cr_expect(!failed(raft_config_change(&leader->raft, RAFT_REMOVE, a, &index)));
    cr_expect(status_is(raft_config_change(&leader->raft, RAFT_ADD_LEARNER, 5, &index),
                  E_NOT_IN_PREREQUISITE_STATE),
        "one at a time");
    teardown();
}

Test(raft, a_replica_that_lost_what_it_promised_takes_part_in_nothing)
{
    setup(3);
    struct cluster_replica *leader = elect();
    struct cluster_replica *lost = other_than(leader, 0), *other = other_than(leader, 1);
    lost->raft.damaged = true;
    cr_assert(cluster_propose(leader, 8));
    cluster_run(cluster, 3);
    cr_expect(raft_progress_of(&leader->raft, lost->node)->damaged, "the leader is told");
    cluster_crash(other, 0);
    uint64_t applied = leader->applied;
    cluster_propose(leader, 8);
    cluster_run(cluster, 3);
    cr_expect_eq(leader->applied, applied, "it does not count for a quorum");
    teardown();
}

Test(raft, messages_no_peer_sends_are_refused_and_change_nothing)
{
    setup(3);
    struct cluster_replica *leader = elect();
    struct cluster_replica *to = other_than(leader, 0);
    cluster_run(cluster, 2);
    const struct raft_entry falling[2] = {{.term = 3}, {.term = 2}};
    const struct raft_entry future = {.term = 1000};
    const struct raft_entry members = {.term = 1, .kind = RAFT_CONFIG};
    const struct {
        struct raft_message message;
        const char *why;
    } rows[] = {
        {{.kind = RAFT_APPEND, .to = 7}, "to someone else"},
        {{.kind = RAFT_APPEND, .entry_count = 2, .entries = falling, .term = 9}, "terms fall"},
        {{.kind = RAFT_APPEND, .entry_count = 1, .entries = &future}, "of the future"},
        {{.kind = RAFT_APPEND, .entry_count = 1, .entries = &members, .term = 9}, "no members"},
        {{.kind = RAFT_MESSAGE_KIND_END}, "no kind"},
        {{.kind = RAFT_VOTE, .term = UINT64_MAX}, "term out of range"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct raft_message message = rows[i].message;
        message.from = leader->node;
        if (message.to == 0) message.to = to->node;
        if (message.term == 0) message.term = to->raft.term;
        uint64_t last = to->raft.last;
        cr_expect(failed(raft_step(&to->raft, &message)), "%s", rows[i].why);
        cr_expect_eq(to->raft.last, last);
    }
    teardown();
}

Test(raft, random_faults_keep_every_rule)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct raft_cluster *world = malloc(sizeof *world);
        cluster_init(world, seed, 3);
        world->loss_percent = 10;
        for (uint32_t i = 0; i < 1500 && !world->violated; i++) {
            struct cluster_replica *replica = &world->nodes[1 + cluster_random(world, 3)];
            uint32_t dice = cluster_random(world, 100);
            if (dice < 60 && world->bag_count > 0)
                cluster_deliver(world, cluster_random(world, world->bag_count));
            else if (dice < 75 && replica->running) {
                raft_tick(&replica->raft);
                cluster_pump(replica);
            } else if (dice < 88 && replica->running)
                cluster_disk_complete(replica, 2);
            else if (dice < 97)
                cluster_propose(replica, 20);
            else if (replica->running)
                cluster_crash(replica, cluster_random(world, 3));
            else
                cluster_start(replica);
        }
        cluster_check_matching(world);
        cr_assert(!world->violated, "seed %llu: %s", (unsigned long long)seed, world->violation);
        cluster_fini(world);
        free(world);
    }
}
