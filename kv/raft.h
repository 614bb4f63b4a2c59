// SPDX-License-Identifier: GPL-3.0-or-later
//
// Raft, as a pure state machine: one replica's part of one group's consensus. No I/O, no clock, no timer: inputs are
// calls, outputs are what the driver (kv/raft_log.h; tests/sim drives many of them in one process) finds in
// the fields named below and the messages it is handed.
//
// Beyond the paper: pre-vote; check-quorum (a leader that has not heard from a quorum for an election timeout
// steps down); voters ignore who campaigns while they hear from a leader; learners; membership changes of one
// member at a time, in effect when appended; leadership transfer; appends in batches and pipelined within a
// window; conflicts skipped a term at a time; snapshots by reference (only an index: the state itself
// travels elsewhere); groups with nothing to do go quiet: no ticks, no messages.
//
// The driver's part, after any input:
//   1. hard state: while raft_hard_dirty(), write {term, vote} down; tell raft_hard_durable(version) when done.
//   2. entries: hand (handed, last] to the disk, in order, set `handed`; tell raft_durable(index, term) as they get
//      durable. A later entry with the same index replaces the former and all after it.
//   3. raft_flush: messages leave through io.send; those that depend on the hard state wait by themselves.
//   4. entries up to `commit` are committed: apply in order, tell raft_applied(index).
//
// Alone       A group of one voter and nobody else keeps no entries in memory: raft_propose_alone only gives an index
//             out; raft_durable commits it.
// Shard       None: belongs to its driver.
// Time        In ticks. A leader's ticks are heartbeats.
// Memory      Entries between `base` and `last` are malloc'ed, bounded by RAFT_WINDOW_BYTES beyond what is applied
//             (raft_window_full: the driver pushes back) and, of what is applied and kept for slower
//             members, by as much again (less for silent ones). Messages are borrowed by both sides during the call.
// Errors      A message that no correct peer sends is XX001 and changes nothing.
// Safety      One leader a term, log matching, leader completeness, state machine safety: tests/sim/scenario_raft.c.
// Source      Ongaro and Ousterhout 2014; Ongaro, "Consensus: Bridging Theory and Practice" 2014, chapters 3, 4, 6, 9, 10.
#pragma once
#include "core/bytes.h"
#include "core/status.h"

#define RAFT_MEMBERS_MAX 15u
#define RAFT_MESSAGE_BYTES (256u << 10) // Entries of one append, unless a single one is larger.
#define RAFT_INFLIGHT_BYTES (4u << 20)  // Sent to a member and not acknowledged.
#define RAFT_INFLIGHT_MESSAGES 64u
// With so many appends under way to a member, small new ones are held back until there is more to send, one of them
// is acknowledged or the driver says that it has been long enough: under load few large appends are cheaper.
#define RAFT_PACED_MESSAGES 1u
#define RAFT_PACED_ENTRIES 128u
#define RAFT_PACED_BODY_BYTES (8u << 10) // An entry larger than this does not wait.
// While entries come that fast, voters without whom there is a quorum get theirs in larger and fewer appends: each
// costs its receiver two wakings and a write to its disk. Who they are is looked at with each tick.
#define RAFT_BUSY_ENTRIES 256u // In a tick.
#define RAFT_LAZY_ENTRIES 512u
#define RAFT_WINDOW_BYTES (16u << 20)
#define RAFT_KEPT_BYTES (4u << 20)           // For members that are silent.
#define RAFT_SNAPSHOT_KEPT_BYTES (64u << 20) // While a snapshot is under way.
#define RAFT_NOTE_BYTES 32u

#define RAFT_DAMAGED_CALL_TICKS 30u
#define RAFT_ELECTION_TICKS 6u // Timeout: this and up to as much again, drawn at random.

enum raft_entry_kind {
    RAFT_DATA,   // The slice's.
    RAFT_NOOP,   // Opens a leader's term.
    RAFT_CONFIG, // Members: raft_config_encode.
};

