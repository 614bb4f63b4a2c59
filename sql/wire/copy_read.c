// SPDX-License-Identifier: GPL-3.0-or-later
//
// COPY data as lines and fields. Which line ends the data has is what its first line end is; another one later is an
// error, for a file of mixed ends is more likely broken than meant. `\.` before a line end is the end of the data: in
// text wherever in a line it stands, in csv alone on a line.
#include <string.h>

#include "core/work.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"
#include "sql/wire/copy.h"

#define PIECE_BYTES (32u << 10) // Of a long line, between looks at the clock.

enum { ENDS_UNKNOWN, ENDS_NEWLINE, ENDS_RETURN, ENDS_BOTH };

static struct status bad(const char *message)
{
    return status_make(E_BAD_COPY_FILE_FORMAT, message);
}

// --- lines -----------------------------------------------------------------------------------------------

// A line end that is not like the first one.
static struct status other_end(const struct copy_reader *reader, struct arena *arena, size_t at)
{
    bool csv = reader->options->format == COPY_CSV, newline = reader->input.data[at] == '\n';
    struct status st = bad(csv ? newline ? "unquoted newline found in data" : "unquoted carriage return found in data"
                               : newline ? "literal newline found in data" : "literal carriage return found in data");
    if (csv)
        return status_hint(arena, st, "Use quoted CSV field to represent %s.", newline ? "newline" : "carriage return");
    return status_hint(arena, st, "Use \"\\%c\" to represent %s.", newline ? 'n' : 'r', newline ? "newline" : "carriage return");
}

enum marker { MARKER_NONE, MARKER_WAIT, MARKER_END, MARKER_CORRUPT, MARKER_OTHER_END };

// What the `\.` at `at` is. In csv it is data where text calls it corrupt.
static enum marker marker_at(const struct copy_reader *reader, struct bytes input, bool ended, size_t at)
{
    const bool csv = reader->options->format == COPY_CSV;
    size_t next = at + 2;
    if (reader->line_ends == ENDS_BOTH) {
        if (next >= input.size && !ended) return MARKER_WAIT;
        uint8_t c = next < input.size ? input.data[next] : 0;
        if (c != '\r') return csv ? MARKER_NONE : c == '\n' ? MARKER_OTHER_END : MARKER_CORRUPT;
        next++;
    }
    if (next >= input.size && !ended) return MARKER_WAIT;
    uint8_t c = next < input.size ? input.data[next] : 0;
    if (c != '\r' && c != '\n') return csv ? MARKER_NONE : MARKER_CORRUPT;
    if (reader->line_ends == ENDS_UNKNOWN) return MARKER_END;
    return (c == '\r') == (reader->line_ends == ENDS_RETURN) ? MARKER_END : MARKER_OTHER_END;
}

// The first `size` bytes are the line; `end` more end it.
static void take_line(struct copy_reader *reader, size_t size, size_t end, struct bytes *line)
{
    *line = size == 0 ? BYTES_LITERAL("") : bytes_of(reader->input.data, size);
    reader->input = bytes_skip(reader->input, size + end);
    reader->valid = reader->valid > size + end ? reader->valid - (size + end) : 0;
    reader->scanned = 0;
    reader->in_line = reader->quoted = reader->escaped = false;
}

// Nothing behind it is looked at. What stands before it in its line is a line.
static void end_data(struct copy_reader *reader, size_t size, struct bytes *line, bool *found)
{
    *found = size > 0;
    take_line(reader, size, reader->input.size - size, line);
    reader->finished = true;
}

// Whether the byte is inside of quotes or one of them, with what follows from it for the next one.
static bool csv_quoted(struct copy_reader *reader, uint8_t c)
{
    const struct copy_options *options = reader->options;
    const bool own_escape = options->escape != options->quote;
    if (own_escape && reader->quoted && c == (uint8_t)options->escape) reader->escaped = !reader->escaped;
    if (c == (uint8_t)options->quote && !reader->escaped) reader->quoted = !reader->quoted;
    if (!own_escape || c != (uint8_t)options->escape) reader->escaped = false;
    if (reader->quoted && c == (reader->line_ends == ENDS_NEWLINE ? '\n' : '\r')) reader->line++;
    return reader->quoted;
}

// Up to a byte that may mean something, for a piece at most.
static size_t skip_plain(struct bytes input, size_t at)
{
    if (input.size - at > PIECE_BYTES) input.size = at + PIECE_BYTES;
    while (at < input.size && input.data[at] != '\n' && input.data[at] != '\r' && input.data[at] != '\\') at++;
    return at;
}

