// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions that users have made, as pg_catalog shows them.
#include <stdlib.h>

#include "sql/type/array.h"
#include "sql/catalog/catalog_text.h"
#include "sql/parse/deparse.h"
#include "sql/function/function_sql.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/plan/plan.h"

#define LANGUAGE_SQL 14

const struct table_desc *pg_routine_of(struct task *task, struct session *session, uint32_t oid)
{
    const struct table_desc *function;
    uint32_t id = pg_id(oid);
    if (id == 0 || task == NULL || session == NULL ||
        failed(catalog_table_by_id(task, session, id, &function)) ||
        function->kind != RELATION_FUNCTION)
        return NULL;
    return function;
}

static void put_type(
    struct task *task, struct session *session, type_oid oid, struct buffer *out)
{
    if (type_is_user(oid) && pg_print_user_type(task, session, oid, out)) return;
    const struct type_info *info = type_info(oid);
    buffer_append_string(out, info == NULL ? "???" : info->sql_name);
}

enum arguments { ARGUMENTS_ALL, ARGUMENTS_IDENTITY, ARGUMENTS_TABLE };

static struct status put_arguments(struct task *task, struct session *session,
    const struct table_desc *function, enum arguments which, struct buffer *out)
{
    struct status st = STATUS_OK;
    bool first = true;
    for (uint32_t i = 0; i < function->column_count; i++) {
        const struct column_desc *column = &function->columns[i];
        char mode = column->identity;
        if ((mode == 't') != (which == ARGUMENTS_TABLE)) continue;
        if (!first) buffer_append_string(out, ", ");
        first = false;
        bool in = which != ARGUMENTS_TABLE && function->function.kind == 'p' && mode != 'o' && mode != 'b' && mode != 'v';
        buffer_append_string(out, in            ? "IN "
                                  : mode == 'o' ? "OUT "
                                  : mode == 'b' ? "INOUT "
                                  : mode == 'v' ? "VARIADIC "
                                                : "");
        if (*column->name != 0) {
            deparse_identifier(out, column->name);
            buffer_append_u8(out, ' ');
        }
        put_type(task, session, column->type.oid, out);
        if (column->default_sql == NULL || which == ARGUMENTS_IDENTITY) continue;
        const char *text = column->default_sql;
        TRY(plan_expression_text(task, session, out->arena, NULL, text, column->type, false, &text));
        buffer_printf(out, " DEFAULT %s", text);
    }
out:
    return st;
}

struct status pg_routine_arguments(struct task *task, struct session *session,
    const struct table_desc *function, bool identity, struct buffer *out)
{
    return put_arguments(
        task, session, function, identity ? ARGUMENTS_IDENTITY : ARGUMENTS_ALL, out);
}

struct status pg_routine_result(struct task *task, struct session *session,
    const struct table_desc *function, struct buffer *out)
{
    struct status st = STATUS_OK;
    if (function->function.returns_table) {
        buffer_append_string(out, "TABLE(");
        TRY(put_arguments(task, session, function, ARGUMENTS_TABLE, out));
        buffer_append_u8(out, ')');
        return st;
    }
    if (function->function.returns_set) buffer_append_string(out, "SETOF ");
    put_type(task, session, function->function.result.oid, out);
out:
    return st;
}

struct status pg_routine_body(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *function, const char **body)
{
    *body = NULL;
    if (function->function.body_kind == 'q') return STATUS_OK;
    return catalog_expression_text(task, session, arena, function->view_sql, body);
}

static void put_literal(struct buffer *out, const char *text, size_t size)
{
    buffer_append_u8(out, '\'');
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\'') buffer_append_u8(out, '\'');
        buffer_append_u8(out, (uint8_t)text[i]);
    }
    buffer_append_u8(out, '\'');
}

// A list of names is shown as literals, one each; anything else is one.
static void put_setting(struct buffer *out, const struct function_setting *setting)
{
    const char *value = setting->value;
    buffer_append_string(out, " SET ");
    deparse_identifier(out, setting->name);
    buffer_append_string(out, " TO ");
    if (strcmp(setting->name, "search_path") != 0 && strcmp(setting->name, "temp_tablespaces") != 0) {
        put_literal(out, value, strlen(value));
    } else {
        if (*value == 0) put_literal(out, value, 0);
        for (uint32_t i = 0; *value != 0; i++) {
            struct buffer name;
            buffer_init(&name, out->arena);
            while (*value == ' ' || *value == ',') value++;
            const bool quoted = *value == '"';
            for (value += quoted; *value != 0 && (quoted || (*value != ',' && *value != ' ')); value++) {
                if (quoted && *value == '"' && *++value != '"') break;
                buffer_append_u8(&name, (uint8_t)*value);
            }
            if (i > 0) buffer_append_string(out, ", ");
            put_literal(out, buffer_string(&name), name.size);
            while (*value == ' ') value++;
        }
    }
    buffer_append_u8(out, '\n');
}

