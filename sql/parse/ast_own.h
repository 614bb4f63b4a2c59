// SPDX-License-Identifier: GPL-3.0-or-later
//
// What PostgreSQL lacks, in the statement tree: virtual clusters, cluster settings, zones, jobs,
// SHOW, backups.
//
// Part of sql/parse/ast.h, which says what holds for all of the tree: include that one.
//
// Shard    Plain data; see sql/parse/ast.h.
// Memory   The parser's arena.
#pragma once
#include "sql/parse/ast_schema.h"

// --- beyond PostgreSQL: virtual clusters ---------------------------------------------------------

enum tenant_spec_kind {
    TENANT_BY_NAME, // name: an expression of type string (a bare or quoted name is a literal)
    TENANT_BY_ID,   // [id]: an expression of an integer type
    TENANT_ALL,     // ALTER VIRTUAL CLUSTER ALL
};
struct tenant_spec {
    enum tenant_spec_kind kind;
    struct expr *expr; // NULL for TENANT_ALL.
    uint32_t position;
};

// Options of replication: retention, expiration_window, read_virtual_cluster, resume_timestamp;
// with the value as written or NULL. Names are lower case with an underscore between words.
struct create_virtual_cluster {
    bool if_not_exists;
    struct tenant_spec tenant;
    bool has_like;
    struct tenant_spec like;
    bool replication; // FROM REPLICATION OF source ON uri
    struct tenant_spec source;
    struct expr *source_uri;
    struct option_list options;
};

enum alter_tenant_kind {
    ALTER_TENANT_RENAME,             // new_name
    ALTER_TENANT_START_SERVICE,      // service
    ALTER_TENANT_STOP_SERVICE,
    ALTER_TENANT_PAUSE_REPLICATION,
    ALTER_TENANT_RESUME_REPLICATION,
    ALTER_TENANT_COMPLETE_REPLICATION, // latest, or time
    ALTER_TENANT_SET_REPLICATION,    // options
    ALTER_TENANT_START_REPLICATION,  // source, source_uri, options
    ALTER_TENANT_RESET_DATA,         // time
    ALTER_TENANT_SET_SETTING,        // setting, value (NULL: DEFAULT)
    ALTER_TENANT_RESET_SETTING,      // setting
    ALTER_TENANT_GRANT_CAPABILITY,   // options, or all_capabilities
    ALTER_TENANT_REVOKE_CAPABILITY,
};
enum tenant_service { SERVICE_SHARED, SERVICE_EXTERNAL };
struct alter_virtual_cluster {
    enum alter_tenant_kind kind;
    struct tenant_spec tenant;
    struct tenant_spec new_name;
    enum tenant_service service;
    bool latest;
    struct expr *time;
    struct tenant_spec source;
    struct expr *source_uri;
    struct option_list options; // Replication options or capabilities.
    bool all_capabilities;
    const char *setting;
    struct expr *value;
};

struct drop_virtual_cluster {
    bool if_exists;
    bool immediate;
    struct tenant_spec tenant;
};

struct show_virtual_cluster {
    bool all; // SHOW VIRTUAL CLUSTERS
    struct tenant_spec tenant;
    bool with_replication_status;
    bool with_prior_replication;
    bool with_capabilities;
};

struct external_connection { // {CREATE | DROP | SHOW [CREATE] | CHECK} EXTERNAL CONNECTION[S]
    bool if_not_exists; // CREATE
    const char *name;   // NULL: SHOW EXTERNAL CONNECTIONS, SHOW CREATE ALL EXTERNAL CONNECTIONS, CHECK
    struct expr *uri;   // CREATE, CHECK
};

struct fingerprints { // SHOW EXPERIMENTAL_FINGERPRINTS FROM {VIRTUAL CLUSTER vc | TABLE t}
    bool of_tenant;
    struct tenant_spec tenant;
    struct object_name table;
    struct expr *start_timestamp; // WITH START TIMESTAMP; NULL: none.
};

// --- beyond PostgreSQL: settings, zones, jobs, SHOW ----------------------------------------------

struct cluster_setting { // SET, RESET and SHOW CLUSTER SETTING [FOR VIRTUAL CLUSTER]
    const char *name;
    struct expr *value; // SET; NULL: DEFAULT (and for RESET, SHOW).
    bool for_tenant;
    struct tenant_spec tenant;
};

