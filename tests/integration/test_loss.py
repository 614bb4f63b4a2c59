# SPDX-License-Identifier: GPL-3.0-or-later
"""More nodes are lost than a cluster can do without: what waits, what comes back, and the way out that gives data up."""
import re
import threading
import unittest

import psycopg2

from cluster import wait_until
from nodes import Nodes, Register
from test_operators import copies


class Attempt(threading.Thread):
    """A statement of its own session, and how it ended."""

    def __init__(self, node, sql):
        super().__init__()
        self.session = node.connect()
        self.sql, self.code, self.message = sql, None, ""
        self.start()

    def run(self):
        try:
            self.session.run(self.sql)
            self.code = "success"
        except psycopg2.Error as error:
            self.code, self.message = error.pgcode, str(error)


class Loss(unittest.TestCase):
    def test_without_a_majority(self):
        """Nothing is answered that could be wrong; the error says why; what comes back serves again."""
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            with nodes[1].connect() as session:
                session.run("CREATE TABLE t (a int PRIMARY KEY)")
                session.run("INSERT INTO t VALUES (1)")
                nodes[2].kill()
                nodes[3].kill()
                session.run("SET statement_timeout = '2s'")

                def waits():  # A leader reads on until its lease is over.
                    try:
                        session.run("SELECT a FROM t")
                    except psycopg2.Error as error:
                        return error.pgcode == "57014"
                    return False
                wait_until(waits, "nobody to lead any more")
                attempts = [Attempt(nodes[1], sql) for sql in
                            ("SELECT a FROM t", "INSERT INTO t VALUES (2)", "UPDATE t SET a = 3")]
                for attempt in attempts:
                    attempt.join()
                    self.assertEqual(attempt.code, "08006", attempt.message)
                    self.assertIn("has no leader", attempt.message)
                    self.assertIn("majority", attempt.message)
                    attempt.session.close()
                nodes[3].start()
                session.run("SET statement_timeout = '30s'")
                wait_until(lambda: session.rows("SELECT a FROM t ORDER BY a")[:1] == [(1,)], "the slice to serve again")
                session.run("INSERT INTO t VALUES (4)")
                self.assertEqual(session.value("SELECT count(*) FROM t WHERE a = 4"), 1)

    def test_nobody_shows_the_past_when_a_majority_was_away(self):
        """Two nodes of three sleep, then are killed: what waits meanwhile ends, and afterwards each node shows what was acknowledged."""
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            register = Register(nodes, writes_through=1)
            for killed in (False, True):
                goal = len(register.writes) + 50
                wait_until(lambda: len(register.writes) >= goal, "writes")
                for node in (nodes[2], nodes[3]):
                    node.kill() if killed else node.pause()
                refused = register.errors + 2
                wait_until(lambda: register.errors >= refused, "statements to end without an answer")
                for node in (nodes[2], nodes[3]):
                    node.launch() if killed else node.unpause()
                for node in (nodes[2], nodes[3]):
                    node.await_serving()
                for each in (1, 2, 3):
                    goal = register.through(each) + 50
                    wait_until(lambda: register.through(each) >= goal, "reads through each node")
            register.check()

    def test_recover_gives_up_what_is_lost(self):
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            ids = [nodes[i].id for i in (1, 2, 3)]
            with nodes[1].connect() as session:
                session.run("CREATE TABLE t (a int PRIMARY KEY)")
                session.run("INSERT INTO t SELECT generate_series(1, 100)")

            def recover(*args, check=True):
                return nodes.command("debug", "recover", *[str(arg) for arg in args], check=check)
            self.assertIn("is alive", recover(ids[1], check=False))
            self.assertIn("does not exist", recover(77, check=False))
            nodes[2].kill()
            nodes[3].kill()
            wait_until(lambda: nodes.live() == [ids[0]], "the killed nodes to be missed")
            # The survivor has been started anew meanwhile, and cannot even begin to serve.
            nodes[1].kill()
            nodes[1].launch()
            wait_until(lambda: "does not answer" in recover(ids[1], check=False), "the survivor to tell of its nodes")
            wait_until(lambda: "go on with this copy alone" in recover(ids[1], ids[2], check=False), "a plan")
            out = recover(ids[1], ids[2])
            self.assertIn("Nothing was changed", out)
            self.assertIn("LOSES DATA", out)
            number = re.search(r"--apply=(\d+)", out).group(1)
            self.assertIn("is not what would be done now", recover("--apply=1", ids[1], ids[2], check=False))
            out = recover("--apply=" + number, ids[1], ids[2])
            self.assertIn("Done.", out)
            nodes[1].await_serving()
            with nodes[1].connect() as session:
                wait_until(lambda: session.value("SELECT count(*) FROM t") == 100, "the table to be read")
                session.run("INSERT INTO t VALUES (101)")
            with nodes[1].connect(options="-ccluster=system") as session:
                wait_until(lambda: {leader for _, leader in copies(session)} == {ids[0]}, "the survivor to lead all")
            # It holds, also over a restart; and who was given up is not taken in again.
            nodes[1].stop()
            nodes[1].start()
            with nodes[1].connect() as session:
                self.assertEqual(session.value("SELECT count(*) FROM t"), 101)
            nodes[2].launch()
            self.assertNotEqual(nodes[2].ended(), 0)
            self.assertIn("was decommissioned", nodes[2].output())


if __name__ == "__main__":
    unittest.main()
