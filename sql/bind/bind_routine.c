// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions that users have made: how calls name them, and what their arguments are.
#include "sql/bind/bind.h"
#include "sql/function/function_sql.h"
#include "sql/parse/parse.h"

// --- loading ---------------------------------------------------------------------------------------------

static bool is_polymorphic(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    return info != NULL && info->category == 'P' && oid != TYPE_RECORD && oid != TYPE_VOID;
}

// What the last argument's items are of, as the tables of built-in functions say it.
static type_oid variadic_item(type_oid array)
{
    if (array == TYPE_ANYARRAY) return TYPE_ANYELEMENT;
    if (array == TYPE_ANYCOMPATIBLEARRAY) return TYPE_ANYCOMPATIBLE;
    const struct type_info *info = type_info(array);
    return info == NULL || info->element == 0 ? array : info->element;
}

static void describe_outputs(struct arena *arena, struct bind_routine *routine)
{
    const struct table_desc *desc = routine->function.user;
    uint32_t count = function_output_count(desc), at = 0;
    bool row = count > 1;
    const char **names = ARENA_ARRAY(arena, const char *, count + 1);
    type_oid *types = ARENA_ARRAY(arena, type_oid, count + 1);
    for (uint32_t i = 0; i < desc->column_count; i++) {
        if (!function_is_output(desc->columns[i].identity)) continue;
        names[at] = *desc->columns[i].name == 0 ? arena_printf(arena, "column%u", at + 1)
                                                : desc->columns[i].name;
        types[at++] = desc->columns[i].type.oid;
    }
    if (!row) {
        names[0] = count == 1 ? names[0] : routine->function.name;
        types[0] = desc->function.result.oid;
    }
    routine->set = (struct set_ops){.column_count = row ? count : 1,
        .column_names = names,
        .column_types = types,
        .state_bytes = function_sql_state_bytes,
        .start = function_sql_start,
        .next = function_sql_next};
    if (!row && !desc->function.returns_set) return;
    routine->function.kind = FUNCTION_SET;
    routine->function.set = &routine->set;
}

static struct status add_routine(struct bind_names *names, const struct table_desc *desc,
    struct bind_routine *routine)
{
    struct status st = STATUS_OK;
    struct arena *arena = names->arena;
    uint32_t count = 0, defaults = 0;
    bool variadic = false;
    type_oid *args = ARENA_ARRAY(arena, type_oid, desc->column_count + 1);
    routine->defaults = ARENA_ARRAY(arena, struct expr *, desc->column_count + 1);
    for (uint32_t i = 0; i < desc->column_count; i++) {
        const struct column_desc *column = &desc->columns[i];
        if (!function_is_input(column->identity)) continue;
        args[count] = column->type.oid;
        if (column->default_sql != NULL) {
            TRY(parse_expression_on_stack(
                arena, bytes_of_string(column->default_sql), &routine->defaults[count]));
            defaults++;
        }
        if (column->identity == 'v') {
            variadic = true;
            args[count] = variadic_item(column->type.oid);
        }
        count++;
    }
    routine->function = (struct function){.name = desc->name,
        .kind = FUNCTION_SCALAR,
        .oid = desc->id,
        .result = desc->function.result.oid,
        .arg_count = (uint8_t)count,
        .variadic = variadic,
        .strict = desc->function.strict,
        .volatility = desc->function.volatility == 'i'   ? FUNCTION_IMMUTABLE
                      : desc->function.volatility == 's' ? FUNCTION_STABLE
                                                         : FUNCTION_VOLATILE,
        .args = args,
        .fn = function_sql_call,
        .schema = routine->schema,
        .user = desc,
        .default_count = (uint8_t)defaults};
    describe_outputs(arena, routine);

out:
    return st;
}

#define BY_ID_ALONE "" // The schema of a function that no name means here.

static struct status load_routines(struct task *task, struct session *session, struct bind_names *names,
    const struct database_desc *database, bool by_id_alone)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    const uint32_t count = database->function_count;
    if (count == 0) return st;
    uint32_t *ids = ARENA_ARRAY(names->arena, uint32_t, count);
    memcpy(ids, database->functions, count * sizeof *ids);
    names->routines = arena_grow(names->arena, names->routines, names->routine_count * sizeof *names->routines,
        (names->routine_count + count) * sizeof *names->routines);
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *found;
        struct bind_routine *routine = &names->routines[names->routine_count];
        *routine = (struct bind_routine){0};
        TRY(catalog_table_by_id(task, session, ids[i], &found));
        const struct table_desc *desc = table_desc_copy(names->arena, found);
        TRY(catalog_schema_by_id(task, session, desc->schema_id, &schema));
        routine->schema = by_id_alone ? BY_ID_ALONE : arena_strdup(names->arena, schema->name);
        for (uint32_t k = 0; k < desc->column_count; k++)
            if (type_is_user(desc->columns[k].type.oid))
                TRY(bind_names_add_type(
                    task, session, names, type_user_id(desc->columns[k].type.oid)));
        if (type_is_user(desc->function.result.oid))
            TRY(bind_names_add_type(
                task, session, names, type_user_id(desc->function.result.oid)));
        bind_names_install_types(session, names);
        TRY(add_routine(names, desc, routine));
        names->routine_count++;
    }

