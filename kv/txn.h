// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a transaction is, for the files that make up the KV client: kv/txn.c (life),
// kv/client_read.c, kv/client_scan.c, kv/client_write.c, kv/commit.c (one slice) and
// kv/commit_multi.c (several). The layers above see kv/client.h only.
//
// Shard    The shard that began it.
// Memory   A transaction comes from its shard's pool; all that it gathers lives in its arena.
#pragma once
#include "kv/client.h"
#include "kv/kv_node.h"
#include "kv/leader.h"
#include "kv/read_set.h"
#include "kv/router.h"
#include "kv/write_buffer.h"

// Bytes of buffered writes that still fit a log entry with its framing.
#define TXN_WRITE_BYTES_MAX (ENTRY_BYTES_MAX - (16u << 20))
// Beyond this many locks inserts are no longer locked; a race then ends in 40001 instead of a wait.
#define TXN_INSERT_LOCKS_MAX 100000u

struct kv_txn {
    struct kv_txn *next_free;
    struct list_link link; // In client.live.
    struct shard *shard;
    uint64_t id;
    uint64_t age_ns;
    uint64_t tenant;
    uint64_t lock_timeout_ns;
    struct hlc_timestamp read_ts;
    struct hlc_timestamp uncertain; // Another node's clock may have been there when it began.
    struct leader_seen seen;
    bool read_only;
    bool in_past;           // Reads as of an instant that is over.
    bool weak;              // Reads are not noted.
    bool doomed;            // Gave 40001.
    struct arena arena;
    struct write_buffer writes;
    struct read_set reads;
    uint64_t *locked_slices;
    uint32_t locked_count, locked_capacity;
    uint64_t lock_count;
    struct hlc_timestamp unlocked_ts; // Of the first insert that took no lock; zero: all did.
    struct kv_txn_stats stats;
};

#define CLIENT_REFUSED_MAX 256u

// What the client keeps once a shard.
struct client {
    struct kv_txn *free;
    uint32_t free_count;
    uint64_t last_id;
    uint64_t live_count;
    struct list_link live;
    struct list_link commits; // Of other nodes' clients, under way here: struct leader_guard.
    uint64_t refused[CLIENT_REFUSED_MAX]; // Of them, those that failed when asked for again.
    uint64_t refused_count;
    uint64_t resolving; // Multi-slice transactions ended but not resolved everywhere.
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
    return !txn->weak && (!txn->read_only || !hlc_is_zero(txn->uncertain));
}
// Fills in what each request of the transaction says.
void txn_call_init(struct kv_txn *txn, struct task *task, struct leader_call *call);
// Remembers that locks may be held there from now on: to be released at the end.
void txn_note_locks(struct kv_txn *txn, uint64_t slice);
// Takes figures out of an answer.
void txn_count(struct kv_txn *txn, const struct leader_call *call);
// Notes 40001 in the transaction and returns `st`.
struct status txn_outcome(struct kv_txn *txn, struct status st);
// 40001 again when it is doomed; 25006 for a write in a read-only one.
CHECKED struct status txn_check(const struct kv_txn *txn, bool writes);
// Moves the snapshot to `to` or later. 40001 when something that was read has changed.
CHECKED struct status txn_move(struct task *task, struct kv_txn *txn, struct hlc_timestamp to);
// Buffers a put after checking it. `checked` as in struct write_node.
CHECKED struct status txn_put(
    struct kv_txn *txn, struct bytes key, struct bytes value, bool checked);
// Releases all locks, frees the transaction. Does not suspend.
void txn_end(struct kv_txn *txn);
void txn_release_locks(struct kv_txn *txn);

// --- a transaction's reads and writes by slice ---------------------------------------------------

struct txn_part {
    uint64_t slice;
    const struct write_node **writes;
    uint32_t write_count, write_capacity;
    struct read_entry *reads;
    uint32_t read_count, read_capacity;
};
struct txn_parts {
    struct arena *arena;
    struct txn_part *parts;
    uint32_t count, capacity;
};
// In the arena given. Looks routes up; suspends when one is not cached.
CHECKED struct status txn_parts_reads(
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
extern const struct kv_module commit_multi_module;
void commit_request_init(struct kv_txn *txn, struct task *task, const struct txn_part *part,
    struct leader_commit *commit);
// The log entry payload of a part's writes, in the transaction's arena, its timestamp left open.
// `record_slice` 0: committed writes, otherwise prepared ones. Yields.
CHECKED struct status commit_payload(struct task *task, struct kv_txn *txn,
    const struct txn_part *part, uint64_t record_slice, struct bytes *payload);
