// SPDX-License-Identifier: GPL-3.0-or-later
//
// Messages of a ready connection: simple and extended query, error recovery to Sync.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/text.h"
#include "core/work.h"
#include "sql/session/cursor.h"
#include "sql/insight/insight.h"
#include "sql/exec/memory.h"
#include "sql/parse/parse.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/session/long_parse.h"
#include "sql/wire/wire_encoding.h"

#define STATEMENT_RETRIES_MAX 10u
// Schema changes above all: what they wait for (other changes, ranges that move) may take seconds.
#define HANDLER_RETRIES_MAX 20u
#define RETRY_PAUSE_MIN_NS 1000000ull
#define RETRY_PAUSE_MAX_NS 512000000ull

static METRIC_DEFINE(metric_queries, "sql.query.count", METRIC_COUNTER, METRIC_COUNT, true,
    "Statements executed");
static METRIC_DEFINE(metric_failures, "sql.failure.count", METRIC_COUNTER, METRIC_COUNT, true,
    "Statements that ended in an error");
static METRIC_DEFINE(metric_retries, "sql.txn.auto_retry.count", METRIC_COUNTER, METRIC_COUNT, true,
    "Statements run again by the server after a conflict");
static METRIC_DEFINE(metric_latency, "sql.service.latency", METRIC_HISTOGRAM, METRIC_NANOSECONDS, true,
    "Time from a statement's message to its last result");

static METRIC_DEFINE(metric_selects, "sql.select.count", METRIC_COUNTER, METRIC_COUNT, true, "SELECT statements that succeeded");
static METRIC_DEFINE(metric_inserts, "sql.insert.count", METRIC_COUNTER, METRIC_COUNT, true, "INSERT statements that succeeded");
static METRIC_DEFINE(metric_updates, "sql.update.count", METRIC_COUNTER, METRIC_COUNT, true, "UPDATE statements that succeeded");
static METRIC_DEFINE(metric_deletes, "sql.delete.count", METRIC_COUNTER, METRIC_COUNT, true, "DELETE statements that succeeded");
static METRIC_DEFINE(metric_begins, "sql.txn.begin.count", METRIC_COUNTER, METRIC_COUNT, true, "Transactions begun by clients");
static METRIC_DEFINE(metric_commits, "sql.txn.commit.count", METRIC_COUNTER, METRIC_COUNT, true, "COMMIT statements that succeeded");
static METRIC_DEFINE(metric_rollbacks, "sql.txn.rollback.count", METRIC_COUNTER, METRIC_COUNT, true, "ROLLBACK statements");
static METRIC_DEFINE(metric_others, "sql.misc.count", METRIC_COUNTER, METRIC_COUNT, true, "Other statements that succeeded");

// --- one statement, in its transaction ---------------------------------------------------------------

static void set_deadline(struct task *task, struct session *session)
{
    uint64_t timeout_ns = (uint64_t)session->statement_timeout_ms * 1000000u;
    task->deadline_ns = timeout_ns == 0 ? UINT64_MAX : task_now_ns(task) + timeout_ns;
}

// Nobody has been told anything that came out of the client's transaction: it can begin anew after a conflict.
static bool wants_restart(const struct pgwire *wire, struct status st, const struct pgwire_run *run)
{
    return failed(st) && run->first && st.retry == RETRY_TRANSACTION && !wire->spilled &&
           wire->session->txn_state == TXN_OPEN;
}

// Whether the statement is the first of its transaction to look at data, and leaves nothing behind but there.
static bool is_first(const struct session *session, const struct pgwire_run *run)
{
    return session->txn_state == TXN_OPEN && session->txn_fresh && session->txn != NULL &&
           session->savepoints == NULL && session->ddl == NULL && run->prepared->handler == NULL &&
           run->prepared->statement != NULL && !run->execution->started;
}

