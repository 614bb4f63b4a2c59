// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators that keep rows: sort (with top-k), DISTINCT, INTERSECT and EXCEPT, materialisation.
#include "core/invariant.h"
#include "sql/op.h"
#include "sql/op_classes.h"

// Gives rows of a store out as batches, from *at on.
static void emit_rows(struct op *op, const struct row_store *store, uint64_t *at)
{
    uint32_t count = 0;
    for (; count < op->run->capacity && *at < store->count; count++, (*at)++)
        for (uint32_t c = 0; c < op->out.column_count; c++)
            op->out.columns[c][count] = store->rows[*at][c];
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    op->rows += count;
}

// --- sort --------------------------------------------------------------------------------------------

struct sort_op {
    struct op op;
    struct row_store store;
    struct expr_state *limit, *offset;
    uint64_t at;
    uint64_t keep; // Rows that will be asked for at most.
    bool sorted;
};

static int compare_rows(const struct node *node, const struct datum *a, const struct datum *b)
{
    for (uint32_t k = 0; k < node->sort.count; k++) {
        const struct node_sort_key *key = &node->sort.keys[k];
        struct datum x = a[key->column], y = b[key->column];
        if (x.null || y.null) {
            if (x.null && y.null) continue;
            return x.null == key->nulls_first ? -1 : 1;
        }
        int order = type_compare(key->type, x, y);
        if (order != 0) return key->descending ? -order : order;
    }
    return 0;
}

// Bottom-up merge sort of row pointers: stable, and it yields as it goes.
static struct status merge_sort(
    struct task *task, const struct node *node, struct datum **rows, uint64_t count,
    struct datum **scratch)
{
    struct status st = STATUS_OK;
    enum { RUN = 12 };
    for (uint64_t start = 0; start < count; start += RUN) {
        uint64_t end = start + RUN < count ? start + RUN : count;
        for (uint64_t i = start + 1; i < end; i++) {
            struct datum *row = rows[i];
            uint64_t at = i;
            for (; at > start && compare_rows(node, rows[at - 1], row) > 0; at--)
                rows[at] = rows[at - 1];
            rows[at] = row;
        }
        if ((start / RUN & 63u) == 63u) TRY(task_yield_if_due(task));
    }
    struct datum **from = rows, **to = scratch;
    for (uint64_t width = RUN; width < count; width *= 2) {
        for (uint64_t start = 0; start < count; start += 2 * width) {
            uint64_t middle = start + width < count ? start + width : count;
            uint64_t end = start + 2 * width < count ? start + 2 * width : count;
            uint64_t a = start, b = middle;
            for (uint64_t out = start; out < end; out++) {
                bool left = b >= end || (a < middle && compare_rows(node, from[a], from[b]) <= 0);
                to[out] = left ? from[a++] : from[b++];
                if ((out & 1023u) == 1023u) TRY(task_yield_if_due(task));
            }
        }
        struct datum **swap = from;
        from = to;
        to = swap;
    }
    if (from != rows) memcpy(rows, from, count * sizeof *rows);

out:
    return st;
}

static struct status sort_open(struct task *task, struct op *op)
{
    struct sort_op *sort = (struct sort_op *)op;
    const struct node *node = op->node;
    (void)task;
    op_alloc_columns(op, node->layout.count);
    row_store_init(&sort->store, op->run->account, node->types, node->layout.count);
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
    row_store_reset(&sort->store);
    sort->sorted = false;
    sort->at = 0;
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
    struct row_store *store = &sort->store;
    struct row_store kept;
    row_store_init(&kept, op->run->account, store->types, store->width);
    struct datum **scratch = arena_try_alloc(&store->arena, store->count * sizeof *scratch);
    if (scratch == NULL) TRY(status_make(E_OUT_OF_MEMORY, "memory budget exceeded: sort"));
    TRY(merge_sort(task, op->node, store->rows, store->count, scratch));
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
    uint64_t cut_at = sort->keep < 100000 ? sort->keep * 2 + 4096 : UINT64_MAX;
    for (;;) {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        if (in->selected == 0) break;
        for (uint32_t n = 0; n < in->selected; n++)
            row_store_add(&sort->store, in->columns, NULL, batch_row(in, n));
        TRY(arena_check(&sort->store.arena));
        TRY(task_yield_if_due(task));
        if (sort->store.count > cut_at) TRY(cut_rows(task, sort));
    }
    if (sort->store.count > 1) {
        struct datum **scratch =
            arena_try_alloc(&sort->store.arena, sort->store.count * sizeof *scratch);
        if (scratch == NULL) return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: sort");
        TRY(merge_sort(task, op->node, sort->store.rows, sort->store.count, scratch));
    }
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
    emit_rows(op, &sort->store, &sort->at);

out:
    return st;
}

static void sort_close(struct op *op)
{
    row_store_fini(&((struct sort_op *)op)->store);
}

const struct op_class op_sort_class = {
    sizeof(struct sort_op), sort_open, sort_rewind, sort_next, sort_close};

// --- DISTINCT ----------------------------------------------------------------------------------------

