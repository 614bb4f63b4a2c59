// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE TYPE ... AS (...), and ALTER TYPE of what it made.
#include "sql/ddl/ddl_internal.h"
#include "sql/user/role.h"

// Types within types: values are read and written by functions that call themselves.
#define NESTING_MAX 16u

static struct status nesting_of(struct statement_context *context, type_oid oid, uint32_t depth,
    uint32_t *deepest)
{
    struct status st = STATUS_OK;
    const struct table_desc *type;
    if (depth > *deepest) *deepest = depth;
    if (depth > NESTING_MAX || !type_is_user(oid)) return st;
    TRY(catalog_table_by_id(context->task, context->session, type_user_id(oid), &type));
    if (type->kind != RELATION_COMPOSITE) return st;
    for (uint32_t i = 0; i < type->column_count; i++)
        TRY(nesting_of(context, type->columns[i].type.oid, depth + 1, deepest));
out:
    return st;
}

static struct status refuse_deep(struct statement_context *context, uint32_t deepest)
{
    if (deepest <= NESTING_MAX) return STATUS_OK;
    return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED,
        "composite types are nested deeper than %u", NESTING_MAX);
}

// Types are nested in a tree of bounded depth.
static struct status holds(
    struct statement_context *context, type_oid oid, uint32_t id, bool *found)
{
    struct status st = STATUS_OK;
    const struct table_desc *type;
    if (!type_is_user(oid)) return st;
    *found |= type_user_id(oid) == id;
    TRY(catalog_table_by_id(context->task, context->session, type_user_id(oid), &type));
    for (uint32_t i = 0; i < type->column_count && type->kind == RELATION_COMPOSITE && !*found; i++)
        TRY(holds(context, type->columns[i].type.oid, id, found));
out:
    return st;
}

// One that has got an attribute may be deep within others.
static struct status check_nesting(struct statement_context *context, const struct table_desc *type)
{
    struct status st;
    const struct table_desc **types;
    uint32_t count;
    TRY(catalog_list_types(
        context->task, context->session, context->arena, type->database_id, &types, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t deepest = 0;
        if (types[i]->kind != RELATION_COMPOSITE) continue;
        TRY(nesting_of(context, catalog_type_oid(types[i]), 0, &deepest));
        TRY(refuse_deep(context, deepest));
    }
out:
    return st;
}

static struct status add_attribute(struct statement_context *context, struct table_desc *type,
    const struct column_definition *definition)
{
    struct status st = STATUS_OK;
    struct column_desc column = {.name = definition->name};
    type_oid domain = 0;
    uint32_t deepest = 0;

    if (type->column_count >= TABLE_COLUMNS_MAX)
        return ddl_error(context, E_TOO_MANY_COLUMNS, "a composite type can have at most %u columns",
            TABLE_COLUMNS_MAX);
    if (table_column(type, definition->name) != NULL)
        return ddl_error(context, E_DUPLICATE_COLUMN,
            "column \"%s\" of relation \"%s\" already exists", definition->name, type->name);
    if (definition->collation.name != NULL)
        return ddl_unsupported(context, "COLLATE of an attribute of a composite type");
    TRY(ddl_column_type(context, definition->type, &column.type, NULL, &domain));
    if (domain != 0) return ddl_unsupported(context, "an attribute of a domain's type");
    bool cycle = false;
    TRY(holds(context, column.type.oid, type->id, &cycle));
    if (cycle)
        return ddl_error(context, E_INVALID_TABLE_DEFINITION,
            "composite type %s cannot be made a member of itself", type->name);
    TRY(nesting_of(context, column.type.oid, 1, &deepest));
    TRY(refuse_deep(context, deepest));
    column.id = type->next_column_id++;
    DDL_APPEND(context->arena, type->columns, type->column_count, column);
out:
    return st;
}

struct status ddl_create_composite(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_composite *create = context->statement->as.create_composite;
    struct table_desc type;

    TRY(ddl_begin_type(context, &create->name, RELATION_COMPOSITE, &type));
    for (uint32_t i = 0; i < create->column_count; i++) {
        if (table_column(&type, create->columns[i].name) != NULL)
            return ddl_error(context, E_DUPLICATE_COLUMN,
                "column \"%s\" specified more than once", create->columns[i].name);
        TRY(add_attribute(context, &type, &create->columns[i]));
    }
    TRY(ddl_put_new_type(context, &type));
out:
    return st;
}

static struct status find_attribute(struct statement_context *context,
    const struct table_desc *type, const char *name, bool missing_ok, uint32_t *at)
{
    for (*at = 0; *at < type->column_count; ++*at)
        if (strcmp(type->columns[*at].name, name) == 0) return STATUS_OK;
    if (!missing_ok)
        return ddl_error(context, E_UNDEFINED_COLUMN,
            "column \"%s\" of relation \"%s\" does not exist", name, type->name);
    ddl_notice(context, "column \"%s\" of relation \"%s\" does not exist, skipping", name,
        type->name);
    return STATUS_OK;
}

static struct status drop_attribute(struct statement_context *context, struct table_desc *type,
    const struct alter_command *command)
{
    struct status st;
    uint32_t at;
    const char *used;
    bool dropped;
    TRY(find_attribute(context, type, command->name, command->missing_ok, &at));
    if (at == type->column_count) goto out;
    TRY(ddl_refuse_kept_values(context, type));
    TRY(ddl_find_field_use(context, type, command->name, &used));
    if (used != NULL && command->behavior == DROP_CASCADE)
        return ddl_unsupported(context, "DROP ATTRIBUTE ... CASCADE of what an expression of a table uses");
    if (used != NULL) {
        st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
            "cannot drop column %s of composite type %s because other objects depend on it",
            command->name, ddl_shown(context, type));
        st = status_detail(context->arena, st, "%s depends on column %s of composite type %s", used,
            command->name, ddl_shown(context, type));
        return status_hint(
            context->arena, st, "Use DROP ... CASCADE to drop the dependent objects too.");
    }
    TRY(ddl_drop_views_using(context, type, &type->columns[at], command->behavior, &dropped));
    // Its id is not given again: values keep what they have of it, where nobody looks.
    DDL_REMOVE(type->columns, type->column_count, at);
out:
    return st;
}

