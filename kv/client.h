// SPDX-License-Identifier: GPL-3.0-or-later
//
// The KV client: what the layers above see of storage. Ordered keys and values, in serializable
// transactions, wherever the keys live: on this shard, another, or another node.
//
// A transaction reads a snapshot at its read timestamp, overlaid with its own buffered writes. It
// notes what it read; COMMIT validates that nothing of it changed up to the commit timestamp. When
// it takes a lock on a row that is newer than its snapshot, the client first tries to move the
// snapshot forward (nothing read so far may have changed); only when that fails is the answer
// 40001.
//
// Tenants  Each transaction carries its tenant. The slice leader refuses any key outside of the
//          tenant's span with 42501, whoever asks; the tenant's keys are always written in full,
//          prefix included.
// Shard    A transaction belongs to the shard that began it. All functions that take a task
//          suspend.
// Memory   Results live in the arena given (or in the transaction's own, for overlay values): valid
//          until that arena is reset. Writes are copied; beyond 16 MiB they are staged (kv/staged.h).
// Errors   40001 (RETRY_TRANSACTION), 40003 (RETRY_AMBIGUOUS), 42501, 53100, 53200, 54000, 55P03
//          (NOWAIT), 57014, 57P01. After 40001 the transaction can only be rolled back or
//          restarted.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/hlc.h"
#include "core/task.h"

struct kv_txn;

// PostgreSQL's four (kv/lock.h says which exclude each other). Each excludes all that the ones before it do: who holds one
// holds those before it, too. A write that leaves its key in place needs KV_LOCK_NO_KEY_UPDATE, a deletion KV_LOCK_UPDATE;
// commits take what they need and have not got.
enum kv_lock {
    KV_LOCK_NONE,
    KV_LOCK_KEY_SHARE,     // The row stays, with its key: what refers to it needs no more.
    KV_LOCK_SHARE,         // It stays as it is.
    KV_LOCK_NO_KEY_UPDATE, // I alone change it, and leave its key.
    KV_LOCK_UPDATE,        // I alone have it.
};
#define KV_LOCK_MODES 4u
enum kv_wait { KV_WAIT_BLOCK, KV_WAIT_SKIP, KV_WAIT_FAIL };

struct kv_txn_options {
    uint64_t tenant;
    bool read_only;               // No writes or locks; needs no validation.
    struct hlc_timestamp as_of;   // Zero: now. Otherwise read-only at that instant.
    // Of the past, too, leaders alone are asked: what is ingested comes below the time that followers know closed.
    bool from_leaders;
    struct memory_account *account;
    uint64_t lock_timeout_ns;     // 0: none. 55P03 when it passes.
};

CHECKED struct status kv_txn_begin(
    struct task *task, const struct kv_txn_options *options, struct kv_txn **txn);
// Ends and frees the transaction, whatever the outcome. *commit_ts (may be NULL) is set when it
// wrote.
CHECKED struct status kv_txn_commit(
    struct task *task, struct kv_txn *txn, struct hlc_timestamp *commit_ts);
void kv_txn_rollback(struct task *task, struct kv_txn *txn);
// Starts over with a new snapshot, keeping its age for deadlock decisions: after 40001.
CHECKED struct status kv_txn_restart(struct task *task, struct kv_txn *txn);
// A new snapshot for the next statement (READ COMMITTED). What was noted so far (kv_txn_depend, reads
// before kv_txn_weaken) must not have changed up to it: 40001.
CHECKED struct status kv_txn_step(struct task *task, struct kv_txn *txn);
// Reads from here on are validated no more (`weak`), or are again: READ COMMITTED. Rows that are
// locked are read as they are then; inserts and writes conflict as ever.
void kv_txn_weaken(struct kv_txn *txn, bool weak);
bool kv_txn_is_weak(const struct kv_txn *txn);
// Whether reads that ask for a lock still take one: beyond a number of them what is read is validated instead.
bool kv_txn_locks_rows(const struct kv_txn *txn);
// Of waits from here on; 0: none.
void kv_txn_lock_timeout_set(struct kv_txn *txn, uint64_t timeout_ns);

