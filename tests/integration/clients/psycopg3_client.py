# SPDX-License-Identifier: GPL-3.0-or-later
"""psycopg 3, through libpq: text and binary, pipeline mode, COPY, asyncio."""
import asyncio
import datetime
import decimal
import ipaddress
import threading
import uuid

import psycopg
from psycopg import errors as E
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg.types.range import Range
from report import equal, feature, run

UTC = datetime.timezone.utc


def connect(**options):
    return psycopg.connect("", **options)


@feature("connect")
def connects():
    with connect() as connection:
        assert connection.pgconn.ssl_in_use
        equal(connection.info.encoding, "utf-8")
        equal(connection.execute("SELECT 1 AS a, 'x' AS b").fetchone(), (1, "x"))
    try:
        connect(password="wrong")
        raise AssertionError("a wrong password was accepted")
    except psycopg.OperationalError as error:
        assert "password authentication failed" in str(error), error


@feature("ddl")
def ddl():
    with connect() as connection:
        connection.execute("CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, "
                           "size int, twice int GENERATED ALWAYS AS (size * 2) STORED)")
        connection.execute("CREATE UNIQUE INDEX item_name ON item (lower(name))")
        connection.execute("ALTER TABLE item ADD CONSTRAINT named CHECK (name <> '')")
        equal(connection.execute("INSERT INTO item (name, size) VALUES ('a', 4) RETURNING id, twice").fetchone(), (1, 8))
        connection.execute("ALTER TABLE item RENAME COLUMN size TO length")
        connection.execute("ALTER TABLE item RENAME TO thing")
        equal(connection.execute("SELECT length, twice FROM thing").fetchone(), (4, 8))


def values():
    return [
        ("int2", -7), ("int4", 2 ** 31 - 1), ("int8", -2 ** 63), ("float8", 0.1), ("float8", float("inf")),
        ("numeric", decimal.Decimal("-1234567890.000001")), ("numeric", decimal.Decimal("1E+30")), ("bool", False),
        ("text", "täxt"), ("bytea", bytes(range(256))), ("date", datetime.date(2024, 2, 29)),
        ("time", datetime.time(1, 2, 3, 4)), ("timestamp", datetime.datetime(1970, 1, 1)),
        ("timestamptz", datetime.datetime(2024, 6, 1, 12, tzinfo=UTC)), ("interval", datetime.timedelta(days=-1, seconds=1)),
        ("uuid", uuid.UUID(int=12345)), ("inet", ipaddress.ip_address("::1")), ("inet", ipaddress.ip_interface("10.0.0.1/8")),
        ("timetz", datetime.time(1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=-3)))),
        ("int4[]", [1, 2, None]), ("text[]", ["a", 'b"', ""]), ("int8[]", [[1], [2]]), ("numeric[]", [decimal.Decimal("0.1")]),
        ("timestamptz[]", [datetime.datetime(2024, 6, 1, 12, tzinfo=UTC)]), ("bool[]", [True, False]),
        ("uuid[]", [uuid.UUID(int=5)]), ("bytea[]", [b"\0", b"x"]), ("jsonb", {"a": [1, 2, {"b": None}]}), ("json", [1, "x"]),
        ("oid", 4000000000), ("varchar", "v"), ("name", "n"), ("char(4)", "c   "),
        ("int4range", Range(1, 5)), ("int8range", Range(None, 2 ** 62, "()")), ("numrange", Range(decimal.Decimal("1.50"), None, "()")),
        ("daterange", Range(datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))),
        ("tsrange", Range(datetime.datetime(2024, 1, 1, 10), datetime.datetime(2024, 1, 2), "(]")),
        ("tstzrange", Range(datetime.datetime(2024, 1, 1, 10, tzinfo=UTC), None)), ("int4range", Range(empty=True)),
    ]


def types(binary):
    with connect() as connection:
        connection.execute("SET timezone TO 'UTC'")
        for kind, value in values():
            given = psycopg.types.json.Jsonb(value) if kind == "jsonb" else \
                psycopg.types.json.Json(value) if kind == "json" else value
            mark = "%b" if binary else "%t"
            got = connection.cursor(binary=binary).execute("SELECT %s::%s" % (mark, kind), (given,)).fetchone()[0]
            assert type(got) is type(value), (kind, value, got)
            equal(got, value, kind)
        columns = ", ".join("c%d %s" % (i, kind) for i, (kind, _) in enumerate(values()))
        connection.execute("CREATE TEMP TABLE every (%s)" % columns)
        given = [Jsonb(v) if k == "jsonb" else psycopg.types.json.Json(v) if k == "json" else v for k, v in values()]
        marks = ", ".join(["%b" if binary else "%t"] * len(given))
        connection.execute("INSERT INTO every VALUES (%s)" % marks, given)
        got = connection.cursor(binary=binary).execute("SELECT * FROM every").fetchone()
        equal(list(got), [v for _, v in values()])


@feature("types as text")
def types_text():
    types(False)


