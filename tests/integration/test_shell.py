# SPDX-License-Identifier: GPL-3.0-or-later
"""The program's own commands: the SQL shell's formats and exit codes, workloads, certificates, help."""
import json
import os
import subprocess
import tempfile
import unittest

from cluster import ISOPOD, Cluster, ClusterTest


def isopod(*arguments, stdin=None):
    return subprocess.run([ISOPOD, *arguments], input=stdin, capture_output=True, text=True, timeout=120)


class Shell(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="shell", profile="virtual+app")
        cls.server.start()
        with cls.server.wait_connect("main") as session:
            session.run("CREATE TABLE t (a INT PRIMARY KEY, b TEXT, c BOOL)")
            session.run("INSERT INTO t VALUES (1, 'x,\"y\"', true), (2, NULL, false)")

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def sql(self, *arguments, stdin=None):
        return isopod("sql", "--insecure", "--host", self.server.host, "--port", str(self.server.port), *arguments, stdin=stdin)

    def test_formats(self):
        query = ("-e", "SELECT a, b, c FROM t ORDER BY a")
        self.assertEqual(self.sql("--format=csv", *query).stdout, 'a,b,c\n1,"x,""y""",t\n2,NULL,f\n')
        self.assertEqual(json.loads(self.sql("--format=json", *query).stdout),
                         [{"a": 1, "b": 'x,"y"', "c": True}, {"a": 2, "b": None, "c": False}])
        self.assertEqual(self.sql("--format=raw", "-e", "SELECT 7").stdout, "7\n")
        table = self.sql("--format=table", *query).stdout
        self.assertIn("(2 rows)", table)
        self.assertIn("NULL", table)

    def test_exit_codes_and_errors(self):
        good = self.sql("-e", "SELECT 1")
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        bad = self.sql("-e", "SELECT * FROM nosuch", "-e", "SELECT 1")
        self.assertEqual(bad.returncode, 1)
        self.assertIn('ERROR: relation "nosuch" does not exist', bad.stderr)
        self.assertIn("SQLSTATE: 42P01", bad.stderr)
        self.assertEqual(bad.stdout, "")
        self.assertEqual(isopod("sql", "--nosuch").returncode, 2)
        self.assertEqual(isopod("sql", "--insecure", "--port", "1", "-e", "SELECT 1").returncode, 1)

    def test_statements_from_standard_input(self):
        done = self.sql("--format=raw", stdin="SELECT 1;\nSELECT 'a;b'\n  ;\n-- a comment;\nSELECT 3")
        self.assertEqual((done.returncode, done.stdout), (0, "1\na;b\n3\n"))

    def test_backslash_commands(self):
        self.assertIn("t_pkey", self.sql("--format=csv", "-e", "\\d t").stdout)
        self.assertIn("defaultdb", self.sql("--format=csv", "-e", "\\l").stdout)
        self.assertEqual(self.sql("-e", "\\nosuch").returncode, 1)

    def test_system_interface(self):
        done = self.sql("--cluster=system", "--format=csv", "-e", "SHOW VIRTUAL CLUSTERS")
        self.assertEqual(done.stdout, "id,name,data_state,service_mode\n1,system,ready,shared\n2,main,ready,shared\n")

    def test_workloads(self):
        url = self.server.url("main")
        for name in ("bank", "kv", "movr"):
            with self.subTest(workload=name):
                loaded = isopod("workload", "init", name, url)
                self.assertEqual(loaded.returncode, 0, loaded.stderr)
                with tempfile.NamedTemporaryFile() as histograms:
                    run = isopod("workload", "run", name, url, "--max-ops=300", "--duration=30s", "--concurrency=4",
                                 "--histograms", histograms.name)
                    self.assertEqual(run.returncode, 0, run.stderr)
                    lines = [json.loads(line) for line in open(histograms.name)]
                self.assertGreaterEqual(sum(line["count"] for line in lines), 290)
                self.assertIn("__p50(ms)__p95(ms)__p99(ms)_pMax(ms)__result", run.stdout)
        self.assertEqual(isopod("workload", "check", "bank", url).returncode, 0)

    def test_demo_command(self):
        done = isopod("demo", "-e", "SELECT count(*) FROM rides", "--format=raw")
        self.assertEqual((done.returncode, done.stdout.strip()), (0, "500"), done.stderr)


class Commands(unittest.TestCase):
    def test_help_and_version(self):
        for command in ("start", "start-single-node", "sql", "cert", "workload", "demo", "version"):
            done = isopod(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn("isopod " + command, done.stdout)
        self.assertIn("WiredTiger", isopod("version").stdout)
        self.assertEqual(isopod("nosuch").returncode, 2)
        self.assertIn("did you mean", isopod("strat").stderr)

    def test_insecure_servers_are_for_this_machine(self):
        done = isopod("start-single-node", "--insecure", "--listen-addr=0.0.0.0:0", "--store", tempfile.mkdtemp())
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not go with the address", done.stderr)
        self.assertEqual(isopod("start-single-node").returncode, 2)

    def test_one_store_one_process(self):
        server = Cluster(name="once")
        self.addCleanup(server.destroy)
        server.start()
        done = isopod("start-single-node", "--insecure", "--store", server.store, "--listen-addr=localhost:0",
                      "--http-addr=localhost:0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("in use by another process", done.stderr)

    def test_background_and_pid_file(self):
        server = Cluster(name="background")
        self.addCleanup(server.destroy)
        pid_file, url_file = os.path.join(server.folder, "pid"), os.path.join(server.folder, "url")
        done = isopod("start-single-node", "--insecure", "--store", server.store, "--listen-addr=localhost:0", "--no-pin",
                      "--http-addr=localhost:0", "--background", "--pid-file", pid_file, "--listening-url-file", url_file)
        self.assertEqual(done.returncode, 0, done.stderr)
        url = open(url_file).read().strip()
        self.assertEqual(isopod("sql", "--url", url, "--format=raw", "-e", "SELECT 42").stdout, "42\n")
        os.kill(int(open(pid_file).read()), 15)
        from cluster import wait_until
        wait_until(lambda: not os.path.exists(pid_file), "the server to end")


if __name__ == "__main__":
    unittest.main()
