// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema: schemas, tables, columns, views and sequences. As in PostgreSQL, a user sees what they own or
// have some privilege on.
#include <string.h>

#include "sql/type/collation.h"
#include "sql/catalog/catalog_text.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege_object.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

static const char *yes_no(bool value)
{
    return value ? "YES" : "NO";
}

static struct status visible(struct pg_rows *rows, const struct table_desc *table, bool *seen)
{
    return pg_user_has_any_of_table(rows->task, rows->session, table, UINT32_MAX, seen);
}

// --- schemas and tables --------------------------------------------------------------------------------------

static struct status schema_row(
    struct virtual_table_sink *sink, const char *database, const char *name, const char *owner)
{
    struct pg_row row;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "catalog_name", database);
    pg_put_text(&row, "schema_name", name);
    pg_put_text(&row, "schema_owner", owner);
    return pg_row_send(&row);
}

ROWS(schemata_rows)
{
    struct status st;
    struct pg_rows rows;
    bool seen;
    const struct schema_desc *schema;
    TRY(pg_rows_open(&rows, task, session, sink));
    for (uint32_t i = 0; !failed(st) && (schema = catalog_virtual_schema_at(i)) != NULL; i++)
        st = schema_row(sink, rows.database->name, schema->name, schema->owner);
    for (uint32_t i = 0; !failed(st) && i < rows.schema_count; i++) {
        schema = rows.schemas[i];
        st = pg_user_has_any_of_schema(task, session, schema,
            PRIVILEGE_CREATE | PRIVILEGE_USAGE, &seen);
        if (!failed(st) && seen)
            st = schema_row(sink, rows.database->name, schema->name, schema->owner);
    }
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

static struct status put_table(struct virtual_table_sink *sink, const char *database,
    const char *schema, const char *name, bool view, bool insertable)
{
    struct pg_row row;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "table_catalog", database);
    pg_put_text(&row, "table_schema", schema);
    pg_put_text(&row, "table_name", name);
    pg_put_text(&row, "table_type", view ? "VIEW" : "BASE TABLE");
    pg_put_text(&row, "is_insertable_into", yes_no(insertable));
    pg_put_text(&row, "is_typed", "NO");
    return pg_row_send(&row);
}

static struct status table_row(struct pg_rows *rows, const struct table_desc *table)
{
    bool seen;
    if (table->kind == RELATION_SEQUENCE || table->materialized) return STATUS_OK;
    struct status st = visible(rows, table, &seen);
    if (failed(st) || !seen) return st;
    uint32_t events;
    st = pg_relation_events(rows->task, rows->session, &rows->arena, table, &events);
    if (failed(st)) return st;
    return put_table(rows->sink, rows->database->name, pg_schema_name(rows, table->schema_id),
        table->name, table->kind == RELATION_VIEW, (events & PG_EVENT_INSERT) != 0);
}

ROWS(table_rows)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    for (uint32_t i = 0; (table = pg_next_virtual_table(session, &i)) != NULL;)
        TRY(put_table(sink, session->database, table->virtual_table->schema, table->name,
            !pg_is_catalog_table(table), false));
    st = pg_each_table(task, session, sink, table_row);
out:
    return st;
}

static struct status view_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    bool seen, owned;
    struct status st;
    if (table->kind != RELATION_VIEW) return STATUS_OK;
    TRY(visible(rows, table, &seen));
    TRY(pg_user_has_any(rows->task, rows->session, table->owner, NULL, 0, 1, &owned));
    if (!seen) return st;
    const char *text;
    uint32_t events;
    const uint32_t both = PG_EVENT_UPDATE | PG_EVENT_DELETE;
    TRY(catalog_view_text(rows->task, rows->session, &rows->arena, table, false, 0, &text));
    TRY(pg_relation_events(rows->task, rows->session, &rows->arena, table, &events));
    pg_row_begin(&row, rows->sink);
    pg_put_text(&row, "table_catalog", rows->database->name);
    pg_put_text(&row, "table_schema", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "table_name", table->name);
    if (owned) pg_put_text(&row, "view_definition", arena_printf(&rows->arena, "%s;", text));
    pg_put_text(&row, "check_option",
        table->check_option == 'l' ? "LOCAL" : table->check_option == 'c' ? "CASCADED" : "NONE");
    pg_put_text(&row, "is_updatable", yes_no((events & both) == both));
    pg_put_text(&row, "is_insertable_into", yes_no((events & PG_EVENT_INSERT) != 0));
    pg_put_text(&row, "is_trigger_updatable", "NO");
    pg_put_text(&row, "is_trigger_deletable", "NO");
    pg_put_text(&row, "is_trigger_insertable_into", "NO");
    st = pg_row_send(&row);
