// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/entry.h"

#include "core/invariant.h"
#include "core/work.h"

#define HEADER_BYTES (1 + HLC_ENCODED_BYTES)
// kind u8 | body size u32 | flags u8 | ts 12 | item count u32, then the body.
#define OP_SIZE_AT 1
#define OP_FLAGS_AT 5
#define OP_TS_AT 6
#define OP_COUNT_AT (OP_TS_AT + HLC_ENCODED_BYTES)
#define OP_HEADER_BYTES (OP_COUNT_AT + 4)

enum op_flags {
    OP_COMMIT = 1,
    OP_INGESTING = 2,
    OP_OWN_TS = 4,
    OP_HAS_VALUE = 8,
    OP_STAGED = 16,
    OP_OVER = 32,
    OP_UNLESS_PREPARED = 64,
    OP_FLAGS_ALL = 127
};
enum item_flags { ITEM_TOMBSTONE = 1 };

static const struct status malformed = {E_DATA_CORRUPTED, RETRY_NEVER, 0, "malformed log entry"};

static bool kind_has_items(enum entry_kind kind)
{
    return kind == ENTRY_WRITES || kind == ENTRY_INGEST || kind == ENTRY_REVERT ||
           kind == ENTRY_PREPARE || kind == ENTRY_STAGE;
}

static bool kind_has_own_ts(enum entry_kind kind)
{
    return kind == ENTRY_INGEST || kind == ENTRY_REVERT || kind == ENTRY_STAGE;
}

static bool kind_has_sequence(enum entry_kind kind)
{
    return kind == ENTRY_STAGE || kind == ENTRY_SEAL || kind == ENTRY_DRAIN;
}

static bool kind_has_value(enum entry_kind kind)
{
    return kind == ENTRY_META || kind == ENTRY_RECORD || kind == ENTRY_SEAL || kind == ENTRY_LOCKS;
}

static bool kind_has_open_ts(enum entry_kind kind)
{
    return kind == ENTRY_WRITES || kind == ENTRY_PREPARE || kind == ENTRY_STAGE ||
           kind == ENTRY_SEAL;
}

static void put_u32(uint8_t *out, uint32_t value)
{
    memcpy(out, &value, 4); // Little-endian machines only; asserted below.
}
static uint32_t get_u32(const uint8_t *in)
{
    uint32_t value;
    memcpy(&value, in, 4);
    return value;
}
static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width integers are copied as they are");

static inline void append_leb(struct buffer *buffer, uint64_t value)
{
    uint8_t *out = buffer_reserve(buffer, 10);
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    buffer->size += size;
}

static inline bool take_leb(struct bytes *rest, uint64_t *value)
{
    uint64_t result = 0;
    for (uint32_t i = 0; i < 10 && i < rest->size; i++) {
        uint8_t byte = rest->data[i];
        if (i == 9 && byte > 1) return false;
        result |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = result;
            *rest = bytes_skip(*rest, i + 1);
            return true;
        }
    }
    return false;
}

static inline bool take_bytes(struct bytes *rest, uint64_t size, struct bytes *out)
{
    if (size > rest->size) return false;
    *out = bytes_of(rest->data, (size_t)size);
    *rest = bytes_skip(*rest, (size_t)size);
    return true;
}

static inline bool take_sized(struct bytes *rest, struct bytes *out)
{
    uint64_t size;
    return take_leb(rest, &size) && take_bytes(rest, size, out);
}

static void append_sized(struct buffer *buffer, struct bytes bytes)
{
    append_leb(buffer, bytes.size);
    buffer_append_bytes(buffer, bytes);
}

// --- building ----------------------------------------------------------------------------------------

void entry_begin(struct entry_builder *builder, struct arena *arena)
{
    buffer_init(&builder->buffer, arena);
    uint8_t *out = buffer_reserve(&builder->buffer, 256);
    memset(out, 0, HEADER_BYTES);
    out[0] = ENTRY_FORMAT;
    builder->buffer.size = HEADER_BYTES;
    builder->op_at = 0;
}

static void op_close(struct entry_builder *builder)
{
    if (builder->op_at == 0) return;
    size_t size = builder->buffer.size - builder->op_at - OP_HEADER_BYTES;
    invariant(size <= UINT32_MAX);
    put_u32(builder->buffer.data + builder->op_at + OP_SIZE_AT, (uint32_t)size);
    builder->op_at = 0;
}

