# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients, unchanged, against one virtual cluster: each is a script under clients/ that reports what it did.

Everything over TLS with certificates checked, logged in with SCRAM-SHA-256, as a user who is no superuser, in a database
of the client's own. What each reported is kept in $ISOPOD_COMPATIBILITY (build/compatibility.json); the table in the
README is made of it by tools/compatibility, and the last test here fails when that table is out of date.

Each does the whole checklist (tools/compatibility has it): a part that a client has no means for is in clients/lacks.json
with the reason. A feature that does not work yet is in clients/known.json, likewise. What fails and is not there, and what
of the checklist was not reported, fails the test.
"""
import functools
import glob
import importlib.machinery
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import psycopg2

from cluster import Cluster, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("ISOPOD_TEST_BUILD", os.path.join(ROOT, "build", "clients"))
RECORDS = os.environ.get("ISOPOD_COMPATIBILITY", os.path.join(ROOT, "build", "compatibility.json"))
NODE = os.path.join(BUILD, "node_modules")
CLIENT_SECONDS_MAX = 240



def python(name):
    return lambda: ["/usr/bin/python3", name + "_client.py"]


def node(name):
    def command():
        install_node()
        return ["node", "node_%s.js" % name]
    return command


def compiled(source, compiler, *libraries):
    def command():
        os.makedirs(BUILD, exist_ok=True)
        program = os.path.join(BUILD, source.split(".")[0])
        path = os.path.join(HERE, "clients", source)
        if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(path):
            subprocess.run([*compiler, path, "-o", program, *libraries], check=True, stderr=subprocess.DEVNULL)
        return [program]
    return command


def go(name):
    """Of Debian's packages, which are sources: the build folder keeps what the compiler made of them."""
    def command():
        os.makedirs(BUILD, exist_ok=True)
        program = os.path.join(BUILD, name + "_client")
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": os.path.join(BUILD, "go-cache"), "GOFLAGS": ""}
        subprocess.run(["go", "build", "-o", program, name + "_client.go", "report.go"], cwd=os.path.join(HERE, "clients"), env=environment,
                       check=True, capture_output=True, timeout=CLIENT_SECONDS_MAX)
        return [program]
    return command


def install_node():
    """npm's packages at the versions of the lock file, once for a build folder. A failure is not tried again."""
    failure = npm_failure()
    if failure:
        raise AssertionError("npm ci failed, for which see its log: " + failure)


