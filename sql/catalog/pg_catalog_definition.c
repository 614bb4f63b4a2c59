// SPDX-License-Identifier: GPL-3.0-or-later
//
// Indexes and constraints as the text that makes them.
#include "sql/insight/insight.h"
#include "sql/type/collation.h"
#include "sql/catalog/pg_catalog.h"
#include <string.h>
#include "core/invariant.h"
#include "core/text.h"
#include "sql/catalog/catalog_text.h"
#include "sql/parse/deparse.h"
#include "sql/type/inverted.h"
#include "sql/plan/plan.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"

static void column_list(struct buffer *out, const struct table_desc *table, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct column_desc *column = table_column_by_id(table, ids[i]);
        if (i > 0) buffer_append_string(out, ", ");
        deparse_identifier(out, column == NULL ? "?" : column->name);
    }
}

// An index's expression: in parentheses unless it looks like a call.
static void append_expression(struct buffer *out, const char *text)
{
    size_t at = 0;
    int depth = 0;
    while ((text[at] >= 'a' && text[at] <= 'z') || (text[at] >= '0' && text[at] <= '9') ||
           text[at] == '_' || text[at] == '.')
        at++;
    bool bare = false;
    if (at > 0 && text[at] == '(') {
        // One call: its parenthesis closes at the very end. Those in quotes come in pairs or not at all.
        bool quoted = false;
        for (; text[at] != '\0'; at++) {
            if (text[at] == '\'') quoted = !quoted;
            if (quoted) continue;
            if (text[at] == '(') depth++;
            if (text[at] == ')' && --depth == 0) break;
        }
        bare = text[at] == ')' && text[at + 1] == '\0';
    }
    buffer_printf(out, bare ? "%s" : "(%s)", text);
}

struct status pg_index_column(struct task *task, struct session *session, struct buffer *out,
    const struct table_desc *table, const struct index_column *part, bool pretty)
{
    struct status st = STATUS_OK;
    const char *text;
    if (part->expression_sql != NULL) {
        TRY(plan_expression_text(task, session, out->arena, table, part->expression_sql,
            (struct type){0}, pretty, &text));
        append_expression(out, text);
    } else {
        const struct column_desc *column = table_column_by_id(table, part->column_id);
        deparse_identifier(out, column == NULL ? "?" : column->name);
    }
out:
    return st;
}

struct status pg_print_collation(
    struct task *task, struct session *session, struct buffer *out, const char *definition)
{
    struct status st = STATUS_OK;
    struct collation collation;
    const struct table_desc *made;
    const struct schema_desc *schema;
    if (!collation_parse(out->arena, definition, &collation)) return st;
    buffer_append_string(out, " COLLATE ");
    if (collation_built_in_named(collation.name) != NULL &&
        collation_built_in_named(collation.name)->id == collation.id) {
        deparse_identifier(out, collation.name);
        return st;
    }
    TRY(catalog_table_by_id(task, session, pg_id(collation.id), &made));
    TRY(catalog_schema_by_id(task, session, made->schema_id, &schema));
    bool visible = false;
    for (uint32_t i = 0; session->search_path[i] != NULL; i++)
        visible |= strcmp(session->search_path[i], schema->name) == 0;
    pg_print_name(out, visible ? NULL : schema->name, made->name);
out:
    return st;
}

// Only those that are not the type's own.
static bool shows_operator_class(const struct index_desc *index, const struct index_column *part)
{
    return index->inverted ? part->operator_class == INVERTED_JSONB_PATH : part->operator_class != 0;
}

static struct status index_columns(struct task *task, struct session *session, struct buffer *out,
    const struct table_desc *table, const struct index_desc *index, bool pretty)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (i > 0) buffer_append_string(out, ", ");
        TRY(pg_index_column(task, session, out, table, &index->columns[i], pretty));
        const struct index_column *part = &index->columns[i];
        const struct column_desc *column =
            part->expression_sql != NULL ? NULL : table_column_by_id(table, part->column_id);
        if (part->collation != NULL &&
            collation_definition_id(part->collation) !=
                pg_column_collation(column, column == NULL ? TYPE_TEXT : column->type.oid))
            TRY(pg_print_collation(task, session, out, part->collation));
        if (shows_operator_class(index, part))
            buffer_printf(out, " %s", pg_operator_class_name(part->operator_class));
        if (part->descending) buffer_append_string(out, " DESC");
        if (part->nulls_reversed)
            buffer_append_string(out, part->descending ? " NULLS LAST" : " NULLS FIRST");
    }
