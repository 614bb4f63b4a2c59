// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions that describe catalog objects: definitions, names, comments, visibility, to_reg*.
#include <string.h>

#include "core/text.h"
#include "sql/type/collation.h"
#include "sql/parse/deparse.h"
#include "sql/catalog/catalog_text.h"
#include "sql/service/large_object.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/plan/plan.h"
#include "sql/user/role.h"

#define NEED_SESSION() \
    if (call->session == NULL || call->task == NULL) \
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session")

static bool pretty(const struct function_call *call, const struct datum *args, uint32_t index)
{
    return call->arg_count > index && args[index].boolean;
}

static struct status give(struct buffer *out, struct datum *result)
{
    *result = datum_bytes(buffer_bytes(out));
    return arena_check(out->arena);
}

// --- roles ---------------------------------------------------------------------------------------------

struct known_roles {
    struct role **roles;
    uint32_t count;
};

// Read once a call site: \d asks for each row's owner.
static struct status roles_of(struct function_call *call, struct known_roles **known)
{
    *known = call->state;
    if (*known != NULL) return STATUS_OK;
    struct arena *arena = call->state_arena == NULL ? call->arena : call->state_arena;
    struct known_roles *made = ARENA_NEW(arena, struct known_roles);
    struct status st = role_list(call->task, call->session, arena, &made->roles, &made->count);
    if (failed(st)) return st;
    if (call->state_arena != NULL) call->state = made;
    *known = made;
    return STATUS_OK;
}

BODY(user_by_id)
{
    struct known_roles *known;
    NEED_SESSION();
    struct status st = roles_of(call, &known);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < known->count; i++)
        if (known->roles[i]->id == args[0].integer) {
            *result = datum_text(arena_strdup(call->arena, known->roles[i]->name));
            return st;
        }
    *result = datum_text(
        arena_printf(call->arena, "unknown (OID=%u)", (uint32_t)args[0].integer));
    return st;
}

// --- definitions ---------------------------------------------------------------------------------------

BODY(expression)
{
    (void)call;
    *result = args[0]; // Stored as text: there is nothing to take apart.
    return STATUS_OK;
}

// Read again with the relation's columns, for what of its parentheses is not needed.
BODY(pretty_expression)
{
    struct pg_relation relation;
    struct status st;
    const char *text;
    NEED_SESSION();
    *result = args[0];
    if (!args[2].boolean) return STATUS_OK;
    TRY(pg_relation_by_oid(call->task, call->session, (uint32_t)args[1].integer, &relation));
    if (relation.table == NULL) return STATUS_OK;
    TRY(plan_expression_text(call->task, call->session, call->arena, relation.table,
        arena_string(call->arena, datum_as_bytes(args[0])), (struct type){0}, true, &text));
    *result = datum_text(text);
out:
    return st;
}

static struct status index_column(
    struct function_call *call, const struct datum *args, const struct pg_relation *relation,
    int64_t number, struct buffer *out)
{
    const struct index_desc *index = relation->index;
    uint32_t id;
    if (number <= index->column_count) {
        return pg_index_column(call->task, call->session, out, relation->table,
            &index->columns[number - 1], pretty(call, args, 2));
    } else if (number <= index->column_count + index->stored_count) {
        id = index->stored[number - 1 - index->column_count];
    } else {
        return STATUS_OK;
    }
    const struct column_desc *column = table_column_by_id(relation->table, id);
    if (column != NULL) deparse_identifier(out, column->name);
    return STATUS_OK;
}

BODY(index_definition)
{
    struct pg_relation relation;
    const struct schema_desc *schema;
    struct buffer out;
    struct status st;
    NEED_SESSION();
    *result = DATUM_NULL;
    TRY(pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation));
    if (relation.index == NULL) return STATUS_OK;
    buffer_init(&out, call->arena);
    if (call->arg_count > 1 && args[1].integer > 0) {
        TRY(index_column(call, args, &relation, args[1].integer, &out));
        return give(&out, result);
    }
    TRY(catalog_schema_by_id(call->task, call->session, relation.table->schema_id, &schema));
    bool visible = false;
    struct pg_relation table = {.table = relation.table};
    if (pretty(call, args, 2))
        TRY(pg_relation_visible(call->task, call->session, &table, &visible));
    TRY(pg_index_definition(call->task, call->session, &out, relation.table, relation.index,
        visible ? NULL : schema->name, pretty(call, args, 2)));
    st = give(&out, result);
