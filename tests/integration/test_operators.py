# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators see of a cluster of several nodes, and what they do to it."""
import os
import shutil
import socket
import struct
import unittest

import psycopg2

from cluster import wait_until
from nodes import Bank, Nodes


class Figures(unittest.TestCase):
    def test_every_node_tells_its_load(self):
        nodes = Nodes(2)
        place = os.path.join(nodes.folder, "locality")
        with open(place, "w") as file:
            file.write("region=a,zone=from-a-file\n")
        nodes[2].extra = ["--locality-file", place]
        with nodes:
            self.assertEqual({row["locality"] for row in nodes.status()}, {"zone=z1", "region=a,zone=from-a-file"})
            def told():
                rows = nodes.status()
                return all(int(row["data_bytes"]) > 0 and int(row["disk_bytes"]) > int(row["disk_free_bytes"]) > 0
                           for row in rows) and sum(int(row["ranges"]) for row in rows) > 0
            wait_until(told, "figures of load from both nodes")
            with nodes[2].connect(options="-ccluster=system") as session:
                self.assertEqual(session.value("SELECT count(*) FROM crdb_internal.kv_node_status "
                                               "WHERE data_bytes > 0 AND disk_bytes > disk_free_bytes"), 2)
                self.assertGreater(session.value("SELECT sum(ranges) FROM crdb_internal.gossip_nodes"), 0)


def copies(session):
    """(voters, lease holder) of each slice, whether or not it has ranges."""
    return [({int(id) for id in row[0].strip("{}").split(",") if id}, row[1]) for row in
            session.rows("SELECT voting_replicas, lease_holder FROM crdb_internal.slices")]


