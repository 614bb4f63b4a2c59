// SPDX-License-Identifier: GPL-3.0-or-later
//
// Types: text forms, casts, order, key and value encodings. Expected texts are PostgreSQL 15's.
#include "tests/unit/sql/call.h"

#include <stdio.h>

// "varchar(3)" -> the type with its modifier.
static struct type parse_type(struct arena *arena, const char *text)
{
    struct type type = TYPE_OF(0);
    const char *open = strchr(text, '(');
    char *name = arena_strdup(arena, text);
    bool array = strlen(text) > 2 && strcmp(text + strlen(text) - 2, "[]") == 0;
    if (open != NULL) name[open - text] = 0;
    const struct type_info *info = type_by_name(name[0] == '"' ? "char" : name);
    cr_assert_not_null(info, "type %s", text);
    type.oid = info->oid;
    if (open == NULL) return type;
    int32_t modifiers[3] = {0x7fff}; // An interval's come after its mask of fields.
    int skip = type.oid == TYPE_INTERVAL;
    int count = skip + sscanf(open, "(%d,%d)", &modifiers[skip], &modifiers[skip + 1]);
    struct status st =
        type_make_typmod(arena, type.oid, modifiers, (uint32_t)count, &type.typmod);
    cr_assert(!failed(st), "%s: %s", text, st.message);
    if (array) type.oid = type_array_of(type.oid);
    return type;
}