out:
    return st;
}

BODY(constraint_definition)
{
    struct pg_constraint_of found;
    struct buffer out;
    struct status st;
    NEED_SESSION();
    *result = DATUM_NULL;
    TRY(pg_constraint_by_oid(call->task, call->session, (uint32_t)args[0].integer, &found));
    if (found.table == NULL) return STATUS_OK;
    buffer_init(&out, call->arena);
    if (found.index != NULL)
        pg_index_constraint_definition(&out, found.table, found.index);
    else
        TRY(pg_constraint_definition(call->task, call->session, &out, found.table, found.constraint,
            pretty(call, args, 1)));
    st = give(&out, result);
out:
    return st;
}

static struct status give_view(struct function_call *call, const struct pg_relation *relation,
    const struct datum *args, struct datum *result)
{
    *result = DATUM_NULL;
    if (relation->table == NULL ||
        (relation->table->kind != RELATION_VIEW && !relation->table->materialized))
        return STATUS_OK;
    // With a width of lines it is pretty.
    const bool wide = call->arg_count == 2 && call->arg_types[1].oid != TYPE_BOOL;
    const bool pretty = wide || (call->arg_count == 2 && args[1].boolean);
    const uint32_t width = wide && args[1].integer > 0 ? (uint32_t)args[1].integer : 0;
    const char *text;
    struct status st =
        catalog_view_text(call->task, call->session, call->arena, relation->table, pretty, width, &text);
    if (failed(st)) return st;
    *result = datum_text(arena_printf(call->arena, "%s;", text));
    return arena_check(call->arena);
}

BODY(view_definition)
{
    struct pg_relation relation;
    NEED_SESSION();
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    return failed(st) ? st : give_view(call, &relation, args, result);
}

BODY(view_definition_by_name)
{
    struct pg_relation relation;
    NEED_SESSION();
    struct status st = pg_relation_by_name(
        call->task, call->session, call->arena, datum_as_bytes(args[0]), false, &relation);
    return failed(st) ? st : give_view(call, &relation, args, result);
}

// The rule that a view is: its oid is made from the view's (sql/catalog/pg_catalog_depend.c).
BODY(rule_definition)
{
    const uint32_t oid = (uint32_t)args[0].integer, id = oid >> 11 & 0x3ffff;
    const bool pretty = call->arg_count == 2 && args[1].boolean;
    struct pg_relation relation;
    struct status st;
    struct buffer out;
    NEED_SESSION();
    *result = DATUM_NULL;
    if (id == 0 || oid != pg_default_oid(id, 1)) return STATUS_OK;
    TRY(pg_relation_by_oid(call->task, call->session, pg_oid(id), &relation));
    if (relation.table == NULL || relation.table->view_sql == NULL) return STATUS_OK;
    const struct table_desc *view = relation.table, *visible = NULL;
    const struct schema_desc *schema;
    const char *text;
    TRY(catalog_view_text(call->task, call->session, call->arena, view, pretty, 0, &text));
    TRY(catalog_schema_by_id(call->task, call->session, view->schema_id, &schema));
    buffer_init(&out, call->arena);
    buffer_append_string(&out, "CREATE RULE \"_RETURN\" AS\n    ON SELECT TO ");
    const char *schema_name = arena_strdup(call->arena, schema->name);
    if (pretty) TRY(catalog_table(call->task, call->session, NULL, NULL, view->name, true, &visible));
    pg_print_name(&out, visible != NULL && visible->id == id ? NULL : schema_name, view->name);
    buffer_printf(&out, " DO INSTEAD %s;", text);
    st = give(&out, result);
out:
    return st;
}

