// SPDX-License-Identifier: GPL-3.0-or-later
//
// FunctionCall: one function, by its number, without SQL. It runs as the query that calls it would, which makes it a
// statement like any other: privileges, retries, cancelling, time limits.
#include <string.h>

#include "core/text.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/function/function_sql.h"
#include "sql/insight/insight.h"
#include "sql/parse/deparse.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/wire/wire_encoding.h"

struct callee {
    const char *schema, *name;
    struct type *args;
    uint32_t arg_count;
    bool variadic;
};

static struct status not_callable(struct arena *arena, const char *name)
{
    return status_format(arena, E_FEATURE_NOT_SUPPORTED, "cannot call function \"%s\" via fastpath interface", name);
}

static struct status find_own(struct arena *arena, const struct function *function, struct callee *callee)
{
    if (function->kind != FUNCTION_SCALAR) return not_callable(arena, function->name);
    *callee = (struct callee){.schema = function->schema == NULL ? "pg_catalog" : function->schema,
        .name = function->name,
        .args = ARENA_ARRAY(arena, struct type, function->arg_count + 1u),
        .arg_count = function->arg_count,
        .variadic = function->variadic};
    for (uint32_t i = 0; i < function->arg_count; i++) callee->args[i] = TYPE_OF(function->args[i]);
    return STATUS_OK;
}

static struct status find_callee(struct task *task, struct session *session, uint32_t oid, struct callee *callee)
{
    struct status st;
    struct arena *arena = &session->statement_arena;
    const struct schema_desc *schema;
    const struct function *own = function_by_oid(FUNCTION_SCALAR, oid);
    if (own != NULL) return find_own(arena, own, callee);
    const struct table_desc *routine = pg_routine_of(task, session, oid);
    if (routine == NULL)
        return status_format(arena, E_UNDEFINED_FUNCTION, "function with OID %u does not exist", oid);
    if (routine->function.kind != 'f' || routine->function.returns_set) return not_callable(arena, routine->name);
    TRY(catalog_schema_by_id(task, session, routine->schema_id, &schema));
    *callee = (struct callee){.schema = schema->name,
        .name = routine->name,
        .args = ARENA_ARRAY(arena, struct type, routine->column_count + 1u)};
    for (uint32_t i = 0; i < routine->column_count; i++) {
        if (!function_is_input(routine->columns[i].identity)) continue;
        callee->args[callee->arg_count++] = routine->columns[i].type;
        callee->variadic |= routine->columns[i].identity == 'v';
    }
out:
    return st;
}

static struct status read_argument(struct wire_reader *reader, struct session *session, uint16_t format, uint32_t number,
    struct type type, struct datum *value)
{
    struct status st = STATUS_OK;
    struct arena *arena = &session->statement_arena;
    const uint32_t size = wire_read_u32(reader);
    *value = DATUM_NULL;
    if (size > INT32_MAX && size != UINT32_MAX)
        return status_format(arena, E_PROTOCOL_VIOLATION, "invalid argument size %d in function call message", (int32_t)size);
    struct bytes raw = wire_read_bytes(reader, size == UINT32_MAX ? 0 : size);
    if (reader->failed) return st;
    if (format > 1) return status_format(arena, E_INVALID_PARAMETER_VALUE, "unsupported format code: %d", (int16_t)format);
    if (size == UINT32_MAX) return st;
    const struct type_info *info = type_info(type.oid);
    if (info != NULL && info->category == 'P' && type.oid != TYPE_CSTRING && type.oid != TYPE_RECORD)
        return status_format(arena, E_FEATURE_NOT_SUPPORTED, "cannot accept a value of type %s", info->name);
    TRY(wire_encoding_field_in(arena, session->client_encoding, type.oid, format == 1, raw, &raw));
    st = format == 1 ? type_receive(arena, type, raw, value) : type_input(arena, &session->types, type, raw, value);
    if (failed(st) && format == 1 && info != NULL && info->length > 0 && raw.size < (size_t)info->length)
        st = status_make(E_PROTOCOL_VIOLATION, "insufficient data left in message");
    else if (format == 1 && status_is(st, SQLSTATE('2', '2', 'P', '0', '3')))
        st = status_format(arena, st.code, "incorrect binary data format in function argument %u", number);
out:
    return st;
}

static struct status left(const struct wire_reader *reader)
{
    return reader->failed ? status_make(E_PROTOCOL_VIOLATION, "insufficient data left in message") : STATUS_OK;
}

