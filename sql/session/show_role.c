// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW USERS, ROLES, GRANTS, SYSTEM GRANTS.
#include "sql/user/role.h"
#include "sql/user/role_predefined.h"
#include "sql/session/show.h"

// --- SHOW USERS, ROLES -------------------------------------------------------------------------------------

static const struct result_column user_columns[] = {
    SHOW_TEXT("username"), SHOW_TEXT("options"), SHOW_TEXT("member_of")};
SHOW_DESCRIBE(describe_users, user_columns)

static void add_word(struct buffer *out, bool *first, const char *word)
{
    buffer_printf(out, "%s%s", *first ? "" : ", ", word);
    *first = false;
}

static const char *role_options(struct arena *arena, const struct role *role)
{
    struct buffer out;
    bool first = true;
    buffer_init(&out, arena);
    if (role->create_role) add_word(&out, &first, "CREATEROLE");
    if (role->create_db) add_word(&out, &first, "CREATEDB");
    if (!role->login) add_word(&out, &first, "NOLOGIN");
    if (role->replication) add_word(&out, &first, "REPLICATION");
    if (role->bypass_rls) add_word(&out, &first, "BYPASSRLS");
    if (!role->inherit) add_word(&out, &first, "NOINHERIT");
    return buffer_string(&out);
}

static const char *member_of(struct arena *arena, const struct role *role,
    const struct role_membership *memberships, uint32_t count)
{
    struct buffer out;
    bool first = true;
    buffer_init(&out, arena);
    buffer_append_u8(&out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(memberships[i].member, role->name) != 0) continue;
        buffer_printf(&out, "%s%s", first ? "" : ",", memberships[i].role);
        first = false;
    }
    buffer_append_u8(&out, '}');
    return buffer_string(&out);
}

static struct status show_users(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct role **roles;
    struct role_membership *memberships;
    uint32_t role_count, membership_count;

    TRY(SHOW_SEND_COLUMNS(context, user_columns));
    TRY(role_list(context->task, context->session, context->arena, &roles, &role_count));
    TRY(role_memberships(
        context->task, context->session, context->arena, &memberships, &membership_count));
    for (uint32_t i = 0; i < role_count; i++) {
        if (role_name_is_reserved(roles[i]->name)) continue; // The same in every virtual cluster.
        struct datum row[] = {datum_text(roles[i]->name),
            datum_text(role_options(context->arena, roles[i])),
            datum_text(member_of(context->arena, roles[i], memberships, membership_count))};
        TRY(show_row(context, row));
    }
out:
    return st;
}

// --- SHOW GRANTS -------------------------------------------------------------------------------------------

static const struct result_column all_grant_columns[] = {SHOW_TEXT("database_name"),
    SHOW_TEXT("schema_name"), SHOW_TEXT("object_name"), SHOW_TEXT("object_type"),
    SHOW_TEXT("grantee"), SHOW_TEXT("privilege_type"), SHOW_BOOL("is_grantable")};
static const struct result_column table_grant_columns[] = {SHOW_TEXT("database_name"),
    SHOW_TEXT("schema_name"), SHOW_TEXT("table_name"), SHOW_TEXT("grantee"),
    SHOW_TEXT("privilege_type"), SHOW_BOOL("is_grantable")};
static const struct result_column schema_grant_columns[] = {SHOW_TEXT("database_name"),
    SHOW_TEXT("schema_name"), SHOW_TEXT("grantee"), SHOW_TEXT("privilege_type"),
    SHOW_BOOL("is_grantable")};
static const struct result_column database_grant_columns[] = {SHOW_TEXT("database_name"),
    SHOW_TEXT("grantee"), SHOW_TEXT("privilege_type"), SHOW_BOOL("is_grantable")};
static const struct result_column role_grant_columns[] = {
    SHOW_TEXT("role_name"), SHOW_TEXT("member"), SHOW_BOOL("is_admin")};

static struct status describe_grants(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    const struct show *show = context->statement->as.show;
    if (!show->has_target && show->targets.count == 0 && show->object != OBJECT_ROLE) {
        *columns = all_grant_columns;
        *count = 7;
    } else if (show->object == OBJECT_DATABASE) {
        *columns = database_grant_columns;
        *count = 4;
    } else if (show->object == OBJECT_SCHEMA) {
        *columns = schema_grant_columns;
        *count = 5;
    } else if (show->object == OBJECT_ROLE) {
        *columns = role_grant_columns;
        *count = 3;
    } else {
        *columns = table_grant_columns;
        *count = 6;
    }
    return STATUS_OK;
}

