// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions of rows: which fields those have that json is read into, VARIADIC arrays, and rows of functions in
// FROM as columns.
#include "sql/bind/bind.h"
#include "sql/type/array.h"
#include "sql/type/composite.h"
#include "sql/function/function_record.h"

// --- json as rows ------------------------------------------------------------------------------------------

static struct status json_args(struct binder *binder, struct scalar *json, struct scalar *base,
    const struct record_fields *fields, struct scalar ***args, uint32_t *count)
{
    struct buffer names;
    *count = fields->count + 2;
    *args = ARENA_ARRAY(binder->arena, struct scalar *, *count);
    buffer_init(&names, binder->arena);
    for (uint32_t i = 0; i < fields->count; i++) {
        buffer_append_string(&names, fields->items[i].name);
        buffer_append_u8(&names, 0);
        struct scalar *field = base == NULL
            ? scalar_null(binder->arena, fields->items[i].type, POSITION_NONE)
            : bind_composite_item(
                  binder, base, fields->items[i].slot, fields->items[i].type, POSITION_NONE);
        (*args)[2 + i] = field;
    }
    (*args)[0] = json;
    (*args)[1] = scalar_const(binder->arena, TYPE_OF(TYPE_BYTEA),
        datum_bytes(buffer_bytes(&names)), POSITION_NONE);
    return STATUS_OK;
}

struct status bind_json_record(struct binder *binder, const struct expr *expr,
    const struct record_fields *defined, struct function_match *match, struct scalar ***args,
    uint32_t *count)
{
    struct record_fields fields = {0};
    struct scalar *base = NULL;
    if (!function_makes_json_records(match->function)) return STATUS_OK;
    struct scalar *json = (*args)[*count - 1];
    if (*count == 2) {
        base = (*args)[0];
        if (!type_is_composite(base->type.oid))
            return bind_error(binder, expr->position, E_DATATYPE_MISMATCH,
                "first argument of %s must be a row type", match->function->name);
        const struct user_type *user = type_user(base->type.oid);
        fields.count = user->field_count;
        fields.items = ARENA_ARRAY(binder->arena, struct type_field, fields.count + 1);
        for (uint32_t i = 0; i < fields.count; i++)
            fields.items[i] = (struct type_field){
                arena_strdup(binder->arena, user->fields[i].name), user->fields[i].type,
                user->fields[i].slot};
        if (base->kind == SCALAR_CONST && base->value.null) base = NULL;
    } else if (defined == NULL) {
        return STATUS_OK; // The caller says what is wrong with it.
    } else {
        fields = *defined;
    }
    match->function =
        match->function->kind == FUNCTION_SET ? &json_recordset : &json_one_record;
    return json_args(binder, json, base, &fields, args, count);
}

// --- columns of rows ---------------------------------------------------------------------------------------

struct status bind_record_fields(struct binder *binder, const struct column_definition *columns,
    uint32_t count, struct record_fields *fields)
{
    struct status st = STATUS_OK;
    fields->count = count;
    fields->items = ARENA_ARRAY(binder->arena, struct type_field, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        fields->items[i].name = columns[i].name;
        fields->items[i].slot = i;
        TRY(bind_type_name(binder, columns[i].type, &fields->items[i].type));
    }

out:
    return st;
}

void bind_expand_record(struct binder *binder, struct rel_call *call,
    const struct record_fields *defined, struct rel *project, struct range_column *columns,
    uint32_t *count)
{
    struct scalar *row = bind_var(binder, call->vars[0], POSITION_NONE);
    struct record_fields fields = {0};
    if (defined != NULL) {
        fields = *defined;
    } else {
        const struct user_type *user = type_user(row->type.oid);
        fields.items = ARENA_ARRAY(binder->arena, struct type_field, user->field_count + 1);
        for (uint32_t i = 0; i < user->field_count; i++)
            fields.items[fields.count++] = (struct type_field){
                arena_strdup(binder->arena, user->fields[i].name), user->fields[i].type,
                user->fields[i].slot};
    }
    for (uint32_t i = 0; i < fields.count; i++) {
        var_id var = bind_new_var(binder, fields.items[i].name, NULL, fields.items[i].type);
        rel_item_add(binder->arena, &project->project, var,
            bind_composite_item(
                binder, row, fields.items[i].slot, fields.items[i].type, POSITION_NONE));
        columns[(*count)++] = (struct range_column){
            .name = fields.items[i].name, .scalar = bind_var(binder, var, POSITION_NONE)};
    }
}

// --- VARIADIC ------------------------------------------------------------------------------------------------

