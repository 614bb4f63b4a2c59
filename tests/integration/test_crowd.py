# SPDX-License-Identifier: GPL-3.0-or-later
"""More clients wait for one lock than a core runs statements: whoever holds it goes on, others are served, and some are told 53300."""
import collections
import contextlib
import resource
import selectors
import socket
import struct
import time

from cluster import DEADLINE_S, ClusterTest, wait_until

CLIENTS = 4400  # A core has 4,096 stacks.
AT_ONCE = 100   # Log-ins under way.
PATIENCE_S = 4 * DEADLINE_S


class Crowd:
    """Clients by the thousand, each a socket and what came of its statements."""

    def __init__(self, server):
        self.address = (server.host, server.port)
        self.selector = selectors.DefaultSelector()
        self.clients = []

    def close(self):
        for client in self.clients:
            client["socket"].close()
        self.selector.close()

    def login(self, count):
        words = ("user", "root", "database", "defaultdb", "options", "-ccluster=system")
        body = struct.pack("!I", 196608) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
        while len(self.clients) < count:
            some = min(AT_ONCE, count - len(self.clients))
            for _ in range(some):
                raw = socket.create_connection(self.address)
                raw.sendall(struct.pack("!I", len(body) + 4) + body)
                raw.setblocking(False)
                client = {"socket": raw, "input": b"", "ready": 0, "states": []}
                self.selector.register(raw, selectors.EVENT_READ, client)
                self.clients.append(client)
            self.take(lambda: all(client["ready"] for client in self.clients[-some:]), "log-ins")

    def ask(self, sql):
        body = sql.encode() + b"\0"
        for client in self.clients:
            client["ready"], client["states"] = 0, []
            client["socket"].sendall(b"Q" + struct.pack("!I", len(body) + 4) + body)

    def take(self, enough, what):
        """Reads what comes until it is enough."""
        end = time.monotonic() + PATIENCE_S
        while not enough():
            for key, _ in self.selector.select(1):
                self.receive(key.data)
            if time.monotonic() > end:
                raise AssertionError("waited %.0f s for %s; answers: %s" % (PATIENCE_S, what, self.answers()))

    def receive(self, client):
        data = client["socket"].recv(65536)
        if not data:
            raise AssertionError("a connection was closed: %r" % client["states"])
        data = client["input"] + data
        while len(data) >= 5 and len(data) > struct.unpack("!I", data[1:5])[0]:
            size = 1 + struct.unpack("!I", data[1:5])[0]
            kind, body, data = data[:1], data[5:size], data[size:]
            if kind == b"E":
                client["states"].append(next(part[1:].decode() for part in body.split(b"\0") if part[:1] == b"C"))
            elif kind == b"C":
                client["states"].append("done")
            elif kind == b"Z":
                client["ready"] += 1
        client["input"] = data

    def answers(self):
        return collections.Counter(state for client in self.clients for state in client["states"])

    def answered(self):
        return sum(1 for client in self.clients if client["ready"])


class WhoeverHoldsALockGoesOn(ClusterTest):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < CLIENTS + 1000:
            self.skipTest("only %d files may be open here" % hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CLIENTS + 1000), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def round(self, server, crowd, holder, take, wait, give):
        """`take`: what holds it; `wait`: what all others say; `give`: how it ends. How many were served."""
        for sql in take:
            holder.run(sql)
        crowd.ask(wait)
        # Nobody else holds anything: whoever is answered is turned away, and all who may wait do.
        crowd.take(lambda: crowd.answered() >= CLIENTS - 3072, "those for whom there is no room")
        self.assertEqual(set(crowd.answers()), {"53300"})
        with server.wait_connect() as other:
            self.assertEqual(other.value("SELECT 1"), 1)
        for sql in give:
            holder.run(sql)
        crowd.take(lambda: crowd.answered() == CLIENTS, "everybody's answer")
        answers = crowd.answers()
        self.assertEqual(set(answers), {"53300", "done"})
        self.assertEqual(sum(answers.values()), CLIENTS)
        self.assertGreaterEqual(answers["done"], 1024)
        return answers["done"]

    def test_however_many_wait(self):
        server = self.cluster("crowd", shards=1)
        crowd = Crowd(server)
        with contextlib.closing(crowd), server.connect() as holder:
            holder.run("CREATE TABLE t (k int PRIMARY KEY, n int)")
            holder.run("INSERT INTO t VALUES (0, 0)")
            crowd.login(CLIENTS)
            done = self.round(server, crowd, holder, ("BEGIN", "UPDATE t SET n = n + 1"), "UPDATE t SET n = n + 1",
                              ("UPDATE t SET n = n + 1", "COMMIT"))
            self.assertEqual(holder.value("SELECT n FROM t"), done + 2)
            self.round(server, crowd, holder, ("SELECT pg_advisory_lock(7)",), "SELECT pg_advisory_xact_lock(7)",
                       ("SELECT pg_advisory_unlock(7)",))
            # All have gone: nothing is refused any more.
            crowd.ask("SELECT 1")
            crowd.take(lambda: crowd.answered() == CLIENTS, "everybody's answer")
            self.assertEqual(set(crowd.answers()), {"done"})
            wait_until(lambda: holder.value("SELECT pg_try_advisory_lock(7)"), "the lock to be free")
