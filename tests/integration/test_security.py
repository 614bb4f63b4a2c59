# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in, and what a virtual cluster gets of another: nothing. Bad bytes get an error; other sessions stay."""
import os
import socket
import ssl
import struct
import subprocess
import unittest

import psycopg2

from cluster import ISOPOD, Cluster, ClusterTest, wait_until


def certificates(folder, *users):
    def cert(*arguments):
        subprocess.run([ISOPOD, "cert", *arguments, "--certs-dir", folder, "--ca-key", folder + "/ca.key"], check=True,
                       stdout=subprocess.DEVNULL)
    cert("create-ca")
    cert("create-node", "localhost", "127.0.0.1")
    for user in users:
        cert("create-client", user)


def message(kind, body):
    return kind + struct.pack(">I", len(body) + 4) + body


def startup(user="root", database="defaultdb", options="-ccluster=main"):
    pairs = b"".join(x.encode() + b"\0" for x in ("user", user, "database", database, "options", options))
    body = struct.pack(">I", 196608) + pairs + b"\0"
    return struct.pack(">I", len(body) + 4) + body


class Secure(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="secure", profile="virtual+app", insecure=False)
        cls.certs = cls.server.certs
        subprocess.run([ISOPOD, "cert", "create-client", "alice", "--certs-dir", cls.certs, "--ca-key", cls.certs + "/ca.key"],
                       check=True, stdout=subprocess.DEVNULL)
        cls.server.start()
        with cls.connect_as("root", cert=True) as session:
            session.run("CREATE USER alice WITH PASSWORD 'wonder land'")
            session.run("CREATE USER bob")

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    @classmethod
    def connect_as(cls, user, tenant="main", cert=False, password=None, ca="certs", sslmode="verify-full"):
        from cluster import Session
        folder = cls.certs if ca == "certs" else ca
        parts = {"host": cls.server.host, "port": cls.server.port, "user": user, "dbname": "defaultdb",
                 "options": "-ccluster=" + tenant, "sslmode": sslmode}
        if sslmode.startswith("verify"):
            parts["sslrootcert"] = folder + "/ca.crt"
        if cert:
            parts["sslcert"] = "%s/client.%s.crt" % (folder, cert if isinstance(cert, str) else user)
            parts["sslkey"] = "%s/client.%s.key" % (folder, cert if isinstance(cert, str) else user)
        else:
            parts["sslcert"] = parts["sslkey"] = "/nonexistent"
        if password:
            parts["password"] = password
        return Session(" ".join("%s='%s'" % i for i in parts.items()))

    def refused(self, text, **options):
        with self.assertRaises(psycopg2.OperationalError) as caught:
            self.connect_as(**options)
        self.assertIn(text, str(caught.exception))

    def test_passwords(self):
        with self.connect_as("alice", password="wonder land") as session:
            self.assertEqual(session.value("SELECT current_user"), "alice")
        self.refused("password authentication failed", user="alice", password="guess")
        self.refused("password authentication failed", user="bob", password="x")
        self.refused("password authentication failed", user="nobody", password="x")

    def test_certificates(self):
        with self.connect_as("root", cert=True) as session:
            self.assertEqual(session.value("SELECT 1"), 1)
        self.refused("certificate authentication failed", user="root", cert="alice")

    def test_foreign_certificate(self):
        other = os.path.join(self.server.folder, "other")
        os.mkdir(other, 0o700)
        certificates(other, "root")
        self.refused("certificate verify failed", user="root", cert=True, ca=other)
        # A client that does not check the server, with a certificate of another authority.
        with self.assertRaises(psycopg2.OperationalError):
            self.connect_as("root", cert=True, ca=other, sslmode="require")

    def test_plaintext_is_refused(self):
        with self.assertRaises(psycopg2.OperationalError) as caught:
            self.connect_as("alice", password="wonder land", sslmode="disable")
        self.assertIn("SSL connection required", str(caught.exception))

    def test_users_of_virtual_clusters_are_unrelated(self):
        self.refused("password authentication failed", user="alice", tenant="system", password="wonder land")

    def test_unknown_virtual_cluster(self):
        self.refused("service unavailable for target tenant (nosuch)", user="root", tenant="nosuch", cert=True)

    def test_reload_on_sighup(self):
        import signal
        subprocess.run([ISOPOD, "cert", "create-node", "localhost", "127.0.0.1", "renewed.example", "--overwrite",
                        "--certs-dir", self.certs, "--ca-key", self.certs + "/ca.key"], check=True, stdout=subprocess.DEVNULL)
        self.server.process.send_signal(signal.SIGHUP)

        def renewed():
            context = ssl.create_default_context(cafile=self.certs + "/ca.crt")
            with socket.create_connection((self.server.host, self.server.port)) as raw:
                raw.sendall(struct.pack(">II", 8, 80877103))
                self.assertEqual(raw.recv(1), b"S")
                with context.wrap_socket(raw, server_hostname="localhost") as tls:
                    return any(name == "renewed.example" for _, name in tls.getpeercert()["subjectAltName"])
        wait_until(renewed, "the new certificate")


