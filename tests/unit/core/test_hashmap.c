// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/hash.h"
#include "core/hashmap.h"

#define COUNT 3000

Test(hashmap, agrees_with_an_array_under_random_puts_and_removes)
{
    struct hashmap map;
    hashmap_init(&map, NULL);
    static uintptr_t model[COUNT];
    uint64_t random = 42;
    uint32_t live = 0;
    for (uint32_t step = 0; step < 100000; step++) {
        random = hash_u64(random + step);
        uint64_t key = random % COUNT;
        void *was = (void *)model[key];
        if (random >> 60 < 7) {
            cr_assert_eq(hashmap_remove_u64(&map, key), was);
            live -= was != NULL;
            model[key] = 0;
        } else {
            cr_assert_eq(hashmap_put_u64(&map, key, (void *)(uintptr_t)(step + 1)), was);
            live += was == NULL;
            model[key] = step + 1;
        }
        cr_assert_eq(map.count, live);
    }
    for (uint64_t key = 0; key < COUNT; key++)
        cr_assert_eq(hashmap_get_u64(&map, key), (void *)model[key]);
    uint32_t cursor = 0, met = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&map, &cursor)); met++)
        cr_assert_eq(entry->value, (void *)model[hashmap_entry_u64(entry)]);
    cr_assert_eq(met, live);
    cr_assert_lt(map.capacity, 4 * COUNT, "gaps are reused");
    hashmap_fini(&map);
}

Test(hashmap, iterates_in_order_of_insertion)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct hashmap map;
    hashmap_init(&map, &arena);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        cr_assert_null(hashmap_put_copy(&map, bytes_of_string(key), (void *)(uintptr_t)(i + 1)));
    }
    cr_assert_eq(hashmap_get_string(&map, "key41"), (void *)42);
    for (int i = 0; i < 100; i += 2) {
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        cr_assert_not_null(hashmap_remove(&map, bytes_of_string(key)));
    }
    uint32_t cursor = 0;
    for (int i = 1; i < 100; i += 2) {
        struct hashmap_entry *entry = hashmap_next(&map, &cursor);
        cr_assert_eq(entry->value, (void *)(uintptr_t)(i + 1));
    }
    cr_assert_null(hashmap_next(&map, &cursor));
    arena_fini(&arena);
}

Test(hashmap, the_empty_key_is_a_key_and_clear_forgets)
{
    struct hashmap map = {0};
    cr_assert_null(hashmap_get(&map, (struct bytes){NULL, 0}));
    hashmap_put(&map, (struct bytes){NULL, 0}, "nothing");
    cr_assert_str_eq(hashmap_get(&map, BYTES_LITERAL("")), "nothing");
    cr_assert_null(hashmap_get_string(&map, "a"));
    hashmap_clear(&map);
    cr_assert_null(hashmap_get(&map, BYTES_LITERAL("")));
    hashmap_put(&map, BYTES_LITERAL("x"), "again");
    cr_assert_eq(map.count, 1);
    hashmap_fini(&map);
}