BODY(serial_sequence)
{
    struct pg_relation relation;
    const struct table_desc *sequence;
    const struct schema_desc *schema;
    struct buffer out;
    struct status st;
    NEED_SESSION();
    *result = DATUM_NULL;
    TRY(pg_relation_by_name(
        call->task, call->session, call->arena, datum_as_bytes(args[0]), false, &relation));
    char *name = arena_string(call->arena, datum_as_bytes(args[1]));
    const struct column_desc *column = table_column(relation.table, name);
    if (column == NULL)
        return status_format(call->arena, E_UNDEFINED_COLUMN,
            "column \"%s\" of relation \"%s\" does not exist", name, relation.table->name);
    if (column->owned_sequence == 0) return STATUS_OK;
    TRY(catalog_table_by_id(call->task, call->session, column->owned_sequence, &sequence));
    TRY(catalog_schema_by_id(call->task, call->session, sequence->schema_id, &schema));
    buffer_init(&out, call->arena);
    const char *own = call->session->temp_name;
    bool temporary = own != NULL && strcmp(schema->name, own) == 0;
    pg_print_name(&out, temporary ? "pg_temp" : schema->name, sequence->name);
    st = give(&out, result);
out:
    return st;
}

// --- functions and types -------------------------------------------------------------------------------

static void argument_types(struct buffer *out, const struct function *function)
{
    for (uint32_t i = 0; i < function->arg_count; i++) {
        const struct type_info *info = type_info(function->args[i]);
        if (i > 0) buffer_append_string(out, ", ");
        if (function->variadic && i + 1u == function->arg_count)
            buffer_append_string(out, "VARIADIC ");
        buffer_append_string(out, info == NULL ? "-" : info->sql_name);
        if (function->variadic && i + 1u == function->arg_count && info != NULL &&
            !type_is_array(info->oid) && info->oid != TYPE_ANY && info->oid != TYPE_ANYARRAY)
            buffer_append_string(out, "[]");
    }
}

BODY(function_arguments)
{
    struct buffer out;
    const struct function *function = function_by_oid(FUNCTION_SCALAR, (uint32_t)args[0].integer);
    *result = DATUM_NULL;
    const struct table_desc *routine =
        function != NULL ? NULL
                         : pg_routine_of(call->task, call->session, (uint32_t)args[0].integer);
    if (routine != NULL) {
        struct buffer text;
        buffer_init(&text, call->arena);
        struct status st = pg_routine_arguments(call->task, call->session, routine, call->function->oid == 2232, &text);
        return failed(st) ? st : give(&text, result);
    }
    if (function == NULL) return STATUS_OK;
    buffer_init(&out, call->arena);
    argument_types(&out, function);
    return give(&out, result);
}

// Of the parameter with this number; NULL when it has none.
BODY(function_default)
{
    struct status st = STATUS_OK;
    const uint32_t oid = (uint32_t)args[0].integer;
    const int64_t number = args[1].integer;
    const char *text;
    NEED_SESSION();
    const struct table_desc *routine = pg_routine_of(call->task, call->session, oid);
    *result = DATUM_NULL;
    if (routine == NULL || number < 1 || number > routine->column_count) return st;
    const struct column_desc *column = &routine->columns[number - 1];
    if (column->default_sql == NULL) return st;
    TRY(plan_expression_text(call->task, call->session, call->arena, NULL, column->default_sql, column->type,
        false, &text));
    *result = datum_text(text);
out:
    return st;
}

BODY(function_result)
{
    struct buffer out;
    const struct function *function = function_by_oid(FUNCTION_SCALAR, (uint32_t)args[0].integer);
    *result = DATUM_NULL;
    const struct table_desc *routine =
        function != NULL ? NULL
                         : pg_routine_of(call->task, call->session, (uint32_t)args[0].integer);
    if (routine != NULL && routine->function.kind == 'p') return STATUS_OK;
    if (routine != NULL) {
        struct buffer text;
        buffer_init(&text, call->arena);
        struct status st = pg_routine_result(call->task, call->session, routine, &text);
        return failed(st) ? st : give(&text, result);
    }
    if (function == NULL) return STATUS_OK;
    const struct type_info *info = type_info(function->result);
    buffer_init(&out, call->arena);
    if (function->kind == FUNCTION_SET) buffer_append_string(&out, "SETOF ");
    buffer_append_string(&out, info == NULL ? "-" : info->sql_name);
    return give(&out, result);
}

BODY(function_body)
{
    struct status st = STATUS_OK;
    const struct table_desc *routine = pg_routine_of(call->task, call->session, (uint32_t)args[0].integer);
    const char *body = NULL;
    if (routine != NULL) TRY(pg_routine_body(call->task, call->session, call->arena, routine, &body));
    *result = body == NULL ? DATUM_NULL : datum_text(body);
out:
    return st;
}

