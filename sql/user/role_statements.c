// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER and DROP ROLE; GRANT role; ALTER ROLE ... SET.

#include "core/env.h"
#include "core/shard.h"
#include "sql/wire/auth.h"
#include "sql/parse/deparse.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/ddl_setting.h"
#include "sql/session/internal.h"
#include "sql/user/role.h"
#include "sql/user/role_dependents.h"
#include "sql/user/role_predefined.h"
#include "sql/service/settings.h"
#include "sql/session/vars.h"

// Runs one statement on a system table in the session's transaction.
static struct status run(struct statement_context *context, struct internal_result *result,
    const char *sql, uint32_t count, const struct datum *params, const type_oid *types)
{
    return internal_query(context->task, context->session->tenant, context->session, context->arena,
        result, sql, count, params, types);
}

#define TEXTS ((const type_oid[]){TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT})

static struct status changed(struct statement_context *context)
{
    ddl_state(context->session)->roles_changed = true;
    return STATUS_OK;
}

struct status role_check_may_manage(struct statement_context *context, const char *what)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct role *role;
    bool has;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_find(context->task, session->tenant, context->arena, session->user, NULL, &role));
    if (role != NULL && role->create_role) goto out;
    TRY(privilege_has_system(context->task, session, session->user, "CREATEROLE", &has));
    if (!has) st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied to %s", what);
out:
    return st;
}

struct status role_check_name(struct statement_context *context, const char *name)
{
    if (strcmp(name, ROLE_PUBLIC_NAME) == 0 || strcmp(name, "none") == 0)
        return ddl_error(context, E_RESERVED_NAME, "role name \"%s\" is reserved", name);
    if (role_name_is_reserved(name)) {
        struct status st =
            ddl_error(context, E_RESERVED_NAME, "role name \"%s\" is reserved", name);
        return status_detail(context->arena, st, "Role names starting with \"pg_\" are reserved.");
    }
    return STATUS_OK;
}

static struct status check_alterable(struct statement_context *context, const struct role_name *role)
{
    if (role->kind != ROLE_NAMED || !role_name_is_reserved(role->name)) return STATUS_OK;
    struct status st =
        ddl_error(context, E_RESERVED_NAME, "role name \"%s\" is reserved", role->name);
    return status_detail(context->arena, st, "Cannot alter reserved roles.");
}

// --- passwords ---------------------------------------------------------------------------------------

struct verifier_call {
    struct arena arena; // The helper thread's own while it runs.
    const char *password;
    uint8_t salt[16];
    const char *verifier;
};

static void make_verifier(void *arg)
{
    struct verifier_call *call = arg;
    call->verifier = scram_verifier_make(&call->arena, call->password, call->salt);
}

static struct status password_verifier(
    struct statement_context *context, const char *password, const char **verifier)
{
    struct status st = STATUS_OK;
    struct shard *shard = context->session->shard;

    if (scram_verifier_valid(password)) {
        *verifier = password;
        return STATUS_OK;
    }
    if (strncmp(password, "md5", 3) == 0 && strlen(password) == 35)
        return ddl_unsupported(context, "an MD5 password hash");
    int64_t minimum =
        settings_int(shard, context->session->tenant, "server.user_login.min_password_length");
    if ((int64_t)strlen(password) < minimum)
        return ddl_error(context, E_INVALID_PASSWORD, "password too short");
    struct verifier_call call = {.password = password};
    arena_init(&call.arena, NULL);
    shard->env->random_bytes(shard->env, call.salt, sizeof call.salt);
    TRY(helper_call(context->task, make_verifier, &call));
    *verifier = arena_strdup(context->arena, call.verifier);
out:
    arena_fini(&call.arena);
    return st;
}

// --- options -----------------------------------------------------------------------------------------

struct role_options {
    bool has_password;
    const char *verifier;
    bool has_valid_until;
    struct datum valid_until;
    bool has_limit;
    int64_t limit;
    int superuser; // -1: not mentioned.
    struct {
        const char *option, *column;
        int value; // -1: not mentioned.
    } flags[6];
};

static const struct expr *unwrapped(const struct expr *expr)
{
    while (expr != NULL && expr->kind == EXPR_CAST)
        expr = expr->cast.arg;
    return expr;
}

