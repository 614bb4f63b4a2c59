// SPDX-License-Identifier: GPL-3.0-or-later
//
// Slices: the ranges that share one replicated log, one store and one owner shard. A struct slice is this
// node's replica of one: it applies what the log says, and, while it leads, gives out timestamps and serves.
//
// Not here: which keys a slice holds (kv/range.h), locks, validation and the transaction protocol (kv/lock.h,
// kv/validate.h, kv/client.h). They keep their state in the fields of struct slice that are named for them.
//
// The life of a commit, all on the owner:
//     TRY(slice_admit(task, slice, bytes));         may suspend; refuses: stopping, disk full
//     ...validate reads...                          from here to slice_propose nothing suspends
//     ts = slice_commit_ts(slice);
//     entry_ts_set(payload, ts);
//     TRY(slice_propose(task, slice, payload));     returns when applied (observers ran) or never will be
// From slice_propose's append on the writes are *pending*: readers at or above ts wait for their keys. An
// error of slice_propose is clean (nothing happened) unless its code is 40003.
//
// Timestamps
//   * A commit timestamp is above the shard's clock's past, every read served (read_high) and every earlier
//     commit of the slice. Commits are applied in timestamp order: one log, one order.
//   * The ceiling rides in each entry. No commit or read above it before it is durable; after a restart the
//     slice begins above it. So no restart commits below a read or a closed timestamp given out before.
//   * kv_start returns when the wall clock has passed every slice's ceiling, so that all shards of the node
//     give out timestamps above what was committed or read before the start.
//
// Roles
//   * A follower applies committed entries and keeps in memory what a leader needs: prepared writes, thresholds,
//     ranges, ids of committed transactions. It serves reads at or below the closed time alone
//     (slice_reader.follower); everything else is K_NOT_LEADER.
//   * Elected, it applies everything of earlier terms, waits until its own wall clock has passed the ceiling
//     that its log says, lets the modules make ready (kv_module.slice_leading) and then serves.
//   * With several voters the ceiling is the lease: the leader serves only while its wall clock is more than
//     kv_options.max_offset_ns below the committed ceiling. A new leader's commits lie above that ceiling, and
//     it acknowledges none before its clock has passed it; clocks within max_offset of each other never leave
//     two usable leases.
//   * Deposed, it wakes whoever waits with K_NOT_LEADER and drops what only a leader has.
//
// Shard    Everything runs on the owner.
// Memory   Results are copied to the arena given. A request holds the slice with slice_hold: replicas go away at
//          run time.
// Errors   K_NOT_LEADER, 53100 disk full, 57P01 stopping, XXUUU below the GC threshold, 58030 the log or the store failed,
//          40003 the log failed with the entry under way, 57014 while waiting.
// Safety   No acknowledged commit is lost by a crash, no half entry is visible: tests/sim/scenario_kv_recovery.c.
#pragma once
#include "core/hashmap.h"
#include "core/list.h"
#include "core/shard.h"
#include "kv/admin.h"
#include "kv/entry.h"
#include "kv/mvcc.h"
#include "kv/raft_log.h"
#include "kv/store.h"

struct feed_set;
struct kv_shard;
struct lock_table;
struct move_side;
struct range_set;
struct slice;
struct slice_entry;
struct slice_fates;
struct staged;
struct validator;

// Told of entries, in log order, on the owner, once per operation; must not suspend. A resolved commit is told as
// the ENTRY_WRITES that it makes visible (with op->txn set); so nobody needs to look prepared writes up.
// `proposed`: the timestamp is chosen and the entry is with the log: validation must count it from now on.
// `applied`: it is durable and in the store. Not called for what recovery replays.
struct slice_observer {
    void (*proposed)(
        struct slice_observer *observer, struct slice *slice, const struct entry_op *op);
    void (*applied)(struct slice_observer *observer, struct slice *slice, const struct entry_op *op,
        uint64_t index);
    // After the last `applied` of a batch: flush what was gathered. May be NULL, as the others.
    void (*batch_end)(struct slice_observer *observer, struct slice *slice);
    struct slice_observer *next;
};

