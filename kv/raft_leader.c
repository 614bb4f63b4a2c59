// SPDX-License-Identifier: GPL-3.0-or-later
//
// The leader's side of consensus: progress of members, appends, commits, changes of members, handing over.
#include <stdlib.h>

#include "core/mark.h"
#include "kv/raft_internal.h"

#define SILENT_TICKS 20u // A member that says nothing for so long is not waited for.
#define REST_AFTER_TICKS 1u
#define REST_AFTER_TICKS_SILENT 2u
#define LEARNER_LAG_MAX 1024u   // Entries a learner may lack to be promoted.
#define HEARTBEAT_TICKS_DEAD 5u // A silent member gets only every so many heartbeats.

static struct status malformed(const char *message)
{
    return status_make(E_DATA_CORRUPTED, message);
}

// --- progress ------------------------------------------------------------------------------------

struct raft_progress *raft_progress_of(struct raft *raft, uint32_t node)
{
    for (uint32_t i = 0; i < raft->progress_count; i++)
        if (raft->progress[i].node == node) return &raft->progress[i];
    return NULL;
}

void raft_progress_drop(struct raft *raft)
{
    free(raft->progress);
    raft->progress = NULL;
    raft->progress_count = 0;
}

static void progress_init(const struct raft *raft, struct raft_progress *progress)
{
    progress->next = raft->last + 1;
    progress->active = true;
}

void raft_progress_make(struct raft *raft)
{
    raft_progress_drop(raft);
    if (raft->config.count == 0) return;
    raft->progress = calloc(raft->config.count, sizeof *raft->progress);
    invariant(raft->progress != NULL);
    for (uint32_t i = 0; i < raft->config.count; i++) {
        if (raft->config.members[i].node == raft->self) continue;
        struct raft_progress *progress = &raft->progress[raft->progress_count++];
        progress->node = raft->config.members[i].node;
        progress->learner = raft->config.members[i].learner;
        progress_init(raft, progress);
    }
}

// The members changed: those that stay keep what is known of them.
static void progress_adapt(struct raft *raft)
{
    struct raft_progress *old = raft->progress;
    uint32_t old_count = raft->progress_count;
    raft->progress = NULL;
    raft->progress_count = 0;
    raft_progress_make(raft);
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        for (uint32_t k = 0; k < old_count; k++) {
            if (old[k].node != raft->progress[i].node) continue;
            bool learner = raft->progress[i].learner;
            raft->progress[i] = old[k];
            raft->progress[i].learner = learner;
        }
    }
    free(old);
}

static void inflight_clear(struct raft_progress *progress)
{
    progress->inflight_messages = progress->inflight_first = 0;
    progress->inflight_bytes = 0;
}

static void inflight_add(struct raft_progress *progress, uint64_t index, uint32_t bytes)
{
    uint32_t at = (progress->inflight_first + progress->inflight_messages) % RAFT_INFLIGHT_MESSAGES;
    progress->inflight_index[at] = index;
    progress->inflight_size[at] = bytes;
    progress->inflight_messages++;
    progress->inflight_bytes += bytes;
}

static void inflight_free(struct raft_progress *progress, uint64_t index)
{
    while (progress->inflight_messages > 0 &&
           progress->inflight_index[progress->inflight_first] <= index) {
        progress->inflight_bytes -= progress->inflight_size[progress->inflight_first];
        progress->inflight_first = (progress->inflight_first + 1) % RAFT_INFLIGHT_MESSAGES;
        progress->inflight_messages--;
    }
}

static void probe_from(struct raft_progress *progress, uint64_t next)
{
    progress->pace = RAFT_PROBE;
    progress->probing = false;
    progress->next = next > progress->match ? next : progress->match + 1;
    inflight_clear(progress);
}

uint64_t raft_leader_kept(const struct raft *raft, uint64_t *bytes_max)
{
    uint64_t kept = raft->last;
    *bytes_max = RAFT_KEPT_BYTES;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct raft_progress *progress = &raft->progress[i];
        if (progress->damaged) continue;
        if (progress->pace == RAFT_SNAPSHOT) {
            *bytes_max = RAFT_SNAPSHOT_KEPT_BYTES;
            continue; // What it needs is not known: the bound decides.
        }
        if (progress->silent_ticks < SILENT_TICKS && *bytes_max < RAFT_WINDOW_BYTES)
            *bytes_max = RAFT_WINDOW_BYTES;
        if (progress->match < kept) kept = progress->match;
    }
    if (*bytes_max == RAFT_SNAPSHOT_KEPT_BYTES) kept = raft->base;
    return kept;
}

