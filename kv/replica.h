// SPDX-License-Identifier: GPL-3.0-or-later
//
// This node's replicas of slices: making and erasing them at run time, snapshots, and what the placement of slices
// (kv/placement.h) and operators ask of them.
//
// On disk  <dir>/REPLICAS lists the replicas of this node: slice, generation of its home, state. A line stays as a
//          tombstone when a replica is erased, so that a late message does not bring it back; a replica that
//          is made again has a greater generation. Home of generation 0: slice-<id>, of others slice-<id>.<generation>.
//          A snapshot is received into the home of the next generation; the list's new line swaps it in.
//
// Shard    Any, unless said otherwise: requests go to shard 0 (the list) and to the slice's owner. All of it suspends.
// Errors   55000 when the state of the replica forbids it, K_NOT_LEADER, 58030, 57P01.
// Checked  tests/unit/kv/test_replica.c.
#pragma once
#include "core/hlc.h"
#include "kv/kv_node.h"

struct raft_config;

// Makes an empty replica of the slice here. With this node the only voter of `config` it is a new slice, which serves
// at once; otherwise it waits for a leader to send it entries or a snapshot. One that is there: success.
// `generation` is the least for the new replica's, so that a request that was overtaken by an erasure fails
// with 55000; 0: any.
CHECKED struct status kv_replica_create(
    struct task *task, uint64_t slice, const struct raft_config *config, uint64_t generation);
// Stops the replica and erases its data. Its slice must have been told before that it is no member. None: success.
CHECKED struct status kv_replica_destroy(struct task *task, uint64_t slice);

struct kv_replica {
    uint64_t slice;
    enum slice_role role;
    uint32_t leader; // Node; 0: unknown.
    uint64_t term, applied_index, last_index;
    struct hlc_timestamp closed;
    uint64_t bytes;            // Of the store, on disk.
    uint64_t reads, writes;    // Requests served, ever.
    uint32_t ranges;
    bool receiving, failed;    // A snapshot is on its way; it waits to be rebuilt from its peers.
};
// All replicas of this node, in `arena`.
CHECKED struct status kv_replicas(
    struct task *task, struct arena *arena, struct kv_replica **replicas, uint32_t *count);
// On the slice's owner; NULL when there is no replica here.
void kv_replica_look(const struct slice *slice, struct kv_replica *replica);
