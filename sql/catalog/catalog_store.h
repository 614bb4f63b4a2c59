// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalog from the side of those who change it: keys, reading for update, writing, and telling the shards.
// For sql/ddl/ddl*.c, bootstrap and schema changes; everyone else uses sql/catalog/catalog.h.
//
// Shard    The session's. Suspends, except where no task is taken.
// Memory   What is read for update is decoded into the arena given and may be edited there.
// Errors   As sql/catalog/catalog.h; 42P07 and its family for names that are taken.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/catalog/descriptor.h"

struct bytes catalog_name_key(struct arena *arena, uint64_t tenant, uint32_t database_id,
    uint32_t schema_id, const char *name);
struct bytes catalog_zone_key(struct arena *arena, uint64_t tenant);
struct bytes catalog_statistics_key(struct arena *arena, uint64_t tenant, uint32_t table_id);
struct bytes catalog_sequence_key(struct arena *arena, uint64_t tenant, uint32_t sequence_id);
// Where setval(s, v, false) leaves v: as long as the counter is one step before it, it has not been given out.
struct bytes catalog_sequence_start_key(struct arena *arena, uint64_t tenant, uint32_t sequence_id);
struct bytes catalog_comment_key(
    struct arena *arena, uint64_t tenant, uint32_t class_id, uint32_t object_id, uint32_t sub_id);

// Classes of comments, and the oids that clients see for what has no id of its own. The oid of an index can be
// taken apart again while table ids stay below 2^21.
enum catalog_comment_class {
    COMMENT_ON_RELATION = 1, // Sub-id: the column, or 0. Indexes by their oid.
    COMMENT_ON_DATABASE = 2,
    COMMENT_ON_SCHEMA = 3,
    COMMENT_ON_CONSTRAINT = 4,
    COMMENT_ON_ROLE = 5,
    COMMENT_ON_TYPE = 6,
    COMMENT_ON_FUNCTION = 7,
    COMMENT_ON_STATISTICS = 8,
    COMMENT_ON_EXTENSION = 9, // Sub-id: the database.
};
// Kept instead of a text where taking a comment away must hide the one that the object comes with.
#define COMMENT_TAKEN_AWAY bytes_of("", 1)
static inline uint32_t catalog_index_oid(uint32_t table_id, uint32_t index_id)
{
    return 0x80000000u | (table_id & 0x1fffff) << 10 | (index_id & 0x3ff);
}
static inline uint32_t catalog_constraint_oid(uint32_t table_id, uint32_t constraint_id)
{
    return 0x40000000u | (table_id & 0x1fffff) << 9 | (constraint_id & 0x1ff);
}
static inline uint32_t catalog_default_oid(uint32_t table_id, uint32_t column_id)
{
    return 0x20000000u | ((table_id & 0x3ffff) << 11) | (column_id & 0x7ff);
}

// Numbers that are given out once in a tenant: shards take them from its counters in blocks, so that a schema
// change need not wait for one commit a number. What a shard has not used when it ends is lost.
enum catalog_counter { CATALOG_COUNTER_ID, CATALOG_COUNTER_VERSION, CATALOG_COUNTER_COUNT };
CHECKED struct status catalog_next_number(
    struct task *task, uint64_t tenant, enum catalog_counter counter, int64_t *value);
// A fresh id for a database, schema or relation.
CHECKED struct status catalog_new_id(struct task *task, uint64_t tenant, uint32_t *id);

// --- reading for update: locks the key, so that schema changes of one object queue ---------------------

CHECKED struct status catalog_edit_table(struct task *task, struct session *session,
    struct arena *arena, uint32_t id, struct table_desc **table);
CHECKED struct status catalog_edit_database(struct task *task, struct session *session,
    struct arena *arena, uint32_t id, struct database_desc **database);
CHECKED struct status catalog_edit_schema(struct task *task, struct session *session,
    struct arena *arena, uint32_t id, struct schema_desc **schema);

// --- writing, in the session's transaction ---------------------------------------------------------------

// Gives the descriptor a new version number, unique in the tenant.
CHECKED struct status catalog_put_table(
    struct task *task, struct session *session, struct table_desc *table);
CHECKED struct status catalog_put_database(
    struct task *task, struct session *session, const struct database_desc *database);
CHECKED struct status catalog_put_schema(
    struct task *task, struct session *session, const struct schema_desc *schema);
CHECKED struct status catalog_delete_descriptor(
    struct task *task, struct session *session, uint32_t id);
// *existing has id 0 when the name was free and is now `value`'s.
CHECKED struct status catalog_take_name(struct task *task, struct session *session,
    uint32_t database_id, uint32_t schema_id, const char *name, struct name_value value,
    struct name_value *existing);
CHECKED struct status catalog_free_name(struct task *task, struct session *session,
    uint32_t database_id, uint32_t schema_id, const char *name);
// As the transaction sees it; id 0 when it is free. Enters the read set.
CHECKED struct status catalog_peek_name(struct task *task, struct session *session,
    uint32_t database_id, uint32_t schema_id, const char *name, struct name_value *value);

// This transaction has changed the catalog: its lookups read its own writes from now on.
void catalog_view_changed(struct catalog_view *view);
bool catalog_view_is_changed(const struct catalog_view *view);

// Around the commit of a transaction that changed the catalog. Between the two, lookups of the tenant read
// storage on every shard, and the commit is to be within `bounds` (kv_txn_commit_within): no transaction that relied on what
// is changed commits there. `end` cannot fail: it is delivered even to a cancelled or draining task.
struct catalog_change_bounds {
    struct hlc_timestamp after, until;
};
CHECKED struct status catalog_announce_begin(
    struct task *task, uint64_t tenant, uint64_t *id, struct catalog_change_bounds *bounds);
void catalog_announce_end(struct task *task, uint64_t tenant, uint64_t id);

// What the shard knows of user-defined types; NULL without a catalog.
struct user_types *catalog_user_types(struct shard *shard);
void catalog_types_register(void);
// What sql/user/role.c keeps on this shard, by tenant.
struct hashmap *catalog_role_caches(struct shard *shard);
// What sql/service/jobs.c keeps on this shard; NULL at first.
void **catalog_jobs_slot(struct shard *shard);

// --- virtual tables: sql/catalog/catalog_virtual.c -----------------------------------------------------------------

const struct table_desc *catalog_virtual_table(const char *schema, const char *name); // NULL: none.
const struct table_desc *catalog_virtual_table_by_id(uint32_t id);
const struct table_desc *catalog_virtual_table_at(uint32_t index); // NULL past the end.
const struct schema_desc *catalog_virtual_schema(const char *name);
const struct schema_desc *catalog_virtual_schema_at(uint32_t index); // NULL past the end.
