// SPDX-License-Identifier: GPL-3.0-or-later
//
// to_char, to_date and to_timestamp: dates and times by template.
#include <ctype.h>
#include <stdlib.h>

#include "core/text.h"
#include "core/work.h"
#include "sql/type/datetime.h"
#include "sql/function/function_table.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

enum pattern {
    P_NONE, P_AD, P_A_D, P_AM, P_A_M, P_CC, P_DAY, P_DDD, P_DD, P_DY, P_D, P_FF1, P_FF2, P_FF3, P_FF4,
    P_FF5, P_FF6, P_HH24, P_HH12, P_IDDD, P_ID, P_IW, P_IYYY, P_IYY, P_IY, P_I, P_J, P_MI, P_MM,
    P_MONTH, P_MON, P_MS, P_OF, P_Q, P_RM, P_SSSS, P_SS, P_TZH, P_TZM, P_TZ, P_US, P_WW, P_W, P_Y_YYY,
    P_YYYY, P_YYY, P_YY, P_Y
};

// Longest first among those that begin alike. The case of words in the template is the case of the output.
static const struct {
    const char *text;
    enum pattern pattern;
} patterns[] = {
    {"a.d.", P_A_D}, {"b.c.", P_A_D}, {"a.m.", P_A_M}, {"p.m.", P_A_M}, {"ad", P_AD}, {"bc", P_AD},
    {"am", P_AM}, {"pm", P_AM}, {"cc", P_CC}, {"day", P_DAY}, {"ddd", P_DDD}, {"dd", P_DD},
    {"dy", P_DY}, {"d", P_D}, {"ff1", P_FF1}, {"ff2", P_FF2}, {"ff3", P_FF3}, {"ff4", P_FF4},
    {"ff5", P_FF5}, {"ff6", P_FF6}, {"hh24", P_HH24}, {"hh12", P_HH12}, {"hh", P_HH12},
    {"iddd", P_IDDD}, {"id", P_ID}, {"iw", P_IW}, {"iyyy", P_IYYY}, {"iyy", P_IYY}, {"iy", P_IY},
    {"i", P_I}, {"j", P_J}, {"mi", P_MI}, {"mm", P_MM}, {"month", P_MONTH}, {"mon", P_MON},
    {"ms", P_MS}, {"of", P_OF}, {"q", P_Q}, {"rm", P_RM}, {"sssss", P_SSSS}, {"ssss", P_SSSS},
    {"ss", P_SS}, {"tzh", P_TZH}, {"tzm", P_TZM}, {"tz", P_TZ}, {"us", P_US}, {"ww", P_WW}, {"w", P_W},
    {"y,yyy", P_Y_YYY}, {"yyyy", P_YYYY}, {"yyy", P_YYY}, {"yy", P_YY}, {"y", P_Y},
};

struct item {
    enum pattern pattern;  // P_NONE: a literal.
    struct bytes text;     // As written, without quotes.
    bool fill, ordinal, ordinal_upper, quoted;
};

struct template {
    struct bytes rest;
    bool exact; // FX
};

static bool begins_with(struct bytes text, const char *word)
{
    size_t i = 0;
    for (; word[i] != 0; i++) {
        if (i >= text.size || ascii_lower((char)text.data[i]) != word[i]) return false;
    }
    return true;
}

static bool take(struct bytes *text, const char *word)
{
    if (!begins_with(*text, word)) return false;
    *text = bytes_skip(*text, strlen(word));
    return true;
}

#define ITEM_WORK 512u // What an item counts for with task_goes_on.
static bool next_item(struct template *in, struct item *item)
{
    *item = (struct item){0};
    if (in->rest.size == 0 || !task_goes_on(ITEM_WORK)) return false;
    for (;;) {
        if (take(&in->rest, "fm"))
            item->fill = true;
        else if (take(&in->rest, "fx"))
            in->exact = true;
        else if (begins_with(in->rest, "tm") && !begins_with(in->rest, "tmz"))
            in->rest = bytes_skip(in->rest, 2); // Names are English ones in any locale.
        else
            break;
    }
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct bytes start = in->rest;
        if (!take(&in->rest, patterns[i].text)) continue;
        item->pattern = patterns[i].pattern;
        item->text = bytes_of(start.data, start.size - in->rest.size);
        if (in->rest.size >= 2 && begins_with(in->rest, "th")) {
            item->ordinal = true;
            item->ordinal_upper = in->rest.data[0] == 'T';
            in->rest = bytes_skip(in->rest, 2);
        }
        return true;
    }
    if (in->rest.size == 0) return false;
    if (in->rest.data[0] == '"') {
        size_t end = 1;
        while (end < in->rest.size && in->rest.data[end] != '"')
            end += in->rest.data[end] == '\\' && end + 1 < in->rest.size ? 2 : 1;
        item->quoted = true;
        item->text = bytes_of(in->rest.data + 1, end - 1);
        in->rest = bytes_skip(in->rest, end < in->rest.size ? end + 1 : end);
        return true;
    }
    if (in->rest.data[0] == '\\' && in->rest.size > 1 && in->rest.data[1] == '"')
        in->rest = bytes_skip(in->rest, 1);
    size_t step = utf8_step(in->rest, 0);
    item->text = bytes_of(in->rest.data, step);
    in->rest = bytes_skip(in->rest, step);
    return true;
}

