// SPDX-License-Identifier: GPL-3.0-or-later
//
// Terms, votes, and the follower's side of replication. The leader's side: kv/raft_leader.c.
#include "kv/raft.h"

#include <stdlib.h>

#include "kv/raft_internal.h"

#define OUTGOING_MAX 256u

struct raft_outgoing {
    struct raft_message message;
    uint64_t version;
    struct raft_outgoing *next;
};

static struct status malformed(const char *message)
{
    return status_make(E_DATA_CORRUPTED, message);
}

// --- life ----------------------------------------------------------------------------------------

void raft_init(struct raft *raft, const struct raft_options *options)
{
    *raft = (struct raft){
        .self = options->self,
        .term = options->term > options->base_term ? options->term : options->base_term,
        .vote = options->term >= options->base_term ? options->vote : 0,
        .commit = options->base,
        .applied = options->base,
        .base = options->base,
        .base_term = options->base_term,
        .last = options->base,
        .last_term = options->base_term,
        .handed = options->base,
        .stable = options->base,
        .verified = options->base,
        .config = options->config,
        .committed = options->config,
        .damaged = options->damaged,
        .random = options->seed | 1,
        .io = options->io,
    };
    raft->outgoing_end = &raft->outgoing;
    raft_timeout_draw(raft);
}

void raft_fini(struct raft *raft)
{
    for (uint32_t i = 0; i < raft->window_count; i++)
        free((uint8_t *)(uintptr_t)raft->window[raft->window_first + i].body.data);
    free(raft->window);
    while (raft->outgoing != NULL) {
        struct raft_outgoing *next = raft->outgoing->next;
        free(raft->outgoing);
        raft->outgoing = next;
    }
    free(raft->progress);
    *raft = (struct raft){0};
}

struct status raft_restore(struct raft *raft, uint64_t term, enum raft_entry_kind kind,
    struct bytes body, uint64_t position)
{
    struct raft_config config;
    if (term < raft->last_term || kind > RAFT_CONFIG)
        return malformed("entry of a log out of place");
    if (kind == RAFT_CONFIG && !raft_config_decode(body, &config))
        return malformed("malformed members in a log");
    raft_window_push(raft, term, kind, body, NULL);
    raft_entry_at(raft, raft->last)->position = position;
    raft->handed = raft->stable = raft->last;
    if (term > raft->term) {
        raft->term = term;
        raft->vote = 0;
    }
    return STATUS_OK;
}

void raft_start(struct raft *raft)
{
    raft_config_derive(raft);
    if (raft->damaged || raft->config.count != 1 || !raft_config_votes(&raft->config, raft->self))
        return;
    // Nobody else can lead without this vote, and so without this log: all of it is committed.
    raft->term++;
    raft->vote = raft->self;
    raft->hard_owed = true;
    raft->role = RAFT_LEADER;
    raft->leader = raft->self;
    raft_commit_to(raft, raft->last);
}

bool raft_alone(const struct raft *raft)
{
    return raft->role == RAFT_LEADER && raft->config.count == 1 && raft->window_count == 0 &&
           raft->config.members[0].node == raft->self;
}

// --- small things --------------------------------------------------------------------------------

static uint64_t next_random(struct raft *raft)
{
    raft->random ^= raft->random << 13;
    raft->random ^= raft->random >> 7;
    raft->random ^= raft->random << 17;
    return raft->random;
}

void raft_timeout_draw(struct raft *raft)
{
    raft->elapsed = 0;
    raft->timeout =
        RAFT_ELECTION_TICKS + 1 + (uint32_t)(next_random(raft) % (uint64_t)RAFT_ELECTION_TICKS);
}

void raft_hard_changed(struct raft *raft)
{
    raft->hard_version++;
    raft->hard_owed = false;
}

void raft_hard_rewrite(struct raft *raft)
{
    raft->hard_version++;
}

void raft_hard_durable(struct raft *raft, uint64_t version)
{
    if (version > raft->hard_durable_version) raft->hard_durable_version = version;
    while (raft->outgoing != NULL && raft->outgoing->version <= raft->hard_durable_version) {
        struct raft_outgoing *out = raft->outgoing;
        raft->outgoing = out->next;
        if (raft->outgoing == NULL) raft->outgoing_end = &raft->outgoing;
        raft->io.send(raft->io.arg, &out->message);
        free(out);
    }
}

