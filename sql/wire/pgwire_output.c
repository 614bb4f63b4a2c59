// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a connection sends, in the client's encoding: reports, parameters, rows of results; and the waits for the client.
#include <string.h>

#include "core/linger.h"
#include "core/work.h"
#include "sql/session/vars.h"
#include "sql/type/type_ops.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/wire/wire_encoding.h"

static bool is_recoded(const struct pgwire *wire)
{
    return wire->session != NULL && !wire_encoding_is_plain(wire->session->client_encoding);
}

#define FLUSH_BYTES (256u << 10) // Of a long message, between looks at the clock.

void pgwire_flush_now(struct pgwire *wire)
{
    if (wire->out.size > 0) conn_write(wire->conn, wire->out.data, wire->out.size);
    wire->out.size = 0;
    conn_flush(wire->conn);
}

// Not all statements may wait for their clients.
static struct status client_drain(struct task *task, struct pgwire *wire)
{
    if (!linger_begin(task)) return linger_refused();
    struct status st = conn_drain(task, wire->conn, PGWIRE_OUTPUT_BYTES_MAX / 2);
    linger_end(task);
    return st;
}

struct status pgwire_flush(struct task *task, struct pgwire *wire)
{
    struct status st = STATUS_OK;
    struct bytes rest = buffer_bytes(&wire->out);
    if (rest.size > 0) wire->spilled = true;
    while (rest.size > FLUSH_BYTES) {
        conn_write(wire->conn, rest.data, FLUSH_BYTES);
        rest = bytes_skip(rest, FLUSH_BYTES);
        conn_flush(wire->conn);
        if (conn_output_bytes(wire->conn) > PGWIRE_OUTPUT_BYTES_MAX)
            TRY(client_drain(task, wire));
        TRY(task_work(task, FLUSH_BYTES));
    }

out:
    // A message that has begun goes out whole, also of a statement that is cancelled.
    if (rest.size > 0) conn_write(wire->conn, rest.data, rest.size);
    wire->out.size = 0;
    conn_flush(wire->conn);
    if (failed(st) || conn_output_bytes(wire->conn) <= PGWIRE_OUTPUT_BYTES_MAX) return st;
    return client_drain(task, wire);
}

struct status pgwire_client_input(struct task *task, struct pgwire *wire, size_t size)
{
    if (LIKELY(conn_input(wire->conn).size >= size)) return STATUS_OK;
    if (!linger_begin(task)) return linger_refused();
    struct status st = conn_wait_input(task, wire->conn, size);
    linger_end(task);
    return st;
}

// The message whose type is at `start` in `out`, without rows.
static void recode_message(struct pgwire *wire, size_t start)
{
    if (!is_recoded(wire)) return;
    wire_encoding_report(&wire->recoded_arena, wire->session->client_encoding, &wire->out, start + 5);
    arena_reset(&wire->recoded_arena);
}

void pgwire_report(struct pgwire *wire, char type, const char *severity, struct status st)
{
    size_t start = wire->out.size;
    wire_report(&wire->out, type, severity, st);
    recode_message(wire, start);
}

void pgwire_error(struct pgwire *wire, const char *severity, struct status st)
{
    pgwire_report(wire, 'E', severity, st);
}

void pgwire_parameter(struct pgwire *wire, const char *name, const char *value)
{
    size_t start = wire->out.size;
    wire_parameter_status(&wire->out, name, value);
    recode_message(wire, start);
}

struct status pgwire_text_in(struct pgwire *wire, struct arena *arena, const char *text, const char **out)
{
    struct bytes recoded;
    *out = text;
    if (!is_recoded(wire)) return STATUS_OK;
    struct status st = wire_encoding_field_in(
        arena, wire->session->client_encoding, TYPE_TEXT, false, bytes_of_string(text), &recoded);
    if (!failed(st)) *out = arena_string(arena, recoded);
    return st;
}