@feature("types as binary")
def types_binary():
    types(True)


@feature("transactions")
def transactions():
    with connect(autocommit=True) as connection:
        connection.execute("CREATE TABLE counted (n int)")
        with connection.transaction():
            connection.execute("INSERT INTO counted VALUES (1)")
        try:
            with connection.transaction():
                connection.execute("INSERT INTO counted VALUES (2)")
                raise KeyError
        except KeyError:
            pass
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO counted VALUES (3)")
        equal(connection.execute("SELECT n FROM counted").fetchall(), [(1,)])
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.read_only = True
        try:
            with connection.transaction():
                connection.execute("INSERT INTO counted VALUES (4)")
            raise AssertionError("a read-only transaction wrote")
        except E.ReadOnlySqlTransaction:
            pass


@feature("savepoints")
def savepoints():
    with connect() as connection:
        connection.execute("CREATE TABLE saved (n int PRIMARY KEY)")
        with connection.transaction():
            for n in (1, 1, 2):
                try:
                    with connection.transaction():
                        connection.execute("INSERT INTO saved VALUES (%s)", (n,))
                except E.UniqueViolation:
                    pass
        equal(connection.execute("SELECT n FROM saved ORDER BY n").fetchall(), [(1,), (2,)])


@feature("prepared statements")
def prepared():
    with connect(autocommit=True, prepare_threshold=0) as connection:
        connection.execute("CREATE TABLE p (a int, b text)")
        for i in range(10):
            connection.execute("INSERT INTO p VALUES (%s, %s)", (i, str(i)))
        equal(connection.execute("SELECT b FROM p WHERE a = %s", (7,), prepare=True).fetchone(), ("7",))
        names = connection.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False).fetchone()[0]
        assert names >= 2, names
        connection.execute("ALTER TABLE p ADD COLUMN c int")
        equal(connection.execute("SELECT b FROM p WHERE a = %s", (8,), prepare=True).fetchone(), ("8",))
        connection.cursor().executemany("INSERT INTO p VALUES (%s, %s)", [(i, "m") for i in range(100, 200)])
        equal(connection.execute("SELECT count(*) FROM p").fetchone(), (110,))
        cursor = connection.cursor()
        cursor.executemany("SELECT %s::int + 1", [(1,), (2,)], returning=True)
        got = [cursor.fetchone()]
        while cursor.nextset():
            got.append(cursor.fetchone())
        equal(got, [(2,), (3,)])
        # Values are read as their type is when they are bound, not as it was when the statement was prepared.
        connection.execute("CREATE TYPE stage AS ENUM ('egg')")
        connection.execute("CREATE TABLE moths (s stage)")
        add = "INSERT INTO moths VALUES (%s)"
        connection.execute(add, ("egg",))
        with connect(autocommit=True) as other:
            other.execute("ALTER TYPE stage ADD VALUE 'pupa'")
        connection.execute(add, ("pupa",))
        equal(connection.execute("SELECT s::text FROM moths ORDER BY s").fetchall(), [("egg",), ("pupa",)])


@feature("pipeline")
def pipeline():
    with connect(autocommit=True) as connection:
        connection.execute("CREATE TABLE piped (a int PRIMARY KEY)")
        with connection.pipeline() as pipe, connection.cursor() as cursor:
            results = [connection.execute("INSERT INTO piped VALUES (%s) RETURNING a", (i,)) for i in range(200)]
            pipe.sync()
            equal([r.fetchone()[0] for r in results], list(range(200)))
            cursor.execute("SELECT sum(a) FROM piped")
            equal(cursor.fetchone(), (19900,))
        try:
            with connection.pipeline():
                connection.execute("INSERT INTO piped VALUES (1000)")
                connection.execute("INSERT INTO piped VALUES (1)")
                connection.execute("INSERT INTO piped VALUES (1001)")
            raise AssertionError("no error")
        except (E.UniqueViolation, psycopg.errors.PipelineAborted):
            pass
        equal(connection.execute("SELECT count(*) FROM piped WHERE a >= 1000").fetchone(), (0,))
        with connection.pipeline(), connection.transaction():
            connection.execute("INSERT INTO piped VALUES (2000)")
            connection.execute("INSERT INTO piped VALUES (2001)")
        equal(connection.execute("SELECT count(*) FROM piped WHERE a >= 1000").fetchone(), (2,))


@feature("errors")
def errors():
    with connect(autocommit=True) as connection:
        connection.execute("CREATE TABLE e (a int PRIMARY KEY, b int CONSTRAINT small CHECK (b < 10))")
        connection.execute("INSERT INTO e VALUES (1, 1)")
        for text, args, kind, name in [
                ("INSERT INTO e VALUES (%s, 1)", (1,), E.UniqueViolation, "e_pkey"),
                ("INSERT INTO e VALUES (%s, 99)", (2,), E.CheckViolation, "small"),
                ("SELECT %s::int", ("x",), E.InvalidTextRepresentation, None),
                ("SELECT %s / 0", (1,), E.DivisionByZero, None), ("SELECT * FROM gone WHERE a = %s", (1,), E.UndefinedTable, None),
                ("SELECT a + %s FROM e WHERE b = 'x'", (1,), E.InvalidTextRepresentation, None)]:
            try:
                connection.execute(text, args)
                raise AssertionError("no error for " + text)
            except psycopg.Error as error:
                assert isinstance(error, kind), (text, type(error), str(error))
                equal(error.diag.constraint_name, name, text)
        equal(connection.execute("SELECT 1").fetchone(), (1,))