// Messages say what term and vote allow: they leave when those are durable.
void raft_send(struct raft *raft, struct raft_message *message)
{
    message->from = raft->self;
    if (!raft_hard_dirty(raft)) {
        raft->io.send(raft->io.arg, message);
        return;
    }
    invariant(message->entry_count == 0);
    uint32_t count = 0;
    for (const struct raft_outgoing *at = raft->outgoing; at != NULL; at = at->next)
        count++;
    if (count >= OUTGOING_MAX) return; // As if lost.
    struct raft_outgoing *out = malloc(sizeof *out);
    invariant(out != NULL);
    *out = (struct raft_outgoing){.message = *message, .version = raft->hard_version};
    *raft->outgoing_end = out;
    raft->outgoing_end = &out->next;
}

void raft_commit_to(struct raft *raft, uint64_t index)
{
    if (index > raft->last) index = raft->last;
    if (index <= raft->commit) return;
    for (uint64_t at = raft->commit + 1; at <= index; at++) {
        if (at <= raft->base) continue; // Alone.
        const struct raft_entry *entry = raft_entry_at(raft, at);
        if (entry->kind != RAFT_CONFIG) continue;
        bool whole = raft_config_decode(entry->body, &raft->committed);
        invariant(whole);
        raft->committed.index = at;
    }
    raft->commit = index;
}

static void leave_role(struct raft *raft)
{
    raft->role = RAFT_FOLLOWER;
    raft->transferee = 0;
    raft->quiet = false;
    raft->forced = false;
    raft->ack_due = raft->heartbeat_ack_due = false;
    raft_progress_drop(raft);
    raft_timeout_draw(raft);
}

void raft_become_follower(struct raft *raft, uint64_t term, uint32_t leader)
{
    invariant(term >= raft->term);
    if (term > raft->term) {
        raft->term = term;
        raft->vote = 0;
        raft_hard_changed(raft);
        raft->verified = raft->commit;
    } else if (raft->role != RAFT_FOLLOWER || raft->leader != leader) {
        raft->verified = raft->commit;
    }
    leave_role(raft);
    raft->leader = leader;
}

// --- elections -----------------------------------------------------------------------------------

static uint32_t votes_needed(const struct raft *raft)
{
    return raft_config_voters(&raft->config) / 2 + 1;
}

static void votes_ask(struct raft *raft, enum raft_message_kind kind, uint64_t term)
{
    raft_progress_make(raft);
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        if (raft->progress[i].learner) continue;
        struct raft_message message = {
            .kind = kind,
            .to = raft->progress[i].node,
            .term = term,
            .index = raft->last,
            .log_term = raft->last_term,
            .flags = raft->forced ? RAFT_FORCE : 0,
        };
        raft_send(raft, &message);
    }
}

static uint32_t own_votes(const struct raft *raft)
{
    return raft_config_votes(&raft->config, raft->self) ? 1 : 0;
}

// One that is no voter by its newest entry may be the only one that has that entry: until it is committed it
// may have to lead once more, without counting itself (section 4.2.2).
static bool may_campaign(const struct raft *raft)
{
    return own_votes(raft) == 1 ||
           (raft->config.index > raft->commit && raft_config_votes(&raft->committed, raft->self));
}

static void campaign_for_real(struct raft *raft)
{
    raft->role = RAFT_CANDIDATE;
    raft->leader = 0;
    raft->term++;
    raft->vote = raft->self;
    raft_hard_changed(raft);
    raft_timeout_draw(raft);
    if (votes_needed(raft) == own_votes(raft)) {
        raft_become_leader(raft);
        return;
    }
    votes_ask(raft, RAFT_VOTE, raft->term);
}

void raft_campaign(struct raft *raft)
{
    if (raft->damaged || raft->removed || raft->still || raft->role == RAFT_LEADER || !may_campaign(raft)) return;
    raft->quiet = false;
    raft->forced = false;
    if (votes_needed(raft) == own_votes(raft)) {
        campaign_for_real(raft);
        return;
    }
    raft->role = RAFT_PRECANDIDATE;
    raft->leader = 0;
    raft_timeout_draw(raft);
    votes_ask(raft, RAFT_PREVOTE, raft->term + 1);
}