static bool is_null_literal(const struct expr *expr)
{
    expr = unwrapped(expr);
    return expr == NULL || (expr->kind == EXPR_LITERAL && expr->literal.kind == LITERAL_NULL);
}

static struct status text_option(
    struct statement_context *context, const struct option *option, const char **text)
{
    struct datum value;
    *text = NULL;
    if (is_null_literal(option->value)) return STATUS_OK;
    struct status st = statement_constant(context, option->value, TYPE_OF(TYPE_TEXT), &value);
    if (!failed(st) && !value.null) *text = arena_string(context->arena, datum_as_bytes(value));
    return st;
}

static struct status role_option(
    struct statement_context *context, const struct option *option, struct role_options *out)
{
    struct status st = STATUS_OK;
    const char *text;
    bool flag = option->value == NULL || option->value->kind != EXPR_LITERAL ||
                option->value->literal.kind != LITERAL_BOOL || option->value->literal.boolean;

    for (size_t i = 0; i < sizeof out->flags / sizeof out->flags[0]; i++) {
        if (strcmp(option->name, out->flags[i].option) != 0) continue;
        out->flags[i].value = flag;
        return STATUS_OK;
    }
    if (strcmp(option->name, "superuser") == 0) {
        out->superuser = flag;
    } else if (strcmp(option->name, "password") == 0) {
        TRY(text_option(context, option, &text));
        out->has_password = true;
        out->verifier = NULL;
        if (text != NULL && text[0] == 0)
            ddl_notice(context, "empty string is not a valid password, clearing password");
        else if (text != NULL)
            TRY(password_verifier(context, text, &out->verifier));
    } else if (strcmp(option->name, "valid until") == 0) {
        out->has_valid_until = true;
        out->valid_until = DATUM_NULL;
        if (!is_null_literal(option->value))
            TRY(statement_constant(
                context, option->value, TYPE_OF(TYPE_TIMESTAMPTZ), &out->valid_until));
    } else if (strcmp(option->name, "connection limit") == 0) {
        struct datum value;
        TRY(statement_constant(context, option->value, TYPE_OF(TYPE_INT4), &value));
        out->has_limit = true;
        out->limit = value.null ? -1 : value.integer;
        if (out->limit < -1)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE, "invalid connection limit: %lld",
                (long long)out->limit);
    } else if (strcmp(option->name, "in role") != 0 && strcmp(option->name, "role") != 0 &&
               strcmp(option->name, "admin") != 0 && strcmp(option->name, "user") != 0) {
        return ddl_error(
            context, E_FEATURE_NOT_SUPPORTED, "role option \"%s\" is not supported", option->name);
    }
out:
    return st;
}

static struct status read_options(
    struct statement_context *context, const struct option_list *list, struct role_options *out)
{
    static const char *const names[6][2] = {{"login", "login"}, {"createrole", "create_role"},
        {"createdb", "create_db"}, {"inherit", "inherit"}, {"replication", "replication"},
        {"bypassrls", "bypass_rls"}};
    struct status st = STATUS_OK;
    *out = (struct role_options){.superuser = -1};
    for (size_t i = 0; i < 6; i++) {
        out->flags[i].option = names[i][0];
        out->flags[i].column = names[i][1];
        out->flags[i].value = -1;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(list->items[i].name, list->items[k].name) == 0)
                return ddl_error(context, E_SYNTAX_ERROR, "conflicting or redundant options");
        TRY(role_option(context, &list->items[i], out));
    }
    if (out->superuser >= 0 || out->flags[4].value >= 0 || out->flags[5].value >= 0)
        TRY(privilege_check_superuser(
            context->task, context->session, "set SUPERUSER, REPLICATION or BYPASSRLS"));
out:
    return st;
}

