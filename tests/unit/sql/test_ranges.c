// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges and multiranges as bytes: whatever two values are, their keys compare as they do, in both directions; keys, stored and binary
// forms give the value back, and bytes that were cut short or changed are refused or read as some value.
#include "tests/unit/sql/call.h"

#include <stdio.h>

#include "sql/type/multirange.h"

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

static struct datum random_multirange(
    struct arena *arena, uint64_t *random, const struct range_type *type)
{
    struct multirange_list list = {.arena = arena};
    struct datum value;
    for (uint32_t left = random_below(random, 5); left > 0; left--) {
        struct range range;
        cr_assert(!failed(range_open(type, random_range(arena, random, type), &range)));
        cr_assert(!failed(multirange_list_add(&list, &range)));
    }
    cr_assert(!failed(multirange_list_end(&list, type, &value)));
    return value;
}

// Range types and multirange types in turn; 0 past the end.
static type_oid type_at(uint32_t index)
{
    const struct range_type *type = range_type_at(index / 2);
    return type == NULL ? 0 : index % 2 == 0 ? type->range : type->multirange;
}

static struct datum random_value(struct arena *arena, uint64_t *random, type_oid oid)
{
    return type_is_multirange(oid) ? random_multirange(arena, random, multirange_type_of(oid))
                                   : random_range(arena, random, range_type_of(oid));
}

static bool is_numeric(type_oid oid)
{
    return oid == TYPE_NUMRANGE || oid == TYPE_NUMMULTIRANGE;
}

static int sign_of(int order)
{
    return (order > 0) - (order < 0);
}

Test(ranges, keys_sort_as_values_do)
{
    struct arena arena;
    type_oid oid;
    arena_init(&arena, NULL);
    uint64_t random = 20;
    for (uint32_t i = 0; (oid = type_at(i)) != 0; i++) {
        struct datum values[VALUES];
        struct buffer up[VALUES], down[VALUES];
        for (uint32_t j = 0; j < VALUES; j++) {
            values[j] = random_value(&arena, &random, oid);
            buffer_init(&up[j], &arena);
            buffer_init(&down[j], &arena);
            cr_assert(!failed(type_key_encode(&up[j], oid, values[j], KEY_ASCENDING)));
            cr_assert(!failed(type_key_encode(&down[j], oid, values[j], KEY_DESCENDING)));
        }
        for (uint32_t j = 0; j < VALUES; j++) {
            for (uint32_t k = 0; k < VALUES; k++) {
                int order = sign_of(type_compare(oid, values[j], values[k]));
                cr_assert_eq(order,
                    sign_of(bytes_compare(buffer_bytes(&up[j]), buffer_bytes(&up[k]))));
                cr_assert_eq(order,
                    sign_of(bytes_compare(buffer_bytes(&down[k]), buffer_bytes(&down[j]))));
                if (order == 0)
                    cr_assert_eq(type_hash(oid, values[j]), type_hash(oid, values[k]));
            }
        }
    }
    arena_fini(&arena);
}

Test(ranges, all_forms_give_the_value_back)
{
    struct arena arena;
    type_oid oid;
    arena_init(&arena, NULL);
    uint64_t random = 21;
    for (uint32_t i = 0; (oid = type_at(i)) != 0; i++) {
        for (uint32_t j = 0; j < VALUES; j++) {
            struct datum value = random_value(&arena, &random, oid), back;
            struct buffer key, sent, text;
            enum key_order order = j % 2 == 0 ? KEY_ASCENDING : KEY_DESCENDING;
            buffer_init(&key, &arena);
            buffer_init(&sent, &arena);
            buffer_init(&text, &arena);
            cr_assert(!failed(type_key_encode(&key, oid, value, order)));
            struct bytes rest = buffer_bytes(&key);
            cr_assert(!failed(type_key_decode(&rest, oid, order, &arena, &back)));
            cr_assert(rest.size == 0 && type_equal(oid, value, back));
            cr_assert(is_numeric(oid) ||
                      bytes_equal(datum_as_bytes(value), datum_as_bytes(back)));
            type_send(&sent, oid, value);
            cr_assert(!failed(
                type_receive(&arena, TYPE_OF(oid), buffer_bytes(&sent), &back)));
            cr_assert(bytes_equal(datum_as_bytes(value), datum_as_bytes(back)));
            type_output(&text, NULL, oid, value);
            cr_assert(!failed(
                type_input(&arena, NULL, TYPE_OF(oid), buffer_bytes(&text), &back)));
            cr_assert(bytes_equal(datum_as_bytes(value), datum_as_bytes(back)));
            for (size_t cut = 0; cut < sent.size; cut++)
                cr_assert(failed(
                    type_receive(&arena, TYPE_OF(oid), bytes_of(sent.data, cut), &back)));
        }
    }
    arena_fini(&arena);
}

Test(ranges, damaged_bytes_are_no_harm)
{
    struct arena arena;
    type_oid oid;
    arena_init(&arena, NULL);
    uint64_t random = 22;
    for (uint32_t i = 0; (oid = type_at(i)) != 0; i++) {
        for (uint32_t j = 0; j < VALUES; j++) {
            if (is_numeric(oid)) continue; // Whose bytes are trusted once their size is.
            struct datum value = random_value(&arena, &random, oid);
            struct bytes copy = arena_copy(&arena, datum_as_bytes(value));
            struct range range;
            struct buffer text;
            ((uint8_t *)(uintptr_t)copy.data)[random_below(&random, copy.size)] =
                (uint8_t)random_below(&random, 256);
            copy.size = random_below(&random, copy.size + 1);
            (void)type_hash(oid, datum_bytes(copy));
            (void)type_compare(oid, datum_bytes(copy), value);
            struct multirange_cursor cursor;
            if (!failed(multirange_open(oid, datum_bytes(copy), &cursor)))
                while (multirange_next(&cursor, &range)) continue;
            buffer_init(&text, &arena);
            type_output(&text, NULL, oid, datum_bytes(copy));
        }
    }
    arena_fini(&arena);
}
