// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/work.h"
#include "core/invariant.h"
#include "core/text.h"
#include "sql/catalog/catalog.h"
#include "sql/parse/ast_visit.h"
#include "sql/parse/deparse.h"
#include "sql/type/encoding.h"
#include "sql/session/execute.h"
#include "sql/parse/parse.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/wire/wire_encoding.h"

#define COPY_SHOWN_BYTES 100u // Of a line or value, in the context of an error.
#define COPY_ROWS_MAX 256u
// Of long rows fewer are gathered: what they hold is bounded, and what is wrong with one is told before many more have come.
#define COPY_GATHERED_BYTES (256u << 10)
#define COPY_PARAMS_MAX 4096u
#define COPY_COLUMNS_MAX 1600u

// --- writing fields --------------------------------------------------------------------------------------

// Long values are written in pieces, between which others may run.
#define PIECE_BYTES (32u << 10)

// What text, from `at` on, is as it stands; at most a piece.
static size_t plain_text(const struct copy_options *options, struct bytes text, size_t at)
{
    const size_t end = text.size - at < PIECE_BYTES ? text.size : at + PIECE_BYTES;
    size_t to = at;
    // Of the control characters these are all that have an escape.
    while (to < end && text.data[to] != '\\' && text.data[to] != (uint8_t)options->delimiter &&
           (text.data[to] < '\b' || text.data[to] > '\r'))
        to++;
    return to - at;
}

static void write_text_field(struct buffer *out, const struct copy_options *options, struct bytes text)
{
    static const char to[] = "btnvfr"; // From \b on.
    for (size_t at = 0, looked = 0; at < text.size;) {
        if (at - looked >= PIECE_BYTES) {
            if (!task_goes_on(at - looked)) return;
            looked = at;
        }
        const size_t plain = plain_text(options, text, at);
        buffer_append(out, text.data + at, plain);
        at += plain;
        if (plain == PIECE_BYTES || at == text.size) continue;
        const uint8_t c = text.data[at++];
        buffer_append_u8(out, '\\');
        buffer_append_u8(out, c >= '\b' && c <= '\r' ? (uint8_t)to[c - '\b'] : c);
    }
}

static bool wants_quotes(const struct copy_options *options, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char c = (char)text.data[i];
        if (c == options->delimiter || c == options->quote || c == '\n' || c == '\r') return true;
        if (i % PIECE_BYTES == PIECE_BYTES - 1 && !task_goes_on(PIECE_BYTES)) return true;
    }
    return false;
}

// As type_output it may suspend, and breaks off when the task is cancelled.
void copy_write_field(struct buffer *out, const struct copy_options *options, struct bytes text, bool null,
    bool force_quote)
{
    if (null) {
        buffer_append_bytes(out, options->null_text);
        return;
    }
    if (options->format == COPY_TEXT) {
        write_text_field(out, options, text);
        return;
    }
    if (!force_quote && !bytes_equal(text, options->null_text) && !wants_quotes(options, text)) {
        task_append(out, text);
        return;
    }
    buffer_append_u8(out, (uint8_t)options->quote);
    for (size_t i = 0; i < text.size; i++) {
        if (i % PIECE_BYTES == PIECE_BYTES - 1 && !task_goes_on(PIECE_BYTES)) return;
        if (text.data[i] == (uint8_t)options->quote || text.data[i] == (uint8_t)options->escape)
            buffer_append_u8(out, (uint8_t)options->escape);
        buffer_append_u8(out, text.data[i]);
    }
    buffer_append_u8(out, (uint8_t)options->quote);
}

// --- COPY FROM STDIN -------------------------------------------------------------------------------------

// Looks at the clock: after so many rows, and after each that is large.
#define ROWS_BETWEEN_YIELDS 16u
#define COPY_LARGE_BYTES 1024u

struct copy_from {
    struct statement_context *context;
    struct pgwire *wire;
    const char *table;            // Its name.
    struct copy_options options;
    uint32_t column_count;
    uint32_t batch_rows;          // Rows of the big plan.
    struct prepared *one, *many;
    struct type *types;           // Of one row's columns.
    struct datum *values;         // batch_rows * column_count.
    uint32_t gathered;
    uint64_t gathered_bytes;
    uint64_t rows, line;
    bool header_left;
    struct copy_line {
        uint64_t number;
        struct bytes text;        // Its beginning.
    } *lines, at;                 // Of the rows gathered; the one being read.
    struct bytes read, kept;      // All bytes of the one being read, in the network's buffer, and their copy in `batch`.
    struct arena batch;           // Values of the rows gathered.
    struct bytes fields[];
};

