// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog views of what goes on: sessions, prepared statements, cursors; and time zones.
#include <stdio.h>
#include <string.h>

#include "core/env.h"
#include "core/shard.h"
#include "core/text.h"
#include "core/tls.h"
#include "sql/insight/activity.h"
#include "sql/type/datetime.h"
#include "sql/session/cursor.h"
#include "sql/session/execute.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/wire/pgwire.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"
#include "sql/type/timezone.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

// --- sessions ----------------------------------------------------------------------------------------------

static const char *state_of(const struct activity *activity)
{
    if (activity->statement != NULL) return "active";
    return activity->txn_state == TXN_OPEN     ? "idle in transaction"
           : activity->txn_state == TXN_FAILED ? "idle in transaction (aborted)"
                                               : "idle";
}

static void put_client(struct pg_row *row, struct session *session, struct arena *arena, const char *address)
{
    const char *port = strrchr(address, ':');
    struct datum client;
    int64_t number;
    if (port == NULL) return;
    struct bytes host = bytes_of(address, (size_t)(port - address));
    if (host.size > 2 && host.data[0] == '[') host = bytes_of(host.data + 1, host.size - 2);
    if (!failed(type_input(arena, &session->types, TYPE_OF(TYPE_INET), host, &client)))
        pg_put(row, "client_addr", client);
    if (text_parse_i64(bytes_of_string(port + 1), &number)) pg_put_int(row, "client_port", number);
}

// PostgreSQL's rule: what others do is shown to themselves and to those who may see all.
static struct status activity_row(struct task *task, struct session *session,
    struct virtual_table_sink *sink, struct arena *arena, const struct activity *activity, bool all)
{
    struct status st = STATUS_OK;
    uint32_t user = 0;
    const struct database_desc *database = NULL;
    bool member = all;
    struct pg_row row;
    if (!member) TRY(role_is_member(task, session, session->user, activity->user, &member));
    TRY(catalog_database(task, session, activity->database, true, &database));
    st = role_id(task, session, activity->user, &user);
    if (failed(st) && !status_is(st, E_UNDEFINED_OBJECT)) return st;
    pg_row_begin(&row, sink);
    if (database != NULL) pg_put_int(&row, "datid", pg_oid(database->id));
    pg_put_text(&row, "datname", activity->database);
    pg_put_int(&row, "pid", activity->process);
    pg_put_int(&row, "usesysid", user);
    pg_put_text(&row, "usename", activity->user);
    pg_put_text(&row, "query", member ? (activity->statement == NULL ? activity->last_statement : activity->statement) : "<insufficient privilege>");
    if (member) {
        pg_put_text(&row, "application_name", activity->application);
        put_client(&row, session, arena, activity->address);
        pg_put_int(&row, "backend_start", activity->start_us);
        if (activity->txn_state != TXN_IDLE) pg_put_int(&row, "xact_start", activity->txn_us);
        if (activity->statement_us != 0) pg_put_int(&row, "query_start", activity->statement_us);
        pg_put_text(&row, "state", state_of(activity));
        pg_put_text(&row, "backend_type", "client backend");
    }
    st = pg_row_send(&row);
out:
    return st;
}