struct pending_key; // A key with an unapplied or a prepared write.

// Writes with the log, not applied yet; or prepared, waiting for their transaction's fate.
struct pending {
    struct slice *slice;
    struct hlc_timestamp ts; // The commit's; of prepared writes the lowest possible.
    uint64_t txn;            // Of prepared writes, otherwise 0.
    uint64_t record_slice;   // Where a prepared transaction's record is.
    uint64_t tenant;
    struct bytes payload; // Prepared writes: an entry with the ENTRY_PREPARE alone, owned by this.
    struct staged *staged; // Or they are in the store: kv/staged.h. Its own then.
    struct span bounds;   // From the first key to the last, both included.
    bool coarse;          // Too many keys to index: all of the bounds counts as written.
    struct pending_key *keys;
    uint32_t key_count;
    struct wait_queue readers; // Woken when the writes are applied or dropped.
    struct list_link link;     // In slice->pending or slice->prepared, oldest first.
};

enum slice_role {
    SLICE_FOLLOWER,
    SLICE_LEADING, // Elected, not ready yet; or about to hand the leadership over.
    SLICE_SERVING,
};

struct slice {
    uint64_t id;
    uint64_t generation; // Of its home.
    log_position since;  // Records of the log up to here are of an earlier replica.
    struct kv_shard *kv;
    struct shard *shard;
    struct store *store;
    struct mvcc mvcc;
    struct raft_log log;
    bool running;         // Between slice_start and slice_drain.
    bool started;         // slice_start was through once.
    uint32_t holders;     // Requests between slice_hold and slice_let_go.
    struct status failed; // Once set, everything is refused with it.

    enum slice_role role;
    bool leased;       // Several voters: the ceiling is a lease.
    bool stepping;     // A task is making it ready to serve.
    bool transferring; // Or to hand the leadership over.
    uint32_t modules_leading;
    uint64_t epoch; // Grows whenever the slice begins to serve.
    // Versions up to it may have timestamps ahead of this node's clock, and be known all the same: former leaders'
    // commits, those of several slices (another node may have chosen the timestamp), those made ahead of the clock.
    struct hlc_timestamp early;
    uint64_t turn;  // Grows whenever raft says that it leads, or that it does not.
    struct wait_queue role_waiters; // Woken by every change of the role, and when all is applied.
    struct hlc_timestamp closed;    // Told by the leader, and everything up to it is applied.
    // What is to be closed when everything up to the entry at the index is applied: the next, and the last told.
    struct hlc_timestamp closed_next, closed_last;
    uint64_t closed_next_index, closed_last_index;
    struct slice_fates *fates;
    struct raft_config config; // As of the applied index.

    struct hlc_timestamp last_commit; // Highest given out by slice_commit_ts (or resolved at).
    struct hlc_timestamp applied_ts;  // Highest commit applied, or that moved here.
    struct hlc_timestamp read_high;   // Highest read served.
    struct hlc_timestamp ceiling;     // Durable.
    struct hlc_timestamp ceiling_proposed;
    struct wait_queue ceiling_waiters;
    bool ceiling_asked;

    struct list_link pending; // struct pending.link, in ts order.
    struct list_link prepared;
    struct list_link staged; // struct staged.link.
    struct list_link staging; // struct staging.link.
    struct pending_key **pending_buckets;
    uint32_t pending_bucket_count; // A power of two.
    uint32_t pending_key_count;
    uint32_t pending_coarse_count;

