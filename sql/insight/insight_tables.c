// SPDX-License-Identifier: GPL-3.0-or-later
//
// Statistics of statements and transactions as tables: pg_stat_statements, pg_stat_statements_info; crdb_internal's
// node_statement_statistics, node_transaction_statistics, statement_statistics and transaction_statistics. And the
// functions that reset them.
//
// Everybody sees their own; with VIEWACTIVITY, or as a member of pg_read_all_stats, all of their virtual cluster.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/codec.h"
#include "sql/function/function_table.h"
#include "sql/insight/insight.h"
#include "sql/insight/fingerprint.h"
#include "sql/type/json.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct insight_rows {
    struct task *task;
    struct session *session;
    struct arena arena; // Filled in on several shards: accounted to none.
    struct insight_list list;
    bool all; // Whoever asks may see what others do.
    struct role **roles;
    uint32_t role_count;
};

static struct status may_see_all(struct task *task, struct session *session, bool *all)
{
    struct status st = STATUS_OK;
    *all = session->superuser || session->internal;
    if (!*all) TRY(privilege_has_system(task, session, session->user, "VIEWACTIVITY", all));
    if (!*all) TRY(privilege_has_system(task, session, session->user, "VIEWACTIVITYREDACTED", all));
out:
    return st;
}

typedef struct status (*insight_row_fn)(struct insight_rows *rows, struct pg_row *row, const struct insight *insight);

struct insight_source {
    enum insight_kind kind;
    bool everywhere;
    enum insight_grouping grouping;
    bool others; // Rows of others are shown to everybody, without their text.
    insight_row_fn send;
};

static struct status rows_send(struct task *task, struct session *session, struct virtual_table_sink *sink,
    const struct insight_source *source)
{
    struct status st;
    struct insight_rows rows = {.task = task, .session = session};
    struct pg_row row;
    arena_init(&rows.arena, NULL);
    TRY(may_see_all(task, session, &rows.all));
    TRY(role_list(task, session, &rows.arena, &rows.roles, &rows.role_count));
    TRY(insight_list(task, session->tenant, source->kind, source->everywhere, source->grouping, &rows.arena, &rows.list));
    if (rows.list.silent > 0)
        session_notice(session, "NOTICE", status_format(task->arena, 0,
            "%u nodes do not answer: what they have run is not shown", rows.list.silent));
    for (uint32_t i = 0; i < rows.list.count; i++) {
        const struct insight *insight = rows.list.items[i];
        if (!rows.all && !source->others && strcmp(insight->user, session->user) != 0) continue;
        pg_row_begin(&row, sink);
        TRY(source->send(&rows, &row, insight));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&rows.arena);
    return st;
}

static double mean_of(const struct insight_counts *counts)
{
    return counts->calls == 0 ? 0 : counts->total_ms / (double)counts->calls;
}

// Of the population, as pg_stat_statements has it.
static double variance_of(const struct insight_counts *counts)
{
    return counts->calls < 2 ? 0 : counts->deviation / (double)counts->calls;
}

// --- pg_stat_statements --------------------------------------------------------------------------------

static uint32_t role_oid(const struct insight_rows *rows, const char *name)
{
    for (uint32_t i = 0; i < rows->role_count; i++)
        if (strcmp(rows->roles[i]->name, name) == 0) return rows->roles[i]->id;
    return 0;
}

static const char *const unmeasured[] = {"shared_blks_hit", "shared_blks_read", "shared_blks_dirtied",
    "shared_blks_written", "local_blks_hit", "local_blks_read", "local_blks_dirtied", "local_blks_written",
    "temp_blks_read", "temp_blks_written", "wal_records", "wal_fpi", "wal_bytes", "jit_functions",
    "jit_inlining_count", "jit_optimization_count", "jit_emission_count", "plans"};
static const char *const unmeasured_times[] = {"total_plan_time", "min_plan_time", "max_plan_time", "mean_plan_time",
    "stddev_plan_time", "blk_read_time", "blk_write_time", "temp_blk_read_time", "temp_blk_write_time",
    "jit_generation_time", "jit_inlining_time", "jit_optimization_time", "jit_emission_time"};

