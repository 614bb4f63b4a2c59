// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <math.h>

#include "kv/key.h"

static struct arena arena;
static uint64_t seed;

static void setup(void)
{
    arena_init(&arena, NULL);
    seed = 42;
}
static void teardown(void)
{
    arena_fini(&arena);
}
TestSuite(key, .init = setup, .fini = teardown);

static uint64_t next_random(void)
{
    seed += 0x9e3779b97f4a7c15u;
    uint64_t x = seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
// Numbers of all sizes, with many near the powers of two.
static uint64_t random_u64(void)
{
    uint64_t x = next_random() >> (next_random() % 64);
    if (next_random() % 4 == 0) x = (UINT64_C(1) << (next_random() % 64)) - next_random() % 2;
    return x;
}
static int sign_of(int x)
{
    return (x > 0) - (x < 0);
}

// The order of encoded numbers is the order of the numbers, and each decodes to itself.
Test(key, uvarint_keeps_order)
{
    for (int i = 0; i < 5000; i++) {
        uint64_t a = random_u64(), b = random_u64(), back;
        struct buffer ka, kb;
        buffer_init(&ka, &arena);
        buffer_init(&kb, &arena);
        key_append_uvarint(&ka, a);
        key_append_uvarint(&kb, b);
        cr_assert_eq(
            sign_of(bytes_compare(buffer_bytes(&ka), buffer_bytes(&kb))), (a > b) - (a < b));
        struct bytes rest = buffer_bytes(&ka);
        cr_assert(!failed(key_decode_uvarint(&rest, &back)) && back == a && rest.size == 0);
    }
}

Test(key, uvarint_refuses_what_it_never_writes)
{
    static const struct {
        uint8_t bytes[9];
        size_t size;
        const char *why;
    } rows[] = {
        {{0}, 0, "empty"},
        {{0xf8}, 1, "its byte is missing"},
        {{0xf8, 0x01}, 2, "a small number in the long form"},
        {{0xf9, 0x00, 0xff}, 3, "a leading zero byte"},
        {{0xff, 1, 2, 3, 4, 5, 6, 7}, 8, "one byte short"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes key = bytes_of(rows[i].bytes, rows[i].size);
        uint64_t value;
        cr_expect_eq(key_decode_uvarint(&key, &value).code, E_DATA_CORRUPTED, "%s", rows[i].why);
        cr_expect_eq(key.size, rows[i].size, "the key is left alone: %s", rows[i].why);
    }
}

Test(key, ints_keep_order_both_ways)
{
    static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -65537, -65536, -257, -256, -255, -2,
        -1, 0, 1, 255, 256, 65535, 65536, INT64_MAX - 1, INT64_MAX};
    enum { EDGES = sizeof edges / sizeof edges[0] };
    for (int i = 0; i < 5000; i++) {
        int64_t a = i < EDGES * EDGES ? edges[i / EDGES] : (int64_t)random_u64();
        int64_t b = i < EDGES * EDGES ? edges[i % EDGES] : -(int64_t)(random_u64() >> 1);
        for (enum key_order order = KEY_ASCENDING; order <= KEY_DESCENDING; order++) {
            struct buffer ka, kb;
            buffer_init(&ka, &arena);
            buffer_init(&kb, &arena);
            key_append_int(&ka, a, order);
            key_append_int(&kb, b, order);
            int want = (a > b) - (a < b),
                got = sign_of(bytes_compare(buffer_bytes(&ka), buffer_bytes(&kb)));
            cr_assert_eq(got, order == KEY_ASCENDING ? want : -want, "%ld %ld", (long)a, (long)b);
            struct bytes rest = buffer_bytes(&ka);
            int64_t back;
            cr_assert(!failed(key_decode_int(&rest, order, &back)) && back == a && rest.size == 0);
        }
    }
}

Test(key, doubles_keep_order_and_nan_is_last)
{
    const double values[] = {
        -INFINITY, -1e300, -1, -1e-300, 0.0, 1e-310, 1e-300, 0.5, 1, 2, 1e300, INFINITY, NAN};
    enum { COUNT = sizeof values / sizeof values[0] };
    for (enum key_order order = KEY_ASCENDING; order <= KEY_DESCENDING; order++) {
        struct buffer keys[COUNT];
        for (int i = 0; i < COUNT; i++) {
            buffer_init(&keys[i], &arena);
            key_append_double(&keys[i], values[i], order);
            double back;
            struct bytes rest = buffer_bytes(&keys[i]);
            cr_assert(!failed(key_decode_double(&rest, order, &back)));
            cr_assert(isnan(values[i]) ? isnan(back) : back == values[i]);
            if (i == 0) continue;
            int got = sign_of(bytes_compare(buffer_bytes(&keys[i - 1]), buffer_bytes(&keys[i])));
            cr_assert_eq(got, order == KEY_ASCENDING ? -1 : 1, "place %d", i);
        }
    }
    struct buffer zero, minus;
    buffer_init(&zero, &arena);
    buffer_init(&minus, &arena);
    key_append_double(&zero, 0.0, KEY_ASCENDING);
    key_append_double(&minus, -0.0, KEY_ASCENDING);
    cr_assert(bytes_equal(buffer_bytes(&zero), buffer_bytes(&minus)), "-0 is 0");
}

// Strings with many zero and 0xff bytes: where escaping could go wrong.
static struct bytes random_bytes(void)
{
    static const uint8_t alphabet[] = {0x00, 0x00, 0x01, 0x02, 'a', 0xfe, 0xff, 0xff};
    size_t size = next_random() % 6;
    uint8_t *data = arena_alloc(&arena, size);
    for (size_t i = 0; i < size; i++)
        data[i] = alphabet[next_random() % sizeof alphabet];
    return bytes_of(data, size);
}

// Composite keys compare column by column, whatever the columns' lengths.
Test(key, bytes_keep_order_in_composites)
{
    for (int i = 0; i < 20000; i++) {
        struct bytes a1 = random_bytes(), a2 = random_bytes(), b1 = random_bytes(),
                     b2 = random_bytes();
        enum key_order order = i % 2 ? KEY_DESCENDING : KEY_ASCENDING;
        struct buffer ka, kb;
        buffer_init(&ka, &arena);
        buffer_init(&kb, &arena);
        key_append_bytes(&ka, a1, order);
        key_append_bytes(&ka, a2, KEY_ASCENDING);
        key_append_bytes(&kb, b1, order);
        key_append_bytes(&kb, b2, KEY_ASCENDING);
        int want = sign_of(bytes_compare(a1, b1)) * (order == KEY_ASCENDING ? 1 : -1);
        if (want == 0) want = sign_of(bytes_compare(a2, b2));
        cr_assert_eq(sign_of(bytes_compare(buffer_bytes(&ka), buffer_bytes(&kb))), want);
        struct bytes rest = buffer_bytes(&ka), back;
        cr_assert(!failed(key_decode_bytes(&rest, order, &arena, &back)) && bytes_equal(back, a1));
        cr_assert(!failed(key_decode_bytes(&rest, KEY_ASCENDING, &arena, &back)) &&
                  bytes_equal(back, a2));
        cr_assert_eq(rest.size, 0);
    }
}

Test(key, decimals_keep_order)
{
    // Ascending: infinities, magnitudes with equal and different exponents, odd and even digit counts.
    static const struct {
        int sign;
        int32_t exponent;
        uint8_t digits[6];
        uint32_t count;
    } rows[] = {
        {-2, 0, {0}, 0},
        {-1, 1000, {9}, 1},
        {-1, 3, {1, 0, 1}, 3},
        {-1, 3, {1}, 1},
        {-1, -5, {1}, 1},
        {0, 0, {0}, 0},
        {1, -200000, {5}, 1},
        {1, 0, {1}, 1},
        {1, 0, {1, 0, 0, 1}, 4},
        {1, 0, {1, 2}, 2},
        {1, 0, {1, 2, 3}, 3},
        {1, 1, {1}, 1},
        {1, 131072, {9, 9}, 2},
        {2, 0, {0}, 0},
        {3, 0, {0}, 0},
    };
    enum { COUNT = sizeof rows / sizeof rows[0] };
    for (enum key_order order = KEY_ASCENDING; order <= KEY_DESCENDING; order++) {
        struct buffer keys[COUNT];
        for (int i = 0; i < COUNT; i++) {
            buffer_init(&keys[i], &arena);
            key_append_decimal(
                &keys[i], rows[i].sign, rows[i].exponent, rows[i].digits, rows[i].count, order);
            struct bytes rest = buffer_bytes(&keys[i]);
            int sign;
            int32_t exponent;
            const uint8_t *digits;
            uint32_t count;
            cr_assert(!failed(
                key_decode_decimal(&rest, order, &arena, &sign, &exponent, &digits, &count)));
            cr_assert(
                sign == rows[i].sign && exponent == rows[i].exponent && count == rows[i].count);
            cr_assert(count == 0 || memcmp(digits, rows[i].digits, count) == 0);
            if (i == 0) continue;
            int got = sign_of(bytes_compare(buffer_bytes(&keys[i - 1]), buffer_bytes(&keys[i])));
            cr_assert_eq(got, order == KEY_ASCENDING ? -1 : 1, "place %d", i);
        }
    }
}

Test(key, null_is_last_ascending_and_first_descending)
{
    for (enum key_order order = KEY_ASCENDING; order <= KEY_DESCENDING; order++) {
        struct buffer null, other;
        buffer_init(&null, &arena);
        buffer_init(&other, &arena);
        key_append_null(&null, order);
        key_append_int(&other, INT64_MAX, order);
        int got = sign_of(bytes_compare(buffer_bytes(&null), buffer_bytes(&other)));
        cr_assert_eq(got, order == KEY_ASCENDING ? 1 : -1);
        struct bytes rest = buffer_bytes(&null);
        cr_assert(key_decode_null(&rest, order) && rest.size == 0);
        rest = buffer_bytes(&other);
        cr_assert(!key_decode_null(&rest, order));
    }
}

// No key of one tenant lies in another's span, whatever the ids.
Test(key, tenants_have_disjoint_spans)
{
    for (int i = 0; i < 5000; i++) {
        uint64_t a = random_u64(), b = random_u64();
        struct span span = key_tenant_span(&arena, a);
        struct buffer key;
        buffer_init(&key, &arena);
        key_append_tenant_prefix(&key, b);
        buffer_append_bytes(&key, random_bytes());
        cr_assert_eq(span_contains(span, buffer_bytes(&key)), a == b);
        cr_assert_eq(key_in_tenant(buffer_bytes(&key), a), a == b);
        struct bytes moved = key_rewrite_tenant(&arena, buffer_bytes(&key), a);
        cr_assert(key_in_tenant(moved, a));
        cr_assert(bytes_equal(key_rewrite_tenant(&arena, moved, b), buffer_bytes(&key)));
    }
}

Test(key, prefix_end_and_next_are_tight)
{
    for (int i = 0; i < 5000; i++) {
        struct bytes prefix = random_bytes(), other = random_bytes();
        if (prefix.size == 0) continue;
        struct bytes end = key_prefix_end(&arena, prefix);
        struct bytes next = key_next(&arena, prefix);
        cr_assert(bytes_compare(prefix, next) < 0);
        cr_assert(!(bytes_compare(prefix, other) < 0 && bytes_compare(other, next) < 0));
        if (bytes_has_prefix(other, prefix) && prefix.data[0] != 0xff)
            cr_assert(bytes_compare(other, end) < 0);
        else if (bytes_compare(other, prefix) > 0 && prefix.data[0] != 0xff &&
                 !bytes_has_prefix(other, prefix))
            cr_assert(bytes_compare(other, end) >= 0);
    }
}

// Decoders take any bytes without a fault.
Test(key, decoders_survive_garbage)
{
    for (int i = 0; i < 50000; i++) {
        uint8_t data[24];
        for (size_t j = 0; j < sizeof data; j++)
            data[j] = (uint8_t)next_random();
        if (i % 2) data[0] = (uint8_t[]){0x20, 0x40, 0x60, 0x84, 0x02, 0x9f}[next_random() % 6];
        enum key_order order = i % 3 ? KEY_ASCENDING : KEY_DESCENDING;
        struct bytes whole = bytes_of(data, next_random() % sizeof data), key = whole, value;
        uint64_t u;
        int64_t n;
        double d;
        int sign;
        int32_t exponent;
        const uint8_t *digits;
        uint32_t count;
        (void)!failed(key_decode_uvarint(&key, &u));
        key = whole, (void)!failed(key_decode_int(&key, order, &n));
        key = whole, (void)!failed(key_decode_double(&key, order, &d));
        key = whole, (void)!failed(key_decode_bytes(&key, order, &arena, &value));
        key = whole,
        (void)!failed(key_decode_decimal(&key, order, &arena, &sign, &exponent, &digits, &count));
        key_format(&arena, whole);
        if (i % 1000 == 0) arena_reset(&arena);
    }
}

Test(key, formats_for_people)
{
    struct buffer key;
    buffer_init(&key, &arena);
    key_append_tenant_prefix(&key, 5);
    key_append_uvarint(&key, 52);
    key_append_uvarint(&key, 1);
    key_append_int(&key, -7, KEY_ASCENDING);
    key_append_bytes(&key, BYTES_LITERAL("x\1"), KEY_ASCENDING);
    key_append_null(&key, KEY_ASCENDING);
    cr_assert_str_eq(
        key_format(&arena, buffer_bytes(&key)), "/Tenant/5/Table/52/1/-7/\"x\\x01\"/NULL");
    struct span span = key_tenant_span(&arena, TENANT_SYSTEM);
    cr_assert_str_eq(key_format(&arena, span.start), "/Tenant/1");
}
