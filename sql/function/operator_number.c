// SPDX-License-Identifier: GPL-3.0-or-later
//
// Arithmetic and bit operators of the integers and of floating point. Integers check for overflow;
// floats for overflow, underflow and division by zero, as PostgreSQL's do.
#include <math.h>

#include "sql/function/function_table.h"

struct status number_out_of_range(type_oid oid)
{
    const char *message = oid == TYPE_INT2 ? "smallint out of range"
                        : oid == TYPE_INT4 ? "integer out of range"
                                           : "bigint out of range";
    return status_make(E_NUMERIC_OUT_OF_RANGE, message);
}

static inline bool fits(type_oid oid, int64_t value)
{
    if (oid == TYPE_INT4) return value == (int32_t)value;
    return oid != TYPE_INT2 || value == (int16_t)value;
}

static inline struct status give_int(
    const struct function_call *call, bool overflow, int64_t value, struct datum *result)
{
    type_oid oid = call->result_type.oid;
    if (UNLIKELY(overflow || !fits(oid, value))) return number_out_of_range(oid);
    *result = datum_int(value);
    return STATUS_OK;
}

BODY(int_add)
{
    int64_t value;
    bool overflow = __builtin_add_overflow(args[0].integer, args[1].integer, &value);
    return give_int(call, overflow, value, result);
}

BODY(int_subtract)
{
    int64_t value;
    bool overflow = __builtin_sub_overflow(args[0].integer, args[1].integer, &value);
    return give_int(call, overflow, value, result);
}

BODY(int_multiply)
{
    int64_t value;
    bool overflow = __builtin_mul_overflow(args[0].integer, args[1].integer, &value);
    return give_int(call, overflow, value, result);
}

BODY(int_divide)
{
    if (args[1].integer == 0) return division_by_zero();
    if (args[1].integer == -1) {
        int64_t value;
        bool overflow = __builtin_sub_overflow((int64_t)0, args[0].integer, &value);
        return give_int(call, overflow, value, result);
    }
    *result = datum_int(args[0].integer / args[1].integer);
    return STATUS_OK;
}

BODY(int_modulo)
{
    (void)call;
    if (args[1].integer == 0) return division_by_zero();
    *result = datum_int(args[1].integer == -1 ? 0 : args[0].integer % args[1].integer);
    return STATUS_OK;
}

BODY(int_negate)
{
    int64_t value;
    bool overflow = __builtin_sub_overflow((int64_t)0, args[0].integer, &value);
    return give_int(call, overflow, value, result);
}

BODY(int_abs)
{
    if (args[0].integer < 0) return int_negate(call, args, result);
    *result = args[0];
    return STATUS_OK;
}

BODY(same)
{
    (void)call;
    *result = args[0];
    return STATUS_OK;
}

BODY(int_and)
{
    (void)call;
    *result = datum_int(args[0].integer & args[1].integer);
    return STATUS_OK;
}

BODY(int_or)
{
    (void)call;
    *result = datum_int(args[0].integer | args[1].integer);
    return STATUS_OK;
}

BODY(int_xor)
{
    (void)call;
    *result = datum_int(args[0].integer ^ args[1].integer);
    return STATUS_OK;
}

BODY(int_not)
{
    (void)call;
    *result = datum_int(~args[0].integer);
    return STATUS_OK;
}

// Bits shifted out are lost, and the count is taken modulo the width that the processor shifts
// (smallint is shifted as integer, as in C).
BODY(int_shift_left)
{
    uint64_t bits = (uint64_t)args[0].integer, count = (uint64_t)args[1].integer;
    switch (call->result_type.oid) {
    case TYPE_INT2: *result = datum_int((int16_t)((uint32_t)bits << (count & 31))); break;
    case TYPE_INT4: *result = datum_int((int32_t)((uint32_t)bits << (count & 31))); break;
    default: *result = datum_int((int64_t)(bits << (count & 63))); break;
    }
    return STATUS_OK;
}

BODY(int_shift_right)
{
    uint64_t count = (uint64_t)args[1].integer;
    *result = datum_int(args[0].integer >> (count & (call->result_type.oid == TYPE_INT8 ? 63 : 31)));
    return STATUS_OK;
}

// --- floating point ------------------------------------------------------------------------------------

struct status number_overflow(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "value out of range: overflow");
}

struct status number_underflow(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "value out of range: underflow");
}

static inline double rounded(const struct function_call *call, double value)
{
    return call->result_type.oid == TYPE_FLOAT4 ? (double)(float)value : value;
}

static inline struct status give_sum(
    const struct function_call *call, const struct datum *args, double value, struct datum *result)
{
    value = rounded(call, value);
    if (UNLIKELY(isinf(value)) && !isinf(args[0].real) && !isinf(args[1].real))
        return number_overflow();
    *result = datum_real(value);
    return STATUS_OK;
}

