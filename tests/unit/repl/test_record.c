// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "repl/progress.h"
#include "repl/source.h"

static const struct span all = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"z", 1}};
static const char *const addresses[] = {"10.0.0.1:26257", "[::1]:26257"};

static struct bytes sample(struct arena *arena)
{
    struct progress progress = {.addresses = addresses, .address_count = 2};
    frontier_init(&progress.frontier, all);
    frontier_forward(&progress.frontier, (struct span){BYTES_LITERAL("c"), BYTES_LITERAL("e")},
        (struct hlc_timestamp){123456789, 7});
    struct bytes bytes = progress_encode(arena, &progress);
    frontier_fini(&progress.frontier);
    return bytes;
}

Test(progress, comes_back_as_it_was)
{
    struct arena arena;
    struct progress back;
    arena_init(&arena, NULL);
    cr_assert(!failed(progress_decode(&arena, sample(&arena), all, &back)));
    cr_assert_eq(back.address_count, 2);
    cr_assert_str_eq(back.addresses[1], addresses[1]);
    cr_assert_eq(back.frontier.count, 3);
    cr_assert_eq(back.frontier.pieces[1].ts.wall_ns, 123456789);
    cr_assert_eq(back.frontier.pieces[1].ts.logical, 7);
    frontier_fini(&back.frontier);
    progress_addresses(&arena, sample(&arena), &back);
    cr_assert_eq(back.address_count, 2);
    arena_fini(&arena);
}

// A record that was never written is one of which nothing is here; one cut short is an error.
Test(progress, damage_is_noticed)
{
    struct arena arena;
    struct progress back;
    arena_init(&arena, NULL);
    cr_assert(!failed(progress_decode(&arena, (struct bytes){0}, all, &back)));
    cr_assert(hlc_is_zero(frontier_min(&back.frontier)));
    frontier_fini(&back.frontier);
    struct bytes bytes = sample(&arena);
    for (size_t size = 1; size < bytes.size; size++) {
        cr_assert(failed(progress_decode(&arena, bytes_of(bytes.data, size), all, &back)));
        progress_addresses(&arena, bytes_of(bytes.data, size), &back);
    }
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
        {"external://primary", E_INVALID_PARAMETER_VALUE}, // Names are resolved before.
        {"primary", E_INVALID_PARAMETER_VALUE},
        {"postgresql://h?crdb_route=gateway", 0},
        {"postgresql://h?sslmode=disable&crdb_route=node&options=-ccluster=system", 0},
        {"postgresql://h?crdb_route=elsewhere", E_INVALID_PARAMETER_VALUE},
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
