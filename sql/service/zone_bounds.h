// SPDX-License-Identifier: GPL-3.0-or-later
//
// What operators allow zone configurations of a virtual cluster to be: its capability span_config_bounds. Nothing is refused
// because of it: what a virtual cluster says stays said and shown, and what storage is told is clamped (zone_object.c). So
// it holds for what was said before, for what is inherited, and ends with the bounds. Not for the system's.
//
//   {"gcTtlSeconds": {"start": 600, "end": 86400}, "rangeMaxBytes": {...}, "numReplicas": {...}}
//
// Intervals hold both their ends; an end below the start is the start. Users give bytes that crdb_internal.json_to_pb makes of
// that: a message of fields 1, 3 and 4, each with start (1) and end (2) as varints.
//
// Shard    Any. Reading suspends, the forms do not.
// Memory   In the arena given.
// Errors   22023 for what are no bounds, or bounds that no value could be within; 0A000 for those of fields that zone
//          configurations do not have here: rangeMinBytes, numVoters, constraintBounds.
// Checked  tests/unit/sql/test_zone_bounds.c, tests/integration/test_zones.py
#pragma once
#include "kv/zone.h"

#define ZONE_BOUNDS_MESSAGE "cockroach.multitenant.tenantcapabilitiespb.SpanConfigBounds"
#define ZONE_BOUNDS_SETTING "spanconfig.bounds.enabled"

enum zone_bounded { ZONE_BOUND_TTL, ZONE_BOUND_RANGE_BYTES_MAX, ZONE_BOUND_REPLICAS, ZONE_BOUNDED };
struct zone_bounds {
    struct zone_bound {
        bool set;
        uint64_t start, end; // Seconds, bytes, copies. Both are within.
    } of[ZONE_BOUNDED];
};

bool zone_bounds_any(const struct zone_bounds *bounds);
bool zone_bounds_equal(const struct zone_bounds *a, const struct zone_bounds *b);
CHECKED struct status zone_bounds_parse(
    struct task *task, struct arena *arena, struct bytes json, struct zone_bounds *bounds);
const char *zone_bounds_text(struct arena *arena, const struct zone_bounds *bounds); // As above; zone_bounds_parse reads it.
struct bytes zone_bounds_encode(struct arena *arena, const struct zone_bounds *bounds);
CHECKED struct status zone_bounds_decode(struct bytes message, struct zone_bounds *bounds);
// A line a field; "{}" without any.
const char *zone_bounds_format(struct arena *arena, const struct zone_bounds *bounds);

// Puts what `zone` says within the bounds. With `above`, what it would inherit from there: what is out of bounds there it
// says itself from now on. Numbers of copies by place that do not fit any more go.
void zone_bounds_clamp(const struct zone_bounds *bounds, struct zone *zone, const struct zone *above);

// Whoever knows virtual clusters fills it in; NULL: there are no bounds.
struct zone_bounds_source {
    struct status (*read)(struct task *task, uint64_t tenant, struct zone_bounds *bounds);
    // Those with bounds whose data can be read.
    struct status (*list)(struct task *task, struct arena *arena, uint64_t **tenants, uint32_t *count);
    // The next one above `after`, with bounds or without, whose data can be read; 0: there is none.
    struct status (*next)(struct task *task, uint64_t after, uint64_t *tenant);
};
extern const struct zone_bounds_source *zone_bounds_source;
// None for the system's, and while the setting is off.
CHECKED struct status zone_bounds_read(struct task *task, uint64_t tenant, struct zone_bounds *bounds);
