// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER TABLE: keys, checks and foreign keys of a table that is there.
#include "sql/ddl/ddl_alter.h"

#include "sql/ddl/schema_change.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/session/internal.h"
#include "sql/session/relation_use.h"

struct status alter_back_reference_remove(
    struct alter *alter, uint32_t parent_id, uint32_t constraint_id)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *parent = alter->table;

    if (parent_id != alter->table->id)
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, parent_id, &parent));
    for (uint32_t i = 0; i < parent->referenced_by_count; i++) {
        if (parent->referenced_by[i].table_id != alter->table->id ||
            parent->referenced_by[i].constraint_id != constraint_id)
            continue;
        DDL_REMOVE(parent->referenced_by, parent->referenced_by_count, i);
        break;
    }
    if (parent != alter->table) TRY(catalog_put_table(context->task, context->session, parent));
out:
    return st;
}

static bool has_deferrable_key(const struct table_desc *table)
{
    for (uint32_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].primary_key) return true;
    return false;
}

// A new primary key means new keys for all rows and all index entries.
struct status alter_set_primary_key(
    struct alter *alter, const struct constraint *constraint, const char *column, bool replace)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *table = alter->table;
    struct index_desc *added;

    const struct column_desc *first =
        table_column_by_id(table, table->indexes[0].columns[0].column_id);
    bool has_rowid = first->hidden && table->indexes[0].column_count == 1;
    for (uint32_t i = 0; i < table->index_count && replace; i++)
        if (table->indexes[i].primary_key)
            return ddl_unsupported(context, "ALTER PRIMARY KEY of a deferrable one");
    if ((!has_rowid || has_deferrable_key(table)) && !replace)
        return ddl_error(context, E_INVALID_TABLE_DEFINITION,
            "multiple primary keys for table \"%s\" are not allowed", table->name);
    struct index_desc former = table->indexes[0];
    TRY(catalog_free_name(
        context->task, context->session, table->database_id, table->schema_id, former.name));
    if (has_rowid) table->indexes[0].from_constraint = false; // Its name is free again.
    if (replace && constraint->name == NULL) {
        // The key keeps its name.
        struct constraint *named = ARENA_NEW(context->arena, struct constraint);
        *named = *constraint;
        named->name = arena_strdup(context->arena, former.name);
        table->indexes[0].from_constraint = false;
        constraint = named;
    }
    TRY(ddl_add_key(context, table, constraint, column, &added));
    table->indexes[0] = *added;
    table->index_count--;
    if (has_rowid) {
        uint32_t rowid = former.columns[0].column_id;
        for (uint32_t i = 0; i < table->column_count; i++) {
            if (table->columns[i].id != rowid) continue;
            DDL_REMOVE(table->columns, table->column_count, i);
            break;
        }
    } else {
        // What referenced the former key still needs it unique.
        struct index_desc kept = former;
        kept.primary = false;
        const char *name;
        TRY(ddl_choose_name(
            context, table->database_id, table->schema_id, table->name, NULL, "key", &name));
        kept.name = name;
        bool taken;
        TRY(ddl_take_name(context, table->database_id, table->schema_id, name,
            (struct name_value){.kind = NAME_INDEX, .id = table->id, .index_id = kept.id}, &taken));
        DDL_APPEND(context->arena, table->indexes, table->index_count, kept);
    }
    TRY(ddl_rewrite(
        context, alter->source, table, ddl_copy_columns(context->arena, alter->source, table)));
out:
    return st;
}

static struct status add_unique(
    struct alter *alter, const struct constraint *constraint, const char *column)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct index_desc *index;
    bool more = false;

    TRY(ddl_add_key(context, alter->table, constraint, column, &index));
    if (context->session->txn_state == TXN_IMPLICIT)
        TRY(ddl_has_more_rows(context, alter->source, ddl_inline_rows(alter->context), &more));
    if (more) {
        index->state = ELEMENT_WRITE_ONLY;
        TRY(schema_change_publish(context, alter->table));
        goto out;
    }
    TRY(ddl_fill_indexes(context, alter->source, alter->table, &index->id, 1));
    TRY(alter_put(alter));
    TRY(ddl_validate_deferrable(context, alter->table, index));
out:
    return st;
}

