// SPDX-License-Identifier: GPL-3.0-or-later
//
// Aggregates over a table that lies in several slices are computed on the shards that lead them, at once, and give what
// one shard alone would give: whatever the transaction has written, and while rows change.
#include "tests/unit/sql/sql_harness.h"

#include "core/shard.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "sql/catalog/catalog.h"
#include "sql/exec/row.h"

#define ROWS 6000

// The keys of table `name` from `id` on go to another slice.
static struct status spread(struct sql_test *test, const char *name, int64_t id, uint64_t slice)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    struct buffer key;
    RUN("BEGIN");
    TRY(catalog_table(test->task, test->session, NULL, NULL, name, false, &table));
    struct span span = row_index_span(&test->arena, TENANT, table->id, table->indexes[0].id);
    buffer_init(&key, &test->arena);
    buffer_append_bytes(&key, span.start);
    key_append_int(&key, id, KEY_ASCENDING);
    span.start = buffer_bytes(&key);
    RUN("COMMIT");
    TRY(kv_move_empty(test->task, span, slice));
out:
    return st;
}

static struct status make(struct sql_test *test)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE t (id int PRIMARY KEY, a int, v text, n numeric(12,2), d date, f float8)");
    TRY(spread(test, "t", 2001, 2));
    TRY(spread(test, "t", 4001, 3));
    RUN("INSERT INTO t SELECT i, CASE WHEN i % 11 > 0 THEN i % 50 END, 'v' || i % 700, i * 1.25, "
        "date '2024-01-01' + i % 100, i / 4.0 FROM generate_series(1, 6000) i");
out:
    return st;
}

static const struct {
    const char *list, *rest;
    bool parts;
} queries[] = {
    {"count(*)", "", true},
    {"count(*), count(a), sum(a), avg(a), min(v), max(v), sum(n), avg(n), min(d), max(n)", "", true},
    {"count(*), sum(n)", "WHERE a = 7 AND v <> 'v7'", true},
    {"count(*), min(v)", "WHERE a = 77", true}, // No rows.
    {"count(*)", "WHERE id BETWEEN 1990 AND 2010 OR id > 5990", true},
    {"count(*), sum(id)", "WHERE id > 3990 AND id < 4010", true},
    {"a, count(*), sum(n), max(v), bool_or(id > 5000)", "GROUP BY a ORDER BY a", true},
    {"v, a, count(*)", "WHERE v LIKE 'v1%' GROUP BY v, a ORDER BY v, a", true},
    {"a % 3, sum(id) FILTER (WHERE n > 1000), stddev(id)", "GROUP BY 1 HAVING count(*) > 5 ORDER BY 1", true},
    {"upper(v), variance(n), sum(f), corr(f, id)", "GROUP BY 1 ORDER BY 1 LIMIT 30", true},
    {"count(DISTINCT a), sum(a)", "", false},
    {"a, string_agg(v, ',' ORDER BY id)", "WHERE id % 100 = 0 GROUP BY a ORDER BY a", false},
    {"count(*)", "WHERE d = current_date", false},
};

static struct status compare(struct sql_test *test)
{
    struct status st = STATUS_OK;
    const char *got, *wanted, *plan;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        const char *sql = arena_printf(
            &test->arena, "SELECT %s FROM t %s", queries[i].list, queries[i].rest);
        TRY(sql_rows(test, sql, &got));
        TRY(sql_rows(test, arena_printf(&test->arena, "SELECT %s FROM (SELECT * FROM t OFFSET 0) t %s",
            queries[i].list, queries[i].rest), &wanted));
        cr_expect(strcmp(got, wanted) == 0, "%s: %.300s is not %.300s", sql, got, wanted);
        TRY(sql_rows(test, arena_printf(&test->arena, "EXPLAIN (ANALYZE) %s", sql), &plan));
        cr_expect((strstr(plan, "Partial Aggregates: parts=") != NULL) == queries[i].parts, "%s:\n%s",
            sql, plan);
    }
out:
    return st;
}

