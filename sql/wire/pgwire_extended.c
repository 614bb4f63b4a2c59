// SPDX-License-Identifier: GPL-3.0-or-later
//
// The extended protocol: Parse, Bind, Describe, Execute, Close and Sync. What runs up to a Sync is one transaction, unless
// BEGIN, COMMIT or what must be alone says otherwise.
#include <stdio.h>
#include <string.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/session/cursor.h"
#include "sql/parse/deparse.h"
#include "sql/insight/insight.h"
#include "sql/session/portal_rows.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/wire/wire_encoding.h"

// --- extended query ------------------------------------------------------------------------------------

static struct status handle_parse(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct status st;
    struct session *session = wire->session;
    struct wire_reader reader = wire_reader(body);
    const char *name = wire_read_string(&reader);
    const char *text = wire_read_text(&reader);
    uint32_t count = wire_read_u16(&reader);
    struct type *types = ARENA_ARRAY(&session->statement_arena, struct type, count + 1u);
    for (uint32_t i = 0; i < count; i++) {
        type_oid oid = wire_read_u32(&reader);
        types[i] = TYPE_OF(oid == TYPE_UNKNOWN ? 0 : oid);
    }
    TRY(wire_reader_finish(&reader));
    TRY(pgwire_name_in(wire, &wire->in_arena, name, &name));
    TRY(pgwire_text_in(wire, &wire->in_arena, text, &text));
    if (name[0] == '\0') { // Be the new one in order or not.
        (void)prepared_remove(session, name);
        session->statements->unnamed = true;
    }
    if (session->statements->prepared_count >= 10000)
        TRY(status_make(SQLSTATE('5', '4', '0', '0', '0'), "too many prepared statements"));
    bool began = session->txn_state == TXN_IDLE;
    struct prepared *prepared;
    st = prepared_make(task, session, bytes_of_string(text), NULL, types, count, &prepared);
    if (began && session->txn_state == TXN_IMPLICIT) session_txn_forget(task, session);
    TRY(st);
    if (prepared_find(session, name) != NULL) { // What is wrong with the text is told before.
        prepared_release(prepared);
        TRY(status_format(&session->statement_arena, SQLSTATE('4', '2', 'P', '0', '5'),
            "prepared statement \"%s\" already exists", name));
    }
    prepared_add(session, name, bytes_of_string(text), false, prepared);
    wire_end(&wire->out, wire_begin(&wire->out, '1'));
out:
    return st;
}

// Format codes as they stand in the message.
struct formats {
    uint32_t count;
    uint16_t *codes;
};

static struct formats read_formats(struct wire_reader *reader, struct arena *arena)
{
    struct formats formats = {.count = wire_read_u16(reader)};
    formats.codes = ARENA_ARRAY(arena, uint16_t, formats.count + 1u);
    for (uint32_t i = 0; i < formats.count && !reader->failed; i++) formats.codes[i] = wire_read_u16(reader);
    return formats;
}

// One for all, one for each, or none: text.
static uint16_t format_of(const struct formats *formats, uint32_t index)
{
    return formats->count == 0 ? 0 : formats->codes[formats->count == 1 ? 0 : index];
}

static struct status unsupported_format(struct arena *arena, uint16_t code)
{
    return status_format(arena, E_INVALID_PARAMETER_VALUE, "unsupported format code: %d", (int16_t)code);
}

// As of one that returns no rows, whose format codes nobody looks at.
static struct status result_formats(struct portal *portal, const struct formats *formats, uint32_t columns)
{
    portal->result_formats = arena_alloc_zero(&portal->arena, columns + 1u);
    if (formats->count > 1 && formats->count != columns)
        return status_format(&portal->arena, E_PROTOCOL_VIOLATION,
            "bind message has %u result formats but query has %u columns", formats->count, columns);
    for (uint32_t i = 0; i < columns; i++) {
        if (format_of(formats, i) > 1) return unsupported_format(&portal->arena, format_of(formats, i));
        portal->result_formats[i] = (uint8_t)format_of(formats, i);
    }
    return STATUS_OK;
}

