// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/catalog/catalog.h"
#include "sql/parse/deparse.h"
#include "sql/type/encoding.h"
#include "sql/session/execute.h"
#include "sql/parse/parse.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/wire/wire_encoding.h"

#define COPY_SHOWN_BYTES 100u // Of a line or value, in the context of an error.
#define COPY_ROWS_MAX 256u
#define COPY_PARAMS_MAX 4096u
#define COPY_COLUMNS_MAX 1600u

// --- options -------------------------------------------------------------------------------------------

static const char *option_text(struct arena *arena, const struct option *option)
{
    if (option->value == NULL || option->value->kind != EXPR_LITERAL) return NULL;
    if (option->value->literal.kind == LITERAL_BOOL)
        return option->value->literal.boolean ? "true" : "false";
    return arena_string(arena, option->value->literal.text);
}

static struct status one_byte(struct arena *arena, const struct option *option, char *out)
{
    const char *text = option_text(arena, option);
    if (text == NULL || strlen(text) != 1 || (text[0] & 0x80) || text[0] == '\n' || text[0] == '\r')
        return status_format(arena, E_INVALID_PARAMETER_VALUE, "COPY %s must be a single one-byte character", option->name);
    *out = text[0];
    return STATUS_OK;
}

static struct status options_take(
    struct arena *arena, const struct copy *copy, int32_t client_encoding, struct copy_options *out)
{
    struct status st = STATUS_OK;
    bool forces = false;
    *out = (struct copy_options){.format = COPY_TEXT, .encoding = client_encoding};
    for (uint32_t i = 0; i < copy->options.count; i++) {
        const struct option *option = &copy->options.items[i];
        const char *text = option_text(arena, option);
        if (strcmp(option->name, "format") == 0) {
            if (text != NULL && strcmp(text, "csv") == 0)
                out->format = COPY_CSV;
            else if (text != NULL && strcmp(text, "binary") == 0)
                out->format = COPY_BINARY;
            else if (text == NULL || strcmp(text, "text") != 0)
                TRY(status_format(arena, E_INVALID_PARAMETER_VALUE, "COPY format \"%s\" not recognized", text == NULL ? "" : text));
        } else if (strcmp(option->name, "delimiter") == 0) {
            TRY(one_byte(arena, option, &out->delimiter));
        } else if (strcmp(option->name, "quote") == 0) {
            TRY(one_byte(arena, option, &out->quote));
        } else if (strcmp(option->name, "escape") == 0) {
            TRY(one_byte(arena, option, &out->escape));
        } else if (strcmp(option->name, "null") == 0) {
            if (text != NULL) out->null_text = bytes_of_string(text);
        } else if (strcmp(option->name, "header") == 0) {
            out->header = true;
            out->header_match = text != NULL && strcasecmp(text, "match") == 0;
            if (out->header_match && !copy->from)
                TRY(status_make(E_FEATURE_NOT_SUPPORTED, "cannot use \"match\" with HEADER in COPY TO"));
            if (text != NULL && !out->header_match && !text_parse_bool(bytes_of_string(text), &out->header))
                TRY(status_make(E_SYNTAX_ERROR, "header requires a Boolean value or \"match\""));
        } else if (strcmp(option->name, "freeze") == 0) {
            continue; // Rows are visible to new snapshots at once anyway.
        } else if (strcmp(option->name, "encoding") == 0) {
            out->encoding = text == NULL ? -1 : encoding_find(bytes_of_string(text));
            if (out->encoding < 0)
                TRY(status_make(E_INVALID_PARAMETER_VALUE, "argument to option \"encoding\" must be a valid encoding name"));
        } else if (strncmp(option->name, "force_", 6) == 0) {
            forces |= true; // When the columns are known: force_columns.
        } else {
            TRY(status_format(arena, E_SYNTAX_ERROR, "option \"%s\" not recognized", option->name));
        }
    }
    if (forces && out->format != COPY_CSV)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "COPY force options are available only in CSV mode"));
    if (out->format == COPY_BINARY && (out->delimiter != 0 || out->null_text.data != NULL || out->header))
        TRY(status_format(arena, E_SYNTAX_ERROR, "cannot specify %s in BINARY mode",
            out->delimiter != 0 ? "DELIMITER" : out->null_text.data != NULL ? "NULL" : "HEADER"));
    if (out->format != COPY_CSV && (out->quote != 0 || out->escape != 0))
        TRY(status_format(arena, E_FEATURE_NOT_SUPPORTED, "COPY %s available only in CSV mode",
            out->quote != 0 ? "quote" : "escape"));
    if (out->delimiter == 0) out->delimiter = out->format == COPY_CSV ? ',' : '\t';
    if (out->quote == 0) out->quote = '"';
    if (out->escape == 0) out->escape = out->quote;
    if (out->null_text.data == NULL)
        out->null_text = out->format == COPY_CSV ? BYTES_LITERAL("") : BYTES_LITERAL("\\N");
