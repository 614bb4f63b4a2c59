// SPDX-License-Identifier: GPL-3.0-or-later
//
// GRANT and REVOKE on objects, GRANT SYSTEM, REASSIGN OWNED, DROP OWNED.
#include "core/text.h"
#include "sql/ddl_internal.h"
#include "sql/internal.h"
#include "sql/role.h"

// --- on objects ----------------------------------------------------------------------------------------

// What every object with grants has.
struct grant_object {
    enum object_kind kind; // TABLE, SEQUENCE, SCHEMA, DATABASE.
    const char *name, *owner;
    struct privilege_grant **grants;
    uint32_t *grant_count;
};

static struct status wanted_bits(struct statement_context *context, const struct grant *grant,
    const struct grant_object *object, uint32_t *bits)
{
    uint32_t possible = privilege_all(object->kind);
    // GRANT ... ON TABLE takes sequences too.
    if (object->kind == OBJECT_SEQUENCE && grant->object == OBJECT_TABLE)
        possible |= privilege_all(OBJECT_TABLE);
    *bits = grant->privilege_count == 0 ? privilege_all(object->kind) : 0;
    for (uint32_t i = 0; i < grant->privilege_count; i++) {
        const struct privilege *privilege = &grant->privileges[i];
        if (privilege->columns.count > 0) return ddl_unsupported(context, "a privilege on columns");
        if (privilege->name == NULL) {
            *bits |= privilege_all(object->kind);
            continue;
        }
        uint32_t bit = privilege_by_name(privilege->name);
        if (bit == 0)
            return ddl_error(
                context, E_SYNTAX_ERROR, "unrecognized privilege type \"%s\"", privilege->name);
        if ((bit & possible) == 0)
            return ddl_error(context, SQLSTATE('0', 'L', 'P', '0', '1'),
                "invalid privilege type %s for %s", privilege_name(bit),
                object_kind_name(object->kind));
        *bits |= bit;
    }
    return STATUS_OK;
}

// The owner and admins may; others need the grant option for all of it.
static struct status check_grantor(
    struct statement_context *context, const struct grant_object *object, uint32_t bits)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    bool member;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_is_member(context->task, session, session->user, object->owner, &member));
    if (member) goto out;
    for (uint32_t i = 0; i < *object->grant_count; i++) {
        const struct privilege_grant *grant = &(*object->grants)[i];
        TRY(role_is_member(context->task, session, session->user, grant->role, &member));
        if (member) bits &= ~grant->grantable;
    }
    if (bits != 0)
        st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied for %s %s",
            object_kind_name(object->kind), object->name);
out:
    return st;
}

static void change_grants(struct statement_context *context, const struct grant *grant,
    struct grant_object *object, const char *role, uint32_t bits)
{
    struct privilege_grant *found = NULL;
    uint32_t at = 0;
    for (uint32_t i = 0; i < *object->grant_count; i++) {
        if (strcmp((*object->grants)[i].role, role) == 0) found = &(*object->grants)[at = i];
    }
    if (!grant->revoke) {
        if (found == NULL) {
            struct privilege_grant fresh = {.role = role};
            DDL_APPEND(context->arena, *object->grants, *object->grant_count, fresh);
            found = &(*object->grants)[*object->grant_count - 1];
        }
        found->privileges |= bits;
        if (grant->grant_option) found->grantable |= bits;
        return;
    }
    if (found == NULL) return;
    found->grantable &= ~bits;
    if (!grant->grant_option) found->privileges &= ~bits;
    if (found->privileges == 0) DDL_REMOVE(*object->grants, *object->grant_count, at);
}

static struct status apply(
    struct statement_context *context, const struct grant *grant, struct grant_object *object)
{
    struct status st = STATUS_OK;
    uint32_t bits;

    TRY(wanted_bits(context, grant, object, &bits));
    TRY(check_grantor(context, object, bits));
    for (uint32_t i = 0; i < grant->grantees.count; i++) {
        const char *role;
        TRY(role_resolve(context->task, context->session, &grant->grantees.items[i], true, &role));
        change_grants(context, grant, object, role, bits);
    }
out:
    return st;
}

static struct status apply_to_table(
    struct statement_context *context, const struct grant *grant, uint32_t id)
{
    struct status st = STATUS_OK;
    struct table_desc *table;

    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &table));
    struct grant_object object = {
        .kind = table->kind == RELATION_SEQUENCE ? OBJECT_SEQUENCE : OBJECT_TABLE,
        .name = table->name,
        .owner = table->owner,
        .grants = &table->grants,
        .grant_count = &table->grant_count};
    TRY(apply(context, grant, &object));
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

static struct status grant_on_tables(struct statement_context *context, const struct grant *grant)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < grant->names.count; i++) {
        const struct table_desc *table;
        TRY(ddl_find(context, &grant->names.items[i], false,
            grant->object == OBJECT_SEQUENCE ? OBJECT_SEQUENCE : OBJECT_OTHER, &table));
        TRY(apply_to_table(context, grant, table->id));
    }
out:
    return st;
}

static struct status grant_on_schemas(struct statement_context *context, const struct grant *grant)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < grant->names.count; i++) {
        const struct object_name *name = &grant->names.items[i];
        const struct schema_desc *found;
        struct schema_desc *schema;
        TRY(catalog_schema(
            context->task, context->session, name->catalog, name->name, false, &found));
        if (found->database_id == 0)
            return ddl_error(
                context, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", found->name);
        TRY(catalog_edit_schema(
            context->task, context->session, context->arena, found->id, &schema));
        struct grant_object object = {.kind = OBJECT_SCHEMA,
            .name = schema->name,
            .owner = schema->owner,
            .grants = &schema->grants,
            .grant_count = &schema->grant_count};
        TRY(apply(context, grant, &object));
        TRY(catalog_put_schema(context->task, context->session, schema));
    }
out:
    return st;
}

