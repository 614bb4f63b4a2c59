// SPDX-License-Identifier: GPL-3.0-or-later
//
// PostgreSQL's predefined roles, which every virtual cluster has without a row of system.users: nobody logs in as one,
// alters or drops one; who is granted one may do what it stands for.
//
//   pg_read_all_data       SELECT on all tables, views and sequences, USAGE on all schemas; but not in database system
//   pg_write_all_data      INSERT, UPDATE, DELETE on them, and USAGE likewise
//   pg_read_all_settings   as the system privilege VIEWCLUSTERSETTING
//   pg_read_all_stats      as VIEWACTIVITY
//   pg_signal_backend      as CANCELQUERY
//   pg_monitor             a member of the two before it that read
//   pg_database_owner      has the current database's owner as its only member; owns schema public
//
// Not there: those whose deeds this server does not know at all, pg_read_server_files, pg_write_server_files and
// pg_execute_server_program (COPY of a server's files and programs), pg_checkpoint (CHECKPOINT), pg_stat_scan_tables
// (functions of monitoring extensions).
//
// Shard    Pure.
// Source   PostgreSQL 15 manual, section 22.5; their oids are PostgreSQL's.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define ROLE_DATABASE_OWNER "pg_database_owner"
#define ROLE_READ_ALL_DATA "pg_read_all_data"
#define ROLE_WRITE_ALL_DATA "pg_write_all_data"
#define ROLE_READ_ALL_STATS "pg_read_all_stats"

#define ROLES_PREDEFINED 7u
struct role_predefined {
    uint32_t id;
    const char *name;
    const char *system_privilege; // Which it has; or NULL.
    const char *member_of[2];     // Or NULL.
};
// In the order of names.
extern const struct role_predefined roles_predefined[ROLES_PREDEFINED];

// Whether the name is among those that only the server gives: one of these, or for others to come.
bool role_name_is_reserved(const char *name);
bool role_id_is_predefined(uint32_t id);
// The predefined role that stands for a system privilege; NULL: none.
const char *role_of_system_privilege(const char *privilege);