// There are no blocks, and no just-in-time compiler: nothing to count.
static struct status put_unmeasured(struct insight_rows *rows, struct pg_row *row)
{
    struct status st = STATUS_OK;
    struct datum zero;
    TRY(type_input(&rows->arena, &rows->session->types, TYPE_OF(TYPE_NUMERIC), bytes_of_string("0"), &zero));
    for (size_t i = 0; i < COUNT(unmeasured); i++)
        pg_put(row, unmeasured[i], strcmp(unmeasured[i], "wal_bytes") == 0 ? zero : datum_int(0));
    for (size_t i = 0; i < COUNT(unmeasured_times); i++) pg_put(row, unmeasured_times[i], datum_real(0));
out:
    return st;
}

static struct status pg_stat_row(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    struct status st;
    const struct insight_counts *counts = &insight->counts;
    const struct database_desc *database = NULL;
    bool shown = rows->all || strcmp(insight->user, rows->session->user) == 0;
    TRY(catalog_database(rows->task, rows->session, insight->database, true, &database));
    pg_put_int(row, "userid", role_oid(rows, insight->user));
    pg_put_int(row, "dbid", database == NULL ? 0 : pg_oid(database->id));
    pg_put_bool(row, "toplevel", true);
    if (shown) pg_put_int(row, "queryid", (int64_t)insight->id);
    pg_put_text(row, "query", shown ? insight->text : "<insufficient privilege>");
    pg_put_int(row, "calls", (int64_t)counts->calls);
    pg_put(row, "total_exec_time", datum_real(counts->total_ms));
    pg_put(row, "min_exec_time", datum_real(counts->min_ms));
    pg_put(row, "max_exec_time", datum_real(counts->max_ms));
    pg_put(row, "mean_exec_time", datum_real(mean_of(counts)));
    pg_put(row, "stddev_exec_time", datum_real(sqrt(variance_of(counts))));
    pg_put_int(row, "rows", (int64_t)counts->rows);
    TRY(put_unmeasured(rows, row));
    st = pg_row_send(row);
out:
    return st;
}

// One row a user, database and text: of which application, and in what transaction, is not PostgreSQL's to tell.
static struct status pg_stat_statement_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    static const struct insight_source source = {
        .kind = INSIGHT_STATEMENTS, .everywhere = true, .grouping = INSIGHT_BY_TEXT, .others = true, .send = pg_stat_row};
    return rows_send(task, session, sink, &source);
}

static struct status pg_stat_info_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct insight_list list;
    struct arena arena;
    struct pg_row row;
    arena_init(&arena, NULL);
    TRY(insight_list(task, session->tenant, INSIGHT_STATEMENTS, true, INSIGHT_BY_TEXT, &arena, &list));
    pg_row_begin(&row, sink);
    pg_put_int(&row, "dealloc", (int64_t)list.evicted);
    pg_put_int(&row, "stats_reset", list.reset_us);
    st = pg_row_send(&row);
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- crdb_internal -------------------------------------------------------------------------------------

static const char *id_text(struct arena *arena, uint64_t id)
{
    return arena_printf(arena, "%016" PRIx64, id);
}

static struct datum id_bytes(struct arena *arena, uint64_t id)
{
    uint8_t *bytes = arena_alloc(arena, 8);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(id >> (56 - 8 * i));
    return datum_bytes(bytes_of(bytes, 8));
}

static struct datum id_texts(struct arena *arena, const struct insight *insight)
{
    const char *items[INSIGHT_STATEMENTS_MAX];
    for (uint32_t i = 0; i < insight->statement_count; i++) items[i] = id_text(arena, insight->statements[i]);
    return pg_text_array(arena, TYPE_TEXT, items, insight->statement_count);
}

static void put_error(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    char state[6];
    if (insight->counts.last_error == 0) return;
    status_sqlstate((struct status){.code = insight->counts.last_error}, state);
    pg_put_text(row, "last_error_code", arena_strdup(&rows->arena, state));
}

static void put_times(struct pg_row *row, const struct insight *insight)
{
    const struct insight_counts *counts = &insight->counts;
    double calls = counts->calls == 0 ? 1 : (double)counts->calls;
    pg_put_int(row, "count", (int64_t)counts->calls);
    pg_put_int(row, "failure_count", (int64_t)counts->failures);
    pg_put_int(row, "max_retries", (int64_t)counts->retries_max);
    pg_put(row, "rows_avg", datum_real((double)counts->rows / calls));
    pg_put(row, "service_lat_avg", datum_real(mean_of(counts) / 1e3));
    pg_put(row, "service_lat_var", datum_real(variance_of(counts) / 1e6));
    pg_put(row, "latency_seconds_min", datum_real(counts->min_ms / 1e3));
    pg_put(row, "latency_seconds_max", datum_real(counts->max_ms / 1e3));
    pg_put_int(row, "max_mem_bytes", (int64_t)counts->memory_max);
    pg_put_int(row, "first_exec", counts->first_us);
    pg_put_int(row, "last_exec", counts->last_us);
}

