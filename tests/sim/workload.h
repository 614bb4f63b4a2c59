// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbered operations that clients on all nodes take one after the other until there are no more (SIM_OPERATION: a run may
// be told to leave some out). What an operation is decides who runs it.
//
// Shard    Any: a simulation is one thread.
#pragma once
#include "tests/sim/world.h"

struct workload {
    struct sim_run *run;
    uint32_t operations, next; // In all; the next to be taken.
    uint32_t in_flight[WORLD_NODES_MAX + 1]; // By node id.
    uint64_t think_max_ns; // Between two operations of a client.
};

void workload_init(
    struct workload *work, struct sim_run *run, uint32_t operations, uint64_t think_max_ns);
// A client's life on `node`: runs operations, each in memory of its own, until all are taken or the task is cancelled.
void workload_run(struct task *task, struct workload *work, const struct world_node *node,
    void (*operate)(struct task *task, void *client, uint32_t number), void *client);
// No operation is taken any more: those that are under way end.
void workload_cut(struct workload *work);
// What was under way there is with it no more.
void workload_node_down(struct workload *work, const struct world_node *node);
bool workload_is_done(const struct workload *work);
