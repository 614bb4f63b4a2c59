// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/text.h"
#include "core/shard.h"
#include "sql/bind/as_of.h"
#include "sql/ddl/ddl.h"
#include "sql/session/cursor.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/service/settings.h"
#include "sql/session/long_parse.h"
#include "sql/session/portal_rows.h"
#include "sql/session/search_path.h"
#include "sql/session/vars.h"

#define HANDLERS_MAX ((uint32_t)STATEMENT_TAG_COUNT)
// As PostgreSQL has it.
#define CUSTOM_PLANS_FIRST 5u
#define EXECUTE_NESTED_MAX 4u

static const struct statement_handler *handlers[STATEMENT_TAG_COUNT];

void statement_handler_register(const struct statement_handler *table, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        invariant(table[i].tag < HANDLERS_MAX && handlers[table[i].tag] == NULL);
        handlers[table[i].tag] = &table[i];
    }
}

const struct statement_handler *statement_handler_find(enum statement_tag tag)
{
    return tag < HANDLERS_MAX ? handlers[tag] : NULL;
}

static bool is_planned(enum statement_tag tag)
{
    return tag == STATEMENT_SELECT || tag == STATEMENT_INSERT || tag == STATEMENT_UPDATE ||
           tag == STATEMENT_DELETE;
}

// --- named statements and portals ----------------------------------------------------------------------

void session_statements_open(struct session *session)
{
    session->statements = calloc(1, sizeof *session->statements);
    invariant(session->statements != NULL);
}

void portal_free(struct task *task, struct portal *portal)
{
    if (portal->execution != NULL) execution_close(task, portal->execution);
    prepared_release(portal->prepared);
    arena_fini(&portal->arena);
    free(portal);
}

void session_statements_txn_end(struct task *task, struct session *session)
{
    struct session_statements *all = session->statements;
    while (all->portals != NULL) {
        struct portal *portal = all->portals;
        all->portals = portal->next;
        portal_free(task, portal);
    }
    all->portal_count = 0;
}

void session_statements_close(struct task *task, struct session *session)
{
    session_statements_txn_end(task, session);
    cursors_close(task, session);
    prepared_remove_all(session);
    free(session->statements);
    session->statements = NULL;
}

struct portal *portal_find(struct session *session, const char *name)
{
    for (struct portal *portal = session->statements->portals; portal != NULL; portal = portal->next)
        if (strcmp(portal->name, name) == 0) return portal;
    return NULL;
}

struct portal *portal_make(struct session *session, const char *name, struct prepared *prepared)
{
    struct portal *portal = calloc(1, sizeof *portal);
    invariant(portal != NULL);
    arena_init(&portal->arena, &session->account);
    portal->name = arena_strdup(&portal->arena, name);
    portal->prepared = prepared;
    portal->serial = ++session->statements->cursor_serial;
    prepared->references++;
    portal_attach(session, portal);
    return portal;
}

struct execution *portal_execution(struct portal *portal)
{
    if (portal->execution != NULL) return portal->execution;
    portal->execution = ARENA_NEW(&portal->arena, struct execution);
    portal->execution->prepared = portal->prepared;
    portal->execution->params = portal->params;
    portal->execution->arena = &portal->arena;
    return portal->execution;
}

void portal_detach(struct session *session, struct portal *portal)
{
    struct portal **at = &session->statements->portals;
    while (*at != portal) at = &(*at)->next;
    *at = portal->next;
    portal->next = NULL;
    session->statements->portal_count--;
}

void portal_attach(struct session *session, struct portal *portal)
{
    portal->next = session->statements->portals;
    session->statements->portals = portal;
    session->statements->portal_count++;
}

void portal_close(struct task *task, struct session *session, struct portal *portal)
{
    portal_detach(session, portal);
    portal_free(task, portal);
}

void portals_rolled_back_to(struct task *task, struct session *session, uint64_t serial)
{
    struct portal *portal = session->statements->portals, *next;
    for (; portal != NULL; portal = next) {
        next = portal->next;
        if (portal->serial > serial) portal_close(task, session, portal);
    }
}

