// SPDX-License-Identifier: GPL-3.0-or-later
//
// From values to keys: what part of an index an access path (struct access) reads, given the values that
// its expressions have now.
//
// Memory   Keys and spans lie in the arena given to access_spans.
#pragma once
#include "sql/op.h"

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

struct kv_read scan_read(enum rel_lock lock, enum lock_wait wait);
