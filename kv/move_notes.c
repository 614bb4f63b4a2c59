// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/move_notes.h"

#include <stdlib.h>

#include "core/mark.h"
#include "kv/move_side.h"
#include "kv/slice_internal.h"

#define NOTE_OVERHEAD_BYTES 96u

struct move_note {
    struct hlc_timestamp from;
    size_t key_size;
    uint8_t key[];
};

struct status move_notes_make(struct span span, struct move_notes **made)
{
    struct move_notes *notes = calloc(1, sizeof *notes);
    if (notes == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    arena_init(&notes->arena, NULL);
    notes->span.start = arena_copy(&notes->arena, span.start);
    notes->span.end = arena_copy(&notes->arena, span.end);
    notes->position = malloc(span.start.size + 1);
    if (notes->position == NULL) {
        free(notes);
        return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    memcpy(notes->position, span.start.data, span.start.size);
    notes->position_size = span.start.size;
    notes->below = HLC_MAX;
    hashmap_init(&notes->keys, NULL);
    *made = notes;
    return STATUS_OK;
}

static void notes_clear(struct move_notes *notes)
{
    uint32_t at = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&notes->keys, &at)) != NULL) free(entry->value);
    hashmap_fini(&notes->keys);
    hashmap_init(&notes->keys, NULL);
    notes->bytes = 0;
}

void move_notes_free(struct move_notes *notes)
{
    if (notes == NULL) return;
    notes_clear(notes);
    hashmap_fini(&notes->keys);
    free(notes->position);
    arena_fini(&notes->arena);
    free(notes);
}

static void notes_lose(struct move_notes *notes)
{
    covered("move.notes_lost");
    notes->lost = true;
    notes_clear(notes);
}

// Whether the key is to be scanned yet, all of it.
static bool comes_yet(const struct move_notes *notes, struct bytes key)
{
    if (notes->scanned || notes->scanning) return false;
    int order = bytes_compare(key, bytes_of(notes->position, notes->position_size));
    return order > 0 || (order == 0 && hlc_equal(notes->below, HLC_MAX));
}

static void note(struct move_notes *notes, struct bytes key, struct hlc_timestamp ts)
{
    if (comes_yet(notes, key)) return;
    struct move_note *known = hashmap_get(&notes->keys, key);
    if (known != NULL) {
        known->from = hlc_min(known->from, ts);
        return;
    }
    known = malloc(sizeof *known + key.size);
    if (known == NULL || notes->bytes > MOVE_NOTES_BYTES) {
        free(known);
        notes_lose(notes);
        return;
    }
    known->from = ts;
    known->key_size = key.size;
    memcpy(known->key, key.data, key.size);
    (void)hashmap_put(&notes->keys, bytes_of(known->key, key.size), known);
    notes->bytes += key.size + NOTE_OVERHEAD_BYTES;
}

void move_notes_take(struct move_notes *notes, const struct entry_op *op)
{
    struct entry_items items;
    struct entry_item item;
    if (notes->lost) return;
    switch (op->kind) {
    case ENTRY_WRITES:
    case ENTRY_INGEST:
        entry_items_open(op, &items);
        while (!notes->lost && entry_item_next(&items, &item)) {
            if (!span_contains(notes->span, item.key)) continue;
            note(notes, item.key, op->kind == ENTRY_INGEST ? item.ts : op->ts);
        }
        break;
    case ENTRY_REVERT:
        entry_items_open(op, &items);
        while (!notes->lost && entry_item_next(&items, &item))
            if (span_contains(notes->span, item.key)) notes_lose(notes);
        break;
    case ENTRY_CLEAR:
        if (span_overlaps(notes->span, op->span)) notes_lose(notes);
        break;
    default: break;
    }
}

// --- reading -------------------------------------------------------------------------------------

struct pulled {
    struct arena *arena;
    struct kv_version *versions;
    uint32_t count, capacity;
    size_t bytes, bytes_max;
};

static struct status pulled_add(struct mvcc *mvcc, struct pulled *pulled, struct bytes key,
    struct mvcc_version *version)
{
    struct status st = mvcc_fetch(mvcc, key, pulled->arena, version);
    if (failed(st)) return st;
    struct bytes value = version->value;
    if (!version->tombstone && !version->pieces) value = arena_copy(pulled->arena, value);
    if (pulled->count == pulled->capacity) {
        uint32_t capacity = pulled->capacity == 0 ? 64 : pulled->capacity * 2;
        pulled->versions = arena_grow(pulled->arena, pulled->versions,
            pulled->capacity * sizeof *pulled->versions, capacity * sizeof *pulled->versions);
        pulled->capacity = capacity;
    }
    pulled->versions[pulled->count++] = (struct kv_version){
        .key = arena_copy(pulled->arena, key),
        .value = value,
        .ts = version->ts,
        .tombstone = version->tombstone,
    };
    pulled->bytes += key.size + version->value.size + sizeof(struct kv_version);
    return st;
}

static bool position_set(struct move_notes *notes, struct bytes key, struct hlc_timestamp below)
{
    uint8_t *position = malloc(key.size + 1);
    if (position == NULL) return false;
    memcpy(position, key.data, key.size);
    free(notes->position);
    notes->position = position;
    notes->position_size = key.size;
    notes->below = below;
    return true;
}

// Where a scan is, between two looks at the store.
struct place {
    struct bytes key;
    struct hlc_timestamp below;
    bool end;
};

