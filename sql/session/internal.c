// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/internal.h"

#include <string.h>

#include "core/invariant.h"
#include "core/shard.h"
#include "sql/catalog/catalog.h"
#include "sql/session/execute.h"
#include "sql/session/vars.h"

#define INTERNAL_ROWS_MAX 1000000u
#define INTERNAL_RETRIES_MAX 10u

struct collect_sink {
    struct result_sink sink;
    struct arena *arena;
    struct internal_result *result; // May be NULL.
    size_t capacity;                // Values.
};

static struct status collect_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    struct collect_sink *self = container_of(sink, struct collect_sink, sink);
    (void)task;
    if (self->result == NULL || self->result->types != NULL) return STATUS_OK;
    self->result->column_count = count;
    self->result->types = ARENA_ARRAY(self->arena, struct type, count + 1);
    for (uint32_t i = 0; i < count; i++) self->result->types[i] = columns[i].type;
    return STATUS_OK;
}

static struct status collect_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct collect_sink *self = container_of(sink, struct collect_sink, sink);
    struct internal_result *result = self->result;
    (void)task;
    sink->rows_sent++;
    if (result == NULL) return STATUS_OK;
    if (result->row_count == INTERNAL_ROWS_MAX)
        return status_make(SQLSTATE('5', '4', '0', '0', '0'), "an internal query has returned too many rows");
    size_t used = (size_t)result->row_count * result->column_count;
    if (used + result->column_count > self->capacity) {
        size_t grown = self->capacity == 0 ? 16u * (result->column_count + 1u) : self->capacity * 2;
        struct datum *values_new = ARENA_ARRAY(self->arena, struct datum, grown);
        if (used > 0) memcpy(values_new, result->values, used * sizeof *values_new);
        result->values = values_new;
        self->capacity = grown;
    }
    for (uint32_t i = 0; i < result->column_count; i++)
        result->values[used + i] = type_copy(self->arena, result->types[i].oid, values[i]);
    result->row_count++;
    return arena_check(self->arena);
}

static struct status open_session(
    struct task *task, uint64_t tenant, const char *database, bool administers, struct session **session)
{
    struct session_options options = {.tenant = tenant,
        .tenant_name = "",
        .user = "node",
        .database = database,
        .internal = true,
        .administers = administers,
        .superuser = true};
    struct status st = session_open(task->shard, &options, session);
    if (!failed(st)) (*session)->task = task;
    return st;
}

struct status internal_session_open(
    struct task *task, uint64_t tenant, const char *database, struct session **session)
{
    return open_session(task, tenant, database, false, session);
}

void internal_session_close(struct task *task, struct session *session)
{
    session_close(task, session);
}

// Runs the text in the session's open transaction, or in its own when none is open.
static struct status run_text(struct task *task, struct session *session, struct arena *arena,
    struct internal_result *result, const char *sql, uint32_t param_count,
    const struct datum *params, const type_oid *param_types, bool alone)
{
    struct status st;
    struct prepared *prepared = NULL;
    struct execution execution = {.arena = arena, .alone = alone};
    struct type *types = ARENA_ARRAY(arena, struct type, param_count + 1);
    for (uint32_t i = 0; i < param_count; i++) types[i] = TYPE_OF(param_types[i]);
    if (result != NULL) *result = (struct internal_result){0};
    bool began = session->txn_state == TXN_IDLE;
    TRY(prepared_for_text(task, session, sql, types, param_count, &prepared));
    if (began) session_txn_forget(task, session);
    execution.prepared = prepared;
    execution.params = params;
    TRY(execution_begin(task, session, &execution, false));
    struct collect_sink sink = {
        .sink = {.columns = collect_columns, .row = collect_row}, .arena = arena, .result = result};
    const struct result_column *columns;
    uint32_t count;
    TRY(prepared_describe(task, session, prepared, &columns, &count));
    if (count > 0) TRY(collect_columns(task, &sink.sink, columns, count));
    bool done;
    TRY(execution_next(task, session, &execution, &sink.sink, 0, &done));
    if (result != NULL && count == 0 && execution.run != NULL)
        result->row_count = plan_run_rows_affected(execution.run);
out:
    execution_close(task, &execution);
    if (failed(st)) st = status_copy(arena, st);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}

struct status internal_run(struct task *task, struct session *session, struct arena *arena,
    struct internal_result *result, const char *sql, uint32_t param_count,
    const struct datum *params, const type_oid *param_types)
{
    return run_text(task, session, arena, result, sql, param_count, params, param_types, false);
}

struct status internal_query(struct task *task, uint64_t tenant, struct session *session,
    struct arena *arena, struct internal_result *result, const char *sql, uint32_t param_count,
    const struct datum *params, const type_oid *param_types)
{
    struct status st = STATUS_OK;
    if (session != NULL) {
        // In the client's own transaction, but as the server: names resolve in `system`, nothing is refused.
        bool internal = session->internal, superuser = session->superuser;
        session->internal = session->superuser = true;
        st = run_text(task, session, arena, result, sql, param_count, params, param_types, false);
        session->internal = internal;
        session->superuser = superuser;
        return st;
    }
    struct session *own;
    TRY(open_session(task, tenant, "system", true, &own));
    for (uint32_t attempt = 0; attempt <= INTERNAL_RETRIES_MAX; attempt++) {
        st = run_text(task, own, arena, result, sql, param_count, params, param_types, true);
        st = execute_settle(task, own, st, true);
        if (failed(st)) st = status_copy(arena, st);
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
    }
    internal_session_close(task, own);
out:
    return st;
}

struct status internal_transaction(struct task *task, uint64_t tenant,
    struct status (*fn)(struct task *task, struct session *session, void *arg), void *arg)
{
    struct status st;
    struct session *session;
    TRY(internal_session_open(task, tenant, "system", &session));
    for (uint32_t attempt = 0; attempt <= INTERNAL_RETRIES_MAX; attempt++) {
        st = session_txn_begin(task, session, false);
        if (failed(st)) break;
        st = fn(task, session, arg);
        if (failed(st)) {
            st = status_copy(task->arena, st);
            session_txn_rollback(task, session);
        } else {
            st = session_txn_commit(task, session);
            if (failed(st)) st = status_copy(task->arena, st);
        }
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
    }
    internal_session_close(task, session);
out:
    return st;
}
