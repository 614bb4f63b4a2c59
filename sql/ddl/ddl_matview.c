// SPDX-License-Identifier: GPL-3.0-or-later
//
// Materialized views: a table that keeps the rows of a query, and the query to fill it again.
#include <stdio.h>

#include "sql/ddl/ddl_internal.h"
#include "sql/session/internal.h"
#include "sql/session/relation_use.h"

static struct status fill(
    struct statement_context *context, const struct table_desc *view, uint64_t *rows)
{
    struct status st = STATUS_OK;
    struct internal_result result = {0};
    const char *name;
    TRY(ddl_qualified_name(context, view, &name));
    TRY(internal_query(context->task, context->session->tenant, context->session, context->arena,
        &result, arena_printf(context->arena, "INSERT INTO %s %s", name, view->view_sql), 0, NULL,
        NULL));
    *rows = result.row_count;
out:
    return st;
}

struct status ddl_create_materialized_view(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_table_as *create = context->statement->as.create_table_as;
    struct table_desc *view, shape;
    struct ddl_tables tables;
    struct plan *plan;
    uint64_t rows = 0;

    if (create->options.count > 0) return ddl_unsupported(context, "WITH of a materialized view");
    if (create->query->tag != STATEMENT_SELECT)
        return ddl_unsupported(context, "CREATE MATERIALIZED VIEW AS EXECUTE");
    TRY(ddl_columns_of_query(context, create, &shape));
    TRY(ddl_begin_table(
        context, &create->name, PERSISTENCE_PERMANENT, create->if_not_exists, 0, &view));
    if (view == NULL) goto out;
    ddl_take_columns(view, &shape);
    ddl_collect_tables(context->arena, create->query->as.select, &tables);
    if (tables.has_parameter)
        return ddl_error(context, E_UNDEFINED_PARAMETER,
            "materialized views may not be defined using bound parameters");
    TRY(ddl_view_query(context, create->query->as.select, &create->columns, view, &plan,
        &view->view_sql));
    view->materialized = true;
    view->populated = !create->with_no_data;
    TRY(ddl_add_rowid(context, view));
    TRY(catalog_put_table(context->task, context->session, view));
    TRY(ddl_link_view(context, view, true));
    if (create->with_no_data) goto out;
    TRY(fill(context, view, &rows));
    snprintf(context->tag, sizeof context->tag, "SELECT %llu", (unsigned long long)rows);
out:
    return st;
}

static bool has_unique_index(const struct table_desc *view)
{
    for (uint32_t i = 1; i < view->index_count; i++) {
        const struct index_desc *index = &view->indexes[i];
        bool plain = index->unique && index->predicate_sql == NULL && index->state == ELEMENT_PUBLIC;
        for (uint32_t k = 0; plain && k < index->column_count; k++)
            plain = index->columns[k].expression_sql == NULL;
        if (plain) return true;
    }
    return false;
}

// Readers keep the rows of their snapshot whether CONCURRENTLY is written or not.
struct status ddl_refresh_view(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct refresh_view *refresh = context->statement->as.refresh_view;
    struct table_desc *view;
    uint64_t rows;

    const struct table_desc *found;
    TRY(ddl_find(context, &refresh->name, false, OBJECT_OTHER, &found));
    if (!found->materialized)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "\"%s\" is not a materialized view",
            found->name);
    TRY(ddl_edit(context, &refresh->name, false, OBJECT_MATERIALIZED_VIEW, &view));
    TRY(relation_refuse_used(context, view, "REFRESH MATERIALIZED VIEW"));
    if (refresh->concurrently && refresh->with_no_data)
        return ddl_error(context, E_SYNTAX_ERROR,
            "CONCURRENTLY and WITH NO DATA options cannot be used together");
    if (refresh->concurrently && !view->populated)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "CONCURRENTLY cannot be used when the materialized view is not populated");
    if (refresh->concurrently && !has_unique_index(view)) {
        const struct schema_desc *schema;
        TRY(catalog_schema_by_id(context->task, context->session, view->schema_id, &schema));
        st = ddl_error(context, E_NOT_IN_PREREQUISITE_STATE,
            "cannot refresh materialized view \"%s.%s\" concurrently", schema->name, view->name);
        return status_hint(context->arena, st,
            "Create a unique index with no WHERE clause on one or more columns of the materialized "
            "view.");
    }
    uint32_t id = view->id;
    TRY(ddl_truncate_table(context, id, false));
    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &view));
    view->populated = !refresh->with_no_data;
    TRY(catalog_put_table(context->task, context->session, view));
    if (view->populated) TRY(fill(context, view, &rows));
out:
    return st;
}
