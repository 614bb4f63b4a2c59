// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER and DROP of functions and procedures in SQL.
#include <stdio.h>

#include "core/task.h"
#include "core/text.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/ddl_setting.h"

#include "sql/bind/resolution.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/parse/deparse.h"
#include "sql/session/execute.h"
#include "sql/function/function_sql.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/user/role.h"
#include "sql/session/vars.h"

#define E_INVALID_FUNCTION_DEFINITION SQLSTATE('4', '2', 'P', '1', '3')
#define E_DUPLICATE_FUNCTION SQLSTATE('4', '2', '7', '2', '3')

// --- types -------------------------------------------------------------------------------------------------

// A pseudo-type that parameters and results can have; 0: none.
static type_oid pseudo_type(const char *name)
{
    static const type_oid types[] = {TYPE_ANYELEMENT, TYPE_ANYARRAY, TYPE_ANYNONARRAY,
        TYPE_ANYENUM, TYPE_ANYRANGE, TYPE_ANYMULTIRANGE, TYPE_ANYCOMPATIBLE, TYPE_ANYCOMPATIBLEARRAY,
        TYPE_ANYCOMPATIBLENONARRAY, TYPE_ANYCOMPATIBLERANGE, TYPE_ANYCOMPATIBLEMULTIRANGE, TYPE_RECORD, TYPE_VOID};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type_info(types[i])->name, name) == 0) return types[i];
    return 0;
}

static bool is_polymorphic(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    return info != NULL && info->category == 'P' && oid != TYPE_RECORD && oid != TYPE_VOID;
}

// As a column's, with pseudo-types and the rows of tables besides.
static struct status function_type(
    struct statement_context *context, const struct type_name *name, struct type *type)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    type_oid pseudo = name->array_dimensions == 0 ? pseudo_type(name->name) : 0;
    type_oid domain = 0;
    struct type_name plain = *name;
    if (strcmp(name->name, "trigger") == 0) return ddl_unsupported(context, "RETURNS trigger");
    if (pseudo != 0) {
        *type = TYPE_OF(pseudo);
        return st;
    }
    plain.setof = false;
    if (!name->percent_type && type_by_name(name->name) == NULL) {
        TRY(catalog_type(context->task, context->session, NULL, name->schema, name->name, &found));
        if (found == NULL)
            TRY(catalog_table(
                context->task, context->session, NULL, name->schema, name->name, true, &found));
        if (found != NULL && (found->kind == RELATION_TABLE || found->kind == RELATION_VIEW)) {
            *type = TYPE_OF(catalog_type_oid(found));
            catalog_type_install(context->session, found);
            if (name->array_dimensions > 0) type->oid = type_array_of(type->oid);
            return st;
        }
    }
    TRY(ddl_column_type(context, &plain, type, NULL, &domain));
    if (domain != 0)
        return ddl_unsupported(context, "a domain as a type of a function's parameter or result");
    type->typmod = -1; // Parameters have none, as in PostgreSQL.
out:
    return st;
}

// --- the signature -----------------------------------------------------------------------------------------

static struct status bad(struct statement_context *context, const char *message)
{
    return ddl_error(context, E_INVALID_FUNCTION_DEFINITION, "%s", message);
}

// The hint with which a replacement is refused.
static struct status drop_first(
    struct statement_context *context, struct status st, const struct table_desc *former)
{
    struct buffer text;
    buffer_init(&text, context->arena);
    bool printed = pg_routine_print(context->task, context->session, pg_oid(former->id), true, &text);
    return status_hint(context->arena, st, "Use DROP %s %s first.",
        former->function.kind == 'p' ? "PROCEDURE" : "FUNCTION",
        printed ? buffer_string(&text) : former->name);
}

