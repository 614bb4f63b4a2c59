// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/user/role.h"

#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/shard.h"
#include "sql/service/announce.h"
#include "sql/parse/ast.h"
#include "sql/catalog/catalog_store.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/session/internal.h"
#include "sql/user/privilege.h"
#include "sql/user/role_predefined.h"
#include "sql/session/session.h"
#include "sql/session/session_role.h"

struct role_setting {
    const char *database, *role, *text; // "" for any; "name=value".
};

// All of a tenant's roles, as read at one time. Counted: a reader keeps its own while it suspends.
struct role_set {
    struct arena arena;
    uint32_t references;
    struct role *roles;
    uint32_t role_count;
    struct role_membership *memberships;
    uint32_t membership_count;
    struct role_system_grant *grants;
    uint32_t grant_count;
    struct role_setting *settings;
    uint32_t setting_count;
};

// A tenant's place in the shard's map.
struct role_cache {
    uint64_t epoch; // Grows with each announcement.
    struct role_set *set;
};

static void set_release(struct role_set *set)
{
    if (set == NULL || --set->references > 0) return;
    arena_fini(&set->arena);
    free(set);
}

static struct role_cache *cache_of(struct shard *shard, uint64_t tenant)
{
    struct hashmap *caches = catalog_role_caches(shard);
    struct role_cache *cache = hashmap_get_u64(caches, tenant);
    if (cache == NULL) {
        cache = calloc(1, sizeof *cache);
        invariant(cache != NULL);
        hashmap_put_u64(caches, tenant, cache);
    }
    return cache;
}

void role_caches_fini(struct shard *shard)
{
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    while ((each = hashmap_next(catalog_role_caches(shard), &cursor)) != NULL) {
        struct role_cache *cache = each->value;
        set_release(cache->set);
        free(cache);
    }
}

void role_forget(struct shard *shard, uint64_t tenant)
{
    struct role_cache *cache = cache_of(shard, tenant);
    cache->epoch++;
    set_release(cache->set);
    cache->set = NULL;
}

// --- reading ---------------------------------------------------------------------------------------

static const char *text_of(struct arena *arena, struct datum value)
{
    return value.null ? NULL : arena_string(arena, datum_as_bytes(value));
}

static bool flag_of(struct datum value)
{
    return !value.null && value.boolean;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct role *)a)->name, ((const struct role *)b)->name);
}

static struct status read_users(
    struct task *task, uint64_t tenant, struct session *session, struct role_set *set)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    TRY(internal_query(task, tenant, session, &set->arena, &result,
        "SELECT user_id, username, verifier, login, create_role, create_db, inherit, replication, "
        "bypass_rls, is_role, connection_limit, valid_until FROM system.public.users "
        "ORDER BY username",
        0, NULL, NULL));
    set->roles = ARENA_ARRAY(&set->arena, struct role, result.row_count + ROLES_PREDEFINED);
    for (uint32_t i = 0; i < result.row_count; i++) {
        struct role *role = &set->roles[i];
        role->id = (uint32_t)internal_value(&result, i, 0).integer;
        role->name = text_of(&set->arena, internal_value(&result, i, 1));
        role->verifier = text_of(&set->arena, internal_value(&result, i, 2));
        role->login = flag_of(internal_value(&result, i, 3));
        role->create_role = flag_of(internal_value(&result, i, 4));
        role->create_db = flag_of(internal_value(&result, i, 5));
        role->inherit = flag_of(internal_value(&result, i, 6));
        role->replication = flag_of(internal_value(&result, i, 7));
        role->bypass_rls = flag_of(internal_value(&result, i, 8));
        role->is_role = flag_of(internal_value(&result, i, 9));
        struct datum limit = internal_value(&result, i, 10);
        role->connection_limit = limit.null ? -1 : (int32_t)limit.integer;
        struct datum until = internal_value(&result, i, 11);
        role->has_valid_until = !until.null;
        if (!until.null) role->valid_until_us = until.integer;
    }
    set->role_count = (uint32_t)result.row_count;
    for (uint32_t i = 0; i < ROLES_PREDEFINED; i++)
        set->roles[set->role_count++] = (struct role){.id = roles_predefined[i].id,
            .name = roles_predefined[i].name,
            .inherit = true,
            .is_role = true,
            .connection_limit = -1};
    qsort(set->roles, set->role_count, sizeof *set->roles, by_name);
out:
    return st;
}

static struct status read_rest(
    struct task *task, uint64_t tenant, struct session *session, struct role_set *set)
{
    struct status st = STATUS_OK;
    struct arena *arena = &set->arena;
    struct internal_result result;

