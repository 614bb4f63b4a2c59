// SPDX-License-Identifier: GPL-3.0-or-later
//
// numeric as a type: text, binary, key.
#include "sql/type/numeric.h"
#include "sql/type/numeric_form.h"
#include "sql/type/type_ops.h"

static struct status numeric_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    return numeric_parse(arena, text, value);
}

static void numeric_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    numeric_print(out, value);
}

// --- binary: digits of base 10,000 ------------------------------------------------------------------------

#define SIGN_POSITIVE 0x0000
#define SIGN_NEGATIVE 0x4000
#define SIGN_NAN 0xc000
#define SIGN_INFINITY 0xd000
#define SIGN_MINUS_INFINITY 0xf000
#define GROUP_DIGITS 4

static struct status receive_groups(struct arena *arena, struct bytes binary, int64_t count,
    int64_t weight, struct datum *value)
{
    uint32_t sign = (uint16_t)type_load_int(binary.data + 4, 2);
    int64_t scale = (uint16_t)type_load_int(binary.data + 6, 2);
    struct status st = STATUS_OK;
    char *digits = arena_try_alloc(arena, GROUP_DIGITS * (size_t)count + 2);
    if (digits == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    char *end = digits;
    *end++ = '0';
    for (int64_t i = 0; i < count; i++) {
        int64_t group = type_load_int(binary.data + 8 + 2 * i, 2);
        if (group < 0 || group > 9999)
            return status_make(E_INVALID_BINARY_REPRESENTATION, "invalid digit in external \"numeric\" value");
        for (int64_t unit = 1000; unit > 0; unit /= 10) *end++ = (char)('0' + group / unit % 10);
    }
    *end = '\0';
    mpz_t magnitude, power;
    mpz_inits(magnitude, power, NULL);
    big_set_str(magnitude, digits, 10);
    // The last group stands at 10^(4 * (weight - count + 1)); the scale given cuts, or pads.
    int64_t exponent = GROUP_DIGITS * (weight - count + 1) + scale;
    if (exponent > NUMERIC_DIGITS_MAX + NUMERIC_SCALE_MAX) {
        st = numeric_overflow();
        goto out;
    }
    if (exponent >= 0) {
        numeric_pow10_big(power, (uint64_t)exponent);
        big_mul(magnitude, magnitude, power);
    } else {
        numeric_pow10_big(power, (uint64_t)-exponent);
        big_tdiv_q(magnitude, magnitude, power);
    }
    st = numeric_make(arena, sign == SIGN_NEGATIVE, scale, magnitude, value);
out:
    mpz_clears(magnitude, power, NULL);
    return st;
}

static struct status numeric_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size < 8) return type_error_binary(arena, "numeric");
    int64_t count = (uint16_t)type_load_int(binary.data, 2), weight = type_load_int(binary.data + 2, 2);
    uint32_t sign = (uint16_t)type_load_int(binary.data + 4, 2);
    if (binary.size != 8 + 2 * (size_t)count)
        return type_error_binary(arena, "numeric");
    switch (sign) {
    case SIGN_POSITIVE:
    case SIGN_NEGATIVE: break;
    case SIGN_NAN: *value = numeric_nan; return STATUS_OK;
    case SIGN_INFINITY: *value = numeric_infinity; return STATUS_OK;
    case SIGN_MINUS_INFINITY: *value = numeric_minus_infinity; return STATUS_OK;
    default:
        return status_make(
            E_INVALID_BINARY_REPRESENTATION, "invalid sign in external \"numeric\" value");
    }
    if ((uint16_t)type_load_int(binary.data + 6, 2) > NUMERIC_SCALE_MAX)
        return status_make(
            E_INVALID_BINARY_REPRESENTATION, "invalid scale in external \"numeric\" value");
    return receive_groups(arena, binary, count, weight, value);
}