static struct status write_options(
    struct statement_context *context, const char *name, const struct role_options *options)
{
    struct status st = STATUS_OK;
    // The columns come from the table above, never from the client.
    for (size_t i = 0; i < sizeof options->flags / sizeof options->flags[0]; i++) {
        if (options->flags[i].value < 0) continue;
        struct datum params[] = {datum_text(name), datum_bool(options->flags[i].value != 0)};
        TRY(run(context, NULL,
            arena_printf(context->arena,
                "UPDATE system.public.users SET %s = $2 WHERE username = $1",
                options->flags[i].column),
            2, params, (const type_oid[]){TYPE_TEXT, TYPE_BOOL}));
    }
    if (options->has_password) {
        struct datum params[] = {datum_text(name),
            options->verifier == NULL ? DATUM_NULL : datum_text(options->verifier)};
        TRY(run(context, NULL, "UPDATE system.public.users SET verifier = $2 WHERE username = $1",
            2, params, TEXTS));
    }
    if (options->has_valid_until) {
        struct datum params[] = {datum_text(name), options->valid_until};
        TRY(run(context, NULL,
            "UPDATE system.public.users SET valid_until = $2 WHERE username = $1", 2, params,
            (const type_oid[]){TYPE_TEXT, TYPE_TIMESTAMPTZ}));
    }
    if (options->has_limit) {
        struct datum params[] = {datum_text(name), datum_int(options->limit)};
        TRY(run(context, NULL,
            "UPDATE system.public.users SET connection_limit = $2 WHERE username = $1", 2, params,
            (const type_oid[]){TYPE_TEXT, TYPE_INT4}));
    }
out:
    return st;
}

// --- memberships ---------------------------------------------------------------------------------------

// Of predefined roles in others of them: they are as they are.
static bool is_membership_by_nature(const char *role, const char *member)
{
    for (uint32_t i = 0; i < ROLES_PREDEFINED; i++) {
        const struct role_predefined *each = &roles_predefined[i];
        for (uint32_t k = 0; k < 2 && each->member_of[k] != NULL; k++)
            if (strcmp(each->name, member) == 0 && strcmp(each->member_of[k], role) == 0) return true;
    }
    return false;
}

// Whether the one is a member of the other, and may make others members, by GRANT.
static struct status membership_of(
    struct statement_context *context, const char *role, const char *member, bool *is, bool *admin)
{
    struct role_membership *memberships;
    uint32_t count;
    *is = *admin = false;
    struct status st = role_memberships(context->task, context->session, context->arena, &memberships, &count);
    for (uint32_t i = 0; !failed(st) && i < count; i++) {
        if (strcmp(memberships[i].role, role) != 0 || strcmp(memberships[i].member, member) != 0) continue;
        *is = true;
        *admin = memberships[i].admin_option;
    }
    return st;
}

static struct status add_member(
    struct statement_context *context, const char *role, const char *member, bool admin)
{
    struct status st = STATUS_OK;
    bool circular, is, has_admin;
    if (strcmp(role, ROLE_DATABASE_OWNER) == 0)
        return ddl_error(context, E_INTERNAL, "role \"%s\" cannot have explicit members", role);
    if (strcmp(member, ROLE_DATABASE_OWNER) == 0)
        return ddl_error(
            context, E_INTERNAL, "role \"%s\" cannot be a member of any role", member);
    if (is_membership_by_nature(role, member)) {
        if (admin)
            return ddl_unsupported(context, "WITH ADMIN OPTION of one predefined role for another that it has");
        ddl_notice(context, "role \"%s\" is already a member of role \"%s\"", member, role);
        return STATUS_OK;
    }
    TRY(role_is_member(context->task, context->session, role, member, &circular));
    if (circular)
        return ddl_error(context, SQLSTATE('0', 'L', 'P', '0', '1'),
            "role \"%s\" is a member of role \"%s\"", role, member);
    TRY(membership_of(context, role, member, &is, &has_admin));
    if (is && (has_admin || !admin)) {
        ddl_notice(context, "role \"%s\" is already a member of role \"%s\"", member, role);
        return STATUS_OK;
    }
    struct datum params[] = {datum_text(role), datum_text(member), datum_bool(admin)};
    const type_oid types[] = {TYPE_TEXT, TYPE_TEXT, TYPE_BOOL};
    TRY(run(context, NULL,
        "INSERT INTO system.public.role_members (role, member, is_admin) VALUES ($1, $2, $3) "
        "ON CONFLICT (role, member) DO UPDATE SET is_admin = excluded.is_admin OR "
        "role_members.is_admin",
        3, params, types));
    TRY(changed(context));
out:
    return st;
}

