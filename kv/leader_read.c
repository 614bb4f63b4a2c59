// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads at the leader, or at a follower that is far enough: points, rows of a span, with locks or without, over what the
// transaction has staged; and whether what was read still holds.
#include "core/mark.h"
#include "kv/leader_internal.h"
#include "kv/range.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"
#include "kv/validate.h"

#define SCAN_ROWS_DEFAULT 1024u // As kv/slice_read.c has it.

// While a request took its locks some of the slice may have been lost: those that it answers with are asked for all.
static bool locks_unsure(const struct slice *slice, const struct leader_call *call)
{
    return UNLIKELY(call->locks_since != 0 && call->locks_since != slice->locks->since);
}

// A node's own shards have one clock: what was acknowledged here is below any later snapshot.
static struct slice_reader reader_of(struct leader_call *call)
{
    return (struct slice_reader){
        .tenant = call->tenant,
        .ts = call->read_ts,
        .uncertain = call->uncertain,
        .certain = call->relayed ? call->certain : HLC_ZERO,
        .moved_to = &call->moved_to,
        .follower = call->follower,
    };
}

// What the transaction itself staged, if it did: that is locked, too.
static struct status get_staged(
    struct slice *slice, struct leader_get *get, uint32_t i, bool *found)
{
    const struct leader_call *call = &get->call;
    *found = false;
    if (LIKELY(call->view == NULL)) return STATUS_OK;
    struct status st = leader_staged_check(slice, call); // Former keys may have suspended.
    if (failed(st)) return st;
    st = staged_read(slice, call->owner.txn, call->view, get->keys[i],
        get->call.arena, &get->values[i], found);
    if (*found && get->skipped != NULL) get->skipped[i] = false;
    return st;
}

// One key under a lock: the newest there is, however new.
static struct status get_locked(struct task *task, struct slice *slice, struct leader_get *get,
    uint32_t i)
{
    struct status st = STATUS_OK;
    struct leader_call *call = &get->call;
    struct lock_answer answer;
    TRY(leader_lock_key(task, slice, call, &get->read, get->keys[i], &answer));
    if (get->skipped != NULL) get->skipped[i] = answer.skipped;
    if (answer.skipped) {
        get->values[i] = (struct bytes){0};
        return STATUS_OK;
    }
    if (answer.suspended) TRY(leader_serves_key(slice, call->tenant, get->keys[i]));
    const struct slice_reader reader = {.tenant = call->tenant, .newest = true};
    struct slice_value value;
    slice_read_high_raise(slice, call->read_ts);
    TRY(slice_read_point(task, slice, &reader, get->keys[i], call->arena, &value));
    get->values[i] = value.value;
    if (hlc_less(call->read_ts, value.ts)) {
        call->moved_to = hlc_max(call->moved_to, value.ts);
    }
out:
    return st;
}

static struct status serves_keys(struct slice *slice, const struct leader_get *get)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < get->count && !failed(st); i++)
        st = leader_serves_key(slice, get->call.tenant, get->keys[i]);
    return st;
}

static struct status get_settle(struct slice *slice, struct leader_get *get)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < get->count; i++) {
        const struct held_key held = {.key = get->keys[i], .mode = get->read.lock};
        if (get->skipped == NULL || !get->skipped[i])
            TRY(leader_check_held_key(slice, &get->call, &held));
    }
    get->call.locks_since = slice->locks->since;
out:
    return st;
}

