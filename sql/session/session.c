// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/session.h"

#include <stdlib.h>
#include <string.h>

#include "core/env.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/shard.h"
#include "sql/catalog/catalog.h"
#include "sql/type/collation.h"
#include "sql/wire/connection_limit.h"
#include "sql/session/execute.h"
#include "sql/insight/insight.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/exec/memory.h"
#include "sql/service/named_lock.h"
#include "sql/service/sequence.h"
#include "sql/service/xact.h"
#include "sql/session/session_role.h"
#include "sql/session/shard_state.h"
#include "sql/ddl/temp.h"
#include "sql/session/vars.h"

#define POSTGRES_EPOCH_US 946684800000000ll // 2000-01-01 in microseconds since 1970.
#define TXN_HOOKS_MAX 8u
#define SESSIONS_END_NS UINT64_C(5000000000)
#define SESSIONS_END_POLL_NS UINT64_C(1000000)

static struct session_txn_hook txn_hooks[TXN_HOOKS_MAX];
static uint32_t txn_hook_count;

void session_txn_hook_register(const struct session_txn_hook *hook)
{
    invariant(txn_hook_count < TXN_HOOKS_MAX);
    txn_hooks[txn_hook_count++] = *hook;
}

// --- the shard's sessions ----------------------------------------------------------------------------

struct sql_shard *sql_shard(struct shard *shard)
{
    struct sql_shard *state = shard->slots[SHARD_SLOT_SQL];
    if (state == NULL) {
        state = calloc(1, sizeof *state);
        invariant(state != NULL);
        state->sessions.prev = state->sessions.next = &state->sessions;
        list_init(&state->arriving);
        shard->slots[SHARD_SLOT_SQL] = state;
    }
    return state;
}

void sql_shard_fini(struct shard *shard)
{
    struct sql_shard *state = shard->slots[SHARD_SLOT_SQL];
    // Sessions that a shutdown has cut off still point here.
    if (state == NULL || state->sessions.next != &state->sessions) return;
    named_lock_shard_fini(state);
    connection_limit_shard_fini(state);
    memory_shard_fini(state);
    insight_shard_fini(state);
    hashmap_fini(&state->cache);
    collations_fini(state->collations);
    hashmap_fini(&state->temp_swept);
    hashmap_fini(&state->by_cancel);
    free(state->shape);
    free(state);
    shard->slots[SHARD_SLOT_SQL] = NULL;
}

bool sql_shard_end_sessions(struct task *task)
{
    struct sql_shard *state = sql_shard(task->shard);
    const bool cancelled = task->cancelled;
    const struct status because = task->cancel_status;
    const uint64_t deadline = task_now_ns(task) + SESSIONS_END_NS;
    state->stopping = true;
    if (cancelled) task_cancel_clear(task); // It waits while it cleans up.
    while (session_first(task->shard) != NULL && task_now_ns(task) < deadline)
        if (failed(task_sleep(task, SESSIONS_END_POLL_NS))) task_cancel_clear(task);
    if (cancelled) task_cancel(task, because);
    if (session_first(task->shard) == NULL) return true;
    log_warning(0, "sessions of the server's own have not ended");
    return false;
}

struct session *session_first(struct shard *shard)
{
    struct list_link *head = &sql_shard(shard)->sessions;
    return head->next == head ? NULL : container_of(head->next, struct session, link);
}

struct session *session_next(struct session *session)
{
    struct list_link *head = &sql_shard(session->shard)->sessions;
    return session->link.next == head ? NULL : container_of(session->link.next, struct session, link);
}

int64_t session_now_us(struct shard *shard)
{
    return shard->env->wall_ns(shard->env) / 1000 - POSTGRES_EPOCH_US;
}

static const struct session_reader_hooks *reader_hooks;

void session_readers_register(const struct session_reader_hooks *hooks)
{
    reader_hooks = hooks;
}