void raft_stand(struct raft *raft, bool still)
{
    raft->still = still;
    if (still && raft->role != RAFT_FOLLOWER) raft_become_follower(raft, raft->term, 0);
}

// Whether a leader is known to be there: then nobody else is helped to its place.
static bool leader_lives(const struct raft *raft)
{
    if (raft->role == RAFT_LEADER) return true;
    return raft->role == RAFT_FOLLOWER && raft->leader != 0 &&
           (raft->quiet || raft->elapsed < RAFT_ELECTION_TICKS);
}

static bool up_to_date(const struct raft *raft, const struct raft_message *message)
{
    return message->log_term > raft->last_term ||
           (message->log_term == raft->last_term && message->index >= raft->last);
}

static void on_prevote(struct raft *raft, const struct raft_message *message)
{
    struct raft_message reply = {
        .kind = RAFT_PREVOTE_REPLY, .to = message->from, .term = message->term};
    // It does not lead any more, whatever we thought.
    if (raft->role == RAFT_FOLLOWER && message->from == raft->leader) {
        raft->leader = 0;
        raft->quiet = false;
    }
    bool grant = message->term > raft->term && !leader_lives(raft) && up_to_date(raft, message);
    if (!grant) {
        reply.flags = RAFT_REJECT;
        reply.term = raft->term;
        // A leader knows its members; anyone knows who is none as of a log that is ahead of the asker's.
        bool member = raft_config_find(&raft->committed, message->from) != NULL;
        if (raft->role == RAFT_LEADER) {
            member = member || raft_config_find(&raft->config, message->from) != NULL;
            if (member) raft_wake(raft);
        } else {
            member = member || message->index >= raft->committed.index;
        }
        if (!member) {
            reply.flags |= RAFT_REMOVED;
            reply.index = raft->committed.index;
        }
    }
    raft_send(raft, &reply);
}

static void on_vote(struct raft *raft, const struct raft_message *message)
{
    struct raft_message reply = {
        .kind = RAFT_VOTE_REPLY, .to = message->from, .term = raft->term, .flags = RAFT_REJECT};
    bool free = raft->vote == message->from || (raft->vote == 0 && raft->leader == 0);
    if (free && up_to_date(raft, message)) {
        if (raft->vote == 0) {
            raft->vote = message->from;
            raft_hard_changed(raft);
        }
        raft_timeout_draw(raft);
        reply.flags = 0;
    }
    raft_send(raft, &reply);
}

static void on_vote_reply(struct raft *raft, const struct raft_message *message, bool pre)
{
    // Said in a term that is not below ours, of which a leader, or one of a later one, makes itself heard otherwise; or
    // by who knows it for certain.
    if (pre && (message->flags & RAFT_REMOVED) && raft->role != RAFT_LEADER) {
        raft_become_follower(raft, raft->term, 0);
        raft->removed = true;
        return;
    }
    if (raft->role != (pre ? RAFT_PRECANDIDATE : RAFT_CANDIDATE)) return;
    struct raft_progress *progress = raft_progress_of(raft, message->from);
    if (progress == NULL || progress->learner) return;
    if (pre && !(message->flags & RAFT_REJECT) && message->term != raft->term + 1) return;
    progress->vote_known = true;
    progress->vote = !(message->flags & RAFT_REJECT);
    uint32_t granted = own_votes(raft), rejected = 0;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct raft_progress *at = &raft->progress[i];
        if (at->learner || !at->vote_known) continue;
        granted += at->vote;
        rejected += !at->vote;
    }
    if (granted >= votes_needed(raft)) {
        if (pre)
            campaign_for_real(raft);
        else
            raft_become_leader(raft);
    } else if (rejected >= votes_needed(raft)) {
        raft_become_follower(raft, raft->term, 0);
    }
}

static void on_timeout_now(struct raft *raft, const struct raft_message *message)
{
    if (raft->role != RAFT_FOLLOWER || message->from != raft->leader || raft->still ||
        !raft_config_votes(&raft->config, raft->self))
        return;
    raft->quiet = false;
    raft->forced = true;
    campaign_for_real(raft);
}

