// SPDX-License-Identifier: GPL-3.0-or-later
//
// TRUNCATE: the rows of a table get other keys, and what lies below the old ones is erased later.
#include "sql/ddl/ddl_internal.h"
#include "sql/session/relation_use.h"

// The tables of one statement.
struct truncate_set {
    enum drop_behavior behavior;
    uint32_t *ids;
    uint32_t count;
};

static struct status add_referencing(
    struct statement_context *context, struct truncate_set *set, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        uint32_t id = table->referenced_by[i].table_id;
        const struct table_desc *child;
        if (ddl_has_id(set->ids, set->count, id)) continue;
        TRY(catalog_table_by_id(context->task, context->session, id, &child));
        if (set->behavior != DROP_CASCADE) {
            st = ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "cannot truncate a table referenced in a foreign key constraint");
            st = status_detail(
                context->arena, st, "Table \"%s\" references \"%s\".", child->name, table->name);
            return status_hint(context->arena, st,
                "Truncate table \"%s\" at the same time, or use TRUNCATE ... CASCADE.",
                child->name);
        }
        ddl_notice(context, "truncate cascades to table \"%s\"", child->name);
        DDL_APPEND(context->arena, set->ids, set->count, id);
    }
out:
    return st;
}

struct status ddl_truncate_table(
    struct statement_context *context, uint32_t id, bool restart_identity)
{
    struct status st = STATUS_OK;
    struct table_desc *table;

    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &table));
    if (ddl_is_unfinished(table))
        return ddl_error(context, E_OBJECT_IN_USE,
            "relation \"%s\" is being changed by another schema change", table->name);
    uint32_t *old = ARENA_ARRAY(context->arena, uint32_t, table->index_count);
    for (uint32_t i = 0; i < table->index_count; i++) {
        old[i] = table->indexes[i].id;
        table->indexes[i].id = table->next_index_id++;
    }
    TRY(ddl_renumber_names(context->task, context->session, table));
    TRY(catalog_put_table(context->task, context->session, table));
    TRY(kv_delete(context->task, context->session->txn,
        catalog_statistics_key(context->arena, context->session->tenant, table->id)));
    TRY(ddl_erase_later(context, table->id, old, table->index_count));
    for (uint32_t i = 0; restart_identity && i < table->column_count; i++) {
        if (table->columns[i].owned_sequence == 0) continue;
        TRY(kv_delete(context->task, context->session->txn,
            catalog_sequence_key(
                context->arena, context->session->tenant, table->columns[i].owned_sequence)));
    }
out:
    return st;
}

struct status ddl_truncate(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct truncate *truncate = context->statement->as.truncate;
    struct truncate_set set = {.behavior = truncate->behavior};

    for (uint32_t i = 0; i < truncate->tables.count; i++) {
        const struct table_desc *table;
        TRY(ddl_find(context, &truncate->tables.items[i], false, OBJECT_TABLE, &table));
        TRY(privilege_check_table(context->task, context->session, table, PRIVILEGE_TRUNCATE));
        TRY(relation_refuse_used(context, table, "TRUNCATE"));
        if (!ddl_has_id(set.ids, set.count, table->id)) DDL_APPEND(context->arena, set.ids, set.count, table->id);
    }
    const uint32_t listed = set.count;
    for (uint32_t i = 0; i < set.count; i++) {
        const struct table_desc *table;
        TRY(catalog_table_by_id(context->task, context->session, set.ids[i], &table));
        if (i >= listed) TRY(privilege_check_table(context->task, context->session, table, PRIVILEGE_TRUNCATE));
        if (i >= listed) TRY(relation_refuse_used(context, table, "TRUNCATE"));
        TRY(add_referencing(context, &set, table));
    }
    for (uint32_t i = 0; i < set.count; i++)
        TRY(ddl_truncate_table(context, set.ids[i], truncate->restart_identity));
out:
    return st;
}