// INSERT INTO t (columns) VALUES ($1, ...), ... of `rows` rows. COPY gives identity columns their values.
static struct status insert_plan(struct copy_from *from, const char *target, const char *where, uint32_t rows,
    struct prepared **prepared)
{
    struct buffer text;
    buffer_init(&text, from->context->arena);
    if (from->column_count == 0)
        buffer_printf(&text, "INSERT INTO %s DEFAULT VALUES", target);
    else
        buffer_printf(&text, "INSERT INTO %s OVERRIDING SYSTEM VALUE %s", target,
            where == NULL ? "VALUES " : "SELECT * FROM (VALUES ");
    for (uint32_t row = 0; row < rows && from->column_count > 0; row++) {
        for (uint32_t i = 0; i < from->column_count; i++)
            buffer_printf(&text, "%s$%u", i > 0 ? "," : row > 0 ? ",(" : "(", row * from->column_count + i + 1);
        buffer_append_u8(&text, ')');
    }
    if (where != NULL) buffer_append_string(&text, where);
    struct type *types = ARENA_ARRAY(from->context->arena, struct type, rows * from->column_count + 1);
    for (uint32_t i = 0; i < rows * from->column_count; i++)
        types[i] = TYPE_OF(from->types[i % from->column_count].oid);
    return prepared_make(from->context->task, from->context->session, buffer_bytes(&text), NULL,
        types, rows * from->column_count, prepared);
}

static struct status nothing_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task, (void)sink, (void)columns, (void)count;
    return STATUS_OK;
}
static struct status nothing_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    (void)task, (void)sink, (void)values;
    return STATUS_OK;
}

// Up to 100 bytes of it, at a character's end.
static int shown_size(struct bytes text)
{
    size_t size = text.size > COPY_SHOWN_BYTES ? COPY_SHOWN_BYTES : text.size;
    while (size < text.size && size > 0 && (text.data[size] & 0xc0) == 0x80) size--;
    return (int)size;
}

static struct status with_line(struct copy_from *from, struct status st, const struct copy_line *line)
{
    struct arena *arena = from->context->arena;
    if (!failed(st)) return st;
    st = status_copy(arena, st);
    // By then PostgreSQL has let go of the text.
    if (line->text.data == NULL || from->options.format == COPY_BINARY || st.code == E_UNIQUE_VIOLATION)
        return status_context(arena, st, "COPY %s, line %" PRIu64, from->table, line->number);
    int size = shown_size(line->text);
    return status_context(arena, st, "COPY %s, line %" PRIu64 ": \"%.*s%s\"", from->table, line->number, size,
        (const char *)line->text.data, (size_t)size < line->text.size ? "..." : "");
}

static struct status run_insert(struct copy_from *from, struct prepared *prepared, const struct datum *values)
{
    struct task *task = from->context->task;
    struct result_sink sink = {.columns = nothing_columns, .row = nothing_row};
    struct execution execution = {.prepared = prepared, .params = values, .arena = &from->batch};
    bool done;
    struct status st = execution_next(task, from->context->session, &execution, &sink, 0, &done);
    if (!failed(st)) from->rows += plan_run_rows_affected(execution.run);
    execution_close(task, &execution);
    return st;
}

// A failure that comes from one row's values, and not from keys elsewhere.
static bool is_of_a_row(struct status st)
{
    char state[6];
    if (!failed(st)) return false;
    status_sqlstate(st, state);
    return (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0) && st.code != E_FOREIGN_KEY_VIOLATION;
}

static struct status flush_rows(struct copy_from *from)
{
    struct status st = STATUS_OK;
    bool whole = from->gathered == from->batch_rows && from->many != NULL;
    struct kv_txn *txn = from->context->session->txn;
    if (whole) {
        uint64_t before = kv_txn_savepoint(txn), rows = from->rows;
        st = run_insert(from, from->many, from->values);
        if (!is_of_a_row(st)) goto out;
        // Which of them was it? One by one it will be found; what they write goes with the statement anyway.
        kv_txn_rollback_to(txn, before);
        from->rows = rows;
    }
    struct status of_all = status_copy(from->context->arena, st);
    for (uint32_t i = 0; i < from->gathered; i++) {
        st = run_insert(from, from->one, from->values + (size_t)i * from->column_count);
        if (is_of_a_row(st)) st = with_line(from, st, &from->lines[i]);
        TRY(st);
    }
    st = of_all;
out:
    from->gathered = 0;
    from->gathered_bytes = 0;
    if (failed(st)) st = status_copy(&from->context->session->statement_arena, st);
    arena_reset(&from->batch);
    return st;
}

