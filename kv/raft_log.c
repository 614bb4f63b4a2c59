// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/raft_log.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "kv/raft_log_internal.h"

#define HARD_EVERY_BYTES (4u << 20) // Of entries: how stale the commit index on disk gets.
#define POSITION_SEGMENT_SHIFT 32 // A position's upper half is its segment (core/log_segment.h).

// --- life ----------------------------------------------------------------------------------------

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
    log->raft.damaged = options->damaged;
    log->raft.config = log->raft.committed = options->config;
    log->raft.term = options->applied_term;
    log->raft.last = log->raft.commit = options->applied_index;
    list_init(&log->slots);
    log->replay = raft_log_replay_create(log);
}

void raft_log_fini(struct raft_log *log)
{
    struct list_link *link;
    if (log->started && !log->stopped) raft_log_stop(log);
    raft_log_replay_destroy(log->replay);
    log->replay = NULL;
    while ((link = list_pop(&log->slots)) != NULL)
        container_of(link, struct raft_slot, link)->log = NULL; // The shard's log still has it.
    if (log->started) raft_fini(&log->raft);
    log->started = false;
}

static void io_send(void *arg, const struct raft_message *message)
{
    struct raft_log *log = arg;
    if (log->shard != NULL) raft_shard_send(log->shard, log->slice, message);
}

static void io_snapshot(void *arg, uint32_t node, bool learner)
{
    struct raft_log *log = arg;
    if (log->hooks->snapshot_send != NULL) log->hooks->snapshot_send(log, node, learner);
}

static struct status ambiguous(void)
{
    return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
        "the outcome of the commit is unknown: the replica lost its leadership");
}

static struct status not_leader(void)
{
    return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "not the leader");
}

static void io_dropped(void *arg, void *proposal, bool known)
{
    struct raft_proposal *own = proposal;
    (void)arg;
    own->failed(own, known ? not_leader() : ambiguous());
}

static uint8_t io_note(void *arg, uint8_t out[RAFT_NOTE_BYTES])
{
    struct raft_log *log = arg;
    return log->hooks->note == NULL || !log->leading ? 0 : log->hooks->note(log, out);
}

static void io_noted(void *arg, const uint8_t *note, uint8_t note_bytes)
{
    struct raft_log *log = arg;
    if (log->hooks->noted != NULL) log->hooks->noted(log, bytes_of(note, note_bytes));
}

struct status raft_log_start(
    struct raft_log *log, struct log_writer *writer, struct raft_shard *shard)
{
    struct raft_log_replay *replay = log->replay;
    struct status st = STATUS_OK;
    log->writer = writer;
    log->shard = shard;
    const struct raft_options options = {
        .self = log->raft.self,
        .config = log->raft.committed,
        .base = log->applied_index,
        .base_term = log->applied_term,
        .term = replay->term,
        .vote = replay->vote,
        .seed = shard == NULL ? log->slice : shard->shard->env->random(shard->shard->env),
        .damaged = log->raft.damaged,
        .io = {.send = io_send,
            .snapshot = io_snapshot,
            .dropped = io_dropped,
            .note = io_note,
            .noted = io_noted,
            .arg = log},
    };
    raft_init(&log->raft, &options);
    log->started = true;
    uint64_t handed = log->raft.handed;
    bool moved = false; // From another log: it must be in this one, too.
    for (uint32_t i = 0; i < replay->count; i++) {
        const struct raft_kept *kept = &replay->kept[replay->first + i];
        TRY(raft_restore(&log->raft, kept->record.term, (enum raft_entry_kind)kept->record.kind,
            kept->record.payload, kept->position));
        if (kept->position == 0) moved = true;
        if (!moved) handed = kept->record.index;
    }
    if (moved) log->raft.handed = log->raft.stable = handed;
    if (replay->has_hard && log->hard_position == 0) raft_hard_rewrite(&log->raft);
    raft_log_replay_destroy(log->replay);
    log->replay = NULL;
    if (shard != NULL) raft_shard_add(shard, log);
    raft_start(&log->raft);
    raft_log_pump(log);
out:
    return st;
}

static void proposals_fail(struct raft_log *log, struct status st)
{
    for (uint64_t index = log->raft.base + 1; index <= log->raft.last; index++) {
        struct raft_entry *entry = raft_entry_at(&log->raft, index);
        struct raft_proposal *proposal = entry->proposal;
        entry->proposal = NULL;
        if (proposal != NULL) proposal->failed(proposal, st);
    }
}