struct status session_open(
    struct shard *shard, const struct session_options *options, struct session **out)
{
    struct status stops = status_make(E_ADMIN_SHUTDOWN, "the node stops");
    if (shard->slots[SHARD_SLOT_CATALOG] == NULL) return stops;
    struct sql_shard *state = sql_shard(shard);
    if (state->stopping) return stops;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    session->shard = shard;
    session->memory = tenant_memory_of(shard, options->tenant);
    session->administers = options->administers;
    if (options->administers)
        memory_account_init(&session->account, &shard->account, "session", 0);
    else
        memory_account_init(
            &session->account, &session->memory->account, "session", session->memory->session_max);
    arena_init(&session->arena, &session->account);
    arena_init(&session->txn_arena, &session->account);
    arena_init(&session->statement_arena, &session->account);
    session->id = (uint64_t)session_now_us(shard) << 16 | (shard->index & 0xff) << 8 |
                  (++state->session_count & 0xff);
    session->tenant = options->tenant;
    session->reader = options->reader;
    if (options->internal && reader_hooks != NULL)
        session->reader = reader_hooks->of_tenant(shard, options->tenant);
    session->tenant_name = arena_strdup(&session->arena, options->tenant_name);
    session->login_user = options->user;
    session_role_open(session, options->superuser);
    session->database = arena_strdup(&session->arena, options->database);
    session->application_name = "";
    session->client_address =
        options->client_address == NULL ? "" : arena_strdup(&session->arena, options->client_address);
    session->server_address =
        options->server_address == NULL ? "" : arena_strdup(&session->arena, options->server_address);
    session->authentication = "";
    session->internal = options->internal;
    session->start_us = session_now_us(shard);
    session->names = pg_type_names;
    session->names.arg = session;
    session->types.names = &session->names;
    vars_open(session);
    struct status st =
        vars_set(session, &session->arena, "database", options->database, VARS_STARTUP);
    if (!failed(st))
        st = vars_set(session, &session->arena, "session_authorization", session->login_user, VARS_STARTUP);
    if (!failed(st))
        st = vars_set(session, &session->arena, "virtual_cluster_name", session->tenant_name, VARS_STARTUP);
    invariant(!failed(st));
    session_statements_open(session);
    session->link.prev = state->sessions.prev;
    session->link.next = &state->sessions;
    state->sessions.prev->next = &session->link;
    state->sessions.prev = &session->link;
    *out = session;
    return STATUS_OK;
}

void session_close(struct task *task, struct session *session)
{
    if (session->txn_state != TXN_IDLE) session_txn_rollback(task, session);
    temp_session_end(task, session);
    session_statements_close(task, session);
    session->link.prev->next = session->link.next;
    session->link.next->prev = session->link.prev;
    sequence_session_reset(session);
    xact_session_end(session);
    named_lock_session_end(session);
    connection_leave(session);
    vars_close(session);
    arena_fini(&session->statement_arena);
    arena_fini(&session->txn_arena);
    arena_fini(&session->arena);
    memory_account_fini(&session->account);
    free(session);
}

void session_notice(struct session *session, const char *severity, struct status st)
{
    if (session->notice != NULL) session->notice(session, severity, st);
}

// --- transactions ------------------------------------------------------------------------------------

static struct status reader_begin(struct session *session)
{
    struct hlc_timestamp time = reader_hooks->time(session->shard, session->reader);
    if (hlc_is_zero(time))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster is no longer read from");
    if (hlc_less(time, session->txn_as_of)) {
        char text[HLC_TEXT_BYTES];
        session->txn_as_of = HLC_ZERO;
        return status_format(&session->statement_arena, E_INVALID_PARAMETER_VALUE,
            "cannot read at a time that is not replicated yet: the newest is %s", hlc_format(time, text));
    }
    if (hlc_is_zero(session->txn_as_of)) session->txn_as_of = time;
    return STATUS_OK;
}

