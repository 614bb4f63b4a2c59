// SPDX-License-Identifier: GPL-3.0-or-later
//
// to_char and to_number: numbers by template.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "core/work.h"
#include "sql/function/function_table.h"
#include "sql/type/numeric.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

enum cell {
    CELL_LITERAL, CELL_DIGIT, CELL_ZERO, CELL_POINT, CELL_GROUP, CELL_SIGN, CELL_MINUS, CELL_PLUS,
    CELL_EITHER, CELL_BRACKET, CELL_CURRENCY, CELL_ROMAN, CELL_ORDINAL, CELL_SHIFT, CELL_EXPONENT,
    CELL_FILL, CELL_NOTHING
};

static const struct {
    const char *text;
    enum cell cell;
} words[] = {
    {"sp", CELL_NOTHING}, {"eeee", CELL_EXPONENT}, {"fm", CELL_FILL}, {"mi", CELL_MINUS}, {"pl", CELL_PLUS},
    {"sg", CELL_EITHER}, {"pr", CELL_BRACKET}, {"rn", CELL_ROMAN}, {"th", CELL_ORDINAL},
    {"9", CELL_DIGIT}, {"0", CELL_ZERO}, {".", CELL_POINT}, {"d", CELL_POINT}, {",", CELL_GROUP},
    {"g", CELL_GROUP}, {"s", CELL_SIGN}, {"l", CELL_CURRENCY}, {"v", CELL_SHIFT},
    // Words of PostgreSQL's that give nothing.
    {"b", CELL_NOTHING}, {"c", CELL_NOTHING},
};

struct item {
    enum cell cell;
    struct bytes text;
};

#define ITEM_WORK 128u // What an item counts for with task_goes_on.
static bool next_item(struct bytes *rest, struct item *item)
{
    if (rest->size == 0 || !task_goes_on(ITEM_WORK)) return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i].text);
        if (rest->size < size ||
            !text_equal_nocase(bytes_of(rest->data, size), bytes_of_string(words[i].text)))
            continue;
        *item = (struct item){words[i].cell, bytes_of(rest->data, size)};
        if (item->cell == CELL_NOTHING) *item = (struct item){CELL_LITERAL, bytes_of(rest->data, 0)};
        *rest = bytes_skip(*rest, size);
        return true;
    }
    size_t skip = 0, size = utf8_step(*rest, 0), after = size;
    if (rest->data[0] == '"') {
        skip = 1;
        after = 1;
        while (after < rest->size && rest->data[after] != '"')
            after += rest->data[after] == '\\' && after + 1 < rest->size ? 2 : 1;
        size = after - 1;
        if (after < rest->size) after++;
    } else if (rest->data[0] == '\\' && rest->size > 1 && rest->data[1] == '"') {
        skip = 1;
        size = 1;
        after = 2;
    }
    *item = (struct item){CELL_LITERAL, bytes_of(rest->data + skip, size)};
    *rest = bytes_skip(*rest, after);
    return true;
}

// What a template asks for as a whole.
struct shape {
    int before, after;    // Digits on each side of the point.
    int zero_start;       // First 0 among the places before the point; -1: none.
    int zero_end;         // Last 0 after the point, counted from 1; 0: none.
    int shift;            // Places behind V.
    bool point, ordinal, fill, bracket, exponent, roman, sign, sign_behind, sign_apart;
};

static struct status syntax(const char *message)
{
    return status_make(E_SYNTAX_ERROR, message);
}

