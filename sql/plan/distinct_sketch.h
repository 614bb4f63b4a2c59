// SPDX-License-Identifier: GPL-3.0-or-later
//
// How many distinct values there were, from the smallest hashes of all (k minimum values): exact up to SKETCH_SIZE; with
// k kept and the largest of them at fraction f of the hash space, there were about (k - 1) / f.
//
// Shard    Pure. Nothing suspends.
// Memory   Two kilobytes, the caller's; zeroed to begin.
// Source   Bar-Yossef et al., "Counting Distinct Elements in a Data Stream" (2002).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define SKETCH_SIZE 256u

struct distinct_sketch {
    uint64_t hashes[SKETCH_SIZE]; // A max-heap of the smallest so far.
    uint32_t count;
};
void distinct_sketch_add(struct distinct_sketch *sketch, uint64_t hash);
// At most `rows`, which is how many were added.
uint64_t distinct_sketch_estimate(const struct distinct_sketch *sketch, uint64_t rows);
