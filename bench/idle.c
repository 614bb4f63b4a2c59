// SPDX-License-Identifier: GPL-3.0-or-later
//
// What ranges and slices cost that nobody uses: resident memory of each, and CPU time of a node that holds many.
// Each figure is of a process of its own that found them on the disk. Options: --ranges N (10,000),
// --slices N (32), --seconds N (10). Data goes to $TMPDIR or /tmp. With other nodes: bench/nodes --only idle.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/invariant.h"
#include "kv/admin.h"
#include "kv/key.h"

#define TENANT 2u
#define FEW_SLICES 4u
#define SETTLE_NS UINT64_C(2000000000)

// What a process found, for the one that asked.
struct found {
    double bytes;      // Resident.
    double cpu_percent; // Of a core, at rest.
    uint32_t ranges, slices;
};

static uint32_t range_count = 10000, slice_count = 32, seconds = 10;
static struct found *found;
static const char *folder;
static uint32_t slices_wanted;
static enum work { WORK_NOTHING, WORK_SPLIT, WORK_MEASURE } work;

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &total, &resident) != 2) exit(1);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static struct status split_all(struct task *task)
{
    struct status st = STATUS_OK;
    TRY(kv_tenant_create(task, TENANT, 2));
    for (uint32_t i = 1; i < range_count; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        struct buffer key;
        buffer_init(&key, task->arena);
        key_append_tenant_prefix(&key, TENANT);
        key_append_uvarint(&key, 100);
        key_append_int(&key, (int64_t)i, KEY_ASCENDING);
        TRY(kv_split(task, buffer_bytes(&key)));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static struct status measure(struct task *task)
{
    struct status st = STATUS_OK;
    struct kv_range *ranges;
    struct kv_slice_info *slices;
    struct arena arena;
    TRY(task_sleep(task, SETTLE_NS));
    found->bytes = resident_bytes();
    double before = cpu_seconds();
    TRY(task_sleep(task, (uint64_t)seconds * 1000000000u));
    found->cpu_percent = (cpu_seconds() - before) / seconds * 100;
    arena_init(&arena, NULL);
    TRY(kv_ranges(task, (struct span){BYTES_LITERAL("\x01"), BYTES_LITERAL("\xff")}, &arena, &ranges, &found->ranges));
    TRY(kv_slices(task, &arena, &slices, &found->slices));
    arena_fini(&arena);
out:
    return st;
}

static struct status run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    const struct kv_options options = {.dir = arg,
        .store = KV_STORE_WIREDTIGER,
        .cache_bytes = 256u << 20,
        .slices_per_shard = slices_wanted};
    TRY(kv_start(task, &options));
    if (work == WORK_SPLIT) st = split_all(task);
    if (work == WORK_MEASURE) st = measure(task);
    struct status stop = kv_stop(task);
    if (!failed(st)) st = stop;
out:
    node_stop(task->shard->node);
    return st;
}

// In a process of its own.
static struct found in_child(const char *dir, uint32_t slices, enum work what)
{
    fflush(stdout);
    pid_t pid = fork();
    int code = 1;
    if (pid == 0) {
        folder = dir;
        slices_wanted = slices;
        work = what;
        const struct node_options options = {.id = 1, .shard_count = 1};
        struct status st = node_run(&options, run, (void *)(uintptr_t)folder, NULL);
        if (failed(st)) fprintf(stderr, "%s\n", st.message);
        _exit(failed(st));
    }
    if (pid < 0 || waitpid(pid, &code, 0) != pid || code != 0) exit(1);
    if (what == WORK_MEASURE)
        printf("%6u ranges %4u slices %8.1f MiB resident %8.3f %% of a core at rest\n", found->ranges,
            found->slices, found->bytes / (1 << 20), found->cpu_percent);
    return *found;
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        uint32_t number = (uint32_t)atol(argv[i + 1]);
        if (strcmp(argv[i], "--ranges") == 0) range_count = number;
        if (strcmp(argv[i], "--slices") == 0) slice_count = number;
        if (strcmp(argv[i], "--seconds") == 0) seconds = number;
    }
    char few[256], many[256];
    const char *base = getenv("TMPDIR");
    if (range_count < 2 || slice_count <= FEW_SLICES || seconds == 0) return 1;
    found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(few, sizeof few, "%s/isopod-bench-XXXXXX", base != NULL ? base : "/tmp");
    snprintf(many, sizeof many, "%s/isopod-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (found == MAP_FAILED || mkdtemp(few) == NULL || mkdtemp(many) == NULL) return 1;
    (void)in_child(few, FEW_SLICES, WORK_NOTHING); // Made, and measured when it is found again.
    struct found plain = in_child(few, FEW_SLICES, WORK_MEASURE);
    (void)in_child(few, FEW_SLICES, WORK_SPLIT);
    struct found ranges = in_child(few, FEW_SLICES, WORK_MEASURE);
    (void)in_child(many, slice_count, WORK_NOTHING);
    struct found slices = in_child(many, slice_count, WORK_MEASURE);
    printf("a range %8.0f bytes\n", (ranges.bytes - plain.bytes) / (ranges.ranges - plain.ranges));
    printf("a slice %8.2f MiB\n", (slices.bytes - plain.bytes) / (slices.slices - plain.slices) / (1 << 20));
    (void)nftw(few, bench_remove, 16, FTW_DEPTH | FTW_PHYS);
    (void)nftw(many, bench_remove, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
