// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW DATABASES, SCHEMAS, TABLES, SEQUENCES, TYPES, ENUMS, FUNCTIONS.
#include <stdlib.h>

#include "sql/catalog/pg_catalog.h"
#include "sql/session/show.h"

// --- SHOW DATABASES ----------------------------------------------------------------------------------------

static const struct result_column database_columns[] = {SHOW_TEXT("database_name"),
    SHOW_TEXT("owner"), SHOW_TEXT("primary_region"), SHOW_TEXT("secondary_region"),
    SHOW_TEXT("regions"), SHOW_TEXT("survival_goal")};
SHOW_DESCRIBE(describe_databases, database_columns)

static int by_database_name(const void *a, const void *b)
{
    return strcmp((*(const struct database_desc *const *)a)->name,
        (*(const struct database_desc *const *)b)->name);
}

static struct status show_databases(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct database_desc **databases;
    uint32_t count;

    TRY(SHOW_SEND_COLUMNS(context, database_columns));
    TRY(catalog_list_databases(
        context->task, context->session, context->arena, &databases, &count));
    if (count > 1) qsort(databases, count, sizeof *databases, by_database_name);
    for (uint32_t i = 0; i < count; i++) {
        struct datum row[] = {datum_text(databases[i]->name), datum_text(databases[i]->owner),
            DATUM_NULL, DATUM_NULL, datum_text("{}"), DATUM_NULL};
        TRY(show_row(context, row));
    }
out:
    return st;
}

// --- SHOW SCHEMAS ------------------------------------------------------------------------------------------

static const struct result_column schema_columns[] = {SHOW_TEXT("schema_name"), SHOW_TEXT("owner")};
SHOW_DESCRIBE(describe_schemas, schema_columns)

static const char *first_name(const struct show *show)
{
    if (!show->has_target) return NULL;
    const struct object_name *name = &show->target;
    return name->catalog != NULL ? name->catalog : name->schema != NULL ? name->schema : name->name;
}

static struct status show_schemas(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct schema_desc **schemas, *fixed;
    uint32_t count;

    TRY(SHOW_SEND_COLUMNS(context, schema_columns));
    TRY(catalog_database(context->task, context->session, first_name(context->statement->as.show),
        false, &database));
    TRY(catalog_list_schemas(
        context->task, context->session, context->arena, database->id, &schemas, &count));
    for (uint32_t i = 0; (fixed = catalog_virtual_schema_at(i)) != NULL; i++) {
        struct datum row[] = {datum_text(fixed->name), DATUM_NULL};
        TRY(show_row(context, row));
    }
    for (uint32_t i = 0; i < count; i++) {
        struct datum row[] = {datum_text(schemas[i]->name), datum_text(schemas[i]->owner)};
        TRY(show_row(context, row));
    }
out:
    return st;
}

// --- SHOW TABLES -------------------------------------------------------------------------------------------

// What SHOW TABLES FROM d.s, FROM d and FROM s mean: a schema of some database, or all of one's.
struct show_scope_ids {
    uint32_t database_id;
    uint32_t schema_id; // 0: all.
};

static struct status resolve_scope(
    struct statement_context *context, const struct show *show, struct show_scope_ids *scope)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct database_desc *database;
    const struct schema_desc *schema = NULL;
    const char *first = NULL, *second = NULL;

    *scope = (struct show_scope_ids){0};
    if (show->has_target) {
        // The parts that were written, from left to right, wherever the parser put them.
        const char *parts[] = {show->target.catalog, show->target.schema, show->target.name, NULL};
        for (int i = 0; i < 3; i++) {
            if (parts[i] == NULL) continue;
            if (first == NULL)
                first = parts[i];
            else if (second == NULL)
                second = parts[i];
        }
    }
    if (second != NULL) {
        TRY(catalog_schema(task, session, first, second, false, &schema));
        TRY(catalog_database(task, session, first, false, &database));
    } else if (first != NULL) {
        TRY(catalog_database(task, session, first, true, &database));
        if (database == NULL) {
            TRY(catalog_schema(task, session, NULL, first, true, &schema));
            if (schema == NULL)
                return ddl_error(context, E_INVALID_CATALOG_NAME,
                    "target database or schema \"%s\" does not exist", first);
            TRY(catalog_database(task, session, NULL, false, &database));
        }
    } else {
        TRY(catalog_database(task, session, NULL, false, &database));
    }
    scope->database_id = database->id;
    scope->schema_id = schema == NULL ? 0 : schema->id;
out:
    return st;
}

static const struct result_column table_columns[] = {SHOW_TEXT("schema_name"),
    SHOW_TEXT("table_name"), SHOW_TEXT("type"), SHOW_TEXT("owner"), SHOW_INT("estimated_row_count"),
    SHOW_TEXT("locality"), SHOW_TEXT("comment")};

static struct status describe_tables(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    *columns = table_columns;
    *count = context->statement->as.show->flags & SHOW_WITH_COMMENT ? 7 : 6;
    return STATUS_OK;
}

struct named_table {
    const struct table_desc *table;
    const char *schema;
};

static int by_schema_and_name(const void *a, const void *b)
{
    const struct named_table *left = a, *right = b;
    int order = strcmp(left->schema, right->schema);
    return order != 0 ? order : strcmp(left->table->name, right->table->name);
}