// --- becoming and being --------------------------------------------------------------------------

void raft_become_leader(struct raft *raft)
{
    raft->role = RAFT_LEADER;
    raft->leader = raft->self;
    raft->quiet = false;
    raft->removed = false;
    raft->elapsed = 0;
    raft->idle_ticks = 0;
    raft->transferee = 0;
    raft->tick_last = raft->last;
    raft->busy = false;
    raft_progress_make(raft);
    raft_window_push(raft, raft->term, RAFT_NOOP, bytes_of(NULL, 0), NULL);
    raft->term_start = raft->last;
}

bool raft_propose(struct raft *raft, struct bytes body, void *proposal, uint64_t *index)
{
    if (raft->role != RAFT_LEADER || raft->transferee != 0 || raft_window_full(raft)) return false;
    raft_rouse(raft); // The append wakes the others.
    raft_window_push(raft, raft->term, RAFT_DATA, body, proposal);
    *index = raft->last;
    return true;
}

uint64_t raft_propose_alone(struct raft *raft)
{
    raft->last++;
    raft->last_term = raft->base_term = raft->term;
    raft->base = raft->handed = raft->last;
    return raft->last;
}

void raft_propose_undo(struct raft *raft)
{
    invariant(raft->role == RAFT_LEADER && raft->last > raft->handed);
    raft_window_cut(raft, raft->last, true);
}

// Step 5.3 and 5.4.2 of the paper: the highest index that a quorum holds, if it is of this term.
void raft_leader_commit(struct raft *raft)
{
    uint64_t matches[RAFT_MEMBERS_MAX];
    uint32_t count = 0;
    if (raft_config_votes(&raft->config, raft->self)) matches[count++] = raft->stable;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct raft_progress *progress = &raft->progress[i];
        if (!progress->learner) matches[count++] = progress->damaged ? 0 : progress->match;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint64_t value = matches[i];
        uint32_t at = i;
        for (; at > 0 && matches[at - 1] < value; at--)
            matches[at] = matches[at - 1];
        matches[at] = value;
    }
    uint64_t index = matches[count / 2];
    // Below the base is what was proposed alone, in this term.
    if (index <= raft->commit || (index > raft->base && raft_term_at(raft, index) != raft->term))
        return;
    raft_commit_to(raft, index);
    if (raft->committed.index == raft->config.index &&
        !raft_config_votes(&raft->config, raft->self))
        raft_become_follower(raft, raft->term, 0);
}

static void note_fill(const struct raft *raft, struct raft_message *message)
{
    if (raft->io.note != NULL) message->note_bytes = raft->io.note(raft->io.arg, message->note);
    invariant(message->note_bytes <= RAFT_NOTE_BYTES);
}

void raft_leader_heartbeat(struct raft *raft, bool quiet)
{
    uint64_t bytes_max;
    uint64_t kept = raft_leader_kept(raft, &bytes_max);
    raft->round++;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        struct raft_progress *progress = &raft->progress[i];
        if (progress->silent_ticks > SILENT_TICKS && !quiet &&
            raft->round % HEARTBEAT_TICKS_DEAD != 0)
            continue;
        struct raft_message message = {
            .kind = RAFT_HEARTBEAT,
            .to = progress->node,
            .term = raft->term,
            .commit = progress->match < raft->commit ? progress->match : raft->commit,
            .kept = kept,
            .round = raft->round,
            // Who lacks something does not rest, though it has all that it may have been told of: it has to answer.
            .flags = quiet && progress->match == raft->last ? RAFT_QUIET : 0,
        };
        note_fill(raft, &message);
        progress->heartbeat_next = progress->next;
        progress->commit_sent = message.commit;
        raft_send(raft, &message);
    }
}

