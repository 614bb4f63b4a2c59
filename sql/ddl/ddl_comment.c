// SPDX-License-Identifier: GPL-3.0-or-later
//
// COMMENT ON; and what becomes of comments whose object is copied or goes.
#include "kv/key.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/ddl/ddl_large_object.h"
#include "sql/user/role.h"

static struct status comment_constraint(struct statement_context *context,
    const struct table_desc *table, const char *name, uint32_t *id)
{
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (strcmp(table->constraints[i].name, name) != 0) continue;
        *id = catalog_constraint_oid(table->id, table->constraints[i].id);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!table->indexes[i].from_constraint || strcmp(table->indexes[i].name, name) != 0)
            continue;
        *id = catalog_index_oid(table->id, table->indexes[i].id);
        return STATUS_OK;
    }
    return ddl_error(context, E_UNDEFINED_OBJECT,
        "constraint \"%s\" for table \"%s\" does not exist", name, table->name);
}

// A relation, or a part of one.
static struct status relation_target(struct statement_context *context,
    const struct comment *comment, uint32_t *class_id, uint32_t *object_id, uint32_t *sub_id)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    TRY(ddl_find(context, &comment->name, false,
        comment->object == OBJECT_COLUMN       ? OBJECT_OTHER
        : comment->object == OBJECT_CONSTRAINT ? OBJECT_TABLE
                                               : comment->object,
        &table));
    TRY(privilege_check_owner(
        context->task, context->session, table->owner, OBJECT_TABLE, table->name));
    *object_id = table->id;
    if (comment->object == OBJECT_COLUMN) {
        const struct column_desc *column = table_column(table, comment->part);
        if (column == NULL)
            return ddl_error(context, E_UNDEFINED_COLUMN,
                "column \"%s\" of relation \"%s\" does not exist", comment->part, table->name);
        *sub_id = column->id;
    }
    if (comment->object == OBJECT_CONSTRAINT) {
        *class_id = COMMENT_ON_CONSTRAINT;
        TRY(comment_constraint(context, table, comment->part, object_id));
    }
out:
    return st;
}

// What the comment is on, with the owner checked.
static struct status comment_target(struct statement_context *context,
    const struct comment *comment, uint32_t *class_id, uint32_t *object_id, uint32_t *sub_id)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct table_desc *table;
    const struct index_desc *index;
    const struct database_desc *database;
    const struct schema_desc *schema;
    struct large_object object;

    *class_id = COMMENT_ON_RELATION;
    *sub_id = 0;
    switch (comment->object) {
    case OBJECT_DATABASE:
        TRY(catalog_database(task, session, comment->name.name, false, &database));
        TRY(privilege_check_owner(task, session, database->owner, OBJECT_DATABASE, database->name));
        *class_id = COMMENT_ON_DATABASE;
        *object_id = database->id;
        break;
    case OBJECT_SCHEMA:
        TRY(catalog_schema(task, session, NULL, comment->name.name, false, &schema));
        TRY(privilege_check_owner(task, session, schema->owner, OBJECT_SCHEMA, schema->name));
        *class_id = COMMENT_ON_SCHEMA;
        *object_id = schema->id;
        break;
    case OBJECT_INDEX:
        TRY(ddl_find_index(context, &comment->name, false, &table, &index));
        TRY(privilege_check_owner(task, session, table->owner, OBJECT_INDEX, index->name));
        *object_id = catalog_index_oid(table->id, index->id);
        break;
    case OBJECT_EXTENSION:
        *class_id = COMMENT_ON_EXTENSION;
        *object_id = pg_extension_oid(comment->name.name);
        if (*object_id == 0)
            return ddl_error(context, E_UNDEFINED_OBJECT, "extension \"%s\" does not exist", comment->name.name);
        TRY(privilege_check_owner(task, session, ROLE_ADMIN, OBJECT_EXTENSION, comment->name.name));
        TRY(catalog_database(task, session, NULL, false, &database));
        *sub_id = database->id;
        break;
    case OBJECT_ROLE:
        TRY(privilege_check_superuser(task, session, "comment on a role"));
        *class_id = COMMENT_ON_ROLE;
        TRY(role_id(task, session, comment->name.name, object_id));
        break;
    case OBJECT_TYPE:
    case OBJECT_DOMAIN:
        TRY(catalog_type(task, session, comment->name.catalog, comment->name.schema,
            comment->name.name, &table));
        if (table == NULL)
            return ddl_error(context, E_UNDEFINED_OBJECT, "type \"%s\" does not exist",
                comment->name.name);
        TRY(privilege_check_owner(task, session, table->owner, OBJECT_TYPE, table->name));
        *class_id = COMMENT_ON_TYPE;
        *object_id = table->id;
        break;
    case OBJECT_STATISTICS:
        *class_id = COMMENT_ON_STATISTICS;
        TRY(ddl_find_statistics(context, &comment->name, object_id));
        break;
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
        *class_id = COMMENT_ON_FUNCTION;
        TRY(ddl_function_id(context, &comment->name, comment->object, object_id));
        break;
    case OBJECT_LARGE_OBJECT:
        TRY(ddl_find_large_object(context, &comment->name, &object));
        TRY(large_object_check_owner(task, session, &object));
        *class_id = COMMENT_ON_LARGE_OBJECT;
        *object_id = object.oid;
        *sub_id = object.database_id;
        break;
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATERIALIZED_VIEW:
    case OBJECT_SEQUENCE:
    case OBJECT_COLUMN:
    case OBJECT_CONSTRAINT:
        TRY(relation_target(context, comment, class_id, object_id, sub_id));
        break;
    default:
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "COMMENT ON %s is not supported",
            object_kind_name(comment->object));
    }
