// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of clusters of several nodes.
#include <stdio.h>
#include <string.h>

#include "core/mark.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/entry.h"
#include "kv/slice_internal.h"
#include "kv/snapshot.h"
#include "tests/sim/cluster_run.h"

// A store whose node got its id, and went down before storage had begun, once founded slices of its own.
SIM_CASE(cluster_join_cut_short, "a node that is killed while it joins founds nothing when it comes again")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 60, NULL);
    for (uint32_t i = 0; i < 12; i++) {
        sim_disk_crash_at(world->nodes[1].machine, 3 + i);
        sim_disk_crash_at(world->nodes[2].machine, 4 + i);
        world_run(world, NULL, NULL, 4 * WORLD_SECOND);
    }
    cluster_end(cluster);
}

static bool n2_is_down(void *arg)
{
    struct world *world = arg;
    return sim_node_running(world->nodes[1].machine) == NULL;
}

static bool damaged_seen;

static void note_damaged(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    (void)node;
    damaged_seen |= slice->log.raft.damaged;
}

static bool none_is_damaged(void *arg)
{
    struct cluster_run *cluster = arg;
    damaged_seen = false;
    kv_world_replicas_each(&cluster->kv, note_damaged);
    return !damaged_seen && world_node_serves(&cluster->kv.world.nodes[1]);
}

// What a log has lost in its middle may be votes and entries that others count on: the replicas take part in nothing
// until they are rebuilt from their peers.
SIM_CASE(cluster_log_damaged, "a node whose log is damaged in the middle is rebuilt from its peers")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    struct world_node *node;
    char path[64];
    uint64_t size = 0;
    cluster_begin(cluster, run, 3, 300, NULL);
    node = &world->nodes[1];
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_run(world, NULL, NULL, 20 * WORLD_SECOND); // New slices have their copies, too.
    node->wanted = false;
    sim_node_crash(node->machine);
    world_run(world, NULL, NULL, WORLD_SECOND);
    for (uint32_t i = 1; i < 200 && size < 16384; i++) {
        snprintf(path, sizeof path, "/data/kv/log-0/%08u.log", i - 1);
        if (sim_disk_peek(node->machine, path, &size) == NULL) size = 0;
    }
    // Behind the head of the segment, well before its end.
    bool rotten = size > 0 && sim_disk_rot(node->machine, path, 4096 + 40);
    if (!rotten) sim_violation(run, "no segment of a log to damage");
    node->wanted = true;
    // Also of slices that nobody uses: their leaders are awake for a moment only, when they are told.
    world_expect(world, "all replicas are rebuilt", none_is_damaged, cluster, 30 * WORLD_SECOND);
    world_expect(world, "three voters again", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    cluster_end(cluster);
}

SIM_CASE(cluster_clock_far, "a node whose clock is off beyond the bound stops itself, and others go on")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 200, NULL);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    sim_clock_offset_set(world->nodes[1].machine, (int64_t)(2 * WORLD_SECOND));
    world->nodes[1].wanted = false;
    world_expect(world, "the node with the wrong clock stops", n2_is_down, world, 30 * WORLD_SECOND);
    sim_clock_offset_set(world->nodes[1].machine, 0);
    world->nodes[1].wanted = true;
    cluster_end(cluster);
}

SIM_CASE(cluster_disk_full, "a node whose disk is full, and one whose sync fails, lose nothing and come back")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 300, NULL);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    sim_disk_quota_set(world->nodes[1].machine, sim_disk_used(world->nodes[1].machine));
    world_run(world, NULL, NULL, 5 * WORLD_SECOND);
    sim_disk_fail_at(world->nodes[2].machine, 3, 5);
    world_run(world, NULL, NULL, 5 * WORLD_SECOND);
    cluster_end(cluster);
}

static struct {
    uint32_t node; // As the cluster numbers it.
    uint64_t acknowledged;
    bool done;
} store_failure;

