// SPDX-License-Identifier: GPL-3.0-or-later
//
// A frontier: for each key of a span, the time up to which everything is here. It knows no streams, so that what was
// reached stays reached when spans are handed to other streams.
//
// Shard    One.
// Memory   Keys are copied (malloc). At most FRONTIER_PIECES_MAX pieces: what would need one more stays behind,
//          which is always safe.
// Safety   No piece ever goes back.
// Errors   Decoding gives XX001 for what is not a whole frontier of this span.
#pragma once
#include "core/codec.h"
#include "core/status.h"

#define FRONTIER_PIECES_MAX 16384u

struct frontier_piece {
    struct bytes start; // malloc'ed; it ends where the next begins.
    struct hlc_timestamp ts; // Zero: nothing of it counts as here.
};
struct frontier {
    struct bytes end; // malloc'ed.
    struct frontier_piece *pieces;
    uint32_t count, capacity;
};

void frontier_init(struct frontier *frontier, struct span all); // All of it at zero.
void frontier_fini(struct frontier *frontier);                  // Also of a zeroed one.
// Everything of `span` up to `ts` is here.
void frontier_forward(struct frontier *frontier, struct span span, struct hlc_timestamp ts);
struct hlc_timestamp frontier_min(const struct frontier *frontier);
// Of the part that lies in `span`; HLC_MAX when nothing does.
struct hlc_timestamp frontier_min_of(const struct frontier *frontier, struct span span);
// The parts of `span` that are at zero, in `arena`; keys point into the frontier and `span`.
void frontier_missing(const struct frontier *frontier, struct arena *arena, struct span span,
    struct span **missing, uint32_t *count);

void frontier_encode(struct buffer *out, const struct frontier *frontier);
// *frontier is to be finished when this succeeds.
CHECKED struct status frontier_decode(
    struct codec_reader *in, struct span all, struct frontier *frontier);
