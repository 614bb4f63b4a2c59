# SPDX-License-Identifier: GPL-3.0-or-later
"""What statements and transactions have cost, by fingerprint; the log of slow statements; memory at each limit."""
import json
import os
import unittest

import psycopg2

from cluster import ClusterTest, wait_until
from nodes import Nodes


def log_lines(store, word):
    """Events of the log with this word, as dictionaries."""
    path = os.path.join(store, "logs", "isopod.log")
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line[line.index("{"):]) for line in file if word in line]


class Insight(ClusterTest):
    def stat(self, session, query):
        rows = session.records("SELECT s.*, r.rolname, d.datname FROM pg_stat_statements s JOIN pg_roles r ON r.oid = userid "
                               "JOIN pg_database d ON d.oid = dbid WHERE query = %s", (query,))
        return rows[0] if rows else None

    def test_statements_of_one_node(self):
        cluster = self.cluster("insight", shards=2)
        with cluster.connect() as one:
            one.run("CREATE TABLE t (k int PRIMARY KEY, v text)")
            one.run("CREATE ROLE bob LOGIN PASSWORD 'very secret'")
            one.run("GRANT SELECT ON t TO bob")
            one.run("SELECT pg_stat_statements_reset()")
            # --- values make no difference, nor do case, space and comments ---
            for i in range(20):
                one.run("INSERT INTO t VALUES (%d, 'value %d')" % (i, i))
            one.run("insert  INTO t /* once more */ VALUES (20, 'x'), (21, 'y')")
            row = self.stat(one, "INSERT INTO t VALUES ($1, $2)")
            self.assertEqual((row["calls"], row["rows"], row["rolname"], row["datname"]), (20, 20, "root", "defaultdb"))
            self.assertTrue(0 < row["min_exec_time"] <= row["mean_exec_time"] <= row["max_exec_time"] <= row["total_exec_time"])
            self.assertAlmostEqual(row["mean_exec_time"] * 20, row["total_exec_time"], places=3)
            self.assertEqual(one.value("SELECT calls FROM pg_stat_statements WHERE query LIKE 'insert INTO t VALUES%%'"), 1)
            # --- parameters are values, too; rows of queries count what they gave ---
            one.run("PREPARE p AS SELECT v FROM t WHERE k < $1")
            for i in (3, 4):
                one.rows("SELECT v FROM t WHERE k < %s", (i,))
            row = self.stat(one, "SELECT v FROM t WHERE k < $1")
            self.assertEqual((row["calls"], row["rows"]), (2, 7))
            # --- secrets are values in every statement ---
            one.run("ALTER ROLE bob PASSWORD 'even more secret'")
            self.assertEqual(one.value("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%secret%%' AND query LIKE 'ALTER%%'"), 0)
            self.assertEqual(self.stat(one, "ALTER ROLE bob PASSWORD $1")["calls"], 1)
            # --- failures, and who, with which application ---
            one.run("SET application_name = 'tests of insight'")
            for _ in range(3):
                with self.assertRaises(psycopg2.Error):
                    one.run("INSERT INTO t VALUES (1, 'again')")
            internal = one.records("SELECT * FROM crdb_internal.node_statement_statistics WHERE application_name = 'tests of insight' "
                                   "AND key = 'INSERT INTO t VALUES (_, _)'")
            self.assertEqual([(row["count"], row["failure_count"], row["last_error_code"], row["statement_type"], row["implicit_txn"])
                              for row in internal], [(3, 3, "23505", "INSERT", True)])
            self.assertEqual(self.stat(one, "INSERT INTO t VALUES ($1, $2)")["calls"], 23)
            # --- transactions are what their statements are ---
            for i in range(100, 104):
                one.run("BEGIN")
                one.run("INSERT INTO t VALUES (%d, 'b')" % i)
                one.rows("SELECT v FROM t WHERE k < %s", (i,))
                one.run("ROLLBACK" if i == 103 else "COMMIT")
            rows = one.records("SELECT * FROM crdb_internal.node_transaction_statistics WHERE NOT implicit_txn")
            self.assertEqual([(row["count"], row["failure_count"]) for row in rows], [(4, 1)])
            ids = one.rows("SELECT statement_id FROM crdb_internal.node_statement_statistics WHERE key IN "
                           "('INSERT INTO t VALUES (_, _)', 'SELECT v FROM t WHERE k < _') GROUP BY 1")
            self.assertEqual(sorted(rows[0]["statement_ids"]), sorted(row[0] for row in ids))
            statistics = one.records("SELECT metadata ->> 'query' AS query, (statistics -> 'statistics' ->> 'cnt')::int AS count, app_name "
                                     "FROM crdb_internal.statement_statistics WHERE metadata ->> 'query' LIKE 'ALTER ROLE%%'")
            self.assertEqual([tuple(row.values()) for row in statistics], [("ALTER ROLE bob PASSWORD _", 1, "")])
            self.assertEqual(one.value("SELECT sum(jsonb_array_length(metadata -> 'stmtFingerprintIDs')) FROM crdb_internal.transaction_statistics "
                                       "WHERE metadata ->> 'implicitTxn' = 'false'"), 2)
            # --- others see what is theirs ---
            with cluster.connect(user="bob") as bob:
                bob.rows("SELECT v FROM t WHERE k = 7")
                seen = bob.records("SELECT query, queryid, rolname FROM pg_stat_statements JOIN pg_roles r ON r.oid = userid")
                self.assertEqual({row["query"] for row in seen if row["rolname"] != "bob"}, {"<insufficient privilege>"})
                self.assertIn("SELECT v FROM t WHERE k = $1", [row["query"] for row in seen if row["rolname"] == "bob"])
                self.assertEqual(set(row[0] for row in bob.rows("SELECT user_name FROM crdb_internal.node_statement_statistics")), {"bob"})
                self.assert_error("42501", "permission denied for function pg_stat_statements_reset",
                                  lambda: bob.run("SELECT pg_stat_statements_reset()"))
                one.run("GRANT SYSTEM VIEWACTIVITY TO bob")
                self.assertIn("root", [row[0] for row in bob.rows("SELECT user_name FROM crdb_internal.node_statement_statistics")])
                # --- SHOW SESSIONS knows the last one ---
                row = [row for row in one.records("SHOW SESSIONS") if row["user_name"] == "bob"][0]
                self.assertEqual(row["last_active_query"], "SELECT user_name FROM crdb_internal.node_statement_statistics")
                self.assertEqual(row["authentication_method"], "trust")
                self.assertGreaterEqual(row["num_txns_executed"], 4)
            # --- SHOW TRANSACTIONS ---
            with cluster.connect() as two:
                two.run("BEGIN")
                two.run("INSERT INTO t VALUES (500, '')")
                two.run("INSERT INTO t VALUES (501, '')")
                rows = [row for row in one.records("SHOW TRANSACTIONS") if row["num_stmts"] == 2]
                self.assertEqual(len(rows), 1)
            # --- forgetting: of one user, one statement, all ---
            one.run("SELECT pg_stat_statements_reset((SELECT oid FROM pg_roles WHERE rolname = 'bob'))")
            self.assertEqual(one.value("SELECT count(*) FROM pg_stat_statements JOIN pg_roles r ON r.oid = userid WHERE rolname = 'bob'"), 0)
            self.assertEqual(self.stat(one, "INSERT INTO t VALUES ($1, $2)")["calls"], 29)
            one.run("SELECT pg_stat_statements_reset(0, 0, (SELECT queryid FROM pg_stat_statements WHERE query = 'INSERT INTO t VALUES ($1, $2)'))")
            self.assertIsNone(self.stat(one, "INSERT INTO t VALUES ($1, $2)"))
            self.assertIsNotNone(self.stat(one, "SELECT v FROM t WHERE k < $1"))
            self.assertTrue(one.value("SELECT crdb_internal.reset_sql_stats()"))
            self.assertIsNone(self.stat(one, "SELECT v FROM t WHERE k < $1"))
            # --- bounded ---
            one.run("SET CLUSTER SETTING sql.metrics.max_mem_stmt_fingerprints = 10")
            for i in range(60):
                one.run("SELECT k AS c%d FROM t" % i)
            self.assertLessEqual(one.value("SELECT count(*) FROM pg_stat_statements"), 20)
            self.assertIsNotNone(self.stat(one, "SELECT k AS c59 FROM t"))
            self.assertIsNone(self.stat(one, "SELECT k AS c1 FROM t"))
            self.assertGreater(one.value("SELECT dealloc FROM pg_stat_statements_info"), 30)
            # --- off ---
            one.run("SET CLUSTER SETTING sql.metrics.statement_details.enabled = false")
            one.run("SELECT 1 AS uncounted")
            self.assertIsNone(self.stat(one, "SELECT $1 AS uncounted"))
            # --- the extension is there ---
            one.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            self.assert_error("42710", "already exists", lambda: one.run("CREATE EXTENSION pg_stat_statements"))
            self.assertEqual(one.value("SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements'"), "1.10")

    def test_slow_statements_are_logged(self):
        cluster = self.cluster("slow", shards=1)
        with cluster.connect() as one:
            one.run("CREATE ROLE bob LOGIN")
            one.run("SET application_name = 'slow tests'")

            def noted(*statements):
                return [event for event in log_lines(cluster.store, "slow_query") if event["Statement"] in statements]

            # What takes less is not logged: however slow this machine is, that is less than ten minutes.
            one.run("SET CLUSTER SETTING sql.log.slow_query.latency_threshold = '10min'")
            one.run("SELECT 'quick' AS quick")
            one.run("SET CLUSTER SETTING sql.log.slow_query.latency_threshold = '200ms'")
            one.run("SELECT pg_sleep(0.3), 'secret'")
            with self.assertRaises(psycopg2.Error):
                one.run("SET statement_timeout = '250ms'; SELECT pg_sleep(30)")
            one.run("SET statement_timeout = 0")
            slow = ("SELECT pg_sleep($1), $2", "SELECT pg_sleep($1)")
            events = wait_until(lambda: (lambda found: found if len(found) >= 2 else None)(noted(*slow)), "slow statements in the log")
            self.assertEqual([(event["Statement"], event["Tag"], event["SQLSTATE"], event["User"], event["ApplicationName"], event["NumRows"])
                              for event in events],
                             [("SELECT pg_sleep($1), $2", "SELECT", "00000", "root", "slow tests", 1),
                              ("SELECT pg_sleep($1)", "SELECT", "57014", "root", "slow tests", 0)])
            self.assertTrue(300 <= events[0]["Age"] < 600000)
            self.assertEqual(noted("SELECT $1 AS quick"), [])
            # --- PostgreSQL's variable: of a session, for administrators to set ---
            one.run("SET CLUSTER SETTING sql.log.slow_query.latency_threshold = '0s'")
            one.run("SET log_min_duration_statement = 0")
            one.run("SELECT 'noted'")
            one.run("SET log_min_duration_statement = -1")
            self.assertEqual(one.value("SHOW log_min_duration_statement"), "-1")
            one.run("SELECT 'not noted' AS x")
            self.assert_error("22023", "-1 ms is outside the valid range for parameter \"statement_timeout\"",
                              lambda: one.run("SET statement_timeout = -1"))
            one.run("SET log_min_duration_statement = 0")
            one.run("SELECT 'the last' AS y")
            one.run("SET log_min_duration_statement = -1")
            # The log is in order.
            wait_until(lambda: noted("SELECT $1 AS y"), "the statement in the log")
            self.assertEqual(len(noted("SELECT $1")), 1)
            self.assertEqual(noted("SELECT $1 AS x"), [])
            with cluster.connect(user="bob") as bob:
                self.assert_error("42501", "permission denied to set parameter \"log_min_duration_statement\"",
                                  lambda: bob.run("SET log_min_duration_statement = 0"))
                self.assert_error("42501", "permission denied to set parameter",
                                  lambda: bob.run("ALTER ROLE bob SET log_min_duration_statement = 0"))
                bob.run("RESET ALL")
            one.run("ALTER ROLE bob SET log_min_duration_statement = '1min'")
            with cluster.connect(user="bob") as bob:
                self.assertEqual(bob.value("SHOW log_min_duration_statement"), "1min")

    def test_memory_ends_at_each_limit(self):
        """53200 that says whose limit it is; others go on."""
        cluster = self.cluster("limits", shards=1)
        big = "SELECT length(string_agg(repeat('x', 1000), '')) FROM generate_series(1, 20000)"
        with cluster.connect() as one, cluster.connect() as two:
            for setting, whose in (("statement_max", "statement"), ("session_max", "session"),
                                   ("virtual_cluster_max", "virtual cluster")):
                one.run("SET CLUSTER SETTING sql.memory.%s = '8MiB'" % setting)
                with cluster.connect() as three:  # A session takes its limit when it begins.
                    self.assert_error("53200", whose, lambda: three.rows(big))
                    self.assertEqual(three.value("SELECT 1"), 1)
                one.run("SET CLUSTER SETTING sql.memory.%s = '0'" % setting)
                self.assertEqual(two.value(big), 20000000)

    def test_one_limit_a_virtual_cluster(self):
        cluster = self.cluster("tenants", shards=1)
        with cluster.connect() as system:
            for name in ("small", "other"):
                system.run("CREATE VIRTUAL CLUSTER %s" % name)
                system.run("ALTER VIRTUAL CLUSTER %s START SERVICE SHARED" % name)
            system.run("ALTER VIRTUAL CLUSTER small SET CLUSTER SETTING sql.memory.virtual_cluster_max = '8MiB'")
        big = "SELECT length(string_agg(repeat('x', 1000), '')) FROM generate_series(1, 20000)"
        with cluster.wait_connect("small") as small, cluster.wait_connect("other") as other:
            self.assert_error("53200", "virtual cluster", lambda: small.rows(big))
            self.assertEqual(other.value(big), 20000000)
            # --- statistics are each one's own ---
            small.run("SELECT 'small' AS of_small")
            self.assertEqual(other.value("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%%of_small'"), 0)
            self.assertEqual(small.value("SELECT calls FROM pg_stat_statements WHERE query LIKE '%%of_small'"), 1)


