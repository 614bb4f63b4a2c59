// SPDX-License-Identifier: GPL-3.0-or-later
//
// Virtual clusters: their records, states and services on this node.
//
//   data state     add -> ready -> dropping -> (gone)
//   service mode   none -> shared -> stopping -> none
//
// A record is a row of system.tenants in the system virtual cluster. A virtual cluster is served here when its
// service is shared: then every shard knows it by name (tenant_lookup), its settings are loaded and its jobs are
// adopted. Only the system interface changes records.
//
// Shard    Any; everything that takes a task suspends.
// Memory   Results live in the arena given.
// Errors   42704 tenant "x" does not exist; 42710; 22023 on the system virtual cluster; 55000 for a change that the
//          state forbids, with the statement that helps as hint.
// Source   reference: virtual clusters, sections 1 to 8, 13 and 20.
#pragma once
#include "core/arena.h"
#include "core/hlc.h"
#include "core/shard.h"
#include "core/status.h"
#include "core/task.h"
#include "sql/session/session.h"
#include "sql/session/statement.h"

#define TENANT_NAME_BYTES_MAX 100u

enum tenant_data_state { TENANT_ADD = 0, TENANT_READY = 1, TENANT_DROPPING = 2 };
enum tenant_service_mode { TENANT_NONE = 0, TENANT_EXTERNAL = 1, TENANT_SHARED = 2, TENANT_STOPPING = 3 };
const char *tenant_data_state_name(enum tenant_data_state state);
const char *tenant_service_mode_name(enum tenant_service_mode mode);

struct tenant {
    uint64_t id;
    const char *name; // NULL while dropping: the name is free again.
    enum tenant_data_state data_state;
    enum tenant_service_mode service_mode;
    int64_t replication_job; // The consumer job that fills it; 0: none.
    uint64_t reads;          // A reader: the virtual cluster whose data it reads (tenant_reader_*); 0: its own.
    int64_t making_job;      // Of a new record: undoes it unless tenant_made is called in time.
    const char *source_id;   // Of prior replication: "cluster-uuid:tenant-id"; NULL: none.
    struct hlc_timestamp activation; // When that ended.
};

// --- records -----------------------------------------------------------------------------------------

// In `session`'s transaction, or in one of its own when NULL. *tenant NULL when there is none.
CHECKED struct status tenant_read(struct task *task, struct session *session, struct arena *arena,
    uint64_t id, struct tenant **tenant);
CHECKED struct status tenant_read_by_name(struct task *task, struct session *session,
    struct arena *arena, const char *name, struct tenant **tenant);
// In the order of ids.
CHECKED struct status tenant_list(struct task *task, struct session *session, struct arena *arena,
    struct tenant ***tenants, uint32_t *count);
// The record that a statement names; 42704 when there is none.
CHECKED struct status tenant_resolve(
    struct statement_context *context, const struct tenant_spec *spec, struct tenant **tenant);
// The name in a statement that makes one: checked (42601), not looked up.
CHECKED struct status tenant_spec_name(
    struct statement_context *context, const struct tenant_spec *spec, const char **name);

// Writes a new record in state `add`, with the next id; `name` NULL: "tenant-ID". 42710 when the name is taken.
// Whoever makes it ends with tenant_made or tenant_unmake; when its node goes down another one does the latter.
CHECKED struct status tenant_create_record(
    struct task *task, struct arena *arena, const char *name, struct tenant **tenant);
// In the transaction that makes it ready, or gives it a consumer: it is to stay.
CHECKED struct status tenant_made(
    struct task *task, struct session *session, const struct tenant *tenant);
// Drops what is half made, also when the task was cancelled; its name is free at once.
CHECKED struct status tenant_unmake(struct task *task, const struct tenant *tenant);
// Copies capabilities and setting overrides.
CHECKED struct status tenant_copy_configuration(
    struct task *task, uint64_t from, uint64_t to);
// Changes the state, if it is `from` now; 55000 otherwise.
CHECKED struct status tenant_set_data_state(
    struct task *task, uint64_t id, enum tenant_data_state from, enum tenant_data_state to);
CHECKED struct status tenant_set_replication_job(struct task *task, uint64_t id, int64_t job);
CHECKED struct status tenant_set_prior_replication(
    struct task *task, uint64_t id, const char *source_id, struct hlc_timestamp activation);

// CREATE VIRTUAL CLUSTER by itself: record, ranges, first contents, ready. All of it or nothing; conflicts with others
// (40001) are tried again.
CHECKED struct status tenant_create(
    struct task *task, struct arena *arena, const char *name, uint64_t like, struct tenant **tenant);