// Rows that were gathered before the one at fault may be at fault, too, and came first. Keys are looked at when rows are
// written, which could be at any time.
static struct status first_fault(struct copy_from *from, struct status st)
{
    st = status_copy(&from->context->session->statement_arena, st);
    struct status of_rows = flush_rows(from);
    return is_of_a_row(of_rows) && of_rows.code != E_UNIQUE_VIOLATION ? of_rows : st;
}

// A field that lies in what was read, in its copy: the network's buffer moves on. Others are in `batch` already.
static struct bytes kept_field(const struct copy_from *from, struct bytes field)
{
    const uintptr_t at = (uintptr_t)field.data, read = (uintptr_t)from->read.data;
    if (at < read || at >= read + from->read.size) return field;
    return bytes_of(from->kept.data + (at - read), field.size);
}

static struct status add_row(struct copy_from *from,
    const struct column_desc *const *columns, const struct bytes *fields, uint32_t count)
{
    struct status st = STATUS_OK;
    struct arena *arena = from->context->arena;
    struct datum *row = from->values + (size_t)from->gathered * from->column_count;
    for (uint32_t i = 0; i < from->column_count; i++) {
        row[i] = DATUM_NULL;
        if (i >= count)
            return with_line(from, status_format(arena, E_BAD_COPY_FILE_FORMAT, "missing data for column \"%s\"", columns[i]->name), &from->at);
        if (fields[i].data == NULL) continue;
        // Input functions may keep pointing at the text: it must outlive the network buffer.
        struct bytes own = kept_field(from, fields[i]);
        if (from->options.format == COPY_BINARY)
            TRY(wire_encoding_field_in(&from->batch, from->context->session->client_encoding, columns[i]->type.oid, true, own, &own));
        st = from->options.format == COPY_BINARY
                 ? type_receive(&from->batch, columns[i]->type, own, &row[i])
                 : type_input(&from->batch, &from->context->session->types, columns[i]->type, own, &row[i]);
        if (failed(st)) {
            bool binary = from->options.format == COPY_BINARY;
            int size = binary ? 0 : shown_size(own);
            st = status_context(arena, status_copy(arena, st), "COPY %s, line %" PRIu64 ", column %s%s%.*s%s%s",
                from->table, from->line, columns[i]->name, binary ? "" : ": \"", size, (const char *)own.data,
                !binary && (size_t)size < own.size ? "..." : "", binary ? "" : "\"");
            goto out;
        }
    }
    from->lines[from->gathered] = (struct copy_line){.number = from->at.number,
        .text = bytes_of(from->kept.data, from->at.text.size > 104 ? 104 : from->at.text.size)};
    from->gathered_bytes += from->read.size;
    if (++from->gathered == from->batch_rows || from->gathered_bytes >= COPY_GATHERED_BYTES) TRY(flush_rows(from));
out:
    return st;
}

static void send_copy_response(struct pgwire *wire, char type, uint32_t columns, const struct copy_options *options)
{
    uint8_t binary = options->format == COPY_BINARY;
    size_t start = wire_begin(&wire->out, type);
    wire_u8(&wire->out, binary);
    wire_u16(&wire->out, (uint16_t)columns);
    for (uint32_t i = 0; i < columns; i++) wire_u16(&wire->out, binary);
    wire_end(&wire->out, start);
}

// The header has the columns' names.
static struct status match_header(
    struct copy_from *from, const struct column_desc *const *columns, struct bytes line)
{
    uint32_t count;
    struct arena *arena = from->context->arena;
    struct bytes null_text = from->options.null_text;
    struct copy_options names = from->options;
    names.force_null = names.force_not_null = NULL; // These are of values.
    struct status st = copy_split_line(&names, &from->batch, line, from->fields, from->column_count, &count);
    if (failed(st)) return st;
    if (count != from->column_count)
        return status_format(arena, E_BAD_COPY_FILE_FORMAT,
            "wrong number of fields in header line: got %u, expected %u", count, from->column_count);
    for (uint32_t i = 0; i < count; i++) {
        if (from->fields[i].data == NULL)
            return status_format(arena, E_BAD_COPY_FILE_FORMAT,
                "column name mismatch in header line field %u: got null value (\"%.*s\"), expected \"%s\"", i + 1,
                bytes_shown(null_text), (const char *)null_text.data, columns[i]->name);
        if (!bytes_equal(from->fields[i], bytes_of_string(columns[i]->name)))
            return status_format(arena, E_BAD_COPY_FILE_FORMAT,
                "column name mismatch in header line field %u: got \"%.*s\", expected \"%s\"", i + 1,
                (int)from->fields[i].size, (const char *)from->fields[i].data, columns[i]->name);
    }
    return STATUS_OK;
}

