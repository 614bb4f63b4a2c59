// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/catalog_store.h"

#include "core/invariant.h"
#include "core/linger.h"
#include "kv/key.h"
#include "sql/session/session.h"
#include "sql/plan/statistics.h"

struct status catalog_new_id(struct task *task, uint64_t tenant, uint32_t *id)
{
    struct status st = STATUS_OK;
    int64_t value;

    TRY(catalog_next_number(task, tenant, CATALOG_COUNTER_ID, &value));
    if (value < CATALOG_FIRST_ID || value >= CATALOG_VIRTUAL_ID_FIRST) {
        st =
            status_make(E_PROGRAM_LIMIT_EXCEEDED, "object ids of this virtual cluster are used up");
        goto out;
    }
    *id = (uint32_t)value;
out:
    return st;
}

// Version numbers come from a counter of their own, never from the former version: a plan made inside a
// transaction that is rolled back must not look current to a later change.
static struct status new_version(struct task *task, uint64_t tenant, uint32_t *version)
{
    int64_t value = 0;
    struct status st = catalog_next_number(task, tenant, CATALOG_COUNTER_VERSION, &value);
    *version = (uint32_t)value;
    return st;
}

// --- reading for update --------------------------------------------------------------------------

static struct status read_for_update(
    struct task *task, struct session *session, uint32_t id, struct bytes *value)
{
    struct kv_read read = {.lock = KV_LOCK_UPDATE};
    return kv_get(task, session->txn, &read,
        catalog_descriptor_key(task->arena, session->tenant, id), task->arena, value);
}

struct status catalog_edit_table(struct task *task, struct session *session, struct arena *arena,
    uint32_t id, struct table_desc **table)
{
    struct status st = STATUS_OK;
    struct bytes value;

    if (id >= CATALOG_VIRTUAL_ID_FIRST)
        return status_make(E_INSUFFICIENT_PRIVILEGE, "permission denied: it is a system catalog");
    TRY(read_for_update(task, session, id, &value));
    if (value.data == NULL) {
        st = status_format(
            task->arena, E_UNDEFINED_TABLE, "relation with OID %u does not exist", id);
        goto out;
    }
    *table = ARENA_NEW(arena, struct table_desc);
    TRY(descriptor_decode_table(arena, value, *table));
out:
    return st;
}

struct status catalog_edit_database(struct task *task, struct session *session, struct arena *arena,
    uint32_t id, struct database_desc **database)
{
    struct status st = STATUS_OK;
    struct bytes value;

    TRY(read_for_update(task, session, id, &value));
    if (value.data == NULL) return status_make(E_INVALID_CATALOG_NAME, "database does not exist");
    *database = ARENA_NEW(arena, struct database_desc);
    TRY(descriptor_decode_database(arena, value, *database));
out:
    return st;
}

struct status catalog_edit_schema(struct task *task, struct session *session, struct arena *arena,
    uint32_t id, struct schema_desc **schema)
{
    struct status st = STATUS_OK;
    struct bytes value;

    TRY(read_for_update(task, session, id, &value));
    if (value.data == NULL) return status_make(E_INVALID_SCHEMA_NAME, "schema does not exist");
    *schema = ARENA_NEW(arena, struct schema_desc);
    TRY(descriptor_decode_schema(arena, value, *schema));
out:
    return st;
}

// --- writing -------------------------------------------------------------------------------------

static struct status put(
    struct task *task, struct session *session, uint32_t id, struct bytes value)
{
    struct bytes key = catalog_descriptor_key(task->arena, session->tenant, id);
    struct status st = kv_put(task, session->txn, key, value);
    if (!failed(st)) catalog_view_changed(session->catalog);
    return st;
}