static void numeric_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct numeric number = numeric_open(value);
    (void)oid;
    if (number.kind != NUMERIC_FINITE) {
        uint32_t sign = number.kind == NUMERIC_NAN ? SIGN_NAN
                        : number.negative          ? SIGN_MINUS_INFINITY
                                                   : SIGN_INFINITY;
        type_store_int(out, 0, 4);
        type_store_int(out, sign, 2);
        type_store_int(out, sign == SIGN_NAN ? 0 : 0x20, 2); // PostgreSQL's infinities have this scale.
        return;
    }
    mpz_t magnitude;
    mpz_init(magnitude);
    numeric_load(magnitude, &number);
    char *digits = arena_alloc(out->arena, mpz_sizeinbase(magnitude, 10) + 2 + GROUP_DIGITS);
    big_get_str(digits, 10, magnitude);
    bool zero = mpz_sgn(magnitude) == 0;
    mpz_clear(magnitude);
    // Zeros behind them, so that the point falls between groups; groups of zeros at the end are not sent.
    size_t size = strlen(digits), after_point = (number.scale + GROUP_DIGITS - 1) / GROUP_DIGITS;
    for (size_t pad = after_point * GROUP_DIGITS - number.scale; pad > 0; pad--) digits[size++] = '0';
    size_t first = (size - 1) % GROUP_DIGITS + 1, count = zero ? 0 : (size - first) / GROUP_DIGITS + 1;
    int64_t weight = zero ? 0 : (int64_t)count - (int64_t)after_point - 1;
    for (; count > 1 && memcmp(digits + first + (count - 2) * GROUP_DIGITS, "0000", GROUP_DIGITS) == 0; count--) continue;
    type_store_int(out, count, 2);
    type_store_int(out, (uint64_t)weight, 2);
    type_store_int(out, number.negative ? SIGN_NEGATIVE : SIGN_POSITIVE, 2);
    type_store_int(out, number.scale, 2);
    for (size_t i = 0, at = 0; i < count; i++) {
        uint32_t group = 0;
        for (size_t end = first + i * GROUP_DIGITS; at < end; at++) group = group * 10 + (uint32_t)(digits[at] - '0');
        type_store_int(out, group, 2);
    }
}

// --- order and keys ------------------------------------------------------------------------------------------

static int compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return numeric_compare(a, b);
}

static uint64_t hash(type_oid oid, struct datum value)
{
    (void)oid;
    return numeric_hash(value);
}

static void key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    struct numeric number = numeric_open(value);
    if (number.kind != NUMERIC_FINITE || number.magnitude.size == 0) {
        int sign = number.kind == NUMERIC_NAN      ? 3
                   : number.kind == NUMERIC_FINITE ? 0
                   : number.negative               ? -2
                                                   : 2;
        key_append_decimal(key, sign, 0, NULL, 0, order);
        return;
    }
    struct buffer text;
    buffer_init(&text, key->arena);
    numeric_print(&text, value);
    // Digits without sign, point and zeros at either end.
    uint8_t *digits = arena_alloc(key->arena, text.size);
    uint32_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= '0' && (count > 0 || text.data[i] != '0'))
            digits[count++] = (uint8_t)(text.data[i] - '0');
    }
    int32_t exponent = (int32_t)count - (int32_t)number.scale;
    while (digits[count - 1] == 0)
        count--;
    key_append_decimal(key, number.negative ? -1 : 1, exponent, digits, count, order);
}

static struct status key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct status st = STATUS_OK;
    int sign;
    int32_t exponent;
    const uint8_t *digits;
    uint32_t count;
    struct buffer text;
    TRY(key_decode_decimal(key, order, arena, &sign, &exponent, &digits, &count));
    if (sign == 3) *value = numeric_nan;
    if (sign == 2) *value = numeric_infinity;
    if (sign == -2) *value = numeric_minus_infinity;
    if (sign == 0) *value = numeric_zero;
    if (sign != 1 && sign != -1) return st;
    buffer_init(&text, arena);
    if (sign < 0) buffer_append_u8(&text, '-');
    for (uint32_t i = 0; i < count; i++)
        buffer_append_u8(&text, (uint8_t)('0' + digits[i]));
    buffer_printf(&text, "e%lld", (long long)exponent - (long long)count);
    TRY(numeric_parse(arena, buffer_bytes(&text), value));
out:
    return st;
}

static struct status coerce(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    (void)is_explicit;
    return numeric_coerce(arena, in, type.typmod, out);
}

const struct type_ops type_ops_numeric = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true,
    .input = numeric_input,
    .output = numeric_output,
    .receive = numeric_receive,
    .send = numeric_send,
    .compare = compare,
    .hash = hash,
    .key_encode = key_encode,
    .key_decode = key_decode,
    .coerce = coerce};