SQL_TEST(partial, same_answers, 3)
{
    struct status st = STATUS_OK;
    const char *plan;
    TRY(make(test));
    TRY(compare(test));
    TRY(sql_rows(test, "EXPLAIN (ANALYZE) SELECT sum(n) FROM t", &plan));
    cr_expect(strstr(plan, "parts=3 cores=3") != NULL, "%s", plan);
    cr_expect(strstr(plan, "rows=6000") != NULL && strstr(plan, "KV: requests=") != NULL, "%s", plan);
    TRY(sql_rows(test, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT sum(n) FROM t", &plan));
    cr_expect(strstr(plan, "\"Parts\": 3") != NULL && strstr(plan, "\"Cores\": 3") != NULL, "%s", plan);
    // Correlated: once for each row outside.
    GIVES("SELECT g, (SELECT count(*) FROM t WHERE a = g) FROM generate_series(1, 3) g", "1|109\n2|109\n3|109");

out:
    return st;
}

// Each shard takes the sample of its own rows: the same that one shard would take, and another one each time where no
// seed is given.
SQL_TEST(partial, samples, 3)
{
    struct status st = STATUS_OK;
    const char *first, *plan, *text;
    bool differs = false;
    TRY(make(test));
    GIVES("SELECT (SELECT ROW(count(*), sum(id)) FROM t TABLESAMPLE bernoulli (30) REPEATABLE (5)) = "
          "(SELECT ROW(count(*), sum(id)) FROM (SELECT id FROM t TABLESAMPLE bernoulli (30) REPEATABLE (5) OFFSET 0) s)",
        "t");
    TRY(sql_rows(test, "EXPLAIN (ANALYZE) SELECT count(*) FROM t TABLESAMPLE bernoulli (30)", &plan));
    cr_expect(strstr(plan, "parts=3 cores=3") != NULL && strstr(plan, "Sampling: bernoulli (30)") != NULL, "%s", plan);
    TRY(sql_rows(test, "SELECT sum(id) FROM t TABLESAMPLE system (30)", &first));
    for (uint32_t i = 0; i < 4; i++) {
        TRY(sql_rows(test, "SELECT sum(id) FROM t TABLESAMPLE system (30)", &text));
        differs |= strcmp(text, first) != 0;
    }
    cr_expect(differs, "%s", first);
    GIVES("SELECT count(*) BETWEEN 1500 AND 2100 FROM t TABLESAMPLE bernoulli (30)", "t");
    GIVES("SELECT count(*) BETWEEN 1500 AND 2100 FROM t WHERE id IN (SELECT id FROM t TABLESAMPLE bernoulli (30))", "t");
    // Two of one statement are two samples.
    GIVES("SELECT count(*) BETWEEN 400 AND 700 FROM t a TABLESAMPLE bernoulli (30) "
          "JOIN t b TABLESAMPLE bernoulli (30) USING (id)",
        "t");
out:
    return st;
}

// What the transaction itself has written is in the answer, and what it has read is what it commits against.
SQL_TEST(partial, within_a_transaction, 3)
{
    struct status st = STATUS_OK;
    struct sql_test other;
    const char *text;
    TRY(make(test));
    TRY(sql_test_open(test->task, "root", &other));
    RUN("BEGIN");
    RUN("DELETE FROM t WHERE id = 4500");
    GIVES("SELECT count(*), max(id) FROM t", "5999|6000");
    RUN("ROLLBACK");
    RUN("BEGIN");
    GIVES("SELECT count(*) FROM t", "6000");
    st = sql_rows(&other, "INSERT INTO t (id) VALUES (7000)", &text);
    if (failed(st)) goto close;
    RUN("INSERT INTO t (id) VALUES (0)");
    st = sql_run(test, "COMMIT");
    CHECK(status_is(st, E_SERIALIZATION_FAILURE));
    GIVES("SELECT count(*), min(id), max(id) FROM t", "6001|1|7000");

out:
close:
    sql_test_close(&other);
    return st;
}

// More groups than a part may keep: counted in the plain way.
SQL_TEST(partial, too_many_groups, 3)
{
    struct status st = STATUS_OK;
    const char *plan;
    TRY(make(test));
    RUN("SET work_mem = '64kB'");
    GIVES("SELECT count(*), sum(n) FROM (SELECT v || id AS k, count(*) AS n FROM t GROUP BY 1) s", "6000|6000");
    TRY(sql_rows(test, "EXPLAIN (ANALYZE) SELECT v || id AS k, count(*) AS n FROM t GROUP BY 1", &plan));
    cr_expect(strstr(plan, "Spill: bytes=") != NULL && strstr(plan, "parts=") == NULL, "%s", plan);
out:
    return st;
}
