// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/slice.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "kv/key.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"

#define TENANT_BYTES (2u * HLC_ENCODED_BYTES + 1u)

void slice_observer_add(struct slice *slice, struct slice_observer *observer)
{
    struct slice_observer **at = &slice->observers;
    while (*at != NULL)
        at = &(*at)->next;
    observer->next = NULL;
    *at = observer;
}

void slice_observer_remove(struct slice *slice, struct slice_observer *observer)
{
    struct slice_observer **at = &slice->observers;
    while (*at != NULL && *at != observer)
        at = &(*at)->next;
    if (*at != NULL) *at = observer->next;
}

// --- tenants -------------------------------------------------------------------------------------------

struct slice_tenant *slice_tenant_get(const struct slice *slice, uint64_t tenant)
{
    if (slice->tenants.count == 0) return NULL;
    return hashmap_get_u64(&slice->tenants, tenant);
}

struct slice_tenant *slice_tenant_make(struct slice *slice, uint64_t tenant)
{
    struct slice_tenant *found = slice_tenant_get(slice, tenant);
    if (found != NULL) return found;
    found = calloc(1, sizeof *found);
    invariant(found != NULL);
    found->id = tenant;
    hashmap_put_u64(&slice->tenants, tenant, found);
    return found;
}

static struct status tenant_decode(struct bytes value, struct slice_tenant *tenant)
{
    if (value.size != TENANT_BYTES) return status_make(E_DATA_CORRUPTED, "malformed tenant record");
    tenant->gc_threshold = hlc_decode(value.data);
    tenant->gc_proposed = tenant->gc_threshold;
    tenant->ingesting = value.data[2 * HLC_ENCODED_BYTES] == 1;
    tenant->ingested = value.data[2 * HLC_ENCODED_BYTES] == 2;
    return STATUS_OK;
}

struct status slice_tenant_load(struct slice *slice, uint64_t tenant, struct slice_tenant *loaded)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes value;
    bool found;
    *loaded = (struct slice_tenant){.id = tenant};
    struct status st = store_get(
        slice->store, STORE_META, meta_number_key(META_TENANT, tenant, name), &value, &found);
    if (!failed(st) && found) st = tenant_decode(value, loaded);
    store_release(slice->store);
    return st;
}

struct status slice_tenant_put(struct slice *slice, const struct slice_tenant *tenant)
{
    uint8_t name[META_NUMBER_KEY_BYTES], value[TENANT_BYTES];
    hlc_encode(tenant->gc_threshold, value);
    // Replicas must write the same: what only those know that were there goes by the time index (load_ingest_high).
    hlc_encode(HLC_ZERO, value + HLC_ENCODED_BYTES);
    value[2 * HLC_ENCODED_BYTES] = tenant->ingesting ? 1 : tenant->ingested ? 2 : 0;
    return store_put(slice->store, STORE_META, meta_number_key(META_TENANT, tenant->id, name),
        bytes_of(value, sizeof value));
}

struct hlc_timestamp slice_gc_threshold(const struct slice *slice, uint64_t tenant)
{
    const struct slice_tenant *found = slice_tenant_get(slice, tenant);
    return found == NULL ? HLC_ZERO : found->gc_proposed;
}

struct hlc_timestamp slice_newest(const struct slice *slice, uint64_t tenant)
{
    const struct slice_tenant *known = slice_tenant_get(slice, tenant);
    return known == NULL ? slice->applied_ts : hlc_max(slice->applied_ts, known->ingest_high);
}

bool slice_tenant_ingesting(const struct slice *slice, uint64_t tenant)
{
    const struct slice_tenant *found = slice_tenant_get(slice, tenant);
    return found != NULL && found->ingesting;
}

// --- records beside the versions -------------------------------------------------------------------------

struct status slice_meta_get(
    struct slice *slice, struct bytes key, struct arena *arena, struct bytes *value)
{
    struct buffer name;
    struct bytes record;
    bool found;
    buffer_init(&name, arena);
    buffer_append_u8(&name, META_NAMED);
    buffer_append_bytes(&name, key);
    struct status st = store_get(slice->store, STORE_META, buffer_bytes(&name), &record, &found);
    *value = !failed(st) && found ? arena_copy(arena, record) : bytes_of(NULL, 0);
    store_release(slice->store);
    return st;
}

// Calls `each` for the meta records whose names start with `prefix` (letter included).
static struct status meta_walk(struct slice *slice, struct bytes prefix,
    struct status (*each)(void *arg, struct bytes name, struct bytes value), void *arg)
{
    struct store_cursor *cursor = NULL;
    bool found;
    struct status st;
    TRY(store_cursor_open(slice->store, STORE_META, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, prefix, &found));
    while (found && bytes_has_prefix(cursor->key, prefix)) {
        TRY(each(arg, cursor->key, cursor->value));
        TRY(store_step(cursor, STORE_FORWARD, &found));
    }
out:
    store_cursor_close(cursor);
    return st;
}

