// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/bind/bind.h"
#include "sql/type/collation.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/deep.h"
#include "core/invariant.h"
#include "core/work.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"

#define STEPS_PER_POLL 32u
#define FOLD_BYTES_MAX 4096u // Of an argument.

struct status bind_at(struct binder *binder, struct status st, uint32_t position)
{
    if (!failed(st) || position == POSITION_NONE || binder->text.size == 0) return st;
    const struct status_report *report = status_report_of(st);
    if (report != NULL && report->position != 0) return st;
    return status_position(binder->arena, st, parse_position(binder->text, position));
}

struct status bind_error(
    struct binder *binder, uint32_t position, uint32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(binder->arena, format, args);
    va_end(args);
    return bind_at(binder, status_format(binder->arena, code, "%s", message), position);
}

struct status bind_unsupported(struct binder *binder, uint32_t position, const char *what)
{
    return bind_error(binder, position, E_FEATURE_NOT_SUPPORTED, "%s is not supported", what);
}

// On the task's own big stack, nothing around the binder forbids it.
static bool may_yield(const struct binder *binder)
{
    return binder->task != NULL && binder->task->nosuspend_depth == 1;
}

struct status bind_poll(struct binder *binder)
{
    return bind_work(binder, 1);
}

struct status bind_work(struct binder *binder, uint32_t steps)
{
    binder->steps += steps;
    if (binder->steps < STEPS_PER_POLL || !may_yield(binder)) return STATUS_OK;
    binder->steps = 0;
    nosuspend_end(binder->task);
    const struct status st = task_poll(binder->task);
    nosuspend_begin(binder->task);
    return st;
}

struct bytes bind_copy(struct binder *binder, struct bytes bytes)
{
    if (bytes.size < WORK_BYTES || !may_yield(binder)) return arena_copy(binder->arena, bytes);
    nosuspend_end(binder->task);
    const struct bytes copy = task_copy(binder->arena, bytes);
    nosuspend_begin(binder->task);
    return copy;
}

const char *bind_type_text(struct binder *binder, struct type type)
{
    return type.oid == TYPE_UNKNOWN ? "unknown"
                                    : type_format(binder->arena, TYPE_OF(type.oid));
}

// --- variables ---------------------------------------------------------------------------------------

var_id bind_new_var(struct binder *binder, const char *name, const char *table, struct type type)
{
    if (binder->var_count == binder->var_capacity) {
        uint32_t capacity = binder->var_capacity == 0 ? 64 : binder->var_capacity * 2;
        binder->vars = arena_grow(binder->arena, binder->vars,
            binder->var_capacity * sizeof(struct var_info), capacity * sizeof(struct var_info));
        binder->var_capacity = capacity;
    }
    binder->vars[binder->var_count] = (struct var_info){.name = name, .table = table, .type = type};
    return binder->var_count++;
}

var_id bind_new_row(struct binder *binder, const struct table_desc *table, const char *alias)
{
    var_id base = binder->var_count;
    for (uint32_t i = 0; i < table->column_count; i++) {
        var_id var =
            bind_new_var(binder, table->columns[i].name, alias, bind_column_type(&table->columns[i]));
        binder->vars[var].domain = table->columns[i].domain;
        binder->vars[var].column = true;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        for (uint32_t c = 0; c < index->column_count; c++)
            if (index->columns[c].expression_sql != NULL)
                bind_new_var(binder, "expression", alias, TYPE_OF(index->columns[c].column_id));
    }
    return base;
}

struct scalar *bind_var(struct binder *binder, var_id var, uint32_t position)
{
    struct scalar *scalar = scalar_var(binder->arena, var, binder->vars[var].type, position);
    scalar->domain = binder->vars[var].domain;
    return scalar;
}

struct scalar *bind_again(struct binder *binder, const struct scalar *scalar)
{
    struct scalar *copy = ARENA_NEW(binder->arena, struct scalar);
    *copy = *scalar;
    return copy;
}

// --- types -------------------------------------------------------------------------------------------

static struct status type_modifiers(
    struct binder *binder, const struct type_name *name, struct type *type)
{
    int32_t values[8];
    if (name->modifiers.count > 8)
        return bind_error(
            binder, name->position, E_INVALID_PARAMETER_VALUE, "too many type modifiers");
    for (uint32_t i = 0; i < name->modifiers.count; i++) {
        const struct expr *modifier = name->modifiers.items[i];
        if (modifier->kind != EXPR_LITERAL || modifier->literal.kind != LITERAL_INTEGER)
            return bind_error(binder, name->position, E_SYNTAX_ERROR,
                "type modifiers must be simple constants or identifiers");
        values[i] = modifier->literal.integer;
    }
    return bind_at(binder,
        type_make_typmod(binder->arena, type->oid, values, name->modifiers.count, &type->typmod),
        name->position);
}