static struct status read_param(struct wire_reader *reader, struct session *session, struct portal *portal,
    uint16_t format, uint32_t i)
{
    struct status st = STATUS_OK;
    uint32_t size = wire_read_u32(reader);
    struct type type = portal->prepared->param_types[i];
    if (type.oid == 0) type.oid = TYPE_TEXT;
    portal->params[i] = DATUM_NULL;
    struct bytes raw = wire_read_bytes(reader, size == UINT32_MAX ? 0 : size);
    if (reader->failed) return st;
    if (format > 1) return unsupported_format(&portal->arena, format);
    if (size == UINT32_MAX) return st;
    // The message's memory is gone when the portal runs.
    struct bytes value = task_copy(&portal->arena, raw);
    // Not the value itself: it may be a secret.
    const char *shown = format == 1 ? "" : " = '...'";
    st = wire_encoding_field_in(&portal->arena, session->client_encoding, type.oid, format == 1, value, &value);
    if (!failed(st))
        st = format == 1 ? type_receive(&portal->arena, type, value, &portal->params[i])
                         : type_input(&portal->arena, &session->types, type, value, &portal->params[i]);
    if (status_is(st, E_CHARACTER_NOT_IN_REPERTOIRE) || status_is(st, SQLSTATE('2', '2', 'P', '0', '5')))
        shown = ""; // There is no text to show.
    TRY(portal->name[0] == '\0'
            ? status_context(&portal->arena, st, "unnamed portal parameter $%u%s", i + 1, shown)
            : status_context(&portal->arena, st, "portal \"%s\" parameter $%u%s", portal->name, i + 1, shown));
out:
    return st;
}

static struct status missing_prepared(struct session *session, const char *name)
{
    return status_format(&session->statement_arena, E_INVALID_SQL_STATEMENT_NAME,
        name[0] == '\0' ? "unnamed prepared statement does not exist" : "prepared statement \"%s\" does not exist", name);
}

// What a Bind may be refused for before there is a portal.
static struct status check_bind(struct session *session, const char *portal_name, const struct prepared *prepared,
    const struct formats *formats, uint32_t count)
{
    struct arena *arena = &session->statement_arena;
    if (formats->count > 1 && formats->count != count)
        return status_format(arena, E_PROTOCOL_VIOLATION,
            "bind message has %u parameter formats but %u parameters", formats->count, count);
    if (count != prepared->param_count)
        return status_format(arena, E_PROTOCOL_VIOLATION,
            "bind message supplies %u parameters, but prepared statement \"%s\" requires %u", count, prepared->name,
            prepared->param_count);
    struct status st = prepared_refuse_failed(session, prepared);
    if (failed(st)) return st;
    if (portal_name[0] != '\0' && (portal_find(session, portal_name) != NULL || cursor_find(session, portal_name) != NULL))
        return status_format(arena, SQLSTATE('4', '2', 'P', '0', '3'), "cursor \"%s\" already exists", portal_name);
    return STATUS_OK;
}

static struct status handle_bind(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct status st;
    struct session *session = wire->session;
    struct portal *portal = NULL;
    struct wire_reader reader = wire_reader(body);
    const char *portal_name = wire_read_string(&reader);
    const char *name = wire_read_string(&reader);
    TRY(pgwire_name_in(wire, &wire->in_arena, portal_name, &portal_name));
    TRY(pgwire_name_in(wire, &wire->in_arena, name, &name));
    struct prepared *prepared = prepared_find(session, name);
    if (prepared == NULL) TRY(missing_prepared(session, name));
    const struct formats formats = read_formats(&reader, &wire->in_arena);
    uint32_t count = wire_read_u16(&reader);
    TRY(check_bind(session, portal_name, prepared, &formats, count));
    struct portal *old = portal_find(session, portal_name);
    if (old != NULL) portal_close(task, session, old);
    if (session->statements->portal_count >= 1000)
        TRY(status_make(SQLSTATE('5', '4', '0', '0', '0'), "too many portals"));
    portal = portal_make(session, portal_name, prepared);
    session->statements->unnamed |= portal_name[0] == '\0';
    // What its parameters are read as must be what it runs with.
    TRY(prepared_renew(task, session, prepared));
    portal->params = ARENA_ARRAY(&portal->arena, struct datum, count + 1);
    for (uint32_t i = 0; i < count && !reader.failed; i++)
        TRY(read_param(&reader, session, portal, format_of(&formats, i), i));
    const struct formats results = read_formats(&reader, &wire->in_arena);
    TRY(wire_reader_finish(&reader));
    const struct result_column *columns;
    uint32_t column_count;
    TRY(prepared_describe(task, session, prepared, &columns, &column_count));
    if (columns != NULL) TRY(result_formats(portal, &results, column_count));
    wire_end(&wire->out, wire_begin(&wire->out, '2'));
out:
    if (failed(st) && portal != NULL) {
        st = status_copy(&session->statement_arena, st);
        portal_close(task, session, portal);
    }
    return st;
}

