// SPDX-License-Identifier: GPL-3.0-or-later
//
// extract() and date_part(): one field of a date, a time or an interval, as numeric or double precision;
// and date_trunc().
#include <math.h>

#include "sql/type/datetime.h"
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/numeric.h"
#include "core/text.h"
#include "sql/type/type_ops.h"

enum unit {
    UNIT_MICROSECONDS, UNIT_MILLISECONDS, UNIT_SECOND, UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK,
    UNIT_MONTH, UNIT_QUARTER, UNIT_YEAR, UNIT_DECADE, UNIT_CENTURY, UNIT_MILLENNIUM, UNIT_JULIAN,
    UNIT_ISOYEAR, UNIT_DOW, UNIT_ISODOW, UNIT_DOY, UNIT_EPOCH, UNIT_TIMEZONE, UNIT_TIMEZONE_HOUR,
    UNIT_TIMEZONE_MINUTE, UNIT_UNKNOWN
};

static const struct {
    const char *word;
    enum unit unit;
} words[] = {
    {"year", UNIT_YEAR}, {"years", UNIT_YEAR}, {"y", UNIT_YEAR}, {"yr", UNIT_YEAR},
    {"yrs", UNIT_YEAR}, {"month", UNIT_MONTH}, {"months", UNIT_MONTH}, {"mon", UNIT_MONTH},
    {"mons", UNIT_MONTH}, {"day", UNIT_DAY}, {"days", UNIT_DAY}, {"d", UNIT_DAY},
    {"hour", UNIT_HOUR}, {"hours", UNIT_HOUR}, {"h", UNIT_HOUR}, {"hr", UNIT_HOUR},
    {"hrs", UNIT_HOUR}, {"minute", UNIT_MINUTE}, {"minutes", UNIT_MINUTE}, {"m", UNIT_MINUTE},
    {"min", UNIT_MINUTE}, {"mins", UNIT_MINUTE}, {"second", UNIT_SECOND}, {"seconds", UNIT_SECOND},
    {"s", UNIT_SECOND}, {"sec", UNIT_SECOND}, {"secs", UNIT_SECOND}, {"epoch", UNIT_EPOCH},
    {"microseconds", UNIT_MICROSECONDS}, {"microsecond", UNIT_MICROSECONDS},
    {"us", UNIT_MICROSECONDS}, {"usec", UNIT_MICROSECONDS}, {"usecs", UNIT_MICROSECONDS},
    {"milliseconds", UNIT_MILLISECONDS}, {"millisecond", UNIT_MILLISECONDS},
    {"ms", UNIT_MILLISECONDS}, {"msec", UNIT_MILLISECONDS}, {"msecs", UNIT_MILLISECONDS},
    {"week", UNIT_WEEK}, {"weeks", UNIT_WEEK}, {"w", UNIT_WEEK}, {"quarter", UNIT_QUARTER},
    {"qtr", UNIT_QUARTER}, {"decade", UNIT_DECADE}, {"decades", UNIT_DECADE}, {"dec", UNIT_DECADE},
    {"century", UNIT_CENTURY}, {"centuries", UNIT_CENTURY}, {"c", UNIT_CENTURY},
    {"cent", UNIT_CENTURY}, {"millennium", UNIT_MILLENNIUM}, {"millennia", UNIT_MILLENNIUM},
    {"mil", UNIT_MILLENNIUM}, {"julian", UNIT_JULIAN}, {"jd", UNIT_JULIAN}, {"j", UNIT_JULIAN},
    {"isoyear", UNIT_ISOYEAR}, {"dow", UNIT_DOW}, {"isodow", UNIT_ISODOW}, {"doy", UNIT_DOY},
    {"timezone", UNIT_TIMEZONE}, {"timezone_hour", UNIT_TIMEZONE_HOUR},
    {"timezone_minute", UNIT_TIMEZONE_MINUTE},
};

static enum unit find_unit(struct bytes text)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (type_word_is(text, words[i].word)) return words[i].unit;
    }
    return UNIT_UNKNOWN;
}

static struct status unit_error(
    struct function_call *call, struct bytes unit, const char *what, type_oid oid)
{
    return status_format(call->arena,
        what[0] == 'r' ? E_INVALID_PARAMETER_VALUE : E_FEATURE_NOT_SUPPORTED,
        "unit \"%s\" not %s for type %s", text_lower(call->arena, unit), what,
        type_info(oid)->sql_name);
}

// --- results ---------------------------------------------------------------------------------------------