// --- following -----------------------------------------------------------------------------------

static void heard_from(struct raft *raft, const struct raft_message *message)
{
    raft->leader = message->from;
    raft->elapsed = 0;
    raft->removed = false;
    raft->quiet = false;
    if (message->note_bytes > 0 && raft->io.noted != NULL)
        raft->io.noted(raft->io.arg, message->note, message->note_bytes);
}

static struct status append_check(const struct raft_message *message)
{
    uint64_t term = message->log_term;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        struct raft_config config;
        if (entry->term < term || entry->term > message->term || entry->kind > RAFT_CONFIG)
            return malformed("entries of a consensus message out of order");
        if (entry->kind == RAFT_CONFIG && !raft_config_decode(entry->body, &config))
            return malformed("malformed members in a consensus message");
        term = entry->term;
    }
    return STATUS_OK;
}

static void append_reject(struct raft *raft, const struct raft_message *message)
{
    uint64_t hint = raft_window_find(raft, message->index, message->log_term);
    struct raft_message reply = {
        .kind = RAFT_APPEND_REPLY,
        .to = message->from,
        .term = raft->term,
        .flags = RAFT_REJECT,
        .index = hint,
        .log_term = raft_term_at(raft, hint),
        .commit = message->index,
    };
    raft_send(raft, &reply);
}

static struct status on_append(struct raft *raft, const struct raft_message *message)
{
    struct status st = append_check(message);
    if (failed(st)) return st;
    uint64_t end = message->index + message->entry_count;
    if (message->index > raft->last ||
        (message->index > raft->base && raft_term_at(raft, message->index) != message->log_term)) {
        heard_from(raft, message);
        append_reject(raft, message);
        return STATUS_OK;
    }
    uint64_t index = message->index;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        const struct raft_entry *entry = &message->entries[i];
        index++;
        if (index <= raft->base) continue; // In the store, so committed, so the same.
        if (index <= raft->last) {
            if (raft_term_at(raft, index) == entry->term) continue;
            if (index <= raft->commit) return malformed("a leader contradicts what is committed");
            raft_window_cut(raft, index, true);
            raft_config_derive(raft);
        }
        // Applying is far behind: as if the rest were lost.
        if (raft_window_full(raft)) {
            end = index - 1;
            break;
        }
        raft_window_push(raft, entry->term, entry->kind, entry->body, NULL);
        if (entry->kind == RAFT_CONFIG) raft_config_derive(raft);
    }
    heard_from(raft, message);
    if (end > raft->verified) raft->verified = end;
    if (message->kept > raft->kept) {
        raft->kept = message->kept;
        raft_window_trim(raft);
    }
    raft_commit_to(raft, message->commit < end ? message->commit : end);
    // What is on its way to the disk is acknowledged when it is there: once, not twice.
    if (raft->stable >= raft->verified || message->entry_count == 0) raft->ack_due = true;
    return STATUS_OK;
}

static void on_heartbeat(struct raft *raft, const struct raft_message *message)
{
    heard_from(raft, message);
    if (message->kept > raft->kept && message->kept <= raft->last) raft->kept = message->kept;
    raft_commit_to(raft, message->commit);
    raft_window_trim(raft);
    raft->ack_round = message->round;
    raft->heartbeat_ack_due = true;
    if ((message->flags & RAFT_QUIET) && message->commit == raft->last &&
        raft->verified == raft->last && raft->stable == raft->last && !raft_hard_dirty(raft)) {
        raft->quiet = true;
        raft->heartbeat_ack_due = false;
    }
}

// What is durable and agrees with the leader's, told once a flush.
static void acknowledge(struct raft *raft)
{
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0) return;
    uint64_t verified = raft->verified > raft->commit ? raft->verified : raft->commit;
    uint64_t durable = raft->stable < verified ? raft->stable : verified;
    struct raft_message reply = {
        .to = raft->leader, .term = raft->term, .index = durable, .commit = verified};
    if (raft->heartbeat_ack_due) {
        reply.kind = RAFT_HEARTBEAT_REPLY;
        reply.round = raft->ack_round;
    } else if (raft->ack_due) {
        reply.kind = RAFT_APPEND_REPLY;
    } else {
        return;
    }
    raft->ack_due = raft->heartbeat_ack_due = false;
    raft_send(raft, &reply);
}