// What the client has learnt from it, if it has succeeded, depends on no data.
static bool stays_fresh(const struct prepared *prepared)
{
    if (prepared->statement == NULL) return true;
    switch (prepared->statement->tag) {
    case STATEMENT_BEGIN:
    case STATEMENT_START_TRANSACTION:
    case STATEMENT_SET_TRANSACTION:
    case STATEMENT_SET:
    case STATEMENT_RESET:
    case STATEMENT_SHOW:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE_SAVEPOINT: return true;
    default: return false;
    }
}

// Whether it asks for no snapshot, as PostgreSQL has it.
static bool asks_nothing(const struct prepared *prepared)
{
    if (stays_fresh(prepared)) return true;
    switch (prepared->statement->tag) {
    case STATEMENT_SET_CONSTRAINTS:
    case STATEMENT_LOCK_TABLE:
    case STATEMENT_COMMIT: // AND CHAIN: the transaction is a new one.
    case STATEMENT_ROLLBACK: return true;
    default: return false;
    }
}

// What a FETCH has given, told as of a portal.
static void as_portal(struct pgwire_run *run)
{
    const char *number = strrchr(run->execution->tag, ' ');
    const uint64_t rows = number == NULL ? 0 : strtoull(number, NULL, 10);
    run->done = run->cursor_rows == 0 || rows < run->cursor_rows;
    snprintf(run->execution->tag, sizeof run->execution->tag, "SELECT %llu", (unsigned long long)rows);
}

static struct status run_once(struct task *task, struct pgwire *wire, struct pgwire_run *run)
{
    struct status st;
    struct session *session = wire->session;
    run->execution->alone = run->commit;
    run->ended = false;
    session->statements->alone = false;
    TRY(execution_begin(task, session, run->execution, !run->simple));
    struct pgwire_sink sink = pgwire_sink(wire, run->prepared, run->formats, run->simple);
    sink.value = run->value;
    if (run->execution->started && run->execution->built != NULL)
        sink.columns = plan_columns(run->execution->built->plan, &sink.column_count);
    if (run->simple && run->prepared->handler == NULL && run->prepared->columns != NULL &&
        !run->execution->started)
        TRY(sink.sink.columns(task, &sink.sink, run->prepared->columns, run->prepared->column_count));
    TRY(execution_next(task, session, run->execution, &sink.sink, run->rows_max, &run->done));
    run->ended = run->done;
    if (run->cursor) as_portal(run);
out:
    if (failed(st) || run->done) execution_close(task, run->execution);
    if (wants_restart(wire, st, run)) return st; // The transaction is not over.
    // A suspended portal keeps its transaction.
    return execute_settle(task, session, st, (run->commit || session->statements->alone) && run->done);
}

static struct metric *counter_of(const struct statement *statement)
{
    if (statement == NULL) return &metric_others;
    switch (statement->tag) {
    case STATEMENT_SELECT: return &metric_selects;
    case STATEMENT_INSERT: return &metric_inserts;
    case STATEMENT_UPDATE: return &metric_updates;
    case STATEMENT_DELETE: return &metric_deletes;
    case STATEMENT_BEGIN:
    case STATEMENT_START_TRANSACTION: return &metric_begins;
    case STATEMENT_COMMIT: return &metric_commits;
    case STATEMENT_ROLLBACK: return &metric_rollbacks;
    default: return &metric_others;
    }
}

static bool may_retry(const struct pgwire *wire, struct status st, bool alone)
{
    return failed(st) && alone && st.retry == RETRY_TRANSACTION && !wire->spilled &&
           wire->session->txn_state == TXN_IDLE;
}

// The first repeats come at once; who goes on losing lets others end first.
static struct status rest_before_retry(struct task *task, uint32_t attempt)
{
    if (attempt < 2) return STATUS_OK;
    uint32_t doublings = attempt - 2;
    uint64_t pause = doublings < 16 ? RETRY_PAUSE_MIN_NS << doublings : RETRY_PAUSE_MAX_NS;
    return task_sleep(task, pause > RETRY_PAUSE_MAX_NS ? RETRY_PAUSE_MAX_NS : pause);
}

