# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of transactions: what sessions see of each other's, and what is said of those that did not come to their end."""
import threading
import unittest

import psycopg2

from cluster import Cluster, wait_until

SNAPSHOT = "SELECT pg_current_snapshot()::text"


class TransactionIds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="xact")
        cls.server.start()
        with cls.server.connect() as session:
            session.run("CREATE TABLE log (id xid8 DEFAULT pg_current_xact_id(), n int)")
            session.run("CREATE TABLE place (n int)")

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def setUp(self):
        self.one, self.two = self.server.connect(), self.server.connect()
        self.addCleanup(self.one.close)
        self.addCleanup(self.two.close)

    def begin(self, session, how="BEGIN"):
        session.run(how)
        return int(session.value("SELECT pg_current_xact_id()::text"))

    def snapshot(self, session):
        least, following, running = session.value(SNAPSHOT).split(":")
        return int(least), int(following), [int(x) for x in running.split(",") if x]

    def status(self, session, number):
        return session.value("SELECT pg_xact_status('%d')" % number)

    def test_numbers_grow_as_they_are_taken(self):
        first = self.begin(self.one)
        second = self.begin(self.two)
        self.assertLess(first, second)
        self.one.run("COMMIT")
        self.assertLess(second, self.begin(self.one))
        self.one.run("ROLLBACK")
        self.two.run("ROLLBACK")

    def test_a_running_transaction_holds_the_horizon(self):
        running = self.begin(self.one)
        with self.server.connect() as other:
            other.run("INSERT INTO log (n) VALUES (1)")
        least, following, open_ones = self.snapshot(self.two)
        self.assertEqual(least, running)
        self.assertEqual(open_ones, [running])
        self.assertLess(running, following)
        self.assertEqual(self.status(self.two, running), "in progress")
        self.one.run("COMMIT")
        self.assertEqual(self.status(self.two, running), "committed")
        least, following, open_ones = self.snapshot(self.two)
        self.assertEqual((least, open_ones), (following, []))

    def test_one_that_is_rolled_back_is_aborted_and_holds_nothing(self):
        gone = self.begin(self.one)
        self.one.run("ROLLBACK")
        self.assertEqual(self.status(self.two, gone), "aborted")
        self.assertGreater(self.snapshot(self.two)[0], gone)

    def test_one_whose_session_is_gone_is_aborted(self):
        lost = self.server.connect()
        gone = self.begin(lost)
        lost.close()
        wait_until(lambda: self.status(self.two, gone) == "aborted", "the lost transaction ends")

    def test_a_snapshot_says_what_its_rows_say(self):
        self.one.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.one.value("SELECT count(*) FROM log")
        with self.server.connect() as other:
            number = int(other.value("INSERT INTO log (n) VALUES (7) RETURNING id::text"))
        visible = "SELECT pg_visible_in_snapshot('%d', pg_current_snapshot())" % number
        self.assertIs(self.one.value(visible), False)
        self.assertEqual(self.one.value("SELECT count(*) FROM log WHERE id = '%d'" % number), 0)
        self.assertEqual(self.status(self.one, number), "committed")
        self.one.run("COMMIT")
        self.assertIs(self.one.value(visible), True)

    def test_a_statement_has_its_own_snapshot_at_read_committed(self):
        self.one.run("BEGIN ISOLATION LEVEL READ COMMITTED")
        self.one.value(SNAPSHOT)
        with self.server.connect() as other:
            number = int(other.value("INSERT INTO log (n) VALUES (8) RETURNING id::text"))
        self.assertIs(self.one.value("SELECT pg_visible_in_snapshot('%d', pg_current_snapshot())" % number), True)
        self.one.run("COMMIT")

    def test_a_savepoint_does_not_take_the_number_back(self):
        self.one.run("BEGIN")
        self.one.run("SAVEPOINT s")
        number = int(self.one.value("SELECT pg_current_xact_id()::text"))
        self.one.run("INSERT INTO log (n) VALUES (9)")
        self.one.run("ROLLBACK TO s")
        self.one.run("INSERT INTO log (n) VALUES (10)")
        self.assertEqual(int(self.one.value("SELECT pg_current_xact_id()::text")), number)
        self.assertEqual(self.status(self.two, number), "in progress")
        self.one.run("COMMIT")
        self.assertEqual(self.status(self.two, number), "committed")

    def test_none_is_given_where_nothing_is_written(self):
        self.one.run("BEGIN READ ONLY")
        with self.assertRaises(psycopg2.errors.ReadOnlySqlTransaction):
            self.one.value("SELECT pg_current_xact_id()")
        self.one.run("ROLLBACK")
        self.assertIsNone(self.one.value("SELECT pg_current_xact_id_if_assigned()"))

    # An outbox: whoever reads what lies below the horizon, and goes on from there, misses nothing.
    def test_readers_below_the_horizon_miss_nothing(self):
        failures = []
        done = threading.Event()

        def write(which):
            try:
                with self.server.connect() as session:
                    for i in range(40):
                        session.run("BEGIN ISOLATION LEVEL READ COMMITTED")
                        session.run("INSERT INTO log (n) VALUES (%d)" % (1000 + which * 100 + i))
                        session.run("ROLLBACK" if i % 5 == 4 else "COMMIT")
            except psycopg2.Error as error:
                failures.append(error)

        writers = [threading.Thread(target=write, args=(which,)) for which in range(4)]
        for writer in writers:
            writer.start()
        threading.Thread(target=lambda: ([writer.join() for writer in writers], done.set())).start()
        seen, upto = [], 0
        while True:
            last = done.is_set()
            self.one.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            horizon = int(self.one.value("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))
            rows = self.one.rows("SELECT n FROM log WHERE n >= 1000 AND id >= '%d' AND id < '%d'" % (upto, horizon))
            self.one.run("COMMIT")
            seen += [row[0] for row in rows]
            self.assertGreaterEqual(horizon, upto)
            upto = horizon
            if last:
                break
        self.assertEqual(failures, [])
        self.assertEqual(sorted(seen), sorted(1000 + w * 100 + i for w in range(4) for i in range(40) if i % 5 != 4))


if __name__ == "__main__":
    unittest.main()
