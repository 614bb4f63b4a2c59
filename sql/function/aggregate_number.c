// SPDX-License-Identifier: GPL-3.0-or-later
//
// sum, avg, variance and standard deviation, and the statistics of pairs.
//
// Integers and numerics are summed exactly. Floating point keeps N, the sum and the sum of squared
// differences by the Youngs-Cramer recurrence, as PostgreSQL does.
#include <math.h>

#include "sql/type/datetime.h"
#include "sql/type/decimal_sum.h"
#include "sql/function/function_table.h"

#define STEP(name) \
    static struct status name( \
        struct function_call *call, void *state_, const struct datum *args)
#define MERGE(name) \
    static struct status name(struct function_call *call, void *state_, const void *other_)
#define FINAL(name) \
    static struct status name(struct function_call *call, void *state_, struct datum *result)

// --- exact sums ----------------------------------------------------------------------------------------

struct exact {
    uint64_t count;
    struct decimal_sum sum, squares;
};

STEP(exact_int)
{
    struct exact *state = state_;
    state->count++;
    return decimal_sum_add_int(call->arena, &state->sum, args[0].integer, 0);
}

STEP(exact_int_squares)
{
    struct status st = STATUS_OK;
    struct exact *state = state_;
    __int128 value = args[0].integer;
    state->count++;
    TRY(decimal_sum_add_int(call->arena, &state->sum, value, 0));
    TRY(decimal_sum_add_int(call->arena, &state->squares, value * value, 0));
out:
    return st;
}

STEP(exact_numeric)
{
    struct exact *state = state_;
    state->count++;
    return decimal_sum_add(call->arena, &state->sum, args[0]);
}

STEP(exact_numeric_squares)
{
    struct status st = STATUS_OK;
    struct exact *state = state_;
    struct datum square;
    state->count++;
    TRY(decimal_sum_add(call->arena, &state->sum, args[0]));
    TRY(numeric_multiply(call->arena, args[0], args[0], &square));
    TRY(decimal_sum_add(call->arena, &state->squares, square));
out:
    return st;
}

MERGE(exact_merge)
{
    struct status st = STATUS_OK;
    struct exact *state = state_;
    const struct exact *other = other_;
    state->count += other->count;
    TRY(decimal_sum_merge(call->arena, &state->sum, &other->sum));
    TRY(decimal_sum_merge(call->arena, &state->squares, &other->squares));
out:
    return st;
}

FINAL(exact_sum)
{
    const struct exact *state = state_;
    *result = DATUM_NULL;
    if (state->count == 0) return STATUS_OK;
    return decimal_sum_value(call->arena, &state->sum, result);
}

// The sum of smallints and integers is a bigint.
FINAL(exact_sum_int8)
{
    const struct exact *state = state_;
    (void)call;
    *result = DATUM_NULL;
    if (state->count == 0) return STATUS_OK;
    if (state->sum.spilled_size > 0 || state->sum.small != (int64_t)state->sum.small)
        return number_out_of_range(TYPE_INT8);
    *result = datum_int((int64_t)state->sum.small);
    return STATUS_OK;
}

FINAL(exact_avg)
{
    struct status st = STATUS_OK;
    const struct exact *state = state_;
    *result = DATUM_NULL;
    if (state->count == 0) return st;
    TRY(decimal_sum_value(call->arena, &state->sum, result));
    TRY(numeric_divide(call->arena, *result, numeric_from_uint(call->arena, state->count), result));
out:
    return st;
}

struct spread {
    bool sample; // Divided by N - 1 rather than N.
    bool root;
};

