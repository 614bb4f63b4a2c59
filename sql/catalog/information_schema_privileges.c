// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema: roles and privileges. A user sees grants to and by roles they are in.
#include <string.h>

#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

#define TABLE_PRIVILEGES \
    (PRIVILEGE_SELECT | PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_DELETE | \
        PRIVILEGE_TRUNCATE | PRIVILEGE_REFERENCES | PRIVILEGE_TRIGGER)
#define COLUMN_PRIVILEGES \
    (PRIVILEGE_SELECT | PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES)

static const char *yes_no(bool value)
{
    return value ? "YES" : "NO";
}

static struct status is_in(struct task *task, struct session *session, const char *role, bool *in)
{
    return pg_user_has_any(task, session, role, NULL, 0, 1, in);
}

// --- grants ----------------------------------------------------------------------------------------------------

// What send gets: one privilege of one grantee.
struct shown_grant {
    const char *grantor, *grantee;
    const char *column; // NULL: the whole relation.
    uint32_t bit;
    bool grantable;
};
typedef struct status (*grant_fn)(
    struct pg_rows *rows, const struct table_desc *table, const struct shown_grant *grant);

static struct status each_bit(struct pg_rows *rows, const struct table_desc *table,
    const char *column, const struct privilege_grant *grant, uint32_t bits, grant_fn send)
{
    struct status st = STATUS_OK;
    bool public = strcmp(grant->role, ROLE_PUBLIC_NAME) == 0;
    for (uint32_t bit = 1; bit != 0 && bit <= bits && !failed(st); bit <<= 1) {
        if (!(grant->privileges & bits & bit)) continue;
        struct shown_grant shown = {
            .grantor = grant->grantor != NULL ? grant->grantor : table->owner,
            .column = column,
            .grantee = public ? "PUBLIC" : grant->role,
            .bit = bit,
            .grantable = grant->grantable & bit};
        st = send(rows, table, &shown);
    }
    return st;
}

static struct status each_of(struct pg_rows *rows, const struct table_desc *table,
    const char *column, const struct privilege_grant *grants, uint32_t count, uint32_t bits,
    bool with_public, grant_fn send)
{
    struct status st = STATUS_OK;
    bool owned, in;
    TRY(is_in(rows->task, rows->session, table->owner, &owned));
    for (uint32_t i = 0; i < count; i++) {
        const struct privilege_grant *grant = &grants[i];
        bool public = strcmp(grant->role, ROLE_PUBLIC_NAME) == 0;
        if (strcmp(grant->role, table->owner) == 0 || (public && !with_public && !owned)) continue;
        in = owned || public;
        if (!in) TRY(is_in(rows->task, rows->session, grant->role, &in));
        if (in) TRY(each_bit(rows, table, column, grant, bits, send));
    }
out:
    return st;
}

// The owner's own first: they are there without a grant. `with_public`: what everybody has, too.
static struct status each_grant(struct pg_rows *rows, const struct table_desc *table,
    uint32_t bits, bool with_public, grant_fn send)
{
    struct status st = STATUS_OK;
    bool owned;
    if (table->materialized) return st; // The standard knows none.
    struct privilege_grant own = {.role = table->owner, .privileges = bits, .grantable = bits};
    TRY(is_in(rows->task, rows->session, table->owner, &owned));
    if (owned) TRY(each_bit(rows, table, NULL, &own, bits, send));
    TRY(each_of(rows, table, NULL, table->grants, table->grant_count, bits, with_public, send));
out:
    return st;
}

static void begin_grant(struct pg_row *row, struct pg_rows *rows, const struct table_desc *table,
    const struct shown_grant *grant)
{
    pg_row_begin(row, rows->sink);
    pg_put_text(row, "grantor", grant->grantor);
    pg_put_text(row, "grantee", grant->grantee);
    pg_put_text(row, "table_catalog", rows->database->name);
    pg_put_text(row, "table_schema", pg_schema_name(rows, table->schema_id));
    pg_put_text(row, "table_name", table->name);
    pg_put_text(row, "privilege_type", privilege_name(grant->bit));
    pg_put_text(row, "is_grantable", yes_no(grant->grantable));
}