// value / 10^scale in the result's type.
static struct status give(
    struct function_call *call, int64_t value, uint32_t scale, struct datum *result)
{
    static const double powers[] = {1, 10, 100, 1000, 1e4, 1e5, 1e6};
    if (call->result_type.oid == TYPE_NUMERIC)
        *result = numeric_from_scaled(call->arena, value, scale);
    else
        *result = datum_real((double)value / powers[scale]);
    return STATUS_OK;
}

static struct status give_quotient(struct function_call *call, __int128 over, int64_t under,
    struct datum *result)
{
    if (call->result_type.oid == TYPE_NUMERIC)
        return numeric_divide(call->arena, numeric_from_scaled(call->arena, over, 0),
            numeric_from_int(call->arena, under), result);
    *result = datum_real((double)over / (double)under);
    return STATUS_OK;
}

// A field of infinity: monotonic ones are infinite, the others NULL.
static struct status give_infinite(
    struct function_call *call, enum unit unit, bool negative, struct datum *result)
{
    switch (unit) {
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
    case UNIT_JULIAN:
    case UNIT_ISOYEAR:
    case UNIT_EPOCH:
        if (call->result_type.oid == TYPE_NUMERIC)
            *result = negative ? numeric_minus_infinity : numeric_infinity;
        else
            *result = datum_real(negative ? -(double)INFINITY : (double)INFINITY);
        return STATUS_OK;
    default: *result = DATUM_NULL; return STATUS_OK;
    }
}

// --- fields of a calendar date ------------------------------------------------------------------------------

static int64_t year_field(enum unit unit, int64_t year)
{
    int64_t shown = year > 0 ? year : year - 1; // There is no year 0: 1 BC is -1.
    switch (unit) {
    case UNIT_YEAR: return shown;
    case UNIT_DECADE: return floor_div64(year, 10);
    case UNIT_CENTURY: return year > 0 ? (year + 99) / 100 : -((99 - (year - 1)) / 100);
    default: return year > 0 ? (year + 999) / 1000 : -((999 - (year - 1)) / 1000);
    }
}

// False when the unit is none of a date's.
static bool date_field(enum unit unit, int64_t date, int64_t *value)
{
    int64_t year;
    int32_t month, day, week;
    date_to_parts(date, &year, &month, &day);
    switch (unit) {
    case UNIT_DAY: *value = day; break;
    case UNIT_MONTH: *value = month; break;
    case UNIT_QUARTER: *value = (month - 1) / 3 + 1; break;
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM: *value = year_field(unit, year); break;
    case UNIT_WEEK:
        iso_week(date, &year, &week);
        *value = week;
        break;
    case UNIT_ISOYEAR:
        iso_week(date, &year, &week);
        *value = year > 0 ? year : year - 1;
        break;
    case UNIT_DOW: *value = date_weekday(date); break;
    case UNIT_ISODOW: *value = (date_weekday(date) + 6) % 7 + 1; break;
    case UNIT_DOY: *value = date - date_from_parts(year, 1, 1) + 1; break;
    case UNIT_JULIAN: *value = date + 2451545; break;
    default: return false;
    }
    return true;
}

static bool time_field(
    struct function_call *call, enum unit unit, int64_t us, struct datum *result)
{
    switch (unit) {
    case UNIT_MICROSECONDS: (void)give(call, us % US_PER_MINUTE, 0, result); return true;
    case UNIT_MILLISECONDS: (void)give(call, us % US_PER_MINUTE, 3, result); return true;
    case UNIT_SECOND: (void)give(call, us % US_PER_MINUTE, 6, result); return true;
    case UNIT_MINUTE: (void)give(call, us / US_PER_MINUTE % 60, 0, result); return true;
    case UNIT_HOUR: (void)give(call, us / US_PER_HOUR, 0, result); return true;
    default: return false;
    }
}

// Seconds east of UTC, its hours, its minutes.
static bool zone_field(enum unit unit, int32_t offset, int64_t *value)
{
    switch (unit) {
    case UNIT_TIMEZONE: *value = offset; return true;
    case UNIT_TIMEZONE_HOUR: *value = offset / 3600; return true;
    case UNIT_TIMEZONE_MINUTE: *value = offset / 60 % 60; return true;
    default: return false;
    }
}

