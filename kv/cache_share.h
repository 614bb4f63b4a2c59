// SPDX-License-Identifier: GPL-3.0-or-later
//
// A shard's part of the node's cache, divided among its stores by how much each holds: a small or idle store leaves its
// room to those that need it. Each has at least a quarter of an even share, so that one which begins to grow has time to.
//
// Shard    One a shard; called by its upkeep, and when replicas come or go.
// Time     At most one call of WiredTiger a store; none while the shares hardly change.
// Safety   Shares add up to the whole; what is set may be a sixteenth of it more, and the least that a store takes.
#pragma once
#include <stdint.h>

struct kv_shard;

void cache_share(struct kv_shard *kv);

// The rule alone: `needs` in bytes become `shares` of `total`.
void cache_shares(uint64_t total, const uint64_t *needs, uint64_t *shares, uint32_t count);
