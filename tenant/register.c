// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tenant layer adds to the registries below: tables, statements, settings, functions of routing.
#include <string.h>

#include "core/invariant.h"
#include "kv/admin.h"
#include "sql/catalog/bootstrap.h"
#include "sql/wire/pgwire.h"
#include "sql/service/settings.h"
#include "sql/service/zone_bounds.h"
#include "tenant/internal.h"
#include "tenant/profile.h"

static const char *const tenants_rows[] = {
    "INSERT INTO system.public.tenants (id, active, name, data_state, service_mode) "
    "VALUES (1, true, 'system', 1, 2)",
    NULL,
};
static const char *const id_rows[] = {
    "INSERT INTO system.public.tenant_id_seq (id, last_id) VALUES (1, 1)",
    NULL,
};

static const struct bootstrap_table tables[] = {
    {.id = SYSTEM_TENANT_FIRST,
        .ddl = "CREATE TABLE system.public.tenants (id int8 PRIMARY KEY, active bool NOT NULL, info bytea, "
               "name text UNIQUE, data_state int8 NOT NULL, service_mode int8 NOT NULL, "
               "replication_job_id int8, source_id text, activation_wall int8, activation_logical int8)",
        .system_only = true,
        .protected = true,
        .rows = tenants_rows},
    {.id = SYSTEM_TENANT_FIRST + 1,
        .ddl = "CREATE TABLE system.public.tenant_id_seq (id int8 PRIMARY KEY, last_id int8 NOT NULL)",
        .system_only = true,
        .protected = true,
        .rows = id_rows},
    {.id = SYSTEM_TENANT_FIRST + 2,
        .ddl = "CREATE TABLE system.public.tenant_settings (tenant_id int8, name text, "
               "last_updated timestamptz NOT NULL, value text NOT NULL, value_type text NOT NULL, "
               "reason text, PRIMARY KEY (tenant_id, name))",
        .system_only = true,
        .protected = true},
    {.id = SYSTEM_TENANT_FIRST + 3,
        .ddl = "CREATE TABLE system.public.tenant_capabilities (tenant_id int8, name text, "
               "value text NOT NULL, PRIMARY KEY (tenant_id, name))",
        .system_only = true,
        .protected = true},
    {.id = SYSTEM_TENANT_FIRST + 4,
        .ddl = "CREATE TABLE system.public.config_profiles (name text PRIMARY KEY, applied timestamptz NOT NULL)",
        .system_only = true},
};

static const char *const authorization_modes[] = {"on", "allow-all", "v222", NULL};

static const struct setting settings[] = {
    {.name = "server.controller.default_target_cluster",
        .alias = "server.controller.default_tenant",
        .type = SETTING_STRING,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "system",
        .description = "the virtual cluster of connections that name none"},
    {.name = "server.controller.mux_virtual_cluster_wait.timeout",
        .type = SETTING_DURATION,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "10s",
        .description = "how long a connection waits for the default virtual cluster to be served",
        .hidden = true},
    {.name = "server.virtual_cluster_authorization.mode",
        .alias = "server.secondary_tenants.authorization.mode",
        .type = SETTING_ENUM,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "on",
        .description = "how capabilities of virtual clusters are enforced",
        .hidden = true,
        .choices = authorization_modes},
    {.name = "bulkio.stream_ingestion.standby_read_ts_poll_interval",
        .type = SETTING_DURATION,
        .class = SETTING_APPLICATION,
        .default_value = "15s",
        .description = "how often a virtual cluster that reads from a standby moves to the newest replicated time",
        .hidden = true,
        .minimum = 1e8,
        .maximum = 8.64e13},
    {.name = "sql.create_virtual_cluster.default_template",
        .type = SETTING_STRING,
        .class = SETTING_APPLICATION,
        .default_value = "",
        .description = "the virtual cluster that CREATE VIRTUAL CLUSTER without LIKE copies its configuration from"},
    {.name = "sql.error_tip_system_interface.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "false",
        .description = "whether errors of operators' statements point to the system interface",
        .hidden = true},
    {.name = "kv.rangefeed.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "false",
        .description = "whether replication and change streams may be started"},
    {.name = "cluster.organization",
        .type = SETTING_STRING,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "",
        .description = "the organization that runs this cluster"},
    {.name = "enterprise.license",
        .type = SETTING_STRING,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "",
        .description = "a licence key that scripts may set; nothing depends on it",
        .secret = true},
};

static const struct statement_handler handlers[] = {
    {STATEMENT_CREATE_VIRTUAL_CLUSTER, HANDLER_NO_TRANSACTION, NULL, tenant_create_execute},
    {STATEMENT_ALTER_VIRTUAL_CLUSTER, HANDLER_NO_TRANSACTION, tenant_alter_describe, tenant_alter_execute},
    {STATEMENT_DROP_VIRTUAL_CLUSTER, HANDLER_NO_TRANSACTION, NULL, tenant_drop_execute},
    {STATEMENT_SHOW_VIRTUAL_CLUSTER, HANDLER_READ_ONLY, tenant_show_describe, tenant_show_execute},
};

// --- routing -------------------------------------------------------------------------------------------

static struct status unavailable(struct arena *arena, const char *name)
{
    return status_hint(arena,
        status_format(arena, E_CONNECTION_EXCEPTION, "service unavailable for target tenant (%s)", name),
        "Double check your \"-ccluster=\" connection option or your \"cluster:\" database name prefix.");
}

static struct status route(
    struct task *task, struct arena *arena, const char *requested, struct pgwire_route *out)
{
    struct status st = STATUS_OK;
    bool by_default = requested == NULL;
    uint64_t deadline = task_now_ns(task) +
                        settings_duration_ns(task->shard, TENANT_SYSTEM,
                            "server.controller.mux_virtual_cluster_wait.timeout");
    for (;;) {
        const char *name = by_default
                               ? settings_string(task->shard, TENANT_SYSTEM, "server.controller.default_target_cluster")
                               : requested;
        const struct served_tenant *service = tenant_lookup(task->shard, name);
        if (service != NULL) {
            *out = (struct pgwire_route){.tenant = service->id,
                .name = arena_strdup(arena, service->name),
                .shard = service->shard,
                .reader = service->record == service->id ? 0 : service->record};
            break;
        }
        if (!by_default || task_now_ns(task) >= deadline) TRY(unavailable(arena, name));
        TRY(task_sleep(task, 20000000u));
    }
out:
    return st;
}

void tenant_register(void)
{
    bootstrap_register(tables, sizeof tables / sizeof tables[0]);
    settings_register(settings, sizeof settings / sizeof settings[0]);
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
    override_register();
    zone_bounds_source = &capability_bounds;
    tenant_job_register();
    service_announcements_register();
    service_readers_register();
    pgwire_route_register(route);
}