    TRY(internal_query(task, tenant, session, arena, &result,
        "SELECT role, member, is_admin FROM system.public.role_members ORDER BY role, member", 0,
        NULL, NULL));
    set->membership_count = (uint32_t)result.row_count;
    set->memberships =
        ARENA_ARRAY(arena, struct role_membership, result.row_count + 2 * ROLES_PREDEFINED);
    for (uint32_t i = 0; i < set->membership_count; i++)
        set->memberships[i] =
            (struct role_membership){.role = text_of(arena, internal_value(&result, i, 0)),
                .member = text_of(arena, internal_value(&result, i, 1)),
                .admin_option = flag_of(internal_value(&result, i, 2))};
    for (uint32_t i = 0; i < ROLES_PREDEFINED; i++) {
        const struct role_predefined *each = &roles_predefined[i];
        for (uint32_t k = 0; k < 2 && each->member_of[k] != NULL; k++)
            set->memberships[set->membership_count++] =
                (struct role_membership){.role = each->member_of[k], .member = each->name};
    }
    TRY(internal_query(task, tenant, session, arena, &result,
        "SELECT grantee, privilege, grantable FROM system.public.privileges "
        "ORDER BY grantee, privilege",
        0, NULL, NULL));
    set->grant_count = (uint32_t)result.row_count;
    set->grants = ARENA_ARRAY(arena, struct role_system_grant, result.row_count);
    for (uint32_t i = 0; i < set->grant_count; i++)
        set->grants[i] =
            (struct role_system_grant){.grantee = text_of(arena, internal_value(&result, i, 0)),
                .privilege = text_of(arena, internal_value(&result, i, 1)),
                .grantable = flag_of(internal_value(&result, i, 2))};
    TRY(internal_query(task, tenant, session, arena, &result,
        "SELECT database_name, role, name, value FROM system.public.role_settings "
        "ORDER BY database_name, role, name",
        0, NULL, NULL));
    set->setting_count = (uint32_t)result.row_count;
    set->settings = ARENA_ARRAY(arena, struct role_setting, result.row_count);
    for (uint32_t i = 0; i < set->setting_count; i++)
        set->settings[i] =
            (struct role_setting){.database = text_of(arena, internal_value(&result, i, 0)),
                .role = text_of(arena, internal_value(&result, i, 1)),
                .text = arena_printf(arena, "%s=%s", text_of(arena, internal_value(&result, i, 2)),
                    text_of(arena, internal_value(&result, i, 3)))};
out:
    return st;
}

static bool is_member(const struct role_set *set, const char *member, const char *role, int depth)
{
    if (strcmp(member, role) == 0) return true;
    if (depth > 32) return false; // Cycles are refused when they are made.
    for (uint32_t i = 0; i < set->membership_count; i++) {
        if (strcmp(set->memberships[i].member, member) == 0 &&
            is_member(set, set->memberships[i].role, role, depth + 1))
            return true;
    }
    return false;
}

// The set as the session's transaction sees it, or as committed. Released by the caller.
static struct status set_acquire(
    struct task *task, uint64_t tenant, struct session *session, struct role_set **out)
{
    struct status st = STATUS_OK;
    struct role_cache *cache = cache_of(task->shard, tenant);
    bool own = session != NULL && session->ddl != NULL && session->ddl->roles_changed;
    uint64_t epoch = cache->epoch;
    struct role_set *set;

    // Announcements may have been missed: nothing cached is used.
    bool lapsed = cluster_epoch(task->shard) == 0;
    if (!own && !lapsed && cache->set != NULL) {
        cache->set->references++;
        *out = cache->set;
        return STATUS_OK;
    }
    *out = NULL;
    set = calloc(1, sizeof *set);
    if (set == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    set->references = 1;
    arena_init(&set->arena, &task->shard->account);
    TRY(read_users(task, tenant, own ? session : NULL, set));
    TRY(read_rest(task, tenant, own ? session : NULL, set));
    for (uint32_t i = 0; i < set->role_count; i++)
        set->roles[i].superuser = is_member(set, set->roles[i].name, ROLE_ADMIN, 0);
    cache = cache_of(task->shard, tenant);
    if (!own && !lapsed && cache->epoch == epoch && cache->set == NULL) {
        cache->set = set;
        set->references++;
    }
    *out = set;
    set = NULL;
out:
    if (set != NULL) {
        st = status_copy(task->arena, st);
        set_release(set);
    }
    return st;
}

static const struct role *find(const struct role_set *set, const char *name)
{
    for (uint32_t i = 0; i < set->role_count; i++) {
        if (strcmp(set->roles[i].name, name) == 0) return &set->roles[i];
    }
    return NULL;
}

static struct role *copy_role(
    struct arena *arena, const struct role_set *set, const struct role *from, const char *database)
{
    struct role *role = ARENA_NEW(arena, struct role);
    *role = *from;
    role->name = arena_strdup(arena, from->name);
    if (from->verifier != NULL) role->verifier = arena_strdup(arena, from->verifier);
    // From the general to the particular, so that the later ones win.
    const char **settings = ARENA_ARRAY(arena, const char *, set->setting_count + 1);
    uint32_t count = 0;
    for (int pass = 0; pass < 4; pass++) {
        for (uint32_t i = 0; i < set->setting_count; i++) {
            const struct role_setting *setting = &set->settings[i];
            bool any_database = setting->database[0] == 0, any_role = setting->role[0] == 0;
            int rank = any_database ? (any_role ? 0 : 2) : (any_role ? 1 : 3);
            if (rank != pass) continue;
            if (!any_role && strcmp(setting->role, from->name) != 0) continue;
            if (!any_database && (database == NULL || strcmp(setting->database, database) != 0))
                continue;
            settings[count++] = arena_strdup(arena, setting->text);
        }
    }
    role->settings = settings;
    return role;
}

struct status role_find(struct task *task, uint64_t tenant, struct arena *arena, const char *name,
    const char *database, struct role **role)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;

