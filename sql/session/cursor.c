// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "sql/catalog/catalog_store.h"
#include "sql/parse/deparse.h"
#include "sql/exec/memory.h"
#include "sql/exec/row.h"
#include "sql/plan/plan.h"

#define CHUNK_ROWS 256u

// --- the session's cursors ---------------------------------------------------------------------------

struct cursor *cursor_find(struct session *session, const char *name)
{
    for (struct cursor *at = session->statements->cursors; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0) return at;
    return NULL;
}

static struct status cursor_of(
    struct statement_context *context, const char *name, struct cursor **cursor)
{
    *cursor = cursor_find(context->session, name);
    if (*cursor != NULL) return STATUS_OK;
    return status_format(
        context->arena, E_INVALID_CURSOR_NAME, "cursor \"%s\" does not exist", name);
}

// Of the portal that runs the statement: it is there, but not to be run or closed.
static bool is_running(const struct session *session, const char *name)
{
    const struct portal *running = session->statements->running;
    return running != NULL && strcmp(running->name, name) == 0;
}

static void stop_running(struct task *task, struct cursor *cursor)
{
    execution_close(task, &cursor->execution);
    if (cursor->prepared != NULL) prepared_release(cursor->prepared);
    cursor->prepared = NULL;
}

static void cursor_free(struct task *task, struct cursor *cursor)
{
    stop_running(task, cursor);
    row_list_reader_fini(&cursor->reader);
    row_list_fini(&cursor->rows);
    if (cursor->spill.account != NULL) spill_fini(task, &cursor->spill);
    if (cursor->memory.parent != NULL) memory_account_fini(&cursor->memory);
    arena_fini(&cursor->arena);
    free(cursor);
}

// Closes those for which `closes` says so.
static void close_some(struct task *task, struct session *session,
    bool (*closes)(const struct cursor *cursor, const void *arg), const void *arg)
{
    struct cursor **at = &session->statements->cursors;
    while (*at != NULL) {
        struct cursor *cursor = *at;
        if (!closes(cursor, arg)) {
            at = &cursor->next;
            continue;
        }
        *at = cursor->next;
        cursor_free(task, cursor);
    }
}

static bool closes_all(const struct cursor *cursor, const void *arg)
{
    (void)cursor;
    (void)arg;
    return true;
}

void cursors_close(struct task *task, struct session *session)
{
    close_some(task, session, closes_all, NULL);
}

static bool closes_named(const struct cursor *cursor, const void *arg)
{
    return strcmp(cursor->name, arg) == 0;
}

void cursor_close(struct task *task, struct session *session, const char *name)
{
    close_some(task, session, closes_named, name);
}

static bool closes_later(const struct cursor *cursor, const void *arg)
{
    return !cursor->held && cursor->serial > *(const uint64_t *)arg;
}

void cursors_rolled_back_to(struct task *task, struct session *session, uint64_t serial)
{
    close_some(task, session, closes_later, &serial);
}

static bool closes_unheld(const struct cursor *cursor, const void *arg)
{
    bool committed = *(const bool *)arg;
    return !cursor->held && !(committed && cursor->hold);
}

static void after_transaction(struct task *task, struct session *session, bool committed)
{
    if (session->statements == NULL) return;
    close_some(task, session, closes_unheld, &committed);
    for (struct cursor *at = session->statements->cursors; at != NULL; at = at->next)
        at->held = true;
}

// --- rows --------------------------------------------------------------------------------------------

struct keep_sink {
    struct result_sink sink;
    struct cursor *cursor;
};

static struct status keep_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task;
    (void)sink;
    (void)columns;
    (void)count;
    return STATUS_OK;
}

static struct status keep_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct cursor *cursor = container_of(sink, struct keep_sink, sink)->cursor;
    struct row_list *rows = &cursor->rows;
    struct session *session = cursor->session;
    sink->rows_sent++;
    struct status st = row_list_add_row(task, rows, values);
    if (failed(st) || (rows->count & 63u) != 0) return st;
    uint64_t more = rows->store.count * 2 * sizeof(struct datum *);
    if (!rows->spilled && memory_spills(session, &cursor->memory, more)) row_list_spill(rows);
    return arena_check(&rows->store.arena);
}

