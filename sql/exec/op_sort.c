// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators that keep rows: sort (with top-k), DISTINCT, INTERSECT and EXCEPT, materialisation.
#include "core/invariant.h"
#include "core/work.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"
#include "sql/exec/row_list.h"
#include "sql/exec/row_sort.h"
#include "sql/exec/op_partition.h"

// --- sort --------------------------------------------------------------------------------------------

struct sort_op {
    struct op op;
    struct row_sort sort;
    struct expr_state *limit, *offset;
    uint64_t keep; // Rows that will be asked for at most.
    bool sorted;
};

#define KEYS_PER_LOOK 64u
static int compare_rows(const void *arg, const struct datum *a, const struct datum *b)
{
    const struct node *node = arg;
    for (uint32_t k = 0; k < node->sort.count; k++) {
        const struct node_sort_key *key = &node->sort.keys[k];
        struct datum x = a[key->column], y = b[key->column];
        if (k % KEYS_PER_LOOK == KEYS_PER_LOOK - 1) (void)task_goes_on(KEYS_PER_LOOK * 32);
        if (x.null || y.null) {
            if (x.null && y.null) continue;
            return x.null == key->nulls_first ? -1 : 1;
        }
        int order = type_compare(key->type, x, y);
        if (order != 0) return key->descending ? -order : order;
    }
    return 0;
}

static struct status sort_open(struct task *task, struct op *op)
{
    struct sort_op *sort = (struct sort_op *)op;
    const struct node *node = op->node;
    (void)task;
    op_alloc_columns(op, node->layout.count);
    row_sort_init(&sort->sort, op, node->types, node->layout.count, compare_rows, node);
    if (node->sort.limit != NULL)
        sort->limit = expr_state_new(op->run->arena, op->run, node->sort.limit, 1);
    if (node->sort.offset != NULL)
        sort->offset = expr_state_new(op->run->arena, op->run, node->sort.offset, 1);
    return STATUS_OK;
}

static struct status sort_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct sort_op *sort = (struct sort_op *)op;
    struct datum limit, offset = datum_int(0);
    row_sort_reset(&sort->sort);
    sort->sorted = false;
    sort->keep = UINT64_MAX;
    if (sort->limit != NULL) {
        TRY(expr_run_single(task, sort->limit, &op->arena, &limit));
        if (sort->offset != NULL) TRY(expr_run_single(task, sort->offset, &op->arena, &offset));
        if (offset.null) offset = datum_int(0);
        if (!limit.null && limit.integer >= 0 && offset.integer >= 0 &&
            limit.integer < INT32_MAX && offset.integer < INT32_MAX)
            sort->keep = (uint64_t)(limit.integer + offset.integer);
    }
    TRY(op_rewind(task, op->left));

out:
    return st;
}

// Keeps only the first `keep` rows, in a new store, so that top-k takes no more memory than it must.
static struct status cut_rows(struct task *task, struct sort_op *sort)
{
    struct status st = STATUS_OK;
    struct op *op = &sort->op;
    struct row_store *store = &sort->sort.store;
    struct row_store kept;
    row_store_init(&kept, &sort->sort.memory, store->types, store->width);
    struct datum **scratch = arena_alloc(&store->arena, store->count * sizeof *scratch);
    TRY(rows_merge_sort(task, compare_rows, op->node, store->rows, store->count, scratch));
    for (uint64_t i = 0; i < store->count && i < sort->keep; i++) {
        struct datum *row = row_store_new(&kept);
        for (uint32_t c = 0; c < store->width; c++)
            row_store_set(&kept, row, c, store->rows[i][c]);
    }
    row_store_fini(store);
    *store = kept;
    return st;

out:
    row_store_fini(&kept);
    return st;
}

