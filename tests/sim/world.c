// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "tests/sim/nemesis.h"

#define LOOK_STEPS 8u
#define RESTART_MAX_NS (3 * WORLD_SECOND)

void world_begin(struct world *world, struct sim_run *run, const struct world_options *options)
{
    memset(world, 0, sizeof *world);
    world->run = run;
    world->options = *options;
    world->sim = sim_run_begin(run, 0, &options->sim);
    world->random = sim_random_named(run->seed, "world");
    for (uint32_t cluster = 0; cluster < options->clusters; cluster++) {
        uint32_t count = options->nodes_of[cluster] != 0 ? options->nodes_of[cluster] : options->nodes;
        for (uint32_t i = 0; i < count; i++) {
            struct world_node *node = &world->nodes[world->node_count++];
            *node = (struct world_node){
                .world = world, .id = world->node_count, .cluster = cluster, .wanted = true};
            node->machine = sim_node_add(world->sim, node->id);
        }
    }
    sim_tell_option(run, "nodes", "%u in %u cluster%s, of %u shards%s and %u fibers", world->node_count, options->clusters,
        options->clusters == 1 ? "" : "s", options->shards, options->shards_vary ? " or another number" : "",
        options->fibers != 0 ? options->fibers : 128);
    sim_tell_option(run, "clocks", "at most %.3f s apart", (double)options->max_offset_ns / 1e9);
    if (options->sql_memory_bytes != 0) sim_tell_option(run, "memory", "%" PRIu64 " bytes for SQL", options->sql_memory_bytes);
}

void world_end(struct world *world)
{
    sim_note(world->sim, world->steps);
    sim_run_end(world->run, world->sim);
    world->sim = NULL;
}

void world_start(struct world *world, struct world_node *node)
{
    if (sim_node_running(node->machine) != NULL) return;
    const struct world_options *options = &world->options;
    struct node_options used = {.shard_count = options->shards,
        .fibers_per_shard = options->fibers != 0 ? options->fibers : 128,
        .sql_memory_bytes = options->sql_memory_bytes};
    if (options->fibers_of[node->cluster] != 0) used.fibers_per_shard = options->fibers_of[node->cluster];
    node->starts++;
    if (options->shards_vary) {
        struct sim_random random =
            sim_random_named(world->run->seed + node->id * 1000 + node->starts, "shards");
        if (sim_random_below(&random, 2) == 0)
            used.shard_count = (uint32_t)sim_random_between(&random, 1, 3);
    }
    node->serving = false;
    node->tasks = 0;
    node->gave_up = node->leaves = false;
    node->init = NULL;
    node->start_at_ns = 0;
    sim_node_start(node->machine, &used, options->boot, node);
}

void world_start_all(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++)
        world_start(world, &world->nodes[i]);
}

// Notices nodes that went down, and starts those whose time has come.
static void nodes_tend(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        if (sim_node_running(node->machine) != NULL || node->starts == 0) continue;
        if (node->start_at_ns == 0) {
            node->serving = false;
            struct status st = sim_node_status(node->machine);
            sim_tell(world->run, world->sim, SIM_AREA_NODE, node->id, "is down%s%s", failed(st) ? ": " : "",
                failed(st) ? st.message : "");
            if (world->options.down != NULL) world->options.down(world, node);
            node->start_at_ns = sim_now_ns(world->sim) + 1 +
                                sim_random_below(&world->random,
                                    world->healed ? 100 * WORLD_MS : RESTART_MAX_NS);
        }
        if (node->wanted && sim_now_ns(world->sim) >= node->start_at_ns) world_start(world, node);
    }
}

struct stepping {
    struct world *world;
    bool (*done)(void *arg);
    void *arg;
    bool reached;
};

static bool stepped(void *arg)
{
    struct stepping *stepping = arg;
    struct world *world = stepping->world;
    if (++world->steps % LOOK_STEPS == 0) {
        nodes_tend(world);
        if (world->options.look != NULL) world->options.look(world);
        if (world->run->violated) return true;
    }
    stepping->reached = stepping->done != NULL && stepping->done(stepping->arg);
    return stepping->reached;
}

