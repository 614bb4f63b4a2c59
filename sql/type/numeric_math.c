// SPDX-License-Identifier: GPL-3.0-or-later
//
// Roots, logarithms, powers of numerics.
//
// Computed in binary fixed point: an mpz X stands for X / 2^bits. Enough bits are taken that the error
// of the series stays far below the last decimal asked for.
#include <math.h>

#include "core/work.h"
#include "sql/type/numeric_form.h"

#define BITS_PER_DIGIT 3.3219280948873626
#define GUARD_BITS 64
#define EXP_LIMIT 6000.0 // |x| from which e^x leaves the format.

static int32_t clamp_scale(int64_t scale)
{
    return (int32_t)(scale < 0 ? 0 : scale > NUMERIC_RESULT_SCALE_MAX ? NUMERIC_RESULT_SCALE_MAX
                                                                      : scale);
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static uint64_t bits_for_digits(int64_t digits)
{
    return (uint64_t)((double)max64(digits, 0) * BITS_PER_DIGIT) + GUARD_BITS;
}

static struct status not_a_logarithm(int sign)
{
    return status_make(E_INVALID_LOGARITHM_ARGUMENT, sign == 0
            ? "cannot take logarithm of zero"
            : "cannot take logarithm of a negative number");
}

// Decimal exponent of the first digit.
static int64_t exponent_of(const struct numeric *number)
{
    return (int64_t)numeric_digits(number) - 1 - (int64_t)number->scale;
}

// The exponent of a decimal digit in base 10,000: of the group of four digits that it is in.
static int64_t weight_of(int64_t exponent)
{
    return exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4);
}

// --- square root ------------------------------------------------------------------------------------------

struct status numeric_sqrt_at(
    struct arena *arena, struct datum value, int32_t scale, struct datum *result)
{
    struct numeric number = numeric_open(value);
    mpz_t square, rest, power;
    mpz_inits(square, rest, power, NULL);
    numeric_load(square, &number);
    int64_t shift = 2 * (int64_t)scale - (int64_t)number.scale;
    numeric_pow10_big(power, (uint64_t)(shift < 0 ? -shift : shift));
    if (shift < 0)
        big_tdiv_q(square, square, power);
    else
        big_mul(square, square, power);
    big_sqrtrem(square, rest, square);
    // (s + 1/2)^2 = s^2 + s + 1/4: up when the remainder is above s.
    if (mpz_cmp(rest, square) > 0) mpz_add_ui(square, square, 1);
    struct status st = numeric_make(arena, false, scale, square, result);
    mpz_clears(square, rest, power, NULL);
    return st;
}

struct status numeric_sqrt(struct arena *arena, struct datum value, struct datum *result)
{
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN || (number.kind == NUMERIC_INFINITE && !number.negative)) {
        *result = value;
        return STATUS_OK;
    }
    if (number.negative)
        return status_make(
            E_INVALID_POWER_ARGUMENT, "cannot take square root of a negative number");
    // The weight in base 10,000 decides, as in quotients.
    int64_t weight = weight_of(number.magnitude.size == 0 ? 0 : exponent_of(&number));
    int64_t scale = NUMERIC_SIGNIFICANT_DIGITS - (weight * 2 + 1);
    return numeric_sqrt_at(arena, value, clamp_scale(max64(scale, number.scale)), result);
}

// --- series ---------------------------------------------------------------------------------------------------

// After a term of a series, which was worked on for the square of its length at most. False: the task was cancelled, and any
// sum will do, but for none: others are divided by it.
static bool series_goes_on(mpz_srcptr term)
{
    const size_t limbs = mpz_size(term);
    return task_goes_on(16 + limbs * limbs / 2);
}

// sum += factor * 2 * atanh(1/n)
static void add_atanh_inverse(mpz_ptr sum, unsigned long n, long factor, uint64_t bits)
{
    mpz_t power, term;
    mpz_inits(power, term, NULL);
    mpz_set_ui(power, 1);
    mpz_mul_2exp(power, power, bits + 1);
    mpz_tdiv_q_ui(power, power, n);
    for (unsigned long i = 1; mpz_sgn(power) != 0; i += 2) {
        mpz_tdiv_q_ui(term, power, i);
        mpz_mul_si(term, term, factor);
        mpz_add(sum, sum, term);
        mpz_tdiv_q_ui(power, power, n * n);
        if (!series_goes_on(power)) break;
    }
    mpz_clears(power, term, NULL);
}