BODY(extract_date)
{
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    int64_t date = args[1].integer, value;
    if (unit == UNIT_UNKNOWN) return unit_error(call, name, "recognized", TYPE_DATE);
    if (!date_is_finite(date)) {
        if (unit != UNIT_EPOCH && !date_field(unit, 0, &value))
            return unit_error(call, name, "supported", TYPE_DATE);
        return give_infinite(call, unit, date < 0, result);
    }
    if (unit == UNIT_EPOCH) return give(call, (date + UNIX_EPOCH_DAYS) * 86400, 0, result);
    if (!date_field(unit, date, &value)) return unit_error(call, name, "supported", TYPE_DATE);
    return give(call, value, 0, result);
}

BODY(extract_timestamp)
{
    struct status st = STATUS_OK;
    type_oid oid = call->arg_types[1].oid;
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    int64_t instant = args[1].integer, local = instant, value;
    struct time_zone_moment moment = {0};
    if (unit == UNIT_UNKNOWN) return unit_error(call, name, "recognized", oid);
    if (!timestamp_is_finite(instant)) return give_infinite(call, unit, instant < 0, result);
    if (oid == TYPE_TIMESTAMPTZ)
        TRY(timestamptz_to_local(function_context(call)->zone, instant, &local, &moment));
    int64_t date = floor_div64(local, US_PER_DAY), us = local - date * US_PER_DAY;
    if (time_field(call, unit, us, result)) return st;
    if (unit == UNIT_EPOCH) {
        // Beyond 64 bits only at the far end of time.
        if (call->result_type.oid == TYPE_NUMERIC)
            *result = numeric_from_scaled(call->arena, (__int128)instant + UNIX_EPOCH_US, 6);
        else
            *result = datum_real(((double)instant + (double)UNIX_EPOCH_US) / 1e6);
        return st;
    }
    if (unit == UNIT_JULIAN && call->result_type.oid == TYPE_NUMERIC) {
        struct datum whole = numeric_from_int(call->arena, date + 2451545), fraction;
        TRY(give_quotient(call, us, US_PER_DAY, &fraction));
        return numeric_add(call->arena, whole, fraction, result);
    }
    if (unit == UNIT_JULIAN) {
        *result = datum_real((double)(date + 2451545) + (double)us / (double)US_PER_DAY);
        return st;
    }
    if (date_field(unit, date, &value) ||
        (oid == TYPE_TIMESTAMPTZ && zone_field(unit, moment.offset_seconds, &value)))
        return give(call, value, 0, result);
    return unit_error(call, name, "supported", oid);
out:
    return st;
}

// Of a date date_part() is the timestamp's, and so has hours and a smaller range; extract() is not.
BODY(date_part_of_date)
{
    struct status st = STATUS_OK;
    struct datum parts[2] = {args[0]};
    const struct type types[2] = {call->arg_types[0], TYPE_OF(TYPE_TIMESTAMP)};
    struct function_call inner = *call;
    inner.arg_types = types;
    TRY(cast_date_to_timestamp(&inner, &args[1], &parts[1]));
    TRY(extract_timestamp(&inner, parts, result));
out:
    return st;
}

BODY(extract_time)
{
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    type_oid oid = call->arg_types[1].oid;
    struct timetz time = {0};
    int64_t value;
    if (oid == TYPE_TIMETZ)
        time = timetz_of(args[1]);
    else
        time.us = args[1].integer;
    if (unit == UNIT_UNKNOWN) return unit_error(call, name, "recognized", oid);
    if (unit == UNIT_EPOCH)
        return give(call, time.us + time.west_seconds * US_PER_SECOND, 6, result);
    if (time_field(call, unit, time.us, result)) return STATUS_OK;
    if (oid == TYPE_TIMETZ && zone_field(unit, -time.west_seconds, &value))
        return give(call, value, 0, result);
    return unit_error(call, name, "supported", oid);
}

BODY(extract_interval)
{
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    struct interval interval = interval_of(args[1]);
    int64_t years = interval.months / 12;
    if (unit == UNIT_UNKNOWN) return unit_error(call, name, "recognized", TYPE_INTERVAL);
    if (time_field(call, unit, interval.us, result)) return STATUS_OK;
    switch (unit) {
    case UNIT_DAY: return give(call, interval.days, 0, result);
    case UNIT_MONTH: return give(call, interval.months % 12, 0, result);
    case UNIT_QUARTER: return give(call, interval.months % 12 / 3 + 1, 0, result);
    case UNIT_YEAR: return give(call, years, 0, result);
    case UNIT_DECADE: return give(call, years / 10, 0, result);
    case UNIT_CENTURY: return give(call, years / 100, 0, result);
    case UNIT_MILLENNIUM: return give(call, years / 1000, 0, result);
    case UNIT_EPOCH: break;
    default: return unit_error(call, name, "supported", TYPE_INTERVAL);
    }
    // Years of 365.25 days, months of 30.
    __int128 us = (__int128)years * (US_PER_DAY * 1461 / 4) +
                  (interval.months % 12 * INT64_C(30) + interval.days) * (__int128)US_PER_DAY +
                  interval.us;
    if (call->result_type.oid == TYPE_NUMERIC)
        *result = numeric_from_scaled(call->arena, us, 6);
    else
        *result = datum_real((double)us / 1e6);
    return STATUS_OK;
}

