// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/read_set.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void read_set_init(struct read_set *set, struct arena *arena)
{
    *set = (struct read_set){.arena = arena};
}

void read_set_clear(struct read_set *set)
{
    set->count = 0;
    set->sorted = false;
    if (set->index_size > 0) memset(set->index, 0, set->index_size * sizeof *set->index);
}

// Whether `key` lies before the end of the entry (its start is known to be at or below).
static bool entry_reaches(const struct read_entry *entry, struct bytes key)
{
    if (read_entry_is_key(entry)) return bytes_equal(entry->start, key);
    return bytes_compare(key, entry->end) < 0;
}

static uint32_t index_slot(const struct read_set *set, struct bytes key)
{
    uint32_t at = (uint32_t)XXH3_64bits(key.data, key.size) & (set->index_size - 1);
    for (;;) {
        uint32_t number = set->index[at];
        if (number == 0) return at;
        const struct read_entry *entry = &set->entries[number - 1];
        if (read_entry_is_key(entry) && bytes_equal(entry->start, key)) return at;
        at = (at + 1) & (set->index_size - 1);
    }
}

static void index_rebuild(struct read_set *set, uint32_t size)
{
    if (size != set->index_size) {
        set->index = ARENA_ARRAY(set->arena, uint32_t, size);
        set->index_size = size;
    } else {
        memset(set->index, 0, size * sizeof *set->index);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (!read_entry_is_key(&set->entries[i])) continue;
        set->index[index_slot(set, set->entries[i].start)] = i + 1;
    }
}

static int entry_order(const void *left, const void *right)
{
    const struct read_entry *a = left;
    const struct read_entry *b = right;
    int order = bytes_compare(a->start, b->start);
    if (order != 0) return order;
    return (int)read_entry_is_key(a) - (int)read_entry_is_key(b); // Spans first.
}

// Smallest key above a single key: what its span ends with.
static struct bytes end_of(struct read_set *set, const struct read_entry *entry)
{
    if (!read_entry_is_key(entry)) return entry->end;
    uint8_t *end = arena_alloc(set->arena, entry->start.size + 1);
    if (entry->start.size > 0) memcpy(end, entry->start.data, entry->start.size);
    end[entry->start.size] = 0;
    return bytes_of(end, entry->start.size + 1);
}

static void sort_and_join(struct read_set *set)
{
    if (set->sorted) return;
    if (set->count > 1) qsort(set->entries, set->count, sizeof *set->entries, entry_order);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct read_entry *entry = &set->entries[i];
        struct read_entry *last = kept > 0 ? &set->entries[kept - 1] : NULL;
        bool joins = last != NULL && (entry_reaches(last, entry->start) ||
            (!read_entry_is_key(last) && bytes_equal(last->end, entry->start)));
        if (!joins) {
            set->entries[kept++] = *entry;
            continue;
        }
        if (read_entry_is_key(last)) {
            if (!read_entry_is_key(entry)) *last = *entry;
        } else if (!read_entry_is_key(entry)) {
            if (bytes_compare(last->end, entry->end) < 0) last->end = entry->end;
        } else if (!entry_reaches(last, entry->start)) {
            last->end = end_of(set, entry); // The key right at the span's end.
        }
    }
    set->count = kept;
    set->sorted = true;
    if (set->index_size > 0) index_rebuild(set, set->index_size);
}

// Halves the number of entries: each two neighbours become one span over both and the gap between.
static void coarsen(struct read_set *set)
{
    sort_and_join(set);
    if (set->count < READ_SET_COUNT_MAX) return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i += 2) {
        struct read_entry *entry = &set->entries[i];
        struct read_entry *with = i + 1 < set->count ? &set->entries[i + 1] : entry;
        set->entries[kept++] = (struct read_entry){entry->start, end_of(set, with)};
    }
    set->count = kept;
    index_rebuild(set, set->index_size);
}

static void entry_append(struct read_set *set, struct read_entry entry)
{
    if (set->count >= READ_SET_COUNT_MAX) coarsen(set);
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        set->entries = arena_grow(set->arena, set->entries, set->capacity * sizeof entry,
            capacity * sizeof entry);
        set->capacity = capacity;
    }
    set->entries[set->count++] = entry;
    set->sorted = false;
}

void read_set_add_key(struct read_set *set, struct bytes key)
{
    // Reading a row again is common; scanning on where the last read stopped is, too.
    if (set->count > 0 && !set->sorted) {
        const struct read_entry *last = &set->entries[set->count - 1];
        if (bytes_compare(last->start, key) <= 0 && entry_reaches(last, key)) return;
    }
    if ((set->count + 1) * 2 > set->index_size) {
        index_rebuild(set, set->index_size == 0 ? 16 : set->index_size * 2);
    }
    uint32_t at = index_slot(set, key);
    if (set->index[at] != 0) return;
    entry_append(set, (struct read_entry){.start = arena_copy(set->arena, key)});
    // Appending may have made the set coarser and the index new.
    set->index[index_slot(set, key)] = set->count;
}

void read_set_add_span(struct read_set *set, struct span span)
{
    if (bytes_compare(span.start, span.end) >= 0) return;
    if (set->count > 0 && !set->sorted) {
        struct read_entry *last = &set->entries[set->count - 1];
        if (!read_entry_is_key(last)) {
            if (bytes_equal(last->end, span.start)) {
                last->end = arena_copy(set->arena, span.end);
                return;
            }
            if (bytes_equal(last->start, span.end)) { // A reverse scan going on.
                last->start = arena_copy(set->arena, span.start);
                return;
            }
            if (span_contains_span((struct span){last->start, last->end}, span)) return;
        }
    }
    entry_append(set,
        (struct read_entry){
            arena_copy(set->arena, span.start), arena_copy(set->arena, span.end)});
}

const struct read_entry *read_set_entries(struct read_set *set, uint32_t *count)
{
    sort_and_join(set);
    *count = set->count;
    return set->entries;
}
