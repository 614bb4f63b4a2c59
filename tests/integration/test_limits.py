# SPDX-License-Identifier: GPL-3.0-or-later
"""What is too large or too deep gets an answer or PostgreSQL's error, in bounded memory; and long statements can be cancelled."""
import os
import threading
import time
import unittest

import psycopg2

from cluster import Cluster

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
        # Longer than a statement may be, and than a value.
        self.assertEqual(self.error("SELECT %s", ("x" * (17 * MEGABYTE),)), "54000")
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

    def test_many_rows_and_cancel(self):
        with self.session.raw.cursor() as cursor:
            cursor.execute("COPY (SELECT g, repeat('x', 50) FROM generate_series(1, 300000) g) TO STDOUT") if False else None
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
            timer = threading.Timer(0.3, self.session.raw.cancel)
            timer.start()
            start = time.monotonic()
            self.assertIn(self.error(sql), ("57014", "53200"))
            timer.cancel()
            self.assertLess(time.monotonic() - start, 20)


if __name__ == "__main__":
    unittest.main()
