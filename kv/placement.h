// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where replicas should be: a task at the meta slice's leader that looks at all nodes and their replicas every now and
// then, and brings them one step nearer to the rules, a member at a time.
//
// Rules      * Each slice has `replicas` voters, fewer (and an odd number) while the cluster has fewer nodes.
//            * A voter on a node that is dead for `dead_after_ns`, or being decommissioned, is replaced: a learner is
//              added elsewhere, becomes a voter, then the old one goes. So is one that lost what it had promised.
//            * Constraints on localities and attributes come first, then localities unlike those of the other
//              replicas, then nodes with few replicas.
//            * Leaders: not on nodes that drain; where lease preferences want them; spread evenly over cores by load.
//            * A cluster has PLACEMENT_SLICES_PER_SHARD slices a core: new ones are begun on nodes that lead few.
// The meta slice is placed like all others. Nothing here is needed for safety: consensus checks every step.
//
// On disk    0x01 'z' -> struct placement_zone; absent: defaults. 0x01 's' -> last slice id.
//
// Shard      The owner of slice 1 on the node that leads it; the functions below on any. They suspend.
// Errors     22023 for a malformed constraint; those of kv/client.h.
// Checked    tests/unit/kv/test_placement.c: the decisions, on tables.
#pragma once
#include "kv/cluster.h"
#include "kv/replica.h"

#define PLACEMENT_REPLICAS_MAX 7u
#define PLACEMENT_DEAD_AFTER_NS UINT64_C(300000000000) // server.time_until_store_dead.
#define PLACEMENT_SLICES_PER_SHARD 2u

struct placement_zone {
    uint32_t replicas;      // 1..PLACEMENT_REPLICAS_MAX.
    uint64_t dead_after_ns;
    // "+region=a,-zone=b,+ssd": a node must have all the + ones and none of the - ones; of its locality or attributes.
    char constraints[256];
    // The same, alternatives separated by ';', the first that any voter meets counts.
    char lease_preferences[256];
};
CHECKED struct status placement_zone_get(struct task *task, struct placement_zone *zone);
CHECKED struct status placement_zone_set(struct task *task, const struct placement_zone *zone);

// --- decisions: pure ---------------------------------------------------------------------------------

struct placement_node {
    uint32_t id;
    uint32_t shard_count;
    bool alive;
    bool dead; // Silent for so long that its replicas are to be replaced.
    bool draining, leaving; // Leaving: decommissioning or decommissioned.
    const char *locality, *attrs;
    // Counted by placement_plan.
    uint32_t replicas, leaders;
};
struct placement_slice {
    uint64_t id;
    uint32_t leader; // Node; 0: none serves: nothing is done.
    uint64_t load, bytes;
    uint32_t damaged; // A member to be replaced; 0: none.
    struct raft_config config;
};
enum placement_kind {
    PLACEMENT_NOTHING,
    PLACEMENT_ADD,      // Make a replica on `node`, add it as a learner.
    PLACEMENT_PROMOTE,  // The learner `node` becomes a voter.
    PLACEMENT_REMOVE,   // `node` is no member any more, and its replica is erased.
    PLACEMENT_TRANSFER, // `node` is to lead.
    PLACEMENT_CREATE,   // A new slice on `node`.
};
struct placement_step {
    enum placement_kind kind;
    uint64_t slice;
    uint32_t node;
};
struct placement_view {
    struct placement_zone zone;
    struct placement_node *nodes;
    uint32_t node_count;
    struct placement_slice *slices;
    uint32_t slice_count;
    bool complete; // Every node that is alive has told of its replicas.
};
// Counts, then the steps that can be taken now: at most one a slice, at most `max`.
uint32_t placement_plan(
    struct placement_view *view, struct placement_step *steps, uint32_t max);
// Whether the node meets "+a=b,-c"; an empty one is met by all. *malformed may be NULL.
bool placement_meets(const struct placement_node *node, const char *constraints, bool *malformed);

extern const struct kv_module placement_module;