// ln 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749)
static void fixed_ln2(mpz_ptr out, uint64_t bits)
{
    mpz_set_ui(out, 0);
    add_atanh_inverse(out, 26, 9, bits);
    add_atanh_inverse(out, 4801, -1, bits);
    add_atanh_inverse(out, 8749, 4, bits);
}

// ln of a positive number: it is m * 2^k with m within [2/3, 4/3]; ln m = 2 atanh((m - 1) / (m + 1)).
static void fixed_ln(mpz_ptr out, const struct numeric *number, uint64_t bits)
{
    mpz_t over, under, power, term, ln2;
    mpz_inits(over, under, power, term, ln2, NULL);
    numeric_load(over, number);
    numeric_pow10_big(under, number->scale);
    int64_t k = (int64_t)mpz_sizeinbase(over, 2) - (int64_t)mpz_sizeinbase(under, 2);
    if (k >= 0)
        mpz_mul_2exp(under, under, (mp_bitcnt_t)k);
    else
        mpz_mul_2exp(over, over, (mp_bitcnt_t)-k);
    // Now over / under is within (1/2, 2).
    mpz_mul_ui(term, over, 3);
    mpz_mul_ui(power, under, 4);
    if (mpz_cmp(term, power) > 0) {
        mpz_mul_2exp(under, under, 1);
        k++;
    }
    mpz_sub(term, over, under);
    mpz_add(power, over, under);
    mpz_mul_2exp(term, term, bits + 1);
    big_tdiv_q(power, term, power); // 2 z
    mpz_set(out, power);
    mpz_tdiv_q_2exp(term, power, 1);
    big_mul(under, term, term);
    mpz_tdiv_q_2exp(under, under, bits); // z^2
    for (unsigned long i = 3; mpz_sgn(power) != 0; i += 2) {
        big_mul(power, power, under);
        mpz_tdiv_q_2exp(power, power, bits);
        mpz_tdiv_q_ui(term, power, i);
        mpz_add(out, out, term);
        if (!series_goes_on(power)) break;
    }
    fixed_ln2(ln2, bits);
    mpz_mul_si(ln2, ln2, (long)k);
    mpz_add(out, out, ln2);
    mpz_clears(over, under, power, term, ln2, NULL);
}

// e^x as out * 2^(result - bits).
static int64_t fixed_exp(mpz_ptr out, mpz_srcptr x, uint64_t bits)
{
    const unsigned halvings = 12;
    uint64_t wide = bits + 2 * halvings;
    mpz_t rest, ln2, k, term;
    mpz_inits(rest, ln2, k, term, NULL);
    fixed_ln2(ln2, wide);
    mpz_mul_2exp(rest, x, wide - bits);
    big_fdiv_qr(k, rest, rest, ln2);
    int64_t exponent = mpz_get_si(k);
    mpz_tdiv_q_2exp(rest, rest, halvings);
    mpz_set_ui(out, 1);
    mpz_mul_2exp(out, out, wide);
    mpz_set(term, out);
    for (unsigned long i = 1; mpz_sgn(term) != 0; i++) {
        big_mul(term, term, rest);
        mpz_tdiv_q_2exp(term, term, wide);
        mpz_tdiv_q_ui(term, term, i);
        mpz_add(out, out, term);
        if (!series_goes_on(term)) break;
    }
    for (unsigned i = 0; i < halvings && series_goes_on(out); i++) {
        big_mul(out, out, out);
        mpz_tdiv_q_2exp(out, out, wide);
    }
    mpz_tdiv_q_2exp(out, out, wide - bits);
    mpz_clears(rest, ln2, k, term, NULL);
    return exponent;
}

// value * 2^exponent, rounded to `scale` decimals.
static struct status give_fixed(struct arena *arena, mpz_ptr value, int64_t exponent, int32_t scale,
    struct datum *result)
{
    bool negative = mpz_sgn(value) < 0;
    mpz_t power;
    mpz_init(power);
    mpz_abs(value, value);
    numeric_pow10_big(power, (uint64_t)scale);
    big_mul(value, value, power);
    if (exponent >= 0) {
        mpz_mul_2exp(value, value, (mp_bitcnt_t)exponent);
    } else {
        mpz_set_ui(power, 1);
        mpz_mul_2exp(power, power, (mp_bitcnt_t)(-exponent - 1));
        mpz_add(value, value, power);
        mpz_tdiv_q_2exp(value, value, (mp_bitcnt_t)-exponent);
    }
    struct status st = numeric_make(arena, negative, scale, value, result);
    mpz_clear(power);
    return st;
}

