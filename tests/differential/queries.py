# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of queries and changes beyond the plain ones of generate.py, and schemas with everything that columns can have."""
from generate import LITERALS, NOTHING, ORDERED, SCALARS, Generator, List, Table, Tree, word

MORE_TYPES = ("float4", "time", "timetz", "bpchar(5)", "numeric(8,2)", "varbit", "bit(6)", "inet", "int8[]", "mood", "pair")
LITERALS.update({
    "float4": ["0", "1", "-1", "0.5", "2.25", "-3.75"],
    "time": ["'00:00'", "'12:34:56.789'", "'23:59:59.999999'", "'24:00'"],
    "timetz": ["'00:00+00'", "'12:34:56-08'", "'12:34:56+02'"],
    "bpchar(5)": ["''", "'a'", "'ab'", "'abc  '", "'ABCDE'"],
    "numeric(8,2)": ["0", "1.005", "-99.999", "123456.78", "0.1"],
    "varbit": ["B''", "B'1'", "B'1010'", "B'00001111'"],
    "bit(6)": ["B'000000'", "B'101010'", "B'111111'"],
    "inet": ["'127.0.0.1'", "'10.1.2.3/8'", "'::1'", "'192.168.0.0/16'"],
    "int8[]": ["'{}'", "'{1,2}'", "'{NULL,9223372036854775807}'"],
    "mood": ["'sad'", "'ok'", "'happy'"],
    "pair": ["'(1,a)'", "'(2,)'", "'(,\"x y\")'"],
})
COMPARED = tuple(kind for kind in MORE_TYPES if kind != "pair") + ORDERED
OFFSETS = {"int4": ["1", "2", "0"], "int8": ["1", "3"], "numeric": ["0.5", "2"], "float8": ["0.25", "1"], "date": ["'1 day'::interval", "'1 mon'::interval"],
           "timestamp": ["'1 day'::interval", "'2 years'::interval"], "int2": ["1"], "interval": ["'1 day'::interval"]}


