// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/datetime.h"

#include <math.h>

#include "core/text.h"
#include "sql/type/type_ops.h"

const char *const month_names[12] = {"January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December"};
const char *const weekday_names[7] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

struct status timestamp_out_of_range(void)
{
    return status_make(E_DATETIME_OVERFLOW, "timestamp out of range");
}

struct status date_out_of_range(void)
{
    return status_make(E_DATETIME_OVERFLOW, "date out of range");
}

struct status interval_out_of_range(void)
{
    return status_make(E_DATETIME_OVERFLOW, "interval out of range");
}

struct datum interval_datum(struct arena *arena, struct interval interval)
{
    struct interval *copy = arena_alloc(arena, sizeof *copy);
    *copy = interval;
    return datum_bytes(bytes_of(copy, sizeof *copy));
}

struct timetz timetz_of(struct datum value)
{
    struct timetz timetz;
    memcpy(&timetz.us, value.data, 8);
    memcpy(&timetz.west_seconds, value.data + 8, 4);
    return timetz;
}

struct datum timetz_datum(struct arena *arena, struct timetz value)
{
    uint8_t *copy = arena_alloc(arena, 12);
    memcpy(copy, &value.us, 8);
    memcpy(copy + 8, &value.west_seconds, 4);
    return datum_bytes(bytes_of(copy, 12));
}

// --- calendar --------------------------------------------------------------------------------------------

// Days of a 400-year era, counted from March so that the leap day is the last of its year.
#define DAYS_PER_ERA 146097
#define DAYS_FROM_YEAR_0_MARCH 730425 // From 0000-03-01 to 2000-01-01.

int64_t date_from_parts(int64_t year, int32_t month, int32_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = floor_div64(y, 400), of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_FROM_YEAR_0_MARCH;
}

void date_to_parts(int64_t date, int64_t *year, int32_t *month, int32_t *day)
{
    int64_t days = date + DAYS_FROM_YEAR_0_MARCH;
    int64_t era = floor_div64(days, DAYS_PER_ERA), of_era = days - era * DAYS_PER_ERA;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int32_t)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int32_t)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