static struct status exact_spread(
    struct function_call *call, const struct exact *state, struct spread how, struct datum *result)
{
    struct status st = STATUS_OK;
    struct arena *arena = call->arena;
    struct datum sum, squares, over, under, count;
    *result = DATUM_NULL;
    if (state->count == 0 || (how.sample && state->count == 1)) return st;
    TRY(decimal_sum_value(arena, &state->sum, &sum));
    TRY(decimal_sum_value(arena, &state->squares, &squares));
    if (numeric_is_nan(sum) || numeric_is_infinite(sum)) {
        *result = numeric_nan;
        return st;
    }
    // (N * sum of squares - square of the sum) / (N * (N - 1))
    count = numeric_from_uint(arena, state->count);
    TRY(numeric_multiply(arena, count, squares, &over));
    TRY(numeric_multiply(arena, sum, sum, &sum));
    TRY(numeric_subtract(arena, over, sum, &over));
    if (numeric_sign(over) <= 0) {
        *result = numeric_zero;
        return st;
    }
    TRY(numeric_multiply(
        arena, count, numeric_from_uint(arena, state->count - how.sample), &under));
    int32_t scale = numeric_divide_scale(over, under);
    TRY(numeric_divide_at(arena, over, under, scale, result));
    if (how.root) TRY(numeric_sqrt_at(arena, *result, scale, result));
out:
    return st;
}

FINAL(exact_var_pop)
{
    return exact_spread(call, state_, (struct spread){false, false}, result);
}
FINAL(exact_var_samp)
{
    return exact_spread(call, state_, (struct spread){true, false}, result);
}
FINAL(exact_stddev_pop)
{
    return exact_spread(call, state_, (struct spread){false, true}, result);
}
FINAL(exact_stddev_samp)
{
    return exact_spread(call, state_, (struct spread){true, true}, result);
}

// --- floating point sums -----------------------------------------------------------------------------------

struct rough {
    double count, sum, squares; // squares: of differences from the mean.
};

STEP(rough_sum)
{
    struct rough *state = state_;
    double value = state->count == 0 ? args[0].real : state->sum + args[0].real;
    if (call->result_type.oid == TYPE_FLOAT4) value = (double)(float)value;
    if (isinf(value) && !isinf(args[0].real) && !isinf(state->sum)) return number_overflow();
    state->sum = value;
    state->count++;
    return STATUS_OK;
}

MERGE(rough_sum_merge)
{
    const struct rough *other = other_;
    struct datum value = datum_real(other->sum);
    if (other->count == 0) return STATUS_OK;
    struct status st = rough_sum(call, state_, &value);
    ((struct rough *)state_)->count += other->count - 1;
    return st;
}

FINAL(rough_sum_value)
{
    const struct rough *state = state_;
    (void)call;
    *result = state->count == 0 ? DATUM_NULL : datum_real(state->sum);
    return STATUS_OK;
}

STEP(rough_squares)
{
    struct rough *state = state_;
    double value = args[0].real, before = state->sum;
    (void)call;
    state->count++;
    state->sum += value;
    if (state->count > 1) {
        double difference = value * state->count - state->sum;
        state->squares += difference * difference / (state->count * (state->count - 1));
        if (isinf(state->sum) || isinf(state->squares)) {
            if (!isinf(before) && !isinf(value)) return number_overflow();
            state->squares = (double)NAN;
        }
    } else if (isnan(value) || isinf(value)) {
        state->squares = (double)NAN;
    }
    return STATUS_OK;
}

MERGE(rough_squares_merge)
{
    struct rough *state = state_;
    const struct rough *other = other_;
    (void)call;
    if (other->count == 0) return STATUS_OK;
    if (state->count == 0) {
        *state = *other;
        return STATUS_OK;
    }
    double count = state->count + other->count;
    double difference = state->sum / state->count - other->sum / other->count;
    double sum = state->sum + other->sum;
    if (isinf(sum) && !isinf(state->sum) && !isinf(other->sum)) return number_overflow();
    state->squares += other->squares + state->count * other->count * difference * difference / count;
    state->count = count;
    state->sum = sum;
    return STATUS_OK;
}

