// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/large_object.h"

#include <stdlib.h>
#include <string.h>

#include "kv/key.h"
#include "sql/catalog/descriptor.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/session/vars.h"
#include "sql/user/privilege.h"

#define PAGE LARGE_OBJECT_PAGE_BYTES
#define PAGES_A_SCAN 64u
#define ZEROES_A_TURN ((size_t)1 << 18)
#define RECORDS_A_SCAN 256u
enum { INDEX_OBJECTS = 1, INDEX_PAGES = 2, INDEX_LAST_OID = 3 };

// --- keys ------------------------------------------------------------------------------------------------

static struct bytes object_key(struct arena *arena, uint64_t tenant, uint32_t index, uint32_t database, uint32_t oid)
{
    struct buffer key;
    buffer_init(&key, arena);
    catalog_append_index_prefix(&key, tenant, LARGE_OBJECTS, index);
    key_append_uvarint(&key, database);
    key_append_uvarint(&key, oid);
    return buffer_bytes(&key);
}

static struct bytes page_key(
    struct arena *arena, uint64_t tenant, const struct large_object *object, uint32_t page)
{
    struct buffer key;
    buffer_init(&key, arena);
    buffer_append_bytes(&key, object_key(arena, tenant, INDEX_PAGES, object->database_id, object->oid));
    key_append_uvarint(&key, page);
    return buffer_bytes(&key);
}

// Pages from `first` to the end.
static struct span pages_from(
    struct arena *arena, uint64_t tenant, const struct large_object *object, uint32_t first)
{
    struct bytes all = object_key(arena, tenant, INDEX_PAGES, object->database_id, object->oid);
    return (struct span){page_key(arena, tenant, object, first), key_prefix_end(arena, all)};
}

static struct status corrupt(void)
{
    return status_make(E_DATA_CORRUPTED, "a large object's page does not decode");
}

// The number of the page, after checking what lies under it.
static struct status decode_page(const struct kv_pair *pair, uint32_t *page)
{
    struct bytes key = pair->key;
    uint64_t parts[5]; // After the tenant: relation, index, database, oid, page.
    uint64_t tenant;
    struct status st = key_decode_tenant_prefix(&key, &tenant);
    for (uint32_t i = 0; i < 5 && !failed(st); i++) st = key_decode_uvarint(&key, &parts[i]);
    if (failed(st)) return st;
    if (key.size != 0 || parts[4] > INT32_MAX || pair->value.size > PAGE) return corrupt();
    *page = (uint32_t)parts[4];
    return STATUS_OK;
}

// --- records ---------------------------------------------------------------------------------------------
// What has an owner and privileges, and no more: kept as a schema's record is.

static struct status decode_object(struct arena *arena, struct bytes value, struct large_object *object)
{
    struct schema_desc record = {0};
    struct status st = descriptor_decode_schema(arena, value, &record);
    if (failed(st)) return st;
    *object = (struct large_object){.database_id = record.database_id,
        .oid = record.id,
        .owner = record.owner,
        .grants = record.grants,
        .grant_count = record.grant_count};
    return st;
}

static struct bytes encode_object(struct arena *arena, const struct large_object *object)
{
    struct buffer out;
    const struct schema_desc record = {.id = object->oid,
        .database_id = object->database_id,
        .name = arena_printf(arena, "%u", object->oid),
        .owner = object->owner,
        .grants = object->grants,
        .grant_count = object->grant_count};
    buffer_init(&out, arena);
    descriptor_encode_schema(&out, &record);
    return buffer_bytes(&out);
}

static struct status current_database(struct task *task, struct session *session, uint32_t *id)
{
    const struct database_desc *database;
    struct status st = catalog_database(task, session, NULL, false, &database);
    if (!failed(st)) *id = database->id;
    return st;
}

struct status large_object_find(struct task *task, struct session *session, struct arena *arena,
    uint32_t oid, const struct kv_read *read, struct large_object *object)
{
    struct status st = STATUS_OK;
    struct bytes value;
    uint32_t database;
    TRY(current_database(task, session, &database));
    TRY(kv_get(task, session->txn, read,
        object_key(arena, session->tenant, INDEX_OBJECTS, database, oid), arena, &value));
    if (value.data == NULL)
        return status_format(task->arena, E_UNDEFINED_OBJECT, "large object %u does not exist", oid);
    TRY(decode_object(arena, value, object));
out:
    return st;
}

