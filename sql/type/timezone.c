// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/timezone.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/type/timezone_form.h"

#define SECONDS_PER_DAY 86400
#define FIXED_MINUTES_MAX (15 * 60 + 59)

static const struct zone_period utc_period = {.abbreviation = "UTC"};
static const struct time_zone utc = {
    .name = "UTC", .period_count = 1, .periods = &utc_period};
const struct time_zone *const time_zone_utc = &utc;

// --- lookup -----------------------------------------------------------------------------------------------

static int compare_names(struct bytes name, const char *own)
{
    size_t i = 0;
    for (; i < name.size && own[i] != 0; i++) {
        int difference = ascii_lower((char)name.data[i]) - ascii_lower(own[i]);
        if (difference != 0) return difference;
    }
    return (i < name.size) - (own[i] != 0);
}

static const struct time_zone *find_named(struct bytes name)
{
    uint32_t low = 0, high = time_zone_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare_names(name, time_zone_table[middle].name);
        if (order == 0) return &time_zone_table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    if (compare_names(name, "UTC") == 0 || compare_names(name, "GMT") == 0) return &utc;
    return NULL;
}

// Digits up to `max`; false when there are none.
static bool take_number(struct bytes *text, int32_t max, int32_t *value)
{
    size_t i = 0;
    *value = 0;
    while (i < text->size && ascii_digit((char)text->data[i]) && *value <= max)
        *value = *value * 10 + (text->data[i++] - '0');
    *text = bytes_skip(*text, i);
    return i > 0 && *value <= max;
}

// [+-]hh[:mm[:ss]] to the end of the text.
static bool parse_offset(struct bytes text, int32_t *seconds)
{
    bool negative = false;
    int32_t hours, minutes = 0, rest = 0;
    if (text.size > 0 && (text.data[0] == '+' || text.data[0] == '-')) {
        negative = text.data[0] == '-';
        text = bytes_skip(text, 1);
    }
    if (!take_number(&text, 24, &hours)) return false;
    if (text.size > 0 && text.data[0] == ':') {
        text = bytes_skip(text, 1);
        if (!take_number(&text, 59, &minutes)) return false;
    }
    if (text.size > 0 && text.data[0] == ':') {
        text = bytes_skip(text, 1);
        if (!take_number(&text, 59, &rest)) return false;
    }
    *seconds = hours * 3600 + minutes * 60 + rest;
    if (negative) *seconds = -*seconds;
    return text.size == 0;
}

static bool parse_hours(struct bytes text, int32_t *seconds)
{
    char copy[32], *end;
    if (text.size == 0 || text.size >= sizeof copy) return false;
    if (!ascii_digit((char)text.data[0]) && text.data[0] != '-' && text.data[0] != '+') return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    double hours = strtod(copy, &end);
    if (end != copy + text.size || !(hours > -24 && hours < 24)) return false;
    *seconds = (int32_t)(hours * 3600);
    return true;
}

static const struct time_zone *unnamed(const struct time_zone *fixed_zone);

const struct time_zone *time_zone_find(struct bytes name)
{
    int32_t seconds;
    const struct time_zone *zone = find_named(name);
    if (zone != NULL) return zone;
    if (parse_hours(name, &seconds)) return time_zone_fixed(seconds);
    // POSIX: letters, or anything in <>, then how far west. What has daylight rules of its own and is no
    // file of the database is not taken.
    struct bytes rest = name;
    if (rest.size > 0 && rest.data[0] == '<') {
        const uint8_t *close = memchr(rest.data, '>', rest.size);
        if (close == NULL) return NULL;
        rest = bytes_skip(rest, (size_t)(close - rest.data) + 1);
    } else {
        size_t letters = 0;
        while (letters < rest.size && ((rest.data[letters] | 0x20) >= 'a' &&
                                          (rest.data[letters] | 0x20) <= 'z'))
            letters++;
        rest = bytes_skip(rest, letters);
    }
    if (rest.size == 0 || !parse_offset(rest, &seconds)) return NULL;
    const struct time_zone *fixed_zone = time_zone_fixed(-seconds);
    return fixed_zone != NULL && rest.data == name.data ? unnamed(fixed_zone) : fixed_zone;
}

