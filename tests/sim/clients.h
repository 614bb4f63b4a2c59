// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clients of storage and what they check: transfers between accounts, a ring, lists, registers. They run as
// tasks on the nodes of cluster 0 and take the operations of
// a workload.
#pragma once
#include "kv/client.h"
#include "tests/sim/history.h"
#include "tests/sim/workload.h"

#define CLIENTS_TENANT 5u
#define CLIENTS_ACCOUNTS_MAX 8u
#define CLIENTS_BALANCE 1000
#define CLIENTS_RING_MAX 8u

struct clients {
    struct world *world;
    struct workload work;
    uint32_t groups; // Of keys: each may lie on a slice of its own.
    uint64_t acknowledged, unknown, refused; // Operations that wrote.
    bool laid_out, checked;
    bool ranges_rest; // Ranges are looked at no more often than the product does it, whatever the seed says.
    uint32_t accounts, lists, registers;
    uint32_t ring; // Links; 0: this run has none.
    struct list_history list_history;
    struct register_history register_history;
    struct mutex_hold *holds; // Of transactions that committed.
    uint32_t hold_count;
    bool finished; // The last reading is done.
};

void clients_init(struct clients *clients, struct world *world, uint32_t operations);
// Makes the tenant, its ranges and its accounts, as far as they are not there. Suspends; can be repeated.
CHECKED struct status clients_lay_out(struct task *task, struct clients *clients, uint32_t slices);
// On one shard: `count` clients, until all operations are taken.
CHECKED struct status clients_start(struct task *task, struct world_node *node, struct clients *clients,
    uint32_t count);
// Reads everything one last time; then clients_check looks at all that was seen.
CHECKED struct status clients_finish(struct task *task, struct clients *clients);
void clients_check(struct clients *clients, bool real_time);
