// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/op_join.h"

#include "core/invariant.h"

static int compare_numbers(const void *arg, const struct datum *a, const struct datum *b)
{
    uint32_t at = *(const uint32_t *)arg;
    return a[at].integer < b[at].integer ? -1 : a[at].integer > b[at].integer;
}

void join_spill_open(struct join_op *join)
{
    struct join_spill *spill = &join->spill;
    struct op *op = &join->op;
    const struct node_join *node = &op->node->join;
    struct arena *arena = op->run->arena;
    uint32_t left = op->node->left->layout.count, outputs = op->node->layout.count;
    partitions_init(&spill->parts, op);
    arena_init(&spill->left_arena, &op->memory);
    arena_init(&spill->right_arena, &op->memory);
    arena_init(&spill->bits_arena, &op->memory);
    spill->left_types = ARENA_ARRAY(arena, type_oid, left + 1);
    for (uint32_t i = 0; i < left; i++) spill->left_types[i] = node->left_types[i];
    spill->left_types[left] = TYPE_INT8;
    spill->left_width = left + node->keeps_order;
    if (!node->keeps_order) return;
    spill->sort_width = outputs;
    spill->sort_types = ARENA_ARRAY(arena, type_oid, outputs + 1);
    for (uint32_t i = 0; i < outputs; i++) spill->sort_types[i] = op->node->types[i];
    spill->sort_types[outputs] = TYPE_INT8;
    row_sort_init(
        &spill->sort, op, spill->sort_types, outputs + 1, compare_numbers, &spill->sort_width);
}

void join_spill_reset(struct join_op *join)
{
    struct join_spill *spill = &join->spill;
    spill_reader_fini(&spill->left);
    spill_reader_fini(&spill->right);
    partitions_reset(&spill->parts);
    partition_free(spill->part);
    spill->part = NULL;
    spill->divided = spill->more_pieces = spill->sorted = false;
    spill->matched_left = NULL;
    spill->number = 0;
    arena_reset(&spill->left_arena);
    arena_reset(&spill->right_arena);
    arena_reset(&spill->bits_arena);
    if (join->op.node->join.keeps_order) row_sort_reset(&spill->sort);
}

void join_spill_close(struct join_op *join)
{
    struct join_spill *spill = &join->spill;
    if (join->op.node->kind != NODE_HASH_JOIN) return;
    join_spill_reset(join);
    row_sort_fini(&spill->sort);
    arena_fini(&spill->left_arena);
    arena_fini(&spill->right_arena);
    arena_fini(&spill->bits_arena);
}

