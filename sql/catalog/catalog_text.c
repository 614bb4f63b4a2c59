// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/catalog_text.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "sql/catalog/catalog_store.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/function/function.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/plan/plan.h"
#include "sql/session/long_parse.h"
#include "sql/session/session.h"
#include "sql/type/type_reference.h"

static void append_name(struct buffer *out, const char *name)
{
    deparse_identifier(out, name);
}

char *catalog_nextval_text(struct arena *arena, uint32_t sequence_id)
{
    return arena_printf(arena, "nextval(%u::regclass)", pg_oid(sequence_id));
}

// The name of a sequence, with its schema unless the search path finds it. NULL: there is none.
static struct status sequence_name(struct task *task, struct session *session,
    struct arena *arena, uint32_t oid, const char **text)
{
    struct status st = STATUS_OK;
    const struct table_desc *table, *visible;
    const struct schema_desc *schema;
    struct buffer out;

    *text = NULL;
    if (oid < PG_OID_BASE) return STATUS_OK;
    st = catalog_table_by_id(task, session, oid - PG_OID_BASE, &table);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK;
    TRY(st);
    TRY(catalog_table(task, session, NULL, NULL, table->name, true, &visible));
    buffer_init(&out, arena);
    if (visible == NULL || visible->id != table->id) {
        TRY(catalog_schema_by_id(task, session, table->schema_id, &schema));
        append_name(&out, schema->name);
        buffer_append_u8(&out, '.');
    }
    append_name(&out, table->name);
    *text = buffer_string(&out);
out:
    return st;
}

// What a function or type is called now, with its schema unless the search path finds it. NULL: there is none.
static struct status reference_name(struct task *task, struct session *session, struct arena *arena,
    const struct stored_reference *reference, const char **text)
{
    struct status st = STATUS_OK;
    const struct table_desc *object = NULL, *found = NULL;
    const struct schema_desc *schema;
    struct buffer out;
    bool visible = false;
    *text = NULL;
    st = catalog_table_by_id(task, session, reference->id, &object);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK;
    TRY(st);
    if (!reference->type && object->kind != RELATION_FUNCTION) return st;
    const char *name = arena_strdup(arena, object->name);
    const bool rows = !relation_is_type(object->kind);
    TRY(catalog_schema_by_id(task, session, object->schema_id, &schema));
    const char *schema_name = arena_strdup(arena, schema->name);
    if (reference->type) {
        TRY(catalog_type(task, session, NULL, NULL, name, &found));
        if (rows && found == NULL) TRY(catalog_table(task, session, NULL, NULL, name, true, &found));
        visible = found != NULL && found->id == reference->id;
    }
    for (uint32_t i = 0; !reference->type && session->search_path[i] != NULL; i++)
        visible |= strcmp(session->search_path[i], schema_name) == 0;
    buffer_init(&out, arena);
    if (!visible) {
        append_name(&out, schema_name);
        buffer_append_u8(&out, '.');
    }
    append_name(&out, name);
    *text = buffer_string(&out);
out:
    return st;
}

// nextval(107::regclass): the number is that of a sequence. *end moves behind it.
static struct status called_sequence(struct task *task, struct session *session, struct arena *arena,
    struct stored_word word, const char **end, const char **name)
{
    static const char call[] = "nextval(";
    *name = NULL;
    if (strncmp(word.start, call, sizeof call - 1) != 0) return STATUS_OK;
    char *behind;
    const unsigned long id = strtoul(word.end + 1, &behind, 10);
    if (behind == word.end + 1 || strncmp(behind, "::regclass", 10) != 0) return STATUS_OK;
    *end = behind;
    return sequence_name(task, session, arena, (uint32_t)id, name);
}

struct status catalog_expression_text(struct task *task, struct session *session,
    struct arena *arena, const char *stored, const char **text)
{
    struct status st = STATUS_OK;
    struct buffer out;
    struct stored_word word;
    const char *copied = stored, *name;
    *text = stored;
    buffer_init(&out, arena);
    for (const char *at = stored; stored_word_next(&at, &word);) {
        struct stored_reference reference;
        const char *end;
        if (stored_reference_at(arena, word, &reference)) {
            TRY(reference_name(task, session, arena, &reference, &name));
            if (name == NULL) continue;
            buffer_append(&out, copied, (size_t)(reference.start - copied));
            buffer_append_string(&out, name);
            end = reference.end;
        } else {
            TRY(called_sequence(task, session, arena, word, &end, &name));
            if (name == NULL) continue;
            buffer_append(&out, copied, (size_t)(word.end + 1 - copied));
            deparse_string(&out, bytes_of_string(name));
        }
        at = copied = end;
    }
    if (copied == stored) return st;
    buffer_append_string(&out, copied);
    *text = buffer_string(&out);
out:
    return st;
}

static struct status shorten_name(
    struct task *task, struct session *session, struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct table_desc *table, *visible;
    if (name->catalog != NULL && strcmp(name->catalog, session->database) != 0) return st;
    TRY(catalog_kept_table(task, session, name->catalog, name->schema, name->name, true, &table));
    if (table == NULL) return st;
    uint32_t id = table->id;
    name->catalog = NULL;
    TRY(catalog_table(task, session, NULL, NULL, name->name, true, &visible));
    if (visible != NULL && visible->id == id) name->schema = NULL;
out:
    return st;
}