struct status bind_type_name(struct binder *binder, const struct type_name *name, struct type *type)
{
    struct status st = STATUS_OK;
    const struct type_info *info = NULL;
    if (name->percent_type) return bind_unsupported(binder, name->position, "%TYPE");
    TRY(bind_check_schema(binder, name->schema));
    if (name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0)
        info = type_by_name(name->name);
    if (info == NULL && binder->names != NULL) {
        struct bind_type *user =
            bind_names_type(binder->names, binder->session, name->schema, name->name);
        if (user != NULL) {
            bind_names_use_type(binder->names, user->type->id);
            if (binder->resolutions != NULL) resolution_add_type(binder->resolutions, name, user->type->id);
            info = type_info(catalog_type_oid(user->type));
        }
    }
    if (info == NULL && type_is_left_out(name->name) &&
        (name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0))
        return bind_unsupported(
            binder, name->position, arena_printf(binder->arena, "type %s", name->name));
    if (info == NULL)
        return bind_error(binder, name->position, E_UNDEFINED_OBJECT, "type \"%s%s%s%s\" does not exist",
            name->schema == NULL ? "" : name->schema, name->schema == NULL ? "" : ".", name->name,
            name->array_dimensions > 0 ? "[]" : "");
    *type = TYPE_OF(info->oid);
    if (name->modifiers.count > 0) TRY(type_modifiers(binder, name, type));
    if (name->array_dimensions > 0) {
        type_oid array = type_array_of(type->oid);
        if (array == 0)
            return bind_error(binder, name->position, E_UNDEFINED_OBJECT,
                "could not find array type for data type %s", info->sql_name);
        type->oid = array;
    }

out:
    return st;
}

// --- constants ---------------------------------------------------------------------------------------

// Types whose text form is a name of the catalog: looked up when the plan runs, for the binder cannot wait.
static bool names_object(type_oid oid)
{
    return oid == TYPE_REGCLASS || oid == TYPE_REGPROC || oid == TYPE_REGPROCEDURE ||
           oid == TYPE_REGNAMESPACE || oid == TYPE_REGROLE || oid == TYPE_REGOPER ||
           oid == TYPE_REGOPERATOR || oid == TYPE_REGCOLLATION;
}

// Whether text forms of the type depend on the session or the clock: those are read when the plan runs.
static bool input_is_stable(type_oid oid)
{
    return oid == TYPE_TIMESTAMPTZ || oid == TYPE_TIMETZ || names_object(oid) ||
           type_is_composite(oid);
}

static bool is_temporal(type_oid oid)
{
    return oid == TYPE_DATE || oid == TYPE_TIME || oid == TYPE_TIMESTAMP || input_is_stable(oid);
}

static void call_init(struct binder *binder, struct function_call *call, const struct type *types,
    uint32_t count, struct type result)
{
    *call = (struct function_call){.session = binder->session,
        .arena = binder->arena,
        .context = binder->types,
        .arg_types = types,
        .arg_count = count,
        .result_type = result,
        .state_arena = binder->arena,
        .folding = true};
}

// Long values are worked on when the plan runs: the binder cannot be cancelled.
static bool is_long(struct datum value)
{
    return !value.null && value.size > FOLD_BYTES_MAX;
}

static struct scalar *fold_call(struct binder *binder, struct scalar *scalar)
{
    const struct function *function = scalar->function;
    struct datum args[8];
    struct type types[8];
    if (function->volatility != FUNCTION_IMMUTABLE || function->fn == NULL || scalar->arg_count > 8 ||
        function->user != NULL)
        return scalar;
    if (scalar->arg_count == 2 && collation_is_icu(scalar->args[0]->type.collation)) return scalar;
    for (uint32_t i = 0; i < scalar->arg_count; i++) {
        args[i] = scalar->args[i]->value;
        types[i] = scalar->args[i]->type;
        if (is_long(args[i])) return scalar;
        if (args[i].null && function->strict)
            return scalar_null(binder->arena, scalar->type, scalar->position);
    }
    struct function_call call;
    struct datum result = {0};
    call_init(binder, &call, types, scalar->arg_count, scalar->type);
    // An error may never be met when the plan runs (a branch of CASE): it is not one yet.
    if (failed(function->fn(&call, args, &result))) return scalar;
    return scalar_const(binder->arena, scalar->type, result, scalar->position);
}

