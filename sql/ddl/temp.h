// SPDX-License-Identifier: GPL-3.0-or-later
//
// Temporary tables, views and sequences: ordinary ones in a schema of the session's own, pg_temp_N, which is
// first in its search path and is dropped when the session ends. After a crash the next start finds what was
// left behind: a schema that is older than its node's process has no session any more.
//
// Shard    The session's.
// Memory   struct temp_state is malloc'ed with the first temporary object and freed with the session.
// Errors   PostgreSQL's: 42P16 for temporary things in a schema that is not.
#pragma once
#include "sql/ddl/ddl_internal.h"

struct temp_state; // In struct session.

// The session's schema: made when it has none. Suspends.
CHECKED struct status temp_schema(
    struct statement_context *context, const struct schema_desc **schema);
// Where a relation goes that was written with this persistence and name: *is_temp says which it was.
CHECKED struct status temp_target_schema(struct statement_context *context,
    const struct object_name *name, enum persistence persistence,
    const struct schema_desc **schema, bool *is_temp);
// A new temporary relation: names may mean something else from now on.
void temp_note(struct session *session, uint32_t table_id, enum on_commit on_commit);
bool temp_is_emptied(const struct session *session, uint32_t table_id); // ON COMMIT DELETE ROWS
bool temp_is_schema_name(const char *name); // "pg_temp_7"
// Drops all that the session has; also for DISCARD TEMP.
void temp_drop_all(struct task *task, struct session *session);
// The same as part of the session's open transaction, which may yet be rolled back.
CHECKED struct status temp_drop_in_transaction(struct task *task, struct session *session);
void temp_session_end(struct task *task, struct session *session);
// At a session's start: the first one of a tenant since this process began looks for what others left behind.
void temp_sweep(struct task *task, struct session *session);
void temp_register(void);