void raft_log_stop(struct raft_log *log)
{
    if (!log->started || log->stopped) return;
    log->stopped = true;
    log->leading = false;
    if (log->shard != NULL) raft_shard_remove(log->shard, log);
    proposals_fail(log, ambiguous());
}

void raft_log_fail(struct raft_log *log, struct status st)
{
    (void)st.code;
    if (!log->started || log->failed) return;
    log->failed = true;
    proposals_fail(log, ambiguous());
}

void raft_log_state_lost(struct raft_log *log)
{
    if (!log->started || log->stopped || log->failed || log->shard == NULL) return;
    log->state_lost = true;
    raft_shard_dirty(log->shard, log); // Whoever finds it out may be in the midst of consensus.
}

static void give_up_part(struct raft_log *log)
{
    raft_stand(&log->raft, true);
    log->raft.damaged = true;
    log->raft.quiet = false; // It says so from time to time.
    proposals_fail(log, ambiguous());
}

// --- to the disk ---------------------------------------------------------------------------------

static void slot_durable(struct log_append *append, struct status st)
{
    struct raft_slot *slot = container_of(append, struct raft_slot, append);
    struct raft_log *log = slot->log;
    if (log != NULL && !failed(st)) {
        if (append->record.index != 0) {
            raft_durable(&log->raft, append->record.index, append->record.term);
        } else {
            log->hard_position = append->position;
            raft_hard_durable(&log->raft, slot->version);
        }
        if (!log->stopped) raft_shard_dirty(log->shard, log);
    }
    raft_slot_give(slot);
}

static bool slot_append(struct raft_log *log, const struct log_record *record, uint64_t version,
    log_position *position, struct status *st)
{
    struct raft_slot *slot = raft_slot_take(log);
    slot->append.record = *record;
    slot->append.record.stream = log->slice;
    slot->append.durable = slot_durable;
    slot->version = version;
    *st = log_writer_append(log->writer, &slot->append);
    if (failed(*st)) {
        raft_slot_give(slot);
        return false;
    }
    *position = slot->append.position;
    return true;
}

static bool hard_append(struct raft_log *log, struct status *st)
{
    uint8_t body[RAFT_HARD_BYTES];
    log_position position;
    raft_hard_encode(log, body);
    uint64_t version = log->raft.hard_version;
    const struct log_record record = {.payload = bytes_of(body, sizeof body)};
    if (!slot_append(log, &record, version, &position, st)) return false;
    log->hard_handed = version;
    log->bytes_since_hard = 0;
    return true;
}

static bool entry_append(struct raft_log *log, uint64_t index, struct status *st)
{
    struct raft_entry *entry = raft_entry_at(&log->raft, index);
    const struct log_record record = {
        .term = entry->term, .index = index, .kind = entry->kind, .payload = entry->body};
    if (!slot_append(log, &record, 0, &entry->position, st)) return false;
    log->bytes_since_hard += entry->body.size;
    return true;
}

// Everything that consensus wants written down goes to the shard's log, in order. What does not fit now is tried
// again at the next tick.
static struct status hand_over(struct raft_log *log)
{
    struct raft *raft = &log->raft;
    struct status st = STATUS_OK;
    if (log->shard == NULL) return STATUS_OK; // Alone: raft_log_propose does it.
    if (raft->hard_version > log->hard_handed && !hard_append(log, &st)) return st;
    if (log->marker != 0) {
        const struct log_record record = {
            .term = log->applied_term, .index = log->marker, .kind = RAFT_NOOP};
        if (!slot_append(log, &record, 0, &log->applied_position, &st)) return st;
        log->marker = 0;
    }
    while (raft->handed < raft->last) {
        if (!entry_append(log, raft->handed + 1, &st)) return st;
        raft->handed++;
    }
    if (log->bytes_since_hard > HARD_EVERY_BYTES && !hard_append(log, &st)) return st;
    return st;
}

// --- what became of it ---------------------------------------------------------------------------

static void entry_deliver(struct raft_log *log)
{
    struct raft_entry *entry = raft_entry_at(&log->raft, log->delivered + 1);
    struct raft_proposal *proposal = entry->proposal;
    bool members = entry->kind == RAFT_CONFIG;
    const struct log_record record = {.stream = log->slice,
        .term = entry->term,
        .index = log->delivered + 1,
        .kind = entry->kind,
        .payload = entry->body};
    entry->proposal = NULL;
    log->delivered++;
    log->hooks->committed(log, &record, entry->position, proposal);
    if (members && log->hooks->config_changed != NULL) log->hooks->config_changed(log);
}

