// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE TABLE and CREATE TABLE AS.
#include "sql/bind/bind.h"
#include "sql/type/collation.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/catalog/pg_catalog.h"

#include <stdio.h>
#include "sql/parse/deparse.h"
#include "sql/session/internal.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/ddl/temp.h"

static struct status check_generated(
    struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct expr *expr;
    struct ddl_expr_info info;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generated_sql == NULL) continue;
        TRY(parse_expression_on_stack(
            context->arena, bytes_of_string(table->columns[i].generated_sql), &expr));
        ddl_expr_info(context->arena, expr, &info);
        for (uint32_t k = 0; k < info.column_count; k++) {
            const struct column_desc *used = table_column(table, info.columns[k]);
            if (used == NULL || used->generated_sql == NULL) continue;
            st = ddl_error(context, E_INVALID_OBJECT_DEFINITION,
                "cannot use generated column \"%s\" in column generation expression", used->name);
            return status_detail(context->arena, st,
                "A generated column cannot reference another generated column.");
        }
    }

out:
    return st;
}

static struct status check_generated_immutable(
    struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct expr *expr;
    struct plan_expression look = {.table = table, .clause = "column generation expressions", .immutable = true};
    for (uint32_t i = 0; i < table->column_count && look.immutable; i++) {
        if (table->columns[i].generated_sql == NULL) continue;
        TRY(parse_expression_on_stack(
            context->arena, bytes_of_string(table->columns[i].generated_sql), &expr));
        look.expr = expr;
        TRY(plan_expression_look(context->task, context->session, context->arena, &look));
    }
    if (!look.immutable) st = ddl_error(context, E_INVALID_OBJECT_DEFINITION, "generation expression is not immutable");

out:
    return st;
}

struct status ddl_validate_expressions(
    struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    struct plan *plan;
    uint32_t param_count = 0;
    const char *name;
    bool needed = false;

    for (uint32_t i = 0; i < table->column_count; i++)
        needed |= (table->columns[i].default_sql != NULL && !table->columns[i].hidden) ||
                  table->columns[i].generated_sql != NULL;
    for (uint32_t i = 0; i < table->constraint_count; i++)
        needed |= table->constraints[i].kind == TABLE_CHECK;
    for (uint32_t i = 0; i < table->index_count; i++) {
        needed |= table->indexes[i].predicate_sql != NULL;
        for (uint32_t k = 0; k < table->indexes[i].column_count; k++)
            needed |= table->indexes[i].columns[k].expression_sql != NULL;
    }
    if (!needed || table->id < CATALOG_FIRST_ID) goto out;
    TRY(check_generated(context, table));
    TRY(ddl_qualified_name(context, table, &name));
    struct bytes text =
        bytes_of_string(arena_printf(context->arena, "INSERT INTO %s DEFAULT VALUES", name));
    TRY(parse_sql_on_stack(context->arena, text, &list));
    bool internal = context->session->internal;
    context->session->internal |= table->materialized; // Which nobody else inserts into.
    st = plan_build(context->task, context->session, context->arena, list.items[0], text, NULL,
        &param_count, &plan);
    context->session->internal = internal;
    // Positions would point into a statement that the client did not write.
    if (failed(st)) return status_position(context->arena, st, 0);
    st = check_generated_immutable(context, table);
out:
    return st;
}

// --- LIKE ----------------------------------------------------------------------------------------

// Bits of PostgreSQL's TableLikeOption.
enum {
    LIKE_COMMENTS = 1 << 0,
    LIKE_CONSTRAINTS = 1 << 2,
    LIKE_DEFAULTS = 1 << 3,
    LIKE_GENERATED = 1 << 4,
    LIKE_IDENTITY = 1 << 5,
    LIKE_INDEXES = 1 << 6,
    LIKE_STATISTICS = 1 << 7,
};