// Nothing to commit, nobody lags who is there: no more ticks until something happens.
static bool may_rest(const struct raft *raft)
{
    if (raft->commit != raft->last || raft->applied != raft->last || raft->stable != raft->last ||
        raft->transferee != 0 || raft_hard_dirty(raft) || raft->outgoing != NULL)
        return false;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct raft_progress *progress = &raft->progress[i];
        if (progress->silent_ticks > SILENT_TICKS) continue;
        if (progress->match != raft->last || progress->silent_ticks > 2 ||
            progress->pace == RAFT_SNAPSHOT)
            return false;
    }
    return true;
}

// For how many ticks there has been nothing to do. Who was silent may be about to answer.
static uint32_t rest_after(const struct raft *raft)
{
    for (uint32_t i = 0; i < raft->progress_count; i++)
        if (raft->progress[i].silent_ticks > SILENT_TICKS) return REST_AFTER_TICKS_SILENT;
    return REST_AFTER_TICKS;
}

bool raft_owes(const struct raft *raft, uint32_t node)
{
    if (raft->role != RAFT_LEADER || !raft->quiet) return false;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct raft_progress *progress = &raft->progress[i];
        // Who was silent when the group went to rest is due a heartbeat at least: else it stays unheard.
        bool due = progress->match != raft->last || progress->silent_ticks > SILENT_TICKS;
        if ((node == 0 || progress->node == node) && due) return true;
    }
    return false;
}

void raft_member_back(struct raft *raft, uint32_t node)
{
    struct raft_progress *progress = raft_progress_of(raft, node);
    if (progress == NULL || !raft_owes(raft, node)) return;
    progress->silent_ticks = 0;
    raft_wake(raft);
}

static uint32_t active_voters(const struct raft *raft)
{
    uint32_t count = raft_config_votes(&raft->config, raft->self);
    for (uint32_t i = 0; i < raft->progress_count; i++)
        count += !raft->progress[i].learner && raft->progress[i].active;
    return count;
}

// While many entries come: which voters the others make a quorum without. The quickest are those that have most of the
// log; who has become slower than one that waits changes places with it.
static void lazy_choose(struct raft *raft)
{
    uint32_t quorum = raft_config_voters(&raft->config) / 2 + 1;
    uint32_t needed = quorum - (raft_config_votes(&raft->config, raft->self) ? 1 : 0);
    raft->busy =
        raft->last - raft->tick_last >= RAFT_BUSY_ENTRIES || SIM_MAYBE("raft.busy");
    raft->tick_last = raft->last;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        struct raft_progress *progress = &raft->progress[i];
        uint32_t quicker = 0;
        for (uint32_t k = 0; k < raft->progress_count && !progress->learner; k++) {
            const struct raft_progress *other = &raft->progress[k];
            if (k == i || other->learner || other->damaged || !other->active) continue;
            quicker += other->match > progress->match ||
                       (other->match == progress->match && k < i);
        }
        progress->lazy = raft->busy && !progress->learner && quicker >= needed;
    }
}

void raft_leader_tick(struct raft *raft)
{
    if (raft->progress_count == 0 && raft->commit == raft->last && raft->applied == raft->last) {
        raft->quiet = true; // Alone.
        return;
    }
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        if (raft->progress[i].silent_ticks < UINT32_MAX) raft->progress[i].silent_ticks++;
    }
    if (raft->transferee != 0 && ++raft->transfer_elapsed > RAFT_ELECTION_TICKS)
        raft->transferee = 0;
    if (++raft->elapsed >= RAFT_ELECTION_TICKS) {
        raft->elapsed = 0;
        if (active_voters(raft) < raft_config_voters(&raft->config) / 2 + 1) {
            raft_become_follower(raft, raft->term, 0);
            return;
        }
        for (uint32_t i = 0; i < raft->progress_count; i++)
            raft->progress[i].active = false;
    }
    lazy_choose(raft);
    bool rest = may_rest(raft) && raft->idle_ticks >= rest_after(raft);
    raft->idle_ticks = may_rest(raft) ? raft->idle_ticks + 1 : 0;
    raft_leader_heartbeat(raft, rest);
    raft->quiet = rest;
}

// --- appends -------------------------------------------------------------------------------------

