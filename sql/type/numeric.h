// SPDX-License-Identifier: GPL-3.0-or-later
//
// numeric: exact decimals with a display scale, NaN and the infinities.
//
//   u8 kind (0 finite, 1 NaN, 2 infinite) | 0x80 when negative, u16 scale, then the magnitude,
//   little-endian, without zero bytes at its end. The value is magnitude / 10^scale.
//
// Values of up to 38 digits are computed in 128-bit integers; others in GMP's. Results and their scales
// are PostgreSQL's, digit for digit, in + - * / % and rounding; roots, logarithms and powers have its
// scales and are correctly rounded there.
//
// Memory   Results go into the arena given.
// Errors   22003 "value overflows numeric format", 22012, 2201E, 2201F, 22P02.
// Bounds   131,072 digits before the point, 16,383 after it, as in PostgreSQL.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"

#define NUMERIC_SCALE_MAX 16383
#define NUMERIC_DIGITS_MAX 131072      // Before the point.
#define NUMERIC_RESULT_SCALE_MAX 1000  // Of quotients and functions.
#define NUMERIC_SIGNIFICANT_DIGITS 16  // At least, in quotients and functions.

struct datum numeric_from_int(struct arena *arena, int64_t value);
struct datum numeric_from_uint(struct arena *arena, uint64_t value);
// value / 10^scale.
struct datum numeric_from_scaled(struct arena *arena, __int128 value, uint32_t scale);
extern const struct datum numeric_nan, numeric_infinity, numeric_minus_infinity, numeric_zero;

CHECKED struct status numeric_parse(struct arena *arena, struct bytes text, struct datum *value);
void numeric_print(struct buffer *out, struct datum value);
// 15 significant digits for double precision, 6 for real.
CHECKED struct status numeric_from_double(
    struct arena *arena, double value, int digits, struct datum *result);
double numeric_to_double(struct datum value); // Infinite when too large.
// Rounds halves away from zero. False when out of range or not finite.
bool numeric_to_int(struct datum value, int64_t *result);
bool numeric_to_int128(struct datum value, uint32_t scale, __int128 *result); // value * 10^scale, exact.

bool numeric_is_nan(struct datum value);
bool numeric_is_infinite(struct datum value);
bool numeric_is_zero(struct datum value);
int numeric_sign(struct datum value); // Of NaN: 0.
uint32_t numeric_scale(struct datum value);
uint32_t numeric_min_scale(struct datum value); // Without zeros at the end.
int numeric_compare(struct datum a, struct datum b); // NaN equals itself and is the greatest.
uint64_t numeric_hash(struct datum value);

struct datum numeric_negate(struct arena *arena, struct datum value);
struct datum numeric_abs(struct arena *arena, struct datum value);
CHECKED struct status numeric_add(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_subtract(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_multiply(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_divide(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_modulo(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_quotient( // div(): towards zero.
    struct arena *arena, struct datum a, struct datum b, struct datum *result);

enum numeric_rounding { NUMERIC_HALF_AWAY, NUMERIC_TRUNCATE, NUMERIC_CEILING, NUMERIC_FLOOR };
// To `scale` digits after the point; negative: to tens, hundreds. Pads with zeros to a larger scale.
CHECKED struct status numeric_round(struct arena *arena, struct datum value, int32_t scale,
    enum numeric_rounding rounding, struct datum *result);
// Declared numeric(precision, scale): 22003 "numeric field overflow".
CHECKED struct status numeric_coerce(
    struct arena *arena, struct datum value, int32_t typmod, struct datum *result);
// The scale of a quotient.
int32_t numeric_divide_scale(struct datum a, struct datum b);
CHECKED struct status numeric_divide_at(struct arena *arena, struct datum a, struct datum b,
    int32_t scale, struct datum *result);

// numeric_math.c
CHECKED struct status numeric_sqrt(struct arena *arena, struct datum value, struct datum *result);
CHECKED struct status numeric_sqrt_at(
    struct arena *arena, struct datum value, int32_t scale, struct datum *result);
CHECKED struct status numeric_exp(struct arena *arena, struct datum value, struct datum *result);
CHECKED struct status numeric_ln(struct arena *arena, struct datum value, struct datum *result);
CHECKED struct status numeric_log(
    struct arena *arena, struct datum base, struct datum value, struct datum *result);
CHECKED struct status numeric_power(
    struct arena *arena, struct datum base, struct datum exponent, struct datum *result);
CHECKED struct status numeric_gcd(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_lcm(
    struct arena *arena, struct datum a, struct datum b, struct datum *result);
CHECKED struct status numeric_factorial(struct arena *arena, int64_t value, struct datum *result);
