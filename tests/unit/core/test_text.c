// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "core/text.h"

static struct arena arena;
static struct buffer out;
static void setup(void)
{
    arena_init(&arena, NULL);
    buffer_init(&out, &arena);
}
static void teardown(void)
{
    arena_fini(&arena);
}
TestSuite(text, .init = setup, .fini = teardown);

static const char *taken(void)
{
    const char *text = arena_strdup(&arena, buffer_string(&out));
    out.size = 0;
    return text;
}

Test(text, utf8_is_well_formed_or_refused)
{
    static const struct {
        const char *text;
        bool valid;
        size_t length;
    } rows[] = {
        {"", true, 0},
        {"plain text, longer than eight", true, 29},
        {"\xc3\xa9t\xc3\xa9", true, 3},
        {"\xe2\x82\xac", true, 1},
        {"\xf0\x9f\x90\x9b!", true, 2},
        {"\x80", false, 0},
        {"\xc0\xaf", false, 0},
        {"\xed\xa0\x80", false, 0},
        {"\xf4\x90\x80\x80", false, 0},
        {"\xe2\x82", false, 0},
        {"12345678\xff", false, 0},
        {"1234567\xc3", false, 0},
        {"\xe0\x80\x80", false, 0},
        {"\xf5\x80\x80\x80", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes text = bytes_of_string(rows[i].text);
        cr_expect_eq(utf8_valid(text), rows[i].valid, "row %zu", i);
        if (rows[i].valid) cr_expect_eq(utf8_length(text), rows[i].length, "row %zu", i);
    }
    cr_assert_not(utf8_valid(bytes_of("12\0"
                                      "45678",
                      8)),
        "no zero byte");
    cr_assert_not(utf8_valid(bytes_of("\0", 1)));
    cr_assert_eq(utf8_prefix_bytes(bytes_of_string("\xc3\xa9t\xc3\xa9"), 2), 3);
    cr_assert_eq(utf8_prefix_bytes(bytes_of_string("ab"), 9), 2);
    for (uint32_t code = 1; code < 0x110000; code += 77) {
        uint8_t bytes[4];
        size_t size = utf8_encode(code, bytes);
        if (code >= 0xd800 && code < 0xe000) {
            cr_assert_eq(size, 0);
            continue;
        }
        cr_assert(utf8_valid(bytes_of(bytes, size)));
        cr_assert_eq(utf8_decode(bytes), code);
    }
}

static bool is_table(struct bytes word)
{
    return bytes_equal(word, BYTES_LITERAL("table"));
}

Test(text, quoting)
{
    static const char *const names[][2] = {{"abc_1", "abc_1"}, {"Abc", "\"Abc\""}, {"1a", "\"1a\""},
        {"", "\"\""}, {"a\"b", "\"a\"\"b\""}, {"table", "\"table\""}, {"\xc3\xa9", "\"\xc3\xa9\""}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        text_quote_name(&out, bytes_of_string(names[i][0]), is_table);
        cr_expect_str_eq(taken(), names[i][1]);
    }
    text_quote_literal(&out, BYTES_LITERAL("it's"));
    cr_expect_str_eq(taken(), "'it''s'");
    text_quote_literal(&out, BYTES_LITERAL("a\\b\n\x01"));
    cr_expect_str_eq(taken(), "e'a\\\\b\\n\\x01'");
    text_quote_json(&out, BYTES_LITERAL("a\"\\\n\xc3\xa9\xff\x02"));
    cr_expect_str_eq(taken(), "\"a\\\"\\\\\\n\xc3\xa9\xef\xbf\xbd\\u0002\"");
}

Test(text, numbers_are_whole_and_in_range)
{
    int64_t i64;
    uint64_t u64;
    double number;
    bool flag;
    cr_assert(text_parse_i64(BYTES_LITERAL("-9223372036854775808"), &i64) && i64 == INT64_MIN);
    cr_assert(text_parse_i64(BYTES_LITERAL("+7"), &i64) && i64 == 7);
    cr_assert_not(text_parse_i64(BYTES_LITERAL("9223372036854775808"), &i64));
    cr_assert_not(text_parse_i64(BYTES_LITERAL("-"), &i64));
    cr_assert_not(text_parse_i64(BYTES_LITERAL("-+1"), &i64));
    cr_assert_not(text_parse_i64(BYTES_LITERAL("1 "), &i64));
    cr_assert(text_parse_u64(BYTES_LITERAL("18446744073709551615"), &u64) && u64 == UINT64_MAX);
    cr_assert_not(text_parse_u64(BYTES_LITERAL("18446744073709551616"), &u64));
    cr_assert(text_parse_double(BYTES_LITERAL("-1.5e3"), &number) && number == -1500);
    cr_assert_not(text_parse_double(BYTES_LITERAL("1x"), &number));
    cr_assert(text_parse_bool(BYTES_LITERAL("T"), &flag) && flag);
    cr_assert(text_parse_bool(BYTES_LITERAL("of"), &flag) && !flag);
    cr_assert_not(text_parse_bool(BYTES_LITERAL("o"), &flag), "on or off");
    cr_assert_not(text_parse_bool(BYTES_LITERAL("truer"), &flag));
}

Test(text, sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes; // UINT64_MAX: refused.
    } rows[] = {
        {"4096", 4096},
        {"128MiB", 128u << 20},
        {"128 MB", 128000000},
        {"64k", 64 << 10},
        {"64KB", 64000},
        {"1.5GiB", 3ull << 29},
        {"25%", 250},
        {".25", 250},
        {"0.5", 500},
        {"100%", 1000},
        {"2B", 2},
        {"101%", UINT64_MAX},
        {"", UINT64_MAX},
        {"MiB", UINT64_MAX},
        {"1XB", UINT64_MAX},
        {"-1", UINT64_MAX},
        {"16EiB", UINT64_MAX},
        {"1.5", UINT64_MAX},
        {"1 MiBB", UINT64_MAX},
    };
    struct size_rules rules = {.whole = 1000, .decimal_bytes = true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = UINT64_MAX;
        bool taken_ok = text_parse_size(bytes_of_string(rows[i].text), rules, &bytes);
        cr_expect_eq(taken_ok, rows[i].bytes != UINT64_MAX, "%s", rows[i].text);
        cr_expect_eq(bytes, rows[i].bytes, "%s", rows[i].text);
    }
    uint64_t bytes;
    cr_assert(text_parse_size(BYTES_LITERAL("64MB"), (struct size_rules){0}, &bytes));
    cr_assert_eq(bytes, 64u << 20, "PostgreSQL's MB");
    cr_assert_not(text_parse_size(BYTES_LITERAL("25%"), (struct size_rules){0}, &bytes));
    static const struct {
        uint64_t bytes;
        const char *text;
    } prints[] = {{0, "0 B"}, {1023, "1023 B"}, {1536, "1.5 KiB"}, {128u << 20, "128 MiB"},
        {UINT64_MAX, "15.9 EiB"}};
    for (size_t i = 0; i < sizeof prints / sizeof prints[0]; i++) {
        text_format_size(&out, prints[i].bytes);
        cr_expect_str_eq(taken(), prints[i].text);
    }
}

