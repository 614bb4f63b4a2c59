// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/statement_table.h"

#include <string.h>

#include "core/invariant.h"
#include "sql/plan/plan.h"

#define ROWS_MAX 1000000u

struct statement_table {
    struct function function;
    struct set_ops set;
    const struct statement *statement;
    const struct statement_handler *handler;
};

struct rows {
    struct result_sink sink;
    const struct statement_table *table;
    struct arena *arena;
    struct datum *values;
    size_t capacity;
    uint32_t count, next;
};

static struct status take_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    const struct rows *rows = container_of(sink, struct rows, sink);
    (void)task;
    (void)columns;
    if (count == rows->table->set.column_count) return STATUS_OK;
    return status_make(E_INTERNAL, "a statement has given other columns than it had announced");
}

static struct status take_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct rows *rows = container_of(sink, struct rows, sink);
    const struct set_ops *set = &rows->table->set;
    (void)task;
    if (rows->count == ROWS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "a statement as a table has too many rows");
    size_t used = (size_t)rows->count * set->column_count;
    if (used + set->column_count > rows->capacity) {
        size_t grown = rows->capacity == 0 ? 16u * set->column_count : rows->capacity * 2;
        struct datum *copy = ARENA_ARRAY(rows->arena, struct datum, grown);
        if (used > 0) memcpy(copy, rows->values, used * sizeof *copy);
        rows->values = copy;
        rows->capacity = grown;
    }
    for (uint32_t i = 0; i < set->column_count; i++)
        rows->values[used + i] = type_copy(rows->arena, set->column_types[i], values[i]);
    rows->count++;
    sink->rows_sent++;
    return arena_check(rows->arena);
}

static struct status run(struct function_call *call, void *state, const struct datum *args)
{
    const struct statement_table *table =
        container_of(call->function, struct statement_table, function);
    struct rows *rows = state;
    (void)args;
    *rows = (struct rows){.sink = {.columns = take_columns, .row = take_row},
        .table = table,
        .arena = call->state_arena};
    struct statement_context context = {.task = call->task,
        .session = call->session,
        .arena = call->state_arena,
        .statement = table->statement,
        .sink = &rows->sink};
    return table->handler->execute(&context);
}

static struct status next(struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct rows *rows = state;
    uint32_t width = rows->table->set.column_count;
    (void)call;
    *done = rows->next == rows->count;
    if (*done) return STATUS_OK;
    memcpy(row, rows->values + (size_t)rows->next * width, width * sizeof *row);
    rows->next++;
    return STATUS_OK;
}

static bool is_taken(const struct statement *statement, const struct statement_handler *handler)
{
    uint32_t refused = HANDLER_NO_TRANSACTION | HANDLER_TRANSACTION_CONTROL;
    return handler != NULL && handler->describe != NULL && (handler->flags & refused) == 0 &&
           (handler->flags & HANDLER_READ_ONLY) != 0 &&
           strncmp(statement_name(statement), "SHOW", 4) == 0;
}

struct status statement_table_make(struct arena *arena, struct session *session,
    const struct statement *statement, const struct function **function)
{
    struct status st;
    const struct statement_handler *handler = statement_handler_find(statement->tag);
    const struct result_column *columns;
    uint32_t count;
    if (!is_taken(statement, handler) || statement->parameter_count > 0)
        return status_format(arena, E_FEATURE_NOT_SUPPORTED, "%s%s as a table is not supported",
            statement_name(statement), statement->parameter_count > 0 ? " with parameters" : "");
    struct statement_context context = {
        .task = task_current(), .session = session, .arena = arena, .statement = statement};
    TRY(handler->describe(&context, &columns, &count));
    struct statement_table *table = ARENA_NEW(arena, struct statement_table);
    const char **names = ARENA_ARRAY(arena, const char *, count + 1);
    type_oid *types = ARENA_ARRAY(arena, type_oid, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = columns[i].name;
        types[i] = columns[i].type.oid;
    }
    table->statement = statement;
    table->handler = handler;
    table->set = (struct set_ops){.column_count = count,
        .column_names = names,
        .column_types = types,
        .state_bytes = sizeof(struct rows),
        .start = run,
        .next = next};
    table->function = (struct function){.name = "statement",
        .kind = FUNCTION_SET,
        .result = TYPE_RECORD,
        .volatility = FUNCTION_VOLATILE,
        .set = &table->set};
    *function = &table->function;
out:
    return st;
}

struct status statement_query(
    struct statement_context *context, struct select *select, struct result_sink *sink)
{
    struct status st = STATUS_OK;
    struct statement *statement = ARENA_NEW(context->arena, struct statement);
    struct plan *plan;
    struct plan_run *run = NULL;
    uint32_t param_count = context->param_count, column_count;
    bool done = false;

    statement->tag = STATEMENT_SELECT;
    statement->as.select = select;
    statement->parameter_count = param_count;
    struct type *types = param_count == 0 ? NULL : ARENA_ARRAY(context->arena, struct type, param_count);
    struct datum *params = NULL;
    for (uint32_t i = 0; i < param_count; i++)
        types[i] = context->param_types[i];
    TRY(plan_build(context->task, context->session, context->arena, statement, context->text, types,
        &param_count, &plan));
    const struct result_column *columns = plan_columns(plan, &column_count);
    TRY(sink->columns(context->task, sink, columns, column_count));
    if (param_count > 0)
        TRY(plan_settle_params(context->arena, &context->session->types, context->param_types, types, param_count,
            context->params, &params));
    TRY(plan_run_open(context->task, context->session, plan, params, param_count, &run));
    while (!done)
        TRY(plan_run_next(context->task, run, sink, 0, &done));
out:
    if (failed(st)) st = status_copy(context->arena, st);
    if (run != NULL) plan_run_close(context->task, run);
    return st;
}
