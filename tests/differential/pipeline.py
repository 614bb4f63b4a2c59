# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions message by message: named statements and portals, limits of rows, errors in the middle of what was sent at once,
transactions and COPY between them, simple queries of several statements. All answers are compared, up to each ReadyForQuery.
"""
import random
import struct

from wire import Wire, describe

QUERIES = [
    ("SELECT generate_series(1, 5)", 0), ("SELECT g, g::text FROM generate_series(1, 4) g", 0), ("SELECT a, b FROM wt ORDER BY a, b", 0), ("SELECT $1::int4 + 1, $2::text", 2), ("SELECT count(*) FROM wt WHERE a < $1", 1),
    ("INSERT INTO wt (a, b) VALUES ($1, $2)", 2), ("INSERT INTO wt (a, b) SELECT g, 'i' FROM generate_series(1, 3) g RETURNING a, b", 0), ("UPDATE wt SET b = b || $1 WHERE a <= 2 RETURNING a", 1), ("DELETE FROM wt WHERE a = $1", 1), ("SELECT 1/count(*) FROM wt WHERE a > 900", 0), ("SELECT 1/(3 - g) FROM generate_series(1, 5) g", 0),
    ("BEGIN", 0), ("COMMIT", 0), ("ROLLBACK", 0), ("SAVEPOINT s", 0), ("ROLLBACK TO s", 0), ("RELEASE s", 0), ("", 0), ("  -- nothing", 0), ("SELECT 1; SELECT 2", 0), ("SELEC 1", 0), ("SELECT nosuch", 0), ("SELECT * FROM nosuch", 0), ("SET search_path = public", 0), ("SELECT $1", 1), ("SELECT $2::int4", 2),
    ("COPY wt TO STDOUT", 0), ("COPY (SELECT g FROM generate_series(1, 3) g) TO STDOUT (FORMAT csv)", 0), ("COPY wt FROM STDIN", 0), ("DECLARE c CURSOR FOR SELECT generate_series(1, 6)", 0), ("FETCH 2 FROM c", 0), ("MOVE 1 FROM c", 0), ("CLOSE c", 0), 
    ("PREPARE s2 AS SELECT 7", 0), ("EXECUTE s1", 0), ("EXECUTE s2", 0), ("DEALLOCATE s1", 0), ("DEALLOCATE ALL", 0), ("CREATE TABLE wx (x int4)", 0), ("DROP TABLE wx", 0), ("ALTER TABLE wt ADD COLUMN z int4", 0), ("ALTER TABLE wt DROP COLUMN z", 0), ("TABLE wt", 0), ("SELECT * FROM wt", 0), ("TRUNCATE wt", 0), ("VACUUM wt", 0), ("DISCARD ALL", 0),
    ("VALUES (1, 'a'), (2, 'b')", 0), ("SELECT", 0), ("SELECT FROM generate_series(1, 2)", 0), ("SELECT a FROM wt WHERE a = ANY ($1) ORDER BY a", 1), ("WITH x AS (DELETE FROM wt RETURNING a) SELECT count(*) FROM x", 0), ("SELECT a FROM wt ORDER BY a LIMIT $1", 1), ("LOCK TABLE wt", 0), ("START TRANSACTION READ ONLY", 0),
    ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", 0), ("COMMIT AND CHAIN", 0), ("SELECT pg_sleep(0)", 0), ("INSERT INTO wk VALUES ($1)", 1), ("SET CONSTRAINTS ALL IMMEDIATE", 0), ("INSERT INTO wk VALUES (99)", 0),
]
SIMPLE = ["SELECT 1; SELECT 2, 3", "INSERT INTO wt (a, b) VALUES (50, 'x'); SELECT 1/count(*) FROM wt WHERE a > 900", "BEGIN; INSERT INTO wt (a, b) VALUES (51, 'y')", "INSERT INTO wt (a, b) VALUES (52, 'z'); COMMIT; SELECT 1/count(*) FROM wt WHERE a > 900", ";;", "", "SELECT 1;;", "SELECT 1; SELEC", "SELECT 1; SELECT nosuch; SELECT 2", "BEGIN; SELECT 1/count(*) FROM wt WHERE a > 900; ROLLBACK; SELECT 3", "BEGIN; COMMIT; BEGIN",
          "ROLLBACK; SELECT 4", "SAVEPOINT q; SELECT 1", "SELECT 1; BEGIN; SELECT 1/count(*) FROM wt WHERE a > 900", "INSERT INTO wt (a, b) VALUES (53, 'w'); ROLLBACK; SELECT count(*) FROM wt", "CREATE TABLE wy (a int4); INSERT INTO wy VALUES (1); SELECT * FROM wy; DROP TABLE wy", "SELECT count(*) FROM wt", "SELECT name FROM pg_prepared_statements ORDER BY 1", "SELECT name FROM pg_cursors ORDER BY 1",
          "PREPARE s1 AS SELECT $1::int4", "EXECUTE s1 (4)", "EXECUTE s2", "COPY wt TO STDOUT; SELECT 5", "SELECT 1; VACUUM", "INSERT INTO wk VALUES (77); SELECT 6", "BEGIN; INSERT INTO wk VALUES (78); COMMIT; SELECT 7", "SET LOCAL search_path = nosuch; SELECT current_schema()", "SELECT current_schema(); SET search_path = public", "END", "COMMIT", "ROLLBACK", "DECLARE d CURSOR WITH HOLD FOR SELECT 1; FETCH d", "CLOSE ALL"]
SETUP = ["CREATE TABLE wt (a int4, b text)", "INSERT INTO wt VALUES (1, 'one'), (2, 'two'), (3, NULL)", "CREATE TABLE wp (x int4 PRIMARY KEY)", "INSERT INTO wp VALUES (1), (2)", "CREATE TABLE wk (x int4 REFERENCES wp DEFERRABLE INITIALLY DEFERRED)"]


def message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


class Pipeline:
    def __init__(self, seed, theirs, ours):
        self.random = random.Random(seed * 50021 + 9)
        self.sides = (theirs, ours)
        self.parameters = {}

    def pick(self, choices):
        return self.random.choice(choices)

    def name(self):
        return self.pick(["", "", "s1", "s2"])

    def portal(self):
        return self.pick(["", "", "", "p1", "p2"])

    def parse(self, name):
        sql, count = self.pick(QUERIES)
        self.parameters[name] = count
        types = self.pick([[], [], [23], [25, 25]]) if count else []
        return ["parse %s %s" % (name, sql)], message(b"P", b"%s\0%s\0" % (name.encode(), sql.encode()) + struct.pack("!H", len(types)) + b"".join(struct.pack("!I", oid) for oid in types)), sql

    def bind(self, portal, name):
        count = self.parameters.get(name, 0) if self.random.random() < 0.95 else self.random.randint(0, 2)
        values = [self.pick(["1", "2", "x", "{1,2}", "", None, "3"]) for _ in range(count)]
        results = self.pick([[], [], [0], [1]])
        body = b"%s\0%s\0" % (portal.encode(), name.encode()) + struct.pack("!HH", 0, count)
        body += b"".join(struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value.encode() for value in values)
        body += struct.pack("!H", len(results)) + b"".join(struct.pack("!H", code) for code in results)
        return "bind %s %s %r %r" % (portal, name, values, results), message(b"B", body)

    def batch(self):
        """(what it is, its bytes): a simple query, or messages up to a Sync."""
        if self.random.random() < 0.18:
            sql = self.pick(SIMPLE) if self.random.random() < 0.8 else self.pick([sql for sql, count in QUERIES if count == 0 and " FROM STDIN" not in sql])
            return ["query " + sql], message(b"Q", sql.encode() + b"\0")
        told, data = [], b""
        for _ in range(self.random.randint(1, 4)):
            draw = self.random.random()
            name, portal = self.name(), self.portal()
            if draw < 0.6:  # As drivers do.
                words, part, sql = self.parse(name)
                told += words
                data += part
                if self.random.random() < 0.4:
                    told.append("describe statement " + name)
                    data += message(b"D", b"S%s\0" % name.encode())
                word, part = self.bind(portal, name)
                told.append(word)
                data += part
                if self.random.random() < 0.5:
                    told.append("describe portal " + portal)
                    data += message(b"D", b"P%s\0" % portal.encode())
                for _ in range(self.pick([1, 1, 1, 2])):
                    limit = self.pick([0, 0, 0, 1, 2])
                    told.append("execute %s %d" % (portal, limit))
                    data += message(b"E", portal.encode() + b"\0" + struct.pack("!I", limit))
                    if " FROM STDIN" in sql:
                        end = self.pick([b"c", b"c", b"f"])
                        told.append("copy data, " + end.decode())
                        data += message(b"d", self.pick([b"8\teight\n", b"8\n", b"x\ty\n", b"8\t\\N\n9\tn"])) + (message(b"c", b"") if end == b"c" else message(b"f", b"no more\0"))
            elif draw < 0.75:
                word, part = self.bind(portal, name)
                told += [word, "execute %s" % portal]
                data += part + message(b"E", portal.encode() + b"\0" + struct.pack("!I", self.pick([0, 1])))
            elif draw < 0.85:
                limit = self.pick([0, 1, 2])
                told.append("execute %s %d" % (portal, limit))
                data += message(b"E", portal.encode() + b"\0" + struct.pack("!I", limit))
            elif draw < 0.93:
                kind, of = self.pick([(b"S", name), (b"P", portal)])
                told.append("close %s %s" % (kind.decode(), of))
                data += message(b"C", kind + of.encode() + b"\0")
            elif draw < 0.97:
                kind, of = self.pick([(b"S", name), (b"P", portal)])
                told.append("describe %s %s" % (kind.decode(), of))
                data += message(b"D", kind + of.encode() + b"\0")
            else:
                told.append("flush")
                data += message(b"H", b"")
        return told + ["sync"], data + message(b"S", b"")

    def answers(self, side, data):
        side.socket.sendall(data)
        out = []
        for kind, body in side.until(b"Z"):
            if kind in (b"E", b"N"):
                fields = dict((field[:1], field[1:]) for field in body.split(b"\0") if field)
                if kind == b"E" or fields.get(b"V") == b"WARNING":
                    out.append(("error" if kind == b"E" else "warning", fields.get(b"C", b"").decode()))
            elif kind == b"T":
                out.append(("row description", describe(body)))
            elif kind != b"S":
                out.append((kind.decode(), body))
        return out

    @staticmethod
    def same(theirs, ours):
        """Whether they are; None: what is meant to differ. When both fail, what was told before is left out: rows go out many at a time, what
        constraints at COMMIT refuse was not told to be done, and when columns are looked at is open."""
        if theirs == ours:
            return True
        if ("error", "25001") in theirs:
            return None  # What must be alone in its transaction finishes what came before it in the same message.
        kept = ("error", "warning", "Z")
        fails = [any(kind == "error" for kind, _ in side) for side in (theirs, ours)]
        if theirs[-1] == ours[-1] == ("Z", b"E") and ("error", "25P02") in theirs and ours[-2] == ("error", "34000"):
            return True  # What a simple query that failed has left of its portal.
        return all(fails) and [entry for entry in theirs if entry[0] in kept] == [entry for entry in ours if entry[0] in kept]

    def step(self):
        told, data = self.batch()
        return told, self.answers(self.sides[0], data), self.answers(self.sides[1], data)
