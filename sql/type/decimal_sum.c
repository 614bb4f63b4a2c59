// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/decimal_sum.h"

#include "sql/type/numeric_form.h"

// Adds to the spilled part, whose memory is reused. `value` may lie in scratch memory of the arena.
static struct status spill(struct arena *arena, struct decimal_sum *sum, struct datum value)
{
    struct status st = STATUS_OK;
    struct datum spilled =
        sum->spilled_size == 0 ? numeric_zero
                               : datum_bytes(bytes_of(sum->spilled, sum->spilled_size));
    TRY(numeric_add(arena, spilled, value, &spilled));
    if (spilled.size > sum->spilled_capacity) {
        sum->spilled_capacity = spilled.size * 2;
        sum->spilled = arena_alloc(arena, sum->spilled_capacity);
    }
    memcpy(sum->spilled, spilled.data, spilled.size);
    sum->spilled_size = spilled.size;
out:
    return st;
}

static struct status spill_small(struct arena *arena, struct decimal_sum *sum)
{
    struct arena_mark mark = arena_mark(arena);
    uint32_t capacity = sum->spilled_capacity;
    struct status st =
        spill(arena, sum, numeric_from_scaled(arena, sum->small, sum->small_scale));
    // The scratch goes, unless the spilled part has just moved behind it.
    if (capacity == sum->spilled_capacity) arena_release(arena, mark);
    sum->small = 0;
    return st;
}

// *value at the scale of the small sum, when both fit.
static bool align(struct decimal_sum *sum, __int128 *value, uint32_t scale)
{
    while (sum->small_scale < scale) {
        __int128 product;
        if (__builtin_mul_overflow(sum->small, (__int128)10, &product)) return false;
        sum->small = product;
        sum->small_scale++;
    }
    for (; scale < sum->small_scale; scale++) {
        if (__builtin_mul_overflow(*value, (__int128)10, value)) return false;
    }
    return true;
}

struct status decimal_sum_add_int(
    struct arena *arena, struct decimal_sum *sum, __int128 value, uint32_t scale)
{
    struct status st = STATUS_OK;
    __int128 aligned = value, total;
    if (scale > sum->scale) sum->scale = scale;
    if (sum->small == 0) sum->small_scale = scale;
    if (align(sum, &aligned, scale) && !__builtin_add_overflow(sum->small, aligned, &total)) {
        sum->small = total;
        return st;
    }
    TRY(spill_small(arena, sum));
    sum->small = value;
    sum->small_scale = scale;
out:
    return st;
}

struct status decimal_sum_add(struct arena *arena, struct decimal_sum *sum, struct datum value)
{
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN) {
        sum->nans++;
    } else if (number.kind == NUMERIC_INFINITE) {
        if (number.negative)
            sum->minus_infinities++;
        else
            sum->infinities++;
    } else if (number.small && number.value >> 127 == 0) {
        __int128 small = (__int128)number.value;
        return decimal_sum_add_int(arena, sum, number.negative ? -small : small, number.scale);
    } else {
        if (number.scale > sum->scale) sum->scale = number.scale;
        struct arena_mark mark = arena_mark(arena);
        uint32_t capacity = sum->spilled_capacity;
        struct status st = spill(arena, sum, value);
        if (capacity == sum->spilled_capacity) arena_release(arena, mark);
        return st;
    }
    return STATUS_OK;
}

struct status decimal_sum_merge(
    struct arena *arena, struct decimal_sum *sum, const struct decimal_sum *other)
{
    struct status st = STATUS_OK;
    sum->nans += other->nans;
    sum->infinities += other->infinities;
    sum->minus_infinities += other->minus_infinities;
    if (other->scale > sum->scale) sum->scale = other->scale;
    TRY(decimal_sum_add_int(arena, sum, other->small, other->small_scale));
    if (other->spilled_size > 0)
        TRY(spill(arena, sum, datum_bytes(bytes_of(other->spilled, other->spilled_size))));
out:
    return st;
}

struct status decimal_sum_value(
    struct arena *arena, const struct decimal_sum *sum, struct datum *value)
{
    struct status st = STATUS_OK;
    if (sum->nans > 0 || (sum->infinities > 0 && sum->minus_infinities > 0)) {
        *value = numeric_nan;
    } else if (sum->infinities > 0) {
        *value = numeric_infinity;
    } else if (sum->minus_infinities > 0) {
        *value = numeric_minus_infinity;
    } else {
        *value = numeric_from_scaled(arena, sum->small, sum->small_scale);
        if (sum->spilled_size > 0)
            TRY(numeric_add(
                arena, *value, datum_bytes(bytes_of(sum->spilled, sum->spilled_size)), value));
        TRY(numeric_round(arena, *value, (int32_t)sum->scale, NUMERIC_TRUNCATE, value));
    }
out:
    return st;
}