static struct status sort_fill(struct task *task, struct sort_op *sort)
{
    struct status st = STATUS_OK;
    struct op *op = &sort->op;
    struct row_store *store = &sort->sort.store;
    uint64_t cut_at = sort->keep < 100000 ? sort->keep * 2 + 4096 : UINT64_MAX;
    for (;;) {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        if (in->selected == 0) break;
        for (uint32_t n = 0; n < in->selected; n++) {
            row_store_add(store, in->columns, NULL, batch_row(in, n));
            TRY(row_store_work(task, store));
        }
        if (store->count > cut_at && sort->sort.run_count == 0) TRY(cut_rows(task, sort));
        TRY(row_sort_check(task, &sort->sort));
        TRY(task_yield_if_due(task));
    }
    TRY(row_sort_finish(task, &sort->sort));
    sort->sorted = true;

out:
    return st;
}

static struct status sort_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct sort_op *sort = (struct sort_op *)op;
    *out = &op->out;
    if (!sort->sorted) TRY(sort_fill(task, sort));
    TRY(row_sort_emit(task, &sort->sort, &op->out));

out:
    return st;
}

static void sort_close(struct op *op)
{
    row_sort_fini(&((struct sort_op *)op)->sort);
}

const struct op_class op_sort_class = {
    sizeof(struct sort_op), sort_open, sort_rewind, sort_next, sort_close};

// --- DISTINCT ----------------------------------------------------------------------------------------

// Rows of keys that there is no room for are put off, with their numbers, by which the first ones of their
// keys are put in order again when all have been looked at.
struct distinct_op {
    struct op op;
    struct memory_account memory; // Of the hash.
    struct row_hash hash;
    uint16_t *selection;
    struct datum **keys;
    bool spilling, put_off, ended, sorted;
    struct partitions parts;
    struct row_sort sort;
    uint64_t number;        // Of the next row of the input.
    type_oid *types;        // Of the layout, then of the number.
    uint32_t width;         // Of the layout.
    struct datum **columns; // The same, of a batch; of its own when rows come back.
    struct datum **back;
};

static int compare_numbers(const void *arg, const struct datum *a, const struct datum *b)
{
    uint32_t at = *(const uint32_t *)arg;
    return a[at].integer < b[at].integer ? -1 : a[at].integer > b[at].integer;
}

static struct status distinct_open(struct task *task, struct op *op)
{
    struct distinct_op *distinct = (struct distinct_op *)op;
    const struct node *node = op->node;
    struct arena *arena = op->run->arena;
    uint32_t width = node->layout.count;
    (void)task;
    memory_account_init(&distinct->memory, &op->memory, "hash", 0);
    row_hash_init(&distinct->hash, &distinct->memory, node->distinct.types, node->distinct.count);
    distinct->selection = arena_alloc(arena, op->run->capacity * sizeof(uint16_t));
    distinct->keys = ARENA_ARRAY(arena, struct datum *, node->distinct.count);
    distinct->width = width;
    distinct->types = ARENA_ARRAY(arena, type_oid, width + 1);
    for (uint32_t i = 0; i < width; i++) distinct->types[i] = node->types[i];
    distinct->types[width] = TYPE_INT8;
    distinct->columns = ARENA_ARRAY(arena, struct datum *, width + 1);
    partitions_init(&distinct->parts, op);
    row_sort_init(
        &distinct->sort, op, distinct->types, width + 1, compare_numbers, &distinct->width);
    return STATUS_OK;
}

static struct status distinct_rewind(struct task *task, struct op *op)
{
    struct distinct_op *distinct = (struct distinct_op *)op;
    row_hash_reset(&distinct->hash);
    partitions_reset(&distinct->parts);
    row_sort_reset(&distinct->sort);
    distinct->spilling = distinct->put_off = distinct->ended = distinct->sorted = false;
    distinct->number = 0;
    return op_rewind(task, op->left);
}

static bool no_room(struct distinct_op *distinct)
{
    struct run *run = distinct->op.run;
    if (distinct->spilling || !partitions_can(&distinct->parts)) return distinct->spilling;
    return run_spills(run, &distinct->memory, row_hash_growth(&distinct->hash, run->capacity));
}

