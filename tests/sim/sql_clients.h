// SPDX-License-Identifier: GPL-3.0-or-later
//
// Clients of SQL, over the wire, and what they check: a bank (the sum of balances in every snapshot), lists
// (serializable histories), a table for each client against a model of it (every answer), while the same clients
// change schemas. They run as tasks on the nodes, connect to any node, and take the operations
// of a workload.
#pragma once
#include "sql/wire/pgclient.h"
#include "tests/sim/history.h"
#include "tests/sim/sql_model.h"
#include "tests/sim/workload.h"

#define SQL_CLIENTS_MAX (2 * WORLD_NODES_MAX)
#define SQL_BALANCE 1000

// A client's table and what must be in it.
struct sql_own {
    bool made, taken;
    bool unsure;            // `next` may have been committed, or not.
    struct sql_model now, next;
    uint32_t fence;         // As last known: each transaction moves it on.
    uint32_t fences;        // Given out.
};

struct sql_clients {
    struct world *world;
    struct workload work;
    uint64_t acknowledged, unknown, refused;
    bool laid_out, finished;
    bool schemas; // They change meanwhile.
    uint32_t accounts, lists;
    struct list_history list_history;
    struct sql_own own[SQL_CLIENTS_MAX];
};

void sql_clients_init(struct sql_clients *clients, struct world *world, uint32_t operations);
// Makes the shared tables, as far as they are not there. Suspends; can be repeated.
CHECKED struct status sql_clients_lay_out(
    struct task *task, struct world_node *node, struct sql_clients *clients);
// `count` clients, until all operations are taken.
CHECKED struct status sql_clients_start(
    struct task *task, struct world_node *node, struct sql_clients *clients, uint32_t count);
// Reads everything one last time; then sql_clients_check looks at all that was seen.
CHECKED struct status sql_clients_finish(
    struct task *task, struct world_node *node, struct sql_clients *clients);
void sql_clients_check(struct sql_clients *clients, bool real_time);
