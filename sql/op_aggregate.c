// SPDX-License-Identifier: GPL-3.0-or-later
//
// GROUP BY and aggregates, by hash. Aggregates with DISTINCT or ORDER BY keep their arguments and are
// computed when the input is at its end.
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/op.h"
#include "sql/op_classes.h"

struct kept_args { // Arguments of one DISTINCT or ordered aggregate: group, arguments, order keys.
    struct row_store store;
    struct row_hash seen; // DISTINCT: group and arguments.
    type_oid *types;
};

struct aggregate_op {
    struct op op;
    struct expr_state *state;
    struct row_hash groups;
    struct arena states;      // Aggregates' states and what they point to.
    uint8_t **group_states;   // Per group: the states of all calls, one after another.
    uint64_t group_capacity;
    size_t *offsets;          // Of each call's state.
    size_t states_bytes;
    struct function_call *calls;
    struct kept_args *kept;
    struct datum **keys;
    struct datum *set_numbers, *nulls; // Columns of the keys, of GROUPING SETS.
    struct datum *args;
    uint64_t at;
    uint64_t rows_seen;
    bool filled;
};

static bool is_kept(const struct node_aggregate_call *call)
{
    return call->distinct || call->order_count > 0;
}

static void init_kept(struct aggregate_op *agg, const struct node_aggregate_call *call,
    struct kept_args *kept)
{
    struct run *run = agg->op.run;
    uint32_t width = 1 + call->arg_count + call->order_count;
    kept->types = ARENA_ARRAY(run->arena, type_oid, width);
    kept->types[0] = TYPE_INT8;
    for (uint32_t i = 0; i < call->arg_count; i++) kept->types[1 + i] = call->arg_types[i].oid;
    for (uint32_t i = 0; i < call->order_count; i++)
        kept->types[1 + call->arg_count + i] = call->order_types[i];
    row_store_init(&kept->store, run->account, kept->types, width);
    row_hash_init(&kept->seen, run->account, kept->types, 1 + call->arg_count);
}

static uint32_t key_count(const struct node_aggregate *node)
{
    return node->group_count + (node->set_count > 0);
}

static void alloc_sets(struct aggregate_op *agg)
{
    struct run *run = agg->op.run;
    agg->set_numbers = ARENA_ARRAY(run->arena, struct datum, run->capacity);
    agg->nulls = ARENA_ARRAY(run->arena, struct datum, run->capacity);
    for (uint32_t i = 0; i < run->capacity; i++) agg->nulls[i] = DATUM_NULL;
}

static struct status aggregate_open(struct task *task, struct op *op)
{
    struct aggregate_op *agg = (struct aggregate_op *)op;
    const struct node_aggregate *node = &op->node->aggregate;
    struct arena *arena = op->run->arena;
    (void)task;
    agg->state = expr_state_new(arena, op->run, node->program, op->run->capacity);
    row_hash_init(&agg->groups, op->run->account, node->group_types, key_count(node));
    arena_init(&agg->states, op->run->account);
    op_alloc_columns(op, op->node->layout.count);
    agg->offsets = ARENA_ARRAY(arena, size_t, node->call_count);
    agg->calls = ARENA_ARRAY(arena, struct function_call, node->call_count);
    agg->kept = ARENA_ARRAY(arena, struct kept_args, node->call_count);
    agg->keys = ARENA_ARRAY(arena, struct datum *, key_count(node));
    if (node->set_count > 0) alloc_sets(agg);
    uint32_t args_max = 1;
    for (uint32_t i = 0; i < node->call_count; i++) {
        const struct node_aggregate_call *call = &node->calls[i];
        agg->offsets[i] = agg->states_bytes;
        agg->states_bytes += (call->function->aggregate->state_bytes + 15u) & ~(size_t)15u;
        agg->calls[i] = (struct function_call){.session = op->run->session,
            .arena = &agg->states,
            .context = &op->run->session->types,
            .arg_types = call->arg_types,
            .arg_count = call->arg_count,
            .result_type = call->type,
            .state_arena = arena};
        if (call->arg_count > args_max) args_max = call->arg_count;
        if (is_kept(call)) init_kept(agg, call, &agg->kept[i]);
    }
    agg->args = ARENA_ARRAY(arena, struct datum, args_max);
    return STATUS_OK;
}