const char *time_zone_name(const struct time_zone *zone)
{
    return zone == NULL ? utc.name : zone->name;
}

const struct time_zone *time_zone_at(uint32_t index)
{
    return index < time_zone_count ? &time_zone_table[index] : NULL;
}

// --- fixed offsets: one for every minute, so that looking one up makes nothing -------------------------------

static struct time_zone fixed[2 * FIXED_MINUTES_MAX + 1];
static struct zone_period fixed_periods[2 * FIXED_MINUTES_MAX + 1];
// The same of rules that name no abbreviation: "-05:30".
static struct time_zone unnamed_fixed[2 * FIXED_MINUTES_MAX + 1];
static struct zone_period unnamed_periods[2 * FIXED_MINUTES_MAX + 1];

// Runs before main: the table is complete when the first shard looks.
__attribute__((constructor)) static void fill_fixed(void)
{
    for (int32_t i = 0; i < 2 * FIXED_MINUTES_MAX + 1; i++) {
        int32_t minutes = i - FIXED_MINUTES_MAX, size = abs(minutes);
        char sign = minutes < 0 ? '-' : '+', back = minutes < 0 ? '+' : '-';
        char *abbreviation = fixed_periods[i].abbreviation;
        if (size % 60 == 0) {
            snprintf(abbreviation, ABBREVIATION_BYTES, "%c%02d", sign, size / 60 % 100);
            snprintf(fixed[i].name, ZONE_NAME_BYTES, "<%c%02d>%c%02d", sign, size / 60, back,
                size / 60);
        } else {
            snprintf(abbreviation, ABBREVIATION_BYTES, "%c%02d:%02d", sign, size / 60 % 100,
                size % 60);
            snprintf(fixed[i].name, ZONE_NAME_BYTES, "<%c%02d:%02d>%c%02d:%02d", sign, size / 60,
                size % 60, back, size / 60, size % 60);
        }
        fixed_periods[i].offset_seconds = minutes * 60;
        fixed[i].period_count = 1;
        fixed[i].periods = &fixed_periods[i];
        unnamed_fixed[i] = fixed[i];
        unnamed_periods[i].offset_seconds = minutes * 60;
        unnamed_fixed[i].periods = &unnamed_periods[i];
    }
}

static const struct time_zone *unnamed(const struct time_zone *fixed_zone)
{
    return &unnamed_fixed[fixed_zone - fixed];
}

const struct time_zone *time_zone_fixed(int32_t offset_seconds)
{
    int32_t minutes = offset_seconds / 60;
    if (offset_seconds % 60 != 0 || abs(minutes) > FIXED_MINUTES_MAX) return NULL;
    return &fixed[minutes + FIXED_MINUTES_MAX];
}

