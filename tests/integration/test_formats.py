# SPDX-License-Identifier: GPL-3.0-or-later
"""How values are written is a setting of the session: the same however it was set, reported to the driver, and without
effect on binary values. What each style looks like is in tests/sql/date_styles.slt."""
import unittest

import psycopg

from cluster import Cluster

STYLES = [
    {"DateStyle": "%s, %s" % (style, order), "IntervalStyle": interval, "TimeZone": zone, "extra_float_digits": digits, "bytea_output": form}
    for (style, order, interval, zone, digits, form) in (
        ("ISO", "MDY", "postgres", "UTC", "1", "hex"), ("ISO", "DMY", "iso_8601", "Asia/Kolkata", "0", "escape"),
        ("SQL", "DMY", "sql_standard", "America/New_York", "3", "hex"), ("SQL", "MDY", "postgres_verbose", "Europe/Berlin", "-5", "escape"),
        ("Postgres", "YMD", "postgres_verbose", "America/St_Johns", "0", "escape"), ("German", "YMD", "iso_8601", "Pacific/Chatham", "1", "hex"))]
REPORTED = ("DateStyle", "IntervalStyle", "TimeZone")
VALUES = """SELECT '0044-03-15 BC'::date, 'infinity'::date, '2024-02-29 13:04:05.678901'::timestamp, '2024-07-01 12:00:00.5+00'::timestamptz,
    '-infinity'::timestamptz, '0099-01-02 03:04:05+00 BC'::timestamptz, '-1 year -2 mons +3 days -04:05:06.7'::interval, '13:04:05.5-05:30'::timetz,
    0.1::float8 + 0.2::float8, 1e-7::float4, '\\x00ff5c27'::bytea, ARRAY['2024-01-02'::date, NULL], ROW('1 day'::interval, '\\x41'::bytea)"""


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Cluster("formats", shards=1)
        cls.addClassCleanup(cls.server.destroy)
        cls.server.start()
        cls.server.wait_connect().close()

    def connect(self, styles=None, user=None):
        options = " ".join("-c %s=%s" % (name, value.replace(" ", "\\ ")) for name, value in (styles or {}).items())
        # psycopg2 would have dates in ISO whatever anybody sets.
        connection = psycopg.connect(self.server.url(**({"user": user} if user else {})), autocommit=True, **({"options": options} if options else {}))
        self.addCleanup(connection.close)
        return connection

    def copied(self, connection, query, form):
        with connection.cursor().copy("COPY (%s) TO STDOUT (FORMAT %s)" % (query, form)) as copy:
            return b"".join(bytes(part) for part in copy)

    def texts(self, connection):
        return self.copied(connection, VALUES, "text")

    def binary(self, connection):
        return self.copied(connection, VALUES.rsplit(", ARRAY", 1)[0], "binary")

    def test_each_way_of_setting_them_is_the_same(self):
        admin = self.connect().cursor()
        plain, seen = self.binary(self.connect()), set()
        for number, styles in enumerate(STYLES):
            with self.subTest(styles["DateStyle"]):
                user = "styled%d" % number
                admin.execute("CREATE USER %s" % user)
                for name, value in styles.items():
                    admin.execute("ALTER ROLE %s SET %s = '%s'" % (user, name, value))
                by_set = self.connect()
                for name, value in styles.items():
                    by_set.cursor().execute("SET %s = '%s'" % (name, value))
                ways = {"SET": by_set, "startup": self.connect(styles), "ALTER ROLE": self.connect(user=user)}
                texts = {way: self.texts(connection) for way, connection in ways.items()}
                self.assertEqual(set(texts.values()), {texts["SET"]})
                seen.add(texts["SET"])
                for way, connection in ways.items():
                    self.assertEqual(self.binary(connection), plain, way)
                    for name in REPORTED:
                        self.assertEqual(connection.info.parameter_status(name), styles[name], (way, name))
                if styles["DateStyle"].endswith("YMD"):
                    continue
                # What a style writes it reads again (but no year first where it writes it last).
                cursor = by_set.cursor()
                cursor.execute("SELECT t::text::timestamptz = t, i::text::interval = i, d::text::date = d FROM (VALUES "
                               "('2024-07-01 12:00:00.5+00'::timestamptz, '-1 year +2 days -00:00:00.5'::interval, '2004-05-06'::date)) x (t, i, d)")
                self.assertEqual(cursor.fetchone(), (True, True, True))
        self.assertEqual(len(seen), len(STYLES))

    def test_binary_drivers_see_no_style(self):
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            query = "SELECT '2024-02-29'::date, '2024-02-29 13:04:05.678901'::timestamp, '1 day 02:03:04'::interval, '\\x00ff'::bytea, 0.1::float8"
            wanted = connection.execute(query, binary=True).fetchone()
            for styles in STYLES:
                for name, value in styles.items():
                    connection.execute("SELECT set_config(%s, %s, false)", (name, value))
                self.assertEqual(connection.execute(query, binary=True).fetchone(), wanted)


if __name__ == "__main__":
    unittest.main()