static void fail_store(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    if (node->id != store_failure.node || !slice->running) return;
    (void)kv;
    slice_fail(slice, status_make(E_IO_ERROR, "a disk says so"), "applying an entry");
    store_failure.done = true;
}

static bool goes_on_without(void *arg)
{
    const struct cluster_run *cluster = arg;
    return cluster->clients.acknowledged > store_failure.acknowledged + 40;
}

// A table of its store cannot be read or written, while the log can: it would lead on and answer nobody.
SIM_CASE(cluster_store_fails, "slices whose leader's store has failed are led by others")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    memset(&store_failure, 0, sizeof store_failure);
    cluster_begin(cluster, run, 3, 3000, NULL);
    marks_bend_stop();
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_run(world, NULL, NULL, 2 * WORLD_SECOND);
    store_failure.node = cluster->kv.slices[1].server == 0 ? 1 : cluster->kv.slices[1].server;
    kv_world_replicas_each(&cluster->kv, fail_store);
    SIM_CHECK(run, store_failure.done);
    world_run(world, NULL, NULL, 5 * WORLD_SECOND);
    store_failure.acknowledged = cluster->clients.acknowledged;
    world_expect(world, "the others to go on", goes_on_without, cluster, 30 * WORLD_SECOND);
    sim_node_crash(world->nodes[store_failure.node - 1].machine); // It recovers from its log.
    workload_cut(&cluster->clients.work);
    cluster_end(cluster);
}

// A replica that leads as far as consensus knows, and has not committed anything in its term: its snapshots fail, and
// who could commit with it is not heard for a while.
static void fail_early(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    if (!slice->started || slice->log.raft.role != RAFT_LEADER || slice->log.leading) return;
    if (node->id == 3) return;
    struct world_node *other = &kv->world.nodes[2 - node->id];
    sim_disk_faults_set(node->machine, &(struct sim_disk_faults){.read_fail_per_million = 1000000});
    sim_net_clog(other->machine, node->machine, 300 * WORLD_MS);
}

static bool failing_early(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, fail_early);
    return false;
}

// A leader once forgot a member whose snapshot had failed before the leader could serve: it waited for ever for it.
SIM_CASE(cluster_snapshot_fails_early, "a member whose snapshot fails at the beginning of a term gets another one")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 300, NULL);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_run(world, NULL, NULL, 20 * WORLD_SECOND); // New slices have their copies, too.
    world->nodes[2].wanted = false;
    sim_node_crash(world->nodes[2].machine);
    world_run(world, NULL, NULL, 8 * WORLD_SECOND); // It lags.
    for (uint32_t i = 0; i < 2; i++) { // The others keep nothing in memory of what is in their stores.
        world->nodes[i].wanted = false;
        sim_node_stop(world->nodes[i].machine);
    }
    world_run(world, NULL, NULL, 5 * WORLD_SECOND);
    for (uint32_t i = 0; i < 3; i++)
        world->nodes[i].wanted = true;
    world_run(world, failing_early, cluster, 4 * WORLD_SECOND);
    cluster_end(cluster);
}

// A follower that applies nothing for a while, and is sent a snapshot: by the time that it takes it over, entries behind
// the snapshot have been handed to it.
static struct {
    uint32_t target, shard, leader, leader_shard; // target: as the cluster numbers it.
    uint64_t slice, led, sent_most; // What its leader has; had when the follower had all of the snapshot.
    bool passed, taken;
} behind;

static bool is_held(const struct world_node *node, const struct slice *slice)
{
    return node->id == 3 && slice->id == behind.slice && slice->held > 0;
}

static void hold_one(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    if (behind.slice != 0 || node->id != 3 || !slice->started || slice->role != SLICE_FOLLOWER || slice->applying) return;
    if (slice->log.raft.leader == 0) return;
    behind.slice = slice->id;
    behind.target = slice->log.raft.self;
    behind.shard = slice->shard->index;
    slice->held++;
    slice_hold(slice);
}

static bool one_is_held(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, hold_one);
    return behind.slice != 0;
}