static struct status table_grant(
    struct pg_rows *rows, const struct table_desc *table, const struct shown_grant *grant)
{
    struct pg_row row;
    begin_grant(&row, rows, table, grant);
    pg_put_text(&row, "with_hierarchy", yes_no(grant->bit == PRIVILEGE_SELECT));
    return pg_row_send(&row);
}

static struct status column_grant(
    struct pg_rows *rows, const struct table_desc *table, const struct shown_grant *grant)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    for (uint32_t i = 0; !failed(st) && i < table->column_count; i++) {
        if (table->columns[i].hidden || table->columns[i].state != ELEMENT_PUBLIC) continue;
        if (grant->column != NULL && strcmp(grant->column, table->columns[i].name) != 0) continue;
        begin_grant(&row, rows, table, grant);
        pg_put_text(&row, "column_name", table->columns[i].name);
        st = pg_row_send(&row);
    }
    return st;
}

#define GRANT_ROWS(name_, fn_, bits_, public_) \
    static struct status name_##_of(struct pg_rows *rows, const struct table_desc *table) \
    { \
        struct status st; \
        if (table->kind == RELATION_SEQUENCE) return STATUS_OK; \
        st = each_grant(rows, table, bits_, public_, fn_); \
        for (uint32_t i = 0; fn_ == column_grant && !failed(st) && i < table->column_count; i++) \
            st = each_of(rows, table, table->columns[i].name, table->columns[i].grants, \
                table->columns[i].grant_count, bits_, public_, fn_); \
        return st; \
    } \
    ROWS(name_) \
    { \
        return pg_each_table(task, session, sink, name_##_of); \
    }
GRANT_ROWS(table_privilege_rows, table_grant, TABLE_PRIVILEGES, true)
GRANT_ROWS(role_table_rows, table_grant, TABLE_PRIVILEGES, false)
GRANT_ROWS(column_privilege_rows, column_grant, COLUMN_PRIVILEGES, true)
GRANT_ROWS(role_column_rows, column_grant, COLUMN_PRIVILEGES, false)

// --- types, domains, sequences, collations -------------------------------------------------------------------------

#define QUERY_ROWS(name_, sql_) \
    ROWS(name_) \
    { \
        return pg_query_rows(task, session, sink, sql_); \
    }
// Of what has an access list: who has given what to whom, as far as the user may see it.
#define GRANTOR_AND_GRANTEE "f.rolname, coalesce(g.rolname, 'PUBLIC'), current_database(), "
#define GRANTS(acl, letter, owner) \
    " CROSS JOIN LATERAL aclexplode(coalesce(" acl ", acldefault('" letter "', " owner "))) x " \
    "JOIN pg_roles f ON f.oid = x.grantor LEFT JOIN pg_roles g ON g.oid = x.grantee "
#define GRANTS_SEEN \
    "(pg_has_role(x.grantor, 'USAGE') OR x.grantee = 0 OR pg_has_role(x.grantee, 'USAGE'))"
#define GRANTABLE(owner) \
    "CASE WHEN x.is_grantable OR x.grantee <> 0 AND pg_has_role(x.grantee, " owner ", 'USAGE') THEN 'YES' ELSE 'NO' END "
#define OF_ROLES \
    " WHERE grantor IN (SELECT role_name FROM information_schema.enabled_roles) " \
    "OR grantee IN (SELECT role_name FROM information_schema.enabled_roles)"

QUERY_ROWS(type_rows,
    "SELECT " GRANTOR_AND_GRANTEE "n.nspname, t.typname, 'TYPE USAGE', " GRANTABLE("t.typowner")
    "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace" GRANTS("t.typacl", "T", "t.typowner")
    "WHERE t.typtype = 'c' AND x.privilege_type = 'USAGE' AND " GRANTS_SEEN)
QUERY_ROWS(role_type_rows, "SELECT * FROM information_schema.udt_privileges" OF_ROLES)

QUERY_ROWS(usage_rows,
    "SELECT u.rolname, 'PUBLIC', current_database(), n.nspname, c.collname, 'COLLATION', 'USAGE', 'NO' "
    "FROM pg_collation c JOIN pg_roles u ON u.oid = c.collowner JOIN pg_namespace n ON n.oid = c.collnamespace "
    "UNION ALL SELECT " GRANTOR_AND_GRANTEE "n.nspname, t.typname, 'DOMAIN', 'USAGE', " GRANTABLE("t.typowner")
    "FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace" GRANTS("t.typacl", "T", "t.typowner")
    "WHERE t.typtype = 'd' AND x.privilege_type = 'USAGE' AND " GRANTS_SEEN
    "UNION ALL SELECT " GRANTOR_AND_GRANTEE "n.nspname, c.relname, 'SEQUENCE', 'USAGE', " GRANTABLE("c.relowner")
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" GRANTS("c.relacl", "r", "c.relowner")
    "WHERE c.relkind = 'S' AND x.privilege_type = 'USAGE' AND " GRANTS_SEEN)
QUERY_ROWS(role_usage_rows, "SELECT * FROM information_schema.usage_privileges" OF_ROLES)

// --- roles -----------------------------------------------------------------------------------------------------

static struct status membership_rows(struct task *task, struct session *session,
    struct virtual_table_sink *sink, bool admin_only)
{
    struct status st;
    struct arena arena;
    struct role_membership *memberships;
    uint32_t count;
    struct pg_row row;
    bool in;
    arena_init(&arena, &session->account);
    TRY(role_memberships(task, session, &arena, &memberships, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (admin_only && !memberships[i].admin_option) continue;
        TRY(is_in(task, session, memberships[i].member, &in));
        if (!in) continue;
        pg_row_begin(&row, sink);
        pg_put_text(&row, "grantee", memberships[i].member);
        pg_put_text(&row, "role_name", memberships[i].role);
        pg_put_text(&row, "is_grantable", yes_no(memberships[i].admin_option));
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

ROWS(applicable_rows)
{
    return membership_rows(task, session, sink, false);
}

ROWS(administrable_rows)
{
    return membership_rows(task, session, sink, true);
}

ROWS(enabled_rows)
{
    struct status st;
    struct arena arena;
    struct role **roles;
    uint32_t count;
    struct pg_row row;
    bool in;
    arena_init(&arena, &session->account);
    TRY(role_list(task, session, &arena, &roles, &count));
    for (uint32_t i = 0; i < count; i++) {
        TRY(is_in(task, session, roles[i]->name, &in));
        if (!in) continue;
        pg_row_begin(&row, sink);
        pg_put_text(&row, "role_name", roles[i]->name);
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct pg_table tables[] = {
    {"table_privileges",
        "grantor name, grantee name, table_catalog name, table_schema name, "
        "table_name name, privilege_type varchar, is_grantable varchar, "
        "with_hierarchy varchar",
        table_privilege_rows},
    {"role_table_grants",
        "grantor name, grantee name, table_catalog name, table_schema name, "
        "table_name name, privilege_type varchar, is_grantable varchar, "
        "with_hierarchy varchar",
        role_table_rows},
    {"column_privileges",
        "grantor name, grantee name, table_catalog name, table_schema name, "
        "table_name name, column_name name, privilege_type varchar, is_grantable varchar",
        column_privilege_rows},
    {"role_column_grants",
        "grantor name, grantee name, table_catalog name, table_schema name, "
        "table_name name, column_name name, privilege_type varchar, is_grantable varchar",
        role_column_rows},
    {"usage_privileges",
        "grantor name, grantee name, object_catalog name, object_schema name, "
        "object_name name, object_type varchar, privilege_type varchar, "
        "is_grantable varchar",
        usage_rows},
    {"role_usage_grants",
        "grantor name, grantee name, object_catalog name, object_schema name, "
        "object_name name, object_type varchar, privilege_type varchar, "
        "is_grantable varchar",
        role_usage_rows},
    {"udt_privileges",
        "grantor name, grantee name, udt_catalog name, udt_schema name, udt_name name, "
        "privilege_type varchar, is_grantable varchar",
        type_rows},
    {"role_udt_grants",
        "grantor name, grantee name, udt_catalog name, udt_schema name, udt_name name, "
        "privilege_type varchar, is_grantable varchar",
        role_type_rows},
    {"applicable_roles",
        "grantee name, role_name name, is_grantable varchar",
        applicable_rows},
    {"administrable_role_authorizations",
        "grantee name, role_name name, is_grantable varchar",
        administrable_rows},
    {"enabled_roles",
        "role_name name",
        enabled_rows},
};

void information_schema_privileges_register(void)
{
    pg_tables_register("information_schema", tables, COUNT(tables));
}
