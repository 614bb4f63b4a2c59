// SPDX-License-Identifier: GPL-3.0-or-later
//
// Schema changes, jobs, roles, settings and statistics end to end, below the wire.
#include "tests/unit/sql/sql_harness.h"

#include "kv/placement.h"

SQL_TEST(ddl, a_new_virtual_cluster_has_its_catalog, 1)
{
    struct status st = STATUS_OK;
    GIVES("SELECT username, is_role FROM system.users ORDER BY username", "admin|t\nroot|f");
    GIVES("SELECT role, member FROM system.role_members", "admin|root");
    GIVES("SELECT name, value FROM system.settings", "version|" CLUSTER_VERSION);
    GIVES("SHOW DATABASES", "defaultdb|admin|NULL|NULL|{}|NULL\npostgres|admin|NULL|NULL|{}|NULL\n"
                            "system|admin|NULL|NULL|{}|NULL");
    CHECK_FAILS(bootstrap_tenant(task, TENANT, &(struct bootstrap_options){0}),
        E_NOT_IN_PREREQUISITE_STATE);
    REFUSED("DROP DATABASE system", "42501");
    REFUSED("DROP TABLE system.users", "42501");
out:
    return st;
}

SQL_TEST(ddl, tables_come_and_go, 2)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE t (a int PRIMARY KEY, b text)");
    RUN("INSERT INTO t VALUES (1, 'x'), (2, 'y')");
    GIVES("SELECT a, b FROM t ORDER BY a", "1|x\n2|y");
    REFUSED("CREATE TABLE t (a int)", "42P07");
    RUN("ALTER TABLE t ADD COLUMN c int DEFAULT 7");
    GIVES("SELECT a, b, c FROM t ORDER BY a", "1|x|7\n2|y|7");
    RUN("CREATE UNIQUE INDEX i ON t (b)");
    REFUSED("INSERT INTO t VALUES (3, 'y')", "23505");
    RUN("TRUNCATE t");
    GIVES("SELECT count(*) FROM t", "0");
    RUN("DROP TABLE t");
    REFUSED("SELECT * FROM t", "42P01");
out:
    return st;
}

// One zone too many for storage is refused as a whole, and what was there before goes on; giving one up makes room.
SQL_TEST(ddl, zones_are_as_many_as_storage_holds, 1)
{
    struct status st = STATUS_OK;
    struct buffer sql;
    buffer_init(&sql, task->arena);
    buffer_printf(&sql, "CREATE TABLE t (a int PRIMARY KEY, b int");
    for (uint32_t i = 0; i <= PLACEMENT_CLASSES_MAX; i++) buffer_printf(&sql, ", INDEX i%u (b)", i);
    buffer_printf(&sql, ")");
    TRY(sql_run(test, buffer_string(&sql)));
    for (uint32_t i = 0; i < PLACEMENT_CLASSES_MAX; i++)
        TRY(sql_run(test, arena_printf(task->arena, "ALTER INDEX t@i%u CONFIGURE ZONE USING gc.ttlseconds = %u", i, 100 + i)));
    REFUSED("ALTER INDEX t@i64 CONFIGURE ZONE USING gc.ttlseconds = 5000", "54000");
    GIVES("SELECT count(*) FROM [SHOW ZONE CONFIGURATIONS]", "65");
    RUN("ALTER INDEX t@i64 CONFIGURE ZONE USING gc.ttlseconds = 101");
    RUN("ALTER INDEX t@i0 CONFIGURE ZONE DISCARD");
    RUN("ALTER INDEX t@i64 CONFIGURE ZONE USING gc.ttlseconds = 5000");
out:
    return st;
}

// The limit for work inside of the statement's transaction, so that small tables take the road of large ones.
#define BY_JOBS() RUN("SET CLUSTER SETTING sql.schema_change.inline_rows = 3")