struct show_cluster_settings {
    bool all; // SHOW ALL CLUSTER SETTINGS; otherwise the public ones.
    bool for_tenant;
    struct tenant_spec tenant;
};

struct zone_target {
    enum object_kind object; // RANGE, DATABASE, TABLE, INDEX, PARTITION
    struct object_name name; // RANGE, DATABASE: only .name. PARTITION: its table (or t@i).
    const char *partition;
};
struct zone_config { // CONFIGURE ZONE
    struct zone_target target;
    bool discard;
    struct option_list options; // value NULL: COPY FROM PARENT.
};
struct show_zone {
    bool all; // SHOW ZONE CONFIGURATIONS
    struct zone_target target;
};

enum split_kind { SPLIT_AT, UNSPLIT_AT, UNSPLIT_ALL, SCATTER, RELOCATE_LEASE, RELOCATE_VOTERS };
struct split {
    enum split_kind kind;
    struct expr *range;                // RELOCATE: this one; NULL: those that `rows` names.
    struct expr *from_node, *to_node;  // RELOCATE
    struct object_name table;
    bool is_index; // ALTER INDEX t@i ...
    struct select *rows;
    struct expr *expiration; // WITH EXPIRATION; NULL: none.
    struct expr_list from;   // SCATTER FROM (...) TO (...)
    struct expr_list to;
};

enum job_action { JOB_PAUSE, JOB_RESUME, JOB_CANCEL };
struct job_control { // PAUSE JOB 1; CANCEL JOBS (select)
    enum job_action action;
    struct expr *id;      // One job; else
    struct select *query; // the jobs of a query, or
    const char *all_type; // PAUSE ALL BACKUP JOBS: "backup".
    struct expr *reason;  // PAUSE JOB 1 WITH REASON = 'x'
};

struct cancel { // CANCEL QUERY, CANCEL SESSION
    bool session;
    bool if_exists;
    struct expr *id;
    struct select *query; // CANCEL QUERIES (select)
};

enum show_scope { SHOW_SCOPE_DEFAULT, SHOW_SCOPE_CLUSTER, SHOW_SCOPE_LOCAL };
enum show_flag {
    SHOW_WITH_COMMENT = 1 << 0,
    SHOW_WITH_TABLES = 1 << 1,
    SHOW_WITH_INDEXES = 1 << 2,
    SHOW_WITH_KEYS = 1 << 3,
    SHOW_WITH_DETAILS = 1 << 4,
    SHOW_WITH_EXPLAIN = 1 << 5,
    SHOW_WHEN_COMPLETE = 1 << 6, // SHOW JOB[S] WHEN COMPLETE
    SHOW_AUTOMATIC = 1 << 7,     // SHOW AUTOMATIC JOBS
    SHOW_ALL = 1 << 8,           // SHOW ALL STATEMENTS; SHOW CREATE ALL TABLES
    SHOW_USING_JSON = 1 << 9,
    SHOW_CURRENT_CATALOG = 1 << 10,
};
// Every SHOW of objects. What is absent is zero.
struct show {
    enum object_kind object;  // Of `target`: TABLE, INDEX, DATABASE, SCHEMA, ROLE...
    bool has_target;          // FROM or ON was written.
    struct object_name target; // SHOW TABLES FROM d[.s]: d in .name, or d.s in .schema.name
    struct object_name_list targets; // SHOW GRANTS ON a, b
    struct role_list roles;   // FOR
    enum show_scope scope;
    uint32_t flags;           // enum show_flag
    struct expr *id;          // SHOW JOB id
    struct select *query;     // SHOW JOBS (select)
};

// --- beyond PostgreSQL: backup -------------------------------------------------------------------

enum backup_target { BACKUP_CLUSTER, BACKUP_DATABASES, BACKUP_TABLES, BACKUP_TENANT };
struct backup { // BACKUP, RESTORE
    bool restore;
    enum backup_target target;
    struct object_name_list names;
    struct tenant_spec tenant;
    struct expr_list subdirectory; // INTO {LATEST | 'dir'} IN; LATEST is the string "LATEST".
    bool latest;
    struct expr_list uris;
    struct option_list options;
};
struct show_backup {
    bool list; // SHOW BACKUPS IN uri
    struct expr *subdirectory;
    struct expr *uri;
    struct option_list options;
};
