// SPDX-License-Identifier: GPL-3.0-or-later
//
// GROUP BY and aggregates, by hash. Aggregates with DISTINCT or ORDER BY keep their arguments and are
// computed when the input is at its end. When there is no room for more groups, rows of others are put off:
// what was computed of them goes to the temporary file and comes back part by part. Where the input is in the
// groups' order, there is no hash: a batch of groups at a time is made and given out.
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/type/collation.h"
#include "sql/exec/op_aggregate.h"
#include "sql/exec/op_classes.h"

#define CALL_WORK 16u // What a step of an aggregate counts for with task_work, besides its bytes.

static bool is_kept(const struct node_aggregate_call *call)
{
    return call->distinct || call->order_count > 0;
}

// By group; then in the order asked for, and arguments of equal ones beside each other.
static int compare_kept(const void *arg, const struct datum *a, const struct datum *b)
{
    const struct kept_args *kept = arg;
    const struct node_aggregate_call *call = kept->call;
    uint32_t args = call->arg_count, orders = call->order_count;
    uint32_t count = call->distinct ? orders + args : orders;
    if (a[0].integer != b[0].integer) return a[0].integer < b[0].integer ? -1 : 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i < orders ? 1 + args + i : 1 + i - orders;
        struct datum x = a[at], y = b[at];
        bool descending = i < orders && call->descending[i];
        bool nulls_first = i < orders && call->nulls_first[i];
        if (x.null || y.null) {
            if (x.null && y.null) continue;
            return x.null == nulls_first ? -1 : 1;
        }
        int order = type_compare(kept->types[at], x, y);
        if (order != 0) return descending ? -order : order;
    }
    return 0;
}

static void init_kept(struct aggregate_op *agg, const struct node_aggregate_call *call,
    struct kept_args *kept)
{
    struct run *run = agg->op.run;
    uint32_t width = 1 + call->arg_count + call->order_count;
    kept->call = call;
    kept->width = width;
    kept->types = ARENA_ARRAY(run->arena, type_oid, width);
    kept->types[0] = TYPE_INT8;
    for (uint32_t i = 0; i < call->arg_count; i++) kept->types[1 + i] = collation_type(call->arg_types[i]);
    for (uint32_t i = 0; i < call->order_count; i++)
        kept->types[1 + call->arg_count + i] = call->order_types[i];
    row_sort_init(&kept->sort, &agg->op, kept->types, width, compare_kept, kept);
    memory_account_init(&kept->memory, &agg->op.memory, "distinct", 0);
    row_hash_init(&kept->seen, &kept->memory, kept->types, 1 + call->arg_count);
    arena_init(&kept->last_arena, &agg->op.memory);
    kept->last = ARENA_ARRAY(run->arena, struct datum, width);
}

