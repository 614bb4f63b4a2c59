# SPDX-License-Identifier: GPL-3.0-or-later
"""pgbench: its own tables, its scripts in all three protocols, and scripts that show what it does of the rest."""
import glob
import os
import signal
import subprocess
import tempfile
import time

import psycopg2
from report import equal, feature, run

PGBENCH = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))[-1]
folder = tempfile.TemporaryDirectory()


def pgbench(*options, check=True):
    done = subprocess.run([PGBENCH, *options], capture_output=True, text=True, timeout=100)
    if check:
        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
        if "-i" not in options:
            assert "number of failed transactions: 0 " in done.stdout, done.stdout
    return done.stdout + done.stderr


def script(text, *options, check=True):
    path = os.path.join(folder.name, "script.sql")
    with open(path, "w") as file:
        file.write(text)
    return pgbench("-n", "-f", path, *(options or ("-t", "5")), check=check)


def query(text):
    connection = psycopg2.connect("")
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()
    finally:
        connection.close()


@feature("connect")
def connects():
    script("SELECT 1 / ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid();\n", "-C", "-t", "3")
    done = subprocess.run([PGBENCH, "-n", "-S", "-t", "1"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PGPASSWORD": "wrong"})
    assert done.returncode != 0 and "password authentication failed" in done.stderr, done.stderr


@feature("ddl")
def ddl():
    pgbench("-i", "-q", "-s", "2", "--foreign-keys")
    equal(query("SELECT count(*) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'pgbench%' AND contype = 'f'"), [(5,)])
    pgbench("-i", "-q", "-I", "d")
    pgbench("-i", "-q", "-I", "dtGvp")  # Rows made by the server.


@feature("types")
def types():
    script("\\set a random(1, 1000)\n\\set b 1.5 * :a\n\\set c hash(:a)\n\\set d :a > 500\n"
           "SELECT :a::int AS i, :b::float8 AS f, :c::int8 AS h, :d::bool AS o, :b::numeric(20,2) AS n \\gset got_\n"
           "SELECT 1 / (:got_i = :a::int AND :got_f = :b::float8 AND :got_h = :c::int8 AND :got_n = :b::numeric AND :got_o::bool = :d::bool)::int;\n",
           "-t", "5", "-M", "extended")


@feature("transactions")
def transactions():
    for name in ("select-only", "simple-update", "tpcb-like"):
        pgbench("-n", "-b", name, "-c", "4", "-t", "20")
    equal(query("SELECT (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(tbalance) FROM pgbench_tellers), count(*) FROM pgbench_history"),
          [(True, 2 * 4 * 20)])
    # Two that cannot be serialised: it tries again by itself.
    script("BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT bbalance FROM pgbench_branches WHERE bid = 1 \\gset\n"
           "UPDATE pgbench_branches SET bbalance = :bbalance + 1 WHERE bid = 1;\nCOMMIT;\n",
           "-c", "3", "-t", "10", "--max-tries=1000")


@feature("savepoints")
def savepoints():
    script("BEGIN;\nINSERT INTO pgbench_history (tid) VALUES (-1);\nSAVEPOINT s;\nINSERT INTO pgbench_history (tid) VALUES (-2);\n"
           "ROLLBACK TO SAVEPOINT s;\nRELEASE SAVEPOINT s;\nCOMMIT;\n")
    equal(query("SELECT tid, count(*) FROM pgbench_history WHERE tid < 0 GROUP BY tid"), [(-1, 5)])


@feature("prepared statements")
def prepared():
    for mode in ("extended", "prepared"):
        pgbench("-n", "-M", mode, "-c", "4", "-t", "20")


@feature("pipeline")
def pipeline():
    script("\\startpipeline\nSELECT abalance FROM pgbench_accounts WHERE aid = 1;\nSELECT 2;\n\\endpipeline\n", "-M", "prepared", "-t", "10")


@feature("errors")
def errors():
    out = script("SELECT 1/0;\n", check=False)
    assert "division by zero" in out, out
    # By their SQLSTATE: a serialization failure (40001) and a deadlock (40P01) are told from others.
    out = script("BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT bbalance FROM pgbench_branches WHERE bid = 1 \\gset\n\\sleep 20 ms\n"
                 "UPDATE pgbench_branches SET bbalance = :bbalance + 1 WHERE bid = 1;\nCOMMIT;\n",
                 "-c", "4", "-t", "5", "--failures-detailed", check=False)
    assert "number of serialization failures:" in out and "number of deadlock failures: 0 " in out and "aborted" not in out, out


@feature("cancel")
def cancel():
    process = subprocess.Popen([PGBENCH, "-i", "-I", "dtG", "-s", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not query("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'insert into pgbench_accounts%' AND state = 'active'"):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode != 0 and "canceling statement due to user request" in error, error
    while query("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'insert into pgbench_accounts%' AND state = 'active'"):
        time.sleep(0.01)


@feature("bulk load")
def bulk():
    pgbench("-i", "-q", "-s", "1")
    equal(query("SELECT count(*) FROM pgbench_accounts"), [(100000,)])


run()
