// SPDX-License-Identifier: GPL-3.0-or-later
//
// Requests about ranges as bytes.
#include "kv/key.h"
#include "kv/leader_range.h"
#include "kv/leader_wire.h"

static void range_ask(struct buffer *out, const void *request)
{
    const struct leader_range *range = request;
    wire_put_u64(out, range->what);
    wire_put_u64(out, range->range.id);
    wire_put_span(out, range->range.span);
    wire_put_u64(out, range->range.slice);
    wire_put_u64(out, range->range.generation);
    wire_put_u64(out, range->range.sticky_ns);
}

static void range_asked(struct wire_in *in, void *request)
{
    struct leader_range *range = request;
    range->what = (enum leader_range_kind)wire_take_enum(in, LEADER_RANGE_KIND_END - 1);
    range->range.id = wire_take_u64(in);
    range->range.span = wire_take_span(in);
    range->range.slice = wire_take_u64(in);
    range->range.generation = wire_take_u64(in);
    range->range.sticky_ns = wire_take_u64(in);
    if (range->range.slice != range->call.slice) in->bad = true;
    if (bytes_compare(range->range.span.start, range->range.span.end) >= 0) in->bad = true;
}

static void change_ask(struct buffer *out, const void *request)
{
    const struct leader_change *change = request;
    wire_put_u64(out, change->what);
    wire_put_u64(out, change->to);
    wire_put_bytes(out, change->span.start);
    wire_put_bytes(out, change->span.end);
    wire_put_bytes(out, change->key);
}

static void change_asked(struct wire_in *in, void *request)
{
    struct leader_change *change = request;
    change->what = (enum leader_change_kind)wire_take_enum(in, LEADER_CHANGE_KIND_END - 1);
    change->to = wire_take_u64(in);
    bool spans = change->what == LEADER_CHANGE_MOVE;
    bool splits = change->what == LEADER_CHANGE_SPLIT || change->what == LEADER_CHANGE_UNSPLIT ||
                  change->what == LEADER_CHANGE_MERGE || change->what == LEADER_CHANGE_GATHER;
    change->span.start = spans ? wire_take_key(in) : wire_take_bytes(in);
    change->span.end = spans ? wire_take_key(in) : wire_take_bytes(in);
    change->key = splits ? wire_take_key(in) : wire_take_bytes(in);
    bool tenants =
        change->what == LEADER_CHANGE_CREATE || change->what == LEADER_CHANGE_ERASE;
    if (tenants && change->call.tenant == 0) in->bad = true;
}

static void look_ask(struct buffer *out, const void *request)
{
    wire_put_bool(out, ((const struct leader_look *)request)->sizes_wanted);
}

static void look_asked(struct wire_in *in, void *request)
{
    ((struct leader_look *)request)->sizes_wanted = wire_take_bool(in);
}

static void look_answer(struct buffer *out, const void *request)
{
    const struct leader_look *look = request;
    wire_put_u64(out, look->node);
    wire_put_u64(out, look->shard);
    wire_put_u64(out, look->applied_index);
    wire_put_u64(out, look->bytes);
    wire_put_ts(out, look->closed);
    wire_put_u64(out, look->ranges);
    wire_put_u64(out, look->size_count);
    for (uint32_t i = 0; i < look->size_count; i++) {
        wire_put_bytes(out, look->sizes[i].start);
        wire_put_u64(out, look->sizes[i].bytes);
        wire_put_u64(out, look->sizes[i].keys);
        wire_put_u64(out, look->sizes[i].rate);
        wire_put_u64(out, look->sizes[i].looks);
    }
}

static void look_answered(struct wire_in *in, void *request)
{
    struct leader_look *look = request;
    look->node = wire_take_u32(in);
    look->shard = wire_take_u32(in);
    look->applied_index = wire_take_u64(in);
    look->bytes = wire_take_u64(in);
    look->closed = wire_take_ts(in);
    look->ranges = wire_take_u32(in);
    look->size_count = wire_take_count(in, 3);
    look->sizes = ARENA_ARRAY(in->arena, struct leader_size, look->size_count);
    for (uint32_t i = 0; i < look->size_count && !in->bad; i++) {
        look->sizes[i].start = wire_take_key(in);
        look->sizes[i].bytes = wire_take_u64(in);
        look->sizes[i].keys = wire_take_u64(in);
        look->sizes[i].rate = wire_take_u64(in);
        look->sizes[i].looks = wire_take_u32(in);
    }
}

const struct leader_codec leader_range_codecs[LEADER_KIND_END] = {
    [LEADER_RANGE] = {.name = "leader.range", .size = sizeof(struct leader_range),
        .run = leader_range, .ask = range_ask, .asked = range_asked, .answer = wire_put_nothing,
        .answered = wire_take_nothing},
    [LEADER_CHANGE] = {.name = "leader.change", .size = sizeof(struct leader_change),
        .run = leader_change, .ask = change_ask, .asked = change_asked, .answer = wire_put_nothing,
        .answered = wire_take_nothing},
    [LEADER_LOOK] = {.name = "leader.look", .size = sizeof(struct leader_look),
        .run = leader_look, .ask = look_ask, .asked = look_asked, .answer = look_answer,
        .answered = look_answered},
};
