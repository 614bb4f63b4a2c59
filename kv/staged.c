// SPDX-License-Identifier: GPL-3.0-or-later
//
// In the store's table of records, beside the rows (kv/staged_row.h):
//     META_STAGES + txn   tenant, record slice, sequence u64 | state u8 | ts | since | sizes of the first and the last
//                         key, hidden count u32 | keys | hidden epochs
#include "kv/staged.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/lock.h"
#include "kv/slice_internal.h"
#include "kv/staged_row.h"
#include "kv/write_buffer.h"

#define OVERLAY_STEPS_MAX 4096u
#define OVERLAY_BYTES_MAX (1u << 20)
#define HOLDS_STEPS_MAX 256u
#define STATE_BYTES (3u * 8u + 1u + 2u * HLC_ENCODED_BYTES + 3u * 4u)

static struct status malformed(void)
{
    return status_make(E_DATA_CORRUPTED, "malformed staged write");
}

// --- the state of a transaction --------------------------------------------------------------------------

static struct bytes state_name(uint64_t txn, uint8_t out[META_NUMBER_KEY_BYTES])
{
    return meta_number_key(META_STAGES, txn, out);
}

// Keys and hidden epochs point into the record, or wherever the caller had them.
static struct status state_decode(struct bytes record, struct staged *state)
{
    uint32_t sizes[3];
    if (record.size < STATE_BYTES) return malformed();
    const uint8_t *at = record.data;
    memcpy(&state->tenant, at, 8);
    memcpy(&state->record_slice, at + 8, 8);
    memcpy(&state->sequence, at + 16, 8);
    uint8_t which = at[24];
    if (which < STAGED_OPEN || which > STAGED_ABORTED) return malformed();
    state->state = (enum staged_state)which;
    state->ts = hlc_decode(at + 25);
    state->since = hlc_decode(at + 25 + HLC_ENCODED_BYTES);
    memcpy(sizes, at + 25 + 2 * HLC_ENCODED_BYTES, sizeof sizes);
    struct bytes rest = bytes_skip(record, STATE_BYTES);
    if (sizes[0] > KEY_BYTES_MAX + 1 || sizes[1] > KEY_BYTES_MAX || sizes[2] > STAGED_HIDDEN_MAX ||
        rest.size != (size_t)sizes[0] + sizes[1] + sizes[2] * sizeof(struct staged_hidden))
        return malformed();
    state->bounds.start = bytes_of(rest.data, sizes[0]);
    state->bounds.end = bytes_of(rest.data + sizes[0], sizes[1]);
    state->hidden_count = sizes[2];
    state->hidden = NULL; // state_hidden copies: it may lie anyhow.
    return STATUS_OK;
}

static void state_hidden(struct bytes record, struct staged_hidden *hidden, uint32_t count)
{
    size_t size = count * sizeof *hidden;
    if (size > 0) memcpy(hidden, record.data + record.size - size, size);
}

static struct status state_load(
    struct slice *slice, struct arena *arena, uint64_t txn, struct staged *state, bool *found)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes record;
    *state = (struct staged){.slice = slice, .txn = txn};
    struct status st =
        store_get(slice->store, STORE_META, state_name(txn, name), &record, found);
    if (!failed(st) && *found) {
        record = arena_copy(arena, record);
        st = state_decode(record, state);
        if (!failed(st)) {
            state->hidden = ARENA_ARRAY(arena, struct staged_hidden, state->hidden_count);
            state_hidden(record, state->hidden, state->hidden_count);
        }
    }
    store_release(slice->store);
    return st;
}

