// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema: what the server says of itself (sql_implementation_info, sql_sizing, sql_parts), and usages that other
// views tell of: column_column_usage, view_column_usage, data_type_privileges, role_routine_grants.
#include <string.h>

#include "sql/catalog/catalog_store.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/session/internal.h"
#include "sql/parse/lexer.h"
#include "sql/catalog/pg_catalog.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

// --- of the server -------------------------------------------------------------------------------------

#define NO_NUMBER (-1)
static const struct {
    const char *id, *name;
    int number;
    const char *text, *comments;
} implementation[] = {
    {"10003", "CATALOG NAME", NO_NUMBER, "Y", NULL},
    {"10004", "COLLATING SEQUENCE", NO_NUMBER, NULL, NULL},
    {"23", "CURSOR COMMIT BEHAVIOR", 1, NULL, "close cursors and retain prepared statements"},
    {"2", "DATA SOURCE NAME", NO_NUMBER, "", NULL},
    {"17", "DBMS NAME", NO_NUMBER, "PostgreSQL", NULL},
    {"18", "DBMS VERSION", NO_NUMBER, "15.00.0000", NULL},
    {"26", "DEFAULT TRANSACTION ISOLATION", 8, NULL, "SERIALIZABLE; user-settable"},
    {"28", "IDENTIFIER CASE", 3, NULL, "stored in mixed case - case sensitive"},
    {"85", "NULL COLLATION", 0, NULL, "nulls higher than non-nulls"},
    {"13", "SERVER NAME", NO_NUMBER, "", NULL},
    {"94", "SPECIAL CHARACTERS", NO_NUMBER, "", "all non-ASCII characters allowed"},
    {"46", "TRANSACTION CAPABLE", 2, NULL, "both DML and DDL"},
};