static void deliver(struct raft_log *log)
{
    const struct raft *raft = &log->raft;
    bool any = false;
    for (;;) {
        uint64_t end = raft->commit < raft->stable ? raft->commit : raft->stable;
        if (log->stopped || log->failed || log->delivered >= end) break;
        if (log->delivered < raft->base) break; // Alone: comes with its proposal.
        entry_deliver(log);
        any = true;
    }
    if (any && log->hooks->batch_end != NULL) log->hooks->batch_end(log);
}

static void role_tell(struct raft_log *log)
{
    const struct raft *raft = &log->raft;
    bool leads = raft->role == RAFT_LEADER;
    // A leader deposed and elected anew within a turn has another term.
    bool deposed = log->leading && (!leads || raft->term != log->term_led);
    bool other = !leads && raft->leader != log->told_leader;
    if (deposed || (other && !log->leading)) {
        log->leading = false;
        log->told_leader = leads ? 0 : raft->leader;
        if (log->hooks->following != NULL) log->hooks->following(log, log->told_leader);
    }
    if (raft->removed && !log->told_removed) {
        log->told_removed = true;
        if (log->hooks->removed != NULL) log->hooks->removed(log);
    }
    if (!raft->removed) log->told_removed = false;
}

static void leading_tell(struct raft_log *log)
{
    const struct raft *raft = &log->raft;
    if (log->leading || raft->role != RAFT_LEADER || log->stopped || log->failed) return;
    if (raft->commit < raft->term_start || log->delivered < raft->term_start) return;
    log->leading = true;
    log->told_leader = raft->self;
    log->term_led = raft->term;
    if (log->hooks->leading != NULL) log->hooks->leading(log);
}

void raft_log_pump(struct raft_log *log)
{
    if (log->stopped || log->failed) return;
    if (log->state_lost && !log->raft.damaged) give_up_part(log);
    struct status st = hand_over(log);
    (void)st.code; // No room on the disk: at the next tick.
    raft_flush(&log->raft);
    if (log->shard != NULL) raft_shard_held(log->shard, log);
    role_tell(log);
    deliver(log);
    leading_tell(log);
    if (log->shard == NULL || log->stopped) return;
    bool ticks = !log->raft.quiet && !raft_alone(&log->raft);
    raft_shard_tick_set(log->shard, log, ticks);
}

// At each tick: a group that nobody uses has one or two of them when the member calls, and rests again.
static void damage_tell(struct raft_log *log)
{
    const struct raft *raft = &log->raft;
    if (log->hooks->member_damaged == NULL) return;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        if (!raft->progress[i].damaged) continue;
        log->hooks->member_damaged(log, raft->progress[i].node);
        return;
    }
}

void raft_log_tick(struct raft_log *log)
{
    raft_tick(&log->raft);
    if (log->raft.role == RAFT_LEADER) damage_tell(log);
    raft_shard_dirty(log->shard, log);
}

void raft_log_step(struct raft_log *log, uint32_t from, struct bytes bytes)
{
    struct raft_message message;
    if (log->stopped || log->failed || log->shard == NULL) return;
    if (!raft_message_decode(log->shard, bytes, &message) || message.from != from) {
        log_warning(0, "slice %llu: malformed consensus message from node %u",
            (unsigned long long)log->slice, from);
        return;
    }
    struct status st = raft_step(&log->raft, &message);
    if (failed(st))
        log_warning(
            0, "slice %llu: node %u sent %s", (unsigned long long)log->slice, from, st.message);
    raft_shard_dirty(log->shard, log);
}

// --- proposing -----------------------------------------------------------------------------------

static void alone_durable(struct log_append *append, struct status st)
{
    struct raft_proposal *proposal = container_of(append, struct raft_proposal, append);
    struct raft_log *log = proposal->log;
    if (UNLIKELY(failed(st) || log->stopped || log->failed)) {
        proposal->failed(proposal, ambiguous());
        return;
    }
    raft_durable(&log->raft, append->record.index, append->record.term);
    invariant(append->record.index == log->delivered + 1);
    invariant(append->record.index <= log->raft.commit);
    log->delivered++;
    append->record.payload = bytes_of(NULL, 0);
    log->hooks->committed(log, &append->record, append->position, proposal);
}

static struct status propose_alone(
    struct raft_log *log, struct raft_proposal *proposal, struct bytes payload)
{
    proposal->append = (struct log_append){
        .record = {.stream = log->slice,
            .term = log->raft.term,
            .index = log->raft.last + 1,
            .payload = payload},
        .durable = alone_durable,
    };
    struct status st = log_writer_append(log->writer, &proposal->append);
    if (!failed(st)) raft_propose_alone(&log->raft);
    return st;
}

