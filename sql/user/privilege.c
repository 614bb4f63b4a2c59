// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/user/privilege_object.h"

#include "core/invariant.h"
#include "core/text.h"
#include "sql/catalog/bootstrap.h"
#include "sql/catalog/catalog.h"
#include "sql/user/role.h"
#include "sql/user/role_predefined.h"
#include "sql/session/session.h"

// Names, PostgreSQL's letters in access lists, and the objects that have it: t table, s sequence, n schema,
// d database, f function, y type, l large object.
static const struct {
    const char *name;
    uint32_t bit;
    char letter;
    const char *objects;
} privileges[] = {
    {"SELECT", PRIVILEGE_SELECT, 'r', "tsl"},
    {"INSERT", PRIVILEGE_INSERT, 'a', "t"},
    {"UPDATE", PRIVILEGE_UPDATE, 'w', "tsl"},
    {"DELETE", PRIVILEGE_DELETE, 'd', "t"},
    {"TRUNCATE", PRIVILEGE_TRUNCATE, 'D', "t"},
    {"REFERENCES", PRIVILEGE_REFERENCES, 'x', "t"},
    {"TRIGGER", PRIVILEGE_TRIGGER, 't', "t"},
    {"CREATE", PRIVILEGE_CREATE, 'C', "nd"},
    {"CONNECT", PRIVILEGE_CONNECT, 'c', "d"},
    {"TEMPORARY", PRIVILEGE_TEMPORARY, 'T', "d"},
    {"USAGE", PRIVILEGE_USAGE, 'U', "sny"},
    {"DROP", PRIVILEGE_DROP, 0, ""},
    {"ZONECONFIG", PRIVILEGE_ZONECONFIG, 0, "td"},
    {"BACKUP", PRIVILEGE_BACKUP, 0, "td"},
    {"RESTORE", PRIVILEGE_RESTORE, 0, "d"},
    {"CHANGEFEED", PRIVILEGE_CHANGEFEED, 0, "t"},
    {"EXECUTE", PRIVILEGE_EXECUTE, 'X', "f"},
};
#define PRIVILEGE_COUNT (sizeof privileges / sizeof privileges[0])

static const char *const system_privileges[] = {"MODIFYCLUSTERSETTING", "VIEWCLUSTERSETTING",
    "MODIFYSQLCLUSTERSETTING", "EXTERNALCONNECTION", "EXTERNALIOIMPLICITACCESS", "VIEWACTIVITY",
    "VIEWACTIVITYREDACTED", "VIEWCLUSTERMETADATA", "VIEWDEBUG", "VIEWJOB", "CONTROLJOB",
    "CANCELQUERY", "NOSQLLOGIN", "CREATEROLE", "CREATEDB", "CREATELOGIN", "BACKUP", "RESTORE",
    "CHANGEFEED", "REPLICATION", "REPLICATIONSOURCE", "REPLICATIONDEST", "MANAGEVIRTUALCLUSTER",
    "REPAIRCLUSTER", "VIEWSYSTEMTABLE", "BYPASSRLS", "INSPECT", NULL};

const char *const *privilege_system_names(void)
{
    return system_privileges;
}

uint32_t privilege_all(enum object_kind kind)
{
    char letter = kind == OBJECT_SEQUENCE   ? 's'
                  : kind == OBJECT_SCHEMA   ? 'n'
                  : kind == OBJECT_DATABASE ? 'd'
                  : kind == OBJECT_FUNCTION || kind == OBJECT_PROCEDURE || kind == OBJECT_ROUTINE
                      ? 'f'
                  : kind == OBJECT_TYPE || kind == OBJECT_DOMAIN ? 'y'
                  : kind == OBJECT_LARGE_OBJECT                  ? 'l'
                                                                 : 't';
    uint32_t bits = 0;
    for (size_t i = 0; i < PRIVILEGE_COUNT; i++) {
        if (strchr(privileges[i].objects, letter) != NULL) bits |= privileges[i].bit;
    }
    return bits;
}

uint32_t privilege_of_everybody(enum object_kind kind)
{
    return kind == OBJECT_FUNCTION ? PRIVILEGE_EXECUTE : kind == OBJECT_TYPE ? PRIVILEGE_USAGE : 0;
}

const char *privilege_name(uint32_t bit)
{
    for (size_t i = 0; i < PRIVILEGE_COUNT; i++) {
        if (privileges[i].bit == bit) return privileges[i].name;
    }
    return NULL;
}