static struct status state_put(struct slice *slice, struct arena *arena, const struct staged *state)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    const uint32_t sizes[3] = {(uint32_t)state->bounds.start.size,
        (uint32_t)state->bounds.end.size, state->hidden_count};
    struct buffer record;
    buffer_init(&record, arena);
    uint8_t *at = buffer_reserve(&record, STATE_BYTES);
    memcpy(at, &state->tenant, 8);
    memcpy(at + 8, &state->record_slice, 8);
    memcpy(at + 16, &state->sequence, 8);
    at[24] = (uint8_t)state->state;
    hlc_encode(state->ts, at + 25);
    hlc_encode(state->since, at + 25 + HLC_ENCODED_BYTES);
    memcpy(at + 25 + 2 * HLC_ENCODED_BYTES, sizes, sizeof sizes);
    record.size = STATE_BYTES;
    buffer_append_bytes(&record, state->bounds.start);
    buffer_append_bytes(&record, state->bounds.end);
    if (state->hidden_count > 0) {
        buffer_append(&record, (const uint8_t *)state->hidden,
            state->hidden_count * sizeof *state->hidden);
    }
    return store_put(slice->store, STORE_META, state_name(state->txn, name), buffer_bytes(&record));
}

void staged_hidden_encode(struct buffer *out, const struct staged_view *view)
{
    if (view->hidden_count == 0) return;
    buffer_append(
        out, (const uint8_t *)view->hidden, view->hidden_count * sizeof *view->hidden);
}

// --- applying --------------------------------------------------------------------------------------------

struct status staged_apply_stage(struct slice_apply *apply, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct slice *slice = apply->slice;
    struct staged state;
    struct arena arena;
    bool found;
    arena_init(&arena, NULL);
    TRY(state_load(slice, &arena, op->txn, &state, &found));
    if (found && state.state != STAGED_OPEN) goto out; // Given up by another: it comes too late.
    if (!found) {
        state.state = STAGED_OPEN;
        state.tenant = op->tenant;
        state.record_slice = op->record_slice;
    }
    state.sequence = op->sequence > state.sequence ? op->sequence : state.sequence;
    state.since = hlc_max(state.since, op->ts);
    TRY(rows_put(apply, op, &state.bounds));
    TRY(state_put(slice, &arena, &state));
out:
    arena_fini(&arena);
    return st;
}

// Changes a state that is there; `change` says false of an entry that comes too late.
static struct status state_change(struct slice *slice, const struct entry_op *op,
    bool (*change)(struct staged *state, struct arena *arena, const struct entry_op *op))
{
    struct status st = STATUS_OK;
    struct staged state;
    struct arena arena;
    bool found;
    arena_init(&arena, NULL);
    TRY(state_load(slice, &arena, op->txn, &state, &found));
    if (!found || !change(&state, &arena, op)) goto out;
    state.ts = op->ts;
    st = state_put(slice, &arena, &state);
out:
    arena_fini(&arena);
    return st;
}

static bool seal(struct staged *state, struct arena *arena, const struct entry_op *op)
{
    if (state->state != STAGED_OPEN || state->sequence != op->sequence) return false;
    size_t count = op->value.size / sizeof(struct staged_hidden);
    if (count > STAGED_HIDDEN_MAX) count = STAGED_HIDDEN_MAX; // Refused before it was proposed.
    state->state = STAGED_SEALED;
    state->hidden_count = (uint32_t)count;
    state->hidden = ARENA_ARRAY(arena, struct staged_hidden, count);
    if (count > 0) memcpy(state->hidden, op->value.data, count * sizeof *state->hidden);
    return true;
}

struct status staged_apply_seal(struct slice *slice, const struct entry_op *op)
{
    return state_change(slice, op, seal);
}

static bool resolve(struct staged *state, struct arena *arena, const struct entry_op *op)
{
    (void)arena;
    if (state->state > STAGED_SEALED) return false;
    if (op->commit && state->state != STAGED_SEALED) return false; // Never asked for.
    state->state = op->commit ? STAGED_COMMITTED : STAGED_ABORTED;
    return true;
}

struct status staged_apply_resolve(struct slice *slice, const struct entry_op *op)
{
    return state_change(slice, op, resolve);
}

// Rows to go: nothing changes while they are read.
struct drain {
    struct drained {
        struct entry_item item;
        bool puts;            // Otherwise all of it is rolled back.
        bool single;          // It lies by itself, too.
        struct bytes run_end; // The first key of the run that ends with it.
    } *rows;
    uint32_t count;
    size_t bytes;
    bool all;
    struct bytes next; // Key from which the rest is.
};

