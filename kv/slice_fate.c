// SPDX-License-Identifier: GPL-3.0-or-later
//
// The latest committed transactions by id, so that who asks again for a commit whose answer was lost learns what became
// of it. Every replica has them, as far back as it has applied entries and there is room.
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "kv/slice_internal.h"

#define FATES_COUNT 4096u
#define FATES_BUCKETS 4096u

struct fate {
    uint64_t txn;
    struct hlc_timestamp ts;
    uint32_t next; // In the bucket; place + 1, 0: none.
};

struct slice_fates {
    struct hlc_timestamp floor; // Everything above it is remembered.
    uint64_t noted;
    uint32_t buckets[FATES_BUCKETS]; // Place + 1.
    struct fate ring[FATES_COUNT];
};

static uint32_t *bucket_of(struct slice_fates *fates, uint64_t txn)
{
    return &fates->buckets[hash_u64(txn) & (FATES_BUCKETS - 1)];
}

static void forget(struct slice_fates *fates, uint32_t place)
{
    uint32_t *at = bucket_of(fates, fates->ring[place].txn);
    while (*at != place + 1)
        at = &fates->ring[*at - 1].next;
    *at = fates->ring[place].next;
    fates->floor = hlc_max(fates->floor, fates->ring[place].ts);
}

static struct slice_fates *fates_make(struct slice *slice)
{
    struct slice_fates *fates = calloc(1, sizeof *fates);
    invariant(fates != NULL);
    fates->floor = slice->applied_ts;
    slice->fates = fates;
    return fates;
}

void slice_fate_note(struct slice *slice, uint64_t txn, struct hlc_timestamp ts)
{
    struct slice_fates *fates = slice->fates == NULL ? fates_make(slice) : slice->fates;
    uint32_t place = (uint32_t)(fates->noted % FATES_COUNT);
    if (fates->noted++ >= FATES_COUNT) forget(fates, place);
    uint32_t *bucket = bucket_of(fates, txn);
    fates->ring[place] = (struct fate){.txn = txn, .ts = ts, .next = *bucket};
    *bucket = place + 1;
}

void slice_fates_reset(struct slice *slice)
{
    slice_fates_free(slice);
    fates_make(slice);
}

void slice_fates_free(struct slice *slice)
{
    free(slice->fates);
    slice->fates = NULL;
}

enum slice_fate slice_txn_fate(const struct slice *slice, uint64_t txn, struct hlc_timestamp since,
    struct hlc_timestamp *ts)
{
    struct slice_fates *fates = slice->fates;
    if (fates == NULL) {
        return hlc_less(since, slice->applied_ts) ? SLICE_FATE_UNKNOWN : SLICE_FATE_NONE;
    }
    for (uint32_t at = *bucket_of(fates, txn); at != 0; at = fates->ring[at - 1].next) {
        if (fates->ring[at - 1].txn != txn) continue;
        *ts = fates->ring[at - 1].ts;
        return SLICE_FATE_COMMITTED;
    }
    return hlc_less(since, fates->floor) ? SLICE_FATE_UNKNOWN : SLICE_FATE_NONE;
}
