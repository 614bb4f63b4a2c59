// SPDX-License-Identifier: GPL-3.0-or-later
//
// Indexes, checks and generated columns that call functions of users' own: what jobs make of them, and what is said when
// a function no longer gives what it gave.
#include "tests/unit/sql/sql_harness.h"

#define BY_JOBS() RUN("SET CLUSTER SETTING sql.schema_change.inline_rows = 3")

// A job calls the functions as the statement's session would: in its database, along its search path, in its time zone.
SQL_TEST(function_index, jobs_call_functions_as_their_statement_would, 2)
{
    struct status st = STATUS_OK;
    BY_JOBS();
    RUN("CREATE SCHEMA s");
    RUN("CREATE FUNCTION s.more(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1'");
    RUN("SET search_path = public, s");
    RUN("SET TIME ZONE 13");
    RUN("CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT more($1) * 2'");
    RUN("CREATE FUNCTION day(timestamptz) RETURNS date IMMUTABLE LANGUAGE sql AS 'SELECT $1::date'");
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int, w timestamptz)");
    RUN("INSERT INTO t SELECT g, g, '2020-01-01 12:30+00'::timestamptz + g * interval '1 hour' FROM generate_series(1, 1200) g");
    RUN("CREATE INDEX t_f ON t (f(b))");
    RUN("CREATE UNIQUE INDEX t_u ON t (f(a))");
    RUN("CREATE INDEX t_day ON t (day(w)) WHERE f(a) > 20");
    REFUSED("CREATE UNIQUE INDEX t_none ON t (day(w))", "23505");
    RUN("ALTER TABLE t ADD CHECK (f(a) > 0)");
    REFUSED("ALTER TABLE t ADD CHECK (f(a) > 100)", "23514");
    RUN("ALTER TABLE t ADD COLUMN g date GENERATED ALWAYS AS (day(w)) STORED");
    RUN("ALTER TABLE t ADD COLUMN n uuid DEFAULT gen_random_uuid()");
    GIVES("SELECT count(*) FROM t@t_f WHERE f(b) = 44", "1");
    GIVES("SELECT count(*), count(*) FILTER (WHERE g = day(w)) FROM t", "1200|1200");
    GIVES("SELECT count(*) FROM t WHERE day(w) = '2020-01-03' AND f(a) > 20", "24");
    RUN("DELETE FROM t WHERE a % 2 = 0");
    RUN("UPDATE t SET b = b + 1, w = w + interval '1 day'");
    GIVES("SELECT count(*), sum(f(b)) FROM t@t_f WHERE f(b) > 0", "600|722400");
    GIVES("SELECT count(*) FROM [SHOW JOBS] WHERE status = 'failed'", "2");
out:
    return st;
}

// No entry outlives its row, whatever a function says by then: the row stays, until the index is made anew.
SQL_TEST(function_index, an_entry_is_not_left_behind, 1)
{
    struct status st = STATUS_OK;
    RUN("CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'");
    RUN("CREATE TABLE t (a int PRIMARY KEY, b int)");
    RUN("INSERT INTO t SELECT g, g FROM generate_series(1, 10) g");
    RUN("CREATE UNIQUE INDEX t_f ON t (f(b))");
    RUN("CREATE INDEX t_p ON t (a) WHERE f(b) > 10");
    RUN("CREATE OR REPLACE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 3'");
    REFUSED("DELETE FROM t WHERE a = 2", "55000"); // Row 3 has the key that this one is now said to have.
    REFUSED("UPDATE t SET b = 20 WHERE a = 5", "55000");
    RUN("UPDATE t SET b = b WHERE a = 2"); // Nothing to change.
    RUN("INSERT INTO t VALUES (11, 11)");
    RUN("DELETE FROM t WHERE a = 11");
    RUN("DROP INDEX t_f");
    REFUSED("DELETE FROM t WHERE a = 4", "55000"); // The part is to have it now, and has not.
    RUN("DELETE FROM t WHERE a = 2");
    RUN("REINDEX INDEX t_p");
    RUN("DELETE FROM t WHERE a IN (4, 5)");
    GIVES("SELECT a FROM t WHERE f(b) > 10 ORDER BY a", "6\n7\n8\n9\n10");
    GIVES("SELECT count(*) FROM t", "7");
out:
    return st;
}
