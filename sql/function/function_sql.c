// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/function/function_sql.h"

#include "sql/type/composite.h"
#include "sql/session/internal.h"
#include "sql/session/vars.h"
#include "sql/type/record.h"

#define E_INVALID_FUNCTION_DEFINITION SQLSTATE('4', '2', 'P', '1', '3')

uint32_t function_output_count(const struct table_desc *function)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < function->column_count; i++)
        count += function_is_output(function->columns[i].identity);
    return count;
}

const char *function_sql_text(
    struct arena *arena, const struct table_desc *function, uint32_t statement)
{
    return arena_printf(arena, "/*f %u.%u.%u*/ %s", function->id, function->version, statement,
        function->function.statements[statement].sql);
}

struct status function_settings_begin(struct session *session, struct arena *arena,
    const struct table_desc *function, const struct var_undo **begun)
{
    struct status st = STATUS_OK;
    const struct function_desc *desc = &function->function;
    *begun = vars_savepoint(session);
    for (uint32_t i = 0; i < desc->setting_count && !failed(st); i++)
        st = vars_set(session, arena, desc->settings[i].name, desc->settings[i].value, VARS_FUNCTION);
    return st;
}

static struct status run_statements(struct function_call *call, struct arena *arena,
    const struct datum *args, struct internal_result *result)
{
    struct status st = STATUS_OK;
    const struct table_desc *function = call->function->user;
    const struct function_desc *desc = &function->function;
    struct session *session = call->session;
    const char **names = ARENA_ARRAY(arena, const char *, function->column_count + 1);
    type_oid *types = ARENA_ARRAY(arena, type_oid, call->arg_count + 1);
    struct function_frame frame = {.function = function->name, .names = names, .kept = desc->body_kind != 'q'};
    for (uint32_t i = 0; i < function->column_count; i++)
        if (function_is_input(function->columns[i].identity))
            names[frame.count++] = function->columns[i].name;
    for (uint32_t i = 0; i < call->arg_count; i++) types[i] = call->arg_types[i].oid;
    *result = (struct internal_result){0};
    for (uint32_t i = 0; i < desc->statement_count && !failed(st); i++) {
        const struct function_frame *outer = session->frame;
        bool last = i + 1 == desc->statement_count;
        session->frame = &frame;
        st = internal_run(call->task, session, arena, last ? result : NULL,
            function_sql_text(arena, function, i), call->arg_count, args, types);
        session->frame = outer;
        if (failed(st))
            st = status_context(arena, st, "SQL function \"%s\" statement %u", function->name, i + 1);
    }
    return st;
}

