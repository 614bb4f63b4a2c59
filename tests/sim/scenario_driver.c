// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the driver itself must notice. Only by name: tests/sim/test_driver runs them and expects them to fail.
#include "core/reactor.h"
#include "tests/sim/sim.h"
#include "tests/sim/store_pair.h"

// A static variable that outlives a run, the usual reason why a second run of a seed differs.
SIM_SCENARIO_ON_REQUEST(driver_differs, "a seed that does not decide everything")
{
    static uint64_t runs;
    struct sim *sim = sim_run_begin(run, 0, NULL);
    sim_note(sim, ++runs);
    sim_run_end(run, sim);
}

SIM_SCENARIO_ON_REQUEST(driver_violates, "a rule that a seed breaks")
{
    struct sim *sim = sim_run_begin(run, 0, NULL);
    if (run->seed == 7) sim_violation(run, "seed %u breaks a rule", 7u);
    sim_run_end(run, sim);
}

SIM_SCENARIO_ON_REQUEST(driver_dies, "a seed whose process dies")
{
    struct sim *sim = sim_run_begin(run, 0, NULL);
    if (run->seed == 5) __builtin_trap();
    sim_run_end(run, sim);
}

static struct status spoilt_main(struct task *task, void *arg)
{
    struct status st;
    struct store *store = NULL;
    const struct store_options options = {.home = "/data/spoilt"};
    const store_open_fn open = store_pair_of(arg, STORE_PAIR_LONGEST);
    if (open == NULL) return STATUS_OK;
    TRY(open(task, &options, &store));
    TRY(store_begin(store));
    store_pair_spoil_next();
    TRY(store_put(store, STORE_CURRENT, BYTES_LITERAL("key"), BYTES_LITERAL("value")));
    TRY(store_commit(store));
    store_pair_compare(store);
    TRY(store_close(task, store));
out:
    return st;
}

// One that WiredTiger and the model hold different values for, in the seeds that have both.
SIM_SCENARIO_ON_REQUEST(driver_stores, "stores that differ")
{
    struct sim *sim = sim_run_begin(run, 0, NULL);
    struct sim_node *machine = sim_node_add(sim, 1);
    sim_node_start(machine, &(struct node_options){.shard_count = 1}, spoilt_main, run);
    sim_run_until(sim, NULL, NULL, UINT64_C(1000000000));
    sim_run_end(run, sim);
}

struct cut_short {
    struct sim_run *run;
    struct sim_node *machine;
};

static struct status cut_short_main(struct task *task, void *arg)
{
    const struct cut_short *cut = arg;
    struct status st;
    struct store *store = NULL;
    struct store_cursor *cursor = NULL;
    const struct store_options options = {.home = "/data/cut"};
    const store_open_fn open = store_pair_of(cut->run, STORE_PAIR_LONGEST);
    if (open == NULL) return STATUS_OK;
    TRY(open(task, &options, &store));
    TRY(store_cursor_open(store, STORE_CURRENT, &cursor));
    sim_memory_fail_at(cut->machine, 1);
    arena_alloc(task->arena, 2 * ARENA_UNCHECKED_BYTES);
    sim_violation(cut->run, "a task goes on without the memory that it asked for");
out:
    return st;
}

// A node's end finds a cursor open that no task will close any more.
SIM_SCENARIO_ON_REQUEST(driver_stores_cut, "a node that ends in the middle of a task with its stores open")
{
    struct sim *sim = sim_run_begin(run, 0, NULL);
    struct cut_short cut = {run, sim_node_add(sim, 1)};
    for (uint32_t i = 0; i < 2; i++) { // The second finds what the first has left.
        sim_node_start(cut.machine, &(struct node_options){.shard_count = 1}, cut_short_main, &cut);
        sim_run_until(sim, NULL, NULL, UINT64_C(1000000000));
    }
    sim_run_end(run, sim);
}
