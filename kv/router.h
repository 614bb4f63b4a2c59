// SPDX-License-Identifier: GPL-3.0-or-later
//
// Routing: which slice leads a key. Each shard caches the descriptors that it has looked up in the
// meta range. A leader that does not serve the key says K_WRONG_RANGE; then router_evict, and look
// up again.
//
// Shard    One cache a shard.
// Memory   At most ROUTER_ROUTES_MAX routes (then it starts over). A route found is valid until the
//          next suspension of anyone: copy what outlives that.
// Errors   55000 no range holds the key: its tenant has no storage. Otherwise those of reading.
#pragma once
#include "core/task.h"
#include "kv/kv_node.h"
#include "kv/range.h"

#define ROUTER_ROUTES_MAX 65536u
// Half a minute of waiting in all: a range that is moved while nodes come and go is somewhere again by then.
#define ROUTE_ATTEMPTS_MAX 1600u
#define ROUTE_ATTEMPTS_CHECKED 8u

struct router {
    struct range_set *routes;
};

// The range that holds `key`; with `below`, the one that holds the greatest keys below it. Suspends
// when it is not cached.
CHECKED struct status router_find(
    struct task *task, struct bytes key, bool below, const struct range **range);
// What a request says that goes by the range. After some vain attempts nothing: should a leader ever know more than the
// meta range says, as after a loss (kv/loss.h), keys alone decide.
static inline uint64_t router_generation(const struct range *range, uint32_t attempt)
{
    return attempt < ROUTE_ATTEMPTS_CHECKED ? range->generation : 0;
}
// Forgets the route of `key` and, from the second attempt in a row on, waits a little: the range is
// on its way.
CHECKED struct status router_evict(
    struct task *task, struct bytes key, bool below, uint32_t attempt);
// Forgets all routes: for whoever does not know which of many was stale.
CHECKED struct status router_evict_all(struct task *task, uint32_t attempt);
// The shard of a slice of this node.
uint32_t router_shard(const struct kv_shard *kv, uint64_t slice);