// --- rules -------------------------------------------------------------------------------------------------------

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// Days from 1970-01-01 to the first of January.
static int64_t year_begin(int64_t year)
{
    int64_t before = year - 1;
    return 365 * (year - 1970) + floor_divide(before, 4) - floor_divide(before, 100) +
           floor_divide(before, 400) - 477;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t year_of(int64_t days)
{
    int64_t year = 1970 + floor_divide(days * 400, 146097);
    while (year_begin(year) > days)
        year--;
    while (year_begin(year + 1) <= days)
        year++;
    return year;
}

// Local seconds since 1970 at which the rule strikes in `year`.
static int64_t rule_strikes(const struct zone_rule_date *rule, int64_t year)
{
    static const int16_t month_begin[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t day = year_begin(year);
    bool leap = is_leap(year);
    switch (rule->kind) {
    case RULE_ZERO_JULIAN: day += rule->day; break;
    case RULE_JULIAN: // February 29 is never counted.
        day += rule->day - 1 + (leap && rule->day >= 60);
        break;
    case RULE_MONTH_WEEK_DAY: {
        int64_t first = day + month_begin[rule->month - 1] + (leap && rule->month > 2);
        int64_t length = month_begin[rule->month] - month_begin[rule->month - 1] +
                         (leap && rule->month == 2);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; // 1970-01-01 was a Thursday.
        int64_t ahead = (rule->day - weekday + 7) % 7 + 7 * (rule->week - 1);
        while (ahead >= length)
            ahead -= 7;
        day = first + ahead;
        break;
    }
    }
    return day * SECONDS_PER_DAY + rule->seconds;
}

static const struct zone_period *by_rule(const struct time_zone *zone, int64_t utc_seconds)
{
    if (!zone->has_daylight_rule) return &zone->standard;
    int64_t local = utc_seconds + zone->standard.offset_seconds;
    int64_t year = year_of(floor_divide(local, SECONDS_PER_DAY));
    int64_t begin = rule_strikes(&zone->summer_begin, year) - zone->standard.offset_seconds;
    int64_t end = rule_strikes(&zone->summer_end, year) - zone->summer.offset_seconds;
    bool summer = begin < end ? utc_seconds >= begin && utc_seconds < end
                              : utc_seconds >= begin || utc_seconds < end;
    return summer ? &zone->summer : &zone->standard;
}

// --- moments --------------------------------------------------------------------------------------------------------

static const struct zone_period *period_at(const struct time_zone *zone, int64_t utc_seconds)
{
    uint32_t count = zone->transition_count;
    if (count == 0 || utc_seconds < zone->transitions[0])
        return zone->has_rule && count == 0 ? by_rule(zone, utc_seconds) : &zone->periods[0];
    if (utc_seconds >= zone->transitions[count - 1] && zone->has_rule)
        return by_rule(zone, utc_seconds);
    uint32_t low = 0, high = count; // The last transition not after the instant is in [low, high).
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (zone->transitions[middle] <= utc_seconds)
            low = middle;
        else
            high = middle;
    }
    return &zone->periods[zone->transition_period[low]];
}

struct time_zone_moment time_zone_moment(const struct time_zone *zone, int64_t utc_seconds)
{
    const struct zone_period *period = period_at(zone == NULL ? &utc : zone, utc_seconds);
    return (struct time_zone_moment){
        period->offset_seconds, period->daylight, period->abbreviation};
}

bool time_zone_is_fixed(const struct time_zone *zone)
{
    if (zone->has_rule && zone->has_daylight_rule) return false;
    const int32_t offset = zone->period_count > 0 ? zone->periods[0].offset_seconds : zone->standard.offset_seconds;
    for (uint32_t i = 1; i < zone->period_count; i++)
        if (zone->periods[i].offset_seconds != offset) return false;
    return !zone->has_rule || zone->standard.offset_seconds == offset;
}

struct time_zone_moment time_zone_local(const struct time_zone *zone, int64_t local_seconds)
{
    // The clock a day before and a day after: they differ only around a transition.
    struct time_zone_moment before = time_zone_moment(zone, local_seconds - SECONDS_PER_DAY);
    struct time_zone_moment after = time_zone_moment(zone, local_seconds + SECONDS_PER_DAY);
    if (before.offset_seconds == after.offset_seconds) {
        // Perhaps there and back within two days; what holds at the instant itself wins then.
        struct time_zone_moment now =
            time_zone_moment(zone, local_seconds - before.offset_seconds);
        return now.offset_seconds == before.offset_seconds ? now : before;
    }
    struct time_zone_moment by_before =
        time_zone_moment(zone, local_seconds - before.offset_seconds);
    struct time_zone_moment by_after = time_zone_moment(zone, local_seconds - after.offset_seconds);
    bool before_holds = by_before.offset_seconds == before.offset_seconds;
    bool after_holds = by_after.offset_seconds == after.offset_seconds;
    if (after_holds) return by_after; // Alone, or the later of two readings.
    if (before_holds) return by_before;
    return before; // A gap.
}
