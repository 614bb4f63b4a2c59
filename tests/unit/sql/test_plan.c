// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plans: which access path is chosen, what a run may use of memory and stack, how it is given out in pieces.
#include "tests/unit/sql/sql_harness.h"

// That EXPLAIN of the statement has each of the texts, in order.
static struct status explains(struct sql_test *test, const char *sql, const char *const *wanted)
{
    const char *text;
    struct status st = sql_rows(test, arena_printf(&test->arena, "EXPLAIN %s", sql), &text);
    if (failed(st)) return st;
    const char *at = text;
    for (uint32_t i = 0; wanted[i] != NULL; i++) {
        at = strstr(at, wanted[i]);
        if (at == NULL)
            return status_format(&test->session->arena, E_INTERNAL, "no \"%s\" in the plan of %s:\n%s",
                wanted[i], sql, text);
    }
    return st;
}

SQL_TEST(plan, access_paths, 1)
{
    struct status st = STATUS_OK;
    static const struct {
        const char *sql;
        const char *wanted[4];
    } rows[] = {
        {"SELECT v FROM t WHERE id = 7", {"t_pkey", "a point"}},
        {"SELECT v FROM t WHERE id = 7 AND v > 3", {"a point", "Filter"}},
        {"SELECT v FROM t WHERE id IN (1, 2)", {"t_pkey", "several points"}},
        {"SELECT v FROM t WHERE id > 7 AND id <= 9", {"t_pkey", "a range"}},
        {"SELECT id FROM t WHERE a = 1 AND b < 5", {"Index Only Scan using t_a_b", "a range"}},
        {"SELECT v FROM t WHERE a = 1", {"t_a_b", "looked up by the primary key"}},
        {"SELECT v FROM t WHERE v = 1", {"Seq Scan", "FULL SCAN", "Filter"}},
        {"SELECT a, b FROM t WHERE a = 1 ORDER BY b", {"Index Only Scan using t_a_b"}},
        {"SELECT id FROM t ORDER BY id DESC LIMIT 1", {"Limit", "Seq Scan Backward"}},
        {"SELECT a, b, count(*) FROM t GROUP BY a, b", {"GroupAggregate", "t_a_b"}},
        {"SELECT v, count(*) FROM t GROUP BY v", {"HashAggregate"}},
        {"SELECT max(id) FROM t", {"Aggregate", "Limit", "Backward"}},
        {"SELECT * FROM t JOIN u ON u.id = t.v WHERE t.id = 1", {"Nested Loop", "a point", "a point"}},
        {"SELECT * FROM t JOIN u ON u.id = t.v", {"Hash Join"}},
        {"SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.v)", {"Semi Join"}},
        {"SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.w = t.v)", {"Anti Join"}},
        {"SELECT * FROM t LEFT JOIN u ON u.id = t.v WHERE u.w = 1", {"Join"}},
        {"SELECT v FROM t WHERE false", {"Result"}},
        // A condition with a query in it needs one side of a join: what the other gives is a constant.
        {"SELECT t.v FROM t CROSS JOIN (SELECT 5 AS y, id FROM u) s WHERE (SELECT max(w) FROM u WHERE w > y) = t.v",
            {"Seq Scan on t", "Filter: ((SubPlan) = t.v)", "Seq Scan on u"}},
        {"SELECT s.z FROM (SELECT v + 1 AS z FROM t) s WHERE (SELECT max(w) FROM u WHERE id > z) = 1",
            {"Seq Scan on t", "Filter: ((SubPlan) = 1)", "Index Cond: (u.id > (t.v + 1))"}},
        {"SELECT v FROM t WHERE name = 'x'::varchar", {"t_name"}},
        {"SELECT id FROM t WHERE name LIKE 'ab%c'", {"t_name", "a range", "Filter"}},
        {"SELECT id FROM t WHERE name LIKE '%b'", {"FULL SCAN"}},
        {"UPDATE t SET v = v + 1 WHERE id = 1", {"Update on t", "a point", "Lock: no key update"}},
        {"UPDATE t SET id = v WHERE id = 1", {"Lock: update"}},
        {"DELETE FROM t WHERE id = 1", {"Lock: update"}},
    };
    RUN("CREATE TABLE t (id int PRIMARY KEY, a int, b int, v int, name text)");
    RUN("CREATE INDEX t_a_b ON t (a, b)");
    RUN("CREATE INDEX t_name ON t (name)");
    RUN("CREATE TABLE u (id int PRIMARY KEY, w int)");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        TRY(explains(test, rows[i].sql, rows[i].wanted));

out:
    return st;
}

// Rows pass through in batches: a scan takes no more memory however many there are. What must be kept
// (one array) is charged, and refused beyond the limit.
SQL_TEST(plan, memory, 1)
{
    struct status st = STATUS_OK;
    struct memory_account *account = &test->session->account;
    RUN("CREATE TABLE t (id int PRIMARY KEY, v text)");
    RUN("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i");
    account->peak_bytes = account->used_bytes;
    uint64_t before = account->used_bytes;
    GIVES("SELECT count(v), max(length(v)) FROM t", "20000|200");
    CHECK(account->peak_bytes - before < 3u << 20);
    account->limit_bytes = account->used_bytes + (2u << 20);
    GIVES("SELECT count(*) FROM t WHERE v LIKE 'x%'", "20000");
    REFUSED("SELECT array_agg(v) FROM t", "53200");
    GIVES("SELECT id FROM t ORDER BY v, id LIMIT 2", "1\n2");
    account->limit_bytes = 0;

out:
    account->limit_bytes = 0;
    return st;
}

