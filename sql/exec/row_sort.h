// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sorting rows, however many: in memory, beyond that in runs in the statement's temporary file that are
// merged. Stable: rows that compare equal come in the order in which they were added.
//
// Memory   Rows are charged to an account of its own, within op->memory; see run_spills.
#pragma once
#include "sql/exec/op.h"

typedef int (*row_compare_fn)(const void *arg, const struct datum *a, const struct datum *b);

struct row_sort_input { // One run being merged.
    struct spill_reader reader;
    struct arena arena;
    struct datum *row;
};
struct row_sort {
    struct op *op;
    struct memory_account memory;
    struct row_store store;
    row_compare_fn compare;
    const void *arg;
    struct spill_tape *runs;
    uint32_t run_count, run_capacity;
    struct arena merge;            // Of what follows.
    struct row_sort_input *inputs;
    uint32_t *heap;                // Inputs by their rows, the least first.
    uint32_t heap_count;
    bool advance;                  // The least row has been given out.
    uint64_t at;                   // In the store, when nothing was spilled.
};
void row_sort_init(struct row_sort *sort, struct op *op, const type_oid *types, uint32_t width,
    row_compare_fn compare, const void *arg);
void row_sort_reset(struct row_sort *sort);
void row_sort_fini(struct row_sort *sort);
// After each batch of rows added to sort->store: spills them when there are too many.
CHECKED struct status row_sort_check(struct task *task, struct row_sort *sort);
// All rows have been added.
CHECKED struct status row_sort_finish(struct task *task, struct row_sort *sort);
// The next row; NULL at the end. Valid until the next call.
CHECKED struct status row_sort_next(
    struct task *task, struct row_sort *sort, const struct datum **row);
// The next rows as a batch of the operator, columns in the order of the rows'.
CHECKED struct status row_sort_emit(struct task *task, struct row_sort *sort, struct batch *out);
// Sorts pointers to rows, with as many of scratch.
CHECKED struct status rows_merge_sort(struct task *task, row_compare_fn compare, const void *arg,
    struct datum **rows, uint64_t count, struct datum **scratch);