void portals_break(struct session *session, uint64_t serial)
{
    if (session->statements == NULL) return;
    for (struct portal *portal = session->statements->portals; portal != NULL; portal = portal->next)
        if (portal->serial > serial) portal->broken = portal->done = true;
}

struct prepared *prepared_find(struct session *session, const char *name)
{
    for (struct prepared *at = session->statements->prepared; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0) return at;
    return NULL;
}

void prepared_add(struct session *session, const char *name, struct bytes sent, bool from_sql, struct prepared *prepared)
{
    prepared->name = arena_strdup(&prepared->arena, name);
    prepared->sent = arena_copy(&prepared->arena, sent);
    prepared->from_sql = from_sql;
    prepared->made_us = session->statement_start_us;
    prepared->prev = NULL;
    prepared->next = session->statements->prepared;
    if (prepared->next != NULL) prepared->next->prev = prepared;
    session->statements->prepared = prepared;
    session->statements->prepared_count++;
}

static void prepared_unlink(struct session *session, struct prepared *prepared)
{
    if (prepared->next != NULL) prepared->next->prev = prepared->prev;
    if (prepared->prev != NULL)
        prepared->prev->next = prepared->next;
    else
        session->statements->prepared = prepared->next;
    session->statements->prepared_count--;
    prepared_release(prepared);
}

bool prepared_remove(struct session *session, const char *name)
{
    struct prepared *prepared = prepared_find(session, name);
    if (prepared == NULL) return false;
    prepared_unlink(session, prepared);
    return true;
}

void prepared_remove_all(struct session *session)
{
    while (session->statements->prepared != NULL)
        prepared_unlink(session, session->statements->prepared);
}

void prepared_remove_named(struct session *session)
{
    for (struct prepared *at = session->statements->prepared, *next; at != NULL; at = next) {
        next = at->next;
        if (at->name[0] != 0) prepared_unlink(session, at);
    }
}

static void built_release(struct built_plan *built)
{
    if (built == NULL || --built->references > 0) return;
    arena_fini(&built->arena);
    free(built);
}

void prepared_release(struct prepared *prepared)
{
    invariant(prepared->references > 0);
    if (--prepared->references > 0) return;
    built_release(prepared->built);
    arena_fini(&prepared->arena);
    free(prepared);
}

// --- preparing -----------------------------------------------------------------------------------------