SQL_TEST(ddl, large_tables_are_changed_by_jobs, 2)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE TABLE t (a int, b text)");
    RUN("INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1200) g");
    RUN("CREATE INDEX t_b ON t (b)");
    GIVES("SELECT a FROM t@t_b WHERE b = 'v777'", "777");
    RUN("ALTER TABLE t ADD PRIMARY KEY (a)");
    GIVES("SELECT b FROM t WHERE a = 1200", "v1200");
    REFUSED("INSERT INTO t VALUES (1200, 'again')", "23505");
    GIVES("SELECT a FROM t@t_b WHERE b = 'v778'", "778");
    RUN("ALTER TABLE t ADD COLUMN n bigserial");
    GIVES("SELECT count(DISTINCT n), max(n) FROM t", "1200|1200");
    RUN("ALTER TABLE t ALTER COLUMN b TYPE int USING substr(b, 2)::int");
    GIVES("SELECT sum(b) FROM t WHERE a <= 10", "55");
    RUN("ALTER TABLE t ADD CONSTRAINT small CHECK (a < 5000)");
    REFUSED("INSERT INTO t (a) VALUES (5001)", "23514");
    GIVES("SELECT DISTINCT job_type, status FROM [SHOW JOBS]", "SCHEMA CHANGE|succeeded");
    GIVES("SELECT count(*) FROM [SHOW JOBS]", "5");
out:
    return st;
}

SQL_TEST(ddl, a_failed_job_leaves_the_table_as_it_was, 1)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE TABLE t (a int, b int)");
    RUN("INSERT INTO t SELECT g, g % 100 FROM generate_series(1, 600) g");
    REFUSED("CREATE UNIQUE INDEX t_b ON t (b)", "23505");
    REFUSED("ALTER TABLE t ADD CONSTRAINT u UNIQUE (b)", "23505");
    REFUSED("ALTER TABLE t ADD PRIMARY KEY (b)", "23505");
    REFUSED("ALTER TABLE t ADD CHECK (b < 99)", "23514");
    REFUSED("ALTER TABLE t ALTER COLUMN b TYPE int USING 10 / (b - 50)", "22012");
    RUN("INSERT INTO t VALUES (601, 5)");
    GIVES("SELECT count(*) FROM t WHERE b = 5", "7");
    RUN("CREATE INDEX t_b ON t (b)");
    GIVES("SELECT count(*) FROM t@t_b WHERE b = 5", "7");
    GIVES("SELECT status, count(*) FROM [SHOW JOBS] GROUP BY status ORDER BY status",
        "failed|5\nsucceeded|1");
    GIVES("SELECT error FROM [SHOW JOBS] WHERE description LIKE 'CREATE UNIQUE%'",
        "could not create unique index \"t_b\"");
out:
    return st;
}

// Writers at work while an index is filled: nothing is lost, nothing is left behind.
struct writer {
    bool stop;
    struct status st;
    uint64_t rounds;
    bool ended;
};

// Conflicts with the schema change are the client's to try again, as pgwire does for it.
static struct status run_again(struct sql_test *test, const char *sql)
{
    struct status st;
    do {
        st = sql_run(test, sql);
    } while (status_is(st, E_SERIALIZATION_FAILURE));
    return st;
}

static struct status write_all_the_time(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct writer *writer = arg;
    struct sql_test own, *test = &own;
    uint32_t seed = 1;
    TRY(sql_test_open(task, "root", test));
    while (!writer->stop) {
        seed = seed * 1103515245u + 12345u;
        uint32_t id = seed >> 8 & 1023;
        arena_reset(&test->arena);
        TRY(run_again(
            test, arena_printf(&test->arena, "UPDATE t SET b = b + 1000 WHERE a = %u", id)));
        TRY(run_again(
            test, arena_printf(&test->arena, "DELETE FROM t WHERE a = %u", (id * 7) & 1023)));
        TRY(run_again(test,
            arena_printf(&test->arena, "INSERT INTO t VALUES (%u, %u) ON CONFLICT (a) DO NOTHING",
                (id * 13) & 1023, id)));
        writer->rounds++;
    }
    sql_test_close(test);
out:
    writer->st = st;
    writer->ended = true;
    return st;
}

static struct status rounds_await(struct task *task, const struct writer *writer, uint64_t rounds)
{
    struct status st = STATUS_OK;
    while (writer->rounds < rounds && !writer->ended && !failed(st))
        st = task_sleep(task, 1000000);
    return st;
}