struct distinct_op {
    struct op op;
    struct row_hash hash;
    uint16_t *selection;
    struct datum **keys;
};

static struct status distinct_open(struct task *task, struct op *op)
{
    struct distinct_op *distinct = (struct distinct_op *)op;
    const struct node *node = op->node;
    (void)task;
    row_hash_init(&distinct->hash, op->run->account, node->distinct.types, node->distinct.count);
    distinct->selection = arena_alloc(op->run->arena, op->run->capacity * sizeof(uint16_t));
    distinct->keys = ARENA_ARRAY(op->run->arena, struct datum *, node->distinct.count);
    return STATUS_OK;
}

static struct status distinct_rewind(struct task *task, struct op *op)
{
    row_hash_reset(&((struct distinct_op *)op)->hash);
    return op_rewind(task, op->left);
}

static struct status distinct_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct distinct_op *distinct = (struct distinct_op *)op;
    const struct node *node = op->node;
    *out = &op->out;
    do {
        struct batch *in;
        uint32_t kept = 0;
        TRY(op_next(task, op->left, &in));
        op->out = *in;
        if (in->selected == 0) break;
        for (uint32_t k = 0; k < node->distinct.count; k++)
            distinct->keys[k] = in->columns[node->distinct.columns[k]];
        for (uint32_t n = 0; n < in->selected; n++) {
            uint32_t row = batch_row(in, n), number;
            bool added;
            TRY(row_hash_find(task, &distinct->hash, distinct->keys, row, &number, &added));
            if (added) distinct->selection[kept++] = (uint16_t)row;
        }
        TRY(arena_check(&distinct->hash.keys.arena));
        TRY(task_yield_if_due(task));
        op->out.selection = distinct->selection;
        op->out.selected = kept;
    } while (op->out.selected == 0);
    op->rows += op->out.selected;

out:
    return st;
}

static void distinct_close(struct op *op)
{
    row_hash_fini(&((struct distinct_op *)op)->hash);
}

const struct op_class op_distinct_class = {
    sizeof(struct distinct_op), distinct_open, distinct_rewind, distinct_next, distinct_close};

// --- INTERSECT, EXCEPT -------------------------------------------------------------------------------

struct set_op {
    struct op op;
    struct op *inputs[2];
    struct row_hash hash;
    struct arena counts_arena;
    uint64_t *counts[2]; // Per row of the hash, how often each side has it.
    uint64_t capacity;
    uint64_t at, repeat;
    struct datum **columns;
    bool filled;
};

static struct status set_open(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct set_op *set = (struct set_op *)op;
    const struct node *node = op->node;
    row_hash_init(&set->hash, op->run->account, node->types, node->layout.count);
    arena_init(&set->counts_arena, op->run->account);
    for (uint32_t i = 0; i < 2; i++)
        TRY(op_create(task, op->run, node->set.inputs[i], &set->inputs[i]));
    op_alloc_columns(op, node->layout.count);
    set->columns = ARENA_ARRAY(op->run->arena, struct datum *, node->layout.count);

out:
    return st;
}

static struct status set_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct set_op *set = (struct set_op *)op;
    row_hash_reset(&set->hash);
    arena_reset(&set->counts_arena);
    set->counts[0] = set->counts[1] = NULL;
    set->capacity = set->at = set->repeat = 0;
    set->filled = false;
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
        for (uint32_t n = 0; n < in->selected; n++) {
            uint32_t number;
            bool added;
            // What only the right side has gives no rows.
            TRY(row_hash_find(task, &set->hash, set->columns, batch_row(in, n), &number,
                side == 0 ? &added : NULL));
            if (number != ROW_HASH_NONE) count_row(set, side, number);
        }
        TRY(arena_check(&set->hash.keys.arena));
        TRY(task_yield_if_due(task));
    }

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
    if (!set->filled) {
        TRY(set_fill(task, set, 0));
        TRY(set_fill(task, set, 1));
        set->filled = true;
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
    row_hash_fini(&set->hash);
    arena_fini(&set->counts_arena);
}

const struct op_class op_set_class = {
    sizeof(struct set_op), set_open, set_rewind, set_next, set_close};

// --- materialize -------------------------------------------------------------------------------------

struct materialize_op {
    struct op op;
    struct row_store store;
    uint64_t at;
    bool filled;
};

static struct status materialize_open(struct task *task, struct op *op)
{
    struct materialize_op *kept = (struct materialize_op *)op;
    (void)task;
    row_store_init(&kept->store, op->run->account, op->node->types, op->node->layout.count);
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
        if (in->selected == 0) {
            kept->filled = true;
            break;
        }
        for (uint32_t n = 0; n < in->selected; n++)
            row_store_add(&kept->store, in->columns, NULL, batch_row(in, n));
        TRY(arena_check(&kept->store.arena));
    }
    emit_rows(op, &kept->store, &kept->at);

out:
    return st;
}

static void materialize_close(struct op *op)
{
    row_store_fini(&((struct materialize_op *)op)->store);
}

const struct op_class op_materialize_class = {sizeof(struct materialize_op), materialize_open,
    materialize_rewind, materialize_next, materialize_close};
