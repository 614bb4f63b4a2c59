// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/table.h"

#include <inttypes.h>
#include <string.h>

#include "core/text.h"

const char *const table_format_names[] = {"table", "csv", "tsv", "json", "ndjson", "raw", "records", NULL};

bool table_format_parse(const char *name, enum table_format *format)
{
    for (unsigned i = 0; table_format_names[i] != NULL; i++) {
        if (strcmp(table_format_names[i], name) != 0) continue;
        *format = (enum table_format)i;
        return true;
    }
    return false;
}

static bool is_number(type_oid type)
{
    return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_FLOAT4 ||
           type == TYPE_FLOAT8 || type == TYPE_NUMERIC || type == TYPE_OID;
}

// One value for a table cell: NULL spelled out, newlines as \n.
static struct bytes cell(struct arena *arena, struct bytes value)
{
    if (value.data == NULL) return BYTES_LITERAL("NULL");
    struct buffer out;
    bool plain = true;
    for (size_t i = 0; i < value.size && plain; i++) plain = value.data[i] >= 32 && value.data[i] != 127;
    if (plain) return value;
    buffer_init(&out, arena);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c == '\n')
            buffer_append_string(&out, "\\n");
        else if (c < 32 || c == 127)
            buffer_printf(&out, "\\x%02x", c);
        else
            buffer_append_u8(&out, c);
    }
    return buffer_bytes(&out);
}

static void pad(struct buffer *out, size_t count, char c)
{
    memset(buffer_reserve(out, count), c, count);
    out->size += count;
}

static void write_table(struct buffer *out, const struct pgclient_result *result)
{
    uint32_t columns = result->column_count;
    size_t *widths = ARENA_ARRAY(out->arena, size_t, columns + 1u);
    for (uint32_t i = 0; i < columns; i++) widths[i] = utf8_length(bytes_of_string(result->columns[i].name));
    for (uint64_t row = 0; row < result->row_count; row++) {
        for (uint32_t i = 0; i < columns; i++) {
            size_t width = utf8_length(cell(out->arena, pgclient_value(result, row, i)));
            if (width > widths[i]) widths[i] = width;
        }
    }
    for (uint32_t i = 0; i < columns; i++) {
        buffer_printf(out, "%s %s", i == 0 ? "" : " |", result->columns[i].name);
        if (i + 1 < columns) pad(out, widths[i] - utf8_length(bytes_of_string(result->columns[i].name)), ' ');
    }
    buffer_append_u8(out, '\n');
    for (uint32_t i = 0; i < columns; i++) {
        if (i > 0) buffer_append_u8(out, '+');
        pad(out, widths[i] + 2, '-');
    }
    buffer_append_u8(out, '\n');
    for (uint64_t row = 0; row < result->row_count; row++) {
        for (uint32_t i = 0; i < columns; i++) {
            struct bytes text = cell(out->arena, pgclient_value(result, row, i));
            size_t gap = widths[i] - utf8_length(text);
            bool right = is_number(result->columns[i].type);
            buffer_append_string(out, i == 0 ? " " : " | ");
            if (right) pad(out, gap, ' ');
            buffer_append_bytes(out, text);
            if (!right && i + 1 < columns) pad(out, gap, ' ');
        }
        buffer_append_u8(out, '\n');
    }
    buffer_printf(out, "(%" PRIu64 " row%s)\n", result->row_count, result->row_count == 1 ? "" : "s");
}

static void csv_value(struct buffer *out, struct bytes value, char separator)
{
    bool quote = false;
    for (size_t i = 0; i < value.size; i++) {
        char c = (char)value.data[i];
        if (c == separator || c == '"' || c == '\n' || c == '\r') quote = true;
    }
    if (!quote) {
        buffer_append_bytes(out, value);
        return;
    }
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '"') buffer_append_u8(out, '"');
        buffer_append_u8(out, value.data[i]);
    }
    buffer_append_u8(out, '"');
}

static void write_csv(struct buffer *out, const struct pgclient_result *result, char separator)
{
    for (uint32_t i = 0; i < result->column_count; i++) {
        if (i > 0) buffer_append_u8(out, (uint8_t)separator);
        csv_value(out, bytes_of_string(result->columns[i].name), separator);
    }
    buffer_append_u8(out, '\n');
    for (uint64_t row = 0; row < result->row_count; row++) {
        for (uint32_t i = 0; i < result->column_count; i++) {
            struct bytes value = pgclient_value(result, row, i);
            if (i > 0) buffer_append_u8(out, (uint8_t)separator);
            csv_value(out, value.data == NULL ? BYTES_LITERAL("NULL") : value, separator);
        }
        buffer_append_u8(out, '\n');
    }
}

static void json_row(struct buffer *out, const struct pgclient_result *result, uint64_t row)
{
    buffer_append_u8(out, '{');
    for (uint32_t i = 0; i < result->column_count; i++) {
        struct bytes value = pgclient_value(result, row, i);
        if (i > 0) buffer_append_string(out, ", ");
        text_quote_json(out, bytes_of_string(result->columns[i].name));
        buffer_append_string(out, ": ");
        bool bare = is_number(result->columns[i].type) && value.size > 0 &&
                    (ascii_digit((char)value.data[value.size - 1]));
        if (value.data == NULL)
            buffer_append_string(out, "null");
        else if (result->columns[i].type == TYPE_BOOL)
            buffer_append_string(out, value.data[0] == 't' ? "true" : "false");
        else if (bare)
            buffer_append_bytes(out, value);
        else
            text_quote_json(out, value);
    }
    buffer_append_u8(out, '}');
}

static void write_json(struct buffer *out, const struct pgclient_result *result, bool lines)
{
    if (!lines) buffer_append_string(out, "[");
    for (uint64_t row = 0; row < result->row_count; row++) {
        if (!lines) buffer_append_string(out, row == 0 ? "\n  " : ",\n  ");
        json_row(out, result, row);
        if (lines) buffer_append_u8(out, '\n');
    }
    if (!lines) buffer_append_string(out, "\n]\n");
}

static void write_records(struct buffer *out, const struct pgclient_result *result)
{
    size_t width = 0;
    for (uint32_t i = 0; i < result->column_count; i++) {
        size_t size = utf8_length(bytes_of_string(result->columns[i].name));
        if (size > width) width = size;
    }
    for (uint64_t row = 0; row < result->row_count; row++) {
        buffer_printf(out, "-[ RECORD %" PRIu64 " ]\n", row + 1);
        for (uint32_t i = 0; i < result->column_count; i++) {
            const char *name = result->columns[i].name;
            buffer_append_string(out, name);
            pad(out, width - utf8_length(bytes_of_string(name)), ' ');
            buffer_append_string(out, " | ");
            buffer_append_bytes(out, cell(out->arena, pgclient_value(result, row, i)));
            buffer_append_u8(out, '\n');
        }
    }
}

void table_write(struct buffer *out, enum table_format format, const struct pgclient_result *result)
{
    switch (format) {
    case TABLE_TABLE: write_table(out, result); break;
    case TABLE_CSV: write_csv(out, result, ','); break;
    case TABLE_TSV: write_csv(out, result, '\t'); break;
    case TABLE_JSON: write_json(out, result, false); break;
    case TABLE_NDJSON: write_json(out, result, true); break;
    case TABLE_RECORDS: write_records(out, result); break;
    case TABLE_RAW:
        for (uint64_t i = 0; i < result->row_count * result->column_count; i++) {
            buffer_append_bytes(out, result->values[i]);
            buffer_append_u8(out, '\n');
        }
        break;
    }
}