static struct status remove_member(
    struct statement_context *context, const char *role, const char *member, bool admin_option_only)
{
    struct datum params[] = {datum_text(role), datum_text(member)};
    if (is_membership_by_nature(role, member))
        return ddl_unsupported(context, "REVOKE of a predefined role from a predefined role that has it");
    bool is, has_admin;
    struct status st = membership_of(context, role, member, &is, &has_admin);
    if (!failed(st) && !is)
        session_notice(context->session, "WARNING",
            status_format(context->arena, SQLSTATE('0', '1', '0', '0', '0'), "role \"%s\" is not a member of role \"%s\"", member, role));
    if (failed(st) || !is) return st;
    st = run(context, NULL,
        admin_option_only ? "UPDATE system.public.role_members SET is_admin = false "
                            "WHERE role = $1 AND member = $2"
                          : "DELETE FROM system.public.role_members "
                            "WHERE role = $1 AND member = $2",
        2, params, TEXTS);
    return failed(st) ? st : changed(context);
}

static struct status check_may_grant(struct statement_context *context, const char *role)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct role_membership *memberships;
    uint32_t count;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_memberships(context->task, session, context->arena, &memberships, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool member;
        if (!memberships[i].admin_option || strcmp(memberships[i].role, role) != 0) continue;
        TRY(role_is_member(context->task, session, session->user, memberships[i].member, &member));
        if (member) goto out;
    }
    if (strcmp(role, ROLE_ADMIN) != 0 && !failed(role_check_may_manage(context, "grant roles")))
        goto out;
    st =
        ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "must have admin option on role \"%s\"", role);
out:
    return st;
}

struct status role_grant_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct grant_role *grant = context->statement->as.grant_role;

    for (uint32_t i = 0; i < grant->roles.count; i++) {
        const char *role = grant->roles.items[i];
        struct role_name written = {.kind = ROLE_NAMED, .name = role};
        TRY(role_resolve(context->task, context->session, &written, false, &role));
        TRY(check_may_grant(context, role));
        for (uint32_t k = 0; k < grant->grantees.count; k++) {
            const char *member;
            TRY(role_resolve(
                context->task, context->session, &grant->grantees.items[k], false, &member));
            if (!grant->revoke) {
                TRY(add_member(context, role, member, grant->admin_option));
                continue;
            }
            if (strcmp(role, ROLE_ADMIN) == 0 && strcmp(member, ROLE_ROOT) == 0)
                return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
                    "user root cannot be removed from role admin");
            TRY(remove_member(context, role, member, grant->admin_option));
        }
    }
out:
    return st;
}

// --- CREATE, ALTER, DROP -------------------------------------------------------------------------------

static struct status option_memberships(
    struct statement_context *context, const struct role_statement *statement, const char *name)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < statement->options.count; i++) {
        const struct option *option = &statement->options.items[i];
        bool in_role = strcmp(option->name, "in role") == 0;
        bool admin = strcmp(option->name, "admin") == 0;
        if (!in_role && !admin && strcmp(option->name, "role") != 0 &&
            strcmp(option->name, "user") != 0)
            continue;
        if (option->value == NULL || option->value->kind != EXPR_ROW) continue;
        for (uint32_t k = 0; k < option->value->row.items.count; k++) {
            const struct expr *item = option->value->row.items.items[k];
            if (item->kind != EXPR_LITERAL) continue;
            struct role_name written = {
                .kind = ROLE_NAMED, .name = arena_string(context->arena, item->literal.text)};
            const char *other;
            TRY(role_resolve(context->task, context->session, &written, false, &other));
            if (in_role) TRY(check_may_grant(context, other));
            TRY(add_member(context, in_role ? other : name, in_role ? name : other, admin));
        }
    }
out:
    return st;
}

