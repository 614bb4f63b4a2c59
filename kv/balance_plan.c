// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/balance.h"

static uint64_t core_load(
    const struct balance_slice *slices, uint32_t count, const struct balance_slice *of)
{
    uint64_t load = 0;
    for (uint32_t i = 0; i < count; i++)
        if (slices[i].node == of->node && slices[i].shard == of->shard) load += slices[i].load;
    return load;
}

static bool same_core(const struct balance_slice *a, const struct balance_slice *b)
{
    return a->node == b->node && a->shard == b->shard;
}

// Of the hottest core's slices the one with the most to do, after `skip` others.
static uint32_t source_choose(const struct balance_slice *slices, uint32_t count, uint32_t skip)
{
    uint32_t hot = count, best = count;
    uint64_t hot_load = 0, below = UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t load = core_load(slices, count, &slices[i]);
        if (hot != count && load <= hot_load) continue;
        hot = i;
        hot_load = load;
    }
    if (hot == count) return count;
    // By load and then by index, from the top.
    uint32_t last = count;
    for (uint32_t round = 0; round <= skip; round++) {
        best = count;
        for (uint32_t i = 0; i < count; i++) {
            if (!same_core(&slices[i], &slices[hot]) || slices[i].ranges == 0) continue;
            if (slices[i].load > below || (slices[i].load == below && (last != count && i <= last))) continue;
            if (best == count || slices[i].load > slices[best].load) best = i;
        }
        if (best == count) return count;
        below = slices[best].load;
        last = best;
    }
    return best;
}

bool balance_slices(
    const struct balance_slice *slices, uint32_t count, uint64_t threshold, uint32_t skip, struct balance_wish *wish)
{
    uint32_t from = source_choose(slices, count, skip), to = count;
    uint64_t cold = 0;
    if (from == count) return false;
    const uint64_t hot = core_load(slices, count, &slices[from]);
    for (uint32_t i = 0; i < count; i++) {
        const struct balance_slice *slice = &slices[i];
        if (!slice->taking || slice->id == SLICE_META || slice->placement != slices[from].placement ||
            same_core(slice, &slices[from]))
            continue;
        const uint64_t load = core_load(slices, count, slice);
        if (to != count && (load > cold || (load == cold && slice->load >= slices[to].load))) continue;
        to = i;
        cold = load;
    }
    if (to == count || hot - cold < threshold || hot - cold < hot / 4) return false;
    *wish = (struct balance_wish){.from = from, .to = to, .gap = hot - cold};
    return true;
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
        if (load < gap / 20 || load > gap * BALANCE_PART_MOST) continue;
        const uint64_t off = load > gap / 2 ? load - gap / 2 : gap / 2 - load;
        if (best != count && off >= best_off) continue;
        best = i;
        best_off = off;
    }
    return best;
}