// Marks it dropping and starts its GC job; with `now` waits until the data is gone.
CHECKED struct status tenant_drop(struct task *task, uint64_t id, bool now);

// --- readers -----------------------------------------------------------------------------------------

// A reader is a virtual cluster NAME-readonly, without data of its own: its sessions read another one, NAME, which
// replication fills, at a time that follows the replicated one, and write nothing. Users and settings are the other's,
// too. It is `add` until that time is known, then ready and served; it goes when NAME is dropped, cut over to a time
// before, or follows another cluster; cut over to the latest time it stays, at that time.
CHECKED struct status tenant_reader_name(
    struct arena *arena, const char *source, const char **name); // 22023 when that would be too long.
CHECKED struct status tenant_reader_find(struct task *task, struct session *session, struct arena *arena,
    uint64_t source, struct tenant **reader);
// In the session's transaction; there already is done. 42710 when its name is taken.
CHECKED struct status tenant_reader_insert(struct task *task, struct session *session, struct arena *arena,
    uint64_t source, const char *source_name);
// The replicated time is known. None, or done already, is done.
CHECKED struct status tenant_reader_open(struct task *task, uint64_t source);
CHECKED struct status tenant_reader_drop(struct task *task, uint64_t source);

// Whether the virtual cluster has a capability. The system virtual cluster has all.
CHECKED struct status tenant_has_capability(
    struct task *task, uint64_t tenant, const char *name, bool *has);

// --- service -----------------------------------------------------------------------------------------

CHECKED struct status tenant_start_service(struct task *task, uint64_t id);
// Ends the sessions and jobs of the virtual cluster on this node.
CHECKED struct status tenant_stop_service(struct task *task, uint64_t id);

struct served_tenant {
    uint64_t id;     // Whose data.
    uint64_t record; // Of system.tenants: another id is a reader's.
    struct hlc_timestamp read_ts; // A reader's time.
    char name[TENANT_NAME_BYTES_MAX + 1];
    uint32_t shard; // That leads its slice.
};
// Served here? On this shard's own list: does not suspend. NULL when not.
const struct served_tenant *tenant_lookup(struct shard *shard, const char *name);
const struct served_tenant *tenant_lookup_id(struct shard *shard, uint64_t id);
const struct served_tenant *tenant_service_at(struct shard *shard, uint32_t index); // NULL past the end.

// Starts what the records say is served, finishes what a crash has left half done, and starts the system
// virtual cluster's jobs. Once, on shard 0, after kv_start and bootstrap.
CHECKED struct status tenant_node_start(struct task *task);
CHECKED struct status tenant_node_stop(struct task *task);

// --- replication's part of the statements, filled in by the layer above -----------------------------------

struct tenant_replication_hooks {
    // CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF.
    struct status (*create)(struct statement_context *context);
    // ALTER VIRTUAL CLUSTER ... {PAUSE, RESUME, COMPLETE, SET, START} REPLICATION.
    struct status (*alter)(struct statement_context *context);
    struct status (*alter_describe)(struct statement_context *context,
        const struct result_column **columns, uint32_t *count);
    // What SHOW says instead of `add`; NULL: nothing else.
    struct status (*state_name)(struct task *task, struct arena *arena, const struct tenant *tenant,
        const char **name);
    // The columns from source_tenant_name on of WITH REPLICATION STATUS (TENANT_STATUS_COLUMNS datums; `status`
    // excepted for tenants that are not replicating).
    struct status (*status)(struct task *task, struct arena *arena, const struct tenant *tenant,
        struct datum *values);
    // The newest time at which it may be read through a reader; zero: none yet.
    struct status (*reader_time)(struct task *task, struct arena *arena, const struct tenant *tenant,
        struct hlc_timestamp *ts);
    // Before a virtual cluster is dropped: ends its consumer job.
    struct status (*dropping)(struct task *task, const struct tenant *tenant);
};
// source_tenant_name, source_cluster_uri, replication_job_id, replicated_time, retained_time, cutover_time,
// replication_lag, failover_time, ingestion_job_id, status.
#define TENANT_STATUS_COLUMNS 10u
void tenant_replication_register(const struct tenant_replication_hooks *hooks);

// Registers tables, statements, settings, routes and pgwire's routing. Once, before shards start.
void tenant_register(void);

// 42501 unless the session is in the system virtual cluster: `what` is "create", "drop", "show", ...
CHECKED struct status tenant_require_system(struct session *session, const char *what);