static struct scalar *fold_cast(struct binder *binder, struct scalar *scalar)
{
    const struct scalar *arg = scalar->args[0];
    struct function_call call;
    struct datum result = arg->value;
    if (is_temporal(scalar->type.oid) || is_temporal(arg->type.oid)) return scalar;
    if (is_long(arg->value)) return scalar;
    if (arg->value.null) return scalar_null(binder->arena, scalar->type, scalar->position);
    call_init(binder, &call, &arg->type, 1, scalar->type);
    struct status st = scalar->kind == SCALAR_TYPMOD
        ? cast_apply_typmod(&call, scalar->type, scalar->cast.is_explicit, arg->value, &result)
        : cast_apply(&call, scalar->cast.cast, arg->type, scalar->type, scalar->cast.is_explicit,
              arg->value, &result);
    if (failed(st)) return scalar;
    return scalar_const(binder->arena, scalar->type, result, scalar->position);
}

struct scalar *bind_fold(struct binder *binder, struct scalar *scalar)
{
    if (binder->verbatim) return scalar;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (scalar->args[i]->kind != SCALAR_CONST) return scalar;
    if (scalar->kind == SCALAR_CALL) return fold_call(binder, scalar);
    if (scalar->kind == SCALAR_CAST || scalar->kind == SCALAR_TYPMOD) return fold_cast(binder, scalar);
    return scalar;
}

// --- coercion ----------------------------------------------------------------------------------------

static struct scalar *cast_node(struct binder *binder, struct scalar *arg, const struct cast *cast,
    struct type type, bool is_explicit)
{
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_CAST, type, arg->position, 1);
    scalar->args[0] = arg;
    scalar->cast.cast = cast;
    scalar->cast.is_explicit = is_explicit;
    return bind_fold(binder, scalar);
}

static bool is_number(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9') return false;
    return text.size > 0;
}

// 2024-02-29 13:14:15.5 means the same in every session; 1/2/2024 and 'today' do not.
static bool is_iso_text(struct bytes text)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') digits++;
    if (digits == text.size || (text.data[digits] == '-' ? digits != 4 : text.data[digits] != ':'))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < '0' || text.data[i] > '9') && strchr("-: .", text.data[i]) == NULL)
            return false;
    return true;
}

// Who keeps the expression keeps what its literals mean now. The default form is read alike everywhere.
static void note_reading(
    struct binder *binder, const struct scalar *literal, type_oid oid, struct datum value)
{
    if (binder->resolutions == NULL || type_is_composite(oid)) return;
    struct buffer text;
    buffer_init(&text, binder->resolutions->arena);
    type_output(&text, &type_context_default, oid, value);
    resolution_read_literal(binder->resolutions, literal, buffer_bytes(&text));
}

// Reading a long one may yield. (What names something is short, and waits for nothing here.) jsonb of some KiB is long
// when it nests deep, since each level is copied into the one around it.
static struct status read_literal(struct binder *binder, struct type type, struct bytes text, struct datum *value)
{
    const size_t least = type.oid == TYPE_JSONB ? WORK_BYTES / 8 : WORK_BYTES;
    const bool yields = text.size >= least && may_yield(binder);
    if (yields) nosuspend_end(binder->task);
    const struct status st = type_input(binder->arena, binder->types, type, text, value);
    if (yields) nosuspend_begin(binder->task);
    return st;
}

// '{t,u}'::regclass[]: its items are texts, which are looked up when the expression runs.
static struct status coerce_names(
    struct binder *binder, struct scalar **scalar, struct type type, const struct cast *cast, bool is_explicit)
{
    struct scalar *literal = *scalar;
    struct datum value;
    struct status st = bind_at(binder,
        read_literal(binder, TYPE_OF(TYPE_TEXT_ARRAY), datum_as_bytes(literal->value), &value), literal->position);
    if (failed(st)) return st;
    struct scalar *texts = scalar_const(binder->arena, TYPE_OF(TYPE_TEXT_ARRAY), value, literal->position);
    *scalar = cast_node(binder, texts, cast, TYPE_OF(type.oid), is_explicit);
    (*scalar)->unread = (*scalar)->kind == SCALAR_CAST;
    return st;
}