class Zones(unittest.TestCase):
    def test_forms(self):
        with Nodes(1, shards=1) as nodes, nodes[1].connect(options="-ccluster=system") as session:
            def shown():
                return session.rows("SHOW ZONE CONFIGURATION FROM RANGE default")
            self.assertEqual(shown()[0][0], "RANGE default")
            before = shown()
            session.run("""ALTER RANGE default CONFIGURE ZONE USING num_replicas = 5, gc.ttlseconds = 600,
                           constraints = '{"+region=a,+ssd": 2, +region=b: 1}', lease_preferences = '[[+region=a], [+ssd, -region=b]]'""")
            sql = shown()[0][1]
            for line in ("num_replicas = 5", "gc.ttlseconds = 600", "constraints = '{\"+region=a,+ssd\": 2, \"+region=b\": 1}'",
                         "lease_preferences = '[[+region=a], [+ssd, -region=b]]'", "range_max_bytes = 536870912"):
                self.assertIn(line, sql)
            session.run(sql)  # What is shown can be said again.
            self.assertEqual(shown()[0][1], sql)
            self.assertEqual(session.rows("SHOW ZONE CONFIGURATIONS"), shown())
            self.assertEqual(session.value("SELECT raw_config_sql FROM crdb_internal.zones WHERE target = 'RANGE default'"), sql)
            for wrong, code in (("num_replicas = 9", "22023"), ("num_replicas = 2", "22023"), ("num_replicas = 1", "22023"),
                                ("constraints = '[region=a]'", "22023"), ("constraints = '[+a'", "22023"),
                                ("constraints = '{+a: 0}'", "22023"), ("lease_preferences = '[+a]'", "22023"),
                                ("gc.ttlseconds = 0", "22023"), ("range_max_bytes = 1", "22023"),
                                ("num_voters = 3", "0A000"), ("nonsense = 3", "42601")):
                with self.assertRaises(psycopg2.Error, msg=wrong) as raised:
                    session.run("ALTER RANGE default CONFIGURE ZONE USING " + wrong)
                self.assertEqual(raised.exception.pgcode, code, wrong)
            self.assertEqual(shown()[0][1], sql)
            # The cluster's own records.
            self.assertEqual(session.value("SHOW ZONE CONFIGURATION FROM RANGE meta"), "RANGE default")
            session.run("ALTER RANGE meta CONFIGURE ZONE USING num_replicas = 7")
            target, own = session.rows("SHOW ZONE CONFIGURATION FROM RANGE meta")[0]
            self.assertEqual(target, "RANGE meta")
            self.assertIn("num_replicas = 7", own)
            session.run(own)
            self.assertEqual(len(session.rows("SHOW ZONE CONFIGURATIONS")), 2)
            session.run("ALTER RANGE meta CONFIGURE ZONE DISCARD")
            self.assertEqual(session.value("SHOW ZONE CONFIGURATION FROM RANGE meta"), "RANGE default")
            session.run("CREATE TABLE t (a int)")
            self.assertEqual(session.value("SHOW ZONE CONFIGURATION FROM TABLE t"), "RANGE default")
            for statement, code in (("ALTER PARTITION p OF TABLE t CONFIGURE ZONE USING gc.ttlseconds = 600", "0A000"),
                                    ("ALTER RANGE default CONFIGURE ZONE DISCARD", "22023"),
                                    ("ALTER RANGE liveness CONFIGURE ZONE USING num_replicas = 5", "0A000"),
                                    ("ALTER RANGE meta CONFIGURE ZONE USING gc.ttlseconds = 5", "0A000"),
                                    ("SHOW ZONE CONFIGURATION FROM TABLE nowhere", "42P01")):
                with self.assertRaises(psycopg2.Error, msg=statement) as raised:
                    session.run(statement)
                self.assertEqual(raised.exception.pgcode, code, statement)
            # A virtual cluster's own, over what it inherits.
            session.run("CREATE VIRTUAL CLUSTER app")
            session.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED")
            with nodes[1].connect(options="-ccluster=app") as own:
                self.assertIn("gc.ttlseconds = 600", own.rows("SHOW ZONE CONFIGURATIONS")[0][1])
                own.run("ALTER RANGE default CONFIGURE ZONE USING gc.ttlseconds = 60")
                self.assertIn("gc.ttlseconds = 60,", own.rows("SHOW ZONE CONFIGURATIONS")[0][1])
                own.run("ALTER RANGE default CONFIGURE ZONE DISCARD")
                self.assertIn("gc.ttlseconds = 600", own.rows("SHOW ZONE CONFIGURATIONS")[0][1])
                session.run("SET CLUSTER SETTING sql.virtual_cluster.feature_access.zone_configs_unrestricted.enabled = false")
                with self.assertRaises(psycopg2.Error) as raised:
                    own.run("ALTER RANGE default CONFIGURE ZONE USING num_replicas = 5")
                self.assertEqual(raised.exception.pgcode, "0A000")
            self.assertNotEqual(before, shown())

    def test_copies_follow(self):
        with Nodes(4, shards=1) as nodes, nodes[1].connect(options="-ccluster=system") as session:
            ids = {index: node.id for index, node in nodes.all.items()}
            session.run("CREATE TABLE t (a int PRIMARY KEY)")
            session.run("INSERT INTO t VALUES (1)")

            def settled(wanted):
                """Whether the copies of all ranges are on the nodes wanted, and their leaders too."""
                now = copies(session)
                return all(where <= wanted and len(where) == 3 and leader in where for where, leader in now)
            session.run("ALTER RANGE default CONFIGURE ZONE USING num_replicas = 3, constraints = '[-zone=z4]'")
            wait_until(lambda: settled({ids[1], ids[2], ids[3]}), "three copies, none on the fourth node")
            # Away from the first node, and led from the fourth.
            session.run("ALTER RANGE default CONFIGURE ZONE USING constraints = '[-zone=z1]', "
                        "lease_preferences = '[[+zone=z4]]'")
            wait_until(lambda: settled({ids[2], ids[3], ids[4]}), "three copies, none on the first node")
            wait_until(lambda: {leader for _, leader in copies(session)} == {ids[4]}, "the fourth node to lead")
            row = session.records("SHOW RANGES FROM TABLE t WITH DETAILS")[0]
            self.assertEqual(row["lease_holder"], ids[4])
            self.assertEqual(row["lease_holder_locality"], "zone=z4")
            self.assertEqual(row["voting_replicas"], "{%s}" % ",".join(str(id) for id in sorted((ids[2], ids[3], ids[4]))))
            self.assertIn('"zone=z3"', row["replica_localities"])
            # A node that stays away is replaced.
            session.run("ALTER RANGE default CONFIGURE ZONE USING constraints = '[]', lease_preferences = '[]'")
            session.run("SET CLUSTER SETTING server.time_until_store_dead = '6s'")
            nodes[3].kill()
            wait_until(lambda: settled({ids[1], ids[2], ids[4]}), "the dead node to be replaced")
            self.assertEqual(session.rows("SELECT a FROM t"), [(1,)])


