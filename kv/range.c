// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/range.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "kv/key.h"

#define DESCRIPTOR_FORMAT 2
#define DESCRIPTOR_FORMAT_PLAIN 1 // Never sticky.
#define DESCRIPTOR_HEAD_BYTES (1 + 3 * 8 + 4)

static const uint8_t meta_start[] = {0x01};
static const uint8_t meta_end[] = {0x02};
static const uint8_t descriptors_start[] = {0x01, 'r'};

struct span range_meta_span(void)
{
    return (struct span){bytes_of(meta_start, 1), bytes_of(meta_end, 1)};
}

struct bytes range_meta_key(struct arena *arena, struct bytes start)
{
    uint8_t *key = arena_alloc(arena, sizeof descriptors_start + start.size);
    memcpy(key, descriptors_start, sizeof descriptors_start);
    if (start.size > 0) memcpy(key + sizeof descriptors_start, start.data, start.size);
    return bytes_of(key, sizeof descriptors_start + start.size);
}

struct span range_meta_lookup_span(struct arena *arena, struct bytes key, bool inclusive)
{
    struct bytes end = range_meta_key(arena, key);
    if (inclusive) end = key_next(arena, end);
    return (struct span){bytes_of(descriptors_start, sizeof descriptors_start), end};
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < 8; i++) value |= (uint64_t)in[i] << (8 * i);
    return value;
}

// format u8 | id u64 | slice u64 | generation u64 | size of start u32 | sticky u64 (format 2) | start | end
struct bytes range_encode(struct arena *arena, const struct range *range)
{
    size_t start_size = range->span.start.size;
    const size_t head = DESCRIPTOR_HEAD_BYTES + (range->sticky_ns == 0 ? 0 : 8);
    size_t size = head + start_size + range->span.end.size;
    uint8_t *out = arena_alloc(arena, size);
    out[0] = range->sticky_ns == 0 ? DESCRIPTOR_FORMAT_PLAIN : DESCRIPTOR_FORMAT;
    put_u64(out + 1, range->id);
    put_u64(out + 9, range->slice);
    put_u64(out + 17, range->generation);
    for (uint32_t i = 0; i < 4; i++) out[25 + i] = (uint8_t)(start_size >> (8 * i));
    if (range->sticky_ns != 0) put_u64(out + DESCRIPTOR_HEAD_BYTES, range->sticky_ns);
    uint8_t *keys = out + head;
    if (start_size > 0) memcpy(keys, range->span.start.data, start_size);
    memcpy(keys + start_size, range->span.end.data, range->span.end.size);
    return bytes_of(out, size);
}

struct status range_decode(struct bytes value, struct range *range)
{
    const struct status damaged = status_make(E_DATA_CORRUPTED, "range descriptor is damaged");
    if (value.size < DESCRIPTOR_HEAD_BYTES) return damaged;
    const bool plain = value.data[0] == DESCRIPTOR_FORMAT_PLAIN;
    const size_t head = DESCRIPTOR_HEAD_BYTES + (plain ? 0 : 8);
    if ((!plain && value.data[0] != DESCRIPTOR_FORMAT) || value.size < head) return damaged;
    range->sticky_ns = plain ? 0 : get_u64(value.data + DESCRIPTOR_HEAD_BYTES);
    range->id = get_u64(value.data + 1);
    range->slice = get_u64(value.data + 9);
    range->generation = get_u64(value.data + 17);
    size_t start_size = 0;
    for (uint32_t i = 0; i < 4; i++) start_size |= (size_t)value.data[25 + i] << (8 * i);
    if (start_size > value.size - head) return damaged;
    const uint8_t *keys = value.data + head;
    range->span.start = bytes_of(keys, start_size);
    range->span.end =
        bytes_of(keys + start_size, value.size - head - start_size);
    if (range->id == 0 || range->slice == 0) return damaged;
    if (bytes_compare(range->span.start, range->span.end) >= 0) return damaged;
    return STATUS_OK;
}

// --- what is asked for ---------------------------------------------------------------------------