// One row of the input, or the header. Of a line that was not found whole the error shows no text.
static struct status take_line(struct copy_from *from,
    const struct column_desc *const *columns, struct copy_reader *reader, bool *found)
{
    uint32_t count;
    struct bytes line;
    from->at = (struct copy_line){0};
    struct status st = copy_read_line(reader, &from->batch, &line, found);
    from->line = from->at.number = reader->line;
    // Data without a line has a header without names.
    if (!failed(st) && !*found && reader->finished && from->header_left && from->options.header_match)
        line = BYTES_LITERAL("");
    else if (failed(st) || !*found)
        return with_line(from, st, &from->at);
    from->at.text = line;
    if (from->header_left) {
        from->header_left = false;
        return from->options.header_match ? with_line(from, match_header(from, columns, line), &from->at) : STATUS_OK;
    }
    st = copy_split_line(&from->options, &from->batch, line, from->fields, from->column_count, &count);
    if (line.size > PIECE_BYTES) TRY(task_check(from->context->task)); // It may have been broken off.
    if (!failed(st) && count > from->column_count)
        st = status_make(E_BAD_COPY_FILE_FORMAT, "extra data after last expected column");
    if (failed(st)) return with_line(from, st, &from->at);
    from->read = line;
    from->kept = task_copy(&from->batch, line);
    st = add_row(from, columns, from->fields, count);

out:
    return st;
}

static struct status take_binary_row(struct copy_from *from,
    const struct column_desc *const *columns, struct copy_reader *reader, bool *found)
{
    uint32_t count;
    struct bytes before = reader->input;
    from->at = (struct copy_line){.number = from->line + 1};
    struct status st = copy_binary_read_row(reader, &from->batch, from->fields, from->column_count, &count, found);
    if (failed(st) || !*found) return with_line(from, st, &from->at);
    from->line++;
    from->read = bytes_of(before.data, (size_t)(reader->input.data - before.data));
    from->kept = task_copy(&from->batch, from->read);
    return add_row(from, columns, from->fields, count);
}

// Rows of what has arrived so far; what is left over of the last line stays in `pending`.
static struct status take_rows(struct copy_from *from,
    const struct column_desc *const *columns, struct copy_reader *reader)
{
    struct status st = STATUS_OK;
    for (bool found = true;;) {
        st = from->options.format == COPY_BINARY ? take_binary_row(from, columns, reader, &found)
                                                 : take_line(from, columns, reader, &found);
        if (failed(st) || !found) return st;
        if (from->line % ROWS_BETWEEN_YIELDS == 0 || from->read.size > COPY_LARGE_BYTES)
            TRY(task_yield_if_due(from->context->task));
    }
out:
    return st;
}

// The lines that are whole, or all of them, from the file's encoding: line ends are the same byte in each.
static struct status recode_lines(struct copy_from *from, struct buffer *raw, bool ended, struct buffer *pending)
{
    const uint8_t *end = raw->size == 0 ? NULL : memrchr(raw->data, '\n', raw->size);
    size_t size = ended ? raw->size : end == NULL ? 0 : (size_t)(end - raw->data) + 1;
    if (size == 0) return STATUS_OK;
    struct arena scratch;
    arena_init(&scratch, &from->context->session->account);
    struct bytes lines;
    struct status st = wire_encoding_field_in(&scratch, from->options.encoding, TYPE_TEXT, false, bytes_of(raw->data, size), &lines);
    if (failed(st))
        st = status_context(from->context->arena, status_copy(from->context->arena, st), "COPY %s, line %" PRIu64, from->table, from->line + 1);
    else
        buffer_append_bytes(pending, lines);
    arena_fini(&scratch);
    memmove(raw->data, raw->data + size, raw->size - size);
    raw->size -= size;
    return st;
}