static void find_leader(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    if (slice->id != behind.slice || !raft_log_leads(&slice->log)) return;
    behind.leader = node->id;
    behind.leader_shard = slice->shard->index;
}

static bool its_leader_is_known(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, find_leader);
    return behind.leader != 0;
}

// The leader goes on writing, before and after the snapshot.
static struct status send_it(struct task *task, void *arg)
{
    (void)arg;
    struct status st = STATUS_OK;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), behind.slice);
    if (slice == NULL) return st;
    slice_hold(slice);
    for (uint32_t i = 0; i < 2000 && !behind.taken; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        struct entry_builder builder;
        entry_begin(&builder, task->arena);
        TRY(slice_propose_ceiling(task, slice, entry_end(&builder), slice->ceiling));
        arena_release(task->arena, mark);
        if (i == 5) snapshot_send(slice, behind.target);
        TRY(task_sleep(task, WORLD_MS));
    }
out:
    slice_let_go(slice);
    return st;
}

static void look_at_both(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    if (slice->id == behind.slice && node->id == behind.leader) behind.led = slice->applied_index;
    if (!is_held(node, slice) || !slice->installing) return;
    if (behind.sent_most == 0) behind.sent_most = behind.led;
    behind.passed = slice->log.delivered > behind.sent_most + 2;
}

static bool it_is_passed(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, look_at_both);
    return behind.passed;
}

static struct status let_go(struct task *task, void *arg)
{
    (void)arg;
    struct status st = STATUS_OK;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), behind.slice);
    if (slice == NULL) return st;
    slice_let_go(slice);
    while (slice->installing)
        TRY(task_sleep(task, WORLD_MS));
    behind.taken = slice->applied_index > 0 && !failed(slice->failed);
out:
    slice_apply_release(slice);
    return st;
}

static bool it_is_taken(void *arg)
{
    (void)arg;
    return behind.taken;
}

// Up to where the follower has all of the snapshot, and more than that of the log.
static void fall_behind(struct cluster_run *cluster, struct sim_run *run)
{
    struct world *world = &cluster->kv.world;
    memset(&behind, 0, sizeof behind);
    cluster_begin(cluster, run, 3, 300, NULL);
    marks_bend_stop();
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_expect(world, "a follower that is held", one_is_held, cluster, 60 * WORLD_SECOND);
    world_expect(world, "its leader", its_leader_is_known, cluster, 10 * WORLD_SECOND);
    if (!run->violated) world_spawn(&world->nodes[behind.leader - 1], behind.leader_shard, "send", send_it, NULL);
    world_expect(world, "entries behind the snapshot", it_is_passed, cluster, 60 * WORLD_SECOND);
}

// The log hands out what is behind the snapshot once more, and the follower once kept what it had of it.
SIM_CASE(cluster_snapshot_behind, "a snapshot may be older than what its receiver has been handed meanwhile")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    fall_behind(cluster, run);
    if (!run->violated) world_spawn(&world->nodes[2], behind.shard, "let go", let_go, NULL);
    world_expect(world, "the snapshot to be taken over", it_is_taken, cluster, 10 * WORLD_SECOND);
    cluster_end(cluster);
}

static struct status hand_over(struct task *task, void *arg)
{
    (void)arg;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), behind.slice);
    return slice == NULL ? STATUS_OK : slice_transfer(task, slice, behind.target);
}

static void note_stander(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    if (node->id != 3 || slice->id != behind.slice || !slice->installing || slice->log.raft.role == RAFT_FOLLOWER) return;
    sim_violation(kv->world.run, "a replica stands for election, or leads, while another node's state takes the place of its own");
}

static bool it_is_taken_by_a_follower(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, note_stander);
    return behind.taken;
}

static bool line_is_slow(void *arg)
{
    (void)arg;
    return sim_reached("snapshot.slow_line");
}