static bool is_rollback(const struct prepared *prepared)
{
    return prepared->statement != NULL && prepared->statement->tag == STATEMENT_ROLLBACK;
}

// What it gave or changed in this run: DML tells at its end.
static uint64_t rows_of(const struct execution *execution, uint64_t before)
{
    return execution->affected > 0 ? execution->affected : execution->rows - before;
}

// Whether the client is told of its rows when it has come to its end: what writes, and what a handler runs (EXECUTE, FETCH,
// EXPLAIN). A query's rows go out as they come.
static bool gives_all_or_none(const struct pgwire_run *run)
{
    const struct prepared *prepared = run->prepared;
    if (prepared->handler != NULL) return !run->cursor;
    return prepared->built != NULL && plan_modifies(prepared->built->plan);
}

// Takes back the rows that wait in `out` behind `start`, and their description.
static void take_back_rows(struct buffer *out, size_t start)
{
    size_t kept = start, size;
    for (size_t at = start; at < out->size; at += size) {
        const uint8_t *head = out->data + at;
        size = 1u + ((size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4]);
        if (head[0] == 'T' || head[0] == 'D') continue;
        memmove(out->data + kept, head, size);
        kept += size;
    }
    out->size = kept;
}

struct status pgwire_run_statement(struct task *task, struct pgwire *wire, struct pgwire_run *run)
{
    struct status st = STATUS_OK;
    struct session *session = wire->session;
    size_t out_mark = wire->out.size;
    bool alone = session->txn_state == TXN_IDLE && run->commit && !run->execution->started;
    wire->spilled = false;
    session->statement_start_us = session_now_us(session->shard);
    uint64_t started_ns = task_now_ns(task), rows_before = run->execution->rows;
    uint32_t attempt = 0;
    bool first = !run->execution->started, may_restart = is_first(session, run);
    session->account.peak_bytes = session->account.used_bytes;
    set_deadline(task, session);
    metric_add(&metric_queries, session->tenant, 1);
    const uint32_t retries = run->prepared->handler != NULL ? HANDLER_RETRIES_MAX : STATEMENT_RETRIES_MAX;
    for (; attempt <= retries; attempt++) {
        run->first = may_restart && attempt < retries;
        session->attempt = attempt;
        st = run_once(task, wire, run);
        const bool restarts = wants_restart(wire, st, run);
        if (restarts) st = session_txn_restart(task, session);
        if (restarts && failed(st)) st = execute_settle(task, session, st, false);
        if (restarts ? failed(st) : !may_retry(wire, st, alone)) break;
        if (!restarts && attempt < retries) {
            const struct status rested = rest_before_retry(task, attempt);
            if (failed(rested)) {
                st = rested;
                break;
            }
        }
        metric_add(&metric_retries, session->tenant, 1);
        wire->out.size = out_mark;
        run->execution->started = false;
        run->execution->rows = 0;
    }
    session->attempt = 0;
    if (!stays_fresh(run->prepared)) session->txn_fresh = false;
    if (!asks_nothing(run->prepared)) session->txn_queried = true;
    if (st.code == E_QUERY_CANCELED && task_now_ns(task) >= task->deadline_ns)
        st = status_make(E_QUERY_CANCELED, "canceling statement due to statement timeout");
    task->deadline_ns = UINT64_MAX;
    uint64_t elapsed_ns = task_now_ns(task) - started_ns;
    metric_record(&metric_latency, session->tenant, elapsed_ns);
    const struct insight_run counted = {.prepared = run->prepared,
        .outcome = st,
        .rows = rows_of(run->execution, rows_before),
        .retries = attempt,
        .elapsed_ns = elapsed_ns,
        .first = first};
    insight_statement(session, &counted);
    insight_transaction(session, !failed(st) && !is_rollback(run->prepared));
    if (failed(st) && !run->ended && !wire->spilled && gives_all_or_none(run)) take_back_rows(&wire->out, out_mark);
    // That it cannot be committed is told at the Sync, which has come already.
    if (failed(st) && run->ended && !run->simple && !run->value && !session->statements->alone)
        wire_command_complete(&wire->out, run->execution->tag);
    if (failed(st)) return st;
    metric_add(counter_of(run->prepared->statement), session->tenant, 1);
    if (run->value) return st;
    if (run->prepared->statement == NULL) {
        wire_end(&wire->out, wire_begin(&wire->out, 'I'));
    } else if (run->done) {
        wire_command_complete(&wire->out, run->execution->tag);
    } else {
        wire_end(&wire->out, wire_begin(&wire->out, 's'));
    }
    return st;
}

