// SPDX-License-Identifier: GPL-3.0-or-later
//
// sim: runs scenarios from seeds, replays some to see that a seed decides everything, and makes
// failing ones smaller.
#include <stdio.h>
#include <stdlib.h>

#include "core/flags.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/text.h"
#include "tests/sim/commit.h"
#include "tests/sim/driver.h"

// Fresh memory costs more than anything else here: keep what was used. Read by jemalloc.
extern const char *malloc_conf;
const char *malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,narenas:1";

static struct command_line {
    const char *scenario, *script, *seeds, *commit, *trace;
    const char *omit[SIM_DECISIONS], *straight;
    uint64_t seed, jobs;
    int64_t until_ns;
    bool cases, events, log, list, minimize, marks;
} line = {.seeds = "1..20", .jobs = 1};

// "17" or "1..20".
static bool seeds_parse(const char *text)
{
    const char *dots = strstr(text, "..");
    struct bytes first = bytes_of_string(text), last = first;
    if (dots != NULL) {
        first.size = (size_t)(dots - text);
        last = bytes_of_string(dots + 2);
    }
    return text_parse_u64(first, &driver.first) && text_parse_u64(last, &driver.last) &&
           driver.first <= driver.last;
}

static int usage(const char *message)
{
    fprintf(stderr, "sim: %s\n", message);
    return 2;
}

static struct flag flags[] = {
    {.name = "scenario", .kind = FLAG_STRING, .value = &line.scenario, .help = "Only this one."},
    {.name = "case",
        .kind = FLAG_STRING,
        .value = &line.script,
        .argument = "name",
        .help = "A scripted case instead of the scenarios."},
    {.name = "cases", .kind = FLAG_BOOL, .value = &line.cases, .help = "All scripted cases."},
    {.name = "seeds",
        .kind = FLAG_STRING,
        .value = &line.seeds,
        .argument = "A..B",
        .help = "Seeds to run."},
    {.name = "seed", .kind = FLAG_U64, .value = &line.seed, .help = "One seed."},
    {.name = "replay-every",
        .kind = FLAG_U64,
        .value = &driver.replay_every,
        .help = "Run each Nth seed twice and compare; 0: none."},
    {.name = "budget",
        .kind = FLAG_DURATION,
        .value = &driver.budget_ns,
        .help = "Stop a scenario after this long."},
    {.name = "least",
        .kind = FLAG_U64,
        .value = &driver.least,
        .argument = "N",
        .help = "So many seeds run whatever the budget says; it is a failure when there are fewer."},
    {.name = "record",
        .kind = FLAG_STRING,
        .value = &driver.record,
        .argument = "FOLDER",
        .help = "Write down there what was run, for tests/sim/summary."},
    {.name = "jobs", .kind = FLAG_U64, .value = &line.jobs, .help = "Processes at a time."},
    {.name = "bad", .kind = FLAG_U64, .value = &driver.bad_max, .help = "Stop after so many."},
    {.name = "exhaustive",
        .kind = FLAG_BOOL,
        .value = &driver.exhaustive,
        .help = "Every crash point, not a sample."},
    {.name = "commit",
        .kind = FLAG_STRING,
        .value = &line.commit,
        .argument = "HASH",
        .help = "Run nothing unless this program was built from that commit. One seed with it tells its options and "
                "every event."},
    {.name = "trace",
        .kind = FLAG_STRING,
        .value = &line.trace,
        .argument = "AREA,AREA",
        .implied = "story,log",
        .help = "Tell the options, then what happens in these areas, and nothing else: node, fault, work (together: story); "
                "check, task, disk, net (with the story: events); core, kv, raft, sql, tenant, repl, sim (the log's lines; "
                "together: log); all. Without a value: story,log."},
    {.name = "events", .kind = FLAG_BOOL, .value = &line.events, .help = "As --trace all."},
    {.name = "until",
        .kind = FLAG_DURATION,
        .value = &line.until_ns,
        .help = "Stop the world at this virtual time."},
    {.name = "minimize",
        .kind = FLAG_BOOL,
        .value = &line.minimize,
        .help = "Find a small part of the seed that still fails."},
    {.name = "omit-kinds",
        .kind = FLAG_STRING,
        .value = &line.omit[SIM_KIND],
        .argument = "N,N-M",
        .help = "Kinds of faults to leave out."},
    {.name = "omit-faults",
        .kind = FLAG_STRING,
        .value = &line.omit[SIM_FAULT],
        .argument = "N,N-M",
        .help = "Faults to leave out."},
    {.name = "omit-operations",
        .kind = FLAG_STRING,
        .value = &line.omit[SIM_OPERATION],
        .argument = "N,N-M",
        .help = "Operations to leave out."},
    {.name = "straight",
        .kind = FLAG_STRING,
        .value = &line.straight,
        .argument = "MARK",
        .help = "This SIM_MAYBE never fires."},
    {.name = "marks",
        .kind = FLAG_BOOL,
        .value = &line.marks,
        .help = "List the marks that no seed reached."},
    {.name = "no-fork",
        .kind = FLAG_BOOL,
        .value = &driver.no_fork,
        .help = "Run in this process, for a debugger."},
    {.name = "verbose",
        .letter = 'v',
        .kind = FLAG_BOOL,
        .value = &driver.verbose,
        .help = "Print each seed's digest."},
    {.name = "list", .kind = FLAG_BOOL, .value = &line.list, .help = "List scenarios and cases."},
    {0},
};

