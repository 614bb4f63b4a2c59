// SPDX-License-Identifier: GPL-3.0-or-later
//
// Joins. Both kinds make candidates (a left row beside a right one), filter them a batch at a time, and
// note which left rows have met a partner. When a batch of the left side is done, its rows without one
// follow (LEFT, FULL, ANTI), or those with one (SEMI).
#include "core/invariant.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"
#include "sql/exec/op_join.h"

static struct status join_open(struct task *task, struct op *op)
{
    struct join_op *join = (struct join_op *)op;
    const struct node_join *node = &op->node->join;
    struct run *run = op->run;
    (void)task;
    join->matched = arena_alloc_zero(run->arena, run->capacity * sizeof(bool));
    join->origin = arena_alloc(run->arena, run->capacity * sizeof(uint16_t));
    join->selection = arena_alloc(run->arena, run->capacity * sizeof(uint16_t));
    join->nulls = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
    for (uint32_t i = 0; i < run->capacity; i++) join->nulls[i] = DATUM_NULL;
    join->wide.columns = ARENA_ARRAY(run->arena, struct datum *, node->wide.count);
    join->wide.column_count = node->wide.count;
    for (uint32_t c = 0; c < node->wide.count; c++)
        join->wide.columns[c] = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
    if (node->filter != NULL)
        join->filter = expr_state_new(run->arena, run, node->filter, run->capacity);
    op->out.columns = ARENA_ARRAY(run->arena, struct datum *, op->node->layout.count);
    op->out.column_count = op->node->layout.count;
    join->right_number = arena_alloc(run->arena, run->capacity * sizeof(uint32_t));
    memory_account_init(&join->memory, &op->memory, "hash join", 0);
    arena_init(&join->chains, &join->memory);
    arena_init(&join->probe, run->account);
    if (op->node->kind == NODE_HASH_JOIN) {
        join->left_keys = expr_state_new(run->arena, run, node->left_keys, run->capacity);
        join->right_keys = expr_state_new(run->arena, run, node->right_keys, run->capacity);
        join->keys = ARENA_ARRAY(run->arena, struct datum *, node->key_count);
        row_hash_init(&join->hash, &join->memory, node->key_types, node->key_count);
        row_store_init(
            &join->rows, &join->memory, node->right_types, op->node->right->layout.count);
        join_spill_open(join);
    } else if (op->node->kind == NODE_MERGE_JOIN) {
        join_merge_open(join);
    } else if (node->binding_values != NULL) {
        join->bindings = expr_state_new(run->arena, run, node->binding_values, run->capacity);
    }
    return STATUS_OK;
}

static struct status join_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct join_op *join = (struct join_op *)op;
    join->phase = JOIN_FETCH;
    join->built = join->probing = false;
    join->chain = 0;
    join->right_at = 0;
    join->right = NULL;
    if (op->node->kind == NODE_HASH_JOIN) join_spill_reset(join);
    if (op->node->kind == NODE_MERGE_JOIN) TRY(join_merge_rewind(task, join));
    if (join->filter != NULL) expr_state_rewind(join->filter);
    TRY(op_rewind(task, op->left));

out:
    return st;
}

static void join_close(struct op *op)
{
    struct join_op *join = (struct join_op *)op;
    join_spill_close(join);
    join_merge_close(join);
    arena_fini(&join->chains);
    arena_fini(&join->probe);
    row_hash_fini(&join->hash);
    row_store_fini(&join->rows);
    memory_account_fini(&join->memory);
}

// --- the hash table ----------------------------------------------------------------------------------

static uint32_t *grow_numbers(
    struct join_op *join, uint32_t *numbers, uint32_t need, uint32_t *capacity)
{
    if (need <= *capacity) return numbers;
    uint32_t bigger = *capacity == 0 ? 256 : *capacity * 2;
    while (bigger < need) bigger *= 2;
    uint32_t *copy = ARENA_ARRAY(&join->chains, uint32_t, bigger);
    if (*capacity > 0) memcpy(copy, numbers, *capacity * sizeof(uint32_t));
    *capacity = bigger;
    return copy;
}

