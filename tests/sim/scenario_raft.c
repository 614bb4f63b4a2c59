// SPDX-License-Identifier: GPL-3.0-or-later
//
// Consensus by itself: replicas of kv/raft.h under loss, duplication, reordering, partitions, disks that lag, crashes
// that lose what was not durable, changes of members, handing over, snapshots; then everything heals, and
// the group must agree and serve within a bounded number of ticks. tests/sim/raft_cluster.h checks.
#include "tests/sim/raft_cluster.h"
#include "tests/sim/sim.h"

#define STEPS 3000u

static void restart_one(struct raft_cluster *cluster, struct cluster_replica *replica)
{
    if (replica->exists && !replica->running) cluster_start(replica);
    (void)cluster;
}

static void crash_one(struct raft_cluster *cluster, struct cluster_replica *replica)
{
    uint32_t waiting = replica->disk_count - replica->disk_durable;
    cluster_crash(replica, cluster_random(cluster, waiting + 1));
}

static void cut_some(struct raft_cluster *cluster)
{
    memset(cluster->cut, 0, sizeof cluster->cut);
    uint32_t kind = cluster_random(cluster, 4);
    if (kind == 0) return;
    uint32_t one = 1 + cluster_random(cluster, CLUSTER_NODES_END - 1);
    if (kind == 1) { // One node, both ways or one way.
        bool both = cluster_chance(cluster, 50);
        for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
            cluster->cut[one][i] = true;
            cluster->cut[i][one] = both;
        }
        return;
    }
    uint32_t sides = cluster_random(cluster, 256);
    for (uint32_t a = 1; a < CLUSTER_NODES_END; a++)
        for (uint32_t b = 1; b < CLUSTER_NODES_END; b++)
            cluster->cut[a][b] =
                kind == 2 ? (sides >> a & 1) != (sides >> b & 1) : cluster_chance(cluster, 20);
}

static void change_some(struct raft_cluster *cluster)
{
    struct cluster_replica *leader = cluster_leader(cluster);
    if (leader == NULL) return;
    uint32_t node = 1 + cluster_random(cluster, CLUSTER_NODES_END - 1);
    struct cluster_replica *replica = &cluster->nodes[node];
    const struct raft_member *member = raft_config_find(&leader->raft.config, node);
    enum raft_change change;
    uint64_t index;
    if (member == NULL) {
        change = RAFT_ADD_LEARNER;
        // A node that was removed and comes again begins with nothing: what it had promised is settled by then,
        // since its removal was committed without it.
        if (raft_config_find(&leader->raft.committed, node) != NULL) return;
        if (!replica->exists) {
            replica->exists = true;
            cluster_start(replica);
        }
    } else if (member->learner) {
        change = cluster_chance(cluster, 80) ? RAFT_PROMOTE : RAFT_REMOVE;
    } else {
        change = cluster_chance(cluster, 30) ? RAFT_DEMOTE : RAFT_REMOVE;
        if (raft_config_voters(&leader->raft.config) <= 2 && cluster_chance(cluster, 80)) return;
    }
    struct status st = raft_config_change(&leader->raft, change, node, &index);
    if (!failed(st)) cluster_pump(leader);
}

static void step(struct raft_cluster *cluster, bool harsh)
{
    uint32_t dice = cluster_random(cluster, 1000);
    struct cluster_replica *replica =
        &cluster->nodes[1 + cluster_random(cluster, CLUSTER_NODES_END - 1)];
    if (dice < 520) {
        if (cluster->bag_count > 0)
            cluster_deliver(cluster,
                cluster_chance(cluster, 60) ? 0 : cluster_random(cluster, cluster->bag_count));
    } else if (dice < 640) {
        if (replica->running) {
            raft_tick(&replica->raft);
            cluster_pump(replica);
        }
    } else if (dice < 780) {
        if (replica->running) cluster_disk_complete(replica, 1 + cluster_random(cluster, 4));
    } else if (dice < 880) {
        uint32_t count = 1 + cluster_random(cluster, 4);
        while (count-- > 0)
            cluster_propose(replica, cluster_random(cluster, 500));
    } else if (dice < 900) {
        if (replica->running) cluster_checkpoint(replica);
    } else if (dice < 915) {
        cluster_snapshots_finish(cluster);
    } else if (dice < 930) {
        if (harsh) crash_one(cluster, replica);
    } else if (dice < 960) {
        restart_one(cluster, replica);
    } else if (dice < 966) {
        if (harsh) cut_some(cluster);
    } else if (dice < 976) {
        change_some(cluster);
    } else if (dice < 982) {
        struct cluster_replica *leader = cluster_leader(cluster);
        if (leader != NULL) {
            struct status st = raft_transfer(&leader->raft, replica->node);
            if (!failed(st)) cluster_pump(leader);
        }
    } else if (dice < 986) {
        if (replica->running) {
            if (cluster_chance(cluster, 50))
                raft_leader_lost(&replica->raft);
            else
                raft_campaign(&replica->raft);
            cluster_pump(replica);
        }
    } else if (dice < 992) {
        replica->slow_apply = !replica->slow_apply;
    } else {
        if (replica->running) {
            raft_wake(&replica->raft);
            cluster_pump(replica);
        }
    }
}

