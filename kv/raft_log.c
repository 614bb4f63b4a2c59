// SPDX-License-Identifier: GPL-3.0-or-later
//
// One voter: an entry is committed when it is durable in this shard's log.
#include "kv/raft_log.h"

#include "core/invariant.h"

void raft_log_init(struct raft_log *log, const struct raft_log_options *options)
{
    *log = (struct raft_log){
        .slice = options->slice,
        .hooks = options->hooks,
        .arg = options->arg,
        .applied_index = options->applied_index,
        .applied_term = options->applied_term,
        .delivered = options->applied_index,
    };
    log->raft.self = options->self;
    log->raft.term = options->applied_term + 1;
    log->raft.last = log->raft.commit = options->applied_index;
}

struct status raft_log_start(
    struct raft_log *log, struct log_writer *writer, struct raft_shard *shard)
{
    log->writer = writer;
    log->shard = shard;
    log->started = log->leading = true;
    log->raft.role = RAFT_LEADER;
    log->raft.leader = log->raft.self;
    if (log->hooks->leading != NULL) log->hooks->leading(log);
    return STATUS_OK;
}

static void record_durable(struct log_append *append, struct status st)
{
    struct raft_proposal *proposal = container_of(append, struct raft_proposal, append);
    struct raft_log *log = proposal->log;
    if (failed(st)) {
        proposal->failed(proposal, st);
        return;
    }
    invariant(append->record.index == log->raft.commit + 1);
    log->raft.commit = log->delivered = append->record.index;
    append->record.payload = bytes_of(NULL, 0);
    log->hooks->committed(log, &append->record, append->position, proposal);
}

struct status raft_log_propose(
    struct raft_log *log, struct raft_proposal *proposal, struct bytes payload)
{
    proposal->log = log;
    proposal->append = (struct log_append){
        .record = {.stream = log->slice,
            .term = log->raft.term,
            .index = log->raft.last + 1,
            .payload = payload},
        .durable = record_durable,
    };
    struct status st = log_writer_append(log->writer, &proposal->append);
    if (!failed(st)) log->raft.last++;
    return st;
}

void raft_log_applied(struct raft_log *log, uint64_t index, log_position position)
{
    invariant(index > log->applied_index && index <= log->raft.commit);
    log->applied_index = index;
    log->applied_position = position;
}