BODY(function_definition)
{
    const struct function *function = function_by_oid(FUNCTION_SCALAR, (uint32_t)args[0].integer);
    *result = DATUM_NULL;
    const struct table_desc *routine =
        function != NULL ? NULL
                         : pg_routine_of(call->task, call->session, (uint32_t)args[0].integer);
    if (routine != NULL) {
        struct buffer text;
        buffer_init(&text, call->arena);
        struct status st = pg_routine_definition(call->task, call->session, routine, &text);
        return failed(st) ? st : give(&text, result);
    }
    if (function == NULL) return STATUS_OK;
    static const char *const volatilities[] = {"IMMUTABLE", "STABLE", "VOLATILE"};
    const struct type_info *returns = type_info(function->result);
    struct buffer out;
    if (function->kind == FUNCTION_AGGREGATE)
        return status_format(
            call->arena, E_WRONG_OBJECT_TYPE, "\"%s\" is an aggregate function", function->name);
    buffer_init(&out, call->arena);
    buffer_printf(&out, "CREATE OR REPLACE FUNCTION %s.", function->schema == NULL ? "pg_catalog" : function->schema);
    deparse_identifier(&out, function->name);
    buffer_append_u8(&out, '(');
    argument_types(&out, function);
    buffer_printf(&out, ")\n RETURNS %s%s\n LANGUAGE internal\n %s PARALLEL SAFE%s\nAS $function$%s$function$\n",
        function->kind == FUNCTION_SET ? "SETOF " : "", returns == NULL ? "-" : returns->sql_name,
        volatilities[function->volatility], function->strict ? " STRICT" : "", function->name);
    return give(&out, result);
}

BODY(type_text)
{
    *result = DATUM_NULL;
    if (args[0].null) return STATUS_OK;
    struct type type = {.oid = (type_oid)args[0].integer,
        .typmod = args[1].null ? -1 : (int32_t)args[1].integer};
    if (type.oid == 0)
        *result = datum_text("-");
    else if (type.oid == TYPE_BPCHAR && args[1].null)
        *result = datum_text("character");
    else if (type_is_user(type.oid) && call->session != NULL && call->task != NULL) {
        struct buffer out;
        buffer_init(&out, call->arena);
        if (!pg_print_user_type(call->task, call->session, type.oid, &out))
            buffer_append_string(&out, "???");
        return give(&out, result);
    } else
        *result = datum_text(type_format(call->arena, type));
    return STATUS_OK;
}

// --- comments ------------------------------------------------------------------------------------------

struct status pg_comment(struct task *task, struct session *session, struct arena *arena,
    enum catalog_comment_class class, uint32_t object_id, uint32_t sub_id, const char **text)
{
    struct bytes value = {0};
    struct status st = STATUS_OK;
    *text = NULL;
    if (class == COMMENT_ON_EXTENSION || class == COMMENT_ON_LARGE_OBJECT) {
        const struct database_desc *database;
        st = catalog_database(task, session, NULL, false, &database);
        if (failed(st)) return st;
        sub_id = database->id;
    }
    struct bytes key = catalog_comment_key(arena, session->tenant, class, object_id, sub_id);
    st = kv_get(task, session->txn, NULL, key, arena, &value);
    if (failed(st) || bytes_equal(value, COMMENT_TAKEN_AWAY)) return st;
    if (value.data != NULL)
        *text = arena_string(arena, value);
    else if (class == COMMENT_ON_EXTENSION)
        *text = pg_extension_comment(object_id);
    if (*text != NULL || class != COMMENT_ON_SCHEMA) return st;
    // PostgreSQL's databases come with this one: pg_dump misses it where it is not.
    const struct schema_desc *schema;
    st = catalog_schema_by_id(task, session, object_id, &schema);
    if (!failed(st) && strcmp(schema->name, "public") == 0) *text = "standard public schema";
    return st;
}