static bool is_chosen(const struct sim_scenario *one)
{
    if (line.script != NULL) return one->scripted && strcmp(line.script, one->name) == 0;
    if (line.cases) return one->scripted;
    if (line.scenario != NULL) return !one->scripted && strcmp(line.scenario, one->name) == 0;
    return !one->scripted && !one->requested;
}

// What is told of the runs; NULL: it could be understood.
static const char *trace_choose(struct arena *arena)
{
    struct bytes wrong;
    if (line.commit != NULL) {
        const char *refusal = commit_refusal(arena, commit_built(), line.commit);
        if (refusal != NULL) return refusal;
    }
    if (line.trace != NULL && !sim_areas_parse(line.trace, &driver.trace, &wrong))
        return arena_printf(arena, "no such area to trace: \"%.*s\"; there are story, events, log, all, and %s",
            (int)wrong.size, (const char *)wrong.data, sim_areas_text(arena, SIM_AREAS_ALL));
    if (line.events) driver.trace = SIM_AREAS_ALL;
    if (line.trace == NULL && !line.events && line.commit != NULL && line.seed != 0 && !line.minimize)
        driver.trace = SIM_AREAS_EVENTS;
    return NULL;
}

static int run(void)
{
    bool good = true, any = false;
    for (const struct sim_scenario *one = driver_scenarios(); one != NULL; one = one->next) {
        if (!is_chosen(one)) continue;
        any = true;
        good = (line.minimize ? minimize(one, driver.first) : driver_run_scenario(one)) && good;
    }
    if (!any) return usage("no such scenario or case (see --list)");
    if (line.marks) driver_marks_print();
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct arena arena;
    struct flags_result parsed;
    struct flags_command command = {.name = "sim",
        .summary = "Runs simulation scenarios from seeds and checks that they replay exactly.",
        .flags = flags};
    arena_init(&arena, NULL);
    struct status st = flags_parse(&arena, &command, argc - 1, argv + 1, &parsed);
    if (failed(st)) return usage(st.message);
    if (parsed.help) {
        fputs(flags_help(&arena, &command), stdout);
        return 0;
    }
    if (line.list) {
        for (const struct sim_scenario *one = driver_scenarios(); one != NULL; one = one->next)
            printf("%-8s %-24s %s\n", one->scripted ? "case" : "", one->name, one->summary);
        return 0;
    }
    if (!seeds_parse(line.seeds)) return usage("--seeds needs a number or A..B");
    if (line.seed != 0) driver.first = driver.last = line.seed;
    for (int i = 0; i < SIM_DECISIONS; i++) {
        if (line.omit[i] == NULL) continue;
        if (!omissions_parse(&driver.omitted, (enum sim_decision)i, line.omit[i]))
            return usage("what to omit is a list like 2,5-9");
    }
    const char *refusal = trace_choose(&arena);
    if (refusal != NULL) return usage(refusal);
    marks_leave_out(line.straight);
    driver.jobs = line.jobs == 0 ? 1 : (uint32_t)(line.jobs < 16 ? line.jobs : 16);
    driver.until_ns = (uint64_t)line.until_ns;
    log_severity_set((driver.trace & SIM_AREAS_LOG) != 0 ? LOG_DEBUG : LOG_FATAL);
    int code = run();
    arena_fini(&arena);
    return code;
}
