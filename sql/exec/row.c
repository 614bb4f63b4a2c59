// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/collation.h"
#include "sql/exec/row.h"

#include "core/invariant.h"
#include "core/work.h"
#include "sql/function/function.h"
#include "sql/type/inverted.h"
#include "sql/type/type_ops.h"

static const char corrupt_message[] = "stored row is corrupted";

bool row_index_is_uncertain(const struct index_desc *index)
{
    bool uncertain = function_in_text(index->predicate_sql);
    for (uint32_t c = 0; c < index->column_count; c++)
        uncertain |= function_in_text(index->columns[c].expression_sql);
    return uncertain;
}

uint32_t row_width(const struct table_desc *table)
{
    uint32_t width = table->column_count;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        for (uint32_t c = 0; c < index->column_count; c++)
            if (index->columns[c].expression_sql != NULL) width++;
    }
    return width;
}

static uint32_t column_ordinal(const struct table_desc *table, uint32_t column_id)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].id == column_id) return i;
    return ROW_SLOT_NONE;
}

uint32_t row_ordinal(const struct table_desc *table, const struct index_desc *index, uint32_t column)
{
    if (index->columns[column].expression_sql == NULL)
        return column_ordinal(table, index->columns[column].column_id);
    uint32_t ordinal = table->column_count;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *other = &table->indexes[i];
        for (uint32_t c = 0; c < other->column_count; c++) {
            if (other == index && c == column) return ordinal;
            if (other->columns[c].expression_sql != NULL) ordinal++;
        }
    }
    return ROW_SLOT_NONE;
}

void row_append_prefix(struct buffer *key, uint64_t tenant, uint32_t table_id, uint32_t index_id)
{
    key_append_tenant_prefix(key, tenant);
    key_append_uvarint(key, table_id);
    key_append_uvarint(key, index_id);
}

static struct span prefix_span(struct arena *arena, struct buffer *key)
{
    struct bytes prefix = buffer_bytes(key);
    return (struct span){prefix, key_prefix_end(arena, prefix)};
}

struct span row_index_span(
    struct arena *arena, uint64_t tenant, uint32_t table_id, uint32_t index_id)
{
    struct buffer key;
    buffer_init(&key, arena);
    row_append_prefix(&key, tenant, table_id, index_id);
    return prefix_span(arena, &key);
}

struct span row_table_span(struct arena *arena, uint64_t tenant, uint32_t table_id)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, tenant);
    key_append_uvarint(&key, table_id);
    return prefix_span(arena, &key);
}

// --- the shape of an index ---------------------------------------------------------------------------

static bool index_has_column(const struct index_desc *index, uint32_t column_id)
{
    for (uint32_t i = 0; i < index->column_count; i++)
        if (index->columns[i].expression_sql == NULL && index->columns[i].column_id == column_id)
            return true;
    return false;
}

static struct status add_key_column(
    struct row_index *out, const struct index_desc *index, uint32_t column)
{
    uint32_t ordinal = row_ordinal(out->table, index, column);
    if (ordinal == ROW_SLOT_NONE)
        return status_make(E_DATA_CORRUPTED, "index refers to a column that does not exist");
    // What an expression gives is known to whoever fills the row in; its key form is self-describing
    // only with the type, which an expression column carries in the descriptor's column id field.
    bool plain = ordinal < out->table->column_count;
    type_oid type =
        plain ? out->table->columns[ordinal].type.oid : index->columns[column].column_id;
    const char *collation = index->columns[column].collation;
    if (collation == NULL && plain) collation = out->table->columns[ordinal].collation;
    if (collation != NULL) {
        uint32_t number = collation_number(collation);
        if (number == COLLATION_CONFLICT)
            return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too many collations are in use");
        type = collation_type((struct type){type, -1, number});
    }
    out->keys[out->key_count++] = (struct row_key_column){.ordinal = ordinal,
        .type = type,
        .order = index->columns[column].descending ? KEY_DESCENDING : KEY_ASCENDING,
        .nulls_reversed = index->columns[column].nulls_reversed};
    return STATUS_OK;
}

