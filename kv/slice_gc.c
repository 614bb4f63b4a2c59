// SPDX-License-Identifier: GPL-3.0-or-later
//
// Garbage collection. A threshold per tenant goes through the log: reads below it are refused from then on.
// What only such reads could see is then erased, locally, by each replica for itself: a pass over the older
// versions, tenant by tenant. A deleted key has its last value among those, so its tombstone is found there too.
#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "kv/maintenance.h"
#include "kv/key.h"
#include "kv/slice_internal.h"

#define GC_BATCH_KEYS 128u
#define GC_REST_NS_A_KEY UINT64_C(10000000) // A key that is looked at costs some 3 us.
#define GC_WORTH_PART 16u // A pass that erases a version for so many keys was worth it.
// A threshold that moves by less than this is not worth an entry.
#define GC_STEP_NS UINT64_C(1000000)

static METRIC_DEFINE(gc_erased, "kv.gc.versions", METRIC_COUNTER, METRIC_COUNT, false,
    "Versions erased by garbage collection");

// Distinct keys that have older versions, from `*from` on; within one tenant.
struct gc_batch {
    struct arena *arena;
    struct bytes keys[GC_BATCH_KEYS];
    uint32_t count;
    uint64_t tenant;
    bool done;         // No key left in the table.
    struct bytes next; // Where the next batch starts, in the table's own keys.
};

static uint64_t tenant_of(struct bytes key)
{
    uint64_t tenant;
    return failed(key_decode_tenant_prefix(&key, &tenant)) ? 0 : tenant;
}

// The table's key just after all versions of `key`.
static struct bytes after_versions(struct arena *arena, struct bytes key)
{
    struct span all = mvcc_history_span(arena, (struct span){key, key});
    struct buffer end;
    buffer_init(&end, arena);
    buffer_append_bytes(&end, all.start);
    buffer_append(&end, "\x00\x02", 2);
    return buffer_bytes(&end);
}

static struct status gather(struct slice *slice, struct bytes from, struct gc_batch *batch)
{
    struct store_cursor *cursor = NULL;
    struct mvcc_scratch scratch = {0};
    struct mvcc owner = {0};
    struct status st;
    bool found;
    batch->count = 0;
    batch->done = true;
    TRY(store_cursor_open(slice->store, STORE_HISTORY, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, from, &found));
    while (found) {
        struct bytes key;
        struct hlc_timestamp ts;
        TRY(mvcc_history_key_decode(cursor->key, &scratch, &key, &ts));
        uint64_t tenant = tenant_of(key);
        if (batch->count > 0 && (tenant != batch->tenant || batch->count == GC_BATCH_KEYS)) {
            batch->done = false;
            break;
        }
        batch->tenant = tenant;
        batch->keys[batch->count++] = arena_copy(batch->arena, key);
        batch->next = after_versions(batch->arena, key);
        TRY(store_seek(cursor, STORE_FORWARD, batch->next, &found));
    }
out:
    store_cursor_close(cursor);
    owner.key = scratch;
    mvcc_fini(&owner);
    return st;
}

static struct status threshold_move(
    struct task *task, struct slice *slice, uint64_t tenant, struct hlc_timestamp *threshold)
{
    struct entry_builder builder;
    struct status st;
    slice_gc_limit_fn limit = slice->kv->node->gc_limit;
    const struct slice_tenant *known = slice_tenant_get(slice, tenant);
    *threshold = known == NULL ? HLC_ZERO : known->gc_threshold;
    // Followers erase what the leader's threshold lets go.
    if (limit == NULL || slice->role != SLICE_SERVING) return STATUS_OK;
    TRY(slice_admit_any(task, slice));
    struct hlc_timestamp allowed = limit(slice, tenant);
    if (allowed.wall_ns < threshold->wall_ns + GC_STEP_NS) return STATUS_OK;
    // From now on nobody may begin to read below it, and no protection can come to lie below it.
    slice_tenant_make(slice, tenant)->gc_proposed = allowed;
    entry_begin(&builder, task->arena);
    entry_op_append(
        &builder, &(struct entry_op){.kind = ENTRY_GC, .tenant = tenant, .ts = allowed});
    TRY(slice_propose(task, slice, entry_end(&builder)));
    *threshold = allowed;
out:
    return st;
}