void range_entry_sample(struct range_entry *entry, struct bytes key)
{
    struct range_samples *samples = entry->samples;
    const uint32_t at = samples->count++ % RANGE_SAMPLES;
    const size_t size = key.size < RANGE_SAMPLE_BYTES ? key.size : RANGE_SAMPLE_BYTES;
    samples->sizes[at] = (uint8_t)size;
    if (size > 0) memcpy(samples->keys[at], key.data, size);
}

struct bytes range_entry_middle(const struct range_entry *entry, struct arena *arena)
{
    const struct range_samples *samples = entry->samples;
    struct bytes sorted[RANGE_SAMPLES];
    if (samples == NULL || samples->count < RANGE_SAMPLES) return bytes_of(NULL, 0);
    for (uint32_t i = 0; i < RANGE_SAMPLES; i++) {
        const struct bytes key = bytes_of(samples->keys[i], samples->sizes[i]);
        uint32_t at = i;
        for (; at > 0 && bytes_compare(key, sorted[at - 1]) < 0; at--) sorted[at] = sorted[at - 1];
        sorted[at] = key;
    }
    // One key alone, however busy, cannot be shared out: the first that differs from the lowest.
    uint32_t at = RANGE_SAMPLES / 2;
    while (at < RANGE_SAMPLES && bytes_equal(sorted[at], sorted[0])) at++;
    if (at == RANGE_SAMPLES) return bytes_of(NULL, 0);
    const bool inside = bytes_compare(entry->range.span.start, sorted[at]) < 0 &&
                        bytes_compare(sorted[at], entry->range.span.end) < 0;
    return inside ? arena_copy(arena, sorted[at]) : bytes_of(NULL, 0);
}

// --- sets ----------------------------------------------------------------------------------------

struct status range_set_create(struct range_set **set)
{
    *set = calloc(1, sizeof **set);
    return *set == NULL ? status_make(E_OUT_OF_MEMORY, "out of memory") : STATUS_OK;
}

static void entry_free(struct range_entry *entry)
{
    if (entry != NULL) free(entry->samples);
    free(entry);
}

void range_set_destroy(struct range_set *set)
{
    if (set == NULL) return;
    for (uint32_t i = 0; i < set->count; i++) entry_free(set->entries[i]);
    free(set->entries);
    free(set);
}

static struct range_entry *entry_make(const struct range *range)
{
    size_t start_size = range->span.start.size;
    size_t end_size = range->span.end.size;
    struct range_entry *entry = calloc(1, sizeof *entry + start_size + end_size);
    if (entry == NULL) return NULL;
    uint8_t *keys = (uint8_t *)(entry + 1);
    if (start_size > 0) memcpy(keys, range->span.start.data, start_size);
    memcpy(keys + start_size, range->span.end.data, end_size);
    entry->range = *range;
    entry->range.span =
        (struct span){bytes_of(keys, start_size), bytes_of(keys + start_size, end_size)};
    return entry;
}