static void add_value_column(struct row_index *out, uint32_t ordinal)
{
    const struct column_desc *column = &out->table->columns[ordinal];
    uint32_t at = out->value_count;
    while (at > 0 && out->values[at - 1].column_id > column->id) {
        out->values[at] = out->values[at - 1];
        at--;
    }
    out->values[at] = (struct row_value_column){
        .ordinal = ordinal,
        .column_id = column->id,
        .type = column->type.oid,
        .has_missing = column->missing.size > 0,
    };
    out->value_count++;
}

static bool has_value_column(const struct row_index *index, uint32_t ordinal)
{
    // As a rule it lies where its ordinal says, or a little before.
    const uint32_t near = ordinal < index->value_count ? ordinal + 1 : index->value_count;
    for (uint32_t i = near; i > 0; i--)
        if (index->values[i - 1].ordinal == ordinal) return true;
    for (uint32_t i = near; i < index->value_count; i++)
        if (index->values[i].ordinal == ordinal) return true;
    return false;
}

static bool in_exact_key(const struct row_index *index, uint32_t ordinal)
{
    for (uint32_t i = 0; i < index->key_count; i++)
        if (index->keys[i].ordinal == ordinal) return type_key_is_exact(index->keys[i].type);
    return false;
}

static void choose_value_columns(struct row_index *out)
{
    const struct table_desc *table = out->table;
    if (out->index->primary) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            if (table->columns[i].state == ELEMENT_DELETE_ONLY) continue;
            if (!in_exact_key(out, i)) add_value_column(out, i);
        }
        return;
    }
    for (uint32_t i = 0; i < out->key_count; i++) {
        uint32_t ordinal = out->keys[i].ordinal;
        if (ordinal >= table->column_count) continue;
        bool suffix = i >= out->column_count;
        if (((suffix && out->unique) || !type_key_is_exact(out->keys[i].type)) && !has_value_column(out, ordinal))
            add_value_column(out, ordinal);
    }
    for (uint32_t i = 0; i < out->index->stored_count; i++) {
        uint32_t ordinal = column_ordinal(table, out->index->stored[i]);
        if (ordinal != ROW_SLOT_NONE && !in_exact_key(out, ordinal) && !has_value_column(out, ordinal))
            add_value_column(out, ordinal);
    }
}

static struct status add_inverted_columns(struct arena *arena, struct row_index *out)
{
    const struct index_desc *index = out->index;
    out->inverted = ARENA_ARRAY(arena, struct row_inverted_column, index->column_count);
    for (uint32_t i = 0; i < index->column_count; i++) {
        uint32_t ordinal = row_ordinal(out->table, index, i);
        if (ordinal == ROW_SLOT_NONE)
            return status_make(E_DATA_CORRUPTED, "index refers to a column that does not exist");
        out->inverted[out->inverted_count++] = (struct row_inverted_column){.ordinal = ordinal,
            .type = ordinal < out->table->column_count ? out->table->columns[ordinal].type.oid
                                                       : index->columns[i].column_id,
            .operator_class = index->columns[i].operator_class};
    }
    return STATUS_OK;
}

struct status row_index_init(struct arena *arena, uint64_t tenant, const struct table_desc *table,
    const struct index_desc *index, struct row_index *out)
{
    struct status st = STATUS_OK;
    const struct index_desc *primary = &table->indexes[0];
    *out = (struct row_index){.table = table, .index = index};
    out->unique = index_is_unique(index) && !index->primary;
    out->keys = ARENA_ARRAY(
        arena, struct row_key_column, index->column_count + primary->column_count);
    out->values = ARENA_ARRAY(arena, struct row_value_column, table->column_count);
    struct buffer prefix;
    buffer_init(&prefix, arena);
    row_append_prefix(&prefix, tenant, table->id, index->id);
    out->prefix = buffer_bytes(&prefix);
    if (index->inverted) TRY(add_inverted_columns(arena, out));
    for (uint32_t i = 0; i < index->column_count && !index->inverted; i++)
        TRY(add_key_column(out, index, i));
    out->column_count = out->key_count;
    if (!index->primary) {
        for (uint32_t i = 0; i < primary->column_count; i++) {
            if (!index->inverted && index_has_column(index, primary->columns[i].column_id)) continue;
            TRY(add_key_column(out, primary, i));
            out->keys[out->key_count - 1].order = KEY_ASCENDING;
            out->keys[out->key_count - 1].nulls_reversed = false;
        }
    }
    choose_value_columns(out);

out:
    return st;
}