    *role = NULL;
    TRY(set_acquire(task, tenant, NULL, &set));
    const struct role *found = find(set, name);
    if (found != NULL) *role = copy_role(arena, set, found, database);
out:
    set_release(set);
    return st;
}

struct status role_exists(
    struct task *task, struct session *session, const char *name, bool *exists)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    TRY(set_acquire(task, session->tenant, session, &set));
    *exists = find(set, name) != NULL;
out:
    set_release(set);
    return st;
}

struct status role_is_member(struct task *task, struct session *session, const char *member,
    const char *role, bool *member_of)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    *member_of = strcmp(member, role) == 0;
    if (*member_of) return STATUS_OK;
    // Who owns the database is the one member of pg_database_owner.
    if (strcmp(role, ROLE_DATABASE_OWNER) == 0) {
        const struct database_desc *database;
        if (session->database == NULL) return STATUS_OK;
        st = catalog_database(task, session, NULL, false, &database);
        if (status_is(st, E_INVALID_CATALOG_NAME)) return STATUS_OK; // Dropped meanwhile.
        if (failed(st)) goto out;
        role = arena_strdup(task->arena, database->owner);
    }
    TRY(set_acquire(task, session->tenant, session, &set));
    *member_of = is_member(set, member, role, 0);
out:
    set_release(set);
    return st;
}

struct status role_is_admin(struct task *task, uint64_t tenant, const char *name, bool *is_admin)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    TRY(set_acquire(task, tenant, NULL, &set));
    *is_admin = is_member(set, name, ROLE_ADMIN, 0);
out:
    set_release(set);
    return st;
}

struct status role_resolve(struct task *task, struct session *session,
    const struct role_name *written, bool public_allowed, const char **name)
{
    struct status st = STATUS_OK;
    bool exists;

    switch (written->kind) {
    case ROLE_CURRENT: *name = session->user; return STATUS_OK;
    case ROLE_SESSION: *name = session->session_user; return STATUS_OK;
    case ROLE_PUBLIC: *name = ROLE_PUBLIC_NAME; break;
    case ROLE_NAMED: *name = written->name; break;
    }
    if (strcmp(*name, ROLE_PUBLIC_NAME) == 0) {
        if (public_allowed) return STATUS_OK;
        return status_format(task->arena, E_UNDEFINED_OBJECT, "role \"%s\" does not exist", *name);
    }
    TRY(role_exists(task, session, *name, &exists));
    if (!exists)
        st = status_format(task->arena, E_UNDEFINED_OBJECT, "role \"%s\" does not exist", *name);
out:
    return st;
}

struct status role_list(struct task *task, struct session *session, struct arena *arena,
    struct role ***roles, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    TRY(set_acquire(task, session->tenant, session, &set));
    *roles = ARENA_ARRAY(arena, struct role *, set->role_count);
    *count = set->role_count;
    for (uint32_t i = 0; i < set->role_count; i++)
        (*roles)[i] = copy_role(arena, set, &set->roles[i], NULL);
out:
    set_release(set);
    return st;
}

struct status role_memberships(struct task *task, struct session *session, struct arena *arena,
    struct role_membership **memberships, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    TRY(set_acquire(task, session->tenant, session, &set));
    *memberships = ARENA_ARRAY(arena, struct role_membership, set->membership_count);
    *count = set->membership_count;
    for (uint32_t i = 0; i < set->membership_count; i++)
        (*memberships)[i] =
            (struct role_membership){.role = arena_strdup(arena, set->memberships[i].role),
                .member = arena_strdup(arena, set->memberships[i].member),
                .admin_option = set->memberships[i].admin_option};
out:
    set_release(set);
    return st;
}