static bool settled(struct raft_cluster *cluster, uint64_t index)
{
    struct cluster_replica *leader = cluster_leader(cluster);
    if (leader == NULL || leader->applied < index) return false;
    for (uint32_t i = 0; i < leader->raft.committed.count; i++) {
        const struct cluster_replica *member =
            &cluster->nodes[leader->raft.committed.members[i].node];
        if (member->applied != leader->applied || member->state != leader->state) return false;
    }
    return true;
}

// Everything works again: a leader, and every member with the same state, in a bounded time.
static void heal(struct sim_run *run, struct raft_cluster *cluster)
{
    memset(cluster->cut, 0, sizeof cluster->cut);
    cluster->loss_percent = cluster->duplicate_percent = 0;
    cluster->in_order = true;
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
        cluster->nodes[i].slow_apply = false;
        restart_one(cluster, &cluster->nodes[i]);
    }
    uint64_t before = cluster->committed;
    bool proposed = false;
    uint32_t tick = 0;
    for (; tick < 400 && !cluster->violated; tick++) {
        cluster_run(cluster, 1);
        struct cluster_replica *leader = cluster_leader(cluster);
        if (leader != NULL && !proposed) proposed = cluster_propose(leader, 8);
        if (proposed && settled(cluster, before + 1)) break;
    }
    if (!cluster->violated && tick == 400) {
        const struct cluster_replica *leader = cluster_leader(cluster);
        sim_violation(run, "not settled after healing: leader %u, %u members",
            leader == NULL ? 0 : leader->node, leader == NULL ? 0 : leader->raft.committed.count);
    }
    // Then it goes quiet: ticks cost nothing and say nothing.
    cluster_run(cluster, 60);
    uint64_t sent = cluster->messages_sent;
    cluster_run(cluster, 60);
    if (!cluster->violated && cluster->messages_sent > sent + 40)
        sim_violation(run, "%llu messages in 60 ticks of a group with nothing to do",
            (unsigned long long)(cluster->messages_sent - sent));
}

SIM_SCENARIO(raft, "consensus alone: elections, replication, members, crashes, partitions")
{
    struct raft_cluster *cluster = malloc(sizeof *cluster);
    invariant(cluster != NULL);
    uint32_t voters = 1 + (uint32_t)(run->seed % 5);
    cluster_init(cluster, run->seed, voters);
    cluster->loss_percent = cluster_chance(cluster, 50) ? cluster_random(cluster, 20) : 0;
    cluster->duplicate_percent = cluster_chance(cluster, 50) ? cluster_random(cluster, 20) : 0;
    bool harsh = !cluster_chance(cluster, 15);
    cluster_run(cluster, cluster_chance(cluster, 50) ? 30 : 0);
    for (uint32_t i = 0; i < STEPS && !cluster->violated; i++) {
        step(cluster, harsh);
        if (i % 64 == 0) cluster_check_matching(cluster);
    }
    if (!cluster->violated) heal(run, cluster);
    cluster_check_matching(cluster);
    if (cluster->violated) sim_violation(run, "%s", cluster->violation);
    run->digest = hash_combine(cluster->random, cluster->committed);
    run->digest = hash_combine(run->digest, cluster->messages_delivered);
    if (run->trace)
        printf("elections %llu committed %llu proposed %llu messages %llu snapshots %llu\n",
            (unsigned long long)cluster->elections, (unsigned long long)cluster->committed,
            (unsigned long long)cluster->proposed, (unsigned long long)cluster->messages_delivered,
            (unsigned long long)cluster->snapshots_sent);
    cluster_fini(cluster);
    free(cluster);
}
