// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/workload.h"

#include "core/hash.h"

void workload_init(
    struct workload *work, struct sim_run *run, uint32_t operations, uint64_t think_max_ns)
{
    *work = (struct workload){.run = run, .operations = operations, .think_max_ns = think_max_ns};
    sim_tell_option(run, "operations", "%u", operations);
}

void workload_run(struct task *task, struct workload *work, const struct world_node *node,
    void (*operate)(struct task *task, void *client, uint32_t number), void *client)
{
    struct sim_run *run = work->run;
    while (work->next < work->operations && !task->cancelled && !node->leaves) {
        const uint32_t number = work->next++;
        struct sim_random random = sim_random_named(hash_combine(run->seed, number), "think");
        const uint64_t think_ns = sim_random_below(&random, work->think_max_ns);
        if (!sim_keep(run, SIM_OPERATION, number)) continue;
        const struct arena_mark mark = arena_mark(task->arena);
        work->in_flight[node->id]++;
        operate(task, client, number);
        work->in_flight[node->id]--;
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, think_ns))) break;
    }
}

void workload_cut(struct workload *work)
{
    work->operations = work->next;
}

void workload_node_down(struct workload *work, const struct world_node *node)
{
    work->in_flight[node->id] = 0;
}

bool workload_is_done(const struct workload *work)
{
    if (work->next < work->operations) return false;
    for (uint32_t i = 0; i <= WORLD_NODES_MAX; i++) {
        if (work->in_flight[i] != 0) return false;
    }
    return true;
}
