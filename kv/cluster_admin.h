// SPDX-License-Identifier: GPL-3.0-or-later
//
// What operators ask of a cluster, from outside (`isopod init`, `isopod node ...`): the requests over RPC, and their
// serving. The asking side is a process with rpc_start and no identity of its own.
//
// Shard    Any. All of it suspends.
// Memory   Results in the arena given.
// Errors   K_UNREACHABLE as core/rpc.h; 55000 for what the cluster's state forbids; 42704 no such node.
#pragma once
#include "kv/cluster.h"

// Makes a cluster out of the waiting node at `address`; returns when it serves.
CHECKED struct status cluster_admin_init(struct task *task, const char *address, uint8_t cluster_id[16]);

struct cluster_admin_node {
    struct cluster_node node;
    uint32_t replicas, leaders; // By the table of slices: also of a node that is dead.
};
// The nodes as the one at `address` sees them, by id. *self is its own id.
CHECKED struct status cluster_admin_nodes(struct task *task, const char *address, struct arena *arena,
    struct cluster_admin_node **nodes, uint32_t *count, uint32_t *self);
// `checked`: a decommission that would leave too few nodes for as many copies as there are now is refused (55000).
CHECKED struct status cluster_admin_membership(struct task *task, const char *address, uint32_t node,
    enum cluster_membership membership, bool checked);

// Asks `node` (0: the one at `address`) to drain: to hand its leaderships over and end its sessions; with
// `shutdown` it then ends. Returns at once; *remaining says how much is left (sessions and leaderships): ask
// again until it is 0.
CHECKED struct status cluster_admin_drain(
    struct task *task, const char *address, uint32_t node, bool shutdown, uint64_t *remaining);

// The server's part of draining. Begins it when it has not begun.
typedef struct status (*cluster_drain_fn)(struct task *task, bool shutdown, uint64_t *remaining);
void cluster_drain_register(cluster_drain_fn drain);
// Slices that the node leads, by the table.
uint32_t cluster_leaderships(struct shard *shard, uint32_t node);

void cluster_admin_register(void);
