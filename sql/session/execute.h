// SPDX-License-Identifier: GPL-3.0-or-later
//
// Running statements in a session, whoever sends them: pgwire's simple and extended protocol, PREPARE and
// EXECUTE, and the server itself. Decides the transaction a statement runs in, keeps plans, and drives
// handlers (sql/session/statement.h) and plans (sql/plan/plan.h) the same way.
//
// Shard    Of the session.
// Memory   A prepared statement owns an arena with its text, tree and plan. Cached ones are shared by sessions of
//          the shard and counted.
// Errors   25P02 in a failed transaction; 25001 for what cannot run in a transaction block; 0A000; and
//          everything that statements can say. execution_* leave the session's transaction as the failure left it:
//          execute_settle does what follows from it.
#pragma once
#include "sql/plan/plan.h"
#include "sql/session/statement.h"

// A plan with the memory it lives in, counted: runs go on with theirs when the statement is planned anew.
struct built_plan {
    uint32_t references;
    struct arena arena;
    struct plan *plan;
};

// How often a named statement ran by which plan, and what its custom ones cost: see execution_choose.
struct plan_choice {
    uint64_t generic, custom;
    uint64_t tried;      // Custom ones since the statement was planned.
    double custom_cost;  // Of those, together.
};

struct prepared {
    struct prepared *next, *prev;     // In a cache.
    const char *name;                 // Of a named one.
    struct arena arena;
    struct bytes text;                // Of this one statement.
    struct bytes sent;                // Of a named one: all that the client sent, with PREPARE before it.
    bool from_sql;                    // Of a named one: made by PREPARE.
    int64_t made_us;                  // Of a named one: since 2000-01-01.
    struct statement *statement;      // NULL: the empty query.
    struct type *param_types;
    uint32_t param_count;
    struct type_name *param_domains;  // Of PREPARE, per parameter: the domain that checks it, name NULL when it is none.
    const struct statement_handler *handler; // NULL: planned.
    struct built_plan *built;         // NULL with a handler.
    const struct result_column *columns; // NULL: it returns no rows. Rows may have no columns, too.
    uint32_t column_count;
    bool described;
    struct result_column *told;       // The columns that it had at first, once its plan is another; or NULL.
    uint32_t told_count;
    bool untold;                      // It returns others now, or rows where it had none.
    bool reads_only;                  // Needs no validation at commit.
    bool writes;                      // Modifies or locks rows: not in a read-only transaction.
    uint32_t references;
    struct bytes cache_key;
    uint64_t cache_context;           // Of names: database, search path, user.
    uint64_t fingerprint;             // sql/insight/fingerprint.h; 0: not made yet.
    const char *fingerprint_text;
    struct plan_choice choice;
    uint64_t catalog_epoch;           // At which the plan was last seen to be current; 0: never.
};

struct execution;
struct portal {
    struct portal *next;
    const char *name;
    struct arena arena;
    struct prepared *prepared;
    struct datum *params;
    uint8_t *result_formats;          // One a column.
    struct execution *execution;
    bool done;
    bool broken;                      // It was at work when its transaction failed: it does not run again.
    bool late;                        // Broken in a transaction that had failed before, and which it would have ended.
    uint64_t serial;                  // Counts up with cursors': for ROLLBACK TO SAVEPOINT.
};

// A session's named things. The unnamed ones are under "".
struct session_statements {
    struct prepared *prepared;
    struct portal *portals;
    bool unnamed; // There may be one of either without a name.
    const struct portal *running; // Not in the list of portals, and its name is taken; NULL: none.
    struct cursor *cursors; // sql/session/cursor.h
    uint64_t cursor_serial;
    struct large_object_descriptors *large_objects; // sql/service/large_object.h; NULL: none.
    // The implicit transaction is of more than one statement, those of one simple query or those before a Sync: what must
    // be alone in its own is refused.
    enum { SEVERAL_NONE, SEVERAL_IN_QUERY, SEVERAL_IN_PIPELINE } several;
    bool alone; // The running statement is such: its transaction ends with it.
    uint32_t prepared_count, portal_count;
};
void session_statements_open(struct session *session);
void session_statements_close(struct task *task, struct session *session);
void session_statements_txn_end(struct task *task, struct session *session); // Closes portals.
// Whether what only makes sense before others of its transaction has any: in a client's transaction block, and in a simple
// query of several statements. Of what an EXECUTE runs nobody asks for one.
bool statement_in_block(const struct session *session);
// For what must be alone in its transaction: 25001 in a transaction block, and beside others in an implicit one. The
// transaction commits with it.
CHECKED struct status statement_alone(struct session *session, struct arena *arena, const char *what);
struct prepared *prepared_find(struct session *session, const char *name);
// `sent`: the text as the client has sent it, copied.
void prepared_add(struct session *session, const char *name, struct bytes sent, bool from_sql, struct prepared *prepared);
bool prepared_remove(struct session *session, const char *name);
void prepared_remove_all(struct session *session);
void prepared_remove_named(struct session *session);
// In a transaction that has failed: 25P02, unless it is what ends it. An empty one ends nothing.
CHECKED struct status prepared_refuse_failed(const struct session *session, const struct prepared *prepared);
// What runs it, not started at first.
struct execution *portal_execution(struct portal *portal);
struct portal *portal_find(struct session *session, const char *name);
struct portal *portal_make(struct session *session, const char *name, struct prepared *prepared);
void portal_close(struct task *task, struct session *session, struct portal *portal);
// Takes it out of the session's list, to be put back or freed by the caller.
void portal_detach(struct session *session, struct portal *portal);
void portal_attach(struct session *session, struct portal *portal);
void portal_free(struct task *task, struct portal *portal);
// ROLLBACK TO SAVEPOINT: closes those made after the savepoint.
void portals_rolled_back_to(struct task *task, struct session *session, uint64_t serial);
// The transaction has failed: those made after that do not run any more, not even one that would end it.
void portals_break(struct session *session, uint64_t serial);

