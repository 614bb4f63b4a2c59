// SPDX-License-Identifier: GPL-3.0-or-later
//
// plan_evaluate_constant: one expression without tables, bound, compiled and run at once.
#include "core/task.h"
#include "sql/bind/bind.h"
#include "sql/exec/op.h"
#include "sql/function/function_sql.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"

struct constant_bind {
    struct binder binder;
    const struct expr *expression;
    struct type type;
    const struct table_desc *table; // plan_expression_look: of its columns.
    const char *clause;
    struct scalar *scalar;
    uint32_t argument; // Of an EXECUTE: which; 0: none.
    struct status status;
};

static struct status wrong_type(struct constant_bind *bind)
{
    struct binder *binder = &bind->binder;
    const char *is = bind_type_text(binder, bind->scalar->type), *wanted = bind_type_text(binder, bind->type);
    if (bind->argument == 0)
        return bind_error(binder, bind->scalar->position, E_DATATYPE_MISMATCH, "expression is of type %s but %s is expected",
            is, wanted);
    return status_hint(binder->arena,
        bind_error(binder, bind->scalar->position, E_DATATYPE_MISMATCH,
            "parameter $%u of type %s cannot be coerced to the expected type %s", bind->argument, is, wanted),
        "You will need to rewrite or cast the expression.");
}

static struct status bind_constant(struct constant_bind *bind)
{
    struct status st = STATUS_OK;
    struct binder *binder = &bind->binder;
    struct scope scope = {0};
    bool done;
    if (bind->table != NULL) bind_table_scope(binder, bind->table, &scope);
    scope.clause = bind->clause != NULL    ? bind->clause
                   : bind->argument != 0 ? "EXECUTE parameters"
                                         : "this context";
    TRY(bind_expr(binder, &scope, bind->expression, &bind->scalar));
    if (bind->type.oid == 0) {
        TRY(bind_resolve_unknown(binder, &bind->scalar));
        return st;
    }
    TRY(bind_coerce(binder, &bind->scalar, bind->type, CAST_ASSIGNMENT, &done));
    if (!done) return wrong_type(bind);
    TRY(bind_coerce(binder, &bind->scalar, bind->type, CAST_ASSIGNMENT, NULL));

out:
    return st;
}

static void bind_on_stack(void *arg)
{
    struct constant_bind *bind = arg;
    bind->status = bind_constant(bind);
}

static struct status start_bind(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct expr *expression, struct constant_bind **out)
{
    struct constant_bind *bind = ARENA_NEW(arena, struct constant_bind);
    struct bind_names *names = ARENA_NEW(arena, struct bind_names);
    struct status st = bind_names_load(task, session, arena, NULL, names);
    if (failed(st)) return st;
    bind_names_install_types(session, names);
    bind->binder.names = names;
    bind->binder.arena = arena;
    bind->binder.session = session;
    bind->binder.types = &session->types;
    bind->expression = expression;
    bind->table = table;
    hashmap_init(&bind->binder.tables, arena);
    *out = bind;
    return st;
}

struct status plan_expression_type(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct expr *expression, struct type *type)
{
    struct plan_expression look = {.table = table, .expr = expression};
    struct status st = plan_expression_look(task, session, arena, &look);
    *type = look.type;
    return st;
}

// --- what functions in SQL do ------------------------------------------------------------------------------

#define INLINED_DEPTH_MAX 8u

static bool computes(struct task *task, struct session *session, struct arena *arena,
    const struct scalar *scalar, uint32_t depth);

// The only expression of a body that does nothing but compute it; NULL: it does more.
static const struct expr *body_expression(struct arena *arena, const struct table_desc *function)
{
    const struct function_desc *desc = &function->function;
    struct statement_list list;
    if (desc->kind != 'f' || desc->returns_set || desc->setting_count > 0 || desc->statement_count != 1 ||
        desc->result.oid == TYPE_RECORD || function_output_count(function) > 0)
        return NULL;
    if (failed(parse_sql_on_stack(arena, bytes_of_string(desc->statements[0].sql), &list)) || list.count != 1 ||
        list.items[0]->tag != STATEMENT_SELECT)
        return NULL;
    const struct select *select = list.items[0]->as.select;
    if (select->kind != SELECT_SIMPLE || select->with != NULL || select->distinct || select->distinct_on.count > 0 ||
        select->targets.count != 1 || select->from.count > 0 || select->where != NULL ||
        select->group_by.count > 0 || select->having != NULL || select->window_count > 0 ||
        select->order_by.count > 0 || select->limit != NULL || select->offset != NULL)
        return NULL;
    return select->targets.items[0].expr;
}

// Whether a call of it can be replaced by what its body computes, and whether that is immutable.
static bool function_computes(struct task *task, struct session *session, struct arena *arena,
    const struct scalar *call, uint32_t depth)
{
    const struct table_desc *function = call->function->user;
    const struct expr *body = depth == 0 || function->function.strict ? NULL : body_expression(arena, function);
    struct constant_bind *bind;
    if (body == NULL || failed(start_bind(task, session, arena, NULL, body, &bind))) return false;
    struct type *types = ARENA_ARRAY(arena, struct type, function->column_count + 1u);
    const char **names = ARENA_ARRAY(arena, const char *, function->column_count + 1u);
    struct function_frame frame = {.function = function->name, .names = names, .checked = true};
    for (uint32_t i = 0; i < function->column_count; i++) {
        if (!function_is_input(function->columns[i].identity)) continue;
        if (frame.count == call->arg_count) return false;
        types[frame.count] = call->args[frame.count]->type;
        names[frame.count++] = function->columns[i].name;
    }
    const struct function_frame *outer = session->frame;
    session->frame = &frame;
    bind->binder.param_types = types;
    bind->binder.param_count = frame.count;
    stack_call(bind_on_stack, bind);
    session->frame = outer;
    return !failed(bind->status) && bind->scalar->type.oid == call->type.oid && !scalar_has_subquery(bind->scalar) &&
           computes(task, session, arena, bind->scalar, depth - 1);
}

