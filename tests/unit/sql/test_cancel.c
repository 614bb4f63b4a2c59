// SPDX-License-Identifier: GPL-3.0-or-later
//
// A statement that is cancelled ends soon: between two looks at whether it was lie at most a few milliseconds of work,
// whatever it does. Counted in CPU time of the thread, which other programs on the machine do not change. The clock
// that every look reads is the test's: it cancels at a given look, and notes what is used up from then on.
#include <time.h>

#include "core/shard.h"
#include "core/work.h"
#include "sql/type/type.h"
#include "sql/wire/copy.h"
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
    "CREATE TABLE g (id int PRIMARY KEY, j jsonb)",
    "INSERT INTO g SELECT 1, jsonb_object_agg(md5(i::text), i) FROM generate_series(1, 60000) i",
    "CREATE TABLE by_parts (id int PRIMARY KEY, j jsonb)",
    "CREATE INDEX ON by_parts USING gin (j)",
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
    "SELECT length(jsonb_object_agg(i::text, i)::text) FROM generate_series(1, 200000) i",
    "INSERT INTO e SELECT id, a, v FROM t",
    "UPDATE t SET v = v || 'x' WHERE a > 10",
    "DELETE FROM t",
    "ANALYZE t",
    "CREATE INDEX ON t (v, a)",
    "CREATE TABLE made AS SELECT id, v, a FROM t",
    "ANALYZE g",
    "INSERT INTO by_parts SELECT * FROM g",
    "SELECT count(*) FROM by_parts, g WHERE by_parts.j @> g.j",
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

// --- long values ----------------------------------------------------------------------------------------
//
// Whatever is done with long values or with rows of them, the clock is looked at every so many bytes: that much work
// lies between a cancel and its answer. Counted in looks, which no machine changes.

#define BYTES_PER_LOOK (1u << 20)      // A value is copied in one go.
#define TEXT_BYTES_PER_LOOK (300u << 10)

static const char *const long_tables[] = {
    "CREATE TABLE h (id int PRIMARY KEY, t text, b bytea, j jsonb, a int[])",
    "INSERT INTO h SELECT 1, repeat('abcd,\"efgh', 100000), decode(repeat('ab', 1000000), 'hex'), "
    "(SELECT jsonb_agg(jsonb_build_object('a', i, 'b', repeat('x', 90))) FROM generate_series(1, 10000) i), "
    "(SELECT array_agg(i) FROM generate_series(1, 200000) i)",
    "CREATE TABLE k (id int PRIMARY KEY, t text)",
};

