// SPDX-License-Identifier: GPL-3.0-or-later
//
// crdb_internal: tables about the cluster itself, beyond PostgreSQL. Its functions: sql/function/function_cluster.c.
#include <string.h>

#include "kv/key.h"
#include "sql/session/internal.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege_object.h"
#include "sql/service/settings.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

// --- jobs ------------------------------------------------------------------------------------------------------

#define JOB_COLUMNS \
    "job_id int8, job_type text, description text, statement text, user_name text, status text, " \
    "running_status text, created timestamptz, started timestamptz, finished timestamptz, " \
    "modified timestamptz, fraction_completed float8, error text, coordinator_id int8"

// Their own to everybody; all of them to those who may see jobs.
ROWS(job_rows)
{
    struct status st;
    struct arena arena;
    struct internal_result result;
    bool all = session->superuser || session->internal;
    arena_init(&arena, &session->account);
    if (!all) TRY(privilege_has_system(task, session, session->user, "VIEWJOB", &all));
    if (!all) TRY(privilege_has_system(task, session, session->user, "CONTROLJOB", &all));
    struct datum params[] = {datum_bool(all), datum_text(session->user)};
    TRY(internal_query(task, session->tenant, NULL, &arena, &result,
        "SELECT id, job_type, description, statement, user_name, status, running_status, created, "
        "started, finished, modified, fraction_completed, error, coordinator_id "
        "FROM system.public.jobs WHERE $1 OR user_name = $2",
        2, params, (const type_oid[]){TYPE_BOOL, TYPE_TEXT}));
    for (uint64_t i = 0; i < result.row_count; i++)
        TRY(virtual_table_row(sink, result.values + i * result.column_count));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- settings --------------------------------------------------------------------------------------------------

static const char *origin_name(enum setting_origin origin)
{
    static const char *const names[] = {[SETTING_FROM_DEFAULT] = "default",
        [SETTING_FROM_OWN] = "override",
        [SETTING_FROM_SYSTEM] = "system",
        [SETTING_FROM_OVERRIDE] = "external-override"};
    return names[origin];
}

ROWS(setting_rows)
{
    struct status st = STATUS_OK;
    const struct setting *setting;
    struct pg_row row;
    bool may = session->superuser || session->internal;
    if (!may) TRY(privilege_has_system(task, session, session->user, "VIEWCLUSTERSETTING", &may));
    if (!may) TRY(privilege_check_system(task, session, "MODIFYCLUSTERSETTING"));
    TRY(settings_load(task, session->tenant));
    for (uint32_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        enum setting_origin origin;
        if (setting->class == SETTING_SYSTEM_ONLY && session->tenant != TENANT_SYSTEM) continue;
        const char *value = setting_value(session->shard, session->tenant, setting, &origin);
        const char type[] = {(char)setting->type, 0};
        pg_row_begin(&row, sink);
        pg_put_text(&row, "variable", setting->name);
        pg_put_text(&row, "value", value);
        pg_put_text(&row, "type", type);
        pg_put_bool(&row, "public", !setting->hidden);
        pg_put_text(&row, "description", setting->description);
        pg_put_text(&row, "default_value", setting->default_value);
        pg_put_text(&row, "origin", origin_name(origin));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

// --- tables ----------------------------------------------------------------------------------------------------

static struct status table_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    bool seen;
    struct status st = pg_user_has_any_of_table(rows->task, rows->session, table, UINT32_MAX, &seen);
    if (failed(st) || !seen) return st;
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "table_id", table->id);
    pg_put_int(&row, "parent_id", table->database_id);
    pg_put_text(&row, "name", table->name);
    pg_put_text(&row, "database_name", rows->database->name);
    pg_put_int(&row, "version", table->version);
    pg_put_text(&row, "state", "PUBLIC");
    pg_put_text(&row, "schema_name", pg_schema_name(rows, table->schema_id));
    pg_put_int(&row, "parent_schema_id", table->schema_id);
    pg_put_text(&row, "owner", table->owner);
    pg_put_int(&row, "estimated_row_count", (int64_t)table->row_estimate);
    return pg_row_send(&row);
}

ROWS(table_rows)
{
    return pg_each_table(task, session, sink, table_row);
}

static const struct pg_table tables[] = {
    {"jobs", JOB_COLUMNS, job_rows},
    {"cluster_settings",
        "variable text, value text, type text, public bool, description text, "
        "default_value text, origin text",
        setting_rows},
    {"tables",
        "table_id int8, parent_id int8, name text, database_name text, version int8, state text, "
        "schema_name text, parent_schema_id int8, owner text, estimated_row_count int8",
        table_rows},
};

void crdb_internal_register(void)
{
    pg_tables_register("crdb_internal", tables, COUNT(tables));
}