static uint64_t rows_known(const struct cursor *cursor)
{
    return cursor->dropped + cursor->rows.count;
}

static bool keeps_rows(const struct cursor *cursor)
{
    if (cursor->scroll) return true;
    return !cursor->no_scroll && !cursor->forward_only;
}

static struct status run_more(
    struct task *task, struct session *session, struct cursor *cursor, uint64_t rows)
{
    struct status st;
    struct keep_sink keep = {
        .sink = {.columns = keep_columns, .row = keep_row}, .cursor = cursor};
    TRY(execution_next(
        task, session, &cursor->execution, &keep.sink, rows, &cursor->ended));
    if (cursor->ended) stop_running(task, cursor);

out:
    return st;
}

// Gets at most `rows` more, of which none come when *got stays 0.
static struct status fetch_more(struct task *task, struct session *session, struct cursor *cursor,
    uint64_t rows, uint64_t *got)
{
    struct status st = STATUS_OK;
    *got = 0;
    if (cursor->ended) return st;
    uint64_t used = cursor->rows.count * cursor->rows.store.width * sizeof(struct datum);
    if (!cursor->scroll && used > CURSOR_KEPT_BYTES) cursor->forward_only = true;
    if (!keeps_rows(cursor)) {
        cursor->dropped += cursor->rows.count;
        row_list_reset(&cursor->rows);
    }
    uint64_t before = cursor->rows.count;
    TRY(run_more(task, session, cursor, rows < CHUNK_ROWS ? rows : CHUNK_ROWS));
    *got = cursor->rows.count - before;

out:
    return st;
}

// Everything that is left, to be kept.
static struct status fetch_rest(struct task *task, struct session *session, struct cursor *cursor)
{
    struct status st = STATUS_OK;
    while (!cursor->ended) TRY(run_more(task, session, cursor, CHUNK_ROWS));

out:
    return st;
}

struct status cursors_before_write(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    for (struct cursor *at = session->statements->cursors; at != NULL; at = at->next)
        TRY(fetch_rest(task, session, at));

out:
    return st;
}

static struct status before_commit(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    if (session->statements == NULL) return st;
    for (struct cursor *at = session->statements->cursors; at != NULL; at = at->next)
        if (at->hold && !at->held) TRY(fetch_rest(task, session, at));

out:
    return st;
}

// --- DECLARE -----------------------------------------------------------------------------------------

struct status cursor_param_types(
    struct task *task, struct session *session, struct prepared *prepared)
{
    struct status st = STATUS_OK;
    const struct statement *statement = prepared->statement;
    struct statement query = *statement;
    struct arena arena;
    struct plan *plan;
    uint32_t count = prepared->param_count;
    if (count == 0 || statement->as.declare_cursor->query == NULL) return st;
    arena_init(&arena, &session->account);
    query.tag = STATEMENT_SELECT;
    query.as.select = statement->as.declare_cursor->query;
    TRY(session_begin_if_idle(task, session));
    TRY(plan_build(task, session, &arena, &query, prepared->text, prepared->param_types, &count,
        &plan));

out:
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    arena_fini(&arena);
    return st;
}

static struct status refuse_definition(struct statement_context *context)
{
    const struct declare_cursor *declare = context->statement->as.declare_cursor;
    struct session *session = context->session;
    bool locks = declare->query->locking_count > 0;
    if (!declare->hold && !statement_in_block(session))
        return status_make(E_NO_ACTIVE_TRANSACTION,
            "DECLARE CURSOR can only be used in transaction blocks");
    if (cursor_find(session, declare->name) != NULL || portal_find(session, declare->name) != NULL ||
        is_running(session, declare->name))
        return status_format(context->arena, E_DUPLICATE_CURSOR, "cursor \"%s\" already exists",
            declare->name);
    if (!locks) return STATUS_OK;
    if (declare->hold)
        return status_hint(context->arena,
            status_make(E_FEATURE_NOT_SUPPORTED,
                "DECLARE CURSOR WITH HOLD ... FOR UPDATE is not supported"),
            "Holdable cursors must be READ ONLY.");
    if (declare->scroll == TRI_YES)
        return status_hint(context->arena,
            status_make(
                E_FEATURE_NOT_SUPPORTED, "DECLARE SCROLL CURSOR ... FOR UPDATE is not supported"),
            "Scrollable cursors must be READ ONLY.");
    if (declare->insensitive == TRI_YES)
        return status_hint(context->arena,
            status_make(E_INVALID_CURSOR_DEFINITION,
                "DECLARE INSENSITIVE CURSOR ... FOR UPDATE is not valid"),
            "Insensitive cursors must be READ ONLY.");
    return STATUS_OK;
}

