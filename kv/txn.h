// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a transaction is, for the files that make up the KV client: kv/txn.c (life),
// kv/client_read.c, kv/client_scan.c, kv/client_write.c, kv/commit.c (one slice) and
// kv/commit_multi.c (several). The layers above see kv/client.h only.
//
// Shard    The shard that began it.
// Memory   A transaction comes from its shard's pool; all that it gathers lives in its arena.
#pragma once
#include "core/hash.h"
#include "kv/client.h"
#include "kv/kv_node.h"
#include "kv/leader.h"
#include "kv/read_set.h"
#include "kv/reliance.h"
#include "kv/router.h"
#include "kv/staged.h"
#include "kv/write_buffer.h"

// Memory of buffered writes beyond which they are staged. One value may be larger: it is staged before the next write.
#define TXN_BUFFER_BYTES (16u << 20)
// From the first time on: what fits a processor's cache is looked at twice for less, and nothing is gained by waiting.
#define TXN_BUFFER_NEXT_BYTES (2u << 20)
// One request that stages. The next one waits until it is durable, so it is large; with a part's header it is one record.
#define TXN_STAGE_ROWS 8192u
#define TXN_STAGE_BYTES (768u << 10)
// Beyond this many locks rows are no longer locked when they are read to be written; a race then ends in 40001 instead
// of a wait. Inserts many at a time take none from the second number on: a load would fill the table, and look for its
// locks all over it. What is staged needs no locks in memory.
#define TXN_LOCKS_MAX 100000u
#define TXN_LOCKS_INSERT_MAX 8192u
// Beyond this many what is locked is validated, too, where reads are not (READ COMMITTED); and of a transaction that
// does not write all that it has read is, because which of it was locked is not known any more.
#define TXN_HELD_MAX 4096u
// Beyond this many what is found under a lock is validated although the lock alone would do (kv_read.no_validate): the rest
// is for what can rest on nothing else.
#define TXN_HELD_FOUND_MAX (TXN_HELD_MAX / 2)
// A commit over several slices whose keys are known to be locked need not lock them first.
#define TXN_LOCKS_KNOWN 32u

// What it has staged in one slice.
struct txn_stage {
    uint64_t slice;
    uint64_t sequence; // Requests so far.
};

// What it has read of caches, as of the snapshot `from`, and who hears of changes to it.
struct txn_relied {
    struct reliance *on; // NULL: nothing.
    uint64_t generation;
    struct hlc_timestamp from;
    struct read_set keys;
    struct list_link link;      // While it commits relying on them,
    struct hlc_timestamp until; // at most at this,
    bool spread;                // and has been sent to several slices.
};

struct kv_txn {
    struct kv_txn *next_free;
    struct list_link link; // In client.live.
    struct shard *shard;
    uint64_t id;      // Of this attempt to commit; the same as below until one is begun anew.
    uint64_t lock_id; // Its locks are under this from begin to end.
    uint64_t age_ns;
    uint64_t tenant;
    uint64_t lock_timeout_ns;
    struct hlc_timestamp read_ts;
    struct hlc_timestamp uncertain; // Another node's clock may have been there when it began.
    struct leader_seen seen;
    bool read_only;
    bool in_past;           // Reads as of an instant that is over.
    bool from_leaders;      // As of it, too.
    bool weak;              // Reads are not noted.
    bool doomed;            // Gave 40001.
    struct arena arena;
    struct arena write_arena; // Of the buffer alone: staging empties it. Reads copy out of it.
    struct write_buffer writes;
    uint64_t buffer_bytes_max;
    struct txn_stage *stages; // The first one's slice has the record.
    uint32_t stage_count, stage_capacity;
    uint64_t staged_epochs;   // Writes of epochs below it are staged, all that are in no later buffer.
    uint64_t staged_attempt;  // Of epochs below it some may be.
    uint64_t staged_bytes;
    struct staged_view view;  // Of what is staged.
    struct staged_hidden *hidden;
    uint32_t hidden_capacity;
    struct read_set reads;
    struct read_set step_reads; // Of the statement under way, while `reads` are not noted: its snapshot stays one.
    struct txn_relied relied;
    struct hlc_timestamp commit_after, commit_until; // kv_txn_commit_within.
    struct held_set held;   // Keys that were locked while reads were not noted: no more than TXN_HELD_MAX.
    struct held_set locked; // Other keys that were locked: as many, asked about unless they are written.
    bool locked_more;       // There were too many.
    uint32_t lock_level;    // Grows with each savepoint, and when one is rolled back to.
    uint64_t *locked_slices;
    uint32_t locked_count, locked_capacity;
    uint64_t lock_count;
    uint64_t lock_hashes[TXN_LOCKS_KNOWN]; // Of keys that it has locked for writing, as far as there is room.
    uint32_t lock_hash_count;
    struct hlc_timestamp unlocked_ts; // Of the first insert that took no lock; zero: all did.
    struct kv_txn_stats stats;
};

#define CLIENT_REFUSED_MAX 256u
#define CLIENT_COMMIT_LISTS 64u

