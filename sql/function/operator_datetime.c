// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators and casts of dates, times, timestamps and intervals.
#include <math.h>

#include "sql/function/cast_functions.h"
#include "sql/type/datetime.h"
#include "sql/function/function_table.h"

static const struct time_zone *zone_of(const struct function_call *call)
{
    return function_context(call)->zone;
}

// --- casts -------------------------------------------------------------------------------------------

struct status cast_date_to_timestamp(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    return timestamp_from_date(args[0].integer, &result->integer);
}

struct status cast_date_to_timestamptz(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st = timestamp_from_date(args[0].integer, &result->integer);
    if (failed(st)) return st;
    return timestamptz_from_local(zone_of(call), result->integer, &result->integer);
}

struct status cast_timestamp_to_timestamptz(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return timestamptz_from_local(zone_of(call), args[0].integer, &result->integer);
}

struct status cast_timestamptz_to_timestamp(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct time_zone_moment moment;
    return timestamptz_to_local(zone_of(call), args[0].integer, &result->integer, &moment);
}

struct status cast_timestamp_to_date(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st = STATUS_OK;
    struct datum local = args[0];
    if (call->arg_types[0].oid == TYPE_TIMESTAMPTZ)
        TRY(cast_timestamptz_to_timestamp(call, args, &local));
    if (local.integer == TIMESTAMP_INFINITY)
        *result = datum_int(DATE_INFINITY);
    else if (local.integer == TIMESTAMP_MINUS_INFINITY)
        *result = datum_int(DATE_MINUS_INFINITY);
    else
        *result = datum_int(floor_div64(local.integer, US_PER_DAY));
out:
    return st;
}

static int64_t time_of_day(int64_t timestamp)
{
    return timestamp - floor_div64(timestamp, US_PER_DAY) * US_PER_DAY;
}

struct status cast_timestamp_to_time(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st = STATUS_OK;
    struct datum local = args[0];
    if (call->arg_types[0].oid == TYPE_TIMESTAMPTZ)
        TRY(cast_timestamptz_to_timestamp(call, args, &local));
    *result = timestamp_is_finite(local.integer) ? datum_int(time_of_day(local.integer))
                                                 : DATUM_NULL;
out:
    return st;
}

struct status cast_timestamptz_to_timetz(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st = STATUS_OK;
    struct time_zone_moment moment;
    int64_t local;
    TRY(timestamptz_to_local(zone_of(call), args[0].integer, &local, &moment));
    *result = timestamp_is_finite(local)
        ? timetz_datum(call->arena, (struct timetz){time_of_day(local), -moment.offset_seconds})
        : DATUM_NULL;
out:
    return st;
}

struct status cast_time_to_timetz(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    int64_t now = floor_div64(function_context(call)->now_us + UNIX_EPOCH_US, US_PER_SECOND);
    struct time_zone_moment moment = time_zone_moment(zone_of(call), now);
    *result = timetz_datum(call->arena, (struct timetz){args[0].integer, -moment.offset_seconds});
    return STATUS_OK;
}

struct status cast_timetz_to_time(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_int(timetz_of(args[0]).us);
    return STATUS_OK;
}

struct status cast_time_to_interval(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    *result = interval_datum(call->arena, (struct interval){.us = args[0].integer});
    return STATUS_OK;
}

struct status cast_interval_to_time(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = datum_int(time_of_day(interval_of(args[0]).us));
    return STATUS_OK;
}

// --- date ----------------------------------------------------------------------------------------------

static struct status date_shift(int64_t date, int64_t days, struct datum *result)
{
    if (date_is_finite(date)) {
        date += days; // Both fit 32 bits.
        if (date < DATE_MIN || date > DATE_MAX) return date_out_of_range();
    }
    *result = datum_int(date);
    return STATUS_OK;
}

BODY(date_plus_int)
{
    (void)call;
    return date_shift(args[0].integer, args[1].integer, result);
}

BODY(int_plus_date)
{
    (void)call;
    return date_shift(args[1].integer, args[0].integer, result);
}

BODY(date_minus_int)
{
    (void)call;
    return date_shift(args[0].integer, -args[1].integer, result);
}

