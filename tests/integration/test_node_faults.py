# SPDX-License-Identifier: GPL-3.0-or-later
"""One node of three in trouble: a full disk, a disk that fails, a network that loses or cuts. The others go on."""
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import psycopg2

from cluster import wait_until
from nodes import Bank, Nodes
from test_operators import copies

MIB = 1 << 20
EXT4_IOC_SHUTDOWN = 2 << 30 | 4 << 16 | ord("X") << 8 | 125


def led_by_third(nodes, session):
    """Three copies of everything, the third node leads: the one that gets into trouble."""
    session.run("ALTER RANGE default CONFIGURE ZONE USING num_replicas = 3, lease_preferences = '[[+zone=z3]]'")
    wait_until(lambda: all(len(where) == 3 and leader == nodes[3].id for where, leader in copies(session)),
               "three copies of each slice, led by the third node")


@unittest.skipUnless(os.geteuid() == 0, "making file systems needs root")
class Disks(unittest.TestCase):
    def mounted(self, *command):
        folder = tempfile.mkdtemp(prefix="isopod-disk-")
        done = subprocess.run(list(command) + [folder], capture_output=True)
        if done.returncode != 0:
            os.rmdir(folder)
            self.skipTest("mounting is not allowed here: %s" % done.stderr.decode().strip())
        self.addCleanup(shutil.rmtree, folder, True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder])
        return folder

    def nodes(self, disk):
        nodes = Nodes(3, shards=1)
        nodes[3].store = os.path.join(disk, "store")
        return nodes

    def test_full_disk_of_one_node(self):
        disk = self.mounted("mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs")
        with self.nodes(disk) as nodes, nodes[2].connect() as session, \
                nodes[1].connect(options="-ccluster=system") as admin:
            led_by_third(nodes, admin)
            session.run("CREATE TABLE t (a int PRIMARY KEY)")
            session.run("INSERT INTO t VALUES (0)")
            ballast = os.path.join(disk, "ballast")
            free = os.statvfs(disk)
            with open(ballast, "wb") as file:
                file.write(b"x" * (free.f_bavail * free.f_frsize - 30 * MIB))

            def written():
                session.run("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING")
                return all(leader != nodes[3].id for _, leader in copies(admin))
            wait_until(written, "leaders to leave the full node, and writes to go on")
            for number in range(2, 20):
                session.run("INSERT INTO t VALUES (%s)", (number,))
            self.assertEqual(session.value("SELECT count(*) FROM t"), 20)
            os.unlink(ballast)
            wait_until(lambda: all(leader == nodes[3].id for _, leader in copies(admin)),
                       "leaders to be back where they are wanted")
            self.assertEqual(session.value("SELECT count(*) FROM t"), 20)

    def test_failing_disk_of_one_node(self):
        """From one moment on nothing can be written: the node ends, the others go on, and it comes back."""
        image = tempfile.NamedTemporaryFile(prefix="isopod-image-")
        self.addCleanup(image.close)
        image.truncate(900 * MIB)
        if shutil.which("mkfs.ext4") is None:
            self.skipTest("no mkfs.ext4 here")
        subprocess.run(["mkfs.ext4", "-q", "-F", image.name], check=True)
        disk = self.mounted("mount", "-o", "loop", image.name)
        with self.nodes(disk) as nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
            bank = Bank(nodes, through=2)
            run = bank.run(seconds=12)
            folder = os.open(disk, os.O_RDONLY)
            try:
                fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", 1))  # What is in its journal stays.
            except OSError as error:
                run.kill()
                run.communicate()
                self.skipTest("the file system cannot be shut down here: %s" % error)
            finally:
                os.close(folder)
            self.assertNotEqual(nodes[3].ended(), 0)
            bank.check(run)
            # The disk is repaired: it catches up.
            subprocess.run(["umount", disk], check=True)
            subprocess.run(["mount", "-o", "loop", image.name, disk], check=True)
            nodes[3].start()
            wait_until(lambda: nodes.live(2) == [1, 2, 3], "the node to be back")
            with nodes[1].connect(options="-ccluster=system") as admin:
                wait_until(lambda: all(leader == nodes[3].id for _, leader in copies(admin)), "it to lead again")
            self.assertEqual(bank.sum(), bank.before)


if __name__ == "__main__":
    unittest.main()
