// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of slice share among themselves. Nobody else includes this.
#pragma once
#include "kv/kv_node.h"
#include "kv/slice.h"

#define CEILING_AHEAD_NS UINT64_C(500000000)
#define LEASE_USABLE_NS UINT64_C(1000000000) // Of a ceiling that is a lease, beyond max_offset.
// A record of the log holds this much of a large entry, behind a header: format u8 | flags u8 | total u32.
#define PART_BYTES (1u << 20)
#define PART_HEADER_BYTES 6u
enum part_flags { PART_FIRST = 1, PART_LAST = 2 };
#define PENDING_KEYS_MAX 4096u // Above, a pending entry is indexed by its bounds alone.

// A committed entry, to be applied in its turn.
struct slice_entry {
    uint64_t term, index;
    log_position position;
    uint32_t kind; // enum raft_entry_kind.
    bool plain;    // Nothing but writes, and nobody waits for it: may be applied in a run.
    bool may_mark; // The applied mark does not come to lie within a large entry: its parts are read anew.
    struct bytes payload;   // data NULL: nothing to apply.
    uint8_t *owned;         // The payload of a large entry that came in parts.
    struct raft_config *config; // The members that it names; malloc'ed. NULL: of another kind.
    struct arena told_arena;
    bool prepare_refused;
    struct bytes told; // ENTRY_DRAIN: what became visible, as an entry of its own.
    uint64_t item_count;
    struct slice_proposal *proposal; // Whose memory this is; NULL: malloc'ed.
    struct slice_entry *next;
};

struct slice_proposal {
    struct raft_proposal raft;
    struct slice *slice;
    struct bytes payload;
    uint64_t item_count;
    bool is_part;  // Of a large entry; the last one is the proposal itself.
    bool malloced; // And so is its payload.
    bool left;     // Its proposer is gone.
    bool stages;   // Nothing rests on it yet: who is cancelled may leave it without its last part.
    struct slice_entry entry;
    struct pending pending;
    bool is_pending;
    struct hlc_timestamp ceiling;
    struct status st;
    bool done;
    struct wait_queue waiter;
};

struct slice_tenant {
    uint64_t id;
    struct hlc_timestamp gc_threshold;
    struct hlc_timestamp gc_proposed; // At least gc_threshold.
    bool ingesting, ingested;         // Now; it was, and is no more.
    struct hlc_timestamp ingest_high; // Newest version received.
    // At the leader: it takes no more, since the end is under way; what it takes now.
    bool closing;
    uint32_t receiving;
};

struct slice_replay {
    uint64_t mark_index, mark_term; // Of the running transaction.
    log_position mark_position;
    bool in_transaction;
    uint32_t entries;
    size_t bytes;
    // Parts of a large entry that is not whole yet, in a log that is given up: committed, but above the applied mark.
    struct {
        uint8_t *data; // As raft_log_left_entry makes them.
        size_t size, capacity;
        uint64_t last; // Index.
    } open;
};
void slice_replay_free(struct slice_replay *replay);

struct pending_key {
    uint64_t hash;
    struct bytes key;
    struct pending *pending;
    struct pending_key *next;
};

// --- pending.c
void pending_init(struct slice *slice);
void pending_fini(struct slice *slice);
// Gathers the keys of the operation's items into `pending` (memory from `arena`, or malloc when NULL).
void pending_gather(struct pending *pending, const struct entry_op *op, struct arena *arena);
void pending_add(struct slice *slice, struct pending *pending, struct list_link *list);
// Takes it out of the index and wakes its readers.
void pending_remove(struct slice *slice, struct pending *pending, struct status st);
// Highest timestamp of a pending write to the key (or into the span) above `after`.
// Both but for those of the transaction `own` (0: of any).
bool pending_newest(
    const struct slice *slice, struct bytes key, uint64_t own, struct hlc_timestamp *ts);
bool pending_in_span(
    const struct slice *slice, struct span span, struct hlc_timestamp after, uint64_t own);
// A prepared transaction from its own entry (copied), registered.
struct pending *prepared_create(
    struct slice *slice, const struct entry_op *op, struct bytes payload);
void prepared_destroy(struct slice *slice, struct pending *prepared);

