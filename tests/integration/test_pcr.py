# SPDX-License-Identifier: GPL-3.0-or-later
"""Physical cluster replication between two real one-node clusters."""
import datetime
import random
import threading
import time
import unittest
from decimal import Decimal

import psycopg2

from cluster import Cluster, ClusterTest, wait_until

ACCOUNTS = 60
TOTAL = ACCOUNTS * 100


class Load:
    """Moves money between accounts until stopped. The total never changes; errors while servers are gone are expected."""

    def __init__(self, server, threads=2):
        self.server = server
        self.stopping = threading.Event()
        self.commits = 0
        self.unexpected = []
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        rng = random.Random(seed)
        session = None
        while not self.stopping.is_set():
            try:
                if session is None:
                    session = self.server.connect("application")
                    session.raw.autocommit = False
                self.transfer(session.raw, rng)
                self.commits += 1
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                # Killed, or a conflict (40001 is an OperationalError): begin anew.
                try:
                    session.raw.rollback()
                except (psycopg2.Error, AttributeError):
                    session = None
            except psycopg2.Error as error:
                self.unexpected.append(error)
                return
        if session is not None:
            session.close()

    @staticmethod
    def transfer(connection, rng):
        a, b = rng.sample(range(ACCOUNTS), 2)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE bank SET balance = balance - 1 WHERE id = %s", (a,))
            cursor.execute("UPDATE bank SET balance = balance + 1 WHERE id = %s", (b,))
            cursor.execute("INSERT INTO log (a, b, note) VALUES (%s, %s, %s)", (a, b, "x" * rng.randrange(200)))
            if rng.random() < 0.2:
                cursor.execute("DELETE FROM log WHERE a = %s", (rng.randrange(ACCOUNTS),))
        connection.commit()

    def wait_commits(self, more):
        goal = self.commits + more
        wait_until(lambda: self.commits >= goal or self.unexpected, "%d more commits" % more)
        assert not self.unexpected, self.unexpected

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.unexpected, self.unexpected