// Reads CopyData until CopyDone; after a failure of ours the rest of the stream is left to the main loop.
static struct status receive(struct copy_from *from,
    const struct column_desc *const *columns)
{
    struct status st;
    struct task *task = from->context->task;
    struct arena pending_arena;
    arena_init(&pending_arena, &from->context->session->account);
    struct buffer pending, raw;
    buffer_init(&pending, &pending_arena);
    buffer_init(&raw, &pending_arena);
    bool recoded = from->options.format != COPY_BINARY && !wire_encoding_is_plain(from->options.encoding);
    struct copy_reader reader = {.options = &from->options};
    for (;;) {
        uint8_t type;
        struct bytes body;
        TRY(pgwire_message(task, from->wire, &type, &body));
        if (type == 'd') {
            if (!reader.finished) buffer_append_bytes(recoded ? &raw : &pending, body);
            const size_t received = body.size;
            pgwire_message_done(from->wire, body);
            TRY(task_work(task, received));
            if (reader.finished) continue;
            if (recoded) TRY(recode_lines(from, &raw, false, &pending));
            reader.input = buffer_bytes(&pending);
            TRY(take_rows(from, columns, &reader));
            if (reader.input.size > 0) memmove(pending.data, reader.input.data, reader.input.size);
            pending.size = reader.input.size;
            if (pending.size > PGWIRE_MESSAGE_BYTES_MAX || raw.size > PGWIRE_MESSAGE_BYTES_MAX)
                TRY(status_make(
                    E_BAD_COPY_FILE_FORMAT, "a line of COPY data is longer than 160 MiB"));
            TRY(arena_check(&pending_arena));
            continue;
        }
        struct bytes message = arena_copy(from->context->arena, body);
        pgwire_message_done(from->wire, body);
        if (type == 'c') break;
        if (type == 'f')
            TRY(status_format(from->context->arena, E_QUERY_CANCELED, "COPY from stdin failed: %.*s",
                (int)(message.size > 0 ? message.size - 1 : 0), (const char *)message.data));
        if (type != 'H' && type != 'S')
            TRY(status_format(from->context->arena, E_PROTOCOL_VIOLATION,
                "unexpected message type 0x%02X during COPY from stdin", type));
    }
    if (recoded) TRY(recode_lines(from, &raw, true, &pending));
    reader.input = buffer_bytes(&pending);
    reader.ended = true;
    TRY(take_rows(from, columns, &reader));
    TRY(flush_rows(from));
out:
    if (is_of_a_row(st)) st = first_fault(from, st);
    arena_fini(&pending_arena);
    return st;
}

// What is no table is told by the name of what it is.
static struct status check_kind(struct arena *arena, const struct copy *copy, const struct table_desc *table)
{
    const char *what = table->kind == RELATION_VIEW ? "view" : table->kind == RELATION_SEQUENCE ? "sequence"
        : table->materialized ? "materialized view" : NULL;
    if (what == NULL) return STATUS_OK;
    struct status st = status_format(
        arena, E_WRONG_OBJECT_TYPE, "cannot copy %s %s \"%s\"", copy->from ? "to" : "from", what, table->name);
    if (!copy->from && table->kind != RELATION_SEQUENCE)
        return status_hint(arena, st, "Try the COPY (SELECT ...) TO variant.");
    if (copy->from && table->kind == RELATION_VIEW)
        return status_hint(arena, st, "To enable copying to a view, provide an INSTEAD OF INSERT trigger.");
    return st;
}

static void note_subquery(struct expr *expr, void *arg)
{
    *(bool *)arg |= expr->kind == EXPR_SUBLINK;
}