// Runs the statement while another session writes to table t, and goes on for a while after it.
static struct status run_under_writes(struct sql_test *test, const char *sql)
{
    struct task *task = test->task;
    struct status st, ran;
    struct writer *writer = calloc(1, sizeof *writer);
    struct task_options options = {
        .fn = write_all_the_time, .arg = writer, .kind = "test.writer", .tenant = TENANT};
    TRY(task_start(task->shard, &options));
    ran = rounds_await(task, writer, 3);
    if (!failed(ran)) ran = sql_run(test, sql);
    if (!failed(ran)) ran = rounds_await(task, writer, writer->rounds + 3);
    writer->stop = true;
    while (!writer->ended)
        TRY(task_sleep(task, 1000000));
    TRY(writer->st);
    st = ran;
out:
    free(writer);
    return st;
}

SQL_TEST(ddl, an_index_is_made_under_writes, 1)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(0, 1023) g");
    TRY(run_under_writes(test, "CREATE INDEX t_b ON t (b)"));
    GIVES(
        "SELECT (SELECT count(*) FROM t@t_b WHERE b IS NOT NULL) = (SELECT count(*) FROM t)", "t");
    GIVES("SELECT count(*) FROM t x WHERE NOT EXISTS (SELECT 1 FROM t@t_b y WHERE y.b = x.b AND "
          "y.a = x.a)",
        "0");
out:
    return st;
}

// Of one with functions of users' own as well, for which writers wait.
SQL_TEST(ddl, an_index_on_a_function_is_made_under_writes, 1)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'");
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(0, 1023) g");
    TRY(run_under_writes(test, "CREATE INDEX t_f ON t (f(b), b)"));
    GIVES("SELECT (SELECT count(*) FROM t@t_f WHERE f(b) IS NOT NULL) = (SELECT count(*) FROM t)", "t");
    GIVES("SELECT count(*) FROM t x WHERE NOT EXISTS (SELECT 1 FROM t@t_f y WHERE f(y.b) = 2 * x.b AND y.a = x.a)", "0");
out:
    return st;
}

// Every index has exactly the rows of the table.
static struct status check_index(struct sql_test *test, const char *index)
{
    struct status st = STATUS_OK;
    GIVES(arena_printf(&test->arena, "SELECT (SELECT count(*) FROM t@%s) - count(*) FROM t", index),
        "0");
    GIVES(arena_printf(&test->arena,
              "SELECT count(*) FROM t x WHERE NOT EXISTS (SELECT 1 FROM t@%s y WHERE y.a = x.a AND "
              "y.b = x.b)",
              index),
        "0");
out:
    return st;
}

// Who writes to a table that is being rewritten goes on, and nothing of it is lost.
SQL_TEST(ddl, a_table_is_rewritten_under_writes, 1)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int, INDEX t_b (b))");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(0, 1023) g");
    TRY(run_under_writes(test, "ALTER TABLE t ALTER COLUMN b TYPE bigint USING b + 1000000"));
    GIVES("SELECT data_type FROM [SHOW COLUMNS FROM t] WHERE column_name = 'b'", "bigint");
    GIVES("SELECT count(*) > 500 FROM t WHERE b >= 1000000", "t");
    TRY(check_index(test, "t_b"));
    TRY(run_under_writes(test, "ALTER TABLE t ADD COLUMN n uuid NOT NULL DEFAULT gen_random_uuid()"));
    GIVES("SELECT count(n) = count(*) AND count(DISTINCT n) = count(*) FROM t", "t");
    TRY(check_index(test, "t_b"));
    TRY(run_under_writes(test, "ALTER TABLE t ALTER PRIMARY KEY USING COLUMNS (a, n)"));
    TRY(check_index(test, "t_b"));
    TRY(check_index(test, "t_pkey"));
    GIVES("SELECT count(*) FROM [SHOW JOBS] WHERE status <> 'succeeded'", "0");
out:
    return st;
}

// What is asked of the table while a rewrite of it is held up.
struct held {
    uint32_t code; // Of its outcome.
    const char *sql;
    bool ended;
};

static struct status run_held(struct task *task, void *arg)
{
    struct held *held = arg;
    struct sql_test own, *test = &own;
    struct status st;
    TRY(sql_test_open(task, "root", test));
    held->code = sql_run(test, held->sql).code;
    sql_test_close(test);
out:
    held->ended = true;
    return st;
}

