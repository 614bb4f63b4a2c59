// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "core/arena_adopt.h"

Test(arena, allocations_are_aligned_disjoint_and_writable)
{
    struct arena arena;
    arena_init(&arena, NULL);
    uint8_t *last = NULL;
    for (size_t size = 0; size < 3000; size += 7) {
        uint8_t *at = arena_alloc(&arena, size);
        cr_assert_not_null(at);
        cr_assert_eq((uintptr_t)at % 8, 0);
        cr_assert(at != last || size <= 7); // The first was empty: it may share its place.
        memset(at, (int)size, size);
        last = at;
    }
    cr_assert_eq((uintptr_t)arena_alloc_aligned(&arena, 10, 4096) % 4096, 0);
    uint8_t *large = arena_alloc(&arena, 1 << 20);
    memset(large, 1, 1 << 20);
    arena_fini(&arena);
}

Test(arena, a_size_near_the_end_of_the_address_space_does_not_wrap)
{
    struct arena arena;
    arena_init(&arena, NULL);
    arena_alloc(&arena, 1);
    cr_assert_null(arena_try_alloc(&arena, SIZE_MAX - 4));
    cr_assert_null(arena_try_alloc(&arena, SIZE_MAX / 2));
    arena_fini(&arena);
}

Test(arena, release_goes_back_to_the_mark_and_keeps_what_was_before)
{
    struct memory_account account;
    memory_account_init(&account, NULL, "test", 0);
    struct arena arena;
    arena_init(&arena, &account);
    char *kept = arena_strdup(&arena, "kept");
    struct arena_mark mark = arena_mark(&arena);
    uint64_t used = account.used_bytes;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 1000; i++)
            memset(arena_alloc(&arena, 300), i, 300);
        arena_release(&arena, mark);
        cr_assert_eq(account.used_bytes, used);
        cr_assert_str_eq(kept, "kept");
    }
    arena_fini(&arena);
    memory_account_fini(&account);
}

Test(arena, accounts_charge_their_parents_and_give_everything_back)
{
    struct memory_account node, tenant, statement;
    memory_account_init(&node, NULL, "node", 0);
    memory_account_init(&tenant, &node, "tenant", 1 << 20);
    memory_account_init(&statement, &tenant, "statement", 0);
    struct arena arena;
    arena_init(&arena, &statement);
    arena_alloc(&arena, 100000);
    cr_assert_geq(node.used_bytes, 100000);
    cr_assert_eq(node.used_bytes, statement.used_bytes);
    cr_assert_eq(tenant.used_bytes, statement.used_bytes);
    arena_reset(&arena);
    cr_assert_eq(node.used_bytes, 0);
    cr_assert_geq(node.peak_bytes, 100000);
    arena_fini(&arena);
    memory_account_grow(&statement, 77); // What an account's own holder forgets goes back too.
    memory_account_fini(&statement);
    cr_assert_eq(node.used_bytes, 0);
}

Test(arena, over_the_limit_small_allocations_succeed_and_the_check_says_53200)
{
    struct memory_account node, tenant;
    memory_account_init(&node, NULL, "node", 0);
    memory_account_init(&tenant, &node, "tenant 7", 32 << 10);
    struct arena arena;
    arena_init(&arena, &tenant);
    cr_assert(!failed(arena_check(&arena)));
    for (int i = 0; i < 100; i++)
        cr_assert_not_null(arena_alloc(&arena, 1000));
    cr_assert(arena_over_limit(&arena));
    struct status st = arena_check(&arena);
    cr_assert(status_is(st, E_OUT_OF_MEMORY));
    cr_assert_not_null(strstr(st.message, "memory budget exceeded"));
    cr_assert_not_null(strstr(st.message, "tenant 7"));
    cr_assert_null(arena_try_alloc(&arena, 100000), "a size from data is refused at the limit");
    arena_fini(&arena);
    memory_account_fini(&tenant);
}

Test(arena, the_newest_allocation_grows_in_place)
{
    struct arena arena;
    arena_init(&arena, NULL);
    uint8_t *first = arena_alloc(&arena, 100);
    memset(first, 1, 100);
    cr_assert_eq(arena_grow(&arena, first, 100, 200), first);
    arena_alloc(&arena, 1);
    uint8_t *moved = arena_grow(&arena, first, 200, 300);
    cr_assert_neq(moved, first);
    cr_assert_eq(moved[99], 1);
    arena_fini(&arena);
}