struct hlc_timestamp kv_txn_read_ts(const struct kv_txn *txn);
uint64_t kv_txn_id(const struct kv_txn *txn);
uint64_t kv_txn_tenant(const struct kv_txn *txn);
bool kv_txn_has_writes(const struct kv_txn *txn);
uint64_t kv_txn_write_bytes(const struct kv_txn *txn);
// Figures of the transaction so far, for EXPLAIN ANALYZE and statistics.
struct kv_txn_stats {
    uint64_t requests, rows_read, bytes_read, rows_written;
    uint64_t lock_wait_ns;
};
const struct kv_txn_stats *kv_txn_stats(const struct kv_txn *txn);

// As if `key` had been read at the transaction's snapshot: a commit of it after that is a conflict.
// Does not suspend and reads nothing.
void kv_txn_depend(struct kv_txn *txn, struct bytes key);
// The same for a key whose changes are told to `reliance` first (kv/reliance.h), by who knows that it has not changed
// between the snapshot and now: most commits then need not ask its leader.
struct reliance;
void kv_txn_rely(struct kv_txn *txn, struct reliance *reliance, struct bytes key);
// The commit's timestamp is above `after`, and not above `until` (zero: no bound), or it fails with 40001.
void kv_txn_commit_within(struct kv_txn *txn, struct hlc_timestamp after, struct hlc_timestamp until);

// A mark in the write buffer. Rolling back to it takes later writes out; locks stay: kv_txn_unlock_to.
uint64_t kv_txn_savepoint(struct kv_txn *txn);
void kv_txn_rollback_to(struct kv_txn *txn, uint64_t savepoint);
// Locks taken after the mark are let go, and what was then locked in a stronger mode is held in the earlier one again. Only when nothing that
// was written or read since counts any more. Does not suspend: others may have to wait a moment longer.
struct kv_lock_mark {
    uint32_t level, held, locked, known;
    uint64_t count;
};
struct kv_lock_mark kv_txn_lock_mark(struct kv_txn *txn);
void kv_txn_unlock_to(struct kv_txn *txn, const struct kv_lock_mark *mark);
// For struct kv_read: reads that do not see what the transaction writes from here on.
uint64_t kv_txn_mark(struct kv_txn *txn);
// Whether the transaction has written the key since, and not rolled that back. *known false: it has staged writes since
// then, and keeps no record of theirs; compare what is read.
bool kv_txn_wrote_since(const struct kv_txn *txn, struct bytes key, uint64_t mark, bool *known);

// --- reads ---------------------------------------------------------------------------------------

struct kv_read {
    enum kv_lock lock;
    enum kv_wait wait;
    // Does not enter the read set: statistics, sequences' peeks. Of points with a lock: what is found is there at the commit
    // because the lock is held until then, whatever becomes of its value; what is not found is validated as ever.
    bool no_validate;
    uint64_t mark;    // Of kv_txn_mark: the transaction's own writes after it are not seen. 0: all are.
};

// value->data NULL: no such key. `read` may be NULL.
CHECKED struct status kv_get(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    struct bytes key, struct arena *arena, struct bytes *value);
// Several points in one request per slice. Keys in any order; values[i].data NULL where absent, or
// skipped[i] (may be NULL) set where KV_WAIT_SKIP passed over a locked row.
CHECKED struct status kv_get_many(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    const struct bytes *keys, uint32_t count, struct arena *arena, struct bytes *values,
    bool *skipped);

