// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dates and times to text, in the four DateStyles.
#include <stdlib.h>

#include "sql/type/datetime.h"

// Seconds of two digits, and their fraction without zeros at its end.
static void append_seconds(struct buffer *out, int32_t second, int32_t us)
{
    buffer_append_u8(out, (uint8_t)('0' + second / 10));
    buffer_append_u8(out, (uint8_t)('0' + second % 10));
    if (us == 0) return;
    char digits[7];
    int32_t size = 6;
    for (int32_t i = 5; i >= 0; i--, us /= 10)
        digits[i] = (char)('0' + us % 10);
    while (digits[size - 1] == '0')
        size--;
    buffer_append_u8(out, '.');
    buffer_append(out, digits, (size_t)size);
}

static void append_two(struct buffer *out, int32_t value)
{
    buffer_append_u8(out, (uint8_t)('0' + value / 10 % 10));
    buffer_append_u8(out, (uint8_t)('0' + value % 10));
}

static void append_time(struct buffer *out, const struct calendar *parts)
{
    append_two(out, parts->hour);
    buffer_append_u8(out, ':');
    append_two(out, parts->minute);
    buffer_append_u8(out, ':');
    append_seconds(out, parts->second, parts->us);
}

static void append_year(struct buffer *out, int64_t year)
{
    int64_t shown = year > 0 ? year : 1 - year;
    if (shown < 10000) {
        append_two(out, (int32_t)(shown / 100));
        append_two(out, (int32_t)(shown % 100));
    } else {
        buffer_printf(out, "%lld", (long long)shown);
    }
}

static void append_two_parts(struct buffer *out, char between, int32_t first, int32_t second)
{
    append_two(out, first);
    buffer_append_u8(out, (uint8_t)between);
    append_two(out, second);
}

// The date without its era.
static void append_date(
    struct buffer *out, const struct type_context *context, const struct calendar *parts)
{
    char between = context->date_style == DATE_STYLE_SQL      ? '/'
                   : context->date_style == DATE_STYLE_GERMAN ? '.'
                                                              : '-';
    if (context->date_style == DATE_STYLE_ISO) {
        append_year(out, parts->year);
        buffer_append_u8(out, '-');
        append_two_parts(out, '-', parts->month, parts->day);
        return;
    }
    if (context->date_style == DATE_STYLE_GERMAN || context->date_order == DATE_ORDER_DMY)
        append_two_parts(out, between, parts->day, parts->month);
    else
        append_two_parts(out, between, parts->month, parts->day);
    buffer_append_u8(out, (uint8_t)between);
    append_year(out, parts->year);
}

static void append_offset(struct buffer *out, int32_t offset)
{
    int32_t size = abs(offset);
    buffer_append_u8(out, offset < 0 ? '-' : '+');
    append_two(out, size / 3600);
    if (size % 3600 == 0) return;
    buffer_append_u8(out, ':');
    append_two(out, size / 60 % 60);
    if (size % 60 == 0) return;
    buffer_append_u8(out, ':');
    append_two(out, size % 60);
}

static void append_zone(struct buffer *out, const struct time_zone_moment *moment)
{
    buffer_append_u8(out, ' ');
    if (moment->abbreviation != NULL) // A zone may have one without letters.
        buffer_append_string(out, moment->abbreviation);
    else
        append_offset(out, moment->offset_seconds);
}

void date_print(struct buffer *out, const struct type_context *context, int64_t date)
{
    if (!date_is_finite(date)) {
        buffer_append_string(out, date == DATE_INFINITY ? "infinity" : "-infinity");
        return;
    }
    struct calendar parts = {0};
    date_to_parts(date, &parts.year, &parts.month, &parts.day);
    append_date(out, context, &parts);
    if (parts.year <= 0) buffer_append_string(out, " BC");
}

void time_print(struct buffer *out, int64_t time)
{
    struct calendar parts = {.hour = (int32_t)(time / US_PER_HOUR),
        .minute = (int32_t)(time / US_PER_MINUTE % 60),
        .second = (int32_t)(time / US_PER_SECOND % 60),
        .us = (int32_t)(time % US_PER_SECOND)};
    append_time(out, &parts);
}

void timetz_print(struct buffer *out, struct timetz value)
{
    time_print(out, value.us);
    append_offset(out, -value.west_seconds);
}

// "Wed Dec 17 07:37:16 1997 PST"
static void append_traditional(struct buffer *out, const struct type_context *context,
    const struct calendar *parts, const struct time_zone_moment *moment)
{
    int64_t date = date_from_parts(parts->year, parts->month, parts->day);
    const char *weekday = weekday_names[date_weekday(date)], *month = month_names[parts->month - 1];
    if (context->date_order == DATE_ORDER_DMY)
        buffer_printf(out, "%.3s %02d %.3s ", weekday, parts->day, month);
    else
        buffer_printf(out, "%.3s %.3s %02d ", weekday, month, parts->day);
    append_time(out, parts);
    buffer_append_u8(out, ' ');
    append_year(out, parts->year);
    if (moment != NULL) append_zone(out, moment);
}

void timestamp_print(
    struct buffer *out, const struct type_context *context, int64_t timestamp, bool with_zone)
{
    struct time_zone_moment moment;
    struct calendar parts;
    if (!timestamp_is_finite(timestamp)) {
        buffer_append_string(out, timestamp == TIMESTAMP_INFINITY ? "infinity" : "-infinity");
        return;
    }
    if (with_zone) {
        // Beyond the range at the edges the calendar still works.
        struct status st = timestamptz_to_local(context->zone, timestamp, &timestamp, &moment);
        (void)st;
    }
    timestamp_to_parts(timestamp, &parts);
    if (context->date_style == DATE_STYLE_POSTGRES) {
        append_traditional(out, context, &parts, with_zone ? &moment : NULL);
    } else {
        append_date(out, context, &parts);
        buffer_append_u8(out, ' ');
        append_time(out, &parts);
        if (with_zone && context->date_style == DATE_STYLE_ISO)
            append_offset(out, moment.offset_seconds);
        else if (with_zone)
            append_zone(out, &moment);
    }
    if (parts.year <= 0) buffer_append_string(out, " BC");
}
