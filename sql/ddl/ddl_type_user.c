// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who uses a type, a collation or a function: columns, and the expressions that are kept as texts.
#include "sql/ddl/ddl_alter.h"
#include "sql/ddl/ddl_internal.h"

#include "core/task.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/parse/ast_visit.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/session/internal.h"
#include "sql/type/collation.h"
#include "sql/type/type_reference.h"

const char *ddl_quoted(struct arena *arena, const char *name)
{
    struct buffer out;
    buffer_init(&out, arena);
    deparse_identifier(&out, name);
    return buffer_string(&out);
}

static bool column_uses(const struct column_desc *column, uint32_t id)
{
    return (type_is_user(column->type.oid) && type_user_id(column->type.oid) == id) ||
           (column->domain != 0 && type_user_id(column->domain) == id);
}

static bool is_array_of(const struct column_desc *column, uint32_t id)
{
    type_oid type = column->domain != 0 ? column->domain : column->type.oid;
    return type_is_user(type) && type_user_id(type) == id && type_is_array(type);
}

// By what stored texts show that they name it: "pg_type_107."
static const char *mark_of(struct statement_context *context, const struct table_desc *type)
{
    return arena_printf(context->arena, "%s.", type_reference(context->arena, type->id));
}

// Whether the text says `name` anywhere but in a literal: a mark, or the name of a collation.
static bool text_uses(const char *sql, const char *name)
{
    const size_t size = strlen(name);
    struct stored_word word;
    if (sql == NULL || strstr(sql, name) == NULL) return false;
    if (strncmp(name, "pg_", 3) != 0) return true;
    while (stored_word_next(&sql, &word))
        if (strncmp(word.start, name, size) == 0) return true;
    return false;
}

// One thing that depends on a type.
struct type_user {
    const struct table_desc *table; // Or view, or domain.
    const char *column, *constraint; // What of it; NULL: all of it.
    bool array;         // Through the type of its arrays.
    const char *what;   // "column c of table t"
    const char *remedy; // The statement that removes it.
};
struct type_users {
    struct type_user *items;
    uint32_t count;
    uint32_t collation; // Who is declared with this one is a user as well; 0: none.
};

static bool has_collation(
    struct statement_context *context, const char *definition, const struct type_users *users)
{
    struct collation collation;
    return users->collation != 0 && definition != NULL &&
           collation_parse(context->arena, definition, &collation) &&
           collation.id == users->collation;
}

// An index of a column that is to go is not told of by itself.
static bool goes_with_column(struct statement_context *context, const struct table_desc *table,
    const struct index_desc *index, const struct type_users *users)
{
    for (uint32_t i = 0; i < users->count; i++) {
        const struct type_user *user = &users->items[i];
        if (user->table != table || user->column == NULL || strstr(user->remedy, " DROP COLUMN ") == NULL) continue;
        if (alter_text_mentions(context->arena, index->predicate_sql, user->column)) return true;
        const struct column_desc *column = table_column(table, user->column);
        for (uint32_t k = 0; k < index->column_count; k++) {
            const struct index_column *part = &index->columns[k];
            if (part->expression_sql == NULL ? part->column_id == column->id
                                             : alter_text_mentions(context->arena, part->expression_sql, column->name))
                return true;
        }
    }
    return false;
}

