// SPDX-License-Identifier: GPL-3.0-or-later
//
// In the store's table of records:
//     META_STAGED + key   txn u64 | versions, newest first: epoch u64 | tombstone u8 | size u32 | value
//     META_STAGES + txn   tenant, record slice, sequence u64 | state u8 | ts | since | sizes of the first and the last
//                         key, hidden count u32 | keys | hidden epochs
#include "kv/staged.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/lock.h"
#include "kv/slice_internal.h"

#define OVERLAY_STEPS_MAX 4096u
#define OVERLAY_BYTES_MAX (1u << 20)
#define HOLDS_STEPS_MAX 256u
#define ROW_HEADER_BYTES 8u
#define VERSION_HEADER_BYTES 13u
#define STATE_BYTES (3u * 8u + 1u + 2u * HLC_ENCODED_BYTES + 3u * 4u)

static struct status malformed(void)
{
    return status_make(E_DATA_CORRUPTED, "malformed staged write");
}

static struct bytes row_name(struct arena *arena, struct bytes key)
{
    struct buffer name;
    buffer_init(&name, arena);
    buffer_append_u8(&name, META_STAGED);
    buffer_append_bytes(&name, key);
    return buffer_bytes(&name);
}

// --- a row -----------------------------------------------------------------------------------------------

struct row_version {
    uint64_t epoch;
    bool tombstone;
    struct bytes value;
};

static struct status row_txn(struct bytes *rest, uint64_t *txn)
{
    if (rest->size < ROW_HEADER_BYTES) return malformed();
    memcpy(txn, rest->data, 8);
    *rest = bytes_skip(*rest, ROW_HEADER_BYTES);
    return STATUS_OK;
}

static struct status version_next(struct bytes *rest, struct row_version *version)
{
    uint32_t size;
    if (rest->size < VERSION_HEADER_BYTES) return malformed();
    memcpy(&version->epoch, rest->data, 8);
    version->tombstone = rest->data[8];
    memcpy(&size, rest->data + 9, 4);
    *rest = bytes_skip(*rest, VERSION_HEADER_BYTES);
    if (size > rest->size) return malformed();
    version->value = bytes_of(rest->data, size);
    *rest = bytes_skip(*rest, size);
    return STATUS_OK;
}

static bool is_hidden(const struct staged_view *view, uint64_t epoch)
{
    for (uint32_t i = 0; i < view->hidden_count; i++) {
        if (view->hidden[i].from <= epoch && epoch < view->hidden[i].to) return true;
    }
    return false;
}

// The newest version that is not rolled back.
static struct status version_visible(struct bytes versions, const struct staged_view *view,
    struct row_version *version, bool *found)
{
    *found = false;
    while (versions.size > 0 && !*found) {
        struct status st = version_next(&versions, version);
        if (failed(st)) return st;
        *found = !is_hidden(view, version->epoch);
    }
    return STATUS_OK;
}

static void version_append(struct buffer *row, const struct entry_item *item)
{
    uint64_t epoch = item->ts.wall_ns;
    uint32_t size = item->tombstone ? 0 : (uint32_t)item->value.size;
    buffer_append(row, (const uint8_t *)&epoch, 8);
    buffer_append_u8(row, item->tombstone);
    buffer_append(row, (const uint8_t *)&size, 4);
    if (size > 0) buffer_append(row, item->value.data, size);
}