// The object whose grants are sent: its leading columns, then grantee, privilege, grantable.
struct granted {
    struct datum leading[4];
    uint32_t leading_count;
    enum object_kind kind;
    const char *owner;
    const struct privilege_grant *grants;
    uint32_t grant_count;
};

static bool role_is_wanted(const struct show *show, const struct session *session, const char *role)
{
    if (show->roles.count == 0) return true;
    for (uint32_t i = 0; i < show->roles.count; i++) {
        const struct role_name *wanted = &show->roles.items[i];
        const char *name = wanted->kind == ROLE_NAMED    ? wanted->name
                           : wanted->kind == ROLE_PUBLIC ? ROLE_PUBLIC_NAME
                                                         : session->user;
        if (strcmp(name, role) == 0) return true;
    }
    return false;
}

static struct status send_grant(struct statement_context *context, const struct granted *granted,
    const char *role, const char *privilege, bool grantable)
{
    struct datum row[8];
    uint32_t count = granted->leading_count;
    if (!role_is_wanted(context->statement->as.show, context->session, role)) return STATUS_OK;
    memcpy(row, granted->leading, count * sizeof row[0]);
    row[count++] = datum_text(role);
    row[count++] = datum_text(privilege);
    row[count++] = datum_bool(grantable);
    return show_row(context, row);
}

static struct status send_grants(struct statement_context *context, const struct granted *granted)
{
    struct status st = STATUS_OK;
    TRY(send_grant(context, granted, ROLE_ADMIN, "ALL", true));
    if (strcmp(granted->owner, ROLE_ADMIN) != 0)
        TRY(send_grant(context, granted, granted->owner, "ALL", true));
    for (uint32_t i = 0; i < granted->grant_count; i++) {
        const struct privilege_grant *grant = &granted->grants[i];
        uint32_t all = privilege_all(granted->kind);
        if ((grant->privileges & all) == all) {
            TRY(send_grant(context, granted, grant->role, "ALL", (grant->grantable & all) == all));
            continue;
        }
        for (uint32_t bit = 1; bit <= PRIVILEGE_EXECUTE; bit <<= 1) {
            if (!(grant->privileges & bit)) continue;
            TRY(send_grant(
                context, granted, grant->role, privilege_name(bit), (grant->grantable & bit) != 0));
        }
    }
out:
    return st;
}

static struct status send_table(
    struct statement_context *context, const struct table_desc *table, bool with_type)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct schema_desc *schema;

    TRY(catalog_database_by_id(context->task, context->session, table->database_id, &database));
    TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
    struct granted granted = {
        .leading = {datum_text(database->name), datum_text(schema->name), datum_text(table->name),
            datum_text(table->kind == RELATION_SEQUENCE ? "sequence" : "table")},
        .leading_count = with_type ? 4 : 3,
        .kind = table->kind == RELATION_SEQUENCE ? OBJECT_SEQUENCE : OBJECT_TABLE,
        .owner = table->owner,
        .grants = table->grants,
        .grant_count = table->grant_count};
    TRY(send_grants(context, &granted));
out:
    return st;
}

static struct status send_schema(
    struct statement_context *context, const struct schema_desc *schema, bool with_type)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;

    if (schema->database_id == 0) return STATUS_OK;
    TRY(catalog_database_by_id(context->task, context->session, schema->database_id, &database));
    struct granted granted = {.leading = {datum_text(database->name), datum_text(schema->name),
                                  DATUM_NULL, datum_text("schema")},
        .leading_count = with_type ? 4 : 2,
        .kind = OBJECT_SCHEMA,
        .owner = schema->owner,
        .grants = schema->grants,
        .grant_count = schema->grant_count};
    TRY(send_grants(context, &granted));
out:
    return st;
}