struct status role_system_grants(struct task *task, struct session *session, struct arena *arena,
    struct role_system_grant **grants, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    TRY(set_acquire(task, session->tenant, session, &set));
    *grants = ARENA_ARRAY(arena, struct role_system_grant, set->grant_count);
    *count = set->grant_count;
    for (uint32_t i = 0; i < set->grant_count; i++)
        (*grants)[i] =
            (struct role_system_grant){.grantee = arena_strdup(arena, set->grants[i].grantee),
                .privilege = arena_strdup(arena, set->grants[i].privilege),
                .grantable = set->grants[i].grantable};
out:
    set_release(set);
    return st;
}

struct status role_id(struct task *task, struct session *session, const char *name, uint32_t *id)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;
    *id = 0;
    if (strcmp(name, ROLE_PUBLIC_NAME) == 0) return STATUS_OK;
    TRY(set_acquire(task, session->tenant, session, &set));
    const struct role *role = find(set, name);
    if (role != NULL)
        *id = role->id;
    else
        st = status_format(task->arena, E_UNDEFINED_OBJECT, "role \"%s\" does not exist", name);
out:
    set_release(set);
    return st;
}

// --- system privileges -------------------------------------------------------------------------------

struct status privilege_has_system(
    struct task *task, struct session *session, const char *role, const char *privilege, bool *has)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;

    *has = false;
    TRY(set_acquire(task, session->tenant, session, &set));
    *has = is_member(set, role, ROLE_ADMIN, 0);
    for (uint32_t i = 0; i < set->grant_count && !*has; i++) {
        const struct role_system_grant *grant = &set->grants[i];
        if (strcmp(grant->privilege, privilege) != 0 && strcmp(grant->privilege, "ALL") != 0)
            continue;
        *has = strcmp(grant->grantee, ROLE_PUBLIC_NAME) == 0 ||
               is_member(set, role, grant->grantee, 0);
    }
    const char *stands = role_of_system_privilege(privilege);
    if (!*has && stands != NULL) *has = is_member(set, role, stands, 0);
    if (!*has && strcmp(privilege, "REPLICATION") == 0) {
        const struct role *found = find(set, role);
        *has = found != NULL && found->replication;
    }
out:
    set_release(set);
    return st;
}

struct status privilege_check_system(
    struct task *task, struct session *session, const char *privilege)
{
    bool has;
    if (session->internal || session->superuser) return STATUS_OK;
    struct status st = privilege_has_system(task, session, session->user, privilege, &has);
    if (failed(st) || has) return st;
    return status_format(task->arena, E_INSUFFICIENT_PRIVILEGE,
        "user %s does not have %s system privilege", session->user, privilege);
}

// --- announcing --------------------------------------------------------------------------------------

static bool is_admin(void *set, const char *name)
{
    return is_member(set, name, ROLE_ADMIN, 0);
}

static struct status announce_here(struct task *task, uint64_t tenant)
{
    struct status st = STATUS_OK;
    struct role_set *set = NULL;

    role_forget(task->shard, tenant);
    TRY(set_acquire(task, tenant, NULL, &set));
    for (struct session *session = session_first(task->shard); session != NULL;
         session = session_next(session)) {
        if (session->tenant != tenant || session->internal) continue;
        session_roles_renew(session, is_admin, set);
    }
out:
    set_release(set);
    return st;
}

static struct status role_heard(struct task *task, struct bytes body)
{
    uint64_t tenant;
    if (!announced_u64(body, &tenant)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    if (task->shard->slots[SHARD_SLOT_CATALOG] == NULL) return STATUS_OK;
    return announce_here(task, tenant);
}

static void role_reset(struct shard *shard)
{
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    if (shard->slots[SHARD_SLOT_CATALOG] == NULL) return;
    while ((each = hashmap_next(catalog_role_caches(shard), &cursor)) != NULL) {
        struct role_cache *cache = each->value;
        cache->epoch++;
        set_release(cache->set);
        cache->set = NULL;
    }
}

static const struct cluster_announcement announcement = {
    .id = ANNOUNCE_ROLES, .name = "a change of roles", .heard = role_heard, .reset = role_reset};

void role_announcements_register(void)
{
    cluster_announcement_register(&announcement);
}

struct status role_announce(struct task *task, uint64_t tenant)
{
    return announce_u64(task, ANNOUNCE_ROLES, tenant);
}
