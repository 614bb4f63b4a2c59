// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stored form of descriptors: tagged fields behind a kind and a format version. A reader skips tags that
// it does not know, and a field that is absent is zero, so that either side may be newer.
//
//   descriptor  kind ('D' database, 'S' schema, 'T' table), format, record
//   record      fields: tag, size, bytes; a list is one field of (size, bytes) items
//   numbers     ordered uvarints (kv/key.h); signed ones as 8 bytes big-endian
//
// Shard    Pure.
// Memory   Decoded descriptors and their texts live in the arena given; nothing points into `bytes`.
// Errors   XX001 for bytes that are no descriptor: every size, count, enum and reference is checked.
#pragma once
#include "core/arena.h"
#include "sql/catalog/catalog.h"

// PostgreSQL's limits, checked by DDL and by decoding.
#define TABLE_COLUMNS_MAX 1600u
#define INDEX_COLUMNS_MAX 32u
#define TABLE_INDEXES_MAX 1024u

void descriptor_encode_table(struct buffer *out, const struct table_desc *table);
void descriptor_encode_database(struct buffer *out, const struct database_desc *database);
void descriptor_encode_schema(struct buffer *out, const struct schema_desc *schema);

enum descriptor_kind { DESCRIPTOR_DATABASE = 'D', DESCRIPTOR_SCHEMA = 'S', DESCRIPTOR_TABLE = 'T' };
// 0 when it is none.
enum descriptor_kind descriptor_kind_of(struct bytes bytes);
CHECKED struct status descriptor_decode_table(
    struct arena *arena, struct bytes bytes, struct table_desc *table);
CHECKED struct status descriptor_decode_database(
    struct arena *arena, struct bytes bytes, struct database_desc *database);
CHECKED struct status descriptor_decode_schema(
    struct arena *arena, struct bytes bytes, struct schema_desc *schema);

// The value of a name key: what kind of thing has the name, and its ids.
enum name_kind { NAME_DATABASE = 'd', NAME_SCHEMA = 's', NAME_RELATION = 'r', NAME_INDEX = 'i',
    NAME_STATISTICS = 't' };
struct name_value {
    enum name_kind kind;
    uint32_t id;       // Of an index or statistics object: of its table.
    uint32_t index_id; // NAME_INDEX, NAME_STATISTICS.
};
void name_value_encode(struct buffer *out, struct name_value value);
CHECKED struct status name_value_decode(struct bytes bytes, struct name_value *value);
