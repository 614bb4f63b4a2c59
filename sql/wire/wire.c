// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/wire.h"

#include <stdio.h>
#include <string.h>

#include "core/work.h"

#define PIECE_BYTES ((size_t)1 << 20)

struct wire_reader wire_reader(struct bytes body)
{
    return (struct wire_reader){body.data, body.size, false};
}

struct bytes wire_read_bytes(struct wire_reader *reader, size_t size)
{
    if (reader->failed || reader->size < size) {
        reader->failed = true;
        return (struct bytes){NULL, 0};
    }
    struct bytes bytes = {reader->data, size};
    reader->data += size;
    reader->size -= size;
    return bytes;
}

uint8_t wire_read_u8(struct wire_reader *reader)
{
    struct bytes bytes = wire_read_bytes(reader, 1);
    return reader->failed ? 0 : bytes.data[0];
}

uint16_t wire_read_u16(struct wire_reader *reader)
{
    struct bytes bytes = wire_read_bytes(reader, 2);
    if (reader->failed) return 0;
    return (uint16_t)((unsigned)bytes.data[0] << 8 | bytes.data[1]);
}

uint32_t wire_read_u32(struct wire_reader *reader)
{
    struct bytes bytes = wire_read_bytes(reader, 4);
    if (reader->failed) return 0;
    return (uint32_t)bytes.data[0] << 24 | (uint32_t)bytes.data[1] << 16 |
           (uint32_t)bytes.data[2] << 8 | bytes.data[3];
}

static const char *string_to(struct wire_reader *reader, const uint8_t *end)
{
    if (end == NULL) {
        reader->failed = true;
        return "";
    }
    const char *text = (const char *)reader->data;
    size_t size = (size_t)(end - reader->data) + 1;
    reader->data += size;
    reader->size -= size;
    return text;
}

const char *wire_read_string(struct wire_reader *reader)
{
    const bool none = reader->failed || reader->size == 0;
    return string_to(reader, none ? NULL : memchr(reader->data, 0, reader->size));
}

const char *wire_read_text(struct wire_reader *reader)
{
    const uint8_t *end = NULL;
    for (size_t at = 0; !reader->failed && end == NULL && at < reader->size; at += PIECE_BYTES) {
        const size_t left = reader->size - at;
        if (at > 0) (void)task_goes_on(PIECE_BYTES); // What was cancelled is told of the statement, not of its message.
        end = memchr(reader->data + at, 0, left < PIECE_BYTES ? left : PIECE_BYTES);
    }
    return string_to(reader, end);
}

struct status wire_reader_finish(const struct wire_reader *reader)
{
    if (reader->failed || reader->size != 0)
        return status_make(E_PROTOCOL_VIOLATION, "invalid message format");
    return STATUS_OK;
}

void wire_u8(struct buffer *out, uint8_t value)
{
    buffer_append_u8(out, value);
}

static void store_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void store_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

void wire_u16(struct buffer *out, uint16_t value)
{
    store_u16(buffer_reserve(out, 2), value);
    out->size += 2;
}

void wire_u32(struct buffer *out, uint32_t value)
{
    store_u32(buffer_reserve(out, 4), value);
    out->size += 4;
}

void wire_string(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text) + 1);
}

size_t wire_begin(struct buffer *out, char type)
{
    wire_u8(out, (uint8_t)type);
    size_t start = out->size;
    wire_u32(out, 0);
    return start;
}

void wire_end(struct buffer *out, size_t start)
{
    store_u32(out->data + start, (uint32_t)(out->size - start));
}

void wire_ready(struct buffer *out, enum txn_state state)
{
    size_t start = wire_begin(out, 'Z');
    wire_u8(out, state == TXN_FAILED ? 'E' : state == TXN_OPEN ? 'T' : 'I');
    wire_end(out, start);
}

void wire_command_complete(struct buffer *out, const char *tag)
{
    size_t start = wire_begin(out, 'C');
    wire_string(out, tag);
    wire_end(out, start);
}

void wire_parameter_status(struct buffer *out, const char *name, const char *value)
{
    size_t start = wire_begin(out, 'S');
    wire_string(out, name);
    wire_string(out, value);
    wire_end(out, start);
}

static void report_field(struct buffer *out, char code, const char *text)
{
    if (text == NULL || text[0] == '\0') return;
    wire_u8(out, (uint8_t)code);
    wire_string(out, text);
}

void wire_report(struct buffer *out, char type, const char *severity, struct status st)
{
    size_t start = wire_begin(out, type);
    char sqlstate[6];
    status_sqlstate(st, sqlstate);
    report_field(out, 'S', severity);
    report_field(out, 'V', severity);
    report_field(out, 'C', sqlstate);
    report_field(out, 'M', st.message);
    // By the routine drivers know that preparing the statement again helps.
    if (strcmp(st.message, "cached plan must not change result type") == 0)
        report_field(out, 'R', "RevalidateCachedQuery");
    const struct status_report *report = status_report_of(st);
    if (report != NULL) {
        report_field(out, 'D', report->detail);
        report_field(out, 'H', report->hint);
        if (report->position != 0) {
            char digits[16];
            snprintf(digits, sizeof digits, "%u", report->position);
            report_field(out, 'P', digits);
        }
        report_field(out, 'W', report->context);
        report_field(out, 's', report->schema);
        report_field(out, 't', report->table);
        report_field(out, 'c', report->column);
        report_field(out, 'd', report->datatype);
        report_field(out, 'n', report->constraint);
    }
    wire_u8(out, 0);
    wire_end(out, start);
}

void wire_row_description(struct buffer *out, const struct result_column *columns, uint32_t count,
    const uint8_t *formats)
{
    size_t start = wire_begin(out, 'T');
    wire_u16(out, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        const struct type_info *info = type_info(columns[i].type.oid);
        wire_string(out, columns[i].name);
        wire_u32(out, columns[i].table_oid);
        wire_u16(out, columns[i].attribute);
        wire_u32(out, columns[i].type.oid == TYPE_UNKNOWN ? TYPE_TEXT : columns[i].type.oid);
        wire_u16(out, info == NULL ? UINT16_MAX : (uint16_t)info->length);
        wire_u32(out, (uint32_t)columns[i].type.typmod);
        wire_u16(out, formats == NULL ? 0 : formats[i]);
    }
    wire_end(out, start);
}

void wire_set_length(struct buffer *out, size_t at)
{
    store_u32(out->data + at, (uint32_t)(out->size - at - 4));
}

void wire_data_row(struct buffer *out, const struct type_context *context,
    const struct result_column *columns, uint32_t count, const uint8_t *formats,
    const struct datum *values)
{
    size_t start = wire_begin(out, 'D');
    wire_u16(out, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].null) {
            wire_u32(out, UINT32_MAX);
            continue;
        }
        size_t length_at = out->size;
        wire_u32(out, 0);
        if (formats != NULL && formats[i] == 1)
            type_send(out, columns[i].type.oid, values[i]);
        else
            type_output(out, context, columns[i].type.oid, values[i]);
        wire_set_length(out, length_at);
    }
    wire_end(out, start);
}
