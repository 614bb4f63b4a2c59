// SPDX-License-Identifier: GPL-3.0-or-later
//
// Schema changes: the handlers of CREATE, ALTER, DROP, RENAME, TRUNCATE and COMMENT, and what they share.
//
// A handler edits decoded descriptors and puts the new versions in the session's transaction; nothing is visible
// to others before it commits. Work on existing rows is done inside the transaction when there is little of
// it or the client holds the transaction open (bounded by the transaction's memory: 53200); otherwise the
// statement commits its first step, and a job (sql/ddl/schema_change.h) does the rest while it waits.
//
// Shard    The session's. Everything suspends.
// Memory   Edits live in the statement's arena.
// Errors   PostgreSQL's; see each handler.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/session/statement.h"

// Everything this layer handles that is not the planner's or the session's: DDL, roles, privileges,
// settings, jobs, SHOW, ANALYZE; and the virtual tables, functions and job types. Once, before shards start.
void ddl_register(void);
void ddl_statements_register(void); // The schema changes only.

// unique_rowid() and crdb_internal's functions: sql/function/function_cluster.c.
void cluster_functions_register(void);
void split_register(void); // Borders of ranges by hand, and what ranges do by themselves.

// What CALL runs, whose parameters are the statement's. *rows: it gives a row, of OUT and INOUT parameters.
struct prepared;
CHECKED struct status ddl_prepare_call(
    struct statement_context *context, struct prepared **prepared, bool *rows);

// The transaction's uncommitted schema changes: session->ddl.
struct ddl_state;
