// SPDX-License-Identifier: GPL-3.0-or-later
//
// Versions as such: what replication, backup and fingerprints read and write. The leader's side of kv/admin.h.
#include "core/hash.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/move_side.h"
#include "kv/range.h"
#include "kv/slice_internal.h"

#define EXPORT_BYTES_DEFAULT (1u << 20)
#define STEPS_BETWEEN_YIELDS 128u
#define REVERT_BATCH 512u
#define INGEST_ENTRY_BYTES (512u << 10)
#define CLOSE_POLL_NS UINT64_C(1000000)

// --- values in pieces ----------------------------------------------------------------------------------
//
// A walk notes where it has come to one, and lets go of the store: its pieces are read with yields in between.

struct walk_long {
    struct bytes key; // NULL: none.
    struct mvcc_version version;
};

// *lost: the version is no more there, and its key is to be looked at again.
static struct status fetch_pieces(struct task *task, struct slice *slice, struct arena *arena,
    struct walk_long *pieces, bool *lost)
{
    struct status st;
    struct mvcc_fetch fetch;
    *lost = false;
    TRY(mvcc_fetch_begin(arena, pieces->key, &pieces->version, &fetch));
    while (fetch.fetched < fetch.size && !*lost) {
        if (SIM_MAYBE("slice.walk_slow")) TRY(task_yield(task));
        TRY(task_yield_if_due(task));
        TRY(slice_may_serve(task, slice));
        TRY(mvcc_fetch_next(&slice->mvcc, &fetch, lost));
    }
    pieces->version.value = bytes_of(fetch.data, fetch.size);
out:
    return st;
}

// --- export --------------------------------------------------------------------------------------------

struct versions {
    struct arena *arena;
    struct kv_version *items;
    uint32_t count, capacity;
    uint32_t whole; // So many first ones have their values; of others those in pieces are to be fetched.
    size_t bytes;
};

static struct status versions_add(struct versions *versions, struct bytes key, const struct mvcc_version *version)
{
    if (versions->count == versions->capacity) {
        uint32_t capacity = versions->capacity == 0 ? 64 : versions->capacity * 2;
        struct kv_version *items = arena_alloc(versions->arena, capacity * sizeof *items);
        if (versions->count > 0) memcpy(items, versions->items, versions->count * sizeof *items);
        versions->items = items;
        versions->capacity = capacity;
    }
    const size_t size = key.size + version->value.size;
    uint8_t *copy = arena_try_alloc(versions->arena, version->pieces ? key.size : size);
    if (copy == NULL)
        return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a large value");
    memcpy(copy, key.data, key.size);
    struct bytes value = version->value;
    if (version->pieces) value.data = NULL;
    if (!version->tombstone && !version->pieces) {
        if (value.size > 0) memcpy(copy + key.size, value.data, value.size);
        value.data = copy + key.size;
    }
    versions->items[versions->count++] = (struct kv_version){
        .key = bytes_of(copy, key.size),
        .value = value,
        .ts = version->ts,
        .tombstone = version->tombstone,
    };
    versions->bytes += size + sizeof(struct kv_version);
    return STATUS_OK;
}

// The versions in (after, at] of the key at the cursor, newest first.
static struct status export_key(
    struct mvcc_cursor *cursor, const struct kv_export *export, struct versions *versions)
{
    struct mvcc_version version;
    bool found;
    struct status st;
    TRY(mvcc_cursor_at(cursor, export->at, &version, &found));
    while (found && hlc_less(export->after, version.ts)) {
        // From nothing on, what is deleted need not be told.
        bool wanted = export->all || !version.tombstone || !hlc_is_zero(export->after);
        if (wanted) TRY(versions_add(versions, mvcc_cursor_key(cursor), &version));
        if (!export->all) break;
        TRY(mvcc_cursor_older(cursor, &version, &found));
    }
out:
    return st;
}