static struct status missing_portal(struct session *session, const char *name)
{
    return status_format(&session->statement_arena, E_INVALID_CURSOR_NAME, "portal \"%s\" does not exist", name);
}

static void tell_columns_none(struct pgwire *wire)
{
    wire_end(&wire->out, wire_begin(&wire->out, 'n'));
}

static struct status describe_prepared(struct task *task, struct pgwire *wire, const char *name)
{
    struct status st = STATUS_OK;
    struct session *session = wire->session;
    const struct result_column *columns;
    uint32_t count;
    struct prepared *prepared = prepared_find(session, name);
    if (prepared == NULL) return missing_prepared(session, name);
    TRY(prepared_describe(task, session, prepared, &columns, &count));
    if (columns != NULL) TRY(prepared_refuse_failed(session, prepared));
    size_t start = wire_begin(&wire->out, 't');
    wire_u16(&wire->out, (uint16_t)prepared->param_count);
    for (uint32_t i = 0; i < prepared->param_count; i++) {
        type_oid oid = prepared->param_types[i].oid;
        wire_u32(&wire->out, oid == 0 ? TYPE_TEXT : oid);
    }
    wire_end(&wire->out, start);
    if (columns == NULL)
        tell_columns_none(wire);
    else
        TRY(pgwire_row_description(wire, columns, count, NULL));
out:
    return st;
}

static struct status describe_portal(struct task *task, struct pgwire *wire, const char *name)
{
    struct status st = STATUS_OK;
    struct session *session = wire->session;
    const struct cursor *cursor = cursor_find(session, name);
    const struct result_column *columns;
    uint32_t count;
    if (cursor != NULL) {
        TRY(prepared_refuse_failed(session, &(struct prepared){0}));
        return pgwire_row_description(wire, cursor->columns, cursor->column_count, NULL);
    }
    struct portal *portal = portal_find(session, name);
    if (portal == NULL) return missing_portal(session, name);
    TRY(prepared_describe(task, session, portal->prepared, &columns, &count));
    if (columns != NULL) TRY(prepared_refuse_failed(session, portal->prepared));
    if (columns == NULL)
        tell_columns_none(wire);
    else
        TRY(pgwire_row_description(wire, columns, count, portal->result_formats));
out:
    return st;
}

static struct status handle_describe(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct status st = STATUS_OK;
    struct wire_reader reader = wire_reader(body);
    uint8_t kind = wire_read_u8(&reader);
    const char *name = wire_read_string(&reader);
    TRY(wire_reader_finish(&reader));
    TRY(pgwire_name_in(wire, &wire->in_arena, name, &name));
    if (kind == 'S')
        st = describe_prepared(task, wire, name);
    else if (kind == 'P')
        st = describe_portal(task, wire, name);
    else
        st = status_format(task->arena, E_PROTOCOL_VIOLATION, "invalid DESCRIBE message subtype %u", kind);
out:
    return st;
}

// Whether the next message is a Sync: then the statement is alone in its transaction.
static bool sync_follows(struct pgwire *wire)
{
    struct bytes input = conn_input(wire->conn);
    return input.size >= 5 && input.data[0] == 'S';
}

// Of a portal that has run to its end: no more rows, or, of one that returns none, that it does not run twice.
static struct status run_done(struct pgwire *wire, const struct portal *portal)
{
    struct session *session = wire->session;
    struct status st = STATUS_OK;
    char tag[64];
    const bool lost = portal->broken && !portal->late; // Nothing is left of it that could end the transaction.
    TRY(prepared_refuse_failed(session, lost ? &(struct prepared){0} : portal->prepared));
    if (portal->prepared->columns == NULL || portal->broken)
        return status_format(&session->statement_arena, E_NOT_IN_PREREQUISITE_STATE,
            "portal \"%s\" cannot be run", portal->name);
    memcpy(tag, portal->execution->tag, sizeof tag);
    execution_tag_rows(tag, 0);
    wire_command_complete(&wire->out, tag);

out:
    return st;
}

