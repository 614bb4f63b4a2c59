// SPDX-License-Identifier: GPL-3.0-or-later
//
// + - * / % and rounding of numerics.
#include "sql/type/numeric_form.h"

struct datum numeric_negate(struct arena *arena, struct datum value)
{
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN || numeric_is_zero(value)) return value;
    struct bytes copy = arena_copy(arena, datum_as_bytes(value));
    ((uint8_t *)(uintptr_t)copy.data)[0] ^= 0x80;
    return datum_bytes(copy);
}

struct datum numeric_abs(struct arena *arena, struct datum value)
{
    return numeric_open(value).negative ? numeric_negate(arena, value) : value;
}

// --- sums -------------------------------------------------------------------------------------------------

static struct status add_special(
    const struct numeric *a, const struct numeric *b, bool negate, struct datum *result)
{
    bool b_negative = b->negative != negate;
    if (a->kind == NUMERIC_NAN || b->kind == NUMERIC_NAN ||
        (a->kind == NUMERIC_INFINITE && b->kind == NUMERIC_INFINITE && a->negative != b_negative)) {
        *result = numeric_nan;
    } else {
        bool negative = a->kind == NUMERIC_INFINITE ? a->negative : b_negative;
        *result = negative ? numeric_minus_infinity : numeric_infinity;
    }
    return STATUS_OK;
}

static bool add_small(struct arena *arena, const struct numeric *a, const struct numeric *b,
    bool b_negative, struct datum *result)
{
    uint32_t scale = a->scale > b->scale ? a->scale : b->scale;
    uint128 x, y, sum;
    if (!a->small || !b->small || scale - a->scale > 38 || scale - b->scale > 38 ||
        __builtin_mul_overflow(a->value, numeric_pow10(scale - a->scale), &x) ||
        __builtin_mul_overflow(b->value, numeric_pow10(scale - b->scale), &y))
        return false;
    if (a->negative == b_negative) {
        if (__builtin_add_overflow(x, y, &sum)) return false;
        *result = numeric_make_small(arena, a->negative, scale, sum);
    } else if (x >= y) {
        *result = numeric_make_small(arena, a->negative, scale, x - y);
    } else {
        *result = numeric_make_small(arena, b_negative, scale, y - x);
    }
    return true;
}

// The magnitude with its sign, at a scale not smaller than its own.
static void load_at(mpz_ptr out, const struct numeric *number, uint32_t scale)
{
    numeric_load(out, number);
    if (scale > number->scale) {
        mpz_t power;
        mpz_init(power);
        numeric_pow10_big(power, scale - number->scale);
        big_mul(out, out, power);
        mpz_clear(power);
    }
    if (number->negative) mpz_neg(out, out);
}

static struct status give_signed(
    struct arena *arena, mpz_ptr value, int64_t scale, struct datum *result)
{
    bool negative = mpz_sgn(value) < 0;
    mpz_abs(value, value);
    return numeric_make(arena, negative, scale, value, result);
}

static struct status add(
    struct arena *arena, struct datum left, struct datum right, bool negate, struct datum *result)
{
    struct numeric a = numeric_open(left), b = numeric_open(right);
    if (a.kind != NUMERIC_FINITE || b.kind != NUMERIC_FINITE)
        return add_special(&a, &b, negate, result);
    if (add_small(arena, &a, &b, b.negative != negate, result)) return STATUS_OK;
    uint32_t scale = a.scale > b.scale ? a.scale : b.scale;
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    load_at(x, &a, scale);
    load_at(y, &b, scale);
    if (negate)
        mpz_sub(x, x, y);
    else
        mpz_add(x, x, y);
    struct status st = give_signed(arena, x, scale, result);
    mpz_clears(x, y, NULL);
    return st;
}

struct status numeric_add(
    struct arena *arena, struct datum a, struct datum b, struct datum *result)
{
    return add(arena, a, b, false, result);
}

struct status numeric_subtract(
    struct arena *arena, struct datum a, struct datum b, struct datum *result)
{
    return add(arena, a, b, true, result);
}

// --- products ------------------------------------------------------------------------------------------------