static struct status users_in_table(struct statement_context *context,
    const struct table_desc *table, uint32_t id, const char *name, struct type_users *users)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    const char *full;
    TRY(ddl_qualified_name(context, table, &full));
    if (table->kind == RELATION_VIEW) {
        bool uses = text_uses(table->view_sql, name);
        for (uint32_t i = 0; i < table->column_count; i++)
            uses |= column_uses(&table->columns[i], id);
        struct type_user user = {.table = table,
            .what = arena_printf(arena, "view %s", ddl_shown(context, table)),
            .remedy = arena_printf(arena, "DROP VIEW IF EXISTS %s CASCADE", full)};
        if (uses) DDL_APPEND(arena, users->items, users->count, user);
        goto out;
    }
    if (table->materialized && text_uses(table->view_sql, name)) {
        struct type_user user = {.table = table,
            .what = arena_printf(arena, "materialized view %s", ddl_shown(context, table)),
            .remedy = arena_printf(arena, "DROP MATERIALIZED VIEW IF EXISTS %s CASCADE", full)};
        DDL_APPEND(arena, users->items, users->count, user);
        goto out;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        struct type_user user = {.table = table, .column = column->name, .array = is_array_of(column, id)};
        const char *own = ddl_quoted(arena, column->name);
        if (column_uses(column, id) || text_uses(column->generated_sql, name) ||
            has_collation(context, column->collation, users)) {
            user.what = arena_printf(arena, "column %s of table %s", column->name, ddl_shown(context, table));
            user.remedy =
                arena_printf(arena, "ALTER TABLE %s DROP COLUMN IF EXISTS %s CASCADE", full, own);
        } else if (text_uses(column->default_sql, name)) {
            user.what = arena_printf(
                arena, "default value for column %s of table %s", column->name, ddl_shown(context, table));
            user.remedy =
                arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", full, own);
        } else {
            continue;
        }
        DDL_APPEND(arena, users->items, users->count, user);
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        if (!text_uses(constraint->check_sql, name)) continue;
        struct type_user user = {.table = table,
            .constraint = constraint->name,
            .what = arena_printf(
                arena, "constraint %s on table %s", constraint->name, ddl_shown(context, table)),
            .remedy = arena_printf(arena, "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s", full,
                ddl_quoted(arena, constraint->name))};
        DDL_APPEND(arena, users->items, users->count, user);
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        bool uses = text_uses(index->predicate_sql, name);
        for (uint32_t k = 0; k < index->column_count; k++)
            uses |= text_uses(index->columns[k].expression_sql, name) ||
                    has_collation(context, index->columns[k].collation, users);
        if (!uses || goes_with_column(context, table, index, users)) continue;
        struct type_user user = {.table = table,
            .what = arena_printf(arena, "index %s", index->name),
            .remedy = arena_printf(arena, "DROP INDEX IF EXISTS %s", ddl_quoted(arena, index->name))};
        DDL_APPEND(arena, users->items, users->count, user);
    }
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        const struct statistics_desc *statistics = &table->statistics[i];
        bool uses = false;
        for (uint32_t k = 0; k < statistics->expression_count; k++)
            uses |= text_uses(statistics->expressions[k].sql, name);
        if (!uses) continue;
        struct type_user user = {.table = table,
            .what = arena_printf(arena, "statistics object %s", statistics->name),
            .remedy = arena_printf(
                arena, "DROP STATISTICS IF EXISTS %s", ddl_quoted(arena, statistics->name))};
        DDL_APPEND(arena, users->items, users->count, user);
    }
out:
    return st;
}

static struct status users_in_composite(struct statement_context *context,
    const struct table_desc *composite, uint32_t id, struct type_users *users)
{
    struct status st = STATUS_OK;
    const char *full;
    TRY(catalog_type_text(context->task, context->session, context->arena, composite, &full));
    for (uint32_t i = 0; i < composite->column_count; i++) {
        const struct column_desc *column = &composite->columns[i];
        if (!column_uses(column, id)) continue;
        struct type_user user = {.table = composite,
            .column = column->name,
            .array = is_array_of(column, id),
            .what = arena_printf(context->arena, "column %s of composite type %s", column->name,
                composite->name),
            .remedy = arena_printf(context->arena, "ALTER TYPE %s DROP ATTRIBUTE %s CASCADE", full,
                ddl_quoted(context->arena, column->name))};
        DDL_APPEND(context->arena, users->items, users->count, user);
    }
out:
    return st;
}

