// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs a test's body as a task on a fresh node. Use it for all that needs a reactor:
//
//     NODE_TEST(lease, is_given_once, 2) // suite, name, shards
//     {
//         struct status st = STATUS_OK;
//         TRY(lease_acquire(task, ...));
//         CHECK(lease_usable(...));
//     out:
//         return st;
//     }
//
// Inside a task use CHECK and TRY, not cr_assert: a failed cr_assert jumps out of the fiber.
#pragma once
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/shard.h"
#include "core/status.h"
#include "core/task.h"

#define CHECK_TEXT2(line) #line
#define CHECK_TEXT(line) CHECK_TEXT2(line)
// Ends the test with a failure that names the condition. Needs `st` and `out`, as TRY does.
#define CHECK(cond) \
    do { \
        if (!(cond)) { \
            st = status_make(E_INTERNAL, __FILE__ ":" CHECK_TEXT(__LINE__) ": " #cond); \
            goto out; \
        } \
    } while (0)
// That `expr` fails with the SQLSTATE `expected`.
#define CHECK_FAILS(expr, expected) \
    do { \
        struct status check_st = (expr); \
        CHECK(status_is(check_st, (expected))); \
    } while (0)

struct node_test_call {
    task_fn fn;
    void *arg;
};

static inline struct status node_test_init(struct task *task, void *arg)
{
    struct node_test_call *call = (struct node_test_call *)arg;
    struct node *node = task->shard->node;
    struct status st = call->fn(task, call->arg);
    node_stop(node);
    return st;
}

// Runs fn(task, arg) on shard 0 of a new node and returns its status (the message stays valid).
static inline struct status node_test(uint32_t shards, task_fn fn, void *arg)
{
    struct node_options options = {.id = 1,
        .shard_count = shards,
        .fibers_per_shard = 256,
        .sql_memory_bytes = 256u << 20};
    struct node_test_call call = {fn, arg};
    return node_run(&options, node_test_init, &call, NULL);
}

// A new empty folder for a test's files, under $TMPDIR or /tmp. NODE_TEST removes it at the end; other
// tests call test_dirs_remove.
#define TEST_DIRS_MAX 16
static char test_dirs[TEST_DIRS_MAX][256];
static int test_dir_count;

static inline const char *test_dir(char buffer[256])
{
    const char *base = getenv("TMPDIR");
    snprintf(buffer, 256, "%s/isopod-test-XXXXXX", base != NULL ? base : "/tmp");
    char *made = mkdtemp(buffer);
    if (made != NULL && test_dir_count < TEST_DIRS_MAX) strcpy(test_dirs[test_dir_count++], made);
    return made;
}

static inline int test_dir_remove_one(
    const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void test_dirs_remove(void)
{
    while (test_dir_count > 0)
        (void)nftw(test_dirs[--test_dir_count], test_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define NODE_TEST(suite, name, shards) \
    static struct status suite##_##name##_body(struct task *task, void *arg); \
    Test(suite, name) \
    { \
        struct status st = node_test(shards, suite##_##name##_body, NULL); \
        char sqlstate[6]; \
        status_sqlstate(st, sqlstate); \
        test_dirs_remove(); \
        cr_assert(!failed(st), "%s: %s", sqlstate, failed(st) ? st.message : ""); \
    } \
    static struct status suite##_##name##_body( \
        __attribute__((unused)) struct task *task, __attribute__((unused)) void *arg)
