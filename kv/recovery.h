// SPDX-License-Identifier: GPL-3.0-or-later
//
// Starting a shard's storage from what is on disk: its slices' checkpoints, then the logs behind them.
//
// On disk  <dir>/CLUSTER           cluster id, number of slices, number of shards that wrote the logs
//          <dir>/slice-<id>/       a store's home
//          <dir>/log-<shard>/      a shard's log
// A store that another number of shards wrote is taken over: every shard reads all logs for its own slices,
// everything is checkpointed, the old logs are marked as void and erased, and new ones are begun. A crash in
// between finds either the old logs still valid or the mark.
#pragma once
#include "kv/kv_node.h"

struct recovery_cluster {
    uint8_t id[16];
    uint32_t slice_count;
    uint32_t log_count;  // Logs log-0 .. log-(n-1) are valid.
    uint32_t void_count; // These many log folders are to be erased; 0: none.
};
// *found false when there is no store in `dir` yet.
CHECKED struct status recovery_cluster_read(
    struct task *task, const char *dir, struct recovery_cluster *cluster, bool *found);
CHECKED struct status recovery_cluster_write(
    struct task *task, const char *dir, const struct recovery_cluster *cluster);

// Opens the shard's slices and replays; the shard's own log, or (takeover) all of `log_count` logs.
CHECKED struct status recovery_replay(
    struct task *task, struct kv_shard *kv, bool takeover, uint32_t log_count);
// Erases log folders 0..count-1.
CHECKED struct status recovery_logs_erase(struct task *task, const char *dir, uint32_t count);
// Opens the shard's log when the replay has not done so, and lets the slices serve.
CHECKED struct status recovery_serve(struct task *task, struct kv_shard *kv);
