// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sessions, transactions, utilities, users and privileges in the statement tree.
//
// Part of sql/parse/ast.h, which says what holds for all of the tree: include that one.
//
// Shard    Plain data; see sql/parse/ast.h.
// Memory   The parser's arena.
#pragma once
#include "sql/parse/ast_schema.h"

// --- sessions, transactions, utilities -----------------------------------------------------------

enum set_kind { SET_VALUE, SET_DEFAULT, SET_CURRENT, SET_RESET, SET_RESET_ALL };
struct set_variable {
    enum set_kind kind;
    const char *name; // Lower case, dots kept: "search_path", "myapp.user".
    bool local;
    struct expr_list values; // Literals (a word is a string literal) or casts of them (intervals).
};

enum isolation { ISOLATION_NONE, READ_UNCOMMITTED, READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE };
enum transaction_priority { PRIORITY_NONE, PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH };
enum tristate { TRI_NONE, TRI_NO, TRI_YES };
enum transaction_scope { SCOPE_TRANSACTION, SCOPE_SESSION }; // SET SESSION CHARACTERISTICS
struct transaction {
    // BEGIN, SET TRANSACTION. AS OF SYSTEM TIME stands in statement.as_of.
    enum isolation isolation;
    enum tristate read_only;
    enum tristate deferrable;
    enum transaction_priority priority;
    enum transaction_scope scope;
    const char *snapshot; // SET TRANSACTION SNAPSHOT 'x'; else NULL.
    bool chain;           // COMMIT AND CHAIN, ROLLBACK AND CHAIN
    const char *name;     // Savepoint; or the global id of PREPARE TRANSACTION and its family.
};

struct explain {
    bool analyze;
    struct option_list options; // verbose, costs, format, types, opt, distsql, vec, debug...
    struct statement *statement;
};

struct copy {
    struct object_name table; // .name NULL: `query`.
    struct name_list columns;
    struct statement *query;
    bool from;
    bool program;
    bool stdio;           // STDIN, STDOUT
    const char *filename; // When not stdio.
    struct expr *where;
    struct option_list options; // format, delimiter, null, header, quote, escape, ...
};

struct prepare {
    const char *name;
    struct type_list types;
    struct statement *statement;
};

struct execute {
    const char *name;
    struct expr_list args;
};

struct deallocate {
    const char *name; // NULL: ALL.
};

enum discard_what { DISCARD_ALL, DISCARD_PLANS, DISCARD_SEQUENCES, DISCARD_TEMPORARY };
struct discard {
    enum discard_what what;
};

struct vacuum { // VACUUM and ANALYZE
    struct option_list options;
    struct object_name_list tables; // Empty: all.
    struct name_list *columns;      // One list a table.
};

struct set_constraints {
    struct object_name_list names; // Empty: ALL.
    bool deferred;
};

struct lock_table {
    struct object_name_list tables;
    const char *mode; // "ACCESS EXCLUSIVE"
    bool nowait;
};

struct declare_cursor {
    const char *name;
    bool binary;
    bool hold;
    enum tristate scroll;
    enum tristate insensitive;
    struct select *query;
};

enum fetch_direction { FETCH_FORWARD, FETCH_BACKWARD, FETCH_ABSOLUTE, FETCH_RELATIVE };
struct fetch {
    const char *cursor;
    enum fetch_direction direction;
    int64_t count; // INT64_MAX: ALL.
    bool move;     // MOVE
};

struct close_cursor {
    const char *name; // NULL: ALL.
};

struct unlisten {
    const char *channel; // NULL: all.
};

struct call {
    struct expr *function; // EXPR_FUNCTION
};

struct unsupported {
    const char *feature; // "CREATE TRIGGER": for the 0A000.
    const char *hint;    // May be NULL.
};

// --- users and privileges ------------------------------------------------------------------------

// CREATE and ALTER ROLE. Options, in lower case: superuser, login, createdb, createrole, inherit,
// replication, bypassrls, createlogin, ... with a bool literal (NOLOGIN: login false); password
// (string, parameter or NULL), "connection limit", "valid until" (string or NULL); and the lists
// "in role", role, admin, user as EXPR_ROW of strings.
struct role_statement {
    struct role_name role;
    bool is_user;       // USER was written: LOGIN is the default.
    bool if_not_exists; // ALTER: IF EXISTS.
    struct option_list options;
};

struct drop_role {
    struct role_list roles;
    bool if_exists;
};

struct privilege {
    const char *name; // Lower case; NULL: ALL.
    struct name_list columns;
};

enum grant_target { GRANT_ON_OBJECTS, GRANT_ON_ALL_IN_SCHEMA, GRANT_DEFAULTS };
struct grant { // GRANT and REVOKE
    bool revoke;
    bool grant_option; // WITH GRANT OPTION; REVOKE GRANT OPTION FOR
    enum grant_target target;
    enum object_kind object;
    struct object_name_list names; // Objects, or schemas of GRANT_ON_ALL_IN_SCHEMA.
    struct privilege *privileges;  // Empty: ALL.
    uint32_t privilege_count;
    struct role_list grantees;
    enum drop_behavior behavior;
    bool granted_by; // GRANTED BY grantor
    struct role_name grantor;
};

struct grant_role { // GRANT role TO role
    bool revoke;
    bool admin_option;
    struct name_list roles;
    struct role_list grantees;
    enum drop_behavior behavior;
};

struct default_privileges {
    struct role_list for_roles;
    bool for_all_roles;
    struct name_list in_schemas;
    struct grant *grant;
};

struct owned { // DROP OWNED BY, REASSIGN OWNED BY ... TO
    struct role_list roles;
    struct role_name new_owner;
    enum drop_behavior behavior;
};

struct grant_system { // GRANT SYSTEM p, ... TO r
    bool revoke;
    bool grant_option;
    struct name_list privileges; // Lower case; "all" for ALL [PRIVILEGES].
    struct role_list grantees;
};