static struct status aggregate_rewind(struct task *task, struct op *op)
{
    struct aggregate_op *agg = (struct aggregate_op *)op;
    const struct node_aggregate *node = &op->node->aggregate;
    row_hash_reset(&agg->groups);
    arena_reset(&agg->states);
    agg->group_states = NULL;
    agg->group_capacity = agg->at = agg->rows_seen = 0;
    agg->filled = false;
    for (uint32_t i = 0; i < node->call_count; i++) {
        if (!is_kept(&node->calls[i])) continue;
        row_store_reset(&agg->kept[i].store);
        row_hash_reset(&agg->kept[i].seen);
    }
    expr_state_rewind(agg->state);
    return op_rewind(task, op->left);
}

static void aggregate_close(struct op *op)
{
    struct aggregate_op *agg = (struct aggregate_op *)op;
    const struct node_aggregate *node = &op->node->aggregate;
    row_hash_fini(&agg->groups);
    arena_fini(&agg->states);
    for (uint32_t i = 0; agg->kept != NULL && i < node->call_count; i++) {
        if (!is_kept(&node->calls[i])) continue;
        row_store_fini(&agg->kept[i].store);
        row_hash_fini(&agg->kept[i].seen);
    }
}

static void new_group(struct aggregate_op *agg, uint64_t number)
{
    const struct node_aggregate *node = &agg->op.node->aggregate;
    if (number >= agg->group_capacity) {
        uint64_t capacity = agg->group_capacity == 0 ? 64 : agg->group_capacity * 2;
        agg->group_states = arena_grow(&agg->states, agg->group_states,
            agg->group_capacity * sizeof(uint8_t *), capacity * sizeof(uint8_t *));
        agg->group_capacity = capacity;
    }
    uint8_t *states = arena_alloc_aligned(&agg->states, agg->states_bytes + 16, 16);
    memset(states, 0, agg->states_bytes);
    agg->group_states[number] = states;
    for (uint32_t i = 0; i < node->call_count; i++)
        if (node->calls[i].function->aggregate->init != NULL)
            node->calls[i].function->aggregate->init(states + agg->offsets[i]);
}

static struct status keep_args(struct task *task, struct aggregate_op *agg, uint32_t at,
    uint64_t group, uint32_t row)
{
    struct status st = STATUS_OK;
    const struct node_aggregate_call *call = &agg->op.node->aggregate.calls[at];
    struct kept_args *kept = &agg->kept[at];
    struct datum *columns[2 + 8];
    struct datum number = datum_int((int64_t)group);
    if (call->distinct) {
        // A one-row view of group and arguments.
        if (call->arg_count > 8)
            return status_make(E_TOO_MANY_ARGUMENTS, "too many arguments of a DISTINCT aggregate");
        uint32_t seen;
        bool added;
        columns[0] = &number;
        for (uint32_t i = 0; i < call->arg_count; i++) columns[1 + i] = &agg->args[i];
        TRY(row_hash_find(task, &kept->seen, columns, 0, &seen, &added));
        if (!added) return st;
    }
    struct datum *kept_row = row_store_new(&kept->store);
    row_store_set(&kept->store, kept_row, 0, number);
    for (uint32_t i = 0; i < call->arg_count; i++)
        row_store_set(&kept->store, kept_row, 1 + i, agg->args[i]);
    for (uint32_t i = 0; i < call->order_count; i++)
        row_store_set(&kept->store, kept_row, 1 + call->arg_count + i,
            expr_column(agg->state, call->first_order + i)[row]);

out:
    return st;
}

static struct status step(struct task *task, struct aggregate_op *agg, uint32_t at, uint64_t group,
    const struct datum *args)
{
    const struct node_aggregate_call *call = &agg->op.node->aggregate.calls[at];
    const struct aggregate_ops *ops = call->function->aggregate;
    if (!ops->takes_null)
        for (uint32_t i = 0; i < call->arg_count; i++)
            if (args[i].null) return STATUS_OK;
    agg->calls[at].task = task;
    return ops->step(&agg->calls[at], agg->group_states[group] + agg->offsets[at], args);
}

