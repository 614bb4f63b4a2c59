// SPDX-License-Identifier: GPL-3.0-or-later
//
// The keys of the catalog and of tables' rows.
#include "kv/key.h"
#include "sql/catalog/catalog_store.h"

void catalog_append_index_prefix(
    struct buffer *key, uint64_t tenant, uint32_t table_id, uint32_t index_id)
{
    key_append_tenant_prefix(key, tenant);
    key_append_uvarint(key, table_id);
    key_append_uvarint(key, index_id);
}

struct span catalog_index_span(
    struct arena *arena, uint64_t tenant, uint32_t table_id, uint32_t index_id)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, table_id, index_id);
    struct bytes start = buffer_bytes(&key);
    return (struct span){start, key_prefix_end(arena, start)};
}

struct span catalog_relation_span(struct arena *arena, uint64_t tenant, uint32_t table_id)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, tenant);
    key_append_uvarint(&key, table_id);
    struct bytes start = buffer_bytes(&key);
    return (struct span){start, key_prefix_end(arena, start)};
}

static struct bytes id_key(struct arena *arena, uint64_t tenant, uint32_t relation, uint32_t id)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, relation, 1);
    key_append_uvarint(&key, id);
    return buffer_bytes(&key);
}

struct bytes catalog_descriptor_key(struct arena *arena, uint64_t tenant, uint32_t id)
{
    return id_key(arena, tenant, CATALOG_DESCRIPTORS, id);
}

struct bytes catalog_zone_key(struct arena *arena, uint64_t tenant)
{
    return id_key(arena, tenant, CATALOG_ZONE, 0);
}

struct bytes catalog_statistics_key(struct arena *arena, uint64_t tenant, uint32_t table_id)
{
    return id_key(arena, tenant, CATALOG_STATISTICS, table_id);
}

struct bytes catalog_sequence_key(struct arena *arena, uint64_t tenant, uint32_t sequence_id)
{
    return id_key(arena, tenant, CATALOG_SEQUENCES, sequence_id);
}

struct bytes catalog_sequence_start_key(struct arena *arena, uint64_t tenant, uint32_t sequence_id)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, CATALOG_SEQUENCES, 2);
    key_append_uvarint(&key, sequence_id);
    return buffer_bytes(&key);
}

struct bytes catalog_name_key(struct arena *arena, uint64_t tenant, uint32_t database_id,
    uint32_t schema_id, const char *name)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, CATALOG_NAMES, 1);
    key_append_uvarint(&key, database_id);
    key_append_uvarint(&key, schema_id);
    key_append_bytes(&key, bytes_of_string(name), KEY_ASCENDING);
    return buffer_bytes(&key);
}

struct bytes catalog_comment_key(
    struct arena *arena, uint64_t tenant, uint32_t class_id, uint32_t object_id, uint32_t sub_id)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, CATALOG_COMMENTS, 1);
    key_append_uvarint(&key, class_id);
    key_append_uvarint(&key, object_id);
    key_append_uvarint(&key, sub_id);
    return buffer_bytes(&key);
}
