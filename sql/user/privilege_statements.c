// SPDX-License-Identifier: GPL-3.0-or-later
//
// GRANT SYSTEM, REASSIGN OWNED, DROP OWNED. Privileges of objects: privilege_grant.c.
#include "core/text.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/ddl_large_object.h"
#include "sql/session/internal.h"
#include "sql/user/role.h"
#include "sql/user/role_predefined.h"

// --- system privileges -----------------------------------------------------------------------------------

static struct status system_privilege(
    struct statement_context *context, const char *written, const char **name)
{
    if (strcmp(written, "all") == 0) {
        *name = "ALL";
        return STATUS_OK;
    }
    // Older names that the documentation still uses.
    static const char *const aliases[][2] = {{"viewsystemdata", "VIEWSYSTEMTABLE"},
        {"repairclustermetadata", "REPAIRCLUSTER"}, {"managetenant", "MANAGEVIRTUALCLUSTER"}};
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (strcmp(written, aliases[i][0]) == 0) {
            *name = aliases[i][1];
            return STATUS_OK;
        }
    }
    for (const char *const *each = privilege_system_names(); *each != NULL; each++) {
        if (!string_equal_nocase(*each, written)) continue;
        *name = *each;
        return STATUS_OK;
    }
    return ddl_error(context, E_SYNTAX_ERROR, "unknown system privilege \"%s\"", written);
}

static struct status grant_system(struct statement_context *context,
    const struct grant_system *grant, const char *privilege, const char *grantee)
{
    struct datum params[] = {
        datum_text(grantee), datum_text(privilege), datum_bool(grant->grant_option)};
    const type_oid types[] = {TYPE_TEXT, TYPE_TEXT, TYPE_BOOL};
    const char *sql;
    uint32_t count = 2;
    bool all = grant->revoke && strcmp(privilege, "ALL") == 0;
    if (!grant->revoke) {
        sql = "INSERT INTO system.public.privileges (grantee, privilege, grantable) "
              "VALUES ($1, $2, $3) ON CONFLICT (grantee, privilege) "
              "DO UPDATE SET grantable = excluded.grantable OR privileges.grantable";
        count = 3;
    } else if (grant->grant_option) {
        sql = all ? "UPDATE system.public.privileges SET grantable = false WHERE grantee = $1"
                  : "UPDATE system.public.privileges SET grantable = false "
                    "WHERE grantee = $1 AND privilege = $2";
    } else {
        sql = all ? "DELETE FROM system.public.privileges WHERE grantee = $1"
                  : "DELETE FROM system.public.privileges WHERE grantee = $1 AND privilege = $2";
    }
    if (all) count = 1;
    return internal_query(context->task, context->session->tenant, context->session, context->arena,
        NULL, sql, count, params, types);
}

static struct status check_system_grantor(struct statement_context *context, const char *privilege)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct role_system_grant *grants;
    uint32_t count;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_system_grants(context->task, session, context->arena, &grants, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool member;
        if (!grants[i].grantable || (strcmp(grants[i].privilege, privilege) != 0 &&
                                        strcmp(grants[i].privilege, "ALL") != 0))
            continue;
        TRY(role_is_member(context->task, session, session->user, grants[i].grantee, &member));
        if (member) goto out;
    }
    st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
        "user %s missing WITH GRANT OPTION privilege on %s", session->user, privilege);
out:
    return st;
}

struct status privilege_grant_system_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct grant_system *grant = context->statement->as.grant_system;

    for (uint32_t i = 0; i < grant->privileges.count; i++) {
        const char *privilege = NULL;
        TRY(system_privilege(context, grant->privileges.items[i], &privilege));
        TRY(check_system_grantor(context, privilege));
        for (uint32_t k = 0; k < grant->grantees.count; k++) {
            const char *grantee;
            TRY(role_resolve(
                context->task, context->session, &grant->grantees.items[k], true, &grantee));
            TRY(grant_system(context, grant, privilege, grantee));
        }
    }
    ddl_state(context->session)->roles_changed = true;
out:
    return st;
}

// --- REASSIGN OWNED, DROP OWNED ----------------------------------------------------------------------------

static bool is_one_of(const char *name, const char **roles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(roles[i], name) == 0) return true;
    }
    return false;
}

