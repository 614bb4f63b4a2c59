// SPDX-License-Identifier: GPL-3.0-or-later
//
// The clock, AT TIME ZONE, and the makers of dates and times.
#include <ctype.h>

#include <math.h>

#include "core/shard.h"
#include "sql/type/datetime.h"
#include "sql/function/function_table.h"

// --- the clock ---------------------------------------------------------------------------------------------

BODY(now)
{
    (void)args;
    *result = datum_int(function_context(call)->now_us);
    return STATUS_OK;
}

BODY(statement_now)
{
    (void)args;
    const struct type_context *context = function_context(call);
    *result = datum_int(context->statement_us != 0 ? context->statement_us : context->now_us);
    return STATUS_OK;
}

// The node's clock; in constant folding there is no task, and the statement's time stands in.
static int64_t clock_us(const struct function_call *call)
{
    if (call->task == NULL) return function_context(call)->now_us;
    struct env *env = call->task->shard->env;
    return env->wall_ns(env) / 1000 - UNIX_EPOCH_US;
}

BODY(clock_now)
{
    (void)args;
    *result = datum_int(clock_us(call));
    return STATUS_OK;
}

BODY(time_of_day_text)
{
    (void)args;
    struct calendar parts;
    struct time_zone_moment moment;
    int64_t local;
    struct status st =
        timestamptz_to_local(function_context(call)->zone, clock_us(call), &local, &moment);
    if (failed(st)) return st;
    timestamp_to_parts(local, &parts);
    int64_t date = floor_div64(local, US_PER_DAY);
    *result = datum_text(arena_printf(call->arena, "%.3s %.3s %02d %02d:%02d:%02d.%06d %04d %s",
        weekday_names[date_weekday(date)], month_names[parts.month - 1], parts.day, parts.hour,
        parts.minute, parts.second, parts.us, (int)parts.year, moment.abbreviation));
    return st;
}

static struct status local_now(const struct function_call *call, int64_t *local)
{
    struct time_zone_moment moment;
    const struct type_context *context = function_context(call);
    return timestamptz_to_local(context->zone, context->now_us, local, &moment);
}

BODY(local_timestamp)
{
    (void)args;
    return local_now(call, &result->integer);
}

BODY(current_day)
{
    (void)args;
    struct status st = local_now(call, &result->integer);
    if (!failed(st)) result->integer = floor_div64(result->integer, US_PER_DAY);
    return st;
}

BODY(local_clock)
{
    (void)args;
    struct status st = local_now(call, &result->integer);
    if (!failed(st)) result->integer -= floor_div64(result->integer, US_PER_DAY) * US_PER_DAY;
    return st;
}

BODY(current_clock)
{
    (void)args;
    struct time_zone_moment moment;
    int64_t local;
    const struct type_context *context = function_context(call);
    struct status st = timestamptz_to_local(context->zone, context->now_us, &local, &moment);
    if (failed(st)) return st;
    *result = timetz_datum(call->arena,
        (struct timetz){local - floor_div64(local, US_PER_DAY) * US_PER_DAY, -moment.offset_seconds});
    return st;
}

// --- AT TIME ZONE --------------------------------------------------------------------------------------------

// The zone as text or as an interval without months and days.
static struct status zone_argument(
    struct function_call *call, struct datum value, struct datetime_zone *zone)
{
    if (call->arg_types[0].oid == TYPE_TEXT) {
        return datetime_zone_of_text(call->arena, datum_as_bytes(value), zone);
    }
    struct interval interval = interval_of(value);
    if (interval.months != 0 || interval.days != 0) {
        struct buffer text;
        buffer_init(&text, call->arena);
        interval_print(&text, function_context(call), interval);
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "interval time zone \"%s\" must not include months or days", buffer_string(&text));
    }
    int64_t seconds = interval.us / US_PER_SECOND;
    if (seconds > INT32_MAX || seconds < -INT32_MAX) return timestamp_out_of_range();
    *zone = (struct datetime_zone){.offset_seconds = (int32_t)seconds};
    return STATUS_OK;
}