static struct status add_deferrable_key(
    struct alter *alter, const struct constraint *constraint, const char *column)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = alter->table;
    const struct column_desc *first =
        table_column_by_id(table, table->indexes[0].columns[0].column_id);

    if (!first->hidden || has_deferrable_key(table))
        return ddl_error(alter->context, E_INVALID_TABLE_DEFINITION,
            "multiple primary keys for table \"%s\" are not allowed", table->name);
    for (uint32_t i = 0; i < constraint->columns.count; i++) {
        const struct column_desc *found = table_column(table, constraint->columns.items[i]);
        if (found != NULL && !found->not_null && table_column_by_id(alter->source, found->id) != NULL)
            TRY(ddl_validate_not_null(alter->context, table, found));
    }
    TRY(add_unique(alter, constraint, column));
out:
    return st;
}

// The stored table must have the constraint's columns; a check of one that is not there yet cannot be run.
static struct status validate_or_publish(struct alter *alter, struct constraint_desc *constraint)
{
    struct status st = STATUS_OK;
    bool more = false;

    if (constraint->not_valid) {
        TRY(alter_put(alter));
        TRY(ddl_validate_expressions(alter->context, alter->table));
        goto out;
    }
    if (alter->context->session->txn_state == TXN_IMPLICIT)
        TRY(ddl_has_more_rows(
            alter->context, alter->source, ddl_inline_rows(alter->context), &more));
    if (more) {
        constraint->state = ELEMENT_VALIDATING;
        TRY(schema_change_publish(alter->context, alter->table));
        goto out;
    }
    TRY(alter_put(alter));
    TRY(ddl_validate_expressions(alter->context, alter->table));
    TRY(ddl_validate_constraint(alter->context, alter->table, constraint));
out:
    return st;
}

static struct status unusable(struct alter *alter, const char *message, const char *index)
{
    return status_detail(alter->context->arena,
        ddl_error(alter->context, E_WRONG_OBJECT_TYPE, message, index),
        "Cannot create a primary key or unique constraint using such an index.");
}

static struct status check_usable(
    struct alter *alter, const struct constraint *constraint, const struct index_desc *index)
{
    const char *name = constraint->using_index;
    if (index == NULL)
        return ddl_error(
            alter->context, E_UNDEFINED_OBJECT, "index \"%s\" does not exist", name);
    if (index->from_constraint)
        return ddl_error(alter->context, E_NOT_IN_PREREQUISITE_STATE,
            "index \"%s\" is already associated with a constraint", name);
    if (!index->unique) return unusable(alter, "\"%s\" is not a unique index", name);
    if (index->predicate_sql != NULL) return unusable(alter, "\"%s\" is a partial index", name);
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i].expression_sql != NULL)
            return unusable(alter, "index \"%s\" contains expressions", name);
        if (index->columns[i].descending || index->columns[i].nulls_reversed)
            return unusable(alter,
                arena_printf(alter->context->arena,
                    "index \"%%s\" column number %u does not have default sorting behavior", i + 1),
                name);
    }
    if (constraint->deferrable || constraint->initially_deferred)
        return ddl_unsupported(alter->context, "USING INDEX of a deferrable key");
    return STATUS_OK;
}

// ADD ... USING INDEX: the index becomes the constraint's, and has its name.
static struct status use_index(struct alter *alter, const struct constraint *constraint)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *table = alter->table;
    struct index_desc *index = ddl_index_by_name(table, constraint->using_index);
    bool taken;

    TRY(check_usable(alter, constraint, index));
    const char *name = constraint->name != NULL ? constraint->name : index->name;
    if (strcmp(name, index->name) != 0)
        ddl_notice(context, "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"%s\" to \"%s\"",
            index->name, name);
    if (constraint->kind == CONSTRAINT_PRIMARY_KEY) {
        struct constraint *key = ARENA_NEW(context->arena, struct constraint);
        *key = *constraint;
        key->using_index = NULL;
        key->name = arena_strdup(context->arena, name);
        key->columns.items = ARENA_ARRAY(context->arena, const char *, index->column_count);
        for (uint32_t i = 0; i < index->column_count; i++)
            key->columns.items[key->columns.count++] =
                table_column_by_id(table, index->columns[i].column_id)->name;
        TRY(alter_remove_index(alter, (uint32_t)(index - table->indexes)));
        return alter_set_primary_key(alter, key, NULL, false);
    }
    if (strcmp(name, index->name) != 0) {
        TRY(catalog_free_name(context->task, context->session, table->database_id, table->schema_id,
            index->name));
        TRY(ddl_take_name(context, table->database_id, table->schema_id, name,
            (struct name_value){.kind = NAME_INDEX, .id = table->id, .index_id = index->id}, &taken));
        if (taken) return ddl_name_taken(context, name);
        index->name = name;
    }
    index->from_constraint = true;
    TRY(alter_put(alter));