bool row_index_has(const struct row_index *index, uint32_t ordinal)
{
    return has_value_column(index, ordinal) || in_exact_key(index, ordinal);
}

// --- key columns ---------------------------------------------------------------------------------------

// NULL's tag in the other order sorts before, or behind, all values of this one.
static enum key_order null_order(const struct row_key_column *column)
{
    return row_key_nulls_first(column) ? KEY_DESCENDING : KEY_ASCENDING;
}

struct status row_key_encode(
    struct buffer *key, const struct row_key_column *column, struct datum value)
{
    if (!value.null) return type_key_encode(key, column->type, value, column->order);
    key_append_null(key, null_order(column));
    return STATUS_OK;
}

struct status row_key_decode(struct bytes *key, const struct row_key_column *column,
    struct arena *arena, struct datum *value)
{
    if (!column->nulls_reversed)
        return type_key_decode(key, column->type, column->order, arena, value);
    if (key_decode_null(key, null_order(column))) {
        *value = DATUM_NULL;
        return STATUS_OK;
    }
    return type_key_decode(key, column->type, column->order, arena, value);
}

// --- writing -----------------------------------------------------------------------------------------

struct status row_key_own(
    const struct row_index *index, const struct datum *row, struct buffer *key)
{
    struct status st = STATUS_OK;
    buffer_append_bytes(key, index->prefix);
    for (uint32_t i = 0; i < index->column_count; i++)
        TRY(row_key_encode(key, &index->keys[i], row[index->keys[i].ordinal]));
out:
    return st;
}

struct status row_key(
    const struct row_index *index, const struct datum *row, struct buffer *key, bool *has_null)
{
    struct status st = STATUS_OK;
    bool null = false;
    size_t before = key->size;
    buffer_append_bytes(key, index->prefix);
    for (uint32_t i = 0; i < index->column_count; i++) {
        const struct row_key_column *column = &index->keys[i];
        null |= row[column->ordinal].null && !index->index->nulls_not_distinct;
        TRY(row_key_encode(key, column, row[column->ordinal]));
    }
    if (!index->unique || null) {
        for (uint32_t i = index->column_count; i < index->key_count; i++) {
            const struct row_key_column *column = &index->keys[i];
            TRY(row_key_encode(key, column, row[column->ordinal]));
        }
    }
    if (UNLIKELY(key->size - before > KEY_BYTES_MAX))
        TRY(status_format(key->arena, E_PROGRAM_LIMIT_EXCEEDED,
            "index row size %zu exceeds maximum %u for index \"%s\"", key->size - before,
            KEY_BYTES_MAX, index->index->name));
    if (has_null != NULL) *has_null = null;

out:
    return st;
}

struct status row_inverted_keys(const struct row_index *index, const struct datum *row,
    struct arena *arena, struct bytes **keys, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct buffer suffix;
    uint32_t capacity = 0;
    *keys = NULL;
    *count = 0;
    buffer_init(&suffix, arena);
    for (uint32_t i = 0; i < index->key_count; i++)
        TRY(row_key_encode(&suffix, &index->keys[i], row[index->keys[i].ordinal]));
    for (uint32_t c = 0; c < index->inverted_count; c++) {
        const struct row_inverted_column *column = &index->inverted[c];
        struct inverted_parts parts;
        if (row[column->ordinal].null) continue;
        TRY(inverted_parts_of(
            arena, (enum inverted_class)column->operator_class, row[column->ordinal], &parts));
        *keys = arena_grow(arena, *keys, capacity * sizeof(struct bytes),
            (capacity + parts.count) * sizeof(struct bytes));
        capacity += parts.count;
        for (uint32_t i = 0; i < parts.count; i++) {
            struct buffer key;
            buffer_init(&key, arena);
            buffer_reserve(&key, index->prefix.size + 1 + parts.items[i].size + suffix.size);
            buffer_append_bytes(&key, index->prefix);
            buffer_append_u8(&key, (uint8_t)c);
            buffer_append_bytes(&key, parts.items[i]);
            buffer_append_bytes(&key, buffer_bytes(&suffix));
            (*keys)[(*count)++] = buffer_bytes(&key);
        }
    }
    if (suffix.size > KEY_BYTES_MAX - INVERTED_ITEM_MAX - 64)
        return status_format(arena, E_PROGRAM_LIMIT_EXCEEDED,
            "index row size %zu exceeds maximum %u for index \"%s\"", suffix.size,
            KEY_BYTES_MAX - INVERTED_ITEM_MAX - 64, index->index->name);

out:
    return st;
}