int32_t days_in_month(int64_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

int32_t date_weekday(int64_t date)
{
    int64_t day = (date + 6) % 7; // 2000-01-01 was a Saturday.
    return (int32_t)(day < 0 ? day + 7 : day);
}

int64_t time_from_parts(int32_t hour, int32_t minute, int32_t second, int32_t us)
{
    return hour * US_PER_HOUR + minute * US_PER_MINUTE + second * US_PER_SECOND + us;
}

static void split_time(int64_t time, struct calendar *parts)
{
    parts->hour = (int32_t)(time / US_PER_HOUR);
    parts->minute = (int32_t)(time / US_PER_MINUTE % 60);
    parts->second = (int32_t)(time / US_PER_SECOND % 60);
    parts->us = (int32_t)(time % US_PER_SECOND);
}

void timestamp_to_parts(int64_t timestamp, struct calendar *parts)
{
    int64_t date = floor_div64(timestamp, US_PER_DAY);
    date_to_parts(date, &parts->year, &parts->month, &parts->day);
    split_time(timestamp - date * US_PER_DAY, parts);
}

struct status timestamp_from_parts(const struct calendar *parts, int64_t *timestamp)
{
    int64_t date = date_from_parts(parts->year, parts->month, parts->day);
    int64_t time = time_from_parts(parts->hour, parts->minute, parts->second, parts->us);
    if (__builtin_mul_overflow(date, US_PER_DAY, timestamp) ||
        __builtin_add_overflow(*timestamp, time, timestamp) || !timestamp_in_range(*timestamp))
        return timestamp_out_of_range();
    return STATUS_OK;
}

int64_t date_from_iso_week(int64_t year, int32_t week)
{
    // The week of January 4 is the first; weeks begin on Monday.
    int64_t fourth = date_from_parts(year, 1, 4);
    int64_t monday = fourth - (date_weekday(fourth) + 6) % 7;
    return monday + 7 * (int64_t)(week - 1);
}

void iso_week(int64_t date, int64_t *year, int32_t *week)
{
    int32_t month, day;
    // The year of a week is that of its Thursday.
    int64_t thursday = date - (date_weekday(date) + 6) % 7 + 3;
    date_to_parts(thursday, year, &month, &day);
    *week = (int32_t)((date - date_from_iso_week(*year, 1)) / 7 + 1);
}

// --- zones --------------------------------------------------------------------------------------------------

struct status timestamptz_to_local(
    const struct time_zone *zone, int64_t utc, int64_t *local, struct time_zone_moment *moment)
{
    int64_t seconds = floor_div64(utc, US_PER_SECOND) + (int64_t)UNIX_EPOCH_DAYS * 86400;
    *moment = time_zone_moment(zone, seconds);
    *local = utc;
    if (!timestamp_is_finite(utc)) return STATUS_OK;
    *local = utc + moment->offset_seconds * US_PER_SECOND;
    return timestamp_in_range(*local) ? STATUS_OK : timestamp_out_of_range();
}

struct status timestamptz_from_local(const struct time_zone *zone, int64_t local, int64_t *utc)
{
    *utc = local;
    if (!timestamp_is_finite(local)) return STATUS_OK;
    int64_t seconds = floor_div64(local, US_PER_SECOND) + (int64_t)UNIX_EPOCH_DAYS * 86400;
    struct time_zone_moment moment = time_zone_local(zone, seconds);
    *utc = local - moment.offset_seconds * US_PER_SECOND;
    return timestamp_in_range(*utc) ? STATUS_OK : timestamp_out_of_range();
}

struct status timestamp_from_date(int64_t date, int64_t *timestamp)
{
    if (date == DATE_INFINITY) {
        *timestamp = TIMESTAMP_INFINITY;
    } else if (date == DATE_MINUS_INFINITY) {
        *timestamp = TIMESTAMP_MINUS_INFINITY;
    } else if (date >= TIMESTAMP_END / US_PER_DAY || date < DATE_MIN) {
        return status_make(E_DATETIME_OVERFLOW, "date out of range for timestamp");
    } else {
        *timestamp = date * US_PER_DAY;
    }
    return STATUS_OK;
}

struct status datetime_zone_find(
    struct arena *arena, struct bytes name, struct datetime_zone *zone)
{
    bool daylight;
    zone->zone = NULL;
    if (time_zone_abbreviation(name, &zone->offset_seconds, &daylight)) return STATUS_OK;
    zone->zone = time_zone_find(name);
    if (zone->zone != NULL) return STATUS_OK;
    return status_format(arena, E_INVALID_PARAMETER_VALUE, "time zone \"%.*s\" not recognized",
        bytes_shown(name), (const char *)name.data);
}

struct status datetime_zone_of_text(
    struct arena *arena, struct bytes name, struct datetime_zone *zone)
{
    size_t digits = name.size > 0 && (name.data[0] == '+' || name.data[0] == '-') ? 1 : 0;
    bool number = digits < name.size && name.size < 8;
    for (size_t i = digits; i < name.size; i++)
        number &= ascii_digit((char)name.data[i]);
    if (number)
        name = bytes_of_string(
            arena_printf(arena, "UTC%.*s", bytes_shown(name), (const char *)name.data));
    return datetime_zone_find(arena, name, zone);
}

// Digits, as far as there are any; false: too many.
static bool take_number(struct bytes *text, int64_t *number)
{
    *number = 0;
    while (text->size > 0 && ascii_digit((char)text->data[0])) {
        *number = *number * 10 + (text->data[0] - '0');
        if (*number > INT32_MAX) return false;
        *text = bytes_skip(*text, 1);
    }
    return true;
}

static bool take_colon(struct bytes *text)
{
    if (text->size == 0 || text->data[0] != ':') return false;
    *text = bytes_skip(*text, 1);
    return true;
}

#define ZONE_HOURS_MAX 15

// +h, +hh:mm, +hh:mm:ss or +hhmm. *whole false: something else follows, so that it is no number.
static bool zone_number(struct bytes text, int64_t *offset_seconds, bool *whole)
{
    const bool negative = text.data[0] == '-', run_together = text.size > 3;
    int64_t hours, minutes = 0, seconds = 0;
    text = bytes_skip(text, 1);
    if (!take_number(&text, &hours)) return false;
    if (take_colon(&text)) {
        if (!take_number(&text, &minutes)) return false;
        if (take_colon(&text) && !take_number(&text, &seconds)) return false;
    } else if (text.size == 0 && run_together) {
        minutes = hours % 100;
        hours /= 100;
    }
    *whole = text.size == 0;
    *offset_seconds = (hours * 60 + minutes) * 60 + seconds;
    if (negative) *offset_seconds = -*offset_seconds;
    return hours <= ZONE_HOURS_MAX && minutes < 60 && seconds < 60;
}

struct status datetime_zone_of_part(
    struct arena *arena, struct bytes name, struct datetime_zone *zone)
{
    const int size = bytes_shown(name);
    const char *data = (const char *)name.data;
    int64_t offset_seconds = 0;
    bool whole = false;
    if (name.size > 0 && ascii_digit(data[0]))
        return status_hint(arena,
            status_format(arena, E_INVALID_PARAMETER_VALUE,
                "invalid input syntax for type numeric time zone: \"%.*s\"", size, data),
            "Numeric time zones must have \"-\" or \"+\" as first character.");
    if (name.size > 0 && (data[0] == '+' || data[0] == '-') &&
        !zone_number(name, &offset_seconds, &whole))
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "numeric time zone \"%.*s\" out of range", size, data);
    if (!whole) return datetime_zone_of_text(arena, name, zone);
    *zone = (struct datetime_zone){.offset_seconds = (int32_t)offset_seconds};
    return STATUS_OK;
}