struct raft_entry {
    uint64_t term;
    enum raft_entry_kind kind;
    struct bytes body;
    void *proposal;    // The driver's: who proposed it here.
    uint64_t position; // The driver's: where it is on its disk.
};

struct raft_member {
    uint32_t node;
    bool learner; // Gets everything, counts for nothing.
};
struct raft_config {
    uint64_t index; // Of the entry that set it; 0: the group's first.
    uint32_t count;
    struct raft_member members[RAFT_MEMBERS_MAX];
};
#define RAFT_CONFIG_BYTES_MAX (1u + 5u * RAFT_MEMBERS_MAX)
// As an entry's body (the index is the entry's own). Decoding checks everything.
size_t raft_config_encode(const struct raft_config *config, uint8_t out[RAFT_CONFIG_BYTES_MAX]);
bool raft_config_decode(struct bytes body, struct raft_config *config);
const struct raft_member *raft_config_find(const struct raft_config *config, uint32_t node);
static inline bool raft_config_votes(const struct raft_config *config, uint32_t node)
{
    const struct raft_member *member = raft_config_find(config, node);
    return member != NULL && !member->learner;
}
uint32_t raft_config_voters(const struct raft_config *config);

enum raft_message_kind {
    RAFT_PREVOTE, // index, log_term: the candidate's last entry.
    RAFT_PREVOTE_REPLY, // With RAFT_REMOVED: index is that of the members who were committed.
    RAFT_VOTE,
    RAFT_VOTE_REPLY,
    RAFT_APPEND, // index, log_term: what comes before the entries; commit.
    // index: everything up to it agrees and is durable; commit: up to here it agrees. Rejected: index and
    // log_term name a place to try, commit is the index that did not fit.
    RAFT_APPEND_REPLY,
    RAFT_HEARTBEAT, // commit: not above what is known to agree.
    RAFT_HEARTBEAT_REPLY,
    RAFT_TIMEOUT_NOW, // Campaign at once: leadership is handed over.
    RAFT_MESSAGE_KIND_END,
};
enum raft_message_flags {
    RAFT_REJECT = 1 << 0,
    RAFT_FORCE = 1 << 1,   // A vote for who was asked to take over: ask no further.
    RAFT_QUIET = 1 << 2,   // Of a heartbeat: the group goes quiet. Of a reply: so do I.
    RAFT_DAMAGED = 1 << 3, // The replica lost what it had promised: replace it.
    RAFT_REMOVED = 1 << 4, // You are no member any more.
};
struct raft_message {
    enum raft_message_kind kind;
    uint32_t flags;
    uint32_t from, to;
    uint64_t term;
    uint64_t index, log_term;
    uint64_t commit;
    uint64_t kept;  // Appends: members still need what is above it.
    uint64_t round; // Heartbeats count up; replies carry it back.
    uint32_t entry_count;
    const struct raft_entry *entries;
    uint8_t note_bytes; // Of appends: the driver's own (closed time).
    uint8_t note[RAFT_NOTE_BYTES];
};

enum raft_role { RAFT_FOLLOWER, RAFT_PRECANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };
enum raft_pace {
    RAFT_PROBE,     // One append at a time, until one fits.
    RAFT_REPLICATE, // Pipelined.
    RAFT_SNAPSHOT,  // Waits for raft_snapshot_sent.
};

// What a leader knows of a member.
struct raft_progress {
    uint32_t node;
    bool learner;
    enum raft_pace pace;
    uint64_t match, next;
    bool probing;            // An append of a prober is under way.
    bool active;             // Was heard from in this election timeout.
    bool damaged;            // Said so: it gets nothing and counts for nothing.
    bool lazy;               // The quickest are enough without it.
    bool vote_known, vote;   // As a candidate.
    uint64_t commit_sent;    // Highest commit index told.
    uint64_t heartbeat_next; // `next` when the last heartbeat left.
    uint32_t silent_ticks;   // Since the last reply.
    uint32_t inflight_messages;
    uint64_t inflight_bytes;
    uint64_t inflight_index[RAFT_INFLIGHT_MESSAGES]; // Rings: last index and bytes of each.
    uint32_t inflight_size[RAFT_INFLIGHT_MESSAGES];
    uint32_t inflight_first;
};

