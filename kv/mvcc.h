// SPDX-License-Identifier: GPL-3.0-or-later
//
// Versions over a store: the newest of each key in place, older ones beside it.
//
//   current:  key                              -> ts (12) | flags u8 | value
//   history:  escaped key | 00 01 | ~ts (12)   -> flags u8 | value         (newest first within a key)
//   time:     uvarint(tenant) | ts (12) | key  -> nothing                  (what ingesting tenants received)
//
// A read not older than the current version is one search, and a scan does not step over dead versions.
// Every key that has any version has a current one (a tombstone perhaps).
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
    struct mvcc_scratch ahead;    // A record whose value was copied before it is put, and where it was copied from.
    const uint8_t *ahead_of;
    uint32_t newcomers; // Grows with keys that were not there: the next one is put with one search, not two.
};

struct mvcc_version {
    struct bytes value; // data NULL for a tombstone.
    struct hlc_timestamp ts;
    bool tombstone;
};

void mvcc_init(struct mvcc *mvcc, struct store *store);
void mvcc_fini(struct mvcc *mvcc);

// The newest version at or below `ts`; with `arena` NULL the value is not fetched.
CHECKED struct status mvcc_get(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct arena *arena, struct mvcc_version *version, bool *found);
// The same, and stays on the key's page: a key near this one costs less then, when it is asked for next. To be
// ended by mvcc_release, before anything suspends.
CHECKED struct status mvcc_get_standing(struct mvcc *mvcc, struct bytes key,
    struct hlc_timestamp ts, struct arena *arena, struct mvcc_version *version, bool *found);
void mvcc_release(struct mvcc *mvcc);
// Timestamp of the newest version, zero when there is none.
CHECKED struct status mvcc_newest(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp *ts);

// --- changes, within a store transaction -----------------------------------------------------------------

// Puts one version where it belongs: in place when it is the newest (the former newest becomes history),
// otherwise into history. The same version again changes nothing. A tombstone for a key without versions is
// kept only when asked for: where versions come in any order, an older one may follow.
CHECKED struct status mvcc_put(struct mvcc *mvcc, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool keep_lone_tombstone);
// Where to copy a long value, whole, before mvcc_put is given it, which then does not: who puts it may suspend meanwhile. It
// lies there until mvcc_ahead_end or the next. For one task at a time.
uint8_t *mvcc_ahead(struct mvcc *mvcc, struct bytes value);
void mvcc_ahead_end(struct mvcc *mvcc);
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
// The version of the key at the position that a read at `ts` sees. Points into the store; valid until the
// cursor moves or the next call of this.
CHECKED struct status mvcc_cursor_at(
    struct mvcc_cursor *cursor, struct hlc_timestamp ts, struct mvcc_version *version, bool *found);
// The next older version than `version` of the key at the position.
CHECKED struct status mvcc_cursor_older(
    struct mvcc_cursor *cursor, struct mvcc_version *version, bool *found);

// --- records' forms ----------------------------------------------------------------------------------------

#define MVCC_CURRENT_HEADER_BYTES (HLC_ENCODED_BYTES + 1u)
CHECKED struct status mvcc_current_decode(struct bytes record, struct mvcc_version *version);
// The user's key (into `scratch`) and timestamp of a key of `history`.
CHECKED struct status mvcc_history_key_decode(struct bytes record_key, struct mvcc_scratch *scratch,
    struct bytes *key, struct hlc_timestamp *ts);
// Bounds in `history` of all versions of the keys in `span`, in `arena`.
struct span mvcc_history_span(struct arena *arena, struct span span);
CHECKED struct status mvcc_time_key_decode(
    struct bytes record_key, uint64_t *tenant, struct hlc_timestamp *ts, struct bytes *key);
// Bounds in `time` of a tenant's records in [from, to), in `arena`; to HLC_MAX: all of them.
struct span mvcc_time_span(
    struct arena *arena, uint64_t tenant, struct hlc_timestamp from, struct hlc_timestamp to);
