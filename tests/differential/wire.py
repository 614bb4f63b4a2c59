# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepared statements over the protocol itself: parameters and results as text and as bytes, compared message by message.

A client of PostgreSQL's protocol in a page. Binary parameters are what PostgreSQL itself sends for a value of the type.
"""
import random
import socket
import struct

from routines import VALUES

TYPES = {16: "bool", 21: "int2", 23: "int4", 20: "int8", 1700: "numeric", 700: "float4", 701: "float8", 25: "text", 1043: "varchar", 1042: "bpchar", 19: "name", 17: "bytea", 2950: "uuid",
         1082: "date", 1083: "time", 1266: "timetz", 1114: "timestamp", 1184: "timestamptz", 1186: "interval", 114: "json", 3802: "jsonb", 1562: "varbit", 869: "inet", 650: "cidr", 26: "oid",
         1007: "int4[]", 1009: "text[]", 1016: "int8[]", 1231: "numeric[]", 1022: "float8[]", 3220: "pg_lsn", 1000: "bool[]", 1182: "date[]", 3807: "jsonb[]", 2951: "uuid[]",
         600: "point", 601: "lseg", 602: "path", 603: "box", 604: "polygon", 628: "line", 718: "circle", 790: "money", 1020: "box[]",
         3904: "int4range", 3926: "int8range", 3906: "numrange", 3908: "tsrange", 3910: "tstzrange", 3912: "daterange", 3905: "int4range[]",
         4451: "int4multirange", 4532: "nummultirange", 4535: "datemultirange"}
TEMPLATES = ["SELECT $1::{t}", "SELECT $1::{t}, $2::{u}", "SELECT $1::{t} = $1::{t}, $2::{u} IS NULL", "SELECT ARRAY[$1::{t}, NULL], $2::{u}", "SELECT coalesce($1::{t}, $1), $2::text", "SELECT x FROM (VALUES ($1::{t}), (NULL)) v(x)",
             "SELECT ROW($1::{t}, $2::{u})", "SELECT $1::{t}, generate_series(1, 3)", "SELECT count(*), min($2::text) FROM generate_series(1, 2) WHERE $1::{t} IS NOT NULL", "SELECT $1::{t} AS a UNION ALL SELECT NULL",
             "SELECT $2 LIMIT $1", "SELECT $1 || 'x'", "SELECT $1 + 1, $2", "SELECT $1", "INSERT INTO wt (a) VALUES ($1) RETURNING a", "SELECT CASE WHEN $1 THEN 1 ELSE 2 END", "SELECT $1::{t}::text, $1"]


class Wire:
    """One connection; extended protocol only."""

    def __init__(self, address, user, database):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(address)
        self.rest = b""
        body = struct.pack("!I", 196608) + b"".join(("%s\0%s\0" % pair).encode() for pair in
                                                   (("user", user), ("database", database), ("TimeZone", "UTC"), ("client_encoding", "UTF8"))) + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        self.until(b"Z")

    def read(self, count):
        while len(self.rest) < count:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the server ended the connection")
            self.rest += more
        out, self.rest = self.rest[:count], self.rest[count:]
        return out

    def until(self, kind):
        messages = []
        while True:
            head = self.read(5)
            body = self.read(struct.unpack("!I", head[1:])[0] - 4)
            messages.append((head[:1], body))
            if head[:1] == kind:
                return messages

    def run(self, sql, oids, parameters, formats, results, row_limit):
        """All answers to Parse, Describe, Bind, Describe, Execute, Sync, but what names places in the server's source."""
        def message(kind, body):
            return kind + struct.pack("!I", len(body) + 4) + body
        bind = b"\0\0" + struct.pack("!H", len(formats)) + b"".join(struct.pack("!H", code) for code in formats) + struct.pack("!H", len(parameters))
        for value in parameters:
            bind += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
        bind += struct.pack("!H", len(results)) + b"".join(struct.pack("!H", code) for code in results)
        self.socket.sendall(message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!H", len(oids)) + b"".join(struct.pack("!I", oid) for oid in oids)) +
                            message(b"D", b"S\0") + message(b"B", bind) + message(b"D", b"P\0") + message(b"E", b"\0" + struct.pack("!I", row_limit)) + message(b"S", b""))
        out = []
        for kind, body in self.until(b"Z"):
            if kind == b"E":
                fields = dict((field[:1], field[1:]) for field in body.split(b"\0") if field)
                out.append(("error", fields.get(b"C", b"").decode()))
            elif kind == b"T":
                out.append(("row description", describe(body)))
            elif kind not in (b"N", b"S"):
                out.append((kind.decode(), body))
        return out


def describe(body):
    """Names, types, sizes, modifiers and formats; where a column comes from is each server's own."""
    count, = struct.unpack("!H", body[:2])
    at, columns = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        name, at = body[at:end], end + 1
        _, _, oid, size, modifier, code = struct.unpack("!IhIhih", body[at:at + 18])
        at += 18
        columns.append((name, oid, size, modifier, code))
    return tuple(columns)


class WirePart:
    """A seed's statements over two connections."""

    def __init__(self, seed, theirs, ours):
        self.random = random.Random(seed * 31337 + 5)
        self.sides = (theirs, ours)
        self.forms = {}

    def binary(self, kind, text):
        """What PostgreSQL sends for a value."""
        if (kind, text) not in self.forms:
            answer = self.sides[0].run("SELECT $1::%s" % kind, [25], [text.encode()], [0], [1], 0)
            row = [body for name, body in answer if name == "D"]
            self.forms[kind, text] = row[0][6:] if row and row[0][2:6] != b"\xff\xff\xff\xff" else None
        return self.forms[kind, text]

    def step(self):
        """(what was run, theirs, ours)"""
        oids = [self.random.choice(sorted(TYPES)) for _ in range(2)]
        template = self.random.choice(TEMPLATES)
        sql = template.format(t=TYPES[oids[0]], u=TYPES[oids[1]])
        count = 2 if "$2" in sql else 1
        parameters, formats = [], []
        declared = [self.random.choice([0, 0, oid]) for oid in oids[:count]]
        if "::" not in template or "$2" in template and "$2::{u}" not in template:
            declared = [self.random.choice([0, 23, 25, 20]) for _ in range(count)]
        for oid in oids[:count]:
            kind = TYPES[oid]
            text = self.random.choice(VALUES[kind]).replace("''", "'")
            code = self.random.randint(0, 1)
            value = self.binary(kind, text) if code else text.encode()
            if self.random.random() < 0.1 or value is None:
                value = None
            elif self.random.random() < 0.08:
                cut = self.random.randint(0, len(value))
                value = value[:cut] if self.random.random() < 0.5 else value[:cut] + bytes([self.random.randint(0, 255)]) + value[cut + 1:]
                if code and kind in ("float4", "float8", "float8[]"):
                    value = self.binary(kind, text)  # Which bits a NaN has is its own affair.
                if not code and (b"\0" in value or not decodes(value)):
                    value = value.replace(b"\0", b"").decode(errors="ignore").encode()
            parameters.append(value)
            formats.append(code)
        results = self.random.choice([[], [0], [1], [1]])
        limit = self.random.choice([0, 0, 1])
        arguments = (sql, declared, parameters, formats, results, limit)
        return arguments, self.sides[0].run(*arguments), self.sides[1].run(*arguments)


def decodes(value):
    try:
        value.decode()
        return True
    except UnicodeDecodeError:
        return False
