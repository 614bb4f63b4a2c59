// SPDX-License-Identifier: GPL-3.0-or-later
//
// Log entries: what a slice's log says. An entry is a list of operations that apply together or not at all,
// in one store transaction; every replica that applies the same entries holds the same versions.
//
// Layout   format u8 | ceiling (12) | operations. Operation: kind u8 | body size u32 | flags u8 | ts (12) |
//          item count u32 | body. Integers are little-endian, those in bodies LEB128; timestamps as hlc_encode.
// Errors   Decoding checks every byte (they come from a disk, or from a peer): XX001.
// Memory   Decoded operations point into the payload.
// Bounds   An entry is at most ENTRY_BYTES_MAX; larger is 54000 at proposal. The slice cuts what does not fit one log record into parts.
#pragma once
#include "core/arena.h"
#include "core/hlc.h"
#include "kv/key.h"

struct task;

#define ENTRY_FORMAT 1
#define ENTRY_PART_FORMAT 2 // A part of a larger entry: see kv/slice_propose.c.
#define ENTRY_BYTES_MAX (256u * 1024u * 1024u)

enum entry_kind {
    ENTRY_WRITES = 1, // tenant, ts, items: a transaction's writes, committed at ts.
    ENTRY_INGEST, // tenant, items with timestamps: versions from elsewhere, idempotent, in any order.
    ENTRY_REVERT, // tenant, ts, items (records of the time index): their keys lose what is above ts.
    ENTRY_PREPARE, // tenant, txn, ts, record_slice, items: writes of a multi-slice transaction; not visible
                   // yet; ts is the lowest timestamp that they may commit at.
    ENTRY_RECORD, // txn, commit, ts, value (the coordinator's own: participants): its fate. Stays until
                  // ENTRY_RECORD_END. The first one stands; but `staged` (neither: it is committed when all of
                  // its participants are prepared) gives way to one that is marked `over`. With
                  // `unless_prepared` nothing happens where the transaction is prepared; where an aborted
                  // record is it never will be.
    ENTRY_RECORD_END, // txn.
    ENTRY_RESOLVE, // txn, commit, ts: prepared writes become versions at ts, or are dropped. Idempotent.
    ENTRY_GC,    // tenant, ts: what only a read below ts could see may go; such reads are refused.
    ENTRY_CLEAR, // tenant, span: all versions of these keys go at once.
    ENTRY_TENANT, // tenant, ingesting: whether versions may come by ENTRY_INGEST; keeps the time index.
    ENTRY_META, // key, value (data NULL: erased): a small named record of the upper half's.
    ENTRY_STAGE, // tenant, txn, record_slice, ts (the leader's clock), sequence, items (their ts.wall_ns is the
                 // epoch of the write): writes of a transaction that goes on: see kv/staged.h.
    ENTRY_SEAL, // tenant, txn, record_slice, ts, sequence, value (hidden epochs): what the transaction staged is
                // prepared now; ts is the lowest timestamp that it may commit at.
    ENTRY_DRAIN, // txn, sequence (rows at most): the next staged rows of a resolved transaction become versions,
                 // or go. Idempotent.
    ENTRY_LOCKS, // ts (the entry's own ceiling), value: locks of a leader that hands over: kv/lock_carry.h. Not in the store.
    ENTRY_KIND_END,
};

struct entry_item {
    struct bytes key;
    struct bytes value;      // data NULL for a tombstone.
    struct hlc_timestamp ts; // Of the item; the operation's where items have none of their own.
    bool tombstone;
};

struct entry_op {
    enum entry_kind kind;
    uint64_t tenant;
    uint64_t txn;
    uint64_t record_slice;
    uint64_t sequence;
    struct hlc_timestamp ts;
    bool commit;
    bool ingesting;
    bool staged;          // ENTRY_RECORD: see there.
    bool over;
    bool unless_prepared;
    struct span span;
    struct bytes key, value;
    uint32_t item_count;
    struct bytes items; // Encoded; read with entry_item_next.
};

// --- building ----------------------------------------------------------------------------------------

struct entry_builder {
    struct buffer buffer;
    size_t op_at; // Start of the open operation.
};
void entry_begin(struct entry_builder *builder, struct arena *arena);
// Adds one operation without items; for those with items, `op->item_count` and `op->items` are ignored and
// the items follow by entry_item_append before the next entry_op_append or entry_end.
void entry_op_append(struct entry_builder *builder, const struct entry_op *op);
void entry_item_append(struct entry_builder *builder, const struct entry_item *item);
// The same in a task, which yields while a long value is copied. 57014: the entry is cut short.
CHECKED struct status entry_item_add(
    struct task *task, struct entry_builder *builder, const struct entry_item *item);
// The payload, in the builder's arena. Timestamps of WRITES, PREPARE, STAGE and SEAL can be set afterwards with
// entry_ts_set, so that an entry is built before its timestamp is chosen.
struct bytes entry_end(struct entry_builder *builder);
void entry_ts_set(
    struct bytes payload, struct hlc_timestamp ts); // All operations of these kinds.
void entry_ceiling_set(struct bytes payload, struct hlc_timestamp ceiling); // The slice's own.

// --- reading -------------------------------------------------------------------------------------------

struct entry_reader {
    struct bytes rest;
    struct hlc_timestamp ceiling; // No commit at or below it after a restart.
};
// Checks the whole payload, operations and items; afterwards reading cannot fail.
CHECKED struct status entry_open(struct bytes payload, struct entry_reader *reader);
// As entry_open for a payload that was checked or built here: no checks.
void entry_open_trusted(struct bytes payload, struct entry_reader *reader);
bool entry_op_next(struct entry_reader *reader, struct entry_op *op);

struct entry_items {
    struct bytes rest;
    struct hlc_timestamp ts;
    bool own_ts;
};
void entry_items_open(const struct entry_op *op, struct entry_items *items);
bool entry_item_next(struct entry_items *items, struct entry_item *item);
