// SPDX-License-Identifier: GPL-3.0-or-later
//
// Privileges: what a role may do with databases, schemas, tables and sequences (kept in their
// descriptors), and with the virtual cluster as a whole (system privileges, kept in system.privileges).
//
// A session passes a check when it is internal, a member of admin, the object's owner or a member of the
// owner, or when the privilege was granted to one of its roles or to public.
//
// Shard    Any. System privileges and memberships are cached per shard (sql/user/role.h).
// Errors   42501 with PostgreSQL's messages ("permission denied for table t"); 0LP01 for a privilege that
//          the kind of object does not have.
#pragma once
#include "core/status.h"
#include "sql/parse/ast.h"
#include "sql/catalog/catalog.h"

enum privilege_bit {
    PRIVILEGE_SELECT = 1 << 0,
    PRIVILEGE_INSERT = 1 << 1,
    PRIVILEGE_UPDATE = 1 << 2,
    PRIVILEGE_DELETE = 1 << 3,
    PRIVILEGE_TRUNCATE = 1 << 4,
    PRIVILEGE_REFERENCES = 1 << 5,
    PRIVILEGE_TRIGGER = 1 << 6,
    PRIVILEGE_CREATE = 1 << 7,
    PRIVILEGE_CONNECT = 1 << 8,
    PRIVILEGE_TEMPORARY = 1 << 9,
    PRIVILEGE_USAGE = 1 << 10,
    PRIVILEGE_DROP = 1 << 11, // Beyond PostgreSQL, as are the following.
    PRIVILEGE_ZONECONFIG = 1 << 12,
    PRIVILEGE_BACKUP = 1 << 13,
    PRIVILEGE_RESTORE = 1 << 14,
    PRIVILEGE_CHANGEFEED = 1 << 15,
    PRIVILEGE_EXECUTE = 1 << 16,
};

// The bits that an object of the kind (TABLE, SEQUENCE, SCHEMA, DATABASE) can have: what ALL means.
uint32_t privilege_all(enum object_kind kind);
// What everybody has of a FUNCTION or TYPE from the start.
uint32_t privilege_of_everybody(enum object_kind kind);
// "SELECT"; NULL for what is no single bit.
const char *privilege_name(uint32_t bit);
uint32_t privilege_by_name(const char *name); // Any case; 0 when unknown.
char privilege_acl_letter(uint32_t bit);      // As in pg_class.relacl; 0: has none.

CHECKED struct status privilege_check_table(
    struct task *task, struct session *session, const struct table_desc *table, uint32_t bits);
// The same, where privileges of single columns will do: used[i] has the bits that column i is used for. Of a bit that no
// column is used for, one column's is enough.
CHECKED struct status privilege_check_columns(struct task *task, struct session *session,
    const struct table_desc *table, uint32_t bits, const uint32_t *used);
#define PRIVILEGES_OF_COLUMNS \
    (PRIVILEGE_SELECT | PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_REFERENCES)
CHECKED struct status privilege_check_schema(
    struct task *task, struct session *session, const struct schema_desc *schema, uint32_t bits);
CHECKED struct status privilege_check_database(struct task *task, struct session *session,
    const struct database_desc *database, uint32_t bits);
// "must be owner of table t".
CHECKED struct status privilege_check_owner(struct task *task, struct session *session,
    const char *owner, enum object_kind kind, const char *name);
// "only superusers ...": `what` completes "permission denied to ".
CHECKED struct status privilege_check_superuser(
    struct task *task, struct session *session, const char *what);

// Whether `role` holds all of `bits`, for has_table_privilege and lists.
CHECKED struct status privilege_role_has(struct task *task, struct session *session,
    const char *role, const char *owner, const struct privilege_grant *grants, uint32_t grant_count,
    uint32_t bits, bool *has);

// System privileges, by name in upper case: "MANAGEVIRTUALCLUSTER", "REPLICATION", "MODIFYCLUSTERSETTING"...
// 42501 "user u does not have X system privilege".
CHECKED struct status privilege_check_system(
    struct task *task, struct session *session, const char *privilege);
CHECKED struct status privilege_has_system(
    struct task *task, struct session *session, const char *role, const char *privilege, bool *has);
// All known names, NULL-terminated.
const char *const *privilege_system_names(void);

// GRANT, REVOKE and their family: registered by ddl_register.
struct statement_context;
CHECKED struct status privilege_grant_execute(struct statement_context *context);
CHECKED struct status privilege_grant_system_execute(struct statement_context *context);
CHECKED struct status privilege_default_execute(struct statement_context *context);
// What a new object of `owner` comes with.
CHECKED struct status privilege_default_grants(struct statement_context *context,
    enum object_kind kind, uint32_t database_id, uint32_t schema_id, const char *owner,
    struct privilege_grant **grants, uint32_t *count);
// The same for a function or type, whose descriptor is to be filled.
CHECKED struct status privilege_default_of_everybody(
    struct statement_context *context, enum object_kind kind, struct table_desc *object);
CHECKED struct status privilege_owned_execute(struct statement_context *context);
