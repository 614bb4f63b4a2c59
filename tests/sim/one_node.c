// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/one_node.h"

#define SECOND UINT64_C(1000000000)
#define WORK_NS (120 * SECOND)
#define STOP_NS (60 * SECOND)

static bool is_down(void *arg)
{
    return sim_node_running(((struct one_node *)arg)->node) == NULL;
}

bool one_node_settled(void *arg)
{
    struct one_node *one = arg;
    return is_down(one) || one->run->violated || one->work(one->world) != ONE_NODE_WORKS;
}

bool one_node_run_out(struct sim *sim, struct one_node *one)
{
    if (!sim_run_until(sim, one_node_settled, one, WORK_NS)) sim_violation(one->run, "the work does not end");
    return !is_down(one) && one->work(one->world) == ONE_NODE_DONE;
}

void one_node_down(struct sim *sim, struct one_node *one, struct sim_random *random)
{
    if (is_down(one)) return;
    switch (sim_random_below(random, 3)) {
    case 0: sim_node_crash(one->node); break;
    case 1: sim_node_kill(one->node); break;
    default:
        sim_node_stop(one->node);
        if (!sim_run_until(sim, is_down, one, STOP_NS)) sim_violation(one->run, "the node does not stop");
    }
}