// Of each the bytes that it goes through at least.
static const struct {
    const char *sql;
    uint64_t bytes;
} long_statements[] = {
    {"SELECT count(*) FROM (SELECT t, i FROM h, generate_series(1, 12) i ORDER BY t, i OFFSET 1) s", 12u << 20},
    {"SELECT count(*) FROM (SELECT DISTINCT t FROM h, generate_series(1, 12)) s", 12u << 20},
    {"SELECT count(*) FROM (SELECT DISTINCT j FROM h, generate_series(1, 12)) s", 12u << 20},
    {"SELECT count(*) FROM (SELECT DISTINCT a FROM h, generate_series(1, 12)) s", 12u << 20},
    {"SELECT count(x.t = y.t), count(x.t <= y.t) FROM h x, h y, generate_series(1, 12)", 24u << 20},
    {"SELECT count(x.j = y.j), count(x.a = y.a) FROM h x, h y, generate_series(1, 6)", 12u << 20},
    {"SELECT count(x.t IS DISTINCT FROM y.t) FROM h x, h y, generate_series(1, 12)", 12u << 20},
    {"SELECT count(*) FROM (SELECT x.t, i FROM h x, generate_series(1, 8) i) u "
     "JOIN (SELECT t, i FROM h, generate_series(1, 8) i) v ON u.t || u.i = v.t || v.i", 24u << 20},
    {"SELECT count(t) OVER (ORDER BY i), t FROM h, generate_series(1, 12) i", 12u << 20},
    {"SELECT length(a::text), length(b::text), length(j::text) FROM h, generate_series(1, 5)", 16u << 20},
    {"INSERT INTO k SELECT i, t FROM h, generate_series(1, 12) i", 12u << 20},
    {"UPDATE k SET t = t || 'x'", 12u << 20},
    // Copied as an argument, which is 32 looks, and searched, which is as many.
    {"SELECT count(*) FROM generate_series(1, 12), h, string_to_table(t, 'zz')", 12u * 45u << 20},
    {"SELECT sum(cardinality(string_to_array(t, 'zz'))) FROM generate_series(1, 12), h", 12u * 20u << 20},
    // One value in one call, which is as long as many rows.
    {"SELECT length(quote_ident(t || 'X')) FROM h, generate_series(1, 12)", 12u * 12u << 20},
    {"SELECT length(btrim(b, '\\xab')) FROM h, generate_series(1, 12)", 12u * 50u << 20},
    {"SELECT length(set_bit(b, 5, 1)) FROM h, generate_series(1, 12)", 12u * 20u << 20},
    {"SELECT length(to_ascii(t, 'LATIN1')) FROM h, generate_series(1, 12)", 12u * 20u << 20},
    {"SELECT length(format('%8000000s', 'x'))", 100u << 20},
    {"SELECT length(string_agg(t, ',')), length(jsonb_agg(t)::text) FROM h, generate_series(1, 12)", 12u * 40u << 20},
    {"SELECT length(row(t, t)::text) FROM h, generate_series(1, 12)", 12u * 40u << 20},
    {"SELECT length(to_char(now(), repeat('YYYY-MM-DD ', 30000)))", 500u << 20},
    {"SELECT length(to_char(5, repeat('9', 100000)))", 300u << 20},
    {"SELECT count(upper(t COLLATE \"de-x-icu\")) FROM h", 40u << 20},
    {"SELECT count(initcap(t || ' a')) FROM h", 2u << 20},
    {"SELECT count('A' || t < ('a' || t) COLLATE \"de-x-icu\") FROM h", 900u << 20},
    {"SELECT count(t || 'a' < (t || 'b') COLLATE \"de-x-icu\") FROM h, generate_series(1, 12)", 12u * 60u << 20},
    {"SELECT count(exp(3000.1 + i)) FROM generate_series(1, 100) i", 500u << 20},
    {"SELECT count(ln(('1.' || repeat('3', 1000))::numeric + i)) FROM generate_series(1, 100) i", 500u << 20},
    {"SELECT length(similar_to_escape(t, '#')) FROM h", 250u << 20},
    {"SELECT length(like_escape(t, '#')) FROM h", 250u << 20},
    {"SELECT sum(a[i]) FROM h, generate_series(199000, 199200) i", 100u << 20},
    {"SELECT jsonb_object_agg(i::text, i) IS NULL FROM generate_series(1, 20000) i", 100u << 20},
    {"INSERT INTO k SELECT 1, 'x' FROM generate_series(1, 20000) ON CONFLICT (id) DO NOTHING", 100u << 20},
};

SQL_TEST(cancel, long_values_are_looked_at_as_they_go, 1)
{
    struct status st = STATUS_OK;
    static struct env *env;
    for (size_t i = 0; i < sizeof long_tables / sizeof long_tables[0]; i++) RUN(long_tables[i]);
    env = test->task->shard->env;
    real_mono_ns = env->mono_ns;
    env->mono_ns = mono_ns;
    for (size_t i = 0; i < sizeof long_statements / sizeof long_statements[0]; i++) {
        looks = 0;
        cancel_at = UINT64_MAX;
        victim = test->task;
        st = sql_run(test, long_statements[i].sql);
        victim = NULL;
        cr_expect(!failed(st), "%s: %s", long_statements[i].sql, failed(st) ? st.message : "");
        cr_expect(looks >= long_statements[i].bytes / BYTES_PER_LOOK, "%llu looks: %s", (unsigned long long)looks,
            long_statements[i].sql);
    }
    // Wherever in a comparison it is cancelled, nothing comes of the answer that was broken off.
    RUN("DELETE FROM k");
    for (uint64_t at = 1; at < 400; at += 13) {
        bool ended;
        TRY(cancel(test, "INSERT INTO k SELECT x.id, 'x' FROM h x, h y WHERE x.j <> y.j OR x.a <> y.a", at, &ended));
        if (ended) break;
    }
    const char *rows;
    TRY(sql_rows(test, "SELECT count(*) FROM k", &rows));
    cr_expect_str_eq(rows, "0");

out:
    if (env != NULL) env->mono_ns = real_mono_ns;
    return st;
}

