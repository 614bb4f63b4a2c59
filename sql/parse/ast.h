// SPDX-License-Identifier: GPL-3.0-or-later
//
// The statement tree: what the parser makes of SQL text, and all that planning, DDL and
// administration read of it. It holds what was written, before any name or type is looked up. Both
// grammars (PostgreSQL's through libpg_query, and our own for the statements it lacks) make this
// tree.
//
// A statement is dispatched by `tag`; the member of the union `as` that goes with each tag stands
// in the list STATEMENT_TAGS. Identifiers are NUL-terminated, folded to lower case unless quoted,
// at most 63 bytes; an absent name is NULL. Literal texts are struct bytes.
//
// Shard    Plain data without owner or lock; read by whoever holds the arena.
// Memory   Everything lies in the arena given to parse_sql; nothing is freed piecewise. Texts of
//          literals are copied, so the tree does not need the statement's text.
// Errors   None: the tree is valid by construction, and what it can hold is more than what runs.
// Source   PostgreSQL 15 (parsenodes.h for the meaning of the fields), docs: reference pages.
#pragma once
#include "sql/parse/ast_own.h"
#include "sql/parse/ast_query.h"
#include "sql/parse/ast_schema.h"
#include "sql/parse/ast_session.h"

// X(tag, member of `as` that it uses, name). The name is CommandComplete's word where the statement
// has one (rows are counted by the caller), and the feature's name in messages.
#define STATEMENT_TAGS(X) \
    X(EMPTY, unsupported, "") \
    X(SELECT, select, "SELECT") \
    X(INSERT, insert, "INSERT") \
    X(UPDATE, update, "UPDATE") \
    X(DELETE, delete_, "DELETE") \
    X(CREATE_DATABASE, create_database, "CREATE DATABASE") \
    X(ALTER_DATABASE, alter_database, "ALTER DATABASE") \
    X(ALTER_DATABASE_SET, alter_settings, "ALTER DATABASE") \
    X(CREATE_SCHEMA, create_schema, "CREATE SCHEMA") \
    X(CREATE_TABLE, create_table, "CREATE TABLE") \
    X(CREATE_TABLE_AS, create_table_as, "CREATE TABLE AS") \
    X(CREATE_MATERIALIZED_VIEW, create_table_as, "CREATE MATERIALIZED VIEW") \
    X(CREATE_VIEW, create_view, "CREATE VIEW") \
    X(REFRESH_MATERIALIZED_VIEW, refresh_view, "REFRESH MATERIALIZED VIEW") \
    X(CREATE_INDEX, create_index, "CREATE INDEX") \
    X(REINDEX, reindex, "REINDEX") \
    X(CREATE_SEQUENCE, sequence, "CREATE SEQUENCE") \
    X(ALTER_SEQUENCE, sequence, "ALTER SEQUENCE") \
    X(CREATE_ENUM, create_enum, "CREATE TYPE") \
    X(CREATE_COMPOSITE, create_composite, "CREATE TYPE") \
    X(CREATE_COLLATION, create_collation, "CREATE COLLATION") \
    X(CREATE_FUNCTION, create_function, "CREATE FUNCTION") \
    X(ALTER_FUNCTION, alter_function, "ALTER FUNCTION") \
    X(ALTER_ENUM, alter_enum, "ALTER TYPE") \
    X(CREATE_DOMAIN, create_domain, "CREATE DOMAIN") \
    X(ALTER_DOMAIN, alter_domain, "ALTER DOMAIN") \
    X(CREATE_EXTENSION, create_extension, "CREATE EXTENSION") \
    X(CREATE_STATISTICS, create_statistics, "CREATE STATISTICS") \
    X(ALTER_STATISTICS, alter_statistics, "ALTER STATISTICS") \
    X(ALTER_TABLE, alter_table, "ALTER TABLE") \
    X(RENAME, rename, "ALTER TABLE") \
    X(ALTER_OWNER, alter_owner, "ALTER OWNER") \
    X(ALTER_OBJECT_SCHEMA, alter_object_schema, "ALTER SCHEMA") \
    X(DROP, drop, "DROP") \
    X(DROP_DATABASE, drop, "DROP DATABASE") \
    X(TRUNCATE, truncate, "TRUNCATE TABLE") \
    X(COMMENT, comment, "COMMENT") \
    X(CREATE_ROLE, role_statement, "CREATE ROLE") \
    X(ALTER_ROLE, role_statement, "ALTER ROLE") \
    X(ALTER_ROLE_SET, alter_settings, "ALTER ROLE") \
    X(DROP_ROLE, drop_role, "DROP ROLE") \
    X(GRANT, grant, "GRANT") \
    X(REVOKE, grant, "REVOKE") \
    X(GRANT_ROLE, grant_role, "GRANT ROLE") \
    X(REVOKE_ROLE, grant_role, "REVOKE ROLE") \
    X(GRANT_SYSTEM, grant_system, "GRANT") \
    X(REVOKE_SYSTEM, grant_system, "REVOKE") \
    X(ALTER_DEFAULT_PRIVILEGES, default_privileges, "ALTER DEFAULT PRIVILEGES") \
    X(REASSIGN_OWNED, owned, "REASSIGN OWNED") \
    X(DROP_OWNED, owned, "DROP OWNED") \
    X(BEGIN, transaction, "BEGIN") \
    X(START_TRANSACTION, transaction, "START TRANSACTION") \
    X(COMMIT, transaction, "COMMIT") \
    X(ROLLBACK, transaction, "ROLLBACK") \
    X(SAVEPOINT, transaction, "SAVEPOINT") \
    X(RELEASE_SAVEPOINT, transaction, "RELEASE") \
    X(ROLLBACK_TO_SAVEPOINT, transaction, "ROLLBACK") \
    X(SET_TRANSACTION, transaction, "SET") \
    X(PREPARE_TRANSACTION, transaction, "PREPARE TRANSACTION") \
    X(COMMIT_PREPARED, transaction, "COMMIT PREPARED") \
    X(ROLLBACK_PREPARED, transaction, "ROLLBACK PREPARED") \
    X(SET, set_variable, "SET") \
    X(RESET, set_variable, "RESET") \
    X(SHOW, set_variable, "SHOW") \
    X(SHOW_ALL_VARIABLES, set_variable, "SHOW") \
    X(SET_CONSTRAINTS, set_constraints, "SET CONSTRAINTS") \
    X(EXPLAIN, explain, "EXPLAIN") \
    X(COPY, copy, "COPY") \
    X(PREPARE, prepare, "PREPARE") \
    X(EXECUTE, execute, "EXECUTE") \
    X(DEALLOCATE, deallocate, "DEALLOCATE") \
    X(DISCARD, discard, "DISCARD") \
    X(ANALYZE, vacuum, "ANALYZE") \
    X(VACUUM, vacuum, "VACUUM") \
    X(LOCK_TABLE, lock_table, "LOCK TABLE") \
    X(DECLARE_CURSOR, declare_cursor, "DECLARE CURSOR") \
    X(FETCH, fetch, "FETCH") \
    X(CLOSE_CURSOR, close_cursor, "CLOSE CURSOR") \
    X(UNLISTEN, unlisten, "UNLISTEN") \
    X(CALL, call, "CALL") \
    X(CREATE_VIRTUAL_CLUSTER, create_virtual_cluster, "CREATE VIRTUAL CLUSTER") \
    X(ALTER_VIRTUAL_CLUSTER, alter_virtual_cluster, "ALTER VIRTUAL CLUSTER") \
    X(DROP_VIRTUAL_CLUSTER, drop_virtual_cluster, "DROP VIRTUAL CLUSTER") \
    X(SHOW_VIRTUAL_CLUSTER, show_virtual_cluster, "SHOW VIRTUAL CLUSTER") \
    X(SHOW_FINGERPRINTS, fingerprints, "SHOW EXPERIMENTAL_FINGERPRINTS") \
    X(CREATE_EXTERNAL_CONNECTION, external_connection, "CREATE EXTERNAL CONNECTION") \
    X(DROP_EXTERNAL_CONNECTION, external_connection, "DROP EXTERNAL CONNECTION") \
    X(SHOW_EXTERNAL_CONNECTIONS, external_connection, "SHOW EXTERNAL CONNECTIONS") \
    X(SHOW_CREATE_EXTERNAL_CONNECTION, external_connection, "SHOW CREATE EXTERNAL CONNECTION") \
    X(CHECK_EXTERNAL_CONNECTION, external_connection, "CHECK EXTERNAL CONNECTION") \
    X(SET_CLUSTER_SETTING, cluster_setting, "SET CLUSTER SETTING") \
    X(RESET_CLUSTER_SETTING, cluster_setting, "RESET CLUSTER SETTING") \
    X(SHOW_CLUSTER_SETTING, cluster_setting, "SHOW CLUSTER SETTING") \
    X(SHOW_CLUSTER_SETTINGS, show_cluster_settings, "SHOW CLUSTER SETTINGS") \
    X(CONFIGURE_ZONE, zone_config, "CONFIGURE ZONE") \
    X(SHOW_ZONE, show_zone, "SHOW ZONE CONFIGURATION") \
    X(SPLIT, split, "SPLIT") \
    X(JOB_CONTROL, job_control, "JOB CONTROL") \
    X(CANCEL, cancel, "CANCEL") \
    X(BACKUP, backup, "BACKUP") \
    X(RESTORE, backup, "RESTORE") \
    X(SHOW_BACKUP, show_backup, "SHOW BACKUP") \
    X(SHOW_DATABASES, show, "SHOW DATABASES") \
    X(SHOW_SCHEMAS, show, "SHOW SCHEMAS") \
    X(SHOW_TABLES, show, "SHOW TABLES") \
    X(SHOW_COLUMNS, show, "SHOW COLUMNS") \
    X(SHOW_INDEXES, show, "SHOW INDEXES") \
    X(SHOW_CONSTRAINTS, show, "SHOW CONSTRAINTS") \
    X(SHOW_CREATE, show, "SHOW CREATE") \
    X(SHOW_SEQUENCES, show, "SHOW SEQUENCES") \
    X(SHOW_TYPES, show, "SHOW TYPES") \
    X(SHOW_ENUMS, show, "SHOW ENUMS") \
    X(SHOW_FUNCTIONS, show, "SHOW FUNCTIONS") \
    X(SHOW_USERS, show, "SHOW USERS") \
    X(SHOW_ROLES, show, "SHOW ROLES") \
    X(SHOW_GRANTS, show, "SHOW GRANTS") \
    X(SHOW_SYSTEM_GRANTS, show, "SHOW SYSTEM GRANTS") \
    X(SHOW_DEFAULT_PRIVILEGES, show, "SHOW DEFAULT PRIVILEGES") \
    X(SHOW_SESSIONS, show, "SHOW SESSIONS") \
    X(SHOW_QUERIES, show, "SHOW QUERIES") \
    X(SHOW_TRANSACTIONS, show, "SHOW TRANSACTIONS") \
    X(SHOW_JOBS, show, "SHOW JOBS") \
    X(SHOW_RANGES, show, "SHOW RANGES") \
    X(SHOW_STATISTICS, show, "SHOW STATISTICS") \
    X(SHOW_SAVEPOINT_STATUS, show, "SHOW SAVEPOINT STATUS") \
    X(SHOW_TRANSACTION_STATUS, show, "SHOW TRANSACTION STATUS") \
    X(SHOW_TRANSFER_STATE, show, "SHOW TRANSFER STATE") \
    X(UNSUPPORTED, unsupported, "")