BODY(float_add)
{
    return give_sum(call, args, args[0].real + args[1].real, result);
}

BODY(float_subtract)
{
    return give_sum(call, args, args[0].real - args[1].real, result);
}

BODY(float_multiply)
{
    struct status st = give_sum(call, args, args[0].real * args[1].real, result);
    if (!failed(st) && UNLIKELY(result->real == 0) && args[0].real != 0 && args[1].real != 0)
        return number_underflow();
    return st;
}

BODY(float_divide)
{
    if (args[1].real == 0 && !isnan(args[0].real)) return division_by_zero();
    double value = rounded(call, args[0].real / args[1].real);
    if (UNLIKELY(isinf(value)) && !isinf(args[0].real)) return number_overflow();
    if (UNLIKELY(value == 0) && args[0].real != 0 && !isinf(args[1].real))
        return number_underflow();
    *result = datum_real(value);
    return STATUS_OK;
}

BODY(float_negate)
{
    (void)call;
    *result = datum_real(-args[0].real);
    return STATUS_OK;
}

BODY(float_abs)
{
    (void)call;
    *result = datum_real(fabs(args[0].real));
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    OPERATOR("+", 550, INT2, int_add, "+", NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("+", 552, INT4, int_add, "+", NULL, TYPE_INT2, TYPE_INT4),
    OPERATOR("+", 822, INT8, int_add, "+", NULL, TYPE_INT2, TYPE_INT8),
    OPERATOR("+", 553, INT4, int_add, "+", NULL, TYPE_INT4, TYPE_INT2),
    OPERATOR("+", 551, INT4, int_add, "+", NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("+", 692, INT8, int_add, "+", NULL, TYPE_INT4, TYPE_INT8),
    OPERATOR("+", 818, INT8, int_add, "+", NULL, TYPE_INT8, TYPE_INT2),
    OPERATOR("+", 688, INT8, int_add, "+", NULL, TYPE_INT8, TYPE_INT4),
    OPERATOR("+", 684, INT8, int_add, "+", NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("-", 554, INT2, int_subtract, NULL, NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("-", 556, INT4, int_subtract, NULL, NULL, TYPE_INT2, TYPE_INT4),
    OPERATOR("-", 823, INT8, int_subtract, NULL, NULL, TYPE_INT2, TYPE_INT8),
    OPERATOR("-", 557, INT4, int_subtract, NULL, NULL, TYPE_INT4, TYPE_INT2),
    OPERATOR("-", 555, INT4, int_subtract, NULL, NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("-", 693, INT8, int_subtract, NULL, NULL, TYPE_INT4, TYPE_INT8),
    OPERATOR("-", 819, INT8, int_subtract, NULL, NULL, TYPE_INT8, TYPE_INT2),
    OPERATOR("-", 689, INT8, int_subtract, NULL, NULL, TYPE_INT8, TYPE_INT4),
    OPERATOR("-", 685, INT8, int_subtract, NULL, NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("*", 526, INT2, int_multiply, "*", NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("*", 544, INT4, int_multiply, "*", NULL, TYPE_INT2, TYPE_INT4),
    OPERATOR("*", 824, INT8, int_multiply, "*", NULL, TYPE_INT2, TYPE_INT8),
    OPERATOR("*", 545, INT4, int_multiply, "*", NULL, TYPE_INT4, TYPE_INT2),
    OPERATOR("*", 514, INT4, int_multiply, "*", NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("*", 694, INT8, int_multiply, "*", NULL, TYPE_INT4, TYPE_INT8),
    OPERATOR("*", 820, INT8, int_multiply, "*", NULL, TYPE_INT8, TYPE_INT2),
    OPERATOR("*", 690, INT8, int_multiply, "*", NULL, TYPE_INT8, TYPE_INT4),
    OPERATOR("*", 686, INT8, int_multiply, "*", NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("/", 527, INT2, int_divide, NULL, NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("/", 546, INT4, int_divide, NULL, NULL, TYPE_INT2, TYPE_INT4),
    OPERATOR("/", 825, INT8, int_divide, NULL, NULL, TYPE_INT2, TYPE_INT8),
    OPERATOR("/", 547, INT4, int_divide, NULL, NULL, TYPE_INT4, TYPE_INT2),
    OPERATOR("/", 528, INT4, int_divide, NULL, NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("/", 695, INT8, int_divide, NULL, NULL, TYPE_INT4, TYPE_INT8),
    OPERATOR("/", 821, INT8, int_divide, NULL, NULL, TYPE_INT8, TYPE_INT2),
    OPERATOR("/", 691, INT8, int_divide, NULL, NULL, TYPE_INT8, TYPE_INT4),
    OPERATOR("/", 687, INT8, int_divide, NULL, NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("%", 529, INT2, int_modulo, NULL, NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("%", 530, INT4, int_modulo, NULL, NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("%", 439, INT8, int_modulo, NULL, NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("+", 1917, INT2, same, NULL, NULL, TYPE_INT2),
    OPERATOR("+", 1918, INT4, same, NULL, NULL, TYPE_INT4),
    OPERATOR("+", 1916, INT8, same, NULL, NULL, TYPE_INT8),
    OPERATOR("-", 559, INT2, int_negate, NULL, NULL, TYPE_INT2),
    OPERATOR("-", 558, INT4, int_negate, NULL, NULL, TYPE_INT4),
    OPERATOR("-", 484, INT8, int_negate, NULL, NULL, TYPE_INT8),
    OPERATOR("@", 682, INT2, int_abs, NULL, NULL, TYPE_INT2),
    OPERATOR("@", 773, INT4, int_abs, NULL, NULL, TYPE_INT4),
    OPERATOR("@", 473, INT8, int_abs, NULL, NULL, TYPE_INT8),
    OPERATOR("~", 1877, INT2, int_not, NULL, NULL, TYPE_INT2),
    OPERATOR("~", 1883, INT4, int_not, NULL, NULL, TYPE_INT4),
    OPERATOR("~", 1889, INT8, int_not, NULL, NULL, TYPE_INT8),
    OPERATOR("&", 1874, INT2, int_and, "&", NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("&", 1880, INT4, int_and, "&", NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("&", 1886, INT8, int_and, "&", NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("|", 1875, INT2, int_or, "|", NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("|", 1881, INT4, int_or, "|", NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("|", 1887, INT8, int_or, "|", NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("#", 1876, INT2, int_xor, "#", NULL, TYPE_INT2, TYPE_INT2),
    OPERATOR("#", 1882, INT4, int_xor, "#", NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("#", 1888, INT8, int_xor, "#", NULL, TYPE_INT8, TYPE_INT8),
    OPERATOR("<<", 1878, INT2, int_shift_left, NULL, NULL, TYPE_INT2, TYPE_INT4),
    OPERATOR("<<", 1884, INT4, int_shift_left, NULL, NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR("<<", 1890, INT8, int_shift_left, NULL, NULL, TYPE_INT8, TYPE_INT4),
    OPERATOR(">>", 1879, INT2, int_shift_right, NULL, NULL, TYPE_INT2, TYPE_INT4),
    OPERATOR(">>", 1885, INT4, int_shift_right, NULL, NULL, TYPE_INT4, TYPE_INT4),
    OPERATOR(">>", 1891, INT8, int_shift_right, NULL, NULL, TYPE_INT8, TYPE_INT4),
    OPERATOR("+", 586, FLOAT4, float_add, "+", NULL, TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("+", 1116, FLOAT8, float_add, "+", NULL, TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("+", 1126, FLOAT8, float_add, "+", NULL, TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("+", 591, FLOAT8, float_add, "+", NULL, TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("-", 587, FLOAT4, float_subtract, NULL, NULL, TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("-", 1117, FLOAT8, float_subtract, NULL, NULL, TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("-", 1127, FLOAT8, float_subtract, NULL, NULL, TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("-", 592, FLOAT8, float_subtract, NULL, NULL, TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("*", 589, FLOAT4, float_multiply, "*", NULL, TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("*", 1119, FLOAT8, float_multiply, "*", NULL, TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("*", 1129, FLOAT8, float_multiply, "*", NULL, TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("*", 594, FLOAT8, float_multiply, "*", NULL, TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("/", 588, FLOAT4, float_divide, NULL, NULL, TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("/", 1118, FLOAT8, float_divide, NULL, NULL, TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("/", 1128, FLOAT8, float_divide, NULL, NULL, TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("/", 593, FLOAT8, float_divide, NULL, NULL, TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("+", 1919, FLOAT4, same, NULL, NULL, TYPE_FLOAT4),
    OPERATOR("+", 1920, FLOAT8, same, NULL, NULL, TYPE_FLOAT8),
    OPERATOR("-", 584, FLOAT4, float_negate, NULL, NULL, TYPE_FLOAT4),
    OPERATOR("-", 585, FLOAT8, float_negate, NULL, NULL, TYPE_FLOAT8),
    OPERATOR("@", 590, FLOAT4, float_abs, NULL, NULL, TYPE_FLOAT4),
    OPERATOR("@", 595, FLOAT8, float_abs, NULL, NULL, TYPE_FLOAT8),
};
// clang-format on

void operators_number_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