static struct status drain_take(const struct row_iterator *rows, const struct staged *state,
    struct arena *arena, struct drain *drain)
{
    const struct staged_view view = {state->hidden, state->hidden_count};
    struct drained *row = &drain->rows[drain->count++];
    struct row_version version;
    *row = (struct drained){.item.key = arena_copy(arena, rows->key), .single = rows->versions.own.size > 0};
    struct bytes run = rows_run_ending(rows);
    if (run.data != NULL) row->run_end = arena_copy(arena, run);
    drain->bytes += rows->key.size;
    if (state->state != STAGED_COMMITTED) return STATUS_OK;
    struct status st = row_visible(rows->versions, &view, &version, &row->puts);
    if (failed(st) || !row->puts) return st;
    row->item.tombstone = version.tombstone;
    if (!version.tombstone) row->item.value = arena_copy(arena, version.value);
    drain->bytes += version.value.size;
    return STATUS_OK;
}

static struct status drain_gather(struct slice *slice, const struct staged *state,
    struct arena *arena, uint32_t rows_max, struct drain *drain)
{
    struct status st = STATUS_OK;
    struct row_iterator rows = {0};
    drain->rows = ARENA_ARRAY(arena, struct drained, rows_max);
    TRY(rows_open(slice, state->txn, arena, STORE_FORWARD, state->bounds.start, &rows));
    while (rows.found && bytes_compare(rows.key, state->bounds.end) <= 0) {
        if (rows.mine && (drain->count == rows_max || drain->bytes >= STAGED_DRAIN_BYTES)) {
            drain->next = arena_copy(arena, rows.key);
            goto out;
        }
        if (rows.mine) TRY(drain_take(&rows, state, arena, drain));
        TRY(rows_step(&rows));
    }
    drain->all = true;
out:
    rows_close(&rows);
    return st;
}

static struct status drain_row(struct slice *slice, const struct staged *state,
    struct arena *arena, const struct drained *row, struct entry_builder *told)
{
    struct status st = STATUS_OK;
    if (row->puts) {
        const struct entry_item *item = &row->item;
        TRY(mvcc_put(&slice->mvcc, item->key, state->ts, item->value, item->tombstone, false));
        entry_item_append(told, item);
    }
    if (row->single) TRY(single_remove(slice, arena, row->item.key));
    if (row->run_end.data != NULL) TRY(run_remove(slice, arena, state->txn, row->run_end));
out:
    return st;
}

struct status staged_apply_drain(
    struct slice *slice, const struct entry_op *op, struct arena *arena, struct bytes *told)
{
    struct status st = STATUS_OK;
    struct staged state;
    struct drain drain = {0};
    struct entry_builder builder;
    uint8_t name[META_NUMBER_KEY_BYTES];
    bool found;
    *told = bytes_of(NULL, 0);
    TRY(state_load(slice, arena, op->txn, &state, &found));
    if (!found || state.state < STAGED_COMMITTED) goto out;
    uint32_t rows_max = op->sequence < 4096 ? (uint32_t)op->sequence : 4096;
    TRY(drain_gather(slice, &state, arena, rows_max, &drain));
    entry_begin(&builder, arena);
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_WRITES,
                                  .tenant = state.tenant,
                                  .txn = state.txn,
                                  .ts = state.ts});
    for (uint32_t i = 0; i < drain.count; i++)
        TRY(drain_row(slice, &state, arena, &drain.rows[i], &builder));
    *told = entry_end(&builder);
    if (state.state != STAGED_COMMITTED) *told = bytes_of(NULL, 0);
    if (drain.all) {
        st = store_remove(slice->store, STORE_META, state_name(state.txn, name));
        goto out;
    }
    state.bounds.start = drain.next;
    st = state_put(slice, arena, &state);
out:
    return st;
}

// --- in memory -------------------------------------------------------------------------------------------

struct staged *staged_find(const struct slice *slice, uint64_t txn)
{
    if (list_empty(&slice->staged)) return NULL;
    const struct list_link *head = &slice->staged;
    for (struct list_link *at = head->next; at != head; at = at->next) {
        struct staged *staged = container_of(at, struct staged, link);
        if (staged->txn == txn) return staged;
    }
    return NULL;
}

