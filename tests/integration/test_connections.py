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
            self.assert_error("22023", "server.max_connections_per_gateway",
                              lambda: root.run("SET CLUSTER SETTING server.max_connections_per_gateway = -2"))
