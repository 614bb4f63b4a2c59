// SPDX-License-Identifier: GPL-3.0-or-later
//
// A standby follows its primary while both suffer; then a cutover at a random moment, to a random time,
// with the primary lost or not. What must hold: tests/sim/pcr_world.h. And all of it ends in bounded
// time once the faults are over.
#include "tests/sim/pcr_world.h"

static void take_over(struct pcr *pcr, bool lost)
{
    struct world *world = &pcr->world;
    if (pcr_cut_over(pcr, 30 * WORLD_SECOND) || world->run->violated) return;
    world_heal(world);
    if (lost) pcr_lose_primary(pcr);
    // A time to come does not, once the primary is lost: the operator changes his mind.
    if (lost && pcr->step < PCR_OVER) {
        pcr->to = PCR_LATEST;
        pcr->step = PCR_CUTOVER;
    }
    if (pcr_cut_over(pcr, PCR_WITHIN) || world->run->violated) return;
    if (world->run->trace) world_tasks_print(world);
    sim_violation(world->run, "the standby does not take over");
}

static void replicate(struct pcr *pcr)
{
    struct world *world = &pcr->world;
    if (pcr_replicate(pcr, 60 * WORLD_SECOND) || world->run->violated) return;
    world_heal(world); // The faults let it come to nothing: without them it must not.
    if (pcr_replicate(pcr, PCR_WITHIN) || world->run->violated) return;
    if (world->run->trace) world_tasks_print(world);
    sim_violation(world->run, "the initial scan does not end");
}

// The primary follows the promoted standby, and takes over again.
static void fail_back(struct pcr *pcr, bool harsh)
{
    const struct nemesis_options faults = {.stream = "nemesis/back",
        .faults_max = 8,
        .gap_max_ns = 2 * WORLD_SECOND,
        .allowed = NEMESIS_ALL | NEMESIS_MEMORY};
    struct sim_random random = sim_random_named(pcr->world.run->seed, "pcr/back");
    const struct pcr_return back = {.writes = 100,
        .pause_ns = sim_random_below(&random, 2) == 0 ? 0 : sim_random_below(&random, 30 * WORLD_SECOND),
        .writers_stay = sim_random_below(&random, 2) == 0};
    pcr_turn_round(pcr, &back);
    if (harsh) nemesis_plan(&pcr->world, &faults);
    pcr->to = PCR_LATEST;
    replicate(pcr);
    world_run(&pcr->world, NULL, NULL, 3 * WORLD_SECOND);
    if (!pcr->world.run->violated) pcr_quiet(pcr);
    if (!pcr->world.run->violated) take_over(pcr, false);
    pcr_compare(pcr);
    if (!pcr->world.run->violated) sim_count(pcr->world.run, "failbacks", 1);
}

static void run_pcr(struct sim_run *run, uint32_t primaries, uint32_t standbys, bool moves)
{
    struct pcr *pcr = ARENA_NEW(&run->arena, struct pcr);
    struct sim_random random = sim_random_named(run->seed, "pcr"), readers = sim_random_named(run->seed, "pcr/readers"),
                      forger = sim_random_named(run->seed, "pcr/forger");
    struct world *world = &pcr->world;
    const struct pcr_options options = {.nodes = {primaries, standbys},
        .shards = (uint32_t)sim_random_between(&random, 1, 2),
        .writes = (uint32_t)sim_random_between(&random, 20, 400),
        .write_every_ns = sim_random_between(&random, 5, 100) * WORLD_MS,
        .readers = sim_random_below(&readers, 3) == 0,
        .forger = sim_random_below(&forger, 3) == 0};
    const struct nemesis_options faults = {
        .faults_max = 12, .gap_max_ns = 2 * WORLD_SECOND, .allowed = NEMESIS_ALL | NEMESIS_MEMORY};
    bool back = sim_random_below(&random, 2) == 0, harsh = sim_random_below(&random, 2) == 0;
    pcr_begin(pcr, run, &options);
    pcr->moving = sim_random_below(&random, 2) == 0 && moves;
    pcr_start(pcr);
    pcr->to = (enum pcr_time)sim_random_below(&random, 3);
    bool lose = sim_random_below(&random, 2) == 0;
    uint64_t follow_ns = sim_random_below(&random, 12 * WORLD_SECOND);
    nemesis_plan(world, &faults);
    replicate(pcr);
    world_run(world, NULL, NULL, follow_ns);
    if (lose) pcr_lose_primary(pcr);
    if (!run->violated) take_over(pcr, lose);
    pcr_compare(pcr);
    if (back && !run->violated) fail_back(pcr, harsh);
    pcr_end(pcr);
}

SIM_SCENARIO(pcr, "a standby follows and takes over, under faults of both clusters")
{
    run_pcr(run, 1, 1, true);
}

// Clusters of one or three nodes each, mostly of three.
static void run_nodes(struct sim_run *run, bool moves)
{
    struct sim_random random = sim_random_named(run->seed, "pcr/nodes");
    uint64_t draw = sim_random_below(&random, 4);
    run_pcr(run, draw == 1 ? 1 : 3, draw == 2 ? 1 : 3, moves || draw == 1);
}

SIM_SCENARIO(pcr_nodes, "the same between clusters of several nodes")
{
    run_nodes(run, false);
}

// A change of ranges that a crash cuts short in the middle may leave a span that nobody serves.
SIM_SCENARIO_ON_REQUEST(pcr_moves, "the same while spans of a source of several nodes move")
{
    run_nodes(run, true);
}