out:
    return st;
}

struct status alter_add_constraint(
    struct alter *alter, const struct constraint *constraint, const char *column)
{
    struct status st = STATUS_OK;
    struct constraint_desc *added;

    if (constraint->using_index != NULL) return use_index(alter, constraint);

    switch (constraint->kind) {
    case CONSTRAINT_PRIMARY_KEY:
        if (constraint->deferrable || constraint->initially_deferred)
            TRY(add_deferrable_key(alter, constraint, column));
        else
            TRY(alter_set_primary_key(alter, constraint, column, false));
        break;
    case CONSTRAINT_UNIQUE: TRY(add_unique(alter, constraint, column)); break;
    case CONSTRAINT_CHECK:
        TRY(ddl_add_check(alter->context, alter->table, constraint, column, &added));
        TRY(validate_or_publish(alter, added));
        break;
    case CONSTRAINT_FOREIGN_KEY:
        TRY(ddl_add_foreign_key(alter->context, alter->table, constraint, column, &added));
        TRY(validate_or_publish(alter, added));
        break;
    case CONSTRAINT_EXCLUSION: return ddl_unsupported(alter->context, "an exclusion constraint");
    default: break; // Part of the column itself.
    }
out:
    return st;
}

static bool needed_by_foreign_key(struct alter *alter, const struct index_desc *index,
    const struct table_desc **child, const struct constraint_desc **key)
{
    struct statement_context *context = alter->context;
    for (uint32_t i = 0; i < alter->table->referenced_by_count; i++) {
        const struct fk_back_reference *reference = &alter->table->referenced_by[i];
        const struct table_desc *table = alter->table;
        if (reference->table_id != alter->table->id) {
            struct status st =
                catalog_table_by_id(context->task, context->session, reference->table_id, &table);
            if (failed(st)) continue;
        }
        for (uint32_t k = 0; k < table->constraint_count; k++) {
            const struct constraint_desc *constraint = &table->constraints[k];
            if (constraint->id != reference->constraint_id ||
                constraint->column_count != index->column_count)
                continue;
            uint32_t matched = 0;
            for (uint32_t m = 0; m < constraint->column_count; m++)
                matched += alter_key_has(index, constraint->referenced_columns[m]);
            if (matched != index->column_count) continue;
            *child = table;
            *key = constraint;
            return true;
        }
    }
    return false;
}

static struct status drop_foreign_key_of(
    struct alter *alter, const struct table_desc *child, uint32_t constraint_id)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *edited = alter->table;

    if (child->id != alter->table->id)
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, child->id, &edited));
    for (uint32_t i = 0; i < edited->constraint_count; i++) {
        if (edited->constraints[i].id != constraint_id) continue;
        ddl_cascades_to(context, "constraint %s on table %s",
            edited->constraints[i].name, edited->name);
        DDL_REMOVE(edited->constraints, edited->constraint_count, i);
        break;
    }
    for (uint32_t i = 0; i < alter->table->referenced_by_count; i++) {
        if (alter->table->referenced_by[i].table_id != child->id ||
            alter->table->referenced_by[i].constraint_id != constraint_id)
            continue;
        DDL_REMOVE(alter->table->referenced_by, alter->table->referenced_by_count, i);
        break;
    }
    if (edited != alter->table) TRY(catalog_put_table(context->task, context->session, edited));
out:
    return st;
}