static struct status export_some(struct slice *slice, struct kv_export *export, struct span *rest,
    struct versions *versions, size_t bytes_max)
{
    struct mvcc_cursor cursor = {0};
    bool found;
    struct status st;
    uint32_t steps = 0;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    TRY(mvcc_cursor_seek(&cursor, STORE_FORWARD, rest->start, &found));
    for (; found && bytes_compare(mvcc_cursor_key(&cursor), rest->end) < 0; steps++) {
        TRY(export_key(&cursor, export, versions));
        if (versions->bytes >= bytes_max || steps == STEPS_BETWEEN_YIELDS) {
            rest->start = key_next(versions->arena, mvcc_cursor_key(&cursor));
            goto out;
        }
        TRY(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
    }
    export->done = true;
out:
    mvcc_cursor_close(&cursor);
    return st;
}

// The bytes of values in pieces, with nothing of the store held. *lost: one is no more there.
static struct status export_pieces(struct task *task, struct slice *slice, struct versions *versions, bool *lost)
{
    struct status st = STATUS_OK;
    *lost = false;
    for (; versions->whole < versions->count && !*lost; versions->whole += !*lost) {
        struct kv_version *item = &versions->items[versions->whole];
        if (item->tombstone || item->value.data != NULL || item->value.size == 0) continue;
        struct walk_long pieces = {item->key, {.ts = item->ts, .value = item->value, .pieces = true}};
        TRY(fetch_pieces(task, slice, versions->arena, &pieces, lost));
        item->value = pieces.version.value;
    }
out:
    return st;
}

static struct status export_check(const struct slice *slice, const struct kv_export *export)
{
    struct hlc_timestamp threshold = slice_gc_threshold(slice, export->tenant);
    bool complete = !export->all && hlc_is_zero(export->after);
    if (hlc_less(export->at, threshold) ||
        (!complete && !hlc_is_zero(export->after) && hlc_less(export->after, threshold)))
        return status_make(
            E_BELOW_GC_THRESHOLD, "the versions of that time have been garbage-collected");
    return STATUS_OK;
}

struct status slice_export(struct task *task, struct slice *slice, struct kv_export *export,
    struct arena *arena, struct kv_version **items, uint32_t *count)
{
    struct versions versions = {.arena = arena};
    size_t bytes_max = export->bytes_max == 0 ? EXPORT_BYTES_DEFAULT : export->bytes_max;
    if (SIM_MAYBE("export.small_batch")) bytes_max = 1;
    struct span rest = export->span;
    struct status st;
    if (export->resume.data != NULL && bytes_compare(rest.start, export->resume) < 0)
        rest.start = export->resume;
    *items = NULL;
    *count = 0;
    export->done = bytes_compare(rest.start, rest.end) >= 0;
    if (export->done) return STATUS_OK;
    TRY(slice_read_begin(task, slice, export->tenant, rest, export->at));
    while (!export->done && versions.bytes < bytes_max) {
        const struct versions before = versions;
        const struct bytes start = rest.start;
        bool lost;
        TRY(export_check(slice, export));
        TRY(export_some(slice, export, &rest, &versions, bytes_max));
        TRY(arena_check(arena));
        TRY(export_pieces(task, slice, &versions, &lost));
        // These keys are looked at again: to be refused, when their versions have been collected.
        if (lost || SIM_MAYBE("export.piece_lost")) {
            versions.count = versions.whole = before.count;
            versions.bytes = before.bytes;
            rest.start = start;
            export->done = false;
        }
        TRY(task_yield_if_due(task));
        TRY(slice_may_serve(task, slice));
    }
    export->resume = rest.start;
    *items = versions.items;
    *count = versions.count;
out:
    return st;
}

// --- ingest and revert -----------------------------------------------------------------------------------

// Takes no more versions, waits for those on their way, and erases again what is above `upto`: a stream that was given
// up may have sent some after the revert. From here to the mark nothing is taken any more.
static struct status ingest_close(
    struct task *task, struct slice *slice, uint64_t tenant, struct hlc_timestamp upto)
{
    struct status st = STATUS_OK;
    uint64_t removed;
    struct slice_tenant *state = slice_tenant_get(slice, tenant);
    if (state == NULL || !state->ingesting) return STATUS_OK;
    state->closing = true;
    while (state != NULL && state->receiving > 0) {
        TRY(task_sleep(task, CLOSE_POLL_NS));
        TRY(slice_may_serve(task, slice));
        state = slice_tenant_get(slice, tenant);
    }
    if (hlc_equal(upto, HLC_MAX)) return STATUS_OK;
    TRY(slice_revert(task, slice, tenant, upto, &removed));
    if (removed > 0) covered("ingest.strays_undone");
out:
    return st;
}

struct status slice_ingest_mark(struct task *task, struct slice *slice, uint64_t tenant,
    enum kv_ingest_mark mark, struct hlc_timestamp upto)
{
    struct entry_builder builder;
    struct status st;
    bool ingesting = mark != KV_INGEST_END;
    TRY(slice_admit(task, slice, 0));
    if (!ingesting) {
        TRY(ingest_close(task, slice, tenant, upto));
        TRY(slice_admit(task, slice, 0));
    }
    const struct slice_tenant *now = slice_tenant_get(slice, tenant);
    // That it is over is written down also where it never began: nobody who comes late may join.
    if (now != NULL && (ingesting ? now->ingesting : now->ingested)) return STATUS_OK;
    if (mark == KV_INGEST_JOIN && now != NULL && now->ingested) return STATUS_OK;
    struct hlc_timestamp high = now == NULL ? HLC_ZERO : now->ingest_high;
    entry_begin(&builder, task->arena);
    entry_op_append(&builder,
        &(struct entry_op){.kind = ENTRY_TENANT, .tenant = tenant, .ingesting = ingesting});
    TRY(slice_propose(task, slice, entry_end(&builder)));
    if (ingesting) return STATUS_OK;
    // The tenant may write now: above all that it received, by a clock that may have run behind it.
    slice_read_high_raise(slice, hlc_min(high, hlc_now(&slice->shard->hlc)));
    while (hlc_less(hlc_now(&slice->shard->hlc), high))
        TRY(task_sleep(task, 10000000));
    slice_read_high_raise(slice, high);
out:
    return st;
}

static struct status ingest_check(const struct slice *slice, uint64_t tenant)
{
    const struct slice_tenant *now = slice_tenant_get(slice, tenant);
    if (now != NULL && now->ingesting && !now->closing) return STATUS_OK;
    return status_make(E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster is not ingesting");
}

static struct status ingest_propose(
    struct task *task, struct slice *slice, uint64_t tenant, struct bytes payload)
{
    slice_tenant_make(slice, tenant)->receiving++;
    struct status st = slice_propose(task, slice, payload);
    struct slice_tenant *state = slice_tenant_get(slice, tenant);
    if (state != NULL && state->receiving > 0) state->receiving--; // Forgotten when a snapshot came.
    return st;
}

struct status slice_ingest(struct task *task, struct slice *slice, uint64_t tenant,
    const struct kv_version *versions, uint32_t count)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    for (uint32_t i = 0; i < count;) {
        struct entry_builder builder;
        TRY(slice_admit(task, slice, 1));
        TRY(ingest_check(slice, tenant));
        for (uint32_t k = i; slice->moves != NULL && k < count; k++) {
            bool leaves = range_set_find(slice->ranges, versions[k].key) == NULL;
            if (!leaves && !move_shuts(slice, versions[k].key, 0)) continue;
            st = status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the range is on its way to another slice");
            goto out;
        }
        entry_begin(&builder, task->arena);
        entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_INGEST, .tenant = tenant});
        for (size_t bytes = 0; i < count && bytes < INGEST_ENTRY_BYTES; i++) {
            bytes += versions[i].key.size + versions[i].value.size + 32;
            entry_item_append(&builder, &(struct entry_item){.key = versions[i].key,
                                            .value = versions[i].value,
                                            .ts = versions[i].ts,
                                            .tombstone = versions[i].tombstone});
        }
        TRY(ingest_propose(task, slice, tenant, entry_end(&builder)));
        arena_release(task->arena, mark);
    }
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