    struct slice_entry *committed, *committed_tail; // To be applied.
    size_t committed_bytes, committed_items;
    bool committed_urgent; // Somebody waits for one of them, or the members change by it.
    bool committed_linked; // In kv->committed.
    struct slice *committed_next;
    uint64_t applied_index, applied_term; // In the store, whatever the entry's kind.
    log_position applied_position;        // 0: of an earlier start.
    uint8_t *parts; // Of a large entry, gathered so far; NULL: they are a proposal's of this node.
    uint32_t parts_size, parts_total; // total 0: none is open.
    uint32_t held;                    // Applying waits.
    bool has_left;                    // In the store, of a former log (slice_left.c).
    log_position left_position;       // Up to here the log must be durable to do without it,
    uint64_t left_until;              // and up to there entries applied.
    bool receiving, installing;       // A snapshot: kv/snapshot.h.
    struct task *receiver;            // Who receives it.
    uint32_t damaged_member;          // Leader: a member that lost what it had promised; 0: none.
    uint64_t load_count, load_seen, load_since_ns, load_rate; // Requests: kv_replica_look.
    // Of the leader's calls all, and those that would cost no more if another node led: kv/balance.h.
    uint64_t calls, calls_movable, calls_seen, calls_movable_seen, load_movable;
    uint64_t in_flight; // Proposals not applied yet.
    bool parts_open;    // A large entry is being cut into parts: others wait.
    struct wait_queue admit_waiters;
    bool applying; // A task of the slice's own applies what is too much for a completion.
    struct wait_queue idle_waiters; // Woken when in_flight or an own task ends.
    uint32_t own_tasks;

    struct slice_replay *replay; // Until slice_start.
    struct hashmap tenants;      // struct slice_tenant by id: thresholds and marks.
    uint64_t checkpoint_index;   // Applied index of the last checkpoint.
    log_position checkpoint_position;
    uint64_t gc_due_ns, gc_walked; // The next pass; keys that the last one looked at.
    bool checkpointing;
    bool members_saving; // A task is about to checkpoint new members.
    uint64_t bytes_since_checkpoint;

    struct slice_observer *observers;
    uint32_t modules_ready; // How many modules' slice_ready ran.

    // The upper half's own (their modules make and free them in slice_ready and slice_fini).
    struct lock_table *locks;
    struct lock_carry *carried; // What a leader that hands over had in its own; NULL: nothing.
    struct validator *validator;
    struct range_set *ranges;
    struct slice_observer range_observer;
    struct move_side *moves; // Of ranges on their way to or from other slices: kv/move_side.h.
    struct slice_observer move_observer;
    struct feed_set *feeds;
};

void slice_observer_add(struct slice *slice, struct slice_observer *observer);
void slice_observer_remove(struct slice *slice, struct slice_observer *observer);

// --- timestamps (slice_commit.c) ---------------------------------------------------------------------

// A commit timestamp. Not to be followed by a suspension before slice_propose.
struct hlc_timestamp slice_commit_ts(struct slice *slice);
// Like it, but at least `floor`: a multi-slice commit's part.
struct hlc_timestamp slice_commit_ts_above(struct slice *slice, struct hlc_timestamp floor);
// Later commits are above `ts`. What a read does by itself; also closes time.
void slice_read_high_raise(struct slice *slice, struct hlc_timestamp ts);
// The newest timestamp at which a read of this slice sees every commit acknowledged so far and needs to wait for no
// pending write: just below the oldest pending write, or the clock's present. (With prepared writes
// around it is the present: some of them may be acknowledged already, so a reader must wait.)
struct hlc_timestamp slice_present(struct slice *slice);
// Closes time: returns T such that no commit at or below T will be applied after this call, and no prepared
// write may become visible at or below it. At most the durable ceiling; asks for a higher one by itself.
struct hlc_timestamp slice_close(struct slice *slice);

// --- reading (slice_read.c) --------------------------------------------------------------------------

