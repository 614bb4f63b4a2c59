# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of tables go from slice to slice under clients that see no error."""
import os
import random
import subprocess
import threading
import unittest

import psycopg2

from cluster import DEADLINE_S, ISOPOD, wait_until
from nodes import Nodes


def border_rows(count, borders):
    return ", ".join("(%d)" % (count * i // (borders + 1)) for i in range(1, borders + 1))


class Scatterer(threading.Thread):
    """Spreads a table's ranges anew, over and over."""

    def __init__(self, node, database, table, times):
        super().__init__()
        self.node, self.database, self.table, self.times = node, database, table, times
        self.failures = []
        self.done = 0

    def run(self):
        with self.node.connect(self.database) as session:
            for _ in range(self.times):
                try:
                    session.run("ALTER TABLE %s SCATTER" % self.table)
                    self.done += 1
                except Exception as error:  # Told by the test.
                    self.failures.append(str(error))


class Reader(threading.Thread):
    """Reads rows of t, one after the other, until it is stopped."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node = node
        self.random = random.Random(seed)
        self.stop = threading.Event()
        self.failures = []
        self.done = 0

    def run(self):
        try:
            with self.node.connect() as session:
                while not self.stop.is_set():
                    key = self.random.randrange(1000)
                    if session.value("SELECT a FROM t WHERE a = %d" % key) != key:
                        raise AssertionError("row %d is not there" % key)
                    self.done += 1
        except Exception as error:  # Told by the test.
            self.failures.append(str(error))


class Moves(unittest.TestCase):
    def environment(self):
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        return environment

    def bank(self, node, seconds):
        url = "postgresql://root@127.0.0.1:%d/bank?sslmode=disable" % node.port
        return subprocess.Popen([ISOPOD, "workload", "run", "bank", "--duration", "%ds" % seconds, "--concurrency", "4", url],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment())

    def load(self, node):
        subprocess.run([ISOPOD, "workload", "init", "bank", "postgresql://root@127.0.0.1:%d/?sslmode=disable" % node.port],
                       check=True, stdout=subprocess.DEVNULL, env=self.environment())

    def check(self, node, run, before):
        out = run.communicate(timeout=DEADLINE_S)[0].decode()
        self.assertEqual(run.returncode, 0, out)
        self.assertEqual(out.split("__total")[1].split()[1], "0", out)  # Errors.
        with node.connect("bank") as session:
            self.assertEqual(session.value("SELECT sum(balance) FROM bank"), before)

    def test_borders_by_hand(self):
        with Nodes(1) as nodes, nodes[1].connect() as session:
            session.run("CREATE TABLE t (a INT8, b TEXT, c INT8, PRIMARY KEY (a, b), INDEX by_c (c))")
            session.run("INSERT INTO t SELECT i, 'x', i FROM generate_series(1, 100) i")
            rows = session.rows("ALTER TABLE t SPLIT AT VALUES (10), (20)")
            self.assertEqual(len(rows), 2)
            self.assertEqual(rows[0][2], None)
            rows = session.rows("ALTER TABLE t SPLIT AT VALUES (30, 'm') WITH EXPIRATION '2100-01-01 00:00:00+00'")
            self.assertEqual(len(rows), 1)
            session.run("ALTER INDEX t@by_c SPLIT AT SELECT i * 25 FROM generate_series(1, 3) i")
            ranges = session.rows("SHOW RANGES FROM TABLE t")
            self.assertEqual(len(ranges), 7)
            self.assertEqual(len([row for row in ranges if row[8] is not None]), 1)
            for wrong, code in (("ALTER TABLE t SPLIT AT VALUES (1, 'a', 3)", "42601"),
                                ("ALTER TABLE t SPLIT AT VALUES ('no number')", "22P02"),
                                ("ALTER TABLE t UNSPLIT AT VALUES (11)", "55000"),
                                ("ALTER TABLE nowhere SCATTER", "42P01")):
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run(wrong)
                self.assertEqual(caught.exception.pgcode, code, wrong)
            self.assertEqual(len(session.rows("ALTER TABLE t UNSPLIT AT VALUES (10)")), 1)
            self.assertEqual(len(session.rows("ALTER TABLE t UNSPLIT ALL")), 5)
            session.run("ALTER TABLE t SCATTER")
            self.assertEqual(session.value("SELECT sum(c) FROM t"), 5050)
            self.assertEqual(session.value("SELECT count(*) FROM t@by_c WHERE c > 50"), 50)

    def test_pgbench_goes_on(self):
        with Nodes(1) as nodes:
            node = nodes[1]
            with node.connect() as session:
                session.run("CREATE DATABASE pgbench")
            base = ["pgbench", "-h", "127.0.0.1", "-p", str(node.port), "-U", "root"]
            subprocess.run(base + ["-i", "-q", "-s", "1", "pgbench"], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            with node.connect("pgbench") as session:
                session.run("ALTER TABLE pgbench_accounts SPLIT AT VALUES %s" % border_rows(100000, 3))
            run = subprocess.Popen(base + ["-n", "-c", "6", "-T", "6", "pgbench"], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
            scatterers = [Scatterer(node, "pgbench", "pgbench_" + table, 2)
                          for table in ("accounts", "tellers", "branches")]
            for scatterer in scatterers:
                scatterer.start()
            for scatterer in scatterers:
                scatterer.join()
            out = run.communicate(timeout=DEADLINE_S)[0].decode()
            self.assertEqual(run.returncode, 0, out)
            self.assertNotIn("aborted", out)
            self.assertIn("number of failed transactions: 0", out)
            with node.connect("pgbench") as session:
                sums = session.rows("SELECT (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(tbalance) FROM "
                                    "pgbench_tellers), (SELECT sum(abalance) FROM pgbench_accounts), "
                                    "(SELECT sum(delta) FROM pgbench_history)")[0]
            self.assertEqual(len(set(sums)), 1)
            for scatterer in scatterers:
                self.assertEqual(scatterer.failures, [])
                self.assertEqual(scatterer.done, 2)

    def test_skewed_load_is_spread_over_the_cores(self):
        """Clients of all nodes want the same table, all of whose ranges one core leads: some go by themselves to slices that
        idle cores lead. No client sees an error."""
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            node = nodes[2]
            leaders = "SELECT count(DISTINCT lease_holder) FROM [SHOW RANGES FROM TABLE t WITH DETAILS]"
            with node.connect(options="-ccluster=system") as system, node.connect() as session:
                # How fast the machine is, and what else it does, is no matter: a little load is enough.
                for setting in ("enabled = false", "interval = '200ms'", "qps_threshold = 8"):
                    system.run("SET CLUSTER SETTING kv.range_move.by_load." + setting)
                system.run("SET CLUSTER SETTING kv.range_upkeep.interval = '200ms'")
                session.run("CREATE TABLE t (a INT8 PRIMARY KEY)")
                session.run("INSERT INTO t SELECT i FROM generate_series(0, 999) i")
                session.run("ALTER TABLE t SPLIT AT VALUES %s" % border_rows(1000, 7))
                self.assertEqual(session.value(leaders), 1)
                readers = [Reader(nodes[1 + seed % 3], seed) for seed in range(6)]
                for reader in readers:
                    reader.start()
                try:
                    system.run("SET CLUSTER SETTING kv.range_move.by_load.enabled = true")
                    wait_until(lambda: session.value(leaders) > 1, "a range that another node leads")
                finally:
                    for reader in readers:
                        reader.stop.set()
                    for reader in readers:
                        reader.join(DEADLINE_S)
                for reader in readers:
                    self.assertEqual(reader.failures, [])
                    self.assertGreater(reader.done, 0)
                self.assertEqual(session.value("SELECT count(*) FROM t"), 1000)

    def test_bank_goes_on_while_its_ranges_move_and_a_node_is_killed(self):
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            self.load(nodes[2])
            with nodes[2].connect("bank") as session:
                before = session.value("SELECT sum(balance) FROM bank")
                session.run("ALTER TABLE bank SPLIT AT VALUES %s" % border_rows(1000, 3))
            run = self.bank(nodes[2], 9)
            first = Scatterer(nodes[2], "bank", "bank", 1)
            first.start()
            first.join()
            self.assertEqual(first.failures, [])
            second = Scatterer(nodes[2], "bank", "bank", 2)
            second.start()
            nodes[3].kill()
            with nodes[2].connect("bank") as session:
                wait_until(lambda: session.value("SELECT count(*) FROM bank") == 1000, "the bank to answer")
            nodes[3].start()
            second.join()
            self.check(nodes[2], run, before)
            with nodes[2].connect("bank") as session:
                session.run("ALTER TABLE bank SCATTER")
                self.assertEqual(session.value("SELECT sum(balance) FROM bank"), before)


if __name__ == "__main__":
    unittest.main()