static void take_columns(struct distinct_op *distinct, struct datum **columns)
{
    const struct node *node = distinct->op.node;
    for (uint32_t c = 0; c < distinct->width; c++) distinct->columns[c] = columns[c];
    for (uint32_t k = 0; k < node->distinct.count; k++)
        distinct->keys[k] = columns[node->distinct.columns[k]];
}

// Whether the row is the first of its key. When it is put off instead, *is_new is false.
static struct status look_at_row(
    struct task *task, struct distinct_op *distinct, uint32_t row, bool *is_new)
{
    struct status st;
    const struct node *node = distinct->op.node;
    uint32_t number;
    *is_new = false;
    TRY(row_hash_find(task, &distinct->hash, distinct->keys, row, &number,
        distinct->spilling ? NULL : is_new));
    if (number != ROW_HASH_NONE) return st;
    uint64_t hash = row_hash_of(node->distinct.types, node->distinct.count, distinct->keys, row);
    TRY(spill_tape_add(task, partitions_tape(&distinct->parts, 0, hash), distinct->types,
        distinct->width + 1, distinct->columns, NULL, row));
    distinct->put_off = true;

out:
    return st;
}

static void alloc_back(struct distinct_op *distinct)
{
    struct run *run = distinct->op.run;
    if (distinct->back != NULL) return;
    distinct->back = ARENA_ARRAY(run->arena, struct datum *, distinct->width + 1);
    for (uint32_t c = 0; c <= distinct->width; c++)
        distinct->back[c] = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
}

// The first rows of the keys that were put off, to be sorted.
static struct status distinct_part(
    struct task *task, struct distinct_op *distinct, struct partition *part)
{
    struct status st = STATUS_OK;
    struct op *op = &distinct->op;
    struct spill_reader reader;
    uint32_t rows;
    spill_reader_init(&reader, &part->tapes[0]);
    row_hash_reset(&distinct->hash);
    distinct->spilling = false;
    take_columns(distinct, distinct->back);
    distinct->columns[distinct->width] = distinct->back[distinct->width];
    for (;;) {
        arena_reset(&op->arena);
        TRY(spill_read_batch(task, &reader, distinct->types, distinct->width + 1, &op->arena,
            distinct->back, op->run->capacity, &rows));
        if (rows == 0) break;
        distinct->spilling = no_room(distinct);
        for (uint32_t row = 0; row < rows; row++) {
            bool is_new;
            TRY(look_at_row(task, distinct, row, &is_new));
            if (is_new) row_store_add(&distinct->sort.store, distinct->columns, NULL, row);
            TRY(row_store_work(task, &distinct->sort.store));
        }
        TRY(arena_check(&distinct->hash.keys.arena));
        TRY(row_sort_check(task, &distinct->sort));
        TRY(task_yield_if_due(task));
    }
    TRY(partitions_end(task, &distinct->parts));

out:
    spill_reader_fini(&reader);
    return st;
}

static struct status distinct_put_off(struct task *task, struct distinct_op *distinct)
{
    struct status st;
    struct partition *part = NULL;
    alloc_back(distinct);
    TRY(partitions_end(task, &distinct->parts));
    while ((part = partitions_next(&distinct->parts)) != NULL) {
        TRY(distinct_part(task, distinct, part));
        partition_free(part);
    }
    row_hash_reset(&distinct->hash);
    TRY(row_sort_finish(task, &distinct->sort));
    op_alloc_columns(&distinct->op, distinct->width);
    distinct->sorted = true;

out:
    partition_free(part);
    return st;
}