uint32_t privilege_by_name(const char *name)
{
    if (string_equal_nocase(name, "TEMP")) return PRIVILEGE_TEMPORARY;
    for (size_t i = 0; i < PRIVILEGE_COUNT; i++) {
        if (string_equal_nocase(privileges[i].name, name)) return privileges[i].bit;
    }
    return 0;
}

char privilege_acl_letter(uint32_t bit)
{
    for (size_t i = 0; i < PRIVILEGE_COUNT; i++) {
        if (privileges[i].bit == bit) return privileges[i].letter;
    }
    return 0;
}

// Takes away of *bits what the grants give the role.
static struct status take_granted(struct task *task, struct session *session, const char *role,
    const struct privilege_grant *grants, uint32_t grant_count, uint32_t *bits)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < grant_count && *bits != 0; i++) {
        if ((grants[i].privileges & *bits) == 0) continue;
        bool member = strcmp(grants[i].role, ROLE_PUBLIC_NAME) == 0;
        if (!member) TRY(role_is_member(task, session, role, grants[i].role, &member));
        if (member) *bits &= ~grants[i].privileges;
    }
out:
    return st;
}

// What predefined roles hold of every object of a kind, whatever was granted.
#define WRITES (PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_DELETE)
static const struct privilege_grant of_relations[] = {
    {.role = ROLE_READ_ALL_DATA, .privileges = PRIVILEGE_SELECT},
    {.role = ROLE_WRITE_ALL_DATA, .privileges = WRITES}};
static const struct privilege_grant of_schemas[] = {
    {.role = ROLE_READ_ALL_DATA, .privileges = PRIVILEGE_USAGE},
    {.role = ROLE_WRITE_ALL_DATA, .privileges = PRIVILEGE_USAGE}};

struct status privilege_role_has(struct task *task, struct session *session, const char *role,
    const char *owner, const struct privilege_grant *grants, uint32_t grant_count, uint32_t bits,
    bool *has)
{
    return privilege_role_has_of(
        task, session, role, PRIVILEGED_OTHER, owner, grants, grant_count, bits, has);
}

struct status privilege_role_has_of(struct task *task, struct session *session, const char *role,
    enum privileged kind, const char *owner, const struct privilege_grant *grants,
    uint32_t grant_count, uint32_t bits, bool *has)
{
    struct status st = STATUS_OK;
    bool member;

    *has = true;
    TRY(role_is_member(task, session, role, ROLE_ADMIN, &member));
    if (member) goto out;
    if (owner != NULL) {
        TRY(role_is_member(task, session, role, owner, &member));
        if (member) goto out;
    }
    TRY(take_granted(task, session, role, grants, grant_count, &bits));
    if (kind == PRIVILEGED_RELATION) TRY(take_granted(task, session, role, of_relations, 2, &bits));
    if (kind == PRIVILEGED_SCHEMA) TRY(take_granted(task, session, role, of_schemas, 2, &bits));
    *has = bits == 0;
out:
    return st;
}

enum privileged privileged_relation(const struct table_desc *table)
{
    const bool rows = table->kind != RELATION_FUNCTION && table->kind != RELATION_COLLATION &&
                      !relation_is_type(table->kind);
    return rows && table->id >= CATALOG_FIRST_ID ? PRIVILEGED_RELATION : PRIVILEGED_OTHER;
}

enum privileged privileged_schema(const struct schema_desc *schema)
{
    return schema->database_id != CATALOG_SYSTEM_DATABASE ? PRIVILEGED_SCHEMA : PRIVILEGED_OTHER;
}