static void reset_kept(struct kept_args *kept)
{
    row_sort_reset(&kept->sort);
    row_hash_reset(&kept->seen);
    kept->unseen = false;
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

// What a row that is put off consists of.
static void init_back(struct aggregate_op *agg)
{
    const struct node_aggregate *node = &agg->op.node->aggregate;
    struct run *run = agg->op.run;
    uint32_t keys = key_count(node), outputs = expr_output_count(node->program);
    agg->columns = ARENA_ARRAY(run->arena, struct datum *, outputs + 1);
    agg->back_count = keys + outputs - node->group_count;
    agg->back_types = ARENA_ARRAY(run->arena, type_oid, agg->back_count + 1);
    for (uint32_t i = 0; i < agg->back_count; i++)
        agg->back_types[i] = i < keys ? node->group_types[i] : TYPE_INT8;
    type_oid *types = agg->back_types + keys - node->group_count; // By output.
    for (uint32_t i = 0; i < node->call_count; i++) {
        const struct node_aggregate_call *call = &node->calls[i];
        for (uint32_t a = 0; a < call->arg_count; a++)
            types[call->first_arg + a] = call->arg_types[a].oid;
        for (uint32_t o = 0; o < call->order_count; o++)
            types[call->first_order + o] = call->order_types[o];
        if (call->filter != UINT32_MAX) types[call->filter] = TYPE_BOOL;
    }
    partitions_init(&agg->parts, &agg->op);
    arena_init(&agg->back_arena, &agg->op.memory);
}

static struct status aggregate_open(struct task *task, struct op *op)
{
    struct aggregate_op *agg = (struct aggregate_op *)op;
    const struct node_aggregate *node = &op->node->aggregate;
    struct arena *arena = op->run->arena;
    (void)task;
    agg->state = expr_state_new(arena, op->run, node->program, op->run->capacity);
    memory_account_init(&agg->memory, &op->memory, "groups", 0);
    row_hash_init(&agg->groups, &agg->memory, node->group_types, key_count(node));
    arena_init(&agg->states, &agg->memory);
    init_back(agg);
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
            .context = run_types(op->run),
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

void aggregate_restart(struct aggregate_op *agg)
{
    const struct node_aggregate *node = &agg->op.node->aggregate;
    row_hash_reset(&agg->groups);
    arena_reset(&agg->states);
    agg->group_states = NULL;
    agg->group_capacity = agg->at = 0;
    agg->filled = agg->spilling = false;
    for (uint32_t i = 0; i < node->call_count; i++)
        if (is_kept(&node->calls[i])) reset_kept(&agg->kept[i]);
}

static struct status aggregate_rewind(struct task *task, struct op *op)
{
    struct aggregate_op *agg = (struct aggregate_op *)op;
    aggregate_restart(agg);
    agg->rows_seen = 0;
    agg->in = NULL;
    agg->in_at = 0;
    agg->ended = false;
    partitions_reset(&agg->parts);
    partition_free(agg->part);
    agg->part = NULL;
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
        row_sort_fini(&agg->kept[i].sort);
        row_hash_fini(&agg->kept[i].seen);
        arena_fini(&agg->kept[i].last_arena);
        memory_account_fini(&agg->kept[i].memory);
    }
    partitions_reset(&agg->parts);
    partition_free(agg->part);
    arena_fini(&agg->back_arena);
    memory_account_fini(&agg->memory);
}

void aggregate_new_group(struct aggregate_op *agg, uint64_t number)
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
    if (call->distinct && !kept->unseen) {
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
    struct row_store *store = &kept->sort.store;
    struct datum *kept_row = row_store_new(store);
    row_store_set(store, kept_row, 0, number);
    for (uint32_t i = 0; i < call->arg_count; i++)
        row_store_set(store, kept_row, 1 + i, agg->args[i]);
    for (uint32_t i = 0; i < call->order_count; i++)
        row_store_set(store, kept_row, 1 + call->arg_count + i,
            agg->columns[call->first_order + i][row]);
    TRY(row_store_work(task, store));

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
        struct datum condition = agg->columns[call->filter][row];
        if (condition.null || !condition.boolean) return STATUS_OK;
    }
    for (uint32_t i = 0; i < call->arg_count; i++)
        agg->args[i] = agg->columns[call->first_arg + i][row];
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

static struct status put_off(struct task *task, struct aggregate_op *agg, uint32_t row)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    uint32_t keys = key_count(node);
    if (agg->back == NULL)
        agg->back = ARENA_ARRAY(agg->op.run->arena, struct datum *, agg->back_count + 1);
    // What came back goes as it is.
    for (uint32_t i = 0; i < agg->back_count && agg->part == NULL; i++)
        agg->back[i] = i < keys ? agg->keys[i] : agg->columns[node->group_count + i - keys];
    uint64_t hash = row_hash_of(node->group_types, keys, agg->keys, row);
    TRY(spill_tape_add(task, partitions_tape(&agg->parts, 0, hash), agg->back_types,
        agg->back_count, agg->back, NULL, row));

out:
    return st;
}

static bool no_room(const struct aggregate_op *agg)
{
    const struct run *run = agg->op.run;
    uint64_t count = agg->groups.keys.count, more = row_hash_growth(&agg->groups, run->capacity);
    if (agg->spilling || key_count(&agg->op.node->aggregate) == 0 || !partitions_can(&agg->parts))
        return agg->spilling;
    if (count + run->capacity > agg->group_capacity) more += agg->group_capacity * 2 * 8;
    return run_spills(run, &agg->memory, more);
}

