# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol's rare ways, byte by byte beside PostgreSQL 15: packets that begin a connection, FunctionCall, texts that are none
of the client's encoding, names that are too long.

Both servers get the same bytes; messages are compared whole, but for what names places in the source of either, secrets, and
settings that each server says of itself."""
import os
import socket
import struct
import sys
import unittest

from cluster import Cluster

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../differential"))
from run import Postgres  # noqa: E402
from wire import describe  # noqa: E402

OF_ITSELF = {"TimeZone", "session_authorization", "is_superuser", "server_version", "integer_datetimes", "in_hot_standby", "standard_conforming_strings"}
SSL, GSS = (struct.pack("!II", 8, code) for code in (80877103, 80877104))


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def start(parameters, version=196608):
    body = struct.pack("!I", version) + b"".join(name + b"\0" + value + b"\0" for name, value in parameters) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def text(sql):
    return message(b"Q", (sql if isinstance(sql, bytes) else sql.encode()) + b"\0")


def call(oid, values, formats=(), result=0):
    """FunctionCall."""
    body = struct.pack("!IH", oid, len(formats)) + b"".join(struct.pack("!h", code) for code in formats) + struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
    return message(b"F", body + struct.pack("!h", result))


def bound(sql, value, code=0):
    return (message(b"P", b"\0" + sql + b"\0\0\0") + message(b"B", b"\0\0" + struct.pack("!HHHI", 1, code, 1, len(value)) + value + b"\0\0") +
            message(b"E", b"\0" * 5) + message(b"S"))


class Peer:
    """One connection, and what it was told."""

    def __init__(self, address, user, database):
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.user, self.database, self.rest = user, database, b""

    def start(self, extra=(), without=(), version=196608):
        own = [(b"user", self.user), (b"database", self.database)]
        self.socket.sendall(start([pair for pair in own if pair[0] not in without] + list(extra), version))
        return self.until_ready()

    def take(self, count):
        while len(self.rest) < count:
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.rest += more
        out, self.rest = self.rest[:count], self.rest[count:]
        return out

    def until_ready(self):
        """Messages up to ReadyForQuery or the end."""
        out = []
        while True:
            head = self.take(5)
            if head == b"EFATA":  # Of the protocol before the third.
                while self.take(1) is not None:
                    pass
                return out + ["error without fields"]
            if head is None:
                return out + ["end"]
            kind, body = head[:1], self.take(struct.unpack("!I", head[1:])[0] - 4)
            if kind in b"EN":
                fields = dict((chr(field[0]), field[1:].replace(b"postgres", b"root")) for field in body.split(b"\0") if field)
                out.append((kind, {name: value for name, value in fields.items() if name not in "FLRP"}))
            elif kind == b"S":
                name, value = body.split(b"\0")[:2]
                if name.decode() not in OF_ITSELF:
                    out.append((kind, name, value))
            else:
                out.append((kind, len(body) if kind == b"K" else describe(body) if kind == b"T" else body))
            if kind == b"Z":
                return out

    def run(self, *messages):
        out = []
        for each in messages:
            self.socket.sendall(text(each) if isinstance(each, str) else each)
            out.append((each, self.until_ready()))
        return out


class Raw(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres()
        cls.addClassCleanup(cls.postgres.stop)
        cls.server = Cluster("raw", shards=1)
        cls.addClassCleanup(cls.server.destroy)
        cls.server.start()
        cls.server.wait_connect().close()

    def both(self, run, **options):
        """What `run` gives of a connection to either must be the same."""
        theirs, ours = (run(peer) for peer in self.peers())
        self.assertEqual(ours, theirs)
        return ours

    def peers(self):
        words = dict(word.split("=") for word in self.postgres.dsn.split())
        for peer in (Peer(words["host"] + "/.s.PGSQL.5432", words["user"].encode(), b"postgres"),
                     Peer((self.server.host, self.server.port), b"root", b"defaultdb")):
            yield peer
            peer.socket.close()

    def started(self, *messages, encoding=b"UTF8"):
        def run(peer):
            peer.start([(b"client_encoding", encoding)])
            return peer.run(*messages)
        for sql, answer in self.both(run):
            last = answer
        return last

    def test_start_up_packets(self):
        for options in (b"-c statement_timeout=5s", b"--statement-timeout=5s", b"-c nosuch", b"--nosuch", b"-c nosuch=1", b"-c a.b=1", b"-c statement_timeout=xx",
                        rb"-c application_name=a\ b\\c", b"-e", b"-c\tapplication_name=x\n-c  DateStyle=German", b"-S 1024", b"-c work_mem=1MB -cwork_mem=2MB"):
            with self.subTest(options):
                self.both(lambda peer: peer.start([(b"options", options)]))
        for name, value in ((b"nosuch", b"1"), (b"my.var", b"1"), (b"statement_timeout", b"xx"), (b"application_name", "né\n\x01x".encode()), (b"application_name", b"a" * 70),
                            (b"client_encoding", b"LATIN1"), (b"client_encoding", b"SQL_ASCII"), (b"client_encoding", b"nope"), (b"client_encoding", b"'utf-8'"),
                            (b"replication", b"false"), (b"replication", b"bogus"), (b"_pq_.foo", b"1")):
            with self.subTest((name, value)):
                self.both(lambda peer: peer.start([(name, value)]))
        for name, value in ((b"database", b"nosuch"), (b"database", b"x" * 70), (b"user", b"nosuch"), (b"user", b"x" * 70), (b"user", b"")):
            with self.subTest((name, value)):
                self.both(lambda peer: peer.start([(name, value)], without=(name,)))

    def test_start_up_packets_that_are_meant_to_differ(self):
        """Settings without a meaning are refused by name, so is PostgreSQL's replication, and there is no `postgres --help` to try."""
        def ours(extra):
            peer = Peer((self.server.host, self.server.port), b"root", b"defaultdb")
            with peer.socket:
                answers = peer.start(extra)
            return [fields for kind, fields in (each for each in answers if each[0] == b"E")][0]
        for options, code, told in ((b"-fs", b"0A000", b"enable_seqscan"), (b"-d 2", b"0A000", b"log_min_messages"), (b"-Z", b"42601", b"-Z"), (b"foo", b"42601", b"foo"), (b"-c", b"42601", b"-c")):
            error = ours([(b"options", options)])
            self.assertEqual(error["C"], code)
            self.assertIn(told, error["M"])
        for value in (b"true", b"database"):
            error = ours([(b"replication", value)])
            self.assertEqual((error["C"], error["M"]), (b"0A000", b"replication connections are not supported"))

    def test_versions(self):
        for version in (196609, 131072, 4 << 16, 1234 << 16):
            with self.subTest(version):
                self.both(lambda peer: peer.start(version=version))
        self.both(lambda peer: peer.start([(b"_pq_.foo", b"1"), (b"_pq_.bar", b"2")], version=196610))

    def test_what_is_no_start_up_packet(self):
        for packet in (struct.pack("!I", 4), struct.pack("!I", 0), struct.pack("!I", 7) + b"xyz", struct.pack("!I", 20000) + b"x" * 100, b"GET / HTTP/1.1\r\n\r\n",
                       struct.pack("!II", 8, 196608), struct.pack("!II", 13, 196608) + b"user\0", struct.pack("!II", 18, 196608) + b"user\0root\0",
                       struct.pack("!II", 24, 196608) + b"user\0root\0\0junk\0", struct.pack("!II", 8, 80877102), struct.pack("!IIII", 16, 80877102, 99999, 1)):
            with self.subTest(packet):
                def run(peer):
                    peer.socket.sendall(packet)
                    return peer.until_ready()
                self.both(run)

    def test_encryption_that_is_not_there(self):
        """Either kind may be asked for once; twice the same is none of the protocol. What comes along with the
        request is not read as if it were encrypted."""
        for order in ((SSL,), (GSS,), (SSL, GSS), (GSS, SSL), (SSL, SSL), (GSS, GSS), (SSL, GSS, SSL, GSS)):
            with self.subTest(order):
                def run(peer):
                    for each in order:
                        peer.socket.sendall(each)
                        answer = peer.take(1)
                        if answer != b"N":
                            peer.rest = (answer or b"") + peer.rest
                            return peer.until_ready()
                    return peer.start()
                self.both(run)
        for first in (SSL, GSS):
            def early(peer):
                peer.socket.sendall(first + start([(b"user", peer.user)]))
                return peer.take(1), peer.until_ready()
            self.both(early)

    def test_function_calls(self):
        four, zero = struct.pack("!i", 4), struct.pack("!i", 0)
        gcd, mod, length, encode, set_config = 5044, 941, 1317, 1946, 2078
        for each in (call(gcd, [b"12", b"18"]), call(gcd, [four, struct.pack("!i", 6)], [1], 1), call(gcd, [four, b"6"], [1, 0]), call(gcd, [None, b"3"]),
                     call(gcd, [b"1"]), call(gcd, [b"1", b"2", b"3"]), call(gcd, [b"1", b"2"], [0, 0, 0]), call(gcd, [b"x", b"2"]), call(gcd, [b"x", b"2"], [1]),
                     call(gcd, [b"12345", b"2"], [1]), call(gcd, [b"1", b"2"], [2]), call(gcd, [b"1", b"2"], [], 2), call(mod, [four, zero], [1]), call(999999, []), call(0, []),
                     call(2108, [b"1"]), call(1067, [b"1", b"2"]), call(3100, []), call(3058, [b"{a,b}"]), call(1619, [b"1"]), call(748, [b"[0:1]={1,2}"]),
                     call(length, ["é".encode()]), call(length, [b"\xff"]), call(length, [b"a\0b"]), call(encode, [b"\0\xff", b"hex"], [1], 1), call(2626, [b"0"]),
                     call(set_config, [b"application_name", b"hi", b"f"]), "SHOW application_name", message(b"F", struct.pack("!I", gcd)), message(b"F", b"\0\0"),
                     message(b"F", call(gcd, [b"1", b"2"])[5:] + b"x")):
            with self.subTest(each):
                self.started(each)
        self.started("BEGIN", call(gcd, [b"4", b"6"]), "COMMIT")
        failed = self.started("BEGIN", call(mod, [b"1", b"0"]), call(gcd, [b"4", b"6"]), call(999999, []), "ROLLBACK AND CHAIN", call(gcd, [b"4", b"6"]))
        self.assertEqual(failed[-1], (b"Z", b"T"))
        # One of one's own, and one that a query's error has skipped.
        self.started("CREATE TABLE called (a int)")

        def own(peer):
            peer.start()
            peer.run("CREATE FUNCTION plus(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'INSERT INTO called VALUES (a) RETURNING a + b'",
                     "CREATE FUNCTION many() RETURNS SETOF int LANGUAGE sql AS 'SELECT 1'", "CREATE PROCEDURE go() LANGUAGE sql AS 'SELECT 1'")
            out = []
            for name in ("plus", "many", "go"):
                (_, answer), = peer.run("SELECT '%s'::regproc::oid" % name)
                oid = int(answer[1][1][6:])
                out += [answers for _, answers in peer.run(call(oid, [b"1", b"2"]), call(oid, [b"1", None]), call(oid, [b"1"]))]
            out += peer.run("SELECT * FROM called")
            skipped = message(b"P", b"\0SELECT nosuch\0\0\0") + call(gcd, [b"1", b"2"]) + message(b"S")
            behind = message(b"P", b"\0SELECT 1\0\0\0") + message(b"B", b"\0" * 8) + message(b"E", b"\0" * 5) + call(gcd, [b"4", b"6"])
            return out + peer.run(skipped, behind, message(b"S"))
        self.both(own)

    def test_function_calls_are_let_as_queries_are(self):
        def run(peer):
            peer.start()
            peer.run("CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'", "REVOKE EXECUTE ON FUNCTION secret FROM PUBLIC", "CREATE ROLE stranger")
            oid = int(peer.run("SELECT 'secret'::regproc::oid")[0][1][1][1][6:])
            peer.run("SET ROLE stranger")
            return peer.run(call(oid, []))[0][1]
        self.both(run)

    def test_texts_that_are_none_of_the_encoding(self):
        names = [message(b"P", b"\xe9\0SELECT 1\0\0\0"), message(b"B", b"\xe9\0\0\0\0\0\0\0\0"), message(b"D", b"S\xe9\0"), message(b"C", b"S\xe9\0"), message(b"E", b"\xe9\0\0\0\0\0")]
        self.started(*(name + message(b"S") for name in names))
        for encoding, values in ((b"UTF8", (b"\xff", b"\xe2\x82", b"\xc0\x80", b"\xed\xa0\x80", b"\xe9", b"\xf0\x90", b"\x80")), (b"SQL_ASCII", (b"\xff", b"\xc3\xa9")),
                                 (b"SJIS", (b"\x81", b"\x81 ", "日本".encode("shift_jis"))), (b"EUC_JP", (b"\xa4", b"\xff\xff", b"\x8f\xa1")), (b"EUC_KR", (b"\xa4",)),
                                 (b"GB18030", (b"\x81", b"\xff", b"\x81\x30\x81\x30")), (b"BIG5", (b"\xa4\xa4", b"\xa4", b"\xa4\xa4\xa4")), (b"LATIN1", (b"\xe9",)), (b"WIN1252", (b"\x80", b"\x81"))):
            for value in values:
                with self.subTest((encoding, value)):
                    self.started(text(b"SELECT '" + value + b"'"), text(b"SELECT '" + value + b"'::int"), bound(b"SELECT $1::text", value), bound(b"SELECT $1::text", value, 1), encoding=encoding)
        self.started("SELECT U&'\\20AC'", "SELECT convert_from('\\xe282ac', 'UTF8')", text('SELECT "né"'.encode("latin1")), "SET client_encoding TO utf8",
                     "SHOW client_encoding", "SET client_encoding TO nope", "RESET client_encoding", "SET NAMES 'LATIN9'", "SET client_encoding TO 'iso-8859-1'",
                     "SET client_encoding TO DEFAULT", "SET client_encoding TO MULE_INTERNAL", text("SET application_name = 'n\xe9\n\x01x\x7f'".encode("latin1")), encoding=b"LATIN1")

    def test_addresses(self):
        """Of both ends, as the connection has them."""
        peer = Peer((self.server.host, self.server.port), b"root", b"defaultdb")
        own = peer.socket.getsockname()
        peer.start()
        (_, answer), = peer.run("SELECT concat_ws(' ', inet_server_addr(), inet_server_port(), inet_client_addr(), inet_client_port())")
        self.assertEqual(answer[1][1][6:].decode(), "%s %d %s %d" % (*peer.socket.getpeername()[:2], *own[:2]))
        peer.socket.close()

    def test_what_reset_goes_back_to(self):
        """To what the client has asked for when it logged in."""
        def run(peer):
            peer.start([(b"client_encoding", b"LATIN1"), (b"application_name", b"mine"), (b"my.own", b"x"), (b"options", b"-c work_mem=1MB -c datestyle=german")])
            shows = ["SHOW work_mem", "SHOW application_name", "SHOW my.own", "SHOW datestyle", "SELECT current_setting('your.own')", "SELECT setting, source, reset_val FROM pg_settings WHERE name = 'work_mem'"]
            sets = ["SET work_mem = '2MB'", "SET application_name = 'b'", "SET my.own = 'y'", "SET datestyle = 'SQL'", "SET your.own = 'z'", "SET client_encoding = 'UTF8'"]
            resets = ["RESET work_mem", "SET application_name TO DEFAULT", "RESET my.own", "RESET datestyle", "RESET your.own", "RESET client_encoding"]
            return peer.run(*sets, *resets, *shows, *sets, "RESET ALL", *shows, *sets, "DISCARD ALL", *shows, "BEGIN", *sets, "RESET ALL", "ROLLBACK", *shows)
        self.both(run)

    def test_rows_before_an_error(self):
        """They are sent, but those of the failing row's own batch; RowDescription goes before what fails as it runs."""
        def shape(peer, sql):
            (_, answer), = peer.run(sql)
            return [each[0] for each in answer if each[0] != b"D"], sum(each[0] == b"D" for each in answer)
        late = "SELECT 1 / (50000 - x) FROM generate_series(1, 100000) x"
        kinds, rows = [], []
        for peer in self.peers():
            peer.start()
            found = [shape(peer, sql) for sql in (late, "SELECT x FROM generate_series(1, 5) x ORDER BY 1 / (3 - x)", "SELECT sum(1 / (3 - x)) FROM generate_series(1, 5) x", "SELECT nosuch", "SELECT 'x'::int")]
            kinds.append([each for each, _ in found])
            rows.append(found[0][1])
        self.assertEqual(kinds[1], kinds[0])
        self.assertTrue(rows[0] - 1024 <= rows[1] <= rows[0] == 49999, rows)

    def test_names_that_are_too_long(self):
        """They are cut between characters, and who wrote them is told, of every name that the grammar has come to."""
        long, more = "l" * 70, "m" * 64
        messages = ["SELECT 1 AS " + long, "SELECT 1 AS " + long.upper(), "SELECT 1 AS " + long.upper(), 'SELECT 1 AS "%s"' % ("é" * 40), 'SELECT 1 AS "%s"' % ('q""' * 40), "SELECT 1 AS %sé" % ("l" * 62),
                    'SELECT 1 AS U&"%s"' % long, "SELECT 1 AS " + "l" * 63, "CREATE TEMP TABLE %s (%sb int)" % (long, long), "SELECT %sb FROM %s" % (long, long), "SELECT 1 AS %s, 2 AS %s FROM nosuch" % (long, more),
                    "SELECT 1 AS %s +" % long, "SELECT +, 1 AS " + long, "SELECT + %s %s %s" % (long, more, long), "SELECT 1 AS %s; SELECT 2 AS %s" % (long, more), "SELECT $tag_%s$x$tag_%s$" % (long, long), "/* %s */ SELECT 1 AS a" % long,
                    "SET ROLE " + long, "SET ROLE '%s'" % long, "SET SESSION AUTHORIZATION '%s'" % long, "SET application_name = %s" % long, "SET application_name = '%s'" % long,
                    "SELECT set_config('application_name', repeat('z', 70), false)", "SET client_encoding = '%s'" % long, "SET search_path = '%s', %s" % (long, long), "RESET search_path", "SHOW " + long, "SET %s = 1" % long,
                    "PREPARE %s AS SELECT 1" % long, "EXECUTE " + long, "DEALLOCATE " + long, "DECLARE %s CURSOR WITH HOLD FOR SELECT 1" % long, "CLOSE " + long, "SELECT '%s'::name" % long, "SELECT '%s'::regclass" % long,
                    "SELECT to_regclass('%s')" % long, "SELECT has_table_privilege('%s', 'select')" % long, "SELECT parse_ident('%s')" % long, "SELECT 'x'::%s" % long, "ALTER TABLE %s ADD %s int, ADD CONSTRAINT %s CHECK (true)" % (long, more, more),
                    "CREATE INDEX %s ON %s (%s)" % ("i" * 70, long, more), "COPY %s (%s) TO STDOUT" % (long, more), message(b"P", b"\0SELECT 1 AS " + long.encode() + b"\0\0\0") + message(b"S"),
                    "SELECT 1 AS %s /* %s */" % (long, "x" * 5000), "SET client_min_messages = warning", "SELECT 1 AS " + long]
        self.started(*messages)


if __name__ == "__main__":
    unittest.main()
