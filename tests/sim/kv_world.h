// SPDX-License-Identifier: GPL-3.0-or-later
//
// A world of one cluster that runs storage alone, and what is watched in it at every instant:
//   - at most one replica of a slice may serve, by true time (its lease holds and it leads),
//   - at most one leader of a slice in a term,
// and the time from a leader's loss until the slice is served again.
#pragma once
#include "kv/kv_node.h"
#include "tests/sim/world.h"

#define KV_WORLD_SLICES_MAX 64u
#define KV_WORLD_TERMS_MAX 512u

struct kv_world;

struct kv_world_options {
    uint32_t nodes;
    uint32_t shards, slices_per_shard; // 0: the seed says.
    uint32_t fibers;                   // A shard; 0: the world's default.
    task_fn boot;                      // NULL: storage alone, and then serves and shard_serves.
    void (*look)(struct kv_world *kv); // Besides what is looked at here. May be NULL.
    // On shard 0 of a node whose storage runs; then shard_serves on each shard. A failure stops the node.
    struct status (*serves)(struct task *task, struct world_node *node, struct kv_world *kv);
    struct status (*shard_serves)(struct task *task, struct world_node *node, struct kv_world *kv);
    void (*down)(struct kv_world *kv, struct world_node *node);
    void *arg;
};

struct kv_world {
    struct world world; // First.
    struct kv_world_options options;
    bool several; // Nodes.
    uint32_t slices_per_shard;
    void *arg;
    struct kv_world_slice {
        uint32_t server;     // Node that serves; 0: none.
        uint64_t lost_at_ns; // Since when none does because it went down; 0: not lost.
    } slices[KV_WORLD_SLICES_MAX + 1];
    struct kv_world_term {
        uint32_t slice, node;
        uint64_t term;
    } terms[KV_WORLD_TERMS_MAX];
    uint32_t term_count;
    uint64_t looks; // replica_check.c
    bool log_bounded; // At any time: nothing delays checkpoints, nor bends the size of segments.
};
// Calls `seen` for each replica that runs.
typedef void (*kv_world_replica_fn)(struct kv_world *kv, struct world_node *node, struct slice *slice);
void kv_world_replicas_each(struct kv_world *kv, kv_world_replica_fn seen);

// What nodes say to each other, once a process.
void kv_world_register(void);
void kv_world_begin(
    struct kv_world *kv, struct sim_run *run, const struct kv_world_options *options);
// How many slices the cluster has, as far as this node knows.
uint32_t kv_world_slices(struct task *task);
// Each of these slices is served, by a leader that has that many voters and all nodes up.
bool kv_world_replicated(struct kv_world *kv, const uint64_t *slices, uint32_t count, uint32_t voters);
// What the node has its peers have, too, and it would know of them from its store alone: three voters of each slice.
bool kv_world_may_rot(struct kv_world *kv, struct world_node *node);
// The node that serves the most slices; NULL: none serves any.
struct world_node *kv_world_leader(struct kv_world *kv);
// Every slice gets a server within so long.
void kv_world_expect_serving(struct kv_world *kv, uint64_t within_ns);
// The replica serves at this instant: it leads, and its lease holds by its own clock.
bool kv_world_may_serve(const struct slice *slice);