// It follows when that is looked at, and could be elected, since its log has everything: it is told to, in between.
SIM_CASE(cluster_snapshot_stands, "a replica that takes over a snapshot does not come to lead what it throws away")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    fall_behind(cluster, run);
    marks_insist("snapshot.slow_line");
    if (!run->violated) world_spawn(&world->nodes[2], behind.shard, "let go", let_go, NULL);
    world_expect(world, "the replica to have seen that it follows", line_is_slow, cluster, 10 * WORLD_SECOND);
    if (!run->violated) world_spawn(&world->nodes[behind.leader - 1], behind.leader_shard, "hand over", hand_over, NULL);
    world_expect(world, "the snapshot to be taken over", it_is_taken_by_a_follower, cluster, 10 * WORLD_SECOND);
    marks_insist(NULL);
    cluster_end(cluster);
}

static bool two_nodes_serve(void *arg)
{
    struct cluster_run *cluster = arg;
    return cluster->clients.laid_out && world_node_serves(&cluster->kv.world.nodes[0]) &&
           world_node_serves(&cluster->kv.world.nodes[1]);
}

static void restart_as(struct world *world, struct world_node *node, uint32_t version)
{
    node->wanted = false;
    if (sim_node_running(node->machine) != NULL) sim_node_crash(node->machine);
    node->version = version;
    world_run(world, NULL, NULL, WORLD_SECOND);
    node->wanted = true;
}

// Nodes of two releases whose protocols differ are strangers to each other: who joins with another one waits outside,
// and a member that comes back with another one counts as gone. Neither does harm, and with the right one both are in.
SIM_CASE(cluster_versions_mixed, "nodes of another protocol version are kept out, and are members with the right one")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 400, NULL);
    restart_as(world, &world->nodes[2], RPC_VERSION + 1);
    world_expect(world, "two nodes serve", two_nodes_serve, cluster, 60 * WORLD_SECOND);
    uint64_t before = cluster->clients.acknowledged;
    world_run(world, NULL, NULL, 10 * WORLD_SECOND);
    if (world_node_serves(&world->nodes[2])) sim_violation(run, "a node of another version has joined");
    if (cluster->clients.acknowledged == before) sim_violation(run, "nothing is served beside a stranger");
    restart_as(world, &world->nodes[2], 0);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    restart_as(world, &world->nodes[1], RPC_VERSION - 1);
    world_run(world, NULL, NULL, 20 * WORLD_SECOND);
    if (cluster_is_replicated(cluster)) sim_violation(run, "a member of another version serves");
    restart_as(world, &world->nodes[1], 0);
    world_expect(world, "three voters again", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    cluster_end(cluster);
}

static void halt(struct world *world, struct world_node *node)
{
    node->wanted = false;
    if (sim_node_running(node->machine) != NULL) sim_node_crash(node->machine);
    world_run(world, NULL, NULL, 3 * WORLD_SECOND);
}

static bool third_is_refused(void *arg)
{
    struct cluster_run *cluster = arg;
    struct status st = sim_node_status(cluster->kv.world.nodes[2].machine);
    return failed(st) && strstr(st.message, "is a copy or an old state") != NULL;
}

static bool third_serves(void *arg)
{
    struct cluster_run *cluster = arg;
    return world_node_serves(&cluster->kv.world.nodes[2]);
}

// What a copy was made of goes on, and is down when the copy starts: in a cluster that runs, and in one that starts with it.
// It has forgotten what others count on, so it may take part in nothing; with its own store the node is a member again.
SIM_CASE(cluster_store_copied, "a store as it once was is refused, and the one that its node ran with last is not")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 600, NULL);
    struct world_node *third = &world->nodes[2];
    struct sim_node *copy = sim_node_add(world->sim, WORLD_NODES_MAX + 1), *own = sim_node_add(world->sim, WORLD_NODES_MAX + 2);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    halt(world, third);
    sim_disk_copy(third->machine, copy);
    third->wanted = true;
    world_expect(world, "the node serves again", third_serves, cluster, 60 * WORLD_SECOND);
    for (uint32_t all = 0; all < 2; all++) {
        for (uint32_t i = all ? 0 : 2; i < 3; i++)
            halt(world, &world->nodes[i]);
        sim_disk_copy(third->machine, own);
        sim_disk_copy(copy, third->machine);
        for (uint32_t i = 0; i < 3; i++)
            world->nodes[i].wanted = true;
        world_expect(world, "the old store is refused", third_is_refused, cluster, 60 * WORLD_SECOND);
        halt(world, third);
        sim_disk_copy(own, third->machine);
        third->wanted = true;
        world_expect(world, "three voters again", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    }
    SIM_CHECK(run, sim_reached("liveness.store_copy"));
    cluster_end(cluster);
}