// How much of the input is text. *ended: that is all, and no more will come.
static struct bytes valid_input(struct copy_reader *reader, bool *ended)
{
    struct bytes input = reader->input;
    if (reader->valid < input.size) reader->valid += utf8_valid_prefix(bytes_skip(input, reader->valid));
    *ended = reader->ended && reader->valid == input.size;
    return (struct bytes){input.data, reader->valid};
}

// The line ends behind what is known to be text: in what has not arrived yet, or it has bytes that are no text.
static struct status wait_for_more(struct copy_reader *reader, struct arena *arena, size_t scanned)
{
    struct bytes rest = bytes_skip(reader->input, reader->valid);
    reader->scanned = scanned;
    if (rest.size == 0 || (!reader->ended && rest.size < utf8_size_of(rest.data[0]))) return STATUS_OK;
    return type_check_utf8(arena, rest);
}

struct status copy_read_line(struct copy_reader *reader, struct arena *arena, struct bytes *line, bool *found)
{
    const bool csv = reader->options->format == COPY_CSV;
    *found = false;
    if (reader->finished) return STATUS_OK;
    if (!reader->in_line) reader->line++;
    reader->in_line = true;
    bool ended;
    const struct bytes input = valid_input(reader, &ended);
    size_t at = reader->scanned, looked = at;
    for (;; at++) {
        if (!csv) at = skip_plain(input, at);
        if (at >= input.size) break;
        if (UNLIKELY(at - looked >= PIECE_BYTES)) {
            looked = at;
            struct status st = task_work(task_current(), PIECE_BYTES);
            if (failed(st)) return st;
        }
        const uint8_t c = input.data[at];
        // What these two are, the next byte tells, unless ends of lines are known to be single.
        const bool told = csv || reader->line_ends == ENDS_UNKNOWN || reader->line_ends == ENDS_BOTH;
        if ((c == '\\' || (c == '\r' && told)) && at + 1 == input.size && !ended) return wait_for_more(reader, arena, at);
        if (c == '\\' && (!csv || at == 0) && at + 1 < input.size) {
            enum marker marker = input.data[at + 1] == '.' ? marker_at(reader, input, ended, at) : MARKER_NONE;
            if (marker == MARKER_WAIT) return wait_for_more(reader, arena, at);
            if (marker == MARKER_CORRUPT) return bad("end-of-copy marker corrupt");
            if (marker == MARKER_OTHER_END) return bad("end-of-copy marker does not match previous newline style");
            if (marker == MARKER_END) {
                end_data(reader, at, line, found);
                return STATUS_OK;
            }
            if (!csv) {
                at++; // Whatever it is, a line end too, it is data.
                continue;
            }
        }
        if (csv && csv_quoted(reader, c)) continue;
        if (c != '\r' && c != '\n') continue;
        const bool both = c == '\r' && at + 1 < input.size && input.data[at + 1] == '\n';
        const bool pair = both && (reader->line_ends == ENDS_UNKNOWN || reader->line_ends == ENDS_BOTH);
        const uint8_t ends = c == '\n' ? ENDS_NEWLINE : pair ? ENDS_BOTH : ENDS_RETURN;
        if (reader->line_ends != ENDS_UNKNOWN && reader->line_ends != ends) return other_end(reader, arena, at);
        reader->line_ends = ends;
        *found = true;
        take_line(reader, at, pair ? 2 : 1, line);
        return STATUS_OK;
    }
    if (!ended) return wait_for_more(reader, arena, at);
    end_data(reader, input.size, line, found);
    return STATUS_OK;
}

// --- fields ----------------------------------------------------------------------------------------------

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

// Backslash escapes of the text format, into `out`; returns the size. *bytes: one of them made a byte that is no ASCII.
static size_t unescape(struct bytes raw, uint8_t *out, bool *bytes)
{
    static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
    size_t size = 0;
    *bytes = false;
    for (size_t i = 0; i < raw.size; i++) {
        if (UNLIKELY(i % PIECE_BYTES == PIECE_BYTES - 1) && !task_goes_on(PIECE_BYTES)) break;
        if (raw.data[i] != '\\') {
            out[size++] = raw.data[i];
            continue;
        }
        if (i + 1 == raw.size) break;
        uint8_t c = raw.data[++i];
        const char *at = memchr(from, c, sizeof from - 1);
        unsigned value = c;
        if (at != NULL) {
            value = (uint8_t)to[at - from];
        } else if (c >= '0' && c <= '7') {
            value = c - '0';
            for (int digits = 1; digits < 3 && i + 1 < raw.size && raw.data[i + 1] >= '0' && raw.data[i + 1] <= '7'; digits++)
                value = value * 8 + (raw.data[++i] - '0');
            *bytes |= (uint8_t)value == 0 || (value & 0x80) != 0;
        } else if (c == 'x' && i + 1 < raw.size && hex_digit(raw.data[i + 1]) >= 0) {
            value = 0;
            for (int digits = 0; digits < 2 && i + 1 < raw.size && hex_digit(raw.data[i + 1]) >= 0; digits++)
                value = value * 16 + (unsigned)hex_digit(raw.data[++i]);
            *bytes |= value == 0 || (value & 0x80) != 0;
        }
        out[size++] = (uint8_t)value;
    }
    return size;
}