// Makes a statement ready: handler or plan, parameter types, result columns. Needs the session's transaction
// (session_begin_if_idle). `text` and `statement` are copied or parsed into the new arena when `statement` is
// NULL, else both are borrowed from the caller. The caller holds one reference.
CHECKED struct status prepared_make(struct task *task, struct session *session, struct bytes text,
    struct statement *statement, const struct type *declared, uint32_t declared_count,
    struct prepared **prepared);
// Result columns, *columns NULL when it gives no rows.
CHECKED struct status prepared_describe(struct task *task, struct session *session,
    struct prepared *prepared, const struct result_column **columns, uint32_t *count);
// Whether the plan is of the catalog as it is now. For those who read values as its parameters' types before it runs.
CHECKED struct status prepared_is_current(
    struct task *task, struct session *session, struct prepared *prepared, bool *current);
// Makes the plan anew unless it is current. 0A000 when its result's columns would be of other types.
CHECKED struct status prepared_renew(
    struct task *task, struct session *session, struct prepared *prepared);
void prepared_release(struct prepared *prepared);

// The plan for a statement's shape, from the shard's cache, with its parameters; *prepared NULL when the text
// has no shape. Params live in `arena`.
CHECKED struct status plan_cache_find(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, struct prepared **prepared, struct datum **params);
// The same cache by exact text and parameter types, for the server's own statements. The caller gets a
// reference.
CHECKED struct status prepared_for_text(struct task *task, struct session *session, const char *sql,
    const struct type *types, uint32_t type_count, struct prepared **prepared);
// Forgets every plan of the shard (tests, and after a change of statistics).
void plan_cache_clear(struct shard *shard);

// --- running -----------------------------------------------------------------------------------------

// One run of a prepared statement: a portal without a name. Zero-initialise, fill in the first three.
struct execution {
    struct prepared *prepared;
    const struct datum *params;
    struct arena *arena;
    struct built_plan *built;
    struct plan_run *run;
    struct portal_rows *kept; // Those that have not been asked for, of what runs to its end; or NULL.
    bool measured; // Set before the start: EXPLAIN ANALYZE.
    bool alone;    // Set before the start: no other statement will be in the implicit transaction that it begins.
    bool started;
    uint64_t rows;
    uint64_t affected; // By DML, at its end.
    char tag[64];
};
// Starts the transaction that the statement needs, when none is open (none for handlers that manage their own), and
// sees to it that its plan is current. `described`: the client knows the result's columns (0A000 when they change).
CHECKED struct status execution_begin(
    struct task *task, struct session *session, struct execution *execution, bool described);
// Gives the execution its plan. A named statement with parameters gets one for their values five times; from then on
// the one for all values, unless that costs more than those did on average (plan_cache_mode says otherwise). Statements
// without a name and those by shape take the one for all values: to make another is what they are to be spared.
CHECKED struct status execution_choose(
    struct task *task, struct session *session, struct execution *execution);
// Up to rows_max rows (0: all). Fills in the tag when *done, with the number of rows that this call gave or, of changes
// without limit, all that it changed. What is no query runs to its end at the first call.
CHECKED struct status execution_next(struct task *task, struct session *session,
    struct execution *execution, struct result_sink *sink, uint64_t rows_max, bool *done);
void execution_close(struct task *task, struct execution *execution);
// Sets the number of rows at a tag's end, if it has one there.
void execution_tag_rows(char tag[64], uint64_t rows);
// After a statement, with its outcome: a failed one ends an implicit transaction or fails an open one; with
// `commit` a successful implicit one is committed. Gives the statement's final outcome.
CHECKED struct status execute_settle(
    struct task *task, struct session *session, struct status st, bool commit);

// Makes sure that there is a transaction (implicit when none is open): to parse and describe in.
CHECKED struct status session_begin_if_idle(struct task *task, struct session *session);

// Registers BEGIN, COMMIT, SET, SHOW, PREPARE, EXPLAIN and the others that belong to the session itself.
void session_statements_register(void);
void explain_register(void);
// The prepared statement that EXECUTE names, borrowed, and the values of its parameters, in the statement's arena.
CHECKED struct status execute_target(
    struct statement_context *context, const struct execute *execute, struct prepared **target);
CHECKED struct status execute_params(struct statement_context *context, const struct execute *execute,
    struct prepared *prepared, struct datum **params);
