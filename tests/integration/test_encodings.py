# SPDX-License-Identifier: GPL-3.0-or-later
"""client_encoding: texts come and go in the client's encoding, in every message that has any."""
import io
import os
import subprocess
import unittest

import psycopg
import psycopg2

from cluster import Cluster


class Encodings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster("encodings", shards=1)
        cls.addClassCleanup(cls.server.destroy)
        cls.server.start()
        cls.server.wait_connect().close()

    def connect(self, encoding):
        connection = psycopg2.connect(self.server.url(), client_encoding=encoding)
        connection.autocommit = True
        self.addCleanup(connection.close)
        return connection.cursor()

    def code(self, wanted, body):
        with self.assertRaises((psycopg2.Error, psycopg.Error)) as caught:
            body()
        self.assertEqual(getattr(caught.exception, "pgcode", None) or caught.exception.sqlstate, wanted)
        return caught.exception

    def value(self, cursor, sql, values=None):
        cursor.execute(sql, values)
        return cursor.fetchone()[0]

    def test_texts_of_queries_and_rows(self):
        for encoding, text in (("LATIN1", "né"), ("WIN1252", "€5 – né"), ("LATIN2", "Łódź"), ("KOI8R", "привет"), ("SJIS", "日本"), ("EUC_JP", "日本"),
                               ("BIG5", "中文"), ("GBK", "中文"), ("GB18030", "中文😀"), ("EUC_KR", "한국"), ("WIN1251", "привет"), ("ISO_8859_5", "привет")):
            with self.subTest(encoding):
                cursor = self.connect(encoding)
                self.assertEqual(self.value(cursor, "SHOW client_encoding"), encoding)
                self.assertEqual(cursor.connection.get_parameter_status("client_encoding"), encoding)
                # In as what it is, whatever its bytes were; out as it came, names and values.
                self.assertEqual(self.value(cursor, "SELECT '%s'::text::bytea" % text).tobytes(), text.encode())
                cursor.execute("SELECT '%s'::text AS \"%s\", ARRAY['%s'], '{\"a\": \"%s\"}'::jsonb->>'a'" % ((text,) * 4))
                self.assertEqual((cursor.description[0].name, *cursor.fetchone()), (text, text, [text], text))
                error = self.code("42703", lambda: cursor.execute('SELECT "%s"' % text))
                self.assertIn('column "%s" does not exist' % text, error.diag.message_primary)

    def test_what_an_encoding_lacks(self):
        cursor = self.connect("LATIN1")
        error = self.code("22P05", lambda: cursor.execute("SELECT 1, U&'\\20AC'"))
        self.assertEqual(error.diag.message_primary,
                         'character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1"')
        self.code("22P05", lambda: cursor.execute("SELECT 1 AS U&\"\\20AC\""))
        self.assertEqual(self.value(cursor, "SELECT 'né'"), "né")  # The connection goes on.
        # An error that cannot be told in full is told nevertheless.
        self.assertIn('"?x"', self.code("22P02", lambda: cursor.execute("SELECT U&'\\20ACx'::int")).diag.message_primary)
        cursor = self.connect("WIN1252")
        cursor.connection.set_client_encoding("UTF8")
        cursor.execute("SET client_encoding TO 'WIN1252'")
        self.assertEqual(self.value(cursor, "SHOW client_encoding"), "WIN1252")
        done = self.psql(b"SELECT '\x81'", "WIN1252")
        self.assertIn(b'character with byte sequence 0x81 in encoding "WIN1252" has no equivalent in encoding "UTF8"', done.stderr)
        self.assertIn(b'invalid byte sequence for encoding "EUC_JP": 0x', self.psql(b"SELECT '\xa4 '", "EUC_JP").stderr)

    def psql(self, text, encoding):
        return subprocess.run(["psql", "-X", "-At", self.server.url()], input=text, capture_output=True, timeout=60,
                              env={**os.environ, "PGCLIENTENCODING": encoding, "LC_ALL": "C"})

    def test_psql(self):
        done = self.psql(b"\\encoding\nSELECT length('\xe9\xe8'), '\xe9';\n\\encoding UTF8\nSELECT '\xc3\xa9';\nSELECT \xc3\xa9;\n", "LATIN1")
        self.assertEqual(done.stdout, b"LATIN1\n2|\xe9\n\xc3\xa9\n")
        self.assertIn(b'column "\xc3\xa9" does not exist', done.stderr)

    def test_names_that_are_refused(self):
        cursor = self.connect("UTF8")
        self.code("22023", lambda: cursor.execute("SET client_encoding TO 'nope'"))
        error = self.code("0A000", lambda: cursor.execute("SET client_encoding TO 'MULE_INTERNAL'"))
        self.assertEqual(error.diag.message_detail, "Conversion between MULE_INTERNAL and UTF8 is not supported.")
        self.assertEqual(self.value(cursor, "SHOW client_encoding"), "UTF8")
        with self.assertRaisesRegex(psycopg2.OperationalError, 'invalid value for parameter "client_encoding": "nope"'):
            psycopg2.connect(self.server.url(), options="-cclient_encoding=nope")
        # As it is, checked to be the server's.
        cursor.execute("SET client_encoding TO 'SQL_ASCII'")
        self.assertEqual(self.value(cursor, "SHOW client_encoding"), "SQL_ASCII")

    def test_parameters_and_binary_values(self):
        with psycopg.connect(self.server.url(), client_encoding="latin1", autocommit=True) as connection:
            connection.execute("CREATE TYPE pair AS (a text, b int)")
            connection.execute("CREATE TYPE kind AS ENUM ('né', 'x')")
            for binary in (False, True):
                with self.subTest(binary=binary), connection.cursor(binary=binary) as cursor:
                    place = "%b" if binary else "%t"
                    for prepare in (False, True):
                        got = cursor.execute("SELECT %s::text, length(%s::text), %s::text[]" % ((place,) * 3), ("né", "né", ["à", None, "b"]),
                                             prepare=prepare).fetchone()
                        self.assertEqual(got, ("né", 2, ["à", None, "b"]))
                    got = cursor.execute("SELECT 'né'::kind, 'né'::name, 'né'::varchar(5), ARRAY['né'::kind]::text[]").fetchone()
                    self.assertEqual(got, (b"n\xe9" if binary else "né", "né", "né", ["né"]))  # Of no type that it knows.
                    # It takes json for UTF8: its bytes are looked at.
                    cursor.execute("SELECT '{\"é\": 1}'::jsonb, '\"é\"'::json")
                    self.assertEqual([cursor.pgresult.get_value(0, i).lstrip(b"\1") for i in (0, 1)], [b'{"\xe9": 1}', b'"\xe9"'])
                    self.assertEqual(cursor.execute("SELECT ROW('né'::text, 7, ARRAY['à'])").fetchone()[0],
                                     ("né", "7", "{à}") if not binary else ("né", 7, ["à"]))
                    self.code("22P05", lambda: cursor.execute("SELECT U&'\\20AC'::text"))

    def test_copy(self):
        cursor = self.connect("LATIN1")
        cursor.execute("CREATE TABLE copied (id int, a text)")

        def load(data, options=""):
            cursor.execute("TRUNCATE copied")
            cursor.copy_expert("COPY copied FROM STDIN " + options, io.BytesIO(data))
            cursor.execute("SELECT a::bytea FROM copied ORDER BY id")
            return [row[0].tobytes().decode() for row in cursor.fetchall()]

        self.assertEqual(load(b"1\tn\xe9\n2\tx"), ["né", "x"])
        self.assertEqual(load(b"1,\xe9\n2,\"\xe8\n\"\n", "(FORMAT csv)"), ["é", "è\n"])
        self.assertEqual(load(b"1\t\xc3\xa9\n", "(ENCODING 'UTF8')"), ["é"])
        self.assertEqual(load("1\t日本ソ\n".encode("shift_jis") * 3, "(ENCODING 'SJIS')"), ["日本ソ"] * 3)
        # More than one message, with characters across their ends.
        self.assertEqual(load("".join("%d\t日本\n" % i for i in range(30000)).encode("euc_jp"), "(ENCODING 'EUC_JP')"), ["日本"] * 30000)
        error = self.code("22021", lambda: load(b"1\tx\n2\t\xc3\n", "(ENCODING 'UTF8')"))
        self.assertIn("COPY copied, line 2", error.diag.context)
        self.code("22023", lambda: load(b"", "(ENCODING 'nope')"))
        load("1\tné\n".encode("latin1"))
        for options, data in (("", b"1\tn\xe9\n"), ("(ENCODING 'UTF8')", b"1\tn\xc3\xa9\n"), ("(FORMAT csv, ENCODING 'WIN1252')", b"1,n\xe9\n")):
            out = io.BytesIO()
            cursor.copy_expert("COPY copied TO STDOUT " + options, out)
            self.assertEqual(out.getvalue(), data, options)
        self.code("22P05", lambda: cursor.copy_expert("COPY copied TO STDOUT (ENCODING 'KOI8R')", io.BytesIO()))
        binary = io.BytesIO()
        cursor.copy_expert("COPY copied TO STDOUT (FORMAT binary)", binary)
        self.assertIn(b"\0\0\0\x02n\xe9", binary.getvalue())
        self.assertEqual(load(binary.getvalue(), "(FORMAT binary)"), ["né"])

    def test_notices(self):
        cursor = self.connect("LATIN1")
        cursor.execute('DROP TABLE IF EXISTS "né"')
        self.assertIn('table "né" does not exist, skipping', cursor.connection.notices[-1])


if __name__ == "__main__":
    unittest.main()