@functools.cache
def npm_failure():
    os.makedirs(BUILD, exist_ok=True)
    lock = os.path.join(HERE, "npm", "package-lock.json")
    done = os.path.join(BUILD, "package-lock.json.installed")
    with open(lock) as file:
        wanted = file.read()
    if os.path.exists(done):
        with open(done) as file:
            if file.read() == wanted:
                return None
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(HERE, "npm", name), BUILD)
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(npm, cwd=BUILD, check=True, timeout=300, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return error.stderr
    except subprocess.TimeoutExpired:
        return "no end after 300 s"
    with open(done, "w") as file:
        file.write(wanted)
    return None


# In the order of the README's table: name shown, command.
CLIENTS = {
    "psql": python("psql"),
    "pg_dump": python("pg_dump"),
    "pgbench": python("pgbench"),
    "psycopg2": python("psycopg2"),
    "psycopg3": python("psycopg3"),
    "asyncpg": python("asyncpg"),
    "pg8000": python("pg8000"),
    "sqlalchemy": python("sqlalchemy"),
    "django": python("django"),
    "activerecord": lambda: ["ruby", "activerecord_client.rb"],
    "dbi": lambda: ["perl", "dbi_client.pl"],
    "pdo": lambda: ["php", "pdo_client.php"],
    "jdbc": lambda: ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", "/usr/share/java/postgresql.jar", "JdbcClient.java"],
    "libpqxx": compiled("pqxx_client.cc", ["g++", "-std=c++17", "-O0", "-w"], "-lpqxx", "-lpq", "-lpthread"),
    "odbc": compiled("odbc_client.c", ["gcc", "-std=gnu17", "-O0"], "-lodbc", "-lpthread"),
    "pgx": go("pgx"),
    "pq": go("pq"),
    "node_pg": node("pg"),
    "node_postgres": node("postgres"),
    "knex": node("knex"),
    "sequelize": node("sequelize"),
    "typeorm": node("typeorm"),
    "kysely": node("kysely"),
    "drizzle": node("drizzle"),
    "pgbouncer": python("pgbouncer"),
    "sysbench": python("sysbench"),
}

with open(os.path.join(HERE, "clients", "known.json")) as known_file:
    KNOWN = json.load(known_file)
with open(os.path.join(HERE, "clients", "lacks.json")) as lacks_file:
    LACKS = json.load(lacks_file)


def load_tool(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(ROOT, "tools", name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


TABLE = load_tool("compatibility")


def odbc_driver():
    return (sorted(glob.glob("/usr/lib/*/odbc/psqlodbcw.so")) or [""])[0]


class Compatibility(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.records = {}
        cls.server = Cluster("clients", profile="virtual+app", insecure=False)
        cls.addClassCleanup(cls.server.destroy)
        cls.server.start()
        with cls.server.wait_connect("main") as session:
            session.run("CREATE USER app PASSWORD 'secret' CREATEDB")
        cls.home = tempfile.mkdtemp(prefix="isopod-it-home-")
        cls.addClassCleanup(shutil.rmtree, cls.home, ignore_errors=True)

    def insecure_environment(self, database):
        """For a client that knows neither SCRAM nor certificates: a cluster of its own that asks for none."""
        server = Cluster("clients", profile="virtual+app")
        self.addCleanup(server.destroy)
        server.start()
        with server.wait_connect("main") as session:
            session.run("CREATE USER app CREATEDB")
            session.run('CREATE DATABASE "%s" OWNER app' % database)
        return {**self.environment(database), "PGPORT": str(server.port), "PGSSLMODE": "disable"}

    def environment(self, database):
        keep = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        return {**keep, "LC_ALL": "C.UTF-8", "HOME": self.home, "PYTHONPATH": os.path.join(HERE, "clients"), "PYTHONDONTWRITEBYTECODE": "1",
                "PGHOST": "localhost", "PGPORT": str(self.server.port), "PGUSER": "app", "PGPASSWORD": "secret",
                "PGDATABASE": database, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": os.path.join(self.server.certs, "ca.crt"),
                "NODE_PATH": NODE, "ODBC_DRIVER": odbc_driver(), "CLIENT_BINARIES": BUILD}

    def other_server(self):
        """A PostgreSQL of the test's own, for what goes there and comes back. It does not run as root."""
        folder = tempfile.mkdtemp(prefix="isopod-it-pg-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        user = []
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
            user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        programs = os.path.dirname(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = os.path.join(folder, "data")
        run = functools.partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, cwd="/")
        run([*user, os.path.join(programs, "initdb"), "-D", data, "-A", "trust", "-U", "app", "-N", "-E", "UTF8", "--locale=C.UTF-8"])
        server = subprocess.Popen([*user, os.path.join(programs, "postgres"), "-D", data, "-c", "port=%d" % port, "-c", "fsync=off",
                                   "-c", "unix_socket_directories=" + folder, "-c", "listen_addresses=127.0.0.1"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        self.addCleanup(server.wait)
        self.addCleanup(server.send_signal, signal.SIGINT)
        dsn = "host=127.0.0.1 port=%d user=app sslmode=disable" % port
        wait_until(lambda: psycopg2.connect(dsn + " dbname=postgres").close() or True, "PostgreSQL to serve")
        return dsn

    def run_client(self, name):
        environment = self.environment("client_" + name)
        if name == "pg_dump":
            environment["PG_OTHER"] = self.other_server()
        if name == "pg8000":
            environment = self.insecure_environment("client_" + name)
        else:
            with self.server.connect("main", user="app", password="secret") as session:
                session.run('CREATE DATABASE "client_%s"' % name)
        done = subprocess.run(CLIENTS[name](), cwd=os.path.join(HERE, "clients"), env=environment, capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=CLIENT_SECONDS_MAX)
        report = {}
        for line in done.stdout.splitlines():
            if line.startswith("ok "):
                report[line[3:]] = ""
            elif line.startswith("not ok "):
                feature, _, reason = line[7:].partition(": ")
                report[feature] = reason
        self.assertTrue(report, "%s reported nothing:\n%s\n%s" % (name, done.stdout[-2000:], done.stderr[-2000:]))
        self.records[name] = {feature: not reason for feature, reason in report.items()}
        known = KNOWN.get(name, {})
        failed = {feature: reason for feature, reason in report.items() if reason and feature not in known}
        self.assertEqual(failed, {}, done.stderr[-2000:])
        # --- all of the checklist, but for what the client has no means for ---
        unseen = {column for column, _ in TABLE.CHECKLIST if not TABLE.of_column(column, report)}
        self.assertEqual(unseen, set(LACKS.get(name, {})))
        # A script that ends early has not said all.
        self.assertEqual(done.returncode != 0, any(report.values()), done.stderr[-2000:])

    def test_zz_readme_says_what_these_tests_saw(self):
        if set(self.records) != set(CLIENTS):
            self.skipTest("not all clients ran")
        os.makedirs(os.path.dirname(RECORDS), exist_ok=True)
        with open(RECORDS, "w") as file:
            json.dump(self.records, file, indent=1)
        done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", "compatibility"), "--check", RECORDS], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def add_test(name):
    setattr(Compatibility, "test_" + name, lambda self: self.run_client(name))


for client in CLIENTS:
    add_test(client)


if __name__ == "__main__":
    unittest.main()
