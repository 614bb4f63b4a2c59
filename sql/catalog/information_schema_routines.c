// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema: routines and their parameters, the server's own and those that users make.
#include <string.h>

#include "sql/function/function.h"
#include "sql/catalog/pg_catalog.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

static struct status each_function(struct task *task, struct session *session,
    struct virtual_table_sink *sink,
    struct status (*send)(struct pg_row *row, struct virtual_table_sink *sink,
        struct session *session, struct arena *arena, const struct function *function))
{
    struct status st = STATUS_OK;
    const struct function *function;
    struct arena arena;
    struct pg_row row;
    arena_init(&arena, &session->account);
    for (uint32_t i = 0; !failed(st) && (function = function_at(i)) != NULL; i++) {
        if (function->kind == FUNCTION_OPERATOR) continue;
        st = send(&row, sink, session, &arena, function);
        if (!failed(st)) st = task_yield_if_due(task);
    }
    arena_fini(&arena);
    return st;
}

static const char *schema_of(const struct function *function)
{
    return function->schema == NULL ? "pg_catalog" : function->schema;
}

static void begin(struct pg_row *row, struct virtual_table_sink *sink, struct session *session,
    struct arena *arena, const struct function *function)
{
    pg_row_begin(row, sink);
    pg_put_text(row, "specific_catalog", session->database);
    pg_put_text(row, "specific_schema", schema_of(function));
    pg_put_text(row, "specific_name", arena_printf(arena, "%s_%u", function->name, function->oid));
}

static void put_type(struct pg_row *row, struct session *session, type_oid oid)
{
    const struct type_info *info = type_info(oid);
    bool array = info != NULL && info->category == 'A';
    pg_put_text(row, "data_type", info == NULL ? NULL : array ? "ARRAY" : info->sql_name);
    if (info == NULL) return;
    bool routine = row->table->column_count > 40;
    pg_put_text(row, routine ? "type_udt_catalog" : "udt_catalog", session->database);
    pg_put_text(row, routine ? "type_udt_schema" : "udt_schema", "pg_catalog");
    pg_put_text(row, routine ? "type_udt_name" : "udt_name", info->name);
}

static struct status routine_row(struct pg_row *row, struct virtual_table_sink *sink,
    struct session *session, struct arena *arena, const struct function *function)
{
    if (function->kind != FUNCTION_SCALAR && function->kind != FUNCTION_SET) return STATUS_OK;
    begin(row, sink, session, arena, function);
    pg_put_text(row, "routine_catalog", session->database);
    pg_put_text(row, "routine_schema", schema_of(function));
    pg_put_text(row, "routine_name", function->name);
    pg_put_text(row, "routine_type", "FUNCTION");
    put_type(row, session, function->result);
    pg_put_text(row, "dtd_identifier", "0");
    pg_put_text(row, "routine_body", "EXTERNAL");
    pg_put_text(row, "external_language", "INTERNAL");
    pg_put_text(row, "parameter_style", "GENERAL");
    pg_put_text(row, "is_deterministic", function->volatility == FUNCTION_IMMUTABLE ? "YES" : "NO");
    pg_put_text(row, "sql_data_access", "MODIFIES");
    pg_put_text(row, "is_null_call", function->strict ? "YES" : "NO");
    pg_put_text(row, "schema_level_routine", "YES");
    pg_put_int(row, "max_dynamic_result_sets", 0);
    pg_put_text(row, "security_type", "INVOKER");
    pg_put_text(row, "as_locator", "NO");
    pg_put_text(row, "is_udt_dependent", "NO");
    return pg_row_send(row);
}

static struct status parameter_row(struct pg_row *row, struct virtual_table_sink *sink,
    struct session *session, struct arena *arena, const struct function *function)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; !failed(st) && i < function->arg_count; i++) {
        begin(row, sink, session, arena, function);
        pg_put_int(row, "ordinal_position", (int64_t)i + 1);
        pg_put_text(row, "parameter_mode", "IN");
        pg_put_text(row, "is_result", "NO");
        pg_put_text(row, "as_locator", "NO");
        put_type(row, session, function->args[i]);
        pg_put_text(row, "dtd_identifier", arena_printf(arena, "%u", i + 1));
        st = pg_row_send(row);
    }
    return st;
}

