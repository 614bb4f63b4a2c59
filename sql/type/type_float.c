// SPDX-License-Identifier: GPL-3.0-or-later
//
// Floating point numbers to and from text.
//
// Printing gives the shortest digits that read back as the same number. Up to 15 digits (6 for real)
// survive decimal -> binary -> decimal, so if any number of that many digits or fewer reads back the same,
// printf's rounding to 15 has it, with zeros behind. Otherwise 16 is tried, then 17, which always reads
// back. Next to a power of two, where numbers below lie closer than those above, the digits one up may
// read back where the nearest ones do not: those are tried too. Digits that lie right between two numbers, and read back
// because the other one is odd, are not taken, as in PostgreSQL.
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "sql/type/type_ops.h"

struct digits {
    char text[24];    // d1 d2 d3 ... without a point, no trailing zeros.
    int count;
    int exponent;     // Of d1: value is d1.d2d3... x 10^exponent.
};

// Of a positive finite number, rounded to `count` digits.
static void round_to(double value, int count, struct digits *digits)
{
    char text[40];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    digits->text[0] = text[0];
    const char *at = text + 1;
    int n = 1;
    if (*at == '.') at++;
    while (*at >= '0' && *at <= '9')
        digits->text[n++] = *at++;
    digits->exponent = atoi(at + 1);
    digits->count = n;
}

// Whether the digits lie right between the number and its neighbour. Only whole numbers do, which have no room for their
// last bits: any other such place has more digits than are ever tried.
static bool lies_between(const struct digits *digits, const char *text, double value, bool single)
{
    if (value < (single ? 0x1p24 : 0x1p53)) return false;
    long double read = strtold(text, NULL), away = read - (long double)value;
    double to = away > 0 ? INFINITY : 0;
    long double next = single ? (long double)nextafterf((float)value, (float)to) : (long double)nextafter(value, to);
    if (away * 2 != next - (long double)value) return false;
    // The digits themselves, not what a long double makes of them.
    char exact[64];
    snprintf(exact, sizeof exact, "%.45Le", read);
    exact[1] = exact[0]; // Over the point.
    if (memcmp(exact + 1, digits->text, (size_t)digits->count) != 0) return false;
    size_t zeros = strspn(exact + 1 + digits->count, "0");
    return exact[1 + (size_t)digits->count + zeros] == 'e';
}

static bool reads_back(const struct digits *digits, double value, bool single)
{
    char text[48];
    snprintf(text, sizeof text, "%.*se%d", digits->count, digits->text,
        digits->exponent - digits->count + 1);
    if (single ? strtof(text, NULL) != (float)value : strtod(text, NULL) != value) return false;
    return !lies_between(digits, text, value, single);
}

static bool step_up(struct digits *digits)
{
    for (int i = digits->count - 1; i >= 0; i--) {
        if (digits->text[i] < '9') {
            digits->text[i]++;
            return true;
        }
        digits->text[i] = '0';
    }
    return false;
}

static void shortest(double value, bool single, struct digits *digits)
{
    // Numbers too small for their full precision may need fewer digits than are sure otherwise.
    bool subnormal = value < (single ? (double)FLT_MIN : DBL_MIN);
    int sure = subnormal ? 1 : single ? 6 : 15, most = single ? 9 : 17;
    int exponent;
    bool power_of_two = frexp(value, &exponent) == 0.5;
    for (int count = sure; count <= most; count++) {
        round_to(value, count, digits);
        if (count == most || reads_back(digits, value, single)) break;
        if (power_of_two) {
            struct digits up = *digits;
            if (step_up(&up) && reads_back(&up, value, single)) {
                *digits = up;
                break;
            }
        }
    }
    while (digits->count > 1 && digits->text[digits->count - 1] == '0')
        digits->count--;
}

static void append_digits(struct buffer *out, const struct digits *digits, int fixed_below)
{
    int exponent = digits->exponent, count = digits->count;
    const char *text = digits->text;
    if (exponent < -4 || exponent >= fixed_below) {
        buffer_append_u8(out, (uint8_t)text[0]);
        if (count > 1) {
            buffer_append_u8(out, '.');
            buffer_append(out, text + 1, (size_t)count - 1);
        }
        buffer_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        buffer_append(out, "0.0000", (size_t)(1 - exponent));
        buffer_append(out, text, (size_t)count);
    } else {
        for (int i = 0; i <= exponent; i++)
            buffer_append_u8(out, (uint8_t)(i < count ? text[i] : '0'));
        if (count > exponent + 1) {
            buffer_append_u8(out, '.');
            buffer_append(out, text + exponent + 1, (size_t)(count - exponent - 1));
        }
    }
}

static bool append_special(struct buffer *out, double value)
{
    if (isnan(value)) {
        buffer_append_string(out, "NaN");
    } else if (isinf(value)) {
        buffer_append_string(out, value < 0 ? "-Infinity" : "Infinity");
    } else if (value == 0) {
        buffer_append_string(out, signbit(value) ? "-0" : "0");
    } else {
        return false;
    }
    return true;
}

static void print(struct buffer *out, double value, bool single, int extra_float_digits)
{
    if (append_special(out, value)) return;
    if (extra_float_digits <= 0) {
        int precision = (single ? 6 : 15) + extra_float_digits;
        buffer_printf(out, "%.*g", precision < 1 ? 1 : precision, value);
        return;
    }
    // Whole numbers of few digits are the common case and need no search.
    if (fabs(value) < (single ? 1e6 : 1e15) && value == (double)(int64_t)value) {
        type_print_int(out, (int64_t)value);
        return;
    }
    struct digits digits;
    if (value < 0) buffer_append_u8(out, '-');
    shortest(fabs(value), single, &digits);
    append_digits(out, &digits, single ? 6 : 15);
}

void type_print_float8(struct buffer *out, double value, int extra_float_digits)
{
    print(out, value, false, extra_float_digits);
}

void type_print_float4(struct buffer *out, float value, int extra_float_digits)
{
    print(out, (double)value, true, extra_float_digits);
}

static struct status parse(
    struct arena *arena, struct bytes whole, bool single, double *value)
{
    const char *type = single ? "real" : "double precision";
    struct bytes text = type_trim(whole);
    if (text.size == 0) return type_error_syntax(arena, type, whole);
    char local[64];
    char *copy = local;
    if (text.size >= sizeof local) {
        copy = arena_try_alloc(arena, text.size + 1);
        if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;

    char *end;
    errno = 0;
    double result = single ? (double)strtof(copy, &end) : strtod(copy, &end);
    if (end != copy + text.size) return type_error_syntax(arena, type, whole);
    // Words and hexadecimal numbers are what strtod takes for ones, as in PostgreSQL; there is one NaN.
    if (isnan(result)) result = (double)NAN;
    if (errno == ERANGE && (result == 0 || isinf(result)))
        return status_format(arena, E_NUMERIC_OUT_OF_RANGE, "\"%.*s\" is out of range for type %s",
            bytes_shown(text), (const char *)text.data, type);
    *value = result;
    return STATUS_OK;
}

struct status type_parse_float8(struct arena *arena, struct bytes text, double *value)
{
    return parse(arena, text, false, value);
}

struct status type_parse_float4(struct arena *arena, struct bytes text, double *value)
{
    return parse(arena, text, true, value);
}
