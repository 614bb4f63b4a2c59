// SPDX-License-Identifier: GPL-3.0-or-later
//
// What do versions cost in each store, in the cache? Prints nanoseconds of CPU an operation, and how deep a stack
// the store needs (tasks have small ones).
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kv/key.h"
#include "kv/mvcc.h"

#define BATCH 16u

static uint64_t seed = 1;

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static uint32_t next_random(uint32_t bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % bound);
}

static void must(struct status st)
{
    if (!failed(st)) return;
    fprintf(stderr, "%s\n", st.message);
    exit(1);
}

static struct bytes row_key(struct buffer *key, uint32_t i)
{
    key->size = 0;
    key_append_tenant_prefix(key, 12);
    key_append_uvarint(key, 104);
    key_append_uvarint(key, 1);
    key_append_int(key, (int64_t)i, KEY_ASCENDING);
    return buffer_bytes(key);
}

static void report(const char *store, const char *what, double started_ns, uint64_t operations)
{
    printf("%-10s %-44s %8.1f ns\n", store, what, (now_ns() - started_ns) / (double)operations);
}

// Writes in transactions of BATCH, each with its applied record, as a slice applies a log batch.
static void write_all(
    struct mvcc *mvcc, struct buffer *key, uint32_t rows, uint32_t count, uint64_t ts, bool random)
{
    uint8_t value[100] = {1};
    for (uint32_t i = 0; i < count;) {
        must(store_begin(mvcc->store));
        for (uint32_t b = 0; b < BATCH && i < count; b++, i++) {
            struct bytes at = row_key(key, random ? next_random(rows) : i);
            must(mvcc_put(mvcc, at, (struct hlc_timestamp){ts + i, 0},
                bytes_of(value, sizeof value), false, false));
        }
        must(store_put(mvcc->store, STORE_META, BYTES_LITERAL("a"), bytes_of(value, 40)));
        must(store_commit(mvcc->store));
    }
}

// New keys anywhere in a range of their own, as of rows with random keys.
static void write_scattered(struct mvcc *mvcc, struct buffer *key, uint32_t count, uint64_t ts)
{
    uint8_t value[100] = {1};
    for (uint32_t i = 0; i < count;) {
        must(store_begin(mvcc->store));
        for (uint32_t b = 0; b < BATCH && i < count; b++, i++) {
            key->size = 0;
            key_append_tenant_prefix(key, 13);
            key_append_int(key, (int64_t)next_random(UINT32_MAX), KEY_ASCENDING);
            must(mvcc_put(mvcc, buffer_bytes(key), (struct hlc_timestamp){ts + i, 0},
                bytes_of(value, sizeof value), false, false));
        }
        must(store_put(mvcc->store, STORE_META, BYTES_LITERAL("a"), bytes_of(value, 40)));
        must(store_commit(mvcc->store));
    }
}

