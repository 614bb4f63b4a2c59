// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges: descriptors, where they are written down, and the set of them that a slice's leader
// serves.
//
// Descriptors are ordinary keys of the cluster's own span (0x01 ...) in slice 1, written by
// transactions of tenant 0 (kv/range_admin.c): they decide. Each leader holds those of its slice in
// memory and refuses keys outside of them (K_WRONG_RANGE); each shard caches what it looked up
// (kv/router.h).
//
//   0x01 'r' <start key>   -> descriptor           0x01 'n' -> last range id
//   0x01 'p' <id>          -> protected timestamp  0x01 'z' uvarint(tenant) -> zone
//
// The cluster's own span is range 1 of slice 1, has no descriptor and never splits or moves.
//
// Shard    A range set belongs to its slice's leader.
// Memory   Sets are malloc'ed and copy what they are given.
// Errors   XX001 for a descriptor that is not one of ours.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"

#define RANGE_META_ID 1u
#define SLICE_META 1u

struct range {
    uint64_t id;
    struct span span;
    uint64_t slice;
    uint64_t generation; // Grows with each change of the bounds or the slice.
    uint64_t sticky_ns;  // Until then (wall clock; UINT64_MAX: for good) it is not joined with the one before it.
};

struct bytes range_meta_key(struct arena *arena, struct bytes start);
struct bytes range_encode(struct arena *arena, const struct range *range);
// The result points into `value`.
CHECKED struct status range_decode(struct bytes value, struct range *range);
// [0x01, 0x02)
struct span range_meta_span(void);
// Keys of descriptors whose range starts below `key` (or at it, when `inclusive`): a reverse scan
// of it meets the one that covers the key first.
struct span range_meta_lookup_span(struct arena *arena, struct bytes key, bool inclusive);

// --- what a slice serves -------------------------------------------------------------------------

#define RANGE_SAMPLES 32u
#define RANGE_SAMPLE_BYTES 64u
#define RANGE_SAMPLE_EVERY 16u

// Keys that were asked for lately: where a busy range is cut.
struct range_samples {
    uint32_t count; // Ever.
    uint8_t sizes[RANGE_SAMPLES];
    uint8_t keys[RANGE_SAMPLES][RANGE_SAMPLE_BYTES];
};

struct range_entry {
    struct range range;     // Keys in this allocation.
    uint64_t bytes, keys;   // Estimates.
    uint64_t bytes_unmeasured; // Written since the estimate was measured.
    uint64_t asked, asked_before; // Keys and spans, at the leader; as of the last look.
    uint64_t rate;          // A second, between the last two looks.
    uint32_t looks;         // Since it came to be as it is.
    uint32_t busy_looks;    // The last ones in a row.
    bool measured;          // `bytes` was.
    struct range_samples *samples; // Of busy ranges.
};
// Somebody asks for the key.
void range_entry_sample(struct range_entry *entry, struct bytes key);
static inline void range_entry_ask(struct range_entry *entry, struct bytes key)
{
    entry->asked++;
    if (entry->samples != NULL && entry->asked % RANGE_SAMPLE_EVERY == 0) range_entry_sample(entry, key);
}
// A key within the range with about as many of the samples before it as after it; data NULL: there is none.
struct bytes range_entry_middle(const struct range_entry *entry, struct arena *arena);

struct range_set {
    struct range_entry **entries; // By start.
    uint32_t count, capacity;
    uint64_t version; // Grows with each change: what was checked before may be wrong now.
    struct range_entry *last; // The latest found: most look-ups are near the one before.
};

CHECKED struct status range_set_create(struct range_set **set);
void range_set_destroy(struct range_set *set);
// Ranges that overlap the new one are replaced, cut to what it leaves of them.
CHECKED struct status range_set_add(struct range_set *set, const struct range *range);
// Takes out exactly this range; nothing when it is not there.
void range_set_remove(struct range_set *set, struct bytes start);
// NULL when the slice does not serve the key.
struct range_entry *range_set_find(struct range_set *set, struct bytes key);
// The one that holds the greatest keys below `key`.
struct range_entry *range_set_find_below(struct range_set *set, struct bytes key);
void range_set_clear(struct range_set *set);
// Whether the slice serves all of the span.
bool range_set_covers(struct range_set *set, struct span span);
