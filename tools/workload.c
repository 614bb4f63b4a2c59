// SPDX-License-Identifier: GPL-3.0-or-later
//
// `isopod workload`: loads example databases, runs workers against them, prints a line a second and a summary.
#include "tools/workload.h"

#include <inttypes.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/metrics.h"
#include "core/shard.h"
#include "core/text.h"
#include "tools/client.h"
#include "tools/commands.h"

#define KINDS_MAX 8u
#define RETRIES_MAX 100u

static const struct workload *const workloads[] = {&workload_bank, &workload_kv, &workload_movr};

const struct workload *workload_find(const char *name)
{
    for (unsigned i = 0; i < sizeof workloads / sizeof workloads[0]; i++)
        if (strcmp(workloads[i]->name, name) == 0) return workloads[i];
    return NULL;
}

void workload_options_init(struct workload_options *options)
{
    *options = (struct workload_options){.seed = 1,
        .rows = 1000,
        .payload_bytes = 100,
        .min_block_bytes = 1,
        .max_block_bytes = 2,
        .batch = 1,
        .users = 50,
        .vehicles = 15,
        .rides = 500,
        .histories = 1000,
        .promo_codes = 1000};
}

uint64_t worker_random(struct worker *worker, uint64_t below)
{
    worker->random += 0x9e3779b97f4a7c15u;
    return below == 0 ? 0 : hash_u64(worker->random) % below;
}

struct status worker_exec(struct task *task, struct worker *worker, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = arena_vprintf(&worker->arena, format, args);
    va_end(args);
    return pgclient_query(task, worker->client, sql, NULL);
}

// --- loading -------------------------------------------------------------------------------------------------

struct status workload_load(struct task *task, const struct workload *workload,
    const struct workload_options *options, const struct pgclient_options *connect, bool quiet)
{
    struct status st;
    struct worker worker = {.options = options, .random = options->seed};
    struct pgclient_options target = *connect;
    const char *database = options->db != NULL ? options->db : workload->database;
    arena_init(&worker.arena, NULL);
    TRY(pgclient_connect(task, &target, &worker.client));
    TRY(worker_exec(task, &worker, "CREATE DATABASE IF NOT EXISTS %s", database));
    pgclient_close(worker.client);
    worker.client = NULL;
    target.database = database;
    TRY(pgclient_connect(task, &target, &worker.client));
    if (!quiet) fprintf(stderr, "loading %s into the database %s\n", workload->name, database);
    TRY(workload->init(task, &worker));
    if (!quiet) fprintf(stderr, "loaded\n");
out:
    if (failed(st)) st = status_copy(task->arena, st);
    pgclient_close(worker.client);
    arena_fini(&worker.arena);
    return st;
}

// --- running -------------------------------------------------------------------------------------------------

struct kind {
    const char *name;
    struct histogram second, total;
};