// --- slice_commit.c
// The ceiling to put into an entry that is proposed now.
struct hlc_timestamp slice_ceiling_next(struct slice *slice);
// What the log says it is, from this entry on.
void slice_ceiling_set(struct slice *slice, struct hlc_timestamp ceiling);
// Extends the ceiling in the background when less than half of it is left.
void slice_ceiling_ask(struct slice *slice);
// What slice_close gives, and no higher ceiling is asked for. At the serving leader.
struct hlc_timestamp slice_close_now(struct slice *slice);
// Suspends until the lease holds.
CHECKED struct status slice_lease_wait(struct task *task, struct slice *slice);
bool slice_ceiling_near(const struct slice *slice, uint64_t wall_ns);
// Suspends until the ceiling is at or above `ts`. 55000 when ts is far in the future.
CHECKED struct status slice_ceiling_wait(
    struct task *task, struct slice *slice, struct hlc_timestamp ts);

// --- slice_role.c
extern const struct raft_log_hooks slice_log_hooks;
// Whether the lease holds at this moment; always, without several voters.
bool slice_lease_holds(const struct slice *slice);
// As slice_check, but waits for a lapsed lease. `slice_check` leaves no moment to suspend after.
CHECKED struct status slice_may_serve(struct task *task, struct slice *slice);
CHECKED struct status slice_not_leader(void);
// slice_check but for the lease: proposing needs none.
CHECKED struct status slice_check_role(const struct slice *slice);
void slice_lease_update(struct slice *slice);
// It stops: whoever waits for what others do to its keys leaves.
void slice_turn_away(struct slice *slice, struct status st);
// It leads no more: waiters are told, what only a leader has is dropped.
void slice_depose(struct slice *slice);
// Applied up to slice->applied_index: what was told as closed may have become readable.
void slice_closed_update(struct slice *slice);

// --- slice_propose.c
// slice_admit without regard to the disk's room: for what makes room, and for ceilings.
CHECKED struct status slice_admit_any(struct task *task, struct slice *slice);
void slice_fail(struct slice *slice, struct status st, const char *what);
// Starts a task that belongs to the slice: slice_stop waits for it.
CHECKED struct status slice_task_start(
    struct slice *slice, task_fn fn, const char *kind, enum task_class class);
CHECKED struct status slice_task_start_with(
    struct slice *slice, task_fn fn, void *arg, const char *kind, enum task_class class);
void slice_proposal_finish(struct slice_proposal *proposal, struct status st);
void slice_proposal_failed(struct raft_proposal *raft, struct status st);
struct status slice_ambiguous(void);
// One entry, at a lower ceiling than before: nothing is given out above it any more.
CHECKED struct status slice_propose_ceiling(
    struct task *task, struct slice *slice, struct bytes payload, struct hlc_timestamp ceiling);

// --- slice_committed.c
void slice_entry_committed(struct raft_log *log, const struct log_record *record,
    log_position position, struct raft_proposal *raft);
// Applies what is committed: in place when it is little, otherwise in a task of the slice's own. A follower, whom
// nobody waits for, lets some gather first; slice_apply_now does not.
void slice_apply_committed(struct slice *slice);
void slice_apply_now(struct slice *slice);
// Applying stops before the next entry, until as many slice_apply_release. Suspends while one is being applied.
void slice_apply_hold(struct task *task, struct slice *slice);
void slice_apply_release(struct slice *slice);
// Forgets what is committed and not applied.
void slice_committed_drop(struct slice *slice);
// Commits what slice_replay gathered.
CHECKED struct status slice_replay_end(struct slice *slice);
// After it, when the log is given up: the parts of an entry whose end the crash took are void, and applied. The
// next log begins behind them. Only for a slice of one voter, where nobody else can have the end.
CHECKED struct status slice_replay_void(struct slice *slice);

struct slice_apply;

// --- slice_gather.c
// Whether the entry holds nothing but writes.
bool slice_entry_plain(struct bytes payload);
// How many entries from `first` on, at most `count`, make a run; *gather: it is worth slice_gather_apply. At least one.
uint32_t slice_gather_run(const struct slice_entry *first, uint32_t count, bool *gather);
// Puts the writes of a run into the store, in the order of their keys; cuts and yields as slice_apply_pause does.
CHECKED struct status slice_gather_apply(
    struct slice_apply *apply, const struct slice_entry *first, uint32_t entries);