struct owned_objects {
    const char **roles;
    uint32_t count;
    const char *new_owner;
};

static struct status reassign_large_object(
    void *arg, struct statement_context *context, struct large_object *object, bool *changed, bool *dropped)
{
    const struct owned_objects *owned = arg;
    (void)context, (void)dropped;
    *changed = is_one_of(object->owner, owned->roles, owned->count);
    if (*changed) object->owner = owned->new_owner;
    return STATUS_OK;
}

static struct status reassign(
    struct statement_context *context, const char **roles, uint32_t count, const char *new_owner)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    struct arena *arena = context->arena;
    const struct database_desc *current, **databases;
    const struct table_desc **tables;
    const struct schema_desc **schemas;
    uint32_t found;

    TRY(catalog_database(task, session, NULL, false, &current));
    uint32_t database_id = current->id;
    TRY(catalog_list_objects(task, session, arena, database_id, &tables, &found));
    for (uint32_t i = 0; i < found; i++) {
        struct table_desc *table;
        bool any = is_one_of(tables[i]->owner, roles, count);
        for (uint32_t k = 0; k < tables[i]->statistics_count; k++)
            any |= is_one_of(tables[i]->statistics[k].owner, roles, count);
        if (!any) continue;
        TRY(catalog_edit_table(task, session, arena, tables[i]->id, &table));
        if (is_one_of(table->owner, roles, count)) table->owner = new_owner;
        for (uint32_t k = 0; k < table->statistics_count; k++)
            if (is_one_of(table->statistics[k].owner, roles, count))
                table->statistics[k].owner = new_owner;
        TRY(catalog_put_table(task, session, table));
    }
    TRY(catalog_list_schemas(task, session, arena, database_id, &schemas, &found));
    for (uint32_t i = 0; i < found; i++) {
        struct schema_desc *schema;
        if (!is_one_of(schemas[i]->owner, roles, count)) continue;
        TRY(catalog_edit_schema(task, session, arena, schemas[i]->id, &schema));
        schema->owner = new_owner;
        TRY(catalog_put_schema(task, session, schema));
    }
    struct owned_objects owned = {roles, count, new_owner};
    TRY(ddl_change_large_objects(
        context, database_id, &(struct large_object_change){reassign_large_object, &owned}));
    TRY(catalog_list_databases(task, session, arena, &databases, &found));
    for (uint32_t i = 0; i < found; i++) {
        struct database_desc *database;
        if (!is_one_of(databases[i]->owner, roles, count)) continue;
        TRY(catalog_edit_database(task, session, arena, databases[i]->id, &database));
        database->owner = new_owner;
        TRY(catalog_put_database(task, session, database));
    }
out:
    return st;
}

static bool remove_grants(
    struct privilege_grant *grants, uint32_t *grant_count, const char **roles, uint32_t count)
{
    bool removed = false;
    for (uint32_t i = 0; i < *grant_count;) {
        if (!is_one_of(grants[i].role, roles, count) &&
            (grants[i].grantor == NULL || !is_one_of(grants[i].grantor, roles, count))) {
            i++;
            continue;
        }
        DDL_REMOVE(grants, *grant_count, i);
        removed = true;
    }
    return removed;
}

static struct status drop_large_object(
    void *arg, struct statement_context *context, struct large_object *object, bool *changed, bool *dropped)
{
    const struct owned_objects *owned = arg;
    (void)context;
    *dropped = is_one_of(object->owner, owned->roles, owned->count);
    *changed = remove_grants(object->grants, &object->grant_count, owned->roles, owned->count);
    return STATUS_OK;
}

static struct status drop_statistics_owned(struct statement_context *context,
    struct table_desc *table, const char **roles, uint32_t count, bool *any)
{
    struct status st = STATUS_OK;
    for (uint32_t i = table->statistics_count; i-- > 0;) {
        if (!is_one_of(table->statistics[i].owner, roles, count)) continue;
        TRY(ddl_remove_statistics(context, table, i));
        *any = true;
    }
out:
    return st;
}

