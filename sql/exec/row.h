// SPDX-License-Identifier: GPL-3.0-or-later
//
// How rows lie in the key space: one key-value pair per index of the table and row.
//
//   key      tenant prefix, uvarint(table id), uvarint(index id), key columns
//   primary  key columns: the primary key's. Value: every other column.
//   others   key columns: the index's, then those of the primary key that it lacks (the suffix). A
//            unique index leaves the suffix out of the key while none of its own columns is NULL, so that
//            equal rows collide; its value always has the suffix. Value: stored columns, suffix if unique.
//   inverted key columns: a part of a value (sql/type/inverted.h), then the primary key's; one pair for each part.
//   value    version byte, then per column, by ascending id: varint(id * 2 + is NULL), varint(size), the
//            type's stored form. Key columns whose key form is not exact (numeric) are in it again.
//            A NULL is left out unless the column has a `missing` value. Columns that no longer exist
//            are skipped; columns that the row is older than have their `missing` value.
//
// A row is an array of row_width(table) datums: one for each of table->columns, in their order, public or
// not, then one for each expression column of the table's indexes, in the order of the indexes. Whoever
// writes fills the latter in. Whether a row belongs to a partial index is the writer's business too.
//
// Shard    Pure; a struct row_index is read-only once made.
// Memory   Built in the arena given; table and index must outlive it.
// Errors   XX001 bytes that are not a row of ours; 54000 a key longer than KEY_BYTES_MAX.
#pragma once
#include "core/arena.h"
#include "sql/catalog/catalog.h"

#define ROW_VERSION 1u

struct row_key_column {
    uint32_t ordinal; // In the row.
    type_oid type;
    enum key_order order;
    bool nulls_reversed; // NULLs are at the other end than the order says.
};
// One column's part of a key.
CHECKED struct status row_key_encode(
    struct buffer *key, const struct row_key_column *column, struct datum value);
CHECKED struct status row_key_decode(struct bytes *key, const struct row_key_column *column,
    struct arena *arena, struct datum *value);
static inline bool row_key_nulls_first(const struct row_key_column *column)
{
    return (column->order == KEY_DESCENDING) != column->nulls_reversed;
}
// What an inverted index has parts of (sql/type/inverted.h).
struct row_inverted_column {
    uint32_t ordinal;
    type_oid type;
    uint32_t operator_class; // enum inverted_class
};
struct row_value_column {
    uint32_t ordinal;
    uint32_t column_id;
    type_oid type;
    bool has_missing;
};

// Whether its entries hang on functions that users have made, which may say something else one day than when a row was
// written: what is to go is then looked at first, so that no entry outlives its row (sql/exec/writer.c).
bool row_index_is_uncertain(const struct index_desc *index);

// What is needed to write and read the entries of one index.
struct row_index {
    const struct table_desc *table;
    const struct index_desc *index;
    struct bytes prefix;         // All keys of the index start with it.
    struct row_key_column *keys; // The index's columns, then the suffix.
    uint32_t column_count;       // Of keys: the index's own.
    uint32_t key_count;
    struct row_value_column *values; // By ascending column id.
    uint32_t value_count;
    bool unique;                 // And not primary: the suffix is in the value.
    // Of an inverted index, else NULL. Its keys are the suffix alone; between the prefix and them a key has a part.
    struct row_inverted_column *inverted;
    uint32_t inverted_count;
};
CHECKED struct status row_index_init(struct arena *arena, uint64_t tenant,
    const struct table_desc *table, const struct index_desc *index, struct row_index *out);

// Datums in a row of the table: columns, then expression columns of indexes.
uint32_t row_width(const struct table_desc *table);
// Where index column `column` of `index` stands in a row.
uint32_t row_ordinal(
    const struct table_desc *table, const struct index_desc *index, uint32_t column);

void row_append_prefix(
    struct buffer *key, uint64_t tenant, uint32_t table_id, uint32_t index_id);
// Everything of one index; of the whole table with row_table_span.
struct span row_index_span(
    struct arena *arena, uint64_t tenant, uint32_t table_id, uint32_t index_id);
