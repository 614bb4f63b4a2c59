// SPDX-License-Identifier: GPL-3.0-or-later
//
// PostgreSQL's statements: text to tree to text, nothing lost on the way.
#include "tests/unit/sql/round_trip.h"

Test(parse, queries_come_back)
{
    static const struct row rows[] = {
        {"SELECT 1", NULL},
        {"SELECT a, b AS c, t.*, * FROM s.t AS x WHERE (a > 1) AND (b = 'it''s')", NULL},
        {"SELECT DISTINCT ON (a) a FROM t ORDER BY a DESC NULLS LAST LIMIT 1 OFFSET 2",
            "SELECT DISTINCT ON (a) a FROM t ORDER BY a DESC NULLS LAST OFFSET 2 LIMIT 1"},
        {"SELECT -1, - a, NOT a, a IS NULL, a IS NOT DISTINCT FROM b, a BETWEEN 1 AND 2, a "
         "NOT IN (1, 2), a LIKE 'x' ESCAPE '!', a NOT ILIKE 'y', a SIMILAR TO 'z', a ~ 'r', "
         "a !~~ 'q'",
            NULL},
        {"SELECT count(*), count(DISTINCT a), sum(a) FILTER (WHERE b), array_agg(a ORDER BY "
         "b), percentile_cont(0.5) WITHIN GROUP (ORDER BY a), f(VARIADIC a), f(x => 1)",
            NULL},
        {"SELECT rank() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND "
         "CURRENT ROW EXCLUDE TIES), sum(a) OVER w, sum(a) OVER (w) FROM t WINDOW w AS "
         "(ORDER BY a RANGE BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING)",
            NULL},
        {"SELECT '1'::int, CAST(a AS numeric(10,2)), date '2020-01-01', interval '1' day, "
         "'1 day'::interval(3), a::timestamptz(3), a::varchar(5)[], x::\"char\", b'01', "
         "x'ff', 1.5e10, 12345678901",
            "SELECT '1'::integer, a::numeric(10,2), '2020-01-01'::date, '1'::interval DAY, '1 "
            "day'::interval(3), a::timestamptz(3), a::character varying(5)[], x::\"char\", "
            "b'01', x'ff', 1.5e10, 12345678901"},
        {"SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN a THEN b END, COALESCE(a, "
         "b), GREATEST(1, 2), LEAST(1, 2), NULLIF(a, b)",
            NULL},
        {"SELECT EXISTS (SELECT 1), a = ANY (SELECT 1), a <> ALL (SELECT 1), (SELECT 1), "
         "ARRAY(SELECT 1), a IN (SELECT b FROM t), a NOT IN (SELECT 1), a = ANY ($1), (a, "
         "b) IN (SELECT 1, 2)",
            "SELECT EXISTS (SELECT 1), a IN (SELECT 1), a <> ALL (SELECT 1), (SELECT 1), "
            "ARRAY(SELECT 1), a IN (SELECT b FROM t), NOT (a IN (SELECT 1)), a = ANY ($1), (a, "
            "b) IN (SELECT 1, 2)"},
        {"SELECT xmlelement(name \"a b\", xmlattributes(a, 1 AS \"B\"), 'x', b), xmlforest(a, 1 AS b), xmlconcat(a, b), xmlpi(name p, 'x'), "
         "xmlroot(a, version '1.1', standalone no value), xmlroot(a, version no value), xmlparse(document a preserve whitespace), "
         "xmlserialize(content a AS varchar(5)), a IS DOCUMENT, a IS NOT DOCUMENT, xmlexists('x' passing by ref a)",
            "SELECT XMLELEMENT(NAME \"a b\", XMLATTRIBUTES(a, 1 AS \"B\"), 'x', b), XMLFOREST(a, 1 AS b), XMLCONCAT(a, b), XMLPI(NAME p, 'x'), "
            "XMLROOT(a, VERSION '1.1', STANDALONE NO VALUE), XMLROOT(a, VERSION NO VALUE), XMLPARSE(DOCUMENT a PRESERVE WHITESPACE), "
            "XMLSERIALIZE(CONTENT a AS character varying(5)), ((a) IS DOCUMENT), NOT ((a) IS DOCUMENT), XMLEXISTS(('x') PASSING (a))"},
        {"SELECT * FROM a, xmltable(xmlnamespaces('u' AS n, default 'v'), '/r' passing x columns o for ordinality, b int path '@b' default 1 not null, c "
         "text) AS t(p, q)",
            "SELECT * FROM a, XMLTABLE(XMLNAMESPACES(('u') AS n, DEFAULT ('v')), ('/r') PASSING (x) COLUMNS o FOR ORDINALITY, b integer PATH ('@b') DEFAULT (1) "
            "NOT NULL, c text) AS t(p, q)"},
        {"SELECT CURRENT_DATE, CURRENT_TIMESTAMP(3), CURRENT_USER, LOCALTIME, SESSION_USER, "
         "USER",
            NULL},
        {"SELECT extract(year from a), a AT TIME ZONE 'UTC', substring(a from 1 for 2), "
         "position('a' in b), trim(both 'x' from y), overlay(a placing b from 1), (a, b) "
         "OVERLAPS (c, d)",
            "SELECT EXTRACT('year' FROM a), a AT TIME ZONE 'UTC', pg_catalog.\"substring\"(a, 1, "
            "2), pg_catalog.\"position\"(b, 'a'), pg_catalog.btrim(y, 'x'), "
            "pg_catalog.\"overlay\"(a, b, 1), (a, b) OVERLAPS (c, d)"},
        {"SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (y) CROSS JOIN d NATURAL "
         "JOIN e FULL JOIN f ON true RIGHT JOIN (g JOIN h ON true) ON true",
            NULL},
        {"SELECT * FROM (SELECT 1) AS x(a), LATERAL (SELECT 2) AS y, generate_series(1, 10) "
         "WITH ORDINALITY AS g(i, n), f() AS (a int, b text), ROWS FROM (f(1), g(2)) AS z, "
         "ONLY t, unnest(a) u",
            "SELECT * FROM (SELECT 1) AS x(a), LATERAL (SELECT 2) AS y, generate_series(1, 10) "
            "WITH ORDINALITY AS g(i, n), f() AS (a integer, b text), ROWS FROM (f(1), g(2)) AS "
            "z, ONLY t, unnest(a) AS u"},
        {"SELECT a FROM t GROUP BY ROLLUP (a, b), CUBE (c), GROUPING SETS ((a), ()), d "
         "HAVING count(*) > 1",
            "SELECT a FROM t GROUP BY ROLLUP (a, b), CUBE (c), GROUPING SETS (a, ()), d HAVING "
            "count(*) > 1"},
        {"SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3 INTERSECT SELECT 4 ORDER BY 1 LIMIT 5",
            "SELECT 1 UNION ALL SELECT 2 EXCEPT (SELECT 3 INTERSECT SELECT 4) ORDER BY 1 LIMIT "
            "5"},
        {"(SELECT 1 LIMIT 1) UNION (SELECT 2 ORDER BY 1)", NULL},
        {"VALUES (1, 'a'), (2, DEFAULT)", NULL},
        {"TABLE t", "SELECT * FROM t"},
        {"WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x), y AS "
         "MATERIALIZED (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x, y",
            NULL},
        {"SELECT * FROM t FOR UPDATE OF t SKIP LOCKED", NULL},
        {"SELECT * FROM t FOR NO KEY UPDATE NOWAIT FOR KEY SHARE", NULL},
        {"SELECT * FROM t ORDER BY a FETCH FIRST 3 ROWS WITH TIES", NULL},
        {"SELECT a INTO TEMP u FROM t", "CREATE TEMPORARY TABLE u AS SELECT a FROM t"},
        {"SELECT \"Mixed Case\", \"select\", a$b FROM \"Weird \"\"Table\"\"\"", NULL},
        {"SELECT a OPERATOR(pg_catalog.+) b, @ a, a || b || c, a - b - c, a - (b - c), a < "
         "b, (a = b) = c",
            NULL},
        {"SELECT grouping(a, b) FROM t GROUP BY a, b",
            "SELECT GROUPING(a, b) FROM t GROUP BY a, b"},
        {"SELECT E'a\\nb', U&'\\0041', $$dollar$$, 'a' ", "SELECT 'a\nb', 'A', 'dollar', 'a'"},
        {"INSERT INTO t VALUES (1)", NULL},
        {"INSERT INTO t AS x (a, b) OVERRIDING SYSTEM VALUE SELECT 1, 2 ON CONFLICT (a) "
         "WHERE b > 0 DO UPDATE SET b = excluded.b, (c, d) = (1, 2) WHERE x.b < 3 RETURNING "
         "a, b AS c",
            NULL},
        {"INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING", NULL},
        {"INSERT INTO t (a) VALUES (1) ON CONFLICT ON CONSTRAINT k DO NOTHING", NULL},
        {"UPSERT INTO t (a, b) VALUES (1, 2) RETURNING *", NULL},
        {"WITH x AS (SELECT 1) UPSERT INTO t SELECT * FROM x", NULL},
        {"UPDATE t AS x SET a = 1, (b, c) = (SELECT 1, 2), d = DEFAULT FROM u WHERE x.i = "
         "u.i RETURNING *",
            NULL},
        {"UPDATE t SET a = 1 WHERE b ORDER BY c, d DESC LIMIT 3 RETURNING a", NULL},
        {"DELETE FROM t USING u WHERE t.a = u.a RETURNING *", NULL},
        {"DELETE FROM t WHERE CURRENT OF c", NULL},
        {"DELETE FROM t LIMIT 10", NULL},
        {"SELECT (ARRAY[1, 2])[1], a[1:2], (a).b, (a).*, (f(x)).y, ROW(1, 2), (1, 2), a "
         "COLLATE \"C\", ROW()",
            NULL},
        {"SELECT ($1)[2], $1[2], a.b.c[1][2].d, (SELECT a)[1]",
            "SELECT $1[2], $1[2], a.b.c[1][2].d, ((SELECT a))[1]"},
        {"SELECT GRANT_x, count(*) FROM t WHERE NOT (a AND b) OR c",
            "SELECT grant_x, count(*) FROM t WHERE (NOT (a AND b)) OR c"},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

Test(parse, schema_statements_come_back)
{
    static const struct row rows[] = {
        {"CREATE TABLE t (a int)", "CREATE TABLE t (a integer)"},
        {"CREATE TABLE IF NOT EXISTS d.s.t (a serial PRIMARY KEY, b text NOT NULL DEFAULT "
         "'x' COLLATE \"C\", c int CHECK (c > 0), d int REFERENCES u (x) ON DELETE CASCADE ON "
         "UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED, e int GENERATED ALWAYS AS (a + 1) "
         "STORED, f int GENERATED BY DEFAULT AS IDENTITY (START WITH 5 INCREMENT BY 2), g "
         "numeric(10,2) UNIQUE, CONSTRAINT pk PRIMARY KEY (a, b), UNIQUE (c) INCLUDE (d), "
         "FOREIGN KEY (a, b) REFERENCES v MATCH FULL, CHECK (a > b)) WITH (fillfactor = 70)",
            "CREATE TABLE IF NOT EXISTS d.s.t (a serial PRIMARY KEY, b text COLLATE \"C\" NOT "
            "NULL DEFAULT 'x', c integer CHECK (c > 0), d integer REFERENCES u (x) ON DELETE "
            "CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED, e integer GENERATED "
            "ALWAYS AS (a + 1) STORED, f integer GENERATED BY DEFAULT AS IDENTITY (START WITH "
            "5 INCREMENT BY 2), g numeric(10,2) UNIQUE, CONSTRAINT pk PRIMARY KEY (a, b), "
            "UNIQUE (c) INCLUDE (d), FOREIGN KEY (a, b) REFERENCES v MATCH FULL, CHECK (a > "
            "b)) WITH (fillfactor = 70)"},
        {"CREATE TABLE t (a INT8 NOT VISIBLE DEFAULT unique_rowid(), b STRING FAMILY f1, c "
         "int AS (a + 1) VIRTUAL, INDEX i (a DESC) STORING (b) WHERE a > 1, UNIQUE INDEX "
         "(b), INVERTED INDEX (c), FAMILY \"primary\" (a, b), e timestamptz ON UPDATE now())",
            "CREATE TABLE t (a int8 NOT VISIBLE DEFAULT unique_rowid(), b string FAMILY f1, c "
            "integer GENERATED ALWAYS AS (a + 1) VIRTUAL, e timestamptz ON UPDATE now(), INDEX "
            "i (a DESC) STORING (b) WHERE a > 1, UNIQUE INDEX (b), INVERTED INDEX (c), FAMILY "
            "\"primary\" (a, b))"},
        {"CREATE TEMP TABLE t (LIKE u INCLUDING ALL, LIKE v INCLUDING DEFAULTS) ON COMMIT "
         "DROP",
            "CREATE TEMPORARY TABLE t (LIKE u INCLUDING ALL, LIKE v INCLUDING DEFAULTS) ON "
            "COMMIT DROP"},
        {"CREATE TABLE t AS SELECT 1 WITH NO DATA", NULL},
        {"CREATE TABLE t (a, b) AS SELECT 1, 2", NULL},
        {"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t USING gin (a, lower(b) DESC "
         "NULLS LAST, (a + b), c COLLATE \"C\" text_ops) STORING (d) WHERE a > 0",
            NULL},
        {"CREATE INVERTED INDEX i ON t (a)", NULL},
        {"CREATE INDEX ON t (a) NOT VISIBLE", NULL},
        {"CREATE OR REPLACE VIEW v (a) AS SELECT 1 WITH CASCADED CHECK OPTION", NULL},
        {"CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1", NULL},
        {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", NULL},
        {"CREATE DATABASE d", NULL},
        {"CREATE DATABASE IF NOT EXISTS d WITH OWNER = u ENCODING = 'UTF8'",
            "CREATE DATABASE IF NOT EXISTS d WITH owner = 'u' encoding = 'UTF8'"},
        {"CREATE SCHEMA IF NOT EXISTS s AUTHORIZATION u", NULL},
        {"CREATE SCHEMA s CREATE TABLE t (a int)", "CREATE SCHEMA s CREATE TABLE t (a integer)"},
        {"CREATE SEQUENCE IF NOT EXISTS s AS int INCREMENT BY 2 MINVALUE 1 NO MAXVALUE "
         "START WITH 5 CACHE 10 CYCLE OWNED BY t.a",
            "CREATE SEQUENCE IF NOT EXISTS s AS integer INCREMENT BY 2 MINVALUE 1 NO MAXVALUE "
            "START WITH 5 CACHE 10 CYCLE OWNED BY t.a"},
        {"ALTER SEQUENCE s RESTART WITH 7 NO CYCLE", "ALTER SEQUENCE s RESTART 7 NO CYCLE"},
        {"CREATE TYPE e AS ENUM ('a', 'b')", NULL},
        {"ALTER TYPE e ADD VALUE IF NOT EXISTS 'c' AFTER 'b'", NULL},
        {"CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"", NULL},
        {"CREATE STATISTICS s ON a, b FROM t", NULL},
        {"ALTER TABLE IF EXISTS t ADD COLUMN IF NOT EXISTS a int NOT NULL, DROP COLUMN b "
         "CASCADE, ALTER COLUMN c TYPE text USING c::text, ALTER c SET DEFAULT 1, ALTER c "
         "DROP DEFAULT, ALTER c SET NOT NULL, ALTER c DROP NOT NULL, ADD CONSTRAINT k "
         "UNIQUE (a), ADD PRIMARY KEY (a), ADD FOREIGN KEY (a) REFERENCES u NOT VALID, DROP "
         "CONSTRAINT IF EXISTS k RESTRICT, VALIDATE CONSTRAINT k, OWNER TO u",
            "ALTER TABLE IF EXISTS t ADD COLUMN IF NOT EXISTS a integer NOT NULL, DROP COLUMN "
            "b CASCADE, ALTER COLUMN c TYPE text USING c::text, ALTER COLUMN c SET DEFAULT 1, "
            "ALTER COLUMN c DROP DEFAULT, ALTER COLUMN c SET NOT NULL, ALTER COLUMN c DROP NOT "
            "NULL, ADD CONSTRAINT k UNIQUE (a), ADD PRIMARY KEY (a), ADD FOREIGN KEY (a) "
            "REFERENCES u NOT VALID, DROP CONSTRAINT IF EXISTS k, VALIDATE CONSTRAINT k, OWNER "
            "TO u"},
        {"ALTER TABLE t ADD a int NOT VISIBLE AS (b + 1) STORED",
            "ALTER TABLE t ADD COLUMN a integer NOT VISIBLE GENERATED ALWAYS AS (b + 1) STORED"},
        {"ALTER TABLE t ALTER PRIMARY KEY USING COLUMNS (a, b)", NULL},
        {"ALTER TABLE t ADD PRIMARY KEY USING INDEX i", NULL},
        {"REINDEX TABLE s.t", NULL},
        {"REINDEX (CONCURRENTLY) INDEX i", "REINDEX (\"concurrently\") INDEX i"},
        {"ALTER TABLE t RENAME TO u", NULL},
        {"ALTER TABLE t RENAME COLUMN a TO b", NULL},
        {"ALTER TABLE t RENAME CONSTRAINT a TO b", NULL},
        {"ALTER INDEX t@i RENAME TO j", NULL},
        {"ALTER INDEX s.t@i RENAME TO j", NULL},
        {"ALTER DATABASE d RENAME TO e", NULL},
        {"ALTER DATABASE d OWNER TO u", NULL},
        {"ALTER DATABASE d SET search_path = a, b", "ALTER DATABASE d SET search_path TO 'a', 'b'"},
        {"ALTER SCHEMA s RENAME TO r", NULL},
        {"ALTER TABLE t SET SCHEMA s", NULL},
        {"ALTER TABLE t SET (fillfactor = 70)", NULL},
        {"ALTER VIEW v RENAME TO w", NULL},
        {"DROP TABLE IF EXISTS a, s.b CASCADE", NULL},
        {"DROP INDEX CONCURRENTLY t@i, s.u@j", NULL},
        {"DROP DATABASE IF EXISTS d CASCADE", NULL},
        {"DROP DATABASE d WITH (FORCE)", NULL},
        {"DROP SCHEMA s, r RESTRICT", "DROP SCHEMA s, r"},
        {"DROP VIEW v; DROP SEQUENCE s; DROP TYPE e; DROP MATERIALIZED VIEW m", NULL},
        {"TRUNCATE a, b RESTART IDENTITY CASCADE", "TRUNCATE TABLE a, b RESTART IDENTITY CASCADE"},
        {"COMMENT ON TABLE t IS 'x'", NULL},
        {"COMMENT ON COLUMN s.t.c IS NULL", NULL},
        {"COMMENT ON DATABASE d IS 'y'", NULL},
        {"CREATE USER IF NOT EXISTS u WITH PASSWORD 'secret' CREATEDB NOLOGIN VALID UNTIL "
         "'2030-01-01' CONNECTION LIMIT -1 IN ROLE a, b",
            NULL},
        {"CREATE ROLE r", NULL},
        {"ALTER USER u WITH PASSWORD NULL", NULL},
        {"ALTER ROLE ALL SET a.b = 'c'", "ALTER ROLE ALL SET a.b TO 'c'"},
        {"ALTER ROLE u IN DATABASE d RESET ALL", NULL},
        {"DROP ROLE IF EXISTS a, b", NULL},
        {"ALTER DEFAULT PRIVILEGES FOR ROLE r IN SCHEMA s GRANT SELECT ON TABLES TO u", NULL},
        {"DROP OWNED BY a CASCADE", NULL},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}

Test(parse, session_statements_come_back)
{
    static const struct row rows[] = {
        {"GRANT ALL ON DATABASE d TO u", NULL},
        {"GRANT CONNECT, ZONECONFIG ON DATABASE d TO u", NULL},
        {"REVOKE GRANT OPTION FOR USAGE ON SCHEMA s FROM u CASCADE", NULL},
        {"GRANT ALL ON ALL TABLES IN SCHEMA s TO u", NULL},
        {"GRANT a, b TO c WITH ADMIN OPTION", NULL},
        {"REVOKE ADMIN OPTION FOR a FROM b", NULL},
        {"GRANT EXECUTE ON FUNCTION f(int) TO u", "GRANT EXECUTE ON FUNCTION f(integer) TO u"},
        {"grant select (a) on t to u granted by current_user", "GRANT SELECT (a) ON TABLE t TO u GRANTED BY CURRENT_USER"},
        {"ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE INITIALLY DEFERRED", NULL},
        {"REASSIGN OWNED BY a TO b", NULL},
        {"BEGIN", NULL},
        {"BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY, NOT DEFERRABLE "
         "PRIORITY HIGH",
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE, PRIORITY HIGH"},
        {"START TRANSACTION READ WRITE", NULL},
        {"BEGIN AS OF SYSTEM TIME '-10s'", NULL},
        {"COMMIT WORK; END; ROLLBACK; ABORT AND CHAIN",
            "COMMIT; COMMIT; ROLLBACK; ROLLBACK AND CHAIN"},
        {"SAVEPOINT s; RELEASE s; ROLLBACK TO SAVEPOINT s",
            "SAVEPOINT s; RELEASE SAVEPOINT s; ROLLBACK TO SAVEPOINT s"},
        {"SET TRANSACTION AS OF SYSTEM TIME follower_read_timestamp()", NULL},
        {"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", NULL},
        {"PREPARE TRANSACTION 'x'; COMMIT PREPARED 'x'; ROLLBACK PREPARED 'x'", NULL},
        {"SET a = 1; SET LOCAL a.b TO 'x', 'y'; SET a TO DEFAULT; SET TIME ZONE 'UTC'; SET "
         "TIME ZONE INTERVAL '1' HOUR; SET NAMES 'UTF8'; SET a = on",
            "SET a TO 1; SET LOCAL a.b TO 'x', 'y'; SET a TO DEFAULT; SET timezone TO 'UTC'; "
            "SET TIME ZONE interval '1' HOUR; SET client_encoding TO 'UTF8'; SET a TO 'on'"},
        {"RESET a; RESET ALL; SHOW a.b; SHOW ALL; SHOW TIME ZONE; SHOW TRANSACTION "
         "ISOLATION LEVEL",
            "RESET a; RESET ALL; SHOW a.b; SHOW ALL; SHOW timezone; SHOW transaction_isolation"},
        {"SET CONSTRAINTS ALL DEFERRED", NULL},
        {"USE d", "SET database TO 'd'"},
        {"EXPLAIN SELECT 1", NULL},
        {"EXPLAIN ANALYZE VERBOSE SELECT 1", "EXPLAIN ANALYZE (VERBOSE) SELECT 1"},
        {"EXPLAIN (VERBOSE, COSTS off, FORMAT json) UPSERT INTO t VALUES (1)",
            "EXPLAIN (VERBOSE, COSTS 'off', FORMAT 'json') UPSERT INTO t VALUES (1)"},
        {"EXPLAIN ANALYZE (DEBUG) SELECT 1 AS OF SYSTEM TIME '-1s'", NULL},
        {"EXPLAIN EXPLAIN SELECT 1", NULL},
        {"COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER true, DELIMITER ',', NULL '', "
         "FORCE_QUOTE *, FORCE_NULL (a, b))",
            "COPY t (a, b) FROM STDIN WITH (FORMAT 'csv', HEADER 'true', DELIMITER ',', NULL "
            "'', FORCE_QUOTE *, FORCE_NULL ('a', 'b'))"},
        {"COPY (SELECT 1 AS OF SYSTEM TIME '-1s') TO STDOUT",
            "COPY (SELECT 1) TO STDOUT AS OF SYSTEM TIME '-1s'"},
        {"COPY t TO '/tmp/x'", NULL},
        {"PREPARE p (int, text) AS SELECT $1, $2", "PREPARE p (integer, text) AS SELECT $1, $2"},
        {"PREPARE p AS UPSERT INTO t VALUES ($1)", NULL},
        {"EXECUTE p (1, 'x'); EXECUTE p; DEALLOCATE p; DEALLOCATE ALL", NULL},
        {"DISCARD ALL; DISCARD TEMP; DISCARD PLANS", NULL},
        {"VACUUM; VACUUM (VERBOSE, ANALYZE) t; ANALYZE; ANALYZE t (a, b)",
            "VACUUM; VACUUM (VERBOSE, ANALYZE) t; ANALYZE; ANALYZE t(a, b)"},
        {"LOCK TABLE t IN SHARE MODE NOWAIT", NULL},
        {"DECLARE c BINARY SCROLL CURSOR WITH HOLD FOR SELECT 1; FETCH 5 FROM c; FETCH ALL "
         "c; MOVE BACKWARD 2 IN c; CLOSE c; CLOSE ALL",
            "DECLARE c BINARY SCROLL CURSOR WITH HOLD FOR SELECT 1; FETCH FORWARD 5 FROM c; "
            "FETCH FORWARD ALL FROM c; MOVE BACKWARD 2 FROM c; CLOSE c; CLOSE ALL"},
        {"CALL f(1)", NULL},
        {"GRANT SELECT, UPDATE (a, b) ON t, u TO a, PUBLIC WITH GRANT OPTION",
            "GRANT SELECT, UPDATE (a, b) ON TABLE t, u TO a, PUBLIC WITH GRANT OPTION"},
    };
    check(rows, sizeof rows / sizeof rows[0]);
}
