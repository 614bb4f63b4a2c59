// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW COLUMNS, INDEXES, CONSTRAINTS, CREATE.
#include "sql/catalog/catalog_text.h"
#include "sql/parse/deparse.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/session/show.h"

static const char *column_name(const struct table_desc *table, uint32_t id)
{
    const struct column_desc *column = table_column_by_id(table, id);
    return column == NULL ? "" : column->name;
}

static bool index_has(const struct index_desc *index, uint32_t column_id)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i].expression_sql == NULL && index->columns[i].column_id == column_id)
            return true;
    }
    for (uint32_t i = 0; i < index->stored_count; i++) {
        if (index->stored[i] == column_id) return true;
    }
    return index->primary;
}

// --- SHOW COLUMNS ------------------------------------------------------------------------------------------

static const struct result_column column_columns[] = {SHOW_TEXT("column_name"),
    SHOW_TEXT("data_type"), SHOW_BOOL("is_nullable"), SHOW_TEXT("column_default"),
    SHOW_TEXT("generation_expression"), SHOW_TEXT("indices"), SHOW_BOOL("is_hidden")};
SHOW_DESCRIBE(describe_columns, column_columns)

static const char *index_list(
    struct arena *arena, const struct table_desc *table, const struct column_desc *column)
{
    struct buffer out;
    bool first = true;
    buffer_init(&out, arena);
    buffer_append_u8(&out, '{');
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!index_has(&table->indexes[i], column->id)) continue;
        buffer_printf(&out, "%s%s", first ? "" : ",", table->indexes[i].name);
        first = false;
    }
    buffer_append_u8(&out, '}');
    return buffer_string(&out);
}

static struct status show_columns(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct table_desc *table;

    TRY(SHOW_SEND_COLUMNS(context, column_columns));
    TRY(catalog_table(context->task, context->session, show->target.catalog, show->target.schema,
        show->target.name, false, &table));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        const char *text = NULL;
        if (column->state != ELEMENT_PUBLIC) continue;
        if (column->default_sql != NULL)
            TRY(catalog_expression_text(
                context->task, context->session, context->arena, column->default_sql, &text));
        struct datum row[] = {datum_text(column->name),
            datum_text(type_format(context->arena, column->type)), datum_bool(!column->not_null),
            show_text(text), datum_text(column->generated_sql == NULL ? "" : column->generated_sql),
            datum_text(index_list(context->arena, table, column)), datum_bool(column->hidden)};
        TRY(show_row(context, row));
    }
out:
    return st;
}

// --- SHOW INDEXES ------------------------------------------------------------------------------------------

static const struct result_column index_columns[] = {SHOW_TEXT("table_name"),
    SHOW_TEXT("index_name"), SHOW_BOOL("non_unique"), SHOW_INT("seq_in_index"),
    SHOW_TEXT("column_name"), SHOW_TEXT("definition"), SHOW_TEXT("direction"), SHOW_BOOL("storing"),
    SHOW_BOOL("implicit"), SHOW_BOOL("visible"), {.name = "visibility", .type = {.oid = TYPE_FLOAT8, .typmod = -1}}};
SHOW_DESCRIBE(describe_indexes, index_columns)

struct index_line {
    const char *column, *definition, *direction;
    bool storing, implicit;
};

static struct status send_index_line(struct statement_context *context,
    const struct table_desc *table, const struct index_desc *index, int64_t position,
    struct index_line line)
{
    struct datum row[] = {datum_text(table->name), datum_text(index->name),
        datum_bool(!index->unique && !index->primary), datum_int(position), datum_text(line.column),
        datum_text(line.definition), datum_text(line.direction), datum_bool(line.storing),
        datum_bool(line.implicit), datum_bool(true), datum_real(1)};
    return show_row(context, row);
}

static struct status show_index(struct statement_context *context, const struct table_desc *table,
    const struct index_desc *index)
{
    struct status st = STATUS_OK;
    int64_t position = 1;

    for (uint32_t i = 0; i < index->column_count; i++) {
        const struct index_column *part = &index->columns[i];
        const char *name = part->expression_sql == NULL ? column_name(table, part->column_id)
                                                        : part->expression_sql;
        TRY(send_index_line(context, table, index, position++,
            (struct index_line){name, name, part->descending ? "DESC" : "ASC", false, false}));
    }
    for (uint32_t i = 0; i < index->stored_count; i++) {
        const char *name = column_name(table, index->stored[i]);
        TRY(send_index_line(context, table, index, position++,
            (struct index_line){name, name, "N/A", true, false}));
    }
    if (index->primary) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            const struct column_desc *column = &table->columns[i];
            bool in_key = false;
            for (uint32_t k = 0; k < index->column_count; k++)
                in_key |= index->columns[k].column_id == column->id;
            if (!in_key)
                TRY(send_index_line(context, table, index, position++,
                    (struct index_line){column->name, column->name, "N/A", true, false}));
        }
        goto out;
    }
    // The row's own key stands behind the index's columns.
    const struct index_desc *primary = &table->indexes[0];
    for (uint32_t i = 0; i < primary->column_count; i++) {
        if (index_has(index, primary->columns[i].column_id)) continue;
        const char *name = column_name(table, primary->columns[i].column_id);
        TRY(send_index_line(context, table, index, position++,
            (struct index_line){name, name, "ASC", index->unique, true}));
    }
out:
    return st;
}

static struct status show_indexes_of(
    struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].state == ELEMENT_PUBLIC)
            TRY(show_index(context, table, &table->indexes[i]));
    }