// The number of entries that start at or below `key`.
static uint32_t entries_up_to(const struct range_set *set, struct bytes key)
{
    uint32_t low = 0;
    uint32_t high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(set->entries[middle]->range.span.start, key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void entry_take_out(struct range_set *set, uint32_t at)
{
    entry_free(set->entries[at]);
    memmove(&set->entries[at], &set->entries[at + 1],
        (set->count - at - 1) * sizeof(struct range_entry *));
    set->count--;
    set->last = NULL;
    set->version++;
}

static bool entry_put_in(struct range_set *set, struct range_entry *entry)
{
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity == 0 ? 16 : set->capacity * 2;
        void *grown = realloc(set->entries, capacity * sizeof(struct range_entry *));
        if (grown == NULL) return false;
        set->entries = grown;
        set->capacity = capacity;
    }
    uint32_t at = entries_up_to(set, entry->range.span.start);
    memmove(&set->entries[at + 1], &set->entries[at],
        (set->count - at) * sizeof(struct range_entry *));
    set->entries[at] = entry;
    set->count++;
    set->version++;
    return true;
}

// What `old` keeps on one side of `taken`, as an entry with a share of its estimates.
static struct status entry_keep_side(
    struct range_set *set, const struct range_entry *old, struct span side)
{
    if (bytes_compare(side.start, side.end) >= 0) return STATUS_OK;
    struct range range = old->range;
    range.span = side;
    struct range_entry *entry = entry_make(&range);
    if (entry == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    entry->bytes = old->bytes / 2;
    entry->keys = old->keys / 2;
    if (entry_put_in(set, entry)) return STATUS_OK;
    free(entry);
    return status_make(E_OUT_OF_MEMORY, "out of memory");
}

struct status range_set_add(struct range_set *set, const struct range *range)
{
    struct status st = STATUS_OK;
    struct range_entry *entry = entry_make(range);
    if (entry == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    const struct span span = entry->range.span; // The caller's may lie in an entry that goes.
    uint32_t at = entries_up_to(set, span.start);
    if (at > 0) at--;
    while (at < set->count) {
        struct range_entry *old = set->entries[at];
        if (bytes_compare(old->range.span.start, span.end) >= 0) break;
        if (!span_overlaps(old->range.span, span)) {
            at++;
            continue;
        }
        struct range_entry *copy = entry_make(&old->range);
        if (copy == NULL) {
            st = status_make(E_OUT_OF_MEMORY, "out of memory");
            goto out;
        }
        copy->bytes = old->bytes;
        copy->keys = old->keys;
        // What is cut in two has half of it on either side, as far as is known.
        const bool whole = bytes_compare(span.start, old->range.span.start) <= 0 &&
                           bytes_compare(old->range.span.end, span.end) <= 0;
        entry->bytes += whole ? old->bytes : old->bytes / 2;
        entry->keys += whole ? old->keys : old->keys / 2;
        entry->bytes_unmeasured += old->bytes_unmeasured / (whole ? 1 : 2);
        entry->measured = old->measured && bytes_equal(span.start, old->range.span.start) &&
                          bytes_equal(span.end, old->range.span.end);
        entry_take_out(set, at);
        st = entry_keep_side(
            set, copy, (struct span){copy->range.span.start, span.start});
        if (!failed(st)) {
            st = entry_keep_side(set, copy, (struct span){span.end, copy->range.span.end});
        }
        free(copy);
        if (failed(st)) goto out;
        at = entries_up_to(set, span.start);
        if (at > 0) at--;
    }
    if (entry_put_in(set, entry)) return STATUS_OK;
    st = status_make(E_OUT_OF_MEMORY, "out of memory");
out:
    free(entry);
    return st;
}

void range_set_remove(struct range_set *set, struct bytes start)
{
    uint32_t at = entries_up_to(set, start);
    if (at == 0 || !bytes_equal(set->entries[at - 1]->range.span.start, start)) return;
    entry_take_out(set, at - 1);
}

struct range_entry *range_set_find(struct range_set *set, struct bytes key)
{
    if (set->last != NULL && span_contains(set->last->range.span, key)) return set->last;
    uint32_t at = entries_up_to(set, key);
    if (at == 0) return NULL;
    struct range_entry *entry = set->entries[at - 1];
    if (bytes_compare(key, entry->range.span.end) >= 0) return NULL;
    set->last = entry;
    return entry;
}

struct range_entry *range_set_find_below(struct range_set *set, struct bytes key)
{
    uint32_t at = entries_up_to(set, key);
    if (at > 0 && bytes_equal(set->entries[at - 1]->range.span.start, key)) at--;
    if (at == 0) return NULL;
    struct range_entry *entry = set->entries[at - 1];
    return bytes_compare(key, entry->range.span.end) <= 0 ? entry : NULL;
}

void range_set_clear(struct range_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) entry_free(set->entries[i]);
    set->count = 0;
    set->last = NULL;
    set->version++;
}

bool range_set_covers(struct range_set *set, struct span span)
{
    struct bytes at = span.start;
    for (;;) {
        const struct range_entry *entry = range_set_find(set, at);
        if (entry == NULL) return false;
        if (bytes_compare(span.end, entry->range.span.end) <= 0) return true;
        at = entry->range.span.end;
    }
}
