#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random statements against Isopod and PostgreSQL 15: same rows, same types, same SQLSTATE.

    tests/differential/run.py [--seed N] [--seconds S | --seeds N] [--statements N] [--keep-going] [--out FILE]

A seed makes a schema, data and statements; both servers get the same ones. A difference is made smaller as long as it
stays a difference, and printed (with --out also written, as a file for tests/sql). The exit code is 1 when there was one.
$ISOPOD names the program; PostgreSQL is a private one in a temporary folder.
"""
import argparse
import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import psycopg2
import psycopg2.extensions

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../integration")]
from cluster import Cluster, wait_until  # noqa: E402
from generate import Generator, smaller  # noqa: E402
from queries import Wide  # noqa: E402
from routines import Catalog, Routines  # noqa: E402

# What is meant to differ, with the reason: (SQLSTATE or text of one side, reason).
MEANT = []
# Errors of evaluation depend on which rows and which operand a plan evaluates first.
EVALUATION = {"22003", "22007", "22008", "22012", "22P02", "22023", "22001", "2201E", "2201F", "22011", "21000", "2201B", "22P05", "22021", "54000"}


REFUSED = "refused by name"
NUMERIC_OID = 1700
MINIMIZE_SECONDS = 15


class Postgres:
    """A private PostgreSQL 15 over a Unix socket in a temporary folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="isopod-differential-")
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            sys.exit("PostgreSQL is not installed: run tools/install --tests")
        self.bin = found[-1]
        data = os.path.join(self.folder, "data")
        self.prefix = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self.prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        user = "postgres" if self.prefix else pwd.getpwuid(os.geteuid()).pw_name
        subprocess.run(self.prefix + [self.bin + "/initdb", "-D", data, "-A", "trust", "-U", user, "--no-sync", "-E", "UTF8",
                                      "--lc-collate=C", "--lc-ctype=C.UTF-8"], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            self.prefix + [self.bin + "/postgres", "-D", data, "-F", "-c", "listen_addresses=", "-c", "unix_socket_directories=" + self.folder,
                           "-c", "timezone=UTC", "-c", "jit=off"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.dsn = "host=%s user=%s dbname=postgres" % (self.folder, user)
        wait_until(lambda: psycopg2.connect(self.dsn), "PostgreSQL to serve").close()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Side:
    """One server's database for one seed."""

    def __init__(self, dsn, number):
        self.dsn, self.name, self.names = dsn, "d%d" % number, {}
        self.admin("CREATE DATABASE " + self.name)
        self.open()

    def admin(self, sql):
        connection = psycopg2.connect(self.dsn)
        connection.autocommit = True
        connection.cursor().execute(sql)
        connection.close()

    def open(self):
        self.raw = psycopg2.connect(re.sub(r"dbname=\S+", "dbname=" + self.name, self.dsn))
        self.raw.autocommit = True
        psycopg2.extensions.register_type(
            psycopg2.extensions.new_type(tuple(range(16, 5000)), "RAW", lambda value, cursor: value), self.raw)
        self.answer("SET timezone = 'UTC'")
        self.answer("SET statement_timeout = '3s'")

    def answer(self, sql):
        """("rows", types, rows), ("done", count) or ("error", SQLSTATE, message)."""
        try:
            with self.raw.cursor() as cursor:
                cursor.execute(sql)
                if cursor.description is None:
                    return "done", cursor.rowcount
                return "rows", tuple(self.type_name(column.type_code) for column in cursor.description), cursor.fetchall()
        except UnicodeDecodeError:
            return "error", "bytes", 'a "char" that is no UTF-8'
        except psycopg2.Error as error:
            if self.raw.closed:
                raise ServerLost("%s\n  after: %s" % (error, sql))
            return "error", error.pgcode, str(error).strip().split("\n")[0]

    def type_name(self, oid):
        """Users' types by name: their ids are each server's own."""
        if oid < 16384:
            return oid
        if oid not in self.names:
            with self.raw.cursor() as cursor:
                cursor.execute("SELECT format_type(%d, NULL)" % oid)
                self.names[oid] = cursor.fetchone()[0]
        return self.names[oid]

    def drop(self):
        self.raw.close()
        self.admin("DROP DATABASE " + self.name)


class ServerLost(Exception):
    pass


def ordered(sql):
    return bool(re.search(r" ORDER BY [0-9, A-Z]+( LIMIT \d+)?( OFFSET \d+)?( FETCH FIRST \d+ ROWS WITH TIES)?$", sql))


def difference(sql, theirs, ours):
    """What differs, in a word, or None."""
    if ours[0] == "error" and ours[1] in ("XX000", "XX001", None):
        return "internal error"
    if ours[0] == "error" and ours[1] == "0A000" and theirs[1] != "0A000":
        return REFUSED
    if theirs[0] != ours[0]:
        errors = [side for side in (theirs, ours) if side[0] == "error"]
        if errors[0][1] in EVALUATION and " FROM " in sql:
            return None
        if "57014" in (theirs[1], ours[1]):
            return "timeout" if ours[1] == "57014" and theirs[1] != "57014" else None
        return "%s against %s" % (theirs[0] if theirs[0] != "error" else theirs[1], ours[0] if ours[0] != "error" else ours[1])
    if theirs[0] == "error":
        if theirs[1] == ours[1] or (theirs[1] in EVALUATION and ours[1] in EVALUATION and " FROM " in sql):
            return None
        return "%s against %s" % (theirs[1], ours[1])
    if theirs[0] == "done":
        return None if theirs[1] == ours[1] else "count"
    if theirs[1] != ours[1]:
        return "types"
    if len(theirs[2]) != len(ours[2]):
        return "rows"
    if same_rows(sql, theirs[2], ours[2]):
        return None
    # 1.0 and 1.00 are equal: which of them stands for a group, or comes first, is open.
    scales = theirs[1].count(NUMERIC_OID) > 0 and re.search(r"min|max|DISTINCT|GROUP|UNION|INTERSECT|EXCEPT|ORDER|GREATEST|LEAST", sql)
    if scales and same_rows(sql, without_scale(theirs), without_scale(ours)):
        return None
    return "rows"


def same_rows(sql, theirs, ours):
    key = lambda row: tuple((value is None, value or "") for value in row)
    return theirs == ours if ordered(sql) else sorted(theirs, key=key) == sorted(ours, key=key)


def without_scale(answer):
    def one(kind, value):
        return re.sub(r"\.?0+$", "", value) if kind == NUMERIC_OID and value is not None and "." in value else value
    return [tuple(one(kind, value) for kind, value in zip(answer[1], row)) for row in answer[2]]


class Comparison:
    def __init__(self, postgres_dsn, isopod_dsn, seed, statements):
        self.seed, self.statements = seed, statements
        self.generator = (Generator, Wide)[seed % 2](seed)
        self.sides = (Side(postgres_dsn, seed), Side(isopod_dsn, seed))
        self.history, self.found, self.compared, self.failed, self.refused = [], [], 0, 0, {}

    def both(self, sql):
        return self.sides[0].answer(sql), self.sides[1].answer(sql)

    def probe(self, sql, changes):
        """The difference of a statement that leaves no trace."""
        if changes:
            for side in self.sides:
                side.answer("BEGIN")
        try:
            return difference(sql, *self.both(sql))
        finally:
            if changes:
                for side in self.sides:
                    side.answer("ROLLBACK")

    def minimize(self, tree, kind, changes):
        tries = 0
        end = time.monotonic() + MINIMIZE_SECONDS
        again = kind != "timeout"
        while again and tries < 400 and time.monotonic() < end:
            again = False
            for less in smaller(tree):
                tries += 1
                if len(less.sql()) < len(tree.sql()) and self.probe(less.sql(), changes) == kind:
                    tree, again = less, True
                    break
                if tries >= 400 or time.monotonic() >= end:
                    break
        return tree

    def run(self):
        for sql in self.generator.schema():
            theirs, ours = self.both(sql)
            if theirs[0] == "error":
                raise AssertionError("the generator made a schema that PostgreSQL refuses: %s\n%s" % (sql, theirs))
            self.history.append(sql)
            kind = difference(sql, theirs, ours)
            if kind is not None:
                self.report(sql, kind, theirs, ours)
                return
        for number in range(self.statements):
            tree = self.generator.statement(number)
            sql = tree.sql()
            changes = tree.kind in ("change", "ddl")
            kind = self.probe(sql, True) if changes else None
            theirs, ours = self.both(sql) if kind is None else (None, None)
            kind = kind or difference(sql, theirs, ours)
            self.compared += 1
            self.failed += theirs is not None and theirs[0] == "error"
            if kind is None:
                if changes:
                    self.history.append(sql)
                continue
            if kind == REFUSED:
                message = (ours or self.sides[1].answer(sql))[2]
                self.refused[message] = self.refused.get(message, 0) + 1
                continue
            least = self.minimize(tree, kind, changes).sql()
            for side in self.sides:
                if changes:
                    side.answer("BEGIN")
            theirs, ours = self.both(least)
            for side in self.sides:
                if changes:
                    side.answer("ROLLBACK")
            self.report(least, kind, theirs, ours)
        for side in self.sides:
            side.drop()

    def report(self, sql, kind, theirs, ours):
        for _, reason in (entry for entry in MEANT if entry[0] in (sql, theirs[1], ours[1])):
            return
        self.found.append((sql, kind))
        print("-- seed %d: %s\n%s;\n  PostgreSQL: %s\n  Isopod:     %s\n" % (self.seed, kind, sql, short(theirs), short(ours)), flush=True)


def short(answer):
    text = repr(answer)
    return text if len(text) < 600 else text[:600] + "..."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=0, help="how many; 0: until --seconds have passed")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--statements", type=int, default=60, help="of each seed")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first 50 differences")
    parser.add_argument("--postgres", help="DSN of a running PostgreSQL 15")
    parser.add_argument("--isopod", help="DSN of a running Isopod")
    options = parser.parse_args()

    postgres = None if options.postgres else Postgres()
    isopod = None if options.isopod else Cluster(name="differential", profile="virtual+app", shards=2).start()
    isopod_dsn = options.isopod or "host=%s port=%d user=root dbname=defaultdb" % (isopod.host, isopod.port)
    end = time.monotonic() + options.seconds
    seed, compared, failed, found, refused = options.seed, 0, 0, 0, {}
    try:
        while (seed < options.seed + options.seeds if options.seeds else time.monotonic() < end):
            comparison = Comparison(options.postgres or postgres.dsn, isopod_dsn, seed, options.statements)
            try:
                comparison.run()
            except ServerLost as error:
                print("-- seed %d: the server ended the connection: %s" % (seed, error))
                found += 1
                break
            compared += comparison.compared
            failed += comparison.failed
            found += len(comparison.found)
            for message, count in comparison.refused.items():
                refused[message] = refused.get(message, 0) + count
            seed += 1
            if found >= 50 and not options.keep_going:
                print("stopped: too many differences")
                break
    finally:
        if isopod is not None:
            if not isopod.running():
                print(isopod.output())
            isopod.destroy()
        if postgres is not None:
            postgres.stop()
    for message, count in sorted(refused.items(), key=lambda entry: -entry[1]):
        print("%6d refused: %s" % (count, message))
    print("%d seeds, %d statements compared (%d fail in both), %d differences" % (seed - options.seed, compared, failed, found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