// `name` as in users_in_table.
static struct status function_uses(struct statement_context *context,
    const struct table_desc *function, uint32_t id, const char *name, struct type_users *users)
{
    struct status st;
    type_oid result = function->function.result.oid;
    const char *full;
    bool uses = type_is_user(result) && type_user_id(result) == id, first = true;
    for (uint32_t i = 0; i < function->column_count; i++)
        uses |= column_uses(&function->columns[i], id) || text_uses(function->columns[i].default_sql, name);
    // A body in quotes is read when the function is called.
    uses |= function->function.body_kind != 'q' && text_uses(function->view_sql, name);
    if (!uses) return STATUS_OK;
    struct buffer inputs;
    buffer_init(&inputs, context->arena);
    for (uint32_t i = 0; i < function->column_count; i++) {
        if (function->columns[i].identity == 'o' || function->columns[i].identity == 't') continue;
        buffer_printf(&inputs, "%s%s", first ? "" : ",",
            type_sql(context, function->columns[i].type));
        first = false;
    }
    TRY(ddl_qualified_name(context, function, &full));
    full = strchr(full, '.') == NULL ? full : strchr(full, '.') + 1; // Without its database.
    struct type_user user = {.table = function,
        .what = arena_printf(context->arena, "function %s", ddl_routine_text(context, function)),
        .remedy = arena_printf(context->arena, "DROP ROUTINE IF EXISTS %s(%s) CASCADE", full,
            buffer_string(&inputs))};
    DDL_APPEND(context->arena, users->items, users->count, user);
out:
    return st;
}

static struct status users_in_domain(struct statement_context *context,
    const struct table_desc *domain, uint32_t id, const char *name, struct type_users *users)
{
    struct status st = STATUS_OK;
    bool uses = column_uses(&domain->columns[0], id) || text_uses(domain->columns[0].default_sql, name);
    for (uint32_t k = 0; k < domain->constraint_count; k++)
        uses |= text_uses(domain->constraints[k].check_sql, name);
    if (!uses) goto out;
    const char *full;
    TRY(catalog_type_text(context->task, context->session, context->arena, domain, &full));
    struct type_user user = {.table = domain,
        .what = arena_printf(context->arena, "type %s", ddl_shown(context, domain)),
        .remedy = arena_printf(context->arena, "DROP DOMAIN IF EXISTS %s CASCADE", full)};
    DDL_APPEND(context->arena, users->items, users->count, user);
out:
    return st;
}

static struct status find_users(
    struct statement_context *context, const struct table_desc *type, struct type_users *users)
{
    struct status st = STATUS_OK;
    const struct table_desc **tables;
    uint32_t count;

    *users = (struct type_users){0};
    const char *const name = mark_of(context, type);
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, type->database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(users_in_table(context, tables[i], type->id, name, users));
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, type->database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(function_uses(context, tables[i], type->id, name, users));
    TRY(catalog_list_types(
        context->task, context->session, context->arena, type->database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *domain = tables[i];
        if (domain->id == type->id) continue;
        if (domain->kind == RELATION_COMPOSITE)
            TRY(users_in_composite(context, domain, type->id, users));
        if (domain->kind == RELATION_DOMAIN)
            TRY(users_in_domain(context, domain, type->id, name, users));
    }
out:
    return st;
}

struct status ddl_refuse_used_type(
    struct statement_context *context, const struct table_desc *type)
{
    struct status st = STATUS_OK;
    struct type_users users;
    TRY(find_users(context, type, &users));
    for (uint32_t i = 0; i < users.count; i++) {
        const struct type_user *user = &users.items[i];
        if (user->column == NULL) continue;
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "cannot alter type \"%s\" because column \"%s.%s\" uses it", type->name,
            user->table->name, user->column);
    }
out:
    return st;
}

static struct status names_field(
    struct statement_context *context, const char *sql, const char *field, bool *found)
{
    struct status st = STATUS_OK;
    struct expr *expr;
    if (sql == NULL) return st;
    struct ddl_expr_info info;
    TRY(parse_expression_on_stack(context->arena, bytes_of_string(sql), &expr));
    ddl_expr_info(context->arena, expr, &info);
    *found |= info.has_field_star;
    for (uint32_t i = 0; i < info.field_count; i++)
        *found |= strcmp(info.fields[i], field) == 0;
out:
    return st;
}

