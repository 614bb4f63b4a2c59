// SPDX-License-Identifier: GPL-3.0-or-later
//
// Replicas of slices: making and erasing them at run time, changing who the members of a slice are, and what the
// placement of slices (kv/placement.h) and operators want to know of them. Snapshots: kv/snapshot.h.
//
// On disk  <dir>/STORE lists the replicas of this node (kv/recovery.h). A line stays as a tombstone when a replica is
//          erased, so that a late message does not bring it back; a replica that is made again has a greater
//          generation, and so another folder. What the log has of the slice up to the line's mark (`since`) is of an
//          earlier one and is passed over.
//
// Shard    Any, unless said otherwise. All of it suspends. The functions that name a node ask it, by RPC.
// Errors   55000 when the state of the replica forbids it, K_NOT_LEADER, K_UNREACHABLE, 58030, 57P01.
// Checked  tests/sim: worlds in which every slice is replicated.
#pragma once
#include "core/hlc.h"
#include "kv/kv_node.h"

struct recovery_replica;

// Makes an empty replica of the slice on the node. With that node the only voter of `config` it is a new slice, which
// serves at once; otherwise (`config` NULL) it waits for a leader to send it entries or a snapshot. One that is
// there: success.
CHECKED struct status kv_replica_create(
    struct task *task, uint32_t node, uint64_t slice, const struct raft_config *config);
// Stops the replica and erases its data. Refused (55000) while it believes to be a member, unless `forced`: a
// member whose disk lost something. None there: success.
CHECKED struct status kv_replica_destroy(
    struct task *task, uint32_t node, uint64_t slice, bool forced);
// At the leader, on `node`: a member is added, promoted, demoted or removed; returns when that is committed.
CHECKED struct status kv_replica_change(struct task *task, uint32_t node, uint64_t slice,
    enum raft_change change, uint32_t member);
// At the leader, on `node`: hands the leadership to `member`.
CHECKED struct status kv_replica_transfer(
    struct task *task, uint32_t node, uint64_t slice, uint32_t member);

// A majority of the slice's voters is lost for good: the replica on `node` goes on as the only one (kv/loss.h).
// Returns when it serves.
CHECKED struct status kv_replica_force_alone(struct task *task, uint32_t node, uint64_t slice);

struct kv_replica {
    uint64_t slice;
    enum slice_role role;
    uint32_t leader; // Node; 0: unknown.
    uint64_t term, applied_index, last_index;
    uint64_t last_term; // Of the entry at last_index.
    struct hlc_timestamp closed;
    uint64_t bytes; // Of the store, on disk.
    uint64_t load;  // Requests a second, lately.
    uint64_t load_movable; // Of them, those that would cost no more if another node led: kv/balance.h.
    uint32_t ranges;
    bool receiving;         // A snapshot is on its way.
    uint32_t damaged_member; // Leader: this member lost what it had promised, and is to be replaced. 0: none.
    struct raft_config config; // Committed.
    uint32_t silent_members;   // Leader: those of them that do not answer it, a bit for each.
};
// All replicas of the node, in `arena`.
CHECKED struct status kv_replicas(struct task *task, uint32_t node, struct arena *arena,
    struct kv_replica **replicas, uint32_t *count);
// On the slice's owner.
void kv_replica_look(struct slice *slice, struct kv_replica *replica);

// Changes the slice's line in <dir>/STORE, durably.
CHECKED struct status replica_line_set(
    struct task *task, const struct recovery_replica *replica, uint64_t generation_expected);

// Erases a replica's folder as far as files go.
CHECKED struct status replica_home_erase(struct task *task, const char *home);
// 08P01: a message between replicas, or a snapshot's, that is none.
CHECKED struct status replica_malformed(void);

// At the start of a node that is alone: every shard hears of all its slices.
CHECKED struct status replica_made_tell(struct task *task);
// Registers the methods that other nodes call. Once a process, before its nodes start.
void replica_register(void);

// --- told by slice_role.c, on the owner, not in a task -----------------------------------------------

// Members or role changed: others are told where the slice is led.
void replica_changed(struct slice *slice);
// A leader says that this is no member any more.
void replica_removed(struct slice *slice);
void replica_member_damaged(struct slice *slice, uint32_t node);