// A column of its own numbers; an identity gets a sequence of its own.
static struct status copy_column(struct statement_context *context, struct table_desc *table,
    const struct column_desc *source, uint32_t options)
{
    struct status st = STATUS_OK;
    struct column_desc column = *source;
    if (ddl_column(table, column.name) != NULL)
        return ddl_error(
            context, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once", column.name);
    column.id = table->next_column_id++;
    column.missing = (struct bytes){0};
    column.identity = 0;
    column.owned_sequence = 0;
    column.name = arena_strdup(context->arena, source->name);
    column.default_sql = column.generated_sql = NULL;
    if (source->collation != NULL)
        column.collation = arena_strdup(context->arena, source->collation);
    if (source->identity != 0 && (options & LIKE_IDENTITY) != 0) {
        struct constraint identity = {
            .kind = CONSTRAINT_IDENTITY, .by_default = source->identity == 'd'};
        struct type_name type = {.schema = "pg_catalog", .name = type_info(source->type.oid)->name};
        struct column_definition definition = {.name = column.name,
            .type = &type,
            .constraints = &identity,
            .constraint_count = 1,
            .position = POSITION_NONE};
        struct column_desc *added;
        return ddl_add_column(context, table, &definition, &added);
    }
    if (source->default_sql != NULL && source->identity == 0 && (options & LIKE_DEFAULTS) != 0)
        column.default_sql = arena_strdup(context->arena, source->default_sql);
    if (source->generated_sql != NULL && (options & LIKE_GENERATED) != 0)
        column.generated_sql = arena_strdup(context->arena, source->generated_sql);
    DDL_APPEND(context->arena, table->columns, table->column_count, column);
    return st;
}

static struct status copy_like(
    struct statement_context *context, struct table_desc *table, const struct like_clause *like)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;

    TRY(ddl_find(context, &like->source, false, OBJECT_OTHER, &found));
    TRY(privilege_check_table(context->task, context->session, found, PRIVILEGE_SELECT));
    found = table_desc_copy(context->arena, found);
    for (uint32_t i = 0; i < found->column_count; i++) {
        if (found->columns[i].hidden || found->columns[i].state != ELEMENT_PUBLIC) continue;
        TRY(copy_column(context, table, &found->columns[i], like->options));
        if ((like->options & LIKE_COMMENTS) != 0)
            TRY(ddl_copy_comment(context, COMMENT_ON_RELATION, found->id, found->columns[i].id, table->id,
                table->columns[table->column_count - 1].id));
    }
    for (uint32_t i = 0; (like->options & LIKE_CONSTRAINTS) != 0 && i < found->constraint_count; i++) {
        const struct constraint_desc *source = &found->constraints[i];
        if (source->kind != TABLE_CHECK) continue;
        struct constraint check = {
            .kind = CONSTRAINT_CHECK,
            .name = arena_strdup(context->arena, source->name),
            .no_inherit = source->no_inherit};
        struct constraint_desc *added;
        TRY(parse_expression_on_stack(
            context->arena, bytes_of_string(source->check_sql), &check.expr));
        TRY(ddl_add_check(context, table, &check, NULL, &added));
        if ((like->options & LIKE_COMMENTS) != 0)
            TRY(ddl_copy_comment(context, COMMENT_ON_CONSTRAINT, catalog_constraint_oid(found->id, source->id), 0,
                catalog_constraint_oid(table->id, added->id), 0));
    }
out:
    return st;
}

static struct status index_elements(struct statement_context *context,
    const struct table_desc *found, const struct index_desc *source,
    struct index_element_list *elements)
{
    struct status st = STATUS_OK;
    *elements = (struct index_element_list){
        .items = ARENA_ARRAY(context->arena, struct index_element, source->column_count)};
    for (uint32_t i = 0; i < source->column_count; i++) {
        struct index_element *element = &elements->items[elements->count++];
        *element = (struct index_element){
            .direction = source->columns[i].descending ? SORT_DESC : SORT_DEFAULT,
            .nulls = !source->columns[i].nulls_reversed ? SORT_NULLS_DEFAULT
                     : source->columns[i].descending    ? SORT_NULLS_LAST
                                                        : SORT_NULLS_FIRST};
        if (source->columns[i].collation != NULL) {
            struct collation collation;
            if (collation_parse(context->arena, source->columns[i].collation, &collation))
                element->collation.name = collation.name;
        }
        element->operator_class.name = pg_operator_class_name(source->columns[i].operator_class);
        if (source->columns[i].expression_sql != NULL)
            TRY(parse_expression_on_stack(context->arena,
                bytes_of_string(source->columns[i].expression_sql), &element->expr));
        else
            element->column = arena_strdup(
                context->arena, table_column_by_id(found, source->columns[i].column_id)->name);
    }
out:
    return st;
}

