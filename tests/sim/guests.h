// SPDX-License-Identifier: GPL-3.0-or-later
//
// Guests: clients of virtual clusters that may have few sessions at a time (server.max_connections_per_gateway, drawn small
// in half of the runs), as a role that is no superuser. They come and go on all servers, write a row or two, and stay a while.
//
// Checked   who is told that there are too many is told 53300, of a virtual cluster that has a limit; no other one is. What
//           was acknowledged is there at the end, and no row of whoever was turned away. In the end, when all is well and
//           everybody has gone, each server takes as many as it may, and one more is refused: no place was lost.
#pragma once
#include "tests/sim/world.h"

struct guests;

// Of `count` virtual clusters, on the first `servers` nodes of the world.
struct guests *guests_new(struct world *world, uint32_t servers, const char *const *clusters, uint32_t count);
// Makes the role and its table, and says the limit, again and again until it is done; then guests come, from this node.
CHECKED struct status guests_start(struct task *task, struct guests *guests, struct world_node *node, uint32_t cluster);
// No more come. Afterwards the checks, from that node; world_expect(..., guests_are_over).
void guests_end(struct guests *guests);
void guests_check(struct guests *guests, struct world_node *node);
bool guests_have_gone(void *guests);
bool guests_are_over(void *guests);