// The one table whose rows the query gives one by one, for WHERE CURRENT OF; NULL: none.
static const struct from_item *updatable_table(const struct select *select)
{
    if (select->kind != SELECT_SIMPLE || select->distinct || select->distinct_on.count > 0 ||
        select->group_by.count > 0 || select->having != NULL || select->from.count != 1 ||
        select->with != NULL)
        return NULL;
    const struct from_item *item = select->from.items[0];
    return item->kind == FROM_TABLE && item->column_aliases.count == 0 ? item : NULL;
}

static struct target key_target(struct arena *arena, const char *table, const char *column)
{
    struct expr *expr = ARENA_NEW(arena, struct expr);
    expr->kind = EXPR_COLUMN;
    expr->position = POSITION_NONE;
    expr->column.names = ARENA_ARRAY(arena, const char *, 2);
    expr->column.names[0] = table;
    expr->column.names[1] = column;
    expr->column.count = 2;
    return (struct target){.expr = expr, .position = POSITION_NONE};
}

// The query with the table's key behind its columns; *out is the query itself when that makes no sense.
static struct status with_key(struct statement_context *context, struct cursor *cursor,
    struct select *query, struct select **out)
{
    struct status st = STATUS_OK;
    const struct from_item *item = updatable_table(query);
    const struct table_desc *table = NULL;
    *out = query;
    if (item == NULL) return st;
    TRY(catalog_table(context->task, context->session, item->table.name.catalog,
        item->table.name.schema, item->table.name.name, true, &table));
    if (table == NULL || table->kind != RELATION_TABLE) return st;
    const struct index_desc *primary = &table->indexes[0];
    struct select *copy = ARENA_NEW(context->arena, struct select);
    *copy = *query;
    uint32_t count = query->targets.count;
    copy->targets.items =
        ARENA_ARRAY(context->arena, struct target, count + primary->column_count);
    for (uint32_t i = 0; i < count; i++) copy->targets.items[i] = query->targets.items[i];
    const char *name = item->alias != NULL ? item->alias : table->name;
    for (uint32_t k = 0; k < primary->column_count; k++)
        for (uint32_t c = 0; c < table->column_count; c++)
            if (table->columns[c].id == primary->columns[k].column_id) {
                copy->targets.items[count] =
                    key_target(context->arena, name, table->columns[c].name);
                count++;
            }
    copy->targets.count = count;
    cursor->table_id = table->id;
    cursor->key_count = primary->column_count;
    *out = copy;

out:
    return st;
}

// A cursor that locks: how its rows' keys are made, and since when they are not to be changed.
static struct status watch_changes(struct statement_context *context, struct cursor *cursor)
{
    struct status st;
    struct session *session = context->session;
    const struct table_desc *table;
    TRY(catalog_table_by_id(context->task, session, cursor->table_id, &table));
    struct table_desc *copy;
    TRY(catalog_edit_table(context->task, session, &cursor->arena, table->id, &copy));
    struct row_index *primary = ARENA_NEW(&cursor->arena, struct row_index);
    TRY(row_index_init(&cursor->arena, session->tenant, copy, &copy->indexes[0], primary));
    cursor->locked = primary;
    cursor->mark = kv_txn_mark(session->txn);
out:
    return st;
}

