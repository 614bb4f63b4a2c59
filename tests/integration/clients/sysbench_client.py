# SPDX-License-Identifier: GPL-3.0-or-later
"""sysbench: oltp_read_write and its kin over its pgsql driver (libpq), prepared statements on."""
import os
import subprocess

from report import feature, run

# sysbench has no option for TLS beyond libpq's own variables, which it leaves alone.
OPTIONS = ["--db-driver=pgsql", "--pgsql-host=" + os.environ["PGHOST"], "--pgsql-port=" + os.environ["PGPORT"],
           "--pgsql-user=" + os.environ["PGUSER"], "--pgsql-password=" + os.environ["PGPASSWORD"],
           "--pgsql-db=" + os.environ["PGDATABASE"], "--tables=2", "--table-size=1000", "--threads=2", "--events=100", "--time=30"]


def sysbench(script, command, *more):
    done = subprocess.run(["sysbench", script, *OPTIONS, *more, command], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout[-800:] + done.stderr[-800:]
    return done.stdout


@feature("prepare")
def prepare():
    sysbench("oltp_read_write", "prepare")


@feature("oltp_read_write")
def read_write():
    out = sysbench("oltp_read_write", "run")
    assert "transactions:" in out, out
    sysbench("oltp_read_write", "run", "--db-ps-mode=disable")


@feature("point selects, inserts, deletes, index updates")
def others():
    for script in ("oltp_point_select", "oltp_insert", "oltp_delete", "oltp_update_index", "oltp_update_non_index", "select_random_points",
                   "select_random_ranges", "bulk_insert"):
        if script == "bulk_insert":
            sysbench(script, "prepare")
        sysbench(script, "run")


run()
