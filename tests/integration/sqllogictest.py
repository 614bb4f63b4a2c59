#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Corpora of sqllogictest in its original dialect, from files or folders, against any server of PostgreSQL's protocol.

    sqllogictest.py [--rewrite] DSN PATH...     every *.test and *.slt file under each PATH, each in a fresh schema

    statement ok | statement error [text]       text: a SQLSTATE or a regular expression found in the message
    query TYPES [nosort|rowsort|valuesort] [label-x]
                                                TYPES a letter a column: T text, I integer, R real with three digits. The
                                                expected values follow ----, one a line (or a row a line), or as
                                                `N values hashing to MD5`. Queries of one label give the same values.
    hash-threshold N | halt | skipif NAME | onlyif NAME       we are "postgresql" and "isopod"

The exit code is 1 when something differed. --rewrite writes what the server answers into the files.
"""
import hashlib
import os
import re
import sys

import psycopg2
import psycopg2.extensions

NAMES = {"postgresql", "isopod"}


class Record:
    def __init__(self, line, words, sql, expected, conditions):
        self.line, self.words, self.sql, self.expected, self.conditions = line, words, sql, expected, conditions

    def runs(self):
        return all((name in NAMES) == (word == "onlyif") for word, name in self.conditions)


def parse(text):
    """Records, and between them plain lines, as they stand."""
    lines, at, conditions = text.split("\n"), 0, []
    while at < len(lines):
        line = re.sub(r"\s+#.*$", "", lines[at]) if lines[at].startswith(("skipif", "onlyif", "halt", "hash-threshold")) else lines[at]
        words = line.split()
        if not words or words[0] not in ("statement", "query", "skipif", "onlyif", "halt", "hash-threshold"):
            yield lines[at]
            at += 1
            continue
        if words[0] in ("skipif", "onlyif"):
            conditions.append((words[0], words[1]))
            yield lines[at]
            at += 1
            continue
        start, sql, expected = at, [], None
        at += 1
        if words[0] in ("statement", "query"):
            while at < len(lines) and lines[at] not in ("", "----"):
                sql.append(lines[at])
                at += 1
            if at < len(lines) and lines[at] == "----":
                expected, at = [], at + 1
                while at < len(lines) and lines[at] != "":
                    expected.append(lines[at])
                    at += 1
        yield Record(start + 1, line.split(None, 2) if words[0] == "statement" else words, "\n".join(sql), expected, conditions)
        conditions = []


def shown(kind, value):
    if value is None:
        return "NULL"
    if kind == "I":
        return str(int(float(value))) if re.match(r"^-?[0-9.]+(e[+-]?\d+)?$", value) else {"t": "1", "f": "0"}.get(value, "0")
    if kind == "R":
        return "%.3f" % float(value)
    return re.sub(r"[^ -~]", "@", value) or "(empty)"


class Run:
    def __init__(self, connection):
        self.connection, self.threshold, self.labels, self.differences = connection, 0, {}, []

    def ask(self, record):
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(record.sql)
                return (cursor.fetchall() if cursor.description is not None else []), None
            except psycopg2.Error as error:
                return None, error

    def differ(self, path, record, wanted, got):
        self.differences.append("%s:%d: %s\n  wanted %s\n  got    %s" % (os.path.basename(path), record.line, record.sql, wanted, got))

    def statement(self, path, record):
        _, error = self.ask(record)
        outcome = record.words[1] if len(record.words) > 1 else "ok"
        if outcome == "ok" and error is not None:
            self.differ(path, record, "ok", "%s %s" % (error.pgcode, error))
        if outcome == "error" and error is None:
            self.differ(path, record, "an error", "ok")
        if outcome == "error" and error is not None and len(record.words) > 2:
            pattern = record.words[2]
            if error.pgcode != pattern and re.search(pattern, str(error)) is None:
                self.differ(path, record, pattern, "%s %s" % (error.pgcode, error))

    def query(self, path, record):
        """The lines that follow ----."""
        rows, error = self.ask(record)
        if error is not None:
            self.differ(path, record, "rows", "%s %s" % (error.pgcode, error))
            return record.expected
        kinds = record.words[1] if len(record.words) > 1 else ""
        sort = next((word for word in record.words[2:] if word in ("nosort", "rowsort", "valuesort")), "nosort")
        label = next((word for word in record.words[2:] if word not in ("nosort", "rowsort", "valuesort")), None)
        if rows and len(rows[0]) != len(kinds):
            self.differ(path, record, "%d columns" % len(kinds), "%d columns" % len(rows[0]))
        rows = [[shown(kind, value) for kind, value in zip(kinds, row)] for row in rows]
        if sort == "rowsort":
            rows.sort()
        values = [value for row in rows for value in row]
        if sort == "valuesort":
            values.sort()
        digest = hashlib.md5("".join(value + "\n" for value in values).encode()).hexdigest()
        hashed = "%d values hashing to %s" % (len(values), digest)
        got = [hashed] if self.threshold and len(values) > self.threshold else values
        if label is not None and self.labels.setdefault(label, digest) != digest:
            self.differ(path, record, "what label %s gave before" % label, got[:10])
        wanted = record.expected
        if wanted is not None and wanted != got and wanted != [hashed] and wanted != [" ".join(row) for row in rows]:
            self.differ(path, record, wanted[:10], got[:10])
        return got

    def file(self, path, rewrite):
        out, halted = [], False
        for item in parse(open(path).read()):
            if isinstance(item, str):
                out.append(item)
                continue
            got = item.expected
            if item.words[0] in ("halt", "hash-threshold"):
                if not halted and item.runs():
                    halted = item.words[0] == "halt"
                    if not halted:
                        self.threshold = int(item.words[1])
                out.append(" ".join(item.words))
                continue
            if not halted and item.runs():
                if item.words[0] == "statement":
                    self.statement(path, item)
                else:
                    got = self.query(path, item)
            out += [" ".join(item.words), item.sql] + (["----"] + (got or []) if item.words[0] == "query" else [])
        if rewrite:
            with open(path, "w") as file:
                file.write("\n".join(out))


def files(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, _, names in sorted(os.walk(path)):
            for name in sorted(names):
                if name.endswith((".test", ".slt")):
                    yield os.path.join(folder, name)


def run(dsn, paths, rewrite=False):
    """Differences, as texts."""
    differences = []
    for path in files(paths):
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        psycopg2.extensions.register_type(psycopg2.extensions.new_type(tuple(range(16, 5000)), "RAW", lambda value, cursor: value), connection)
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS logic CASCADE")
            cursor.execute("CREATE SCHEMA logic")
            cursor.execute("SET search_path = logic")
        one = Run(connection)
        one.file(path, rewrite)
        connection.close()
        differences += one.differences
    return differences


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--rewrite"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    differences = run(arguments[0], arguments[1:], "--rewrite" in sys.argv)
    print("\n".join(differences))
    sys.exit(1 if differences and "--rewrite" not in sys.argv else 0)


if __name__ == "__main__":
    main()
