# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators' scripts and dashboards find by name: settings, metrics, columns, job types and texts of virtual clusters and
of their replication. One cluster, which replicates a virtual cluster of its own."""
import re
import unittest
import urllib.request

from cluster import Cluster, ClusterTest, wait_until

# name: (alias or None, setting_type, public)
SETTINGS = {
    "bulkio.stream_ingestion.standby_read_ts_poll_interval": (None, "d", False),
    "cluster.organization": (None, "s", True),
    "enterprise.license": (None, "s", True),
    "kv.rangefeed.enabled": (None, "b", True),
    "physical_replication.consumer.failover_signal_poll_interval":
        ("bulkio.stream_ingestion.failover_signal_poll_interval", "d", False),
    "physical_replication.consumer.heartbeat_frequency": ("stream_replication.consumer_heartbeat_frequency", "d", False),
    "physical_replication.consumer.job_checkpoint_frequency": ("stream_replication.job_checkpoint_frequency", "d", False),
    "physical_replication.consumer.kv_buffer_size": ("bulkio.stream_ingestion.kv_buffer_size", "z", False),
    "physical_replication.consumer.minimum_flush_interval": ("bulkio.stream_ingestion.minimum_flush_interval", "d", True),
    "physical_replication.consumer.node_lag_replanning_threshold": (None, "d", False),
    "physical_replication.consumer.replan_flow_frequency": ("stream_replication.replan_flow_frequency", "d", False),
    "physical_replication.consumer.replan_flow_threshold": ("stream_replication.replan_flow_threshold", "f", False),
    "physical_replication.consumer.stream_compression.enabled": (None, "b", False),
    "physical_replication.consumer.timestamp_granularity": (None, "d", False),
    "physical_replication.producer.min_checkpoint_frequency": ("stream_replication.min_checkpoint_frequency", "d", False),
    "physical_replication.producer.stream_liveness_track_frequency":
        ("stream_replication.stream_liveness_track_frequency", "d", False),
    "server.controller.default_target_cluster": ("server.controller.default_tenant", "s", True),
    "server.controller.mux_virtual_cluster_wait.timeout": (None, "d", False),
    "server.virtual_cluster_authorization.mode": ("server.secondary_tenants.authorization.mode", "e", False),
    "sql.create_virtual_cluster.default_template": (None, "s", True),
    "sql.error_tip_system_interface.enabled": (None, "b", False),
    "sql.restrict_system_interface.enabled": (None, "b", False),
    "stream_replication.job_liveness_timeout": (None, "d", True),
    "stream_replication.lag_check_frequency": (None, "d", False),
}
METRICS = """logical_bytes replicated_time_seconds events_ingested resolved_events_ingested flushes flush_hist_nanos flush_wait_nanos
receive_wait_nanos commit_latency admit_latency running failover_progress cutover_progress distsql_replan_count catchup_ranges
scanning_ranges""".split()
CAPABILITIES = """can_admin_relocate_range can_admin_scatter can_admin_split can_admin_unsplit can_check_consistency
can_debug_process can_prepare_txns can_use_nodelocal_storage can_view_all_metrics can_view_node_info can_view_tsdb_metrics
exempt_from_rate_limiting span_config_bounds""".split()
BASE = ["id", "name", "data_state", "service_mode"]
STATUS = ["source_tenant_name", "source_cluster_uri", "replication_job_id", "replicated_time", "retained_time", "cutover_time",
          "replication_lag", "failover_time", "ingestion_job_id", "status"]
INT8, TEXT, BOOL, TIMESTAMPTZ, INTERVAL, NUMERIC = 20, 25, 16, 1184, 1186, 1700
# statement: its columns, in their order, with types where these are easily mistaken
COLUMNS = {
    "SHOW VIRTUAL CLUSTERS": BASE,
    "SHOW TENANTS": BASE,
    "SHOW VIRTUAL CLUSTER application WITH REPLICATION STATUS": BASE + STATUS,
    "SHOW VIRTUAL CLUSTER application WITH PRIOR REPLICATION DETAILS": BASE + ["source_id", "activation_time"],
    "SHOW VIRTUAL CLUSTER application WITH CAPABILITIES": BASE + ["capability_name", "capability_value"],
    "SHOW VIRTUAL CLUSTERS WITH REPLICATION STATUS, PRIOR REPLICATION DETAILS, CAPABILITIES":
        BASE + STATUS + ["source_id", "activation_time", "capability_name", "capability_value"],
    "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER application": ["tenant_name", "start_ts", "end_ts", "fingerprint"],
    "SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE system.users": ["index_name", "fingerprint"],
    "SHOW CLUSTER SETTINGS FOR VIRTUAL CLUSTER application": ["variable", "value", "setting_type", "origin", "description"],
    "SHOW ALL CLUSTER SETTINGS FOR VIRTUAL CLUSTER application":
        ["variable", "value", "setting_type", "origin", "description", "public"],
    "SHOW SYSTEM GRANTS": ["grantee", "privilege_type", "is_grantable"],
    "SHOW EXTERNAL CONNECTIONS": ["connection_name", "connection_uri", "connection_type"],
    "SHOW CREATE ALL EXTERNAL CONNECTIONS": ["connection_name", "create_statement"],
    "SHOW virtual_cluster_name": ["virtual_cluster_name"],
}
TYPES = {"id": INT8, "replication_job_id": INT8, "ingestion_job_id": INT8, "replicated_time": TIMESTAMPTZ,
         "retained_time": TIMESTAMPTZ, "cutover_time": NUMERIC, "failover_time": NUMERIC, "replication_lag": INTERVAL,
         "activation_time": NUMERIC, "start_ts": NUMERIC, "end_ts": NUMERIC, "fingerprint": INT8, "is_grantable": BOOL,
         "data_state": TEXT, "status": TEXT}
# In the system interface: SQLSTATE, text.
REFUSALS = {
    "ALTER RANGE 1 RELOCATE NONVOTERS FROM 1 TO 2": ("0A000", "ALTER RANGE ... RELOCATE NONVOTERS is not supported"),
    "ALTER RANGE 5 RELOCATE FROM 1 TO 2": ("22023", "there is no node 2"),
    "ALTER RANGE RELOCATE LEASE TO 1 FOR SELECT 99999": ("22023", "range 99999 does not exist"),
    "ALTER RANGE RELOCATE LEASE TO 1 FOR SELECT 'a'": ("42804", "expected one column of integers: ids of ranges"),
    "CREATE VIRTUAL CLUSTER application": ("42710", 'tenant "application" already exists'),
    "ALTER VIRTUAL CLUSTER template RENAME TO application": ("42710", 'name "application" is already taken'),
    "ALTER VIRTUAL CLUSTER application RENAME TO other": ("55000", "cannot rename tenant in service mode shared"),
    "DROP VIRTUAL CLUSTER application": ("55000", "cannot drop tenant in service mode shared"),
    "SHOW VIRTUAL CLUSTER nosuch": ("42704", 'tenant "nosuch" does not exist'),
    "SHOW VIRTUAL CLUSTER [99]": ("42704", 'tenant "99" does not exist'),
    "DROP VIRTUAL CLUSTER system": ("22023", 'cannot drop tenant "1", ID assigned to system tenant'),
    "CREATE VIRTUAL CLUSTER x LIKE system": ("42809", "using the system tenant as config template"),
    "ALTER VIRTUAL CLUSTER template GRANT CAPABILITY x": ("42601", 'unknown capability: "x"'),
    "ALTER VIRTUAL CLUSTER template REVOKE CAPABILITY can_admin_split = true": ("42601", "no value allowed in revoke"),
    "ALTER VIRTUAL CLUSTER template GRANT CAPABILITY span_config_bounds": ("42601", "value required for capability"),
    "ALTER VIRTUAL CLUSTER template GRANT CAPABILITY can_admin_split = 1": (
        "42804", "argument of ALTER VIRTUAL CLUSTER CAPABILITY can_admin_split must be type bool, not type int"),
    "ALTER VIRTUAL CLUSTER template GRANT CAPABILITY can_admin_split = NULL": (
        "22023", 'parameter "can_admin_split" requires a Boolean value'),
    "ALTER VIRTUAL CLUSTER template REVOKE CAPABILITY span_config_bounds": (
        "22023", "cannot REVOKE CAPABILITY span_config_bounds"),
    "ALTER VIRTUAL CLUSTER template SET CLUSTER SETTING server.controller.default_target_cluster = 'x'": (
        "42501", "is a system-only setting and must be set in the admin tenant using SET CLUSTER SETTING"),
    "SHOW CLUSTER SETTING jobs.retention_time FOR VIRTUAL CLUSTER system": (
        "22023", "cannot use this statement to access cluster settings in system tenant"),
    "SHOW CLUSTER SETTING no.such": ("42P02", "unknown cluster setting 'no.such'"),
    "ALTER VIRTUAL CLUSTER application PAUSE REPLICATION": ("55000", "does not have an active replication consumer job"),
    "ALTER VIRTUAL CLUSTER application SET REPLICATION READ VIRTUAL CLUSTER": (
        "55000", "does not have an active replication consumer job"),
    "ALTER VIRTUAL CLUSTER application START REPLICATION OF template ON 'postgresql://root@localhost:1/'": (
        "55000", "in service mode shared; service mode must be none"),
    "CREATE VIRTUAL CLUSTER system FROM REPLICATION OF a ON 'postgresql://root@localhost:1/'": (
        "22023", 'the destination tenant "system" (1) cannot be the system tenant'),
    "CREATE VIRTUAL CLUSTER a FROM REPLICATION OF a ON 'postgresql://root@localhost:1/' WITH EXPIRATION WINDOW = '1h'": (
        "22023", "cannot specify EXPIRATION WINDOW option while starting a physical replication stream"),
    "CREATE VIRTUAL CLUSTER a FROM REPLICATION OF a ON 'postgresql://root@localhost:1/' WITH RETENTION = '-1h'": (
        "22023", "retention should result in a number of seconds between 0 and 2147483647"),
    "SELECT crdb_internal.complete_replication_stream(1, true)": ("22023", "job 1 is not a replication stream job"),
    "INSERT INTO system.tenants (id, active, data_state, service_mode) VALUES (99, true, 1, 0)": ("42501", "tenants"),
    "UPDATE system.tenants SET name = 'x' WHERE id = 2": ("42501", "tenants"),
    "DELETE FROM system.tenant_settings": ("42501", "tenant_settings"),
    "DELETE FROM system.replication_consumers": ("42501", "replication_consumers"),
}
# In another virtual cluster.
REFUSALS_ELSEWHERE = {
    "CREATE VIRTUAL CLUSTER x": ("42501", "only the system tenant can create other tenants"),
    "DROP VIRTUAL CLUSTER x": ("42501", "only the system tenant can drop other tenants"),
    "SHOW VIRTUAL CLUSTERS": ("42501", "only the system tenant can show other tenants"),
    "ALTER VIRTUAL CLUSTER x PAUSE REPLICATION": ("42501", "only the system tenant can alter"),
    "CREATE VIRTUAL CLUSTER x FROM REPLICATION OF a ON 'postgresql://root@localhost:1/'": (
        "42501", "only the system tenant can create other tenants"),
    "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER x": ("42501", "only the system tenant can"),
    "SHOW EXTERNAL CONNECTIONS": ("42501", "only the system tenant can"),
    "SELECT * FROM crdb_internal.start_replication_stream('x')": ("42501", "only the system tenant can"),
    "SHOW CLUSTER SETTING stream_replication.job_liveness_timeout": ("42P02", "unknown cluster setting"),
    "SET CLUSTER SETTING kv.rangefeed.enabled = false": (
        "42501", "setting kv.rangefeed.enabled is only settable by the operator"),
}


class Surface(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="surface", profile="replication-source", shards=1)
        cls.server.start()
        cls.system = cls.server.connect()

    @classmethod
    def tearDownClass(cls):
        cls.system.close()
        cls.server.destroy()

    def described(self, sql):
        with self.system.raw.cursor() as cursor:
            cursor.execute(sql)
            return cursor.description

    def test_settings(self):
        shown = {row["variable"]: row for row in self.system.records("SHOW ALL CLUSTER SETTINGS")}
        public = {row[0] for row in self.system.rows("SHOW CLUSTER SETTINGS")}
        for name, (alias, kind, is_public) in SETTINGS.items():
            with self.subTest(name):
                self.assertEqual(shown[name]["setting_type"], kind)
                self.assertEqual(shown[name]["public"], is_public)
                self.assertEqual(name in public, is_public)
                value = self.system.value("SHOW CLUSTER SETTING " + name)
                if alias is None:
                    continue
                self.assertEqual(self.system.value("SHOW CLUSTER SETTING " + alias), value)
                self.system.run("SET CLUSTER SETTING %s = '%s'" % (alias, shown[name]["value"]))
                self.assertIn(name, self.system.raw.notices[-1])
                self.system.run("RESET CLUSTER SETTING " + name)

    def test_secret_setting(self):
        """A licence key is kept and never shown again."""
        self.assertEqual(self.system.value("SHOW CLUSTER SETTING enterprise.license"), "")
        self.system.run("SET CLUSTER SETTING enterprise.license = 'a-secret-key'")
        self.assertEqual(self.system.value("SHOW CLUSTER SETTING enterprise.license"), "redacted")
        self.assertNotIn("a-secret-key", str(self.system.rows("SHOW ALL CLUSTER SETTINGS")))
        self.system.run("ALTER VIRTUAL CLUSTER application SET CLUSTER SETTING enterprise.license = 'a-secret-key'")
        self.assertNotIn("a-secret-key", str(self.system.rows("SHOW CLUSTER SETTINGS FOR VIRTUAL CLUSTER application")))

    def test_metrics(self):
        port = int(re.search(r"webui:\s+http://localhost:(\d+)", self.server.output()).group(1))
        with urllib.request.urlopen("http://127.0.0.1:%d/_status/vars?cluster=system" % port, timeout=20) as answer:
            text = answer.read().decode()
        for name in METRICS:
            with self.subTest(name):
                self.assertRegex(text, r"(?m)^# TYPE physical_replication_%s \w+$" % name)

    def test_columns(self):
        for sql, names in COLUMNS.items():
            with self.subTest(sql):
                columns = self.described(sql)
                self.assertEqual([column.name for column in columns], names)
                for column in columns:
                    self.assertEqual(column.type_code, TYPES.get(column.name, column.type_code), column.name)
        names = [row[4] for row in self.system.rows("SHOW VIRTUAL CLUSTER template WITH CAPABILITIES")]
        self.assertEqual(names, CAPABILITIES)

    def test_refusals(self):
        for sql, (sqlstate, text) in REFUSALS.items():
            with self.subTest(sql):
                self.assert_error(sqlstate, text, lambda: self.system.run(sql))
        with self.server.wait_connect("application") as session:
            for sql, (sqlstate, text) in REFUSALS_ELSEWHERE.items():
                with self.subTest(sql):
                    self.assert_error(sqlstate, text, lambda: session.run(sql))

    def test_read_only(self):
        self.system.run("SET default_transaction_read_only = on")
        try:
            for sql, name in (("ALTER VIRTUAL CLUSTER application PAUSE REPLICATION", "ALTER VIRTUAL CLUSTER REPLICATION"),
                              ("ALTER VIRTUAL CLUSTER template RENAME TO x", "ALTER VIRTUAL CLUSTER"),
                              ("CREATE VIRTUAL CLUSTER x", "CREATE VIRTUAL CLUSTER"),
                              ("DROP VIRTUAL CLUSTER template", "DROP VIRTUAL CLUSTER")):
                self.assert_error("25006", "cannot execute %s in a read-only transaction" % name, lambda: self.system.run(sql))
            self.assertGreater(len(self.system.rows("SHOW CLUSTER SETTINGS FOR VIRTUAL CLUSTER application")), 3)
        finally:
            self.system.run("SET default_transaction_read_only = off")

    def test_privileges(self):
        """Both sets of names are known."""
        self.system.run("CREATE USER repl")
        names = ["EXTERNALCONNECTION", "MANAGEVIRTUALCLUSTER", "REPLICATION", "REPLICATIONDEST", "REPLICATIONSOURCE"]
        self.system.run("GRANT SYSTEM %s TO repl WITH GRANT OPTION" % ", ".join(names))
        self.assertEqual(self.system.rows("SHOW SYSTEM GRANTS FOR repl"), [("repl", name, True) for name in names])

    def test_replication(self):
        """The values of one life: states, times, jobs."""
        status = lambda: self.system.record("SHOW VIRTUAL CLUSTER copy WITH REPLICATION STATUS")
        self.system.run("SET CLUSTER SETTING physical_replication.consumer.timestamp_granularity = '1s'")
        self.system.run("SET CLUSTER SETTING physical_replication.consumer.minimum_flush_interval = '50ms'")
        self.assertEqual(self.described(
            "CREATE VIRTUAL CLUSTER copy FROM REPLICATION OF application ON '%s'" % self.server.url()), None)
        wait_until(lambda: status()["data_state"] == "replicating", "the initial scan")
        before = status()["replicated_time"]
        row = wait_until(lambda: (lambda s: s if s["replicated_time"] > before else None)(status()), "progress")
        self.assertEqual(row["replicated_time"].microsecond, 0)  # As coarse as was asked for.
        self.assertEqual((row["status"], row["service_mode"], row["cutover_time"]), ("replicating", "none", None))
        self.assertEqual((row["source_tenant_name"], row["ingestion_job_id"]), ("application", row["replication_job_id"]))
        self.assertGreater(row["replication_lag"].total_seconds(), 0)
        self.assertLessEqual(row["retained_time"], row["replicated_time"])
        jobs = {job["job_type"]: job for job in self.system.records("SHOW JOBS")}
        self.assertEqual(jobs["REPLICATION STREAM PRODUCER"]["description"],
                         "History Retention for Physical Replication of application")
        self.assertRegex(jobs["REPLICATION STREAM INGESTION"]["description"],
                         r"^CREATE VIRTUAL CLUSTER copy FROM REPLICATION OF application ON 'postgresql://")
        self.assertEqual(jobs["REPLICATION STREAM INGESTION"]["running_status"], "replicating")
        self.assert_error("55000", "cannot use tenant service mode shared with data state", lambda: self.system.run(
            "ALTER VIRTUAL CLUSTER copy START SERVICE SHARED"))
        self.assert_error("22023", "is before earliest safe cutover time", lambda: self.system.run(
            "ALTER VIRTUAL CLUSTER copy COMPLETE REPLICATION TO SYSTEM TIME '-3h'"))
        done = self.system.record("ALTER VIRTUAL CLUSTER copy COMPLETE REPLICATION TO SYSTEM TIME '+1h'")
        self.assertEqual(list(done), ["cutover_time", "failover_time"])
        pending = status()
        self.assertEqual((pending["data_state"], pending["status"]),
                         ("replication pending cutover", "replication pending failover"))
        self.assertEqual((pending["cutover_time"], pending["failover_time"]), (done["cutover_time"],) * 2)
        self.system.run("ALTER VIRTUAL CLUSTER copy COMPLETE REPLICATION TO LATEST")
        wait_until(lambda: status()["data_state"] == "ready", "the cutover")
        self.assertEqual(status()["status"], "ready")
        prior = self.system.record("SHOW VIRTUAL CLUSTER copy WITH PRIOR REPLICATION DETAILS")
        self.assertRegex(prior["source_id"], r"^[0-9a-f-]{36}:3$")
        wait_until(lambda: self.system.record("SELECT * FROM [SHOW JOBS] WHERE job_type = 'REPLICATION STREAM INGESTION'")
                   ["status"] == "succeeded", "the job's end")
        self.assert_error("55000", "does not have an active replication consumer job", lambda: self.system.run(
            "ALTER VIRTUAL CLUSTER copy COMPLETE REPLICATION TO LATEST"))
        # Only who has been replicated from, or to, can be followed without a scan.
        self.assert_error("55000", "cannot reconfigure existing tenant to replicate from specified source: it was neither "
                          "previously replicating from this source (prior replication source was \"\"), nor was the source "
                          "previously replicating from it (\"\")", lambda: self.system.run(
                              "ALTER VIRTUAL CLUSTER template START REPLICATION OF application ON '%s'" % self.server.url()))


if __name__ == "__main__":
    unittest.main()
