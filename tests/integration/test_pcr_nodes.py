# SPDX-License-Identifier: GPL-3.0-or-later
"""Physical cluster replication between two real clusters, of three nodes each or of different sizes, while nodes of both are killed
and stopped and ranges move."""
import random
import threading
import unittest

import psycopg2

from cluster import DEADLINE_S, Session, Timeout, wait_until
from nodes import Nodes

ACCOUNTS = 40
TOTAL = ACCOUNTS * 100


class Writer:
    """Transfers money through whatever node answers, until stopped."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.commits = 0
        self.failure = None  # The last one, for the message when nothing goes any more.
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        rng = random.Random(7)
        session = None
        while not self.stopping.is_set():
            try:
                if session is None:
                    node = self.nodes[rng.choice(sorted(self.nodes.all))]
                    session = Session(node.dsn(options="-ccluster=app -cstatement_timeout=5s") + " connect_timeout=10")
                a, b = rng.sample(range(ACCOUNTS), 2)
                session.run("BEGIN; UPDATE bank SET balance = balance - 1 WHERE id = %s; "
                            "UPDATE bank SET balance = balance + 1 WHERE id = %s; "
                            "INSERT INTO log (note) VALUES (%s); COMMIT", (a, b, "x" * rng.randrange(100)))
                self.commits += 1
            except psycopg2.Error as error:
                session = None  # The node is gone, or somebody was faster.
                self.failure = error
            self.stopping.wait(0.005)

    def wait_commits(self, more):
        goal = self.commits + more
        try:
            wait_until(lambda: self.commits >= goal, "%d more commits" % more)
        except Timeout as timeout:
            raise AssertionError("%s; the last failure: %s" % (timeout, self.failure)) from None

    def stop(self):
        self.stopping.set()
        self.thread.join(DEADLINE_S)


class TwoClusters(unittest.TestCase):
    sizes = (3, 3)

    def setUp(self):
        self.primary, self.standby = (self.nodes(size) for size in self.sizes)
        for nodes in (self.primary, self.standby):
            if len(nodes.all) == 3:
                nodes.await_copies()
            with nodes[1].connect() as session:
                session.run("SET CLUSTER SETTING kv.rangefeed.enabled = true")
        with self.primary[1].connect() as session:
            session.run("CREATE VIRTUAL CLUSTER app")
            session.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED")
        with wait_until(lambda: self.primary[len(self.primary.all)].connect(options="-ccluster=app"), "the service") as session:
            session.run("CREATE TABLE bank (id INT PRIMARY KEY, balance INT NOT NULL)")
            session.run("INSERT INTO bank SELECT i, 100 FROM generate_series(0, %s) AS s(i)", (ACCOUNTS - 1,))
            session.run("CREATE TABLE log (at TIMESTAMPTZ DEFAULT now(), note TEXT)")
            session.run("INSERT INTO log (note) SELECT repeat('y', 500) FROM generate_series(1, 4000)")
        self.writer = Writer(self.primary)
        self.addCleanup(self.writer.stopping.set)

    def nodes(self, size):
        nodes = Nodes(size, shards=1)
        self.addCleanup(nodes.destroy)
        return nodes.__enter__()

    # --- steps ---

    @staticmethod
    def somewhere(nodes, work):
        """As an operator who tries one node after the other."""
        def tried():
            for node in nodes.all.values():
                if not node.running():
                    continue
                try:
                    with Session(node.dsn() + " connect_timeout=10") as session:
                        session.run("SET statement_timeout = '20s'")
                        return (work(session),)
                except psycopg2.OperationalError:
                    continue
            return None
        return wait_until(tried, "an answer")[0]

    def uri(self, nodes, node):
        return "postgresql://root@127.0.0.1:%d/defaultdb?sslmode=disable" % nodes[node].port

    def status(self, nodes):
        return self.somewhere(nodes, lambda s: s.record("SHOW VIRTUAL CLUSTER app WITH REPLICATION STATUS"))

    def wait_replicated(self, source, follower):
        """Until everything committed so far has arrived."""
        now = self.somewhere(source, lambda s: s.value("SELECT clock_timestamp()"))
        seen = [None]

        def arrived():
            time = self.status(follower)["replicated_time"]
            if seen[0] is not None and time is not None:
                self.assertGreaterEqual(time, seen[0], "the replicated time went back")
            seen[0] = time or seen[0]
            return time is not None and time >= now
        wait_until(arrived, "the replicated time")

    def cut_over(self, follower, before_ready=lambda: None, to="LATEST"):
        at = self.somewhere(follower, lambda s: s.record(
            "ALTER VIRTUAL CLUSTER app COMPLETE REPLICATION TO " + to))["cutover_time"]
        before_ready()
        wait_until(lambda: self.status(follower)["data_state"] == "ready", "the cutover")
        return at

    def fingerprint(self, nodes, at):
        return self.somewhere(nodes, lambda s: s.value(
            "SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER app] "
            "AS OF SYSTEM TIME '%s'" % at))

    def check_equal(self, at):
        one, other = self.fingerprint(self.primary, at), self.fingerprint(self.standby, at)
        self.assertEqual(one, other, "as of %s; retained folders: %s, %s" % (
            at, self.primary.folder, self.standby.folder))

    def check_bank(self, nodes):
        def total():
            with nodes[len(nodes.all)].connect(options="-ccluster=app") as session:
                return session.value("SELECT sum(balance) FROM bank")
        self.assertEqual(wait_until(total, "the bank"), TOTAL)

    def check_readable(self, nodes):
        """Every node of the standby reads all of it as of one time."""
        def total(node):
            with node.connect(options="-ccluster=app-readonly") as session:
                return session.rows("SELECT sum(balance), count(*) FROM bank")[0]
        for node in nodes.all.values():
            self.assertEqual(wait_until(lambda: total(node), "the bank to be read"), (TOTAL, ACCOUNTS))

    def scatter(self, nodes):
        """Ranges of both tables go elsewhere, with what is in them."""
        def work(_):
            for node in nodes.all.values():
                if node.running():
                    with node.connect(options="-ccluster=app -cstatement_timeout=20s") as session:
                        session.run("ALTER TABLE bank SCATTER")
                        session.run("ALTER TABLE log SCATTER")
                        return
        self.somewhere(nodes, work)

    def split(self):
        def work():
            with self.primary[1].connect(options="-ccluster=app") as session:
                session.run("ALTER TABLE bank SPLIT AT VALUES (10), (20), (30)")
                border = session.value("SELECT rowid FROM log ORDER BY rowid OFFSET 2000 LIMIT 1")
                session.run("ALTER TABLE log SPLIT AT VALUES (%s)", (border,))
                return True
        wait_until(work, "the splits")


class PcrNodesTest(TwoClusters):
    def test_nodes_of_both_are_lost_and_the_way_back(self):
        self.somewhere(self.standby, lambda s: s.run(
            "CREATE VIRTUAL CLUSTER app FROM REPLICATION OF app ON '%s' WITH READ VIRTUAL CLUSTER" % self.uri(self.primary, 1)))
        # While it scans.
        self.standby[3].kill()
        self.primary[3].pause()
        self.standby[3].launch()
        self.primary[3].unpause()
        self.wait_replicated(self.primary, self.standby)
        self.check_readable(self.standby)
        # While it follows: also the node of the configured address.
        self.primary[1].kill()
        self.writer.wait_commits(5)
        self.wait_replicated(self.primary, self.standby)
        self.primary[1].launch()
        self.standby[2].pause()
        self.writer.wait_commits(5)
        self.standby[2].unpause()
        self.wait_replicated(self.primary, self.standby)
        self.check_readable(self.standby)
        # And while it is cut over.
        at = self.cut_over(self.standby, self.standby[1].kill)
        self.standby[1].launch()
        self.writer.stop()
        self.check_equal(at)
        self.somewhere(self.standby, lambda s: s.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED"))
        self.check_bank(self.standby)
        self.fail_back()

    def fail_back(self):
        self.somewhere(self.primary, lambda s: s.run("ALTER VIRTUAL CLUSTER app STOP SERVICE"))
        self.writer = Writer(self.standby)
        self.writer.wait_commits(5)
        self.somewhere(self.primary, lambda s: s.run(
            "ALTER VIRTUAL CLUSTER app START REPLICATION OF app ON '%s' WITH READ VIRTUAL CLUSTER" % self.uri(self.standby, 2)))
        self.wait_replicated(self.standby, self.primary)
        self.check_readable(self.primary)
        self.check_readable(self.standby)  # It has stayed at the time of the cutover.
        self.writer.stop()
        at = self.cut_over(self.primary)
        self.check_equal(at)
        self.somewhere(self.primary, lambda s: s.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED"))
        self.check_bank(self.primary)


class PcrToOneNode(TwoClusters):
    sizes = (3, 1)

    def test_moves_and_losses_and_the_past(self):
        self.split()
        self.somewhere(self.standby, lambda s: s.run(
            "CREATE VIRTUAL CLUSTER app FROM REPLICATION OF app ON '%s'" % self.uri(self.primary, 1)))
        self.scatter(self.primary)  # While it scans.
        self.wait_replicated(self.primary, self.standby)
        self.scatter(self.primary)
        self.primary[3].kill()
        self.writer.wait_commits(5)
        self.wait_replicated(self.primary, self.standby)
        moment = self.somewhere(self.primary, lambda s: s.value("SELECT clock_timestamp()"))
        self.primary[3].launch()
        self.scatter(self.primary)
        self.standby[1].kill()
        self.writer.wait_commits(5)
        self.standby[1].launch()
        self.wait_replicated(self.primary, self.standby)
        at = self.cut_over(self.standby, to="SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
        self.writer.stop()
        self.check_equal(at)
        self.somewhere(self.standby, lambda s: s.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED"))
        self.check_bank(self.standby)


class PcrToThreeNodes(TwoClusters):
    sizes = (1, 3)

    def test_moves_and_losses_and_the_future(self):
        self.split()
        self.somewhere(self.standby, lambda s: s.run(
            "CREATE VIRTUAL CLUSTER app FROM REPLICATION OF app ON '%s'" % self.uri(self.primary, 1)))
        self.standby[2].kill()
        self.wait_replicated(self.primary, self.standby)
        self.standby[2].launch()
        self.scatter(self.primary)
        self.primary[1].kill()
        self.primary[1].launch()
        self.standby[3].kill()
        self.writer.wait_commits(5)
        self.scatter(self.primary)
        self.wait_replicated(self.primary, self.standby)
        moment = self.somewhere(self.primary, lambda s: s.value("SELECT clock_timestamp() + interval '3 seconds'"))
        at = self.cut_over(self.standby, self.standby[3].launch, to="SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
        self.writer.stop()
        self.check_equal(at)
        self.somewhere(self.standby, lambda s: s.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED"))
        self.check_bank(self.standby)


if __name__ == "__main__":
    unittest.main()
