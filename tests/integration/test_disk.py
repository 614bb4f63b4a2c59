# SPDX-License-Identifier: GPL-3.0-or-later
"""A full disk refuses writes with 53100, goes on reading, and heals when there is room."""
import os
import shutil
import subprocess
import tempfile
import unittest

import psycopg2

from cluster import ClusterTest, wait_until

MIB = 1 << 20


@unittest.skipUnless(os.geteuid() == 0, "making a small file system needs root")
class FullDisk(ClusterTest):
    def small_disk(self, mib):
        folder = tempfile.mkdtemp(prefix="isopod-disk-")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % mib, "tmpfs", folder], capture_output=True)
        if mounted.returncode != 0:
            os.rmdir(folder)
            self.skipTest("mounting is not allowed here: %s" % mounted.stderr.decode().strip())
        self.addCleanup(shutil.rmtree, folder, True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        return folder

    def test_full_disk_refuses_writes_reads_on_and_heals(self):
        disk = self.small_disk(700)
        server = self.cluster("full", profile="virtual+app", shards=1, store=os.path.join(disk, "store"))
        with server.wait_connect("main") as session:
            session.run("CREATE TABLE t (id INT PRIMARY KEY, v BYTEA)")
            session.run("INSERT INTO t VALUES (0, 'first')")
            ballast = os.path.join(disk, "ballast")
            with open(ballast, "wb") as file:
                try:
                    while True:
                        file.write(b"x" * MIB)
                        file.flush()
                except OSError:
                    pass
            acknowledged = 0
            refused = None
            for number in range(1, 2000):
                try:
                    session.run("INSERT INTO t VALUES (%s, %s)", (number, os.urandom(MIB // 2)))
                    acknowledged = number
                except psycopg2.Error as error:
                    refused = error
                    break
            self.assertIsNotNone(refused, "the disk never filled up")
            self.assertEqual(refused.pgcode, "53100", str(refused))
            self.assertEqual(session.rows("SELECT count(*), max(id) FROM t"), [(acknowledged + 1, acknowledged)])
            os.unlink(ballast)

            def writes_again():
                session.run("INSERT INTO t VALUES (1000000, 'after') ON CONFLICT (id) DO NOTHING")
                return True
            wait_until(writes_again, "writes after room was made")
            self.assertEqual(session.value("SELECT count(*) FROM t"), acknowledged + 2)
        server.kill()
        server.start()
        with server.wait_connect("main") as session:
            self.assertEqual(session.value("SELECT count(*) FROM t"), acknowledged + 2)


if __name__ == "__main__":
    unittest.main()
