// SPDX-License-Identifier: GPL-3.0-or-later
//
// Geometric values as bytes: text, stored and binary forms give the same value back; binary forms that were cut short or changed are
// refused or read as some value, and stored bytes of whatever size are printed and sent without reading past their end.
#include "tests/unit/sql/call.h"

#include "sql/type/geometry.h"

static const struct {
    type_oid oid;
    const char *text;
} values[] = {{TYPE_POINT, "(1.5,-2)"}, {TYPE_POINT, "(NaN,-Infinity)"}, {TYPE_LINE, "{1,2,3}"},
    {TYPE_LSEG, "[(1,2),(3,4)]"}, {TYPE_BOX, "(3,4),(1,2)"}, {TYPE_PATH, "[(1,2),(3,4)]"},
    {TYPE_PATH, "((1,2),(3,4),(5,6))"}, {TYPE_POLYGON, "((1,2),(3,4),(5,0.1))"},
    {TYPE_CIRCLE, "<(1,2),3>"}, {TYPE_MONEY, "-$1,234.56"}};
#define VALUE_COUNT (sizeof values / sizeof values[0])

static const char *printed(struct arena *arena, type_oid oid, struct datum value)
{
    struct buffer out;
    buffer_init(&out, arena);
    type_output(&out, NULL, oid, value);
    return buffer_string(&out);
}

static struct bytes sent(struct arena *arena, type_oid oid, struct datum value)
{
    struct buffer out;
    buffer_init(&out, arena);
    type_send(&out, oid, value);
    return buffer_bytes(&out);
}

Test(geometry, forms_give_the_value_back)
{
    struct arena arena;
    arena_init(&arena, NULL);
    for (unsigned i = 0; i < VALUE_COUNT; i++) {
        type_oid oid = values[i].oid;
        struct datum value, again;
        struct buffer stored;
        cr_assert(!failed(type_input(&arena, NULL, TYPE_OF(oid), bytes_of_string(values[i].text), &value)));
        cr_assert_str_eq(printed(&arena, oid, value), values[i].text);
        cr_assert(!failed(type_receive(&arena, TYPE_OF(oid), sent(&arena, oid, value), &again)));
        cr_assert_str_eq(printed(&arena, oid, again), values[i].text);
        buffer_init(&stored, &arena);
        type_value_encode(&stored, oid, value);
        struct bytes in = buffer_bytes(&stored);
        cr_assert(!failed(type_value_decode(&in, oid, &again)) && in.size == 0);
        cr_assert_str_eq(printed(&arena, oid, again), values[i].text);
    }
    arena_fini(&arena);
}

Test(geometry, damaged_bytes_are_refused_or_some_value)
{
    struct arena arena;
    arena_init(&arena, NULL);
    for (unsigned i = 0; i < VALUE_COUNT; i++) {
        type_oid oid = values[i].oid;
        struct datum value, again;
        cr_assert(!failed(type_input(&arena, NULL, TYPE_OF(oid), bytes_of_string(values[i].text), &value)));
        struct bytes whole = arena_copy(&arena, sent(&arena, oid, value));
        uint8_t *bytes = (uint8_t *)(uintptr_t)whole.data;
        for (size_t size = 0; size < whole.size; size++) {
            struct bytes cut = arena_copy(&arena, bytes_of(whole.data, size));
            cr_assert_eq(type_receive(&arena, TYPE_OF(oid), cut, &again).code, E_INVALID_BINARY_REPRESENTATION);
            // As if it had been stored so.
            if (oid != TYPE_MONEY) {
                (void)printed(&arena, oid, datum_bytes(cut));
                (void)sent(&arena, oid, datum_bytes(cut));
            }
        }
        for (size_t at = 0; at < whole.size; at++) {
            bytes[at] ^= 0xff;
            if (!failed(type_receive(&arena, TYPE_OF(oid), whole, &again))) (void)printed(&arena, oid, again);
            bytes[at] ^= 0xff;
        }
    }
    arena_fini(&arena);
}

Test(geometry, parts_have_types_that_subscripts_give)
{
    cr_assert_eq(type_part(TYPE_POINT), TYPE_FLOAT8);
    cr_assert_eq(type_part(TYPE_BOX), TYPE_POINT);
    cr_assert_eq(type_part(TYPE_CIRCLE), 0);
    for (unsigned i = 0; i < VALUE_COUNT; i++) {
        bool ordered = values[i].oid == TYPE_MONEY;
        cr_assert_eq(type_is_ordered(values[i].oid), ordered);
        cr_assert_eq(type_has_key(values[i].oid), ordered);
    }
}