out:
    return st;
}

// FORCE_QUOTE, FORCE_NOT_NULL and FORCE_NULL: a list of the columns' names, or a star.
static struct status force_columns(struct arena *arena, const struct copy *copy, const char *const *names,
    uint32_t count, struct copy_options *out)
{
    for (uint32_t i = 0; i < copy->options.count; i++) {
        const struct option *option = &copy->options.items[i];
        if (strncmp(option->name, "force_", 6) != 0) continue;
        bool quote = strcmp(option->name, "force_quote") == 0;
        bool not_null = strcmp(option->name, "force_not_null") == 0;
        if (!quote && !not_null && strcmp(option->name, "force_null") != 0)
            return status_format(arena, E_SYNTAX_ERROR, "option \"%s\" not recognized", option->name);
        if (quote == copy->from)
            return status_format(arena, E_FEATURE_NOT_SUPPORTED, "COPY %s only available using COPY %s",
                quote ? "force quote" : not_null ? "force not null" : "force null", quote ? "TO" : "FROM");
        bool *flags = ARENA_ARRAY(arena, bool, count + 1u);
        *(quote ? &out->force_quote : not_null ? &out->force_not_null : &out->force_null) = flags;
        const struct expr *value = option->value;
        bool star = value != NULL && value->kind == EXPR_COLUMN && value->column.star;
        for (uint32_t c = 0; star && c < count; c++) flags[c] = true;
        if (!star && (value == NULL || value->kind != EXPR_ROW))
            return status_format(arena, E_INVALID_PARAMETER_VALUE,
                "argument to option \"%s\" must be a list of column names", option->name);
        for (uint32_t k = 0; !star && k < value->row.items.count; k++) {
            const struct expr *item = value->row.items.items[k];
            uint32_t c = 0;
            const char *name = item->kind == EXPR_LITERAL ? arena_string(arena, item->literal.text) : "";
            while (c < count && strcmp(names[c], name) != 0) c++;
            if (c == count)
                return status_format(arena, SQLSTATE('4', '2', 'P', '1', '0'),
                    "%s column \"%s\" not referenced by COPY", option->name, name);
            flags[c] = true;
        }
    }
    return STATUS_OK;
}

// --- reading rows ----------------------------------------------------------------------------------------

static bool is_null_text(const struct copy_options *options, struct bytes raw)
{
    return bytes_equal(raw, options->null_text);
}

