// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between the tenant layer's own files. Not for others.
#pragma once
#include "sql/session/statement.h"
#include "tenant/tenant.h"

extern const struct tenant_replication_hooks *tenant_replication; // NULL before repl registers.

struct status tenant_create_execute(struct statement_context *context);
struct status tenant_alter_execute(struct statement_context *context);
struct status tenant_alter_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count);
struct status tenant_drop_execute(struct statement_context *context);
struct status tenant_show_execute(struct statement_context *context);
struct status tenant_show_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count);

// The privilege that all of it needs.
struct status tenant_require_manager(struct statement_context *context, const char *what);

// capability.c
extern const struct zone_bounds_source capability_bounds;
struct status capability_grant(struct statement_context *context, const struct tenant *tenant, bool grant);
struct capability_value {
    const char *name, *value;
};
#define CAPABILITY_COUNT 13u
struct status capability_list(struct task *task, struct arena *arena, uint64_t tenant,
    struct capability_value values[CAPABILITY_COUNT]);

// override.c
struct status override_execute(struct statement_context *context);
// SHOW CLUSTER SETTING[S] ... FOR VIRTUAL CLUSTER: hooked into the sql layer's handlers.
struct status override_show(struct statement_context *context);
struct status override_show_all(struct statement_context *context);
struct status override_show_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count);
void override_register(void);

// record.c
// One row: an id that was never given before.
struct internal_result;
struct status tenant_next_id(struct task *task, struct session *session, struct arena *arena,
    struct internal_result *result);

// reader.c
uint64_t reader_info_decode(struct datum info); // Of system.tenants; 0: it reads its own data.
// At which the virtual cluster `source` may be read; zero: not yet.
struct status reader_time(struct task *task, uint64_t source, struct hlc_timestamp *ts);
struct status reader_poll_start(struct task *task, uint64_t record);
// Stops its service and forgets it: it has no data.
struct status tenant_reader_erase(struct task *task, const struct tenant *reader);

// service.c
const struct served_tenant *tenant_lookup_record(struct shard *shard, uint64_t record);
struct status service_read_time_set(struct task *task, uint64_t record, struct hlc_timestamp ts);
void service_readers_register(void);
struct status tenant_forget_records(struct task *task, uint64_t id);
void service_rename(struct task *task, uint64_t id, const char *name);
void service_announcements_register(void);
void tenant_job_register(void);
// Writes the job that undoes a virtual cluster which stays half made.
struct status tenant_making_job_create(
    struct task *task, struct session *session, uint64_t id, int64_t *job);