static struct status check_range(int64_t timestamp)
{
    return timestamp_in_range(timestamp) ? STATUS_OK : timestamp_out_of_range();
}

static struct status shift_by(int64_t timestamp, int64_t seconds, int64_t *result)
{
    int64_t us;
    if (__builtin_mul_overflow(seconds, US_PER_SECOND, &us) ||
        __builtin_add_overflow(timestamp, us, result))
        return timestamp_out_of_range();
    return check_range(*result);
}

BODY(zone_of_timestamptz)
{
    struct status st = STATUS_OK;
    struct datetime_zone zone;
    struct time_zone_moment moment;
    *result = args[1];
    if (!timestamp_is_finite(args[1].integer)) return st;
    TRY(zone_argument(call, args[0], &zone));
    if (zone.zone != NULL)
        return timestamptz_to_local(zone.zone, args[1].integer, &result->integer, &moment);
    TRY(shift_by(result->integer, zone.offset_seconds, &result->integer));
out:
    return st;
}

BODY(zone_of_timestamp)
{
    struct status st = STATUS_OK;
    struct datetime_zone zone;
    *result = args[1];
    if (!timestamp_is_finite(args[1].integer)) return st;
    TRY(zone_argument(call, args[0], &zone));
    if (zone.zone != NULL)
        return timestamptz_from_local(zone.zone, args[1].integer, &result->integer);
    TRY(shift_by(result->integer, -(int64_t)zone.offset_seconds, &result->integer));
out:
    return st;
}