static struct status add_row(
    struct task *task, struct aggregate_op *agg, uint32_t at, uint64_t group, uint32_t row)
{
    const struct node_aggregate_call *call = &agg->op.node->aggregate.calls[at];
    if (call->filter != UINT32_MAX) {
        struct datum condition = expr_column(agg->state, call->filter)[row];
        if (condition.null || !condition.boolean) return STATUS_OK;
    }
    for (uint32_t i = 0; i < call->arg_count; i++)
        agg->args[i] = expr_column(agg->state, call->first_arg + i)[row];
    if (is_kept(call)) return keep_args(task, agg, at, group, row);
    return step(task, agg, at, group, agg->args);
}

// The keys of rows in one set of groups: what is not in it is NULL, and its number is the last.
static void use_set(struct aggregate_op *agg, uint32_t set, uint32_t rows)
{
    const struct node_aggregate *node = &agg->op.node->aggregate;
    for (uint32_t k = 0; k < node->group_count; k++)
        agg->keys[k] = node->in_set[set * node->group_count + k] && agg->rows_seen > 0
                           ? expr_column(agg->state, k)
                           : agg->nulls;
    for (uint32_t i = 0; i < rows; i++) agg->set_numbers[i] = datum_int(set);
    agg->keys[node->group_count] = agg->set_numbers;
}

static struct status add_rows(
    struct task *task, struct aggregate_op *agg, const struct batch *in)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    bool keyed = key_count(node) > 0;
    for (uint32_t n = 0; n < in->selected; n++) {
        uint32_t row = batch_row(in, n), group = 0;
        if (keyed) {
            bool added;
            TRY(row_hash_find(task, &agg->groups, agg->keys, row, &group, &added));
            if (added) new_group(agg, group);
        }
        for (uint32_t i = 0; i < node->call_count; i++) TRY(add_row(task, agg, i, group, row));
    }

out:
    return st;
}

static struct status add_batch(
    struct task *task, struct aggregate_op *agg, const struct batch *in)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    struct op *op = &agg->op;
    arena_reset(&op->arena);
    TRY(expr_run(task, agg->state, in, &op->arena));
    if (node->set_count == 0) {
        for (uint32_t k = 0; k < node->group_count; k++)
            agg->keys[k] = expr_column(agg->state, k);
        TRY(add_rows(task, agg, in));
    }
    for (uint32_t s = 0; s < node->set_count; s++) {
        use_set(agg, s, in->count);
        TRY(add_rows(task, agg, in));
    }
    TRY(arena_check(&agg->states));
    TRY(arena_check(&agg->groups.keys.arena));

out:
    return st;
}

// A set without groups gives a row even of no input.
static struct status add_empty_sets(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    for (uint32_t s = 0; s < node->set_count && agg->rows_seen == 0; s++) {
        bool empty = true, added;
        uint32_t group;
        for (uint32_t k = 0; k < node->group_count; k++)
            empty &= !node->in_set[s * node->group_count + k];
        if (!empty) continue;
        use_set(agg, s, 1);
        TRY(row_hash_find(task, &agg->groups, agg->keys, 0, &group, &added));
        new_group(agg, group);
    }

out:
    return st;
}

// --- kept arguments ----------------------------------------------------------------------------------

static int compare_kept(const struct node_aggregate_call *call, const type_oid *types,
    const struct datum *a, const struct datum *b)
{
    if (a[0].integer != b[0].integer) return a[0].integer < b[0].integer ? -1 : 1;
    uint32_t first = call->order_count > 0 ? 1 + call->arg_count : 1;
    uint32_t count = call->order_count > 0 ? call->order_count : call->arg_count;
    for (uint32_t i = 0; i < count; i++) {
        struct datum x = a[first + i], y = b[first + i];
        bool descending = call->order_count > 0 && call->descending[i];
        bool nulls_first = call->order_count > 0 && call->nulls_first[i];
        if (x.null || y.null) {
            if (x.null && y.null) continue;
            return x.null == nulls_first ? -1 : 1;
        }
        int order = type_compare(types[first + i], x, y);
        if (order != 0) return descending ? -order : order;
    }
    return 0;
}