// --- simple query --------------------------------------------------------------------------------------

static struct status run_parsed(struct task *task, struct pgwire *wire, struct bytes text,
    struct statement *statement, bool last)
{
    struct status st;
    struct session *session = wire->session;
    struct prepared *prepared = NULL;
    bool began = session->txn_state == TXN_IDLE;
    TRY(prepared_make(task, session, text, statement, NULL, 0, &prepared));
    // Planning needs a snapshot of names; the statement gets a newer one of its own.
    if (began && last) session_txn_forget(task, session);
    struct execution execution = {.prepared = prepared, .arena = &session->statement_arena};
    struct pgwire_run run = {.prepared = prepared, .execution = &execution, .simple = true, .commit = last};
    if (prepared->param_count > 0)
        TRY(status_make(E_UNDEFINED_PARAMETER, "there is no parameter $1"));
    st = pgwire_run_statement(task, wire, &run);
out:
    if (failed(st) && session->txn_state == TXN_IMPLICIT) st = execute_settle(task, session, st, false);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}

// Whether all of them can run again after a conflict: nothing knows of them but the one transaction that begins and, if
// at all, ends with them.
static bool can_repeat(const struct statement_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        switch (list->items[i]->tag) {
        case STATEMENT_BEGIN:
        case STATEMENT_START_TRANSACTION:
            if (i > 0) return false;
            break;
        case STATEMENT_COMMIT:
            if (i + 1 < list->count || list->items[i]->as.transaction->chain) return false;
            break;
        case STATEMENT_SELECT:
        case STATEMENT_INSERT:
        case STATEMENT_UPDATE:
        case STATEMENT_DELETE:
        case STATEMENT_GRANT:
        case STATEMENT_REVOKE:
        case STATEMENT_ALTER_DEFAULT_PRIVILEGES: break;
        default: return false;
        }
    }
    return list->count > 1;
}

static struct status run_list(
    struct task *task, struct pgwire *wire, struct bytes text, const struct statement_list *list)
{
    struct status st = STATUS_OK;
    struct session *session = wire->session;
    size_t out_mark = wire->out.size;
    bool alone = session->txn_state == TXN_IDLE && can_repeat(list), spilled = false;
    for (uint32_t attempt = 0; attempt <= STATEMENT_RETRIES_MAX; attempt++) {
        for (uint32_t i = 0; i < list->count; i++) {
            st = run_parsed(task, wire, text, list->items[i], i + 1 == list->count);
            spilled |= wire->spilled;
            if (failed(st)) break;
        }
        wire->spilled = spilled;
        if (attempt == STATEMENT_RETRIES_MAX) break;
        // Of the transaction that they have begun nothing is left, or it has failed.
        if (alone && failed(st) && st.retry == RETRY_TRANSACTION && !spilled && session->txn_state == TXN_FAILED) {
            st = status_copy(&session->statement_arena, st);
            session_txn_rollback(task, session);
        }
        if (!may_retry(wire, st, alone)) break;
        metric_add(&metric_retries, session->tenant, 1);
        wire->out.size = out_mark;
    }
    return st;
}

