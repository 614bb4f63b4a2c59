// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/wire_encoding.h"

#include <string.h>

#include "core/work.h"
#include "sql/type/encoding.h"
#include "sql/type/type_ops.h"
#include "sql/type/type_user.h"
#include "sql/type/xml.h"

#define PIECE_BYTES (64u << 10) // Between looks at the clock.
#define NESTING_MAX 16u // Of rows in arrays in rows.

struct recoding {
    struct arena *arena;
    int32_t encoding;
    bool out; // To the client.
};

bool wire_encoding_is_plain(int32_t encoding)
{
    return encoding == ENCODING_UTF8 || encoding == ENCODING_SQL_ASCII;
}

static bool is_ascii(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 0x80) return false;
        if (i % PIECE_BYTES == PIECE_BYTES - 1 && !task_goes_on(PIECE_BYTES)) break;
    }
    return true;
}

static struct status recode_text(const struct recoding *run, struct bytes text, struct bytes *out)
{
    *out = text;
    // ASCII is a part of every encoding that a client can have.
    if (is_ascii(text)) return STATUS_OK;
    return run->out ? encoding_from_utf8(run->arena, run->encoding, text, out)
                    : encoding_to_utf8(run->arena, run->encoding, text, out);
}

// Whether the binary form is (a version byte and) the text.
static bool is_text(type_oid oid)
{
    switch (oid) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_NAME:
    case TYPE_UNKNOWN:
    case TYPE_CSTRING:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_JSONPATH: return true;
    default: return type_is_user(oid) && type_user_kind(oid) == TYPE_USER_ENUM;
    }
}

static struct status recode_binary(
    const struct recoding *run, type_oid oid, struct bytes value, uint32_t depth, struct bytes *out);

// A length and so many bytes, of a value of the type.
static struct status recode_element(
    const struct recoding *run, type_oid oid, struct wire_reader *in, uint32_t depth, struct buffer *text)
{
    uint32_t size = wire_read_u32(in);
    if (in->failed || size == UINT32_MAX) {
        wire_u32(text, size);
        return STATUS_OK;
    }
    struct bytes element = wire_read_bytes(in, size), recoded;
    if (in->failed) return STATUS_OK;
    struct status st = recode_binary(run, oid, element, depth, &recoded);
    if (failed(st)) return st;
    wire_u32(text, (uint32_t)recoded.size);
    buffer_append_bytes(text, recoded);
    return STATUS_OK;
}

static struct status recode_array(const struct recoding *run, struct bytes value, uint32_t depth, struct bytes *out)
{
    struct status st = STATUS_OK;
    struct wire_reader in = wire_reader(value);
    struct buffer text;
    buffer_init(&text, run->arena);
    uint32_t dimensions = wire_read_u32(&in);
    wire_read_u32(&in);
    type_oid element = wire_read_u32(&in);
    wire_read_bytes(&in, (size_t)dimensions * 8);
    if (in.failed || dimensions > 6) return STATUS_OK; // Malformed: whoever reads it will say so.
    buffer_append(&text, value.data, value.size - in.size);
    while (in.size > 0 && !in.failed) TRY(recode_element(run, element, &in, depth, &text));
    if (!in.failed) *out = buffer_bytes(&text);
out:
    return st;
}

static struct status recode_row(const struct recoding *run, struct bytes value, uint32_t depth, struct bytes *out)
{
    struct status st = STATUS_OK;
    struct wire_reader in = wire_reader(value);
    struct buffer text;
    buffer_init(&text, run->arena);
    wire_u32(&text, wire_read_u32(&in));
    while (in.size > 0 && !in.failed) {
        type_oid oid = wire_read_u32(&in);
        wire_u32(&text, oid);
        TRY(recode_element(run, oid, &in, depth, &text));
    }
    if (!in.failed) *out = buffer_bytes(&text);
out:
    return st;
}

// XML says itself in which encoding it is; of what comes, its type reads that.
static struct status recode_xml(const struct recoding *run, struct bytes value, struct bytes *out)
{
    struct buffer text;
    buffer_init(&text, run->arena);
    xml_print(&text, value, encoding_name(run->encoding));
    return recode_text(run, buffer_bytes(&text), out);
}