static void send_append(struct raft *raft, struct raft_progress *progress, uint64_t kept)
{
    struct raft_message message = {
        .kind = RAFT_APPEND,
        .to = progress->node,
        .term = raft->term,
        .index = progress->next - 1,
        .log_term = raft_term_at(raft, progress->next - 1),
        .commit = raft->commit,
        .kept = kept,
    };
    uint64_t bytes = 0;
    uint64_t end = progress->next - 1;
    while (end < raft->last) {
        uint64_t size = raft_entry_at(raft, end + 1)->body.size + 32;
        if (end >= progress->next && bytes + size > RAFT_MESSAGE_BYTES) break;
        bytes += size;
        end++;
    }
    if (end >= progress->next) message.entries = raft_entry_at(raft, progress->next);
    message.entry_count = (uint32_t)(end - progress->next + 1);
    note_fill(raft, &message);
    raft_send(raft, &message);
    progress->commit_sent = raft->commit;
    if (progress->pace == RAFT_PROBE) {
        progress->probing = true;
    } else {
        progress->next = end + 1;
        if (bytes > UINT32_MAX) bytes = UINT32_MAX;
        inflight_add(progress, end, (uint32_t)bytes);
    }
}

static void need_snapshot(struct raft *raft, struct raft_progress *progress)
{
    // One that is not there would only be in the way; and the state must reach the window.
    if (progress->silent_ticks > RAFT_ELECTION_TICKS || raft->applied < raft->base) return;
    progress->pace = RAFT_SNAPSHOT;
    progress->probing = false;
    inflight_clear(progress);
    raft->io.snapshot(raft->io.arg, progress->node, progress->learner);
}

// Whether what is there for this member can wait for more.
static bool paced(
    struct raft *raft, const struct raft_progress *progress, enum raft_patience patience)
{
    if (patience == RAFT_NOBODY || raft->transferee != 0) return false;
    const struct raft_entry *newest = raft_entry_at(raft, raft->last);
    if (newest->body.size >= RAFT_PACED_BODY_BYTES || newest->kind != RAFT_DATA) return false;
    uint64_t waiting = raft->last - progress->next + 1;
    if (progress->lazy && waiting < RAFT_LAZY_ENTRIES) {
        covered("raft.lazy_waits");
        raft->held_lazy = true;
        return true;
    }
    if (patience == RAFT_LAZY || progress->inflight_messages < RAFT_PACED_MESSAGES ||
        waiting >= RAFT_PACED_ENTRIES)
        return false;
    raft->held = true;
    return true;
}

void raft_leader_flush(struct raft *raft, enum raft_patience patience)
{
    if (raft_hard_dirty(raft)) return; // Appends leave when the term is durable.
    uint64_t bytes_max;
    uint64_t kept = raft_leader_kept(raft, &bytes_max);
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        struct raft_progress *progress = &raft->progress[i];
        if (progress->damaged || progress->pace == RAFT_SNAPSHOT || progress->probing) continue;
        if (progress->next - 1 < raft->base) {
            need_snapshot(raft, progress);
            continue;
        }
        if (progress->pace == RAFT_PROBE) {
            send_append(raft, progress, kept);
            continue;
        }
        while (progress->next <= raft->last &&
               progress->inflight_messages < RAFT_INFLIGHT_MESSAGES &&
               progress->inflight_bytes < RAFT_INFLIGHT_BYTES) {
            if (paced(raft, progress, patience)) break;
            send_append(raft, progress, kept);
        }
    }
}

static struct status reply_known(
    struct raft *raft, const struct raft_message *message, struct raft_progress **found)
{
    struct raft_progress *progress = raft_progress_of(raft, message->from);
    *found = NULL;
    if (progress == NULL) return STATUS_OK; // Was removed.
    if (!(message->flags & RAFT_REJECT) &&
        (message->index > raft->last || message->commit > raft->last ||
            message->index > message->commit))
        return malformed("a member has more of the log than its leader");
    progress->active = true;
    progress->silent_ticks = 0;
    progress->damaged = message->flags & RAFT_DAMAGED;
    *found = progress;
    return STATUS_OK;
}

static void hand_over_if_ready(struct raft *raft, const struct raft_progress *progress)
{
    if (raft->transferee != progress->node || progress->match != raft->last) return;
    struct raft_message message = {
        .kind = RAFT_TIMEOUT_NOW, .to = progress->node, .term = raft->term};
    raft_send(raft, &message);
}