out:
    return st;
}

// What tables of other databases keep may call functions of theirs: the server's own sessions read all of them.
static struct status load_of_tables(
    struct task *task, struct session *session, struct bind_names *names, uint32_t own_id)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    for (uint32_t i = 0; i < names->count; i++) {
        const uint32_t id = names->list[i]->table->database_id;
        bool known = id == own_id || names->list[i]->table->kind == RELATION_VIRTUAL;
        for (uint32_t k = 0; k < i; k++) known |= names->list[k]->table->database_id == id;
        if (known) continue;
        TRY(catalog_database_by_id(task, session, id, &database));
        TRY(load_routines(task, session, names, database, true));
    }

out:
    return st;
}

struct status bind_routines_load(
    struct task *task, struct session *session, struct bind_names *names)
{
    struct status st;
    const struct database_desc *database;
    uint32_t own_id = 0;
    TRY(catalog_database(task, session, session->database, true, &database));
    if (database != NULL) {
        own_id = database->id;
        TRY(load_routines(task, session, names, database, false));
    }
    TRY(load_of_tables(task, session, names, own_id));

out:
    return st;
}

// --- names -------------------------------------------------------------------------------------------------

bool bind_is_called(const struct binder *binder, const char *name)
{
    const char *called = binder->session == NULL ? NULL : binder->session->calling;
    return called != NULL && strcmp(called, name) == 0;
}

// The place of the function's schema in the search path; UINT32_MAX: names without a schema do not mean it.
static uint32_t path_place(const struct binder *binder, const struct bind_routine *routine)
{
    const char *const *path = binder->session == NULL ? NULL : binder->session->search_path;
    for (uint32_t i = 0; path != NULL && path[i] != NULL; i++)
        if (strcmp(path[i], routine->schema) == 0) return i;
    return UINT32_MAX;
}

static bool is_meant(const struct binder *binder, const struct bind_routine *routine,
    const char *schema, const char *name, bool procedures)
{
    uint32_t id;
    bool procedure = routine->function.user->function.kind == 'p';
    if (procedure != procedures) return false;
    if (function_is_reference(schema, &id)) return routine->function.user->id == id;
    if (strcmp(routine->function.name, name) != 0) return false;
    if (schema != NULL) return strcmp(routine->schema, schema) == 0;
    return path_place(binder, routine) != UINT32_MAX;
}

static bool same_arguments(const struct function *a, const struct function *b)
{
    return a->arg_count == b->arg_count && a->variadic == b->variadic &&
           memcmp(a->args, b->args, a->arg_count * sizeof *a->args) == 0;
}

// Of functions of the same arguments the one is meant whose schema comes first in the search path.
static bool is_hidden(const struct binder *binder, const struct bind_routine *routine, bool procedures)
{
    for (uint32_t i = 0; i < binder->names->routine_count; i++) {
        const struct bind_routine *other = &binder->names->routines[i];
        if (is_meant(binder, other, NULL, routine->function.name, procedures) &&
            path_place(binder, other) < path_place(binder, routine) &&
            same_arguments(&other->function, &routine->function))
            return true;
    }
    return false;
}

uint32_t bind_routines_named(struct binder *binder, const char *schema, const char *name,
    bool procedures, const struct function ***found)
{
    uint32_t count = 0;
    *found = NULL;
    if (binder->names == NULL || binder->names->routine_count == 0) return 0;
    *found = ARENA_ARRAY(binder->arena, const struct function *, binder->names->routine_count);
    for (uint32_t i = 0; i < binder->names->routine_count; i++) {
        const struct bind_routine *routine = &binder->names->routines[i];
        if (is_meant(binder, routine, schema, name, procedures) &&
            (schema != NULL || !is_hidden(binder, routine, procedures)))
            (*found)[count++] = &routine->function;
    }
    return count;
}

static const struct bind_routine *routine_of(
    const struct binder *binder, const struct function *function)
{
    for (uint32_t i = 0; i < binder->names->routine_count; i++)
        if (&binder->names->routines[i].function == function) return &binder->names->routines[i];
    return NULL;
}

// The places of the call's arguments; false when they do not fit the function.
static bool place_args(const struct function_expr *call, const struct bind_routine *routine,
    struct expr **places)
{
    const struct table_desc *desc = routine->function.user;
    uint32_t count = routine->function.arg_count;
    if (routine->function.variadic && !call->variadic) return false; // What is to be gathered has no name.
    memset(places, 0, count * sizeof *places);
    for (uint32_t i = 0; i < call->args.count; i++) {
        struct expr *arg = call->args.items[i];
        uint32_t place = i, input = 0;
        if (arg->kind == EXPR_NAMED_ARGUMENT) {
            place = count;
            for (uint32_t k = 0; k < desc->column_count; k++) {
                if (!function_is_input(desc->columns[k].identity)) continue;
                if (strcmp(desc->columns[k].name, arg->named_argument.name) == 0) place = input;
                input++;
            }
            arg = arg->named_argument.arg;
        }
        if (place >= count || places[place] != NULL) return false;
        places[place] = arg;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (places[i] == NULL) places[i] = routine->defaults[i];
        if (places[i] == NULL) return false;
    }
    return true;
}