static struct status check_memory(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    const struct run *run = agg->op.run;
    for (uint32_t i = 0; i < node->call_count; i++) {
        struct kept_args *kept = &agg->kept[i];
        if (!is_kept(&node->calls[i])) continue;
        TRY(row_sort_check(task, &kept->sort));
        if (!node->calls[i].distinct || kept->unseen) continue;
        kept->unseen =
            run_spills(run, &kept->memory, row_hash_growth(&kept->seen, run->capacity));
        if (kept->unseen) row_hash_reset(&kept->seen);
    }
    TRY(arena_check(&agg->states));

out:
    return st;
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
            bool added = false;
            TRY(row_hash_find(
                task, &agg->groups, agg->keys, row, &group, agg->spilling ? NULL : &added));
            if (added) aggregate_new_group(agg, group);
            if (group == ROW_HASH_NONE) {
                TRY(put_off(task, agg, row));
                continue;
            }
        }
        for (uint32_t i = 0; i < node->call_count; i++) TRY(add_row(task, agg, i, group, row));
        TRY(task_work(task, node->call_count * CALL_WORK));
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
    for (uint32_t i = 0; i < expr_output_count(node->program); i++)
        agg->columns[i] = expr_column(agg->state, i);
    agg->spilling = no_room(agg);
    if (node->set_count == 0) {
        for (uint32_t k = 0; k < node->group_count; k++)
            agg->keys[k] = expr_column(agg->state, k);
        TRY(add_rows(task, agg, in));
    }
    for (uint32_t s = 0; s < node->set_count; s++) {
        use_set(agg, s, in->count);
        TRY(add_rows(task, agg, in));
    }
    TRY(check_memory(task, agg));

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
        aggregate_new_group(agg, group);
    }

out:
    return st;
}

// --- kept arguments ----------------------------------------------------------------------------------

static bool same_kept(const struct kept_args *kept, const struct datum *row)
{
    if (row[0].integer != kept->last[0].integer) return false;
    for (uint32_t i = 1; i <= kept->call->arg_count; i++) {
        struct datum a = kept->last[i], b = row[i];
        if (a.null != b.null || (!a.null && !type_equal(kept->types[i], a, b))) return false;
    }
    return true;
}

static void remember_kept(struct kept_args *kept, const struct datum *row)
{
    arena_reset(&kept->last_arena);
    for (uint32_t i = 0; i <= kept->call->arg_count; i++) {
        struct datum value = row[i];
        if (!value.null && !type_is_by_value(kept->types[i]))
            value.data = task_copy(&kept->last_arena, datum_as_bytes(value)).data;
        kept->last[i] = value;
    }
}

static struct status finish_kept(struct task *task, struct aggregate_op *agg, uint32_t at)
{
    struct status st = STATUS_OK;
    struct kept_args *kept = &agg->kept[at];
    const struct datum *row;
    uint64_t rows = 0;
    kept->last[0] = datum_int(-1);
    TRY(row_sort_finish(task, &kept->sort));
    for (;;) {
        TRY(row_sort_next(task, &kept->sort, &row));
        if (row == NULL) break;
        if ((++rows & 255u) == 0) {
            TRY(arena_check(&agg->states));
            TRY(task_yield_if_due(task));
        }
        if (kept->unseen && same_kept(kept, row)) continue;
        if (kept->unseen) remember_kept(kept, row);
        TRY(step(task, agg, at, (uint64_t)row[0].integer, row + 1));
    }

out:
    return st;
}

// The groups in hand are complete.
static struct status finish_groups(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    for (uint32_t i = 0; i < node->call_count; i++)
        if (is_kept(&node->calls[i])) TRY(finish_kept(task, agg, i));
    TRY(partitions_end(task, &agg->parts));
    agg->filled = true;

out:
    return st;
}

struct status aggregate_take_input(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    bool keyed = key_count(node) > 0;
    if (!keyed && node->plain) aggregate_new_group(agg, 0);
    for (;;) {
        struct batch *in;
        TRY(op_next(task, agg->op.left, &in));
        if (in->selected == 0) break;
        if (!keyed && agg->group_states == NULL) aggregate_new_group(agg, 0);
        agg->rows_seen += in->selected;
        if (!node->count_only) TRY(add_batch(task, agg, in));
        TRY(task_yield_if_due(task));
    }

out:
    return st;
}

static struct status aggregate_fill(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    bool done = false;
    if (agg->op.node->aggregate.partial) TRY(aggregate_in_parts(task, agg, &done));
    if (!done) TRY(aggregate_take_input(task, agg));
    TRY(add_empty_sets(task, agg));
    TRY(finish_groups(task, agg));

out:
    return st;
}

static void alloc_back(struct aggregate_op *agg)
{
    const struct node_aggregate *node = &agg->op.node->aggregate;
    struct run *run = agg->op.run;
    uint32_t keys = key_count(node);
    for (uint32_t i = 0; i < agg->back_count; i++)
        agg->back[i] = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
    for (uint32_t k = 0; k < keys; k++) agg->keys[k] = agg->back[k];
    for (uint32_t i = keys; i < agg->back_count; i++)
        agg->columns[node->group_count + i - keys] = agg->back[i];
}

