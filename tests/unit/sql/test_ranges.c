// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges as bytes: whatever two values are, their keys compare as they do, in both directions; keys, stored and binary
// forms give the value back, and bytes that were cut short or changed are refused or read as some value.
#include "tests/unit/sql/call.h"

#include <stdio.h>

#include "sql/type/range.h"

#define VALUES 160u

static uint32_t random_below(uint64_t *state, uint64_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state % limit);
}

static struct datum random_bound_value(struct arena *arena, uint64_t *random, type_oid subtype)
{
    // Few different ones, so that bounds are often equal.
    int64_t small = (int64_t)random_below(random, 12) - 6;
    if (subtype == TYPE_NUMERIC) {
        struct datum value;
        char text[32];
        snprintf(text, sizeof text, random_below(random, 2) == 0 ? "%d.%d" : "%d.%d00", (int)small,
            (int)random_below(random, 3));
        cr_assert(!failed(type_input(arena, NULL, TYPE_OF(subtype), bytes_of_string(text), &value)));
        return value;
    }
    return datum_int(small * (random_below(random, 4) == 0 ? 100000 : 1));
}

static struct datum random_range(
    struct arena *arena, uint64_t *random, const struct range_type *type)
{
    struct range range = {.empty = true};
    while (random_below(random, 10) > 0) {
        struct range_bound bounds[2];
        for (unsigned i = 0; i < 2; i++)
            bounds[i] = (struct range_bound){.infinite = random_below(random, 5) == 0,
                .inclusive = random_below(random, 2) == 0,
                .value = random_bound_value(arena, random, type->subtype)};
        if (!failed(range_make(type, bounds[0], bounds[1], &range))) break;
        range = (struct range){.empty = true};
    }
    return range_datum(arena, type, &range);
}

static int sign_of(int order)
{
    return (order > 0) - (order < 0);
}

Test(ranges, keys_sort_as_values_do)
{
    struct arena arena;
    const struct range_type *type;
    arena_init(&arena, NULL);
    uint64_t random = 20;
    for (uint32_t i = 0; (type = range_type_at(i)) != NULL; i++) {
        struct datum values[VALUES];
        struct buffer up[VALUES], down[VALUES];
        for (uint32_t j = 0; j < VALUES; j++) {
            values[j] = random_range(&arena, &random, type);
            buffer_init(&up[j], &arena);
            buffer_init(&down[j], &arena);
            cr_assert(!failed(type_key_encode(&up[j], type->range, values[j], KEY_ASCENDING)));
            cr_assert(!failed(type_key_encode(&down[j], type->range, values[j], KEY_DESCENDING)));
        }
        for (uint32_t j = 0; j < VALUES; j++) {
            for (uint32_t k = 0; k < VALUES; k++) {
                int order = sign_of(type_compare(type->range, values[j], values[k]));
                cr_assert_eq(order,
                    sign_of(bytes_compare(buffer_bytes(&up[j]), buffer_bytes(&up[k]))));
                cr_assert_eq(order,
                    sign_of(bytes_compare(buffer_bytes(&down[k]), buffer_bytes(&down[j]))));
                if (order == 0)
                    cr_assert_eq(type_hash(type->range, values[j]), type_hash(type->range, values[k]));
            }
        }
    }
    arena_fini(&arena);
}

Test(ranges, all_forms_give_the_value_back)
{
    struct arena arena;
    const struct range_type *type;
    arena_init(&arena, NULL);
    uint64_t random = 21;
    for (uint32_t i = 0; (type = range_type_at(i)) != NULL; i++) {
        for (uint32_t j = 0; j < VALUES; j++) {
            struct datum value = random_range(&arena, &random, type), back;
            struct buffer key, sent, text;
            enum key_order order = j % 2 == 0 ? KEY_ASCENDING : KEY_DESCENDING;
            buffer_init(&key, &arena);
            buffer_init(&sent, &arena);
            buffer_init(&text, &arena);
            cr_assert(!failed(type_key_encode(&key, type->range, value, order)));
            struct bytes rest = buffer_bytes(&key);
            cr_assert(!failed(type_key_decode(&rest, type->range, order, &arena, &back)));
            cr_assert(rest.size == 0 && type_equal(type->range, value, back));
            cr_assert(type->subtype == TYPE_NUMERIC ||
                      bytes_equal(datum_as_bytes(value), datum_as_bytes(back)));
            type_send(&sent, type->range, value);
            cr_assert(!failed(
                type_receive(&arena, TYPE_OF(type->range), buffer_bytes(&sent), &back)));
            cr_assert(bytes_equal(datum_as_bytes(value), datum_as_bytes(back)));
            type_output(&text, NULL, type->range, value);
            cr_assert(!failed(
                type_input(&arena, NULL, TYPE_OF(type->range), buffer_bytes(&text), &back)));
            cr_assert(bytes_equal(datum_as_bytes(value), datum_as_bytes(back)));
            for (size_t cut = 0; cut < sent.size; cut++)
                cr_assert(failed(
                    type_receive(&arena, TYPE_OF(type->range), bytes_of(sent.data, cut), &back)));
        }
    }
    arena_fini(&arena);
}

Test(ranges, damaged_bytes_are_no_harm)
{
    struct arena arena;
    const struct range_type *type;
    arena_init(&arena, NULL);
    uint64_t random = 22;
    for (uint32_t i = 0; (type = range_type_at(i)) != NULL; i++) {
        for (uint32_t j = 0; j < VALUES; j++) {
            if (type->subtype == TYPE_NUMERIC) continue; // Whose bytes are trusted once their size is.
            struct datum value = random_range(&arena, &random, type);
            struct bytes copy = arena_copy(&arena, datum_as_bytes(value));
            struct range range;
            struct buffer text;
            ((uint8_t *)(uintptr_t)copy.data)[random_below(&random, copy.size)] =
                (uint8_t)random_below(&random, 256);
            copy.size = random_below(&random, copy.size + 1);
            (void)type_hash(type->range, datum_bytes(copy));
            (void)type_compare(type->range, datum_bytes(copy), value);
            struct status st = range_open(type, datum_bytes(copy), &range);
            (void)st;
            buffer_init(&text, &arena);
            type_output(&text, NULL, type->range, datum_bytes(copy));
        }
    }
    arena_fini(&arena);
}
