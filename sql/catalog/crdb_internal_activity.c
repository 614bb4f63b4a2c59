// SPDX-License-Identifier: GPL-3.0-or-later
//
// crdb_internal: sessions, statements and transactions, of this node (node_*) and of all (cluster_*). Everybody sees their
// own; with VIEWACTIVITY, all of their virtual cluster.
#include <inttypes.h>
#include <string.h>

#include "sql/insight/activity.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"

typedef struct status (*row_fn)(struct pg_row *row, struct arena *arena, const struct activity *activity);

static struct status rows_send(struct task *task, struct session *session, struct virtual_table_sink *sink,
    bool everywhere, row_fn send)
{
    struct status st = STATUS_OK;
    struct activity_list list = {0};
    struct arena arena;
    struct pg_row row;
    bool all = session->superuser || session->internal;
    arena_init(&arena, NULL); // Filled in on several shards.
    if (!all) TRY(privilege_has_system(task, session, session->user, "VIEWACTIVITY", &all));
    if (!all) TRY(privilege_has_system(task, session, session->user, "VIEWACTIVITYREDACTED", &all));
    TRY(activity_list(task, session->tenant, everywhere, &arena, &list));
    for (uint32_t i = 0; i < list.count; i++) {
        if (!all && strcmp(list.items[i].user, session->user) != 0) continue;
        pg_row_begin(&row, sink);
        TRY(send(&row, &arena, &list.items[i]));
    }
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static void put_who(struct pg_row *row, struct arena *arena, const struct activity *activity)
{
    pg_put_int(row, "node_id", activity->node);
    pg_put_text(row, "session_id", activity_id_format(arena, activity->node, activity->session));
    pg_put_text(row, "user_name", activity->user);
    pg_put_text(row, "client_address", activity->address);
    pg_put_text(row, "application_name", activity->application);
}

static struct status session_row(struct pg_row *row, struct arena *arena, const struct activity *activity)
{
    bool active = activity->statement != NULL;
    put_who(row, arena, activity);
    pg_put_text(row, "active_queries", active ? activity->statement : "");
    pg_put_int(row, "session_start", activity->start_us);
    if (active) pg_put_int(row, "active_query_start", activity->statement_us);
    if (activity->txn != 0) pg_put_text(row, "kv_txn", arena_printf(arena, "%" PRIx64, activity->txn));
    pg_put_text(row, "status", active ? "ACTIVE" : activity->txn_state == TXN_IDLE ? "IDLE" : "OPEN");
    pg_put_int(row, "pg_backend_pid", activity->process);
    return pg_row_send(row);
}

// A session runs one statement at a time: its id names that one too.
static struct status query_row(struct pg_row *row, struct arena *arena, const struct activity *activity)
{
    if (activity->statement == NULL) return STATUS_OK;
    put_who(row, arena, activity);
    pg_put_text(row, "query_id", activity_id_format(arena, activity->node, activity->session));
    if (activity->txn != 0) pg_put_text(row, "txn_id", arena_printf(arena, "%" PRIx64, activity->txn));
    pg_put_int(row, "start", activity->statement_us);
    pg_put_text(row, "query", activity->statement);
    pg_put_text(row, "phase", "executing");
    pg_put_text(row, "database", activity->database);
    return pg_row_send(row);
}

static struct status transaction_row(struct pg_row *row, struct arena *arena, const struct activity *activity)
{
    if (activity->txn == 0) return STATUS_OK;
    put_who(row, arena, activity);
    pg_put_text(row, "id", arena_printf(arena, "%" PRIx64, activity->txn));
    pg_put_int(row, "start", activity->txn_us);
    return pg_row_send(row);
}

#define ROWS_OF(name_, everywhere_, send_)                                                         \
    static struct status name_(struct task *task, struct session *session,                         \
        struct virtual_table_sink *sink)                                                           \
    {                                                                                              \
        return rows_send(task, session, sink, everywhere_, send_);                                 \
    }
ROWS_OF(cluster_session_rows, true, session_row)
ROWS_OF(node_session_rows, false, session_row)
ROWS_OF(cluster_query_rows, true, query_row)
ROWS_OF(node_query_rows, false, query_row)
ROWS_OF(cluster_transaction_rows, true, transaction_row)
ROWS_OF(node_transaction_rows, false, transaction_row)

#define SESSION_COLUMNS                                                                            \
    "node_id int8, session_id text, user_name text, client_address text, application_name text, "  \
    "active_queries text, session_start timestamptz, active_query_start timestamptz, kv_txn text, " \
    "status text, pg_backend_pid int8"
#define QUERY_COLUMNS                                                                              \
    "query_id text, txn_id text, node_id int8, session_id text, user_name text, start timestamptz, " \
    "query text, client_address text, application_name text, phase text, database text"
#define TRANSACTION_COLUMNS                                                                        \
    "id text, node_id int8, session_id text, user_name text, start timestamptz, client_address text, " \
    "application_name text"

static const struct pg_table tables[] = {
    {"cluster_sessions", SESSION_COLUMNS, cluster_session_rows},
    {"node_sessions", SESSION_COLUMNS, node_session_rows},
    {"cluster_queries", QUERY_COLUMNS, cluster_query_rows},
    {"node_queries", QUERY_COLUMNS, node_query_rows},
    {"cluster_transactions", TRANSACTION_COLUMNS, cluster_transaction_rows},
    {"node_transactions", TRANSACTION_COLUMNS, node_transaction_rows},
};

void crdb_internal_activity_register(void)
{
    pg_tables_register("crdb_internal", tables, sizeof tables / sizeof tables[0]);
}
