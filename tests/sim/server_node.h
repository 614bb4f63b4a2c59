// SPDX-License-Identifier: GPL-3.0-or-later
//
// A node of a world that runs the whole server: consensus, storage, SQL over the wire, virtual clusters. The first
// node of each cluster makes it, the others join.
#pragma once
#include "tests/sim/world.h"

#define SERVER_PORT "26257"

struct server_node_options {
    uint32_t replicas;         // Of a slice; 0: as the product does it.
    uint32_t slices_per_shard; // 0: as the product does it.
    // On shard 0 once everything runs; what it starts counts in node->tasks and ends when it is cancelled.
    struct status (*serves)(struct task *task, struct world_node *node);
};
// What layers say to each other, once a process.
void server_node_register(void);
// The body of a node's init task: starts, serves until it is stopped, stops in order.
struct status server_node_run(
    struct task *task, struct world_node *node, const struct server_node_options *options);
// Of world_options.look: who cannot stop in order, since the others have gone, is killed as its supervisor would do.
void server_node_look(struct world *world);
// A task on this shard that counts in node->tasks.
CHECKED struct status server_node_spawn(
    struct task *task, struct world_node *node, task_fn fn, void *arg, const char *kind);
