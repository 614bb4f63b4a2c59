// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges as they grow, are asked for, and cool down: each leader looks at its own every now and then.
//
//   * Larger than its zone allows (range_max_bytes): it is split in the middle of its bytes.
//   * Asked for more than `split_rate` times a second, twice in a row: it is split where half of what was asked for lies on
//     either side, so that one half can be moved. A single busy key cannot be shared out.
//   * Two neighbours in the slice that are small together and hardly asked for, for RANGE_COLD_LOOKS: they are joined, unless
//     the border was made by hand and is still to stay.
// Nothing evens out yet which slices have how much to do.
//
// Shard    One task a shard; settings are told to each.
// Checked  tests/unit/kv/test_range_upkeep.c, tests/sim/scenario_kv_split.c.
#pragma once
#include "kv/kv_node.h"

#define RANGE_LOOK_NS UINT64_C(5000000000)
#define RANGE_COLD_LOOKS 24u
#define RANGE_SPLIT_RATE_DEFAULT 2500u

struct range_tuning {
    bool split_by_load; // kv.range_split.by_load.enabled
    uint64_t split_rate; // kv.range_split.load_qps_threshold
    bool merge;          // kv.range_merge.queue.enabled
};
// As this shard is to have it. The defaults are on.
struct range_tuning *range_tuning(struct shard *shard);

struct range_upkeep;
struct range_upkeep *range_upkeep_of(struct kv_shard *kv);
CHECKED struct status range_upkeep_make(struct kv_shard *kv, struct range_upkeep **upkeep);
void range_upkeep_free(struct range_upkeep *upkeep);
CHECKED struct status range_upkeep_start(struct task *task); // On all shards.
void range_upkeep_stop(struct task *task, struct kv_node *node);
// One look at a slice, as if `elapsed_ns` had passed since the last one. Suspends. For tests, too.
CHECKED struct status range_upkeep_look(struct task *task, struct slice *slice, uint64_t elapsed_ns);
