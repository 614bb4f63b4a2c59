# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions larger than any buffer: in bounded memory, as a whole or not at all, also when a node is lost."""
import os
import threading
import unittest

import psycopg2

from cluster import ISOPOD, Cluster, wait_until
from nodes import Nodes

MILLION = 1000000
ROWS = int(os.environ.get("ISOPOD_TEST_LARGE_ROWS", "120000"))
# What the server may grow by, whatever the number of rows: its stores' caches, and a transaction's buffers. A build with
# sanitizers keeps what is freed for a while. (The bytes of a transaction alone: tests/unit/kv/test_staged.c.)
GROWTH_KB = 2 << 20 if "debug" in ISOPOD else 1 << 20
MESSAGE_ROWS = 500  # About 40 KB: more than half of what a connection buffers.


class Rows:
    """A file of rows for COPY."""

    def __init__(self, count):
        self.at, self.count = 0, count

    def read(self, size=-1):
        end = min(self.count, self.at + MESSAGE_ROWS)
        rows = "".join("%d\t%s\t%d\n" % (i, "x" * 60, i % 7) for i in range(self.at, end))
        self.at = end
        return rows


def copy(session, table, count):
    with session.raw.cursor() as cursor:
        cursor.copy_expert("COPY %s FROM STDIN" % table, Rows(count))


def memory_kb(server):
    with open("/proc/%d/status" % server.pid()) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def table(session, name):
    session.run("CREATE TABLE %s (a int PRIMARY KEY, b text, n int)" % name)


class Large(unittest.TestCase):
    def test_rows_by_the_hundred_thousand_in_one_transaction(self):
        with Cluster(name="large") as server, server.connect() as session:
            table(session, "t")
            table(session, "u")
            before = memory_kb(server)
            copy(session, "t", ROWS)
            self.assertEqual(session.value("SELECT count(*) FROM t"), ROWS)
            session.run("INSERT INTO u SELECT a, b, n FROM t")
            session.run("UPDATE t SET n = n + 1")
            expected = sum(i % 7 + 1 for i in range(ROWS))
            self.assertEqual(session.value("SELECT sum(n) FROM t"), expected)
            session.run("BEGIN")
            session.run("UPDATE t SET n = 0")
            session.run("SAVEPOINT s")
            session.run("DELETE FROM t WHERE a < %d" % (ROWS // 2))
            self.assertEqual(session.value("SELECT count(*) FROM t"), ROWS - ROWS // 2)
            session.run("ROLLBACK TO s")
            self.assertEqual(session.value("SELECT count(*) FROM t WHERE n = 0"), ROWS)
            session.run("ROLLBACK")
            self.assertEqual(session.value("SELECT sum(n) FROM t"), expected)
            session.run("DELETE FROM u")
            self.assertEqual(session.value("SELECT count(*) FROM u"), 0)
            self.assertLess(memory_kb(server) - before, GROWTH_KB)

    def test_a_million_rows_in_one_transaction(self):
        """Committed with a part taken back, and rolled back, in memory that does not grow with them."""
        with Cluster(name="million") as server, server.connect() as session:
            session.run("CREATE TABLE t (a int PRIMARY KEY)")
            session.run("INSERT INTO t VALUES (0)")
            before = memory_kb(server)
            session.run("BEGIN")
            session.run("INSERT INTO t SELECT i FROM generate_series(1, %d) i" % MILLION)
            session.run("SAVEPOINT s")
            session.run("DELETE FROM t WHERE a <= %d" % (MILLION // 20))
            session.run("ROLLBACK TO s")
            session.run("COMMIT")
            everything = (MILLION + 1, MILLION * (MILLION + 1) // 2)
            self.assertEqual(self.sums(session), everything)
            session.run("BEGIN")
            session.run("DELETE FROM t")
            self.assertEqual(session.value("SELECT count(*) FROM t"), 0)
            session.run("ROLLBACK")
            self.assertEqual(self.sums(session), everything)
            self.assertLess(memory_kb(server) - before, GROWTH_KB)

    def sums(self, session):
        return tuple(int(value) for value in session.rows("SELECT count(*), sum(a) FROM t")[0])

    def test_a_client_that_goes_away_leaves_nothing(self):
        with Cluster(name="gone") as server, server.connect() as session:
            table(session, "t")
            other = server.connect()
            other.run("BEGIN")
            copy(other, "t", 60000)
            server.kill()
            server.start()
            with server.connect() as session:
                self.assertEqual(session.value("SELECT count(*) FROM t"), 0)
                # What it had staged is in nobody's way for long.
                session.run("INSERT INTO t VALUES (5, 'y', 5), (59000, 'y', 5)")
                self.assertEqual(session.value("SELECT count(*) FROM t"), 2)


class LargeOnNodes(unittest.TestCase):
    def test_a_node_is_killed_during_the_commit(self):
        """Acknowledged is there, refused is not, and 40003 is one of both; never a part of it."""
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            with nodes[1].connect() as session:
                for i in range(3):
                    table(session, "t%d" % i)
            for i in range(3):
                victim = 2 + i % 2
                rows, failed = 40000, []

                def load():
                    try:
                        with nodes[1].connect() as session:
                            copy(session, "t%d" % i, rows)
                    except psycopg2.Error as error:
                        failed.append(error)
                loader = threading.Thread(target=load)
                loader.start()
                loader.join(0.7 + 0.9 * i)
                nodes[victim].kill()
                loader.join()
                with nodes[1].connect() as session:
                    count = wait_until(lambda: (session.value("SELECT count(*) FROM t%d" % i),), "the table to be read")[0]
                    if not failed:
                        self.assertEqual(count, rows)
                    elif failed[0].pgcode == "40003" or failed[0].pgcode is None:
                        self.assertIn(count, (0, rows))
                    else:
                        self.assertEqual(count, 0, str(failed[0]))
                    session.run("INSERT INTO t%d VALUES (-1, 'y', 5)" % i)
                nodes[victim].start()
