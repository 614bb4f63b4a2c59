// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER ROLE ... RENAME TO. Roles are known by their names: all descriptors and system tables that name the role are
// written anew, in the statement's transaction. Sessions that the role has go on under the former name, which is nobody's.
#include <string.h>

#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/ddl_large_object.h"
#include "sql/session/internal.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"
#include "sql/user/role_predefined.h"

struct renaming {
    struct statement_context *context;
    const char *from, *to;
};

// Whether it was the name.
static bool take(const struct renaming *renaming, const char **name)
{
    if (*name == NULL || strcmp(*name, renaming->from) != 0) return false;
    *name = renaming->to;
    return true;
}

static bool take_grants(
    const struct renaming *renaming, struct privilege_grant *grants, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        any |= take(renaming, &grants[i].role);
        any |= take(renaming, &grants[i].grantor);
    }
    return any;
}

static bool take_object(const struct renaming *renaming, struct table_desc *object)
{
    bool any = take(renaming, &object->owner);
    any |= take_grants(renaming, object->grants, object->grant_count);
    for (uint32_t i = 0; i < object->column_count; i++)
        any |= take_grants(renaming, object->columns[i].grants, object->columns[i].grant_count);
    for (uint32_t i = 0; i < object->statistics_count; i++)
        any |= take(renaming, &object->statistics[i].owner);
    return any;
}

static struct status rename_in_objects(const struct renaming *renaming)
{
    struct status st = STATUS_OK;
    struct statement_context *context = renaming->context;
    const struct table_desc **objects;
    uint32_t count;
    TRY(catalog_list_objects(
        context->task, context->session, context->arena, 0, &objects, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct table_desc *object;
        // The listed one is a copy of our own: it tells whether there is anything to do.
        if (!take_object(renaming, (struct table_desc *)(uintptr_t)objects[i])) continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, objects[i]->id, &object));
        take_object(renaming, object);
        TRY(catalog_put_table(context->task, context->session, object));
    }
out:
    return st;
}

static struct status rename_in_schemas(const struct renaming *renaming)
{
    struct status st = STATUS_OK;
    struct statement_context *context = renaming->context;
    const struct schema_desc **schemas;
    uint32_t count;
    TRY(catalog_list_schemas(
        context->task, context->session, context->arena, 0, &schemas, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct schema_desc *schema;
        if (schemas[i]->database_id == 0) continue; // The system's.
        TRY(catalog_edit_schema(
            context->task, context->session, context->arena, schemas[i]->id, &schema));
        bool any = take(renaming, &schema->owner);
        any |= take_grants(renaming, schema->grants, schema->grant_count);
        if (any) TRY(catalog_put_schema(context->task, context->session, schema));
    }
out:
    return st;
}

static struct status rename_in_databases(const struct renaming *renaming)
{
    struct status st = STATUS_OK;
    struct statement_context *context = renaming->context;
    const struct database_desc **databases;
    uint32_t count;
    TRY(catalog_list_databases(
        context->task, context->session, context->arena, &databases, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct database_desc *database;
        TRY(catalog_edit_database(
            context->task, context->session, context->arena, databases[i]->id, &database));
        bool any = take(renaming, &database->owner);
        any |= take_grants(renaming, database->grants, database->grant_count);
        for (uint32_t k = 0; k < database->default_count; k++) {
            any |= take(renaming, &database->defaults[k].owner);
            any |= take(renaming, &database->defaults[k].role);
        }
        if (any) TRY(catalog_put_database(context->task, context->session, database));
    }
out:
    return st;
}

static struct status rename_in_large_object(
    void *arg, struct statement_context *context, struct large_object *object, bool *changed, bool *dropped)
{
    const struct renaming *renaming = arg;
    (void)context, (void)dropped;
    *changed = take(renaming, &object->owner);
    *changed |= take_grants(renaming, object->grants, object->grant_count);
    return STATUS_OK;
}

static struct status rename_in_system_tables(const struct renaming *renaming)
{
    static const char *const statements[] = {
        "UPDATE system.public.users SET username = $2 WHERE username = $1",
        "UPDATE system.public.role_members SET role = $2 WHERE role = $1",
        "UPDATE system.public.role_members SET member = $2 WHERE member = $1",
        "UPDATE system.public.privileges SET grantee = $2 WHERE grantee = $1",
        "UPDATE system.public.role_settings SET role = $2 WHERE role = $1",
        "UPDATE system.public.jobs SET user_name = $2 WHERE user_name = $1",
    };
    struct status st = STATUS_OK;
    struct statement_context *context = renaming->context;
    struct datum params[] = {datum_text(renaming->from), datum_text(renaming->to)};
    const type_oid types[] = {TYPE_TEXT, TYPE_TEXT};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        TRY(internal_query(context->task, context->session->tenant, context->session, context->arena,
            NULL, statements[i], 2, params, types));
out:
    return st;
}

struct status role_rename(struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    struct renaming renaming = {context, rename->name.name, rename->new_name};
    struct role_name written = {.kind = ROLE_NAMED, .name = rename->name.name};
    const char *name;
    bool exists, is_admin;

    TRY(role_resolve(task, session, &written, false, &name));
    if (role_name_is_reserved(name)) return role_check_name(context, name);
    if (strcmp(name, ROLE_ROOT) == 0 || strcmp(name, ROLE_ADMIN) == 0)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot rename role %s", name);
    if (strcmp(name, session->user) == 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "current user cannot be renamed");
    if (strcmp(name, session->session_user) == 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "session user cannot be renamed");
    TRY(role_check_name(context, rename->new_name));
    TRY(role_exists(task, session, rename->new_name, &exists));
    if (exists)
        return ddl_error(
            context, E_DUPLICATE_OBJECT, "role \"%s\" already exists", rename->new_name);
    TRY(role_check_may_manage(context, "rename role"));
    TRY(role_is_member(task, session, name, ROLE_ADMIN, &is_admin));
    if (is_admin) TRY(privilege_check_superuser(task, session, "rename superusers"));
    TRY(rename_in_system_tables(&renaming));
    TRY(rename_in_objects(&renaming));
    TRY(rename_in_schemas(&renaming));
    TRY(rename_in_databases(&renaming));
    TRY(ddl_change_large_objects(
        context, 0, &(struct large_object_change){rename_in_large_object, &renaming}));
    ddl_state(session)->roles_changed = true;
out:
    return st;
}