ROWS(activity_rows)
{
    struct status st;
    struct activity_list list = {0};
    struct arena arena;
    bool all = session->superuser || session->internal;
    arena_init(&arena, NULL); // Filled in on several shards.
    if (!all) TRY(privilege_has_system(task, session, session->user, "VIEWACTIVITY", &all));
    TRY(activity_list(task, session->tenant, true, &arena, &list));
    for (const struct activity *at = list.items; at < list.items + list.count; at++)
        TRY(activity_row(task, session, sink, &arena, at, all));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// Whose connection is encrypted, and how: one's own, and all to those who may see all.
static struct status each_connection(struct task *task, struct session *session,
    struct virtual_table_sink *sink,
    struct status (*send)(struct pg_row *row, const struct activity *activity, bool may_see))
{
    struct status st;
    struct pg_row row;
    struct activity_list list = {0};
    struct arena arena;
    bool all = session->superuser || session->internal;
    arena_init(&arena, NULL);
    if (!all) TRY(privilege_has_system(task, session, session->user, "VIEWACTIVITY", &all));
    TRY(activity_list(task, session->tenant, true, &arena, &list));
    for (const struct activity *at = list.items; at < list.items + list.count; at++) {
        bool member = all;
        if (!member) TRY(role_is_member(task, session, session->user, at->user, &member));
        pg_row_begin(&row, sink);
        pg_put_int(&row, "pid", at->process);
        TRY(send(&row, at, member));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status ssl_row(struct pg_row *row, const struct activity *activity, bool may_see)
{
    if (!may_see) return pg_row_send(row);
    pg_put_bool(row, "ssl", activity->tls_version != NULL);
    if (activity->tls_version != NULL) {
        pg_put_text(row, "version", activity->tls_version);
        pg_put_text(row, "cipher", activity->tls_cipher);
        pg_put_int(row, "bits", activity->tls_bits);
        pg_put_text(row, "client_dn", activity->tls_peer);
    }
    return pg_row_send(row);
}

ROWS(ssl_rows)
{
    return each_connection(task, session, sink, ssl_row);
}

static struct status gssapi_row(struct pg_row *row, const struct activity *activity, bool may_see)
{
    (void)activity;
    if (may_see) {
        pg_put_bool(row, "gss_authenticated", false);
        pg_put_bool(row, "encrypted", false);
    }
    return pg_row_send(row);
}

ROWS(gssapi_rows)
{
    return each_connection(task, session, sink, gssapi_row);
}

// Counters that nobody keeps are NULL.
ROWS(database_stat_rows)
{
    struct status st;
    struct activity_list list = {0};
    struct arena arena;
    const struct database_desc **databases;
    uint32_t count;
    struct pg_row row;
    arena_init(&arena, NULL);
    TRY(activity_list(task, session->tenant, true, &arena, &list));
    TRY(catalog_list_databases(task, session, &arena, &databases, &count));
    for (uint32_t i = 0; i < count; i++) {
        int64_t sessions = 0;
        for (const struct activity *at = list.items; at < list.items + list.count; at++)
            sessions += strcmp(at->database, databases[i]->name) == 0;
        pg_row_begin(&row, sink);
        pg_put_int(&row, "datid", pg_oid(databases[i]->id));
        pg_put_text(&row, "datname", databases[i]->name);
        pg_put_int(&row, "numbackends", sessions);
        TRY(pg_row_send(&row));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- signals -----------------------------------------------------------------------------------------------

static struct status signal_backend(
    struct function_call *call, int64_t process, bool terminate, struct datum *result)
{
    struct status st;
    bool may, admin, found = false;
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    struct activity_list list = {0};
    struct arena arena;
    const struct activity *target = NULL;
    arena_init(&arena, NULL);
    TRY(activity_list(call->task, call->session->tenant, true, &arena, &list));
    for (uint32_t i = 0; i < list.count; i++)
        if (list.items[i].process != 0 && list.items[i].process == process) target = &list.items[i];
    if (target != NULL) {
        TRY(activity_may_signal(call->task, call->session, target->user, &may, &admin));
        if (!may)
            TRY(status_make(E_INSUFFICIENT_PRIVILEGE,
                admin       ? "must be a superuser to signal a superuser's session"
                : terminate ? "must be a member of the role whose process is being terminated"
                            : "must be a member of the role whose query is being canceled"));
        TRY(activity_signal(call->task, target->node, target->session, terminate, &found));
    }
    if (!found)
        session_notice(call->session, "WARNING",
            status_format(call->arena, SQLSTATE('0', '1', '0', '0', '0'),
                "PID %lld is not a PostgreSQL server process", (long long)process));
    *result = datum_bool(found);
out:
    st = status_copy(call->task->arena, st);
    arena_fini(&arena);
    return st;
}

BODY(cancel_backend)
{
    return signal_backend(call, args[0].integer, false, result);
}

BODY(terminate_backend)
{
    return signal_backend(call, args[0].integer, true, result);
}

#define VOLATILE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)}

static const struct function functions[] = {
    VOLATILE("pg_cancel_backend", 2171, BOOL, cancel_backend, TYPE_INT4),
    VOLATILE("pg_terminate_backend", 2096, BOOL, terminate_backend, TYPE_INT4),
};

// --- of this session ---------------------------------------------------------------------------------------

ROWS(prepared_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    for (const struct prepared *at = session->statements->prepared; at != NULL; at = at->next) {
        if (at->name == NULL || at->name[0] == 0) continue;
        struct datum types;
        struct datum *items = ARENA_ARRAY(&session->statement_arena, struct datum, at->param_count + 1u);
        for (uint32_t i = 0; i < at->param_count; i++) items[i] = datum_int(at->param_types[i].oid);
        TRY(array_make(&session->statement_arena, TYPE_REGTYPE, items, at->param_count, &types));
        pg_row_begin(&row, sink);
        pg_put_text(&row, "name", at->name);
        pg_put(&row, "statement", datum_bytes(at->sent));
        pg_put_int(&row, "prepare_time", at->made_us);
        pg_put_bool(&row, "from_sql", at->from_sql);
        pg_put(&row, "parameter_types", types);
        pg_put(&row, "generic_plans", datum_int((int64_t)at->choice.generic));
        pg_put(&row, "custom_plans", datum_int((int64_t)at->choice.custom));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

static struct status send_cursor(struct virtual_table_sink *sink, const char *name, struct bytes text,
    const struct cursor *cursor)
{
    struct pg_row row;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "name", name);
    pg_put(&row, "statement", datum_bytes(text));
    pg_put_bool(&row, "is_holdable", cursor != NULL && cursor->hold);
    pg_put_bool(&row, "is_binary", cursor != NULL && cursor->binary);
    pg_put_bool(&row, "is_scrollable", cursor != NULL && !cursor->no_scroll);
    if (cursor != NULL) pg_put_int(&row, "creation_time", cursor->created_us);
    return pg_row_send(&row);
}

ROWS(cursor_rows)
{
    struct status st = STATUS_OK;
    (void)task;
    for (const struct portal *at = session->statements->portals; at != NULL; at = at->next)
        if (at->name != NULL && at->name[0] != 0)
            TRY(send_cursor(sink, at->name, at->prepared->text, NULL));
    for (const struct cursor *at = session->statements->cursors; at != NULL; at = at->next)
        TRY(send_cursor(sink, at->name, at->text, at));
out:
    return st;
}

// --- time zones --------------------------------------------------------------------------------------------

static struct datum offset_interval(struct arena *arena, int32_t seconds)
{
    char text[32];
    struct datum value;
    struct bytes bytes =
        bytes_of(text, (size_t)snprintf(text, sizeof text, "%d seconds", seconds));
    struct status st = type_input(arena, &type_context_default, TYPE_OF(TYPE_INTERVAL), bytes, &value);
    return failed(st) ? DATUM_NULL : value;
}

ROWS(zone_rows)
{
    struct status st = STATUS_OK;
    const struct time_zone *zone;
    struct pg_row row;
    struct arena arena;
    int64_t now = task->shard->env->wall_ns(task->shard->env) / 1000000000;
    arena_init(&arena, &session->account);
    for (uint32_t i = 0; (zone = time_zone_at(i)) != NULL; i++) {
        struct time_zone_moment moment = time_zone_moment(zone, now);
        pg_row_begin(&row, sink);
        pg_put_text(&row, "name", time_zone_name(zone));
        pg_put_text(&row, "abbrev", moment.abbreviation);
        pg_put(&row, "utc_offset", offset_interval(&arena, moment.offset_seconds));
        pg_put_bool(&row, "is_dst", moment.daylight);
        TRY(pg_row_send(&row));
        TRY(task_yield_if_due(task));
    }
out:
    arena_fini(&arena);
    return st;
}

ROWS(abbreviation_rows)
{
    struct status st = STATUS_OK;
    const char *name;
    int32_t offset;
    bool daylight;
    struct pg_row row;
    struct arena arena;
    (void)task;
    arena_init(&arena, &session->account);
    for (uint32_t i = 0; time_zone_abbreviation_at(i, &name, &offset, &daylight); i++) {
        pg_row_begin(&row, sink);
        pg_put_text(&row, "abbrev", name);
        pg_put(&row, "utc_offset", offset_interval(&arena, offset));
        pg_put_bool(&row, "is_dst", daylight);
        TRY(pg_row_send(&row));
    }
out:
    arena_fini(&arena);
    return st;
}

static const struct pg_table tables[] = {
    {"pg_stat_activity",
        "datid oid, datname name, pid int4, leader_pid int4, usesysid oid, usename name, "
        "application_name text, client_addr inet, client_hostname text, "
        "client_port int4, backend_start timestamptz, xact_start timestamptz, "
        "query_start timestamptz, state_change timestamptz, wait_event_type text, "
        "wait_event text, state text, backend_xid xid, backend_xmin xid, query_id int8, "
        "query text, backend_type text",
        activity_rows},
    {"pg_stat_ssl",
        "pid int4, ssl bool, version text, cipher text, bits int4, client_dn text, "
        "client_serial numeric, issuer_dn text",
        ssl_rows},
    {"pg_stat_gssapi",
        "pid int4, gss_authenticated bool, principal text, encrypted bool",
        gssapi_rows},
    {"pg_stat_database",
        "datid oid, datname name, numbackends int4, xact_commit int8, "
        "xact_rollback int8, blks_read int8, blks_hit int8, tup_returned int8, "
        "tup_fetched int8, tup_inserted int8, tup_updated int8, tup_deleted int8, "
        "conflicts int8, temp_files int8, temp_bytes int8, deadlocks int8, "
        "checksum_failures int8, checksum_last_failure timestamptz, "
        "blk_read_time float8, blk_write_time float8, session_time float8, "
        "active_time float8, idle_in_transaction_time float8, sessions int8, "
        "sessions_abandoned int8, sessions_fatal int8, sessions_killed int8, "
        "stats_reset timestamptz",
        database_stat_rows},
    {"pg_prepared_statements",
        "name text, statement text, prepare_time timestamptz, parameter_types regtype[], "
        "from_sql bool, generic_plans int8, custom_plans int8",
        prepared_rows},
    {"pg_cursors",
        "name text, statement text, is_holdable bool, is_binary bool, "
        "is_scrollable bool, creation_time timestamptz",
        cursor_rows},
    {"pg_timezone_names",
        "name text, abbrev text, utc_offset interval, is_dst bool",
        zone_rows},
    {"pg_timezone_abbrevs",
        "abbrev text, utc_offset interval, is_dst bool",
        abbreviation_rows},
};

void pg_catalog_activity_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
    function_register(functions, COUNT(functions));
}
