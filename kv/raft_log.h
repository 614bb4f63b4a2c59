// SPDX-License-Identifier: GPL-3.0-or-later
//
// A slice's replicated log: propose, committed, applied. This is the seam of consensus; the implementation
// here has one voter, itself, so that "durable in the shard's log" is "committed". Terms and indexes are
// kept as Raft keeps them: a term is begun at each start, indexes have no gaps.
//
// Shard    The slice's owner.
// Memory   struct raft_log is embedded in struct slice; a proposal is the proposer's and stays put until `committed`.
// Safety   `committed` is called in index order, exactly once for each proposal accepted.
#pragma once
#include "core/log_writer.h"

struct raft_log {
    struct log_writer *writer;
    uint64_t slice;
    uint64_t term;
    uint64_t last_index; // Proposed.
    uint64_t committed_index;
    uint64_t applied_index; // Told by raft_log_applied.
    log_position
        applied_position; // Of applied_index in the shard's log; 0 when it is from an older start.
};

struct raft_proposal {
    struct log_append append; // record.index and record.term are filled in by raft_log_propose.
    struct raft_log *log;
    // On the shard, not in a task. A failed status is the log's end: whether the entry lives is unknown.
    void (*committed)(struct raft_proposal *proposal, struct status st);
};

// `applied_index` and `term` are what the slice recovered; a new term begins.
void raft_log_init(struct raft_log *log, struct log_writer *writer, uint64_t slice, uint64_t term,
    uint64_t applied_index);
// Never suspends; the payload is copied. Errors: as log_writer_append, nothing was logged then.
CHECKED struct status raft_log_propose(
    struct raft_log *log, struct raft_proposal *proposal, struct bytes payload);
void raft_log_applied(struct raft_log *log, uint64_t index, log_position position);
