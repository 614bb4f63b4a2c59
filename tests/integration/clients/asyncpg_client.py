# SPDX-License-Identifier: GPL-3.0-or-later
"""asyncpg: its own protocol code, everything prepared and binary."""
import asyncio
import datetime
import decimal
import inspect
import ipaddress
import os
import ssl
import sys
import uuid

import asyncpg
from asyncpg import exceptions as E
from report import equal, feature, run

UTC = datetime.timezone.utc


async def connect(**options):
    context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
    return await asyncpg.connect(**{**{"ssl": context}, **options})


def on_connection(function):
    def body():
        async def work():
            connection = await connect()
            try:
                await function(connection)
            finally:
                await connection.close(timeout=10)
        asyncio.run(work())
    return body


async def raises(kind, awaitable):
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError("no %s" % kind.__name__)


@feature("connect")
@on_connection
async def connects(connection):
    equal(connection.get_server_version().major, 15)
    equal(connection.get_settings().server_encoding, "UTF8")
    equal(await connection.fetchval("SELECT 1"), 1)
    await raises(E.InvalidPasswordError, connect(password="wrong"))


@feature("ddl")
@on_connection
async def ddl(connection):
    await connection.execute("""
        CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE);
        CREATE INDEX ON item (name, id);
        ALTER TABLE item ADD COLUMN other int DEFAULT 3;
        INSERT INTO item (name) VALUES ('a')""")
    row = await connection.fetchrow("SELECT * FROM item")
    equal(dict(row), {"id": 1, "name": "a", "other": 3})


@feature("types")
@on_connection
async def types(connection):
    values = [
        ("int2", -32768), ("int4", 2 ** 31 - 1), ("int8", -2 ** 63), ("float4", 0.5), ("float8", 0.1), ("bool", True),
        ("numeric", decimal.Decimal("123456789012345.000100")), ("numeric", decimal.Decimal("NaN")), ("text", "täxt"),
        ("varchar", "v"), ("name", "n"), ('"char"', b"c"), ("bytea", b"\0\xff"), ("date", datetime.date(1900, 1, 1)),
        ("time", datetime.time(1, 2, 3, 4)), ("timetz", datetime.time(1, 2, 3, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))),
        ("timestamp", datetime.datetime(2024, 2, 29, 23, 59, 59, 999999)),
        ("timestamptz", datetime.datetime(2024, 2, 29, 1, tzinfo=UTC)), ("interval", datetime.timedelta(days=400, microseconds=1)),
        ("uuid", uuid.UUID(int=99)), ("inet", ipaddress.ip_address("10.0.0.1")), ("json", '{"a": 1}'), ("jsonb", '{"a": 1}'),
        ("oid", 4294967295), ("bit(5)", asyncpg.BitString("10101")), ("varbit", asyncpg.BitString("1")), ("xid", 5),
        ("int4[]", [1, None]), ("text[]", ["a", "b,c"]), ("int4[]", [[1, 2], [3, 4]]), ("uuid[]", [uuid.UUID(int=1)]),
        ("timestamptz[]", [datetime.datetime(2024, 2, 29, 1, tzinfo=UTC)]), ("numeric[]", [decimal.Decimal("1.10")]),
        ("jsonb[]", ['{"a": 1}', "[]"]), ("interval[]", [datetime.timedelta(hours=1)]),
        ("int4range", asyncpg.Range(1, 5)), ("int8range", asyncpg.Range(None, 2 ** 62)),
        ("numrange", asyncpg.Range(decimal.Decimal("1.50"), None, lower_inc=False)),
        ("daterange", asyncpg.Range(datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))),
        ("tsrange", asyncpg.Range(datetime.datetime(2024, 1, 1, 10), datetime.datetime(2024, 1, 2), upper_inc=True)),
        ("tstzrange", asyncpg.Range(datetime.datetime(2024, 1, 1, 10, tzinfo=UTC), None)), ("int4range", asyncpg.Range(empty=True)),
        ("int4range[]", [asyncpg.Range(1, 2), None]),
        ("point", asyncpg.Point(1.5, -2)), ("line", asyncpg.Line(1, 2, 3)), ("lseg", asyncpg.LineSegment((0, 0), (1, 1))),
        ("box", asyncpg.Box((2, 2), (0, -1))), ("path", asyncpg.Path((0, 0), (1, 2), is_closed=True)),
        ("path", asyncpg.Path((0, 0), (1, 2), (3, 3), is_closed=False)), ("polygon", asyncpg.Polygon((0, 0), (1, 2), (3, 3))),
        ("circle", asyncpg.Circle((1, 1), 2.5)), ("point[]", [asyncpg.Point(1, 2), None]), ("box[]", [asyncpg.Box((1, 1), (0, 0))]),
        ("money", "$1,234.50"),
    ]
    for kind, value in values:
        got = await connection.fetchval("SELECT $1::" + kind, value)
        assert got == value or value != value and got != got, (kind, got, value)
    equal(await connection.fetchrow("SELECT NULL::int AS a, ROW(1, 'x'::text, NULL::int) AS r"), (None, (1, "x", None)))
    await connection.set_type_codec("jsonb", encoder=lambda v: v, decoder=lambda v: v + "!", schema="pg_catalog")
    equal(await connection.fetchval("SELECT '[1]'::jsonb"), "[1]!")