class Past(unittest.TestCase):
    def test_any_replica_reads_the_past(self):
        """What is closed is read where the session is, also when nobody leads any more."""
        with Nodes(3, shards=1) as nodes, nodes[3].connect() as session:
            with nodes[1].connect(options="-ccluster=system") as admin:
                admin.run("ALTER RANGE default CONFIGURE ZONE USING num_replicas = 3, "
                          "lease_preferences = '[[+zone=z1]]'")
                wait_until(lambda: all(len(where) == 3 and leader == nodes[1].id for where, leader in copies(admin)),
                           "three copies of each range, led by the first node")
            session.run("CREATE TABLE t (a int PRIMARY KEY)")
            session.run("INSERT INTO t VALUES (1)")
            then = session.value("SELECT cluster_logical_timestamp()")
            session.run("INSERT INTO t VALUES (2)")
            past = "SELECT a FROM t AS OF SYSTEM TIME %s"
            for when in ("follower_read_timestamp()", "with_max_staleness('10s')", "with_max_staleness('1ms')",
                         "with_min_timestamp(now() - '1s'::interval)"):
                wait_until(lambda: session.rows(past % when) == [(1,), (2,)], "a read %s to see both" % when)
            before, follower, after = (session.value("SELECT " + what) for what in (
                "clock_timestamp() - '4.2s'::interval", "follower_read_timestamp()", "clock_timestamp() - '4.2s'::interval"))
            self.assertTrue(before <= follower <= after, (before, follower, after))
            with self.assertRaises(psycopg2.Error) as raised:
                session.run(past % "with_max_staleness('-1s')")
            self.assertEqual(raised.exception.pgcode, "22023")
            self.assertEqual(session.rows(past % then), [(1,)])
            nodes[1].kill()
            nodes[2].kill()
            self.assertEqual(session.rows(past % then), [(1,)])


