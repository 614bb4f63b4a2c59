// SPDX-License-Identifier: GPL-3.0-or-later
//
// Mathematical functions of the integers and of floating point, and casts among them and boolean.
#include <float.h>
#include <math.h>

#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"

// --- casts -------------------------------------------------------------------------------------------

struct status cast_int_to_int(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    type_oid to = call->result_type.oid;
    int64_t value = args[0].integer;
    if ((to == TYPE_INT2 && value != (int16_t)value) || (to == TYPE_INT4 && value != (int32_t)value))
        return number_out_of_range(to);
    *result = datum_int(value);
    return STATUS_OK;
}

struct status cast_int8_to_oid(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    if (args[0].integer < 0 || args[0].integer > UINT32_MAX)
        return status_make(E_NUMERIC_OUT_OF_RANGE, "OID out of range");
    *result = args[0];
    return STATUS_OK;
}

// Between int4 and oid the bits stay.
struct status cast_int4_to_oid(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_int((int64_t)(uint32_t)args[0].integer);
    return STATUS_OK;
}

struct status cast_oid_to_int4(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_int((int32_t)(uint32_t)args[0].integer);
    return STATUS_OK;
}

struct status cast_int_to_float(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    double value = (double)args[0].integer;
    if (call->result_type.oid == TYPE_FLOAT4) value = (double)(float)args[0].integer;
    *result = datum_real(value);
    return STATUS_OK;
}

// Rounds to the nearest, halves to even.
struct status cast_float_to_int(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    type_oid to = call->result_type.oid;
    double value = rint(args[0].real);
    double bound = to == TYPE_INT2 ? 0x1p15 : to == TYPE_INT4 ? 0x1p31 : 0x1p63;
    if (isnan(value) || !(value >= -bound && value < bound)) return number_out_of_range(to);
    *result = datum_int((int64_t)value);
    return STATUS_OK;
}

struct status cast_float8_to_float4(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    double value = (double)(float)args[0].real;
    if (isinf(value) && !isinf(args[0].real)) return number_overflow();
    if (value == 0 && args[0].real != 0) return number_underflow();
    *result = datum_real(value);
    return STATUS_OK;
}

struct status cast_int4_to_bool(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_bool(args[0].integer != 0);
    return STATUS_OK;
}

struct status cast_bool_to_int4(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_int(args[0].boolean);
    return STATUS_OK;
}

struct status cast_bool_to_text(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_text(args[0].boolean ? "true" : "false");
    return STATUS_OK;
}

struct status cast_int4_to_char(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    if (args[0].integer < INT8_MIN || args[0].integer > INT8_MAX)
        return status_make(E_NUMERIC_OUT_OF_RANGE, "\"char\" out of range");
    *result = datum_int((uint8_t)args[0].integer);
    return STATUS_OK;
}

struct status cast_char_to_int4(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_int((int8_t)args[0].integer);
    return STATUS_OK;
}

// --- floating point --------------------------------------------------------------------------------------

static struct status give(double value, double from, struct datum *result)
{
    if (UNLIKELY(isinf(value)) && !isinf(from)) return number_overflow();
    *result = datum_real(value);
    return STATUS_OK;
}

#define FLOAT_BODY(name, expression) \
    BODY(name) \
    { \
        (void)call; \
        double x = args[0].real; \
        *result = datum_real(expression); \
        return STATUS_OK; \
    }

FLOAT_BODY(float_abs, fabs(x))
FLOAT_BODY(float_ceil, ceil(x))
FLOAT_BODY(float_floor, floor(x))
FLOAT_BODY(float_round, rint(x))
FLOAT_BODY(float_trunc, trunc(x))
FLOAT_BODY(float_sign, x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0)
FLOAT_BODY(float_cbrt, cbrt(x))
FLOAT_BODY(float_atan, atan(x))
FLOAT_BODY(float_tanh, tanh(x))
FLOAT_BODY(float_asinh, asinh(x))

BODY(float_degrees)
{
    (void)call;
    double x = args[0].real;
    return give(x / (M_PI / 180.0), x, result);
}

FLOAT_BODY(float_radians, x *(M_PI / 180.0))

static struct status input_out_of_range(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "input is out of range");
}

