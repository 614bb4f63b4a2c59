// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions about the session and the server: who, where, which version, which settings.
#include <string.h>

#include "core/linger.h"
#include "core/shard.h"
#include "core/text.h"
#include "core/version.h"
#include "sql/type/array.h"
#include "sql/type/datetime.h"
#include "sql/type/encoding.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_xid.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/wire/pgwire.h"
#include "sql/session/session_role.h"
#include "sql/session/shard_state.h"
#include "sql/session/vars.h"


static struct status no_session(void)
{
    return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
}
#define NEED_SESSION() \
    if (call->session == NULL || call->task == NULL) return no_session()

// --- current_... ---------------------------------------------------------------------------------------

BODY(current_database)
{
    (void)args;
    NEED_SESSION();
    *result = datum_text(call->session->database);
    return STATUS_OK;
}

BODY(current_user)
{
    (void)args;
    NEED_SESSION();
    *result = datum_text(call->session->user);
    return STATUS_OK;
}

BODY(session_user)
{
    (void)args;
    NEED_SESSION();
    *result = datum_text(call->session->session_user);
    return STATUS_OK;
}

// The schemas of the search path that exist, in `names`.
static struct status existing_schemas(
    struct function_call *call, const char **names, uint32_t max, uint32_t *count)
{
    struct session *session = call->session;
    *count = 0;
    for (uint32_t i = 0; session->search_path != NULL && session->search_path[i] != NULL; i++) {
        const char *name = session->search_path[i];
        const struct schema_desc *schema = NULL;
        if (*count == max) break;
        if (name == session->temp_name) continue;
        if (catalog_virtual_schema(name) == NULL) {
            struct status st =
                catalog_schema(call->task, session, NULL, name, true, &schema);
            if (failed(st)) return st;
            if (schema == NULL) continue;
        }
        names[(*count)++] = name;
    }
    return STATUS_OK;
}

#define PATH_MAX_SCHEMAS 64

BODY(current_schema)
{
    const char *names[PATH_MAX_SCHEMAS];
    uint32_t count;
    (void)args;
    NEED_SESSION();
    struct status st = existing_schemas(call, names, PATH_MAX_SCHEMAS, &count);
    *result = count == 0 ? DATUM_NULL : datum_text(names[0]);
    return st;
}

BODY(current_schemas)
{
    const char *names[PATH_MAX_SCHEMAS + 1];
    uint32_t count;
    NEED_SESSION();
    struct status st = existing_schemas(call, names + 1, PATH_MAX_SCHEMAS, &count);
    bool implicit = args[0].boolean;
    for (uint32_t i = 1; i <= count; i++)
        if (strcmp(names[i], "pg_catalog") == 0) implicit = false; // Written out: it is there anyway.
    names[0] = "pg_catalog";
    *result = pg_text_array(call->arena, TYPE_NAME, implicit ? names : names + 1, count + implicit);
    return st;
}

BODY(current_query)
{
    (void)args;
    NEED_SESSION();
    const char *text = call->session->statement_text;
    *result = text == NULL ? DATUM_NULL : datum_text(text);
    return STATUS_OK;
}

// --- the server ----------------------------------------------------------------------------------------

BODY(version)
{
    (void)args;
    *result = datum_text(
        arena_printf(call->arena, "PostgreSQL 15.0 (%s)", version_line(call->arena)));
    return STATUS_OK;
}

BODY(backend_pid)
{
    (void)args;
    NEED_SESSION();
    *result = datum_int(pgwire_process(call->session));
    return STATUS_OK;
}

BODY(start_time)
{
    (void)args;
    NEED_SESSION();
    *result = datum_int(sql_shard(call->session->shard)->started_us);
    return STATUS_OK;
}

BODY(no)
{
    (void)args;
    (void)call;
    *result = datum_bool(false);
    return STATUS_OK;
}

BODY(zero)
{
    (void)args;
    (void)call;
    *result = datum_int(0);
    return STATUS_OK;
}

BODY(null)
{
    (void)args;
    (void)call;
    *result = DATUM_NULL;
    return STATUS_OK;
}

// Who keeps a SERIALIZABLE READ ONLY DEFERRABLE transaction waiting: such ones do not wait.
BODY(nobody)
{
    (void)args;
    return array_make(call->arena, TYPE_INT4, NULL, 0, result);
}

// "host:port" of the client; NULL for the server's own sessions.
// The host of "127.0.0.1:5432" or "[::1]:5432"; NULL of no such address.
static struct status address_host(struct function_call *call, const char *address, struct datum *result)
{
    const char *port = strrchr(address, ':');
    *result = DATUM_NULL;
    if (port == NULL) return STATUS_OK;
    struct bytes text = bytes_of(address, (size_t)(port - address));
    if (text.size > 2 && text.data[0] == '[') text = bytes_of(text.data + 1, text.size - 2);
    return type_input(call->arena, call->context, TYPE_OF(TYPE_INET), text, result);
}