struct status pgwire_name_in(struct pgwire *wire, struct arena *arena, const char *name, const char **out)
{
    *out = name;
    if (is_recoded(wire)) return pgwire_text_in(wire, arena, name, out);
    return name[0] == '\0' ? STATUS_OK : type_check_utf8(arena, bytes_of_string(name));
}

struct status pgwire_row_description(struct pgwire *wire, const struct result_column *columns, uint32_t count, const uint8_t *formats)
{
    if (!is_recoded(wire)) {
        wire_row_description(&wire->out, columns, count, formats);
        return STATUS_OK;
    }
    struct status st = wire_encoding_row_description(
        &wire->out, &wire->recoded_arena, wire->session->client_encoding, columns, count, formats);
    if (failed(st)) st = status_copy(&wire->session->statement_arena, st);
    arena_reset(&wire->recoded_arena);
    return st;
}

void pgwire_tell_changed_parameters(struct pgwire *wire)
{
    const char *name;
    while (vars_take_change(wire->session, &name))
        pgwire_parameter(wire, name, vars_get(wire->session, name));
}

static struct status sink_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    struct pgwire_sink *self = container_of(sink, struct pgwire_sink, sink);
    (void)task;
    self->columns = columns;
    self->column_count = count;
    if (sink->binary && self->describes && !self->described) {
        uint8_t *formats = arena_alloc(&self->wire->session->statement_arena, count + 1u);
        memset(formats, 1, count + 1u);
        self->formats = formats;
    }
    struct status st = STATUS_OK;
    if (self->describes && !self->described) st = pgwire_row_description(self->wire, columns, count, self->formats);
    self->described = true;
    return st;
}

// A row of one value as FunctionCallResponse: what a DataRow begins with is left out.
static void row_as_value(struct buffer *out, size_t start)
{
    const size_t count_at = start + 5;
    memmove(out->data + count_at, out->data + count_at + 2, out->size - count_at - 2);
    out->size -= 2;
    out->data[start] = 'V';
    wire_end(out, start + 1);
}

static struct status sink_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct pgwire_sink *self = container_of(sink, struct pgwire_sink, sink);
    struct pgwire *wire = self->wire;
    const size_t start = wire->out.size;
    if (is_recoded(wire)) {
        struct status st = wire_encoding_data_row(&wire->out, &wire->recoded_arena, wire->session->client_encoding,
            &wire->session->types, self->columns, self->column_count, self->formats, values);
        if (failed(st)) st = status_copy(&wire->session->statement_arena, st);
        arena_reset(&wire->recoded_arena);
        if (failed(st)) return st;
    } else {
        wire_data_row(&wire->out, &wire->session->types, self->columns, self->column_count, self->formats, values);
    }
    if (self->value) row_as_value(&wire->out, start);
    // Of a statement that is cancelled while a long value is printed the row is not whole.
    struct status st = task_check(task);
    if (failed(st)) wire->out.size = start;
    if (failed(st)) return st;
    sink->rows_sent++;
    if (wire->out.size < PGWIRE_RESULT_BUFFER_BYTES) return STATUS_OK;
    return pgwire_flush(task, wire);
}

static struct status sink_flush(struct task *task, struct result_sink *sink)
{
    struct pgwire *wire = container_of(sink, struct pgwire_sink, sink)->wire;
    if (conn_ended(wire->conn))
        return status_make(E_CONNECTION_FAILURE, "the client has closed the connection");
    return pgwire_flush(task, wire);
}

struct pgwire_sink pgwire_sink(struct pgwire *wire, const struct prepared *prepared,
    const uint8_t *formats, bool describes)
{
    return (struct pgwire_sink){.sink = {.columns = sink_columns, .row = sink_row, .flush = sink_flush},
        .wire = wire,
        .columns = prepared->columns,
        .column_count = prepared->column_count,
        .formats = formats,
        .describes = describes};
}
