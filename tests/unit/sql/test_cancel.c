// SPDX-License-Identifier: GPL-3.0-or-later
//
// A statement that is cancelled ends soon: between two looks at whether it was lie at most a few milliseconds of work,
// whatever it does. Counted in CPU time of the thread, which other programs on the machine do not change. The clock
// that every look reads is the test's: it cancels at a given look, and notes what is used up from then on.
#include <time.h>

#include "core/shard.h"
#include "tests/unit/sql/sql_harness.h"

#ifdef ISOPOD_ASAN
#define LIMIT_NS 80000000ull // Sanitizers take their time.
#else
#define LIMIT_NS 10000000ull
#endif

static uint64_t (*real_mono_ns)(struct env *env);
static struct task *victim;
static uint64_t looks, cancel_at, cancelled_cpu_ns;

static uint64_t cpu_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static uint64_t mono_ns(struct env *env)
{
    if (victim != NULL && task_current() == victim && ++looks == cancel_at) {
        cancelled_cpu_ns = cpu_ns();
        task_cancel(victim,
            status_make(E_QUERY_CANCELED, "canceling statement due to user request"));
    }
    return real_mono_ns(env);
}

static const char *const tables[] = {
    "CREATE TABLE t (id int PRIMARY KEY, a int, v text)",
    "INSERT INTO t SELECT i, i * 7919 % 10007, 'v' || i % 3000 FROM generate_series(1, 20000) i",
    "CREATE TABLE e (id int PRIMARY KEY, a int, v text)",
};

static const char *const statements[] = {
    "SELECT count(*) FROM (SELECT v, a FROM t ORDER BY v DESC, a OFFSET 1) s",
    "SELECT count(*) FROM t x JOIN t y ON x.a = y.a + 1",
    "SELECT count(*) FROM t x JOIN t y ON x.a < y.a",
    "SELECT v, count(*), sum(a), avg(a), min(v) FROM t GROUP BY v",
    "SELECT DISTINCT a, v FROM t",
    "SELECT count(*) FROM t WHERE v || repeat('ab', 50) ~ '(a|b|v)+[0-9]+(ab)*x'",
    "SELECT regexp_replace(repeat(v, 20), '[0-9]', 'x', 'g') FROM t",
    "SELECT sum(i) FROM generate_series(1, 100000000) i",
    "SELECT json_agg(t) FROM t",
    "SELECT jsonb_agg(jsonb_build_object('a', a, 'v', v)) FROM t",
    "SELECT string_agg(v, ',' ORDER BY a), array_agg(a ORDER BY v) FROM t",
    "SELECT sum(a) OVER (PARTITION BY a % 7 ORDER BY id), rank() OVER (ORDER BY v) FROM t",
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 10000000) SELECT sum(i) FROM r",
    "SELECT count(*) FROM t WHERE a NOT IN (SELECT id + 5000 FROM t)",
    "SELECT count(*) FROM t WHERE a > (SELECT avg(u.a) FROM t u WHERE u.id < t.id)",
    "SELECT a, v FROM t UNION SELECT id, v FROM t EXCEPT SELECT 1, 'x'",
    "SELECT sum(x * 1.000001 ^ 3) FROM unnest((SELECT array_agg(a::numeric) FROM t)) x, generate_series(1, 100)",
    "INSERT INTO e SELECT id, a, v FROM t",
    "UPDATE t SET v = v || 'x' WHERE a > 10",
    "DELETE FROM t",
    "ANALYZE t",
    "CREATE INDEX ON t (v, a)",
    "CREATE TABLE made AS SELECT id, v, a FROM t",
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION SELECT i + 1 FROM r WHERE i < 10000000) SELECT sum(i) FROM r",
    "SELECT sum(a) OVER (ORDER BY id ROWS BETWEEN 5000 PRECEDING AND 5000 FOLLOWING EXCLUDE TIES) FROM t",
};

static struct status cancel(struct sql_test *test, const char *sql, uint64_t at, bool *ended)
{
    struct status st;
    looks = 0;
    cancel_at = at;
    cancelled_cpu_ns = 0;
    victim = test->task;
    st = sql_run(test, sql);
    const uint64_t used = cancelled_cpu_ns == 0 ? 0 : cpu_ns() - cancelled_cpu_ns;
    victim = NULL;
    task_cancel_clear(test->task);
    *ended = cancelled_cpu_ns == 0; // Before that look.
    const bool refused = status_is(st, E_QUERY_CANCELED);
    cr_expect(*ended || refused || !failed(st), "%s: %s", sql, failed(st) ? st.message : "");
    cr_expect(used < LIMIT_NS, "%s went on for %.1f ms of CPU time after look %llu", sql,
        (double)used / 1e6, (unsigned long long)at);
    if (getenv("ISOPOD_TEST_CANCEL") != NULL)
        printf("%8.2f ms after look %6llu: %.90s\n", (double)used / 1e6, (unsigned long long)at, sql);
    return STATUS_OK;
}

SQL_TEST(cancel, statements_end_soon, 1)
{
    struct status st = STATUS_OK;
    static struct env *env;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) RUN(tables[i]);
    env = test->task->shard->env;
    real_mono_ns = env->mono_ns;
    env->mono_ns = mono_ns;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        bool ended = false;
        for (uint64_t at = 3; at < 3000 && !ended; at *= 5)
            TRY(cancel(test, statements[i], at, &ended));
    }

out:
    if (env != NULL) env->mono_ns = real_mono_ns;
    return st;
}
