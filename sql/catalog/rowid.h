// SPDX-License-Identifier: GPL-3.0-or-later
//
// How far unique_rowid() (catalog_unique_rowid) runs ahead of the clock.
//
// A node has 128 numbers in each 10 us, which its shards share. Who needs more runs ahead of the clock, by at most
// ROWID_AHEAD_NS; then it waits. A start begins so far ahead, beyond what any earlier run gave out, as long as the clock
// was not set back meanwhile.
//
// Shard    Each has numbers of its own. Suspends.
// Checked  tests/unit/sql/test_catalog.c
#pragma once
#include "core/status.h"
#include "core/task.h"

#define ROWID_EPOCH_NS 1420070400000000000ull // 2015-01-01
#define ROWID_TICK_NS 10000ull
#define ROWID_AHEAD_NS 100000000ull
// Until the shard may give one: before each catalog_unique_rowid, without a suspension in between.
CHECKED struct status rowid_wait(struct task *task);
