// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "repl/consumer.h"
#include "repl/source.h"

static const struct consumer_partition samples[] = {
    {.slice = 1, .scanned = true, .frontier = {123456789, 7}},
    {.slice = 900, .resume = {(const uint8_t *)"\x02\x03key", 5}},
};

Test(consumer_partitions, progress_comes_back_as_it_was)
{
    struct arena arena;
    struct consumer_partition *back;
    uint32_t count;
    arena_init(&arena, NULL);
    struct bytes bytes = consumer_partitions_encode(&arena, samples, 2);
    cr_assert(!failed(consumer_partitions_decode(&arena, bytes, &back, &count)));
    cr_assert_eq(count, 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(back[i].slice, samples[i].slice);
        cr_assert_eq(back[i].scanned, samples[i].scanned);
        cr_assert(hlc_equal(back[i].frontier, samples[i].frontier));
        cr_assert(bytes_equal(back[i].resume, samples[i].resume));
    }
    arena_fini(&arena);
}

// A record that was never written is one without partitions; one cut short is an error.
Test(consumer_partitions, damage_is_noticed)
{
    struct arena arena;
    struct consumer_partition *back;
    uint32_t count = 7;
    arena_init(&arena, NULL);
    cr_assert(!failed(consumer_partitions_decode(&arena, (struct bytes){0}, &back, &count)));
    cr_assert_eq(count, 0);
    struct bytes bytes = consumer_partitions_encode(&arena, samples, 2);
    for (size_t size = 1; size < bytes.size; size++)
        cr_assert(
            failed(consumer_partitions_decode(&arena, bytes_of(bytes.data, size), &back, &count)));
    arena_fini(&arena);
}

Test(source_redact, secrets_are_not_shown)
{
    static const struct {
        const char *uri, *shown, *why;
    } rows[] = {
        {"postgresql://u:p@h:26257?options=-ccluster=system&sslmode=verify-full&sslrootcert=certs/"
         "ca.crt",
            "postgresql://"
            "u:redacted@h:26257?options=-ccluster%3Dsystem&sslmode=verify-full&sslrootcert="
            "redacted",
            "as the manual shows it"},
        {"postgresql://u@h:1/db?sslmode=disable&options=-ccluster%3Dsystem",
            "postgresql://u@h:1/db?options=-ccluster%3Dsystem&sslmode=disable",
            "nothing secret: only sorted"},
        {"postgresql://u:p@ss@h?password=x&SSLKEY=y",
            "postgresql://u:redacted@h?SSLKEY=redacted&password=redacted",
            "the last @ ends the password; names in any case"},
        {"postgresql://h", "postgresql://h", "neither user nor parameters"},
        {"p4ssw0rd", "redacted", "no URI: nothing is known to be harmless"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        cr_expect_str_eq(source_redact(&arena, rows[i].uri), rows[i].shown, "%s", rows[i].why);
        arena_fini(&arena);
    }
}

// What is not supported is refused by its name, before anything is connected to.
Test(source_options, other_kinds_of_addresses_are_refused)
{
    static const struct {
        const char *uri;
        uint32_t code;
    } rows[] = {
        {"postgresql://u:p@h:26257?options=-ccluster=system", 0},
        {"external://primary", E_FEATURE_NOT_SUPPORTED},
        {"primary", E_FEATURE_NOT_SUPPORTED},
        {"postgresql://h?crdb_route=gateway", E_FEATURE_NOT_SUPPORTED},
        {"http://h", E_INVALID_PARAMETER_VALUE},
        {"postgresql://h?nonsense=1", E_INVALID_PARAMETER_VALUE},
        {"", E_INVALID_PARAMETER_VALUE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct pgclient_options options;
        arena_init(&arena, NULL);
        cr_expect_eq(
            source_options(&arena, rows[i].uri, &options).code, rows[i].code, "%s", rows[i].uri);
        arena_fini(&arena);
    }
}