// Relations of the scope, with the names of their schemas, in order.
static struct status list_scope(struct statement_context *context, struct show_scope_ids scope,
    struct named_table **tables, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct table_desc **all;
    const struct schema_desc **schemas;
    uint32_t all_count, schema_count;

    *count = 0;
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, scope.database_id, &all, &all_count));
    TRY(catalog_list_schemas(context->task, context->session, context->arena, scope.database_id,
        &schemas, &schema_count));
    *tables = ARENA_ARRAY(context->arena, struct named_table, all_count);
    for (uint32_t i = 0; i < all_count; i++) {
        if (scope.schema_id != 0 && all[i]->schema_id != scope.schema_id) continue;
        struct named_table named = {.table = all[i], .schema = ""};
        for (uint32_t k = 0; k < schema_count; k++) {
            if (schemas[k]->id == all[i]->schema_id) named.schema = schemas[k]->name;
        }
        (*tables)[(*count)++] = named;
    }
    if (*count > 1) qsort(*tables, *count, sizeof **tables, by_schema_and_name);
out:
    return st;
}

static struct status comment_of(
    struct statement_context *context, uint32_t table_id, struct datum *comment)
{
    struct bytes value;
    struct status st = kv_get(context->task, context->session->txn, NULL,
        catalog_comment_key(
            context->arena, context->session->tenant, COMMENT_ON_RELATION, table_id, 0),
        context->arena, &value);
    *comment = failed(st) || value.data == NULL ? datum_text("") : datum_bytes(value);
    return st;
}

static struct status show_virtual_tables(struct statement_context *context, uint32_t schema_id)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    for (uint32_t i = 0; (table = pg_next_virtual_table(context->session, &i)) != NULL;) {
        if (table->schema_id != schema_id) continue;
        struct datum row[] = {datum_text(table->virtual_table->schema), datum_text(table->name),
            datum_text("table"), DATUM_NULL, DATUM_NULL, DATUM_NULL, datum_text("")};
        TRY(show_row(context, row));
    }
out:
    return st;
}

static struct status show_tables(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct result_column *columns;
    struct show_scope_ids scope;
    struct named_table *tables;
    uint32_t column_count, count;

    TRY(describe_tables(context, &columns, &column_count));
    TRY(context->sink->columns(context->task, context->sink, columns, column_count));
    TRY(resolve_scope(context, show, &scope));
    TRY(list_scope(context, scope, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *table = tables[i].table;
        struct datum comment = DATUM_NULL;
        if (show->flags & SHOW_WITH_COMMENT) TRY(comment_of(context, table->id, &comment));
        struct datum row[] = {datum_text(tables[i].schema), datum_text(table->name),
            datum_text(table->kind == RELATION_VIEW       ? "view"
                       : table->kind == RELATION_SEQUENCE ? "sequence"
                                                          : "table"),
            datum_text(table->owner), datum_int((int64_t)table->row_estimate), DATUM_NULL, comment};
        TRY(show_row(context, row));
    }
    if (scope.schema_id != 0) TRY(show_virtual_tables(context, scope.schema_id));
out:
    return st;
}

// --- SHOW SEQUENCES ----------------------------------------------------------------------------------------

static const struct result_column sequence_columns[] = {
    SHOW_TEXT("sequence_schema"), SHOW_TEXT("sequence_name")};
SHOW_DESCRIBE(describe_sequences, sequence_columns)

static struct status show_sequences(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct show_scope_ids scope;
    struct named_table *tables;
    uint32_t count;

    TRY(SHOW_SEND_COLUMNS(context, sequence_columns));
    TRY(resolve_scope(context, context->statement->as.show, &scope));
    TRY(list_scope(context, scope, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (tables[i].table->kind != RELATION_SEQUENCE) continue;
        struct datum row[] = {datum_text(tables[i].schema), datum_text(tables[i].table->name)};
        TRY(show_row(context, row));
    }
out:
    return st;
}

// --- SHOW TYPES, ENUMS, FUNCTIONS --------------------------------------------------------------------------

static const struct result_column type_columns[] = {
    SHOW_TEXT("schema"), SHOW_TEXT("name"), SHOW_TEXT("owner")};
SHOW_DESCRIBE(describe_types, type_columns)

static const struct result_column enum_columns[] = {
    SHOW_TEXT("schema"), SHOW_TEXT("name"), SHOW_TEXT("values"), SHOW_TEXT("owner")};
SHOW_DESCRIBE(describe_enums, enum_columns)

static const struct result_column function_columns[] = {SHOW_TEXT("schema_name"),
    SHOW_TEXT("function_name"), SHOW_TEXT("result_data_type"), SHOW_TEXT("argument_data_types"),
    SHOW_TEXT("function_type"), SHOW_TEXT("volatility")};
SHOW_DESCRIBE(describe_functions, function_columns)

// Types, enums and functions of users: there are none, CREATE refuses them.
static struct status show_types(struct statement_context *context)
{
    return SHOW_SEND_COLUMNS(context, type_columns);
}

static struct status show_enums(struct statement_context *context)
{
    return SHOW_SEND_COLUMNS(context, enum_columns);
}

static struct status show_functions(struct statement_context *context)
{
    return SHOW_SEND_COLUMNS(context, function_columns);
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SHOW_DATABASES, HANDLER_READ_ONLY, describe_databases, show_databases},
    {STATEMENT_SHOW_SCHEMAS, HANDLER_READ_ONLY, describe_schemas, show_schemas},
    {STATEMENT_SHOW_TABLES, HANDLER_READ_ONLY, describe_tables, show_tables},
    {STATEMENT_SHOW_SEQUENCES, HANDLER_READ_ONLY, describe_sequences, show_sequences},
    {STATEMENT_SHOW_TYPES, HANDLER_READ_ONLY, describe_types, show_types},
    {STATEMENT_SHOW_ENUMS, HANDLER_READ_ONLY, describe_enums, show_enums},
    {STATEMENT_SHOW_FUNCTIONS, HANDLER_READ_ONLY, describe_functions, show_functions},
};

void show_catalog_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
