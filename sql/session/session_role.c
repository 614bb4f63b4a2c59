// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/cut_name.h"
#include "sql/session/session_role.h"

#include <string.h>
#include <strings.h>

#include "core/invariant.h"
#include "sql/user/role.h"

#define ROLE_VARIABLE "role"
#define AUTHORIZATION_VARIABLE "session_authorization"
#define NO_ROLE "none"

static struct session_role *known(const struct session *session, const char *name)
{
    for (struct session_role *role = session->roles; role != NULL; role = role->next)
        if (strcmp(role->name, name) == 0) return role;
    return NULL;
}

static struct session_role *learn(struct session *session, const char *name, bool superuser)
{
    struct session_role *role = known(session, name);
    if (role == NULL) {
        role = ARENA_NEW(&session->arena, struct session_role);
        role->name = arena_strdup(&session->arena, name);
        role->next = session->roles;
        session->roles = role;
    }
    role->superuser = superuser;
    return role;
}

static void act_as(struct session *session, const struct session_role *role)
{
    session->user = role->name;
    session->superuser = role->superuser;
    vars_refresh_search_path(session);
    vars_show_superuser(session);
}

void session_role_open(struct session *session, bool superuser)
{
    const struct session_role *role = learn(session, session->login_user, superuser);
    session->login_user = session->session_user = session->user = role->name;
    session->superuser = superuser;
}

// --- the variables -------------------------------------------------------------------------------------

static struct status check_known(struct session *session, struct arena *arena, const char *name)
{
    if (known(session, name) != NULL) return STATUS_OK;
    return status_format(
        arena, E_INVALID_PARAMETER_VALUE, "role \"%s\" does not exist", name);
}

struct status session_role_check(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    (void)canonical;
    return strcmp(value, NO_ROLE) == 0 ? STATUS_OK : check_known(session, arena, value);
}

void session_role_assign(struct session *session, const char *value)
{
    const char *name = strcmp(value, NO_ROLE) == 0 ? session->session_user : value;
    const struct session_role *role = known(session, name);
    invariant(role != NULL);
    act_as(session, role);
}

struct status session_authorization_check(
    struct session *session, struct arena *arena, const char *value, const char **canonical)
{
    *canonical = value[0] == '\0' ? session->login_user : value;
    return check_known(session, arena, *canonical);
}

void session_authorization_assign(struct session *session, const char *value)
{
    const struct session_role *role = known(session, value[0] == '\0' ? session->login_user : value);
    invariant(role != NULL);
    session->session_user = role->name;
    act_as(session, role);
}

// --- setting -------------------------------------------------------------------------------------------

static struct status learn_role(
    struct task *task, struct session *session, struct arena *arena, const char *name)
{
    struct status st;
    bool exists, superuser;
    uint32_t count = 0;
    TRY(role_exists(task, session, name, &exists));
    if (!exists)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "role \"%s\" does not exist", name);
    for (const struct session_role *role = session->roles; role != NULL; role = role->next) count++;
    if (count >= ROLES_ACTED_AS_MAX && known(session, name) == NULL)
        return status_format(arena, E_PROGRAM_LIMIT_EXCEEDED,
            "a session cannot act as more than %u roles", ROLES_ACTED_AS_MAX);
    TRY(role_is_member(task, session, name, ROLE_ADMIN, &superuser));
    learn(session, name, superuser);

out:
    return st;
}

static struct status allow_role(
    struct task *task, struct session *session, struct arena *arena, const char *name)
{
    struct status st;
    bool member = true;
    TRY(learn_role(task, session, arena, name));
    if (!known(session, session->session_user)->superuser)
        TRY(role_is_member(task, session, session->session_user, name, &member));
    if (!member)
        st = status_format(
            arena, E_INSUFFICIENT_PRIVILEGE, "permission denied to set role \"%s\"", name);

out:
    return st;
}

static struct status allow_authorization(
    struct task *task, struct session *session, struct arena *arena, const char *name)
{
    struct status st = learn_role(task, session, arena, name);
    if (failed(st)) return st;
    if (strcmp(name, session->login_user) == 0 || known(session, session->login_user)->superuser)
        return st;
    return status_make(
        E_INSUFFICIENT_PRIVILEGE, "permission denied to set session authorization");
}

struct status session_set_variable(struct task *task, struct session *session, struct arena *arena,
    const char *name, const char *value, enum vars_scope scope)
{
    struct status st = STATUS_OK;
    const bool is_role = strcasecmp(name, ROLE_VARIABLE) == 0 || strcasecmp(name, AUTHORIZATION_VARIABLE) == 0;
    const char *cut = is_role && value != NULL ? cut_name_of(arena, value) : value;
    if (cut != value) session_notice(session, "NOTICE", cut_name_notice(arena, value, cut));
    value = cut;
    if (strcasecmp(name, ROLE_VARIABLE) == 0) {
        if (value != NULL && strcmp(value, NO_ROLE) != 0)
            TRY(allow_role(task, session, arena, value));
    } else if (strcasecmp(name, AUTHORIZATION_VARIABLE) == 0) {
        if (value != NULL && strcmp(value, "default") == 0) value = NULL;
        if (value != NULL) TRY(allow_authorization(task, session, arena, value));
        TRY(vars_set(session, arena, ROLE_VARIABLE, NULL, scope));
    }
    st = vars_set(session, arena, name, value, scope);

out:
    return st;
}

void session_roles_renew(
    struct session *session, bool (*is_admin)(void *arg, const char *name), void *arg)
{
    for (struct session_role *role = session->roles; role != NULL; role = role->next)
        role->superuser = is_admin(arg, role->name);
    session->superuser = known(session, session->user)->superuser;
    session->path.epoch = 0;
}