// As a disk's snapshot, or a folder that is copied while the node writes to it, which then goes on without a restart.
SIM_CASE(cluster_store_snapshot, "a store as it once was while its node ran is refused, though the node has not been started since")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 600, NULL);
    struct world_node *third = &world->nodes[2];
    struct sim_node *copy = sim_node_add(world->sim, WORLD_NODES_MAX + 1), *own = sim_node_add(world->sim, WORLD_NODES_MAX + 2);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    const uint64_t starts = third->starts;
    sim_disk_copy(third->machine, copy);
    world_run(world, NULL, NULL, CLUSTER_INCARNATION_NS + 4 * CLUSTER_LIVENESS_NS);
    SIM_CHECK(run, third->starts == starts);
    halt(world, third);
    sim_disk_copy(third->machine, own);
    sim_disk_copy(copy, third->machine);
    third->wanted = true;
    world_expect(world, "the old store is refused", third_is_refused, cluster, 60 * WORLD_SECOND);
    halt(world, third);
    sim_disk_copy(own, third->machine);
    third->wanted = true;
    world_expect(world, "three voters again", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    cluster_end(cluster);
}

static bool is_left(void *arg)
{
    (void)arg;
    return sim_reached("staging.left");
}

// A leader that is heard commits nothing while the disks of the others stand still. Who does not wait so long leaves, and
// what he staged may be applied after all: its keys stay locked until his transaction is given up.
SIM_CASE(cluster_staging_left, "what is staged for somebody who has left locks its keys, and is cleared away")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 4000, NULL);
    marks_bend_stop();
    marks_insist("txn.stage_early");
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    for (uint32_t i = 0; i < 60 && !sim_reached("staging.left") && !run->violated; i++) {
        for (uint32_t k = 1; k < 3; k++)
            sim_disk_freeze(world->nodes[(i + k) % 3].machine, 4 * WORLD_SECOND);
        world_run(world, is_left, cluster, 5 * WORLD_SECOND);
    }
    SIM_CHECK(run, sim_reached("staging.left"));
    workload_cut(&cluster->clients.work);
    cluster_end(cluster);
}

static struct status disk_say(struct task *task, void *arg)
{
    const bool full = arg != NULL;
    struct kv_shard *shard = kv_shard_of(task->shard);
    shard->disk_full = full;
    shard->disk_bytes = UINT64_C(100) << 30;
    shard->disk_free_bytes = full ? UINT64_C(1) << 20 : UINT64_C(90) << 30;
    const struct cluster_load load = {.disk_bytes = shard->disk_bytes, .disk_free_bytes = shard->disk_free_bytes};
    if (task->shard->index == 0) cluster_load_set(task->shard->node, &load);
    return STATUS_OK;
}

// The simulated disk has no size of its own that a node would measure.
static void disk_full_say(struct world_node *node, bool full)
{
    const struct node *running = sim_node_running(node->machine);
    for (uint32_t i = 0; running != NULL && i < running->shard_count; i++)
        world_spawn(node, i, "sim-disk", disk_say, full ? node : NULL);
}

// Node 3 has no room as soon as it is there, and what it has stays as it is.
static uint64_t generation_of[KV_SLICES_MAX + 1];

