// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/sql_session.h"

#include <stdlib.h>

#include "core/hash.h"
#include "core/text.h"
#include "tests/sim/server_node.h"

uint64_t sql_below(struct sql_op *op, uint64_t bound)
{
    return sim_random_below(&op->random, bound);
}

// What a client may be told at any time. Anything else is a fault of the database.
bool sql_is_ordinary(struct status st)
{
    static const uint32_t codes[] = {E_SERIALIZATION_FAILURE, E_AMBIGUOUS_RESULT, E_DISK_FULL, E_OUT_OF_MEMORY,
        E_QUERY_CANCELED, E_ADMIN_SHUTDOWN, E_LOCK_NOT_AVAILABLE, E_CONNECTION_FAILURE, E_IO_ERROR,
        SQLSTATE('0', '8', '0', '0', '1'), E_CANNOT_CONNECT_NOW, E_CONNECTION_REFUSED, E_TOO_MANY_CONNECTIONS};
    for (uint32_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (status_is(st, codes[i])) return true;
    }
    return !failed(st);
}

// Nobody knows what became of the statement.
static bool is_lost(struct sql_op *op, struct status st)
{
    return op->task->cancelled || status_is(st, E_CONNECTION_FAILURE) ||
           status_is(st, E_ADMIN_SHUTDOWN) || status_is(st, E_AMBIGUOUS_RESULT);
}

static struct status ask(struct sql_op *op, const char *sql)
{
    struct sql_session *session = op->session;
    struct world *world = session->clients->world;
    sim_tell(world->run, world->sim, SIM_AREA_WORK, 0, "c%u says %s", session->number, sql);
    struct status st =
        pgclient_collect(op->task, session->connection, op->task->arena, sql, &op->result);
    sim_tell(world->run, world->sim, SIM_AREA_WORK, 0, "c%u hears %s", session->number,
        failed(st) ? st.message : op->result.tag != NULL ? op->result.tag : "-");
    return st;
}

struct status sql_connect(struct sql_op *op)
{
    struct sql_session *session = op->session;
    struct world *world = session->clients->world;
    struct pgclient_options options = {.connect_timeout_ns = (session->patient ? 20 : 3) * WORLD_SECOND};
    struct status st = STATUS_OK;
    if (session->connection != NULL) goto out;
    uint64_t other = sql_below(op, world->node_count);
    const struct world_node *node = sql_below(op, 2) == 0 ? session->node : &world->nodes[other];
    TRY(pgclient_url_parse(op->task->arena,
        arena_printf(op->task->arena, "postgresql://root@%s:" SERVER_PORT "/defaultdb?sslmode=disable",
            sim_node_address(node->machine)),
        &options));
    sim_tell(world->run, world->sim, SIM_AREA_WORK, 0, "c%u connects to n%u", session->number, node->id);
    TRY(pgclient_connect(op->task, &options, &session->connection));
    TRY(ask(op, "SET statement_timeout = '20s'"));
    if (sql_below(op, 3) == 0) TRY(ask(op, "SET lock_timeout = '2s'"));
out:
    return st;
}

void sql_disconnect(struct sql_session *session)
{
    if (session->connection != NULL) pgclient_close(session->connection);
    session->connection = NULL;
}

struct status sql_say(struct sql_op *op, const char *sql)
{
    return ask(op, sql);
}

struct status sql_say_commit(struct sql_op *op, const char *sql)
{
    op->fate = FATE_UNKNOWN; // If this node dies meanwhile.
    struct status st = ask(op, sql);
    if (!failed(st) && op->result.tag != NULL && strcmp(op->result.tag, "ROLLBACK") == 0)
        st = status_make(E_SERIALIZATION_FAILURE, "the transaction had failed");
    if (!failed(st))
        op->fate = FATE_DONE;
    else if (!is_lost(op, st))
        op->fate = FATE_VOID;
    return st;
}

void sql_roll_back(struct sql_op *op)
{
    struct sql_session *session = op->session;
    if (session->connection == NULL || pgclient_txn_status(session->connection) == 'I') return;
    struct status st = ask(op, "ROLLBACK");
    if (failed(st)) sql_disconnect(session);
}

const char *sql_rows_text(struct sql_op *op)
{
    struct buffer out;
    buffer_init(&out, op->task->arena);
    for (uint64_t i = 0; i < op->result.row_count; i++) {
        for (uint32_t k = 0; k < op->result.column_count; k++) {
            struct bytes value = pgclient_value(&op->result, i, k);
            if (value.data == NULL) value = bytes_of_string(SQL_MODEL_NULL);
            buffer_append_bytes(&out, value);
            buffer_append(&out, k + 1 < op->result.column_count ? "|" : "\n", 1);
        }
    }
    buffer_append(&out, "", 1);
    return (const char *)out.data;
}

int64_t sql_number(struct sql_op *op, uint64_t row, uint32_t column)
{
    if (row >= op->result.row_count || column >= op->result.column_count) return 0;
    struct bytes value = pgclient_value(&op->result, row, column);
    if (value.data == NULL) return 0;
    return strtoll(arena_string(op->task->arena, value), NULL, 10);
}
