# SPDX-License-Identifier: GPL-3.0-or-later
"""READ COMMITTED: each statement has a snapshot of its own, what was read is no conflict, and no update is lost."""
import threading
import unittest

import psycopg2

from cluster import Cluster
from nodes import Nodes

WEAK = "BEGIN ISOLATION LEVEL READ COMMITTED"


class ReadCommitted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="weak")
        cls.server.start()
        cls.make(cls.server)

    @classmethod
    def make(cls, server):
        with server.connect() as session:
            session.run("CREATE TABLE t (a int PRIMARY KEY, n int, INDEX by_n (n))")

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def sessions(self):
        return self.server.connect(), self.server.connect()

    def setUp(self):
        self.one, self.two = self.sessions()
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)
        self.one.run("DELETE FROM t")
        self.one.run("INSERT INTO t VALUES (1, 10), (2, 20)")

    def test_each_statement_sees_what_was_committed_before_it(self):
        self.one.run(WEAK)
        self.assertEqual(self.one.value("SHOW transaction_isolation"), "read committed")
        self.assertEqual(self.one.value("SELECT n FROM t WHERE a = 1"), 10)
        self.two.run("UPDATE t SET n = 11 WHERE a = 1")
        self.assertEqual(self.one.value("SELECT n FROM t WHERE a = 1"), 11)
        self.one.run("UPDATE t SET n = n + 1 WHERE a = 2")
        self.two.run("UPDATE t SET n = 12 WHERE a = 1")
        self.one.run("COMMIT")
        self.assertEqual(self.one.value("SELECT n FROM t WHERE a = 2"), 21)
        self.assertEqual(self.one.value("SHOW transaction_isolation"), "serializable")

    def test_a_serializable_transaction_is_not(self):
        self.one.run("BEGIN")
        self.assertEqual(self.one.value("SELECT n FROM t WHERE a = 1"), 10)
        self.two.run("UPDATE t SET n = 11 WHERE a = 1")
        self.assertEqual(self.one.value("SELECT n FROM t WHERE a = 1"), 10)
        with self.assertRaises(psycopg2.errors.SerializationFailure):
            self.one.run("UPDATE t SET n = n + 1 WHERE a = 2")
            self.one.run("COMMIT")

    def test_the_level_is_chosen_before_the_first_query(self):
        self.one.run("BEGIN")
        self.one.run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.one.value("SELECT n FROM t WHERE a = 1")
        with self.assertRaises(psycopg2.errors.ActiveSqlTransaction):
            self.one.run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        self.one.run("ROLLBACK")
        self.one.run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self.one.run("BEGIN")
        self.assertEqual(self.one.value("SHOW transaction_isolation"), "read committed")
        self.one.run("COMMIT")

    def test_no_update_is_lost(self):
        def add(session):
            for _ in range(40):
                session.run(WEAK)
                session.value("SELECT sum(n) FROM t")
                session.run("UPDATE t SET n = n + 1 WHERE a = 1")
                session.run("COMMIT")
        threads = [threading.Thread(target=add, args=(session,)) for session in (self.one, self.two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.one.value("SELECT n FROM t WHERE a = 1"), 90)

    def test_the_same_key_twice_is_refused_at_any_level(self):
        self.one.run(WEAK)
        self.one.run("INSERT INTO t VALUES (3, 30)")
        failure = []

        def insert():
            try:
                self.two.run("INSERT INTO t VALUES (3, 31)")
            except psycopg2.Error as error:
                failure.append(error.pgcode)
        thread = threading.Thread(target=insert)
        thread.start()
        self.one.run("COMMIT")
        thread.join()
        self.assertEqual(failure, ["23505"])

    def behind(self, sql, end, level=WEAK):
        """What the statement does in another session (rows, or the number of them) that may wait for this one's `end`."""
        got = []

        def run():
            self.two.run(level)
            with self.two.raw.cursor() as cursor:
                try:
                    cursor.execute(sql)
                    got.append(cursor.fetchall() if cursor.description else cursor.rowcount)
                except psycopg2.Error as error:
                    got.append(error.pgcode)
            try:
                self.two.run("COMMIT")
            except psycopg2.Error as error:
                got[0] = error.pgcode
        thread = threading.Thread(target=run)
        thread.start()
        # Most often it waits by then; on a slow machine it may come late, which must give the same.
        thread.join(0.02)
        self.one.run(end)
        thread.join()
        return got[0]

    def test_nobody_is_left_without_a_parent(self):
        """Whichever comes first: the one that waits looks at what there is by then."""
        self.one.run("CREATE TABLE parent (id int PRIMARY KEY, code int UNIQUE)")
        self.one.run("CREATE TABLE by_id (id int PRIMARY KEY, parent int REFERENCES parent (id))")
        self.one.run("CREATE TABLE by_code (id int PRIMARY KEY, parent int REFERENCES parent (code))")
        self.one.run("CREATE TABLE later (id int PRIMARY KEY, parent int REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        self.one.run("CREATE TABLE owned (id int PRIMARY KEY, parent int REFERENCES parent (id) ON DELETE CASCADE)")
        tables = ("by_id", "by_code", "later", "owned")
        for table in tables:
            insert = "INSERT INTO %s VALUES (1, 1)" % table
            for change in ("DELETE FROM parent WHERE id = 1", "UPDATE parent SET id = 2, code = 2 WHERE id = 1"):
                for first, second in ((insert, change), (change, insert)):
                    with self.subTest(first=first, second=second):
                        self.one.run("INSERT INTO parent VALUES (1, 1)")
                        self.one.run(WEAK)
                        self.one.run(first)
                        got = self.behind(second, "COMMIT")
                        cascades = (table, first) == ("owned", insert) and change.startswith("DELETE")
                        self.assertEqual(got, 1 if cascades else "23503")
                        column = "code" if table == "by_code" else "id"
                        self.assertEqual(self.one.rows("SELECT * FROM %s c WHERE NOT EXISTS (SELECT 1 FROM parent p WHERE p.%s = c.parent)" % (table, column)), [])
                        self.one.run("DELETE FROM %s" % table)
                        self.one.run("DELETE FROM parent")
        self.one.run("DROP TABLE %s, parent" % ", ".join(tables))

    def test_who_waited_for_a_row_looks_at_its_newest_version(self):
        """As PostgreSQL does: the condition is asked again of what the other has left, and the new value is made of that."""
        rows = (
            ("UPDATE t SET n = 11 WHERE a = 1", "UPDATE t SET n = n + 100 WHERE n = 10", 0, 11),
            ("UPDATE t SET n = 11 WHERE a = 1", "UPDATE t SET n = n + 100 WHERE a = 1 AND n >= 10", 1, 111),
            ("UPDATE t SET n = 11 WHERE a = 1", "UPDATE t SET n = n + 100 WHERE n < 20", 1, 111),
            ("UPDATE t SET n = 11 WHERE a = 1", "DELETE FROM t WHERE a = 1 AND n = 10", 0, 11),
            ("UPDATE t SET n = 11 WHERE a = 1", "DELETE FROM t WHERE n = 10", 0, 11),
            ("UPDATE t SET n = 11 WHERE a = 1", "UPDATE t@by_n SET n = n + 100 WHERE n = 10", 0, 11),
            ("UPDATE t SET n = 11 WHERE a = 1", "SELECT n FROM t@by_n WHERE n = 10 FOR UPDATE", [], 11),
            ("UPDATE t SET n = 11 WHERE a = 1", "SELECT n FROM t WHERE a = 1 FOR UPDATE", [(11,)], 11),
            ("UPDATE t SET n = 11 WHERE a = 1", "SELECT n FROM t WHERE a = 1 FOR SHARE", [(11,)], 11),
            ("DELETE FROM t WHERE a = 1", "UPDATE t SET n = 5 WHERE a = 1", 0, None),
            ("DELETE FROM t WHERE a = 1", "SELECT n FROM t WHERE a = 1 FOR UPDATE", [], None),
            ("DELETE FROM t WHERE a = 1", "INSERT INTO t VALUES (1, 7)", 1, 7),
        )
        for first, second, expected, left in rows:
            for end in ("COMMIT", "ROLLBACK"):
                self.one.run("DELETE FROM t")
                self.one.run("INSERT INTO t VALUES (1, 10), (2, 20)")
                self.one.run(WEAK)
                self.one.run(first)
                got = self.behind(second, end)
                if end == "COMMIT":
                    self.assertEqual(got, expected, (first, second))
                    self.assertEqual(self.one.rows("SELECT n FROM t WHERE a = 1"), [] if left is None else [(left,)], second)
                elif second.startswith("INSERT"):
                    self.assertEqual(got, "23505")
                else:
                    self.assertEqual(got, [(10,)] if second.startswith("SELECT") else 1, (first, second))

    def failure(self, session, sql):
        with self.assertRaises(psycopg2.Error) as raised:
            session.run(sql)
        return raised.exception.pgcode

    def test_timeouts_that_are_set_within_the_transaction(self):
        self.one.run("BEGIN")
        self.one.run("SELECT * FROM t WHERE a = 1 FOR UPDATE")
        for setting, code in (("lock_timeout", "55P03"), ("statement_timeout", "57014")):
            self.two.run("BEGIN")
            self.two.run("SET LOCAL %s = '30ms'" % setting)
            self.assertEqual(self.failure(self.two, "UPDATE t SET n = 1 WHERE a = 1"), code)
            self.two.run("ROLLBACK")
        self.one.run("ROLLBACK")

    def test_a_circle_of_two_ends_with_one_victim(self):
        self.one.run(WEAK)
        self.two.run(WEAK)
        self.one.run("UPDATE t SET n = n + 1 WHERE a = 1")
        self.two.run("UPDATE t SET n = n + 1 WHERE a = 2")
        failed = []

        def cross():
            try:
                self.two.run("UPDATE t SET n = n + 1 WHERE a = 1")
                self.two.run("COMMIT")
            except psycopg2.Error as error:
                failed.append(error.pgcode)
                self.two.run("ROLLBACK")
        thread = threading.Thread(target=cross)
        thread.start()
        try:
            self.one.run("UPDATE t SET n = n + 1 WHERE a = 2")
            self.one.run("COMMIT")
        except psycopg2.Error as error:
            failed.append(error.pgcode)
            self.one.run("ROLLBACK")
        thread.join()
        self.assertEqual(len(failed), 1, failed)
        self.assertIn(failed[0], ("40001", "40P01"))
        self.assertEqual(self.one.rows("SELECT n FROM t ORDER BY a"), [(11,), (21,)])


class OnThreeNodes(ReadCommitted):
    """The same with sessions of different nodes."""

    @classmethod
    def setUpClass(cls):
        cls.server = Nodes(3, shards=1)
        cls.server.__enter__()
        cls.server.await_copies()
        cls.make(cls.server[3])

    def sessions(self):
        return self.server[1].connect(), self.server[2].connect()


if __name__ == "__main__":
    unittest.main()