static struct status await_row(struct sql_test *test, const char *sql)
{
    struct task *task = test->task;
    struct status st = STATUS_OK;
    for (int i = 0; i < 5000; i++) {
        struct internal_result result;
        TRY(internal_query(task, TENANT, NULL, &test->arena, &result, sql, 0, NULL, NULL));
        if (result.row_count > 0) return st;
        TRY(task_sleep(task, 2000000));
    }
    st = status_format(task->arena, E_INTERNAL, "waited in vain for a row of %s", sql);
out:
    return st;
}

static struct status await_status(struct sql_test *test, const char *status)
{
    return await_row(test, arena_printf(&test->arena,
        "SELECT 1 FROM system.public.jobs WHERE job_type = 'SCHEMA CHANGE' AND "
        "progress IS NOT NULL AND status = '%s'",
        status));
}

// The schema change runs so slowly that everything else happens in between.
static struct status start_held(struct sql_test *test, struct held *held, const char *sql)
{
    struct status st = STATUS_OK;
    RUN("SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 20");
    *held = (struct held){.sql = sql};
    struct task_options options = {
        .fn = run_held, .arg = held, .kind = "test.held", .tenant = TENANT};
    TRY(task_start(test->task->shard, &options));
    TRY(await_status(test, "running"));
out:
    return st;
}

static struct status await_held(struct sql_test *test, struct held *held)
{
    struct status st = STATUS_OK;
    while (!held->ended) TRY(task_sleep(test->task, 1000000));
out:
    return st;
}

#define THE_JOB "(SELECT id FROM system.public.jobs WHERE job_type = 'SCHEMA CHANGE' AND finished IS NULL)"

SQL_TEST(ddl, writes_go_on_while_a_rewrite_is_paused, 1)
{
    struct status st = STATUS_OK;
    struct held *held = calloc(1, sizeof *held);
    BY_JOBS();
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL UNIQUE)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(1, 100) g");
    TRY(start_held(test, held, "ALTER TABLE t ALTER COLUMN b TYPE text USING 'b' || b"));
    GIVES("SELECT fraction_completed > 0 AND fraction_completed < 1 FROM [SHOW JOBS] "
          "WHERE job_type = 'SCHEMA CHANGE'",
        "t");
    RUN("PAUSE JOBS " THE_JOB);
    TRY(await_status(test, "paused"));
    TRY(await_held(test, held));
    CHECK(held->code == E_NOT_IN_PREREQUISITE_STATE);
    // Rows that were copied, and such that were not.
    RUN("UPDATE t SET b = b + 1000 WHERE a % 3 = 0");
    RUN("DELETE FROM t WHERE a % 10 = 1");
    RUN("INSERT INTO t VALUES (201, 201), (5, 6) ON CONFLICT (a) DO UPDATE SET b = 2000");
    REFUSED("INSERT INTO t VALUES (300, 201)", "23505");
    REFUSED("ALTER TABLE t ADD COLUMN c int", "55006");
    GIVES("SELECT pg_typeof(b), b FROM t WHERE a = 3", "integer|1003");
    RUN("SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 0");
    RUN("RESUME JOBS " THE_JOB);
    TRY(await_status(test, "succeeded"));
    GIVES("SELECT a, b FROM t WHERE a IN (1, 2, 3, 5, 99, 201) ORDER BY a",
        "2|b2\n3|b1003\n5|b2000\n99|b1099\n201|b201");
    GIVES("SELECT count(*) FROM t", "91");
    TRY(check_index(test, "t_b_key"));
    REFUSED("INSERT INTO t VALUES (300, 'b201')", "23505");
out:
    free(held);
    return st;
}

