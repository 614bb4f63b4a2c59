# SPDX-License-Identifier: GPL-3.0-or-later
"""A node takes no more clients of a virtual cluster or of a role than it was told; who leaves gives the place back."""
import psycopg2

from cluster import ClusterTest, wait_until


class Connections(ClusterTest):
    def refused(self, server, text, **options):
        with self.assertRaises(psycopg2.OperationalError) as caught:
            server.connect("system", **options).close()
        self.assertIn(text, str(caught.exception))

    def test_limits(self):
        server = self.cluster("connections", shards=2)
        with server.connect() as root:
            root.run("CREATE ROLE few LOGIN CONNECTION LIMIT 2")
            root.run("CREATE ROLE many LOGIN")
            # --- of a role ---
            held = [server.connect("system", user="few") for _ in range(2)]
            self.refused(server, "too many connections for role \"few\"", user="few")
            server.connect("system", user="many").close()
            held.pop().close()
            held.append(server.wait_connect("system", user="few"))
            self.refused(server, "too many connections for role \"few\"", user="few")
            root.run("ALTER ROLE few CONNECTION LIMIT -1")
            held.append(wait_until(lambda: server.connect("system", user="few"), "the new limit"))
            # A connection that goes without a word gives its place back, too.
            root.run("ALTER ROLE few CONNECTION LIMIT 3")
            wait_until(lambda: self.refused(server, "too many connections", user="few") is None, "the new limit")
            pid = held[0].value("SELECT pg_backend_pid()")
            root.run("SELECT pg_terminate_backend(%s)", (pid,))
            server.wait_connect("system", user="few").close()
            # --- of the virtual cluster ---
            for session in held[1:]:
                session.close()
            root.run("SET CLUSTER SETTING server.max_connections_per_gateway = 2")
            only = server.wait_connect("system", user="many")  # And root's.
            self.refused(server, "sorry, too many clients already", user="many")
            server.connect("system").close()  # A superuser gets in all the same.
            only.close()
            server.wait_connect("system", user="many").close()
            root.run("SET CLUSTER SETTING server.max_connections_per_gateway = -1")
            self.transactions(server, root)
            self.assert_error("22023", "server.max_connections_per_gateway",
                              lambda: root.run("SET CLUSTER SETTING server.max_connections_per_gateway = -2"))

    def transactions(self, server, root):
        """Of those that are open no more than allowed; whoever ends makes room, however it ends."""
        root.run("CREATE TABLE t (a int PRIMARY KEY)")
        root.run("GRANT ALL ON t TO many")
        sessions = [server.wait_connect("system", user="many") for _ in range(4)]
        root.run("SET CLUSTER SETTING server.max_open_transactions_per_gateway = 2")
        # What nobody holds open is no more than one at a time.
        for session in sessions:
            wait_until(lambda: self.may(session, "SELECT 1"), "those before it to have ended")
        for session in sessions[:2]:
            wait_until(lambda: self.may(session, "BEGIN"), "those before it to have ended")
            session.run("SELECT count(*) FROM t")
        for statement in ("BEGIN", "SELECT count(*) FROM t", "INSERT INTO t VALUES (1)"):
            self.assert_error("53400", "too many open transactions", lambda: sessions[2].run(statement))
        root.run("INSERT INTO t VALUES (2)")  # Superusers go on.
        sessions[0].run("COMMIT")
        wait_until(lambda: self.may(sessions[2], "INSERT INTO t VALUES (3)"), "room after a commit")
        wait_until(lambda: self.may(sessions[0], "BEGIN"), "the insert to have ended")
        sessions[0].close()
        wait_until(lambda: self.may(sessions[2], "BEGIN"), "room after a connection has gone")
        self.assert_error("42P01", "nowhere", lambda: sessions[2].run("SELECT * FROM nowhere"))
        sessions[2].run("ROLLBACK")
        wait_until(lambda: self.may(sessions[3], "BEGIN"), "room after a rollback")
        root.run("SET CLUSTER SETTING server.max_open_transactions_per_gateway = -1")
        wait_until(lambda: self.may(sessions[2], "BEGIN"), "no limit")
        for session in sessions[1:]:
            session.run("ROLLBACK")
        self.assertEqual(root.value("SELECT count(*) FROM t"), 2)

    def may(self, session, statement):
        try:
            session.run(statement)
        except psycopg2.errors.ConfigurationLimitExceeded:
            return False
        return True
