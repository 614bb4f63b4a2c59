// SPDX-License-Identifier: GPL-3.0-or-later
//
// What operators keep goes to temporary files when there is no room for it: the answers are the same, the
// memory stays within its bound, and nothing is left behind.
#include "tests/unit/sql/sql_harness.h"

#include <dirent.h>

#include "sql/exec/memory.h"

#define ROWS "12000"

static const char *const tables[] = {
    "CREATE TABLE t (id int PRIMARY KEY, a int, b int, v text)",
    "INSERT INTO t SELECT i, i * 7919 % " ROWS ", i % 10, CASE WHEN i % 97 = 0 THEN NULL ELSE "
    "repeat(chr(97 + i % 26), i % 150) END FROM generate_series(1, " ROWS ") i",
    "CREATE TABLE u (id int PRIMARY KEY, a int, w text)",
    "INSERT INTO u SELECT i, CASE WHEN i % 5 = 0 THEN NULL ELSE i * 3 END, repeat('w', i % 90) "
    "FROM generate_series(1, 6000) i",
    "CREATE TABLE one (k int, n int, w text)",
    "INSERT INTO one SELECT 1, i, repeat('o', 60) FROM generate_series(1, 3000) i",
};

// Each gives the same rows in the same order, whatever memory there is.
static const struct {
    const char *sql;
    bool spills;
} queries[] = {
    {"SELECT id, v FROM t ORDER BY v DESC NULLS FIRST, a, id", true},
    {"SELECT a, b FROM t ORDER BY b", true}, // Stable.
    {"SELECT a, v FROM t ORDER BY v, a LIMIT 20 OFFSET 9000", true},
    {"SELECT DISTINCT v, a FROM t", true},
    {"SELECT DISTINCT ON (a % 5000) a, id FROM t ORDER BY a % 5000, id DESC", true},
    {"SELECT count(*), sum(n), max(length(x)) FROM (SELECT v || id % 9000 AS x, count(*) AS n "
     "FROM t GROUP BY 1) s", true},
    {"SELECT a % 6000 AS g, count(*), sum(b), min(v), count(DISTINCT b), array_agg(id ORDER BY id DESC) "
     "FROM t GROUP BY 1 ORDER BY 1", true},
    {"SELECT count(DISTINCT v), count(DISTINCT a), sum(DISTINCT b) FROM t", true},
    {"SELECT b, string_agg(DISTINCT left(v, 3), ',' ORDER BY left(v, 3)) FROM t GROUP BY b ORDER BY b",
     false},
    {"SELECT md5(string_agg(v, '' ORDER BY a)) FROM t", true},
    {"SELECT count(*), sum(g), sum(n) FROM (SELECT a % 5000 AS g, b, count(*) AS n FROM t "
     "GROUP BY GROUPING SETS ((1), (b), (1, b), ())) s", true},
    {"SELECT count(*), sum(t.id), sum(u.id), sum(length(w)) FROM t JOIN u ON t.a = u.a", true},
    {"SELECT count(*), sum(t.id), sum(u.id) FROM t LEFT JOIN u ON t.a = u.a", true},
    {"SELECT count(*), sum(t.id), sum(u.id), count(w) FROM t FULL JOIN u ON t.a = u.a", true},
    {"SELECT count(*), sum(id) FROM t WHERE a + 0 IN (SELECT a FROM u WHERE a IS NOT NULL)", false},
    {"SELECT count(*), sum(id) FROM t WHERE b = 3 AND a + 0 NOT IN (SELECT id * 2 FROM t)", false},
    {"SELECT count(*), sum(id) FROM u WHERE id % 7 = 0 AND (w IN (SELECT v FROM t) OR repeat('x', a % 9) || id IN (SELECT v || id FROM t))", true},
    {"SELECT count(*), count(v NOT IN (SELECT x || y FROM (VALUES ('a'), (NULL)) n (x), generate_series(1, 9000) y)) FROM t WHERE b = 4", true},
    {"SELECT count(*), sum(id) FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a + 0)", false},
    {"SELECT id, w FROM (SELECT t.id, u.w FROM t JOIN u ON t.a = u.a) s ORDER BY id", true},
    {"SELECT count(*), sum(x.n + y.n), count(y.w) FROM one x JOIN one y ON x.k = y.k AND x.n % 30 = y.n",
     true},
    {"SELECT count(*), count(y.k), sum(x.n) FROM one x LEFT JOIN one y ON x.k = y.k AND x.n = y.n * 2",
     true},
    {"SELECT count(*), count(x.k), sum(y.n) FROM one x FULL JOIN one y ON x.k = y.k AND x.n = y.n + 700",
     true},
    {"SELECT count(*), sum(a) FROM (SELECT a, v FROM t INTERSECT SELECT a, v FROM t WHERE b < 7) s", true},
    {"SELECT count(*), sum(a) FROM (SELECT a, v FROM t EXCEPT ALL SELECT a, v FROM t WHERE b < 7) s", true},
    {"SELECT count(*), sum(a) FROM (SELECT a % 4000 AS a, b FROM t INTERSECT ALL "
     "SELECT a % 5000, b FROM t) s", true},
    {"WITH c AS MATERIALIZED (SELECT id, v FROM t) SELECT count(*), sum(x.id), sum(length(y.v)) "
     "FROM c x JOIN c y ON x.id = y.id", true},
    {"WITH RECURSIVE r(i, v) AS (SELECT id, v FROM t WHERE id <= 4000 UNION ALL "
     "SELECT i + 4000, v FROM r WHERE i < 8000) SELECT count(*), sum(i), sum(length(v)) FROM r", true},
    // UNION: every third step meets rows that were there before.
    {"WITH RECURSIVE r(i, v) AS (SELECT id, v FROM t WHERE id <= 6000 UNION "
     "SELECT CASE WHEN i % 3 = 0 THEN i - 3000 ELSE i + 3000 END, v FROM r WHERE i BETWEEN 3001 AND 12000) "
     "SELECT count(*), sum(i), sum(length(v)), count(DISTINCT i) FROM r", true},
    {"WITH RECURSIVE r(i, v) AS (SELECT 1, repeat('r', 80) UNION SELECT i % 9000 + 1, v FROM r) "
     "SELECT count(*), sum(i), max(length(v)) FROM r", true},
    // Windows over one partition of all rows, and over a large one beside small ones.
    {"SELECT count(*), sum(a), sum(b), sum(c), sum(d), sum(length(e)), sum(f * id) FROM (SELECT id, "
     "row_number() OVER w AS a, rank() OVER w AS b, dense_rank() OVER w AS c, ntile(7) OVER w AS d, "
     "lag(v, 3, 'none') OVER w AS e, sum(a) OVER w AS f FROM t WINDOW w AS (ORDER BY b)) s", true},
    {"SELECT count(*), sum(a), sum(b), sum(length(c)), sum(length(d)), sum(length(e)) FROM (SELECT "
     "sum(a) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) AS a, "
     "count(*) OVER (ORDER BY id RANGE BETWEEN 10 PRECEDING AND 5 FOLLOWING) AS b, "
     "max(v) OVER (ORDER BY id GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW) AS c, "
     "nth_value(v, 2) OVER (ORDER BY b GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) AS d, "
     "last_value(v) OVER (ORDER BY b) AS e FROM t) s", true},
    {"SELECT count(*), sum(n), sum(p), sum(q::numeric(20,8)), sum(length(m)) FROM (SELECT "
     "count(*) OVER p AS n, percent_rank() OVER p AS p, cume_dist() OVER p AS q, "
     "first_value(v) OVER p AS m FROM t WINDOW p AS (PARTITION BY CASE WHEN id % 10 < 9 THEN 0 ELSE id END "
     "ORDER BY a % 50)) s", true},
    {"SELECT id, sum(b) OVER (PARTITION BY id % 3 ORDER BY id), lead(v) OVER (PARTITION BY id % 3 ORDER BY id) "
     "FROM t WHERE id < 9000 ORDER BY 1", true},
};