static struct status whole(const struct wire_reader *reader)
{
    struct status st = left(reader);
    return failed(st) ? st : wire_reader_finish(reader);
}

struct function_message {
    struct callee callee;
    struct datum *args;
    uint8_t result_format;
};

static struct status read_message(
    struct task *task, struct session *session, struct bytes body, struct function_message *message)
{
    struct status st;
    struct arena *arena = &session->statement_arena;
    struct wire_reader reader = wire_reader(body);
    const uint32_t oid = wire_read_u32(&reader);
    TRY(left(&reader));
    TRY(session_begin_if_idle(task, session));
    TRY(find_callee(task, session, oid, &message->callee));
    const uint32_t format_count = wire_read_u16(&reader);
    uint16_t *formats = ARENA_ARRAY(arena, uint16_t, format_count + 1u);
    for (uint32_t i = 0; i < format_count && !reader.failed; i++) formats[i] = wire_read_u16(&reader);
    const uint32_t count = wire_read_u16(&reader);
    TRY(left(&reader));
    if (count != message->callee.arg_count)
        TRY(status_format(arena, E_PROTOCOL_VIOLATION, "function call message contains %u arguments but function requires %u",
            count, message->callee.arg_count));
    if (format_count > 1 && format_count != count)
        TRY(status_format(arena, E_PROTOCOL_VIOLATION, "function call message contains %u argument formats but %u arguments",
            format_count, count));
    message->args = ARENA_ARRAY(arena, struct datum, count + 1u);
    for (uint32_t i = 0; i < count && !reader.failed; i++) {
        const uint16_t format = format_count == 0 ? 0 : formats[format_count == 1 ? 0 : i];
        TRY(read_argument(&reader, session, format, i + 1, message->callee.args[i], &message->args[i]));
    }
    const uint16_t result = wire_read_u16(&reader);
    TRY(whole(&reader));
    if (result > 1) TRY(status_format(arena, E_INVALID_PARAMETER_VALUE, "unsupported format code: %d", (int16_t)result));
    message->result_format = (uint8_t)result;
out:
    return st;
}

static struct bytes query_of(struct arena *arena, const struct callee *callee)
{
    struct buffer text;
    buffer_init(&text, arena);
    buffer_append_string(&text, "SELECT ");
    deparse_identifier(&text, callee->schema);
    buffer_append_u8(&text, '.');
    // In quotes always: some of these names are syntax of their own.
    buffer_append_u8(&text, '"');
    for (const char *at = callee->name; *at != '\0'; at++) {
        if (*at == '"') buffer_append_u8(&text, '"');
        buffer_append_u8(&text, (uint8_t)*at);
    }
    buffer_append_string(&text, "\"(");
    for (uint32_t i = 0; i < callee->arg_count; i++)
        buffer_printf(&text, "%s%s$%u", i == 0 ? "" : ", ", callee->variadic && i + 1 == callee->arg_count ? "VARIADIC " : "", i + 1);
    buffer_append_u8(&text, ')');
    return buffer_bytes(&text);
}

static struct status call_function(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct status st;
    struct session *session = wire->session;
    struct prepared *prepared = NULL;
    struct function_message message = {0};
    const bool began = session->txn_state == TXN_IDLE;
    TRY(prepared_refuse_failed(session, &(struct prepared){0}));
    TRY(read_message(task, session, body, &message));
    TRY(prepared_make(task, session, query_of(&session->statement_arena, &message.callee), NULL, message.callee.args,
        message.callee.arg_count, &prepared));
    if (began) session_txn_forget(task, session);
    struct execution execution = {.prepared = prepared, .params = message.args, .arena = &session->statement_arena};
    struct pgwire_run run = {.prepared = prepared,
        .params = message.args,
        .formats = &message.result_format,
        .execution = &execution,
        .commit = true,
        .value = true};
    st = pgwire_run_statement(task, wire, &run);
out:
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    if (failed(st) && session->txn_state == TXN_IMPLICIT) st = execute_settle(task, session, st, false);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}

void pgwire_function(struct task *task, struct pgwire *wire, struct bytes body)
{
    struct session *session = wire->session;
    arena_reset(&session->statement_arena);
    session->statement_text = "<FASTPATH> function call";
    struct status st = call_function(task, wire, body);
    session->statement_text = NULL;
    if (failed(st)) pgwire_fail_statement(task, wire, st);
    session->statements->several = SEVERAL_NONE;
    pgwire_ready_for_query(wire);
}