// --- inputs --------------------------------------------------------------------------------------

// A leader of a group that has gone quiet would not hear that one of its members is damaged: a question that promises
// nothing, and that nobody can say yes to, wakes it up.
static void damaged_call(struct raft *raft)
{
    if (raft->elapsed++ % RAFT_DAMAGED_CALL_TICKS != 0) return;
    for (uint32_t i = 0; i < raft->config.count; i++) {
        struct raft_message message = {
            .kind = RAFT_PREVOTE, .to = raft->config.members[i].node, .term = UINT64_MAX / 2};
        if (message.to != raft->self) raft_send(raft, &message);
    }
}

void raft_tick(struct raft *raft)
{
    if (raft->damaged) {
        damaged_call(raft);
        return;
    }
    if (raft->quiet) return;
    if (raft->role == RAFT_LEADER) {
        raft_leader_tick(raft);
        return;
    }
    raft->elapsed++;
    if (raft->elapsed >= raft->timeout) {
        if (raft->elapsed > 4 * raft->timeout) raft_timeout_draw(raft); // A learner only counts.
        if (raft->role == RAFT_FOLLOWER) raft->leader = 0;
        raft_campaign(raft);
    }
}

void raft_leader_lost(struct raft *raft)
{
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0) return;
    raft->leader = 0;
    raft->quiet = false;
    // Not all followers at once.
    raft_timeout_draw(raft);
    raft->elapsed = raft->timeout - 1 - (uint32_t)(next_random(raft) % 3u);
}

bool raft_rouse(struct raft *raft)
{
    raft->idle_ticks = 0;
    if (!raft->quiet) return false;
    raft->quiet = false;
    raft->elapsed = 0;
    if (raft->role != RAFT_LEADER) return false;
    for (uint32_t i = 0; i < raft->progress_count; i++)
        raft->progress[i].active = true;
    return true;
}

void raft_wake(struct raft *raft)
{
    if (raft_rouse(raft)) raft_leader_heartbeat(raft, false);
}

// Members without this replica were committed behind all of its log: whatever term it has come to since, it was none of
// theirs in it, for then it had heard of them.
static bool is_removal(const struct raft *raft, const struct raft_message *message)
{
    return message->kind == RAFT_PREVOTE_REPLY && (message->flags & RAFT_REMOVED) && message->index > raft->last;
}

// A message of another term. Returns whether it is to be looked at in the present one.
static bool step_term(struct raft *raft, const struct raft_message *message)
{
    bool from_leader = message->kind == RAFT_APPEND || message->kind == RAFT_HEARTBEAT ||
                       message->kind == RAFT_TIMEOUT_NOW;
    if (message->term < raft->term) {
        if (is_removal(raft, message)) return true;
        // A leader or a candidate that was left behind learns of the term (and is made to follow).
        struct raft_message reply = {.to = message->from, .term = raft->term, .flags = RAFT_REJECT};
        if (from_leader)
            reply.kind = RAFT_APPEND_REPLY;
        else if (message->kind == RAFT_PREVOTE)
            reply.kind = RAFT_PREVOTE_REPLY;
        else
            return false;
        raft_send(raft, &reply);
        return false;
    }
    if (message->term == raft->term) return true;
    switch (message->kind) {
    case RAFT_PREVOTE: return true;
    case RAFT_PREVOTE_REPLY:
        if (!(message->flags & RAFT_REJECT)) return true;
        break;
    case RAFT_VOTE:
        if (leader_lives(raft) && !(message->flags & RAFT_FORCE)) return false;
        break;
    default: break;
    }
    raft_become_follower(raft, message->term, from_leader ? message->from : 0);
    return true;
}

static struct status step_damaged(struct raft *raft, const struct raft_message *message)
{
    if (message->kind != RAFT_APPEND && message->kind != RAFT_HEARTBEAT) return STATUS_OK;
    struct raft_message reply = {.kind = RAFT_APPEND_REPLY,
        .from = raft->self,
        .to = message->from,
        .term = message->term,
        .flags = RAFT_REJECT | RAFT_DAMAGED};
    raft->io.send(raft->io.arg, &reply); // Says nothing of term, vote or log.
    return STATUS_OK;
}