// Backslash escapes of the text format, into `out`; returns the size.
static size_t unescape(struct bytes raw, uint8_t *out)
{
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] != '\\' || i + 1 == raw.size) {
            out[size++] = raw.data[i];
            continue;
        }
        uint8_t c = raw.data[++i];
        static const char from[] = "bfnrtv", to[] = "\b\f\n\r\t\v";
        const char *at = memchr(from, c, sizeof from - 1);
        if (at != NULL) {
            out[size++] = (uint8_t)to[at - from];
        } else if (c >= '0' && c <= '7') {
            unsigned value = c - '0';
            for (int digits = 1; digits < 3 && i + 1 < raw.size && raw.data[i + 1] >= '0' && raw.data[i + 1] <= '7'; digits++)
                value = value * 8 + (raw.data[++i] - '0');
            out[size++] = (uint8_t)value;
        } else if (c == 'x' && i + 1 < raw.size && strchr("0123456789abcdefABCDEF", raw.data[i + 1]) != NULL && raw.data[i + 1] != 0) {
            unsigned value = 0;
            for (int digits = 0; digits < 2 && i + 1 < raw.size; digits++) {
                uint8_t h = raw.data[i + 1];
                int digit = h >= '0' && h <= '9' ? h - '0' : (h | 32) >= 'a' && (h | 32) <= 'f' ? (h | 32) - 'a' + 10 : -1;
                if (digit < 0) break;
                value = value * 16 + (unsigned)digit;
                i++;
            }
            out[size++] = (uint8_t)value;
        } else {
            out[size++] = c;
        }
    }
    return size;
}

static struct status too_many(void)
{
    return status_make(E_BAD_COPY_FILE_FORMAT, "extra data after last expected column");
}

// Where the line ends: at a newline that no backslash takes for data. NULL: not there yet.
static const uint8_t *text_line_end(struct bytes input)
{
    const uint8_t *at = input.data, *end = input.size == 0 ? at : input.data + input.size;
    while (at != end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) return NULL;
        size_t backslashes = 0;
        while (newline - backslashes > input.data && newline[-(ptrdiff_t)backslashes - 1] == '\\')
            backslashes++;
        if (backslashes % 2 == 0) return newline;
        at = newline + 1;
    }
    return NULL;
}

static struct status read_text_row(struct copy_reader *reader, struct arena *arena,
    struct bytes *fields, uint32_t fields_max, uint32_t *count, bool *found)
{
    struct bytes input = reader->input;
    const uint8_t *newline = text_line_end(input);
    if (newline == NULL && (!reader->ended || input.size == 0)) return STATUS_OK;
    size_t line_size = newline == NULL ? input.size : (size_t)(newline - input.data);
    struct bytes line = {input.data, line_size};
    reader->input = bytes_skip(input, line_size + (newline == NULL ? 0 : 1));
    if (line.size > 0 && line.data[line.size - 1] == '\r') line.size--;
    if (line.size == 2 && memcmp(line.data, "\\.", 2) == 0) { // The end marker of old clients.
        reader->input.size = 0;
        reader->ended = true;
        return STATUS_OK;
    }
    *found = true;
    *count = 0;
    const uint8_t *start = line.data, *end = line.data + line.size;
    const uint8_t delimiter = (uint8_t)reader->options->delimiter;
    for (const uint8_t *at = start;; start = ++at) {
        bool escaped = false;
        while (at < end && *at != delimiter) {
            if (LIKELY(*at++ != '\\')) continue;
            escaped = true;
            if (at < end) at++; // Alone at the end it is nothing.
        }
        if (*count == fields_max) return too_many();
        struct bytes raw = {start, (size_t)(at - start)};
        if (is_null_text(reader->options, raw)) {
            fields[*count] = (struct bytes){NULL, 0};
        } else if (escaped) {
            uint8_t *copy = arena_alloc(arena, raw.size + 1);
            fields[*count] = bytes_of(copy, unescape(raw, copy));
        } else {
            fields[*count] = raw.size == 0 ? BYTES_LITERAL("") : raw;
        }
        (*count)++;
        if (at == end) return STATUS_OK;
    }
}

