# SPDX-License-Identifier: GPL-3.0-or-later
"""psycopg2, through libpq."""
import datetime
import decimal
import io
import ipaddress
import os
import tempfile
import threading
import uuid

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
from psycopg2 import sql
from report import equal, feature, run

UTC = datetime.timezone.utc
psycopg2.extras.register_uuid()
psycopg2.extras.register_ipaddress()


def connect(**options):
    return psycopg2.connect("", **options)


def query(connection, text, values=None):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@feature("connect")
def connects():
    connection = connect()
    assert connection.info.ssl_in_use and connection.server_version >= 150000
    equal(connection.encoding, "UTF8")
    equal(connection.get_parameter_status("standard_conforming_strings"), "on")
    equal(query(connection, "SELECT current_user")[0][0], connection.info.user)
    connection.close()
    try:
        connect(password="wrong")
        raise AssertionError("a wrong password was accepted")
    except psycopg2.OperationalError as error:
        assert "password authentication failed" in str(error), error


@feature("ddl")
def ddl():
    with connect() as connection:
        query(connection, "CREATE SCHEMA two")
        query(connection, "CREATE TABLE two.item (id serial PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, "
                          "price numeric(10,2) CHECK (price >= 0), made timestamptz DEFAULT now())")
        query(connection, "CREATE INDEX item_price ON two.item (price DESC) WHERE price > 10")
        query(connection, "ALTER TABLE two.item ADD COLUMN note text, ALTER COLUMN name TYPE text")
        query(connection, "CREATE VIEW two.cheap AS SELECT name FROM two.item WHERE price < 10")
        query(connection, "COMMENT ON TABLE two.item IS 'things'")
        equal(query(connection, "INSERT INTO two.item (name, price) VALUES ('a', 1), ('b', 20) RETURNING id"), [(1,), (2,)])
        equal(query(connection, "SELECT * FROM two.cheap"), [("a",)])
        connection.commit()
        query(connection, "DROP SCHEMA two CASCADE")


@feature("types")
def types():
    values = [
        ("int2", -32767), ("int4", 2147483647), ("int8", -2 ** 63 + 1), ("float4", 0.5), ("float8", 0.1),
        ("numeric", decimal.Decimal("12345678901234567890.123456789")), ("numeric", decimal.Decimal("NaN")),
        ("bool", True), ("text", "täxt 'quoted' \\ \n"), ("varchar(10)", "short"), ("char(3)", "ab "), ("bytea", b"\x00\xff\\'"),
        ("date", datetime.date(1999, 12, 31)), ("time", datetime.time(23, 59, 59, 999999)),
        ("timetz", datetime.time(1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))),
        ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 456789)),
        ("timestamptz", datetime.datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        ("interval", datetime.timedelta(days=3, seconds=7, microseconds=11)),
        ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
        ("inet", ipaddress.ip_interface("10.1.2.3/8")),
        ("int4[]", [1, None, 3]), ("text[]", ["a,b", 'c"d', None, "NULL"]), ("numeric[]", [decimal.Decimal("1.5")]),
        ("date[]", [datetime.date(2000, 1, 1)]), ("int4[]", [[1, 2], [3, 4]]), ("uuid[]", [uuid.UUID(int=7)]),
        ("int4range", psycopg2.extras.NumericRange(1, 5)), ("int8range", psycopg2.extras.NumericRange(None, 2 ** 62, "()")),
        ("numrange", psycopg2.extras.NumericRange(decimal.Decimal("1.50"), None, "()")),
        ("daterange", psycopg2.extras.DateRange(datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))),
        ("tsrange", psycopg2.extras.DateTimeRange(datetime.datetime(2024, 1, 1, 10), datetime.datetime(2024, 1, 2), "(]")),
        ("tstzrange", psycopg2.extras.DateTimeTZRange(datetime.datetime(2024, 1, 1, 10, tzinfo=UTC), None)),
        ("int4range", psycopg2.extras.NumericRange(empty=True)),
    ]
    with connect() as connection:
        columns = ", ".join("c%d %s" % (i, kind) for i, (kind, _) in enumerate(values))
        query(connection, "CREATE TABLE types (%s, j json, jb jsonb, o oid, nothing int, x xml)" % columns)
        extra = [psycopg2.extras.Json({"a": [1, None, "x"]}), psycopg2.extras.Json({"b": 2}), 4294967295, None, "<a b='1'>é</a>"]
        row = [value for _, value in values] + extra
        query(connection, "INSERT INTO types VALUES (%s)" % ", ".join(["%s"] * len(row)), row)
        got = list(query(connection, "SELECT * FROM types")[0])
        for (kind, wanted), found in zip(values, got):
            found = bytes(found) if isinstance(found, memoryview) else found
            assert type(found) is type(wanted) and (found == wanted or wanted != wanted and found != found), (kind, found)
        equal(got[len(values):], [{"a": [1, None, "x"]}, {"b": 2}, 4294967295, None, "<a b='1'>é</a>"])
        equal(query(connection, "SELECT (xpath(%s, x))[1]::text FROM types", ("/a/@b",)), [("1",)])
        kinds = [kind for kind, _ in values]
        conditions = " AND ".join("c%d = %%s::%s" % (i, kind) for i, kind in enumerate(kinds))
        equal(query(connection, "SELECT count(*) FROM types WHERE " + conditions, [v for _, v in values]), [(1,)])
        equal(query(connection, "UPDATE types SET c1 = c1 - 1 WHERE c0 = %s", (-32767,)), 1)
        equal(query(connection, "DELETE FROM types WHERE c1 = 2147483646"), 1)
        equal(query(connection, "SELECT count(*) FROM types"), [(0,)])


