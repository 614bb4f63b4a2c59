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
// Seeds run in worker processes, many one after another in each: a crashed node's memory is left
// behind, the worker ends after a while, and an invariant that fails is a violation like any other.
// All that a scenario decides comes from run->seed; the driver runs some seeds twice and compares the
// digests. What it injects or does it asks sim_keep about first, so that a failing run can be
// made smaller.
//
// A case (SIM_CASE, tests/sim/case_*.c) is the same, but scripted: one story, short enough to be read.
#pragma once
#include "core/arena.h"
#include "core/env_sim.h"
#include "core/env_sim_trace.h"

// What a run consists of and a minimiser can leave out: kinds of faults, single faults, single
// operations of the workload.
enum sim_decision { SIM_KIND, SIM_FAULT, SIM_OPERATION, SIM_DECISIONS };
#define SIM_DECISIONS_MAX 8192u

#define SIM_VIOLATION_BYTES 3600u
#define SIM_COUNTS_MAX 24u
#define SIM_SAMPLES_MAX 384u

// What a run tells the driver besides its verdict; summed up over seeds.
struct sim_figures {
    struct sim_figure {
        const char *name; // Static.
        uint64_t value;
    } counts[SIM_COUNTS_MAX];
    struct sim_sample {
        const char *name; // Static.
        uint64_t ns;
    } samples[SIM_SAMPLES_MAX];
    uint32_t sample_count;
};

struct sim_run {
    uint64_t seed;
    bool again;      // The second run of the seed, which must be like the first: with the model alone (store_pair.h).
    bool exhaustive; // Try every case, not a sample.
    uint64_t trace;  // Areas (core/env_sim_trace.h) of which standard error is told.
    uint64_t until_ns; // Stop the world there, for looking at it; 0: never.
    struct arena arena; // Until the end of the run.
    uint64_t digest;
    uint64_t virtual_ns; // In all simulations of the run.
    uint32_t decisions[SIM_DECISIONS]; // How many of each there were: the highest number asked for, and 1.
    struct sim_figures figures;
    bool violated;
    uint64_t violation_kind; // The same for all violations of one rule.
    char violation[SIM_VIOLATION_BYTES];
};

struct sim_scenario {
    const char *name, *summary;
    void (*body)(struct sim_run *run);
    bool scripted;  // A case.
    bool requested; // Runs only when it is named.
    struct sim_scenario *next;
};
void sim_scenario_add(struct sim_scenario *scenario);

#define SIM_SCENARIO_OF(scenario_name, scenario_summary, ...)                                      \
    static void scenario_##scenario_name(struct sim_run *run);                                     \
    static struct sim_scenario scenario_##scenario_name##_record = {#scenario_name,                \
        scenario_summary, scenario_##scenario_name, __VA_ARGS__, NULL};                            \
    __attribute__((constructor)) static void scenario_##scenario_name##_add(void)                  \
    {                                                                                              \
        sim_scenario_add(&scenario_##scenario_name##_record);                                      \
    }                                                                                              \
    static void scenario_##scenario_name(struct sim_run *run)
#define SIM_SCENARIO(name, summary) SIM_SCENARIO_OF(name, summary, false, false)
#define SIM_SCENARIO_ON_REQUEST(name, summary) SIM_SCENARIO_OF(name, summary, false, true)
#define SIM_CASE(name, summary) SIM_SCENARIO_OF(name, summary, true, false)

// A simulation from the run's seed and a number that tells several of one run apart. `options` may
// be NULL. The end folds its digest into the run's and frees it.
struct sim *sim_run_begin(struct sim_run *run, uint64_t number, const struct sim_options *options);
void sim_run_end(struct sim_run *run, struct sim *sim);

// Whether decision `number` of its kind is to be carried out; false when a minimiser left it out.
// Draws for it must not depend on the answer.
bool sim_keep(struct sim_run *run, enum sim_decision decision, uint32_t number);
// A line of the run's story, only when its area is traced: what is done to the world (SIM_AREA_FAULT), what becomes of a
// node (SIM_AREA_NODE), what clients ask and hear (SIM_AREA_WORK). `node`: an id; 0: the world, or a client that is on none.
void sim_tell(struct sim_run *run, const struct sim *sim, enum sim_area area, uint32_t node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
// What was drawn for the run, before anything happens in it; only when something is traced.
void sim_tell_option(struct sim_run *run, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void sim_count(struct sim_run *run, const char *name, uint64_t more);
void sim_sample(struct sim_run *run, const char *name, uint64_t ns);
// Whether this process has come to the mark of that name (core/mark.h).
bool sim_reached(const char *tag);

// Records a violation; the first one counts. Does not jump: return when run->violated.
void sim_violation(struct sim_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define SIM_CHECK(run, cond)                                                                       \
    do {                                                                                           \
        if (!(cond)) sim_violation((run), __FILE__ ": " #cond "%s", "");                           \
    } while (0)