FINAL(rough_avg)
{
    const struct rough *state = state_;
    (void)call;
    *result = state->count == 0 ? DATUM_NULL : datum_real(state->sum / state->count);
    return STATUS_OK;
}

static struct status rough_spread(
    const struct rough *state, struct spread how, struct datum *result)
{
    double under = state->count - how.sample;
    *result = DATUM_NULL;
    if (under <= 0) return STATUS_OK;
    double variance = state->squares / under;
    *result = datum_real(how.root ? sqrt(variance) : variance);
    return STATUS_OK;
}

FINAL(rough_var_pop)
{
    (void)call;
    return rough_spread(state_, (struct spread){false, false}, result);
}
FINAL(rough_var_samp)
{
    (void)call;
    return rough_spread(state_, (struct spread){true, false}, result);
}
FINAL(rough_stddev_pop)
{
    (void)call;
    return rough_spread(state_, (struct spread){false, true}, result);
}
FINAL(rough_stddev_samp)
{
    (void)call;
    return rough_spread(state_, (struct spread){true, true}, result);
}

// --- intervals ---------------------------------------------------------------------------------------------

struct interval_sum {
    uint64_t count;
    struct interval sum;
};

STEP(interval_step)
{
    struct interval_sum *state = state_;
    (void)call;
    state->count++;
    return interval_add(state->sum, interval_of(args[0]), &state->sum);
}

MERGE(interval_merge)
{
    struct interval_sum *state = state_;
    const struct interval_sum *other = other_;
    (void)call;
    state->count += other->count;
    return interval_add(state->sum, other->sum, &state->sum);
}

FINAL(interval_sum_value)
{
    const struct interval_sum *state = state_;
    *result = state->count == 0 ? DATUM_NULL : interval_datum(call->arena, state->sum);
    return STATUS_OK;
}

FINAL(interval_avg)
{
    struct status st = STATUS_OK;
    const struct interval_sum *state = state_;
    struct interval mean;
    *result = DATUM_NULL;
    if (state->count == 0) return st;
    TRY(interval_divide(state->sum, (double)state->count, &mean));
    *result = interval_datum(call->arena, mean);
out:
    return st;
}

// --- pairs: regression of y (first) on x (second) ---------------------------------------------------------------

struct pairs {
    double count, sum_x, squares_x, sum_y, squares_y, products;
};

// Whether a sum that is infinite should not be: nothing that went into it was.
static bool overflows(double sum, double before, double added)
{
    return isinf(sum) && !isinf(before) && !isinf(added);
}

STEP(pairs_step)
{
    struct pairs *state = state_;
    const struct pairs before = *state;
    double y = args[0].real, x = args[1].real;
    (void)call;
    state->count++;
    state->sum_x += x;
    state->sum_y += y;
    if (state->count > 1) {
        double dx = x * state->count - state->sum_x, dy = y * state->count - state->sum_y;
        double scale = 1.0 / (state->count * before.count);
        state->squares_x += dx * dx * scale;
        state->squares_y += dy * dy * scale;
        state->products += dx * dy * scale;
        const bool finite_x = !isinf(before.sum_x) && !isinf(x), finite_y = !isinf(before.sum_y) && !isinf(y);
        if (((isinf(state->sum_x) || isinf(state->squares_x)) && finite_x) ||
            ((isinf(state->sum_y) || isinf(state->squares_y)) && finite_y) ||
            (isinf(state->products) && finite_x && finite_y))
            return number_overflow();
        if (isinf(state->squares_x)) state->squares_x = (double)NAN;
        if (isinf(state->squares_y)) state->squares_y = (double)NAN;
        if (isinf(state->products)) state->products = (double)NAN;
    } else {
        if (isinf(x) || isnan(x)) state->squares_x = state->products = (double)NAN;
        if (isinf(y) || isnan(y)) state->squares_y = state->products = (double)NAN;
    }
    return STATUS_OK;
}