static struct status node_statement_row(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    pg_put_int(row, "node_id", insight->node);
    pg_put_text(row, "application_name", insight->application);
    pg_put_text(row, "user_name", insight->user);
    pg_put_text(row, "database_name", insight->database);
    pg_put_text(row, "statement_id", id_text(&rows->arena, insight->id));
    pg_put_text(row, "key", fingerprint_anonymous(&rows->arena, insight->text));
    pg_put_text(row, "statement_type", insight->tag);
    pg_put_bool(row, "implicit_txn", insight->implicit);
    put_times(row, insight);
    put_error(rows, row, insight);
    return pg_row_send(row);
}

static struct status node_transaction_row(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    pg_put_int(row, "node_id", insight->node);
    pg_put_text(row, "application_name", insight->application);
    pg_put_text(row, "user_name", insight->user);
    pg_put_text(row, "database_name", insight->database);
    pg_put_text(row, "key", id_text(&rows->arena, insight->id));
    pg_put(row, "statement_ids", id_texts(&rows->arena, insight));
    pg_put_bool(row, "implicit_txn", insight->implicit);
    put_times(row, insight);
    return pg_row_send(row);
}

static void json_text(struct buffer *out, const char *name, const char *value)
{
    if (out->size > 1) buffer_append_u8(out, ',');
    json_print_string(out, bytes_of_string(name));
    buffer_append_u8(out, ':');
    json_print_string(out, bytes_of_string(value));
}

static void json_plain(struct buffer *out, const char *name, const char *value)
{
    if (out->size > 1) buffer_append_u8(out, ',');
    json_print_string(out, bytes_of_string(name));
    buffer_append_u8(out, ':');
    buffer_append_string(out, value);
}

static struct status json_datum(struct insight_rows *rows, struct buffer *text, struct datum *value)
{
    return type_input(&rows->arena, &rows->session->types, TYPE_OF(TYPE_JSONB), buffer_bytes(text), value);
}

static struct status put_metadata(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    struct status st;
    struct arena *arena = &rows->arena;
    struct buffer out, ids;
    struct datum value;
    buffer_init(&out, arena);
    buffer_append_u8(&out, '{');
    json_text(&out, "user", insight->user);
    json_plain(&out, "implicitTxn", insight->implicit ? "true" : "false");
    if (insight->statement_count == 0) {
        json_text(&out, "query", fingerprint_anonymous(arena, insight->text));
        json_text(&out, "stmtType", insight->tag);
        json_text(&out, "db", insight->database);
    } else {
        buffer_init(&ids, arena);
        for (uint32_t i = 0; i < insight->statement_count; i++)
            buffer_append_string(&ids, arena_printf(arena, "%s\"%s\"", i == 0 ? "[" : ",", id_text(arena, insight->statements[i])));
        json_plain(&out, "stmtFingerprintIDs", arena_printf(arena, "%s]", arena_string(arena, buffer_bytes(&ids))));
    }
    buffer_append_u8(&out, '}');
    TRY(json_datum(rows, &out, &value));
    pg_put(row, "metadata", value);
out:
    return st;
}

static const char *json_spread(struct arena *arena, double mean, double deviation)
{
    return arena_printf(arena, "{\"mean\":%.9g,\"sqDiff\":%.9g}", mean, deviation);
}

