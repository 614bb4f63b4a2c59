# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions of clients on different nodes: who waits for whom and for how long, what ends a wait, what the server repeats by
itself, what is rolled back, and locks whose leader goes away."""
import random
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


class Owner:
    """Changes the rows of `u` whose keys leave a given rest, one statement after the other, and knows what they must be."""

    def __init__(self, session, rest):
        self.session, self.random = session, random.Random(rest)
        self.rows = {k: 0 for k in range(rest, 600, 3)}
        self.keys = list(range(rest, 900, 3))
        self.stopping, self.failure, self.changes = False, None, 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping:
                self._change(self.random.choice(self.keys))
        except Exception as error:  # Told by whoever asks.
            self.failure = error

    def _change(self, key):
        there = key in self.rows
        sql, value = self.random.choice((
            ("UPDATE u SET v = v + 1 WHERE k = %s", self.rows.get(key, 0) + 1),
            ("DELETE FROM u WHERE k = %s", None),
            ("INSERT INTO u (k, v) VALUES (%s, 5) ON CONFLICT (k) DO NOTHING", self.rows.get(key, 5))))
        with self.session.raw.cursor() as cursor:
            try:
                cursor.execute(sql, (key,))
            except psycopg2.Error as error:
                if error.pgcode != "40001":
                    raise
                return
            done = cursor.rowcount
        assert done == (there != sql.startswith("INSERT")), (sql, key, done, there)
        if value is None:
            self.rows.pop(key, None)
        elif there or sql.startswith("INSERT"):
            self.rows[key] = value
        self.changes += 1

    def end(self):
        self.stopping = True
        self.thread.join(60)
        assert not self.thread.is_alive(), "the statement does not end"
        if self.failure is not None:
            raise self.failure


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
        for seen in ("SELECT v FROM t WHERE k = 300", "UPDATE t SET v = 1 WHERE k = 300", "SAVEPOINT s"):
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

    # --- who waits for whom, to be seen --------------------------------------------------------------

    def pid(self, session):
        return session.value("SELECT pg_backend_pid()")

    def test_locks_and_who_waits_for_them_are_shown(self):
        one, two = self.pid(self.one), self.pid(self.two)
        self.one.run("BEGIN")
        self.one.run("SELECT v FROM t WHERE k IN (1, 250) FOR UPDATE")
        waiting = Later(self.two, "UPDATE t SET v = 9 WHERE k = 250")
        wait_until(lambda: self.three.value("SELECT pg_blocking_pids(%s)", (two,)) == [one], "the second to be seen waiting")
        tuples = "SELECT pid, mode, granted, waitstart IS NOT NULL FROM pg_locks WHERE locktype = 'tuple' AND relation = 't'::regclass ORDER BY granted, 1"
        self.assertEqual(self.three.rows(tuples), [
            (two, "ExclusiveLock", False, True), (one, "AccessExclusiveLock", True, False), (one, "AccessExclusiveLock", True, False)])
        # The usual question: who holds what another one waits for?
        for kind in ("tuple", "transactionid"):
            self.assertEqual(self.three.rows(
                "SELECT w.pid, h.pid FROM pg_locks w JOIN pg_locks h ON h.locktype = w.locktype AND h.database IS NOT DISTINCT FROM w.database "
                "AND h.relation IS NOT DISTINCT FROM w.relation AND h.page IS NOT DISTINCT FROM w.page AND h.tuple IS NOT DISTINCT FROM w.tuple "
                "AND h.transactionid IS NOT DISTINCT FROM w.transactionid AND h.pid <> w.pid "
                "WHERE NOT w.granted AND h.granted AND w.locktype = %s", (kind,)), [(two, one)], kind)
        self.assertEqual(self.three.value("SELECT pg_blocking_pids(%s)", (one,)), [])
        self.one.run("COMMIT")
        self.assertIsNone(waiting.end())
        self.assertEqual(self.three.value("SELECT pg_blocking_pids(%s)", (two,)), [])
        wait_until(lambda: self.three.rows(tuples) == [], "nothing to be locked")
        # Locks by name as well.
        self.one.run("SELECT pg_advisory_lock(7)")
        with self.nodes[1].connect() as beside:
            process = self.pid(beside)
            waiting = Later(beside, "SELECT pg_advisory_lock(7)")
            wait_until(lambda: self.one.value("SELECT pg_blocking_pids(%s)", (process,)) == [one], "the other to be seen waiting")
            self.one.run("SELECT pg_advisory_unlock(7)")
            self.assertIsNone(waiting.end())

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

    def test_what_a_savepoint_locked_is_let_go_with_it(self):
        for isolation in ("READ COMMITTED", "SERIALIZABLE"):
            self.one.run("BEGIN ISOLATION LEVEL " + isolation)
            self.one.run("UPDATE t SET v = 1 WHERE k = 1")
            self.one.run("SAVEPOINT a")
            self.one.run("UPDATE t SET v = 1 WHERE k IN (2, 150)")
            self.one.run("SAVEPOINT b")
            self.one.run("SELECT v FROM t WHERE k = 250 FOR UPDATE")
            self.one.run("RELEASE SAVEPOINT b")
            for key in (1, 2, 150, 250):
                self.assertTrue(self.is_locked(key), key)
            waiting = Later(self.two, "UPDATE t SET v = v + 5 WHERE k IN (2, 150, 250)")
            self.one.run("ROLLBACK TO SAVEPOINT a")
            self.assertIsNone(waiting.end())
            self.assertTrue(self.is_locked(1))
            self.one.run("UPDATE t SET v = 3 WHERE k = 1")
            if isolation == "SERIALIZABLE":  # It has seen what they were.
                self.assert_error("40001", "serialize", lambda: self.one.run("COMMIT"))
            else:
                self.one.run("COMMIT")
            self.assertEqual(self.values(1, 2, 150, 250), [0 if isolation == "SERIALIZABLE" else 3, 5, 5, 5])
            self.one.run("UPDATE t SET v = 0 WHERE k IN (1, 2, 150, 250)")

    def test_a_failed_transaction_lets_go_of_what_does_not_count_any_more(self):
        self.one.run("BEGIN ISOLATION LEVEL READ COMMITTED")
        self.one.run("UPDATE t SET v = 1 WHERE k = 1")
        self.one.run("SAVEPOINT a")
        self.one.run("UPDATE t SET v = 1 WHERE k IN (2, 250)")
        self.assert_error("22012", "division by zero", lambda: self.one.run("SELECT 1 / 0"))
        self.two.run("UPDATE t SET v = v + 5 WHERE k IN (2, 250)")
        self.assertTrue(self.is_locked(1))
        self.one.run("ROLLBACK TO SAVEPOINT a")
        self.one.run("UPDATE t SET v = v + 1 WHERE k = 1")
        self.one.run("COMMIT")
        self.assertEqual(self.values(1, 2, 250), [2, 5, 5])
        # Without a savepoint that is all of it.
        self.one.run("BEGIN")
        self.one.run("UPDATE t SET v = 1 WHERE k IN (1, 250)")
        self.assert_error("22012", "division by zero", lambda: self.one.run("SELECT 1 / 0"))
        self.two.run("UPDATE t SET v = v + 5 WHERE k IN (1, 250)")
        self.one.run("ROLLBACK")
        self.assertEqual(self.values(1, 250), [7, 10])

    # --- while the table changes -------------------------------------------------------------------

    def test_rows_are_as_their_writers_left_them_while_their_table_changes(self):
        changes = (
            "ALTER TABLE u ADD COLUMN c INT8 NOT NULL DEFAULT 7",
            "ALTER TABLE u ALTER COLUMN v TYPE NUMERIC",
            "CREATE INDEX u_v ON u (v)",
            "ALTER TABLE u ADD COLUMN d TEXT DEFAULT 'd'",
            "ALTER TABLE u ALTER COLUMN c TYPE TEXT",
            "ALTER TABLE u DROP COLUMN d",
            "ALTER TABLE u ALTER COLUMN v SET NOT NULL",
            "CREATE INDEX u_part ON u ((v + 1)) WHERE v >= 0",
            "ALTER TABLE u ADD CONSTRAINT u_later CHECK (v >= -7) NOT VALID",
            "ALTER TABLE u VALIDATE CONSTRAINT u_later",
            "ALTER TABLE u ADD COLUMN e INT8 UNIQUE CHECK (e > 0), ADD CONSTRAINT u_even CHECK (e % 2 = 0)")
        # As if the table were large: by jobs, in batches.
        self.one.run("SET CLUSTER SETTING sql.schema_change.inline_rows = 10")
        self.addCleanup(lambda: self.nodes[1].connect().run("RESET CLUSTER SETTING sql.schema_change.inline_rows"))
        self.one.run("CREATE TABLE u (k INT8 PRIMARY KEY, v INT8)")
        self.addCleanup(lambda: self.nodes[1].connect().run("DROP TABLE u"))
        self.one.run("INSERT INTO u SELECT i, 0 FROM generate_series(0, 599) i")
        self.one.run("ALTER TABLE u SPLIT AT VALUES (200), (400)")
        self.one.run("ALTER TABLE u SCATTER")
        owners = [Owner(self.nodes[i + 1].connect(), i) for i in range(3)]
        try:
            for i, sql in enumerate(changes):
                before = [owner.changes for owner in owners]
                self.nodes[i % 3 + 1].connect().run(sql)
                wait_until(lambda: all(o.failure or o.changes > n + 5 for o, n in zip(owners, before)), "writers to go on")
        finally:
            for owner in owners:
                owner.end()
        expected = sorted((k, v, "7") for owner in owners for k, v in owner.rows.items())
        for session in (self.one, self.two, self.three):
            self.assertEqual(session.rows("SELECT k, v::INT8, c FROM u ORDER BY k"), expected)
        for value in {v for _, v, _ in expected}:  # By the index.
            self.assertEqual(self.one.rows("SELECT k FROM u WHERE v = %s ORDER BY k", (value,)), [(k,) for k, v, _ in expected if v == value])
            self.assertEqual(self.one.rows("SELECT k FROM u WHERE v + 1 = %s AND v >= 0 ORDER BY k", (value + 1,)),
                             [(k,) for k, v, _ in expected if v == value])

    def test_a_column_is_added_while_rows_change(self):
        # That there are rows is all that it asks; which ones, and what they hold, hangs on nothing.
        self.one.run("CREATE TABLE w (k INT8 PRIMARY KEY, v INT8)")
        self.addCleanup(lambda: self.nodes[1].connect().run("DROP TABLE w"))
        self.one.run("INSERT INTO w VALUES (1, 0)")
        self.one.run("BEGIN")
        self.one.run("ALTER TABLE w ADD COLUMN c INT8 NOT NULL DEFAULT 7")
        self.two.run("UPDATE w SET v = v + 1")
        self.one.run("COMMIT")
        self.assertEqual(self.two.rows("SELECT k, v, c FROM w"), [(1, 1, 7)])


if __name__ == "__main__":
    unittest.main()