struct span row_table_span(struct arena *arena, uint64_t tenant, uint32_t table_id);

// Appends the row's key. Suspends not. *has_null (may be NULL): one of the index's own columns is NULL, so that
// no other entry is equal; never where NULLs are not distinct.
CHECKED struct status row_key(
    const struct row_index *index, const struct datum *row, struct buffer *key, bool *has_null);
// What all rows with the same values in the index's own columns have in common.
CHECKED struct status row_key_own(
    const struct row_index *index, const struct datum *row, struct buffer *key);
// May suspend when there is much; cut short when the task is cancelled (core/work.h).
void row_value(const struct row_index *index, const struct datum *row, struct buffer *value);
// All keys that a row has in an inverted index, in order, in `arena`.
CHECKED struct status row_inverted_keys(const struct row_index *index, const struct datum *row,
    struct arena *arena, struct bytes **keys, uint32_t *count);
// Both, in `arena`.
CHECKED struct status row_entry(const struct row_index *index, const struct datum *row,
    struct arena *arena, struct bytes *key, struct bytes *value);

// What is expected at a value column's turn, and what becomes of it.
struct row_step {
    uint16_t tag; // Its first byte while it is not NULL; ROW_TAG_LONG: it has more than one.
    uint8_t storage; // enum type_storage
    uint32_t slot;
};
#define ROW_TAG_LONG 0x100u

// Reads some of the columns of an index's entries.
struct row_decoder {
    const struct row_index *index;
    uint32_t *key_slots;   // Per key column: where it goes, or ROW_SLOT_NONE.
    uint32_t key_needed;   // Key columns to walk over: up to the last needed one.
    uint32_t *value_slots; // Per value column.
    uint32_t value_needed; // Value columns wanted.
    uint32_t value_last;   // Value columns to look at: up to the last wanted one.
    uint32_t slot_count;
    struct datum *missing; // Per value column: what it has when it is not there.
    struct row_step *steps; // Per value column.
    uint32_t *copied;      // Slots of values whose datums point into the entry's value.
    uint32_t copied_count;
};
#define ROW_SLOT_NONE UINT32_MAX
// ordinals[slot]: what is wanted, no two equal; each must be in the index (row_index_has).
CHECKED struct status row_decoder_init(struct arena *arena, const struct row_index *index,
    const uint32_t *ordinals, uint32_t count, struct row_decoder *out);
bool row_index_has(const struct row_index *index, uint32_t ordinal);
// columns[slot][at] = value. Bytes point into `value`, or lie in `arena` when they come from the key.
CHECKED struct status row_decode(const struct row_decoder *decoder, struct bytes key,
    struct bytes value, struct arena *arena, struct datum *const *columns, uint32_t at);
// What a row must meet to be decoded at all: none of it holds for NULL.
struct row_condition {
    uint32_t slot;        // Of the decoder.
    bool bytes;           // The value is `value`; else it is an integer in [low, high].
    int64_t low, high;
    struct bytes value;
};
struct row_conditions {
    struct row_condition *items;
    uint32_t count;
    uint32_t value_last; // Value columns to look at before they can be tried; 0: their columns are in the key.
};
// Whether the decoder has the condition's slot; takes it into `conditions` then, which has room.
bool row_conditions_add(const struct row_decoder *decoder, struct row_conditions *conditions,
    struct row_condition condition);
// The same for an entry that will be gone: nothing points into it. `conditions` may be NULL; *kept false: they do not
// hold, and what is in the columns at `at` has no meaning.
CHECKED struct status row_decode_kept(const struct row_decoder *decoder,
    const struct row_conditions *conditions, struct bytes key, struct bytes value,
    struct arena *arena, struct datum *const *columns, uint32_t at, bool *kept);
// The same without conditions.
CHECKED struct status row_decode_copy(const struct row_decoder *decoder, struct bytes key,
    struct bytes value, struct arena *arena, struct datum *const *columns, uint32_t at);
