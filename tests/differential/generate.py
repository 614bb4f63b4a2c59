# SPDX-License-Identifier: GPL-3.0-or-later
"""Random schemas and statements, as trees that can be made smaller.

A statement is a Tree: a template whose numbered holes are other Trees. `tree.sql()` is its text. `smaller(tree)` yields
trees with one thing taken away; runner.py tries them until nothing smaller still differs.

All values are chosen so that an answer is one answer: floats are multiples of 0.25 (sums are exact in any order), LIMIT
comes with an ORDER BY over all columns, so do rows of which some may be in conflict with others before them, and what may fail row by row (division, casts from text) stands where both
servers must evaluate it for every row, or is guarded.
"""
import random

NUMBERS = ("int2", "int4", "int8", "numeric", "float8")
RANGES = {"int4range": "int4", "numrange": "numeric", "daterange": "date", "tstzrange": "timestamptz"}
SCALARS = NUMBERS + ("text", "bool", "date", "timestamp", "timestamptz", "interval", "uuid", "bytea", "jsonb", "varchar(12)") + tuple(RANGES)
ORDERED = NUMBERS + ("text", "bool", "date", "timestamp", "timestamptz", "interval", "uuid", "bytea") + tuple(RANGES)
ARRAYS = ("int4[]", "text[]")

