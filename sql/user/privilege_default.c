// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER DEFAULT PRIVILEGES: what objects that a role will make come with. Kept in the database's descriptor; each new
// table, view, sequence, schema, function and type takes its share when it is made.
//
// Everybody has privileges on functions and types from the start: that this is taken back is an entry for everybody
// without any privilege.
#include "sql/ddl/ddl_internal.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/role.h"

// PostgreSQL's letter of a kind of object; 0: it has no defaults here.
static char letter_of(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_TABLE: return 'r';
    case OBJECT_SEQUENCE: return 'S';
    case OBJECT_SCHEMA: return 'n';
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE: return 'f';
    case OBJECT_TYPE: return 'T';
    default: return 0;
    }
}

// --- taking them -----------------------------------------------------------------------------------------

static void add_grant(struct arena *arena, struct privilege_grant **grants, uint32_t *count,
    const struct default_grant *given)
{
    if (given->privileges == 0) return;
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp((*grants)[i].role, given->role) != 0) continue;
        (*grants)[i].privileges |= given->privileges;
        (*grants)[i].grantable |= given->grantable;
        return;
    }
    struct privilege_grant fresh = {.role = arena_strdup(arena, given->role),
        .privileges = given->privileges,
        .grantable = given->grantable};
    DDL_APPEND(arena, *grants, *count, fresh);
}

struct status privilege_default_grants(struct statement_context *context, enum object_kind kind,
    uint32_t database_id, uint32_t schema_id, const char *owner, struct privilege_grant **grants,
    uint32_t *count)
{
    const struct database_desc *database;
    *grants = NULL;
    *count = 0;
    // The first tables of all are made before there is a database.
    if (context->session->internal) return STATUS_OK;
    struct status st =
        catalog_database_by_id(context->task, context->session, database_id, &database);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < database->default_count; i++) {
        const struct default_grant *given = &database->defaults[i];
        if (given->object == letter_of(kind) && strcmp(given->owner, owner) == 0 &&
            (given->schema_id == 0 || given->schema_id == schema_id))
            add_grant(context->arena, grants, count, given);
    }
    return STATUS_OK;
}

struct status privilege_default_of_everybody(
    struct statement_context *context, enum object_kind kind, struct table_desc *object)
{
    const struct database_desc *database;
    struct status st = privilege_default_grants(context, kind, object->database_id, object->schema_id, object->owner,
        &object->grants, &object->grant_count);
    object->public_revoked = 0;
    if (failed(st) || context->session->internal) return st;
    st = catalog_database_by_id(context->task, context->session, object->database_id, &database);
    for (uint32_t i = 0; !failed(st) && i < database->default_count; i++) {
        const struct default_grant *given = &database->defaults[i];
        if (given->object == letter_of(kind) && given->privileges == 0 && strcmp(given->owner, object->owner) == 0)
            object->public_revoked = privilege_of_everybody(kind);
    }
    return st;
}

// --- changing them ---------------------------------------------------------------------------------------

static struct status wanted(
    struct statement_context *context, const struct grant *grant, uint32_t *bits)
{
    *bits = grant->privilege_count == 0 ? privilege_all(grant->object) : 0;
    for (uint32_t i = 0; i < grant->privilege_count; i++) {
        const char *name = grant->privileges[i].name;
        if (grant->privileges[i].columns.count > 0)
            return ddl_error(context, SQLSTATE('0', 'L', 'P', '0', '1'),
                "default privileges cannot be set for columns");
        uint32_t bit = name == NULL ? privilege_all(grant->object) : privilege_by_name(name);
        if (bit == 0)
            return ddl_error(context, E_SYNTAX_ERROR, "unrecognized privilege type \"%s\"", name);
        if ((bit & ~privilege_all(grant->object)) != 0)
            return ddl_error(context, SQLSTATE('0', 'L', 'P', '0', '1'),
                "invalid privilege type %s for %s", privilege_name(bit),
                object_kind_name(grant->object));
        *bits |= bit;
    }
    return STATUS_OK;
}

static void change(struct statement_context *context, struct database_desc *database,
    const struct grant *grant, const struct default_grant *key, uint32_t bits)
{
    uint32_t at = 0;
    for (; at < database->default_count; at++) {
        const struct default_grant *each = &database->defaults[at];
        if (each->object == key->object && each->schema_id == key->schema_id &&
            strcmp(each->owner, key->owner) == 0 && strcmp(each->role, key->role) == 0)
            break;
    }
    bool everybody = (key->object == 'f' || key->object == 'T') && key->schema_id == 0 &&
                     strcmp(key->role, ROLE_PUBLIC_NAME) == 0;
    if (everybody && !grant->revoke) {
        if (at < database->default_count) DDL_REMOVE(database->defaults, database->default_count, at);
        return;
    }
    if (at == database->default_count) {
        if (grant->revoke && (!everybody || grant->grant_option)) return;
        DDL_APPEND(context->arena, database->defaults, database->default_count, *key);
    }
    struct default_grant *found = &database->defaults[at];
    if (!grant->revoke) {
        found->privileges |= bits;
        if (grant->grant_option) found->grantable |= bits;
        return;
    }
    found->grantable &= ~bits;
    if (!grant->grant_option) found->privileges &= ~bits;
    if (found->privileges == 0 && !everybody) DDL_REMOVE(database->defaults, database->default_count, at);
}

