// SPDX-License-Identifier: GPL-3.0-or-later
//
// How many clients a node has of each virtual cluster and of each role, and that they are not more than allowed:
// server.max_connections_per_gateway, and CONNECTION LIMIT of the role. Superusers are counted but never refused.
// Also how many transactions of clients are open: server.max_open_transactions_per_gateway. Those of superusers and of
// the server itself are neither counted nor refused, and while there is no limit none are: it is about new ones.
//
// Shard    Any; the counts live on shard 0 of the node. Entering suspends, leaving does not.
// Memory   A count for each role with a connection, gone with its last one.
// Errors   53300 connections, 53400 transactions.
#pragma once
#include "core/status.h"
#include "core/task.h"

struct session;

#define SETTING_MAX_CONNECTIONS "server.max_connections_per_gateway"
#define SETTING_MAX_TRANSACTIONS "server.max_open_transactions_per_gateway"

// Counts the session of a client that has just logged in. `role_limit` -1: none.
CHECKED struct status connection_enter(
    struct task *task, struct session *session, bool superuser, int64_t role_limit);
// Undoes it; nothing for sessions that were never counted.
void connection_leave(struct session *session);

// Counts the transaction that the session is about to begin.
CHECKED struct status transaction_enter(struct task *task, struct session *session);
// Undoes it; nothing when it was not counted.
void transaction_leave(struct session *session);
struct setting;
void transaction_limit_changed(struct shard *shard, uint64_t tenant, const struct setting *setting);

struct sql_shard;
void connection_limit_shard_fini(struct sql_shard *state);
