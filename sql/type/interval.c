// SPDX-License-Identifier: GPL-3.0-or-later
//
// Intervals to and from text: PostgreSQL's units ("1 day 02:03:04", "@ 3 mons ago"), the SQL standard's
// ("1-2 3 4:05:06") and ISO 8601's ("P1Y2M3DT4H5M6S").
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "sql/type/datetime.h"
#include "sql/type/datetime_fields.h"
#include "sql/type/type_ops.h"

enum unit {
    UNIT_NONE, UNIT_US, UNIT_MS, UNIT_SECOND, UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH,
    UNIT_YEAR, UNIT_DECADE, UNIT_CENTURY, UNIT_MILLENNIUM, UNIT_AGO, UNIT_UNKNOWN
};

// Only the first ten characters of a word are looked at.
static const struct {
    const char *word;
    enum unit unit;
} units[] = {
    {"ago", UNIT_AGO}, {"c", UNIT_CENTURY}, {"cent", UNIT_CENTURY}, {"centuries", UNIT_CENTURY},
    {"century", UNIT_CENTURY}, {"d", UNIT_DAY}, {"day", UNIT_DAY}, {"days", UNIT_DAY},
    {"dec", UNIT_DECADE}, {"decade", UNIT_DECADE}, {"decades", UNIT_DECADE}, {"decs", UNIT_DECADE},
    {"h", UNIT_HOUR}, {"hour", UNIT_HOUR}, {"hours", UNIT_HOUR}, {"hr", UNIT_HOUR},
    {"hrs", UNIT_HOUR}, {"m", UNIT_MINUTE}, {"microsecon", UNIT_US},
    {"mil", UNIT_MILLENNIUM}, {"millennia", UNIT_MILLENNIUM}, {"millennium", UNIT_MILLENNIUM},
    {"mils", UNIT_MILLENNIUM}, {"millisecon", UNIT_MS},
    {"min", UNIT_MINUTE}, {"mins", UNIT_MINUTE}, {"minute", UNIT_MINUTE}, {"minutes", UNIT_MINUTE},
    {"mon", UNIT_MONTH}, {"mons", UNIT_MONTH}, {"month", UNIT_MONTH}, {"months", UNIT_MONTH},
    {"ms", UNIT_MS}, {"msec", UNIT_MS}, {"msecond", UNIT_MS}, {"mseconds", UNIT_MS}, {"msecs", UNIT_MS},
    {"s", UNIT_SECOND}, {"sec", UNIT_SECOND},
    {"second", UNIT_SECOND}, {"seconds", UNIT_SECOND}, {"secs", UNIT_SECOND}, {"us", UNIT_US},
    {"usec", UNIT_US}, {"useconds", UNIT_US}, {"usecs", UNIT_US}, {"w", UNIT_WEEK},
    {"week", UNIT_WEEK}, {"weeks", UNIT_WEEK}, {"y", UNIT_YEAR}, {"year", UNIT_YEAR},
    {"years", UNIT_YEAR}, {"yr", UNIT_YEAR}, {"yrs", UNIT_YEAR},
};

enum outcome { OK, BAD_FORMAT, OUT_OF_RANGE };

static enum unit find_unit(struct bytes word)
{
    if (word.size > 10) word.size = 10;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (type_word_is(word, units[i].word)) return units[i].unit;
    }
    return UNIT_UNKNOWN;
}

// --- adding amounts --------------------------------------------------------------------------------------

// An interval being read: its months may still be too many.
struct sum {
    int64_t us;
    int64_t months;
    int32_t days;
};

struct amount {
    int64_t whole;
    double fraction; // Of the same sign.
};

static bool add_int32(int32_t *to, int64_t amount, int32_t factor)
{
    int64_t product, sum;
    if (__builtin_mul_overflow(amount, (int64_t)factor, &product) ||
        __builtin_add_overflow((int64_t)*to, product, &sum) || sum != (int32_t)sum)
        return false;
    *to = (int32_t)sum;
    return true;
}

// Years and months each fit 32 bits; whether their sum does is another matter.
static bool add_months(struct sum *to, int64_t amount, int64_t factor)
{
    if (amount != (int32_t)amount) return false;
    to->months += amount * factor;
    return true;
}

static bool add_fraction_us(struct sum *to, double fraction, int64_t scale)
{
    fraction *= (double)scale;
    int64_t us = (int64_t)fraction;
    fraction -= (double)us;
    us += fraction > 0.5 ? 1 : fraction < -0.5 ? -1 : 0;
    return !__builtin_add_overflow(to->us, us, &to->us);
}

