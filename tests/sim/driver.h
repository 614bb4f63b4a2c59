// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs seeds of a scenario in worker processes and gathers what became of them.
#pragma once
#include "tests/sim/sim.h"

#define DRIVER_MARKS_MAX 2048u

// What is left out of a run; a bit for each decision.
struct driver_omissions {
    uint8_t bits[SIM_DECISIONS][SIM_DECISIONS_MAX / 8];
};

struct driver_options {
    uint64_t first, last;
    uint64_t replay_every;
    int64_t budget_ns;     // Real time, for each scenario; 0: none.
    uint64_t least;        // Seeds that run whatever the budget says; fewer are a failure.
    const char *record;    // Folder for what was done, a file a scenario; NULL: none.
    uint32_t jobs;
    uint64_t bad_max;
    uint64_t trace; // Areas that are told of; 0: none.
    bool exhaustive, no_fork, verbose;
    uint64_t until_ns;
    struct driver_omissions omitted;
};
extern struct driver_options driver;

struct driver_outcome {
    uint64_t seed, digest, virtual_ns;
    uint32_t decisions[SIM_DECISIONS];
    struct sim_figures figures;
    bool violated;
    uint64_t violation_kind;
    char violation[SIM_VIOLATION_BYTES];
    uint64_t marks[DRIVER_MARKS_MAX / 64]; // Reached; a bit for each.
};

struct sim_scenario *driver_scenarios(void);
// One seed, in a process of its own (unless no_fork), with what `driver` says.
void driver_run_once(
    const struct sim_scenario *scenario, uint64_t seed, struct driver_outcome *outcome);
// All seeds; prints violations and figures. Returns whether all is well.
bool driver_run_scenario(const struct sim_scenario *scenario);
// After all scenarios: marks that no seed reached.
void driver_marks_print(void);
// How to run a seed again, as far as all such lines say the same: "sim --scenario pcr --seed 7 --commit 3f2c...".
void driver_command_print(const struct sim_scenario *scenario, uint64_t seed);
// Prints how to run a seed again.
void driver_replay_print(const struct sim_scenario *scenario, uint64_t seed);

// Finds a small part of what the seed does that still breaks the same rule, and prints it.
bool minimize(const struct sim_scenario *scenario, uint64_t seed);
// "2,5-9" -> bits; false when it is not that.
bool omissions_parse(struct driver_omissions *omitted, enum sim_decision decision, const char *text);
