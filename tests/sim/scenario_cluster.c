// SPDX-License-Identifier: GPL-3.0-or-later
//
// A cluster under everything that can go wrong, while clients work on it. At any instant at most one
// replica of a slice may serve; at the end everything acknowledged is there, nothing refused is,
// transactions are serializable, registers linearizable, balances add up, all replicas hold the same,
// and once the faults are over everything finishes in bounded time.
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/clients.h"
#include "tests/sim/kv_world.h"
#include "tests/sim/nemesis.h"

#define OPERATIONS_MAX 400u
#define HEAL_WITHIN (60 * WORLD_SECOND)

struct cluster_run {
    struct kv_world kv;
    struct clients clients;
    struct nemesis_options nemesis;
    bool finishing;
    struct status finish_status;
};

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
    clients_node_down(&cluster->clients, node);
}

static bool work_is_done(void *arg)
{
    struct cluster_run *cluster = arg;
    return clients_are_done(&cluster->clients);
}

static bool all_is_done(void *arg)
{
    struct cluster_run *cluster = arg;
    return nemesis_is_over(&cluster->kv.world) && clients_are_done(&cluster->clients);
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

static void run_cluster(struct sim_run *run, uint32_t nodes)
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct sim_random random = sim_random_named(run->seed, "cluster");
    struct world *world = &cluster->kv.world;
    const struct kv_world_options options = {.nodes = nodes,
        .serves = node_serves,
        .shard_serves = shard_serves,
        .down = node_down,
        .arg = cluster};
    kv_world_begin(&cluster->kv, run, &options);
    clients_init(&cluster->clients, world,
        (uint32_t)sim_random_between(&random, OPERATIONS_MAX / 4, OPERATIONS_MAX));
    cluster->nemesis = (struct nemesis_options){
        .faults_max = 16, .gap_max_ns = 2 * WORLD_SECOND, .allowed = NEMESIS_ALL, .leader = leader_node};
    world_start_all(world);
    nemesis_plan(world, &cluster->nemesis);
    world_run(world, all_is_done, cluster, 60 * WORLD_SECOND);
    world_heal(world);
    world_expect(world, "all operations end", work_is_done, cluster, HEAL_WITHIN);
    if (!run->violated) kv_world_expect_serving(&cluster->kv, HEAL_WITHIN);
    cluster->finishing = true;
    struct world_node *node = world_serving(world, 0, sim_random_next(&random));
    if (!run->violated) {
        world_spawn(node, 0, "sim-finish", finish, cluster);
        world_expect(world, "the last reading ends", is_finished, cluster, HEAL_WITHIN);
    }
    clients_check(&cluster->clients, nodes == 1);
    if (!run->violated) world_stop(world);
    sim_note(world->sim, cluster->clients.acknowledged);
    world_end(world);
}

SIM_SCENARIO(single, "one node under faults: nothing acknowledged is lost, histories are serializable")
{
    run_cluster(run, 1);
}

SIM_SCENARIO_ON_REQUEST(cluster, "three nodes under faults: nothing acknowledged is lost, histories are serializable")
{
    run_cluster(run, 3);
}
