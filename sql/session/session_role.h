// SPDX-License-Identifier: GPL-3.0-or-later
//
// As whom a session acts: SET ROLE, SET SESSION AUTHORIZATION, and the same by set_config and in start-up options.
// session->login_user is who has logged in and never changes; session->session_user is what SET SESSION AUTHORIZATION
// makes of it; session->user is whose privileges count. Both are session variables, so that SET LOCAL, rollback and
// RESET do to them what they do to all.
//
// Shard    The session's. Setting suspends: roles are looked up.
// Memory   The names that a session has acted as are its own, ROLES_ACTED_AS_MAX at most (54000).
// Errors   22023 no such role; 42501 not a member of it; those of vars_set.
// Source   PostgreSQL 15 manual, SET ROLE and SET SESSION AUTHORIZATION.
#pragma once
#include "core/status.h"
#include "sql/session/vars.h"

struct task;

#define ROLES_ACTED_AS_MAX 1000u

// A role that the session has been allowed to act as.
struct session_role {
    const char *name;
    bool superuser;
    struct session_role *next;
};

// At the session's opening, before its variables: all three are `session->login_user`.
void session_role_open(struct session *session, bool superuser);

// vars_set for what a client asks for.
CHECKED struct status session_set_variable(struct task *task, struct session *session,
    struct arena *arena, const char *name, const char *value, enum vars_scope scope);

// Roles have changed: is_admin tells who is a superuser now.
void session_roles_renew(
    struct session *session, bool (*is_admin)(void *arg, const char *name), void *arg);

// Hooks of the variables "role" and "session_authorization".
struct status session_role_check(
    struct session *session, struct arena *arena, const char *value, const char **canonical);
void session_role_assign(struct session *session, const char *value);
struct status session_authorization_check(
    struct session *session, struct arena *arena, const char *value, const char **canonical);
void session_authorization_assign(struct session *session, const char *value);