static bool is_transaction_control(const struct prepared *prepared)
{
    switch (prepared->statement->tag) {
    case STATEMENT_BEGIN:
    case STATEMENT_START_TRANSACTION:
    case STATEMENT_COMMIT:
    case STATEMENT_ROLLBACK:
    case STATEMENT_SAVEPOINT:
    case STATEMENT_RELEASE_SAVEPOINT:
    case STATEMENT_ROLLBACK_TO_SAVEPOINT: return true;
    default: return false;
    }
}

// Whether it is of those that commit while they are at work. Then what follows up to the Sync is a new transaction, and the
// portal is there in it, as PostgreSQL has it.
static bool commits_at_work(const struct session *session, const struct prepared *prepared)
{
    if (!session->statements->alone) return false;
    switch (prepared->statement->tag) {
    case STATEMENT_VACUUM:
    case STATEMENT_REINDEX: return true;
    case STATEMENT_CREATE_INDEX: return prepared->statement->as.create_index->concurrently;
    case STATEMENT_DROP: return prepared->statement->as.drop->object == OBJECT_INDEX;
    default: return false;
    }
}

// Whether, once it has succeeded, nothing is left of the other portals of its transaction.
static bool ends_transaction(const struct session *session, const struct prepared *prepared)
{
    return session->statements->alone || prepared->statement->tag == STATEMENT_COMMIT ||
           prepared->statement->tag == STATEMENT_ROLLBACK;
}

// Whether, once it has succeeded, its own portal is gone as well.
static bool ends_portal(const struct session *session, const struct prepared *prepared)
{
    if (commits_at_work(session, prepared)) return false;
    return ends_transaction(session, prepared) || prepared->statement->tag == STATEMENT_ROLLBACK_TO_SAVEPOINT;
}

// After a statement of an implicit transaction that goes on, or of a client's.
static void follow_up(struct task *task, struct session *session, const struct prepared *prepared)
{
    struct session_statements *all = session->statements;
    if (ends_transaction(session, prepared)) {
        all->several = commits_at_work(session, prepared) ? SEVERAL_IN_PIPELINE : SEVERAL_NONE;
        if (session->txn_state != TXN_OPEN) session_statements_txn_end(task, session);
    } else if (!is_transaction_control(prepared)) {
        all->several = SEVERAL_IN_PIPELINE;
    }
}

static struct status run_portal(struct task *task, struct pgwire *wire, struct portal *portal, uint32_t rows_max)
{
    struct status st;
    struct session *session = wire->session;
    struct pgwire_run run = {.prepared = portal->prepared,
        .params = portal->params,
        .formats = portal->result_formats,
        .execution = portal_execution(portal),
        .commit = sync_follows(wire),
        .rows_max = rows_max};
    // Out of the list while it runs: the end of a transaction closes those that are in it.
    portal_detach(session, portal);
    session->statements->running = portal;
    if (portal->done) {
        st = run_done(wire, portal);
    } else {
        const bool late = session->txn_state == TXN_FAILED;
        st = pgwire_run_statement(task, wire, &run);
        // In a transaction that had failed it has not been at work.
        portal->broken = failed(st) && !status_is(st, E_FAILED_TRANSACTION);
        portal->late = portal->broken && late;
        portal->done = portal->broken || (run.done && !failed(st));
    }
    session->statements->running = NULL;
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    // Of an implicit transaction that has failed nothing is left.
    const bool lost = failed(st) && session->txn_state != TXN_OPEN && session->txn_state != TXN_FAILED;
    const bool over = !failed(st) && ends_portal(session, portal->prepared);
    if (!failed(st)) follow_up(task, session, portal->prepared);
    if (lost || over)
        portal_free(task, portal);
    else
        portal_attach(session, portal);
    return st;
}