LITERALS = {
    "int2": ["0", "1", "-1", "7", "42", "100", "32767", "-32768"],
    "int4": ["0", "1", "-1", "2", "3", "10", "17", "1000", "2147483647", "-2147483648"],
    "int8": ["0", "1", "-1", "5", "99", "123456789012", "9223372036854775807", "-9223372036854775808"],
    "numeric": ["0", "1", "-1", "0.5", "1.10", "3.14159", "-2.50", "100.00", "12345678901234567890.123", "1e-10"],
    "float8": ["0", "1", "-1", "0.5", "2.25", "-3.75", "1000000", "0.25"],
    "text": ["''", "'a'", "'b'", "'abc'", "'ABC'", "'a b'", "'%'", "'a_c'", "'été'", "'10'", "'zz top'", "' pad '"],
    "bool": ["true", "false"],
    "date": ["'2000-01-01'", "'1999-12-31'", "'2024-02-29'", "'1970-01-01'", "'0001-01-01'", "'infinity'", "'2023-06-15'"],
    "timestamp": ["'2000-01-01 00:00:00'", "'1999-12-31 23:59:59.999999'", "'2024-02-29 12:34:56.789'", "'1970-01-01'"],
    "timestamptz": ["'2000-01-01 00:00:00+00'", "'2024-03-31 01:30:00+01'", "'1970-01-01 00:00:00-08'"],
    "interval": ["'1 day'", "'-1 day'", "'1 mon'", "'1 year 2 mons 3 days'", "'00:00:01.5'", "'36:00:00'", "'0'"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'123e4567-e89b-12d3-a456-426614174000'",
             "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "bytea": ["'\\x'", "'\\x00'", "'\\xdeadbeef'", "'\\x616263'"],
    "jsonb": ["'null'", "'1'", "'\"x\"'", "'[]'", "'{}'", "'[1, 2, 3]'", "'{\"a\": 1}'", "'{\"a\": {\"b\": [true, null]}}'",
              "'[1, \"a\", {\"k\": \"v\"}]'"],
    "varchar(12)": ["''", "'a'", "'hello'", "'hello world'"],
    "int4range": ["'empty'", "'[1,5)'", "'(1,17]'", "'[5,10]'", "'(,3)'", "'[10,)'", "'(,)'", "'[2,2]'"],
    "numrange": ["'empty'", "'[1.10,5)'", "'(1.1,5.0]'", "'[5,5.00]'", "'(,0.5)'", "'[-1,Infinity]'", "'(,)'"],
    "daterange": ["'empty'", "'[2000-01-01,2024-02-29]'", "'[1999-12-31,2000-01-01)'", "'(,1970-01-01)'", "'[2023-06-15,infinity]'", "'(,)'"],
    "tstzrange": ["'empty'", "'[2000-01-01 00:00:00+00,2024-03-31 01:30:00+01)'", "'(1970-01-01 00:00:00-08,2000-01-01 00:00:00+00]'", "'(,)'",
                  "'[2024-03-31 00:30:00+00,)'"],
    "int4[]": ["'{}'", "'{1}'", "'{1,2,3}'", "'{3,NULL,1}'", "'{{1,2},{3,4}}'"],
    "text[]": ["'{}'", "'{a}'", "'{a,b,NULL}'", "'{\"x y\",z}'"],
}


class Tree:
    """`template` has one `{}` for each child; `kind` is a type's name for expressions, else what it is."""

    def __init__(self, kind, template, *children, optional=()):
        self.kind, self.template, self.children, self.optional = kind, template, list(children), set(optional)

    def sql(self):
        return self.template.format(*[child.sql() for child in self.children])

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


class List(Tree):
    """Children joined by a separator; all but `least` of them can go."""

    def __init__(self, kind, separator, children, least=1):
        super().__init__(kind, "", *children)
        self.separator, self.least = separator, least

    def sql(self):
        return self.separator.join(child.sql() for child in self.children)


def word(text, kind="word"):
    return Tree(kind, text.replace("{", "{{").replace("}", "}}"))


NOTHING = word("", "nothing")


def with_child(tree, index, child):
    children = list(tree.children)
    children[index] = child
    if isinstance(tree, List):
        return List(tree.kind, tree.separator, children, tree.least)
    return Tree(tree.kind, tree.template, *children, optional=tree.optional)


def smaller(tree):
    """Trees with one thing less, the biggest cuts first."""
    if isinstance(tree, List):
        if len(tree.children) > tree.least:
            for index in range(len(tree.children)):
                yield List(tree.kind, tree.separator, tree.children[:index] + tree.children[index + 1:], tree.least)
    else:
        for index in sorted(tree.optional):
            if tree.children[index] is not NOTHING:
                yield with_child(tree, index, NOTHING)
        if tree.kind in LITERALS and tree.children:
            for below in tree.walk():
                if below is not tree and below.kind == tree.kind:
                    yield below
            yield word("NULL::" + tree.kind, tree.kind)
            yield word("(%s)::%s" % (LITERALS[tree.kind][1], tree.kind), tree.kind)
    for index, child in enumerate(tree.children):
        for less in smaller(child):
            yield with_child(tree, index, less)


class Table:
    def __init__(self, name, columns):
        self.name, self.columns = name, columns  # columns: [(name, type)]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tables = []
        self.aliases = 0

    def chance(self, share):
        return self.random.random() < share

    def pick(self, choices):
        return self.random.choice(choices)

    # --- schema and data ---

    def schema(self):
        """DDL and data: statements that both servers must take."""
        statements = []
        for number in range(self.random.randint(2, 4)):
            columns = [("k", "int4")]
            for index in range(self.random.randint(2, 7)):
                kind = self.pick(SCALARS) if self.chance(0.9) else self.pick(ARRAYS)
                columns.append(("c%d" % index, kind))
            table = Table("t%d" % number, columns)
            parts = ["%s %s%s" % (name, kind, " PRIMARY KEY" if name == "k" else "") for name, kind in columns]
            statements.append("CREATE TABLE %s (%s)" % (table.name, ", ".join(parts)))
            rows = []
            for key in range(self.random.randint(0, 30)):
                values = [str(key)]
                for name, kind in columns[1:]:
                    values.append("NULL" if self.chance(0.15) else self.literal(kind).sql())
                rows.append("(%s)" % ", ".join(values))
            if rows:
                statements.append("INSERT INTO %s VALUES %s" % (table.name, ", ".join(rows)))
            for index in range(self.random.randint(0, 2)):
                column = self.pick([c for c in columns if c[1] in ORDERED or c[1].startswith("varchar")])
                second = self.pick([c for c in columns if c[1] in ORDERED])
                over = column[0] if self.chance(0.5) or second == column else "%s DESC, %s" % (column[0], second[0])
                statements.append("CREATE INDEX ON %s (%s)" % (table.name, over))
            self.tables.append(table)
        statements += ["ANALYZE %s" % table.name for table in self.tables if self.chance(0.5)]
        return statements

    def literal(self, kind):
        if kind == "int4" and self.chance(0.6):
            return word("%d" % self.random.randint(-5, 20), kind)
        text = self.pick(LITERALS[kind])
        return word(("(%s)::%s" if text.startswith("-") else "%s::%s") % (text, kind), kind)

    # --- expressions ---

    def column(self, kind, scope):
        found = [name for name, of in scope if of == kind]
        return word(self.pick(found), kind) if found else None

    def small(self, kind, scope, depth):
        """A number that cannot overflow what is done with it."""
        return Tree(kind, "((({})::numeric %% 100)::%s)" % kind, self.expression(kind, scope, depth - 1))

    def expression(self, kind, scope, depth):
        if depth <= 0 or self.chance(0.25):
            column = self.column(kind, scope)
            if column is not None and self.chance(0.8):
                return column
            return word("NULL::" + kind, kind) if self.chance(0.08) else self.literal(kind)
        made = self.any_kind(kind, scope, depth) if self.chance(0.25) else None
        if made is None:
            maker = getattr(self, "make_" + {"int2": "int", "int4": "int", "int8": "int", "varchar(12)": "varchar", "int4[]": "array",
                                              "text[]": "array"}.get(kind, "range" if kind in RANGES else kind))
            made = maker(kind, scope, depth - 1)
        return made

    def any_kind(self, kind, scope, depth):
        sub = lambda of=kind: self.expression(of, scope, depth - 1)
        which = self.random.randint(0, 5)
        if which == 0:
            return Tree(kind, "CASE WHEN {} THEN {} ELSE {} END", sub("bool"), sub(), sub())
        if which == 1:
            return Tree(kind, "COALESCE({}, {})", sub(), sub())
        if which == 2 and kind in ORDERED:
            return Tree(kind, "NULLIF({}, {})", sub(), sub())
        if which == 3 and kind in ORDERED:
            return Tree(kind, self.pick(["GREATEST({}, {})", "LEAST({}, {})"]), sub(), sub())
        if which == 4 and kind in SCALARS and self.tables:
            return self.scalar_subquery(kind, scope, depth - 1)
        if which == 5 and kind != "jsonb" and kind in SCALARS:
            return Tree(kind, "CASE {} WHEN {} THEN {} WHEN {} THEN {} END", sub("int4"), sub("int4"), sub(), sub("int4"), sub())
        return None

    def scalar_subquery(self, kind, scope, depth):
        table = self.pick(self.tables)
        alias = self.alias()
        inner = [("%s.%s" % (alias, name), of) for name, of in table.columns]
        where = self.expression("bool", inner + scope, depth)
        if kind == "int8" and self.chance(0.6):
            return Tree(kind, "(SELECT count(*) FROM %s %s WHERE {})" % (table.name, alias), where)
        aggregate = "max" if kind in ("int2", "int4", "int8", "numeric", "float8", "text", "date", "timestamp", "timestamptz",
                                      "interval") else None
        if aggregate is None:
            return Tree(kind, "(SELECT {} FROM %s %s WHERE {} ORDER BY %s.k LIMIT 1)" % (table.name, alias, alias),
                        self.expression(kind, inner + scope, depth), where)
        return Tree(kind, "(SELECT %s({}) FROM %s %s WHERE {})" % (self.pick(["max", "min"]), table.name, alias),
                    self.expression(kind, inner, depth), where)

    def make_int(self, kind, scope, depth):
        which = self.random.randint(0, 9)
        if which < 4:
            return Tree(kind, "(({} %s {})::%s)" % (self.pick("+-*"), kind), self.small(kind, scope, depth),
                        self.small(kind, scope, depth))
        if which == 4:
            return Tree(kind, "({} %s NULLIF({}, 0))" % self.pick("/%") if kind != "int2" else "({} / NULLIF({}, 0::int2))",
                        self.small(kind, scope, depth), self.small(kind, scope, depth))
        if which == 5:
            return Tree(kind, "(%s({})::%s)" % (self.pick(["length", "octet_length", "ascii", "char_length"]), kind)
                        if kind != "int2" else "((length({}) %% 1000)::%s)" % kind, self.expression("text", scope, depth))
        if which == 6:
            return Tree(kind, "((EXTRACT(%s FROM {})::numeric %% 30000)::%s)" % (self.pick(["year", "month", "day", "hour", "dow", "doy"]), kind),
                        word("'2024-02-29 12:34:56'::timestamp", "timestamp") if self.chance(0.3) else
                        Tree("timestamp", "COALESCE(NULLIF({}, 'infinity'), '2001-02-03')", self.expression("timestamp", scope, depth)))
        if which == 7:
            return Tree(kind, "(COALESCE(%s, 0)::%s)" % (self.pick(["cardinality({})", "array_length({}, 1)", "array_position({}, 1)"]), kind),
                        self.one_dimension(scope, depth))
        if which == 8:
            return Tree(kind, "(({} %s {})::%s)" % (self.pick("&|#"), kind), self.small(kind, scope, depth), self.small(kind, scope, depth))
        return Tree(kind, "((%s({}))::%s)" % (self.pick(["abs", "sign", "-"]), kind), self.small(kind, scope, depth))

    def one_dimension(self, scope, depth):
        return Tree("int4[]", "ARRAY[{}, {}]", self.expression("int4", scope, depth), self.expression("int4", scope, depth))

    def make_numeric(self, kind, scope, depth):
        sub = lambda: self.expression(kind, scope, depth)
        which = self.random.randint(0, 6)
        if which < 3:
            return Tree(kind, "({} %s {})" % self.pick("+-*"), sub(), sub())
        if which == 3:
            return Tree(kind, "(({}) / NULLIF({}, 0))", sub(), sub())
        if which == 4:
            return Tree(kind, "(%s({}))" % self.pick(["round", "trunc", "ceil", "floor", "abs", "sign", "-"]), sub())
        if which == 5:
            return Tree(kind, "round({}, %d)" % self.random.randint(-2, 5), sub())
        return Tree(kind, "({})::numeric", self.expression(self.pick(["int2", "int4", "int8", "float8"]), scope, depth))

    def make_float8(self, kind, scope, depth):
        which = self.random.randint(0, 3)
        if which == 0:
            return Tree(kind, "({} %s {})" % self.pick("+-"), self.expression(kind, scope, depth), self.expression(kind, scope, depth))
        if which == 1:
            return Tree(kind, "(%s({}))" % self.pick(["abs", "floor", "ceil", "sign", "round", "trunc", "-"]), self.expression(kind, scope, depth))
        if which == 2:
            return Tree(kind, "({})::float8", self.expression(self.pick(["int2", "int4"]), scope, depth))
        return Tree(kind, "sqrt(abs({}))", self.expression(kind, scope, depth))

    def make_text(self, kind, scope, depth):
        sub = lambda of="text": self.expression(of, scope, depth)
        which = self.random.randint(0, 12)
        if which == 0:
            return Tree(kind, "({} || {})", sub(), sub())
        if which == 1:
            return Tree(kind, "%s({})" % self.pick(["upper", "lower", "trim", "ltrim", "rtrim", "reverse", "initcap", "md5", "quote_literal"]), sub())
        if which == 2:
            return Tree(kind, "substr({}, %d, %d)" % (self.random.randint(-2, 4), self.random.randint(0, 5)), sub())
        if which == 3:
            return Tree(kind, "({})::text", sub(self.pick(SCALARS)))
        if which == 4:
            return Tree(kind, "replace({}, {}, {})", sub(), sub(), sub())
        if which == 5:
            return Tree(kind, "%s({}, %d)" % (self.pick(["left", "right", "repeat"]), self.random.randint(-2, 3)), sub())
        if which == 6:
            return Tree(kind, "%s({}, %d, 'xy')" % (self.pick(["lpad", "rpad"]), self.random.randint(0, 8)), sub())
        if which == 7:
            return Tree(kind, "split_part({}, ' ', %d)" % self.pick([1, 2, -1]), sub())
        if which == 8:
            return Tree(kind, "concat_ws('-', {}, {}, {})", sub(), sub(self.pick(SCALARS)), sub())
        if which == 9:
            return Tree(kind, "regexp_replace({}, '[a-c]+', '<\\&>'%s)" % self.pick(["", ", 'g'", ", 'gi'"]), sub())
        if which == 10:
            return Tree(kind, "to_char({}, '%s')" % self.pick(["YYYY-MM-DD HH24:MI:SS", "Day DDD, Mon IW", "HH12:MI AM", "J Q WW"]),
                        Tree("timestamp", "COALESCE(NULLIF({}, 'infinity'), '2001-02-03')", sub("timestamp")))
        if which == 11:
            return Tree(kind, "format('%s|%L|%I', {}, {}, 'A b')", sub(self.pick(SCALARS)), sub())
        return Tree(kind, "jsonb_typeof({})", sub("jsonb"))

    def make_varchar(self, kind, scope, depth):
        return Tree(kind, "({})::varchar(12)", self.expression("text", scope, depth))

    def make_bool(self, kind, scope, depth):
        which = self.random.randint(0, 14)
        sub = lambda of="bool": self.expression(of, scope, depth)
        if which < 4:
            of = self.pick(ORDERED)
            return Tree(kind, "({} %s {})" % self.pick(["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"]),
                        sub(of), sub(of))
        if which == 4:
            return Tree(kind, "({} %s {})" % self.pick(["AND", "OR"]), sub(), sub())
        if which == 5:
            return Tree(kind, "(NOT {})", sub())
        if which == 6:
            return Tree(kind, "({} IS %s)" % self.pick(["NULL", "NOT NULL"]), sub(self.pick(SCALARS)))
        if which == 7:
            of = self.pick(ORDERED)
            return Tree(kind, "({} %s ({}, {}, {}))" % self.pick(["IN", "NOT IN"]), sub(of), sub(of), sub(of), sub(of))
        if which == 8:
            of = self.pick(ORDERED)
            return Tree(kind, "({} BETWEEN%s {} AND {})" % self.pick(["", " SYMMETRIC"]), sub(of), sub(of), sub(of))
        if which == 9:
            return Tree(kind, "({} %s %s)" % (self.pick(["LIKE", "NOT LIKE", "ILIKE", "~", "~*", "SIMILAR TO"]),
                                               self.pick(["'a%'", "'%b%'", "'_b_'", "'a'", "'%'"])), sub("text"))
        if which == 10 and self.tables:
            table, alias = self.pick(self.tables), self.alias()
            inner = [("%s.%s" % (alias, name), of) for name, of in table.columns]
            return Tree(kind, "(%sEXISTS (SELECT 1 FROM %s %s WHERE {}))" % (self.pick(["", "NOT "]), table.name, alias),
                        self.expression("bool", inner + scope, depth))
        if which == 11 and self.tables:
            table, alias = self.pick(self.tables), self.alias()
            inner = [("%s.%s" % (alias, name), of) for name, of in table.columns]
            of = self.pick(["int4", "text", "int8"])
            return Tree(kind, "({} %s (SELECT {} FROM %s %s WHERE {}))" % (self.pick(["IN", "NOT IN", "= ANY", "< ALL", ">= ANY"]), table.name, alias),
                        sub(of), self.expression(of, inner, depth), self.expression("bool", inner, depth))
        if which == 12:
            return Tree(kind, "({} %s {})" % self.pick(["@>", "<@", "=", "<>"]), sub("jsonb"), sub("jsonb"))
        if which == 13:
            return Tree(kind, "(({}, {}) %s ({}, {}))" % self.pick(["=", "<", ">=", "<>"]), sub("int4"), sub("text"), sub("int4"), sub("text"))
        if which == 14:
            of = self.pick(sorted(RANGES))
            if self.chance(0.3):
                return Tree(kind, "({} @> {})", sub(of), sub(RANGES[of]))
            return Tree(kind, "({} %s {})" % self.pick(["@>", "<@", "&&", "<<", ">>", "&<", "&>", "-|-"]), sub(of), sub(of))
        return Tree(kind, "({} IS %s)" % self.pick(["TRUE", "NOT TRUE", "FALSE", "UNKNOWN"]), sub())

    def make_date(self, kind, scope, depth):
        which = self.random.randint(0, 2)
        if which == 0:
            return Tree(kind, "({} + %d)" % self.random.randint(-40, 40), self.expression(kind, scope, depth))
        if which == 1:
            return Tree(kind, "({})::date", self.expression("timestamp", scope, depth))
        return Tree(kind, "make_date(2024, %d, %d)" % (self.random.randint(1, 12), self.random.randint(1, 28)))

    def make_timestamp(self, kind, scope, depth):
        which = self.random.randint(0, 3)
        if which == 0:
            return Tree(kind, "({} %s {})" % self.pick("+-"), self.expression(kind, scope, depth), self.literal("interval"))
        if which == 1:
            return Tree(kind, "date_trunc('%s', {})" % self.pick(["year", "month", "week", "day", "hour", "quarter"]), self.expression(kind, scope, depth))
        if which == 2:
            return Tree(kind, "({})::timestamp", self.expression("date", scope, depth))
        return Tree(kind, "({} AT TIME ZONE 'Europe/Berlin')", self.expression("timestamptz", scope, depth))

    def make_timestamptz(self, kind, scope, depth):
        if self.chance(0.5):
            return Tree(kind, "({} %s {})" % self.pick("+-"), self.expression(kind, scope, depth), self.literal("interval"))
        return Tree(kind, "({} AT TIME ZONE 'America/New_York')", self.expression("timestamp", scope, depth))

    def make_interval(self, kind, scope, depth):
        which = self.random.randint(0, 2)
        if which == 0:
            return Tree(kind, "({} %s {})" % self.pick("+-"), self.literal(kind), self.expression(kind, scope, depth))
        if which == 1:
            return Tree(kind, "({} * %d)" % self.random.randint(-3, 5), self.literal(kind))
        return Tree(kind, "%s({})" % self.pick(["justify_hours", "justify_days", "justify_interval"]), self.expression(kind, scope, depth))

    def make_uuid(self, kind, scope, depth):
        return Tree(kind, "(md5({})::uuid)", self.expression("text", scope, depth))

    def make_bytea(self, kind, scope, depth):
        if self.chance(0.5):
            return Tree(kind, "({} || {})", self.expression(kind, scope, depth), self.expression(kind, scope, depth))
        return Tree(kind, "convert_to({}, 'UTF8')", self.expression("text", scope, depth))

    def make_jsonb(self, kind, scope, depth):
        sub = lambda of="jsonb": self.expression(of, scope, depth)
        which = self.random.randint(0, 7)
        if which == 0:
            return Tree(kind, "({} -> %s)" % self.pick(["'a'", "0", "'b'", "-1", "1"]), sub())
        if which == 1:
            return Tree(kind, "({} #> '{{a,b,0}}')", sub())
        if which == 2:
            return Tree(kind, "jsonb_build_object('k', {}, 'v', {})", sub(self.pick(["int4", "text", "bool", "numeric", "date"])), sub())
        if which == 3:
            return Tree(kind, "jsonb_build_array({}, {})", sub(self.pick(["int4", "text", "bool"])), sub())
        if which == 4:
            return Tree(kind, "to_jsonb({})", sub(self.pick(["int4", "text", "bool", "numeric", "timestamp", "float8"])))
        if which == 5:
            return Tree(kind, "(jsonb_build_object('z', {}) || jsonb_build_object('a', {}))", sub(), sub("int4"))
        if which == 6:
            return Tree(kind, "jsonb_set(jsonb_build_object('a', {}), '{{%s}}', {})" % self.pick(["a", "b"]), sub(), Tree(kind, "COALESCE({}, '0')", sub()))
        return Tree(kind, "jsonb_strip_nulls({})", sub())

    def make_range(self, kind, scope, depth):
        sub = lambda of=kind: self.expression(of, scope, depth)
        which = self.random.randint(0, 3)
        if which == 0:
            return Tree(kind, "({} * {})", sub(), sub())
        if which == 1:
            return Tree(kind, "range_merge({}, {})", sub(), sub())
        of = RANGES[kind]
        bound = lambda: self.small(of, scope, depth) if of == "int4" else sub(of)
        if which == 2:
            return Tree(kind, "%s({}, {}, '%s')" % (kind, self.pick(["[]", "[)", "(]", "()"])), *self.random.sample([bound(), Tree(of, "NULL")], 2))
        middle = self.literal(of).sql() if of != "int4" else "5"
        return Tree(kind, "%s(LEAST({}, %s), GREATEST({}, %s))" % (kind, middle, middle), bound(), bound())

    def make_array(self, kind, scope, depth):
        of = kind[:-2]
        which = self.random.randint(0, 3)
        sub = lambda: self.expression(of, scope, depth)
        if which == 0:
            return Tree(kind, "ARRAY[{}, {}]::%s" % kind, sub(), sub())
        if which == 1:
            return Tree(kind, "array_append(ARRAY[{}]::%s, {})" % kind, sub(), sub())
        if which == 2:
            return Tree(kind, "array_remove(ARRAY[{}, {}]::%s, {})" % kind, sub(), sub(), sub())
        return Tree(kind, "(ARRAY[{}, {}, {}]::%s)[%d:%d]" % (kind, self.random.randint(0, 2), self.random.randint(1, 4)), sub(), sub(), sub())

    # --- queries ---

    def alias(self):
        self.aliases += 1
        return "a%d" % self.aliases

    def source(self, depth):
        """A FROM item and its columns."""
        alias = self.alias()
        if depth > 0 and self.chance(0.2):
            query, kinds = self.query(depth - 1, simple=True)
            return Tree("source", "({}) AS %s (%s)" % (alias, ", ".join("x%d" % i for i in range(len(kinds)))), query), [
                ("%s.x%d" % (alias, i), kind) for i, kind in enumerate(kinds)]
        if self.chance(0.06):
            return word("generate_series(1, %d) AS %s (g)" % (self.random.randint(0, 6), alias), "source"), [(alias + ".g", "int4")]
        table = self.pick(self.tables)
        return word("%s AS %s" % (table.name, alias), "source"), [("%s.%s" % (alias, name), kind) for name, kind in table.columns]

    def sources(self, depth):
        tree, scope = self.source(depth)
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            other, more = self.source(depth)
            join = self.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
            if join == "CROSS JOIN":
                tree, scope = Tree("source", "{} CROSS JOIN {}", tree, other), scope + more
                continue
            both = [(a, b, kind) for a, kind in scope for b, of in more if kind == of and kind in ORDERED]
            if both and (join == "FULL JOIN" or self.chance(0.8)):
                left, right, kind = self.pick(both)
                on = Tree("bool", "%s = %s" % (left, right))
                if join != "FULL JOIN" and self.chance(0.3):
                    on = Tree("bool", "({} AND {})", on, self.expression("bool", scope + more, 1))
            elif join == "FULL JOIN":
                join, on = "JOIN", self.expression("bool", scope + more, 1)
            else:
                on = self.expression("bool", scope + more, 1)
            tree, scope = Tree("source", "{} %s {} ON {}" % join, tree, other, on), scope + more
        return tree, scope

    def aggregate(self, scope, depth):
        which = self.random.randint(0, 10)
        filtered = Tree("filter", " FILTER (WHERE {})", self.expression("bool", scope, 1)) if self.chance(0.2) else NOTHING
        distinct = self.pick(["", "", "", "DISTINCT "])

        def made(kind, template, *children):
            return kind, Tree(kind, template + "{}", *children, filtered, optional=[len(children)])
        if which == 0:
            return made("int8", "count(*)")
        if which == 1:
            return made("int8", "count(" + distinct + "{})", self.expression(self.pick(SCALARS), scope, depth))
        if which == 2:
            kind = self.pick(["int2", "int4"])
            return made("int8", "sum(" + distinct + "{})", self.expression(kind, scope, depth))
        if which == 3:
            return made("numeric", self.pick(["sum", "avg"]) + "(" + distinct + "{})", self.expression(self.pick(["numeric", "int8"]), scope, depth))
        if which == 4:
            return made("numeric", "avg({})", self.expression("int4", scope, depth))
        if which in (5, 6):
            kind = self.pick(["int4", "int8", "numeric", "float8", "text", "date", "timestamp", "interval"])
            return made(kind, self.pick(["min", "max"]) + "({})", self.expression(kind, scope, depth))
        if which == 7:
            return made("bool", self.pick(["bool_and", "bool_or", "every"]) + "({})", self.expression("bool", scope, depth))
        if which == 8:
            child = self.expression("text", scope, depth)
            return made("text", "string_agg(" + "{}, ',' ORDER BY {})", child, child)
        if which == 9:
            child = self.expression("int4", scope, depth)
            return made("int4[]", "array_agg({} ORDER BY {})", child, child)
        return made("numeric", self.pick(["stddev", "variance", "var_pop"]) + "({})", self.expression("int4", scope, depth))

    def window(self, scope, key):
        kind = self.pick(["int4", "int8", "numeric", "text", "date"])
        partition = Tree("partition", "PARTITION BY {} ", self.expression(self.pick(["int4", "bool", "text"]), scope, 1)) if self.chance(0.6) else NOTHING
        order = Tree("order", "{}%s, %s" % (self.pick(["", " DESC", " NULLS FIRST"]), key), self.expression(self.pick(ORDERED), scope, 1))
        frame = NOTHING
        which = self.random.randint(0, 7)
        if self.chance(0.4):
            bounds = [("UNBOUNDED PRECEDING", "CURRENT ROW"), ("1 PRECEDING", "1 FOLLOWING"), ("CURRENT ROW", "UNBOUNDED FOLLOWING"),
                      ("2 PRECEDING", "1 PRECEDING"), ("UNBOUNDED PRECEDING", "UNBOUNDED FOLLOWING")]
            low, high = self.pick(bounds)
            exclude = self.pick(["", "", " EXCLUDE CURRENT ROW", " EXCLUDE TIES", " EXCLUDE GROUP"])
            frame = word(" %s BETWEEN %s AND %s%s" % (self.pick(["ROWS", "GROUPS"]), low, high, exclude), "frame")
        over = lambda: Tree("over", "({}ORDER BY {}{})", partition, order, frame, optional=[0, 2])
        if which == 0:
            return "int8", Tree("int8", "%s() OVER {}" % self.pick(["row_number", "rank", "dense_rank"]), over())
        if which == 1:
            return "float8", Tree("float8", "%s() OVER {}" % self.pick(["percent_rank", "cume_dist"]), over())
        if which == 2:
            return "int4", Tree("int4", "ntile(%d) OVER {}" % self.random.randint(1, 5), over())
        if which == 3:
            return kind, Tree(kind, "%s({}, %d) OVER {}" % (self.pick(["lag", "lead"]), self.random.randint(0, 3)), self.expression(kind, scope, 1), over())
        if which == 4:
            return kind, Tree(kind, "%s({}) OVER {}" % self.pick(["first_value", "last_value"]), self.expression(kind, scope, 1), over())
        if which == 5:
            return "int8", Tree("int8", "sum({}) OVER {}", self.expression("int4", scope, 1), over())
        if which == 6:
            return "int8", Tree("int8", "count({}) OVER {}", self.expression(kind, scope, 1), over())
        return kind, Tree(kind, "%s({}) OVER {}" % self.pick(["min", "max"]), self.expression(kind, scope, 1), over())

    def query(self, depth=2, simple=False):
        """A query and its columns' types. All of its columns order it where its order matters."""
        if depth > 0 and self.chance(0.12):
            return self.set_operation(depth)
        tree, scope = self.sources(depth)
        where = Tree("where", " WHERE {}", self.expression("bool", scope, 2)) if self.chance(0.6) else NOTHING
        shape = self.random.random()
        if shape < 0.35:
            return self.grouped(tree, scope, where, simple)
        if shape < 0.5 and not simple:
            return self.windowed(tree, scope, where)
        count = self.random.randint(1, 4)
        kinds = [self.pick(SCALARS + ARRAYS) for _ in range(count)]
        items = [self.expression(kind, scope, depth + 1) for kind in kinds]
        distinct = "DISTINCT " if self.chance(0.15) else ""
        return self.finish("SELECT " + distinct + "{} FROM {}{}", List("items", ", ", items), tree, where, kinds=kinds)

    def finish(self, template, *children, kinds):
        order = NOTHING
        if self.chance(0.4):
            text = " ORDER BY " + ", ".join("%d%s" % (i + 1, self.pick(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])) for i in range(len(kinds)))
            if self.chance(0.5):
                text += self.pick([" LIMIT 3", " LIMIT 10", " OFFSET 2", " LIMIT 5 OFFSET 1", " FETCH FIRST 2 ROWS WITH TIES"])
            order = word(text, "order")
        return Tree("query", template + "{}", *children, order, optional=[len(children), len(children) - 1]), kinds

    def grouped(self, tree, scope, where, simple):
        keys = [self.pick(scope) for _ in range(self.random.randint(0, 2))]
        keys = [key for key in keys if key[1] in ORDERED]
        items, kinds = [word(name, "key") for name, _ in keys], [kind for _, kind in keys]
        for _ in range(self.random.randint(1, 3)):
            kind, made = self.aggregate(scope, 2)
            items.append(made)
            kinds.append(kind)
        group = NOTHING
        if keys:
            names = ", ".join(dict.fromkeys(name for name, _ in keys))
            how = self.pick(["%s", "%s", "%s", "ROLLUP (%s)", "CUBE (%s)", "GROUPING SETS ((%s), ())"])
            group = word(" GROUP BY " + how % names, "group")
        having = Tree("having", " HAVING {}", Tree("bool", "count(*) %s %d" % (self.pick([">", "<=", "<>"]), self.random.randint(0, 3)))) if self.chance(0.2) else NOTHING
        made = Tree("query", "SELECT {} FROM {}{}%s{}" % group.sql().replace("{", "{{"), List("items", ", ", items, max(1, len(keys))), tree, where, having, optional=[2, 3])
        if self.chance(0.3):
            return Tree("query", "{} ORDER BY " + ", ".join(str(i + 1) for i in range(len(kinds))), made), kinds
        return made, kinds

    def windowed(self, tree, scope, where):
        keys = ", ".join(dict.fromkeys(name for name, kind in scope if kind != "pair")) or "1"
        items, kinds = [], []
        for _ in range(self.random.randint(1, 3)):
            kind, made = self.window(scope, keys)
            items.append(made)
            kinds.append(kind)
        return Tree("query", "SELECT {} FROM {}{}", List("items", ", ", items), tree, where, optional=[2]), kinds

    def set_operation(self, depth):
        kinds = [self.pick(["int4", "text", "numeric", "date", "bool", "int8"]) for _ in range(self.random.randint(1, 3))]
        sides = []
        for _ in range(2):
            tree, scope = self.source(0)
            items = [self.expression(kind, scope, 1) for kind in kinds]
            sides.append(Tree("query", "SELECT {} FROM {} WHERE {}", List("items", ", ", items, len(items)), tree, self.expression("bool", scope, 1)))
        operator = self.pick(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"])
        return Tree("query", "{} %s {}" % operator, *sides), kinds

    def with_query(self):
        """A query over a common table expression."""
        inner, kinds = self.query(1, simple=True)
        name, alias = "w%d" % self.random.randint(0, 9), self.alias()
        scope = [("%s.x%d" % (alias, i), kind) for i, kind in enumerate(kinds)]
        kind = self.pick(SCALARS)
        return Tree("query", "WITH %s (%s) AS ({}) SELECT {}, count(*) OVER () FROM %s %s WHERE {}" % (
            name, ", ".join("x%d" % i for i in range(len(kinds))), name, alias),
            inner, self.expression(kind, scope, 2), self.expression("bool", scope, 1))

    # --- changes ---

    def change(self):
        table = self.pick(self.tables)
        scope = [("%s.%s" % (table.name, name), kind) for name, kind in table.columns]
        which = self.random.randint(0, 5)
        column, kind = self.pick(table.columns[1:])
        returning = Tree("returning", " RETURNING {}", List("items", ", ", [word("k"), self.expression(self.pick(SCALARS), scope, 1)])) if self.chance(0.5) else NOTHING
        if which == 0:
            values = [self.expression(of, [], 2) for _, of in table.columns[1:]]
            conflict = self.pick(["", " ON CONFLICT DO NOTHING", " ON CONFLICT (k) DO UPDATE SET %s = excluded.%s" % (column, column)])
            return Tree("change", "INSERT INTO %s VALUES (%d, {})%s{}" % (table.name, self.random.randint(0, 40), conflict),
                        List("values", ", ", values, len(values)), returning, optional=[1])
        if which == 1:
            return Tree("change", "UPDATE %s SET %s = {} WHERE {}{}" % (table.name, column), self.expression(kind, scope, 2),
                        self.expression("bool", scope, 2), returning, optional=[2])
        if which == 2:
            return Tree("change", "DELETE FROM %s WHERE {}{}" % table.name, Tree("bool", "({} AND k %% 4 = 0)", self.expression("bool", scope, 2)), returning, optional=[1])
        other, alias = self.pick(self.tables), self.alias()
        inner = [("%s.%s" % (alias, name), of) for name, of in other.columns]
        if which == 3:
            return Tree("change", "UPDATE %s SET %s = {} FROM %s %s WHERE %s.k = %s.k AND {}{}" % (table.name, column, other.name, alias, table.name, alias),
                        self.expression(kind, scope + inner, 1), self.expression("bool", scope + inner, 1), returning, optional=[2])
        if which == 4:
            return Tree("change", "DELETE FROM %s USING %s %s WHERE %s.k = %s.k + 3 AND {}{}" % (table.name, other.name, alias, table.name, alias),
                        self.expression("bool", scope + inner, 1), returning, optional=[1])
        return Tree("change", "INSERT INTO %s (k, %s) SELECT 100 + k, {} FROM %s %s WHERE {} ORDER BY 1 ON CONFLICT DO NOTHING{}" % (table.name, column, other.name, alias),
                    self.expression(kind, inner, 1), self.expression("bool", inner, 1), returning, optional=[2])

    def single(self):
        """An expression over nothing, errors and all."""
        kind = self.pick(SCALARS + ARRAYS)
        which = self.random.randint(0, 3)
        if which == 0:
            source = self.pick(SCALARS)
            return Tree("query", "SELECT ({})::%s" % kind, self.expression(source, [], 1))
        if which == 1:
            number = self.pick(NUMBERS)
            return Tree("query", "SELECT {} %s {}" % self.pick(["+", "-", "*", "/"] + (["%"] if number != "float8" else [])), self.literal(number), self.literal(self.pick(NUMBERS)))
        if which == 2:
            a, b = self.pick(SCALARS), self.pick(SCALARS)
            return Tree("query", "SELECT {} %s {}" % self.pick(["=", "<", "+", "-", "||", "*"]), self.literal(a), self.literal(b))
        return Tree("query", "SELECT {}", self.expression(kind, [], 3))

    def definition(self, number):
        """DDL that changes a table and what is known of it."""
        table = self.pick(self.tables)
        which = self.random.randint(0, 3)
        if which == 0:
            kind = self.pick([k for k in SCALARS if k != "jsonb"])
            name = "n%d" % number
            default = Tree("default", " DEFAULT {}", self.literal(kind)) if self.chance(0.6) else NOTHING
            made = Tree("ddl", "ALTER TABLE %s ADD COLUMN %s %s{}" % (table.name, name, kind), default, optional=[0])
            table.columns.append((name, kind))
            return made
        if which == 1 and len(table.columns) > 4:
            name, _ = table.columns.pop()
            return word("ALTER TABLE %s DROP COLUMN %s" % (table.name, name), "ddl")
        if which == 2:
            name, kind = self.pick(table.columns)
            if kind in ORDERED:
                return word("CREATE INDEX i%d ON %s (%s)" % (number, table.name, name), "ddl")
        name, kind = self.pick(table.columns)
        return word("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT NULL" % (table.name, name), "ddl")

    def statement(self, number):
        draw = self.random.random()
        if draw < 0.12:
            return self.change()
        if draw < 0.15:
            return self.definition(number)
        if draw < 0.3:
            return self.single()
        if draw < 0.36:
            return self.with_query()
        return self.query()[0]