// What a value's text form becomes when read and printed again.
Test(types, text_forms_are_postgresqls)
{
    static const struct {
        const char *type, *in, *out;
    } rows[] = {
        {"bool", "tr", "t"},
        {"bool", " YES ", "t"},
        {"bool", "of", "f"},
        {"bool", "o", "22P02 invalid input syntax for type boolean: \"o\""},
        {"bool", "1", "t"},
        {"bool", "2", "22P02 invalid input syntax for type boolean: \"2\""},
        {"int2", "32767", "32767"},
        {"int2", "32768", "22003 value \"32768\" is out of range for type smallint"},
        {"int4", " -2147483648 ", "-2147483648"},
        {"int4", "2147483648", "22003 value \"2147483648\" is out of range for type integer"},
        {"int4", "abc", "22P02 invalid input syntax for type integer: \"abc\""},
        {"int4", "", "22P02 invalid input syntax for type integer: \"\""},
        {"int4", "1.5", "22P02 invalid input syntax for type integer: \"1.5\""},
        {"int4", "+7", "7"},
        {"int8", "9223372036854775807", "9223372036854775807"},
        {"int8", "9223372036854775808", "22003 value \"9223372036854775808\" is out of range for type bigint"},
        {"oid", "4294967295", "4294967295"},
        {"oid", "-1", "4294967295"},
        {"oid", "4294967296", "22003 value \"4294967296\" is out of range for type oid"},
        {"float8", "0.1", "0.1"},
        {"float8", "1e15", "1e+15"},
        {"float8", "123456789012345680", "1.2345678901234568e+17"},
        {"float8", "100000000000000", "100000000000000"},
        {"float8", "1e-5", "1e-05"},
        {"float8", "0.0001", "0.0001"},
        {"float8", "1.7976931348623157e308", "1.7976931348623157e+308"},
        {"float8", "1e400", "22003 \"1e400\" is out of range for type double precision"},
        {"float8", "1e-400", "22003 \"1e-400\" is out of range for type double precision"},
        {"float8", "5e-324", "5e-324"},
        {"float8", "5.684341886080802e-14", "5.684341886080802e-14"},
        {"float8", "9007199254740993", "9.007199254740992e+15"},
        {"float8", "-0", "-0"},
        {"float8", "nan", "NaN"},
        {"float8", "-inf", "-Infinity"},
        {"float8", "Infinity", "Infinity"},
        {"float8", "1x", "22P02 invalid input syntax for type double precision: \"1x\""},
        {"float8", "", "22P02 invalid input syntax for type double precision: \"\""},
        {"float8", "0.3", "0.3"},
        {"float8", "2.2250738585072014e-308", "2.2250738585072014e-308"},
        {"float4", "0.1", "0.1"},
        {"float4", "16777217", "1.6777216e+07"},
        {"float4", "1000000", "1e+06"},
        {"float4", "999999", "999999"},
        {"float4", "1e40", "22003 \"1e40\" is out of range for type real"},
        {"float4", "3.4028235e38", "3.4028235e+38"},
        {"float4", "1.1754944e-38", "1.1754944e-38"},
        {"float4", "abc", "22P02 invalid input syntax for type real: \"abc\""},
        {"text", "hé", "hé"},
        {"varchar(3)", "abcd", "abc"},
        {"varchar(3)", "abc  ", "abc"},
        {"bpchar(5)", "ab", "ab   "},
        {"bpchar(2)", "abc", "ab"},
        {"bpchar(2)", "ab   ", "ab"},
        {"name", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"},
        {"bytea", "\\x0aFf", "\\x0aff"},
        {"bytea", "\\x0a F", "22023 invalid hexadecimal data: odd number of digits"},
        {"bytea", "\\xzz", "22023 invalid hexadecimal digit: \"z\""},
        {"bytea", "a\\\\b\\001", "\\x615c6201"},
        {"bytea", "a\\b", "22P02 invalid input syntax for type bytea"},
        {"uuid", "{A0EEBC99-9C0B4EF8-BB6D6BB9-BD380A11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"uuid", "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"uuid", "a0eebc999c0b4ef8bb6d6bb9bd380a1", "22P02 invalid input syntax for type uuid: \"a0eebc999c0b4ef8bb6d6bb9bd380a1\""},
        {"tid", "(1,2)", "(1,2)"},
        {"tid", "(1)", "22P02 invalid input syntax for type tid: \"(1)\""},
        {"pg_lsn", "16/B374D848", "16/B374D848"},
        {"pg_lsn", "16B374D848", "22P02 invalid input syntax for type pg_lsn: \"16B374D848\""},
        {"\"char\"", "abc", "a"},
        {"int4[]", "{1,2,NULL}", "{1,2,NULL}"},
        {"int4[]", "{ 1 , 2 }", "{1,2}"},
        {"int4[]", "{{1,2},{3,4}}", "{{1,2},{3,4}}"},
        {"int4[]", "{{1,2},{3}}", "22P02 malformed array literal: \"{{1,2},{3}}\""},
        {"int4[]", "[0:1]={5,6}", "[0:1]={5,6}"},
        {"int4[]", "[0:2]={5,6}", "22P02 malformed array literal: \"[0:2]={5,6}\""},
        {"int4[]", "{}", "{}"},
        {"int4[]", "{1,x}", "22P02 invalid input syntax for type integer: \"x\""},
        {"int4[]", "1,2", "22P02 malformed array literal: \"1,2\""},
        {"int4[]", "{1,2", "22P02 malformed array literal: \"{1,2\""},
        {"int4[]", "{1,2}}", "22P02 malformed array literal: \"{1,2}}\""},
        {"int4[]", "{1,,2}", "22P02 malformed array literal: \"{1,,2}\""},
        {"text[]", "{a,\"b c\",\"d\\\"e\",null,\"NULL\",\"\"}", "{a,\"b c\",\"d\\\"e\",NULL,\"NULL\",\"\"}"},
        {"text[]", "{a b , c}", "{\"a b\",c}"},
        {"text[]", "{\"a\"b}", "22P02 malformed array literal: \"{\"a\"b}\""},
        {"text[]", "{a\\,b}", "{\"a,b\"}"},
        {"bool[]", "{t,f,NULL}", "{t,f,NULL}"},
        {"int2vector", "1 2 3", "1 2 3"},
        {"oidvector", "10 20", "10 20"},
        {"int4[]", "{1,2,}", "22P02 malformed array literal: \"{1,2,}\""},
        {"text[]", "{{a},{b}}", "{{a},{b}}"},
        {"float8[]", "{0.1,NaN}", "{0.1,NaN}"},
        {"numeric", "1.50", "1.50"},
        {"numeric", "-0", "0"},
        {"numeric", "-0.00", "0.00"},
        {"numeric", ".5", "0.5"},
        {"numeric", "5.", "5"},
        {"numeric", "1e3", "1000"},
        {"numeric", "1.5e-3", "0.0015"},
        {"numeric", "1E+2", "100"},
        {"numeric", "1.23e1", "12.3"},
        {"numeric", " nan ", "NaN"},
        {"numeric", "-inf", "-Infinity"},
        {"numeric", "+Infinity", "Infinity"},
        {"numeric", "", "22P02 invalid input syntax for type numeric: \"\""},
        {"numeric", ".", "22P02 invalid input syntax for type numeric: \".\""},
        {"numeric", "1.2.3", "22P02 invalid input syntax for type numeric: \"1.2.3\""},
        {"numeric", "1e", "22P02 invalid input syntax for type numeric: \"1e\""},
        {"numeric", "0x10", "22P02 invalid input syntax for type numeric: \"0x10\""},
        {"numeric", "12345678901234567890123456789012345678901234567890.123456789", "12345678901234567890123456789012345678901234567890.123456789"},
        {"numeric", "1e200000", "22003 value overflows numeric format"},
        {"numeric", "1e-20000", "22003 value overflows numeric format"},
        {"numeric", "0.00000000000000000000000000000000000000000000000001", "0.00000000000000000000000000000000000000000000000001"},
        {"numeric", "00012.300", "12.300"},
        {"numeric(5,2)", "123.456", "123.46"},
        {"numeric(5,2)", "999.995", "22003 numeric field overflow"},
        {"numeric(5,2)", "1000", "22003 numeric field overflow"},
        {"numeric(5,2)", "NaN", "NaN"},
        {"numeric(5,2)", "Infinity", "22003 numeric field overflow"},
        {"numeric(3,0)", "999.4", "999"},
        {"numeric(2,-2)", "1250", "1300"},
        {"numeric(3,5)", "0.00999", "0.00999"},
        {"numeric(3,5)", "0.01", "22003 numeric field overflow"},
        {"numeric[]", "{1.5,NULL,2e3}", "{1.5,NULL,2000}"},
        {"date", "2026-01-31", "2026-01-31"},
        {"date", "1999-01-08", "1999-01-08"},
        {"date", "January 8, 1999", "1999-01-08"},
        {"date", "1/8/1999", "1999-01-08"},
        {"date", "1/18/1999", "1999-01-18"},
        {"date", "18/1/1999", "22008 date/time field value out of range: \"18/1/1999\""},
        {"date", "01/02/03", "2003-01-02"},
        {"date", "1999-Jan-08", "1999-01-08"},
        {"date", "Jan-08-1999", "1999-01-08"},
        {"date", "08-Jan-1999", "1999-01-08"},
        {"date", "99-Jan-08", "22008 date/time field value out of range: \"99-Jan-08\""},
        {"date", "08-Jan-99", "1999-01-08"},
        {"date", "19990108", "1999-01-08"},
        {"date", "990108", "1999-01-08"},
        {"date", "1999.008", "1999-01-08"},
        {"date", "J2451187", "1999-01-08"},
        {"date", "January 8, 99 BC", "0099-01-08 BC"},
        {"date", "2026-02-29", "22008 date/time field value out of range: \"2026-02-29\""},
        {"date", "2026-13-01", "22008 date/time field value out of range: \"2026-13-01\""},
        {"date", "2026-00-10", "22008 date/time field value out of range: \"2026-00-10\""},
        {"date", "abc", "22007 invalid input syntax for type date: \"abc\""},
        {"date", "", "22007 invalid input syntax for type date: \"\""},
        {"date", "infinity", "infinity"},
        {"date", "-infinity", "-infinity"},
        {"date", "epoch", "1970-01-01"},
        {"date", "5874898-01-01", "22008 date out of range: \"5874898-01-01\""},
        {"date", "5874897-12-31", "5874897-12-31"},
        {"date", "4714-11-24 BC", "4714-11-24 BC"},
        {"date", "4714-11-23 BC", "22008 date out of range: \"4714-11-23 BC\""},
        {"date", "2026-01-31 12:34:56", "2026-01-31"},
        {"date", "0000-01-01", "22008 date/time field value out of range: \"0000-01-01\""},
        {"date", "2026-1-5", "2026-01-05"},
        {"date", "10000-01-01", "10000-01-01"},
        {"time", "04:05:06.789", "04:05:06.789"},
        {"time", "04:05", "04:05:00"},
        {"time", "040506", "04:05:06"},
        {"time", "0405", "04:05:00"},
        {"time", "04:05 AM", "04:05:00"},
        {"time", "04:05 PM", "16:05:00"},
        {"time", "12:00 AM", "00:00:00"},
        {"time", "13:00 PM", "22008 date/time field value out of range: \"13:00 PM\""},
        {"time", "24:00:00", "24:00:00"},
        {"time", "24:00:01", "22008 date/time field value out of range: \"24:00:01\""},
        {"time", "25:00", "22008 date/time field value out of range: \"25:00\""},
        {"time", "04:60", "22008 date/time field value out of range: \"04:60\""},
        {"time", "04:05:06.7895554", "04:05:06.789555"},
        {"time", "04:05:06-08", "04:05:06"},
        {"time", "2001-02-03 04:05:06", "04:05:06"},
        {"time", "allballs", "00:00:00"},
        {"time", "abc", "22007 invalid input syntax for type time: \"abc\""},
        {"time(2)", "04:05:06.789", "04:05:06.79"},
        {"timetz", "04:05:06-08", "04:05:06-08"},
        {"timetz", "04:05:06.5+05:30", "04:05:06.5+05:30"},
        {"timetz", "040506+0730", "04:05:06+07:30"},
        {"timetz", "04:05:06 PST", "04:05:06-08"},
        {"timetz", "04:05:06", "04:05:06+00"},
        {"timetz", "2003-04-12 04:05:06 America/New_York", "04:05:06-04"},
        {"timetz", "04:05:06+16", "22009 time zone displacement out of range: \"04:05:06+16\""},
        {"timestamp", "2026-01-31 12:34:56", "2026-01-31 12:34:56"},
        {"timestamp", "2026-01-31T12:34:56.789", "2026-01-31 12:34:56.789"},
        {"timestamp", "2026-01-31 12:34:56.1234567", "2026-01-31 12:34:56.123457"},
        {"timestamp", "2026-01-31 12:34:56+02", "2026-01-31 12:34:56"},
        {"timestamp", "20260131T123456", "2026-01-31 12:34:56"},
        {"timestamp", "20260131 123456", "2026-01-31 12:34:56"},
        {"timestamp", "2026-01-31 24:00:00", "2026-02-01 00:00:00"},
        {"timestamp", "2026-01-31 23:59:60", "2026-02-01 00:00:00"},
        {"timestamp", "Jan 8 1999 04:05:06", "1999-01-08 04:05:06"},
        {"timestamp", "Mon Jan 8 04:05:06 1999", "1999-01-08 04:05:06"},
        {"timestamp", "1999-01-08 04:05:06 BC", "1999-01-08 04:05:06 BC"},
        {"timestamp", "infinity", "infinity"},
        {"timestamp", "-infinity", "-infinity"},
        {"timestamp", "epoch", "1970-01-01 00:00:00"},
        {"timestamp", "294277-01-01", "22008 timestamp out of range: \"294277-01-01\""},
        {"timestamp", "294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999"},
        {"timestamp", "4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC"},
        {"timestamp", "2026-01-31 25:00:00", "22008 date/time field value out of range: \"2026-01-31 25:00:00\""},
        {"timestamp", "2026-02-30", "22008 date/time field value out of range: \"2026-02-30\""},
        {"timestamp", "12:34:56", "22007 invalid input syntax for type timestamp: \"12:34:56\""},
        {"timestamp", "now now", "22007 invalid input syntax for type timestamp: \"now now\""},
        {"timestamp", "xyz", "22007 invalid input syntax for type timestamp: \"xyz\""},
        {"timestamp", "2026-01-31 12:34:56 PM", "2026-01-31 12:34:56"},
        {"timestamp", "2026-01-31 02:34:56 PM", "2026-01-31 14:34:56"},
        {"timestamp", "31.12.1999 23:59", "22008 date/time field value out of range: \"31.12.1999 23:59\""},
        {"timestamp(0)", "2026-01-31 12:34:56.5", "2026-01-31 12:34:57"},
        {"timestamp(3)", "2026-01-31 12:34:56.123456", "2026-01-31 12:34:56.123"},
        {"timestamptz", "2026-01-31 12:34:56+02", "2026-01-31 10:34:56+00"},
        {"timestamptz", "2026-01-31 12:34:56Z", "2026-01-31 12:34:56+00"},
        {"timestamptz", "2026-01-31T12:34:56-05:30", "2026-01-31 18:04:56+00"},
        {"timestamptz", "2026-01-31 12:34:56 America/New_York", "2026-01-31 17:34:56+00"},
        {"timestamptz", "2026-07-31 12:34:56 America/New_York", "2026-07-31 16:34:56+00"},
        {"timestamptz", "2026-07-31 12:34:56 PST", "2026-07-31 20:34:56+00"},
        {"timestamptz", "2026-07-31 12:34:56 Europe/Berlin", "2026-07-31 10:34:56+00"},
        {"timestamptz", "2050-07-31 12:34:56 Europe/Berlin", "2050-07-31 10:34:56+00"},
        {"timestamptz", "2100-01-31 12:34:56 Australia/Sydney", "2100-01-31 01:34:56+00"},
        {"timestamptz", "2026-03-29 02:30:00 Europe/Berlin", "2026-03-29 01:30:00+00"},
        {"timestamptz", "2026-10-25 02:30:00 Europe/Berlin", "2026-10-25 01:30:00+00"},
        {"timestamptz", "1900-01-01 00:00:00 Europe/Berlin", "1899-12-31 23:00:00+00"},
        {"timestamptz", "2026-07-31 12:34:56 Nowhere/Land", "22023 time zone \"nowhere/land\" not recognized"},
        {"timestamptz", "2026-07-31 12:34:56 xyz", "22007 invalid input syntax for type timestamp with time zone: \"2026-07-31 12:34:56 xyz\""},
        {"timestamptz", "2026-07-31 12:34:56+16", "22009 time zone displacement out of range: \"2026-07-31 12:34:56+16\""},
        {"timestamptz", "2026-07-31 12:34:56+05:30:15", "2026-07-31 07:04:41+00"},
        {"timestamptz", "2026-07-31 12:34:56 UTC", "2026-07-31 12:34:56+00"},
        {"timestamptz", "2026-07-31 12:34:56 z", "2026-07-31 12:34:56+00"},
        {"timestamptz", "2026-01-31", "2026-01-31 00:00:00+00"},
        {"timestamptz", "2026-01-31 12:34 zulu", "2026-01-31 12:34:00+00"},
        {"interval", "1 day", "1 day"},
        {"interval", "1 year 2 months 3 days 4 hours 5 minutes 6 seconds", "1 year 2 mons 3 days 04:05:06"},
        {"interval", "1-2 3 4:05:06", "1 year 2 mons 3 days 04:05:06"},
        {"interval", "P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"},
        {"interval", "P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"},
        {"interval", "-1 day +02:03", "-1 days +02:03:00"},
        {"interval", "1 day -02:03", "1 day -02:03:00"},
        {"interval", "@ 1 minute ago", "-00:01:00"},
        {"interval", "1 week", "7 days"},
        {"interval", "1.5 days", "1 day 12:00:00"},
        {"interval", "1.5 months", "1 mon 15 days"},
        {"interval", "1.5 years", "1 year 6 mons"},
        {"interval", "2 decades", "20 years"},
        {"interval", "1 century", "100 years"},
        {"interval", "100", "00:01:40"},
        {"interval", "1.5", "00:00:01.5"},
        {"interval", "04:05", "04:05:00"},
        {"interval", "04:05:06.789", "04:05:06.789"},
        {"interval", "100:00:00", "100:00:00"},
        {"interval", "-04:05", "-04:05:00"},
        {"interval", "1y 2mon", "1 year 2 mons"},
        {"interval", "3 h 4 m 5 s", "03:04:05"},
        {"interval", "250 ms", "00:00:00.25"},
        {"interval", "7 us", "00:00:00.000007"},
        {"interval", "1 mon -1 days", "1 mon -1 days"},
        {"interval", "-1 mon", "-1 mons"},
        {"interval", "-1 year -1 mon", "-1 years -1 mons"},
        {"interval", "1 day 2 day", "22007 invalid input syntax for type interval: \"1 day 2 day\""},
        {"interval", "abc", "22007 invalid input syntax for type interval: \"abc\""},
        {"interval", "", "22007 invalid input syntax for type interval: \"\""},
        {"interval", "1 fortnight", "22007 invalid input syntax for type interval: \"1 fortnight\""},
        {"interval", "3000000000 days", "22015 interval field value out of range: \"3000000000 days\""},
        {"interval", "200000000 years", "22008 interval out of range"},
        {"interval", "1 day 1", "1 day 00:00:01"},
        {"interval", "0", "00:00:00"},
        {"interval", "-0.5 seconds", "-00:00:00.5"},
        {"interval", "PT0S", "00:00:00"},
        {"interval", "PT1.5S", "00:00:01.5"},
        {"interval", "P1W", "7 days"},
        {"interval", "P", "22007 invalid input syntax for type interval: \"P\""},
        {"interval", "P1", "1 year"},
        {"interval", "14 mons -32 days -25:00:00.5", "1 year 2 mons -32 days -25:00:00.5"},
        {"interval", "0.1 months", "3 days"},
        {"interval", "1.75 weeks", "12 days 06:00:00"},
        {"interval(0)", "1.5 seconds", "00:00:02"},
        {"date[]", "{2026-01-01,NULL}", "{2026-01-01,NULL}"},
        {"timestamp[]", "{\"2026-01-01 00:00:00\"}", "{\"2026-01-01 00:00:00\"}"},
        {"json", "{\"b\": 1, \"a\" : [1,2 , {\"x\":null}], \"b\":2}", "{\"b\": 1, \"a\" : [1,2 , {\"x\":null}], \"b\":2}"},
        {"json", " \"abc\" ", " \"abc\" "},
        {"json", "tru", "22P02 invalid input syntax for type json"},
        {"json", "{\"a\":1,}", "22P02 invalid input syntax for type json"},
        {"json", "[1,2", "22P02 invalid input syntax for type json"},
        {"json", "{\"a\" 1}", "22P02 invalid input syntax for type json"},
        {"json", "[1 2]", "22P02 invalid input syntax for type json"},
        {"json", "01", "22P02 invalid input syntax for type json"},
        {"json", "-", "22P02 invalid input syntax for type json"},
        {"json", "1.", "22P02 invalid input syntax for type json"},
        {"json", "1e5", "1e5"},
        {"json", "\"a\\u00e9\\n\\x\"", "22P02 invalid input syntax for type json"},
        {"json", "\"a", "22P02 invalid input syntax for type json"},
        {"json", "{1:2}", "22P02 invalid input syntax for type json"},
        {"json", "", "22P02 invalid input syntax for type json"},
        {"json", "nulll", "22P02 invalid input syntax for type json"},
        {"json", "[1,]", "22P02 invalid input syntax for type json"},
        {"json", "\"\\u0000\"", "\"\\u0000\""},
        {"jsonb", "{\"b\": 1, \"a\" : [1,2 , {\"x\":null}], \"b\":2}", "{\"a\": [1, 2, {\"x\": null}], \"b\": 2}"},
        {"jsonb", "{\"bb\":1,\"a\":2,\"ab\":3,\"c\":4}", "{\"a\": 2, \"c\": 4, \"ab\": 3, \"bb\": 1}"},
        {"jsonb", "\"a\\u00e9\\n\\t\\\"\\\\/ \\u0001\"", "\"aé\\n\\t\\\"\\\\/ \\u0001\""},
        {"jsonb", "\"\\ud83d\\ude00\"", "\"😀\""},
        {"jsonb", "\"\\ud83d\"", "22P02 invalid input syntax for type json"},
        {"jsonb", "\"\\u0000\"", "22P05 unsupported Unicode escape sequence"},
        {"jsonb", "1.50", "1.50"},
        {"jsonb", "1e3", "1000"},
        {"jsonb", "-0", "0"},
        {"jsonb", "12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"},
        {"jsonb", "[]", "[]"},
        {"jsonb", "{}", "{}"},
        {"jsonb", "[[[]],{}]", "[[[]], {}]"},
        {"jsonb", "true", "true"},
        {"jsonb", "false", "false"},
        {"jsonb", "null", "null"},
        {"jsonb", "{\"a\":{\"b\":{\"c\":[1,2,3]}}}", "{\"a\": {\"b\": {\"c\": [1, 2, 3]}}}"},
        {"jsonb", "{\"a\":1} x", "22P02 invalid input syntax for type json"},
        {"jsonb[]", "{\"{\\\"a\\\": 1}\",NULL}", "{\"{\\\"a\\\": 1}\",NULL}"},
        {"bit(4)", "1010", "1010"},
        {"bit(4)", "xF", "1111"},
        {"bit(4)", "10102", "22P02 \"2\" is not a valid binary digit"},
        {"varbit", "10101", "10101"},
        {"varbit(3)", "10101", "101"},
        {"varbit", "", ""},
        {"inet", "192.168.1.5", "192.168.1.5"},
        {"inet", "192.168.1.5/24", "192.168.1.5/24"},
        {"inet", "::1", "::1"},
        {"inet", "2001:db8::1/64", "2001:db8::1/64"},
        {"inet", "300.1.1.1", "22P02 invalid input syntax for type inet: \"300.1.1.1\""},
        {"inet", "10.1", "22P02 invalid input syntax for type inet: \"10.1\""},
        {"inet", "1.2.3.4/33", "22P02 invalid input syntax for type inet: \"1.2.3.4/33\""},
        {"cidr", "10.1.0.0/16", "10.1.0.0/16"},
        {"cidr", "10.1/16", "10.1.0.0/16"},
        {"cidr", "10", "10.0.0.0/8"},
        {"cidr", "10.1.2.3/16", "22P02 invalid cidr value: \"10.1.2.3/16\""},
        {"cidr", "::/0", "::/0"},
    };
    struct arena arena;
    struct type_context context = call_context();
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct datum value;
        struct buffer out;
        struct type type = parse_type(&arena, rows[i].type);
        buffer_init(&out, &arena);
        struct function_call call = {.arena = &arena, .context = &context};
        struct status st = type_input(
            &arena, &context, TYPE_OF(type.oid), bytes_of_string(rows[i].in), &value);
        if (!failed(st)) st = cast_apply_typmod(&call, type, true, value, &value);
        if (!failed(st)) {
            type_output(&out, &context, type.oid, value);
            // The binary form gives the same value back.
            struct buffer binary, again;
            buffer_init(&binary, &arena);
            buffer_init(&again, &arena);
            type_send(&binary, type.oid, value);
            struct status back =
                type_receive(&arena, TYPE_OF(type.oid), buffer_bytes(&binary), &value);
            cr_assert(!failed(back), "%s %s: %s", rows[i].type, rows[i].in, back.message);
            type_output(&again, &context, type.oid, value);
            cr_expect_str_eq(buffer_string(&again), buffer_string(&out), "binary");
        }
        const char *got = failed(st) ? call_error(&arena, st) : buffer_string(&out);
        cr_expect_str_eq(got, rows[i].out, "%s <%s>: got <%s>, not <%s>", rows[i].type, rows[i].in,
            got, rows[i].out);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

Test(types, casts_are_postgresqls)
{
    static const struct {
        const char *from, *to, *out;
    } rows[] = {
        {"int8:70000", "int4", "70000"},
        {"int8:70000", "int2", "22003 smallint out of range"},
        {"int4:5", "float8", "5"},
        {"int4:0", "bool", "f"},
        {"bool:t", "int4", "1"},
        {"bool:t", "text", "true"},
        {"float8:2.5", "int4", "2"},
        {"float8:3.5", "int4", "4"},
        {"float8:1e10", "int4", "22003 integer out of range"},
        {"float8:NaN", "int8", "22003 bigint out of range"},
        {"float8:1e308", "float4", "22003 value out of range: overflow"},
        {"float8:1e-50", "float4", "22003 value out of range: underflow"},
        {"float4:0.1", "float8", "0.10000000149011612"},
        {"text:12", "int4", "12"},
        {"text:x12", "int4", "22P02 invalid input syntax for type integer: \"x12\""},
        {"varchar:abc", "varchar(2)", "ab"},
        {"bpchar(5):ab", "text", "ab"},
        {"bpchar(5):ab", "varchar", "ab"},
        {"name:abc", "text", "abc"},
        {"text:abc", "name", "abc"},
        {"\"char\":a", "int4", "97"},
        {"int4:97", "\"char\"", "a"},
        {"int4:200", "\"char\"", "22003 \"char\" out of range"},
        {"int4:7", "varchar(1)", "7"},
        {"int4:77", "varchar(1)", "7"},
        {"int4[]:{1,2}", "text[]", "{1,2}"},
        {"text[]:{1,2}", "int4[]", "{1,2}"},
        {"text[]:{abc,de}", "varchar(2)[]", "{ab,de}"},
        {"int4[]:{1,NULL}", "float8[]", "{1,NULL}"},
        {"int2vector:1 2", "int2[]", "[0:1]={1,2}"},
        {"int4:-1", "oid", "4294967295"},
        {"int8:-1", "oid", "22003 OID out of range"},
        {"oid:4294967295", "int8", "4294967295"},
        {"oid:4294967295", "int4", "-1"},
        {"unknown:5", "int4", "5"},
        {"uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "text", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
        {"bytea:\\x01", "text", "\\x01"},
        {"numeric:2.5", "int4", "3"},
        {"numeric:-2.5", "int4", "-3"},
        {"numeric:3.5", "int8", "4"},
        {"numeric:1e10", "int4", "22003 integer out of range"},
        {"numeric:NaN", "int4", "0A000 cannot convert NaN to integer"},
        {"numeric:Infinity", "int8", "0A000 cannot convert infinity to bigint"},
        {"numeric:32768", "int2", "22003 smallint out of range"},
        {"numeric:0.1", "float8", "0.1"},
        {"numeric:12345678901234567890.5", "float8", "1.2345678901234567e+19"},
        {"numeric:1e400", "float8", "22003 \"10000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\" is out of range for type double precision"},
        {"numeric:1e39", "float4", "22003 \"1000000000000000000000000000000000000000\" is out of range for type real"},
        {"numeric:0.1", "float4", "0.1"},
        {"float8:0.1", "numeric", "0.1"},
        {"float8:1e20", "numeric", "100000000000000000000"},
        {"float8:123456789.123456789", "numeric", "123456789.123457"},
        {"float8:NaN", "numeric", "NaN"},
        {"float4:0.1", "numeric", "0.1"},
        {"int8:-9223372036854775808", "numeric", "-9223372036854775808"},
        {"numeric:123.456", "numeric(5,1)", "123.5"},
        {"numeric:1.5", "text", "1.5"},
        {"text:1.50", "numeric", "1.50"},
        {"numeric:9223372036854775807.4", "int8", "9223372036854775807"},
        {"numeric:9223372036854775807.5", "int8", "22003 bigint out of range"},
        {"numeric:-9223372036854775808.4", "int8", "-9223372036854775808"},
        {"numeric:1e-30", "int4", "0"},
        {"date:2026-01-31", "timestamp", "2026-01-31 00:00:00"},
        {"date:2026-01-31", "timestamptz", "2026-01-31 00:00:00+00"},
        {"date:infinity", "timestamp", "infinity"},
        {"date:5874897-12-31", "timestamp", "22008 date out of range for timestamp"},
        {"timestamp:2026-01-31 12:34:56", "date", "2026-01-31"},
        {"timestamp:1999-12-31 23:59:59", "date", "1999-12-31"},
        {"timestamp:2026-01-31 12:34:56", "time", "12:34:56"},
        {"timestamp:2026-01-31 12:34:56", "timestamptz", "2026-01-31 12:34:56+00"},
        {"timestamptz:2026-01-31 12:34:56+05", "timestamp", "2026-01-31 07:34:56"},
        {"timestamptz:2026-01-31 12:34:56+05", "date", "2026-01-31"},
        {"timestamptz:2026-01-31 12:34:56+05", "time", "07:34:56"},
        {"timestamptz:2026-01-31 12:34:56+05", "timetz", "07:34:56+00"},
        {"time:12:34:56", "interval", "12:34:56"},
        {"time:12:34:56", "timetz", "12:34:56+00"},
        {"interval:1 day 25:30", "time", "01:30:00"},
        {"interval:-01:00", "time", "23:00:00"},
        {"timetz:12:34+05", "time", "12:34:00"},
        {"timestamp:2026-01-31 12:34:56.789", "timestamp(1)", "2026-01-31 12:34:56.8"},
        {"interval:1 day 02:03:04.567", "interval(1)", "1 day 02:03:04.6"},
        {"text:2026-01-31", "date", "2026-01-31"},
        {"date:2026-01-31", "text", "2026-01-31"},
        {"timestamp:infinity", "date", "infinity"},
        {"int4:5", "date", "42846 cannot cast type integer to date"},
        {"jsonb:true", "bool", "t"},
        {"jsonb:\"a\"", "bool", "22023 cannot cast jsonb string to type boolean"},
        {"jsonb:1.5", "int4", "2"},
        {"jsonb:1.5", "numeric", "1.5"},
        {"jsonb:1.5", "float8", "1.5"},
        {"jsonb:[1]", "int4", "22023 cannot cast jsonb array to type integer"},
        {"jsonb:{}", "numeric", "22023 cannot cast jsonb object to type numeric"},
        {"jsonb:null", "int8", "22023 cannot cast jsonb null to type bigint"},
        {"json:{\"b\":1,\"a\":2}", "jsonb", "{\"a\": 2, \"b\": 1}"},
        {"jsonb:{\"b\":1,\"a\":2}", "json", "{\"a\": 2, \"b\": 1}"},
        {"jsonb:{\"b\":1,\"a\":2}", "text", "{\"a\": 2, \"b\": 1}"},
        {"text:{\"b\":1}", "jsonb", "{\"b\": 1}"},
        {"jsonb:100000", "int2", "22003 smallint out of range"},
        {"int4:5", "bit(4)", "0101"},
        {"int4:-1", "bit(10)", "1111111111"},
        {"int8:5", "bit(70)", "0000000000000000000000000000000000000000000000000000000000000000000101"},
        {"bit(4):1010", "int4", "10"},
        {"varbit:1010", "int8", "42846 cannot cast type bit varying to bigint"},
        {"varbit:101010", "bit(3)", "101"},
        {"varbit:101", "bit(5)", "10100"},
    };
    struct arena arena;
    struct type_context context = call_context();
    arena_init(&arena, NULL);
    function_register_builtin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *colon = strchr(rows[i].from, ':');
        struct type from = parse_type(&arena,
            arena_string(&arena, bytes_of(rows[i].from, (size_t)(colon - rows[i].from))));
        struct type to = parse_type(&arena, rows[i].to);
        struct function_call call = {.arena = &arena, .state_arena = &arena, .context = &context};
        struct datum value;
        struct buffer out;
        buffer_init(&out, &arena);
        struct status st =
            type_input(&arena, &context, from, bytes_of_string(colon + 1), &value);
        cr_assert(!failed(st), "%s: %s", rows[i].from, st.message);
        const struct cast *cast = cast_find(from.oid, to.oid, CAST_EXPLICIT);
        if (cast == NULL) {
            buffer_printf(&out, "42846 cannot cast type %s to %s", type_info(from.oid)->sql_name,
                type_info(to.oid)->sql_name);
        } else {
            st = cast_apply(&call, cast, from, to, true, value, &value);
            if (failed(st))
                buffer_append_string(&out, call_error(&arena, st));
            else
                type_output(&out, &context, to.oid, value);
        }
        cr_expect_str_eq(buffer_string(&out), rows[i].out, "%s -> %s: got <%s>, not <%s>",
            rows[i].from, rows[i].to, buffer_string(&out), rows[i].out);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

// Each list is in ascending order: comparison, keys both ways round and hashes agree with it, and keys and
// stored values come back.
Test(types, keys_and_comparison_agree)
{
    static const struct {
        const char *type;
        const char *values[12];
    } rows[] = {
        {"bool", {"f", "t"}},
        {"int2", {"-32768", "-1", "0", "1", "32767"}},
        {"int4", {"-2147483648", "-256", "-1", "0", "1", "255", "2147483647"}},
        {"int8", {"-9223372036854775808", "-1", "0", "1", "9223372036854775807"}},
        {"float8", {"-Infinity", "-1e300", "-1.5", "0", "1e-300", "2", "Infinity", "NaN"}},
        {"float4", {"-Infinity", "-1.5", "0", "0.1", "2", "Infinity", "NaN"}},
        {"text", {"", "A", "a", "ab", "b", "\xc3\xa9"}},
        {"bpchar", {"", "a", "ab", "b"}},
        {"bytea", {"\\x", "\\x00", "\\x0000", "\\x00ff", "\\x01", "\\xff"}},
        {"uuid", {"00000000-0000-0000-0000-000000000000", "10000000-0000-0000-0000-000000000000"}},
        {"oid", {"0", "1", "4294967295"}},
        {"numeric", {"-Infinity", "-1e50", "-100.5", "-100", "-0.001", "0", "1e-40", "0.5", "1", "12345678901234567890123456789012345678901234567890", "Infinity", "NaN"}},
        {"date", {"-infinity", "4714-11-24 BC", "1999-12-31", "2000-01-01", "5874897-12-31", "infinity"}},
        {"time", {"00:00", "00:00:00.000001", "23:59:59.999999", "24:00"}},
        {"timetz", {"00:00+15", "12:00+05", "12:00+00", "12:00-05"}},
        {"timestamp", {"-infinity", "4714-11-24 00:00:00 BC", "1999-12-31 23:59:59.999999", "2000-01-01", "294276-12-31", "infinity"}},
        {"timestamptz", {"-infinity", "1999-12-31 23:59:59+00", "2000-01-01 00:00-01", "infinity"}},
        {"interval", {"-100 years", "-1 day", "-00:00:01", "0", "1 day 00:00:01", "29 days 23:59:59", "1 month", "1 month 00:00:01", "100 years"}},
        {"varbit", {"", "0", "00", "01", "1", "10000000", "100000001"}},
        {"jsonb", {"[]", "null", "\"\"", "\"a\"", "-1.5", "1", "false", "true", "[[]]", "[1, {}]", "{}", "{\"a\": [1]}"}},
        {"int4[]", {"{}", "{-1}", "{1}", "{1,-5}", "{1,2}", "{{1,2}}", "{1,2,3}", "{1,NULL}", "{2}", "{NULL}"}},
        {"text[]", {"{}", "{\"\"}", "{a}", "{a,\"\"}", "{ab}", "{b}"}},
        {"inet", {"1.2.3.4/8", "1.2.3.4/16", "1.2.3.4", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0", "::/0", "::1"}},
        {"pg_lsn", {"0/0", "0/1", "80000000/0", "FFFFFFFF/FFFFFFFF"}},
    };
    struct arena arena;
    struct type_context context = call_context();
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        type_oid oid = type_by_name(rows[i].type)->oid;
        struct datum last = DATUM_NULL;
        struct buffer last_up = {0}, last_down = {0};
        for (size_t j = 0; j < 12 && rows[i].values[j] != NULL; j++) {
            struct datum value, back;
            struct buffer up, down, stored;
            const char *text = rows[i].values[j];
            struct status st =
                type_input(&arena, &context, TYPE_OF(oid), bytes_of_string(text), &value);
            cr_assert(!failed(st), "%s %s", rows[i].type, text);
            buffer_init(&up, &arena);
            buffer_init(&down, &arena);
            buffer_init(&stored, &arena);
            cr_assert(!failed(type_key_encode(&up, oid, value, KEY_ASCENDING)));
            cr_assert(!failed(type_key_encode(&down, oid, value, KEY_DESCENDING)));
            type_value_encode(&stored, oid, value);
            struct bytes rest = buffer_bytes(&up);
            cr_assert(!failed(type_key_decode(&rest, oid, KEY_ASCENDING, &arena, &back)));
            cr_expect_eq(rest.size, 0);
            cr_expect(type_equal(oid, value, back), "%s %s: key", rows[i].type, text);
            cr_expect_eq(type_hash(oid, value), type_hash(oid, back));
            rest = buffer_bytes(&down);
            cr_assert(!failed(type_key_decode(&rest, oid, KEY_DESCENDING, &arena, &back)));
            cr_expect(type_equal(oid, value, back), "%s %s: descending key", rows[i].type, text);
            rest = buffer_bytes(&stored);
            cr_assert(!failed(type_value_decode(&rest, oid, &back)));
            cr_expect(rest.size == 0 && type_equal(oid, value, back), "%s %s: value",
                rows[i].type, text);
            for (size_t cut = 0; cut < stored.size; cut++) {
                rest = bytes_of(stored.data, cut);
                cr_expect(failed(type_value_decode(&rest, oid, &back)), "cut short");
            }
            if (j > 0) {
                cr_expect_lt(type_compare(oid, last, value), 0, "%s %s", rows[i].type, text);
                cr_expect_gt(type_compare(oid, value, last), 0, "%s %s", rows[i].type, text);
                cr_expect_lt(bytes_compare(buffer_bytes(&last_up), buffer_bytes(&up)), 0,
                    "%s %s: keys", rows[i].type, text);
                cr_expect_gt(bytes_compare(buffer_bytes(&last_down), buffer_bytes(&down)), 0,
                    "%s %s: descending keys", rows[i].type, text);
            }
            last = value;
            last_up = up;
            last_down = down;
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

// What a cast cuts off, an assignment refuses, but for spaces.
Test(types, assignment_refuses_what_is_too_long)
{
    static const struct {
        const char *type, *in, *out;
    } rows[] = {
        {"varchar(3)", "abcd", "22001 value too long for type character varying(3)"},
        {"varchar(3)", "abc  ", "abc"},
        {"bpchar(2)", "abc", "22001 value too long for type character(2)"},
        {"bpchar(2)", "ab ", "ab"},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct datum value;
        struct type type = parse_type(&arena, rows[i].type);
        struct status st = type_input(&arena, NULL, type, bytes_of_string(rows[i].in), &value);
        const char *got =
            failed(st) ? call_error(&arena, st) : arena_string(&arena, datum_as_bytes(value));
        cr_expect_str_eq(got, rows[i].out);
    }
    arena_fini(&arena);
}

Test(types, names_and_modifiers)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"int", "integer"}, {"int4", "integer"}, {"_int4", "integer[]"}, {"integer[]", "integer[]"},
        {"character varying", "character varying"}, {"varchar(20)", "character varying(20)"},
        {"bpchar(3)", "character(3)"}, {"numeric(10,2)", "numeric(10,2)"},
        {"numeric(5)", "numeric(5,0)"}, {"numeric(5,-2)", "numeric(5,-2)"},
        {"timestamptz", "timestamp with time zone"},
        {"timestamp(3)", "timestamp(3) without time zone"}, {"bpchar", "bpchar"},
        {"decimal", "numeric"},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(type_format(&arena, parse_type(&arena, rows[i].in)), rows[i].out);
    cr_expect_null(type_by_name("nonsense"));
    int32_t typmod, zero = 0, wide[2] = {1001, 0};
    struct status st = type_make_typmod(&arena, TYPE_VARCHAR, &zero, 1, &typmod);
    cr_expect_str_eq(st.message, "length for type varchar must be at least 1");
    st = type_make_typmod(&arena, TYPE_NUMERIC, wide, 2, &typmod);
    cr_expect_str_eq(st.message, "NUMERIC precision 1001 must be between 1 and 1000");
    st = type_make_typmod(&arena, TYPE_INT4, &zero, 1, &typmod);
    cr_expect_str_eq(st.message, "type modifier is not allowed for type \"int4\"");
    arena_fini(&arena);
}

// int and float literals meet in a common type; what does not is refused with PostgreSQL's words.
Test(types, common_type)
{
    static const struct {
        type_oid types[3];
        uint32_t count;
        type_oid common; // 0: refused.
    } rows[] = {
        {{TYPE_INT4, TYPE_INT8}, 2, TYPE_INT8},
        {{TYPE_INT8, TYPE_INT4}, 2, TYPE_INT8},
        {{TYPE_INT4, TYPE_FLOAT8}, 2, TYPE_FLOAT8},
        {{TYPE_UNKNOWN, TYPE_INT4}, 2, TYPE_INT4},
        {{TYPE_UNKNOWN, TYPE_UNKNOWN}, 2, TYPE_TEXT},
        {{TYPE_VARCHAR, TYPE_TEXT}, 2, TYPE_VARCHAR},
        {{TYPE_VARCHAR, TYPE_UNKNOWN, TYPE_VARCHAR}, 3, TYPE_VARCHAR},
        {{TYPE_INT4, TYPE_TEXT}, 2, 0},
        {{TYPE_INT4, TYPE_BOOL}, 2, 0},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    function_register_builtin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        type_oid common = 0;
        struct status st = type_common(&arena, "CASE", rows[i].types, rows[i].count, &common);
        cr_expect_eq(common, rows[i].common, "row %zu: %u", i, common);
        if (rows[i].common == 0) cr_expect(status_is(st, E_DATATYPE_MISMATCH));
    }
    arena_fini(&arena);
}