struct status leader_get(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_get *get = arg;
    struct slice *slice;
    TRY(leader_slice(task, &get->call, &slice));
    const uint64_t version = slice->ranges->version;
    TRY(serves_keys(slice, get));
    if (get->count == 1) TRY(leader_serves_as_told(slice, &get->call, get->keys[0]));
    const struct slice_reader reader = reader_of(&get->call);
    if (get->count > 1 && get->read.lock == KV_LOCK_NONE && get->call.view == NULL) {
        TRY(slice_read_points(
            task, slice, &reader, get->keys, get->count, get->call.arena, get->values));
        if (get->skipped != NULL) memset(get->skipped, 0, get->count * sizeof *get->skipped);
        goto read;
    }
    for (uint32_t i = 0; i < get->count; i++) {
        bool staged;
        TRY(get_staged(slice, get, i, &staged));
        if (UNLIKELY(staged)) continue;
        if (get->read.lock != KV_LOCK_NONE) {
            TRY(get_locked(task, slice, get, i));
        } else {
            struct slice_value value;
            TRY(slice_read_point(task, slice, &reader, get->keys[i], get->call.arena, &value));
            get->values[i] = value.value;
            if (get->skipped != NULL) get->skipped[i] = false;
        }
        if (i % 64 == 63) TRY(task_yield_if_due(task));
    }
read:
    // Whoever waited may find that the range has left: others may have written there since.
    if (UNLIKELY(slice->ranges->version != version)) TRY(serves_keys(slice, get));
    if (locks_unsure(slice, &get->call)) TRY(get_settle(slice, get));
out:
    return st;
}

struct status leader_present(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_present *get = arg;
    struct slice *slice;
    TRY(leader_slice(task, &get->call, &slice));
    TRY(leader_serves_key(slice, get->call.tenant, get->key));
    TRY(leader_serves_as_told(slice, &get->call, get->key));
    const struct slice_reader reader = {
        .tenant = get->call.tenant, .ts = slice_present(slice)};
    struct slice_value value;
    TRY(slice_read_point(task, slice, &reader, get->key, get->call.arena, &value));
    TRY(leader_serves_key(slice, get->call.tenant, get->key));
    get->value = value.value;
out:
    return st;
}

static struct status scan_once(
    struct task *task, struct slice *slice, struct leader_scan *scan)
{
    const struct slice_reader reader = reader_of(&scan->call);
    struct slice_scan reading = {
        .span = scan->span, .reverse = scan->reverse, .rows_max = scan->rows_max};
    // What the transaction staged here is laid over rows that have been gathered.
    bool visits = scan->call.here && scan->read.lock == KV_LOCK_NONE && scan->call.view == NULL;
    if (!visits) scan->visitor = NULL;
    reading.visitor = scan->visitor;
    struct status st =
        slice_read_span(task, slice, &reader, &reading, scan->call.arena, &scan->batch);
    if (failed(st)) return st;
    scan->done = reading.done;
    scan->span = reading.span;
    scan->bytes_visited = reading.bytes_visited;
    return STATUS_OK;
}

// SKIP LOCKED: of the rows in the snapshot those that can be had at once, as they are now.
static struct status lock_rows_skipping(
    struct task *task, struct slice *slice, struct leader_scan *scan)
{
    struct status st = STATUS_OK;
    struct leader_call *call = &scan->call;
    const struct slice_reader reader = {.tenant = call->tenant, .newest = true};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        struct kv_pair *pair = &scan->batch.pairs[i];
        struct lock_answer answer;
        TRY(leader_lock_key(task, slice, call, &scan->read, pair->key, &answer));
        if (answer.skipped) continue;
        struct slice_value value;
        TRY(slice_read_point(task, slice, &reader, pair->key, call->arena, &value));
        if (hlc_less(call->read_ts, value.ts)) {
            call->moved_to = hlc_max(call->moved_to, value.ts);
            if (value.value.data == NULL) continue; // Deleted meanwhile.
            pair->value = value.value;
        }
        scan->batch.pairs[kept++] = *pair;
    }
    scan->batch.count = kept;
    // Others may change what is locked so: rows are as of the snapshot, and that moves first.
    if (scan->read.lock != KV_LOCK_KEY_SHARE || hlc_is_zero(call->moved_to)) goto out;
    call->moved_to = hlc_max(slice->last_commit, hlc_now(&slice->shard->hlc));
    st = status_make(K_MOVED, "rows changed after the snapshot");
out:
    return st;
}

