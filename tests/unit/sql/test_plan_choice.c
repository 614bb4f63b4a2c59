// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which plan a statement runs by: one for its values five times, then the one for all values unless that is dearer;
// and by its shape, without parser and planner, when it differs from an earlier one in constants alone.
#include "tests/unit/sql/sql_harness.h"

#include "sql/session/execute.h"

static struct status plan_of(struct sql_test *test, const char *sql, const char **plan)
{
    return sql_rows(test, arena_printf(&test->arena, "EXPLAIN EXECUTE %s", sql), plan);
}

#define SHOWS(sql, text) \
    do { \
        const char *plan_; \
        TRY(plan_of(test, sql, &plan_)); \
        cr_expect(strstr(plan_, text) != NULL, "%d: no \"%s\" in\n%s", __LINE__, text, plan_); \
    } while (0)

static struct status make(struct sql_test *test)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE t (id int PRIMARY KEY, a int, b text)");
    RUN("CREATE INDEX t_a ON t (a)");
    RUN("INSERT INTO t SELECT i, i % 1000, 'b' || i FROM generate_series(1, 3000) i");
    RUN("ANALYZE t");
out:
    return st;
}

SQL_TEST(plan_choice, five_for_the_values_then_one_for_all, 1)
{
    struct status st = STATUS_OK;
    TRY(make(test));
    RUN("PREPARE q(int) AS SELECT b FROM t WHERE a = $1 AND id < 100");
    SHOWS("q(7)", "a = 7");
    for (int i = 0; i < 4; i++)
        GIVES(arena_printf(&test->arena, "EXECUTE q(%d)", i + 3), arena_printf(&test->arena, "b%d", i + 3));
    GIVES("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'q'", "0|5");
    GIVES("EXECUTE q(9)", "b9");
    GIVES("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'q'", "1|5");
    SHOWS("q(7)", "a = $1");
    RUN("SET plan_cache_mode = 'force_custom_plan'");
    SHOWS("q(7)", "a = 7");
    GIVES("EXECUTE q(8)", "b8");
    RUN("SET plan_cache_mode = 'force_generic_plan'");
    SHOWS("q(7)", "a = $1");
    GIVES("EXECUTE q(8)", "b8");
    REFUSED("SET plan_cache_mode = 'sometimes'", "22023");
    REFUSED("EXPLAIN EXECUTE none(1)", "26000");
    REFUSED("EXPLAIN EXECUTE q", "42601");
out:
    return st;
}

// The plan for all values expects a third of the table of any bound; the values say that it is a few rows.
SQL_TEST(plan_choice, the_dearer_one_is_left_alone, 1)
{
    struct status st = STATUS_OK;
    TRY(make(test));
    RUN("INSERT INTO t SELECT i, i % 1000, 'b' || i FROM generate_series(3001, 12000) i");
    RUN("ANALYZE t");
    RUN("PREPARE q(int, int) AS SELECT count(b) FROM t WHERE id > $1 AND id < $2");
    for (int i = 0; i < 8; i++) GIVES("EXECUTE q(500, 503)", "2");
    GIVES("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'q'", "0|8");
    SHOWS("q(500, 503)", "id > 500");
    // A change of the table begins anew; values of all kinds are the constants that they are.
    RUN("PREPARE k(text, int[], numeric) AS SELECT count(*) FROM t WHERE (b = $1 OR a = ANY($2)) AND "
        "id < (SELECT $3 * 1000) AND EXISTS (SELECT 1 FROM t u WHERE u.id = t.id AND u.b <> $1)");
    GIVES("EXECUTE k('b5', '{7,8}', 2.5)", "6");
    RUN("ALTER TABLE t ADD COLUMN c int DEFAULT 4");
    GIVES("EXECUTE k('b5', '{7,8}', 2.5)", "6");
    GIVES("EXECUTE k(NULL, NULL, 1)", "0");
    RUN("PREPARE w(int, text) AS INSERT INTO t VALUES ($1, $1 + 1, $2) ON CONFLICT (id) DO UPDATE SET b = $2 || t.b "
        "RETURNING a, b");
    GIVES("EXECUTE w(20000, 'x')", "20001|x");
    GIVES("EXECUTE w(20000, 'y')", "20001|yx");
    RUN("PREPARE l(int) AS SELECT id FROM t ORDER BY id LIMIT $1 OFFSET $1");
    GIVES("EXECUTE l(2)", "3\n4");
out:
    return st;
}

