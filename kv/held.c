// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/held.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

#define INDEX_FIRST 16u

void held_set_init(struct held_set *set, struct arena *arena)
{
    *set = (struct held_set){.arena = arena};
}

// Where the key's number is, or would be.
static uint32_t index_slot(const struct held_set *set, uint64_t hash, struct bytes key, enum kv_lock mode)
{
    uint32_t at = (uint32_t)(hash + mode) & (set->index_size - 1);
    for (; set->index[at] != 0; at = (at + 1) & (set->index_size - 1)) {
        const struct held_key *there = &set->keys[set->index[at] - 1];
        if (there->mode == mode && bytes_equal(there->key, key)) break;
    }
    return at;
}

static void index_fill(struct held_set *set)
{
    memset(set->index, 0, set->index_size * sizeof *set->index);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct held_key *key = &set->keys[i];
        set->index[index_slot(set, hash_bytes(key->key), key->key, key->mode)] = i + 1;
    }
}

const struct held_key *held_set_find(
    const struct held_set *set, struct bytes key, enum kv_lock mode)
{
    if (set->count == 0) return NULL;
    const uint64_t hash = hash_bytes(key);
    for (; mode <= KV_LOCK_UPDATE; mode++) {
        const uint32_t number = set->index[index_slot(set, hash, key, mode)];
        if (number != 0) return &set->keys[number - 1];
    }
    return NULL;
}

static void grow(struct held_set *set)
{
    if (set->count == set->capacity) {
        const uint32_t capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        set->keys = arena_grow(set->arena, set->keys, set->capacity * sizeof *set->keys,
            capacity * sizeof *set->keys);
        set->capacity = capacity;
    }
    if ((set->count + 1) * 2 <= set->index_size) return;
    set->index_size = set->index_size == 0 ? INDEX_FIRST : set->index_size * 2;
    set->index = ARENA_ARRAY(set->arena, uint32_t, set->index_size);
    index_fill(set);
}

void held_set_add(struct held_set *set, struct bytes key, enum kv_lock mode, uint64_t since)
{
    if (held_set_find(set, key, mode) != NULL) return;
    grow(set);
    set->keys[set->count++] = (struct held_key){arena_copy(set->arena, key), since, mode};
    set->index[index_slot(set, hash_bytes(key), key, mode)] = set->count;
}

void held_set_cut(struct held_set *set, uint32_t count)
{
    if (count >= set->count) return;
    set->count = count;
    set->sorted_count = 0;
    index_fill(set);
}

static int key_order(const void *left, const void *right)
{
    const struct held_key *a = left, *b = right;
    return bytes_compare(a->key, b->key);
}

const struct held_key *held_set_sorted(struct held_set *set)
{
    if (set->sorted_count == set->count) return set->sorted;
    if (set->sorted_capacity < set->count) {
        set->sorted = ARENA_ARRAY(set->arena, struct held_key, set->capacity);
        set->sorted_capacity = set->capacity;
    }
    memcpy(set->sorted, set->keys, set->count * sizeof *set->keys);
    qsort(set->sorted, set->count, sizeof *set->sorted, key_order);
    set->sorted_count = set->count;
    return set->sorted;
}