// Whether a plan for the statement's shape no longer takes its literals, whose types are those of columns that have other
// ones by now: the text says what they are.
static bool wants_reading(const struct pgwire *wire, struct status st)
{
    return (status_is(st, E_DATATYPE_MISMATCH) || status_is(st, E_UNDEFINED_FUNCTION)) &&
           !wire->spilled && wire->session->txn_state == TXN_IDLE;
}

static struct status run_text(struct task *task, struct pgwire *wire, struct bytes text)
{
    struct status st;
    struct session *session = wire->session;
    size_t out_mark = wire->out.size;
    struct prepared *prepared;
    struct datum *params;
    if (session->txn_state != TXN_FAILED) {
        TRY(plan_cache_find(task, session, &session->statement_arena, text, &prepared, &params));
        if (prepared != NULL) {
            if (session->txn_state == TXN_IMPLICIT) session_txn_forget(task, session);
            struct execution execution = {
                .prepared = prepared, .params = params, .arena = &session->statement_arena};
            struct pgwire_run run = {.prepared = prepared,
                .params = params,
                .execution = &execution,
                .simple = true,
                .commit = true};
            st = pgwire_run_statement(task, wire, &run);
            prepared_release(prepared);
            if (!wants_reading(wire, st)) goto out;
            wire->out.size = out_mark;
        }
    }
    struct statement_list list;
    TRY(long_parse_sql(task, session, &session->statement_arena, text, &list));
    if (list.count == 0) wire_end(&wire->out, wire_begin(&wire->out, 'I'));
    if (list.count > 1) session->statements->several = SEVERAL_IN_QUERY;
    st = run_list(task, wire, text, &list);
out:
    return st;
}

void pgwire_tell_failure(struct pgwire *wire, struct status st)
{
    pgwire_error(wire, wire->terminate ? "FATAL" : "ERROR", st);
}

void pgwire_fail_statement(struct task *task, struct pgwire *wire, struct status st)
{
    struct session *session = wire->session;
    if (session->txn_state != TXN_IDLE && session->txn_state != TXN_FAILED)
        st = execute_settle(task, session, st, false);
    insight_transaction(session, false);
    metric_add(&metric_failures, session->tenant, 1);
    pgwire_tell_failure(wire, st);
    task_cancel_clear(task);
}

void pgwire_ready_for_query(struct pgwire *wire)
{
    if (wire->terminate) return;
    pgwire_tell_changed_parameters(wire);
    wire_ready(&wire->out, wire->session->txn_state);
}

// A simple query takes the place of what has no name.
static void close_unnamed(struct task *task, struct session *session)
{
    if (!session->statements->unnamed) return;
    struct portal *portal = portal_find(session, "");
    if (portal != NULL) portal_close(task, session, portal);
    (void)prepared_remove(session, "");
    session->statements->unnamed = false;
}

static void handle_query(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct session *session = wire->session;
    struct wire_reader reader = wire_reader(body);
    const char *sent = wire_read_text(&reader), *text = sent;
    arena_reset(&session->statement_arena);
    struct status st = wire_reader_finish(&reader);
    if (!failed(st)) st = pgwire_text_in(wire, &wire->in_arena, sent, &text);
    close_unnamed(task, session);
    session->statement_text = text;
    if (!failed(st)) st = run_text(task, wire, text == sent ? bytes_of(text, body.size - 1) : bytes_of_string(text));
    session->statement_text = NULL;
    if (failed(st)) pgwire_fail_statement(task, wire, st);
    session->statements->several = SEVERAL_NONE;
    pgwire_ready_for_query(wire);
}

// --- the loop ------------------------------------------------------------------------------------------

// Reads over what is left of a message.
static struct status skip_input(struct task *task, struct pgwire *wire, uint64_t left)
{
    struct status st = STATUS_OK;
    while (left > 0) {
        TRY(pgwire_client_input(task, wire, 1));
        size_t size = conn_input(wire->conn).size;
        if (size > left) size = left;
        conn_consume(wire->conn, size);
        left -= size;
    }
out:
    return st;
}