// What the client keeps once a shard.
struct client {
    struct kv_txn *free;
    uint32_t free_count;
    uint64_t last_id;
    uint64_t live_count;
    struct list_link live;
    struct list_link commits[CLIENT_COMMIT_LISTS]; // Of other nodes' clients, under way here, by transaction: struct leader_guard.
    uint64_t refused[CLIENT_REFUSED_MAX]; // Of them, those that failed when asked for again.
    uint64_t refused_count;
    uint64_t relying;   // Commits under way that rely on what was told to this shard.
    uint64_t resolving; // Multi-slice transactions ended but not resolved everywhere.
    struct list_link fates; // Of those, commit_multi.c's.
    struct router router;
    const struct leader_directory *directory; // NULL: all slices are on this node.
    uint32_t *leaders;     // By slice, the node that answered last; 0: unknown.
    uint32_t leader_count;
    uint64_t patience_end_ns; // Storage stops: nobody waits for a leader any longer than this.
};
static inline struct client *client_of(struct task *task)
{
    return kv_shard_of(task->shard)->module_state[KV_SLOT_CLIENT];
}
extern const struct kv_module client_module;

// A new id: unique in the cluster, also over restarts. It says who began the transaction.
uint64_t client_txn_id(struct shard *shard);
#define CLIENT_TXN_NODE_BITS 10u
#define CLIENT_TXN_SHARD_BITS 8u
#define CLIENT_TXN_COUNT_BITS (64u - CLIENT_TXN_NODE_BITS - CLIENT_TXN_SHARD_BITS)
static inline uint32_t client_node_bits(uint32_t node)
{
    return node & ((1u << CLIENT_TXN_NODE_BITS) - 1);
}
static inline uint32_t client_txn_node(uint64_t txn)
{
    return (uint32_t)(txn >> (64 - CLIENT_TXN_NODE_BITS));
}
static inline uint32_t client_txn_shard(uint64_t txn)
{
    return (uint32_t)(txn >> CLIENT_TXN_COUNT_BITS) & ((1u << CLIENT_TXN_SHARD_BITS) - 1);
}
// Whether it was begun here and has not ended.
bool client_txn_runs(struct shard *shard, uint64_t txn);

// Who writes validates what was read; whose snapshot may move, too.
static inline bool txn_notes_reads(const struct kv_txn *txn)
{
    return txn->weak ? !hlc_is_zero(txn->uncertain)
                     : !txn->read_only || !hlc_is_zero(txn->uncertain);
}
// Where they are noted.
static inline struct read_set *txn_noted(struct kv_txn *txn)
{
    return txn->weak ? &txn->step_reads : &txn->reads;
}
// The key was locked; `since` as in struct leader_call. Who does not validate what was read under a lock must find it in
// force at the commit, and who writes nothing must, too: it may have gone with an earlier leader.
void txn_note_lock(struct kv_txn *txn, struct bytes key, enum kv_lock mode, uint64_t since);
// The same, and the lock alone says that what was read is the newest.
void txn_note_held(struct kv_txn *txn, struct bytes key, enum kv_lock mode, uint64_t since);
// What was locked by a transaction that writes nothing must still be. 40001.
CHECKED struct status txn_check_locks(struct task *task, struct kv_txn *txn);
// Fills in what each request of the transaction says; it goes to `slice`.
void txn_call_init(
    struct kv_txn *txn, struct task *task, uint64_t slice, struct leader_call *call);
// After it, for reads as of a mark: kv_txn_mark. What the call then holds lies in the arena.
void txn_call_mark(
    struct kv_txn *txn, uint64_t mark, struct arena *arena, struct leader_call *call);
// Own writes of this epoch and later ones are not for this read.
static inline uint64_t txn_mark_epoch(const struct kv_read *read)
{
    return read->mark == 0 ? UINT64_MAX : read->mark;
}
// Remembers that locks may be held there from now on: to be released at the end.
void txn_note_locks(struct kv_txn *txn, uint64_t slice);
// The slice's leader has let go of them: a release of their own would be a call for nothing.
void txn_locks_gone(struct kv_txn *txn, uint64_t slice);
// A key's hash, the last bit of which says whether it is locked for deleting it, too.
static inline uint64_t txn_lock_hash(struct bytes key, enum kv_lock mode)
{
    return (hash_bytes(key) & ~UINT64_C(1)) | (mode == KV_LOCK_UPDATE);
}
// The key is locked in that mode; and whether it is known to be in the one that the write needs.
static inline void txn_lock_known(struct kv_txn *txn, struct bytes key, enum kv_lock mode)
{
    if (mode < KV_LOCK_NO_KEY_UPDATE || txn->lock_hash_count == TXN_LOCKS_KNOWN) return;
    txn->lock_hashes[txn->lock_hash_count++] = txn_lock_hash(key, mode);
}
bool txn_lock_is_known(const struct kv_txn *txn, const struct write_node *write);
// Takes figures out of an answer.
void txn_count(struct kv_txn *txn, const struct leader_call *call);
// Notes 40001 in the transaction and returns `st`.
struct status txn_outcome(struct kv_txn *txn, struct status st);
// 40001 again when it is doomed; 25006 for a write in a read-only one.
CHECKED struct status txn_check(const struct kv_txn *txn, bool writes);
// Moves the snapshot to `to` or later. 40001 when something that was read has changed.
CHECKED struct status txn_move(struct task *task, struct kv_txn *txn, struct hlc_timestamp to);
// The same, but not beyond `to`.
CHECKED struct status txn_move_to(struct task *task, struct kv_txn *txn, struct hlc_timestamp to);
// Whether none of the keys has changed between `from` and the snapshot. 40001.
CHECKED struct status txn_unchanged(
    struct task *task, struct kv_txn *txn, struct read_set *keys, struct hlc_timestamp from);