static struct status prepare_query(
    struct statement_context *context, struct cursor *cursor, const struct select *query)
{
    struct buffer text;
    buffer_init(&text, context->arena);
    deparse_select(&text, query, 0);
    return prepared_make(context->task, context->session, buffer_bytes(&text), NULL,
        context->param_types, context->param_count, &cursor->prepared);
}

static struct status open_query(struct statement_context *context, struct cursor *cursor)
{
    struct status st;
    struct select *query = context->statement->as.declare_cursor->query, *keyed;
    struct session *session = context->session;
    TRY(with_key(context, cursor, query, &keyed));
    st = prepare_query(context, cursor, keyed);
    if (failed(st) && keyed != query) { // Aggregates, for one, allow no key beside them.
        cursor->key_count = 0;
        cursor->table_id = 0;
        st = prepare_query(context, cursor, query);
    }
    TRY(st);
    struct prepared *prepared = cursor->prepared;
    if (prepared->param_count > context->param_count)
        TRY(status_format(context->arena, E_UNDEFINED_PARAMETER, "there is no parameter $%u", context->param_count + 1));
    cursor->column_count = prepared->column_count - cursor->key_count;
    struct result_column *columns =
        ARENA_ARRAY(&cursor->arena, struct result_column, prepared->column_count + 1);
    cursor->types = ARENA_ARRAY(&cursor->arena, type_oid, prepared->column_count + 1);
    for (uint32_t i = 0; i < prepared->column_count; i++) {
        columns[i] = prepared->columns[i];
        columns[i].name = arena_strdup(&cursor->arena, prepared->columns[i].name);
        cursor->types[i] = prepared->columns[i].type.oid;
    }
    cursor->columns = columns;
    cursor->session = session;
    memory_account_init(&cursor->memory, &session->account, "cursor", 0);
    spill_init(&cursor->spill, session->shard, &cursor->memory);
    row_list_init(&cursor->rows, &cursor->memory, cursor->types, prepared->column_count,
        &cursor->spill, NULL);
    row_list_reader_init(&cursor->reader, &cursor->rows, &cursor->memory);
    struct datum *params =
        ARENA_ARRAY(&cursor->arena, struct datum, context->param_count + 1);
    for (uint32_t i = 0; i < context->param_count; i++)
        params[i] =
            type_copy(&cursor->arena, context->param_types[i].oid, context->params[i]);
    if (cursor->key_count > 0 && context->statement->as.declare_cursor->query->locking_count > 0)
        TRY(watch_changes(context, cursor));
    cursor->execution = (struct execution){
        .prepared = prepared, .params = params, .arena = &cursor->arena};
    TRY(execution_begin(context->task, session, &cursor->execution, false));
    // The first FETCH would find it out, but it is this statement's fault.
    if (prepared->built == NULL) goto out;
    cursor->reads = plan_relations_read(prepared->built->plan, &cursor->arena, &cursor->read_count);
    TRY(plan_check_access(context->task, session, prepared->built->plan));

out:
    return st;
}

