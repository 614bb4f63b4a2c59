// SPDX-License-Identifier: GPL-3.0-or-later
//
// Merge joins: taken where both sides come in the order of the keys, and the same rows as from a hash table.
#include "tests/unit/sql/sql_harness.h"

static const char *const tables[] = {
    "CREATE TABLE p (id int PRIMARY KEY, v text, n int)",
    "INSERT INTO p SELECT i * 2, 'p' || i % 7, i % 5 FROM generate_series(1, 3000) i",
    "CREATE TABLE q (id bigint, line int, w text, PRIMARY KEY (id, line))",
    "INSERT INTO q SELECT i, l, 'q' || (i + l) % 9 FROM generate_series(-50, 3200) i, generate_series(1, 3) l "
    "WHERE (i + l) % 4 > 0",
    "CREATE TABLE a (k int, x int, INDEX a_k (k) STORING (x))",
    "INSERT INTO a SELECT CASE WHEN i % 10 > 0 THEN i % 400 END, i FROM generate_series(1, 2000) i",
    "CREATE TABLE b (k int, y int, INDEX b_k (k) STORING (y))",
    "INSERT INTO b SELECT CASE WHEN i % 9 > 0 THEN i % 300 + 150 END, i FROM generate_series(1, 1500) i",
    "CREATE TABLE s (k text PRIMARY KEY, z int)",
    "INSERT INTO s SELECT 'key' || i, i FROM generate_series(1, 1200) i",
    "CREATE TABLE t (k text, z int, PRIMARY KEY (k, z))",
    "INSERT INTO t SELECT 'key' || i % 900 * 2, i FROM generate_series(1, 2500) i",
    "ANALYZE p", "ANALYZE q", "ANALYZE a", "ANALYZE b", "ANALYZE s", "ANALYZE t",
};

// Of each: by merging, and with a condition that no index knows.
static const struct {
    const char *list, *from, *merged, *hashed;
} queries[] = {
    {"count(*), sum(p.id), sum(q.line), min(w), max(v)", "p JOIN q", "p.id = q.id", "p.id + 0 = q.id"},
    {"count(*), sum(q.line)", "p JOIN q", "p.id = q.id AND p.n < q.line", "p.id + 0 = q.id AND p.n < q.line"},
    {"count(*), count(q.id), sum(p.id)", "p LEFT JOIN q", "p.id = q.id AND q.w <> 'q3'", "p.id + 0 = q.id AND q.w <> 'q3'"},
    {"count(*), count(p.id), sum(q.id)", "p RIGHT JOIN q", "p.id = q.id", "p.id + 0 = q.id"},
    {"count(*), sum(x), sum(y)", "a JOIN b", "a.k = b.k", "a.k + 0 = b.k"},
    {"count(*), count(y), sum(x)", "a LEFT JOIN b", "a.k = b.k AND x < y", "a.k + 0 = b.k AND x < y"},
    {"count(*), sum(s.z), sum(t.z), min(t.k)", "s JOIN t", "s.k = t.k", "s.k || '' = t.k"},
};

static const struct {
    const char *merged, *hashed;
} wholes[] = {
    {"SELECT count(*), sum(id) FROM p WHERE EXISTS (SELECT 1 FROM q WHERE q.id = p.id)",
        "SELECT count(*), sum(id) FROM p WHERE EXISTS (SELECT 1 FROM q WHERE q.id = p.id + 0)"},
    {"SELECT count(*), sum(id) FROM p WHERE NOT EXISTS (SELECT 1 FROM q WHERE q.id = p.id AND q.w > 'q2')",
        "SELECT count(*), sum(id) FROM p WHERE NOT EXISTS (SELECT 1 FROM q WHERE q.id = p.id + 0 AND q.w > 'q2')"},
    {"SELECT count(*), sum(x) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
        "SELECT count(*), sum(x) FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k + 0)"},
};

static struct status compare(struct sql_test *test, const char *merged, const char *hashed)
{
    struct status st = STATUS_OK;
    const char *got, *wanted, *plan;
    TRY(sql_rows(test, merged, &got));
    TRY(sql_rows(test, hashed, &wanted));
    cr_expect(strcmp(got, wanted) == 0, "%s: %s is not %s", merged, got, wanted);
    TRY(sql_rows(test, arena_printf(&test->arena, "EXPLAIN %s", merged), &plan));
    cr_expect(strstr(plan, "Merge ") != NULL && strstr(plan, "Merge Cond: ") != NULL, "%s:\n%s", merged, plan);
    TRY(sql_rows(test, arena_printf(&test->arena, "EXPLAIN %s", hashed), &plan));
    cr_expect(strstr(plan, "Merge ") == NULL, "%s:\n%s", hashed, plan);
out:
    return st;
}

SQL_TEST(merge, same_rows, 1)
{
    struct status st = STATUS_OK;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) RUN(tables[i]);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        TRY(compare(test,
            arena_printf(&test->arena, "SELECT %s FROM %s ON %s", queries[i].list, queries[i].from, queries[i].merged),
            arena_printf(&test->arena, "SELECT %s FROM %s ON %s", queries[i].list, queries[i].from, queries[i].hashed)));
    for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++)
        TRY(compare(test, wholes[i].merged, wholes[i].hashed));
    // In a subquery that is run anew for each row, and in parts.
    GIVES("SELECT g, (SELECT count(*) FROM p JOIN q ON p.id = q.id WHERE p.id > g * 1000 AND q.line <> g) "
        "FROM generate_series(1, 3) g ORDER BY g", "1|1650\n2|1200\n3|150");
out:
    return st;
}

// Many rows of one key go to the temporary file.
SQL_TEST(merge, large_groups, 1)
{
    struct status st = STATUS_OK;
    const char *plan;
    RUN("CREATE TABLE a (k int, x int, v text, INDEX a_k (k) STORING (x, v))");
    RUN("CREATE TABLE b (k int, y int, v text, INDEX b_k (k) STORING (y, v))");
    RUN("INSERT INTO a SELECT i % 2, i, repeat('a', 20) FROM generate_series(1, 40) i");
    RUN("INSERT INTO b SELECT i % 2, i, repeat('b', 90) FROM generate_series(1, 4000) i");
    RUN("ANALYZE a");
    RUN("ANALYZE b");
    RUN("SET work_mem = '64kB'");
    const char *sql = "SELECT count(*), sum(x), sum(y), min(length(b.v)) FROM a JOIN b ON a.k = b.k";
    GIVES(sql, "80000|1640000|160040000|90");
    TRY(sql_rows(test, arena_printf(&test->arena, "EXPLAIN (ANALYZE) %s", sql), &plan));
    cr_expect(strstr(plan, "Merge Join") == NULL || strstr(plan, "Spill: bytes=") != NULL, "%s", plan);
    cr_expect(strstr(plan, "Merge Join") != NULL, "%s", plan);
out:
    return st;
}