struct status catalog_view_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *view, bool pretty, uint32_t width, const char **text)
{
    struct status st;
    struct statement_list list;
    struct ddl_tables tables;
    struct buffer out;
    const char *sql;
    TRY(catalog_expression_text(task, session, arena, view->view_sql, &sql));
    TRY(long_parse_sql(task, session, arena, bytes_of_string(sql), &list));
    invariant(list.count == 1 && list.items[0]->tag == STATEMENT_SELECT);
    ddl_collect_tables(arena, list.items[0]->as.select, &tables);
    for (uint32_t i = 0; i < tables.count; i++) TRY(shorten_name(task, session, &tables.items[i]->table.name));
    for (uint32_t i = 0; i < tables.collation_count; i++) {
        struct object_name *name = tables.collations[i];
        for (uint32_t k = 0; name->schema != NULL && session->search_path[k] != NULL; k++)
            if (strcmp(session->search_path[k], name->schema) == 0) name->schema = NULL;
    }
    buffer_init(&out, arena);
    buffer_append_u8(&out, ' ');
    deparse_select(&out, list.items[0]->as.select, DEPARSE_LINES);
    *text = buffer_string(&out);
    TRY(plan_query_text(task, session, arena, list.items[0], view, pretty, width, text));
out:
    return st;
}

// --- whole statements ----------------------------------------------------------------------------------------

static struct status append_column_definition(struct task *task, struct session *session,
    struct buffer *out, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    const char *text;

    append_name(out, column->name);
    buffer_printf(out, " %s", type_format(out->arena, column->type));
    if (column->collation != NULL)
        TRY(pg_print_collation(task, session, out, column->collation));
    if (column->hidden) buffer_append_string(out, " NOT VISIBLE");
    if (column->not_null) buffer_append_string(out, " NOT NULL");
    if (column->identity != 0) {
        buffer_printf(out, " GENERATED %s AS IDENTITY",
            column->identity == 'a' ? "ALWAYS" : "BY DEFAULT");
    } else if (column->generated_sql != NULL) {
        TRY(catalog_expression_text(task, session, out->arena, column->generated_sql, &text));
        buffer_printf(out, " GENERATED ALWAYS AS (%s) STORED", text);
    } else if (column->default_sql != NULL) {
        TRY(catalog_expression_text(task, session, out->arena, column->default_sql, &text));
        buffer_printf(out, " DEFAULT %s", text);
    }
out:
    return st;
}

static struct status append_index_definition(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table, const struct index_desc *index)
{
    if (index->from_constraint) {
        buffer_append_string(out, "CONSTRAINT ");
        append_name(out, index->name);
        buffer_append_u8(out, ' ');
        pg_index_constraint_definition(out, table, index);
        return STATUS_OK;
    }
    buffer_printf(out, "%sINDEX ", index->unique ? "UNIQUE " : index->inverted ? "INVERTED " : "");
    append_name(out, index->name);
    // Everything behind the access method reads the same here.
    struct buffer whole;
    buffer_init(&whole, out->arena);
    struct status st = pg_index_definition(task, session, &whole, table, index, "s", false);
    if (failed(st)) return st;
    const char *method = index->inverted ? " USING gin " : " USING btree ";
    buffer_append_string(out, strstr(buffer_string(&whole), method) + strlen(method) - 1);
    return st;
}

static struct status append_table_body(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    buffer_append_string(out, " (\n");
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_append_string(out, i == 0 ? "\t" : ",\n\t");
        TRY(append_column_definition(task, session, out, &table->columns[i]));
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].state != ELEMENT_PUBLIC) continue;
        buffer_append_string(out, ",\n\t");
        TRY(append_index_definition(task, session, out, table, &table->indexes[i]));
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        buffer_append_string(out, ",\n\tCONSTRAINT ");
        append_name(out, table->constraints[i].name);
        buffer_append_u8(out, ' ');
        TRY(pg_constraint_definition(
                task, session, out, table, &table->constraints[i], false));
    }
    buffer_append_string(out, "\n)");
out:
    return st;
}

struct status catalog_create_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const char **text)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    struct buffer out;

    TRY(catalog_schema_by_id(task, session, table->schema_id, &schema));
    buffer_init(&out, arena);
    buffer_append_string(&out, table->kind == RELATION_VIEW       ? "CREATE VIEW "
                               : table->kind == RELATION_SEQUENCE ? "CREATE SEQUENCE "
                                                                  : "CREATE TABLE ");
    append_name(&out, schema->name);
    buffer_append_u8(&out, '.');
    append_name(&out, table->name);
    if (table->kind == RELATION_VIEW) {
        buffer_append_string(&out, " (");
        for (uint32_t i = 0; i < table->column_count; i++) {
            if (i > 0) buffer_append_string(&out, ", ");
            append_name(&out, table->columns[i].name);
        }
        const char *query;
        TRY(catalog_expression_text(task, session, arena, table->view_sql, &query));
        buffer_printf(&out, ") AS %s", query);
    } else if (table->kind == RELATION_SEQUENCE) {
        const struct sequence_options *options = &table->sequence;
        buffer_printf(&out, " MINVALUE %lld MAXVALUE %lld INCREMENT %lld START %lld",
            (long long)options->minimum, (long long)options->maximum,
            (long long)options->increment, (long long)options->start);
        if (options->cache > 1) buffer_printf(&out, " CACHE %lld", (long long)options->cache);
        if (options->cycle) buffer_append_string(&out, " CYCLE");
    } else {
        TRY(append_table_body(task, session, &out, table));
    }
    *text = buffer_string(&out);
out:
    return st;
}