struct status raft_step(struct raft *raft, const struct raft_message *message)
{
    if (message->to != raft->self || message->from == raft->self || message->from == 0)
        return malformed("a consensus message to someone else");
    if (message->term > UINT64_MAX / 2 || message->index > UINT64_MAX / 2)
        return malformed("a consensus message with numbers out of range");
    if (raft->damaged) return step_damaged(raft, message);
    if (!step_term(raft, message)) return STATUS_OK;
    switch (message->kind) {
    case RAFT_PREVOTE: on_prevote(raft, message); return STATUS_OK;
    case RAFT_VOTE: on_vote(raft, message); return STATUS_OK;
    case RAFT_PREVOTE_REPLY: on_vote_reply(raft, message, true); return STATUS_OK;
    case RAFT_VOTE_REPLY: on_vote_reply(raft, message, false); return STATUS_OK;
    case RAFT_TIMEOUT_NOW: on_timeout_now(raft, message); return STATUS_OK;
    case RAFT_APPEND:
    case RAFT_HEARTBEAT:
        if (raft->role == RAFT_LEADER) return malformed("two leaders of one term");
        if (raft->role != RAFT_FOLLOWER || raft->leader != message->from)
            raft_become_follower(raft, message->term, message->from);
        if (message->kind == RAFT_APPEND) return on_append(raft, message);
        on_heartbeat(raft, message);
        return STATUS_OK;
    case RAFT_APPEND_REPLY:
        if (raft->role != RAFT_LEADER) return STATUS_OK;
        return raft_leader_append_reply(raft, message);
    case RAFT_HEARTBEAT_REPLY:
        if (raft->role != RAFT_LEADER) return STATUS_OK;
        return raft_leader_heartbeat_reply(raft, message);
    case RAFT_MESSAGE_KIND_END: break;
    }
    return malformed("unknown kind of consensus message");
}

void raft_durable(struct raft *raft, uint64_t index, uint64_t term)
{
    if (index <= raft->stable || index > raft->last) return;
    // Of a log that was replaced meanwhile.
    if (index > raft->base && raft_term_at(raft, index) != term) return;
    raft->stable = index;
    if (raft->role == RAFT_LEADER)
        raft_leader_commit(raft);
    else
        raft->ack_due = true;
}

void raft_installed(
    struct raft *raft, uint64_t index, uint64_t term, const struct raft_config *config)
{
    if (index <= raft->applied) return;
    invariant(raft->role != RAFT_LEADER);
    if (index > raft->base && index <= raft->last && raft_term_at(raft, index) == term) {
        raft_commit_to(raft, index);
        for (uint64_t at = raft->applied + 1; at <= index; at++) { // They go unapplied.
            struct raft_entry *entry = raft_entry_at(raft, at);
            if (entry->proposal != NULL) raft->io.dropped(raft->io.arg, entry->proposal, false);
            entry->proposal = NULL;
        }
        uint64_t stable = raft->stable > index ? raft->stable : index;
        uint64_t handed = raft->handed > index ? raft->handed : index;
        raft_applied(raft, index);
        raft->stable = stable;
        raft->handed = handed;
    } else {
        raft_window_reset(raft, index, term);
        raft->commit = raft->applied = index;
        raft->verified = index;
    }
    if (raft->committed.index <= config->index) raft->committed = *config;
    raft_config_derive(raft);
    if (raft->verified < index) raft->verified = index;
    raft->quiet = false;
    raft->ack_due = true;
}

void raft_flush(struct raft *raft)
{
    raft->held = raft->held_lazy = false;
    if (raft->role == RAFT_LEADER)
        raft_leader_flush(raft, RAFT_ANYBODY);
    else
        acknowledge(raft);
}

void raft_flush_held(struct raft *raft)
{
    raft->held = raft->held_lazy = false;
    if (raft->role == RAFT_LEADER) raft_leader_flush(raft, RAFT_LAZY);
}

void raft_flush_lazy(struct raft *raft)
{
    raft->held = raft->held_lazy = false;
    if (raft->role == RAFT_LEADER) raft_leader_flush(raft, RAFT_NOBODY);
}