struct gathering {
    struct arena *arena;
    void *items;
    size_t count, capacity, item_bytes;
};

static void *gather_one(struct gathering *gathering)
{
    if (gathering->count == gathering->capacity) {
        size_t capacity = gathering->capacity == 0 ? 16 : 2 * gathering->capacity;
        void *items = arena_alloc(gathering->arena, capacity * gathering->item_bytes);
        if (gathering->count > 0)
            memcpy(items, gathering->items, gathering->count * gathering->item_bytes);
        gathering->items = items;
        gathering->capacity = capacity;
    }
    return (uint8_t *)gathering->items + gathering->item_bytes * gathering->count++;
}

static struct status gather_pair(void *arg, struct bytes name, struct bytes value)
{
    struct gathering *gathering = arg;
    struct kv_pair *pair = gather_one(gathering);
    pair->key = arena_copy(gathering->arena, bytes_skip(name, 1));
    pair->value = arena_copy(gathering->arena, value);
    return STATUS_OK;
}

struct status slice_meta_list(struct slice *slice, struct bytes prefix, struct arena *arena,
    struct kv_pair **pairs, uint32_t *count)
{
    struct gathering gathering = {.arena = arena, .item_bytes = sizeof(struct kv_pair)};
    struct buffer name;
    buffer_init(&name, arena);
    buffer_append_u8(&name, META_NAMED);
    buffer_append_bytes(&name, prefix);
    struct status st = meta_walk(slice, buffer_bytes(&name), gather_pair, &gathering);
    *pairs = gathering.items;
    *count = (uint32_t)gathering.count;
    return st;
}

static struct status record_decode(
    struct arena *arena, uint64_t txn, struct bytes value, struct slice_record *record)
{
    if (value.size < 1 + HLC_ENCODED_BYTES)
        return status_make(E_DATA_CORRUPTED, "malformed transaction record");
    record->txn = txn;
    record->commit = value.data[0] == RECORD_COMMITTED;
    record->staged = value.data[0] == RECORD_STAGED;
    record->ts = hlc_decode(value.data + 1);
    record->value = arena_copy(arena, bytes_skip(value, 1 + HLC_ENCODED_BYTES));
    return STATUS_OK;
}

struct status slice_record_get(struct slice *slice, uint64_t txn, struct arena *arena,
    struct slice_record *record, bool *found)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes value;
    struct status st =
        store_get(slice->store, STORE_META, meta_number_key(META_RECORD, txn, name), &value, found);
    if (!failed(st) && *found) st = record_decode(arena, txn, value, record);
    store_release(slice->store);
    return st;
}

static uint64_t number_of(struct bytes name)
{
    uint64_t number = 0;
    for (size_t i = 1; i < name.size; i++)
        number = number << 8 | name.data[i];
    return number;
}

static struct status gather_record(void *arg, struct bytes name, struct bytes value)
{
    struct gathering *gathering = arg;
    struct slice_record *record = gather_one(gathering);
    return record_decode(gathering->arena, number_of(name), value, record);
}

struct status slice_record_list(
    struct slice *slice, struct arena *arena, struct slice_record **records, uint32_t *count)
{
    struct gathering gathering = {.arena = arena, .item_bytes = sizeof(struct slice_record)};
    uint8_t letter = META_RECORD;
    struct status st = meta_walk(slice, bytes_of(&letter, 1), gather_record, &gathering);
    *records = gathering.items;
    *count = (uint32_t)gathering.count;
    return st;
}

// --- life --------------------------------------------------------------------------------------------------

static struct status load_tenant(void *arg, struct bytes name, struct bytes value)
{
    struct slice_tenant *tenant = slice_tenant_make(arg, number_of(name));
    return tenant_decode(value, tenant);
}

static struct status load_prepared(void *arg, struct bytes name, struct bytes value)
{
    struct slice *slice = arg;
    struct entry_reader reader;
    struct entry_op op;
    (void)name;
    struct status st = entry_open(value, &reader);
    if (failed(st)) return st;
    if (!entry_op_next(&reader, &op) || op.kind != ENTRY_PREPARE)
        return status_make(E_DATA_CORRUPTED, "malformed prepared transaction");
    prepared_create(slice, &op, value);
    return STATUS_OK;
}

static struct status load_staged(void *arg, struct bytes name, struct bytes value)
{
    return staged_load(arg, number_of(name), value);
}

