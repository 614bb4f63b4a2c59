// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/row_sort.h"

#include <stdlib.h>

#include "core/invariant.h"

#define MERGE_WIDTH_MAX 64u
#define MERGE_WIDTH_MIN 4u
#define EMIT_BYTES (1u << 20)

void row_sort_init(struct row_sort *sort, struct op *op, const type_oid *types, uint32_t width,
    row_compare_fn compare, const void *arg)
{
    *sort = (struct row_sort){.op = op, .compare = compare, .arg = arg};
    memory_account_init(&sort->memory, &op->memory, "sort", 0);
    row_store_init(&sort->store, &sort->memory, types, width);
    arena_init(&sort->merge, &sort->memory);
}

static void inputs_close(struct row_sort *sort, uint32_t count)
{
    for (uint32_t i = 0; sort->inputs != NULL && i < count; i++) {
        spill_reader_fini(&sort->inputs[i].reader);
        arena_fini(&sort->inputs[i].arena);
    }
    sort->inputs = NULL;
    sort->heap_count = 0;
    arena_reset(&sort->merge);
}

void row_sort_reset(struct row_sort *sort)
{
    inputs_close(sort, sort->run_count);
    for (uint32_t i = 0; i < sort->run_count; i++) spill_tape_clear(&sort->runs[i]);
    sort->run_count = 0;
    sort->at = 0;
    sort->advance = false;
    row_store_reset(&sort->store);
}

void row_sort_fini(struct row_sort *sort)
{
    if (sort->op == NULL) return;
    row_sort_reset(sort);
    row_store_fini(&sort->store);
    arena_fini(&sort->merge);
    free(sort->runs);
    memory_account_fini(&sort->memory);
    *sort = (struct row_sort){0};
}

// --- in memory ---------------------------------------------------------------------------------------

// Bottom-up merge sort of row pointers: stable, and it yields as it goes.
struct status rows_merge_sort(struct task *task, row_compare_fn compare, const void *arg,
    struct datum **rows, uint64_t count, struct datum **scratch)
{
    struct status st = STATUS_OK;
    enum { RUN = 12 };
    for (uint64_t start = 0; start < count; start += RUN) {
        uint64_t end = start + RUN < count ? start + RUN : count;
        for (uint64_t i = start + 1; i < end; i++) {
            struct datum *row = rows[i];
            uint64_t at = i;
            for (; at > start && compare(arg, rows[at - 1], row) > 0; at--) rows[at] = rows[at - 1];
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
                bool left = b >= end || (a < middle && compare(arg, from[a], from[b]) <= 0);
                to[out] = left ? from[a++] : from[b++];
                if ((out & 1023u) == 1023u) TRY(task_yield_if_due(task));
            }
        }
        struct datum **swap = from;
        from = to;
        to = swap;
    }
    if (from != rows && count > 0) memcpy(rows, from, count * sizeof *rows);

out:
    return st;
}

static struct status sort_store(struct task *task, struct row_sort *sort)
{
    struct row_store *store = &sort->store;
    if (store->count < 2) return STATUS_OK;
    struct arena scratch;
    arena_init(&scratch, &sort->memory);
    struct datum **other = arena_alloc(&scratch, store->count * sizeof *other);
    struct status st =
        rows_merge_sort(task, sort->compare, sort->arg, store->rows, store->count, other);
    arena_fini(&scratch);
    return st;
}

// --- runs --------------------------------------------------------------------------------------------

static struct spill_tape *new_run(struct row_sort *sort)
{
    if (sort->run_count == sort->run_capacity) {
        sort->run_capacity = sort->run_capacity == 0 ? 16 : sort->run_capacity * 2;
        sort->runs = realloc(sort->runs, sort->run_capacity * sizeof *sort->runs);
        invariant(sort->runs != NULL);
    }
    struct spill_tape *tape = &sort->runs[sort->run_count++];
    spill_tape_init(tape, &sort->op->run->spill, &sort->op->spilled_bytes);
    return tape;
}

static struct status write_run(struct task *task, struct row_sort *sort)
{
    struct status st;
    struct row_store *store = &sort->store;
    TRY(sort_store(task, sort));
    struct spill_tape *tape = new_run(sort);
    for (uint64_t i = 0; i < store->count; i++) {
        TRY(spill_tape_add_row(task, tape, store->types, store->width, store->rows[i]));
        if ((i & 1023u) == 1023u) TRY(task_yield_if_due(task));
    }
    TRY(spill_tape_end(task, tape));
    row_store_reset(store);

out:
    return st;
}

struct status row_sort_check(struct task *task, struct row_sort *sort)
{
    // Sorting takes as many pointers again.
    if (run_spills(sort->op->run, &sort->memory, sort->store.count * sizeof(struct datum *)))
        return write_run(task, sort);
    return arena_check(&sort->store.arena);
}

// --- merging -----------------------------------------------------------------------------------------

// Earlier runs hold what was added earlier.
static bool heap_less(const struct row_sort *sort, uint32_t a, uint32_t b)
{
    int order = sort->compare(sort->arg, sort->inputs[a].row, sort->inputs[b].row);
    return order < 0 || (order == 0 && a < b);
}

static void heap_down(struct row_sort *sort, uint32_t at)
{
    uint32_t item = sort->heap[at];
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= sort->heap_count) break;
        if (child + 1 < sort->heap_count && heap_less(sort, sort->heap[child + 1], sort->heap[child]))
            child++;
        if (!heap_less(sort, sort->heap[child], item)) break;
        sort->heap[at] = sort->heap[child];
        at = child;
    }
    sort->heap[at] = item;
}

