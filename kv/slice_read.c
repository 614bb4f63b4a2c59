// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading versions at a slice's leader, and the questions that validation asks.
#include <endian.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"

#define ROWS_DEFAULT 1024u
#define BYTES_DEFAULT (1u << 20)
#define STEPS_BETWEEN_YIELDS 512u
#define BYTES_BETWEEN_YIELDS (128u << 10)
#define POINTS_BETWEEN_YIELDS 64u

static struct status threshold_check(
    const struct slice *slice, uint64_t tenant, struct hlc_timestamp ts)
{
    if (LIKELY(slice->tenants.count == 0)) return STATUS_OK;
    if (hlc_less(ts, slice_gc_threshold(slice, tenant)))
        return status_make(
            E_BELOW_GC_THRESHOLD, "the versions of that time have been garbage-collected");
    return STATUS_OK;
}

static struct status follower_check(
    const struct slice *slice, uint64_t tenant, struct hlc_timestamp ts)
{
    if (failed(slice->failed)) return slice->failed;
    if (!slice->running) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    if (!hlc_less_equal(ts, slice->closed) || slice->installing) return slice_not_leader();
    return threshold_check(slice, tenant, ts);
}

static inline bool reads_as_follower(const struct slice *slice, const struct slice_reader *reader)
{
    return reader->follower && !reader->newest && slice->role != SLICE_SERVING;
}

static inline struct status read_check(
    struct task *task, struct slice *slice, uint64_t tenant, struct hlc_timestamp ts)
{
    struct status st = slice_may_serve(task, slice);
    if (UNLIKELY(failed(st))) return st;
    slice->load_count++;
    if (UNLIKELY(hlc_less(slice->ceiling, ts))) {
        st = slice_ceiling_wait(task, slice, ts);
        if (!failed(st)) st = slice_may_serve(task, slice);
        if (failed(st)) return st;
    }
    st = threshold_check(slice, tenant, ts);
    if (UNLIKELY(failed(st))) return st;
    // First, so that no write can any more come to be pending at or below the read.
    slice_read_high_raise(slice, ts);
    if (UNLIKELY(slice_ceiling_near(slice, ts.wall_ns))) slice_ceiling_ask(slice);
    return STATUS_OK;
}

// Whether the reader may begin. Nothing has suspended since the last look, on success.
static inline struct status reader_check(
    struct task *task, struct slice *slice, const struct slice_reader *reader)
{
    if (reader->newest) return slice_may_serve(task, slice);
    if (UNLIKELY(reads_as_follower(slice, reader)))
        return follower_check(slice, reader->tenant, reader->ts);
    return read_check(task, slice, reader->tenant, reader->ts);
}

// The same after a suspension.
static inline struct status reader_check_again(
    struct task *task, struct slice *slice, const struct slice_reader *reader)
{
    if (UNLIKELY(reads_as_follower(slice, reader)))
        return follower_check(slice, reader->tenant, reader->ts);
    struct status st = slice_may_serve(task, slice);
    if (!failed(st) && !reader->newest) st = threshold_check(slice, reader->tenant, reader->ts);
    return st;
}

static struct status moved(const struct slice_reader *reader, struct hlc_timestamp ts)
{
    invariant(reader->moved_to != NULL);
    *reader->moved_to = hlc_max(*reader->moved_to, ts);
    return status_make(K_MOVED, "a newer version may have been committed before the snapshot");
}

// Up to where the reader must look: above its snapshot, what other clocks may have called the past.
static inline struct hlc_timestamp reader_horizon(
    const struct slice *slice, const struct slice_reader *reader)
{
    if (reader->newest) return HLC_MAX;
    struct hlc_timestamp doubt = hlc_min(reader->uncertain, hlc_max(reader->certain, slice->early));
    return hlc_max(reader->ts, doubt);
}

static struct status pending_wait(struct task *task, struct pending *pending, bool no_wait)
{
    if (no_wait) return status_make(K_PENDING, "a write of the key is pending");
    return task_wait(task, &pending->readers);
}