static void fixed_load(mpz_ptr out, const struct numeric *number, uint64_t bits)
{
    mpz_t power;
    mpz_init(power);
    numeric_load(out, number);
    numeric_pow10_big(power, number->scale);
    mpz_mul_2exp(out, out, bits);
    big_tdiv_q(out, out, power);
    if (number->negative) mpz_neg(out, out);
    mpz_clear(power);
}

// --- exp, ln, log -------------------------------------------------------------------------------------------------

static struct status give_zero(struct arena *arena, int32_t scale, struct datum *result)
{
    *result = numeric_make_small(arena, false, (uint32_t)scale, 0);
    return STATUS_OK;
}

struct status numeric_exp(struct arena *arena, struct datum value, struct datum *result)
{
    struct numeric number = numeric_open(value);
    if (number.kind != NUMERIC_FINITE) {
        *result = number.kind == NUMERIC_INFINITE && number.negative ? numeric_zero : value;
        return STATUS_OK;
    }
    double x = numeric_to_double(value), weight = x * M_LOG10E;
    weight = weight < -2000 ? -2000 : weight > 2000 ? 2000 : weight;
    int32_t scale = clamp_scale(
        max64(NUMERIC_SIGNIFICANT_DIGITS - (int64_t)weight, (int64_t)number.scale));
    if (x >= EXP_LIMIT) return numeric_overflow();
    if (x <= -EXP_LIMIT) return give_zero(arena, scale, result);
    uint64_t bits = bits_for_digits(scale + (int64_t)fmax(x * M_LOG10E, 0) + 10);
    mpz_t fixed, power;
    mpz_inits(fixed, power, NULL);
    fixed_load(fixed, &number, bits);
    int64_t exponent = fixed_exp(power, fixed, bits);
    struct status st = give_fixed(arena, power, exponent - (int64_t)bits, scale, result);
    mpz_clears(fixed, power, NULL);
    return st;
}

// Decimal exponent of ln(x), near enough to choose a scale by.
static int64_t ln_weight(const struct numeric *number)
{
    if (number->negative || number->magnitude.size == 0) return 0;
    struct arena scratch;
    struct datum one, difference, self;
    arena_init(&scratch, NULL);
    self = datum_bytes(bytes_of(number->magnitude.data - 3, number->magnitude.size + 3));
    double x = numeric_to_double(self);
    int64_t weight = 0;
    if (x >= 0.9 && x <= 1.1) {
        // ln(1 + d) is nearly d.
        one = numeric_from_int(&scratch, 1);
        if (!failed(numeric_subtract(&scratch, self, one, &difference)) &&
            !numeric_is_zero(difference)) {
            struct numeric d = numeric_open(difference);
            weight = exponent_of(&d);
        }
    } else {
        // Its first two digits in base 10,000 decide, as in PostgreSQL.
        const int64_t exponent = 4 * (weight_of(exponent_of(number)) - 1);
        const int64_t rest = exponent + (int64_t)number->scale;
        mpz_t digits, power;
        mpz_inits(digits, power, NULL);
        numeric_load(digits, number);
        numeric_pow10_big(power, (uint64_t)(rest < 0 ? -rest : rest));
        if (rest < 0)
            mpz_mul(digits, digits, power);
        else
            mpz_tdiv_q(digits, digits, power);
        double ln = log(mpz_get_d(digits)) + (double)exponent * M_LN10;
        mpz_clears(digits, power, NULL);
        weight = (int64_t)log10(fabs(ln));
    }
    arena_fini(&scratch);
    return weight;
}

struct status numeric_ln(struct arena *arena, struct datum value, struct datum *result)
{
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN) {
        *result = numeric_nan;
        return STATUS_OK;
    }
    int sign = numeric_sign(value);
    if (sign <= 0) return not_a_logarithm(sign);
    if (number.kind == NUMERIC_INFINITE) {
        *result = numeric_infinity;
        return STATUS_OK;
    }
    int32_t scale = clamp_scale(
        max64(NUMERIC_SIGNIFICANT_DIGITS - ln_weight(&number), (int64_t)number.scale));
    uint64_t bits = bits_for_digits(scale + 10);
    mpz_t fixed;
    mpz_init(fixed);
    fixed_ln(fixed, &number, bits);
    struct status st = give_fixed(arena, fixed, -(int64_t)bits, scale, result);
    mpz_clear(fixed);
    return st;
}