static struct status copy_statistics(
    struct statement_context *context, struct table_desc *table, const struct like_clause *like)
{
    const struct table_desc *found;
    struct status st = ddl_find(context, &like->source, false, OBJECT_OTHER, &found);
    if (failed(st)) return st;
    return ddl_copy_statistics(context, table_desc_copy(context->arena, found), table, (like->options & LIKE_COMMENTS) != 0);
}

static bool key_is_hidden(const struct table_desc *table, const struct index_desc *index)
{
    const struct column_desc *column = table_column_by_id(table, index->columns[0].column_id);
    return column != NULL && column->hidden;
}

// Keys and indexes, under names made as for new ones. `primary`: the primary key alone, or all others.
static struct status copy_indexes(struct statement_context *context, struct table_desc *table,
    const struct like_clause *like, bool primary)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    TRY(ddl_find(context, &like->source, false, OBJECT_OTHER, &found));
    found = table_desc_copy(context->arena, found);
    for (uint32_t i = 0; i < found->index_count; i++) {
        const struct index_desc *source = &found->indexes[i];
        struct index_element_list elements;
        struct name_list storing = {0};
        struct index_desc *index;
        const char *name;
        if (index_is_key(source) != primary || source->state != ELEMENT_PUBLIC ||
            (primary && key_is_hidden(found, source)))
            continue;
        TRY(index_elements(context, found, source, &elements));
        storing.items = ARENA_ARRAY(context->arena, const char *, source->stored_count);
        for (uint32_t k = 0; k < source->stored_count; k++)
            storing.items[storing.count++] = arena_strdup(
                context->arena, table_column_by_id(found, source->stored[k])->name);
        struct create_index create = {.elements = elements};
        struct buffer columns;
        buffer_init(&columns, context->arena);
        for (uint32_t k = 0; source->from_constraint && k < elements.count; k++)
            buffer_printf(&columns, "%s%s", k == 0 ? "" : "_", elements.items[k].column);
        for (uint32_t k = 0; source->from_constraint && k < storing.count; k++)
            buffer_printf(&columns, "_%s", storing.items[k]);
        if (primary || source->from_constraint)
            TRY(ddl_choose_name(context, table->database_id, table->schema_id, table->name,
                primary ? NULL : buffer_string(&columns), primary ? "pkey" : "key", &name));
        else
            TRY(ddl_choose_index_name(context, table, &create, &name));
        TRY(ddl_add_index(context, table, name, &elements, &storing,
            primary            ? INDEX_PRIMARY
            : source->unique   ? INDEX_UNIQUE
            : source->inverted ? INDEX_INVERTED
                               : INDEX_PLAIN,
            source->from_constraint, &index));
        if (source->deferrable) return ddl_unsupported(context, "LIKE of a deferrable key");
        index->nulls_not_distinct = source->nulls_not_distinct;
        if (source->predicate_sql != NULL)
            index->predicate_sql = arena_strdup(context->arena, source->predicate_sql);
        if ((like->options & LIKE_COMMENTS) != 0)
            TRY(ddl_copy_comment(context, COMMENT_ON_RELATION, catalog_index_oid(found->id, source->id), 0,
                catalog_index_oid(table->id, index->id), 0));
    }
out:
    return st;
}

// --- CREATE TABLE ----------------------------------------------------------------------------------