// A batch that was begun under one rate owes nothing to another that came while it was under way.
SQL_TEST(ddl, a_new_rate_counts_from_the_next_batch_on, 1)
{
    struct status st = STATUS_OK;
    struct held *held = calloc(1, sizeof *held);
    BY_JOBS();
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g");
    TRY(start_held(test, held, "ALTER TABLE t ALTER COLUMN b TYPE text USING 'b' || b"));
    RUN("PAUSE JOBS " THE_JOB);
    TRY(await_status(test, "paused"));
    TRY(await_held(test, held));
    RUN("SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 0");
    // The next batch comes to a row that someone else has just written, and waits.
    RUN("BEGIN");
    RUN("UPDATE t SET b = -b WHERE a = 400");
    TRY(internal_query(test->task, TENANT, NULL, &test->arena, NULL, "RESUME JOBS " THE_JOB, 0, NULL, NULL));
    TRY(await_row(test, "SELECT 1 FROM pg_locks WHERE NOT granted"));
    TRY(internal_query(test->task, TENANT, NULL, &test->arena, NULL,
        "SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 1", 0, NULL, NULL));
    RUN("COMMIT");
    TRY(await_row(test,
        "SELECT 1 FROM system.public.jobs WHERE split_part(running_status, ' ', 1)::int >= 500"));
    RUN("SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 0");
    TRY(await_status(test, "succeeded"));
    GIVES("SELECT count(*), count(*) FILTER (WHERE b = 'b-400') FROM t", "1000|1");
    // Rows of one value are looked at together, and rest as long as so many must: until there is no rate any more.
    RUN("CREATE TABLE same (a int, b int, PRIMARY KEY (a, b))");
    RUN("INSERT INTO same SELECT 1, g FROM generate_series(1, 1000) g");
    TRY(start_held(test, held, "ALTER TABLE same ADD CHECK (b > 0)"));
    RUN("SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 0");
    TRY(await_held(test, held));
    CHECK(held->code == 0);
out:
    free(held);
    return st;
}

SQL_TEST(ddl, a_cancelled_rewrite_is_taken_back_whole, 1)
{
    struct status st = STATUS_OK;
    struct held *held = calloc(1, sizeof *held);
    BY_JOBS();
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(1, 100) g");
    TRY(start_held(test, held, "ALTER TABLE t ADD COLUMN n serial"));
    RUN("UPDATE t SET b = -b WHERE a < 50");
    RUN("CANCEL JOBS " THE_JOB);
    TRY(await_status(test, "canceled"));
    TRY(await_held(test, held));
    CHECK(held->code == E_QUERY_CANCELED);
    REFUSED("SELECT n FROM t", "42703");
    REFUSED("SELECT nextval('t_n_seq')", "42P01");
    TRY(start_held(test, held, "CREATE INDEX t_b ON t (b)"));
    RUN("UPDATE t SET b = -b WHERE a > 50");
    RUN("CANCEL JOBS " THE_JOB);
    TRY(await_held(test, held));
    CHECK(held->code == E_QUERY_CANCELED);
    GIVES("SELECT sum(b), count(*) FROM t", "-4950|100");
    RUN("SET CLUSTER SETTING sql.schema_change.max_rows_per_second = 0");
    // Nothing is in the way of the same once more.
    RUN("ALTER TABLE t ADD COLUMN n serial");
    RUN("CREATE INDEX t_b ON t (b)");
    TRY(check_index(test, "t_b"));
    GIVES("SELECT count(DISTINCT n) FROM t", "100");
out:
    free(held);
    return st;
}

// Two rows that are equal but for the hidden key: they must not become one.
SQL_TEST(ddl, equal_rows_are_no_primary_key, 1)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE TABLE t (a int, b int)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(1, 3000) g");
    RUN("INSERT INTO t VALUES (7, 7)");
    REFUSED("ALTER TABLE t ADD PRIMARY KEY (a)", "23505");
    RUN("UPDATE t SET b = 8 WHERE a = 7");
    REFUSED("ALTER TABLE t ADD PRIMARY KEY (a)", "23505");
    GIVES("SELECT count(*) FROM t WHERE a = 7", "2");
    RUN("DELETE FROM t WHERE a = 7");
    RUN("ALTER TABLE t ADD PRIMARY KEY (a)");
    GIVES("SELECT count(*) FROM t", "2999");
out:
    return st;
}

