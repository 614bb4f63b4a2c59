// SPDX-License-Identifier: GPL-3.0-or-later
//
// Deadlocks between transactions, wherever in the cluster their locks are. Lock tables report waits
// that last (kv/lock.h) to one graph: on shard 0 of the node that leads slice 1; an edge that closes a cycle costs the youngest
// transaction in it its wait: 40001. Its age is when it first began, so a restarted one grows old
// and gets its turn.
//
// Edges point to holders and to the one ahead in line; longer lines are reached through that one.
// Reports repeat while a wait lasts, so edges that went stale (somebody in line gave up) are
// replaced within LOCK_REPORT_AGAIN_NS, where many wait within LOCK_REPORT_AGAIN_MAX_NS. A stale edge can at worst end a wait
// that was no deadlock: 40001 all the same. A cycle of a few is found with the report that closes it; one of many, or behind a
// long line, is found in time that grows with the number of waits. When slice 1 moves, its new leader's graph is whole after one round of
// reports; what an old one keeps is forgotten after DEADLOCK_WAIT_OLD_NS. Reports between nodes are
// messages that may get lost: the next one says the same.
//
// Shard    deadlock_blocked and deadlock_unblocked run on the lock table's shard; the graph is
//          shard 0's.
// Memory   Reports are malloc'ed by the sender and freed by the receiver (jemalloc takes memory
//          back from any thread). The graph holds at most DEADLOCK_WAITS_MAX; further waits rely on
//          lock timeouts.
// Checked  tests/unit/kv/test_deadlock.c, tests/unit/kv/test_txn_locks.c.
#pragma once
#include "kv/kv_node.h"
#include "kv/lock.h"

#define DEADLOCK_WAITS_MAX 65536u
#define DEADLOCK_BLOCKERS_MAX 16u
#define DEADLOCK_WAIT_OLD_NS UINT64_C(5000000000)

struct deadlock_wait_id {
    uint32_t node;
    uint32_t shard;
    uint64_t slice;
    uint64_t wait;
};

// --- the graph, apart from where its reports come from -------------------------------------------

struct deadlock_graph;
// `kill` is told to end a wait. It must not call back.
CHECKED struct status deadlock_graph_create(
    void (*kill)(void *arg, struct deadlock_wait_id id), void *arg, struct deadlock_graph **graph);
void deadlock_graph_destroy(struct deadlock_graph *graph);
// Replaces what is known of this wait and looks for a cycle through what is new of it. Long ones are found with a later report
// of any wait.
void deadlock_graph_wait(struct deadlock_graph *graph, struct deadlock_wait_id id,
    struct lock_owner_id owner, const struct lock_owner_id *blockers, uint32_t blocker_count);
void deadlock_graph_wait_end(
    struct deadlock_graph *graph, struct deadlock_wait_id id, struct lock_owner_id owner);
// Forgets waits that were not reported for DEADLOCK_WAIT_OLD_NS; now and then.
void deadlock_graph_age(struct deadlock_graph *graph, uint64_t now_ns);
uint32_t deadlock_graph_count(const struct deadlock_graph *graph);
// Edges that searches have followed: what they cost.
uint64_t deadlock_graph_steps(const struct deadlock_graph *graph);

// --- in the cluster ------------------------------------------------------------------------------

extern const struct kv_module deadlock_module;
void deadlock_register(void); // With leader_wire_register.
// The lock table's hooks; table->arg is its slice.
void deadlock_blocked(struct lock_waiter *waiter);
void deadlock_unblocked(struct lock_waiter *waiter);
