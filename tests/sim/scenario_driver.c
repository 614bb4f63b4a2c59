// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the driver itself must notice. Only by name: tests/sim/test_driver runs them and expects them to fail.
#include "tests/sim/sim.h"

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