struct status catalog_put_table(
    struct task *task, struct session *session, struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    struct buffer value;

    TRY(new_version(task, session->tenant, &table->version));
    buffer_init(&value, task->arena);
    descriptor_encode_table(&value, table);
    TRY(put(task, session, table->id, buffer_bytes(&value)));
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status catalog_put_database(
    struct task *task, struct session *session, const struct database_desc *database)
{
    struct buffer value;
    buffer_init(&value, task->arena);
    descriptor_encode_database(&value, database);
    return put(task, session, database->id, buffer_bytes(&value));
}

struct status catalog_put_schema(
    struct task *task, struct session *session, const struct schema_desc *schema)
{
    struct buffer value;
    buffer_init(&value, task->arena);
    descriptor_encode_schema(&value, schema);
    return put(task, session, schema->id, buffer_bytes(&value));
}

struct status catalog_delete_descriptor(struct task *task, struct session *session, uint32_t id)
{
    struct status st =
        kv_delete(task, session->txn, catalog_descriptor_key(task->arena, session->tenant, id));
    if (!failed(st)) catalog_view_changed(session->catalog);
    return st;
}

struct status catalog_take_name(struct task *task, struct session *session, uint32_t database_id,
    uint32_t schema_id, const char *name, struct name_value value, struct name_value *existing)
{
    struct status st = STATUS_OK;
    struct kv_read read = {.lock = KV_LOCK_UPDATE};
    struct bytes key = catalog_name_key(task->arena, session->tenant, database_id, schema_id, name);
    struct bytes former;
    struct buffer encoded;

    *existing = (struct name_value){0};
    TRY(kv_get(task, session->txn, &read, key, task->arena, &former));
    if (former.data != NULL) {
        st = name_value_decode(former, existing);
        goto out;
    }
    buffer_init(&encoded, task->arena);
    name_value_encode(&encoded, value);
    TRY(kv_put(task, session->txn, key, buffer_bytes(&encoded)));
    catalog_view_changed(session->catalog);
out:
    return st;
}

struct status catalog_free_name(struct task *task, struct session *session, uint32_t database_id,
    uint32_t schema_id, const char *name)
{
    struct status st = kv_delete(task, session->txn,
        catalog_name_key(task->arena, session->tenant, database_id, schema_id, name));
    if (!failed(st)) catalog_view_changed(session->catalog);
    return st;
}

struct status catalog_peek_name(struct task *task, struct session *session, uint32_t database_id,
    uint32_t schema_id, const char *name, struct name_value *value)
{
    struct status st = STATUS_OK;
    struct bytes found;

    *value = (struct name_value){0};
    TRY(kv_get(task, session->txn, NULL,
        catalog_name_key(task->arena, session->tenant, database_id, schema_id, name), task->arena,
        &found));
    if (found.data != NULL) st = name_value_decode(found, value);
out:
    return st;
}

// --- waiting ---------------------------------------------------------------------------------------------

#define WRITABLE_PAUSE_MIN_NS 2000000ull
#define WRITABLE_PAUSE_MAX_NS 100000000ull

struct status catalog_wait_writable(
    struct task *task, struct session *session, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    bool blocked = true;

    if (!linger_begin(task)) return linger_refused();
    for (uint64_t pause = WRITABLE_PAUSE_MIN_NS; blocked;) {
        struct arena arena;
        struct bytes value;
        struct table_desc now = {0};
        TRY(task_sleep(task, pause));
        arena_init(&arena, NULL);
        st = kv_read_now(task, session->tenant,
            catalog_descriptor_key(&arena, session->tenant, table->id), &arena, &value);
        if (!failed(st) && value.data != NULL) st = descriptor_decode_table(&arena, value, &now);
        blocked = now.writes_blocked;
        if (failed(st)) st = status_copy(task->arena, st);
        arena_fini(&arena);
        TRY(st);
        pause = pause * 2 > WRITABLE_PAUSE_MAX_NS ? WRITABLE_PAUSE_MAX_NS : pause * 2;
    }
    st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "restart transaction: the table was rewritten by a schema change");
out:
    linger_end(task);
    return st;
}

// --- lists ---------------------------------------------------------------------------------------

struct found {
    void **items;
    uint32_t count, capacity;
};

static void found_add(struct arena *arena, struct found *found, void *item)
{
    if (found->count == found->capacity) {
        uint32_t capacity = found->capacity == 0 ? 32 : found->capacity * 2;
        void **items = ARENA_ARRAY(arena, void *, capacity);
        if (found->count > 0) memcpy(items, found->items, found->count * sizeof *items);
        found->items = items;
        found->capacity = capacity;
    }
    found->items[found->count++] = item;
}

static struct status decode_found(struct arena *arena, struct bytes value,
    enum descriptor_kind kind, struct hlc_timestamp snapshot, void **item)
{
    struct status st = STATUS_OK;
    switch (kind) {
    case DESCRIPTOR_TABLE: {
        struct table_desc *table = ARENA_NEW(arena, struct table_desc);
        TRY(descriptor_decode_table(arena, value, table));
        table->modified = snapshot;
        *item = table;
        break;
    }
    case DESCRIPTOR_DATABASE:
        *item = arena_alloc_zero(arena, sizeof(struct database_desc));
        TRY(descriptor_decode_database(arena, value, *item));
        break;
    case DESCRIPTOR_SCHEMA:
        *item = arena_alloc_zero(arena, sizeof(struct schema_desc));
        TRY(descriptor_decode_schema(arena, value, *item));
        break;
    }
out:
    return st;
}

