// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE TYPE ... AS ENUM and what changes it; of all types who uses them, DROP, other names, schemas and owners.
#include "core/task.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/parse/ast_visit.h"
#include "sql/ddl/ddl_internal.h"

#include "sql/type/collation.h"
#include "sql/parse/deparse.h"
#include "sql/session/internal.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/type/type_reference.h"

static struct status type_missing(struct statement_context *context, const struct object_name *name)
{
    return ddl_error(context, E_UNDEFINED_OBJECT, "type \"%s%s%s\" does not exist",
        name->schema == NULL ? "" : name->schema, name->schema == NULL ? "" : ".", name->name);
}

// What is said of a table's or view's row type where one by that name is asked for that can be changed.
static struct status row_type(struct statement_context *context, const struct table_desc *table)
{
    const char *name = ddl_shown(context, table), *kind = table->kind == RELATION_VIEW ? "view" : "table";
    const struct statement *statement = context->statement;
    const bool attributes = statement->tag == STATEMENT_ALTER_TABLE &&
                            !(statement->as.alter_table->command_count == 1 &&
                                statement->as.alter_table->commands[0].kind == ALTER_OWNER);
    if (statement->tag == STATEMENT_DROP && statement->as.drop->object == OBJECT_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a domain", name);
    if (statement->tag == STATEMENT_DROP)
        return status_hint(context->arena,
            ddl_error(context, E_DEPENDENT_OBJECTS_EXIST, "cannot drop type %s because %s %s requires it", name, kind, name),
            "You can drop %s %s instead.", kind, name);
    if (statement->tag == STATEMENT_ALTER_ENUM)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not an enum", name);
    if (statement->tag == STATEMENT_ALTER_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not a domain", name);
    if (attributes)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a composite type", name);
    return status_hint(context->arena,
        ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is a table's row type", name), "Use ALTER TABLE instead.");
}

// Decoded for update, owner checked. *type NULL when it is missing and that is ok.
struct status ddl_edit_type(struct statement_context *context, const struct object_name *name,
    bool missing_ok, struct table_desc **type)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;

    *type = NULL;
    TRY(catalog_type(
        context->task, context->session, name->catalog, name->schema, name->name, &found));
    if (found == NULL) {
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name, true, &found));
        if (found != NULL && relation_has_row_type(found->kind)) return row_type(context, found);
        if (!missing_ok) return type_missing(context, name);
        ddl_notice(context, "type \"%s\" does not exist, skipping", name->name);
        goto out;
    }
    TRY(catalog_edit_table(context->task, context->session, context->arena, found->id, type));
    TRY(privilege_check_owner(
        context->task, context->session, (*type)->owner, OBJECT_TYPE, (*type)->name));
out:
    return st;
}

struct status ddl_begin_type(struct statement_context *context, const struct object_name *name,
    enum relation_kind kind, struct table_desc *type)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    bool taken;

    TRY(ddl_target_schema(context, name, &schema));
    *type = (struct table_desc){.kind = kind,
        .database_id = schema->database_id,
        .schema_id = schema->id,
        .name = arena_strdup(context->arena, name->name),
        .owner = ddl_owner(context->session),
        .next_column_id = 1,
        .next_index_id = 1,
        .next_constraint_id = 1,
        .next_label_id = 1};
    TRY(catalog_new_id(context->task, context->session->tenant, &type->id));
    TRY(ddl_take_name(context, type->database_id, type->schema_id, type->name,
        (struct name_value){.kind = NAME_RELATION, .id = type->id}, &taken));
    if (taken)
        return ddl_error(context, E_DUPLICATE_OBJECT, "type \"%s\" already exists", type->name);
out:
    return st;
}

// Once it is complete: names find it through the list of its database.
struct status ddl_put_new_type(struct statement_context *context, struct table_desc *type)
{
    struct status st = STATUS_OK;
    struct database_desc *database;
    TRY(privilege_default_of_everybody(context, OBJECT_TYPE, type));
    TRY(catalog_put_table(context->task, context->session, type));
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, type->database_id, &database));
    DDL_APPEND(context->arena, database->types, database->type_count, type->id);
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

// Whether a cast makes values fit that an assignment refuses.
static bool cast_cuts(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    if (info != NULL && info->element != 0) oid = info->element;
    return oid == TYPE_VARCHAR || oid == TYPE_BPCHAR || oid == TYPE_BIT || oid == TYPE_VARBIT;
}

const char *type_sql(struct statement_context *context, struct type type)
{
    const struct table_desc *found;
    const char *text;
    if (!type_is_user(type.oid) ||
        failed(catalog_table_by_id(
            context->task, context->session, type_user_id(type.oid), &found)) ||
        failed(catalog_type_text(context->task, context->session, context->arena, found, &text)))
        return type_format(context->arena, type);
    return type_is_array(type.oid) ? arena_printf(context->arena, "%s[]", text) : text;
}