static void fill_third(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    if (node->id != 3) return;
    slice->kv->disk_full = true;
    slice->kv->disk_bytes = UINT64_C(100) << 30;
    slice->kv->disk_free_bytes = UINT64_C(1) << 20;
    if (generation_of[slice->id] == 0) generation_of[slice->id] = slice->generation + 1;
    if (slice->generation >= generation_of[slice->id])
        sim_violation(kv->world.run, "a snapshot was taken over on a full disk");
}

static bool third_is_full(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, fill_third);
    return false;
}

// It lags, and who leads has in memory nothing of what it lacks.
SIM_CASE(cluster_snapshot_no_room, "a full disk takes no snapshots, and takes them as soon as there is room")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    memset(generation_of, 0, sizeof generation_of);
    cluster_begin(cluster, run, 3, 300, NULL);
    marks_bend_stop();
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_run(world, NULL, NULL, 20 * WORLD_SECOND);
    world->nodes[2].wanted = false;
    sim_node_crash(world->nodes[2].machine);
    world_run(world, NULL, NULL, 8 * WORLD_SECOND);
    for (uint32_t i = 0; i < 2; i++) {
        world->nodes[i].wanted = false;
        sim_node_stop(world->nodes[i].machine);
    }
    world_run(world, NULL, NULL, 5 * WORLD_SECOND);
    for (uint32_t i = 0; i < 3; i++)
        world->nodes[i].wanted = true;
    world_run(world, third_is_full, cluster, 20 * WORLD_SECOND);
    if (!run->violated) disk_full_say(&world->nodes[2], false);
    world_run(world, NULL, NULL, 10 * WORLD_SECOND);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    cluster_end(cluster);
}

static uint64_t newest_slice;

static void note_newest(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    (void)node;
    if (slice->id > newest_slice) newest_slice = slice->id;
}

static bool another_slice(void *arg)
{
    struct cluster_run *cluster = arg;
    uint64_t before = newest_slice;
    kv_world_replicas_each(&cluster->kv, note_newest);
    return before != 0 && newest_slice > before;
}

static uint32_t full_node; // 0: none yet.

static bool meta_is_led_elsewhere(void *arg)
{
    struct cluster_run *cluster = arg;
    uint32_t server = cluster->kv.slices[1].server;
    return server != 0 && server != full_node;
}

// Once the steps of placement began with writing new slices down, in the meta slice; where that was led on a full disk
// nothing was done any more, least of all that it be led elsewhere.
SIM_CASE(cluster_meta_leader_disk_full, "leaders leave a full disk, also while a slice cannot be written down there")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    newest_slice = full_node = 0;
    cluster_begin(cluster, run, 3, 300, NULL);
    marks_bend_stop();
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    // Made by placement, and not written down yet.
    world_expect(world, "another slice is made", another_slice, cluster, 60 * WORLD_SECOND);
    world_expect(world, "the meta slice is led", meta_is_led_elsewhere, cluster, 10 * WORLD_SECOND);
    full_node = cluster->kv.slices[1].server;
    if (!run->violated) disk_full_say(&world->nodes[full_node - 1], true);
    world_expect(world, "the meta slice is led elsewhere", meta_is_led_elsewhere, cluster, 60 * WORLD_SECOND);
    if (!run->violated) disk_full_say(&world->nodes[full_node - 1], false);
    cluster_end(cluster);
}

static bool has_left(void *arg)
{
    const struct world_node *node = arg;
    return sim_node_running(node->machine) == NULL;
}

// An entry that was proposed while the majority went is decided by nobody: neither its proposer waits for it for ever, nor
// what transactions have left behind to resolve.
SIM_CASE(cluster_leaves_in_turn, "nodes under load that are ended one after the other end within a bound")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 100000, NULL);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_run(world, NULL, NULL, 5 * WORLD_SECOND);
    for (uint32_t i = 0; i < 3 && !run->violated; i++) {
        world_leave(&world->nodes[i]);
        world_expect(world, "the node ends", has_left, &world->nodes[i], 120 * WORLD_SECOND);
    }
    world_end(world);
}
