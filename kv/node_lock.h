// SPDX-License-Identifier: GPL-3.0-or-later
//
// Locks by name that nodes hold against each other: for what sessions on several nodes must not have at once
// (sql/service/named_lock.h shares a node's hold among its sessions). A record says which nodes hold the lock, in which modes;
// one whose node is gone (its liveness epoch was raised, or it has started anew) counts for nothing.
//
// Not a queue: who waits asks again, so that nodes are served in any order; and a circle of nodes that wait for each other
// ends by a time limit alone.
//
// On disk  0x01 'L' <name> -> holders: keys of the cluster's own span.
//
// Shard    Any. Suspends.
// Safety   A node must act on its hold only while cluster_epoch is not 0: whoever loses it finds out by its own clock.
// Errors   55P03 the time is up; 55000 this node's own liveness has lapsed; those of kv/client.h.
#pragma once
#include "core/bytes.h"
#include "core/status.h"
#include "core/task.h"

#define NODE_LOCK_NAME_BYTES_MAX 256u

struct node_lock_wish {
    struct bytes name;
    uint32_t modes;     // Bits of the caller's choice: to be held beside those that the node holds already.
    uint32_t conflicts; // Modes of other nodes that exclude them.
    bool try;           // Does not wait.
    uint64_t timeout_ns; // 0: none.
};
// *granted false only with `try`.
CHECKED struct status node_lock_acquire(
    struct task *task, const struct node_lock_wish *wish, bool *granted);
// The node holds it in these modes alone from now on; 0: not at all.
CHECKED struct status node_lock_keep(struct task *task, struct bytes name, uint32_t modes);