ROWS(implementation_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (size_t i = 0; i < COUNT(implementation); i++) {
        pg_row_begin(&row, sink);
        pg_put_text(&row, "implementation_info_id", implementation[i].id);
        pg_put_text(&row, "implementation_info_name", implementation[i].name);
        if (implementation[i].number != NO_NUMBER) pg_put_int(&row, "integer_value", implementation[i].number);
        pg_put_text(&row, "character_value", implementation[i].text);
        pg_put_text(&row, "comments", implementation[i].comments);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

// 0: without a limit that is known.
static const struct {
    int id;
    const char *name;
    int value;
} sizing[] = {
    {97, "MAXIMUM COLUMNS IN GROUP BY", 0}, {99, "MAXIMUM COLUMNS IN ORDER BY", 0},
    {100, "MAXIMUM COLUMNS IN SELECT", 1664}, {101, "MAXIMUM COLUMNS IN TABLE", 1600},
    {1, "MAXIMUM CONCURRENT ACTIVITIES", 0}, {0, "MAXIMUM DRIVER CONNECTIONS", NO_NUMBER},
    {20000, "MAXIMUM STATEMENT OCTETS", 0}, {20001, "MAXIMUM STATEMENT OCTETS DATA", 0},
    {20002, "MAXIMUM STATEMENT OCTETS SCHEMA", 0}, {106, "MAXIMUM TABLES IN SELECT", 0},
    {25000, "MAXIMUM CURRENT DEFAULT TRANSFORM GROUP LENGTH", NO_NUMBER},
    {25001, "MAXIMUM CURRENT TRANSFORM GROUP LENGTH", NO_NUMBER}, {25002, "MAXIMUM CURRENT PATH LENGTH", 0},
    {25003, "MAXIMUM CURRENT ROLE LENGTH", NO_NUMBER}, {34, "MAXIMUM CATALOG NAME LENGTH", 63},
    {30, "MAXIMUM COLUMN NAME LENGTH", 63}, {31, "MAXIMUM CURSOR NAME LENGTH", 63},
    {10005, "MAXIMUM IDENTIFIER LENGTH", 63}, {32, "MAXIMUM SCHEMA NAME LENGTH", 63},
    {35, "MAXIMUM TABLE NAME LENGTH", 63}, {107, "MAXIMUM USER NAME LENGTH", 63},
    {25004, "MAXIMUM SESSION USER LENGTH", 63}, {25005, "MAXIMUM SYSTEM USER LENGTH", 63},
};

ROWS(sizing_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (size_t i = 0; i < COUNT(sizing); i++) {
        pg_row_begin(&row, sink);
        pg_put_int(&row, "sizing_id", sizing[i].id);
        pg_put_text(&row, "sizing_name", sizing[i].name);
        if (sizing[i].value != NO_NUMBER) pg_put_int(&row, "supported_value", sizing[i].value);
        if (sizing[i].value == 63) pg_put_text(&row, "comments", "Might be less, depending on character set.");
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

static const char *const parts[][2] = {{"1", "Framework (SQL/Framework)"}, {"2", "Foundation (SQL/Foundation)"},
    {"3", "Call-Level Interface (SQL/CLI)"}, {"4", "Persistent Stored Modules (SQL/PSM)"},
    {"9", "Management of External Data (SQL/MED)"}, {"10", "Object Language Bindings (SQL/OLB)"},
    {"11", "Information and Definition Schema (SQL/Schemata)"},
    {"13", "Routines and Types Using the Java Programming Language (SQL/JRT)"},
    {"14", "XML-Related Specifications (SQL/XML)"}, {"15", "Multi-Dimensional Arrays (SQL/MDA)"}};

ROWS(part_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (size_t i = 0; i < COUNT(parts); i++) {
        pg_row_begin(&row, sink);
        pg_put_text(&row, "feature_id", parts[i][0]);
        pg_put_text(&row, "feature_name", parts[i][1]);
        pg_put_text(&row, "is_supported", "NO");
        pg_put_text(&row, "comments", "");
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

// --- usages --------------------------------------------------------------------------------------------

// Whether the expression names the column: an identifier that no function's arguments follow.
static bool names_column(struct arena *arena, const char *text, const char *column)
{
    struct lexer lexer;
    lexer_init(&lexer, bytes_of_string(text));
    struct token token = lexer_next(&lexer);
    while (token.kind != LEX_END && token.kind != LEX_ERROR) {
        struct token next = lexer_next(&lexer);
        bool identifier = token.kind == LEX_WORD || token.kind == LEX_QUOTED;
        const char *name = identifier ? token_identifier(arena, &lexer, token) : NULL;
        if (name != NULL && strcmp(name, column) == 0 && !token_is_char(&lexer, next, '(')) return true;
        token = next;
    }
    return false;
}

// A generated column, and those that it is made of.
static struct status column_usage_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    bool owned = false;
    TRY(pg_user_has_any(rows->task, rows->session, table->owner, NULL, 0, 1, &owned));
    for (uint32_t i = 0; owned && i < table->column_count; i++) {
        const struct column_desc *made = &table->columns[i];
        for (uint32_t k = 0; made->generated_sql != NULL && k < table->column_count; k++) {
            const struct column_desc *from = &table->columns[k];
            if (k == i || from->hidden || !names_column(&rows->arena, made->generated_sql, from->name)) continue;
            pg_row_begin(&row, rows->sink);
            pg_put_text(&row, "table_catalog", rows->database->name);
            pg_put_text(&row, "table_schema", pg_schema_name(rows, table->schema_id));
            pg_put_text(&row, "table_name", table->name);
            pg_put_text(&row, "column_name", from->name);
            pg_put_text(&row, "dependent_column", made->name);
            TRY(pg_row_send(&row));
        }
    }
out:
    return st;
}

ROWS(column_usage_rows)
{
    return pg_each_table(task, session, sink, column_usage_row);
}

static struct status view_column_row(struct pg_rows *rows, const struct table_desc *view)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    for (uint32_t i = 0; view->kind == RELATION_VIEW && i < view->depends_on_count; i++) {
        const struct table_desc *used;
        bool owned;
        TRY(catalog_table_by_id(rows->task, rows->session, view->depends_on[i], &used));
        TRY(pg_user_has_any(rows->task, rows->session, used->owner, NULL, 0, 1, &owned));
        if (!owned || used->kind == RELATION_SEQUENCE) continue;
        bool *columns;
        TRY(ddl_view_columns(rows->task, rows->session, &rows->arena, view->id, used, &columns));
        for (uint32_t k = 0; k < used->column_count; k++) {
            if (!columns[k]) continue;
            pg_row_begin(&row, rows->sink);
            pg_put_text(&row, "view_catalog", rows->database->name);
            pg_put_text(&row, "view_schema", pg_schema_name(rows, view->schema_id));
            pg_put_text(&row, "view_name", view->name);
            pg_put_text(&row, "table_catalog", rows->database->name);
            pg_put_text(&row, "table_schema", pg_schema_name(rows, used->schema_id));
            pg_put_text(&row, "table_name", used->name);
            pg_put_text(&row, "column_name", used->columns[k].name);
            TRY(pg_row_send(&row));
        }
    }
out:
    return st;
}

ROWS(view_column_rows)
{
    return pg_each_table(task, session, sink, view_column_row);
}

struct status pg_query_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink, const char *sql)
{
    struct status st;
    struct arena arena;
    struct internal_result result;
    arena_init(&arena, &session->account);
    TRY(internal_run(task, session, &arena, &result, sql, 0, NULL, NULL));
    for (uint64_t i = 0; i < result.row_count; i++)
        TRY(virtual_table_row(sink, result.values + i * result.column_count));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

ROWS(data_type_rows)
{
    return pg_query_rows(task, session, sink,
        "SELECT udt_catalog, udt_schema, udt_name, 'USER-DEFINED TYPE', dtd_identifier FROM information_schema.attributes "
        "UNION ALL SELECT domain_catalog, domain_schema, domain_name, 'DOMAIN', dtd_identifier FROM information_schema.domains "
        "UNION ALL SELECT specific_catalog, specific_schema, specific_name, 'ROUTINE', dtd_identifier FROM information_schema.parameters "
        "UNION ALL SELECT specific_catalog, specific_schema, specific_name, 'ROUTINE', dtd_identifier FROM information_schema.routines "
        "UNION ALL SELECT table_catalog, table_schema, table_name, 'TABLE', dtd_identifier FROM information_schema.columns");
}

// What roles have granted, or hold themselves.
ROWS(role_routine_rows)
{
    return pg_query_rows(task, session, sink,
        "SELECT * FROM information_schema.routine_privileges WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) "
        "OR grantee IN (SELECT role_name FROM information_schema.enabled_roles)");
}

static const struct pg_table tables[] = {
    {"sql_features",
        "feature_id varchar, feature_name varchar, sub_feature_id varchar, "
        "sub_feature_name varchar, is_supported varchar, is_verified_by varchar, comments varchar",
        NULL},
    {"sql_implementation_info",
        "implementation_info_id varchar, implementation_info_name varchar, integer_value int4, "
        "character_value varchar, comments varchar",
        implementation_rows},
    {"sql_parts",
        "feature_id varchar, feature_name varchar, is_supported varchar, is_verified_by varchar, comments varchar",
        part_rows},
    {"sql_sizing",
        "sizing_id int4, sizing_name varchar, supported_value int4, comments varchar", sizing_rows},
    {"column_column_usage",
        "table_catalog name, table_schema name, table_name name, column_name name, dependent_column name",
        column_usage_rows},
    {"view_column_usage",
        "view_catalog name, view_schema name, view_name name, table_catalog name, table_schema name, "
        "table_name name, column_name name",
        view_column_rows},
    {"data_type_privileges",
        "object_catalog name, object_schema name, object_name name, object_type varchar, dtd_identifier name",
        data_type_rows},
    {"role_routine_grants",
        "grantor name, grantee name, specific_catalog name, specific_schema name, specific_name name, "
        "routine_catalog name, routine_schema name, routine_name name, privilege_type varchar, is_grantable varchar",
        role_routine_rows},
};

void information_schema_sql_register(void)
{
    pg_tables_register("information_schema", tables, COUNT(tables));
}
