# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators see of a cluster of several nodes, and what they do to it."""
import unittest

import psycopg2

from cluster import wait_until
from nodes import Nodes


class Figures(unittest.TestCase):
    def test_every_node_tells_its_load(self):
        with Nodes(2) as nodes:
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
    """(replicas, lease holder) of each range, as sets of nodes."""
    return [({int(id) for id in row[0].strip("{}").split(",") if id}, row[1]) for row in
            session.rows("SELECT replicas, lease_holder FROM crdb_internal.ranges")]


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
            session.run("CREATE TABLE t (a int)")
            self.assertEqual(session.value("SHOW ZONE CONFIGURATION FROM TABLE t"), "RANGE default")
            for statement, code in (("ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 600", "0A000"),
                                    ("ALTER RANGE default CONFIGURE ZONE DISCARD", "22023"),
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


if __name__ == "__main__":
    unittest.main()
