// SPDX-License-Identifier: GPL-3.0-or-later
//
// Versions over a store: the newest of each key in place, older ones beside it.
//
//   current:  key                              -> ts (12) | flags u8 | value
//   history:  escaped key | 00 01 | ~ts (12)   -> flags u8 | value         (newest first within a key)
//   time:     uvarint(tenant) | ts (12) | key  -> nothing                  (what ingesting tenants received)
//   pieces:   escaped key | 00 01 | ~ts (12) | number u32 -> a part of the value
//
// A read not older than the current version is one search, and a scan does not step over dead versions.
// Every key that has any version has a current one (a tombstone perhaps).
//
// A long value lies in pieces: its version's record has the size (u64) in its place. Whoever reads, writes or drops the
// version pays for a small record, and between two pieces others can run; in the store's own records a value of 60 MB was
// read, taken and written out in one step of 20 to 210 ms. Pieces belong to the version, not to where its record is: one
// that becomes history, or current again, keeps them, and they go in the store's transaction that erases its record.
//   Writing: pieces come first, maybe in transactions of their own; the record last. Pieces without a record are seen by
// nobody, and are there only until the log has been replayed: which writes the same ones again.
//   Reading: a version says `pieces` and its size; mvcc_fetch gives its bytes. A version never changes, so who suspends
// between pieces has to ask only whether it is still there: it may have been collected, or its span erased (*lost).
//   What is sent, hashed and measured is the value: replicas, streams and fingerprints know nothing of pieces.
//   Stores of before have long values in their records; both forms are read. What is long never changes while a store
// lives: the same write again has to find its pieces. Transactions' own records (prepared, staged) are not versions.
//
// Shard    The slice's owner; nothing suspends.
// Memory   Results are copied to the arena given, unless said otherwise. Scratch buffers belong to struct mvcc.
// Errors   The store's; XX001 for records that are not ours.
#pragma once
#include "core/hlc.h"
#include "kv/store.h"

struct mvcc_scratch {
    uint8_t *data;
    size_t capacity;
};

struct mvcc {
    struct store *store;
    struct mvcc_scratch key, value;
    uint32_t newcomers; // Grows with keys that were not there: the next one is put with one search, not two.
};

struct mvcc_version {
    struct bytes value; // data NULL for a tombstone, and for one in pieces until it is fetched; its size is true.
    struct hlc_timestamp ts;
    bool tombstone;
    bool pieces;
};

// Values of more bytes than this are in pieces, of at most that many; 0: as in a server. For simulation and tests, before
// any store is opened: all of a cluster do it alike.
void mvcc_pieces_set(uint32_t value_bytes, uint32_t piece_bytes);

void mvcc_init(struct mvcc *mvcc, struct store *store);
void mvcc_fini(struct mvcc *mvcc);

// The newest version at or below `ts`; with `arena` NULL the value is not copied. One in pieces never is: mvcc_fetch.
CHECKED struct status mvcc_get(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct arena *arena, struct mvcc_version *version, bool *found);
// The same, and stays on the key's page: a key near this one costs less then, when it is asked for next. To be
// ended by mvcc_release, before anything suspends.
CHECKED struct status mvcc_get_standing(struct mvcc *mvcc, struct bytes key,
    struct hlc_timestamp ts, struct arena *arena, struct mvcc_version *version, bool *found);
void mvcc_release(struct mvcc *mvcc);
// The bytes of a version in pieces, at once, into the arena; does nothing for others. 53200 when that is too much.
CHECKED struct status mvcc_fetch(
    struct mvcc *mvcc, struct bytes key, struct arena *arena, struct mvcc_version *version);
// The same a piece at a time: the caller may suspend in between. The key must stay.
struct mvcc_fetch {
    struct bytes key;
    struct hlc_timestamp ts;
    uint8_t *data;
    size_t size, fetched; // Whole when they are the same.
    uint32_t next;
};
CHECKED struct status mvcc_fetch_begin(struct arena *arena, struct bytes key,
    const struct mvcc_version *version, struct mvcc_fetch *fetch);