static size_t varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) size++;
    return size;
}

static void append_varint(struct buffer *out, uint64_t value)
{
    uint8_t *at = buffer_reserve(out, 10);
    size_t size = 0;
    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    out->size += size;
}

// The size comes before the bytes and is known after them: one byte is kept for it, which does for
// nearly all; larger ones move.
static void append_sized(struct buffer *out, type_oid type, struct datum value)
{
    if (value.size >= 0x80 && type_ops(type)->storage == TYPE_STORE_BYTES) {
        append_varint(out, varint_size(value.size) + value.size);
        append_varint(out, value.size);
        task_append(out, datum_as_bytes(value));
        return;
    }
    buffer_append_u8(out, 0);
    size_t start = out->size;
    type_value_encode(out, type, value);
    size_t size = out->size - start;
    if (size < 0x80) {
        out->data[start - 1] = (uint8_t)size;
        return;
    }
    uint8_t head[10];
    size_t head_size = 0;
    for (uint64_t rest = size; rest > 0 || head_size == 0; rest >>= 7)
        head[head_size++] = (uint8_t)((rest & 0x7f) | (rest >= 0x80 ? 0x80 : 0));
    buffer_reserve(out, head_size);
    memmove(out->data + start - 1 + head_size, out->data + start, size);
    memcpy(out->data + start - 1, head, head_size);
    out->size += head_size - 1;
}

#define ROW_LARGE_BYTES (256u << 10)

// Room for all values from `from` on at once, instead of growing by copies.
static void reserve_rest(
    const struct row_index *index, const struct datum *row, uint32_t from, struct buffer *value)
{
    size_t bytes = 0;
    for (uint32_t i = from; i < index->value_count; i++) {
        const struct datum *datum = &row[index->values[i].ordinal];
        const bool sized = !datum->null && type_ops(index->values[i].type)->storage == TYPE_STORE_BYTES;
        bytes += 20 + (sized ? datum->size : 8);
    }
    buffer_reserve(value, bytes);
}

void row_value(const struct row_index *index, const struct datum *row, struct buffer *value)
{
    bool reserved = false;
    buffer_append_u8(value, ROW_VERSION);
    for (uint32_t i = 0; i < index->value_count; i++) {
        const struct row_value_column *column = &index->values[i];
        struct datum datum = row[column->ordinal];
        if (datum.null) {
            if (!column->has_missing) continue;
            append_varint(value, (uint64_t)column->column_id * 2 + 1);
            continue;
        }
        if (UNLIKELY(datum.size >= ROW_LARGE_BYTES) && !reserved) {
            reserved = true;
            reserve_rest(index, row, i, value);
        }
        append_varint(value, (uint64_t)column->column_id * 2);
        append_sized(value, column->type, datum);
    }
}

struct status row_entry(const struct row_index *index, const struct datum *row, struct arena *arena,
    struct bytes *key, struct bytes *value)
{
    struct status st = STATUS_OK;
    struct buffer key_buffer;
    struct buffer value_buffer;
    buffer_init(&key_buffer, arena);
    buffer_init(&value_buffer, arena);
    TRY(row_key(index, row, &key_buffer, NULL));
    row_value(index, row, &value_buffer);
    *key = buffer_bytes(&key_buffer);
    *value = buffer_bytes(&value_buffer);

out:
    return st;
}

