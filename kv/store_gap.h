// SPDX-License-Identifier: GPL-3.0-or-later
//
// A span of a table that is known to hold no key. Inserts look for what is not there, loads a million times next to
// each other: what one search has found out answers for those that follow.
//
// The span is learnt after several keys in a row were missing, and less and less often when that was of no use. It
// shrinks to what lies above a key that is put into it, so that keys in ascending order stay in it. Removals leave it
// as it is. When they are taken back it has to be forgotten.
//
// Shard    The store's. Nothing here suspends.
// Memory   Two keys, owned.
// Checked  tests/unit/kv/test_store.c: both stores under the same random operations.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

struct store_gap {
    struct store_gap_key {
        uint8_t *data;
        uint32_t size, capacity;
    } start, end;
    bool known;
    bool endless; // No key is above it.
    bool used;
    uint32_t missing;     // In a row.
    uint32_t learn_after; // So many missing ones.
};

void store_gap_init(struct store_gap *gap);
void store_gap_fini(struct store_gap *gap);
// Whether the key is known not to be there.
bool store_gap_has(struct store_gap *gap, struct bytes key);
// A key was searched in vain. True: look for the next one above it, and tell store_gap_learn.
bool store_gap_missed(struct store_gap *gap);
static inline void store_gap_found(struct store_gap *gap)
{
    gap->missing = 0;
}
// There is nothing from `from` up to `next`; data NULL: to the end.
void store_gap_learn(struct store_gap *gap, struct bytes from, struct bytes next);
// The key is there from now on.
void store_gap_put(struct store_gap *gap, struct bytes key);
static inline void store_gap_forget(struct store_gap *gap)
{
    gap->known = false;
}
