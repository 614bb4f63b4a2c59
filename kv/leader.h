// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a slice's leader does for clients: reads, locks, validation, commits. One struct a kind of
// request; the client fills it in, leader_call takes it to the slice's shard (a direct call on the
// own one) and its answers are in the struct when that returns.
//
// The leader trusts nothing that decides: each request names its tenant, and each key and span is
// checked against that tenant's span (42501) and against the ranges that the slice serves
// (K_WRONG_RANGE).
//
// Shard    leader_call runs on the client's shard, the leader_* functions on the slice's.
// Memory   A request and everything it points to is lent by the caller until leader_call returns:
//          the caller sleeps meanwhile. Answers are made in request->call.arena: on the own shard
//          that is the caller's arena; for another shard it is request->call.reply, an unaccounted
//          arena that the leader fills and the caller takes over with the answer: leader_reply_take
//          copies out of it, leader_reply_end frees it. No arena is ever used by two shards at
//          once.
// Errors   K_WRONG_RANGE (look the route up again), K_MOVED (the read timestamp must move to
//          call->moved_to, then ask again), and those of kv/client.h.
// Checked  tests/unit/kv/test_leader.c forges keys of other tenants in every kind of request.
#pragma once
#include "core/task.h"
#include "kv/client.h"
#include "kv/kv_node.h"
#include "kv/lock.h"
#include "kv/read_set.h"
#include "kv/slice.h"
#include "kv/write_buffer.h"

struct leader_call {
    uint64_t slice;
    uint64_t tenant;
    struct hlc_timestamp read_ts;
    struct lock_owner_id owner;
    uint64_t lock_deadline_ns;     // Monotonic; 0: none.
    struct arena *arena;           // Where answers go.
    struct arena reply;            // Used when the leader is on another shard.
    bool remote;
    // Answers of all kinds.
    // Not zero: what was read under lock is as of this, above read_ts.
    struct hlc_timestamp moved_to;
    uint64_t lock_wait_ns;
    uint64_t locks_taken;
};

// Runs `fn` on the leader's shard. Each request has its struct leader_call first.
CHECKED struct status leader_call(
    struct task *task, struct leader_call *call, struct arena *arena, task_fn fn);
// Makes ready for leader_call_many, which is shard_call_many: the status of each is in its item.
void leader_call_prepare(struct task *task, struct leader_call *call, struct arena *arena,
    task_fn fn, struct shard_call_item *item);
// `bytes` of an answer as the caller may keep it: copied when it came from another shard.
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
    struct hlc_timestamp checked_ts; // Writes marked `checked` have no version above it.
    struct bytes payload;            // The log entry, its timestamp left open.
    struct hlc_timestamp commit_ts;  // Answer.
    // Of a multi-slice transaction's part (kv/commit_multi.c).
    uint64_t mark;                   // Answer: for leader_validate.
};
struct status leader_commit(struct task *task, void *arg);
// Takes the locks of all writes: the first step of a multi-slice commit. Nobody who has prepared
// waits for a lock, because a reader may be waiting for the prepared write while it holds that
// lock.
struct status leader_lock(struct task *task, void *arg);
// Validates and logs a prepare entry. Locks stay until leader_resolve.
struct status leader_prepare(struct task *task, void *arg);

// The second validation of a multi-slice transaction: nothing that it read here changed since its
// prepare (or, where it wrote nothing, since call.read_ts), and later commits will be above `to`.
struct leader_validate {
    struct leader_call call;
    const struct read_entry *reads;
    uint32_t read_count;
    uint64_t mark;
    bool prepared;
    struct hlc_timestamp to;
};
struct status leader_validate(struct task *task, void *arg);

// Any entry of a multi-slice transaction's end: its record, the record's end.
struct leader_propose {
    struct leader_call call;
    struct bytes payload;
};
struct status leader_propose(struct task *task, void *arg);
// Prepared writes become versions at call.read_ts, or are dropped; then the transaction's locks go.
struct leader_resolve {
    struct leader_call call;
    bool commit;
};
struct status leader_resolve(struct task *task, void *arg);

// Releases the transaction's locks in the slice. Does not suspend and cannot fail.
void leader_release(struct shard *shard, uint64_t slice, uint64_t txn);

// 42501 unless all of the key or span is the tenant's. Tenant 0 is storage itself, for the
// cluster's own span.
CHECKED struct status leader_check_key(uint64_t tenant, struct bytes key);
CHECKED struct status leader_check_span(uint64_t tenant, struct span span);
