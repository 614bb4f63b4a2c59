// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dates, times, timestamps and intervals: the calendar, arithmetic, text in and out.
//
//   date         days since 2000-01-01, proleptic Gregorian
//   time         microseconds of the day, 24:00:00 included
//   timetz       12 bytes: time (i64), zone as seconds west of UTC (i32), as PostgreSQL keeps it
//   timestamp    microseconds since 2000-01-01 00:00, local; timestamptz the same in UTC
//   interval     struct interval, 16 bytes
//
// Errors   22007, 22008, 22009, 22015: PostgreSQL's messages.
// Source   PostgreSQL 15 manual, 8.5 and appendix B; ISO 8601.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"
#include "sql/type/timezone.h"
#include "sql/type/type.h"

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR (60 * US_PER_MINUTE)
#define US_PER_DAY (24 * US_PER_HOUR)
#define UNIX_EPOCH_DAYS 10957 // From 1970-01-01 to 2000-01-01.
#define UNIX_EPOCH_US (UNIX_EPOCH_DAYS * US_PER_DAY)

#define DATE_INFINITY INT32_MAX
#define DATE_MINUS_INFINITY INT32_MIN
#define DATE_MIN (-2451545)          // 4714-11-24 BC
#define DATE_MAX 2145031948          // 5874897-12-31
#define TIMESTAMP_INFINITY INT64_MAX
#define TIMESTAMP_MINUS_INFINITY INT64_MIN
#define TIMESTAMP_MIN INT64_C(-211813488000000000)
#define TIMESTAMP_END INT64_C(9223371331200000000) // The first beyond: 294277-01-01.

struct interval {
    int64_t us;
    int32_t days;
    int32_t months;
};
static_assert(sizeof(struct interval) == 16, "as stored");

struct timetz {
    int64_t us;
    int32_t west_seconds;
};

static inline struct interval interval_of(struct datum value)
{
    struct interval interval;
    memcpy(&interval, value.data, sizeof interval);
    return interval;
}
struct datum interval_datum(struct arena *arena, struct interval interval);
struct timetz timetz_of(struct datum value);
struct datum timetz_datum(struct arena *arena, struct timetz value);

static inline bool timestamp_is_finite(int64_t timestamp)
{
    return timestamp != TIMESTAMP_INFINITY && timestamp != TIMESTAMP_MINUS_INFINITY;
}
static inline bool date_is_finite(int64_t date)
{
    return date != DATE_INFINITY && date != DATE_MINUS_INFINITY;
}
static inline bool timestamp_in_range(int64_t timestamp)
{
    return timestamp >= TIMESTAMP_MIN && timestamp < TIMESTAMP_END;
}

// --- calendar ------------------------------------------------------------------------------------------

// A moment in parts. Years before 1 AD: 0 is 1 BC.
struct calendar {
    int64_t year;
    int32_t month, day; // From 1.
    int32_t hour, minute, second, us;
};

int64_t date_from_parts(int64_t year, int32_t month, int32_t day); // Not range-checked.
void date_to_parts(int64_t date, int64_t *year, int32_t *month, int32_t *day);
int32_t days_in_month(int64_t year, int32_t month);
int32_t date_weekday(int64_t date); // 0: Sunday.
void timestamp_to_parts(int64_t timestamp, struct calendar *parts);
// 22008 "timestamp out of range".
CHECKED struct status timestamp_from_parts(const struct calendar *parts, int64_t *timestamp);
int64_t time_from_parts(int32_t hour, int32_t minute, int32_t second, int32_t us);
void iso_week(int64_t date, int64_t *year, int32_t *week);
int64_t date_from_iso_week(int64_t year, int32_t week); // Its Monday.

// Local time in a zone, and back. 22008 out of range.
CHECKED struct status timestamptz_to_local(
    const struct time_zone *zone, int64_t utc, int64_t *local, struct time_zone_moment *moment);
CHECKED struct status timestamptz_from_local(
    const struct time_zone *zone, int64_t local, int64_t *utc);
CHECKED struct status timestamp_from_date(int64_t date, int64_t *timestamp);

static inline int64_t floor_div64(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

struct status timestamp_out_of_range(void);
struct status interval_out_of_range(void);
struct status date_out_of_range(void);

// --- arithmetic --------------------------------------------------------------------------------------------

int interval_compare(struct interval a, struct interval b);
// Days of 24 hours, months of 30 days: what comparison goes by.
__int128 interval_span(struct interval interval);
CHECKED struct status interval_add(struct interval a, struct interval b, struct interval *sum);
CHECKED struct status interval_negate(struct interval interval, struct interval *result);
CHECKED struct status interval_multiply(
    struct interval interval, double factor, struct interval *result);
CHECKED struct status interval_divide( // 22012.
    struct interval interval, double factor, struct interval *result);
struct interval interval_justify_hours(struct interval interval);
// Months, then days, then time. For timestamptz months and days are counted in the zone.
CHECKED struct status timestamp_add_interval(
    int64_t timestamp, struct interval interval, int64_t *result);
CHECKED struct status timestamptz_add_interval(const struct time_zone *zone, int64_t timestamp,
    struct interval interval, int64_t *result);
CHECKED struct status timestamp_subtract(int64_t a, int64_t b, struct interval *result);
CHECKED struct status timestamp_age(int64_t a, int64_t b, struct interval *result);

// Rounds to the typmod's precision; -1 leaves as is.
int64_t datetime_round(int64_t us, int32_t precision);
CHECKED struct status interval_coerce(
    struct interval interval, int32_t typmod, struct interval *result);

// --- text --------------------------------------------------------------------------------------------------

CHECKED struct status date_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, int64_t *date);
CHECKED struct status time_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, int64_t *time);
CHECKED struct status timetz_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, struct timetz *value);
CHECKED struct status timestamp_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, bool with_zone, int64_t *timestamp);
// `typmod` says what a lone number means ('5' in interval '5' day).
CHECKED struct status interval_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, int32_t typmod, struct interval *interval);

void date_print(struct buffer *out, const struct type_context *context, int64_t date);
void time_print(struct buffer *out, int64_t time);
void timetz_print(struct buffer *out, struct timetz value);
void timestamp_print(
    struct buffer *out, const struct type_context *context, int64_t timestamp, bool with_zone);
void interval_print(
    struct buffer *out, const struct type_context *context, struct interval interval);

extern const char *const month_names[12];   // "January"
extern const char *const weekday_names[7];  // "Sunday"

// A zone as AT TIME ZONE takes it: an abbreviation ("PST"), then a name. 22023.
struct datetime_zone {
    const struct time_zone *zone; // Or NULL, and:
    int32_t offset_seconds;
};
CHECKED struct status datetime_zone_find(
    struct arena *arena, struct bytes name, struct datetime_zone *zone);
// The same for functions' arguments, where a number ("+03") is a POSIX zone: it counts to the west.
CHECKED struct status datetime_zone_of_text(
    struct arena *arena, struct bytes name, struct datetime_zone *zone);
// The same for make_timestamptz, where a number has a sign and counts to the east, as in texts of times.
CHECKED struct status datetime_zone_of_part(
    struct arena *arena, struct bytes name, struct datetime_zone *zone);
