// SPDX-License-Identifier: GPL-3.0-or-later
//
// SQL run by the server itself: system tables (users, settings, jobs, virtual clusters) are ordinary
// tables of their virtual cluster, read and written through here with every privilege.
//
//   struct internal_result result;
//   TRY(internal_query(task, tenant, NULL, arena, &result,
//       "SELECT name FROM system.tenants WHERE id = $1", 1, (struct datum[]){datum_int(3)},
//       (type_oid[]){TYPE_INT8}));
//
// Shard    Any; runs on the caller's shard. Plans are cached per shard by text: pass string constants.
// Errors   As the statement's. A statement of its own transaction is retried on 40001, 10 times.
#pragma once
#include "sql/session/session.h"

struct internal_result {
    uint32_t column_count;
    uint64_t row_count;     // Rows returned, or affected by DML without RETURNING.
    struct datum *values;   // row_count * column_count, row by row, in the arena given.
    struct type *types;
};
static inline struct datum internal_value(
    const struct internal_result *result, uint64_t row, uint32_t column)
{
    return result->values[row * result->column_count + column];
}

// Runs one statement in a transaction of its own (`session` NULL) or in the open one of `session`.
// `result` may be NULL. At most 1,000,000 rows or the account's memory. A transaction of its own takes its memory from the
// node's and not from the virtual cluster's, so that a quota which is reached can be read, and raised.
CHECKED struct status internal_query(struct task *task, uint64_t tenant, struct session *session,
    struct arena *arena, struct internal_result *result, const char *sql, uint32_t param_count,
    const struct datum *params, const type_oid *param_types);

// One statement in the open transaction of `session`, as its user: a part of a statement that is running.
CHECKED struct status internal_run(struct task *task, struct session *session, struct arena *arena,
    struct internal_result *result, const char *sql, uint32_t param_count,
    const struct datum *params, const type_oid *param_types);

// A session of the server's own, for several statements in one transaction.
CHECKED struct status internal_session_open(
    struct task *task, uint64_t tenant, const char *database, struct session **session);
void internal_session_close(struct task *task, struct session *session);
// Runs `fn` in a transaction of a new internal session, committing after; again from the start on 40001.
CHECKED struct status internal_transaction(struct task *task, uint64_t tenant,
    struct status (*fn)(struct task *task, struct session *session, void *arg), void *arg);
