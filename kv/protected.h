// SPDX-License-Identifier: GPL-3.0-or-later
//
// What garbage collection may take: protected timestamps, and TTLs by tenant; with them the other
// limits of zone configurations (kv/zone.h). The public side is in kv/admin.h.
//
// Records are keys of the cluster's own span (kv/range.h) and decide over restarts; each shard of
// each node holds a table of all of them, which is what collection asks (protected_gc_limit). A
// protection is in every shard's table (kv/cluster.h: announcements), and every slice has been asked
// whether it came too late, before it is written and acknowledged; it leaves the tables after its
// record is gone. A node that may have missed an announcement collects nothing until it has read
// the records anew.
//
// Shard    Any; a node's changes run on its shard 0, one at a time.
// Memory   At most PROTECTIONS_MAX records.
// Safety   A version visible at or after a protected timestamp is never collected:
//          tests/unit/kv/test_protected.c.
#pragma once
#include "kv/kv_node.h"
#include "kv/zone.h"

#define PROTECTIONS_MAX 65536u
#define GC_TTL_NS_DEFAULT (4ull * 3600u * 1000000000u)

extern const struct kv_module protected_module;
// struct kv_node.gc_limit.
struct hlc_timestamp protected_gc_limit(struct slice *slice, uint64_t tenant);
// As the zones say, by this shard's table; 0: they say nothing. The slice's zone comes first; slice 0: any.
uint64_t protected_range_bytes_max(struct shard *shard, uint64_t slice, uint64_t tenant);
// By the same table: the number of the slice's zone (zone_hash), 0 when it has none.
uint64_t protected_slice_zone(struct shard *shard, uint64_t slice);
// The zone was written: into the tables of all shards of all nodes.
CHECKED struct status protected_limits_tell(
    struct task *task, uint64_t tenant, const struct zone *zone);
