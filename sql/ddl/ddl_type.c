// SPDX-License-Identifier: GPL-3.0-or-later
//
// Types that users make, of whatever kind: looking them up, making and dropping them, other names, schemas and owners.
#include "sql/ddl/ddl_internal.h"

#include "sql/catalog/pg_catalog.h"

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

// --- DROP ------------------------------------------------------------------------------------------------

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

struct status ddl_drop_type(
    struct statement_context *context, const struct table_desc *type, enum drop_behavior behavior)
{
    struct status st;
    TRY(ddl_release_type(context, type, behavior));
    TRY(ddl_remove_type(context, type));
out:
    return st;
}

static struct status drop_type(struct statement_context *context, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    struct table_desc *type;

    TRY(ddl_edit_type(context, name, drop->if_exists, &type));
    if (type == NULL) goto out;
    if (drop->object == OBJECT_DOMAIN && type->kind != RELATION_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a domain", type->name);
    TRY(ddl_drop_type(context, type, drop->behavior));
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
