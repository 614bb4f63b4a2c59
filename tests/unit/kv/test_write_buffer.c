// SPDX-License-Identifier: GPL-3.0-or-later
//
// The write buffer against a plain array that is searched from end to end.
#include <criterion/criterion.h>
#include <stdio.h>

#include "kv/write_buffer.h"

#define KEYS 200

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static struct bytes key_of(char text[8], uint32_t number)
{
    snprintf(text, 8, "%05u", number);
    return bytes_of_string(text);
}

// What the buffer should hold: value 0 none, 1 deleted, above: put.
struct plain {
    uint32_t values[KEYS];
};

static void check_same(const struct write_buffer *buffer, const struct plain *plain)
{
    uint64_t live = 0;
    const struct write_node *node = write_buffer_seek(buffer, (struct bytes){0});
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[8];
        struct bytes key = key_of(text, i);
        const struct write_node *found = write_buffer_find(buffer, key);
        cr_assert_eq(found != NULL, plain->values[i] != 0);
        if (found == NULL) continue;
        live++;
        cr_assert_eq(found, node, "in order, and nothing else");
        cr_assert_eq(found->kind == WRITE_DELETE, plain->values[i] == 1);
        if (found->kind == WRITE_PUT) {
            cr_assert_eq(found->value.size, sizeof plain->values[i]);
            cr_assert_eq(memcmp(found->value.data, &plain->values[i], 4), 0);
        }
        node = write_node_next(node);
    }
    cr_assert_null(node);
    cr_assert_eq(buffer->count, live);

    node = write_buffer_seek_below(buffer, BYTES_LITERAL("\xff"));
    for (uint32_t i = KEYS; i-- > 0;) {
        if (plain->values[i] == 0) continue;
        char text[8];
        cr_assert(bytes_equal(node->key, key_of(text, i)), "backwards it is the same");
        node = write_node_previous(node);
    }
    cr_assert_null(node);
}

Test(write_buffer, is_an_ordered_map_with_marks)
{
    struct arena arena;
    arena_init(&arena, NULL);
    for (random_state = 1; random_state < 40; random_state++) {
        uint64_t seed = random_state;
        struct write_buffer buffer;
        struct plain plain = {0};
        struct plain saved[8];
        uint64_t marks[8];
        uint32_t mark_count = 0;
        write_buffer_init(&buffer, &arena);
        for (uint32_t step = 1; step < 400; step++) {
            char text[8];
            uint32_t at = draw(KEYS);
            uint32_t what = draw(100);
            uint32_t value = step + 1;
            if (what < 60) {
                write_buffer_put(&buffer, key_of(text, at), bytes_of(&value, 4), false);
                plain.values[at] = value;
            } else if (what < 85) {
                write_buffer_delete(&buffer, key_of(text, at));
                plain.values[at] = 1;
            } else if (what < 93 && mark_count < 8) {
                saved[mark_count] = plain;
                marks[mark_count++] = write_buffer_mark(&buffer);
            } else if (mark_count > 0) {
                mark_count = draw(mark_count);
                write_buffer_rollback(&buffer, marks[mark_count]);
                plain = saved[mark_count];
            }
        }
        check_same(&buffer, &plain);
        random_state = seed;
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

Test(write_buffer, seeks_to_the_nearest_live_write)
{
    struct arena arena;
    struct write_buffer buffer;
    arena_init(&arena, NULL);
    write_buffer_init(&buffer, &arena);
    cr_assert_null(write_buffer_seek(&buffer, BYTES_LITERAL("a")));
    cr_assert_null(write_buffer_seek_below(&buffer, BYTES_LITERAL("a")));
    write_buffer_put(&buffer, BYTES_LITERAL("b"), BYTES_LITERAL("1"), false);
    uint64_t mark = write_buffer_mark(&buffer);
    write_buffer_put(&buffer, BYTES_LITERAL("d"), BYTES_LITERAL("2"), false);
    write_buffer_put(&buffer, BYTES_LITERAL("f"), BYTES_LITERAL("3"), true);
    write_buffer_rollback(&buffer, mark);
    write_buffer_put(&buffer, BYTES_LITERAL("f"), BYTES_LITERAL("4"), false);
    cr_assert(bytes_equal(write_buffer_seek(&buffer, BYTES_LITERAL("c"))->key, BYTES_LITERAL("f")));
    cr_assert(
        bytes_equal(write_buffer_seek_below(&buffer, BYTES_LITERAL("f"))->key, BYTES_LITERAL("b")));
    cr_assert_null(write_buffer_seek_below(&buffer, BYTES_LITERAL("b")));
    cr_assert_not(write_buffer_find(&buffer, BYTES_LITERAL("f"))->checked,
        "a write that was rolled back leaves no condition");
    arena_fini(&arena);
}

Test(write_buffer, takes_a_million_rows)
{
    struct arena arena;
    struct write_buffer buffer;
    arena_init(&arena, NULL);
    write_buffer_init(&buffer, &arena);
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t number = __builtin_bswap32(i % 2 == 0 ? i : i * 2654435761u);
        write_buffer_put(&buffer, bytes_of(&number, 4), bytes_of(&i, 4), false);
    }
    uint64_t count = 0;
    const struct write_node *node = write_buffer_seek(&buffer, (struct bytes){0});
    for (; node != NULL; node = write_node_next(node)) count++;
    cr_assert_eq(count, buffer.count);
    cr_assert_gt(count, 700000);
    arena_fini(&arena);
}
