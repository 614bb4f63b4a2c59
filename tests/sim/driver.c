// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/driver.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "tests/sim/commit.h"
#include "tests/sim/store_pair.h"

#define SEED_SECONDS_MAX 600
#define WORKER_SEEDS 64u // Then its memory is given back: what a crashed node held is never freed.
#define WORKER_BYTES_MAX (UINT64_C(1) << 30) // Earlier, when it has as much.
#define WORKER_FULL 3                        // Its exit code then.
#define JOBS_MAX 16u
#define KIND_DIED UINT64_C(1)
#define SAMPLES_KEPT 200000u

struct driver_options driver = {.first = 1, .last = 20, .replay_every = 20, .jobs = 1, .bad_max = 5};

static struct sim_scenario *scenarios;
static uint64_t marks_reached[DRIVER_MARKS_MAX / 64];

struct sim_scenario *driver_scenarios(void)
{
    return scenarios;
}

void sim_scenario_add(struct sim_scenario *scenario)
{
    struct sim_scenario **at = &scenarios;
    while (*at != NULL && strcmp((*at)->name, scenario->name) < 0)
        at = &(*at)->next;
    scenario->next = *at;
    *at = scenario;
}

// --- for scenarios -------------------------------------------------------------------------------

struct sim *sim_run_begin(struct sim_run *run, uint64_t number, const struct sim_options *options)
{
    struct sim_options used = {0};
    if (options != NULL) used = *options;
    used.trace = run->trace;
    used.until_ns = run->until_ns;
    struct sim *sim = sim_create(hash_combine(run->seed, number), &used);
    if (run->trace != 0) {
        sim_trace_options(sim);
        sim_trace_log(sim);
    }
    return sim;
}

void sim_run_end(struct sim_run *run, struct sim *sim)
{
    run->digest = hash_combine(run->digest, sim_digest(sim));
    run->virtual_ns += sim_now_ns(sim);
    sim_trace_log(NULL);
    sim_destroy(sim);
    store_pair_end();
}

bool sim_keep(struct sim_run *run, enum sim_decision decision, uint32_t number)
{
    invariant(number < SIM_DECISIONS_MAX);
    if (number >= run->decisions[decision]) run->decisions[decision] = number + 1;
    return (driver.omitted.bits[decision][number / 8] & 1u << number % 8) == 0;
}

void sim_tell(struct sim_run *run, const struct sim *sim, enum sim_area area, uint32_t node, const char *format, ...)
{
    static const struct {
        char letter;
        const char *what;
    } known[] = {[SIM_AREA_NODE] = {'O', "node"}, [SIM_AREA_FAULT] = {'X', "fault"}, [SIM_AREA_WORK] = {'Q', "work"}};
    if (run->trace == 0) return;
    va_list args;
    va_start(args, format);
    sim_vtrace(sim, area, node, known[area].letter, known[area].what, format, args);
    va_end(args);
}