// args: the function's kind and oid, its fixed arguments, the array whose items are the others.
static struct status call_spread(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st;
    struct array array;
    struct datum item;
    uint32_t fixed = call->arg_count - 2;
    const struct function *function =
        function_by_oid(FUNCTION_SCALAR, (uint32_t)args[0].integer);
    if (function == NULL) return status_make(E_INTERNAL, "a function has gone");
    if (args[call->arg_count - 1].null) {
        *result = DATUM_NULL;
        return STATUS_OK;
    }
    TRY(array_open(args[call->arg_count - 1], &array));
    uint32_t count = fixed + array.count;
    struct datum *all = ARENA_ARRAY(call->arena, struct datum, count + 1);
    struct type *types = ARENA_ARRAY(call->arena, struct type, count + 1);
    bool null = false;
    for (uint32_t i = 0; i < fixed; i++) {
        all[i] = args[1 + i];
        types[i] = call->arg_types[1 + i];
        null |= all[i].null;
    }
    uint32_t at = fixed;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        types[at] = TYPE_OF(array.element);
        all[at++] = item;
    }
    if (null && function->strict) {
        *result = DATUM_NULL;
        return STATUS_OK;
    }
    TRY(arena_check(call->arena));
    struct function_call inner = *call;
    inner.arg_types = types;
    inner.arg_count = count;
    inner.function = function;
    inner.state = NULL;
    st = function->fn(&inner, all, result);

out:
    return st;
}

static const struct function spread = {.name = "variadic",
    .kind = FUNCTION_SCALAR,
    .result = TYPE_ANY,
    .volatility = FUNCTION_STABLE,
    .fn = call_spread};

// Of the functions that take these types, the one that repeats its last argument.
static const struct function *repeating(
    const char *name, const struct function_match *match, uint32_t count)
{
    const struct function *at = match->function->variadic ? match->function : NULL;
    if (at != NULL) return at;
    while ((at = function_next_named(name, at)) != NULL)
        if (at->variadic && at->arg_count == count &&
            memcmp(at->args, match->args, count * sizeof *at->args) == 0)
            return at;
    return match->function;
}

struct status bind_variadic(struct binder *binder, const struct expr *expr, struct scalar **args,
    struct type *types, uint32_t count, struct scalar **out)
{
    struct status st;
    const struct function_expr *call = expr->function;
    struct function_match match;
    // A literal is what the function wants an array of.
    bool unknown = count > 0 && types[count - 1].oid == TYPE_UNKNOWN;
    if (count == 0 || (!unknown && !type_is_array(types[count - 1].oid)))
        return bind_error(binder, count == 0 ? expr->position : args[count - 1]->position,
            E_DATATYPE_MISMATCH, "VARIADIC argument must be an array");
    if (!unknown) types[count - 1] = TYPE_OF(type_info(types[count - 1].oid)->element);
    const struct function **routines;
    TRY(bind_check_schema(binder, call->schema));
    uint32_t routine_count = bind_routines_named(
        binder, call->schema, call->name, bind_is_called(binder, call->name), &routines);
    TRY(bind_at(binder,
        function_resolve_any(binder->arena, call->schema, call->name, routines, routine_count,
            types, count, &match),
        expr->position));
    match.function = repeating(call->name, &match, count);
    if (match.function->kind != FUNCTION_SCALAR)
        return bind_unsupported(binder, expr->position, "VARIADIC of a set or an aggregate");
    if (!match.function->variadic || match.function->arg_count != count)
        return bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
            "function %s with a VARIADIC array does not exist", call->name);
    for (uint32_t i = 0; i + 1 < count; i++)
        TRY(bind_coerce(binder, &args[i], TYPE_OF(match.args[i]), CAST_IMPLICIT, NULL));
    type_oid wanted = type_array_of(match.args[count - 1]);
    if (unknown && (match.args[count - 1] == TYPE_ANY || wanted == 0))
        return bind_error(binder, count == 0 ? expr->position : args[count - 1]->position,
            E_DATATYPE_MISMATCH, "VARIADIC argument must be an array");
    if (wanted != 0)
        TRY(bind_coerce(binder, &args[count - 1], TYPE_OF(wanted), CAST_IMPLICIT, NULL));
    if (match.function->user != NULL) {
        bind_note_routine(binder, call, match.function);
        TRY(bind_routine_args(binder, &match, false, &args, &count));
        *out = scalar_with_args(
            binder->arena, SCALAR_CALL, match.result, expr->position, count);
        (*out)->function = match.function;
        memcpy((*out)->args, args, count * sizeof *args);
        binder->has_volatile |= match.function->volatility == FUNCTION_VOLATILE;
        return st;
    }
    struct scalar *node = scalar_with_args(
        binder->arena, SCALAR_CALL, match.result, expr->position, count + 1);
    node->function = &spread;
    node->args[0] = scalar_const(
        binder->arena, TYPE_OF(TYPE_INT8), datum_int(match.function->oid), POSITION_NONE);
    memcpy(node->args + 1, args, count * sizeof *args);
    binder->has_volatile |= match.function->volatility == FUNCTION_VOLATILE;
    *out = node;

out:
    return st;
}
