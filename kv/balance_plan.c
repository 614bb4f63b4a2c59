// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/balance.h"

#include <stdlib.h>

static bool same_core(const struct balance_slice *a, const struct balance_slice *b)
{
    return a->node == b->node && a->shard == b->shard;
}

static int core_compare(const void *left, const void *right)
{
    const struct balance_slice *a = left, *b = right;
    if (a->node != b->node) return a->node < b->node ? -1 : 1;
    return (a->shard > b->shard) - (a->shard < b->shard);
}

static int load_compare(const void *left, const void *right)
{
    const struct balance_slice *a = left, *b = right;
    if (a->core_load != b->core_load) return a->core_load > b->core_load ? -1 : 1;
    const int core = core_compare(a, b);
    if (core != 0) return core;
    if (a->load != b->load) return a->load > b->load ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

void balance_cores(struct balance_slice *slices, uint32_t count)
{
    if (count == 0) return;
    qsort(slices, count, sizeof *slices, core_compare);
    for (uint32_t start = 0, end; start < count; start = end) {
        uint64_t load = 0;
        for (end = start; end < count && same_core(&slices[start], &slices[end]); end++) load += slices[end].load;
        for (uint32_t i = start; i < end; i++) slices[i].core_load = load;
    }
    qsort(slices, count, sizeof *slices, load_compare);
}

static bool may_go(const struct balance_slice *from, const struct balance_slice *to)
{
    if (same_core(to, from) || to->placement != from->placement) return false;
    return to->node == from->node || from->movable >= from->load * BALANCE_MOVABLE_PART;
}

// The slice with least to do of the core with least to do that may have a range of the slice `from`; `count`: there is none.
static uint32_t target_choose(const struct balance_slice *slices, uint32_t count, const struct balance_slice *from)
{
    for (uint32_t i = count; i-- > 0;) {
        const struct balance_slice *slice = &slices[i];
        if (slice->taking && slice->id != SLICE_META && may_go(from, slice)) return i;
    }
    return count;
}

bool balance_slices(
    const struct balance_slice *slices, uint32_t count, uint64_t threshold, uint32_t first, struct balance_wish *wish)
{
    for (uint32_t from = first; from < count; from++) {
        if (slices[from].core_load < threshold) return false;
        if (slices[from].ranges == 0) continue;
        const uint32_t to = target_choose(slices, count, &slices[from]);
        const uint64_t hot = slices[from].core_load;
        if (to == count || slices[to].core_load >= hot) continue;
        const uint64_t gap = hot - slices[to].core_load;
        if (gap < threshold || gap < hot / 4) continue;
        *wish = (struct balance_wish){.from = from, .to = to, .gap = gap};
        return true;
    }
    return false;
}

uint32_t balance_range(const struct balance_range *ranges, uint32_t count, uint64_t slice_load, uint64_t gap,
    uint64_t threshold)
{
    uint32_t best = count;
    uint64_t sum = 0, best_off = 0;
    for (uint32_t i = 0; i < count; i++) sum += ranges[i].rate;
    if (sum == 0) return count;
    for (uint32_t i = 0; i < count; i++) {
        // Keys that were asked for, in the slice's requests.
        const uint64_t load = (uint64_t)((double)ranges[i].rate / (double)sum * (double)slice_load);
        if (ranges[i].resting || ranges[i].rate <= threshold / BALANCE_RANGE_PART) continue;
        if (load == 0 || load > gap * BALANCE_PART_MOST) continue;
        const uint64_t off = load > gap / 2 ? load - gap / 2 : gap / 2 - load;
        if (best != count && off >= best_off) continue;
        best = i;
        best_off = off;
    }
    return best;
}