void sim_tell_option(struct sim_run *run, const char *name, const char *format, ...)
{
    if (run->trace == 0) return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "  %-10s ", name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

bool sim_reached(const char *tag)
{
    for (uint32_t i = 0; i < marks_count(); i++) {
        if (strcmp(marks_at(i)->tag, tag) == 0 && marks_at(i)->reached != 0) return true;
    }
    return false;
}

void sim_count(struct sim_run *run, const char *name, uint64_t more)
{
    for (uint32_t i = 0; i < SIM_COUNTS_MAX; i++) {
        struct sim_figure *count = &run->figures.counts[i];
        if (count->name != NULL && strcmp(count->name, name) != 0) continue;
        count->name = name;
        count->value += more;
        return;
    }
}

void sim_sample(struct sim_run *run, const char *name, uint64_t ns)
{
    struct sim_figures *figures = &run->figures;
    if (figures->sample_count == SIM_SAMPLES_MAX) return;
    figures->samples[figures->sample_count++] = (struct sim_sample){name, ns};
}

void sim_violation(struct sim_run *run, const char *format, ...)
{
    if (run->violated) return;
    va_list args;
    va_start(args, format);
    vsnprintf(run->violation, sizeof run->violation, format, args);
    va_end(args);
    run->violated = true;
    run->violation_kind = hash_bytes(bytes_of_string(format)) | 2;
}

// --- one seed ------------------------------------------------------------------------------------

// What a replay shows first; the parts of the run add what they draw.
static void run_head(const struct sim_scenario *scenario, struct sim_run *run)
{
    fflush(stdout);
    fprintf(stderr, "%s %s: %s\n", scenario->scripted ? "case" : "scenario", scenario->name, scenario->summary);
    sim_tell_option(run, "seed", "%" PRIu64, run->seed);
    sim_tell_option(run, "commit", "%s", *commit_built() == 0 ? "not known" : commit_built());
    sim_tell_option(run, "trace", "%s", sim_areas_text(&run->arena, run->trace));
    sim_tell_option(run, "stores", "%s", run->again || run->seed % STORE_PAIR_EVERY != 1 ? "the model" : "the model, and WiredTiger beside it");
    if (run->until_ns != 0) sim_tell_option(run, "until", "%.9f s", (double)run->until_ns / 1e9);
}

static void run_here(
    const struct sim_scenario *scenario, uint64_t seed, bool again, struct driver_outcome *outcome)
{
    struct sim_run *run = calloc(1, sizeof *run);
    invariant(run != NULL);
    memset(outcome, 0, sizeof *outcome);
    run->seed = seed;
    run->again = again;
    run->exhaustive = driver.exhaustive;
    run->trace = driver.trace;
    run->until_ns = driver.until_ns;
    arena_init(&run->arena, NULL);
    for (uint32_t i = 0; i < marks_count(); i++)
        marks_at(i)->reached = 0;
    if (run->trace != 0) run_head(scenario, run);
    scenario->body(run);
    outcome->seed = seed;
    outcome->digest = run->digest;
    outcome->virtual_ns = run->virtual_ns;
    outcome->violated = run->violated;
    outcome->violation_kind = run->violation_kind;
    outcome->figures = run->figures;
    memcpy(outcome->decisions, run->decisions, sizeof outcome->decisions);
    memcpy(outcome->violation, run->violation, sizeof outcome->violation);
    for (uint32_t i = 0; i < marks_count() && i < DRIVER_MARKS_MAX; i++) {
        if (marks_at(i)->reached != 0) outcome->marks[i / 64] |= UINT64_C(1) << i % 64;
    }
    arena_fini(&run->arena);
    free(run);
}

// --- workers -------------------------------------------------------------------------------------

struct worker {
    const struct sim_scenario *scenario;
    pid_t pid;
    int from;             // -1: none runs.
    uint64_t next, last;  // Seeds it was given; `next` is the one it is at.
    uint32_t runs_left;   // Of that seed.
    uint64_t first_digest;
    bool first_violated;
    struct driver_outcome outcome;
    size_t outcome_size;
};

static bool replays(uint64_t seed)
{
    return driver.replay_every != 0 && seed % driver.replay_every == 1 % driver.replay_every &&
           driver.trace == 0;
}

static bool worker_is_full(void)
{
    struct rusage usage;
    invariant(getrusage(RUSAGE_SELF, &usage) == 0);
    return (uint64_t)usage.ru_maxrss << 10 > WORKER_BYTES_MAX;
}

static void worker_main(const struct worker *worker, int out)
{
    static struct driver_outcome outcome;
    for (uint64_t seed = worker->next; seed <= worker->last; seed++) {
        uint32_t runs = replays(seed) ? 2 : 1;
        for (uint32_t i = 0; i < runs; i++) {
            alarm(SEED_SECONDS_MAX); // A run that does not end is a violation, too.
            run_here(worker->scenario, seed, i > 0, &outcome);
            if (outcome.violated && i == 0 && driver.trace == 0) runs = 2;
            const uint8_t *at = (const uint8_t *)&outcome;
            for (size_t left = sizeof outcome; left > 0;) {
                ssize_t written = write(out, at, left);
                if (written <= 0) _exit(1);
                at += written;
                left -= (size_t)written;
            }
        }
        if (seed < worker->last && worker_is_full()) _exit(WORKER_FULL);
    }
    _exit(0);
}

static void worker_start(struct worker *worker)
{
    int ends[2];
    invariant(pipe(ends) == 0);
    fflush(NULL);
    worker->pid = fork();
    invariant(worker->pid >= 0);
    if (worker->pid == 0) {
        close(ends[0]);
        worker_main(worker, ends[1]);
    }
    close(ends[1]);
    worker->from = ends[0];
    worker->runs_left = 0;
    worker->outcome_size = 0;
}

static void worker_end(struct worker *worker, int *status)
{
    close(worker->from);
    worker->from = -1;
    *status = 0;
    invariant(waitpid(worker->pid, status, 0) == worker->pid);
    store_pair_sweep((int)worker->pid);
}

// Reads what has come. 1: an outcome is whole; 0: not yet; -1: the worker has ended.
static int worker_read(struct worker *worker)
{
    uint8_t *at = (uint8_t *)&worker->outcome + worker->outcome_size;
    ssize_t got = read(worker->from, at, sizeof worker->outcome - worker->outcome_size);
    if (got <= 0) return -1;
    worker->outcome_size += (size_t)got;
    if (worker->outcome_size < sizeof worker->outcome) return 0;
    worker->outcome_size = 0;
    return 1;
}

static void outcome_died(struct driver_outcome *outcome, uint64_t seed, int status)
{
    const char *how = "ended early (see above)";
    if (WIFSIGNALED(status)) how = strsignal(WTERMSIG(status));
    memset(outcome, 0, sizeof *outcome);
    outcome->seed = seed;
    outcome->violated = true;
    outcome->violation_kind = KIND_DIED;
    snprintf(outcome->violation, sizeof outcome->violation, "the process died: %s", how);
}

void driver_run_once(
    const struct sim_scenario *scenario, uint64_t seed, struct driver_outcome *outcome)
{
    static struct worker worker;
    int status, got = 0;
    if (driver.no_fork) {
        run_here(scenario, seed, false, outcome);
        return;
    }
    uint64_t replay_every = driver.replay_every;
    driver.replay_every = 0;
    worker = (struct worker){.scenario = scenario, .next = seed, .last = seed};
    worker_start(&worker);
    while (got == 0)
        got = worker_read(&worker);
    *outcome = worker.outcome;
    if (got == 1 && outcome->violated) kill(worker.pid, SIGKILL); // No second run.
    worker_end(&worker, &status);
    if (got < 0) outcome_died(outcome, seed, status);
    driver.replay_every = replay_every;
}

// --- many seeds ----------------------------------------------------------------------------------

struct tally {
    const struct sim_scenario *scenario;
    uint64_t seeds, bad, replays, differing, virtual_ns;
    uint64_t marks[DRIVER_MARKS_MAX / 64];
    struct sim_figure counts[SIM_COUNTS_MAX];
    struct sim_sample *samples;
    uint32_t sample_count;
};

static int64_t real_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static double cpu_seconds(void)
{
    double seconds = 0;
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    for (uint32_t i = 0; i < 2; i++) {
        struct rusage usage;
        getrusage(whose[i], &usage);
        seconds += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
        seconds += (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    return seconds;
}

void driver_command_print(const struct sim_scenario *scenario, uint64_t seed)
{
    printf("sim --%s %s --seed %" PRIu64 "%s", scenario->scripted ? "case" : "scenario", scenario->name, seed,
        driver.exhaustive ? " --exhaustive" : "");
    if (*commit_built() != 0) printf(" --commit %s", commit_built());
}

void driver_replay_print(const struct sim_scenario *scenario, uint64_t seed)
{
    printf("  replay: ");
    driver_command_print(scenario, seed);
    printf(" --trace\n");
    fflush(stdout);
}

static void tally_bad(struct tally *tally, const struct driver_outcome *outcome)
{
    tally->bad++;
    printf("VIOLATION %s=%s seed=%" PRIu64 ": %s\n", tally->scenario->scripted ? "case" : "scenario",
        tally->scenario->name, outcome->seed, outcome->violation);
    driver_replay_print(tally->scenario, outcome->seed);
}

static void tally_figures(struct tally *tally, const struct sim_figures *figures)
{
    for (uint32_t i = 0; i < SIM_COUNTS_MAX && figures->counts[i].name != NULL; i++) {
        uint32_t at = 0;
        while (tally->counts[at].name != NULL && tally->counts[at].name != figures->counts[i].name)
            at++;
        if (at == SIM_COUNTS_MAX) break;
        tally->counts[at].name = figures->counts[i].name;
        tally->counts[at].value += figures->counts[i].value;
    }
    for (uint32_t i = 0; i < figures->sample_count && tally->sample_count < SAMPLES_KEPT; i++)
        tally->samples[tally->sample_count++] = figures->samples[i];
}

// The worker has told of a run of the seed it is at.
static void tally_outcome(struct tally *tally, struct worker *worker)
{
    const struct driver_outcome *outcome = &worker->outcome;
    if (worker->runs_left == 0) {
        worker->runs_left = replays(outcome->seed) || (outcome->violated && driver.trace == 0) ? 2 : 1;
        worker->first_digest = outcome->digest;
        worker->first_violated = outcome->violated;
        tally->seeds++;
        tally->virtual_ns += outcome->virtual_ns;
        tally_figures(tally, &outcome->figures);
        for (uint32_t i = 0; i < DRIVER_MARKS_MAX / 64; i++)
            tally->marks[i] |= outcome->marks[i];
        if (driver.verbose)
            printf("%s seed %" PRIu64 " digest %016" PRIx64 "\n", tally->scenario->name,
                outcome->seed, outcome->digest);
        if (outcome->violated) tally_bad(tally, outcome);
    } else {
        tally->replays++;
        if (outcome->digest != worker->first_digest ||
            outcome->violated != worker->first_violated) {
            printf("NOT DETERMINISTIC scenario=%s seed=%" PRIu64 ": digests %016" PRIx64
                   " and %016" PRIx64 "\n",
                tally->scenario->name, outcome->seed, worker->first_digest, outcome->digest);
            tally->differing++;
            tally->bad += !worker->first_violated;
        }
    }
    if (--worker->runs_left == 0) worker->next++;
}

static void worker_feed(struct tally *tally, struct worker *worker, uint64_t *next)
{
    if (worker->from < 0 && worker->next <= worker->last) { // It died; go on behind that seed.
        worker_start(worker);
        return;
    }
    if (worker->from >= 0 || *next > driver.last) return;
    uint64_t last = *next + WORKER_SEEDS - 1;
    worker->scenario = tally->scenario;
    worker->next = *next;
    worker->last = last < driver.last ? last : driver.last;
    *next = worker->last + 1;
    worker_start(worker);
}

static void worker_take(struct tally *tally, struct worker *worker)
{
    int status, got = worker_read(worker);
    if (got == 1) tally_outcome(tally, worker);
    if (got >= 0) return;
    worker_end(worker, &status);
    if (worker->next > worker->last) return;
    if (driver.until_ns != 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) { // Stopped there, as --until says.
        tally->seeds++;
        printf("seed %" PRIu64 " of %s stops at %.9f s\n", worker->next, tally->scenario->name, (double)driver.until_ns / 1e9);
        worker->next++;
        return;
    }
    bool full = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_FULL;
    if (full && worker->runs_left == 0) return; // Another one goes on.
    outcome_died(&worker->outcome, worker->next, status);
    if (worker->runs_left == 0) tally->seeds++;
    tally_bad(tally, &worker->outcome);
    worker->next++;
}

static void run_workers(struct tally *tally)
{
    static struct worker workers[JOBS_MAX];
    struct pollfd polled[JOBS_MAX];
    uint32_t jobs = driver.jobs < JOBS_MAX ? driver.jobs : JOBS_MAX;
    int64_t end_ns = driver.budget_ns == 0 ? INT64_MAX : real_now_ns() + driver.budget_ns;
    uint64_t next = driver.first;
    memset(workers, 0, sizeof workers);
    if (driver.last - driver.first >= STORE_PAIR_EVERY) store_pair_prepare();
    for (uint32_t i = 0; i < jobs; i++)
        workers[i] = (struct worker){.from = -1, .next = 1, .last = 0};
    while (tally->bad < driver.bad_max && (real_now_ns() < end_ns || tally->seeds < driver.least)) {
        uint32_t running = 0;
        for (uint32_t i = 0; i < jobs; i++) {
            worker_feed(tally, &workers[i], &next);
            polled[i] = (struct pollfd){.fd = workers[i].from, .events = POLLIN};
            running += workers[i].from >= 0;
        }
        if (running == 0) break;
        poll(polled, jobs, 1000);
        for (uint32_t i = 0; i < jobs; i++) {
            if (polled[i].fd >= 0 && polled[i].revents != 0) worker_take(tally, &workers[i]);
        }
    }
    for (uint32_t i = 0; i < jobs; i++) {
        int status;
        if (workers[i].from < 0) continue;
        kill(workers[i].pid, SIGKILL);
        worker_end(&workers[i], &status);
    }
}

static void run_inside(struct tally *tally)
{
    static struct worker worker;
    for (uint64_t seed = driver.first; seed <= driver.last && tally->bad < driver.bad_max; seed++) {
        worker.runs_left = 0;
        run_here(tally->scenario, seed, false, &worker.outcome);
        tally_outcome(tally, &worker);
    }
}

// --- figures -------------------------------------------------------------------------------------

static int sample_order(const void *left, const void *right)
{
    const struct sim_sample *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->ns > b->ns) - (a->ns < b->ns);
}

static void samples_print(struct tally *tally)
{
    qsort(tally->samples, tally->sample_count, sizeof *tally->samples, sample_order);
    for (uint32_t start = 0; start < tally->sample_count;) {
        uint32_t end = start;
        const char *name = tally->samples[start].name;
        while (end < tally->sample_count && strcmp(tally->samples[end].name, name) == 0)
            end++;
        const struct sim_sample *of = tally->samples + start;
        uint32_t count = end - start;
        printf("  %s: %u, p50 %.3f s, p99 %.3f s, most %.3f s\n", name, count,
            (double)of[count / 2].ns / 1e9, (double)of[count * 99 / 100].ns / 1e9,
            (double)of[count - 1].ns / 1e9);
        start = end;
    }
}

static bool mark_reached_in(const uint64_t *marks, const char *tag)
{
    for (uint32_t i = 0; i < marks_count() && i < DRIVER_MARKS_MAX; i++) {
        bool reached = (marks[i / 64] & UINT64_C(1) << i % 64) != 0;
        if (reached && strcmp(marks_at(i)->tag, tag) == 0) return true;
    }
    return false;
}

// For tests/sim/summary, which adds up what all processes of a run of the tests have done.
static void record(const struct tally *tally, double cpu)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", driver.record, tally->scenario->name,
        driver.exhaustive ? ".exhaustive" : "");
    FILE *file = fopen(path, "w");
    invariant(file != NULL);
    fprintf(file, "seeds %" PRIu64 "\nbad %" PRIu64 "\nreplays %" PRIu64 "\ndiffering %" PRIu64
                  "\nvirtual_s %.0f\ncpu_ms %.0f\n",
        tally->seeds, tally->bad, tally->replays, tally->differing, (double)tally->virtual_ns / 1e9, cpu * 1e3);
    for (uint32_t i = 0; i < SIM_COUNTS_MAX && tally->counts[i].name != NULL; i++)
        fprintf(file, "count %" PRIu64 " %s\n", tally->counts[i].value, tally->counts[i].name);
    for (uint32_t i = 0; i < marks_count(); i++)
        fprintf(file, "%s %s\n", mark_reached_in(tally->marks, marks_at(i)->tag) ? "reached" : "unreached",
            marks_at(i)->tag);
    bool whole = fclose(file) == 0;
    invariant(whole);
}

