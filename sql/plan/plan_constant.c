// SPDX-License-Identifier: GPL-3.0-or-later
//
// plan_evaluate_constant: one expression without tables, bound, compiled and run at once.
#include "core/task.h"
#include "sql/bind/bind.h"
#include "sql/exec/op.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"

struct constant_bind {
    struct binder binder;
    const struct expr *expression;
    struct type type;
    const struct table_desc *table; // plan_expression_type: of its columns.
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
    struct scope scope = {.clause = bind->argument == 0 ? "this context" : "EXECUTE parameters"};
    bool done;
    if (bind->table != NULL) bind_table_scope(binder, bind->table, &scope);
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
    bool immutable;
    return plan_expression_immutable(task, session, arena, table, expression, type, &immutable);
}

struct status plan_expression_immutable(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct expr *expression, struct type *type, bool *immutable)
{
    struct status st = STATUS_OK;
    struct constant_bind *bind;
    TRY(start_bind(task, session, arena, table, expression, &bind));
    stack_call(bind_on_stack, bind);
    TRY(bind->status);
    *type = bind->scalar->type;
    *immutable = scalar_is_immutable(bind->scalar);

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