class Wide(Generator):
    def schema(self):
        statements = ["CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')", "CREATE TYPE pair AS (x int4, y text)"]
        for number in range(self.random.randint(2, 4)):
            columns, parts = [("k", "int4")], ["k int4 PRIMARY KEY"]
            for index in range(self.random.randint(2, 7)):
                kind = self.pick(SCALARS) if self.chance(0.6) else self.pick(MORE_TYPES)
                columns.append(("c%d" % index, kind))
                parts.append("c%d %s%s" % (index, kind, self.constraint("c%d" % index, kind)))
            inserted = list(columns)
            if self.chance(0.3):
                columns.append(("g", "int8"))
                parts.append("g int8 GENERATED ALWAYS AS (k * 3 - 1) STORED")
            if number > 0 and self.chance(0.3):
                columns.append(("r", "int4"))
                inserted.append(("r", "int4"))
                parts.append("r int4 REFERENCES t0 (k) ON DELETE %s ON UPDATE %s" % (self.pick(["CASCADE", "SET NULL", "NO ACTION", "RESTRICT"]), self.pick(["CASCADE", "SET NULL"])))
            table = Table("t%d" % number, columns)
            statements.append("CREATE TABLE %s (%s)" % (table.name, ", ".join(parts)))
            rows = []
            for key in range(self.random.randint(1, 25)):
                values = [str(key)]
                for name, kind in inserted[1:]:
                    null = self.chance(0.15) and " NOT NULL" not in parts[len(values)]
                    values.append("NULL" if null or name == "r" else self.literal(kind).sql())
                rows.append("(%s)" % ", ".join(values))
            statements.append("INSERT INTO %s (%s) VALUES %s" % (table.name, ", ".join(name for name, _ in inserted), ", ".join(rows)))
            statements += [self.index(table) for _ in range(self.random.randint(0, 2))]
            self.tables.append(table)
        statements += ["ANALYZE %s" % table.name for table in self.tables if self.chance(0.5)]
        return statements

    def constraint(self, name, kind):
        draw = self.random.random()
        if draw < 0.12:
            return " NOT NULL"
        if draw < 0.2 and kind != "pair":
            return " DEFAULT " + self.literal(kind).sql()
        if draw < 0.26 and kind in ("int4", "int8", "numeric"):
            return " CHECK (%s IS DISTINCT FROM 4711)" % name
        return ""

    def index(self, table):
        found = [name for name, kind in table.columns if kind in COMPARED] or ["k"]
        column, second = self.pick(found), self.pick([name for name, _ in table.columns])
        which = self.random.randint(0, 4)
        if which == 0:
            return "CREATE INDEX ON %s (%s) WHERE k > 3" % (table.name, column)
        if which == 1:
            return "CREATE INDEX ON %s ((k %% 5), %s DESC NULLS LAST)" % (table.name, column)
        if which == 2:
            return "CREATE INDEX ON %s (%s)%s" % (table.name, column, " INCLUDE (%s)" % second if second != column else "")
        if which == 3:
            return "CREATE UNIQUE INDEX ON %s (%s, k)" % (table.name, column)
        return "CREATE INDEX ON %s (%s NULLS FIRST)" % (table.name, column)

    # --- expressions of the further types ---

    def expression(self, kind, scope, depth):
        if kind in MORE_TYPES:
            column = self.column(kind, scope)
            if column is not None and self.chance(0.7):
                return column
            if depth > 0 and self.chance(0.4):
                sub = lambda: self.expression(kind, scope, depth - 1)
                made = self.pick(["CASE WHEN {} THEN {} ELSE {} END", "COALESCE({}, {})"])
                return Tree(kind, made, *([self.expression("bool", scope, depth - 1)] if "CASE" in made else []), sub(), sub())
            return word("NULL::" + kind, kind) if self.chance(0.08) else self.literal(kind)
        return super().expression(kind, scope, depth)

    def make_bool(self, kind, scope, depth):
        if not self.chance(0.35):
            return super().make_bool(kind, scope, depth)
        sub = lambda of="bool": self.expression(of, scope, max(depth, 0))
        which = self.random.randint(0, 15)
        of = self.pick(COMPARED)
        if which == 0:
            return Tree(kind, "({} %s %s(ARRAY[{}, {}]))" % (self.pick(["=", "<>", "<", ">="]), self.pick(["ANY", "ALL"])), sub(of), sub(of), sub(of))
        if which == 1:
            return Tree(kind, "({} %s {})" % self.pick(["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"]), sub(of), sub(of))
        if which == 2:
            return Tree(kind, "(({}, {}) IN (({}, {}), ({}, {})))", *[sub("int4" if n % 2 == 0 else "text") for n in range(6)])
        if which == 3:
            return Tree(kind, "(ROW({}, {}) IS %s)" % self.pick(["NULL", "NOT NULL", "DISTINCT FROM ROW(1, 'a')"]), sub("int4"), sub("text"))
        if which == 4:
            return Tree(kind, "({} %s '%s')" % (self.pick(["~", "!~", "~*", "SIMILAR TO", "NOT SIMILAR TO"]),
                                                 self.pick(["^a.*c$", "(a|b)+", "[[:alpha:]]{2,}", "\\d+", "a{1,2}?b*", "(.)\\1", "^$", "x*"]).replace("{", "{{").replace("}", "}}")), sub("text"))
        if which == 5:
            return Tree(kind, "({} ? '%s')" % self.pick(["a", "b", "k"]), sub("jsonb"))
        if which == 6:
            return Tree(kind, "({} @? '$.** ? (@ == 1)')", sub("jsonb"))
        if which == 7:
            return Tree(kind, "({} %s {})" % self.pick(["@>", "<@", "&&", "=", "<"]), sub("int4[]"), sub("int4[]"))
        if which == 8:
            return Tree(kind, "(({}, {}) OVERLAPS ({}, {}))", sub("timestamp"), sub("timestamp"), sub("timestamp"), sub("interval"))
        if which == 9:
            return Tree(kind, "(starts_with({}, {}))", sub("text"), sub("text"))
        if which == 10:
            return Tree(kind, "(({}).x %s {})" % self.pick(["=", ">"]), sub("pair"), sub("int4"))
        if which == 11 and self.tables:
            table, alias = self.pick(self.tables), self.alias()
            inner = [("%s.%s" % (alias, name), of) for name, of in table.columns]
            return Tree(kind, "(({}, {}) %s (SELECT {}, {} FROM %s %s WHERE {}))" % (self.pick(["IN", "NOT IN", "= ANY", "< ANY", ">= ALL", "<> ALL"]), table.name, alias),
                        sub("int4"), sub("bool"), self.expression("int4", inner, 1), self.expression("bool", inner + scope, 1), self.expression("bool", inner + scope, 1))
        if which == 13 and self.tables:
            table, alias = self.pick(self.tables), self.alias()
            inner = [("%s.%s" % (alias, name), of) for name, of in table.columns]
            return Tree(kind, "(({}, {}) %s (SELECT {}, {} FROM %s %s WHERE {} ORDER BY %s.k LIMIT 1))" % (self.pick(["=", "<>", "<", ">="]), table.name, alias, alias),
                        sub("int4"), sub("text"), self.expression("int4", inner + scope, 1), self.expression("text", inner, 1), self.expression("bool", inner + scope, 1))
        if which == 14:
            return Tree(kind, "({} %s (ARRAY[{}, {}]))" % self.pick(["= ANY", "<> ALL", "< ANY", ">= ALL"]), sub(self.pick(["int2", "int4"])), sub(self.pick(["numeric", "int8"])), sub("int8"))
        if which == 15 and self.tables:
            table, alias = self.pick(self.tables), self.alias()
            inner = [("%s.%s" % (alias, name), of) for name, of in table.columns]
            tables, self.tables = self.tables, []  # No subqueries: which are equal is not seen.
            child = self.expression("int8", inner + scope, 1)
            self.tables = tables
            return Tree(kind, "({} = (SELECT DISTINCT ON ({}) {} FROM %s %s WHERE {} ORDER BY {}, 1 DESC LIMIT 1))" % (table.name, alias), sub("int4"), child, self.expression("int4", inner + scope, 1), self.expression("bool", inner, 1), child)
        return Tree(kind, "({} IS %s)" % self.pick(["TRUE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"]), sub())

    # --- sources ---

    def source(self, depth):
        if not self.chance(0.22):
            return super().source(depth)
        alias = self.alias()
        which = self.random.randint(0, 6)
        if which == 0:
            kinds = [self.pick(["int4", "text", "numeric", "date"]) for _ in range(self.random.randint(1, 3))]
            rows = [List("row", ", ", [self.expression(kind, [], 1) for kind in kinds], len(kinds)) for _ in range(self.random.randint(1, 4))]
            return Tree("source", "(VALUES {}) AS %s (%s)" % (alias, ", ".join("x%d" % i for i in range(len(kinds)))), List("rows", ", ", [Tree("row", "({})", row) for row in rows])), [
                ("%s.x%d" % (alias, i), kind) for i, kind in enumerate(kinds)]
        if which == 1:
            return Tree("source", "unnest({}, {}) WITH ORDINALITY AS %s (x, y, o)" % alias, self.expression("int4[]", [], 1), self.expression("text[]", [], 1)), [
                (alias + ".x", "int4"), (alias + ".y", "text"), (alias + ".o", "int8")]
        if which == 2:
            return word("generate_series(%d, %d, 2) WITH ORDINALITY AS %s (x, o)" % (self.random.randint(-2, 2), self.random.randint(0, 9), alias), "source"), [
                (alias + ".x", "int4"), (alias + ".o", "int8")]
        if which == 3:
            return word("jsonb_array_elements('[1, \"a\", null, {\"a\": 2}]') AS %s (x)" % alias, "source"), [(alias + ".x", "jsonb")]
        if which == 4:
            return word("jsonb_to_recordset('[{\"a\": 1, \"b\": \"x\"}, {\"b\": \"y\"}]') AS %s (a int4, b text)" % alias, "source"), [(alias + ".a", "int4"), (alias + ".b", "text")]
        if which == 5:
            return word("ROWS FROM (generate_series(1, 3), unnest(ARRAY['p', 'q'])) AS %s (x, y)" % alias, "source"), [(alias + ".x", "int4"), (alias + ".y", "text")]
        table, second = self.pick(self.tables), self.alias()
        return word("(SELECT %s.k AS k FROM %s %s ORDER BY 1 LIMIT 7) AS %s" % (second, table.name, second, alias), "source"), [(alias + ".k", "int4")]

    def sources(self, depth):
        if not self.chance(0.25):
            return super().sources(depth)
        which = self.random.randint(0, 3)
        tree, scope = Generator.sources(self, max(0, depth - 1))
        if which == 0:
            # LATERAL: a subquery that sees what stands left of it.
            table, inner_alias, alias = self.pick(self.tables), self.alias(), self.alias()
            inner = [("%s.%s" % (inner_alias, name), of) for name, of in table.columns]
            kind = self.pick(["int4", "text", "numeric", "date", "bool"])
            return self.lateral(tree, scope, table, inner_alias, alias, inner, kind)
        first, second = self.pick(self.tables), self.pick(self.tables)
        a, b = self.alias(), self.alias()
        both = [(name, kind) for name, kind in first.columns if (name, kind) in second.columns and kind in COMPARED]
        if which == 1 and both:
            name, kind = self.pick(both)
            join = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            return word("%s %s %s %s %s USING (%s)" % (first.name, a, join, second.name, b, name), "source"), [(name, kind)] + [
                ("%s.%s" % (a, n), k) for n, k in first.columns] + [("%s.%s" % (b, n), k) for n, k in second.columns]
        if which == 2:
            # A join in parentheses on the right.
            other, more = Generator.source(self, 0)
            third, yet = Generator.source(self, 0)
            on = Tree("bool", "({} AND {})", word("%s = %s" % self.equal(more, yet)), self.expression("bool", more + yet, 1))
            return Tree("source", "{} %s JOIN ({} %s JOIN {} ON {}) ON {}" % (self.pick(["LEFT", "RIGHT", "INNER"]), self.pick(["LEFT", "INNER"])), tree, other, third, on,
                        word("%s = %s" % self.equal(scope, more))), scope + more + yet
        other, more = self.source(0)
        return Tree("source", "{}, {}", tree, other), scope + more

    def lateral(self, tree, scope, table, inner_alias, alias, inner, kind):
        text = "(SELECT {} AS x, %s.k AS k FROM %s %s WHERE {} ORDER BY %s.k LIMIT %d) AS %s" % (inner_alias, table.name, inner_alias, inner_alias, self.random.randint(1, 4), alias)
        how = self.pick(["{} CROSS JOIN LATERAL " + text, "{} LEFT JOIN LATERAL " + text + " ON true", "{} JOIN LATERAL " + text + " ON %s.k > 1" % alias])
        return Tree("source", how, tree, self.expression(kind, inner + scope, 1), self.expression("bool", inner + scope, 1)), scope + [(alias + ".x", kind), (alias + ".k", "int4")]

    def equal(self, left, right):
        both = [(a, b) for a, kind in left for b, of in right if kind == of and kind in COMPARED]
        return self.pick(both) if both else ("1", "1")

    # --- aggregates and windows ---

    def aggregate(self, scope, depth):
        if not self.chance(0.4):
            return super().aggregate(scope, depth)
        filtered = Tree("filter", " FILTER (WHERE {})", self.expression("bool", scope, 1)) if self.chance(0.2) else NOTHING

        def made(kind, template, *children):
            return kind, Tree(kind, template + "{}", *children, filtered, optional=[len(children)])
        number = lambda: self.expression("int4", scope, depth)
        which = self.random.randint(0, 12)
        if which == 0:
            kind = self.pick(["int4", "text", "date", "numeric", "interval", "mood"])
            return made(kind, "percentile_disc(%s) WITHIN GROUP (ORDER BY {}%s)" % (self.pick(["0", "0.25", "0.5", "1"]), self.pick(["", " DESC"])), self.expression(kind, scope, depth))
        if which == 1:
            return made("float8", "percentile_cont(%s) WITHIN GROUP (ORDER BY {})" % self.pick(["0", "0.25", "0.5", "1"]), self.expression("float8", scope, depth))
        if which == 2:
            kind = self.pick(["int4", "text", "bool"])
            return made(kind, "mode() WITHIN GROUP (ORDER BY {})", self.expression(kind, scope, depth))
        if which == 3:
            return made("int8", "%s({}) WITHIN GROUP (ORDER BY {})" % self.pick(["rank", "dense_rank"]), self.literal("int4"), number())
        if which == 4:
            kind = self.pick(["int4", "text", "date", "bool"])
            child = self.expression(kind, scope, depth)
            return made("jsonb", "jsonb_agg({} ORDER BY {} %s)" % self.pick(["DESC", "NULLS FIRST"]), child, child)
        if which == 5:
            child = self.expression("text", scope, depth)
            return made("text", "string_agg(DISTINCT {}, '/' ORDER BY {})", child, child)
        if which == 6:
            child = number()
            return made("int4[]", "array_agg(DISTINCT {} ORDER BY {} DESC NULLS LAST)", child, child)
        if which == 7:
            return made("int4", self.pick(["bit_and", "bit_or", "bit_xor"]) + "({})", number())
        if which == 8:
            return made("float8", self.pick(["covar_pop", "regr_sxy", "regr_avgx"]) + "({}, {})", self.expression("float8", scope, 1), self.expression("float8", scope, 1))
        if which == 9:
            return made("jsonb", "jsonb_object_agg(COALESCE({}, '-'), 1)", self.expression("text", scope, depth))
        if which == 10:
            kind = self.pick(["mood", "time", "inet", "bpchar(5)", "int4[]", "float4"])
            if kind in ("bpchar(5)", "int4[]"):
                return made("int8", "count({})", self.expression(kind, scope, 1))
            return made(kind, self.pick(["min", "max"]) + "({})", self.expression(kind, scope, depth))
        if which == 11:
            return made("interval", self.pick(["sum", "avg"]) + "(CASE WHEN {} THEN '1 day'::interval ELSE '02:30' END)", self.expression("bool", scope, 1))
        return made("int8", "count(DISTINCT ({}, {}))", number(), self.expression("text", scope, 1))

    def window(self, scope, key):
        if not self.chance(0.4):
            return super().window(scope, key)
        kind = self.pick(sorted(OFFSETS))
        low = self.pick(OFFSETS[kind])
        partition = Tree("partition", "PARTITION BY {} ", self.expression(self.pick(["int4", "bool", "mood"]), scope, 1)) if self.chance(0.5) else NOTHING
        bounds = self.pick(["BETWEEN %s PRECEDING AND CURRENT ROW", "BETWEEN CURRENT ROW AND %s FOLLOWING", "BETWEEN UNBOUNDED PRECEDING AND %s FOLLOWING",
                            "BETWEEN %s PRECEDING AND UNBOUNDED FOLLOWING", "%s PRECEDING"]) % low
        exclude = self.pick(["", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES", " EXCLUDE GROUP", " EXCLUDE NO OTHERS"])
        over = Tree("over", "({}ORDER BY {}%s RANGE %s%s)" % (self.pick(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]), bounds, exclude), partition, self.expression(kind, scope, 1), optional=[0])
        if self.chance(0.5):
            return "int8", Tree("int8", "count(*) OVER {}", over)
        return "int8", Tree("int8", "sum({}) OVER {}", self.expression("int4", scope, 1), over)

    # --- whole queries ---

    def query(self, depth=2, simple=False):
        if simple or not self.chance(0.3):
            return super().query(depth, simple)
        which = self.random.randint(0, 7)
        if which == 7:
            return self.whole_rows()
        if which == 0:
            tree, scope = self.sources(1)
            kind = self.pick(["int4", "text", "date", "mood"])
            keys = [name for name, of in scope if of != "pair"]
            expression = self.expression(kind, scope, 2)
            if self.chance(0.6):
                template = self.pick(["SELECT {}, count(*) FROM {} GROUP BY {}", "SELECT DISTINCT {} FROM {} ORDER BY {}", "SELECT {}, count(*) FROM {} GROUP BY ROLLUP ({})"])
                return Tree("query", template, expression, tree, expression), [kind]
            items = List("items", ", ", [word(name) for name in keys[:3]] + [expression], 1)
            return Tree("query", "SELECT DISTINCT ON ({}) {} FROM {} ORDER BY {}%s%s" % (self.pick(["", " DESC"]), "".join(", " + name for name in keys)), expression, items, tree, expression), ["int4"]
        if which == 1:
            start, kind = self.random.randint(0, 3), self.pick(["UNION ALL", "UNION"])
            table = self.pick(self.tables)
            return word("WITH RECURSIVE w (n, s) AS (SELECT %d, 'x'::text %s SELECT w.n + 1, left(w.s || t.k::text, 9) FROM w JOIN %s t ON t.k = w.n + %d WHERE w.n < %d) SELECT n, s, count(*) FROM w GROUP BY n, s" % (
                start, kind, table.name, self.random.randint(0, 2), self.random.randint(2, 9)), "query"), ["int4"]
        if which == 2:
            tree, scope = self.sources(1)
            keys = ", ".join(dict.fromkeys(name for name, kind in scope if kind != "pair")) or "1"
            return Tree("query", "SELECT row_number() OVER w, sum({}) OVER (w ROWS 2 PRECEDING), first_value({}) OVER w, nth_value({}, 2) OVER w FROM {}{} WINDOW w AS (PARTITION BY {} ORDER BY %s)" % keys,
                        self.expression("int4", scope, 1), self.expression("text", scope, 1), self.expression("date", scope, 1), tree,
                        Tree("where", " WHERE {}", self.expression("bool", scope, 1)), self.expression("bool", scope, 1), optional=[4]), ["int8"]
        if which == 3:
            kinds = [self.pick(["int4", "text", "numeric", "bool"]) for _ in range(self.random.randint(1, 2))]
            sides = []
            for _ in range(3):
                tree, scope = self.source(0)
                sides.append(Tree("query", "SELECT {} FROM {}", List("items", ", ", [self.expression(kind, scope, 1) for kind in kinds], len(kinds)), tree))
            first, second = (self.pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]) for _ in range(2))
            form = self.pick(["{} %s {} %s {}", "({} %s {}) %s {}", "{} %s ({} %s {})"]) % (first, second)
            order = " ORDER BY " + ", ".join(str(i + 1) for i in range(len(kinds))) + self.pick(["", " LIMIT 4", " OFFSET 1"])
            return Tree("query", form + order, *sides), kinds
        if which == 4:
            table = self.pick(self.tables)
            name, kind = self.pick(table.columns)
            keys = [n for n, of in table.columns if of in COMPARED][:3]
            grouping = self.pick(["GROUPING SETS ((%s), (%s), ())" % (keys[0], keys[-1]), "ROLLUP (%s)" % ", ".join(keys), "CUBE (%s)" % ", ".join(keys[:2]),
                                  "%s, ROLLUP (%s)" % (keys[0], keys[-1]), "DISTINCT GROUPING SETS ((%s), (%s))" % (keys[0], keys[0]), "GROUPING SETS (ROLLUP (%s), CUBE (%s))" % (keys[0], keys[-1])])
            scope = [(n, of) for n, of in table.columns]
            return Tree("query", "SELECT %s, GROUPING(%s), count(*), {} FROM %s GROUP BY %s" % (keys[0], keys[0], table.name, grouping), self.aggregate(scope, 1)[1]), ["int4"]
        if which == 5:
            table, other = self.pick(self.tables), self.pick(self.tables)
            a, b = self.alias(), self.alias()
            outer = [("%s.%s" % (a, n), of) for n, of in table.columns]
            inner = [("%s.%s" % (b, n), of) for n, of in other.columns]
            return Tree("query", "SELECT %s.k, ARRAY(SELECT {} FROM %s %s WHERE {} ORDER BY 1), (SELECT count({}) FILTER (WHERE {}) FROM %s %s) FROM %s %s" % (a, other.name, b, other.name, b, table.name, a),
                        self.expression(self.pick(["int4", "text", "date"]), inner + outer, 1), self.expression("bool", inner + outer, 1), self.expression("int4", inner + outer, 1),
                        self.expression("bool", inner + outer, 1)), ["int4"]
        table = self.pick(self.tables)
        return word("SELECT (t).k, t.*::text FROM %s t WHERE t.k < %d" % (table.name, self.random.randint(1, 6)) if self.chance(0.5) else
                    "SELECT to_jsonb(t), row_to_json(t), t IS NULL FROM %s t WHERE t.k < %d" % (table.name, self.random.randint(1, 6)), "query"), ["text"]

    # Rows as values: {} is a condition over t, {{t}} the table, {{u}} another.
    ROWS = [
        "SELECT t, pg_typeof(t), (t).k, t.to_jsonb FROM {t} t WHERE {}",
        "SELECT k(t), t.pg_typeof, t.count FROM {t} t WHERE {} GROUP BY t.k, t",
        "SELECT t.k, t = x, t <> x, t < x, t >= x, t IS DISTINCT FROM x, t IS NULL FROM {t} t, {t} x WHERE x.k <= t.k + 1 AND x.k >= t.k - 1 AND {}",
        "SELECT t.k, x, x IS NULL, x.k, pg_typeof(x), x = t FROM {t} t LEFT JOIN {t} x ON x = t AND x.k > 1 WHERE {}",
        "SELECT t.k, x, t FROM {t} t FULL JOIN {u} x ON x.k = t.k + 1 AND {}",
        "SELECT array_agg(t ORDER BY t), (array_agg(t ORDER BY t.k))[1].k FROM {t} t WHERE {}",
        "SELECT count(t), count(DISTINCT t), min(t.k), json_agg(t ORDER BY t.k) FROM {t} t WHERE {}",
        "SELECT t, count(*) FROM {t} t WHERE {} GROUP BY t",
        "SELECT DISTINCT t FROM {t} t WHERE {}",
        "SELECT t FROM {t} t WHERE {} UNION SELECT t FROM {t} t WHERE t.k < 4",
        "SELECT t FROM {t} t WHERE {} EXCEPT SELECT x FROM {t} x WHERE x.k < 4",
        "SELECT t.k, t IN (SELECT x FROM {t} x WHERE x.k < 5), t = ANY (ARRAY(SELECT x FROM {t} x)) FROM {t} t WHERE {}",
        "SELECT t.k, t = ROW(1, 2), t IS DISTINCT FROM ROW(t.*) FROM {t} t WHERE {}",
        "SELECT COALESCE(x, t), NULLIF(t, x), CASE WHEN t.k > 3 THEN t END FROM {t} t LEFT JOIN {t} x ON x.k = t.k + 2 WHERE {}",
        "SELECT t.k, GREATEST(t, x), LEAST(x, t) FROM {t} t JOIN {t} x ON x.k = t.k + 1 WHERE {}",
        "SELECT t.k, first_value(t) OVER (ORDER BY t.k), lag(t) OVER (ORDER BY t.k) FROM {t} t WHERE {}",
        "SELECT (x.t).k, x.t::text, x.t FROM (SELECT t FROM {t} t WHERE {}) x",
        "WITH w AS MATERIALIZED (SELECT t, t.k FROM {t} t WHERE {}) SELECT (t).*, w.k FROM w",
        "SELECT x, pg_typeof(x), row_to_json(x) FROM (SELECT * FROM {t} t WHERE {}) x",
        "SELECT x.k, x.r, pg_typeof(x.r) FROM {t} t CROSS JOIN LATERAL (SELECT t AS r, t.k) x WHERE {}",
        "SELECT t.k, (SELECT x FROM {u} x WHERE x.k = t.k), ((SELECT x FROM {t} x WHERE x.k = t.k)).k FROM {t} t WHERE {}",
        "SELECT t.k, x = u FROM {t} t, {u} u, {u} x WHERE x.k = t.k AND u.k = t.k AND {}",
        "SELECT t.k, t = u FROM {t} t, {u} u WHERE u.k = t.k AND {}",
        "SELECT row_number() OVER (ORDER BY t), t FROM {t} t WHERE {}",
        "SELECT t::text::{t} = t, t::text FROM {t} t WHERE {}",
        "SELECT (unnest(array_agg(t))).k, unnest(array_agg(t)) FROM {t} t WHERE {}",
    ]

    def whole_rows(self):
        table, other = self.pick(self.tables), self.pick(self.tables)
        template = self.pick(self.ROWS).replace("{t}", table.name).replace("{u}", other.name)
        scope = [("t." + name, kind) for name, kind in table.columns]
        return Tree("query", template, self.expression("bool", scope, 1)), ["int4"]

    # --- COPY ---

    COPY_OPTIONS = ["FORMAT text", "FORMAT text, DELIMITER '|', NULL 'nil'", "FORMAT text, HEADER", "FORMAT csv", "FORMAT csv, HEADER, FORCE_QUOTE *", "FORMAT csv, DELIMITER ';', NULL '\\N'",
                    "FORMAT csv, QUOTE '''', ESCAPE '\\'", "FORMAT csv, DELIMITER E'\\t', QUOTE '|'"]
    COPY_VALUES = ["", "\\N", "nil", "1", "-7", "x", "a b", "a;b", "a|b", '"q"', '"a""b"', "'s'", "'a\\'b'", "\\\\", "\\t", "\\x41", "\\101", "2024-02-29", "true", "0.5", "{1,2}", "\\.", '""', '"\\N"']

    def copy_out(self):
        """What is written of a query's rows."""
        table, alias = self.pick(self.tables), self.alias()
        scope = [("%s.%s" % (alias, name), kind) for name, kind in table.columns]
        items = [self.expression(self.pick(SCALARS + MORE_TYPES), scope, 1) for _ in range(self.random.randint(1, 4))]
        return Tree("query", "COPY (SELECT {} FROM %s %s WHERE {}) TO STDOUT WITH (%s)" % (table.name, alias, self.pick(self.COPY_OPTIONS)),
                    List("items", ", ", items), self.expression("bool", scope, 1))

    def copy_in(self):
        """Lines as a client sends them: most are rows of two columns, some have one or three."""
        table, options = self.pick(self.tables), self.pick(self.COPY_OPTIONS)
        column, _ = self.pick([entry for entry in table.columns[1:] if entry[0] not in ("g", "r")])
        delimiter = "|" if "DELIMITER '|'" in options else ";" if "';'" in options else "\t" if "text" in options or "E'" in options else ","
        lines = []
        for number in range(self.random.randint(1, 4)):
            fields = [str(500 + self.random.randint(0, 9) * 7 + number)] + [self.pick(self.COPY_VALUES) for _ in range(self.pick([1, 1, 1, 1, 1, 0, 2]))]
            lines.append(word(delimiter.join(fields), "line"))
        return Tree("change", "COPY %s (k, %s) FROM STDIN WITH (%s);\n{}\n" % (table.name, column, options), List("lines", "\n", lines))

    def statement(self, number):
        draw = self.random.random()
        return self.copy_out() if draw < 0.04 else self.copy_in() if draw < 0.07 else super().statement(number)

    # --- changes ---

    def change(self):
        if not self.chance(0.4):
            return super().change()
        table, other = self.pick(self.tables), self.pick(self.tables)
        scope = [("%s.%s" % (table.name, name), kind) for name, kind in table.columns]
        settable = [entry for entry in table.columns[1:] if entry[0] not in ("g", "r")]
        column, kind = self.pick(settable)
        which = self.random.randint(0, 8)
        condition = self.expression("bool", scope, 1)
        if which == 0:
            return Tree("change", "WITH gone AS (DELETE FROM %s WHERE k %% 5 = 1 AND {} RETURNING k, %s) SELECT count(*), max(k) FROM gone" % (table.name, column), condition)
        if which == 1:
            return Tree("change", "WITH made AS (UPDATE %s SET %s = {} WHERE {} RETURNING k), more AS (SELECT k FROM made) SELECT k FROM more WHERE k IN (SELECT k FROM %s)" % (table.name, column, other.name),
                        self.expression(kind, scope, 1), condition)
        if which == 2:
            return Tree("change", "UPDATE %s SET (%s, k) = ({}, k + 1000) WHERE {} AND k < 3 RETURNING *" % (table.name, column), self.expression(kind, scope, 1), condition)
        if which == 3:
            return Tree("change", "UPDATE %s SET (%s) = (SELECT {} FROM %s o WHERE o.k = %s.k) WHERE {} RETURNING k" % (table.name, column, other.name, table.name),
                        self.expression(kind, [("o." + n, of) for n, of in other.columns], 1), condition)
        if which == 4:
            return Tree("change", "INSERT INTO %s (k, %s) VALUES (%d, {}), (%d, {}) ON CONFLICT (k) DO UPDATE SET %s = CASE WHEN {} THEN excluded.%s ELSE %s.%s END WHERE {} RETURNING k, %s" % (
                table.name, column, self.random.randint(0, 30), self.random.randint(31, 60), column, column, table.name, column, column),
                self.expression(kind, [], 1), self.expression(kind, [], 1), self.expression("bool", scope, 1), condition)
        if which == 5:
            return word("INSERT INTO %s (k) VALUES (%d), (%d) RETURNING *" % (table.name, self.random.randint(0, 300), self.random.randint(0, 300)), "change")
        if which == 6:
            return Tree("change", "INSERT INTO %s (k, %s) VALUES (%d, DEFAULT) ON CONFLICT DO NOTHING" % (table.name, column, self.random.randint(0, 300)))
        if which == 7:
            return word("UPDATE %s SET %s = DEFAULT WHERE k = %d RETURNING k, %s" % (table.name, column, self.random.randint(0, 10), column), "change")
        return word("UPDATE %s SET k = -k - 1 WHERE k = %d" % (table.name, self.random.randint(0, 5)), "change")

    def definition(self, number):
        if not self.chance(0.5):
            return super().definition(number)
        table = self.pick(self.tables)
        name, kind = self.pick([entry for entry in table.columns[1:] if entry[0] not in ("g", "r")])
        which = self.random.randint(0, 8)
        if which == 0:
            return word("ALTER TABLE %s ADD CONSTRAINT u%d UNIQUE (%s)" % (table.name, number, name), "ddl")
        if which == 1:
            return word("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL" % (table.name, name), "ddl")
        if which == 2:
            return Tree("ddl", "ALTER TABLE %s ADD CONSTRAINT h%d CHECK ({})" % (table.name, number), self.without_queries(table))
        if which == 3:
            return word("ALTER TABLE %s ALTER COLUMN %s TYPE text USING %s::text || '!'" % (table.name, name, name), "change")
        if which == 4:
            return word("CREATE OR REPLACE VIEW v%d AS SELECT k, %s FROM %s WHERE k > 2" % (number, name, table.name), "ddl")
        if which == 5:
            return word(self.index(table), "ddl")
        if which == 6:
            return word("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL" % (table.name, name), "ddl")
        if which == 7:
            return word("ANALYZE %s" % table.name, "ddl")
        return word("CREATE UNIQUE INDEX x%d ON %s (%s) WHERE k %% 3 = 0" % (number, table.name, name), "ddl")

    def without_queries(self, table):
        tables, self.tables = self.tables, []
        try:
            return self.expression("bool", [(name, kind) for name, kind in table.columns], 1)
        finally:
            self.tables = tables
