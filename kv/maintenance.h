// SPDX-License-Identifier: GPL-3.0-or-later
//
// A shard's maintenance: when its slices are checkpointed and what that frees of the log, garbage collection, the disk's
// room. (What ranges need of it: kv/range_upkeep.h.)
//
// Shard    Its own. The tasks are started last, at kv_start, and stopped first.
// Errors   Those of slice_checkpoint, 57014, 57P01. The tasks log theirs, and try again after a while.
// Checked  tests/unit/kv/test_idle.c, tests/sim/scenario_kv_recovery.c, tests/integration/test_disk.py.
#pragma once
#include "kv/kv_node.h"

// Checkpoints all slices of the shard, then lets go of the log below.
CHECKED struct status maintenance_checkpoint(struct task *task, struct kv_shard *kv);

// The same, and what writing has left in memory goes: for a shard that has nothing to write any more. Takes two
// seconds; ends early when somebody writes or reads after all.
CHECKED struct status maintenance_rest(struct task *task, struct kv_shard *kv);

// Whether a shard is to rest, from one look to the next. Not while it is read: what its caches give back would be read
// from disk again.
struct maintenance_rest_watch {
    log_position appended, rested_at; // End of the log at the last look; when it was to rest last.
    uint64_t calls;                   // Of its slices' leaders, until the last look.
    uint32_t unwritten, unused;       // Looks in a row that found next to nothing written; and next to nothing read.
};
void maintenance_rest_look(struct maintenance_rest_watch *watch, log_position appended, uint64_t calls);
// It has been unused for some looks, and there is something to give back. That is then taken as done.
bool maintenance_rest_due(struct maintenance_rest_watch *watch);

// Whether a node with such a disk refuses writes for lack of room.
bool maintenance_room_short(uint64_t disk_bytes, uint64_t free_bytes);

#define GC_REST_NS_MAX UINT64_C(600000000000) // Garbage collection rests for at most so long after a pass.

// Versions of the shard's slices are kept for less time from now on: garbage collection looks at once, and does not rest
// until what has been kept for `ttl_ns` was looked at, too. Does not suspend; nothing while no maintenance runs.
void maintenance_gc_wake(struct kv_shard *kv, uint64_t ttl_ns);

// Starts the tasks; ends them and waits for that.
CHECKED struct status maintenance_start(struct kv_shard *kv);
void maintenance_stop(struct task *task, struct kv_shard *kv);