static struct status add_parameter(struct statement_context *context, struct table_desc *function,
    bool procedure, const struct function_parameter *parameter)
{
    struct status st = STATUS_OK;
    struct column_desc column = {.name = parameter->name, .identity = parameter->mode};
    bool input = function_is_input(parameter->mode);
    st = function_type(context, parameter->type, &column.type);
    if (status_is(st, E_UNDEFINED_OBJECT)) // Said without quotes here.
        return ddl_error(context, E_UNDEFINED_OBJECT, "type %s%s%s%s does not exist",
            parameter->type->schema == NULL ? "" : parameter->type->schema, parameter->type->schema == NULL ? "" : ".",
            parameter->type->name, parameter->type->array_dimensions > 0 ? "[]" : "");
    TRY(st);
    if (parameter->type->setof) return bad(context, "functions cannot accept set arguments");
    if (column.type.oid == TYPE_VOID || (column.type.oid == TYPE_RECORD && input))
        return ddl_error(context, E_INVALID_FUNCTION_DEFINITION,
            "SQL functions cannot have arguments of type %s", type_info(column.type.oid)->name);
    if (parameter->mode == 'v' && type_info(column.type.oid)->element == 0 &&
        column.type.oid != TYPE_ANYARRAY && column.type.oid != TYPE_ANYCOMPATIBLEARRAY)
        return bad(context, "VARIADIC parameter must be an array");
    for (uint32_t i = 0; i < function->column_count; i++) {
        const struct column_desc *before = &function->columns[i];
        bool both = input ? function_is_input(before->identity)
                          : function_is_output(before->identity);
        if (both && *before->name != 0 && strcmp(before->name, column.name) == 0)
            return ddl_error(context, E_INVALID_FUNCTION_DEFINITION,
                "parameter name \"%s\" used more than once", column.name);
        if (input && before->identity == 'v')
            return bad(context, "VARIADIC parameter must be the last input parameter");
        if (parameter->mode == 'o' && procedure && before->default_sql != NULL)
            return bad(context, "procedure OUT parameters cannot appear after one with a default value");
        if (input && before->default_sql != NULL && parameter->default_expr == NULL &&
            parameter->mode != 'v')
            return bad(context,
                "input parameters after one with a default value must also have defaults");
    }
    if (parameter->default_expr != NULL) {
        if (!input)
            return bad(context, "only input parameters can have default values");
        struct ddl_expr_info info;
        ddl_expr_info(context->arena, parameter->default_expr, &info);
        if (info.column_count > 0)
            return ddl_error(context, E_INVALID_COLUMN_REFERENCE,
                "cannot use table references in parameter default value");
        struct type is;
        TRY(plan_expression_type(context->task, context->session, context->arena, NULL, parameter->default_expr, &is));
        TRY(plan_settle_literals(
            context->task, context->session, context->arena, NULL, parameter->default_expr, column.type));
        TRY(ddl_qualify_types(context, parameter->default_expr));
        column.default_sql = ddl_deparse(context->arena, parameter->default_expr);
    }
    column.id = function->next_column_id++;
    DDL_APPEND(context->arena, function->columns, function->column_count, column);
out:
    return st;
}

static struct status result_type(struct statement_context *context,
    const struct create_function *create, struct table_desc *function)
{
    struct status st = STATUS_OK;
    struct function_desc *desc = &function->function;
    uint32_t outputs = function_output_count(function);
    struct type from_outputs = TYPE_OF(TYPE_RECORD);
    for (uint32_t i = 0; i < function->column_count; i++) {
        desc->returns_table |= function->columns[i].identity == 't';
        if (outputs == 1 && function_is_output(function->columns[i].identity))
            from_outputs = function->columns[i].type;
    }
    desc->returns_set = desc->returns_table || (create->returns != NULL && create->returns->setof);
    if (create->procedure) {
        desc->result = outputs == 0 ? TYPE_OF(TYPE_VOID) : from_outputs;
        return st;
    }
    if (create->returns == NULL) {
        if (outputs == 0) return bad(context, "function result type must be specified");
        desc->result = from_outputs;
        return st;
    }
    TRY(function_type(context, create->returns, &desc->result));
    if (outputs == 0) return st;
    if (desc->result.oid != from_outputs.oid && !desc->returns_table)
        return ddl_error(context, E_INVALID_FUNCTION_DEFINITION,
            "function result type must be %s because of OUT parameters",
            type_format(context->arena, from_outputs));
    desc->result = from_outputs;
out:
    return st;
}

// --- finding -------------------------------------------------------------------------------------------------

static bool same_inputs(const struct table_desc *a, const type_oid *types, uint32_t count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < a->column_count; i++) {
        if (!function_is_input(a->columns[i].identity)) continue;
        if (at == count || a->columns[i].type.oid != types[at]) return false;
        at++;
    }
    return at == count;
}