// The newest version that an ingesting tenant received is in the time index.
static struct status load_ingest_high(struct slice *slice)
{
    struct arena arena;
    struct store_cursor *cursor = NULL;
    struct status st = STATUS_OK;
    uint32_t at = 0;
    struct hashmap_entry *entry;
    arena_init(&arena, NULL);
    TRY(store_cursor_open(slice->store, STORE_TIME, &cursor));
    while ((entry = hashmap_next(&slice->tenants, &at)) != NULL) {
        struct slice_tenant *tenant = entry->value;
        struct span span = mvcc_time_span(&arena, tenant->id, HLC_ZERO, HLC_MAX);
        uint64_t id;
        struct hlc_timestamp ts;
        struct bytes key;
        bool found;
        TRY(store_seek(cursor, STORE_BACKWARD, span.end, &found));
        if (!found || bytes_compare(cursor->key, span.start) < 0) continue;
        TRY(mvcc_time_key_decode(cursor->key, &id, &ts, &key));
        tenant->ingest_high = hlc_max(tenant->ingest_high, ts);
    }
out:
    store_cursor_close(cursor);
    arena_fini(&arena);
    return st;
}

struct status slice_memory_load(struct slice *slice)
{
    struct slice_mark mark;
    uint8_t letter = META_TENANT;
    struct status st;
    TRY(slice_mark_read(slice->store, &mark));
    slice->applied_index = mark.index;
    slice->applied_term = mark.term;
    slice->applied_position = 0;
    slice->last_commit = hlc_max(slice->last_commit, mark.last_commit);
    slice->applied_ts = hlc_max(slice->applied_ts, mark.last_commit);
    slice->ceiling = mark.ceiling;
    if (mark.config.count > 0) slice->config = mark.config;
    TRY(meta_walk(slice, bytes_of(&letter, 1), load_tenant, slice));
    letter = META_PREPARED;
    TRY(meta_walk(slice, bytes_of(&letter, 1), load_prepared, slice));
    letter = META_STAGES;
    TRY(meta_walk(slice, bytes_of(&letter, 1), load_staged, slice));
    TRY(load_ingest_high(slice));
    slice_fates_reset(slice);
out:
    return st;
}

void slice_memory_drop(struct slice *slice)
{
    uint32_t at = 0;
    struct hashmap_entry *entry;
    staged_drop_all(slice);
    while (!list_empty(&slice->prepared))
        prepared_destroy(slice, container_of(slice->prepared.next, struct pending, link));
    while ((entry = hashmap_next(&slice->tenants, &at)) != NULL)
        free(entry->value);
    hashmap_fini(&slice->tenants);
    hashmap_init(&slice->tenants, NULL);
}

static void slice_free(struct slice *slice)
{
    slice_memory_drop(slice);
    hashmap_fini(&slice->tenants);
    slice_fates_free(slice);
    pending_fini(slice);
    mvcc_fini(&slice->mvcc);
    raft_log_fini(&slice->log);
    free(slice->parts);
    slice_replay_free(slice->replay);
    free(slice);
}

static struct slice *slice_make(struct kv_shard *kv, const struct slice_options *options)
{
    struct slice *slice = calloc(1, sizeof *slice);
    invariant(slice != NULL);
    slice->replay = calloc(1, sizeof *slice->replay);
    invariant(slice->replay != NULL);
    slice->id = options->id;
    slice->generation = options->generation;
    slice->since = options->since;
    slice->kv = kv;
    slice->shard = kv->shard;
    slice->config = options->config;
    list_init(&slice->pending);
    list_init(&slice->prepared);
    list_init(&slice->staged);
    list_init(&slice->staging);
    pending_init(slice);
    hashmap_init(&slice->tenants, NULL);
    wait_queue_init(&slice->ceiling_waiters);
    wait_queue_init(&slice->admit_waiters);
    wait_queue_init(&slice->idle_waiters);
    wait_queue_init(&slice->role_waiters);
    return slice;
}

struct status slice_store_open(
    struct task *task, const struct kv_shard *kv, const struct store_options *options, struct store **store)
{
    const struct kv_options *node = &kv->node->options;
    if (node->store_open != NULL) return node->store_open(task, options, store);
    return node->store == KV_STORE_MODEL ? store_model_open(task, options, store) : store_wt_open(task, options, store);
}

