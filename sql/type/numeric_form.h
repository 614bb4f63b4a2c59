// SPDX-License-Identifier: GPL-3.0-or-later
//
// The parts of a numeric, for numeric*.c and type_numeric.c.
#pragma once
#include <gmp.h>

#include "core/invariant.h"
#include "sql/type/numeric.h"
#include "sql/type/numeric_big.h"

typedef unsigned __int128 uint128;

enum numeric_kind { NUMERIC_FINITE, NUMERIC_NAN, NUMERIC_INFINITE };

struct numeric {
    enum numeric_kind kind;
    bool negative; // Never for zero.
    bool small;    // The magnitude fits `value`.
    uint32_t scale;
    uint128 value;
    struct bytes magnitude; // Little-endian.
};

struct numeric numeric_open(struct datum value);
struct datum numeric_make_small(
    struct arena *arena, bool negative, uint32_t scale, uint128 magnitude);
// 22003 beyond the bounds. `magnitude` is not negative.
CHECKED struct status numeric_make(struct arena *arena, bool negative, int64_t scale,
    mpz_srcptr magnitude, struct datum *result);
void numeric_load(mpz_ptr out, const struct numeric *number); // The magnitude, initialised before.
uint128 numeric_pow10(uint32_t exponent);                     // At most 38.
void numeric_pow10_big(mpz_ptr out, uint64_t exponent);
uint32_t numeric_digits_small(uint128 magnitude); // Decimal digits; 0 for zero.
uint64_t numeric_digits_big(mpz_srcptr magnitude);
uint64_t numeric_digits(const struct numeric *number);
struct status numeric_overflow(void); // "value overflows numeric format"
