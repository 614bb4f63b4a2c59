// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/bootstrap.h"

#include "core/invariant.h"
#include "kv/key.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/session/internal.h"
#include "sql/parse/parse.h"
#include "sql/user/role.h"
#include "sql/user/role_predefined.h"
#include "sql/service/settings.h"

#define TABLE_SETS_MAX 8u

static struct {
    const struct bootstrap_table *tables;
    uint32_t count;
} table_sets[TABLE_SETS_MAX];
static uint32_t table_set_count;

void bootstrap_register(const struct bootstrap_table *tables, uint32_t count)
{
    invariant(table_set_count < TABLE_SETS_MAX);
    table_sets[table_set_count].tables = tables;
    table_sets[table_set_count].count = count;
    table_set_count++;
}

bool bootstrap_is_protected(uint32_t table_id)
{
    for (uint32_t i = 0; i < table_set_count; i++)
        for (uint32_t k = 0; k < table_sets[i].count; k++)
            if (table_sets[i].tables[k].id == table_id) return table_sets[i].tables[k].protected;
    return false;
}

static const char *const user_rows[] = {
    "INSERT INTO system.public.users (username, user_id, is_role, login, create_role, create_db, "
    "inherit, replication, bypass_rls, connection_limit) VALUES "
    "('root', 1, false, true, true, true, true, true, true, -1), "
    "('admin', 2, true, false, true, true, true, true, true, -1)",
    NULL,
};
static const char *const member_rows[] = {
    "INSERT INTO system.public.role_members (role, member, is_admin) VALUES "
    "('admin', 'root', true)",
    NULL,
};

static const struct bootstrap_table own_tables[] = {
    {.id = SYSTEM_USERS,
        .ddl = "CREATE TABLE system.public.users (username text PRIMARY KEY, "
               "user_id int8 NOT NULL, verifier text, is_role bool NOT NULL, login bool NOT NULL, "
               "create_role bool NOT NULL, create_db bool NOT NULL, inherit bool NOT NULL, "
               "replication bool NOT NULL, bypass_rls bool NOT NULL, "
               "connection_limit int4 NOT NULL, valid_until timestamptz)",
        .rows = user_rows},
    {.id = SYSTEM_ROLE_MEMBERS,
        .ddl = "CREATE TABLE system.public.role_members (role text, member text, "
               "is_admin bool NOT NULL, PRIMARY KEY (role, member))",
        .rows = member_rows},
    {.id = SYSTEM_SETTINGS,
        .ddl = "CREATE TABLE system.public.settings (name text PRIMARY KEY, value text NOT NULL, "
               "last_updated timestamptz NOT NULL)"},
    {.id = SYSTEM_JOBS,
        .ddl =
            "CREATE TABLE system.public.jobs (id int8 PRIMARY KEY, status text NOT NULL, "
            "job_type text NOT NULL, description text NOT NULL, statement text, "
            "user_name text NOT NULL, created timestamptz NOT NULL, "
            "start_after timestamptz NOT NULL, started timestamptz, finished timestamptz, "
            "modified timestamptz NOT NULL, fraction_completed float8 NOT NULL, "
            "running_status text, error text, error_detail text, error_code text, payload bytea, "
            "progress bytea, coordinator_id int8, created_wall int8 NOT NULL, "
            "created_logical int8 NOT NULL)"},
    {.id = SYSTEM_PRIVILEGES,
        .ddl = "CREATE TABLE system.public.privileges (grantee text, privilege text, "
               "grantable bool NOT NULL, PRIMARY KEY (grantee, privilege))"},
    {.id = SYSTEM_ROLE_SETTINGS,
        .ddl = "CREATE TABLE system.public.role_settings (database_name text, role text, "
               "name text, value text NOT NULL, PRIMARY KEY (database_name, role, name))"},
};

// --- databases and schemas -----------------------------------------------------------------------------