struct status slice_open(struct task *task, struct kv_shard *kv,
    const struct slice_options *options, struct slice **opened)
{
    struct status st = STATUS_OK;
    struct slice *slice = slice_make(kv, options);
    const struct store_options store = {.home = options->home, .cache_bytes = options->cache_bytes};
    TRY(slice_store_open(task, kv, &store, &slice->store));
    mvcc_init(&slice->mvcc, slice->store);
    TRY(slice_memory_load(slice));
    slice->checkpoint_index = slice->applied_index;
    raft_log_init(&slice->log, &(struct raft_log_options){
                                   .slice = slice->id,
                                   .self = kv->node->node_id,
                                   .config = slice->config,
                                   .applied_index = slice->applied_index,
                                   .applied_term = slice->applied_term,
                                   .damaged = options->damaged,
                                   .hooks = &slice_log_hooks,
                                   .arg = slice,
                               });
    TRY(slice_left_load(slice));
    *opened = slice;
    return STATUS_OK;
out:
    if (slice->store != NULL) store_drop(slice->store);
    slice_free(slice);
    return st;
}

struct status slice_start(struct task *task, struct slice *slice)
{
    struct status st;
    TRY(slice_replay_end(slice));
    TRY(load_ingest_high(slice));
    slice_replay_free(slice->replay);
    slice->replay = NULL;
    // Nothing may be committed at or below what an earlier life may have given out as read or closed.
    slice->ceiling_proposed = slice->ceiling;
    slice->read_high = hlc_max(slice->read_high, slice->ceiling);
    for (const struct kv_module *const *module = kv_modules; *module != NULL; module++) {
        if ((*module)->slice_ready == NULL) continue;
        TRY((*module)->slice_ready(task, slice));
        slice->modules_ready++;
    }
    slice->running = true;
    TRY(raft_log_start(&slice->log, slice->kv->log, slice->kv->raft));
    slice->left_position = log_writer_appended(slice->kv->log);
    slice->started = true;
out:
    return st;
}

struct status slice_checkpoint(struct task *task, struct slice *slice)
{
    // One at a time; the other one may have begun before what the caller wants to have in it.
    while (slice->checkpointing) {
        struct status waited = task_wait(task, &slice->idle_waiters);
        if (failed(waited)) return waited;
    }
    uint64_t index = slice->applied_index;
    log_position position = slice->applied_position;
    uint64_t bytes = slice->bytes_since_checkpoint;
    if (index == slice->checkpoint_index) return STATUS_OK;
    struct status st = slice_left_drop(slice);
    if (failed(st)) return st;
    slice->checkpointing = true;
    slice->own_tasks++;
    st = store_checkpoint(task, slice->store);
    slice->own_tasks--;
    slice->checkpointing = false;
    wait_queue_wake_all(&slice->idle_waiters, STATUS_OK);
    if (!failed(st)) {
        slice->checkpoint_index = index;
        slice->checkpoint_position = position;
        slice->bytes_since_checkpoint -= bytes;
    }
    return st;
}

// After a clean stop the clock need not run ahead: all that was given out is known. (With several voters another
// replica may lead before this one comes back, by what the log says.)
static struct status lower_ceiling(struct slice *slice)
{
    if (slice->leased || slice->role != SLICE_SERVING) return STATUS_OK;
    struct hlc_timestamp used = hlc_max(slice->last_commit, slice->read_high);
    struct status st = store_begin(slice->store);
    if (failed(st)) return st;
    st = slice_apply_mark(
        slice, slice->applied_term, slice->applied_index, used, &slice->config);
    if (failed(st)) {
        store_rollback(slice->store);
        return st;
    }
    return store_commit(slice->store);
}

void slice_drain(struct task *task, struct slice *slice)
{
    const struct status st = status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    if (slice->running) slice_apply_now(slice);
    slice->running = false;
    wait_queue_wake_all(&slice->ceiling_waiters, st);
    wait_queue_wake_all(&slice->admit_waiters, st);
    wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
    slice_turn_away(slice, st);
    // What is with the log of this node alone comes to its end; what needs others is given up.
    if (slice->started && slice->leased) raft_log_stop(&slice->log);
    while (slice->in_flight > 0 || slice->own_tasks > 0) {
        if (failed(task_wait(task, &slice->idle_waiters))) task_cancel_clear(task);
    }
    if (slice->started && !slice->leased) raft_log_stop(&slice->log);
}

struct status slice_stop(struct task *task, struct slice *slice, bool drop)
{
    struct status st = STATUS_OK;
    slice_drain(task, slice);
    slice_committed_drop(slice);
    if (slice->replay != NULL && slice->replay->in_transaction) store_rollback(slice->store);
    if (drop || failed(slice->failed) || !slice->started) {
        store_drop(slice->store);
    } else {
        st = lower_ceiling(slice);
        // What is not in the checkpoint is in the log: a failure here loses nothing.
        if (!failed(st)) st = store_checkpoint(task, slice->store);
        struct status closed = store_close(task, slice->store);
        if (!failed(st)) st = closed;
    }
    slice_free(slice);
    return st;
}