static struct status explain(struct sql_test *test, const char *sql, const char **text)
{
    return sql_rows(test, arena_printf(&test->arena, "EXPLAIN (ANALYZE) %s", sql), text);
}

static uint32_t files_in(const char *path)
{
    uint32_t count = 0;
    DIR *dir = opendir(path);
    cr_assert_not_null(dir);
    for (struct dirent *at; (at = readdir(dir)) != NULL;) count += at->d_name[0] != '.';
    closedir(dir);
    return count;
}

SQL_TEST(spill, same_answers, 1)
{
    struct status st = STATUS_OK;
    const char *wanted, *got, *plan;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        TRY(sql_rows(test, tables[i], &got));
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        RUN("SET work_mem = '1GB'");
        TRY(sql_rows(test, queries[i].sql, &wanted));
        RUN("SET work_mem = '64kB'");
        TRY(sql_rows(test, queries[i].sql, &got));
        cr_expect(strcmp(wanted, got) == 0, "%s: %.200s is not %.200s", queries[i].sql, got, wanted);
        if (!queries[i].spills) continue;
        TRY(explain(test, queries[i].sql, &plan));
        cr_expect(strstr(plan, "Spill: bytes=") != NULL, "%s does not spill:\n%s", queries[i].sql, plan);
    }
    CHECK(sql_shard(test->task->shard)->spill_blocks == 0);