static void bounds_free(struct staged *staged)
{
    free((void *)(uintptr_t)staged->bounds.start.data);
    free((void *)(uintptr_t)staged->bounds.end.data);
    free(staged->hidden);
    staged->hidden = NULL;
    staged->bounds = (struct span){0};
}

static void staged_destroy(struct staged *staged)
{
    struct slice *slice = staged->slice;
    if (staged->waited_for) pending_remove(slice, &staged->pending, STATUS_OK);
    list_remove(&staged->link);
    store_gap_fini(&staged->run_gap);
    wait_queue_wake_all(&staged->drained, STATUS_OK);
    // Whoever waits for one of its rows can have it.
    if (slice->locks != NULL) lock_release_all(slice->locks, staged->txn);
    bounds_free(staged);
    free(staged);
}

static struct bytes owned_copy(struct bytes bytes)
{
    uint8_t *copy = malloc(bytes.size + 1);
    invariant(copy != NULL);
    memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

// From the seal until all is drained readers wait; of what is aborted there is nothing to wait for.
static void wait_update(struct staged *staged)
{
    bool wanted = staged->state == STAGED_SEALED || staged->state == STAGED_COMMITTED;
    struct pending *pending = &staged->pending;
    if (wanted && !staged->waited_for) {
        *pending = (struct pending){.ts = staged->ts,
            .txn = staged->txn,
            .record_slice = staged->record_slice,
            .tenant = staged->tenant,
            .bounds = staged->bounds,
            .coarse = true,
            .key_count = 1,
            .staged = staged};
        pending_add(staged->slice, pending, &staged->slice->prepared);
        staged->waited_for = true;
    } else if (!wanted && staged->waited_for) {
        pending_remove(staged->slice, pending, STATUS_OK);
        staged->waited_for = false;
    }
    if (staged->waited_for) pending->bounds = staged->bounds;
}

struct status staged_load(struct slice *slice, uint64_t txn, struct bytes record)
{
    struct staged state = {.slice = slice, .txn = txn};
    struct status st = state_decode(record, &state);
    if (failed(st)) return st;
    struct staged *staged = staged_find(slice, txn);
    if (staged == NULL) {
        staged = calloc(1, sizeof *staged);
        invariant(staged != NULL);
        staged->slice = slice;
        staged->txn = txn;
        wait_queue_init(&staged->drained);
        store_gap_init(&staged->run_gap);
        list_append(&slice->staged, &staged->link);
    }
    bounds_free(staged);
    staged->tenant = state.tenant;
    staged->record_slice = state.record_slice;
    staged->sequence = state.sequence;
    staged->state = state.state;
    staged->ts = state.ts;
    staged->since = state.since;
    staged->bounds =
        (struct span){owned_copy(state.bounds.start), owned_copy(state.bounds.end)};
    staged->hidden_count = state.hidden_count;
    staged->hidden = calloc((size_t)state.hidden_count + 1, sizeof *staged->hidden);
    invariant(staged->hidden != NULL);
    state_hidden(record, staged->hidden, state.hidden_count);
    wait_update(staged);
    return STATUS_OK;
}

void staged_remember(struct slice *slice, uint64_t txn)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes record;
    bool found;
    struct status st =
        store_get(slice->store, STORE_META, state_name(txn, name), &record, &found);
    if (!failed(st) && found) st = staged_load(slice, txn, record);
    store_release(slice->store);
    if (failed(st)) {
        slice_fail(slice, st, "reading staged writes");
        return;
    }
    struct staged *staged = staged_find(slice, txn);
    if (!found && staged != NULL) staged_destroy(staged);
}

void staged_drop_all(struct slice *slice)
{
    while (!list_empty(&slice->staged))
        staged_destroy(container_of(slice->staged.next, struct staged, link));
}

// --- looking ---------------------------------------------------------------------------------------------