class Leaving(unittest.TestCase):
    def test_decommission_under_load(self):
        with Nodes(4, shards=1) as nodes:
            ids = {index: node.id for index, node in nodes.all.items()}
            with nodes[1].connect(options="-ccluster=system") as session:
                session.run("ALTER RANGE default CONFIGURE ZONE USING num_replicas = 3")
                wait_until(lambda: all(len(where) == 3 for where, _ in copies(session)), "three copies of each range")
                bank = Bank(nodes, through=2)
                # Taken back before it is through.
                out = nodes.command("node", "decommission", str(ids[4]), "--wait=none", "--format", "csv")
                self.assertIn("decommissioning", out)
                out = nodes.command("node", "recommission", str(ids[4]), "--format", "csv")
                self.assertIn("active", out)
                self.assertIn("does not exist", nodes.command("node", "decommission", "77", check=False))
                run = bank.run(seconds=8)
                out = nodes.command("node", "decommission", str(ids[4]), node=3)
                self.assertIn("No more data reported", out)
                self.assertIn("decommissioned", out)
                wait_until(lambda: all(ids[4] not in where for where, _ in copies(session)), "no copy on the node that left")
                self.assertEqual({row["membership"] for row in nodes.status() if int(row["id"]) == ids[4]} - {"decommissioned"}, set())
                bank.check(run)
                # Another one less, and there is no room for three copies: that must be wanted.
                out = nodes.command("node", "decommission", str(ids[3]), check=False)
                self.assertIn("room for 1 copies of 3", out)
                self.assertIn("--checks=skip", out)
                self.assertEqual({row["membership"] for row in nodes.status() if int(row["id"]) == ids[3]}, {"active"})
                # The one that left for good ends by itself, and is not taken in again.
                self.assertNotEqual(nodes[4].ended(), 0)
                nodes[4].launch()
                self.assertNotEqual(nodes[4].ended(), 0)
                self.assertIn("was decommissioned", nodes[4].output())
                self.assertIn("empty --store", nodes[4].output())
                self.assertNotIn(str(ids[4]), nodes.command("node", "ls", "--format", "csv").split())
                self.assertIn("was decommissioned", nodes.command("node", "recommission", str(ids[4]), check=False))


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Refusals(unittest.TestCase):
    """Who does not belong to the cluster is told why, and what to do."""

    def refused(self, node, *reasons):
        node.launch()
        self.assertNotEqual(node.ended(), 0)
        for reason in reasons:
            self.assertIn(reason, node.output())

    def test_strangers(self):
        with Nodes(2, shards=1) as nodes:
            wait_until(lambda: nodes.live() == [1, 2], "both nodes to be live")
            address = "127.0.0.1:%d" % nodes[2].port
            self.refused(nodes.add(3, ["--advertise-addr", address]), "is that of node %d" % nodes[2].id,
                         "--advertise-addr of its own")
            copy = nodes.add(4)
            shutil.copytree(nodes[2].store, copy.store, ignore=shutil.ignore_patterns("log-*", "slice-*", "LOCK", "logs"))
            self.refused(copy, "is a copy", "empty --store")
            self.assertEqual(nodes.live(), [1, 2])
            with Nodes(2, shards=1) as others:
                # The other cluster is away, and its node knows of nobody but this one.
                others[1].kill()
                others[2].stop()
                stray = others[2]
                peers = os.path.join(stray.store, "PEERS")
                if os.path.exists(peers):
                    os.unlink(peers)
                others.join = nodes.join
                self.refused(stray, "belongs to cluster", "addresses of the cluster that the store was made for")
            self.assertEqual(nodes.live(), [1, 2])

    def test_copied_stores(self):
        """A store is refused once its node has run with another state of it, whoever is up when it comes."""
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            second = nodes[2]
            ids = sorted(nodes[i].id for i in (1, 2, 3))
            reasons = ("is a copy or an old state of the store of node %d" % second.id, "must not be copied", "decommission")

            def missed():  # Until then it is said that the node is alive.
                wait_until(lambda: second.id not in nodes.live(), "the node to be missed")

            def copy_to(index, store):
                node = nodes.all.get(index) or nodes.add(index)
                shutil.rmtree(node.store, ignore_errors=True)
                shutil.copytree(store, node.store, ignore=shutil.ignore_patterns("LOCK", "logs"))
                return node

            # While it runs; then it stops in order.
            second.pause()
            running = copy_to(4, second.store)
            second.unpause()
            second.stop()
            missed()
            self.refused(running, *reasons)
            # When it is down; then it runs again, and is killed.
            down = copy_to(4, second.store)
            second.start()
            second.kill()
            missed()
            self.refused(down, *reasons)
            # While it runs, and goes on without another start for as long as others know of its next state; then it is killed.
            second.start()
            second.pause()
            snapshot = copy_to(4, second.store)
            second.unpause()

            def state(store):
                with open(os.path.join(store, "CLUSTER")) as file:
                    return bytes.fromhex(file.read().split()[-1])

            def known():
                with open(os.path.join(nodes[1].store, "PEERS"), "rb") as file:
                    return state(second.store) != state(snapshot.store) and state(second.store) in file.read()
            wait_until(known, "the next state of the store")
            second.kill()
            missed()
            self.refused(snapshot, *reasons)
            # As it is now it is the node's own, elsewhere; and then what it was copied from is not.
            moved = copy_to(5, second.store)
            moved.start()
            wait_until(lambda: nodes.live() == ids, "the node to be back at its new place")
            self.refused(second, "is a copy")
            moved.kill()
            missed()
            self.refused(second, *reasons)
            # All nodes at once: nobody can be asked.
            nodes[1].kill()
            nodes[3].kill()
            for node in (nodes[1], nodes[3], second):
                node.launch()
            self.assertNotEqual(second.ended(), 0)
            for reason in reasons:
                self.assertIn(reason, second.output())
            for node in (nodes[1], nodes[3]):
                node.await_serving()
            moved.start()
            wait_until(lambda: nodes.live() == ids, "all nodes")

    def test_other_version(self):
        """What a node of another release would be told."""
        with Nodes(1, shards=1) as nodes:
            for version in (0, 99):  # An older one, a newer one.
                hello = struct.pack("<I16s5IB", version, bytes(16), 0, 0, 0, 0, 1, 0)
                rest = struct.pack("<BBHIQQ", 1, 0, 0, 0, 0, 0) + hello  # Kind, class, method, clock, id.
                with socket.create_connection(("127.0.0.1", nodes[1].port)) as raw:
                    raw.sendall(b"ISOPOD\1\n" + struct.pack("<II", len(rest), crc32c(rest)) + rest)
                    raw.settimeout(20)
                    answer = b""
                    while b"same release" not in answer:
                        part = raw.recv(4096)
                        self.assertTrue(part, answer)
                        answer += part
                    self.assertIn(b"protocol version %d does not go with version" % version, answer)


if __name__ == "__main__":
    unittest.main()
