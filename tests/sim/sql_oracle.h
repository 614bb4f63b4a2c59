// SPDX-License-Identifier: GPL-3.0-or-later
//
// The oracle of SQL: free statements (tests/sim/sql_gen.h), played to the cluster under test and then to a server of one
// shard to which nothing ever happens; each must get the same rows or the same SQLSTATE from both. One writer, so that
// there is one history: what became of a transaction whose end is unknown is looked up before going on.
//
// The player is a task on the oracle's machine, which is none of the world's: no fault strikes it, and no SIM_MAYBE
// fires on it. Plans differ between the two by what SIM_MAYBE bends, by statistics, by hints of indexes.
#pragma once
#include "tests/sim/sql_gen.h"
#include "tests/sim/world.h"

struct sql_oracle {
    struct world *world;
    struct world_node home; // Not among world->nodes.
    uint32_t units;         // To be played.
    bool lies;              // A row of some answer is left out, to see that it is noticed.
    bool done;
    uint64_t played, refused, lost, changes;
    uint64_t healed_at_ns;
};
// Adds its machine, and starts it.
void sql_oracle_start(struct sql_oracle *oracle, struct world *world, uint32_t units, bool lies);
// All units are played, or as many as there was time for.
bool sql_oracle_is_done(const struct sql_oracle *oracle);
void sql_oracle_stop(struct sql_oracle *oracle); // And sees that it ends.