static struct status log_special(
    const struct numeric *base, const struct numeric *value, struct datum *result)
{
    if (base->kind == NUMERIC_NAN || value->kind == NUMERIC_NAN)
        *result = numeric_nan;
    else if (base->kind == NUMERIC_INFINITE)
        *result = value->kind == NUMERIC_INFINITE ? numeric_nan : numeric_zero;
    else
        *result = numeric_infinity;
    return STATUS_OK;
}

struct status numeric_log(
    struct arena *arena, struct datum base, struct datum value, struct datum *result)
{
    struct numeric b = numeric_open(base), x = numeric_open(value);
    if (b.kind != NUMERIC_NAN && x.kind != NUMERIC_NAN) {
        if (numeric_sign(base) <= 0) return not_a_logarithm(numeric_sign(base));
        if (numeric_sign(value) <= 0) return not_a_logarithm(numeric_sign(value));
    }
    if (b.kind != NUMERIC_FINITE || x.kind != NUMERIC_FINITE) return log_special(&b, &x, result);
    int64_t base_weight = ln_weight(&b), value_weight = ln_weight(&x);
    int64_t weight = value_weight - base_weight;
    int32_t scale = clamp_scale(max64(NUMERIC_SIGNIFICANT_DIGITS - weight,
        max64((int64_t)b.scale, (int64_t)x.scale)));
    uint64_t bits = bits_for_digits(scale + 20 + max64(weight, 0) +
                                    2 * max64(-base_weight, 0) + max64(-value_weight, 0));
    mpz_t over, under;
    mpz_inits(over, under, NULL);
    fixed_ln(over, &x, bits);
    fixed_ln(under, &b, bits);
    struct status st;
    if (mpz_sgn(under) == 0) {
        st = status_make(E_DIVISION_BY_ZERO, "division by zero");
    } else {
        mpz_mul_2exp(over, over, bits);
        big_tdiv_q(over, over, under);
        st = give_fixed(arena, over, -(int64_t)bits, scale, result);
    }
    mpz_clears(over, under, NULL);
    return st;
}

// --- power -------------------------------------------------------------------------------------------------------------

static bool is_integral(struct datum value)
{
    return numeric_open(value).kind == NUMERIC_INFINITE || numeric_min_scale(value) == 0;
}

static bool is_odd(struct arena *arena, struct datum value)
{
    struct datum whole;
    if (failed(numeric_round(arena, value, 0, NUMERIC_TRUNCATE, &whole))) return false;
    struct numeric number = numeric_open(whole);
    return number.magnitude.size > 0 && (number.magnitude.data[0] & 1) != 0;
}

static struct status power_infinite(
    struct arena *arena, struct datum base, struct datum exponent, struct datum *result)
{
    struct numeric b = numeric_open(base), e = numeric_open(exponent);
    struct datum one = numeric_from_int(arena, 1);
    if (e.kind == NUMERIC_FINITE && e.magnitude.size == 0) {
        *result = one;
    } else if (e.kind == NUMERIC_INFINITE) {
        int order = numeric_compare(numeric_abs(arena, base), one);
        if (order == 0)
            *result = one;
        else
            *result = (order > 0) != e.negative ? numeric_infinity : numeric_zero;
    } else if (e.negative) {
        *result = numeric_zero;
    } else {
        *result = b.negative && is_odd(arena, exponent) ? numeric_minus_infinity : numeric_infinity;
    }
    return STATUS_OK;
}

// A magnitude m * 10^exponent, cut to so many digits that errors stay below the result's last one.
struct rough {
    mpz_t m;
    int64_t exponent;
};

static void rough_multiply(struct rough *a, const struct rough *b, int64_t digits)
{
    mpz_t power;
    big_mul(a->m, a->m, b->m);
    a->exponent += b->exponent;
    int64_t excess = (int64_t)mpz_sizeinbase(a->m, 10) - digits;
    if (excess <= 0) return;
    mpz_init(power);
    numeric_pow10_big(power, (uint64_t)excess);
    big_tdiv_q(a->m, a->m, power);
    a->exponent += excess;
    mpz_clear(power);
}