static struct status measure(struct bytes text, struct shape *shape)
{
    struct item item;
    bool shifting = false;
    *shape = (struct shape){.zero_start = -1};
    while (next_item(&text, &item)) {
        switch (item.cell) {
        case CELL_DIGIT:
        case CELL_ZERO:
            if (shape->bracket) return syntax("\"9\" must be ahead of \"PR\"");
            if (shifting) shape->shift++;
            if (shape->point) {
                shape->after++;
                if (item.cell == CELL_ZERO) shape->zero_end = shape->after;
            } else {
                if (item.cell == CELL_ZERO && shape->zero_start < 0) shape->zero_start = shape->before;
                shape->before++;
            }
            break;
        case CELL_POINT:
            if (shape->point) return syntax("multiple decimal points");
            if (shifting) return syntax("cannot use \"V\" and decimal point together");
            shape->point = true;
            break;
        case CELL_SIGN:
            if (shape->sign) return syntax("cannot use \"S\" twice");
            shape->sign = true;
            shape->sign_behind = shape->before > 0 || shape->point;
            break;
        case CELL_MINUS:
        case CELL_PLUS:
        case CELL_EITHER:
            // PL alone shows only a plus: a minus stays at the number.
            if (shape->sign) return syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
            if (item.cell != CELL_PLUS) shape->sign_apart = true;
            break;
        case CELL_BRACKET: shape->bracket = true; break;
        case CELL_SHIFT:
            if (shape->point) return syntax("cannot use \"V\" and decimal point together");
            shifting = true;
            break;
        case CELL_EXPONENT: shape->exponent = true; break;
        case CELL_ROMAN: shape->roman = true; break;
        case CELL_ORDINAL: shape->ordinal = true; break;
        case CELL_FILL: shape->fill = true; break;
        default: break;
        }
    }
    return STATUS_OK;
}

// --- to_char ------------------------------------------------------------------------------------------------

struct digits {
    bool negative;
    bool no_after;      // A float has no digits left for places after the point.
    const char *before; // Without leading zeros but for a lone one.
    int before_count;
    const char *after;
    int after_count;
};

struct writer {
    struct buffer *out;
    const struct shape *shape;
    const struct digits *number;
    bool overflow;    // Too many digits: # in every place.
    int place;        // Before the point, from 0; then after it.
    bool started, sign_written, after_point;
    int after_place, last_relevant; // last_relevant: of the fraction, with FM.
};

static void write_sign(struct writer *at)
{
    bool negative = at->number->negative;
    if (at->sign_written) return;
    at->sign_written = true;
    if (at->shape->sign) {
        if (!at->shape->sign_behind) buffer_append_u8(at->out, negative ? '-' : '+');
    } else if (at->shape->bracket) {
        if (negative)
            buffer_append_u8(at->out, '<');
        else if (!at->shape->fill)
            buffer_append_u8(at->out, ' ');
    } else if (!at->shape->sign_apart) {
        if (negative)
            buffer_append_u8(at->out, '-');
        else if (!at->shape->fill)
            buffer_append_u8(at->out, ' ');
    }
}

static void write_blank(struct writer *at)
{
    if (!at->shape->fill) buffer_append_u8(at->out, ' ');
}

static void write_before(struct writer *at)
{
    const struct shape *shape = at->shape;
    const struct digits *number = at->number;
    int blanks = shape->before - number->before_count, place = at->place++;
    if (at->overflow) {
        write_sign(at);
        buffer_append_u8(at->out, '#');
        at->started = true;
        return;
    }
    if (place < blanks) {
        if (shape->zero_start < 0 || place < shape->zero_start) {
            write_blank(at);
            return;
        }
        write_sign(at);
        buffer_append_u8(at->out, '0');
        at->started = true;
        return;
    }
    // 0.1 by 9.9 is " .1": a lone zero before the point is not shown.
    bool lone_zero = number->before_count == 1 && number->before[0] == '0';
    if (lone_zero && shape->zero_start < 0 && shape->after > 0) {
        if (!shape->fill) {
            write_blank(at);
        } else if (at->last_relevant == 0) {
            write_sign(at);
            buffer_append_u8(at->out, '0');
        }
        return;
    }
    write_sign(at);
    buffer_append_u8(at->out, (uint8_t)number->before[place - blanks]);
    at->started = true;
}

static void write_after(struct writer *at, enum cell cell)
{
    int place = ++at->after_place;
    if (at->overflow) {
        if (!at->number->no_after) buffer_append_u8(at->out, '#');
        return;
    }
    if (at->shape->fill && place > at->last_relevant && cell != CELL_ZERO) return;
    if (place <= at->number->after_count)
        buffer_append_u8(at->out, (uint8_t)at->number->after[place - 1]);
    at->started = true;
}