// The class and id under which a comment on an object of a PostgreSQL catalog is kept; false: there are none.
static bool comment_place(
    struct bytes catalog, uint32_t oid, enum catalog_comment_class *class, uint32_t *id)
{
    *id = pg_id(oid);
    if (bytes_equal(catalog, bytes_of_string("pg_class"))) {
        *class = COMMENT_ON_RELATION;
        if (oid >= 0x80000000u) *id = oid;
    } else if (bytes_equal(catalog, bytes_of_string("pg_namespace"))) {
        *class = COMMENT_ON_SCHEMA;
    } else if (bytes_equal(catalog, bytes_of_string("pg_type"))) {
        *class = COMMENT_ON_TYPE;
        *id = type_is_user(oid) ? type_user_id(oid) : 0;
    } else if (bytes_equal(catalog, bytes_of_string("pg_proc"))) {
        *class = COMMENT_ON_FUNCTION;
    } else if (bytes_equal(catalog, bytes_of_string("pg_statistic_ext"))) {
        *class = COMMENT_ON_STATISTICS;
    } else if (bytes_equal(catalog, bytes_of_string("pg_constraint"))) {
        *class = COMMENT_ON_CONSTRAINT;
        *id = oid;
    } else if (bytes_equal(catalog, bytes_of_string("pg_database"))) {
        *class = COMMENT_ON_DATABASE;
    } else if (bytes_equal(catalog, bytes_of_string("pg_extension"))) {
        *class = COMMENT_ON_EXTENSION;
        *id = pg_extension_comment(oid) != NULL ? oid : 0;
    } else if (bytes_equal(catalog, bytes_of_string("pg_largeobject"))) {
        *class = COMMENT_ON_LARGE_OBJECT;
        *id = oid;
    } else if (bytes_equal(catalog, bytes_of_string("pg_authid"))) {
        *class = COMMENT_ON_ROLE;
        *id = oid;
    } else {
        return false;
    }
    return *id != 0;
}

static struct status give_comment(struct function_call *call, struct bytes catalog, uint32_t oid,
    uint32_t sub_id, struct datum *result)
{
    enum catalog_comment_class class;
    uint32_t id;
    const char *text;
    *result = DATUM_NULL;
    if (!comment_place(catalog, oid, &class, &id)) return STATUS_OK;
    struct status st =
        pg_comment(call->task, call->session, call->arena, class, id, sub_id, &text);
    if (!failed(st) && text != NULL) *result = datum_text(text);
    return st;
}

BODY(object_description)
{
    NEED_SESSION();
    struct bytes catalog =
        call->arg_count > 1 ? datum_as_bytes(args[1]) : bytes_of_string("pg_class");
    return give_comment(call, catalog, (uint32_t)args[0].integer, 0, result);
}

BODY(column_description)
{
    struct pg_relation relation;
    NEED_SESSION();
    *result = DATUM_NULL;
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    if (failed(st) || relation.table == NULL || relation.index != NULL) return st;
    int64_t number = args[1].integer;
    if (number < 1 || number > relation.table->column_count) return st;
    return give_comment(call, bytes_of_string("pg_class"), (uint32_t)args[0].integer,
        relation.table->columns[number - 1].id, result);
}

// --- visibility ----------------------------------------------------------------------------------------

BODY(table_visible)
{
    struct pg_relation relation;
    bool visible = false;
    NEED_SESSION();
    *result = DATUM_NULL;
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    if (failed(st) || relation.table == NULL) return st;
    st = pg_relation_visible(call->task, call->session, &relation, &visible);
    *result = datum_bool(visible);
    return st;
}

// Built-in types and operators are pg_catalog's.
BODY(type_visible)
{
    if (type_is_user((type_oid)args[0].integer)) {
        bool exists, visible;
        NEED_SESSION();
        struct status st = pg_user_type_visible(
            call->task, call->session, (uint32_t)args[0].integer, &exists, &visible);
        *result = exists ? datum_bool(visible) : DATUM_NULL;
        return st;
    }
    *result = type_info((type_oid)args[0].integer) == NULL ? DATUM_NULL : datum_bool(true);
    return STATUS_OK;
}

// Whether its schema is searched. One of the same name and types in an earlier schema would hide it.
static struct status routine_visible(struct function_call *call, const struct table_desc *made, struct datum *result)
{
    const struct schema_desc *schema;
    struct status st = catalog_schema_by_id(call->task, call->session, made->schema_id, &schema);
    if (failed(st)) return st;
    bool visible = false;
    for (uint32_t i = 0; call->session->search_path[i] != NULL; i++)
        visible |= strcmp(call->session->search_path[i], schema->name) == 0;
    *result = datum_bool(visible);
    return STATUS_OK;
}