// --- wide rows and long statements ------------------------------------------------------------------------
//
// Of a statement with many parts the clock is looked at every some parts while it is planned, and of rows with many columns
// every some values while they are worked on.

#define MANY 700u
#define PARTS_PER_LOOK 64u
#define DEEP 5000u      // Levels of one literal,
#define DEEP_BYTES 9ull // each of them so long.
#define VALUES_PER_LOOK 8192u

// "a0b, a1b, ..."
static const char *many(struct arena *arena, const char *before, const char *after)
{
    struct buffer text;
    buffer_init(&text, arena);
    for (uint32_t i = 0; i < MANY; i++) buffer_printf(&text, "%s%s%u%s", i == 0 ? "" : ", ", before, i, after);
    return buffer_string(&text);
}

static uint64_t looks_at(struct sql_test *test, const char *sql)
{
    looks = 0;
    cancel_at = UINT64_MAX;
    victim = test->task;
    const struct status st = sql_run(test, sql);
    victim = NULL;
    cr_expect(!failed(st), "%.60s: %s", sql, failed(st) ? st.message : "");
    return looks;
}

SQL_TEST(cancel, planning_and_wide_rows_are_looked_at_as_they_go, 1)
{
    struct status st = STATUS_OK;
    static struct env *env;
    struct arena arena;
    arena_init(&arena, NULL);
    RUN(arena_printf(&arena, "CREATE TABLE w (%s)", many(&arena, "c", " int")));
    RUN("INSERT INTO w DEFAULT VALUES");
    env = test->task->shard->env;
    real_mono_ns = env->mono_ns;
    env->mono_ns = mono_ns;
    const char *sums = many(&arena, "sum(c", ")");
    uint64_t seen = looks_at(test, arena_printf(&arena, "EXPLAIN SELECT %s FROM w", sums));
    cr_expect(seen >= 2 * MANY / PARTS_PER_LOOK, "%llu looks while it was planned", (unsigned long long)seen);
    // What is shown of a view or a check is bound and written as a statement is.
    RUN(arena_printf(&arena, "CREATE VIEW wv AS SELECT greatest(%s) AS most FROM w", many(&arena, "c", " + 1")));
    RUN(arena_printf(&arena, "CREATE TABLE wc (c0 int, CHECK (c0 NOT IN (%s)))", many(&arena, "c0 + ", "")));
    seen = looks_at(test, "SELECT pg_get_viewdef('wv'::regclass)");
    cr_expect(seen >= 2 * MANY / PARTS_PER_LOOK, "%llu looks while a view was shown", (unsigned long long)seen);
    seen = looks_at(test, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'wc'::regclass");
    cr_expect(seen >= 2 * MANY / PARTS_PER_LOOK, "%llu looks while a check was shown", (unsigned long long)seen);
    const struct {
        const char *sql;
        uint64_t values;
    } wide[] = {
        {"SELECT count(*) FROM (SELECT w.* FROM w, generate_series(1, 400) OFFSET 0) s WHERE s IS NULL", 400 * MANY},
        {"SELECT w.* FROM w, generate_series(1, 300) i ORDER BY i DESC OFFSET 299", 300 * MANY},
        {arena_printf(&arena, "SELECT %s FROM w, generate_series(1, 400)", sums), 400 * MANY},
    };
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        seen = looks_at(test, wide[i].sql);
        cr_expect(seen >= wide[i].values / VALUES_PER_LOOK, "%llu looks: %.60s", (unsigned long long)seen, wide[i].sql);
    }
    // However an expression is long: while it is bound, compared with others, searched for columns and compiled.
    const char *const chains[][3] = {{"SELECT count(*) FROM w WHERE c0 IN (0", ", $", ")"}, {"SELECT count(*) FROM w WHERE true", " AND c1 <> $", ""},
        {"SELECT count(*) FROM w WHERE (c0, c1) IN ((0, 0)", ", (1, $)", ")"}, {"SELECT coalesce(c0", ", nullif(c1, $)", ") FROM w"},
        {"SELECT count(*) FROM w WHERE false", " OR (c0 = $ AND c1 = 5)", ""}, {"SELECT 0", ", (SELECT max(c1) FROM w v WHERE v.c0 < $)", " FROM w"}};
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        struct buffer text;
        buffer_init(&text, &arena);
        buffer_append_string(&text, chains[i][0]);
        for (uint32_t n = 0; n < (i == 5 ? 40 : 5 * MANY); n++)
            for (const char *c = chains[i][1]; *c != 0; c++)
                if (*c == '$') buffer_printf(&text, "%u", n);
                else buffer_append_u8(&text, (uint8_t)*c);
        buffer_append_string(&text, chains[i][2]);
        seen = looks_at(test, buffer_string(&text));
        cr_expect(seen >= 10 * MANY / PARTS_PER_LOOK, "%llu looks: %.60s", (unsigned long long)seen, chains[i][0]);
    }
    // Cancelled wherever in its planning, a statement ends with that and leaves nothing that is half made.
    for (uint64_t at = 1; at < 2 * MANY / PARTS_PER_LOOK; at += 3) {
        bool ended;
        TRY(cancel(test, arena_printf(&arena, "SELECT %s FROM w", sums), at, &ended));
    }
    bool joined = false;
    for (uint64_t at = 1; !joined; at += 1 + at / 4)
        TRY(cancel(test, "SELECT count(*) FROM w a NATURAL JOIN w b NATURAL JOIN w c", at, &joined));
    (void)looks_at(test, arena_printf(&arena, "SELECT %s FROM w", sums));
    // What nests deep is copied at each level: looked at as it goes, and in memory that is used again.
    struct buffer deep;
    buffer_init(&deep, &arena);
    buffer_append_string(&deep, "SELECT '");
    for (uint32_t i = 0; i < 2 * DEEP; i++) buffer_append_u8(&deep, i < DEEP ? '[' : ']');
    buffer_append_string(&deep, "'::jsonb IS NULL");
    seen = looks_at(test, buffer_string(&deep));
    cr_expect(seen >= DEEP_BYTES * DEEP / 2 * DEEP / BYTES_PER_LOOK, "%llu looks at a deep literal", (unsigned long long)seen);