// To `scale` decimals; inverted first when asked.
static struct status rough_give(struct arena *arena, struct rough *value, bool invert,
    bool negative, int32_t scale, struct datum *result)
{
    mpz_t power;
    mpz_init(power);
    // Twice the result in units of the last place, truncated; then a half is added and cut off.
    int64_t shift = (invert ? -value->exponent : value->exponent) + scale;
    numeric_pow10_big(power, (uint64_t)(shift < 0 ? -shift : shift));
    if (invert) {
        if (shift < 0) {
            big_mul(value->m, value->m, power);
            mpz_set_ui(power, 1);
        }
        mpz_mul_2exp(power, power, 1);
        big_tdiv_q(value->m, power, value->m);
    } else {
        mpz_mul_2exp(value->m, value->m, 1);
        if (shift < 0)
            big_tdiv_q(value->m, value->m, power);
        else
            big_mul(value->m, value->m, power);
    }
    mpz_add_ui(value->m, value->m, 1);
    mpz_tdiv_q_2exp(value->m, value->m, 1);
    struct status st = numeric_make(arena, negative, scale, value->m, result);
    mpz_clear(power);
    return st;
}

static struct status power_integer(
    struct arena *arena, const struct numeric *base, int64_t exponent, struct datum *result)
{
    int32_t scale = clamp_scale(max64(NUMERIC_SIGNIFICANT_DIGITS, (int64_t)base->scale));
    if (base->magnitude.size == 0) {
        if (exponent > 0) return give_zero(arena, scale, result);
        return numeric_round(arena, numeric_from_int(arena, 1), scale, NUMERIC_TRUNCATE, result);
    }
    // Where the result lies, from logarithms: beyond the format it is not computed.
    mpz_t magnitude;
    mpz_init(magnitude);
    numeric_load(magnitude, base);
    signed long two;
    double mantissa = mpz_get_d_2exp(&two, magnitude);
    double weight = (log10(mantissa) + (double)two * M_LN2 / M_LN10 - (double)base->scale) *
                    (double)exponent;
    bool negative = base->negative && (exponent & 1) != 0;
    if (weight > NUMERIC_DIGITS_MAX + 1 || weight < -(double)scale - 1) {
        mpz_clear(magnitude);
        if (weight > 0) return numeric_overflow();
        return give_zero(arena, scale, result);
    }
    uint64_t left = exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent;
    int64_t digits = (int64_t)fabs(weight) + scale + 40;
    struct rough square = {.exponent = -(int64_t)base->scale}, product = {.exponent = 0};
    mpz_init_set(square.m, magnitude);
    mpz_init_set_ui(product.m, 1);
    while (left > 0) {
        if ((left & 1) != 0) rough_multiply(&product, &square, digits);
        left >>= 1;
        if (left > 0) rough_multiply(&square, &square, digits);
    }
    struct status st = rough_give(arena, &product, exponent < 0, negative, scale, result);
    mpz_clears(magnitude, square.m, product.m, NULL);
    return st;
}

// How many digits the result has before its point PostgreSQL estimates with a logarithm of eight digits, of
// which the product with the exponent has as many: what is a power of ten is seen as one.
static double rounded_exponent(double ln, double exponent)
{
    if (ln == 0) return 0;
    long double unit = powl(10, 8 - (int)log10(fabs(ln)));
    long double product = roundl(ln * unit) * exponent;
    return (double)(roundl(product * (1 + 1e-17L)) / unit);
}

static struct status power_real(struct arena *arena, const struct numeric *base,
    struct datum exponent, struct datum *result)
{
    struct numeric e = numeric_open(exponent);
    mpz_t magnitude;
    mpz_init(magnitude);
    numeric_load(magnitude, base);
    signed long two;
    double mantissa = mpz_get_d_2exp(&two, magnitude);
    mpz_clear(magnitude);
    double ln = log(mantissa) + (double)two * M_LN2 - (double)base->scale * M_LN10;
    double x = ln == 0 ? 0 : ln * numeric_to_double(exponent); // One to any power is one.
    if (fabs(x) > 2000 * 3.01) {
        if (x > 0) return numeric_overflow();
        return give_zero(arena, NUMERIC_RESULT_SCALE_MAX, result);
    }
    double weight = x * M_LOG10E;
    int32_t scale = clamp_scale(
        max64(NUMERIC_SIGNIFICANT_DIGITS - (int64_t)(rounded_exponent(ln, numeric_to_double(exponent)) * M_LOG10E),
            max64((int64_t)base->scale, (int64_t)e.scale)));
    int64_t more = max64(exponent_of(&e), 0);
    uint64_t bits = bits_for_digits(scale + (int64_t)fmax(weight, 0) + more + 20);
    mpz_t fixed, power;
    mpz_inits(fixed, power, NULL);
    fixed_ln(fixed, base, bits);
    fixed_load(power, &e, bits);
    big_mul(fixed, fixed, power);
    mpz_tdiv_q_2exp(fixed, fixed, bits);
    int64_t shift = fixed_exp(power, fixed, bits);
    struct status st = give_fixed(arena, power, shift - (int64_t)bits, scale, result);
    mpz_clears(fixed, power, NULL);
    return st;
}

