// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a transaction has read: points and spans whose content must not change between its read
// timestamp and its commit timestamp. Bounded: a set that grows too large is made coarser
// (neighbours become one span), which can only give more conflicts, never fewer.
//
// Shard    The transaction's. Nothing here suspends.
// Memory   Keys are copied into the arena given.
// Checked  tests/unit/kv/test_read_set.c: what was added stays covered, at any number of reads.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"

#define READ_SET_COUNT_MAX 16384u // Entries kept before neighbours are joined.

// end.data NULL: the single key `start`. Otherwise [start, end).
struct read_entry {
    struct bytes start;
    struct bytes end;
};

struct read_set {
    struct arena *arena;
    struct read_entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t *index; // Open addressing over single keys: entry number + 1; 0 free.
    uint32_t index_size; // Power of two; 0 before the first.
    bool sorted;
};

void read_set_init(struct read_set *set, struct arena *arena);
void read_set_clear(struct read_set *set);
void read_set_add_key(struct read_set *set, struct bytes key);
void read_set_add_span(struct read_set *set, struct span span);
// In key order, overlapping entries joined. Valid until the next add.
const struct read_entry *read_set_entries(struct read_set *set, uint32_t *count);

static inline bool read_entry_is_key(const struct read_entry *entry)
{
    return entry->end.data == NULL;
}