static bool in_bounds(const struct staged *staged, struct bytes key)
{
    return bytes_compare(staged->bounds.start, key) <= 0 &&
           bytes_compare(key, staged->bounds.end) <= 0;
}

struct status staged_owner(struct slice *slice, struct bytes key, uint64_t txn, uint64_t *owner)
{
    struct status st = STATUS_OK;
    bool possible = false;
    *owner = 0;
    for (struct list_link *at = slice->staged.next; at != &slice->staged; at = at->next) {
        struct staged *staged = container_of(at, struct staged, link);
        if (staged->txn == txn || !in_bounds(staged, key)) continue;
        bool there;
        possible = true;
        TRY(row_in_run(staged, key, &there));
        if (!there) continue;
        *owner = staged->txn;
        return STATUS_OK;
    }
    if (possible) TRY(row_owner(slice, key, txn, owner));
out:
    return st;
}

bool staged_by_other(const struct slice *slice, uint64_t txn)
{
    const struct list_link *head = &slice->staged;
    for (const struct list_link *at = head->next; at != head; at = at->next)
        if (container_of(at, const struct staged, link)->txn != txn) return true;
    head = &slice->staging;
    for (const struct list_link *at = head->next; at != head; at = at->next)
        if (container_of(at, const struct staging, link)->txn != txn) return true;
    return false;
}

static bool staging_has(const struct staging *staging, struct bytes key)
{
    uint32_t low = 0, high = staging->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const int order = bytes_compare(staging->writes[middle]->key, key);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

const struct staging *staging_find(const struct slice *slice, struct bytes key, uint64_t txn)
{
    const struct list_link *head = &slice->staging;
    for (const struct list_link *at = head->next; at != head; at = at->next) {
        const struct staging *staging = container_of(at, const struct staging, link);
        if (staging->txn != txn && staging_has(staging, key)) return staging;
    }
    return NULL;
}

struct status staged_read(struct slice *slice, uint64_t txn, const struct staged_view *view,
    struct bytes key, struct arena *arena, struct bytes *value, bool *found)
{
    struct row_versions versions;
    struct row_version version;
    struct staged *staged = staged_find(slice, txn);
    *found = false;
    if (staged == NULL || !in_bounds(staged, key)) return STATUS_OK;
    struct status st = row_read(staged, key, arena, &versions);
    if (!failed(st)) st = row_visible(versions, view, &version, found);
    if (!failed(st) && *found) *value = version.tombstone ? bytes_of(NULL, 0) : version.value;
    return st;
}

bool staged_holds(struct staged *staged, struct bytes key)
{
    bool there;
    if (!in_bounds(staged, key)) return false;
    struct status st = row_there(staged, key, &there);
    return failed(st) || there;
}

bool staged_holds_any(struct staged *staged, struct span span)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct row_iterator rows = {0};
    bool holds = false;
    arena_init(&arena, NULL);
    struct bytes from = bytes_compare(span.start, staged->bounds.start) < 0 ? staged->bounds.start
                                                                           : span.start;
    TRY(rows_open(staged->slice, staged->txn, &arena, STORE_FORWARD, from, &rows));
    for (uint32_t steps = 0; rows.found && !holds; steps++) {
        if (bytes_compare(rows.key, staged->bounds.end) > 0 ||
            bytes_compare(rows.key, span.end) >= 0)
            break;
        holds = rows.mine || steps == HOLDS_STEPS_MAX;
        TRY(rows_step(&rows));
    }
out:
    rows_close(&rows);
    arena_fini(&arena);
    return holds || failed(st);
}

struct status staged_in_span(struct slice *slice, struct span span, bool *any)
{
    *any = false;
    for (struct list_link *at = slice->staged.next; at != &slice->staged && !*any; at = at->next)
        *any = staged_holds_any(container_of(at, struct staged, link), span);
    for (struct list_link *at = slice->staging.next; at != &slice->staging && !*any; at = at->next) {
        const struct staging *staging = container_of(at, struct staging, link);
        for (uint32_t i = 0; i < staging->count && !*any; i++)
            *any = span_contains(span, staging->writes[i]->key);
    }
    return STATUS_OK;
}