struct status numeric_multiply(
    struct arena *arena, struct datum left, struct datum right, struct datum *result)
{
    struct numeric a = numeric_open(left), b = numeric_open(right);
    if (a.kind != NUMERIC_FINITE || b.kind != NUMERIC_FINITE) {
        if (a.kind == NUMERIC_NAN || b.kind == NUMERIC_NAN || numeric_is_zero(left) ||
            numeric_is_zero(right)) {
            *result = numeric_nan; // Infinity times zero included.
        } else {
            *result = a.negative != b.negative ? numeric_minus_infinity : numeric_infinity;
        }
        return STATUS_OK;
    }
    uint32_t scale = a.scale + b.scale;
    bool negative = a.negative != b.negative;
    uint128 product;
    if (a.small && b.small && scale <= NUMERIC_SCALE_MAX &&
        !__builtin_mul_overflow(a.value, b.value, &product)) {
        *result = numeric_make_small(arena, negative, scale, product);
        return STATUS_OK;
    }
    struct status st;
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    numeric_load(x, &a);
    numeric_load(y, &b);
    big_mul(x, x, y);
    if (scale > NUMERIC_SCALE_MAX) {
        // Rounded to what can be stored.
        numeric_pow10_big(y, scale - NUMERIC_SCALE_MAX);
        mpz_mul_2exp(x, x, 1);
        mpz_add(x, x, y);
        mpz_mul_2exp(y, y, 1);
        big_fdiv_q(x, x, y);
        scale = NUMERIC_SCALE_MAX;
    }
    st = numeric_make(arena, negative, scale, x, result);
    mpz_clears(x, y, NULL);
    return st;
}

// --- quotients -------------------------------------------------------------------------------------------------

// PostgreSQL keeps numbers in base 10,000, and the scale of a quotient depends on it: the weight of the
// first digit in that base, and the digit.
static void first_digit(const struct numeric *number, int64_t *weight, uint32_t *digit)
{
    *weight = 0;
    *digit = 0;
    int64_t digits = (int64_t)numeric_digits(number);
    if (digits == 0) return;
    int64_t exponent = digits - 1 - (int64_t)number->scale; // Of the first decimal digit.
    *weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4);
    int64_t keep = exponent - *weight * 4 + 1; // Decimal digits in the first one of base 10,000.
    if (number->small) {
        uint128 value = number->value;
        for (; digits > keep; digits--)
            value /= 10;
        for (; digits < keep; digits++)
            value *= 10;
        *digit = (uint32_t)value;
        return;
    }
    mpz_t magnitude, power;
    mpz_inits(magnitude, power, NULL);
    numeric_load(magnitude, number);
    numeric_pow10_big(power, (uint64_t)(digits - keep));
    big_tdiv_q(magnitude, magnitude, power);
    *digit = (uint32_t)mpz_get_ui(magnitude);
    mpz_clears(magnitude, power, NULL);
}

int32_t numeric_divide_scale(struct datum left, struct datum right)
{
    struct numeric a = numeric_open(left), b = numeric_open(right);
    int64_t weight_a, weight_b;
    uint32_t digit_a, digit_b;
    first_digit(&a, &weight_a, &digit_a);
    first_digit(&b, &weight_b, &digit_b);
    int64_t weight = weight_a - weight_b;
    if (digit_a <= digit_b) weight--;
    int64_t scale = NUMERIC_SIGNIFICANT_DIGITS - weight * 4;
    if (scale < a.scale) scale = a.scale;
    if (scale < b.scale) scale = b.scale;
    if (scale < 0) scale = 0;
    if (scale > NUMERIC_RESULT_SCALE_MAX) scale = NUMERIC_RESULT_SCALE_MAX;
    return (int32_t)scale;
}

static struct status divide_special(
    const struct numeric *a, const struct numeric *b, struct datum *result)
{
    if (a->kind == NUMERIC_NAN || b->kind == NUMERIC_NAN) {
        *result = numeric_nan;
    } else if (a->kind == NUMERIC_INFINITE) {
        if (b->kind == NUMERIC_FINITE && b->magnitude.size == 0)
            return status_make(E_DIVISION_BY_ZERO, "division by zero");
        *result = b->kind == NUMERIC_INFINITE      ? numeric_nan
                  : a->negative != b->negative ? numeric_minus_infinity
                                               : numeric_infinity;
    } else {
        *result = numeric_zero; // By infinity.
    }
    return STATUS_OK;
}

struct division {
    int32_t scale;
    bool truncate;
};