BODY(date_minus_date)
{
    (void)call;
    if (!date_is_finite(args[0].integer) || !date_is_finite(args[1].integer))
        return status_make(E_DATETIME_OVERFLOW, "cannot subtract infinite dates");
    *result = datum_int(args[0].integer - args[1].integer);
    return STATUS_OK;
}

static struct status add_to_date(
    int64_t date, struct interval interval, bool subtract, struct datum *result)
{
    struct status st = STATUS_OK;
    int64_t timestamp;
    TRY(timestamp_from_date(date, &timestamp));
    if (subtract) TRY(interval_negate(interval, &interval));
    TRY(timestamp_add_interval(timestamp, interval, &result->integer));
out:
    return st;
}

BODY(date_plus_interval)
{
    (void)call;
    return add_to_date(args[0].integer, interval_of(args[1]), false, result);
}

BODY(interval_plus_date)
{
    (void)call;
    return add_to_date(args[1].integer, interval_of(args[0]), false, result);
}

BODY(date_minus_interval)
{
    (void)call;
    return add_to_date(args[0].integer, interval_of(args[1]), true, result);
}

static struct status at_time(int64_t date, int64_t us, struct datum *result)
{
    struct status st = STATUS_OK;
    TRY(timestamp_from_date(date, &result->integer));
    if (!timestamp_is_finite(result->integer)) return st;
    result->integer += us;
    if (!timestamp_in_range(result->integer)) return timestamp_out_of_range();
out:
    return st;
}

BODY(date_plus_time)
{
    (void)call;
    return at_time(args[0].integer, args[1].integer, result);
}

BODY(time_plus_date)
{
    (void)call;
    return at_time(args[1].integer, args[0].integer, result);
}

static struct status at_timetz(int64_t date, struct datum time, struct datum *result)
{
    struct timetz timetz = timetz_of(time);
    return at_time(date, timetz.us + timetz.west_seconds * US_PER_SECOND, result);
}

BODY(date_plus_timetz)
{
    (void)call;
    return at_timetz(args[0].integer, args[1], result);
}

BODY(timetz_plus_date)
{
    (void)call;
    return at_timetz(args[1].integer, args[0], result);
}

// --- time -------------------------------------------------------------------------------------------------

BODY(time_plus_interval)
{
    (void)call;
    *result = datum_int(
        time_of_day(args[0].integer + interval_of(args[1]).us % US_PER_DAY));
    return STATUS_OK;
}

BODY(interval_plus_time)
{
    (void)call;
    *result = datum_int(
        time_of_day(args[1].integer + interval_of(args[0]).us % US_PER_DAY));
    return STATUS_OK;
}

BODY(time_minus_interval)
{
    (void)call;
    *result = datum_int(
        time_of_day(args[0].integer - interval_of(args[1]).us % US_PER_DAY));
    return STATUS_OK;
}

BODY(time_minus_time)
{
    *result = interval_datum(
        call->arena, (struct interval){.us = args[0].integer - args[1].integer});
    return STATUS_OK;
}

static struct datum timetz_shift(struct arena *arena, struct timetz value, int64_t us)
{
    value.us = time_of_day(value.us + us % US_PER_DAY);
    return timetz_datum(arena, value);
}

BODY(timetz_plus_interval)
{
    *result = timetz_shift(call->arena, timetz_of(args[0]), interval_of(args[1]).us);
    return STATUS_OK;
}

BODY(interval_plus_timetz)
{
    *result = timetz_shift(call->arena, timetz_of(args[1]), interval_of(args[0]).us);
    return STATUS_OK;
}

BODY(timetz_minus_interval)
{
    *result = timetz_shift(call->arena, timetz_of(args[0]), -(interval_of(args[1]).us % US_PER_DAY));
    return STATUS_OK;
}

// --- timestamps ----------------------------------------------------------------------------------------------

BODY(timestamp_plus_interval)
{
    (void)call;
    return timestamp_add_interval(args[0].integer, interval_of(args[1]), &result->integer);
}

BODY(interval_plus_timestamp)
{
    (void)call;
    return timestamp_add_interval(args[1].integer, interval_of(args[0]), &result->integer);
}

BODY(timestamp_minus_interval)
{
    (void)call;
    struct interval interval;
    struct status st = interval_negate(interval_of(args[1]), &interval);
    if (failed(st)) return st;
    return timestamp_add_interval(args[0].integer, interval, &result->integer);
}

