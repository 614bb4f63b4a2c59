# SPDX-License-Identifier: GPL-3.0-or-later
r"""psql: every command of \? that asks the server, \copy, \gset and their kin, an interrupted query."""
import os
import signal
import subprocess
import tempfile
import time

import psycopg2
from report import equal, feature, run

# Patterns, S (system objects) and + (more) of each.
DESCRIBING = r"""
\d \dS+ \da \daS \dA \dA+ \dAc \dAf \dAo \dAp \db \dc \dcS+ \dC \dC+ \dd \ddS \dD \dDS+ \ddp \dE \dE+ \des \det \deu \dew \df \dfS+ \dF \dF+
\dFd \dFp \dFt \dg \dg+ \di \diS+ \dl \dL \dLS+ \dm \dmS+ \dn \dnS+ \do \doS \dO \dOS+ \dp \dP \dPt+ \dRp \dRp+ \drds \dRs \ds \dsS+ \dt \dtS+
\dT \dTS+ \du \duS+ \dv \dvS+ \dx \dx+ \dX \dy \dy+ \dconfig \l \l+ \z \sf|upper(text) \sv|seen \conninfo \encoding \password-less
""".replace(r"\password-less", "").split()
NAMED = r"""
\d item|\d+ item|\d item_pkey|\d+ item_name|\d+ seen|\d item_id_seq|\d pg_class|\d+ pg_stat_activity|\d public.*|\dt *.item|\dp item|\df+ pg_catalog.lower
\dT+ int4|\do+ pg_catalog.=|\dn+ public|\du+ app*|\dd item|\dconfig+ work_mem|\dAc btree int4|\dAf btree|\dAo btree|\dAp btree
""".strip().replace("\n", "|").split("|")


def psql(text, *options, check=True):
    done = subprocess.run(["psql", "-X", *options], input=text, capture_output=True, text=True, timeout=60)
    if check:
        assert done.returncode == 0 and "ERROR" not in done.stderr, (text[:200], done.stderr[-1000:])
    return done.stdout if check else done.stdout + done.stderr


@feature("connect")
def connects():
    text = psql("\\conninfo\n")
    assert "SSL connection" in text and 'user "app"' in text, text
    done = subprocess.run(["psql", "-X"], input="SELECT 1", capture_output=True, text=True, timeout=60, env={**os.environ, "PGPASSWORD": "wrong"})
    assert "password authentication failed" in done.stderr, done.stderr


@feature("ddl")
def ddl():
    psql("CREATE TABLE item (id serial PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', price numeric(8,2) CHECK (price > 0));"
         "CREATE INDEX item_name ON item (lower(name)); CREATE VIEW seen AS SELECT name FROM item; COMMENT ON TABLE item IS 'things';"
         "INSERT INTO item (name, price) VALUES ('one', 1), ('two', 2);")


