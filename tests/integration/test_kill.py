# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of a server at any moment: what was acknowledged is there, nothing is half there, the bank's total never changes."""
import os
import pathlib
import random
import threading
import time
import unittest
import zlib

import psycopg2

from cluster import DEADLINE_S, Cluster, ClusterTest, wait_until

ACCOUNTS = 50
BALANCE = 1000
ROUNDS = 20
WORKERS = 4


class Worker(threading.Thread):
    """Transfers money until told to stop, and notes in the journal table which transfers were acknowledged."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number = server, number
        self.random = random.Random(number)
        self.acknowledged = []
        self.unknown = set()
        self.next_id = 0
        self.stopping = False
        self.failure = None

    def run(self):
        while not self.stopping:
            try:
                with self.server.connect("main", database="bank") as session:
                    while not self.stopping:
                        self.transfer(session)
            except psycopg2.OperationalError:
                time.sleep(0.01)
            except psycopg2.Error as error:
                if error.pgcode in ("57P01", "57P03", "08000", "08006", "3D000", None):
                    time.sleep(0.01)
                    continue
                self.failure = error
                return

    def transfer(self, session):
        a, b = self.random.sample(range(ACCOUNTS), 2)
        journal = self.number * 10000000 + self.next_id
        self.next_id += 1
        self.unknown.add(journal)
        try:
            session.run("BEGIN")
            session.run("UPDATE accounts SET balance = balance - 1 WHERE id = %s", (a,))
            session.run("UPDATE accounts SET balance = balance + 1 WHERE id = %s", (b,))
            session.run("INSERT INTO journal VALUES (%s)", (journal,))
            session.run("COMMIT")
        except psycopg2.Error as error:
            if error.pgcode == "40001":
                session.run("ROLLBACK")
                self.unknown.discard(journal)
                return
            raise
        self.unknown.discard(journal)
        self.acknowledged.append(journal)


class Kill(ClusterTest):
    def test_twenty_kills_lose_nothing_and_keep_the_total(self):
        server = self.cluster("bank", profile="virtual+app")
        with server.wait_connect("main") as session:
            session.run("CREATE DATABASE bank")
        with server.connect("main", database="bank") as session:
            session.run("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL)")
            session.run("CREATE TABLE journal (id INT PRIMARY KEY)")
            session.run("INSERT INTO accounts SELECT g, %s FROM generate_series(0, %s) g", (BALANCE, ACCOUNTS - 1))
        workers = [Worker(server, i) for i in range(WORKERS)]
        for worker in workers:
            worker.start()
        dice = random.Random(7)
        for round_number in range(ROUNDS):
            before = sum(len(worker.acknowledged) for worker in workers)
            wait_until(lambda: sum(len(w.acknowledged) for w in workers) >= before + dice.randrange(1, 60),
                       "transfers in round %d (failures: %s)" % (round_number, [w.failure for w in workers]))
            acknowledged = [list(worker.acknowledged) for worker in workers]
            server.kill()
            server.start()
            with server.wait_connect("main", database="bank") as session:
                self.check(session, workers, acknowledged)
        for worker in workers:
            worker.stopping = True
        for worker in workers:
            worker.join(DEADLINE_S)
            self.assertIsNone(worker.failure)
        with server.connect("main", database="bank") as session:
            self.check(session, workers, [list(worker.acknowledged) for worker in workers])
        print("kill -9: %d rounds, %d acknowledged transfers, none lost" % (
            ROUNDS, sum(len(worker.acknowledged) for worker in workers)))

    def check(self, session, workers, acknowledged):
        total, count = session.rows("SELECT sum(balance), count(*) FROM accounts")[0]
        self.assertEqual((total, count), (ACCOUNTS * BALANCE, ACCOUNTS))
        there = {row[0] for row in session.rows("SELECT id FROM journal")}
        for worker, ids in zip(workers, acknowledged):
            missing = [i for i in ids if i not in there]
            self.assertEqual(missing, [], "acknowledged and lost by worker %d" % worker.number)

    def test_temporary_tables_end_with_their_session_and_with_the_server(self):
        left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg_temp_%'"
        server = self.cluster("temporary", profile="virtual+app")
        with server.wait_connect("main") as session:
            session.run("CREATE TEMP TABLE t AS SELECT g FROM generate_series(1, 10) g")
            self.assertEqual(session.rows(left), [(1,)])
        with server.connect("main") as session:
            wait_until(lambda: session.rows(left) == [(0,)], "the end of a session to drop its tables")
            session.run("CREATE TEMP TABLE t AS SELECT g FROM generate_series(1, 10) g")
            server.kill()
        server.start()
        with server.wait_connect("main") as session:
            wait_until(lambda: session.rows(left) == [(0,)], "the next start to drop what was left")

    def test_a_store_of_a_newer_format_is_refused_and_left_as_it_is(self):
        server = self.cluster("formats", profile="virtual+app")
        with server.wait_connect("main") as session:
            session.run("CREATE TABLE t (v TEXT)")
            session.run("INSERT INTO t VALUES ('here')")
        server.stop()
        path = os.path.join(server.store, "STORE")

        def files():
            names = (os.path.join(folder, name) for folder, _, names in os.walk(server.store) for name in names)
            return {name: zlib.crc32(pathlib.Path(name).read_bytes()) for name in names
                    if os.path.basename(name) != "LOCK" and "/logs/" not in name}

        with open(path) as file:
            own = file.read()
        self.assertRegex(own, r"\Aisopod store \d+\nwritten by ")
        rest = own.split("\n", 2)[2]
        with open(path, "w") as file:
            file.write("isopod store 1000\nwritten by 77.1.0\nand lines that only that one knows\n" + rest)
        before = files()
        with self.assertRaises(AssertionError):
            server.start()
        said = server.output()
        server.kill()
        self.assertIn("is in format 1000, written by Isopod v77.1.0; this is Isopod v", said)
        self.assertIn("Start this node with Isopod v77.1.0 or newer.", said)
        self.assertEqual(before, files(), "a refused start changed the store")
        with open(path, "w") as file:
            file.write("isopod store 2\n" + rest) # As the format before had it.
        server.start()
        with server.wait_connect("main") as session:
            self.assertEqual(session.rows("SELECT v FROM t"), [("here",)])
        with open(path) as file:
            self.assertEqual(file.read().split("\n")[:2], own.split("\n")[:2])

    def test_another_number_of_shards_finds_the_same_data(self):
        server = self.cluster("shards", profile="virtual+app", shards=1)
        with server.wait_connect("main") as session:
            session.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)")
            session.run("INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 1000) g")
        server.kill()
        for shards in (2, 1, 3):
            server.shards = shards
            server.start()
            with server.wait_connect("main") as session:
                self.assertEqual(session.rows("SELECT count(*), max(id) FROM t"), [(1000, 1000)])
                session.run("INSERT INTO t SELECT max(id) + 1, 'x' FROM t")
                session.run("DELETE FROM t WHERE id = 1001")
            server.kill()


if __name__ == "__main__":
    unittest.main()