MERGE(pairs_merge)
{
    struct pairs *state = state_;
    const struct pairs *other = other_, before = *state;
    (void)call;
    if (other->count == 0) return STATUS_OK;
    if (state->count == 0) {
        *state = *other;
        return STATUS_OK;
    }
    double count = state->count + other->count;
    double dx = state->sum_x / state->count - other->sum_x / other->count;
    double dy = state->sum_y / state->count - other->sum_y / other->count;
    state->squares_x += other->squares_x + before.count * other->count * dx * dx / count;
    state->squares_y += other->squares_y + before.count * other->count * dy * dy / count;
    state->products += other->products + before.count * other->count * dx * dy / count;
    state->sum_x += other->sum_x;
    state->sum_y += other->sum_y;
    state->count = count;
    if (overflows(state->sum_x, before.sum_x, other->sum_x) || overflows(state->sum_y, before.sum_y, other->sum_y) ||
        overflows(state->squares_x, before.squares_x, other->squares_x) ||
        overflows(state->squares_y, before.squares_y, other->squares_y) ||
        overflows(state->products, before.products, other->products))
        return number_overflow();
    return STATUS_OK;
}

// Of regr_count, which adds nothing up.
STEP(pairs_tally)
{
    (void)call;
    (void)args;
    ((struct pairs *)state_)->count++;
    return STATUS_OK;
}

MERGE(pairs_tally_merge)
{
    (void)call;
    ((struct pairs *)state_)->count += ((const struct pairs *)other_)->count;
    return STATUS_OK;
}

FINAL(pairs_count)
{
    (void)call;
    *result = datum_int((int64_t)((const struct pairs *)state_)->count);
    return STATUS_OK;
}