static struct status recode_binary(
    const struct recoding *run, type_oid oid, struct bytes value, uint32_t depth, struct bytes *out)
{
    *out = value;
    if (is_text(oid)) return recode_text(run, value, out);
    if (oid == TYPE_XML) return run->out ? recode_xml(run, value, out) : STATUS_OK;
    if (depth >= NESTING_MAX) return STATUS_OK;
    if (type_is_array(oid)) return recode_array(run, value, depth + 1, out);
    if (oid == TYPE_RECORD || type_is_composite(oid)) return recode_row(run, value, depth + 1, out);
    return STATUS_OK;
}

static struct status recode_field(
    const struct recoding *run, type_oid oid, bool binary, struct bytes field, struct bytes *out)
{
    *out = field;
    if (wire_encoding_is_plain(run->encoding)) return STATUS_OK;
    return binary ? recode_binary(run, oid, field, 0, out) : recode_text(run, field, out);
}

struct status wire_encoding_field_in(struct arena *arena, int32_t encoding, type_oid oid, bool binary,
    struct bytes field, struct bytes *out)
{
    // Of what is text in UTF-8 the type's input looks at every byte itself.
    if (wire_encoding_is_plain(encoding) && !binary && !is_text(oid)) {
        struct status st = type_check_utf8(arena, field);
        if (failed(st)) return st;
    }
    return recode_field(&(struct recoding){arena, encoding, false}, oid, binary, field, out);
}

struct status wire_encoding_field_out(struct arena *arena, int32_t encoding, type_oid oid, bool binary,
    struct bytes field, struct bytes *out)
{
    return recode_field(&(struct recoding){arena, encoding, true}, oid, binary, field, out);
}

// --- messages --------------------------------------------------------------------------------------------

static size_t character_size(struct bytes text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return size < text.size ? size : text.size;
}

void wire_encoding_report(struct arena *arena, int32_t encoding, struct buffer *out, size_t start)
{
    struct recoding run = {arena, encoding, true};
    struct bytes body = arena_copy(arena, bytes_of(out->data + start, out->size - start)), whole;
    if (wire_encoding_is_plain(encoding) || is_ascii(body)) return;
    out->size = start;
    if (!failed(recode_text(&run, body, &whole))) {
        buffer_append_bytes(out, whole);
    } else {
        for (struct bytes rest = body; rest.size > 0;) {
            size_t size = character_size(rest);
            struct bytes one;
            bool known = !failed(recode_text(&run, bytes_of(rest.data, size), &one));
            buffer_append_bytes(out, known ? one : BYTES_LITERAL("?"));
            rest = bytes_skip(rest, size);
        }
    }
    wire_end(out, start - 4);
}

struct status wire_encoding_data_row(struct buffer *out, struct arena *arena, int32_t encoding,
    const struct type_context *context, const struct result_column *columns, uint32_t count, const uint8_t *formats,
    const struct datum *values)
{
    struct status st = STATUS_OK;
    size_t before = out->size, start = wire_begin(out, 'D');
    struct buffer field;
    buffer_init(&field, arena);
    wire_u16(out, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        bool binary = formats != NULL && formats[i] == 1;
        struct bytes recoded;
        wire_u32(out, UINT32_MAX);
        if (values[i].null) continue;
        size_t length_at = out->size - 4;
        field.size = 0;
        if (binary)
            type_send(&field, columns[i].type.oid, values[i]);
        else
            type_output(&field, context, columns[i].type.oid, values[i]);
        TRY(wire_encoding_field_out(arena, encoding, columns[i].type.oid, binary, buffer_bytes(&field), &recoded));
        buffer_append_bytes(out, recoded);
        wire_set_length(out, length_at);
    }
    wire_end(out, start);
out:
    if (failed(st)) out->size = before;
    return st;
}

struct status wire_encoding_row_description(struct buffer *out, struct arena *arena, int32_t encoding,
    const struct result_column *columns, uint32_t count, const uint8_t *formats)
{
    struct status st = STATUS_OK;
    struct recoding run = {arena, encoding, true};
    struct result_column *renamed = ARENA_ARRAY(arena, struct result_column, count + 1u);
    for (uint32_t i = 0; i < count; i++) {
        struct bytes name;
        renamed[i] = columns[i];
        TRY(recode_text(&run, bytes_of_string(columns[i].name), &name));
        renamed[i].name = arena_string(arena, name);
    }
    wire_row_description(out, renamed, count, formats);
out:
    return st;
}