// The next records of the time index above `ts`, as an ENTRY_REVERT.
static struct status revert_build(struct slice *slice, uint64_t tenant, struct hlc_timestamp ts,
    struct arena *arena, struct entry_builder *builder, uint32_t *count)
{
    struct store_cursor *cursor = NULL;
    struct span span = mvcc_time_span(arena, tenant, hlc_next(ts), HLC_MAX);
    struct status st;
    bool found;
    *count = 0;
    entry_begin(builder, arena);
    entry_op_append(builder, &(struct entry_op){.kind = ENTRY_REVERT, .tenant = tenant, .ts = ts});
    TRY(store_cursor_open(slice->store, STORE_TIME, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, span.start, &found));
    while (found && *count < REVERT_BATCH && bytes_compare(cursor->key, span.end) < 0) {
        struct entry_item item = {.tombstone = true};
        uint64_t id;
        TRY(mvcc_time_key_decode(cursor->key, &id, &item.ts, &item.key));
        entry_item_append(builder, &item);
        (*count)++;
        TRY(store_step(cursor, STORE_FORWARD, &found));
    }
out:
    store_cursor_close(cursor);
    return st;
}

struct status slice_revert(struct task *task, struct slice *slice, uint64_t tenant,
    struct hlc_timestamp ts, uint64_t *removed)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    if (removed != NULL) *removed = 0;
    for (;;) {
        struct entry_builder builder;
        uint32_t count;
        // What is fenced may be on its way to a slice that has been reverted before.
        while (move_fenced(slice, tenant)) {
            TRY(slice_may_serve(task, slice));
            TRY(task_sleep(task, 1000000));
        }
        TRY(slice_may_serve(task, slice));
        TRY(slice_admit_any(task, slice)); // Also on a full disk: it makes room.
        const struct slice_tenant *now = slice_tenant_get(slice, tenant);
        // A slice that came later and never got anything has nothing to undo.
        if (now == NULL || (!now->ingesting && !now->ingested)) goto out;
        if (!now->ingesting) {
            st = status_make(E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster is not ingesting");
            goto out;
        }
        if (hlc_less(ts, slice_gc_threshold(slice, tenant))) {
            st = status_make(
                E_BELOW_GC_THRESHOLD, "the versions of that time have been garbage-collected");
            goto out;
        }
        TRY(revert_build(slice, tenant, ts, task->arena, &builder, &count));
        if (count == 0) break;
        TRY(slice_propose(task, slice, entry_end(&builder)));
        if (removed != NULL) *removed += count;
        arena_release(task->arena, mark);
    }
    struct slice_tenant *state = slice_tenant_get(slice, tenant);
    if (state != NULL) state->ingest_high = hlc_min(state->ingest_high, ts);
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct bytes clear_entry(struct arena *arena, uint64_t tenant, struct span span)
{
    struct entry_builder builder;
    entry_begin(&builder, arena);
    entry_op_append(
        &builder, &(struct entry_op){.kind = ENTRY_CLEAR, .tenant = tenant, .span = span});
    return entry_end(&builder);
}

struct status slice_clear(struct task *task, struct slice *slice, uint64_t tenant, struct span span)
{
    struct status st;
    TRY(slice_may_serve(task, slice));
    TRY(slice_admit_any(task, slice));
    TRY(slice_propose(task, slice, clear_entry(task->arena, tenant, span)));
out:
    return st;
}

struct status slice_ingest_clear(
    struct task *task, struct slice *slice, uint64_t tenant, struct span span)
{
    struct status st;
    TRY(slice_admit(task, slice, 1));
    TRY(ingest_check(slice, tenant));
    TRY(ingest_propose(task, slice, tenant, clear_entry(task->arena, tenant, span)));
out:
    return st;
}

// --- looking at all of it ------------------------------------------------------------------------------------

// Calls `each` for the keys of the span with what is visible at `ts` (with ts HLC_MAX: whatever is newest),
// with yields in between. With `whole` versions in pieces are fetched.
typedef struct status (*key_fn)(void *arg, struct bytes key, const struct mvcc_version *version);


static struct status walk_some(struct slice *slice, struct span *rest, struct hlc_timestamp ts,
    struct arena *arena, key_fn each, void *arg, struct walk_long *pieces, bool *done)
{
    struct mvcc_cursor cursor = {0};
    struct mvcc_version version;
    bool found, visible;
    struct status st;
    uint32_t steps = 0;
    *done = true;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    TRY(mvcc_cursor_seek(&cursor, STORE_FORWARD, rest->start, &found));
    for (; found && bytes_compare(mvcc_cursor_key(&cursor), rest->end) < 0; steps++) {
        TRY(mvcc_cursor_at(&cursor, ts, &version, &visible));
        if (visible && pieces != NULL && version.pieces) {
            rest->start = arena_copy(arena, mvcc_cursor_key(&cursor));
            *pieces = (struct walk_long){rest->start, version};
            *done = false;
            goto out;
        }
        if (visible) TRY(each(arg, mvcc_cursor_key(&cursor), &version));
        if (steps == STEPS_BETWEEN_YIELDS) {
            rest->start = key_next(arena, mvcc_cursor_key(&cursor));
            *done = false;
            goto out;
        }
        TRY(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
    }
out:
    mvcc_cursor_close(&cursor);
    return st;
}

static struct status walk(struct task *task, struct slice *slice, uint64_t tenant, struct span span,
    struct hlc_timestamp ts, bool whole, key_fn each, void *arg)
{
    struct arena arenas[2]; // The last resume key lives while the next is made.
    struct status st = STATUS_OK;
    bool done = bytes_compare(span.start, span.end) >= 0;
    arena_init(&arenas[0], NULL);
    arena_init(&arenas[1], NULL);
    for (uint32_t turn = 0; !done; turn++) {
        struct arena *arena = &arenas[turn % 2];
        arena_reset(arena);
        if (!hlc_equal(ts, HLC_MAX) && hlc_less(ts, slice_gc_threshold(slice, tenant))) {
            st = status_make(
                E_BELOW_GC_THRESHOLD, "the versions of that time have been garbage-collected");
            goto out;
        }
        struct walk_long pieces = {0};
        bool lost = false;
        TRY(walk_some(slice, &span, ts, arena, each, arg, whole ? &pieces : NULL, &done));
        TRY(task_yield_if_due(task));
        TRY(slice_may_serve(task, slice));
        if (pieces.key.data == NULL) continue;
        TRY(fetch_pieces(task, slice, arena, &pieces, &lost));
        if (lost) continue;
        TRY(each(arg, pieces.key, &pieces.version));
        span.start = key_next(arena, pieces.key);
    }
out:
    arena_fini(&arenas[0]);
    arena_fini(&arenas[1]);
    return st;
}

static struct status fingerprint_key(
    void *arg, struct bytes key, const struct mvcc_version *version)
{
    struct kv_fingerprint *fingerprint = arg;
    struct bytes rest = key;
    uint64_t tenant;
    uint8_t ts[HLC_ENCODED_BYTES];
    if (version->tombstone) return STATUS_OK;
    // Without the tenant's prefix: the standby has another one.
    if (failed(key_decode_tenant_prefix(&rest, &tenant))) rest = key;
    hlc_encode(version->ts, ts);
    uint64_t hash = hash_bytes(rest);
    hash = hash_bytes_seed(version->value, hash);
    hash = hash_bytes_seed(bytes_of(ts, sizeof ts), hash);
    fingerprint->hash += hash;
    fingerprint->keys++;
    fingerprint->bytes += rest.size + version->value.size;
    return STATUS_OK;
}

struct status slice_fingerprint(struct task *task, struct slice *slice, uint64_t tenant,
    struct span span, struct hlc_timestamp ts, struct kv_fingerprint *fingerprint)
{
    *fingerprint = (struct kv_fingerprint){0};
    struct status st = slice_read_begin(task, slice, tenant, span, ts);
    if (failed(st)) return st;
    return walk(task, slice, tenant, span, ts, true, fingerprint_key, fingerprint);
}

struct size_walk {
    uint64_t bytes, keys;
    uint64_t half; // Not 0: look for the key at which this many bytes are passed.
    struct arena *arena;
    struct bytes split;
};

static struct status size_key(void *arg, struct bytes key, const struct mvcc_version *version)
{
    struct size_walk *size = arg;
    size->bytes += key.size + version->value.size + MVCC_CURRENT_HEADER_BYTES;
    size->keys++;
    if (size->half > 0 && size->bytes > size->half && size->split.data == NULL && size->keys > 1) {
        size->split = arena_copy(size->arena, key);
        return status_make(K_END, "found");
    }
    return STATUS_OK;
}

struct status slice_span_size(struct task *task, struct slice *slice, struct span span,
    struct arena *arena, uint64_t *bytes, uint64_t *keys, struct bytes *split)
{
    struct size_walk size = {.arena = arena};
    struct status st = walk(task, slice, 0, span, HLC_MAX, false, size_key, &size);
    if (failed(st)) return st;
    *bytes = size.bytes;
    *keys = size.keys;
    if (split == NULL) return STATUS_OK;
    struct size_walk second = {.arena = arena, .half = size.bytes / 2 + 1};
    st = walk(task, slice, 0, span, HLC_MAX, false, size_key, &second);
    *split = second.split;
    return status_is(st, K_END) ? STATUS_OK : st;
}
