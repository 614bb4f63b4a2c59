# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol's rules that drivers' own test suites ask for, message by message."""
import os
import socket
import struct
import sys

from cluster import ClusterTest, wait_until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../differential"))
from wire import Wire  # noqa: E402


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def step(sql):
    """Parse, Bind and Execute of a statement without parameters."""
    return message(b"P", b"\0" + sql + b"\0\0\0") + message(b"B", b"\0" * 8) + message(b"E", b"\0" * 5)


def fields(body):
    return dict((chr(field[0]), field[1:].decode()) for field in body.split(b"\0") if field)


class Protocol(ClusterTest):
    def wire(self, server):
        return Wire((server.host, server.port), "root", "defaultdb")

    def test_statements_before_one_sync(self):
        """They are one transaction, and what the first of them does says nothing about the others."""
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            session.run("CREATE TABLE t (a int PRIMARY KEY)")
            wire = self.wire(server)

            def tags(*statements):
                wire.socket.sendall(b"".join(step(sql) for sql in statements) + message(b"S"))
                return [body[:-1].decode() if kind == b"C" else fields(body)["C"] for kind, body in wire.until(b"Z") if kind in b"CE"]
            self.assertEqual(tags(b"SELECT 1", b"INSERT INTO t VALUES (1), (2)", b"SELECT a FROM t"), ["SELECT 1", "INSERT 0 2", "SELECT 2"])
            self.assertEqual(tags(b"SELECT a FROM t", b"SELECT a FROM t FOR UPDATE", b"DELETE FROM t WHERE a = 1"), ["SELECT 2", "SELECT 2", "DELETE 1"])
            self.assertEqual(tags(b"TABLE t", b"CREATE TABLE u (a int)", b"INSERT INTO u VALUES (3)", b"SELECT 1 / 0"), ["SELECT 1", "CREATE TABLE", "INSERT 0 1", "22012"])
            self.assertEqual(session.value("SELECT to_regclass('u')"), None)
            self.assertEqual(tags(b"SELECT a FROM t"), ["SELECT 1"])
            # What the first has read is what the last relies on.
            wire.socket.sendall(step(b"SELECT sum(a) FROM t") + message(b"H"))
            wire.until(b"C")
            session.run("UPDATE t SET a = a + 10")
            self.assertEqual(tags(b"INSERT INTO t SELECT 100 + sum(a) FROM t"), ["INSERT 0 1", "40001"])  # The Sync commits.
            wire.socket.close()

    def test_portals_run_once(self):
        """One that has given its rows has none left; one that gives none does not run again. What has no name goes with the
        next simple query, and what is wrong with a text is told before that its name is taken."""
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            session.run("CREATE TABLE once (a int)")
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages) + message(b"S"))
            return [body[:-1].decode() if kind == b"C" else fields(body)["C"] for kind, body in wire.until(b"Z") if kind in b"CE"]
        again = message(b"E", b"\0" * 5)
        self.assertEqual(answers(step(b"VALUES (1), (2)"), again), ["SELECT 2", "SELECT 0"])
        self.assertEqual(answers(step(b"INSERT INTO once VALUES (1) RETURNING a"), again), ["INSERT 0 1", "INSERT 0 0"])
        self.assertEqual(answers(step(b"INSERT INTO once VALUES (2)"), again), ["INSERT 0 1", "55000"])
        bind = message(b"B", b"\0" * 8)
        self.assertEqual(answers(message(b"P", b"\0SELECT 1\0\0\0")), [])
        self.assertEqual(answers(bind, again), ["SELECT 1"])
        wire.socket.sendall(message(b"Q", b"SELECT 2\0"))
        wire.until(b"Z")
        self.assertEqual(answers(bind), ["26000"])
        self.assertEqual(answers(message(b"P", b"taken\0SELECT 1\0\0\0")), [])
        self.assertEqual(answers(message(b"P", b"taken\0SELEC 1\0\0\0")), ["42601"])
        self.assertEqual(answers(message(b"P", b"taken\0SELECT 1\0\0\0")), ["42P05"])
        wire.socket.close()

    def test_start_up(self):
        """What the client says of a setting by its name goes before what `options` says of it, wherever either stands."""
        server = self.cluster("protocol", shards=1)
        words = ["user", "root", "application_name", "by name", "options", "-c application_name=option -c extra_float_digits=0", "DateStyle", "SQL, DMY"]
        for order in (words, words[:2] + words[4:6] + words[2:4]):
            packet = struct.pack("!I", 196608) + b"".join(word.encode() + b"\0" for word in order) + b"\0"
            with socket.create_connection((server.host, server.port), 20) as raw:
                raw.sendall(struct.pack("!I", len(packet) + 4) + packet)
                told = b""
                while b"Z\0\0\0\5I" not in told:
                    told += raw.recv(1 << 16)
                self.assertIn(b"application_name\0by name\0", told)

    def test_isolation_is_told_as_it_was_asked_for(self):
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            for level in ("read uncommitted", "read committed", "repeatable read", "serializable"):
                session.run("BEGIN ISOLATION LEVEL " + level)
                self.assertEqual(session.value("SHOW transaction_isolation"), level)
                session.run("COMMIT AND CHAIN")
                self.assertEqual(session.value("SELECT current_setting('transaction_isolation')"), level)
                self.assert_error("25001", "before any query", lambda: session.run(
                    "SET TRANSACTION ISOLATION LEVEL " + ("serializable" if level != "serializable" else "repeatable read")))
                session.run("ROLLBACK")
                session.run("SET default_transaction_isolation = '%s'" % level)
                self.assertEqual(session.value("SHOW transaction_isolation"), level)
                session.run("RESET default_transaction_isolation")
            # --- and runs as no less ---
            session.run("CREATE TABLE i (a int PRIMARY KEY, b int)")
            session.run("INSERT INTO i VALUES (1, 1), (2, 2)")
            with server.connect() as other:
                for level, snapshots in (("read uncommitted", True), ("repeatable read", False)):
                    session.run("BEGIN ISOLATION LEVEL " + level)
                    before = session.value("SELECT sum(b) FROM i")
                    other.run("UPDATE i SET b = b + 1")
                    self.assertEqual(session.value("SELECT sum(b) FROM i") != before, snapshots, level)
                    session.run("ROLLBACK")

    def test_bytes_that_are_no_text(self):
        """A parameter in text form is text of the client's encoding before it is anything else."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)
        for oid, value in ((23, b"\0\xbca\x4e"), (2950, b"\xff\xfe"), (1184, b"2020-01-01\xc3"), (25, b"a\0"), (1007, b"{1\xff}")):
            self.assertEqual([answer for answer in wire.run("SELECT $1", [oid], [value], [0], [], 0) if answer[0] == "error"], [("error", "22021")], (oid, value))
        wire.socket.close()

    def test_copied_rows_that_are_long_are_not_gathered(self):
        """What is wrong with a row is told soon, however long the stream goes on: clients look for an answer while they send."""
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            session.run("CREATE TABLE long (a text NOT NULL)")
        wire = self.wire(server)
        for null, long in ((b"\\N\n", b"x" * 100000 + b"\n"), (struct.pack("!hi", 1, -1), struct.pack("!hi", 1, 100000) + b"x" * 100000)):
            options, before = (b"", b"") if null == b"\\N\n" else (b" (FORMAT binary)", b"PGCOPY\n\xff\r\n\0" + b"\0" * 8)
            wire.socket.sendall(message(b"Q", b"COPY long FROM STDIN" + options + b"\0"))
            wire.until(b"G")
            for row in (before + long, null, long, long):
                wire.socket.sendall(message(b"d", row))
            self.assertEqual(fields(wire.until(b"E")[-1][1])["C"], "23502")
            wire.socket.sendall(message(b"c"))
            wire.until(b"Z")
        wire.socket.close()

    def test_terminated_in_a_statement(self):
        """The end of a session is fatal, and the last thing that the client hears."""
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            wire = self.wire(server)
            wire.socket.sendall(message(b"Q", b"SELECT pg_sleep(1000)\0"))
            wait_until(lambda: session.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)' AND pid <> pg_backend_pid()"),
                       "the statement to run")
            last = fields(wire.until(b"E")[-1][1])
            self.assertEqual((last["S"], last["V"], last["C"]), ("FATAL", "FATAL", "57P01"))
            with self.assertRaises(ConnectionError):
                wire.until(b"Z")
            wire.socket.close()

    def test_portals_last_as_long_as_their_transaction(self):
        """Without a transaction block that is up to the Sync, or to what ends the transaction before it."""
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            session.run("CREATE TABLE lasting (a int)")
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages) + message(b"S"))
            return [body[:-1].decode() if kind == b"C" else fields(body)["C"] if kind == b"E" else "suspended" for kind, body in wire.until(b"Z") if kind in b"CEs"]

        def execute(rows):
            return message(b"E", b"\0" + struct.pack("!I", rows))
        prepared = step(b"DEALLOCATE ALL")
        self.assertEqual(answers(prepared, execute(0)), ["DEALLOCATE ALL", "55000"])
        self.assertEqual(answers(execute(0)), ["34000"])
        for ending in (b"COMMIT", b"ROLLBACK", b"DISCARD ALL"):
            self.assertEqual(answers(step(ending), execute(0)), [ending.decode(), "34000"])
        rows = message(b"P", b"\0SELECT generate_series(1, 5)\0\0\0") + message(b"B", b"\0" * 8)
        self.assertEqual(answers(rows, execute(2), execute(2), execute(2), execute(2)), ["suspended", "suspended", "SELECT 1", "SELECT 0"])
        # Changes are made as a whole, be it that only some of their rows are taken, and are told with the rows of each answer.
        rows = message(b"P", b"\0INSERT INTO lasting SELECT generate_series(1, 5000) RETURNING a\0\0\0") + message(b"B", b"\0" * 8)
        self.assertEqual(answers(rows, execute(2)), ["suspended"])
        with server.connect() as session:
            self.assertEqual(session.value("SELECT count(*) FROM lasting"), 5000)
        self.assertEqual(answers(rows, execute(4998), execute(5)), ["suspended", "INSERT 0 2"])
        rows = message(b"P", b"\0EXPLAIN ANALYZE SELECT a FROM lasting ORDER BY a\0\0\0") + message(b"B", b"\0" * 8)
        self.assertEqual(answers(rows, execute(1), execute(0)), ["suspended", "EXPLAIN"])
        # In a failed transaction they are there, and do not run.
        self.assertEqual(answers(step(b"BEGIN"), step(b"SELECT 1/0")), ["BEGIN", "22012"])
        self.assertEqual(answers(execute(0)), ["25P02"])
        self.assertEqual(answers(step(b"ROLLBACK"), execute(0)), ["ROLLBACK", "34000"])
        wire.socket.close()

    def test_portals_of_a_transaction_that_has_failed(self):
        """Those that were there when it failed run no more, not even one that would end it; those before the savepoint to which it goes back do."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages) + message(b"S"))
            return [fields(body)["C"] if kind == b"E" else body[:-1].decode() for kind, body in wire.until(b"Z") if kind in b"CE"]

        def bind(portal, sql):
            return message(b"P", b"\0" + sql + b"\0\0\0") + message(b"B", portal + b"\0\0" + b"\0" * 6)

        def execute(portal):
            return message(b"E", portal + b"\0" * 5)
        for ends in (b"ROLLBACK", b"COMMIT", b"ROLLBACK TO s"):
            self.assertEqual(answers(step(b"BEGIN"), step(b"SAVEPOINT s"), bind(b"ends", ends)), ["BEGIN", "SAVEPOINT"])
            self.assertEqual(answers(step(b"SELECT 1 / 0")), ["22012"])
            self.assertEqual(answers(execute(b"ends")), ["25P02"])
            self.assertEqual(answers(bind(b"later", b"ROLLBACK"), execute(b"later")), ["ROLLBACK"])
        self.assertEqual(answers(step(b"BEGIN"), step(b"ROLLBACK TO s")), ["BEGIN", "3B001"])
        self.assertEqual(answers(execute(b"")), ["25P02"])
        # One that fails in a transaction that had failed before is still what would end it.
        self.assertEqual(answers(step(b"ROLLBACK TO nosuch")), ["3B001"])
        self.assertEqual(answers(execute(b"")), ["55000"])
        self.assertEqual(answers(step(b"ROLLBACK")), ["ROLLBACK"])
        self.assertEqual(answers(step(b"BEGIN"), bind(b"ends", b"ROLLBACK"), step(b"SAVEPOINT s")), ["BEGIN", "SAVEPOINT"])
        self.assertEqual(answers(step(b"SELECT 1 / 0")), ["22012"])
        self.assertEqual(answers(execute(b"ends")), ["ROLLBACK"])
        wire.socket.close()

    def test_what_a_portal_reads_is_not_changed(self):
        """A query's portal holds its tables from Bind until it is closed; one whose changes have run to their end holds none."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages) + message(b"S"))
            return [fields(body)["C"] if kind == b"E" else body[:-1].decode() for kind, body in wire.until(b"Z") if kind in b"CE"]

        def bind(portal, sql):
            return message(b"P", b"\0" + sql + b"\0\0\0") + message(b"B", portal + b"\0\0" + b"\0" * 6)
        self.assertEqual(answers(step(b"CREATE TABLE held (a int4)"), step(b"INSERT INTO held VALUES (1), (2)")), ["CREATE TABLE", "INSERT 0 2"])
        self.assertEqual(answers(bind(b"reads", b"TABLE held"), step(b"TRUNCATE held")), ["55006"])
        self.assertEqual(answers(step(b"TABLE held"), step(b"ALTER TABLE held ADD COLUMN b int4")), ["SELECT 2", "ALTER TABLE"])
        self.assertEqual(answers(step(b"BEGIN"), bind(b"reads", b"TABLE held"), step(b"ALTER TABLE held DROP COLUMN b")), ["BEGIN", "55006"])
        self.assertEqual(answers(step(b"ROLLBACK")), ["ROLLBACK"])
        self.assertEqual(answers(bind(b"reads", b"TABLE held"), message(b"C", b"Preads\0"), step(b"ALTER TABLE held DROP COLUMN b")), ["ALTER TABLE"])
        changes = bind(b"changes", b"UPDATE held SET a = a RETURNING a") + message(b"E", b"changes\0" + struct.pack("!I", 1))
        self.assertEqual(answers(changes, step(b"ALTER TABLE held ADD COLUMN c int4")), ["ALTER TABLE"])
        wire.socket.close()

    def test_what_must_be_alone(self):
        """25001 in a transaction block, and beside other statements of a message or before a Sync; nothing of it is done."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def query(sql):
            wire.socket.sendall(message(b"Q", sql.encode() + b"\0"))
            return [fields(body)["C"] for kind, body in wire.until(b"Z") if kind == b"E"]
        self.assertEqual(query("CREATE TABLE alone (a int)"), [])
        for sql in ("VACUUM", "CREATE DATABASE alone", "DROP DATABASE nosuch", "DISCARD ALL", "CREATE INDEX CONCURRENTLY ON alone (a)", "REINDEX DATABASE defaultdb"):
            for around in ("SELECT 1; %s", "%s; SELECT 1", "BEGIN; %s", "COMMIT; %s"):
                self.assertEqual(query(around % sql), ["25001"], around % sql)
                query("ROLLBACK")
            wire.socket.sendall(step(b"INSERT INTO alone VALUES (1)") + step(sql.encode()) + message(b"S"))
            self.assertEqual([fields(body)["C"] for kind, body in wire.until(b"Z") if kind == b"E"], ["25001"], sql)
        # What has committed while it was at work is the first of a new transaction up to the Sync, and leaves its portal, which
        # does not run again, and no other.
        again = message(b"E", b"\0" * 5)
        other = message(b"P", b"other\0SELECT 1\0\0\0") + message(b"B", b"other\0other\0" + b"\0" * 6)
        for sql in ("VACUUM alone", "CREATE INDEX CONCURRENTLY beside ON alone (a)", "REINDEX DATABASE defaultdb", "DROP INDEX CONCURRENTLY beside"):
            for after, code in ((again, "55000"), (step(b"DISCARD ALL"), "25001"), (message(b"E", b"other\0" + b"\0" * 4), "34000")):
                wire.socket.sendall(other + step(sql.replace("beside", "beside" + code).encode()) + after + message(b"C", b"Sother\0") + message(b"S"))
                self.assertEqual([body.decode() if kind == b"C" else fields(body)["C"] for kind, body in wire.until(b"Z") if kind in b"CE"], [" ".join(sql.split()[:1 + (sql[0] in "CD")]) + "\0", code], sql)
                wire.socket.sendall(message(b"C", b"Sother\0") + message(b"S"))
                wire.until(b"Z")
            wire.socket.sendall(step(sql.encode()) + step(b"INSERT INTO alone VALUES (1)") + step(b"SELECT 1/0") + message(b"S"))
            self.assertEqual([fields(body)["C"] for kind, body in wire.until(b"Z") if kind == b"E"], ["22012"], sql)
        with server.connect() as session:
            self.assertEqual(session.rows("SELECT count(*) FROM alone UNION ALL SELECT count(*) FROM pg_database WHERE datname = 'alone'"), [(0,), (0,)])
        wire.socket.close()

    def test_what_is_executed_asks_for_no_block(self):
        """Only what the client itself sends is refused, or warned of, outside of a transaction block; the statement's own transaction ends what it has made."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages))
            return [fields(body)["C"] if kind in b"EN" else body[:-1].decode() for kind, body in wire.until(b"Z") if kind in b"CEN"]
        sync = message(b"S")
        self.assertEqual(answers(step(b"CREATE TABLE blocks (a int)"), sync), ["CREATE TABLE"])
        for sql, tag, sent in (("SET LOCAL DateStyle = 'German'", "SET", ["25P01", "SET"]), ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS", ["25P01", "SET CONSTRAINTS"]),
                               ("LOCK TABLE blocks", "LOCK TABLE", ["25P01"]), ("DECLARE c CURSOR FOR VALUES (1), (2)", "DECLARE CURSOR", ["25P01"])):
            self.assertEqual(answers(step(sql.encode()), sync), sent)
            self.assertEqual(answers(message(b"P", b"s\0" + sql.encode() + b"\0\0\0"), step(b"EXECUTE s"), sync), [tag])
            self.assertEqual(answers(message(b"Q", b"EXECUTE s\0")), [tag])
            self.assertEqual(answers(message(b"Q", b"FETCH c\0")), ["34000"])
            if sql.startswith("DECLARE"):
                self.assertEqual(answers(step(b"EXECUTE s"), step(b"FETCH ALL FROM c"), sync), [tag, "FETCH 2"])
            self.assertEqual(answers(step(b"SHOW DateStyle"), step(b"DEALLOCATE s"), sync), ["SHOW", "DEALLOCATE"])
        with server.connect() as session:
            session.run("DROP TABLE blocks")
        wire.socket.close()

    def test_settings_are_told_before_the_client_is_asked(self):
        """Once, just before ReadyForQuery, and only what is another value then; a failed transaction's are gone at once."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def kinds(*messages):
            wire.socket.sendall(b"".join(messages))
            return [kind.decode() if kind != b"S" else body[:-1].replace(b"\0", b"=").decode() for kind, body in wire.until(b"Z")]
        self.assertEqual(kinds(message(b"Q", b"SET application_name = 'x'; SET application_name = 'y'; SELECT 1\0")), ["C", "C", "T", "D", "C", "application_name=y", "Z"])
        self.assertEqual(kinds(message(b"Q", b"BEGIN; SET application_name = 'z'; ROLLBACK\0")), ["C", "C", "C", "Z"])
        self.assertEqual(kinds(message(b"Q", b"BEGIN; SET application_name = 'z'\0")), ["C", "C", "application_name=z", "Z"])
        self.assertEqual(kinds(message(b"Q", b"SELEC\0")), ["E", "application_name=y", "Z"])
        self.assertEqual(kinds(message(b"Q", b"ROLLBACK\0")), ["C", "Z"])
        self.assertEqual(kinds(step(b"SET DateStyle = 'German'"), step(b"SELECT 1"), message(b"S")), ["1", "2", "C", "1", "2", "D", "C", "DateStyle=German, DMY", "Z"])
        wire.socket.close()

    def test_constraints_that_the_sync_finds_broken(self):
        """The statement has been told to be done: COMMIT, which is the Sync, fails."""
        server = self.cluster("protocol", shards=1)
        with server.connect() as session:
            session.run("CREATE TABLE one (a int PRIMARY KEY)")
            session.run("CREATE TABLE two (a int REFERENCES one DEFERRABLE INITIALLY DEFERRED)")
            wire = self.wire(server)
            wire.socket.sendall(step(b"INSERT INTO two VALUES (1)") + message(b"S"))
            self.assertEqual([kind.decode() for kind, _ in wire.until(b"Z")], ["1", "2", "C", "E", "Z"])
            wire.socket.close()
            self.assertEqual(session.rows("SELECT * FROM two"), [])

    def test_types_of_parameters(self):
        """A parameter that is only asked whether it is NULL has the type of its other uses, and none without them."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)
        self.assertEqual([answer for answer in wire.run("SELECT $1 IS NULL", [], [b"1"], [], [], 0) if answer[0] == "error"], [("error", "42P18")])
        answers = wire.run("SELECT g FROM generate_series(1, 3) g WHERE $1 IS NULL OR g = $1", [], [b"2"], [], [], 0)
        self.assertIn(("t", struct.pack("!HI", 1, 23)), answers)
        self.assertIn(("D", b"\0\1\0\0\0\x012"), answers)
        self.assertEqual(len([answer for answer in wire.run("SELECT g FROM generate_series(1, 3) g WHERE $1 IS NULL OR g = $1", [], [None], [], [], 0) if answer[0] == "D"]), 3)
        wire.socket.close()

    def test_cursors_are_portals(self):
        """What DECLARE makes the protocol can run, describe and close, and CLOSE what Bind makes."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages) + message(b"S"))
            return [body[:-1].decode() if kind == b"C" else fields(body)["C"] if kind == b"E" else kind.decode() for kind, body in wire.until(b"Z")]
        self.assertEqual(answers(step(b"BEGIN"), step(b"DECLARE c CURSOR FOR VALUES (1), (2), (3)")), ["1", "2", "BEGIN", "1", "2", "DECLARE CURSOR", "Z"])
        execute = message(b"E", b"c\0" + struct.pack("!I", 2))
        self.assertEqual(answers(message(b"D", b"Pc\0"), execute, execute), ["T", "D", "D", "s", "D", "SELECT 1", "Z"])
        self.assertEqual(answers(message(b"C", b"Pc\0"), message(b"P", b"\0SELECT 1\0\0\0"), message(b"B", b"p\0" + b"\0" * 7), step(b"CLOSE p"), message(b"E", b"p\0\0\0\0\0")),
                         ["3", "1", "2", "1", "2", "CLOSE CURSOR", "34000", "Z"])
        wire.socket.close()

    def test_binary_cursors(self):
        """BINARY is what FETCH in a simple query gives. Execute of the cursor's portal gives text, and a FETCH that is bound what its Bind says."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def rows(*messages):
            wire.socket.sendall(b"".join(messages))
            return [body[6:] for kind, body in wire.until(b"Z") if kind == b"D"]
        sync, text, binary = message(b"S"), [b"5"], [b"\0\0\0\5"]
        self.assertEqual(rows(message(b"Q", b"DECLARE c SCROLL BINARY CURSOR WITH HOLD FOR SELECT 5; FETCH c\0")), binary)
        back = message(b"Q", b"FETCH PRIOR FROM c; MOVE BACKWARD ALL FROM c\0")
        self.assertEqual(rows(back), [])
        self.assertEqual(rows(message(b"D", b"Pc\0"), message(b"E", b"c\0" + b"\0" * 4), sync), text)
        rows(back)
        self.assertEqual(rows(step(b"FETCH c"), sync), text)
        rows(back)
        self.assertEqual(rows(message(b"P", b"\0FETCH c\0\0\0"), message(b"B", b"\0\0\0\0\0\0" + struct.pack("!HH", 1, 1)), message(b"E", b"\0" * 5), sync), binary)
        wire.socket.close()

    def test_a_query_of_several_statements_is_a_block(self):
        """For all that asks for one, but savepoints and AND CHAIN; SET TRANSACTION holds up to its end, and so does that of a pipeline, with a warning."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages))
            return [fields(body)["C"] if kind in b"EN" else body[:-1].decode() for kind, body in wire.until(b"Z") if kind in b"CEN"]

        def query(sql):
            return answers(message(b"Q", sql.encode() + b"\0"))
        self.assertEqual(query("CREATE TABLE block (a int)"), ["CREATE TABLE"])
        self.assertEqual(query("DECLARE c CURSOR FOR SELECT generate_series(1, 4); FETCH 2 FROM c"), ["DECLARE CURSOR", "FETCH 2"])
        self.assertEqual(query("FETCH c"), ["34000"])
        self.assertEqual(query("SELECT 1; DECLARE c CURSOR FOR SELECT 1"), ["SELECT 1", "DECLARE CURSOR"])
        self.assertEqual(query("DECLARE c CURSOR FOR SELECT a FROM block; INSERT INTO block VALUES (1); FETCH ALL c; COMMIT; FETCH c"), ["DECLARE CURSOR", "INSERT 0 1", "FETCH 0", "25P01", "COMMIT", "34000"])
        self.assertEqual(query("DECLARE c CURSOR FOR SELECT a FROM block; BEGIN; FETCH c"), ["DECLARE CURSOR", "BEGIN", "FETCH 1"])
        self.assertEqual(query("FETCH c; COMMIT"), ["FETCH 0", "COMMIT"])
        self.assertEqual(query("SELECT 1; LOCK TABLE block; SELECT 2"), ["SELECT 1", "LOCK TABLE", "SELECT 1"])
        self.assertEqual(query("BEGIN; COMMIT; LOCK TABLE block"), ["BEGIN", "COMMIT", "LOCK TABLE"])
        self.assertEqual(query("SET CONSTRAINTS ALL DEFERRED; SELECT 1"), ["SET CONSTRAINTS", "SELECT 1"])
        for sql in ("LOCK TABLE block", "DECLARE c CURSOR FOR SELECT 1", "SAVEPOINT s; SELECT 1", "RELEASE s; SELECT 1", "ROLLBACK TO s; SELECT 1", "COMMIT AND CHAIN; SELECT 1", "ROLLBACK AND CHAIN; SELECT 1"):
            self.assertEqual(query(sql), ["25P01"], sql)
        self.assertEqual(query("SET TRANSACTION READ ONLY; INSERT INTO block VALUES (9)"), ["SET", "25006"])
        self.assertEqual(query("SET TRANSACTION READ ONLY; SET TRANSACTION READ WRITE; INSERT INTO block VALUES (2)"), ["SET", "SET", "INSERT 0 1"])
        self.assertEqual(query("SET TRANSACTION READ ONLY; TABLE block; SET TRANSACTION READ WRITE"), ["SET", "SELECT 2", "25001"])
        self.assertEqual(query("SET TRANSACTION READ ONLY"), ["25P01", "SET"])
        self.assertEqual(answers(step(b"SET TRANSACTION READ ONLY"), step(b"INSERT INTO block VALUES (9)"), message(b"S")), ["25P01", "SET", "25006"])
        for before in ("RESET ALL", "SET CONSTRAINTS ALL DEFERRED", "LOCK TABLE block", "SHOW DateStyle"):
            self.assertEqual(query("BEGIN; %s; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; SET TRANSACTION ISOLATION LEVEL READ COMMITTED" % before)[2:], ["SET", "SELECT 1", "25001"], before)
            self.assertEqual(query("ROLLBACK"), ["ROLLBACK"])
        wire.socket.sendall(message(b"Q", b"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SHOW transaction_isolation; BEGIN; SHOW transaction_isolation; COMMIT; SHOW transaction_isolation\0"))
        self.assertEqual([body[6:] for kind, body in wire.until(b"Z") if kind == b"D"], [b"read committed", b"read committed", b"serializable"])
        self.assertEqual(query("TABLE block"), ["SELECT 2"])
        wire.socket.close()

    def test_what_fails_before_its_end_gives_no_rows(self):
        """Of what writes, and of EXECUTE, FETCH and EXPLAIN, rows and what describes them are told when they have come to an end; a query's go out as they come."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def kinds(sql):
            wire.socket.sendall(message(b"Q", sql.encode() + b"\0"))
            return "".join(kind.decode() for kind, _ in wire.until(b"Z"))
        for sql in ("CREATE TABLE whole (a int PRIMARY KEY)", "INSERT INTO whole VALUES (1), (2)", "CREATE TABLE later (a int REFERENCES whole DEFERRABLE INITIALLY DEFERRED)",
                    "PREPARE divides AS SELECT 1 / (2 - a) FROM whole", "DECLARE c CURSOR WITH HOLD FOR SELECT a, nullif(a, 2)::text FROM whole"):
            self.assertEqual(kinds(sql), "CZ", sql)
        for sql in ("INSERT INTO whole VALUES (7), (1) RETURNING a", "UPDATE whole SET a = 2 RETURNING a", "DELETE FROM whole RETURNING 1 / (a - 2)", "WITH i AS (INSERT INTO whole VALUES (8), (1) RETURNING a) SELECT a FROM i",
                    "EXECUTE divides", "EXPLAIN ANALYZE SELECT 1 / (2 - a) FROM whole"):
            self.assertEqual(kinds(sql), "EZ", sql)
            self.assertEqual(kinds("SELECT 3; " + sql), "TDCEZ", sql)
        self.assertEqual(kinds("BEGIN; DECLARE d CURSOR FOR SELECT 1 / (2 - a) FROM whole; FETCH ALL FROM d"), "CCEZ")
        self.assertEqual(kinds("ROLLBACK; SELECT 1 / (2 - a) FROM whole")[:2], "CT")
        self.assertEqual(kinds("INSERT INTO later VALUES (5) RETURNING a"), "TDEZ")  # It is its transaction that fails.
        wire.socket.close()

    def test_parameters_of_what_is_not_a_query(self):
        """Where there is one that nobody gives a value it is refused, whatever kind of statement it stands in; without a type of its own it is read as what is wanted there."""
        server = self.cluster("protocol", shards=1)
        wire = self.wire(server)

        def answers(*messages):
            wire.socket.sendall(b"".join(messages))
            return [fields(body)["C"] if kind == b"E" else body[6:].decode() if kind == b"D" else body[:-1].decode() for kind, body in wire.until(b"Z") if kind in b"CED"]

        def bound(sql, *values):
            data = b"".join(struct.pack("!I", len(value)) + value for value in values)
            return answers(message(b"P", b"\0" + sql.encode() + b"\0\0\0"), message(b"B", b"\0\0" + struct.pack("!HH", 0, len(values)) + data + b"\0\0"), message(b"E", b"\0" * 5), message(b"S"))
        self.assertEqual(bound("CREATE TABLE given (a int)"), ["CREATE TABLE"])
        for sql in ("COPY (SELECT $1 + 1) TO STDOUT", "CREATE TABLE made AS SELECT $1 + 1 AS a", "CREATE TABLE made AS SELECT 1 AS a LIMIT $1", "CREATE MATERIALIZED VIEW made AS SELECT $1::text AS a", "CREATE VIEW made AS SELECT $1::text AS a",
                    "CREATE TABLE made (a int DEFAULT $1)", "CREATE INDEX ON given ((a + $1))", "ALTER TABLE given ADD CHECK (a > $1)", "ALTER TABLE given ALTER a TYPE text USING $1::text", "CREATE DOMAIN made AS int CHECK (VALUE > $1)",
                    "CREATE FUNCTION made(a int DEFAULT $1) RETURNS int LANGUAGE sql AS 'SELECT 1'"):
            self.assertEqual(answers(message(b"Q", sql.encode() + b"\0")), ["42P02"], sql)
            self.assertEqual(bound(sql, b"3"), ["42P02"], sql)
        for sql in ("DECLARE made CURSOR WITH HOLD FOR SELECT $1::int", "EXPLAIN SELECT $1 + 1", "CANCEL JOB $1", "SHOW JOBS SELECT $1::int8", "CREATE TABLE made AS SELECT $65535::int"):
            self.assertEqual(answers(message(b"Q", sql.encode() + b"\0")), ["42P02"], sql)
        self.assertEqual(bound("PREPARE adds (int) AS SELECT $1 + 1"), ["PREPARE"])
        self.assertEqual(bound("EXECUTE adds ($1)", b"3"), ["4", "SELECT 1"])
        self.assertEqual(bound("EXECUTE adds ($1)", b"x"), ["22P02"])
        self.assertEqual(bound("EXECUTE adds ($1::int + $2)", b"3", b"4"), ["8", "SELECT 1"])
        self.assertEqual(bound("CANCEL JOB $1", b"3"), ["42704"])
        self.assertEqual(bound("ALTER TABLE given SPLIT AT SELECT $1 + 1 WHERE false", b"3")[-1], "SPLIT")
        self.assertEqual(bound("DECLARE sums CURSOR WITH HOLD FOR SELECT $1 + 1", b"3"), ["DECLARE CURSOR"])
        self.assertEqual(bound("FETCH sums"), ["4", "FETCH 1"])
        wire.socket.close()