SQL_TEST(ddl, privileges_are_checked, 1)
{
    struct status st = STATUS_OK;
    struct sql_test own, *root = test;
    RUN("CREATE USER ann PASSWORD 'secret'");
    RUN("GRANT CREATE ON SCHEMA public TO ann");
    RUN("CREATE ROLE readers");
    RUN("CREATE TABLE t (a int PRIMARY KEY, s serial)");
    RUN("INSERT INTO t VALUES (1)");
    GIVES("SELECT username, options, member_of FROM [SHOW USERS] WHERE username IN ('ann', 'root')",
        "ann||{}\nroot|CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS|{admin}");
    REFUSED("CREATE USER ann", "42710");
    REFUSED("GRANT readers TO nobody", "42704");
    TRY(sql_test_open(task, "ann", &own));
    test = &own;
    REFUSED("SELECT * FROM t", "42501");
    REFUSED("CREATE USER bob", "42501");
    REFUSED("DROP TABLE t", "42501");
    REFUSED("SELECT * FROM system.users", "42501");
    REFUSED("SET CLUSTER SETTING sql.schema_change.inline_rows = 1", "42501");
    test = root;
    RUN("GRANT SELECT ON t TO readers");
    RUN("GRANT readers TO ann");
    test = &own;
    GIVES("SELECT a FROM t", "1");
    REFUSED("INSERT INTO t VALUES (2)", "42501");
    RUN("CREATE TABLE mine (a int)");
    RUN("INSERT INTO mine VALUES (5)");
    test = root;
    RUN("GRANT INSERT, UPDATE ON t TO ann");
    RUN("GRANT USAGE ON SEQUENCE t_s_seq TO ann");
    test = &own;
    RUN("INSERT INTO t VALUES (2)");
    REFUSED("DELETE FROM t", "42501");
    test = root;
    GIVES("SHOW GRANTS ON TABLE t",
        "defaultdb|public|t|admin|ALL|t\ndefaultdb|public|t|root|ALL|t\n"
        "defaultdb|public|t|readers|SELECT|f\ndefaultdb|public|t|ann|INSERT|f\n"
        "defaultdb|public|t|ann|UPDATE|f");
    REFUSED("DROP ROLE readers", "2BP01");
    REFUSED("DROP USER ann", "2BP01");
    RUN("REVOKE readers FROM ann");
    RUN("REVOKE ALL ON t FROM readers");
    RUN("DROP ROLE readers");
    test = &own;
    REFUSED("SELECT a FROM t", "42501");
    test = root;
    RUN("GRANT SYSTEM VIEWJOB, MODIFYCLUSTERSETTING TO ann");
    GIVES("SHOW SYSTEM GRANTS", "ann|MODIFYCLUSTERSETTING|f\nann|VIEWJOB|f");
    test = &own;
    RUN("SET CLUSTER SETTING sql.schema_change.inline_rows = 100");
    test = root;
    RUN("GRANT admin TO ann");
    test = &own;
    GIVES("SELECT count(*) FROM system.users", "3");
    test = root;
    RUN("REVOKE admin FROM ann");
    test = &own;
    REFUSED("SELECT count(*) FROM system.users", "42501");
    sql_test_close(&own);
out:
    return st;
}

SQL_TEST(ddl, roles_change_with_their_transaction, 1)
{
    struct status st = STATUS_OK;
    RUN("BEGIN");
    RUN("CREATE ROLE r");
    RUN("CREATE USER u IN ROLE r");
    RUN("CREATE TABLE t (a int)");
    RUN("GRANT SELECT ON t TO r");
    RUN("ROLLBACK");
    REFUSED("GRANT r TO root", "42704");
    GIVES("SELECT count(*) FROM system.users", "2");
    RUN("ALTER ROLE root SET application_name = 'x y'");
    GIVES("SELECT role, name, value FROM system.role_settings", "root|application_name|x y");
    REFUSED("ALTER ROLE root SET no_such_thing = 1", "42704");
    RUN("ALTER ROLE root RESET ALL");
    GIVES("SELECT count(*) FROM system.role_settings", "0");
    REFUSED("DROP ROLE root", "42501");
    REFUSED("REVOKE admin FROM root", "42501");
out:
    return st;
}

SQL_TEST(ddl, cluster_settings_have_types_and_ranges, 2)
{
    struct status st = STATUS_OK;
    GIVES("SHOW CLUSTER SETTING jobs.retention_time", "336h0m0s");
    RUN("SET CLUSTER SETTING jobs.retention_time = '90m'");
    GIVES("SHOW CLUSTER SETTING jobs.retention_time", "1h30m0s");
    GIVES("SELECT value, setting_type, default_value, origin FROM [SHOW CLUSTER SETTINGS] "
          "WHERE variable = 'jobs.retention_time'",
        "1h30m0s|d|336h0m0s|override");
    RUN("RESET CLUSTER SETTING jobs.retention_time");
    GIVES("SHOW CLUSTER SETTING jobs.retention_time", "336h0m0s");
    REFUSED("SET CLUSTER SETTING jobs.retention_time = 'soon'", "22023");
    REFUSED("SET CLUSTER SETTING sql.schema_change.inline_rows = -1", "22023");
    REFUSED("SET CLUSTER SETTING sql.schema_change.inline_rows = 1.5", "22023");
    REFUSED("SET CLUSTER SETTING nothing.like.it = 1", "42P02");
    REFUSED("SET CLUSTER SETTING version = '99'", "22023");
    REFUSED("RESET CLUSTER SETTING version", "22023");
    REFUSED("SET CLUSTER SETTING server.user_login.password_encryption = 'md5'", "22023");
out:
    return st;
}