enum statement_tag {
#define STATEMENT_TAG_ENUM(tag, member, name) STATEMENT_##tag,
    STATEMENT_TAGS(STATEMENT_TAG_ENUM)
#undef STATEMENT_TAG_ENUM
        STATEMENT_TAG_COUNT
};

struct statement {
    enum statement_tag tag;
    uint32_t position; // Of its first token; `length` bytes to the end of its last one.
    uint32_t length;
    uint32_t parameter_count; // The highest $n in it, 0 for none.
    uint32_t depth;           // Of its deepest path: at most AST_DEPTH_MAX.
    // AS OF SYSTEM TIME; NULL: none. Of the whole statement: EXPLAIN has its statement's too, and
    // COPY (query) and CREATE TABLE AS have that of their query.
    struct expr *as_of;
    union {
        struct select *select;
        struct insert *insert;
        struct update *update;
        struct delete_ *delete_;
        struct create_database *create_database;
        struct alter_database *alter_database;
        struct alter_settings *alter_settings;
        struct create_schema *create_schema;
        struct create_table *create_table;
        struct create_table_as *create_table_as;
        struct create_view *create_view;
        struct refresh_view *refresh_view;
        struct reindex *reindex;
        struct create_index *create_index;
        struct sequence *sequence;
        struct create_enum *create_enum;
        struct create_composite *create_composite;
        struct create_collation *create_collation;
        struct create_function *create_function;
        struct alter_function *alter_function;
        struct alter_enum *alter_enum;
        struct create_domain *create_domain;
        struct alter_domain *alter_domain;
        struct create_extension *create_extension;
        struct create_statistics *create_statistics;
        struct alter_statistics *alter_statistics;
        struct alter_table *alter_table;
        struct rename *rename;
        struct alter_owner *alter_owner;
        struct alter_object_schema *alter_object_schema;
        struct drop *drop;
        struct truncate *truncate;
        struct comment *comment;
        struct role_statement *role_statement;
        struct drop_role *drop_role;
        struct grant *grant;
        struct grant_role *grant_role;
        struct grant_system *grant_system;
        struct default_privileges *default_privileges;
        struct owned *owned;
        struct transaction *transaction;
        struct set_variable *set_variable;
        struct set_constraints *set_constraints;
        struct explain *explain;
        struct copy *copy;
        struct prepare *prepare;
        struct execute *execute;
        struct deallocate *deallocate;
        struct discard *discard;
        struct vacuum *vacuum;
        struct lock_table *lock_table;
        struct declare_cursor *declare_cursor;
        struct fetch *fetch;
        struct close_cursor *close_cursor;
        struct unlisten *unlisten;
        struct call *call;
        struct create_virtual_cluster *create_virtual_cluster;
        struct alter_virtual_cluster *alter_virtual_cluster;
        struct drop_virtual_cluster *drop_virtual_cluster;
        struct show_virtual_cluster *show_virtual_cluster;
        struct fingerprints *fingerprints;
        struct external_connection *external_connection;
        struct cluster_setting *cluster_setting;
        struct show_cluster_settings *show_cluster_settings;
        struct zone_config *zone_config;
        struct show_zone *show_zone;
        struct split *split;
        struct job_control *job_control;
        struct cancel *cancel;
        struct backup *backup;
        struct show_backup *show_backup;
        struct show *show;
        struct unsupported *unsupported;
    } as;
};

struct statement_list {
    struct statement **items;
    uint32_t count;
};

// The name in STATEMENT_TAGS.
const char *statement_tag_name(enum statement_tag tag);
// CommandComplete's word for this very statement: "DROP TABLE", "CREATE TYPE", "ALTER INDEX"; for
// STATEMENT_UNSUPPORTED the feature. Static or in the statement's arena.
const char *statement_name(const struct statement *statement);

// "current_date" and so on.
const char *sql_value_name(enum sql_value value);
// "xmlelement"; NULL: it has no name.
const char *xml_form_name(enum xml_form form);

// The name a SELECT item gets: its alias, or what PostgreSQL derives from the expression ("count",
// "case", "?column?").
const char *target_name(const struct target *target);
