// SPDX-License-Identifier: GPL-3.0-or-later
//
// Session variables: SET, SHOW, RESET, start-up options, current_setting. Those with one supported value
// refuse others with 0A000. Kept and shown, but without effect here: escape_string_warning,
// check_function_bodies, row_security, default_transaction_deferrable; REPEATABLE READ is run as
// serializable, READ UNCOMMITTED as READ COMMITTED.
//
// SET in a transaction is undone by its rollback; SET LOCAL by its end.
//
// Shard    Of the session.
// Memory   Values are the session's own copies; a value given out is valid until the variable is set again.
// Errors   42704 unrecognized; 22023 invalid value; 55P02 cannot be changed; 0A000 not supported: a value, or a setting
//          of PostgreSQL's that has no meaning here.
// Source   PostgreSQL 15 manual, chapter 20.
#pragma once
#include "core/status.h"
#include "sql/session/session.h"

struct session_vars;

// Makes the session's variables with their defaults. `tz_default` etc. come from the registry.
void vars_open(struct session *session);
void vars_close(struct session *session);
// Log-in has ended: what the settings are now is what RESET sets them to.
void vars_logged_in(struct session *session);

// NULL: no such variable. Custom ones ("app.user") exist once set.
const char *vars_get(const struct session *session, const char *name);
// VARS_ROLE: as VARS_SESSION, of ALTER ROLE ... SET at log-in. VARS_FUNCTION: until vars_function_end.
enum vars_scope { VARS_SESSION, VARS_LOCAL, VARS_STARTUP, VARS_ROLE, VARS_FUNCTION };
// `value` NULL: the default. `arena` is for the message.
CHECKED struct status vars_set(struct session *session, struct arena *arena, const char *name,
    const char *value, enum vars_scope scope);
// Whether it could have the value (NULL: any), which it does not get. *spelled: its name as it is told.
CHECKED struct status vars_check(struct session *session, struct arena *arena, const char *name,
    const char *value, const char **spelled);
void vars_reset_all(struct session *session);
// Whether something in the transaction has set it.
bool vars_set_in_txn(const struct session *session, const char *name);
// What the transaction's end does to SET and SET LOCAL.
void vars_txn_end(struct session *session, bool committed);
// What ROLLBACK TO SAVEPOINT does to them: undoes what came after vars_savepoint. Valid until the transaction's end.
struct var_undo;
// The transaction has failed: what clients are told of is at once what it will be after ROLLBACK, or ROLLBACK TO the savepoint.
void vars_txn_failed(struct session *session, const struct var_undo *savepoint);
const struct var_undo *vars_savepoint(const struct session *session);
void vars_rollback_to(struct session *session, const struct var_undo *savepoint);
// A function with settings of its own ends, which began at vars_savepoint: what VARS_FUNCTION set since has its former
// value again, and what SET LOCAL set of it; but not what the body's own SET did.
void vars_function_end(struct session *session, const struct var_undo *begun);

// The failure for a name that is no variable: 0A000 for PostgreSQL's, else 42704.
CHECKED struct status vars_unknown(struct arena *arena, const char *name);
// Whether only administrators may set it.
bool vars_is_for_admins(const char *name);
// Number i of all variables in order of name, for SHOW ALL and pg_settings; false past the end.
struct vars_info {
    const char *name, *value, *description;
    const char *default_value, *reset_value; // As registered; that RESET sets it to.
    const char *type; // pg_settings.vartype: "bool", "enum", "integer", "string"
    const char *context, *unit; // "internal", "superuser", "user"; "ms", "kB" or NULL.
    const char *values;         // Of an enum, "|" between them; else NULL.
    bool given_at_start;        // By the log-in.
    bool bounded;               // By minimum and maximum.
    int64_t minimum, maximum;
};
// A value of a bounded one in its unit.
int64_t vars_number(const struct vars_info *info, const char *value);
bool vars_at(const struct session *session, uint32_t index, struct vars_info *info);

// Some variables' values are told to clients as ParameterStatus: true once for each of them whose value is not what it
// was the last time (at first each one's): *name is set.
bool vars_take_change(struct session *session, const char **name);

// Typed reads of what the server itself uses.
bool vars_bool(const struct session *session, const char *name);
// The session has got a temporary schema, or lost it, or has another user.
void vars_refresh_search_path(struct session *session);
void vars_show_superuser(struct session *session); // In is_superuser.