out:
    return st;
}

ROWS(view_rows)
{
    return pg_each_table(task, session, sink, view_row);
}

static struct status view_usage_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    for (uint32_t i = 0; table->kind == RELATION_VIEW && i < table->depends_on_count; i++) {
        const struct table_desc *used;
        bool owned;
        TRY(catalog_table_by_id(rows->task, rows->session, table->depends_on[i], &used));
        TRY(pg_user_has_any(rows->task, rows->session, used->owner, NULL, 0, 1, &owned));
        if (!owned) continue;
        pg_row_begin(&row, rows->sink);
        pg_put_text(&row, "view_catalog", rows->database->name);
        pg_put_text(&row, "view_schema", pg_schema_name(rows, table->schema_id));
        pg_put_text(&row, "view_name", table->name);
        pg_put_text(&row, "table_catalog", rows->database->name);
        pg_put_text(&row, "table_schema", pg_schema_name(rows, used->schema_id));
        pg_put_text(&row, "table_name", used->name);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(view_usage_rows)
{
    return pg_each_table(task, session, sink, view_usage_row);
}

// --- columns -------------------------------------------------------------------------------------------------

#define TEXT_OCTETS_MAX 1073741824

static void put_text_type(struct pg_row *row, struct type type)
{
    bool text = type.oid == TYPE_TEXT || type.oid == TYPE_VARCHAR || type.oid == TYPE_BPCHAR;
    bool bits = type.oid == TYPE_BIT || type.oid == TYPE_VARBIT;
    if ((type.oid == TYPE_VARCHAR || type.oid == TYPE_BPCHAR) && type.typmod >= 4)
        pg_put_int(row, "character_maximum_length", type.typmod - 4);
    if (bits && type.typmod >= 0) pg_put_int(row, "character_maximum_length", type.typmod);
    if (text)
        pg_put_int(row, "character_octet_length",
            type.typmod >= 4 ? ((int64_t)type.typmod - 4) * 4 : TEXT_OCTETS_MAX);
}

static void put_numeric_type(struct pg_row *row, struct type type)
{
    int64_t precision = type.oid == TYPE_INT2     ? 16
                        : type.oid == TYPE_INT4   ? 32
                        : type.oid == TYPE_INT8   ? 64
                        : type.oid == TYPE_FLOAT4 ? 24
                        : type.oid == TYPE_FLOAT8 ? 53
                                                  : 0;
    if (precision != 0) {
        pg_put_int(row, "numeric_precision", precision);
        pg_put_int(row, "numeric_precision_radix", 2);
        if (type.oid != TYPE_FLOAT4 && type.oid != TYPE_FLOAT8) pg_put_int(row, "numeric_scale", 0);
    } else if (type.oid == TYPE_NUMERIC) {
        pg_put_int(row, "numeric_precision_radix", 10);
        if (type.typmod < 4) return;
        pg_put_int(row, "numeric_precision", (type.typmod - 4) >> 16 & 0xffff);
        pg_put_int(row, "numeric_scale", (((type.typmod - 4) & 0x7ff) ^ 1024) - 1024);
    }
}

static void put_type(struct pg_row *row, struct type type, const char *database, const char *schema)
{
    const struct type_info *info = type_info(type.oid);
    bool array = info != NULL && info->category == 'A' && type.oid != TYPE_INT2VECTOR &&
                 type.oid != TYPE_OIDVECTOR;
    pg_put_text(row, "data_type", array ? "ARRAY" : info == NULL || type_is_user(type.oid) ? "USER-DEFINED" : info->sql_name);
    put_text_type(row, type);
    put_numeric_type(row, type);
    switch (type.oid) {
    case TYPE_DATE: pg_put_int(row, "datetime_precision", 0); break;
    case TYPE_TIME:
    case TYPE_TIMETZ:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        pg_put_int(row, "datetime_precision", type.typmod < 0 ? 6 : type.typmod);
        break;
    case TYPE_INTERVAL: pg_put_int(row, "datetime_precision", 6); break;
    default: break;
    }
    pg_put_text(row, "udt_catalog", database);
    pg_put_text(row, "udt_schema", schema == NULL ? "pg_catalog" : schema);
    pg_put_text(row, "udt_name", info == NULL ? NULL : info->name);
}

static const struct table_desc *user_type(const struct pg_rows *rows, type_oid oid)
{
    for (uint32_t i = 0; type_is_user(oid) && i < rows->type_count; i++)
        if (rows->types[i]->id == type_user_id(oid)) return rows->types[i];
    return NULL;
}

static void put_identity(
    struct pg_row *row, struct arena *arena, const struct column_desc *column, const struct table_desc *sequence)
{
    const struct sequence_options *options = &sequence->sequence;
    pg_put_text(row, "identity_generation", column->identity == 'a' ? "ALWAYS" : "BY DEFAULT");
    pg_put_text(row, "identity_start", arena_printf(arena, "%lld", (long long)options->start));
    pg_put_text(row, "identity_increment", arena_printf(arena, "%lld", (long long)options->increment));
    pg_put_text(row, "identity_maximum", arena_printf(arena, "%lld", (long long)options->maximum));
    pg_put_text(row, "identity_minimum", arena_printf(arena, "%lld", (long long)options->minimum));
    pg_put_text(row, "identity_cycle", yes_no(options->cycle));
}

static void begin_column(const struct pg_rows *rows, struct pg_row *row,
    struct virtual_table_sink *sink, const char *database,
    const char *schema, const struct table_desc *table, uint32_t index)
{
    const struct column_desc *column = &table->columns[index];
    pg_row_begin(row, sink);
    pg_put_text(row, "table_catalog", database);
    pg_put_text(row, "table_schema", schema);
    pg_put_text(row, "table_name", table->name);
    pg_put_text(row, "column_name", column->name);
    pg_put_int(row, "ordinal_position", (int64_t)index + 1);
    const struct table_desc *user = user_type(rows, column->type.oid);
    if (type_is_domain_array(column->domain) && (user = user_type(rows, column->domain)) != NULL)
        put_type(row, TYPE_OF(column->domain), database, pg_schema_name(rows, user->schema_id));
    else
        put_type(row, column->type, database,
            user == NULL ? NULL : pg_schema_name(rows, user->schema_id));
    const struct table_desc *domain = type_is_domain(column->domain) ? user_type(rows, column->domain) : NULL;
    pg_put_text(row, "is_nullable",
        yes_no(!column->not_null && (domain == NULL || !domain->columns[0].not_null)));
    if (domain != NULL) {
        pg_put_text(row, "domain_catalog", database);
        pg_put_text(row, "domain_schema", pg_schema_name(rows, domain->schema_id));
        pg_put_text(row, "domain_name", domain->name);
    }
    pg_put_text(row, "is_self_referencing", "NO");
    pg_put_text(row, "is_identity", yes_no(column->identity != 0));
    pg_put_text(row, "identity_cycle", "NO");
    pg_put_text(row, "is_generated", column->generated_sql != NULL ? "ALWAYS" : "NEVER");
    pg_put_text(row, "is_updatable", "NO");
}

static struct status put_collation(
    struct pg_rows *rows, struct pg_row *row, const char *definition)
{
    struct status st = STATUS_OK;
    struct collation collation;
    const char *schema = "pg_catalog";
    if (!collation_parse(&rows->arena, definition, &collation)) return st;
    if (pg_id(collation.id) != 0) {
        const struct table_desc *made;
        TRY(catalog_table_by_id(rows->task, rows->session, pg_id(collation.id), &made));
        collation.name = made->name;
        schema = pg_schema_name(rows, made->schema_id);
    }
    pg_put_text(row, "collation_catalog", rows->database->name);
    pg_put_text(row, "collation_schema", schema);
    pg_put_text(row, "collation_name", collation.name);
out:
    return st;
}

static struct status column_row(struct pg_rows *rows, const struct table_desc *table, uint32_t index)
{
    struct pg_row row;
    const char *text = NULL;
    const struct column_desc *column = &table->columns[index];
    struct status st = STATUS_OK;
    begin_column(rows, &row, rows->sink, rows->database->name, pg_schema_name(rows, table->schema_id), table, index);
    bool updatable;
    TRY(pg_column_is_updatable(
        rows->task, rows->session, &rows->arena, table, index, &updatable));
    pg_put_text(&row, "is_updatable", yes_no(updatable));
    if (column->collation != NULL) TRY(put_collation(rows, &row, column->collation));
    pg_put_text(&row, "dtd_identifier", arena_printf(&rows->arena, "%u", index + 1));
    if (column->generated_sql != NULL) {
        TRY(pg_column_default_text(rows->task, rows->session, &rows->arena, table, column, &text));
        pg_put_text(&row, "generation_expression", text);
    } else if (column->default_sql != NULL && column->identity == 0) {
        TRY(pg_column_default_text(rows->task, rows->session, &rows->arena, table, column, &text));
        pg_put_text(&row, "column_default", text);
    }
    if (column->identity != 0 && column->owned_sequence != 0) {
        const struct table_desc *sequence;
        TRY(catalog_table_by_id(rows->task, rows->session, column->owned_sequence, &sequence));
        put_identity(&row, &rows->arena, column, sequence);
    }
    st = pg_row_send(&row);
out:
    return st;
}

static struct status column_rows_of(struct pg_rows *rows, const struct table_desc *table)
{
    bool seen;
    struct status st = visible(rows, table, &seen);
    if (table->kind == RELATION_SEQUENCE || table->materialized) return st;
    for (uint32_t i = 0; !failed(st) && seen && i < table->column_count; i++)
        if (!table->columns[i].hidden && table->columns[i].state == ELEMENT_PUBLIC)
            st = column_row(rows, table, i);
    return st;
}

ROWS(column_rows)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    const struct pg_rows none = {0};
    struct pg_row row;
    for (uint32_t i = 0; (table = pg_next_virtual_table(session, &i)) != NULL;)
        for (uint32_t j = 0; j < table->column_count; j++) {
            begin_column(&none, &row, sink, session->database, table->virtual_table->schema, table, j);
            TRY(pg_row_send(&row));
        }
    st = pg_each_table(task, session, sink, column_rows_of);
out:
    return st;
}

