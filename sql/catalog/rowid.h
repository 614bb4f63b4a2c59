// SPDX-License-Identifier: GPL-3.0-or-later
//
// unique_rowid(): numbers that grow with time on each shard, of which no two of a cluster are the same.
//
//     bits   62..15  ticks of 10 us since 2015: until 2104
//            14..10  place in the tick, of ROWID_PLACES
//             9..0   node id: all CLUSTER_NODES_MAX of a cluster's life
//
// A node has 32 numbers in each tick. Up to 32 shards share these; more take turns: shard s has ticks whose remainder by the
// number of turns is s / 32, and in them one number. Who needs more runs ahead of the clock, by at most ROWID_AHEAD_NS; then
// it waits. A start begins so far ahead, beyond what any earlier run gave out, also with another number of shards, as long as
// the clock was not set back meanwhile.
//
// Shard    Each has numbers of its own. rowid_wait suspends.
// Checked  tests/unit/sql/test_catalog.c
#pragma once
#include "core/status.h"
#include "core/task.h"

#define ROWID_EPOCH_NS 1420070400000000000ull // 2015-01-01
#define ROWID_TICK_NS 10000ull
#define ROWID_AHEAD_NS 100000000ull
#define ROWID_PLACES 32u // Of a node in a tick.

struct rowid_state { // Of a shard.
    uint64_t start_wall_ns, start_mono_ns;
    uint64_t tick;   // The last one's.
    uint32_t place;  // Which of the shard's places in it.
    uint32_t unread; // So many more may be given before the clock is read.
};
void rowid_init(struct rowid_state *last, struct shard *shard);
// Until the shard may give one: before each catalog_unique_rowid, without a suspension in between.
CHECKED struct status rowid_wait(struct task *task);
int64_t catalog_unique_rowid(struct shard *shard);

// How one of `shards` shards makes them: how many it has in a tick, its first tick from one on, and the number.
uint32_t rowid_places(uint32_t shards);
uint64_t rowid_tick_from(uint64_t tick, uint32_t shards, uint32_t shard);
int64_t rowid_number(uint64_t tick, uint32_t place, uint32_t shards, uint32_t shard, uint32_t node);
