// SPDX-License-Identifier: GPL-3.0-or-later
//
// What storage keeps once a node and once a shard, and the modules of its upper half.
//
// Shard    struct kv_node is written by shard 0 in kv_start before other shards see it, and only read
//          afterwards (`store` is shard 0's own). struct kv_shard belongs to its shard.
// Memory   All of it lives from kv_start to kv_stop.
#pragma once
#include "core/log_writer.h"
#include "core/shard.h"
#include "kv/admin.h"
#include "kv/slice.h"

#define KV_SLICES_MAX 4096u

// Places of the modules in module_state.
enum kv_module_slot {
    KV_SLOT_CLIENT,
    KV_SLOT_DEADLOCK,
    KV_SLOT_RANGES,
    KV_SLOT_PROTECTED,
    KV_SLOT_PUSH,
    KV_SLOT_PLACEMENT,
    KV_SLOT_MOVES,
    KV_SLOT_NONE
};

struct kv_node {
    struct node *node;
    struct kv_options options;
    const char *dir;
    uint8_t cluster_id[16];
    uint32_t node_id;
    bool is_new;
    uint32_t slice_count; // Slice ids were 1..slice_count when the store was made.
    struct recovery_store *store; // Which replicas are here: kv/recovery.h, kv/replica.h.
    bool store_busy;              // Being written down.
    struct wait_queue store_waiters;
    slice_gc_limit_fn gc_limit;
    void *module_state[8]; // By kv_module.slot: once a node.
    uint32_t modules_started; // By kv_start, from the first.
};

struct kv_shard {
    struct shard *shard;
    struct kv_node *node;
    struct log_writer *log;
    struct raft_shard *raft; // NULL: no other node.
    // The replicas here. They come and go: who suspends between two of them holds the one (slice_hold).
    struct slice **slices;
    uint32_t slice_count, slice_capacity;
    struct slice **by_id;     // [slice id], KV_SLICES_MAX + 1; NULL where there is none here.
    struct slice *committed;  // With entries to apply: a list by committed_next.
    struct timer apply_timer; // Followers' entries are applied when it fires.
    bool serving; // All replicas that were here have started.
    bool changing;            // A replica is being made or erased.
    uint32_t sending;         // Snapshots.
    bool stopping;            // Requests are 57P01.
    bool ranges_told;         // On the owner of slice 1: leaders know their ranges since the start.
    struct status log_status; // Failed: the shard's log is at its end.
    uint64_t made[KV_SLICES_MAX / 64 + 1]; // A bit for each slice that this node has or had, when it is alone.
    bool disk_full;           // Writes are 53100 until there is room.
    uint64_t disk_free_bytes, disk_bytes; // When last looked at.
    uint64_t dead_after_ns;   // kv/placement.h; 0: the default.
    struct kv_maintenance *maintenance;
    uint32_t modules_ready; // How many modules have shard_init behind them.
    void *module_state[8];  // By kv_module.slot: once a shard.
};

static inline struct kv_shard *kv_shard_of(const struct shard *shard)
{
    return shard->slots[SHARD_SLOT_KV];
}
static inline struct kv_node *kv_node_of(const struct node *node)
{
    return node->slots[NODE_SLOT_KV];
}
// NULL when this shard has no replica of it.
static inline struct slice *kv_slice_find(const struct kv_shard *kv, uint64_t id)
{
    return id <= KV_SLICES_MAX ? kv->by_id[id] : NULL;
}
// Where the replica of a slice lives on a node with `shard_count` shards.
static inline uint32_t kv_slice_shard(uint64_t slice, uint32_t shard_count)
{
    return (uint32_t)((slice - 1) % shard_count);
}
void kv_slice_add(struct kv_shard *kv, struct slice *slice);
void kv_slice_remove(struct kv_shard *kv, struct slice *slice);
// Undoes the modules' slice_ready.
void kv_slice_modules_fini(struct slice *slice);

// A part of the upper half, started and stopped with storage. Listed in kv/modules.c, in starting order
// (stopped in reverse). Any function may be NULL.
struct kv_module {
    const char *name;
    uint32_t slot; // Into module_state.
    // On each shard, before its slices are recovered.
    struct status (*shard_init)(struct task *task, struct kv_shard *kv);
    // On the owner, when the slice is recovered and before it serves. Not in a task that may fail the start lightly: a failure ends kv_start.
    struct status (*slice_ready)(struct task *task, struct slice *slice);
    // On the owner, in a task, when this replica has come to lead and all of its log is applied; requests are let
    // in when all modules are through. A failure (or losing the leadership meanwhile) gives it up again.
    struct status (*slice_leading)(struct task *task, struct slice *slice);
    // On the owner, not in a task: it leads no more. Wakes waiters with K_NOT_LEADER, drops what only a leader has.
    // Must not suspend. Called once for each slice_leading that was begun.
    void (*slice_following)(struct slice *slice);
    // On shard 0, when all replicas of this node run. Slices that have a majority here serve; others perhaps not.
    struct status (*started)(struct task *task, struct kv_node *node);
    // On shard 0, at kv_stop, while all slices still serve.
    void (*stopping)(struct task *task, struct kv_node *node);
    // On the owner; no request runs any more.
    void (*slice_fini)(struct slice *slice);
    void (*shard_fini)(struct kv_shard *kv);
};
extern const struct kv_module *const kv_modules[]; // NULL-terminated.
