# SPDX-License-Identifier: GPL-3.0-or-later
"""Zone configurations of databases, tables and indexes, and the copies that follow them."""
import unittest

import psycopg2

from cluster import wait_until
from nodes import Nodes


def sqlstate(session, statement):
    try:
        session.run(statement)
    except psycopg2.Error as error:
        return error.pgcode
    return "00000"


class Zones(unittest.TestCase):
    def shown(self, session, what):
        return session.rows("SHOW ZONE CONFIGURATION FROM " + what)[0]

    def test_forms(self):
        with Nodes(1, shards=2) as nodes, nodes[1].connect() as session:
            session.run("CREATE DATABASE d")
            session.run("CREATE TABLE d.t (a int PRIMARY KEY, b int, INDEX by_b (b))")
            session.run("INSERT INTO d.t SELECT i, i FROM generate_series(1, 100) i")
            # Index < table < database < RANGE default.
            for what in ("DATABASE d", "TABLE d.t", "INDEX d.t@by_b"):
                self.assertEqual(self.shown(session, what)[0], "RANGE default")
            session.run("ALTER DATABASE d CONFIGURE ZONE USING gc.ttlseconds = 7000, range_max_bytes = 1000000")
            self.assertEqual(self.shown(session, "INDEX d.t@by_b")[0], "DATABASE d")
            session.run("ALTER TABLE d.t CONFIGURE ZONE USING gc.ttlseconds = 600")
            target, sql = self.shown(session, "INDEX d.t@by_b")
            self.assertEqual(target, "TABLE d.public.t")
            self.assertIn("gc.ttlseconds = 600,", sql)
            self.assertIn("range_max_bytes = 1000000,", sql)
            session.run("ALTER INDEX d.t@by_b CONFIGURE ZONE USING gc.ttlseconds = COPY FROM PARENT, range_max_bytes = 2000000")
            target, sql = self.shown(session, "INDEX d.t@by_b")
            self.assertEqual(target, "INDEX d.public.t@by_b")
            self.assertIn("gc.ttlseconds = 600,", sql)
            self.assertIn("range_max_bytes = 2000000,", sql)
            session.run(sql)  # What is shown can be said again.
            everything = session.rows("SHOW ZONE CONFIGURATIONS")
            self.assertEqual([row[0] for row in everything],
                             ["RANGE default", "DATABASE d", "TABLE d.public.t", "INDEX d.public.t@by_b"])
            self.assertEqual(session.value("SELECT count(*) FROM crdb_internal.zones"), 4)
            # It goes with the thing: its name changes, it is dropped.
            session.run("ALTER TABLE d.t RENAME TO u")
            session.run("ALTER DATABASE d RENAME TO e")
            self.assertEqual(self.shown(session, "TABLE e.u")[0], "TABLE e.public.u")
            self.assertEqual(session.value("SELECT sum(b) FROM e.u@by_b"), 5050)
            wait_until(lambda: self.slices(session, "e.u") >= 2, "the table's ranges to be where their zones hold")
            session.run("ALTER INDEX e.u@by_b CONFIGURE ZONE DISCARD")
            self.assertEqual(self.shown(session, "INDEX e.u@by_b")[0], "TABLE e.public.u")
            nodes[1].stop() if hasattr(nodes[1], "stop") else nodes[1].kill()
            nodes[1].start()
            with nodes[1].connect() as again:
                self.assertEqual(self.shown(again, "TABLE e.u")[0], "TABLE e.public.u")
                self.assertEqual(again.value("SELECT sum(b) FROM e.u@by_b"), 5050)
                again.run("DROP TABLE e.u")
                self.assertEqual(len(again.rows("SHOW ZONE CONFIGURATIONS")), 2)
                again.run("DROP DATABASE e CASCADE")
                self.assertEqual(len(again.rows("SHOW ZONE CONFIGURATIONS")), 1)
                self.refusals(again, nodes)

    def slices(self, session, table):
        return session.value("SELECT count(DISTINCT slice_id) FROM [SHOW RANGES FROM TABLE %s] r JOIN crdb_internal.ranges i "
                             "ON r.range_id = i.range_id" % table)

    def refusals(self, session, nodes):
        session.run("CREATE TABLE t (a int PRIMARY KEY)")
        session.run("CREATE VIEW v AS SELECT a FROM t")
        for statement, code in (("ALTER TABLE nowhere CONFIGURE ZONE USING gc.ttlseconds = 5", "42P01"),
                                ("ALTER DATABASE nowhere CONFIGURE ZONE USING gc.ttlseconds = 5", "3D000"),
                                ("ALTER TABLE v CONFIGURE ZONE USING gc.ttlseconds = 5", "42809"),
                                ("ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 0", "22023"),
                                ("ALTER TABLE t CONFIGURE ZONE USING num_replicas = 2", "22023"),
                                ("ALTER TABLE t CONFIGURE ZONE USING constraints = '[+region=mars]'", "22023"),
                                ("ALTER TABLE t CONFIGURE ZONE USING constraints = '{+zone=z1: 4}'", "22023"),
                                ("ALTER TABLE t CONFIGURE ZONE USING lease_preferences = '[[+region=mars]]'", "22023"),
                                ("ALTER TABLE t CONFIGURE ZONE USING num_voters = 3", "0A000"),
                                ("ALTER TABLE t CONFIGURE ZONE USING range_min_bytes = 100000", "0A000"),
                                ("ALTER TABLE t CONFIGURE ZONE USING voter_constraints = '[]'", "0A000"),
                                ("ALTER TABLE t CONFIGURE ZONE USING global_reads = true", "0A000"),
                                ("ALTER RANGE liveness CONFIGURE ZONE USING num_replicas = 3", "0A000"),
                                ("ALTER TABLE t CONFIGURE ZONE USING nonsense = 3", "42601"),
                                ("ALTER PARTITION p OF TABLE t CONFIGURE ZONE USING gc.ttlseconds = 5", "0A000")):
            self.assertEqual(sqlstate(session, statement), code, statement)
        session.run("CREATE USER u")
        session.run("GRANT SELECT ON t TO u")
        with nodes[1].connect(user="u") as user:
            self.assertEqual(sqlstate(user, "ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 5"), "42501")
            session.run("GRANT ZONECONFIG ON t TO u")
            user.run("ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 50")
        # The operators decide whether a virtual cluster may.
        with nodes[1].connect(options="-ccluster=system") as system:
            system.run("CREATE VIRTUAL CLUSTER app")
            system.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED")
            with nodes[1].connect(options="-ccluster=app") as own:
                own.run("CREATE TABLE t (a int)")
                own.run("ALTER TABLE t CONFIGURE ZONE USING num_replicas = 3")
                access = "SET CLUSTER SETTING sql.virtual_cluster.feature_access.zone_configs%s.enabled = false"
                system.run(access % "_unrestricted")
                wait_until(lambda: sqlstate(own, "ALTER TABLE t CONFIGURE ZONE USING num_replicas = 3") == "0A000", "refusal")
                own.run("ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 60")
                system.run(access % "")
                wait_until(lambda: sqlstate(own, "ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 60") == "0A000", "refusal")

    def relocate_leaders(self, nodes, session, copies):
        ids = {index: node.id for index, node in nodes.all.items()}
        session.run("SET CLUSTER SETTING kv.range_move.by_load.enabled = false")
        range_id = session.value("SELECT range_id FROM [SHOW RANGES FROM TABLE other]")

        def led_by(index):  # Leaders may still be on their way to nodes that lead none yet.
            row = session.rows("ALTER RANGE %d RELOCATE LEASE TO %d" % (range_id, ids[index]))[0]
            self.assertEqual(row[0], range_id)
            self.assertTrue(row[1].startswith("/"), row)
            self.assertTrue(row[2] == "ok" or "leads no slice" in row[2], row)
            return row[2] == "ok" and copies("other")[-1][1] == ids[index]
        for index in (1, 3, 2):
            wait_until(lambda: led_by(index), "the range to be led by node %d" % ids[index])
        self.assertEqual(session.value("SELECT sum(a) FROM other"), 125250)
        row = session.rows("ALTER RANGE %d RELOCATE FROM %d TO %d" % (range_id, ids[1], ids[2]))[0]
        self.assertEqual(row[2], "failed: node %d already has a copy of the range" % ids[2])
        for statement, code in (("ALTER RANGE 99999 RELOCATE LEASE TO 1", "22023"),
                                ("ALTER RANGE %d RELOCATE LEASE TO 77" % range_id, "22023"),
                                ("ALTER RANGE %d RELOCATE FROM 1 TO NULL" % range_id, "22023"),
                                ("ALTER RANGE 1 RELOCATE NONVOTERS FROM 1 TO 2", "0A000"),
                                ("ALTER RANGE default RELOCATE LEASE TO 1", "42601")):
            self.assertEqual(sqlstate(session, statement), code, statement)
        session.run("CREATE USER guest")
        with nodes[1].connect(user="guest") as guest:
            self.assertEqual(sqlstate(guest, "ALTER RANGE %d RELOCATE LEASE TO %d" % (range_id, ids[1])), "42501")

    def relocate_copies(self, session, ids, copies):
        def result(source, target):
            return session.rows("ALTER RANGE RELOCATE VOTERS FROM %d TO %d FOR SELECT range_id FROM "
                                "[SHOW RANGES FROM TABLE d.t]" % (source, target))[0][2]

        def there(target):  # It may be on its way to where its zone holds, and be elsewhere by itself then.
            voters, leader = copies("d.t")[0]
            if voters == "{%d}" % target:
                return leader == target
            if len(voters) == 3:
                result(int(voters[1]), target)
            return False
        for index in (1, 2, 3, 1):
            wait_until(lambda: there(ids[index]), "the copy to be on node %d" % ids[index])
            other = ids[index % 3 + 1]
            self.assertEqual(result(other, ids[index]), "failed: node %d has no copy of the range" % other)
        self.assertEqual(session.value("SELECT count(*) FROM d.t"), 500)

    def test_copies_are_where_the_table_wants_them(self):
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            ids = {index: node.id for index, node in nodes.all.items()}
            with nodes[2].connect() as session:
                session.run("CREATE DATABASE d")
                session.run("CREATE TABLE d.t (a int PRIMARY KEY)")
                session.run("CREATE TABLE other (a int PRIMARY KEY)")
                session.run("INSERT INTO d.t SELECT generate_series(1, 500)")
                session.run("INSERT INTO other SELECT generate_series(1, 500)")

                def copies(table):
                    return [(row[0], row[1]) for row in session.rows(
                        "SELECT voting_replicas::STRING, lease_holder FROM [SHOW RANGES FROM TABLE %s WITH DETAILS]" % table)]
                self.relocate_leaders(nodes, session, copies)
                before = copies("other")
                # One copy, on the third node; other tables stay as they are.
                session.run("ALTER DATABASE d CONFIGURE ZONE USING num_replicas = 1, constraints = '[+zone=z3]'")
                wait_until(lambda: copies("d.t") == [("{%d}" % ids[3], ids[3])], "the table to be on the third node alone")
                self.assertEqual(session.value("SELECT count(*) FROM d.t"), 500)
                self.assertEqual(copies("other")[0][0], before[0][0])
                moved = session.rows("ALTER RANGE RELOCATE VOTERS FROM %d TO %d FOR SELECT range_id FROM "
                                     "[SHOW RANGES FROM TABLE d.t]" % (ids[3], ids[1]))
                self.assertIn("node %d does not meet the constraints" % ids[1], moved[0][2])
                # A table that comes later goes there, too.
                session.run("CREATE TABLE d.later (a int PRIMARY KEY)")
                session.run("INSERT INTO d.later VALUES (1)")
                wait_until(lambda: copies("d.later") == [("{%d}" % ids[3], ids[3])], "the new table to be there, too")
                # Where the zone leaves the choice, operators have it.
                session.run("ALTER TABLE d.t CONFIGURE ZONE USING num_replicas = 1, constraints = '[]'")
                self.relocate_copies(session, ids, copies)
                # Three copies again, led where it is said.
                session.run("ALTER TABLE d.t CONFIGURE ZONE USING num_replicas = 3, constraints = '[]', "
                            "lease_preferences = '[[+zone=z1]]'")
                wait_until(lambda: [(len(voters.split(",")), leader) for voters, leader in copies("d.t")] == [(3, ids[1])],
                           "three copies, led by the first node")
                session.run("ALTER DATABASE d CONFIGURE ZONE DISCARD")
                session.run("ALTER TABLE d.t CONFIGURE ZONE DISCARD")
                wait_until(lambda: [len(voters.split(",")) for voters, _ in copies("d.later")] == [3],
                           "the default to hold again")
                self.assertEqual(session.value("SELECT count(*) FROM d.t"), 500)
                self.assertEqual(session.value("SELECT sum(a) FROM other"), 125250)

    def test_operators_bound_what_virtual_clusters_say(self):
        """Nothing is refused: storage is told what is within the bounds, of what was said before and of what is inherited."""
        message = "cockroach.multitenant.tenantcapabilitiespb.SpanConfigBounds"
        with Nodes(3, shards=1) as nodes:
            nodes.await_copies()
            with nodes[1].connect(options="-ccluster=system") as system:
                system.run("CREATE VIRTUAL CLUSTER app")
                system.run("ALTER VIRTUAL CLUSTER app START SERVICE SHARED")

                def bound(json, name="app"):
                    return "ALTER VIRTUAL CLUSTER %s GRANT CAPABILITY span_config_bounds = crdb_internal.json_to_pb('%s', '%s')" % (
                        name, message, json)

                def capability(name):
                    return dict(row[-2:] for row in system.rows("SHOW VIRTUAL CLUSTER %s WITH CAPABILITIES" % name))["span_config_bounds"]
                with nodes[2].connect(options="-ccluster=app") as own:
                    own.run("CREATE TABLE t (a int PRIMARY KEY)")
                    own.run("CREATE TABLE u (a int PRIMARY KEY)")
                    own.run("INSERT INTO t SELECT generate_series(1, 100)")
                    own.run("ALTER TABLE t CONFIGURE ZONE USING gc.ttlseconds = 60, num_replicas = 3")

                    def copies(table):
                        return [len(row[0].split(",")) for row in own.rows(
                            "SELECT voting_replicas::STRING FROM [SHOW RANGES FROM TABLE %s WITH DETAILS]" % table)]

                    def holds(target):
                        return own.rows("SELECT raw_config_sql, full_config_sql FROM crdb_internal.zones WHERE target = %s", (target,))[0]
                    wait_until(lambda: copies("t") == [3] and copies("u") == [3], "three copies")
                    self.assertEqual(capability("app"), "{}")
                    # What is said, and what is inherited.
                    system.run(bound('{"numReplicas": {"start": 1, "end": 1}, "gcTtlSeconds": {"start": 600, "end": 7000}}'))
                    self.assertIn("num_replicas: [1, 1]\ngc.ttlseconds: [600, 7000]\n", capability("app"))
                    wait_until(lambda: copies("t") == [1] and copies("u") == [1], "one copy")
                    self.assertEqual(own.value("SELECT count(*) FROM t"), 100)
                    said, full = holds("TABLE defaultdb.public.t")
                    self.assertIn("gc.ttlseconds = 60,\n\tnum_replicas = 3,", said)
                    self.assertIn("gc.ttlseconds = 600,\n\tnum_replicas = 1,", full)
                    self.assertIn("num_replicas = 3,", self.shown(own, "RANGE default")[1])
                    # What is said later, too; and what was said is kept.
                    own.run("ALTER RANGE default CONFIGURE ZONE USING num_replicas = 3, gc.ttlseconds = 9000")
                    said, full = holds("RANGE default")
                    self.assertIn("gc.ttlseconds = 9000,\n\tnum_replicas = 3,", said)
                    self.assertIn("gc.ttlseconds = 7000,\n\tnum_replicas = 1,", full)
                    self.assertEqual(copies("t"), [1])
                    system.run("CREATE VIRTUAL CLUSTER other LIKE app")
                    self.assertIn("num_replicas: [1, 1]", capability("other"))
                    # While they are switched off they do not hold.
                    system.run("SET CLUSTER SETTING spanconfig.bounds.enabled = false")
                    wait_until(lambda: copies("t") == [3] and copies("u") == [3], "the bounds to be off")
                    system.run("SET CLUSTER SETTING spanconfig.bounds.enabled = true")
                    wait_until(lambda: copies("t") == [1] and copies("u") == [1], "the bounds to be on")
                    system.run("ALTER VIRTUAL CLUSTER app GRANT CAPABILITY span_config_bounds = NULL")
                    wait_until(lambda: copies("t") == [3] and copies("u") == [3], "the bounds to be gone")
                    self.assertEqual(capability("app"), "{}")
                    self.assertEqual(holds("RANGE default")[0], holds("RANGE default")[1])
                    self.assertEqual(own.value("SELECT count(*) FROM t"), 100)
                for statement, code in ((bound('{"numVoters": {"start": 1, "end": 3}}'), "0A000"),
                                        (bound('{"numReplicas": {"start": 2, "end": 2}}'), "22023"),
                                        (bound('{"speed": {"start": 2}}'), "22023"),
                                        (bound("{}", "system"), "22023"),
                                        (bound("{}").replace(message, "other.message"), "22023"),
                                        ("ALTER VIRTUAL CLUSTER app GRANT CAPABILITY span_config_bounds = '\\x07'", "22023"),
                                        ("ALTER VIRTUAL CLUSTER app GRANT CAPABILITY span_config_bounds = true", "42804")):
                    self.assertEqual(sqlstate(system, statement), code, statement)
                system.run("ALTER VIRTUAL CLUSTER other REVOKE ALL CAPABILITIES")
                self.assertEqual(capability("other"), "{}")


if __name__ == "__main__":
    unittest.main()