// Where the record ends: a newline outside of quotes. SIZE_MAX: not there yet.
static size_t csv_record_end(const struct copy_reader *reader, bool *quoted)
{
    const struct copy_options *options = reader->options;
    *quoted = false;
    for (size_t i = 0; i < reader->input.size; i++) {
        uint8_t c = reader->input.data[i];
        if (*quoted && c == (uint8_t)options->escape && options->escape != options->quote) {
            i++;
        } else if (c == (uint8_t)options->quote) {
            *quoted = !*quoted;
        } else if (c == '\n' && !*quoted) {
            return i;
        }
    }
    return SIZE_MAX;
}

// `out` has room for what is left of the line.
static struct bytes csv_field(const struct copy_options *options, uint8_t *out,
    struct bytes line, size_t *at, bool *was_quoted)
{
    size_t size = 0;
    bool quoted = false;
    *was_quoted = false;
    for (; *at < line.size; (*at)++) {
        uint8_t c = line.data[*at];
        if (quoted && c == (uint8_t)options->escape && *at + 1 < line.size &&
            (line.data[*at + 1] == (uint8_t)options->quote || line.data[*at + 1] == (uint8_t)options->escape)) {
            out[size++] = line.data[++*at];
        } else if (c == (uint8_t)options->quote) {
            quoted = !quoted;
            *was_quoted = true;
        } else if (c == (uint8_t)options->delimiter && !quoted) {
            break;
        } else {
            out[size++] = c;
        }
    }
    return bytes_of(out, size);
}