static struct status run_body(struct function_call *call, struct arena *arena,
    const struct datum *args, struct internal_result *result)
{
    struct status st;
    struct session *session = call->session;
    if (session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "a function in SQL cannot be called here");
    if (session->function_depth >= FUNCTION_DEPTH_MAX)
        return status_hint(call->arena,
            status_make(E_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"),
            "Functions in SQL call each other at most 12 deep.");
    session->function_depth++;
    const struct var_undo *begun;
    st = function_settings_begin(session, arena, call->function->user, &begun);
    if (!failed(st)) st = run_statements(call, arena, args, result);
    if (call->function->user->function.setting_count > 0) vars_function_end(session, begun);
    session->function_depth--;
    return st;
}

static struct status cast_value(struct function_call *call, struct type from, struct type to,
    struct datum in, struct datum *out)
{
    *out = in;
    if (from.oid == to.oid && to.typmod < 0) return STATUS_OK;
    const struct cast *cast = cast_find(from.oid, to.oid, CAST_ASSIGNMENT);
    if (cast == NULL)
        return status_format(call->arena, E_INVALID_FUNCTION_DEFINITION,
            "return type mismatch in function declared to return %s",
            type_format(call->arena, to));
    return in.null ? STATUS_OK : cast_apply(call, cast, from, to, false, in, out);
}

// One column may be the whole row.
static bool gives_whole(const struct internal_result *rows, type_oid oid)
{
    return rows->column_count == 1 && (rows->types[0].oid == oid || rows->types[0].oid == TYPE_RECORD);
}

static struct status check_column(struct function_call *call, struct type from, struct type to)
{
    struct datum nothing;
    if (from.oid == to.oid) return STATUS_OK;
    return cast_value(call, from, to, DATUM_NULL, &nothing);
}

// What the names in the body mean may have changed since the function was made. Told of no rows, too.
static struct status check_columns(struct function_call *call, const struct internal_result *rows)
{
    struct status st = STATUS_OK;
    type_oid oid = call->result_type.oid;
    const struct set_ops *ops = call->function->set;
    if (rows->types == NULL || rows->column_count == 0 || oid == TYPE_VOID || gives_whole(rows, oid)) return st;
    if (type_is_composite(oid)) {
        const struct user_type *user = type_user(oid);
        if (user->field_count != rows->column_count)
            return status_format(call->arena, E_INVALID_FUNCTION_DEFINITION,
                "return type mismatch in function declared to return %s", user->info.sql_name);
        for (uint32_t i = 0; i < user->field_count; i++)
            TRY(check_column(call, rows->types[i], user->fields[i].type));
    } else if (ops != NULL && ops->column_count > 1) {
        for (uint32_t i = 0; i < ops->column_count && rows->column_count == ops->column_count; i++)
            TRY(check_column(call, rows->types[i], TYPE_OF(ops->column_types[i])));
    } else if (oid != TYPE_RECORD) {
        TRY(check_column(call, rows->types[0], call->result_type));
    }
out:
    return st;
}

// The columns of one row as a row of the function's type; of type record, named by their places.
static struct status make_row(struct function_call *call, const struct internal_result *rows,
    const struct datum *values, struct datum *result)
{
    struct status st = STATUS_OK;
    type_oid oid = call->result_type.oid;
    bool composite = type_is_composite(oid);
    const struct user_type *user = composite ? type_user(oid) : NULL;
    struct record_writer writer;
    struct buffer out;
    // Its fields may have become others since the first row.
    if (composite && user->field_count != rows->column_count)
        return status_format(call->arena, E_INVALID_FUNCTION_DEFINITION,
            "return type mismatch in function declared to return %s", user->info.sql_name);
    buffer_init(&out, call->arena);
    if (composite)
        record_write_begin(&writer, &out, oid, rows->column_count);
    else
        record_begin(&out, rows->column_count);
    for (uint32_t i = 0; i < rows->column_count; i++) {
        struct type to = composite ? user->fields[i].type : rows->types[i];
        struct datum value;
        TRY(cast_value(call, rows->types[i], to, values[i], &value));
        if (composite)
            record_write(&writer, to.oid, value);
        else
            record_add(&out, bytes_of_string(arena_printf(call->arena, "f%u", i + 1)), to.oid, value);
    }
    *result = datum_bytes(buffer_bytes(&out));
    st = arena_check(call->arena);

out:
    return st;
}

static struct status value_of(struct function_call *call, const struct internal_result *rows,
    uint64_t row, struct datum *result)
{
    const struct datum *values = rows->values + row * rows->column_count;
    type_oid oid = call->result_type.oid;
    if (oid == TYPE_VOID || rows->column_count == 0) {
        *result = DATUM_NULL;
        return STATUS_OK;
    }
    bool is_row = oid == TYPE_RECORD || type_is_composite(oid);
    if (is_row && !gives_whole(rows, oid)) return make_row(call, rows, values, result);
    struct status st = cast_value(call, rows->types[0], call->result_type, values[0], result);
    *result = failed(st) ? *result : type_copy(call->arena, oid, *result);
    return st;
}

struct status function_sql_call(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st;
    struct internal_result rows;
    TRY(run_body(call, call->arena, args, &rows));
    TRY(check_columns(call, &rows));
    *result = DATUM_NULL;
    if (rows.row_count > 0 && rows.types != NULL) st = value_of(call, &rows, 0, result);

out:
    return st;
}

// --- sets ----------------------------------------------------------------------------------------------

struct set_state {
    struct internal_result rows;
    uint64_t at, count;
};
const size_t function_sql_state_bytes = sizeof(struct set_state);

struct status function_sql_start(
    struct function_call *call, void *state, const struct datum *args)
{
    struct status st;
    struct set_state *set = state;
    const struct table_desc *function = call->function->user;
    TRY(run_body(call, call->state_arena, args, &set->rows));
    TRY(check_columns(call, &set->rows));
    set->count = set->rows.types == NULL ? 0 : set->rows.row_count;
    // One that returns no set gives one row, of NULLs if need be.
    if (!function->function.returns_set) set->count = 1;

out:
    return st;
}

struct status function_sql_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct status st = STATUS_OK;
    struct set_state *set = state;
    const struct set_ops *ops = call->function->set;
    *done = set->at == set->count;
    if (*done) return st;
    uint64_t at = set->at++;
    if (at >= set->rows.row_count || set->rows.types == NULL) {
        for (uint32_t i = 0; i < ops->column_count; i++) row[i] = DATUM_NULL;
        return st;
    }
    if (ops->column_count == 1) return value_of(call, &set->rows, at, &row[0]);
    const struct datum *values = set->rows.values + at * set->rows.column_count;
    if (set->rows.column_count == 1 && set->rows.types[0].oid == TYPE_RECORD) { // SELECT t FROM t
        type_oid from;
        for (uint32_t i = 0; i < ops->column_count; i++) {
            TRY(composite_field(values[0], i, &from, &row[i]));
            TRY(cast_value(call, TYPE_OF(from), TYPE_OF(ops->column_types[i]), row[i], &row[i]));
        }
        return st;
    }
    if (set->rows.column_count != ops->column_count)
        return status_make(
            E_INVALID_FUNCTION_DEFINITION, "return type mismatch in function of several columns");
    for (uint32_t i = 0; i < ops->column_count; i++)
        TRY(cast_value(
            call, set->rows.types[i], TYPE_OF(ops->column_types[i]), values[i], &row[i]));

out:
    return st;
}
