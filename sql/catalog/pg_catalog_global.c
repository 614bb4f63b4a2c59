// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog tables of what is not in one database: databases, roles, settings, and the few objects that every server
// has. Also comments.
#include <string.h>

#include "sql/type/collation.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/catalog/pg_xid.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"
#include "sql/service/large_object.h"
#include "sql/session/vars.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)
#define UNUSED() ((void)task, (void)session)

#define LANGUAGE_INTERNAL 12
#define LANGUAGE_SQL 14
#define COLLATION_DEFAULT 100

// --- databases -------------------------------------------------------------------------------------------

ROWS(database_rows)
{
    struct status st;
    struct arena arena;
    const struct database_desc **databases;
    uint32_t count, owner;
    struct pg_row row;
    arena_init(&arena, &session->account);
    TRY(catalog_list_databases(task, session, &arena, &databases, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct database_desc *database = databases[i];
        TRY(pg_role_oid(task, session, database->owner, &owner));
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", pg_oid(database->id));
        pg_put_text(&row, "datname", database->name);
        pg_put_int(&row, "datdba", owner);
        pg_put_int(&row, "encoding", 6);
        pg_put_int(&row, "datlocprovider", 'c');
        pg_put_bool(&row, "datistemplate", false);
        pg_put_bool(&row, "datallowconn", true);
        pg_put_int(&row, "datconnlimit", -1);
        pg_put_int(&row, "datfrozenxid", PG_XID_FIRST);
        pg_put_int(&row, "datminmxid", PG_MXID_FIRST);
        pg_put_int(&row, "dattablespace", PG_TABLESPACE_DEFAULT);
        pg_put_text(&row, "datcollate", database->collate == NULL ? "C.UTF-8" : database->collate);
        pg_put_text(&row, "datctype", "C.UTF-8");
        pg_put(&row, "datacl",
            pg_acl(&arena, OBJECT_DATABASE, database->owner, database->grants, database->grant_count));
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- roles -----------------------------------------------------------------------------------------------

static struct status each_role(struct task *task, struct session *session,
    struct virtual_table_sink *sink,
    struct status (*send)(struct pg_row *row, const struct role *role, struct arena *arena))
{
    struct status st;
    struct arena arena;
    struct role **roles;
    uint32_t count;
    struct pg_row row;
    arena_init(&arena, &session->account);
    TRY(role_list(task, session, &arena, &roles, &count));
    for (uint32_t i = 0; i < count; i++) {
        pg_row_begin(&row, sink);
        TRY(send(&row, roles[i], &arena));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct datum valid_until(const struct role *role)
{
    return role->has_valid_until ? datum_int(role->valid_until_us) : DATUM_NULL;
}

static struct status role_row(struct pg_row *row, const struct role *role, struct arena *arena)
{
    (void)arena;
    pg_put_int(row, "oid", role->id);
    pg_put_text(row, "rolname", role->name);
    pg_put_bool(row, "rolsuper", role->superuser);
    pg_put_bool(row, "rolinherit", role->inherit);
    pg_put_bool(row, "rolcreaterole", role->create_role);
    pg_put_bool(row, "rolcreatedb", role->create_db);
    pg_put_bool(row, "rolcanlogin", role->login);
    pg_put_bool(row, "rolreplication", role->replication);
    pg_put_int(row, "rolconnlimit", role->connection_limit);
    pg_put(row, "rolvaliduntil", valid_until(role));
    pg_put_bool(row, "rolbypassrls", role->bypass_rls);
    return pg_row_send(row);
}

static struct datum settings_array(struct arena *arena, const struct role *role)
{
    uint32_t count = 0;
    while (role->settings != NULL && role->settings[count] != NULL) count++;
    return count == 0 ? DATUM_NULL : pg_text_array(arena, TYPE_TEXT, role->settings, count);
}

static struct status roles_row(struct pg_row *row, const struct role *role, struct arena *arena)
{
    pg_put_text(row, "rolpassword", "********");
    pg_put(row, "rolconfig", settings_array(arena, role));
    return role_row(row, role, arena);
}

static struct status authid_row(struct pg_row *row, const struct role *role, struct arena *arena)
{
    pg_put_text(row, "rolpassword", role->verifier);
    return role_row(row, role, arena);
}

ROWS(roles_rows)
{
    return each_role(task, session, sink, roles_row);
}

ROWS(authid_rows)
{
    struct status st = privilege_check_superuser(task, session, "read pg_authid");
    return failed(st) ? st : each_role(task, session, sink, authid_row);
}

static struct status login_row(
    struct pg_row *row, const struct role *role, const char *password, struct arena *arena)
{
    if (!role->login) return STATUS_OK;
    pg_put_text(row, "usename", role->name);
    pg_put_int(row, "usesysid", role->id);
    pg_put_bool(row, "usecreatedb", role->create_db);
    pg_put_bool(row, "usesuper", role->superuser);
    pg_put_bool(row, "userepl", role->replication);
    pg_put_bool(row, "usebypassrls", role->bypass_rls);
    pg_put_text(row, "passwd", password);
    pg_put(row, "valuntil", valid_until(role));
    pg_put(row, "useconfig", settings_array(arena, role));
    return pg_row_send(row);
}

static struct status user_row(struct pg_row *row, const struct role *role, struct arena *arena)
{
    return login_row(row, role, "********", arena);
}

ROWS(user_rows)
{
    return each_role(task, session, sink, user_row);
}

static struct status shadow_row(struct pg_row *row, const struct role *role, struct arena *arena)
{
    return login_row(row, role, role->verifier, arena);
}

ROWS(shadow_rows)
{
    struct status st = privilege_check_superuser(task, session, "read pg_shadow");
    return failed(st) ? st : each_role(task, session, sink, shadow_row);
}

ROWS(member_rows)
{
    struct status st;
    struct arena arena;
    struct role_membership *memberships;
    uint32_t count, role, member;
    struct pg_row row;
    arena_init(&arena, &session->account);
    TRY(role_memberships(task, session, &arena, &memberships, &count));
    for (uint32_t i = 0; i < count; i++) {
        TRY(pg_role_oid(task, session, memberships[i].role, &role));
        TRY(pg_role_oid(task, session, memberships[i].member, &member));
        pg_row_begin(&row, sink);
        pg_put_int(&row, "roleid", role);
        pg_put_int(&row, "member", member);
        pg_put_int(&row, "grantor", PG_ADMIN_OID);
        pg_put_bool(&row, "admin_option", memberships[i].admin_option);
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// Roles that cannot log in, with their members.
ROWS(group_rows)
{
    struct status st;
    struct arena arena;
    struct role **roles;
    struct role_membership *memberships;
    uint32_t count, membership_count, member;
    struct pg_row row;
    arena_init(&arena, &session->account);
    TRY(role_list(task, session, &arena, &roles, &count));
    TRY(role_memberships(task, session, &arena, &memberships, &membership_count));
    struct datum *members = ARENA_ARRAY(&arena, struct datum, membership_count + 1u);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t member_count = 0;
        struct datum list;
        if (roles[i]->login) continue;
        for (uint32_t j = 0; j < membership_count; j++) {
            if (strcmp(memberships[j].role, roles[i]->name) != 0) continue;
            TRY(pg_role_oid(task, session, memberships[j].member, &member));
            members[member_count++] = datum_int(member);
        }
        TRY(array_make(&arena, TYPE_OID, members, member_count, &list));
        pg_row_begin(&row, sink);
        pg_put_text(&row, "groname", roles[i]->name);
        pg_put_int(&row, "grosysid", roles[i]->id);
        pg_put(&row, "grolist", list);
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status role_setting_row(
    struct pg_row *row, const struct role *role, struct arena *arena)
{
    struct datum settings = settings_array(arena, role);
    if (settings.null) return STATUS_OK;
    pg_put_int(row, "setdatabase", 0);
    pg_put_int(row, "setrole", role->id);
    pg_put(row, "setconfig", settings);
    return pg_row_send(row);
}

ROWS(role_setting_rows)
{
    return each_role(task, session, sink, role_setting_row);
}

// --- settings --------------------------------------------------------------------------------------------

// Numbers in their units, without them.
static void put_setting(struct pg_row *row, struct arena *arena, const char *column, const struct vars_info *info, const char *value)
{
    pg_put_text(row, column,
        info->unit == NULL ? value : arena_printf(arena, "%lld", (long long)vars_number(info, value)));
}

static void put_values(struct pg_row *row, struct arena *arena, const char *values)
{
    const char *items[32];
    uint32_t count = 0;
    char *copy = arena_strdup(arena, values);
    for (char *save = NULL, *word = strtok_r(copy, "|", &save); word != NULL && count < COUNT(items);
         word = strtok_r(NULL, "|", &save))
        items[count++] = word;
    pg_put(row, "enumvals", pg_text_array(arena, TYPE_TEXT, items, count));
}

ROWS(settings_rows)
{
    struct status st = STATUS_OK;
    struct vars_info info;
    struct pg_row row;
    (void)task;
    for (uint32_t i = 0; vars_at(session, i, &info); i++) {
        bool unset = info.given_at_start || strcmp(info.value, info.default_value) == 0;
        pg_row_begin(&row, sink);
        pg_put_text(&row, "name", info.name);
        put_setting(&row, &session->statement_arena, "setting", &info, info.value);
        pg_put_text(&row, "unit", info.unit);
        pg_put_text(&row, "category", "Session");
        pg_put_text(&row, "short_desc", info.description);
        pg_put_text(&row, "context", info.context);
        pg_put_text(&row, "vartype", info.type);
        pg_put_text(&row, "source", unset ? "default" : strcmp(info.value, info.reset_value) == 0 ? "client" : "session");
        if (info.bounded) {
            pg_put_text(&row, "min_val", arena_printf(&session->statement_arena, "%lld", (long long)info.minimum));
            pg_put_text(&row, "max_val", arena_printf(&session->statement_arena, "%lld", (long long)info.maximum));
        }
        if (info.values != NULL) put_values(&row, &session->statement_arena, info.values);
        put_setting(&row, &session->statement_arena, "boot_val", &info, unset ? info.value : info.default_value);
        put_setting(&row, &session->statement_arena, "reset_val", &info, unset ? info.value : info.reset_value);
        pg_put_bool(&row, "pending_restart", false);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

// --- what every server has -------------------------------------------------------------------------------

ROWS(tablespace_rows)
{
    struct status st;
    struct pg_row row;
    UNUSED();
    static const struct {
        uint32_t oid;
        const char *name;
    } spaces[] = {{PG_TABLESPACE_DEFAULT, "pg_default"}, {PG_TABLESPACE_GLOBAL, "pg_global"}};
    for (unsigned i = 0; i < COUNT(spaces); i++) {
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", spaces[i].oid);
        pg_put_text(&row, "spcname", spaces[i].name);
        pg_put_int(&row, "spcowner", PG_ADMIN_OID);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(method_rows)
{
    struct status st;
    struct pg_row row;
    UNUSED();
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", PG_AM_HEAP);
    pg_put_text(&row, "amname", "heap");
    pg_put_int(&row, "amhandler", 0);
    pg_put_int(&row, "amtype", 't');
    TRY(pg_row_send(&row));
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", PG_AM_BTREE);
    pg_put_text(&row, "amname", "btree");
    pg_put_int(&row, "amhandler", 0);
    pg_put_int(&row, "amtype", 'i');
    TRY(pg_row_send(&row));
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", PG_AM_GIN);
    pg_put_text(&row, "amname", "gin");
    pg_put_int(&row, "amhandler", 0);
    pg_put_int(&row, "amtype", 'i');
    TRY(pg_row_send(&row));
out:
    return st;
}

ROWS(language_rows)
{
    static const struct {
        uint32_t oid;
        const char *name;
        bool trusted;
    } languages[] = {{LANGUAGE_INTERNAL, "internal", false}, {LANGUAGE_SQL, "sql", true}};
    struct pg_row row;
    struct status st = STATUS_OK;
    UNUSED();
    for (uint32_t i = 0; i < COUNT(languages) && !failed(st); i++) {
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", languages[i].oid);
        pg_put_text(&row, "lanname", languages[i].name);
        pg_put_int(&row, "lanowner", PG_ADMIN_OID);
        pg_put_bool(&row, "lanispl", false);
        pg_put_bool(&row, "lanpltrusted", languages[i].trusted);
        pg_put_int(&row, "lanplcallfoid", 0);
        pg_put_int(&row, "laninline", 0);
        pg_put_int(&row, "lanvalidator", 0);
        st = pg_row_send(&row);
    }
    return st;
}

static struct status collation_row(struct virtual_table_sink *sink,
    const struct collation *collation, uint32_t schema, uint32_t owner)
{
    struct pg_row row;
    bool icu = collation->provider == COLLATION_ICU;
    bool bytes = collation->provider == COLLATION_LIBC;
    bool any = collation->id == COLLATION_ID_C || collation->id == COLLATION_ID_POSIX;
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", collation->id);
    pg_put_text(&row, "collname", collation->name);
    pg_put_int(&row, "collnamespace", schema);
    pg_put_int(&row, "collowner", owner);
    pg_put_int(&row, "collprovider", collation->provider);
    pg_put_bool(&row, "collisdeterministic", collation->deterministic);
    pg_put_int(&row, "collencoding", bytes && !any ? 6 : -1);
    pg_put_text(&row, "collcollate", bytes ? collation->locale : NULL);
    pg_put_text(&row, "collctype", bytes ? collation->locale : NULL);
    pg_put_text(&row, "colliculocale", icu ? collation->locale : NULL);
    return pg_row_send(&row);
}

ROWS(collation_rows)
{
    struct status st = STATUS_OK;
    const struct collation *built_in;
    const struct database_desc *database;
    const struct table_desc **list;
    struct arena arena;
    uint32_t count, owner;
    arena_init(&arena, NULL);
    for (uint32_t i = 0; (built_in = collation_built_in(i)) != NULL; i++)
        TRY(collation_row(sink, built_in, PG_NAMESPACE_CATALOG, PG_ADMIN_OID));
    TRY(catalog_database(task, session, NULL, true, &database));
    if (database == NULL) goto out;
    TRY(catalog_list_collations(task, session, &arena, database->id, &list, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct collation made;
        if (!collation_parse(&arena, list[i]->collation, &made)) continue;
        made.name = list[i]->name;
        TRY(pg_role_oid(task, session, list[i]->owner, &owner));
        TRY(collation_row(sink, &made, pg_namespace_oid(list[i]->schema_id), owner));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- comments --------------------------------------------------------------------------------------------

static struct status description_row(struct pg_rows *rows, uint32_t object, uint32_t class,
    int64_t sub, enum catalog_comment_class kind, uint32_t id, uint32_t sub_id)
{
    const char *text;
    struct pg_row row;
    struct status st =
        pg_comment(rows->task, rows->session, &rows->arena, kind, id, sub_id, &text);
    if (failed(st) || text == NULL) return st;
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "objoid", object);
    pg_put_int(&row, "classoid", class);
    if (class != 1262 && class != 1260) pg_put_int(&row, "objsubid", sub);
    pg_put_text(&row, "description", text);
    return pg_row_send(&row);
}

static struct status table_descriptions(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st;
    uint32_t oid = pg_oid(table->id);
    TRY(description_row(rows, oid, PG_CLASS_OID, 0, COMMENT_ON_RELATION, table->id, 0));
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(description_row(rows, oid, PG_CLASS_OID, (int64_t)i + 1, COMMENT_ON_RELATION, table->id,
            table->columns[i].id));
    for (uint32_t i = 0; i < table->index_count; i++) {
        uint32_t index = pg_index_oid(table->id, table->indexes[i].id);
        TRY(description_row(rows, index, PG_CLASS_OID, 0, COMMENT_ON_RELATION, index, 0));
        TRY(description_row(rows, index, 2606, 0, COMMENT_ON_CONSTRAINT, index, 0));
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        uint32_t constraint = pg_constraint_oid(table->id, table->constraints[i].id);
        TRY(description_row(rows, constraint, 2606, 0, COMMENT_ON_CONSTRAINT, constraint, 0));
    }
    for (uint32_t i = 0; i < table->statistics_count; i++)
        TRY(description_row(rows, pg_oid(table->statistics[i].id), PG_STATISTICS_OID, 0,
            COMMENT_ON_STATISTICS, table->statistics[i].id, 0));
out:
    return st;
}

static struct status large_object_description(void *arg, const struct large_object *object)
{
    return description_row(
        arg, object->oid, PG_LARGE_OBJECT_OID, 0, COMMENT_ON_LARGE_OBJECT, object->oid, object->database_id);
}

ROWS(description_rows)
{
    struct status st;
    struct pg_rows rows;
    TRY(pg_rows_open(&rows, task, session, sink));
    for (uint32_t i = 0; i < rows.schema_count && !failed(st); i++)
        st = description_row(&rows, pg_oid(rows.schemas[i]->id), 2615, 0, COMMENT_ON_SCHEMA,
            rows.schemas[i]->id, 0);
    for (uint32_t i = 0; i < rows.type_count && !failed(st); i++)
        st = description_row(&rows, catalog_type_oid(rows.types[i]), 1247, 0, COMMENT_ON_TYPE,
            rows.types[i]->id, 0);
    for (uint32_t i = 0; i < rows.table_count && !failed(st); i++)
        st = table_descriptions(&rows, rows.tables[i]);
    uint32_t extension;
    for (uint32_t i = 0; (extension = pg_extension_at(i)) != 0 && !failed(st); i++)
        st = description_row(&rows, extension, 3079, 0, COMMENT_ON_EXTENSION, extension, 0);
    const struct table_desc **functions;
    uint32_t function_count = 0;
    if (!failed(st))
        st = catalog_list_functions(
            task, session, &rows.arena, rows.database->id, &functions, &function_count);
    for (uint32_t i = 0; i < function_count && !failed(st); i++)
        st = description_row(&rows, pg_oid(functions[i]->id), 1255, 0, COMMENT_ON_FUNCTION,
            functions[i]->id, 0);
    if (!failed(st)) st = large_object_each(task, session, rows.database->id, large_object_description, &rows);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

ROWS(shared_description_rows)
{
    struct status st;
    struct pg_rows rows;
    const struct database_desc **databases;
    struct role **roles;
    uint32_t database_count, role_count;
    TRY(pg_rows_open(&rows, task, session, sink));
    st = catalog_list_databases(task, session, &rows.arena, &databases, &database_count);
    for (uint32_t i = 0; !failed(st) && i < database_count; i++)
        st = description_row(&rows, pg_oid(databases[i]->id), 1262, 0, COMMENT_ON_DATABASE,
            databases[i]->id, 0);
    if (!failed(st)) st = role_list(task, session, &rows.arena, &roles, &role_count);
    for (uint32_t i = 0; !failed(st) && i < role_count; i++)
        st = description_row(&rows, roles[i]->id, 1260, 0, COMMENT_ON_ROLE, roles[i]->id, 0);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

static const struct pg_table tables[] = {
    {"pg_database",
        "oid oid, datname name, datdba oid, encoding int4, datlocprovider char, "
        "datistemplate bool, datallowconn bool, datconnlimit int4, datfrozenxid xid, "
        "datminmxid xid, dattablespace oid, datcollate text, datctype text, "
        "daticulocale text, datcollversion text, datacl aclitem[]",
        database_rows},
    {"pg_roles",
        "rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, "
        "rolcreatedb bool, rolcanlogin bool, rolreplication bool, rolconnlimit int4, "
        "rolpassword text, rolvaliduntil timestamptz, rolbypassrls bool, "
        "rolconfig text[], oid oid",
        roles_rows},
    {"pg_authid",
        "oid oid, rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, "
        "rolcreatedb bool, rolcanlogin bool, rolreplication bool, rolbypassrls bool, "
        "rolconnlimit int4, rolpassword text, rolvaliduntil timestamptz",
        authid_rows},
    {"pg_user",
        "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, "
        "usebypassrls bool, passwd text, valuntil timestamptz, useconfig text[]",
        user_rows},
    {"pg_shadow",
        "usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, "
        "usebypassrls bool, passwd text, valuntil timestamptz, useconfig text[]",
        shadow_rows},
    {"pg_group",
        "groname name, grosysid oid, grolist oid[]",
        group_rows},
    {"pg_auth_members",
        "roleid oid, member oid, grantor oid, admin_option bool",
        member_rows},
    {"pg_db_role_setting",
        "setdatabase oid, setrole oid, setconfig text[]",
        role_setting_rows},
    {"pg_settings",
        "name text, setting text, unit text, category text, short_desc text, "
        "extra_desc text, context text, vartype text, source text, min_val text, "
        "max_val text, enumvals text[], boot_val text, reset_val text, sourcefile text, "
        "sourceline int4, pending_restart bool",
        settings_rows},
    {"pg_tablespace",
        "oid oid, spcname name, spcowner oid, spcacl aclitem[], spcoptions text[]",
        tablespace_rows},
    {"pg_am",
        "oid oid, amname name, amhandler regproc, amtype char",
        method_rows},
    {"pg_language",
        "oid oid, lanname name, lanowner oid, lanispl bool, lanpltrusted bool, "
        "lanplcallfoid oid, laninline oid, lanvalidator oid, lanacl aclitem[]",
        language_rows},
    {"pg_collation",
        "oid oid, collname name, collnamespace oid, collowner oid, collprovider char, "
        "collisdeterministic bool, collencoding int4, collcollate text, collctype text, "
        "colliculocale text, collversion text",
        collation_rows},
    {"pg_description",
        "objoid oid, classoid oid, objsubid int4, description text",
        description_rows},
    {"pg_shdescription",
        "objoid oid, classoid oid, description text",
        shared_description_rows},
};

void pg_catalog_global_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
