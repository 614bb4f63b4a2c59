# SPDX-License-Identifier: GPL-3.0-or-later
"""What is too large or too deep gets an answer or PostgreSQL's error, in bounded memory; and long statements can be cancelled."""
import os
import struct
import sys
import threading
import unittest

import psycopg2

from cluster import Cluster, cancelled

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../differential"))
from wire import Wire  # noqa: E402

MEGABYTE = 1 << 20


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="limits", profile="virtual+app", shards=1)
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def setUp(self):
        self.session = self.server.wait_connect("main")

    def tearDown(self):
        self.session.close()
        self.assertTrue(self.server.running(), self.server.output())

    def error(self, sql, params=None):
        with self.assertRaises(psycopg2.Error) as caught:
            self.session.rows(sql, params)
        return caught.exception.pgcode

    def test_nesting(self):
        deep = 100000
        for sql in ("SELECT " + "(" * deep + "1" + ")" * deep, "SELECT " + "1+" * deep + "1", "SELECT " + "NOT " * deep + "true", "SELECT " + "abs(" * deep + "1" + ")" * deep,
                    "SELECT " + "ARRAY[" * deep + "1" + "]" * deep, "SELECT 1" + " UNION SELECT 1" * 30000, "SELECT * FROM " + "(SELECT * FROM " * 5000 + "(VALUES (1)) v" + ") s" * 5000,
                    "SELECT CASE WHEN true THEN " * 20000 + "1" + " END" * 20000):
            try:
                self.session.rows(sql)
            except psycopg2.Error as error:
                self.assertIn(error.pgcode, ("54001", "54000", "53200", "42601"), sql[:60])
        for text, kind in (("[" * deep, "json"), ("[" * deep + "]" * deep, "jsonb"), ("{\"a\":" * deep + "1" + "}" * deep, "jsonb"), ("(" * deep, "int4[]"), ("{" * deep, "int4[]")):
            self.assertIn(self.error("SELECT %s::" + kind, (text,)), ("54001", "54000", "22P02", "53200"))

    def test_columns(self):
        self.session.run("CREATE TABLE wide (%s)" % ", ".join("c%d int" % i for i in range(1600)))
        self.session.run("INSERT INTO wide (c0, c1599) VALUES (1, 2)")
        row = self.session.rows("SELECT * FROM wide")[0]
        self.assertEqual((len(row), row[0], row[1599], row[5]), (1600, 1, 2, None))
        self.assertEqual(self.error("CREATE TABLE wider (%s)" % ", ".join("c%d int" % i for i in range(1601))), "54011")
        self.assertEqual(self.error("ALTER TABLE wide ADD COLUMN one_more int"), "54011")
        self.assertEqual(self.error("SELECT " + ", ".join(["1"] * 1665)), "54011")
        self.assertEqual(len(self.session.rows("SELECT " + ", ".join(["1"] * 1664))[0]), 1664)

    def test_lists(self):
        numbers = ", ".join(str(i) for i in range(50000))
        self.assertEqual(self.session.value("SELECT count(*) FROM generate_series(1, 100) g WHERE g IN (%s)" % numbers), 100)
        self.assertEqual(self.session.value("SELECT count(*) FROM (VALUES %s) v (x)" % ", ".join("(%d)" % i for i in range(50000))), 50000)
        self.assertEqual(self.session.value("SELECT cardinality(%s)", (list(range(100000)),)), 100000)

    def test_identifiers(self):
        name = "n" * 100
        self.session.run("CREATE TABLE %s (%s int)" % (name, name))
        self.assertEqual(self.session.value("SELECT relname FROM pg_class WHERE relname LIKE 'nnn%' AND relkind = 'r'"), "n" * 63)
        self.session.run("INSERT INTO %s (%s) VALUES (7)" % ("n" * 63, "n" * 90))
        self.assertEqual(self.session.value("SELECT %s FROM %s" % (name, name)), 7)

    def test_values_of_megabytes(self):
        self.session.run("CREATE TABLE large (k int PRIMARY KEY, t text, b bytea, j json)")
        text = "x" * (12 * MEGABYTE)
        self.session.run("INSERT INTO large (k, t) VALUES (1, %s)", (text,))
        self.assertEqual(self.session.value("SELECT length(t) FROM large WHERE k = 1"), len(text))
        self.assertEqual(self.session.value("SELECT t FROM large WHERE k = 1"), text)
        data = bytes(range(256)) * (4 * MEGABYTE // 256)
        self.session.run("INSERT INTO large (k, b) VALUES (2, %s)", (psycopg2.Binary(data),))
        self.assertEqual(bytes(self.session.value("SELECT b FROM large WHERE k = 2")), data)
        json = "[" + ",".join(["12345"] * (MEGABYTE // 2)) + "]"
        self.session.run("INSERT INTO large (k, j) VALUES (3, %s)", (json,))
        self.assertEqual(self.session.value("SELECT json_array_length(j) FROM large WHERE k = 3"), MEGABYTE // 2)
        # Longer than a statement may be: a literal of 64 MB is a value, whatever else is that long is not.
        self.assertEqual(self.error("SELECT 1" + "+1" * (9 * MEGABYTE)), "54000")
        self.assertEqual(self.error("COMMENT ON TABLE large IS '%s'" % ("x" * (17 * MEGABYTE))), "54000")
        self.session.run("COMMENT ON TABLE large IS '%s'" % ("x" * (2 * MEGABYTE)))
        self.session.run("INSERT INTO large (k, t) VALUES (4, '%s'), (5, 'small')" % ("y" * 64000000))
        self.assertEqual(self.session.rows("SELECT k, length(t), right(t, 3) FROM large WHERE k IN (4, 5) ORDER BY 1"), [(4, 64000000, "yyy"), (5, 5, "all")])
        self.assertEqual(self.error("INSERT INTO large (k, t) VALUES (6, '%s')" % ("x" * (64 * MEGABYTE + 1))), "54000")
        with self.assertRaises(psycopg2.Error) as caught:
            self.session.rows("SELECT length('%s'), nowhere" % ("é" * (2 * MEGABYTE)))
        self.assertEqual((caught.exception.pgcode, caught.exception.diag.statement_position), ("42703", str(20 + 2 * MEGABYTE)))
        self.assertEqual(self.session.value("SELECT length(repeat('x', 64 * 1024 * 1024))"), 64 * MEGABYTE)
        self.assertIn(self.error("SELECT repeat('x', 2000000000)"), ("54000", "53200"))

    def test_parameters(self):
        """The protocol's most, and one more than there is."""
        count = 65535
        self.session.run("PREPARE most AS SELECT %s" % "+".join("$%d::int" % (i + 1) for i in range(100)))
        self.assertEqual(self.session.value("EXECUTE most (%s)" % ", ".join(["1"] * 100)), 100)
        self.session.run("PREPARE all_of_them AS SELECT cardinality(ARRAY[%s])" % ", ".join("$%d::int" % (i + 1) for i in range(count)))
        self.assertEqual(self.session.value("EXECUTE all_of_them (%s)" % ", ".join(["1"] * count)), count)
        self.assertIn(self.error("PREPARE more AS SELECT $65536::int"), ("54000", "42P02", "08P01"))

    def wire(self, server=None):
        server = server or self.server
        return Wire((server.host, server.port), "root", "defaultdb")

    def test_parameters_of_the_protocol(self):
        """A Bind of 65,535 values, and of one of 64 MB as text and as bytes."""
        wire, count = self.wire(), 65535
        answer = wire.run("SELECT " + "+".join("$%d::int8" % (i + 1) for i in range(100)) + " + cardinality(ARRAY[%s])" % ", ".join("$%d::int4" % (i + 1) for i in range(100, count)), [],
                          [b"1"] * count, [], [], 0)
        self.assertEqual([body[6:] for kind, body in answer if kind == "D"], [str(count).encode()])
        large = b"z" * 64000000
        for code in (0, 1):
            answer = wire.run("SELECT length($1), right($1, 2)", [25], [large], [code], [], 0)
            self.assertEqual([body for kind, body in answer if kind == "D"], [b"\0\2\0\0\0\x0864000000\0\0\0\2zz"])
        answer = wire.run("SELECT octet_length($1)", [17], [b"z" * (68 * MEGABYTE)], [1], [], 0)
        self.assertEqual([body[6:] for kind, body in answer if kind == "D"], [str(68 * MEGABYTE).encode()])
        # A value may be longer than what can be stored; a message has an end.
        answer = wire.run("SELECT octet_length($1)", [17], [b"z" * (161 * MEGABYTE)], [1], [], 0)
        self.assertIn(("error", "54000"), answer)
        self.assertEqual([body[6:] for kind, body in wire.run("SELECT $1", [25], [b"on"], [0], [], 0) if kind == "D"], [b"on"])
        wire.socket.close()

    def test_messages_in_parts(self):
        """The end of a message that comes when most of the buffer is taken is received, too."""
        def query(text):
            return b"Q" + struct.pack("!I", len(text) + 5) + text + b"\0"
        for part in (36, 45, 54):
            wire = self.wire()
            last = query(b"SELECT length('%s')" % (b"y" * (62 * 1024)))
            wire.socket.sendall(query(b"SELECT pg_sleep(0.1)") + query(b"SELECT length('%s')" % (b"x" * (30 * 1024))) + last[:part * 1024])
            wire.until(b"Z")
            wire.until(b"Z")
            wire.socket.sendall(last[part * 1024:])
            self.assertIn(b"63488", [body[6:] for kind, body in wire.until(b"Z") if kind == b"D"])
            wire.socket.close()

    def test_prepared_statements_that_name_each_other(self):
        """A portal that fetches from itself and a statement that executes itself end with an error."""
        def message(kind, body):
            return kind + struct.pack("!I", len(body) + 4) + body
        wire = self.wire()
        for name, text, run in ((b"c", b"FETCH 2 FROM c", b""), (b"p", b"EXECUTE p", b""), (b"e", b"", b"EXPLAIN EXECUTE e")):
            wire.socket.sendall(message(b"P", name + b"\0" + text + b"\0\0\0") + message(b"B", name + b"\0" + name + b"\0" + b"\0" * 6) + message(b"D", b"P" + name + b"\0") +
                                message(b"E", name + b"\0" + b"\0" * 4) + message(b"S", b"") + message(b"Q", (run or b"EXECUTE " + name) + b"\0"))
            answers = wire.until(b"Z") + wire.until(b"Z")
            self.assertTrue(any(kind == b"E" for kind, _ in answers), answers)
        wire.socket.sendall(message(b"Q", b"SELECT 'here'\0"))
        self.assertIn(b"here", [body[6:] for kind, body in wire.until(b"Z") if kind == b"D"])
        wire.socket.close()

    def test_large_messages_within_the_memory(self):
        """What a message needs counts as the session's: over the limit it is read over and refused."""
        self.session.run("SET CLUSTER SETTING sql.memory.session_max = '32 MiB'")
        try:
            wire = self.wire()
            self.assertIn(("error", "53200"), wire.run("SELECT octet_length($1)", [17], [b"z" * (20 * MEGABYTE)], [1], [], 0))
            answer = wire.run("SELECT octet_length($1)", [17], [b"z" * (2 * MEGABYTE)], [1], [], 0)
            self.assertEqual([body[6:] for kind, body in answer if kind == "D"], [str(2 * MEGABYTE).encode()])
            wire.socket.close()
        finally:
            self.session.run("RESET CLUSTER SETTING sql.memory.session_max")

    def test_long_numbers(self):
        """What their working needs is more than a task's stack."""
        for sql, length in (("factorial(32177)", 131068), ("power(2::numeric, 400000)", 120429), ("repeat('9', 130000)::numeric", 130000), ("factorial(20000) / factorial(10001)", 41674),
                            ("sqrt(factorial(20000))", 38669), ("lcm(factorial(10000), factorial(9999) + 1)", 71315), ("mod(factorial(30000), factorial(10000) + 1)", 35660)):
            self.assertEqual(self.session.value("SELECT length((%s)::text)" % sql), length, sql)
        self.assertEqual(self.session.value("SELECT sum(repeat('7', 5000)::numeric * g) = repeat('7', 5000)::numeric * 20100 FROM generate_series(1, 200) g"), True)
        self.assertEqual(self.error("SELECT factorial(20000) * factorial(20001)"), "22003")

    def code_when_cancelled(self, sql, after):
        timer = threading.Timer(after, self.session.raw.cancel)
        timer.start()
        try:
            self.session.rows(sql)
        except psycopg2.Error as error:
            return error.pgcode
        finally:
            timer.join()

    def test_cancel_within_a_call(self):
        """A call that takes long ends when it is cancelled; and a request that comes too late harms nobody."""
        self.assertIn(self.code_when_cancelled("SELECT jsonb_array_length(('[' || repeat('1, ', 5000000) || '1]')::jsonb)", 0.1), ("57014",))
        for number in range(12):
            self.assertIn(self.code_when_cancelled("SELECT length(replace(repeat('abc', 4000000), 'b', 'xyz')), length(upper(repeat('abc', 3000000)))", 0.02 * number), ("57014", None))
            self.assertEqual(self.session.value("SELECT %d" % number), number)
        for _ in range(20):
            self.session.raw.cancel()
            self.assertEqual(self.session.value("SELECT 5"), 5)

    def test_many_rows_and_cancel(self):
        self.session.run("BEGIN")
        with self.session.raw.cursor() as cursor:
            cursor.execute("DECLARE many CURSOR FOR SELECT g FROM generate_series(1, 2000000) g")
            seen = 0
            while True:
                cursor.execute("FETCH 20000 FROM many")
                rows = cursor.fetchall()
                seen += len(rows)
                if len(rows) < 20000 or seen >= 200000:
                    break
        self.session.run("ROLLBACK")
        self.assertEqual(seen, 200000)
        for sql in ("SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b", "SELECT sum(a * b) FROM generate_series(1, 100000) a JOIN generate_series(1, 100000) b ON a <> b",
                    "WITH RECURSIVE w (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w) SELECT count(*) FROM w"):
            # Each would take hours.
            with self.server.connect("main") as watcher, cancelled(self.session, watcher):
                self.assertIn(self.error(sql), ("57014", "53200"))


if __name__ == "__main__":
    unittest.main()