static const struct {
    const char *first, *second;
} shapes[] = {
    {"SELECT b FROM t WHERE id = 1", "SELECT b FROM t WHERE id = 2000000"},
    {"SELECT b FROM t WHERE b = 'x'", "select b  from t where b = 'it''s'"},
    {"SELECT count(*) FROM t WHERE a > 1 AND b LIKE 'x%'", "SELECT count(*) FROM t WHERE a > 99 AND b LIKE '%y'"},
    {"SELECT id FROM t WHERE a IN (1, 2, 3) ORDER BY id LIMIT 5", "SELECT id FROM t WHERE a IN (4, 5, 6) ORDER BY id LIMIT 7"},
    {"INSERT INTO t VALUES (100001, 1, 'a')", "INSERT INTO t VALUES (100002, 2, 'bc')"},
    {"INSERT INTO t VALUES (100003, 1, 'a'), (100004, 2, 'b')", "INSERT INTO t VALUES (100005, 3, 'c'), (100006, 4, 'd')"},
    {"UPDATE t SET a = a + 1 WHERE id = 5", "UPDATE t SET a = a + -12 WHERE id = 6"},
    {"DELETE FROM t WHERE id = 7", "DELETE FROM t WHERE id = 8"},
    {"SELECT x.b FROM t x JOIN t y ON x.id = y.a WHERE y.id = 3", "SELECT x.b FROM t x JOIN t y ON x.id = y.a WHERE y.id = 4"},
};

static struct status cached(struct sql_test *test, const char *sql, struct prepared **prepared)
{
    struct datum *params;
    struct status st = session_begin_if_idle(test->task, test->session);
    if (!failed(st))
        st = plan_cache_find(
            test->task, test->session, &test->arena, bytes_of_string(sql), prepared, &params);
    return st;
}

// What the simple protocol does first with a text: the second time there is nothing to parse or to plan.
SQL_TEST(plan_choice, constants_do_not_parse, 1)
{
    struct status st = STATUS_OK;
    TRY(make(test));
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct prepared *first = NULL, *second = NULL;
        TRY(cached(test, shapes[i].first, &first));
        CHECK(first != NULL);
        const struct built_plan *built = first->built;
        TRY(cached(test, shapes[i].second, &second));
        cr_expect(first == second && second->built == built, "%s", shapes[i].second);
        prepared_release(first);
        prepared_release(second);
    }
    RUN("COMMIT");
out:
    return st;
}

// How frequent the parts of a constant are decides whether an inverted index is worth its look-ups.
SQL_TEST(plan_choice, parts_of_values_are_counted, 1)
{
    struct status st = STATUS_OK;
    const char *plan;
    RUN("CREATE TABLE d (id int PRIMARY KEY, j jsonb, a text[])");
    RUN("CREATE INDEX d_j ON d USING gin (j)");
    RUN("CREATE INDEX d_a ON d USING gin (a)");
    RUN("INSERT INTO d SELECT i, jsonb_build_object('half', i % 2, 'id', i) || CASE WHEN i % 600 = 0 THEN "
        "'{\"rare\": true}' ELSE '{}' END::jsonb, ARRAY['x', 'y' || i % 3, 'z' || i] FROM generate_series(1, 3000) i");
    RUN("ANALYZE d");
    static const struct {
        const char *condition;
        double rows;
        bool indexed;
    } cases[] = {
        {"j ? 'half'", 3000, false},
        {"j @> '{\"half\": 1}'", 1500, false},
        {"j ? 'rare'", 5, true},
        {"j @> '{\"id\": 77}'", 1, true},
        {"j ?| '{rare,none}'", 6, true},
        {"a @> '{x}'", 3000, false},
        {"a @> '{y1}'", 1000, false},
        {"'{z5}' <@ a", 1, true},
        {"a && '{z5,z6,y2}'", 1002, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        TRY(sql_rows(test, arena_printf(&test->arena, "EXPLAIN SELECT * FROM d WHERE %s", cases[i].condition), &plan));
        const char *rows = strstr(plan, "rows=");
        const double estimate = rows == NULL ? -1 : strtod(rows + 5, NULL);
        cr_expect(estimate > cases[i].rows / 3 && estimate < cases[i].rows * 3 + 3, "%s: %s", cases[i].condition, plan);
        cr_expect((strstr(plan, "Bitmap Index Scan") != NULL) == cases[i].indexed, "%s: %s", cases[i].condition, plan);
    }
out:
    return st;
}
