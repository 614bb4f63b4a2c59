// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranks keep the order of values; statistics survive their encoding, and bytes that are none are refused.
#include <criterion/criterion.h>

#include "sql/catalog/descriptor.h"
#include "sql/plan/statistics.h"

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
    struct group_estimate group = {3, 7};
    struct dependency_estimate dependency = {1, 1, 0.5};
    uint64_t hashes[] = {1, 0};
    const char *texts[] = {"one", NULL};
    struct common_estimate common = {hashes, texts, 0.25, 0.125};
    struct expression_estimate expression = {3, 0.5, 4};
    struct statistics_estimate joint = {.id = 9, .groups = &group, .group_count = 1, .dependencies = &dependency,
        .dependency_count = 1, .common = &common, .common_count = 1, .member_count = 2,
        .expressions = &expression, .expression_count = 1};
    struct table_statistics statistics = {.name = "s", .created_us = 42, .row_count = 11, .columns = &column,
        .column_count = 1, .joint = &joint, .joint_count = 1};
    arena_init(&arena, NULL);
    buffer_init(&out, &arena);
    statistics_encode(&out, &statistics);
    struct bytes encoded = buffer_bytes(&out);
    cr_assert(!failed(statistics_decode(&arena, encoded, &back)));
    cr_assert_eq(back.row_count, 11);
    cr_assert_eq(back.columns[0].bound_count, 4);
    for (uint32_t i = 0; i < 4; i++) cr_assert_eq(back.columns[0].bounds[i], bounds[i]);
    const struct statistics_estimate *read = &back.joint[0];
    cr_assert_eq(back.joint_count, 1);
    cr_assert(read->groups[0].members == 3 && read->groups[0].distinct == 7);
    cr_assert(read->dependencies[0].from == 1 && read->dependencies[0].to == 1 && read->dependencies[0].degree == 0.5);
    cr_assert(read->common[0].hashes[0] == 1 && read->common[0].frequency == 0.25);
    cr_assert_str_eq(read->common[0].texts[0], "one");
    cr_assert_null(read->common[0].texts[1]);
    cr_assert(read->expressions[0].distinct == 3 && read->expressions[0].null_fraction == 0.5);
    for (size_t size = 0; size < encoded.size; size++) {
        struct status st = statistics_decode(&arena, (struct bytes){encoded.data, size}, &back);
        cr_assert(failed(st) || size == 0, "a cut at %zu passes", size);
    }
    arena_fini(&arena);
}

Test(statistics, a_table_of_all_columns_and_a_hidden_key_has_some)
{
    static struct column_statistics columns[TABLE_COLUMNS_MAX + 1];
    struct arena arena;
    struct buffer out;
    struct table_statistics back;
    struct table_statistics statistics = {.name = "s", .columns = columns, .column_count = TABLE_COLUMNS_MAX + 1};
    arena_init(&arena, NULL);
    buffer_init(&out, &arena);
    for (uint32_t i = 0; i < statistics.column_count; i++) columns[i].column_id = i + 1;
    statistics_encode(&out, &statistics);
    cr_assert(!failed(statistics_decode(&arena, buffer_bytes(&out), &back)));
    cr_assert(back.column_count == TABLE_COLUMNS_MAX + 1 && back.columns[TABLE_COLUMNS_MAX].column_id == TABLE_COLUMNS_MAX + 1);
    arena_fini(&arena);
}