// The groups of the next rows that were put off. *found false when there are none.
static struct status fill_part(struct task *task, struct aggregate_op *agg, bool *found)
{
    struct status st = STATUS_OK;
    struct run *run = agg->op.run;
    bool first = agg->part == NULL;
    struct spill_reader reader = {.held = UINT32_MAX};
    partition_free(agg->part);
    agg->part = partitions_next(&agg->parts);
    *found = agg->part != NULL;
    if (!*found) return st;
    aggregate_restart(agg);
    if (first) alloc_back(agg);
    spill_reader_init(&reader, &agg->part->tapes[0]);
    for (;;) {
        struct batch in = {0};
        arena_reset(&agg->back_arena);
        TRY(spill_read_batch(task, &reader, agg->back_types, agg->back_count, &agg->back_arena,
            agg->back, run->capacity, &in.count));
        if (in.count == 0) break;
        in.selected = in.count;
        agg->spilling = no_room(agg);
        TRY(add_rows(task, agg, &in));
        TRY(check_memory(task, agg));
        TRY(task_yield_if_due(task));
    }
    TRY(finish_groups(task, agg));

out:
    spill_reader_fini(&reader);
    return st;
}

// --- ordered input -----------------------------------------------------------------------------------

static bool same_group(const struct aggregate_op *agg, uint32_t row)
{
    const struct node_aggregate *node = &agg->op.node->aggregate;
    const struct row_store *keys = &agg->groups.keys;
    if (keys->count == 0) return false;
    const struct datum *last = keys->rows[keys->count - 1];
    for (uint32_t k = 0; k < node->group_count; k++) {
        struct datum a = last[k], b = agg->keys[k][row];
        if (a.null != b.null || (!a.null && !type_equal(node->group_types[k], a, b))) return false;
    }
    return true;
}

// Rows of the batch in hand, up to one that would begin a group too many: then *full.
static struct status add_ordered(struct task *task, struct aggregate_op *agg, bool *full)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    struct row_store *keys = &agg->groups.keys;
    for (; agg->in_at < agg->in->selected; agg->in_at++) {
        uint32_t row = batch_row(agg->in, agg->in_at);
        if (!same_group(agg, row)) {
            *full = keys->count == agg->op.run->capacity;
            if (*full) break;
            row_store_add(keys, agg->keys, NULL, row);
            aggregate_new_group(agg, keys->count - 1);
        }
        for (uint32_t i = 0; i < node->call_count; i++)
            TRY(add_row(task, agg, i, keys->count - 1, row));
    }
    TRY(check_memory(task, agg));
    TRY(task_yield_if_due(task));

out:
    return st;
}

static struct status fill_ordered(struct task *task, struct aggregate_op *agg)
{
    struct status st = STATUS_OK;
    const struct node_aggregate *node = &agg->op.node->aggregate;
    bool full = false;
    aggregate_restart(agg);
    while (!full) {
        if (agg->in == NULL || agg->in_at == agg->in->selected) {
            TRY(op_next(task, agg->op.left, &agg->in));
            agg->in_at = 0;
            agg->ended = agg->in->selected == 0;
            if (agg->ended) break;
            // Not the batch's own arena: groups are given out before all of its rows are looked at.
            arena_reset(&agg->back_arena);
            TRY(expr_run(task, agg->state, agg->in, &agg->back_arena));
            for (uint32_t i = 0; i < expr_output_count(node->program); i++)
                agg->columns[i] = expr_column(agg->state, i);
            for (uint32_t k = 0; k < node->group_count; k++) agg->keys[k] = agg->columns[k];
        }
        TRY(add_ordered(task, agg, &full));
    }
    TRY(finish_groups(task, agg));

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
    if (node->ordered && agg->at == agg->groups.keys.count && !agg->ended)
        TRY(fill_ordered(task, agg));
    else if (!agg->filled && !node->ordered)
        TRY(aggregate_fill(task, agg));
    uint64_t groups = key_count(node) > 0 ? agg->groups.keys.count : agg->group_states != NULL;
    for (bool found = !node->ordered; agg->at == groups && found;) {
        TRY(fill_part(task, agg, &found));
        if (found) groups = agg->groups.keys.count;
    }
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
