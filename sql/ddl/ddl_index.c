// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE INDEX.
#include "sql/ddl/ddl_internal.h"
#include "sql/plan/plan.h"

#include "sql/ddl/schema_change.h"
#include "sql/session/execute.h"
#include "sql/session/relation_use.h"

// What a gin index has nothing to do with, in PostgreSQL's words.
static struct status check_inverted(
    struct statement_context *context, const struct create_index *create)
{
    const char *what = create->unique               ? "unique indexes"
                       : create->storing.count > 0 ? "included columns"
                                                   : NULL;
    if (what != NULL)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "access method \"gin\" does not support %s", what);
    for (uint32_t i = 0; i < create->elements.count; i++) {
        const struct index_element *element = &create->elements.items[i];
        if (element->direction != SORT_DEFAULT)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "access method \"gin\" does not support ASC/DESC options");
        if (element->nulls != SORT_NULLS_DEFAULT)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "access method \"gin\" does not support NULLS FIRST/LAST options");
    }
    return STATUS_OK;
}

enum index_kind ddl_index_kind(const struct create_index *create)
{
    if (create->inverted || (create->method != NULL && strcmp(create->method, "gin") == 0))
        return INDEX_INVERTED;
    return create->unique ? INDEX_UNIQUE : INDEX_PLAIN;
}

struct status ddl_check_index(
    struct statement_context *context, const struct create_index *create)
{
    bool inverted = ddl_index_kind(create) == INDEX_INVERTED;
    if (create->not_visible) return ddl_unsupported(context, "a not visible index");
    if (inverted) {
        struct status st = check_inverted(context, create);
        if (failed(st)) return st;
    }
    if (create->method != NULL && !inverted && strcmp(create->method, "btree") != 0) {
        if (strcmp(create->method, "gist") == 0 ||
            strcmp(create->method, "hash") == 0 || strcmp(create->method, "brin") == 0 ||
            strcmp(create->method, "spgist") == 0)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "access method \"%s\" is not supported", create->method);
        return ddl_error(
            context, E_UNDEFINED_OBJECT, "access method \"%s\" does not exist", create->method);
    }
    for (uint32_t i = 0; i < create->options.count; i++) {
        const char *name = create->options.items[i].name;
        bool known = inverted ? strcmp(name, "fastupdate") == 0 ||
                                    strcmp(name, "gin_pending_list_limit") == 0
                              : strcmp(name, "fillfactor") == 0;
        if (!known)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE, "unrecognized parameter \"%s\"",
                name);
        ddl_notice(context, "storage parameter \"%s\" has no effect", name);
    }
    return STATUS_OK;
}

struct status ddl_choose_index_name(struct statement_context *context, struct table_desc *table,
    const struct create_index *create, const char **name)
{
    struct buffer columns;
    buffer_init(&columns, context->arena);
    for (uint32_t i = 0; i < create->elements.count && columns.size < 200; i++) {
        const struct index_element *element = &create->elements.items[i];
        const char *column = element->column;
        if (column == NULL && element->expr->kind == EXPR_FUNCTION)
            column = element->expr->function->name;
        buffer_printf(&columns, "%s%s", i == 0 ? "" : "_", column == NULL ? "expr" : column);
    }
    for (uint32_t i = 0; i < create->storing.count && columns.size < 200; i++)
        buffer_printf(&columns, "_%s", create->storing.items[i]);
    return ddl_choose_name(context, table->database_id, table->schema_id, table->name,
        buffer_string(&columns), "idx", name);
}

static struct status publish_or_fill(struct statement_context *context,
    const struct table_desc *source, struct table_desc *target, struct index_desc *index)
{
    struct status st = STATUS_OK;
    bool more = false, plain = index->predicate_sql == NULL;
    for (uint32_t i = 0; i < index->column_count; i++)
        plain &= index->columns[i].expression_sql == NULL;
    if (context->session->txn_state == TXN_IMPLICIT)
        TRY(ddl_has_more_rows(context, source, ddl_inline_rows(context), &more));
    if (more) {
        index->state = ELEMENT_WRITE_ONLY;
        TRY(schema_change_publish(context, target));
        goto out;
    }
    if (!plain) {
        // Expressions are looked at before the rows that are there are asked for.
        TRY(catalog_put_table(context->task, context->session, target));
        TRY(ddl_validate_expressions(context, target));
    }
    TRY(ddl_fill_indexes(context, source, target, &index->id, 1));
    TRY(catalog_put_table(context->task, context->session, target));
out:
    return st;
}

struct status ddl_create_index(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_index *create = context->statement->as.create_index;
    const struct table_desc *found;
    struct table_desc *table, *source;
    struct index_desc *index;
    struct name_value value;
    const char *name = create->name;

    if (create->concurrently)
        TRY(statement_alone(context->session, context->arena, "CREATE INDEX CONCURRENTLY"));
    TRY(ddl_check_index(context, create));
    TRY(ddl_find(context, &create->table, false, OBJECT_OTHER, &found));
    enum object_kind kind = found->materialized ? OBJECT_MATERIALIZED_VIEW : OBJECT_TABLE;
    if (found->kind == RELATION_VIEW || found->kind == RELATION_SEQUENCE)
        return status_detail(context->arena,
            ddl_error(context, E_WRONG_OBJECT_TYPE, "cannot create index on relation \"%s\"",
                found->name),
            "This operation is not supported for %s.",
            found->kind == RELATION_VIEW ? "views" : "sequences");
    TRY(ddl_check_kind(context, found, kind));
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_TABLE, found->name));
    TRY(relation_refuse_used(context, found, "CREATE INDEX"));
    TRY(ddl_may_create_in(context, found->schema_id));
    if (name != NULL) {
        TRY(catalog_peek_name(
            context->task, context->session, found->database_id, found->schema_id, name, &value));
        if (value.id != 0) {
            if (!create->if_not_exists) return ddl_name_taken(context, name);
            ddl_notice_exists(context, E_DUPLICATE_TABLE, "relation \"%s\" already exists, skipping", name);
            goto out;
        }
    }
    TRY(ddl_edit(context, &create->table, false, kind, &table));
    source = ARENA_NEW(context->arena, struct table_desc);
    *source = *table;
    if (name == NULL) TRY(ddl_choose_index_name(context, table, create, &name));
    TRY(ddl_add_index(context, table, name, &create->elements, &create->storing,
        ddl_index_kind(create), false, &index));
    index->nulls_not_distinct = index->unique && create->nulls_not_distinct;
    if (create->where != NULL) {
        struct ddl_expr_info info;
        ddl_expr_info(context->arena, create->where, &info);
        TRY(ddl_check_immutable(
            context, &info, "functions in index predicate must be marked IMMUTABLE"));
        TRY(ddl_check_text(
            context, create->where, "index predicate", table, NULL, NULL, &index->predicate_sql));
        struct plan_expression look = {.table = table, .expr = create->where, .clause = "index predicates",
            .text = context->text};
        TRY(plan_expression_look(context->task, context->session, context->arena, &look));
        if (!look.immutable)
            return ddl_error(context, E_INVALID_OBJECT_DEFINITION, "functions in index predicate must be marked IMMUTABLE");
    }
    TRY(publish_or_fill(context, source, table, index));
out:
    return st;
}