struct status numeric_power(
    struct arena *arena, struct datum base, struct datum exponent, struct datum *result)
{
    struct numeric b = numeric_open(base), e = numeric_open(exponent);
    struct datum one = numeric_from_int(arena, 1);
    int64_t whole;
    if (b.kind == NUMERIC_NAN || e.kind == NUMERIC_NAN) {
        bool is_one = (b.kind == NUMERIC_NAN && numeric_is_zero(exponent)) ||
                      (e.kind == NUMERIC_NAN && numeric_compare(base, one) == 0);
        *result = is_one ? one : numeric_nan;
        return STATUS_OK;
    }
    if (numeric_sign(base) == 0 && numeric_sign(exponent) < 0)
        return status_make(
            E_INVALID_POWER_ARGUMENT, "zero raised to a negative power is undefined");
    bool integral = is_integral(exponent);
    if (numeric_sign(base) < 0 && !integral)
        return status_make(E_INVALID_POWER_ARGUMENT,
            "a negative number raised to a non-integer power yields a complex result");
    if (b.kind == NUMERIC_INFINITE || e.kind == NUMERIC_INFINITE)
        return power_infinite(arena, base, exponent, result);
    if (integral && numeric_to_int(exponent, &whole) && whole >= INT32_MIN && whole <= INT32_MAX)
        return power_integer(arena, &b, whole, result);
    if (b.magnitude.size == 0) return give_zero(arena, NUMERIC_SIGNIFICANT_DIGITS, result);
    struct status st = power_real(arena, &b, exponent, result);
    if (!failed(st) && b.negative && is_odd(arena, exponent))
        *result = numeric_negate(arena, *result);
    return st;
}

// --- integers -----------------------------------------------------------------------------------------------------------

static struct status common(struct arena *arena, struct datum left, struct datum right,
    void (*fn)(mpz_ptr, mpz_srcptr, mpz_srcptr), struct datum *result)
{
    struct numeric a = numeric_open(left), b = numeric_open(right);
    if (a.kind != NUMERIC_FINITE || b.kind != NUMERIC_FINITE) {
        *result = numeric_nan;
        return STATUS_OK;
    }
    uint32_t scale = a.scale > b.scale ? a.scale : b.scale;
    mpz_t x, y, power;
    mpz_inits(x, y, power, NULL);
    numeric_load(x, &a);
    numeric_load(y, &b);
    numeric_pow10_big(power, scale - a.scale);
    big_mul(x, x, power);
    numeric_pow10_big(power, scale - b.scale);
    big_mul(y, y, power);
    fn(x, x, y);
    struct status st = numeric_make(arena, false, scale, x, result);
    mpz_clears(x, y, power, NULL);
    return st;
}

struct status numeric_gcd(struct arena *arena, struct datum a, struct datum b, struct datum *result)
{
    return common(arena, a, b, big_gcd, result);
}

struct status numeric_lcm(struct arena *arena, struct datum a, struct datum b, struct datum *result)
{
    return common(arena, a, b, big_lcm, result);
}

struct status numeric_factorial(struct arena *arena, int64_t value, struct datum *result)
{
    if (value < 0)
        return status_make(
            E_NUMERIC_OUT_OF_RANGE, "factorial of a negative number is undefined");
    if (value > 32177) return numeric_overflow();
    mpz_t product;
    mpz_init(product);
    big_fac_ui(product, (unsigned long)value);
    struct status st = numeric_make(arena, false, 0, product, result);
    mpz_clear(product);
    return st;
}
