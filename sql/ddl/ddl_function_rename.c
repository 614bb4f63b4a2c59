// SPDX-License-Identifier: GPL-3.0-or-later
//
// What functions' bodies in SQL-standard form say of tables and columns that get other names, or go. Views: ddl_view_rename.c.
#include "sql/bind/resolution.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/function/function_sql.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"

// The body's statements as they are bound now.
static struct status read_body(struct statement_context *context, const struct table_desc *function,
    struct ddl_kept_query **queries)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct function_desc *desc = &function->function;
    struct type *types = ARENA_ARRAY(context->arena, struct type, function->column_count + 1);
    const char **names = ARENA_ARRAY(context->arena, const char *, function->column_count + 1);
    struct function_frame frame;
    ddl_function_frame(function, &frame, names, types);
    *queries = ARENA_ARRAY(context->arena, struct ddl_kept_query, desc->statement_count + 1);
    for (uint32_t i = 0; i < desc->statement_count; i++) {
        struct ddl_kept_query *query = &(*queries)[i];
        const struct bytes text = bytes_of_string(desc->statements[i].sql);
        struct statement_list list;
        struct plan *plan;
        TRY(parse_sql_on_stack(context->arena, text, &list));
        query->statement = list.items[0];
        query->resolutions = ARENA_NEW(context->arena, struct resolutions);
        const struct function_frame *outer = session->frame;
        session->frame = &frame;
        frame.kept = true;
        st = plan_resolve(context->task, session, context->arena, query->statement, text, types,
            frame.count, query->resolutions, &plan);
        session->frame = outer;
        TRY(st);
        ddl_collect_statement(context->arena, query->statement, &query->tables);
    }
out:
    return st;
}

static struct status depends_on(struct statement_context *context, const struct table_desc *function,
    const struct ddl_rename_in_views *rename, bool *depends)
{
    struct status st = STATUS_OK;
    *depends = rename->of_type; // Nobody keeps which functions are about a type.
    for (uint32_t i = 0; i < function->depends_on_count && !*depends; i++) {
        const struct table_desc *table;
        if (rename->table_id != 0) {
            *depends = function->depends_on[i] == rename->table_id;
            continue;
        }
        TRY(catalog_table_by_id(context->task, context->session, function->depends_on[i], &table));
        *depends = table->schema_id == rename->schema_id;
    }
out:
    return st;
}

struct status ddl_rename_in_functions(
    struct statement_context *context, const struct ddl_rename_in_views *rename)
{
    struct status st = STATUS_OK;
    const struct table_desc **functions;
    const struct database_desc *database;
    uint32_t count;
    TRY(catalog_database(context->task, context->session, context->session->database, false, &database));
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, database->id, &functions, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct table_desc *function;
        struct ddl_kept_query *queries;
        bool depends;
        if (functions[i]->function.body_kind == 'q') continue;
        TRY(depends_on(context, functions[i], rename, &depends));
        if (!depends) continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, functions[i]->id, &function));
        TRY(read_body(context, function, &queries));
        for (uint32_t k = 0; k < function->function.statement_count; k++) {
            struct buffer text;
            TRY(ddl_rename_in_query(context, &queries[k], rename));
            buffer_init(&text, context->arena);
            deparse_statement(&text, queries[k].statement, 0);
            function->function.statements[k].sql = buffer_string(&text);
        }
        TRY(ddl_write_body(context, function));
        TRY(catalog_put_table(context->task, context->session, function));
    }
out:
    return st;
}

static bool assigns(const struct assignment_list *list, const char *column)
{
    for (uint32_t i = 0; i < list->count; i++)
        for (uint32_t k = 0; k < list->items[i].count; k++)
            if (strcmp(list->items[i].columns[k], column) == 0) return true;
    return false;
}

// Whether it writes to the column by its name.
static struct status writes_to(struct statement_context *context, struct statement *statement,
    const struct table_desc *table, const char *column, bool *writes)
{
    struct status st = STATUS_OK;
    const struct object_name *name = &ddl_written_table(statement)->name;
    const struct table_desc *written;
    TRY(catalog_kept_table(
        context->task, context->session, name->catalog, name->schema, name->name, true, &written));
    if (written == NULL || written->id != table->id) goto out;
    if (statement->tag == STATEMENT_UPDATE) *writes |= assigns(&statement->as.update->assignments, column);
    if (statement->tag != STATEMENT_INSERT) goto out;
    const struct insert *insert = statement->as.insert;
    *writes |= assigns(&insert->conflict_assignments, column);
    for (uint32_t i = 0; i < insert->columns.count; i++)
        *writes |= strcmp(insert->columns.items[i], column) == 0;
    for (uint32_t i = 0; i < insert->conflict_elements.count; i++) {
        const char *element = insert->conflict_elements.items[i].column;
        *writes |= element != NULL && strcmp(element, column) == 0;
    }
out:
    return st;
}

struct status ddl_functions_using(struct statement_context *context, const struct table_desc *table,
    const struct column_desc *column, struct table_desc ***users, uint32_t *user_count)
{
    struct status st = STATUS_OK;
    const struct ddl_rename_in_views about = {
        .table_id = table->id, .of_type = table->kind == RELATION_COMPOSITE};
    const uint32_t table_id = table->id, column_id = column->id;
    const char *name = arena_strdup(context->arena, column->name);
    const struct table_desc **functions;
    uint32_t count;
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, table->database_id, &functions, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct table_desc *function;
        struct ddl_kept_query *queries;
        bool uses = false;
        if (functions[i]->function.body_kind == 'q') continue;
        TRY(depends_on(context, functions[i], &about, &uses));
        if (!uses) continue;
        uses = false;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, functions[i]->id, &function));
        TRY(read_body(context, function, &queries));
        for (uint32_t k = 0; k < function->function.statement_count && !uses; k++) {
            uses = resolutions_use(queries[k].resolutions, table_id, column_id);
            for (uint32_t w = 0; w < queries[k].tables.write_count && !about.of_type; w++)
                TRY(writes_to(context, queries[k].tables.writes[w], table, name, &uses));
        }
        if (uses) DDL_APPEND(context->arena, *users, *user_count, function);
    }
out:
    return st;
}