struct status large_object_put(
    struct task *task, struct session *session, const struct large_object *object)
{
    return kv_put(task, session->txn,
        object_key(task->arena, session->tenant, INDEX_OBJECTS, object->database_id, object->oid),
        encode_object(task->arena, object));
}

// --- privileges ------------------------------------------------------------------------------------------

struct status large_object_check(
    struct task *task, struct session *session, const struct large_object *object, uint32_t bits)
{
    bool has;
    if (session->internal || session->superuser || vars_bool(session, "lo_compat_privileges")) return STATUS_OK;
    struct status st = privilege_role_has(
        task, session, session->user, object->owner, object->grants, object->grant_count, bits, &has);
    if (failed(st) || has) return st;
    return status_format(
        task->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied for large object %u", object->oid);
}

struct status large_object_check_owner(
    struct task *task, struct session *session, const struct large_object *object)
{
    return privilege_check_owner(task, session, object->owner, OBJECT_LARGE_OBJECT,
        arena_printf(task->arena, "%u", object->oid));
}

// --- making and dropping ---------------------------------------------------------------------------------

// Numbers go round at the end of oids: one that is taken is passed over.
static struct status next_oid(struct task *task, struct session *session, uint32_t *oid)
{
    struct status st = STATUS_OK;
    struct buffer key;
    int64_t number;
    buffer_init(&key, task->arena);
    catalog_append_index_prefix(&key, session->tenant, LARGE_OBJECTS, INDEX_LAST_OID);
    TRY(kv_increment(task, session->tenant, buffer_bytes(&key), 0, 1, &number));
    *oid = PG_OID_BASE + (uint32_t)((uint64_t)number % (UINT32_MAX - PG_OID_BASE));
out:
    return st;
}

static struct status insert(
    struct task *task, struct session *session, const struct large_object *object, bool *taken)
{
    struct bytes existing;
    struct status st = kv_insert(task, session->txn,
        object_key(task->arena, session->tenant, INDEX_OBJECTS, object->database_id, object->oid),
        encode_object(task->arena, object), task->arena, &existing);
    *taken = existing.data != NULL;
    return st;
}

struct status large_object_create(
    struct task *task, struct session *session, uint32_t oid, uint32_t *created)
{
    struct status st = STATUS_OK;
    struct large_object object = {.oid = oid, .owner = session->user};
    bool taken = true;
    TRY(current_database(task, session, &object.database_id));
    for (bool any = oid == 0; any && taken;) {
        TRY(next_oid(task, session, &object.oid));
        TRY(insert(task, session, &object, &taken));
    }
    if (oid != 0) TRY(insert(task, session, &object, &taken));
    if (taken) {
        st = status_make(E_UNIQUE_VIOLATION,
            "duplicate key value violates unique constraint \"pg_largeobject_metadata_oid_index\"");
        st = status_detail(task->arena, st, "Key (oid)=(%u) already exists.", oid);
        return status_names(task->arena, st, "pg_catalog", "pg_largeobject_metadata", NULL,
            "pg_largeobject_metadata_oid_index");
    }
    *created = object.oid;
out:
    return st;
}

// --- pages -----------------------------------------------------------------------------------------------

// Up to PAGES_A_SCAN pages from `first` on and below `end`, in `arena`.
static struct status scan_pages(struct task *task, struct session *session, struct arena *arena,
    const struct large_object *object, uint64_t mark, uint32_t first, uint64_t end, struct kv_batch *batch)
{
    struct kv_scan scan;
    struct span span = pages_from(arena, session->tenant, object, first);
    if (end <= UINT32_MAX) span.end = page_key(arena, session->tenant, object, (uint32_t)end);
    kv_scan_init(&scan, span);
    scan.read.mark = mark;
    scan.limit = scan.batch_rows = PAGES_A_SCAN;
    return kv_scan_next(task, session->txn, &scan, arena, batch);
}

struct status large_object_pages(struct task *task, struct session *session,
    const struct large_object *object, struct status (*each)(void *arg, uint32_t page, struct bytes data),
    void *arg)
{
    struct status st = STATUS_OK;
    struct arena arena;
    uint32_t first = 0;
    arena_init(&arena, &session->account);
    for (;;) {
        struct kv_batch batch;
        arena_reset(&arena);
        TRY(scan_pages(task, session, &arena, object, 0, first, UINT64_MAX, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            TRY(decode_page(&batch.pairs[i], &first));
            TRY(each(arg, first++, batch.pairs[i].value));
        }
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status large_object_size(struct task *task, struct session *session,
    const struct large_object *object, uint64_t mark, int64_t *size)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct kv_scan scan;
    struct kv_batch batch;
    uint32_t page;
    arena_init(&arena, &session->account);
    kv_scan_init(&scan, pages_from(&arena, session->tenant, object, 0));
    scan.reverse = true;
    scan.limit = 1;
    scan.read.mark = mark;
    TRY(kv_scan_next(task, session->txn, &scan, &arena, &batch));
    *size = 0;
    if (batch.count == 0) goto out;
    TRY(decode_page(&batch.pairs[0], &page));
    *size = (int64_t)page * PAGE + (int64_t)batch.pairs[0].value.size;
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// A hole may be as long as what is asked for.
static struct status put_zeroes(struct task *task, uint8_t *data, size_t size)
{
    struct status st = STATUS_OK;
    while (size > 0) {
        const size_t part = size < ZEROES_A_TURN ? size : ZEROES_A_TURN;
        memset(data, 0, part);
        data += part;
        size -= part;
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

// What of a page lies in [*at, size) of what is asked for; zeroes up to it.
static struct status take_page(struct task *task, uint32_t page, struct bytes held, int64_t offset,
    uint8_t *data, size_t size, size_t *at)
{
    struct status st = STATUS_OK;
    const int64_t start = (int64_t)page * PAGE - offset; // Where the page begins in `data`.
    if (start > (int64_t)*at) {
        const size_t gap = (size_t)start < size ? (size_t)start : size;
        TRY(put_zeroes(task, data + *at, gap - *at));
        *at = gap;
    }
    const size_t within = (size_t)((int64_t)*at - start);
    if (within >= held.size) goto out;
    const size_t take = held.size - within < size - *at ? held.size - within : size - *at;
    memcpy(data + *at, held.data + within, take);
    *at += take;
out:
    return st;
}

struct status large_object_read(struct task *task, struct session *session,
    const struct large_object *object, uint64_t mark, int64_t offset, uint8_t *data, size_t size, size_t *read)
{
    struct status st = STATUS_OK;
    struct arena arena;
    uint32_t first = (uint32_t)(offset / PAGE);
    const uint64_t end = (uint64_t)(offset + (int64_t)size + PAGE - 1) / PAGE;
    size_t at = 0;
    arena_init(&arena, &session->account);
    while (at < size && first < end) {
        struct kv_batch batch;
        arena_reset(&arena);
        TRY(scan_pages(task, session, &arena, object, mark, first, end, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count && at < size; i++) {
            TRY(decode_page(&batch.pairs[i], &first));
            TRY(take_page(task, first++, batch.pairs[i].value, offset, data, size, &at));
        }
        TRY(task_yield_if_due(task));
    }
    // A hole that goes on beyond what was asked for is zeroes as well.
    if (at < size) {
        int64_t whole;
        TRY(large_object_size(task, session, object, mark, &whole));
        if (whole > offset + (int64_t)at) {
            const int64_t more = whole - offset < (int64_t)size ? whole - offset : (int64_t)size;
            TRY(put_zeroes(task, data + at, (size_t)more - at));
            at = (size_t)more;
        }
    }
    *read = at;
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// One page with `part` at `within`, the rest as it was.
static struct status write_part(struct task *task, struct session *session, struct arena *arena,
    struct bytes key, size_t within, struct bytes part)
{
    struct status st = STATUS_OK;
    const struct kv_read read = {.lock = KV_LOCK_NO_KEY_UPDATE};
    uint8_t *page = arena_alloc_zero(arena, PAGE);
    struct bytes held;
    TRY(kv_get(task, session->txn, &read, key, arena, &held));
    if (held.size > PAGE) return corrupt();
    if (held.size > 0) memcpy(page, held.data, held.size);
    memcpy(page + within, part.data, part.size);
    const size_t size = within + part.size > held.size ? within + part.size : held.size;
    TRY(kv_put(task, session->txn, key, bytes_of(page, size)));
out:
    return st;
}

struct status large_object_write(struct task *task, struct session *session,
    const struct large_object *object, int64_t offset, struct bytes data)
{
    struct status st = STATUS_OK;
    struct arena arena;
    arena_init(&arena, &session->account);
    while (data.size > 0) {
        const size_t within = (size_t)(offset % PAGE);
        const size_t size = data.size < PAGE - within ? data.size : PAGE - within;
        arena_reset(&arena);
        struct bytes key = page_key(&arena, session->tenant, object, (uint32_t)(offset / PAGE));
        if (size == PAGE)
            TRY(kv_put(task, session->txn, key, bytes_of(data.data, size)));
        else
            TRY(write_part(task, session, &arena, key, within, bytes_of(data.data, size)));
        data = bytes_of(data.data + size, data.size - size);
        offset += (int64_t)size;
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status delete_pages(
    struct task *task, struct session *session, const struct large_object *object, uint32_t first)
{
    struct status st = STATUS_OK;
    struct arena arena;
    arena_init(&arena, &session->account);
    for (;;) {
        struct kv_batch batch;
        arena_reset(&arena);
        TRY(scan_pages(task, session, &arena, object, 0, first, UINT64_MAX, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count; i++) {
            TRY(decode_page(&batch.pairs[i], &first));
            TRY(kv_delete(task, session->txn, batch.pairs[i].key));
            first++;
        }
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status large_object_truncate(
    struct task *task, struct session *session, const struct large_object *object, int64_t size)
{
    struct status st = STATUS_OK;
    struct arena arena;
    const struct kv_read read = {.lock = KV_LOCK_NO_KEY_UPDATE};
    const uint32_t last = (uint32_t)(size / PAGE);
    const size_t within = (size_t)(size % PAGE);
    struct bytes held;
    arena_init(&arena, &session->account);
    uint8_t *page = arena_alloc_zero(&arena, PAGE);
    struct bytes key = page_key(&arena, session->tenant, object, last);
    TRY(delete_pages(task, session, object, last + 1));
    // The last page that is left says where the object ends, so that there is one, if an empty one.
    TRY(kv_get(task, session->txn, &read, key, &arena, &held));
    if (held.size > 0) memcpy(page, held.data, held.size < within ? held.size : within);
    TRY(kv_put(task, session->txn, key, bytes_of(page, within)));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status large_object_drop(
    struct task *task, struct session *session, const struct large_object *object)
{
    struct status st = STATUS_OK;
    TRY(delete_pages(task, session, object, 0));
    TRY(kv_delete(task, session->txn,
        object_key(task->arena, session->tenant, INDEX_OBJECTS, object->database_id, object->oid)));
    TRY(kv_delete(task, session->txn,
        catalog_comment_key(task->arena, session->tenant, COMMENT_ON_LARGE_OBJECT, object->oid,
            object->database_id)));
out:
    return st;
}

// --- all of them -----------------------------------------------------------------------------------------

struct status large_object_each(struct task *task, struct session *session, uint32_t database_id,
    struct status (*each)(void *arg, const struct large_object *object), void *arg)
{
    struct status st = STATUS_OK;
    struct arena arena, keys;
    struct buffer prefix;
    arena_init(&keys, &session->account);
    arena_init(&arena, &session->account);
    buffer_init(&prefix, &keys);
    catalog_append_index_prefix(&prefix, session->tenant, LARGE_OBJECTS, INDEX_OBJECTS);
    if (database_id != 0) key_append_uvarint(&prefix, database_id);
    struct span span = {buffer_bytes(&prefix), key_prefix_end(&keys, buffer_bytes(&prefix))};
    // Only where the next batch starts is kept of the last one.
    const struct arena_mark mark = arena_mark(&keys);
    for (;;) {
        struct kv_scan scan;
        struct kv_batch batch;
        arena_reset(&arena);
        kv_scan_init(&scan, span);
        scan.limit = scan.batch_rows = RECORDS_A_SCAN;
        TRY(kv_scan_next(task, session->txn, &scan, &arena, &batch));
        if (batch.count == 0) break;
        arena_release(&keys, mark);
        for (uint32_t i = 0; i < batch.count; i++) {
            struct large_object object;
            TRY(decode_object(&arena, batch.pairs[i].value, &object));
            TRY(each(arg, &object));
        }
        span.start = key_next(&keys, batch.pairs[batch.count - 1].key);
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    arena_fini(&keys);
    return st;
}

struct dropping {
    struct task *task;
    struct session *session;
};

static struct status drop_one(void *arg, const struct large_object *object)
{
    struct dropping *dropping = arg;
    return large_object_drop(dropping->task, dropping->session, object);
}

struct status large_object_drop_all(struct task *task, struct session *session, uint32_t database_id)
{
    struct dropping dropping = {task, session};
    return large_object_each(task, session, database_id, drop_one, &dropping);
}
