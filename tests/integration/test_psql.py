# SPDX-License-Identifier: GPL-3.0-or-later
"""psql's backslash commands, drivers' and pgbench's catalog queries, unchanged, against a real server."""
import shutil
import subprocess
import threading
import unittest

import psycopg2
import psycopg2.extensions

from cluster import Cluster, ClusterTest, wait_until

SCHEMA = """
CREATE TABLE u (a int PRIMARY KEY);
CREATE TABLE t (a int PRIMARY KEY, b text NOT NULL DEFAULT 'x', c int REFERENCES u, d serial,
                e varchar(20), f numeric(10,2), UNIQUE (b), CHECK (a > 0));
CREATE INDEX i ON t (c DESC);
CREATE SEQUENCE s;
CREATE VIEW v AS SELECT a, b FROM t;
CREATE TABLE nokey (x int, y timestamptz DEFAULT now());
COMMENT ON TABLE t IS 'comment of t';
COMMENT ON COLUMN t.b IS 'comment of b';
CREATE USER alice;
GRANT SELECT ON t TO alice;
"""

# Every command that only describes. What it prints is checked below for those that have something to show.
COMMANDS = r"""
\d \d+ \dS \dt \dt+ \di \di+ \ds \ds+ \dv \dv+ \dm \dE \dp \z \dn \dn+ \l \l+ \du \du+ \dg \df \dfS+ \da \daS
\dT \dTS+ \do \doS \dC \dC+ \dD \db \db+ \dx \dy \drds \ddp \dO \dOS+ \dd \ddS \dL \dLS+ \dA \dA+ \dAc \dAf \dAp
\dP \dRp \dRs \dX \dl \dc \dcS \des \dew \det \deu \dF \dFd \dFp \dFt \dconfig \conninfo \encoding
""".split()