static struct status target_columns(struct statement_context *context, const struct copy *copy,
    const struct table_desc *table, const struct column_desc ***out, uint32_t *count)
{
    struct arena *arena = context->arena;
    const struct column_desc **columns =
        ARENA_ARRAY(arena, const struct column_desc *, table->column_count + copy->columns.count + 1);
    *count = 0;
    for (uint32_t i = 0; i < copy->columns.count; i++) {
        const char *name = copy->columns.items[i];
        const struct column_desc *column = table_column(table, name);
        if (column == NULL)
            return status_format(arena, E_UNDEFINED_COLUMN, "column \"%s\" of relation \"%s\" does not exist", name, table->name);
        if (column->generated_sql != NULL)
            return status_detail(arena,
                status_format(arena, E_INVALID_COLUMN_REFERENCE, "column \"%s\" is a generated column", name),
                "Generated columns cannot be used in COPY.");
        for (uint32_t k = 0; k < *count; k++)
            if (columns[k] == column)
                return status_format(arena, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once", name);
        columns[(*count)++] = column;
    }
    for (uint32_t i = 0; copy->columns.count == 0 && i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (!column->hidden && column->state == ELEMENT_PUBLIC && column->generated_sql == NULL)
            columns[(*count)++] = column;
    }
    if (*count > COPY_COLUMNS_MAX || (*count == 0 && copy->where != NULL))
        return status_format(context->arena, E_FEATURE_NOT_SUPPORTED, "COPY of a table with %u columns is not supported", *count);
    *out = columns;
    return STATUS_OK;
}

// "schema.table (a, b)" for the INSERT.
static const char *target_text(struct statement_context *context, const struct copy *copy,
    const struct column_desc *const *columns, uint32_t count)
{
    struct buffer text;
    buffer_init(&text, context->arena);
    if (copy->table.catalog != NULL) {
        deparse_identifier(&text, copy->table.catalog);
        buffer_append_u8(&text, '.');
    }
    if (copy->table.schema != NULL) {
        deparse_identifier(&text, copy->table.schema);
        buffer_append_u8(&text, '.');
    }
    deparse_identifier(&text, copy->table.name);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(&text, i == 0 ? " (" : ", ");
        deparse_identifier(&text, columns[i]->name);
    }
    if (count > 0) buffer_append_u8(&text, ')');
    return buffer_string(&text);
}

// What follows the rows when only some of them are wanted: ") AS t (a, b) WHERE ...".
static const char *where_text(struct statement_context *context, const struct copy *copy,
    const struct column_desc *const *columns, uint32_t count)
{
    struct buffer text;
    buffer_init(&text, context->arena);
    buffer_append_string(&text, ") AS ");
    deparse_identifier(&text, copy->table.name);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(&text, i == 0 ? " (" : ", ");
        deparse_identifier(&text, columns[i]->name);
    }
    buffer_append_string(&text, ") WHERE ");
    deparse_expression(&text, copy->where, 0);
    return buffer_string(&text);
}

static struct status copy_from(struct statement_context *context, const struct copy *copy,
    const struct copy_options *options, const struct table_desc *table,
    const struct column_desc *const *columns, uint32_t count)
{
    struct status st;
    struct pgwire *wire = context->session->wire;
    struct copy_from *from = arena_alloc_zero(context->arena, sizeof *from + count * sizeof(struct bytes));
    from->context = context;
    from->wire = wire;
    from->table = table->name;
    from->options = *options;
    from->column_count = count;
    from->header_left = options->header;
    from->batch_rows = count == 0 ? 1 : COPY_PARAMS_MAX / count;
    if (from->batch_rows > COPY_ROWS_MAX) from->batch_rows = COPY_ROWS_MAX;
    from->types = ARENA_ARRAY(context->arena, struct type, count);
    for (uint32_t i = 0; i < count; i++) from->types[i] = columns[i]->type;
    from->values = ARENA_ARRAY(context->arena, struct datum, from->batch_rows * count);
    from->lines = ARENA_ARRAY(context->arena, struct copy_line, from->batch_rows);
    arena_init(&from->batch, &context->session->account);
    const char *target = target_text(context, copy, columns, count);
    const char *where = copy->where == NULL ? NULL : where_text(context, copy, columns, count);
    TRY(insert_plan(from, target, where, 1, &from->one));
    if (from->batch_rows > 1) TRY(insert_plan(from, target, where, from->batch_rows, &from->many));
    send_copy_response(wire, 'G', count, options);
    TRY(pgwire_flush(context->task, wire));
    TRY(receive(from, columns));
    snprintf(context->tag, sizeof context->tag, "COPY %" PRIu64, from->rows);
out:
    if (failed(st)) st = status_copy(&context->session->statement_arena, st);
    if (from->one != NULL) prepared_release(from->one);
    if (from->many != NULL) prepared_release(from->many);
    arena_fini(&from->batch);
    return st;
}

// --- COPY TO STDOUT --------------------------------------------------------------------------------------

struct copy_sink {
    struct result_sink sink;
    struct pgwire *wire;
    struct copy_options options;
    const struct result_column *columns;
    uint32_t count;
    struct arena scratch;
};

