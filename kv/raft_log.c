// SPDX-License-Identifier: GPL-3.0-or-later
//
// One voter: an entry is committed when it is durable in this shard's log.
#include "kv/raft_log.h"
#include <stdlib.h>
#include "core/invariant.h"
struct raft_log_replay { struct log_record record; log_position position; bool has; };
size_t raft_config_encode(const struct raft_config *config, uint8_t out[RAFT_CONFIG_BYTES_MAX])
{
    out[0] = (uint8_t)config->count;
    for (uint32_t i = 0; i < config->count; i++) {
        memcpy(out + 1 + 5 * i, &config->members[i].node, 4);
        out[5 + 5 * i] = config->members[i].learner;
    }
    return 1 + 5 * config->count;
}
bool raft_config_decode(struct bytes body, struct raft_config *config)
{
    *config = (struct raft_config){0};
    if (body.size < 1 || body.size != 1 + 5u * body.data[0] || body.data[0] > RAFT_MEMBERS_MAX) return false;
    config->count = body.data[0];
    for (uint32_t i = 0; i < config->count; i++) {
        memcpy(&config->members[i].node, body.data + 1 + 5 * i, 4);
        config->members[i].learner = body.data[5 + 5 * i];
    }
    return true;
}
uint32_t raft_config_voters(const struct raft_config *config)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < config->count; i++) n += !config->members[i].learner;
    return n;
}
bool raft_alone(const struct raft *raft) { (void)raft; return true; }
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
    log->raft.config = log->raft.committed = options->config;
    log->raft.term = options->applied_term;
    log->raft.last = log->raft.commit = options->applied_index;
    log->replay = calloc(1, sizeof *log->replay);
}
void raft_log_fini(struct raft_log *log) { free(log->replay); log->replay = NULL; }
struct status raft_log_replay(struct raft_log *log, const struct log_record *record, log_position position)
{
    if (record->index <= log->delivered) return STATUS_OK;
    if (record->index != log->delivered + 1) return status_make(E_DATA_CORRUPTED, "gap");
    log->replay->record = *record;
    log->replay->position = position;
    log->replay->has = true;
    return STATUS_OK;
}
bool raft_log_replay_next(struct raft_log *log, struct log_record *record, log_position *position)
{
    if (!log->replay->has) return false;
    *record = log->replay->record;
    *position = log->replay->position;
    log->replay->has = false;
    log->delivered = log->applied_index = log->raft.last = log->raft.commit = record->index;
    log->raft.term = log->applied_term = record->term;
    log->applied_position = *position;
    return true;
}
void raft_log_replay_applied(const struct raft_log *log, uint64_t *index, uint64_t *term)
{
    *index = log->delivered;
    *term = log->applied_term;
}
struct status raft_log_start(
    struct raft_log *log, struct log_writer *writer, struct raft_shard *shard)
{
    log->writer = writer;
    log->shard = shard;
    log->raft.term++;
    free(log->replay);
    log->replay = NULL;
    log->started = log->leading = true;
    log->raft.role = RAFT_LEADER;
    log->raft.leader = log->raft.self;
    if (log->hooks->leading != NULL) log->hooks->leading(log);
    return STATUS_OK;
}
void raft_log_stop(struct raft_log *log) { log->stopped = true; }
void raft_log_fail(struct raft_log *log, struct status st) { (void)log; (void)st.code; }
log_position raft_log_needed(struct raft_log *log, log_position checkpointed)
{
    bool clean = log->applied_index == log->raft.last && log->applied_position <= checkpointed;
    return clean ? UINT64_MAX : checkpointed;
}
struct status raft_log_transfer(struct raft_log *log, uint32_t node)
{
    (void)log; (void)node;
    return status_make(E_NOT_IN_PREREQUISITE_STATE, "no other voter");
}
static void record_durable(struct log_append *append, struct status st)
{
    struct raft_proposal *proposal = container_of(append, struct raft_proposal, append);
    struct raft_log *log = proposal->log;
    if (failed(st)) {
        proposal->failed(proposal, status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS, "log failed"));
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
const struct raft_member *raft_config_find(const struct raft_config *config, uint32_t node)
{
    for (uint32_t i = 0; i < config->count; i++) {
        if (config->members[i].node == node) return &config->members[i];
    }
    return NULL;
}
struct status raft_log_config_change(struct raft_log *log, enum raft_change change, uint32_t node)
{
    (void)log; (void)change; (void)node;
    return status_make(E_FEATURE_NOT_SUPPORTED, "members do not change yet");
}
struct status raft_log_installed(
    struct raft_log *log, uint64_t index, uint64_t term, const struct raft_config *config)
{
    (void)log; (void)index; (void)term; (void)config;
    return status_make(E_FEATURE_NOT_SUPPORTED, "members do not change yet");
}
void raft_log_snapshot_sent(struct raft_log *log, uint32_t node, uint64_t index, bool ok)
{
    (void)log; (void)node; (void)index; (void)ok;
}