// The member holds everything up to `index` durably, and agrees up to `verified`.
static void advance(
    struct raft *raft, struct raft_progress *progress, uint64_t index, uint64_t verified)
{
    bool moved = index > progress->match;
    if (moved) progress->match = index;
    inflight_free(progress, verified);
    if (progress->pace != RAFT_REPLICATE && (progress->pace == RAFT_PROBE || index >= raft->base)) {
        progress->pace = RAFT_REPLICATE;
        progress->probing = false;
        inflight_clear(progress);
        progress->next = verified + 1;
    }
    if (progress->next <= progress->match) progress->next = progress->match + 1;
    if (!moved) return;
    raft_leader_commit(raft);
    if (raft->role != RAFT_LEADER) return;
    hand_over_if_ready(raft, progress);
    raft_window_trim(raft);
}

struct status raft_leader_append_reply(struct raft *raft, const struct raft_message *message)
{
    struct raft_progress *progress;
    struct status st = reply_known(raft, message, &progress);
    if (failed(st) || progress == NULL || progress->damaged) return st;
    if (!(message->flags & RAFT_REJECT)) {
        advance(raft, progress, message->index, message->commit);
        return STATUS_OK;
    }
    if (progress->pace == RAFT_SNAPSHOT || message->commit <= progress->match) return STATUS_OK;
    if (progress->pace == RAFT_PROBE && message->commit != progress->next - 1) return STATUS_OK;
    // The last place where the logs can agree, by the terms of both.
    uint64_t hint = raft_window_find(raft, message->index, message->log_term);
    if (hint > message->index) hint = message->index; // Below the window: a snapshot.
    if (hint == raft->base && hint > 0 && raft->base_term > message->log_term) hint--;
    probe_from(progress, hint + 1);
    return STATUS_OK;
}

struct status raft_leader_heartbeat_reply(struct raft *raft, const struct raft_message *message)
{
    struct raft_progress *progress;
    struct status st = reply_known(raft, message, &progress);
    if (failed(st) || progress == NULL) return st;
    if (progress->pace == RAFT_PROBE) {
        // Its probe may be lost. What it says it has is certain, but not where it ends.
        progress->probing = false;
        if (message->index > progress->match) {
            progress->match = message->index;
            if (progress->next <= progress->match) progress->next = progress->match + 1;
            raft_leader_commit(raft);
        }
        return STATUS_OK;
    }
    if (message->index > progress->match) advance(raft, progress, message->index, message->commit);
    // Something that left before the heartbeat did not arrive.
    if (raft->role == RAFT_LEADER && progress->pace == RAFT_REPLICATE &&
        message->round == raft->round && message->commit + 1 < progress->heartbeat_next)
        probe_from(progress, message->commit + 1);
    return STATUS_OK;
}

void raft_snapshot_sent(struct raft *raft, uint32_t node, uint64_t index, bool ok)
{
    if (raft->role != RAFT_LEADER) return;
    struct raft_progress *progress = raft_progress_of(raft, node);
    if (progress == NULL || progress->pace != RAFT_SNAPSHOT) return;
    probe_from(progress, ok && index <= raft->last ? index + 1 : progress->match + 1);
    progress->probing = !ok; // Then not before it is heard from again.
}

// --- members -------------------------------------------------------------------------------------

static struct status refuse(const char *message)
{
    return status_make(E_NOT_IN_PREREQUISITE_STATE, message);
}

static struct status change_member(
    struct raft *raft, enum raft_change change, uint32_t node, struct raft_config *config)
{
    const struct raft_member *found = raft_config_find(config, node);
    struct raft_member *member = found == NULL ? NULL : &config->members[found - config->members];
    const struct raft_progress *progress = raft_progress_of(raft, node);
    if (change == RAFT_ADD_LEARNER) {
        if (member != NULL) return refuse("the node already has a replica");
        if (config->count == RAFT_MEMBERS_MAX) return refuse("too many replicas");
        config->members[config->count++] = (struct raft_member){.node = node, .learner = true};
        return STATUS_OK;
    }
    if (member == NULL) return refuse("the node has no replica");
    if (node == raft->self) return refuse("the leader must hand over first");
    if (change == RAFT_PROMOTE) {
        if (!member->learner) return refuse("the replica votes already");
        if (progress->damaged || !progress->active || progress->pace != RAFT_REPLICATE ||
            progress->match + LEARNER_LAG_MAX < raft->last)
            return refuse("the replica has not caught up yet");
        member->learner = false;
        return STATUS_OK;
    }
    if (change == RAFT_DEMOTE) {
        if (member->learner) return refuse("the replica does not vote");
        member->learner = true;
        return STATUS_OK;
    }
    memmove(member, member + 1,
        (size_t)(config->members + config->count - member - 1) * sizeof *member);
    config->count--;
    config->members[config->count] = (struct raft_member){0};
    return STATUS_OK;
}