// --- reading -----------------------------------------------------------------------------------------

static bool take_varint(struct bytes *in, uint64_t *value)
{
    uint64_t result = 0;
    for (uint32_t i = 0; i < in->size && i < 10; i++) {
        result |= (uint64_t)(in->data[i] & 0x7f) << (7 * i);
        if ((in->data[i] & 0x80) == 0) {
            *in = bytes_skip(*in, i + 1);
            *value = result;
            return true;
        }
    }
    return false;
}

static struct status decode_missing(
    const struct row_index *index, const struct row_value_column *column, struct datum *out)
{
    struct bytes missing = index->table->columns[column->ordinal].missing;
    *out = DATUM_NULL;
    if (missing.size == 0) return STATUS_OK;
    return type_value_decode(&missing, column->type, out);
}

struct status row_decoder_init(struct arena *arena, const struct row_index *index,
    const uint32_t *ordinals, uint32_t count, struct row_decoder *out)
{
    struct status st = STATUS_OK;
    const uint32_t width = row_width(index->table);
    uint32_t *slots = ARENA_ARRAY(arena, uint32_t, width); // By ordinal.
    bool *found = ARENA_ARRAY(arena, bool, count);
    *out = (struct row_decoder){.index = index, .slot_count = count};
    for (uint32_t i = 0; i < width; i++) slots[i] = ROW_SLOT_NONE;
    for (uint32_t slot = 0; slot < count; slot++) {
        invariant(ordinals[slot] < width);
        slots[ordinals[slot]] = slot;
        found[slot] = false;
    }
    out->key_slots = ARENA_ARRAY(arena, uint32_t, index->key_count);
    out->value_slots = ARENA_ARRAY(arena, uint32_t, index->value_count);
    out->missing = ARENA_ARRAY(arena, struct datum, index->value_count);
    out->steps = ARENA_ARRAY(arena, struct row_step, index->value_count);
    out->copied = ARENA_ARRAY(arena, uint32_t, count);
    for (uint32_t i = 0; i < index->key_count; i++) out->key_slots[i] = ROW_SLOT_NONE;
    for (uint32_t i = 0; i < index->value_count; i++) {
        const struct row_value_column *column = &index->values[i];
        TRY(decode_missing(index, column, &out->missing[i]));
        out->value_slots[i] = slots[column->ordinal];
        out->steps[i] = (struct row_step){
            .tag = column->column_id < 64 ? (uint16_t)(column->column_id * 2) : ROW_TAG_LONG,
            .storage = (uint8_t)type_ops(column->type)->storage,
            .slot = out->value_slots[i],
        };
        if (out->value_slots[i] == ROW_SLOT_NONE) continue;
        if (!type_is_by_value(column->type)) out->copied[out->copied_count++] = out->value_slots[i];
        out->value_needed++;
        out->value_last = i + 1;
        found[out->value_slots[i]] = true;
    }
    for (uint32_t i = 0; i < index->key_count; i++) {
        const uint32_t slot = slots[index->keys[i].ordinal];
        if (slot == ROW_SLOT_NONE || found[slot]) continue;
        out->key_slots[i] = slot;
        out->key_needed = i + 1;
        found[slot] = true;
    }
    for (uint32_t slot = 0; slot < count; slot++) invariant(found[slot]);

out:
    return st;
}

static struct status decode_key_columns(const struct row_decoder *decoder, struct bytes key,
    struct arena *arena, struct datum *const *columns, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct row_index *index = decoder->index;
    if (!bytes_has_prefix(key, index->prefix)) return status_make(E_DATA_CORRUPTED, corrupt_message);
    key = bytes_skip(key, index->prefix.size);
    for (uint32_t i = 0; i < decoder->key_needed; i++) {
        const struct row_key_column *column = &index->keys[i];
        struct datum value;
        TRY(row_key_decode(&key, column, arena, &value));
        if (decoder->key_slots[i] != ROW_SLOT_NONE) columns[decoder->key_slots[i]][at] = value;
    }

out:
    return st;
}

