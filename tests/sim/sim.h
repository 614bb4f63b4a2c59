// SPDX-License-Identifier: GPL-3.0-or-later
//
// The simulation driver's side for scenarios. A scenario is one file, tests/sim/scenario_NAME.c:
//
//     SIM_SCENARIO(lease, "one usable lease at any instant, under crashes and partitions")
//     {
//         struct sim *sim = sim_run_begin(run, 0, NULL);
//         ... add nodes, start them, sim_run_until, crash ...
//         SIM_CHECK(run, no_two_leases(...));
//         sim_run_end(run, sim);
//     }
//
// It runs in a process of its own for each seed, so it may leave memory of crashed nodes behind,
// and an invariant that fails is a violation like any other. All it decides comes from run->seed;
// the driver runs some seeds twice and compares the digests.
#pragma once
#include "core/arena.h"
#include "core/env_sim.h"

struct sim_run {
    uint64_t seed;
    bool exhaustive; // Try every case, not a sample.
    bool trace;
    struct arena arena; // Until the end of the run.
    uint64_t digest;
    uint64_t virtual_ns; // In all simulations of the run.
    bool violated;
    char violation[900];
};

struct sim_scenario {
    const char *name, *summary;
    void (*body)(struct sim_run *run);
    struct sim_scenario *next;
};
void sim_scenario_add(struct sim_scenario *scenario);

#define SIM_SCENARIO(scenario_name, scenario_summary)                                              \
    static void scenario_##scenario_name(struct sim_run *run);                                     \
    static struct sim_scenario scenario_##scenario_name##_record = {                               \
        #scenario_name, scenario_summary, scenario_##scenario_name, NULL};                         \
    __attribute__((constructor)) static void scenario_##scenario_name##_add(void)                  \
    {                                                                                              \
        sim_scenario_add(&scenario_##scenario_name##_record);                                      \
    }                                                                                              \
    static void scenario_##scenario_name(struct sim_run *run)

// A simulation from the run's seed and a number that tells several of one run apart. `options` may
// be NULL. The end folds its digest into the run's and frees it.
struct sim *sim_run_begin(struct sim_run *run, uint64_t number, const struct sim_options *options);
void sim_run_end(struct sim_run *run, struct sim *sim);

// Records a violation; the first one counts. Does not jump: return when run->violated.
void sim_violation(struct sim_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define SIM_CHECK(run, cond)                                                                       \
    do {                                                                                           \
        if (!(cond)) sim_violation((run), "%s:%d: %s", __FILE__, __LINE__, #cond);                 \
    } while (0)
