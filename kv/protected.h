// SPDX-License-Identifier: GPL-3.0-or-later
//
// What garbage collection may take: protected timestamps and TTLs by tenant. The public side is in
// kv/admin.h.
//
// Records are keys of the cluster's own span (kv/range.h) and decide over restarts; each shard of
// each node holds a table of all of them, which is what collection asks (protected_gc_limit). A
// protection is in every shard's table (kv/cluster.h: announcements), and every slice has been asked
// whether it came too late, before it is written and acknowledged; it leaves the tables after its
// record is gone. A node that may have missed an announcement collects nothing until it has read
// the records anew.
//
// Shard    Any; changes run on shard 0, one at a time.
// Memory   At most PROTECTIONS_MAX records.
// Safety   A version visible at or after a protected timestamp is never collected:
//          test_protected.c.
#pragma once
#include "kv/kv_node.h"

#define PROTECTIONS_MAX 65536u
#define GC_TTL_NS_DEFAULT (4ull * 3600u * 1000000000u)

extern const struct kv_module protected_module;
// struct kv_node.gc_limit.
struct hlc_timestamp protected_gc_limit(struct slice *slice, uint64_t tenant);