struct status raft_log_propose(
    struct raft_log *log, struct raft_proposal *proposal, struct bytes payload)
{
    struct raft *raft = &log->raft;
    uint64_t index;
    if (UNLIKELY(!log->leading || log->stopped || log->failed || raft->role != RAFT_LEADER))
        return not_leader();
    proposal->log = log;
    if (LIKELY(raft_alone(raft))) return propose_alone(log, proposal, payload);
    if (raft->transferee != 0) return not_leader();
    if (raft_window_full(raft))
        return status_make(E_OUT_OF_MEMORY, "too much waits to be replicated");
    struct status st = hand_over(log);
    if (failed(st)) return st;
    bool proposed = raft_propose(raft, payload, proposal, &index);
    invariant(proposed);
    if (!entry_append(log, index, &st)) {
        // Nobody has heard of it yet.
        raft_entry_at(raft, index)->proposal = NULL;
        raft_propose_undo(raft);
        return st;
    }
    raft->handed = index;
    proposal->append.record = (struct log_record){
        .stream = log->slice, .term = raft->term, .index = index, .kind = RAFT_DATA};
    proposal->append.position = raft_entry_at(raft, index)->position;
    raft_shard_dirty(log->shard, log);
    return STATUS_OK;
}

void raft_log_applied(struct raft_log *log, uint64_t index, log_position position)
{
    invariant(index > log->applied_index && index <= log->delivered);
    log->applied_index = index;
    log->applied_term =
        index > log->raft.base ? raft_term_at(&log->raft, index) : log->raft.base_term;
    log->applied_position = position;
    raft_applied(&log->raft, index);
}

log_position raft_log_needed(struct raft_log *log, log_position checkpointed)
{
    bool clean = log->applied_index == log->raft.last && log->applied_position <= checkpointed;
    log_position needed = clean ? UINT64_MAX : checkpointed;
    if (log->hard_position == 0 || needed < log->hard_position) return needed;
    log_position appended = log_writer_appended(log->writer);
    if (log->hard_position >> POSITION_SEGMENT_SHIFT < appended >> POSITION_SEGMENT_SHIFT &&
        log->shard != NULL && !log->stopped && log->hard_handed == log->raft.hard_version) {
        struct status st;
        (void)hard_append(log, &st);
    }
    return log->hard_position - 1;
}

// --- members and the rest ------------------------------------------------------------------------

struct status raft_log_config_change(struct raft_log *log, enum raft_change change, uint32_t node)
{
    uint64_t index;
    if (!log->leading) return not_leader();
    if (log->shard == NULL)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "this node is not part of a cluster");
    struct status st = raft_config_change(&log->raft, change, node, &index);
    if (!failed(st)) raft_shard_dirty(log->shard, log);
    return st;
}

struct status raft_log_transfer(struct raft_log *log, uint32_t node)
{
    if (!log->leading) return not_leader();
    struct status st = raft_transfer(&log->raft, node);
    if (!failed(st) && log->shard != NULL) raft_shard_dirty(log->shard, log);
    return st;
}

struct status raft_log_force_alone(struct raft_log *log)
{
    if (log->stopped || !log->started || log->failed)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica does not run");
    if (log->shard == NULL)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "this node is not part of a cluster");
    struct status st = raft_force_alone(&log->raft);
    if (!failed(st)) raft_shard_dirty(log->shard, log);
    return st;
}

struct status raft_log_installed(
    struct raft_log *log, uint64_t index, uint64_t term, const struct raft_config *config)
{
    if (index <= log->applied_index)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica is ahead of the snapshot");
    if (log->raft.role == RAFT_LEADER)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the replica leads");
    bool suffix = log->raft.last > index;
    raft_installed(&log->raft, index, term, config);
    log->delivered = log->applied_index = index;
    log->applied_term = term;
    if (suffix && log->raft.last == index) log->marker = index;
    if (log->shard != NULL) raft_shard_dirty(log->shard, log);
    return STATUS_OK;
}

void raft_log_snapshot_sent(struct raft_log *log, uint32_t node, uint64_t index, bool ok)
{
    if (log->stopped || !log->started) return;
    raft_snapshot_sent(&log->raft, node, index, ok);
    if (log->shard != NULL) raft_shard_dirty(log->shard, log);
}

void raft_log_wake(struct raft_log *log)
{
    if (log->stopped || !log->started || log->shard == NULL) return;
    raft_wake(&log->raft);
    raft_shard_dirty(log->shard, log);
}
