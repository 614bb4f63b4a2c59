// SPDX-License-Identifier: GPL-3.0-or-later
//
// A slice's lock table: which transaction holds which key, and who waits for it, first come first
// served.
//
// Locks are in the leader's memory only. They make conflicting transactions queue instead of abort;
// that what was read is still true is checked again at commit (kv/validate.h), and who relies on a lock
// instead asks then whether it was held all along (lock_held_since), so losing the table loses nothing
// but time. An orderly change of leader takes them along (kv/lock_carry.h). What somebody waits for is
// held until its owner releases it: an edge of the deadlock detector (kv/deadlock.h) is wrong only about who has done so since.
//
// Shard    The slice leader's.
// Time     Deadlines are monotonic ns (task_now_ns).
// Memory   Locks, holds and owners come from pools of the table, bounded by LOCK_COUNT_MAX (53200).
//          A waiter is embedded in the waiting task's frame.
// Errors   55P03 (KV_WAIT_FAIL, or the deadline passed), 40001 (chosen to end a deadlock), 57014,
//          53200, 53300 (core/linger.h).
// Checked  tests/unit/kv/test_txn_locks.c.
#pragma once
#include "core/bytes.h"
#include "core/shard.h"
#include "core/task.h"
#include "kv/client.h"

#define LOCK_COUNT_MAX (1u << 20) // In one table.
#define LOCK_KEY_INLINE 72u

struct lock;
struct lock_hold;
struct lock_table;

// Who asks. `age_ns` is when the transaction first began: on a deadlock the youngest of the cycle
// gives way.
struct lock_owner_id {
    uint64_t txn;
    uint64_t age_ns;
};

struct lock_waiter {
    struct lock_table *table;
    struct lock *lock;
    struct lock_owner_id owner;
    enum kv_lock mode;
    uint32_t level;
    bool granted;
    uint64_t since;          // When granted: as in struct lock_answer.
    bool reported;           // The deadlock detector knows of this wait.
    uint64_t wait_id;        // Unique in the table.
    uint64_t started_ns;
    struct wait_queue queue; // The one task.
    struct lock_waiter *previous, *next;             // In the lock's line.
    struct lock_waiter *table_previous, *table_next; // In the table.
    struct timer timer;      // Reports to the deadlock detector when it fires.
};

struct lock_pool {
    void *free;
    void *chunks;
    size_t item_size;
};

struct lock_table {
    struct shard *shard;
    // Called when a wait has lasted LOCK_REPORT_NS and again while it lasts, and when a reported
    // wait has ended. Either may be NULL (unit tests).
    void (*blocked)(struct lock_waiter *waiter);
    void (*unblocked)(struct lock_waiter *waiter);
    void *arg;
    struct lock **locks; // By hash of key.
    uint64_t lock_buckets, lock_count;
    struct lock_owner **owners; // By hash of txn.
    uint64_t owner_buckets, owner_count;
    uint64_t hold_count; // Of all owners.
    struct lock_pool lock_pool, hold_pool, owner_pool;
    struct lock_waiter *waiters; // Of all locks.
    uint32_t waiter_count;
    uint64_t wait_id_last;
    // What locks given from now on are held since: a slice, and a number that grows at each moment at which locks of it
    // may have been lost, through all its leaders. Never 0. See lock_since.
    uint64_t since;
};

#define LOCK_REPORT_NS 2000000u        // 2 ms: most waits are over by then.
#define LOCK_REPORT_AGAIN_NS 50000000u // Edges change while others give up.
#define LOCK_REPORT_TOGETHER 64u       // So many of a table's waiters in that time: with more of them each reports less often,
#define LOCK_REPORT_AGAIN_MAX_NS 1500000000u // but in time for the graph to remember it.

CHECKED struct status lock_table_init(struct lock_table *table, struct shard *shard);
// An invariant: nobody waits.
void lock_table_fini(struct lock_table *table);

// PostgreSQL's table.
bool lock_modes_conflict(enum kv_lock one, enum kv_lock other);

struct lock_request {
    struct lock_owner_id owner;
    enum kv_lock mode;
    enum kv_wait wait;
    uint64_t deadline_ns; // 0: none.
    uint32_t level;       // See lock_release_levels.
};
struct lock_answer {
    bool skipped;       // Another holds it, and the request does not wait.
    bool suspended;     // What the caller knew before is a rumour.
    uint64_t since;     // The table's when it was given, as lock_held_since wants it. 0: skipped.
    uint64_t waited_ns;
};

