# SPDX-License-Identifier: GPL-3.0-or-later
"""Several real processes: they become a cluster, serve any session, tell each other of changes, and see who is gone."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import psycopg2

from cluster import DEADLINE_S, ISOPOD, Session, wait_until
from nodes import Nodes, Register


class Several(unittest.TestCase):
    def test_init_join_status_and_restart(self):
        with Nodes(3) as nodes:
            self.assertEqual(sorted(node.id for node in nodes.all.values()), [1, 2, 3])
            wait_until(lambda: nodes.live(2) == [1, 2, 3], "all nodes to be live")
            self.assertIn("already been initialized", nodes.command("init", node=2, check=False))
            rows = nodes.status(3)
            self.assertEqual({row["membership"] for row in rows}, {"active"})
            self.assertEqual({row["locality"] for row in rows}, {"zone=z1", "zone=z2", "zone=z3"})
            self.assertEqual(nodes.command("node", "ls", "--format", "csv", node=2).split(), ["id", "1", "2", "3"])
            # A node that is killed is seen to be gone, and comes back as who it was.
            other = nodes[3].id
            nodes[3].kill()
            wait_until(lambda: other not in nodes.live(), "the killed node to be missed")
            nodes[3].start()
            wait_until(lambda: nodes.live() == [1, 2, 3], "the killed node to be back")
            for node in nodes.all.values():
                node.stop()

    def test_any_node_serves_any_session(self):
        with Nodes(3) as nodes:
            with nodes[1].connect() as one, nodes[2].connect() as two, nodes[3].connect() as three:
                one.run("CREATE TABLE t (a int PRIMARY KEY, b text)")
                two.run("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
                self.assertEqual(three.rows("SELECT a, b FROM t ORDER BY a"), [(1, "x"), (2, "y")])
                # What is known by heart on one node is known to have changed at once.
                for round in range(5):
                    three.run("ALTER TABLE t ADD COLUMN c%d int DEFAULT %d" % (round, round))
                    self.assertEqual(two.value("SELECT c%d FROM t WHERE a = 1" % round), round)
                    one.run("UPDATE t SET c%d = 100 WHERE a = 2" % round)
                    self.assertEqual(three.value("SELECT c%d FROM t WHERE a = 2" % round), 100)
                one.run("CREATE ROLE bob")
                self.assertEqual(three.value("SELECT count(*) FROM pg_roles WHERE rolname = 'bob'"), 1)
                two.run("SET CLUSTER SETTING jobs.retention_time = '99h'")
                self.assertEqual(one.value("SHOW CLUSTER SETTING jobs.retention_time"), "99h0m0s")
                two.run("CREATE VIRTUAL CLUSTER app")
                two.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED")
            for node in nodes.all.values():
                with node.connect(options="-ccluster=app") as session:
                    session.run("CREATE TABLE n%d (a int)" % node.id)
            with nodes[1].connect(options="-ccluster=app") as session:
                self.assertEqual(session.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 3)

    def test_change_waits_for_a_silent_node_no_longer_than_its_record(self):
        with Nodes(3) as nodes:
            with nodes[1].connect() as session:
                session.run("CREATE TABLE t (a int PRIMARY KEY)")
                with nodes[3].connect() as other:
                    other.run("INSERT INTO t VALUES (1)")
                nodes[3].pause()
                session.run("ALTER TABLE t ADD COLUMN b int DEFAULT 5")
                nodes[3].unpause()
                with nodes[3].connect() as other:
                    # It has slept over the change, and does not go by what it remembers.
                    self.assertEqual(other.rows("SELECT * FROM t"), [(1, 5)])

    def test_drain_and_shutdown(self):
        with Nodes(3) as nodes:
            out = nodes.command("node", "drain", str(nodes[3].id), "--shutdown", node=1)
            self.assertIn("drain ok", out)
            self.assertEqual(nodes[3].ended(), 0)
            with nodes[1].connect() as session:
                session.run("CREATE TABLE t (a int)")

    def test_certificates(self):
        with Nodes(2, insecure=False) as nodes:
            with nodes[1].connect() as one, nodes[2].connect() as two:
                one.run("CREATE TABLE t (a int)")
                two.run("INSERT INTO t VALUES (1)")
                self.assertEqual(one.value("SELECT count(*) FROM t"), 1)
            wait_until(lambda: nodes.live() == [1, 2], "both nodes to be live")

    def test_foreign_store_is_refused(self):
        with Nodes(2) as nodes, Nodes(1) as others:
            wait_until(lambda: nodes.live() == [1, 2], "both nodes to be live")
            # The first cluster's second store is sent to the other cluster.
            nodes[2].stop()
            stray = others.add(2)
            stray.store = nodes[2].store
            stray.port = nodes[2].port
            stray.launch()
            # It finds its own again by what it has saved, whatever --join says, and is no member of the other.
            stray.await_serving()
            wait_until(lambda: nodes.live() == [1, 2], "the node to be back")
            self.assertEqual(others.live(), [1])

    def test_join_needs_a_cluster(self):
        with Nodes(2, init=False) as nodes:
            for node in nodes.all.values():
                wait_until(node.waits, "node %d to wait" % node.index)
            with self.assertRaises(psycopg2.OperationalError) as raised:
                nodes[2].connect()
            self.assertIn("starting up", str(raised.exception))
            self.assertIn("isopod init", str(raised.exception))
            self.assertIn("belongs to no cluster yet", nodes.command("node", "status", node=2, check=False))
            # Who cannot join says why, and where to look.
            wait_until(lambda: "Still waiting" in nodes[2].output(), "the reason")
            self.assertIn("belongs to no cluster yet", nodes[2].output())
            nodes[1].stop()
            nodes[2].stop()


class Losing(unittest.TestCase):
    def bank(self, nodes, through, seconds):
        """Transfers through one node, in the background."""
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        url = "postgresql://root@127.0.0.1:%d/bank?sslmode=disable" % nodes[through].port
        return subprocess.Popen([ISOPOD, "workload", "run", "bank", "--duration", "%ds" % seconds, "--concurrency", "4",
                                 url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)

    def load(self, nodes):
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        subprocess.run([ISOPOD, "workload", "init", "bank",
                        "postgresql://root@127.0.0.1:%d/?sslmode=disable" % nodes[2].port], check=True,
                       stdout=subprocess.DEVNULL, env=environment)

    def check(self, nodes, run, before):
        out = run.communicate(timeout=DEADLINE_S)[0].decode()
        self.assertEqual(run.returncode, 0, out)
        total = out.split("__total")[1].split()
        self.assertEqual(total[1], "0", out)  # Errors.
        with nodes[2].connect("bank") as session:
            self.assertEqual(session.value("SELECT sum(balance) FROM bank"), before)

    def test_bank_goes_on_while_nodes_are_killed(self):
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            self.load(nodes)
            with nodes[2].connect("bank") as session:
                before = session.value("SELECT sum(balance) FROM bank")
            run = self.bank(nodes, 2, 25)
            # The one that leads most, then, when it is back, the other one. They come back with more shards, and with
            # fewer: what they have promised goes along.
            for victim, shards in ((1, 3), (3, 2), (1, 1)):
                nodes[victim].kill()
                nodes[victim].shards = shards
                wait_until(lambda: nodes[victim].id not in nodes.live(2), "the killed node to be missed")
                with nodes[2].connect("bank") as session:
                    wait_until(lambda: session.value("SELECT count(*) FROM bank") == 1000, "the bank to answer")
                nodes[victim].start()
                wait_until(lambda: nodes.live(2) == [1, 2, 3], "the killed node to be back")
            self.check(nodes, run, before)

    def test_rolling_restart(self):
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            self.load(nodes)
            with nodes[2].connect("bank") as session:
                before = session.value("SELECT sum(balance) FROM bank")
            register = Register(nodes, writes_through=1)
            run = self.bank(nodes, 2, 15)
            for each in (1, 3):
                nodes[each].stop()
                nodes[each].start()
                wait_until(lambda: nodes.live(2) == [1, 2, 3], "the node to be back")
            self.check(nodes, run, before)
            nodes[2].stop()
            nodes[2].start()
            wait_until(lambda: nodes.live(2) == [1, 2, 3], "the last node to be back")
            for each in (1, 2, 3):
                goal = register.through(each) + 50
                wait_until(lambda: register.through(each) >= goal, "reads through each node")
            register.check()


class Demo(unittest.TestCase):
    def test_a_node_is_killed_as_the_readme_says(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../README.md")) as file:
            readme = file.read()
        demo, run, kill = re.search(r"^    isopod (demo bank .*?)  +#.*\n    isopod (workload run .*?) URL  +#.*\n    (kill -9) PID ",
                                    readme, re.M).groups()
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        with tempfile.NamedTemporaryFile("w+") as printed:
            shell = subprocess.Popen([ISOPOD] + demo.split(), stdin=subprocess.PIPE, stdout=printed, stderr=subprocess.STDOUT,
                                     env=environment)
            self.addCleanup(shell.wait, DEADLINE_S)
            self.addCleanup(shell.stdin.close)

            def told():
                with open(printed.name) as file:
                    return re.findall(r"node \d  (postgresql://\S+)   \(kill it: %s (\d+)\)" % kill, file.read())
            nodes = wait_until(lambda: (lambda all: all if len(all) == 3 else None)(told()), "the addresses", 2 * DEADLINE_S)
            url = nodes[1][0]
            # The data is loaded after the addresses are told.
            bank = wait_until(lambda: Session(url.replace("/defaultdb", "/bank")), "the bank", 2 * DEADLINE_S)
            # At first there are fewer accounts, or none: no row.
            before = wait_until(lambda: bank.rows("SELECT sum(balance) FROM bank HAVING count(*) = 1000"), "the accounts")[0][0]
            with Session(url + "&options=-ccluster%3Dsystem") as system:
                # The numbers that are told are the ids that `isopod node status` shows.
                self.assertEqual([row[0].split(":")[1] for row in system.rows(
                    "SELECT address FROM crdb_internal.gossip_nodes ORDER BY node_id")],
                    [re.search(r":(\d+)/", each[0]).group(1) for each in nodes])
                # The demo has given up waiting for all copies if the machine is slow, and has said so.
                wait_until(lambda: all(row[0].count(",") == 2 for row in system.rows(
                    "SELECT voting_replicas::text FROM crdb_internal.slices")), "three voters of each slice")
            # Its shell is there, on the first node: without one the demo would be over.
            shell.stdin.write(b"SELECT 'the shell' || ' answers';\n")
            shell.stdin.flush()

            def answers():
                with open(printed.name) as file:
                    return "the shell answers" in file.read()
            wait_until(answers, "the shell", 2 * DEADLINE_S)
            words = ["12s" if word == "60s" else word for word in run.split()]
            transfers = subprocess.Popen([ISOPOD] + words + [url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
            wait_until(lambda: bank.value("SELECT count(*) FROM bank WHERE balance <> 1000") > 0, "transfers")
            os.kill(int(nodes[0][1]), signal.SIGKILL)
            out = transfers.communicate(timeout=DEADLINE_S)[0].decode()
            self.assertEqual(transfers.returncode, 0, out)
            self.assertEqual(out.split("__total")[1].split()[1], "0", out)  # Errors.
            self.assertEqual(bank.value("SELECT sum(balance) FROM bank"), before)
            bank.close()
            # However the demo ends, none of its nodes is left.
            shell.kill()
            wait_until(lambda: all(self.gone(pid) for _, pid in nodes), "the nodes to end with the demo")
            with open(printed.name) as file:
                shutil.rmtree(re.search(r"--store=(\S+)/n3 ", file.read()).group(1))

    def gone(self, pid):
        try:
            with open("/proc/%s/stat" % pid) as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    def test_demo_with_three_nodes(self):
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        done = subprocess.run([ISOPOD, "demo", "bank", "--nodes", "3", "--format", "csv", "-e",
                               "SELECT count(*) FROM bank.bank"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=DEADLINE_S * 4, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(done.stdout.decode().split(), ["count", "1000"])


if __name__ == "__main__":
    unittest.main()
