# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions message by message: named statements and portals, limits of rows, errors in the middle of what was sent at once,
transactions and COPY between them, simple queries of several statements, settings that are reported, function calls. All answers are compared, in
their order, up to each ReadyForQuery.
"""
import itertools
import random
import socket
import struct

from wire import Wire, describe

QUERIES = [
    ("SELECT generate_series(1, 5)", 0), ("SELECT g, g::text FROM generate_series(1, 4) g", 0), ("SELECT a, b FROM wt ORDER BY a, b", 0), ("SELECT $1::int4 + 1, $2::text", 2), ("SELECT count(*) FROM wt WHERE a < $1", 1),
    ("INSERT INTO wt (a, b) VALUES ($1, $2)", 2), ("INSERT INTO wt (a, b) SELECT g, 'i' FROM generate_series(1, 3) g RETURNING a, b", 0), ("UPDATE wt SET b = b || $1 WHERE a <= 2 RETURNING a", 1), ("DELETE FROM wt WHERE a = $1", 1), ("SELECT 1/count(*) FROM wt WHERE a > 900", 0), ("SELECT 1/(3 - g) FROM generate_series(1, 5) g", 0),
    ("BEGIN", 0), ("COMMIT", 0), ("ROLLBACK", 0), ("SAVEPOINT s", 0), ("ROLLBACK TO s", 0), ("RELEASE s", 0), ("", 0), ("  -- nothing", 0), ("SELECT 1; SELECT 2", 0), ("SELEC 1", 0), ("SELECT nosuch", 0), ("SELECT * FROM nosuch", 0), ("SET search_path = public", 0), ("SELECT $1", 1), ("SELECT $2::int4", 2),
    ("COPY wt TO STDOUT", 0), ("COPY (SELECT g FROM generate_series(1, 3) g) TO STDOUT (FORMAT csv)", 0), ("COPY wt FROM STDIN", 0), ("DECLARE c CURSOR FOR SELECT generate_series(1, 6)", 0), ("FETCH 2 FROM c", 0), ("MOVE 1 FROM c", 0), ("CLOSE c", 0), 
    ("PREPARE s2 AS SELECT 7", 0), ("EXECUTE s1", 0), ("EXECUTE s2", 0), ("DEALLOCATE s1", 0), ("DEALLOCATE ALL", 0), ("CREATE TABLE wx (x int4)", 0), ("DROP TABLE wx", 0), ("ALTER TABLE wt ADD COLUMN z int4", 0), ("ALTER TABLE wt DROP COLUMN z", 0), ("TABLE wt ORDER BY a, b", 0), ("SELECT * FROM wt ORDER BY a, b", 0), ("TRUNCATE wt", 0), ("VACUUM wp", 0), ("DISCARD ALL", 0),
    ("VALUES (1, 'a'), (2, 'b')", 0), ("SELECT", 0), ("SELECT FROM generate_series(1, 2)", 0), ("SELECT a FROM wt WHERE a = ANY ($1) ORDER BY a", 1), ("WITH x AS (DELETE FROM wt RETURNING a) SELECT count(*) FROM x", 0), ("SELECT a FROM wt ORDER BY a LIMIT $1", 1), ("LOCK TABLE wt", 0), ("START TRANSACTION READ ONLY", 0),
    ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", 0), ("COMMIT AND CHAIN", 0), ("SELECT pg_sleep(0)", 0), ("INSERT INTO wk VALUES ($1)", 1), ("SET CONSTRAINTS ALL IMMEDIATE", 0), ("INSERT INTO wk VALUES (99)", 0),
    ("SET application_name = 'x'", 0), ("SET LOCAL DateStyle = 'German'", 0), ("SET TimeZone = 'Europe/Berlin'", 0), ("RESET ALL", 0), ("SHOW DateStyle", 0), ("SELECT set_config('application_name', $1, false)", 1), ("SET IntervalStyle = 'iso_8601'", 0), ("SET client_encoding = 'LATIN1'", 0), ("SET nosuch = 1", 0),
    ("CREATE DATABASE wx", 0), ("SELECT $1 IS NULL", 1), ("SELECT $1", 0), ("FETCH ALL FROM p1", 0), ("CLOSE p1", 0), ("MOVE 1 IN p2", 0), ("CLOSE ALL", 0), ("DECLARE p2 CURSOR FOR VALUES (1), (2), (3)", 0), ("DECLARE c BINARY CURSOR WITH HOLD FOR SELECT 5", 0), ("SELECT a FROM wt ORDER BY a FOR UPDATE", 0), ("DROP DATABASE nosuch", 0), ("EXECUTE s1 (1)", 0), ("SELECT 'n\u00e4her'", 0),
    ("CREATE INDEX CONCURRENTLY ON wt (a)", 0), ("CREATE INDEX IF NOT EXISTS wi ON wt (a)", 0), ("DISCARD TEMP", 0), ("DISCARD PLANS", 0), ("SELECT array_agg(g) FROM generate_series(1, 3) g", 0), ("ANALYZE wt", 0), ("CALL wn(1)", 0), ("SELECT 1/(2 - a) FROM wt ORDER BY a", 0), ("ROLLBACK AND CHAIN", 0), ("SET TRANSACTION READ ONLY", 0),
]
SIMPLE = ["SELECT 1; SELECT 2, 3", "INSERT INTO wt (a, b) VALUES (50, 'x'); SELECT 1/count(*) FROM wt WHERE a > 900", "BEGIN; INSERT INTO wt (a, b) VALUES (51, 'y')", "INSERT INTO wt (a, b) VALUES (52, 'z'); COMMIT; SELECT 1/count(*) FROM wt WHERE a > 900", ";;", "", "SELECT 1;;", "SELECT 1; SELEC", "SELECT 1; SELECT nosuch; SELECT 2", "BEGIN; SELECT 1/count(*) FROM wt WHERE a > 900; ROLLBACK; SELECT 3", "BEGIN; COMMIT; BEGIN",
          "ROLLBACK; SELECT 4", "SAVEPOINT q; SELECT 1", "SELECT 1; BEGIN; SELECT 1/count(*) FROM wt WHERE a > 900", "INSERT INTO wt (a, b) VALUES (53, 'w'); ROLLBACK; SELECT count(*) FROM wt", "CREATE TABLE wy (a int4); INSERT INTO wy VALUES (1); SELECT * FROM wy; DROP TABLE wy", "SELECT count(*) FROM wt", "SELECT name FROM pg_prepared_statements ORDER BY 1", "SELECT name FROM pg_cursors ORDER BY 1",
          "PREPARE s1 AS SELECT $1::int4", "EXECUTE s1 (4)", "EXECUTE s2", "COPY wt TO STDOUT; SELECT 5", "SELECT 1; VACUUM", "INSERT INTO wk VALUES (77); SELECT 6", "BEGIN; INSERT INTO wk VALUES (78); COMMIT; SELECT 7", "SET LOCAL search_path = nosuch; SELECT current_schema()", "SELECT current_schema(); SET search_path = public", "END", "COMMIT", "ROLLBACK", "DECLARE d CURSOR WITH HOLD FOR SELECT 1; FETCH d", "CLOSE ALL",
          "SET application_name = 'y'; SET application_name = 'z'; SELECT 1", "BEGIN; SET DateStyle = 'SQL'; ROLLBACK", "SET IntervalStyle = 'sql_standard'; SELECT nosuch", "VACUUM; SELECT 1", "CREATE DATABASE wz; SELECT 1", "DISCARD ALL; SELECT 1", "SELECT 1; DISCARD ALL", "COMMIT; VACUUM", "BEGIN; COMMIT; DISCARD ALL", "FETCH 1 FROM c", "FETCH 2 FROM p1",
          "CREATE INDEX CONCURRENTLY ON wt (b); SELECT 1", "SELECT 1; REINDEX DATABASE postgres", "ALTER TABLE wt ALTER a TYPE int8", "ALTER TABLE wt ALTER a TYPE int4", "SET client_encoding = 'UTF8'", "SELECT $1", "LOCK TABLE wt", "SET LOCAL application_name = 'q'; SHOW application_name"]
SETUP = ["CREATE TABLE wt (a int4, b text)", "INSERT INTO wt VALUES (1, 'one'), (2, 'two'), (3, NULL)", "CREATE TABLE wp (x int4 PRIMARY KEY)", "INSERT INTO wp VALUES (1), (2)", "CREATE TABLE wk (x int4 REFERENCES wp DEFERRABLE INITIALLY DEFERRED)"]


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class Pipeline:
    """A seed's batches. One is a list of (what it is, its bytes): messages up to a Sync, or a simple query."""

    def __init__(self, seed):
        self.random = random.Random(seed * 50021 + 9)
        self.parameters = {}
        self.copies = False

    def pick(self, choices):
        return self.random.choice(choices)

    def name(self):
        return self.pick(["", "", "s1", "s2"])

    def portal(self):
        return self.pick(["", "", "", "", "p1", "p1", "p2", "c"] if self.random.random() < 0.3 else ["", "", "", "p1", "p2"])

    def parse(self, name):
        sql, count = self.pick(QUERIES)
        self.parameters[name] = count
        self.copies |= " FROM STDIN" in sql
        types = self.pick([[], [], [23], [25, 25]]) if count else []
        return "parse %s %s %s" % (name, sql, types), message(b"P", b"%s\0%s\0" % (name.encode(), sql.encode()) + struct.pack("!H", len(types)) + b"".join(struct.pack("!I", oid) for oid in types))

    def bind(self, portal, name):
        count = self.parameters.get(name, 0) if self.random.random() < 0.95 else self.random.randint(0, 2)
        values = [self.pick(["1", "2", "x", "{1,2}", "", None, "3"]) for _ in range(count)]
        results = self.pick([[], [], [0], [1], [1, 0]])
        body = b"%s\0%s\0" % (portal.encode(), name.encode()) + struct.pack("!HH", 0, count)
        body += b"".join(struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value.encode() for value in values)
        body += struct.pack("!H", len(results)) + b"".join(struct.pack("!H", code) for code in results)
        return "bind %s %s %r %r" % (portal, name, values, results), message(b"B", body)

    def execute(self, portal):
        """With what a COPY takes: a server that waits for it takes a Sync for nothing. Where none waits it is passed over."""
        limit = self.pick([0, 0, 0, 1, 2])
        words, data = "execute %s %d" % (portal, limit), message(b"E", portal.encode() + b"\0" + struct.pack("!I", limit))
        return (words + " with data", data + self.copy_data()) if self.copies else (words, data)

    def copy_data(self):
        rows = message(b"d", self.pick([b"8\teight\n", b"8\n", b"x\ty\n", b"8\t\\N\n9\tn"]))
        middle = self.pick([b"", b"", message(b"H", b""), message(b"S", b"")])
        return rows + middle + self.pick([message(b"c", b""), message(b"c", b""), message(b"f", b"no more\0")])

    def batch(self):
        if self.random.random() < 0.18:
            sql = self.pick(SIMPLE) if self.random.random() < 0.8 else self.pick([sql for sql, count in QUERIES if count == 0])
            data = message(b"Q", sql.encode() + b"\0")
            if " FROM STDIN" in sql or self.copies and "EXECUTE" in sql:
                data += self.copy_data().replace(message(b"S", b""), b"")
            return [("query " + sql, data)]
        out = []
        for _ in range(self.random.randint(1, 4)):
            draw = self.random.random()
            name, portal = self.name(), self.portal()
            if draw < 0.6:  # As drivers do.
                out.append(self.parse(name))
                if self.random.random() < 0.4:
                    out.append(("describe statement " + name, message(b"D", b"S%s\0" % name.encode())))
                out.append(self.bind(portal, name))
                if self.random.random() < 0.5:
                    out.append(("describe portal " + portal, message(b"D", b"P%s\0" % portal.encode())))
                out += [self.execute(portal) for _ in range(self.pick([1, 1, 1, 2]))]
            elif draw < 0.75:
                out += [self.bind(portal, name), self.execute(portal)]
            elif draw < 0.85:
                out.append(self.execute(portal))
            elif draw < 0.93:
                kind, of = self.pick([(b"S", name), (b"P", portal)])
                out.append(("close %s %s" % (kind.decode(), of), message(b"C", kind + of.encode() + b"\0")))
            elif draw < 0.97:
                kind, of = self.pick([(b"S", name), (b"P", portal)])
                out.append(("describe %s %s" % (kind.decode(), of), message(b"D", kind + of.encode() + b"\0")))
            else:
                out.append(("flush", message(b"H", b"")))
        return out + [("sync", message(b"S", b""))]

    def batches(self, count):
        return [self.batch() for _ in range(count)]