static char *repeated(struct arena *arena, const char *before, const char *part, const char *after,
    const char *close, uint32_t count)
{
    struct buffer out;
    buffer_init(&out, arena);
    buffer_append_string(&out, before);
    for (uint32_t i = 0; i < count; i++) buffer_append_string(&out, part);
    buffer_append_string(&out, after);
    for (uint32_t i = 0; i < count; i++) buffer_append_string(&out, close);
    return buffer_string(&out);
}

// What is nested runs or is refused with 54001; it never runs off the stack.
SQL_TEST(plan, depth, 1)
{
    struct status st = STATUS_OK;
    struct arena *arena = &test->session->arena;
    RUN("CREATE TABLE t (id int PRIMARY KEY)");
    RUN("INSERT INTO t VALUES (1)");
    GIVES(repeated(arena, "SELECT id", " + id", " FROM t", "", 1500), "1501");
    GIVES(repeated(arena, "SELECT 1", " UNION SELECT 1", "", "", 300), "1");
    GIVES(repeated(arena, "SELECT count(*) FROM (", "SELECT 1 UNION ALL ", "SELECT 1) s", "", 300), "301");
    GIVES(repeated(arena, "", "SELECT (", "SELECT 5", ")", 25), "5");
    REFUSED(repeated(arena, "", "SELECT (", "SELECT 5", ")", 60), "54001");
    REFUSED(repeated(arena, "", "SELECT DISTINCT * FROM (", "SELECT * FROM t", ") q", 120), "54001");
    GIVES(repeated(arena, "SELECT t.id FROM t", " CROSS JOIN (SELECT 1) q", "", "", 0), "1");
    GIVES("SELECT count(*) FROM t a JOIN t b USING (id) JOIN t c USING (id) JOIN t d USING (id) "
          "JOIN t e USING (id) JOIN t f USING (id) JOIN t g USING (id) JOIN t h USING (id)",
        "1");

out:
    return st;
}

// A portal gives its rows out as they are asked for.
SQL_TEST(plan, rows_in_pieces, 1)
{
    struct status st = STATUS_OK;
    struct prepared *prepared = NULL;
    struct execution execution = {.arena = &test->arena};
    struct sql_text_sink sink = {
        .sink = {.columns = sql_text_columns, .row = sql_text_row}, .test = test};
    static const uint64_t expected[] = {700, 1400, 2000};
    bool done = false;
    buffer_init(&sink.out, &test->arena);
    TRY(prepared_make(task, test->session, BYTES_LITERAL("SELECT generate_series(1, 2000)"), NULL,
        NULL, 0, &prepared));
    execution.prepared = prepared;
    TRY(execution_begin(task, test->session, &execution, false));
    TRY(prepared_describe(task, test->session, prepared, &sink.columns, &sink.column_count));
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(!done);
        TRY(execution_next(task, test->session, &execution, &sink.sink, 700, &done));
        CHECK(sink.rows == expected[i]);
    }
    CHECK(done);

out:
    execution_close(task, &execution);
    st = execute_settle(task, test->session, st, true);
    if (prepared != NULL) prepared_release(prepared);
    return st;
}

// FOR UPDATE SKIP LOCKED with LIMIT takes one row of those that nobody holds, and locks no others.
SQL_TEST(plan, skip_locked_hands_out_rows, 1)
{
    struct status st = STATUS_OK;
    struct sql_test *first = test, *second = NULL;
    struct sql_test other;
    const char *take = "SELECT id FROM jobs WHERE state = 'new' ORDER BY priority LIMIT 1 "
                       "FOR UPDATE SKIP LOCKED";
    RUN("CREATE TABLE jobs (id int PRIMARY KEY, state text, priority int)");
    RUN("INSERT INTO jobs VALUES (1, 'new', 3), (2, 'new', 1), (3, 'old', 0), (4, 'new', 2)");
    TRY(sql_test_open(test->task, "root", &other));
    second = &other;
    RUN("BEGIN");
    GIVES(take, "2");
    test = second;
    RUN("BEGIN");
    GIVES(take, "4");
    RUN("UPDATE jobs SET state = 'done' WHERE id = 4");
    RUN("COMMIT");
    GIVES(take, "1");
    test = first;
    RUN("ROLLBACK");

out:
    if (second != NULL) sql_test_close(second);
    return st;
}

// A statement that fails leaves nothing behind in its transaction's indexes.
SQL_TEST(plan, statements_are_whole, 1)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v int)");
    RUN("CREATE INDEX ON t (v)");
    RUN("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)");
    REFUSED("INSERT INTO t VALUES (3, 3, 3), (4, 2, 4)", "23505");
    GIVES("SELECT count(*) FROM t", "2");
    REFUSED("UPDATE t SET u = 7, v = v + 10", "23505");
    GIVES("SELECT v FROM t WHERE v > 0 ORDER BY v", "1\n2");
    RUN("UPDATE t SET v = v + 10 WHERE v > 0"); // Moves rows forward in the index that finds them.
    GIVES("SELECT v FROM t WHERE v > 0 ORDER BY v", "11\n12");
    RUN("INSERT INTO t SELECT id + 10, u + 10, v FROM t");
    GIVES("SELECT count(*), sum(v) FROM t", "4|46");
    RUN("DELETE FROM t WHERE v = 11");
    GIVES("SELECT id FROM t ORDER BY id", "2\n12");
    GIVES("SELECT id FROM t WHERE v >= 0 ORDER BY v, id", "2\n12");
    GIVES("SELECT id FROM t WHERE u > 0 ORDER BY u", "2\n12");

out:
    return st;
}
