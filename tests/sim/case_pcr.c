// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of replication between two clusters.
#include "core/mark.h"
#include "tests/sim/pcr_world.h"

static struct pcr *begin_prepared(
    struct sim_run *run, uint32_t primaries, uint32_t standbys, const char *const *prepare)
{
    struct pcr *pcr = ARENA_NEW(&run->arena, struct pcr);
    const struct pcr_options options = {.nodes = {primaries, standbys},
        .shards = 2,
        .writes = 200,
        .write_every_ns = 20 * WORLD_MS,
        .prepare = prepare};
    pcr_begin(pcr, run, &options);
    pcr_start(pcr);
    SIM_CHECK(run, pcr_replicate(pcr, 60 * WORLD_SECOND));
    return pcr;
}

static struct pcr *begin_nodes(struct sim_run *run, uint32_t primaries, uint32_t standbys)
{
    return begin_prepared(run, primaries, standbys, NULL);
}

static struct pcr *begin(struct sim_run *run)
{
    return begin_nodes(run, 1, 1);
}

static void goes_on(struct pcr *pcr, struct sim_run *run)
{
    struct hlc_timestamp before = pcr->replicated;
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND);
    SIM_CHECK(run, hlc_less(before, pcr->replicated));
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}

static bool reader_time_moved(void *arg)
{
    const struct pcr *pcr = arg;
    return hlc_less(pcr->reader_time_before, pcr_readers_time(pcr->readers, &pcr->world.nodes[1]));
}

// A reader that nobody moves on says the same for ever: then it is better not served, and tried again.
SIM_CASE(pcr_reader_time_moves, "the time of readers moves on, though the first attempts to follow it were refused")
{
    struct pcr *pcr = ARENA_NEW(&run->arena, struct pcr);
    const struct pcr_options options = {
        .nodes = {1, 1}, .shards = 2, .writes = 200, .write_every_ns = 100 * WORLD_MS, .readers = true};
    pcr_begin(pcr, run, &options);
    pcr_start(pcr);
    marks_insist("service.poll_refused");
    SIM_CHECK(run, pcr_replicate(pcr, 60 * WORLD_SECOND));
    world_run(&pcr->world, NULL, NULL, 10 * WORLD_SECOND);
    SIM_CHECK(run, sim_reached("service.poll_refused"));
    marks_insist(NULL);
    for (int i = 0; i < 3 && !run->violated; i++) {
        world_expect(&pcr->world, "the readers' time to move on", reader_time_moved, pcr, 60 * WORLD_SECOND);
        pcr->reader_time_before = pcr_readers_time(pcr->readers, &pcr->world.nodes[1]);
    }
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
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
    goes_on(pcr, run);
}

// A look at its record for which there was no memory ended the producer's job, too.
SIM_CASE(pcr_primary_short_of_memory, "a stream is not given up when there was no memory for a look at its record")
{
    struct pcr *pcr = begin(run);
    marks_bend_stop();
    marks_insist("producer.look_refused");
    world_run(&pcr->world, NULL, NULL, 5 * WORLD_SECOND);
    marks_insist(NULL);
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND); // The consumer asks seldom.
    goes_on(pcr, run);
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

// Which node the address names does not matter once the others are known.
SIM_CASE(pcr_named_node_lost, "a standby goes on when the primary's node that it was told of is gone for good")
{
    struct pcr *pcr = begin_nodes(run, 3, 1);
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND); // The slices have three copies.
    pcr->world.nodes[0].wanted = false;
    sim_node_crash(pcr->world.nodes[0].machine);
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND);
    struct hlc_timestamp before = pcr->replicated;
    world_run(&pcr->world, NULL, NULL, 10 * WORLD_SECOND);
    SIM_CHECK(run, hlc_less(before, pcr->replicated));
    SIM_CHECK(run, pcr_cut_over(pcr, 60 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}

SIM_CASE(pcr_standby_node_lost, "a standby of three nodes takes over with two of them")
{
    struct pcr *pcr = begin_nodes(run, 1, 3);
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND);
    pcr->world.nodes[2].wanted = false;
    sim_node_crash(pcr->world.nodes[2].machine);
    pcr_lose_primary(pcr);
    SIM_CHECK(run, pcr_cut_over(pcr, 60 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}

SIM_CASE(pcr_there_and_back, "the former primary follows from where they parted, and takes over again")
{
    struct pcr *pcr = begin(run);
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_turn_round(pcr, &(struct pcr_return){.writes = 50, .writers_stay = true});
    SIM_CHECK(run, pcr_replicate(pcr, 60 * WORLD_SECOND));
    pcr_quiet(pcr);
    world_run(&pcr->world, NULL, NULL, 5 * WORLD_SECOND);
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}

// A stream that its consumer knows nothing of any more goes on between the revert and the mark that nothing is received
// from then on.
SIM_CASE(pcr_strays_undone, "what comes to the standby after the revert of the cutover is undone as well")
{
    struct pcr *pcr = ARENA_NEW(&run->arena, struct pcr);
    const struct pcr_options options = {.nodes = {1, 3},
        .shards = 2,
        .writes = 4000,
        .write_every_ns = 5 * WORLD_MS,
        .forger = true};
    pcr_begin(pcr, run, &options);
    marks_bend_stop();
    marks_insist("cutover.slow_close");
    pcr_forger_strays(pcr->forger);
    pcr_start(pcr);
    SIM_CHECK(run, pcr_replicate(pcr, 60 * WORLD_SECOND));
    world_run(&pcr->world, NULL, NULL, 5 * WORLD_SECOND);
    SIM_CHECK(run, pcr_cut_over(pcr, 30 * WORLD_SECOND));
    SIM_CHECK(run, sim_reached("ingest.strays_undone"));
    pcr_compare(pcr);
    pcr_end(pcr);
}

// Nodes are compared as often as the settings say: long before a stream that is silent would be given up.
SIM_CASE(pcr_node_lags, "streams are planned anew when one node of the standby falls behind the others")
{
    static const char *const prepare[] = {"SET CLUSTER SETTING stream_replication.lag_check_frequency = '500ms'",
        "SET CLUSTER SETTING physical_replication.consumer.node_lag_replanning_threshold = '2s'", NULL};
    struct pcr *pcr = begin_prepared(run, 1, 3, prepare);
    struct sim_node *primary = pcr->world.nodes[0].machine;
    marks_bend_stop();
    world_run(&pcr->world, NULL, NULL, 20 * WORLD_SECOND);
    for (uint32_t i = 1; i < 4 && !sim_reached("flow.node_lags"); i++) {
        struct sim_node *standby = pcr->world.nodes[i].machine;
        sim_net_cut(primary, standby, true);
        sim_net_cut(standby, primary, true);
        world_run(&pcr->world, NULL, NULL, 6 * WORLD_SECOND);
        sim_net_heal(pcr->world.sim);
        world_run(&pcr->world, NULL, NULL, 10 * WORLD_SECOND);
    }
    SIM_CHECK(run, sim_reached("flow.node_lags"));
    SIM_CHECK(run, pcr_cut_over(pcr, 60 * WORLD_SECOND));
    pcr_compare(pcr);
    pcr_end(pcr);
}