BODY(function_visible)
{
    const struct table_desc *made = pg_routine_of(call->task, call->session, (uint32_t)args[0].integer);
    if (made != NULL) return routine_visible(call, made, result);
    const struct function *function = function_by_oid(FUNCTION_SCALAR, (uint32_t)args[0].integer);
    if (function == NULL) function = function_by_oid(FUNCTION_AGGREGATE, (uint32_t)args[0].integer);
    *result = function == NULL ? DATUM_NULL
                               : datum_bool(function->schema == NULL ||
                                            strcmp(function->schema, "pg_catalog") == 0);
    return STATUS_OK;
}

// There are none but the system's own.
BODY(built_in_visible)
{
    (void)call;
    (void)args;
    *result = datum_bool(true);
    return STATUS_OK;
}

BODY(operator_visible)
{
    (void)call;
    bool known = function_by_oid(FUNCTION_OPERATOR, (uint32_t)args[0].integer) != NULL;
    *result = known ? datum_bool(true) : DATUM_NULL;
    return STATUS_OK;
}

BODY(collation_visible)
{
    (void)call;
    int64_t oid = args[0].integer;
    const struct collation *each;
    *result = oid > PG_OID_BASE ? datum_bool(true) : DATUM_NULL;
    for (uint32_t i = 0; (each = collation_built_in(i)) != NULL; i++)
        if (each->id == oid) *result = datum_bool(true);
    return STATUS_OK;
}

// Where the store is, is no business of clients.
BODY(empty_text)
{
    (void)call;
    (void)args;
    *result = datum_text("");
    return STATUS_OK;
}

// Kinds of objects of which there are none.
BODY(nothing)
{
    (void)call;
    (void)args;
    *result = DATUM_NULL;
    return STATUS_OK;
}

BODY(publishable)
{
    (void)call;
    (void)args;
    *result = datum_bool(false); // There are no publications.
    return STATUS_OK;
}

BODY(updatable_events)
{
    struct pg_relation relation;
    NEED_SESSION();
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    uint32_t events = 0;
    if (!failed(st) && relation.table != NULL && relation.index == NULL)
        st = pg_relation_events(call->task, call->session, call->arena, relation.table, &events);
    *result = datum_int(events);
    return st;
}

BODY(updatable_column)
{
    struct pg_relation relation;
    NEED_SESSION();
    bool updatable = false;
    struct status st =
        pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation);
    if (!failed(st) && relation.table != NULL && relation.index == NULL && args[1].integer > 0)
        st = pg_column_is_updatable(call->task, call->session, call->arena, relation.table,
            (uint32_t)args[1].integer - 1, &updatable);
    *result = datum_bool(updatable);
    return st;
}

// --- to_reg* -------------------------------------------------------------------------------------------

// What text means as a value of the result's type; NULL when it means nothing.
// There are no triggers, and no policies of rows.
BODY(zero)
{
    (void)call;
    (void)args;
    *result = datum_int(0);
    return STATUS_OK;
}

BODY(no_row_security)
{
    struct status st;
    struct pg_relation relation;
    NEED_SESSION();
    st = call->arg_types[0].oid == TYPE_OID
             ? pg_relation_by_oid(call->task, call->session, (uint32_t)args[0].integer, &relation)
             : pg_relation_by_name(call->task, call->session, call->arena, datum_as_bytes(args[0]), false, &relation);
    *result = datum_bool(false);
    return st;
}

BODY(to_reg)
{
    struct bytes text = datum_as_bytes(args[0]);
    *result = DATUM_NULL;
    NEED_SESSION();
    if (text.size > 0 && ascii_digit((char)text.data[0])) return STATUS_OK;
    struct status st = type_input(call->arena, call->context, call->result_type, text, result);
    if (!failed(st)) return st;
    *result = DATUM_NULL;
    bool absent = status_is(st, E_UNDEFINED_TABLE) || status_is(st, E_UNDEFINED_OBJECT) ||
                  status_is(st, E_UNDEFINED_FUNCTION) || status_is(st, E_INVALID_SCHEMA_NAME) ||
                  status_is(st, E_INVALID_CATALOG_NAME) || status_is(st, E_AMBIGUOUS_FUNCTION);
    return absent ? STATUS_OK : st;
}

