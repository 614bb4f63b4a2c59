// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which relations and columns INSERT, UPDATE and DELETE take, for information_schema and pg_relation_is_updatable.
#include <string.h>

#include "sql/parse/parse.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/bind/view_write.h"

// The view's query, and the relation that it reads; *below NULL: it cannot be written to.
static struct status view_below(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *view, const struct select **select, const struct table_desc **below)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    *below = NULL;
    TRY(parse_sql_on_stack(arena, bytes_of_string(view->view_sql), &list));
    *select = list.items[0]->as.select;
    if (view_not_updatable(*select) != NULL) goto out;
    const struct object_name *name = &(*select)->from.items[0]->table.name;
    TRY(catalog_kept_table(task, session, name->catalog, name->schema, name->name, true, below));
out:
    return st;
}

struct status pg_relation_events(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *relation, uint32_t *events)
{
    struct status st = STATUS_OK;
    uint32_t all = PG_EVENT_UPDATE | PG_EVENT_INSERT | PG_EVENT_DELETE;
    *events = 0;
    for (uint32_t depth = 0; relation != NULL && depth < WRITTEN_VIEWS_MAX; depth++) {
        const struct select *select;
        if (relation->kind == RELATION_TABLE && !relation->materialized) *events = all;
        if (relation->kind != RELATION_VIEW) break;
        TRY(view_below(task, session, arena, relation, &select, &relation));
        if (relation != NULL && !view_has_updatable_column(select)) all = PG_EVENT_DELETE;
    }
out:
    return st;
}

struct status pg_column_is_updatable(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *relation, uint32_t column, bool *updatable)
{
    struct status st = STATUS_OK;
    *updatable = false;
    for (uint32_t depth = 0; relation != NULL && depth < WRITTEN_VIEWS_MAX; depth++) {
        const struct select *select;
        if (column >= relation->column_count) break;
        *updatable = relation->kind == RELATION_TABLE && !relation->materialized;
        if (relation->kind != RELATION_VIEW) break;
        TRY(view_below(task, session, arena, relation, &select, &relation));
        if (relation == NULL || column >= select->targets.count) break;
        const struct expr *expr = select->targets.items[column].expr;
        if (expr->kind != EXPR_COLUMN || expr->column.star) break;
        const char *name = expr->column.names[expr->column.count - 1];
        const struct column_desc *below = table_column(relation, name);
        column = below == NULL ? UINT32_MAX : (uint32_t)(below - relation->columns);
    }
out:
    return st;
}