@feature("composite types and enums")
@on_connection
async def composite(connection):
    await connection.execute("CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('sad', 'ok')")
    equal(tuple(await connection.fetchval("SELECT $1::pair", (1, "x"))), (1, "x"))
    equal(await connection.fetchval("SELECT $1::mood", "ok"), "ok")
    equal(await connection.fetchval("SELECT $1::mood[]", ["ok", "sad"]), ["ok", "sad"])


@feature("transactions")
@on_connection
async def transactions(connection):
    await connection.execute("CREATE TABLE counted (n int)")
    for isolation in ("read_committed", "repeatable_read", "serializable"):
        async with connection.transaction(isolation=isolation):
            await connection.execute("INSERT INTO counted VALUES (1)")
    await raises(E.ReadOnlySQLTransactionError, write_read_only(connection))
    equal(await connection.fetchval("SELECT count(*) FROM counted"), 3)


async def write_read_only(connection):
    async with connection.transaction(readonly=True):
        await connection.execute("INSERT INTO counted VALUES (1)")


@feature("savepoints")
@on_connection
async def savepoints(connection):
    await connection.execute("CREATE TABLE saved (n int PRIMARY KEY)")
    async with connection.transaction():
        await connection.execute("INSERT INTO saved VALUES (1)")
        try:
            async with connection.transaction():
                await connection.execute("INSERT INTO saved VALUES (1)")
        except E.UniqueViolationError:
            pass
        await connection.execute("INSERT INTO saved VALUES (2)")
    equal(await connection.fetchval("SELECT array_agg(n ORDER BY n) FROM saved"), [1, 2])


@feature("prepared statements")
@on_connection
async def prepared(connection):
    statement = await connection.prepare("SELECT a + $1 AS sum, $2::text AS t FROM generate_series(1, 3) AS a")
    equal([p.name for p in statement.get_parameters()], ["int4", "text"])
    equal([(a.name, a.type.name) for a in statement.get_attributes()], [("sum", "int4"), ("t", "text")])
    equal([tuple(r) for r in await statement.fetch(10, "x")], [(11, "x"), (12, "x"), (13, "x")])
    equal(len(await statement.explain(1, "x")) > 0, True)
    await connection.execute("CREATE TABLE changing (a int)")
    await connection.fetch("SELECT * FROM changing")
    await connection.execute("ALTER TABLE changing ADD COLUMN b int")
    await connection.execute("INSERT INTO changing VALUES (1, 2)")
    equal([tuple(r) for r in await connection.fetch("SELECT * FROM changing")], [(1, 2)])
    await connection.executemany("INSERT INTO changing VALUES ($1, $2)", [(i, i) for i in range(1000)])
    equal(await connection.fetchval("SELECT count(*) FROM changing"), 1001)
    await connection.reset()