static struct status list(struct task *task, struct session *session, struct arena *arena,
    enum descriptor_kind kind, struct found *found)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch batch;

    *found = (struct found){0};
    kv_scan_init(&scan, catalog_index_span(arena, session->tenant, CATALOG_DESCRIPTORS, 1));
    scan.read.no_validate = session->shows_catalog;
    for (;;) {
        TRY(kv_scan_next(task, session->txn, &scan, arena, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            void *item = NULL;
            if (descriptor_kind_of(batch.pairs[i].value) != kind) continue;
            TRY(decode_found(
                arena, batch.pairs[i].value, kind, kv_txn_read_ts(session->txn), &item));
            found_add(arena, found, item);
        }
        TRY(arena_check(arena));
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

static struct table_desc *table_with_id(const struct found *found, uint64_t id)
{
    uint32_t low = 0, high = found->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct table_desc *table = found->items[middle];
        if (table->id == id) return table;
        if (table->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct status add_statistics(
    struct task *task, struct session *session, struct arena *arena, const struct found *found)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch batch;
    struct span span = catalog_index_span(arena, session->tenant, CATALOG_STATISTICS, 1);

    kv_scan_init(&scan, span);
    scan.read.no_validate = true;
    for (;;) {
        TRY(kv_scan_next(task, session->txn, &scan, arena, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            struct bytes key = bytes_skip(batch.pairs[i].key, span.start.size);
            struct table_statistics statistics;
            uint64_t id;
            TRY(key_decode_uvarint(&key, &id));
            struct table_desc *table = table_with_id(found, id);
            if (table == NULL) continue;
            TRY(statistics_decode(arena, batch.pairs[i].value, &statistics));
            statistics_apply(arena, &statistics, table);
        }
    }
out:
    return st;
}

struct status catalog_list_databases(struct task *task, struct session *session,
    struct arena *arena, const struct database_desc ***databases, uint32_t *count)
{
    struct found found;
    struct status st = list(task, session, arena, DESCRIPTOR_DATABASE, &found);
    *databases = (const struct database_desc **)found.items;
    *count = found.count;
    return st;
}

struct status catalog_list_schemas(struct task *task, struct session *session, struct arena *arena,
    uint32_t database_id, const struct schema_desc ***schemas, uint32_t *count)
{
    struct found found;
    struct status st = list(task, session, arena, DESCRIPTOR_SCHEMA, &found);
    *schemas = (const struct schema_desc **)found.items;
    *count = 0;
    for (uint32_t i = 0; i < found.count; i++) {
        const struct schema_desc *schema = found.items[i];
        if (database_id == 0 || schema->database_id == database_id) (*schemas)[(*count)++] = schema;
    }
    return st;
}

struct status catalog_list_types(struct task *task, struct session *session, struct arena *arena,
    uint32_t database_id, const struct table_desc ***types, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct found found;

    *types = NULL;
    *count = 0;
    TRY(list(task, session, arena, DESCRIPTOR_TABLE, &found));
    *types = (const struct table_desc **)found.items;
    for (uint32_t i = 0; i < found.count; i++) {
        const struct table_desc *type = found.items[i];
        if (relation_is_type(type->kind) && (database_id == 0 || type->database_id == database_id))
            (*types)[(*count)++] = type;
    }
out:
    return st;
}

// The ids are copied first: loading what they name may drop the database's descriptor.
static struct status list_of_ids(struct task *task, struct session *session, struct arena *arena,
    const uint32_t *source, uint32_t wanted, const struct table_desc ***items, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint32_t *ids = ARENA_ARRAY(arena, uint32_t, wanted + 1);
    if (wanted > 0) memcpy(ids, source, wanted * sizeof *ids);
    *items = ARENA_ARRAY(arena, const struct table_desc *, wanted + 1);
    for (uint32_t i = 0; i < wanted; i++) {
        TRY(catalog_table_by_id(task, session, ids[i], &(*items)[i]));
        ++*count;
    }
out:
    return st;
}

struct status catalog_list_functions(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***functions,
    uint32_t *count)
{
    struct status st;
    const struct database_desc *database;
    *functions = NULL;
    *count = 0;
    TRY(catalog_database_by_id(task, session, database_id, &database));
    TRY(list_of_ids(task, session, arena, database->functions, database->function_count, functions,
        count));
out:
    return st;
}

struct status catalog_list_collations(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***collations,
    uint32_t *count)
{
    struct status st;
    const struct database_desc *database;
    *collations = NULL;
    *count = 0;
    TRY(catalog_database_by_id(task, session, database_id, &database));
    TRY(list_of_ids(task, session, arena, database->collations, database->collation_count,
        collations, count));
out:
    return st;
}

struct status catalog_list_objects(struct task *task, struct session *session, struct arena *arena,
    uint32_t database_id, const struct table_desc ***objects, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct found found;

    *objects = NULL;
    *count = 0;
    TRY(list(task, session, arena, DESCRIPTOR_TABLE, &found));
    *objects = (const struct table_desc **)found.items;
    for (uint32_t i = 0; i < found.count; i++) {
        const struct table_desc *object = found.items[i];
        if (database_id == 0 || object->database_id == database_id) (*objects)[(*count)++] = object;
    }
out:
    return st;
}

struct status catalog_list_tables(struct task *task, struct session *session, struct arena *arena,
    uint32_t database_id, const struct table_desc ***tables, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct found found;

    *tables = NULL;
    *count = 0;
    TRY(list(task, session, arena, DESCRIPTOR_TABLE, &found));
    TRY(add_statistics(task, session, arena, &found));
    *tables = (const struct table_desc **)found.items;
    for (uint32_t i = 0; i < found.count; i++) {
        const struct table_desc *table = found.items[i];
        if (!relation_is_type(table->kind) && table->kind != RELATION_FUNCTION &&
            table->kind != RELATION_COLLATION &&
            (database_id == 0 || table->database_id == database_id))
            (*tables)[(*count)++] = table;
    }
out:
    return st;
}
