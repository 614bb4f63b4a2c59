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
//            * Leaders: not on nodes that drain, or whose disk is full; where lease preferences want them; spread evenly over cores by load.
//            * A cluster has PLACEMENT_SLICES_PER_SHARD slices a core: new ones are begun on nodes that lead few.
//            * Data whose zone differs from the default of all is in slices of its own (kv/placement_zones.h), about one
//              for each node that may have them. Slices whose zone nobody has any more, and that are empty, are of
//              the default again.
// The meta slice is placed like all others. Nothing here is needed for safety: consensus checks every step.
//
// On disk    0x01 's' -> last slice id; which slices there are: kv/slice_list.h. What is wished for: kv/zone.h.
//
// Shard      The owner of slice 1 on the node that leads it; the functions below on any. They suspend.
// Errors     Those of kv/client.h.
// Checked    tests/unit/kv/test_placement.c: the decisions, on tables.
#pragma once
#include "kv/cluster.h"
#include "kv/replica.h"
#include "kv/zone.h"

#define PLACEMENT_DEAD_AFTER_NS UINT64_C(300000000000) // server.time_until_store_dead.
#define PLACEMENT_SLICES_PER_SHARD 2u
#define PLACEMENT_CLASSES_MAX 64u      // Zones that differ.
#define PLACEMENT_CLASS_SLICES_MAX 8u  // Slices of one of them.

// How long a node is silent before its replicas are replaced, as this shard is to know it; 0: the default.
void placement_dead_after_set(struct shard *shard, uint64_t dead_after_ns);

// An operator has sent the range that begins there where it is now: load does not send it elsewhere soon (kv/balance.h).
CHECKED struct status placement_rest_tell(struct task *task, struct bytes start);

// --- decisions: pure ---------------------------------------------------------------------------------

struct placement_node {
    uint32_t id;
    uint32_t shard_count;
    bool alive;
    bool dead; // Silent for so long that its replicas are to be replaced.
    bool draining, leaving; // Leaving: decommissioning or decommissioned.
    bool full; // Its disk has no room: it refuses writes as a leader, and gets nothing more.
    const char *locality, *attrs;
    // Counted by placement_plan.
    uint32_t replicas, leaders;
};
// A zone that some data has, or some slice.
struct placement_class {
    uint64_t hash;    // zone_hash of `own`.
    struct zone own;  // What differs from the default of all.
    struct zone whole;
    bool wanted;      // Some data has it.
};
struct placement_slice {
    uint64_t id;
    const struct placement_class *class; // NULL: the default of all.
    uint32_t ranges;
    uint32_t leader; // Node; 0: none serves: nothing is done.
    uint64_t load, bytes;
    uint32_t damaged; // A member to be replaced; 0: none.
    struct raft_config config;
    uint32_t silent; // Members that the leader does not hear, whatever their node does: a bit for each.
};
enum placement_kind {
    PLACEMENT_NOTHING,
    PLACEMENT_ADD,      // Make a replica on `node`, add it as a learner.
    PLACEMENT_PROMOTE,  // The learner `node` becomes a voter.
    PLACEMENT_REMOVE,   // `node` is no member any more, and its replica is erased.
    PLACEMENT_TRANSFER, // `node` is to lead.
    PLACEMENT_CREATE,   // A new slice on `node`, of `class`.
    PLACEMENT_CLASS,    // The slice, which is empty, is of `class` from now on.
};
struct placement_step {
    enum placement_kind kind;
    uint64_t slice;
    uint32_t node;
    const struct placement_class *class; // NULL: the default of all.
};
struct placement_view {
    struct placement_class *classes;
    uint32_t class_count;
    struct zone zone;
    struct zone meta_zone; // Of the meta slice; nothing set: as all others.
    struct placement_node *nodes;
    uint32_t node_count;
    struct placement_slice *slices;
    uint32_t slice_count;
    bool complete; // Every node that is alive has told of its replicas, and all slices are listed.
};
// Counts, then the steps that can be taken now: at most one a slice, at most `max`.
uint32_t placement_plan(
    struct placement_view *view, struct placement_step *steps, uint32_t max);
// The slice is as its zone wants it: data may go there.
bool placement_ready(const struct placement_view *view, const struct placement_slice *slice);
extern const struct kv_module placement_module;