out:
    if (env != NULL) env->mono_ns = real_mono_ns;
    arena_fini(&arena);
    return st;
}

// --- text forms and COPY ----------------------------------------------------------------------------------

static struct datum long_value(struct arena *arena, struct type type, uint32_t count, const char *one, const char *wrap)
{
    struct buffer text;
    struct datum value;
    buffer_init(&text, arena);
    if (wrap != NULL) buffer_append_u8(&text, (uint8_t)wrap[0]);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && wrap != NULL) buffer_append_u8(&text, ',');
        buffer_append_string(&text, one);
    }
    if (wrap != NULL) buffer_append_u8(&text, (uint8_t)wrap[1]);
    cr_assert(!failed(type_input(arena, NULL, type, buffer_bytes(&text), &value)));
    return value;
}

static uint64_t looks_of(struct task *task, void (*fn)(void *arg), void *arg)
{
    looks = 0;
    cancel_at = UINT64_MAX;
    victim = task;
    fn(arg);
    victim = NULL;
    return looks;
}

struct printing {
    type_oid type;
    struct datum value;
    struct buffer out;
    struct copy_options copy;
    struct bytes text;
};

static void print_text(void *arg)
{
    struct printing *run = arg;
    run->out.size = 0;
    type_output(&run->out, NULL, run->type, run->value);
}