// When something is to happen that is not the simulation's own event.
static uint64_t world_next_ns(const struct world *world)
{
    uint64_t next = nemesis_next_ns(world);
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct world_node *node = &world->nodes[i];
        if (sim_node_running(node->machine) == NULL && node->wanted && node->start_at_ns != 0 &&
            node->start_at_ns < next)
            next = node->start_at_ns;
    }
    return next;
}

bool world_run(struct world *world, bool (*done)(void *arg), void *arg, uint64_t for_ns)
{
    struct stepping stepping = {world, done, arg, false};
    uint64_t end_ns = sim_now_ns(world->sim) + for_ns;
    while (!world->run->violated && sim_now_ns(world->sim) < end_ns) {
        nodes_tend(world);
        uint64_t now = sim_now_ns(world->sim), next = world_next_ns(world);
        uint64_t until = next < end_ns ? next : end_ns;
        if (until > now) sim_run_until(world->sim, stepped, &stepping, until - now);
        if (stepping.reached) return true;
        if (world->run->violated) return false;
        nodes_tend(world);
        // Nothing to do till then?
        if (sim_now_ns(world->sim) < until && world_next_ns(world) >= until)
            sim_time_pass(world->sim, until);
        if (nemesis_next_ns(world) <= sim_now_ns(world->sim)) nemesis_strike(world);
    }
    return false;
}

void world_expect(
    struct world *world, const char *what, bool (*done)(void *arg), void *arg, uint64_t within_ns)
{
    if (world->run->violated || world_run(world, done, arg, within_ns) || world->run->violated)
        return;
    if (world->run->trace) world_tasks_print(world);
    sim_violation(world->run, "not within %.0f s: %s (%s)", (double)within_ns / 1e9, what,
        world->stuck_on == NULL ? "-" : world->stuck_on);
}

void world_heal(struct world *world)
{
    nemesis_end(world);
    world->healed = true;
    marks_bend_stop();
    sim_net_heal(world->sim);
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        sim_disk_faults_set(node->machine, &(struct sim_disk_faults){0});
        sim_disk_quota_set(node->machine, 0);
        sim_disk_crash_at(node->machine, 0);
        sim_disk_fail_at(node->machine, 0, 0);
        sim_disk_freeze(node->machine, 0);
        sim_clock_drift_set(node->machine, 0);
        sim_memory_refuse(node->machine, 0);
        sim_memory_squeeze(node->machine, 0);
        sim_memory_fail_at(node->machine, 0);
        node->wanted = true;
        uint64_t soon = sim_now_ns(world->sim) + 100 * WORLD_MS;
        if (node->start_at_ns > soon) node->start_at_ns = soon;
    }
    sim_tell(world->run, world->sim, SIM_AREA_FAULT, 0, "all is healed");
}

static bool all_down(void *arg)
{
    struct world *world = arg;
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (sim_node_running(world->nodes[i].machine) != NULL) return false;
    }
    return true;
}

static struct status leave(struct task *task, void *arg)
{
    struct world_node *node = arg;
    (void)task;
    node->leaves = true;
    if (node->init != NULL) task_wake(node->init, STATUS_OK);
    return STATUS_OK;
}

void world_leave(struct world_node *node)
{
    node->wanted = false;
    world_spawn(node, 0, "sim-leave", leave, node);
}

void world_stop(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++) {
        world->nodes[i].wanted = false;
        sim_node_stop(world->nodes[i].machine);
    }
    world_expect(world, "all nodes stop", all_down, world, 60 * WORLD_SECOND);
}

void world_spawn(struct world_node *node, uint32_t shard, const char *kind, task_fn fn, void *arg)
{
    if (sim_node_running(node->machine) == NULL) return;
    const struct task_options options = {.fn = fn, .arg = arg, .kind = kind};
    sim_task_start(node->machine, shard, &options);
}

bool world_node_serves(const struct world_node *node)
{
    return node->serving && sim_node_running(node->machine) != NULL &&
           !sim_node_stopping(node->machine);
}

struct world_node *world_serving(struct world *world, uint32_t cluster, uint64_t draw)
{
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[(draw + i) % world->node_count];
        if (node->cluster == cluster && world_node_serves(node)) return node;
    }
    return NULL;
}