@feature("composite types")
def composite():
    with connect() as connection:
        query(connection, "CREATE TYPE pair AS (a int, b text)")
        psycopg2.extras.register_composite("pair", connection)
        got = query(connection, "SELECT ROW(1, 'x, y')::pair")[0][0]
        equal((got.a, got.b), (1, "x, y"))
        connection.rollback()


@feature("enums")
def enums():
    with connect() as connection:
        query(connection, "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
        query(connection, "CREATE TABLE moods (m mood)")
        query(connection, "INSERT INTO moods VALUES (%s), (%s)", ("happy", "sad"))
        equal(query(connection, "SELECT m FROM moods ORDER BY m"), [("sad",), ("happy",)])
        try:
            query(connection, "INSERT INTO moods VALUES ('angry')")
            raise AssertionError("a label that is none was accepted")
        except psycopg2.errors.InvalidTextRepresentation:
            connection.rollback()


@feature("transactions")
def transactions():
    one, two = connect(), connect()
    with one:
        query(one, "CREATE TABLE counter (id int PRIMARY KEY, n int)")
        query(one, "INSERT INTO counter VALUES (1, 0)")
    query(one, "UPDATE counter SET n = 5")
    equal(query(two, "SELECT n FROM counter"), [(0,)])
    two.rollback()
    one.rollback()
    equal(query(one, "SELECT n FROM counter"), [(0,)])
    one.rollback()
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        one.set_session(isolation_level=level)
        query(one, "UPDATE counter SET n = n + 1")
        one.commit()
    one.set_session(readonly=True)
    try:
        query(one, "UPDATE counter SET n = 9")
        raise AssertionError("a read-only transaction wrote")
    except psycopg2.errors.ReadOnlySqlTransaction:
        one.rollback()
    one.set_session(readonly=False, deferrable=False, isolation_level="DEFAULT")
    equal(one.info.transaction_status, psycopg2.extensions.TRANSACTION_STATUS_IDLE)
    equal(query(one, "SELECT n FROM counter FOR UPDATE"), [(3,)])
    equal(one.info.transaction_status, psycopg2.extensions.TRANSACTION_STATUS_INTRANS)
    one.commit()
    one.close()
    two.close()


@feature("savepoints")
def savepoints():
    with connect() as connection:
        query(connection, "CREATE TABLE saved (a int PRIMARY KEY)")
        query(connection, "INSERT INTO saved VALUES (1)")
        query(connection, "SAVEPOINT s")
        try:
            query(connection, "INSERT INTO saved VALUES (1)")
        except psycopg2.errors.UniqueViolation:
            query(connection, "ROLLBACK TO SAVEPOINT s")
        query(connection, "INSERT INTO saved VALUES (2)")
        query(connection, "RELEASE SAVEPOINT s")
        equal(query(connection, "SELECT a FROM saved ORDER BY a"), [(1,), (2,)])


@feature("prepared statements")
def prepared():
    with connect() as connection:
        query(connection, "PREPARE plus (int, int) AS SELECT $1 + $2")
        equal(query(connection, "EXECUTE plus (%s, %s)", (2, 3)), [(5,)])
        equal(query(connection, "SELECT name, parameter_types::text FROM pg_prepared_statements"),
              [("plus", "{integer,integer}")])
        query(connection, "DEALLOCATE plus")


@feature("errors")
def errors():
    connection = connect()
    connection.autocommit = True
    query(connection, "CREATE TABLE parent (id int PRIMARY KEY)")
    query(connection, "CREATE TABLE child (id int PRIMARY KEY, p int NOT NULL CONSTRAINT child_parent REFERENCES parent, "
                      "n int CONSTRAINT positive CHECK (n > 0))")
    query(connection, "INSERT INTO parent VALUES (1)")
    query(connection, "INSERT INTO child VALUES (1, 1, 1)")
    E = psycopg2.errors
    for text, kind, fields in [
            ("SELEC", E.SyntaxError, {}), ("SELECT * FROM nowhere", E.UndefinedTable, {}),
            ("SELECT nothing FROM parent", E.UndefinedColumn, {}), ("SELECT nofunction()", E.UndefinedFunction, {}),
            ("INSERT INTO parent VALUES (1)", E.UniqueViolation,
             {"schema_name": "public", "table_name": "parent", "constraint_name": "parent_pkey"}),
            ("INSERT INTO child VALUES (2, 9)", E.ForeignKeyViolation, {"table_name": "child", "constraint_name": "child_parent"}),
            ("INSERT INTO child VALUES (2, 1, -1)", E.CheckViolation, {"table_name": "child", "constraint_name": "positive"}),
            ("INSERT INTO child VALUES (2, NULL)", E.NotNullViolation, {"table_name": "child", "column_name": "p"}),
            ("DELETE FROM parent", E.ForeignKeyViolation, {"table_name": "child"}),
            ("SELECT 1/0", E.DivisionByZero, {}), ("SELECT 'x'::int", E.InvalidTextRepresentation, {}),
            ("SELECT 2147483647 + 1", E.NumericValueOutOfRange, {}), ("DROP TABLE parent", E.DependentObjectsStillExist, {}),
            ("SELECT 'toolong'::varchar(3)::char(2) FROM parent WHERE 'a' = 1", E.InvalidTextRepresentation, {}),
            ("CREATE TABLE parent ()", E.DuplicateTable, {}), ("SET nosuch TO 1", E.UndefinedObject, {})]:
        try:
            query(connection, text)
            raise AssertionError("no error for " + text)
        except psycopg2.Error as error:
            assert isinstance(error, kind), (text, type(error), str(error))
            for field, wanted in fields.items():
                equal(getattr(error.diag, field), wanted, text)
    try:
        query(connection, "SELECT 1 FROM parent WHERE bad")
    except psycopg2.Error as error:
        equal(error.diag.statement_position, "28")
    query(connection, "DROP TABLE IF EXISTS nosuch")
    assert any("does not exist, skipping" in notice for notice in connection.notices), connection.notices


@feature("cancel")
def cancel():
    connection = connect()
    timer = threading.Timer(0.1, connection.cancel)
    timer.start()
    try:
        query(connection, "SELECT pg_sleep(60)")
        raise AssertionError("it slept")
    except psycopg2.errors.QueryCanceled:
        connection.rollback()
    equal(query(connection, "SELECT 1"), [(1,)])
    query(connection, "SET statement_timeout = 50")
    try:
        query(connection, "SELECT count(*) FROM generate_series(1, 10000000000)")
        raise AssertionError("no timeout")
    except psycopg2.errors.QueryCanceled:
        connection.rollback()


@feature("bulk load")
def bulk():
    with connect() as connection, connection.cursor() as cursor:
        query(connection, "CREATE TABLE bulk (a int, b text)")
        cursor.copy_from(io.StringIO("".join("%d\tline %d\n" % (i, i) for i in range(20000))), "bulk", columns=("a", "b"))
        equal(cursor.rowcount, 20000)
        cursor.copy_expert("COPY bulk (b, a) FROM STDIN WITH (FORMAT csv, HEADER, NULL 'none', DELIMITER ';')",
                           io.StringIO('b;a\n"x;""y""";-1\nnone;-2\n'))
        equal(query(connection, "SELECT * FROM bulk WHERE a < 0 ORDER BY a DESC"), [(-1, 'x;"y"'), (-2, None)])
        psycopg2.extras.execute_values(cursor, "INSERT INTO bulk VALUES %s", [(i, "v") for i in range(30000, 31000)])
        psycopg2.extras.execute_batch(cursor, "INSERT INTO bulk VALUES (%s, %s)", [(i, "b") for i in range(40000, 40500)])
        out = io.StringIO()
        cursor.copy_to(out, "bulk")
        equal(len(out.getvalue().splitlines()), 21502)
        out = io.BytesIO()
        cursor.copy_expert("COPY (SELECT a, b FROM bulk WHERE a < 3 AND a >= 0 ORDER BY a) TO STDOUT (FORMAT binary)", out)
        assert out.getvalue().startswith(b"PGCOPY\n\xff\r\n\0")
        out.seek(0)
        cursor.copy_expert("COPY bulk FROM STDIN (FORMAT binary)", out)
        equal(cursor.rowcount, 3)


@feature("streaming")
def streaming():
    with connect() as connection:
        cursor = connection.cursor("stream")
        cursor.itersize = 1000
        cursor.execute("SELECT i, repeat('x', 100) FROM generate_series(1, 20000) AS i")
        equal(sum(row[0] for row in cursor), 20000 * 20001 // 2)
        cursor.close()
        scroll = connection.cursor("scroll", scrollable=True, withhold=True)
        scroll.execute("SELECT i FROM generate_series(1, 100) AS i")
        equal(scroll.fetchmany(2), [(1,), (2,)])
        scroll.scroll(50, mode="absolute")
        equal(scroll.fetchone(), (51,))
        scroll.scroll(-2)
        equal(scroll.fetchone(), (50,))
        connection.commit()
        equal(scroll.fetchone(), (51,))
        scroll.close()


@feature("introspection")
def introspection():
    with connect() as connection, connection.cursor() as cursor:
        query(connection, "CREATE TABLE seen (a int, b varchar(7), c numeric(6,2))")
        cursor.execute("SELECT a, b, c, 1 AS d FROM seen")
        equal([(c.name, c.type_code, c.precision, c.scale, c.table_oid is not None, c.table_column)
               for c in cursor.description],
              [("a", 23, None, None, True, 1), ("b", 1043, None, None, True, 2), ("c", 1700, 6, 2, True, 3),
               ("d", 23, None, None, False, None)])
        equal(query(connection, "SELECT relname FROM pg_class WHERE oid = %s", (cursor.description[0].table_oid,)), [("seen",)])


@feature("large objects of text")
def large():
    with connect() as connection:
        text = "ü" * 2000000
        equal(query(connection, "SELECT %s, length(%s), %s::bytea", (text, text, b"\0" * 1000000))[0][:2], (text, 2000000))
        equal(query(connection, sql.SQL("SELECT 1 AS {}").format(sql.Identifier('we"ird'))), [(1,)])


@feature("large objects")
def large_objects():
    with connect() as connection:
        connection.autocommit = False
        data = bytes(range(256)) * 1000
        made = connection.lobject(0, "wb")
        equal(made.write(data), len(data))
        made.close()
        connection.commit()
        found = connection.lobject(made.oid, "rwb")
        equal([found.seek(1000), found.read(5), found.tell(), found.seek(-3, 2), found.read()], [1000, data[1000:1005], 1005, len(data) - 3, data[-3:]])
        found.truncate(1002)
        equal([found.seek(0), found.read()], [0, data[:1002]])
        found.seek(5000000000)
        equal([found.write(b"far"), found.tell()], [3, 5000000003])
        found.truncate(10)
        connection.commit()
        assert found.closed or True
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "file")
            connection.lobject(made.oid, "rb").export(path)
            equal(open(path, "rb").read(), data[:10])
            again = connection.lobject(0, "n", 0, path)
            equal(connection.lobject(again.oid, "rb").read(), data[:10])
        connection.lobject(made.oid, "n").unlink()
        connection.commit()
        try:
            connection.lobject(made.oid, "rb")
            raise AssertionError("a large object that is gone was opened")
        except psycopg2.OperationalError as error:
            assert "does not exist" in str(error), error


run()
