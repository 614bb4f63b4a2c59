# SPDX-License-Identifier: GPL-3.0-or-later
"""Row locks in PostgreSQL's four strengths: who waits for whom, and what foreign keys ask for.

What is expected here is what PostgreSQL 15 answers; with ROW_LOCKS_DSN set, every case is also run there and has to agree."""
import contextlib
import os
import threading
import unittest

import psycopg2

from cluster import DEADLINE_S, Cluster, ClusterTest, Session, wait_until

MODES = ("KEY SHARE", "SHARE", "NO KEY UPDATE", "UPDATE")
# Rows: what is held; columns: what is asked for. x: it has to wait.
CONFLICTS = ("...x",
             "..xx",
             ".xxx",
             "xxxx")
LEVELS = ("SERIALIZABLE", "READ COMMITTED")
SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY, code int UNIQUE, n int, part int);
CREATE UNIQUE INDEX parent_part ON parent (part) WHERE part > 100;
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent (id));
CREATE TABLE coded (id int PRIMARY KEY, code int REFERENCES parent (code));
CREATE TABLE later (id int PRIMARY KEY, parent int REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE owned (id int PRIMARY KEY, parent int REFERENCES parent (id) ON DELETE CASCADE)
"""
# What one session has done, what another does, and whether that waits for the first one's end.
STATEMENTS = (
    ("UPDATE parent SET n = 5 WHERE id = 1", "INSERT INTO child VALUES (9, 1)", False),
    ("UPDATE parent SET n = 5 WHERE n = 1", "INSERT INTO child VALUES (9, 1)", False),
    ("UPDATE parent SET part = 7 WHERE id = 1", "INSERT INTO child VALUES (9, 1)", False),
    ("UPDATE parent SET code = 7 WHERE id = 1", "INSERT INTO child VALUES (9, 1)", True),
    ("UPDATE parent SET code = 7 WHERE id = 1", "INSERT INTO coded VALUES (9, 1)", True),
    ("UPDATE parent SET n = 7 WHERE id = 1", "INSERT INTO coded VALUES (9, 1)", False),
    ("UPDATE parent SET id = 7 WHERE id = 1", "INSERT INTO child VALUES (9, 1)", True),
    ("DELETE FROM parent WHERE id = 1", "INSERT INTO child VALUES (9, 1)", True),
    ("INSERT INTO parent VALUES (1, 1, 1, 1) ON CONFLICT (id) DO UPDATE SET n = 3", "INSERT INTO child VALUES (9, 1)", False),
    ("INSERT INTO child VALUES (8, 1)", "UPDATE parent SET n = 5 WHERE id = 1", False),
    ("INSERT INTO child VALUES (8, 1)", "UPDATE parent SET code = 7 WHERE id = 1", True),
    ("INSERT INTO child VALUES (8, 1)", "DELETE FROM parent WHERE id = 1", True),
    ("INSERT INTO coded VALUES (8, 1)", "DELETE FROM parent WHERE id = 1", True),
    ("INSERT INTO owned VALUES (8, 1)", "DELETE FROM parent WHERE id = 1", True),
    ("INSERT INTO child VALUES (8, 1)", "INSERT INTO child VALUES (9, 1)", False),
    ("INSERT INTO child VALUES (8, 1)", "SELECT id FROM parent WHERE id = 1 FOR NO KEY UPDATE", False),
    ("INSERT INTO child VALUES (8, 1)", "SELECT id FROM parent WHERE id = 1 FOR UPDATE", True),
    ("UPDATE child SET parent = 2 WHERE id = 1", "DELETE FROM parent WHERE id = 2", True),
    ("UPDATE child SET parent = 2 WHERE id = 1", "UPDATE parent SET n = 5 WHERE id = 2", False),
    ("SELECT id FROM parent WHERE id = 1 FOR SHARE", "INSERT INTO child VALUES (9, 1)", False),
    ("SELECT id FROM parent WHERE id = 1 FOR NO KEY UPDATE", "INSERT INTO child VALUES (9, 1)", False),
    ("SELECT id FROM parent WHERE id = 1 FOR UPDATE", "INSERT INTO child VALUES (9, 1)", True),
    ("UPDATE parent SET n = 5 WHERE id = 1", "SELECT id FROM parent WHERE id = 1 FOR KEY SHARE", False),
    ("UPDATE parent SET n = 5 WHERE id = 1", "SELECT id FROM parent WHERE id = 1 FOR SHARE", True),
    ("DELETE FROM parent WHERE id = 2", "SELECT id FROM parent WHERE id = 2 FOR KEY SHARE", True),
)


class RowLocks(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster("row_locks", shards=2)
        cls.addClassCleanup(cls.server.destroy)
        cls.server.start()
        cls.dsn = os.environ.get("ROW_LOCKS_DSN")
        for connect in cls.places():
            with connect() as session:
                for statement in ["DROP TABLE IF EXISTS owned, later, coded, child, parent"] * bool(cls.dsn) + SCHEMA.split(";"):
                    session.run(statement)

    @classmethod
    def places(cls):
        yield cls.server.connect
        if cls.dsn:
            yield lambda: Session(cls.dsn)

    def each_place(self):
        """Two sessions of each server, and what rows there are at first."""
        for connect in self.places():
            with contextlib.ExitStack() as stack:
                one, two, watch = (stack.enter_context(connect()) for _ in range(3))
                self.addCleanup(stack.close)  # A test that fails does not come back here.
                for table in ("owned", "later", "coded", "child", "parent"):
                    one.run("DELETE FROM " + table)
                one.run("INSERT INTO parent VALUES (1, 1, 1, 1), (2, 2, 2, 2)")
                one.run("INSERT INTO child VALUES (1, NULL)")
                yield one, two, watch

    def code(self, session, sql):
        try:
            session.run(sql)
        except psycopg2.Error as error:
            return error.pgcode
        return None

    def waits(self, one, two, watch, sql, end="ROLLBACK"):
        """Whether `sql` in the second session waits for the first one's end, and the code that it ends with."""
        codes = []
        thread = threading.Thread(target=lambda: codes.append(self.code(two, sql)))
        pid = two.value("SELECT pg_backend_pid()")
        thread.start()
        waiting = []

        def settled():
            if codes:
                return True
            waiting[:] = watch.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s", (pid,))
            return bool(waiting)
        wait_until(settled, "%s to wait or end" % sql)
        waited = not codes
        one.run(end)
        thread.join(DEADLINE_S)
        return waited, codes[0]

    def test_modes_conflict_as_in_postgresql(self):
        for one, two, _ in self.each_place():
            for held, row in zip(MODES, CONFLICTS):
                for wanted, conflict in zip(MODES, row):
                    for level in LEVELS:
                        with self.subTest(held=held, wanted=wanted, level=level):
                            one.run("BEGIN ISOLATION LEVEL " + level)
                            two.run("BEGIN ISOLATION LEVEL " + level)
                            one.rows("SELECT n FROM parent WHERE id = 1 FOR %s" % held)
                            ask = "SELECT id FROM parent WHERE id < 3 ORDER BY id FOR %s " % wanted
                            self.assertEqual(two.rows(ask + "SKIP LOCKED"), [(2,)] if conflict == "x" else [(1,), (2,)])
                            self.assertEqual(self.code(two, ask + "NOWAIT"), "55P03" if conflict == "x" else None)
                            two.run("ROLLBACK")
                            one.run("COMMIT")

    def test_a_lock_is_taken_in_a_stronger_mode_and_given_back_with_its_savepoint(self):
        for one, two, _ in self.each_place():
            one.run("BEGIN")
            one.rows("SELECT n FROM parent WHERE id = 1 FOR KEY SHARE")
            for mode, weaker in zip(MODES[1:], MODES):
                one.run('SAVEPOINT "%s"' % mode)
                one.rows("SELECT n FROM parent WHERE id = 1 FOR " + mode)
            for mode in reversed(MODES[1:]):
                free = CONFLICTS[MODES.index(mode)].count(".")
                for wanted in MODES:
                    expected = None if MODES.index(wanted) < free else "55P03"
                    self.assertEqual(self.code(two, "SELECT n FROM parent WHERE id = 1 FOR %s NOWAIT" % wanted), expected, (mode, wanted))
                one.run('ROLLBACK TO SAVEPOINT "%s"' % mode)
            self.assertIsNone(self.code(two, "UPDATE parent SET n = 6 WHERE id = 1"))
            self.assertEqual(self.code(two, "SELECT n FROM parent WHERE id = 1 FOR UPDATE NOWAIT"), "55P03")
            one.run("ROLLBACK")

    def test_statements_wait_as_in_postgresql(self):
        for number, (one, two, watch) in enumerate(self.each_place()):
            for first, second, expected in STATEMENTS:
                for level in LEVELS:
                    with self.subTest(first=first, second=second, level=level, place=number):
                        one.run("BEGIN ISOLATION LEVEL " + level)
                        one.run(first)
                        two.run("BEGIN ISOLATION LEVEL " + level)
                        waited, code = self.waits(one, two, watch, second)
                        two.run("ROLLBACK")
                        self.assertEqual((waited, code), (expected, None))

    def test_both_commit_who_do_not_wait_for_each_other(self):
        for one, two, _ in self.each_place():
            for level in LEVELS:
                for number, commit_first in enumerate((True, False)):
                    one.run("BEGIN ISOLATION LEVEL " + level)
                    two.run("BEGIN ISOLATION LEVEL " + level)
                    one.run("UPDATE parent SET n = n + 1 WHERE id = 1")
                    two.run("INSERT INTO child SELECT max(id) + 1, 1 FROM child")
                    for session in (one, two) if commit_first else (two, one):
                        session.run("COMMIT")
            self.assertEqual(one.rows("SELECT n, (SELECT count(*) FROM child WHERE parent = 1) FROM parent WHERE id = 1"), [(5, 4)])

    def test_nobody_is_left_without_a_parent(self):
        """Whichever commits first. At READ COMMITTED the one that waited looks at what there is by then."""
        for number, (one, two, watch) in enumerate(self.each_place()):
            # PostgreSQL looks at what is deferred no earlier than at the end, and would wait there.
            for table, column in (("child", "parent"), ("coded", "code"), ("later", "parent"))[:2 if number else 3]:
                for level in LEVELS:
                    insert = "INSERT INTO %s VALUES (50, 2)" % table
                    for first, second in ((insert, "DELETE FROM parent WHERE id = 2"), ("DELETE FROM parent WHERE id = 2", insert)):
                        with self.subTest(first=first, second=second, level=level, place=number):
                            one.run("BEGIN ISOLATION LEVEL " + level)
                            one.run(first)
                            two.run("BEGIN ISOLATION LEVEL " + level)
                            _, code = self.waits(one, two, watch, second, "COMMIT")
                            code = code or self.code(two, "COMMIT")
                            self.assertIn(code, ("23503",) if level == "READ COMMITTED" else ("23503", "40001"))
                            two.run("ROLLBACK")
                            self.assertEqual(one.rows("SELECT * FROM %s WHERE NOT EXISTS (SELECT 1 FROM parent WHERE parent.%s = %s.%s)" % (
                                table, "code" if column == "code" else "id", table, column)), [] if table != "child" else [(1, None)])
                            one.run("DELETE FROM %s WHERE id = 50" % table)
                            one.run("INSERT INTO parent VALUES (2, 2, 2, 2) ON CONFLICT DO NOTHING")

    def test_two_that_want_more_than_they_share_do_not_wait_for_ever(self):
        for one, two, watch in self.each_place():
            for held, wanted in (("KEY SHARE", "UPDATE"), ("SHARE", "NO KEY UPDATE"), ("SHARE", "UPDATE")):
                for session in (one, two):
                    session.run("BEGIN")
                    session.rows("SELECT n FROM parent WHERE id = 1 FOR " + held)
                ask = "SELECT n FROM parent WHERE id = 1 FOR " + wanted
                codes = []
                thread = threading.Thread(target=lambda: codes.append(self.code(two, ask)))
                thread.start()
                codes.append(self.code(one, ask))
                # Whoever is chosen ends, and the other goes on.
                for session in (one, two):
                    if self.code(session, "SELECT 1") is not None:
                        session.run("ROLLBACK")
                thread.join(DEADLINE_S)
                self.assertEqual(sorted(code is None for code in codes), [False, True], (held, wanted, codes))
                self.assertTrue(set(codes) <= {None, "40001", "40P01"}, codes)
                for session in (one, two):
                    session.run("ROLLBACK")

    def test_pg_locks_names_the_modes_as_postgresql_does(self):
        names = dict(zip(MODES, ("AccessShareLock", "RowShareLock", "ExclusiveLock", "AccessExclusiveLock")))
        with self.server.connect() as one, self.server.connect() as two:
            one.run("DELETE FROM child")
            one.run("INSERT INTO parent VALUES (1, 1, 1, 1) ON CONFLICT DO NOTHING")
            for mode, name in names.items():
                one.run("BEGIN")
                one.rows("SELECT n FROM parent WHERE id = 1 FOR " + mode)
                pid = one.value("SELECT pg_backend_pid()")
                self.assertEqual(two.rows("SELECT mode, granted FROM pg_locks WHERE locktype = 'tuple' AND pid = %s", (pid,)), [(name, True)])
                one.run("ROLLBACK")


if __name__ == "__main__":
    unittest.main()