// Whether the voters that were heard from lately are enough: nobody is to be locked out by a change.
static bool has_quorum(struct raft *raft, const struct raft_config *config)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < config->count; i++) {
        const struct raft_member *member = &config->members[i];
        if (member->learner) continue;
        const struct raft_progress *progress = raft_progress_of(raft, member->node);
        live += member->node == raft->self || (progress != NULL && !progress->damaged &&
                                                  progress->silent_ticks <= RAFT_ELECTION_TICKS);
    }
    return live >= raft_config_voters(config) / 2 + 1;
}

struct status raft_config_change(
    struct raft *raft, enum raft_change change, uint32_t node, uint64_t *index)
{
    if (raft->role != RAFT_LEADER)
        return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "not the leader");
    if (raft->transferee != 0) return refuse("leadership is being handed over");
    // One at a time, and only once this term has committed something: else two quorums may be disjoint.
    if (raft->config.index > raft->commit || raft->commit < raft->term_start)
        return refuse("another change of members is under way");
    struct raft_config config = raft->config;
    struct status st = change_member(raft, change, node, &config);
    if (failed(st)) return st;
    if (!has_quorum(raft, &config)) return refuse("too few voters are alive for this change");
    uint8_t body[RAFT_CONFIG_BYTES_MAX];
    size_t size = raft_config_encode(&config, body);
    if (raft->hard_owed) raft_hard_changed(raft);
    raft_wake(raft);
    raft_window_push(raft, raft->term, RAFT_CONFIG, bytes_of(body, size), NULL);
    config.index = raft->last;
    raft->config = config;
    progress_adapt(raft);
    *index = raft->last;
    return STATUS_OK;
}

struct status raft_force_alone(struct raft *raft)
{
    if (raft->damaged) return refuse("the replica has lost what it had promised");
    if (raft->role == RAFT_LEADER) return refuse("the replica leads");
    if (raft->still) return refuse("the replica takes over a snapshot");
    if (!raft_config_votes(&raft->config, raft->self)) return refuse("the replica does not vote");
    // In effect at once, as every change of members; the entry below makes it last.
    struct raft_config config = {
        .index = raft->config.index, .count = 1, .members = {{.node = raft->self}}};
    raft->config = config;
    raft->removed = false;
    raft_campaign(raft);
    invariant(raft->role == RAFT_LEADER);
    uint8_t body[RAFT_CONFIG_BYTES_MAX];
    size_t size = raft_config_encode(&config, body);
    raft_window_push(raft, raft->term, RAFT_CONFIG, bytes_of(body, size), NULL);
    raft->config.index = raft->last;
    return STATUS_OK;
}

bool raft_hears(const struct raft *raft, uint32_t node)
{
    if (node == raft->self) return true;
    for (uint32_t i = 0; i < raft->progress_count; i++) {
        const struct raft_progress *progress = &raft->progress[i];
        if (progress->node == node)
            return !progress->damaged && progress->silent_ticks <= RAFT_ELECTION_TICKS;
    }
    return false;
}

struct status raft_transfer(struct raft *raft, uint32_t node)
{
    if (raft->role != RAFT_LEADER)
        return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "not the leader");
    if (node == raft->self) return STATUS_OK;
    const struct raft_progress *progress = raft_progress_of(raft, node);
    if (progress == NULL || progress->learner) return refuse("the node does not vote");
    if (!raft_hears(raft, node)) return refuse("the node is not alive");
    if (raft->transferee != 0) return refuse("leadership is being handed over already");
    raft_wake(raft);
    raft->transferee = node;
    raft->transfer_elapsed = 0;
    hand_over_if_ready(raft, progress);
    return STATUS_OK;
}
