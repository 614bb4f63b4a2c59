// SPDX-License-Identifier: GPL-3.0-or-later
//
// A shard's upkeep: checkpoints and what they free of the log, garbage collection, the disk's room.
//
// Shard    Its own. The upkeep tasks are started last and stopped first.
#pragma once
#include "kv/kv_node.h"

// Checkpoints all slices of the shard, then lets go of the log below.
CHECKED struct status checkpoint_shard(struct task *task, struct kv_shard *kv);

// The same, and what writing has left in memory goes: for a shard that has nothing to write any more. Takes two
// seconds; ends early when somebody writes after all.
CHECKED struct status checkpoint_rest(struct task *task, struct kv_shard *kv);

// Whether a node with such a disk refuses writes for lack of room.
bool checkpoint_room_short(uint64_t disk_bytes, uint64_t free_bytes);

#define GC_REST_NS_MAX UINT64_C(600000000000) // Garbage collection rests for at most so long after a pass.

// Versions of the shard's slices are kept for less time from now on: garbage collection looks at once, and does not rest
// until what has been kept for `ttl_ns` was looked at, too. Does not suspend; nothing while there is no upkeep.
void maintenance_gc_wake(struct kv_shard *kv, uint64_t ttl_ns);

CHECKED struct status maintenance_start(struct kv_shard *kv);
void maintenance_stop(struct task *task, struct kv_shard *kv);
