# SPDX-License-Identifier: GPL-3.0-or-later
"""Large objects as clients use them: psql's commands, libpq's calls (FunctionCall), two transactions at once, a cancel, a
crash, databases and virtual clusters side by side. What functions answer: tests/sql/large_objects.slt."""
import hashlib
import os
import random
import subprocess
import tempfile
import threading
import unittest

import psycopg2

from cluster import ClusterTest, cancelled

MIB = 1 << 20


class LargeObjects(ClusterTest):
    def psql(self, url, *commands):
        done = subprocess.run(["psql", url, "-X", "-A", "-q", "-v", "ON_ERROR_STOP=1"], input="\n".join(commands),
                              capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_psql_imports_lists_and_exports_them(self):
        server = self.cluster("psql", shards=1)
        data = random.Random(7).randbytes(300001)
        with tempfile.TemporaryDirectory() as folder:
            first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
            with open(first, "wb") as file:
                file.write(data)
            seen = self.psql(server.url(), r"\lo_import '%s' 'a file'" % first, r"\echo :LASTOID", r"\lo_list", r"\dl+",
                             r"\lo_export :LASTOID '%s'" % second, r"\lo_unlink :LASTOID", r"\lo_list")
            with open(second, "rb") as file:
                self.assertEqual(file.read(), data)
        oid = int(seen[0])
        self.assertGreaterEqual(oid, 16384)
        row = "%d|root|a file" % oid
        header = ["Large objects", "ID|Owner|Description"]
        self.assertEqual(seen[1:], header + [row, "(1 row)"] + ["Large objects", "ID|Owner|Access privileges|Description", "%d|root||a file" % oid, "(1 row)"] +
                         header + ["(0 rows)"])

    def test_a_crash_keeps_what_was_committed(self):
        server = self.cluster("crash", shards=1)
        data = random.Random(11).randbytes(3 * MIB + 77)
        with server.connect() as session:
            connection = session.raw
            connection.autocommit = False
            kept = connection.lobject(0, "wb", 4711)
            for at in range(0, len(data), 65536):
                kept.write(data[at:at + 65536])
            connection.commit()
            lost = connection.lobject(4711, "wb")
            lost.write(b"not this")
            server.kill()
        server.start()
        with server.wait_connect() as session:
            session.raw.autocommit = False
            found = session.raw.lobject(4711, "rb")
            self.assertEqual(hashlib.sha256(found.read()).digest(), hashlib.sha256(data).digest())
            self.assertEqual(found.seek(0, 2), len(data))
            session.raw.rollback()

    def test_two_transactions_do_not_lose_what_the_other_wrote(self):
        """In different pages both go through; of two writers of one page the second waits, and reads what the first left or fails."""
        server = self.cluster("two", shards=2)
        with server.connect() as one, server.connect() as two, server.connect() as three:
            one.run("SELECT lo_from_bytea(1000, convert_to(repeat('.', 10000), 'UTF8'))")
            for session in (one, two):
                session.run("BEGIN")
            one.run("SELECT lo_put(1000, 10, 'one')")
            two.run("SELECT lo_put(1000, 9000, 'two')")
            one.run("COMMIT")
            two.run("COMMIT")
            self.assertEqual(bytes(three.value("SELECT lo_get(1000)")).replace(b".", b""), b"onetwo")
            # Who writes to one keeps it from being dropped.
            one.run("BEGIN")
            one.run("SELECT lo_put(1000, 100, 'three')")
            three.run("SET lock_timeout = '50ms'")
            self.assert_error("55P03", "", lambda: three.run("SELECT lo_unlink(1000)"))
            three.run("GRANT SELECT ON LARGE OBJECT 1000 TO PUBLIC")
            one.run("COMMIT")
            three.run("SELECT lo_unlink(1000)")
            self.assertEqual(three.value("SELECT count(*) FROM pg_largeobject"), 0)

    def test_what_is_read_is_of_one_snapshot(self):
        server = self.cluster("snapshot", shards=1)
        with server.connect() as one, server.connect() as two:
            one.run("SELECT lo_from_bytea(1000, convert_to(repeat('a', 100000), 'UTF8'))")
            one.run("BEGIN")
            one.run("SELECT lo_open(1000, 262144)")
            self.assertEqual(bytes(one.value("SELECT loread(0, 3)")), b"aaa")
            two.run("SELECT lo_put(1000, 0, convert_to(repeat('b', 100000), 'UTF8'))")
            self.assertEqual(set(bytes(one.value("SELECT loread(0, 200000)"))), {ord("a")})
            one.run("COMMIT")
            self.assertEqual(set(bytes(one.value("SELECT lo_get(1000)"))), {ord("b")})

    def test_they_belong_to_their_database(self):
        server = self.cluster("databases", shards=1)
        with server.connect() as one:
            one.run("CREATE DATABASE other")
            one.run("SELECT lo_from_bytea(1000, 'here')")
            with server.connect(database="other") as two:
                two.run("SELECT lo_from_bytea(1000, 'there')")
                two.run("COMMENT ON LARGE OBJECT 1000 IS 'of another database'")
                self.assertEqual(bytes(two.value("SELECT lo_get(1000)")), b"there")
            self.assertEqual(bytes(one.value("SELECT lo_get(1000)")), b"here")
            self.assertIsNone(one.value("SELECT obj_description(1000, 'pg_largeobject')"))
            one.run("DROP DATABASE other")
            one.run("CREATE DATABASE other")
            with server.connect(database="other") as two:
                self.assertEqual(two.value("SELECT count(*) FROM pg_largeobject_metadata"), 0)
            self.assertEqual(bytes(one.value("SELECT lo_get(1000)")), b"here")

    def test_a_cancel_ends_a_long_write(self):
        server = self.cluster("cancel", shards=1)
        with server.connect() as session, server.connect() as watcher:
            session.run("SELECT lo_create(1000)")
            with cancelled(session, watcher):
                self.assert_error("57014", "", lambda: session.run(
                    "SELECT sum(length(lo_put(1000, n * 1000000, convert_to(repeat('x', 1000000), 'UTF8'))::text)) FROM generate_series(1, 100000) n"))
            self.assertEqual(session.value("SELECT length(lo_get(1000))"), 0)

    def test_others_go_on_while_a_long_hole_is_read(self):
        server = self.cluster("hole", shards=1)
        with server.connect() as session, server.connect() as other:
            session.run("SELECT lo_create(1000)")
            session.run("BEGIN")
            session.run("SELECT lo_truncate64(lo_open(1000, 131072), 4000000000000)")
            session.run("COMMIT")
            reader = threading.Thread(target=lambda: session.value("SELECT length(lo_get(1000, 0, 500000000))"))
            served = 0
            reader.start()
            while reader.is_alive():
                other.value("SELECT 1")
                served += 1
            reader.join()
        # The server has one shard: without yields, next to nothing.
        self.assertGreater(served, 30)


if __name__ == "__main__":
    unittest.main()
