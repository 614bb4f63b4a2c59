// SPDX-License-Identifier: GPL-3.0-or-later
//
// One voter: an entry is committed when it is durable in this shard's log.
#include "kv/raft_log.h"

#include "core/invariant.h"

void raft_log_init(struct raft_log *log, struct log_writer *writer, uint64_t slice, uint64_t term,
    uint64_t applied_index)
{
    *log = (struct raft_log){
        .writer = writer,
        .slice = slice,
        .term = term,
        .last_index = applied_index,
        .committed_index = applied_index,
        .applied_index = applied_index,
    };
}

static void record_durable(struct log_append *append, struct status st)
{
    struct raft_proposal *proposal = container_of(append, struct raft_proposal, append);
    struct raft_log *log = proposal->log;
    if (!failed(st)) {
        invariant(append->record.index == log->committed_index + 1);
        log->committed_index = append->record.index;
    }
    proposal->committed(proposal, st);
}

struct status raft_log_propose(
    struct raft_log *log, struct raft_proposal *proposal, struct bytes payload)
{
    proposal->log = log;
    proposal->append = (struct log_append){
        .record = {.stream = log->slice,
            .term = log->term,
            .index = log->last_index + 1,
            .payload = payload},
        .durable = record_durable,
    };
    struct status st = log_writer_append(log->writer, &proposal->append);
    if (!failed(st)) log->last_index++;
    return st;
}

void raft_log_applied(struct raft_log *log, uint64_t index, log_position position)
{
    invariant(index > log->applied_index && index <= log->committed_index);
    log->applied_index = index;
    log->applied_position = position;
}
