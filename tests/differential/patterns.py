#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random regular expressions and texts, against PostgreSQL 15.

  tests/differential/patterns.py --seed 7 --seconds 60 DSN POSTGRESQL_DSN

Prints each pattern of which any text is matched, shared out among groups, replaced or split otherwise, and ends with 1 then.
PostgreSQL looks for no match at the very end of a text once one that ends before it has failed for its references: such are told apart by hand.
"""
import argparse
import random
import sys
import time

import psycopg2

QUERY = """SELECT array_agg(row(t ~ p, regexp_match(t, p, f), substring(t from p), regexp_replace(t, p, '<\\&|\\1>', f || 'g'),
  regexp_split_to_array(t, p, f), regexp_count(t, p, 1, f), regexp_instr(t, p, 1, 2, 1, f), regexp_replace(t, p, '#'))::text)
  FROM (SELECT unnest(%s::text[]) t, %s::text p, %s::text f) s"""


class Patterns:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *items):
        return self.random.choice(items)

    def atom(self, depth):
        which = self.random.random()
        if depth > 0 and which < .30:
            return self.pick("(%s)", "(%s)", "(?:%s)") % self.regex(depth - 1)
        if which < .325:
            return "\\" + self.pick("1", "1", "2", "3")
        if which < .42:
            return self.pick("^", "$", "\\m", "\\M", "\\y", "\\Y", "\\A", "\\Z")
        if depth > 0 and which < .46:
            return self.pick("(?=%s)", "(?!%s)", "(?<=%s)", "(?<!%s)") % self.regex(depth - 1)
        if which < .52:
            return self.pick(".", "\\w", "\\d", "\\s", "\\W", "\\D", "[[:alpha:]]")
        if which < .60:
            return self.pick("[ab]", "[^a]", "[a-c]", "[^ab]", "[b-]", "[]a]", "[A-B]", "[\\w-]", "[^\\n]", "[a\\d]")
        return self.pick(*"aabbcaabbcaabbcaabbcA1 é\n")

    def piece(self, depth):
        atom = self.atom(depth)
        if self.random.random() >= .35:
            return atom
        atom += self.pick("*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "{1}", "{1,1}", "{0}", "{3}", "{0,2}")
        return atom + ("?" if self.random.random() < .35 else "")

    def branch(self, depth):
        return "".join(self.piece(depth) for _ in range(self.pick(0, 1, 1, 2, 2, 3, 3, 4)))

    def regex(self, depth):
        return "|".join(self.branch(depth) for _ in range(self.pick(1, 1, 1, 2, 2, 3)))

    def text(self):
        return "".join(self.pick(*"aaabbbccAB1 é\n") for _ in range(self.pick(0, 1, 2, 4, 6, 8, 12, 20)))

    def flags(self):
        return self.pick("", "", "", "i", "n", "p", "w", "ni")


def answer(connection, arguments):
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY, arguments)
            return cursor.fetchone()[0]
    except psycopg2.Error as error:
        return [error.pgcode, str(error).split("\n")[0]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("dsn", nargs=2)
    options = parser.parse_args()
    patterns, servers = Patterns(options.seed), []
    for dsn in options.dsn:
        servers.append(psycopg2.connect(dsn))
        servers[-1].autocommit = True
        with servers[-1].cursor() as cursor:
            cursor.execute("SET statement_timeout = '3s'")
    end, count, refused, different = time.monotonic() + options.seconds, 0, 0, 0
    while time.monotonic() < end:
        texts, pattern, flags = [patterns.text() for _ in range(4)], patterns.regex(3), patterns.flags()
        ours, theirs = (answer(server, (texts, pattern, flags)) for server in servers)
        count += 1
        refused += theirs[0] == "2201B"
        if ours == theirs or theirs[0] == "57014":
            continue
        different += 1
        print("pattern %r, flags %r" % (pattern, flags))
        for text, our, their in zip(texts, ours, theirs):
            if our != their:
                print("  text %r\n  ours       %s\n  PostgreSQL %s" % (text, our, their))
    print("%d patterns, %d of them refused, %d different" % (count, refused, different))
    sys.exit(1 if different > 0 else 0)


if __name__ == "__main__":
    main()