// --- to_char ----------------------------------------------------------------------------------------------

struct moment {
    struct calendar parts;
    int64_t date;
    struct time_zone_moment zone;
    bool has_zone, interval;
};

static const char *ordinal_suffix(int64_t value, bool upper)
{
    int64_t last = llabs((long long)value) % 100;
    if (last < 11 || last > 13) {
        switch (last % 10) {
        case 1: return upper ? "ST" : "st";
        case 2: return upper ? "ND" : "nd";
        case 3: return upper ? "RD" : "rd";
        default: break;
        }
    }
    return upper ? "TH" : "th";
}

// At least `width` characters, with a sign among them.
static void put_padded(struct buffer *out, const struct item *item, int64_t value, int width)
{
    buffer_printf(out, "%0*lld", width, (long long)value);
    if (item->ordinal) buffer_append_string(out, ordinal_suffix(value, item->ordinal_upper));
}

static void put_number(struct buffer *out, const struct item *item, int64_t value, int width)
{
    put_padded(out, item, value, item->fill ? 0 : value < 0 ? width + 1 : width);
}

// In the case of the template's letters; padded to `width` unless FM.
static void put_name(struct buffer *out, const struct item *item, const char *name, int width, int size)
{
    bool first_upper = isupper(item->text.data[0]) != 0;
    bool second_upper = item->text.size > 1 && isupper(item->text.data[1]) != 0;
    int i = 0;
    for (; name[i] != 0 && i < size; i++) {
        bool upper = i == 0 ? first_upper : first_upper && second_upper;
        buffer_append_u8(out, (uint8_t)(upper ? ascii_upper(name[i]) : ascii_lower(name[i])));
    }
    for (; !item->fill && i < width; i++)
        buffer_append_u8(out, ' ');
}

static void put_offset(struct buffer *out, const struct moment *at)
{
    int32_t offset = at->zone.offset_seconds, size = abs(offset);
    buffer_printf(out, "%c%02d", offset < 0 ? '-' : '+', size / 3600);
    if (size % 3600 != 0) buffer_printf(out, ":%02d", size / 60 % 60);
}