static struct status put_statistics(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    struct status st;
    struct arena *arena = &rows->arena;
    const struct insight_counts *counts = &insight->counts;
    double calls = counts->calls == 0 ? 1 : (double)counts->calls;
    struct buffer out, whole;
    struct datum value;
    char state[6] = "";
    buffer_init(&out, arena);
    buffer_append_u8(&out, '{');
    json_plain(&out, "cnt", arena_printf(arena, "%" PRIu64, counts->calls));
    json_plain(&out, "failureCount", arena_printf(arena, "%" PRIu64, counts->failures));
    json_plain(&out, "maxRetries", arena_printf(arena, "%" PRIu64, counts->retries_max));
    json_plain(&out, "numRows", json_spread(arena, (double)counts->rows / calls, 0));
    json_plain(&out, "svcLat", json_spread(arena, mean_of(counts) / 1e3, counts->deviation / 1e6));
    json_plain(&out, "latencyInfo", arena_printf(arena, "{\"min\":%.9g,\"max\":%.9g}", counts->min_ms / 1e3, counts->max_ms / 1e3));
    json_plain(&out, "maxMemUsage", arena_printf(arena, "%" PRIu64, counts->memory_max));
    if (counts->last_error != 0) status_sqlstate((struct status){.code = counts->last_error}, state);
    json_text(&out, "lastErrorCode", state);
    buffer_append_u8(&out, '}');
    buffer_init(&whole, arena);
    buffer_append_string(&whole, "{\"statistics\":");
    buffer_append_bytes(&whole, buffer_bytes(&out));
    buffer_append_u8(&whole, '}');
    TRY(json_datum(rows, &whole, &value));
    pg_put(row, "statistics", value);
out:
    return st;
}

static struct status statistics_row(struct insight_rows *rows, struct pg_row *row, const struct insight *insight)
{
    struct status st;
    pg_put_int(row, "aggregated_ts", rows->list.reset_us);
    pg_put(row, "fingerprint_id", id_bytes(&rows->arena, insight->id));
    pg_put_text(row, "app_name", insight->application);
    TRY(put_metadata(rows, row, insight));
    TRY(put_statistics(rows, row, insight));
    st = pg_row_send(row);
out:
    return st;
}

#define ROWS_OF(name_, kind_, everywhere_, send_) \
    static struct status name_(struct task *task, struct session *session, struct virtual_table_sink *sink) \
    { \
        static const struct insight_source source = { \
            .kind = kind_, .everywhere = everywhere_, .grouping = INSIGHT_BY_CONTEXT, .send = send_}; \
        return rows_send(task, session, sink, &source); \
    }
ROWS_OF(node_statement_rows, INSIGHT_STATEMENTS, false, node_statement_row)
ROWS_OF(node_transaction_rows, INSIGHT_TRANSACTIONS, false, node_transaction_row)
ROWS_OF(statement_rows, INSIGHT_STATEMENTS, true, statistics_row)
ROWS_OF(transaction_rows, INSIGHT_TRANSACTIONS, true, statistics_row)

static struct status cluster_statement_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    static const struct insight_source source = {
        .kind = INSIGHT_STATEMENTS, .everywhere = true, .send = node_statement_row};
    return rows_send(task, session, sink, &source);
}

static struct status cluster_transaction_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    static const struct insight_source source = {
        .kind = INSIGHT_TRANSACTIONS, .everywhere = true, .send = node_transaction_row};
    return rows_send(task, session, sink, &source);
}

// --- resetting -----------------------------------------------------------------------------------------