class OfAllNodes(unittest.TestCase):
    def test_statements_of_all_nodes(self):
        with Nodes(3, shards=1) as nodes:
            # Two that join at the same time hear of each other through the first.
            for i in nodes.all:
                wait_until(lambda: nodes.live(i) == [1, 2, 3], "node %d to know all" % i)
            with nodes[1].connect() as one, nodes[2].connect() as two, nodes[3].connect() as three:
                for session, times in ((one, 2), (two, 3), (three, 4)):
                    for i in range(times):
                        session.run("SELECT %d + 7000 AS everywhere" % i)
                query = "SELECT $1 + $2 AS everywhere"
                for session in (one, three):
                    self.assertEqual(session.rows("SELECT calls, rows FROM pg_stat_statements WHERE query = %s", (query,)), [(9, 9)])
                self.assertEqual(one.rows("SELECT node_id, count FROM crdb_internal.cluster_statement_statistics "
                                          "WHERE key = 'SELECT _ + _ AS everywhere' ORDER BY 2"),
                                 [(nodes[1].id, 2), (nodes[2].id, 3), (nodes[3].id, 4)])
                self.assertEqual(one.value("SELECT count FROM crdb_internal.node_statement_statistics "
                                           "WHERE key = 'SELECT _ + _ AS everywhere'"), 2)
                two.run("SELECT pg_stat_statements_reset()")
                self.assertEqual(one.rows("SELECT calls FROM pg_stat_statements WHERE query = %s", (query,)), [])


if __name__ == "__main__":
    unittest.main()
