// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of replication between two clusters.
#include "tests/sim/pcr_world.h"

static struct pcr *begin(struct sim_run *run)
{
    struct pcr *pcr = ARENA_NEW(&run->arena, struct pcr);
    const struct pcr_options options = {
        
        .nodes = {1, 1}, .shards = 2, .writes = 200, .write_every_ns = 20 * WORLD_MS};
    pcr_begin(pcr, run, &options);
    pcr_start(pcr);
    SIM_CHECK(run, pcr_replicate(pcr, 60 * WORLD_SECOND));
    return pcr;
}

// A producer's job that was cut short by its own node's end once declared the stream over for good.
SIM_CASE(pcr_primary_restarts, "replication goes on after the primary was stopped and started")
{
    struct pcr *pcr = begin(run);
    struct sim_node *primary = pcr->world.nodes[0].machine;
    for (int i = 0; i < 3; i++) {
        sim_node_stop(primary);
        world_run(&pcr->world, NULL, NULL, 8 * WORLD_SECOND);
    }
    struct hlc_timestamp before = pcr->replicated;
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND);
    SIM_CHECK(run, hlc_less(before, pcr->replicated));
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}

// So did the consumer's, when its node was stopped while the primary could not be reached.
SIM_CASE(pcr_standby_restarts_alone, "a standby that is stopped while cut off is still a standby")
{
    struct pcr *pcr = begin(run);
    struct sim_node *primary = pcr->world.nodes[0].machine, *standby = pcr->world.nodes[1].machine;
    sim_net_cut(primary, standby, true);
    sim_net_cut(standby, primary, true);
    world_run(&pcr->world, NULL, NULL, 5 * WORLD_SECOND);
    sim_node_stop(standby);
    world_run(&pcr->world, NULL, NULL, 10 * WORLD_SECOND);
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}

SIM_CASE(pcr_primary_lost, "a standby takes over at its replicated time when the primary is lost")
{
    struct pcr *pcr = begin(run);
    world_run(&pcr->world, NULL, NULL, 3 * WORLD_SECOND);
    pcr_lose_primary(pcr);
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}
