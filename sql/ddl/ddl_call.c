// SPDX-License-Identifier: GPL-3.0-or-later
//
// CALL: a query of the procedure as if it were a function, with a row of its OUT and INOUT parameters.
#include "sql/ddl/ddl_internal.h"
#include "sql/function/function_sql.h"
#include "sql/parse/parse.h"
#include "sql/session/execute.h"

static struct status no_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task, (void)sink, (void)columns, (void)count;
    return STATUS_OK;
}

static struct status no_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    (void)task, (void)sink, (void)values;
    return STATUS_OK;
}

// Which parameter each argument is for, of all that CALL names; false: they do not fit.
static bool place_arguments(
    const struct table_desc *procedure, const struct expr_list *args, uint32_t *places)
{
    bool given[FUNCTION_PARAMETERS_MAX] = {false};
    for (uint32_t i = 0; i < args->count; i++) {
        uint32_t place = i;
        if (args->items[i]->kind == EXPR_NAMED_ARGUMENT)
            for (place = 0; place < procedure->column_count; place++)
                if (strcmp(procedure->columns[place].name, args->items[i]->named_argument.name) == 0) break;
        if (place >= procedure->column_count || given[place]) return false;
        given[place] = true;
        places[i] = place;
    }
    for (uint32_t i = 0; i < procedure->column_count; i++)
        if (!given[i] && procedure->columns[i].default_sql == NULL) return false;
    return true;
}

// The arguments of the parameters that are no OUT ones, in their order.
static struct status order_inputs(struct statement_context *context, const struct table_desc *procedure,
    const struct expr_list *given, const uint32_t *places, struct expr_list *inputs)
{
    struct status st = STATUS_OK;
    *inputs = (struct expr_list){ARENA_ARRAY(context->arena, struct expr *, procedure->column_count + 1u), 0};
    for (uint32_t i = 0; i < procedure->column_count; i++) {
        struct expr *arg = NULL;
        for (uint32_t k = 0; k < given->count; k++)
            if (places[k] == i) arg = given->items[k];
        if (!function_is_input(procedure->columns[i].identity)) continue;
        if (arg == NULL)
            TRY(parse_expression_on_stack(
                context->arena, bytes_of_string(procedure->columns[i].default_sql), &arg));
        if (arg->kind == EXPR_NAMED_ARGUMENT) arg = arg->named_argument.arg;
        inputs->items[inputs->count++] = arg;
    }
out:
    return st;
}

// OUT parameters have arguments that are not looked at: *args are the others. *rows: it gives a row.
static struct status leave_out_outputs(
    struct statement_context *context, const struct function_expr *call, struct expr_list *args, bool *rows)
{
    struct status st = STATUS_OK;
    const struct table_desc **list;
    const struct object_name name = {.schema = call->schema, .name = call->name};
    uint32_t count, missed = 0;
    *rows = false;
    *args = call->args;
    TRY(ddl_functions_here(context, &list, &count));
    for (uint32_t i = 0; i < count && !*rows; i++) {
        const struct table_desc *procedure = list[i];
        uint32_t places[FUNCTION_PARAMETERS_MAX];
        bool visible;
        if (procedure->function.kind != 'p' || strcmp(procedure->name, call->name) != 0 ||
            function_output_count(procedure) == 0)
            continue;
        TRY(ddl_function_in_path(context, &name, procedure, &visible));
        if (!visible) continue;
        *rows = call->args.count <= procedure->column_count && place_arguments(procedure, &call->args, places);
        missed += !*rows;
        if (!*rows) continue;
        TRY(order_inputs(context, procedure, &call->args, places, args));
    }
    // By its other parameters alone it is not called.
    if (missed > 0 && !*rows)
        for (uint32_t i = 0; i < count; i++) {
            if (list[i]->function.kind != 'p' || strcmp(list[i]->name, call->name) != 0) continue;
            if (function_output_count(list[i]) == 0) goto out;
        }
    if (missed > 0 && !*rows)
        st = status_hint(context->arena,
            ddl_error(context, E_UNDEFINED_FUNCTION, "procedure %s with %u arguments does not exist",
                call->name, call->args.count),
            "No procedure matches the given name and argument types. You might need to add explicit type casts.");
out:
    return st;
}

// Its arguments are bound as a function's are. *rows: it gives a row, of its OUT and INOUT parameters.
struct status ddl_prepare_call(struct statement_context *context, struct prepared **prepared, bool *rows)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct buffer text;
    const struct function_expr *written = context->statement->as.call->function->function;
    struct function_expr call = *written;
    struct expr expr = *context->statement->as.call->function;
    *prepared = NULL;
    TRY(session_begin_if_idle(context->task, session)); // Names are looked up in a transaction.
    TRY(leave_out_outputs(context, written, &call.args, rows));
    expr.function = &call;
    buffer_init(&text, context->arena);
    buffer_append_string(&text, *rows ? "SELECT * FROM " : "SELECT ");
    buffer_append_string(&text, ddl_deparse(context->arena, &expr));
    session->calling = call.name;
    st = prepared_make(context->task, session, buffer_bytes(&text), NULL, context->param_types,
        context->param_count, prepared);
    session->calling = NULL;
    // Its places are those of a text that nobody has sent.
    if (failed(st))
        st = status_position(context->arena, st,
            st.code == E_UNDEFINED_FUNCTION ? parse_position(context->text, expr.position) : 0);
out:
    return st;
}

struct status ddl_describe_call(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    struct status st;
    struct prepared *prepared = NULL;
    const struct result_column *found;
    bool rows;
    *count = 0;
    TRY(ddl_prepare_call(context, &prepared, &rows));
    if (rows) {
        TRY(prepared_describe(context->task, context->session, prepared, &found, count));
        struct result_column *copy = ARENA_ARRAY(context->arena, struct result_column, *count + 1);
        for (uint32_t i = 0; i < *count; i++) {
            copy[i] = found[i];
            copy[i].name = arena_strdup(context->arena, found[i].name);
        }
        *columns = copy;
    }
out:
    if (failed(st)) st = status_copy(context->arena, st);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}

struct status ddl_call(struct statement_context *context)
{
    struct status st;
    struct session *session = context->session;
    struct prepared *prepared = NULL;
    struct execution execution = {.arena = context->arena};
    struct result_sink none = {0};
    bool done, rows;
    TRY(ddl_prepare_call(context, &prepared, &rows));
    if (prepared->param_count > context->param_count)
        TRY(ddl_error(context, E_UNDEFINED_PARAMETER, "there is no parameter $%u",
            context->param_count + 1));
    execution.prepared = prepared;
    execution.params = context->params;
    TRY(execution_begin(context->task, session, &execution, false));
    none.columns = no_columns;
    none.row = no_row;
    if (rows) {
        const struct result_column *columns;
        uint32_t count;
        TRY(prepared_describe(context->task, session, prepared, &columns, &count));
        TRY(context->sink->columns(context->task, context->sink, columns, count));
    }
    TRY(execution_next(context->task, session, &execution, rows ? context->sink : &none, 0, &done));
out:
    execution_close(context->task, &execution);
    if (failed(st)) st = status_copy(context->arena, st);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}
