# SPDX-License-Identifier: GPL-3.0-or-later
"""EXPLAIN as text and as documents, and what ANALYZE measures."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def nodes_of(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from cluster import Cluster
        cls.server = Cluster(name="explain", profile="virtual+app")
        cls.server.start()
        with cls.server.wait_connect("main") as session:
            session.run("CREATE TABLE t (id INT PRIMARY KEY, g INT, v TEXT)")
            session.run("INSERT INTO t SELECT i, i % 10, 'v' || i FROM generate_series(1, 500) i")

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def explain(self, sql, args=()):
        with self.server.connect("main") as session:
            with session.raw.cursor() as cursor:
                cursor.execute(sql, args)
                return [row[0] for row in cursor.fetchall()]

    def test_json_is_one_document_with_the_tree(self):
        (document,) = self.explain("EXPLAIN (FORMAT json) SELECT g, count(*) FROM t WHERE id > 5 GROUP BY g")
        self.assertEqual(len(document), 1)
        kinds = [node["Node Type"] for node in nodes_of(document[0]["Plan"])]
        self.assertEqual(kinds, ["Aggregate", "Index Scan"])
        self.assertNotIn("Actual Rows", document[0]["Plan"])

    def test_xml_and_yaml_are_laid_out_as_postgresql_does(self):
        """Tools (DBeaver: XML) read these by PostgreSQL's names of groups and properties."""
        query = "SELECT g, count(*) FROM t WHERE v > 'a<b' GROUP BY GROUPING SETS ((g), ()) ORDER BY g"
        self.assertEqual(self.explain("EXPLAIN (COSTS off, FORMAT xml) " + query), ["""\
<explain xmlns="http://www.postgresql.org/2009/explain">
  <Query>
    <Plan>
      <Node-Type>Sort</Node-Type>
      <Sort-Key>
        <Item>g</Item>
      </Sort-Key>
      <Plans>
        <Plan>
          <Node-Type>Aggregate</Node-Type>
          <Parent-Relationship>Outer</Parent-Relationship>
          <Strategy>Mixed</Strategy>
          <Grouping-Sets>
            <Grouping-Set>
              <Hash-Keys>
                <Hash-Key>
                  <Item>g</Item>
                </Hash-Key>
              </Hash-Keys>
            </Grouping-Set>
            <Grouping-Set>
              <Group-Keys>
                <Group-Key>
                </Group-Key>
              </Group-Keys>
            </Grouping-Set>
          </Grouping-Sets>
          <Plans>
            <Plan>
              <Node-Type>Seq Scan</Node-Type>
              <Parent-Relationship>Outer</Parent-Relationship>
              <Relation-Name>t</Relation-Name>
              <Alias>t</Alias>
              <Index-Name>t_pkey</Index-Name>
              <Scan-Direction>Forward</Scan-Direction>
              <Spans>FULL SCAN</Spans>
              <Filter>(v &gt; 'a&lt;b')</Filter>
            </Plan>
          </Plans>
        </Plan>
      </Plans>
    </Plan>
  </Query>
</explain>"""])
        # A group's name ends in a space, as PostgreSQL's does.
        lines = """\
- Plan:@
    Node Type: "Sort"
    Sort Key:@
      - "g"
    Plans:@
      - Node Type: "Aggregate"
        Parent Relationship: "Outer"
        Strategy: "Mixed"
        Grouping Sets:@
          - Hash Keys:@
              - ["g"]
          - Group Keys:@
              - []
        Plans:@
          - Node Type: "Seq Scan"
            Parent Relationship: "Outer"
            Relation Name: "t"
            Alias: "t"
            Index Name: "t_pkey"
            Scan Direction: "Forward"
            Spans: "FULL SCAN"
            Filter: "(v > 'a<b')\""""
        self.assertEqual(self.explain("EXPLAIN (COSTS off, FORMAT yaml) " + query), [lines.replace("@", " ")])

    def test_on_conflict_names_the_indexes_that_decide(self):
        with self.server.connect("main") as session:
            session.run("CREATE TABLE decided (id INT PRIMARY KEY, v INT UNIQUE)")
        (document,) = self.explain(
            "EXPLAIN (FORMAT json) INSERT INTO decided VALUES (1, 1) ON CONFLICT (v) DO UPDATE SET v = 2")
        plan = document[0]["Plan"]
        self.assertEqual([plan[key] for key in ("Node Type", "Operation", "Relation Name", "Conflict Resolution",
            "Conflict Arbiter Indexes")], ["ModifyTable", "Insert", "decided", "UPDATE", ["decided_v_key"]])
        lines = self.explain("EXPLAIN (COSTS off) INSERT INTO decided VALUES (1, 1) ON CONFLICT DO NOTHING")
        self.assertEqual(lines[:2], ["Insert on decided", "  Conflict Resolution: NOTHING"])

    def test_analyze_tells_rows_loops_time_and_requests_of_each_node(self):
        (document,) = self.explain(
            "EXPLAIN (ANALYZE, FORMAT json) SELECT g, count(*) FROM t GROUP BY g ORDER BY g")
        nodes = list(nodes_of(document[0]["Plan"]))
        self.assertEqual([node["Actual Rows"] for node in nodes], [10, 10, 500])
        for node in nodes:
            self.assertEqual(node["Actual Loops"], 1)
            self.assertGreaterEqual(node["KV Requests"], 1)
            self.assertEqual(node["KV Rows"], 500)
            self.assertGreater(node["KV Bytes"], 500)
            self.assertGreaterEqual(node["Actual Total Time"], node["Actual Startup Time"])
        self.assertGreater(document[0]["Execution Time"], 0)

    def estimate(self, sql):
        (document,) = self.explain("EXPLAIN (FORMAT json) " + sql.replace("%", "%%"))
        return document[0]["Plan"]["Plan Rows"]

    def test_statistics_objects_tell_what_columns_have_in_common(self):
        """Estimates with them are the true numbers, which those of columns each by itself miss by far."""
        with self.server.connect("main") as session:
            session.run("CREATE TABLE place (zip INT, town INT, land TEXT, n INT)")
            session.run("INSERT INTO place SELECT i % 100, i % 100 / 5, 'l' || i % 100 / 20, i FROM generate_series(1, 2000) i")
            session.run("ANALYZE place")
        queries = {  # True numbers; what the columns' own statistics give.
            "SELECT * FROM place WHERE zip = 7 AND town = 1": (20, 1),
            "SELECT * FROM place WHERE zip = 7 AND town = 1 AND land = 'l0'": (20, 1),
            "SELECT zip, town FROM place GROUP BY zip, town": (100, 2000),
            "SELECT zip, town, land FROM place GROUP BY land, town, zip": (100, 2000),
            "SELECT zip % 7, count(*) FROM place GROUP BY zip % 7": (7, 200),
            "SELECT * FROM place a JOIN place b USING (zip, town)": (40000, None),
        }
        for sql, (_, alone) in queries.items():
            if alone is not None:
                self.assertEqual(self.estimate(sql), alone, sql)
        for kinds in ("", "(dependencies, ndistinct)", "(mcv, ndistinct)"):
            with self.server.connect("main") as session:
                session.run("DROP STATISTICS IF EXISTS place_all, place_seven")
                session.run("CREATE STATISTICS place_all %s ON zip, town, land FROM place" % kinds)
                session.run("CREATE STATISTICS place_seven ON (zip % 7) FROM place")
                session.run("ANALYZE place")
            for sql, (true, _) in queries.items():
                self.assertAlmostEqual(self.estimate(sql), true, delta=true / 20, msg=kinds + sql)
        with self.server.connect("main") as session:
            session.run("ALTER STATISTICS place_all SET STATISTICS 0")
            session.run("DROP STATISTICS place_seven")
            session.run("ANALYZE place")
        self.assertEqual(self.estimate("SELECT zip % 7, count(*) FROM place GROUP BY zip % 7"), 200)

    def test_statistics_are_as_fine_as_their_target(self):
        """default_statistics_target, and a column's own, say how many shares a histogram has and how many values are listed."""
        with self.server.connect("main") as session:
            session.run("CREATE TABLE steep (a INT, b INT, c INT, tags INT[])")
            session.run("INSERT INTO steep SELECT i * i, i * i, i % 50, ARRAY[i % 50] FROM generate_series(1, 3000) i")
            session.run("ALTER TABLE steep ALTER COLUMN b SET STATISTICS 1000")
            session.run("CREATE STATISTICS steep_all (mcv) ON c, tags FROM steep")

            def learn(target):
                session.run("SET default_statistics_target = %s" % target)
                session.run("ANALYZE steep")
                return (abs(self.estimate("SELECT * FROM steep WHERE a < 40000") - 200), abs(self.estimate("SELECT * FROM steep WHERE b < 40000") - 200),
                        session.value("SELECT cardinality(most_common_freqs) FROM pg_stats_ext WHERE statistics_name = 'steep_all'"))
            coarse, default, fine = learn(2), learn("DEFAULT"), learn(10000)
            self.assertGreater(coarse[0], 8 * default[0])
            self.assertLess(fine[0], 5)
            self.assertLess(max(each[1] for each in (coarse, default, fine)), 5)  # The column's own target.
            self.assertEqual([each[2] for each in (coarse, default, fine)], [2, 50, 50])
            session.run("ALTER TABLE steep ALTER COLUMN b SET STATISTICS -1")
            self.assertEqual(learn(2)[1], coarse[0])

    def test_keys_are_named_by_what_they_stand_for(self):
        """As PostgreSQL shows them."""
        (document,) = self.explain(
            "EXPLAIN (FORMAT json) SELECT g, count(*) FROM t GROUP BY g ORDER BY count(*) DESC, g")
        self.assertEqual(document[0]["Plan"]["Sort Key"], ["(count(*)) DESC", "g"])
        self.assertEqual(document[0]["Plan"]["Plans"][0]["Group Key"], ["g"])
        lines = self.explain(
            "EXPLAIN (COSTS off) SELECT a.g %% 3, sum(a.id) FILTER (WHERE a.id > 3) FROM t a JOIN t b ON a.g = b.g"
            " AND a.id < b.id GROUP BY 1 HAVING max(b.v) > 'v' ORDER BY 2, rank() OVER (ORDER BY a.g %% 3)")
        self.assertIn("Sort Key: (sum(a.id) FILTER (WHERE (a.id > 3))), (rank() OVER (?))", lines[1])
        keys = [line.strip() for line in lines if "Key:" in line or "Cond:" in line or "Filter:" in line]
        self.assertEqual(keys[1:], ["Sort Key: ((a.g % 3))", "Group Key: (a.g % 3)", "Filter: (max(b.v) > 'v')",
                                    "Hash Cond: (a.g = b.g)", "Join Filter: (a.id < b.id)"])

    def test_groups_and_columns_read_as_in_postgresql(self):
        """DISTINCT has its keys, HAVING is the aggregate's filter, each grouping set has a line; one table's columns stand alone."""
        for sql, expected in (
                ("SELECT DISTINCT g, v FROM t", ["HashAggregate", "Group Key: g, v"]),
                ("SELECT DISTINCT g %% 3 FROM t", ["HashAggregate", "Group Key: (g % 3)"]),
                ("SELECT g FROM t GROUP BY g HAVING count(*) > 2",
                 ["HashAggregate", "Group Key: g", "Filter: (count(*) > 2)"]),
                ("SELECT count(*) FROM t HAVING count(*) > 1", ["Aggregate", "Filter: (count(*) > 1)"]),
                ("SELECT g, v, count(*) FROM t GROUP BY ROLLUP (g, v)",
                 ["MixedAggregate", "Hash Key: g, v", "Hash Key: g", "Group Key: ()"]),
                ("SELECT g, v FROM t GROUP BY GROUPING SETS ((g), (v))", ["HashAggregate", "Hash Key: g", "Hash Key: v"])):
            lines = [line.strip() for line in self.explain("EXPLAIN (COSTS off) " + sql)]
            self.assertEqual(lines[:len(expected)], expected, sql)
            self.assertIn("Seq Scan on t", lines[len(expected)], sql)
        (document,) = self.explain("EXPLAIN (ANALYZE, FORMAT json) SELECT g, v FROM t GROUP BY ROLLUP (g, v) HAVING count(*) > 100000")
        plan = document[0]["Plan"]
        self.assertEqual(plan["Strategy"], "Mixed")
        self.assertEqual(plan["Grouping Sets"], [{"Hash Keys": [["g", "v"]]}, {"Hash Keys": [["g"]]}, {"Group Keys": [[]]}])
        self.assertEqual((plan["Filter"], plan["Actual Rows"]), ("(count(*) > 100000)", 0))
        lines = self.explain("EXPLAIN (COSTS off) SELECT count(*) FROM t, t AS u WHERE t.id = u.id AND t.g = 3")
        self.assertTrue(any("t.g = 3" in line for line in lines), lines)

    def test_a_node_that_runs_again_and_again_counts_its_loops(self):
        (document,) = self.explain(
            "EXPLAIN (ANALYZE, FORMAT json) SELECT (SELECT max(v) FROM t b WHERE b.g = a.g) "
            "FROM t a WHERE a.id <= 5")
        loops = [node["Actual Loops"] for node in nodes_of(document[0]["Plan"])]
        self.assertEqual(loops[0], 1)
        self.assertEqual(max(loops), 5)

    def test_text_carries_the_same(self):
        lines = self.explain("EXPLAIN ANALYZE SELECT * FROM t WHERE g = 3")
        self.assertRegex(lines[0], r"Seq Scan on t .*\(actual time=[0-9.]+\.\.[0-9.]+ rows=50 loops=1\)")
        self.assertTrue(any("KV: requests=" in line for line in lines))
        self.assertTrue(any(line.startswith("execution time: ") for line in lines))
        lines = self.explain("EXPLAIN (COSTS off) SELECT * FROM t WHERE g = 3")
        self.assertEqual(lines[0], "Seq Scan on t")

    def test_options_choose_what_is_shown(self):
        sql = "SELECT g, count(*) FROM t GROUP BY g ORDER BY g"
        self.assertEqual(self.explain("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off) " + sql),
                         ["Sort (actual rows=10 loops=1)", "  Sort Key: g", "  ->  HashAggregate (actual rows=10 loops=1)",
                          "        Group Key: g", "        ->  Seq Scan on t (actual rows=500 loops=1)",
                          "              Spans: FULL SCAN"])
        lines = self.explain("EXPLAIN (VERBOSE, COSTS off) " + sql)
        self.assertEqual([line.strip() for line in lines if "Output" in line],
                         ["Output: g, (count(*))", "Output: g, count(*)", "Output: g"])
        (document,) = self.explain("EXPLAIN (ANALYZE, VERBOSE, TIMING off, FORMAT json) " + sql)
        self.assertEqual(document[0]["Plan"]["Output"], ["g", "(count(*))"])
        self.assertNotIn("Actual Total Time", document[0]["Plan"])
        self.assertIn("planning time", self.explain("EXPLAIN (SUMMARY) " + sql)[-1])
        for options, message in (("TIMING", "EXPLAIN option TIMING requires ANALYZE"), ("WAL", "not supported"),
                                 ("FORMAT nroff", "unrecognized value"), ("COSTS maybe", "costs requires a Boolean value"),
                                 ("SPEED", 'unrecognized EXPLAIN option "speed"')):
            with self.assertRaisesRegex(Exception, message):
                self.explain("EXPLAIN (%s) %s" % (options, sql))

    def test_writes_are_measured_and_take_place(self):
        (document,) = self.explain(
            "EXPLAIN (ANALYZE, FORMAT json) UPDATE t SET v = 'x' WHERE id = 7")
        self.assertEqual(document[0]["Plan"]["Node Type"], "ModifyTable")
        self.assertEqual(self.explain("SELECT v FROM t WHERE id = 7"), ["x"])


if __name__ == "__main__":
    unittest.main()
