// SPDX-License-Identifier: GPL-3.0-or-later
//
// How statements run: a registry from statement tag (sql/parse/ast.h) to handler, and the sink that takes
// result rows. SELECT and DML go to the planner (sql/plan/plan.h); everything else is a handler. Layers above
// register theirs (virtual clusters, replication) with the same call.
//
// Shard    Registration before shards start. Handlers run in the session's task, inside a transaction
//          unless they say HANDLER_NO_TRANSACTION.
// Errors   0A000 with the statement's name when nobody handles its tag.
#pragma once
#include "core/status.h"
#include "core/task.h"
#include "sql/parse/ast.h"
#include "sql/session/session.h"

struct result_column {
    const char *name;
    struct type type;
    uint32_t table_oid;  // Of a plain column, for RowDescription; else 0.
    uint16_t attribute; // Its number; else 0.
};

// Takes what a statement produces. columns() comes before the first rows(); both may suspend (back-pressure).
struct result_sink {
    struct status (*columns)(
        struct task *task, struct result_sink *sink, const struct result_column *columns, uint32_t count);
    // One row of `count` datums, valid during the call.
    struct status (*row)(struct task *task, struct result_sink *sink, const struct datum *values);
    // Hands on what was taken so far, to a client that waits for it: for results without an end. May be NULL.
    struct status (*flush)(struct task *task, struct result_sink *sink);
    uint64_t rows_sent;
    bool binary; // Set before columns(): a cursor asks for binary forms, where the client has not.
};

struct statement_context {
    struct task *task;
    struct session *session;
    struct arena *arena;             // The statement's.
    const struct statement *statement; // sql/parse/ast.h
    struct bytes text;               // All that was sent: statement->position points into it.
    const struct datum *params;
    const struct type *param_types;
    uint32_t param_count;
    struct result_sink *sink;
    const char **cascades;           // What a DROP ... CASCADE has taken with it: one notice at its end.
    uint32_t cascade_count;
    char tag[64];                    // CommandComplete: filled in by the handler; else the tag's name.
};

enum handler_flags {
    HANDLER_NO_TRANSACTION = 1 << 0,  // Runs outside of one; refused (25001) inside BEGIN...COMMIT.
    HANDLER_IN_FAILED = 1 << 1,       // Allowed in a failed transaction (ROLLBACK).
    HANDLER_DDL = 1 << 2, // Makes or changes applications' objects: see statement_refuse_restricted.
    HANDLER_READ_ONLY = 1 << 3,       // Allowed in read-only transactions.
    HANDLER_TRANSACTION_CONTROL = 1 << 4, // BEGIN, COMMIT, ...: manages the session's transaction itself.
};

struct statement_handler {
    enum statement_tag tag;
    uint32_t flags;
    // Result columns without running it; *count 0: none. NULL: no rows ever.
    struct status (*describe)(struct statement_context *context,
        const struct result_column **columns, uint32_t *count);
    struct status (*execute)(struct statement_context *context);
};
void statement_handler_register(const struct statement_handler *handlers, uint32_t count);
const struct statement_handler *statement_handler_find(enum statement_tag tag);
// 42501 when clients of the system interface may not do `what` because that is for virtual clusters
// (sql.restrict_system_interface.enabled).
CHECKED struct status statement_refuse_restricted(struct session *session, const char *what);

// Runs a query that is a part of the statement, with its parameters and the client's own privileges; its rows go to `sink`.
CHECKED struct status statement_query(
    struct statement_context *context, struct select *select, struct result_sink *sink);
// Small helpers for handlers: evaluates a constant expression (literals, parameters, casts, functions like now()) to
// text/datum of `type`; 42601/42804 when it is not constant.
CHECKED struct status statement_constant(struct statement_context *context,
    const struct expr *expression, struct type type, struct datum *value);
