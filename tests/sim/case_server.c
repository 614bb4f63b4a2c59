// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of nodes that run the whole server.
#include "tests/sim/server_node.h"

#define FAILURES 12u
#define START_WITHIN_NS (60 * WORLD_SECOND)

struct failing {
    struct world world; // First.
    struct sim_random random;
    uint32_t failures;
};

// The second node comes to an end of its own, as one does that gets no memory for what it has to serve.
static struct status serves(struct task *task, struct world_node *node)
{
    struct failing *failing = (struct failing *)node->world;
    struct status st = STATUS_OK;
    if (node->id != 2 || failing->failures == FAILURES) return st;
    failing->failures++;
    sim_disk_freeze(node->world->nodes[0].machine, sim_random_between(&failing->random, 3000, 8000) * WORLD_MS);
    TRY(task_sleep(task, sim_random_below(&failing->random, 4000) * WORLD_MS));
    st = status_make(E_OUT_OF_MEMORY, "a node that fails");
out:
    return st;
}

static struct status boot(struct task *task, void *arg)
{
    static const struct server_node_options options = {.replicas = 1, .serves = serves};
    return server_node_run(task, arg, &options);
}

static bool both_serve(void *arg)
{
    struct failing *failing = arg;
    return failing->failures == FAILURES && world_node_serves(&failing->world.nodes[0]) &&
           world_node_serves(&failing->world.nodes[1]);
}

// Its renewal is on its way to a leader whose disk stands still, and is answered when its storage has stopped: it once went
// on as if that were there.
SIM_CASE(server_fails_renewing, "a node that fails while it says that it lives ends in order")
{
    struct failing *failing = ARENA_NEW(&run->arena, struct failing);
    struct world *world = &failing->world;
    const struct world_options options = {.clusters = 1, .nodes = 2, .shards = 2, .max_offset_ns = 500 * WORLD_MS,
        .boot = boot, .look = server_node_look};
    failing->random = sim_random_named(run->seed, "failing");
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "both nodes serve at last", both_serve, failing, FAILURES * START_WITHIN_NS);
    if (!run->violated) world_stop(world);
    world_end(world);
}
