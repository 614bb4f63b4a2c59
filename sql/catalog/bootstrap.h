// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first contents of a virtual cluster: databases system, defaultdb and postgres with their schemas
// public, the system tables, the roles root, admin and public, and the version key.
//
// Layers above add their system tables with bootstrap_register, before anything starts. Table ids are fixed
// (10..49, one owner each), so that every virtual cluster has the same layout: replication moves bytes.
//
// Shard    Any. Suspends.
// Safety   Everything is written in one transaction: an interrupted bootstrap leaves nothing.
// Errors   55000 when the span already holds a catalog.
#pragma once
#include <stdbool.h>

#include "core/status.h"
#include "core/task.h"

enum bootstrap_table_id {
    SYSTEM_USERS = 10,
    SYSTEM_ROLE_MEMBERS = 11,
    SYSTEM_SETTINGS = 12,
    SYSTEM_JOBS = 13,
    SYSTEM_PRIVILEGES = 14,
    SYSTEM_ROLE_SETTINGS = 15,
    SYSTEM_TENANT_FIRST = 20, // 20..34: the tenant layer's.
    SYSTEM_REPL_FIRST = 35,   // 35..49: the replication layer's.
};

struct bootstrap_table {
    uint32_t id;
    const char *ddl;         // "CREATE TABLE system.public.tenants (...)"
    bool system_only;        // Only in the system virtual cluster.
    bool protected;          // Written by the server alone, whoever asks.
    const char *const *rows; // INSERT statements run after it, NULL-terminated; or NULL.
};
void bootstrap_register(const struct bootstrap_table *tables, uint32_t count);
bool bootstrap_is_protected(uint32_t table_id);

struct bootstrap_options {
    const char *version;       // Value of the setting `version`; NULL: this binary's.
    const char *root_verifier; // Root's password as SCRAM verifier; NULL: none.
};
CHECKED struct status bootstrap_tenant(
    struct task *task, uint64_t tenant, const struct bootstrap_options *options);
// Whether the tenant has a catalog.
CHECKED struct status bootstrap_done(struct task *task, uint64_t tenant, bool *done);
