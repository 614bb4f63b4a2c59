// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of raft share among themselves. Nobody else includes this.
#pragma once
#include "core/invariant.h"
#include "kv/raft.h"

// --- raft_window.c: entries in memory
void raft_window_push(
    struct raft *raft, uint64_t term, enum raft_entry_kind kind, struct bytes body, void *proposal);
// Entries from `index` on go.
void raft_window_cut(struct raft *raft, uint64_t index, bool known);
// Everything goes; the log begins after `index`.
void raft_window_reset(struct raft *raft, uint64_t index, uint64_t term);
// Entries that are applied and that nobody needs go.
void raft_window_trim(struct raft *raft);
// The last index at or below `index` with a term at or below `term`; at least the base.
uint64_t raft_window_find(const struct raft *raft, uint64_t index, uint64_t term);
// The configuration in effect from what is there.
void raft_config_derive(struct raft *raft);

// --- raft.c
void raft_send(struct raft *raft, struct raft_message *message);
void raft_become_follower(struct raft *raft, uint64_t term, uint32_t leader);
void raft_hard_changed(struct raft *raft);
void raft_commit_to(struct raft *raft, uint64_t index);
void raft_timeout_draw(struct raft *raft);

// --- raft_leader.c
void raft_become_leader(struct raft *raft);
void raft_leader_tick(struct raft *raft);
// Who may be made to wait for more.
enum raft_patience { RAFT_NOBODY, RAFT_LAZY, RAFT_ANYBODY };
void raft_leader_flush(struct raft *raft, enum raft_patience patience);
// Ticks again. Whether a leader did, whose members rest.
bool raft_rouse(struct raft *raft);
void raft_leader_heartbeat(struct raft *raft, bool quiet);
void raft_leader_commit(struct raft *raft);
void raft_progress_make(struct raft *raft);
void raft_progress_drop(struct raft *raft);
CHECKED struct status raft_leader_append_reply(
    struct raft *raft, const struct raft_message *message);
CHECKED struct status raft_leader_heartbeat_reply(
    struct raft *raft, const struct raft_message *message);
// The index of every entry that all members have (those that count).
uint64_t raft_leader_kept(const struct raft *raft, uint64_t *bytes_max);