static struct status add_right_row(
    struct task *task, struct join_op *join, const struct batch *in, uint32_t row, bool keep_all)
{
    struct status st = STATUS_OK;
    const struct node_join *node = &join->op.node->join;
    uint32_t number, key;
    bool null = false, added;
    for (uint32_t k = 0; k < node->key_count; k++) null |= join->keys[k][row].null;
    if (null && !keep_all) return st;
    if (join->rows.count >= INT32_MAX)
        return status_make(E_OUT_OF_MEMORY, "hash join is too large");
    number = (uint32_t)join->rows.count;
    row_store_add(&join->rows, in->columns, NULL, row);
    TRY(row_store_work(task, &join->rows));
    join->next = grow_numbers(join, join->next, number + 1, &join->next_capacity);
    if (null) {
        join->next[number] = join->null_first;
        join->null_first = number + 1;
        return st;
    }
    TRY(row_hash_find(task, &join->hash, join->keys, row, &key, &added));
    join->first = grow_numbers(join, join->first, key + 1, &join->first_capacity);
    join->next[number] = join->first[key];
    join->first[key] = number + 1;

out:
    return st;
}

void join_hash_reset(struct join_op *join)
{
    row_hash_reset(&join->hash);
    row_store_reset(&join->rows);
    arena_reset(&join->chains);
    join->first = join->next = NULL;
    join->first_capacity = join->next_capacity = join->null_first = 0;
    join->right_matched = NULL;
    join->right_at = 0;
}

struct status join_add_right(struct task *task, struct join_op *join, const struct batch *in)
{
    struct status st;
    const struct node_join *node = &join->op.node->join;
    arena_reset(&join->op.arena);
    TRY(expr_run(task, join->right_keys, in, &join->op.arena));
    for (uint32_t k = 0; k < node->key_count; k++) join->keys[k] = expr_column(join->right_keys, k);
    for (uint32_t n = 0; n < in->selected; n++)
        TRY(add_right_row(task, join, in, batch_row(in, n), node->kind == REL_FULL));
    TRY(arena_check(&join->rows.arena));

out:
    return st;
}

static struct status begin_right_matched(struct join_op *join)
{
    if (join->op.node->join.kind == REL_FULL)
        join->right_matched = ARENA_ARRAY(&join->chains, bool, join->rows.count + 1);
    return STATUS_OK;
}

static struct status next_part(struct task *task, struct join_op *join)
{
    struct status st;
    bool found;
    TRY(join_next_part(task, join, &found));
    if (!found) join->phase = JOIN_DONE;
    TRY(begin_right_matched(join));

out:
    return st;
}

static struct status build_hash(struct task *task, struct join_op *join)
{
    struct status st = STATUS_OK;
    struct op *op = &join->op;
    join_hash_reset(join);
    TRY(op_rewind(task, op->right));
    for (;;) {
        struct batch *in;
        TRY(op_next(task, op->right, &in));
        if (in->selected == 0) break;
        if (!join->spill.divided && join_is_full(join)) {
            TRY(join_divide_table(task, join));
            join->spill.divided = true;
        }
        if (join->spill.divided) TRY(join_divide_right(task, join, in));
        else TRY(join_add_right(task, join, in));
        TRY(task_yield_if_due(task));
    }
    join->built = true;
    if (!join->spill.divided) return begin_right_matched(join);
    TRY(join_divide_left(task, join));
    TRY(next_part(task, join));

out:
    return st;
}

// --- candidates --------------------------------------------------------------------------------------

static bool wants_pairs(const struct node_join *node)
{
    return node->kind != REL_SEMI && node->kind != REL_ANTI;
}

// What a candidate counts for with task_work, besides large values: its columns.
static CHECKED struct status row_work(struct task *task, const struct join_op *join)
{
    const struct node *node = join->op.node;
    return task_work(task, (node->left->layout.count + node->right->layout.count) * sizeof(struct datum));
}

static void put_left(struct join_op *join, uint32_t at, uint32_t left_row)
{
    uint32_t count = join->op.node->left->layout.count;
    for (uint32_t c = 0; c < count; c++) join->wide.columns[c][at] = join->in->columns[c][left_row];
    join->origin[at] = (uint16_t)left_row;
}

// Candidates from the hash table, until the batch is full or the left batch is done.
static struct status hash_candidates(struct task *task, struct join_op *join, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct node *node = join->op.node;
    uint32_t left_count = node->left->layout.count, right_count = node->right->layout.count;
    bool plain = join->filter == NULL && !wants_pairs(&node->join);
    uint32_t capacity = join->op.run->capacity;
    *count = 0;
    while (join->at < join->in->selected) {
        uint32_t row = batch_row(join->in, join->at);
        if (!join->probing) {
            uint32_t key = ROW_HASH_NONE;
            bool null = false;
            for (uint32_t k = 0; k < node->join.key_count; k++) null |= join->keys[k][row].null;
            if (!null) TRY(row_hash_find(task, &join->hash, join->keys, row, &key, NULL));
            join->chain = key == ROW_HASH_NONE ? 0 : join->first[key];
            join->probing = true;
        }
        if (plain) {
            join->matched[row] |= join->chain != 0;
            join->chain = 0;
        }
        for (; join->chain != 0 && *count < capacity; (*count)++) {
            uint32_t number = join->chain - 1;
            put_left(join, *count, row);
            for (uint32_t c = 0; c < right_count; c++)
                join->wide.columns[left_count + c][*count] = join->rows.rows[number][c];
            join->right_number[*count] = number;
            join->chain = join->next[number];
            TRY(row_work(task, join));
        }
        if (join->chain != 0) break;
        join->probing = false;
        join->at++;
    }

out:
    return st;
}

