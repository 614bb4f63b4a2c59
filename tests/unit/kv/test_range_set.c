// SPDX-License-Identifier: GPL-3.0-or-later
//
// Range sets answer for exactly the keys that they were given; descriptors come back as written.
#include <criterion/criterion.h>

#include "kv/range.h"

static struct range make(uint64_t id, const char *start, const char *end)
{
    return (struct range){.id = id,
        .span = {bytes_of_string(start), bytes_of_string(end)},
        .slice = 1,
        .generation = 1};
}

static struct range_set *set_of(const struct range *ranges, uint32_t count)
{
    struct range_set *set;
    cr_assert_not(failed(range_set_create(&set)));
    for (uint32_t i = 0; i < count; i++) cr_assert_not(failed(range_set_add(set, &ranges[i])));
    return set;
}

static uint64_t id_of(const struct range_entry *entry)
{
    return entry == NULL ? 0 : entry->range.id;
}

Test(range_set, finds_by_key_and_from_below)
{
    const struct range ranges[] = {make(3, "m", "p"), make(1, "b", "d"), make(2, "d", "g")};
    struct range_set *set = set_of(ranges, 3);
    static const struct {
        const char *key;
        uint64_t at, below;
    } rows[] = {
        {"a", 0, 0}, {"b", 1, 0}, {"c", 1, 1}, {"d", 2, 1}, {"f", 2, 2}, {"g", 0, 2},
        {"k", 0, 0}, {"m", 3, 0}, {"o", 3, 3}, {"p", 0, 3}, {"q", 0, 0},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes key = bytes_of_string(rows[i].key);
        cr_expect_eq(id_of(range_set_find(set, key)), rows[i].at, "%s", rows[i].key);
        cr_expect_eq(id_of(range_set_find_below(set, key)), rows[i].below, "%s", rows[i].key);
    }
    cr_assert(range_set_covers(set, (struct span){BYTES_LITERAL("b"), BYTES_LITERAL("g")}));
    cr_assert_not(range_set_covers(set, (struct span){BYTES_LITERAL("b"), BYTES_LITERAL("n")}));
    range_set_remove(set, BYTES_LITERAL("d"));
    cr_assert_null(range_set_find(set, BYTES_LITERAL("e")));
    range_set_destroy(set);
}

Test(range_set, what_is_added_replaces_what_it_overlaps)
{
    const struct range ranges[] = {make(1, "a", "z"), make(2, "f", "k"), make(3, "j", "m")};
    struct range_set *set = set_of(ranges, 3);
    static const struct {
        const char *key;
        uint64_t id;
    } rows[] = {{"a", 1}, {"e", 1}, {"f", 2}, {"i", 2}, {"j", 3}, {"l", 3}, {"m", 1}, {"y", 1}};
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(id_of(range_set_find(set, bytes_of_string(rows[i].key))), rows[i].id, "%s",
            rows[i].key);
    }
    cr_assert(range_set_covers(set, (struct span){BYTES_LITERAL("a"), BYTES_LITERAL("z")}));
    // Adding what is there already changes nothing, also when the bounds given are the set's own.
    cr_assert_not(failed(range_set_add(set, &range_set_find(set, BYTES_LITERAL("j"))->range)));
    cr_assert_eq(set->count, 4);
    range_set_destroy(set);
}

Test(range, descriptors_survive_encoding_and_refuse_damage)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct range range = make(77, "some start", "some start2");
    range.slice = 12;
    range.generation = 1ull << 40;
    struct bytes encoded = range_encode(&arena, &range);
    struct range decoded;
    cr_assert_not(failed(range_decode(encoded, &decoded)));
    cr_assert_eq(decoded.id, 77);
    cr_assert_eq(decoded.slice, 12);
    cr_assert_eq(decoded.generation, 1ull << 40);
    cr_assert(bytes_equal(decoded.span.start, range.span.start));
    cr_assert(bytes_equal(decoded.span.end, range.span.end));
    for (size_t size = 0; size < encoded.size - 1; size++) {
        (void)!failed(range_decode(bytes_of(encoded.data, size), &decoded));
    }
    cr_assert(failed(range_decode(bytes_of(encoded.data, 20), &decoded)));
    uint8_t *changed = (uint8_t *)(uintptr_t)encoded.data;
    changed[25] = 0xff;
    cr_assert(failed(range_decode(encoded, &decoded)), "a start longer than the value");
    arena_fini(&arena);
}
