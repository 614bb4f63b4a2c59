#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fuzzer of the wire protocol: random sequences of messages, sound and broken ones, against a real server under sanitizers.

    tests/fuzz/pgwire.py [--seconds S] [--seed N] [--script N]       $ISOPOD names the program

A script is drawn from a seed and its number: a start-up (valid, for TLS, a cancel request, or garbage), then messages of the
simple and the extended protocol, COPY in both directions, cancels from beside, and changes of their bytes and lengths. Then:
the server runs; all it sent are whole messages of the protocol; as long as every frame had its length, a Sync and a query at
the end are answered; and when all connections are gone, so are their sessions. --script runs one again.
"""
import argparse
import os
import random
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../integration"))
from cluster import Cluster, wait_until  # noqa: E402

ANSWERS = set(b"RKSZTDCEN123nstIGHWdcvA")
QUERIES = ["", ";", "SELECT 1", "SELECT 1; SELECT 2", "SELECT g FROM generate_series(1, 3) g", "SELECT repeat('x', 70000)", "SELECT 1/0", "SELEC", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s",
           "INSERT INTO wt VALUES (1, 'a')", "SELECT * FROM wt LIMIT 5", "DELETE FROM wt", "SELECT count(*) FROM generate_series(1, 200000)", "SELECT pg_sleep(0.05)", "SET statement_timeout = '50ms'", "SET client_encoding = 'UTF8'",
           "COPY wt FROM STDIN", "COPY wt FROM STDIN WITH (FORMAT csv)", "COPY wt FROM STDIN WITH (FORMAT binary)", "COPY wt TO STDOUT", "COPY (SELECT g, 'x' FROM generate_series(1, 2000) g) TO STDOUT WITH (FORMAT binary)",
           "DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 9) g", "FETCH 2 FROM c", "CLOSE c", "PREPARE p AS SELECT $1::int4", "EXECUTE p (1)", "EXECUTE p", "EXECUTE s1", "FETCH s1", "MOVE 1 IN p", "EXPLAIN EXECUTE p", "CLOSE s1", "DEALLOCATE s1", "COPY wt (a) TO STDOUT", "DECLARE s2 CURSOR WITH HOLD FOR SELECT 1", "SET LOCAL work_mem = 1", "SELECT set_config('x.y', $1, false)", "DEALLOCATE ALL", "DISCARD ALL", "SELECT $1::int4", "SELECT $1::text, $2::bytea", "VALUES ($1), ($2)",
           "INSERT INTO wt VALUES ($1, $2)", "SELECT * FROM generate_series(1, $1::int4) g", "SHOW server_version", "SELECT '\u00e9\u65e5'", "SELECT '", "LISTEN x", "EXPLAIN SELECT 1", "SELECT " + "(" * 500 + "1" + ")" * 500]
NAMES = [b"", b"", b"", b"s1", b"s2", b"p", b"c", b"\xff", b"x" * 70]
COPY_DATA = [b"1\ta\n", b"2\tb\n3\tc\n", b"1,a\n", b"\\.\n", b"\\N\t\\N\n", b"x\ty\n", b"1", b"\t", b"\xff\n", b"", b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", b"\0\2\0\0\0\4\0\0\0\7\0\0\0\1z", b"\xff\xff", b"z" * 70000]
VALUES = [None, b"", b"1", b"-5", b"abc", b"\0\0\0\1", b"\0", b"\xff\xff\xff\xff", b"\\x00", b"1" * 300, b"x" * 70000]


class Closed(Exception):
    pass


def frame(kind, body, length=None):
    return kind + struct.pack("!I", (len(body) + 4 if length is None else length) & 0xffffffff) + body


class Script:
    def __init__(self, server, seed, number):
        self.server, self.number, self.framed = server, number, True
        self.random = random.Random(seed * 1000003 + number)
        self.key, self.rest, self.sent = None, b"", []

    def pick(self, choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def open(self):
        self.socket = socket.create_connection((self.server.host, self.server.port), timeout=20)

    def send(self, data):
        self.sent.append(data)
        try:
            # In parts now and then: a message may come in any.
            while data:
                size = self.random.randint(1, 40) if self.chance(0.02) else len(data)
                self.socket.sendall(data[:size])
                data = data[size:]
        except OSError as error:
            raise Closed from error

    # --- what the server says ---

    def read(self, count):
        while len(self.rest) < count:
            try:
                more = self.socket.recv(1 << 16)
            except (ConnectionError, OSError) as error:
                if isinstance(error, socket.timeout):
                    raise AssertionError("the server does not answer") from error
                raise Closed from error
            if not more:
                if self.rest:
                    raise AssertionError("a message is cut off: %r" % self.rest[:60])
                raise Closed
            self.rest += more
        out, self.rest = self.rest[:count], self.rest[count:]
        return out

    def old_error(self):
        """Who asks for a protocol before the third gets its form of an error: text up to a zero byte, and then the end."""
        while self.read(1) != b"\0":
            pass
        raise AssertionError("more after the error of an old protocol: %r" % self.read(1))

    def message(self):
        head = self.read(5)
        if head == b"EFATA" and self.sent and self.sent[-1][4:6] < b"\0\3":
            self.old_error()
        size, = struct.unpack("!I", head[1:])
        if head[0] not in ANSWERS or size < 4 or size > 1 << 20:
            raise AssertionError("no message of the protocol: %r" % head)
        body = self.read(size - 4)
        if head[:1] in (b"E", b"N"):
            self.check_report(body)
        return head[:1], body

    @staticmethod
    def check_report(body):
        fields = {field[:1]: field[1:] for field in body.split(b"\0")}
        if not body.endswith(b"\0\0") or len(fields.get(b"C", b"")) != 5 or b"M" not in fields or b"S" not in fields:
            raise AssertionError("an error without its fields: %r" % body)
        if fields[b"C"] in (b"XX000", b"XX001"):
            raise AssertionError("an internal error: %r" % body)

    # --- what is sent ---

    def start_up(self):
        draw = self.random.random()
        if draw < 0.03:  # A cancel request for nobody.
            self.send(struct.pack("!IIII", 16, 80877102, self.random.getrandbits(32), self.random.getrandbits(32)))
            return False
        if draw < 0.06:  # Garbage, of which the server makes what it likes.
            self.send(self.pick([b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0", self.random.randbytes(self.random.randint(1, 60)), struct.pack("!II", 8, 196608), struct.pack("!II", 9, 131072) + b"\0", b"\0\0\0\0",
                                 struct.pack("!II", 0x7fffffff, 196608)]))
            return False
        if draw < 0.12:
            self.send(struct.pack("!II", 8, self.pick([80877103, 80877104])))
            if self.read(1) != b"N":
                raise AssertionError("TLS or GSSAPI is offered")
        parameters = [("user", "root"), ("database", "defaultdb")]
        if self.chance(0.3):
            parameters.append(self.pick([("client_encoding", "UTF8"), ("TimeZone", "nowhere"), ("options", "-c statement_timeout=1s"), ("options", "-c"), ("_pq_.x", "1"), ("nosuch", "x"), ("application_name", "x" * 3000),
                                         ("user", ""), ("database", "nosuch"), ("replication", "true"), ("DateStyle", "German")]))
        body = struct.pack("!I", self.pick([196608] * 12 + [196609, 196610, 131072])) + b"".join(("%s\0%s\0" % pair).encode() for pair in parameters) + b"\0"
        if self.chance(0.06):
            body = body[:self.random.randint(4, len(body))]
        self.send(struct.pack("!I", len(body) + 4) + body)
        while True:
            kind, body = self.message()
            if kind == b"K":
                self.key = body
            if kind == b"Z":
                return True

    def bind(self):
        values = [self.pick(VALUES) for _ in range(self.pick([0, 1, 1, 2, 2, 5]))]
        formats, results = ([self.pick([0, 0, 1, 7] if self.chance(0.1) else [0, 1]) for _ in range(self.pick([0, 1, len(values)]))] for _ in range(2))
        out = self.pick(NAMES) + b"\0" + self.pick(NAMES) + b"\0" + struct.pack("!H", len(formats)) + b"".join(struct.pack("!H", code) for code in formats) + struct.pack("!H", len(values))
        for value in values:
            out += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
        return out + struct.pack("!H", len(results)) + b"".join(struct.pack("!H", code) for code in results)

    def any_message(self):
        kind = self.pick(b"QQQQPPPPBBBBDDEEEECSSSHdddcfFX?" if self.chance(0.9) else b"QPBDESCHdcf")
        kind = bytes([kind])
        if kind == b"X" and not self.chance(0.1):
            kind = b"S"
        name, text = self.pick(NAMES), self.pick(QUERIES).encode()
        body = {b"Q": text + b"\0", b"P": name + b"\0" + text + b"\0" + self.pick([b"\0\0", b"\0\1\0\0\0\x17", b"\0\1\0\0\0\0", b"\0\2\0\0\0\x19\0\0\0\x11", b"\0\1\xff\xff\xff\xff"]), b"D": self.pick([b"S", b"P", b"x"]) + name + b"\0",
                b"E": name + b"\0" + struct.pack("!I", self.pick([0, 0, 1, 2, 0xffffffff])), b"C": self.pick([b"S", b"P", b"?"]) + name + b"\0", b"d": self.pick(COPY_DATA), b"f": name + b"\0", b"F": b"\0\0\0\1\0\0\0\0\0\0"}.get(kind, b"")
        if kind == b"B":
            body = self.bind()
        if self.chance(0.08) and body:
            at = self.random.randint(0, len(body) - 1)
            body = self.pick([body[:at], body[:at] + bytes([self.random.getrandbits(8)]) + body[at + 1:], body + b"x", body[:at] + b"\0\0" + body[at:]])
        if self.chance(0.01):
            self.framed = False
            return frame(kind, body, self.pick([0, 3, len(body) + 3, len(body) + 5, 0x7fffffff, 0xffffffff, 200 << 20]))
        if kind == b"?":
            self.framed = False  # A type that does not exist ends the connection.
            return frame(bytes([self.random.getrandbits(8)]), body)
        return frame(kind, body)

    def cancel(self):
        if self.key is None:
            return
        other = socket.create_connection((self.server.host, self.server.port), timeout=20)
        key = self.key if self.chance(0.8) else self.random.randbytes(8)
        other.sendall(struct.pack("!II", 16, 80877102) + key)
        other.close()

    def run(self):
        self.open()
        try:
            if self.start_up():
                self.talk()
        except Closed:
            pass
        finally:
            self.socket.close()

    def talk(self):
        for _ in range(self.random.randint(1, 25)):
            self.send(b"".join(self.any_message() for _ in range(self.pick([1, 1, 2, 3, 6]))))
            if self.chance(0.04):
                self.cancel()
            if self.chance(0.03):
                return  # Gone, in the midst of whatever it is.
        if not self.framed:
            return
        self.cancel()
        # Out of a COPY, if it is in one, and back from any error; the transaction may have failed.
        self.send(frame(b"f", b"end\0") + frame(b"S", b"") + frame(b"f", b"end\0") + frame(b"Q", b"ROLLBACK\0") + frame(b"Q", b"RESET statement_timeout\0") + frame(b"Q", b"SELECT 'the end'\0"))
        while True:
            kind, body = self.message()
            if kind == b"D" and body.endswith(b"the end"):
                break
        while self.message()[0] != b"Z":
            pass


def left_over(watch, number):
    """Whether sessions stay after their connections."""
    others = "SELECT pid, state, wait_event, left(query, 60) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    try:
        wait_until(lambda: watch.rows(others) == [], "all sessions to end")
        return False
    except AssertionError as error:
        print("before script %d: %s: %r" % (number, error, watch.rows(others)))
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", type=int, help="only this one, and --count of them")
    parser.add_argument("--count", type=int, default=1)
    options = parser.parse_args()
    server = Cluster(name="fuzz-pgwire", profile="virtual+app", shards=2).start()
    number, failed = options.script or 0, False
    try:
        watch = server.wait_connect("main")
        watch.run("CREATE TABLE wt (a int4, b text)")
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            script = Script(server, options.seed, number)
            try:
                script.run()
                if not server.running():
                    raise AssertionError("the server has ended:\n" + server.output())
            except AssertionError as error:
                failed = True
                print("script %d of seed %d: %s\nsent:" % (number, options.seed, error))
                for data in script.sent:
                    print("  %r" % data[:300])
                break
            number += 1
            if options.script is not None and number >= options.script + options.count:
                break
            if number % 500 == 0 and left_over(watch, number):
                failed = True
                break
        if not failed:
            failed = left_over(watch, number)
        watch.close()
    finally:
        server.destroy()
    print("%d scripts from seed %d" % (number, options.seed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
