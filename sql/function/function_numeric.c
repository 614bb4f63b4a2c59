// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators, functions and casts of numeric.
#include <float.h>
#include <math.h>

#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/numeric.h"

#define BINARY(name) \
    BODY(body_##name) \
    { \
        return numeric_##name(call->arena, args[0], args[1], result); \
    }
BINARY(add)
BINARY(subtract)
BINARY(multiply)
BINARY(divide)
BINARY(modulo)
BINARY(quotient)
BINARY(power)
BINARY(log)
BINARY(gcd)
BINARY(lcm)

BODY(body_plus)
{
    (void)call;
    *result = args[0];
    return STATUS_OK;
}

BODY(body_negate)
{
    *result = numeric_negate(call->arena, args[0]);
    return STATUS_OK;
}

BODY(body_abs)
{
    *result = numeric_abs(call->arena, args[0]);
    return STATUS_OK;
}

BODY(body_sign)
{
    *result = numeric_is_nan(args[0]) ? args[0]
                                      : numeric_from_int(call->arena, numeric_sign(args[0]));
    return STATUS_OK;
}

BODY(body_ceil)
{
    return numeric_round(call->arena, args[0], 0, NUMERIC_CEILING, result);
}

BODY(body_floor)
{
    return numeric_round(call->arena, args[0], 0, NUMERIC_FLOOR, result);
}

static int32_t wanted_scale(const struct function_call *call, const struct datum *args)
{
    if (call->arg_count < 2) return 0;
    int64_t scale = args[1].integer;
    return (int32_t)(scale < -2000 ? -2000 : scale > 2000 ? 2000 : scale);
}

BODY(body_round)
{
    return numeric_round(
        call->arena, args[0], wanted_scale(call, args), NUMERIC_HALF_AWAY, result);
}

BODY(body_trunc)
{
    return numeric_round(call->arena, args[0], wanted_scale(call, args), NUMERIC_TRUNCATE, result);
}

BODY(body_sqrt)
{
    return numeric_sqrt(call->arena, args[0], result);
}

BODY(body_exp)
{
    return numeric_exp(call->arena, args[0], result);
}

BODY(body_ln)
{
    return numeric_ln(call->arena, args[0], result);
}

BODY(body_log10)
{
    return numeric_log(call->arena, numeric_from_int(call->arena, 10), args[0], result);
}

static bool is_special(struct datum value)
{
    return numeric_is_nan(value) || numeric_is_infinite(value);
}

BODY(body_scale)
{
    (void)call;
    *result = is_special(args[0]) ? DATUM_NULL : datum_int(numeric_scale(args[0]));
    return STATUS_OK;
}

BODY(body_min_scale)
{
    (void)call;
    *result = is_special(args[0]) ? DATUM_NULL : datum_int(numeric_min_scale(args[0]));
    return STATUS_OK;
}

BODY(body_trim_scale)
{
    return numeric_round(call->arena, args[0], (int32_t)numeric_min_scale(args[0]),
        NUMERIC_TRUNCATE, result);
}

BODY(body_factorial)
{
    return numeric_factorial(call->arena, args[0].integer, result);
}

BODY(body_width_bucket)
{
    struct status st = STATUS_OK;
    struct datum value = args[0], low = args[1], high = args[2], over, under, count;
    int64_t buckets = args[3].integer;
    if (buckets <= 0)
        return status_make(E_INVALID_WIDTH_BUCKET, "count must be greater than zero");
    if (numeric_is_nan(value) || numeric_is_nan(low) || numeric_is_nan(high))
        return status_make(
            E_INVALID_WIDTH_BUCKET, "operand, lower bound, and upper bound cannot be NaN");
    if (numeric_is_infinite(low) || numeric_is_infinite(high))
        return status_make(E_INVALID_WIDTH_BUCKET, "lower and upper bounds must be finite");
    int order = numeric_compare(low, high);
    if (order == 0)
        return status_make(E_INVALID_WIDTH_BUCKET, "lower bound cannot equal upper bound");
    int from_low = numeric_compare(value, low) * -order, to_high = numeric_compare(value, high) * -order;
    if (from_low < 0) {
        *result = datum_int(0);
    } else if (to_high >= 0) {
        *result = datum_int(buckets + 1);
    } else {
        // floor((value - low) * buckets / (high - low)) + 1. The quotient is rounded: what is nearly the high bound may
        // come to lie behind it.
        TRY(numeric_subtract(call->arena, value, low, &over));
        TRY(numeric_subtract(call->arena, high, low, &under));
        TRY(numeric_multiply(call->arena, over, numeric_from_int(call->arena, buckets), &over));
        TRY(numeric_divide(call->arena, over, under, &count));
        TRY(numeric_round(call->arena, count, 0, NUMERIC_FLOOR, &count));
        int64_t bucket = 0;
        numeric_to_int(count, &bucket);
        *result = datum_int(bucket + 1);
    }
    if (result->integer > INT32_MAX) return number_out_of_range(TYPE_INT4);
out:
    return st;
}

// --- casts -----------------------------------------------------------------------------------------------------

struct status cast_int_to_numeric(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    *result = numeric_from_int(call->arena, args[0].integer);
    return STATUS_OK;
}

struct status cast_float_to_numeric(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    int digits = call->arg_types[0].oid == TYPE_FLOAT4 ? FLT_DIG : DBL_DIG;
    return numeric_from_double(call->arena, args[0].real, digits, result);
}

struct status cast_numeric_to_int(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    type_oid to = call->result_type.oid;
    int64_t value;
    if (is_special(args[0]))
        return status_format(call->arena, E_FEATURE_NOT_SUPPORTED, "cannot convert %s to %s",
            numeric_is_nan(args[0]) ? "NaN" : "infinity", type_info(to)->sql_name);
    if (!numeric_to_int(args[0], &value) || (to == TYPE_INT4 && value != (int32_t)value) ||
        (to == TYPE_INT2 && value != (int16_t)value))
        return number_out_of_range(to);
    *result = datum_int(value);
    return STATUS_OK;
}

struct status cast_numeric_to_float(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    double value = numeric_to_double(args[0]);
    bool single = call->result_type.oid == TYPE_FLOAT4;
    if (single) value = (double)(float)value;
    bool overflow = isinf(value) && !numeric_is_infinite(args[0]);
    if (overflow || (value == 0 && !numeric_is_zero(args[0]))) {
        struct buffer text;
        buffer_init(&text, call->arena);
        numeric_print(&text, args[0]);
        return status_format(call->arena, E_NUMERIC_OUT_OF_RANGE,
            "\"%s\" is out of range for type %s", buffer_string(&text),
            single ? "real" : "double precision");
    }
    *result = datum_real(value);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    OPERATOR("+", 1758, NUMERIC, body_add, "+", NULL, TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("-", 1759, NUMERIC, body_subtract, NULL, NULL, TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("*", 1760, NUMERIC, body_multiply, "*", NULL, TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("/", 1761, NUMERIC, body_divide, NULL, NULL, TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("%", 1762, NUMERIC, body_modulo, NULL, NULL, TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("^", 1038, NUMERIC, body_power, NULL, NULL, TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("+", 1921, NUMERIC, body_plus, NULL, NULL, TYPE_NUMERIC),
    OPERATOR("-", 1751, NUMERIC, body_negate, NULL, NULL, TYPE_NUMERIC),
    OPERATOR("@", 1763, NUMERIC, body_abs, NULL, NULL, TYPE_NUMERIC),
    SCALAR("abs", 1705, NUMERIC, body_abs, TYPE_NUMERIC),
    SCALAR("sign", 1706, NUMERIC, body_sign, TYPE_NUMERIC),
    SCALAR("ceil", 1711, NUMERIC, body_ceil, TYPE_NUMERIC),
    SCALAR("ceiling", 2167, NUMERIC, body_ceil, TYPE_NUMERIC),
    SCALAR("floor", 1712, NUMERIC, body_floor, TYPE_NUMERIC),
    SCALAR("round", 1707, NUMERIC, body_round, TYPE_NUMERIC, TYPE_INT4),
    SCALAR("round", 1708, NUMERIC, body_round, TYPE_NUMERIC),
    SCALAR("trunc", 1709, NUMERIC, body_trunc, TYPE_NUMERIC, TYPE_INT4),
    SCALAR("trunc", 1710, NUMERIC, body_trunc, TYPE_NUMERIC),
    SCALAR("sqrt", 1730, NUMERIC, body_sqrt, TYPE_NUMERIC),
    SCALAR("exp", 1732, NUMERIC, body_exp, TYPE_NUMERIC),
    SCALAR("ln", 1734, NUMERIC, body_ln, TYPE_NUMERIC),
    SCALAR("log", 1741, NUMERIC, body_log10, TYPE_NUMERIC),
    SCALAR("log10", 1481, NUMERIC, body_log10, TYPE_NUMERIC),
    SCALAR("log", 1736, NUMERIC, body_log, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("power", 2169, NUMERIC, body_power, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("pow", 1738, NUMERIC, body_power, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("mod", 1728, NUMERIC, body_modulo, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("div", 1973, NUMERIC, body_quotient, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("gcd", 5048, NUMERIC, body_gcd, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("lcm", 5049, NUMERIC, body_lcm, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("scale", 3281, INT4, body_scale, TYPE_NUMERIC),
    SCALAR("min_scale", 5042, INT4, body_min_scale, TYPE_NUMERIC),
    SCALAR("trim_scale", 5043, NUMERIC, body_trim_scale, TYPE_NUMERIC),
    SCALAR("factorial", 1376, NUMERIC, body_factorial, TYPE_INT8),
    SCALAR("width_bucket", 2170, INT4, body_width_bucket, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_INT4),
};
// clang-format on

void functions_numeric_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
