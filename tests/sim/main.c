// SPDX-License-Identifier: GPL-3.0-or-later
//
// sim: runs scenarios from seeds, each in a process of its own, and replays some to see that a seed
// decides everything.
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/flags.h"
#include "core/hash.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/text.h"
#include "tests/sim/sim.h"

#define SEED_SECONDS_MAX 600

static struct sim_scenario *scenarios;

static struct driver {
    const char *scenario;
    const char *seeds;
    uint64_t seed, first, last;
    uint64_t replay_every;
    int64_t budget_ns;
    bool exhaustive, trace, no_fork, list, verbose;
} driver = {.seeds = "1..20", .replay_every = 20};

struct outcome {
    uint64_t digest, virtual_ns;
    bool violated;
    char violation[900];
};

void sim_scenario_add(struct sim_scenario *scenario)
{
    struct sim_scenario **at = &scenarios;
    while (*at != NULL && strcmp((*at)->name, scenario->name) < 0)
        at = &(*at)->next;
    scenario->next = *at;
    *at = scenario;
}

struct sim *sim_run_begin(struct sim_run *run, uint64_t number, const struct sim_options *options)
{
    struct sim_options used = {0};
    if (options != NULL) used = *options;
    used.trace = run->trace;
    return sim_create(hash_combine(run->seed, number), &used);
}

void sim_run_end(struct sim_run *run, struct sim *sim)
{
    run->digest = hash_combine(run->digest, sim_digest(sim));
    run->virtual_ns += sim_now_ns(sim);
    sim_destroy(sim);
}

void sim_violation(struct sim_run *run, const char *format, ...)
{
    if (run->violated) return;
    va_list args;
    va_start(args, format);
    vsnprintf(run->violation, sizeof run->violation, format, args);
    va_end(args);
    run->violated = true;
}

static struct outcome run_here(const struct sim_scenario *scenario, uint64_t seed)
{
    struct outcome outcome = {0};
    struct sim_run *run = calloc(1, sizeof *run);
    invariant(run != NULL);
    run->seed = seed;
    run->exhaustive = driver.exhaustive;
    run->trace = driver.trace;
    arena_init(&run->arena, NULL);
    scenario->body(run);
    outcome.digest = run->digest;
    outcome.virtual_ns = run->virtual_ns;
    outcome.violated = run->violated;
    memcpy(outcome.violation, run->violation, sizeof outcome.violation);
    arena_fini(&run->arena);
    free(run);
    return outcome;
}