static void write_field(void *arg)
{
    struct printing *run = arg;
    run->out.size = 0;
    copy_write_field(&run->out, &run->copy, run->text, false, false);
}

static void read_line(void *arg)
{
    struct printing *run = arg;
    struct bytes fields[2], line;
    uint32_t count;
    bool found;
    struct copy_reader reader = {.options = &run->copy, .input = run->text, .ended = true};
    cr_assert(!failed(copy_read_line(&reader, run->out.arena, &line, &found)) && found);
    cr_assert(!failed(copy_split_line(&run->copy, run->out.arena, line, fields, 2, &count)));
}

SQL_TEST(cancel, long_texts_are_looked_at_as_they_go, 1)
{
    struct status st = STATUS_OK;
    struct env *env = test->task->shard->env;
    struct arena arena;
    arena_init(&arena, NULL);
    const struct {
        type_oid type;
        struct datum value;
    } values[] = {
        {TYPE_TEXT, long_value(&arena, TYPE_OF(TYPE_TEXT), 300000, "abcdef", NULL)},
        {TYPE_BYTEA, long_value(&arena, TYPE_OF(TYPE_BYTEA), 300000, "abcdef", NULL)},
        {TYPE_JSONB, long_value(&arena, TYPE_OF(TYPE_JSONB), 100000, "{\"a\": 1234}", "[]")},
        {TYPE_INT4_ARRAY, long_value(&arena, TYPE_OF(TYPE_INT4_ARRAY), 200000, "1234567", "{}")},
    };
    real_mono_ns = env->mono_ns;
    env->mono_ns = mono_ns;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct printing run = {.type = values[i].type, .value = values[i].value};
        buffer_init(&run.out, &arena);
        uint64_t seen = looks_of(test->task, print_text, &run);
        const size_t whole = run.out.size;
        cr_expect(seen >= whole / TEXT_BYTES_PER_LOOK && whole > 1u << 20, "type %u: %llu looks", run.type, (unsigned long long)seen);
        // A text that was broken off is told from a whole one.
        task_cancel(test->task, status_make(E_QUERY_CANCELED, "canceling statement due to user request"));
        print_text(&run);
        cr_expect(run.out.size < whole && status_is(task_check(test->task), E_QUERY_CANCELED));
        task_cancel_clear(test->task);
        cr_expect(!failed(task_check(test->task)));
    }
    static const char *const pieces[] = {"abcdef", "\\", "a\tb\\", "ab\"c"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0] * 2; i++) {
        const bool csv = i % 2 == 1;
        struct buffer text;
        buffer_init(&text, &arena);
        while (text.size < 2u << 20) buffer_append_string(&text, pieces[i / 2]);
        struct printing run = {.text = buffer_bytes(&text),
            .copy = {.format = csv ? COPY_CSV : COPY_TEXT, .delimiter = csv ? ',' : '\t', .quote = '"', .escape = '"',
                .null_text = csv ? BYTES_LITERAL("") : BYTES_LITERAL("\\N")}};
        buffer_init(&run.out, &arena);
        cr_expect(looks_of(test->task, write_field, &run) >= text.size / TEXT_BYTES_PER_LOOK, "written: %s", pieces[i / 2]);
        run.text = arena_copy(&arena, buffer_bytes(&run.out));
        cr_expect(looks_of(test->task, read_line, &run) >= run.text.size / TEXT_BYTES_PER_LOOK, "read: %s", pieces[i / 2]);
    }
    env->mono_ns = real_mono_ns;
    arena_fini(&arena);
    return st;
}
