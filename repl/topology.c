// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a tenant's spans lie on slices, for producers.
#include <stdlib.h>

#include "core/hash.h"
#include "core/rpc.h"
#include "kv/admin.h"
#include "kv/leader.h"
#include "kv/range_admin.h"
#include "kv/key.h"
#include "repl/producer.h"

static int span_order(const void *a, const void *b)
{
    const struct topology_span *left = a, *right = b;
    if (left->slice != right->slice) return left->slice < right->slice ? -1 : 1;
    return bytes_compare(left->span.start, right->span.start);
}

// Without asking leaders: one that does not answer must not keep the others waiting.
static struct status places(struct task *task, struct arena *arena, struct span all,
    struct kv_range **ranges, uint32_t *count)
{
    struct status st;
    struct range *found;
    TRY(range_list(task, all, arena, &found, count));
    *ranges = ARENA_ARRAY(arena, struct kv_range, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        struct rpc_target where = {0};
        (void)leader_where(task->shard, found[i].slice, &where);
        (*ranges)[i] = (struct kv_range){
            .span = found[i].span, .slice = found[i].slice, .node = where.node};
    }
out:
    return st;
}

struct status topology_read(struct task *task, struct arena *arena, uint64_t tenant, bool sizes,
    struct topology *topology)
{
    struct status st;
    struct kv_range *ranges;
    uint32_t count;
    struct span all = key_tenant_span(arena, tenant);
    if (sizes)
        TRY(kv_ranges(task, all, arena, &ranges, &count));
    else
        TRY(places(task, arena, all, &ranges, &count));
    struct topology_span *spans = ARENA_ARRAY(arena, struct topology_span, count + 1);
    *topology = (struct topology){.spans = spans};
    for (uint32_t i = 0; i < count; i++) {
        struct span span = ranges[i].span;
        // A range may reach beyond the tenant.
        if (bytes_compare(span.start, all.start) < 0) span.start = all.start;
        if (bytes_compare(span.end, all.end) > 0) span.end = all.end;
        spans[i] = (struct topology_span){
            ranges[i].slice, span, ranges[i].bytes, ranges[i].node};
    }
    qsort(spans, count, sizeof *spans, span_order);
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct topology_span *last = topology->count == 0 ? NULL : &spans[topology->count - 1];
        if (last != NULL && last->slice == spans[i].slice &&
            bytes_equal(last->span.end, spans[i].span.start)) {
            last->span.end = spans[i].span.end;
            last->bytes += spans[i].bytes;
        } else {
            spans[topology->count++] = spans[i];
        }
    }
    for (uint32_t i = 0; i < topology->count; i++) {
        hash = hash_combine(hash, spans[i].slice);
        hash = hash_combine(hash, hash_bytes(spans[i].span.start));
        hash = hash_combine(hash, hash_bytes(spans[i].span.end));
    }
    topology->hash = (int64_t)hash;
out:
    return st;
}
