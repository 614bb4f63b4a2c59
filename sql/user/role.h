// SPDX-License-Identifier: GPL-3.0-or-later
//
// Users and roles of one virtual cluster: who exists, who is a member of whom, who may log in with what.
// Rows of system.users and system.role_members; read through a per-shard cache that every change clears on
// all shards before the changing statement returns.
//
// Every virtual cluster has `root` (member of admin), `admin` (all privileges) and the pseudo-role `public`.
//
// Shard    Any. Suspends.
// Memory   Results are copied into the arena given, or valid until the next suspension.
// Errors   42704 role "x" does not exist; 42710 role "x" already exists; 42939 reserved names; 2BP01.
#pragma once
#include "core/arena.h"
#include "core/status.h"

struct session;
struct shard;
struct statement_context;
struct task;

#define ROLE_ROOT "root"
#define ROLE_ADMIN "admin"
#define ROLE_PUBLIC_NAME "public"

struct role {
    uint32_t id; // Its oid.
    const char *name;
    const char *verifier; // "SCRAM-SHA-256$...", NULL: no password.
    bool login, create_role, create_db, inherit, replication, bypass_rls,
        superuser;            // superuser: via admin.
    bool is_role;             // Made by CREATE ROLE.
    int32_t connection_limit; // -1: none.
    bool has_valid_until;
    int64_t valid_until_us;      // Since 2000-01-01.
    const char *const *settings; // "name=value", of ALTER ROLE ... SET; NULL-terminated.
};

// What a log-in needs to know. `*role` NULL with status ok when there is none. For pgwire, which has no
// session yet. `database` chooses among ALTER ROLE ... IN DATABASE settings; may be NULL.
CHECKED struct status role_find(struct task *task, uint64_t tenant, struct arena *arena,
    const char *name, const char *database, struct role **role);
CHECKED struct status role_exists(
    struct task *task, struct session *session, const char *name, bool *exists);
// Whether `member` is `role`, or a member of it through any number of steps.
CHECKED struct status role_is_member(struct task *task, struct session *session, const char *member,
    const char *role, bool *is_member);
// For session set-up, without a session.
CHECKED struct status role_is_admin(
    struct task *task, uint64_t tenant, const char *name, bool *is_admin);
// The name that a role in a statement means (CURRENT_USER...); 42704 when a named one does not exist.
struct role_name;
CHECKED struct status role_resolve(struct task *task, struct session *session,
    const struct role_name *written, bool public_allowed, const char **name);

// All roles in the order of names, for pg_roles and SHOW USERS.
CHECKED struct status role_list(struct task *task, struct session *session, struct arena *arena,
    struct role ***roles, uint32_t *count);
struct role_membership {
    const char *role, *member;
    bool admin_option;
};
CHECKED struct status role_memberships(struct task *task, struct session *session,
    struct arena *arena, struct role_membership **memberships, uint32_t *count);

// Stable oid of a role name: rows carry it; public is 0.
CHECKED struct status role_id(
    struct task *task, struct session *session, const char *name, uint32_t *id);

// Drops what the shards have cached of the tenant's roles. After the change is committed.
CHECKED struct status role_announce(struct task *task, uint64_t tenant);

// System privileges of a role itself or of public, without its memberships'.
struct role_system_grant {
    const char *grantee, *privilege;
    bool grantable;
};
CHECKED struct status role_system_grants(struct task *task, struct session *session,
    struct arena *arena, struct role_system_grant **grants, uint32_t *count);

void role_caches_fini(struct shard *shard);
void role_forget(struct shard *shard, uint64_t tenant); // This shard's cache of it.

// ALTER ROLE ... RENAME TO: whatever names the role names it anew. sql/user/role_rename.c
struct rename;
CHECKED struct status role_rename(
    struct statement_context *context, const struct rename *rename);
// What CREATE and ALTER ROLE ask of who does it, and of a new name.
CHECKED struct status role_check_may_manage(struct statement_context *context, const char *what);
CHECKED struct status role_check_name(struct statement_context *context, const char *name);

CHECKED struct status role_create_execute(struct statement_context *context);
CHECKED struct status role_alter_execute(struct statement_context *context);
CHECKED struct status role_drop_execute(struct statement_context *context);
CHECKED struct status role_grant_execute(struct statement_context *context);
CHECKED struct status role_settings_execute(struct statement_context *context);
