# SPDX-License-Identifier: GPL-3.0-or-later
"""pgbouncer in front, in session and in transaction mode; psycopg2 and psycopg 3 behind it."""
import io
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


@feature("connect")
def connects():
    with Bouncer("session") as bouncer:
        with psycopg2.connect(bouncer.dsn) as connection:
            equal(query(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), [(True,)])  # Behind it.
        connection.close()
        try:
            psycopg2.connect(bouncer.dsn.replace("password=", "password=not_"))
            raise AssertionError("a wrong password was accepted")
        except psycopg2.OperationalError as error:
            assert "password authentication failed" in str(error) or "SASL" in str(error), error


def in_both_modes(body):
    def both():
        for mode in ("session", "transaction"):
            with Bouncer(mode) as bouncer:
                connection = psycopg2.connect(bouncer.dsn)
                try:
                    body(connection, mode)
                finally:
                    connection.close()
    return both


@feature("ddl")
@in_both_modes
def ddl(connection, mode):
    with connection:
        query(connection, "CREATE TABLE made_%s (id serial PRIMARY KEY, name text UNIQUE)" % mode)
        query(connection, "ALTER TABLE made_%s ADD COLUMN price numeric(8,2) DEFAULT 1" % mode)
    with connection:
        equal(query(connection, "INSERT INTO made_%s (name) VALUES ('a') RETURNING id, price::text" % mode), [(1, "1.00")])


@feature("types")
@in_both_modes
def types(connection, mode):
    for kind, text in (("int8", "-5"), ("numeric", "1.10"), ("float8", "0.1"), ("bool", "true"), ("text", "täxt"), ("bytea", "\\x00ff"),
                       ("timestamptz", "2024-02-29 01:02:03+00"), ("date", "2024-02-29"), ("interval", "1 day"), ("uuid", "0" * 32), ("jsonb", '{"a": 1}'),
                       ("int4[]", "{1,NULL}"), ("inet", "10.0.0.1")):
        equal(query(connection, "SELECT a = %s::{0} FROM (SELECT %s::{0} AS a) AS t".format(kind), (text, text)), [(True,)], kind)


@feature("transactions")
@in_both_modes
def transactions(connection, mode):
    query(connection, "CREATE TABLE counted_%s (n int PRIMARY KEY)" % mode)
    connection.rollback()
    with connection:
        query(connection, "CREATE TABLE counted_%s (n int PRIMARY KEY)" % mode)
        query(connection, "INSERT INTO counted_%s VALUES (1)" % mode)
    equal(query(connection, "SELECT n FROM counted_%s" % mode), [(1,)])


@feature("savepoints")
@in_both_modes
def savepoints(connection, mode):
    with connection:
        query(connection, "SAVEPOINT s")
        try:
            query(connection, "INSERT INTO counted_%s VALUES (1)" % mode)
            raise AssertionError("no error")
        except psycopg2.errors.UniqueViolation:
            query(connection, "ROLLBACK TO SAVEPOINT s")
        query(connection, "INSERT INTO counted_%s VALUES (2)" % mode)
    equal(query(connection, "SELECT count(*) FROM counted_%s" % mode), [(2,)])


@feature("prepared statements")
def prepared():
    with Bouncer("session") as bouncer:
        with psycopg.connect(bouncer.dsn) as connection:
            for i in range(10):
                equal(connection.execute("SELECT %s::int + 1", (i,), prepare=True).fetchone(), (i + 1,))
    with Bouncer("transaction") as bouncer:  # Within a transaction, and unnamed ones anywhere.
        with psycopg.connect(bouncer.dsn, prepare_threshold=None) as connection:
            for i in range(10):
                equal(connection.execute("SELECT %s::int + 1", (i,)).fetchone(), (i + 1,))
                connection.commit()


@feature("bulk load")
@in_both_modes
def bulk(connection, mode):
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE loaded_%s (a int, b text)" % mode)
        cursor.copy_expert("COPY loaded_%s FROM STDIN" % mode, io.StringIO("".join("%d\tline\n" % i for i in range(20000))))
    equal(query(connection, "SELECT count(*), sum(a) FROM loaded_%s" % mode), [(20000, 19999 * 10000)])


@feature("streaming")
@in_both_modes
def streaming(connection, mode):
    with connection, connection.cursor("rows") as cursor:
        cursor.itersize = 1000
        cursor.execute("SELECT i FROM generate_series(1, 20000) AS i")
        equal(sum(row[0] for row in cursor), 20000 * 20001 // 2)


@feature("introspection")
@in_both_modes
def introspection(connection, mode):
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM made_%s" % mode)
        equal([column.type_code for column in cursor.description], [23, 25, 1700])
    equal(query(connection, "SELECT data_type FROM information_schema.columns WHERE table_name = 'made_%s' ORDER BY ordinal_position" % mode),
          [("integer",), ("text",), ("numeric",)])


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
