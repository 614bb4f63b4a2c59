// SPDX-License-Identifier: GPL-3.0-or-later
//
// The project's one hash map: keys are bytes or 64-bit numbers (one kind per map), values are
// pointers. Iteration is in order of insertion, never in hash order, so it is the same in every
// run.
//
// Not for hot inner loops with their own layout (hash joins, shape cache): those build on
// core/hash.h.
//
// Memory   The table is malloc'ed, or lives in the arena given to init (then a growing map leaves
//          its former tables there until the arena is reset, and hashmap_fini does nothing). Keys
//          are borrowed and must outlive their entries; hashmap_put_copy copies them (arena maps
//          only).
// Bounds   At most 2^30 entries; its owner bounds it lower.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"

struct hashmap_entry {
    uint64_t hash;
    struct bytes key; // A number is kept in key.size, with key.data NULL.
    void *value;      // NULL: removed.
};

struct hashmap {
    struct arena *arena;
    struct hashmap_entry *entries; // In order of insertion, with gaps for the removed.
    uint32_t *index;               // Open addressing into entries; 0 is free, else position + 1.
    uint32_t count;                // Live entries.
    uint32_t used;                 // Entries with the gaps.
    uint32_t capacity;             // Of entries; the index has twice as many places.
};

// `arena` may be NULL. A zeroed struct is an empty malloc'ed map.
void hashmap_init(struct hashmap *map, struct arena *arena);
void hashmap_fini(struct hashmap *map);
void hashmap_clear(struct hashmap *map);

// Values are never NULL. Put returns the value that the key had, NULL when it is new (the former
// key's memory stays in use when it is not new). Get and remove return NULL when there is none.
void *hashmap_get(const struct hashmap *map, struct bytes key);
void *hashmap_put(struct hashmap *map, struct bytes key, void *value);
void *hashmap_put_copy(struct hashmap *map, struct bytes key, void *value);
void *hashmap_remove(struct hashmap *map, struct bytes key);

static inline void *hashmap_get_string(const struct hashmap *map, const char *key)
{
    return hashmap_get(map, bytes_of_string(key));
}

void *hashmap_get_u64(const struct hashmap *map, uint64_t key);
void *hashmap_put_u64(struct hashmap *map, uint64_t key, void *value);
void *hashmap_remove_u64(struct hashmap *map, uint64_t key);

// Iterates: start with *cursor 0; NULL at the end. The current entry may be removed while
// iterating; entries put meanwhile may or may not be met.
struct hashmap_entry *hashmap_next(const struct hashmap *map, uint32_t *cursor);
static inline uint64_t hashmap_entry_u64(const struct hashmap_entry *entry)
{
    return entry->key.size;
}