BODY(zone_of_timetz)
{
    struct status st = STATUS_OK;
    struct datetime_zone zone;
    struct timetz time = timetz_of(args[1]);
    TRY(zone_argument(call, args[0], &zone));
    int32_t offset = zone.offset_seconds;
    if (zone.zone != NULL) {
        int64_t now = floor_div64(function_context(call)->now_us + UNIX_EPOCH_US, US_PER_SECOND);
        offset = time_zone_moment(zone.zone, now).offset_seconds;
    }
    if (offset <= -16 * 3600 || offset >= 16 * 3600)
        return status_make(E_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range");
    int64_t us = time.us + ((int64_t)time.west_seconds + offset) * US_PER_SECOND;
    us -= floor_div64(us, US_PER_DAY) * US_PER_DAY;
    *result = timetz_datum(call->arena, (struct timetz){us, -offset});
out:
    return st;
}

// --- age, overlaps and the like ---------------------------------------------------------------------------------

static struct status give_interval(struct function_call *call, struct status st,
    struct interval interval, struct datum *result)
{
    if (!failed(st)) *result = interval_datum(call->arena, interval);
    return st;
}

BODY(age)
{
    struct status st = STATUS_OK;
    struct interval interval = {0};
    int64_t a, b;
    if (call->arg_count == 1) {
        // From midnight of today.
        TRY(local_now(call, &a));
        a = floor_div64(a, US_PER_DAY) * US_PER_DAY;
        b = args[0].integer;
    } else {
        a = args[0].integer;
        b = args[1].integer;
    }
    if (call->arg_types[0].oid == TYPE_TIMESTAMPTZ) {
        struct time_zone_moment moment;
        const struct time_zone *zone = function_context(call)->zone;
        if (call->arg_count == 2) TRY(timestamptz_to_local(zone, a, &a, &moment));
        TRY(timestamptz_to_local(zone, b, &b, &moment));
    }
    st = timestamp_age(a, b, &interval);
out:
    return give_interval(call, st, interval, result);
}

BODY(is_finite_date)
{
    (void)call;
    *result = datum_bool(date_is_finite(args[0].integer));
    return STATUS_OK;
}

BODY(is_finite_timestamp)
{
    (void)call;
    *result = datum_bool(timestamp_is_finite(args[0].integer));
    return STATUS_OK;
}

BODY(is_finite_interval)
{
    (void)call, (void)args;
    *result = datum_bool(true);
    return STATUS_OK;
}

BODY(justify_hours)
{
    return give_interval(
        call, STATUS_OK, interval_justify_hours(interval_of(args[0])), result);
}

// Whole months of 30 days out of the days, and both of one sign.
static struct interval move_days(struct interval interval)
{
    int32_t months = interval.days / 30;
    interval.days -= months * 30;
    interval.months += months;
    if (interval.months > 0 && interval.days < 0) {
        interval.days += 30;
        interval.months--;
    } else if (interval.months < 0 && interval.days > 0) {
        interval.days -= 30;
        interval.months++;
    }
    return interval;
}

BODY(justify_days)
{
    return give_interval(call, STATUS_OK, move_days(interval_of(args[0])), result);
}

BODY(justify_interval)
{
    struct interval interval = interval_of(args[0]);
    int64_t days = interval.us / US_PER_DAY;
    interval.us -= days * US_PER_DAY;
    interval.days += (int32_t)days;
    int32_t months = interval.days / 30;
    interval.days -= months * 30;
    interval.months += months;
    if (interval.months > 0 && (interval.days < 0 || (interval.days == 0 && interval.us < 0))) {
        interval.days += 30;
        interval.months--;
    } else if (interval.months < 0 &&
               (interval.days > 0 || (interval.days == 0 && interval.us > 0))) {
        interval.days -= 30;
        interval.months++;
    }
    if (interval.days > 0 && interval.us < 0) {
        interval.us += US_PER_DAY;
        interval.days--;
    } else if (interval.days < 0 && interval.us > 0) {
        interval.us -= US_PER_DAY;
        interval.days++;
    }
    return give_interval(call, STATUS_OK, interval, result);
}

static struct status span_end(struct function_call *call, type_oid oid, struct datum start,
    struct datum length, struct datum *end)
{
    if (oid != TYPE_INTERVAL || length.null || start.null) {
        *end = oid == TYPE_INTERVAL ? DATUM_NULL : length;
        return STATUS_OK;
    }
    *end = start;
    if (call->arg_types[0].oid == TYPE_TIME) {
        int64_t us = start.integer + interval_of(length).us % US_PER_DAY;
        end->integer = us - floor_div64(us, US_PER_DAY) * US_PER_DAY;
        return STATUS_OK;
    }
    if (call->arg_types[0].oid == TYPE_TIMESTAMPTZ)
        return timestamptz_add_interval(function_context(call)->zone, start.integer,
            interval_of(length), &end->integer);
    return timestamp_add_interval(start.integer, interval_of(length), &end->integer);
}

// SQL's OVERLAPS: half-open periods, given by their ends in either order; an instant is a period too.
BODY(overlaps)
{
    struct status st = STATUS_OK;
    struct datum a[2], b[2];
    type_oid oid = call->arg_types[0].oid;
    a[0] = args[0];
    b[0] = args[2];
    TRY(span_end(call, call->arg_types[1].oid, args[0], args[1], &a[1]));
    TRY(span_end(call, call->arg_types[3].oid, args[2], args[3], &b[1]));
    // A missing end leaves the other as an instant; both missing, nothing is known.
    for (int i = 0; i < 2; i++) {
        struct datum *period = i == 0 ? a : b;
        if (period[0].null && period[1].null) {
            *result = DATUM_NULL;
            return st;
        }
        if (period[0].null || (!period[1].null && type_compare(oid, period[0], period[1]) > 0)) {
            struct datum swap = period[0];
            period[0] = period[1];
            period[1] = swap;
        }
    }
    struct datum *first = type_compare(oid, a[0], b[0]) > 0 ? b : a, *second = first == a ? b : a;
    if (type_compare(oid, a[0], b[0]) == 0) {
        *result = a[1].null || b[1].null ? DATUM_NULL : datum_bool(true);
    } else if (first[1].null) {
        *result = DATUM_NULL;
    } else if (type_compare(oid, second[0], first[1]) < 0) {
        *result = datum_bool(true);
    } else {
        *result = second[1].null ? DATUM_NULL : datum_bool(false);
    }
out:
    return st;
}

BODY(date_bin)
{
    struct interval stride = interval_of(args[0]);
    int64_t source = args[1].integer, origin = args[2].integer, difference;
    if (!timestamp_is_finite(source)) {
        *result = args[1];
        return STATUS_OK;
    }
    if (!timestamp_is_finite(origin))
        return status_make(E_DATETIME_OVERFLOW, "origin out of range");
    if (stride.months != 0)
        return status_make(E_FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years");
    __int128 step = interval_span(stride);
    if (step <= 0) return status_make(E_DATETIME_OVERFLOW, "stride must be greater than zero");
    if (step > INT64_MAX || __builtin_sub_overflow(source, origin, &difference))
        return interval_out_of_range();
    (void)call;
    __int128 bin = (__int128)floor_div64(difference, (int64_t)step) * step + origin;
    if (bin < TIMESTAMP_MIN || bin >= TIMESTAMP_END) return timestamp_out_of_range();
    *result = datum_int((int64_t)bin);
    return STATUS_OK;
}

// --- makers ----------------------------------------------------------------------------------------------------

static bool valid_date(int64_t year, int64_t month, int64_t day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, (int32_t)month);
}

static struct status date_argument(struct function_call *call, const struct datum *args, int64_t *date)
{
    int64_t year = args[0].integer, month = args[1].integer, day = args[2].integer;
    int64_t astronomical = year < 0 ? year + 1 : year;
    if (year == 0 || !valid_date(astronomical, month, day))
        return status_format(call->arena, E_DATETIME_OVERFLOW,
            "date field value out of range: %d-%02d-%02d", (int)year, (int)month, (int)day);
    *date = date_from_parts(astronomical, (int32_t)month, (int32_t)day);
    if (*date < DATE_MIN || *date > DATE_MAX)
        return status_format(call->arena, E_DATETIME_OVERFLOW, "date out of range: %d-%02d-%02d",
            (int)year, (int)month, (int)day);
    return STATUS_OK;
}

static struct status time_argument(struct function_call *call, const struct datum *args, int64_t *us)
{
    int64_t hour = args[0].integer, minute = args[1].integer;
    double second = args[2].real;
    bool valid = hour >= 0 && minute >= 0 && minute <= 59 && second >= 0 && second <= 60 &&
                 (hour < 24 || (hour == 24 && minute == 0 && second == 0));
    if (!valid)
        return status_format(call->arena, E_DATETIME_OVERFLOW,
            "time field value out of range: %d:%02d:%02g", (int)hour, (int)minute, second);
    *us = hour * US_PER_HOUR + minute * US_PER_MINUTE + (int64_t)rint(second * 1000000.0);
    return STATUS_OK;
}

BODY(make_date)
{
    return date_argument(call, args, &result->integer);
}

BODY(make_time)
{
    return time_argument(call, args, &result->integer);
}

BODY(make_timestamp)
{
    struct status st = STATUS_OK;
    int64_t date, us;
    TRY(date_argument(call, args, &date));
    TRY(time_argument(call, args + 3, &us));
    TRY(timestamp_from_date(date, &result->integer));
    result->integer += us;
    TRY(check_range(result->integer));
    if (call->result_type.oid != TYPE_TIMESTAMPTZ) return st;
    struct datetime_zone zone = {.zone = function_context(call)->zone};
    if (call->arg_count == 7)
        TRY(datetime_zone_of_part(call->arena, datum_as_bytes(args[6]), &zone));
    if (call->arg_count == 7 && zone.zone == NULL) {
        result->integer -= zone.offset_seconds * US_PER_SECOND;
        TRY(check_range(result->integer));
    } else {
        TRY(timestamptz_from_local(zone.zone, result->integer, &result->integer));
    }
out:
    return st;
}

// Years, months, weeks, days, hours, minutes, seconds: as many as are given.
BODY(make_interval)
{
    int64_t value[6] = {0};
    double seconds = call->arg_count == 7 ? args[6].real : 0;
    for (uint32_t i = 0; i < 6 && i < call->arg_count; i++)
        value[i] = args[i].integer;
    int64_t months = value[0] * 12 + value[1], days = value[2] * 7 + value[3];
    double us = rint(seconds * 1000000.0);
    if (isnan(us) || !(us > -0x1p62 && us < 0x1p62) || months != (int32_t)months ||
        days != (int32_t)days)
        return interval_out_of_range();
    struct interval interval = {.us = value[4] * US_PER_HOUR + value[5] * US_PER_MINUTE,
        .days = (int32_t)days,
        .months = (int32_t)months};
    if (__builtin_add_overflow(interval.us, (int64_t)us, &interval.us)) return interval_out_of_range();
    return give_interval(call, STATUS_OK, interval, result);
}

BODY(timestamp_of_epoch)
{
    double seconds = args[0].real;
    if (isnan(seconds))
        return status_make(E_DATETIME_OVERFLOW, "timestamp cannot be NaN");
    if (isinf(seconds)) {
        *result = datum_int(seconds > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY);
        return STATUS_OK;
    }
    double us = rint((seconds - UNIX_EPOCH_DAYS * 86400.0) * 1000000.0);
    if (!(us >= (double)TIMESTAMP_MIN && us < (double)TIMESTAMP_END))
        return status_format(
            call->arena, E_DATETIME_OVERFLOW, "timestamp out of range: \"%g\"", seconds);
    *result = datum_int((int64_t)us);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    SCALAR_NO_ARGS("now", 1299, TIMESTAMPTZ, now, FUNCTION_STABLE),
    SCALAR_NO_ARGS("transaction_timestamp", 2647, TIMESTAMPTZ, now, FUNCTION_STABLE),
    SCALAR_NO_ARGS("statement_timestamp", 2648, TIMESTAMPTZ, statement_now, FUNCTION_STABLE),
    SCALAR_NO_ARGS("clock_timestamp", 2649, TIMESTAMPTZ, clock_now, FUNCTION_VOLATILE),
    SCALAR_NO_ARGS("timeofday", 274, TEXT, time_of_day_text, FUNCTION_VOLATILE),
    // SQL's words without parentheses: the binder calls these.
    SCALAR_NO_ARGS("current_timestamp", 100901, TIMESTAMPTZ, now, FUNCTION_STABLE),
    SCALAR_NO_ARGS("localtimestamp", 100902, TIMESTAMP, local_timestamp, FUNCTION_STABLE),
    SCALAR_NO_ARGS("current_date", 100903, DATE, current_day, FUNCTION_STABLE),
    SCALAR_NO_ARGS("localtime", 100904, TIME, local_clock, FUNCTION_STABLE),
    SCALAR_NO_ARGS("current_time", 100905, TIMETZ, current_clock, FUNCTION_STABLE),
    SCALAR("timezone", 1159, TIMESTAMP, zone_of_timestamptz, TYPE_TEXT, TYPE_TIMESTAMPTZ),
    SCALAR("timezone", 1026, TIMESTAMP, zone_of_timestamptz, TYPE_INTERVAL, TYPE_TIMESTAMPTZ),
    SCALAR("timezone", 2069, TIMESTAMPTZ, zone_of_timestamp, TYPE_TEXT, TYPE_TIMESTAMP),
    SCALAR("timezone", 2070, TIMESTAMPTZ, zone_of_timestamp, TYPE_INTERVAL, TYPE_TIMESTAMP),
    STABLE("timezone", 2037, TIMETZ, zone_of_timetz, TYPE_TEXT, TYPE_TIMETZ),
    SCALAR("timezone", 2038, TIMETZ, zone_of_timetz, TYPE_INTERVAL, TYPE_TIMETZ),
    SCALAR("age", 2058, INTERVAL, age, TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    STABLE("age", 1199, INTERVAL, age, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    STABLE("age", 2059, INTERVAL, age, TYPE_TIMESTAMP),
    STABLE("age", 1386, INTERVAL, age, TYPE_TIMESTAMPTZ),
    SCALAR("isfinite", 1373, BOOL, is_finite_date, TYPE_DATE),
    SCALAR("isfinite", 2048, BOOL, is_finite_timestamp, TYPE_TIMESTAMP),
    SCALAR("isfinite", 1389, BOOL, is_finite_timestamp, TYPE_TIMESTAMPTZ),
    SCALAR("isfinite", 1390, BOOL, is_finite_interval, TYPE_INTERVAL),
    SCALAR("justify_hours", 1175, INTERVAL, justify_hours, TYPE_INTERVAL),
    SCALAR("justify_days", 1295, INTERVAL, justify_days, TYPE_INTERVAL),
    SCALAR("justify_interval", 2711, INTERVAL, justify_interval, TYPE_INTERVAL),
    LAX("overlaps", 2041, BOOL, overlaps, TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    LAX("overlaps", 2042, BOOL, overlaps, TYPE_TIMESTAMP, TYPE_INTERVAL, TYPE_TIMESTAMP, TYPE_INTERVAL),
    LAX("overlaps", 2043, BOOL, overlaps, TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_INTERVAL),
    LAX("overlaps", 2044, BOOL, overlaps, TYPE_TIMESTAMP, TYPE_INTERVAL, TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    LAX("overlaps", 1304, BOOL, overlaps, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    LAX_STABLE("overlaps", 1305, BOOL, overlaps, TYPE_TIMESTAMPTZ, TYPE_INTERVAL, TYPE_TIMESTAMPTZ, TYPE_INTERVAL),
    LAX_STABLE("overlaps", 1306, BOOL, overlaps, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, TYPE_INTERVAL),
    LAX_STABLE("overlaps", 1307, BOOL, overlaps, TYPE_TIMESTAMPTZ, TYPE_INTERVAL, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    LAX("overlaps", 1308, BOOL, overlaps, TYPE_TIME, TYPE_TIME, TYPE_TIME, TYPE_TIME),
    LAX("overlaps", 1309, BOOL, overlaps, TYPE_TIME, TYPE_INTERVAL, TYPE_TIME, TYPE_INTERVAL),
    LAX("overlaps", 1310, BOOL, overlaps, TYPE_TIME, TYPE_TIME, TYPE_TIME, TYPE_INTERVAL),
    LAX("overlaps", 1311, BOOL, overlaps, TYPE_TIME, TYPE_INTERVAL, TYPE_TIME, TYPE_TIME),
    LAX("overlaps", 1271, BOOL, overlaps, TYPE_TIMETZ, TYPE_TIMETZ, TYPE_TIMETZ, TYPE_TIMETZ),
    SCALAR("date_bin", 6177, TIMESTAMP, date_bin, TYPE_INTERVAL, TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    SCALAR("date_bin", 6178, TIMESTAMPTZ, date_bin, TYPE_INTERVAL, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    SCALAR("make_date", 3846, DATE, make_date, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    SCALAR("make_time", 3847, TIME, make_time, TYPE_INT4, TYPE_INT4, TYPE_FLOAT8),
    SCALAR("make_timestamp", 3461, TIMESTAMP, make_timestamp, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_FLOAT8),
    STABLE("make_timestamptz", 3462, TIMESTAMPTZ, make_timestamp, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_FLOAT8),
    STABLE("make_timestamptz", 3463, TIMESTAMPTZ, make_timestamp, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_FLOAT8, TYPE_TEXT),
    SCALAR_NO_ARGS("make_interval", 100906, INTERVAL, make_interval, FUNCTION_IMMUTABLE),
    SCALAR("make_interval", 100907, INTERVAL, make_interval, TYPE_INT4),
    SCALAR("make_interval", 100908, INTERVAL, make_interval, TYPE_INT4, TYPE_INT4),
    SCALAR("make_interval", 100909, INTERVAL, make_interval, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    SCALAR("make_interval", 100910, INTERVAL, make_interval, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    SCALAR("make_interval", 100911, INTERVAL, make_interval, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    SCALAR("make_interval", 100912, INTERVAL, make_interval, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    SCALAR("make_interval", 3464, INTERVAL, make_interval, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_INT4, TYPE_FLOAT8),
    SCALAR("to_timestamp", 1158, TIMESTAMPTZ, timestamp_of_epoch, TYPE_FLOAT8),
};
// clang-format on

void functions_datetime_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
