// SPDX-License-Identifier: GPL-3.0-or-later
//
// What replicas of a slice hold, held against each other: at the same applied index two stores have the same
// content, members included. Looked at now and then while a run lasts, and of all of them at its end; and what
// consensus keeps in memory, and what logs have on the disk, stays within its bound.
#pragma once
#include "tests/sim/kv_world.h"

// Compares replicas that are at the same index now. Cheap most of the times that it is called.
void replica_check_look(struct kv_world *kv);
// Every slice's members come to be at one index, with the same content.
void replica_check_agree(struct kv_world *kv, uint64_t within_ns);
// The most that a log had whenever it was looked at in this run.
uint64_t replica_check_log_most(void);
