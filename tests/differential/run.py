#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random statements against Isopod and PostgreSQL 15: same rows, same types, same SQLSTATE.

    tests/differential/run.py [--seed N] [--seconds S | --seeds N] [--statements N] [--part PART] [--keep-going]

A seed makes a schema, data and statements; both servers get the same ones. It also chooses what is compared: queries and
changes (generate.py, queries.py, deep.py, shop.py, kinds.py), calls of routines, operators and casts (routines.py), sessions of DDL, transactions and
cursors (scripts.py, objects.py, transactions.py, plans.py), prepared statements over the protocol (wire.py), or whole sessions message by message (pipeline.py). A difference is made smaller
as long as it stays one, and printed. The exit code is 1 when there was one.
$ISOPOD names the program; PostgreSQL is a private one in a temporary folder.
"""
import argparse
import glob
import io
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
from census import Census  # noqa: E402
from deep import TYPES, Deep  # noqa: E402
from generate import Generator, smaller  # noqa: E402
from kinds import Kinds  # noqa: E402
from objects import Objects  # noqa: E402
from pipeline import SETUP, Pipeline, answers, same  # noqa: E402
from plans import Plans  # noqa: E402
from queries import Wide  # noqa: E402
from routines import Catalog, Routines  # noqa: E402
from scripts import Scripts  # noqa: E402
from shop import Shop  # noqa: E402
from transactions import Transactions  # noqa: E402
from wire import Wire, WirePart  # noqa: E402

# What is meant to differ, with the reason: (SQLSTATE or text of one side, reason).
MEANT = [
    ("XX000", "an internal error of PostgreSQL's"),
    ("FULL JOIN is only supported with merge-joinable or hash-joinable join conditions", "FULL JOIN is answered whatever its condition"),
]
# Statements whose answers are each server's own, with the reason.
OWN = [
    (re.compile(r"pg_column_size"), "values are stored in another form"),
    (re.compile(r"make_interval\("), "PostgreSQL 15 lets the months wrap around"),
    (re.compile(r"294276"), "PostgreSQL lets differences of times wrap around"),
    (re.compile(r"to_number|to_date|to_timestamp"), "templates that do not fit their text"),
    (re.compile(r"#>>? .*\"a\": 2|\"a\": 2.*#>"), "of an object's two equal keys in json, which one a path takes"),
    (re.compile(r"::inet - .*-9223372036854775808|timezone.*36:00"), "oddities of PostgreSQL 15"),
    (re.compile(r"similar_(to_)?escape"), "SIMILAR TO has patterns of its own form"),
    (re.compile(r"(timezone|timestamptz).*'-1.5'|16777217.*to_char|to_char.*16777217|interval (day|year)|(round|trunc)\(.*2147483647"), "oddities of PostgreSQL 15, and its limit of 2000 digits"),
    (re.compile(r"width_bucket\(.*1e308"), "PostgreSQL multiplies floats beyond their range, and takes infinity for a bucket's number"),
    (re.compile(r"'[^']*' @@ '"), "full-text search"),
    (re.compile(r"(RECURSIVE|upper|lower|initcap).*convert_from"), "PostgreSQL gives what convert_from makes the collation of the encoding's name"),
    (re.compile(r"''::\"char\".*bpchar"), "PostgreSQL makes a text that begins with a zero byte"),
    (re.compile(r"abbrev\(.*:.*::cidr"), "networks of IPv6 are not shortened further"),
    (re.compile(r"right.*-2147483648"), "PostgreSQL lets the count wrap around"),
    (re.compile(r"acldefault|makeaclitem|_to_tsvector|to_tsquery|postgresql_fdw"), "full-text search, foreign data, lists of privileges"),
    (re.compile(r"keyvalue\(\)"), "the id of an object is where it stands in the stored value, whose form is another"),
    (re.compile(r"pg_typeof\((p|w|ps|value|column|(\w+\.)?(total|mail))\)"), "values that are read from a domain's column are of the type beneath it"),
    (re.compile(r"populate_record\(NULL::da"), "domains of a table's columns are checked when rows are stored"),
    (re.compile(r"'[^'\"]*\\[^']*'::jsonpath"), "PostgreSQL takes a word with an escape in it for a key word of jsonpath"),
    (re.compile(r"'\{[^']*,-?infinity\}'(?!::).*timestamp|timestamp.*'\{[^']*,-?infinity\}'(?!::)"), "PostgreSQL passes over what stands before infinity in the text of a time"),
    (re.compile(r"(first|last|nth)_value\(.* ROWS BETWEEN (\d+ PRECEDING AND \d+ PRECEDING|\d+ FOLLOWING AND \d+ FOLLOWING) EXCLUDE TIES"), "of a frame with the row's ties at its end, but without the row, PostgreSQL has nothing to give"),
    (re.compile(r"to_record(set)?\("), "PostgreSQL tells before it evaluates that the columns are not known"),
]
# Of a text that is no value of its type, which rule it breaks first is open.
MALFORMED_TIME = {"22007", "22008", "22009", "22015", "22023", "22P02", "22003"}
# Binary values that are cut short: PostgreSQL calls some of them a breach of the protocol.
MALFORMED_BINARY = {"08P01", "22P03", "54000", "22P02", "22007", "42804"}
# Errors of evaluation depend on which rows and which operand a plan evaluates first.
EVALUATION = {"22000", "2202E", "22038", "2203C", "2201G", "22004", "22026", "22003", "22007", "22008", "22012", "22P02", "22023", "22001", "2201E", "2201F", "22011", "21000", "2201B", "22P05", "22021", "54000",
              "22030", "22031", "22033", "22034", "22035", "22036", "22037", "22039", "2203A", "2203B", "2203D", "2203E", "2203F", "2203G"}


# A condition that no plan can compute, for it has a function that is not immutable, and something behind it.
PLANNED_FIRST = re.compile(r"\) ([<>]=?|<>|=) \(?ROW\(|(to_jsonb?|jsonb?_build_\w+|concat(_ws)?|to_char|date_trunc|format|timestamptz|quote_\w+)\b.*\b(AND|OR|THEN|ELSE|COALESCE)\b|COALESCE.*(to_jsonb?|to_char|timestamptz|pg_typeof)")
# Functions and casts (of arrays from and to text) that are not immutable: what stands beside them may be constant and computed before them, when PostgreSQL plans.
NOT_IMMUTABLE = re.compile(r"\b(pg_typeof|to_jsonb?|jsonb?_build_\w+|row_to_json|array_to_json|concat(_ws)?|to_char|date_trunc|format|timestamptz|quote_\w+)\b|\[\]::text\b|\)::\w+\[\]")
# Errors of values that PostgreSQL calls features that are not there.
VALUE_REFUSED = re.compile(r'^(ERROR:  )?(unit "\w+" not supported for type|cannot convert (NaN|infinity) to |searching for elements in multidimensional arrays)')
# Texts that are read as times, or as ranges of them, and names of zones.
READ = re.compile(r"'::(date|time|timetz|timestamp|timestamptz|interval|(ts|tstz|date)(multi)?range)\b|AS (date|time|interval)")
ZONE = re.compile(r"timezone\(|AT TIME ZONE|date_trunc\(|make_timestamptz\(")
# Errors of values on both sides.
RUNTIME = re.compile(r"(22|0A|54|21)... against (22|0A|54|21)...")
REFUSED = "refused by name"
NUMERIC_OID = 1700
FLOAT8_OID = 701
INTERVAL_OID = 1186
JSON_OIDS = (114, 3802)
NUMRANGE_OIDS = (3906, 3907, 4532, 6151)
SCALED_OIDS = (NUMERIC_OID, 700, FLOAT8_OID) + JSON_OIDS + NUMRANGE_OIDS
MINIMIZE_SECONDS = 12


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
                if sql.startswith("COPY "):
                    return self.copy(cursor, sql)
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

    @staticmethod
    def copy(cursor, sql):
        """COPY with its data behind a semicolon, or with the lines that it writes."""
        command, _, data = sql.partition(";\n")
        file = io.BytesIO(data.encode())
        cursor.copy_expert(command, file)
        if " FROM STDIN" in command:
            return "done", cursor.rowcount
        return "rows", (), [(line,) for line in file.getvalue().decode().split("\n")]

    def type_name(self, oid):
        """Users' types by name: their ids are each server's own. Arrays of a domain are described as arrays of what is
        beneath it here (sql/README.md)."""
        if oid < 16384:
            return oid
        if oid not in self.names:
            with self.raw.cursor() as cursor:
                cursor.execute("SELECT format_type(t.oid, NULL), b.typarray FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typtype = 'd' LEFT JOIN pg_type b ON b.oid = e.typbasetype "
                               "WHERE t.oid = %d" % oid)
                name, beneath = cursor.fetchone()
                self.names[oid] = int(beneath) if beneath is not None else name
        return self.names[oid]

    def drop(self):
        """Once it has recovered: PostgreSQL is known to crash."""
        self.raw.close()
        wait_until(self.dropped, "a server to answer")

    def dropped(self):
        self.admin("DROP DATABASE IF EXISTS " + self.name)
        return True


class ServerLost(Exception):
    pass


def ordered(sql):
    # PostgreSQL 15 takes keys that a join, a query in FROM or a condition makes equal, or constant, for that where grouping sets make one of them NULL.
    if ("JOIN" in sql or "FROM (SELECT" in sql or " = " in sql) and re.search("ROLLUP|CUBE|GROUPING SETS", sql):
        return False
    return bool(re.search(r" ORDER BY [0-9, A-Z]+( LIMIT \d+)?( OFFSET \d+)?( FETCH FIRST \d+ ROWS WITH TIES)?$", sql))


def difference(sql, theirs, ours, strict=False):
    """What differs, in a word, or None. `strict`: every part of it is evaluated whatever the plan."""
    if ours[0] == "error" and ours[1] in ("XX000", "XX001", None):
        return "internal error"
    if theirs[0] == "error" and any(meant in theirs[1:] for meant, _ in MEANT):
        return None
    if any(pattern.search(sql) for pattern, _ in OWN):
        return None
    if ours[0] == "error" and ours[1] == "0A000" and theirs[1] != "0A000":
        return REFUSED
    # COPY into a table with a domain that is NOT NULL leaves a column that it does not name unchecked in PostgreSQL: the
    # rows of both are others from here on.
    if sql.startswith("COPY ") and theirs[0] == "done" and ours[1] == "23502" and ours[2].startswith("domain "):
        return REFUSED
    # Functions in FROM become a part of the query in PostgreSQL: that a table of theirs is gone, or another, is told without a call.
    if theirs[1] in ("42P01", "42P13") and ours[0] == "rows" and re.search(r"\b(rows_of|f|g)\(|EXECUTE|FROM w\b", sql):
        return None
    # PostgreSQL makes constants values of their domain when it plans, be there a row for them or not.
    if theirs[1] == "23514" and "value for domain" in theirs[2] and ours in (("done", 0), ("rows", ours[1], [])):
        return None
    if theirs[0] != ours[0]:
        errors = [side for side in (theirs, ours) if side[0] == "error"]
        if (errors[0][1] in EVALUATION or VALUE_REFUSED.match(errors[0][2])) and (" FROM " in sql or sql.startswith("UPDATE") or " ON CONFLICT " in sql) and not strict:
            return None
        if "57014" in (theirs[1], ours[1]):
            return "timeout" if ours[1] == "57014" and theirs[1] != "57014" else None
        return "%s against %s" % (theirs[0] if theirs[0] != "error" else theirs[1], ours[0] if ours[0] != "error" else ours[1])
    if theirs[0] == "error":
        if theirs[1] in MALFORMED_TIME and ours[1] in MALFORMED_TIME:
            return None
        if theirs[1][:2] == "42" and ours[1] == "428C9":
            return None  # Two things are wrong: that a column is generated PostgreSQL tells when all the rest is in order.
        if " WINDOW w AS " in sql and theirs[1][:2] == ours[1][:2] == "42":
            return None  # Likewise: PostgreSQL looks at what WINDOW defines after all that uses it.
        if sql.startswith("COPY ") and "23505" in (theirs[1], ours[1]):
            return None  # Keys are looked at when rows are written, many at a time: another row's fault may be met before.
        if theirs[1] in EVALUATION and ours[1] in ("23502", "23514", "23505"):
            return None  # Constants are evaluated when PostgreSQL plans, before there is a row.
        if theirs[1] == ours[1] or (theirs[1] in EVALUATION and ours[1] in EVALUATION and " FROM " in sql):
            return None
        if (theirs[1] in EVALUATION or VALUE_REFUSED.match(theirs[2])) and ours[1] in EVALUATION and ("convert_to(" in sql or "convert_from(" in sql):
            return None  # These are stable: what is immutable is evaluated before them, when PostgreSQL plans.
        return "%s against %s" % (theirs[1], ours[1])
    if theirs[0] == "done":
        return None if theirs[1] == ours[1] else "count"
    if theirs[1] != ours[1]:
        return "types"
    if len(theirs[2]) != len(ours[2]):
        return "rows"
    if same_rows(sql, theirs[2], ours[2]):
        return None
    # Among rows that are equal in all columns, each window may take another for the first: columns are compared by themselves.
    if sql.count(" OVER (") > 1 and all(sorted(map(repr, a)) == sorted(map(repr, b)) for a, b in zip(zip(*theirs[2]), zip(*ours[2]))):
        return None
    # The last digits of what floats add up to depend on the order of the rows, which here is that of keys, there that of time;
    # of products that cancel each other nothing else is left.
    cancels = re.search(r"regr_s|regr_intercept|covar_|corr\(", sql)
    if re.search(r"regr_|covar_|corr|(sum|avg|stddev\w*|variance|var_\w+)\(", sql) and FLOAT8_OID in theirs[1] and same_rows(sql, without_last_digits(theirs, cancels), without_last_digits(ours, cancels)):
        return None
    # 1.0 and 1.00, 0 and -0 are equal: which of them stands for a group, or comes first, is open.
    scales = not set(SCALED_OIDS).isdisjoint(theirs[1]) and re.search(r"min|max|DISTINCT|GROUP|UNION|INTERSECT|EXCEPT|ORDER|GREATEST|LEAST", sql)
    if scales and same_rows(sql, without_scale(theirs), without_scale(ours)):
        return None
    # Of equal intervals ('1 day', '24:00:00') either may come first, and PostgreSQL shows those of the side of INTERSECT that it
    # expects to be smaller.
    if ("INTERSECT" in sql or ordered(sql)) and INTERVAL_OID in theirs[1] and same_rows(sql, without_spelling(theirs), without_spelling(ours)):
        return None
    return "rows"


def same_rows(sql, theirs, ours):
    key = lambda row: tuple((value is None, value or "") for value in row)
    return theirs == ours if ordered(sql) else sorted(theirs, key=key) == sorted(ours, key=key)


def without_last_digits(answer, cancels):
    def one(value):
        number = float(value)
        return "0" if cancels and abs(number) < 1e-4 else "%.*g" % (6 if cancels else 12, number)  # Of products up to 1e12.
    return [tuple(one(value) if kind == FLOAT8_OID and value is not None else value for kind, value in zip(answer[1], row)) for row in answer[2]]


def without_spelling(answer):
    """Intervals as the microseconds that they compare by."""
    def one(kind, value):
        if kind != INTERVAL_OID or value is None:
            return value
        units = {"year": 360 * 86400, "mon": 30 * 86400, "day": 86400}
        seconds = sum(int(count) * units[unit] for count, unit in re.findall(r"([-+]?\d+) (year|mon|day)", value))
        clock = re.search(r"([-+]?)(\d+):(\d+):(\d+)(?:\.(\d+))?$", value)
        micros = 0
        if clock:
            sign, hours, minutes, whole, part = clock.groups()
            micros = ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1000000 + int((part or "0").ljust(6, "0"))
            micros = -micros if sign == "-" else micros
        return str(seconds * 1000000 + micros)
    return [tuple(one(kind, value) for kind, value in zip(answer[1], row)) for row in answer[2]]


def without_scale(answer):
    def one(kind, value):
        if kind not in SCALED_OIDS or value is None:
            return value
        if kind in JSON_OIDS or kind in NUMRANGE_OIDS:
            return re.sub(r"\d+\.\d+", lambda found: found.group().rstrip("0").rstrip("."), value)
        return "0" if value == "-0" else re.sub(r"\.?0+$", "", value) if kind == NUMERIC_OID and "." in value else value
    return [tuple(one(kind, value) for kind, value in zip(answer[1], row)) for row in answer[2]]


CENSUS = Census()


class Comparison:
    only = None  # A generator for every seed.

    def __init__(self, postgres_dsn, isopod_dsn, seed, statements):
        self.seed, self.statements = seed, statements
        self.generator = (Comparison.only or (Generator, Deep, Wide, Shop, Kinds)[seed // len(PARTS) % 5])(seed)
        self.sides = (Side(postgres_dsn, seed), Side(isopod_dsn, seed))
        self.history, self.found, self.compared, self.failed, self.refused = [], [], 0, 0, {}

    def both(self, sql):
        return self.sides[0].answer(sql), self.sides[1].answer(sql)

    def probe(self, sql, changes, strict=False):
        """The difference of a statement that leaves no trace."""
        if changes:
            for side in self.sides:
                side.answer("BEGIN")
        try:
            theirs, ours = self.both(sql)
            self.apart = (theirs[0] == "error") != (ours[0] == "error")
            return difference(sql, theirs, ours, strict)
        finally:
            if changes:
                for side in self.sides:
                    side.answer("ROLLBACK")

    def patiently(self, sql, changes, strict):
        """The machine may have had other things to do: once more with more time."""
        for side in self.sides:
            side.answer("SET statement_timeout = '60s'")
        try:
            return self.probe(sql, changes, strict)
        finally:
            for side in self.sides:
                side.answer("SET statement_timeout = '3s'")

    def minimize(self, tree, kind, changes):
        strict = getattr(tree, "strict", False)
        tries = 0
        end = time.monotonic() + MINIMIZE_SECONDS
        again = kind != "timeout"
        while again and tries < 400 and time.monotonic() < end:
            again = False
            for less in smaller(tree):
                tries += 1
                if len(less.sql()) < len(tree.sql()) and not (strict and "NULL::" in less.sql()) and self.probe(less.sql(), changes, strict) == kind:
                    tree, again = less, True
                    break
                if tries >= 400 or time.monotonic() >= end:
                    break
        return tree

    def has_null(self, tree):
        """Whether a part of it is a constant and NULL: what is computed from it PostgreSQL drops when it plans, errors and all."""
        parts = {below.sql() for below in tree.walk() if below.kind in TYPES and below is not tree}
        parts = [part for part in parts if not re.search(r"\b[tuw]\.", part)]
        return any(self.sides[0].answer("SELECT (%s) IS NULL" % part)[2:] == ([("t",)],) for part in parts)

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
            if changes and kind is None and self.apart:
                continue  # Left out, and only one of them would have other rows from here on.
            theirs, ours = self.both(sql) if kind is None else (None, None)
            kind = kind or difference(sql, theirs, ours, getattr(tree, "strict", False))
            if kind == "timeout":
                kind = self.patiently(sql, changes, getattr(tree, "strict", False))
            self.compared += 1
            CENSUS.count(sql)
            self.failed += theirs is not None and theirs[0] == "error"
            if kind is not None and isinstance(self.generator, Deep) and RUNTIME.fullmatch(kind) and (" t" in sql or "(SELECT " in sql or NOT_IMMUTABLE.search(sql)):
                continue  # Of many rows' operands that will not do, or of what is computed at plan time, which is told first is open.
            if theirs is not None and theirs[0] == "error" and ours[0] == "rows" and theirs[1] in EVALUATION and " FROM " not in sql and PLANNED_FIRST.search(sql):
                continue  # What is constant PostgreSQL computes when it plans, though a condition before it would have passed it over.
            if theirs is not None and theirs[0] == "error" and ours[0] == "rows" and (theirs[1] in EVALUATION or theirs[1] == "0A000") and re.search(r"ROW\(NULL::\w+.*[<>]=? ROW\(", sql):
                continue  # A row that begins with NULL is not compared with the other one's first field, which is not computed.
            if kind is not None and isinstance(self.generator, Deep) and theirs is None and kind.startswith("rows against") and "NULL::" in sql:
                continue  # As below.
            if kind is not None and isinstance(self.generator, Deep) and kind.startswith("rows against") and " FROM t" not in sql and any(all(row[at] is None for row in theirs[2]) for at in range(len(theirs[1]) if theirs else 0)):
                continue  # Of a constant NULL, PostgreSQL looks at nothing else.
            if kind is not None and isinstance(self.generator, Deep) and re.match("rows against (22|21|54)", kind) and self.has_null(tree):
                continue  # Likewise, in the middle of the statement.
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


class Calls:
    """Routines, operators and casts: single statements that leave nothing behind."""

    catalog = None

    def __init__(self, postgres_dsn, isopod_dsn, seed, statements):
        self.seed, self.statements = seed, statements * 4
        self.sides = (Side(postgres_dsn, seed), Side(isopod_dsn, seed))
        if Calls.catalog is None:
            Calls.catalog = Catalog(lambda sql: (lambda answer: answer[2] if answer[0] == "rows" else [])(self.sides[0].answer(sql)))
        self.found, self.compared, self.failed, self.refused = [], 0, 0, {}

    def run(self):
        routines = Routines(self.seed, Calls.catalog)
        for _ in range(self.statements):
            sql = routines.statement().sql()
            theirs, ours = self.sides[0].answer(sql), self.sides[1].answer(sql)
            kind = difference(sql, theirs, ours)
            self.compared += 1
            CENSUS.count(sql)
            self.failed += theirs[0] == "error"
            if kind is None:
                continue
            if theirs[0] == "rows" and (ours[1] in ("22007", "22023") and READ.search(sql) or ours[1] == "22023" and ZONE.search(sql) or ("inet" in sql or "cidr" in sql) and ours[1] == "22P02"):
                continue  # PostgreSQL takes many texts for dates, times, zones (of a week) and addresses that are none.
            if kind == REFUSED or (ours[0] == "error" and ours[1] == "42883") or theirs[1] == "42725":
                # What is not there; and what is one of several for PostgreSQL because of what is not there.
                self.refused[ours[2] if kind == REFUSED else "functions and operators"] = self.refused.get(ours[2] if kind == REFUSED else "functions and operators", 0) + 1
                continue
            self.found.append((sql, kind))
            report(self.seed, kind, [sql], theirs, ours)
        for side in self.sides:
            side.drop()


def fewest(steps, outcome, again):
    """Leaves out what can be while the last step differs as it did: again(steps, number of the try) is that outcome, or None."""
    end, count, size = time.monotonic() + MINIMIZE_SECONDS, 1, (len(steps) - 1) // 2
    while size > 0 and time.monotonic() < end:
        at = 0
        while at < len(steps) - 1 and time.monotonic() < end:
            less = steps[:at] + steps[min(at + size, len(steps) - 1):]
            other = again(less, count)
            count += 1
            if other is not None:
                steps, outcome = less, other
            else:
                at += size
        size //= 2
    return steps, outcome


class Sessions:
    """Scripts of DDL, transactions, cursors and changes: the first difference ends one."""

    only = None  # Scripts for every seed.

    def __init__(self, postgres_dsn, isopod_dsn, seed, statements):
        self.seed, self.statements, self.dsns = seed, statements, (postgres_dsn, isopod_dsn)
        self.found, self.compared, self.failed, self.refused = [], 0, 0, {}

    def play(self, statements, count):
        """Where the two differ first: (index, kind, theirs, ours), or None."""
        sides = [Side(dsn, self.seed * 1000 + count) for dsn in self.dsns]
        renamed = altered = False
        try:
            for index, sql in enumerate(statements):
                theirs, ours = [side.answer(sql) for side in sides]
                altered = sides[0].raw.get_transaction_status() != 0 and (altered or sql.startswith("ALTER TABLE"))
                kind = self.differs(sql, theirs, ours, altered)
                # What an open transaction has done to an enum's labels is seen once it has committed (sql/README.md).
                renamed = sides[0].raw.get_transaction_status() != 0 and (renamed or sql.startswith("ALTER TYPE") and " VALUE " in sql)
                kind = REFUSED if kind is not None and renamed else kind
                if kind is not None:
                    return index, kind, theirs, ours
                if sides[0].raw.get_transaction_status() != sides[1].raw.get_transaction_status():
                    return None  # What is meant to differ has ended one's transaction only.
                if theirs[0] == "error" and theirs[1] == ours[1]:
                    self.failed += 1
            return None
        finally:
            for side in sides:
                side.answer("ROLLBACK")
                side.drop()

    @staticmethod
    def differs(sql, theirs, ours, altered=False):
        kind = difference(sql, theirs, ours)
        if kind is not None and sql.startswith("UPDATE") and "23505" in (theirs[1], ours[1]):
            return REFUSED  # Keys are looked at row by row, there in the order of time, here in that of keys: whether one is free by then is open.
        if ours[0] == "error" and "fa(" in sql and ours[1] == "42P17":
            return REFUSED  # Functions that users make are not for stored expressions (sql/README.md).
        if ours[0] == "error" and ours[1] == "42P17" and "infinite recursion" in ours[2] and theirs[0] == "done":
            return REFUSED  # Told when the view is made, not when it is used.
        if ours[0] == "error" and ours[1] == "42809" and theirs[0] == "done" and (" SET (" in sql or "DEFAULT" in sql):
            return REFUSED  # Storage options of materialized views, defaults of views' columns.
        if sql.startswith("DROP") and "," in sql and theirs[1] == ours[1]:
            return None  # Of one object that is named twice PostgreSQL speaks as of two.
        if theirs[0] == ours[0] == "rows" and "pg_get_functiondef" in sql and re.search("RETURN|BEGIN ATOMIC", theirs[2][0][0] or ""):
            return REFUSED  # Bodies in the form of the standard are shown as they were written, with their names spelled out.
        if theirs[1] in EVALUATION and sql.startswith("EXECUTE") and ours in (("done", 0), ("rows", ours[1], [])):
            return None  # Parameters are constants when PostgreSQL plans, and computed then, be there a row for them or not.
        if theirs[1] == "0A000" and "cached plan" in theirs[2] and ours[0] == "rows" and any(kind in (20, 23, 25, 1700) for kind in ours[1]):
            return REFUSED  # A domain's column became one of the type beneath it: results are of that type here at all times.
        if ours[1] == "42P13" and theirs[0] == "rows" and altered:
            return REFUSED  # What an open transaction has done to a table's columns its row type has once it has committed (sql/README.md).
        keys = re.search(r" ORDER BY 1(, 2)?$", sql)
        count = 0 if keys is None else 2 if keys.group(1) else 1
        if kind == "rows" and count > 0 and [row[:count] for row in theirs[2]] == [row[:count] for row in ours[2]] and sorted(map(repr, theirs[2])) == sorted(map(repr, ours[2])):
            return None  # Of rows with the same keys, which comes first is open.
        if theirs[0] == "error" and "of_row" in sql and ours[0] == "rows" and not ours[2]:
            return None  # PostgreSQL puts a function's body into the statement: what is wrong with it is told though it is called of no row.
        if theirs[1] == "0A000" and "CHECK OPTION" in sql:
            return REFUSED  # A view of which no column can be written takes the option here.
        if theirs[0] == "error" and ours[0] == "done" and "IF NOT EXISTS" in sql:
            return None  # It exists, and something else is wrong: nothing is made either way.
        if theirs[0] == "error" and ours[0] == "error":
            if kind is not None and kind != "internal error":
                return None  # Of several things that are wrong, which is told first is open.
            if theirs[1] == ours[1] == "23514" and sql.startswith("COPY ") and "value for domain" in theirs[2] and "value for domain" in ours[2]:
                return None  # Of two domains in a row, those of the columns that are read are checked there before the defaults of the others.
            if theirs[1] == ours[1] == "23505" and ("), (" in sql or sql.startswith("UPDATE")):
                return None  # Keys are looked at when rows are written, many at a time and in an order of their own: whose fault is told first is open.
            if theirs[1] == ours[1] == "23502" and ours[2].startswith("domain ") and "), (" in sql:
                return None  # Rows' values are computed, many at a time, before the first row is looked at.
            if theirs[1] == ours[1] == "23514" and all("value for domain" in side[2] for side in (theirs, ours)) and ("'{" in sql or "), (" in sql):
                return None  # Constants become values of domains when PostgreSQL parses (arrays) and plans: before other rows' and columns' values.
            if theirs[1] == ours[1] and theirs[1] in ("23503", "23505") and sql.startswith(("COMMIT", "END", "SET CONSTRAINTS")):
                return None  # Keys that wait are remembered there by each statement that touches them, here by the one that breaks them: of which is told is open.
            if kind is None and theirs[1] == ours[1] and theirs[1] in TOLD and theirs[2] != ours[2] and not (sql.startswith("ALTER") and "," in sql):
                return "message"
        return kind

    def run(self):
        statements = (Sessions.only or (Scripts, Objects, Transactions, Plans)[self.seed // len(PARTS) % 4])(self.seed).statements(self.statements)
        answer = self.play(statements, 0)
        self.compared += len(statements) if answer is None else answer[0] + 1
        for sql in statements if answer is None else statements[:answer[0] + 1]:
            CENSUS.count(sql)
        if answer is None:
            return
        index, kind, theirs, ours = answer
        if kind == REFUSED:
            message = ours[2] if ours[0] == "error" else "what this takes and PostgreSQL does not"
            self.refused[message] = self.refused.get(message, 0) + 1
            return
        def again(less, count):
            other = self.play(less, count)
            return other[2:] if other is not None and other[0] == len(less) - 1 and other[1] == kind else None
        statements, sides = fewest(statements[:index + 1], (theirs, ours), again)
        theirs, ours = sides
        self.found.append((statements[-1], kind))
        report(self.seed, kind, statements, theirs, ours)


class Protocol:
    """Prepared statements with text and binary parameters and results."""

    def __init__(self, postgres_dsn, isopod_dsn, seed, statements):
        self.seed, self.statements = seed, statements * 4
        self.sides = (Side(postgres_dsn, seed), Side(isopod_dsn, seed))
        self.found, self.compared, self.failed, self.refused = [], 0, 0, {}

    def connect(self, side):
        parts = dict(part.split("=", 1) for part in side.dsn.split())
        address = parts["host"] + "/.s.PGSQL.5432" if parts["host"].startswith("/") else (parts["host"], int(parts["port"]))
        return Wire(address, parts["user"], side.name)

    def run(self):
        for side in self.sides:
            side.answer("CREATE TABLE wt (a int4)")
        part = WirePart(self.seed, *[self.connect(side) for side in self.sides])
        for _ in range(self.statements):
            arguments, theirs, ours = part.step()
            self.compared += 1
            CENSUS.count(arguments[0])
            codes = [[text for name, text in answer if name == "error"] for answer in (theirs, ours)]
            if all(codes):
                self.failed += 1
                if codes[0] == codes[1] or all(code[0] in MALFORMED_BINARY | MALFORMED_TIME for code in codes):
                    continue
            if codes[1] and codes[1][0] in ("22007", "22023") and 0 in arguments[3] and re.search("::(date|time|interval)", arguments[0]):
                continue  # PostgreSQL takes many texts for dates, times and zones that are none.
            if theirs != ours and (codes[0] or [""])[0] not in MALFORMED_BINARY and (codes[1] or [""])[0] not in MALFORMED_BINARY:
                self.found.append((arguments[0], "messages"))
                report(self.seed, "messages", [repr(arguments)], [m for m in theirs if m not in ours], [m for m in ours if m not in theirs])
        for connection in part.sides:
            connection.socket.close()
        for side in self.sides:
            side.drop()


class Pipelines(Protocol):
    """Sessions message by message: the first difference ends one."""

    def __init__(self, postgres_dsn, isopod_dsn, seed, statements):
        self.seed, self.statements, self.dsns = seed, statements, (postgres_dsn, isopod_dsn)
        self.found, self.compared, self.failed, self.refused = [], 0, 0, {}

    def play(self, batches, count):
        """Where the two differ first: (index, theirs, ours, whether it is meant to), or None."""
        sides = [Side(dsn, self.seed * 1000 + count) for dsn in self.dsns]
        wires = []
        try:
            for side in sides:
                for sql in SETUP:
                    side.answer(sql)
                wires.append(self.connect(side))
            for index, batch in enumerate(batches):
                theirs, ours = [answers(wire, batch) for wire in wires]
                self.failed += any(entry[0] == "error" for entry in theirs)
                alike = same(theirs, ours, [words for words, _ in batch])
                if not alike:
                    return index, theirs, ours, alike is None
            return None
        finally:
            for wire in wires:
                wire.socket.close()
            for side in sides:
                side.drop()

    def run(self):
        batches = Pipeline(self.seed).batches(self.statements // 4)
        found = self.play(batches, 0)
        self.compared += len(batches) if found is None else found[0] + 1
        if found is None or found[3]:
            return
        index, theirs, ours, _ = found
        if any(entry[0] == "error" and entry[2] == "0A000" for entry in ours) and not any(entry[0] == "error" and entry[2] == "0A000" for entry in theirs):
            text = [entry[3] for entry in ours if entry[0] == "error"][0]
            self.refused[text] = self.refused.get(text, 0) + 1
            return
        self.found.append((batches[index][0][0], "messages"))

        def again(less, count):
            lines = []
            for step in less:
                lines[-1:] = [lines[-1] + [step]] if lines and lines[-1][-1][0] != "sync" and not step[0].startswith("query ") else [lines[-1], [step]] if lines else [[step]]
            other = self.play([line if line[-1][0] == "sync" or line[-1][0].startswith("query ") else line + [("sync", b"S\0\0\0\4")] for line in lines], count)
            return other[1:3] if other is not None and other[0] == len(lines) - 1 and not other[3] else None
        steps, sides = fewest([step for batch in batches[:index + 1] for step in batch], (theirs, ours), again)
        report(self.seed, "messages", [words for words, _ in steps], *sides)


# Of these errors the text is compared too: they are what people read.
TOLD = {"2BP01", "42P01", "42P07", "42701", "42704", "42710", "42P06", "3F000", "23502", "23503", "23505", "23514", "25P02", "25P01", "3B001", "34000", "26000", "42P05"}
PARTS = (Comparison, Comparison, Calls, Sessions, Protocol, Pipelines)


def report(seed, kind, statements, theirs, ours):
    print("-- seed %d: %s\n%s;\n  PostgreSQL: %s\n  Isopod:     %s\n" % (seed, kind, ";\n".join(statements), short(theirs), short(ours)), flush=True)


def short(answer):
    text = repr(answer)
    return text if len(text) < 600 else text[:600] + "..."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=0, help="how many; 0: until --seconds have passed")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--statements", type=int, default=60, help="of each seed")
    parser.add_argument("--part", choices=sorted({part.__name__.lower() for part in PARTS}), help="one of the parts; otherwise the seed chooses")
    parser.add_argument("--generator", choices=("generator", "deep", "wide", "shop", "kinds", "scripts", "objects", "transactions", "plans"), help="of the parts comparison and sessions")
    parser.add_argument("--census", action="store_true", help="say how often each kind of statement was drawn")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first 50 differences")
    parser.add_argument("--postgres", help="DSN of a running PostgreSQL 15")
    parser.add_argument("--isopod", help="DSN of a running Isopod")
    options = parser.parse_args()

    Comparison.only = {"generator": Generator, "deep": Deep, "wide": Wide, "shop": Shop, "kinds": Kinds}.get(options.generator)
    Sessions.only = {"scripts": Scripts, "objects": Objects, "transactions": Transactions, "plans": Plans}.get(options.generator)
    postgres = None if options.postgres else Postgres()
    isopod = None if options.isopod else Cluster(name="differential", profile="virtual+app", shards=2).start()
    isopod_dsn = options.isopod or "host=%s port=%d user=root dbname=defaultdb" % (isopod.host, isopod.port)
    end = time.monotonic() + options.seconds
    seed, compared, failed, found, refused = options.seed, 0, 0, 0, {}
    try:
        while (seed < options.seed + options.seeds if options.seeds else time.monotonic() < end):
            part = next(part for part in PARTS if part.__name__.lower() == options.part) if options.part else PARTS[seed % len(PARTS)]
            comparison = part(options.postgres or postgres.dsn, isopod_dsn, seed, options.statements)
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
    except KeyboardInterrupt:
        print("stopped")
    finally:
        if isopod is not None:
            if not isopod.running():
                print(isopod.output())
            isopod.destroy()
        if postgres is not None:
            postgres.stop()
    for message, count in sorted(refused.items(), key=lambda entry: -entry[1]):
        print("%6d refused: %s" % (count, message))
    for line in CENSUS.lines() if options.census else ():
        print(line)
    print("%d seeds, %d statements compared (%d fail in both), %d differences" % (seed - options.seed, compared, failed, found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