static struct status refuse(struct statement_context *context, const struct create_table *create)
{
    static const char *const harmless[] = {"fillfactor", "autovacuum_enabled"};
    if (create->unsupported != NULL) return ddl_unsupported(context, create->unsupported);
    if (create->inherits.count > 0) return ddl_unsupported(context, "INHERITS");
    if (create->tablespace != NULL && strcmp(create->tablespace, "pg_default") != 0)
        return ddl_error(
            context, E_UNDEFINED_OBJECT, "tablespace \"%s\" does not exist", create->tablespace);
    if (create->method != NULL && strcmp(create->method, "heap") != 0)
        return ddl_error(
            context, E_UNDEFINED_OBJECT, "access method \"%s\" does not exist", create->method);
    if (create->on_commit != ON_COMMIT_NONE && create->persistence != PERSISTENCE_TEMPORARY)
        return ddl_error(
            context, E_INVALID_TABLE_DEFINITION, "ON COMMIT can only be used on temporary tables");
    // Storage parameters of PostgreSQL's heap have nothing to act upon here; pgbench sets fillfactor.
    for (uint32_t i = 0; i < create->options.count; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof harmless / sizeof harmless[0]; k++)
            known |= strcmp(harmless[k], create->options.items[i].name) == 0;
        if (!known)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE, "unrecognized parameter \"%s\"",
                create->options.items[i].name);
        ddl_notice(
            context, "storage parameter \"%s\" has no effect", create->options.items[i].name);
    }
    return STATUS_OK;
}

static const struct constraint *primary_key_of(
    const struct create_table *create, const char **column, uint32_t *count)
{
    const struct constraint *found = NULL;
    *count = 0;
    *column = NULL;
    for (uint32_t i = 0; i < create->column_count; i++) {
        for (uint32_t k = 0; k < create->columns[i].constraint_count; k++) {
            if (create->columns[i].constraints[k].kind != CONSTRAINT_PRIMARY_KEY) continue;
            found = &create->columns[i].constraints[k];
            *column = create->columns[i].name;
            ++*count;
        }
    }
    for (uint32_t i = 0; i < create->constraint_count; i++) {
        if (create->constraints[i].kind != CONSTRAINT_PRIMARY_KEY) continue;
        found = &create->constraints[i];
        *column = NULL;
        ++*count;
    }
    return found;
}

static struct status add_constraint(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column)
{
    struct index_desc *index;
    struct constraint_desc *added;
    switch (constraint->kind) {
    case CONSTRAINT_UNIQUE: return ddl_add_key(context, table, constraint, column, &index);
    case CONSTRAINT_CHECK: return ddl_add_check(context, table, constraint, column, &added);
    case CONSTRAINT_FOREIGN_KEY:
        return ddl_add_foreign_key(context, table, constraint, column, &added);
    case CONSTRAINT_EXCLUSION: return ddl_unsupported(context, "an exclusion constraint");
    default: return STATUS_OK;
    }
}

// Constraints of one kind at a time, so that names come out in PostgreSQL's order and foreign keys find
// the table's own keys.
static struct status add_constraints(struct statement_context *context, struct table_desc *table,
    const struct create_table *create, enum constraint_kind kind)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < create->column_count; i++) {
        for (uint32_t k = 0; k < create->columns[i].constraint_count; k++) {
            if (create->columns[i].constraints[k].kind == kind)
                TRY(add_constraint(
                    context, table, &create->columns[i].constraints[k], create->columns[i].name));
        }
    }
    for (uint32_t i = 0; i < create->constraint_count; i++) {
        if (create->constraints[i].kind == kind)
            TRY(add_constraint(context, table, &create->constraints[i], NULL));
    }
out:
    return st;
}