// The bytes of a version in pieces, with yields. *lost: it is no more there, and is to be looked for again.
static struct status fetch(struct task *task, struct slice *slice, const struct slice_reader *reader,
    struct bytes key, struct arena *arena, struct mvcc_version *version, bool *lost)
{
    struct mvcc_fetch fetch;
    struct status st;
    *lost = false;
    covered("slice.long_value");
    TRY(mvcc_fetch_begin(arena, key, version, &fetch));
    while (fetch.fetched < fetch.size) {
        if (SIM_MAYBE("slice.long_value_slow")) TRY(task_yield(task));
        TRY(task_yield_if_due(task));
        TRY(reader_check_again(task, slice, reader));
        TRY(mvcc_fetch_next(&slice->mvcc, &fetch, lost));
        if (*lost) goto out;
    }
    version->value = bytes_of(fetch.data, fetch.size);
out:
    return st;
}

struct status slice_read_point(struct task *task, struct slice *slice,
    const struct slice_reader *reader, struct bytes key, struct arena *arena,
    struct slice_value *value)
{
    struct mvcc_version version;
    struct pending *pending;
    bool found, lost = false;
    struct status st = reader_check(task, slice, reader);
    if (UNLIKELY(failed(st))) return st;
    struct hlc_timestamp horizon = reader_horizon(slice, reader);
again:
    while (UNLIKELY((pending = slice_pending_find(slice, key, horizon)) != NULL)) {
        TRY(pending_wait(task, pending, reader->no_wait));
        TRY(reader_check_again(task, slice, reader));
        horizon = reader_horizon(slice, reader); // What was prepared may have come to be above it.
    }
    TRY(mvcc_get(&slice->mvcc, key, horizon, arena, &version, &found));
    if (UNLIKELY(found && !reader->newest && hlc_less(reader->ts, version.ts)))
        return moved(reader, version.ts);
    if (UNLIKELY(found && version.pieces)) {
        TRY(fetch(task, slice, reader, key, arena, &version, &lost));
        if (lost) goto again;
    }
    value->value = found ? version.value : bytes_of(NULL, 0);
    value->ts = found ? version.ts : HLC_ZERO;
out:
    return st;
}

// Some of the keys, without suspending: *read of them. It is none where the first has to be waited for, or is long.
static struct status points_some(struct slice *slice, const struct slice_reader *reader,
    const struct bytes *keys, uint32_t count, struct arena *arena, struct bytes *values,
    uint32_t *read)
{
    struct status st = STATUS_OK;
    const struct hlc_timestamp horizon = reader_horizon(slice, reader);
    uint32_t i = 0;
    for (; i < count; i++) {
        struct mvcc_version version;
        bool found;
        if (UNLIKELY(slice_pending_find(slice, keys[i], horizon) != NULL)) break;
        TRY(mvcc_get_standing(&slice->mvcc, keys[i], horizon, arena, &version, &found));
        if (UNLIKELY(found && !reader->newest && hlc_less(reader->ts, version.ts))) {
            st = moved(reader, version.ts);
            goto out;
        }
        if (UNLIKELY(found && version.pieces)) break; // Read by itself: it takes several steps.
        values[i] = found ? version.value : bytes_of(NULL, 0);
    }
    slice->load_count += i;
out:
    *read = i;
    mvcc_release(&slice->mvcc);
    return st;
}

