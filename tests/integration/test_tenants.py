# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual clusters: life cycle, states, routing, settings, capabilities, privileges, HTTP, as operators' scripts rely on them."""
import threading
import unittest
import urllib.error
import urllib.request

import psycopg2

from cluster import Cluster, ClusterTest, wait_until


class VirtualClusters(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="tenants", profile="replication-source", shards=2)
        cls.server.start()
        cls.system = cls.server.connect()

    @classmethod
    def tearDownClass(cls):
        cls.system.close()
        cls.server.destroy()

    def fails(self, sqlstate, text, sql, session=None):
        self.assert_error(sqlstate, text, lambda: (session or self.system).run(sql))

    def states(self, name):
        row = self.system.record("SHOW VIRTUAL CLUSTER \"%s\"" % name)
        return row["data_state"], row["service_mode"]

    def test_profile(self):
        self.assertEqual(self.system.records("SHOW VIRTUAL CLUSTERS")[:3], [
            {"id": 1, "name": "system", "data_state": "ready", "service_mode": "shared"},
            {"id": 2, "name": "template", "data_state": "ready", "service_mode": "none"},
            {"id": 3, "name": "application", "data_state": "ready", "service_mode": "shared"}])
        self.assertEqual(self.system.value("SHOW CLUSTER SETTING server.controller.default_target_cluster"), "application")
        self.assertIn(str(self.system.value("SHOW CLUSTER SETTING kv.rangefeed.enabled")), ("True", "t", "true"))

    def test_restricted_system_interface(self):
        """With the restriction on, operators cannot make applications' objects beside the virtual clusters by mistake."""
        self.system.run("SET CLUSTER SETTING sql.restrict_system_interface.enabled = true")
        try:
            self.fails("42501", "blocked CREATE TABLE from the system interface", "CREATE TABLE mistaken (a INT)")
            self.fails("42501", "from the system interface", "SET CLUSTER SETTING jobs.retention_time = '1h'")
            with self.server.connect("application") as session:
                session.run("CREATE TABLE meant (a INT)")
                session.run("DROP TABLE meant")
        finally:
            self.system.run("SET CLUSTER SETTING sql.restrict_system_interface.enabled = false")
        self.system.run("CREATE TABLE meant (a INT)")
        self.system.run("DROP TABLE meant")

    def test_life_cycle(self):
        self.system.run("CREATE VIRTUAL CLUSTER cycle")
        self.assertEqual(self.states("cycle"), ("ready", "none"))
        self.fails("42710", 'tenant "cycle" already exists', "CREATE VIRTUAL CLUSTER cycle")
        self.system.run("CREATE VIRTUAL CLUSTER IF NOT EXISTS cycle")
        with self.assertRaises(psycopg2.OperationalError) as caught:
            self.server.connect("cycle")
        self.assertIn("service unavailable for target tenant (cycle)", str(caught.exception))
        self.system.run("ALTER VIRTUAL CLUSTER cycle START SERVICE SHARED")
        self.assertEqual(self.states("cycle"), ("ready", "shared"))
        with self.server.connect("cycle") as session:
            session.run("CREATE TABLE t (a INT PRIMARY KEY)")
            session.run("INSERT INTO t VALUES (1)")
        self.fails("55000", "cannot rename tenant in service mode shared", "ALTER VIRTUAL CLUSTER cycle RENAME TO other")
        self.fails("55000", "cannot drop tenant in service mode shared", "DROP VIRTUAL CLUSTER cycle")
        with self.server.connect("cycle") as session:
            self.system.run("ALTER VIRTUAL CLUSTER cycle STOP SERVICE")
            with self.assertRaises(psycopg2.Error):
                session.run("SELECT 1")
        self.assertEqual(self.states("cycle"), ("ready", "none"))
        self.system.run("ALTER VIRTUAL CLUSTER cycle RENAME TO \"new-name\"")
        self.system.run("ALTER VIRTUAL CLUSTER \"new-name\" START SERVICE SHARED")
        with self.server.connect("new-name") as session:
            self.assertEqual(session.rows("SELECT a FROM t"), [(1,)])
            self.assertEqual(session.value("SHOW virtual_cluster_name"), "new-name")
        self.system.run("ALTER VIRTUAL CLUSTER \"new-name\" STOP SERVICE")
        self.system.run("DROP VIRTUAL CLUSTER \"new-name\" IMMEDIATE")
        self.fails("42704", 'tenant "new-name" does not exist', "SHOW VIRTUAL CLUSTER \"new-name\"")
        self.system.run("CREATE VIRTUAL CLUSTER \"new-name\"")
        self.system.run("DROP VIRTUAL CLUSTER \"new-name\"")
        self.system.run("DROP VIRTUAL CLUSTER IF EXISTS \"new-name\"")
        names = [row["name"] for row in self.system.records("SHOW VIRTUAL CLUSTERS")]
        self.assertNotIn("new-name", names)

    def test_ids_are_not_given_twice_and_name_statements(self):
        self.system.run("CREATE VIRTUAL CLUSTER first")
        first = self.system.record("SHOW VIRTUAL CLUSTER first")["id"]
        self.system.run("DROP VIRTUAL CLUSTER [%d] IMMEDIATE" % first)
        self.system.run("CREATE VIRTUAL CLUSTER 'second'")
        second = self.system.record("SHOW VIRTUAL CLUSTER second")["id"]
        self.assertGreater(second, first)
        self.assertEqual(self.system.record("SHOW VIRTUAL CLUSTER [%d]" % second)["name"], "second")
        self.system.run("DROP TENANT second IMMEDIATE")

    def test_errors(self):
        self.fails("42704", 'tenant "nosuch" does not exist', "ALTER VIRTUAL CLUSTER nosuch START SERVICE SHARED")
        self.fails("42704", 'tenant "nosuch" does not exist', "DROP VIRTUAL CLUSTER nosuch")
        self.fails("22023", 'ID assigned to system tenant', "DROP VIRTUAL CLUSTER system")
        self.fails("42601", "invalid tenant name", "CREATE VIRTUAL CLUSTER \"Bad_Name\"")
        self.fails("42809", "using the system tenant as config template", "CREATE VIRTUAL CLUSTER x LIKE system")
        self.fails("0A000", "SERVICE EXTERNAL", "ALTER VIRTUAL CLUSTER template START SERVICE EXTERNAL")
        with self.server.wait_connect("application") as session:
            self.fails("42501", "only the system tenant can", "CREATE VIRTUAL CLUSTER x", session)
            self.fails("42501", "only the system tenant can", "SHOW VIRTUAL CLUSTERS", session)
        self.system.run("BEGIN")
        self.fails("25001", "cannot run inside a transaction block", "ALTER VIRTUAL CLUSTER template START SERVICE SHARED")
        self.system.run("ROLLBACK")

    def test_routing(self):
        def name(dsn):
            connection = psycopg2.connect(dsn)
            with connection.cursor() as cursor:
                cursor.execute("SHOW virtual_cluster_name")
                row = cursor.fetchone()
            connection.close()
            return row[0]
        at = "host=%s port=%d user=root sslmode=disable" % (self.server.host, self.server.port)
        self.server.wait_connect("application").close()
        self.assertEqual(name(at + " dbname=defaultdb"), "application")
        self.assertEqual(name(at + " dbname=defaultdb options='-ccluster=system'"), "system")
        self.assertEqual(name(at + " dbname=defaultdb options='-c cluster=application'"), "application")
        self.assertEqual(name(at + " dbname=defaultdb options='--cluster=system'"), "system")
        self.assertEqual(name(at + " dbname='cluster:system/defaultdb'"), "system")
        self.assertEqual(name(at + " dbname='cluster:application'"), "application")
        with self.assertRaises(psycopg2.OperationalError) as caught:
            name(at + " dbname='cluster:system' options='-ccluster=application'")
        self.assertIn("named twice", str(caught.exception))

    def test_settings_classes_and_overrides(self):
        with self.server.wait_connect("application") as session:
            self.fails("42P02", "unknown cluster setting", "SHOW CLUSTER SETTING server.controller.default_target_cluster", session)
            self.fails("42501", "only settable by the operator", "SET CLUSTER SETTING kv.rangefeed.enabled = false", session)
            self.fails("42P02", "unknown cluster setting", "SET CLUSTER SETTING no.such.setting = 1")
            self.fails("42501", "system-only setting",
                       "ALTER VIRTUAL CLUSTER application SET CLUSTER SETTING server.controller.default_target_cluster = 'x'")
            name = "sql.create_virtual_cluster.default_template"
            self.system.run("ALTER VIRTUAL CLUSTER application SET CLUSTER SETTING %s = 'from operator'" % name)
            self.assertEqual(session.value("SHOW CLUSTER SETTING " + name), "from operator")
            with self.assertRaises(psycopg2.Error) as caught:
                session.run("SET CLUSTER SETTING %s = 'mine'" % name)
            self.assertIn("currently overridden by the operator", str(caught.exception))
            self.assertEqual(self.system.value("SHOW CLUSTER SETTING %s FOR VIRTUAL CLUSTER application" % name), "from operator")
            rows = {r["variable"]: r for r in self.system.records("SHOW CLUSTER SETTINGS FOR VIRTUAL CLUSTER application")}
            self.assertEqual(rows[name]["origin"], "per-tenant-override")
            self.system.run("ALTER VIRTUAL CLUSTER application RESET CLUSTER SETTING " + name)
            session.run("SET CLUSTER SETTING %s = 'mine'" % name)
            self.assertEqual(session.value("SHOW CLUSTER SETTING " + name), "mine")
            session.run("RESET CLUSTER SETTING " + name)

    def capabilities(self, name):
        return {row["capability_name"]: row["capability_value"]
                for row in self.system.records("SHOW VIRTUAL CLUSTER %s WITH CAPABILITIES" % name)}

    def test_capabilities(self):
        self.system.run("CREATE VIRTUAL CLUSTER capable")
        self.assertEqual(len(self.capabilities("capable")), 13)
        self.assertEqual({k for k, v in self.capabilities("capable").items() if v == "true"},
                         {"can_admin_scatter", "can_admin_split"})
        self.system.run("ALTER VIRTUAL CLUSTER capable GRANT CAPABILITY can_view_node_info, can_admin_split = false")
        self.assertEqual(self.capabilities("capable")["can_view_node_info"], "true")
        self.assertEqual(self.capabilities("capable")["can_admin_split"], "false")
        self.system.run("CREATE VIRTUAL CLUSTER copied LIKE capable")
        self.assertEqual(self.capabilities("copied"), self.capabilities("capable"))
        self.system.run("ALTER VIRTUAL CLUSTER capable REVOKE CAPABILITY can_view_node_info")
        self.assertEqual(self.capabilities("capable")["can_view_node_info"], "false")
        self.system.run("ALTER VIRTUAL CLUSTER capable GRANT ALL CAPABILITIES")
        self.assertEqual(self.capabilities("capable")["can_debug_process"], "true")
        self.fails("42601", 'unknown capability: "fly"', "ALTER VIRTUAL CLUSTER capable GRANT CAPABILITY fly")
        self.fails("42804", "must be type bool, not type int", "ALTER VIRTUAL CLUSTER capable GRANT CAPABILITY can_admin_split = 1")

    def test_privileges(self):
        self.system.run("CREATE USER operator")
        with self.server.connect(user="operator") as session:
            self.fails("42501", "MANAGEVIRTUALCLUSTER", "SHOW VIRTUAL CLUSTERS", session)
            self.system.run("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO operator")
            session.run("SHOW VIRTUAL CLUSTERS")
            self.system.run("REVOKE SYSTEM MANAGEVIRTUALCLUSTER FROM operator")
            self.fails("42501", "MANAGEVIRTUALCLUSTER", "CREATE VIRTUAL CLUSTER x", session)

    def test_reset_data(self):
        """All is as it was at the time: rows, tables, users, settings. A crash on the way makes no half of it."""
        server = self.cluster("reset", profile="replication-source", shards=2)
        system = server.connect()
        system.run("CREATE VIRTUAL CLUSTER back")
        system.run("ALTER VIRTUAL CLUSTER back START SERVICE SHARED")
        with server.wait_connect("back") as session:
            session.run("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)")
            session.run("INSERT INTO t SELECT g, 'old' FROM generate_series(1, 2000) g")
            at = session.value("SELECT cluster_logical_timestamp()")
            session.run("UPDATE t SET b = 'new' WHERE a > 500")
            session.run("DELETE FROM t WHERE a <= 100")
            session.run("ALTER TABLE t ADD COLUMN c INT DEFAULT 7")
            session.run("CREATE INDEX t_b ON t (b)")
            session.run("CREATE TABLE later (a INT PRIMARY KEY)")
            session.run("CREATE USER later")
            session.run("INSERT INTO t SELECT g, 'more' FROM generate_series(3001, 6000) g")
        reset = "ALTER VIRTUAL CLUSTER back RESET DATA TO SYSTEM TIME '%s'" % at
        self.fails("55000", "in service mode shared", reset, system)
        self.fails("22023", "assigned to system tenant", "ALTER VIRTUAL CLUSTER system RESET DATA TO SYSTEM TIME '-1s'", system)
        system.run("ALTER VIRTUAL CLUSTER back STOP SERVICE")
        self.fails("22023", "", "ALTER VIRTUAL CLUSTER back RESET DATA TO SYSTEM TIME '1h'", system)
        self.fails("22023", "was not ready", "ALTER VIRTUAL CLUSTER back RESET DATA TO SYSTEM TIME '%s'"
                   % system.value("SELECT cluster_logical_timestamp() - 3600000000000"), system)

        def killed():
            try:
                with server.connect() as other:
                    other.run(reset)
            except psycopg2.Error:
                pass
        attempt = threading.Thread(target=killed)
        attempt.start()
        wait_until(lambda: not attempt.is_alive() or
                   system.value("SELECT count(*) FROM [SHOW JOBS] WHERE job_type = 'RESET VIRTUAL CLUSTER DATA'") == 1, "its job")
        server.kill()
        attempt.join()
        system.close()
        server.start()
        with server.connect() as system:
            def ready():
                row = system.record("SHOW VIRTUAL CLUSTER back")
                return row["data_state"] == "ready"
            wait_until(ready, "the reset to end after the restart")
            system.run(reset)  # Again, whatever the first one has come to.
            job = system.record("SELECT status, description FROM [SHOW JOBS] WHERE job_type = 'RESET VIRTUAL CLUSTER DATA' LIMIT 1")
            self.assertEqual(job["status"], "succeeded")
            self.assertIn("RESET DATA TO SYSTEM TIME", job["description"])
            system.run("ALTER VIRTUAL CLUSTER back START SERVICE SHARED")
            with server.wait_connect("back") as session:
                self.assertEqual(session.rows("SELECT count(*), min(a), max(a), min(b), max(b) FROM t"), [(2000, 1, 2000, "old", "old")])
                self.fails("42703", "c", "SELECT c FROM t", session)
                self.fails("42P01", "later", "SELECT * FROM later", session)
                self.assertEqual(session.value("SELECT count(*) FROM pg_roles WHERE rolname = 'later'"), 0)
                session.run("INSERT INTO t VALUES (3001, 'again')")
                session.run("CREATE TABLE later (a INT PRIMARY KEY)")
                session.run("CREATE INDEX t_b ON t (b)")
                self.assertEqual(session.value("SELECT a FROM t@t_b WHERE b = 'again'"), 3001)

    def test_restart_serves_what_was_served(self):
        server = self.cluster("restart", profile="virtual+app")
        with server.connect() as system:
            system.run("CREATE VIRTUAL CLUSTER kept")
            system.run("ALTER VIRTUAL CLUSTER kept START SERVICE SHARED")
        with server.wait_connect("kept") as session:
            session.run("CREATE TABLE t (a INT)")
        server.kill()
        server.start()
        server.wait_connect("kept").close()
        server.stop()
        server.start()
        with server.wait_connect("kept") as session:
            self.assertEqual(session.value("SELECT count(*) FROM t"), 0)