// Puts one write on top of the row. Again is nothing: of an epoch the last one written counts.
static struct status row_put(
    struct slice *slice, struct arena *arena, uint64_t txn, const struct entry_item *item)
{
    struct status st = STATUS_OK;
    struct bytes name = row_name(arena, item->key);
    struct bytes former;
    struct buffer row;
    bool found;
    TRY(store_get(slice->store, STORE_META, name, &former, &found));
    buffer_init(&row, arena);
    buffer_append(&row, (const uint8_t *)&txn, 8);
    version_append(&row, item);
    if (found) {
        uint64_t owner;
        TRY(row_txn(&former, &owner));
        if (owner != txn) {
            st = status_make(E_DATA_CORRUPTED, "two transactions have staged one key");
            goto out;
        }
        struct bytes older = former;
        struct row_version top;
        TRY(version_next(&older, &top));
        if (item->ts.wall_ns < top.epoch) goto out;
        buffer_append_bytes(&row, top.epoch == item->ts.wall_ns ? older : former);
    }
    store_release(slice->store);
    return store_put(slice->store, STORE_META, name, buffer_bytes(&row));
out:
    store_release(slice->store);
    return st;
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

static void bounds_widen(struct span *bounds, struct bytes key)
{
    if (bounds->end.data == NULL) {
        *bounds = (struct span){key, key};
        return;
    }
    if (bytes_compare(key, bounds->start) < 0) bounds->start = key;
    if (bytes_compare(bounds->end, key) < 0) bounds->end = key;
}

struct status staged_apply_stage(struct slice_apply *apply, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct slice *slice = apply->slice;
    struct staged state;
    struct arena arena, scratch;
    struct entry_items items;
    struct entry_item item;
    bool found;
    arena_init(&arena, NULL);
    arena_init(&scratch, NULL);
    TRY(state_load(slice, &arena, op->txn, &state, &found));
    if (found && state.state != STAGED_OPEN) goto out; // Given up by another: it comes too late.
    if (!found) {
        state.state = STAGED_OPEN;
        state.tenant = op->tenant;
        state.record_slice = op->record_slice;
    }
    state.sequence = op->sequence > state.sequence ? op->sequence : state.sequence;
    state.since = hlc_max(state.since, op->ts);
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        bounds_widen(&state.bounds, item.key);
        TRY(row_put(slice, &scratch, op->txn, &item));
        arena_reset(&scratch);
        TRY(slice_apply_pause(apply, item.key.size + item.value.size + 64));
    }
    TRY(state_put(slice, &arena, &state));
out:
    arena_fini(&scratch);
    arena_fini(&arena);
    return st;
}

struct status staged_apply_seal(struct slice *slice, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct staged state;
    struct arena arena;
    bool found;
    arena_init(&arena, NULL);
    TRY(state_load(slice, &arena, op->txn, &state, &found));
    if (!found || state.state != STAGED_OPEN || state.sequence != op->sequence) goto out;
    size_t count = op->value.size / sizeof(struct staged_hidden);
    if (count > STAGED_HIDDEN_MAX) count = STAGED_HIDDEN_MAX; // Refused before it was proposed.
    state.state = STAGED_SEALED;
    state.ts = op->ts;
    state.hidden_count = (uint32_t)count;
    state.hidden = ARENA_ARRAY(&arena, struct staged_hidden, count);
    if (count > 0) memcpy(state.hidden, op->value.data, count * sizeof *state.hidden);
    st = state_put(slice, &arena, &state);
out:
    arena_fini(&arena);
    return st;
}

struct status staged_apply_resolve(struct slice *slice, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct staged state;
    struct arena arena;
    bool found;
    arena_init(&arena, NULL);
    TRY(state_load(slice, &arena, op->txn, &state, &found));
    if (!found || state.state > STAGED_SEALED) goto out;
    if (op->commit && state.state != STAGED_SEALED) goto out; // Never asked for.
    state.state = op->commit ? STAGED_COMMITTED : STAGED_ABORTED;
    state.ts = op->ts;
    st = state_put(slice, &arena, &state);
out:
    arena_fini(&arena);
    return st;
}

struct drain {
    struct bytes *names; // Of the rows to go.
    struct bytes *rows;
    uint32_t count;
    size_t bytes;
    bool all;
    struct bytes next; // Key from which the rest is.
};