BODY(timestamptz_plus_interval)
{
    return timestamptz_add_interval(
        zone_of(call), args[0].integer, interval_of(args[1]), &result->integer);
}

BODY(interval_plus_timestamptz)
{
    return timestamptz_add_interval(
        zone_of(call), args[1].integer, interval_of(args[0]), &result->integer);
}

BODY(timestamptz_minus_interval)
{
    struct interval interval;
    struct status st = interval_negate(interval_of(args[1]), &interval);
    if (failed(st)) return st;
    return timestamptz_add_interval(zone_of(call), args[0].integer, interval, &result->integer);
}

BODY(timestamp_minus_timestamp)
{
    struct interval interval;
    struct status st = timestamp_subtract(args[0].integer, args[1].integer, &interval);
    if (!failed(st)) *result = interval_datum(call->arena, interval);
    return st;
}

// --- intervals ----------------------------------------------------------------------------------------------

static struct status give_interval(struct function_call *call, struct status st,
    struct interval interval, struct datum *result)
{
    if (!failed(st)) *result = interval_datum(call->arena, interval);
    return st;
}

BODY(body_interval_add)
{
    struct interval sum = {0};
    struct status st = interval_add(interval_of(args[0]), interval_of(args[1]), &sum);
    return give_interval(call, st, sum, result);
}

BODY(body_interval_subtract)
{
    struct interval a = interval_of(args[0]), b = interval_of(args[1]), difference = {0};
    struct status st = STATUS_OK;
    if (__builtin_sub_overflow(a.us, b.us, &difference.us) ||
        __builtin_sub_overflow(a.days, b.days, &difference.days) ||
        __builtin_sub_overflow(a.months, b.months, &difference.months))
        st = interval_out_of_range();
    return give_interval(call, st, difference, result);
}

BODY(body_interval_negate)
{
    struct interval negated = {0};
    struct status st = interval_negate(interval_of(args[0]), &negated);
    return give_interval(call, st, negated, result);
}

BODY(body_interval_multiply)
{
    struct interval product = {0};
    struct status st = interval_multiply(interval_of(args[0]), args[1].real, &product);
    return give_interval(call, st, product, result);
}

BODY(float_times_interval)
{
    struct interval product = {0};
    struct status st = interval_multiply(interval_of(args[1]), args[0].real, &product);
    return give_interval(call, st, product, result);
}

BODY(body_interval_divide)
{
    struct interval quotient = {0};
    struct status st = interval_divide(interval_of(args[0]), args[1].real, &quotient);
    return give_interval(call, st, quotient, result);
}

// --- comparisons across types ---------------------------------------------------------------------------------

// A timestamp for each side: local ones, or in UTC when one side is a timestamptz. What lies beyond
// the range of timestamps sorts after (or before) all of them.
static int64_t side(const struct function_call *call, type_oid oid, struct datum value, bool utc)
{
    int64_t timestamp = value.integer;
    if (oid == TYPE_DATE && failed(timestamp_from_date(value.integer, &timestamp)))
        return TIMESTAMP_END;
    if (utc && oid != TYPE_TIMESTAMPTZ &&
        failed(timestamptz_from_local(zone_of(call), timestamp, &timestamp)))
        return timestamp; // Out of range already, on the right side.
    return timestamp;
}

static int compare_across(const struct function_call *call, const struct datum *args)
{
    type_oid left = call->arg_types[0].oid, right = call->arg_types[1].oid;
    bool utc = left == TYPE_TIMESTAMPTZ || right == TYPE_TIMESTAMPTZ;
    int64_t a = side(call, left, args[0], utc), b = side(call, right, args[1], utc);
    return (a > b) - (a < b);
}