class Http(ClusterTest):
    def get(self, server, path):
        port = self.http_port(server)
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=20) as answer:
            return answer.status, answer.read().decode()

    def http_port(self, server):
        import re
        return int(re.search(r"webui:\s+http://localhost:(\d+)", server.output()).group(1))

    def test_health_and_metrics(self):
        server = self.cluster("http", profile="virtual+app")
        self.assertEqual(self.get(server, "/health"), (200, "{}\n"))
        self.assertEqual(self.get(server, "/health?ready=1")[0], 200)
        with server.wait_connect("main") as session:
            for _ in range(7):
                session.run("SELECT 1")
            status, text = self.get(server, "/_status/vars?cluster=system")
            self.assertEqual(status, 200)
            counts = [line for line in text.splitlines() if line.startswith("sql_select_count{")]
            self.assertTrue(any('tenant="main"' in line and line.endswith(" 7") for line in counts), counts)
            self.assertTrue(any('tenant="system"' in line for line in counts), counts)
            _, own = self.get(server, "/_status/vars?cluster=main")
            self.assertIn('tenant="main"', own)
            self.assertNotIn('tenant="system"', own)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.get(server, "/nosuch")
        self.assertEqual(caught.exception.code, 404)


if __name__ == "__main__":
    unittest.main()