void entry_op_append(struct entry_builder *builder, const struct entry_op *op)
{
    op_close(builder);
    struct buffer *buffer = &builder->buffer;
    builder->op_at = buffer->size;
    uint8_t *out = buffer_reserve(buffer, OP_HEADER_BYTES);
    bool has_value = op->value.data != NULL;
    out[0] = (uint8_t)op->kind;
    put_u32(out + OP_SIZE_AT, 0);
    out[OP_FLAGS_AT] =
        (uint8_t)((op->commit ? OP_COMMIT : 0) | (op->ingesting ? OP_INGESTING : 0) |
                  (kind_has_own_ts(op->kind) ? OP_OWN_TS : 0) | (has_value ? OP_HAS_VALUE : 0) |
                  (op->staged ? OP_STAGED : 0) | (op->over ? OP_OVER : 0) |
                  (op->unless_prepared ? OP_UNLESS_PREPARED : 0));
    hlc_encode(op->ts, out + OP_TS_AT);
    put_u32(out + OP_COUNT_AT, 0);
    buffer->size += OP_HEADER_BYTES;
    append_leb(buffer, op->tenant);
    append_leb(buffer, op->txn);
    append_leb(buffer, op->record_slice);
    if (kind_has_sequence(op->kind)) append_leb(buffer, op->sequence);
    if (op->kind == ENTRY_CLEAR) {
        append_sized(buffer, op->span.start);
        append_sized(buffer, op->span.end);
    }
    if (kind_has_value(op->kind)) {
        append_sized(buffer, op->key);
        append_sized(buffer, op->value);
    }
}

// All but the value.
static void item_begin(struct entry_builder *builder, const struct entry_item *item)
{
    struct buffer *buffer = &builder->buffer;
    invariant(builder->op_at != 0);
    uint8_t *op = buffer->data + builder->op_at;
    bool own_ts = op[OP_FLAGS_AT] & OP_OWN_TS;
    put_u32(op + OP_COUNT_AT, get_u32(op + OP_COUNT_AT) + 1);
    bool tombstone = item->tombstone || item->value.data == NULL;
    buffer_reserve(buffer, item->key.size + item->value.size + 40);
    buffer_append_u8(buffer, tombstone ? ITEM_TOMBSTONE : 0);
    append_leb(buffer, item->key.size);
    if (!tombstone) append_leb(buffer, item->value.size);
    if (own_ts) {
        hlc_encode(item->ts, buffer_reserve(buffer, HLC_ENCODED_BYTES));
        buffer->size += HLC_ENCODED_BYTES;
    }
    buffer_append_bytes(buffer, item->key);
}

void entry_item_append(struct entry_builder *builder, const struct entry_item *item)
{
    item_begin(builder, item);
    if (!item->tombstone && item->value.data != NULL) buffer_append_bytes(&builder->buffer, item->value);
}

struct status entry_item_add(struct task *task, struct entry_builder *builder, const struct entry_item *item)
{
    if (LIKELY(item->value.size < WORK_BYTES) || item->tombstone) {
        entry_item_append(builder, item);
        return STATUS_OK;
    }
    item_begin(builder, item);
    task_append(&builder->buffer, item->value);
    return task_check(task);
}

struct bytes entry_end(struct entry_builder *builder)
{
    op_close(builder);
    return buffer_bytes(&builder->buffer);
}

void entry_ts_set(struct bytes payload, struct hlc_timestamp ts)
{
    uint8_t *at = (uint8_t *)payload.data + HEADER_BYTES;
    const uint8_t *end = payload.data + payload.size;
    while (at < end) {
        if (kind_has_open_ts((enum entry_kind)at[0])) hlc_encode(ts, at + OP_TS_AT);
        at += OP_HEADER_BYTES + get_u32(at + OP_SIZE_AT);
    }
    invariant(at == end);
}

void entry_ceiling_set(struct bytes payload, struct hlc_timestamp ceiling)
{
    invariant(payload.size >= HEADER_BYTES && payload.data[0] == ENTRY_FORMAT);
    hlc_encode(ceiling, (uint8_t *)payload.data + 1);
}

// --- reading -----------------------------------------------------------------------------------------

void entry_open_trusted(struct bytes payload, struct entry_reader *reader)
{
    reader->ceiling = hlc_decode(payload.data + 1);
    reader->rest = bytes_skip(payload, HEADER_BYTES);
}

