# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of a cluster of several nodes: seen and cancelled from any of them."""
import socket
import struct
import threading
import unittest

import psycopg2

from cluster import DEADLINE_S, wait_until
from nodes import Nodes

SLEEP = "SELECT pg_sleep(600)"


class Running:
    """A statement in the background, and what became of it."""

    def __init__(self, node, sql=SLEEP, user="root"):
        self.session = node.connect(user=user)
        self.code = None
        self.process = self.session.raw.get_backend_pid()
        self.thread = threading.Thread(target=self.run, args=(sql,))
        self.thread.start()

    def run(self, sql):
        try:
            self.session.run(sql)
            self.code = "success"
        except psycopg2.Error as error:
            self.code = error.pgcode or "lost"

    def outcome(self):
        self.thread.join(DEADLINE_S)
        return self.code

    def close(self):
        try:
            self.session.close()
        except psycopg2.Error:
            pass


def cancel_request(port, process, secret):
    """The protocol's CancelRequest, byte by byte, to whichever node."""
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(struct.pack("!IIII", 16, 80877102, process, secret))
        raw.recv(1)  # The server closes without an answer.


def log_in(port):
    """(socket, process, secret) of a session over a bare socket."""
    raw = socket.create_connection(("127.0.0.1", port))
    body = struct.pack("!I", 196608) + b"user\0root\0database\0defaultdb\0\0"
    raw.sendall(struct.pack("!I", len(body) + 4) + body)
    buffered = b""
    key = None
    while True:
        while len(buffered) < 5 or len(buffered) < 1 + struct.unpack("!I", buffered[1:5])[0]:
            buffered += raw.recv(65536)
        kind, size = buffered[:1], struct.unpack("!I", buffered[1:5])[0]
        message, buffered = buffered[5:1 + size], buffered[1 + size:]
        if kind == b"K":
            key = struct.unpack("!II", message)
        if kind == b"Z":
            return raw, key[0], key[1]