// Something that has grown large grows on where it is, whatever was allocated since; it is charged as it grows, and goes with
// what was allocated after the same mark.
Test(arena, what_has_grown_large_stays_where_it_is)
{
    struct memory_account account;
    memory_account_init(&account, NULL, "test", 0);
    struct arena arena;
    arena_init(&arena, &account);
    char *kept = arena_strdup(&arena, "kept");
    const uint64_t used = account.used_bytes;
    struct arena_mark mark = arena_mark(&arena);
    for (int round = 0; round < 2; round++) {
        size_t size = 1;
        uint8_t *data = arena_alloc(&arena, size);
        *data = 1;
        for (; size < 64u << 20; size *= 2) {
            uint8_t *const before = data;
            data = arena_grow(&arena, data, size, size * 2);
            if (size >= 8u << 20) cr_assert_eq(data, before, "at %zu", size);
            cr_assert_geq(account.used_bytes, size * 2);
            cr_assert_eq(*data, 1);
            data[size] = 2;
            data[size * 2 - 1] = 3;
            memset(arena_alloc(&arena, 100), 4, 100);
            cr_assert_eq(data[size * 2 - 1], 3);
        }
        data = arena_grow(&arena, data, size, size + 1); // Not of a round size.
        data[size] = 5;
        memset(arena_alloc(&arena, 100), 4, 100);
        cr_assert_eq(data[size], 5);
        arena_release(&arena, mark);
        cr_assert_eq(account.used_bytes, used);
        cr_assert_str_eq(kept, "kept");
    }
    arena_fini(&arena);
    memory_account_fini(&account);
}

// What lay in the one lies in the other, where it was, is charged there, and goes with what was there before.
Test(arena, adopts_what_another_has)
{
    for (int fill = 0; fill < 2; fill++) {
        struct memory_account parent, account, other;
        memory_account_init(&parent, NULL, "parent", 0);
        memory_account_init(&account, &parent, "account", 0);
        memory_account_init(&other, NULL, "other", 0);
        struct arena into, from;
        arena_init(&into, &account);
        arena_init(&from, &other);
        char *kept = fill ? arena_strdup(&into, "kept") : NULL;
        struct arena_mark mark = arena_mark(&into);
        char *first = arena_strdup(&from, "first");
        memset(arena_alloc(&from, 200000), 7, 200000);
        char *last = arena_strdup(&from, "last");
        const uint64_t bytes = other.used_bytes, before = account.used_bytes;
        arena_adopt(&into, &from);
        cr_assert_eq(other.used_bytes, 0);
        cr_assert_eq(account.used_bytes, before + bytes);
        cr_assert_eq(parent.used_bytes, before + bytes);
        char *next = arena_strdup(&into, "next");
        cr_assert_str_eq(first, "first");
        cr_assert_str_eq(last, "last");
        cr_assert_str_eq(next, "next");
        if (fill) arena_release(&into, mark); // What came in before the newest block stays.
        if (fill) cr_assert_str_eq(kept, "kept");
        arena_adopt(&into, &from); // Nothing.
        arena_fini(&from);
        memory_account_fini(&other);
        arena_fini(&into);
        cr_assert_eq(parent.used_bytes, 0);
        memory_account_fini(&account);
        memory_account_fini(&parent);
    }
}

Test(arena, text_and_buffers)
{
    struct arena arena;
    arena_init(&arena, NULL);
    char *text = arena_printf(&arena, "%s %d", "seven", 7);
    cr_assert_str_eq(text, "seven 7");
    char *wide = arena_printf(&arena, "%0500d", 1);
    cr_assert_eq(strlen(wide), 500);
    struct buffer buffer;
    buffer_init(&buffer, &arena);
    for (int i = 0; i < 1000; i++)
        buffer_printf(&buffer, "%d,", i);
    buffer_printf(&buffer, "%0100d", 5);
    cr_assert_eq(buffer.size, 10 * 2 + 90 * 3 + 900 * 4 + 100);
    cr_assert(strncmp(buffer_string(&buffer), "0,1,2,", 6) == 0);
    arena_fini(&arena);
}
