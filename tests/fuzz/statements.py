#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fuzzer of statements: those of tests/sql, changed at random, against a real server under sanitizers.

    tests/fuzz/statements.py [--seconds S] [--seed N] [--script N]     $ISOPOD names the program

A script is drawn from a seed and its number: the statements of one file, in their order, in a database of its own, each followed by
changed copies of it. A change cuts a statement at a keyword and goes on with another statement from that keyword on, takes
another's parentheses, words or literals, or wraps it (EXPLAIN, PREPARE, a view, a cursor, COPY, a function's body). Whatever the
server makes of them, it answers and goes on. --script runs one again and prints what it sends.
"""
import argparse
import glob
import os
import random
import re
import sys
import time

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../integration"))
from cluster import Cluster  # noqa: E402
from test_sql import read_records  # noqa: E402

TOKEN = re.compile(r"""\s+|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|[eEbBxX]?'(?:[^']|'')*'|"(?:[^"]|"")*"|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?
    |\$\d+|[A-Za-z_]\w*|::|:=|=>|[-+*/<>=~!@#%^&|`?]+|.""", re.S | re.X)
# Where statements are cut and joined.
JOINTS = """from where on as set using values group order returning with to select for table in and or not case when then else end
    over partition by filter having limit union except intersect join default check references primary unique foreign add drop alter
    column constraint index view function type domain sequence schema cast array row between like is null distinct all any exists
    lateral tablesample only cascade if into insert update delete conflict do nothing language returns immutable options owner rename
    grant revoke execute statistics include collate window recursive materialized refresh copy comment""".split()
LITERALS = """NULL '' 0 -1 1 2147483647 2147483648 -9223372036854775808 9223372036854775808 1e308 1e-400 'NaN'::float8 'infinity' true
    '{}' '[]' '{"a": 1}' ARRAY[]::int[] ROW() (SELECT 1) 'a' U&'\\0041' B'101' X'1F' DEFAULT * current_date now() interval'1 day'
    '2024-02-29'::date ARRAY[[1,2],[3,4]] '[1,5)'::int4range random() generate_series(1,3) count(*) $1 oid 1::oid 'pg_class'::regclass
    row_number()OVER() repeat('x',70000) (VALUES(1),(2)) t.* x.y.z.w "" "A" """.split()
# What would end, hold up or leave the session, or take the user's rights to go on.
SPARED = re.compile(r"pg_sleep|pg_terminate|pg_cancel|shutdown|drop\s+database|drop\s+role|drop\s+user|virtual\s+cluster|cancel\s|"
                    r"pause\s|session_authorization|set\s+role|alter\s+(role|user)|generate_series\(\s*1\s*,\s*\d{5}|advisory", re.I)


def tokens_of(sql):
    return [match.group(0) for match in TOKEN.finditer(sql) if not match.group(0).isspace()]


def statements_of(path):
    if path.endswith(".slt"):
        return [record.sql for record in read_records(path) if not isinstance(record, str)]
    return [part for part in open(path).read().split(";\n") if not part.lstrip().startswith("\\")]


def spans(tokens):
    """(from, to) of each pair of parentheses, both included."""
    open_at, found = [], []
    for at, token in enumerate(tokens):
        if token == "(":
            open_at.append(at)
        elif token == ")" and open_at:
            found.append((open_at.pop(), at))
    return found


class Script:
    def __init__(self, corpus, seed, number):
        self.random = random.Random(seed * 1000003 + number)
        self.corpus, self.number = corpus, number
        self.statements = corpus[self.random.randrange(len(corpus))]
        self.sent = []

    def other(self):
        """Of the same file mostly: its names are there."""
        of = self.statements if self.random.random() < 0.6 else self.random.choice(self.corpus)
        return tokens_of(self.random.choice(of))

    def joined(self, tokens):
        """Up to a keyword, and on from there as another statement does."""
        ours = [at for at, token in enumerate(tokens) if token.lower() in JOINTS]
        if not ours:
            return tokens
        at = self.random.choice(ours)
        for _ in range(8):
            theirs = self.other()
            same = [i for i, token in enumerate(theirs) if token.lower() == tokens[at].lower()]
            if same:
                begin = self.random.choice(same)
                if self.random.random() < 0.5:
                    return tokens[:at] + theirs[begin:]
                ends = [i for i in range(begin + 1, len(theirs)) if theirs[i].lower() in JOINTS] + [len(theirs)]
                rest = [i for i in range(at + 1, len(tokens)) if tokens[i].lower() in JOINTS] + [len(tokens)]
                return tokens[:at] + theirs[begin:self.random.choice(ends)] + tokens[self.random.choice(rest):]
        return tokens

    def with_their_parentheses(self, tokens):
        theirs = self.other()
        ours, others = spans(tokens), spans(theirs)
        if not ours or not others:
            return tokens
        (begin, end), (first, last) = self.random.choice(ours), self.random.choice(others)
        return tokens[:begin] + theirs[first:last + 1] + tokens[end + 1:]

    def with_their_word(self, tokens):
        theirs = self.other()
        if not tokens or not theirs:
            return tokens
        at = self.random.randrange(len(tokens))
        kind = tokens[at][0].isalpha(), tokens[at][0].isdigit(), tokens[at][0] == "'"
        same = [token for token in theirs if (token[0].isalpha(), token[0].isdigit(), token[0] == "'") == kind]
        return tokens[:at] + [self.random.choice(same)] + tokens[at + 1:] if same else tokens

    def with_literal(self, tokens):
        places = [at for at, token in enumerate(tokens) if token[0].isdigit() or token[0] == "'" or token.lower() == "null"]
        if not places:
            return tokens
        at = self.random.choice(places)
        return tokens[:at] + [self.random.choice(LITERALS)] + tokens[at + 1:]

    def without_some(self, tokens):
        found = spans(tokens)
        if found and self.random.random() < 0.4:
            begin, end = self.random.choice(found)
            return tokens[:begin] + tokens[end + 1:] if self.random.random() < 0.5 else tokens[:begin] + tokens[begin + 1:end] + tokens[end + 1:]
        at = self.random.randrange(len(tokens) + 1)
        return tokens[:at] + tokens[at + self.random.choice([1, 1, 2, 3]):]

    def twice(self, tokens):
        begin = self.random.randrange(len(tokens) + 1)
        end = min(len(tokens), begin + self.random.choice([1, 2, 3, 5, 8]))
        return tokens[:end] + self.random.choice([[], [","], ["and"], ["union", "all"]]) + tokens[begin:end] + tokens[end:]

    def changed(self, sql):
        tokens = tokens_of(sql)
        for _ in range(self.random.choice([1, 1, 1, 2, 2, 3])):
            change = self.random.choice([self.joined, self.joined, self.joined, self.with_their_parentheses, self.with_their_parentheses,
                                         self.with_their_word, self.with_their_word, self.with_literal, self.without_some, self.twice])
            tokens = change(tokens)
        sql = " ".join(tokens)
        return self.wrapped(sql) if self.random.random() < 0.15 else sql

    def wrapped(self, sql):
        return self.random.choice([
            "EXPLAIN %s", "EXPLAIN (ANALYZE, VERBOSE, FORMAT json) %s", "PREPARE fuzz AS %s", "DECLARE fuzz CURSOR WITH HOLD FOR %s",
            "COPY (%s) TO STDOUT", "CREATE OR REPLACE VIEW fuzz_view AS %s", "CREATE TABLE fuzz_table AS %s", "SELECT * FROM (%s) s",
            "WITH fuzz AS (%s) TABLE fuzz", "WITH RECURSIVE fuzz AS (%s UNION ALL TABLE fuzz) TABLE fuzz LIMIT 3", "SELECT ARRAY(%s)",
            "CREATE OR REPLACE FUNCTION fuzz_function() RETURNS SETOF record LANGUAGE sql AS $fuzz$ %s $fuzz$",
            "CREATE OR REPLACE FUNCTION fuzz_atomic() RETURNS void LANGUAGE sql BEGIN ATOMIC %s; END", "SELECT 1 WHERE EXISTS (%s)",
            "INSERT INTO fuzz_table %s", "SELECT pg_get_viewdef('fuzz_view'::regclass), (%s)", "BEGIN; %s; COMMIT", "BEGIN; %s; ROLLBACK"]) % sql

    def run(self, server, until):
        with server.wait_connect("main") as session:
            session.run("DROP DATABASE IF EXISTS fuzz")
            session.run("CREATE DATABASE fuzz")
        connection = None
        for sql in self.statements:
            copies = self.random.choice([0, 2, 4, 8])
            for text in [sql] + [self.changed(sql) for _ in range(copies)]:
                if SPARED.search(text) or "\0" in text or time.monotonic() > until:
                    continue
                if connection is None or connection.closed:
                    connection = psycopg2.connect(server.url("main", database="fuzz"))
                    connection.autocommit = True
                    self.send(connection, "SET statement_timeout = '3s'; SET lock_timeout = '1s'; SET idle_in_transaction_session_timeout = 0")
                self.send(connection, text)
        if connection is not None:
            connection.close()

    def send(self, connection, sql):
        self.sent.append(sql)
        with connection.cursor() as cursor:
            try:
                cursor.execute(sql)
            except (psycopg2.Error, UnicodeError) as error:
                if "can't adapt" not in str(error) and "COPY" in str(error) and not connection.closed:
                    connection.close()  # psycopg2 leaves the COPY as it is.


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", type=int, help="only this one")
    parser.add_argument("--keep-going", action="store_true", help="after the server has ended, with a new one")
    options = parser.parse_args()
    files = sorted(glob.glob(os.path.join(HERE, "../sql/*.slt")) + glob.glob(os.path.join(HERE, "../sql/messages/*.sql")))
    corpus = [statements for statements in map(statements_of, files) if statements]
    number, sent, failures = options.script or 0, 0, 0
    end = time.monotonic() + options.seconds
    server = None
    try:
        while time.monotonic() < end or options.script is not None:
            server = server or Cluster(name="fuzz-statements", profile="virtual+app", shards=2).start()
            script = Script(corpus, options.seed, number)
            fault = None
            try:
                script.run(server, float("inf") if options.script is not None else end)
            except (psycopg2.Error, AssertionError) as error:
                fault = str(error)
            sent += len(script.sent)
            if options.script is not None:
                print("\n".join(sql + ";" for sql in script.sent))
            if not server.running():
                failures += 1
                print("script %d of seed %d: the server has ended:\n%s\nlast it was sent:" % (number, options.seed, server.output()))
                for sql in script.sent[-4:]:
                    print("  " + sql[:2000].replace("\n", " "))
                sys.stdout.flush()
                server.destroy()
                server = None
            elif fault is not None:
                print("script %d of seed %d: %s" % (number, options.seed, fault))
            number += 1
            if options.script is not None or (failures > 0 and not options.keep_going):
                break
    finally:
        if server is not None:
            server.destroy()
    print("%d statements in %d scripts from seed %d" % (sent, number - (options.script or 0), options.seed))
    sys.exit(1 if failures > 0 else 0)


if __name__ == "__main__":
    main()