// The name as COLLATE takes it.
BODY(collation_for)
{
    struct type type = call->arg_types[0];
    struct buffer out;
    (void)args;
    *result = DATUM_NULL;
    if (type.oid == TYPE_UNKNOWN) return STATUS_OK;
    if (!collation_takes(type.oid))
        return status_format(call->arena, E_DATATYPE_MISMATCH,
            "collations are not supported by type %s",
            type_format(call->arena, TYPE_OF(type.oid)));
    const struct collation *collation = collation_of(type.collation);
    NEED_SESSION();
    buffer_init(&out, call->arena);
    if (type.oid == TYPE_NAME) buffer_append_string(&out, "\"C\"");
    else if (collation == NULL) buffer_append_string(&out, "\"default\"");
    else if (!pg_write_collation(call->task, call->session, collation->id, &out))
        deparse_identifier(&out, collation->name);
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

// --- partitions ----------------------------------------------------------------------------------------

static struct status none_start(struct function_call *call, void *state, const struct datum *args)
{
    (void)call;
    (void)state;
    (void)args;
    return STATUS_OK;
}

static struct status none_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    (void)call;
    (void)state;
    (void)row;
    *done = true;
    return STATUS_OK;
}

// No table is a partition or has some.
static const struct set_ops ancestors = {.column_count = 1,
    .column_names = (const char *const[]){"relid"},
    .column_types = (const type_oid[]){TYPE_REGCLASS},
    .start = none_start,
    .next = none_next};

static const struct set_ops partition_tree = {.column_count = 4,
    .column_names = (const char *const[]){"relid", "parentrelid", "isleaf", "level"},
    .column_types = (const type_oid[]){TYPE_REGCLASS, TYPE_REGCLASS, TYPE_BOOL, TYPE_INT4},
    .start = none_start,
    .next = none_next};