static struct status declare_execute(struct statement_context *context)
{
    struct status st;
    const struct declare_cursor *declare = context->statement->as.declare_cursor;
    struct session *session = context->session;
    struct cursor *cursor = NULL;
    if (declare->query == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "DECLARE CURSOR of this is not supported");
    TRY(refuse_definition(context));
    cursor = calloc(1, sizeof *cursor);
    if (cursor == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    arena_init(&cursor->arena, &session->account);
    cursor->name = arena_strdup(&cursor->arena, declare->name);
    cursor->text = arena_copy(&cursor->arena, context->text);
    cursor->hold = declare->hold;
    cursor->binary = declare->binary;
    cursor->scroll = declare->scroll == TRI_YES;
    cursor->no_scroll = declare->scroll == TRI_NO || declare->query->locking_count > 0;
    cursor->created_us = session->statement_start_us;
    TRY(open_query(context, cursor));
    cursor->serial = ++session->statements->cursor_serial;
    cursor->next = session->statements->cursors;
    session->statements->cursors = cursor;
    return st;

out:
    if (cursor != NULL) {
        st = status_copy(context->arena, st);
        cursor_free(context->task, cursor);
    }
    return st;
}

// --- FETCH, MOVE -------------------------------------------------------------------------------------

struct move {
    struct statement_context *context;
    struct cursor *cursor;
    bool sends;
    uint64_t count; // Rows given out.
};

static struct status give(struct move *move)
{
    struct cursor *cursor = move->cursor;
    struct result_sink *sink = move->context->sink;
    struct datum *row;
    move->count++;
    if (!move->sends) return STATUS_OK;
    struct status st = row_list_get(
        move->context->task, &cursor->reader, cursor->at - 1 - cursor->dropped, &row);
    return failed(st) ? st : sink->row(move->context->task, sink, row);
}

static struct status cannot_go_back(void)
{
    struct status st = status_make(E_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward");
    return st;
}

// Whether the transaction has changed the cursor's current row since DECLARE, so that it cannot be locked as it was read.
static struct status was_changed(struct move *move, bool *changed)
{
    struct status st;
    struct cursor *cursor = move->cursor;
    const struct row_index *primary = cursor->locked;
    struct task *task = move->context->task;
    struct kv_txn *txn = cursor->session->txn;
    struct arena *arena = move->context->arena;
    const struct arena_mark before = arena_mark(arena);
    struct datum *row, *whole = ARENA_ARRAY(arena, struct datum, row_width(primary->table));
    struct buffer key;
    bool known;
    TRY(row_list_get(task, &cursor->reader, cursor->at - 1 - cursor->dropped, &row));
    for (uint32_t k = 0; k < cursor->key_count; k++) whole[primary->keys[k].ordinal] = row[cursor->column_count + k];
    buffer_init(&key, arena);
    TRY(row_key(primary, whole, &key, NULL));
    *changed = kv_txn_wrote_since(txn, buffer_bytes(&key), cursor->mark, &known);
    if (!known) {
        const struct kv_read then = {.mark = cursor->mark, .no_validate = true}, now = {.no_validate = true};
        struct bytes was, is;
        TRY(kv_get(task, txn, &then, buffer_bytes(&key), arena, &was));
        TRY(kv_get(task, txn, &now, buffer_bytes(&key), arena, &is));
        *changed = was.data == NULL || is.data == NULL || !bytes_equal(was, is);
    }
    arena_release(arena, before);
out:
    return st;
}

static struct status forward(struct move *move, uint64_t count)
{
    struct status st = STATUS_OK;
    struct cursor *cursor = move->cursor;
    while (count > 0) {
        if (cursor->at >= rows_known(cursor)) {
            uint64_t got;
            TRY(fetch_more(move->context->task, move->context->session, cursor, count, &got));
            if (got == 0) {
                cursor->at = rows_known(cursor) + 1;
                break;
            }
        }
        cursor->at++;
        bool changed = false;
        if (cursor->locked != NULL) TRY(was_changed(move, &changed));
        if (changed) {
            cursor->passed_over++;
        } else {
            count--;
            TRY(give(move));
        }
        TRY(task_yield_if_due(move->context->task));
    }

out:
    return st;
}

static struct status backward(struct move *move, uint64_t count)
{
    struct status st = STATUS_OK;
    struct cursor *cursor = move->cursor;
    if (count > 0 && cursor->no_scroll)
        return status_hint(move->context->arena, cannot_go_back(),
            "Declare it with SCROLL option to enable backward scan.");
    for (; count > 0 && cursor->at > 0; count--) {
        cursor->at--;
        if (cursor->at == 0) break;
        if (cursor->at <= cursor->dropped)
            return status_hint(move->context->arena, cannot_go_back(),
                "Declare it with SCROLL option to enable backward scan.");
        TRY(give(move));
    }

out:
    return st;
}

// Gives the current row again.
static struct status again(struct move *move)
{
    struct cursor *cursor = move->cursor;
    if (cursor->at == 0 || cursor->at > rows_known(cursor)) return STATUS_OK;
    if (cursor->no_scroll && move->sends)
        return status_hint(move->context->arena, cannot_go_back(),
            "Declare it with SCROLL option to enable backward scan.");
    return give(move);
}

// Steps over rows without giving them out.
static struct status skip(struct move *move, int64_t count)
{
    struct move silent = *move;
    silent.sends = false;
    return count < 0 ? backward(&silent, (uint64_t)-count) : forward(&silent, (uint64_t)count);
}

static struct status absolute(struct move *move, int64_t row)
{
    struct status st = STATUS_OK;
    struct cursor *cursor = move->cursor;
    if (row < 0) {
        TRY(skip(move, INT64_MAX));
        uint64_t from_end = (uint64_t)-(row + 1) + 1, all = rows_known(cursor);
        row = from_end > all ? 0 : (int64_t)(all - from_end + 1);
    }
    const uint64_t at = cursor->at - cursor->passed_over;
    if ((uint64_t)row > at) {
        TRY(skip(move, (int64_t)((uint64_t)row - at - 1)));
        return forward(move, 1);
    }
    if ((uint64_t)row == at) return again(move);
    TRY(skip(move, row + 1 - (int64_t)cursor->at)); // Just behind it.
    return backward(move, 1);

out:
    return st;
}

static struct status relative(struct move *move, int64_t count)
{
    struct status st = STATUS_OK;
    if (count == 0) return again(move);
    if (count > 0) {
        TRY(skip(move, count - 1));
        return forward(move, 1);
    }
    TRY(skip(move, count + 1));
    return backward(move, 1);

out:
    return st;
}

// --- portals of the protocol: forward only -----------------------------------------------------------

static struct status no_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task, (void)sink, (void)columns, (void)count;
    return STATUS_OK;
}

struct passing {
    struct result_sink sink, *to; // NULL: rows are dropped.
    uint64_t count;
};

static struct status pass_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct passing *passing = container_of(sink, struct passing, sink);
    passing->count++;
    return passing->to == NULL ? STATUS_OK : passing->to->row(task, passing->to, values);
}