static struct status element_rows_of(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    bool seen;
    struct status st = visible(rows, table, &seen);
    if (failed(st) || !seen || table->kind == RELATION_SEQUENCE || table->materialized) return st;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        const struct type_info *info = type_info(column->type.oid);
        if (info == NULL || info->category != 'A' || column->hidden) continue;
        pg_row_begin(&row, rows->sink);
        pg_put_text(&row, "object_catalog", rows->database->name);
        pg_put_text(&row, "object_schema", pg_schema_name(rows, table->schema_id));
        pg_put_text(&row, "object_name", table->name);
        pg_put_text(&row, "object_type", table->kind == RELATION_VIEW ? "VIEW" : "TABLE");
        pg_put_text(&row, "collection_type_identifier", arena_printf(&rows->arena, "%u", i + 1));
        const struct type_info *element = type_info(info->element);
        pg_put_text(&row, "data_type", element == NULL ? NULL : element->sql_name);
        pg_put_text(&row, "udt_catalog", rows->database->name);
        pg_put_text(&row, "udt_schema", "pg_catalog");
        pg_put_text(&row, "udt_name", element == NULL ? NULL : element->name);
        pg_put_text(&row, "dtd_identifier", arena_printf(&rows->arena, "a%u", i + 1));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(element_rows)
{
    return pg_each_table(task, session, sink, element_rows_of);
}

// --- sequences -----------------------------------------------------------------------------------------------

static struct status sequence_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    bool seen;
    struct status st = STATUS_OK;
    const struct sequence_options *options = &table->sequence;
    struct arena *arena = &rows->arena;
    if (table->kind != RELATION_SEQUENCE) return st;
    TRY(visible(rows, table, &seen));
    if (!seen) return st;
    if (options->owner_table != 0) { // An identity column's is part of it.
        const struct table_desc *owner;
        TRY(catalog_table_by_id(rows->task, rows->session, options->owner_table, &owner));
        const struct column_desc *column = table_column_by_id(owner, options->owner_column);
        if (column != NULL && column->identity != 0) return st;
    }
    const struct type_info *info = type_info(options->type);
    pg_row_begin(&row, rows->sink);
    pg_put_text(&row, "sequence_catalog", rows->database->name);
    pg_put_text(&row, "sequence_schema", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "sequence_name", table->name);
    pg_put_text(&row, "data_type", info == NULL ? NULL : info->sql_name);
    put_numeric_type(&row, TYPE_OF(options->type));
    pg_put_text(&row, "start_value", arena_printf(arena, "%lld", (long long)options->start));
    pg_put_text(&row, "minimum_value", arena_printf(arena, "%lld", (long long)options->minimum));
    pg_put_text(&row, "maximum_value", arena_printf(arena, "%lld", (long long)options->maximum));
    pg_put_text(&row, "increment", arena_printf(arena, "%lld", (long long)options->increment));
    pg_put_text(&row, "cycle_option", yes_no(options->cycle));
    st = pg_row_send(&row);
out:
    return st;
}