SQL_TEST(ddl, show_says_what_there_is, 1)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE p (id int PRIMARY KEY)");
    RUN("CREATE TABLE t (a int NOT NULL, b text DEFAULT 'x', c int REFERENCES p, UNIQUE (b), "
        "CHECK (a > 0))");
    RUN("CREATE INDEX t_ac ON t (a DESC) STORING (c)");
    GIVES("SHOW TABLES", "public|p|table|root|0|NULL\npublic|t|table|root|0|NULL");
    GIVES("SHOW COLUMNS FROM t",
        "a|integer|f|NULL||{t__rowid,t_ac}|f\nb|text|t|'x'||{t__rowid,t_b_key}|f\n"
        "c|integer|t|NULL||{t__rowid,t_ac}|f\nrowid|bigint|f|unique_rowid()||{t__rowid}|t");
    GIVES("SELECT index_name, seq_in_index, column_name, direction, storing, implicit "
          "FROM [SHOW INDEXES FROM t] WHERE index_name = 't_ac'",
        "t_ac|1|a|DESC|f|f\nt_ac|2|c|N/A|t|f\nt_ac|3|rowid|ASC|f|t");
    GIVES("SELECT constraint_name, constraint_type, details FROM [SHOW CONSTRAINTS FROM t]",
        "t_a_check|CHECK|CHECK ((a > 0))\nt_c_fkey|FOREIGN KEY|FOREIGN KEY (c) REFERENCES p(id)\n"
        "t__rowid|PRIMARY KEY|PRIMARY KEY (rowid)\nt_b_key|UNIQUE|UNIQUE (b)");
    GIVES("SELECT schema_name FROM [SHOW SCHEMAS] ORDER BY 1",
        "crdb_internal\ninformation_schema\npg_catalog\npublic");
    GIVES("SELECT count(*) > 0 FROM [SHOW RANGES]", "t");
    GIVES("SELECT count(*) FROM [SHOW RANGES FROM TABLE t WITH DETAILS, KEYS, INDEXES]", "3");
    // What SHOW CREATE prints can be run again.
    const char *text = "";
    TRY(sql_rows(test, "SELECT create_statement FROM [SHOW CREATE TABLE t]", &text));
    text = arena_strdup(&test->arena, text);
    RUN("DROP TABLE t");
    RUN(text);
    GIVES("SELECT column_name FROM [SHOW COLUMNS FROM t]", "a\nb\nc\nrowid");
    GIVES("SELECT constraint_name FROM [SHOW CONSTRAINTS FROM t] ORDER BY 1",
        "t__rowid\nt_a_check\nt_b_key\nt_c_fkey");
    GIVES("SELECT count(*) FROM [SHOW SESSIONS]", "1");
out:
    return st;
}

SQL_TEST(ddl, statistics_are_collected, 1)
{
    struct status st = STATUS_OK;
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int)");
    RUN("INSERT INTO t SELECT g, nullif(g % 10, 0) FROM generate_series(1, 2000) g");
    RUN("ANALYZE t");
    GIVES("SELECT column_names, row_count, distinct_count BETWEEN 1700 AND 2000, null_count "
          "FROM [SHOW STATISTICS FOR TABLE t]",
        "{a}|2000|t|0\n{b}|2000|f|200");
    GIVES(
        "SELECT distinct_count FROM [SHOW STATISTICS FOR TABLE t] WHERE column_names = '{b}'", "9");
    GIVES("SELECT estimated_row_count FROM [SHOW TABLES]", "2000");
    RUN("VACUUM ANALYZE t");
    RUN("ANALYZE");
    RUN("TRUNCATE t");
    GIVES("SELECT count(*) FROM [SHOW STATISTICS FOR TABLE t]", "0");
out:
    return st;
}