static uint32_t input_types(
    struct statement_context *context, const struct table_desc *function, type_oid **types)
{
    uint32_t count = 0;
    *types = ARENA_ARRAY(context->arena, type_oid, function->column_count + 1);
    for (uint32_t i = 0; i < function->column_count; i++)
        if (function_is_input(function->columns[i].identity))
            (*types)[count++] = function->columns[i].type.oid;
    return count;
}

// "f(integer,text)"
static const char *signature_text(
    struct statement_context *context, const char *name, const type_oid *types, uint32_t count)
{
    struct buffer out;
    buffer_init(&out, context->arena);
    deparse_identifier(&out, name);
    buffer_append_u8(&out, '(');
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(&out, "%s%s", i == 0 ? "" : ",", type_format(context->arena, TYPE_OF(types[i])));
    buffer_append_u8(&out, ')');
    return buffer_string(&out);
}

struct status ddl_functions_here(struct statement_context *context,
    const struct table_desc ***functions, uint32_t *count)
{
    struct status st;
    const struct database_desc *database;
    TRY(catalog_database(context->task, context->session, context->session->database, false, &database));
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, database->id, functions, count));
out:
    return st;
}

struct status ddl_function_in_path(struct statement_context *context, const struct object_name *name,
    const struct table_desc *function, bool *visible)
{
    struct status st;
    const struct schema_desc *schema;
    *visible = false;
    TRY(catalog_schema_by_id(context->task, context->session, function->schema_id, &schema));
    if (name->schema != NULL) {
        *visible = strcmp(schema->name, name->schema) == 0;
        return st;
    }
    const char *const *path = context->session->search_path;
    for (; path != NULL && *path != NULL; path++) *visible |= strcmp(*path, schema->name) == 0;
out:
    return st;
}

// By name and, when written, input types. *found NULL when it is missing and that is ok.
static struct status find_any(struct statement_context *context, const struct object_name *name,
    enum object_kind kind, bool missing_ok, struct table_desc **function)
{
    struct status st = STATUS_OK;
    const struct table_desc **list, *found = NULL;
    const char *what = kind == OBJECT_PROCEDURE ? "procedure"
                       : kind == OBJECT_ROUTINE ? "routine"
                                                : "function";
    uint32_t count, type_count = 0;
    type_oid types[FUNCTION_PARAMETERS_MAX];
    bool other = false;
    *function = NULL;
    for (uint32_t i = 0; name->signature != NULL && i < name->signature->types.count; i++) {
        struct type type;
        if (i == FUNCTION_PARAMETERS_MAX) return ddl_unsupported(context, "so many parameters");
        TRY(function_type(context, name->signature->types.items[i], &type));
        types[type_count++] = type.oid;
    }
    TRY(catalog_check_usage(context->task, context->session, name->catalog, name->schema));
    TRY(ddl_functions_here(context, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool visible;
        if (strcmp(list[i]->name, name->name) != 0) continue;
        if (name->signature != NULL && !same_inputs(list[i], types, type_count)) continue;
        TRY(ddl_function_in_path(context, name, list[i], &visible));
        if (!visible) continue;
        if (kind != OBJECT_ROUTINE && (list[i]->function.kind == 'p') != (kind == OBJECT_PROCEDURE)) {
            other = true; // A function where a procedure is asked for, or the other way round.
            continue;
        }
        if (found != NULL && name->signature == NULL)
            return ddl_error(context, E_AMBIGUOUS_FUNCTION, "%s name \"%s\" is not unique", what,
                name->name);
        if (found == NULL) found = list[i];
    }
    const char *text = name->signature != NULL
        ? signature_text(context, name->name, types, type_count)
        : arena_printf(context->arena, "%s()", name->name);
    if (found == NULL && other && name->signature != NULL)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not a %s", text, what);
    if (found == NULL && missing_ok) {
        ddl_notice(context, "%s %s does not exist, skipping", what, text);
        return st;
    }
    if (found == NULL && name->signature == NULL)
        return ddl_error(context, E_UNDEFINED_FUNCTION, "could not find a %s named \"%s\"", what,
            name->name);
    if (found == NULL)
        return ddl_error(context, E_UNDEFINED_FUNCTION, "%s %s does not exist", what, text);
    TRY(catalog_edit_table(context->task, context->session, context->arena, found->id, function));
out:
    return st;
}

static struct status find_function(struct statement_context *context,
    const struct object_name *name, enum object_kind kind, bool missing_ok,
    struct table_desc **function)
{
    struct status st = find_any(context, name, kind, missing_ok, function);
    if (failed(st) || *function == NULL) return st;
    return privilege_check_owner(context->task, context->session, (*function)->owner,
        OBJECT_FUNCTION, (*function)->name);
}

// --- the body --------------------------------------------------------------------------------------------------

static struct status add_statement(
    struct statement_context *context, struct table_desc *function, const char *sql)
{
    struct function_desc *desc = &function->function;
    struct function_statement statement = {.sql = sql};
    DDL_APPEND(context->arena, desc->statements, desc->statement_count, statement);
    return STATUS_OK;
}

static struct status allowed(
    struct statement_context *context, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_SELECT:
    case STATEMENT_INSERT:
    case STATEMENT_UPDATE:
    case STATEMENT_DELETE: return STATUS_OK;
    default:
        return ddl_unsupported(context,
            arena_printf(context->arena, "%s in a function", statement_name(statement)));
    }
}