// What the roles have been granted of another's object, and statistics objects of theirs.
static struct status drop_owned_of(
    struct statement_context *context, const struct table_desc *of, const char **roles, uint32_t count)
{
    struct status st;
    struct table_desc *object;
    TRY(catalog_edit_table(context->task, context->session, context->arena, of->id, &object));
    bool removed = remove_grants(object->grants, &object->grant_count, roles, count);
    for (uint32_t c = 0; c < object->column_count; c++)
        removed |= remove_grants(object->columns[c].grants, &object->columns[c].grant_count, roles, count);
    TRY(drop_statistics_owned(context, object, roles, count, &removed));
    if (removed) TRY(catalog_put_table(context->task, context->session, object));
out:
    return st;
}

// Adds the schemas that the roles own; takes from others what the roles have been granted.
static struct status collect_owned_schemas(struct statement_context *context, uint32_t database_id, const char **roles,
    uint32_t count, struct ddl_drop_list *list)
{
    struct status st;
    const struct schema_desc **schemas;
    uint32_t found;
    TRY(catalog_list_schemas(
        context->task, context->session, context->arena, database_id, &schemas, &found));
    list->schemas = schemas;
    for (uint32_t i = 0; i < found; i++) {
        struct schema_desc *schema;
        TRY(catalog_edit_schema(context->task, context->session, context->arena, schemas[i]->id, &schema));
        if (is_one_of(schema->owner, roles, count))
            schemas[list->schema_count++] = schema;
        else if (remove_grants(schema->grants, &schema->grant_count, roles, count))
            TRY(catalog_put_schema(context->task, context->session, schema));
    }
out:
    return st;
}

static struct status drop_owned(struct statement_context *context, const char **roles,
    uint32_t count, enum drop_behavior behavior)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    struct arena *arena = context->arena;
    const struct database_desc *current;
    const struct table_desc **objects;
    struct ddl_drop_list list = {0};
    uint32_t found;

    TRY(catalog_database(task, session, NULL, false, &current));
    uint32_t database_id = current->id;
    TRY(catalog_list_objects(task, session, arena, database_id, &objects, &found));
    for (uint32_t i = 0; i < found; i++) {
        if (is_one_of(objects[i]->owner, roles, count))
            objects[list.count++] = objects[i];
        else
            TRY(drop_owned_of(context, objects[i], roles, count));
    }
    list.objects = objects;
    TRY(collect_owned_schemas(context, database_id, roles, count, &list));
    TRY(ddl_drop_together(context, &list, behavior));
    struct owned_objects owned = {.roles = roles, .count = count};
    TRY(ddl_change_large_objects(
        context, database_id, &(struct large_object_change){drop_large_object, &owned}));
    struct database_desc *database;
    TRY(catalog_edit_database(task, session, arena, database_id, &database));
    bool removed = remove_grants(database->grants, &database->grant_count, roles, count);
    for (uint32_t i = 0; i < database->default_count;) {
        const struct default_grant *given = &database->defaults[i];
        if (!is_one_of(given->owner, roles, count) && !is_one_of(given->role, roles, count)) {
            i++;
            continue;
        }
        DDL_REMOVE(database->defaults, database->default_count, i);
        removed = true;
    }
    if (removed)
        TRY(catalog_put_database(task, session, database));
out:
    return st;
}

struct status privilege_owned_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct owned *owned = context->statement->as.owned;
    const char **roles = ARENA_ARRAY(context->arena, const char *, owned->roles.count);
    const char *new_owner;

    for (uint32_t i = 0; i < owned->roles.count; i++) {
        bool member;
        TRY(role_resolve(
            context->task, context->session, &owned->roles.items[i], false, &roles[i]));
        TRY(role_is_member(
            context->task, context->session, context->session->user, roles[i], &member));
        if (!member && !context->session->superuser && !context->session->internal)
            return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied to %s objects",
                context->statement->tag == STATEMENT_DROP_OWNED ? "drop" : "reassign");
        if (role_name_is_reserved(roles[i]))
            return ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
                context->statement->tag == STATEMENT_DROP_OWNED
                    ? "cannot drop objects owned by role %s because they are required by the database system"
                    : "cannot reassign ownership of objects owned by role %s because they are required by the database system",
                roles[i]);
    }
    if (context->statement->tag == STATEMENT_DROP_OWNED)
        return drop_owned(context, roles, owned->roles.count, owned->behavior);
    TRY(role_resolve(context->task, context->session, &owned->new_owner, false, &new_owner));
    TRY(reassign(context, roles, owned->roles.count, new_owner));
out:
    return st;
}