struct status ddl_column_cast(struct statement_context *context, const char *sql, struct type type,
    type_oid domain, const char **cast)
{
    struct status st = STATUS_OK;
    const struct table_desc *desc = NULL;
    // "character" and "bit" would be of length 1.
    const char *name = type.oid == TYPE_BPCHAR ? "bpchar"
                       : type.oid == TYPE_BIT  ? "\"bit\""
                                               : type_sql(context, TYPE_OF(type.oid));
    if (domain != 0) TRY(catalog_table_by_id(context->task, context->session, type_user_id(domain), &desc));
    if (desc != NULL && (desc->constraint_count > 0 || desc->columns[0].not_null)) {
        if (type.typmod >= 0 && cast_cuts(type.oid))
            return ddl_unsupported(context, "a domain with both a length and conditions for rows that are there already");
        name = type_sql(context, TYPE_OF(domain));
    }
    *cast = arena_printf(context->arena, "CAST((%s) AS %s)", sql, name);
out:
    return st;
}

// --- enums -----------------------------------------------------------------------------------------------

static struct status check_label(struct statement_context *context, const char *label)
{
    if (strlen(label) <= IDENTIFIER_BYTES_MAX) return STATUS_OK;
    struct status st =
        ddl_error(context, E_INVALID_NAME, "invalid enum label \"%s\"", label);
    return status_detail(
        context->arena, st, "Labels must be %u bytes or less.", (unsigned)IDENTIFIER_BYTES_MAX);
}

static int find_label(const struct table_desc *type, const char *name)
{
    for (uint32_t i = 0; i < type->label_count; i++)
        if (strcmp(type->labels[i].name, name) == 0) return (int)i;
    return -1;
}

struct status ddl_create_enum(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_enum *create = context->statement->as.create_enum;
    struct table_desc type;

    TRY(ddl_begin_type(context, &create->name, RELATION_ENUM, &type));
    if (create->value_count > TYPE_LABELS_MAX)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED, "an enum can have at most %u labels",
            TYPE_LABELS_MAX);
    for (uint32_t i = 0; i < create->value_count; i++) {
        struct type_label label = {.name = arena_string(context->arena, create->values[i]),
            .order = (int64_t)(i + 1) * TYPE_LABEL_STEP,
            .id = type.next_label_id++};
        TRY(check_label(context, label.name));
        if (find_label(&type, label.name) >= 0)
            return ddl_error(context, E_UNIQUE_VIOLATION,
                "enum label \"%s\" used more than once", label.name);
        DDL_APPEND(context->arena, type.labels, type.label_count, label);
    }
    TRY(ddl_put_new_type(context, &type));
out:
    return st;
}

static struct status add_label(struct statement_context *context, struct table_desc *type,
    const struct alter_enum *alter, bool *added)
{
    struct status st = STATUS_OK;
    uint32_t count = type->label_count, at = count;

    *added = false;
    TRY(check_label(context, alter->new_value));
    if (find_label(type, alter->new_value) >= 0) {
        if (!alter->if_not_exists)
            return ddl_error(context, E_DUPLICATE_OBJECT, "enum label \"%s\" already exists",
                alter->new_value);
        ddl_notice_exists(context, E_DUPLICATE_OBJECT, "enum label \"%s\" already exists, skipping", alter->new_value);
        goto out;
    }
    if (count == TYPE_LABELS_MAX || type->next_label_id >= TYPE_LABELS_MAX)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED, "an enum can have at most %u labels",
            TYPE_LABELS_MAX);
    if (alter->neighbor != NULL) {
        int neighbor = find_label(type, alter->neighbor);
        if (neighbor < 0)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE,
                "\"%s\" is not an existing enum label", alter->neighbor);
        at = (uint32_t)neighbor + (alter->after ? 1 : 0);
    }
    struct type_label label = {.name = alter->new_value, .id = type->next_label_id++};
    if (count == 0)
        label.order = TYPE_LABEL_STEP;
    else if (at == count)
        label.order = type->labels[count - 1].order + TYPE_LABEL_STEP;
    else if (at == 0)
        label.order = type->labels[0].order - TYPE_LABEL_STEP;
    else
        label.order = type->labels[at - 1].order +
                      (type->labels[at].order - type->labels[at - 1].order) / 2;
    if (at > 0 && label.order == type->labels[at - 1].order)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED,
            "too many labels were added between the same two labels");
    struct type_label *labels = ARENA_ARRAY(context->arena, struct type_label, count + 1);
    memcpy(labels, type->labels, at * sizeof *labels);
    labels[at] = label;
    memcpy(labels + at + 1, type->labels + at, (count - at) * sizeof *labels);
    type->labels = labels;
    type->label_count++;
    *added = true;
out:
    return st;
}