// --- slice_apply.c
// Puts one entry into the store. `task` NULL: in one piece, within the running transaction; otherwise large
// entries are cut into several transactions, with yields in between.
struct slice_apply {
    struct slice *slice;
    struct task *task;
    size_t bytes, items; // In the running transaction.
    bool prepare_refused;     // Answer: the transaction was given up here before.
    struct arena *told_arena; // NULL: nobody is told.
    struct bytes told;
};
// After a change of `bytes`: with a task, cuts the transaction in two here when it has become large.
CHECKED struct status slice_apply_pause(struct slice_apply *apply, size_t bytes);
// mvcc_put with pauses after it and, of a long value, in between.
CHECKED struct status slice_apply_put(struct slice_apply *apply, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool in_any_order);
CHECKED struct status slice_apply_entry(struct slice_apply *apply, struct bytes payload);
// The applied record, in the running transaction.
CHECKED struct status slice_apply_mark(struct slice *slice, uint64_t term, uint64_t index,
    struct hlc_timestamp ceiling, const struct raft_config *config);
// What a store's applied record says; all zero when there is none.
struct slice_mark {
    uint64_t term, index;
    struct hlc_timestamp last_commit, ceiling;
    struct raft_config config;
};
CHECKED struct status slice_mark_read(struct store *store, struct slice_mark *mark);
// What applying changes in memory, once the transaction is committed.
void slice_apply_remember(struct slice *slice, struct bytes payload, bool prepare_refused);
// Calls `tell` for each operation, resolved commits told as writes.
void slice_ops_tell(struct slice *slice, struct bytes payload, uint64_t index, bool applied);

// --- slice_fate.c
void slice_fate_note(struct slice *slice, uint64_t txn, struct hlc_timestamp ts);
// What was committed up to now is not remembered.
void slice_fates_reset(struct slice *slice);
void slice_fates_free(struct slice *slice);

// --- slice.c
// What is in memory of the store: thresholds, prepared writes. Again after the store was replaced.
CHECKED struct status slice_memory_load(struct slice *slice);
void slice_memory_drop(struct slice *slice);
struct slice_tenant *slice_tenant_get(
    const struct slice *slice, uint64_t tenant); // NULL: nothing special.
struct slice_tenant *slice_tenant_make(struct slice *slice, uint64_t tenant);
// What the store says; a tenant without a record is all zero.
CHECKED struct status slice_tenant_load(
    struct slice *slice, uint64_t tenant, struct slice_tenant *loaded);
CHECKED struct status slice_tenant_put(struct slice *slice, const struct slice_tenant *tenant);

// --- slice_left.c
// Puts what replay has left for consensus into the store; *any false: there is nothing.
CHECKED struct status slice_left_save(struct slice *slice, bool *any);
// Before replay: what an earlier start put there.
CHECKED struct status slice_left_load(struct slice *slice);
// Once it is durable in the log.
CHECKED struct status slice_left_drop(struct slice *slice);

// --- slice_read.c
// Waits until nothing pending at or below `ts` is left in the span; raises read_high; checks the GC threshold.
CHECKED struct status slice_read_begin(struct task *task, struct slice *slice, uint64_t tenant,
    struct span span, struct hlc_timestamp ts);

// First byte of a transaction's record.
enum record_state { RECORD_ABORTED, RECORD_COMMITTED, RECORD_STAGED };

// Names in the meta table: a letter, then a number (big-endian) or a name.
enum meta_letter {
    META_APPLIED = 'a',
    META_TENANT = 'n',
    META_LEFT = 'l', // slice_left.c
    META_PREPARED = 'p',
    META_RECORD = 't',
    META_NAMED = 'x',
    META_STAGED = 'i', // kv/staged_row.h: by key.
    META_STAGE_RUN = 'k', // Also: by transaction and key.
    META_STAGES = 'j',
};
#define META_NUMBER_KEY_BYTES 9
struct bytes meta_number_key(
    enum meta_letter letter, uint64_t number, uint8_t out[META_NUMBER_KEY_BYTES]);