out:
    return st;
}

// With 2 MiB for the session, what would take many times that is answered within it.
SQL_TEST(spill, within_the_limit, 1)
{
    struct status st = STATUS_OK;
    struct memory_account *account = &test->session->account;
    RUN("CREATE TABLE t (id int PRIMARY KEY, v text)");
    RUN("INSERT INTO t SELECT i, repeat('x', 400) || i % 15000 FROM generate_series(1, 30000) i");
    account->peak_bytes = account->used_bytes;
    uint64_t limit = account->used_bytes + (3u << 20);
    account->limit_bytes = limit;
    GIVES("SELECT count(*), min(id), max(id) FROM (SELECT id FROM t ORDER BY v, id OFFSET 1) s",
        "29999|1|30000");
    GIVES("SELECT count(*), sum(n) FROM (SELECT v, count(*) AS n FROM t GROUP BY v) s", "15000|30000");
    GIVES("SELECT count(*), sum(a.id - b.id) FROM t a JOIN t b ON a.v = b.v", "60000|0");
    GIVES("SELECT count(*) FROM (SELECT DISTINCT v FROM t) s", "15000");
    // A batch more may be taken before that is noticed.
    cr_expect(account->peak_bytes <= limit + (512u << 10), "%llu bytes of %llu", (unsigned long long)account->peak_bytes,
        (unsigned long long)limit);
    // One value cannot be in two places.
    REFUSED("SELECT length(string_agg(v, '')) FROM t", "53200");
    account->limit_bytes = 0;

out:
    account->limit_bytes = 0;
    return st;
}

// A row with a value that there is no room for is no row that is not there.
SQL_TEST(spill, large_values_beyond_the_limit, 1)
{
    struct status st = STATUS_OK;
    struct memory_account *account = &test->session->account;
    RUN("CREATE TABLE t (id int PRIMARY KEY, a text, b text)");
    RUN("INSERT INTO t SELECT i, repeat('x', 300000), repeat('y', 300000) FROM generate_series(1, 3) i");
    for (uint64_t room = 100u << 10; room < (2u << 20); room += 100u << 10) {
        account->limit_bytes = account->used_bytes + room;
        static const struct {
            const char *sql, *right;
        } asked[] = {{"SELECT count(a), sum(length(b)), min(id) FROM t", "3|900000|1"},
            {"SELECT a = repeat('x', 300000), b = repeat('y', 300000) FROM t WHERE id = 2", "t|t"},
            {"SELECT count(*) FROM t AS x JOIN t AS y ON x.a = y.a AND x.id = y.id", "3"}};
        for (uint32_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
            const char *text = "";
            st = sql_rows(test, asked[i].sql, &text);
            if (status_is(st, E_OUT_OF_MEMORY)) continue;
            TRY(st);
            cr_expect_str_eq(text, asked[i].right, "%s with %u KiB gives %s", asked[i].sql, (uint32_t)(room >> 10), text);
        }
        st = STATUS_OK;
    }
    account->limit_bytes = 0;

out:
    account->limit_bytes = 0;
    return st;
}