static struct status grant_on_databases(
    struct statement_context *context, const struct grant *grant)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < grant->names.count; i++) {
        const struct database_desc *found;
        struct database_desc *database;
        TRY(catalog_database(
            context->task, context->session, grant->names.items[i].name, false, &found));
        TRY(catalog_edit_database(
            context->task, context->session, context->arena, found->id, &database));
        struct grant_object object = {.kind = OBJECT_DATABASE,
            .name = database->name,
            .owner = database->owner,
            .grants = &database->grants,
            .grant_count = &database->grant_count};
        TRY(apply(context, grant, &object));
        TRY(catalog_put_database(context->task, context->session, database));
    }
out:
    return st;
}

static struct status grant_in_schemas(struct statement_context *context, const struct grant *grant)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < grant->names.count; i++) {
        const struct object_name *name = &grant->names.items[i];
        const struct schema_desc *schema;
        const struct table_desc **tables;
        uint32_t count;
        TRY(catalog_schema(
            context->task, context->session, name->catalog, name->name, false, &schema));
        uint32_t schema_id = schema->id;
        TRY(catalog_list_tables(
            context->task, context->session, context->arena, schema->database_id, &tables, &count));
        for (uint32_t k = 0; k < count; k++) {
            bool is_sequence = tables[k]->kind == RELATION_SEQUENCE;
            if (tables[k]->schema_id != schema_id ||
                is_sequence != (grant->object == OBJECT_SEQUENCE))
                continue;
            TRY(apply_to_table(context, grant, tables[k]->id));
        }
    }
out:
    return st;
}

struct status privilege_grant_execute(struct statement_context *context)
{
    const struct grant *grant = context->statement->as.grant;
    if (grant->target == GRANT_DEFAULTS)
        return ddl_unsupported(context, "ALTER DEFAULT PRIVILEGES");
    if (grant->object != OBJECT_TABLE && grant->object != OBJECT_SEQUENCE &&
        grant->object != OBJECT_SCHEMA && grant->object != OBJECT_DATABASE)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "GRANT ON %s is not supported",
            object_kind_name(grant->object));
    if (grant->target == GRANT_ON_ALL_IN_SCHEMA) return grant_in_schemas(context, grant);
    if (grant->object == OBJECT_SCHEMA) return grant_on_schemas(context, grant);
    if (grant->object == OBJECT_DATABASE) return grant_on_databases(context, grant);
    return grant_on_tables(context, grant);
}

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
    TRY(catalog_list_tables(task, session, arena, database_id, &tables, &found));
    for (uint32_t i = 0; i < found; i++) {
        struct table_desc *table;
        if (!is_one_of(tables[i]->owner, roles, count)) continue;
        TRY(catalog_edit_table(task, session, arena, tables[i]->id, &table));
        table->owner = new_owner;
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
        if (!is_one_of(grants[i].role, roles, count)) {
            i++;
            continue;
        }
        DDL_REMOVE(grants, *grant_count, i);
        removed = true;
    }
    return removed;
}

static struct status drop_owned(struct statement_context *context, const char **roles,
    uint32_t count, enum drop_behavior behavior)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    struct arena *arena = context->arena;
    const struct database_desc *current;
    const struct table_desc **tables;
    const struct schema_desc **schemas;
    uint32_t found;

    TRY(catalog_database(task, session, NULL, false, &current));
    uint32_t database_id = current->id;
    TRY(catalog_list_tables(task, session, arena, database_id, &tables, &found));
    for (uint32_t i = 0; i < found; i++) {
        struct table_desc *table;
        if (!is_one_of(tables[i]->owner, roles, count)) {
            TRY(catalog_edit_table(task, session, arena, tables[i]->id, &table));
            if (remove_grants(table->grants, &table->grant_count, roles, count))
                TRY(catalog_put_table(task, session, table));
            continue;
        }
        struct name_value still_there;
        TRY(catalog_peek_name(task, session, tables[i]->database_id, tables[i]->schema_id,
            tables[i]->name, &still_there));
        if (still_there.id != tables[i]->id) continue; // Went with another one.
        TRY(catalog_edit_table(task, session, arena, tables[i]->id, &table));
        TRY(ddl_drop_relation(context, table, behavior));
    }
    TRY(catalog_list_schemas(task, session, arena, database_id, &schemas, &found));
    for (uint32_t i = 0; i < found; i++) {
        struct schema_desc *schema;
        TRY(catalog_edit_schema(task, session, arena, schemas[i]->id, &schema));
        if (is_one_of(schema->owner, roles, count))
            return ddl_unsupported(context, "DROP OWNED of a role that owns a schema");
        if (remove_grants(schema->grants, &schema->grant_count, roles, count))
            TRY(catalog_put_schema(task, session, schema));
    }
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
    }
    if (context->statement->tag == STATEMENT_DROP_OWNED)
        return drop_owned(context, roles, owned->roles.count, owned->behavior);
    TRY(role_resolve(context->task, context->session, &owned->new_owner, false, &new_owner));
    TRY(reassign(context, roles, owned->roles.count, new_owner));
out:
    return st;
}