static bool add_us(struct sum *to, struct amount amount, int64_t scale)
{
    int64_t product;
    return !__builtin_mul_overflow(amount.whole, scale, &product) &&
           !__builtin_add_overflow(to->us, product, &to->us) &&
           add_fraction_us(to, amount.fraction, scale);
}

static bool add_fraction_days(struct sum *to, double fraction, int32_t scale)
{
    fraction *= scale;
    int32_t days = (int32_t)fraction;
    return add_int32(&to->days, days, 1) && add_fraction_us(to, fraction - days, US_PER_DAY);
}

static bool add_years(struct sum *to, struct amount amount, int32_t scale)
{
    int64_t years;
    return !__builtin_mul_overflow(amount.whole, (int64_t)scale, &years) &&
           add_months(to, years, 12) && add_months(to, (int64_t)rint(amount.fraction * scale * 12), 1);
}

static bool add_amount(struct sum *to, struct amount amount, enum unit unit)
{
    switch (unit) {
    case UNIT_US: return add_us(to, amount, 1);
    case UNIT_MS: return add_us(to, amount, 1000);
    case UNIT_NONE:
    case UNIT_SECOND: return add_us(to, amount, US_PER_SECOND);
    case UNIT_MINUTE: return add_us(to, amount, US_PER_MINUTE);
    case UNIT_HOUR: return add_us(to, amount, US_PER_HOUR);
    case UNIT_DAY:
        return add_int32(&to->days, amount.whole, 1) &&
               add_fraction_us(to, amount.fraction, US_PER_DAY);
    case UNIT_WEEK:
        return add_int32(&to->days, amount.whole, 7) && add_fraction_days(to, amount.fraction, 7);
    case UNIT_MONTH:
        return add_months(to, amount.whole, 1) &&
               add_fraction_days(to, amount.fraction, 30);
    case UNIT_YEAR: return add_years(to, amount, 1);
    case UNIT_DECADE: return add_years(to, amount, 10);
    case UNIT_CENTURY: return add_years(to, amount, 100);
    case UNIT_MILLENNIUM: return add_years(to, amount, 1000);
    default: return false;
    }
}

// --- numbers and times ------------------------------------------------------------------------------------