BODY(float_sqrt)
{
    (void)call;
    if (args[0].real < 0)
        return status_make(
            E_INVALID_POWER_ARGUMENT, "cannot take square root of a negative number");
    *result = datum_real(sqrt(args[0].real));
    return STATUS_OK;
}

BODY(float_exp)
{
    (void)call;
    double x = args[0].real, value = exp(x);
    if (value == 0 && !isinf(x) && !isnan(x)) return number_underflow();
    return give(value, x, result);
}

static struct status check_logarithm(double x)
{
    if (x == 0)
        return status_make(E_INVALID_LOGARITHM_ARGUMENT, "cannot take logarithm of zero");
    if (x < 0)
        return status_make(
            E_INVALID_LOGARITHM_ARGUMENT, "cannot take logarithm of a negative number");
    return STATUS_OK;
}

BODY(float_ln)
{
    (void)call;
    struct status st = check_logarithm(args[0].real);
    if (!failed(st)) *result = datum_real(log(args[0].real));
    return st;
}

BODY(float_log10)
{
    (void)call;
    struct status st = check_logarithm(args[0].real);
    if (!failed(st)) *result = datum_real(log10(args[0].real));
    return st;
}

BODY(float_power)
{
    (void)call;
    double x = args[0].real, y = args[1].real;
    if (isnan(x) || isnan(y)) {
        // One to any power, and anything to the power zero, is one.
        *result = datum_real((x == 1 || y == 0) ? 1 : (double)NAN);
        return STATUS_OK;
    }
    if (x == 0 && y < 0)
        return status_make(
            E_INVALID_POWER_ARGUMENT, "zero raised to a negative power is undefined");
    if (x < 0 && !isinf(y) && floor(y) != y)
        return status_make(E_INVALID_POWER_ARGUMENT,
            "a negative number raised to a non-integer power yields a complex result");
    double value = pow(x, y);
    if (isinf(value) && !isinf(x) && !isinf(y)) return number_overflow();
    if (value == 0 && x != 0 && !isinf(x) && !isinf(y)) return number_underflow();
    *result = datum_real(value);
    return STATUS_OK;
}

#define TRIGONOMETRY(name, function, refused) \
    BODY(name) \
    { \
        (void)call; \
        double x = args[0].real; \
        if (!isnan(x) && (refused)) return input_out_of_range(); \
        return give(function(x), x, result); \
    }
TRIGONOMETRY(float_sin, sin, isinf(x))
TRIGONOMETRY(float_cos, cos, isinf(x))
TRIGONOMETRY(float_tan, tan, isinf(x))
TRIGONOMETRY(float_asin, asin, x < -1 || x > 1)
TRIGONOMETRY(float_acos, acos, x < -1 || x > 1)
// These may be infinite.
BODY(float_sinh)
{
    (void)call;
    *result = datum_real(sinh(args[0].real));
    return STATUS_OK;
}

BODY(float_cosh)
{
    (void)call;
    *result = datum_real(cosh(args[0].real));
    return STATUS_OK;
}

TRIGONOMETRY(float_acosh, acosh, x < 1)

BODY(float_atanh)
{
    (void)call;
    double x = args[0].real;
    if (x < -1 || x > 1) return input_out_of_range();
    *result = datum_real(x == 1 ? INFINITY : x == -1 ? -INFINITY : atanh(x));
    return STATUS_OK;
}


BODY(float_cot)
{
    (void)call;
    double x = args[0].real;
    if (isinf(x)) return input_out_of_range();
    *result = datum_real(1.0 / tan(x));
    return STATUS_OK;
}

BODY(float_atan2)
{
    (void)call;
    *result = datum_real(atan2(args[0].real, args[1].real));
    return STATUS_OK;
}

BODY(float_pi)
{
    (void)call, (void)args;
    *result = datum_real(M_PI);
    return STATUS_OK;
}

