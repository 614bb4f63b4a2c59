# SPDX-License-Identifier: GPL-3.0-or-later
"""One node of three in trouble: stopped, a full disk, a disk that fails or can only be read, a network that loses or cuts. The others go on."""
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import psycopg2

from cluster import wait_until
from nodes import Bank, LossyProxy, Nodes, Register
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
            register = Register(nodes, writes_through=1)
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
            goal = register.through(3) + 50
            wait_until(lambda: register.through(3) >= goal, "reads through the node that was full")
            register.check()

    def ext4(self):
        """A file system of its own in an image, mounted until the test ends."""
        for program in ("mkfs.ext4", "e2fsck"):
            if shutil.which(program) is None:
                self.skipTest("no %s here" % program)
        image = tempfile.NamedTemporaryFile(prefix="isopod-image-")
        self.addCleanup(image.close)
        image.truncate(900 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", image.name], check=True)
        return image, self.mounted("mount", "-o", "loop", image.name)

    def test_failing_disk_of_one_node(self):
        """From one moment on nothing can be written: the node ends, the others go on, and it comes back."""
        image, disk = self.ext4()
        with self.nodes(disk) as nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
            bank = Bank(nodes, through=2)
            run = bank.run(seconds=8)
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

    def test_disk_of_one_node_becomes_read_only(self):
        """As a file system does that has found an error: the node ends and says why, and does not start before it is repaired."""
        image, disk = self.ext4()
        with self.nodes(disk) as nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
            bank = Bank(nodes, through=2)
            run = bank.run(seconds=8)
            register = Register(nodes, writes_through=1)
            if subprocess.run(["mount", "-o", "remount,abort", disk], capture_output=True).returncode != 0:
                run.kill()
                run.communicate()
                register.stop()
                self.skipTest("the file system cannot be made to fail here")
            self.assertNotEqual(nodes[3].ended(), 0)
            bank.check(run)
            nodes[3].launch()
            self.assertNotEqual(nodes[3].ended(), 0)
            self.assertIn("Read-only file system", nodes[3].output())
            subprocess.run(["umount", disk], check=True)
            subprocess.run(["e2fsck", "-fy", image.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            subprocess.run(["mount", "-o", "loop", image.name, disk], check=True)
            nodes[3].start()
            wait_until(lambda: nodes.live(2) == [1, 2, 3], "the node to be back")
            wait_until(lambda: register.through(3) > 100, "reads through the node that is back")
            register.check()
            self.assertEqual(bank.sum(), bank.before)


class Stops(unittest.TestCase):
    def test_a_leader_that_slept(self):
        """SIGSTOP of the node that leads everything: others take over; when it wakes up it shows nothing of before."""
        with Nodes(3, shards=1) as nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
                bank = Bank(nodes, through=2)
                register = Register(nodes, writes_through=1)
                run = bank.run(seconds=10)
                for _ in range(2):
                    wait_until(lambda: all(leader == nodes[3].id for _, leader in copies(admin)), "the node to lead")
                    nodes[3].pause()
                    try:
                        wait_until(lambda: all(leader != nodes[3].id for _, leader in copies(admin)), "others to lead")
                        goal = len(register.writes) + 100
                        wait_until(lambda: len(register.writes) >= goal, "writes to go on")
                    finally:
                        nodes[3].unpause()
                    goal_3 = register.through(3) + 50
                    wait_until(lambda: register.through(3) >= goal_3, "reads through the node that slept")
            bank.check(run)
            register.check()


class Network:
    """A network of its own for each node, joined by a bridge that the tests can cut and spoil."""

    def __init__(self, count):
        self.name = "iso%x" % (os.getpid() & 0xfffff)
        self.count = count
        self.net = "10.%d.%d" % (200 + (os.getpid() >> 8) % 50, os.getpid() & 0xff)
        self.hosts = ["%s.%d" % (self.net, i) for i in range(1, count + 1)]

    def ip(self, *args, netns=None):
        command = ["ip"] + (["netns", "exec", netns, "ip"] if netns else []) + list(args)
        subprocess.run(command, check=True, capture_output=True)

    def make(self):
        self.ip("netns", "add", self.name + "s")
        switch = self.name + "s"
        self.ip("link", "add", "br0", "type", "bridge", netns=switch)
        self.ip("link", "set", "br0", "up", netns=switch)
        for i in range(self.count + 1):  # The last is the tests' own end.
            port = "p%d" % i
            self.ip("link", "add", port, "netns", switch, "type", "veth", "peer", "name", self.end(i),
                    *(["netns", self.add(i)] if i < self.count else []))
            self.ip("link", "set", port, "master", "br0", netns=switch)
            self.ip("link", "set", port, "up", netns=switch)
            netns = self.ns(i) if i < self.count else None
            self.ip("addr", "add", "%s.%d/24" % (self.net, i + 1 if i < self.count else 254), "dev", self.end(i), netns=netns)
            self.ip("link", "set", self.end(i), "up", netns=netns)
            if netns:
                self.ip("link", "set", "lo", "up", netns=netns)

    def ns(self, i):
        return "%sn%d" % (self.name, i)

    def add(self, i):
        self.ip("netns", "add", self.ns(i))
        return self.ns(i)

    def end(self, i):
        return "eth0" if i < self.count else self.name

    def cut(self, index, cut=True):
        self.ip("link", "set", "p%d" % (index - 1), "down" if cut else "up", netns=self.name + "s")

    def loss(self, index, percent):
        """Of what the node gets. False where the kernel cannot do it."""
        done = subprocess.run(["ip", "netns", "exec", self.name + "s", "tc", "qdisc", "replace", "dev", "p%d" % (index - 1),
                               "root", "netem", "loss", "%d%%" % percent], capture_output=True)
        return done.returncode == 0

    def destroy(self):
        for i in range(self.count):
            subprocess.run(["ip", "netns", "del", self.ns(i)], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name + "s"], capture_output=True)
        subprocess.run(["ip", "link", "del", self.name], capture_output=True)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("ip"), "making networks needs root, and ip")
class Networks(unittest.TestCase):
    def setUp(self):
        self.network = Network(3)
        self.addCleanup(self.network.destroy)
        try:
            self.network.make()
        except subprocess.CalledProcessError as error:
            self.skipTest("networks cannot be made here: %s" % error.stderr.decode().strip())

    def nodes(self):
        nodes = Nodes(3, shards=1, insecure=False, hosts=self.network.hosts)
        for i, node in nodes.all.items():
            node.prefix = ["ip", "netns", "exec", self.network.ns(i - 1)]
        return nodes

    def test_partition(self):
        """The leader of everything is cut off: the others go on without an error, and it finds its way back."""
        with self.nodes() as nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
            bank = Bank(nodes, through=2)
            run = bank.run(seconds=10)
            self.network.cut(3)
            wait_until(lambda: nodes[3].id not in nodes.live(1), "the node that was cut off to be missed")
            with nodes[1].connect(options="-ccluster=system") as admin:
                wait_until(lambda: all(leader != nodes[3].id for _, leader in copies(admin)), "others to lead")
            self.network.cut(3, False)
            wait_until(lambda: nodes.live(1) == [1, 2, 3], "the node to be back")
            bank.check(run)
            with nodes[3].connect("bank") as session:
                self.assertEqual(session.value("SELECT sum(balance) FROM bank"), bank.before)

    def test_loss_of_packets(self):
        with self.nodes() as nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
            bank = Bank(nodes, through=2)
            if not self.network.loss(3, 5):
                self.skipTest("this kernel cannot lose packets on purpose (netem): test_bad_connections does what it can")
            bank.check(bank.run(seconds=8))


class Connections(unittest.TestCase):
    def test_bad_connections(self):
        """Between all nodes connections stall and break; no client has an error, and nobody sees anything stale."""
        nodes = Nodes(3, shards=1)
        proxies = [LossyProxy(("127.0.0.1", node.port), index) for index, node in nodes.all.items()]
        for proxy, node in zip(proxies, nodes.all.values()):
            self.addCleanup(proxy.close)
            node.advertised = proxy.port
            node.extra = ["--advertise-addr", "127.0.0.1:%d" % proxy.port]
        nodes.join = ",".join("127.0.0.1:%d" % proxy.port for proxy in proxies)
        with nodes:
            with nodes[1].connect(options="-ccluster=system") as admin:
                led_by_third(nodes, admin)
            bank = Bank(nodes, through=2)
            register = Register(nodes, writes_through=1)
            for proxy in proxies:
                proxy.spoiling = True
            bank_run = bank.run(seconds=8)
            bank.check(bank_run)
            for proxy in proxies:
                proxy.spoiling = False
            register.check(least=10)
            self.assertGreater(sum(proxy.broken for proxy in proxies), 0)


if __name__ == "__main__":
    unittest.main()