static void measure(const char *name, struct store *store, uint32_t rows)
{
    struct mvcc mvcc;
    struct arena arena;
    struct buffer key;
    mvcc_init(&mvcc, store);
    arena_init(&arena, NULL);
    buffer_init(&key, &arena);
    buffer_reserve(&key, 64);

    double at = now_ns();
    write_all(&mvcc, &key, rows, rows, 1, false);
    report(name, "insert, in order", at, rows);
    at = now_ns();
    write_all(&mvcc, &key, rows, rows / 2, rows + 1, true);
    report(name, "update, random (former version to history)", at, rows / 2);
    at = now_ns();
    write_scattered(&mvcc, &key, rows / 2, 2 * (uint64_t)rows);
    report(name, "insert, scattered over a range of its own", at, rows / 2);

    struct mvcc_version version;
    bool found;
    at = now_ns();
    struct arena_mark mark = arena_mark(&arena);
    for (uint32_t i = 0; i < rows; i++) {
        must(mvcc_get(&mvcc, row_key(&key, next_random(rows)), HLC_MAX, &arena, &version, &found));
        arena_release(&arena, mark);
    }
    report(name, "get the newest, random", at, rows);
    at = now_ns();
    for (uint32_t i = 0; i < rows / 4; i++) {
        must(mvcc_get(&mvcc, row_key(&key, next_random(rows)), (struct hlc_timestamp){rows, 0},
            &arena, &version, &found));
        arena_release(&arena, mark);
    }
    report(name, "get an older one, random", at, rows / 4);

    struct mvcc_cursor cursor;
    uint32_t seen = 0;
    at = now_ns();
    must(mvcc_cursor_open(&mvcc, &cursor));
    must(mvcc_cursor_seek(&cursor, STORE_FORWARD, BYTES_LITERAL("\x02"), &found));
    for (; found; seen++) {
        must(mvcc_cursor_at(&cursor, HLC_MAX, &version, &found));
        must(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
    }
    mvcc_cursor_close(&cursor);
    report(name, "scan, a row", at, seen);
    at = now_ns();
    for (uint32_t i = 0; i < rows / 10; i++) {
        must(mvcc_cursor_open(&mvcc, &cursor));
        must(mvcc_cursor_seek(&cursor, STORE_FORWARD, row_key(&key, next_random(rows)), &found));
        for (uint32_t n = 0; n < 10 && found; n++)
            must(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
        mvcc_cursor_close(&cursor);
    }
    report(name, "scan of ten rows, random", at, rows / 10);
    at = now_ns();
    must(store_checkpoint(NULL, store));
    printf("%-10s %-44s %8.1f ms\n", name, "checkpoint", (now_ns() - at) / 1e6);
    mvcc_fini(&mvcc);
    arena_fini(&arena);
}

// --- stack -----------------------------------------------------------------------------------------------

struct deep {
    struct store *store;
};

// Much more data than cache, so that the writer is drafted into eviction and splits pages.
static void *work_on_stack(void *arg)
{
    struct deep *deep = arg;
    struct mvcc mvcc;
    struct arena arena;
    struct buffer key;
    mvcc_init(&mvcc, deep->store);
    arena_init(&arena, NULL);
    buffer_init(&key, &arena);
    write_all(&mvcc, &key, 300000, 600000, 1, true);
    for (uint32_t i = 0; i < 50000; i++) {
        struct mvcc_version version;
        bool found;
        struct arena_mark mark = arena_mark(&arena);
        must(
            mvcc_get(&mvcc, row_key(&key, next_random(300000)), HLC_MAX, &arena, &version, &found));
        arena_release(&arena, mark);
    }
    mvcc_fini(&mvcc);
    arena_fini(&arena);
    return NULL;
}

static void measure_stack(const char *home)
{
    size_t size = 512u << 10;
    struct deep deep;
    must(store_wt_open(
        NULL, &(struct store_options){.home = home, .cache_bytes = 8u << 20}, &deep.store));
    uint8_t *stack = aligned_alloc(4096, size);
    for (size_t i = 0; i < size; i++)
        stack[i] = 0xa5;
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, size);
    if (pthread_create(&thread, &attributes, work_on_stack, &deep) != 0) exit(1);
    pthread_join(thread, NULL);
    size_t untouched = 0;
    while (untouched < size && stack[untouched] == 0xa5)
        untouched++;
    printf("wiredtiger deepest stack under eviction: %zu bytes\n", size - untouched);
    must(store_close(NULL, deep.store));
}

int main(int argc, char **argv)
{
    uint32_t rows = argc > 1 ? (uint32_t)atoi(argv[1]) : 500000;
    char home[] = "/tmp/isopod_bench_XXXXXX", deep[64];
    struct store *store;
    if (mkdtemp(home) == NULL) return 1;
    must(store_model_open(NULL, &(struct store_options){0}, &store));
    measure("model", store, rows / 4);
    store_drop(store);
    must(store_wt_open(
        NULL, &(struct store_options){.home = home, .cache_bytes = 1u << 30}, &store));
    measure("wiredtiger", store, rows);
    must(store_close(NULL, store));
    snprintf(deep, sizeof deep, "%s/deep", home);
    if (argc < 3) measure_stack(deep); // Any second argument: without.
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command);
}