// Of a transaction that has neither read nor written: its snapshot is an earlier one, of which the caller knows what it
// depends on.
void txn_back_to(struct kv_txn *txn, struct hlc_timestamp ts);
// Buffers a put after checking it; may stage what is buffered first. `checked` as in struct write_node.
CHECKED struct status txn_put(
    struct task *task, struct kv_txn *txn, struct bytes key, struct bytes value, bool checked);
// Whether the write buffer has to be staged before `more` bytes go into it.
bool txn_buffer_full(const struct kv_txn *txn, size_t more);
// Stages all that is buffered. After a failure some of it may be: it stays in the buffer. Suspends.
CHECKED struct status txn_stage(struct task *task, struct kv_txn *txn);
struct txn_stage *txn_stage_get(struct kv_txn *txn, uint64_t slice);
// How a row is read that shall be locked: see TXN_LOCKS_MAX. *note: it has to be noted even where reads are not.
static inline struct kv_read txn_read_mode(
    const struct kv_txn *txn, const struct kv_read *read, bool *note)
{
    struct kv_read mode = *read;
    *note = read->lock != KV_LOCK_NONE && read->wait == KV_WAIT_BLOCK &&
        txn->lock_count >= TXN_LOCKS_MAX;
    if (*note) {
        mode.lock = KV_LOCK_NONE;
        mode.no_validate = false;
    }
    return mode;
}
// The next attempt to commit is under another id: what is still under way of this one, which is over, finds nothing to join.
static inline void txn_attempt_anew(struct kv_txn *txn)
{
    txn->id = client_txn_id(txn->shard);
    txn->lock_hash_count = 0;
}
// Releases all locks, drops what is staged, frees the transaction. Does not suspend.
void txn_end(struct kv_txn *txn);
void txn_release_locks(struct kv_txn *txn);

// --- a transaction's reads and writes by slice ---------------------------------------------------

struct txn_part {
    uint64_t slice;
    const struct write_node **writes;
    uint32_t write_count, write_capacity;
    struct read_entry *reads;
    uint32_t read_count, read_capacity;
    struct held_key *held; // Keys whose locks have to be in force.
    uint32_t held_count, held_capacity;
    const struct txn_stage *stage; // Its writes are staged.
};
struct txn_parts {
    struct arena *arena;
    struct txn_part *parts;
    uint32_t count, capacity;
};
// In the arena given. Looks routes up; suspends when one is not cached.
CHECKED struct status txn_parts_reads(
    struct task *task, struct kv_txn *txn, struct txn_parts *parts);
CHECKED struct status txn_parts_held(
    struct task *task, struct kv_txn *txn, struct txn_parts *parts);
CHECKED struct status txn_parts_writes(
    struct task *task, struct kv_txn *txn, struct txn_parts *parts);
struct txn_part *txn_parts_get(struct txn_parts *parts, uint64_t slice);

// All reads and writes in one slice: one request, one log entry.
CHECKED struct status commit_one(struct task *task, struct kv_txn *txn, const struct txn_part *part,
    struct hlc_timestamp *commit_ts);
// Writes in several slices, or reads outside of the one written to. Ends as kv_txn_commit does,
// except that the transaction is not freed.
CHECKED struct status commit_multi(struct task *task, struct kv_txn *txn, struct txn_parts *parts,
    struct hlc_timestamp *commit_ts);
// Whose writes are staged, in however many slices; stages the rest first. As commit_multi.
CHECKED struct status commit_staged(
    struct task *task, struct kv_txn *txn, struct hlc_timestamp *commit_ts);
// LEADER_RECORD_GET, its answer in the task's arena.
CHECKED struct status leader_record_look(struct task *task, struct leader_record_get *get);
// What became of a transaction whose record is staged: decides it. For who meets it when its client is gone.
CHECKED struct status commit_recover(
    struct task *task, uint64_t txn, uint64_t record_slice, const struct leader_record_get *get);
// Drops what it has staged, in the background. Does not suspend.
void commit_abandon(struct kv_txn *txn);
extern const struct kv_module commit_multi_module;
void commit_request_init(struct kv_txn *txn, struct task *task, const struct txn_part *part,
    struct leader_commit *commit);
// The log entry payload of a part's writes, in the transaction's arena, its timestamp left open.
// `record_slice` 0: committed writes, otherwise prepared ones. Yields.
CHECKED struct status commit_payload(struct task *task, struct kv_txn *txn,
    const struct txn_part *part, uint64_t record_slice, struct bytes *payload);