struct status pg_routine_definition(struct task *task, struct session *session,
    const struct table_desc *function, struct buffer *out)
{
    struct status st;
    const struct schema_desc *schema;
    const struct function_desc *desc = &function->function;
    bool procedure = desc->kind == 'p';
    TRY(catalog_schema_by_id(task, session, function->schema_id, &schema));
    buffer_printf(out, "CREATE OR REPLACE %s ", procedure ? "PROCEDURE" : "FUNCTION");
    pg_print_name(out, schema->name, function->name);
    buffer_append_u8(out, '(');
    TRY(pg_routine_arguments(task, session, function, false, out));
    buffer_append_string(out, ")\n");
    if (!procedure) {
        buffer_append_string(out, " RETURNS ");
        TRY(pg_routine_result(task, session, function, out));
        buffer_append_u8(out, '\n');
    }
    buffer_append_string(out, " LANGUAGE sql\n");
    size_t before = out->size;
    if (desc->volatility != 'v')
        buffer_append_string(out, desc->volatility == 'i' ? " IMMUTABLE" : " STABLE");
    if (desc->parallel != 'u')
        buffer_append_string(out, desc->parallel == 's' ? " PARALLEL SAFE" : " PARALLEL RESTRICTED");
    if (desc->strict) buffer_append_string(out, " STRICT");
    if (desc->leakproof) buffer_append_string(out, " LEAKPROOF");
    if (desc->cost != NULL) buffer_printf(out, " COST %s", desc->cost);
    if (desc->rows != NULL) buffer_printf(out, " ROWS %s", desc->rows);
    if (out->size > before) buffer_append_u8(out, '\n');
    for (uint32_t i = 0; i < desc->setting_count; i++) put_setting(out, &desc->settings[i]);
    const char *body;
    TRY(pg_routine_body(task, session, out->arena, function, &body));
    if (body != NULL) {
        buffer_printf(out, "%s\n", body);
        return st;
    }
    const char *tag = procedure ? "$procedure" : "$function";
    while (strstr(function->view_sql, tag) != NULL) tag = arena_printf(out->arena, "%sx", tag);
    buffer_printf(out, "AS %s$%s%s$\n", tag, function->view_sql, tag);
out:
    return st;
}

bool pg_routine_print(struct task *task, struct session *session, uint32_t oid, bool arguments,
    struct buffer *out)
{
    const struct table_desc *function = pg_routine_of(task, session, oid);
    const struct schema_desc *schema;
    bool visible = false, first = true;
    if (function == NULL ||
        failed(catalog_schema_by_id(task, session, function->schema_id, &schema)))
        return false;
    const char *const *path = session->search_path;
    for (; path != NULL && *path != NULL; path++) visible |= strcmp(*path, schema->name) == 0;
    pg_print_name(out, visible ? NULL : schema->name, function->name);
    if (!arguments) return true;
    buffer_append_u8(out, '(');
    for (uint32_t i = 0; i < function->column_count; i++) {
        if (!function_is_input(function->columns[i].identity)) continue;
        if (!first) buffer_append_u8(out, ',');
        first = false;
        put_type(task, session, function->columns[i].type.oid, out);
    }
    buffer_append_u8(out, ')');
    return true;
}

struct status pg_routine_find(struct task *task, struct session *session, struct arena *arena,
    const char *schema_name, const char *name, const type_oid *types, uint32_t count,
    uint32_t *oid, uint32_t *matches)
{
    struct status st;
    const struct database_desc *database;
    const struct table_desc **list;
    uint32_t list_count;
    *matches = 0;
    TRY(catalog_check_usage(task, session, NULL, schema_name));
    TRY(catalog_database(task, session, session->database, true, &database));
    if (database == NULL) return st;
    TRY(catalog_list_functions(task, session, arena, database->id, &list, &list_count));
    for (uint32_t i = 0; i < list_count; i++) {
        const struct schema_desc *schema;
        uint32_t at = 0;
        bool same = true, visible = false;
        if (strcmp(list[i]->name, name) != 0) continue;
        TRY(catalog_schema_by_id(task, session, list[i]->schema_id, &schema));
        const char *const *path = session->search_path;
        for (; schema_name == NULL && path != NULL && *path != NULL; path++)
            visible |= strcmp(*path, schema->name) == 0;
        if (schema_name != NULL) visible = strcmp(schema_name, schema->name) == 0;
        for (uint32_t k = 0; types != NULL && k < list[i]->column_count; k++) {
            if (!function_is_input(list[i]->columns[k].identity)) continue;
            same &= at < count && list[i]->columns[k].type.oid == types[at];
            at++;
        }
        if (!visible || !same || (types != NULL && at != count)) continue;
        *oid = pg_oid(list[i]->id);
        ++*matches;
    }
out:
    return st;
}

// --- pg_proc -----------------------------------------------------------------------------------------------

