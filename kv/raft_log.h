// SPDX-License-Identifier: GPL-3.0-or-later
//
// A slice replica's log: consensus (kv/raft.h) joined with the shard's log on disk (core/log_writer.h) and the
// shard's messages to other nodes (kv/raft_transport.h).
//
// In the shard's log a slice's stream holds, in this order of time:
//     index 0     hard state {term u64, vote u32, commit u64}: the last one counts
//     index >= 1  an entry; record.kind is enum raft_entry_kind. A later record with an index at or below
//                 one before it supersedes that and all after it.
// Messages that depend on a record leave after it is durable.
//
// One voter alone costs what a plain log costs: no copy of the payload, no message, no timer, no record but
// the entries; what is durable is committed.
//
// The life of a replica, on its shard:
//     raft_log_init            with what the store knows (applied mark, members)
//     raft_log_replay          each record of the stream; after each, raft_log_replay_next until false: these
//                              entries are known to be committed, and are to be applied
//     raft_log_start           from here on the hooks are called (never before it returns)
//     ...                      raft_log_propose, raft_log_applied
//     raft_log_stop            proposals under way fail with 40003
//
// Shard    The slice's owner.
// Memory   struct raft_log is embedded in struct slice. A proposal is the proposer's and stays put until `committed`
//          or `failed` was called with it; its payload until raft_log_propose returns.
// Safety   `committed` is called in index order without gaps, once an index and start.
#pragma once
#include "core/log_writer.h"
#include "kv/raft.h"

struct raft_log;
struct buffer;
struct raft_proposal;
struct raft_shard; // kv/raft_transport.h

// All on the shard, not in a task; must not suspend.
struct raft_log_hooks {
    // An entry, of any kind: only RAFT_DATA has something to apply, but the applied mark must pass each (a mark in
    // the store with record->index and record->term is all that the others need, and of RAFT_CONFIG the members).
    // `proposal`: the local one that carried it, or NULL. record->payload is good until raft_log_applied; with a
    // proposal it may be empty (the proposer has it).
    void (*committed)(struct raft_log *log, const struct log_record *record, log_position position,
        struct raft_proposal *proposal);
    // After the last `committed` of a run that did not come with a batch of the shard's log
    // (log_writer's own batch_end tells of those).
    void (*batch_end)(struct raft_log *log);
    // This replica leads, and everything of earlier terms was handed to `committed`.
    void (*leading)(struct raft_log *log);
    void (*following)(
        struct raft_log *log, uint32_t leader); // 0: unknown. No proposal is accepted.
    // Members changed (log->raft.committed), by an entry that `committed` was called with just before.
    void (*config_changed)(struct raft_log *log);
    // A member is behind what is kept: stream the store's state to it, then raft_log_snapshot_sent.
    void (*snapshot_send)(struct raft_log *log, uint32_t node, bool learner);
    // A member lost what it had promised: it must be removed and added anew. Told at each tick of the leader.
    void (*member_damaged)(struct raft_log *log, uint32_t node);
    // This replica is no member any more.
    void (*removed)(struct raft_log *log);
    // Up to RAFT_NOTE_BYTES that a leader tells with its appends and heartbeats; and what a follower hears.
    uint8_t (*note)(struct raft_log *log, uint8_t out[RAFT_NOTE_BYTES]);
    void (*noted)(struct raft_log *log, struct bytes note);
};

struct raft_log {
    struct raft raft;
    uint64_t slice;
    struct log_writer *writer;
    struct raft_shard *shard;           // NULL: this node is alone.
    const struct raft_log_hooks *hooks; // Any may be NULL but `committed`.
    void *arg;                          // The slice.
    uint64_t delivered;                 // Handed to `committed`.
    uint64_t applied_index;             // Told by raft_log_applied.
    uint64_t applied_term;
    log_position applied_position; // Of applied_index in the shard's log; 0: from an older start.
    log_position hard_position;    // Of the last hard state; 0: there is none.
    bool leading;                  // `leading` was called, and `following` not since.
    bool started, stopped, failed;
    bool state_lost; // See raft_log_state_lost.

    // The module's own.
    struct raft_log_replay *replay; // Until raft_log_start.
    uint32_t told_leader;
    uint64_t term_led; // Of which `leading` was told.
    bool told_removed;
    uint64_t hard_handed;      // Version.
    uint64_t bytes_since_hard; // Of entries: the commit index in the hard state is getting old.
    uint64_t
        marker; // Index that the disk must know as the log's end before anything else; 0: none.
    struct list_link slots;      // struct raft_slot: records on their way to the disk.
    struct list_link dirty_link; // In the shard's list of those with something to do.
    struct list_link tick_link;  // In the shard's list of those that are not quiet.
    struct list_link owing_link; // In the shard's list of those that rest without one of their members.
    struct list_link held_link;  // In the shard's list of those that hold appends back.
    struct list_link lazy_link;  // The same, to members that are not needed for a quorum.
};