// --- the transaction's own view --------------------------------------------------------------------------

struct merge {
    struct staged_overlay *overlay;
    struct row_iterator rows;
    bool found; // `rows` stands on a row within what is covered.
    struct kv_batch stored;
    struct kv_pair *out;
    uint32_t at, count;
    size_t bytes;
};

static void merge_look(struct merge *merge)
{
    merge->found = merge->rows.found && span_contains(merge->overlay->covered, merge->rows.key);
}

static struct status merge_step(struct merge *merge)
{
    struct status st = rows_step(&merge->rows);
    if (!failed(st)) merge_look(merge);
    return st;
}

static struct status merge_begin(struct slice *slice, struct merge *merge)
{
    const struct staged_overlay *overlay = merge->overlay;
    struct bytes from = overlay->reverse ? overlay->covered.end : overlay->covered.start;
    struct status st = rows_open(slice, overlay->txn, overlay->arena,
        overlay->reverse ? STORE_BACKWARD : STORE_FORWARD, from, &merge->rows);
    if (!failed(st)) merge_look(merge);
    return st;
}

// Below 0: the stored row comes first; above: the staged one.
static int merge_order(const struct merge *merge)
{
    if (!merge->found) return -1;
    if (merge->at == merge->stored.count) return 1;
    int order = bytes_compare(merge->stored.pairs[merge->at].key, merge->rows.key);
    return merge->overlay->reverse ? -order : order;
}

// The batch answers for what came so far, and no more.
static void merge_cut(struct merge *merge)
{
    struct staged_overlay *overlay = merge->overlay;
    struct bytes next =
        merge_order(merge) <= 0 ? merge->stored.pairs[merge->at].key : merge->rows.key;
    overlay->cut = true;
    if (overlay->reverse)
        overlay->covered.start = key_next(overlay->arena, next);
    else
        overlay->covered.end = arena_copy(overlay->arena, next);
}

// One row goes out, or is passed over. *done when the batch is full.
static struct status merge_one(struct merge *merge, bool *done)
{
    struct status st = STATUS_OK;
    struct staged_overlay *overlay = merge->overlay;
    struct row_version version;
    bool own = false;
    const int order = merge_order(merge);
    if (order >= 0 && merge->rows.mine)
        TRY(row_visible(merge->rows.versions, overlay->view, &version, &own));
    bool emits = own ? !version.tombstone : order <= 0;
    if (emits && (merge->count == overlay->rows_max || merge->bytes >= OVERLAY_BYTES_MAX)) {
        merge_cut(merge);
        *done = true;
        goto out;
    }
    if (emits) {
        struct kv_pair *pair = &merge->out[merge->count++];
        if (own) {
            pair->key = arena_copy(overlay->arena, merge->rows.key);
            pair->value = arena_copy(overlay->arena, version.value);
        } else {
            *pair = merge->stored.pairs[merge->at];
        }
        merge->bytes += pair->key.size + pair->value.size;
    }
    if (order <= 0) merge->at++;
    if (order >= 0) TRY(merge_step(merge));
out:
    return st;
}

struct status staged_overlay(struct slice *slice, struct staged_overlay *overlay)
{
    struct status st = STATUS_OK;
    struct merge merge = {.overlay = overlay, .stored = *overlay->batch};
    bool done = false;
    overlay->cut = false;
    if (staged_find(slice, overlay->txn) == NULL) return STATUS_OK;
    TRY(merge_begin(slice, &merge));
    if (!merge.found) goto out;
    covered("staged.overlay");
    merge.out = ARENA_ARRAY(overlay->arena, struct kv_pair, overlay->rows_max);
    for (uint32_t steps = 0; !done && (merge.at < merge.stored.count || merge.found); steps++) {
        if (steps == OVERLAY_STEPS_MAX) {
            // Much that is deleted or another's: the rest is for the next call.
            merge_cut(&merge);
            break;
        }
        TRY(merge_one(&merge, &done));
    }
    *overlay->batch = (struct kv_batch){merge.out, merge.count};
out:
    rows_close(&merge.rows);
    return st;
}
