// SPDX-License-Identifier: GPL-3.0-or-later
//
// The read set never forgets what was read, however coarse it becomes.
#include <criterion/criterion.h>
#include <stdio.h>

#include "kv/read_set.h"

static struct bytes number_key(uint32_t *storage, uint32_t number)
{
    *storage = __builtin_bswap32(number);
    return bytes_of(storage, 4);
}

static bool covers(struct read_set *set, struct bytes key)
{
    uint32_t count;
    const struct read_entry *entries = read_set_entries(set, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (read_entry_is_key(&entries[i])) {
            if (bytes_equal(entries[i].start, key)) return true;
        } else if (span_contains((struct span){entries[i].start, entries[i].end}, key)) {
            return true;
        }
    }
    return false;
}

Test(read_set, keeps_a_key_once)
{
    struct arena arena;
    struct read_set set;
    arena_init(&arena, NULL);
    read_set_init(&set, &arena);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 100; i++) {
            uint32_t storage;
            read_set_add_key(&set, number_key(&storage, i * 7));
        }
    }
    cr_assert_eq(set.count, 100);
    arena_fini(&arena);
}

Test(read_set, joins_batches_of_one_scan_in_either_direction)
{
    struct arena arena;
    struct read_set set;
    uint32_t count;
    arena_init(&arena, NULL);
    read_set_init(&set, &arena);
    read_set_add_span(&set, (struct span){BYTES_LITERAL("b"), BYTES_LITERAL("d")});
    read_set_add_span(&set, (struct span){BYTES_LITERAL("d"), BYTES_LITERAL("g")});
    cr_assert_eq(set.count, 1);
    read_set_add_span(&set, (struct span){BYTES_LITERAL("x"), BYTES_LITERAL("z")});
    read_set_add_span(&set, (struct span){BYTES_LITERAL("t"), BYTES_LITERAL("x")});
    cr_assert_eq(set.count, 2);
    read_set_add_key(&set, BYTES_LITERAL("c"));
    read_set_add_key(&set, BYTES_LITERAL("g"));
    const struct read_entry *entries = read_set_entries(&set, &count);
    cr_assert_eq(count, 2, "keys inside of a span and right at its end are part of it");
    cr_assert(bytes_equal(entries[0].end, bytes_of("g\0", 2)));
    cr_assert(bytes_equal(entries[1].start, BYTES_LITERAL("t")));
    cr_assert(covers(&set, BYTES_LITERAL("g")));
    cr_assert_not(covers(&set, BYTES_LITERAL("h")));
    read_set_clear(&set);
    cr_assert_not(covers(&set, BYTES_LITERAL("c")));
    arena_fini(&arena);
}

Test(read_set, stays_bounded_and_covers_everything)
{
    struct arena arena;
    struct read_set set;
    arena_init(&arena, NULL);
    read_set_init(&set, &arena);
    const uint32_t total = READ_SET_COUNT_MAX * 3;
    for (uint32_t i = 0; i < total; i++) {
        uint32_t storage;
        uint32_t number = i * 2654435761u;
        read_set_add_key(&set, number_key(&storage, number));
        cr_assert_leq(set.count, READ_SET_COUNT_MAX);
    }
    for (uint32_t i = 0; i < total; i += 97) {
        uint32_t storage;
        cr_assert(covers(&set, number_key(&storage, i * 2654435761u)));
    }
    arena_fini(&arena);
}
