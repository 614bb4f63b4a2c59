// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the source of a move has still to send: keys that it has not come to, and keys that were written to since.
//
// A key is noted with the lowest timestamp that it was written at: its versions from there on are sent again. Versions
// are never taken away on the way, but by reverts and erasures; those lose the notes.
//
// Shard    The slice's leader's.
// Memory   At most MOVE_NOTES_BYTES; beyond, the notes are lost.
#pragma once
#include "core/hashmap.h"
#include "kv/admin.h"
#include "kv/entry.h"
#include "kv/slice.h"

struct move_side;

struct move_notes {
    uint64_t sequence; // Of the latest pull.
    struct span span;
    struct arena arena; // Keys of the span.
    bool scanned;      // All keys were sent once.
    bool scanning;     // Some are being read now.
    bool lost;
    uint8_t *position; // What lies at or above it is yet to be scanned; malloc'ed.
    size_t position_size;
    struct hlc_timestamp below; // Of the key at the position: versions from here on were sent.
    struct hashmap keys;        // struct move_note by key.
    size_t bytes;
};

CHECKED struct status move_notes_make(struct span span, struct move_notes **notes);
void move_notes_free(struct move_notes *notes); // NULL: nothing.
void move_notes_take(struct move_notes *notes, const struct entry_op *op);
// About `bytes_max` of what is to be sent, in `arena`. Suspends: the side, and its notes, may be gone then.
CHECKED struct status move_notes_pull(struct task *task, struct slice *slice,
    struct move_side *side, size_t bytes_max, struct arena *arena, struct kv_version **versions,
    uint32_t *count);