class Activity(unittest.TestCase):
    def test_seen_and_cancelled_from_any_node(self):
        with Nodes(3, shards=2) as nodes:
            with nodes[1].connect() as one:
                one.run("CREATE ROLE bob LOGIN")
                one.run("CREATE ROLE eve LOGIN")
                # --- seen ---
                running = Running(nodes[3])
                rows = wait_until(lambda: [row for row in one.records("SHOW QUERIES") if row["query"] == SLEEP],
                                  "the other node's statement to be shown")
                self.assertEqual(rows[0]["node_id"], nodes[3].id)
                sessions = [row for row in one.records("SHOW CLUSTER SESSIONS") if row["active_queries"] == SLEEP]
                self.assertEqual([row["session_id"] for row in sessions], [rows[0]["session_id"]])
                self.assertEqual(sessions[0]["node_id"], nodes[3].id)
                self.assertEqual([row for row in one.records("SHOW LOCAL SESSIONS") if row["active_queries"] == SLEEP], [])
                self.assertEqual(one.rows("SELECT state, query FROM pg_stat_activity WHERE pid = %s", (running.process,)),
                                 [("active", SLEEP)])
                self.assertGreater(running.process, 0)
                self.assertEqual(one.rows("SELECT node_id, query_id, session_id FROM crdb_internal.cluster_queries WHERE query = %s",
                                          (SLEEP,)), [(nodes[3].id, rows[0]["query_id"], rows[0]["session_id"])])
                self.assertEqual(one.rows("SELECT status, pg_backend_pid FROM crdb_internal.cluster_sessions WHERE "
                                          "active_queries = %s", (SLEEP,)), [("ACTIVE", running.process)])
                self.assertEqual(one.value("SELECT count(*) FROM crdb_internal.node_queries WHERE query = %s", (SLEEP,)), 0)
                self.assertEqual(one.value("SELECT count(*) FROM crdb_internal.cluster_transactions WHERE session_id = %s",
                                           (rows[0]["session_id"],)), 1)
                # --- CANCEL QUERY ---
                one.run("CANCEL QUERY '%s'" % rows[0]["query_id"])
                self.assertEqual(running.outcome(), "57014")
                with self.assertRaises(psycopg2.Error) as raised:  # It runs nothing now.
                    one.run("CANCEL QUERY '%s'" % rows[0]["query_id"])
                self.assertEqual(raised.exception.pgcode, "42704")
                one.run("CANCEL QUERY IF EXISTS '%s'" % rows[0]["query_id"])
                with self.assertRaises(psycopg2.Error) as raised:
                    one.run("CANCEL QUERY 'nonsense'")
                self.assertEqual(raised.exception.pgcode, "22023")
                # --- CANCEL SESSION: also of one that does nothing ---
                one.run("CANCEL SESSION '%s'" % rows[0]["session_id"])
                wait_until(lambda: rows[0]["session_id"] not in
                           [row["session_id"] for row in one.records("SHOW SESSIONS")], "the session to be gone")
                running.close()
                # --- CANCEL QUERIES (select): on two nodes at once ---
                both = [Running(nodes[2]), Running(nodes[3])]
                wait_until(lambda: len([row for row in one.records("SHOW QUERIES") if row["query"] == SLEEP]) == 2,
                           "both statements to be shown")
                one.run("CANCEL QUERIES (SELECT query_id FROM [SHOW QUERIES] WHERE query = '%s')" % SLEEP)
                self.assertEqual([each.outcome() for each in both], ["57014", "57014"])
                for each in both:
                    each.close()
                # --- pg_cancel_backend, pg_terminate_backend ---
                running = Running(nodes[2])
                wait_until(lambda: one.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'",
                                             (running.process,)) == 1, "the statement to be seen")
                self.assertTrue(one.value("SELECT pg_cancel_backend(%s)", (running.process,)))
                self.assertEqual(running.outcome(), "57014")
                self.assertTrue(one.value("SELECT pg_terminate_backend(%s)", (running.process,)))
                running.close()
                # --- whose they are ---
                own, other = Running(nodes[3], user="bob"), nodes[1].connect(user="eve")
                row = wait_until(lambda: [row for row in one.records("SHOW QUERIES") if row["query"] == SLEEP],
                                 "bob's statement to be shown")[0]
                self.assertEqual([row for row in other.records("SHOW QUERIES") if row["query"] == SLEEP], [])
                with self.assertRaises(psycopg2.Error) as raised:
                    other.run("CANCEL QUERY '%s'" % row["query_id"])
                self.assertEqual(raised.exception.pgcode, "42501")
                one.run("GRANT SYSTEM CANCELQUERY TO eve")
                other.run("CANCEL QUERY '%s'" % row["query_id"])
                self.assertEqual(own.outcome(), "57014")
                own.close()
                other.close()
                # --- CancelRequest to a node that is not the session's ---
                raw, process, secret = log_in(nodes[2].port)
                sql = SLEEP.encode() + b"\0"
                raw.sendall(b"Q" + struct.pack("!I", len(sql) + 4) + sql)
                wait_until(lambda: one.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'",
                                             (process,)) == 1, "the statement to be seen")
                cancel_request(nodes[1].port, process, secret ^ 1)  # Whoever does not know the secret does nothing.
                self.assertEqual(one.value("SELECT state FROM pg_stat_activity WHERE pid = %s", (process,)), "active")
                cancel_request(nodes[3].port, process, secret)
                raw.settimeout(20)
                answer = b""
                while b"57014" not in answer:
                    part = raw.recv(4096)
                    self.assertTrue(part, answer)
                    answer += part
                raw.close()
                # --- a node that is gone is left out, and that is said ---
                nodes[3].kill()
                wait_until(lambda: nodes[3].id not in nodes.live(1), "the killed node to be missed")
                del one.raw.notices[:]
                one.rows("SHOW SESSIONS")
                self.assertIn("do not answer", "".join(one.raw.notices))