struct status ddl_write_body(struct statement_context *context, struct table_desc *function)
{
    struct status st = STATUS_OK;
    const struct function_desc *desc = &function->function;
    struct statement_list list;
    struct buffer text;
    buffer_init(&text, context->arena);
    if (desc->body_kind == 'a') {
        buffer_append_string(&text, "BEGIN ATOMIC\n");
        for (uint32_t i = 0; i < desc->statement_count; i++)
            buffer_printf(&text, " %s;\n", desc->statements[i].sql);
        buffer_append_string(&text, "END");
    } else {
        TRY(parse_sql_on_stack(context->arena, bytes_of_string(desc->statements[0].sql), &list));
        buffer_printf(&text, "RETURN %s",
            ddl_deparse(context->arena, list.items[0]->as.select->targets.items[0].expr));
    }
    function->view_sql = buffer_string(&text);
out:
    return st;
}

static struct status split_body(struct statement_context *context,
    const struct create_function *create, struct table_desc *function)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    if (create->body_kind == 'q') {
        function->view_sql = create->body;
        TRY(parse_sql_on_stack(context->arena, bytes_of_string(create->body), &list));
        for (uint32_t i = 0; i < list.count; i++) {
            const struct statement *statement = list.items[i];
            TRY(allowed(context, statement));
            TRY(add_statement(context, function,
                arena_string(context->arena,
                    bytes_of((const uint8_t *)create->body + statement->position,
                        statement->length))));
        }
        goto out;
    }
    for (uint32_t i = 0; i < create->statement_count; i++) {
        struct buffer one;
        TRY(allowed(context, create->statements[i]));
        buffer_init(&one, context->arena);
        deparse_statement(&one, create->statements[i], 0);
        TRY(add_statement(context, function, buffer_string(&one)));
    }
    TRY(ddl_write_body(context, function));
out:
    return st;
}

static struct status mismatch(
    struct statement_context *context, const struct table_desc *function, const char *detail)
{
    struct status st = ddl_error(context, E_INVALID_FUNCTION_DEFINITION,
        "return type mismatch in function declared to return %s",
        type_format(context->arena, function->function.result));
    return status_detail(context->arena, st, "%s", detail);
}

static struct status check_row(struct statement_context *context,
    const struct table_desc *function, const struct result_column *columns, uint32_t count,
    const struct type *types, uint32_t type_count)
{
    if (count != type_count)
        return mismatch(context, function,
            count < type_count ? "Final statement returns too few columns."
                               : "Final statement returns too many columns.");
    for (uint32_t i = 0; i < count; i++)
        if (cast_find(columns[i].type.oid, types[i].oid, CAST_ASSIGNMENT) == NULL)
            return mismatch(context, function,
                arena_printf(context->arena, "Final statement returns %s instead of %s at column %u.",
                    type_format(context->arena, TYPE_OF(columns[i].type.oid)),
                    type_format(context->arena, types[i]), i + 1));
    return STATUS_OK;
}

