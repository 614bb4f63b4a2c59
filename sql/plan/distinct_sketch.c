// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/distinct_sketch.h"

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_down(struct distinct_sketch *sketch, uint32_t at)
{
    for (;;) {
        uint32_t largest = at, left = 2 * at + 1, right = left + 1;
        if (left < sketch->count && sketch->hashes[left] > sketch->hashes[largest]) largest = left;
        if (right < sketch->count && sketch->hashes[right] > sketch->hashes[largest])
            largest = right;
        if (largest == at) return;
        swap(&sketch->hashes[at], &sketch->hashes[largest]);
        at = largest;
    }
}

void distinct_sketch_add(struct distinct_sketch *sketch, uint64_t hash)
{
    bool full = sketch->count == SKETCH_SIZE;
    if (full && hash >= sketch->hashes[0]) return;
    for (uint32_t i = 0; i < sketch->count; i++) {
        if (sketch->hashes[i] == hash) return;
    }
    if (full) {
        sketch->hashes[0] = hash;
        sift_down(sketch, 0);
        return;
    }
    uint32_t at = sketch->count++;
    sketch->hashes[at] = hash;
    while (at > 0 && sketch->hashes[(at - 1) / 2] < sketch->hashes[at]) {
        swap(&sketch->hashes[(at - 1) / 2], &sketch->hashes[at]);
        at = (at - 1) / 2;
    }
}

uint64_t distinct_sketch_estimate(const struct distinct_sketch *sketch, uint64_t rows)
{
    if (sketch->count < SKETCH_SIZE) return sketch->count;
    double fraction = (double)sketch->hashes[0] / 18446744073709551616.0;
    double estimate = (SKETCH_SIZE - 1) / fraction;
    return estimate > (double)rows ? rows : (uint64_t)estimate;
}