#define RIGHT_COUNTED 1024u // Values that are longer count as work.
static void copy_right(struct join_op *join, uint32_t at, uint32_t right_row)
{
    const struct node *node = join->op.node;
    uint32_t left_count = node->left->layout.count;
    for (uint32_t c = 0; c < node->right->layout.count; c++) {
        struct datum value = join->right->columns[c][right_row];
        if (!value.null && !type_is_by_value(node->join.right_types[c]))
            value.data = task_copy(&join->op.arena, datum_as_bytes(value)).data;
        if (value.size > RIGHT_COUNTED) (void)task_goes_on(value.size);
        join->wide.columns[left_count + c][at] = value;
    }
}

static struct status start_right(struct task *task, struct join_op *join, uint32_t row)
{
    const struct node_join *node = &join->op.node->join;
    for (uint32_t i = 0; i < node->binding_count; i++)
        join->op.run->slots[node->bindings[i].slot] = expr_column(join->bindings, i)[row];
    return op_rewind(task, join->op.right);
}

static struct status loop_candidates(struct task *task, struct join_op *join, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct node *node = join->op.node;
    bool plain = join->filter == NULL && !wants_pairs(&node->join);
    uint32_t capacity = join->op.run->capacity;
    *count = 0;
    while (join->at < join->in->selected && *count < capacity) {
        uint32_t row = batch_row(join->in, join->at);
        if (join->right == NULL) {
            TRY(start_right(task, join, row));
            TRY(op_next(task, join->op.right, &join->right));
            join->right_row = 0;
        }
        if (plain && join->right->selected > 0) {
            join->matched[row] = true;
            join->right = NULL;
            join->at++;
            continue;
        }
        for (; join->right_row < join->right->selected && *count < capacity; join->right_row++) {
            put_left(join, *count, row);
            copy_right(join, *count, batch_row(join->right, join->right_row));
            (*count)++;
            TRY(row_work(task, join));
        }
        if (join->right_row < join->right->selected) break;
        bool last = join->right->selected == 0 || node->join.single;
        if (!last) {
            TRY(op_next(task, join->op.right, &join->right));
            join->right_row = 0;
            last = join->right->selected == 0;
        }
        if (last) {
            join->right = NULL;
            join->at++;
            TRY(task_yield_if_due(task));
        }
    }

out:
    return st;
}

// --- output ------------------------------------------------------------------------------------------

static struct status emit_pairs(struct task *task, struct join_op *join, uint32_t count)
{
    struct status st = STATUS_OK;
    struct op *op = &join->op;
    const struct node_join *node = &op->node->join;
    join->wide.count = join->wide.selected = count;
    join->wide.selection = NULL;
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    if (join->filter != NULL) {
        TRY(expr_run(task, join->filter, &join->wide, &op->arena));
        op->out.selection = expr_selection(join->filter, &op->out.selected);
    }
    for (uint32_t n = 0; n < op->out.selected; n++) {
        uint32_t at = batch_row(&op->out, n);
        join->matched[join->origin[at]] = true;
        if (node->kind == REL_FULL) join->right_matched[join->right_number[at]] = true;
    }
    if (!wants_pairs(node)) {
        op->out.selected = 0;
        goto out;
    }
    for (uint32_t c = 0; c < op->out.column_count; c++)
        op->out.columns[c] = join->wide.columns[node->outputs[c]];

out:
    return st;
}

// Left rows with (SEMI) or without a partner, as a selection of the left batch.
static void emit_tail(struct join_op *join)
{
    struct op *op = &join->op;
    const struct node_join *node = &op->node->join;
    uint32_t left_count = op->node->left->layout.count;
    uint32_t kept = 0;
    op->out.selected = 0;
    if (node->kind == REL_INNER) return;
    for (uint32_t n = 0; n < join->in->selected; n++) {
        uint32_t row = batch_row(join->in, n);
        if (join->matched[row] == (node->kind == REL_SEMI)) join->selection[kept++] = (uint16_t)row;
    }
    for (uint32_t c = 0; c < op->out.column_count; c++)
        op->out.columns[c] = node->outputs[c] < left_count ? join->in->columns[node->outputs[c]]
                                                           : join->nulls;
    op->out.count = join->in->count;
    op->out.selection = join->selection;
    op->out.selected = kept;
}

