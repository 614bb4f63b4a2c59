// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way out when nodes are lost for good, and with them the majority of some slices: `isopod debug recover`.
//
// Of each such slice the survivor with the newest log goes on as the only voter, and the others that survived are erased;
// placement makes new copies of it then. What only the lost nodes had is gone: the newest commits, without regard to
// transactions, so that constraints and indexes may disagree. The lost nodes are decommissioned and must never be
// started with their stores again.
//
// First a plan is made, which changes nothing and has a number that says all of it; then it is carried out by that number: an
// operator has seen what will be done, and nothing has changed since.
//
// Shard    Any. Everything suspends.
// Memory   Results in the arena given.
// Errors   55000 with the reason: a node named as lost is alive, one that is not named is silent, nothing is to be done,
//          the number is another plan's; 42704 no such node.
#pragma once
#include "kv/cluster.h"

#define LOSS_NODES_MAX 256u

enum loss_kind {
    LOSS_GONE,    // No copy is left: its data cannot be brought back.
    LOSS_ERASE,   // The copy on `node` is behind the one that goes on.
    LOSS_ALONE,   // The copy on `node` goes on.
    LOSS_KIND_END,
};
struct loss_step {
    enum loss_kind kind;
    uint64_t slice;
    uint32_t node;       // 0 with LOSS_GONE.
    uint32_t voters, survivors; // Of the slice.
    uint32_t ranges;
    uint64_t index;      // The newest entry that the copy has.
    uint64_t closed_ns;  // Everything committed up to this wall time is in it, at least.
    bool done;           // Answers of carrying it out.
};
struct loss_plan {
    uint64_t number;
    struct loss_step *steps;
    uint32_t count;
};
// Asked by a client of the node at `address`. `number` 0: only the plan.
CHECKED struct status loss_ask(struct task *task, const char *address, const uint32_t *lost,
    uint32_t lost_count, uint64_t number, struct arena *arena, struct loss_plan *plan);

void loss_register(void); // With cluster_admin_register.