static struct status collect(struct slice *slice, const struct gc_batch *batch,
    struct hlc_timestamp threshold, uint64_t *erased)
{
    struct status st = store_begin(slice->store);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < batch->count; i++)
        TRY(mvcc_collect_key(&slice->mvcc, batch->keys[i], threshold, erased));
    return store_commit(slice->store);
out:
    store_rollback(slice->store);
    return st;
}

// What an ingesting tenant received below the threshold can no more be reverted.
static struct status trim_time_index(
    struct slice *slice, uint64_t tenant, struct hlc_timestamp threshold)
{
    struct arena arena;
    struct status st = store_begin(slice->store);
    if (failed(st)) return st;
    arena_init(&arena, NULL);
    st = store_clear(slice->store, STORE_TIME, mvcc_time_span(&arena, tenant, HLC_ZERO, threshold));
    arena_fini(&arena);
    if (failed(st)) {
        store_rollback(slice->store);
        return st;
    }
    return store_commit(slice->store);
}

// Of tenants that ingest, whether or not they have older versions.
static struct status trim_time_indexes(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    uint64_t *ids = ARENA_ARRAY(task->arena, uint64_t, slice->tenants.count);
    uint32_t count = 0, at = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&slice->tenants, &at)) != NULL) {
        const struct slice_tenant *tenant = entry->value;
        if (tenant->ingesting) ids[count++] = tenant->id;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct hlc_timestamp threshold;
        TRY(threshold_move(task, slice, ids[i], &threshold));
        if (!hlc_is_zero(threshold)) TRY(trim_time_index(slice, ids[i], threshold));
    }
out:
    return st;
}

uint64_t slice_gc_rest_ns(uint64_t walked, uint64_t erased)
{
    uint64_t rest_ns = erased >= walked / GC_WORTH_PART ? GC_EVERY_NS : walked * GC_REST_NS_A_KEY;
    if (rest_ns < GC_EVERY_NS) return GC_EVERY_NS;
    return rest_ns > GC_REST_NS_MAX ? GC_REST_NS_MAX : rest_ns;
}

struct status slice_gc(struct task *task, struct slice *slice, uint64_t *erased)
{
    struct arena arenas[2];
    struct status st = STATUS_OK;
    uint64_t total = 0, tenant = UINT64_MAX;
    struct hlc_timestamp threshold = HLC_ZERO;
    struct bytes from = BYTES_LITERAL("");
    struct gc_batch *batch = ARENA_NEW(task->arena, struct gc_batch);
    arena_init(&arenas[0], NULL);
    arena_init(&arenas[1], NULL);
    slice->gc_walked = 0;
    TRY(trim_time_indexes(task, slice));
    for (uint32_t turn = 0; !batch->done; turn++) {
        batch->arena = &arenas[turn % 2];
        arena_reset(batch->arena);
        TRY(slice->failed);
        if (!slice->running) TRY(status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
        if (slice->held > 0) break; // Its state is being looked at, or replaced.
        TRY(gather(slice, from, batch));
        if (batch->count == 0) break;
        slice->gc_walked += batch->count;
        from = batch->next;
        if (batch->tenant != tenant) {
            tenant = batch->tenant;
            TRY(threshold_move(task, slice, tenant, &threshold));
        }
        if (hlc_is_zero(threshold)) {
            // Nothing of this tenant's may go: on to the next.
            if (tenant != 0) {
                struct span span = key_tenant_span(batch->arena, tenant);
                from = mvcc_history_span(batch->arena, (struct span){span.end, span.end}).start;
            }
            continue;
        }
        TRY(collect(slice, batch, threshold, &total));
        TRY(task_yield_if_due(task));
    }
out:
    arena_fini(&arenas[0]);
    arena_fini(&arenas[1]);
    metric_add(&gc_erased, 0, (int64_t)total);
    if (erased != NULL) *erased = total;
    if (status_is(st, STORE_BUSY)) st = STATUS_OK; // The next pass goes on.
    return st;
}