// Gathers the next rows of the transaction: nothing changes while the cursor is open.
static struct status drain_gather(struct slice *slice, const struct staged *state,
    struct arena *arena, uint32_t rows_max, struct drain *drain)
{
    struct status st = STATUS_OK;
    struct store_cursor *cursor = NULL;
    struct bytes last = row_name(arena, state->bounds.end);
    bool found;
    drain->names = ARENA_ARRAY(arena, struct bytes, rows_max);
    drain->rows = ARENA_ARRAY(arena, struct bytes, rows_max);
    TRY(store_cursor_open(slice->store, STORE_META, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, row_name(arena, state->bounds.start), &found));
    while (found && bytes_compare(cursor->key, last) <= 0) {
        struct bytes row = cursor->value;
        uint64_t owner;
        TRY(row_txn(&row, &owner));
        if (owner == state->txn) {
            if (drain->count == rows_max || drain->bytes >= STAGED_DRAIN_BYTES) {
                drain->next = arena_copy(arena, bytes_skip(cursor->key, 1));
                goto out;
            }
            drain->names[drain->count] = arena_copy(arena, cursor->key);
            drain->rows[drain->count++] = arena_copy(arena, row);
            drain->bytes += cursor->key.size + row.size;
        }
        TRY(store_step(cursor, STORE_FORWARD, &found));
    }
    drain->all = true;
out:
    store_cursor_close(cursor);
    return st;
}

static struct status drain_row(struct slice *slice, const struct staged *state, struct bytes name,
    struct bytes row, struct entry_builder *told)
{
    struct status st = STATUS_OK;
    if (state->state == STAGED_COMMITTED) {
        const struct staged_view view = {state->hidden, state->hidden_count};
        struct row_version version;
        bool visible;
        TRY(version_visible(row, &view, &version, &visible));
        if (visible) {
            const struct entry_item item = {.key = bytes_skip(name, 1),
                .value = version.tombstone ? bytes_of(NULL, 0) : version.value,
                .tombstone = version.tombstone};
            TRY(mvcc_put(&slice->mvcc, item.key, state->ts, item.value, item.tombstone, false));
            entry_item_append(told, &item);
        }
    }
    TRY(store_remove(slice->store, STORE_META, name));
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
        TRY(drain_row(slice, &state, drain.names[i], drain.rows[i], &builder));
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

// Reads a row; *owner 0: there is none. *versions stays until store_release.
static struct status row_get(struct slice *slice, struct arena *arena, struct bytes key,
    uint64_t *owner, struct bytes *versions)
{
    bool found;
    *owner = 0;
    struct status st =
        store_get(slice->store, STORE_META, row_name(arena, key), versions, &found);
    if (failed(st) || !found) return st;
    return row_txn(versions, owner);
}

struct status staged_owner(struct slice *slice, struct bytes key, uint64_t txn, uint64_t *owner)
{
    struct status st = STATUS_OK;
    bool possible = false;
    *owner = 0;
    for (struct list_link *at = slice->staged.next; at != &slice->staged; at = at->next) {
        const struct staged *staged = container_of(at, struct staged, link);
        possible = possible || (staged->txn != txn && in_bounds(staged, key));
    }
    if (!possible) return STATUS_OK;
    struct arena arena;
    struct bytes versions;
    arena_init(&arena, NULL);
    st = row_get(slice, &arena, key, owner, &versions);
    store_release(slice->store);
    arena_fini(&arena);
    if (*owner == txn) *owner = 0;
    return st;
}

struct status staged_read(struct slice *slice, uint64_t txn, const struct staged_view *view,
    struct bytes key, struct arena *arena, struct bytes *value, bool *found)
{
    struct bytes versions;
    struct row_version version;
    uint64_t owner;
    const struct staged *staged = staged_find(slice, txn);
    *found = false;
    if (staged == NULL || !in_bounds(staged, key)) return STATUS_OK;
    struct status st = row_get(slice, arena, key, &owner, &versions);
    if (!failed(st) && owner == txn) st = version_visible(versions, view, &version, found);
    if (!failed(st) && *found)
        *value = version.tombstone ? bytes_of(NULL, 0) : arena_copy(arena, version.value);
    store_release(slice->store);
    return st;
}

bool staged_holds(const struct staged *staged, struct bytes key)
{
    struct arena arena;
    struct bytes versions;
    uint64_t owner;
    if (!in_bounds(staged, key)) return false;
    arena_init(&arena, NULL);
    struct status st = row_get(staged->slice, &arena, key, &owner, &versions);
    store_release(staged->slice->store);
    arena_fini(&arena);
    return failed(st) || owner == staged->txn;
}

bool staged_holds_any(const struct staged *staged, struct span span)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct store_cursor *cursor = NULL;
    bool found, holds = false;
    arena_init(&arena, NULL);
    struct bytes from = bytes_compare(span.start, staged->bounds.start) < 0 ? staged->bounds.start
                                                                           : span.start;
    struct bytes last = row_name(&arena, staged->bounds.end);
    struct bytes end = row_name(&arena, span.end);
    TRY(store_cursor_open(staged->slice->store, STORE_META, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, row_name(&arena, from), &found));
    for (uint32_t steps = 0; found && !holds; steps++) {
        struct bytes row = cursor->value;
        uint64_t owner;
        if (bytes_compare(cursor->key, last) > 0 || bytes_compare(cursor->key, end) >= 0) break;
        TRY(row_txn(&row, &owner));
        holds = owner == staged->txn || steps == HOLDS_STEPS_MAX;
        TRY(store_step(cursor, STORE_FORWARD, &found));
    }
out:
    store_cursor_close(cursor);
    arena_fini(&arena);
    return holds || failed(st);
}