// What is new in a batch of the input.
static struct status distinct_batch(
    struct task *task, struct distinct_op *distinct, const struct batch *in)
{
    struct status st = STATUS_OK;
    struct op *op = &distinct->op;
    uint32_t kept = 0;
    take_columns(distinct, in->columns);
    distinct->spilling = no_room(distinct);
    if (distinct->spilling) {
        alloc_back(distinct);
        distinct->columns[distinct->width] = distinct->back[distinct->width];
        for (uint32_t n = 0; n < in->selected; n++)
            distinct->columns[distinct->width][batch_row(in, n)] =
                datum_int((int64_t)distinct->number++);
    }
    for (uint32_t n = 0; n < in->selected; n++) {
        uint32_t row = batch_row(in, n);
        bool is_new;
        TRY(look_at_row(task, distinct, row, &is_new));
        if (is_new) distinct->selection[kept++] = (uint16_t)row;
    }
    TRY(arena_check(&distinct->hash.keys.arena));
    op->out.selection = distinct->selection;
    op->out.selected = kept;

out:
    return st;
}

static struct status distinct_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct distinct_op *distinct = (struct distinct_op *)op;
    *out = &op->out;
    op->out.selected = 0;
    while (!distinct->ended) {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        op->out = *in;
        distinct->ended = in->selected == 0;
        if (distinct->ended) break;
        TRY(distinct_batch(task, distinct, in));
        TRY(task_yield_if_due(task));
        if (op->out.selected == 0) continue;
        op->rows += op->out.selected;
        return st;
    }
    if (!distinct->put_off) return st;
    if (!distinct->sorted) TRY(distinct_put_off(task, distinct));
    TRY(row_sort_emit(task, &distinct->sort, &op->out));

out:
    return st;
}

static void distinct_close(struct op *op)
{
    struct distinct_op *distinct = (struct distinct_op *)op;
    partitions_reset(&distinct->parts);
    row_sort_fini(&distinct->sort);
    row_hash_fini(&distinct->hash);
    memory_account_fini(&distinct->memory);
}

const struct op_class op_distinct_class = {
    sizeof(struct distinct_op), distinct_open, distinct_rewind, distinct_next, distinct_close};

// --- INTERSECT, EXCEPT -------------------------------------------------------------------------------

struct set_op {
    struct op op;
    struct op *inputs[2];
    struct memory_account memory; // Of the hash and the counts.
    struct row_hash hash;
    struct arena counts_arena;
    uint64_t *counts[2]; // Per row of the hash, how often each side has it.
    uint64_t capacity;
    uint64_t at, repeat;
    struct datum **columns;
    bool filled, spilling;
    struct partitions parts;
    struct partition *part; // In hand; NULL: the inputs themselves.
    struct datum **back;    // Its rows.
    struct arena back_arena;
};

static struct status set_open(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct set_op *set = (struct set_op *)op;
    const struct node *node = op->node;
    memory_account_init(&set->memory, &op->memory, "hash", 0);
    row_hash_init(&set->hash, &set->memory, node->types, node->layout.count);
    arena_init(&set->counts_arena, &set->memory);
    arena_init(&set->back_arena, &op->memory);
    partitions_init(&set->parts, op);
    for (uint32_t i = 0; i < 2; i++)
        TRY(op_create(task, op->run, node->set.inputs[i], &set->inputs[i]));
    op_alloc_columns(op, node->layout.count);
    set->columns = ARENA_ARRAY(op->run->arena, struct datum *, node->layout.count);

out:
    return st;
}

static void set_restart(struct set_op *set)
{
    row_hash_reset(&set->hash);
    arena_reset(&set->counts_arena);
    set->counts[0] = set->counts[1] = NULL;
    set->capacity = set->at = set->repeat = 0;
    set->filled = set->spilling = false;
}

static struct status set_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct set_op *set = (struct set_op *)op;
    set_restart(set);
    partitions_reset(&set->parts);
    partition_free(set->part);
    set->part = NULL;
    for (uint32_t i = 0; i < 2; i++) TRY(op_rewind(task, set->inputs[i]));

out:
    return st;
}

