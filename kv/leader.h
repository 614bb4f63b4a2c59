// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a slice's leader does for clients: reads, locks, validation, commits. One struct a kind of
// request; the client fills it in, leader_call takes it to the slice's leader (a direct call on the
// own shard, a message to another one, in its encoded form to another node: kv/leader_wire.h) and
// its answers are in the struct when that returns.
//
// leader_call finds the leader and goes after it: a replica that does not lead says who does, a
// node that does not answer is passed over for the slice's other replicas, until somebody answers
// or LEADER_PATIENCE_NS are over.
//
// The leader trusts nothing that decides: each request names its tenant, and each key and span is
// checked against that tenant's span (42501) and against the ranges that the slice serves
// (K_WRONG_RANGE).
//
// Shard    leader_call runs on the client's shard, the leader_* functions on the slice's.
// Memory   A request and everything it points to is lent by the caller until leader_call returns:
//          the caller sleeps meanwhile. Answers are made in request->call.arena: on the own shard
//          that is the caller's arena; from elsewhere it is request->call.reply, an unaccounted
//          arena that is filled there and taken over with the answer: leader_reply_take copies out
//          of it, leader_reply_end frees it. No arena is ever used by two shards at once.
// Errors   K_WRONG_RANGE (look the route up again), K_MOVED (the read timestamp must move to
//          call->moved_to, then ask again), 08006 (no leader answers), 40003 (a commit whose fate
//          cannot be known), and those of kv/client.h.
// Checked  tests/unit/kv/test_leader.c forges keys of other tenants in every kind of request.
#pragma once
#include "core/task.h"
#include "kv/client.h"
#include "kv/held.h"
#include "kv/kv_node.h"
#include "kv/lock.h"
#include "kv/read_set.h"
#include "kv/slice.h"
#include "kv/write_buffer.h"

#define LEADER_PATIENCE_NS UINT64_C(30000000000)

// Kinds of requests. Their numbers are part of the protocol between nodes.
enum leader_kind {
    LEADER_GET = 0,
    LEADER_SCAN = 1,
    LEADER_PRESENT = 2,
    LEADER_REFRESH = 3,
    LEADER_COMMIT = 4,
    LEADER_LOCK = 5,
    LEADER_PREPARE = 6,
    LEADER_VALIDATE = 7,
    LEADER_RECORD_PUT = 8,
    LEADER_RECORD_GET = 9,
    LEADER_RESOLVE = 10,
    LEADER_RELEASE = 11,
    LEADER_EXPORT = 12,
    LEADER_INGEST = 13,
    LEADER_JOB = 14,
    LEADER_RANGE = 15,
    LEADER_CHANGE = 16,
    LEADER_LOOK = 17,
    LEADER_STAGE = 18,
    LEADER_SEAL = 19,
    LEADER_GIVE_UP = 20,
    LEADER_MOVE = 24,
    LEADER_KIND_END = 32,
};

// What clocks of other nodes said when a transaction first asked them: no version above that was
// committed before the transaction began.
#define LEADER_SEEN_MAX 8u
struct leader_seen {
    uint32_t count;
    struct {
        uint32_t node;
        struct hlc_timestamp clock;
    } nodes[LEADER_SEEN_MAX];
};

struct leader_call {
    uint64_t slice;
    uint64_t generation; // Of the descriptor that led here, for requests about one range: K_WRONG_RANGE when it is old. 0: any.
    uint64_t tenant;
    struct hlc_timestamp read_ts;
    // Versions in (read_ts, uncertain] may be of commits that were acknowledged before the
    // transaction began. Zero: there are no such.
    struct hlc_timestamp uncertain;
    struct hlc_timestamp certain;  // Of those, not above this: the leader's node's clock has said so.
    struct leader_seen *seen;      // The transaction's; NULL: none.
    const struct staged_view *view; // Of what it has staged; NULL: nothing.
    uint64_t staged;               // Requests by which it has staged in this slice: 40001 when they are there no more. 0: none.
    struct lock_owner_id owner;
    uint64_t holder;               // Whose its locks are; 0: owner.txn. A commit that was begun anew has another id.
    uint64_t lock_deadline_ns;     // Monotonic; 0: none.
    uint32_t lock_level;           // Of locks that it takes: lock_release_levels.
    struct arena *arena;           // Where answers go.
    struct arena reply;            // Used when the leader is elsewhere.
    bool remote;                   // Answers are in `reply`.
    bool here;                     // Runs on the caller's shard, in its task.
    bool follower;                 // Any replica may serve it that is far enough: reads of the past.
    bool again;                    // It may have been asked, and done, before.
    bool relayed;                  // The leader's: it came from another node.
    // Answers of all kinds.
    // Not zero: what was read under lock is as of this, above read_ts.
    struct hlc_timestamp moved_to;
    uint64_t lock_wait_ns;
    uint64_t locks_taken;
    uint64_t locks_since;          // What all of them are held since, for struct held_key; 0: none taken.
    struct hlc_timestamp clock;    // The leader's, when it began.
    uint32_t leader;               // With K_NOT_LEADER: the node that is thought to lead, or 0.
};

