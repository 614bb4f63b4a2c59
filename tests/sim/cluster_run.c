// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/cluster_run.h"

#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/leftover_check.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/replica_check.h"

#define HEAL_WITHIN (60 * WORLD_SECOND)

static struct status node_serves(struct task *task, struct world_node *node, struct kv_world *kv)
{
    struct cluster_run *cluster = kv->arg;
    struct status st = STATUS_OK;
    uint32_t slices = kv_world_slices(task);
    if (node->id == 1 || !kv->several) TRY(clients_lay_out(task, &cluster->clients, slices));
    while (!cluster->clients.laid_out)
        TRY(task_sleep(task, 50 * WORLD_MS));
out:
    return st;
}

static struct status shard_serves(struct task *task, struct world_node *node, struct kv_world *kv)
{
    struct cluster_run *cluster = kv->arg;
    return clients_start(task, node, &cluster->clients, kv->several ? 1 : 2);
}

static void node_down(struct kv_world *kv, struct world_node *node)
{
    struct cluster_run *cluster = kv->arg;
    workload_node_down(&cluster->clients.work, node);
}

static bool work_is_done(void *arg)
{
    struct cluster_run *cluster = arg;
    return workload_is_done(&cluster->clients.work);
}

static bool all_is_done(void *arg)
{
    struct cluster_run *cluster = arg;
    return nemesis_is_over(&cluster->kv.world) && workload_is_done(&cluster->clients.work);
}

static bool is_finished(void *arg)
{
    struct cluster_run *cluster = arg;
    return !cluster->finishing;
}

static struct status finish(struct task *task, void *arg)
{
    struct cluster_run *cluster = arg;
    struct status st = clients_finish(task, &cluster->clients);
    if (failed(st)) sim_violation(cluster->kv.world.run, "without faults reading fails: %s", st.message);
    cluster->finishing = false;
    return STATUS_OK;
}

static struct world_node *leader_node(struct world *world)
{
    return kv_world_leader(container_of(world, struct kv_world, world));
}

static bool may_rot(struct world *world, struct world_node *node)
{
    struct kv_world *kv = container_of(world, struct kv_world, world);
    return kv->several && kv_world_may_rot(kv, node);
}

void cluster_begin(struct cluster_run *cluster, struct sim_run *run, uint32_t nodes, uint32_t operations,
    struct nemesis_options *faults)
{
    const struct kv_world_options options = {.nodes = nodes,
        .serves = node_serves,
        .shard_serves = shard_serves,
        .down = node_down,
        .arg = cluster};
    kv_world_begin(&cluster->kv, run, &options);
    clients_init(&cluster->clients, &cluster->kv.world, operations);
    if (faults != NULL) {
        faults->leader = leader_node;
        faults->may_rot = may_rot;
        nemesis_plan(&cluster->kv.world, faults);
    }
    world_start_all(&cluster->kv.world);
}

void cluster_suffer(struct cluster_run *cluster)
{
    world_run(&cluster->kv.world, all_is_done, cluster, 60 * WORLD_SECOND);
}

void cluster_end(struct cluster_run *cluster)
{
    struct world *world = &cluster->kv.world;
    struct sim_run *run = world->run;
    world_heal(world);
    world_expect(world, "all operations end", work_is_done, cluster, HEAL_WITHIN);
    if (!run->violated) kv_world_expect_serving(&cluster->kv, HEAL_WITHIN);
    cluster->finishing = true;
    if (!run->violated) {
        world_spawn(world_serving(world, 0, run->seed), 0, "sim-finish", finish, cluster);
        world_expect(world, "the last reading ends", is_finished, cluster, HEAL_WITHIN);
    }
    if (!run->violated) leftover_check(&cluster->kv);
    if (!run->violated && cluster->kv.several) replica_check_agree(&cluster->kv, HEAL_WITHIN);
    clients_check(&cluster->clients, !cluster->kv.several);
    if (!run->violated) world_stop(world);
    sim_note(world->sim, cluster->clients.acknowledged);
    world_end(world);
}

bool cluster_is_replicated(void *arg)
{
    struct cluster_run *cluster = arg;
    static const uint64_t slices[] = {1};
    return cluster->clients.laid_out && kv_world_replicated(&cluster->kv, slices, 1, 3);
}
