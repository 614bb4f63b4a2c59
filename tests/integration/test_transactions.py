# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions of clients on different nodes: who waits for whom and for how long, what ends a wait, what the server repeats by
itself, what is rolled back, and locks whose leader goes away."""
import threading
import time
import unittest

import psycopg2

from cluster import ClusterTest, wait_until
from nodes import Nodes


class Later:
    """A statement in a thread of its own."""

    def __init__(self, session, sql):
        self.code = self.rows = None
        self.thread = threading.Thread(target=self._run, args=(session, sql))
        self.thread.start()

    def _run(self, session, sql):
        try:
            with session.raw.cursor() as cursor:
                cursor.execute(sql)
                self.rows = cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self.code = error.pgcode or "none"

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive(), "the statement does not end"
        return self.code


class Transactions(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.nodes = Nodes(3, shards=1)
        cls.nodes.__enter__()
        cls.addClassCleanup(cls.nodes.__exit__, None, None, None)
        cls.nodes.await_copies()

    def setUp(self):
        self.one, self.two, self.three = (self.nodes[i].connect() for i in (1, 2, 3))
        for session in (self.one, self.two, self.three):
            self.addCleanup(session.close)
        self.one.run("DROP TABLE IF EXISTS t")
        # In ranges of their own, which may be led anywhere.
        self.one.run("CREATE TABLE t (k INT8 PRIMARY KEY, v INT8)")
        self.one.run("ALTER TABLE t SPLIT AT VALUES (100), (200)")
        self.one.run("ALTER TABLE t SCATTER")
        self.one.run("INSERT INTO t SELECT i, 0 FROM generate_series(1, 300) i")

    def values(self, *keys):
        return [row[0] for row in self.three.rows("SELECT v FROM t WHERE k = ANY(%s) ORDER BY k", (list(keys),))]

    def is_locked(self, key):
        """Whether somebody else than the third holds the row."""
        try:
            self.three.run("SELECT k FROM t WHERE k = %d FOR UPDATE NOWAIT" % key)
            return False
        except psycopg2.Error as error:
            self.assertEqual(error.pgcode, "55P03")
            return True

    # --- what the server repeats -------------------------------------------------------------------

    def circle(self, *before):
        """The second client holds 200 and wants 1; the first, with what is given first, holds 1 by a statement that wants 200 next. It
        is the younger one, and so gives way."""
        self.two.run("BEGIN")
        self.two.run("UPDATE t SET v = v + 1 WHERE k = 200")
        for sql in before[:-1]:
            self.one.run(sql)
        first = Later(self.one, before[-1] + "UPDATE t SET v = v + 10 WHERE k IN (1, 200)")
        wait_until(lambda: self.is_locked(1), "the first row to be locked")
        self.two.run("UPDATE t SET v = v + 1 WHERE k = 1")
        self.two.run("COMMIT")
        return first

    def test_the_first_statement_of_a_transaction_is_repeated(self):
        self.assertIsNone(self.circle("BEGIN", "SET LOCAL application_name = 'kept'", "").end())
        self.assertEqual(self.one.value("SELECT v FROM t WHERE k = 1"), 11)
        self.assertEqual(self.one.value("SHOW application_name"), "kept")
        self.one.run("COMMIT")
        self.assertEqual(self.values(1, 200), [11, 11])

    def test_statements_of_one_message_are_repeated_together(self):
        self.assertIsNone(self.circle("BEGIN; UPDATE t SET v = v + 100 WHERE k = 300; ").end())
        self.one.run("COMMIT")
        self.assertEqual(self.values(1, 200, 300), [11, 11, 100])

    def test_what_a_client_has_seen_is_not_repeated(self):
        for seen in ("SELECT v FROM t WHERE k = 300", "UPDATE t SET v = 1 WHERE k = 300", "SAVEPOINT s"):
            first = self.circle("BEGIN", seen, "")
            self.assertEqual(first.end(), "40001", seen)
            self.assert_error("25P02", "aborted", lambda: self.one.run("SELECT 1"))
            self.one.run("ROLLBACK")
            self.assertEqual(self.values(1, 200, 300), [1, 1, 0])
            self.one.run("UPDATE t SET v = 0 WHERE k IN (1, 200)")


if __name__ == "__main__":
    unittest.main()
