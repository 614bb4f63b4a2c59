// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keys that a transaction has locked and relies on: what it read under lock is not validated, so the lock must have been
// held all along when it commits (kv/lock.h, `since`). Keys are in the order in which they were first locked, so that
// those of a savepoint are the last ones. A key that was locked again in a stronger mode is there once for each.
//
// Shard    The transaction's. Nothing here suspends.
// Memory   Keys are copied into the arena given; who adds bounds their number.
// Checked  tests/unit/kv/test_read_set.c.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "kv/client.h"

struct held_key {
    struct bytes key;
    uint64_t since; // 0: not known.
    enum kv_lock mode;
};

struct held_set {
    struct arena *arena;
    struct held_key *keys;
    uint32_t count, capacity;
    uint32_t *index;     // Open addressing by key and mode: number of the key + 1; 0 free.
    uint32_t index_size; // Power of two; 0 before the first.
    struct held_key *sorted;
    uint32_t sorted_count, sorted_capacity; // Of how many keys `sorted` is.
};

void held_set_init(struct held_set *set, struct arena *arena);
// In that mode or a stronger one; NULL: it is not there.
const struct held_key *held_set_find(
    const struct held_set *set, struct bytes key, enum kv_lock mode);
// A key that is there in that mode or a stronger one stays as it was told first.
void held_set_add(struct held_set *set, struct bytes key, enum kv_lock mode, uint64_t since);
// Takes out all but the first `count`.
void held_set_cut(struct held_set *set, uint32_t count);
// In key order, those of one key next to each other. Valid until the next change.
const struct held_key *held_set_sorted(struct held_set *set);
