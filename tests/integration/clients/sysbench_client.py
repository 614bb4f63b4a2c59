# SPDX-License-Identifier: GPL-3.0-or-later
"""sysbench: oltp_read_write and its kin over its pgsql driver (libpq), prepared statements on."""
import os
import subprocess
import tempfile

import psycopg2
from report import equal, feature, run

# sysbench has no option for TLS beyond libpq's own variables, which it leaves alone.
OPTIONS = ["--db-driver=pgsql", "--pgsql-host=" + os.environ["PGHOST"], "--pgsql-port=" + os.environ["PGPORT"],
           "--pgsql-user=" + os.environ["PGUSER"], "--pgsql-password=" + os.environ["PGPASSWORD"],
           "--pgsql-db=" + os.environ["PGDATABASE"], "--tables=2", "--table-size=1000", "--threads=2", "--events=100", "--time=30"]


def sysbench(script, command, *more, fails=False):
    done = subprocess.run(["sysbench", script, *OPTIONS, *more, command], capture_output=True, text=True, timeout=100)
    assert (done.returncode != 0) == fails, done.stdout[-800:] + done.stderr[-800:]
    return done.stdout + done.stderr


def query(text):
    connection = psycopg2.connect("")
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()
    finally:
        connection.close()


def lua(text, fails=False):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "script.lua")
        with open(path, "w") as file:
            file.write(text)
        return sysbench(path, "run", "--threads=1", "--events=1", fails=fails)


@feature("connect")
def connects():
    lua("function event()\n local c = sysbench.sql.driver():connect()\n"
        " assert(c:query_row('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()') == 't')\nend\n")
    done = subprocess.run(["sysbench", "oltp_read_write", *OPTIONS, "--pgsql-password=wrong", "run"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "password authentication failed" in done.stdout + done.stderr, done.stdout


@feature("ddl")
def ddl():
    sysbench("oltp_read_write", "prepare")
    sysbench("oltp_read_write", "cleanup")
    sysbench("oltp_read_write", "prepare", "--create-secondary=on")


@feature("transactions")
def transactions():
    out = sysbench("oltp_read_write", "run")
    assert "transactions:" in out, out
    sysbench("oltp_read_write", "run", "--db-ps-mode=disable")
    sysbench("oltp_write_only", "run")
    equal(query("SELECT count(*) FROM sbtest1"), [(1000,)])


@feature("prepared statements")
def prepared():
    for script in ("oltp_read_only", "oltp_point_select", "select_random_points", "select_random_ranges"):
        sysbench(script, "run", "--db-ps-mode=auto")


@feature("errors")
def errors():
    for text, state in (("SELECT * FROM gone", "42P01"), ("SELECT 1/0", "22012")):
        done = lua("function event()\n sysbench.sql.driver():connect():query(\"%s\")\nend\n" % text, fails=True)
        assert "state = '%s'" % state in done, done


@feature("bulk load")
def bulk():
    sysbench("bulk_insert", "prepare")
    sysbench("bulk_insert", "run")


@feature("inserts, deletes and updates")
def others():
    for script in ("oltp_insert", "oltp_delete", "oltp_update_index", "oltp_update_non_index"):
        sysbench(script, "run")


run()