// A cursor of SQL is a portal, too, of which the next rows may be asked for.
static struct status run_cursor(struct task *task, struct pgwire *wire, const struct cursor *cursor, uint32_t rows_max)
{
    struct status st;
    struct session *session = wire->session;
    struct prepared *prepared = NULL;
    struct buffer text;
    buffer_init(&text, &session->statement_arena);
    buffer_append_string(&text, rows_max == 0 ? "FETCH ALL FROM " : arena_printf(text.arena, "FETCH %u FROM ", rows_max));
    deparse_identifier(&text, cursor->name);
    TRY(prepared_make(task, session, buffer_bytes(&text), NULL, NULL, 0, &prepared));
    struct execution execution = {.prepared = prepared, .arena = &session->statement_arena};
    struct pgwire_run run = {.prepared = prepared,
        .execution = &execution,
        .commit = sync_follows(wire),
        .cursor = true,
        .cursor_rows = rows_max};
    st = pgwire_run_statement(task, wire, &run);
    if (!failed(st)) session->statements->several = SEVERAL_IN_PIPELINE;
out:
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}

static struct status handle_execute(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct status st = STATUS_OK;
    struct session *session = wire->session;
    struct wire_reader reader = wire_reader(body);
    const char *name = wire_read_string(&reader);
    uint32_t rows_max = wire_read_u32(&reader);
    TRY(wire_reader_finish(&reader));
    TRY(pgwire_name_in(wire, &wire->in_arena, name, &name));
    if (rows_max > INT32_MAX) rows_max = 0;
    struct portal *portal = portal_find(session, name);
    const struct cursor *cursor = cursor_find(session, name);
    if (portal == NULL && cursor == NULL) return missing_portal(session, name);
    if (portal != NULL && portal->prepared->statement == NULL) {
        wire_end(&wire->out, wire_begin(&wire->out, 'I'));
        return st;
    }
    session->statement_text =
        arena_string(&session->statement_arena, portal != NULL ? portal->prepared->text : cursor->text);
    st = portal != NULL ? run_portal(task, wire, portal, rows_max) : run_cursor(task, wire, cursor, rows_max);
    session->statement_text = NULL;
out:
    return st;
}

static struct status handle_close(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct status st;
    struct session *session = wire->session;
    struct wire_reader reader = wire_reader(body);
    uint8_t kind = wire_read_u8(&reader);
    const char *name = wire_read_string(&reader);
    TRY(wire_reader_finish(&reader));
    TRY(pgwire_name_in(wire, &wire->in_arena, name, &name));
    if (kind == 'S') {
        prepared_remove(session, name);
    } else if (kind == 'P') {
        struct portal *portal = portal_find(session, name);
        if (portal != NULL)
            portal_close(task, session, portal);
        else
            cursor_close(task, session, name);
    } else {
        TRY(status_format(task->arena, E_PROTOCOL_VIOLATION, "invalid CLOSE message subtype %u", kind));
    }
    wire_end(&wire->out, wire_begin(&wire->out, '3'));
out:
    return st;
}

void pgwire_sync(struct task *task, struct pgwire *wire)
{
    struct session *session = wire->session;
    wire->skip_to_sync = false;
    if (session->txn_state == TXN_IMPLICIT) {
        struct status st = execute_settle(task, session, STATUS_OK, true);
        if (failed(st)) pgwire_tell_failure(wire, st);
        insight_transaction(session, !failed(st));
    }
    if (session->txn_state == TXN_IDLE) session_statements_txn_end(task, session);
    session->statements->several = SEVERAL_NONE;
    pgwire_ready_for_query(wire);
    arena_reset(&session->statement_arena);
}

void pgwire_extended(struct task *task, struct pgwire *wire, uint8_t type, struct bytes body)
{
    if (wire->skip_to_sync) return;
    struct status st = STATUS_OK;
    switch (type) {
    case 'P': st = handle_parse(task, wire, body); break;
    case 'B': st = handle_bind(task, wire, body); break;
    case 'D': st = handle_describe(task, wire, body); break;
    case 'E': st = handle_execute(task, wire, body); break;
    case 'C': st = handle_close(task, wire, body); break;
    default: break;
    }
    if (!failed(st)) return;
    pgwire_fail_statement(task, wire, st);
    wire->skip_to_sync = true;
}