out:
    return st;
}

struct status pg_index_predicate(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct index_desc *index, bool pretty, const char **text)
{
    *text = NULL;
    if (index->predicate_sql == NULL) return STATUS_OK;
    return plan_expression_text(
        task, session, arena, table, index->predicate_sql, TYPE_OF(TYPE_BOOL), pretty, text);
}

static void included_columns(
    struct buffer *out, const struct table_desc *table, const struct index_desc *index)
{
    if (index->stored_count == 0) return;
    buffer_append_string(out, " INCLUDE (");
    column_list(out, table, index->stored, index->stored_count);
    buffer_append_u8(out, ')');
}

struct status pg_index_definition(struct task *task, struct session *session, struct buffer *out,
    const struct table_desc *table, const struct index_desc *index, const char *schema, bool pretty)
{
    struct status st;
    const char *predicate;
    buffer_printf(out, "CREATE %sINDEX ", index->unique || index->primary ? "UNIQUE " : "");
    deparse_identifier(out, index->name);
    buffer_append_string(out, " ON ");
    pg_print_name(out, schema, table->name);
    buffer_printf(out, " USING %s (", index->inverted ? "gin" : "btree");
    TRY(index_columns(task, session, out, table, index, pretty));
    buffer_append_u8(out, ')');
    included_columns(out, table, index);
    if (index->nulls_not_distinct) buffer_append_string(out, " NULLS NOT DISTINCT");
    TRY(pg_index_predicate(task, session, out->arena, table, index, pretty, &predicate));
    if (predicate != NULL) buffer_printf(out, " WHERE %s", predicate);
out:
    return st;
}

// Those of constraints have neither expressions nor a condition.
void pg_index_constraint_definition(
    struct buffer *out, const struct table_desc *table, const struct index_desc *index)
{
    buffer_append_string(out, index_is_key(index)       ? "PRIMARY KEY ("
                              : index->nulls_not_distinct ? "UNIQUE NULLS NOT DISTINCT ("
                                                          : "UNIQUE (");
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (i > 0) buffer_append_string(out, ", ");
        column_list(out, table, &index->columns[i].column_id, 1);
    }
    buffer_append_u8(out, ')');
    included_columns(out, table, index);
    if (index->deferrable) buffer_append_string(out, " DEFERRABLE");
    if (index->initially_deferred) buffer_append_string(out, " INITIALLY DEFERRED");
}

static void reference_action(struct buffer *out, const char *when, enum reference_action action)
{
    static const char *const names[] = {"NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"};
    if (action != REFERENCE_NO_ACTION) buffer_printf(out, " ON %s %s", when, names[action]);
}

struct status pg_constraint_definition(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table, const struct constraint_desc *constraint,
    bool pretty)
{
    struct status st = STATUS_OK;
    if (constraint->kind == TABLE_CHECK) {
        const char *text;
        TRY(plan_expression_text(task, session, out->arena, table, constraint->check_sql,
            TYPE_OF(TYPE_BOOL), pretty, &text));
        buffer_printf(out, "CHECK (%s)%s", text, constraint->no_inherit ? " NO INHERIT" : "");
    } else {
        const struct table_desc *referenced;
        TRY(catalog_table_by_id(task, session, constraint->referenced_table, &referenced));
        buffer_append_string(out, "FOREIGN KEY (");
        column_list(out, table, constraint->columns, constraint->column_count);
        buffer_append_string(out, ") REFERENCES ");
        const struct schema_desc *schema;
        bool visible;
        TRY(pg_relation_visible(
            task, session, &(struct pg_relation){.table = referenced}, &visible));
        TRY(catalog_schema_by_id(task, session, referenced->schema_id, &schema));
        pg_print_name(out, visible ? NULL : schema->name, referenced->name);
        buffer_append_u8(out, '(');
        column_list(out, referenced, constraint->referenced_columns, constraint->column_count);
        buffer_append_u8(out, ')');
        if (constraint->match_full) buffer_append_string(out, " MATCH FULL");
        reference_action(out, "UPDATE", constraint->on_update);
        reference_action(out, "DELETE", constraint->on_delete);
        if (constraint->deferrable) buffer_append_string(out, " DEFERRABLE");
        if (constraint->initially_deferred) buffer_append_string(out, " INITIALLY DEFERRED");
    }
    if (constraint->not_valid) buffer_append_string(out, " NOT VALID");
out:
    return st;
}