static struct status binary_field(struct copy_sink *self, type_oid oid, struct datum value)
{
    struct buffer *out = &self->wire->out;
    int32_t encoding = self->wire->session->client_encoding;
    if (wire_encoding_is_plain(encoding)) {
        type_send(out, oid, value);
        return STATUS_OK;
    }
    struct buffer field;
    struct bytes recoded;
    arena_reset(&self->scratch);
    buffer_init(&field, &self->scratch);
    type_send(&field, oid, value);
    struct status st = wire_encoding_field_out(&self->scratch, encoding, oid, true, buffer_bytes(&field), &recoded);
    if (!failed(st)) buffer_append_bytes(out, recoded);
    return st;
}

// What has been written of a line, into the file's encoding.
static struct status recode_line(struct copy_sink *self, size_t start)
{
    struct buffer *out = &self->wire->out;
    struct bytes recoded, line = bytes_of(out->data + start, out->size - start);
    if (wire_encoding_is_plain(self->options.encoding)) return STATUS_OK;
    struct status st = wire_encoding_field_out(&self->scratch, self->options.encoding, TYPE_TEXT, false, line, &recoded);
    if (failed(st)) {
        out->size = start - 5;
        return st;
    }
    if (recoded.data == line.data) return STATUS_OK;
    out->size = start;
    buffer_append_bytes(out, recoded);
    return STATUS_OK;
}

static struct status binary_row(struct task *task, struct copy_sink *self, const struct datum *values)
{
    struct status st = STATUS_OK;
    struct pgwire *wire = self->wire;
    size_t start = wire_begin(&wire->out, 'd');
    if (self->sink.rows_sent == 0) copy_binary_write_header(&wire->out); // In one message, as clients expect.
    wire_u16(&wire->out, (uint16_t)self->count);
    for (uint32_t i = 0; i < self->count; i++) {
        size_t length_at = wire->out.size;
        wire_u32(&wire->out, values[i].null ? UINT32_MAX : 0);
        if (values[i].null) continue;
        TRY(binary_field(self, self->columns[i].type.oid, values[i]));
        TRY(task_check(task));
        wire_set_length(&wire->out, length_at);
    }
    wire_end(&wire->out, start);
    self->sink.rows_sent++;
    if (wire->out.size >= PGWIRE_RESULT_BUFFER_BYTES) st = pgwire_flush(task, wire);
    return st;
out:
    wire->out.size = start - 1;
    return st;
}

static struct status copy_sink_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct copy_sink *self = container_of(sink, struct copy_sink, sink);
    struct pgwire *wire = self->wire;
    if (self->options.format == COPY_BINARY) return binary_row(task, self, values);
    size_t start = wire_begin(&wire->out, 'd');
    arena_reset(&self->scratch);
    for (uint32_t i = 0; i < self->count; i++) {
        if (i > 0) wire_u8(&wire->out, (uint8_t)self->options.delimiter);
        struct buffer text;
        buffer_init(&text, &self->scratch);
        if (!values[i].null)
            type_output(&text, &wire->session->types, self->columns[i].type.oid, values[i]);
        // Alone on its line it would be the end of the data.
        bool marker = self->count == 1 && bytes_equal(buffer_bytes(&text), BYTES_LITERAL("\\."));
        copy_write_field(&wire->out, &self->options, buffer_bytes(&text), values[i].null,
            marker || (self->options.force_quote != NULL && self->options.force_quote[i]));
    }
    wire_u8(&wire->out, '\n');
    // Broken off, the line is not whole: none of it is sent.
    struct status st = task_check(task);
    if (failed(st)) wire->out.size = start - 1;
    else st = recode_line(self, start + 4);
    if (failed(st)) return st;
    wire_end(&wire->out, start);
    sink->rows_sent++;
    return wire->out.size < PGWIRE_RESULT_BUFFER_BYTES ? STATUS_OK : pgwire_flush(task, wire);
}

