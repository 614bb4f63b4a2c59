// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of a node whose peers are gone: what it has under way ends, and so does the node when it is told to.
#include "kv/entry.h"
#include "kv/leader.h"
#include "kv/slice_internal.h"
#include "tests/sim/cluster_run.h"

// One whose outcome nobody will tell as long as the others are gone.
struct commit_alone {
    struct sim_run *run;
    uint64_t slice;
    uint32_t node, shard;
    bool ended;
};

static struct status commit_alone(struct task *task, void *arg)
{
    struct commit_alone *commit = arg;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), commit->slice);
    struct entry_builder builder;
    entry_begin(&builder, task->arena);
    struct status st = slice_propose_ceiling(task, slice, entry_end(&builder), slice->ceiling);
    commit->ended = true;
    // Of an entry in parts it is known that it was not done when one before the last has not come through.
    bool expected = status_is(st, E_AMBIGUOUS_RESULT) || status_is(st, K_NOT_LEADER);
    if (!expected) sim_violation(commit->run, "a commit without a majority ends with another outcome than: unknown");
    return STATUS_OK;
}

static bool has_ended(void *arg)
{
    return ((struct commit_alone *)arg)->ended;
}

static struct commit_alone alone;

static bool leads_three(const struct slice *slice)
{
    return slice->role == SLICE_SERVING && raft_config_voters(&slice->log.raft.config) == 3 && kv_world_may_serve(slice);
}

static void note_server(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    if (alone.node != 0 || !leads_three(slice)) return;
    alone.slice = slice->id;
    alone.node = node->id;
    alone.shard = slice->shard->index;
}

static bool one_serves(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, note_server);
    return alone.node != 0;
}

static void others_halt(struct world *world, uint32_t id)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct world_node *node = &world->nodes[i];
        if (node->id == id) continue;
        node->wanted = false;
        if (sim_node_running(node->machine) != NULL) sim_node_crash(node->machine);
    }
}

static void all_come_back(struct world *world)
{
    for (uint32_t i = 0; i < 3; i++)
        world->nodes[i].wanted = true;
}

// It was with its leader when the others went: once it waited until they came back.
SIM_CASE(cluster_commit_alone, "a commit that is under way when the majority goes ends with 40003")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    alone = (struct commit_alone){.run = run};
    cluster_begin(cluster, run, 3, 60, NULL);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_expect(world, "a slice that is served", one_serves, cluster, 10 * WORLD_SECOND);
    if (!run->violated) {
        world_spawn(&world->nodes[alone.node - 1], alone.shard, "commit", commit_alone, &alone);
        others_halt(world, alone.node);
    }
    world_expect(world, "the commit to end", has_ended, &alone, LEADER_PATIENCE_NS + 10 * WORLD_SECOND);
    all_come_back(world);
    cluster_end(cluster);
}

static void note_collecting(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    uint32_t at = 0;
    struct hashmap_entry *entry;
    if (alone.node != 0 || !leads_three(slice)) return;
    while ((entry = hashmap_next(&slice->tenants, &at)) != NULL) {
        struct slice_tenant *tenant = entry->value;
        if (hlc_less(tenant->gc_threshold, tenant->gc_proposed)) alone.node = node->id;
    }
}

static bool one_collects(void *arg)
{
    struct cluster_run *cluster = arg;
    kv_world_replicas_each(&cluster->kv, note_collecting);
    return alone.node != 0;
}

static bool clients_are_done(void *arg)
{
    return workload_is_done(&((struct cluster_run *)arg)->clients.work);
}

static bool is_down(void *arg)
{
    const struct world_node *node = arg;
    return sim_node_running(node->machine) == NULL;
}

// Garbage collection had its new threshold with the log, and nobody gave that up: the node never ended.
SIM_CASE(cluster_last_ends, "a node whose majority goes while it collects garbage ends when it is told to")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    alone = (struct commit_alone){.run = run};
    cluster_begin(cluster, run, 3, 600, NULL);
    world_expect(world, "three voters", cluster_is_replicated, cluster, 120 * WORLD_SECOND);
    world_expect(world, "the clients to be done", clients_are_done, cluster, 120 * WORLD_SECOND);
    world_run(world, one_collects, cluster, 3 * GC_EVERY_NS);
    struct world_node *last = alone.node == 0 ? &world->nodes[0] : &world->nodes[alone.node - 1];
    if (!run->violated) {
        others_halt(world, last->id);
        world_leave(last);
    }
    world_expect(world, "the last node to end", is_down, last, 12 * WORLD_SECOND);
    all_come_back(world);
    cluster_end(cluster);
}
