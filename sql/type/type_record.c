// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/record.h"

#include "core/hash.h"
#include "core/text.h"
#include "sql/type/type_ops.h"

void record_begin(struct buffer *out, uint32_t count)
{
    type_append_uvarint(out, count);
}

void record_add(struct buffer *out, struct bytes name, type_oid type, struct datum value)
{
    type_append_uvarint(out, name.size);
    buffer_append_bytes(out, name);
    type_append_uvarint(out, type);
    buffer_append_u8(out, !value.null);
    if (!value.null) type_value_encode(out, type, value);
}

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "damaged record");
}

struct status record_open(struct datum value, struct record_cursor *cursor)
{
    struct status st;
    uint64_t count;
    cursor->rest = datum_as_bytes(value);
    cursor->count = 0;
    TRY(type_take_uvarint(&cursor->rest, &count));
    if (count > cursor->rest.size) return damaged();
    cursor->count = (uint32_t)count;

out:
    return st;
}

static struct bytes take(struct bytes *from, size_t size)
{
    struct bytes taken = bytes_of(from->data, size);
    *from = bytes_of(from->data + size, from->size - size);
    return taken;
}

struct status record_next(struct record_cursor *cursor, struct record_field *field)
{
    struct status st;
    uint64_t size, type;
    if (cursor->count == 0) return damaged();
    cursor->count--;
    TRY(type_take_uvarint(&cursor->rest, &size));
    if (size > cursor->rest.size) return damaged();
    field->name = take(&cursor->rest, size);
    TRY(type_take_uvarint(&cursor->rest, &type));
    if (cursor->rest.size == 0) return damaged();
    field->type = (type_oid)type;
    bool present = take(&cursor->rest, 1).data[0] != 0;
    field->value = DATUM_NULL;
    if (present) TRY(type_value_decode(&cursor->rest, field->type, &field->value));

out:
    return st;
}

// --- the type ----------------------------------------------------------------------------------------

static struct status record_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)arena, (void)context, (void)type, (void)text, (void)value;
    return status_make(
        E_FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented");
}

static struct status record_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)arena, (void)type, (void)binary, (void)value;
    return status_make(
        E_FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented");
}

static bool needs_quotes(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || ascii_space((char)c))
            return true;
    }
    return text.size == 0;
}

// The field has been appended plain at `start`; quotes go around it afterwards where needed.
static void quote_field(struct buffer *out, size_t start)
{
    struct bytes plain = bytes_of(out->data + start, out->size - start);
    if (!needs_quotes(plain)) return;
    struct bytes copy = arena_copy(out->arena, plain);
    out->size = start;
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < copy.size; i++) {
        if (copy.data[i] == '"' || copy.data[i] == '\\') buffer_append_u8(out, copy.data[i]);
        buffer_append_u8(out, copy.data[i]);
    }
    buffer_append_u8(out, '"');
}

static void record_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct record_cursor cursor;
    struct record_field field;
    bool first = true;
    (void)oid;
    buffer_append_u8(out, '(');
    if (failed(record_open(value, &cursor))) cursor.count = 0;
    while (cursor.count > 0 && !failed(record_next(&cursor, &field))) {
        if (!first) buffer_append_u8(out, ',');
        first = false;
        if (field.value.null) continue;
        size_t start = out->size;
        type_output(out, context, field.type, field.value);
        quote_field(out, start);
    }
    buffer_append_u8(out, ')');
}

static void put_u32(struct buffer *out, uint32_t value)
{
    type_store_int(out, value, 4);
}

static void record_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct record_cursor cursor;
    struct record_field field;
    (void)oid;
    if (failed(record_open(value, &cursor))) cursor.count = 0;
    put_u32(out, cursor.count);
    while (cursor.count > 0 && !failed(record_next(&cursor, &field))) {
        struct buffer sent;
        put_u32(out, field.type);
        if (field.value.null) {
            put_u32(out, UINT32_MAX);
            continue;
        }
        buffer_init(&sent, out->arena);
        type_send(&sent, field.type, field.value);
        put_u32(out, (uint32_t)sent.size);
        buffer_append_bytes(out, buffer_bytes(&sent));
    }
}

// Field by field, NULLs last; of unlike ones the types decide, where PostgreSQL refuses.
static int record_compare(type_oid oid, struct datum a, struct datum b)
{
    struct record_cursor x, y;
    struct record_field f, g;
    (void)oid;
    if (failed(record_open(a, &x))) x.count = 0;
    if (failed(record_open(b, &y))) y.count = 0;
    while (x.count > 0 && y.count > 0) {
        if (failed(record_next(&x, &f)) || failed(record_next(&y, &g))) return 0;
        if (f.type != g.type) return f.type < g.type ? -1 : 1;
        if (f.value.null && g.value.null) continue;
        if (f.value.null || g.value.null) return f.value.null ? 1 : -1;
        int order = type_is_ordered(f.type) ? type_compare(f.type, f.value, g.value) : 0;
        if (order != 0) return order;
    }
    return x.count == y.count ? 0 : x.count < y.count ? -1 : 1;
}

static uint64_t record_hash(type_oid oid, struct datum value)
{
    struct record_cursor cursor;
    struct record_field field;
    uint64_t hash = 0x5bd1e995u;
    (void)oid;
    if (failed(record_open(value, &cursor))) cursor.count = 0;
    while (cursor.count > 0 && !failed(record_next(&cursor, &field)))
        hash = hash_combine(hash,
            field.value.null || !type_is_ordered(field.type) ? 1
                                                             : type_hash(field.type, field.value));
    return hash;
}

const struct type_ops type_ops_record = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = record_input,
    .output = record_output,
    .receive = record_receive,
    .send = record_send,
    .compare = record_compare,
    .hash = record_hash};