static void alloc_columns(
    struct run *run, struct datum ***columns, uint32_t count)
{
    if (*columns != NULL) return;
    *columns = ARENA_ARRAY(run->arena, struct datum *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        (*columns)[i] = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
}

bool join_is_full(const struct join_op *join)
{
    const struct run *run = join->op.run;
    uint64_t more = row_hash_growth(&join->hash, run->capacity);
    if (join->rows.count + run->capacity > join->next_capacity)
        more += (uint64_t)join->next_capacity * 2 * sizeof(uint32_t);
    if (join->rows.count + run->capacity > join->rows.capacity)
        more += join->rows.capacity * 2 * sizeof(struct datum *);
    return run_spills(run, &join->memory, more);
}

// --- dividing ----------------------------------------------------------------------------------------

static struct status divide_chain(
    struct task *task, struct join_op *join, uint32_t first, uint64_t hash)
{
    struct status st = STATUS_OK;
    struct spill_tape *tape = partitions_tape(&join->spill.parts, JOIN_RIGHT_SIDE, hash);
    for (uint32_t at = first; at != 0; at = join->next[at - 1])
        TRY(spill_tape_add_row(
            task, tape, join->rows.types, join->rows.width, join->rows.rows[at - 1]));

out:
    return st;
}

struct status join_divide_table(struct task *task, struct join_op *join)
{
    struct status st = STATUS_OK;
    for (uint32_t key = 0; key < join->hash.keys.count; key++) {
        TRY(divide_chain(task, join, join->first[key], join->hash.hashes[key]));
        if ((key & 255u) == 255u) TRY(task_yield_if_due(task));
    }
    if (join->null_first != 0) TRY(divide_chain(task, join, join->null_first, 0));
    join_hash_reset(join);

out:
    return st;
}

static bool key_is_null(const struct join_op *join, uint32_t row)
{
    bool null = false;
    for (uint32_t k = 0; k < join->op.node->join.key_count; k++) null |= join->keys[k][row].null;
    return null;
}

struct status join_divide_right(struct task *task, struct join_op *join, const struct batch *in)
{
    struct status st = STATUS_OK;
    const struct node_join *node = &join->op.node->join;
    arena_reset(&join->op.arena);
    TRY(expr_run(task, join->right_keys, in, &join->op.arena));
    for (uint32_t k = 0; k < node->key_count; k++) join->keys[k] = expr_column(join->right_keys, k);
    for (uint32_t n = 0; n < in->selected; n++) {
        uint32_t row = batch_row(in, n);
        bool null = key_is_null(join, row);
        if (null && node->kind != REL_FULL) continue;
        uint64_t hash = null ? 0 : row_hash_of(node->key_types, node->key_count, join->keys, row);
        TRY(spill_tape_add(task, partitions_tape(&join->spill.parts, JOIN_RIGHT_SIDE, hash),
            join->rows.types, join->rows.width, in->columns, NULL, row));
    }

out:
    return st;
}

static struct status divide_left_batch(
    struct task *task, struct join_op *join, const struct batch *in, struct datum **columns)
{
    struct status st = STATUS_OK;
    struct join_spill *spill = &join->spill;
    const struct node_join *node = &join->op.node->join;
    bool drops = node->kind == REL_INNER || node->kind == REL_SEMI;
    arena_reset(&join->probe);
    TRY(expr_run(task, join->left_keys, in, &join->probe));
    for (uint32_t k = 0; k < node->key_count; k++) join->keys[k] = expr_column(join->left_keys, k);
    for (uint32_t n = 0; n < in->selected; n++) {
        uint32_t row = batch_row(in, n);
        bool null = key_is_null(join, row);
        if (null && drops) continue;
        uint64_t hash = null ? 0 : row_hash_of(node->key_types, node->key_count, join->keys, row);
        TRY(spill_tape_add(task, partitions_tape(&spill->parts, JOIN_LEFT_SIDE, hash),
            spill->left_types, spill->left_width, columns, NULL, row));
    }

out:
    return st;
}

struct status join_divide_left(struct task *task, struct join_op *join)
{
    struct status st = STATUS_OK;
    struct join_spill *spill = &join->spill;
    struct op *op = &join->op;
    uint32_t width = op->node->left->layout.count;
    struct datum **columns = ARENA_ARRAY(op->run->arena, struct datum *, width + 1);
    columns[width] = ARENA_ARRAY(op->run->arena, struct datum, op->run->capacity);
    for (;;) {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        if (in->selected == 0) break;
        for (uint32_t c = 0; c < width; c++) columns[c] = in->columns[c];
        for (uint32_t n = 0; n < in->selected; n++)
            columns[width][batch_row(in, n)] = datum_int((int64_t)spill->number++);
        TRY(divide_left_batch(task, join, in, columns));
        TRY(task_yield_if_due(task));
    }
    TRY(partitions_end(task, &spill->parts));

out:
    return st;
}

// --- parts -------------------------------------------------------------------------------------------

static struct status read_right(struct task *task, struct join_op *join, struct batch *in)
{
    struct join_spill *spill = &join->spill;
    *in = (struct batch){.columns = spill->right_columns, .column_count = join->rows.width};
    arena_reset(&spill->right_arena);
    struct status st = spill_read_batch(task, &spill->right, join->rows.types, join->rows.width,
        &spill->right_arena, spill->right_columns, join->op.run->capacity, &in->count);
    in->selected = in->count;
    return st;
}

static struct status read_left(struct task *task, struct join_op *join, struct batch *in)
{
    struct join_spill *spill = &join->spill;
    *in = (struct batch){
        .columns = spill->left_columns, .column_count = join->op.node->left->layout.count};
    arena_reset(&spill->left_arena);
    struct status st = spill_read_batch(task, &spill->left, spill->left_types, spill->left_width,
        &spill->left_arena, spill->left_columns, join->op.run->capacity, &in->count);
    in->selected = in->count;
    return st;
}

// The part in hand is too large: its rows go to parts of the next level.
static struct status divide_part(struct task *task, struct join_op *join)
{
    struct status st;
    struct join_spill *spill = &join->spill;
    uint64_t rows = spill->part->tapes[JOIN_RIGHT_SIDE].rows;
    struct batch in;
    TRY(join_divide_table(task, join));
    for (;;) {
        TRY(read_right(task, join, &in));
        if (in.count == 0) break;
        TRY(join_divide_right(task, join, &in));
        TRY(task_yield_if_due(task));
    }
    for (;;) {
        TRY(read_left(task, join, &in));
        if (in.count == 0) break;
        TRY(divide_left_batch(task, join, &in, spill->left_columns));
        TRY(task_yield_if_due(task));
    }
    // To divide again what would not be divided is of no use.
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        struct partition *made = spill->parts.written[i];
        if (made != NULL && made->tapes[JOIN_RIGHT_SIDE].rows == rows)
            made->level = PARTITION_LEVELS;
    }
    TRY(partitions_end(task, &spill->parts));

out:
    return st;
}

