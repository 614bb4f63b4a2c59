# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals: SIGTERM ends the server in order whatever it does, a second one at once; SIGHUP never ends it, and keeps what
it has when there is nothing better to read."""
import os
import signal
import threading
import unittest

import psycopg2

from cluster import DEADLINE_S, Cluster, ClusterTest, ISOPOD, wait_until
from nodes import Nodes


def ends(server, codes, what):
    wait_until(lambda: server.process.poll() is not None, "the end of %s" % what)
    code = server.process.returncode
    assert code in codes, "%s: ended with %s\n%s" % (what, code, server.output())


def log(server):
    with open(os.path.join(server.store, "logs", "isopod.log")) as file:
        return file.read()


class Signals(ClusterTest):
    def test_sigterm_while_it_starts(self):
        # At ever later moments: before there is a handler it is the system that ends the process.
        server = Cluster(name="starting")
        self.addCleanup(server.destroy)
        server.output_path = os.path.join(server.folder, "output")
        command = [ISOPOD, "start-single-node", "--store", server.store, "--listen-addr", "localhost:0", "--http-addr",
                   "localhost:0", "--no-pin", "--insecure"]
        for stage in ("LOCK", "CLUSTER", "log-0", "slice-1"):
            server.launch_process(command)
            path = os.path.join(server.store, stage)
            wait_until(lambda: os.path.exists(path) or server.process.poll() is not None, stage)
            server.process.send_signal(signal.SIGTERM)
            ends(server, (0, -signal.SIGTERM), "a server told to end when it had made %s" % stage)
            server.process = None
        server.start()
        with server.wait_connect() as session:
            self.assertEqual(session.value("SELECT 41 + 1"), 42)
        server.stop()

    def test_sigterm_with_clients(self):
        server = self.cluster("busy", profile="virtual+app")
        session, idle, sleeper = (server.wait_connect("main") for _ in range(3))
        session.run("CREATE TABLE t (id INT PRIMARY KEY)")
        session.run("INSERT INTO t VALUES (1)")
        idle.run("BEGIN; INSERT INTO t VALUES (2)")
        failures = []

        def sleep():
            try:
                sleeper.run("SELECT pg_sleep(600)")
            except psycopg2.Error as error:
                failures.append(error.pgcode)
        thread = threading.Thread(target=sleep)
        thread.start()
        wait_until(lambda: session.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == 1,
                   "the statement to run")
        # What comes in great number, or together, is not lost.
        for _ in range(100):
            server.process.send_signal(signal.SIGHUP)
        server.stop()
        thread.join(DEADLINE_S)
        self.assertFalse(thread.is_alive())
        self.assertEqual(len(failures), 1)
        self.assertIn(failures[0], ("57P01", None), "the statement should end because the server does")
        for each in (session, idle, sleeper):
            each.close()
        server.start()
        with server.wait_connect("main") as again:
            self.assertEqual(again.rows("SELECT id FROM t"), [(1,)])

    def test_second_sigterm_ends_at_once(self):
        server = self.cluster("twice", profile="virtual+app")
        sleeper = server.wait_connect("main")
        sleeper.run("CREATE TABLE t (id INT PRIMARY KEY)")
        sleeper.run("INSERT INTO t VALUES (1)")
        sleeper.run("BEGIN")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in log(server) or server.process.poll() is not None, "the server to drain")
        server.process.send_signal(signal.SIGTERM)
        ends(server, (1, 0), "a server told twice")
        server.process = None
        sleeper.close()
        server.start()
        with server.wait_connect("main") as again:
            self.assertEqual(again.rows("SELECT id FROM t"), [(1,)])

    def test_a_node_that_waits_for_others(self):
        with Nodes(1, init=False) as nodes:
            wait_until(nodes[1].waits, "the node to wait")
            nodes[1].process.send_signal(signal.SIGHUP)
            wait_until(nodes[1].waits, "the node to wait still")
            nodes[1].process.send_signal(signal.SIGTERM)
            ends(nodes[1], (0,), "a node that waits for init")
            nodes[1].process = None

    def test_sighup_with_certificates_that_cannot_be_read(self):
        server = self.cluster("renewing", insecure=False)
        key = os.path.join(server.certs, "node.key")
        with open(key) as file:
            good = file.read()
        with open(key, "w") as file:
            file.write("no key\n")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificates were not reloaded" in log(server), "a word of the certificates in the log")
        with server.wait_connect() as session: # With those it has.
            self.assertEqual(session.value("SELECT 41 + 1"), 42)
        with open(key, "w") as file:
            file.write(good)
        server.stop()


if __name__ == "__main__":
    unittest.main()