struct status alter_release_index(
    struct alter *alter, const struct index_desc *index, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    struct arena *arena = alter->context->arena;
    const char *table = ddl_shown(alter->context, alter->table);
    const struct table_desc *child;
    const struct constraint_desc *key;

    while (needed_by_foreign_key(alter, index, &child, &key)) {
        if (alter->command->behavior != DROP_CASCADE) {
            const char *what = column != NULL ? arena_printf(arena, "column %s of table %s", column->name, table)
                                              : arena_printf(arena, "constraint %s on table %s", index->name, table);
            st = ddl_error(alter->context, E_DEPENDENT_OBJECTS_EXIST,
                "cannot drop %s because other objects depend on it", what);
            st = status_detail(arena, st, "constraint %s on table %s depends on %s", key->name,
                ddl_shown(alter->context, child),
                column != NULL ? what : arena_printf(arena, "index %s", index->name));
            return status_hint(arena, st,
                "Use DROP ... CASCADE to drop the dependent objects too.");
        }
        TRY(drop_foreign_key_of(alter, child, key->id));
    }
out:
    return st;
}

struct status alter_remove_index(struct alter *alter, uint32_t position)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *table = alter->table;
    uint32_t id = table->indexes[position].id;

    TRY(catalog_free_name(context->task, context->session, table->database_id, table->schema_id,
        table->indexes[position].name));
    TRY(ddl_erase_later(context, table->id, &id, 1));
    DDL_REMOVE(table->indexes, table->index_count, position);
out:
    return st;
}

// Without its primary key a table has the hidden rowid.
struct status alter_drop_primary_key(struct alter *alter, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *table = alter->table;

    TRY(alter_release_index(alter, &table->indexes[0], column));
    TRY(catalog_free_name(context->task, context->session, table->database_id, table->schema_id,
        table->indexes[0].name));
    table->indexes[0].from_constraint = false;
    TRY(ddl_add_rowid(context, table));
    table->indexes[0] = table->indexes[table->index_count - 1];
    table->index_count--;
    const char **column_sql = ddl_copy_columns(context->arena, alter->source, table);
    column_sql[table->column_count - 1] = "unique_rowid()";
    TRY(ddl_rewrite(context, alter->source, table, column_sql));
out:
    return st;
}

struct status alter_drop_constraint(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *table = alter->table;
    const char *name = alter->command->name;

    for (uint32_t i = 0; i < table->constraint_count; i++) {
        struct constraint_desc constraint = table->constraints[i];
        if (strcmp(constraint.name, name) != 0) continue;
        DDL_REMOVE(table->constraints, table->constraint_count, i);
        if (constraint.kind == TABLE_FOREIGN_KEY && constraint.referenced_table != table->id) {
            const struct table_desc *parent;
            TRY(catalog_table_by_id(context->task, context->session, constraint.referenced_table, &parent));
            TRY(relation_refuse_used(context, parent, "ALTER TABLE"));
        }
        if (constraint.kind == TABLE_FOREIGN_KEY)
            TRY(alter_back_reference_remove(alter, constraint.referenced_table, constraint.id));
        return alter_put(alter);
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct index_desc *index = &table->indexes[i];
        if (!index->from_constraint || strcmp(index->name, name) != 0) continue;
        bool is_rowid = table_column_by_id(table, index->columns[0].column_id)->hidden;
        if (index->primary && is_rowid) break; // PostgreSQL has no such constraint.
        if (index->primary) {
            bool dropped;
            TRY(ddl_drop_views_using(context, table, NULL, alter->command->behavior, &dropped));
            if (dropped) TRY(alter_load(alter));
            return alter_drop_primary_key(alter, NULL);
        }
        TRY(alter_release_index(alter, index, NULL));
        TRY(alter_remove_index(alter, i));
        return alter_put(alter);
    }
    if (!alter->command->missing_ok)
        return ddl_error(context, E_UNDEFINED_OBJECT,
            "constraint \"%s\" of relation \"%s\" does not exist", name, table->name);
    ddl_notice(context, "constraint \"%s\" of relation \"%s\" does not exist, skipping", name,
        table->name);
out:
    return st;
}

struct validation {
    uint32_t table_id, constraint_id;
};

static struct status validate_now(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    const struct validation *validation = arg;
    static const struct statement alter = {.tag = STATEMENT_ALTER_TABLE};
    struct statement_context context = {
        .task = task, .session = session, .arena = task->arena, .statement = &alter};
    const struct table_desc *table;
    TRY(catalog_table_by_id(task, session, validation->table_id, &table));
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].id == validation->constraint_id)
            TRY(ddl_validate_constraint(&context, table, &table->constraints[i]));
out:
    return st;
}