// As much of the part's right side as there is room for. *full: there is more.
static struct status load_piece(struct task *task, struct join_op *join, bool *full)
{
    struct status st = STATUS_OK;
    struct batch in;
    *full = false;
    join_hash_reset(join);
    for (;;) {
        TRY(read_right(task, join, &in));
        if (in.count == 0) break;
        TRY(join_add_right(task, join, &in));
        TRY(task_yield_if_due(task));
        *full = join_is_full(join);
        if (*full) break;
    }

out:
    return st;
}

static void part_begin(struct join_op *join)
{
    struct join_spill *spill = &join->spill;
    struct op *op = &join->op;
    alloc_columns(op->run, &spill->left_columns, spill->left_width);
    alloc_columns(op->run, &spill->right_columns, join->rows.width);
    spill_reader_fini(&spill->left);
    spill_reader_fini(&spill->right);
    spill_reader_init(&spill->left, &spill->part->tapes[JOIN_LEFT_SIDE]);
    spill_reader_init(&spill->right, &spill->part->tapes[JOIN_RIGHT_SIDE]);
    arena_reset(&spill->bits_arena);
    spill->matched_left = NULL;
}

static struct status next_piece(struct task *task, struct join_op *join)
{
    struct join_spill *spill = &join->spill;
    spill->left_number = 0;
    spill_reader_seek(&spill->left, 0);
    return load_piece(task, join, &spill->more_pieces);
}

struct status join_next_part(struct task *task, struct join_op *join, bool *found)
{
    struct status st = STATUS_OK;
    struct join_spill *spill = &join->spill;
    *found = true;
    if (spill->part != NULL && spill->more_pieces) return next_piece(task, join);
    for (;;) {
        spill_reader_fini(&spill->left);
        spill_reader_fini(&spill->right);
        partition_free(spill->part);
        spill->part = partitions_next(&spill->parts);
        *found = spill->part != NULL;
        if (!*found) return st;
        part_begin(join);
        TRY(next_piece(task, join));
        if (!spill->more_pieces) break;
        if (!partitions_can(&spill->parts)) {
            uint64_t rows = spill->part->tapes[JOIN_LEFT_SIDE].rows;
            spill->matched_left = ARENA_ARRAY(&spill->bits_arena, uint8_t, rows / 8 + 1);
            break;
        }
        TRY(divide_part(task, join));
    }

out:
    return st;
}

struct status join_part_left(struct task *task, struct join_op *join, struct batch **in)
{
    struct status st;
    struct join_spill *spill = &join->spill;
    spill->left_number += spill->in.count;
    if (spill->left.at == 0) spill->left_number = 0;
    *in = &spill->in;
    TRY(read_left(task, join, &spill->in));
    for (uint32_t i = 0; i < spill->in.count; i++) {
        uint64_t n = spill->left_number + i;
        join->matched[i] =
            spill->matched_left != NULL && (spill->matched_left[n / 8] >> (n % 8) & 1) != 0;
    }

out:
    return st;
}

bool join_part_tail(struct join_op *join)
{
    struct join_spill *spill = &join->spill;
    if (spill->matched_left == NULL) return true;
    for (uint32_t i = 0; i < spill->in.count; i++) {
        uint64_t n = spill->left_number + i;
        if (join->matched[i]) spill->matched_left[n / 8] |= (uint8_t)(1u << (n % 8));
    }
    return !spill->more_pieces;
}

// --- order -------------------------------------------------------------------------------------------

struct status join_keep_result(struct task *task, struct join_op *join, bool pairs)
{
    struct status st;
    struct join_spill *spill = &join->spill;
    struct op *op = &join->op;
    uint32_t width = spill->sort_width;
    if (spill->sort_columns == NULL) {
        spill->sort_columns = ARENA_ARRAY(op->run->arena, struct datum *, width + 1);
        spill->sort_numbers = ARENA_ARRAY(op->run->arena, struct datum, op->run->capacity);
    }
    for (uint32_t c = 0; c < width; c++) spill->sort_columns[c] = op->out.columns[c];
    spill->sort_columns[width] = spill->sort_numbers;
    const struct datum *numbers = spill->left_columns[spill->left_width - 1];
    for (uint32_t n = 0; n < op->out.selected; n++) {
        uint32_t row = batch_row(&op->out, n);
        spill->sort_numbers[row] = numbers[pairs ? join->origin[row] : row];
        row_store_add(&spill->sort.store, spill->sort_columns, NULL, row);
    }
    op->out.selected = 0;
    TRY(row_sort_check(task, &spill->sort));

out:
    return st;
}

struct status join_emit_sorted(struct task *task, struct join_op *join)
{
    struct status st = STATUS_OK;
    struct join_spill *spill = &join->spill;
    if (!spill->sorted) {
        join_hash_reset(join);
        op_alloc_columns(&join->op, spill->sort_width);
        TRY(row_sort_finish(task, &spill->sort));
        spill->sorted = true;
    }
    TRY(row_sort_emit(task, &spill->sort, &join->op.out));

out:
    return st;
}