// --- date_trunc ------------------------------------------------------------------------------------------------

static int64_t truncate_year(enum unit unit, int64_t year)
{
    switch (unit) {
    case UNIT_MILLENNIUM:
        return year > 0 ? (year + 999) / 1000 * 1000 - 999 : -((999 - (year - 1)) / 1000) * 1000 + 1;
    case UNIT_CENTURY:
        return year > 0 ? (year + 99) / 100 * 100 - 99 : -((99 - (year - 1)) / 100) * 100 + 1;
    case UNIT_DECADE: return floor_div64(year, 10) * 10;
    default: return year;
    }
}

// A local timestamp's beginning of the unit. False: not one of the units.
static bool truncate_timestamp(enum unit unit, int64_t local, int64_t *result)
{
    int64_t step = 0, year, date = floor_div64(local, US_PER_DAY);
    int32_t month, day, week;
    switch (unit) {
    case UNIT_MICROSECONDS: step = 1; break;
    case UNIT_MILLISECONDS: step = 1000; break;
    case UNIT_SECOND: step = US_PER_SECOND; break;
    case UNIT_MINUTE: step = US_PER_MINUTE; break;
    case UNIT_HOUR: step = US_PER_HOUR; break;
    case UNIT_DAY: step = US_PER_DAY; break;
    case UNIT_WEEK:
        iso_week(date, &year, &week);
        *result = date_from_iso_week(year, week) * US_PER_DAY;
        return true;
    case UNIT_MILLENNIUM:
    case UNIT_CENTURY:
    case UNIT_DECADE:
    case UNIT_YEAR:
        date_to_parts(date, &year, &month, &day);
        *result = date_from_parts(truncate_year(unit, year), 1, 1) * US_PER_DAY;
        return true;
    case UNIT_QUARTER:
    case UNIT_MONTH:
        date_to_parts(date, &year, &month, &day);
        if (unit == UNIT_QUARTER) month = (month - 1) / 3 * 3 + 1;
        *result = date_from_parts(year, month, 1) * US_PER_DAY;
        return true;
    default: return false;
    }
    *result = floor_div64(local, step) * step;
    return true;
}

// Words that name a field but no length of time are not known to date_trunc at all.
static const char *refusal(enum unit unit)
{
    bool reserved = unit >= UNIT_JULIAN && unit <= UNIT_EPOCH;
    return unit == UNIT_UNKNOWN || reserved ? "recognized" : "supported";
}

static struct status check_unit(
    struct function_call *call, struct bytes name, enum unit unit, type_oid oid)
{
    int64_t ignored;
    if (!truncate_timestamp(unit, 0, &ignored)) return unit_error(call, name, refusal(unit), oid);
    return STATUS_OK;
}

BODY(trunc_timestamp)
{
    struct status st = STATUS_OK;
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    *result = args[1];
    if (!timestamp_is_finite(args[1].integer)) return st;
    TRY(check_unit(call, name, unit, TYPE_TIMESTAMP));
    if (timestamp_is_finite(args[1].integer))
        truncate_timestamp(unit, args[1].integer, &result->integer);
    if (timestamp_is_finite(result->integer) && !timestamp_in_range(result->integer))
        st = timestamp_out_of_range();
out:
    return st;
}

