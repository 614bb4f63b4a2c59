// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keys from any bytes: each decoder refuses them, or gives a value whose encoding is what it read.
#include <math.h>
#include <stdint.h>

#include "core/invariant.h"
#include "kv/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buffer *encoded, struct bytes key, struct bytes rest)
{
    invariant(bytes_equal(buffer_bytes(encoded), bytes_of(key.data, key.size - rest.size)));
}

static void decode_all(struct arena *arena, struct bytes key, enum key_order order)
{
    struct buffer out;
    struct bytes rest = key, value;
    uint64_t number;
    int64_t integer;
    double real;
    int sign;
    int32_t exponent;
    const uint8_t *digits;
    uint32_t digit_count;
    buffer_init(&out, arena);
    if (!failed(key_decode_uvarint(&rest, &number))) {
        key_append_uvarint(&out, number);
        same(&out, key, rest);
    }
    rest = key, out.size = 0;
    if (!failed(key_decode_int(&rest, order, &integer))) {
        key_append_int(&out, integer, order);
        same(&out, key, rest);
    }
    rest = key, out.size = 0;
    if (!failed(key_decode_double(&rest, order, &real)) && real != 0) {
        key_append_double(&out, real, order);
        same(&out, key, rest);
    }
    rest = key, out.size = 0;
    if (!failed(key_decode_bytes(&rest, order, arena, &value))) {
        key_append_bytes(&out, value, order);
        same(&out, key, rest);
    }
    rest = key, out.size = 0;
    if (!failed(key_decode_decimal(&rest, order, arena, &sign, &exponent, &digits, &digit_count))) {
        key_append_decimal(&out, sign, exponent, digits, digit_count, order);
        same(&out, key, rest);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, NULL);
    decode_all(&arena, bytes_of(data, size), KEY_ASCENDING);
    decode_all(&arena, bytes_of(data, size), KEY_DESCENDING);
    key_format(&arena, bytes_of(data, size));
    arena_fini(&arena);
    return 0;
}
