// SPDX-License-Identifier: GPL-3.0-or-later
//
// REINDEX: the rows are written anew with all their indexes, as for a change of a column's type.
#include "sql/ddl/ddl_internal.h"

#include "sql/catalog/pg_catalog.h"
#include "sql/session/execute.h"

struct reindex_options {
    bool verbose, concurrently;
};

static bool is_on(const struct expr *value)
{
    if (value == NULL || value->kind != EXPR_LITERAL) return true;
    if (value->literal.kind == LITERAL_BOOL) return value->literal.boolean;
    if (value->literal.kind == LITERAL_INTEGER) return value->literal.integer != 0;
    return !bytes_equal(value->literal.text, bytes_of_string("false")) &&
           !bytes_equal(value->literal.text, bytes_of_string("off"));
}

static struct status read_options(
    struct statement_context *context, const struct reindex *reindex, struct reindex_options *options)
{
    *options = (struct reindex_options){0};
    for (uint32_t i = 0; i < reindex->options.count; i++) {
        const struct option *option = &reindex->options.items[i];
        if (strcmp(option->name, "verbose") == 0) {
            options->verbose = is_on(option->value);
        } else if (strcmp(option->name, "concurrently") == 0) {
            options->concurrently = is_on(option->value);
        } else if (strcmp(option->name, "tablespace") == 0) {
            const char *name = option->value == NULL || option->value->kind != EXPR_LITERAL
                ? ""
                : arena_string(context->arena, option->value->literal.text);
            if (strcmp(name, "pg_default") != 0)
                return ddl_error(
                    context, E_UNDEFINED_OBJECT, "tablespace \"%s\" does not exist", name);
        } else {
            return ddl_error(context, E_SYNTAX_ERROR, "unrecognized REINDEX option \"%s\"",
                option->name);
        }
    }
    return STATUS_OK;
}

static struct status refuse_in_transaction(struct statement_context *context,
    const struct reindex *reindex, const struct reindex_options *options)
{
    const char *what = options->concurrently               ? "CONCURRENTLY"
                       : reindex->kind == REINDEX_SCHEMA   ? "SCHEMA"
                       : reindex->kind == REINDEX_SYSTEM   ? "SYSTEM"
                       : reindex->kind == REINDEX_DATABASE ? "DATABASE"
                                                           : NULL;
    if (what == NULL) return STATUS_OK;
    return statement_alone(context->session, context->arena, arena_printf(context->arena, "REINDEX %s", what));
}

static struct status rebuild(
    struct statement_context *context, uint32_t id, const struct reindex_options *options)
{
    struct status st = STATUS_OK;
    struct table_desc *source, *target;
    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &source));
    if (source->materialized && !source->populated) goto out;
    if (ddl_is_unfinished(source))
        return ddl_error(context, E_OBJECT_IN_USE,
            "relation \"%s\" is being changed by another schema change", source->name);
    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &target));
    TRY(ddl_rewrite(context, source, target, ddl_copy_columns(context->arena, source, target)));
    for (uint32_t i = 0; options->verbose && i < source->index_count; i++) {
        if (!pg_index_shown(source, &source->indexes[i])) continue;
        session_notice(context->session, "INFO",
            status_make(SQLSTATE('0', '0', '0', '0', '0'),
                arena_printf(context->arena, "index \"%s\" was reindexed", source->indexes[i].name)));
    }
out:
    return st;
}

// The table that REINDEX INDEX or TABLE is about.
static struct status find_table(
    struct statement_context *context, const struct reindex *reindex, const struct table_desc **table)
{
    struct status st = STATUS_OK;
    const struct object_name *name = &reindex->name;
    const struct index_desc *index = NULL;
    TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name, true,
        table));
    if (reindex->kind == REINDEX_INDEX) {
        if (*table != NULL)
            return ddl_error(
                context, E_WRONG_OBJECT_TYPE, "\"%s\" is not an index", (*table)->name);
        st = catalog_index(context->task, context->session, name->catalog, name->schema, name->name,
            true, table, &index);
        if (status_is(st, E_UNDEFINED_OBJECT) || (!failed(st) && index == NULL))
            return ddl_error(
                context, E_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->name);
        TRY(st);
    } else if (*table == NULL) {
        return ddl_error(context, E_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->name);
    }
    if ((*table)->kind != RELATION_TABLE)
        return ddl_error(context, E_WRONG_OBJECT_TYPE,
            "\"%s\" is not a table or materialized view", (*table)->name);
    TRY(privilege_check_owner(context->task, context->session, (*table)->owner,
        index != NULL ? OBJECT_INDEX : OBJECT_TABLE, name->name));
out:
    return st;
}

// All tables of a schema or of the database, as they are now.
static struct status find_tables(struct statement_context *context, const struct reindex *reindex,
    uint32_t **ids, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct schema_desc *schema = NULL;
    const struct database_desc *database;
    const struct table_desc **tables;
    uint32_t all;
    *ids = NULL;
    *count = 0;
    TRY(catalog_database(task, session, session->database, false, &database));
    if (reindex->kind == REINDEX_SCHEMA) {
        TRY(catalog_schema(task, session, NULL, reindex->name.name, false, &schema));
        TRY(privilege_check_owner(task, session, schema->owner, OBJECT_SCHEMA, schema->name));
    } else {
        if (strcmp(reindex->name.name, session->database) != 0)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "can only reindex the currently open database");
        if (reindex->kind == REINDEX_SYSTEM) return ddl_unsupported(context, "REINDEX SYSTEM");
        TRY(privilege_check_owner(task, session, database->owner, OBJECT_DATABASE, database->name));
    }
    uint32_t schema_id = schema == NULL ? 0 : schema->id;
    TRY(catalog_list_tables(task, session, context->arena, database->id, &tables, &all));
    for (uint32_t i = 0; i < all; i++) {
        if (tables[i]->kind != RELATION_TABLE || tables[i]->id < CATALOG_FIRST_ID ||
            (schema_id != 0 && tables[i]->schema_id != schema_id))
            continue;
        DDL_APPEND(context->arena, *ids, *count, tables[i]->id);
    }
out:
    return st;
}

struct status ddl_reindex(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct reindex *reindex = context->statement->as.reindex;
    struct reindex_options options;
    uint32_t *ids, count;

    TRY(read_options(context, reindex, &options));
    TRY(refuse_in_transaction(context, reindex, &options));
    if (reindex->kind == REINDEX_INDEX || reindex->kind == REINDEX_TABLE) {
        const struct table_desc *table;
        TRY(find_table(context, reindex, &table));
        return rebuild(context, table->id, &options);
    }
    TRY(find_tables(context, reindex, &ids, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(rebuild(context, ids[i], &options));
out:
    return st;
}