BODY(trunc_timestamptz)
{
    struct status st = STATUS_OK;
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    struct datetime_zone zone = {.zone = function_context(call)->zone};
    struct time_zone_moment moment;
    int64_t local;
    *result = args[1];
    if (!timestamp_is_finite(args[1].integer)) return st;
    TRY(check_unit(call, name, unit, TYPE_TIMESTAMPTZ));
    if (call->arg_count == 3)
        TRY(datetime_zone_of_text(call->arena, datum_as_bytes(args[2]), &zone));
    if (call->arg_count == 3 && zone.zone == NULL) {
        int64_t shift = zone.offset_seconds * US_PER_SECOND;
        truncate_timestamp(unit, args[1].integer + shift, &local);
        result->integer = local - shift;
        return timestamp_in_range(result->integer) ? st : timestamp_out_of_range();
    }
    TRY(timestamptz_to_local(zone.zone, args[1].integer, &local, &moment));
    truncate_timestamp(unit, local, &local);
    // Within a day the offset stays what it is: an overlap's second hour does not become its first.
    if (unit <= UNIT_HOUR)
        result->integer = local - moment.offset_seconds * US_PER_SECOND;
    else
        TRY(timestamptz_from_local(zone.zone, local, &result->integer));
    if (!timestamp_in_range(result->integer)) st = timestamp_out_of_range();
out:
    return st;
}

BODY(trunc_interval)
{
    struct bytes name = datum_as_bytes(args[0]);
    enum unit unit = find_unit(name);
    struct interval interval = interval_of(args[1]);
    int32_t months = 1;
    int64_t us = 0;
    switch (unit) {
    case UNIT_MILLENNIUM: months = 12000; break;
    case UNIT_CENTURY: months = 1200; break;
    case UNIT_DECADE: months = 120; break;
    case UNIT_YEAR: months = 12; break;
    case UNIT_QUARTER: months = 3; break;
    case UNIT_MONTH: break;
    case UNIT_DAY: us = US_PER_DAY; break;
    case UNIT_HOUR: us = US_PER_HOUR; break;
    case UNIT_MINUTE: us = US_PER_MINUTE; break;
    case UNIT_SECOND: us = US_PER_SECOND; break;
    case UNIT_MILLISECONDS: us = 1000; break;
    case UNIT_MICROSECONDS: us = 1; break;
    case UNIT_WEEK:
        return status_detail(call->arena, unit_error(call, name, "supported", TYPE_INTERVAL),
            "Months usually have fractional weeks.");
    default: return unit_error(call, name, refusal(unit), TYPE_INTERVAL);
    }
    if (us == 0) {
        interval = (struct interval){.months = interval.months / months * months};
    } else {
        interval.us = unit == UNIT_DAY ? 0 : interval.us / us * us;
    }
    *result = interval_datum(call->arena, interval);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    SCALAR("extract", 6199, NUMERIC, extract_date, TYPE_TEXT, TYPE_DATE),
    SCALAR("extract", 6200, NUMERIC, extract_time, TYPE_TEXT, TYPE_TIME),
    SCALAR("extract", 6201, NUMERIC, extract_time, TYPE_TEXT, TYPE_TIMETZ),
    SCALAR("extract", 6202, NUMERIC, extract_timestamp, TYPE_TEXT, TYPE_TIMESTAMP),
    STABLE("extract", 6203, NUMERIC, extract_timestamp, TYPE_TEXT, TYPE_TIMESTAMPTZ),
    SCALAR("extract", 6204, NUMERIC, extract_interval, TYPE_TEXT, TYPE_INTERVAL),
    SCALAR("date_part", 1384, FLOAT8, date_part_of_date, TYPE_TEXT, TYPE_DATE),
    SCALAR("date_part", 1385, FLOAT8, extract_time, TYPE_TEXT, TYPE_TIME),
    SCALAR("date_part", 1273, FLOAT8, extract_time, TYPE_TEXT, TYPE_TIMETZ),
    SCALAR("date_part", 2021, FLOAT8, extract_timestamp, TYPE_TEXT, TYPE_TIMESTAMP),
    STABLE("date_part", 1171, FLOAT8, extract_timestamp, TYPE_TEXT, TYPE_TIMESTAMPTZ),
    SCALAR("date_part", 1172, FLOAT8, extract_interval, TYPE_TEXT, TYPE_INTERVAL),
    SCALAR("date_trunc", 2020, TIMESTAMP, trunc_timestamp, TYPE_TEXT, TYPE_TIMESTAMP),
    STABLE("date_trunc", 1217, TIMESTAMPTZ, trunc_timestamptz, TYPE_TEXT, TYPE_TIMESTAMPTZ),
    STABLE("date_trunc", 1284, TIMESTAMPTZ, trunc_timestamptz, TYPE_TEXT, TYPE_TIMESTAMPTZ, TYPE_TEXT),
    SCALAR("date_trunc", 1218, INTERVAL, trunc_interval, TYPE_TEXT, TYPE_INTERVAL),
};
// clang-format on

void functions_extract_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