static struct status check_admin(struct function_call *call, const char *name)
{
    if (call->task == NULL || call->session == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    if (call->session->superuser || call->session->internal) return STATUS_OK;
    return status_format(call->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied for function %s", name);
}

// Arguments: user, database, query; 0 or absent: whatever.
BODY(pg_stat_reset)
{
    struct status st;
    struct insight_filter filter = {0};
    int64_t wanted[3] = {0};
    struct role **roles;
    uint32_t count;
    const struct database_desc *database;
    TRY(check_admin(call, "pg_stat_statements_reset"));
    for (uint32_t i = 0; i < call->arg_count && i < 3; i++) wanted[i] = args[i].integer;
    if (wanted[0] != 0) {
        filter.user = " "; // Of nobody, when there is no such role.
        TRY(role_list(call->task, call->session, call->arena, &roles, &count));
        for (uint32_t i = 0; i < count; i++)
            if (roles[i]->id == wanted[0]) filter.user = roles[i]->name;
    }
    if (wanted[1] != 0) {
        filter.database = " ";
        st = catalog_database_by_id(call->task, call->session, pg_id((uint32_t)wanted[1]), &database);
        if (!failed(st)) filter.database = database->name;
    }
    filter.id = (uint64_t)wanted[2];
    TRY(insight_reset(call->task, call->session->tenant, &filter));
    *result = (struct datum){0};
out:
    return st;
}

BODY(reset_sql_stats)
{
    struct status st;
    (void)args;
    TRY(check_admin(call, "reset_sql_stats"));
    TRY(insight_reset(call->task, call->session->tenant, &(struct insight_filter){0}));
    *result = datum_bool(true);
out:
    return st;
}

#define PG_STAT_STATEMENTS_COLUMNS \
    "userid oid, dbid oid, toplevel bool, queryid int8, query text, plans int8, total_plan_time float8, " \
    "min_plan_time float8, max_plan_time float8, mean_plan_time float8, stddev_plan_time float8, calls int8, " \
    "total_exec_time float8, min_exec_time float8, max_exec_time float8, mean_exec_time float8, " \
    "stddev_exec_time float8, rows int8, shared_blks_hit int8, shared_blks_read int8, shared_blks_dirtied int8, " \
    "shared_blks_written int8, local_blks_hit int8, local_blks_read int8, local_blks_dirtied int8, " \
    "local_blks_written int8, temp_blks_read int8, temp_blks_written int8, blk_read_time float8, " \
    "blk_write_time float8, temp_blk_read_time float8, temp_blk_write_time float8, wal_records int8, " \
    "wal_fpi int8, wal_bytes numeric, jit_functions int8, jit_generation_time float8, jit_inlining_count int8, " \
    "jit_inlining_time float8, jit_optimization_count int8, jit_optimization_time float8, " \
    "jit_emission_count int8, jit_emission_time float8"
#define TIME_COLUMNS \
    ", count int8, failure_count int8, max_retries int8, rows_avg float8, service_lat_avg float8, " \
    "service_lat_var float8, latency_seconds_min float8, latency_seconds_max float8, max_mem_bytes int8, " \
    "first_exec timestamptz, last_exec timestamptz"
#define STATEMENT_COLUMNS \
    "node_id int8, application_name text, user_name text, database_name text, statement_id text, key text, " \
    "statement_type text, implicit_txn bool" TIME_COLUMNS ", last_error_code text"
#define TRANSACTION_COLUMNS \
    "node_id int8, application_name text, user_name text, database_name text, key text, statement_ids text[], " \
    "implicit_txn bool" TIME_COLUMNS
#define STATISTICS_COLUMNS \
    "aggregated_ts timestamptz, fingerprint_id bytea, app_name text, metadata jsonb, statistics jsonb"

static const struct pg_table pg_tables[] = {
    {"pg_stat_statements", PG_STAT_STATEMENTS_COLUMNS, pg_stat_statement_rows},
    {"pg_stat_statements_info", "dealloc int8, stats_reset timestamptz", pg_stat_info_rows},
};
static const struct pg_table internal_tables[] = {
    {"node_statement_statistics", STATEMENT_COLUMNS, node_statement_rows},
    {"cluster_statement_statistics", STATEMENT_COLUMNS, cluster_statement_rows},
    {"node_transaction_statistics", TRANSACTION_COLUMNS, node_transaction_rows},
    {"cluster_transaction_statistics", TRANSACTION_COLUMNS, cluster_transaction_rows},
    {"statement_statistics", STATISTICS_COLUMNS, statement_rows},
    {"transaction_statistics", STATISTICS_COLUMNS, transaction_rows},
};
#define RESET(name_, oid_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_VOID, .strict = true, \
        .fn = pg_stat_reset, .volatility = FUNCTION_VOLATILE, __VA_ARGS__}
static const struct function functions[] = {
    RESET("pg_stat_statements_reset", 110120, .arg_count = 0),
    RESET("pg_stat_statements_reset", 110121, FN_ARGS(TYPE_OID)),
    RESET("pg_stat_statements_reset", 110122, FN_ARGS(TYPE_OID, TYPE_OID)),
    RESET("pg_stat_statements_reset", 110123, FN_ARGS(TYPE_OID, TYPE_OID, TYPE_INT8)),
    {.name = "reset_sql_stats", .kind = FUNCTION_SCALAR, .oid = 110124, .result = TYPE_BOOL, .strict = true,
        .fn = reset_sql_stats, .volatility = FUNCTION_VOLATILE, .schema = "crdb_internal"},
};

void insight_tables_register(void)
{
    pg_tables_register("pg_catalog", pg_tables, COUNT(pg_tables));
    pg_tables_register("crdb_internal", internal_tables, COUNT(internal_tables));
    function_register(functions, COUNT(functions));
}
