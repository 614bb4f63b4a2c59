// SPDX-License-Identifier: GPL-3.0-or-later
//
// A world: the nodes of one or two clusters, what runs on them, what goes wrong, and who looks.
//
//   world_begin     machines, with sizes drawn from the seed
//   nemesis_plan    the list of faults, drawn from the seed before anything runs (nemesis.h)
//   world_run       time passes: faults strike, nodes that went down come up again
//   world_heal      the end of all faults: from here on everything must finish
//
// What runs on a node is the scenario's: world_options.boot is its init task. All that outlives a
// node (histories, counters) is the driver's memory and stays when the node crashes.
#pragma once
#include "tests/sim/sim.h"

#define WORLD_NODES_MAX 8u

#define WORLD_MS UINT64_C(1000000)
#define WORLD_SECOND UINT64_C(1000000000)

struct world;
struct nemesis;

struct world_node {
    struct world *world;
    struct sim_node *machine;
    uint32_t id;      // 1..; also of the machine.
    uint32_t cluster; // 0 or 1.
    uint64_t starts;
    bool serving;            // Set by boot when clients may begin; cleared when it goes down.
    bool wanted;             // Somebody will start it when it is down.
    uint64_t start_at_ns;    // When, if it is down and wanted.
    uint32_t version;        // Of the protocol that it speaks, by its next start on; 0: this program's.
    bool gave_up;            // The scenario's: it could not stop in order.
    bool leaves;             // Told to by world_leave.
    struct task *init;       // Set by boot while it serves; it ends when woken up with `leaves` set.
    uint32_t tasks;          // Of this start, that boot must wait for; the scenario's.
};

struct world_options {
    uint32_t clusters, nodes; // Nodes of each cluster;
    uint32_t nodes_of[2];     // of one of them, when not 0.
    uint32_t shards;
    bool shards_vary; // A node may come up with another number of them.
    uint32_t fibers; // A shard; 0: 128.
    uint32_t fibers_of[2];     // Of one of the clusters, when not 0.
    uint64_t sql_memory_bytes; // A node; 0: as core/env_sim.h does it.
    uint64_t max_offset_ns;
    struct sim_options sim;
    task_fn boot; // arg: struct world_node.
    // Between two steps, often; not in a task. May be NULL.
    void (*look)(struct world *world);
    // A node has gone down, by whatever way. May be NULL.
    void (*down)(struct world *world, struct world_node *node);
    void *arg;
};

struct world {
    struct sim_run *run;
    struct sim *sim;
    struct world_options options;
    struct world_node nodes[WORLD_NODES_MAX];
    uint32_t node_count;
    struct sim_random random;
    struct nemesis *nemesis; // NULL: nothing goes wrong.
    uint64_t steps;
    bool healed;
    const char *stuck_on; // What is waited for, for the message.
};

void world_begin(struct world *world, struct sim_run *run, const struct world_options *options);
void world_end(struct world *world);
void world_start(struct world *world, struct world_node *node);
void world_start_all(struct world *world);

// Runs until done(arg), at most for so long. Faults strike meanwhile.
bool world_run(struct world *world, bool (*done)(void *arg), void *arg, uint64_t for_ns);
// As world_run; not reaching it is a violation.
void world_expect(
    struct world *world, const char *what, bool (*done)(void *arg), void *arg, uint64_t within_ns);
// Ends all faults: links heal, clocks are right, nodes come up.
void world_heal(struct world *world);
// As a signal does: the node stops in order, what runs there goes on meanwhile, and it does not come again.
// sim_node_stop cancels all tasks at once.
void world_leave(struct world_node *node);
// Stops all nodes gracefully and sees that they end.
void world_stop(struct world *world);

// What every task waits in, on standard error.
void world_tasks_print(const struct world *world);

// A task on the node; nothing when it is down.
void world_spawn(
    struct world_node *node, uint32_t shard, const char *kind, task_fn fn, void *arg);
// It does, and is not about to stop.
bool world_node_serves(const struct world_node *node);
// One that serves; NULL: none does.
struct world_node *world_serving(struct world *world, uint32_t cluster, uint64_t draw);