// A varint, of which nearly all have one byte.
static inline bool take_short(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    if (LIKELY(*at < end && **at < 0x80)) {
        *value = *(*at)++;
        return true;
    }
    struct bytes rest = bytes_of(*at, (size_t)(end - *at));
    bool taken = take_varint(&rest, value);
    *at = rest.data;
    return taken;
}

// The stored form of a value, where it is simple; else type_value_decode does it.
static inline struct status decode_stored(
    const uint8_t *at, size_t size, enum type_storage storage, type_oid type, struct datum *out)
{
    struct bytes in = {at, size};
    uint64_t bits = 0;
    const uint8_t *from = at;
    if (storage == TYPE_STORE_INT && LIKELY(size > 0 && size < 10 && at[size - 1] < 0x80)) {
        for (size_t i = 0; i < size; i++) bits |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        *out = datum_int((int64_t)(bits >> 1 ^ (~(bits & 1) + 1)));
        return STATUS_OK;
    }
    if (storage == TYPE_STORE_BYTES && take_short(&from, at + size, &bits) &&
        bits <= (uint64_t)(at + size - from)) {
        *out = datum_bytes(bytes_of(from, (size_t)bits));
        return STATUS_OK;
    }
    return type_value_decode(&in, type, out);
}

// How far the value columns of an entry have been read.
struct value_walk {
    const uint8_t *in, *end;
    uint32_t next; // Of the index's value columns.
};

static inline bool walk_begin(struct value_walk *walk, struct bytes value)
{
    *walk = (struct value_walk){value.data, value.data + value.size, 0};
    return value.size > 0 && *walk->in++ == ROW_VERSION;
}

// As long as every column is there, with a tag and a size of one byte each: nearly all rows, to the end.
static inline struct status walk_plain(const struct row_decoder *decoder, struct value_walk *walk,
    uint32_t last, struct datum *const *columns, uint32_t at)
{
    struct status st = STATUS_OK;
    const uint8_t *in = walk->in, *const end = walk->end;
    uint32_t next = walk->next;
    for (; next < last; next++) {
        const struct row_step step = decoder->steps[next];
        if (UNLIKELY(end - in < 2 || in[0] != step.tag || in[1] >= 0x80 || in[1] > end - in - 2))
            break;
        const uint8_t *from = in + 2;
        in = from + in[1];
        if (step.slot == ROW_SLOT_NONE) continue;
        TRY(decode_stored(from, (size_t)(in - from), (enum type_storage)step.storage,
            decoder->index->values[next].type, &columns[step.slot][at]));
    }
    walk->in = in;
    walk->next = next;

out:
    return st;
}

// Reads on until all value columns below `last` are known.
static struct status walk_until(const struct row_decoder *decoder, struct value_walk *walk,
    uint32_t last, struct datum *const *columns, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct row_value_column *values = decoder->index->values;
    const uint8_t *in = walk->in, *const end = walk->end;
    uint32_t next = walk->next;
    while (next < last && in < end) {
        const uint8_t *const from = in;
        uint64_t tag, size = 0;
        if (!take_short(&in, end, &tag) || ((tag & 1) == 0 && !take_short(&in, end, &size)) ||
            size > (uint64_t)(end - in))
            goto corrupt;
        uint64_t id = tag >> 1;
        for (; next < last && values[next].column_id < id; next++)
            if (decoder->value_slots[next] != ROW_SLOT_NONE)
                columns[decoder->value_slots[next]][at] = decoder->missing[next];
        if (next == last) { // Of a column that is not wanted yet.
            in = from;
            break;
        }
        if (next < last && values[next].column_id == id) {
            uint32_t slot = decoder->value_slots[next];
            if (slot != ROW_SLOT_NONE && (tag & 1) != 0) columns[slot][at] = DATUM_NULL;
            else if (slot != ROW_SLOT_NONE)
                TRY(decode_stored(in, (size_t)size, (enum type_storage)decoder->steps[next].storage,
                    values[next].type, &columns[slot][at]));
            next++;
        }
        in += size;
    }
    for (; next < last; next++)
        if (decoder->value_slots[next] != ROW_SLOT_NONE)
            columns[decoder->value_slots[next]][at] = decoder->missing[next];
    walk->in = in;
    walk->next = next;

out:
    return st;
corrupt:
    return status_make(E_DATA_CORRUPTED, corrupt_message);
}

