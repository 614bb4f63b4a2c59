// SPDX-License-Identifier: GPL-3.0-or-later
//
// What rows of a tenant are locked, and who waits for whom: asked of every leader, for those who want to see it.
//
// Shard    Any. Asks every shard of every node, and suspends.
// Memory   Results are in the arena given, which must not be accounted to one shard. At most LOCK_LIST_MAX of a node.
// Errors   Nodes that do not answer within LOCK_LIST_NS are left out.
#pragma once
#include "core/arena.h"
#include "kv/client.h"

#define LOCK_LIST_MAX 10000u
#define LOCK_LIST_NS UINT64_C(3000000000)
#define LOCK_LIST_BLOCKERS_MAX 16u

struct listed_lock {
    struct bytes key;
    uint64_t txn; // The lock's owner.
    enum kv_lock mode;
    bool granted;
    int64_t since_us;          // Of a wait: when it began, in us since 1970.
    uint32_t blocker_count;    // And for whom: holders and who is ahead, or some of them.
    uint64_t blockers[LOCK_LIST_BLOCKERS_MAX];
};
struct lock_list {
    struct listed_lock *locks;
    uint32_t count, capacity;
};

CHECKED struct status lock_list(
    struct task *task, uint64_t tenant, struct arena *arena, struct lock_list *list);
// With leader_wire_register.
void lock_list_register(void);