static struct status change_for(struct statement_context *context, struct database_desc *database,
    const struct default_privileges *statement, const char *owner, uint32_t bits)
{
    struct status st = STATUS_OK;
    const struct grant *grant = statement->grant;
    bool member;
    TRY(role_is_member(context->task, context->session, context->session->user, owner, &member));
    if (!member && !context->session->superuser && !context->session->internal)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
            "permission denied to change default privileges");
    for (uint32_t s = 0; s < statement->in_schemas.count || s == 0; s++) {
        uint32_t schema_id = 0;
        if (statement->in_schemas.count > 0) {
            const struct schema_desc *schema;
            TRY(catalog_schema(context->task, context->session, NULL,
                statement->in_schemas.items[s], false, &schema));
            schema_id = schema->id;
        }
        for (uint32_t i = 0; i < grant->grantees.count; i++) {
            struct default_grant key = {
                .owner = owner, .schema_id = schema_id, .object = letter_of(grant->object)};
            TRY(role_resolve(
                context->task, context->session, &grant->grantees.items[i], true, &key.role));
            change(context, database, grant, &key, bits);
        }
    }
out:
    return st;
}

struct status privilege_default_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct default_privileges *statement = context->statement->as.default_privileges;
    const struct database_desc *current;
    struct database_desc *database;
    uint32_t bits;

    if (letter_of(statement->grant->object) == 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "ALTER DEFAULT PRIVILEGES ON %ss is not supported",
            object_kind_name(statement->grant->object));
    if (statement->grant->object == OBJECT_SCHEMA && statement->in_schemas.count > 0)
        return ddl_error(context, SQLSTATE('0', 'L', 'P', '0', '1'),
            "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS");
    TRY(wanted(context, statement->grant, &bits));
    TRY(catalog_database(context->task, context->session, NULL, false, &current));
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, current->id, &database));
    if (statement->for_roles.count == 0)
        TRY(change_for(context, database, statement, context->session->user, bits));
    for (uint32_t i = 0; i < statement->for_roles.count; i++) {
        const char *owner;
        TRY(role_resolve(context->task, context->session, &statement->for_roles.items[i], false,
            &owner));
        TRY(change_for(context, database, statement, owner, bits));
    }
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

// --- pg_default_acl --------------------------------------------------------------------------------------

static bool same_entry(const struct default_grant *a, const struct default_grant *b)
{
    return a->object == b->object && a->schema_id == b->schema_id &&
           strcmp(a->owner, b->owner) == 0;
}

static struct status default_row(
    struct pg_rows *rows, const struct privilege_grant *grants, uint32_t count, uint32_t first)
{
    struct status st;
    const struct default_grant *entry = &rows->database->defaults[first];
    struct pg_row row;
    uint32_t owner;
    // Those of one schema come on top of what there is anyway: the owner's own are not among them.
    enum object_kind kind = entry->schema_id != 0   ? OBJECT_COLUMN
                            : entry->object == 'S' ? OBJECT_SEQUENCE
                            : entry->object == 'n' ? OBJECT_SCHEMA
                                                    : OBJECT_TABLE;
    bool everybody = entry->schema_id == 0 && (entry->object == 'f' || entry->object == 'T');
    struct table_desc like = {.owner = entry->owner, .grants = (struct privilege_grant *)(uintptr_t)grants, .grant_count = count};
    if (everybody) kind = entry->object == 'f' ? OBJECT_FUNCTION : OBJECT_TYPE;
    for (uint32_t i = first; everybody && i < rows->database->default_count; i++)
        if (same_entry(&rows->database->defaults[i], entry) && rows->database->defaults[i].privileges == 0)
            like.public_revoked = privilege_of_everybody(kind);
    TRY(pg_role_oid(rows->task, rows->session, entry->owner, &owner));
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "oid", pg_default_acl_oid(rows->database->id, first));
    pg_put_int(&row, "defaclrole", owner);
    pg_put_int(&row, "defaclnamespace", entry->schema_id == 0 ? 0 : pg_oid(entry->schema_id));
    pg_put_int(&row, "defaclobjtype", entry->object);
    pg_put(&row, "defaclacl", everybody ? pg_acl_shared(&rows->arena, kind, &like)
                                        : pg_acl(&rows->arena, kind, entry->owner, grants, count));
    st = pg_row_send(&row);
out:
    return st;
}

static struct status default_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct pg_rows rows;
    TRY(pg_rows_open(&rows, task, session, sink));
    const struct default_grant *all = rows.database->defaults;
    uint32_t total = rows.database->default_count;
    for (uint32_t i = 0; i < total && !failed(st); i++) {
        struct privilege_grant *grants = NULL;
        uint32_t count = 0;
        bool seen = false;
        for (uint32_t k = 0; k < i; k++) seen |= same_entry(&all[k], &all[i]);
        if (seen || (all[i].schema_id != 0 && pg_schema_name(&rows, all[i].schema_id)[0] == 0))
            continue;
        for (uint32_t k = i; k < total; k++)
            if (same_entry(&all[k], &all[i])) add_grant(&rows.arena, &grants, &count, &all[k]);
        st = default_row(&rows, grants, count, i);
    }
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

void pg_catalog_default_acl_register(void)
{
    static const struct pg_table table = {"pg_default_acl",
        "oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype char, "
        "defaclacl aclitem[]",
        default_rows};
    pg_tables_register("pg_catalog", &table, 1);
}
