// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plans of SELECT, INSERT, UPSERT, UPDATE, DELETE, VALUES and TABLE: made once from a statement, run many
// times with parameters. The binder, the choice of access paths and the operators are behind this.
//
// Shard    A plan belongs to the shard that made it. Planning and running may suspend.
// Memory   A plan lives in the arena that it was built in (a prepared statement's own); a run has its own.
// Errors   All of SQL's: 42xxx from building, 2xxxx and 40001 from running; positions where known.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/plan/explain_document.h"
#include "sql/session/statement.h"

struct plan;
struct plan_run;
struct writer;
struct resolutions;

// `param_types`: types known so far, `*param_count` of them, 0 where unknown; filled in by inference (the
// array has room for PLAN_PARAMS_MAX). 42P18 when a type cannot be inferred. NULL: the statement has none, 42P02.
#define PLAN_PARAMS_MAX 65535u
CHECKED struct status plan_build(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bytes text, struct type *param_types,
    uint32_t *param_count, struct plan **plan);
// A plan for these values of the parameters alone.
CHECKED struct status plan_build_custom(struct task *task, struct session *session,
    struct arena *arena, const struct statement *statement, struct bytes text,
    struct type *param_types, uint32_t *param_count, const struct datum *values, struct plan **plan);
// What it is expected to cost, in units of one row passed on by a scan; making it is part of a custom one's.
double plan_cost(const struct plan *plan, bool with_planning);
// As plan_build, and tells what the statement's names mean, in records that point into it.
CHECKED struct status plan_resolve(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bytes text, const struct type *param_types, uint32_t param_count,
    struct resolutions *resolutions, struct plan **plan);
// False when a table that it uses has changed (or the search path, or a privilege): build anew.
CHECKED struct status plan_is_current(
    struct task *task, struct session *session, const struct plan *plan, bool *current);
// NULL when it returns no rows.
const struct result_column *plan_columns(const struct plan *plan, uint32_t *count);
bool plan_reads(const struct plan *plan, uint32_t relation_id); // Tables and materialized views, those beneath views too.
const uint32_t *plan_relations_read(const struct plan *plan, struct arena *arena, uint32_t *count); // Their ids.
bool plan_writes(const struct plan *plan); // Rows of tables, or locks on them.
bool plan_modifies(const struct plan *plan); // Rows of tables, be it in WITH.
bool plan_is_read_only(const struct plan *plan);  // No writes, locks or volatile sequence functions.
bool plan_returns_rows(const struct plan *plan);
// EXPLAIN's lines (PostgreSQL's manner of tree), in `arena`.
// In other formats than text one line that is a document.
struct explain_form {
    enum explain_format format;
    bool costs;
    bool verbose;  // What each node gives.
    bool timing;   // With what ANALYZE measured: times.
    bool requests; // With what ANALYZE measured: what storage was asked for.
    bool summary;  // Times of the whole.
    const struct plan_run *run; // One opened for measuring, after its end: EXPLAIN ANALYZE; or NULL.
    uint64_t planning_ns, execution_ns;
};
CHECKED struct status plan_explain(struct task *task, struct session *session, const struct plan *plan,
    const struct explain_form *form, struct arena *arena, const char ***lines, uint32_t *count);

// What opening a run refuses at once: privileges that are not there (42501), a materialized view without rows (55000).
CHECKED struct status plan_check_access(struct task *task, struct session *session, const struct plan *plan);

// Starts a run in the session's transaction. Privileges are checked here.
CHECKED struct status plan_run_open(struct task *task, struct session *session, const struct plan *plan,
    const struct datum *params, uint32_t param_count, struct plan_run **run);
// At most `rows_max` rows (0: all) into the sink; *done when there are no more. DML without RETURNING runs
// to its end at the first call.
CHECKED struct status plan_run_next(struct task *task, struct plan_run *run, struct result_sink *sink,
    uint64_t rows_max, bool *done);
// As plan_run_open; what each operator takes is noted for plan_explain.
CHECKED struct status plan_run_open_measured(struct task *task, struct session *session,
    const struct plan *plan, const struct datum *params, uint32_t param_count, struct plan_run **run);
// The writer of a table in a statement that writes to it; NULL when it does not.
struct writer *plan_run_writer(struct plan_run *run, uint32_t table_id);
uint64_t plan_run_rows_affected(const struct plan_run *run); // For "INSERT 0 n".
void plan_run_close(struct task *task, struct plan_run *run);

// Evaluates a stored or constant expression (DEFAULT, CHECK, handlers' operands) without a table.
CHECKED struct status plan_evaluate_constant(struct task *task, struct session *session,
    struct arena *arena, const struct expr *expression, const struct datum *params,
    const struct type *param_types, uint32_t param_count, struct type type, struct datum *value);

// The values of parameters for what has settled their types: of one that had none in `given` the value is text, which is
// read as what it is now.
CHECKED struct status plan_settle_params(struct arena *arena, const struct type_context *types, const struct type *given,
    const struct type *settled, uint32_t count, const struct datum *params, struct datum **out);
// Likewise parameter `number` of EXECUTE, and `text` is what it stands in.
CHECKED struct status plan_evaluate_argument(const struct statement_context *context, const struct expr *expression,
    uint32_t number, struct type type, struct datum *value);

// A stored expression as PostgreSQL shows it: types of literals and casts that nobody wrote included. `table` NULL:
// without columns. `assigned`: the type of the column whose default it is, or oid 0. `pretty`: fewer parentheses.
CHECKED struct status plan_expression_text(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *table, const char *sql, struct type assigned,
    bool pretty, const char **text);

// A view's query likewise, in lines: each column on one of its own, or so many as fit in `width` characters. *text stays as it is where something has no form here.
CHECKED struct status plan_query_text(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, const struct table_desc *view, bool pretty, uint32_t width, const char **text);

// Literals of an expression that will be kept, whose reading depends on the session or the clock, become what they mean
// now: 'today' the day, a local time the instant. `assigned` as above. What does not bind stays as it is: who keeps the
// expression checks it when all of the table is known; but names in schemas that may not be used are 42501.
CHECKED struct status plan_settle_literals(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *table, struct expr *expression,
    struct type assigned);

// Binds a table's own expression (of a CHECK, an index, a generated column) and tells its type: 42703, 42883, ...
// for what it does not mean.
CHECKED struct status plan_expression_type(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *table, const struct expr *expression,
    struct type *type);
// As plan_expression_type, and whether its value hangs on the row alone: no setting, no name, no time. A function in SQL
// that does no more than compute is what its body is, whatever it was declared to be.
struct plan_expression {
    const struct table_desc *table;
    const struct expr *expr;
    const char *clause; // Where it stands, for errors: "index expressions".
    struct bytes text;  // Of the statement that it is written in, for positions; empty: none are told.
    struct type type;   // What is found out.
    bool immutable;
};
CHECKED struct status plan_expression_look(
    struct task *task, struct session *session, struct arena *arena, struct plan_expression *look);