static inline struct status walk_to(const struct row_decoder *decoder, struct value_walk *walk,
    uint32_t last, struct datum *const *columns, uint32_t at)
{
    struct status st = walk_plain(decoder, walk, last, columns, at);
    if (LIKELY(walk->next == last) || failed(st)) return st;
    return walk_until(decoder, walk, last, columns, at);
}

struct status row_decode(const struct row_decoder *decoder, struct bytes key, struct bytes value,
    struct arena *arena, struct datum *const *columns, uint32_t at)
{
    struct status st = STATUS_OK;
    if (decoder->key_needed > 0) TRY(decode_key_columns(decoder, key, arena, columns, at));
    if (decoder->value_needed > 0) {
        struct value_walk walk;
        if (!walk_begin(&walk, value)) return status_make(E_DATA_CORRUPTED, corrupt_message);
        TRY(walk_to(decoder, &walk, decoder->value_last, columns, at));
    }

out:
    return st;
}

bool row_conditions_add(const struct row_decoder *decoder, struct row_conditions *conditions,
    struct row_condition condition)
{
    bool known = false;
    for (uint32_t i = 0; i < decoder->index->key_count; i++)
        known |= decoder->key_slots[i] == condition.slot;
    for (uint32_t i = 0; i < decoder->index->value_count; i++) {
        if (decoder->value_slots[i] != condition.slot) continue;
        known = true;
        if (conditions->value_last < i + 1) conditions->value_last = i + 1;
    }
    if (known) conditions->items[conditions->count++] = condition;
    return known;
}

static inline bool conditions_hold(
    const struct row_conditions *conditions, struct datum *const *columns, uint32_t at)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        const struct row_condition *condition = &conditions->items[i];
        const struct datum *value = &columns[condition->slot][at];
        if (value->null) return false;
        if (condition->bytes ? !bytes_equal(datum_as_bytes(*value), condition->value)
                             : value->integer < condition->low || value->integer > condition->high)
            return false;
    }
    return true;
}

static inline struct status copy_out(const struct row_decoder *decoder, struct arena *arena,
    struct datum *const *columns, uint32_t at)
{
    for (uint32_t i = 0; i < decoder->copied_count; i++) {
        struct datum *datum = &columns[decoder->copied[i]][at];
        if (datum->null) continue;
        uint8_t *copy = datum->size > ARENA_UNCHECKED_BYTES ? arena_try_alloc(arena, datum->size)
                                                            : arena_alloc(arena, datum->size);
        if (copy == NULL)
            return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a large value");
        memcpy(copy, datum->data, datum->size);
        datum->data = copy;
    }
    return STATUS_OK;
}

struct status row_decode_kept(const struct row_decoder *decoder,
    const struct row_conditions *conditions, struct bytes key, struct bytes value,
    struct arena *arena, struct datum *const *columns, uint32_t at, bool *kept)
{
    struct status st = STATUS_OK;
    struct value_walk walk;
    *kept = true;
    if (decoder->key_needed > 0) TRY(decode_key_columns(decoder, key, arena, columns, at));
    if (decoder->value_needed > 0 && !walk_begin(&walk, value))
        return status_make(E_DATA_CORRUPTED, corrupt_message);
    if (conditions != NULL) {
        if (conditions->value_last > 0)
            TRY(walk_to(decoder, &walk, conditions->value_last, columns, at));
        *kept = conditions_hold(conditions, columns, at);
        if (!*kept) return STATUS_OK;
    }
    if (decoder->value_needed > 0)
        TRY(walk_to(decoder, &walk, decoder->value_last, columns, at));
    st = copy_out(decoder, arena, columns, at);

out:
    return st;
}

struct status row_decode_copy(const struct row_decoder *decoder, struct bytes key,
    struct bytes value, struct arena *arena, struct datum *const *columns, uint32_t at)
{
    bool kept;
    return row_decode_kept(decoder, NULL, key, value, arena, columns, at, &kept);
}
