# SPDX-License-Identifier: GPL-3.0-or-later
"""Schema changes of tables that are in use: they go on after kill -9 from where they were, can be paused, resumed and taken
back whole, and neither wait for readers and writers nor make them wait. Every index agrees with its table after."""
import random
import subprocess
import threading
import time
import unittest

import psycopg2

from cluster import DEADLINE_S, ClusterTest, wait_until

ROWS = 12000
SMALL = 100
GONE = ("57P01", "57P03", "08000", "08006", "3D000", None)


class Writer(threading.Thread):
    """Changes rows all the time, through kills."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server, self.random = server, random.Random(seed)
        self.stopping, self.failure = False, None
        self.statements = 0

    def run(self):
        while not self.stopping:
            try:
                with self.server.connect("main") as session:
                    while not self.stopping:
                        self.change(session)
            except psycopg2.Error as error:
                if error.pgcode not in GONE:
                    self.failure = error
                    return
                time.sleep(0.02)

    def change(self, session):
        key = self.random.randrange(ROWS * 2)
        sql, params = self.random.choice((
            ("UPDATE t SET v = %s WHERE id = %s", (str(self.random.randrange(1000000)), key)),
            ("DELETE FROM t WHERE id = %s", (key,)),
            ("INSERT INTO t (id, v) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET v = excluded.v", (key, str(key))),
            ("SELECT v FROM t WHERE id = %s", (key,))))
        try:
            session.run(sql, params)
        except psycopg2.Error as error:
            if error.pgcode != "40001":
                raise
        self.statements += 1


class Updater(Writer):
    """Changes the same few rows, adds none. What a literal means is the column's type of the time."""

    def change(self, session):
        try:
            session.run("UPDATE t SET v = %s WHERE id = %s", (str(self.statements), self.random.randrange(SMALL)))
        except psycopg2.Error as error:
            if error.pgcode != "40001":
                raise
        self.statements += 1


class Change(threading.Thread):
    def __init__(self, server, sql, timeout_ms=0):
        super().__init__(daemon=True)
        self.server, self.sql, self.error = server, sql, None
        self.session = server.connect("main")
        self.session.run(f"SET statement_timeout = {timeout_ms}")
        self.pid = self.session.raw.get_backend_pid()
        self.start()

    def run(self):
        try:
            with self.session as session:
                session.run(self.sql)
        except psycopg2.Error as error:
            self.error = error