struct status role_create_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct role_statement *create = context->statement->as.role_statement;
    struct role_options options;
    bool exists;
    uint32_t id;
    const char *name = create->role.name;

    if (create->role.kind != ROLE_NAMED)
        return ddl_error(context, E_RESERVED_NAME, "this role name cannot be used here");
    TRY(role_check_may_manage(context, "create role"));
    TRY(role_check_name(context, name));
    TRY(role_exists(context->task, context->session, name, &exists));
    if (exists) {
        if (!create->if_not_exists)
            return ddl_error(context, E_DUPLICATE_OBJECT, "role \"%s\" already exists", name);
        ddl_notice(context, "role \"%s\" already exists, skipping", name);
        goto out;
    }
    TRY(read_options(context, &create->options, &options));
    do {
        TRY(catalog_new_id(context->task, context->session->tenant, &id));
    } while (role_id_is_predefined(id)); // Whose oids are PostgreSQL's.
    struct datum params[] = {
        datum_text(name), datum_int(id), datum_bool(!create->is_user), datum_bool(create->is_user)};
    const type_oid types[] = {TYPE_TEXT, TYPE_INT8, TYPE_BOOL, TYPE_BOOL};
    TRY(run(context, NULL,
        "INSERT INTO system.public.users (username, user_id, is_role, login, create_role, "
        "create_db, inherit, replication, bypass_rls, connection_limit) "
        "VALUES ($1, $2, $3, $4, false, false, true, false, false, -1)",
        4, params, types));
    TRY(changed(context));
    TRY(write_options(context, name, &options));
    if (options.superuser == 1) TRY(add_member(context, ROLE_ADMIN, name, false));
    TRY(option_memberships(context, create, name));
out:
    return st;
}

struct status role_alter_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct role_statement *alter = context->statement->as.role_statement;
    struct role_options options;
    const char *name;

    TRY(check_alterable(context, &alter->role));
    if (alter->if_not_exists && alter->role.kind == ROLE_NAMED) {
        bool exists;
        TRY(role_exists(context->task, context->session, alter->role.name, &exists));
        if (!exists) {
            ddl_notice(context, "role \"%s\" does not exist, skipping", alter->role.name);
            goto out;
        }
    }
    TRY(role_resolve(context->task, context->session, &alter->role, false, &name));
    bool only_own_password = strcmp(name, context->session->user) == 0 &&
                             alter->options.count == 1 &&
                             strcmp(alter->options.items[0].name, "password") == 0;
    if (!only_own_password) TRY(role_check_may_manage(context, "alter role"));
    bool target_is_admin;
    TRY(role_is_member(context->task, context->session, name, ROLE_ADMIN, &target_is_admin));
    if (target_is_admin && !only_own_password)
        TRY(privilege_check_superuser(context->task, context->session, "alter superuser roles"));
    TRY(read_options(context, &alter->options, &options));
    TRY(changed(context));
    TRY(write_options(context, name, &options));
    if (options.superuser == 1) TRY(add_member(context, ROLE_ADMIN, name, false));
    if (options.superuser == 0) {
        if (strcmp(name, ROLE_ROOT) == 0)
            return ddl_error(
                context, E_INSUFFICIENT_PRIVILEGE, "user root cannot be removed from role admin");
        TRY(remove_member(context, ROLE_ADMIN, name, false));
    }
    TRY(option_memberships(context, alter, name));
out:
    return st;
}

static struct status drop_role(struct statement_context *context, const char *name)
{
    struct status st = STATUS_OK;
    const char *detail;
    bool target_is_admin;

    if (strcmp(name, ROLE_ROOT) == 0 || strcmp(name, ROLE_ADMIN) == 0)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot drop role/user %s", name);
    if (role_name_is_reserved(name))
        return ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
            "cannot drop role %s because it is required by the database system", name);
    if (strcmp(name, context->session->user) == 0)
        return ddl_error(context, E_OBJECT_IN_USE, "current user cannot be dropped");
    TRY(role_is_member(context->task, context->session, name, ROLE_ADMIN, &target_is_admin));
    if (target_is_admin)
        TRY(privilege_check_superuser(context->task, context->session, "drop superuser roles"));
    TRY(role_dependents(context, name, &detail));
    if (detail != NULL) {
        st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
            "role \"%s\" cannot be dropped because some objects depend on it", name);
        return status_detail(context->arena, st, "%s", detail);
    }
    struct datum params[] = {datum_text(name)};
    TRY(run(
        context, NULL, "DELETE FROM system.public.role_members WHERE role = $1", 1, params, TEXTS));
    TRY(run(context, NULL, "DELETE FROM system.public.role_members WHERE member = $1", 1, params,
        TEXTS));
    TRY(run(context, NULL, "DELETE FROM system.public.privileges WHERE grantee = $1", 1, params,
        TEXTS));
    TRY(run(context, NULL, "DELETE FROM system.public.role_settings WHERE role = $1", 1, params,
        TEXTS));
    TRY(run(
        context, NULL, "DELETE FROM system.public.users WHERE username = $1", 1, params, TEXTS));
    TRY(changed(context));
