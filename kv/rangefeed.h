// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rangefeeds: everything committed in a span, in commit order per slice, from a timestamp on, with
// resolved marks. A resolved mark of T says: no event at or below T will follow.
//
// A feed first catches up from the store (versions above `after`; in commit order within a key, and
// within a batch), then follows the slice's applied entries in commit order. No resolved mark comes
// before the catch-up is complete; the seam shows in nothing else. A consumer that reads too slowly
// is cut off with 53400 and opens anew from its last resolved mark: a feed never holds up a commit.
//
// Shard    The feed belongs to the shard that opened it; events come from the slice's leader, on
//          whatever shard or node, in batches.
// Memory   A batch is valid until the next rangefeed_next. At most 16 MiB are queued for one feed.
// Errors   57014; 57P01; 53400 cut off; 55000 `after` is older than what is retained;
//          K_WRONG_RANGE: the span left the slice, or its leader is gone: look up the ranges and
//          open anew, from the last resolved mark.
#pragma once
#include "kv/admin.h"

struct rangefeed;

enum rangefeed_event_kind {
    RANGEFEED_VALUE,    // version
    RANGEFEED_RESOLVED, // version.ts
    // All versions of [version.key, version.value) were erased (kv_clear). Not told by a catch-up.
    RANGEFEED_CLEARED,
};
struct rangefeed_event {
    enum rangefeed_event_kind kind;
    struct kv_version version;
};

struct rangefeed_options {
    uint64_t tenant;
    uint64_t slice;              // The feed covers the part of span that this slice holds.
    struct span span;
    // What of the span the slice must hold, in order, when the feed opens: else K_WRONG_RANGE. Descriptors that said
    // so before and say so afterwards are not enough: the range may have been elsewhere in between, or it may be on its
    // way still, and marks would be of what is left without it. Count 0: whatever it holds.
    const struct span *expected;
    uint32_t expected_count;
    struct hlc_timestamp after;
    // 0: 200 ms. Resolved marks follow the slice's present within a log flush of it.
    uint64_t resolved_every_ns;
};
CHECKED struct status rangefeed_open(
    struct task *task, const struct rangefeed_options *options, struct rangefeed **feed);
// Suspends until there is an event. Events of one call end with the newest resolved mark known.
CHECKED struct status rangefeed_next(struct task *task, struct rangefeed *feed,
    const struct rangefeed_event **events, uint32_t *count);
void rangefeed_close(struct task *task, struct rangefeed *feed);
// How far behind the newest commit, in events queued.
uint32_t rangefeed_lag(const struct rangefeed *feed);