struct slice_reader {
    uint64_t tenant;
    struct hlc_timestamp ts;
    // Above ts: a version in (ts, uncertain] may be of a commit that was acknowledged before the reader began, on a
    // node with another clock. It is told as K_MOVED, its timestamp in `*moved_to` (which then must be set).
    struct hlc_timestamp uncertain;
    // No commit of this replica above it was acknowledged, or seen by anybody, before the reader began; but for those
    // up to slice->early.
    struct hlc_timestamp certain;
    struct hlc_timestamp *moved_to;
    bool follower; // Any replica may serve it: K_NOT_LEADER when `ts` is not behind its closed time.
    bool
        newest; // Whatever is newest, once no write of the key is pending: for holders of its lock. `ts` is ignored.
    bool no_wait; // K_PENDING instead of waiting.
};
#define K_PENDING SQLSTATE('K', '0', '0', '1', '1')
// What was read, under lock or within the uncertainty of clocks, is newer than the snapshot.
#define K_MOVED SQLSTATE('K', '0', '0', '1', '2')
// The replica lost the lead, or its log, while the request was under way: whoever leads next knows what became of it.
#define K_FATE_ELSEWHERE SQLSTATE('K', '0', '0', '1', '3')
// The commit would come after the time up to which what it relies on is certain.
#define K_LATE SQLSTATE('K', '0', '0', '1', '4')

struct slice_value {
    struct bytes value;      // data NULL: absent (or a tombstone, with its ts).
    struct hlc_timestamp ts; // Zero when there is no version at all.
};
// One key. Raises read_high. Suspends only for pending writes (and, rarely, for the ceiling).
CHECKED struct status slice_read_point(struct task *task, struct slice *slice,
    const struct slice_reader *reader, struct bytes key, struct arena *arena,
    struct slice_value *value);
// Many of them, best in key order: values[i].data NULL where there is none. Yields by itself.
CHECKED struct status slice_read_points(struct task *task, struct slice *slice,
    const struct slice_reader *reader, const struct bytes *keys, uint32_t count,
    struct arena *arena, struct bytes *values);

struct slice_scan {
    struct span span; // Taken in part by each call: what is left.
    bool reverse;
    uint32_t rows_max; // Of one call; 0: 1,024.
    size_t bytes_max;  // 0: 1 MiB; the row that crosses it is the last.
    bool done;         // Set when span is exhausted.
    struct kv_visitor *visitor; // Is shown the rows; the batch then has a count alone. May be NULL.
    uint64_t bytes_visited;     // Of this call.
    struct hlc_timestamp
        newest; // Highest version timestamp among the rows given (with reader->newest).
};
// The next rows that are visible. Raises read_high. Yields by itself; rows of one call are all as of ts.
CHECKED struct status slice_read_span(struct task *task, struct slice *slice,
    const struct slice_reader *reader, struct slice_scan *scan, struct arena *arena,
    struct kv_batch *batch);

// Newest timestamp of any version of the key, pending (also prepared) writes included, but for what the transaction
// `own` has prepared. Zero: none. For validation.
CHECKED struct status slice_key_newest(
    struct slice *slice, struct bytes key, uint64_t own, struct hlc_timestamp *ts);
// Whether any version in the span, pending writes (as before) included, is above `after`. Yields in long spans: the answer
// covers what was proposed before the call; what is proposed while it yields is the caller's to check (it
// is told of all of it as an observer).
CHECKED struct status slice_span_changed(struct task *task, struct slice *slice, struct span span,
    struct hlc_timestamp after, uint64_t own, bool *changed);
// The pending or prepared write that a read of `key` at `ts` would have to wait for, or NULL.
struct pending *slice_pending_find(
    const struct slice *slice, struct bytes key, struct hlc_timestamp ts);
struct pending *slice_pending_find_span(
    const struct slice *slice, struct span span, struct hlc_timestamp ts);
struct pending *slice_prepared_find(const struct slice *slice, uint64_t txn);

// --- writing (slice_propose.c) ------------------------------------------------------------------------

// Waits until the slice can take an entry of `bytes`; refuses when it is stopping, failed or out of disk.
// `bytes` 0 is for what ends or frees something (a resolution, a threshold): a full disk does not refuse that.
CHECKED struct status slice_admit(struct task *task, struct slice *slice, size_t bytes);
// Proposes the entry and returns when it is applied. Not cancellable once it is with the log.
CHECKED struct status slice_propose(struct task *task, struct slice *slice, struct bytes payload);