static struct status split_text(const struct copy_options *options, struct arena *arena, struct bytes line,
    struct bytes *fields, uint32_t fields_max, uint32_t *count)
{
    const uint8_t *start = line.data, *end = line.data + line.size;
    const uint8_t delimiter = (uint8_t)options->delimiter;
    *count = 0;
    for (const uint8_t *at = start;; start = ++at) {
        bool escaped = false, alone = false, bytes = false;
        while (at < end && *at != delimiter) {
            if (LIKELY(*at++ != '\\')) continue;
            escaped = true;
            if (at < end)
                at++;
            else
                alone = true; // At the end of the data it is nothing.
        }
        struct bytes raw = {start, (size_t)(at - start) - alone}, field = raw.size == 0 ? BYTES_LITERAL("") : raw;
        if (bytes_equal(raw, options->null_text)) {
            field = (struct bytes){NULL, 0};
        } else if (escaped) {
            uint8_t *copy = arena_alloc(arena, raw.size + 1);
            field = bytes_of(copy, unescape(raw, copy, &bytes));
            struct status st = bytes ? type_check_utf8(arena, field) : STATUS_OK;
            if (failed(st)) return st;
        }
        if (*count < fields_max) fields[*count] = field;
        (*count)++;
        if (at == end) return STATUS_OK;
    }
}

// `out` has room for what is left of the line.
static struct status csv_field(const struct copy_options *options, uint8_t *out, struct bytes line, size_t *at,
    struct bytes *field, bool *was_quoted)
{
    const uint8_t quote = (uint8_t)options->quote, escape = (uint8_t)options->escape;
    size_t size = 0;
    bool quoted = false;
    *was_quoted = false;
    for (; *at < line.size; (*at)++) {
        uint8_t c = line.data[*at];
        if (!quoted && c == (uint8_t)options->delimiter) break;
        if (UNLIKELY(*at % PIECE_BYTES == PIECE_BYTES - 1) && !task_goes_on(PIECE_BYTES)) {
            *at = line.size;
            break;
        }
        bool more = *at + 1 < line.size;
        if (quoted && c == escape && more && (line.data[*at + 1] == quote || line.data[*at + 1] == escape)) {
            out[size++] = line.data[++*at];
        } else if (c == quote) {
            quoted = !quoted;
            *was_quoted = true;
        } else {
            out[size++] = c;
        }
    }
    *field = bytes_of(out, size);
    return quoted ? bad("unterminated CSV quoted field") : STATUS_OK;
}

static struct status split_csv(const struct copy_options *options, struct arena *arena, struct bytes line,
    struct bytes *fields, uint32_t fields_max, uint32_t *count)
{
    uint8_t *out = arena_alloc(arena, line.size + 1); // Of all fields: none is longer than it is in the line.
    *count = 0;
    for (size_t at = 0;; at++) {
        bool was_quoted;
        struct bytes field;
        struct status st = csv_field(options, out, line, &at, &field, &was_quoted);
        if (failed(st)) return st;
        out += field.size;
        bool null = bytes_equal(field, options->null_text);
        if (*count < fields_max) {
            if (was_quoted) null &= options->force_null != NULL && options->force_null[*count];
            if (options->force_not_null != NULL && options->force_not_null[*count]) null = false;
            fields[*count] = null ? (struct bytes){NULL, 0} : field;
        }
        (*count)++;
        if (at >= line.size) return STATUS_OK;
    }
}

struct status copy_split_line(const struct copy_options *options, struct arena *arena, struct bytes line,
    struct bytes *fields, uint32_t fields_max, uint32_t *count)
{
    if (fields_max == 0 && line.size == 0) { // A row of a table without columns.
        *count = 0;
        return STATUS_OK;
    }
    return options->format == COPY_CSV ? split_csv(options, arena, line, fields, fields_max, count)
                                       : split_text(options, arena, line, fields, fields_max, count);
}