SQL_TEST(spill, limits_of_statements, 1)
{
    struct status st = STATUS_OK;
    RUN("SET CLUSTER SETTING sql.memory.statement_max = '1MiB'");
    CHECK(tenant_memory_of(test->task->shard, TENANT)->statement_max == 1u << 20);
    REFUSED("SELECT array_agg(i) FROM generate_series(1, 300000) i", "53200");
    GIVES("SELECT count(*) FROM (SELECT i FROM generate_series(1, 100000) i ORDER BY -i OFFSET 0) s",
        "100000");
    RUN("SET CLUSTER SETTING sql.memory.statement_max = '0'");
    RUN("SET CLUSTER SETTING sql.memory.virtual_cluster_max = '8MiB'");
    REFUSED("SELECT array_agg(repeat('x', 100)) FROM generate_series(1, 300000) i", "53200");
    RUN("SET CLUSTER SETTING sql.memory.virtual_cluster_max = '0'");
    GIVES("SELECT array_length(array_agg(i), 1) FROM generate_series(1, 100000) i", "100000");

out:
    return st;
}

// Settings are read, and so is what else the server needs to know, whatever a virtual cluster has left of its quota.
SQL_TEST(spill, a_quota_that_is_reached_can_be_raised, 1)
{
    struct status st = STATUS_OK;
    static const char *const limits[] = {
        "sql.memory.virtual_cluster_max", "sql.memory.session_max", "sql.memory.statement_max"};
    const struct tenant_memory *memory = tenant_memory_of(test->task->shard, TENANT);
    RUN("PREPARE p AS SELECT 1");
    for (uint32_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        TRY(settings_store(test->task, TENANT, limits[i], "1 B"));
        TRY(settings_announce(test->task, TENANT));
        CHECK(i != 0 || memory->account.used_bytes > memory->account.limit_bytes);
        TRY(settings_store(test->task, TENANT, limits[i], "0 B"));
        TRY(settings_announce(test->task, TENANT));
        CHECK(memory->account.limit_bytes == 0 && memory->session_max == 0 && memory->statement_max == 0);
    }
    GIVES("EXECUTE p", "1");

out:
    return st;
}

// A cursor that can go back keeps all rows; most of them in a file, from where they come in any order.
SQL_TEST(spill, cursor, 1)
{
    struct status st = STATUS_OK;
    RUN("SET work_mem = '64kB'");
    RUN("BEGIN");
    RUN("DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT i, repeat('c', 50) FROM generate_series(1, 20000) i");
    RUN("COMMIT");
    CHECK(sql_shard(test->task->shard)->spill_blocks > 0);
    GIVES("FETCH ABSOLUTE 19000 FROM c", "19000|cccccccccccccccccccccccccccccccccccccccccccccccccc");
    RUN("MOVE BACKWARD 18990 FROM c");
    GIVES("FETCH RELATIVE 0 FROM c", "10|cccccccccccccccccccccccccccccccccccccccccccccccccc");
    GIVES("FETCH LAST FROM c", "20000|cccccccccccccccccccccccccccccccccccccccccccccccccc");
    GIVES("FETCH PRIOR FROM c", "19999|cccccccccccccccccccccccccccccccccccccccccccccccccc");
    RUN("CLOSE c");
    CHECK(sql_shard(test->task->shard)->spill_blocks == 0);

out:
    return st;
}

// What a crash has left behind goes at the next start.
NODE_TEST(spill, left_files, 1)
{
    struct status st = STATUS_OK;
    char buffer[256], path[300];
    const char *dir = test_dir(buffer);
    struct spill_options options = {.dir = dir};
    snprintf(path, sizeof path, "%s/0-17", dir);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fclose(file);
    CHECK(files_in(dir) == 1);
    TRY(spill_node_start(task, &options));
    CHECK(files_in(dir) == 0);
    spill_node_stop(task->shard);

out:
    return st;
}
