// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests about moves of ranges as bytes.
#include "kv/key.h"
#include "kv/leader_wire.h"
#include "kv/lock_carry.h"
#include "kv/move_side.h"


static void put_range(struct buffer *out, const struct range *range)
{
    wire_put_u64(out, range->id);
    wire_put_span(out, range->span);
    wire_put_u64(out, range->slice);
    wire_put_u64(out, range->generation);
    wire_put_u64(out, range->sticky_ns);
}

static void take_range(struct wire_in *in, struct range *range)
{
    range->id = wire_take_u64(in);
    range->span = wire_take_span(in);
    range->slice = wire_take_u64(in);
    range->generation = wire_take_u64(in);
    range->sticky_ns = wire_take_u64(in);
    if (range->id == 0 || range->slice == 0) in->bad = true;
    if (bytes_compare(range->span.start, range->span.end) >= 0) in->bad = true;
}

static void put_locks(struct buffer *out, const struct leader_move *move)
{
    wire_put_u64(out, move->lock_count);
    for (uint32_t i = 0; i < move->lock_count; i++) lock_wire_put(out, &move->locks[i]);
}

static void take_locks(struct wire_in *in, struct leader_move *move)
{
    move->lock_count = wire_take_count(in, LOCK_WIRE_LEAST);
    if (move->lock_count > MOVE_LOCKS_MAX) in->bad = true;
    if (in->bad) move->lock_count = 0;
    move->locks = ARENA_ARRAY(in->arena, struct lock_taken, move->lock_count);
    for (uint32_t i = 0; i < move->lock_count && !in->bad; i++) move->locks[i] = lock_wire_take(in);
}

// What a fence answers, and an addition is told.
static void put_state(struct buffer *out, const struct leader_move *move)
{
    wire_put_ts(out, move->high);
    wire_put_ts(out, move->threshold);
    wire_put_bool(out, move->ingesting);
    wire_put_bool(out, move->ingested);
    put_locks(out, move);
}

static void take_state(struct wire_in *in, struct leader_move *move)
{
    move->high = wire_take_ts(in);
    move->threshold = wire_take_ts(in);
    move->ingesting = wire_take_bool(in);
    move->ingested = wire_take_bool(in);
    take_locks(in, move);
}

static void move_ask(struct buffer *out, const void *request)
{
    const struct leader_move *move = request;
    wire_put_u64(out, move->what);
    wire_put_u64(out, move->attempt);
    put_range(out, &move->range);
    wire_put_u64(out, move->sequence);
    wire_put_bool(out, move->back);
    wire_put_versions(out, move->versions, move->version_count);
    put_state(out, move);
}

static void move_asked(struct wire_in *in, void *request)
{
    struct leader_move *move = request;
    move->what = (enum leader_move_kind)wire_take_enum(in, LEADER_MOVE_KIND_END - 1);
    move->attempt = wire_take_u64(in);
    take_range(in, &move->range);
    move->sequence = wire_take_u64(in);
    move->back = wire_take_bool(in);
    move->versions = wire_take_versions(in, &move->version_count);
    take_state(in, move);
}

static void move_answer(struct buffer *out, const void *request)
{
    const struct leader_move *move = request;
    wire_put_bool(out, move->drained);
    if (move->what == LEADER_MOVE_PULL) {
        wire_put_versions(out, move->versions, move->version_count);
    } else {
        wire_put_versions(out, NULL, 0);
    }
    put_state(out, move);
}

static void move_answered(struct wire_in *in, void *request)
{
    struct leader_move *move = request;
    move->drained = wire_take_bool(in);
    move->versions = wire_take_versions(in, &move->version_count);
    take_state(in, move);
}

const struct leader_codec leader_move_codecs[LEADER_KIND_END] = {
    [LEADER_MOVE] = {.name = "leader.move", .size = sizeof(struct leader_move), .run = leader_move,
        .bulk = true, .ask = move_ask, .asked = move_asked, .answer = move_answer,
        .answered = move_answered},
};