static struct status sort_kept(struct task *task, const struct node_aggregate_call *call,
    struct kept_args *kept)
{
    struct status st = STATUS_OK;
    uint64_t count = kept->store.count;
    struct datum **from = kept->store.rows;
    struct datum **to = arena_try_alloc(&kept->store.arena, count * sizeof *to + 8);
    if (to == NULL) return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: aggregate");
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t start = 0; start < count; start += 2 * width) {
            uint64_t middle = start + width < count ? start + width : count;
            uint64_t end = start + 2 * width < count ? start + 2 * width : count;
            uint64_t a = start, b = middle;
            for (uint64_t out = start; out < end; out++) {
                bool left = b >= end ||
                            (a < middle && compare_kept(call, kept->types, from[a], from[b]) <= 0);
                to[out] = left ? from[a++] : from[b++];
            }
            TRY(task_yield_if_due(task));
        }
        struct datum **swap = from;
        from = to;
        to = swap;
    }
    kept->store.rows = from;

out:
    return st;
}

static struct status finish_kept(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    for (uint32_t i = 0; i < node->call_count; i++) {
        const struct node_aggregate_call *call = &node->calls[i];
        struct kept_args *kept = &agg->kept[i];
        if (!is_kept(call)) continue;
        TRY(arena_check(&kept->store.arena));
        TRY(sort_kept(task, call, kept));
        for (uint64_t r = 0; r < kept->store.count; r++) {
            const struct datum *row = kept->store.rows[r];
            TRY(step(task, agg, i, (uint64_t)row[0].integer, row + 1));
            if ((r & 255u) == 255u) TRY(task_yield_if_due(task));
        }
    }

out:
    return st;
}

static struct status aggregate_fill(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    bool keyed = key_count(node) > 0;
    if (!keyed && node->plain) new_group(agg, 0);
    for (;;) {
        struct batch *in;
        TRY(op_next(task, agg->op.left, &in));
        if (in->selected == 0) break;
        if (!keyed && agg->group_states == NULL) new_group(agg, 0);
        agg->rows_seen += in->selected;
        if (!node->count_only) TRY(add_batch(task, agg, in));
        TRY(task_yield_if_due(task));
    }
    TRY(add_empty_sets(task, agg));
    TRY(finish_kept(task, agg));
    agg->filled = true;

out:
    return st;
}

static struct status aggregate_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct aggregate_op *agg = (struct aggregate_op *)op;
    const struct node_aggregate *node = &op->node->aggregate;
    uint32_t count = 0;
    *out = &op->out;
    op->out.selected = 0;
    if (!agg->filled) TRY(aggregate_fill(task, agg));
    uint64_t groups = key_count(node) > 0 ? agg->groups.keys.count : agg->group_states != NULL;
    arena_reset(&op->arena);
    for (; count < op->run->capacity && agg->at < groups; count++, agg->at++) {
        for (uint32_t k = 0; k < node->group_count; k++)
            op->out.columns[k][count] = agg->groups.keys.rows[agg->at][k];
        for (uint32_t i = 0; i < node->grouping_count; i++) {
            int64_t set =
                node->set_count == 0 ? 0 : agg->groups.keys.rows[agg->at][node->group_count].integer;
            op->out.columns[node->group_count + node->call_count + i][count] =
                datum_int(node->groupings[i].values[set]);
        }
        for (uint32_t i = 0; i < node->call_count; i++) {
            struct datum *result = &op->out.columns[node->group_count + i][count];
            *result = (struct datum){0};
            if (node->count_only) {
                *result = datum_int((int64_t)agg->rows_seen);
                continue;
            }
            agg->calls[i].task = task;
            agg->calls[i].arena = &op->arena;
            st = node->calls[i].function->aggregate->final(
                &agg->calls[i], agg->group_states[agg->at] + agg->offsets[i], result);
            agg->calls[i].arena = &agg->states;
            TRY(st);
        }
    }
    TRY(arena_check(&op->arena));
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    op->rows += count;

out:
    return st;
}

const struct op_class op_aggregate_class = {sizeof(struct aggregate_op), aggregate_open,
    aggregate_rewind, aggregate_next, aggregate_close};
