# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for integration tests: start, stop, kill, connect, wait.

    with Cluster(profile="replication-source") as server:
        with server.connect() as session:
            session.rows("SELECT 1")

The binary is $ISOPOD. Ports are the system's choice, folders are temporary and removed at the end (kept with
$ISOPOD_TEST_KEEP). Nothing here sleeps for a fixed time: `wait_until` polls a condition up to a deadline and fails
with what it last saw.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import psycopg2
import psycopg2.extensions

ISOPOD = os.environ.get("ISOPOD", os.path.join(os.path.dirname(__file__), "../../build/release/isopod"))
DEADLINE_S = float(os.environ.get("ISOPOD_TEST_DEADLINE_S", "60"))
POLL_S = 0.02


class Timeout(AssertionError):
    pass


class CommandFailed(AssertionError):
    """A command of the program's own said no, or has not answered."""


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Calls condition() until it is true and returns its value. Errors of the server and of commands count as "not yet"."""
    end = time.monotonic() + deadline_s
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except psycopg2.Error as error:
            seen = "%s: %s" % (error.pgcode, str(error).strip())
        except CommandFailed as error:
            seen = str(error)
        if time.monotonic() >= end:
            raise Timeout("waited %.0f s for %s; last seen: %r" % (deadline_s, what, seen))
        time.sleep(POLL_S)


@contextlib.contextmanager
def cancelled(session, watcher):
    """What `session` runs within is cancelled as soon as `watcher`, another session of its virtual cluster, sees it run."""
    process = session.raw.get_backend_pid()

    def cancel():
        wait_until(lambda: watcher.value("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'", (process,)),
                   "the statement to run")
        session.raw.cancel()
    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class Session:
    """A connection in autocommit mode; `with session.transaction():` for more than one statement."""

    def __init__(self, dsn):
        # A log-in may wait as long as anything else, unless the test says otherwise.
        self.raw = psycopg2.connect(dsn if "connect_timeout" in dsn else psycopg2.extensions.make_dsn(
            dsn, connect_timeout=int(DEADLINE_S)))
        self.raw.autocommit = True

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.raw.close()

    def run(self, sql, params=None):
        with self.raw.cursor() as cursor:
            cursor.execute(sql, params)

    def rows(self, sql, params=None):
        with self.raw.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()

    def value(self, sql, params=None):
        return self.rows(sql, params)[0][0]

    def records(self, sql, params=None):
        """Rows as dictionaries."""
        with self.raw.cursor() as cursor:
            cursor.execute(sql, params)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def record(self, sql, params=None):
        return self.records(sql, params)[0]


class Server:
    """A server's process: `name` says which one, launch_process() starts it. Its output goes to a file."""

    name = None
    process = None
    output_path = None

    def launch_process(self, command):
        """Starts it and does not wait."""
        # What a process holds until its end is no leak; what it forgets meanwhile the unit tests find.
        environment = dict(os.environ)
        environment.setdefault("ASAN_OPTIONS", "detect_leaks=0")
        environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        with open(self.output_path, "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, env=environment)

    def output(self, bytes_max=20000):
        with open(self.output_path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - bytes_max))
            return file.read().decode(errors="replace")

    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self, deadline_s=DEADLINE_S):
        """SIGTERM, and waits for the graceful end."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Timeout("%s did not end after SIGTERM:\n%s" % (self.name, self.output()))
        self.process = None
        assert code == 0, "%s ended with %s:\n%s" % (self.name, code, self.output())

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def unpause(self):
        self.process.send_signal(signal.SIGCONT)


class Cluster(Server):
    """One server process over one store. start() may be called again after stop() or kill()."""

    def __init__(self, name="node", profile=None, shards=None, store=None, insecure=True, args=()):
        self.name = name
        self.profile = profile
        self.shards = shards
        self.insecure = insecure
        self.args = list(args)
        self.keep = bool(os.environ.get("ISOPOD_TEST_KEEP"))
        self.folder = tempfile.mkdtemp(prefix="isopod-it-%s-" % name)
        if not insecure:
            self.certs = os.path.join(self.folder, "certs")
            for what in (["create-ca"], ["create-node", "localhost", "127.0.0.1"], ["create-client", "root"]):
                subprocess.run([ISOPOD, "cert"] + what + ["--certs-dir", self.certs, "--ca-key",
                                os.path.join(self.certs, "ca.key")], check=True, stdout=subprocess.DEVNULL)
        self.store = store or os.path.join(self.folder, "store")
        self.host = self.port = self.http_port = None
        self.listen = "localhost:0"
        self.starts = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.destroy()

    # --- the process ---

    def start(self, deadline_s=DEADLINE_S):
        assert self.process is None, "%s runs already" % self.name
        self.starts += 1
        url_file = os.path.join(self.folder, "url-%d" % self.starts)
        command = [ISOPOD, "start-single-node", "--store", self.store, "--listen-addr", self.listen,
                   "--http-addr", "localhost:0", "--listening-url-file", url_file, "--no-pin"]
        command += ["--insecure"] if self.insecure else ["--certs-dir", self.certs]
        if self.shards:
            command += ["--shards", str(self.shards)]
        if self.profile:
            command += ["--config-profile", self.profile]
        self.output_path = os.path.join(self.folder, "output-%d" % self.starts)
        command += self.args

        def serving():
            if self.process.poll() is not None:
                # While it was down, a connection of somebody else may have been given its port for a while.
                if self.starts > 1 and "already in use" in self.output():
                    self.launch_process(command)
                    return False
                raise AssertionError("%s ended with %s:\n%s" % (self.name, self.process.returncode, self.output()))
            return os.path.exists(url_file) and os.path.getsize(url_file) > 0

        self.launch_process(command)
        try:
            wait_until(serving, "%s to serve" % self.name, deadline_s)
        except Timeout as error:
            raise Timeout("%s\n%s" % (error, self.output()))
        with open(url_file) as file:
            url = urllib.parse.urlparse(file.read().strip())
        # Numeric, so that no test needs a name service.
        self.host = "127.0.0.1" if url.hostname == "localhost" else url.hostname
        self.port = url.port
        # The same port after a restart: others have it in their records.
        self.listen = "localhost:%d" % self.port
        return self

    def destroy(self):
        self.kill()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- connections ---

    def url(self, tenant="system", user="root", database="defaultdb", password=None):
        login = user if password is None else "%s:%s" % (user, urllib.parse.quote(password, safe=""))
        tls = "sslmode=disable"
        if not self.insecure:
            tls = "sslmode=verify-full&sslrootcert=%s/ca.crt" % self.certs
            if password is None:
                tls += "&sslcert=%s/client.%s.crt&sslkey=%s/client.%s.key" % (self.certs, user, self.certs, user)
        return "postgresql://%s@%s:%d/%s?%s&options=-ccluster%%3D%s" % (
            login, self.host, self.port, database, tls, tenant)

    def connect(self, tenant="system", **options):
        return Session(self.url(tenant, **options))

    def wait_connect(self, tenant="system", **options):
        return wait_until(lambda: self.connect(tenant, **options), "a session in %s of %s" % (tenant, self.name))

    # --- jobs ---

    def job(self, job_id):
        with self.connect() as session:
            rows = session.records("SELECT * FROM [SHOW JOBS] WHERE job_id = %s", (job_id,))
            return rows[0] if rows else None


class ClusterTest(unittest.TestCase):
    """Servers started with self.cluster(...) end with the test; their last output is shown when it fails."""

    def cluster(self, name, **options):
        server = Cluster(name, **options)
        self.addCleanup(server.destroy)
        server.start()
        return server

    def assert_error(self, sqlstate, text, action):
        with self.assertRaises(psycopg2.Error) as caught:
            action()
        self.assertEqual(caught.exception.pgcode, sqlstate, str(caught.exception))
        self.assertIn(text, str(caught.exception))
