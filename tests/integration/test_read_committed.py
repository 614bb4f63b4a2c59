# SPDX-License-Identifier: GPL-3.0-or-later
"""READ COMMITTED: each statement has a snapshot of its own, what was read is no conflict, and no update is lost."""
import threading
import unittest

import psycopg2

from cluster import Cluster

WEAK = "BEGIN ISOLATION LEVEL READ COMMITTED"


class ReadCommitted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="weak")
        cls.server.start()
        with cls.server.connect() as session:
            session.run("CREATE TABLE t (a int PRIMARY KEY, n int)")

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def setUp(self):
        self.one, self.two = self.server.connect(), self.server.connect()
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


if __name__ == "__main__":
    unittest.main()
