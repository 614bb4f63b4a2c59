// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranks keep the order of values; statistics survive their encoding, and bytes that are none are refused.
#include <criterion/criterion.h>

#include "sql/statistics.h"

Test(statistics, rank_keeps_the_order_of_numbers)
{
    const double reals[] = {-1e300, -2.5, -0.0, 1e-10, 3, 7e20};
    const int64_t integers[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    for (size_t i = 1; i < 6; i++) {
        uint64_t before, after;
        cr_assert(statistics_rank(TYPE_FLOAT8, (struct datum){.real = reals[i - 1]}, &before));
        cr_assert(statistics_rank(TYPE_FLOAT8, (struct datum){.real = reals[i]}, &after));
        cr_assert_lt(before, after);
    }
    for (size_t i = 1; i < 5; i++) {
        uint64_t before, after;
        cr_assert(statistics_rank(TYPE_INT8, (struct datum){.integer = integers[i - 1]}, &before));
        cr_assert(statistics_rank(TYPE_INT8, (struct datum){.integer = integers[i]}, &after));
        cr_assert_lt(before, after);
    }
}

static struct datum text(const char *chars)
{
    return (struct datum){.data = (const uint8_t *)chars, .size = (uint32_t)strlen(chars)};
}

Test(statistics, rank_never_turns_the_order_of_texts_around)
{
    const char *words[] = {"", "a", "ab", "abcdefgh", "abcdefghi", "b", "\xc3\xa9"};
    for (size_t i = 1; i < 7; i++) {
        uint64_t before, after;
        cr_assert(statistics_rank(TYPE_TEXT, text(words[i - 1]), &before));
        cr_assert(statistics_rank(TYPE_TEXT, text(words[i]), &after));
        cr_assert_leq(before, after);
    }
}

Test(statistics, encoding_round_trip_and_truncation)
{
    struct arena arena;
    struct buffer out;
    struct table_statistics back;
    uint64_t bounds[] = {5, 5, 9, UINT64_MAX};
    struct column_statistics column = {
        .column_id = 3, .distinct_count = 7, .null_count = 1, .size_average = 8, .bound_count = 4, .bounds = bounds};
    struct table_statistics statistics = {
        .name = "s", .created_us = 42, .row_count = 11, .columns = &column, .column_count = 1};
    arena_init(&arena, NULL);
    buffer_init(&out, &arena);
    statistics_encode(&out, &statistics);
    struct bytes encoded = buffer_bytes(&out);
    cr_assert(!failed(statistics_decode(&arena, encoded, &back)));
    cr_assert_eq(back.row_count, 11);
    cr_assert_eq(back.columns[0].bound_count, 4);
    for (uint32_t i = 0; i < 4; i++) cr_assert_eq(back.columns[0].bounds[i], bounds[i]);
    for (size_t size = 0; size < encoded.size; size++) {
        struct status st = statistics_decode(&arena, (struct bytes){encoded.data, size}, &back);
        cr_assert(failed(st) || size == 0, "a cut at %zu passes", size);
    }
    arena_fini(&arena);
}