class BadInput(ClusterTest):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="bad", profile="virtual+app")
        cls.server.start()
        cls.witness = cls.server.wait_connect("main")

    @classmethod
    def tearDownClass(cls):
        cls.witness.close()
        cls.server.destroy()

    def tearDown(self):
        self.assertEqual(self.witness.value("SELECT 41 + 1"), 42)

    def raw(self):
        connection = socket.create_connection((self.server.host, self.server.port), timeout=20)
        self.addCleanup(connection.close)
        return connection

    def read_all(self, connection):
        data = b""
        try:
            while True:
                piece = connection.recv(65536)
                if not piece:
                    return data
                data += piece
        except ConnectionResetError:
            return data

    def ready(self, connection):
        data = b""
        while not data.endswith(b"Z\0\0\0\x05I"):
            piece = connection.recv(65536)
            self.assertTrue(piece, data)
            data += piece
        return data

    def test_malformed_startup_packets(self):
        for packet in (b"\0\0\0\3", b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">II", 8, 12345),
                       struct.pack(">II", 9, 196608) + b"x", struct.pack(">I", 9) + struct.pack(">I", 196608) + b"\0"):
            connection = self.raw()
            connection.sendall(packet)
            connection.shutdown(socket.SHUT_WR)
            self.read_all(connection)

    def test_oversized_and_unknown_messages(self):
        for packet in (b"Q\xff\xff\xff\xff", b"Q\0\0\0\1", message(b"!", b""), b"B" + struct.pack(">I", 0x7fffffff)):
            connection = self.raw()
            connection.sendall(startup())
            self.ready(connection)
            connection.sendall(packet)
            self.assertIn(b"C08P01", self.read_all(connection))

    def test_truncated_fields_are_errors_of_one_message(self):
        connection = self.raw()
        connection.sendall(startup())
        self.ready(connection)
        for packet in (message(b"P", b"\0select 1\0\0\5"), message(b"B", b"\0\0\0\1"), message(b"D", b"X\0"),
                       message(b"E", b"\0"), message(b"C", b"")):
            connection.sendall(packet + message(b"S", b""))
            self.assertIn(b"ERROR", self.ready(connection))
        connection.sendall(message(b"Q", b"SELECT 1\0"))
        self.assertIn(b"SELECT 1", self.ready(connection))

    def test_deep_nesting_is_an_error(self):
        with self.server.connect("main") as session:
            for sql in ("SELECT " + "(" * 20000 + "1" + ")" * 20000, "SELECT " + "-" * 1 + " - " * 20000 + "1",
                        "SELECT " + "ARRAY[" * 5000 + "1" + "]" * 5000):
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run(sql)
                self.assertIn(caught.exception.pgcode, ("54001", "42601"), sql[:60])

    def test_errors_carry_sqlstate_and_position(self):
        with self.server.connect("main") as session:
            with self.assertRaises(psycopg2.Error) as caught:
                session.run("SELECT 1 +")
            self.assertEqual(caught.exception.pgcode, "42601")
            with self.assertRaises(psycopg2.Error) as caught:
                session.run("SELECT nosuch FROM (SELECT 1 AS a) s")
            self.assertEqual(caught.exception.pgcode, "42703")
            self.assertEqual(caught.exception.diag.statement_position, "8")

    def test_unsupported_statements_are_refused_by_name(self):
        with self.server.connect("main") as session:
            for sql in ("LISTEN x", "CREATE TRIGGER t BEFORE INSERT ON x EXECUTE FUNCTION f()", "PREPARE TRANSACTION 'x'",
                        "CREATE EXTENSION hstore"):
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run(sql)
                self.assertEqual(caught.exception.pgcode, "0A000", sql)


class Tenants(ClusterTest):
    def test_a_virtual_cluster_gets_nothing_of_another(self):
        server = self.cluster("tenants", profile="virtual+app")
        with server.connect() as system:
            system.run("CREATE VIRTUAL CLUSTER other")
            system.run("ALTER VIRTUAL CLUSTER other START SERVICE SHARED")
        with server.wait_connect("main") as main, server.wait_connect("other") as other:
            main.run("CREATE TABLE secret (v TEXT)")
            main.run("INSERT INTO secret VALUES ('only main knows')")
            self.assert_error("42P01", "does not exist", lambda: other.run("SELECT * FROM secret"))
            self.assert_error("42501", "only the system tenant can", lambda: other.run("SHOW VIRTUAL CLUSTERS"))
            self.assert_error("42501", "only the system tenant can", lambda: other.run("CREATE VIRTUAL CLUSTER third"))
            self.assertEqual(other.rows("SELECT count(*) FROM pg_tables WHERE tablename = 'secret'"), [(0,)])
            self.assertEqual(other.value("SHOW virtual_cluster_name"), "other")
            with self.assertRaises(psycopg2.Error):
                other.run("SELECT * FROM system.public.tenants")


if __name__ == "__main__":
    unittest.main()