static struct status field_use_in(struct statement_context *context, const struct table_desc *table,
    const char *field, const char **what)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    for (uint32_t i = 0; i < table->column_count && *what == NULL; i++) {
        bool found = false;
        TRY(names_field(context, table->columns[i].default_sql, field, &found));
        TRY(names_field(context, table->columns[i].generated_sql, field, &found));
        if (found)
            *what = arena_printf(arena, "default value for column %s of table %s",
                table->columns[i].name, ddl_shown(context, table));
    }
    for (uint32_t i = 0; i < table->constraint_count && *what == NULL; i++) {
        bool found = false;
        TRY(names_field(context, table->constraints[i].check_sql, field, &found));
        if (found)
            *what = arena_printf(arena, "constraint %s on table %s", table->constraints[i].name,
                ddl_shown(context, table));
    }
    for (uint32_t i = 0; i < table->index_count && *what == NULL; i++) {
        const struct index_desc *index = &table->indexes[i];
        bool found = false;
        TRY(names_field(context, index->predicate_sql, field, &found));
        for (uint32_t k = 0; k < index->column_count; k++)
            TRY(names_field(context, index->columns[k].expression_sql, field, &found));
        if (found) *what = arena_printf(arena, "index %s", index->name);
    }
    for (uint32_t i = 0; i < table->statistics_count && *what == NULL; i++) {
        const struct statistics_desc *statistics = &table->statistics[i];
        bool found = false;
        for (uint32_t k = 0; k < statistics->expression_count; k++)
            TRY(names_field(context, statistics->expressions[k].sql, field, &found));
        if (found) *what = arena_printf(arena, "statistics object %s", statistics->name);
    }
out:
    return st;
}

// Expressions are kept as texts: one that makes a value of the type, from a row or a literal, would make another one.
static struct status makes_values(struct statement_context *context, const struct table_desc *table,
    uint32_t id, const char *name, bool *makes)
{
    struct status st = STATUS_OK;
    *makes = text_uses(table->view_sql, name);
    for (uint32_t i = 0; i < table->column_count && !*makes; i++) {
        const struct column_desc *column = &table->columns[i];
        struct ddl_expr_info info = {0};
        struct expr *expr;
        *makes = text_uses(column->default_sql, name) || text_uses(column->generated_sql, name);
        if (!column_uses(column, id) || column->default_sql == NULL) continue;
        TRY(parse_expression_on_stack(
            context->arena, bytes_of_string(column->default_sql), &expr));
        ddl_expr_info(context->arena, expr, &info);
        *makes |= info.has_row || info.has_string;
    }
    for (uint32_t i = 0; i < table->constraint_count; i++)
        *makes |= text_uses(table->constraints[i].check_sql, name);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        *makes |= text_uses(index->predicate_sql, name);
        for (uint32_t k = 0; k < index->column_count; k++)
            *makes |= text_uses(index->columns[k].expression_sql, name);
    }
    for (uint32_t i = 0; i < table->statistics_count; i++)
        for (uint32_t k = 0; k < table->statistics[i].expression_count; k++)
            *makes |= text_uses(table->statistics[i].expressions[k].sql, name);
out:
    return st;
}

static struct status refuse_makers(struct statement_context *context, const struct table_desc *type,
    const char *name, const struct table_desc *const *tables, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        bool makes;
        TRY(makes_values(context, tables[i], type->id, name, &makes));
        if (makes)
            return ddl_unsupported(context,
                arena_printf(context->arena,
                    "adding or dropping an attribute of type \"%s\" while \"%s\" keeps an expression "
                    "that makes values of it",
                    type->name, tables[i]->name));
    }
out:
    return st;
}

