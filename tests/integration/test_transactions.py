# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions of clients on different nodes: who waits for whom and for how long, what ends a wait, what the server repeats by
itself, what is rolled back, and locks whose leader goes away."""
import threading
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
            self.code, self.message = error.pgcode or "none", str(error)

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
        with cls.nodes[1].connect() as session:
            session.run("CREATE TABLE t (k INT8 PRIMARY KEY, v INT8)")
            # In ranges of their own, which may be led anywhere.
            session.run("ALTER TABLE t SPLIT AT VALUES (100), (200)")
            session.run("ALTER TABLE t SCATTER")

    def setUp(self):
        self.one, self.two, self.three = (self.nodes[i].connect() for i in (1, 2, 3))
        for session in (self.one, self.two, self.three):
            self.addCleanup(session.close)
        self.one.run("DELETE FROM t")
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
        for seen in ("SELECT v FROM t WHERE k = 300", "UPDATE t SET v = 1 WHERE k = 300"):
            first = self.circle("BEGIN", seen, "")
            self.assertEqual(first.end(), "40001", seen)
            self.assert_error("25P02", "aborted", lambda: self.one.run("SELECT 1"))
            self.one.run("ROLLBACK")
            self.assertEqual(self.values(1, 200, 300), [1, 1, 0])
            self.one.run("UPDATE t SET v = 0 WHERE k IN (1, 200)")

    # --- who waits, and what ends it ----------------------------------------------------------------

    def test_nowait_and_skip_locked(self):
        self.one.run("BEGIN")
        self.one.run("SELECT v FROM t WHERE k IN (1, 200) FOR UPDATE")
        for key in (1, 200):
            self.assertTrue(self.is_locked(key))
            self.assert_error("55P03", "could not obtain lock",
                              lambda: self.two.run("UPDATE t SET v = 1 WHERE k = (SELECT k FROM t WHERE k = %d FOR UPDATE NOWAIT)" % key))
        self.assertFalse(self.is_locked(2))
        self.two.run("BEGIN")
        rows = self.two.rows("SELECT k FROM t WHERE k IN (1, 2, 199, 200, 300) ORDER BY k FOR UPDATE SKIP LOCKED")
        self.assertEqual(rows, [(2,), (199,), (300,)])
        self.assertEqual(self.three.rows("SELECT k FROM t WHERE k IN (1, 2, 200, 201) ORDER BY k FOR UPDATE SKIP LOCKED"), [(201,)])
        self.two.run("COMMIT")
        self.one.run("COMMIT")
        self.assertFalse(self.is_locked(1))

    def test_readers_share(self):
        self.one.run("BEGIN")
        self.one.run("SELECT v FROM t WHERE k = 200 FOR SHARE")
        self.two.run("BEGIN")
        self.two.run("SELECT v FROM t WHERE k = 200 FOR SHARE NOWAIT")
        self.assertTrue(self.is_locked(200))
        self.one.run("COMMIT")
        self.assertTrue(self.is_locked(200))
        self.two.run("COMMIT")
        self.assertFalse(self.is_locked(200))

    def test_timeouts_end_waits_at_other_nodes(self):
        self.one.run("BEGIN")
        self.one.run("UPDATE t SET v = 1 WHERE k IN (1, 200)")
        for session in (self.two, self.three):
            for key in (1, 200):
                for setting, code in (("lock_timeout", "55P03"), ("statement_timeout", "57014")):
                    session.run("SET %s = '40ms'" % setting)
                    self.assert_error(code, "timeout", lambda: session.run("UPDATE t SET v = 2 WHERE k = %d" % key))
                    session.run("SET %s = 0" % setting)
                    # The wait has left nothing behind: others have the row as soon as its holder lets go.
                    self.assertEqual(session.value("SELECT 1"), 1)
        self.one.run("COMMIT")
        self.two.run("UPDATE t SET v = v + 1 WHERE k IN (1, 200)")
        self.assertEqual(self.values(1, 200), [2, 2])

    def test_a_wait_is_cancelled(self):
        self.one.run("BEGIN")
        self.one.run("UPDATE t SET v = 1 WHERE k = 200")
        waiting = Later(self.two, "UPDATE t SET v = 2 WHERE k IN (1, 200)")
        wait_until(lambda: self.is_locked(1), "the other to have its first row")
        self.two.raw.cancel()
        self.assertEqual(waiting.end(), "57014")
        wait_until(lambda: not self.is_locked(1), "its row to be free")
        self.one.run("ROLLBACK")
        self.assertEqual(self.values(1, 200), [0, 0])

    def test_an_idle_transaction_ends_and_lets_go(self):
        self.one.run("SET idle_in_transaction_session_timeout = '150ms'")
        self.one.run("BEGIN")
        self.one.run("UPDATE t SET v = 1 WHERE k IN (1, 200)")
        self.two.run("UPDATE t SET v = v + 2 WHERE k IN (1, 200)")
        self.assertEqual(self.values(1, 200), [2, 2])
        with self.assertRaises(psycopg2.Error) as caught:
            self.one.run("COMMIT")
        self.assertIn(caught.exception.pgcode, ("25P03", None))
        self.assertNotEqual(self.one.raw.closed, 0)

    def test_a_circle_over_three_nodes_has_one_victim(self):
        sessions = (self.one, self.two, self.three)
        keys = (1, 150, 250)
        for session, key in zip(sessions, keys):
            session.run("BEGIN")
            session.run("UPDATE t SET v = v + 1 WHERE k = %d" % key)
        waits = [Later(session, "UPDATE t SET v = v + 10 WHERE k = %d" % keys[(i + 1) % 3]) for i, session in enumerate(sessions)]
        codes = []
        # Who is let through makes way for the next.
        for _ in range(3):
            done = []
            wait_until(lambda: [done.append(i) for i, each in enumerate(waits) if each is not None and not each.thread.is_alive()],
                       "somebody to get on")
            for i in set(done):
                codes.append(waits[i].end())
                waits[i] = None
                sessions[i].run("ROLLBACK" if codes[-1] else "COMMIT")
            if all(each is None for each in waits):
                break
        self.assertEqual(sorted(str(code) for code in codes), ["40001", "None", "None"])
        self.assertEqual(sum(self.values(*keys)), 22)

    # --- what is rolled back -----------------------------------------------------------------------

    def test_savepoints(self):
        self.one.run("BEGIN")
        self.one.run("UPDATE t SET v = 1 WHERE k IN (1, 150, 250)")
        self.one.run("SAVEPOINT a")
        self.one.run("UPDATE t SET v = 2 WHERE k IN (150, 250)")
        self.one.run("DELETE FROM t WHERE k = 300")
        self.one.run("SAVEPOINT b")
        self.one.run("INSERT INTO t VALUES (1000, 5)")
        self.assert_error("23505", "duplicate key", lambda: self.one.run("INSERT INTO t VALUES (2, 5)"))
        self.one.run("ROLLBACK TO SAVEPOINT b")
        self.assertEqual(self.one.rows("SELECT k, v FROM t WHERE k IN (1, 150, 300, 1000) ORDER BY k"), [(1, 1), (150, 2)])
        self.one.run("ROLLBACK TO SAVEPOINT a")
        self.one.run("UPDATE t SET v = 3 WHERE k = 250")
        self.assertEqual(self.values(1, 150, 250, 300), [0, 0, 0, 0])
        self.one.run("COMMIT")
        self.assertEqual(self.values(1, 150, 250, 300, 1000), [1, 1, 3, 0])
        self.assertFalse(self.is_locked(300))


if __name__ == "__main__":
    unittest.main()