// --- arithmetic ------------------------------------------------------------------------------------------------

__int128 interval_span(struct interval interval)
{
    return (__int128)interval.us + (interval.days + (__int128)interval.months * 30) * US_PER_DAY;
}

int interval_compare(struct interval a, struct interval b)
{
    __int128 x = interval_span(a), y = interval_span(b);
    return (x > y) - (x < y);
}

struct status interval_add(struct interval a, struct interval b, struct interval *sum)
{
    if (__builtin_add_overflow(a.us, b.us, &sum->us) ||
        __builtin_add_overflow(a.days, b.days, &sum->days) ||
        __builtin_add_overflow(a.months, b.months, &sum->months))
        return interval_out_of_range();
    return STATUS_OK;
}

struct status interval_negate(struct interval interval, struct interval *result)
{
    if (interval.us == INT64_MIN || interval.days == INT32_MIN || interval.months == INT32_MIN)
        return interval_out_of_range();
    *result = (struct interval){-interval.us, -interval.days, -interval.months};
    return STATUS_OK;
}

// To six decimals: what a product of a fraction may have lost.
static double to_us(double seconds)
{
    return rint(seconds * 1000000.0) / 1000000.0;
}

// Fractions of a month become days (30 a month), fractions of a day become time.
static struct status scale(
    struct interval interval, double factor, bool divide, struct interval *result)
{
    double months = divide ? interval.months / factor : interval.months * factor;
    double days = divide ? interval.days / factor : interval.days * factor;
    double time = divide ? (double)interval.us / factor : (double)interval.us * factor;
    if (isnan(factor) || isnan(months) || !(months > -2147483649.0 && months < 2147483648.0) ||
        isnan(days) || !(days > -2147483649.0 && days < 2147483648.0))
        return interval_out_of_range();
    result->months = (int32_t)months;
    result->days = (int32_t)days;
    double month_days = to_us((months - result->months) * 30);
    double seconds = to_us((days - result->days + month_days - (int32_t)month_days) * 86400);
    if (fabs(seconds) >= 86400) {
        if (__builtin_add_overflow(result->days, (int32_t)(seconds / 86400), &result->days))
            return interval_out_of_range();
        seconds -= (int32_t)(seconds / 86400) * 86400.0;
    }
    if (__builtin_add_overflow(result->days, (int32_t)month_days, &result->days))
        return interval_out_of_range();
    double us = rint(time + seconds * 1000000.0);
    if (isnan(us) || !(us >= -0x1p63 && us < 0x1p63)) return interval_out_of_range();
    result->us = (int64_t)us;
    return STATUS_OK;
}

struct status interval_multiply(
    struct interval interval, double factor, struct interval *result)
{
    return scale(interval, factor, false, result);
}

struct status interval_divide(struct interval interval, double factor, struct interval *result)
{
    if (factor == 0) return status_make(E_DIVISION_BY_ZERO, "division by zero");
    return scale(interval, factor, true, result);
}

// Whole days out of the time, and time and days of one sign.
struct interval interval_justify_hours(struct interval interval)
{
    int64_t days = interval.us / US_PER_DAY;
    interval.us -= days * US_PER_DAY;
    interval.days += (int32_t)days;
    if (interval.days > 0 && interval.us < 0) {
        interval.us += US_PER_DAY;
        interval.days--;
    } else if (interval.days < 0 && interval.us > 0) {
        interval.us -= US_PER_DAY;
        interval.days++;
    }
    return interval;
}

// Months and days, on a local timestamp.
static struct status add_dates(int64_t timestamp, struct interval interval, int64_t *result)
{
    struct status st = STATUS_OK;
    struct calendar parts;
    if (interval.months != 0) {
        timestamp_to_parts(timestamp, &parts);
        int64_t months = parts.year * 12 + parts.month - 1 + interval.months;
        parts.year = floor_div64(months, 12);
        parts.month = (int32_t)(months - parts.year * 12) + 1;
        int32_t last = days_in_month(parts.year, parts.month);
        if (parts.day > last) parts.day = last;
        TRY(timestamp_from_parts(&parts, &timestamp));
    }
    if (interval.days != 0) {
        int64_t us;
        if (__builtin_mul_overflow((int64_t)interval.days, US_PER_DAY, &us) ||
            __builtin_add_overflow(timestamp, us, &timestamp) || !timestamp_in_range(timestamp))
            return timestamp_out_of_range();
    }
    *result = timestamp;
out:
    return st;
}

