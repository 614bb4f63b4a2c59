# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL data-driven tests: every file of tests/sql against a real server.

    statement ok                  the statement succeeds
    statement error 23505         it fails with this SQLSTATE
    query [rowsort]               its rows follow ----, columns separated by |, NULL as NULL, one row a line
    user NAME                     the next ones are run by this user; without a name by the first one again
    skip-rewrite                  the next record is not PostgreSQL's: --rewrite leaves it alone

Run by hand:  python3 tests/integration/test_sql.py [--rewrite DSN] [file...]
--rewrite fills in the expected rows from another server (PostgreSQL 15), so that they are never made up.
"""
import glob
import os
import sys
import unittest

import psycopg2
import psycopg2.extensions

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
FILES = sorted(glob.glob(os.path.join(HERE, "../sql/*.slt")))


def text_of(value):
    return "NULL" if value is None else value.replace("\n", "\\n")


def as_text(connection):
    """Values exactly as the server writes them."""
    raw = psycopg2.extensions.new_type(
        tuple(range(16, 5000)), "RAW", lambda value, cursor: value)
    psycopg2.extensions.register_type(raw, connection)


class Record:
    def __init__(self, line, kind, argument, sql, expected):
        self.line, self.kind, self.argument, self.sql, self.expected = line, kind, argument, sql, expected
        self.skip_rewrite, self.user = False, ""


def read_records(path):
    """The file as a list of Records and plain lines (comments, blanks)."""
    lines = open(path).read().split("\n")
    items, at, skip, user = [], 0, False, ""
    while at < len(lines):
        line = lines[at]
        word = line.split(" ", 1)[0]
        if word == "skip-rewrite":
            skip = True
            items.append(line)
            at += 1
            continue
        if word == "user":
            user = line[len(word):].strip()
        if word not in ("statement", "query"):
            items.append(line)
            at += 1
            continue
        start = at
        sql, expected = [], []
        at += 1
        while at < len(lines) and lines[at] != "" and lines[at] != "----":
            sql.append(lines[at])
            at += 1
        if at < len(lines) and lines[at] == "----":
            at += 1
            while at < len(lines) and lines[at] != "":
                expected.append(lines[at])
                at += 1
        record = Record(start + 1, word, line[len(word):].strip(), "\n".join(sql), expected)
        record.skip_rewrite, skip = skip, False
        record.user = user
        items.append(record)
    return items


def run_record(connection, record):
    """What the server answers: ("ok",), ("error", sqlstate, message) or ("rows", [...])."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(record.sql)
            if record.kind == "statement":
                return ("ok",)
            rows = ["|".join(text_of(value) for value in row) for row in cursor.fetchall()]
        except psycopg2.Error as error:
            return ("error", error.pgcode, str(error).strip())
    if "rowsort" in record.argument:
        rows.sort()
    return ("rows", rows)


def expected_of(record):
    if record.kind == "query":
        return ("rows", record.expected)
    words = record.argument.split()
    return ("ok",) if words[0] == "ok" else ("error", words[1])


def run_file(path, connection, connect=None):
    """Differences as texts; a file goes on after a difference. connect(user) gives another one's connection."""
    differences, connections = [], {"": connection}
    for record in read_records(path):
        if isinstance(record, str):
            continue
        if record.user not in connections:
            connections[record.user] = connect(record.user)
        got, wanted = run_record(connections[record.user], record), expected_of(record)
        if got[:len(wanted)] != wanted:
            differences.append("%s:%d: %s\n  wanted %r\n  got    %r" % (
                os.path.basename(path), record.line, record.sql, wanted, got))
    return differences


def rewrite_file(path, connection):
    out, user = [], ""
    for item in read_records(path):
        if isinstance(item, str):
            out.append(item)
            continue
        if not item.skip_rewrite:
            if item.user != user:  # Not in a transaction that has failed.
                with connection.cursor() as cursor:
                    cursor.execute("SET ROLE " + (item.user or "NONE"))
                user = item.user
            got = run_record(connection, item)
            if got[0] == "error":
                item.kind, item.argument, item.expected = "statement", "error %s" % got[1], []
            elif item.kind == "query":
                item.expected = got[1]
            else:
                item.argument = "ok"
        out.append(("%s %s" % (item.kind, item.argument)).strip())
        out.append(item.sql)
        if item.kind == "query":
            out += ["----"] + item.expected
    open(path, "w").write("\n".join(out))


class SqlFiles(unittest.TestCase):
    """Each file in a database of its own of one server."""

    @classmethod
    def setUpClass(cls):
        from cluster import Cluster
        cls.server = Cluster(name="sql", profile="virtual+app")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()


def make_test(path):
    def test(self):
        name = os.path.basename(path)[:-4]
        with self.server.wait_connect("main") as session:
            session.run("CREATE DATABASE test_%s" % name)
        others = []

        def connect(user):
            others.append(self.server.connect("main", database="test_" + name, user=user))
            as_text(others[-1].raw)
            return others[-1].raw

        with self.server.connect("main", database="test_" + name) as session:
            as_text(session.raw)
            differences = run_file(path, session.raw, connect)
            for other in others:
                other.close()
        if differences:
            self.fail("%d differences\n%s" % (len(differences), "\n".join(differences[:20])))
    return test


for file in FILES:
    setattr(SqlFiles, "test_" + os.path.basename(file)[:-4], make_test(file))


def main():
    if "--rewrite" in sys.argv:
        at = sys.argv.index("--rewrite")
        dsn = sys.argv[at + 1]
        files = sys.argv[at + 2:] or FILES
        for path in files:
            connection = psycopg2.connect(dsn)
            connection.autocommit = True
            as_text(connection)
            with connection.cursor() as cursor:
                cursor.execute("DROP SCHEMA public CASCADE")
                cursor.execute("CREATE SCHEMA public")
                cursor.execute("SET TimeZone = 'UTC'")
            rewrite_file(path, connection)
            connection.close()
        return
    unittest.main()


if __name__ == "__main__":
    main()
