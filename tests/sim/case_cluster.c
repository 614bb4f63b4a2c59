// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of clusters of several nodes.
#include "tests/sim/cluster_run.h"

// A store whose node got its id, and went down before storage had begun, once founded slices of its own.
SIM_CASE(cluster_join_cut_short, "a node that is killed while it joins founds nothing when it comes again")
{
    struct cluster_run *cluster = ARENA_NEW(&run->arena, struct cluster_run);
    struct world *world = &cluster->kv.world;
    cluster_begin(cluster, run, 3, 60);
    for (uint32_t i = 0; i < 12; i++) {
        sim_disk_crash_at(world->nodes[1].machine, 3 + i);
        sim_disk_crash_at(world->nodes[2].machine, 4 + i);
        world_run(world, NULL, NULL, 4 * WORLD_SECOND);
    }
    cluster_end(cluster);
}