class SchemaChanges(ClusterTest):
    def setUp(self):
        self.server = self.cluster("changes", profile="virtual+app")
        with self.server.wait_connect("main") as session:
            session.run("CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL)")
            session.run("CREATE INDEX t_v ON t (v)")
            session.run("INSERT INTO t SELECT g, g::text FROM generate_series(0, %s) g", (ROWS - 1,))
        self.rate(3000)
        self.workers = []

    def start_writing(self):
        self.workers = [Writer(self.server, seed) for seed in range(2)]
        for worker in self.workers:
            worker.start()

    def rate(self, rows):
        with self.server.wait_connect("main") as session:
            session.run(f"SET CLUSTER SETTING sql.schema_change.max_rows_per_second = {rows}")

    def job(self):
        """The newest schema change: id, status, fraction."""
        with self.server.wait_connect("main") as session:
            found = session.rows(
                "SELECT job_id, status, fraction_completed, description FROM [SHOW JOBS] WHERE job_type = 'SCHEMA CHANGE' "
                "AND description LIKE 'ALTER%' OR description LIKE 'CREATE%INDEX t_n%' ORDER BY created DESC LIMIT 1")
            return found[0] if found else (None, None, 0.0, None)

    def await_fraction(self, least):
        wait_until(lambda: self.job()[1] == "running" and self.job()[2] > least, f"progress beyond {least}")

    def await_status(self, status):
        wait_until(lambda: self.job()[1] == status, f"a job that is {status}")

    def finish_writing(self):
        for worker in self.workers:
            worker.stopping = True
        for worker in self.workers:
            worker.join(DEADLINE_S)
            self.assertIsNone(worker.failure)
            self.assertGreater(worker.statements, 20)

    def check_indexes(self, *indexes):
        with self.server.wait_connect("main") as session:
            rows = session.value("SELECT count(*) FROM t")
            for index in indexes:
                self.assertEqual(session.value(f"SELECT count(*) FROM t@{index} WHERE v IS NOT NULL"), rows, index)
                self.assertEqual(session.value(
                    f"SELECT count(*) FROM t a WHERE NOT EXISTS (SELECT 1 FROM t@{index} b WHERE b.id = a.id AND b.v = a.v)"),
                    0, index)

    def test_a_change_of_type_survives_kills_and_blocks_nobody(self):
        self.start_writing()
        change = Change(self.server, "ALTER TABLE t ALTER COLUMN v TYPE int USING v::int")
        fractions = []
        for least in (0.1, 0.4):
            self.await_fraction(least)
            before = self.job()[2]
            self.server.kill()
            self.server.start()
            wait_until(lambda: self.job()[1] == "running", "the job to go on")
            # From its checkpoint: it has not begun anew.
            self.assertGreaterEqual(self.job()[2], before)
            fractions.append(before)
        # Nobody waits for the rewrite, were it to take an hour.
        self.rate(1)
        before = [worker.statements for worker in self.workers]
        wait_until(lambda: all(worker.statements > past + 20 for worker, past in zip(self.workers, before)), "writers to go on")
        self.assertEqual(self.job()[1], "running")
        self.rate(0)
        self.await_status("succeeded")
        change.join(DEADLINE_S)
        self.assertIsNotNone(change.error)  # Its connection was lost.
        self.assertLess(fractions[0], fractions[1])
        self.finish_writing()
        self.check_indexes("t_v", "t_pkey")
        with self.server.connect("main") as session:
            self.assertEqual(session.value("SELECT pg_typeof(v)::text FROM t LIMIT 1"), "integer")

    def test_an_index_is_filled_through_a_kill_a_pause_and_a_cancel(self):
        self.start_writing()
        Change(self.server, "CREATE INDEX t_n ON t (v DESC)")
        self.await_fraction(0.1)
        before = self.job()[2]
        self.server.kill()
        self.server.start()
        wait_until(lambda: self.job()[1] == "running" and self.job()[2] >= before, "the job to go on")
        with self.server.connect("main") as session:
            session.run(f"PAUSE JOB {self.job()[0]}")
        self.await_status("paused")
        with self.server.connect("main") as session:
            session.run(f"RESUME JOB {self.job()[0]}")
        self.await_status("succeeded")
        change = Change(self.server, "CREATE INDEX t_n2 ON t (v, id)")
        self.await_fraction(0.1)
        with self.server.connect("main") as session:
            session.run(f"CANCEL JOB {self.job()[0]}")
        self.await_status("canceled")
        change.join(DEADLINE_S)
        self.assertEqual(change.error.pgcode, "57014")
        self.finish_writing()
        self.check_indexes("t_v", "t_n")
        with self.server.connect("main") as session:
            self.assertEqual(session.value("SELECT count(*) FROM pg_indexes WHERE indexname = 't_n2'"), 0)

    def shape(self):
        """What a schema change changes."""
        with self.server.wait_connect("main") as session:
            return session.rows(
                "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
                "WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped "
                "UNION ALL SELECT indexname::text, indexdef, true FROM pg_indexes WHERE tablename = 't' "
                "UNION ALL SELECT conname::text, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
                "WHERE conrelid = 't'::regclass ORDER BY 1, 2")

    def test_who_cancels_the_statement_cancels_its_job(self):
        def request(change):
            change.session.raw.cancel()

        def signal(change):
            with self.server.connect("main") as session:
                self.assertTrue(session.value("SELECT pg_cancel_backend(%s)", (change.pid,)))

        def query(change):
            with self.server.connect("main") as session:
                session.run("CANCEL QUERIES (SELECT query_id FROM [SHOW CLUSTER STATEMENTS] WHERE query LIKE 'ALTER TABLE t %')")

        def timeout(change):
            pass  # What it was told before.

        before = self.shape()
        self.rate(300)
        self.start_writing()
        for sql, cancel in (
                ("CREATE INDEX t_n ON t (v DESC)", request),
                ("CREATE INDEX t_n ON t (v) WHERE v <> ''", signal),
                ("ALTER TABLE t ALTER COLUMN v TYPE int USING v::int", request),
                ("ALTER TABLE t ALTER COLUMN v TYPE int USING v::int", query),
                ("ALTER TABLE t ADD COLUMN w text NOT NULL DEFAULT random()::text", signal),
                ("ALTER TABLE t ADD CONSTRAINT t_length CHECK (length(v) < 100)", request),
                ("ALTER TABLE t ALTER COLUMN v TYPE int USING v::int", timeout)):
            with self.subTest(sql, cancel=cancel.__name__):
                change = Change(self.server, sql, 2000 if cancel is timeout else 0)
                if cancel is not timeout:
                    wait_until(lambda: self.job()[3] == sql and self.job()[1] == "running" and self.job()[2] > 0.01, "progress")
                cancel(change)
                change.join(DEADLINE_S)
                self.assertEqual(change.error.pgcode, "57014")
                self.assertIn("statement timeout" if cancel is timeout else "user request", str(change.error))
                # All of it is taken back by the time that the client hears of it.
                self.assertEqual(self.job()[1], "canceled")
                self.assertEqual(self.shape(), before)
        self.rate(0)
        self.finish_writing()
        self.check_indexes("t_v", "t_pkey")
        with self.server.connect("main") as session:
            session.run("CREATE INDEX t_n ON t (v DESC)")
            session.run("ALTER TABLE t ALTER COLUMN v TYPE int USING v::int")
        self.check_indexes("t_v", "t_n", "t_pkey")

    def test_who_ends_the_session_leaves_its_job(self):
        self.rate(300)
        change = Change(self.server, "CREATE INDEX t_n ON t (v DESC)")
        self.await_fraction(0.01)
        with self.server.connect("main") as session:
            self.assertTrue(session.value("SELECT pg_terminate_backend(%s)", (change.pid,)))
        change.join(DEADLINE_S)
        self.assertIn(change.error.pgcode, GONE)
        self.assertEqual(self.job()[1], "running")
        self.rate(0)
        self.await_status("succeeded")
        self.check_indexes("t_v", "t_n")

    def test_constraints_are_checked_through_kills(self):
        with self.server.connect("main") as session:
            session.run("CREATE TABLE p (id int PRIMARY KEY)")
            session.run("INSERT INTO p SELECT generate_series(0, %s)", (2 * ROWS,))
        self.start_writing()
        for sql in ("ALTER TABLE t ADD CONSTRAINT t_length CHECK (length(v) < 100)",
                    "ALTER TABLE t ADD CONSTRAINT t_p FOREIGN KEY (id) REFERENCES p"):
            Change(self.server, sql)
            wait_until(lambda: self.job()[3] == sql and self.job()[1] == "running" and self.job()[2] > 0.1, "progress")
            before = self.job()[2]
            self.server.kill()
            self.server.start()
            wait_until(lambda: self.job()[1] == "running", "the job to go on")
            # From its checkpoint: it has not begun anew.
            self.assertGreaterEqual(self.job()[2], before)
            self.await_status("succeeded")
        self.finish_writing()
        self.rate(0)
        with self.server.connect("main") as session:
            for sql, code, name in (("INSERT INTO t VALUES (-2, repeat('x', 100))", "23514", "t_length"),
                                    ("INSERT INTO t VALUES (-2, 'x')", "23503", "t_p"),
                                    ("ALTER TABLE t ADD CONSTRAINT t_not CHECK (id <> (SELECT max(id) FROM t))", "0A000", None)):
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run(sql)
                self.assertEqual((caught.exception.pgcode, caught.exception.diag.constraint_name), (code, name))
            last = session.value("SELECT max(id) FROM t")
            with self.assertRaises(psycopg2.Error) as caught:
                session.run("ALTER TABLE t ADD CONSTRAINT t_last CHECK (id <> %s)", (last,))
            diag = caught.exception.diag
            self.assertEqual((diag.sqlstate, diag.schema_name, diag.table_name, diag.constraint_name),
                             ("23514", "public", "t", "t_last"))
            self.assertEqual(session.value("SELECT count(*) FROM pg_constraint WHERE conname = 't_last'"), 0)

    def test_a_change_of_type_is_taken_back_whole(self):
        self.start_writing()
        change = Change(self.server, "ALTER TABLE t ALTER COLUMN v TYPE bigint USING v::bigint")
        self.await_fraction(0.1)
        with self.server.connect("main") as session:
            session.run(f"PAUSE JOB {self.job()[0]}")
        self.await_status("paused")
        change.join(DEADLINE_S)
        self.assertEqual(change.error.pgcode, "55000")
        self.server.kill()
        self.server.start()
        self.assertEqual(self.job()[1], "paused")
        with self.server.connect("main") as session:
            session.run(f"CANCEL JOB {self.job()[0]}")
        self.await_status("canceled")
        self.rate(0)
        self.finish_writing()
        self.check_indexes("t_v", "t_pkey")
        with self.server.connect("main") as session:
            self.assertEqual(session.value("SELECT pg_typeof(v)::text FROM t LIMIT 1"), "text")
            session.run("INSERT INTO t VALUES (-1, 'words')")
            session.run("DELETE FROM t WHERE id = -1")
            session.run("ALTER TABLE t ALTER COLUMN v TYPE bigint USING v::bigint")
        self.check_indexes("t_v", "t_pkey")

    def test_what_others_change_during_a_rewrite_stays(self):
        with self.server.connect("main") as session:
            session.run("CREATE USER reader")
            change = Change(self.server, "ALTER TABLE t ALTER COLUMN v TYPE int USING v::int")
            self.await_fraction(0.05)
            session.run("ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 600")
            session.run("ALTER INDEX t@t_v CONFIGURE ZONE USING gc.ttlseconds = 700")
            session.run("GRANT SELECT (v) ON t TO reader")
            self.assertEqual(self.job()[1], "running")
            self.rate(0)
            self.await_status("succeeded")
            change.join(DEADLINE_S)
            self.assertIsNone(change.error)
            self.assertEqual(session.value("SELECT pg_typeof(v)::text FROM t LIMIT 1"), "integer")
            for what, seconds in (("TABLE t", 600), ("INDEX t@t_v", 700)):
                target, sql = session.rows("SHOW ZONE CONFIGURATION FROM " + what)[0]
                self.assertTrue(target.startswith(what.split()[0]), target)
                self.assertIn(f"gc.ttlseconds = {seconds},", sql)
            self.assertTrue(session.value("SELECT has_column_privilege('reader', 't', 'v', 'SELECT')"))
        self.check_indexes("t_v", "t_pkey")

    def test_a_change_of_a_small_table_gets_past_constant_writers(self):
        """Within the statement it takes half a second and more, in which rows are written to many times."""
        with self.server.connect("main") as session:
            session.run("TRUNCATE t")
            session.run("INSERT INTO t SELECT g, g::text FROM generate_series(0, %s) g", (SMALL - 1,))
            self.workers = [Updater(self.server, seed) for seed in range(2)]
            for worker in self.workers:
                worker.start()
            wait_until(lambda: all(worker.statements > 0 for worker in self.workers), "writers at work")
            session.run("ALTER TABLE t ALTER COLUMN v TYPE int USING v::int + 0 * length('' || pg_sleep(0.005)::text)")
            self.assertEqual(session.value("SELECT pg_typeof(v)::text FROM t LIMIT 1"), "integer")
        self.finish_writing()
        self.check_indexes("t_v", "t_pkey")

    def test_equal_deferrable_keys_of_two_transactions_do_not_both_commit(self):
        with self.server.connect("main") as one, self.server.connect("main") as two:
            for number, level in enumerate(("SERIALIZABLE", "READ COMMITTED")):
                one.run(f"CREATE TABLE k{number} (a int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, b int)")
                for session, value in ((one, 1), (two, 2)):
                    session.run(f"BEGIN ISOLATION LEVEL {level}")
                    session.run(f"INSERT INTO k{number} VALUES (7, {value})")
                one.run("COMMIT")
                with self.assertRaises(psycopg2.Error) as caught:
                    two.run("COMMIT")
                self.assertIn(caught.exception.pgcode, ("40001", "23505"))
                self.assertEqual(one.rows(f"SELECT a, b FROM k{number}"), [(7, 1)])
            dump = subprocess.run(["pg_dump", "--dbname", self.server.url("main"), "-t", "k0"],
                                  capture_output=True, text=True, timeout=60, check=True).stdout
            self.assertIn("ADD CONSTRAINT k0_pkey PRIMARY KEY (a) DEFERRABLE INITIALLY DEFERRED;", dump)
            shown = subprocess.run(["psql", self.server.url("main"), "-c", "\\d k0"],
                                   capture_output=True, text=True, timeout=60, check=True).stdout
            self.assertIn('"k0_pkey" PRIMARY KEY, btree (a) DEFERRABLE INITIALLY DEFERRED', shown)

    def test_who_looks_at_the_catalog_is_no_party_to_schema_changes(self):
        """A serializable transaction that has listed functions and tables (as drivers do by themselves) and then writes commits."""
        with self.server.connect("main") as one, self.server.connect("main") as two:
            one.run("CREATE TABLE looked (a int PRIMARY KEY); CREATE TABLE changed (a int)")
            one.run("BEGIN ISOLATION LEVEL SERIALIZABLE")
            one.rows("SELECT proname, oid FROM pg_proc WHERE proname = 'lo_open'")
            self.assertEqual(one.value("SELECT count(*) FROM pg_class WHERE relname = 'later'"), 0)
            one.run("INSERT INTO looked VALUES (1)")
            two.run("BEGIN; TRUNCATE changed; INSERT INTO changed VALUES (1); COMMIT")
            two.run("CREATE TABLE later (a int)")
            # As of its snapshot.
            self.assertEqual(one.value("SELECT count(*) FROM pg_class WHERE relname = 'later'"), 0)
            one.run("COMMIT")
            self.assertEqual(two.value("SELECT count(*) FROM looked"), 1)

    def test_ddl_of_one_transaction_is_rolled_back_whole(self):
        with self.server.connect("main") as session:
            before = session.rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' ORDER BY 1")
            rows = session.rows("SELECT id, v FROM t ORDER BY id LIMIT 50")
            session.run("BEGIN")
            session.run("ALTER TABLE t ADD COLUMN w int DEFAULT 5")
            session.run("CREATE INDEX t_w ON t (w)")
            session.run("ALTER TABLE t ALTER COLUMN v TYPE int USING v::int")
            session.run("CREATE TABLE u (id int PRIMARY KEY REFERENCES t (id))")
            session.run("ALTER TABLE t RENAME TO other")
            session.run("INSERT INTO u SELECT min(id) FROM other")
            session.run("DROP INDEX t_v")
            self.assertEqual(session.value("SELECT sum(w) / count(*) FROM other"), 5)
            session.run("ROLLBACK")
            self.assertEqual(session.rows(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't' ORDER BY 1"), before)
            self.assertEqual(session.rows("SELECT id, v FROM t ORDER BY id LIMIT 50"), rows)
            self.assert_error("42P01", "u", lambda: session.run("SELECT * FROM u"))
        self.check_indexes("t_v", "t_pkey")


if __name__ == "__main__":
    unittest.main()