static struct datum oid_vector(struct arena *arena, const type_oid *types, uint32_t count, bool vector)
{
    struct array_builder builder;
    struct datum made = DATUM_NULL;
    struct status st = STATUS_OK;
    int32_t length = (int32_t)count, lower = vector ? 0 : 1;
    array_builder_init(&builder, arena, TYPE_OID);
    for (uint32_t i = 0; i < count && !failed(st); i++)
        st = array_builder_add(&builder, datum_int(types[i]));
    if (!failed(st))
        st = array_builder_finish_dimensions(
            &builder, count == 0 ? 0 : 1, &length, &lower, &made);
    return failed(st) ? DATUM_NULL : made;
}

static void put_lists(struct pg_rows *rows, struct pg_row *row, const struct table_desc *function)
{
    uint32_t count = function->column_count, inputs = 0, defaults = 0;
    type_oid *all = ARENA_ARRAY(&rows->arena, type_oid, count + 1);
    type_oid *in = ARENA_ARRAY(&rows->arena, type_oid, count + 1);
    struct datum *modes = ARENA_ARRAY(&rows->arena, struct datum, count + 1);
    struct datum *names = ARENA_ARRAY(&rows->arena, struct datum, count + 1), made;
    bool named = false, special = false, outputs = false;
    type_oid variadic = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct column_desc *column = &function->columns[i];
        all[i] = column->type.oid;
        if (function_is_input(column->identity)) in[inputs++] = column->type.oid;
        modes[i] = datum_int(column->identity);
        names[i] = datum_text(column->name);
        named |= *column->name != 0;
        special |= column->identity != 'i';
        outputs |= function_is_output(column->identity);
        defaults += column->default_sql != NULL;
        if (column->identity != 'v') continue;
        const struct type_info *info = type_info(column->type.oid);
        variadic = info == NULL || info->element == 0 ? TYPE_ANYELEMENT : info->element;
    }
    pg_put_int(row, "provariadic", variadic);
    pg_put_int(row, "pronargs", inputs);
    pg_put_int(row, "pronargdefaults", defaults);
    pg_put(row, "proargtypes", oid_vector(&rows->arena, in, inputs, true));
    if (outputs) pg_put(row, "proallargtypes", oid_vector(&rows->arena, all, count, false));
    if (special &&
        !failed(array_make(&rows->arena, TYPE_CHAR_INTERNAL, modes, count, &made)))
        pg_put(row, "proargmodes", made);
    if (named && !failed(array_make(&rows->arena, TYPE_TEXT, names, count, &made)))
        pg_put(row, "proargnames", made);
}

static struct status routine_row(struct pg_rows *rows, const struct table_desc *function)
{
    struct status st;
    struct pg_row row;
    uint32_t owner;
    const struct function_desc *desc = &function->function;
    TRY(pg_role_oid(rows->task, rows->session, function->owner, &owner));
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "oid", pg_oid(function->id));
    pg_put_text(&row, "proname", function->name);
    pg_put_int(&row, "pronamespace", pg_namespace_oid(function->schema_id));
    pg_put_int(&row, "proowner", owner);
    pg_put_int(&row, "prolang", LANGUAGE_SQL);
    pg_put(&row, "procost", datum_real(desc->cost == NULL ? 100 : strtod(desc->cost, NULL)));
    pg_put(&row, "prorows",
        datum_real(desc->rows != NULL    ? strtod(desc->rows, NULL)
                   : desc->returns_set ? 1000
                                         : 0));
    pg_put_int(&row, "prosupport", 0);
    pg_put_int(&row, "prokind", desc->kind);
    pg_put_bool(&row, "prosecdef", false);
    pg_put_bool(&row, "proleakproof", desc->leakproof);
    pg_put_bool(&row, "proisstrict", desc->strict);
    pg_put_bool(&row, "proretset", desc->returns_set);
    pg_put_int(&row, "provolatile", desc->volatility);
    pg_put_int(&row, "proparallel", desc->parallel);
    pg_put_int(&row, "prorettype", desc->result.oid);
    put_lists(rows, &row, function);
    pg_put_text(&row, "prosrc", desc->body_kind == 'q' ? function->view_sql : "");
    if (desc->body_kind != 'q') pg_put_text(&row, "prosqlbody", function->view_sql);
    const char **settings = ARENA_ARRAY(&rows->arena, const char *, desc->setting_count + 1);
    for (uint32_t i = 0; i < desc->setting_count; i++)
        settings[i] = arena_printf(&rows->arena, "%s=%s", desc->settings[i].name, desc->settings[i].value);
    if (desc->setting_count > 0)
        pg_put(&row, "proconfig", pg_text_array(&rows->arena, TYPE_TEXT, settings, desc->setting_count));
    pg_put(&row, "proacl", pg_acl_shared(&rows->arena, OBJECT_FUNCTION, function));
    st = pg_row_send(&row);
out:
    return st;
}

struct status pg_routine_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct pg_rows rows;
    const struct table_desc **list;
    uint32_t count;
    TRY(pg_rows_open(&rows, task, session, sink));
    st = catalog_list_functions(task, session, &rows.arena, rows.database->id, &list, &count);
    for (uint32_t i = 0; !failed(st) && i < count; i++) st = routine_row(&rows, list[i]);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}