static struct status coerce_literal(
    struct binder *binder, struct scalar **scalar, struct type type, bool is_explicit)
{
    struct status st = STATUS_OK;
    struct scalar *literal = *scalar;
    if (literal->value.null) {
        *scalar = scalar_null(binder->arena, type, literal->position);
        return st;
    }
    const type_oid element = type_is_array(type.oid) ? type_info(type.oid)->element : 0;
    const struct cast *names = names_object(element) || element == TYPE_REGTYPE
        ? cast_find(TYPE_TEXT_ARRAY, type.oid, CAST_EXPLICIT)
        : NULL;
    if (names != NULL) return coerce_names(binder, scalar, type, names, is_explicit);
    struct datum value = {0};
    bool by_name = names_object(type.oid) ||
                   (type.oid == TYPE_REGTYPE &&
                       type_by_name(arena_string(
                           binder->arena, datum_as_bytes(literal->value))) == NULL);
    by_name &= !is_number(datum_as_bytes(literal->value));
    // varchar(3) cuts an explicit cast and refuses an assignment that is too long: the typmod is
    // applied by the caller. Only an interval's says what the text means: '1' day.
    struct type read_as = type.oid == TYPE_INTERVAL ? type : TYPE_OF(type.oid);
    if (!by_name)
        TRY(bind_at(binder,
            read_literal(binder, read_as, datum_as_bytes(literal->value), &value), literal->position));
    if (by_name || (input_is_stable(type.oid) && !names_object(type.oid)) ||
        (is_temporal(type.oid) && !names_object(type.oid) &&
            !is_iso_text(datum_as_bytes(literal->value)))) {
        if (!by_name) note_reading(binder, literal, type.oid, value);
        const struct cast *cast = cast_find(TYPE_TEXT, type.oid, CAST_EXPLICIT);
        if (cast != NULL) {
            struct scalar *text = scalar_const(
                binder->arena, TYPE_OF(TYPE_TEXT), literal->value, literal->position);
            *scalar = cast_node(binder, text, cast, TYPE_OF(type.oid), is_explicit);
            (*scalar)->unread = (*scalar)->kind == SCALAR_CAST;
            return st;
        }
    }
    *scalar = scalar_const(binder->arena, TYPE_OF(type.oid), value, literal->position);

out:
    return st;
}

static void coerce_param(struct binder *binder, struct scalar *param, struct type type)
{
    if (binder->param_types[param->param].oid == 0)
        binder->param_types[param->param] = TYPE_OF(type.oid);
    param->type = binder->param_types[param->param];
}

static void apply_typmod(
    struct binder *binder, struct scalar **scalar, struct type type, bool is_explicit)
{
    if (type.typmod == -1 || (*scalar)->type.typmod == type.typmod) return;
    struct scalar *node =
        scalar_with_args(binder->arena, SCALAR_TYPMOD, type, (*scalar)->position, 1);
    node->args[0] = *scalar;
    node->cast.is_explicit = is_explicit;
    *scalar = bind_fold(binder, node);
}

// A cast from text to text changes the type alone.
static void keep_collation(const struct scalar *before, struct scalar *after)
{
    if (before == after) return;
    bool both = collation_takes(before->type.oid) && collation_takes(after->type.oid);
    after->type.collation = both ? before->type.collation : COLLATION_NONE;
    after->collation_explicit = both && before->collation_explicit;
}

struct status bind_coerce(struct binder *binder, struct scalar **scalar, struct type type,
    enum cast_context context, bool *done)
{
    struct status st = STATUS_OK;
    bool is_explicit = context == CAST_EXPLICIT;
    const struct scalar *before = *scalar;
    if (done != NULL) *done = true;
    bool spelled = (*scalar)->kind == SCALAR_ROW && (*scalar)->type.oid == TYPE_RECORD;
    if (spelled && type_is_composite(type.oid))
        return bind_row_as_composite(binder, scalar, type.oid, context);
    TRY(bind_row_value(binder, scalar));
    if (type.oid == TYPE_ANY || type.oid == TYPE_UNKNOWN) return st;
    if ((*scalar)->kind == SCALAR_PARAM && scalar_is_unknown(*scalar))
        coerce_param(binder, *scalar, type);
    if (scalar_is_unknown(*scalar) && (*scalar)->kind == SCALAR_CONST)
        TRY(coerce_literal(binder, scalar, type, is_explicit));
    if ((*scalar)->type.oid != type.oid) {
        type_oid from = scalar_is_unknown(*scalar) ? TYPE_TEXT : (*scalar)->type.oid;
        const struct cast *cast = cast_find(from, type.oid, context);
        if (cast == NULL) {
            if (done != NULL) {
                *done = false;
                return st;
            }
            return bind_error(binder, (*scalar)->position, E_CANNOT_COERCE,
                "cannot cast type %s to %s", bind_type_text(binder, (*scalar)->type),
                bind_type_text(binder, type));
        }
        // The target's typmod is the cast's own affair (numeric to numeric(5,2) rounds once).
        *scalar = cast_node(binder, *scalar, cast, type, is_explicit);
        keep_collation(before, *scalar);
        return st;
    }
    apply_typmod(binder, scalar, type, is_explicit);
    keep_collation(before, *scalar);

out:
    return st;
}

