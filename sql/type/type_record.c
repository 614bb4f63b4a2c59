// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/record.h"

#include "core/hash.h"
#include "core/text.h"
#include "core/work.h"
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

// NULL: nothing is known of its fields, or it has none of its own.
static const struct user_type *composite_of(type_oid oid)
{
    if (!type_is_composite(oid)) return NULL;
    const struct user_type *type = type_user(oid);
    return type->fields == NULL ? NULL : type;
}

void record_write_begin(
    struct record_writer *writer, struct buffer *out, type_oid type, uint32_t count)
{
    *writer = (struct record_writer){.out = out, .type = composite_of(type)};
    if (writer->type != NULL) count = writer->type->field_count;
    if (writer->type != NULL && count > 0) count = writer->type->fields[count - 1].slot + 1;
    record_begin(out, count);
}

void record_write(struct record_writer *writer, type_oid type, struct datum value)
{
    if (writer->type != NULL && writer->field < writer->type->field_count)
        for (; writer->slot < writer->type->fields[writer->field].slot; writer->slot++)
            record_add(writer->out, (struct bytes){0}, 0, DATUM_NULL);
    record_add(writer->out, (struct bytes){0}, type, value);
    writer->field++;
    writer->slot++;
}

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "damaged record");
}

struct status record_open(struct datum value, struct record_cursor *cursor)
{
    struct status st;
    uint64_t count;
    *cursor = (struct record_cursor){.rest = datum_as_bytes(value)};
    TRY(type_take_uvarint(&cursor->rest, &count));
    if (count > cursor->rest.size) return damaged();
    cursor->count = (uint32_t)count;

out:
    return st;
}

struct status record_open_as(type_oid type, struct datum value, struct record_cursor *cursor)
{
    struct status st;
    TRY(record_open(value, cursor));
    cursor->type = composite_of(type);
    cursor->slot_count = cursor->count;
    if (cursor->type != NULL) cursor->count = cursor->type->field_count;

out:
    return st;
}

static struct bytes take(struct bytes *from, size_t size)
{
    struct bytes taken = bytes_of(from->data, size);
    *from = bytes_of(from->data + size, from->size - size);
    return taken;
}

static struct status next_slot(struct record_cursor *cursor, struct record_field *field)
{
    struct status st;
    uint64_t size, type;
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

struct status record_next(struct record_cursor *cursor, struct record_field *field)
{
    struct status st = STATUS_OK;
    if (cursor->count == 0) return damaged();
    cursor->count--;
    if (cursor->type == NULL) return next_slot(cursor, field);
    const struct type_field *wanted = &cursor->type->fields[cursor->field++];
    *field = (struct record_field){.type = wanted->type.oid, .value = DATUM_NULL};
    while (cursor->slot <= wanted->slot && cursor->slot < cursor->slot_count) {
        struct record_field found;
        TRY(next_slot(cursor, &found));
        if (cursor->slot++ == wanted->slot && !found.value.null) *field = found;
    }

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
    struct bytes copy = task_copy(out->arena, plain);
    out->size = start;
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < copy.size; i++) {
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
        if (copy.data[i] == '"' || copy.data[i] == '\\') buffer_append_u8(out, copy.data[i]);
        buffer_append_u8(out, copy.data[i]);
    }
    buffer_append_u8(out, '"');
}

void record_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct record_cursor cursor;
    struct record_field field;
    bool first = true;
    buffer_append_u8(out, '(');
    if (failed(record_open_as(oid, value, &cursor))) cursor.count = 0;
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

void record_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct record_cursor cursor;
    struct record_field field;
    if (failed(record_open_as(oid, value, &cursor))) cursor.count = 0;
    type_store_int(out, cursor.count, 4);
    while (cursor.count > 0 && !failed(record_next(&cursor, &field))) {
        type_store_int(out, field.type, 4);
        type_send_part(out, field.type, field.value);
    }
}

// Field by field, NULLs last; of unlike ones the types decide, where PostgreSQL refuses.
int record_compare(type_oid oid, struct datum a, struct datum b)
{
    struct record_cursor x, y;
    struct record_field f, g;
    if (failed(record_open_as(oid, a, &x))) x.count = 0;
    if (failed(record_open_as(oid, b, &y))) y.count = 0;
    while (x.count > 0 && y.count > 0) {
        if (failed(record_next(&x, &f)) || failed(record_next(&y, &g))) return 0;
        if (f.type != g.type) return f.type < g.type ? -1 : 1;
        if (f.value.null && g.value.null) continue;
        if (f.value.null || g.value.null) return f.value.null ? 1 : -1;
        // What has no order is compared as bytes: the same stays together, and nothing else.
        int order = type_is_ordered(f.type)
                        ? type_compare(f.type, f.value, g.value)
                        : bytes_compare(datum_as_bytes(f.value), datum_as_bytes(g.value));
        if (order != 0) return order;
    }
    return x.count == y.count ? 0 : x.count < y.count ? -1 : 1;
}

uint64_t record_hash(type_oid oid, struct datum value)
{
    struct record_cursor cursor;
    struct record_field field;
    uint64_t hash = 0x5bd1e995u;
    if (failed(record_open_as(oid, value, &cursor))) cursor.count = 0;
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
