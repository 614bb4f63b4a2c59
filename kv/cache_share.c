// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/cache_share.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "kv/slice_internal.h"

#define LOGGED_FACTOR 2u // What a byte of the log comes to in a cache, before a checkpoint says how much it is.
#define NEED_LEAST 1u

void cache_shares(uint64_t total, const uint64_t *needs, uint64_t *shares, uint32_t count)
{
    if (count == 0) return;
    uint64_t least = total / count / 4, rest = total - least * count, sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += needs[i] + NEED_LEAST;
    for (uint32_t i = 0; i < count; i++)
        shares[i] = least + (uint64_t)((double)rest * (double)(needs[i] + NEED_LEAST) / (double)sum);
}

static uint64_t need_of(const struct slice *slice, uint64_t *has)
{
    struct store_figures figures;
    store_figures(slice->store, &figures);
    *has = figures.cache_bytes;
    return figures.bytes + LOGGED_FACTOR * slice->bytes_since_checkpoint;
}

static uint64_t change_of(uint64_t share, uint64_t has)
{
    return share > has ? share - has : has - share;
}

static void share_set(struct kv_shard *kv, const uint64_t *shares, const uint64_t *has, bool smaller)
{
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        if ((shares[i] < has[i]) != smaller || change_of(shares[i], has[i]) < has[i] / 16) continue;
        struct status st = store_cache_set(kv->slices[i]->store, shares[i]);
        if (failed(st)) log_warning(0, "cache of a store: %s", st.message);
    }
}

void cache_share(struct kv_shard *kv)
{
    uint32_t count = kv->slice_count;
    if (count == 0) return;
    uint64_t *needs = malloc(3 * count * sizeof *needs), *shares = needs + count, *has = shares + count;
    invariant(needs != NULL);
    for (uint32_t i = 0; i < count; i++)
        needs[i] = need_of(kv->slices[i], &has[i]);
    uint64_t total = kv->node->options.cache_bytes / kv->shard->node->shard_count;
    cache_shares(total, needs, shares, count);
    bool other = false;
    for (uint32_t i = 0; i < count; i++) {
        other = other || change_of(shares[i], has[i]) > has[i] / 4;
    }
    if (other) {
        share_set(kv, shares, has, true); // Room first.
        share_set(kv, shares, has, false);
    }
    free(needs);
}
