// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/frontier.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct span span_of(const char *start, const char *end)
{
    return (struct span){bytes_of_string(start), bytes_of_string(end)};
}

static struct hlc_timestamp at(uint64_t ns)
{
    return (struct hlc_timestamp){ns, 0};
}

// The minimum counts, whatever streams the spans belong to; what lies beyond the span does not.
Test(frontier, its_minimum_is_that_of_all_pieces)
{
    struct frontier frontier;
    frontier_init(&frontier, span_of("b", "y"));
    cr_assert(hlc_is_zero(frontier_min(&frontier)));
    frontier_forward(&frontier, span_of("a", "m"), at(10));
    cr_assert(hlc_is_zero(frontier_min(&frontier)));
    frontier_forward(&frontier, span_of("m", "z"), at(20));
    cr_assert_eq(frontier_min(&frontier).wall_ns, 10);
    cr_assert_eq(frontier_min_of(&frontier, span_of("n", "o")).wall_ns, 20);
    cr_assert_eq(frontier_min_of(&frontier, span_of("l", "o")).wall_ns, 10);
    cr_assert_eq(frontier.count, 2);
    frontier_forward(&frontier, span_of("c", "d"), at(20));
    frontier_forward(&frontier, span_of("a", "z"), at(15));
    cr_assert_eq(frontier_min(&frontier).wall_ns, 15);
    frontier_forward(&frontier, span_of("a", "z"), at(20));
    cr_assert_eq(frontier.count, 1, "equal neighbours are one");
    frontier_fini(&frontier);
}

Test(frontier, what_is_missing_is_told_piece_by_piece)
{
    struct frontier frontier;
    struct arena arena;
    struct span *missing;
    uint32_t count;
    arena_init(&arena, NULL);
    frontier_init(&frontier, span_of("a", "z"));
    frontier_forward(&frontier, span_of("c", "e"), at(1));
    frontier_forward(&frontier, span_of("g", "k"), at(2));
    frontier_missing(&frontier, &arena, span_of("b", "h"), &missing, &count);
    cr_assert_eq(count, 2);
    cr_assert(bytes_equal(missing[0].start, BYTES_LITERAL("b")));
    cr_assert(bytes_equal(missing[0].end, BYTES_LITERAL("c")));
    cr_assert(bytes_equal(missing[1].start, BYTES_LITERAL("e")));
    cr_assert(bytes_equal(missing[1].end, BYTES_LITERAL("g")));
    frontier_missing(&frontier, &arena, span_of("h", "i"), &missing, &count);
    cr_assert_eq(count, 0);
    frontier_fini(&frontier);
    arena_fini(&arena);
}

// Against one time for each of 26 keys: any order of marks, none ever goes back, and bytes give it back.
Test(frontier, is_what_a_table_of_all_keys_says)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct frontier frontier;
        uint64_t table[26] = {0};
        srand(seed);
        frontier_init(&frontier, span_of("a", "{"));
        for (unsigned step = 0; step < 60; step++) {
            char from[2] = {(char)('a' + rand() % 26), 0}, to[2] = {(char)('a' + rand() % 27), 0};
            uint64_t ts = (uint64_t)(rand() % 40);
            frontier_forward(&frontier, span_of(from, to), at(ts));
            for (char c = from[0]; c < to[0]; c++)
                if (table[c - 'a'] < ts) table[c - 'a'] = ts;
            uint64_t min = UINT64_MAX;
            uint32_t pieces = 0;
            for (unsigned i = 0; i < 26; i++) {
                char one[2] = {(char)('a' + i), 0}, next[2] = {(char)('b' + i), 0};
                cr_assert_eq(frontier_min_of(&frontier, span_of(one, next)).wall_ns, table[i]);
                if (table[i] < min) min = table[i];
                pieces += i == 0 || table[i] != table[i - 1];
            }
            cr_assert_eq(frontier_min(&frontier).wall_ns, min);
            cr_assert_eq(frontier.count, pieces);
        }
        struct arena arena;
        struct buffer out;
        struct frontier back;
        arena_init(&arena, NULL);
        buffer_init(&out, &arena);
        frontier_encode(&out, &frontier);
        struct codec_reader in = codec_read(buffer_bytes(&out));
        cr_assert(!failed(frontier_decode(&in, span_of("a", "{"), &back)));
        cr_assert(codec_done(&in) && back.count == frontier.count);
        for (uint32_t i = 0; i < back.count; i++)
            cr_assert(hlc_equal(back.pieces[i].ts, frontier.pieces[i].ts) &&
                      bytes_equal(back.pieces[i].start, frontier.pieces[i].start));
        frontier_fini(&back);
        for (size_t size = 0; size < buffer_bytes(&out).size; size++) {
            in = codec_read(bytes_of(out.data, size));
            cr_assert(failed(frontier_decode(&in, span_of("a", "{"), &back)), "cut to %zu", size);
        }
        frontier_fini(&frontier);
        arena_fini(&arena);
    }
}

// At the bound some of it stays behind; nothing is ever said to be here that is not.
Test(frontier, is_bounded)
{
    struct frontier frontier;
    frontier_init(&frontier, span_of("a", "z"));
    for (uint32_t i = 0; i < FRONTIER_PIECES_MAX + 100; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "b%08u", 2 * i);
        snprintf(to, sizeof to, "b%08u", 2 * i + 1);
        frontier_forward(&frontier, span_of(from, to), at(i + 1));
    }
    cr_assert_leq(frontier.count, FRONTIER_PIECES_MAX);
    cr_assert(hlc_is_zero(frontier_min(&frontier)));
    frontier_forward(&frontier, span_of("a", "z"), at(1000000));
    cr_assert_eq(frontier_min(&frontier).wall_ns, 1000000);
    frontier_fini(&frontier);
}
