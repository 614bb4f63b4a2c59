# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of statements about few names: objects come, change and go, in transactions and out of them, errors and all.

Every answer is compared, and for what is said of objects (class 2BP01 above all) the message too. Statements are drawn so
that about half of them succeed: few names, so that objects meet each other.
"""
import random

TABLES = ("ta", "tb", "tc")
VIEWS = ("va", "vb", "ma")
COLUMNS = ("a", "b", "c", "d")
TYPES = ("int4", "int8", "text", "numeric(6,2)", "date", "bool", "varchar(5)", "jsonb", "int4[]", "timestamptz", "mood", "bigserial")
ACTIONS = ("CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT", "NO ACTION")

FIXED = [
    "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s1", "SAVEPOINT s2", "ROLLBACK TO s1", "ROLLBACK TO s2", "RELEASE s1", "RELEASE s2", "BEGIN ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION READ ONLY",
    "COMMIT AND CHAIN", "ABORT", "END",
    "CREATE SEQUENCE sa", "CREATE SEQUENCE sb START 5 INCREMENT -2 MAXVALUE 9 MINVALUE -9 CYCLE", "DROP SEQUENCE sa", "DROP SEQUENCE IF EXISTS sb CASCADE", "SELECT nextval('sa')", "SELECT nextval('sb'), currval('sb')",
    "SELECT setval('sa', 7)", "SELECT setval('sb', 3, false)", "SELECT setval('sb', 100)", "SELECT lastval()", "SELECT currval('sa')", "ALTER SEQUENCE sa RESTART WITH 3", "ALTER SEQUENCE sb OWNED BY ta.a",
    "ALTER SEQUENCE sb OWNED BY NONE", "ALTER SEQUENCE sa MAXVALUE 10 INCREMENT 4", "ALTER SEQUENCE sa MINVALUE 20", "ALTER SEQUENCE sa AS int2", "ALTER SEQUENCE sa RENAME TO sb", "SELECT last_value, is_called FROM sa",
    "CREATE TYPE mood AS ENUM ('sad', 'ok')", "DROP TYPE mood", "DROP TYPE mood CASCADE", "DROP TYPE IF EXISTS pair RESTRICT", "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "CREATE TYPE pair AS (x int4, y text)",
    "CREATE DOMAIN pos AS int4 CHECK (VALUE > 0)", "DROP DOMAIN pos", "DROP DOMAIN pos CASCADE", "ALTER DOMAIN pos SET NOT NULL", "ALTER DOMAIN pos ADD CHECK (VALUE < 100)", "ALTER TYPE mood RENAME TO pair",
    "CREATE SCHEMA sc", "DROP SCHEMA sc", "DROP SCHEMA sc CASCADE", "CREATE TABLE sc.ta (a int4)", "SET search_path = sc, public", "RESET search_path", "ALTER TABLE ta SET SCHEMA sc", "ALTER TABLE sc.ta SET SCHEMA public",
    "CREATE FUNCTION fa(x int4) RETURNS int4 LANGUAGE sql AS 'SELECT $1 + 1'", "CREATE OR REPLACE FUNCTION fa(x int4) RETURNS text LANGUAGE sql AS 'SELECT ''x'''", "SELECT fa(4)", "DROP FUNCTION fa", "DROP FUNCTION fa(int4) CASCADE",
    "DROP FUNCTION fa(text)", "CREATE FUNCTION fa(x text) RETURNS text LANGUAGE sql AS 'SELECT x || ''!'''",
    "DECLARE cu CURSOR FOR SELECT a FROM ta ORDER BY a", "DECLARE cu SCROLL CURSOR WITH HOLD FOR SELECT g FROM generate_series(1, 5) g", "FETCH cu", "FETCH 2 FROM cu", "FETCH BACKWARD 1 FROM cu", "FETCH LAST FROM cu", "FETCH ABSOLUTE 2 FROM cu",
    "FETCH RELATIVE -1 FROM cu", "MOVE cu", "MOVE 2 IN cu", "CLOSE cu", "CLOSE ALL", "FETCH ALL cu", "FETCH FIRST cu", "UPDATE ta SET a = a + 1 WHERE CURRENT OF cu", "DELETE FROM ta WHERE CURRENT OF cu", "FETCH PRIOR cu", "MOVE BACKWARD ALL IN cu",
    "PREPARE pa AS SELECT $1::int4 + 1", "PREPARE pa (int4) AS INSERT INTO ta (a) VALUES ($1)", "EXECUTE pa (1)", "EXECUTE pa", "EXECUTE pa ('x')", "DEALLOCATE pa", "DEALLOCATE ALL",
    "SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 ORDER BY conrelid::regclass::text, conname",
    "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1", "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, atthasdef FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'v', 'm') ORDER BY 1, attnum",
    "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1", "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    "SELECT column_name, column_default, is_nullable, data_type, is_identity, is_generated FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
    "SELECT adrelid::regclass::text, attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum ORDER BY 1, attnum",
    "SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS ALL IMMEDIATE", "DISCARD ALL", "DISCARD PLANS", "RESET ALL", "SET LOCAL statement_timeout = '3s'", "SHOW search_path",
    "COMMENT ON TABLE ta IS 'x'", "COMMENT ON COLUMN ta.a IS 'column'", "COMMENT ON VIEW va IS NULL", "COMMENT ON SEQUENCE sa IS 's'", "COMMENT ON TYPE mood IS 't'", "COMMENT ON SCHEMA sc IS 'n'", "COMMENT ON INDEX ia IS 'i'",
    "COMMENT ON CONSTRAINT ca ON ta IS 'c'", "COMMENT ON FUNCTION fa(int4) IS 'f'", "COMMENT ON MATERIALIZED VIEW ma IS 'm'", "COMMENT ON DOMAIN pos IS 'd'", "COMMENT ON COLUMN va.a IS 'v'",
    "SELECT obj_description('ta'::regclass, 'pg_class'), col_description('ta'::regclass, 1)", "SELECT objsubid, description FROM pg_description WHERE objoid >= 16384 AND description <> 'standard public schema' ORDER BY 2, 1",
    "REFRESH MATERIALIZED VIEW ma", "REFRESH MATERIALIZED VIEW CONCURRENTLY ma", "REFRESH MATERIALIZED VIEW ma WITH NO DATA", "CREATE UNIQUE INDEX ON ma (a)", "SELECT * FROM ma ORDER BY 1", "DROP MATERIALIZED VIEW ma", "DROP MATERIALIZED VIEW va",
    "LOCK TABLE ta", "LOCK TABLE ta IN SHARE MODE", "TRUNCATE ta", "TRUNCATE ta, tb RESTART IDENTITY", "TRUNCATE ta CASCADE", "ANALYZE ta", "VACUUM ta", "REINDEX TABLE ta",
    "SELECT pg_get_serial_sequence('ta', 'a')", "SELECT 1/0", "SELECT * FROM nowhere", "SELECT nosuch(1)", "EXPLAIN (COSTS OFF) SELECT 1", "SELECT txid_current_if_assigned() IS NULL", "INSERT INTO va (a) VALUES (1)", "UPDATE va SET a = a + 1", "DELETE FROM va",
]
COMPARED_MESSAGES = {"2BP01", "42P07", "42P01", "42703", "42701", "42704", "42710", "42P06", "3F000", "42P16", "42809", "23502", "23503", "23505", "23514", "25P02", "3B001", "34000", "42P03", "26000", "42P05", "2F005", "55000", "25001", "25P01", "42830", "42P10", "428C9", "42601", "0A000"}


class Scripts:
    def __init__(self, seed):
        self.random = random.Random(seed * 104729 + 3)

    def pick(self, choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def filled(self, templates):
        """One of them, each "<name>" in it replaced by one of the class's `choices` of that name."""
        text = self.pick(templates)
        for name, values in self.choices.items():
            while "<%s>" % name in text:
                text = text.replace("<%s>" % name, self.pick(values), 1)
        return text

    def relation(self):
        return self.pick(TABLES + TABLES + VIEWS)

    def column_definition(self, name):
        kind = self.pick(TYPES)
        text = "%s %s" % (name, kind)
        draw = self.random.random()
        if draw < 0.1:
            text += " NOT NULL"
        elif draw < 0.2:
            text += " DEFAULT " + self.pick(["1", "'2'", "NULL", "nextval('sa')", "fa(1)", "CURRENT_DATE", "'sad'"])
        elif draw < 0.25:
            text += " UNIQUE"
        elif draw < 0.3:
            text += " CHECK (%s > 0)" % name
        elif draw < 0.36:
            text += " REFERENCES %s%s ON DELETE %s" % (self.pick(TABLES), self.pick(["", "(a)", "(b)"]), self.pick(ACTIONS))
        elif draw < 0.42:
            text += " GENERATED ALWAYS AS (%s) STORED" % self.pick(["a * 2", "a + b", "upper(c)", "fa(a)"])
        elif draw < 0.48:
            text += " GENERATED %s AS IDENTITY" % self.pick(["ALWAYS", "BY DEFAULT", "BY DEFAULT"])
        return text

    def create_table(self):
        name = self.pick(TABLES)
        if self.chance(0.7):
            columns = ["a int4 PRIMARY KEY", "b int4", "c text"]
            if self.chance(0.4):
                columns.append(self.column_definition("d"))
            if self.chance(0.3):
                columns.append("CONSTRAINT ca %s" % self.pick(["CHECK (a < 50)", "UNIQUE (b)", "FOREIGN KEY (b) REFERENCES ta (a) ON DELETE CASCADE DEFERRABLE", "CHECK (b <> 7) NO INHERIT", "FOREIGN KEY (b) REFERENCES ta"]))
        else:
            columns = [self.column_definition(column) for column in COLUMNS[:self.random.randint(1, 4)]]
        how = self.pick(["", "", "", "TEMP ", "UNLOGGED ", "IF"])
        if how == "IF":
            return "CREATE TABLE IF NOT EXISTS %s (%s)" % (name, ", ".join(columns))
        tail = self.pick([" ON COMMIT DROP", " ON COMMIT DELETE ROWS", ""]) if how == "TEMP " else ""
        return "CREATE %sTABLE %s (%s)%s" % (how, name, ", ".join(columns), tail)

    def alter(self):
        table, column = self.relation(), self.pick(COLUMNS)
        actions = []
        for _ in range(1 if self.chance(0.75) else 2):
            column = self.pick(COLUMNS)
            actions.append(self.pick([
                "ADD COLUMN " + self.column_definition(column), "ADD COLUMN IF NOT EXISTS " + self.column_definition(column), "DROP COLUMN " + column, "DROP COLUMN IF EXISTS %s CASCADE" % column,
                "DROP COLUMN %s RESTRICT" % column, "ALTER %s TYPE %s" % (column, self.pick(TYPES)), "ALTER %s TYPE text USING %s::text" % (column, column), "ALTER %s TYPE int8 USING length(%s::text)" % (column, column),
                "ALTER %s SET DEFAULT %s" % (column, self.pick(["5", "'x'", "NULL"])), "ALTER %s DROP DEFAULT" % column, "ALTER %s SET NOT NULL" % column, "ALTER %s DROP NOT NULL" % column, "ALTER %s DROP IDENTITY" % column,
                "ALTER %s ADD GENERATED ALWAYS AS IDENTITY" % column, "ALTER %s DROP EXPRESSION" % column, "ADD CONSTRAINT ca CHECK (%s IS NOT NULL)" % column, "ADD CONSTRAINT ca UNIQUE (%s)" % column,
                "ADD CONSTRAINT cb FOREIGN KEY (%s) REFERENCES %s (a) ON UPDATE %s%s" % (column, self.pick(TABLES), self.pick(ACTIONS), self.pick(["", " NOT VALID", " DEFERRABLE INITIALLY DEFERRED"])), "ADD PRIMARY KEY (%s)" % column,
                "DROP CONSTRAINT ca", "DROP CONSTRAINT IF EXISTS cb", "DROP CONSTRAINT ca CASCADE", "VALIDATE CONSTRAINT cb", "DROP CONSTRAINT %s_pkey" % table, "ALTER CONSTRAINT cb DEFERRABLE", "ADD CHECK (%s > -5) NOT VALID" % column,
                "ALTER %s SET STATISTICS 50" % column, "ALTER %s SET (n_distinct = 5)" % column, "OWNER TO CURRENT_USER", "ADD CONSTRAINT cc UNIQUE USING INDEX ia", "SET (fillfactor = 70)", "ALTER %s RESTART" % column]))
        return "ALTER TABLE %s%s %s" % (self.pick(["", "", "IF EXISTS "]), table, ", ".join(actions))

    def rename(self):
        return self.pick(["ALTER TABLE %s RENAME TO %s" % (self.relation(), self.relation()), "ALTER TABLE %s RENAME %s TO %s" % (self.relation(), self.pick(COLUMNS), self.pick(COLUMNS)),
                          "ALTER TABLE %s RENAME CONSTRAINT ca TO cb" % self.pick(TABLES), "ALTER INDEX ia RENAME TO ib", "ALTER VIEW %s RENAME TO %s" % (self.pick(VIEWS), self.pick(VIEWS))])

    def create_view(self):
        name, source = self.pick(VIEWS[:2]), self.relation()
        query = self.pick(["SELECT a, b FROM %s" % source, "SELECT * FROM %s" % source, "SELECT a, count(*) AS b FROM %s GROUP BY a" % source, "SELECT x.a, y.b AS c FROM %s x JOIN %s y ON x.a = y.b" % (source, self.relation()),
                           "SELECT a FROM %s WHERE b > 1" % source, "SELECT fa(a) AS a FROM %s" % source, "SELECT 1 AS a, 2 AS b", "SELECT a, b FROM %s ORDER BY a LIMIT 3" % source, "SELECT a FROM %s UNION SELECT b FROM %s" % (source, source)])
        if self.chance(0.25):
            return "CREATE MATERIALIZED VIEW %sma AS %s%s" % (self.pick(["", "IF NOT EXISTS "]), query, self.pick(["", "", " WITH NO DATA"]))
        return "CREATE %sVIEW %s AS %s%s" % (self.pick(["", "OR REPLACE ", "OR REPLACE ", "TEMP "]), name, query, self.pick(["", "", " WITH CHECK OPTION"]))

    def drop(self):
        kind = self.pick(["TABLE", "TABLE", "VIEW", "INDEX", "MATERIALIZED VIEW", "SEQUENCE"])
        name = {"TABLE": self.relation(), "VIEW": self.relation(), "INDEX": self.pick(["ia", "ib", "ta_pkey", "ca"]), "MATERIALIZED VIEW": self.pick(VIEWS), "SEQUENCE": self.pick(["sa", "sb", "ta_d_seq"])}[kind]
        if self.chance(0.15):
            name += ", " + self.relation()
        return "DROP %s %s%s%s" % (kind, self.pick(["", "", "IF EXISTS "]), name, self.pick(["", "", " CASCADE", " RESTRICT"]))

    def create_index(self):
        table, column = self.relation(), self.pick(COLUMNS)
        return "CREATE %sINDEX %s%s ON %s (%s)%s" % (self.pick(["", "", "UNIQUE "]), self.pick(["", "IF NOT EXISTS "]), self.pick(["ia", "ib"]), table,
                                                 self.pick([column, column + " DESC", "(%s || 'x')" % column, "lower(%s)" % column, "a, " + column, "(a + 1)", "fa(a)"]), self.pick(["", "", " WHERE a > 1", ""]))

    def change(self):
        table = self.relation()
        number = lambda: str(self.random.randint(-1, 6))
        return self.pick([
            "INSERT INTO %s (a, b) VALUES (%s, %s)" % (table, number(), number()), "INSERT INTO %s (a, b, c) VALUES (%s, %s, 'x') RETURNING *" % (table, number(), number()), "INSERT INTO %s DEFAULT VALUES" % table,
            "INSERT INTO %s (a, b) SELECT g, g %% 3 FROM generate_series(%s, 5) g ON CONFLICT DO NOTHING" % (table, number()), "UPDATE %s SET b = %s WHERE a = %s RETURNING a, b" % (table, number(), number()),
            "UPDATE %s SET a = a + 10 WHERE a = %s" % (table, number()), "DELETE FROM %s WHERE a = %s" % (table, number()), "DELETE FROM %s" % table, "SELECT * FROM %s ORDER BY 1" % table, "SELECT * FROM %s ORDER BY 1" % table,
            "INSERT INTO %s (a, b) VALUES (%s, %s) ON CONFLICT (a) DO UPDATE SET b = excluded.b + 1 RETURNING b" % (table, number(), number()), "INSERT INTO %s VALUES (%s, DEFAULT, 'y')" % (table, number()), "TABLE %s" % table,
            "INSERT INTO %s (a, d) OVERRIDING SYSTEM VALUE VALUES (%s, %s)" % (table, number(), number()), "SELECT a FROM %s WHERE a = %s FOR UPDATE" % (table, number()), "SELECT count(*), sum(a) FROM %s" % table,
            "CREATE TABLE %s AS SELECT * FROM %s" % (self.pick(TABLES), table), "CREATE TABLE %s (LIKE %s INCLUDING ALL)" % (self.pick(TABLES), table), "SELECT a, b INTO %s FROM %s" % (self.pick(TABLES), table)])

    def statement(self):
        draw = self.random.random()
        for share, maker in ((0.14, self.create_table), (0.18, self.alter), (0.04, self.rename), (0.08, self.create_view), (0.07, self.drop), (0.06, self.create_index), (0.23, self.change)):
            if draw < share:
                return maker()
            draw -= share
        return self.pick(FIXED)

    def statements(self, count):
        return ["CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')", "CREATE SEQUENCE sa", "CREATE TABLE ta (a int4 PRIMARY KEY, b int4, c text)", "INSERT INTO ta VALUES (1, 2, 'x'), (2, 3, 'y'), (3, NULL, NULL)"] + [self.statement() for _ in range(count)]
