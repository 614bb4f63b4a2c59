# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog beside that of a private PostgreSQL: its tables and views with their columns, and the functions there are."""
import fnmatch
import os
import re
import unittest

import psycopg2

import test_compatibility
from cluster import Cluster

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COLUMNS = """
SELECT n.nspname || '.' || c.relname, a.attname, coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum
"""
# Types whose values exist nowhere here: what PostgreSQL keeps of its extended statistics, and of missing values.
OTHER_TYPES = {"pg_ndistinct": "text", "pg_dependencies": "text", "pg_mcv_list": "bytea", "pg_statistic[]": "bytea", "anyarray": "text"}
# PostgreSQL's own helpers behind the views of foreign data.
LEFT_OUT = {"information_schema._pg_" + name for name in
            ("foreign_data_wrappers", "foreign_servers", "foreign_table_columns", "foreign_tables", "user_mappings")}
# What is not for people to call: the inside of types, operators, aggregates, indexes, conversions and languages.
FUNCTIONS = """
WITH inside (id) AS (
  SELECT unnest(ARRAY[oprcode::oid, oprrest::oid, oprjoin::oid]) FROM pg_operator
  UNION SELECT unnest(ARRAY[typinput::oid, typoutput::oid, typreceive::oid, typsend::oid, typmodin::oid, typmodout::oid, typanalyze::oid,
                            typsubscript::oid]) FROM pg_type
  UNION SELECT unnest(ARRAY[aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid, aggserialfn::oid, aggdeserialfn::oid, aggmtransfn::oid,
                            aggminvtransfn::oid, aggmfinalfn::oid]) FROM pg_aggregate
  UNION SELECT amproc::oid FROM pg_amproc UNION SELECT conproc::oid FROM pg_conversion UNION SELECT castfunc FROM pg_cast
  UNION SELECT prosupport::oid FROM pg_proc UNION SELECT amhandler::oid FROM pg_am
  UNION SELECT unnest(ARRAY[rngcanonical::oid, rngsubdiff::oid]) FROM pg_range
  UNION SELECT unnest(ARRAY[tmplinit::oid, tmpllexize::oid]) FROM pg_ts_template
  UNION SELECT unnest(ARRAY[prsstart::oid, prstoken::oid, prsend::oid, prsheadline::oid, prslextype::oid]) FROM pg_ts_parser
  UNION SELECT unnest(ARRAY[lanplcallfoid, laninline, lanvalidator]) FROM pg_language)
SELECT DISTINCT proname FROM pg_proc p WHERE pronamespace = 11 AND NOT EXISTS (SELECT 1 FROM inside WHERE id = p.oid)
AND prorettype NOT IN ('internal'::regtype, 'trigger'::regtype, 'event_trigger'::regtype, 'cstring'::regtype, 'index_am_handler'::regtype,
                       'table_am_handler'::regtype, 'tsm_handler'::regtype)
AND NOT 'internal'::regtype::oid = ANY (proargtypes::oid[]) AND NOT 'cstring'::regtype::oid = ANY (proargtypes::oid[])
"""


class Catalog(unittest.TestCase):
    maxDiff = None

    def rows(self, dsn, sql):
        connection = psycopg2.connect(dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def tables(self, dsn):
        tables = {}
        for table, column, kind in self.rows(dsn, COLUMNS):
            tables.setdefault(table, []).append((column, OTHER_TYPES.get(kind, kind)))
        return tables

    def test_catalog_is_postgresqls(self):
        theirs = test_compatibility.Compatibility.other_server(self) + " dbname=postgres"
        with Cluster("catalog", shards=1) as server:
            ours = server.url()
            # --- tables and views, their columns' names, order and types ---
            expected, tables = self.tables(theirs), self.tables(ours)
            self.assertEqual(sorted(set(expected) - set(tables)), sorted(LEFT_OUT))
            self.assertEqual({name: columns for name, columns in tables.items() if name in expected and columns != expected[name]},
                             {name: columns for name, columns in expected.items() if name in tables and columns != tables[name]})
            # --- each of them can be read ---
            with server.connect() as session:
                session.run("CREATE TYPE mood AS ENUM ('a')")
                session.run("CREATE DOMAIN small AS int CHECK (VALUE < 9)")
                session.run("CREATE TABLE t (id serial PRIMARY KEY, a int NOT NULL, b int GENERATED ALWAYS AS (a + id) STORED, m mood, s small)")
                session.run("CREATE VIEW v AS SELECT a, upper(m::text) AS u FROM t")
                session.run("CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x'")
                for table in sorted(tables):
                    session.rows("SELECT * FROM %s" % table)
                # --- what some of them say ---
                self.assertEqual(session.rows("SELECT column_name, dependent_column FROM information_schema.column_column_usage ORDER BY 1"),
                                 [("a", "b"), ("id", "b")])
                self.assertEqual(session.rows("SELECT view_name, table_name, column_name FROM information_schema.view_column_usage ORDER BY 3"),
                                 [("v", "t", "a"), ("v", "t", "m")])
                self.assertEqual(session.rows("SELECT object_type, dtd_identifier FROM information_schema.data_type_privileges "
                                              "WHERE object_name = 't' ORDER BY 2"), [("TABLE", str(i)) for i in range(1, 6)])
                self.assertEqual(session.value("SELECT character_value FROM information_schema.sql_implementation_info "
                                               "WHERE implementation_info_id = '17'"), "PostgreSQL")
                # --- functions: what is left out is said ---
                with open(os.path.join(ROOT, "sql", "function", "FUNCTIONS.md")) as page:
                    told = re.findall(r"`([^` ]+)`", page.read().split("| --- |\n", 1)[1])
                have = {row[0] for row in session.rows("SELECT DISTINCT proname FROM pg_proc")}
                missing = sorted(row[0] for row in self.rows(theirs, FUNCTIONS) if row[0] not in have)
                self.assertEqual([name for name in missing if not any(fnmatch.fnmatchcase(name, each) for each in told)], [])

    def test_what_is_listed_can_be_read(self):
        """Whatever a catalog lists, its reader may select from, or is told that the right to is missing."""
        relations = ("SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                     "WHERE c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f') ORDER BY 1",
                     "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables ORDER BY 1",
                     "SELECT format('%I.%I', schema_name, table_name) FROM [SHOW TABLES FROM crdb_internal] ORDER BY 1")
        with Cluster("catalog", shards=1, profile="virtual+app") as server:
            for tenant in ("system", "main"):
                with server.wait_connect(tenant) as session:
                    session.run("CREATE USER plain")
                listed = {}
                for user in ("root", "plain"):
                    for database in ("defaultdb", "system"):
                        with server.connect(tenant, user=user, database=database) as session:
                            listed[user] = {row[0] for sql in relations for row in session.rows(sql)}
                            for relation in sorted(listed[user]):
                                with self.subTest(tenant=tenant, user=user, database=database, relation=relation):
                                    try:
                                        session.rows("SELECT * FROM %s LIMIT 3" % relation)
                                    except psycopg2.errors.InsufficientPrivilege:
                                        self.assertEqual(user, "plain")
                # What only the system interface may ask is listed there alone.
                self.assertEqual("crdb_internal.kv_node_status" in listed["root"], tenant == "system")
            with server.connect("main") as session:
                with self.assertRaises(psycopg2.errors.FeatureNotSupported) as caught:
                    session.rows("SELECT * FROM crdb_internal.kv_node_status")
                self.assertIn("system interface", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