static const char *const roman_months[] = {
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"};

static int64_t shown_year(int64_t year)
{
    return year > 0 ? year : 1 - year;
}

static bool put_year(struct buffer *out, const struct item *item, const struct moment *at)
{
    int64_t year = at->interval ? at->parts.year : shown_year(at->parts.year);
    if (item->pattern >= P_IYYY && item->pattern <= P_I) {
        int32_t week;
        iso_week(at->date, &year, &week);
        year = shown_year(year);
    }
    switch (item->pattern) {
    case P_YYYY:
    case P_IYYY: put_number(out, item, year, 4); break;
    case P_YYY:
    case P_IYY: put_number(out, item, year % 1000, 3); break;
    case P_YY:
    case P_IY: put_number(out, item, year % 100, 2); break;
    case P_Y:
    case P_I: put_number(out, item, year % 10, 1); break;
    case P_Y_YYY:
        buffer_printf(out, "%lld,%03lld", (long long)year / 1000, (long long)year % 1000);
        if (item->ordinal) buffer_append_string(out, ordinal_suffix(year, item->ordinal_upper));
        break;
    default: return false;
    }
    return true;
}

// Months of an interval have 30 days here, and its years 360.
static int64_t day_of_year(const struct moment *at)
{
    const struct calendar *parts = &at->parts;
    if (at->interval) return ((int64_t)parts->year * 12 + parts->month) * 30 + parts->day;
    return at->date - date_from_parts(parts->year, 1, 1) + 1;
}

// Negative months of an interval count from December; whole years end in December, or begin in January.
static int32_t roman_month(const struct calendar *parts)
{
    if (parts->month > 0) return parts->month;
    if (parts->month < 0) return 13 + parts->month;
    return parts->year > 0 ? 12 : parts->year < 0 ? 1 : 0;
}

static bool put_date(struct buffer *out, const struct item *item, const struct moment *at)
{
    const struct calendar *parts = &at->parts;
    int64_t year;
    int32_t week, weekday = at->interval ? 0 : date_weekday(at->date);
    switch (item->pattern) {
    case P_MONTH: put_name(out, item, month_names[parts->month - 1], 9, 9); break;
    case P_MON: put_name(out, item, month_names[parts->month - 1], 3, 3); break;
    case P_MM: put_number(out, item, parts->month, 2); break;
    case P_DAY: put_name(out, item, weekday_names[weekday], 9, 9); break;
    case P_DY: put_name(out, item, weekday_names[weekday], 3, 3); break;
    case P_DDD: put_padded(out, item, day_of_year(at), item->fill ? 0 : 3); break;
    case P_IDDD:
        iso_week(at->date, &year, &week);
        put_number(out, item, at->date - date_from_iso_week(year, 1) + 1, 3);
        break;
    // The sign of an interval's days takes one of the places.
    case P_DD: put_number(out, item, parts->day, parts->day < 0 ? 1 : 2); break;
    case P_D: put_number(out, item, weekday + 1, 1); break;
    case P_ID: put_number(out, item, (weekday + 6) % 7 + 1, 1); break;
    case P_WW:
        put_padded(out, item, (day_of_year(at) - 1) / 7 + 1, item->fill ? 0 : 2);
        break;
    case P_IW:
        iso_week(at->date, &year, &week);
        put_number(out, item, week, 2);
        break;
    case P_W: put_number(out, item, (parts->day - 1) / 7 + 1, 1); break;
    case P_Q:
        if (parts->month != 0) put_number(out, item, (parts->month - 1) / 3 + 1, 0);
        break;
    case P_J: put_number(out, item, at->date + 2451545, 0); break;
    case P_CC: {
        int64_t century = at->interval      ? parts->year / 100
                          : parts->year > 0 ? (parts->year - 1) / 100 + 1
                                            : parts->year / 100 - 1;
        put_number(out, item, century, 2);
        break;
    }
    case P_RM: {
        struct item name = *item;
        struct bytes both = bytes_of(isupper(item->text.data[0]) ? "RM" : "rm", 2);
        name.text = both;
        int32_t month = roman_month(parts);
        if (month > 0) put_name(out, &name, roman_months[month - 1], 4, 4);
        break;
    }
    case P_AD:
        buffer_append_string(out, isupper(item->text.data[0]) ? (parts->year > 0 ? "AD" : "BC")
                                                             : (parts->year > 0 ? "ad" : "bc"));
        break;
    case P_A_D:
        buffer_append_string(out, isupper(item->text.data[0])
                                      ? (parts->year > 0 ? "A.D." : "B.C.")
                                      : (parts->year > 0 ? "a.d." : "b.c."));
        break;
    default: return put_year(out, item, at);
    }
    return true;
}

// Digits of fractions are there with FM too; a sign takes the place of one.
static void put_fraction(struct buffer *out, const struct item *item, int32_t us, int digits)
{
    for (int i = 6; i > digits; i--)
        us /= 10;
    put_padded(out, item, us, digits);
}

// The sign of the hours makes room for itself, also where 12 stands for a negative multiple of it.
static void put_hour_12(struct buffer *out, const struct item *item, int32_t hour)
{
    int32_t shown = hour % 12 == 0 ? 12 : hour % 12;
    put_padded(out, item, shown, item->fill ? 0 : hour < 0 ? 3 : 2);
}

static void put_time(struct buffer *out, const struct item *item, const struct moment *at)
{
    const struct calendar *parts = &at->parts;
    bool upper = isupper(item->text.data[0]) != 0, afternoon = parts->hour % 24 >= 12;
    int32_t offset = at->zone.offset_seconds;
    switch (item->pattern) {
    case P_HH24: put_number(out, item, parts->hour, 2); break;
    case P_HH12: put_hour_12(out, item, parts->hour); break;
    case P_MI: put_number(out, item, parts->minute, 2); break;
    case P_SS: put_number(out, item, parts->second, 2); break;
    case P_MS: put_fraction(out, item, parts->us, 3); break;
    case P_US: put_fraction(out, item, parts->us, 6); break;
    case P_FF1:
    case P_FF2:
    case P_FF3:
    case P_FF4:
    case P_FF5:
    case P_FF6: put_fraction(out, item, parts->us, (int)(item->pattern - P_FF1) + 1); break;
    case P_SSSS:
        put_number(out, item, parts->hour * 3600 + parts->minute * 60 + parts->second, 0);
        break;
    case P_AM:
        buffer_append_string(out, upper ? (afternoon ? "PM" : "AM") : (afternoon ? "pm" : "am"));
        break;
    case P_A_M:
        buffer_append_string(
            out, upper ? (afternoon ? "P.M." : "A.M.") : (afternoon ? "p.m." : "a.m."));
        break;
    case P_OF: put_offset(out, at); break;
    case P_TZH: buffer_printf(out, "%c%02d", offset < 0 ? '-' : '+', abs(offset) / 3600); break;
    case P_TZM: buffer_printf(out, "%02d", abs(offset) / 60 % 60); break;
    case P_TZ:
        for (const char *c = at->has_zone ? at->zone.abbreviation : ""; *c != 0; c++)
            buffer_append_u8(out, (uint8_t)(upper ? ascii_upper(*c) : ascii_lower(*c)));
        break;
    default: break;
    }
}

static void put_literal(struct buffer *out, const struct item *item)
{
    for (size_t i = 0; i < item->text.size; i++) {
        if (item->quoted && item->text.data[i] == '\\' && i + 1 < item->text.size) i++;
        buffer_append_u8(out, item->text.data[i]);
    }
}

static struct status format_moment(
    struct function_call *call, struct bytes text, const struct moment *at, struct datum *result)
{
    struct template in = {.rest = text};
    struct item item;
    struct buffer out;
    buffer_init(&out, call->arena);
    while (next_item(&in, &item)) {
        if (item.pattern == P_NONE)
            put_literal(&out, &item);
        else if (!put_date(&out, &item, at))
            put_time(&out, &item, at);
    }
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

BODY(timestamp_to_char)
{
    struct status st = STATUS_OK;
    struct moment at = {0};
    int64_t local = args[0].integer;
    if (args[1].size == 0 || !timestamp_is_finite(local)) {
        *result = DATUM_NULL;
        return st;
    }
    if (call->arg_types[0].oid == TYPE_TIMESTAMPTZ) {
        at.has_zone = true;
        TRY(timestamptz_to_local(function_context(call)->zone, local, &local, &at.zone));
    }
    timestamp_to_parts(local, &at.parts);
    at.date = floor_div64(local, US_PER_DAY);
    st = format_moment(call, datum_as_bytes(args[1]), &at, result);
out:
    return st;
}

BODY(interval_to_char)
{
    struct interval interval = interval_of(args[0]);
    struct moment at = {.interval = true};
    if (args[1].size == 0) {
        *result = DATUM_NULL;
        return STATUS_OK;
    }
    at.parts.year = interval.months / 12;
    at.parts.month = interval.months % 12;
    at.parts.day = interval.days;
    at.parts.hour = (int32_t)(interval.us / US_PER_HOUR);
    at.parts.minute = (int32_t)(interval.us / US_PER_MINUTE % 60);
    at.parts.second = (int32_t)(interval.us / US_PER_SECOND % 60);
    at.parts.us = (int32_t)(interval.us % US_PER_SECOND);
    // Names of days and months have no place in an interval.
    struct template in = {.rest = datum_as_bytes(args[1])};
    for (struct item item; next_item(&in, &item);) {
        bool dated = item.pattern == P_MONTH || item.pattern == P_MON || item.pattern == P_DAY ||
                     item.pattern == P_DY || item.pattern == P_D || item.pattern == P_ID ||
                     item.pattern == P_AD || item.pattern == P_A_D || item.pattern == P_TZ ||
                     item.pattern == P_TZH || item.pattern == P_TZM || item.pattern == P_OF ||
                     (item.pattern >= P_IDDD && item.pattern <= P_J);
        if (dated)
            return status_hint(call->arena,
                status_format(call->arena, E_INVALID_DATETIME_FORMAT, "%s",
                    "invalid format specification for an interval value"),
                "Intervals are not tied to specific calendar dates.");
    }
    return format_moment(call, datum_as_bytes(args[1]), &at, result);
}

// --- to_date, to_timestamp ------------------------------------------------------------------------------------

struct reader {
    struct arena *arena;
    struct bytes text;  // What is left.
    struct bytes whole;
    int64_t year, julian;
    int32_t month, day, day_of_year, week, iso_week, iso_day, hour, minute, second, us, day_seconds;
    bool has_year, has_month, has_day, has_day_of_year, has_julian, iso, bc, has_zone, negative_zone;
    bool clock_12, afternoon, has_meridian, has_day_seconds;
    int32_t zone_hours, zone_minutes, week_of_month, century;
};

static struct status bad_value(struct reader *in, struct bytes value, struct bytes pattern)
{
    struct status st = status_format(in->arena, E_INVALID_DATETIME_FORMAT,
        "invalid value \"%.*s\" for \"%.*s\"", bytes_shown(value), (const char *)value.data,
        bytes_shown(pattern), (const char *)pattern.data);
    return status_detail(in->arena, st, "Value must be an integer.");
}

static size_t count_digits(struct bytes text)
{
    size_t i = 0;
    while (i < text.size && ascii_digit((char)text.data[i]))
        i++;
    return i;
}

// At most `width` digits, or all of them when no digits can follow in the template.
static struct status read_number(
    struct reader *in, const struct item *item, size_t width, bool greedy, int64_t *value, size_t *digits)
{
    bool negative = false;
    while (in->text.size > 0 && ascii_space((char)in->text.data[0]))
        in->text = bytes_skip(in->text, 1);
    struct bytes start = in->text;
    if (in->text.size > 0 && (in->text.data[0] == '-' || in->text.data[0] == '+')) {
        negative = in->text.data[0] == '-';
        in->text = bytes_skip(in->text, 1);
    }
    size_t count = count_digits(in->text);
    if (!greedy && !item->fill && count > width) count = width;
    if (count == 0 && start.size == 0) {
        *digits = 0;
        *value = 0;
        return STATUS_OK; // A text that ends early leaves the rest as it is.
    }
    if (count == 0) {
        size_t shown = width < start.size ? width : start.size;
        return bad_value(in, bytes_of(start.data, shown), item->text);
    }
    if (count > 9)
        return status_detail(in->arena,
            status_format(in->arena, E_DATETIME_OVERFLOW,
                "value for \"%.*s\" in source string is out of range", bytes_shown(item->text),
                (const char *)item->text.data),
            "Value must be in the range %d to %d.", INT32_MIN, INT32_MAX);
    *value = 0;
    for (size_t i = 0; i < count; i++)
        *value = *value * 10 + (in->text.data[i] - '0');
    if (negative) *value = -*value;
    *digits = count;
    in->text = bytes_skip(in->text, count);
    if (item->ordinal && in->text.size >= 2) in->text = bytes_skip(in->text, 2);
    return STATUS_OK;
}

// One of the names, in any case; `size` 0: whole names, else their first letters.
static struct status read_name(struct reader *in, const struct item *item, const char *const *names,
    int count, size_t size, int32_t *index)
{
    for (int i = 0; i < count; i++) {
        size_t length = size == 0 ? strlen(names[i]) : size;
        if (in->text.size < length) continue;
        if (!text_equal_nocase(bytes_of(in->text.data, length), bytes_of(names[i], length))) continue;
        *index = i;
        in->text = bytes_skip(in->text, length);
        return STATUS_OK;
    }
    size_t shown = 0;
    while (shown < in->text.size && !ascii_space((char)in->text.data[shown]))
        shown++;
    struct status st = status_format(in->arena, E_INVALID_DATETIME_FORMAT,
        "invalid value \"%.*s\" for \"%.*s\"", (int)shown, (const char *)in->text.data,
        bytes_shown(item->text), (const char *)item->text.data);
    return status_detail(in->arena, st,
        "The given value did not match any of the allowed values for this field.");
}

// Years of fewer than four digits are those next to 2020.
static int64_t near_2020(int64_t year, size_t digits)
{
    if (digits >= 4 || year < 0) return year;
    if (year < 70) return year + 2000;
    if (year < 100) return year + 1900;
    if (year < 520) return year + 2000;
    return year < 1000 ? year + 1000 : year;
}

static struct status read_marker(
    struct reader *in, const struct item *item, const char *const *names, bool *second)
{
    int32_t index;
    struct status st = read_name(in, item, names, 2, 0, &index);
    if (!failed(st)) *second = index == 1;
    return st;
}

static struct status read_fraction(struct reader *in, const struct item *item, size_t width, bool greedy)
{
    int64_t value;
    size_t digits;
    struct status st = read_number(in, item, width, greedy, &value, &digits);
    if (failed(st)) return st;
    for (; digits < 6; digits++)
        value *= 10;
    for (; digits > 6; digits--)
        value /= 10;
    in->us = (int32_t)value;
    return st;
}

static struct status read_year(struct reader *in, const struct item *item, int64_t value, size_t digits)
{
    in->has_year = true;
    if (item->pattern >= P_IYYY && item->pattern <= P_I) in->iso = true;
    bool full = item->pattern == P_YYYY || item->pattern == P_IYYY;
    in->year = full ? value : near_2020(value, digits);
    return STATUS_OK;
}

static struct status store(struct reader *in, const struct item *item, int64_t value, size_t digits)
{
    int32_t small = (int32_t)value;
    switch (item->pattern) {
    case P_HH12:
        if (value < 1 || value > 12)
            return status_hint(in->arena,
                status_format(in->arena, E_INVALID_DATETIME_FORMAT,
                    "hour \"%lld\" is invalid for the 12-hour clock", (long long)value),
                "Use the 24-hour clock, or give an hour between 1 and 12.");
        in->clock_12 = true;
        in->hour = small;
        break;
    case P_HH24: in->hour = small; break;
    case P_MI: in->minute = small; break;
    case P_SS: in->second = small; break;
    case P_SSSS:
        in->day_seconds = small;
        in->has_day_seconds = true;
        break;
    case P_MM:
        in->month = small;
        in->has_month = true;
        break;
    case P_DD:
        in->day = small;
        in->has_day = true;
        break;
    case P_DDD:
        in->day_of_year = small;
        in->has_day_of_year = true;
        break;
    case P_D: break;
    case P_ID: in->iso_day = small; break;
    case P_IDDD:
        in->day_of_year = small;
        in->has_day_of_year = in->iso = true;
        break;
    case P_WW: in->week = small; break;
    case P_IW:
        in->iso_week = small;
        in->iso = true;
        break;
    case P_W: in->week_of_month = small; break;
    case P_CC: in->century = small; break;
    case P_Q: break; // Not used: a quarter does not say which month.
    case P_J:
        in->julian = value;
        in->has_julian = true;
        break;
    case P_TZM: in->zone_minutes = small; break;
    default: return read_year(in, item, value, digits);
    }
    return STATUS_OK;
}

static size_t width_of(enum pattern pattern)
{
    switch (pattern) {
    case P_YYYY:
    case P_IYYY: return 4;
    case P_YYY:
    case P_IYY:
    case P_DDD:
    case P_IDDD: return 3;
    case P_Y:
    case P_I:
    case P_D:
    case P_ID:
    case P_W:
    case P_Q: return 1;
    case P_SSSS: return 5;
    case P_J: return 9;
    default: return 2;
    }
}

static struct status read_zone_hours(struct reader *in, const struct item *item)
{
    int64_t value;
    size_t digits;
    in->has_zone = true;
    if (in->text.size > 0 && (in->text.data[0] == '+' || in->text.data[0] == '-')) {
        in->negative_zone = in->text.data[0] == '-';
        in->text = bytes_skip(in->text, 1);
    }
    struct status st = read_number(in, item, 2, false, &value, &digits);
    if (!failed(st)) in->zone_hours = (int32_t)value;
    return st;
}

static struct status read_item(struct reader *in, const struct item *item, bool greedy)
{
    static const char *const am[] = {"am", "pm"}, *const a_m[] = {"a.m.", "p.m."};
    static const char *const ad[] = {"ad", "bc"}, *const a_d[] = {"a.d.", "b.c."};
    struct status st = STATUS_OK;
    int64_t value, thousands;
    size_t digits;
    int32_t index;
    switch (item->pattern) {
    case P_AM:
    case P_A_M:
        in->has_meridian = true;
        return read_marker(in, item, item->pattern == P_AM ? am : a_m, &in->afternoon);
    case P_AD:
    case P_A_D: return read_marker(in, item, item->pattern == P_AD ? ad : a_d, &in->bc);
    case P_MONTH:
    case P_MON:
        TRY(read_name(in, item, month_names, 12, item->pattern == P_MON ? 3 : 0, &index));
        in->month = index + 1;
        in->has_month = true;
        return st;
    case P_DAY: return read_name(in, item, weekday_names, 7, 0, &index);
    case P_DY: return read_name(in, item, weekday_names, 7, 3, &index);
    case P_RM: {
        // The longest numeral that fits: VIII before VII before VI.
        int32_t best = -1;
        for (int32_t i = 0; i < 12; i++) {
            size_t size = strlen(roman_months[i]);
            if (in->text.size >= size &&
                text_equal_nocase(bytes_of(in->text.data, size), bytes_of_string(roman_months[i])) &&
                (best < 0 || size > strlen(roman_months[best])))
                best = i;
        }
        if (best < 0) return read_name(in, item, roman_months, 0, 0, &index);
        in->month = best + 1;
        in->has_month = true;
        in->text = bytes_skip(in->text, strlen(roman_months[best]));
        return st;
    }
    case P_MS: return read_fraction(in, item, 3, greedy);
    case P_US: return read_fraction(in, item, 6, greedy);
    case P_FF1:
    case P_FF2:
    case P_FF3:
    case P_FF4:
    case P_FF5:
    case P_FF6: return read_fraction(in, item, (size_t)(item->pattern - P_FF1 + 1), greedy);
    case P_TZH: return read_zone_hours(in, item);
    case P_TZ:
    case P_OF:
        return status_format(in->arena, E_FEATURE_NOT_SUPPORTED,
            "formatting field \"%.*s\" is only supported in to_char", bytes_shown(item->text),
            (const char *)item->text.data);
    case P_Y_YYY:
        TRY(read_number(in, item, 1, true, &thousands, &digits));
        if (in->text.size > 0 && in->text.data[0] == ',') in->text = bytes_skip(in->text, 1);
        TRY(read_number(in, item, 3, false, &value, &digits));
        in->year = thousands * 1000 + value;
        in->has_year = true;
        return st;
    default: break;
    }
    TRY(read_number(in, item, width_of(item->pattern), greedy, &value, &digits));
    if (digits > 0) st = store(in, item, value, digits);
out:
    return st;
}

static bool is_separator(uint8_t c)
{
    return c > ' ' && c < 0x7f && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !ascii_digit((char)c);
}

static void skip_separators(struct reader *in, bool also_marks)
{
    while (in->text.size > 0) {
        uint8_t c = in->text.data[0];
        if (!ascii_space((char)c) && !(also_marks && is_separator(c) && c != '-' && c != '+')) return;
        in->text = bytes_skip(in->text, 1);
    }
}

static struct status read_all(struct reader *in, struct bytes text)
{
    struct status st = STATUS_OK;
    struct template template = {.rest = text};
    struct item item;
    while (next_item(&template, &item)) {
        if (item.pattern == P_NONE) {
            bool separator = !item.quoted && item.text.size == 1 &&
                             (ascii_space((char)item.text.data[0]) || is_separator(item.text.data[0]));
            if (in->text.size == 0) continue;
            if (separator) {
                // A separator takes one of the text, whichever it is, and spaces around it.
                skip_separators(in, false);
                if (in->text.size > 0 && is_separator(in->text.data[0]) &&
                    !ascii_space((char)item.text.data[0]))
                    in->text = bytes_skip(in->text, 1);
                skip_separators(in, false);
            } else {
                size_t count = (size_t)utf8_length(item.text);
                in->text = bytes_skip(in->text, utf8_prefix_bytes(in->text, count));
            }
            continue;
        }
        skip_separators(in, true);
        // Digits are read to their end when what comes next in the template is no number.
        struct template ahead = template;
        struct item following;
        bool more = next_item(&ahead, &following);
        bool greedy = !more || following.pattern == P_NONE;
        TRY(read_item(in, &item, greedy));
    }
out:
    return st;
}

static struct status out_of_range(struct reader *in)
{
    return status_format(in->arena, E_DATETIME_OVERFLOW,
        "date/time field value out of range: \"%.*s\"", bytes_shown(in->whole),
        (const char *)in->whole.data);
}

static struct status find_date(struct reader *in, int64_t *date)
{
    if (in->has_julian) {
        *date = in->julian - 2451545;
        return STATUS_OK;
    }
    int64_t year = in->has_year ? in->year : 1;
    if (in->century != 0 && in->has_year && in->year < 100)
        year = ((int64_t)in->century - 1) * 100 + in->year % 100;
    else if (in->century != 0 && !in->has_year)
        year = ((int64_t)in->century - 1) * 100 + 1;
    if (!in->has_year && in->century == 0) year = in->bc ? 1 : 0;
    if (in->bc) year = 1 - year;
    else if (year < 0) year = year + 1;
    if (in->iso && in->iso_week != 0) {
        int32_t day = in->iso_day == 0 ? 1 : in->iso_day;
        *date = date_from_iso_week(year, in->iso_week) + day - 1;
        return STATUS_OK;
    }
    if (in->has_day_of_year) {
        int64_t first = in->iso ? date_from_iso_week(year, 1) : date_from_parts(year, 1, 1);
        if (in->day_of_year < 1 || in->day_of_year > 371) return out_of_range(in);
        *date = first + in->day_of_year - 1;
        return STATUS_OK;
    }
    int32_t month = in->has_month ? in->month : 1, day = in->has_day ? in->day : 1;
    if (in->week != 0 && !in->has_month && !in->has_day) {
        *date = date_from_parts(year, 1, 1) + ((int64_t)in->week - 1) * 7;
        return STATUS_OK;
    }
    if (in->week_of_month > 5 || in->week_of_month < 0) return out_of_range(in);
    if (in->week_of_month != 0 && !in->has_day) day = (in->week_of_month - 1) * 7 + 1;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return out_of_range(in);
    *date = date_from_parts(year, month, day);
    return STATUS_OK;
}

static struct status find_time(struct reader *in, int64_t *us)
{
    int32_t hour = in->hour;
    if (in->has_day_seconds) {
        *us = in->day_seconds * US_PER_SECOND + in->us;
        return in->day_seconds < 86400 ? STATUS_OK : out_of_range(in);
    }
    if (in->clock_12 || in->has_meridian) {
        if (hour > 12) return out_of_range(in);
        if (in->afternoon && hour < 12) hour += 12;
        if (!in->afternoon && hour == 12) hour = 0;
    }
    if (hour < 0 || hour > 23 || in->minute < 0 || in->minute > 59 || in->second < 0 || in->second > 59)
        return out_of_range(in);
    *us = time_from_parts(hour, in->minute, in->second, in->us);
    return STATUS_OK;
}

BODY(to_timestamp)
{
    struct status st = STATUS_OK;
    int64_t date = 0, us = 0;
    struct bytes text = datum_as_bytes(args[0]);
    struct reader *in = ARENA_NEW(call->arena, struct reader);
    *in = (struct reader){.arena = call->arena, .text = text, .whole = text};
    TRY(read_all(in, datum_as_bytes(args[1])));
    TRY(find_date(in, &date));
    if (call->result_type.oid == TYPE_DATE) {
        if (date < DATE_MIN || date > DATE_MAX) return date_out_of_range();
        *result = datum_int(date);
        return st;
    }
    TRY(find_time(in, &us));
    TRY(timestamp_from_date(date, &result->integer));
    result->integer += us;
    if (in->has_zone) {
        if (in->zone_hours > 15 || in->zone_minutes > 59)
            return status_format(call->arena, E_TIME_ZONE_DISPLACEMENT,
                "time zone displacement out of range: \"%.*s\"", bytes_shown(text),
                (const char *)text.data);
        int64_t offset = (in->zone_hours * 3600 + in->zone_minutes * 60) * US_PER_SECOND;
        result->integer += in->negative_zone ? offset : -offset;
    } else {
        TRY(timestamptz_from_local(
            function_context(call)->zone, result->integer, &result->integer));
    }
    if (!timestamp_in_range(result->integer)) return timestamp_out_of_range();
out:
    return st;
}

// clang-format off
static const struct function table[] = {
    STABLE("to_char", 2049, TEXT, timestamp_to_char, TYPE_TIMESTAMP, TYPE_TEXT),
    STABLE("to_char", 1770, TEXT, timestamp_to_char, TYPE_TIMESTAMPTZ, TYPE_TEXT),
    STABLE("to_char", 1768, TEXT, interval_to_char, TYPE_INTERVAL, TYPE_TEXT),
    STABLE("to_date", 1780, DATE, to_timestamp, TYPE_TEXT, TYPE_TEXT),
    STABLE("to_timestamp", 1778, TIMESTAMPTZ, to_timestamp, TYPE_TEXT, TYPE_TEXT),
};
// clang-format on

void formats_datetime_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
