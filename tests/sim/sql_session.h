// SPDX-License-Identifier: GPL-3.0-or-later
//
// A client's connection and the operation it is in: statements, and what became of their transaction.
#pragma once
#include "tests/sim/sql_clients.h"

struct sql_session {
    struct sql_clients *clients;
    struct world_node *node;
    struct sql_own *own;
    uint32_t number; // Of the client.
    struct pgclient *connection;
    bool patient; // Waits long for its log-in: a node may still be waiting for an answer that was lost.
};

struct sql_op {
    struct sql_session *session;
    struct task *task;
    struct sim_random random;
    enum fate fate;
    struct pgclient_result result; // Of the last statement.
};

// To a node of the cluster, drawn; nothing when there is a connection.
CHECKED struct status sql_connect(struct sql_op *op);
void sql_disconnect(struct sql_session *session);
// A statement inside of a transaction, or one that changes nothing.
CHECKED struct status sql_say(struct sql_op *op, const char *sql);
// One that commits: sets op->fate. A transaction that the server rolled back instead is a failure.
CHECKED struct status sql_say_commit(struct sql_op *op, const char *sql);
// Ends what is open.
void sql_roll_back(struct sql_op *op);
// What was read, as sql_model_statement.rows.
const char *sql_rows_text(struct sql_op *op);
int64_t sql_number(struct sql_op *op, uint64_t row, uint32_t column); // NULL: 0
bool sql_is_ordinary(struct status st);
uint64_t sql_below(struct sql_op *op, uint64_t bound);
