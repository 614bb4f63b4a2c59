// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hashmap.h"

#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"

#define CAPACITY_LEAST 8u
#define CAPACITY_MAX (1u << 30)

void hashmap_init(struct hashmap *map, struct arena *arena)
{
    *map = (struct hashmap){.arena = arena};
}

void hashmap_fini(struct hashmap *map)
{
    if (map->arena == NULL) {
        free(map->entries);
        free(map->index);
    }
    *map = (struct hashmap){.arena = map->arena};
}

void hashmap_clear(struct hashmap *map)
{
    if (map->index != NULL) memset(map->index, 0, sizeof *map->index * 2 * map->capacity);
    map->count = 0;
    map->used = 0;
}

static uint32_t index_mask(const struct hashmap *map)
{
    return 2 * map->capacity - 1;
}

static bool entry_is(const struct hashmap_entry *entry, uint64_t hash, struct bytes key)
{
    if (entry->hash != hash) return false;
    if (key.data == NULL) return entry->key.data == NULL && entry->key.size == key.size;
    return entry->key.data != NULL && bytes_equal(entry->key, key);
}

// The place in the index of this key, or the free place where it would go.
static uint32_t place_of(const struct hashmap *map, uint64_t hash, struct bytes key)
{
    uint32_t mask = index_mask(map);
    uint32_t place = (uint32_t)hash & mask;
    while (map->index[place] != 0 && !entry_is(&map->entries[map->index[place] - 1], hash, key))
        place = (place + 1) & mask;
    return place;
}

static void *table_alloc(struct hashmap *map, size_t item_size, size_t count)
{
    if (map->arena != NULL) return arena_array_zero(map->arena, item_size, count);
    void *table = calloc(count, item_size);
    invariant(table != NULL);
    return table;
}

// Makes room for one more entry: drops the gaps, and doubles when more than half is live.
static void make_room(struct hashmap *map)
{
    struct hashmap old = *map;
    uint32_t capacity = old.capacity < CAPACITY_LEAST ? CAPACITY_LEAST : old.capacity;
    if (old.count > capacity / 2) capacity *= 2;
    invariant(capacity <= CAPACITY_MAX);

    map->capacity = capacity;
    map->used = 0;
    map->entries = table_alloc(map, sizeof *map->entries, capacity);
    map->index = table_alloc(map, sizeof *map->index, 2 * (size_t)capacity);
    for (uint32_t i = 0; i < old.used; i++) {
        if (old.entries[i].value == NULL) continue;
        uint32_t place = (uint32_t)old.entries[i].hash & index_mask(map);
        while (map->index[place] != 0)
            place = (place + 1) & index_mask(map);
        map->entries[map->used] = old.entries[i];
        map->index[place] = ++map->used;
    }
    invariant(map->used == map->count);
    if (map->arena == NULL) {
        free(old.entries);
        free(old.index);
    }
}

static void *get(const struct hashmap *map, uint64_t hash, struct bytes key)
{
    if (map->count == 0) return NULL;
    uint32_t place = place_of(map, hash, key);
    return map->index[place] == 0 ? NULL : map->entries[map->index[place] - 1].value;
}

static void *put(struct hashmap *map, uint64_t hash, struct bytes key, void *value, bool copy)
{
    invariant(value != NULL);
    if (map->used == map->capacity) make_room(map);
    uint32_t place = place_of(map, hash, key);
    if (map->index[place] != 0) {
        struct hashmap_entry *entry = &map->entries[map->index[place] - 1];
        void *former = entry->value;
        entry->value = value;
        return former;
    }
    if (copy) key = arena_copy(map->arena, key);
    map->entries[map->used] = (struct hashmap_entry){hash, key, value};
    map->index[place] = ++map->used;
    map->count++;
    return NULL;
}

// Closes the gap at `place`: moves up those after it that a probe could no longer reach.
static void index_close(struct hashmap *map, uint32_t place)
{
    uint32_t mask = index_mask(map);
    uint32_t gap = place;
    for (uint32_t next = (place + 1) & mask; map->index[next] != 0; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)map->entries[map->index[next] - 1].hash & mask;
        if (((next - home) & mask) < ((next - gap) & mask)) continue;
        map->index[gap] = map->index[next];
        gap = next;
    }
    map->index[gap] = 0;
}

static void *take(struct hashmap *map, uint64_t hash, struct bytes key)
{
    if (map->count == 0) return NULL;
    uint32_t place = place_of(map, hash, key);
    if (map->index[place] == 0) return NULL;
    struct hashmap_entry *entry = &map->entries[map->index[place] - 1];
    void *former = entry->value;
    index_close(map, place);
    entry->value = NULL;
    map->count--;
    return former;
}

// Distinguishes the empty key from a number.
static struct bytes bytes_key(struct bytes key)
{
    static const uint8_t nothing[1];
    return key.size == 0 ? (struct bytes){nothing, 0} : key;
}

static struct bytes number_key(uint64_t key)
{
    static_assert(sizeof(size_t) == sizeof(uint64_t), "a number fits in bytes.size");
    return (struct bytes){NULL, key};
}

void *hashmap_get(const struct hashmap *map, struct bytes key)
{
    return get(map, hash_bytes(key), bytes_key(key));
}

void *hashmap_put(struct hashmap *map, struct bytes key, void *value)
{
    return put(map, hash_bytes(key), bytes_key(key), value, false);
}

void *hashmap_put_copy(struct hashmap *map, struct bytes key, void *value)
{
    invariant(map->arena != NULL);
    return put(map, hash_bytes(key), bytes_key(key), value, true);
}

void *hashmap_remove(struct hashmap *map, struct bytes key)
{
    return take(map, hash_bytes(key), bytes_key(key));
}

void *hashmap_get_u64(const struct hashmap *map, uint64_t key)
{
    return get(map, hash_u64(key), number_key(key));
}

void *hashmap_put_u64(struct hashmap *map, uint64_t key, void *value)
{
    return put(map, hash_u64(key), number_key(key), value, false);
}

void *hashmap_remove_u64(struct hashmap *map, uint64_t key)
{
    return take(map, hash_u64(key), number_key(key));
}

struct hashmap_entry *hashmap_next(const struct hashmap *map, uint32_t *cursor)
{
    while (*cursor < map->used) {
        struct hashmap_entry *entry = &map->entries[(*cursor)++];
        if (entry->value != NULL) return entry;
    }
    return NULL;
}
