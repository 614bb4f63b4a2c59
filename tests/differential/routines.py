# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of functions, operators, aggregates and casts that both servers say they have, over values at the edges of types.

What exists is asked of PostgreSQL's catalog; what Isopod does not have (42883) is no difference here, the docs list it.
"""
import random
import re

from generate import List, Tree, word

# Texts of values of each type, the ordinary ones and those at edges.
VALUES = {
    "bool": ["t", "f"],
    "int2": ["0", "1", "-1", "7", "42", "32767", "-32768"],
    "int4": ["0", "1", "-1", "2", "3", "5", "17", "1000", "2147483647", "-2147483648"],
    "int8": ["0", "1", "-1", "5", "63", "123456789012", "9223372036854775807", "-9223372036854775808"],
    "numeric": ["0", "1", "-1", "0.5", "1.10", "3.14159", "-2.50", "100.00", "12345678901234567890.123", "1e-10", "NaN", "Infinity",
                "-Infinity", "0.00", "99999999999999999999999999999999.5", "2.5", "3.5", "-0.000001", "1e30"],
    "float4": ["0", "-0", "1", "0.1", "1.5", "-2.25", "3.4e38", "1e-38", "NaN", "Infinity", "-Infinity", "16777217"],
    "float8": ["0", "-0", "1", "0.1", "1.5", "-2.25", "1e308", "1e-308", "NaN", "Infinity", "-Infinity", "123456789.123456789", "1e15", "1e16", "2.5", "0.5"],
    "text": ["", "a", "abc", "ABC", "a b c", "  pad  ", "été", "日本語", "10", "-1.5", "1,2,3", "xyzzy", "a\\b", "%a_", "it''s", "2024-02-29", "{}", "f47ac10b",
             "YYYY-MM-DD", "999.99", "UTF8", "hex", "base64", "(a)(b)?", "[a-c]+", "day", "UTC", "$.a"],
    "varchar": ["", "a", "hello world", "été"],
    "bpchar": ["", "a", "a  ", "abc"],
    "name": ["", "a", "pg_class", "a b"],
    '"char"': ["", "a", "b"],
    "bytea": ["\\x", "\\x00", "\\xdeadbeef", "\\x616263", "\\xff"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426614174000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "date": ["2000-01-01", "1999-12-31", "2024-02-29", "1970-01-01", "0001-01-01", "infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2023-06-15"],
    "time": ["00:00:00", "24:00:00", "12:34:56.789", "23:59:59.999999"],
    "timetz": ["00:00:00+00", "12:34:56.789-08", "23:59:59.999999+15:59", "24:00:00-15:59"],
    "timestamp": ["2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "2024-02-29 12:34:56.789", "1970-01-01", "infinity", "-infinity", "0044-03-15 BC",
                  "294276-12-31 23:59:59.999999", "2024-03-31 02:30:00"],
    "timestamptz": ["2000-01-01 00:00:00+00", "2024-03-31 01:30:00+01", "1970-01-01 00:00:00-08", "infinity", "-infinity", "1900-01-01 00:00:00+00",
                    "2024-10-27 00:30:00+00"],
    "interval": ["1 day", "-1 day", "1 mon", "1 year 2 mons 3 days", "00:00:01.5", "36:00:00", "0", "-1 mon +1 day -00:00:01", "178000000 years", "1.5 weeks", "P1Y2M3DT4H5M6S",
                 "30 days 24:00:00"],
    "json": ["null", "1", "\"x\"", "[]", "{}", "[1, 2, 3]", "{\"a\": 1}", "{\"a\":{\"b\":[true,null]}, \"a\": 2}", "[1, \"a\", {\"k\": \"v\"}]", "1.50", "{\"x\": \"\\u00e9\\n\"}"],
    "jsonb": ["null", "1", "\"x\"", "[]", "{}", "[1, 2, 3]", "{\"a\": 1}", "{\"a\": {\"b\": [true, null]}}", "[1, \"a\", {\"k\": \"v\"}]", "1.50", "[[1, 2], [3]]", "true", "[{\"a\": 1, \"b\": 2}]"],
    "jsonpath": ["$", "$.a", "$[*]", "$.a.b[0]", "$[*] ? (@ > 1)", "strict $.x", "$.** ", "$.a == 1", "$.keyvalue()", "$[last]"],
    "bit": ["1", "101", "00000000", "1111111111111111111111111111111111"],
    "varbit": ["", "1", "101", "00001111"],
    "inet": ["127.0.0.1", "10.0.0.0/8", "192.168.1.5/24", "::1", "2001:db8::/32", "::ffff:1.2.3.4/128"],
    "cidr": ["127.0.0.1/32", "10.0.0.0/8", "::/0", "2001:db8::/32"],
    "oid": ["0", "1", "23", "4294967295"],
    "int4[]": ["{}", "{1}", "{1,2,3}", "{3,NULL,1}", "{{1,2},{3,4}}", "[0:2]={7,8,9}"],
    "text[]": ["{}", "{a}", "{a,b,NULL}", "{\"x y\",z}", "{{a,b},{c,d}}", "{a,b}"],
    "int8[]": ["{}", "{1,9223372036854775807}"],
    "numeric[]": ["{}", "{1.5,NaN,NULL}", "{1,2.50}"],
    "float8[]": ["{}", "{0.5,1,0.25}", "{0,NaN}"],
    "bool[]": ["{t,f,NULL}"],
    "pg_lsn": ["0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"],
    "int4range": ["empty", "[1,5)", "(,3]", "[3,)", "(,)", "[5,2147483647)", "[7,8]"],
    "int8range": ["empty", "[1,5)", "(,3]", "[4,9223372036854775807)"],
    "numrange": ["empty", "[1.5,5)", "(1.50,5.0]", "(,3]", "[NaN,]", "[2,2.0]"],
    "tsrange": ["empty", "[2000-01-01,2024-02-29 12:00)", "(,infinity]"],
    "tstzrange": ["empty", "[2000-01-01 00:00+00,2024-02-29 12:00+00)", "(2000-01-01 00:00+00,)"],
    "daterange": ["empty", "[2000-01-01,2024-02-29]", "(,1999-12-31)", "[2024-03-01,infinity]"],
    "int4multirange": ["{}", "{[1,5)}", "{(,3],[7,9)}", "{[3,)}", "{(,)}", "{[5,6),[8,2147483647)}"],
    "int8multirange": ["{}", "{[1,5),[7,9)}", "{(,3]}"],
    "nummultirange": ["{}", "{[1.5,5)}", "{(1.50,5.0],[7,8)}", "{(,3],[NaN,]}"],
    "datemultirange": ["{}", "{[2000-01-01,2024-02-29],[2024-03-05,infinity]}", "{(,1999-12-31)}"],
    "tstzmultirange": ["{}", "{[2000-01-01 00:00+00,2024-02-29 12:00+00),[2024-03-01 00:00+00,)}"],
    "tsmultirange": ["{}", "{[2000-01-01,2024-02-29 12:00),[2024-03-01,infinity]}"],
    "point": ["(0,0)", "(1.5,-2)", "(3,4)", "(1e-7,0)", "(NaN,1)", "(Infinity,1e300)"],
    "line": ["{1,0,-2}", "{0,-1,5}", "[(0,0),(6,6)]", "{1,1,-3}"],
    "lseg": ["[(0,0),(2,2)]", "[(0,2),(2,0)]", "(1,1),(1,1)", "[(-1,3),(5,3)]"],
    "box": ["(2,2),(0,0)", "(1,1),(3,3)", "(5,5),(5,5)"],
    "path": ["[(0,0),(3,0),(4,5)]", "((0,0),(3,0),(4,5))", "[(1,1)]"],
    "polygon": ["((0,0),(0,4),(4,4),(4,0))", "((1,1),(2,1),(1,2))", "((5,5))"],
    "circle": ["<(0,0),1>", "<(1,1),2.5>", "<(3,4),0>"],
    "money": ["0", "-12.34", "1234567.89", "92233720368547758.07"],
    "box[]": ["{}", "{(1,1),(0,0);NULL}"],
    "int4range[]": ["{}", "{\"[1,5)\",NULL,empty}"],
    "int2[]": ["{1,2}"], "date[]": ["{2000-01-01,infinity}"], "jsonb[]": ["{null,\"{}\"}"], "uuid[]": ["{00000000-0000-0000-0000-000000000000}"],
}
NUMBERED = {16: "bool", 20: "int8", 21: "int2", 23: "int4", 25: "text", 26: "oid", 18: '"char"', 19: "name", 17: "bytea", 114: "json", 3802: "jsonb", 4072: "jsonpath",
            700: "float4", 701: "float8", 1700: "numeric", 1042: "bpchar", 1043: "varchar", 1082: "date", 1083: "time", 1266: "timetz", 1114: "timestamp",
            1184: "timestamptz", 1186: "interval", 1560: "bit", 1562: "varbit", 2950: "uuid", 869: "inet", 650: "cidr", 1007: "int4[]", 1009: "text[]", 1016: "int8[]",
            1231: "numeric[]", 1022: "float8[]", 3220: "pg_lsn",
            600: "point", 601: "lseg", 602: "path", 603: "box", 604: "polygon", 628: "line", 718: "circle", 790: "money", 1020: "box[]",
            3904: "int4range", 3926: "int8range", 3906: "numrange", 3908: "tsrange", 3910: "tstzrange", 3912: "daterange", 3905: "int4range[]",
            4451: "int4multirange", 4532: "nummultirange", 4533: "tsmultirange", 4534: "tstzmultirange", 4535: "datemultirange", 4536: "int8multirange"}
RANGES = {"int4": "int4range", "int8": "int8range", "numeric": "numrange", "date": "daterange", "timestamptz": "tstzrange"}
ELEMENT = {2283: "element", 2277: "array", 3831: "range", 4537: "multirange", 2776: "element", 5077: "element", 5078: "array", 5079: "element", 2276: "any"}
# What depends on the server, the session, the clock, or is not for users.
NOT_CALLED = re.compile(
    r"^(pg_(?!typeof|column_size$)|has_|lo_|lowrite|loread|current_|inet_(client|server)|txid_|version$|obj_description|col_description|shobj_|to_reg|reg|set_config|setval|nextval|currval|lastval|"
    r"query_to|table_to|schema_to|database_to|cursor_to|xml|ts_|tsvector|tsquery|gen_random|random|now$|clock_|statement_t|transaction_t|timeofday|row_security|"
    r"dblink|brin|gin|gist|spg|bt.*(cmp|sort|support|options|equalimage|skip)|hash|in_range|.*_(in|out|send|recv|support|accum|accum_inv|combine|serialize|deserialize|transfn|finalfn|sortsupport|typanalyze|sel|joinsel|typmodin|typmodout)$|"
    r".*(in|out|send|recv|sel|typmodin|typmodout)$|amvalidate|.*handler|format_type|getdatabaseencoding|session_user|unknown|RI_FKey|suppress|cidin|age$|icu_|satisfies|"
    r"convert$|to_ascii|binary_upgrade|.*_sortsupport|mxid|fmgr|any|void|cstring|record_|row_to_json|array_larger|array_smaller|anarray|generate_subscripts|int2int4_sum|int8_avg|"
    r"int4_avg|int8_sum|int4_sum|int2_sum|numeric_avg|numeric_sum|numeric_uplus|float8_(avg|var|stddev|regr|corr|covar)|float4_accum|datetime|system|websearch|phrase|plainto|"
    r"numnode|.*(gist|spg)_.*|macaddr.*|bpchar_pattern|like_|texteqname|ordered_set|percentile|width_bucket_|test_|"
    r"interval_(pl|mi|mul)$|currtid|dist_|diagonal|tid|xid|oidvector|int2vector|scalar|charnegator|jsonb_path|.*_support$)")


class Catalog:
    """What PostgreSQL has, read once."""

    def __init__(self, rows):
        self.calls, self.operators, self.casts = [], [], []
        rows("SET search_path = pg_catalog")
        for name, args, kind, variadic, retset in rows(
                "SELECT proname, proargtypes::text, prokind, provariadic <> 0, proretset FROM pg_proc WHERE pronamespace = 11 AND provolatile <> 'v' AND prokind IN ('f', 'a') "
                "AND prorettype NOT IN (2278, 2281, 269, 325, 3310, 2279, 3838) AND oid NOT IN (SELECT amproc::oid FROM pg_amproc) AND oid NOT IN (SELECT aggtransfn::oid FROM pg_aggregate) "
                "AND oid NOT IN (SELECT oprcode::oid FROM pg_operator) AND coalesce(obj_description(oid, 'pg_proc') !~ '^(implementation of|internal|hash|larger|smaller|less-equal|aggregate )', true) "
                "ORDER BY proname, proargtypes::text, oid"):
            kinds = [NUMBERED.get(int(oid)) or ELEMENT.get(int(oid)) for oid in args.split()]
            if None in kinds or NOT_CALLED.match(name) or (kind == "f" and not kinds):
                continue
            self.calls.append((name, kinds, kind, variadic in (True, "t"), retset in (True, "t")))
        for name, left, right in rows("SELECT oprname, oprleft, oprright FROM pg_operator WHERE oprnamespace = 11 ORDER BY oprname, oprleft, oprright"):
            kinds = [NUMBERED.get(int(oid)) or ELEMENT.get(int(oid)) for oid in (left, right) if int(oid) != 0]
            if None not in kinds:
                self.operators.append((name, kinds))
        rows("RESET search_path")


class Routines:
    """Statements of one seed: `statement()` gives the next."""

    def __init__(self, seed, catalog):
        self.random = random.Random(seed * 7919 + 1)
        self.catalog = catalog
        self.types = sorted(VALUES)

    def pick(self, choices):
        return self.random.choice(choices)

    def value(self, kind):
        """An argument as a tree: a value with its type's name, a NULL, or now and then a bare literal."""
        text = self.pick(VALUES[kind]).replace("'", "''").replace("''''", "''")
        draw = self.random.random()
        if draw < 0.05:
            return word("NULL::" + kind, "argument")
        if draw < 0.12 and kind not in ("bit",):
            return word("'%s'" % text, "argument")
        if draw < 0.2 and kind == "int4" and text[0] != "-":
            return word(text, "argument")
        # A bare "bit" is bit(1): wider values come from literals.
        if kind == "bit":
            return word("B'%s'" % text, "argument")
        return word("'%s'::%s" % (text, kind), "argument")

    def resolved(self, kinds):
        """Polymorphic arguments as types: one element type for all."""
        element = self.pick(sorted(RANGES) if "range" in kinds or "multirange" in kinds else ["int4", "text", "numeric", "int8", "float8"])
        chosen = {"element": element, "array": element + "[]", "range": RANGES.get(element),
                  "multirange": RANGES.get(element, "").replace("range", "multirange")}
        return [chosen.get(kind) or (self.pick(self.types) if kind == "any" else kind) for kind in kinds]

    def call(self):
        name, kinds, kind, variadic, retset = self.pick(self.catalog.calls)
        if variadic and kinds and self.random.random() < 0.8:
            last = kinds[-1][:-2] if kinds[-1].endswith("[]") else "element" if kinds[-1] == "array" else "any"
            kinds = kinds[:-1] + [last] * self.random.randint(1, 3)
        kinds = self.resolved(kinds)
        if kind == "a":
            return self.aggregate(name, kinds)
        if name == "repeat" or name in ("lpad", "rpad"):
            kinds = kinds[:1] + ["int2"] + kinds[2:]
        arguments = List("arguments", ", ", [self.value(of) for of in kinds], len(kinds))
        if name in ("power", "pow", "factorial", "exp") and kinds[0] in ("numeric", "int8"):
            arguments = List("arguments", ", ", [word("'%s'::numeric" % self.pick(["2", "0", "-1", "1.5", "0.5", "NaN", "10"]), "argument") for _ in kinds], len(kinds))
            if name == "factorial":
                arguments = word("%d" % self.random.randint(-1, 40), "argument")
        if name in ("generate_series", "repeat"):
            return self.bounded(name, kinds)
        quoted = '"%s"' % name if name in ("char", "substring", "overlay", "position", "left", "right", "overlaps", "timestamp", "time", "interval", "bit", "date", "xmlconcat", "float4", "varchar") else name
        return Tree("query", "SELECT * FROM pg_catalog.%s({}) AS x" % quoted if retset and self.random.random() < 0.5 else "SELECT pg_catalog.%s({})" % quoted, arguments)

    def bounded(self, name, kinds):
        if name == "repeat":
            return word("SELECT repeat('%s', %d)" % (self.pick(["", "ab", "é"]), self.random.randint(-1, 5)), "query")
        kind = self.pick(["int4", "int8", "numeric"])
        return word("SELECT generate_series(%d::%s, %d::%s, %d::%s)" % (self.random.randint(-3, 3), kind, self.random.randint(-3, 9), kind, self.random.randint(-2, 3), kind), "query")

    def aggregate(self, name, kinds):
        rows = []
        for _ in range(self.random.randint(0, 5)):
            rows.append(word("(%s)" % ", ".join("NULL::" + kind if self.random.random() < 0.15 else self.typed(kind) for kind in kinds), "row"))
        rows = rows or [word("(%s)" % ", ".join("NULL::" + kind for kind in kinds), "row")]
        names = ["c%d" % index for index in range(len(kinds))]
        over = self.pick(["", "", "", " FILTER (WHERE k > 1)", " OVER ()", " OVER (ORDER BY k)", " OVER (ORDER BY k ROWS 1 PRECEDING)"])
        order = " ORDER BY k" if "OVER" not in over and names else ""
        arguments = ", ".join(names) or "*"
        if arguments == "*":
            order = ""
        return Tree("query", "SELECT pg_catalog.%s(%s%s)%s FROM (SELECT row_number() OVER () AS k, * FROM (VALUES {}) AS v%s) AS w" % (
            name, arguments, order, over, " (%s)" % ", ".join(names) if names else ""), List("rows", ", ", rows if names else [word("(1)", "row")]))

    def typed(self, kind):
        text = self.pick(VALUES[kind]).replace("'", "''").replace("''''", "''")
        return "B'%s'" % text if kind == "bit" else "'%s'::%s" % (text, kind)

    def operator(self):
        name, kinds = self.pick(self.catalog.operators)
        kinds = self.resolved(kinds)
        if len(kinds) == 1:
            return Tree("query", "SELECT %s {}" % escape(name), self.value(kinds[0]))
        return Tree("query", "SELECT {} %s {}" % escape(name), self.value(kinds[0]), self.value(kinds[1]))

    def free_operator(self):
        """An operator over any two types: is there one, and which?"""
        name, kinds = self.pick(self.catalog.operators)
        return Tree("query", "SELECT {} %s {}" % escape(name), self.value(self.pick(self.types)), self.value(self.pick(self.types)))

    def cast(self):
        source, target = self.pick(self.types), self.pick(self.types)
        if self.random.random() < 0.2:
            target = self.pick(["varchar(3)", "bpchar(4)", "numeric(6,2)", "numeric(4,-2)", "bit(4)", "varbit(3)", "timestamp(2)", "timestamptz(0)", "time(1)", "interval day to hour",
                                "interval(1)", "interval year", "numeric(3)", "varchar(2)[]", "numeric(5,1)[]"])
        return Tree("query", "SELECT CAST({} AS %s)" % target, self.value(source))

    def text_cast(self):
        """Any text as any type: input syntax, and what its errors are."""
        kind = self.pick(self.types)
        texts = VALUES[self.pick(self.types)] if self.random.random() < 0.3 else VALUES[kind]
        text = self.pick(texts)
        for _ in range(self.random.randint(0, 2)):
            at = self.random.randint(0, len(text))
            text = text[:at] + self.pick(["", " ", "-", "1", "0", "9", "a", ".", ":", "e", "{", "}", ",", "\"", "+", "/", "Z", "\\"]) + text[at + self.random.randint(0, 1):]
        return word("SELECT '%s'::%s" % (text.replace("'", "''"), kind), "query")

    def statement(self):
        draw = self.random.random()
        if draw < 0.45:
            return self.call()
        if draw < 0.65:
            return self.operator()
        if draw < 0.75:
            return self.free_operator()
        if draw < 0.88:
            return self.cast()
        return self.text_cast()


def escape(operator):
    return operator.replace("{", "{{").replace("}", "}}")