static inline uint64_t leader_holder(const struct leader_call *call)
{
    return call->holder != 0 ? call->holder : call->owner.txn;
}

// Takes the request to its slice's leader. Each request has its struct leader_call first.
CHECKED struct status leader_call(
    struct task *task, struct leader_call *call, struct arena *arena, enum leader_kind kind);
// Several at once, each for itself: the status of each is in its item. Suspends until all are done.
struct leader_item {
    enum leader_kind kind;
    struct leader_call *call;
    struct status status;
};
void leader_call_many(
    struct task *task, struct leader_item *items, uint32_t count, struct arena *arena);
// `bytes` of an answer as the caller may keep it: copied when it came from elsewhere.
static inline struct bytes leader_reply_take(
    struct leader_call *call, struct arena *arena, struct bytes bytes)
{
    if (!call->remote || bytes.data == NULL) return bytes;
    return arena_copy(arena, bytes);
}
void leader_reply_end(struct leader_call *call);

struct leader_get {
    struct leader_call call;
    struct kv_read read;
    const struct bytes *keys; // In key order; the locks are taken in it.
    struct bytes *values;     // The caller's; data NULL: absent.
    bool *skipped;            // The caller's; NULL unless read.wait is KV_WAIT_SKIP.
    uint32_t count;
};
struct status leader_get(struct task *task, void *arg);

struct leader_scan {
    struct leader_call call;
    struct kv_read read;
    struct span span;         // What is left of it, on return.
    bool reverse;
    bool done;
    uint32_t rows_max;
    struct kv_visitor *visitor; // Shown the rows when the call runs here; `batch` then has a count alone.
    uint64_t bytes_visited;
    struct kv_batch batch;
};
struct status leader_scan(struct task *task, void *arg);

// A read of one key at the newest timestamp that needs no waiting and sees every acknowledged
// commit.
struct leader_present {
    struct leader_call call;
    struct bytes key;
    struct bytes value;
};
struct status leader_present(struct task *task, void *arg);

// Whether nothing in the entries has changed above call.read_ts; later commits will be above `to`.
struct leader_refresh {
    struct leader_call call;
    const struct read_entry *entries;
    uint32_t count;
    struct hlc_timestamp to;
};
struct status leader_refresh(struct task *task, void *arg);

// A whole transaction in one slice: validates, locks what is not locked, logs, applies, releases
// locks.
struct leader_commit {
    struct leader_call call;
    const struct write_node *const *writes;
    uint32_t write_count;
    const struct read_entry *reads;
    uint32_t read_count;
    const struct held_key *held; // Keys that the transaction must have locked all along.
    uint32_t held_count;
    struct hlc_timestamp checked_ts; // Writes marked `checked` have no version above it.
    struct bytes payload;            // The log entry, its timestamp left open.
    struct hlc_timestamp after;      // Its timestamp is above this,
    struct hlc_timestamp until;      // and not above this, or it is K_LATE. Zero: no bound.
    struct hlc_timestamp commit_ts;  // Answer.
    // Of a multi-slice transaction's part (kv/commit_multi.c).
    uint64_t mark, epoch;            // Answers: for leader_validate.
    uint64_t released;               // Answer of leader_stage: locks that are held no more.
    bool no_wait;                    // Of leader_prepare: a lock that is not to be had at once is 40001.
};
struct status leader_commit(struct task *task, void *arg);
// Takes the locks of all writes: the first step of a multi-slice commit. Nobody who has prepared
// waits for a lock, because a reader may be waiting for the prepared write while it holds that
// lock.
struct status leader_lock(struct task *task, void *arg);
// Validates and logs a prepare entry. Locks stay until leader_resolve.
struct status leader_prepare(struct task *task, void *arg);
// Takes writes of a transaction that goes on; `payload` is one ENTRY_STAGE. Checked writes are validated here. Locks on
// the keys are let go: what is staged is locked.
struct status leader_stage(struct task *task, void *arg);
// Validates and prepares what it has staged here; `payload` is one ENTRY_SEAL, there are no `writes`. 40001 when that was
// dropped meanwhile.
struct status leader_seal(struct task *task, void *arg);