static struct status privilege_row(struct pg_row *row, struct virtual_table_sink *sink,
    struct session *session, struct arena *arena, const struct function *function)
{
    begin(row, sink, session, arena, function);
    pg_put_text(row, "grantor", "admin");
    pg_put_text(row, "grantee", "PUBLIC");
    pg_put_text(row, "routine_catalog", session->database);
    pg_put_text(row, "routine_schema", schema_of(function));
    pg_put_text(row, "routine_name", function->name);
    pg_put_text(row, "privilege_type", "EXECUTE");
    pg_put_text(row, "is_grantable", "NO");
    return pg_row_send(row);
}

// --- of users --------------------------------------------------------------------------------------------

#define NULLS_4 "NULL, NULL, NULL, NULL"
#define NULLS_14 NULLS_4 ", " NULLS_4 ", " NULLS_4 ", NULL, NULL"
#define NULLS_24 NULLS_14 ", " NULLS_4 ", " NULLS_4 ", NULL, NULL"
#define DATA_TYPE "CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY' " \
    "WHEN nt.nspname = 'pg_catalog' THEN format_type(t.oid, NULL) WHEN t.oid IS NOT NULL THEN 'USER-DEFINED' END"
#define SPECIFIC "current_database(), n.nspname, p.proname || '_' || p.oid, "
#define ROUTINE "current_database(), n.nspname, p.proname, "
#define FROM_PROC "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
#define OF_USERS "p.oid >= 16384 AND (pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE'))"

static const char routines_of_users[] =
    "SELECT " SPECIFIC ROUTINE "CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, "
    NULLS_4 ", NULL, NULL, " DATA_TYPE ", " NULLS_14 ", "
    "CASE WHEN t.oid IS NOT NULL THEN current_database() END, nt.nspname, t.typname, " NULLS_4 ", "
    "CASE WHEN p.prokind <> 'p' THEN '0' END, 'SQL', CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN p.prosrc END, "
    "NULL, 'SQL', 'GENERAL', CASE p.provolatile WHEN 'i' THEN 'YES' ELSE 'NO' END, 'MODIFIES', "
    "CASE WHEN p.prokind = 'p' THEN NULL WHEN p.proisstrict THEN 'YES' ELSE 'NO' END, NULL, 'YES', 0, NULL, NULL, "
    "'INVOKER', NULL, NULL, NULL, 'NO', NULL, NULL, NULL, 'NO', " NULLS_24 " " FROM_PROC
    "LEFT JOIN pg_type t ON t.oid = p.prorettype AND p.prokind <> 'p' LEFT JOIN pg_namespace nt ON nt.oid = t.typnamespace "
    "WHERE " OF_USERS;

static const char parameters_of_users[] =
    "SELECT " SPECIFIC "x.n::int4, CASE coalesce(p.proargmodes[x.n]::text, 'i') WHEN 'o' THEN 'OUT' WHEN 't' THEN 'OUT' "
    "WHEN 'b' THEN 'INOUT' ELSE 'IN' END, 'NO', 'NO', nullif(p.proargnames[x.n], ''), " DATA_TYPE ", " NULLS_14 ", "
    "current_database(), nt.nspname, t.typname, " NULLS_4 ", x.n::text, "
    "CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN pg_get_function_arg_default(p.oid, x.n::int4) END " FROM_PROC
    "CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY x (type, n) "
    "JOIN pg_type t ON t.oid = x.type JOIN pg_namespace nt ON nt.oid = t.typnamespace WHERE " OF_USERS;

static const char privileges_of_users[] =
    "SELECT u.rolname, coalesce(g.rolname, 'PUBLIC'), " SPECIFIC ROUTINE "a.privilege_type, "
    "CASE WHEN a.is_grantable OR a.grantee = p.proowner THEN 'YES' ELSE 'NO' END " FROM_PROC
    "CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a JOIN pg_roles u ON u.oid = a.grantor "
    "LEFT JOIN pg_roles g ON g.oid = a.grantee WHERE p.oid >= 16384 AND (pg_has_role(u.oid, 'USAGE') OR "
    "g.oid IS NULL OR pg_has_role(g.oid, 'USAGE'))";