static struct status alter_attribute(struct statement_context *context, struct table_desc *type,
    const struct alter_command *command)
{
    struct status st = STATUS_OK;
    uint32_t at;
    if (command->kind == ALTER_OWNER) {
        TRY(role_resolve(context->task, context->session, &command->owner, false, &type->owner));
        return st;
    }
    switch (command->kind) {
    case ALTER_ADD_COLUMN:
        TRY(ddl_refuse_kept_values(context, type));
        return add_attribute(context, type, command->definition);
    case ALTER_DROP_COLUMN: return drop_attribute(context, type, command);
    case ALTER_COLUMN_TYPE: {
        struct table_desc rest = *type;
        struct column_definition definition = *command->definition;
        TRY(find_attribute(context, type, command->name, false, &at));
        TRY(ddl_refuse_used_type(context, type));
        definition.name = command->name;
        rest.columns = NULL;
        rest.column_count = 0;
        TRY(add_attribute(context, &rest, &definition));
        type->columns[at].type = rest.columns[0].type;
        break;
    }
    default: return ddl_unsupported(context, "this form of ALTER TYPE");
    }
out:
    return st;
}

static struct status edit_composite(struct statement_context *context,
    const struct object_name *name, bool missing_ok, struct table_desc **type)
{
    struct status st;
    TRY(ddl_edit_type(context, name, missing_ok, type));
    if (*type != NULL && (*type)->kind != RELATION_COMPOSITE)
        return ddl_error(
            context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a composite type", (*type)->name);
out:
    return st;
}

struct status ddl_alter_composite(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_table *alter = context->statement->as.alter_table;
    struct table_desc *type;
    if (alter->command_count == 1 && alter->commands[0].kind == ALTER_OWNER) {
        const char *owner;
        TRY(role_resolve(
            context->task, context->session, &alter->commands[0].owner, false, &owner));
        return ddl_own_type(context, &alter->name, owner);
    }
    TRY(edit_composite(context, &alter->name, alter->if_exists, &type));
    if (type == NULL) goto out;
    for (uint32_t i = 0; i < alter->command_count; i++)
        TRY(alter_attribute(context, type, &alter->commands[i]));
    TRY(catalog_put_table(context->task, context->session, type));
    TRY(check_nesting(context, type));
out:
    return st;
}

struct status ddl_rename_attribute(
    struct statement_context *context, const struct rename *rename)
{
    struct status st;
    struct table_desc *type;
    uint32_t at;
    TRY(edit_composite(context, &rename->name, rename->if_exists, &type));
    if (type == NULL) goto out;
    TRY(find_attribute(context, type, rename->part, false, &at));
    if (table_column(type, rename->new_name) != NULL)
        return ddl_error(context, E_DUPLICATE_COLUMN,
            "column \"%s\" of relation \"%s\" already exists", rename->new_name, type->name);
    const char *used;
    TRY(ddl_find_field_use(context, type, rename->part, &used));
    if (used != NULL)
        return ddl_unsupported(context,
            arena_printf(context->arena, "renaming the attribute that %s uses", used));
    TRY(ddl_rename_in_views(context,
        &(struct ddl_rename_in_views){.table_id = type->id,
            .of_type = true,
            .column = rename->part,
            .new_column = rename->new_name}));
    type->columns[at].name = rename->new_name;
    TRY(catalog_put_table(context->task, context->session, type));
out:
    return st;
}