struct raft;
struct raft_io {
    void (*send)(void *arg, const struct raft_message *message); // Borrowed during the call.
    // The member needs a snapshot at `base` or later, then raft_snapshot_sent.
    void (*snapshot)(void *arg, uint32_t node, bool learner);
    // An entry with a proposal goes. `known`: it was replaced, and will never be committed.
    void (*dropped)(void *arg, void *proposal, bool known);
    // The note for an append; returns its size. May be NULL.
    uint8_t (*note)(void *arg, uint8_t out[RAFT_NOTE_BYTES]);
    void (*noted)(
        void *arg, const uint8_t *note, uint8_t note_bytes); // From a leader. May be NULL.
    void *arg;
};

struct raft_outgoing; // A message that waits for the hard state.

struct raft {
    // Read by the driver.
    uint32_t self;
    enum raft_role role;
    uint32_t leader; // Node; 0: unknown.
    uint64_t term;
    uint32_t vote;
    uint64_t commit;
    uint64_t applied;         // As told.
    uint64_t base, base_term; // The window's entries are base + 1 .. last.
    uint64_t last, last_term;
    uint64_t handed;              // To the disk.
    uint64_t stable;              // Durable, and of the present log.
    struct raft_config config;    // In effect: of the newest entry, committed or not.
    struct raft_config committed; // Of the newest committed entry.
    bool quiet;
    bool damaged; // Takes part in nothing.
    bool removed; // A leader said that this is no member any more.
    bool still;   // raft_stand.
    uint32_t transferee;
    uint64_t hard_version, hard_durable_version;
    bool held;      // The last flush held appends back: raft_flush_held soon.
    bool held_lazy; // Appends to members that are not needed for a quorum: raft_flush_lazy, later.

    // The module's own.
    struct raft_io io;
    uint64_t random;
    struct raft_entry *window;
    uint32_t window_first, window_count, window_capacity;
    uint64_t window_bytes;
    uint64_t kept_bytes; // Of it, what is applied.
    uint64_t kept;       // As the leader told.
    uint64_t verified;   // Up to here this log agrees with the leader's.
    uint64_t ack_round;
    bool ack_due, heartbeat_ack_due;
    bool hard_owed;      // Alone, a new term is not written down until someone else joins.
    uint64_t term_start; // Leader: index of the entry that opened the term.
    uint64_t round;
    uint64_t tick_last; // Leader: `last` at the last tick.
    bool busy;          // Many entries came between the last two.
    uint32_t elapsed, timeout; // Ticks.
    uint32_t transfer_elapsed;
    uint32_t idle_ticks;
    bool forced; // The campaign was asked for by the leader.
    uint32_t progress_count;
    struct raft_progress *progress; // Of the others; leaders and candidates only.
    struct raft_outgoing *outgoing, **outgoing_end;
};

struct raft_options {
    uint32_t self;
    struct raft_config config; // As of `base`.
    uint64_t base, base_term;  // Everything up to it is in the store (or may be: applied below).
    uint64_t applied;          // At least `base`: in the store.
    uint64_t term;             // Hard state; 0 when there was none.
    uint32_t vote;
    uint64_t seed; // Different for each replica and each start.
    bool damaged;
    struct raft_io io;
};
void raft_init(struct raft *raft, const struct raft_options *options);
void raft_fini(struct raft *raft); // Calls no callback.
// What the disk holds above `base`, in order, durable; before raft_start.
CHECKED struct status raft_restore(struct raft *raft, uint64_t term, enum raft_entry_kind kind,
    struct bytes body, uint64_t position);