static struct status parse_one(struct task *task, struct session *session, struct prepared *prepared)
{
    struct statement_list list;
    struct status st = long_parse_sql(task, session, &prepared->arena, prepared->text, &list);
    if (failed(st)) return st;
    if (list.count > 1)
        return status_make(
            E_SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement");
    prepared->statement = list.count == 0 ? NULL : list.items[0];
    return STATUS_OK;
}

static struct status build_plan(struct task *task, struct session *session, struct prepared *prepared)
{
    struct status st;
    struct built_plan *built = calloc(1, sizeof *built);
    if (built == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    built->references = 1;
    arena_init(&built->arena, &session->shard->account);
    uint32_t count = prepared->param_count;
    uint64_t epoch = catalog_epoch(session);
    TRY(plan_build(task, session, &built->arena, prepared->statement, prepared->text,
        prepared->param_types, &count, &built->plan));
    prepared->param_count = count;
    prepared->columns = plan_columns(built->plan, &prepared->column_count);
    prepared->reads_only = plan_is_read_only(built->plan);
    prepared->writes = plan_writes(built->plan);
    prepared->described = true;
    built_release(prepared->built);
    prepared->built = built;
    prepared->choice.tried = 0;
    prepared->choice.custom_cost = 0;
    prepared->catalog_epoch = catalog_epoch(session) == epoch ? epoch : 0;
out:
    if (failed(st)) {
        st = status_copy(&session->statement_arena, st);
        built_release(built);
    }
    return st;
}

struct status session_begin_if_idle(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    if (session->txn_state == TXN_IDLE) TRY(session_txn_begin(task, session, true));
    st = search_path_settle(task, session);
out:
    return st;
}

static struct status refuse_in_failed(const struct session *session, const struct prepared *prepared)
{
    if (prepared->statement == NULL) return STATUS_OK;
    return prepared_refuse_failed(session, prepared);
}

struct status prepared_refuse_failed(const struct session *session, const struct prepared *prepared)
{
    if (session->txn_state != TXN_FAILED) return STATUS_OK;
    if (prepared->handler != NULL && (prepared->handler->flags & HANDLER_IN_FAILED)) return STATUS_OK;
    return status_make(E_FAILED_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block");
}

// What a statement within a statement (EXPLAIN, CALL) takes for its parameters is what the outer one takes. What is wrong
// with a CALL is told at once.
static struct status inner_parameters(
    struct task *task, struct session *session, struct prepared *prepared, uint32_t declared_count, bool parsed)
{
    struct prepared *inner;
    struct buffer text;
    struct status st;
    if (prepared->param_count == 0 && (!parsed || prepared->statement->tag != STATEMENT_CALL)) return STATUS_OK;
    if (prepared->statement->tag == STATEMENT_CALL) {
        bool rows;
        struct statement_context context = {.task = task,
            .session = session,
            .arena = &session->statement_arena,
            .statement = prepared->statement,
            .text = prepared->text,
            .param_types = prepared->param_types,
            .param_count = declared_count};
        st = ddl_prepare_call(&context, &inner, &rows);
    } else if (prepared->statement->tag == STATEMENT_EXPLAIN) {
        buffer_init(&text, &session->statement_arena);
        deparse_statement(&text, prepared->statement->as.explain->statement, 0);
        st = prepared_make(task, session, buffer_bytes(&text), NULL, prepared->param_types,
            declared_count, &inner);
    } else {
        return STATUS_OK;
    }
    if (failed(st)) return st;
    for (uint32_t i = 0; i < inner->param_count && i < prepared->param_count; i++)
        prepared->param_types[i] = inner->param_types[i];
    prepared_release(inner);
    return st;
}

static struct status not_supported(struct arena *arena, const struct statement *statement)
{
    const char *hint = statement->tag == STATEMENT_UNSUPPORTED ? statement->as.unsupported->hint : NULL;
    struct status st = status_format(arena, E_FEATURE_NOT_SUPPORTED, "%s is not supported", statement_name(statement));
    return hint == NULL ? st : status_hint(arena, st, "%s", hint);
}

struct status prepared_make(struct task *task, struct session *session, struct bytes text,
    struct statement *statement, const struct type *declared, uint32_t declared_count,
    struct prepared **out)
{
    struct status st;
    struct prepared *prepared = calloc(1, sizeof *prepared);
    if (prepared == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    prepared->references = 1;
    // Plans outlive the session that made them when they are cached: the shard answers for them.
    arena_init(&prepared->arena, &session->shard->account);
    prepared->text = text;
    prepared->statement = statement;
    const bool parsed = statement == NULL;
    if (parsed) {
        prepared->text = arena_copy(&prepared->arena, text);
        TRY(parse_one(task, session, prepared));
    }
    statement = prepared->statement;
    // Those of PREPARE are not its own.
    uint32_t count = statement == NULL || statement->tag == STATEMENT_PREPARE ? 0 : statement->parameter_count;
    prepared->param_count = declared_count > count ? declared_count : count;
    prepared->param_types =
        ARENA_ARRAY(&prepared->arena, struct type, prepared->param_count + 1);
    for (uint32_t i = 0; i < declared_count; i++) prepared->param_types[i] = declared[i];
    if (statement == NULL) goto out;
    if (!is_planned(statement->tag)) {
        prepared->handler = statement_handler_find(statement->tag);
        if (prepared->handler == NULL)
            TRY(not_supported(&session->statement_arena, statement));
    }
    TRY(refuse_in_failed(session, prepared));
    if (statement->tag == STATEMENT_DECLARE_CURSOR) {
        TRY(cursor_param_types(task, session, prepared));
    } else if (prepared->handler != NULL) {
        TRY(inner_parameters(task, session, prepared, declared_count, parsed));
    } else {
        TRY(session_begin_if_idle(task, session));
        TRY(build_plan(task, session, prepared));
    }
out:
    if (failed(st)) {
        st = status_copy(&session->statement_arena, st);
        prepared_release(prepared);
        prepared = NULL;
    }
    *out = prepared;
    return st;
}

static struct statement_context context_of(struct task *task, struct session *session,
    struct arena *arena, struct prepared *prepared, const struct datum *params,
    struct result_sink *sink)
{
    return (struct statement_context){.task = task,
        .session = session,
        .arena = arena,
        .statement = prepared->statement,
        .text = prepared->text,
        .params = params,
        .param_types = prepared->param_types,
        .param_count = params == NULL ? 0 : prepared->param_count,
        .sink = sink};
}

// Names may lead round: a portal c that fetches from c, a statement p that executes p.
static struct status nest(struct session *session)
{
    if (session->nested >= EXECUTE_NESTED_MAX)
        return status_make(E_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    session->nested++;
    return STATUS_OK;
}

static struct status describe_by_handler(
    struct task *task, struct session *session, struct prepared *prepared)
{
    prepared->columns = NULL;
    prepared->column_count = 0;
    if (session->nested >= EXECUTE_NESTED_MAX) return STATUS_OK; // Told when it runs.
    session->nested++;
    struct statement_context context =
        context_of(task, session, &prepared->arena, prepared, NULL, NULL);
    struct status st = prepared->handler->describe(&context, &prepared->columns, &prepared->column_count);
    session->nested--;
    return st;
}

struct status prepared_describe(struct task *task, struct session *session,
    struct prepared *prepared, const struct result_column **columns, uint32_t *count)
{
    struct status st = STATUS_OK;
    if (!prepared->described && prepared->handler != NULL) {
        if (prepared->handler->describe != NULL) TRY(describe_by_handler(task, session, prepared));
        // The cursor of a FETCH, or the statement of an EXECUTE, may be another the next time.
        const enum statement_tag tag = prepared->statement->tag;
        prepared->described = tag != STATEMENT_FETCH && tag != STATEMENT_EXECUTE;
    }
    *columns = prepared->columns;
    *count = prepared->column_count;
out:
    return st;
}

// --- running -------------------------------------------------------------------------------------------

// AS OF SYSTEM TIME of the statement: the time of its implicit transaction.
static struct status begin_as_of(struct task *task, struct session *session, const struct expr *as_of)
{
    struct status st;
    struct hlc_timestamp ts;
    TRY(as_of_evaluate(task, session, &session->statement_arena, as_of, AS_OF_PAST, &ts));
    if (session->txn_state == TXN_IMPLICIT && !hlc_equal(session->txn_as_of, ts)) {
        // Only preparing went before: read nothing that matters.
        session_txn_rollback(task, session);
    }
    if (session->txn_state != TXN_IDLE) {
        if (!hlc_equal(session->txn_as_of, ts))
            st = status_make(E_FEATURE_NOT_SUPPORTED,
                "inconsistent AS OF SYSTEM TIME timestamp: the transaction reads at another time");
        goto out;
    }
    session->txn_as_of = ts;
    TRY(session_txn_begin(task, session, true));
out:
    return st;
}

static struct result_column *keep_columns(const struct prepared *prepared, struct arena *arena)
{
    struct result_column *kept = ARENA_ARRAY(arena, struct result_column, prepared->column_count + 1u);
    for (uint32_t i = 0; i < prepared->column_count; i++) {
        kept[i] = prepared->columns[i];
        kept[i].name = arena_strdup(arena, kept[i].name);
    }
    return kept;
}

static bool is_as_told(const struct prepared *prepared)
{
    if (prepared->told_count != prepared->column_count) return false;
    for (uint32_t i = 0; i < prepared->told_count; i++) {
        const struct result_column *told = &prepared->told[i], *now = &prepared->columns[i];
        if (told->type.oid != now->type.oid || told->type.typmod != now->type.typmod || strcmp(told->name, now->name) != 0)
            return false;
    }
    return true;
}

// A plan whose tables have changed is made anew. Rows of another form than the client was told are refused, until they
// have that form again.
static struct status renew_plan(
    struct task *task, struct session *session, struct prepared *prepared, bool described)
{
    struct status st;
    bool current;
    TRY(search_path_settle(task, session));
    TRY(plan_is_current(task, session, prepared->built->plan, &current));
    if (!current) {
        struct result_column *columns = NULL;
        uint32_t count = prepared->column_count;
        if (prepared->told == NULL) columns = keep_columns(prepared, &prepared->arena);
        TRY(build_plan(task, session, prepared));
        if (prepared->told == NULL) {
            prepared->told = columns;
            prepared->told_count = count;
        }
        prepared->untold = !is_as_told(prepared);
    }
    if (described && prepared->untold)
        st = status_make(E_FEATURE_NOT_SUPPORTED, "cached plan must not change result type");
out:
    return st;
}

struct status prepared_is_current(
    struct task *task, struct session *session, struct prepared *prepared, bool *current)
{
    struct status st = STATUS_OK;
    bool began = session->txn_state == TXN_IDLE;
    *current = true;
    if (prepared->built == NULL || session->txn_state == TXN_FAILED) return st;
    uint64_t epoch = catalog_epoch(session);
    if (epoch != 0 && prepared->catalog_epoch == epoch) return st;
    TRY(session_begin_if_idle(task, session));
    TRY(plan_is_current(task, session, prepared->built->plan, current));
    if (*current && catalog_epoch(session) == epoch) prepared->catalog_epoch = epoch;
out:
    if (began) session_txn_forget(task, session);
    return st;
}

struct status prepared_renew(struct task *task, struct session *session, struct prepared *prepared)
{
    struct status st;
    bool current, began = session->txn_state == TXN_IDLE;
    TRY(prepared_is_current(task, session, prepared, &current));
    if (current && !prepared->untold) goto out;
    TRY(session_begin_if_idle(task, session));
    TRY(renew_plan(task, session, prepared, true));
out:
    if (began) session_txn_forget(task, session);
    return st;
}

bool statement_in_block(const struct session *session)
{
    return session->txn_state == TXN_OPEN || session->nested > 0 || session->statements->several == SEVERAL_IN_QUERY;
}

struct status statement_alone(struct session *session, struct arena *arena, const char *what)
{
    if (session->txn_state == TXN_OPEN || session->statements->several == SEVERAL_IN_QUERY)
        return status_format(arena, E_ACTIVE_TRANSACTION, "%s cannot run inside a transaction block", what);
    if (session->statements->several == SEVERAL_IN_PIPELINE)
        return status_format(arena, E_ACTIVE_TRANSACTION, "%s cannot be executed within a pipeline", what);
    if (session->nested > 0) // Of an EXECUTE: PostgreSQL's words.
        return status_format(arena, E_ACTIVE_TRANSACTION, "%s cannot be executed from a function", what);
    session->statements->alone = true;
    return STATUS_OK;
}

static struct status begin_for(
    struct task *task, struct session *session, const struct execution *execution)
{
    struct status st;
    const struct prepared *prepared = execution->prepared;
    TRY(refuse_in_failed(session, prepared));
    if (prepared->statement == NULL) goto out;
    uint32_t flags = prepared->handler == NULL ? 0 : prepared->handler->flags;
    if (flags & HANDLER_TRANSACTION_CONTROL) goto out;
    if (flags & HANDLER_NO_TRANSACTION) {
        TRY(statement_alone(session, &session->statement_arena, statement_name(prepared->statement)));
        // Only preparing went before.
        session_txn_forget(task, session);
        goto out;
    }
    if (prepared->statement->as_of != NULL && prepared->handler == NULL) {
        TRY(begin_as_of(task, session, prepared->statement->as_of));
        goto out;
    }
    if (session->txn_state != TXN_IDLE) goto out;
    if (prepared->reads_only && execution->alone)
        TRY(session_txn_begin_reading(task, session));
    else
        TRY(session_txn_begin(task, session, true));
out:
    return st;
}

// READ COMMITTED: each statement has a snapshot of its own, and what it reads is not validated; what statements other
// than queries and their like read (the catalog, above all) is, and what the server looks at for them.
static struct status statement_snapshot(
    struct task *task, struct session *session, const struct prepared *prepared)
{
    if (session->txn == NULL || session->txn_state != TXN_OPEN || prepared->statement == NULL) return STATUS_OK;
    if (!hlc_is_zero(session->txn_as_of)) return STATUS_OK;
    if (prepared->handler != NULL && (prepared->handler->flags & HANDLER_TRANSACTION_CONTROL)) return STATUS_OK;
    const char *level = vars_get(session, "transaction_isolation");
    bool weak = strcmp(level, "read committed") == 0 || strcmp(level, "read uncommitted") == 0;
    session->reads_weak = weak && prepared->handler == NULL && !session->internal;
    kv_txn_weaken(session->txn, session->reads_weak);
    return weak ? kv_txn_step(task, session->txn) : STATUS_OK;
}

struct status execution_begin(
    struct task *task, struct session *session, struct execution *execution, bool described)
{
    struct status st;
    if (execution->params == NULL && execution->prepared->handler == NULL && execution->prepared->param_count > 0)
        return status_make(E_UNDEFINED_PARAMETER, "there is no parameter $1");
    TRY(begin_for(task, session, execution));
    if (!execution->started) TRY(statement_snapshot(task, session, execution->prepared));
    if (!execution->started && execution->prepared->built != NULL)
        TRY(renew_plan(task, session, execution->prepared, described));
out:
    return st;
}

// What PostgreSQL calls the statement that it refuses.
static const char *written_by(const struct statement *statement)
{
    static const char *const locking[] = {
        [LOCK_FOR_KEY_SHARE] = "SELECT FOR KEY SHARE",
        [LOCK_FOR_SHARE] = "SELECT FOR SHARE",
        [LOCK_FOR_NO_KEY_UPDATE] = "SELECT FOR NO KEY UPDATE",
        [LOCK_FOR_UPDATE] = "SELECT FOR UPDATE",
    };
    if (statement->tag == STATEMENT_COPY) return "COPY FROM";
    if (statement->tag == STATEMENT_SELECT && statement->as.select->locking_count > 0)
        return locking[statement->as.select->lockings[0].strength];
    return statement_name(statement);
}

static struct status check_writable(struct session *session, const struct prepared *prepared)
{
    // A reader's session changes nothing outside of its transactions either.
    if (session->reader == 0 || session->internal) {
        bool in_txn = session->txn_state == TXN_OPEN || session->txn_state == TXN_IMPLICIT;
        bool read_only = in_txn ? session->txn_read_only : session->read_only_default;
        if (!read_only && (!in_txn || hlc_is_zero(session->txn_as_of))) return STATUS_OK;
    }
    bool harmless = prepared->handler == NULL ? !prepared->writes
                    : prepared->statement->tag == STATEMENT_COPY
                        ? !prepared->statement->as.copy->from
                        : (prepared->handler->flags & (HANDLER_READ_ONLY | HANDLER_TRANSACTION_CONTROL)) != 0;
    if (harmless) return STATUS_OK;
    return status_format(&session->statement_arena, E_READ_ONLY_TRANSACTION,
        "cannot execute %s in a read-only transaction", written_by(prepared->statement));
}

static bool wants_custom(struct session *session, const struct execution *execution)
{
    const struct prepared *prepared = execution->prepared;
    const struct plan_choice *choice = &prepared->choice;
    if (prepared->param_count == 0 || execution->params == NULL || prepared->cache_key.size > 0 ||
        prepared->name == NULL || prepared->name[0] == 0)
        return false;
    const char *mode = vars_get(session, "plan_cache_mode");
    if (strcmp(mode, "auto") != 0) return strcmp(mode, "force_custom_plan") == 0;
    if (choice->tried < CUSTOM_PLANS_FIRST) return true;
    double average = choice->custom_cost / (double)choice->tried;
    return plan_cost(prepared->built->plan, false) >= average;
}

struct status execution_choose(
    struct task *task, struct session *session, struct execution *execution)
{
    struct status st = STATUS_OK;
    struct prepared *prepared = execution->prepared;
    struct plan_choice *choice = &prepared->choice;
    struct built_plan *built = NULL;
    if (execution->built != NULL) return st;
    if (!wants_custom(session, execution)) {
        execution->built = prepared->built;
        execution->built->references++;
        choice->generic++;
        return st;
    }
    built = calloc(1, sizeof *built);
    if (built == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    built->references = 1;
    arena_init(&built->arena, &session->shard->account);
    uint32_t count = prepared->param_count;
    TRY(plan_build_custom(task, session, &built->arena, prepared->statement, prepared->text,
        prepared->param_types, &count, execution->params, &built->plan));
    choice->custom++;
    choice->tried++;
    choice->custom_cost += plan_cost(built->plan, true);
    execution->built = built;
out:
    if (failed(st)) {
        st = status_copy(&session->statement_arena, st);
        built_release(built);
    }
    return st;
}

static struct status start(struct task *task, struct session *session, struct execution *execution)
{
    struct status st;
    struct prepared *prepared = execution->prepared;
    TRY(check_writable(session, prepared));
    bool writes = prepared->handler == NULL ? prepared->statement->tag != STATEMENT_SELECT
                                            : prepared->statement->tag == STATEMENT_COPY;
    if (writes) TRY(cursors_before_write(task, session));
    if (prepared->handler == NULL) {
        TRY(execution_choose(task, session, execution));
        TRY(execution->measured
                ? plan_run_open_measured(task, session, execution->built->plan,
                      execution->params, prepared->param_count, &execution->run)
                : plan_run_open(task, session, execution->built->plan, execution->params,
                      prepared->param_count, &execution->run));
    }
    execution->started = true;
out:
    return st;
}

// `rows`: those that were given before.
static void planned_tag(struct execution *execution, uint64_t rows)
{
    uint64_t affected = plan_run_rows_affected(execution->run);
    execution->affected = affected;
    switch (execution->prepared->statement->tag) {
    case STATEMENT_INSERT:
        snprintf(execution->tag, sizeof execution->tag, "INSERT 0 %llu", (unsigned long long)affected);
        break;
    case STATEMENT_UPDATE:
        snprintf(execution->tag, sizeof execution->tag, "UPDATE %llu", (unsigned long long)affected);
        break;
    case STATEMENT_DELETE:
        snprintf(execution->tag, sizeof execution->tag, "DELETE %llu", (unsigned long long)affected);
        break;
    default:
        snprintf(execution->tag, sizeof execution->tag, "SELECT %llu", (unsigned long long)(execution->rows - rows));
        break;
    }
}

struct status statement_refuse_restricted(struct session *session, const char *what)
{
    if (session->tenant != TENANT_SYSTEM || session->internal ||
        !settings_bool(session->shard, TENANT_SYSTEM, "sql.restrict_system_interface.enabled"))
        return STATUS_OK;
    struct status st = status_format(&session->statement_arena, E_INSUFFICIENT_PRIVILEGE,
        "blocked %s from the system interface", what);
    return status_hint(&session->statement_arena, st,
        "Run it in a virtual cluster, or set sql.restrict_system_interface.enabled to false.");
}

#define CASCADES_SHOWN 100u

// One notice for all that a DROP has taken with it, as PostgreSQL has it.
static void tell_cascades(struct statement_context *context)
{
    struct buffer detail;
    uint32_t count = context->cascade_count;
    const uint32_t code = SQLSTATE('0', '0', '0', '0', '0');
    if (count == 0) return;
    if (count == 1) {
        session_notice(context->session, "NOTICE",
            status_format(context->arena, code, "drop cascades to %s", context->cascades[0]));
        return;
    }
    buffer_init(&detail, context->arena);
    for (uint32_t i = 0; i < count && i < CASCADES_SHOWN; i++)
        buffer_printf(&detail, "%sdrop cascades to %s", i == 0 ? "" : "\n", context->cascades[i]);
    if (count > CASCADES_SHOWN)
        buffer_printf(&detail, "\nand %u other object%s", count - CASCADES_SHOWN, count - CASCADES_SHOWN == 1 ? "" : "s");
    struct status st = status_format(context->arena, code, "drop cascades to %u other objects", count);
    session_notice(context->session, "NOTICE", status_detail(context->arena, st, "%s", buffer_string(&detail)));
}

static struct status run_handler(struct task *task, struct session *session,
    struct execution *execution, struct result_sink *sink)
{
    struct status st = STATUS_OK;
    struct prepared *prepared = execution->prepared;
    if (prepared->handler->flags & HANDLER_DDL) {
        struct status refused =
            statement_refuse_restricted(session, statement_name(prepared->statement));
        if (failed(refused)) return refused;
    }
    struct statement_context context =
        context_of(task, session, execution->arena, prepared, execution->params, sink);
    enum statement_tag tag = prepared->statement->tag;
    const bool names = !(prepared->handler->flags & HANDLER_TRANSACTION_CONTROL) && tag != STATEMENT_SET;
    if (names) TRY(search_path_settle(task, session));
    bool nests = tag == STATEMENT_EXECUTE || tag == STATEMENT_FETCH;
    if (nests) TRY(nest(session));
    st = prepared->handler->execute(&context);
    if (nests) session->nested--;
    if (!failed(st)) tell_cascades(&context);
    if (!failed(st))
        snprintf(execution->tag, sizeof execution->tag, "%s",
            context.tag[0] != '\0' ? context.tag : statement_name(prepared->statement));
out:
    return st;
}

static struct status next_rows(struct task *task, struct session *session, struct execution *execution,
    struct result_sink *sink, uint64_t rows_max, bool *done)
{
    struct status st = STATUS_OK;
    const uint64_t before = sink->rows_sent, rows = execution->rows;
    *done = true;
    if (!execution->started) TRY(start(task, session, execution));
    if (execution->prepared->handler != NULL) {
        TRY(run_handler(task, session, execution, sink));
        goto out;
    }
    TRY(plan_run_next(task, execution->run, sink, rows_max, done));
    execution->rows += sink->rows_sent - before;
    if (*done) planned_tag(execution, rows);

out:
    return st;
}

void execution_tag_rows(char tag[64], uint64_t rows)
{
    char *last = strrchr(tag, ' ');
    if (last != NULL && ascii_digit(last[1]))
        snprintf(last, 64 - (size_t)(last - tag), " %llu", (unsigned long long)rows);
}

// Whether what it changes may not wait for its rows to be asked for, or it cannot stop in between.
static bool runs_whole(const struct execution *execution)
{
    const struct prepared *prepared = execution->prepared;
    if (prepared->columns == NULL) return false;
    return prepared->handler != NULL || plan_modifies(prepared->built->plan);
}

struct status execution_next(struct task *task, struct session *session,
    struct execution *execution, struct result_sink *sink, uint64_t rows_max, bool *done)
{
    struct status st = STATUS_OK;
    *done = true;
    if (execution->prepared->statement == NULL) return st;
    const bool whole = execution->kept == NULL && !execution->started && rows_max > 0 && runs_whole(execution);
    if (execution->kept == NULL && !whole) return next_rows(task, session, execution, sink, rows_max, done);
    if (whole) {
        execution->kept = portal_rows_make(session, execution->prepared->columns, execution->prepared->column_count);
        TRY(next_rows(task, session, execution, portal_rows_sink(execution->kept), 0, done));
    }
    const uint64_t before = sink->rows_sent;
    TRY(portal_rows_give(task, execution->kept, sink, rows_max, done));
    if (*done) execution_tag_rows(execution->tag, sink->rows_sent - before);
out:
    return st;
}

void execution_close(struct task *task, struct execution *execution)
{
    if (execution->run != NULL) plan_run_close(task, execution->run);
    execution->run = NULL;
    if (execution->kept != NULL) portal_rows_free(task, execution->kept);
    execution->kept = NULL;
    built_release(execution->built);
    execution->built = NULL;
}

struct status execute_settle(struct task *task, struct session *session, struct status st, bool commit)
{
    if (failed(st)) {
        // The message may lie in memory that the end of the transaction frees.
        st = status_copy(&session->statement_arena, st);
        if (session->txn_state == TXN_IMPLICIT)
            session_txn_rollback(task, session);
        else
            session_txn_fail(task, session);
        return st;
    }
    if (commit && session->txn_state == TXN_IMPLICIT) {
        st = session_txn_commit(task, session);
        if (failed(st)) st = status_copy(&session->statement_arena, st);
    }
    return st;
}

struct status statement_constant(struct statement_context *context, const struct expr *expression,
    struct type type, struct datum *value)
{
    return plan_evaluate_constant(context->task, context->session, context->arena, expression,
        context->params, context->param_types, context->param_count, type, value);
}
