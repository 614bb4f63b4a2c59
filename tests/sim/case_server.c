// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of nodes that run the whole server.
#include "kv/kv_node.h"
#include "kv/maintenance.h"
#include "tests/sim/server_node.h"

#define FAILURES 12u
#define START_WITHIN_NS (60 * WORLD_SECOND)
#define STOP_WITHIN_NS (20 * WORLD_SECOND)

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

static struct status serves_quietly(struct task *task, struct world_node *node)
{
    (void)task;
    (void)node;
    return STATUS_OK;
}

static struct status boot_three(struct task *task, void *arg)
{
    static const struct server_node_options options = {.serves = serves_quietly};
    return server_node_run(task, arg, &options);
}

static bool all_serve(void *arg)
{
    const struct world *world = arg;
    for (uint32_t i = 0; i < world->node_count; i++)
        if (!world_node_serves(&world->nodes[i])) return false;
    return true;
}

static bool is_down(void *arg)
{
    const struct world_node *node = arg;
    return sim_node_running(node->machine) == NULL;
}

static struct status collect(struct task *task, void *arg)
{
    (void)arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv != NULL) maintenance_gc_wake(kv, 0);
    return STATUS_OK;
}

// The last ones have no majority any more, so whatever they have under way among them, at whatever moment they are told to
// end, comes to nothing: none of it holds up a node for longer than a bound.
SIM_CASE(server_stops_in_turn, "nodes that are ended one after the other end within a bound, also those without a majority")
{
    struct world *world = ARENA_NEW(&run->arena, struct world);
    struct sim_random random = sim_random_named(run->seed, "stopping");
    const struct world_options options = {.clusters = 1, .nodes = 3, .max_offset_ns = 500 * WORLD_MS, .boot = boot_three,
        .shards = 1 + (uint32_t)sim_random_below(&random, 2), .look = server_node_look};
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "all nodes serve", all_serve, world, START_WITHIN_NS);
    world_run(world, NULL, NULL, sim_random_between(&random, 15000, 75000) * WORLD_MS); // Their slices have their copies.
    for (uint32_t i = 0; i < world->node_count && !run->violated; i++) {
        struct world_node *node = &world->nodes[i];
        world_run(world, NULL, NULL, sim_random_below(&random, 6000) * WORLD_MS);
        for (uint32_t k = 0; k < options.shards; k++) world_spawn(node, k, "sim-collect", collect, NULL);
        world_leave(node);
        world_expect(world, "the node ends", is_down, node, STOP_WITHIN_NS);
    }
    world_end(world);
}
