// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where leaders are, as the cluster's tables say (kv/cluster.h).
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/leader_wire.h"

static bool replica_of(
    struct shard *shard, uint64_t slice, uint32_t node, struct rpc_target *where)
{
    where->node = node;
    return cluster_slice_shard(shard, node, slice, &where->shard);
}

static bool leader_of(struct shard *shard, uint64_t slice, struct rpc_target *where)
{
    struct cluster_slice known;
    if (!cluster_slice(shard, slice, &known) || known.leader == 0) return false;
    if (!cluster_alive(shard, known.leader)) return false;
    return replica_of(shard, slice, known.leader, where);
}

// The voters in turn.
static uint32_t next_voter(const struct cluster_slice *known, uint32_t node)
{
    for (uint32_t i = 0; i < known->voter_count; i++) {
        if (known->voters[i] == node) return known->voters[(i + 1) % known->voter_count];
    }
    return known->voters[0];
}

// While nothing is known of the slice any node may know more: those that are alive, in turn.
static uint32_t next_node(struct shard *shard, uint32_t node)
{
    uint32_t count;
    uint32_t first = 0;
    const struct cluster_node *nodes = cluster_nodes(shard, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!nodes[i].alive) continue;
        if (nodes[i].id > node) return nodes[i].id;
        if (first == 0) first = nodes[i].id;
    }
    return first;
}

static uint32_t next_of(struct shard *shard, uint64_t slice, uint32_t node)
{
    struct cluster_slice known;
    if (!cluster_slice(shard, slice, &known) || known.voter_count == 0) {
        return next_node(shard, node);
    }
    return next_voter(&known, node);
}

const struct leader_directory leader_directory_cluster = {
    .leader = leader_of,
    .replica = replica_of,
    .next = next_of,
};