struct status bind_routine_names(
    struct binder *binder, const struct expr *expr, struct expr **out)
{
    const struct function **found;
    const struct function_expr *call = expr->function;
    uint32_t count = bind_routines_named(binder, call->schema, call->name, bind_is_called(binder, call->name), &found);
    *out = NULL;
    for (uint32_t i = 1; i < call->args.count; i++)
        if (call->args.items[i]->kind != EXPR_NAMED_ARGUMENT &&
            call->args.items[i - 1]->kind == EXPR_NAMED_ARGUMENT)
            return bind_error(binder, call->args.items[i]->position, E_SYNTAX_ERROR,
                "positional argument cannot follow named argument");
    for (uint32_t i = 0; i < count; i++) {
        const struct bind_routine *routine = routine_of(binder, found[i]);
        struct expr **places =
            ARENA_ARRAY(binder->arena, struct expr *, found[i]->arg_count + 1u);
        if (!place_args(call, routine, places)) continue;
        struct function_expr *full = ARENA_NEW(binder->arena, struct function_expr);
        *full = *call;
        full->written = call->written != NULL ? call->written : (struct function_expr *)(uintptr_t)call;
        full->args = (struct expr_list){places, found[i]->arg_count};
        *out = ARENA_NEW(binder->arena, struct expr);
        **out = *expr;
        (*out)->function = full;
        break;
    }
    return STATUS_OK;
}

// --- arguments ---------------------------------------------------------------------------------------------

struct status bind_routine_args(struct binder *binder, const struct function_match *match,
    bool spread, struct scalar ***args, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct function *function = match->function;
    if (function->user == NULL) return st;
    struct bind_routine *routine = (struct bind_routine *)routine_of(binder, function);
    uint32_t given = *count, total = function->arg_count;
    struct scope scope = {.clause = "DEFAULT expressions"};
    routine->used = true;
    type_oid result = function->user->function.result.oid;
    if (type_is_user(result)) bind_names_use_type(binder->names, type_user_id(result));
    struct scalar **all = ARENA_ARRAY(binder->arena, struct scalar *, total + 1);
    bool gather = function->variadic && spread && given >= total;
    for (uint32_t i = 0; i < total && i < given; i++) all[i] = (*args)[i];
    if (gather) {
        type_oid item = match->args[total - 1];
        struct scalar *array = scalar_with_args(binder->arena, SCALAR_ARRAY,
            TYPE_OF(type_array_of(item)), all[total - 1]->position, given - total + 1);
        memcpy(array->args, *args + total - 1, array->arg_count * sizeof *array->args);
        all[total - 1] = array;
    }
    for (uint32_t i = given; i < total; i++) {
        if (routine->defaults[i] == NULL) { // VARIADIC with nothing: an empty array.
            type_oid array = type_array_of(function->args[i]);
            all[i] = scalar_with_args(
                binder->arena, SCALAR_ARRAY, TYPE_OF(array), POSITION_NONE, 0);
            continue;
        }
        struct resolutions *resolutions = binder->resolutions;
        binder->resolutions = NULL;
        st = bind_expr(binder, &scope, routine->defaults[i], &all[i]);
        binder->resolutions = resolutions;
        TRY(st);
        type_oid type = function->args[i];
        if (is_polymorphic(type)) {
            TRY(bind_resolve_unknown(binder, &all[i]));
            continue;
        }
        if (function->variadic && i == total - 1) type = type_array_of(type);
        TRY(bind_coerce(binder, &all[i], TYPE_OF(type), CAST_ASSIGNMENT, NULL));
    }
    *args = all;
    *count = total;

out:
    return st;
}

struct status bind_routine_parameter(
    struct binder *binder, const struct expr *expr, struct scalar **out)
{
    const struct function_frame *frame =
        binder->session == NULL ? NULL : binder->session->frame;
    uint32_t count = expr->column.count;
    *out = NULL;
    if (frame == NULL || expr->column.star || count > 2) return STATUS_OK;
    // f.a, a; or a.field of a parameter that is a row.
    bool qualified = count == 2 && strcmp(expr->column.names[0], frame->function) == 0;
    bool field = count == 2 && !qualified;
    const char *name = expr->column.names[field ? 0 : count - 1];
    for (uint32_t i = 0; i < frame->count; i++) {
        if (strcmp(frame->names[i], name) != 0) continue;
        if (i >= binder->param_count) return STATUS_OK;
        struct type type = binder->param_types[i];
        uint32_t index;
        struct scalar *param = scalar_new(binder->arena, SCALAR_PARAM, type, expr->position);
        param->param = i;
        if (!field) {
            *out = param;
        } else if (type_is_composite(type.oid) &&
                   bind_composite_find(type.oid, expr->column.names[1], &index, &type)) {
            *out = bind_composite_item(binder, param, index, type, expr->position);
        }
        return STATUS_OK;
    }
    return STATUS_OK;
}