static struct status divide(struct arena *arena, const struct numeric *a, const struct numeric *b,
    struct division how, struct datum *result)
{
    // a.m / 10^a.s / (b.m / 10^b.s) * 10^scale = a.m * 10^(scale - a.s + b.s) / b.m
    int64_t shift = (int64_t)how.scale - a->scale + b->scale;
    bool negative = a->negative != b->negative;
    uint128 x, y = b->value;
    if (a->small && b->small && shift >= 0 && shift <= 38 &&
        !__builtin_mul_overflow(a->value, numeric_pow10((uint32_t)shift), &x)) {
        uint128 quotient = x / y, rest = x % y;
        if (!how.truncate && rest >= y - rest) quotient++;
        *result = numeric_make_small(arena, negative, (uint32_t)how.scale, quotient);
        return STATUS_OK;
    }
    mpz_t over, under, power;
    mpz_inits(over, under, power, NULL);
    numeric_load(over, a);
    numeric_load(under, b);
    numeric_pow10_big(power, (uint64_t)(shift < 0 ? -shift : shift));
    big_mul(shift < 0 ? under : over, shift < 0 ? under : over, power);
    if (!how.truncate) {
        mpz_mul_2exp(over, over, 1);
        mpz_add(over, over, under);
        mpz_mul_2exp(under, under, 1);
    }
    big_fdiv_q(over, over, under);
    struct status st = numeric_make(arena, negative, how.scale, over, result);
    mpz_clears(over, under, power, NULL);
    return st;
}

static struct status divide_checked(struct arena *arena, struct datum left, struct datum right,
    struct division how, struct datum *result)
{
    struct numeric a = numeric_open(left), b = numeric_open(right);
    if (a.kind != NUMERIC_FINITE || b.kind != NUMERIC_FINITE) return divide_special(&a, &b, result);
    if (b.magnitude.size == 0) return status_make(E_DIVISION_BY_ZERO, "division by zero");
    return divide(arena, &a, &b, how, result);
}

struct status numeric_divide_at(struct arena *arena, struct datum a, struct datum b, int32_t scale,
    struct datum *result)
{
    return divide_checked(arena, a, b, (struct division){scale, false}, result);
}

struct status numeric_divide(
    struct arena *arena, struct datum a, struct datum b, struct datum *result)
{
    return numeric_divide_at(arena, a, b, numeric_divide_scale(a, b), result);
}

struct status numeric_quotient(
    struct arena *arena, struct datum a, struct datum b, struct datum *result)
{
    return divide_checked(arena, a, b, (struct division){0, true}, result);
}

struct status numeric_modulo(
    struct arena *arena, struct datum left, struct datum right, struct datum *result)
{
    struct numeric a = numeric_open(left), b = numeric_open(right);
    if (a.kind == NUMERIC_NAN || b.kind == NUMERIC_NAN) {
        *result = numeric_nan;
        return STATUS_OK;
    }
    if (b.kind == NUMERIC_FINITE && b.magnitude.size == 0)
        return status_make(E_DIVISION_BY_ZERO, "division by zero");
    if (a.kind == NUMERIC_INFINITE) {
        *result = numeric_nan;
        return STATUS_OK;
    }
    if (b.kind == NUMERIC_INFINITE) {
        *result = left;
        return STATUS_OK;
    }
    uint32_t scale = a.scale > b.scale ? a.scale : b.scale;
    uint128 x, y;
    if (a.small && b.small && scale - a.scale <= 38 && scale - b.scale <= 38 &&
        !__builtin_mul_overflow(a.value, numeric_pow10(scale - a.scale), &x) &&
        !__builtin_mul_overflow(b.value, numeric_pow10(scale - b.scale), &y)) {
        *result = numeric_make_small(arena, a.negative, scale, x % y);
        return STATUS_OK;
    }
    mpz_t over, under;
    mpz_inits(over, under, NULL);
    load_at(over, &a, scale);
    load_at(under, &b, scale);
    big_tdiv_r(over, over, under);
    struct status st = give_signed(arena, over, scale, result);
    mpz_clears(over, under, NULL);
    return st;
}

// --- rounding -----------------------------------------------------------------------------------------------------

static bool away_from_zero(enum numeric_rounding rounding, bool negative)
{
    return (rounding == NUMERIC_CEILING && !negative) || (rounding == NUMERIC_FLOOR && negative);
}

