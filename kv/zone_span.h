// SPDX-License-Identifier: GPL-3.0-or-later
//
// Zones of parts of a virtual cluster's data (kv/zone.h): the layer above says which spans of keys have one, tables and
// indexes as it were, and keeps saying so as they come and go. Only what such a zone says itself is written down; what it
// does not say it inherits from the virtual cluster's, and that from the default of all.
//
// On disk  0x01 'Y' <start key> -> end key, zone: keys of the cluster's own span. Spans of one virtual cluster do not
//          overlap.
//
// Shard    Any. Everything suspends.
// Memory   In the arena given.
// Errors   54000 for more than ZONE_SPANS_MAX spans of one virtual cluster, 42501 for a span that is not its own, XX001.
// Checked  tests/unit/kv/test_zones.c.
#pragma once
#include "kv/zone.h"

#define ZONE_SPANS_MAX 4096u

struct zone_span {
    struct span span;
    struct zone zone;
};
// Those that overlap the span, in order.
CHECKED struct status zone_spans_get(
    struct task *task, struct arena *arena, struct span span, struct zone_span **spans, uint32_t *count);
// All of the virtual cluster's from now on, in order; what was written down before and is the same is left alone.
CHECKED struct status zone_spans_set(
    struct task *task, uint64_t tenant, const struct zone_span *spans, uint32_t count);
// The one that holds the key: binary search, without suspending. NULL: none.
const struct zone_span *zone_span_find(const struct zone_span *spans, uint32_t count, struct bytes key);
// Whether both keys have the same zone: ranges with different ones are not joined.
CHECKED struct status zone_same(struct task *task, struct bytes a, struct bytes b, bool *same);