// `table` NULL: a query's rows.
static struct status copy_to(struct statement_context *context, struct bytes query,
    const struct copy *copy, const struct table_desc *table, const struct copy_options *options)
{
    struct status st;
    struct pgwire *wire = context->session->wire;
    struct prepared *prepared = NULL;
    struct execution execution = {.arena = context->arena};
    struct copy_sink sink = {.sink = {.columns = nothing_columns, .row = copy_sink_row},
        .wire = wire,
        .options = *options};
    arena_init(&sink.scratch, &context->session->account);
    TRY(prepared_make(context->task, context->session, query, NULL, NULL, 0, &prepared));
    if (prepared->param_count > 0) TRY(status_make(E_UNDEFINED_PARAMETER, "there is no parameter $1"));
    TRY(prepared_describe(context->task, context->session, prepared, &sink.columns, &sink.count));
    const char **names = ARENA_ARRAY(context->arena, const char *, sink.count + 1u);
    for (uint32_t i = 0; i < sink.count; i++) names[i] = sink.columns[i].name;
    TRY(copy_force_columns(context->arena, copy, table, names, sink.count, &sink.options));
    send_copy_response(wire, 'H', sink.count, options);
    if (options->header) {
        size_t start = wire_begin(&wire->out, 'd');
        for (uint32_t i = 0; i < sink.count; i++) {
            if (i > 0) wire_u8(&wire->out, (uint8_t)options->delimiter);
            copy_write_field(&wire->out, options, bytes_of_string(sink.columns[i].name), false, false);
        }
        wire_u8(&wire->out, '\n');
        TRY(recode_line(&sink, start + 4));
        wire_end(&wire->out, start);
    }
    wire->spilled = true; // What the client has been told cannot be taken back.
    execution.prepared = prepared;
    bool done;
    TRY(execution_next(context->task, context->session, &execution, &sink.sink, 0, &done));
    if (options->format == COPY_BINARY) {
        size_t start = wire_begin(&wire->out, 'd');
        if (sink.sink.rows_sent == 0) copy_binary_write_header(&wire->out);
        copy_binary_write_trailer(&wire->out);
        wire_end(&wire->out, start);
    }
    wire_end(&wire->out, wire_begin(&wire->out, 'c'));
    snprintf(context->tag, sizeof context->tag, "COPY %" PRIu64, sink.sink.rows_sent);
out:
    execution_close(context->task, &execution);
    if (failed(st)) st = status_copy(&context->session->statement_arena, st);
    if (prepared != NULL) prepared_release(prepared);
    arena_fini(&sink.scratch);
    return st;
}

struct status copy_execute(struct statement_context *context)
{
    struct status st;
    const struct copy *copy = context->statement->as.copy;
    struct copy_options options;
    if (copy->program) return status_make(E_FEATURE_NOT_SUPPORTED, "COPY PROGRAM is not supported");
    if (!copy->stdio)
        return status_hint(context->arena,
            status_make(E_FEATURE_NOT_SUPPORTED, "COPY to or from a file of the server is not supported"),
            "Use STDIN or STDOUT, or psql's \\copy.");
    if (context->session->wire == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "COPY needs a client connection");
    const struct table_desc *table = NULL;
    const struct column_desc **columns = NULL;
    uint32_t count;
    if (copy->table.name != NULL)
        TRY(catalog_table(context->task, context->session, copy->table.catalog, copy->table.schema,
            copy->table.name, false, &table));
    bool subquery = false;
    if (copy->where != NULL) expr_visit(copy->where, note_subquery, &subquery);
    if (subquery) return status_make(E_FEATURE_NOT_SUPPORTED, "cannot use subquery in COPY FROM WHERE condition");
    if (table != NULL && !copy->from) TRY(check_kind(context->arena, copy, table));
    TRY(copy_options_take(context->arena, copy, context->session->client_encoding, &options));
    struct buffer query;
    buffer_init(&query, context->arena);
    if (table == NULL) {
        deparse_statement(&query, copy->query, 0);
        const struct statement *of = copy->query;
        if ((of->tag == STATEMENT_INSERT && of->as.insert->returning.count == 0) ||
            (of->tag == STATEMENT_UPDATE && of->as.update->returning.count == 0) ||
            (of->tag == STATEMENT_DELETE && of->as.delete_->returning.count == 0))
            return status_make(E_FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause");
        TRY(copy_to(context, buffer_bytes(&query), copy, NULL, &options));
        goto out;
    }
    TRY(catalog_install_column_types(context->task, context->session, table));
    TRY(target_columns(context, copy, table, &columns, &count));
    if (copy->from) {
        TRY(check_kind(context->arena, copy, table));
        const char **names = ARENA_ARRAY(context->arena, const char *, count + 1u);
        for (uint32_t i = 0; i < count; i++) names[i] = columns[i]->name;
        TRY(copy_force_columns(context->arena, copy, table, names, count, &options));
        TRY(copy_from(context, copy, &options, table, columns, count));
        goto out;
    }
    buffer_append_string(&query, "SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_append_string(&query, ", ");
        deparse_identifier(&query, columns[i]->name);
    }
    buffer_append_string(&query, " FROM ");
    buffer_append_string(&query, target_text(context, copy, columns, 0));
    TRY(copy_to(context, buffer_bytes(&query), copy, table, &options));
out:
    return st;
}