struct status ddl_refuse_kept_values(
    struct statement_context *context, const struct table_desc *type)
{
    struct status st;
    const struct table_desc **list;
    const char *const name = mark_of(context, type);
    uint32_t count;
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, type->database_id, &list, &count));
    TRY(refuse_makers(context, type, name, list, count));
    TRY(catalog_list_types(
        context->task, context->session, context->arena, type->database_id, &list, &count));
    TRY(refuse_makers(context, type, name, list, count));
out:
    return st;
}

struct status ddl_find_field_use(struct statement_context *context, const struct table_desc *type,
    const char *field, const char **what)
{
    struct status st;
    struct type_users users;
    *what = NULL;
    TRY(find_users(context, type, &users));
    for (uint32_t i = 0; i < users.count && *what == NULL; i++)
        if (users.items[i].table->kind == RELATION_TABLE)
            TRY(field_use_in(context, users.items[i].table, field, what));
out:
    return st;
}

static struct status run(struct statement_context *context, const char *sql)
{
    return internal_query(context->task, context->session->tenant, context->session, context->arena,
        NULL, sql, 0, NULL, NULL);
}

// Drops the users, or says that they are in the way.
static struct status release(struct statement_context *context, const struct type_users *users,
    const char *label, enum drop_behavior behavior)
{
    struct status st = STATUS_OK;
    if (users->count > 0 && behavior != DROP_CASCADE) {
        st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
            "cannot drop %s because other objects depend on it", label);
        struct buffer detail;
        buffer_init(&detail, context->arena);
        for (uint32_t i = 0; i < users->count; i++)
            buffer_printf(&detail, "%s%s depends on %s%s", i == 0 ? "" : "\n", users->items[i].what,
                label, users->items[i].array ? "[]" : "");
        st = status_detail(context->arena, st, "%s", buffer_string(&detail));
        return status_hint(
            context->arena, st, "Use DROP ... CASCADE to drop the dependent objects too.");
    }
    for (uint32_t i = 0; i < users->count; i++) {
        ddl_cascades_to(context, "%s", users->items[i].what);
        TRY(run(context, users->items[i].remedy));
    }
out:
    return st;
}

struct status ddl_release_type(
    struct statement_context *context, const struct table_desc *type, enum drop_behavior behavior)
{
    struct status st;
    struct type_users users;
    TRY(find_users(context, type, &users));
    st = release(context, &users, arena_printf(context->arena, "type %s", ddl_shown(context, type)), behavior);
out:
    return st;
}

// A domain or composite type that was declared with the collation.
static struct status collated_type(struct statement_context *context,
    const struct table_desc *type, struct type_users *users)
{
    struct status st = STATUS_OK;
    const char *full;
    bool uses = false;
    for (uint32_t i = 0; i < type->column_count; i++)
        uses |= has_collation(context, type->columns[i].collation, users);
    if (!uses) goto out;
    TRY(catalog_type_text(context->task, context->session, context->arena, type, &full));
    struct type_user user = {.table = type,
        .what = arena_printf(context->arena, "type %s", ddl_shown(context, type)),
        .remedy = arena_printf(context->arena, "DROP %s IF EXISTS %s CASCADE",
            type->kind == RELATION_DOMAIN ? "DOMAIN" : "TYPE", full)};
    DDL_APPEND(context->arena, users->items, users->count, user);
out:
    return st;
}

struct status ddl_release_named(struct statement_context *context, uint32_t database_id,
    const char *text, uint32_t collation, const char *label, enum drop_behavior behavior)
{
    struct status st;
    const struct table_desc **tables;
    uint32_t count;
    struct type_users users = {.collation = collation};
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(users_in_table(context, tables[i], UINT32_MAX, text, &users));
    TRY(catalog_list_types(
        context->task, context->session, context->arena, database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (collation != 0)
            TRY(collated_type(context, tables[i], &users));
        else if (tables[i]->kind == RELATION_DOMAIN)
            TRY(users_in_domain(context, tables[i], UINT32_MAX, text, &users));
    }
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(function_uses(context, tables[i], UINT32_MAX, text, &users));
    st = release(context, &users, label, behavior);
out:
    return st;
}