// A voter that is alone leads at once, with everything committed; others begin as followers.
void raft_start(struct raft *raft);

// --- inputs --------------------------------------------------------------------------------------

void raft_tick(struct raft *raft);
CHECKED struct status raft_step(struct raft *raft, const struct raft_message *message);
// The body is copied. False: does not lead, or is handing leadership over, or the window is full.
bool raft_propose(struct raft *raft, struct bytes body, void *proposal, uint64_t *index);
// Whether entries go without the window now; then raft_propose_alone instead of raft_propose.
bool raft_alone(const struct raft *raft);
uint64_t raft_propose_alone(struct raft *raft);
// The newest entry, which no flush has passed on yet, was refused by the disk: it is taken back.
void raft_propose_undo(struct raft *raft);
void raft_durable(struct raft *raft, uint64_t index, uint64_t term);
void raft_hard_durable(struct raft *raft, uint64_t version);
// The hard state must be written anew (to another disk).
void raft_hard_rewrite(struct raft *raft);
void raft_applied(struct raft *raft, uint64_t index);

enum raft_change { RAFT_ADD_LEARNER, RAFT_PROMOTE, RAFT_DEMOTE, RAFT_REMOVE };
// 55000 with the reason: another change is under way, a learner lags, the last voter...; K_NOT_LEADER.
CHECKED struct status raft_config_change(
    struct raft *raft, enum raft_change change, uint32_t node, uint64_t *index);
// Ends by itself: the other leads, or after an election timeout this one goes on.
CHECKED struct status raft_transfer(struct raft *raft, uint32_t node);
// The way out when a majority of the voters is lost for good: this voter goes on as the only member, with what it has;
// what it has not is lost. Nobody who was a member may ever take part again. 55000 when it leads or cannot vote.
CHECKED struct status raft_force_alone(struct raft *raft);
// Campaigns now (a test's or an operator's wish; a learner does not).
void raft_campaign(struct raft *raft);
// Until it is told otherwise a replica that stands still begins no campaign, and one that is under way ends: its state is
// about to be replaced by another node's. It votes for others. A leader is one no more.
void raft_stand(struct raft *raft, bool still);
// The leader's node is gone: do not wait for the timeout.
void raft_leader_lost(struct raft *raft);
// Ticks again; a leader tells its members at once.
void raft_wake(struct raft *raft);
// A leader does not wait for a member that says nothing for long, so a group may rest that lacks what is due to it.
// Whether that is due to `node` (0: to anybody).
bool raft_owes(const struct raft *raft, uint32_t node);
// A leader's: the member has answered within an election timeout, and could lead.
bool raft_hears(const struct raft *raft, uint32_t node);
// That node is heard again: it gets what is due to it.
void raft_member_back(struct raft *raft, uint32_t node);
void raft_snapshot_sent(struct raft *raft, uint32_t node, uint64_t index, bool ok);
// The store was replaced by a snapshot as of `index`. Entries after it stay when they fit it.
void raft_installed(
    struct raft *raft, uint64_t index, uint64_t term, const struct raft_config *config);
// Sends what there is to send: appends of all entries that were proposed since.
void raft_flush(struct raft *raft);
// The same, and what was held back leaves, too; to members that are not needed for a quorum, with raft_flush_lazy.
void raft_flush_held(struct raft *raft);
void raft_flush_lazy(struct raft *raft);

// --- outputs -------------------------------------------------------------------------------------

static inline bool raft_hard_dirty(const struct raft *raft)
{
    return raft->hard_version != raft->hard_durable_version;
}
// Of (base, last]. The pointer is good until the next input.
struct raft_entry *raft_entry_at(struct raft *raft, uint64_t index);
uint64_t raft_term_at(const struct raft *raft, uint64_t index); // 0: not known any more.
bool raft_window_full(const struct raft *raft);
struct raft_progress *raft_progress_of(struct raft *raft, uint32_t node); // Leader only; NULL.
