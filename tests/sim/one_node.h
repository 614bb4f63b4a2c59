// SPDX-License-Identifier: GPL-3.0-or-later
//
// A world of one node that works until it is done, cannot go on or goes down, and then is started again.
#pragma once
#include "tests/sim/sim.h"

enum one_node_work { ONE_NODE_WORKS, ONE_NODE_DONE, ONE_NODE_FAILED };

struct one_node {
    struct sim_run *run;
    struct sim_node *node;
    enum one_node_work (*work)(void *world);
    void *world;
};

// For sim_run_until: a struct one_node whose work has ended, well or not, or which is down.
bool one_node_settled(void *one);
// Runs until that; whether the work is done and the node still up.
bool one_node_run_out(struct sim *sim, struct one_node *one);
// If the node is up it goes down in one of three ways: a power cut, the program killed, an ordered stop.
void one_node_down(struct sim *sim, struct one_node *one, struct sim_random *random);
