# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of prepared statements, functions and views whose tables change beneath them: what was planned must notice columns that
come, go and are renamed, other types, defaults and constraints, labels that are added, indexes that serve.

Left out: temporary tables that hide others (PostgreSQL's prepared statements go on with what they have read until something of
theirs changes).
"""
from scripts import Scripts

SETUP = [
    ["CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')"], ["CREATE DOMAIN pos AS int4 CHECK (VALUE > 0)", "CREATE DOMAIN pos AS int4 DEFAULT 3"],
    ["CREATE TABLE t (a int4 PRIMARY KEY, b int4, c text, m mood)", "CREATE TABLE t (a int4 PRIMARY KEY, b int4 NOT NULL DEFAULT 5, c text DEFAULT 'c', m mood DEFAULT 'ok')", "CREATE TABLE t (a serial PRIMARY KEY, b int4 UNIQUE, c varchar(8), m mood)"],
    ["CREATE TABLE u (a int4 PRIMARY KEY, t int4 REFERENCES t ON DELETE CASCADE, p pos, n numeric)", "CREATE TABLE u (a int4, t int4, p pos, n numeric)", "CREATE TABLE u (a int4 PRIMARY KEY, t int4 REFERENCES t, p pos, n numeric GENERATED ALWAYS AS (a * 1.5) STORED)"],
    ["INSERT INTO t (a, b, c, m) VALUES (1, 10, 'one', 'sad'), (2, 20, 'two', 'ok'), (3, 30, 'three', NULL)", "INSERT INTO t (a, b, c, m) SELECT g, g * 10, 'r' || g, 'happy' FROM generate_series(1, 9) g"], ["INSERT INTO u (a, t, p) VALUES (1, 1, 1), (2, 1, 2), (3, 2, NULL)"],
    ["CREATE VIEW v AS SELECT a, b, c FROM t WHERE b > 5", "CREATE VIEW v AS SELECT t.a, t.b, t.c, count(u.a) AS n FROM t LEFT JOIN u ON u.t = t.a GROUP BY t.a", "CREATE VIEW v AS SELECT * FROM t"],
    ["CREATE FUNCTION f(int4) RETURNS int4 LANGUAGE sql STABLE AS 'SELECT b FROM t WHERE a = $1'", "CREATE FUNCTION f(x int4) RETURNS int4 LANGUAGE sql RETURN (SELECT b + x FROM t WHERE a = x)", "CREATE FUNCTION f(x int4 DEFAULT 1) RETURNS int4 LANGUAGE sql AS 'UPDATE t SET b = b + 1 WHERE a = x; SELECT b FROM t WHERE a = x'"],
    ["CREATE FUNCTION g(int4) RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t WHERE a < $1 ORDER BY a'", "CREATE FUNCTION g(n int4) RETURNS TABLE (x int4, y text) LANGUAGE sql BEGIN ATOMIC SELECT a, c FROM t WHERE a < n ORDER BY a; END", "CREATE FUNCTION g(int4) RETURNS SETOF v LANGUAGE sql AS 'SELECT * FROM v WHERE a < $1 ORDER BY a'"],
    ["PREPARE q1 AS SELECT * FROM t ORDER BY a", "PREPARE q1 AS SELECT * FROM v ORDER BY a", "PREPARE q1 AS TABLE u"], ["PREPARE q2 (int4) AS SELECT a, b, c FROM t WHERE a = $1", "PREPARE q2 AS SELECT t.a, u.p FROM t LEFT JOIN u ON u.t = t.a WHERE t.a = $1 ORDER BY 1, 2", "PREPARE q2 (int4) AS SELECT f($1), count(*) FROM g($1)"],
    ["PREPARE w1 (int4, text) AS INSERT INTO t (a, b, c) VALUES ($1, $1, $2) RETURNING *", "PREPARE w1 AS INSERT INTO t VALUES ($1, $1 + 1, $2) ON CONFLICT (a) DO UPDATE SET c = excluded.c || t.c RETURNING a, c", "PREPARE w1 (int4, text) AS UPDATE t SET c = $2 WHERE a = $1 RETURNING a, b, c"],
    ["PREPARE w2 (int4) AS DELETE FROM t WHERE a = $1 RETURNING a", "PREPARE w2 AS UPDATE u SET p = $1 WHERE t = $1 RETURNING a, p", "PREPARE w2 (mood) AS UPDATE t SET m = $1 WHERE m IS DISTINCT FROM $1 AND a = 1 RETURNING a, m"],
]
STATEMENTS = [
    "EXECUTE q1", "EXECUTE q1", "EXECUTE q2 (<n>)", "EXECUTE q2 (<n>)", "EXECUTE w1 (<n>, <t>)", "EXECUTE w1 (<n>, <t>)", "EXECUTE w2 (<n>)", "EXECUTE w2 (<m>)", "EXECUTE q3 (<n>, <t>)", "EXECUTE q4", "SELECT f(<n>)", "SELECT a, f(a) FROM t ORDER BY 1", "SELECT * FROM g(<n>)", "SELECT count(*) FROM g(<n>) x", "SELECT * FROM v ORDER BY 1", "SELECT * FROM t ORDER BY 1", "SELECT * FROM u ORDER BY 1, 2", "SELECT * FROM w ORDER BY 1",
    "PREPARE q3 AS SELECT a, $2::text || c FROM t WHERE b > $1 ORDER BY a", "PREPARE q3 (int4, text) AS SELECT a FROM v WHERE a > $1 AND c <> $2 ORDER BY 1", "PREPARE q4 AS SELECT m, count(*) FROM t GROUP BY m ORDER BY m", "PREPARE q4 AS SELECT (t).*, pg_typeof(t.b) FROM t ORDER BY 1", "PREPARE q4 AS WITH x AS (UPDATE t SET b = b + 1 RETURNING *) SELECT count(*), sum(b) FROM x", "DEALLOCATE q3", "DEALLOCATE q4", "DEALLOCATE ALL", "PREPARE q1 AS SELECT max(a), min(b) FROM t", "PREPARE q2 (int8) AS SELECT $1 + a FROM u ORDER BY 1",
    "SELECT name, statement, parameter_types FROM pg_prepared_statements ORDER BY 1",
    "INSERT INTO t (a, b, c, m) VALUES (<n> + 10, <n>, <t>, <m>)", "INSERT INTO t (b) VALUES (<n>) RETURNING a, b, c", "UPDATE t SET b = <n> WHERE a = <n> RETURNING *", "DELETE FROM t WHERE a = <n>", "INSERT INTO u (a, t, p) VALUES (<n> + 10, <n>, <n>)", "UPDATE u SET p = -1", "INSERT INTO v (a, b, c) VALUES (<n> + 20, <n>, <t>)",
]
DEFINITIONS = [
    "ALTER TABLE t ADD COLUMN d int4 DEFAULT <n>", "ALTER TABLE t ADD COLUMN d text", "ALTER TABLE t DROP COLUMN d", "ALTER TABLE t DROP COLUMN c", "ALTER TABLE t DROP COLUMN c CASCADE", "ALTER TABLE t DROP COLUMN b CASCADE", "ALTER TABLE t RENAME b TO bb", "ALTER TABLE t RENAME bb TO b", "ALTER TABLE t RENAME c TO d", "ALTER TABLE t RENAME d TO c", "ALTER TABLE t RENAME TO tt", "ALTER TABLE tt RENAME TO t", "ALTER TABLE t ALTER b TYPE int8", "ALTER TABLE t ALTER b TYPE text", "ALTER TABLE t ALTER b TYPE int4 USING b::int4", "ALTER TABLE t ALTER c TYPE varchar(3) USING left(c, 3)", "ALTER TABLE t ALTER c TYPE text",
    "ALTER TABLE t ALTER b SET DEFAULT <n>", "ALTER TABLE t ALTER b DROP DEFAULT", "ALTER TABLE t ALTER c SET DEFAULT <t>", "ALTER TABLE t ALTER b SET NOT NULL", "ALTER TABLE t ALTER b DROP NOT NULL", "ALTER TABLE t ADD CONSTRAINT tb CHECK (b < 25)", "ALTER TABLE t ADD CONSTRAINT tb CHECK (b < 25) NOT VALID", "ALTER TABLE t DROP CONSTRAINT tb", "ALTER TABLE t ADD CONSTRAINT tc UNIQUE (c)", "ALTER TABLE t DROP CONSTRAINT IF EXISTS tc", "ALTER TABLE t DROP CONSTRAINT t_pkey", "ALTER TABLE t DROP CONSTRAINT t_pkey CASCADE", "ALTER TABLE t ADD PRIMARY KEY (a)", "CREATE INDEX ti ON t (b)", "CREATE UNIQUE INDEX ti ON t (b, c)", "DROP INDEX ti", "CREATE INDEX tj ON t (a) WHERE m = 'ok'",
    "ALTER TYPE mood ADD VALUE 'angry'", "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm' BEFORE 'ok'", "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'", "ALTER TYPE mood RENAME TO moods", "ALTER TYPE moods RENAME TO mood", "ALTER DOMAIN pos ADD CONSTRAINT few CHECK (VALUE < 50)", "ALTER DOMAIN pos DROP CONSTRAINT few", "ALTER DOMAIN pos DROP CONSTRAINT pos_check", "ALTER DOMAIN pos SET NOT NULL", "ALTER DOMAIN pos DROP NOT NULL", "ALTER DOMAIN pos SET DEFAULT 8",
    "CREATE OR REPLACE VIEW v AS SELECT a, b, c, 1 AS one FROM t", "CREATE OR REPLACE VIEW v AS SELECT a, b, c FROM t WHERE b < 25", "DROP VIEW v", "DROP VIEW v CASCADE", "CREATE VIEW v AS SELECT a, b, c FROM t", "CREATE VIEW w AS SELECT v.a, f(v.a) AS x FROM v", "DROP VIEW w", "ALTER VIEW v RENAME COLUMN b TO bb", "ALTER VIEW v RENAME TO w", "CREATE OR REPLACE FUNCTION f(int4) RETURNS int4 LANGUAGE sql AS 'SELECT $1 * 100'", "CREATE OR REPLACE FUNCTION f(x int4) RETURNS int4 LANGUAGE sql AS 'SELECT max(a) + x FROM t'", "DROP FUNCTION f", "DROP FUNCTION f(int4) CASCADE", "CREATE FUNCTION f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)'", "ALTER FUNCTION f(int4) RENAME TO h",
    "ALTER FUNCTION h(int4) RENAME TO f", "DROP FUNCTION g", "DROP FUNCTION g(int4) CASCADE", "CREATE FUNCTION g(int8) RETURNS SETOF int8 LANGUAGE sql AS 'SELECT generate_series(1, $1)'", "DROP TABLE t", "DROP TABLE t CASCADE", "DROP TABLE u", "CREATE TABLE t (a int4 PRIMARY KEY, b int4, c text, m mood)", "CREATE TABLE u (a int4, t int4, p int4, n numeric)", "TRUNCATE t CASCADE", "CREATE SCHEMA s", "CREATE TABLE s.t (a int4, b int4, c text)", "INSERT INTO s.t VALUES (77, 7, 's')", "SET search_path = s, public", "SET search_path = public", "RESET search_path", "ALTER TABLE t SET SCHEMA s", "ALTER TABLE s.t SET SCHEMA public", "DROP SCHEMA s CASCADE", "ALTER VIEW v SET SCHEMA s", "ANALYZE t",
    "DISCARD PLANS", "SET plan_cache_mode = force_generic_plan", "RESET plan_cache_mode",
    "SELECT pg_get_viewdef('v'::regclass)", "SELECT pg_get_functiondef('f(int4)'::regprocedure)", "SELECT proname, pg_get_function_arguments(oid), pg_get_function_result(oid) FROM pg_proc WHERE pronamespace IN ('public'::regnamespace) ORDER BY 1, 2", "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
]
CHOICES = {"n": ["1", "2", "3", "4", "7", "15"], "t": ["'x'", "'y'", "NULL", "'longer text'"], "m": ["'sad'", "'ok'", "'happy'", "'angry'", "'calm'", "NULL"]}


class Plans(Scripts):
    choices = CHOICES

    def block(self):
        within = [self.filled(STATEMENTS if self.chance(0.65) else DEFINITIONS) for _ in range(self.random.randint(1, 5))]
        draw = self.random.random()
        if draw < 0.6:
            return within
        if draw < 0.8:
            return ["BEGIN"] + within + [self.pick(["COMMIT", "ROLLBACK"])]
        return ["BEGIN", "SAVEPOINT p"] + within + ["ROLLBACK TO p"] + [self.filled(STATEMENTS) for _ in range(2)] + ["COMMIT"]

    def statements(self, count):
        statements = [self.pick(choices) for choices in SETUP]
        while len(statements) < count + len(SETUP):
            statements += self.block()
        return statements