static const struct function functions[] = {
    STABLE("pg_get_userbyid", 1642, NAME, user_by_id, TYPE_OID),
    STABLE("pg_get_expr", 1716, TEXT, expression, TYPE_PG_NODE_TREE, TYPE_OID),
    STABLE("pg_get_expr", 2509, TEXT, pretty_expression, TYPE_PG_NODE_TREE, TYPE_OID, TYPE_BOOL),
    STABLE("pg_get_indexdef", 1643, TEXT, index_definition, TYPE_OID),
    STABLE("pg_get_indexdef", 2507, TEXT, index_definition, TYPE_OID, TYPE_INT4, TYPE_BOOL),
    STABLE("pg_get_constraintdef", 1387, TEXT, constraint_definition, TYPE_OID),
    STABLE("pg_get_constraintdef", 2508, TEXT, constraint_definition, TYPE_OID, TYPE_BOOL),
    STABLE("pg_get_viewdef", 1641, TEXT, view_definition, TYPE_OID),
    STABLE("pg_get_viewdef", 2506, TEXT, view_definition, TYPE_OID, TYPE_BOOL),
    STABLE("pg_get_viewdef", 3159, TEXT, view_definition, TYPE_OID, TYPE_INT4),
    STABLE("pg_get_viewdef", 1640, TEXT, view_definition_by_name, TYPE_TEXT),
    STABLE("pg_get_viewdef", 2505, TEXT, view_definition_by_name, TYPE_TEXT, TYPE_BOOL),
    STABLE("pg_get_serial_sequence", 1665, TEXT, serial_sequence, TYPE_TEXT, TYPE_TEXT),
    STABLE("pg_get_function_arguments", 2162, TEXT, function_arguments, TYPE_OID),
    STABLE("pg_get_function_identity_arguments", 2232, TEXT, function_arguments, TYPE_OID),
    STABLE("pg_get_function_result", 2165, TEXT, function_result, TYPE_OID),
    STABLE("pg_get_function_arg_default", 3808, TEXT, function_default, TYPE_OID, TYPE_INT4),
    STABLE("pg_get_function_sqlbody", 6197, TEXT, function_body, TYPE_OID),
    STABLE("pg_get_functiondef", 2098, TEXT, function_definition, TYPE_OID),
    STABLE("pg_get_ruledef", 1573, TEXT, rule_definition, TYPE_OID),
    STABLE("pg_get_ruledef", 2504, TEXT, rule_definition, TYPE_OID, TYPE_BOOL),
    STABLE("pg_get_triggerdef", 1662, TEXT, nothing, TYPE_OID),
    STABLE("pg_get_triggerdef", 2730, TEXT, nothing, TYPE_OID, TYPE_BOOL),
    STABLE("pg_get_partkeydef", 3352, TEXT, nothing, TYPE_OID),
    STABLE("pg_get_partition_constraintdef", 3408, TEXT, nothing, TYPE_OID),
    STABLE("pg_get_replica_identity_index", 6120, REGCLASS, nothing, TYPE_REGCLASS),
    STABLE("pg_tablespace_location", 3778, TEXT, empty_text, TYPE_OID),
    LAX_STABLE("format_type", 1081, TEXT, type_text, TYPE_OID, TYPE_INT4),
    STABLE("obj_description", 1348, TEXT, object_description, TYPE_OID),
    STABLE("obj_description", 1215, TEXT, object_description, TYPE_OID, TYPE_NAME),
    STABLE("shobj_description", 1993, TEXT, object_description, TYPE_OID, TYPE_NAME),
    STABLE("col_description", 1216, TEXT, column_description, TYPE_OID, TYPE_INT4),
    STABLE("pg_table_is_visible", 2079, BOOL, table_visible, TYPE_OID),
    STABLE("pg_type_is_visible", 2080, BOOL, type_visible, TYPE_OID),
    STABLE("pg_function_is_visible", 2081, BOOL, function_visible, TYPE_OID),
    STABLE("pg_operator_is_visible", 2082, BOOL, operator_visible, TYPE_OID),
    STABLE("pg_opclass_is_visible", 2083, BOOL, built_in_visible, TYPE_OID),
    STABLE("pg_opfamily_is_visible", 3829, BOOL, built_in_visible, TYPE_OID),
    STABLE("pg_conversion_is_visible", 2093, BOOL, nothing, TYPE_OID),
    STABLE("pg_collation_is_visible", 3815, BOOL, collation_visible, TYPE_OID),
    STABLE("pg_ts_config_is_visible", 3758, BOOL, nothing, TYPE_OID),
    STABLE("pg_ts_dict_is_visible", 3757, BOOL, nothing, TYPE_OID),
    STABLE("pg_ts_parser_is_visible", 3756, BOOL, nothing, TYPE_OID),
    STABLE("pg_ts_template_is_visible", 3768, BOOL, nothing, TYPE_OID),
    STABLE("pg_relation_is_publishable", 6121, BOOL, publishable, TYPE_REGCLASS),
    STABLE("pg_relation_is_updatable", 3842, INT4, updatable_events, TYPE_REGCLASS, TYPE_BOOL),
    STABLE("pg_column_is_updatable", 3843, BOOL, updatable_column, TYPE_REGCLASS, TYPE_INT2,
        TYPE_BOOL),
    SCALAR_NO_ARGS("pg_trigger_depth", 3163, INT4, zero, FUNCTION_STABLE),
    STABLE("row_security_active", 3298, BOOL, no_row_security, TYPE_OID),
    STABLE("row_security_active", 3299, BOOL, no_row_security, TYPE_TEXT),
    STABLE("to_regclass", 3495, REGCLASS, to_reg, TYPE_TEXT),
    STABLE("to_regtype", 3493, REGTYPE, to_reg, TYPE_TEXT),
    STABLE("to_regproc", 3494, REGPROC, to_reg, TYPE_TEXT),
    STABLE("to_regprocedure", 3479, REGPROCEDURE, to_reg, TYPE_TEXT),
    STABLE("to_regnamespace", 4086, REGNAMESPACE, to_reg, TYPE_TEXT),
    STABLE("to_regrole", 4093, REGROLE, to_reg, TYPE_TEXT),
    STABLE("to_regoper", 3492, REGOPER, to_reg, TYPE_TEXT),
    STABLE("to_regoperator", 3476, REGOPERATOR, to_reg, TYPE_TEXT),
    STABLE("to_regcollation", 4195, REGCOLLATION, to_reg, TYPE_TEXT),
    LAX_STABLE("pg_collation_for", 3162, TEXT, collation_for, TYPE_ANY),
    SET_RETURNING("pg_partition_tree", 3423, RECORD, &partition_tree, TYPE_REGCLASS),
    SET_RETURNING("pg_partition_ancestors", 3425, REGCLASS, &ancestors, TYPE_REGCLASS),
};

void pg_functions_definition_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