out:
    return st;
}

struct status role_drop_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop_role *drop = context->statement->as.drop_role;

    TRY(role_check_may_manage(context, "drop role"));
    for (uint32_t i = 0; i < drop->roles.count; i++) {
        const char *name;
        if (drop->if_exists && drop->roles.items[i].kind == ROLE_NAMED) {
            bool exists;
            TRY(role_exists(context->task, context->session, drop->roles.items[i].name, &exists));
            if (!exists) {
                ddl_notice(
                    context, "role \"%s\" does not exist, skipping", drop->roles.items[i].name);
                continue;
            }
        }
        TRY(role_resolve(context->task, context->session, &drop->roles.items[i], false, &name));
        TRY(drop_role(context, name));
    }
out:
    return st;
}

// --- ALTER ROLE ... SET, ALTER DATABASE ... SET ------------------------------------------------------------

static struct status settings_target(struct statement_context *context,
    const struct alter_settings *alter, const char **database, const char **role)
{
    struct status st = STATUS_OK;
    const struct database_desc *found;

    *database = *role = "";
    if (alter->database != NULL) {
        TRY(catalog_database(context->task, context->session, alter->database, false, &found));
        *database = alter->database;
    }
    if (alter->has_role) {
        TRY(check_alterable(context, &alter->role));
        TRY(role_resolve(context->task, context->session, &alter->role, false, role));
        if (strcmp(*role, context->session->user) != 0)
            TRY(role_check_may_manage(context, "alter role"));
        bool target_is_admin;
        TRY(role_is_member(context->task, context->session, *role, ROLE_ADMIN, &target_is_admin));
        if (target_is_admin && strcmp(*role, context->session->user) != 0)
            TRY(privilege_check_superuser(
                context->task, context->session, "alter superuser roles"));
    } else if (alter->database != NULL && !alter->all_roles) {
        TRY(privilege_check_owner(
            context->task, context->session, found->owner, OBJECT_DATABASE, alter->database));
    } else {
        TRY(privilege_check_superuser(context->task, context->session, "alter all roles"));
    }
out:
    return st;
}

struct status role_settings_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_settings *alter = context->statement->as.alter_settings;
    const struct set_variable *set = alter->set;
    const char *database, *role, *text, *spelled = NULL;

    TRY(settings_target(context, alter, &database, &role));
    if (set->name != NULL) TRY(vars_check(context->session, context->arena, set->name, NULL, &spelled));
    struct datum params[] = {datum_text(database), datum_text(role),
        spelled == NULL ? DATUM_NULL : datum_text(spelled), DATUM_NULL};
    if (set->kind == SET_RESET_ALL) {
        TRY(run(context, NULL,
            "DELETE FROM system.public.role_settings WHERE database_name = $1 AND role = $2", 2,
            params, TEXTS));
        return changed(context);
    }
    if (vars_get(context->session, set->name) == NULL && strchr(set->name, '.') == NULL)
        return vars_unknown(context->arena, set->name);
    if (vars_is_for_admins(set->name) && !context->session->superuser)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"%s\"", set->name);
    if (set->kind == SET_RESET || set->kind == SET_DEFAULT) {
        TRY(run(context, NULL,
            "DELETE FROM system.public.role_settings WHERE database_name = $1 AND role = $2 AND "
            "name = $3",
            3, params, TEXTS));
        return changed(context);
    }
    TRY(ddl_setting_text(context, set, &text));
    TRY(vars_check(context->session, context->arena, set->name, text, &spelled));
    params[3] = datum_text(text);
    TRY(run(context, NULL,
        "INSERT INTO system.public.role_settings (database_name, role, name, value) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (database_name, role, name) "
        "DO UPDATE SET value = excluded.value",
        4, params, TEXTS));
    TRY(changed(context));
out:
    return st;
}