static void count_row(struct set_op *set, uint32_t side, uint32_t number)
{
    if (number >= set->capacity) {
        uint64_t capacity = set->capacity == 0 ? 64 : set->capacity * 2;
        for (uint32_t s = 0; s < 2; s++) {
            uint64_t *counts = ARENA_ARRAY(&set->counts_arena, uint64_t, capacity);
            if (set->capacity > 0)
                memcpy(counts, set->counts[s], set->capacity * sizeof(uint64_t));
            set->counts[s] = counts;
        }
        set->capacity = capacity;
    }
    set->counts[side][number]++;
}

// A row of the left side finds its place or is put off when there is none; one of the right side that is
// not there is put off when it may have been, too: what only the right side has gives no rows.
static struct status set_row(struct task *task, struct set_op *set, uint32_t side, uint32_t row)
{
    struct status st;
    const struct node *node = set->op.node;
    uint32_t number;
    bool added;
    TRY(row_hash_find(task, &set->hash, set->columns, row, &number,
        side == 0 && !set->spilling ? &added : NULL));
    if (number != ROW_HASH_NONE) {
        count_row(set, side, number);
    } else if (set->spilling) {
        uint64_t hash = row_hash_of(node->types, node->layout.count, set->columns, row);
        TRY(spill_tape_add(task, partitions_tape(&set->parts, side, hash), node->types,
            node->layout.count, set->columns, NULL, row));
    }

out:
    return st;
}

static struct status set_check(struct set_op *set)
{
    struct run *run = set->op.run;
    uint64_t more = row_hash_growth(&set->hash, run->capacity);
    if (set->hash.keys.count + run->capacity > set->capacity) more += set->capacity * 32;
    if (!set->spilling && partitions_can(&set->parts))
        set->spilling = run_spills(run, &set->memory, more);
    return arena_check(&set->hash.keys.arena);
}

static struct status set_fill(struct task *task, struct set_op *set, uint32_t side)
{
    struct status st = STATUS_OK;
    const struct node *node = set->op.node;
    for (;;) {
        struct batch *in;
        TRY(op_next(task, set->inputs[side], &in));
        if (in->selected == 0) break;
        for (uint32_t c = 0; c < node->layout.count; c++)
            set->columns[c] = in->columns[node->set.columns[side][c]];
        for (uint32_t n = 0; n < in->selected; n++)
            TRY(set_row(task, set, side, batch_row(in, n)));
        if (side == 0) TRY(set_check(set));
        TRY(task_yield_if_due(task));
    }

out:
    return st;
}

static struct status set_fill_part(struct task *task, struct set_op *set, uint32_t side)
{
    struct status st = STATUS_OK;
    const struct node *node = set->op.node;
    struct run *run = set->op.run;
    struct spill_reader reader;
    uint32_t rows;
    spill_reader_init(&reader, &set->part->tapes[side]);
    for (uint32_t c = 0; c < node->layout.count; c++) set->columns[c] = set->back[c];
    for (;;) {
        arena_reset(&set->back_arena);
        TRY(spill_read_batch(task, &reader, node->types, node->layout.count, &set->back_arena,
            set->back, run->capacity, &rows));
        if (rows == 0) break;
        for (uint32_t row = 0; row < rows; row++) TRY(set_row(task, set, side, row));
        if (side == 0) TRY(set_check(set));
        TRY(task_yield_if_due(task));
    }

out:
    spill_reader_fini(&reader);
    return st;
}

// What comes next: the inputs, then one part after another. *found false at the end.
static struct status set_begin(struct task *task, struct set_op *set, bool *found)
{
    struct status st = STATUS_OK;
    struct run *run = set->op.run;
    bool first = !set->filled && set->part == NULL;
    *found = true;
    if (first) {
        for (uint32_t side = 0; side < 2; side++) TRY(set_fill(task, set, side));
    } else {
        partition_free(set->part);
        set->part = partitions_next(&set->parts);
        *found = set->part != NULL;
        if (!*found) return st;
        set_restart(set);
        if (set->back == NULL) {
            uint32_t count = set->op.node->layout.count;
            set->back = ARENA_ARRAY(run->arena, struct datum *, count);
            for (uint32_t c = 0; c < count; c++)
                set->back[c] = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
        }
        for (uint32_t side = 0; side < 2; side++) TRY(set_fill_part(task, set, side));
    }
    set->filled = true;
    TRY(partitions_end(task, &set->parts));

out:
    return st;
}