#define S INT64_C(1000000000)

Test(text, durations)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *printed;
    } rows[] = {
        {"1h30m", 5400 * S, "1h30m0s"},
        {"-10s", -10 * S, "-10s"},
        {"1.5h", 5400 * S, "1h30m0s"},
        {"250ms", S / 4, "250ms"},
        {"10us", 10000, "10us"},
        {"1 hour 30 minutes", 5400 * S, "1h30m0s"},
        {"00:01:30", 90 * S, "1m30s"},
        {"-00:00:30.5", -61 * S / 2, "-30.5s"},
        {"0", 0, "0s"},
        {"2 days 03:04:05", 183845 * S, "51h4m5s"},
        {"1500us", 1500000, "1.5ms"},
        {"5ns", 5, "5ns"},
        {"04:00", 14400 * S, "4h0m0s"},
        {"1d2h", 93600 * S, "26h0m0s"},
    };
    int64_t ns;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect(text_parse_duration(bytes_of_string(rows[i].text), 0, &ns), "%s", rows[i].text);
        cr_expect_eq(ns, rows[i].ns, "%s", rows[i].text);
        text_format_duration(&out, ns);
        cr_expect_str_eq(taken(), rows[i].printed);
    }
    cr_assert(text_parse_duration(BYTES_LITERAL("15"), S, &ns) && ns == 15 * S);
    static const char *const bad[] = {
        "", "-", "15", "1h15", "1 month", "h", "1:70", "1:2:3:4", "9999999999h", "1s x", "--1s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(text_parse_duration(bytes_of_string(bad[i]), 0, &ns), "%s", bad[i]);
    text_format_interval(&out, -(90 * S + S / 4));
    cr_expect_str_eq(taken(), "-00:01:30.25");
    text_format_time(&out, 1781304121123456000);
    cr_expect_str_eq(taken(), "2026-06-12 22:42:01.123456+00");
    text_format_time(&out, -S);
    cr_expect_str_eq(taken(), "1969-12-31 23:59:59+00");
}

Test(text, dates_go_there_and_back)
{
    for (int64_t days = -800000; days < 3000000; days += 13) {
        struct civil_date date = civil_from_days(days);
        cr_assert(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= 31);
        cr_assert_eq(days_from_civil(date.year, date.month, date.day), days);
    }
    cr_assert_eq(days_from_civil(2000, 2, 29), 11016);
}

Test(text, the_nearest_name_is_offered_only_when_it_may_be_meant)
{
    static const char *const names[] = {"listen-addr", "http-addr", "store", "insecure", NULL};
    cr_assert_str_eq(text_nearest("listen-adr", names), "listen-addr");
    cr_assert_str_eq(text_nearest("STROE", names), "store");
    cr_assert_null(text_nearest("background", names));
    cr_assert_null(text_nearest("", names));
}

Test(text, a_message_shows_whole_characters_of_so_much)
{
    static uint8_t data[BYTES_SHOWN_MAX + 8];
    memset(data, 'a', sizeof data);
    cr_assert_eq(bytes_shown(bytes_of(data, 5)), 5);
    cr_assert_eq(bytes_shown(bytes_of(data, BYTES_SHOWN_MAX)), BYTES_SHOWN_MAX);
    cr_assert_eq(bytes_shown(bytes_of(data, sizeof data)), BYTES_SHOWN_MAX);
    memcpy(data + BYTES_SHOWN_MAX - 1, "\xf0\x9f\x98\x80", 4);
    cr_assert_eq(bytes_shown(bytes_of(data, sizeof data)), BYTES_SHOWN_MAX - 1);
    memcpy(data + BYTES_SHOWN_MAX - 3, "\xf0\x9f\x98\x80", 4);
    cr_assert_eq(bytes_shown(bytes_of(data, sizeof data)), BYTES_SHOWN_MAX - 3);
}