@feature("cancel")
def cancel():
    with connect() as connection:
        threading.Timer(0.1, connection.cancel).start()
        try:
            connection.execute("SELECT pg_sleep(60)")
            raise AssertionError("it slept")
        except E.QueryCanceled:
            connection.rollback()
        equal(connection.execute("SELECT 1").fetchone(), (1,))


@feature("bulk load")
def bulk():
    with connect() as connection, connection.cursor() as cursor:
        connection.execute("CREATE TABLE loaded (a int, b text, c timestamptz, d numeric, e jsonb, f int[])")
        now = datetime.datetime(2024, 1, 1, tzinfo=UTC)
        with cursor.copy("COPY loaded FROM STDIN") as copy:
            for i in range(5000):
                copy.write_row((i, "line\t%d" % i, now, decimal.Decimal(i) / 4, Jsonb({"i": i}), [i]))
        with cursor.copy("COPY loaded (a, b, c, d, e, f) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "timestamptz", "numeric", "jsonb", "int4[]"])
            for i in range(5000):
                copy.write_row((i, "line\t%d" % i, now, decimal.Decimal(i) / 4, Jsonb({"i": i}), [i]))
        equal(connection.execute("SELECT count(*) FROM (SELECT a FROM loaded GROUP BY a, b, c, d, e, f HAVING count(*) = 2) "
                                 "AS pairs").fetchone(), (5000,))
        with cursor.copy("COPY (SELECT a, b, c FROM loaded ORDER BY a LIMIT 10) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "timestamptz"])
            rows = list(copy.rows())
        equal(rows[3], (1, "line\t1", now))
        try:
            with cursor.copy("COPY loaded FROM STDIN") as copy:
                copy.write_row((1, "x"))
        except E.BadCopyFileFormat:
            connection.rollback()


@feature("streaming")
def streaming():
    with connect() as connection:
        total = 0
        for row in connection.cursor().stream("SELECT i, repeat('x', 50) FROM generate_series(1, %s) AS i", (50000,)):
            total += row[0]
        equal(total, 50000 * 50001 // 2)


@feature("server-side cursors")
def cursors():
    with connect() as connection:
        for binary in (False, True):
            with connection.cursor("named", binary=binary) as cursor:
                cursor.execute("SELECT i FROM generate_series(1, 10000) AS i WHERE i > %s", (10,))
                equal(sum(1 for _ in cursor), 9990)
        with connection.cursor("moved", scrollable=True, row_factory=dict_row) as cursor:
            cursor.execute("SELECT i FROM generate_series(1, 100) AS i")
            cursor.scroll(97, mode="absolute")
            equal(cursor.fetchall(), [{"i": 98}, {"i": 99}, {"i": 100}])


@feature("introspection")
def introspection():
    with connect() as connection:
        connection.execute("CREATE TABLE known (a int, b varchar(7), c numeric(6,2)[])")
        got = [(c.name, c.type_code, c.display_size, c.precision) for c in
               connection.execute("SELECT * FROM known").description]
        equal(got, [("a", 23, None, None), ("b", 1043, 7, None), ("c", 1231, None, 6)])
        info = psycopg.types.TypeInfo.fetch(connection, "jsonb")
        equal((info.oid, info.array_oid), (3802, 3807))


@feature("composite types and enums")
def registered():
    with connect() as connection:
        connection.execute("CREATE TYPE pair AS (a int, b text)")
        info = psycopg.types.composite.CompositeInfo.fetch(connection, "pair")
        equal(info.field_names, ["a", "b"])
        psycopg.types.composite.register_composite(info, connection)
        equal(connection.execute("SELECT '(1,\"x y\")'::pair").fetchone()[0], info.python_type(1, "x y"))
        connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        info = psycopg.types.enum.EnumInfo.fetch(connection, "mood")
        equal(list(info.labels), ["sad", "ok"])
        psycopg.types.enum.register_enum(info, connection)
        equal(connection.execute("SELECT 'ok'::mood").fetchone()[0], info.enum.ok)
        equal(connection.cursor(binary=True).execute("SELECT %s", (info.enum.sad,)).fetchone()[0], info.enum.sad)


@feature("asyncio")
def asynchronous():
    async def work():
        async with await psycopg.AsyncConnection.connect("") as connection:
            async with connection.cursor() as cursor:
                await cursor.execute("SELECT generate_series(1, 3)")
                return [row[0] async for row in cursor]
    equal(asyncio.run(work()), [1, 2, 3])


run()