ROWS(sequence_rows)
{
    return pg_each_table(task, session, sink, sequence_row);
}

// --- fixed ---------------------------------------------------------------------------------------------------

ROWS(catalog_name_rows)
{
    struct pg_row row;
    (void)task;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "catalog_name", session->database);
    return pg_row_send(&row);
}

ROWS(character_set_rows)
{
    struct pg_row row;
    (void)task;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "character_set_name", "UTF8");
    pg_put_text(&row, "character_repertoire", "UCS");
    pg_put_text(&row, "form_of_use", "UTF8");
    pg_put_text(&row, "default_collate_catalog", session->database);
    pg_put_text(&row, "default_collate_schema", "pg_catalog");
    pg_put_text(&row, "default_collate_name", "default");
    return pg_row_send(&row);
}

ROWS(collation_rows)
{
    return pg_query_rows(task, session, sink,
        "SELECT current_database(), n.nspname, c.collname, 'NO PAD' "
        "FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace");
}

ROWS(collation_set_rows)
{
    return pg_query_rows(task, session, sink,
        "SELECT current_database(), n.nspname, c.collname, NULL, NULL, 'UTF8' "
        "FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace");
}

static const struct pg_table tables[] = {
    {"schemata",
        "catalog_name name, schema_name name, schema_owner name, "
        "default_character_set_catalog name, default_character_set_schema name, "
        "default_character_set_name name, sql_path varchar",
        schemata_rows},
    {"tables",
        "table_catalog name, table_schema name, table_name name, table_type varchar, "
        "self_referencing_column_name name, reference_generation varchar, "
        "user_defined_type_catalog name, user_defined_type_schema name, "
        "user_defined_type_name name, is_insertable_into varchar, is_typed varchar, "
        "commit_action varchar",
        table_rows},
    {"columns",
        "table_catalog name, table_schema name, table_name name, column_name name, "
        "ordinal_position int4, column_default varchar, is_nullable varchar, "
        "data_type varchar, character_maximum_length int4, character_octet_length int4, "
        "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
        "datetime_precision int4, interval_type varchar, interval_precision int4, "
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "collation_catalog name, collation_schema name, collation_name name, "
        "domain_catalog name, domain_schema name, domain_name name, udt_catalog name, "
        "udt_schema name, udt_name name, scope_catalog name, scope_schema name, "
        "scope_name name, maximum_cardinality int4, dtd_identifier name, "
        "is_self_referencing varchar, is_identity varchar, identity_generation varchar, "
        "identity_start varchar, identity_increment varchar, identity_maximum varchar, "
        "identity_minimum varchar, identity_cycle varchar, is_generated varchar, "
        "generation_expression varchar, is_updatable varchar",
        column_rows},
    {"views",
        "table_catalog name, table_schema name, table_name name, "
        "view_definition varchar, check_option varchar, is_updatable varchar, "
        "is_insertable_into varchar, is_trigger_updatable varchar, "
        "is_trigger_deletable varchar, is_trigger_insertable_into varchar",
        view_rows},
    {"view_table_usage",
        "view_catalog name, view_schema name, view_name name, table_catalog name, "
        "table_schema name, table_name name",
        view_usage_rows},
    {"element_types",
        "object_catalog name, object_schema name, object_name name, object_type varchar, "
        "collection_type_identifier name, data_type varchar, "
        "character_maximum_length int4, character_octet_length int4, "
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "collation_catalog name, collation_schema name, collation_name name, "
        "numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, "
        "datetime_precision int4, interval_type varchar, interval_precision int4, "
        "domain_default varchar, udt_catalog name, udt_schema name, udt_name name, "
        "scope_catalog name, scope_schema name, scope_name name, "
        "maximum_cardinality int4, dtd_identifier name",
        element_rows},
    {"sequences",
        "sequence_catalog name, sequence_schema name, sequence_name name, "
        "data_type varchar, numeric_precision int4, numeric_precision_radix int4, "
        "numeric_scale int4, start_value varchar, minimum_value varchar, "
        "maximum_value varchar, increment varchar, cycle_option varchar",
        sequence_rows},
    {"information_schema_catalog_name",
        "catalog_name name",
        catalog_name_rows},
    {"character_sets",
        "character_set_catalog name, character_set_schema name, character_set_name name, "
        "character_repertoire name, form_of_use name, default_collate_catalog name, "
        "default_collate_schema name, default_collate_name name",
        character_set_rows},
    {"collations",
        "collation_catalog name, collation_schema name, collation_name name, "
        "pad_attribute varchar",
        collation_rows},
    {"collation_character_set_applicability",
        "collation_catalog name, collation_schema name, collation_name name, "
        "character_set_catalog name, character_set_schema name, character_set_name name",
        collation_set_rows},
};

void information_schema_register(void)
{
    pg_tables_register("information_schema", tables, COUNT(tables));
}