static bool read_all(int from, void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = read(from, at, size);
        if (got <= 0) return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static void child(const struct sim_scenario *scenario, uint64_t seed, int out)
{
    alarm(SEED_SECONDS_MAX); // A run that does not end is a violation, too.
    struct outcome outcome = run_here(scenario, seed);
    ssize_t written = write(out, &outcome, sizeof outcome);
    _exit(written == (ssize_t)sizeof outcome ? 0 : 1);
}

static struct outcome run_once(const struct sim_scenario *scenario, uint64_t seed)
{
    struct outcome outcome = {0};
    int ends[2];
    if (driver.no_fork) return run_here(scenario, seed);
    invariant(pipe(ends) == 0);
    fflush(NULL);
    pid_t pid = fork();
    invariant(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        child(scenario, seed, ends[1]);
    }
    close(ends[1]);
    bool whole = read_all(ends[0], &outcome, sizeof outcome);
    close(ends[0]);
    int status = 0;
    invariant(waitpid(pid, &status, 0) == pid);
    if (whole) return outcome;
    outcome = (struct outcome){.violated = true};
    const char *how = "ended early (see above)";
    if (WIFSIGNALED(status)) how = strsignal(WTERMSIG(status));
    snprintf(outcome.violation, sizeof outcome.violation, "the process died: %s", how);
    return outcome;
}

// Returns whether the seed is good.
static bool run_seed(const struct sim_scenario *scenario, uint64_t seed, uint64_t *virtual_ns)
{
    struct outcome outcome = run_once(scenario, seed);
    *virtual_ns += outcome.virtual_ns;
    bool replay = outcome.violated || (driver.replay_every != 0 && seed % driver.replay_every == 1);
    if (driver.verbose)
        printf("%s seed %" PRIu64 " digest %016" PRIx64 "\n", scenario->name, seed, outcome.digest);
    if (replay && !driver.trace) {
        struct outcome again = run_once(scenario, seed);
        bool same = again.digest == outcome.digest && again.violated == outcome.violated;
        if (!same) {
            printf("NOT DETERMINISTIC scenario=%s seed=%" PRIu64 ": digests %016" PRIx64
                   " and %016" PRIx64 "\n",
                scenario->name, seed, outcome.digest, again.digest);
            if (!outcome.violated) return false;
        }
    }
    if (!outcome.violated) return true;
    printf("VIOLATION scenario=%s seed=%" PRIu64 ": %s\n  replay: sim --scenario %s --seed %" PRIu64
           "%s --trace\n",
        scenario->name, seed, outcome.violation, scenario->name, seed,
        driver.exhaustive ? " --exhaustive" : "");
    return false;
}

static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static bool run_scenario(const struct sim_scenario *scenario)
{
    int64_t start_ns = real_now_ns();
    uint64_t virtual_ns = 0, bad = 0, seed = driver.first;
    for (; seed <= driver.last && bad < 5; seed++) {
        if (driver.budget_ns != 0 && real_now_ns() - start_ns > driver.budget_ns) break;
        bad += !run_seed(scenario, seed, &virtual_ns);
    }
    double seconds = (double)(real_now_ns() - start_ns) / 1e9;
    printf("%-12s %" PRIu64 " seeds, %" PRIu64 " bad, %.1f s of virtual time in %.1f s\n",
        scenario->name, seed - driver.first, bad, (double)virtual_ns / 1e9, seconds);
    return bad == 0;
}

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

int main(int argc, char **argv)
{
    struct arena arena;
    struct flags_result parsed;
    struct flag flags[] = {
        {.name = "scenario",
            .kind = FLAG_STRING,
            .value = &driver.scenario,
            .help = "Only this one."},
        {.name = "seeds",
            .kind = FLAG_STRING,
            .value = &driver.seeds,
            .argument = "A..B",
            .help = "Seeds to run."},
        {.name = "seed", .kind = FLAG_U64, .value = &driver.seed, .help = "One seed."},
        {.name = "replay-every",
            .kind = FLAG_U64,
            .value = &driver.replay_every,
            .help = "Run each Nth seed twice and compare; 0: none."},
        {.name = "budget",
            .kind = FLAG_DURATION,
            .value = &driver.budget_ns,
            .help = "Start no further seed of a scenario after this long."},
        {.name = "exhaustive",
            .kind = FLAG_BOOL,
            .value = &driver.exhaustive,
            .help = "Every crash point, not a sample."},
        {.name = "trace", .kind = FLAG_BOOL, .value = &driver.trace, .help = "One line an event."},
        {.name = "no-fork",
            .kind = FLAG_BOOL,
            .value = &driver.no_fork,
            .help = "Run in this process, for a debugger."},
        {.name = "verbose",
            .letter = 'v',
            .kind = FLAG_BOOL,
            .value = &driver.verbose,
            .help = "Print each seed's digest."},
        {.name = "list", .kind = FLAG_BOOL, .value = &driver.list, .help = "List the scenarios."},
        {0},
    };
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
    if (driver.list) {
        for (const struct sim_scenario *one = scenarios; one != NULL; one = one->next)
            printf("%-12s %s\n", one->name, one->summary);
        return 0;
    }
    if (!seeds_parse(driver.seeds)) return usage("--seeds needs a number or A..B");
    if (driver.seed != 0) driver.first = driver.last = driver.seed;
    log_severity_set(driver.trace ? LOG_DEBUG : LOG_FATAL);

    bool good = true, any = false;
    for (const struct sim_scenario *one = scenarios; one != NULL; one = one->next) {
        if (driver.scenario != NULL && strcmp(driver.scenario, one->name) != 0) continue;
        any = true;
        good = run_scenario(one) && good;
    }
    arena_fini(&arena);
    if (!any) return usage("no such scenario (see --list)");
    return good ? 0 : 1;
}