static struct status check_result(struct statement_context *context,
    const struct table_desc *function, const struct result_column *columns, uint32_t count)
{
    const struct function_desc *desc = &function->function;
    type_oid oid = desc->result.oid;
    uint32_t outputs = function_output_count(function);
    if (oid == TYPE_VOID) return STATUS_OK;
    if (count == 0)
        return mismatch(context, function,
            "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING.");
    struct type *types =
        ARENA_ARRAY(context->arena, struct type, function->column_count + TABLE_COLUMNS_MAX);
    uint32_t type_count = 0;
    for (uint32_t i = 0; outputs > 1 && i < function->column_count; i++)
        if (function_is_output(function->columns[i].identity))
            types[type_count++] = function->columns[i].type;
    bool row = count == 1 && (columns[0].type.oid == oid || columns[0].type.oid == TYPE_RECORD);
    if (outputs > 1)
        return row ? STATUS_OK : check_row(context, function, columns, count, types, type_count);
    if (oid == TYPE_RECORD) return STATUS_OK;
    if (type_is_composite(oid)) {
        const struct user_type *user = type_user(oid);
        for (uint32_t i = 0; i < user->field_count; i++) types[type_count++] = user->fields[i].type;
        return row ? STATUS_OK : check_row(context, function, columns, count, types, type_count);
    }
    if (count != 1)
        return mismatch(context, function, "Final statement must return exactly one column.");
    if (cast_find(columns[0].type.oid, oid, CAST_ASSIGNMENT) == NULL)
        return mismatch(context, function,
            arena_printf(context->arena, "Actual return type is %s.",
                type_format(context->arena, TYPE_OF(columns[0].type.oid))));
    return STATUS_OK;
}

static struct status settle_statement(struct statement_context *context, struct table_desc *function,
    const struct function_frame *frame, const struct type *types, const char **sql);

void ddl_function_frame(const struct table_desc *function, struct function_frame *frame,
    const char **names, struct type *types)
{
    *frame = (struct function_frame){.function = function->name, .names = names, .checked = true};
    for (uint32_t i = 0; i < function->column_count; i++) {
        if (!function_is_input(function->columns[i].identity)) continue;
        types[frame->count] = function->columns[i].type;
        names[frame->count++] = function->columns[i].name;
    }
}

static struct status check_statements(struct statement_context *context, struct table_desc *function,
    const struct function_frame *frame, const struct type *types)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct function_desc *desc = &function->function;
    const struct result_column *columns = NULL;
    uint32_t column_count = 0;
    struct prepared *prepared;
    for (uint32_t i = 0; i < desc->statement_count; i++) {
        const struct function_frame *outer = session->frame;
        session->frame = frame;
        st = prepared_make(context->task, session, bytes_of_string(desc->statements[i].sql), NULL,
            types, frame->count, &prepared);
        session->frame = outer;
        if (failed(st)) return status_position(context->arena, st, 0); // It is one within the body.
        bool last = i + 1 == desc->statement_count;
        if (last) {
            st = prepared_describe(context->task, session, prepared, &columns, &column_count);
            if (!failed(st)) st = check_result(context, function, columns, column_count);
        }
        prepared_release(prepared);
        TRY(st);
        if (desc->body_kind != 'q') TRY(settle_statement(context, function, frame, types, &desc->statements[i].sql));
    }
out:
    return st;
}

// Plans every statement once, so that what is wrong with it is said now.
static struct status check_body(struct statement_context *context, struct table_desc *function)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct function_desc *desc = &function->function;
    struct type *types = ARENA_ARRAY(context->arena, struct type, function->column_count + 1);
    const char **names = ARENA_ARRAY(context->arena, const char *, function->column_count + 1);
    struct function_frame frame;
    for (uint32_t i = 0; i < function->column_count; i++)
        if (is_polymorphic(function->columns[i].type.oid)) return st;
    ddl_function_frame(function, &frame, names, types);
    const char *checked = vars_get(session, "check_function_bodies");
    if (checked != NULL && strcmp(checked, "off") == 0 && desc->body_kind == 'q') return st;
    // A body that is a string is read anew at each call, with the function's settings.
    const struct var_undo *begun;
    const bool settings = desc->body_kind == 'q' && desc->setting_count > 0;
    if (settings) {
        st = function_settings_begin(session, context->arena, function, &begun);
        if (!failed(st)) st = check_statements(context, function, &frame, types);
        vars_function_end(session, begun);
        TRY(st);
    } else {
        TRY(check_statements(context, function, &frame, types));
    }
    if (desc->body_kind != 'q') TRY(ddl_write_body(context, function));
    if (desc->statement_count == 0) TRY(check_result(context, function, NULL, 0));