bool driver_run_scenario(const struct sim_scenario *scenario)
{
    struct tally tally = {.scenario = scenario};
    tally.samples = calloc(SAMPLES_KEPT, sizeof *tally.samples);
    invariant(tally.samples != NULL);
    int64_t start_ns = real_now_ns();
    double cpu = cpu_seconds();
    if (driver.no_fork)
        run_inside(&tally);
    else
        run_workers(&tally);
    cpu = cpu_seconds() - cpu;
    double virtual_s = (double)tally.virtual_ns / 1e9;
    double runs = (double)(tally.seeds + tally.replays);
    printf("%-12s %" PRIu64 " seeds, %" PRIu64 " bad, %" PRIu64
           " replays, %.1f s virtual, %.1f s real, %.1f ms CPU a run, %.0f virtual s a CPU minute\n",
        scenario->name, tally.seeds, tally.bad, tally.replays, virtual_s,
        (double)(real_now_ns() - start_ns) / 1e9, runs > 0 ? cpu * 1e3 / runs : 0.0,
        cpu > 0 ? virtual_s / cpu * 60 : 0.0);
    for (uint32_t i = 0; i < SIM_COUNTS_MAX && tally.counts[i].name != NULL; i++)
        printf("%s %s %" PRIu64, i == 0 ? " " : ",", tally.counts[i].name, tally.counts[i].value);
    if (tally.counts[0].name != NULL) printf("\n");
    samples_print(&tally);
    free(tally.samples);
    for (uint32_t i = 0; i < DRIVER_MARKS_MAX / 64; i++)
        marks_reached[i] |= tally.marks[i];
    if (driver.record != NULL) record(&tally, cpu);
    bool enough = tally.seeds >= driver.least;
    if (!enough)
        printf("  TOO FEW: %" PRIu64 " seeds of %" PRIu64 " that must run\n", tally.seeds, driver.least);
    fflush(stdout);
    return tally.bad == 0 && enough;
}

void driver_marks_print(void)
{
    uint32_t unreached = 0;
    for (uint32_t i = 0; i < marks_count(); i++) {
        if (mark_reached_in(marks_reached, marks_at(i)->tag)) continue;
        unreached++;
        printf("  mark never reached: %s\n", marks_at(i)->tag);
    }
    printf("marks: %u, never reached: %u\n", marks_count(), unreached);
}
