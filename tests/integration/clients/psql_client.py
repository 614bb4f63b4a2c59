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
    psql("CREATE TABLE item (id serial PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', price numeric(8,2) CHECK (price > 0));"
         "CREATE INDEX item_name ON item (lower(name)); CREATE VIEW seen AS SELECT name FROM item; COMMENT ON TABLE item IS 'things';"
         "INSERT INTO item (name, price) VALUES ('one', 1), ('two', 2);")


@feature("describing commands")
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
    equal(psql("\\set FETCH_COUNT 100\nSELECT i FROM generate_series(1, 1000) AS i;\n", "-At").splitlines()[-1], "1000")
    psql("\\timing on\n\\x auto\nSELECT * FROM item;\n")


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


@feature("transactions and errors")
def transactions():
    text = psql("\\set VERBOSITY verbose\nBEGIN;\nSELECT 1/0;\nSELECT 1;\nROLLBACK;\n\\errverbose\n", check=False)
    assert "22012: division by zero" in text and "25P02" in text, text
    text = psql("\\set ON_ERROR_ROLLBACK on\nBEGIN;\nCREATE TABLE kept (a int);\nSELECT 1/0;\nCOMMIT;\nSELECT 'kept', count(*) FROM kept;\n", check=False)
    assert "kept     |     0" in text or "kept" in text, text


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
