// SPDX-License-Identifier: GPL-3.0-or-later
//
// Spans read by parts, each on the shard that leads it: see kv/client.h.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "core/rpc.h"
#include "kv/key.h"
#include "kv/txn.h"

#define PARTS_MAX 64u

// Of its shard's task while it is read; of the transaction's otherwise.
struct part {
    struct span all, rest;
    uint64_t slice;
    uint32_t shard;
    bool done;
    uint8_t *resume; // Where `rest` begins.
    struct leader_seen seen;
    struct kv_txn_stats stats;
    struct hlc_timestamp moved_to;
};

struct kv_parts {
    struct leader_call call; // What each request says of the transaction.
    bool note;
    uint32_t count;
    struct part parts[PARTS_MAX];
};

static bool has_own(const struct kv_txn *txn, struct span span)
{
    const struct write_node *own = write_buffer_seek(&txn->writes, span.start);
    return own != NULL && bytes_compare(own->key, span.end) < 0;
}

// The parts of one span; *fits false when there are too many.
static struct status add_span(struct task *task, struct kv_parts *parts, struct span span,
    struct arena *arena, bool *fits)
{
    struct status st = STATUS_OK;
    const uint32_t shards = task->shard->node->shard_count;
    while (*fits && bytes_compare(span.start, span.end) < 0) {
        const struct range *range;
        struct rpc_target where;
        *fits = parts->count < PARTS_MAX;
        if (!*fits) break;
        TRY(router_find(task, span.start, false, &range));
        struct part *part = &parts->parts[parts->count++];
        const bool last = bytes_compare(span.end, range->span.end) <= 0;
        *part = (struct part){.all = span, .slice = range->slice};
        if (!last) part->all.end = arena_copy(arena, range->span.end);
        part->rest = part->all;
        // What another node leads may be asked for by any shard.
        bool here = leader_where(task->shard, part->slice, &where) &&
            where.node == task->shard->node->id && where.shard < shards;
        part->shard = here ? where.shard : (task->shard->index + parts->count - 1) % shards;
        part->seen = parts->call.seen == NULL ? (struct leader_seen){0} : *parts->call.seen;
        span.start = part->all.end;
    }
out:
    return st;
}

struct status kv_parts_open(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    const struct span *spans, uint32_t count, struct arena *arena, struct kv_parts **out)
{
    struct status st = STATUS_OK;
    bool fits = count <= PARTS_MAX && txn->stage_count == 0 && read->lock == KV_LOCK_NONE;
    *out = NULL;
    TRY(txn_check(txn, false));
    for (uint32_t i = 0; i < count && fits; i++) {
        TRY(leader_check_span(txn->tenant, spans[i]));
        fits = !has_own(txn, spans[i]);
    }
    if (!fits) goto out;
    struct kv_parts *parts = arena_alloc_zero(arena, sizeof *parts);
    txn_call_init(txn, task, 0, &parts->call); // Each part has its slice; nothing is staged.
    parts->note = txn_notes_reads(txn) && !read->no_validate;
    for (uint32_t i = 0; i < count && fits; i++) TRY(add_span(task, parts, spans[i], arena, &fits));
    if (fits) *out = parts;
out:
    return st;
}

uint32_t kv_parts_count(const struct kv_parts *parts)
{
    return parts->count;
}

uint32_t kv_part_shard(const struct kv_parts *parts, uint32_t at)
{
    return parts->parts[at].shard;
}

bool kv_parts_elsewhere(const struct task *task, const struct kv_parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        if (parts->parts[i].shard != task->shard->index) return true;
    }
    return false;
}

bool kv_is_on_one_shard(const struct task *task)
{
    return task->shard->node->shard_count == 1;
}

static void part_go_on(struct part *part, struct bytes from)
{
    uint8_t *copy = malloc(from.size + 1);
    invariant(copy != NULL);
    memcpy(copy, from.data, from.size);
    free(part->resume);
    part->resume = copy;
    part->rest.start = bytes_of(copy, from.size);
}

// Rows that came from elsewhere.
static struct status part_show(struct part *part, struct kv_visitor *visitor, struct arena *arena,
    const struct kv_batch *batch)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct kv_pair *pair = &batch->pairs[i];
        part->stats.bytes_read += pair->key.size + pair->value.size;
        TRY(kv_visit(visitor, arena, pair->key, pair->value, i));
    }
out:
    return st;
}

struct status kv_part_next(struct task *task, struct kv_parts *parts, uint32_t at,
    uint32_t rows_max, struct kv_visitor *visitor, struct arena *arena, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct part *part = &parts->parts[at];
    *count = 0;
    while (*count == 0 && !part->done) {
        if (part->resume == NULL && !hlc_is_zero(parts->call.uncertain) && SIM_MAYBE("parts.unsure"))
            TRY(status_make(K_MOVED, "a newer version may have been committed before the snapshot"));
        struct leader_scan request = {.span = part->rest, .rows_max = rows_max, .visitor = visitor};
        request.call = parts->call;
        request.call.slice = part->slice;
        request.call.seen = &part->seen;
        st = leader_call(task, &request.call, arena, LEADER_SCAN);
        part->stats.requests++;
        part->moved_to = hlc_max(part->moved_to, request.call.moved_to);
        if (!failed(st) && (request.visitor == NULL || !request.call.here)) {
            st = part_show(part, visitor, arena, &request.batch);
        } else if (!failed(st)) {
            part->stats.bytes_read += request.bytes_visited;
        }
        if (!failed(st)) {
            *count = request.batch.count;
            part->stats.rows_read += request.batch.count;
            part->done = request.done;
            if (!request.done) part_go_on(part, request.span.start);
        }
        leader_reply_end(&request.call);
        TRY(st);
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

struct status kv_parts_close(
    struct task *task, struct kv_txn *txn, struct kv_parts *parts, struct status st, bool *whole)
{
    struct hlc_timestamp moved_to = HLC_ZERO;
    *whole = !failed(st);
    for (uint32_t i = 0; i < parts->count; i++) {
        struct part *part = &parts->parts[i];
        txn->stats.requests += part->stats.requests;
        txn->stats.rows_read += part->stats.rows_read;
        txn->stats.bytes_read += part->stats.bytes_read;
        moved_to = hlc_max(moved_to, part->moved_to);
        if (*whole && parts->note) read_set_add_span(txn_noted(txn), part->all);
        free(part->resume);
        part->resume = NULL;
    }
    if (*whole) covered("parts.whole");
    if (status_is(st, K_WRONG_RANGE)) {
        st = router_evict_all(task, 0);
    } else if (status_is(st, K_MOVED)) {
        covered("parts.moved");
        st = txn_move(task, txn, moved_to);
    }
    return txn_outcome(txn, st);
}
