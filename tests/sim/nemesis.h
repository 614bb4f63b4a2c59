// SPDX-License-Identifier: GPL-3.0-or-later
//
// The nemesis: a list of faults drawn from the seed before the run, and struck one after another. A
// run has a random subset of the kinds (a fault that is always on hides others). Each kind and each
// fault is a decision (sim_keep), so that a minimiser can leave it out; all that a fault draws
// comes from a stream of its own.
#pragma once
#include "tests/sim/world.h"

enum fault_kind {
    FAULT_CRASH,      // Power loss: what was not synced is torn or gone.
    FAULT_KILL,       // Kill -9.
    FAULT_STOP,       // Graceful.
    FAULT_PAUSE,      // SIGSTOP.
    FAULT_STORM,      // All nodes at once, some again while they recover.
    FAULT_CRASH_OP,   // Power loss at one of the next disk operations, wherever that is.
    FAULT_ISOLATE,    // One node from all others.
    FAULT_SPLIT,      // The nodes in two parts.
    FAULT_ONE_WAY,    // One direction of one link.
    FAULT_SWIZZLE,    // Links stop one by one and come back in another order.
    FAULT_CLOG,       // A link delivers nothing for a while, then everything.
    FAULT_LINK,       // A link becomes slow, loses, breaks.
    FAULT_RESET,      // All connections between two nodes.
    FAULT_SYNC_FAIL,  // The next sync fails, and its data is gone.
    FAULT_DISK_SLOW,
    FAULT_DISK_FREEZE,
    FAULT_DISK_FULL,
    FAULT_CLOCK_STEP, // Within the bound.
    FAULT_CLOCK_DRIFT,
    FAULT_LEADER,     // The node that serves the most is crashed.
    FAULT_CLUSTER_CUT, // The two clusters from each other.
    FAULT_ROT,        // Power loss, and the log is damaged in the middle: of one node in the whole run, the atlas.
    FAULT_READS_FAIL, // Now and then, for a while.
    FAULT_MEMORY_REFUSED, // Of statements and sessions, now and then, for a while.
    FAULT_MEMORY_SHORT,   // They have hardly more than they had, for a while.
    FAULT_ALLOCATION,     // One fails, wherever that is: the end of the node.
    FAULT_KINDS
};

#define NEMESIS_FAULTS_MAX 48u

struct fault {
    enum fault_kind kind;
    uint64_t after_ns; // Since the one before.
    uint64_t lasts_ns;
    uint64_t seed; // Of all else that it draws.
};

struct nemesis_options {
    const char *stream;    // Of randomness; NULL: "nemesis".
    uint32_t faults_max;
    uint64_t gap_max_ns;   // Between faults.
    uint64_t allowed;      // Bits of kinds.
    // Of the nodes of a cluster, the one whose loss hurts most; NULL: any.
    struct world_node *(*leader)(struct world *world);
    // Whether others have all that the node has, so that its log may be damaged; NULL: never.
    bool (*may_rot)(struct world *world, struct world_node *node);
};
#define NEMESIS_ALL (((UINT64_C(1)) << FAULT_MEMORY_REFUSED) - 1)
// For clients that can be told 53200.
#define NEMESIS_MEMORY ((((UINT64_C(1)) << FAULT_KINDS) - 1) & ~NEMESIS_ALL)

void nemesis_plan(struct world *world, const struct nemesis_options *options);
// When the next fault or the end of one is due; UINT64_MAX: there is none any more.
uint64_t nemesis_next_ns(const struct world *world);
void nemesis_strike(struct world *world);
bool nemesis_is_over(const struct world *world);
void nemesis_end(struct world *world); // The rest of the list is dropped; all is healed.