#define BOTH(name_, own_, users_) \
    ROWS(name_) \
    { \
        struct status st = each_function(task, session, sink, own_); \
        return failed(st) ? st : pg_query_rows(task, session, sink, users_); \
    }
BOTH(routine_rows, routine_row, routines_of_users)
BOTH(parameter_rows, parameter_row, parameters_of_users)
BOTH(privilege_rows, privilege_row, privileges_of_users)

static const struct pg_table tables[] = {
    {"routines",
        "specific_catalog name, specific_schema name, specific_name name, "
        "routine_catalog name, routine_schema name, routine_name name, "
        "routine_type varchar, module_catalog name, module_schema name, "
        "module_name name, udt_catalog name, udt_schema name, udt_name name, "
        "data_type varchar, character_maximum_length int4, character_octet_length int4, "
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "collation_catalog name, collation_schema name, collation_name name, "
        "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
        "datetime_precision int4, interval_type varchar, interval_precision int4, "
        "type_udt_catalog name, type_udt_schema name, type_udt_name name, "
        "scope_catalog name, scope_schema name, scope_name name, "
        "maximum_cardinality int4, dtd_identifier name, routine_body varchar, "
        "routine_definition varchar, external_name varchar, external_language varchar, "
        "parameter_style varchar, is_deterministic varchar, sql_data_access varchar, "
        "is_null_call varchar, sql_path varchar, schema_level_routine varchar, "
        "max_dynamic_result_sets int4, is_user_defined_cast varchar, "
        "is_implicitly_invocable varchar, security_type varchar, "
        "to_sql_specific_catalog name, to_sql_specific_schema name, "
        "to_sql_specific_name name, as_locator varchar, created timestamptz, "
        "last_altered timestamptz, new_savepoint_level varchar, "
        "is_udt_dependent varchar, result_cast_from_data_type varchar, "
        "result_cast_as_locator varchar, result_cast_char_max_length int4, "
        "result_cast_char_octet_length int4, result_cast_char_set_catalog name, "
        "result_cast_char_set_schema name, result_cast_char_set_name name, "
        "result_cast_collation_catalog name, result_cast_collation_schema name, "
        "result_cast_collation_name name, result_cast_numeric_precision int4, "
        "result_cast_numeric_precision_radix int4, result_cast_numeric_scale int4, "
        "result_cast_datetime_precision int4, result_cast_interval_type varchar, "
        "result_cast_interval_precision int4, result_cast_type_udt_catalog name, "
        "result_cast_type_udt_schema name, result_cast_type_udt_name name, "
        "result_cast_scope_catalog name, result_cast_scope_schema name, "
        "result_cast_scope_name name, result_cast_maximum_cardinality int4, "
        "result_cast_dtd_identifier name",
        routine_rows},
    {"parameters",
        "specific_catalog name, specific_schema name, specific_name name, "
        "ordinal_position int4, parameter_mode varchar, is_result varchar, "
        "as_locator varchar, parameter_name name, data_type varchar, "
        "character_maximum_length int4, character_octet_length int4, "
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "collation_catalog name, collation_schema name, collation_name name, "
        "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
        "datetime_precision int4, interval_type varchar, interval_precision int4, "
        "udt_catalog name, udt_schema name, udt_name name, scope_catalog name, "
        "scope_schema name, scope_name name, maximum_cardinality int4, "
        "dtd_identifier name, parameter_default varchar",
        parameter_rows},
    {"routine_privileges",
        "grantor name, grantee name, specific_catalog name, specific_schema name, "
        "specific_name name, routine_catalog name, routine_schema name, "
        "routine_name name, privilege_type varchar, is_grantable varchar",
        privilege_rows},
};

void information_schema_routines_register(void)
{
    pg_tables_register("information_schema", tables, COUNT(tables));
}