#define PAIRS_FINAL(name, missing, expression) \
    FINAL(pairs_##name) \
    { \
        const struct pairs *s = state_; \
        (void)call; \
        *result = (missing) ? DATUM_NULL : datum_real(expression); \
        return STATUS_OK; \
    }
PAIRS_FINAL(sxx, s->count < 1, s->squares_x)
PAIRS_FINAL(syy, s->count < 1, s->squares_y)
PAIRS_FINAL(sxy, s->count < 1, s->products)
PAIRS_FINAL(avgx, s->count < 1, s->sum_x / s->count)
PAIRS_FINAL(avgy, s->count < 1, s->sum_y / s->count)
PAIRS_FINAL(covar_pop, s->count < 1, s->products / s->count)
PAIRS_FINAL(covar_samp, s->count < 2, s->products / (s->count - 1))
PAIRS_FINAL(corr, s->count < 1 || s->squares_x == 0 || s->squares_y == 0,
    s->products / sqrt(s->squares_x * s->squares_y))
PAIRS_FINAL(r2, s->count < 1 || s->squares_x == 0,
    s->squares_y == 0 ? 1.0 : s->products * s->products / (s->squares_x * s->squares_y))
PAIRS_FINAL(slope, s->count < 1 || s->squares_x == 0, s->products / s->squares_x)
PAIRS_FINAL(intercept, s->count < 1 || s->squares_x == 0,
    (s->sum_y - s->sum_x * s->products / s->squares_x) / s->count)

// clang-format off
#define OPS(name, state_type, step_, merge_, final_) \
    static const struct aggregate_ops name = { \
        .state_bytes = sizeof(state_type), .step = step_, .merge = merge_, .final = final_};
OPS(sum_int, struct exact, exact_int, exact_merge, exact_sum_int8)
OPS(sum_int8, struct exact, exact_int, exact_merge, exact_sum)
OPS(sum_numeric, struct exact, exact_numeric, exact_merge, exact_sum)
OPS(sum_float, struct rough, rough_sum, rough_sum_merge, rough_sum_value)
OPS(sum_interval, struct interval_sum, interval_step, interval_merge, interval_sum_value)
OPS(avg_int, struct exact, exact_int, exact_merge, exact_avg)
OPS(avg_numeric, struct exact, exact_numeric, exact_merge, exact_avg)
OPS(avg_float, struct rough, rough_squares, rough_squares_merge, rough_avg)
OPS(avg_interval, struct interval_sum, interval_step, interval_merge, interval_avg)
#define SPREAD(name) \
    OPS(int_##name, struct exact, exact_int_squares, exact_merge, exact_##name) \
    OPS(numeric_##name, struct exact, exact_numeric_squares, exact_merge, exact_##name) \
    OPS(float_##name, struct rough, rough_squares, rough_squares_merge, rough_##name)
SPREAD(var_pop)
SPREAD(var_samp)
SPREAD(stddev_pop)
SPREAD(stddev_samp)
#define PAIRS(name) OPS(ops_##name, struct pairs, pairs_step, pairs_merge, pairs_##name)
OPS(ops_count, struct pairs, pairs_tally, pairs_tally_merge, pairs_count)
PAIRS(sxx)
PAIRS(syy)
PAIRS(sxy)
PAIRS(avgx)
PAIRS(avgy)
PAIRS(covar_pop)
PAIRS(covar_samp)
PAIRS(corr)
PAIRS(r2)
PAIRS(slope)
PAIRS(intercept)

static const struct function table[] = {
    AGGREGATE("sum", 2109, INT8, &sum_int, TYPE_INT2),
    AGGREGATE("sum", 2108, INT8, &sum_int, TYPE_INT4),
    AGGREGATE("sum", 2107, NUMERIC, &sum_int8, TYPE_INT8),
    AGGREGATE("sum", 2114, NUMERIC, &sum_numeric, TYPE_NUMERIC),
    AGGREGATE("sum", 2110, FLOAT4, &sum_float, TYPE_FLOAT4),
    AGGREGATE("sum", 2111, FLOAT8, &sum_float, TYPE_FLOAT8),
    AGGREGATE("sum", 2113, INTERVAL, &sum_interval, TYPE_INTERVAL),
    AGGREGATE("avg", 2102, NUMERIC, &avg_int, TYPE_INT2),
    AGGREGATE("avg", 2101, NUMERIC, &avg_int, TYPE_INT4),
    AGGREGATE("avg", 2100, NUMERIC, &avg_int, TYPE_INT8),
    AGGREGATE("avg", 2103, NUMERIC, &avg_numeric, TYPE_NUMERIC),
    AGGREGATE("avg", 2104, FLOAT8, &avg_float, TYPE_FLOAT4),
    AGGREGATE("avg", 2105, FLOAT8, &avg_float, TYPE_FLOAT8),
    AGGREGATE("avg", 2106, INTERVAL, &avg_interval, TYPE_INTERVAL),
    AGGREGATE("variance", 2150, NUMERIC, &int_var_samp, TYPE_INT2),
    AGGREGATE("variance", 2149, NUMERIC, &int_var_samp, TYPE_INT4),
    AGGREGATE("variance", 2148, NUMERIC, &int_var_samp, TYPE_INT8),
    AGGREGATE("variance", 2153, NUMERIC, &numeric_var_samp, TYPE_NUMERIC),
    AGGREGATE("variance", 2151, FLOAT8, &float_var_samp, TYPE_FLOAT4),
    AGGREGATE("variance", 2152, FLOAT8, &float_var_samp, TYPE_FLOAT8),
    AGGREGATE("var_samp", 2643, NUMERIC, &int_var_samp, TYPE_INT2),
    AGGREGATE("var_samp", 2642, NUMERIC, &int_var_samp, TYPE_INT4),
    AGGREGATE("var_samp", 2641, NUMERIC, &int_var_samp, TYPE_INT8),
    AGGREGATE("var_samp", 2646, NUMERIC, &numeric_var_samp, TYPE_NUMERIC),
    AGGREGATE("var_samp", 2644, FLOAT8, &float_var_samp, TYPE_FLOAT4),
    AGGREGATE("var_samp", 2645, FLOAT8, &float_var_samp, TYPE_FLOAT8),
    AGGREGATE("var_pop", 2720, NUMERIC, &int_var_pop, TYPE_INT2),
    AGGREGATE("var_pop", 2719, NUMERIC, &int_var_pop, TYPE_INT4),
    AGGREGATE("var_pop", 2718, NUMERIC, &int_var_pop, TYPE_INT8),
    AGGREGATE("var_pop", 2723, NUMERIC, &numeric_var_pop, TYPE_NUMERIC),
    AGGREGATE("var_pop", 2721, FLOAT8, &float_var_pop, TYPE_FLOAT4),
    AGGREGATE("var_pop", 2722, FLOAT8, &float_var_pop, TYPE_FLOAT8),
    AGGREGATE("stddev", 2156, NUMERIC, &int_stddev_samp, TYPE_INT2),
    AGGREGATE("stddev", 2155, NUMERIC, &int_stddev_samp, TYPE_INT4),
    AGGREGATE("stddev", 2154, NUMERIC, &int_stddev_samp, TYPE_INT8),
    AGGREGATE("stddev", 2159, NUMERIC, &numeric_stddev_samp, TYPE_NUMERIC),
    AGGREGATE("stddev", 2157, FLOAT8, &float_stddev_samp, TYPE_FLOAT4),
    AGGREGATE("stddev", 2158, FLOAT8, &float_stddev_samp, TYPE_FLOAT8),
    AGGREGATE("stddev_samp", 2714, NUMERIC, &int_stddev_samp, TYPE_INT2),
    AGGREGATE("stddev_samp", 2713, NUMERIC, &int_stddev_samp, TYPE_INT4),
    AGGREGATE("stddev_samp", 2712, NUMERIC, &int_stddev_samp, TYPE_INT8),
    AGGREGATE("stddev_samp", 2717, NUMERIC, &numeric_stddev_samp, TYPE_NUMERIC),
    AGGREGATE("stddev_samp", 2715, FLOAT8, &float_stddev_samp, TYPE_FLOAT4),
    AGGREGATE("stddev_samp", 2716, FLOAT8, &float_stddev_samp, TYPE_FLOAT8),
    AGGREGATE("stddev_pop", 2726, NUMERIC, &int_stddev_pop, TYPE_INT2),
    AGGREGATE("stddev_pop", 2725, NUMERIC, &int_stddev_pop, TYPE_INT4),
    AGGREGATE("stddev_pop", 2724, NUMERIC, &int_stddev_pop, TYPE_INT8),
    AGGREGATE("stddev_pop", 2729, NUMERIC, &numeric_stddev_pop, TYPE_NUMERIC),
    AGGREGATE("stddev_pop", 2727, FLOAT8, &float_stddev_pop, TYPE_FLOAT4),
    AGGREGATE("stddev_pop", 2728, FLOAT8, &float_stddev_pop, TYPE_FLOAT8),
    AGGREGATE("regr_count", 2818, INT8, &ops_count, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_sxx", 2819, FLOAT8, &ops_sxx, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_syy", 2820, FLOAT8, &ops_syy, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_sxy", 2821, FLOAT8, &ops_sxy, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_avgx", 2822, FLOAT8, &ops_avgx, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_avgy", 2823, FLOAT8, &ops_avgy, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_r2", 2824, FLOAT8, &ops_r2, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_slope", 2825, FLOAT8, &ops_slope, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("regr_intercept", 2826, FLOAT8, &ops_intercept, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("covar_pop", 2827, FLOAT8, &ops_covar_pop, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("covar_samp", 2828, FLOAT8, &ops_covar_samp, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("corr", 2829, FLOAT8, &ops_corr, TYPE_FLOAT8, TYPE_FLOAT8),
};
// clang-format on

void aggregates_number_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
