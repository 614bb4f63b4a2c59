// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of raft_log share among themselves. Nobody else includes this.
#pragma once
#include "kv/raft_transport.h"

#define RAFT_HARD_BYTES 20u // Term u64, vote u32, commit u64.

struct raft_kept {
    struct log_record record;
    log_position position;
    uint8_t *memory;
};

struct raft_log_replay {
    uint64_t term, commit;
    uint32_t vote;
    bool has_hard;
    struct raft_config config; // In effect at the end of what was read.
    struct raft_kept *kept;    // Not known to be committed.
    uint32_t first, count, capacity;
    struct log_record direct; // Committed as it is read.
    log_position direct_position;
    bool has_direct;
    uint8_t *given; // Memory of what was given out last.
};

struct raft_log_replay *raft_log_replay_create(const struct raft_log *log);
void raft_log_replay_destroy(struct raft_log_replay *replay);
void raft_hard_encode(const struct raft_log *log, uint8_t out[RAFT_HARD_BYTES]);
