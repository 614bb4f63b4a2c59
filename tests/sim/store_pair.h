// SPDX-License-Identifier: GPL-3.0-or-later
//
// Both stores at once: the model, which is on the simulated disk, and beside it WiredTiger in memory, filled anew from
// the model whenever a store is opened. Each call goes to both, and each answer of WiredTiger must be the model's, byte
// for byte; what the caller gets is WiredTiger's, and so lives no longer than WiredTiger says. The one as the other does
// nothing that the simulation sees, so a run with the pair has the events of a run with the model alone: a seed that is
// run twice is run once with each.
//
// One seed in STORE_PAIR_EVERY has it. WiredTiger's threads have nothing to do: the cache is larger than what is in it.
#pragma once
#include "kv/store.h"
#include "tests/sim/sim.h"

#define STORE_PAIR_EVERY 10u

// For kv_options.store_open of a node of this run; NULL: it has the model alone. Its longest values have about `longest`
// bytes: where long values are drawn to be short, these lie in some dozens of pieces, not in thousands.
store_open_fn store_pair_of(struct sim_run *run, uint32_t longest);
#define STORE_PAIR_LONGEST 1024u // Of most scenarios.
// Everything in both is compared; a difference is a violation. Nothing for another store.
void store_pair_compare(struct store *store);
// The simulation is over: what crashes have left open is closed.
void store_pair_end(void);
// Opens WiredTiger once, in the process that workers are forked from: a process's first connection measures its clock,
// which takes longer than a seed.
void store_pair_prepare(void);
// Removes the folders that the process `pid` may have left.
void store_pair_sweep(int pid);
// To see that a difference is noticed: of the value that is put next WiredTiger gets one byte less.
void store_pair_spoil_next(void);
