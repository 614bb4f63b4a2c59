// SPDX-License-Identifier: GPL-3.0-or-later
//
// What do commits and reads cost at a slice's leader, log and store included? One shard; prints operations a
// second and nanoseconds of the shard's CPU an operation. The store goes to $TMPDIR or /tmp.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "kv/key.h"
#include "kv/kv_node.h"

#define ROWS 200000u
#define COMMITS 200000u
#define READS 1000000u


static double clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

struct phase {
    double wall, cpu;
};
static struct phase phase_begin(void)
{
    return (struct phase){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_THREAD_CPUTIME_ID)};
}
static void phase_end(struct phase phase, const char *what, uint64_t count)
{
    double wall = clock_ns(CLOCK_MONOTONIC) - phase.wall,
           cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - phase.cpu;
    printf("%-36s %12.0f /s %10.0f ns\n", what, (double)count / wall * 1e9, cpu / (double)count);
}

static uint64_t seed = 1;
static uint32_t next_random(uint32_t bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % bound);
}

static struct bytes row_key(struct arena *arena, uint32_t row)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, 12);
    key_append_uvarint(&key, 104);
    key_append_uvarint(&key, 1);
    key_append_int(&key, (int64_t)row, KEY_ASCENDING);
    return buffer_bytes(&key);
}

struct load {
    struct slice *slice;
    uint32_t left, running, writes;
};

static struct status committer(struct task *task, void *arg)
{
    struct load *load = arg;
    struct status st = STATUS_OK;
    static const uint8_t value[100] = {1};
    while (load->left > 0) {
        struct slice_write writes[8];
        struct arena_mark mark = arena_mark(task->arena);
        load->left--;
        for (uint32_t i = 0; i < load->writes; i++)
            writes[i] = (struct slice_write){
                row_key(task->arena, next_random(ROWS)), bytes_of(value, sizeof value)};
        TRY(slice_admit(task, load->slice, 1000));
        TRY(slice_propose_writes(
            task, load->slice, 12, writes, load->writes, slice_commit_ts(load->slice)));
        arena_release(task->arena, mark);
    }
out:
    load->running--;
    return st;
}

static struct status commits(struct task *task, struct slice *slice, const char *what,
    uint32_t tasks, uint32_t writes, uint32_t count)
{
    struct load load = {.slice = slice, .left = count, .writes = writes};
    struct status st = STATUS_OK;
    struct phase phase = phase_begin();
    for (uint32_t i = 0; i < tasks; i++) {
        TRY(task_start(
            task->shard, &(struct task_options){.fn = committer, .arg = &load, .kind = "bench"}));
        load.running++;
    }
    while (load.running > 0)
        TRY(task_sleep(task, 1000000));
    phase_end(phase, what, count);
out:
    return st;
}

static struct status body(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    static const uint8_t value[100] = {1};
    struct phase phase = phase_begin();
    for (uint32_t row = 0; row < ROWS; row += 500) {
        struct slice_write *writes = ARENA_ARRAY(task->arena, struct slice_write, 500);
        struct arena_mark mark = arena_mark(task->arena);
        for (uint32_t i = 0; i < 500; i++)
            writes[i] =
                (struct slice_write){row_key(task->arena, row + i), bytes_of(value, sizeof value)};
        TRY(slice_admit(task, slice, 1000));
        TRY(slice_propose_writes(task, slice, 12, writes, 500, slice_commit_ts(slice)));
        arena_release(task->arena, mark);
    }
    phase_end(phase, "load, a row", ROWS);
    TRY(commits(task, slice, "commit of 1 write, 1 at a time", 1, 1, COMMITS / 20));
    TRY(commits(task, slice, "commit of 1 write, 64 at a time", 64, 1, COMMITS));
    TRY(commits(task, slice, "commit of 4 writes, 64 at a time", 64, 4, COMMITS / 4));

    phase = phase_begin();
    for (uint32_t i = 0; i < READS; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        struct slice_reader reader = {.tenant = 12, .ts = slice_present(slice)};
        struct slice_value got;
        TRY(slice_read_point(
            task, slice, &reader, row_key(task->arena, next_random(ROWS)), task->arena, &got));
        arena_release(task->arena, mark);
        if (i % 1000 == 0) TRY(task_yield(task));
    }
    phase_end(phase, "read of a key", READS);

    uint64_t rows = 0;
    phase = phase_begin();
    for (uint32_t i = 0; i < 5; i++) {
        struct slice_scan scan = {.span = key_tenant_span(task->arena, 12)};
        struct slice_reader reader = {.tenant = 12, .ts = slice_present(slice)};
        while (!scan.done) {
            uint8_t start[64];
            struct kv_batch batch;
            struct arena_mark mark = arena_mark(task->arena);
            TRY(slice_read_span(task, slice, &reader, &scan, task->arena, &batch));
            rows += batch.count;
            // What is left of the span lives in the arena.
            memcpy(start, scan.span.start.data, scan.span.start.size);
            arena_release(task->arena, mark);
            scan.span.start = arena_copy(task->arena, bytes_of(start, scan.span.start.size));
        }
    }
    phase_end(phase, "scan, a row", rows);
out:
    return st;
}

static struct status run(struct task *task, void *arg)
{
    struct kv_options options = {
        .dir = arg, .store = KV_STORE_WIREDTIGER, .cache_bytes = UINT64_C(2) << 30};
    struct status st = kv_start(task, &options);
    if (!failed(st)) {
        st = body(task, kv_slice_find(kv_shard_of(task->shard), 1));
        struct status stopped = kv_stop(task);
        if (!failed(st)) st = stopped;
    }
    node_stop(task->shard->node);
    return st;
}

int main(void)
{
    return bench_node(&(struct node_options){.id = 1, .shard_count = 1}, run);
}