out:
    return st;
}

// The function depends on the table, which gets its schema.
static struct status settle_table(
    struct statement_context *context, struct table_desc *function, struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    const struct schema_desc *schema;
    TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name, true, &table));
    if (table == NULL) goto out; // Planning says so.
    const uint32_t id = table->id;
    bool known = table->kind == RELATION_VIRTUAL;
    TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
    if (schema->temp_node != 0) goto out;
    name->schema = arena_strdup(context->arena, schema->name);
    for (uint32_t i = 0; i < function->depends_on_count; i++) known |= function->depends_on[i] == id;
    if (!known) DDL_APPEND(context->arena, function->depends_on, function->depends_on_count, id);
out:
    return st;
}

// In the text of an SQL-standard body names mean for ever what they mean now: tables get their schemas, what else there is
// is written out as in a view. Of statements that write only the values are, and the tables.
static struct status settle_statement(struct statement_context *context, struct table_desc *function,
    const struct function_frame *frame, const struct type *types, const char **sql)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct statement_list list;
    struct resolutions resolutions;
    struct ddl_tables tables;
    struct plan *plan;
    struct buffer out;
    struct bytes text = bytes_of_string(*sql);
    TRY(parse_sql_on_stack(context->arena, text, &list));
    struct statement *statement = list.items[0];
    const bool query = statement->tag == STATEMENT_SELECT;
    ddl_collect_statement(context->arena, statement, &tables);
    for (uint32_t i = 0; i < tables.count; i++) TRY(settle_table(context, function, &tables.items[i]->table.name));
    for (uint32_t i = 0; i < tables.write_count; i++)
        TRY(settle_table(context, function, &ddl_written_table(tables.writes[i])->name));
    TRY(ddl_qualify_query_types(context, &tables));
    const struct function_frame *outer = session->frame;
    session->frame = frame;
    st = plan_resolve(
        context->task, session, context->arena, statement, text, types, frame->count, &resolutions, &plan);
    session->frame = outer;
    TRY(st);
    if (query)
        resolutions_write_out(&resolutions);
    else
        resolutions_write_values(&resolutions);
    buffer_init(&out, context->arena);
    deparse_statement(&out, statement, 0);
    *sql = buffer_string(&out);
out:
    return st;
}

// --- CREATE ------------------------------------------------------------------------------------------------------

static struct status apply_options(struct statement_context *context, struct function_desc *desc,
    const struct function_options *options)
{
    if (options->unsupported != NULL)
        return ddl_unsupported(context,
            arena_printf(context->arena, "%s of a function", options->unsupported));
    if (options->security_definer == 'y')
        return ddl_unsupported(context, "SECURITY DEFINER");
    if (options->volatility != 0) desc->volatility = options->volatility;
    if (options->parallel != 0) {
        if (options->parallel != 'u' && options->parallel != 'r' && options->parallel != 's')
            return ddl_error(context, E_SYNTAX_ERROR,
                "parameter \"parallel\" must be SAFE, RESTRICTED, or UNSAFE");
        desc->parallel = options->parallel;
    }
    if (options->strict != 0) desc->strict = options->strict == 'y';
    if (options->leakproof != 0) desc->leakproof = options->leakproof == 'y';
    if (options->cost != NULL) desc->cost = options->cost;
    if (options->rows != NULL && !desc->returns_set)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "ROWS is not applicable when function does not return a set");
    if (options->rows != NULL) desc->rows = options->rows;
    return ddl_set_function_settings(context, desc, options);
}

static struct status check_language(
    struct statement_context *context, const struct create_function *create)
{
    char *language = create->language == NULL ? NULL : arena_strdup(context->arena, create->language);
    if (language == NULL && create->body_kind != 'q' && create->body_kind != 0) return STATUS_OK;
    if (create->body_kind == 0) return bad(context, "no function body specified");
    if (language == NULL) return bad(context, "no language specified");
    for (char *at = language; *at != 0; at++)
        if (*at >= 'A' && *at <= 'Z') *at = (char)(*at + 32);
    if (strcmp(language, "sql") == 0) return STATUS_OK;
    if (strcmp(language, "plpgsql") == 0 || strcmp(language, "c") == 0 ||
        strcmp(language, "internal") == 0)
        return ddl_unsupported(context, arena_printf(context->arena, "LANGUAGE %s", language));
    return ddl_error(
        context, E_UNDEFINED_OBJECT, "language \"%s\" does not exist", create->language);
}

