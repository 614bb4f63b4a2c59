// SPDX-License-Identifier: GPL-3.0-or-later
//
// Aggregates in parts: each shard that leads some of the rows scans, filters and aggregates them, all shards at once,
// and the session's merges the groups. A part is an aggregation of its own over the same plan, in a run without a
// session and with memory of its own. Whatever goes wrong on the way but a failure of the statement's (too many groups,
// ranges or the snapshot moving) ends in the plain way: nothing has been given out yet.
#include "core/invariant.h"
#include "core/mark.h"
#include "sql/exec/op_aggregate.h"

// Of one part: beyond that there are too many groups for it.
#define PART_BYTES_MAX (64u << 20)

struct fragment {
    const struct op *of;  // The session's; only read.
    struct run run;
    struct arena arena;
    struct memory_account memory;
    struct op *op;
};

static struct status fragment_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct fragment *fragment = arg;
    TRY(op_create(task, &fragment->run, fragment->of->node, &fragment->op));
    TRY(op_rewind(task, fragment->op));
    TRY(aggregate_take_input(task, (struct aggregate_op *)fragment->op));
out:
    return st;
}

static void fragment_init(
    struct fragment *fragment, const struct op *of, struct kv_parts *parts, uint32_t part)
{
    *fragment = (struct fragment){.of = of};
    memory_account_init(&fragment->memory, NULL, "partial aggregate", PART_BYTES_MAX);
    arena_init(&fragment->arena, &fragment->memory);
    fragment->run = (struct run){.arena = &fragment->arena,
        .account = &fragment->memory,
        .slots = of->run->slots,
        .capacity = of->run->capacity,
        .plan = of->run->plan,
        .parts = parts,
        .part = part};
}

static void fragment_fini(struct fragment *fragment)
{
    op_close(fragment->op);
    arena_fini(&fragment->arena);
    memory_account_fini(&fragment->memory);
}

// --- merging -----------------------------------------------------------------------------------------

// *room false: there are too many groups for memory.
static struct status merge(struct task *task, struct aggregate_op *agg,
    const struct aggregate_op *part, bool *room)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    const bool keyed = node->group_count > 0;
    const uint64_t count = keyed ? part->groups.keys.count : part->group_states != NULL;
    agg->rows_seen += part->rows_seen;
    for (uint64_t g = 0; g < count && !node->count_only; g++) {
        uint32_t number = 0;
        bool added = !keyed && agg->group_states == NULL;
        if (keyed) {
            for (uint32_t k = 0; k < node->group_count; k++)
                agg->keys[k] = &part->groups.keys.rows[g][k];
            TRY(row_hash_find(task, &agg->groups, agg->keys, 0, &number, &added));
        }
        if (added) aggregate_new_group(agg, number);
        for (uint32_t i = 0; i < node->call_count; i++) {
            agg->calls[i].task = task;
            TRY(node->calls[i].function->aggregate->merge(&agg->calls[i],
                agg->group_states[number] + agg->offsets[i],
                part->group_states[g] + agg->offsets[i]));
        }
        if (g % 256 != 255) continue;
        TRY(arena_check(&agg->states));
        *room = !run_spills(agg->op.run, &agg->memory, row_hash_growth(&agg->groups, 512));
        if (!*room) goto out;
        TRY(task_yield_if_due(task));
    }
    TRY(arena_check(&agg->states));

out:
    return st;
}

static void measure(struct aggregate_op *agg, const struct fragment *fragments,
    const struct kv_parts *parts, const struct kv_txn_stats *before)
{
    struct op_stats *stats = agg->op.stats, *scan = agg->op.left->stats;
    uint64_t shards = 0;
    if (stats == NULL) return;
    stats->parts = kv_parts_count(parts);
    for (uint32_t i = 0; i < stats->parts; i++) {
        shards |= UINT64_C(1) << (kv_part_shard(parts, i) & 63u);
        scan->rows += fragments[i].op->left->rows;
    }
    stats->shards = (uint32_t)__builtin_popcountll(shards);
    const struct kv_txn_stats *now = kv_txn_stats(agg->op.run->txn);
    scan->kv.requests += now->requests - before->requests;
    scan->kv.rows_read += now->rows_read - before->rows_read;
    scan->kv.bytes_read += now->bytes_read - before->bytes_read;
}

// --- all parts ---------------------------------------------------------------------------------------

static struct status run_parts(struct task *task, struct fragment *fragments,
    struct kv_parts *parts, struct arena *scratch)
{
    const uint32_t count = kv_parts_count(parts);
    struct shard_call_item *items = ARENA_ARRAY(scratch, struct shard_call_item, count);
    for (uint32_t i = 0; i < count; i++)
        items[i] = (struct shard_call_item){
            .target = kv_part_shard(parts, i), .fn = fragment_run, .arg = &fragments[i]};
    return shard_call_many(task, items, count);
}

static struct status take_parts(struct task *task, struct aggregate_op *agg,
    struct kv_parts *parts, struct arena *scratch, bool *done)
{
    struct op *op = &agg->op;
    const uint32_t count = kv_parts_count(parts);
    const struct kv_txn_stats before = *kv_txn_stats(op->run->txn);
    bool whole = false, room = true;
    struct fragment *fragments = ARENA_ARRAY(scratch, struct fragment, count);
    for (uint32_t i = 0; i < count; i++) fragment_init(&fragments[i], op, parts, i);
    struct status st = run_parts(task, fragments, parts, scratch);
    const bool full = status_is(st, E_OUT_OF_MEMORY);
    struct status closed = kv_parts_close(task, op->run->txn, parts, st, &whole);
    st = full && status_is(closed, E_OUT_OF_MEMORY) ? STATUS_OK : closed;
    for (uint32_t i = 0; i < count && whole && room && !failed(st); i++)
        st = merge(task, agg, (struct aggregate_op *)fragments[i].op, &room);
    *done = whole && room && !failed(st);
    if (*done) measure(agg, fragments, parts, &before);
    if (failed(st)) st = status_copy(&op->run->session->statement_arena, st);
    for (uint32_t i = 0; i < count; i++) fragment_fini(&fragments[i]);
    return st;
}

struct status aggregate_in_parts(struct task *task, struct aggregate_op *agg, bool *done)
{
    struct status st = STATUS_OK;
    struct op *op = &agg->op;
    const struct kv_read read = {.no_validate = op->left->node->scan.no_validate};
    const struct span *spans;
    struct kv_parts *parts = NULL;
    uint32_t count;
    struct arena scratch;
    *done = false;
    // A part has no parts.
    if (op->run->session == NULL || kv_is_on_one_shard(task)) return st;
    arena_init(&scratch, op->run->account);
    op_scan_spans(op->left, &spans, &count);
    TRY(kv_parts_open(task, op->run->txn, &read, spans, count, &scratch, &parts));
    if (parts == NULL || !kv_parts_elsewhere(task, parts)) goto out;
    if (op->node->aggregate.group_count == 0 && op->node->aggregate.plain &&
        agg->group_states == NULL)
        aggregate_new_group(agg, 0);
    TRY(take_parts(task, agg, parts, &scratch, done));
    if (*done) {
        covered("sql.partial_aggregates");
    } else {
        aggregate_restart(agg);
        agg->rows_seen = 0;
    }
out:
    arena_fini(&scratch);
    return st;
}