struct slice_write {
    struct bytes key;
    struct bytes value; // data NULL: a tombstone.
};
// Builds and proposes one ENTRY_WRITES at `ts` (of slice_commit_ts, in this turn).
CHECKED struct status slice_propose_writes(struct task *task, struct slice *slice, uint64_t tenant,
    const struct slice_write *writes, uint32_t count, struct hlc_timestamp ts);

// --- records beside the versions -----------------------------------------------------------------------

// The upper half's named records (ENTRY_META). value->data NULL: absent.
CHECKED struct status slice_meta_get(
    struct slice *slice, struct bytes key, struct arena *arena, struct bytes *value);
// All records whose names start with `prefix`, in order.
CHECKED struct status slice_meta_list(struct slice *slice, struct bytes prefix, struct arena *arena,
    struct kv_pair **pairs, uint32_t *count);
struct slice_record {
    uint64_t txn;
    bool commit;
    bool staged; // Committed when all its participants (`value`: their slices, u64 each) are prepared.
    struct hlc_timestamp ts;
    struct bytes value;
};
// A multi-slice transaction's record; *found false when it never was or is ended.
CHECKED struct status slice_record_get(struct slice *slice, uint64_t txn, struct arena *arena,
    struct slice_record *record, bool *found);
CHECKED struct status slice_record_list(
    struct slice *slice, struct arena *arena, struct slice_record **records, uint32_t *count);

// --- raw versions (slice_raw.c): the leader's side of kv/admin.h ----------------------------------------

// As kv_export_next, for the part of the span that lies in this slice; resumes at export->resume.
CHECKED struct status slice_export(struct task *task, struct slice *slice, struct kv_export *export,
    struct arena *arena, struct kv_version **versions, uint32_t *count);
CHECKED struct status slice_ingest(struct task *task, struct slice *slice, uint64_t tenant,
    const struct kv_version *versions, uint32_t count);
CHECKED struct status slice_ingest_clear(
    struct task *task, struct slice *slice, uint64_t tenant, struct span span);
// At the end nothing above `upto` is left; HLC_MAX: all is.
CHECKED struct status slice_ingest_mark(struct task *task, struct slice *slice, uint64_t tenant,
    enum kv_ingest_mark mark, struct hlc_timestamp upto);
CHECKED struct status slice_revert(struct task *task, struct slice *slice, uint64_t tenant,
    struct hlc_timestamp ts, uint64_t *removed);
CHECKED struct status slice_clear(
    struct task *task, struct slice *slice, uint64_t tenant, struct span span);
CHECKED struct status slice_fingerprint(struct task *task, struct slice *slice, uint64_t tenant,
    struct span span, struct hlc_timestamp ts, struct kv_fingerprint *fingerprint);
// Whether the span has no versions at all (kv_move_empty).
CHECKED struct status slice_span_empty(struct slice *slice, struct span span, bool *empty);
// Estimate by walking; yields. *split (may be NULL) is a key that halves the span's bytes; data NULL when there is none.
CHECKED struct status slice_span_size(struct task *task, struct slice *slice, struct span span,
    struct arena *arena, uint64_t *bytes, uint64_t *keys, struct bytes *split);

// --- garbage collection (slice_gc.c) ----------------------------------------------------------------------