// What a new definition may not change.
static struct status check_replaced(struct statement_context *context,
    const struct table_desc *former, const struct table_desc *function)
{
    struct status st;
    if (former->function.kind != function->function.kind)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "cannot change routine kind");
    bool same = former->function.result.oid == function->function.result.oid &&
                former->function.returns_set == function->function.returns_set &&
                function_output_count(former) == function_output_count(function);
    if (!same) {
        st = bad(context, "cannot change return type of existing function");
        return drop_first(context, st, former);
    }
    uint32_t k = 0;
    for (uint32_t i = 0; i < former->column_count; i++) {
        if (!function_is_input(former->columns[i].identity)) continue;
        while (k < function->column_count && !function_is_input(function->columns[k].identity)) k++;
        const struct column_desc *now = &function->columns[k++];
        if (*former->columns[i].name != 0 && strcmp(former->columns[i].name, now->name) != 0)
            return drop_first(context,
                ddl_error(context, E_INVALID_FUNCTION_DEFINITION,
                    "cannot change name of input parameter \"%s\"", former->columns[i].name),
                former);
        if (former->columns[i].default_sql != NULL && now->default_sql == NULL)
            return drop_first(context,
                bad(context, "cannot remove parameter defaults from existing function"), former);
    }
    return STATUS_OK;
}

static struct status put_function(
    struct statement_context *context, struct table_desc *function, bool replace)
{
    struct status st = STATUS_OK;
    const struct table_desc **list;
    struct database_desc *database;
    uint32_t count;
    type_oid *types;
    uint32_t type_count = input_types(context, function, &types);
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, function->database_id, &database));
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, function->database_id, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (list[i]->schema_id != function->schema_id ||
            strcmp(list[i]->name, function->name) != 0 || !same_inputs(list[i], types, type_count))
            continue;
        if (!replace)
            return ddl_error(context, E_DUPLICATE_FUNCTION,
                "function \"%s\" already exists with same argument types", function->name);
        TRY(privilege_check_owner(context->task, context->session, list[i]->owner,
            OBJECT_FUNCTION, list[i]->name));
        TRY(check_replaced(context, list[i], function));
        struct table_desc *former;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, list[i]->id, &former));
        function->id = former->id;
        function->owner = former->owner;
        function->grants = former->grants;
        function->grant_count = former->grant_count;
        function->public_revoked = former->public_revoked;
        return catalog_put_table(context->task, context->session, function);
    }
    TRY(privilege_default_of_everybody(context, OBJECT_FUNCTION, function));
    TRY(catalog_new_id(context->task, context->session->tenant, &function->id));
    TRY(catalog_put_table(context->task, context->session, function));
    DDL_APPEND(context->arena, database->functions, database->function_count, function->id);
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

struct status ddl_create_function(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_function *create = context->statement->as.create_function;
    const struct schema_desc *schema;
    TRY(check_language(context, create));
    TRY(ddl_target_schema(context, &create->name, &schema));
    struct table_desc function = {.kind = RELATION_FUNCTION,
        .database_id = schema->database_id,
        .schema_id = schema->id,
        .name = arena_strdup(context->arena, create->name.name),
        .owner = ddl_owner(context->session),
        .next_column_id = 1,
        .next_index_id = 1,
        .next_constraint_id = 1,
        .function = {.kind = create->procedure ? 'p' : 'f',
            .volatility = 'v',
            .parallel = 'u',
            .body_kind = create->body_kind}};
    if (create->parameter_count > FUNCTION_PARAMETERS_MAX)
        return ddl_error(context, E_TOO_MANY_ARGUMENTS,
            "functions cannot have more than %u arguments", FUNCTION_PARAMETERS_MAX);
    for (uint32_t i = 0; i < create->parameter_count; i++)
        TRY(add_parameter(context, &function, create->procedure, &create->parameters[i]));
    TRY(result_type(context, create, &function));
    TRY(apply_options(context, &function.function, &create->options));
    TRY(split_body(context, create, &function));
    TRY(put_function(context, &function, create->replace));
    TRY(check_body(context, &function));
    if (create->body_kind != 'q') TRY(catalog_put_table(context->task, context->session, &function));
    if (create->procedure) (void)snprintf(context->tag, sizeof context->tag, "CREATE PROCEDURE");
out:
    return st;
}

