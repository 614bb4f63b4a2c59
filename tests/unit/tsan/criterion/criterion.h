// SPDX-License-Identifier: GPL-3.0-or-later
//
// Stands in for Criterion in builds with the thread sanitizer, whose address space Criterion cannot live
// in: the few macros that our tests use, each test in a process of its own, run one after the other.
// A word on the command line runs only the tests whose "suite/name" contains it.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plain_options {
    const char *suite; // Set by the macros, before the test's own.
    const char *name;
    void (*init)(void);
    void (*fini)(void);
};

struct plain_test {
    struct plain_options options;
    void (*fn)(void); // NULL: a suite.
    struct plain_test *next;
};

static struct plain_test *plain_tests;
static int plain_failures;

#define PLAIN_REGISTER(symbol, function, ...) \
    __attribute__((constructor)) static void symbol##_register(void) \
    { \
        static struct plain_test test = {.options = {__VA_ARGS__}, .fn = function}; \
        test.next = plain_tests; \
        plain_tests = &test; \
    }
#define Test(suite_, name_, ...) \
    static void suite_##_##name_##_test(void); \
    PLAIN_REGISTER(suite_##_##name_, suite_##_##name_##_test, #suite_, #name_, ##__VA_ARGS__) \
    static void suite_##_##name_##_test(void)
#define TestSuite(suite_, ...) PLAIN_REGISTER(suite_##_suite, NULL, #suite_, NULL, ##__VA_ARGS__)

__attribute__((format(printf, 5, 6))) static inline void plain_failed(
    const char *file, int line, const char *text, bool fatal, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    plain_failures++;
    if (fatal) exit(1);
}

#define PLAIN_CHECK(condition, fatal, text, ...) \
    do { \
        if (!(condition)) plain_failed(__FILE__, __LINE__, text, fatal, " " __VA_ARGS__); \
    } while (0)
#define cr_assert(c, ...) PLAIN_CHECK(c, true, #c, __VA_ARGS__)
#define cr_assert_not(c, ...) PLAIN_CHECK(!(c), true, "not " #c, __VA_ARGS__)
#define cr_assert_null(p, ...) PLAIN_CHECK((p) == NULL, true, #p, __VA_ARGS__)
#define cr_assert_not_null(p, ...) PLAIN_CHECK((p) != NULL, true, #p, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) PLAIN_CHECK((a) == (b), true, #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) PLAIN_CHECK((a) != (b), true, #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) PLAIN_CHECK((a) < (b), true, #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) PLAIN_CHECK((a) <= (b), true, #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) PLAIN_CHECK((a) > (b), true, #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) PLAIN_CHECK((a) >= (b), true, #a " >= " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) \
    PLAIN_CHECK(strcmp((a), (b)) == 0, true, #a " is " #b, __VA_ARGS__)
#define cr_expect(c, ...) PLAIN_CHECK(c, false, #c, __VA_ARGS__)
#define cr_expect_not(c, ...) PLAIN_CHECK(!(c), false, "not " #c, __VA_ARGS__)
#define cr_expect_null(p, ...) PLAIN_CHECK((p) == NULL, false, #p, __VA_ARGS__)
#define cr_expect_not_null(p, ...) PLAIN_CHECK((p) != NULL, false, #p, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK((a) == (b), false, #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) PLAIN_CHECK((a) != (b), false, #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) PLAIN_CHECK((a) < (b), false, #a " < " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) PLAIN_CHECK((a) <= (b), false, #a " <= " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) PLAIN_CHECK((a) > (b), false, #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) PLAIN_CHECK((a) >= (b), false, #a " >= " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) \
    PLAIN_CHECK(strcmp((a), (b)) == 0, false, #a " is " #b, __VA_ARGS__)

static inline void plain_run(const struct plain_test *test)
{
    const struct plain_options *suite = NULL;
    for (const struct plain_test *at = plain_tests; at != NULL; at = at->next)
        if (at->fn == NULL && strcmp(at->options.suite, test->options.suite) == 0)
            suite = &at->options;
    if (suite != NULL && suite->init != NULL) suite->init();
    if (test->options.init != NULL) test->options.init();
    test->fn();
    if (test->options.fini != NULL) test->options.fini();
    if (suite != NULL && suite->fini != NULL) suite->fini();
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    int run = 0, failing = 0;
    for (const struct plain_test *test = plain_tests; test != NULL; test = test->next) {
        char name[256];
        if (test->fn == NULL) continue;
        snprintf(name, sizeof name, "%s/%s", test->options.suite, test->options.name);
        if (strstr(name, wanted) == NULL) continue;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            plain_run(test);
            exit(plain_failures > 0);
        }
        int status = 1;
        while (waitpid(child, &status, 0) < 0) {
        }
        run++;
        if (status == 0) continue;
        failing++;
        fprintf(stderr, "[FAIL] %s (status %x)\n", name, (unsigned)status);
    }
    printf("Tested: %d | Failing: %d\n", run, failing);
    return failing > 0;
}