out:
    return st;
}

static struct status show_indexes(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct table_desc *table, **tables;
    const struct database_desc *database;
    uint32_t count;

    TRY(SHOW_SEND_COLUMNS(context, index_columns));
    if (show->object == OBJECT_DATABASE) {
        TRY(catalog_database(context->task, context->session,
            show->has_target ? show->target.name : NULL, false, &database));
        TRY(catalog_list_tables(
            context->task, context->session, context->arena, database->id, &tables, &count));
        for (uint32_t i = 0; i < count; i++)
            TRY(show_indexes_of(context, tables[i]));
        goto out;
    }
    TRY(catalog_table(context->task, context->session, show->target.catalog, show->target.schema,
        show->target.name, false, &table));
    TRY(show_indexes_of(context, table));
out:
    return st;
}

// --- SHOW CONSTRAINTS --------------------------------------------------------------------------------------

static const struct result_column constraint_columns[] = {SHOW_TEXT("table_name"),
    SHOW_TEXT("constraint_name"), SHOW_TEXT("constraint_type"), SHOW_TEXT("details"),
    SHOW_BOOL("validated")};
SHOW_DESCRIBE(describe_constraints, constraint_columns)

static struct status show_constraints(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct table_desc *table;

    TRY(SHOW_SEND_COLUMNS(context, constraint_columns));
    TRY(catalog_table(context->task, context->session, show->target.catalog, show->target.schema,
        show->target.name, false, &table));
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        struct buffer details;
        buffer_init(&details, context->arena);
        TRY(pg_constraint_definition(
            context->task, context->session, &details, table, constraint, false));
        struct datum row[] = {datum_text(table->name), datum_text(constraint->name),
            datum_text(constraint->kind == TABLE_CHECK ? "CHECK" : "FOREIGN KEY"),
            datum_text(buffer_string(&details)),
            datum_bool(!constraint->not_valid && constraint->state == ELEMENT_PUBLIC)};
        TRY(show_row(context, row));
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        struct buffer details;
        if (!index->unique && !index->primary) continue;
        buffer_init(&details, context->arena);
        pg_index_constraint_definition(&details, table, index);
        struct datum row[] = {datum_text(table->name), datum_text(index->name),
            datum_text(index_is_key(index) ? "PRIMARY KEY" : "UNIQUE"),
            datum_text(buffer_string(&details)), datum_bool(index->state == ELEMENT_PUBLIC)};
        TRY(show_row(context, row));
    }
out:
    return st;
}

// --- SHOW CREATE -------------------------------------------------------------------------------------------

static const struct result_column create_columns[] = {
    SHOW_TEXT("table_name"), SHOW_TEXT("create_statement")};
static const struct result_column create_database_columns[] = {
    SHOW_TEXT("database_name"), SHOW_TEXT("create_statement")};
static const struct result_column create_all_columns[] = {SHOW_TEXT("create_statement")};

static struct status describe_create(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    const struct show *show = context->statement->as.show;
    *count = 2;
    *columns = create_columns;
    if (show->object == OBJECT_DATABASE) *columns = create_database_columns;
    if (show->flags & SHOW_ALL) {
        *columns = create_all_columns;
        *count = 1;
    }
    return STATUS_OK;
}

static struct status show_create_all(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct table_desc **tables;
    uint32_t count;

    TRY(catalog_database(context->task, context->session, NULL, false, &database));
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, database->id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        const char *text;
        TRY(catalog_create_text(context->task, context->session, context->arena, tables[i], &text));
        struct datum row[] = {datum_text(arena_printf(context->arena, "%s;", text))};
        TRY(show_row(context, row));
    }
out:
    return st;
}

static struct status show_create(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct result_column *columns;
    const struct table_desc *table;
    const struct database_desc *database;
    const char *text;
    uint32_t count;

    TRY(describe_create(context, &columns, &count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    if (show->flags & SHOW_ALL) return show_create_all(context);
    if (show->object == OBJECT_DATABASE) {
        struct buffer out;
        TRY(catalog_database(context->task, context->session, show->target.name, false, &database));
        buffer_init(&out, context->arena);
        buffer_append_string(&out, "CREATE DATABASE ");
        deparse_identifier(&out, database->name);
        struct datum row[] = {datum_text(database->name), datum_text(buffer_string(&out))};
        return show_row(context, row);
    }
    if (show->object == OBJECT_FUNCTION || show->object == OBJECT_SCHEMA)
        return ddl_unsupported(context, "SHOW CREATE of this kind of object");
    TRY(catalog_table(context->task, context->session, show->target.catalog, show->target.schema,
        show->target.name, false, &table));
    if (show->object != OBJECT_TABLE || table->kind == RELATION_VIRTUAL)
        TRY(ddl_check_kind(context, table, show->object));
    TRY(catalog_create_text(context->task, context->session, context->arena, table, &text));
    struct datum row[] = {datum_text(table->name), datum_text(text)};
    TRY(show_row(context, row));
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SHOW_COLUMNS, HANDLER_READ_ONLY, describe_columns, show_columns},
    {STATEMENT_SHOW_INDEXES, HANDLER_READ_ONLY, describe_indexes, show_indexes},
    {STATEMENT_SHOW_CONSTRAINTS, HANDLER_READ_ONLY, describe_constraints, show_constraints},
    {STATEMENT_SHOW_CREATE, HANDLER_READ_ONLY, describe_create, show_create},
};

void show_table_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
