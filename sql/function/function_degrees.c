// SPDX-License-Identifier: GPL-3.0-or-later
//
// Trigonometry in degrees. Results at multiples of 30 and 45 degrees are exact: each function is scaled so
// that it meets its known values there, as PostgreSQL's are.
#include <math.h>

#include "sql/function/function_table.h"

#define RADIANS(degrees) ((degrees) * (M_PI / 180.0))

static double sine_to_30(double x)
{
    return sin(RADIANS(x)) / sin(RADIANS(30.0)) / 2.0;
}

static double cosine_to_60(double x)
{
    return 1.0 - (1.0 - cos(RADIANS(x))) / (1.0 - cos(RADIANS(60.0))) / 2.0;
}

// In the first quarter.
static double sine_q1(double x)
{
    return x <= 30.0 ? sine_to_30(x) : cosine_to_60(90.0 - x);
}

static double cosine_q1(double x)
{
    return x <= 60.0 ? cosine_to_60(x) : sine_to_30(90.0 - x);
}

static double arc_sine_q1(double x)
{
    return x <= 0.5 ? asin(x) / asin(0.5) * 30.0 : 90.0 - acos(x) / acos(0.5) * 60.0;
}

static double arc_cosine_q1(double x)
{
    return x <= 0.5 ? 90.0 - asin(x) / asin(0.5) * 30.0 : acos(x) / acos(0.5) * 60.0;
}

static struct status out_of_range(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "input is out of range");
}

// To [0, 90]; the signs of what goes with it are told.
static double reduce(double x, double *sine_sign, double *cosine_sign)
{
    *sine_sign = *cosine_sign = 1.0;
    x = fmod(x, 360.0);
    if (x < 0.0) {
        x = -x;
        *sine_sign = -*sine_sign;
    }
    if (x > 180.0) {
        x = 360.0 - x;
        *sine_sign = -*sine_sign;
    }
    if (x > 90.0) {
        x = 180.0 - x;
        *cosine_sign = -*cosine_sign;
    }
    return x;
}

#define OF_ANGLE(name, signed_zero, expression) \
    BODY(name) \
    { \
        double sine_sign, cosine_sign, x = args[0].real; \
        (void)call; \
        if (isnan(x)) { \
            *result = args[0]; \
            return STATUS_OK; \
        } \
        if (isinf(x)) return out_of_range(); \
        x = reduce(x, &sine_sign, &cosine_sign); \
        double value = (expression); \
        (void)sine_sign; \
        (void)cosine_sign; \
        *result = datum_real(value == 0.0 && !(signed_zero) ? 0.0 : value); \
        return STATUS_OK; \
    }
OF_ANGLE(sind_, true, sine_sign * sine_q1(x))
OF_ANGLE(cosd_, false, cosine_sign * cosine_q1(x))
OF_ANGLE(tand_, false, sine_sign * cosine_sign * (sine_q1(x) / cosine_q1(x) / (sine_q1(45.0) / cosine_q1(45.0))))
OF_ANGLE(cotd_, false, sine_sign * cosine_sign * (cosine_q1(x) / sine_q1(x) / (cosine_q1(45.0) / sine_q1(45.0))))

#define OF_RATIO(name, expression) \
    BODY(name) \
    { \
        double x = args[0].real; \
        (void)call; \
        if (x < -1.0 || x > 1.0) return out_of_range(); \
        *result = isnan(x) ? args[0] : datum_real(expression); \
        return STATUS_OK; \
    }
OF_RATIO(asind_, x >= 0.0 ? arc_sine_q1(x) : -arc_sine_q1(-x))
OF_RATIO(acosd_, x >= 0.0 ? arc_cosine_q1(x) : 90.0 + arc_sine_q1(-x))

BODY(atand_)
{
    (void)call;
    *result = datum_real(atan(args[0].real) / atan(1.0) * 45.0);
    return STATUS_OK;
}

BODY(atan2d_)
{
    (void)call;
    *result = datum_real(atan2(args[0].real, args[1].real) / atan(1.0) * 45.0);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    SCALAR("asind", 2731, FLOAT8, asind_, TYPE_FLOAT8),
    SCALAR("acosd", 2732, FLOAT8, acosd_, TYPE_FLOAT8),
    SCALAR("atand", 2733, FLOAT8, atand_, TYPE_FLOAT8),
    SCALAR("atan2d", 2734, FLOAT8, atan2d_, TYPE_FLOAT8, TYPE_FLOAT8),
    SCALAR("sind", 2735, FLOAT8, sind_, TYPE_FLOAT8),
    SCALAR("cosd", 2736, FLOAT8, cosd_, TYPE_FLOAT8),
    SCALAR("tand", 2737, FLOAT8, tand_, TYPE_FLOAT8),
    SCALAR("cotd", 2738, FLOAT8, cotd_, TYPE_FLOAT8),
};
// clang-format on

void functions_degrees_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
