// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clusters under everything that can go wrong, while clients work on them: tests/sim/cluster_run.h.
#include "tests/sim/cluster_run.h"

#define OPERATIONS_MAX 400u

static void run_cluster(struct sim_run *run, uint32_t nodes)
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct sim_random random = sim_random_named(run->seed, "cluster");
    struct nemesis_options faults = {
        .faults_max = 16, .gap_max_ns = 2 * WORLD_SECOND, .allowed = NEMESIS_ALL | NEMESIS_MEMORY};
    cluster_begin(cluster, run, nodes,
        (uint32_t)sim_random_between(&random, OPERATIONS_MAX / 4, OPERATIONS_MAX), &faults);
    cluster_suffer(cluster);
    cluster_end(cluster);
}

SIM_SCENARIO(single, "one node under faults: nothing acknowledged is lost, histories are serializable")
{
    run_cluster(run, 1);
}

SIM_SCENARIO(cluster,
    "three nodes with three replicas under faults: nothing acknowledged is lost, histories are serializable")
{
    run_cluster(run, 3);
}
