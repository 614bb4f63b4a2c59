// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/flags.h"

static struct arena arena;
static struct values {
    const char *addr, *format, *areas;
    struct flag_strings stores;
    bool insecure;
    uint64_t shards, cache;
    int64_t wait;
} values;

static struct flag *make_flags(void)
{
    static const char *const formats[] = {"table", "csv", NULL};
    values = (struct values){
        .addr = ":26257", .format = "table", .cache = 128u << 20, .wait = 90000000000};
    struct flag flags[] = {
        {.name = "listen-addr",
            .kind = FLAG_STRING,
            .value = &values.addr,
            .argument = "host:port",
            .help = "Address to listen on for SQL clients and other nodes."},
        {.name = "store",
            .letter = 's',
            .kind = FLAG_STRINGS,
            .value = &values.stores,
            .help = "Folder."},
        {.name = "insecure", .kind = FLAG_BOOL, .value = &values.insecure, .help = "No TLS."},
        {.name = "shards",
            .kind = FLAG_U64,
            .value = &values.shards,
            .min = 1,
            .max = 128,
            .help = "Cores to use."},
        {.name = "cache",
            .kind = FLAG_SIZE,
            .value = &values.cache,
            .size_whole = 1000,
            .help = "Cache."},
        {.name = "drain-wait", .kind = FLAG_DURATION, .value = &values.wait, .help = "Patience."},
        {.name = "format",
            .kind = FLAG_CHOICE,
            .value = &values.format,
            .choices = formats,
            .help = "Output."},
        {.name = "areas", .kind = FLAG_STRING, .value = &values.areas, .implied = "all", .help = "Which."},
        {.name = "secret",
            .kind = FLAG_BOOL,
            .value = &values.insecure,
            .hidden = true,
            .help = ""},
        {0},
    };
    struct flag *copy = arena_alloc(&arena, sizeof flags);
    memcpy(copy, flags, sizeof flags);
    return copy;
}

static struct flags_command command(void)
{
    return (struct flags_command){.name = "isopod start",
        .arguments = "[name]",
        .summary = "Starts a node.",
        .flags = make_flags(),
        .arguments_max = 1};
}

static struct status parse(struct flags_result *result, const char *const *argv)
{
    int argc = 0;
    struct flags_command it = command();
    while (argv[argc] != NULL)
        argc++;
    return flags_parse(&arena, &it, argc, (char *const *)argv, result);
}

static void setup(void)
{
    arena_init(&arena, NULL);
}
static void teardown(void)
{
    arena_fini(&arena);
}
TestSuite(flags, .init = setup, .fini = teardown);

#define PARSE(result, ...) parse(result, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

Test(flags, values_come_after_an_equals_sign_or_as_the_next_word)
{
    struct flags_result result;
    struct status st = PARSE(&result, "--listen-addr=:1", "--store", "a", "-s", "b", "-sc", "name",
        "--insecure", "--shards=4", "--cache", "25%", "--drain-wait=2m", "--format=csv");
    cr_assert(!failed(st), "%s", st.message);
    cr_assert_str_eq(values.addr, ":1");
    cr_assert_eq(values.stores.count, 3);
    cr_assert_str_eq(values.stores.values[2], "c");
    cr_assert(values.insecure);
    cr_assert_eq(values.shards, 4);
    cr_assert_eq(values.cache, 250);
    cr_assert_eq(values.wait, 120000000000);
    cr_assert_str_eq(values.format, "csv");
    cr_assert_eq(result.argument_count, 1);
    cr_assert_str_eq(result.arguments[0], "name");
    cr_assert(!failed(PARSE(&result, "--insecure=false", "--", "--x")));
    cr_assert(!values.insecure);
    cr_assert_str_eq(result.arguments[0], "--x");
    cr_assert(!failed(PARSE(&result, "-")), "a dash alone is an argument");
}

Test(flags, a_value_may_be_implied)
{
    struct flags_result result;
    cr_assert(!failed(PARSE(&result, "--areas")));
    cr_expect_str_eq(values.areas, "all");
    cr_assert(!failed(PARSE(&result, "--areas", "--insecure")));
    cr_expect_str_eq(values.areas, "all");
    cr_expect(values.insecure);
    cr_assert(!failed(PARSE(&result, "--areas", "kv,raft")));
    cr_expect_str_eq(values.areas, "kv,raft");
    cr_assert(!failed(PARSE(&result, "--areas=kv", "name")));
    cr_expect_str_eq(values.areas, "kv");
    cr_expect_eq(result.argument_count, 1);
}

Test(flags, mistakes_are_named_and_the_nearest_flag_is_offered)
{
    struct flags_result result;
    struct status st = PARSE(&result, "--listen-adr=:1");
    cr_assert_str_eq(st.message, "unknown flag: --listen-adr=:1");
    cr_assert_str_eq(status_report_of(st)->hint, "Did you mean --listen-addr?");
    st = PARSE(&result, "--qqqqqqqqqqqqqq");
    cr_assert_not_null(strstr(status_report_of(st)->hint, "--help"));
    static const char *const bad[][2] = {{"--shards=0", "from 1 to 128"},
        {"--shards=x", "1 to 128"}, {"--cache=lots", "128MiB"}, {"--drain-wait=1y", "1h30m"},
        {"--format=xml", "table, csv"}, {"--insecure=perhaps", "true or false"},
        {"--store", "needs a value"}, {"-z", "unknown flag"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        st = PARSE(&result, bad[i][0]);
        cr_expect_eq(st.code, E_INVALID_PARAMETER_VALUE, "%s", bad[i][0]);
        cr_expect_not_null(strstr(st.message, bad[i][1]), "%s: %s", bad[i][0], st.message);
    }
    cr_assert_not_null(strstr(PARSE(&result, "a", "b").message, "superfluous argument: \"b\""));
}

Test(flags, the_environment_gives_what_the_command_line_does_not)
{
    struct flags_result result;
    setenv("ISOPOD_LISTEN_ADDR", ":9", 1);
    setenv("ISOPOD_SHARDS", "2", 1);
    cr_assert(!failed(PARSE(&result, "--shards=3")));
    cr_assert_str_eq(values.addr, ":9");
    cr_assert_eq(values.shards, 3);
    setenv("ISOPOD_DRAIN_WAIT", "soon", 1);
    struct status st = PARSE(&result);
    cr_assert_not_null(strstr(st.message, "environment variable for --drain-wait"));
}

Test(flags, help_is_made_from_the_table)
{
    struct flags_result result;
    cr_assert(!failed(PARSE(&result, "--bogus-after", "--help")) || !result.help);
    cr_assert(!failed(PARSE(&result, "--help", "--bogus")));
    cr_assert(result.help);
    struct flags_command it = command();
    const char *text = flags_help(&arena, &it);
    static const char *const expected[] = {"Starts a node.\n", "isopod start [flags] [name]",
        "--listen-addr host:port", "(default \":26257\")", "  -s, --store text",
        "(default 128 MiB)", "(default 1m30s)", "--format table|csv", "-h, --help"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_expect_not_null(strstr(text, expected[i]), "%s in\n%s", expected[i], text);
    cr_expect_null(strstr(text, "secret"));
}
