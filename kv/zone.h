// SPDX-License-Identifier: GPL-3.0-or-later
//
// Zone configurations: what operators and owners wish for their data. How many copies there are and where, who
// should serve them, how long old versions are kept, how large ranges grow.
//
// A zone is named by the tenant whose data it is about. ZONE_ROOT is the one from which all others inherit what
// they do not say themselves; below it are the defaults of the program. Where copies are is decided by slice, and a
// slice holds ranges of many tenants. So each slice has a zone of its own (ZONE_OF_SLICE), for all that it holds:
// ranges of data with a zone that differs from the default of all are moved to slices with that zone (kv/placement_zones.h),
// and there alone it holds. ZONE_META is of the slice of the cluster's own records, on which all others depend.
//
// Parts of a tenant's data: kv/zone_span.h.
//
// Constraints are texts: "+region=a,-ssd" (every copy on a node that has all the + ones and none of the - ones, of its
// locality or attributes), or with numbers of copies "2:+region=a;1:+region=b,+ssd". Lease preferences:
// alternatives, the first that a copy meets counts: "+region=a;+region=b".
//
// On disk  0x01 'z' uvarint(tenant) -> record: key of the cluster's own span, replicated with slice 1.
//
// Shard    Any. Reading and writing suspend; the limits are looked up in each shard's table, which
//          kv/protected.c keeps.
// Errors   22023 for values that cannot be; XX001 for a record that is not one of ours.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"
#include "core/task.h"

#define ZONE_ROOT 0u
#define ZONE_META UINT64_MAX // No tenant's.
#define ZONE_OF_SLICE (UINT64_C(1) << 62) // Plus a slice's id: no tenant's, either.
#define ZONE_TEXT_BYTES 256u
#define ZONE_REPLICAS_MAX 7u
#define ZONE_RANGE_BYTES_MIN (UINT64_C(64) << 10) // The least that range_bytes_max may be.

enum zone_field {
    ZONE_REPLICAS = 1 << 0,
    ZONE_TTL = 1 << 1,
    ZONE_RANGE_BYTES_MAX = 1 << 2,
    ZONE_CONSTRAINTS = 1 << 3,
    ZONE_LEASE_PREFERENCES = 1 << 4,
    ZONE_FIELDS = (1 << 5) - 1,
    ZONE_COPIES = ZONE_REPLICAS | ZONE_CONSTRAINTS | ZONE_LEASE_PREFERENCES, // Where copies are.
};
struct zone {
    uint32_t set; // enum zone_field: what it says; all else is inherited.
    uint32_t replicas;
    uint64_t ttl_ns, range_bytes_max;
    char constraints[ZONE_TEXT_BYTES], lease_preferences[ZONE_TEXT_BYTES];
};

// What the tenant's zone says itself. None: nothing is set.
CHECKED struct status zone_get(struct task *task, uint64_t tenant, struct zone *zone);
// With everything it inherits.
CHECKED struct status zone_get_whole(struct task *task, uint64_t tenant, struct zone *zone);
// Checks it, writes it down (nothing set: erases it), and tells every shard of every node.
CHECKED struct status zone_set(struct task *task, uint64_t tenant, const struct zone *zone);
CHECKED struct status zone_check(const struct zone *zone);
// All that are written down, with their tenants or what stands for one, in `arena`.
struct zone_record {
    uint64_t tenant;
    struct zone zone;
};
CHECKED struct status zone_list(
    struct task *task, struct arena *arena, struct zone_record **records, uint32_t *count);
// What both say is the same; 0: nothing is said.
uint64_t zone_hash(const struct zone *zone);
// Takes over what `zone` does not say.
void zone_inherit(struct zone *zone, const struct zone *parent);

extern const uint8_t zone_prefix[2];
struct bytes zone_encode(struct arena *arena, const struct zone *zone);
CHECKED struct status zone_decode(struct bytes value, struct zone *zone);

// --- constraints, without suspending ------------------------------------------------------------------

struct zone_rule {
    uint32_t count; // Of copies; 0: of all.
    struct bytes conditions; // "+region=a,-ssd"
};
// The next rule of the text; false at its end or (when *malformed) at what is none.
bool zone_rule_next(const char **at, struct zone_rule *rule, bool *malformed);
// Whether locality "a=b,c=d" and attributes "x:y" meet the conditions.
bool zone_conditions_met(struct bytes conditions, const char *locality, const char *attrs);
// Whether a copy may be there at all: what every copy must meet, or one of the rules when they speak of all copies.
bool zone_allows(const struct zone *zone, const char *locality, const char *attrs);