static struct status add_time(int64_t timestamp, int64_t us, int64_t *result)
{
    if (__builtin_add_overflow(timestamp, us, result) || !timestamp_in_range(*result))
        return timestamp_out_of_range();
    return STATUS_OK;
}

struct status timestamp_add_interval(int64_t timestamp, struct interval interval, int64_t *result)
{
    struct status st = STATUS_OK;
    *result = timestamp;
    if (!timestamp_is_finite(timestamp)) return st;
    TRY(add_dates(timestamp, interval, &timestamp));
    TRY(add_time(timestamp, interval.us, result));
out:
    return st;
}

struct status timestamptz_add_interval(const struct time_zone *zone, int64_t timestamp,
    struct interval interval, int64_t *result)
{
    struct status st = STATUS_OK;
    struct time_zone_moment moment;
    *result = timestamp;
    if (!timestamp_is_finite(timestamp)) return st;
    if (interval.months != 0 || interval.days != 0) {
        TRY(timestamptz_to_local(zone, timestamp, &timestamp, &moment));
        TRY(add_dates(timestamp, interval, &timestamp));
        TRY(timestamptz_from_local(zone, timestamp, &timestamp));
    }
    TRY(add_time(timestamp, interval.us, result));
out:
    return st;
}

struct status timestamp_subtract(int64_t a, int64_t b, struct interval *result)
{
    if (!timestamp_is_finite(a) || !timestamp_is_finite(b))
        return status_make(E_DATETIME_OVERFLOW, "cannot subtract infinite timestamps");
    *result = (struct interval){0};
    if (__builtin_sub_overflow(a, b, &result->us)) return interval_out_of_range();
    *result = interval_justify_hours(*result);
    return STATUS_OK;
}

// The difference in years, months, days and time, borrowing as people do: days from the length of the
// month that the earlier moment lies in.
struct status timestamp_age(int64_t a, int64_t b, struct interval *result)
{
    struct calendar x, y;
    if (!timestamp_is_finite(a) || !timestamp_is_finite(b)) return timestamp_out_of_range();
    bool negative = a < b;
    timestamp_to_parts(negative ? b : a, &x);
    timestamp_to_parts(negative ? a : b, &y);
    int64_t us = time_from_parts(x.hour, x.minute, x.second, x.us) -
                 time_from_parts(y.hour, y.minute, y.second, y.us);
    int32_t days = x.day - y.day;
    int64_t months = (x.year - y.year) * 12 + x.month - y.month;
    if (us < 0) {
        us += US_PER_DAY;
        days--;
    }
    if (days < 0) {
        days += days_in_month(y.year, y.month);
        months--;
    }
    *result = (struct interval){us, days, (int32_t)months};
    return negative ? interval_negate(*result, result) : STATUS_OK;
}

// --- precision ------------------------------------------------------------------------------------------------------

int64_t datetime_round(int64_t us, int32_t precision)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    if (precision < 0 || precision >= 6) return us;
    int64_t unit = units[precision], half = unit / 2;
    if (us >= 0) return us > INT64_MAX - half ? us : (us + half) / unit * unit;
    return us < INT64_MIN + half ? us : -((-us + half) / unit * unit);
}

#define MASK_MONTH (1 << 1)
#define MASK_YEAR (1 << 2)
#define MASK_DAY (1 << 3)
#define MASK_HOUR (1 << 10)
#define MASK_MINUTE (1 << 11)
#define MASK_SECOND (1 << 12)

// What lies below the declared fields is dropped, seconds are rounded.
struct status interval_coerce(
    struct interval interval, int32_t typmod, struct interval *result)
{
    *result = interval;
    if (typmod < 0) return STATUS_OK;
    int32_t range = typmod >> 16 & 0x7fff, precision = typmod & 0xffff;
    switch (range) {
    case MASK_YEAR:
        result->months = interval.months / 12 * 12;
        result->days = 0;
        result->us = 0;
        break;
    case MASK_MONTH:
    case MASK_YEAR | MASK_MONTH:
        result->days = 0;
        result->us = 0;
        break;
    case MASK_DAY: result->us = 0; break;
    case MASK_HOUR:
    case MASK_DAY | MASK_HOUR: result->us = interval.us / US_PER_HOUR * US_PER_HOUR; break;
    case MASK_MINUTE:
    case MASK_DAY | MASK_HOUR | MASK_MINUTE:
    case MASK_HOUR | MASK_MINUTE: result->us = interval.us / US_PER_MINUTE * US_PER_MINUTE; break;
    default: break;
    }
    if (precision != 0xffff) result->us = datetime_round(result->us, precision);
    return STATUS_OK;
}
