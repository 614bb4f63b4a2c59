// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which slices there are, for requests that must reach every one of them: what a node has heard by gossip may lack
// some, above all after a start. Placement (kv/placement.h) writes down each slice that it makes or sees.
//
// On disk    0x01 'S' <id u16> -> nothing, in the meta slice. Slices never end.
//
// Shard      Any. Everything suspends.
// Memory     Lists are in the arena given.
// Errors     Those of kv/client.h; 55000 while nobody has written anything down yet.
// Checked    tests/unit/kv/test_leader_nodes.c; tests/sim/scenario_pcr.c: cutovers after nodes were down.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "core/task.h"

CHECKED struct status slice_list_note(struct task *task, uint64_t slice);
// What is written down alone; none: it was never done.
CHECKED struct status slice_list_read(
    struct task *task, struct arena *arena, uint64_t **slices, uint32_t *count);
// All, also those that only gossip tells of yet.
CHECKED struct status slice_list_all(
    struct task *task, struct arena *arena, uint64_t **slices, uint32_t *count);
