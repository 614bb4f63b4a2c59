# SPDX-License-Identifier: GPL-3.0-or-later
"""pgbouncer in front, in session and in transaction mode; psycopg2 and psycopg 3 behind it."""
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import psycopg
import psycopg2
import psycopg2.errors
from report import equal, feature, run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bouncer:
    def __init__(self, mode):
        self.folder = tempfile.TemporaryDirectory(prefix="isopod-it-bouncer-")
        self.port = free_port()
        e = os.environ
        path = os.path.join(self.folder.name, "pgbouncer.ini")
        with open(path, "w") as file:
            file.write("""
[databases]
%s = host=%s port=%s dbname=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
auth_type = scram-sha-256
auth_file = %s/users
pool_mode = %s
default_pool_size = 3
server_tls_sslmode = verify-full
server_tls_ca_file = %s
server_reset_query = DISCARD ALL
server_check_query = select 1
server_check_delay = 0
unix_socket_dir =
logfile = %s/log
ignore_startup_parameters = extra_float_digits,options
""" % (e["PGDATABASE"], e["PGHOST"], e["PGPORT"], e["PGDATABASE"], e["PGUSER"], e["PGPASSWORD"], self.port,
                self.folder.name, mode, os.path.join(self.folder.name, "ca.crt"),
                self.folder.name))
        shutil.copy(e["PGSSLROOTCERT"], os.path.join(self.folder.name, "ca.crt"))
        with open(os.path.join(self.folder.name, "users"), "w") as file:
            file.write('"%s" "%s"\n' % (e["PGUSER"], e["PGPASSWORD"]))
        # It does not run as root.
        user = []
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chmod(self.folder.name, 0o755)
            os.chown(self.folder.name, nobody.pw_uid, nobody.pw_gid)
            os.chmod(os.path.join(self.folder.name, "ca.crt"), 0o644)
            user = ["-u", "nobody"]
        self.process = subprocess.Popen(["/usr/sbin/pgbouncer", *user, path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.dsn = "host=127.0.0.1 port=%d sslmode=disable user=%s password=%s dbname=%s" % (
            self.port, e["PGUSER"], e["PGPASSWORD"], e["PGDATABASE"])
        end = time.monotonic() + 10
        while True:
            try:
                psycopg2.connect(self.dsn).close()
                return
            except psycopg2.OperationalError as error:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.process.kill()
                    raise AssertionError("pgbouncer does not serve: %s\n%s" % (error, self.process.communicate()[1][-1000:]))
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def query(connection, text, values=None):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else None


@feature("session mode")
def session_mode():
    with Bouncer("session") as bouncer:
        with psycopg2.connect(bouncer.dsn) as connection:
            query(connection, "CREATE TABLE pooled (n int)")
            query(connection, "SET search_path TO pg_catalog")
        connection.close()
        connection = psycopg2.connect(bouncer.dsn)
        equal(query(connection, "SHOW search_path"), [('"$user", public',)])  # DISCARD ALL was sent.
        query(connection, "PREPARE one AS SELECT 1")
        connection.commit()
        equal(query(connection, "EXECUTE one"), [(1,)])
        connection.commit()
        many = [psycopg.connect(bouncer.dsn) for _ in range(2)]
        for other in many:
            other.execute("INSERT INTO pooled VALUES (%s)", (1,), prepare=True)
            other.commit()
            other.close()
        equal(query(connection, "SELECT count(*) FROM pooled"), [(2,)])
        connection.close()


@feature("transaction mode")
def transaction_mode():
    with Bouncer("transaction") as bouncer:
        many = [psycopg2.connect(bouncer.dsn) for _ in range(20)]

        def work(connection):
            done = 0
            while done < 10:
                try:
                    with connection:
                        query(connection, "INSERT INTO pooled VALUES (2)")
                        query(connection, "SELECT count(*) FROM pooled WHERE n = 7")
                    done += 1
                except psycopg2.errors.SerializationFailure:
                    pass  # As at this level in PostgreSQL: run it again.
        threads = [threading.Thread(target=work, args=(c,)) for c in many]
        [t.start() for t in threads]
        [t.join() for t in threads]
        equal(query(many[0], "SELECT count(*) FROM pooled WHERE n = 2"), [(200,)])
        for connection in many:
            connection.rollback()
            connection.close()


@feature("errors")
def errors():
    with Bouncer("transaction") as bouncer:
        connection = psycopg2.connect(bouncer.dsn)
        for text, code in [("SELECT 1/0", "22012"), ("SELECT * FROM gone", "42P01")]:
            try:
                query(connection, text)
                raise AssertionError("no error")
            except psycopg2.Error as error:
                equal(error.pgcode, code)
                connection.rollback()
        connection.close()


@feature("cancel")
def cancel():
    with Bouncer("transaction") as bouncer:
        connection = psycopg2.connect(bouncer.dsn)
        threading.Timer(0.1, connection.cancel).start()
        try:
            query(connection, "SELECT pg_sleep(60)")
            raise AssertionError("it slept")
        except psycopg2.Error as error:
            equal(error.pgcode, "57014")
        connection.close()


run()