struct bench {
    const struct workload *workload;
    struct workload_options options;
    struct pgclient_options connect;
    struct client_flags client_flags;
    uint64_t concurrency, max_rate, max_ops;
    int64_t duration_ns, ramp_ns, display_every_ns;
    bool tolerate_errors, json, check;
    const char *histograms;
    struct kind kinds[KINDS_MAX];
    uint32_t kind_count;
    uint64_t errors, retries, ops;
    uint64_t started_ns, next_slot_ns;
    bool stop;
    uint32_t running;
    struct wait_queue ended;
    struct status st;
    struct arena arena;
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static struct kind *kind_of(struct bench *bench, const char *name)
{
    for (uint32_t i = 0; i < bench->kind_count; i++)
        if (bench->kinds[i].name == name || strcmp(bench->kinds[i].name, name) == 0) return &bench->kinds[i];
    if (bench->kind_count == KINDS_MAX) return &bench->kinds[0];
    bench->kinds[bench->kind_count].name = name;
    return &bench->kinds[bench->kind_count++];
}

// Waits for this operation's turn under --max-rate.
static struct status pace(struct task *task, struct bench *bench)
{
    if (bench->max_rate == 0) return STATUS_OK;
    uint64_t slot = bench->next_slot_ns;
    uint64_t now = task_now_ns(task);
    if (slot < now) slot = now;
    bench->next_slot_ns = slot + 1000000000u / bench->max_rate;
    return slot > now ? task_sleep(task, slot - now) : STATUS_OK;
}

// One operation, again after a conflict.
static struct status run_operation(struct task *task, struct bench *bench, struct worker *worker)
{
    struct status st = STATUS_OK;
    const char *kind = "op";
    uint64_t started = task_now_ns(task);
    for (unsigned attempt = 0; attempt <= RETRIES_MAX; attempt++) {
        uint64_t random = worker->random;
        st = bench->workload->operation(task, worker, &kind);
        if (!failed(st)) break;
        if (pgclient_txn_status(worker->client) != 'I' && st.code != E_CONNECTION_FAILURE) {
            struct status rolled_back = pgclient_query(task, worker->client, "ROLLBACK", NULL);
            if (failed(rolled_back)) return rolled_back;
        }
        if (st.code != E_SERIALIZATION_FAILURE) break;
        bench->retries++;
        worker->random = random; // The same operation again.
        arena_reset(&worker->arena);
    }
    if (failed(st)) return st;
    uint64_t took = task_now_ns(task) - started;
    struct kind *stats = kind_of(bench, kind);
    histogram_record(&stats->second, took);
    if (started >= bench->started_ns + (uint64_t)bench->ramp_ns) histogram_record(&stats->total, took);
    bench->ops++;
    return st;
}

static struct status worker_run(struct task *task, void *arg)
{
    struct status st;
    struct bench *bench = ((struct bench **)arg)[0];
    struct worker worker = {.index = (uint32_t)(uintptr_t)((void **)arg)[1], .options = &bench->options};
    worker.random = hash_u64(bench->options.seed * 1000003u + worker.index);
    arena_init(&worker.arena, NULL);
    TRY(pgclient_connect(task, &bench->connect, &worker.client));
    while (!bench->stop) {
        TRY(pace(task, bench));
        if (bench->max_ops != 0 && bench->ops >= bench->max_ops) bench->stop = true;
        if (bench->stop) break;
        st = run_operation(task, bench, &worker);
        arena_reset(&worker.arena);
        if (!failed(st)) continue;
        bench->errors++;
        if (!bench->tolerate_errors) break;
        if (st.code == E_CONNECTION_FAILURE || st.code == E_ADMIN_SHUTDOWN) {
            pgclient_close(worker.client);
            worker.client = NULL;
            worker.prepared = false;
            while (!bench->stop && failed(pgclient_connect(task, &bench->connect, &worker.client)))
                TRY(task_sleep(task, 100000000u));
        }
    }
out:
    if (failed(st) && !failed(bench->st) && !bench->tolerate_errors) {
        bench->st = status_copy(&bench->arena, st);
        bench->stop = true;
    }
    pgclient_close(worker.client);
    arena_fini(&worker.arena);
    bench->running--;
    wait_queue_wake_all(&bench->ended, STATUS_OK);
    return STATUS_OK;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void print_second(struct bench *bench, double elapsed, uint64_t line)
{
    if (!bench->json && line % 20 == 0)
        printf("_elapsed___errors__ops/sec(inst)___ops/sec(cum)__p50(ms)__p95(ms)__p99(ms)_pMax(ms)\n");
    double every = (double)bench->display_every_ns / 1e9;
    for (uint32_t i = 0; i < bench->kind_count; i++) {
        struct kind *kind = &bench->kinds[i];
        struct histogram *second = &kind->second;
        uint64_t total = kind->total.count;
        if (bench->json)
            printf("{\"time\": %.1f, \"errs\": %" PRIu64 ", \"avgt\": %.1f, \"avgl\": %.1f, \"p50l\": %.3f, \"p95l\": %.3f, "
                   "\"p99l\": %.3f, \"maxl\": %.3f, \"type\": \"%s\"}\n",
                elapsed, bench->errors, (double)second->count / every, (double)total / elapsed,
                ms(histogram_quantile(second, 0.5)), ms(histogram_quantile(second, 0.95)),
                ms(histogram_quantile(second, 0.99)), ms(second->max), kind->name);
        else
            printf("%7.1fs %8" PRIu64 " %14.1f %14.1f %8.1f %8.1f %8.1f %8.1f %s\n", elapsed, bench->errors,
                (double)second->count / every, (double)total / elapsed, ms(histogram_quantile(second, 0.5)),
                ms(histogram_quantile(second, 0.95)), ms(histogram_quantile(second, 0.99)), ms(second->max), kind->name);
        memset(second, 0, sizeof *second);
    }
    fflush(stdout);
}

static void print_summary_line(double elapsed, uint64_t errors, const struct histogram *h, const char *name)
{
    printf("%7.1fs %8" PRIu64 " %14" PRIu64 " %14.1f %8.1f %8.1f %8.1f %8.1f %8.1f  %s\n", elapsed, errors, h->count,
        (double)h->count / elapsed, h->count == 0 ? 0 : ms(h->sum / h->count), ms(histogram_quantile(h, 0.5)),
        ms(histogram_quantile(h, 0.95)), ms(histogram_quantile(h, 0.99)), ms(h->max), name);
}

static void print_summary(struct bench *bench, double elapsed)
{
    static struct histogram all;
    memset(&all, 0, sizeof all);
    if (bench->json) return;
    printf("\n_elapsed___errors_____ops(total)___ops/sec(cum)__avg(ms)__p50(ms)__p95(ms)__p99(ms)_pMax(ms)__total\n");
    for (uint32_t i = 0; i < bench->kind_count; i++) {
        print_summary_line(elapsed, bench->errors, &bench->kinds[i].total, bench->kinds[i].name);
        histogram_merge(&all, &bench->kinds[i].total);
    }
    printf("\n_elapsed___errors_____ops(total)___ops/sec(cum)__avg(ms)__p50(ms)__p95(ms)__p99(ms)_pMax(ms)__result\n");
    print_summary_line(elapsed, bench->errors, &all, "");
    printf("\nretries of 40001: %" PRIu64 "\n", bench->retries);
}

static void write_histograms(struct bench *bench)
{
    if (bench->histograms == NULL) return;
    FILE *file = fopen(bench->histograms, "we");
    if (file == NULL) {
        fprintf(stderr, "WARNING: cannot write %s\n", bench->histograms);
        return;
    }
    for (uint32_t i = 0; i < bench->kind_count; i++) {
        const struct histogram *h = &bench->kinds[i].total;
        fprintf(file, "{\"name\": \"%s\", \"count\": %" PRIu64 ", \"sum_ns\": %" PRIu64 ", \"max_ns\": %" PRIu64 ", \"quantiles_ns\": {",
            bench->kinds[i].name, h->count, h->sum, h->max);
        static const double quantiles[] = {0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
        for (unsigned q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++)
            fprintf(file, "%s\"%g\": %" PRIu64, q == 0 ? "" : ", ", quantiles[q], histogram_quantile(h, quantiles[q]));
        fprintf(file, "}}\n");
    }
    fclose(file);
}

static struct status run_workers(struct task *task, struct bench *bench)
{
    struct status st = STATUS_OK;
    bench->started_ns = task_now_ns(task);
    bench->next_slot_ns = bench->started_ns;
    wait_queue_init(&bench->ended);
    for (uint64_t i = 0; i < bench->concurrency; i++) {
        void **arg = arena_alloc(&bench->arena, 2 * sizeof(void *));
        arg[0] = bench;
        arg[1] = (void *)(uintptr_t)i;
        struct task_options options = {.fn = worker_run, .arg = arg, .kind = "worker"};
        TRY(task_start(task->shard, &options));
        bench->running++;
    }
    uint64_t next = bench->started_ns + (uint64_t)bench->display_every_ns;
    uint64_t end = bench->duration_ns == 0 ? UINT64_MAX : bench->started_ns + (uint64_t)(bench->duration_ns + bench->ramp_ns);
    for (uint64_t line = 0; !bench->stop && !interrupted && task_now_ns(task) < end; line++) {
        uint64_t now = task_now_ns(task), until = next < end ? next : end;
        while (!bench->stop && !interrupted && (now = task_now_ns(task)) < until)
            TRY(task_sleep(task, until - now < 50000000u ? until - now : 50000000u));
        print_second(bench, (double)(task_now_ns(task) - bench->started_ns) / 1e9, line);
        next += (uint64_t)bench->display_every_ns;
    }
    bench->stop = true;
    double elapsed = (double)(task_now_ns(task) - bench->started_ns - (uint64_t)bench->ramp_ns) / 1e9;
    while (bench->running > 0) TRY(task_wait(task, &bench->ended));
    print_summary(bench, elapsed <= 0 ? 1e-9 : elapsed);
    write_histograms(bench);
out:
    return failed(bench->st) ? bench->st : st;
}

static struct status check_workload(struct task *task, struct bench *bench)
{
    struct status st;
    struct worker worker = {.options = &bench->options};
    if (bench->workload->check == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this workload has nothing to check");
    arena_init(&worker.arena, NULL);
    TRY(pgclient_connect(task, &bench->connect, &worker.client));
    TRY(bench->workload->check(task, &worker));
    printf("%s: all is well\n", bench->workload->name);
out:
    if (failed(st)) st = status_copy(&bench->arena, st);
    pgclient_close(worker.client);
    arena_fini(&worker.arena);
    return st;
}

enum workload_verb { WORKLOAD_INIT, WORKLOAD_RUN, WORKLOAD_CHECK };
struct workload_call {
    struct bench *bench;
    enum workload_verb verb;
    struct status st;
};

static struct status run_verb(struct task *task, void *arg)
{
    struct workload_call *call = arg;
    struct bench *bench = call->bench;
    struct status st = STATUS_OK;
    if (call->verb == WORKLOAD_INIT) {
        st = workload_load(task, bench->workload, &bench->options, &bench->connect, false);
    } else {
        if (bench->connect.database == NULL || strcmp(bench->connect.database, "defaultdb") == 0)
            bench->connect.database = bench->options.db != NULL ? bench->options.db : bench->workload->database;
        st = call->verb == WORKLOAD_RUN ? run_workers(task, bench) : check_workload(task, bench);
    }
    call->st = failed(st) ? status_copy(&bench->arena, st) : st;
    return STATUS_OK;
}

int command_workload(int argc, char **argv)
{
    struct arena arena;
    struct flags_result result;
    int exit_code = EXIT_USAGE;
    arena_init(&arena, NULL);
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) return 1;
    arena_init(&bench->arena, NULL);
    workload_options_init(&bench->options);
    bench->concurrency = 8;
    bench->display_every_ns = 1000000000;
    struct workload_options *options = &bench->options;
    const char *display = "simple";
    static const char *const displays[] = {"simple", "incremental-json", NULL};
    static struct flag table[CLIENT_FLAG_COUNT + 32];
    client_flags_init(&bench->client_flags, table);
    struct flag own[] = {
        {.name = "concurrency", .letter = 'c', .kind = FLAG_U64, .value = &bench->concurrency, .help = "connections", .min = 1, .max = 2000},
        {.name = "duration", .kind = FLAG_DURATION, .value = &bench->duration_ns, .help = "how long to run; 0: until interrupted"},
        {.name = "max-rate", .kind = FLAG_U64, .value = &bench->max_rate, .help = "most operations a second; 0: no bound"},
        {.name = "max-ops", .kind = FLAG_U64, .value = &bench->max_ops, .help = "stop after so many; 0: no bound"},
        {.name = "ramp", .kind = FLAG_DURATION, .value = &bench->ramp_ns, .help = "warm-up that is not counted"},
        {.name = "tolerate-errors", .kind = FLAG_BOOL, .value = &bench->tolerate_errors, .help = "count errors and go on"},
        {.name = "display-every", .kind = FLAG_DURATION, .value = &bench->display_every_ns, .help = "time between lines"},
        {.name = "display-format", .kind = FLAG_CHOICE, .value = &display, .help = "form of the lines", .choices = displays},
        {.name = "histograms", .kind = FLAG_STRING, .value = &bench->histograms, .argument = "file", .help = "gets the latencies as JSON lines"},
        {.name = "db", .kind = FLAG_STRING, .value = &options->db, .argument = "name", .help = "database; the workload's own name when not given"},
        {.name = "drop", .kind = FLAG_BOOL, .value = &options->drop, .help = "init: drop its tables first"},
        {.name = "seed", .kind = FLAG_U64, .value = &options->seed, .help = "of the random choices"},
        {.name = "rows", .kind = FLAG_U64, .value = &options->rows, .help = "bank: accounts", .min = 2, .max = 100000000},
        {.name = "payload-bytes", .kind = FLAG_U64, .value = &options->payload_bytes, .help = "bank: size of the payload", .max = 1000000},
        {.name = "read-percent", .kind = FLAG_U64, .value = &options->read_percent, .help = "kv: share of reads", .max = 100},
        {.name = "min-block-bytes", .kind = FLAG_U64, .value = &options->min_block_bytes, .help = "kv: least size of a value", .max = 1000000},
        {.name = "max-block-bytes", .kind = FLAG_U64, .value = &options->max_block_bytes, .help = "kv: greatest size of a value", .max = 1000000},
        {.name = "cycle-length", .kind = FLAG_U64, .value = &options->cycle_length, .help = "kv: number of keys; 0: 1048576"},
        {.name = "sequential", .kind = FLAG_BOOL, .value = &options->sequential, .help = "kv: keys in order"},
        {.name = "zipfian", .kind = FLAG_BOOL, .value = &options->zipfian, .help = "kv: few keys much more often"},
        {.name = "num-users", .kind = FLAG_U64, .value = &options->users, .help = "movr: users", .min = 9, .max = 10000000},
        {.name = "num-vehicles", .kind = FLAG_U64, .value = &options->vehicles, .help = "movr: vehicles", .min = 9, .max = 10000000},
        {.name = "num-rides", .kind = FLAG_U64, .value = &options->rides, .help = "movr: rides", .min = 1, .max = 100000000},
        {.name = "num-histories", .kind = FLAG_U64, .value = &options->histories, .help = "movr: locations", .max = 100000000},
        {.name = "num-promo-codes", .kind = FLAG_U64, .value = &options->promo_codes, .help = "movr: promo codes", .max = 10000000},
        {.name = NULL},
    };
    memcpy(table + CLIENT_FLAG_COUNT, own, sizeof own);
    struct flags_command command = {.name = "isopod workload",
        .arguments = "init|run|check bank|kv|movr [url]",
        .summary = "Fills a database with an example (init), puts load on it (run), or checks what must hold (check). run "
                   "prints a line a second and a summary; conflicts (40001) are run again.",
        .flags = table,
        .arguments_min = 2,
        .arguments_max = 3};
    if (!parse_command(&arena, &command, argc, argv, &result, &exit_code)) goto out;
    exit_code = EXIT_USAGE;
    static const char *const verbs[] = {"init", "run", "check"};
    struct workload_call call = {.bench = bench, .verb = (enum workload_verb)3};
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(result.arguments[0], verbs[i]) == 0) call.verb = (enum workload_verb)i;
    bench->workload = workload_find(result.arguments[1]);
    if ((unsigned)call.verb == 3 || bench->workload == NULL) {
        fprintf(stderr, "ERROR: expected isopod workload init|run|check bank|kv|movr\n");
        goto out;
    }
    bench->json = strcmp(display, "simple") != 0;
    if (options->max_block_bytes < options->min_block_bytes) options->max_block_bytes = options->min_block_bytes;
    struct status st = client_options(&arena, &bench->client_flags, result.argument_count > 2 ? result.arguments[2] : NULL, &bench->connect);
    if (!failed(st)) {
        signal(SIGINT, on_interrupt);
        signal(SIGTERM, on_interrupt);
        st = client_run(run_verb, &call, 1);
        if (!failed(st)) st = call.st;
    }
    if (failed(st)) print_failure(st);
    exit_code = failed(st) ? 1 : 0;
out:
    arena_fini(&bench->arena);
    free(bench);
    arena_fini(&arena);
    return exit_code;
}