static uint64_t set_repeats(const struct node *node, uint64_t left, uint64_t right)
{
    bool intersect = node->set.kind == SELECT_INTERSECT;
    if (!node->set.all) return intersect ? left > 0 && right > 0 : left > 0 && right == 0;
    if (intersect) return left < right ? left : right;
    return left > right ? left - right : 0;
}

static struct status set_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct set_op *set = (struct set_op *)op;
    uint32_t count = 0;
    *out = &op->out;
    op->out.selected = 0;
    while (count == 0) {
        bool found;
        if (!set->filled || set->at == set->hash.keys.count) {
            TRY(set_begin(task, set, &found));
            if (!found) break;
        }
        while (count < op->run->capacity && set->at < set->hash.keys.count) {
            uint64_t repeats =
                set_repeats(op->node, set->counts[0][set->at], set->counts[1][set->at]);
            if (set->repeat >= repeats) {
                set->repeat = 0;
                set->at++;
                continue;
            }
            for (uint32_t c = 0; c < op->out.column_count; c++)
                op->out.columns[c][count] = set->hash.keys.rows[set->at][c];
            count++;
            set->repeat++;
        }
    }
    op->out.count = op->out.selected = count;
    op->rows += count;

out:
    return st;
}

static void set_close(struct op *op)
{
    struct set_op *set = (struct set_op *)op;
    op_close(set->inputs[0]);
    op_close(set->inputs[1]);
    partitions_reset(&set->parts);
    partition_free(set->part);
    row_hash_fini(&set->hash);
    arena_fini(&set->counts_arena);
    arena_fini(&set->back_arena);
    memory_account_fini(&set->memory);
}

const struct op_class op_set_class = {
    sizeof(struct set_op), set_open, set_rewind, set_next, set_close};

// --- materialize -------------------------------------------------------------------------------------

struct materialize_op {
    struct op op;
    struct row_list rows;
    struct row_list_reader reader;
    uint64_t at;
    bool filled;
};

static struct status materialize_open(struct task *task, struct op *op)
{
    struct materialize_op *kept = (struct materialize_op *)op;
    (void)task;
    row_list_init(&kept->rows, &op->memory, op->node->types, op->node->layout.count,
        &op->run->spill, &op->spilled_bytes);
    row_list_reader_init(&kept->reader, &kept->rows, &op->memory);
    op_alloc_columns(op, op->node->layout.count);
    return STATUS_OK;
}

// Its input depends on no slot: once filled, it stays.
static struct status materialize_rewind(struct task *task, struct op *op)
{
    struct materialize_op *kept = (struct materialize_op *)op;
    kept->at = 0;
    return kept->filled ? STATUS_OK : op_rewind(task, op->left);
}

static struct status materialize_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct materialize_op *kept = (struct materialize_op *)op;
    *out = &op->out;
    while (!kept->filled) {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        kept->filled = in->selected == 0;
        for (uint32_t n = 0; n < in->selected; n++)
            TRY(row_list_add(task, &kept->rows, in->columns, NULL, batch_row(in, n)));
        TRY(op_keep_list(op, &kept->rows));
        TRY(task_yield_if_due(task));
    }
    TRY(op_emit_list(task, op, &kept->reader, NULL, &kept->at));

out:
    return st;
}

static void materialize_close(struct op *op)
{
    struct materialize_op *kept = (struct materialize_op *)op;
    row_list_reader_fini(&kept->reader);
    row_list_fini(&kept->rows);
}

const struct op_class op_materialize_class = {sizeof(struct materialize_op), materialize_open,
    materialize_rewind, materialize_next, materialize_close};