class PcrTest(ClusterTest):
    insecure = True

    def setUp(self):
        self.primary = self.cluster("primary", profile="replication-source", shards=2, insecure=self.insecure)
        self.standby = self.cluster("standby", profile="replication-target", shards=1, insecure=self.insecure)
        self.load = None
        self.addCleanup(lambda: self.load and self.load.stopping.set())
        with self.primary.connect() as session:
            session.run("CREATE USER repl WITH PASSWORD 'secret-word'")
            session.run("GRANT SYSTEM REPLICATION TO repl")
        with self.primary.connect("application") as session:
            session.run("CREATE TABLE bank (id INT PRIMARY KEY, balance INT NOT NULL)")
            session.run("INSERT INTO bank SELECT i, 100 FROM generate_series(0, %s) AS s(i)", (ACCOUNTS - 1,))
            session.run("CREATE TABLE log (at TIMESTAMPTZ DEFAULT now(), a INT, b INT, note TEXT)")
            session.run("CREATE INDEX log_a ON log (a)")

    # --- steps ---

    def source_uri(self):
        return self.primary.url("system", user="repl", password="secret-word")

    def replicate(self, options=""):
        with self.standby.connect() as session:
            session.run("CREATE VIRTUAL CLUSTER application LIKE template FROM REPLICATION OF application ON '%s' %s"
                        % (self.source_uri(), options))

    def status(self, name="application"):
        with self.standby.connect() as session:
            return session.record("SHOW VIRTUAL CLUSTER %s WITH REPLICATION STATUS" % name)

    def wait_state(self, state):
        return wait_until(lambda: (lambda s: s if s["data_state"] == state else None)(self.status()),
                          "data_state " + state)

    def wait_replicated(self):
        """Until everything committed so far is at the standby; gives that moment of the primary."""
        with self.primary.connect("application") as session:
            now = session.value("SELECT clock_timestamp()")
        wait_until(lambda: (self.status()["replicated_time"] or now.replace(year=2000)) >= now, "the replicated time")
        return now

    def complete(self, to):
        with self.standby.connect() as session:
            return session.record("ALTER VIRTUAL CLUSTER application COMPLETE REPLICATION TO " + to)

    def fingerprint(self, server, at, start=None):
        sql = "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER application"
        if start is not None:
            sql += " WITH START TIMESTAMP '%s'" % start
        with server.connect() as session:
            row = session.record("SELECT * FROM [%s] AS OF SYSTEM TIME '%s'" % (sql, at))
        self.assertEqual(row["end_ts"], Decimal(str(at)))
        return row["fingerprint"]

    def check_equal(self, at):
        self.assertEqual(self.fingerprint(self.primary, at), self.fingerprint(self.standby, at))

    def wait_ready(self, at):
        wait_until(lambda: self.status()["data_state"] == "ready", "the cutover")
        self.check_equal(at)
        with self.standby.connect() as session:
            row = session.record("SHOW VIRTUAL CLUSTER application WITH PRIOR REPLICATION DETAILS")
            self.assertEqual(row["activation_time"], at)
            self.assertRegex(row["source_id"], r"^[0-9a-f-]{36}:\d+$")
            session.run("ALTER VIRTUAL CLUSTER application START SERVICE SHARED")
        with self.standby.wait_connect("application") as session:
            self.assertEqual(session.value("SELECT sum(balance) FROM bank"), TOTAL)
            by_table = session.value("SELECT count(*) FROM log")
            by_index = session.value("SELECT count(*) FROM log WHERE a >= 0")
            self.assertEqual(by_table, by_index)
            # It serves: what the application does next works.
            session.run("INSERT INTO log (a, b) VALUES (1, 2)")
            session.run("UPDATE bank SET balance = balance WHERE id = 1")
            self.assertEqual(session.value("SELECT count(*) FROM log"), by_table + 1)
        with self.primary.connect("application") as session:
            self.assertEqual(session.value("SELECT count(*) FROM log AS OF SYSTEM TIME '%s'" % at), by_table)

    def jobs(self, server, kind):
        with server.connect() as session:
            return session.records("SELECT * FROM [SHOW JOBS] WHERE job_type = %s", (kind,))

    # --- life cycles ---

    def test_latest(self):
        self.load = Load(self.primary)
        self.load.wait_commits(50)
        with self.primary.connect("application") as session:
            session.run("ALTER TABLE log CONFIGURE ZONE USING gc.ttlseconds = 7000")
        self.replicate()
        self.wait_state("replicating")
        self.load.wait_commits(50)
        self.wait_replicated()
        status = self.status()
        self.assertEqual(status["source_tenant_name"], "application")
        self.assertEqual(status["status"], "replicating")
        self.assertEqual(status["replication_job_id"], status["ingestion_job_id"])
        self.assertNotIn("secret-word", str(status))
        self.assertIn("repl:redacted@", status["source_cluster_uri"])
        self.assertLess(status["retained_time"], status["replicated_time"])
        self.assertGreater(status["replication_lag"].total_seconds(), 0)
        producer, = self.jobs(self.primary, "REPLICATION STREAM PRODUCER")
        self.assertEqual(producer["status"], "running")
        def streams():  # The job's record is written now and then.
            job, = self.jobs(self.standby, "REPLICATION STREAM INGESTION")
            return job if job["running_status"] == "replicating" else None
        consumer = wait_until(streams, "the job to say that it replicates")
        self.assertNotIn("secret-word", str(consumer))
        # The data agrees at a replicated time before, too.
        with self.standby.connect() as session:
            at = session.value("SELECT fingerprint_at FROM (SELECT end_ts AS fingerprint_at FROM "
                               "[SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER application]) AS f")
        self.check_equal(at)
        row = self.complete("LATEST")
        self.assertEqual(row["cutover_time"], row["failover_time"])
        self.wait_ready(row["cutover_time"])
        self.load.stop()
        # Its job then tells the primary, whose producer keeps history for the way back.
        wait_until(lambda: self.jobs(self.standby, "REPLICATION STREAM INGESTION")[0]["status"] == "succeeded",
                   "the job's end")
        self.assertEqual(self.jobs(self.primary, "REPLICATION STREAM PRODUCER")[0]["status"], "running")
        # The table's zone came with it and holds here, without another change of the catalog.
        with self.standby.connect("application") as session, self.standby.connect() as system:
            def slices(table):
                ids = [row[0] for row in session.rows("SELECT range_id FROM [SHOW RANGES FROM TABLE %s]" % table)]
                return {row[0] for row in system.rows("SELECT slice_id FROM crdb_internal.ranges WHERE range_id IN (%s)"
                                                      % ",".join(map(str, ids)))}
            wait_until(lambda: not slices("log") & slices("bank"), "the table with a zone to be in a slice of its own")

    def test_external_connection(self):
        """The job knows a name alone: the address behind it may change, and is shown without its secrets."""
        with self.standby.connect() as session:
            session.run("CREATE EXTERNAL CONNECTION main AS '%s'" % self.source_uri())
            session.run("CREATE EXTERNAL CONNECTION IF NOT EXISTS main AS '%s'" % self.source_uri())
            self.assert_error("42710", "already exists", lambda: session.run(
                "CREATE EXTERNAL CONNECTION main AS '%s'" % self.source_uri()))
            self.assert_error("22023", "cannot name another", lambda: session.run(
                "CREATE EXTERNAL CONNECTION other AS 'external://main'"))
            shown = session.record("SHOW EXTERNAL CONNECTION main")
            self.assertEqual(shown["connection_name"], "main")
            self.assertIn("repl:redacted@", shown["connection_uri"])
            self.assertNotIn("secret-word", shown["connection_uri"])
            self.assertEqual(len(session.rows("SHOW EXTERNAL CONNECTIONS")), 1)
            self.assertIn("already exists", str(session.raw.notices[-1]))
            made = session.record("SHOW CREATE EXTERNAL CONNECTION main")
            self.assertRegex(made["create_statement"], r"^CREATE EXTERNAL CONNECTION main AS 'postgresql://repl:redacted@.*'$")
            self.assertEqual(session.rows("SHOW CREATE ALL EXTERNAL CONNECTIONS"), [tuple(made.values())])
            self.assert_error("42704", "does not exist", lambda: session.run("SHOW CREATE EXTERNAL CONNECTION nosuch"))
            for address in ("main", "'external://main'", "'%s'" % self.source_uri()):
                self.assertEqual(session.rows("CHECK EXTERNAL CONNECTION " + address), [(1, "", True, None)])
            wrong = session.record("CHECK EXTERNAL CONNECTION '%s'" % self.source_uri().replace("repl:", "nobody:"))
            self.assertEqual((wrong["node_id"], wrong["ok"]), (1, False))
            self.assertIn("nobody", wrong["error"])
            self.assert_error("42704", "does not exist", lambda: session.run("CHECK EXTERNAL CONNECTION nosuch"))
            session.run("CREATE USER plain")
            session.run("CREATE VIRTUAL CLUSTER application FROM REPLICATION OF application ON 'external://main'")
        with self.standby.connect(user="plain") as session:
            self.assert_error("42501", "EXTERNALCONNECTION", lambda: session.rows("SHOW EXTERNAL CONNECTIONS"))
        self.wait_replicated()
        self.assertEqual(self.status()["source_cluster_uri"], "external://main")
        # Another password: the job finds it when it starts again.
        with self.standby.connect() as session:
            session.run("ALTER VIRTUAL CLUSTER application PAUSE REPLICATION")
            self.wait_state("replication paused")
            session.run("DROP EXTERNAL CONNECTION main")
            with self.primary.connect() as source:
                source.run("ALTER USER repl WITH PASSWORD 'other-word'")
            session.run("CREATE EXTERNAL CONNECTION main AS '%s'" % self.source_uri().replace("secret-word", "other-word"))
            session.run("ALTER VIRTUAL CLUSTER application RESUME REPLICATION")
        self.wait_replicated()

    def test_address_of_another_cluster(self):
        """Whatever an address leads to meanwhile: a stream is taken from the cluster with which it was agreed upon alone."""
        other = self.cluster("other", profile="replication-source", shards=1, insecure=self.insecure)
        with other.connect() as session:
            session.run("CREATE USER repl WITH PASSWORD 'secret-word'")
            session.run("GRANT SYSTEM REPLICATION TO repl")
        elsewhere = other.url("system", user="repl", password="secret-word")
        with self.standby.connect() as session:
            def lead_to(uri):
                session.run("ALTER VIRTUAL CLUSTER application PAUSE REPLICATION")
                self.wait_state("replication paused")
                resume_at(uri)

            def resume_at(uri):
                session.run("DROP EXTERNAL CONNECTION main")
                session.run("CREATE EXTERNAL CONNECTION main AS '%s'" % uri)
                session.run("ALTER VIRTUAL CLUSTER application RESUME REPLICATION")
            session.run("SET CLUSTER SETTING physical_replication.consumer.retry_duration = '1s'")
            session.run("CREATE EXTERNAL CONNECTION main AS '%s'" % self.source_uri())
            session.run("CREATE VIRTUAL CLUSTER application FROM REPLICATION OF application ON 'external://main'")
            self.wait_replicated()
            # Its own nodes are known from before.
            lead_to(elsewhere)
            self.wait_replicated()
            # They may not be asked.
            lead_to(elsewhere + ("&" if "?" in elsewhere else "?") + "crdb_route=gateway")
            consumer = lambda: self.jobs(self.standby, "REPLICATION STREAM INGESTION")[0]
            wait_until(lambda: consumer()["status"] == "paused", "the pause")
            ids = [server.connect().value("SELECT crdb_internal.cluster_id()::text") for server in (other, self.primary)]
            self.assertIn("leads to cluster %s, and the stream is of cluster %s" % tuple(ids), str(consumer()))
            self.assertEqual(self.jobs(other, "REPLICATION STREAM PRODUCER"), [])
            resume_at(self.source_uri())
        self.wait_replicated()

    def read(self, sql):
        with self.standby.wait_connect("application-readonly") as session:
            return session.value(sql)

    # What writes outside of the client's transaction.
    OUTSIDE = ("SET CLUSTER SETTING jobs.retention_time = '1h'", "SELECT nextval('numbers')", "ALTER USER root WITH PASSWORD 'x'",
               "SELECT setval('numbers', 5)", "CANCEL JOB 1", "ANALYZE bank", "GRANT SYSTEM REPLICATION TO root")

    def test_reader(self):
        """What is replicated can be read on the standby, all of it as of one time that follows; nothing can be written."""
        with self.standby.connect() as session:
            session.run("SET CLUSTER SETTING bulkio.stream_ingestion.standby_read_ts_poll_interval = '100ms'")
        with self.primary.connect("application") as session:
            session.run("CREATE SEQUENCE numbers")
        self.load = Load(self.primary)
        self.replicate("WITH READ VIRTUAL CLUSTER")
        self.wait_state("replicating")
        with self.standby.connect() as session:
            wait_until(lambda: session.record("SHOW VIRTUAL CLUSTER \"application-readonly\"")["service_mode"] == "shared",
                       "the reader's service")
            rows = {row["name"]: row for row in session.records("SHOW VIRTUAL CLUSTERS")}
        self.assertEqual(rows["application-readonly"]["data_state"], "ready")
        self.assertEqual(rows["application"]["service_mode"], "none")
        seen = 0
        for _ in range(10):
            with self.standby.wait_connect("application-readonly") as session:
                self.assertEqual(session.value("SHOW virtual_cluster_name"), "application-readonly")
                with_log, total = session.rows("SELECT (SELECT count(*) FROM log), sum(balance) FROM bank")[0]
                self.assertEqual(total, TOTAL)
                self.assertEqual(session.value("SELECT count(*) FROM log WHERE a >= 0") >= with_log, True)
            self.load.wait_commits(5)
        self.load.stop()
        # Schema changes, users and their rights come as well.
        with self.primary.connect("application") as session:
            session.run("CREATE TYPE mood AS ENUM ('glad')")
            session.run("CREATE TABLE later (id INT PRIMARY KEY, m mood)")
            session.run("INSERT INTO later VALUES (1, 'glad')")
            session.run("ALTER TABLE bank ADD COLUMN note TEXT DEFAULT 'new'")
            session.run("CREATE USER reader")
            session.run("GRANT SELECT ON later TO reader")
        self.wait_replicated()
        wait_until(lambda: self.read("SELECT m::TEXT FROM later") == "glad", "the new table")
        with self.primary.connect("application") as session:
            session.run("ALTER TYPE mood ADD VALUE 'sad'")
            session.run("UPDATE later SET m = 'sad'")
        with self.standby.wait_connect("application-readonly") as session:
            wait_until(lambda: session.value("SELECT m::TEXT FROM later") == "sad", "the new label")
            self.assertEqual(session.value("SELECT DISTINCT note FROM bank"), "new")
        with wait_until(lambda: self.standby.connect("application-readonly", user="reader"), "the new user") as session:
            self.assertEqual(session.value("SELECT count(*) FROM later"), 1)
            self.assert_error("42501", "permission denied", lambda: session.rows("SELECT * FROM bank"))
        with self.standby.connect("application-readonly") as session:
            for sql in ("INSERT INTO later VALUES (2, NULL)", "UPDATE bank SET balance = 0", "DELETE FROM log",
                        "CREATE TABLE t (a INT)", "DROP TABLE bank", "CREATE USER other", "CREATE DATABASE d",
                        "SELECT * FROM bank FOR UPDATE", "TRUNCATE log", *self.OUTSIDE):
                self.assert_error("25006", "read-only", lambda: session.run(sql))
            session.run("SET work_mem = '8MB'")
            session.run("PREPARE p AS SELECT 1")
            session.run("DISCARD ALL")
            session.run("BEGIN")
            first = session.value("SELECT count(*) FROM log")
            self.assertEqual(session.value("SELECT count(*) FROM log"), first)
            self.assert_error("25006", "read-only", lambda: session.run("UPDATE bank SET balance = 0"))
            session.run("ROLLBACK")
            self.assertGreaterEqual(session.value(
                "SELECT count(*) FROM bank AS OF SYSTEM TIME '%s'" % self.status()["replicated_time"].isoformat(sep=" ")), 0)
            self.assert_error("22023", "not replicated yet", lambda: session.rows(
                "SELECT 1 FROM bank AS OF SYSTEM TIME '-1us'"))
        # A restart serves it again.
        self.standby.kill()
        self.standby.start()
        self.assertEqual(self.read("SELECT sum(balance) FROM bank"), TOTAL)
        # Cut over to the latest time it stays, at that time; what comes after it does not see.
        row = self.complete("LATEST")
        wait_until(lambda: self.status()["data_state"] == "ready", "the cutover")
        with self.standby.connect() as session:
            session.run("ALTER VIRTUAL CLUSTER application START SERVICE SHARED")
        count = self.read("SELECT count(*) FROM log")
        with self.standby.wait_connect("application") as session:
            self.assertEqual(session.value("SELECT count(*) FROM log"), count)
            session.run("INSERT INTO log (a, b) VALUES (1, 2)")
            session.run("CREATE TABLE own (a INT)")
            self.assertEqual(session.value("SELECT count(*) FROM log"), count + 1)
        self.assertEqual(self.read("SELECT count(*) FROM log"), count)
        self.assertEqual(self.read("SELECT count(*) FROM pg_class WHERE relname = 'own'"), 0)
        with self.standby.connect("application-readonly") as session:
            for sql in ("UPDATE bank SET balance = 0", "CREATE TABLE t (a INT)", "CREATE USER other", *self.OUTSIDE):
                self.assert_error("25006", "read-only", lambda: session.run(sql))
        with self.standby.connect("application") as session:
            self.assertEqual(session.value("SELECT nextval('numbers')"), 1)
        self.check_equal(row["cutover_time"])
        with self.standby.connect() as session:
            session.run("ALTER VIRTUAL CLUSTER \"application-readonly\" STOP SERVICE")
            session.run("DROP VIRTUAL CLUSTER \"application-readonly\"")
            self.assertEqual([r for r in session.rows("SHOW VIRTUAL CLUSTERS") if "readonly" in r[1]], [])

    def test_reader_added_and_dropped(self):
        self.replicate()
        self.wait_replicated()
        with self.standby.connect() as session:
            session.run("CREATE VIRTUAL CLUSTER \"application-readonly\"")
            self.assert_error("42710", "already exists", lambda: session.run(
                "ALTER VIRTUAL CLUSTER application SET REPLICATION READ VIRTUAL CLUSTER"))
            session.run("DROP VIRTUAL CLUSTER \"application-readonly\" IMMEDIATE")
            session.run("ALTER VIRTUAL CLUSTER application SET REPLICATION READ VIRTUAL CLUSTER")
            session.run("ALTER VIRTUAL CLUSTER application SET REPLICATION READ VIRTUAL CLUSTER = true")
        self.assertEqual(self.read("SELECT sum(balance) FROM bank"), TOTAL)
        names = lambda: [row["name"] for row in self.standby_rows("SHOW VIRTUAL CLUSTERS")]
        self.assertIn("application-readonly", names())
        # A time before what can be read: it goes at once, sessions with it.
        with self.standby.connect("application-readonly") as session:
            moment = self.status()["retained_time"]
            self.complete("SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
            self.assertRaises(psycopg2.Error, lambda: [session.value("SELECT 1") for _ in range(1000)])
        self.assertNotIn("application-readonly", names())
        with self.assertRaises(psycopg2.OperationalError) as caught:
            self.standby.connect("application-readonly")
        self.assertIn("service unavailable", str(caught.exception))

    def standby_rows(self, sql):
        with self.standby.connect() as session:
            return session.records(sql)

    def test_past(self):
        self.load = Load(self.primary)
        with self.primary.connect("application") as session:
            session.run("ALTER RANGE default CONFIGURE ZONE USING gc.ttlseconds = 7100")
        self.replicate()
        self.wait_state("replicating")
        self.load.wait_commits(50)
        moment = self.wait_replicated()
        with self.primary.connect("application") as session:
            session.run("ALTER RANGE default CONFIGURE ZONE USING gc.ttlseconds = 7200")
        self.load.wait_commits(100)
        self.wait_replicated()
        retained = self.status()["retained_time"]
        row = self.complete("SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
        self.assertLess(row["cutover_time"] / 1000000000, Decimal(time.time()))
        self.wait_ready(row["cutover_time"])
        self.load.stop()
        # The virtual cluster's own zone is what it was then.
        with self.standby.connect("application") as session:
            self.assertIn("gc.ttlseconds = 7100,", session.rows("SHOW ZONE CONFIGURATION FROM RANGE default")[0][1])
        # All history since the retained time is here as well.
        start = retained.isoformat(sep=" ")
        self.assertEqual(self.fingerprint(self.primary, row["cutover_time"], start),
                         self.fingerprint(self.standby, row["cutover_time"], start))

    def test_future(self):
        self.load = Load(self.primary)
        self.replicate()
        self.wait_state("replicating")
        with self.primary.connect("application") as session:
            moment = session.value("SELECT clock_timestamp() + interval '4 seconds'")
        row = self.complete("SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
        status = self.status()
        self.assertEqual(status["data_state"], "replication pending cutover")
        self.assertEqual(status["status"], "replication pending failover")
        self.assertEqual(status["failover_time"], status["cutover_time"])
        self.assertEqual(status["cutover_time"], row["cutover_time"])
        self.wait_ready(row["cutover_time"])
        self.load.stop()

    def test_pause_and_resume(self):
        self.load = Load(self.primary)
        self.replicate()
        self.wait_state("replicating")
        with self.standby.connect() as session:
            session.run("ALTER VIRTUAL CLUSTER application PAUSE REPLICATION")
            self.assertEqual(self.status()["status"], "replication paused")
            before = self.status()["replicated_time"]
            self.load.wait_commits(50)
            self.assertEqual(self.status()["replicated_time"], before)
            session.run("ALTER VIRTUAL CLUSTER application RESUME REPLICATION")
        self.wait_replicated()
        # A cutover wakes a paused one, and needs no primary when its time is here already.
        with self.standby.connect() as session:
            session.run("ALTER VIRTUAL CLUSTER application PAUSE REPLICATION")
        self.load.stop()
        row = self.complete("LATEST")
        self.wait_ready(row["cutover_time"])

    def test_cutover_without_primary(self):
        self.replicate()
        self.wait_state("replicating")
        self.wait_replicated()
        # A time that will never be reached may be changed as long as it is only pending.
        self.complete("SYSTEM TIME '+1h'")
        self.assertEqual(self.status()["data_state"], "replication pending cutover")
        self.primary.kill()
        row = self.complete("LATEST")
        wait_until(lambda: self.status()["data_state"] == "ready", "the cutover without a primary")
        self.primary.start()
        self.wait_ready(row["cutover_time"])

    def test_graceful_restarts(self):
        self.load = Load(self.primary)
        self.replicate()
        self.wait_state("replicating")
        for server in (self.standby, self.primary, self.standby):
            self.load.wait_commits(20)
            server.stop()
            server.start()
            self.wait_replicated()
        row = self.complete("LATEST")
        self.wait_ready(row["cutover_time"])
        self.load.stop()

    def test_cutover_while_the_primary_hangs(self):
        self.replicate()
        self.wait_state("replicating")
        self.wait_replicated()
        self.primary.pause()
        self.addCleanup(lambda: self.primary.running() and self.primary.unpause())
        # Also when the job begins anew, and waits for an answer.
        self.standby.kill()
        self.standby.start()
        row = self.complete("LATEST")
        wait_until(lambda: self.status()["data_state"] == "ready", "the cutover without an answer")
        self.primary.unpause()
        self.wait_ready(row["cutover_time"])

    # --- crashes ---

    def crash_rounds(self, server, rounds):
        for _ in range(rounds):
            self.load.wait_commits(20)
            server.kill()
            server.start()
            self.wait_replicated()

    def test_kill_standby_while_streaming(self):
        self.load = Load(self.primary)
        self.replicate()
        self.wait_state("replicating")
        self.crash_rounds(self.standby, 7)
        row = self.complete("LATEST")
        self.wait_ready(row["cutover_time"])
        self.load.stop()

    def test_kill_primary_while_streaming(self):
        self.load = Load(self.primary)
        self.replicate()
        self.wait_state("replicating")
        self.crash_rounds(self.primary, 7)
        row = self.complete("LATEST")
        self.wait_ready(row["cutover_time"])
        self.load.stop()

    def fill(self, rows):
        with self.primary.connect("application") as session:
            session.run("CREATE TABLE filler (id INT PRIMARY KEY, t TEXT)")
            for start in range(0, rows, 2000):
                session.run("INSERT INTO filler SELECT i, repeat('filler', 40) FROM generate_series(%s, %s) AS s(i)",
                            (start, start + 1999))

    def test_kill_during_scan(self):
        self.fill(20000)
        self.load = Load(self.primary)
        self.replicate()
        for i in range(3):
            for server in (self.standby, self.primary):
                server.kill()
                server.start()
        self.wait_replicated()
        row = self.complete("LATEST")
        self.wait_ready(row["cutover_time"])
        self.load.stop()

    def test_kill_during_cutover(self):
        self.load = Load(self.primary)
        self.replicate()
        self.wait_state("replicating")
        moment = self.wait_replicated()
        self.load.wait_commits(300)
        self.wait_replicated()
        row = self.complete("SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
        for i in range(4):
            # At whatever step it is: it is never half promoted.
            status = self.status()
            self.assertIn(status["data_state"], ("replication pending cutover", "replication cutting over", "ready"))
            self.standby.kill()
            self.standby.start()
        self.wait_ready(row["cutover_time"])
        self.load.stop()

    def test_any_order_of_stops_and_kills(self):
        seed = random.randrange(1 << 30)
        rng = random.Random(seed)
        self.load = Load(self.primary, threads=3)
        self.replicate()
        with self.subTest(seed=seed):
            for _ in range(16):
                server = rng.choice((self.primary, self.standby))
                if rng.random() < 0.5:
                    # As a machine that hangs: nothing is lost, nothing is refused, everything is late.
                    server.pause()
                    threading.Event().wait(rng.random())
                    server.unpause()
                else:
                    server.kill()
                    server.start()
                self.load.wait_commits(rng.randrange(50))
            moment = self.wait_replicated()
            self.load.wait_commits(50)
            self.wait_replicated()
            retained = self.status()["retained_time"].isoformat(sep=" ")
            row = self.complete("SYSTEM TIME '%s'" % moment.isoformat(sep=" "))
            self.wait_ready(row["cutover_time"])
            self.load.stop()
            self.assertEqual(self.fingerprint(self.primary, row["cutover_time"], retained),
                             self.fingerprint(self.standby, row["cutover_time"], retained))

    # --- bad input and ends ---

    def test_errors(self):
        with self.standby.connect() as session:
            create = "CREATE VIRTUAL CLUSTER %s FROM REPLICATION OF %s ON '%s' %s"
            good = self.source_uri()
            with self.primary.connect() as source:
                source.run("CREATE USER nobody WITH PASSWORD 'x'")
            nobody = self.primary.url("system", user="nobody", password="x")
            self.assert_error("42704", 'tenant "nothing" does not exist',
                              lambda: session.run(create % ("a", "nothing", good, "")))
            self.assert_error("42501", "REPLICATION",
                              lambda: session.run(create % ("a", "application", nobody, "")))
            for name in ("external://x", "x"):
                self.assert_error("42704", 'external connection with name "x" does not exist',
                                  lambda: session.run(create % ("a", "application", name, "")))
            self.assert_error("22023", "EXPIRATION WINDOW",
                              lambda: session.run(create % ("a", "application", good, "WITH EXPIRATION WINDOW = '1h'")))
            self.assert_error("22023", "retention should result",
                              lambda: session.run(create % ("a", "application", good, "WITH RETENTION = '-1h'")))
            session.run('CREATE VIRTUAL CLUSTER "a-readonly"')
            self.assert_error("42710", 'tenant "a-readonly" already exists',
                              lambda: session.run(create % ("a", "application", good, "WITH READ VIRTUAL CLUSTER")))
            self.assertEqual([r for r in session.rows("SHOW VIRTUAL CLUSTERS") if r[1] == "a"], [])
            for what in ("PAUSE REPLICATION", "RESUME REPLICATION", "COMPLETE REPLICATION TO LATEST"):
                self.assert_error("55000", "does not have an active replication consumer job",
                                  lambda: session.run("ALTER VIRTUAL CLUSTER template " + what))
            session.run(create % ("a", "application", good, "WITH RETENTION = '1h'"))
            self.assert_error("42710", "already exists", lambda: session.run(create % ("a", "application", good, "")))
            session.run("CREATE VIRTUAL CLUSTER IF NOT EXISTS a FROM REPLICATION OF application ON '%s'" % good)
            wait_until(lambda: self.status("a")["replicated_time"], "the replicated time")
            with self.primary.connect() as source:
                source.run("ALTER VIRTUAL CLUSTER application SET REPLICATION EXPIRATION WINDOW = '1h'")
                self.assert_error("55000", "does not have an active replication producer job", lambda: source.run(
                    "ALTER VIRTUAL CLUSTER template SET REPLICATION EXPIRATION WINDOW = '1h'"))
            session.run("ALTER VIRTUAL CLUSTER a SET REPLICATION RETENTION = '0s'")
            wait_until(lambda: (lambda s: s["replicated_time"] - s["retained_time"] < datetime.timedelta(seconds=5))(
                self.status("a")), "the retained time to follow")
            self.assert_error("55000", "service", lambda: session.run("ALTER VIRTUAL CLUSTER a START SERVICE SHARED"))
            self.assert_error("22023", "before earliest safe cutover time", lambda: session.run(
                "ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME '-1h'"))
            session.run("DROP VIRTUAL CLUSTER a IMMEDIATE")
        # The producer learns of it at once.
        wait_until(lambda: all(job["status"] == "failed"
                               for job in self.jobs(self.primary, "REPLICATION STREAM PRODUCER")), "the producer's end")

    def test_lost_source_pauses(self):
        with self.standby.connect() as session:
            session.run("SET CLUSTER SETTING physical_replication.consumer.retry_duration = '1s'")
        self.replicate()
        self.wait_state("replicating")
        self.wait_replicated()
        self.primary.kill()
        wait_until(lambda: self.status()["status"] == "replication error", "the error")
        consumer = lambda: self.jobs(self.standby, "REPLICATION STREAM INGESTION")[0]
        wait_until(lambda: consumer()["status"] == "paused", "the pause")
        self.assertIn("is being paused", consumer()["running_status"])
        self.primary.start()
        with self.standby.connect() as session:
            session.run("ALTER VIRTUAL CLUSTER application RESUME REPLICATION")
        self.wait_state("replicating")
        self.wait_replicated()

    def test_producer_times_out(self):
        with self.primary.connect() as session:
            session.run("SET CLUSTER SETTING stream_replication.job_liveness_timeout = '1s'")
        self.replicate()
        # Written down, not only known.
        wait_until(lambda: self.jobs(self.standby, "REPLICATION STREAM INGESTION")[0]["running_status"] == "replicating",
                   "the first checkpoint")
        self.standby.kill()
        producer = lambda: self.jobs(self.primary, "REPLICATION STREAM PRODUCER")[0]
        wait_until(lambda: producer()["status"] == "failed", "the timeout")
        self.assertIn("timed out", producer()["error"])
        self.standby.start()
        wait_until(lambda: self.jobs(self.standby, "REPLICATION STREAM INGESTION")[0]["status"] == "paused", "the pause")
        self.assertEqual(self.status()["status"], "replication error")
        # What has come so far can still be used.
        row = self.complete("LATEST")
        self.wait_ready(row["cutover_time"])


class PcrSecureTest(PcrTest):
    """With TLS, passwords and certificates, as in production."""
    insecure = False

    def test_wrong_credentials(self):
        with self.standby.connect() as session:
            create = "CREATE VIRTUAL CLUSTER a FROM REPLICATION OF application ON '%s'"
            wrong = self.primary.url("system", user="repl", password="wrong")
            self.assert_error("28P01", "password", lambda: session.run(create % wrong))
            plain = "postgresql://repl:secret-word@localhost:%d?sslmode=disable" % self.primary.port
            self.assertRaises(psycopg2.Error, lambda: session.run(create % plain))
            # Another authority's certificate: the primary is not who it should be.
            other = self.source_uri().replace(self.primary.certs, self.standby.certs)
            self.assertRaises(psycopg2.Error, lambda: session.run(create % other))
            self.assertEqual([r for r in session.rows("SHOW VIRTUAL CLUSTERS") if r[1] == "a"], [])
        self.assertEqual(self.jobs(self.primary, "REPLICATION STREAM PRODUCER"), [])


# Once with TLS is enough for those whose point is elsewhere.
for name in [name for name in dir(PcrTest) if name.startswith("test_") and name != "test_latest"]:
    setattr(PcrSecureTest, name, None)


if __name__ == "__main__":
    unittest.main()
