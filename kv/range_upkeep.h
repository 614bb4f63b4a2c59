// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges as they grow, are asked for, and cool down: each leader looks at its own every now and then.
//
//   * Larger than its zone allows (range_max_bytes): it is split in the middle of its bytes.
//   * Asked for more than `split_rate` times a second, twice in a row: it is split where half of what was asked for lies on
//     either side, so that one half can be moved. A single busy key cannot be shared out.
//   * Two neighbours in the slice that are small together and hardly asked for, for RANGE_COLD_LOOKS: they are joined, unless
//     the border was made by hand and is still to stay. When they are in different slices the smaller one goes to the
//     other's slice first (kv/move.h), one at a time; ranges that are being replicated into stay where they are.
// Which cores have how much to do is evened out by kv/balance.h.
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
    uint64_t look_ns;    // kv.range_upkeep.interval; 0: RANGE_LOOK_NS
    // Ranges go elsewhere by themselves (kv/balance.h).
    bool move;             // kv.range_move.by_load.enabled
    uint64_t move_rate;    // kv.range_move.by_load.qps_threshold; 0: BALANCE_RATE_DEFAULT
    uint64_t move_wait_ns; // kv.range_move.by_load.interval; 0: BALANCE_WAIT_NS
};
// As this shard is to have it. The defaults are on.
struct range_tuning *range_tuning(struct shard *shard);
// How large the range of the slice that starts there may grow, by its zone.
uint64_t range_bytes_max(struct shard *shard, uint64_t slice, struct bytes start);
// So small, and so rarely asked for, that it is worth a move to be joined.
bool range_cold(const struct range_tuning *tuning, uint64_t rate, uint64_t bytes, uint64_t bytes_max);

struct range_upkeep;
struct range_upkeep *range_upkeep_of(struct kv_shard *kv);
CHECKED struct status range_upkeep_make(struct kv_shard *kv, struct range_upkeep **upkeep);
void range_upkeep_free(struct range_upkeep *upkeep);
CHECKED struct status range_upkeep_start(struct task *task); // On all shards.
void range_upkeep_stop(struct task *task, struct kv_node *node);
// One look at a slice, as if `elapsed_ns` had passed since the last one. Suspends. For tests, too.
CHECKED struct status range_upkeep_look(struct task *task, struct slice *slice, uint64_t elapsed_ns);
