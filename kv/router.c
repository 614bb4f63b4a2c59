// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/router.h"

#include "core/invariant.h"
#include "kv/key.h"
#include "kv/txn.h"

static const struct range meta_range = {
    .id = RANGE_META_ID,
    .span = {{(const uint8_t *)"\x01", 1}, {(const uint8_t *)"\x02", 1}},
    .slice = SLICE_META,
    .generation = 1,
};

static struct router *router_of(struct task *task)
{
    return &client_of(task)->router;
}

static bool in_meta(struct bytes key, bool below)
{
    if (key.size == 0 || key.data[0] != 0x01) {
        return below && bytes_equal(key, meta_range.span.end);
    }
    return !below || key.size > 1;
}

static const struct range *cached(struct router *router, struct bytes key, bool below)
{
    struct range_set *set = router->routes;
    if (!below) {
        const struct range_entry *entry = range_set_find(set, key);
        return entry == NULL ? NULL : &entry->range;
    }
    const struct range_entry *entry = range_set_find_below(set, key);
    return entry == NULL ? NULL : &entry->range;
}

// Reads the descriptor that covers `key` from the meta range.
static struct status look_up(struct task *task, struct bytes key, bool below)
{
    struct status st = STATUS_OK;
    struct router *router = router_of(task);
    struct kv_txn *txn = NULL;
    struct arena arena;
    arena_init(&arena, NULL);

    const struct kv_txn_options options = {.tenant = 0, .read_only = true};
    TRY(kv_txn_begin(task, &options, &txn));
    struct kv_scan scan;
    kv_scan_init(&scan, range_meta_lookup_span(&arena, key, !below));
    scan.reverse = true;
    scan.limit = 1;
    struct kv_batch batch;
    TRY(kv_scan_next(task, txn, &scan, &arena, &batch));

    struct range range = {0};
    bool found = false;
    if (batch.count > 0) {
        TRY(range_decode(batch.pairs[0].value, &range));
        int order = bytes_compare(key, range.span.end);
        found = below ? order <= 0 : order < 0;
    }
    if (!found) {
        st = status_make(E_NOT_IN_PREREQUISITE_STATE, "virtual cluster has no storage");
        goto out;
    }
    if (router->routes->count >= ROUTER_ROUTES_MAX) range_set_clear(router->routes);
    TRY(range_set_add(router->routes, &range));
out:
    if (txn != NULL) kv_txn_rollback(task, txn);
    arena_fini(&arena);
    return st;
}

struct status router_find(
    struct task *task, struct bytes key, bool below, const struct range **range)
{
    if (in_meta(key, below)) {
        *range = &meta_range;
        return STATUS_OK;
    }
    for (uint32_t attempt = 0; attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        *range = cached(router_of(task), key, below);
        if (*range != NULL) return STATUS_OK;
        struct status st = look_up(task, key, below);
        if (failed(st)) return st;
    }
    return status_make(E_INTERNAL, "routes are evicted faster than they are used");
}

static struct status back_off(struct task *task, uint32_t attempt)
{
    if (attempt == 0) return STATUS_OK;
    return task_sleep(task, 250000u * (attempt < 80 ? attempt : 80));
}

struct status router_evict(struct task *task, struct bytes key, bool below, uint32_t attempt)
{
    const struct range *range = cached(router_of(task), key, below);
    if (range != NULL) range_set_remove(router_of(task)->routes, range->span.start);
    return back_off(task, attempt);
}

struct status router_evict_all(struct task *task, uint32_t attempt)
{
    range_set_clear(router_of(task)->routes);
    return back_off(task, attempt);
}

uint32_t router_shard(const struct kv_shard *kv, uint64_t slice)
{
    invariant(slice >= 1);
    return kv_slice_shard(slice, kv->node->node->shard_count);
}