// *lost: the version is no more there. XX001 when it is, and not its pieces.
CHECKED struct status mvcc_fetch_next(struct mvcc *mvcc, struct mvcc_fetch *fetch, bool *lost);
// Timestamp of the newest version, zero when there is none.
CHECKED struct status mvcc_newest(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp *ts);

// --- changes, within a store transaction -----------------------------------------------------------------

// Puts one version where it belongs: in place when it is the newest (the former newest becomes history),
// otherwise into history. The same version again changes nothing. A tombstone for a key without versions is
// kept only when asked for: where versions come in any order, an older one may follow.
CHECKED struct status mvcc_put(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool keep_lone_tombstone);
// The same in parts, for who pauses in between: the pieces of the value, from 0 on, then mvcc_put_record.
uint32_t mvcc_piece_count(size_t value_bytes); // 0: the record has it.
CHECKED struct status mvcc_put_piece(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, uint32_t number);
CHECKED struct status mvcc_put_record(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool keep_lone_tombstone);
// Erases the key's versions above `ts`.
CHECKED struct status mvcc_revert_key(
    struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts, uint64_t *removed);
// Erases the key's versions that no read at or above `ts` can see.
CHECKED struct status mvcc_collect_key(
    struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts, uint64_t *removed);
// Erases all versions of all keys in the span.
CHECKED struct status mvcc_clear(struct mvcc *mvcc, struct span span);

CHECKED struct status mvcc_time_put(
    struct mvcc *mvcc, uint64_t tenant, struct hlc_timestamp ts, struct bytes key);

// --- scans -----------------------------------------------------------------------------------------------

// A position among the keys of `current`. Close before suspending.
struct mvcc_cursor {
    struct mvcc *mvcc;
    struct store_cursor *current;
    struct store_cursor *history; // Opened when first needed.
    struct mvcc_version newest;   // The current version of the position's key; points into the store.
};
// Of the position; points into the store. Not kept twice: a copy of what has just been written is what a scan of small
// rows would wait for most.
static inline struct bytes mvcc_cursor_key(const struct mvcc_cursor *cursor)
{
    return cursor->current->key;
}
CHECKED struct status mvcc_cursor_open(struct mvcc *mvcc, struct mvcc_cursor *cursor);
void mvcc_cursor_close(struct mvcc_cursor *cursor);
CHECKED struct status mvcc_cursor_seek(
    struct mvcc_cursor *cursor, enum store_direction direction, struct bytes key, bool *found);
CHECKED struct status mvcc_cursor_step(
    struct mvcc_cursor *cursor, enum store_direction direction, bool *found);
// The version of the key at the position that a read at `ts` sees, not fetched. Points into the store; valid until the
// cursor moves or the next call of this.
CHECKED struct status mvcc_cursor_at(
    struct mvcc_cursor *cursor, struct hlc_timestamp ts, struct mvcc_version *version, bool *found);
// The next older version than `version` of the key at the position.
CHECKED struct status mvcc_cursor_older(
    struct mvcc_cursor *cursor, struct mvcc_version *version, bool *found);

// --- records' forms ----------------------------------------------------------------------------------------

#define MVCC_CURRENT_HEADER_BYTES (HLC_ENCODED_BYTES + 1u)
CHECKED struct status mvcc_current_decode(struct bytes record, struct mvcc_version *version);
CHECKED struct status mvcc_history_decode(struct bytes record, struct mvcc_version *version); // But for the timestamp.
// The user's key (into `scratch`) and timestamp of a key of `history`.
CHECKED struct status mvcc_history_key_decode(struct bytes record_key, struct mvcc_scratch *scratch,
    struct bytes *key, struct hlc_timestamp *ts);
// Bounds in `history`, and in `pieces`, of all versions of the keys in `span`, in `arena`.
struct span mvcc_history_span(struct arena *arena, struct span span);
CHECKED struct status mvcc_time_key_decode(
    struct bytes record_key, uint64_t *tenant, struct hlc_timestamp *ts, struct bytes *key);
// Bounds in `time` of a tenant's records in [from, to), in `arena`; to HLC_MAX: all of them.
struct span mvcc_time_span(
    struct arena *arena, uint64_t tenant, struct hlc_timestamp from, struct hlc_timestamp to);
