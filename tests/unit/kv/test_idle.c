// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a range costs that nobody uses, also right after splitting has made it: at most 1 KiB of memory. (Of a server of
// three with 10,000: bench/nodes --only idle.)
#include "tests/unit/kv/kv_harness.h"

#include "kv/maintenance.h"

#define RANGES 3000u
#define MIB (UINT64_C(1) << 20)
// What is asked for: of a kibibyte that is resident half is what the allocator cannot use, and pages of stores.
#define RANGE_BYTES_MAX 512u

// Of the allocator of the program: a sanitizer's, or jemalloc.
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) __attribute__((weak));

static uint64_t allocated_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes != NULL) return __sanitizer_get_current_allocated_bytes();
    uint64_t epoch = 1;
    size_t bytes = 0, size = sizeof bytes;
    cr_assert(mallctl != NULL && mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) == 0);
    cr_assert(mallctl("stats.allocated", &bytes, &size, NULL, 0) == 0);
    return bytes;
}

static struct status split(struct task *task, uint32_t first, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = first; i < first + count && !failed(st); i++) {
        struct arena_mark mark = arena_mark(task->arena);
        st = kv_split(task, key_number(task, "k", i));
        arena_release(task->arena, mark);
    }
    return st;
}

static struct status body(struct task *task, __attribute__((unused)) void *arg)
{
    struct status st;
    struct kv_shard *kv = kv_shard_of(task->shard);
    TRY(split(task, 0, 100));
    TRY(maintenance_rest(task, kv));
    const uint64_t before = allocated_bytes();
    TRY(split(task, 100, RANGES));
    TRY(maintenance_rest(task, kv));
    CHECK(allocated_bytes() < before + RANGES * RANGE_BYTES_MAX);
out:
    return st;
}

Test(idle, a_range_gone_to_rest_takes_at_most_a_kibibyte)
{
    char dir[256];
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1); // Thousands of commits, and nothing is to survive.
    struct kv_test test = {.body = body, .options = {.dir = test_dir(dir), .store = KV_STORE_WIREDTIGER}};
    struct status st = node_test(1, kv_test_run, &test);
    test_dirs_remove();
    cr_assert(!failed(st), "%s", failed(st) ? st.message : "");
}

static bool rests_within(struct maintenance_rest_watch *watch, uint32_t looks, uint64_t bytes, uint64_t calls)
{
    for (uint32_t i = 0; i < looks; i++) {
        maintenance_rest_look(watch, watch->appended + bytes, watch->calls + calls);
        if (maintenance_rest_due(watch)) return true;
    }
    return false;
}

// Reading a table again and again after a load once had its caches emptied in between.
Test(idle, a_shard_rests_when_it_is_neither_written_nor_read)
{
    struct maintenance_rest_watch watch = {0};
    cr_assert_not(rests_within(&watch, 100, MIB, 0), "while it is written");
    cr_assert_not(rests_within(&watch, 100, 0, 1000), "while it is read");
    cr_assert(rests_within(&watch, 20, 10, 3));
    cr_assert_not(rests_within(&watch, 100, 10, 3), "with nothing to give back since");
    maintenance_rest_look(&watch, watch.appended + 2 * MIB, watch.calls);
    maintenance_rest_look(&watch, watch.appended, watch.calls - 1000);
    cr_assert(rests_within(&watch, 20, 0, 0), "a slice that has left");
}
