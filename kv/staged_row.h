// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rows of staged transactions (kv/staged.h) in the store's table of records. A row lies by itself, by its key among
// those of other transactions, or in a *run*: what a load writes in the order of keys is put many rows a record, which
// costs a fraction of the searches. Runs of a transaction do not overlap; rows that it writes later to where a run is
// already lie by themselves and are newer than what the run says of their key.
//
//     META_STAGED + key           txn u64 | versions
//     META_STAGE_RUN + txn + key  sequence u64 | rows u32 | start of each u32 | of each: key size u32 | key | versions
//
// where the key of a run is its first row's, and versions are, newest first: epoch u64 | tombstone u8 | size u32 | value.
// Of an epoch the last write is kept.
//
// Shard    The slice's. Nothing here suspends.
// Memory   What is read points into the store: valid until the iterator moves or the store changes.
// Errors   XX001 when what the store has is malformed.
// Checked  tests/unit/kv/test_staged.c, against a plain map.
#pragma once
#include "kv/entry.h"
#include "kv/slice.h"
#include "kv/staged.h"
#include "kv/store.h"

struct row_version {
    uint64_t epoch;
    bool tombstone;
    struct bytes value;
};

// What is known of one key. Empty: nothing.
struct row_versions {
    struct bytes own, run; // The former are newer.
};
// The newest version that is not rolled back.
CHECKED struct status row_visible(struct row_versions versions, const struct staged_view *view,
    struct row_version *version, bool *found);

// Puts the writes of one entry. Again is nothing.
struct slice_apply;
CHECKED struct status rows_put(
    struct slice_apply *apply, const struct entry_op *op, struct span *bounds);

// The transaction, other than `but`, that has the key as a row by itself; 0: none.
CHECKED struct status row_owner(
    struct slice *slice, struct bytes key, uint64_t but, uint64_t *owner);
// What the transaction has of the key, in `arena`.
CHECKED struct status row_read(
    struct staged *staged, struct bytes key, struct arena *arena, struct row_versions *versions);
CHECKED struct status row_there(struct staged *staged, struct bytes key, bool *there);
CHECKED struct status row_in_run(struct staged *staged, struct bytes key, bool *there);

// All rows of a transaction in order, with rows by themselves of others in between.
struct run {
    struct bytes data; // The record.
    uint32_t count, at;
    struct bytes key, versions; // Of the row `at`.
};
struct row_iterator {
    struct slice *slice;
    uint64_t txn;
    struct arena *arena;
    enum store_direction direction;
    struct store_cursor *singles, *runs;
    bool single_found, run_found;
    struct run run;
    bool at_single, at_run; // What the position is made of.
    // The position.
    bool found;
    bool mine;
    struct bytes key;
    struct row_versions versions; // When it is mine.
};
// Forward: the first row at or above `key`; backward: the last one below. `arena` keeps what is sought.
CHECKED struct status rows_open(struct slice *slice, uint64_t txn, struct arena *arena,
    enum store_direction direction, struct bytes key, struct row_iterator *rows);
CHECKED struct status rows_step(struct row_iterator *rows);
void rows_close(struct row_iterator *rows);

// Records go when nothing reads: a row by itself, and a run by its first key.
CHECKED struct status single_remove(struct slice *slice, struct arena *arena, struct bytes key);
CHECKED struct status run_remove(
    struct slice *slice, struct arena *arena, uint64_t txn, struct bytes first);
// The first key of the run that the position is the last row of; data NULL: it is not.
struct bytes rows_run_ending(const struct row_iterator *rows);