BODY(float_width_bucket)
{
    (void)call;
    double value = args[0].real, low = args[1].real, high = args[2].real;
    int64_t count = args[3].integer;
    if (count <= 0)
        return status_make(E_INVALID_WIDTH_BUCKET, "count must be greater than zero");
    if (isnan(value) || isnan(low) || isnan(high))
        return status_make(
            E_INVALID_WIDTH_BUCKET, "operand, lower bound, and upper bound cannot be NaN");
    if (isinf(low) || isinf(high))
        return status_make(E_INVALID_WIDTH_BUCKET, "lower and upper bounds must be finite");
    if (low == high)
        return status_make(E_INVALID_WIDTH_BUCKET, "lower bound cannot equal upper bound");
    bool down = low > high;
    int64_t bucket;
    if (down ? value > low : value < low) {
        bucket = 0;
    } else if (down ? value <= high : value >= high) {
        bucket = count + 1;
    } else {
        // Multiplied first, as PostgreSQL 15 does: what rounds up to the end falls behind it there, too.
        double part = (double)count * (value - low) / (high - low);
        if (!isfinite(part))
            part = (double)count * ((value / 2 - low / 2) / (high / 2 - low / 2));
        bucket = (int64_t)part + 1;
    }
    if (bucket > INT32_MAX) return number_out_of_range(TYPE_INT4);
    *result = datum_int(bucket);
    return STATUS_OK;
}

// --- integers ----------------------------------------------------------------------------------------------

BODY(int_abs)
{
    type_oid oid = call->result_type.oid;
    int64_t value = args[0].integer;
    int64_t min = oid == TYPE_INT2 ? INT16_MIN : oid == TYPE_INT4 ? INT32_MIN : INT64_MIN;
    if (value == min) return number_out_of_range(oid);
    *result = datum_int(value < 0 ? -value : value);
    return STATUS_OK;
}

