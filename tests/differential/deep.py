# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions deep in single types, over values at their edges: arrays, jsonb, times and zones, numbers, texts, bits.

A template is (the type it gives, its text); `{kind}` in the text is an argument of that type, another template's or a value.
Statements evaluate one expression for every row, so that both servers must meet the same errors (`strict`), or put such
expressions where plans look at them: conditions, keys of groups and windows, arguments of aggregates, keys of indexes.
"""
import re

from generate import NOTHING, Generator, List, Table, Tree, word
from routines import VALUES

TYPES = ("int4", "int8", "numeric", "float8", "text", "bool", "date", "time", "timestamp", "timestamptz", "interval", "jsonb", "json", "int4[]", "text[]", "numeric[]", "bytea", "varbit", "inet", "float4", "uuid")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "+03", "-05:30", "EST5EDT", "Pacific/Apia")
FIELDS = ("year", "month", "day", "hour", "minute", "second", "millisecond", "microsecond", "week", "quarter", "decade", "century", "millennium", "isoyear", "isodow", "dow", "doy", "epoch", "julian", "timezone",
          "timezone_hour", "timezone_minute")
FORMATS = ("YYYY-MM-DD HH24:MI:SS.US", "FMDay, FMDDth Month YYYY", "IYYY-IW-ID", "J Q WW DDD", "HH12:MI:SS a.m. TZ OF", "Y,YYY CC RM rm", "FMHH24h FMMIm SSSS", "DY Dy dy MON BC", "\"text\"MS US FF3 FF1", "TZH:TZM YYY YY Y")
NUMBER_FORMATS = ("999.99", "FM999990.000", "S9999", "9999MI", "PL9,999", "0000.0", "RN", "9.99EEEE", "$999D9", "999PR", "B9990", "999V99", "9 9 9th", "FM9G999G990D0")

NAMED = {"zone": ZONES, "interval_format": ("HH24:MI:SS.US", "YYYY MM DD", "FMHH24h FMMIm SSSS", "HH12 AM MS FF3", "Y,YYY YY CC"), "field": FIELDS, "format": FORMATS, "number_format": NUMBER_FORMATS, "small": ("-2", "-1", "0", "1", "2", "3", "5"), "cmp": ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"),
         "trunc": ("year", "month", "week", "day", "hour", "minute", "second", "quarter", "decade", "century", "millisecond"), "path": ("{a}", "{a,b}", "{0}", "{a,b,0}", "{-1}", "{}", "{1,x}"),
         "key": ("a", "b", "k", "0", "x", ""), "regex": ("[a-c]+", "(a)(b)?", "^.", "\\\\s", "é", "(\\\\w)(\\\\w)", "x*", "b|c", "a$", "[[:digit:]]"), "flags": ("", "g", "i", "gi"), "sign": ("+", "-"),
         "jsonpath": ("$", "$.a", "$[*]", "$.a.b[0]", "$[*] ? (@ > 1)", "$.**", "$.keyvalue()", "$[last]", "$.a.type()", "$[0 to 1]", "$.size()", "$.* ? (exists (@.b))", "$[*].double()", "$ ? (@ like_regex \"^x\")", "-$[*]",
                      "$[*] + 1", "strict $[0]", "lax $.a[*].k")}

TEMPLATES = [
    ("int4[]", "({int4[]} || {int4[]})"), ("int4[]", "({int4[]} || {int4})"), ("int4[]", "({int4} || {int4[]})"), ("int4[]", "array_remove({int4[]}, {int4})"), ("int4[]", "array_replace({int4[]}, {int4}, {int4})"),
    ("int4[]", "({int4[]})[<small>:<small>]"), ("int4[]", "({int4[]})[<small>:]"), ("int4[]", "array_cat({int4[]}, {int4[]})"), ("int4[]", "trim_array({int4[]}, <small>)"), ("int4[]", "array_positions({int4[]}, {int4})"),
    ("int4[]", "array_fill({int4}, ARRAY[<small>, 2])"), ("int4[]", "ARRAY(SELECT x + 1 FROM unnest({int4[]}) x ORDER BY 1)"), ("int4[]", "ARRAY(SELECT DISTINCT x FROM unnest({int4[]}) x ORDER BY 1 DESC)"), ("int4[]", "string_to_array(translate({text}, 'abcdexyzABCé日本語', ''), ',')::int4[]"),
    ("int4[]", "ARRAY[{int4}, {int4}]"), ("int4[]", "ARRAY[{int4[]}, {int4[]}]"), ("text[]", "string_to_array({text}, '<key>')"), ("text[]", "string_to_array({text}, NULL, 'a')"), ("text[]", "regexp_split_to_array({text}, '<regex>')"),
    ("text[]", "regexp_match({text}, '<regex>')"), ("text[]", "({text[]} || {text})"), ("text[]", "{int4[]}::text[]"), ("text[]", "array_agg_of({text[]})"), ("text[]", "ARRAY[{text}, {text}]"), ("text[]", "({text[]})[<small>:<small>]"),
    ("int4", "({int4[]})[<small>]"), ("int4", "array_length({int4[]}, <small>)"), ("int4", "array_lower({int4[]}, <small>)"), ("int4", "array_upper({int4[]}, 1)"), ("int4", "array_ndims({int4[]})"), ("int4", "cardinality({text[]})"),
    ("int4", "array_position({int4[]}, {int4})"), ("int4", "array_position({text[]}, {text}, <small>)"), ("int4", "({int4[]})[1][<small>]"), ("text", "array_dims({int4[]})"), ("text", "array_to_string({text[]}, '<key>')"),
    ("text", "array_to_string({int4[]}, ',', '<key>')"), ("text", "({text[]})[<small>]"), ("text", "{int4[]}::text"), ("text", "{text[]}::text"), ("text", "{numeric[]}::text"), ("bool", "({int4[]} @> {int4[]})"), ("bool", "({int4[]} && {int4[]})"),
    ("bool", "({int4[]} <cmp> {int4[]})"), ("bool", "({text[]} <cmp> {text[]})"), ("bool", "({numeric[]} <cmp> {numeric[]})"), ("bool", "({int4} <cmp> ANY ({int4[]}))".replace("<cmp>", "=")), ("bool", "({int4} > ALL ({int4[]}))"), ("bool", "({text} <> ALL ({text[]}))"),
    ("numeric", "(SELECT sum(x) FROM unnest({numeric[]}) x)"), ("jsonb", "to_jsonb({int4[]})"), ("jsonb", "to_jsonb({text[]})"), ("json", "array_to_json({int4[]}, true)"), ("json", "row_to_json(ROW({int4}, {text}, {numeric}))"),
    ("jsonb", "({jsonb} -> '<key>')"), ("jsonb", "({jsonb} -> <small>)"), ("text", "({jsonb} ->> '<key>')"), ("text", "({jsonb} ->> <small>)"), ("jsonb", "({jsonb} #> '<path>')"), ("text", "({jsonb} #>> '<path>')"), ("jsonb", "({jsonb} || {jsonb})"),
    ("jsonb", "({jsonb} - '<key>')"), ("jsonb", "({jsonb} - <small>)"), ("jsonb", "({jsonb} - {text[]})"), ("jsonb", "({jsonb} #- '<path>')"), ("jsonb", "jsonb_set({jsonb}, '<path>', {jsonb})"), ("jsonb", "jsonb_set({jsonb}, '<path>', {jsonb}, false)"),
    ("jsonb", "jsonb_insert({jsonb}, '<path>', {jsonb})"), ("jsonb", "jsonb_insert({jsonb}, '<path>', {jsonb}, true)"), ("jsonb", "jsonb_set_lax({jsonb}, '<path>', {jsonb}, true, 'delete_key')"), ("jsonb", "jsonb_strip_nulls({jsonb})"),
    ("jsonb", "jsonb_build_array({int4}, {text}, {timestamp}, {numeric})"), ("jsonb", "jsonb_build_object('a', {float8}, 'b', {interval}, 'c', {bool})"), ("jsonb", "to_jsonb({timestamptz})"), ("jsonb", "to_jsonb({date})"), ("jsonb", "to_jsonb({float8})"),
    ("jsonb", "jsonb_path_query_array({jsonb}, '<jsonpath>')"), ("jsonb", "jsonb_path_query_first({jsonb}, '<jsonpath>')"), ("bool", "jsonb_path_exists({jsonb}, '<jsonpath>')"), ("jsonb", "({jsonb})['a']"), ("jsonb", "({jsonb})[<small>]"), ("jsonb", "jsonb_object({text[]})"),
    ("text", "jsonb_typeof({jsonb})"), ("text", "jsonb_pretty({jsonb})"), ("text", "{jsonb}::text"), ("int4", "jsonb_array_length({jsonb})"), ("int4", "({jsonb})::int4"), ("numeric", "({jsonb} -> 0)::numeric"), ("bool", "({jsonb} @> {jsonb})"), ("bool", "({jsonb} <cmp> {jsonb})"),
    ("bool", "({jsonb} ? '<key>')"), ("bool", "({jsonb} ?| {text[]})"), ("bool", "({jsonb} ?& {text[]})"), ("text", "(SELECT string_agg(key || '=' || value::text, ';') FROM jsonb_each({jsonb}))"), ("text", "(SELECT string_agg(x, ',') FROM jsonb_array_elements_text({jsonb}) x)"),
    ("text", "(SELECT string_agg(x, ',') FROM jsonb_object_keys({jsonb}) x)"), ("text", "(SELECT string_agg(r::text, ',') FROM jsonb_to_recordset({jsonb}) r (a int4, b text))"), ("text", "({json} ->> '<key>')"), ("text", "({json} #>> '<path>')"), ("json", "({json} -> <small>)"), ("text", "json_typeof({json})"),
    ("jsonb", "{json}::jsonb"), ("json", "json_strip_nulls({json})"), ("json", "json_build_object({text}, {int4})"), ("json", "{jsonb}::json"), ("text", "{json}::text"),
    ("timestamp", "({timestamp} + {interval})"), ("timestamp", "({timestamp} - {interval})"), ("timestamptz", "({timestamptz} + {interval})"), ("timestamptz", "({timestamptz} - {interval})"), ("interval", "({timestamp} - {timestamp})"), ("interval", "({timestamptz} - {timestamptz})"),
    ("interval", "age({timestamp}, {timestamp})"), ("interval", "age({timestamptz}, {timestamptz})"), ("timestamp", "({timestamptz} AT TIME ZONE '<zone>')"), ("timestamptz", "({timestamp} AT TIME ZONE '<zone>')"), ("timestamptz", "date_trunc('<trunc>', {timestamptz}, '<zone>')"),
    ("timestamp", "date_trunc('<trunc>', {timestamp})"), ("interval", "date_trunc('<trunc>', {interval})"), ("numeric", "EXTRACT(<field> FROM {timestamp})"), ("numeric", "EXTRACT(<field> FROM {timestamptz})"), ("numeric", "EXTRACT(<field> FROM {interval})"), ("numeric", "EXTRACT(<field> FROM {date})"),
    ("numeric", "EXTRACT(<field> FROM {time})"), ("float8", "date_part('<field>', {timestamp})"), ("float8", "date_part('<field>', {interval})"), ("interval", "({interval} * {float8})"), ("interval", "({interval} / {float8})"), ("interval", "({interval} <sign> {interval})"), ("interval", "(- {interval})"),
    ("interval", "justify_interval({interval})"), ("interval", "justify_days({interval})"), ("interval", "justify_hours({interval})"), ("interval", "make_interval(hours => {int4} % 100, secs => 1.5)"), ("timestamp", "date_bin('15 minutes', {timestamp}, '2001-01-01')"),
    ("timestamp", "make_timestamp({int4}, 2, 29, 12, 30, 1.5)"), ("date", "make_date({int4}, <small>, 3)"), ("time", "make_time(<small>, 5, 59.999999)"), ("date", "({date} + {int4})"), ("int4", "({date} - {date})"), ("timestamp", "({date} + {time})"), ("timestamp", "({date} + {interval})"), ("time", "({time} + {interval})"),
    ("interval", "({time} - {time})"), ("time", "{timestamp}::time"), ("time", "{interval}::time"), ("interval", "{time}::interval"), ("date", "{timestamp}::date"), ("date", "{timestamptz}::date"), ("timestamptz", "{timestamp}::timestamptz"), ("timestamptz", "to_timestamp({float8})"),
    ("text", "to_char({timestamp}, '<format>')"), ("text", "to_char({timestamptz}, '<format>')"), ("text", "to_char({interval}, '<interval_format>')"), ("text", "{interval}::text"), ("text", "{timestamptz}::text"), ("text", "{timestamp}::text"), ("text", "{date}::text"), ("timestamp", "{timestamp}::timestamp(2)"),
    ("interval", "{interval}::interval(1)"), ("interval", "{interval}::interval day to minute"), ("bool", "({timestamp} <cmp> {timestamptz})"), ("bool", "({date} <cmp> {timestamp})"), ("bool", "({interval} <cmp> {interval})"), ("bool", "(({timestamp}, {timestamp}) OVERLAPS ({timestamp}, {interval}))"), ("bool", "isfinite({timestamp})"),
    ("numeric", "({numeric} + {numeric})"), ("numeric", "({numeric} * {numeric})"), ("numeric", "({numeric} / {numeric})"), ("numeric", "({numeric} % {numeric})"), ("numeric", "div({numeric}, {numeric})"), ("numeric", "mod({numeric}, {numeric})"), ("numeric", "power({numeric}, <small>)"), ("numeric", "sqrt({numeric})"),
    ("numeric", "ln({numeric})"), ("numeric", "log({numeric})"), ("numeric", "log(2, {numeric})"), ("numeric", "exp({numeric} % 10)"), ("numeric", "round({numeric}, <small>)"), ("numeric", "trunc({numeric}, <small>)"), ("numeric", "ceil({numeric})"), ("numeric", "floor({numeric})"), ("numeric", "abs({numeric})"),
    ("numeric", "sign({numeric})"), ("numeric", "trim_scale({numeric})"), ("int4", "scale({numeric})"), ("int4", "min_scale({numeric})"), ("numeric", "gcd({numeric}, {numeric})"), ("numeric", "lcm({numeric}, {numeric})"), ("numeric", "{numeric}::numeric(12,3)"), ("numeric", "{float8}::numeric"), ("numeric", "{text}::numeric"),
    ("numeric", "{int8}::numeric"), ("numeric", "({int8} * {numeric})"), ("numeric", "({numeric} ^ 0.5)"), ("int4", "width_bucket({numeric}, 0, 10, 5)"), ("int4", "width_bucket({float8}, -1, 10, 4)"), ("int4", "{numeric}::int4"), ("int8", "{numeric}::int8"), ("float8", "{numeric}::float8"), ("text", "to_char({numeric}, '<number_format>')"),
    ("text", "to_char({float8}, '<number_format>')"), ("text", "to_char({int8}, '<number_format>')"), ("text", "{numeric}::text"), ("text", "{float8}::text"), ("text", "{float4}::text"), ("bool", "({numeric} <cmp> {float8})"), ("bool", "({numeric} <cmp> {int8})"), ("bool", "({float4} <cmp> {float8})"), ("bool", "({int4} <cmp> {int8})"),
    ("float8", "({float8} + {float8})"), ("float8", "({float8} * {float8})"), ("float8", "({float8} / {float8})"), ("float8", "power({float8}, <small>)"), ("float8", "sqrt({float8})"), ("float8", "cbrt({float8})"), ("float8", "exp({float8})"), ("float8", "ln({float8})"), ("float8", "atan2({float8}, {float8})"), ("float8", "sin({float8})"),
    ("float8", "asin({float8})"), ("float8", "tanh({float8})"), ("float8", "degrees({float8})"), ("float8", "sind({float8})"), ("float8", "round({float8})"), ("float8", "trunc({float8})"), ("float8", "{float4}::float8"), ("float4", "{float8}::float4"), ("float4", "({float4} * {float4})"), ("int4", "{float8}::int4"), ("int8", "{float8}::int8"),
    ("int4", "({int4} + {int4})"), ("int4", "({int4} * {int4})"), ("int4", "({int4} / {int4})"), ("int4", "({int4} % {int4})"), ("int4", "abs({int4})"), ("int4", "(- {int4})"), ("int4", "({int4} << <small>)"), ("int4", "({int4} >> <small>)"), ("int4", "(~ {int4})"), ("int4", "gcd({int4}, {int4})"), ("int4", "lcm({int4}, {int4})"),
    ("int4", "{text}::int4"), ("int4", "{int8}::int4"), ("int8", "({int8} - {int8})"), ("int8", "({int4} * {int8})"), ("int8", "({int8} / {int4})"), ("int8", "({int8} << <small>)"), ("int8", "factorial(abs({int4}) % 20)::int8"), ("text", "to_hex({int4})"), ("int4", "bit_count({bytea})::int4"), ("int4", "bit_length({text})"),
    ("text", "format('%s|%5s|%-5s|%L', {text}, {int4}, {text}, {text})"), ("text", "format('%2$s %1$I', {text}, {date})"), ("text", "overlay({text} PLACING {text} FROM 2 FOR <small>)"), ("text", "translate({text}, 'abc', 'x')"), ("text", "regexp_replace({text}, '<regex>', '[\\\\1\\\\&]', '<flags>')"),
    ("text", "regexp_replace({text}, '<regex>', 'x', 1, <small>)"), ("text", "regexp_substr({text}, '<regex>')"), ("int4", "regexp_count({text}, '<regex>')"), ("int4", "regexp_instr({text}, '<regex>')"), ("bool", "regexp_like({text}, '<regex>')"), ("bool", "({text} ~ '<regex>')"), ("bool", "({text} SIMILAR TO '(a|b)%')"), ("bool", "({text} LIKE {text})"),
    ("text", "substring({text} FROM <small> FOR 2)"), ("text", "substring({text} FROM '<regex>')"), ("text", "substr({text}, <small>)"), ("int4", "position({text} IN {text})"), ("int4", "strpos({text}, {text})"), ("text", "split_part({text}, ' ', <small>)"), ("text", "lpad({text}, <small>, {text})"), ("text", "rpad({text}, 7, {text})"),
    ("text", "left({text}, <small>)"), ("text", "right({text}, <small>)"), ("text", "trim(BOTH {text} FROM {text})"), ("text", "ltrim({text}, 'a ')"), ("text", "initcap({text})"), ("text", "upper({text})"), ("text", "reverse({text})"), ("text", "quote_ident({text})"), ("text", "quote_nullable({text})"), ("text", "chr(ascii({text}))"),
    ("text", "encode({bytea}, 'base64')"), ("text", "encode({bytea}, 'escape')"), ("text", "encode({bytea}, 'hex')"), ("bytea", "decode({text}, 'hex')"), ("bytea", "decode({text}, 'base64')"), ("bytea", "convert_to({text}, 'UTF8')"), ("text", "convert_from({bytea}, 'UTF8')"), ("bytea", "({bytea} || {bytea})"), ("bytea", "substring({bytea} FROM <small> FOR 2)"),
    ("bytea", "set_byte({bytea}, <small>, 65)"), ("int4", "get_byte({bytea}, <small>)"), ("int4", "get_bit({bytea}, 3)"), ("bytea", "sha256({bytea})"), ("text", "md5({text})"), ("bytea", "overlay({bytea} PLACING {bytea} FROM 1)"), ("bytea", "trim({bytea} FROM {bytea})"), ("text", "{bytea}::text"), ("bytea", "{text}::bytea"),
    ("varbit", "({varbit} || {varbit})"), ("varbit", "(~ {varbit})"), ("varbit", "({varbit} & {varbit})"), ("varbit", "({varbit} << <small>)"), ("varbit", "substring({varbit} FROM <small> FOR 3)"), ("int4", "bit_count({varbit})::int4"), ("int4", "{varbit}::bit(8)::int4"), ("varbit", "{int4}::bit(8)::varbit"), ("bool", "({varbit} <cmp> {varbit})"),
    ("inet", "({inet} + {int4})"), ("int8", "({inet} - {inet})"), ("inet", "network({inet})::inet"), ("inet", "set_masklen({inet}, 8 * <small>)"), ("text", "host({inet})"), ("text", "abbrev({inet})"), ("bool", "({inet} << {inet})"), ("bool", "({inet} && {inet})"), ("bool", "({inet} <cmp> {inet})"), ("inet", "inet_merge({inet}, {inet})::inet"), ("inet", "({inet} & {inet})"),
    ("bool", "({text} <cmp> {text})"), ("bool", "({bool} AND {bool})"), ("bool", "({bool} OR {bool})"), ("bool", "(NOT {bool})"), ("bool", "(ROW({int4}, {text}, {numeric}) <cmp> ROW({int4}, {text}, {numeric}))"), ("bool", "({numeric} BETWEEN {numeric} AND {int8})"), ("bool", "({float8} IN ({float8}, {int4}, 0.5))"),
    ("text", "CASE WHEN {bool} THEN {text} END"), ("numeric", "COALESCE({numeric}, {int4})"), ("timestamptz", "GREATEST({timestamptz}, {timestamptz})"), ("numeric", "LEAST({numeric}, {int4}, {int8})"), ("int4", "NULLIF({int4}, {int4})"), ("text", "concat({text}, {int4}, {bool}, {timestamp})"), ("text", "concat_ws({text}, {numeric}, {text}, {date})"),
    ("uuid", "md5({text})::uuid"), ("bool", "({uuid} <cmp> {uuid})"), ("text", "pg_typeof(COALESCE({int4}, {int8}))::text"),
]
TEMPLATES = [entry for entry in TEMPLATES if "array_agg_of" not in entry[1]]
BY_KIND = {kind: [text for of, text in TEMPLATES if of == kind] for kind in TYPES}
COMPARABLE = tuple(kind for kind in TYPES if kind != "json")
SHORTCUT = re.compile(r"\b(CASE|AND|OR|COALESCE|SELECT|ROW|NULL|ANY|ALL|IN)\b")

AGGREGATES = [
    ("sum({numeric})"), ("avg({numeric})"), ("sum({float8})"), ("avg({int8})"), ("sum({interval})"), ("avg({interval})"), ("max({int4[]})"), ("min({inet})"), ("max({text})"), ("min({numeric})"), ("array_agg({int4} ORDER BY {int4}, k)"), ("array_agg({text[]} ORDER BY k) FILTER (WHERE false)"),
    ("jsonb_agg({jsonb} ORDER BY k)"), ("json_agg({timestamptz} ORDER BY k)"), ("jsonb_object_agg(k, {text})"), ("json_object_agg(k, {numeric} ORDER BY k DESC)"), ("string_agg({text}, {text} ORDER BY k)"), ("string_agg({bytea}, ',' ORDER BY k)"), ("bit_or({varbit}) FILTER (WHERE k = 2)"), ("bool_and({bool})"),
    ("count(DISTINCT {jsonb})"), ("count(DISTINCT {numeric})"), ("count(DISTINCT {interval})"), ("count(DISTINCT {int4[]})"), ("stddev_samp({int4})"), ("var_pop({int8})"), ("percentile_cont(0.3) WITHIN GROUP (ORDER BY {interval})"), ("percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY {int4})"),
    ("percentile_cont(ARRAY[0, 0.5]) WITHIN GROUP (ORDER BY {int4}::float8)"), ("mode() WITHIN GROUP (ORDER BY {int4})"), ("rank({int4}) WITHIN GROUP (ORDER BY {int4} DESC)".replace("rank({int4})", "rank(5)")), ("cume_dist(5) WITHIN GROUP (ORDER BY {int4})"), ("regr_count({int4}, {int4})"),
]
WINDOWS = ["row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", "ntile(3)", "lag({numeric}, <small>, 0)", "lead({text})", "first_value({jsonb})", "last_value({timestamptz})", "nth_value({int4[]}, 2)", "sum({numeric})", "avg({interval})", "count({text})", "array_agg({int4})",
           "string_agg({text}, ',')", "max({timestamp})", "min({inet})", "jsonb_agg({int4})", "bool_or({bool})", "sum({int4})", "count(*) FILTER (WHERE {bool})"]
FRAMES = ["", "", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING EXCLUDE CURRENT ROW", " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES", " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP",
          " ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING", " GROUPS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING", " ROWS UNBOUNDED PRECEDING"]


class Deep(Generator):
    """One table of values at the edges of every type, and its like with indexes."""

    def schema(self):
        columns = [("k", "int4")] + [("c%d" % index, kind) for index, kind in enumerate(TYPES)]
        statements = []
        for name in ("e", "f"):
            rows = []
            for key in range(self.random.randint(6, 14)):
                rows.append("(%s)" % ", ".join([str(key)] + ["NULL" if self.chance(0.12) else self.value(kind) for _, kind in columns[1:]]))
            statements.append("CREATE TABLE %s (%s)" % (name, ", ".join("%s %s%s" % (column, kind, " PRIMARY KEY" if column == "k" else "") for column, kind in columns)))
            statements.append("INSERT INTO %s VALUES %s" % (name, ", ".join(rows)))
            self.tables.append(Table(name, columns))
        statements += ["CREATE INDEX ON f (c%d)" % TYPES.index(self.pick(COMPARABLE)) for _ in range(3)]
        return statements

    def value(self, kind):
        choices = [text for text in VALUES[kind] if text != "it''s" and "294276" not in text and "178000000" not in text and "infinity" not in text and '"a": 2' not in text]
        return "'%s'::%s" % (self.pick(choices).replace("'", "''").replace("''''", "''"), kind)

    def leaf(self, kind, scope):
        if scope and self.chance(0.85):
            return word(self.pick([name for name, of in scope if of == kind]), kind)
        return word("NULL::" + kind if self.chance(0.06) else self.value(kind), kind)

    def deep(self, kind, scope, depth):
        if depth <= 0 or self.chance(0.15):
            return self.leaf(kind, scope)
        return self.filled(kind, self.pick(BY_KIND[kind]) if BY_KIND[kind] else "{%s}" % kind, scope, depth)

    def filled(self, kind, text, scope, depth):
        """The template's `<names>` drawn, its `{kinds}` made."""
        text = re.sub(r"<(\w+)>", lambda found: self.pick(NAMED[found.group(1)]), text)
        children, out = [], []
        for part in re.split(r"(\{[a-z0-9\[\]]+\})", text):
            if part[1:-1] in TYPES and part[:1] == "{":
                children.append(self.deep(part[1:-1], scope, depth - 1))
                out.append("{}")
            else:
                out.append(part.replace("{", "{{").replace("}", "}}"))
        return Tree(kind, "".join(out), *children)

    def scope(self, alias):
        return [(alias + "." + name, kind) for name, kind in self.tables[0].columns]

    def statement(self, number):
        draw, table, kind = self.random.random(), self.pick("ef"), self.pick(TYPES)
        scope = self.scope("t")
        if draw < 0.3:
            return self.strict(Tree("query", "SELECT {}", self.deep(kind, [], 3)))
        if draw < 0.6:
            return self.strict(Tree("query", "SELECT t.k, {} FROM %s t ORDER BY 1" % table, self.deep(kind, scope, 3)))
        if draw < 0.68:
            return Tree("query", "SELECT t.k FROM %s t WHERE {}" % table, self.deep("bool", scope, 3))
        if draw < 0.76:
            items = List("items", ", ", [self.filled("item", self.pick(AGGREGATES).replace("k)", "t.k)").replace("ORDER BY k", "ORDER BY t.k").replace("(k,", "(t.k,").replace(", k", ", t.k").replace("WHERE k", "WHERE t.k"), scope, 2) for _ in range(2)])
            group = Tree("group", " GROUP BY {}", self.deep(self.pick(("int4", "text", "bool", "date", "numeric")), scope, 1)) if self.chance(0.4) else NOTHING
            return Tree("query", "SELECT {} FROM %s t{}" % table, items, group, optional=[1])
        if draw < 0.84:
            order = self.pick(COMPARABLE)
            over = Tree("over", "({}ORDER BY {}%s, t.k%s)" % (self.pick(["", " DESC", " NULLS FIRST"]), self.pick(FRAMES)),
                        Tree("partition", "PARTITION BY {} ", self.deep(self.pick(("bool", "int4", "text")), scope, 1)) if self.chance(0.4) else NOTHING, self.deep(order, scope, 1), optional=[0])
            return Tree("query", "SELECT t.k, {} OVER {} FROM %s t" % table, self.filled("item", self.pick(WINDOWS), scope, 2), over)
        if draw < 0.9:
            of = self.pick(COMPARABLE)
            join = self.pick(["JOIN", "LEFT JOIN", "FULL JOIN"])
            return Tree("query", "SELECT t.k, u.k FROM e t %s f u ON {} = {}" % join, self.deep(of, scope, 1), self.deep(of, self.scope("u"), 1))
        if draw < 0.94:
            of = self.pick(COMPARABLE)
            return Tree("query", "SELECT {}, count(*) FROM e t GROUP BY 1 %s SELECT {}, 1 FROM f t" % self.pick(["UNION", "INTERSECT", "EXCEPT", "UNION ALL"]), self.deep(of, scope, 1), self.deep(of, scope, 1))
        if draw < 0.97:
            of = self.pick(COMPARABLE)
            return Tree("query", "WITH RECURSIVE w (n, x) AS (SELECT 1, {} UNION ALL SELECT n + 1, {} FROM w WHERE n < %d) SELECT * FROM w" % self.random.randint(2, 5), self.deep(of, [], 1), self.deep(of, [("w.x", of)] + [("NULL::" + kind, kind) for kind in TYPES if kind != of], 2))
        column = self.pick([name for name, of in self.tables[0].columns if of == kind])
        return Tree("change", "UPDATE %s t SET %s = {} WHERE t.k = %d RETURNING t.%s" % (table, column, self.random.randint(0, 8), column), self.deep(kind, scope, 2))

    @staticmethod
    def strict(tree):
        """Nothing in it may go unevaluated: an error is an error on both sides."""
        tree.strict = not SHORTCUT.search(tree.sql()[6:])
        return tree
