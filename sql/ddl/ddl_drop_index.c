// SPDX-License-Identifier: GPL-3.0-or-later
//
// DROP INDEX.
#include "sql/ddl/ddl_internal.h"
#include "sql/session/execute.h"

static struct status find_index(struct statement_context *context, const struct object_name *name,
    bool missing_ok, const struct table_desc **table, const struct index_desc **index)
{
    struct status st = STATUS_OK;
    if (name->table == NULL)
        return catalog_index(context->task, context->session, name->catalog, name->schema,
            name->name, missing_ok, table, index);
    *index = NULL;
    TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->table,
        missing_ok, table));
    if (*table == NULL) goto out;
    for (uint32_t i = 0; i < (*table)->index_count; i++) {
        if (strcmp((*table)->indexes[i].name, name->name) == 0) *index = &(*table)->indexes[i];
    }
    if (*index == NULL && !missing_ok)
        st = ddl_error(context, E_UNDEFINED_OBJECT, "index \"%s\" does not exist", name->name);
out:
    return st;
}

static struct status drop_index(
    struct statement_context *context, const struct table_desc *found, uint32_t index_id)
{
    struct status st = STATUS_OK;
    struct table_desc *table;

    TRY(catalog_edit_table(context->task, context->session, context->arena, found->id, &table));
    TRY(privilege_check_owner(
        context->task, context->session, table->owner, OBJECT_TABLE, table->name));
    if (ddl_is_unfinished(table))
        return ddl_error(context, E_OBJECT_IN_USE,
            "relation \"%s\" is being changed by another schema change", table->name);
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct index_desc index = table->indexes[i];
        if (index.id != index_id) continue;
        if (index.from_constraint || index.primary) {
            st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
                "cannot drop index %s because constraint %s on table %s requires it", index.name,
                index.name, ddl_shown(context, table));
            return status_hint(context->arena, st,
                "You can drop constraint %s on table %s instead.", index.name, ddl_shown(context, table));
        }
        DDL_REMOVE(table->indexes, table->index_count, i);
        TRY(catalog_free_name(
            context->task, context->session, table->database_id, table->schema_id, index.name));
        TRY(ddl_delete_comments(
            context, COMMENT_ON_RELATION, catalog_index_oid(table->id, index.id)));
        TRY(ddl_erase_later(context, table->id, &index.id, 1));
        TRY(catalog_put_table(context->task, context->session, table));
        break;
    }
out:
    return st;
}

struct status ddl_drop_indexes(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;

    if (drop->concurrently)
        TRY(statement_alone(context->session, context->arena, "DROP INDEX CONCURRENTLY"));
    for (uint32_t i = 0; i < drop->names.count; i++) {
        const struct table_desc *table;
        const struct index_desc *index;
        const struct object_name *name = &drop->names.items[i];
        st = find_index(context, name, drop->if_exists, &table, &index);
        if (name->table == NULL && status_is(st, E_WRONG_OBJECT_TYPE))
            return ddl_use_other_drop(context, st, name);
        TRY(st);
        if (index == NULL) {
            ddl_notice(context, "index \"%s\" does not exist, skipping", drop->names.items[i].name);
            continue;
        }
        TRY(drop_index(context, table, index->id));
    }
out:
    return st;
}