struct kv_pair {
    struct bytes key;
    struct bytes value;
};
struct kv_batch {
    struct kv_pair *pairs;
    uint32_t count;
};
// Takes rows as they lie in the store, where that is on this shard, and otherwise as they come: nothing is
// copied that it does not copy itself. `number` is the row's place in the batch; a row may be shown again
// under the same number when a request is repeated. Must not suspend; key and value are valid in the call.
struct kv_visitor {
    // NULL: rows are counted alone.
    struct status (*row)(struct kv_visitor *visitor, struct arena *arena, struct bytes key,
        struct bytes value, uint32_t number);
};
static inline CHECKED struct status kv_visit(struct kv_visitor *visitor, struct arena *arena,
    struct bytes key, struct bytes value, uint32_t number)
{
    if (visitor->row == NULL) return STATUS_OK;
    return visitor->row(visitor, arena, key, value, number);
}
struct kv_scan {
    struct span span;
    bool reverse;
    struct kv_read read;
    struct kv_visitor *visitor; // Then batches have a count alone. May be NULL.
    uint64_t limit;     // Rows in total; 0: all.
    // At most this many in one batch; 0: 1,024. Batches are also bounded by 1 MiB.
    uint32_t batch_rows;
    // The client's own.
    struct bytes resume;
    uint64_t returned;
    bool done;
};
// Fills in span and defaults; then call kv_scan_next until batch->count is 0.
void kv_scan_init(struct kv_scan *scan, struct span span);
// Only the rows returned so far enter the read set, plus the gap before them.
CHECKED struct status kv_scan_next(struct task *task, struct kv_txn *txn, struct kv_scan *scan,
    struct arena *arena, struct kv_batch *batch);

// --- reading by parts ------------------------------------------------------------------------------
//
// What several slices hold of some spans, read by tasks on the shards that lead them, at once, as of the
// transaction's snapshot. The transaction's own task opens the parts, waits for the others, and closes them: only
// then do the reads count as its own.

struct kv_parts;
// *parts NULL: these spans have to be scanned, because the transaction has written in them or they are too many.
CHECKED struct status kv_parts_open(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    const struct span *spans, uint32_t count, struct arena *arena, struct kv_parts **parts);
uint32_t kv_parts_count(const struct kv_parts *parts);
// Whether some part is better read on another shard than the task's; never so on one shard.
bool kv_parts_elsewhere(const struct task *task, const struct kv_parts *parts);
bool kv_is_on_one_shard(const struct task *task);
// Where the part is best read; for what another node leads, some shard of this one.
uint32_t kv_part_shard(const struct kv_parts *parts, uint32_t at);
// The next rows of one part, in order, for the visitor. *count 0: the end. By one task at a time, of any shard.
CHECKED struct status kv_part_next(struct task *task, struct kv_parts *parts, uint32_t at,
    uint32_t rows_max, struct kv_visitor *visitor, struct arena *arena, uint32_t *count);
// `st` is how the reading went. *whole false on success: ranges or the snapshot moved meanwhile, and nothing of what was
// read is to be used.
CHECKED struct status kv_parts_close(
    struct task *task, struct kv_txn *txn, struct kv_parts *parts, struct status st, bool *whole);

// --- writes (buffered until commit) --------------------------------------------------------------

CHECKED struct status kv_put(
    struct task *task, struct kv_txn *txn, struct bytes key, struct bytes value);
CHECKED struct status kv_delete(struct task *task, struct kv_txn *txn, struct bytes key);
// Puts when the key is absent, else gives its value (in `arena`) and leaves it. Locks the key, so
// that concurrent inserts of it queue.
CHECKED struct status kv_insert(struct task *task, struct kv_txn *txn, struct bytes key,
    struct bytes value, struct arena *arena, struct bytes *existing);
// As kv_insert for many keys at once: existing[i].data NULL where inserted. Keys must differ.
CHECKED struct status kv_insert_many(struct task *task, struct kv_txn *txn,
    const struct kv_pair *pairs, uint32_t count, struct arena *arena, struct bytes *existing);

// --- one-shot ------------------------------------------------------------------------------------

// A read of one key at "now" without a transaction: the fast path of point queries.
CHECKED struct status kv_read_now(struct task *task, uint64_t tenant, struct bytes key,
    struct arena *arena, struct bytes *value);
// Adds `delta` to a counter key (8-byte big-endian value, absent: `initial`) in a transaction of
// its own, never validated against anything else: sequences and id allocation. Gives the new value.
CHECKED struct status kv_increment(struct task *task, uint64_t tenant, struct bytes key,
    int64_t initial, int64_t delta, int64_t *value);
// The tenant's present on its leader: above every commit acknowledged before the call.
CHECKED struct status kv_now(struct task *task, uint64_t tenant, struct hlc_timestamp *now);