static const char *ordinal(const struct digits *number, bool upper)
{
    int count = number->before_count;
    char last = count > 0 ? number->before[count - 1] : '0';
    bool teen = count > 1 && number->before[count - 2] == '1';
    if (!teen && last == '1') return upper ? "ST" : "st";
    if (!teen && last == '2') return upper ? "ND" : "nd";
    if (!teen && last == '3') return upper ? "RD" : "rd";
    return upper ? "TH" : "th";
}

static void write_cell(struct writer *at, const struct item *item)
{
    bool negative = at->number->negative;
    switch (item->cell) {
    case CELL_DIGIT:
    case CELL_ZERO:
        if (at->after_point)
            write_after(at, item->cell);
        else
            write_before(at);
        break;
    case CELL_POINT:
        at->after_point = true;
        if (at->number->no_after && !at->overflow) break;
        write_sign(at);
        buffer_append_u8(at->out, '.');
        at->after_point = at->started = true;
        break;
    case CELL_GROUP:
        if (at->started)
            buffer_append_u8(at->out, ',');
        else
            write_blank(at);
        break;
    case CELL_SIGN:
        if (at->shape->sign_behind) buffer_append_u8(at->out, negative ? '-' : '+');
        break;
    case CELL_MINUS:
        if (negative)
            buffer_append_u8(at->out, '-');
        else
            write_blank(at);
        break;
    case CELL_PLUS:
        if (negative)
            write_blank(at);
        else
            buffer_append_u8(at->out, '+');
        break;
    case CELL_EITHER: buffer_append_u8(at->out, negative ? '-' : '+'); break;
    case CELL_BRACKET:
        if (negative)
            buffer_append_u8(at->out, '>');
        else
            write_blank(at);
        break;
    case CELL_CURRENCY: buffer_append_u8(at->out, ' '); break;
    case CELL_ORDINAL:
        if (!negative && !at->shape->point && !at->overflow)
            buffer_append_string(at->out, ordinal(at->number, item->text.data[0] == 'T'));
        break;
    case CELL_LITERAL:
        for (size_t i = 0; i < item->text.size; i++) {
            if (item->text.data[i] == '\\' && i + 1 < item->text.size) i++;
            buffer_append_u8(at->out, item->text.data[i]);
        }
        break;
    default: break;
    }
}

static void write_all(struct buffer *out, struct bytes text, const struct shape *shape,
    const struct digits *number)
{
    struct writer at = {.out = out, .shape = shape, .number = number};
    struct item item;
    at.overflow = number->before_count > shape->before &&
                  !(shape->before == 0 && number->before_count == 1 && number->before[0] == '0');
    at.last_relevant = shape->zero_end;
    for (int i = 0; i < number->after_count; i++) {
        if (number->after[i] != '0' && i + 1 > at.last_relevant) at.last_relevant = i + 1;
    }
    // NaN and Infinity have no point: PostgreSQL shows nothing from there on.
    bool word = number->before_count > 0 && number->before[0] > '9';
    while (next_item(&text, &item) && !(word && !at.overflow && item.cell == CELL_POINT))
        write_cell(&at, &item);
}