static bool computes(struct task *task, struct session *session, struct arena *arena,
    const struct scalar *scalar, uint32_t depth)
{
    if (scalar_is_immutable(scalar)) return true;
    const bool mutable = scalar->kind == SCALAR_CALL && scalar->function->volatility != FUNCTION_IMMUTABLE;
    if (mutable && scalar->function->user != NULL) {
        if (!function_computes(task, session, arena, scalar, depth)) return false;
    } else if (!scalar_is_immutable_itself(scalar)) {
        return false;
    }
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (!computes(task, session, arena, scalar->args[i], depth)) return false;
    return true;
}

struct status plan_expression_look(
    struct task *task, struct session *session, struct arena *arena, struct plan_expression *look)
{
    struct status st = STATUS_OK;
    struct constant_bind *bind;
    TRY(start_bind(task, session, arena, look->table, look->expr, &bind));
    bind->clause = look->clause;
    bind->binder.text = look->text;
    stack_call(bind_on_stack, bind);
    TRY(bind->status);
    look->type = bind->scalar->type;
    look->immutable = computes(task, session, arena, bind->scalar, INLINED_DEPTH_MAX);

out:
    return st;
}

struct status plan_settle_literals(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, struct expr *expression, struct type assigned)
{
    struct constant_bind *bind;
    struct resolutions resolutions = {.arena = arena};
    struct status st = start_bind(task, session, arena, table, expression, &bind);
    if (failed(st)) return st;
    bind->type = assigned;
    bind->binder.resolutions = &resolutions;
    stack_call(bind_on_stack, bind);
    if (!failed(bind->status)) resolutions_write_values(&resolutions);
    if (status_is(bind->status, E_INSUFFICIENT_PRIVILEGE)) return bind->status; // Later on it is a kept name, which needs none.
    return STATUS_OK;
}

struct status plan_settle_params(struct arena *arena, const struct type_context *types, const struct type *given,
    const struct type *settled, uint32_t count, const struct datum *params, struct datum **out)
{
    struct status st = STATUS_OK;
    *out = ARENA_ARRAY(arena, struct datum, count + 1u);
    for (uint32_t i = 0; i < count; i++) {
        (*out)[i] = params[i];
        if (given[i].oid != 0 || params[i].null || settled[i].oid == 0 || settled[i].oid == TYPE_TEXT) continue;
        TRY(type_input(arena, types, settled[i], datum_as_bytes(params[i]), &(*out)[i]));
    }
out:
    return st;
}

static struct status evaluate(struct task *task, struct session *session, struct arena *arena,
    const struct expr *expression, const struct datum *params, const struct type *param_types, uint32_t param_count,
    struct type type, struct constant_bind *bind, struct datum *value)
{
    static const struct type_context plain = {.extra_float_digits = 1};
    struct status st = STATUS_OK;
    struct datum *settled = NULL;
    struct binder *binder = &bind->binder;
    if (session != NULL && session->catalog != NULL) {
        struct bind_names *names = ARENA_NEW(arena, struct bind_names);
        TRY(bind_names_load(task, session, arena, NULL, names));
        bind_names_install_types(session, names);
        binder->names = names;
    }
    binder->arena = arena;
    binder->session = session;
    binder->types = session == NULL ? &plain : &session->types;
    if (param_count > 0) {
        binder->param_types = ARENA_ARRAY(arena, struct type, param_count);
        memcpy(binder->param_types, param_types, param_count * sizeof(struct type));
        binder->param_count = param_count;
    }
    bind->expression = expression;
    bind->type = type;
    hashmap_init(&binder->tables, arena);
    if (task == NULL) bind->status = bind_constant(bind);
    else stack_call(bind_on_stack, bind);
    TRY(bind->status);
    if (binder->param_count > param_count)
        return status_make(E_UNDEFINED_PARAMETER, "there is no such parameter");
    if (param_count > 0)
        TRY(plan_settle_params(arena, binder->types, param_types, binder->param_types, param_count, params, &settled));

    struct expr_program *program;
    struct layout none = {0};
    struct run *run = ARENA_NEW(arena, struct run);
    TRY(expr_compile(arena, NULL, &none, &bind->scalar, 1, &program));
    run->session = session;
    run->arena = arena;
    run->slots = settled;
    struct expr_state *state = expr_state_new(arena, run, program, 1);
    TRY(expr_run_single(task, state, arena, value));

out:
    return st;
}

struct status plan_evaluate_constant(struct task *task, struct session *session,
    struct arena *arena, const struct expr *expression, const struct datum *params,
    const struct type *param_types, uint32_t param_count, struct type type, struct datum *value)
{
    struct constant_bind *bind = ARENA_NEW(arena, struct constant_bind);
    return evaluate(task, session, arena, expression, params, param_types, param_count, type, bind, value);
}

struct status plan_evaluate_argument(const struct statement_context *context, const struct expr *expression,
    uint32_t number, struct type type, struct datum *value)
{
    struct constant_bind *bind = ARENA_NEW(context->arena, struct constant_bind);
    bind->argument = number;
    bind->binder.text = context->text;
    return evaluate(context->task, context->session, context->arena, expression, context->params, context->param_types,
        context->param_count, type, bind, value);
}