@unittest.skipUnless(shutil.which("psql"), "psql is not installed")
class PsqlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster("psql", shards=2).start()
        with cls.server.connect() as session:
            for statement in SCHEMA.strip().split(";\n"):
                session.run(statement)

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def psql(self, *commands, user="root"):
        arguments = ["psql", "-X", "-v", "ON_ERROR_STOP=1", self.server.url(user=user)]
        for command in commands:
            arguments += ["-c", command]
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def shows(self, command, *lines):
        code, out, error = self.psql(command)
        self.assertEqual((code, error), (0, ""), "%s: %s" % (command, error))
        squeezed = [" ".join(line.split()) for line in out.splitlines()]
        for line in lines:
            self.assertIn(line, squeezed, "%s printed:\n%s" % (command, out))

    def test_every_describing_command_is_answered(self):
        for command in COMMANDS:
            with self.subTest(command):
                code, _, error = self.psql(command)
                self.assertEqual((code, "ERROR" in error), (0, False), error)

    def test_describe_table(self):
        self.shows(r"\d t",
                   "a | integer | | not null |",
                   "b | text | | not null | 'x'::text",
                   "d | integer | | not null | nextval('t_d_seq'::regclass)",
                   "e | character varying(20) | | |",
                   "f | numeric(10,2) | | |",
                   '"t_pkey" PRIMARY KEY, btree (a)',
                   '"i" btree (c DESC)',
                   '"t_b_key" UNIQUE CONSTRAINT, btree (b)',
                   '"t_a_check" CHECK (a > 0)',
                   '"t_c_fkey" FOREIGN KEY (c) REFERENCES u(a)')
        self.shows(r"\d+ t", "b | text | | not null | 'x'::text | extended | | | comment of b")
        self.shows(r"\d u", 'TABLE "t" CONSTRAINT "t_c_fkey" FOREIGN KEY (c) REFERENCES u(a)')

    def test_hidden_key_is_not_shown(self):
        code, out, _ = self.psql(r"\d nokey")
        self.assertEqual((code, "rowid" in out, "Indexes" in out), (0, False, False), out)

    def test_describe_other_relations(self):
        self.shows(r"\d s", "bigint | 1 | 1 | 9223372036854775807 | 1 | no | 1")
        self.shows(r"\d t_d_seq", "Owned by: public.t.d")
        self.shows(r"\d i", 'btree, for table "public.t"')
        self.shows(r"\d+ v", "View definition:")
        self.shows(r"\d pg_class", "relname | name | | |")

    def test_drop_tells_all_that_depend_on_it(self):
        with self.server.connect() as session:
            session.run("CREATE DATABASE dropping")
        url = self.server.url(database="dropping")
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE a (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM a;"
                           "CREATE VIEW w AS SELECT id FROM v; CREATE TABLE b (a int REFERENCES a)")
        for statement, message, detail in (
                ("DROP TABLE a", "cannot drop table a because other objects depend on it",
                 "view v depends on table a\nview w depends on view v\nconstraint b_a_fkey on table b depends on table a"),
                ("DROP TABLE a, b", "cannot drop desired object(s) because other objects depend on them",
                 "view v depends on table a\nview w depends on view v"),
                ("DROP VIEW v", "cannot drop view v because other objects depend on it", "view w depends on view v")):
            with self.assertRaises(psycopg2.Error) as caught, psycopg2.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute(statement)
            diagnostics = caught.exception.diag
            self.assertEqual((caught.exception.pgcode, diagnostics.message_primary, diagnostics.message_detail),
                             ("2BP01", message, detail))

    def test_lists(self):
        self.shows(r"\dt", "public | t | table | root", "public | nokey | table | root", "(3 rows)")
        self.shows(r"\dt+ t", "public | t | table | root | permanent | heap | 0 bytes | comment of t")
        self.shows(r"\di", "public | t_pkey | index | root | t")
        self.shows(r"\ds", "public | s | sequence | root")
        self.shows(r"\dv", "public | v | view | root")
        self.shows(r"\dn", "public | pg_database_owner")
        self.shows(r"\l", "defaultdb | admin | UTF8 | C.UTF-8 | C.UTF-8 | | libc | =Tc/admin +")
        self.shows(r"\du", "root | Superuser, Create role, Create DB, Replication, Bypass RLS | {admin}")
        self.shows(r"\dp t", "public | t | table | root=arwdDxt/root+| |")
        self.shows(r"\df now", "pg_catalog | now | timestamp with time zone | | func")

    def test_rows_without_columns_are_rows(self):
        """Rows of no columns are described and counted like others; only a statement without rows has no description."""
        self.psql("INSERT INTO u VALUES (1), (2) ON CONFLICT DO NOTHING")
        for query in ("SELECT FROM u", "SELECT FROM u ORDER BY a LIMIT 2", "SELECT * FROM (SELECT FROM u) q",
                      "PREPARE p AS SELECT FROM u; EXECUTE p",
                      "BEGIN; DECLARE c CURSOR FOR SELECT FROM u; FETCH 5 c"):
            with self.subTest(query):
                self.shows(query, "--", "(2 rows)")
        self.assertEqual(self.psql("COPY (SELECT FROM u) TO STDOUT")[1:], ("\n\n", ""))
        self.assertIn("RETURNING must have at least one column",
                      self.psql("CREATE TEMP TABLE bare (); INSERT INTO bare DEFAULT VALUES RETURNING *")[2])

    def test_no_match_says_so(self):
        _, _, error = self.psql(r"\d nothing")
        self.assertIn('Did not find any relation named "nothing".', error)

    def test_maintenance_tools_go_through_a_whole_database(self):
        """vacuumdb and reindexdb name every table and materialized view, the catalog's too."""
        self.psql("CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a")
        self.addCleanup(self.psql, "DROP MATERIALIZED VIEW kept")
        for tool in (["vacuumdb", "--analyze"], ["vacuumdb", "--analyze-only"], ["vacuumdb", "--analyze-in-stages"], ["reindexdb"]):
            for user in ("root", "alice"):
                if tool == ["reindexdb"] and user == "alice":
                    continue  # Only owners may.
                with self.subTest(tool=tool, user=user):
                    done = subprocess.run(tool + ["-d", self.server.url(user=user)], stdin=subprocess.DEVNULL,
                                          capture_output=True, text=True, timeout=60)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual("skipping" in done.stderr, user == "alice", done.stderr)

    def test_predefined_roles_are_not_dumped(self):
        """But who is a member of one is."""
        self.psql("CREATE ROLE watcher IN ROLE pg_monitor")
        self.addCleanup(self.psql, "DROP ROLE watcher")
        done = subprocess.run(["pg_dumpall", "--roles-only", "-d", self.server.url()], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("GRANT pg_monitor TO watcher", done.stdout)
        self.assertNotIn("ROLE pg_", done.stdout)
        self.assertNotIn("TO pg_", done.stdout)

    def test_ordinary_users_can_describe(self):
        for command in (r"\d", r"\d t", r"\dt+", r"\l", r"\du", r"\dn", r"\df", r"\z"):
            with self.subTest(command):
                code, _, error = self.psql(command, user="alice")
                self.assertEqual(code, 0, error)


class DriverTest(ClusterTest):
    def test_psycopg2_sees_types_and_versions(self):
        server = self.cluster("driver")
        with server.connect() as session:
            self.assertEqual(session.raw.server_version, 150000)
            self.assertEqual(session.raw.get_parameter_status("server_encoding"), "UTF8")
            self.assertEqual(session.raw.info.backend_pid, session.value("SELECT pg_backend_pid()"))
            session.run("CREATE TABLE t (a int PRIMARY KEY, b text[], c timestamptz)")
            with session.raw.cursor() as cursor:
                cursor.execute("SELECT a, b, c FROM t")
                oids = [column.type_code for column in cursor.description]
            names = session.rows("SELECT oid::int8, typname FROM pg_type WHERE oid::int8 = ANY (%s)", (oids,))
            self.assertEqual(dict(names), {23: "int4", 1009: "_text", 1184: "timestamptz"})

    def test_a_session_can_be_cancelled_by_number(self):
        server = self.cluster("driver")
        with server.connect() as session, server.connect() as sleeper:
            pid = sleeper.value("SELECT pg_backend_pid()")
            caught = []

            def sleep():
                try:
                    sleeper.value("SELECT pg_sleep(60)")
                except psycopg2.Error as error:
                    caught.append(error.pgcode)

            thread = threading.Thread(target=sleep)
            thread.start()
            wait_until(lambda: session.value(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'", (pid,)),
                "the sleeper to be shown")
            self.assertTrue(session.value("SELECT pg_cancel_backend(%s)", (pid,)))
            thread.join(30)
            self.assertEqual(caught, ["57014"])
            self.assertFalse(session.value("SELECT pg_cancel_backend(2000000000)"))

    def test_activity_hides_what_others_do(self):
        server = self.cluster("driver")
        with server.connect() as session:
            session.run("CREATE USER alice")
            with server.connect(user="alice") as alice:
                shown = alice.value("SELECT query FROM pg_stat_activity WHERE usename = 'root'")
                self.assertEqual(shown, "<insufficient privilege>")
                self.assert_error("42501", "superuser",
                                  lambda: alice.value("SELECT pg_terminate_backend(%s)",
                                                      (session.value("SELECT pg_backend_pid()"),)))

    @unittest.skipUnless(shutil.which("pgbench"), "pgbench is not installed")
    def test_pgbench(self):
        server = self.cluster("driver")
        for arguments in (["-i", "-s", "1"], ["-t", "20"], ["-t", "20", "-M", "prepared", "-S"]):
            done = subprocess.run(["pgbench"] + arguments + [server.url()],
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
        with server.connect() as session:
            self.assertEqual(session.value("SELECT count(*) FROM pgbench_accounts"), 100000)


if __name__ == "__main__":
    unittest.main()