// Versions of the key at the cursor, newest first. True when it was cut off, at place->below.
static struct status scan_key(
    struct mvcc_cursor *cursor, struct pulled *pulled, struct place *place, bool *cut)
{
    struct mvcc_version version;
    bool found;
    struct status st;
    const bool resumed = !hlc_equal(place->below, HLC_MAX) && bytes_equal(mvcc_cursor_key(cursor), place->key);
    *cut = false;
    TRY(mvcc_cursor_at(
        cursor, resumed ? hlc_previous(place->below) : HLC_MAX, &version, &found));
    while (found) {
        struct hlc_timestamp ts = version.ts;
        TRY(pulled_add(cursor->mvcc, pulled, mvcc_cursor_key(cursor), &version));
        TRY(mvcc_cursor_older(cursor, &version, &found));
        if (!found || pulled->bytes < pulled->bytes_max) continue;
        covered("move.key_in_parts");
        place->key = arena_copy(pulled->arena, mvcc_cursor_key(cursor));
        place->below = ts;
        *cut = true;
        return STATUS_OK;
    }
    place->below = HLC_MAX;
out:
    return st;
}

#define STEPS_BETWEEN_YIELDS 128u

static struct status scan_some(
    struct slice *slice, struct bytes end, struct pulled *pulled, struct place *place)
{
    struct mvcc_cursor cursor = {0};
    bool found, cut;
    struct status st;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    TRY(mvcc_cursor_seek(&cursor, STORE_FORWARD, place->key, &found));
    for (uint32_t steps = 0; found && bytes_compare(mvcc_cursor_key(&cursor), end) < 0; steps++) {
        TRY(scan_key(&cursor, pulled, place, &cut));
        if (cut) goto out;
        if (pulled->bytes >= pulled->bytes_max || steps == STEPS_BETWEEN_YIELDS) {
            place->key = key_next(pulled->arena, mvcc_cursor_key(&cursor));
            goto out;
        }
        TRY(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
    }
    place->end = true;
out:
    mvcc_cursor_close(&cursor);
    return st;
}

static struct move_notes *notes_of(struct slice *slice, uint64_t attempt, struct bytes start)
{
    for (struct move_side *side = slice->moves; side != NULL; side = side->next)
        if (side->end == MOVE_SOURCE && side->attempt == attempt &&
            bytes_equal(side->range.span.start, start))
            return side->notes;
    return NULL;
}

static struct status scan(
    struct task *task, struct slice *slice, const struct move_side *side, struct pulled *pulled)
{
    struct status st = STATUS_OK;
    struct move_notes *notes = side->notes;
    const uint64_t attempt = side->attempt;
    const struct bytes start = arena_copy(pulled->arena, side->range.span.start);
    const struct bytes end = arena_copy(pulled->arena, side->range.span.end);
    struct place place = {
        .key = arena_copy(pulled->arena, bytes_of(notes->position, notes->position_size)),
        .below = notes->below};
    notes->scanning = true; // Whatever is written meanwhile is noted.
    while (!place.end && pulled->bytes < pulled->bytes_max) {
        TRY(scan_some(slice, end, pulled, &place));
        TRY(arena_check(pulled->arena));
        TRY(task_yield_if_due(task));
        TRY(slice_may_serve(task, slice));
    }
out:
    notes = notes_of(slice, attempt, start);
    if (notes == NULL) return st;
    notes->scanning = false;
    notes->scanned = place.end;
    if (failed(st) || (!place.end && !position_set(notes, place.key, place.below))) notes->lost = true;
    return st;
}

// Versions of a key that was noted. Nothing suspends.
static struct status noted_key(
    struct mvcc_cursor *cursor, const struct move_note *note, struct pulled *pulled)
{
    struct mvcc_version version;
    bool found;
    const struct bytes key = bytes_of(note->key, note->key_size);
    struct status st;
    TRY(mvcc_cursor_seek(cursor, STORE_FORWARD, key, &found));
    if (!found || !bytes_equal(mvcc_cursor_key(cursor), key)) goto out; // It left no version.
    TRY(mvcc_cursor_at(cursor, HLC_MAX, &version, &found));
    while (found && hlc_less_equal(note->from, version.ts)) {
        TRY(pulled_add(cursor->mvcc, pulled, key, &version));
        TRY(mvcc_cursor_older(cursor, &version, &found));
    }
out:
    return st;
}

static struct status noted_some(
    struct slice *slice, struct move_notes *notes, struct pulled *pulled)
{
    struct mvcc_cursor cursor = {0};
    struct hashmap_entry *entry;
    uint32_t at = 0, steps = 0;
    struct status st;
    TRY(mvcc_cursor_open(&slice->mvcc, &cursor));
    while (pulled->bytes < pulled->bytes_max && steps++ < STEPS_BETWEEN_YIELDS &&
           (entry = hashmap_next(&notes->keys, &at)) != NULL) {
        struct move_note *note = entry->value;
        TRY(noted_key(&cursor, note, pulled));
        hashmap_remove(&notes->keys, bytes_of(note->key, note->key_size));
        notes->bytes -= note->key_size + NOTE_OVERHEAD_BYTES;
        free(note);
    }
out:
    mvcc_cursor_close(&cursor);
    if (failed(st)) notes->lost = true;
    return st;
}

struct status move_notes_pull(struct task *task, struct slice *slice, struct move_side *side,
    size_t bytes_max, struct arena *arena, struct kv_version **versions, uint32_t *count)
{
    struct pulled pulled = {.arena = arena, .bytes_max = bytes_max};
    struct move_notes *notes = side->notes;
    struct status st = STATUS_OK;
    if (SIM_MAYBE("move.small_pull")) pulled.bytes_max = 1;
    if (!notes->lost)
        st = notes->scanned ? noted_some(slice, notes, &pulled) : scan(task, slice, side, &pulled);
    *versions = pulled.versions;
    *count = pulled.count;
    return st;
}