struct status bind_coerce_bool(struct binder *binder, struct scalar **scalar, const char *clause)
{
    struct status st = STATUS_OK;
    bool done;
    TRY(bind_coerce(binder, scalar, TYPE_OF(TYPE_BOOL), CAST_IMPLICIT, &done));
    if (!done)
        TRY(bind_error(binder, (*scalar)->position, E_DATATYPE_MISMATCH,
            "argument of %s must be type boolean, not type %s", clause,
            bind_type_text(binder, (*scalar)->type)));

out:
    return st;
}

struct status bind_common_type(struct binder *binder, const char *what, struct scalar **scalars,
    uint32_t count, struct type *type)
{
    struct status st = STATUS_OK;
    type_oid *types = ARENA_ARRAY(binder->arena, type_oid, count);
    uint32_t position = count > 0 ? scalars[count - 1]->position : POSITION_NONE;
    bool same_typmod = true;
    for (uint32_t i = 0; i < count; i++) {
        (void)deep_goes_on(1);
        TRY(bind_row_value(binder, &scalars[i]));
        types[i] = scalars[i]->type.oid;
        same_typmod &= scalars[i]->type.oid == scalars[0]->type.oid &&
                       scalars[i]->type.typmod == scalars[0]->type.typmod;
    }
    *type = TYPE_OF(TYPE_TEXT);
    TRY(bind_at(binder, type_common(binder->arena, what, types, count, &type->oid), position));
    if (same_typmod && count > 0 && scalars[0]->type.oid == type->oid) *type = scalars[0]->type;
    for (uint32_t i = 0; i < count; i++) {
        bool done;
        (void)deep_goes_on(1);
        TRY(bind_coerce(binder, &scalars[i], TYPE_OF(type->oid), CAST_IMPLICIT, &done));
        if (!done)
            TRY(bind_error(binder, scalars[i]->position, E_CANNOT_COERCE,
                "%s could not convert type %s to %s", what,
                bind_type_text(binder, scalars[i]->type), bind_type_text(binder, *type)));
    }
    type->collation = COLLATION_NONE;
    struct scalar common = {.type = *type};
    TRY(bind_collation_result(binder, &common, scalars, count));
    *type = common.type;

out:
    return st;
}

struct status bind_resolve_unknown(struct binder *binder, struct scalar **scalar)
{
    if ((*scalar)->kind == SCALAR_ROW) return bind_row_value(binder, scalar);
    if (!scalar_is_unknown(*scalar)) return STATUS_OK;
    return bind_coerce(binder, scalar, TYPE_OF(TYPE_TEXT), CAST_IMPLICIT, NULL);
}

// --- statements --------------------------------------------------------------------------------------

static const struct with_clause *own_with(const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_SELECT: return statement->as.select->with;
    case STATEMENT_INSERT: return statement->as.insert->with;
    case STATEMENT_UPDATE: return statement->as.update->with;
    case STATEMENT_DELETE: return statement->as.delete_->with;
    default: return NULL;
    }
}

struct status bind_statement(
    struct binder *binder, const struct statement *statement, struct query *query)
{
    *query = (struct query){0};
    binder->with = own_with(statement);
    switch (statement->tag) {
    case STATEMENT_SELECT:
        return bind_select(binder, NULL, statement->as.select, false, query);
    case STATEMENT_INSERT: return bind_insert(binder, NULL, statement->as.insert, query);
    case STATEMENT_UPDATE: return bind_update(binder, NULL, statement->as.update, query);
    case STATEMENT_DELETE: return bind_delete(binder, NULL, statement->as.delete_, query);
    default:
        return bind_error(binder, statement->position, E_FEATURE_NOT_SUPPORTED,
            "%s cannot be planned", statement_name(statement));
    }
}
