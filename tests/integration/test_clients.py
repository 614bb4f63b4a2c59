# SPDX-License-Identifier: GPL-3.0-or-later
"""pgbench in all its modes, psql, psycopg2, and ten thousand idle connections."""
import glob
import os
import re
import resource
import socket
import subprocess
import unittest

import psycopg2
import psycopg2.extras

from cluster import Cluster, ClusterTest, cancelled, wait_until
from test_security import startup


def pg(name):
    return sorted(glob.glob("/usr/lib/postgresql/*/bin/" + name))[-1]


class Clients(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="clients", profile="virtual+app")
        cls.server.start()
        cls.server.wait_connect("main").close()

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def run_client(self, name, *arguments):
        command = [pg(name), "-h", self.server.host, "-p", str(self.server.port), "-U", "root", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "PGOPTIONS": "-ccluster=main", "PGSSLMODE": "disable"})

    def test_pgbench(self):
        with self.server.connect("main") as session:
            session.run("CREATE DATABASE pgbench")
        done = self.run_client("pgbench", "-i", "-q", "-s", "10", "pgbench")
        self.assertEqual(done.returncode, 0, done.stderr)
        with self.server.connect("main", database="pgbench") as session:
            self.assertEqual(session.value("SELECT count(*) FROM pgbench_accounts"), 1000000)
        for script in ("select-only", "simple-update", "tpcb-like"):
            for mode in ("simple", "extended", "prepared"):
                with self.subTest(script=script, mode=mode):
                    done = self.run_client("pgbench", "-n", "-b", script, "-M", mode, "-c", "8", "-t", "50", "pgbench")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertRegex(done.stdout, r"number of failed transactions: 0 ")
        with self.server.connect("main", database="pgbench") as session:
            totals = session.rows("SELECT (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(tbalance) FROM "
                                  "pgbench_tellers), (SELECT count(*) FROM pgbench_history)")
            self.assertEqual(totals[0][0], totals[0][1])
            self.assertEqual(totals[0][2], 6 * 8 * 50)

    def test_psycopg2_types_come_back(self):
        import datetime
        import decimal
        with self.server.connect("main") as session:
            session.run("CREATE TABLE types (i INT, b BIGINT, n NUMERIC, f FLOAT8, t TEXT, y BYTEA, d DATE, ts TIMESTAMP, "
                        "tz TIMESTAMPTZ, o BOOL, j JSONB)")
            row = (1, 2 ** 40, decimal.Decimal("1.50"), 0.25, "täxt", b"\x00\xff", datetime.date(2024, 2, 29),
                   datetime.datetime(2024, 1, 2, 3, 4, 5), datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
                   True, psycopg2.extras.Json({"a": [1]}))
            session.run("INSERT INTO types VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)", row)
            got = session.rows("SELECT * FROM types")[0]
            self.assertEqual(got[:5], row[:5])
            self.assertEqual(bytes(got[5]), row[5])
            self.assertEqual(got[6:10], row[6:10])
            self.assertEqual(got[10], {"a": [1]})

    def test_psycopg2_cursor_copy_and_errors(self):
        import io
        with self.server.connect("main") as session:
            session.run("CREATE TABLE copied (a INT PRIMARY KEY, b TEXT)")
            with session.raw.cursor() as cursor:
                cursor.copy_from(io.StringIO("1\tone\n2\t\\N\n3\tt\\tab\n"), "copied")
                out = io.StringIO()
                cursor.copy_expert("COPY (SELECT * FROM copied ORDER BY a) TO STDOUT WITH (FORMAT csv, HEADER)", out)
            self.assertEqual(out.getvalue(), "a,b\n1,one\n2,\n3,t\tab\n")
            with session.raw.cursor() as cursor, self.assertRaises(psycopg2.Error) as caught:
                cursor.copy_from(io.StringIO("4\tfour\nx\ty\n"), "copied")
            self.assertEqual(caught.exception.pgcode, "22P02")
            self.assertEqual(session.value("SELECT count(*) FROM copied"), 3)

    def test_cancel(self):
        with self.server.connect("main") as session, self.server.connect("main") as watcher:
            with self.assertRaises(psycopg2.Error) as caught, cancelled(session, watcher):
                session.run("SELECT count(*) FROM generate_series(1, 1000000000)")
            self.assertEqual(caught.exception.pgcode, "57014")
            self.assertEqual(session.value("SELECT 1"), 1)
            session.run("SET statement_timeout = '200ms'")
            with self.assertRaises(psycopg2.Error) as caught:
                session.run("SELECT count(*) FROM generate_series(1, 1000000000)")
            self.assertEqual(caught.exception.pgcode, "57014")

    def memory_bytes(self):
        with open("/proc/%d/status" % self.server.pid()) as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024

    def test_ten_thousand_idle_connections(self):
        wanted = 10000
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard < wanted + 200:
            self.skipTest("at most %d files may be open" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, wanted + 5000), hard))
        server = self.cluster("idle", profile="virtual+app")
        self.server, shared = server, self.server
        self.addCleanup(setattr, self, "server", shared)
        server.wait_connect("main").close()
        before = self.memory_bytes()
        connections = []
        self.addCleanup(lambda: [c.close() for c in connections])
        packet = startup()
        for _ in range(0, wanted, 100):
            batch = [socket.create_connection((server.host, server.port)) for _ in range(100)]
            for connection in batch:
                connection.sendall(packet)
            for connection in batch:
                data = b""
                while not data.endswith(b"Z\0\0\0\x05I"):
                    piece = connection.recv(4096)
                    self.assertTrue(piece, data)
                    data += piece
            connections += batch
        per_connection = (self.memory_bytes() - before) / wanted
        print("10,000 idle connections: %.1f KiB each" % (per_connection / 1024))
        for connection in connections[::997]:
            connection.sendall(b"Q" + b"\0\0\0\x0dSELECT 1\0")
            self.assertIn(b"SELECT 1", connection.recv(4096))
        with server.connect("main") as session:
            self.assertEqual(session.value("SELECT 1"), 1)


if __name__ == "__main__":
    unittest.main()