@feature("introspection by every describing command")
def describing():
    text = "".join("\\echo at %s\n%s\n" % (command[1:], command) for command in (c.replace("|", " ") for c in DESCRIBING + NAMED))
    done = subprocess.run(["psql", "-X"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    parts = done.stdout.split("at ")
    wrong = [part[:300] for part in parts if "ERROR" in part]
    equal(wrong, [])


@feature("as the user's own eyes see it")
def shown():
    squeezed = [" ".join(line.split()) for line in psql("\\d item\n").splitlines()]
    for line in ("id | integer | | not null | nextval('item_id_seq'::regclass)", "name | character varying(20) | | not null | 'x'::character varying",
                 '"item_pkey" PRIMARY KEY, btree (id)', '"item_name" btree (lower(name::text))', "price | numeric(8,2) | | |",
                 '"item_price_check" CHECK (price > 0::numeric)'):
        assert line in squeezed, (line, squeezed)


@feature("queries and their display")
def queries():
    text = psql("SELECT 1 AS a, 'x' AS b \\gset\n\\echo :a :b\nSELECT name, id, price FROM item \\crosstabview\n")
    assert text.startswith("1 x\n"), text
    assert "character varying(5)" in psql("SELECT 'a'::varchar(5) AS two \\gdesc\n")
    equal(psql("SELECT 'SELECT ' || i FROM generate_series(1, 3) AS i \\gexec\n", "-At").splitlines(),
          ["1", "2", "3"])
    for form in ("html", "csv", "latex", "asciidoc", "wrapped", "unaligned"):
        psql("\\pset format %s\nSELECT * FROM item;\n" % form)
    psql("\\timing on\n\\x auto\nSELECT * FROM item;\n")


@feature("streaming")
def streaming():
    lines = psql("\\set FETCH_COUNT 1000\nSELECT i FROM generate_series(1, 50000) AS i;\n", "-At").splitlines()
    equal([len(lines), lines[-1]], [50000, "50000"])


@feature("bulk load")
def bulk():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.csv")
        with open(path, "w") as file:
            file.write("name,price\n" + "".join("n%d,%d.5\n" % (i, i + 1) for i in range(5000)))
        psql("\\copy item (name, price) FROM '%s' WITH (FORMAT csv, HEADER match)\n" % path)
        psql("\\copy (SELECT name FROM item WHERE name LIKE 'n%%' ORDER BY id) TO '%s'\n" % path)
        with open(path) as file:
            equal(len(file.readlines()), 5000)


@feature("types")
def types():
    values = {"int2": "7", "int4": "-5", "int8": "9223372036854775807", "numeric(20,5)": "1.00001", "float4": "0.5", "float8": "0.1", "bool": "t",
              "text": "täxt", "varchar(9)": "it's", "char(3)": "ab ", "bytea": "\\x00ff", "date": "0044-03-15 BC", "time": "01:02:03.000004",
              "timetz": "01:02:03+02", "timestamp": "2024-02-29 01:02:03.5", "timestamptz": "2024-02-29 01:02:03+00", "interval": "1 day 02:03:04",
              "uuid": "12345678-1234-5678-1234-567812345678", "json": '{"a" : [1, null]}', "jsonb": '{"a": [1, null]}', "inet": "10.0.0.1/8",
              "cidr": "10.0.0.0/8", "bit(3)": "101", "varbit": "10", "int4[]": "{1,NULL,3}", "text[]": '{"a,b","c\\"d"}', "oid": "77", "name": "n",
              "regclass": "item", "numeric[]": "{NaN,Infinity}"}
    kinds = list(values)
    text = "SET timezone = 'UTC';\nCREATE TABLE every (id int PRIMARY KEY, %s);\n" % ", ".join("c%d %s" % pair for pair in enumerate(kinds))
    text += "".join("\\set v%d '%s'\n" % (i, values[kind].replace("\\", "\\\\").replace("'", "''")) for i, kind in enumerate(kinds))
    text += "INSERT INTO every VALUES (1, %s) RETURNING id;\n" % ", ".join(":'v%d'" % i for i in range(len(kinds)))
    text += "UPDATE every SET id = id + 1 WHERE c0 = 7 RETURNING id;\nSELECT * FROM every;\nDELETE FROM every RETURNING id;\n"
    lines = psql(text, "-At", "-q", "-F", "|").splitlines()
    equal(lines, ["1", "2", "|".join(["2", *values.values()]), "2"])


@feature("transactions")
def transactions():
    text = psql("CREATE TABLE counted (a int);\nBEGIN;\nINSERT INTO counted VALUES (1);\nROLLBACK;\n\\set AUTOCOMMIT off\n"
                "INSERT INTO counted VALUES (2);\nCOMMIT;\nINSERT INTO counted VALUES (3);\nROLLBACK AND CHAIN;\nCOMMIT;\nTABLE counted;\n", "-At", "-q")
    equal(text, "2\n")


@feature("savepoints")
def savepoints():
    text = psql("BEGIN;\nCREATE TABLE saved (a int PRIMARY KEY);\nSAVEPOINT s;\nINSERT INTO saved VALUES (1);\nROLLBACK TO s;\n"
                "INSERT INTO saved VALUES (2);\nRELEASE s;\nCOMMIT;\nTABLE saved;\n", "-At", "-q")
    equal(text, "2\n")
    text = psql("\\set ON_ERROR_ROLLBACK on\nBEGIN;\nINSERT INTO saved VALUES (3);\nSELECT 1/0;\nCOMMIT;\nSELECT count(*) FROM saved;\n", "-At", "-q",
                check=False)
    assert text.startswith("2\n") and "division by zero" in text, text


@feature("prepared statements")
def prepared():
    text = psql("PREPARE plus (int, int) AS SELECT $1 + $2;\nEXECUTE plus (1, 2);\nEXECUTE plus (40, 2);\n"
                "SELECT name, parameter_types FROM pg_prepared_statements;\nDEALLOCATE plus;\n", "-At", "-q")
    equal(text, "3\n42\nplus|{integer,integer}\n")


@feature("errors")
def errors():
    text = psql("\\set VERBOSITY verbose\nBEGIN;\nSELECT 1/0;\nSELECT 1;\nROLLBACK;\n\\errverbose\n", check=False)
    assert "22012: division by zero" in text and "25P02" in text, text
    text = psql("SELECT * FROM gone;\n\\echo :SQLSTATE :ERROR\nSELEC;\n\\echo :LAST_ERROR_SQLSTATE\n", check=False)
    assert "42P01 true\n" in text and "42601\n" in text and "LINE 1: SELECT * FROM gone;" in text, text


@feature("cancel")
def cancel():
    process = subprocess.Popen(["psql", "-X", "-c", "SELECT pg_sleep(60)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    connection = psycopg2.connect("")
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'")
            if cursor.fetchone()[0]:
                break
            connection.rollback()
            time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert "canceling statement due to user request" in error, error


run()