// A message that does not fit into the input's usual buffer. Its bytes count as the session's while they come.
static struct status large_message(
    struct task *task, struct pgwire *wire, uint8_t *type, uint32_t size, struct bytes *body)
{
    struct status st = STATUS_OK, refused = STATUS_OK;
    struct memory_account *account = wire->session == NULL ? NULL : &wire->session->account;
    // The buffer grows by doubling, and is copied once.
    uint64_t needed = (uint64_t)size * 3;
    if (account == NULL || size > PGWIRE_LENGTH_MAX)
        TRY(status_format(task->arena, E_PROTOCOL_VIOLATION,
            "invalid message length %u: at most %u bytes", size, PGWIRE_MESSAGE_BYTES_MAX));
    if (size > PGWIRE_MESSAGE_BYTES_MAX)
        refused = status_format(&wire->session->statement_arena, E_PROGRAM_LIMIT_EXCEEDED,
            "a message of %u bytes is longer than the limit of %u bytes", size,
            PGWIRE_MESSAGE_BYTES_MAX);
    else if (!memory_account_fits(account, needed))
        refused = memory_hint(&wire->session->statement_arena,
            status_format(&wire->session->statement_arena, E_OUT_OF_MEMORY,
                "memory budget exceeded: a message of %u bytes", size));
    if (failed(refused)) {
        *type = conn_input(wire->conn).data[0];
        wire->refused = true;
        TRY(skip_input(task, wire, size + 1ull));
        return refused;
    }
    memory_account_grow(account, needed);
    conn_input_bytes_max_set(wire->conn, size + 1u);
    st = pgwire_client_input(task, wire, size + 1u);
    memory_account_shrink(account, needed);
    TRY(st);
    struct bytes input = conn_input(wire->conn);
    *type = input.data[0];
    *body = bytes_of(input.data + 5, size - 4);
out:
    return st;
}

struct status pgwire_message(
    struct task *task, struct pgwire *wire, uint8_t *type, struct bytes *body)
{
    wire->refused = false;
    struct status st = STATUS_OK;
    TRY(pgwire_client_input(task, wire, 5));
    struct bytes input = conn_input(wire->conn);
    uint32_t size = (uint32_t)input.data[1] << 24 | (uint32_t)input.data[2] << 16 |
                    (uint32_t)input.data[3] << 8 | input.data[4];
    if (size < 4)
        TRY(status_format(task->arena, E_PROTOCOL_VIOLATION, "invalid message length %u", size));
    if (size + 1ull > PGWIRE_INPUT_BYTES) return large_message(task, wire, type, size, body);
    if (input.size < size + 1u) {
        TRY(pgwire_client_input(task, wire, size + 1u));
        input = conn_input(wire->conn);
    }
    *type = input.data[0];
    *body = bytes_of(input.data + 5, size - 4);
out:
    return st;
}

void pgwire_message_done(struct pgwire *wire, struct bytes body)
{
    conn_consume(wire->conn, body.size + 5);
    if (body.size + 5 > PGWIRE_INPUT_BYTES) conn_input_bytes_max_set(wire->conn, PGWIRE_INPUT_BYTES);
}

bool pgwire_has_work(struct pgwire *wire)
{
    struct bytes input = conn_input(wire->conn);
    if (conn_ended(wire->conn)) return true;
    if (input.size < 5) return false;
    uint32_t size = (uint32_t)input.data[1] << 24 | (uint32_t)input.data[2] << 16 |
                    (uint32_t)input.data[3] << 8 | input.data[4];
    // One that will not fit, or is not a size at all, is the loop's to deal with.
    return size < 4 || size + 1ull > PGWIRE_INPUT_BYTES || input.size >= size + 1u;
}