struct status slice_read_points(struct task *task, struct slice *slice,
    const struct slice_reader *reader, const struct bytes *keys, uint32_t count,
    struct arena *arena, struct bytes *values)
{
    struct status st = STATUS_OK;
    for (uint32_t at = 0, read; at < count; at += read) {
        const uint32_t asked = count - at < POINTS_BETWEEN_YIELDS ? count - at : POINTS_BETWEEN_YIELDS;
        TRY(reader_check(task, slice, reader));
        TRY(points_some(slice, reader, keys + at, asked, arena, values + at, &read));
        if (UNLIKELY(read == 0)) {
            struct slice_value value;
            TRY(slice_read_point(task, slice, reader, keys[at], arena, &value));
            values[at] = value.value;
            read = 1;
        }
        TRY(arena_check(arena));
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

static struct status span_wait(
    struct task *task, struct slice *slice, struct span span, struct hlc_timestamp ts, bool no_wait)
{
    struct pending *pending;
    struct status st = STATUS_OK;
    while (UNLIKELY((pending = slice_pending_find_span(slice, span, ts)) != NULL)) {
        TRY(pending_wait(task, pending, no_wait));
        TRY(slice_may_serve(task, slice));
    }
out:
    return st;
}

struct status slice_read_begin(struct task *task, struct slice *slice, uint64_t tenant,
    struct span span, struct hlc_timestamp ts)
{
    struct status st = read_check(task, slice, tenant, ts);
    if (!failed(st)) st = span_wait(task, slice, span, ts, false);
    return failed(st) ? st : threshold_check(slice, tenant, ts);
}

// --- scans ---------------------------------------------------------------------------------------------

struct gather {
    struct arena *arena;
    struct kv_batch *batch;
    struct kv_visitor *visitor;
    uint32_t capacity;
    uint32_t rows_max;
    size_t bytes, bytes_max;
    struct hlc_timestamp horizon;
    struct bytes long_key;            // data NULL: none. The scan has come to a version in pieces.
    struct mvcc_version long_version;
};

// A pair of the batch whose bytes are in its arena.
static void gather_pair(struct gather *gather, struct bytes key, struct bytes value)
{
    struct kv_batch *batch = gather->batch;
    if (batch->count == gather->capacity) {
        uint32_t capacity = gather->capacity == 0 ? 16 : gather->capacity * 4;
        struct kv_pair *pairs = arena_alloc(gather->arena, capacity * sizeof *pairs);
        if (batch->count > 0) memcpy(pairs, batch->pairs, batch->count * sizeof *pairs);
        batch->pairs = pairs;
        gather->capacity = capacity;
    }
    batch->pairs[batch->count++] = (struct kv_pair){.key = key, .value = value};
    gather->bytes += key.size + value.size;
}

static struct status gather_visit(struct gather *gather, struct bytes key, struct bytes value)
{
    gather->bytes += key.size + value.size;
    return kv_visit(gather->visitor, gather->arena, key, value, gather->batch->count++);
}

static struct status gather_row(struct gather *gather, struct bytes key, struct bytes value)
{
    if (gather->visitor != NULL) return gather_visit(gather, key, value);
    size_t size = key.size + value.size;
    uint8_t *copy = size > ARENA_UNCHECKED_BYTES ? arena_try_alloc(gather->arena, size)
                                                 : arena_alloc(gather->arena, size);
    if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a large value");
    memcpy(copy, key.data, key.size);
    if (value.size > 0) memcpy(copy + key.size, value.data, value.size);
    gather_pair(gather, bytes_of(copy, key.size), bytes_of(copy + key.size, value.size));
    return STATUS_OK;
}

static bool gather_full(const struct gather *gather)
{
    return gather->batch->count >= gather->rows_max || gather->bytes >= gather->bytes_max;
}

// The first eight bytes, zeros for those that are missing: where these differ, keys are in their order.
static inline uint64_t key_head(struct bytes key)
{
    uint64_t head = 0;
    if (key.size > 0) memcpy(&head, key.data, key.size < sizeof head ? key.size : sizeof head);
    return be64toh(head);
}

// The cursor comes from the one end: only the other one, of which `head` is the head, can be passed.
static inline bool passed_end(const struct slice_scan *scan, uint64_t head, struct bytes key)
{
    uint64_t own;
    if (LIKELY(key.size >= sizeof own)) {
        memcpy(&own, key.data, sizeof own);
        own = be64toh(own);
        if (LIKELY(own != head)) return scan->reverse ? own < head : own > head;
    }
    return scan->reverse ? bytes_compare(key, scan->span.start) < 0
                         : bytes_compare(key, scan->span.end) >= 0;
}

static bool counts_alone(const struct gather *gather)
{
    return gather->visitor != NULL && gather->visitor->row == NULL;
}

// The rest of the span begins (or, in reverse, ends) with this key.
static void long_found(struct gather *gather, struct slice_scan *scan, struct bytes key,
    const struct mvcc_version *version)
{
    gather->long_key = arena_copy(gather->arena, key);
    gather->long_version = *version;
    if (scan->reverse) scan->span.end = key_next(gather->arena, key);
    else scan->span.start = gather->long_key;
}

// The row that the scan stopped at, if it is still as it was.
static struct status long_row(struct task *task, struct slice *slice, const struct slice_reader *reader,
    struct slice_scan *scan, struct gather *gather)
{
    struct status st = STATUS_OK;
    bool lost;
    const struct bytes key = gather->long_key;
    struct mvcc_version *version = &gather->long_version;
    gather->long_key = bytes_of(NULL, 0);
    TRY(fetch(task, slice, reader, key, gather->arena, version, &lost));
    if (lost) goto out;
    if (gather->visitor != NULL) TRY(gather_visit(gather, key, version->value));
    else gather_pair(gather, key, version->value);
    if (hlc_less(scan->newest, version->ts)) scan->newest = version->ts;
    if (scan->reverse) scan->span.end = key;
    else scan->span.start = key_next(gather->arena, key);
    scan->done = bytes_compare(scan->span.start, scan->span.end) >= 0;
out:
    return st;
}

// Some rows, from the start (or, in reverse, the end) of scan->span, which shrinks by what was passed.
// Stops after a number of steps, so that the caller may yield: nothing of the store is held then.
static struct status scan_some(struct slice *slice, const struct slice_reader *reader,
    struct slice_scan *scan, struct gather *gather)
{
    const struct hlc_timestamp horizon = gather->horizon;
    const uint64_t head = key_head(scan->reverse ? scan->span.start : scan->span.end);
    const size_t bytes_limit = gather->bytes + BYTES_BETWEEN_YIELDS;
    enum store_direction direction = scan->reverse ? STORE_BACKWARD : STORE_FORWARD;
    struct mvcc_cursor cursor = {0};
    struct mvcc_version older;
    bool found;
    struct status st;
    uint32_t steps = 0;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    TRY(mvcc_cursor_seek(
        &cursor, direction, scan->reverse ? scan->span.end : scan->span.start, &found));
    for (; found && !passed_end(scan, head, mvcc_cursor_key(&cursor)); steps++) {
        const struct mvcc_version *version = &cursor.newest;
        bool visible = true;
        if (!hlc_less_equal(version->ts, horizon)) {
            TRY(mvcc_cursor_at(&cursor, horizon, &older, &visible));
            version = &older;
        }
        if (UNLIKELY(visible && !reader->newest && hlc_less(reader->ts, version->ts))) {
            st = moved(reader, version->ts);
            goto out;
        }
        if (visible && UNLIKELY(version->pieces) && !counts_alone(gather)) {
            long_found(gather, scan, mvcc_cursor_key(&cursor), version);
            goto out;
        }
        if (visible && !version->tombstone) {
            TRY(gather_row(gather, mvcc_cursor_key(&cursor), version->value));
            if (hlc_less(scan->newest, version->ts)) scan->newest = version->ts;
        }
        if (gather_full(gather) || steps == STEPS_BETWEEN_YIELDS ||
            UNLIKELY(gather->bytes >= bytes_limit)) {
            // The rest of the span begins after (or, in reverse, ends before) this key.
            if (scan->reverse)
                scan->span.end = arena_copy(gather->arena, mvcc_cursor_key(&cursor));
            else
                scan->span.start = key_next(gather->arena, mvcc_cursor_key(&cursor));
            goto out;
        }
        TRY(mvcc_cursor_step(&cursor, direction, &found));
    }
    scan->done = true;
out:
    mvcc_cursor_close(&cursor);
    return st;
}

struct status slice_read_span(struct task *task, struct slice *slice,
    const struct slice_reader *reader, struct slice_scan *scan, struct arena *arena,
    struct kv_batch *batch)
{
    struct gather gather = {
        .arena = arena,
        .batch = batch,
        .visitor = scan->visitor,
        .rows_max = scan->rows_max == 0 ? ROWS_DEFAULT : scan->rows_max,
        .bytes_max = scan->bytes_max == 0 ? BYTES_DEFAULT : scan->bytes_max,
    };
    struct pending *pending;
    struct status st = reader_check(task, slice, reader);
    *batch = (struct kv_batch){0};
    scan->done = bytes_compare(scan->span.start, scan->span.end) >= 0;
    if (failed(st) || scan->done) return st;
    gather.horizon = reader_horizon(slice, reader);
    for (bool first = true; !scan->done && !gather_full(&gather); first = false) {
        // At a timestamp nothing new can come to be pending while this yields; but newest means newest.
        while (UNLIKELY((first || reader->newest) && (pending = slice_pending_find_span(
                                                         slice, scan->span, gather.horizon)) != NULL)) {
            TRY(pending_wait(task, pending, reader->no_wait));
            TRY(reader_check_again(task, slice, reader));
            gather.horizon = reader_horizon(slice, reader);
        }
        TRY(scan_some(slice, reader, scan, &gather));
        if (UNLIKELY(gather.long_key.data != NULL)) TRY(long_row(task, slice, reader, scan, &gather));
        TRY(arena_check(arena));
        TRY(task_yield_if_due(task));
        TRY(reader_check_again(task, slice, reader));
    }
    scan->bytes_visited = gather.bytes;
out:
    return st;
}

// --- for validation ----------------------------------------------------------------------------------------

struct status slice_key_newest(
    struct slice *slice, struct bytes key, uint64_t own, struct hlc_timestamp *ts)
{
    // A pending write is newer than what the store has.
    if (pending_newest(slice, key, own, ts)) return STATUS_OK;
    return mvcc_newest(&slice->mvcc, key, ts);
}

// Looks at some keys from span->start on, which moves past them. *done at the end of the span.
static struct status changed_some(struct slice *slice, struct arena *arena, struct span *span,
    struct hlc_timestamp after, bool *changed, bool *done)
{
    struct mvcc_cursor cursor = {0};
    bool found;
    struct status st;
    *done = true;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    TRY(mvcc_cursor_seek(&cursor, STORE_FORWARD, span->start, &found));
    for (uint32_t steps = 0; found && bytes_compare(mvcc_cursor_key(&cursor), span->end) < 0; steps++) {
        if (hlc_less(after, cursor.newest.ts)) {
            *changed = true;
            break;
        }
        if (steps == STEPS_BETWEEN_YIELDS) {
            span->start = key_next(arena, mvcc_cursor_key(&cursor));
            *done = false;
            break;
        }
        TRY(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
    }
out:
    mvcc_cursor_close(&cursor);
    return st;
}

struct status slice_span_changed(struct task *task, struct slice *slice, struct span span,
    struct hlc_timestamp after, uint64_t own, bool *changed)
{
    struct span rest = span;
    struct status st = STATUS_OK;
    struct arena arena; // Keys between yields.
    bool done = false;
    arena_init(&arena, NULL);
    *changed = pending_in_span(slice, span, after, own);
    while (!*changed && !done) {
        TRY(changed_some(slice, &arena, &rest, after, changed, &done));
        if (!*changed && !done) TRY(task_yield_if_due(task));
    }
    // What was proposed while this yielded, and is applied already, has raised the newest commit.
    if (!*changed) *changed = pending_in_span(slice, span, after, own);
out:
    arena_fini(&arena);
    return st;
}

struct status slice_span_empty(struct slice *slice, struct span span, bool *empty)
{
    struct mvcc_cursor cursor = {0};
    bool found;
    struct status st;
    *empty = false;
    if (pending_in_span(slice, span, HLC_ZERO, 0)) return STATUS_OK;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    TRY(mvcc_cursor_seek(&cursor, STORE_FORWARD, span.start, &found));
    *empty = !found || bytes_compare(mvcc_cursor_key(&cursor), span.end) >= 0;
    if (*empty) {
        bool any;
        TRY(staged_in_span(slice, span, &any));
        *empty = !any;
    }
out:
    mvcc_cursor_close(&cursor);
    return st;
}