static struct datum address_port(const char *address)
{
    int64_t number = 0;
    const char *port = strrchr(address, ':');
    return port != NULL && text_parse_i64(bytes_of_string(port + 1), &number) ? datum_int(number) : DATUM_NULL;
}

BODY(client_address)
{
    (void)args;
    NEED_SESSION();
    return address_host(call, call->session->client_address, result);
}

BODY(client_port)
{
    (void)args;
    NEED_SESSION();
    *result = address_port(call->session->client_address);
    return STATUS_OK;
}

BODY(server_address)
{
    (void)args;
    NEED_SESSION();
    return address_host(call, call->session->server_address, result);
}

BODY(server_port)
{
    (void)args;
    NEED_SESSION();
    *result = address_port(call->session->server_address);
    return STATUS_OK;
}

// --- encodings -----------------------------------------------------------------------------------------

BODY(encoding_to_char)
{
    (void)call;
    *result = datum_text(encoding_name(args[0].integer));
    return STATUS_OK;
}

BODY(encoding_number)
{
    (void)call;
    *result = datum_int(encoding_find(datum_as_bytes(args[0])));
    return STATUS_OK;
}

BODY(client_encoding)
{
    (void)args;
    NEED_SESSION();
    *result = datum_text(vars_get(call->session, "client_encoding"));
    return STATUS_OK;
}

BODY(database_encoding)
{
    (void)args;
    (void)call;
    *result = datum_text("UTF8");
    return STATUS_OK;
}

BODY(encoding_length)
{
    (void)call;
    int32_t bytes = encoding_character_bytes(args[0].integer);
    *result = bytes == 0 ? DATUM_NULL : datum_int(bytes);
    return STATUS_OK;
}

// --- settings ------------------------------------------------------------------------------------------

BODY(setting)
{
    NEED_SESSION();
    char *name = arena_string(call->arena, datum_as_bytes(args[0]));
    const char *value = vars_get(call->session, name);
    *result = value == NULL ? DATUM_NULL : datum_text(arena_strdup(call->arena, value));
    if (value != NULL || (call->arg_count > 1 && args[1].boolean)) return STATUS_OK;
    return vars_unknown(call->arena, name);
}

BODY(set_setting)
{
    NEED_SESSION();
    if (args[0].null)
        return status_make(E_NULL_VALUE_NOT_ALLOWED, "SET requires parameter name");
    char *name = arena_string(call->arena, datum_as_bytes(args[0]));
    char *value = args[1].null ? NULL : arena_string(call->arena, datum_as_bytes(args[1]));
    bool local = !args[2].null && args[2].boolean;
    struct status st =
        session_set_variable(call->task, call->session, call->arena, name, value, local ? VARS_LOCAL : VARS_SESSION);
    if (failed(st)) return st;
    const char *now = vars_get(call->session, name);
    *result = now == NULL ? DATUM_NULL : datum_text(arena_strdup(call->arena, now));
    return STATUS_OK;
}

// --- waiting -------------------------------------------------------------------------------------------

#define SLEEP_SECONDS_MAX 31536000.0 // A year: longer is as good as for ever.

BODY(sleep_seconds)
{
    NEED_SESSION();
    double seconds = args[0].real;
    (void)result;
    if (!(seconds > 0)) return STATUS_OK;
    if (seconds > SLEEP_SECONDS_MAX) seconds = SLEEP_SECONDS_MAX;
    if (!linger_begin(call->task)) return linger_refused();
    struct status st = task_sleep(call->task, (uint64_t)(seconds * 1e9));
    linger_end(call->task);
    return st;
}

BODY(sleep_for)
{
    struct interval interval;
    struct datum seconds;
    memcpy(&interval, args[0].data, sizeof interval);
    seconds = datum_real((double)interval.us / 1e6 +
                         86400.0 * ((double)interval.days + 30.0 * (double)interval.months));
    return sleep_seconds(call, &seconds, result);
}

BODY(sleep_until)
{
    NEED_SESSION();
    int64_t now = session_now_us(call->session->shard);
    struct datum seconds = datum_real(((double)args[0].integer - (double)now) / 1e6);
    return sleep_seconds(call, &seconds, result);
}

// --- what is not there ---------------------------------------------------------------------------------

#define REFUSED(fn_, what_) \
    BODY(fn_) \
    { \
        (void)call; \
        (void)args; \
        *result = DATUM_NULL; \
        return status_make(E_FEATURE_NOT_SUPPORTED, what_ " not supported"); \
    }
REFUSED(no_channels, "LISTEN and NOTIFY are")
REFUSED(no_wal, "write-ahead log positions are")
REFUSED(no_snapshots, "exported snapshots are")

