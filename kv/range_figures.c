// SPDX-License-Identifier: GPL-3.0-or-later
//
// What leaders tell of their slices and ranges: where they are, how large, how much they are asked for.
#include "core/rpc.h"
#include "kv/key.h"
#include "kv/leader_range.h"
#include "kv/protected.h"
#include "kv/range_admin.h"
#include "kv/range_upkeep.h"
#include "kv/router.h"
#include "kv/slice_internal.h"

// --- at the leader -------------------------------------------------------------------------------

static void sizes_fill(struct leader_look *look, const struct slice *slice)
{
    const struct range_set *set = slice->ranges;
    look->sizes = ARENA_ARRAY(look->call.arena, struct leader_size, set->count);
    look->size_count = set->count;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct range_entry *entry = set->entries[i];
        look->sizes[i] = (struct leader_size){
            .start = arena_copy(look->call.arena, entry->range.span.start),
            .bytes = entry->bytes + entry->bytes_unmeasured,
            .keys = entry->keys,
            .rate = entry->rate,
            .looks = entry->looks,
        };
    }
}

struct status leader_look(struct task *task, void *arg)
{
    struct leader_look *look = arg;
    struct slice *slice;
    struct status st = leader_slice(task, &look->call, &slice);
    if (failed(st)) return st;
    struct store_figures figures;
    store_figures(slice->store, &figures);
    look->node = task->shard->node->id;
    look->shard = task->shard->index;
    look->applied_index = slice->applied_index;
    look->bytes = figures.bytes;
    look->closed = slice_close(slice);
    look->ranges = slice->ranges->count;
    if (look->sizes_wanted) sizes_fill(look, slice);
    return STATUS_OK;
}

// --- asking them ---------------------------------------------------------------------------------

static const struct leader_size *size_find(const struct leader_look *look, struct bytes start)
{
    for (uint32_t i = 0; i < look->size_count; i++) {
        if (bytes_equal(look->sizes[i].start, start)) return &look->sizes[i];
    }
    return NULL;
}

struct status range_figures(
    struct task *task, const struct range *range, struct leader_size *figures)
{
    struct leader_look look = {.call.slice = range->slice, .sizes_wanted = true};
    struct status st = leader_call(task, &look.call, task->arena, LEADER_LOOK);
    const struct leader_size *size = failed(st) ? NULL : size_find(&look, range->span.start);
    if (size != NULL) *figures = *size;
    if (!failed(st) && (size == NULL || size->looks < RANGE_COLD_LOOKS))
        st = status_make(E_NOT_IN_PREREQUISITE_STATE, "the range has changed of late");
    leader_reply_end(&look.call);
    return st;
}

struct status kv_tenant_shard(struct task *task, uint64_t tenant, uint32_t *shard)
{
    struct status st = STATUS_OK;
    struct arena arena;
    const struct range *range;
    arena_init(&arena, NULL);
    TRY(router_find(task, key_tenant_span(&arena, tenant).start, false, &range));
    *shard = (uint32_t)((range->slice - 1) % task->shard->node->shard_count);
out:
    arena_fini(&arena);
    return st;
}

struct status kv_slices(
    struct task *task, struct arena *arena, struct kv_slice_info **slices, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint64_t *ids;
    leader_slices(task->shard, arena, &ids, count);
    *slices = ARENA_ARRAY(arena, struct kv_slice_info, *count);
    for (uint32_t i = 0; i < *count; i++) {
        struct leader_look look = {.call.slice = ids[i]};
        st = leader_call(task, &look.call, arena, LEADER_LOOK);
        leader_reply_end(&look.call);
        TRY(st);
        (*slices)[i] = (struct kv_slice_info){
            .id = ids[i],
            .shard = look.shard,
            .applied_index = look.applied_index,
            .bytes = look.bytes,
            .ranges = look.ranges,
            .closed = look.closed,
            .zone = protected_slice_zone(task->shard, ids[i]),
        };
    }
out:
    return st;
}

// Of the ranges of one slice. A leader that does not answer leaves them without figures.
static void sizes_take(
    struct task *task, struct kv_range *ranges, uint32_t count, uint64_t slice)
{
    struct leader_look look = {.call.slice = slice, .sizes_wanted = true};
    struct arena arena;
    arena_init(&arena, NULL);
    struct status st = leader_call(task, &look.call, &arena, LEADER_LOOK);
    for (uint32_t i = 0; i < count && !failed(st); i++) {
        if (ranges[i].slice != slice) continue;
        const struct leader_size *size = size_find(&look, ranges[i].span.start);
        ranges[i].node = look.node;
        ranges[i].shard = look.shard;
        if (size == NULL) continue;
        ranges[i].bytes = size->bytes;
        ranges[i].keys = size->keys;
        ranges[i].rate = size->rate;
    }
    leader_reply_end(&look.call);
    arena_fini(&arena);
}

struct status kv_ranges(struct task *task, struct span span, struct arena *arena,
    struct kv_range **ranges, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct range *found;
    TRY(range_list(task, span, arena, &found, count));
    *ranges = ARENA_ARRAY(arena, struct kv_range, *count);
    for (uint32_t i = 0; i < *count; i++) {
        struct rpc_target where = {0};
        (void)leader_where(task->shard, found[i].slice, &where);
        (*ranges)[i] = (struct kv_range){
            .id = found[i].id,
            .span = found[i].span,
            .slice = found[i].slice,
            .shard = where.shard,
            .node = where.node,
            .generation = found[i].generation,
            .sticky_ns = found[i].sticky_ns,
        };
    }
    for (uint32_t i = 0; i < *count; i++) {
        bool first = true;
        for (uint32_t k = 0; k < i && first; k++) first = found[k].slice != found[i].slice;
        if (first) sizes_take(task, *ranges, *count, found[i].slice);
    }
out:
    return st;
}
