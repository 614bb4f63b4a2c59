# SPDX-License-Identifier: GPL-3.0-or-later
"""XML that is long, broken off, or in another encoding."""
import os
import sys
import unittest

import psycopg
import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from cluster import Cluster  # noqa: E402

ROWS = 40000  # Longer than what a core reads itself.


class Xml(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster(name="xml", profile="virtual+app")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.destroy()

    def test_what_is_broken_off_leaves_the_helper_to_the_next_one(self):
        with self.server.wait_connect("main") as session:
            session.run("CREATE TABLE long (d xml)")
            session.run("INSERT INTO long SELECT ('<r>' || repeat('<a b=\"1\">x</a>', %d) || '</r>')::xml" % ROWS)
            for path in ("count(//a[. = //a[. = //a]])", "."):
                session.run("SET statement_timeout = '500ms'")
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run("SELECT count(*) FROM long, xmltable('//a[. = //a[. = //a]]' PASSING d COLUMNS n int PATH '%s')" % path)
                self.assertEqual(caught.exception.pgcode, "57014")
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run("SELECT xpath('count(//a[. = //a[. = //a]])', d) FROM long")
                self.assertEqual(caught.exception.pgcode, "57014")
                session.run("RESET statement_timeout")
                got = session.rows("SELECT count(*), sum(b), max(c) FROM long, xmltable('/r/a' PASSING d COLUMNS b int PATH '@b', c text PATH '.')")
                self.assertEqual([tuple(str(value) for value in row) for row in got], [(str(ROWS), str(ROWS), "x")])

    def test_memory_of_a_statement_bounds_the_library(self):
        with self.server.wait_connect("main") as session:
            session.run("SET CLUSTER SETTING sql.memory.statement_max = '8 MiB'")
            try:
                with self.assertRaises(psycopg2.Error) as caught:
                    session.run("SELECT xpath('//a', ('<r>' || repeat('<a/>', 300000) || '</r>')::xml)")
                self.assertEqual(caught.exception.pgcode, "53200")
            finally:
                session.run("RESET CLUSTER SETTING sql.memory.statement_max")
            self.assertEqual(session.value("SELECT 1"), 1)

    def test_binary_form_tells_its_encoding(self):
        with psycopg.connect(self.server.url("main", database="defaultdb"), autocommit=True) as connection:
            connection.execute("SET client_encoding = 'LATIN1'")
            cursor = connection.cursor(binary=True)
            cursor.execute("SELECT U&'<a>\\00e9</a>'::xml, '<?xml version=\"1.1\" standalone=\"yes\"?><a/>'::xml")
            raw = [cursor.pgresult.get_value(0, column) for column in (0, 1)]
            self.assertEqual(raw, [b'<?xml version="1.0" encoding="LATIN1"?><a>\xe9</a>',
                                   b'<?xml version="1.1" encoding="LATIN1" standalone="yes"?><a/>'])
            connection.execute("SET client_encoding = 'UTF8'")
            cursor.execute("SELECT U&'<a>\\00e9</a>'::xml")
            self.assertEqual(cursor.pgresult.get_value(0, 0), "<a>é</a>".encode())
            for given, wanted in ((b'<?xml version="1.0" encoding="LATIN1"?><a>\xe9</a>', "<a>é</a>"), ("<a>é</a>".encode(), "<a>é</a>")):
                done = connection.pgconn.exec_params(b"SELECT $1::xml", [given], param_types=[142], param_formats=[1])
                self.assertEqual(done.get_value(0, 0), wanted.encode(), done.error_message)
            done = connection.pgconn.exec_params(b"SELECT $1::xml", [b"<?xml version='1.0' encoding='nosuch'?><a/>"], param_types=[142], param_formats=[1])
            self.assertIn(b"invalid encoding name", done.error_message)


if __name__ == "__main__":
    unittest.main()