static struct status round_big(struct arena *arena, const struct numeric *number, int64_t scale,
    enum numeric_rounding rounding, struct datum *result)
{
    struct status st;
    mpz_t magnitude, power, rest;
    mpz_inits(magnitude, power, rest, NULL);
    numeric_load(magnitude, number);
    if (scale >= number->scale) {
        numeric_pow10_big(power, (uint64_t)(scale - number->scale));
        big_mul(magnitude, magnitude, power);
    } else {
        numeric_pow10_big(power, (uint64_t)(number->scale - scale));
        big_fdiv_qr(magnitude, rest, magnitude, power);
        bool up = away_from_zero(rounding, number->negative) && mpz_sgn(rest) != 0;
        if (rounding == NUMERIC_HALF_AWAY) {
            mpz_mul_2exp(rest, rest, 1);
            up = mpz_cmp(rest, power) >= 0;
        }
        if (up) mpz_add_ui(magnitude, magnitude, 1);
        if (scale < 0) {
            numeric_pow10_big(power, (uint64_t)-scale);
            big_mul(magnitude, magnitude, power);
        }
    }
    st = numeric_make(arena, number->negative, scale < 0 ? 0 : scale, magnitude, result);
    mpz_clears(magnitude, power, rest, NULL);
    return st;
}

static bool round_small(struct arena *arena, const struct numeric *number, int32_t scale,
    enum numeric_rounding rounding, struct datum *result)
{
    uint128 value = number->value;
    if (!number->small || scale < 0) return false;
    uint32_t wanted = (uint32_t)scale;
    if (wanted >= number->scale) {
        if (wanted - number->scale > 38 ||
            __builtin_mul_overflow(value, numeric_pow10(wanted - number->scale), &value))
            return false;
    } else if (number->scale - wanted > 38) {
        return false;
    } else {
        uint128 power = numeric_pow10(number->scale - wanted), rest = value % power;
        value /= power;
        if (rounding == NUMERIC_HALF_AWAY)
            value += rest >= power - rest;
        else
            value += away_from_zero(rounding, number->negative) && rest != 0;
    }
    *result = numeric_make_small(arena, number->negative, wanted, value);
    return true;
}

struct status numeric_round(struct arena *arena, struct datum value, int32_t scale,
    enum numeric_rounding rounding, struct datum *result)
{
    struct numeric number = numeric_open(value);
    if (number.kind != NUMERIC_FINITE || (int64_t)number.scale == scale) {
        *result = value;
        return STATUS_OK;
    }
    if (scale < -NUMERIC_DIGITS_MAX - 1) scale = -NUMERIC_DIGITS_MAX - 1;
    if (round_small(arena, &number, scale, rounding, result)) return STATUS_OK;
    return round_big(arena, &number, scale, rounding, result);
}

static struct status field_overflow(
    struct arena *arena, int32_t precision, int32_t scale, bool infinite)
{
    struct status st =
        status_format(arena, E_NUMERIC_OUT_OF_RANGE, "%s", "numeric field overflow");
    if (infinite)
        return status_detail(arena, st,
            "A field with precision %d, scale %d cannot hold an infinite value.", precision, scale);
    int32_t digits = precision - scale;
    if (digits == 0)
        return status_detail(arena, st,
            "A field with precision %d, scale %d must round to an absolute value less than 1.",
            precision, scale);
    return status_detail(arena, st,
        "A field with precision %d, scale %d must round to an absolute value less than 10^%d.",
        precision, scale, digits);
}

struct status numeric_coerce(
    struct arena *arena, struct datum value, int32_t typmod, struct datum *result)
{
    struct status st = STATUS_OK;
    *result = value;
    if (typmod < 4) return st;
    int32_t precision = (typmod - 4) >> 16 & 0xffff;
    int32_t scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN) return st;
    if (number.kind == NUMERIC_INFINITE) return field_overflow(arena, precision, scale, true);
    // Nearly all that is loaded: of the scale declared already, and of few digits.
    if (scale >= 0 && number.scale == (uint32_t)scale && number.small &&
        number.value < numeric_pow10(precision < 18 ? (uint32_t)precision : 18))
        return st;
    TRY(numeric_round(arena, value, scale, NUMERIC_HALF_AWAY, result));
    number = numeric_open(*result);
    if (number.magnitude.size > 0 &&
        (int64_t)numeric_digits(&number) - (int64_t)number.scale > precision - scale)
        return field_overflow(arena, precision, scale, false);
out:
    return st;
}