static struct status send_database(
    struct statement_context *context, const struct database_desc *database, bool with_type)
{
    struct granted granted = {
        .leading = {datum_text(database->name), DATUM_NULL, DATUM_NULL, datum_text("database")},
        .leading_count = with_type ? 4 : 1,
        .kind = OBJECT_DATABASE,
        .owner = database->owner,
        .grants = database->grants,
        .grant_count = database->grant_count};
    return send_grants(context, &granted);
}

static struct status show_all_grants(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct schema_desc **schemas;
    const struct table_desc **tables;
    uint32_t count;

    TRY(catalog_database(context->task, context->session, NULL, false, &database));
    uint32_t database_id = database->id;
    TRY(send_database(context, database, true));
    TRY(catalog_list_schemas(
        context->task, context->session, context->arena, database_id, &schemas, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(send_schema(context, schemas[i], true));
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(send_table(context, tables[i], true));
out:
    return st;
}

static struct status show_role_grants(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    struct role_membership *memberships;
    uint32_t count;

    TRY(role_memberships(context->task, context->session, context->arena, &memberships, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool wanted = show->targets.count == 0 && !show->has_target &&
                      !role_name_is_reserved(memberships[i].member);
        for (uint32_t k = 0; k < show->targets.count; k++)
            wanted |= strcmp(show->targets.items[k].name, memberships[i].role) == 0;
        if (show->has_target && show->target.name != NULL)
            wanted |= strcmp(show->target.name, memberships[i].role) == 0;
        if (!wanted || !role_is_wanted(show, context->session, memberships[i].member)) continue;
        struct datum row[] = {datum_text(memberships[i].role), datum_text(memberships[i].member),
            datum_bool(memberships[i].admin_option)};
        TRY(show_row(context, row));
    }
out:
    return st;
}

static struct status show_grants_on(
    struct statement_context *context, enum object_kind kind, const struct object_name *name)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct database_desc *database;
    const struct schema_desc *schema;
    const struct table_desc *table;

    if (kind == OBJECT_DATABASE) {
        TRY(catalog_database(task, session, name->name, false, &database));
        return send_database(context, database, false);
    }
    if (kind == OBJECT_SCHEMA) {
        const char *database_name = name->catalog != NULL ? name->catalog : name->schema;
        TRY(catalog_schema(task, session, database_name, name->name, false, &schema));
        return send_schema(context, schema, false);
    }
    TRY(catalog_table(task, session, name->catalog, name->schema, name->name, false, &table));
    if (table->kind != RELATION_VIRTUAL) TRY(send_table(context, table, false));
out:
    return st;
}

static struct status show_grants(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct result_column *columns;
    uint32_t count;

    TRY(describe_grants(context, &columns, &count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    if (show->object == OBJECT_ROLE) return show_role_grants(context);
    if (!show->has_target && show->targets.count == 0) return show_all_grants(context);
    if (show->targets.count == 0) return show_grants_on(context, show->object, &show->target);
    for (uint32_t i = 0; i < show->targets.count; i++)
        TRY(show_grants_on(context, show->object, &show->targets.items[i]));
out:
    return st;
}

// --- SHOW SYSTEM GRANTS --------------------------------------------------------------------------------------

static const struct result_column system_columns[] = {
    SHOW_TEXT("grantee"), SHOW_TEXT("privilege_type"), SHOW_BOOL("is_grantable")};
SHOW_DESCRIBE(describe_system, system_columns)

static struct status show_system_grants(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct role_system_grant *grants;
    uint32_t count;

    TRY(SHOW_SEND_COLUMNS(context, system_columns));
    TRY(role_system_grants(context->task, context->session, context->arena, &grants, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (!role_is_wanted(context->statement->as.show, context->session, grants[i].grantee))
            continue;
        struct datum row[] = {datum_text(grants[i].grantee), datum_text(grants[i].privilege),
            datum_bool(grants[i].grantable)};
        TRY(show_row(context, row));
    }
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SHOW_USERS, HANDLER_READ_ONLY, describe_users, show_users},
    {STATEMENT_SHOW_ROLES, HANDLER_READ_ONLY, describe_users, show_users},
    {STATEMENT_SHOW_GRANTS, HANDLER_READ_ONLY, describe_grants, show_grants},
    {STATEMENT_SHOW_SYSTEM_GRANTS, HANDLER_READ_ONLY, describe_system, show_system_grants},
};

void show_role_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