static struct status add_inner_indexes(
    struct statement_context *context, struct table_desc *table, const struct create_table *create)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < create->index_count; i++) {
        const struct create_index *written = &create->indexes[i];
        struct index_desc *index;
        const char *name = written->name;
        TRY(ddl_check_index(context, written));
        if (name == NULL)
            TRY(ddl_choose_name(context, table->database_id, table->schema_id, table->name,
                written->elements.count > 0 ? written->elements.items[0].column : NULL, "idx",
                &name));
        TRY(ddl_add_index(context, table, name, &written->elements, &written->storing,
            ddl_index_kind(written), false, &index));
        index->nulls_not_distinct = index->unique && written->nulls_not_distinct;
        if (written->where != NULL)
            TRY(ddl_check_text(context, written->where, "index predicate", table, NULL, NULL,
                &index->predicate_sql));
    }
out:
    return st;
}

// One that is deferrable stands beside the hidden key, which has another name.
static struct status add_primary_key(struct statement_context *context, struct table_desc *table,
    const struct constraint *primary, const char *column)
{
    struct status st = STATUS_OK;
    struct index_desc *index;
    struct index_desc hidden;
    TRY(ddl_add_key(context, table, primary, column, &index));
    if (!index->primary_key) return st;
    TRY(ddl_add_rowid(context, table));
    hidden = table->indexes[1];
    table->indexes[1] = table->indexes[0];
    table->indexes[0] = hidden;
out:
    return st;
}

static struct status fill_in(
    struct statement_context *context, struct table_desc *table, const struct create_table *create)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    const char *key_column;
    uint32_t key_count;

    for (uint32_t i = 0, like = 0, room = 0; i <= create->column_count; i++) {
        for (; like < create->like_count && create->likes[like].after <= i; like++, room = 0)
            TRY(copy_like(context, table, &create->likes[like]));
        if (i < create->column_count)
            TRY(ddl_add_column_to(context, table, &create->columns[i], &room, &column));
        TRY(task_yield_if_due(context->task));
    }
    TRY(ddl_settle_generated(context, table));
    const struct constraint *primary = primary_key_of(create, &key_column, &key_count);
    if (key_count > 1)
        return ddl_at(context,
            ddl_error(context, E_INVALID_TABLE_DEFINITION,
                "multiple primary keys for table \"%s\" are not allowed", table->name),
            primary->position);
    for (uint32_t i = 0; i < create->like_count; i++)
        if ((create->likes[i].options & LIKE_INDEXES) != 0)
            TRY(copy_indexes(context, table, &create->likes[i], true));
    if (primary != NULL && table->index_count > 0)
        return ddl_error(context, E_INVALID_TABLE_DEFINITION,
            "multiple primary keys for table \"%s\" are not allowed", table->name);
    if (primary != NULL)
        TRY(add_primary_key(context, table, primary, key_column));
    else if (table->index_count == 0)
        TRY(ddl_add_rowid(context, table));
    for (uint32_t i = 0; i < create->like_count; i++)
        if ((create->likes[i].options & LIKE_INDEXES) != 0)
            TRY(copy_indexes(context, table, &create->likes[i], false));
    for (uint32_t i = 0; i < create->like_count; i++)
        if ((create->likes[i].options & LIKE_STATISTICS) != 0)
            TRY(copy_statistics(context, table, &create->likes[i]));
    TRY(add_constraints(context, table, create, CONSTRAINT_UNIQUE));
    TRY(add_inner_indexes(context, table, create));
    TRY(add_constraints(context, table, create, CONSTRAINT_CHECK));
    TRY(add_constraints(context, table, create, CONSTRAINT_FOREIGN_KEY));
    TRY(add_constraints(context, table, create, CONSTRAINT_EXCLUSION));
out:
    return st;
}

struct status ddl_begin_table(struct statement_context *context, const struct object_name *name,
    enum persistence persistence, bool if_not_exists, uint32_t id, struct table_desc **out)
{
    bool is_temp;
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    struct name_value value;
    bool taken;