static struct status input_next(
    struct task *task, struct row_sort *sort, struct row_sort_input *input, bool *found)
{
    arena_reset(&input->arena);
    return spill_read(task, &input->reader, sort->store.types, sort->store.width, &input->arena,
        input->row, found);
}

static struct status merge_begin(
    struct task *task, struct row_sort *sort, const struct spill_tape *runs, uint32_t count)
{
    struct status st = STATUS_OK;
    sort->inputs = ARENA_ARRAY(&sort->merge, struct row_sort_input, count);
    sort->heap = ARENA_ARRAY(&sort->merge, uint32_t, count);
    sort->heap_count = 0;
    sort->advance = false;
    for (uint32_t i = 0; i < count; i++) {
        struct row_sort_input *input = &sort->inputs[i];
        spill_reader_init(&input->reader, &runs[i]);
        arena_init(&input->arena, &sort->memory);
        input->row = ARENA_ARRAY(&sort->merge, struct datum, sort->store.width + 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        bool found;
        TRY(input_next(task, sort, &sort->inputs[i], &found));
        if (found) sort->heap[sort->heap_count++] = i;
    }
    for (uint32_t i = sort->heap_count / 2; i-- > 0;) heap_down(sort, i);

out:
    return st;
}

static struct status merge_next(
    struct task *task, struct row_sort *sort, const struct datum **row)
{
    struct status st = STATUS_OK;
    *row = NULL;
    if (sort->advance) {
        bool found;
        TRY(input_next(task, sort, &sort->inputs[sort->heap[0]], &found));
        if (!found) sort->heap[0] = sort->heap[--sort->heap_count];
        if (sort->heap_count > 0) heap_down(sort, 0);
        sort->advance = false;
    }
    if (sort->heap_count == 0) return st;
    *row = sort->inputs[sort->heap[0]].row;
    sort->advance = true;

out:
    return st;
}

// Makes one run of `count` of them; it takes their place, so that the order of runs stays.
static struct status merge_some(
    struct task *task, struct row_sort *sort, uint32_t first, uint32_t count)
{
    struct spill_tape *runs = sort->runs + first;
    struct status st;
    const struct datum *row;
    struct spill_tape merged;
    uint64_t rows = 0;
    spill_tape_init(&merged, &sort->op->run->spill, &sort->op->spilled_bytes);
    TRY(merge_begin(task, sort, runs, count));
    for (;;) {
        TRY(merge_next(task, sort, &row));
        if (row == NULL) break;
        TRY(spill_tape_add_row(task, &merged, sort->store.types, sort->store.width, row));
        if ((++rows & 1023u) == 0) TRY(task_yield_if_due(task));
    }
    TRY(spill_tape_end(task, &merged));

out:
    inputs_close(sort, count);
    if (failed(st)) {
        spill_tape_clear(&merged);
        return st;
    }
    for (uint32_t i = 0; i < count; i++) spill_tape_clear(&runs[i]);
    runs[0] = merged;
    memmove(&runs[1], &runs[count], (sort->run_count - first - count) * sizeof *runs);
    sort->run_count -= count - 1;
    return st;
}

static uint32_t merge_width(const struct row_sort *sort)
{
    uint64_t width = sort->op->run->session->work_bytes / 2 / SPILL_BLOCK_BYTES;
    return width < MERGE_WIDTH_MIN ? MERGE_WIDTH_MIN
         : width > MERGE_WIDTH_MAX ? MERGE_WIDTH_MAX
                                   : (uint32_t)width;
}

struct status row_sort_finish(struct task *task, struct row_sort *sort)
{
    struct status st;
    sort->at = 0;
    if (sort->run_count == 0) return sort_store(task, sort);
    if (sort->store.count > 0) TRY(write_run(task, sort));
    uint32_t width = merge_width(sort);
    // Neighbours are merged, from the first to the last and again, until the rest is one merge.
    for (uint32_t first = 0; sort->run_count > width; first++) {
        if (sort->run_count - first < 2) first = 0;
        uint32_t surplus = sort->run_count - width + 1, rest = sort->run_count - first;
        uint32_t count = surplus < width ? surplus : width;
        TRY(merge_some(task, sort, first, count < rest ? count : rest));
    }
    TRY(merge_begin(task, sort, sort->runs, sort->run_count));

out:
    return st;
}

struct status row_sort_next(struct task *task, struct row_sort *sort, const struct datum **row)
{
    if (sort->run_count > 0) return merge_next(task, sort, row);
    *row = sort->at < sort->store.count ? sort->store.rows[sort->at++] : NULL;
    return STATUS_OK;
}

struct status row_sort_emit(struct task *task, struct row_sort *sort, struct batch *out)
{
    struct status st = STATUS_OK;
    struct op *op = sort->op;
    uint32_t count = 0;
    uint64_t bytes = 0;
    bool copy = sort->run_count > 0;
    arena_reset(&op->arena);
    while (count < op->run->capacity && bytes < EMIT_BYTES) {
        const struct datum *row;
        TRY(row_sort_next(task, sort, &row));
        if (row == NULL) break;
        for (uint32_t c = 0; c < out->column_count; c++) {
            struct datum value = row[c];
            if (copy && !value.null && !type_is_by_value(sort->store.types[c])) {
                bytes += value.size;
                value.data = task_copy(&op->arena, datum_as_bytes(value)).data;
            }
            out->columns[c][count] = value;
        }
        count++;
    }
    out->count = out->selected = count;
    out->selection = NULL;
    op->rows += count;
    if (copy) TRY(task_yield_if_due(task));

out:
    return st;
}