// Reads of the tenant below it are refused. The proposed one counts as soon as it is with the log.
struct hlc_timestamp slice_gc_threshold(const struct slice *slice, uint64_t tenant);
bool slice_tenant_ingesting(const struct slice *slice, uint64_t tenant);
// No version of the tenant that is in the store is newer, however it came there.
struct hlc_timestamp slice_newest(const struct slice *slice, uint64_t tenant);
// Highest threshold that TTL and protected timestamps allow now: the upper half sets kv_node->gc_limit at start
// (NULL: no collection). Called on the owner directly before a threshold is proposed, without a suspension
// in between: a protection that is in this shard's table before slice_gc_threshold is looked at is never passed.
typedef struct hlc_timestamp (*slice_gc_limit_fn)(struct slice *slice, uint64_t tenant);
// One pass over the slice: moves thresholds, erases versions. Yields; TASK_BULK. *erased may be NULL.
CHECKED struct status slice_gc(struct task *task, struct slice *slice, uint64_t *erased);
// How long to wait after a pass that looked at so many keys: passes that find nothing to erase, over many older versions
// that are still wanted, come seldom, so that a store at rest costs nothing whatever it holds.
#define GC_EVERY_NS UINT64_C(30000000000)
uint64_t slice_gc_rest_ns(uint64_t walked, uint64_t erased);

// --- the replica (slice_role.c) -------------------------------------------------------------------------

// Requests that suspend hold their slice; a replica that is to go away waits for them. Pairs; never suspend.
static inline void slice_hold(struct slice *slice)
{
    slice->holders++;
}
void slice_let_go(struct slice *slice);
// STATUS_OK while this replica may serve: it leads, and its lease holds. Otherwise K_NOT_LEADER, 57P01 or what made the
// slice fail. Never suspends. Requests that suspended ask it again before they use what they saw.
CHECKED struct status slice_check(const struct slice *slice);
// The node that is thought to lead; 0: unknown. This node's own id while it leads.
uint32_t slice_leader(const struct slice *slice);
// Hands the leadership to `node`: stops serving, lowers the ceiling to what was given out, so that the next leader need
// not wait, and transfers. When that does not come about in time it serves again and says 55000.
CHECKED struct status slice_transfer(struct task *task, struct slice *slice, uint32_t node);
// Everything at or below the result can be read here with slice_reader.follower.
struct hlc_timestamp slice_closed(const struct slice *slice);
// What became of a commit: replicas remember the ids of transactions that they applied for a while.
enum slice_fate {
    SLICE_FATE_UNKNOWN,   // Older than what is remembered.
    SLICE_FATE_COMMITTED, // *ts is its timestamp.
    SLICE_FATE_NONE, // Not committed so far. At a serving leader whose epoch began after the request was sent: never
                     // will be by that request.
};
enum slice_fate slice_txn_fate(const struct slice *slice, uint64_t txn, struct hlc_timestamp since,
    struct hlc_timestamp *ts);

// --- life (slice.c) ------------------------------------------------------------------------------------

struct slice_options {
    uint64_t id;
    uint64_t generation; // Of its home.
    log_position since;  // Records of the log up to here are not this replica's.
    const char *home;
    uint64_t cache_bytes;
    struct raft_config config; // Of a store that says none.
    bool damaged;              // What was on disk is lost in part: to be replaced by a snapshot.
};
// As the node's options say.
CHECKED struct status slice_store_open(
    struct task *task, const struct kv_shard *kv, const struct store_options *options, struct store **store);
// Opens the store; then slice_replay each record of the log in order, then slice_start.
CHECKED struct status slice_open(struct task *task, struct kv_shard *kv,
    const struct slice_options *options, struct slice **slice);
CHECKED struct status slice_replay(struct task *task, struct slice *slice,
    const struct log_record *record, log_position position);
// Readies the modules and begins to take part: a voter that is alone serves soon (slice_await).
CHECKED struct status slice_start(struct task *task, struct slice *slice);
// Until it serves, or 57P01 or what made it fail.
CHECKED struct status slice_await(struct task *task, struct slice *slice);
CHECKED struct status slice_checkpoint(struct task *task, struct slice *slice);
// Refuses what comes from now on and waits for what is in flight.
void slice_drain(struct task *task, struct slice *slice);
// Drains, checkpoints (unless `drop`: what a crash would leave) and frees.
CHECKED struct status slice_stop(struct task *task, struct slice *slice, bool drop);