    *out = NULL;
    TRY(temp_target_schema(context, name, persistence, &schema, &is_temp));
    TRY(catalog_peek_name(
        context->task, context->session, schema->database_id, schema->id, name->name, &value));
    if (value.id != 0) {
        if (!if_not_exists) return ddl_name_taken(context, name->name);
        ddl_notice_exists(context, E_DUPLICATE_TABLE, "relation \"%s\" already exists, skipping", name->name);
        goto out;
    }
    struct table_desc *table = ARENA_NEW(context->arena, struct table_desc);
    *table = (struct table_desc){.kind = RELATION_TABLE,
        .database_id = schema->database_id,
        .schema_id = schema->id,
        .name = arena_strdup(context->arena, name->name),
        .owner = ddl_owner(context->session),
        .unlogged = persistence == PERSISTENCE_UNLOGGED,
        .next_column_id = 1,
        .next_index_id = 1,
        .next_constraint_id = 1};
    if (!is_temp)
        TRY(privilege_default_grants(context, OBJECT_TABLE, table->database_id, table->schema_id,
            table->owner, &table->grants, &table->grant_count));
    if (id == 0) TRY(catalog_new_id(context->task, context->session->tenant, &id));
    table->id = id;
    value = (struct name_value){.kind = NAME_RELATION, .id = id};
    TRY(ddl_take_name(context, table->database_id, table->schema_id, table->name, value, &taken));
    if (taken) return ddl_name_taken(context, table->name);
    if (is_temp) context->session->temp_generation++;
    *out = table;
out:
    return st;
}

// LIKE is about what was there before: its names are made whole, so that the new table hides none.
static struct status qualify_likes(struct statement_context *context, struct create_table *create)
{
    struct status st = STATUS_OK;
    const struct table_desc *source;
    const struct schema_desc *schema;
    struct like_clause *likes = ARENA_ARRAY(context->arena, struct like_clause, create->like_count);
    for (uint32_t i = 0; i < create->like_count; i++) {
        likes[i] = create->likes[i];
        st = ddl_find(context, &likes[i].source, false, OBJECT_OTHER, &source);
        if (failed(st) && create->if_not_exists) continue; // Told of when the table is to be made.
        TRY(st);
        TRY(catalog_schema_by_id(context->task, context->session, source->schema_id, &schema));
        likes[i].source.schema = schema->name;
    }
    st = STATUS_OK;
    create->likes = likes;

out:
    return st;
}

struct status ddl_create_table_with_id(
    struct statement_context *context, uint32_t id, uint32_t *created)
{
    struct status st = STATUS_OK;
    struct create_table whole = *context->statement->as.create_table;
    const struct create_table *create = &whole;
    struct table_desc *table;

    *created = 0;
    TRY(refuse(context, create));
    TRY(qualify_likes(context, &whole));
    TRY(ddl_begin_table(
        context, &create->name, create->persistence, create->if_not_exists, id, &table));
    if (table == NULL) goto out;
    temp_note(context->session, table->id, create->on_commit);
    TRY(fill_in(context, table, create));
    TRY(catalog_put_table(context->task, context->session, table));
    TRY(ddl_validate_expressions(context, table));
    *created = table->id;
out:
    return st;
}

struct status ddl_create_table(struct statement_context *context)
{
    uint32_t created;
    return ddl_create_table_with_id(context, 0, &created);
}

// --- CREATE TABLE AS -------------------------------------------------------------------------------

// The query is about what was there before: names are made whole, so that the new relation hides none.
static struct status qualify_query(
    struct statement_context *context, const struct create_table_as *create)
{
    struct status st = STATUS_OK;
    struct ddl_tables tables;
    ddl_collect_tables(context->arena, create->query->as.select, &tables);
    for (uint32_t i = 0; i < tables.count; i++) {
        struct object_name *name = &tables.items[i]->table.name;
        const struct table_desc *table;
        const struct schema_desc *schema;
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name,
            true, &table));
        if (table == NULL) continue; // Told when it is bound.
        TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
        name->schema = arena_strdup(context->arena, schema->name);
    }

out:
    return st;
}

