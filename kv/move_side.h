// SPDX-License-Identifier: GPL-3.0-or-later
//
// Moves of ranges between slices, at the leaders of the two slices (the coordinator is kv/move.h).
//
// The source keeps an "O" record while a range is on its way out, the target an "I" record while it is on its way in:
// records of the slice's own log (ENTRY_META), as those of the ranges that it serves (kv/range_record.h). Both carry
// the attempt's number, and nothing is done for an attempt without its record: what is late, because its coordinator
// was deposed, finds none.
//
//   source   begin    the record. From here on its leader notes which keys are written to.
//            pull     first all versions of all keys, then those that were written since they were sent.
//            fence    no lock of the range is given to whoever has none here; soon no write is taken; when nothing of
//                     the range is under way any more the range's own record goes, and with it reads; the record says
//                     that it is fenced. Answers what the target must be above, and the locks.
//            end      either the range is served again, or its data is erased; the record goes.
//   target   begin    what lies in the span is erased; the record.
//            push     versions, at their own timestamps.
//            confirm  whether it can be switched: the last word before the descriptor says so.
//            add      the range is served, above all that the source gave out. Not before the descriptor says so:
//                     there may be clients that know the range from an earlier stay.
//            end      the record goes; of an attempt that was given up also the range and its data.
//
// What is noted is in the memory of the source's leader: with another leader the attempt begins anew. Reverts and
// erasures in the span end the attempt, too.
//
// Shard    The slice's owner. Records are held by every replica, notes by the leader.
// Memory   Notes are bounded by MOVE_NOTES_BYTES; beyond, the attempt ends.
// Errors   55000 when the state of the slice forbids it: the attempt is over.
// Checked  tests/unit/kv/test_move.c, tests/unit/kv/test_leader_wire.c.
#pragma once
#include "kv/leader.h"
#include "kv/range.h"

#define MOVE_NOTES_BYTES (16u << 20)
#define MOVE_LOCKS_MAX 4096u // What is beyond is not taken along: validation decides.

enum move_end { MOVE_SOURCE, MOVE_TARGET };
enum move_gate {
    MOVE_OPEN,
    MOVE_CLOSING, // No locks and commits of whoever has no lock in the slice.
    MOVE_SHUT,    // No writes at all.
};

struct move_notes;

struct move_side {
    struct move_side *next;
    enum move_end end;
    uint64_t attempt;
    bool done; // Source: fenced. Target: added.
    enum move_gate gate;
    struct range range; // As it is before the move; keys in this allocation.
    struct move_notes *notes;
};

enum leader_move_kind {
    LEADER_MOVE_SOURCE_BEGIN,
    LEADER_MOVE_PULL,
    LEADER_MOVE_FENCE,
    LEADER_MOVE_SOURCE_END,
    LEADER_MOVE_TARGET_BEGIN,
    LEADER_MOVE_PUSH,
    LEADER_MOVE_CONFIRM,
    LEADER_MOVE_ADD,
    LEADER_MOVE_TARGET_END,
    LEADER_MOVE_KIND_END
};

struct leader_move {
    struct leader_call call; // Of the source or the target; of the range's tenant.
    enum leader_move_kind what;
    uint64_t attempt;
    struct range range;         // As it is before the move.
    uint64_t sequence;          // PULL: counts from 1.
    bool back;                  // ENDs: the attempt is given up.
    struct kv_version *versions; // PUSH; answer of PULL.
    uint32_t version_count;
    bool drained;               // Answer of PULL: nothing more is to be sent at the moment.
    struct hlc_timestamp high;  // Answer of FENCE, for ADD: every read and commit of the source is at or below it.
    struct hlc_timestamp threshold; // The same: of garbage collection.
    bool ingesting, ingested;   // The same, and of SOURCE_BEGIN for TARGET_BEGIN.
    struct lock_taken *locks;   // The same.
    uint32_t lock_count;
};
struct status leader_move(struct task *task, void *arg);

// Whether a write of the key (a lock on it, too) by the transaction has to wait until the range is elsewhere.
bool move_shuts_any(const struct slice *slice, struct bytes key, uint64_t txn);
static inline bool move_shuts(const struct slice *slice, struct bytes key, uint64_t txn)
{
    return UNLIKELY(slice->moves != NULL) && move_shuts_any(slice, key, txn);
}
bool move_shuts_span(const struct slice *slice, struct span span);
// Whether a range of the tenant is fenced here: it is not known yet which slice has it.
bool move_fenced(const struct slice *slice, uint64_t tenant);
// Whether a part of the span is fenced here.
bool move_fences(const struct slice *slice, struct span span);
// Whether the span lies, in part, in a range that is fenced here, or on its way in.
bool move_holds(const struct slice *slice, struct span span);
// Whether a part of the span is on its way out, fenced or not.
bool move_leaves(const struct slice *slice, struct span span);

// The records as the store has them.
CHECKED struct status move_side_load(struct slice *slice);
extern const struct kv_module move_side_module;