static bool is_digit(struct bytes text)
{
    return text.size > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

static enum outcome take_whole(struct bytes *text, int64_t *value)
{
    *value = 0;
    while (is_digit(*text)) {
        if (__builtin_mul_overflow(*value, INT64_C(10), value) ||
            __builtin_add_overflow(*value, (int64_t)(text->data[0] - '0'), value))
            return OUT_OF_RANGE;
        *text = bytes_skip(*text, 1);
    }
    return OK;
}

static double take_fraction(struct bytes *text)
{
    char copy[FIELD_BYTES_MAX + 2] = "0.";
    size_t size = 2;
    *text = bytes_skip(*text, 1); // The point.
    while (is_digit(*text)) {
        if (size < sizeof copy - 1) copy[size++] = (char)text->data[0];
        *text = bytes_skip(*text, 1);
    }
    copy[size] = 0;
    return strtod(copy, NULL);
}

static bool take_sign(struct bytes *text)
{
    bool negative = false;
    if (text->size > 0 && (text->data[0] == '-' || text->data[0] == '+')) {
        negative = text->data[0] == '-';
        *text = bytes_skip(*text, 1);
        while (text->size > 0 && ascii_space((char)text->data[0]))
            *text = bytes_skip(*text, 1);
    }
    return negative;
}

static bool take(struct bytes *text, char c)
{
    if (text->size == 0 || text->data[0] != (uint8_t)c) return false;
    *text = bytes_skip(*text, 1);
    return true;
}

#define RANGE_MINUTE_SECOND ((1 << 11) | (1 << 12))

// hh:mm, hh:mm:ss.fff, mm:ss.fff; what is left out behind a colon is zero.
static enum outcome add_time(struct sum *to, struct bytes text, int32_t range)
{
    bool negative = take_sign(&text);
    int64_t first, second = 0, third = 0;
    double fraction = 0;
    bool has_third = false;
    if (take_whole(&text, &first) != OK) return OUT_OF_RANGE;
    if (!take(&text, ':')) return BAD_FORMAT;
    if (take_whole(&text, &second) != OK) return OUT_OF_RANGE;
    if (take(&text, ':')) {
        has_third = true;
        if (take_whole(&text, &third) != OK) return OUT_OF_RANGE;
    }
    bool has_point = text.size > 0 && text.data[0] == '.';
    if (!has_third && (has_point || range == RANGE_MINUTE_SECOND)) {
        third = second;
        second = first;
        first = 0;
    }
    if (has_point) fraction = take_fraction(&text);
    if (text.size > 0) return BAD_FORMAT;
    if (second > 59 || third > 60) return OUT_OF_RANGE;
    struct sum time = {0};
    if (!add_us(&time, (struct amount){first, 0}, US_PER_HOUR) ||
        !add_us(&time, (struct amount){second, 0}, US_PER_MINUTE) ||
        !add_us(&time, (struct amount){third, fraction}, US_PER_SECOND))
        return OUT_OF_RANGE;
    return __builtin_add_overflow(to->us, negative ? -time.us : time.us, &to->us) ? OUT_OF_RANGE
                                                                                  : OK;
}

// What a number without a unit counts, from the declared fields.
static enum unit unit_of_range(int32_t range)
{
    if (range == 0 || range == 0x7fff) return UNIT_SECOND;
    if ((range & (1 << 12)) != 0) return UNIT_SECOND;
    if ((range & (1 << 11)) != 0) return UNIT_MINUTE;
    if ((range & (1 << 10)) != 0) return UNIT_HOUR;
    if ((range & (1 << 3)) != 0) return UNIT_DAY;
    if ((range & (1 << 1)) != 0) return UNIT_MONTH;
    return (range & (1 << 2)) != 0 ? UNIT_YEAR : UNIT_SECOND;
}

static enum outcome add_number(
    struct sum *to, struct bytes text, enum unit *unit, int32_t range)
{
    bool negative = take_sign(&text);
    struct amount amount = {0, 0};
    if (*unit == UNIT_NONE) *unit = unit_of_range(range);
    if (take_whole(&text, &amount.whole) != OK) return OUT_OF_RANGE;
    if (take(&text, '-')) {
        // The standard's years-months.
        int64_t months;
        if (take_whole(&text, &months) != OK || months >= 12) return OUT_OF_RANGE;
        if (text.size > 0) return BAD_FORMAT;
        if (__builtin_mul_overflow(amount.whole, INT64_C(12), &amount.whole)) return OUT_OF_RANGE;
        amount.whole += months;
        *unit = UNIT_MONTH;
    } else if (text.size > 0 && text.data[0] == '.') {
        amount.fraction = take_fraction(&text);
    }
    if (text.size > 0 || *unit == UNIT_AGO) return BAD_FORMAT;
    if (negative) {
        amount.whole = -amount.whole;
        amount.fraction = -amount.fraction;
    }
    return add_amount(to, amount, *unit) ? OK : OUT_OF_RANGE;
}

// --- numbers with units --------------------------------------------------------------------------------------

// From the last field to the first: a unit stands behind its number.
static enum outcome parse_units(struct bytes text, int32_t range, struct sum *to, bool *negate)
{
    struct field fields[FIELDS_MAX];
    uint32_t count;
    enum unit unit = UNIT_NONE;
    uint32_t seen = 0; // No unit may come twice.
    if (!datetime_cut(text, fields, &count)) return BAD_FORMAT;
    for (uint32_t i = count; i-- > 0;) {
        struct bytes field = fields[i].text;
        enum outcome outcome = OK;
        bool has_colon = memchr(field.data, ':', field.size) != NULL;
        if (fields[i].kind == FIELD_WORD) {
            unit = find_unit(field);
            if (unit == UNIT_UNKNOWN) return BAD_FORMAT;
            if (unit == UNIT_AGO) *negate = true;
            continue;
        }
        uint32_t adds;
        if (fields[i].kind == FIELD_TIME || (fields[i].kind == FIELD_ZONE && has_colon)) {
            to->us = 0; // As in PostgreSQL it takes the place of what the fractions behind it came to.
            outcome = add_time(to, field, range);
            adds = 1u << UNIT_HOUR | 1u << UNIT_MINUTE | 1u << UNIT_SECOND;
            unit = UNIT_DAY; // What stands before a time without a unit.
        } else {
            outcome = add_number(to, field, &unit, range);
            adds = 1u << unit;
        }
        if (outcome != OK) return outcome;
        if ((adds & seen) != 0) return BAD_FORMAT;
        seen |= adds;
    }
    return seen != 0 ? OK : BAD_FORMAT;
}

// --- ISO 8601 ------------------------------------------------------------------------------------------------

static bool at_number(struct bytes text, size_t at)
{
    return at < text.size && ascii_digit((char)text.data[at]);
}

static size_t skip_digits(struct bytes text, size_t at)
{
    while (at_number(text, at))
        at++;
    return at;
}

// A number that may have a minus, a fraction and an exponent. `digits` counts those before the point.
static enum outcome take_iso_number(struct bytes *text, struct amount *amount, size_t *digits)
{
    char copy[256];
    size_t start = text->size > 0 && text->data[0] == '-' ? 1 : 0, end = skip_digits(*text, start), count;
    *amount = (struct amount){0, 0};
    *digits = count = end - start;
    if (end < text->size && text->data[end] == '.') {
        size_t point = end;
        end = skip_digits(*text, point + 1);
        count += end - point - 1;
    }
    if (count == 0 || end >= sizeof copy - 8) return BAD_FORMAT;
    if (end < text->size && (text->data[end] | 0x20) == 'e') {
        size_t exponent = end + 1;
        if (exponent < text->size && (text->data[exponent] == '-' || text->data[exponent] == '+')) exponent++;
        if (at_number(*text, exponent)) end = skip_digits(*text, exponent);
    }
    if (end >= sizeof copy) return BAD_FORMAT;
    memcpy(copy, text->data, end);
    copy[end] = 0;
    double value = strtod(copy, NULL);
    if (!(fabs(value) <= 1e15)) return OUT_OF_RANGE;
    amount->whole = (int64_t)value;
    amount->fraction = value - (double)amount->whole;
    *text = bytes_skip(*text, end);
    return OK;
}

// What a letter counts, in the part before the T and in that behind it.
static enum unit iso_unit(char letter, bool time)
{
    switch (letter) {
    case 'Y': return time ? UNIT_UNKNOWN : UNIT_YEAR;
    case 'M': return time ? UNIT_MINUTE : UNIT_MONTH;
    case 'W': return time ? UNIT_UNKNOWN : UNIT_WEEK;
    case 'D': return time ? UNIT_UNKNOWN : UNIT_DAY;
    case 'H': return time ? UNIT_HOUR : UNIT_UNKNOWN;
    case 'S': return time ? UNIT_SECOND : UNIT_UNKNOWN;
    default: return UNIT_UNKNOWN;
    }
}

// The alternative formats, behind their first number: 0001-02-03 and 00010203 up to a T or the end,
// 04:05:06 and 040506 up to the end. What is left out at the end is zero.
static enum outcome parse_iso_parts(
    struct bytes *text, bool time, struct amount amount, size_t digits, struct sum *to)
{
    static const enum unit dates[] = {UNIT_YEAR, UNIT_MONTH, UNIT_DAY};
    static const enum unit times[] = {UNIT_HOUR, UNIT_MINUTE, UNIT_SECOND};
    const enum unit *parts = time ? times : dates;
    char separator = time ? ':' : '-';
    bool last = text->size == 0 || (!time && text->data[0] == 'T');
    if (last && digits == (time ? 6 : 8)) {
        struct amount first = {amount.whole / 10000, 0}, second = {amount.whole / 100 % 100, 0};
        amount.whole %= 100;
        return add_amount(to, first, parts[0]) && add_amount(to, second, parts[1]) &&
                       add_amount(to, amount, parts[2])
                   ? OK
                   : OUT_OF_RANGE;
    }
    for (int i = 0;; i++) {
        if (!add_amount(to, amount, parts[i])) return OUT_OF_RANGE;
        if (text->size == 0 || (!time && text->data[0] == 'T')) return OK;
        if (i == 2 || !take(text, separator)) return BAD_FORMAT;
        enum outcome outcome = take_iso_number(text, &amount, &digits);
        if (outcome != OK) return outcome;
    }
}

// Behind the P. Each of the two parts is either numbers with letters or of an alternative format.
static enum outcome parse_iso(struct bytes text, struct sum *to)
{
    bool time = false, any = false;
    if (text.size == 0) return BAD_FORMAT;
    while (text.size > 0) {
        struct amount amount;
        size_t digits;
        if (take(&text, 'T')) {
            time = true;
            any = false;
            continue;
        }
        enum outcome outcome = take_iso_number(&text, &amount, &digits);
        if (outcome != OK) return outcome;
        enum unit unit = text.size > 0 ? iso_unit((char)text.data[0], time) : UNIT_UNKNOWN;
        if (unit == UNIT_UNKNOWN) {
            if (any) return BAD_FORMAT;
            outcome = parse_iso_parts(&text, time, amount, digits, to);
            if (outcome != OK) return outcome;
            continue;
        }
        any = true;
        if (!add_amount(to, amount, unit)) return OUT_OF_RANGE;
        text = bytes_skip(text, 1);
    }
    return OK;
}

// --- the whole -----------------------------------------------------------------------------------------------

// In the standard's style a sign in front counts for all fields, when no other has one.
static bool sign_for_all(const struct type_context *context, struct bytes text)
{
    if (context->interval_style != INTERVAL_SQL || text.size == 0 || text.data[0] != '-')
        return false;
    for (size_t i = 1; i < text.size; i++) {
        bool starts = ascii_space((char)text.data[i - 1]);
        if (starts && (text.data[i] == '-' || text.data[i] == '+')) return false;
    }
    return true;
}

struct status interval_parse(struct arena *arena, const struct type_context *context,
    struct bytes whole, int32_t typmod, struct interval *interval)
{
    struct status st = STATUS_OK;
    struct bytes text = type_trim(whole);
    enum outcome outcome;
    bool negate = false;
    struct sum sum = {0};
    if (text.size > 0 && text.data[0] == 'P') {
        // No space around this one.
        outcome = text.size < whole.size ? BAD_FORMAT : parse_iso(bytes_skip(text, 1), &sum);
    } else {
        bool all = sign_for_all(context, text);
        int32_t range = typmod < 0 ? 0 : typmod >> 16 & 0x7fff;
        outcome = parse_units(all ? bytes_skip(text, 1) : text, range, &sum, &negate);
        negate = negate != all;
    }
    if (outcome == OUT_OF_RANGE)
        return status_format(arena, E_INTERVAL_FIELD_OVERFLOW,
            "interval field value out of range: \"%.*s\"", bytes_shown(whole),
            (const char *)whole.data);
    if (outcome == BAD_FORMAT) {
        st = type_error_syntax(arena, "interval", whole);
        st.code = E_INVALID_DATETIME_FORMAT;
        return st;
    }
    if (sum.months != (int32_t)sum.months) return interval_out_of_range();
    *interval = (struct interval){sum.us, sum.days, (int32_t)sum.months};
    if (negate) st = interval_negate(*interval, interval);
    return st;
}

// --- printing -------------------------------------------------------------------------------------------------

struct interval_parts {
    int32_t years, months, days;
    int64_t hours;
    int32_t minutes, seconds, us;
    bool time_negative;
};

static struct interval_parts split(struct interval interval)
{
    struct interval_parts parts = {.years = interval.months / 12,
        .months = interval.months % 12,
        .days = interval.days,
        .hours = interval.us / US_PER_HOUR,
        .minutes = (int32_t)(interval.us / US_PER_MINUTE % 60),
        .seconds = (int32_t)(interval.us / US_PER_SECOND % 60),
        .us = (int32_t)(interval.us % US_PER_SECOND),
        .time_negative = interval.us < 0};
    return parts;
}

static void append_seconds(struct buffer *out, int32_t seconds, int32_t us, bool two_digits)
{
    buffer_printf(out, two_digits ? "%02d" : "%d", abs(seconds));
    if (us == 0) return;
    char digits[16];
    int size = snprintf(digits, sizeof digits, "%06d", abs(us) % 1000000);
    while (digits[size - 1] == '0')
        size--;
    buffer_append_u8(out, '.');
    buffer_append(out, digits, (size_t)size);
}

struct printing {
    struct buffer *out;
    bool first, negative; // negative: what was printed last.
};

static void print_part(struct printing *at, int64_t value, const char *unit)
{
    if (value == 0) return;
    buffer_printf(at->out, "%s%s%lld %s%s", at->first ? "" : " ",
        at->negative && value > 0 ? "+" : "", (long long)value, unit, value == 1 ? "" : "s");
    at->first = false;
    at->negative = value < 0;
}

static void print_postgres(struct buffer *out, struct interval interval)
{
    struct interval_parts parts = split(interval);
    struct printing at = {out, true, false};
    print_part(&at, parts.years, "year");
    print_part(&at, parts.months, "mon");
    print_part(&at, parts.days, "day");
    if (!at.first && interval.us == 0) return;
    buffer_printf(out, "%s%s%02lld:%02d:", at.first ? "" : " ",
        parts.time_negative ? "-"
        : at.negative       ? "+"
                            : "",
        llabs((long long)parts.hours), abs(parts.minutes));
    append_seconds(out, parts.seconds, parts.us, true);
}

static void print_verbose_part(struct printing *at, int64_t value, const char *unit)
{
    if (value == 0) return;
    if (at->first) {
        at->negative = value < 0;
        value = llabs((long long)value);
    } else if (at->negative) {
        value = -value;
    }
    buffer_printf(at->out, " %lld %s%s", (long long)value, unit, value == 1 ? "" : "s");
    at->first = false;
}

static void print_verbose(struct buffer *out, struct interval interval)
{
    struct interval_parts parts = split(interval);
    struct printing at = {out, true, false};
    buffer_append_u8(out, '@');
    print_verbose_part(&at, parts.years, "year");
    print_verbose_part(&at, parts.months, "mon");
    print_verbose_part(&at, parts.days, "day");
    print_verbose_part(&at, parts.hours, "hour");
    print_verbose_part(&at, parts.minutes, "min");
    if (parts.seconds != 0 || parts.us != 0) {
        bool negative = parts.seconds < 0 || parts.us < 0;
        if (at.first) at.negative = negative;
        buffer_append_u8(out, ' ');
        if (negative != at.negative) buffer_append_u8(out, '-');
        append_seconds(out, parts.seconds, parts.us, false);
        buffer_append_string(
            out, abs(parts.seconds) != 1 || parts.us != 0 ? " secs" : " sec");
        at.first = false;
    }
    if (at.first) buffer_append_string(out, " 0");
    if (at.negative) buffer_append_string(out, " ago");
}

static void print_sql(struct buffer *out, struct interval interval)
{
    bool negative = interval.months < 0 || interval.days < 0 || interval.us < 0;
    bool positive = interval.months > 0 || interval.days > 0 || interval.us > 0;
    bool months = interval.months != 0, time = interval.days != 0 || interval.us != 0;
    if (!negative && !positive) {
        buffer_append_u8(out, '0');
        return;
    }
    struct interval_parts parts = split(interval);
    long long hours = llabs((long long)parts.hours);
    if ((negative && positive) || (months && time)) {
        // No form of the standard: every part carries its sign.
        buffer_printf(out, "%c%d-%d %c%d %c%lld:%02d:", interval.months < 0 ? '-' : '+',
            abs(parts.years), abs(parts.months), interval.days < 0 ? '-' : '+', abs(parts.days),
            interval.us < 0 ? '-' : '+', hours, abs(parts.minutes));
        append_seconds(out, parts.seconds, parts.us, true);
        return;
    }
    if (negative) buffer_append_u8(out, '-');
    if (months) {
        buffer_printf(out, "%d-%d", abs(parts.years), abs(parts.months));
        return;
    }
    if (interval.days != 0) buffer_printf(out, "%d ", abs(parts.days));
    buffer_printf(out, "%lld:%02d:", hours, abs(parts.minutes));
    append_seconds(out, parts.seconds, parts.us, true);
}

static void print_iso(struct buffer *out, struct interval interval)
{
    struct interval_parts parts = split(interval);
    if (interval.months == 0 && interval.days == 0 && interval.us == 0) {
        buffer_append_string(out, "PT0S");
        return;
    }
    buffer_append_u8(out, 'P');
    if (parts.years != 0) buffer_printf(out, "%dY", parts.years);
    if (parts.months != 0) buffer_printf(out, "%dM", parts.months);
    if (parts.days != 0) buffer_printf(out, "%dD", parts.days);
    if (interval.us == 0) return;
    buffer_append_u8(out, 'T');
    if (parts.hours != 0) buffer_printf(out, "%lldH", (long long)parts.hours);
    if (parts.minutes != 0) buffer_printf(out, "%dM", parts.minutes);
    if (parts.seconds == 0 && parts.us == 0) return;
    if (parts.time_negative) buffer_append_u8(out, '-');
    append_seconds(out, parts.seconds, parts.us, false);
    buffer_append_u8(out, 'S');
}

void interval_print(
    struct buffer *out, const struct type_context *context, struct interval interval)
{
    switch (context->interval_style) {
    case INTERVAL_POSTGRES: print_postgres(out, interval); break;
    case INTERVAL_POSTGRES_VERBOSE: print_verbose(out, interval); break;
    case INTERVAL_SQL: print_sql(out, interval); break;
    case INTERVAL_ISO: print_iso(out, interval); break;
    }
}
