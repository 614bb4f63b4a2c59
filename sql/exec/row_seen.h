// SPDX-License-Identifier: GPL-3.0-or-later
//
// The different rows that have come by, however many: which of them are new is known at once. What there is no
// room for in a hash table goes to the temporary file, ordered by hash, one run each time the table is full.
//
// Memory   Within op->memory; of a row in the file a byte (a filter that says "surely new") and a bit stay.
#pragma once
#include "sql/exec/op.h"

struct seen_run {
    struct row_list rows;
    struct row_list_reader reader;
    uint64_t *marks; // The hash of every SEEN_MARK_ROWS-th row.
    uint8_t *filter;
    uint64_t mark_count, filter_mask; // Bits of the filter, less one.
};
struct row_seen {
    struct op *op;
    struct memory_account memory;
    struct row_hash hash;
    struct arena arena; // Of the runs.
    struct seen_run **runs;
    uint32_t run_count, run_capacity;
};
void row_seen_init(struct row_seen *seen, struct op *op, const type_oid *types, uint32_t width);
void row_seen_reset(struct row_seen *seen);
void row_seen_fini(struct row_seen *seen);
// *added: no such row (NULLs equal) has been here before.
CHECKED struct status row_seen_add(struct task *task, struct row_seen *seen,
    struct datum *const *columns, uint32_t at, bool *added);
// Before a batch of at most run->capacity rows.
CHECKED struct status row_seen_check(struct task *task, struct row_seen *seen);
