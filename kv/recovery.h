// SPDX-License-Identifier: GPL-3.0-or-later
//
// Starting a shard's storage from what is on disk: its replicas' checkpoints, then the logs behind them.
//
// On disk  <dir>/STORE             whose it is, how many shards wrote the logs, which replicas are here
//          <dir>/slice-<id>/       a replica's store; of generation g > 0: slice-<id>.<g>
//          <dir>/log-<shard>/      a shard's log
// STORE begins with the format of all that is in the folder, and with the release that wrote it. Nothing else is read
// before: of a newer format, or one that is too old, 0A000 with what to start instead. An older one that is known is
// made the current one. When the number must be raised: kv/README.md.
//
// A store that another number of shards wrote is taken over: every shard reads all logs for its own slices,
// everything is checkpointed, the old logs are marked as void and erased, and new ones are begun. A crash in
// between finds either the old logs still valid or the mark.
#pragma once
#include "kv/kv_node.h"

// 2: the first one. 3: long values lie in pieces (kv/mvcc.h); STORE says who wrote it.
#define RECOVERY_FORMAT 3u
#define RECOVERY_FORMAT_OLDEST 2u

enum recovery_state {
    RECOVERY_HERE,
    RECOVERY_FOUNDED, // Here, and begun as the only voter.
    RECOVERY_GONE,    // Erased. The line stays, lest an old message brings it back.
    RECOVERY_DAMAGED, // Here, and to be replaced by a snapshot: what it had promised is lost.
};
struct recovery_replica {
    uint64_t slice, generation;
    enum recovery_state state;
    uint64_t since; // What the log has up to this position is of an earlier replica.
};
struct recovery_store {
    uint32_t format;  // As it was read. What is written is RECOVERY_FORMAT.
    char writer[32];  // The release that wrote it last; "" in format 2.
    uint8_t cluster_id[16];
    uint32_t node_id;
    uint32_t log_count;  // Logs log-0 .. log-(n-1) are valid.
    uint32_t void_count; // These many log folders are to be erased; 0: none.
    struct recovery_replica *replicas; // By slice, malloc'ed.
    uint32_t replica_count;
};
// Only whether this program may open what is in `dir`, if there is anything.
CHECKED struct status recovery_format_check(struct task *task, const char *dir);
// *found false when there is no store in `dir` yet.
CHECKED struct status recovery_store_read(
    struct task *task, const char *dir, struct recovery_store *store, bool *found);
CHECKED struct status recovery_store_write(
    struct task *task, const char *dir, const struct recovery_store *store);
// NULL when there never was one.
struct recovery_replica *recovery_replica_find(const struct recovery_store *store, uint64_t slice);
// Finds or makes the line.
struct recovery_replica *recovery_replica_get(struct recovery_store *store, uint64_t slice);
// The replica's folder, in `arena`.
const char *recovery_home(
    struct arena *arena, const char *dir, uint64_t slice, uint64_t generation);

// Opens the shard's slices and replays; the shard's own log, or (takeover) all of `log_count` logs.
CHECKED struct status recovery_replay(
    struct task *task, struct kv_shard *kv, bool takeover, uint32_t log_count);
// Erases log folders 0..count-1.
CHECKED struct status recovery_logs_erase(struct task *task, const char *dir, uint32_t count);
// Opens the shard's log when the replay has not done so, and starts the replicas. Those that are a majority by
// themselves serve when this returns.
CHECKED struct status recovery_serve(struct task *task, struct kv_shard *kv);