// Both count from the last transaction there was; PostgreSQL's own come before all of them.
BODY(xid_age)
{
    (void)call;
    const uint32_t id = (uint32_t)args[0].integer;
    *result = datum_int(id < PG_XID_FIRST ? INT32_MAX : (int32_t)(PG_XID_FIRST - id));
    return STATUS_OK;
}
BODY(mxid_age)
{
    (void)call;
    const uint32_t id = (uint32_t)args[0].integer;
    *result = datum_int(id < PG_MXID_FIRST ? INT32_MAX : (int32_t)(PG_MXID_FIRST - id));
    return STATUS_OK;
}

#define STABLE_0(name_, oid_, result_, fn_) \
    SCALAR_NO_ARGS(name_, oid_, result_, fn_, FUNCTION_STABLE)
#define VOLATILE_0(name_, oid_, result_, fn_) \
    SCALAR_NO_ARGS(name_, oid_, result_, fn_, FUNCTION_VOLATILE)
#define VOLATILE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = FUNCTION_VOLATILE, FN_ARGS(__VA_ARGS__)}

static const struct function functions[] = {
    STABLE_0("current_database", 861, NAME, current_database),
    STABLE_0("current_user", 745, NAME, current_user),
    STABLE_0("session_user", 746, NAME, session_user),
    STABLE_0("current_schema", 1402, NAME, current_schema),
    STABLE("current_schemas", 1403, NAME_ARRAY, current_schemas, TYPE_BOOL),
    VOLATILE_0("current_query", 817, TEXT, current_query),
    STABLE_0("version", 89, TEXT, version),
    STABLE_0("pg_backend_pid", 2026, INT4, backend_pid),
    STABLE_0("pg_postmaster_start_time", 2560, TIMESTAMPTZ, start_time),
    STABLE_0("pg_conf_load_time", 2034, TIMESTAMPTZ, start_time),
    VOLATILE_0("pg_is_in_recovery", 3810, BOOL, no),
    VOLATILE_0("pg_jit_available", 315, BOOL, no),
    STABLE_0("pg_my_temp_schema", 2854, OID, zero),
    STABLE("pg_is_other_temp_schema", 2855, BOOL, no, TYPE_OID),
    STABLE_0("inet_client_addr", 2196, INET, client_address),
    STABLE_0("inet_client_port", 2197, INT4, client_port),
    STABLE_0("inet_server_addr", 2198, INET, server_address),
    STABLE_0("inet_server_port", 2199, INT4, server_port),
    STABLE("pg_encoding_to_char", 1597, NAME, encoding_to_char, TYPE_INT4),
    STABLE("pg_char_to_encoding", 1264, INT4, encoding_number, TYPE_NAME),
    SCALAR("pg_encoding_max_length", 2319, INT4, encoding_length, TYPE_INT4),
    STABLE_0("getdatabaseencoding", 1039, NAME, database_encoding),
    STABLE_0("pg_client_encoding", 810, NAME, client_encoding),
    STABLE("current_setting", 2077, TEXT, setting, TYPE_TEXT),
    STABLE("current_setting", 3294, TEXT, setting, TYPE_TEXT, TYPE_BOOL),
    {.name = "set_config",
        .kind = FUNCTION_SCALAR,
        .oid = 2078,
        .result = TYPE_TEXT,
        .fn = set_setting,
        .volatility = FUNCTION_VOLATILE,
        FN_ARGS(TYPE_TEXT, TYPE_TEXT, TYPE_BOOL)},
    VOLATILE("pg_safe_snapshot_blocking_pids", 3376, INT4_ARRAY, nobody, TYPE_INT4),
    VOLATILE_0("pg_notification_queue_usage", 3296, FLOAT8, zero),      // LISTEN and NOTIFY are refused.
    STABLE("pg_column_compression", 2121, TEXT, null, TYPE_ANY),        // Values are not compressed one by one.
    STABLE("pg_partition_root", 3424, REGCLASS, null, TYPE_REGCLASS),   // No table is part of another.
    STABLE("pg_collation_actual_version", 3448, TEXT, null, TYPE_OID),
    VOLATILE("pg_sleep", 2626, VOID, sleep_seconds, TYPE_FLOAT8),
    VOLATILE("pg_sleep_for", 3935, VOID, sleep_for, TYPE_INTERVAL),
    VOLATILE("pg_sleep_until", 3936, VOID, sleep_until, TYPE_TIMESTAMPTZ),
    VOLATILE("pg_notify", 3036, VOID, no_channels, TYPE_TEXT, TYPE_TEXT),
    VOLATILE_0("pg_current_wal_lsn", 2849, PG_LSN, no_wal),
    VOLATILE_0("pg_current_wal_insert_lsn", 2852, PG_LSN, no_wal),
    VOLATILE_0("pg_current_wal_flush_lsn", 3330, PG_LSN, no_wal),
    VOLATILE_0("pg_export_snapshot", 3809, TEXT, no_snapshots),
    STABLE("age", 1181, INT4, xid_age, TYPE_XID),
    STABLE("mxid_age", 3939, INT4, mxid_age, TYPE_XID),
};

void pg_functions_register(void)
{
    function_register(functions, TABLE_COUNT(functions));
}
