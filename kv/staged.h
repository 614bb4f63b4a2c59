// SPDX-License-Identifier: GPL-3.0-or-later
//
// Staged writes: what a large transaction has written so far, kept by the replicas of the slices that it writes to
// instead of in its client's memory. They are in the store, by key, beside the versions; the log brings them there, so
// every replica has them.
//
//   under way  Its entry is not applied yet: struct staging says which rows.
//   open       The transaction goes on. Nobody sees its writes but itself (struct staged_view), nobody has to wait to
//              read: its commit timestamp will be above every read served until it is sealed. To writers a staged row
//              is a lock: kv/leader_staged.c makes it known to the lock table when somebody asks for it.
//   sealed     At COMMIT: prepared, as ENTRY_PREPARE has it, at the lowest timestamp that it may commit at. Readers at or
//              above it wait for the keys, closed time stays below it (struct pending in slice->prepared).
//   committed  or aborted, by ENTRY_RESOLVE. Rows become versions (or go) a few at a time, one ENTRY_DRAIN after the
//              other, with other entries in between.
//
// A write has the epoch of its transaction, which grows with each savepoint. The newest one of each epoch is kept, and
// a rollback to a savepoint hides epochs: they are passed over from then on.
//
// Staged rows of a client that is gone are found by kv/push.h. A client that was only silent is told so by its next
// request to that slice: 40001, rather than an answer without what it wrote (leader_call.staged). One transaction at a time has staged a given key.
//
// Shard    The slice's. Nothing here suspends.
// Memory   A few hundred bytes a transaction and slice; rows are in the store alone.
// Checked  tests/unit/kv/test_staged.c; tests/sim/scenario_kv_txn.c, where a third of the transactions is staged.
#pragma once
#include "kv/slice.h"
#include "kv/store_gap.h"

#define STAGED_HIDDEN_MAX 4096u
// Rows of a request while others have staged or prepared in the slice: each is looked for in the store, in one step.
#define STAGED_CROWDED_ROWS 2048u
#define K_CROWDED SQLSTATE('K', '0', '0', '1', '5') // There are more: ask with fewer. Nothing of it is done.
#define STAGED_DRAIN_ROWS 256u
#define STAGED_DRAIN_BYTES (1u << 20) // Part of the format: a row that crosses it is the last one drained.

// Epochs [from, to) are rolled back.
struct staged_hidden {
    uint64_t from, to;
};
// How a transaction sees what it staged.
struct staged_view {
    const struct staged_hidden *hidden;
    uint32_t hidden_count;
};

enum staged_state { STAGED_OPEN = 1, STAGED_SEALED, STAGED_COMMITTED, STAGED_ABORTED };

struct staged {
    struct list_link link; // In slice->staged.
    struct slice *slice;
    uint64_t txn, tenant, record_slice;
    uint64_t sequence; // Of the last ENTRY_STAGE.
    enum staged_state state;
    struct hlc_timestamp ts;    // Of the seal, then of the commit.
    struct hlc_timestamp since; // Of the last ENTRY_STAGE: when its client was last known to be there.
    struct span bounds;         // Its first key that is left and its last one, both included; owned.
    struct staged_hidden *hidden;
    uint32_t hidden_count;
    struct pending pending; // Readers wait for it, while `waited_for`.
    bool waited_for;
    struct store_gap run_gap; // No row in it lies in a run: kv/staged_row.h.
    bool draining; // By a request.
    struct wait_queue drained;
};

// Rows whose entry is under way: no store has them yet. In the frame of the leader's request.
struct write_node;
struct staging {
    struct list_link link; // In slice->staging.
    uint64_t txn, holder, age_ns;
    const struct write_node *const *writes; // In the order of keys.
    uint32_t count;
};
// The one of another than `txn` that has the key; NULL: none.
const struct staging *staging_find(const struct slice *slice, struct bytes key, uint64_t txn);

// NULL: it has staged nothing here, or that is all drained.
struct staged *staged_find(const struct slice *slice, uint64_t txn);
// The transaction other than `txn` that has staged the key; 0: none.
CHECKED struct status staged_owner(
    struct slice *slice, struct bytes key, uint64_t txn, uint64_t *owner);
// Whether somebody other than `txn` has staged anything, or is about to.
bool staged_by_other(const struct slice *slice, uint64_t txn);
// Whether anything staged, or about to be, lies in the span.
CHECKED struct status staged_in_span(struct slice *slice, struct span span, bool *any);
// What the transaction itself staged: *found false when nothing, or all of it is rolled back. value->data NULL: deleted.
CHECKED struct status staged_read(struct slice *slice, uint64_t txn, const struct staged_view *view,
    struct bytes key, struct arena *arena, struct bytes *value, bool *found);

// Lays what the transaction staged over a batch that answers for `covered`.
struct staged_overlay {
    uint64_t txn;
    const struct staged_view *view;
    struct span covered; // In reverse its start, otherwise its end moves when the batch had to be cut.
    bool reverse;
    bool cut;
    uint32_t rows_max;
    struct arena *arena;
    struct kv_batch *batch;
};
CHECKED struct status staged_overlay(struct slice *slice, struct staged_overlay *overlay);

// For struct pending with `staged` set (kv/pending.c).
bool staged_holds(struct staged *staged, struct bytes key);
bool staged_holds_any(struct staged *staged, struct span span); // May say yes when there is much else.

// Hidden epochs as bytes: what ENTRY_SEAL carries.
void staged_hidden_encode(struct buffer *out, const struct staged_view *view);

// --- for kv/slice_apply.c and kv/slice.c ---------------------------------------------------------------

struct slice_apply;
CHECKED struct status staged_apply_stage(struct slice_apply *apply, const struct entry_op *op);
CHECKED struct status staged_apply_seal(struct slice *slice, const struct entry_op *op);
CHECKED struct status staged_apply_resolve(struct slice *slice, const struct entry_op *op);
// *told: the drained rows as an entry of ENTRY_WRITES in `arena`; data NULL when there is none.
CHECKED struct status staged_apply_drain(
    struct slice *slice, const struct entry_op *op, struct arena *arena, struct bytes *told);
// The store says it now: brings memory up to that.
void staged_remember(struct slice *slice, uint64_t txn);
CHECKED struct status staged_load(struct slice *slice, uint64_t txn, struct bytes record);
void staged_drop_all(struct slice *slice);
