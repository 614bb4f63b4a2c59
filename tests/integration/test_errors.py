# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with an error beyond its message: where it happened, and what a DROP takes along."""
import io
import socket
import struct
import unittest

import psycopg2

from cluster import ClusterTest


def bind_error(port, portal, value):
    """The context of the error that binding `value` to an integer gives, from the protocol's own bytes."""
    def message(kind, body):
        return kind + struct.pack("!I", len(body) + 4) + body
    with socket.create_connection(("127.0.0.1", port)) as raw:
        start = struct.pack("!I", 196608) + b"user\0root\0database\0defaultdb\0\0"
        raw.sendall(struct.pack("!I", len(start) + 4) + start)
        raw.sendall(message(b"P", b"\0SELECT $1::int\0" + struct.pack("!H", 0)) +
                    message(b"B", portal + b"\0\0" + struct.pack("!HHI", 0, 1, len(value)) + value + struct.pack("!H", 0)) +
                    message(b"S", b""))
        raw.settimeout(20)
        data = b""
        while b"\0W" not in data or b"\0\0Z" not in data:
            part = raw.recv(65536)
            assert part, data
            data += part
        return data.split(b"\0W")[1].split(b"\0")[0].decode()


class Errors(ClusterTest):
    def test_context(self):
        cluster = self.cluster("errors", shards=1)
        with cluster.connect() as session:
            def context(action):
                with self.assertRaises(psycopg2.Error) as caught:
                    action()
                return caught.exception.diag.context

            def copy(text, options=""):
                return context(lambda: session.raw.cursor().copy_expert("COPY a FROM STDIN " + options, io.StringIO(text)))
            session.run("CREATE TABLE a (i int PRIMARY KEY, t text CHECK (t <> 'bad'), d date)")
            many = "".join("%d\tx\t2020-01-01\n" % i for i in range(3000))
            self.assertEqual(copy("1\tx\t2020-01-01\n2\ty\tnodate\n"), "COPY a, line 2, column d: \"nodate\"")
            self.assertEqual(copy(many + "x" * 200 + "\t\t\n"), "COPY a, line 3001, column i: \"%s...\"" % ("x" * 100))
            self.assertEqual(copy("1\tx\n"), "COPY a, line 1: \"1\tx\"")
            self.assertEqual(copy("1\tx\t2020-01-01\textra\n"), "COPY a, line 1: \"1\tx\t2020-01-01\textra\"")
            self.assertEqual(copy("1\tx\t2020-01-01\n2\tbad\t2020-01-01\n"), "COPY a, line 2: \"2\tbad\t2020-01-01\"")
            # In the midst of a batch that was written at once.
            self.assertEqual(copy(many + "7\ty\t2020-01-01\n" + "9999\tx\t2020-01-01\n"), "COPY a, line 3001")
            self.assertEqual(copy(many.replace("30\tx", "30\tbad", 1)), "COPY a, line 31: \"30\tbad\t2020-01-01\"")
            self.assertEqual(copy("i,t,x\n", "(FORMAT csv, HEADER match)"), "COPY a, line 1: \"i,t,x\"")
            self.assertEqual(session.value("SELECT count(*) FROM a"), 0)
            # --- functions in SQL, innermost first ---
            session.run("CREATE FUNCTION boom(int) RETURNS int LANGUAGE sql AS 'INSERT INTO a VALUES (1, $1::text) RETURNING 1 / $1'")
            session.run("CREATE FUNCTION outer_boom(int) RETURNS int LANGUAGE sql AS 'INSERT INTO a VALUES (2, $1::text); SELECT boom($1)'")
            self.assertEqual(context(lambda: session.rows("SELECT outer_boom(0)")),
                             "SQL function \"boom\" statement 1\nSQL function \"outer_boom\" statement 2")
            # --- JSON: the line, as far as it was understood ---
            self.assertEqual(context(lambda: session.rows("SELECT '{\"a\": 1,\n \"b\" 2, \"c\": 3}'::json")), "JSON data, line 2:  \"b\" 2...")
            # --- parameters, without their values ---
            self.assertEqual(bind_error(cluster.port, b"", b"x"), "unnamed portal parameter $1 = '...'")
            self.assertEqual(bind_error(cluster.port, b"p", b"x"), "portal \"p\" parameter $1 = '...'")

    def test_what_a_drop_takes_along(self):
        cluster = self.cluster("drops", shards=1)
        with cluster.connect() as session:
            for sql in ("CREATE SCHEMA s", "CREATE TABLE s.a (i int PRIMARY KEY)", "CREATE VIEW s.v AS SELECT * FROM s.a",
                        "CREATE VIEW w AS SELECT * FROM s.v", "CREATE FUNCTION s.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
                        "CREATE TYPE s.e AS ENUM ('a')"):
                session.run(sql)
            with self.assertRaises(psycopg2.Error) as caught:
                session.run("DROP SCHEMA s")
            self.assertEqual(caught.exception.diag.message_detail.split("\n"),
                             ["table s.a depends on schema s", "view s.v depends on schema s",
                              "function s.f(integer,text) depends on schema s", "type s.e depends on schema s"])
            for how in ("", "IF EXISTS "):
                session.run("CREATE TABLE seen (a int PRIMARY KEY); CREATE VIEW over_it AS SELECT a FROM seen")
                self.assert_error("2BP01", "cannot drop table seen because other objects depend on it", lambda: session.run("DROP TABLE %sseen" % how))
                session.run("CREATE TEMP TABLE seen (b int)")
                self.assert_error("2BP01", "cannot drop index seen_pkey because constraint seen_pkey on table public.seen requires it", lambda: session.run("DROP INDEX public.seen_pkey"))
                session.run("DROP TABLE seen; DROP VIEW over_it; DROP TABLE seen")
            self.assert_error("2BP01", "cannot drop table s.a because other objects depend on it", lambda: session.run("DROP TABLE s.a"))
            del session.raw.notices[:]
            session.run("DROP SCHEMA s CASCADE")
            self.assertEqual([notice.rstrip() for notice in session.raw.notices], ["NOTICE:  drop cascades to 5 other objects\n"
                "DETAIL:  drop cascades to table s.a\ndrop cascades to view s.v\n"
                "drop cascades to function s.f(integer,text)\ndrop cascades to type s.e\ndrop cascades to view w"])
            session.run("CREATE TABLE p (i int)")
            session.run("CREATE VIEW pv AS SELECT i FROM p")
            del session.raw.notices[:]
            session.run("DROP TABLE p CASCADE")
            self.assertEqual([notice.rstrip() for notice in session.raw.notices], ["NOTICE:  drop cascades to view pv"])

    def test_what_is_not_there_is_refused_by_name(self):
        """Also within EXPLAIN, PREPARE and COPY."""
        cluster = self.cluster("refused", shards=1)
        merge = "MERGE INTO t USING t s ON t.a = s.a WHEN MATCHED THEN DELETE"
        with cluster.connect() as session:
            session.run("CREATE TABLE t (a int, b text)")
            session.run("UNLISTEN *")  # Nobody listens: what it is to do is done. Drivers' pools send it.
            for name, statements in (
                    ("LISTEN", ["LISTEN a"]), ("NOTIFY", ["NOTIFY a", "NOTIFY a, 'x'", "SELECT pg_notify('a', 'b')"]),
                    ("MERGE", [merge, "EXPLAIN " + merge, "EXPLAIN ANALYZE " + merge, "PREPARE m AS " + merge, "COPY (%s) TO STDOUT" % merge, "WITH m AS (SELECT 1) " + merge]),
                    ("plpgsql", ["CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'", "CREATE PROCEDURE f() LANGUAGE plpgsql AS 'BEGIN END'"]), ("DO", ["DO 'BEGIN END'"]),
                    ("TRIGGER", ["CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "ALTER TABLE t DISABLE TRIGGER ALL", "CREATE EVENT TRIGGER et ON ddl_command_start EXECUTE FUNCTION f()"]),
                    ("ROW LEVEL SECURITY", ["ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE t FORCE ROW LEVEL SECURITY"]), ("POLICY", ["CREATE POLICY p ON t USING (true)", "DROP POLICY p ON t"]),
                    ("tsvector", ["SELECT to_tsvector('a')", "SELECT 'a'::tsvector"]), ("tsquery", ["CREATE TABLE ts (v tsquery)"]), ("text search", ["CREATE TEXT SEARCH CONFIGURATION c (copy = simple)"]),
                    ("PARTITION", ["CREATE TABLE pt (a int) PARTITION BY RANGE (a)", "CREATE TABLE p1 PARTITION OF t FOR VALUES FROM (1) TO (2)", "ALTER TABLE t DETACH PARTITION pt"])):
                for sql in statements:
                    with self.subTest(sql):
                        with self.assertRaises(psycopg2.Error) as caught:
                            session.run(sql)
                        self.assertEqual(caught.exception.pgcode, "0A000")
                        self.assertIn(name.lower(), str(caught.exception).lower())



if __name__ == "__main__":
    unittest.main()