struct status entry_open(struct bytes payload, struct entry_reader *reader)
{
    if (payload.size < HEADER_BYTES || payload.size > ENTRY_BYTES_MAX) return malformed;
    if (payload.data[0] != ENTRY_FORMAT) return malformed;
    entry_open_trusted(payload, reader);
    struct entry_reader check = *reader;
    while (check.rest.size > 0) {
        struct entry_op op;
        if (!entry_op_next(&check, &op)) return malformed;
        struct entry_items items;
        struct entry_item item;
        entry_items_open(&op, &items);
        uint32_t count = 0;
        while (entry_item_next(&items, &item))
            count++;
        if (items.rest.size > 0 || count != op.item_count) return malformed;
    }
    return STATUS_OK;
}

// False at the end, and at what is malformed (rest is not empty then).
bool entry_op_next(struct entry_reader *reader, struct entry_op *op)
{
    const uint8_t *at = reader->rest.data;
    if (reader->rest.size < OP_HEADER_BYTES) return false;
    uint32_t size = get_u32(at + OP_SIZE_AT);
    if (size > reader->rest.size - OP_HEADER_BYTES) return false;
    uint8_t flags = at[OP_FLAGS_AT];
    if (at[0] == 0 || at[0] >= ENTRY_KIND_END || (flags & ~OP_FLAGS_ALL) != 0) return false;
    *op = (struct entry_op){.kind = (enum entry_kind)at[0]};
    if (((flags & OP_OWN_TS) != 0) != kind_has_own_ts(op->kind)) return false;
    op->ts = hlc_decode(at + OP_TS_AT);
    op->commit = flags & OP_COMMIT;
    op->ingesting = flags & OP_INGESTING;
    op->staged = flags & OP_STAGED;
    op->over = flags & OP_OVER;
    op->unless_prepared = flags & OP_UNLESS_PREPARED;
    op->item_count = get_u32(at + OP_COUNT_AT);
    struct bytes body = bytes_of(at + OP_HEADER_BYTES, size);
    if (!take_leb(&body, &op->tenant) || !take_leb(&body, &op->txn) ||
        !take_leb(&body, &op->record_slice))
        return false;
    if (kind_has_sequence(op->kind) && !take_leb(&body, &op->sequence)) return false;
    if (op->kind == ENTRY_CLEAR &&
        (!take_sized(&body, &op->span.start) || !take_sized(&body, &op->span.end)))
        return false;
    if (kind_has_value(op->kind)) {
        if (!take_sized(&body, &op->key) || !take_sized(&body, &op->value)) return false;
        if ((flags & OP_HAS_VALUE) == 0) op->value = bytes_of(NULL, 0);
    }
    if (!kind_has_items(op->kind) && (body.size > 0 || op->item_count > 0)) return false;
    op->items = body;
    reader->rest = bytes_skip(reader->rest, OP_HEADER_BYTES + size);
    return true;
}

void entry_items_open(const struct entry_op *op, struct entry_items *items)
{
    *items = (struct entry_items){op->items, op->ts, kind_has_own_ts(op->kind)};
}

// False at the end, and at what is malformed (rest is not empty then).
bool entry_item_next(struct entry_items *items, struct entry_item *item)
{
    struct bytes rest = items->rest;
    if (rest.size == 0) return false;
    uint8_t flags = rest.data[0];
    if (flags > ITEM_TOMBSTONE) return false;
    rest = bytes_skip(rest, 1);
    uint64_t key_size, value_size = 0;
    if (!take_leb(&rest, &key_size) || key_size > KEY_BYTES_MAX) return false;
    item->tombstone = flags & ITEM_TOMBSTONE;
    if (!item->tombstone && (!take_leb(&rest, &value_size) || value_size > VALUE_BYTES_MAX))
        return false;
    item->ts = items->ts;
    if (items->own_ts) {
        struct bytes ts;
        if (!take_bytes(&rest, HLC_ENCODED_BYTES, &ts)) return false;
        item->ts = hlc_decode(ts.data);
    }
    if (!take_bytes(&rest, key_size, &item->key)) return false;
    item->value = bytes_of(NULL, 0);
    if (!item->tombstone && !take_bytes(&rest, value_size, &item->value)) return false;
    items->rest = rest;
    return true;
}