@feature("errors")
@on_connection
async def errors(connection):
    await connection.execute("CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL)")
    await connection.execute("INSERT INTO e VALUES (1, 1)")
    error = await raises(E.UniqueViolationError, connection.execute("INSERT INTO e VALUES (1, 1)"))
    equal((error.sqlstate, error.table_name, error.constraint_name), ("23505", "e", "e_pkey"))
    assert "(a)=(1) already exists" in error.detail, error.detail
    error = await raises(E.NotNullViolationError, connection.execute("INSERT INTO e (a) VALUES (2)"))
    equal(error.column_name, "b")
    await raises(E.UndefinedTableError, connection.fetch("SELECT * FROM gone"))
    await raises(E.PostgresSyntaxError, connection.fetch("SELEC 1"))
    await raises(E.DivisionByZeroError, connection.fetch("SELECT 1 / $1::int", 0))
    await raises(E.DataError, connection.fetch("SELECT $1::int", "x"))
    equal(await connection.fetchval("SELECT 1"), 1)


@feature("cancel")
@on_connection
async def cancel(connection):
    await raises(asyncio.TimeoutError, connection.fetch("SELECT pg_sleep(60)", timeout=0.1))
    equal(await connection.fetchval("SELECT 1"), 1)
    task = asyncio.ensure_future(connection.fetch("SELECT count(*) FROM generate_series(1, 10000000000)"))
    await asyncio.sleep(0.1)
    task.cancel()
    await raises(asyncio.CancelledError, task)
    equal(await connection.fetchval("SELECT 2"), 2)


@feature("bulk load")
@on_connection
async def bulk(connection):
    await connection.execute("CREATE TABLE loaded (a int, b text, c timestamptz, d numeric)")
    now = datetime.datetime(2024, 1, 1, tzinfo=UTC)
    rows = [(i, "t%d" % i, now, decimal.Decimal(i)) for i in range(5000)]
    equal(await connection.copy_records_to_table("loaded", records=rows), "COPY 5000")
    import io
    out = io.BytesIO()
    equal(await connection.copy_from_query("SELECT a, b FROM loaded WHERE a < $1 ORDER BY a", 2, output=out, format="csv"),
          "COPY 2")
    equal(out.getvalue(), b"0,t0\n1,t1\n")
    out = io.BytesIO()
    await connection.copy_from_table("loaded", output=out, format="binary")
    out.seek(0)
    equal(await connection.copy_to_table("loaded", source=out, format="binary"), "COPY 5000")
    equal(await connection.fetchval("SELECT sum(a) FROM loaded"), 4999 * 5000)


@feature("streaming")
@on_connection
async def streaming(connection):
    total = 0
    async with connection.transaction():
        async for row in connection.cursor("SELECT i FROM generate_series(1, $1::int) AS i", 20000, prefetch=500):
            total += row["i"]
    equal(total, 20000 * 20001 // 2)
    async with connection.transaction():
        cursor = await connection.cursor("SELECT i FROM generate_series(1, 100) AS i")
        equal([r[0] for r in await cursor.fetch(2)], [1, 2])
        equal(await cursor.forward(10), 10)
        equal((await cursor.fetchrow())[0], 13)


@feature("introspection")
@on_connection
async def introspection(connection):
    await connection.execute("CREATE TABLE seen (a int[], b varchar(3), c jsonb)")
    await connection.execute("CREATE VIEW watching AS SELECT * FROM seen")
    statement = await connection.prepare("SELECT * FROM watching")
    equal([a.type.name for a in statement.get_attributes()], ["int4[]", "varchar", "jsonb"])


@feature("pool")
def pool():
    async def work():
        context = ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"])
        async with asyncpg.create_pool(min_size=2, max_size=4, ssl=context) as many:
            got = await asyncio.gather(*[many.fetchval("SELECT $1::int * 2", i) for i in range(50)])
        equal(got, [i * 2 for i in range(50)])
    asyncio.run(work())


run()
