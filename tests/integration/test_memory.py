# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that are larger than the memory for them, results of millions of rows, and statistics that renew themselves."""
import os
import threading
import time
import unittest

import psycopg2

from cluster import ClusterTest, cancelled, wait_until


def resident_mb(pid):
    with open("/proc/%d/statm" % pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Memory(ClusterTest):
    def test_spill_within_the_bound(self):
        """A sort, an aggregate and a join of some ten times --max-sql-memory are answered; what cannot be is 53200 with a hint."""
        cluster = self.cluster("memory", shards=1, args=("--max-sql-memory=16MiB",))
        with cluster.connect() as session:
            session.run("CREATE TABLE big (id int, v text)")
            for first in range(0, 60000, 10000):
                session.run("INSERT INTO big SELECT i, md5(i::text) || repeat('x', 100) FROM generate_series(%s, %s) i", (first + 1, first + 10000))
            before = resident_mb(cluster.pid())
            self.assertEqual(session.rows("SELECT id FROM (SELECT id, v FROM big x, (VALUES (1), (2)) y ORDER BY v, id OFFSET 119999) s"),
                             session.rows("SELECT id FROM big ORDER BY v DESC LIMIT 1"))
            self.assertEqual(session.value("SELECT count(*) FROM (SELECT v, count(*) FROM big x, (VALUES (1), (2)) y GROUP BY v) s"), 60000)
            self.assertEqual(session.value("SELECT count(*) FROM big a JOIN big b ON a.v = b.v"), 60000)
            plan = "\n".join(row[0] for row in session.rows("EXPLAIN ANALYZE SELECT a.v FROM big a JOIN big b ON a.v = b.v"))
            self.assertIn("Spill: bytes=", plan)
            self.assertLess(resident_mb(cluster.pid()) - before, 500) # Sanitizers keep freed memory for a while.
            with self.assertRaises(psycopg2.Error) as caught:
                session.rows("SELECT length(string_agg(v, '')) FROM big x, generate_series(1, 5) y")
            self.assertEqual(caught.exception.pgcode, "53200")
            self.assertIn("max-sql-memory", caught.exception.diag.message_hint)
            # Values in the making have to be in memory: the limit ends them before they have grown far beyond it.
            for making in ("cardinality(array_agg(v)) FROM big x, generate_series(1, 9) y",
                           "cardinality(ARRAY(SELECT v || y FROM big x, generate_series(1, 9) y))",
                           "cardinality(array_fill(repeat('y', 100), ARRAY[3000000]))",
                           "length(jsonb_agg(v)::text) FROM big x, generate_series(1, 9) y",
                           "length(json_agg(x)::text) FROM big x, generate_series(1, 9) y",
                           "cardinality(array_cat(array_fill(1, ARRAY[2000000]), array_fill(1, ARRAY[2000000])))"):
                with self.assertRaises(psycopg2.Error, msg=making) as caught:
                    session.rows("SELECT " + making)
                self.assertEqual(caught.exception.pgcode, "53200", making)
            # A window over all rows, and UNION of a recursive query, go to the temporary file.
            self.assertEqual(session.rows("SELECT max(n), count(DISTINCT l) FROM (SELECT row_number() OVER w AS n, lag(v, 5) OVER w AS l"
                                          " FROM big WINDOW w AS (ORDER BY v)) s"), [(60000, 59995)])
            self.assertEqual(session.value("WITH RECURSIVE r(id, v) AS (SELECT id, v FROM big UNION SELECT id % 60000 + 1, v FROM r"
                                           " WHERE id % 1000 < 3) SELECT count(*) FROM r"), 60360)
            self.assertLess(resident_mb(cluster.pid()) - before, 700)
            self.assertEqual(session.value("SELECT 1"), 1)
        self.assertEqual(os.listdir(os.path.join(cluster.store, "temp")), [])

    def test_index_with_little_memory(self):
        """A batch of entries that does not find room is filled by smaller ones."""
        cluster = self.cluster("index", shards=1, args=("--max-sql-memory=12MiB",))
        with cluster.connect() as session:
            session.run("CREATE TABLE many (id int PRIMARY KEY, v text)")
            for first in range(0, 140000, 10000):
                session.run("INSERT INTO many SELECT i, 'v' || i %% 1000 FROM generate_series(%s, %s) i", (first + 1, first + 10000))
            session.run("CREATE INDEX by_v ON many (v)")
            self.assertEqual(session.rows("SELECT count(*), sum(id) FROM many WHERE v = 'v7'"),
                             session.rows("SELECT count(*), sum(id) FROM many@many_pkey WHERE v || '' = 'v7'"))

    def test_left_files_go_at_the_start(self):
        cluster = self.cluster("left", shards=1)
        cluster.kill()
        with open(os.path.join(cluster.store, "temp", "0-1"), "w") as file:
            file.write("rows")
        cluster.start()
        self.assertEqual(os.listdir(os.path.join(cluster.store, "temp")), [])

    def test_millions_of_rows(self):
        """They stream within a bound, and a cancel request ends them soon."""
        cluster = self.cluster("rows", shards=1, args=("--max-sql-memory=32MiB",))
        with cluster.connect() as session:
            before = resident_mb(cluster.pid())
            cursor = session.raw.cursor()
            with open(os.devnull, "w") as out:
                cursor.copy_expert("COPY (SELECT i, repeat('y', 20) FROM generate_series(1, 1000000) i) TO STDOUT", out)
            self.assertEqual(cursor.rowcount, 1000000)
            self.assertLess(resident_mb(cluster.pid()) - before, 500)
            watcher = self.enterContext(cluster.connect())
            with self.assertRaises(psycopg2.Error) as caught, cancelled(session, watcher):
                session.rows("SELECT count(*) FROM generate_series(1, 100000000000) a ORDER BY 1")  # It would take hours.
            self.assertEqual(caught.exception.pgcode, "57014")
            # COPY in the middle of rows: libpq sends on, what comes after the error is passed over.
            session.run("CREATE TABLE taken (a int, b text)")

            class Rows:
                left = None

                def read(self, size):
                    if self.left is None:
                        return "1\tabc\n" * 1000
                    # Some seconds more.
                    time.sleep(0.01)
                    self.left -= 1
                    return "1\tabc\n" if self.left > 0 else ""

            rows = Rows()

            def cancel():
                wait_until(lambda: watcher.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY taken%' AND state = 'active'"),
                           "the copy to run")
                session.raw.cancel()
                rows.left = 300

            thread = threading.Thread(target=cancel)
            thread.start()
            with self.assertRaises(psycopg2.Error) as caught:
                session.raw.cursor().copy_expert("COPY taken FROM STDIN", rows, 65536)
            thread.join()
            self.assertEqual(caught.exception.pgcode, "57014")
            self.assertEqual(session.value("SELECT count(*) FROM taken"), 0)

    def test_statistics_renew_themselves(self):
        cluster = self.cluster("statistics", shards=1)
        with cluster.connect() as session:
            session.run("CREATE TABLE t (id int PRIMARY KEY, a int)")
            session.run("INSERT INTO t SELECT i, i % 10 FROM generate_series(1, 2000) i")

            def estimate():
                return any("rows=2000" in row[0] for row in session.rows("EXPLAIN SELECT * FROM t"))

            wait_until(estimate, "statistics of the table")
            session.run("SET CLUSTER SETTING sql.stats.automatic_collection.enabled = false")


if __name__ == "__main__":
    unittest.main()