struct status staged_in_span(struct slice *slice, struct span span, bool *any)
{
    *any = false;
    for (struct list_link *at = slice->staged.next; at != &slice->staged && !*any; at = at->next)
        *any = staged_holds_any(container_of(at, struct staged, link), span);
    return STATUS_OK;
}

// --- the transaction's own view --------------------------------------------------------------------------

struct merge {
    struct staged_overlay *overlay;
    struct store_cursor *cursor;
    bool found; // The cursor stands on a row within what is covered.
    struct kv_batch stored;
    struct kv_pair *out;
    uint32_t at, count;
    size_t bytes;
};

static void merge_look(struct merge *merge, bool found)
{
    const struct span covered = merge->overlay->covered;
    merge->found = found && merge->cursor->key.size > 0 &&
                   merge->cursor->key.data[0] == META_STAGED &&
                   span_contains(covered, bytes_skip(merge->cursor->key, 1));
}

static struct status merge_step(struct merge *merge)
{
    bool found;
    struct status st = store_step(
        merge->cursor, merge->overlay->reverse ? STORE_BACKWARD : STORE_FORWARD, &found);
    if (!failed(st)) merge_look(merge, found);
    return st;
}

static struct status merge_begin(struct slice *slice, struct merge *merge)
{
    struct status st = STATUS_OK;
    struct staged_overlay *overlay = merge->overlay;
    bool found;
    struct bytes from = overlay->reverse ? overlay->covered.end : overlay->covered.start;
    TRY(store_cursor_open(slice->store, STORE_META, &merge->cursor));
    TRY(store_seek(merge->cursor, overlay->reverse ? STORE_BACKWARD : STORE_FORWARD,
        row_name(overlay->arena, from), &found));
    merge_look(merge, found);
out:
    return st;
}

// Below 0: the stored row comes first; above: the staged one.
static int merge_order(const struct merge *merge)
{
    if (!merge->found) return -1;
    if (merge->at == merge->stored.count) return 1;
    int order = bytes_compare(
        merge->stored.pairs[merge->at].key, bytes_skip(merge->cursor->key, 1));
    return merge->overlay->reverse ? -order : order;
}

// The batch answers for what came so far, and no more.
static void merge_cut(struct merge *merge)
{
    struct staged_overlay *overlay = merge->overlay;
    struct bytes next = merge_order(merge) <= 0 ? merge->stored.pairs[merge->at].key
                                                : bytes_skip(merge->cursor->key, 1);
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
    if (order >= 0) {
        struct bytes row = merge->cursor->value;
        uint64_t owner;
        TRY(row_txn(&row, &owner));
        if (owner == overlay->txn) TRY(version_visible(row, overlay->view, &version, &own));
    }
    bool emits = own ? !version.tombstone : order <= 0;
    if (emits && (merge->count == overlay->rows_max || merge->bytes >= OVERLAY_BYTES_MAX)) {
        merge_cut(merge);
        *done = true;
        goto out;
    }
    if (emits) {
        struct kv_pair *pair = &merge->out[merge->count++];
        if (own) {
            pair->key = arena_copy(overlay->arena, bytes_skip(merge->cursor->key, 1));
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
    store_cursor_close(merge.cursor);
    return st;
}