// All who write hold new rows against it already: whatever rows are there now, it holds of those that come.
static struct status validate(struct alter *alter, const struct constraint_desc *constraint)
{
    struct session *session = alter->context->session;
    struct validation validation = {.table_id = alter->table->id, .constraint_id = constraint->id};
    if (session->attempt == 0 || session->txn_state != TXN_IMPLICIT || kv_txn_has_writes(session->txn))
        return ddl_validate_constraint(alter->context, alter->table, constraint);
    return internal_transaction(alter->context->task, session->tenant, validate_now, &validation);
}

struct status alter_validate_constraint(struct alter *alter)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < alter->table->constraint_count; i++) {
        struct constraint_desc *constraint = &alter->table->constraints[i];
        if (strcmp(constraint->name, alter->command->name) != 0) continue;
        if (!constraint->not_valid) return STATUS_OK;
        TRY(validate(alter, constraint));
        constraint->not_valid = false;
        return alter_put(alter);
    }
    const struct index_desc *index = ddl_index_by_name(alter->table, alter->command->name);
    if (index != NULL && (index->from_constraint || index_is_key(index)))
        return ddl_error(alter->context, E_WRONG_OBJECT_TYPE,
            "constraint \"%s\" of relation \"%s\" is not a foreign key or check constraint",
            index->name, alter->table->name);
    st = ddl_error(alter->context, E_UNDEFINED_OBJECT,
        "constraint \"%s\" of relation \"%s\" does not exist", alter->command->name,
        alter->table->name);
out:
    return st;
}

// Whether a foreign key may wait for COMMIT.
struct status alter_change_constraint(struct alter *alter)
{
    struct table_desc *table = alter->table;
    const char *name = alter->command->name;
    bool other = false;
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        struct constraint_desc *constraint = &table->constraints[i];
        if (strcmp(constraint->name, name) != 0) continue;
        other = constraint->kind != TABLE_FOREIGN_KEY;
        if (other) break;
        constraint->initially_deferred = alter->command->constraint->initially_deferred;
        constraint->deferrable =
            alter->command->constraint->deferrable || constraint->initially_deferred;
        return alter_put(alter);
    }
    for (uint32_t i = 0; i < table->index_count; i++)
        other |= table->indexes[i].from_constraint && strcmp(table->indexes[i].name, name) == 0;
    if (other)
        return ddl_error(alter->context, E_WRONG_OBJECT_TYPE,
            "constraint \"%s\" of relation \"%s\" is not a foreign key constraint", name,
            table->name);
    return ddl_error(alter->context, E_UNDEFINED_OBJECT,
        "constraint \"%s\" of relation \"%s\" does not exist", name, table->name);
}

// --- SET NOT NULL of a large table ----------------------------------------------------------------------------

// The column says what the check says, of which nobody knows.
static struct status take_not_null(struct alter *alter, uint32_t constraint_id)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    TRY(alter_load(alter));
    TRY(alter_find_column(alter, &column));
    column->not_null = true;
    for (uint32_t i = 0; i < alter->table->constraint_count; i++) {
        if (alter->table->constraints[i].id != constraint_id) continue;
        DDL_REMOVE(alter->table->constraints, alter->table->constraint_count, i);
        break;
    }
    TRY(alter_put(alter));
    TRY(session_txn_commit(alter->context->task, alter->context->session));
out:
    return st;
}

// First as a check, which writers meet from now on and a job holds the rows against.
struct status alter_set_not_null_online(struct alter *alter, const char *name)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct constraint check = {.kind = CONSTRAINT_CHECK};
    struct constraint_desc *added;
    struct buffer text;
    buffer_init(&text, context->arena);
    deparse_identifier(&text, name);
    buffer_append_string(&text, " IS NOT NULL");
    TRY(parse_expression_on_stack(context->arena, buffer_bytes(&text), &check.expr));
    TRY(ddl_add_check(context, alter->table, &check, name, &added));
    added->state = ELEMENT_VALIDATING;
    const uint32_t id = added->id;
    st = schema_change_publish(context, alter->table);
    if (status_is(st, E_CHECK_VIOLATION)) return alter_contains_nulls(alter, ddl_column(alter->table, name));
    TRY(st);
    for (uint32_t attempt = 0;; attempt++) {
        bool again;
        st = take_not_null(alter, id);
        if (!failed(st)) break;
        st = alter_again(context, st, attempt, &again);
        if (!again) goto out;
    }
    TRY(session_txn_begin(context->task, context->session, true));
out:
    return st;
}