out:
    return st;
}

struct status ddl_comment(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct comment *comment = context->statement->as.comment;
    uint32_t class_id, object_id, sub_id;

    TRY(comment_target(context, comment, &class_id, &object_id, &sub_id));
    struct bytes key =
        catalog_comment_key(context->arena, context->session->tenant, class_id, object_id, sub_id);
    bool remove = comment->is_null || comment->text.size == 0;
    if (remove && (class_id == COMMENT_ON_SCHEMA || class_id == COMMENT_ON_EXTENSION))
        TRY(kv_put(context->task, context->session->txn, key, COMMENT_TAKEN_AWAY));
    else if (remove)
        TRY(kv_delete(context->task, context->session->txn, key));
    else
        TRY(kv_put(context->task, context->session->txn, key, comment->text));
out:
    return st;
}

// --- with their objects ----------------------------------------------------------------------------------

struct status ddl_copy_comment(struct statement_context *context, uint32_t class_id, uint32_t from, uint32_t from_sub,
    uint32_t to, uint32_t to_sub)
{
    struct status st = STATUS_OK;
    const uint64_t tenant = context->session->tenant;
    struct bytes text;
    TRY(kv_get(context->task, context->session->txn, NULL,
        catalog_comment_key(context->arena, tenant, class_id, from, from_sub), context->arena, &text));
    if (text.data != NULL)
        TRY(kv_put(context->task, context->session->txn,
            catalog_comment_key(context->arena, tenant, class_id, to, to_sub), text));

out:
    return st;
}

struct status ddl_delete_comments(
    struct statement_context *context, uint32_t class_id, uint32_t object_id)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch batch;
    struct buffer prefix;

    buffer_init(&prefix, context->arena);
    catalog_append_index_prefix(&prefix, context->session->tenant, CATALOG_COMMENTS, 1);
    key_append_uvarint(&prefix, class_id);
    key_append_uvarint(&prefix, object_id);
    struct bytes start = buffer_bytes(&prefix);
    kv_scan_init(&scan, (struct span){start, key_prefix_end(context->arena, start)});
    for (;;) {
        TRY(kv_scan_next(context->task, context->session->txn, &scan, context->arena, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++)
            TRY(kv_delete(context->task, context->session->txn, batch.pairs[i].key));
    }
out:
    return st;
}