// Takes the lock, waiting in line if it must. Locks already held are success. Suspends.
CHECKED struct status lock_acquire(struct task *task, struct lock_table *table,
    const struct lock_request *request, struct bytes key, struct lock_answer *answer);
// Takes it only if that needs no waiting. False: another holds it or is before us.
CHECKED struct status lock_try(struct lock_table *table, const struct lock_request *request,
    struct bytes key, bool *granted);
// Whether a transaction other than `txn` holds the key in a mode that forbids `mode` to it, or waits for the key.
bool lock_taken_by_other(
    const struct lock_table *table, uint64_t txn, struct bytes key, enum kv_lock mode);
// How many locks others than `txn` hold or wait for.
uint64_t lock_count_of_others(const struct lock_table *table, uint64_t txn);
// The same for any key that `wanted` has a mode for: asks it for each of those locks, whatever `txn` holds itself. For who has
// more keys than others have locks.
bool lock_taken_by_other_any(const struct lock_table *table, uint64_t txn,
    enum kv_lock (*wanted)(const void *arg, struct bytes key), const void *arg);
bool lock_holds(const struct lock_table *table, uint64_t txn, struct bytes key, enum kv_lock mode);
// The first of the slice's leader of that term.
uint64_t lock_since(uint64_t slice, uint64_t term);
// Whether the transaction holds the key, in that mode or a stronger one, and has never ceased to since it was told `since`,
// here or where the lock came from; 0: it has only to hold it now.
bool lock_held_since(const struct lock_table *table, uint64_t txn, struct bytes key,
    enum kv_lock mode, uint64_t since);
uint64_t lock_held_count(const struct lock_table *table, uint64_t txn);
// Some of those that hold locks, from a place in the table that `turn` says; how many. At most `max`.
uint32_t lock_owners(const struct lock_table *table, uint64_t turn, uint64_t *txns, uint32_t max);
// Releases everything that `txn` holds and wakes who is next in each line.
void lock_release_all(struct lock_table *table, uint64_t txn);
// The same for what it first took at a level within [from, to]; what it took in a stronger mode there, it goes on to hold in
// the mode that it had before.
// A release that is late takes away what was asked for again at a later level: whoever relies on that finds it out.
void lock_release_levels(struct lock_table *table, uint64_t txn, uint32_t from, uint32_t to);
// Releases all of a transaction that is thought to have ended. Should it not have, it finds that out: lock_held_since.
void lock_release_lost(struct lock_table *table, uint64_t txn);

// Releases one key, unless somebody waits for it: for whom something else guards it from now on (staged writes, which
// are looked at before a lock is given). Whether it did.
bool lock_release_unawaited(struct lock_table *table, uint64_t txn, struct bytes key);

// How many locks in the span are held, and a number that is another one when others are.
uint64_t lock_count_in(const struct lock_table *table, struct span span, uint64_t *who);
// Locks that go elsewhere with their keys: those in the span are forgotten, whoever waits for one ends with `st`. At most
// `max` of what was held is told, in `arena`. Does not suspend.
struct lock_taken {
    struct bytes key;
    struct lock_owner_id owner;
    enum kv_lock mode;
    // For each mode up to `mode`, from KV_LOCK_KEY_SHARE on.
    uint32_t levels[KV_LOCK_MODES];
    uint64_t since[KV_LOCK_MODES];
};
void lock_span_take(struct lock_table *table, struct span span, struct status st,
    struct arena *arena, uint32_t max, struct lock_taken **taken, uint32_t *count);

// What is held, one after the other: *place is 0 at first, and the table must not change meanwhile. The key is the table's.
bool lock_next_held(const struct lock_table *table, uint64_t *place, struct lock_taken *held);
// Gives the lock to whom it was taken from elsewhere, unless another has it. Whether it did.
bool lock_give(struct lock_table *table, const struct lock_taken *taken);

// Ends all waits with `st` and forgets all locks: the slice is led elsewhere from here on. Does not suspend.
void lock_table_drop(struct lock_table *table, struct status st);

// Ends the wait `wait_id` with `st`, if it still lasts: the deadlock detector's verdict.
void lock_wait_fail(struct lock_table *table, uint64_t wait_id, struct status st);
// What it waits for, until the next suspension; data NULL: its table was dropped.
struct bytes lock_waiter_key(const struct lock_waiter *waiter);
// Whom the waiter waits for now: holders in its way and the one ahead of it in line. At most `max`.
uint32_t lock_waits_for(
    const struct lock_waiter *waiter, struct lock_owner_id *owners, uint32_t max);