BODY(int_modulo)
{
    (void)call;
    if (args[1].integer == 0) return division_by_zero();
    *result = datum_int(args[1].integer == -1 ? 0 : args[0].integer % args[1].integer);
    return STATUS_OK;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static struct status give_unsigned(
    const struct function_call *call, uint64_t value, struct datum *result)
{
    type_oid oid = call->result_type.oid;
    if (value > (oid == TYPE_INT4 ? (uint64_t)INT32_MAX : (uint64_t)INT64_MAX))
        return number_out_of_range(oid);
    *result = datum_int((int64_t)value);
    return STATUS_OK;
}

BODY(int_gcd)
{
    return give_unsigned(
        call, common_divisor(magnitude(args[0].integer), magnitude(args[1].integer)), result);
}

BODY(int_lcm)
{
    uint64_t a = magnitude(args[0].integer), b = magnitude(args[1].integer), value = 0;
    if (a != 0 && b != 0 && __builtin_mul_overflow(a / common_divisor(a, b), b, &value))
        return number_out_of_range(call->result_type.oid);
    return give_unsigned(call, value, result);
}

static struct status give_digits(
    struct function_call *call, uint64_t bits, uint32_t shift, struct datum *result)
{
    uint8_t *out = arena_alloc(call->arena, 64);
    uint32_t at = 64;
    do {
        out[--at] = (uint8_t)"0123456789abcdef"[bits & ((1u << shift) - 1)];
        bits >>= shift;
    } while (bits != 0);
    *result = datum_bytes(bytes_of(out + at, 64 - at));
    return STATUS_OK;
}

BODY(int_to_hex)
{
    uint64_t bits = (uint64_t)args[0].integer;
    if (call->arg_types[0].oid == TYPE_INT4) bits = (uint32_t)bits;
    return give_digits(call, bits, 4, result);
}

// clang-format off
static const struct function table[] = {
    SCALAR("abs", 1398, INT2, int_abs, TYPE_INT2),
    SCALAR("abs", 1397, INT4, int_abs, TYPE_INT4),
    SCALAR("abs", 1396, INT8, int_abs, TYPE_INT8),
    SCALAR("abs", 1394, FLOAT4, float_abs, TYPE_FLOAT4),
    SCALAR("abs", 1395, FLOAT8, float_abs, TYPE_FLOAT8),
    SCALAR("mod", 940, INT2, int_modulo, TYPE_INT2, TYPE_INT2),
    SCALAR("mod", 941, INT4, int_modulo, TYPE_INT4, TYPE_INT4),
    SCALAR("mod", 947, INT8, int_modulo, TYPE_INT8, TYPE_INT8),
    SCALAR("gcd", 5044, INT4, int_gcd, TYPE_INT4, TYPE_INT4),
    SCALAR("gcd", 5045, INT8, int_gcd, TYPE_INT8, TYPE_INT8),
    SCALAR("lcm", 5046, INT4, int_lcm, TYPE_INT4, TYPE_INT4),
    SCALAR("lcm", 5047, INT8, int_lcm, TYPE_INT8, TYPE_INT8),
    SCALAR("to_hex", 2089, TEXT, int_to_hex, TYPE_INT4),
    SCALAR("to_hex", 2090, TEXT, int_to_hex, TYPE_INT8),
    SCALAR("ceil", 2308, FLOAT8, float_ceil, TYPE_FLOAT8),
    SCALAR("ceiling", 2320, FLOAT8, float_ceil, TYPE_FLOAT8),
    SCALAR("floor", 2309, FLOAT8, float_floor, TYPE_FLOAT8),
    SCALAR("round", 1342, FLOAT8, float_round, TYPE_FLOAT8),
    SCALAR("trunc", 1343, FLOAT8, float_trunc, TYPE_FLOAT8),
    SCALAR("sign", 2310, FLOAT8, float_sign, TYPE_FLOAT8),
    SCALAR("sqrt", 1344, FLOAT8, float_sqrt, TYPE_FLOAT8),
    SCALAR("cbrt", 1345, FLOAT8, float_cbrt, TYPE_FLOAT8),
    SCALAR("exp", 1347, FLOAT8, float_exp, TYPE_FLOAT8),
    SCALAR("ln", 1341, FLOAT8, float_ln, TYPE_FLOAT8),
    SCALAR("log", 1340, FLOAT8, float_log10, TYPE_FLOAT8),
    SCALAR("log10", 1194, FLOAT8, float_log10, TYPE_FLOAT8),
    SCALAR("power", 1368, FLOAT8, float_power, TYPE_FLOAT8, TYPE_FLOAT8),
    SCALAR("pow", 1346, FLOAT8, float_power, TYPE_FLOAT8, TYPE_FLOAT8),
    SCALAR("degrees", 1608, FLOAT8, float_degrees, TYPE_FLOAT8),
    SCALAR("radians", 1609, FLOAT8, float_radians, TYPE_FLOAT8),
    SCALAR("sin", 1604, FLOAT8, float_sin, TYPE_FLOAT8),
    SCALAR("cos", 1605, FLOAT8, float_cos, TYPE_FLOAT8),
    SCALAR("tan", 1606, FLOAT8, float_tan, TYPE_FLOAT8),
    SCALAR("cot", 1607, FLOAT8, float_cot, TYPE_FLOAT8),
    SCALAR("asin", 1600, FLOAT8, float_asin, TYPE_FLOAT8),
    SCALAR("acos", 1601, FLOAT8, float_acos, TYPE_FLOAT8),
    SCALAR("atan", 1602, FLOAT8, float_atan, TYPE_FLOAT8),
    SCALAR("atan2", 1603, FLOAT8, float_atan2, TYPE_FLOAT8, TYPE_FLOAT8),
    SCALAR("sinh", 2462, FLOAT8, float_sinh, TYPE_FLOAT8),
    SCALAR("cosh", 2463, FLOAT8, float_cosh, TYPE_FLOAT8),
    SCALAR("tanh", 2464, FLOAT8, float_tanh, TYPE_FLOAT8),
    SCALAR("asinh", 2465, FLOAT8, float_asinh, TYPE_FLOAT8),
    SCALAR("acosh", 2466, FLOAT8, float_acosh, TYPE_FLOAT8),
    SCALAR("atanh", 2467, FLOAT8, float_atanh, TYPE_FLOAT8),
    SCALAR_NO_ARGS("pi", 1610, FLOAT8, float_pi, FUNCTION_IMMUTABLE),
    SCALAR("width_bucket", 320, INT4, float_width_bucket, TYPE_FLOAT8, TYPE_FLOAT8, TYPE_FLOAT8, TYPE_INT4),
    OPERATOR("^", 965, FLOAT8, float_power, NULL, NULL, TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("|/", 596, FLOAT8, float_sqrt, NULL, NULL, TYPE_FLOAT8),
    OPERATOR("||/", 597, FLOAT8, float_cbrt, NULL, NULL, TYPE_FLOAT8),
};
// clang-format on

void functions_number_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
