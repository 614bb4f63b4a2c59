// SPDX-License-Identifier: GPL-3.0-or-later
//
// From values to keys: what part of an index an access path (struct access) reads, given the values that
// its expressions have now.
//
// Memory   Keys and spans lie in the arena given to access_spans.
#pragma once
#include "sql/exec/op.h"

// Values that one column is compared with, in IN or = ANY.
#define ACCESS_SPANS_MAX 65536u

struct access_state {
    const struct access *access;
    const struct row_index *index;
    struct expr_state ***equals; // Per equality, per program.
    struct expr_state **lower, **upper;
    // The result: points (their keys) or spans, sorted, without repetitions.
    struct bytes *points;
    struct span *spans;
    uint32_t count;
};
void access_state_init(struct access_state *state, struct arena *arena, struct run *run,
    const struct access *access, const struct row_index *index);
CHECKED struct status access_spans(
    struct task *task, struct access_state *state, struct arena *arena);

// Rows of an inverted index that may meet all conditions of the node, in the primary key's order.
struct inverted_scan;
struct inverted_scan *inverted_scan_new(struct run *run, const struct node_scan *node);
CHECKED struct status inverted_scan_rewind(struct task *task, struct inverted_scan *scan);
// After a rewind: whether no condition has parts to look for, and the primary index is read instead.
bool inverted_scan_is_whole(const struct inverted_scan *scan);
// Up to `rows_max` rows, in `arena`: keys that node->lookup decodes; or the primary index's own when it is the
// whole. *count 0: the end.
CHECKED struct status inverted_scan_next(struct task *task, struct inverted_scan *scan,
    struct kv_read read, struct arena *arena, uint32_t rows_max, struct kv_pair **pairs,
    uint32_t *count);
void inverted_scan_close(struct inverted_scan *scan);

struct kv_read scan_read(enum rel_lock lock, enum lock_wait wait);