// --- ALTER, DROP ---------------------------------------------------------------------------------------------------

struct status ddl_alter_function(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_function *alter = context->statement->as.alter_function;
    struct table_desc *function;
    TRY(find_function(context, &alter->name, alter->object, false, &function));
    TRY(apply_options(context, &function->function, &alter->options));
    TRY(catalog_put_table(context->task, context->session, function));
out:
    return st;
}

struct status ddl_remove_function(
    struct statement_context *context, const struct table_desc *function)
{
    struct status st = STATUS_OK;
    struct database_desc *database;
    uint32_t id = function->id;
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, function->database_id, &database));
    TRY(catalog_delete_descriptor(context->task, context->session, id));
    TRY(ddl_delete_comments(context, COMMENT_ON_FUNCTION, id));
    ddl_remove_id(database->functions, &database->function_count, id);
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

struct status ddl_drop_function(
    struct statement_context *context, const struct table_desc *function, enum drop_behavior behavior)
{
    struct status st;
    const char *reference = arena_printf(context->arena, "%s.", function_reference(context->arena, function->id));
    const char *label = arena_printf(context->arena, "function %s", ddl_routine_text(context, function));
    TRY(ddl_release_named(context, function->database_id, reference, 0, label, behavior));
    TRY(ddl_remove_function(context, function));

out:
    return st;
}

struct status ddl_drop_functions(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    for (uint32_t i = 0; i < drop->names.count; i++) {
        struct table_desc *function;
        TRY(find_function(
            context, &drop->names.items[i], drop->object, drop->if_exists, &function));
        if (function == NULL) continue;
        TRY(ddl_drop_function(context, function, drop->behavior));
    }
out:
    return st;
}

struct status ddl_rename_function(
    struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    struct table_desc *function;
    const struct table_desc **list;
    uint32_t count;
    type_oid *types;
    TRY(find_function(context, &rename->name, rename->object, rename->if_exists, &function));
    if (function == NULL) goto out;
    TRY(ddl_may_create_in(context, function->schema_id));
    uint32_t type_count = input_types(context, function, &types);
    TRY(ddl_functions_here(context, &list, &count));
    for (uint32_t i = 0; i < count; i++)
        if (list[i]->schema_id == function->schema_id &&
            strcmp(list[i]->name, rename->new_name) == 0 &&
            same_inputs(list[i], types, type_count))
            return ddl_error(context, E_DUPLICATE_FUNCTION, "function %s already exists",
                signature_text(context, rename->new_name, types, type_count));
    function->name = rename->new_name;
    TRY(catalog_put_table(context->task, context->session, function));
out:
    return st;
}

struct status ddl_function_id(struct statement_context *context, const struct object_name *name,
    enum object_kind kind, uint32_t *id)
{
    struct table_desc *function;
    struct status st = find_function(context, name, kind, false, &function);
    if (!failed(st)) *id = function->id;
    return st;
}

struct status ddl_any_function_id(struct statement_context *context,
    const struct object_name *name, enum object_kind kind, uint32_t *id)
{
    struct table_desc *function;
    struct status st = find_any(context, name, kind, false, &function);
    if (!failed(st)) *id = function->id;
    return st;
}

struct status ddl_own_function(struct statement_context *context, const struct object_name *name,
    enum object_kind kind, const char *owner)
{
    struct status st = STATUS_OK;
    struct table_desc *function;
    TRY(find_function(context, name, kind, false, &function));
    function->owner = owner;
    TRY(catalog_put_table(context->task, context->session, function));
out:
    return st;
}

struct status ddl_move_function(
    struct statement_context *context, const struct alter_object_schema *alter)
{
    struct status st = STATUS_OK;
    struct table_desc *function;
    const struct schema_desc *schema;
    TRY(find_function(context, &alter->name, alter->object, false, &function));
    struct object_name target = {.schema = alter->new_schema, .name = function->name};
    TRY(ddl_target_schema(context, &target, &schema));
    function->schema_id = schema->id;
    TRY(catalog_put_table(context->task, context->session, function));
out:
    return st;
}