class NamedLocks(unittest.TestCase):
    def test_advisory_locks_exclude_sessions_of_other_nodes(self):
        with Nodes(3, shards=2) as nodes:
            nodes.await_copies()
            one, two = nodes[1].connect(), nodes[2].connect()
            # --- of the session: exclusive, shared, counted ---
            one.run("SELECT pg_advisory_lock(7), pg_advisory_lock(7)")
            self.assertFalse(two.value("SELECT pg_try_advisory_lock(7)"))
            self.assertFalse(two.value("SELECT pg_try_advisory_lock_shared(7)"))
            self.assertTrue(two.value("SELECT pg_try_advisory_lock(8)"))
            one.run("SELECT pg_advisory_unlock(7)")
            self.assertFalse(two.value("SELECT pg_try_advisory_lock(7)"))
            one.run("SELECT pg_advisory_unlock(7)")
            self.assertTrue(two.value("SELECT pg_try_advisory_lock(7)"))
            two.run("SELECT pg_advisory_unlock_all()")
            one.run("SELECT pg_advisory_lock_shared(9)")
            self.assertTrue(two.value("SELECT pg_try_advisory_lock_shared(9)"))
            self.assertFalse(two.value("SELECT pg_try_advisory_lock(9)"))
            one.run("SELECT pg_advisory_unlock_all()")
            self.assertTrue(two.value("SELECT pg_try_advisory_lock(9)"))
            two.run("SELECT pg_advisory_unlock_all()")
            # --- waiting, and giving up ---
            one.run("SELECT pg_advisory_lock(1)")
            two.run("SET lock_timeout = '200ms'")
            with self.assertRaises(psycopg2.Error) as raised:
                two.run("SELECT pg_advisory_lock(1)")
            self.assertEqual(raised.exception.pgcode, "55P03")
            waiting = Running(nodes[2], "SELECT pg_advisory_lock(1)")
            wait_until(lambda: two.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND "
                                         "pid = %s", ("%advisory_lock(1)", waiting.process)) == 1, "a session to wait")
            one.run("SELECT pg_advisory_unlock(1)")
            self.assertEqual(waiting.outcome(), "success")
            self.assertFalse(one.value("SELECT pg_try_advisory_lock(1)"))
            waiting.close()  # With its session it goes.
            wait_until(lambda: one.value("SELECT pg_try_advisory_lock(1)"), "the lock of an ended session to be free")
            # --- of the transaction, and LOCK TABLE ---
            one.run("CREATE TABLE t (a int)")
            one.run("BEGIN")
            one.run("SELECT pg_advisory_xact_lock(2)")
            one.run("LOCK TABLE t IN SHARE MODE")
            self.assertFalse(two.value("SELECT pg_try_advisory_xact_lock(2)"))
            two.run("BEGIN")
            with self.assertRaises(psycopg2.Error) as raised:
                two.run("LOCK TABLE t IN EXCLUSIVE MODE NOWAIT")
            self.assertEqual(raised.exception.pgcode, "55P03")
            two.run("ROLLBACK")
            one.run("COMMIT")
            two.run("BEGIN")
            two.run("LOCK TABLE t IN EXCLUSIVE MODE NOWAIT")
            two.run("COMMIT")
            self.assertTrue(two.value("SELECT pg_try_advisory_xact_lock(2)"))
            # --- a node that dies lets go, once it is certain ---
            three = nodes[3].connect()
            three.run("SELECT pg_advisory_lock(3)")
            self.assertFalse(one.value("SELECT pg_try_advisory_lock(3)"))
            nodes[3].kill()
            one.run("SELECT pg_advisory_lock(3)")
            three.close()
            one.close()
            two.close()


if __name__ == "__main__":
    unittest.main()
