# SPDX-License-Identifier: GPL-3.0-or-later
"""pg8000: the protocol in plain Python, version 1.10 as Debian has it.

It knows neither SCRAM nor a certificate of its own, and cannot cancel: it goes to a cluster that asks for neither.
"""
import datetime
import decimal
import io
import os
import uuid

import pg8000
from report import equal, feature, run


OPTIONS = {"host": os.environ["PGHOST"], "port": int(os.environ["PGPORT"]), "database": os.environ["PGDATABASE"],
           "user": os.environ["PGUSER"], "password": os.environ["PGPASSWORD"]}


def connect(**options):
    return pg8000.connect(**{**OPTIONS, **options})


def query(connection, text, values=()):
    cursor = connection.cursor()
    cursor.execute(text, values)
    return [list(row) for row in cursor.fetchall()] if cursor.description else cursor.rowcount


def raises(code, connection, text, values=()):
    try:
        query(connection, text, values)
    except pg8000.Error as error:
        assert code in error.args, error.args
        connection.rollback()
        return error
    raise AssertionError("no error for " + text)


@feature("connect")
def connects():
    connection = connect()
    equal(query(connection, "SELECT 1"), [[1]])
    connection.close()
    try:
        connect(user="nobody_of_that_name")
        raise AssertionError("a user that there is not was let in")
    except pg8000.Error as error:
        assert "md5 password authentication failed" in error.args, error.args  # Its words for SQLSTATE 28000.


@feature("ddl")
def ddl():
    connection = connect()
    query(connection, "CREATE TABLE item (id serial PRIMARY KEY, name text UNIQUE NOT NULL, price numeric(8,2))")
    query(connection, "ALTER TABLE item ADD COLUMN kind varchar(3) DEFAULT 'x'")
    query(connection, "CREATE INDEX item_kind ON item (kind)")
    equal(query(connection, "INSERT INTO item (name, price) VALUES (%s, %s) RETURNING id, kind", ("a", decimal.Decimal("1.50"))),
          [[1, "x"]])
    connection.commit()
    query(connection, "DROP TABLE item")
    connection.commit()


@feature("types")
def types():
    connection = connect()
    utc = datetime.timezone.utc
    for kind, value in [
            ("int2", 7), ("int4", -2 ** 31), ("int8", 2 ** 62), ("float8", 0.1), ("float4", 0.5), ("bool", True),
            ("numeric", decimal.Decimal("1234.5600")), ("text", "täxt"), ("varchar", "v"), ("bytea", b"\0\xff"),
            ("date", datetime.date(2024, 2, 29)), ("time", datetime.time(1, 2, 3, 4)),
            ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)),
            ("timestamptz", datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=utc)),
            ("interval", datetime.timedelta(days=2, seconds=3)), ("uuid", uuid.UUID(int=9)),
            ("int4[]", [1, 2, 3]), ("int4[]", [[1, 2], [3, 4]]), ("text[]", ["a", "b,c"]), ("float8[]", [0.5, 1.5])]:
        got = query(connection, "SELECT CAST(%s AS " + kind + ")", (value,))[0][0]
        equal(got, value, kind)
    equal(query(connection, "SELECT NULL, 1.5::numeric"), [[None, decimal.Decimal("1.5")]])
    connection.close()


@feature("transactions")
def transactions():
    one, two = connect(), connect()
    query(one, "CREATE TABLE counted (n int)")
    one.commit()
    query(one, "INSERT INTO counted VALUES (1)")
    equal(query(two, "SELECT count(*) FROM counted"), [[0]])
    two.rollback()
    one.rollback()
    equal(query(one, "SELECT count(*) FROM counted"), [[0]])
    one.rollback()
    one.autocommit = True
    query(one, "INSERT INTO counted VALUES (1)")
    equal(query(two, "SELECT count(*) FROM counted"), [[1]])
    xid = two.xid(1, "global", "branch")
    equal(xid[1], "global")


@feature("savepoints")
def savepoints():
    connection = connect()
    query(connection, "CREATE TABLE saved (n int PRIMARY KEY)")
    query(connection, "INSERT INTO saved VALUES (1)")
    query(connection, "SAVEPOINT s")
    try:
        query(connection, "INSERT INTO saved VALUES (1)")
    except pg8000.Error:
        query(connection, "ROLLBACK TO SAVEPOINT s")
    query(connection, "INSERT INTO saved VALUES (2)")
    connection.commit()
    equal(query(connection, "SELECT count(*) FROM saved"), [[2]])


@feature("prepared statements")
def prepared():
    connection = connect()
    query(connection, "CREATE TABLE p (a int, b text)")
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO p VALUES (%s, %s)", [(i, str(i)) for i in range(300)])
    equal(cursor.rowcount, 300)
    for i in (5, 6):
        equal(query(connection, "SELECT b FROM p WHERE a = %s", (i,)), [[str(i)]])


@feature("errors")
def errors():
    connection = connect()
    query(connection, "CREATE TABLE e (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0))")
    query(connection, "INSERT INTO e VALUES (1, 1)")
    connection.commit()
    for code, text in [("23505", "INSERT INTO e VALUES (1, 1)"), ("23502", "INSERT INTO e VALUES (2, NULL)"),
                       ("23514", "INSERT INTO e VALUES (2, -1)"), ("42P01", "SELECT * FROM gone"), ("42601", "SELEC"),
                       ("22012", "SELECT 1/0"), ("42703", "SELECT nothing FROM e")]:
        raises(code, connection, text)


@feature("bulk load")
def bulk():
    connection = connect()
    query(connection, "CREATE TABLE loaded (a int, b text)")
    connection.cursor().execute("COPY loaded FROM STDIN", stream=io.BytesIO(b"".join(b"%d\tline\n" % i for i in range(20000))))
    equal(query(connection, "SELECT count(*), sum(a) FROM loaded"), [[20000, 19999 * 10000]])
    out = io.BytesIO()
    connection.cursor().execute("COPY (SELECT * FROM loaded WHERE a < 2 ORDER BY a) TO STDOUT", stream=out)
    equal(out.getvalue(), b"0\tline\n1\tline\n")


@feature("streaming")
def streaming():
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("SELECT i, repeat('x', 20) FROM generate_series(1, 30000) AS i")
    equal(sum(row[0] for row in cursor), 30000 * 30001 // 2)


@feature("introspection")
def introspection():
    connection = connect()
    query(connection, "CREATE TABLE seen (a int, b text[])")
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM seen")
    equal([(c[0].decode() if isinstance(c[0], bytes) else c[0], c[1]) for c in cursor.description], [("a", 23), ("b", 1009)])


run()