static struct status read_csv_row(struct copy_reader *reader, struct arena *arena,
    struct bytes *fields, uint32_t fields_max, uint32_t *count, bool *found)
{
    bool quoted;
    size_t end = csv_record_end(reader, &quoted);
    if (end == SIZE_MAX) {
        if (!reader->ended || reader->input.size == 0) return STATUS_OK;
        if (quoted) return status_make(E_BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field");
        end = reader->input.size;
    }
    struct bytes line = {reader->input.data, end};
    reader->input = bytes_skip(reader->input, end == reader->input.size ? end : end + 1);
    if (line.size > 0 && line.data[line.size - 1] == '\r') line.size--;
    if (line.size == 2 && memcmp(line.data, "\\.", 2) == 0) {
        reader->input.size = 0;
        reader->ended = true;
        return STATUS_OK;
    }
    *found = true;
    *count = 0;
    uint8_t *out = arena_alloc(arena, line.size + 1); // Of all fields: none is longer than it is in the line.
    for (size_t at = 0;; at++) {
        if (*count == fields_max) return too_many();
        bool was_quoted;
        struct bytes field = csv_field(reader->options, out, line, &at, &was_quoted);
        out += field.size;
        const struct copy_options *options = reader->options;
        bool null = is_null_text(options, field);
        if (was_quoted) null &= options->force_null != NULL && options->force_null[*count];
        if (options->force_not_null != NULL && options->force_not_null[*count]) null = false;
        fields[(*count)++] = null ? (struct bytes){NULL, 0} : field;
        if (at >= line.size) break;
    }
    return STATUS_OK;
}

struct status copy_read_row(struct copy_reader *reader, struct arena *arena, struct bytes *fields,
    uint32_t fields_max, uint32_t *count, bool *found)
{
    *found = false;
    if (reader->options->format == COPY_BINARY)
        return copy_binary_read_row(reader, arena, fields, fields_max, count, found);
    if (reader->options->format == COPY_CSV)
        return read_csv_row(reader, arena, fields, fields_max, count, found);
    return read_text_row(reader, arena, fields, fields_max, count, found);
}

// --- writing fields --------------------------------------------------------------------------------------

static void write_text_field(struct buffer *out, const struct copy_options *options, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        static const char from[] = "\b\f\n\r\t\v\\", to[] = "bfnrtv\\";
        const char *at = memchr(from, c, sizeof from - 1);
        if (at != NULL || c == (uint8_t)options->delimiter) buffer_append_u8(out, '\\');
        buffer_append_u8(out, at != NULL ? (uint8_t)to[at - from] : c);
    }
}

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
    bool quote = force_quote || is_null_text(options, text) || bytes_equal(text, BYTES_LITERAL("\\."));
    for (size_t i = 0; i < text.size && !quote; i++) {
        char c = (char)text.data[i];
        quote = c == options->delimiter || c == options->quote || c == '\n' || c == '\r';
    }
    if (!quote) {
        buffer_append_bytes(out, text);
        return;
    }
    buffer_append_u8(out, (uint8_t)options->quote);
    for (size_t i = 0; i < text.size; i++) {
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
    buffer_printf(&text, "INSERT INTO %s OVERRIDING SYSTEM VALUE %s", target,
        where == NULL ? "VALUES " : "SELECT * FROM (VALUES ");
    for (uint32_t row = 0; row < rows; row++) {
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
    if (failed(st)) st = status_copy(&from->context->session->statement_arena, st);
    arena_reset(&from->batch);
    return st;
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
    if (++from->gathered == from->batch_rows) TRY(flush_rows(from));
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

static struct status match_header(
    struct copy_from *from, const struct column_desc *const *columns, uint32_t count)
{
    struct arena *arena = from->context->arena;
    if (count != from->column_count)
        return status_format(arena, E_BAD_COPY_FILE_FORMAT,
            "wrong number of fields in header line: got %u, expected %u", count, from->column_count);
    for (uint32_t i = 0; i < count; i++)
        if (from->fields[i].data == NULL || !bytes_equal(from->fields[i], bytes_of_string(columns[i]->name)))
            return status_format(arena, E_BAD_COPY_FILE_FORMAT,
                "column name mismatch in header line field %u: got \"%.*s\", expected \"%s\"", i + 1,
                (int)from->fields[i].size, (const char *)from->fields[i].data, columns[i]->name);
    return STATUS_OK;
}

// The line that ends where `rest` begins; where a row was not understood, up to its first end of line.
static struct copy_line line_at(uint64_t number, struct bytes input, struct bytes rest)
{
    size_t size = (size_t)(rest.data - input.data);
    if (size == 0 && input.size > 0) {
        const uint8_t *end = memchr(input.data, '\n', input.size);
        size = end == NULL ? input.size : (size_t)(end - input.data);
    }
    while (size > 0 && (input.data[size - 1] == '\n' || input.data[size - 1] == '\r')) size--;
    return (struct copy_line){.number = number, .text = bytes_of(input.data, size)};
}

#define HEADER_FIELDS_MAX 4096u

// Rows of what has arrived so far; what is left over of the last line stays in `pending`.
static struct status take_rows(struct copy_from *from,
    const struct column_desc *const *columns, struct copy_reader *reader)
{
    struct status st = STATUS_OK;
    for (;;) {
        uint32_t count;
        bool found;
        struct bytes before = reader->input;
        // A header that is not compared may have any number of fields.
        bool any = from->header_left && !from->options.header_match;
        struct bytes *fields = any ? ARENA_ARRAY(&from->batch, struct bytes, HEADER_FIELDS_MAX) : from->fields;
        st = copy_read_row(
            reader, &from->batch, fields, any ? HEADER_FIELDS_MAX : from->column_count, &count, &found);
        // A quote without end goes to the end of all.
        bool endless = failed(st) && strncmp(st.message, "unterminated", 12) == 0;
        struct bytes rest = endless ? bytes_skip(before, before.size) : failed(st) ? before : reader->input;
        from->at = line_at(from->line + 1, before, rest);
        TRY(with_line(from, st, &from->at));
        if (!found) break;
        from->line++;
        if (from->header_left) {
            from->header_left = false;
            if (from->options.header_match) TRY(with_line(from, match_header(from, columns, count), &from->at));
            continue;
        }
        from->read = bytes_of(before.data, (size_t)(rest.data - before.data));
        from->kept = arena_copy(&from->batch, from->read);
        TRY(add_row(from, columns, from->fields, count));
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
            buffer_append_bytes(recoded ? &raw : &pending, body);
            pgwire_message_done(from->wire, body);
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
    arena_fini(&pending_arena);
    return st;
}

static struct status target_columns(struct statement_context *context, const struct copy *copy,
    const struct table_desc *table, const struct column_desc ***out, uint32_t *count)
{
    const struct column_desc **columns =
        ARENA_ARRAY(context->arena, const struct column_desc *, table->column_count + copy->columns.count + 1);
    *count = 0;
    for (uint32_t i = 0; i < copy->columns.count; i++) {
        const struct column_desc *column = table_column(table, copy->columns.items[i]);
        if (column == NULL)
            return status_format(context->arena, E_UNDEFINED_COLUMN,
                "column \"%s\" of relation \"%s\" does not exist", copy->columns.items[i], table->name);
        columns[(*count)++] = column;
    }
    for (uint32_t i = 0; copy->columns.count == 0 && i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (!column->hidden && column->state == ELEMENT_PUBLIC && column->generated_sql == NULL)
            columns[(*count)++] = column;
    }
    if ((*count == 0 && copy->from) || *count > COPY_COLUMNS_MAX)
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
    buffer_append_u8(&text, ')');
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
    from->batch_rows = COPY_PARAMS_MAX / count;
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
        copy_write_field(&wire->out, &self->options, buffer_bytes(&text), values[i].null,
            self->options.force_quote != NULL && self->options.force_quote[i]);
    }
    wire_u8(&wire->out, '\n');
    struct status st = recode_line(self, start + 4);
    if (failed(st)) return st;
    wire_end(&wire->out, start);
    sink->rows_sent++;
    return wire->out.size < PGWIRE_RESULT_BUFFER_BYTES ? STATUS_OK : pgwire_flush(task, wire);
}

static struct status copy_to(struct statement_context *context, struct bytes query,
    const struct copy *copy, const struct copy_options *options)
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
    TRY(prepared_describe(context->task, context->session, prepared, &sink.columns, &sink.count));
    const char **names = ARENA_ARRAY(context->arena, const char *, sink.count + 1u);
    for (uint32_t i = 0; i < sink.count; i++) names[i] = sink.columns[i].name;
    TRY(force_columns(context->arena, copy, names, sink.count, &sink.options));
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
    TRY(options_take(context->arena, copy, context->session->client_encoding, &options));
    struct buffer query;
    buffer_init(&query, context->arena);
    if (copy->table.name == NULL) {
        deparse_statement(&query, copy->query, 0);
        TRY(copy_to(context, buffer_bytes(&query), copy, &options));
        goto out;
    }
    const struct table_desc *table;
    const struct column_desc **columns = NULL;
    uint32_t count;
    TRY(catalog_table(context->task, context->session, copy->table.catalog, copy->table.schema,
        copy->table.name, false, &table));
    TRY(catalog_install_column_types(context->task, context->session, table));
    TRY(target_columns(context, copy, table, &columns, &count));
    if (copy->from) {
        const char **names = ARENA_ARRAY(context->arena, const char *, count + 1u);
        for (uint32_t i = 0; i < count; i++) names[i] = columns[i]->name;
        TRY(force_columns(context->arena, copy, names, count, &options));
        TRY(copy_from(context, copy, &options, table, columns, count));
        goto out;
    }
    buffer_append_string(&query, "SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buffer_append_string(&query, ", ");
        deparse_identifier(&query, columns[i]->name);
    }
    buffer_append_string(&query, " FROM ");
    const char *target = target_text(context, copy, columns, 0);
    buffer_append(&query, target, strlen(target) - 1);
    TRY(copy_to(context, buffer_bytes(&query), copy, &options));
out:
    return st;
}