static struct status check(struct task *task, struct session *session, enum privileged object,
    const char *owner, const struct privilege_grant *grants, uint32_t grant_count, uint32_t bits,
    const char *kind, const char *name)
{
    bool has;
    if (session->internal || session->superuser) return STATUS_OK;
    struct status st = privilege_role_has_of(
        task, session, session->user, object, owner, grants, grant_count, bits, &has);
    if (failed(st) || has) return st;
    return status_format(
        task->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied for %s %s", kind, name);
}

struct status privilege_check_table(
    struct task *task, struct session *session, const struct table_desc *table, uint32_t bits)
{
    if (table->kind == RELATION_VIRTUAL && (bits & ~(uint32_t)PRIVILEGE_SELECT) != 0)
        return status_format(
            task->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied for table %s", table->name);
    if (table->id < CATALOG_SYSTEM_DATABASE && !session->internal &&
        (bits & ~(uint32_t)PRIVILEGE_SELECT) != 0 && bootstrap_is_protected(table->id))
        return status_format(task->arena, E_INSUFFICIENT_PRIVILEGE,
            "table %s is written by the server alone", table->name);
    bool routine = table->kind == RELATION_FUNCTION, type = relation_is_type(table->kind);
    if (routine || type) bits &= table->public_revoked;
    if (bits == 0) return STATUS_OK;
    // For a sequence, USAGE is had with UPDATE too, and SELECT with USAGE (currval).
    if (table->kind == RELATION_SEQUENCE && !session->internal && !session->superuser &&
        (bits == PRIVILEGE_USAGE || bits == PRIVILEGE_SELECT)) {
        bool has;
        uint32_t other = bits == PRIVILEGE_USAGE ? PRIVILEGE_UPDATE : PRIVILEGE_USAGE;
        struct status st = privilege_role_has_of(task, session, session->user,
            privileged_relation(table), table->owner, table->grants, table->grant_count, other, &has);
        if (failed(st) || has) return st;
    }
    return check(task, session, privileged_relation(table), table->owner, table->grants,
        table->grant_count, bits,
        table->kind == RELATION_SEQUENCE               ? "sequence"
        : table->kind == RELATION_VIEW                 ? "view"
        : routine && table->function.kind == 'p'       ? "procedure"
        : routine                                      ? "function"
        : type                                         ? "type"
                                                       : "table",
        table->name);
}

static struct status columns_have(struct task *task, struct session *session,
    const struct table_desc *table, uint32_t bit, const uint32_t *used, bool *has)
{
    struct status st = STATUS_OK;
    bool any_used = false, any = false, all = true;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        bool is_used = used != NULL && (used[i] & bit) != 0, held = false;
        any_used |= is_used;
        if (column->grant_count > 0)
            TRY(privilege_role_has(task, session, session->user, NULL, column->grants,
                column->grant_count, bit, &held));
        any |= held;
        all &= held || !is_used;
    }
    *has = any_used ? all : any;
out:
    return st;
}

struct status privilege_check_columns(struct task *task, struct session *session,
    const struct table_desc *table, uint32_t bits, const uint32_t *used)
{
    struct status st = STATUS_OK;
    uint32_t left = bits;
    bool some = false, has;
    for (uint32_t i = 0; i < table->column_count && table->id >= CATALOG_FIRST_ID; i++)
        some |= table->columns[i].grant_count > 0;
    if (some && !session->internal && !session->superuser) {
        for (uint32_t bit = 1; bit != 0 && bit <= PRIVILEGE_REFERENCES; bit <<= 1) {
            if ((bits & bit & PRIVILEGES_OF_COLUMNS) == 0) continue;
            TRY(privilege_role_has_of(task, session, session->user, privileged_relation(table),
                table->owner, table->grants, table->grant_count, bit, &has));
            if (!has) TRY(columns_have(task, session, table, bit, used, &has));
            if (has) left &= ~bit;
        }
    }
    if (left != 0 || !some) st = privilege_check_table(task, session, table, left);
out:
    return st;
}

struct status privilege_check_schema(
    struct task *task, struct session *session, const struct schema_desc *schema, uint32_t bits)
{
    // Virtual schemas: everybody may use them, nobody may create in them.
    if (schema->database_id == 0 && (bits & PRIVILEGE_CREATE) == 0) return STATUS_OK;
    return check(task, session, privileged_schema(schema), schema->owner, schema->grants, schema->grant_count, bits, "schema",
        schema->name);
}

struct status privilege_check_database(
    struct task *task, struct session *session, const struct database_desc *database, uint32_t bits)
{
    return check(task, session, PRIVILEGED_OTHER, database->owner, database->grants, database->grant_count, bits,
        "database", database->name);
}

struct status privilege_check_owner(struct task *task, struct session *session, const char *owner,
    enum object_kind kind, const char *name)
{
    struct status st = STATUS_OK;
    bool member;
    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_is_member(task, session, session->user, owner, &member));
    if (!member)
        st = status_format(task->arena, E_INSUFFICIENT_PRIVILEGE, "must be owner of %s %s",
            kind == OBJECT_OTHER ? "relation" : object_kind_name(kind), name);
out:
    return st;
}

struct status privilege_check_superuser(
    struct task *task, struct session *session, const char *what)
{
    if (session->internal || session->superuser) return STATUS_OK;
    return status_format(task->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied to %s", what);
}