// Locks every row of the batch. Afterwards the snapshot is either still the newest state of what
// was scanned, or the client has to move its snapshot and ask again: K_MOVED.
static struct status lock_rows(struct task *task, struct slice *slice, struct leader_scan *scan,
    struct span scanned)
{
    struct status st = STATUS_OK;
    struct leader_call *call = &scan->call;
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        struct lock_answer answer;
        TRY(leader_lock_key(task, slice, call, &scan->read, scan->batch.pairs[i].key, &answer));
    }
    TRY(leader_serves_span(slice, call->tenant, scanned));
    const struct read_entry entry = {scanned.start, scanned.end};
    st = validate_reads(task, slice, &entry, 1, call->read_ts);
    if (!status_is(st, E_SERIALIZATION_FAILURE)) return st;
    call->moved_to = hlc_max(slice->last_commit, hlc_now(&slice->shard->hlc));
    st = status_make(K_MOVED, "rows changed after the snapshot");
out:
    return st;
}

static struct status scan_overlay(struct slice *slice, struct leader_scan *scan, struct span asked)
{
    struct staged_overlay overlay = {
        .txn = scan->call.owner.txn,
        .view = scan->call.view,
        .covered = asked,
        .reverse = scan->reverse,
        .rows_max = scan->rows_max == 0 ? SCAN_ROWS_DEFAULT : scan->rows_max,
        .arena = scan->call.arena,
        .batch = &scan->batch,
    };
    if (!scan->done && !scan->reverse) overlay.covered.end = scan->span.start;
    if (!scan->done && scan->reverse) overlay.covered.start = scan->span.end;
    struct status st = leader_staged_check(slice, &scan->call); // The scan may have suspended.
    if (!failed(st)) st = staged_overlay(slice, &overlay);
    if (failed(st) || !overlay.cut) return st;
    scan->done = false;
    scan->span = asked;
    if (scan->reverse) {
        scan->span.end = overlay.covered.start;
    } else {
        scan->span.start = overlay.covered.end;
    }
    return STATUS_OK;
}

static struct status scan_settle(struct slice *slice, struct leader_scan *scan)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < scan->batch.count; i++) {
        const struct held_key held = {.key = scan->batch.pairs[i].key, .mode = scan->read.lock};
        TRY(leader_check_held_key(slice, &scan->call, &held));
    }
    scan->call.locks_since = slice->locks->since;
out:
    return st;
}

struct status leader_scan(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_scan *scan = arg;
    struct slice *slice;
    TRY(leader_slice(task, &scan->call, &slice));
    TRY(leader_serves_span(slice, scan->call.tenant, scan->span));
    TRY(leader_serves_as_told(slice, &scan->call, scan->span.start));
    struct span asked = scan->span;
    uint64_t version = slice->ranges->version;
    TRY(scan_once(task, slice, scan));
    // A long scan yields: the range may have gone away with rows that came after.
    if (slice->ranges->version != version)
        TRY(leader_serves_span(slice, scan->call.tenant, asked));
    if (scan->read.lock == KV_LOCK_NONE) goto overlay;
    if (scan->read.wait == KV_WAIT_SKIP) {
        st = lock_rows_skipping(task, slice, scan);
        if (status_is(st, K_MOVED)) scan->span = asked;
        TRY(st);
        TRY(leader_serves_span(slice, scan->call.tenant, asked));
        goto overlay;
    }
    struct span scanned = asked;
    if (!scan->done && !scan->reverse) scanned.end = scan->span.start;
    if (!scan->done && scan->reverse) scanned.start = scan->span.end;
    st = lock_rows(task, slice, scan, scanned);
    if (status_is(st, K_MOVED)) scan->span = asked;
    TRY(st);
overlay:
    if (locks_unsure(slice, &scan->call)) TRY(scan_settle(slice, scan));
    if (UNLIKELY(scan->call.view != NULL)) st = scan_overlay(slice, scan, asked);
out:
    return st;
}

struct status leader_refresh(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_refresh *refresh = arg;
    struct slice *slice;
    TRY(leader_slice(task, &refresh->call, &slice));
    TRY(leader_serves_reads(slice, refresh->call.tenant, refresh->entries, refresh->count));
    slice_read_high_raise(slice, refresh->to);
    TRY(validate_reads(task, slice, refresh->entries, refresh->count, refresh->call.read_ts));
    TRY(leader_serves_reads(slice, refresh->call.tenant, refresh->entries, refresh->count));
out:
    return st;
}