static struct status begin(
    struct task *task, struct session *session, bool implicit, bool reads_only)
{
    struct status st;
    invariant(session->txn_state == TXN_IDLE && session->txn == NULL);
    if (session->reader != 0) TRY(reader_begin(session));
    TRY(transaction_enter(task, session));
    session->txn_start_us = session_now_us(session->shard);
    session->types.now_us = session->txn_start_us;
    session->statement_start_us = session->txn_start_us;
    struct kv_txn_options options = {.tenant = session->tenant,
        .read_only = reads_only || session->txn_read_only || !hlc_is_zero(session->txn_as_of),
        .as_of = session->txn_as_of,
        .from_leaders = session->reader != 0,
        .account = &session->account,
        .lock_timeout_ns = (uint64_t)session->lock_timeout_ms * 1000000u};
    TRY(kv_txn_begin(task, &options, &session->txn));
    st = catalog_view_open(task, session->txn, &session->catalog);
    if (failed(st)) {
        kv_txn_rollback(task, session->txn);
        session->txn = NULL;
        goto out;
    }
    session->txn_state = implicit ? TXN_IMPLICIT : TXN_OPEN;
    session->txn_read_only |= session->read_only_default;
    session->txn_queried = false;
    session->txn_fresh = true; // Until its first statement that is more than planned.
out:
    if (failed(st)) transaction_leave(session);
    return st;
}

struct status session_txn_begin(struct task *task, struct session *session, bool implicit)
{
    return begin(task, session, implicit, false);
}

struct status session_txn_begin_reading(struct task *task, struct session *session)
{
    return begin(task, session, true, true);
}

static void hooks_after(struct task *task, struct session *session, bool committed)
{
    for (uint32_t i = 0; i < txn_hook_count; i++)
        if (txn_hooks[i].after != NULL) txn_hooks[i].after(task, session, committed);
}

struct status session_txn_restart(struct task *task, struct session *session)
{
    invariant(session->txn_state == TXN_OPEN && session->txn_fresh && session->savepoints == NULL);
    hooks_after(task, session, false);
    catalog_view_close(session->catalog);
    session->catalog = NULL;
    struct status st = kv_txn_restart(task, session->txn);
    if (failed(st)) return st;
    return catalog_view_open(task, session->txn, &session->catalog);
}

// What both ends have in common. The key-value transaction is gone already.
static void finish(struct task *task, struct session *session, bool committed)
{
    session->txn = NULL;
    transaction_leave(session);
    hooks_after(task, session, committed);
    session->commit_unsure = false;
    if (session->catalog != NULL) catalog_view_close(session->catalog);
    session->catalog = NULL;
    session->savepoints = NULL;
    session->txn_as_of = HLC_ZERO;
    session->txn_read_only = false;
    vars_txn_end(session, committed);
    session->txn_state = TXN_IDLE;
    session_statements_txn_end(task, session);
    arena_reset(&session->txn_arena);
}

struct status session_txn_commit(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    invariant(session->txn != NULL);
    for (uint32_t i = 0; i < txn_hook_count; i++) {
        if (txn_hooks[i].before_commit == NULL) continue;
        TRY(txn_hooks[i].before_commit(task, session));
    }
    st = kv_txn_commit(task, session->txn, &session->commit_ts);
    session->txn = NULL;
    session->commit_unsure = failed(st) && !status_is(st, E_SERIALIZATION_FAILURE);
out:
    if (session->txn != NULL) kv_txn_rollback(task, session->txn);
    finish(task, session, !failed(st));
    return st;
}

void session_txn_forget(struct task *task, struct session *session)
{
    if (session->txn_state != TXN_IMPLICIT) return;
    struct portal *portals = session->statements->portals;
    uint32_t count = session->statements->portal_count;
    session->statements->portals = NULL;
    session_txn_rollback(task, session);
    session->statements->portals = portals;
    session->statements->portal_count = count;
}

void session_txn_rollback(struct task *task, struct session *session)
{
    if (session->txn != NULL) kv_txn_rollback(task, session->txn);
    finish(task, session, false);
}

void session_txn_fail(struct task *task, struct session *session)
{
    if (session->txn_state != TXN_OPEN) return;
    session->txn_state = TXN_FAILED;
    vars_txn_failed(session, session->savepoints == NULL ? NULL : session->savepoints->vars);
    portals_break(session, session->savepoints == NULL ? 0 : session->savepoints->cursor_serial);
    if (session->txn == NULL) return;
    // Nothing of it counts any more, or nothing since the last savepoint: nobody has to wait for its locks.
    if (session->savepoints != NULL) {
        kv_txn_unlock_to(session->txn, &session->savepoints->locks);
    } else {
        kv_txn_rollback(task, session->txn);
        session->txn = NULL;
    }
}