static void emit_right_rest(struct join_op *join)
{
    struct op *op = &join->op;
    const struct node_join *node = &op->node->join;
    uint32_t left_count = op->node->left->layout.count;
    uint32_t count = 0;
    for (; join->right_at < join->rows.count && count < op->run->capacity; join->right_at++) {
        if (join->right_matched[join->right_at]) continue;
        for (uint32_t c = 0; c < op->node->right->layout.count; c++)
            join->wide.columns[left_count + c][count] = join->rows.rows[join->right_at][c];
        count++;
    }
    for (uint32_t c = 0; c < op->out.column_count; c++)
        op->out.columns[c] = node->outputs[c] < left_count ? join->nulls
                                                           : join->wide.columns[node->outputs[c]];
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
}

static struct status fetch_left(struct task *task, struct join_op *join)
{
    struct status st = STATUS_OK;
    struct op *op = &join->op;
    const struct node_join *node = &op->node->join;
    if (op->node->kind == NODE_HASH_JOIN && !join->built) TRY(build_hash(task, join));
    if (join->phase == JOIN_DONE) return st;
    if (join->spill.divided) TRY(join_part_left(task, join, &join->in));
    else TRY(op_next(task, op->left, &join->in));
    if (join->in->selected == 0) {
        join->phase = node->kind == REL_FULL ? JOIN_RIGHT_REST : JOIN_DONE;
        if (join->spill.divided && node->kind != REL_FULL) {
            join->phase = JOIN_FETCH;
            TRY(next_part(task, join));
        }
        return st;
    }
    if (!join->spill.divided) memset(join->matched, 0, join->in->count * sizeof(bool));
    join->at = 0;
    join->phase = JOIN_PROBE;
    arena_reset(&join->probe);
    if (join->left_keys != NULL) {
        TRY(expr_run(task, join->left_keys, join->in, &join->probe));
        for (uint32_t k = 0; k < node->key_count; k++)
            join->keys[k] = expr_column(join->left_keys, k);
    }
    if (join->bindings != NULL) TRY(expr_run(task, join->bindings, join->in, &join->probe));

out:
    return st;
}

static struct status join_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct join_op *join = (struct join_op *)op;
    bool hash = op->node->kind == NODE_HASH_JOIN;
    *out = &op->out;
    op->out.selected = 0;
    while (op->out.selected == 0 && join->phase != JOIN_DONE) {
        uint32_t count = 0;
        bool keeps = hash && join->spill.divided && op->node->join.keeps_order;
        switch (join->phase) {
        case JOIN_FETCH: TRY(fetch_left(task, join)); break;
        case JOIN_PROBE:
            arena_reset(&op->arena);
            if (hash) TRY(hash_candidates(task, join, &count));
            else if (op->node->kind == NODE_MERGE_JOIN)
                TRY(join_merge_candidates(task, join, &count));
            else TRY(loop_candidates(task, join, &count));
            TRY(emit_pairs(task, join, count));
            if (keeps) TRY(join_keep_result(task, join, true));
            if (join->at == join->in->selected) join->phase = JOIN_TAIL;
            TRY(task_yield_if_due(task));
            TRY(arena_check(&op->arena));
            break;
        case JOIN_TAIL:
            if (!join->spill.divided || join_part_tail(join)) emit_tail(join);
            if (keeps) TRY(join_keep_result(task, join, false));
            join->phase = JOIN_FETCH;
            break;
        case JOIN_RIGHT_REST:
            emit_right_rest(join);
            if (op->out.selected > 0) break;
            join->phase = JOIN_DONE;
            if (!join->spill.divided) break;
            join->phase = JOIN_FETCH;
            TRY(next_part(task, join));
            break;
        case JOIN_DONE: break;
        }
    }
    if (join->phase == JOIN_DONE && join->spill.divided && op->node->join.keeps_order)
        return join_emit_sorted(task, join);
    op->rows += op->out.selected;

out:
    return st;
}

const struct op_class op_hash_join_class = {
    sizeof(struct join_op), join_open, join_rewind, join_next, join_close};
const struct op_class op_loop_join_class = {
    sizeof(struct join_op), join_open, join_rewind, join_next, join_close};
const struct op_class op_merge_join_class = {
    sizeof(struct join_op), join_open, join_rewind, join_next, join_close};