static struct status fetch_from_portal(struct statement_context *context, struct portal *portal)
{
    struct status st = STATUS_OK;
    const struct fetch *fetch = context->statement->as.fetch;
    struct execution *execution = portal_execution(portal);
    struct passing passing = {.sink = {.columns = no_columns, .row = pass_row},
        .to = fetch->move ? NULL : context->sink};
    uint32_t count;
    const struct result_column *columns;
    TRY(prepared_describe(context->task, context->session, portal->prepared, &columns, &count));
    if (portal->broken || (portal->done && columns == NULL))
        return status_format(
            context->arena, E_NOT_IN_PREREQUISITE_STATE, "portal \"%s\" cannot be run", portal->name);
    if (!fetch->move) TRY(context->sink->columns(context->task, context->sink, columns, count));
    if (fetch->direction != FETCH_FORWARD || fetch->count < 0) return cannot_go_back();
    if (!portal->done && fetch->count > 0) {
        uint64_t rows = fetch->count == INT64_MAX ? 0 : (uint64_t)fetch->count;
        if (!execution->started)
            TRY(execution_begin(context->task, context->session, execution, true));
        TRY(execution_next(
            context->task, context->session, execution, &passing.sink, rows, &portal->done));
        if (portal->done) execution_close(context->task, execution);
    }
    snprintf(context->tag, sizeof context->tag, "%s %llu", fetch->move ? "MOVE" : "FETCH",
        (unsigned long long)passing.count);
out:
    return st;
}

static struct status fetch_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    const struct fetch *fetch = context->statement->as.fetch;
    const struct cursor *cursor = cursor_find(context->session, fetch->cursor);
    *columns = NULL;
    *count = 0;
    struct portal *portal = portal_find(context->session, fetch->cursor);
    if (cursor == NULL && portal != NULL && !fetch->move)
        return prepared_describe(context->task, context->session, portal->prepared, columns, count);
    if (cursor == NULL || fetch->move) return STATUS_OK;
    *columns = cursor->columns;
    *count = cursor->column_count;
    return STATUS_OK;
}