def answers(side, batch):
    out = []
    try:
        side.socket.sendall(b"".join(data for _, data in batch))
        messages = side.until(b"Z")
    except (ConnectionError, socket.timeout) as error:
        return [("lost", type(error).__name__)]
    for kind, body in messages:
        if kind in (b"E", b"N"):
            fields = dict((field[:1].decode(), field[1:].decode()) for field in body.split(b"\0") if field)
            if fields["M"].startswith("VACUUM is not needed"):
                continue  # So much is said here.
            out.append(("error" if kind == b"E" else "notice",) + tuple(fields.get(name, "") for name in "VCMDHP"))
        elif kind == b"T":
            out.append(("row description", describe(body)))
        else:
            out.append((kind.decode(), body))
    return in_one_order(out)


def in_one_order(entries):
    """Settings that are reported together are in no order, nor are a table's rows that COPY gives."""
    out = []
    for kind, together in itertools.groupby(entries, key=lambda entry: entry[0]):
        out += sorted(together) if kind in ("S", "d") else together
    return out


def told(entries):
    """But for the rows of a statement that fails: they go out many at a time."""
    out = []
    for entry in entries:
        while entry[0] == "error" and out and out[-1][0] in ("D", "d"):
            out.pop()
        out.append(entry)
    return out


def same(theirs, ours, words=()):
    """Whether they are (`words`: what was sent); None: what is meant to differ, and sessions are others from here on."""
    if theirs[0][0] == "lost":
        return None  # An end of both connections, or a crash of PostgreSQL's.
    theirs, ours = told(theirs), told(ours)
    if ("C", b"DISCARD TEMP\0") in ours and any(entry[0] == "error" for entry in ours):
        return None  # What came before it up to the Sync is committed here.
    if theirs == ours:
        return True
    at = next((at for at, pair in enumerate(zip(theirs, ours)) if pair[0] != pair[1]), None)
    if at is None:
        return False
    there, here = theirs[at], ours[at]
    if there[0] == here[0] == "error" and there[2] == here[2] == "42P02":
        return True  # Where the parameter stands that there is none of in a simple query.
    if here[0] == "error" and here[2] == "34000" and ours[-1] == ("Z", b"E") and (there[0] in ("I", "n") or there[0] == "error" and there[2] in ("25P02", "55000")):
        return None  # In a block a simple query or a Bind that has failed leaves its portal, which can only be closed.
    if there[0] == "error" and there[2] == "42P03" and here == ("2", b"") and ours[-1] == ("Z", b"E"):
        return None  # Likewise: its name is taken there until the block ends.
    if ("C", b"DISCARD TEMP\0") in ours[:at] + [there]:
        return None  # What came before it up to the Sync is committed here, or cannot be, and its portals end.
    if theirs[at - 1][0] == ours[at - 1][0] == "t" and there == ("n", b"") and here[0] == "row description":
        return None  # What EXECUTE and FETCH give is looked up there when they are parsed, for Describe of a statement.
    if ("s", b"") in ours[:at] and there[0] in ("D", "C") and here[0] in ("D", "C") and any("RETURNING" in step or "EXECUTE" in step for step in words):
        return None  # What a change has done whose rows have not all been asked for is seen there from the next command on that comes to its end.
    if there[0] == "error" and there[2][:2] == "22" and (here[0] == "2" or here[0] == "error" and here[2] == "08P01" and "result formats" in here[3]):
        return None  # PostgreSQL plans, and computes what is constant, at Bind.
    if there[0] == "error" and there[2] == "XX000":
        return None  # An internal error of PostgreSQL's.
    if there[0] == "error" and (there[2] == "25006" or there[3].startswith("SET TRANSACTION ")):
        return None  # Seen at Bind there; and SET TRANSACTION without a block, which warns on both sides, holds up to the Sync.
    if here[0] == "error" and here[2][:2] == "22" and there[0] in ("D", "s"):
        return None  # Rows are computed many at a time: of a portal that wants few the others are not looked at there.
    return False