static struct status make_database(
    struct task *task, struct session *session, uint32_t id, const char *name, bool is_system)
{
    struct status st = STATUS_OK;
    struct name_value existing;
    struct privilege_grant grant = {.role = ROLE_PUBLIC_NAME,
        .privileges = PRIVILEGE_CONNECT | (is_system ? 0 : PRIVILEGE_TEMPORARY)};
    struct database_desc database = {
        .id = id, .name = name, .owner = ROLE_ADMIN, .grants = &grant, .grant_count = 1};
    struct privilege_grant schema_grant = {.role = ROLE_PUBLIC_NAME,
        .privileges = PRIVILEGE_USAGE};
    struct schema_desc schema = {.id = id + 1,
        .database_id = id,
        .name = "public",
        .owner = is_system ? ROLE_ADMIN : ROLE_DATABASE_OWNER,
        .grants = &schema_grant,
        .grant_count = 1};

    TRY(catalog_take_name(task, session, 0, 0, name,
        (struct name_value){.kind = NAME_DATABASE, .id = id}, &existing));
    if (existing.id != 0) {
        st = status_make(E_NOT_IN_PREREQUISITE_STATE, "this virtual cluster already has a catalog");
        goto out;
    }
    TRY(catalog_put_database(task, session, &database));
    TRY(catalog_take_name(task, session, id, 0, "public",
        (struct name_value){.kind = NAME_SCHEMA, .id = id + 1}, &existing));
    TRY(catalog_put_schema(task, session, &schema));
out:
    return st;
}

// --- tables --------------------------------------------------------------------------------------------

static struct status make_table(
    struct task *task, struct session *session, const struct bootstrap_table *table)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    uint32_t created;

    invariant(table->id >= CATALOG_SYSTEM_TABLES && table->id < CATALOG_SYSTEM_DATABASE);
    TRY(parse_sql_on_stack(task->arena, bytes_of_string(table->ddl), &list));
    invariant(list.count == 1 && list.items[0]->tag == STATEMENT_CREATE_TABLE);
    struct statement_context context = {.task = task,
        .session = session,
        .arena = task->arena,
        .statement = list.items[0],
        .text = bytes_of_string(table->ddl)};
    TRY(ddl_create_table_with_id(&context, table->id, &created));
    for (uint32_t i = 0; table->rows != NULL && table->rows[i] != NULL; i++)
        TRY(internal_query(
            task, session->tenant, session, task->arena, NULL, table->rows[i], 0, NULL, NULL));
out:
    return st;
}

static struct status make_tables(struct task *task, struct session *session,
    const struct bootstrap_table *tables, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (tables[i].system_only && session->tenant != TENANT_SYSTEM) continue;
        TRY(make_table(task, session, &tables[i]));
    }
out:
    return st;
}

static struct status fill(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    const struct bootstrap_options *options = arg;

    TRY(make_database(task, session, CATALOG_SYSTEM_DATABASE, "system", true));
    TRY(make_database(task, session, CATALOG_DEFAULT_DATABASE, "defaultdb", false));
    TRY(make_database(task, session, CATALOG_POSTGRES_DATABASE, "postgres", false));
    TRY(make_tables(task, session, own_tables, sizeof own_tables / sizeof own_tables[0]));
    for (uint32_t i = 0; i < table_set_count; i++)
        TRY(make_tables(task, session, table_sets[i].tables, table_sets[i].count));
    struct datum version[] = {
        datum_text(options->version == NULL ? CLUSTER_VERSION : options->version)};
    TRY(internal_query(task, session->tenant, session, task->arena, NULL,
        "INSERT INTO system.public.settings (name, value, last_updated) "
        "VALUES ('version', $1, now())",
        1, version, (const type_oid[]){TYPE_TEXT}));
    if (options->root_verifier != NULL) {
        struct datum verifier[] = {datum_text(options->root_verifier)};
        TRY(internal_query(task, session->tenant, session, task->arena, NULL,
            "UPDATE system.public.users SET verifier = $1 WHERE username = 'root'", 1, verifier,
            (const type_oid[]){TYPE_TEXT}));
    }
out:
    return st;
}

struct status bootstrap_tenant(
    struct task *task, uint64_t tenant, const struct bootstrap_options *options)
{
    struct bootstrap_options copy = *options;
    return internal_transaction(task, tenant, fill, &copy);
}

struct status bootstrap_done(struct task *task, uint64_t tenant, bool *done)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    struct bytes value;

    TRY(kv_read_now(task, tenant,
        catalog_descriptor_key(task->arena, tenant, CATALOG_SYSTEM_DATABASE), task->arena, &value));
    *done = value.data != NULL;
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}