struct status ddl_alter_enum(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_enum *alter = context->statement->as.alter_enum;
    struct table_desc *type;
    bool changed = true;

    TRY(ddl_edit_type(context, &alter->name, false, &type));
    if (type->kind != RELATION_ENUM)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not an enum", type->name);
    if (alter->old_value != NULL) {
        int at = find_label(type, alter->old_value);
        TRY(check_label(context, alter->new_value));
        if (at < 0)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE,
                "\"%s\" is not an existing enum label", alter->old_value);
        if (find_label(type, alter->new_value) >= 0)
            return ddl_error(context, E_DUPLICATE_OBJECT, "enum label \"%s\" already exists",
                alter->new_value);
        type->labels[at].name = alter->new_value;
    } else {
        TRY(add_label(context, type, alter, &changed));
    }
    if (changed) TRY(catalog_put_table(context->task, context->session, type));
out:
    return st;
}

// --- who uses a type ---------------------------------------------------------------------------------------

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

const char *ddl_quoted(struct arena *arena, const char *name)
{
    struct buffer out;
    buffer_init(&out, arena);
    deparse_identifier(&out, name);
    return buffer_string(&out);
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
        if (!uses) continue;
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

// --- DROP ------------------------------------------------------------------------------------------------

static struct status run(struct statement_context *context, const char *sql)
{
    return internal_query(context->task, context->session->tenant, context->session, context->arena,
        NULL, sql, 0, NULL, NULL);
}

struct status ddl_remove_type(struct statement_context *context, const struct table_desc *type)
{
    struct status st = STATUS_OK;
    struct database_desc *database;
    TRY(catalog_free_name(
        context->task, context->session, type->database_id, type->schema_id, type->name));
    TRY(catalog_delete_descriptor(context->task, context->session, type->id));
    TRY(ddl_delete_comments(context, COMMENT_ON_TYPE, type->id));
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, type->database_id, &database));
    ddl_remove_id(database->types, &database->type_count, type->id);
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

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

static struct status drop_type(struct statement_context *context, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    struct table_desc *type;
    struct type_users users;

    TRY(ddl_edit_type(context, name, drop->if_exists, &type));
    if (type == NULL) goto out;
    if (drop->object == OBJECT_DOMAIN && type->kind != RELATION_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a domain", type->name);
    TRY(find_users(context, type, &users));
    TRY(release(context, &users, arena_printf(context->arena, "type %s", ddl_shown(context, type)),
        drop->behavior));
    TRY(ddl_remove_type(context, type));
out:
    return st;
}

struct status ddl_drop_types(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    for (uint32_t i = 0; i < drop->names.count; i++)
        TRY(drop_type(context, &drop->names.items[i]));
out:
    return st;
}

// --- RENAME TO, SET SCHEMA, OWNER TO ---------------------------------------------------------------------

struct status ddl_rename_type(struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    struct table_desc *type;
    bool taken;
    TRY(ddl_edit_type(context, &rename->name, rename->if_exists, &type));
    if (type == NULL) goto out;
    TRY(ddl_take_name(context, type->database_id, type->schema_id, rename->new_name,
        (struct name_value){.kind = NAME_RELATION, .id = type->id}, &taken));
    if (taken)
        return ddl_error(
            context, E_DUPLICATE_OBJECT, "type \"%s\" already exists", rename->new_name);
    TRY(catalog_free_name(
        context->task, context->session, type->database_id, type->schema_id, type->name));
    type->name = rename->new_name;
    TRY(catalog_put_table(context->task, context->session, type));
out:
    return st;
}

struct status ddl_move_type(
    struct statement_context *context, const struct alter_object_schema *alter)
{
    struct status st = STATUS_OK;
    struct table_desc *type;
    const struct schema_desc *schema;
    bool taken;
    TRY(ddl_edit_type(context, &alter->name, alter->if_exists, &type));
    if (type == NULL) goto out;
    struct object_name target = {.schema = alter->new_schema, .name = type->name};
    TRY(ddl_target_schema(context, &target, &schema));
    TRY(ddl_check_move(context, type->schema_id, schema));
    TRY(ddl_target_schema(context, &target, &schema)); // Looking at the other may have let go of it.
    if (schema->id == type->schema_id) goto out;
    if (schema->database_id != type->database_id)
        return ddl_unsupported(context, "moving a type to another database");
    uint32_t schema_id = schema->id;
    TRY(ddl_take_name(context, type->database_id, schema_id, type->name,
        (struct name_value){.kind = NAME_RELATION, .id = type->id}, &taken));
    if (taken)
        return ddl_error(context, E_DUPLICATE_OBJECT,
            "type \"%s\" already exists in schema \"%s\"", type->name, alter->new_schema);
    TRY(catalog_free_name(
        context->task, context->session, type->database_id, type->schema_id, type->name));
    type->schema_id = schema_id;
    TRY(catalog_put_table(context->task, context->session, type));
out:
    return st;
}

struct status ddl_own_type(
    struct statement_context *context, const struct object_name *name, const char *owner)
{
    struct status st = STATUS_OK;
    struct table_desc *type;
    TRY(ddl_edit_type(context, name, false, &type));
    type->owner = owner;
    TRY(catalog_put_table(context->task, context->session, type));
out:
    return st;
}