static struct status fetch_execute(struct statement_context *context)
{
    struct status st;
    const struct fetch *fetch = context->statement->as.fetch;
    struct cursor *cursor = cursor_find(context->session, fetch->cursor);
    struct portal *portal = portal_find(context->session, fetch->cursor);
    if (cursor == NULL && portal != NULL) return fetch_from_portal(context, portal);
    if (is_running(context->session, fetch->cursor))
        return status_format(
            context->arena, E_NOT_IN_PREREQUISITE_STATE, "portal \"%s\" cannot be run", fetch->cursor);
    TRY(cursor_of(context, fetch->cursor, &cursor));
    struct move move = {.context = context, .cursor = cursor, .sends = !fetch->move};
    if (move.sends) {
        context->sink->binary = cursor->binary;
        TRY(context->sink->columns(
            context->task, context->sink, cursor->columns, cursor->column_count));
    }
    int64_t count = fetch->count;
    enum fetch_direction direction = fetch->direction;
    if (direction == FETCH_BACKWARD || direction == FETCH_FORWARD) {
        bool back = (direction == FETCH_BACKWARD) != (count < 0);
        uint64_t rows = count < 0 ? (uint64_t)-(count + 1) + 1 : (uint64_t)count;
        TRY(rows == 0 ? again(&move) : back ? backward(&move, rows) : forward(&move, rows));
    } else if (direction == FETCH_ABSOLUTE) {
        TRY(absolute(&move, count));
    } else {
        TRY(relative(&move, count));
    }
    snprintf(context->tag, sizeof context->tag, "%s %llu", fetch->move ? "MOVE" : "FETCH",
        (unsigned long long)move.count);

out:
    return st;
}

// --- CLOSE -------------------------------------------------------------------------------------------

static struct status close_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct cursor *cursor;
    const char *name = context->statement->as.close_cursor->name;
    if (name == NULL) {
        cursors_close(context->task, context->session);
        session_statements_txn_end(context->task, context->session);
        snprintf(context->tag, sizeof context->tag, "CLOSE CURSOR ALL");
        return st;
    }
    struct portal *portal = portal_find(context->session, name);
    if (is_running(context->session, name))
        return status_format(context->arena, E_INVALID_CURSOR_STATE, "cannot drop active portal \"%s\"", name);
    if (portal != NULL) {
        portal_close(context->task, context->session, portal);
    } else {
        TRY(cursor_of(context, name, &cursor));
        cursor_close(context->task, context->session, name);
    }
    snprintf(context->tag, sizeof context->tag, "CLOSE CURSOR");

out:
    return st;
}

// --- WHERE CURRENT OF --------------------------------------------------------------------------------

struct status cursor_current_key(struct task *task, struct session *session, const char *name,
    uint32_t table_id, const char *table_name, uint32_t key, struct datum *value)
{
    struct cursor *cursor = cursor_find(session, name);
    struct datum *row;
    if (cursor == NULL)
        return status_format(&session->statement_arena, E_INVALID_CURSOR_NAME,
            "cursor \"%s\" does not exist", name);
    if (cursor->table_id != table_id || key >= cursor->key_count || cursor->held)
        return status_format(&session->statement_arena, E_INVALID_CURSOR_STATE,
            "cursor \"%s\" is not a simply updatable scan of table \"%s\"", name, table_name);
    if (cursor->at <= cursor->dropped || cursor->at > rows_known(cursor))
        return status_format(&session->statement_arena, E_INVALID_CURSOR_STATE,
            "cursor \"%s\" is not positioned on a row", name);
    struct status st =
        row_list_get(task, &cursor->reader, cursor->at - 1 - cursor->dropped, &row);
    if (failed(st)) return st;
    *value = type_copy(&session->statement_arena, cursor->types[cursor->column_count + key],
        row[cursor->column_count + key]);
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_DECLARE_CURSOR, HANDLER_READ_ONLY, NULL, declare_execute},
    {STATEMENT_FETCH, HANDLER_READ_ONLY, fetch_describe, fetch_execute},
    {STATEMENT_CLOSE_CURSOR, HANDLER_READ_ONLY, NULL, close_execute},
};

void cursor_register(void)
{
    static const struct session_txn_hook hook = {before_commit, after_transaction};
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
    session_txn_hook_register(&hook);
}