// Copies a body out of the connection's buffer when running it may suspend: reading on may move it. A long one comes with
// its memory, to be freed.
static struct bytes own_body(struct pgwire *wire, struct bytes body, void **memory)
{
    *memory = conn_input_detach(wire->conn, body.size + 5);
    if (*memory != NULL) {
        ((uint8_t *)body.data)[body.size] = 0;
        conn_consume(wire->conn, 0); // Receiving goes on.
        conn_input_bytes_max_set(wire->conn, PGWIRE_INPUT_BYTES);
        return body;
    }
    uint8_t *copy = arena_alloc(&wire->in_arena, body.size + 1);
    memcpy(copy, body.data, body.size);
    copy[body.size] = 0;
    pgwire_message_done(wire, body);
    return bytes_of(copy, body.size);
}

// A request to cancel that comes when its statement is over is for nobody: neither what is still to be
// sent nor the next statement suffers from it.
static void cancellable_end(struct task *task, struct pgwire *wire)
{
    wire->cancellable = false;
    if (task->cancelled && task->cancel_status.code == E_QUERY_CANCELED) task_cancel_clear(task);
}

static struct status handle_message(
    struct task *task, struct pgwire *wire, uint8_t type, struct bytes body)
{
    switch (type) {
    case 'Q':
        wire->skip_to_sync = false;
        wire->cancellable = true;
        handle_query(task, wire, body);
        cancellable_end(task, wire);
        return pgwire_flush(task, wire);
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C':
        wire->cancellable = true;
        pgwire_extended(task, wire, type, body);
        cancellable_end(task, wire);
        return STATUS_OK;
    case 'S':
        wire->cancellable = true;
        pgwire_sync(task, wire);
        cancellable_end(task, wire);
        return pgwire_flush(task, wire);
    case 'H': return pgwire_flush(task, wire);
    case 'X': wire->terminate = true; return STATUS_OK;
    case 'd':
    case 'c':
    case 'f': return STATUS_OK; // What is left of a COPY that has failed.
    case 'F':
        if (wire->skip_to_sync) return STATUS_OK;
        wire->cancellable = true;
        pgwire_function(task, wire, body);
        cancellable_end(task, wire);
        return pgwire_flush(task, wire);
    default:
        return status_format(task->arena, E_PROTOCOL_VIOLATION, "invalid frontend message type %u", type);
    }
}

// A message that was read over: as if running it had failed.
static struct status refuse_message(
    struct task *task, struct pgwire *wire, uint8_t type, struct status why)
{
    struct session *session = wire->session;
    if (type == 'd' || type == 'c' || type == 'f') return STATUS_OK; // Of a COPY that has failed.
    if (wire->skip_to_sync && type != 'Q') return STATUS_OK;
    pgwire_fail_statement(task, wire, why);
    arena_reset(&session->statement_arena);
    wire->skip_to_sync = type != 'Q';
    if (type == 'Q') pgwire_ready_for_query(wire);
    return pgwire_flush(task, wire);
}

struct status pgwire_serve(struct task *task, void *arg)
{
    struct pgwire *wire = arg;
    struct session *session = wire->session;
    struct status st = STATUS_OK;
    session->task = task;
    wire->task = task;
    while (!wire->terminate && pgwire_has_work(wire)) {
        if (conn_ended(wire->conn) && conn_input(wire->conn).size < 5) break;
        uint8_t type;
        struct bytes body;
        st = pgwire_message(task, wire, &type, &body);
        if (wire->refused) {
            TRY(refuse_message(task, wire, type, st));
            continue;
        }
        TRY(st);
        void *memory;
        struct bytes own = own_body(wire, body, &memory);
        memory_account_grow(&session->account, body.size);
        st = handle_message(task, wire, type, own);
        memory_account_shrink(&session->account, body.size);
        arena_reset(&wire->in_arena);
        free(memory);
        TRY(st);
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st) && !conn_ended(wire->conn)) {
        pgwire_error(wire, "FATAL", st);
        wire->terminate = true;
    }
    pgwire_flush_now(wire);
    session->task = NULL;
    wire->task = NULL;
    if (conn_ended(wire->conn)) wire->terminate = true;
    if (wire->terminate) {
        session_close(task, session);
        wire->session = NULL;
    }
    return STATUS_OK;
}
