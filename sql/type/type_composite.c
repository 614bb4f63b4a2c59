// SPDX-License-Identifier: GPL-3.0-or-later
//
// Values of composite types: records whose fields are those of the type, in its order and without names.
#include "core/text.h"
#include "sql/type/composite.h"
#include "sql/type/record.h"
#include "sql/type/type_ops.h"
#include "sql/type/type_user.h"

// --- text ----------------------------------------------------------------------------------------------

static struct status malformed(struct arena *arena, struct bytes text, const char *detail)
{
    struct status st = status_format(arena, E_INVALID_TEXT_REPRESENTATION,
        "malformed record literal: \"%.*s\"", bytes_shown(text), (const char *)text.data);
    return status_detail(arena, st, "%s", detail);
}

struct reader {
    struct arena *arena;
    struct bytes text;
    size_t at;
};

// The next byte, 0 at the end: text has no zero bytes.
static uint8_t peek(const struct reader *reader)
{
    return reader->at < reader->text.size ? reader->text.data[reader->at] : 0;
}

static void skip_space(struct reader *reader)
{
    while (ascii_space((char)peek(reader))) reader->at++;
}

// One field's text with its quotes taken off.
static struct status read_field(struct reader *reader, struct bytes *field)
{
    struct buffer out;
    bool quoted = false;
    buffer_init(&out, reader->arena);
    while (quoted || (peek(reader) != ',' && peek(reader) != ')')) {
        if (reader->at >= reader->text.size)
            return malformed(reader->arena, reader->text, "Unexpected end of input.");
        uint8_t c = reader->text.data[reader->at++];
        if (c == '\\') {
            if (reader->at >= reader->text.size)
                return malformed(reader->arena, reader->text, "Unexpected end of input.");
            buffer_append_u8(&out, reader->text.data[reader->at++]);
        } else if (c != '"') {
            buffer_append_u8(&out, c);
        } else if (quoted && peek(reader) == '"') {
            reader->at++;
            buffer_append_u8(&out, '"');
        } else {
            quoted = !quoted;
        }
    }
    *field = buffer_bytes(&out);
    return STATUS_OK;
}

static struct status composite_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct user_type *user = type_user(type.oid);
    uint32_t count = user->field_count;
    struct reader reader = {arena, text, 0};
    struct record_writer writer;
    struct buffer out;
    skip_space(&reader);
    if (peek(&reader) != '(') return malformed(arena, text, "Missing left parenthesis.");
    reader.at++;
    buffer_init(&out, arena);
    record_write_begin(&writer, &out, type.oid, count);
    for (uint32_t i = 0; i < count; i++) {
        struct datum item = DATUM_NULL;
        struct bytes field;
        struct type field_type = user->fields[i].type;
        if (i > 0) {
            if (peek(&reader) != ',') return malformed(arena, text, "Too few columns.");
            reader.at++;
        }
        if (peek(&reader) != ',' && peek(&reader) != ')') {
            TRY(read_field(&reader, &field));
            item = (struct datum){0};
            TRY(type_input(arena, context, field_type, field, &item));
        }
        record_write(&writer, field_type.oid, item);
    }
    if (peek(&reader) != ')') return malformed(arena, text, "Too many columns.");
    reader.at++;
    skip_space(&reader);
    if (reader.at < text.size) return malformed(arena, text, "Junk after right parenthesis.");
    *value = datum_bytes(buffer_bytes(&out));

out:
    return st;
}

// --- binary ----------------------------------------------------------------------------------------------

static struct status composite_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct user_type *user = type_user(type.oid);
    uint32_t count = user->field_count;
    size_t at = 4;
    struct record_writer writer;
    struct buffer out;
    if (binary.size < 4) return type_error_binary(arena, user->info.sql_name);
    int64_t columns = type_load_int(binary.data, 4);
    if (columns != count)
        return status_format(arena, E_DATATYPE_MISMATCH, "wrong number of columns: %d, expected %u",
            (int)columns, count);
    buffer_init(&out, arena);
    record_write_begin(&writer, &out, type.oid, count);
    for (uint32_t i = 0; i < count; i++) {
        struct type field = user->fields[i].type;
        struct datum item = DATUM_NULL;
        if (binary.size - at < 8) return type_error_binary(arena, user->info.sql_name);
        type_oid oid = (type_oid)(uint64_t)type_load_int(binary.data + at, 4);
        int64_t size = type_load_int(binary.data + at + 4, 4);
        at += 8;
        if (oid != field.oid)
            return status_format(arena, E_DATATYPE_MISMATCH,
                "binary data has type %u instead of expected %u (%s) in record column %u", oid,
                field.oid, type_format(arena, TYPE_OF(field.oid)), i + 1);
        if (size < -1 || (size > 0 && (uint64_t)size > binary.size - at))
            return type_error_binary(arena, user->info.sql_name);
        if (size >= 0) {
            item = (struct datum){0};
            TRY(type_receive(arena, field, bytes_of(binary.data + at, (size_t)size), &item));
            at += (size_t)size;
        }
        record_write(&writer, field.oid, item);
    }
    if (at != binary.size) return type_error_binary(arena, user->info.sql_name);
    *value = datum_bytes(buffer_bytes(&out));

out:
    return st;
}

const struct type_ops type_ops_composite = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = composite_input,
    .output = record_output,
    .receive = composite_receive,
    .send = record_send,
    .compare = record_compare,
    .hash = record_hash};

// --- fields ----------------------------------------------------------------------------------------------

struct status composite_field(struct datum value, uint32_t slot, type_oid *oid, struct datum *field)
{
    struct status st;
    struct record_cursor cursor;
    struct record_field next = {.value = DATUM_NULL};
    *field = DATUM_NULL;
    *oid = 0;
    TRY(record_open(value, &cursor));
    if (slot >= cursor.count) return st;
    for (uint32_t i = 0; i <= slot; i++) TRY(record_next(&cursor, &next));
    *field = next.value;
    *oid = next.type;

out:
    return st;
}

struct status composite_to_record(struct arena *arena, type_oid oid, struct datum *value)
{
    struct status st;
    const struct user_type *user = type_user(oid);
    struct record_cursor cursor;
    struct record_field field;
    struct buffer out;
    if (value->null) return STATUS_OK;
    buffer_init(&out, arena);
    TRY(record_open_as(oid, *value, &cursor));
    record_begin(&out, cursor.count);
    for (uint32_t i = 0; cursor.count > 0; i++) {
        TRY(record_next(&cursor, &field));
        const char *name = i < user->field_count ? user->fields[i].name : "?column?";
        record_add(&out, bytes_of_string(name), field.type, field.value);
    }
    *value = datum_bytes(buffer_bytes(&out));

out:
    return st;
}
