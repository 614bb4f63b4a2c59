// SPDX-License-Identifier: GPL-3.0-or-later
//
// An exact sum of numerics: in 128 bits while it fits, spilled into a numeric when it does not. Zeroed
// memory is an empty sum.
//
// Memory   What is spilled lives in the arena given, which must be the same for all calls on a sum.
#pragma once
#include "sql/type/numeric.h"

struct decimal_sum {
    __int128 small;       // small / 10^small_scale, and `spilled` beside it.
    uint32_t small_scale;
    uint32_t scale;       // The largest of all added: the result's.
    uint8_t *spilled;
    uint32_t spilled_size, spilled_capacity;
    uint64_t nans, infinities, minus_infinities;
};

CHECKED struct status decimal_sum_add(
    struct arena *arena, struct decimal_sum *sum, struct datum value);
CHECKED struct status decimal_sum_add_int(
    struct arena *arena, struct decimal_sum *sum, __int128 value, uint32_t scale);
CHECKED struct status decimal_sum_merge(
    struct arena *arena, struct decimal_sum *sum, const struct decimal_sum *other);
CHECKED struct status decimal_sum_value(
    struct arena *arena, const struct decimal_sum *sum, struct datum *value);