struct status ddl_columns_of_query(struct statement_context *context,
    const struct create_table_as *create, struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct plan *plan;
    uint32_t param_count = 0, count;

    *table = (struct table_desc){.next_column_id = 1};
    TRY(qualify_query(context, create));
    TRY(plan_build(context->task, context->session, context->arena, create->query, context->text,
        NULL, &param_count, &plan));
    const struct result_column *columns = plan_columns(plan, &count);
    if (create->columns.count > count)
        return ddl_error(context, E_SYNTAX_ERROR, "too many column names were specified");
    for (uint32_t i = 0; i < count; i++) {
        struct column_desc column = {.id = table->next_column_id++,
            .name = i < create->columns.count ? create->columns.items[i] : columns[i].name,
            .type = columns[i].type};
        if (column.type.oid == TYPE_UNKNOWN) column.type = TYPE_OF(TYPE_TEXT);
        TRY(ddl_keep_collation(context, &column));
        if (ddl_column(table, column.name) != NULL)
            return ddl_error(
                context, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once", column.name);
        DDL_APPEND(context->arena, table->columns, table->column_count, column);
    }
    TRY(ddl_check_query_columns(context, table, true));
out:
    return st;
}

static struct status check_query_column(
    struct statement_context *context, const char *name, struct type type, bool stored)
{
    struct status st = STATUS_OK;
    const struct type_info *info = type_info(type.oid);
    type_oid item = info != NULL && info->element != 0 ? info->element : type.oid;
    const struct type_info *of = type_info(item);
    const struct table_desc *rows;
    if (of != NULL && of->category == 'P')
        return ddl_error(
            context, E_INVALID_TABLE_DEFINITION, "column \"%s\" has pseudo-type %s", name, type_format(context->arena, type));
    if (!stored || !type_is_composite(item)) return st;
    TRY(catalog_table_by_id(context->task, context->session, type_user_id(item), &rows));
    // Such values are of the columns of now.
    if (rows->kind != RELATION_COMPOSITE)
        return ddl_unsupported(context, "the row type of a table or view as a type of a column");

out:
    return st;
}

struct status ddl_check_query_columns(
    struct statement_context *context, const struct table_desc *table, bool stored)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(check_query_column(context, table->columns[i].name, table->columns[i].type, stored));

out:
    return st;
}

void ddl_take_columns(struct table_desc *table, const struct table_desc *shape)
{
    table->columns = shape->columns;
    table->column_count = shape->column_count;
    table->next_column_id = shape->next_column_id;
}

struct deparse_query {
    struct buffer out;
    const struct statement *statement;
};

static void deparse_query_on_stack(void *arg)
{
    struct deparse_query *call = arg;
    deparse_statement(&call->out, call->statement, 0);
}

struct status ddl_create_table_as(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_table_as *create = context->statement->as.create_table_as;
    struct table_desc *table, shape;
    struct internal_result result = {0};
    const char *name;

    if (create->options.count > 0) return ddl_unsupported(context, "WITH in CREATE TABLE AS");
    if (create->query->tag != STATEMENT_SELECT)
        return ddl_unsupported(context, "CREATE TABLE AS EXECUTE");
    TRY(ddl_columns_of_query(context, create, &shape));
    TRY(ddl_begin_table(
        context, &create->name, create->persistence, create->if_not_exists, 0, &table));
    if (table != NULL) temp_note(context->session, table->id, create->on_commit);
    if (table == NULL) goto out;
    ddl_take_columns(table, &shape);
    TRY(ddl_add_rowid(context, table));
    TRY(catalog_put_table(context->task, context->session, table));
    if (!create->with_no_data) {
        struct deparse_query call = {.statement = create->query};
        TRY(ddl_qualified_name(context, table, &name));
        buffer_init(&call.out, context->arena);
        buffer_printf(&call.out, "INSERT INTO %s ", name);
        stack_call(deparse_query_on_stack, &call);
        TRY(internal_query(context->task, context->session->tenant, context->session,
            context->arena, &result, buffer_string(&call.out), 0, NULL, NULL));
    }
    if (!create->with_no_data)
        snprintf(
            context->tag, sizeof context->tag, "SELECT %llu", (unsigned long long)result.row_count);
out:
    return st;
}