#define ACROSS(name, condition) \
    BODY(across_##name) \
    { \
        *result = datum_bool(compare_across(call, args) condition 0); \
        return STATUS_OK; \
    }
ACROSS(equal, ==)
ACROSS(not_equal, !=)
ACROSS(less, <)
ACROSS(less_equal, <=)
ACROSS(greater, >)
ACROSS(greater_equal, >=)

// clang-format off
static const struct function table[] = {
    OPERATOR("+", 1100, DATE, date_plus_int, "+", NULL, TYPE_DATE, TYPE_INT4),
    OPERATOR("+", 2555, DATE, int_plus_date, "+", NULL, TYPE_INT4, TYPE_DATE),
    OPERATOR("-", 1101, DATE, date_minus_int, NULL, NULL, TYPE_DATE, TYPE_INT4),
    OPERATOR("-", 1099, INT4, date_minus_date, NULL, NULL, TYPE_DATE, TYPE_DATE),
    OPERATOR("+", 1076, TIMESTAMP, date_plus_interval, "+", NULL, TYPE_DATE, TYPE_INTERVAL),
    OPERATOR("+", 2551, TIMESTAMP, interval_plus_date, "+", NULL, TYPE_INTERVAL, TYPE_DATE),
    OPERATOR("-", 1077, TIMESTAMP, date_minus_interval, NULL, NULL, TYPE_DATE, TYPE_INTERVAL),
    OPERATOR("+", 1360, TIMESTAMP, date_plus_time, "+", NULL, TYPE_DATE, TYPE_TIME),
    OPERATOR("+", 1363, TIMESTAMP, time_plus_date, "+", NULL, TYPE_TIME, TYPE_DATE),
    OPERATOR("+", 1361, TIMESTAMPTZ, date_plus_timetz, "+", NULL, TYPE_DATE, TYPE_TIMETZ),
    OPERATOR("+", 1366, TIMESTAMPTZ, timetz_plus_date, "+", NULL, TYPE_TIMETZ, TYPE_DATE),
    OPERATOR("+", 1800, TIME, time_plus_interval, "+", NULL, TYPE_TIME, TYPE_INTERVAL),
    OPERATOR("+", 1849, TIME, interval_plus_time, "+", NULL, TYPE_INTERVAL, TYPE_TIME),
    OPERATOR("-", 1801, TIME, time_minus_interval, NULL, NULL, TYPE_TIME, TYPE_INTERVAL),
    OPERATOR("-", 1399, INTERVAL, time_minus_time, NULL, NULL, TYPE_TIME, TYPE_TIME),
    OPERATOR("+", 1802, TIMETZ, timetz_plus_interval, "+", NULL, TYPE_TIMETZ, TYPE_INTERVAL),
    OPERATOR("+", 2552, TIMETZ, interval_plus_timetz, "+", NULL, TYPE_INTERVAL, TYPE_TIMETZ),
    OPERATOR("-", 1803, TIMETZ, timetz_minus_interval, NULL, NULL, TYPE_TIMETZ, TYPE_INTERVAL),
    OPERATOR("+", 2066, TIMESTAMP, timestamp_plus_interval, "+", NULL, TYPE_TIMESTAMP, TYPE_INTERVAL),
    OPERATOR("+", 2553, TIMESTAMP, interval_plus_timestamp, "+", NULL, TYPE_INTERVAL, TYPE_TIMESTAMP),
    OPERATOR("-", 2068, TIMESTAMP, timestamp_minus_interval, NULL, NULL, TYPE_TIMESTAMP, TYPE_INTERVAL),
    OPERATOR("-", 2067, INTERVAL, timestamp_minus_timestamp, NULL, NULL, TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    STABLE_OPERATOR("+", 1327, TIMESTAMPTZ, timestamptz_plus_interval, "+", TYPE_TIMESTAMPTZ, TYPE_INTERVAL),
    STABLE_OPERATOR("+", 2554, TIMESTAMPTZ, interval_plus_timestamptz, "+", TYPE_INTERVAL, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("-", 1329, TIMESTAMPTZ, timestamptz_minus_interval, NULL, TYPE_TIMESTAMPTZ, TYPE_INTERVAL),
    OPERATOR("-", 1328, INTERVAL, timestamp_minus_timestamp, NULL, NULL, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR("+", 1337, INTERVAL, body_interval_add, "+", NULL, TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR("-", 1338, INTERVAL, body_interval_subtract, NULL, NULL, TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR("-", 1336, INTERVAL, body_interval_negate, NULL, NULL, TYPE_INTERVAL),
    OPERATOR("*", 1583, INTERVAL, body_interval_multiply, "*", NULL, TYPE_INTERVAL, TYPE_FLOAT8),
    OPERATOR("*", 1584, INTERVAL, float_times_interval, "*", NULL, TYPE_FLOAT8, TYPE_INTERVAL),
    OPERATOR("/", 1585, INTERVAL, body_interval_divide, NULL, NULL, TYPE_INTERVAL, TYPE_FLOAT8),
    OPERATOR("=", 2347, BOOL, across_equal, "=", NULL, TYPE_DATE, TYPE_TIMESTAMP),
    OPERATOR("<>", 2350, BOOL, across_not_equal, "<>", NULL, TYPE_DATE, TYPE_TIMESTAMP),
    OPERATOR("<", 2345, BOOL, across_less, ">", NULL, TYPE_DATE, TYPE_TIMESTAMP),
    OPERATOR(">", 2349, BOOL, across_greater, "<", NULL, TYPE_DATE, TYPE_TIMESTAMP),
    OPERATOR("<=", 2346, BOOL, across_less_equal, ">=", NULL, TYPE_DATE, TYPE_TIMESTAMP),
    OPERATOR(">=", 2348, BOOL, across_greater_equal, "<=", NULL, TYPE_DATE, TYPE_TIMESTAMP),
    STABLE_OPERATOR("=", 2360, BOOL, across_equal, "=", TYPE_DATE, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("<>", 2363, BOOL, across_not_equal, "<>", TYPE_DATE, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("<", 2358, BOOL, across_less, ">", TYPE_DATE, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR(">", 2362, BOOL, across_greater, "<", TYPE_DATE, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("<=", 2359, BOOL, across_less_equal, ">=", TYPE_DATE, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR(">=", 2361, BOOL, across_greater_equal, "<=", TYPE_DATE, TYPE_TIMESTAMPTZ),
    OPERATOR("=", 2373, BOOL, across_equal, "=", NULL, TYPE_TIMESTAMP, TYPE_DATE),
    OPERATOR("<>", 2376, BOOL, across_not_equal, "<>", NULL, TYPE_TIMESTAMP, TYPE_DATE),
    OPERATOR("<", 2371, BOOL, across_less, ">", NULL, TYPE_TIMESTAMP, TYPE_DATE),
    OPERATOR(">", 2375, BOOL, across_greater, "<", NULL, TYPE_TIMESTAMP, TYPE_DATE),
    OPERATOR("<=", 2372, BOOL, across_less_equal, ">=", NULL, TYPE_TIMESTAMP, TYPE_DATE),
    OPERATOR(">=", 2374, BOOL, across_greater_equal, "<=", NULL, TYPE_TIMESTAMP, TYPE_DATE),
    STABLE_OPERATOR("=", 2536, BOOL, across_equal, "=", TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("<>", 2539, BOOL, across_not_equal, "<>", TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("<", 2534, BOOL, across_less, ">", TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR(">", 2538, BOOL, across_greater, "<", TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("<=", 2535, BOOL, across_less_equal, ">=", TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR(">=", 2537, BOOL, across_greater_equal, "<=", TYPE_TIMESTAMP, TYPE_TIMESTAMPTZ),
    STABLE_OPERATOR("=", 2386, BOOL, across_equal, "=", TYPE_TIMESTAMPTZ, TYPE_DATE),
    STABLE_OPERATOR("<>", 2389, BOOL, across_not_equal, "<>", TYPE_TIMESTAMPTZ, TYPE_DATE),
    STABLE_OPERATOR("<", 2384, BOOL, across_less, ">", TYPE_TIMESTAMPTZ, TYPE_DATE),
    STABLE_OPERATOR(">", 2388, BOOL, across_greater, "<", TYPE_TIMESTAMPTZ, TYPE_DATE),
    STABLE_OPERATOR("<=", 2385, BOOL, across_less_equal, ">=", TYPE_TIMESTAMPTZ, TYPE_DATE),
    STABLE_OPERATOR(">=", 2387, BOOL, across_greater_equal, "<=", TYPE_TIMESTAMPTZ, TYPE_DATE),
    STABLE_OPERATOR("=", 2542, BOOL, across_equal, "=", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
    STABLE_OPERATOR("<>", 2545, BOOL, across_not_equal, "<>", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
    STABLE_OPERATOR("<", 2540, BOOL, across_less, ">", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
    STABLE_OPERATOR(">", 2544, BOOL, across_greater, "<", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
    STABLE_OPERATOR("<=", 2541, BOOL, across_less_equal, ">=", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
    STABLE_OPERATOR(">=", 2543, BOOL, across_greater_equal, "<=", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMP),
};
// clang-format on

void operators_datetime_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