static struct status write_roman(
    struct function_call *call, int64_t value, const struct shape *shape, bool lower, struct datum *result)
{
    static const struct {
        int64_t value;
        const char *text;
    } numerals[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"},
        {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}};
    struct buffer roman, out;
    buffer_init(&roman, call->arena);
    buffer_init(&out, call->arena);
    if (value < 1 || value > 3999) {
        buffer_append_string(&roman, "###############");
    } else {
        for (size_t i = 0; i < sizeof numerals / sizeof numerals[0]; i++) {
            for (; value >= numerals[i].value; value -= numerals[i].value)
                buffer_append_string(&roman, numerals[i].text);
        }
    }
    for (size_t i = roman.size; !shape->fill && i < 15; i++)
        buffer_append_u8(&out, ' ');
    for (size_t i = 0; i < roman.size; i++)
        buffer_append_u8(&out,
            (uint8_t)(lower ? ascii_lower((char)roman.data[i]) : (char)roman.data[i]));
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

static bool lower_roman(struct bytes text)
{
    struct item item;
    while (next_item(&text, &item)) {
        if (item.cell == CELL_ROMAN) return item.text.data[0] == 'r';
    }
    return false;
}

// " 1.23e+02"
static struct status write_exponent(
    struct function_call *call, double value, const struct shape *shape, struct datum *result)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    if (isnan(value) || isinf(value)) {
        // No digits to show: each place is a #.
        buffer_append_u8(&out, ' ');
        for (int i = 0; i < shape->before; i++)
            buffer_append_u8(&out, '#');
        buffer_append_u8(&out, '.');
        for (int i = 0; i < shape->after + 4; i++)
            buffer_append_u8(&out, '#');
    } else {
        if (shape->sign)
            buffer_printf(&out, "%+.*e", shape->after, value);
        else
            buffer_printf(&out, "% .*e", shape->after, value);
    }
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

// The first digit gives the exponent, and what is in front of it is rounded then: 9.99 as 9.9EEEE is 10.0e+00.
static struct status write_exact_exponent(
    struct function_call *call, struct datum value, const struct shape *shape, struct datum *result)
{
    struct status st = STATUS_OK;
    struct buffer text, digits, out;
    int32_t exponent = 0;
    bool negative = numeric_sign(value) < 0;
    if (numeric_is_nan(value) || numeric_is_infinite(value))
        return write_exponent(call, NAN, shape, result);
    buffer_init(&text, call->arena);
    numeric_print(&text, value);
    if (!numeric_is_zero(value)) {
        struct bytes number = buffer_bytes(&text);
        if (negative) number = bytes_skip(number, 1);
        const uint8_t *point = memchr(number.data, '.', number.size);
        int32_t before = point == NULL ? (int32_t)number.size : (int32_t)(point - number.data);
        int32_t first = 0;
        while (number.data[first] == '0' || number.data[first] == '.') first++;
        exponent = first < before ? before - first - 1 : before - first;
    }
    int32_t scale = shape->after - exponent;
    TRY(numeric_round(call->arena, value, scale, NUMERIC_HALF_AWAY, &value));
    text.size = 0;
    numeric_print(&text, value);
    buffer_init(&digits, call->arena);
    for (size_t i = 0; i < text.size; i++) {
        bool leading = text.data[i] == '0' && digits.size == 0;
        if (text.data[i] >= '0' && text.data[i] <= '9' && !leading)
            buffer_append_u8(&digits, text.data[i]);
    }
    if (scale < 0 && digits.size >= (size_t)-scale) digits.size -= (size_t)-scale;
    buffer_init(&out, call->arena);
    buffer_append_u8(&out, negative ? '-' : ' ');
    size_t wanted = (size_t)shape->after + 1, have = digits.size > wanted ? digits.size : wanted;
    for (size_t i = 0; i < have; i++) {
        if (i > 0 && i == have - (size_t)shape->after) buffer_append_u8(&out, '.');
        size_t missing = have - digits.size;
        buffer_append_u8(&out, i < missing ? '0' : digits.data[i - missing]);
    }
    buffer_printf(&out, "e%+03d", exponent);
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

static struct status give_digits(struct function_call *call, struct bytes format,
    const struct shape *shape, struct bytes text, bool no_after, struct datum *result)
{
    struct digits number = {.no_after = no_after};
    struct buffer out;
    if (text.size > 0 && text.data[0] == '-') {
        number.negative = true;
        text = bytes_skip(text, 1);
    }
    const uint8_t *point = text.size == 0 ? NULL : memchr(text.data, '.', text.size);
    number.before = (const char *)text.data;
    number.before_count = point == NULL ? (int)text.size : (int)(point - text.data);
    if (point != NULL) {
        number.after = (const char *)point + 1;
        number.after_count = (int)(text.data + text.size - point) - 1;
    }
    if (number.before_count == 3 && memcmp(number.before, "NaN", 3) == 0 && shape->before >= 3 &&
        shape->ordinal)
        return status_make(E_INVALID_TEXT_REPRESENTATION, "\"NaN\" is not a number");
    buffer_init(&out, call->arena);
    write_all(&out, format, shape, &number);
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

// V multiplies: bigint as bigint. (Of integer PostgreSQL's product wraps around; here it does not.)
static struct status check_shifted(int64_t value, int places)
{
    for (int i = 0; i < places; i++)
        if (__builtin_mul_overflow(value, 10, &value))
            return status_make(E_NUMERIC_OUT_OF_RANGE, "bigint out of range");
    return STATUS_OK;
}

BODY(numeric_to_char)
{
    struct status st = STATUS_OK;
    struct shape shape;
    struct datum value = args[0];
    struct bytes format = datum_as_bytes(args[1]);
    struct buffer text;
    if (format.size == 0) {
        *result = datum_bytes(format);
        return st;
    }
    TRY(measure(format, &shape));
    type_oid oid = call->arg_types[0].oid;
    if (shape.exponent && oid != TYPE_NUMERIC && oid != TYPE_INT8)
        return write_exponent(call, (double)value.integer, &shape, result);
    if (oid != TYPE_NUMERIC) value = numeric_from_int(call->arena, value.integer);
    if (shape.exponent) return write_exact_exponent(call, value, &shape, result);
    if (shape.roman) {
        int64_t whole;
        if (numeric_is_nan(value)) return status_make(E_FEATURE_NOT_SUPPORTED, "cannot convert NaN to integer");
        if (numeric_is_infinite(value))
            return status_make(E_FEATURE_NOT_SUPPORTED, "cannot convert infinity to integer");
        if (!numeric_to_int(value, &whole)) whole = INT64_MAX;
        if (whole > INT32_MAX || whole < INT32_MIN)
            return status_make(E_NUMERIC_OUT_OF_RANGE, "integer out of range");
        return write_roman(call, whole, &shape, lower_roman(format), result);
    }
    if (shape.shift > 0) {
        struct datum power;
        if (oid == TYPE_INT8) TRY(check_shifted(args[0].integer, shape.shift));
        TRY(numeric_power(call->arena, numeric_from_int(call->arena, 10),
            numeric_from_int(call->arena, shape.shift), &power));
        TRY(numeric_multiply(call->arena, value, power, &value));
    }
    TRY(numeric_round(call->arena, value, shape.after, NUMERIC_HALF_AWAY, &value));
    buffer_init(&text, call->arena);
    numeric_print(&text, value);
    st = give_digits(call, format, &shape, buffer_bytes(&text), false, result);
out:
    return st;
}

BODY(float_to_char)
{
    struct status st = STATUS_OK;
    struct shape shape;
    struct bytes format = datum_as_bytes(args[1]);
    struct buffer text;
    double value = args[0].real;
    int digits = call->arg_types[0].oid == TYPE_FLOAT4 ? FLT_DIG : DBL_DIG;
    if (format.size == 0) {
        *result = datum_bytes(format);
        return st;
    }
    TRY(measure(format, &shape));
    if (shape.exponent) return write_exponent(call, value, &shape, result);
    if (shape.roman)
        return write_roman(call, isfinite(value) && fabs(value) < 1e6 ? (int64_t)rint(value) : 0,
            &shape, lower_roman(format), result);
    if (shape.shift > 0) value *= pow(10, shape.shift);
    buffer_init(&text, call->arena);
    // No more digits than the type holds.
    if (isfinite(value))
        buffer_printf(&text, "%.0f", fabs(value));
    else
        buffer_append_string(&text, isnan(value) ? "NaN" : "Infinity");
    int before = (int)text.size, after = shape.after;
    if (before >= digits)
        after = 0;
    else if (before + after > digits)
        after = digits - before;
    text.size = 0;
    if (isfinite(value))
        buffer_printf(&text, "%.*f", after, value);
    else
        buffer_append_string(&text, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
    st = give_digits(
        call, format, &shape, buffer_bytes(&text), after == 0 && shape.after > 0, result);
out:
    return st;
}

// --- to_number ---------------------------------------------------------------------------------------------------

static bool take_sign(struct bytes *text, bool *negative)
{
    if (text->size == 0 || (text->data[0] != '-' && text->data[0] != '+')) return false;
    *negative = text->data[0] == '-';
    *text = bytes_skip(*text, 1);
    return true;
}

BODY(to_number)
{
    struct status st = STATUS_OK;
    struct shape shape;
    struct item item;
    struct buffer digits;
    struct bytes text = datum_as_bytes(args[0]), format = datum_as_bytes(args[1]);
    bool negative = false, point = false;
    int scale = 0, count = 0;
    *result = DATUM_NULL;
    if (format.size == 0) return st;
    TRY(measure(format, &shape));
    if (shape.roman)
        return status_make(E_FEATURE_NOT_SUPPORTED, "\"RN\" not supported for input");
    if (shape.exponent)
        return status_make(E_FEATURE_NOT_SUPPORTED, "\"EEEE\" not supported for input");
    buffer_init(&digits, call->arena);
    while (text.size > 0 && ascii_space((char)text.data[0]))
        text = bytes_skip(text, 1);
    if (text.size > 0 && text.data[0] == '<') {
        negative = true;
        text = bytes_skip(text, 1);
    } else {
        take_sign(&text, &negative);
    }
    while (next_item(&format, &item) && text.size > 0) {
        uint8_t c = text.data[0];
        switch (item.cell) {
        case CELL_DIGIT:
        case CELL_ZERO:
            if (c == ' ') {
                text = bytes_skip(text, 1);
            } else if (ascii_digit((char)c)) {
                buffer_append_u8(&digits, c);
                count++;
                scale += point;
                text = bytes_skip(text, 1);
            } else if (c == '.' && shape.point && !point) {
                // The point comes before the template's: the places between are empty.
                buffer_append_u8(&digits, '.');
                point = true;
                text = bytes_skip(text, 1);
            }
            break;
        case CELL_POINT:
            if (c == '.' && !point) {
                buffer_append_u8(&digits, '.');
                point = true;
                text = bytes_skip(text, 1);
            }
            break;
        case CELL_GROUP:
            if (c == ',') text = bytes_skip(text, 1);
            break;
        case CELL_SIGN:
        case CELL_MINUS:
        case CELL_PLUS:
        case CELL_EITHER: take_sign(&text, &negative); break;
        case CELL_LITERAL:
        case CELL_CURRENCY:
            text = bytes_skip(text,
                utf8_prefix_bytes(text, item.cell == CELL_CURRENCY ? 1 : utf8_length(item.text)));
            break;
        default: break;
        }
    }
    (void)scale;
    if (count == 0) {
        st = type_error_syntax(call->arena, "numeric", BYTES_LITERAL(" "));
        goto out;
    }
    TRY(numeric_parse(call->arena, buffer_bytes(&digits), result));
    if (negative) *result = numeric_negate(call->arena, *result);
    if (shape.shift > 0) {
        struct datum power;
        TRY(numeric_power(call->arena, numeric_from_int(call->arena, 10),
            numeric_from_int(call->arena, -shape.shift), &power));
        TRY(numeric_multiply(call->arena, *result, power, result));
    }
out:
    return st;
}

// clang-format off
static const struct function table[] = {
    STABLE("to_char", 1772, TEXT, numeric_to_char, TYPE_NUMERIC, TYPE_TEXT),
    STABLE("to_char", 1773, TEXT, numeric_to_char, TYPE_INT4, TYPE_TEXT),
    STABLE("to_char", 1774, TEXT, numeric_to_char, TYPE_INT8, TYPE_TEXT),
    STABLE("to_char", 1775, TEXT, float_to_char, TYPE_FLOAT4, TYPE_TEXT),
    STABLE("to_char", 1776, TEXT, float_to_char, TYPE_FLOAT8, TYPE_TEXT),
    STABLE("to_number", 1777, NUMERIC, to_number, TYPE_TEXT, TYPE_TEXT),
};
// clang-format on

void formats_number_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