// The second validation of a multi-slice transaction: nothing that it read here changed since its
// prepare (or, where it wrote nothing, since call.read_ts), and later commits will be above `to`.
struct leader_validate {
    struct leader_call call;
    const struct read_entry *reads;
    uint32_t read_count;
    const struct held_key *held; // As in struct leader_commit.
    uint32_t held_count;
    uint64_t mark, epoch;
    bool prepared;
    struct hlc_timestamp to;
};
struct status leader_validate(struct task *task, void *arg);

// Writes the fate of transaction call.owner.txn down: committed at call.read_ts, or aborted; or ends
// its record. What was written first stands: 40001 when that says aborted and this says committed.
// A staged record (see ENTRY_RECORD) names all participants; over it goes only what is marked so.
struct leader_record_put {
    struct leader_call call;
    bool commit, end;
    bool staged, over;
    const uint64_t *slices;
    uint32_t slice_count;
};
struct status leader_record_put(struct task *task, void *arg);
struct leader_record_get {
    struct leader_call call;
    bool found, commit, staged;  // Answers.
    struct hlc_timestamp ts;
    uint64_t *slices;            // Its participants, when it is not an abort; in call.arena or the reply's.
    uint32_t slice_count;
};
struct status leader_record_get(struct task *task, void *arg);
// Of a participant of a staged transaction whose client is gone: whether it is prepared here (at `ts`). If not, it never
// will be. `over`: its record is here.
struct leader_give_up {
    struct leader_call call;
    bool over;
    bool prepared; // Answers.
    struct hlc_timestamp ts;
};
struct status leader_give_up(struct task *task, void *arg);
// Prepared writes become versions at call.read_ts, or are dropped; then the transaction's locks go.
struct leader_resolve {
    struct leader_call call;
    bool commit;
    bool keep_locks; // They are needed for the next attempt.
};
struct status leader_resolve(struct task *task, void *arg);

// Releases the transaction's locks in the slice. Does not suspend and cannot fail: a leader that
// cannot be reached drops them when it finds the transaction gone. Only those that were first taken at levels within
// [from, to]; all of them: 0, UINT32_MAX.
void leader_release(
    struct shard *shard, uint64_t slice, uint64_t txn, uint32_t from, uint32_t to);
struct leader_release {
    struct leader_call call; // Of the owner alone.
    uint32_t from, to;
};
struct status leader_release_here(struct task *task, void *arg);

// --- where leaders are ---------------------------------------------------------------------------

struct rpc_target;

// Tells where slices are, in a cluster of several nodes. Functions run on any shard and do not
// suspend.
struct leader_directory {
    // The one that is thought to lead; false when that is not known.
    bool (*leader)(struct shard *shard, uint64_t slice, struct rpc_target *where);
    // Its replica on the node; false when the node is not known.
    bool (*replica)(struct shard *shard, uint64_t slice, uint32_t node, struct rpc_target *where);
    // The next node to ask after `node` (0: any), when that did not answer; 0: nobody is known.
    uint32_t (*next)(struct shard *shard, uint64_t slice, uint32_t node);
    // Tests: requests take their encoded form also within this node.
    bool encodes_all;
};
extern const struct leader_directory leader_directory_cluster; // What kv/cluster.h tells.
// Where the slice is led, as far as is known here: for figures and placing, not for requests.
bool leader_where(struct shard *shard, uint64_t slice, struct rpc_target *where);
// Ids of all slices that are known, in `arena`.
void leader_slices(struct shard *shard, struct arena *arena, uint64_t **slices, uint32_t *count);
// For the shard's requests. NULL: all slices are on this node. It stays the caller's.
void leader_directory_set(struct shard *shard, const struct leader_directory *directory);

// The slice, for who serves a request here. May suspend, until the lease holds.
CHECKED struct status leader_slice(
    struct task *task, const struct leader_call *call, struct slice **slice);
// Runs the request here: its slice stays meanwhile, and K_NOT_LEADER says who leads.
CHECKED struct status leader_run(
    struct task *task, struct leader_call *call, enum leader_kind kind);
// 42501 unless all of the key or span is the tenant's. Tenant 0 is storage itself, for the
// cluster's own span.
CHECKED struct status leader_check_key(uint64_t tenant, struct bytes key);
CHECKED struct status leader_check_span(uint64_t tenant, struct span span);