struct raft_proposal {
    // The entry was superseded by another leader's and will never be committed (K_NOT_LEADER); or its fate is
    // not known: the log has failed, the replica stops or was replaced by a snapshot (40003).
    void (*failed)(struct raft_proposal *proposal, struct status st);
    // Filled in.
    struct raft_log *log;
    struct log_append append; // record.index and record.term name the entry.
};

struct raft_log_options {
    uint64_t slice;
    uint32_t self;                        // Node.
    struct raft_config config;            // As of the applied mark. None: no member yet.
    uint64_t applied_index, applied_term; // The store's mark.
    bool
        damaged; // What was on disk is lost in part: this replica takes part in nothing until it is replaced.
    const struct raft_log_hooks *hooks;
    void *arg;
};
void raft_log_init(struct raft_log *log, const struct raft_log_options *options);
void raft_log_fini(struct raft_log *log);

// Errors: XX001 a record that does not follow.
CHECKED struct status raft_log_replay(
    struct raft_log *log, const struct log_record *record, log_position position);
// The next entry above the applied mark that is known to be committed. Good until the next call of either.
bool raft_log_replay_next(struct raft_log *log, struct log_record *record, log_position *position);
// Whether entries are kept that are not known to be committed.
bool raft_log_replay_left(const struct raft_log *log);
// How far raft_log_replay_next has come (or the applied mark): what the store holds then, durable or not.
void raft_log_replay_applied(const struct raft_log *log, uint64_t *index, uint64_t *term);

// For a log that is given up: what replay has left for consensus, hard state and entries (nothing: empty); and taken in
// again, right after raft_log_init. raft_log_start writes it to its log. `given`: entries before those, that
// raft_log_replay_next gave and that are to be given again; each as raft_log_left_entry puts it.
#define RAFT_LEFT_ENTRY_BYTES 21u // Index u64, term u64, kind u8, size u32; then the body.
void raft_log_left_entry(const struct log_record *record, uint8_t head[RAFT_LEFT_ENTRY_BYTES]);
void raft_log_left_encode(const struct raft_log *log, struct bytes given, struct buffer *out);
CHECKED struct status raft_log_left_decode(struct raft_log *log, struct bytes in);

// `shard` NULL: no other node. A replica that is alone leads when this returns (`leading` is called in it).
CHECKED struct status raft_log_start(
    struct raft_log *log, struct log_writer *writer, struct raft_shard *shard);
void raft_log_stop(struct raft_log *log);
// The shard's log has failed: everything under way fails.
void raft_log_fail(struct raft_log *log, struct status st);
// What the log is applied to has failed, while the log itself goes on: until the next start the replica takes part in
// nothing, as one whose log is damaged; others lead, and have it replaced. Everything under way fails. Takes effect with
// the shard's turn; for groups of several members alone.
void raft_log_state_lost(struct raft_log *log);

// Never suspends. K_NOT_LEADER when it does not lead, 53200 too much is uncommitted, or as
// log_writer_append; nothing was logged then.
CHECKED struct status raft_log_propose(
    struct raft_log *log, struct raft_proposal *proposal, struct bytes payload);
// Everything up to `index` is in the store. `position`: as `committed` told for it.
void raft_log_applied(struct raft_log *log, uint64_t index, log_position position);

// What the shard's log must keep for this replica is above it; UINT64_MAX: nothing. When a hard state is all
// that holds it back, that is written anew, for the next time.
log_position raft_log_needed(struct raft_log *log, log_position checkpointed);

// 55000 with the reason while it cannot be done (another is under way, a learner lags); K_NOT_LEADER. Done when
// config_changed says so.
CHECKED struct status raft_log_config_change(
    struct raft_log *log, enum raft_change change, uint32_t node);
CHECKED struct status raft_log_transfer(struct raft_log *log, uint32_t node);
// raft_force_alone: what other members had and this one has not is lost.
CHECKED struct status raft_log_force_alone(struct raft_log *log);
// The store was replaced by a snapshot as of `index`.
CHECKED struct status raft_log_installed(
    struct raft_log *log, uint64_t index, uint64_t term, const struct raft_config *config);
void raft_log_snapshot_sent(struct raft_log *log, uint32_t node, uint64_t index, bool ok);
// A request came to a replica of a quiet group that does not know its leader: look for one.
void raft_log_wake(struct raft_log *log);
// From the transport.
void raft_log_step(struct raft_log *log, uint32_t from, struct bytes message);

static inline uint32_t raft_log_leader(const struct raft_log *log) // Node; 0: unknown.
{
    return log->raft.leader;
}
static inline bool raft_log_leads(const struct raft_log *log)
{
    return log->leading;
}
static inline uint64_t raft_log_term(const struct raft_log *log)
{
    return log->raft.term;
}
static inline uint64_t raft_log_last(const struct raft_log *log)
{
    return log->raft.last;
}
static inline const struct raft_config *raft_log_config(const struct raft_log *log)
{
    return &log->raft.committed;
}
