# SPDX-License-Identifier: GPL-3.0-or-later
"""Advisory locks and LOCK TABLE: who waits for whom, what ends the wait, who may write."""
import threading
import unittest

import psycopg2

from cluster import DEADLINE_S, Cluster, ClusterTest, wait_until


class Locks(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster("locks", shards=2)
        cls.addClassCleanup(cls.server.destroy)
        cls.server.start()

    def setUp(self):
        self.a, self.b = self.server.connect(), self.server.connect()
        self.addCleanup(self.b.close)
        self.addCleanup(self.a.close)

    def later(self, session, sql):
        """Runs it in a thread; returns a function that waits for its end and gives its error code (None: fine)."""
        codes = []

        def work():
            try:
                session.run(sql)
                codes.append(None)
            except psycopg2.Error as error:
                codes.append(error.pgcode)
        thread = threading.Thread(target=work)
        thread.start()

        def end():
            thread.join(DEADLINE_S)
            return codes[0]
        return end

    def wait_for_waiters(self, session, count):
        wait_until(lambda: session.value("SELECT count(*) FROM pg_locks WHERE NOT granted") == count, "%d waiters" % count)

    def test_session_locks_are_counted_and_exclude(self):
        self.a.run("SELECT pg_advisory_lock(1), pg_advisory_lock(1)")
        self.assertEqual(self.b.rows("SELECT pg_try_advisory_lock(1), pg_try_advisory_lock_shared(1), pg_try_advisory_lock(0, 1)"),
                         [(False, False, True)])
        self.assertTrue(self.a.value("SELECT pg_advisory_unlock(1)"))
        self.assertFalse(self.b.value("SELECT pg_try_advisory_lock(1)"))
        self.assertTrue(self.a.value("SELECT pg_advisory_unlock(1)"))
        self.assertTrue(self.b.value("SELECT pg_try_advisory_lock(1)"))
        self.assertFalse(self.a.value("SELECT pg_advisory_unlock(1)"))

    def test_shared_locks_go_together(self):
        self.a.run("SELECT pg_advisory_lock_shared(2)")
        self.assertTrue(self.b.value("SELECT pg_try_advisory_lock_shared(2)"))
        self.assertFalse(self.b.value("SELECT pg_try_advisory_lock(2)"))

    def test_a_lock_ends_with_its_session_or_transaction(self):
        other = self.server.connect()
        other.run("SELECT pg_advisory_lock(3)")
        waiting = self.later(self.b, "SELECT pg_advisory_lock(3)")
        self.wait_for_waiters(self.a, 1)
        other.close()
        self.assertIsNone(waiting())
        for end in ("COMMIT", "ROLLBACK"):
            self.a.run("BEGIN")
            self.a.run("SELECT pg_advisory_xact_lock(4)")
            self.assertFalse(self.b.value("SELECT pg_try_advisory_xact_lock(4)"))
            self.a.run(end)
            self.assertTrue(self.b.value("SELECT pg_try_advisory_xact_lock(4)"))
        self.a.run("SELECT pg_advisory_lock(5)")
        self.a.run("DISCARD ALL")
        self.assertTrue(self.b.value("SELECT pg_try_advisory_lock(5)"))

    def test_a_circle_is_broken(self):
        self.a.run("SELECT pg_advisory_lock(10)")
        self.b.run("SELECT pg_advisory_lock(20)")
        waiting = self.later(self.a, "SELECT pg_advisory_lock(20)")
        with self.server.connect() as watch:
            self.wait_for_waiters(watch, 1)
        self.assert_error("40P01", "deadlock detected", lambda: self.b.run("SELECT pg_advisory_lock(10)"))
        self.b.run("SELECT pg_advisory_unlock(20)")
        self.assertIsNone(waiting())

    def test_waits_end_by_timeouts_and_cancel(self):
        self.a.run("SELECT pg_advisory_lock(30)")
        self.b.run("SET lock_timeout = '50ms'")
        self.assert_error("55P03", "lock timeout", lambda: self.b.run("SELECT pg_advisory_lock(30)"))
        self.b.run("SET lock_timeout = 0; SET statement_timeout = '50ms'")
        self.assert_error("57014", "statement timeout", lambda: self.b.run("SELECT pg_advisory_lock(30)"))
        self.b.run("SET statement_timeout = 0")
        waiting = self.later(self.b, "SELECT pg_advisory_lock(30)")
        self.wait_for_waiters(self.a, 1)
        self.b.raw.cancel()
        self.assertEqual(waiting(), "57014")
        self.assertEqual(self.a.value("SELECT count(*) FROM pg_locks WHERE objid = 30"), 1)

    def test_lock_table_keeps_writers_out_and_lets_readers_in(self):
        self.a.run("CREATE TABLE locked (n int)")
        self.assert_error("25P01", "transaction blocks", lambda: self.a.run("LOCK TABLE locked"))
        self.a.run("BEGIN")
        self.a.run("LOCK TABLE locked IN SHARE MODE")
        self.assertEqual(self.b.value("SELECT count(*) FROM locked"), 0)
        self.b.run("BEGIN")
        self.b.run("SAVEPOINT s")
        self.assert_error("55P03", "could not obtain lock on relation \"locked\"",
                          lambda: self.b.run("LOCK locked IN ROW EXCLUSIVE MODE NOWAIT"))
        self.b.run("ROLLBACK")
        waiting = self.later(self.b, "INSERT INTO locked VALUES (1)")
        self.wait_for_waiters(self.a, 1)
        self.a.run("COMMIT")
        self.assertIsNone(waiting())
        self.assertEqual(self.a.rows("SELECT n FROM locked"), [(1,)])
        self.assertEqual(self.a.value("SELECT count(*) FROM pg_locks WHERE locktype = 'relation'"), 0)


if __name__ == "__main__":
    unittest.main()
