// SPDX-License-Identifier: GPL-3.0-or-later
//
// Merge joins: both sides come in the order of one pair of columns, ascending. The right rows of one key are kept (in the
// temporary file when there are many) and stand beside each left row of that key. sql/exec/op_join.c does the rest.
#include "core/invariant.h"
#include "sql/exec/op.h"
#include "sql/exec/op_join.h"

void join_merge_open(struct join_op *join)
{
    struct op *op = &join->op;
    struct run *run = op->run;
    const struct node_join *node = &op->node->join;
    struct join_merge *merge = &join->merge;
    join->left_keys = expr_state_new(run->arena, run, node->left_keys, run->capacity);
    join->right_keys = expr_state_new(run->arena, run, node->right_keys, run->capacity);
    join->keys = ARENA_ARRAY(run->arena, struct datum *, node->key_count);
    arena_init(&merge->arena, run->account);
    arena_init(&merge->key_arena, &op->memory);
    row_list_init(&merge->group, &op->memory, node->right_types, op->node->right->layout.count,
        &run->spill, &op->spilled_bytes);
    row_list_reader_init(&merge->reader, &merge->group, &op->memory);
    merge->opened = true;
}

static void reset(struct join_merge *merge)
{
    row_list_reset(&merge->group);
    arena_reset(&merge->key_arena);
    merge->any = false;
}

struct status join_merge_rewind(struct task *task, struct join_op *join)
{
    struct join_merge *merge = &join->merge;
    reset(merge);
    merge->in = NULL;
    merge->at = 0;
    merge->ended = false;
    return op_rewind(task, join->op.right);
}

void join_merge_close(struct join_op *join)
{
    struct join_merge *merge = &join->merge;
    if (!merge->opened) return;
    row_list_reader_fini(&merge->reader);
    row_list_fini(&merge->group);
    arena_fini(&merge->key_arena);
    arena_fini(&merge->arena);
}

// --- the right side ----------------------------------------------------------------------------------

// *found: merge->at is a row of merge->in.
static struct status right_row(struct task *task, struct join_op *join, bool *found)
{
    struct status st = STATUS_OK;
    struct join_merge *merge = &join->merge;
    *found = false;
    if (merge->ended) return st;
    if (merge->in == NULL || merge->at == merge->in->selected) {
        TRY(op_next(task, join->op.right, &merge->in));
        merge->at = 0;
        merge->ended = merge->in->selected == 0;
        if (merge->ended) return st;
        arena_reset(&merge->arena);
        TRY(expr_run(task, join->right_keys, merge->in, &merge->arena));
        merge->keys = expr_column(join->right_keys, 0);
    }
    *found = true;

out:
    return st;
}

// The rows of the next key that is not below `key`.
static struct status next_group(struct task *task, struct join_op *join, struct datum key)
{
    struct status st = STATUS_OK;
    struct join_merge *merge = &join->merge;
    const type_oid type = join->op.node->join.key_types[0];
    uint64_t passed = 0;
    bool found;
    reset(merge);
    for (;; merge->at++) {
        if ((++passed & 255u) == 0) TRY(task_yield_if_due(task));
        TRY(right_row(task, join, &found));
        if (!found) return st;
        struct datum at = merge->keys[batch_row(merge->in, merge->at)];
        if (!at.null && type_compare(type, at, key) >= 0) break;
    }
    merge->key = merge->keys[batch_row(merge->in, merge->at)];
    if (!type_is_by_value(type))
        merge->key.data = task_copy(&merge->key_arena, datum_as_bytes(merge->key)).data;
    merge->any = true;
    for (;; merge->at++) {
        TRY(right_row(task, join, &found));
        if (!found) break;
        uint32_t row = batch_row(merge->in, merge->at);
        struct datum at = merge->keys[row];
        if (at.null || type_compare(type, at, merge->key) != 0) break;
        TRY(row_list_add(task, &merge->group, merge->in->columns, NULL, row));
        if ((merge->group.count & 255u) != 0) continue;
        TRY(op_keep_list(&join->op, &merge->group));
        TRY(task_yield_if_due(task));
    }

out:
    return st;
}

// --- candidates --------------------------------------------------------------------------------------

// Whether right rows match the left row in hand.
static struct status match(struct task *task, struct join_op *join, uint32_t row, bool *matches)
{
    struct status st = STATUS_OK;
    struct join_merge *merge = &join->merge;
    const type_oid type = join->op.node->join.key_types[0];
    struct datum key = join->keys[0][row];
    *matches = false;
    if (key.null) return st;
    int order = merge->any ? type_compare(type, key, merge->key) : 1;
    if (order > 0) {
        TRY(next_group(task, join, key));
        order = merge->any ? type_compare(type, key, merge->key) : -1;
    }
    *matches = order == 0;

out:
    return st;
}

static struct status put_pair(struct task *task, struct join_op *join, uint32_t at, uint32_t left)
{
    struct status st = STATUS_OK;
    const struct node *node = join->op.node;
    const uint32_t left_count = node->left->layout.count;
    struct datum *values;
    TRY(row_list_get(task, &join->merge.reader, join->merge.group_at, &values));
    for (uint32_t c = 0; c < left_count; c++)
        join->wide.columns[c][at] = join->in->columns[c][left];
    join->origin[at] = (uint16_t)left;
    for (uint32_t c = 0; c < node->right->layout.count; c++) {
        struct datum value = values[c];
        // The next key's rows may take its place before this batch has been given out.
        if (!value.null && !type_is_by_value(node->join.right_types[c]))
            value.data = task_copy(&join->op.arena, datum_as_bytes(value)).data;
        join->wide.columns[left_count + c][at] = value;
    }

out:
    return st;
}

struct status join_merge_candidates(struct task *task, struct join_op *join, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct node_join *node = &join->op.node->join;
    struct join_merge *merge = &join->merge;
    const bool plain =
        join->filter == NULL && (node->kind == REL_SEMI || node->kind == REL_ANTI);
    const uint32_t capacity = join->op.run->capacity;
    *count = 0;
    for (; join->at < join->in->selected && *count < capacity; join->at++) {
        uint32_t row = batch_row(join->in, join->at);
        if (!join->probing) {
            bool matches;
            TRY(match(task, join, row, &matches));
            if (matches && plain) join->matched[row] = true;
            if (!matches || plain) continue;
            merge->group_at = 0;
            join->probing = true;
        }
        for (; merge->group_at < merge->group.count && *count < capacity; merge->group_at++)
            TRY(put_pair(task, join, (*count)++, row));
        if (merge->group_at < merge->group.count) break;
        join->probing = false;
    }

out:
    return st;
}
