// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text to dates and times.
//
// The text is cut into fields (numbers, dates, times, zones, words); then each field finds its place among
// year, month, day, time and zone by what is already there and by the DateStyle. The rules are those of
// PostgreSQL's manual, appendix B.1 "Date/Time Input Interpretation".
#include <stdlib.h>

#include "core/text.h"
#include "sql/type/datetime.h"
#include "sql/type/datetime_fields.h"
#include "sql/type/type_ops.h"

// What has been found so far.
enum {
    HAVE_YEAR = 1,
    HAVE_MONTH = 2,
    HAVE_DAY = 4,
    HAVE_DATE = 7,
    HAVE_TIME = 8,
    HAVE_ZONE = 16,
    HAVE_DAY_OF_YEAR = 32,
};

enum outcome { OK, BAD_FORMAT, OUT_OF_RANGE, BAD_DATE_ORDER, BAD_DISPLACEMENT, BAD_ZONE };
enum special { SPECIAL_NONE, SPECIAL_INFINITY, SPECIAL_MINUS_INFINITY, SPECIAL_EPOCH, SPECIAL_NOW };

struct decoder {
    const struct type_context *context;
    uint32_t have;
    struct calendar parts;
    int32_t day_of_year;
    bool text_month, two_digit_year, bc, julian_date;
    int64_t julian;
    enum { CLOCK_24, CLOCK_AM, CLOCK_PM } clock;
    enum special special;
    int32_t special_days;  // today, tomorrow, yesterday: days from today; with SPECIAL_NOW's date.
    bool special_date;
    bool midnight;         // Time not given by the text but by the word.
    // The zone: an offset or a name.
    int32_t offset_seconds;
    const struct time_zone *zone;
    bool daylight;         // A word alone says that the zone's time is that of summer.
    bool beside_date;      // What no a-b-c may follow: a weekday, an era, AM or PM.
    bool time_only, next_is_time, next_is_julian;
    bool takes_date;       // With time_only: the field in hand may be a date.
};

// --- cutting into fields ------------------------------------------------------------------------------------

static bool is_alpha(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static size_t span_digits(struct bytes text, size_t at)
{
    while (at < text.size && is_digit(text.data[at]))
        at++;
    return at;
}

// A field that begins with a digit.
static enum field_kind cut_number(struct bytes text, size_t *end)
{
    size_t at = span_digits(text, 0);
    if (at < text.size && text.data[at] == ':') {
        while (at < text.size && (is_digit(text.data[at]) || text.data[at] == ':' ||
                                     text.data[at] == '.'))
            at++;
        *end = at;
        return FIELD_TIME;
    }
    uint8_t delimiter = at < text.size ? text.data[at] : 0;
    if (delimiter != '-' && delimiter != '/' && delimiter != '.') {
        *end = at;
        return FIELD_NUMBER;
    }
    at++;
    if (at < text.size && is_digit(text.data[at])) {
        enum field_kind kind = delimiter == '.' ? FIELD_NUMBER : FIELD_DATE;
        at = span_digits(text, at);
        if (at < text.size && text.data[at] == delimiter) {
            kind = FIELD_DATE;
            while (at < text.size && (is_digit(text.data[at]) || text.data[at] == delimiter))
                at++;
        }
        *end = at;
        return kind;
    }
    // A month's name follows.
    while (at < text.size && (is_digit(text.data[at]) || is_alpha(text.data[at]) ||
                                 text.data[at] == delimiter))
        at++;
    *end = at;
    return FIELD_DATE;
}

static bool is_core_word(struct bytes word);

static enum field_kind cut_word(struct bytes text, size_t *end)
{
    size_t at = 0;
    while (at < text.size && is_alpha(text.data[at]))
        at++;
    uint8_t next = at < text.size ? text.data[at] : 0;
    bool dated = next == '-' || next == '/' || next == '.';
    if (next == '+' || is_digit(next) || next == '_')
        dated = !is_core_word(bytes_of(text.data, at));
    if (dated) {
        while (at < text.size && (is_alpha(text.data[at]) || is_digit(text.data[at]) ||
                                     strchr("+-/_.:", text.data[at]) != NULL))
            at++;
    }
    *end = at;
    return dated ? FIELD_DATE : FIELD_WORD;
}

bool datetime_cut(struct bytes text, struct field fields[FIELDS_MAX], uint32_t *count)
{
    *count = 0;
    while (text.size > 0) {
        uint8_t c = text.data[0];
        size_t end = 0;
        enum field_kind kind;
        if (ascii_space((char)c)) {
            text = bytes_skip(text, 1);
            continue;
        }
        if (is_digit(c)) {
            kind = cut_number(text, &end);
        } else if (c == '.') {
            end = span_digits(text, 1);
            kind = FIELD_NUMBER;
        } else if (is_alpha(c)) {
            kind = cut_word(text, &end);
        } else if (c == '+' || c == '-') {
            // The sign belongs to what follows, spaces between or not.
            end = 1;
            while (end < text.size && ascii_space((char)text.data[end]))
                end++;
            if (end < text.size && is_digit(text.data[end])) {
                kind = FIELD_ZONE;
                while (end < text.size && (is_digit(text.data[end]) ||
                                              strchr(":.-", text.data[end]) != NULL))
                    end++;
            } else if (end < text.size && is_alpha(text.data[end])) {
                kind = FIELD_WORD;
                while (end < text.size && is_alpha(text.data[end]))
                    end++;
            } else {
                return false;
            }
        } else if (c > ' ' && c < 0x7f) {
            text = bytes_skip(text, 1); // Other punctuation only separates.
            continue;
        } else {
            return false;
        }
        if (*count == FIELDS_MAX || end > FIELD_BYTES_MAX) return false;
        fields[(*count)++] = (struct field){kind, bytes_of(text.data, end)};
        text = bytes_skip(text, end);
    }
    return *count > 0;
}

// --- words ---------------------------------------------------------------------------------------------------

enum word_kind {
    WORD_UNKNOWN, WORD_MONTH, WORD_WEEKDAY, WORD_AM, WORD_PM, WORD_AD, WORD_BC, WORD_NOW,
    WORD_TODAY, WORD_TOMORROW, WORD_YESTERDAY, WORD_EPOCH, WORD_INFINITY, WORD_MINUS_INFINITY,
    WORD_ALLBALLS, WORD_T, WORD_JULIAN, WORD_DST, WORD_AT
};

static const struct {
    const char *word;
    enum word_kind kind;
} words[] = {
    {"am", WORD_AM}, {"pm", WORD_PM}, {"ad", WORD_AD}, {"bc", WORD_BC}, {"now", WORD_NOW},
    {"today", WORD_TODAY}, {"tomorrow", WORD_TOMORROW}, {"yesterday", WORD_YESTERDAY},
    {"epoch", WORD_EPOCH}, {"infinity", WORD_INFINITY},
    {"-infinity", WORD_MINUS_INFINITY}, {"allballs", WORD_ALLBALLS}, {"t", WORD_T},
    {"j", WORD_JULIAN}, {"jd", WORD_JULIAN}, {"julian", WORD_JULIAN}, {"dst", WORD_DST},
    {"at", WORD_AT}, {"on", WORD_AT}, {"tue", WORD_WEEKDAY}, {"tues", WORD_WEEKDAY},
    {"weds", WORD_WEEKDAY}, {"thur", WORD_WEEKDAY}, {"thurs", WORD_WEEKDAY},
};

// Whether `word` is the whole name, or its first three letters ("sept" is taken too).
static bool is_name(struct bytes word, const char *name)
{
    char lower[16];
    size_t size = strlen(name);
    if (word.size != 3 && word.size != size && !(word.size == 4 && size == 9 && name[0] == 'S'))
        return false;
    for (size_t i = 0; i < size; i++)
        lower[i] = ascii_lower(name[i]);
    lower[word.size < size ? word.size : size] = 0;
    return type_word_is(word, lower);
}

static enum word_kind classify(struct bytes word, int32_t *value)
{
    for (int32_t i = 0; i < 12; i++) {
        if (!is_name(word, month_names[i])) continue;
        *value = i + 1;
        return WORD_MONTH;
    }
    for (int32_t i = 0; i < 7; i++) {
        if (is_name(word, weekday_names[i])) return WORD_WEEKDAY;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (type_word_is(word, words[i].word)) return words[i].kind;
    }
    return WORD_UNKNOWN;
}

// Digits right behind it begin a field of their own: of words of dates, and of some units.
static bool is_core_word(struct bytes word)
{
    static const char *const units[] = {
        "d", "dow", "doy", "h", "isodow", "isoyear", "m", "mm", "s", "y"};
    int32_t value;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (type_word_is(word, units[i])) return true;
    return classify(word, &value) != WORD_UNKNOWN;
}

// --- numbers ----------------------------------------------------------------------------------------------------

// The value of all digits; capped, so that what is too large stays so.
static int64_t digits_value(struct bytes text)
{
    int64_t value = 0;
    for (size_t i = 0; i < text.size; i++)
        value = value > 100000000 ? value : value * 10 + (text.data[i] - '0');
    return value;
}

// ".25" -> 250000, halves rounded; 1000000 is possible.
static enum outcome fraction_us(struct bytes text, int32_t *us)
{
    double value = 0, unit = 0.1;
    if (text.size == 0 || text.data[0] != '.') return BAD_FORMAT;
    for (size_t i = 1; i < text.size; i++, unit /= 10) {
        if (!is_digit(text.data[i])) return BAD_FORMAT;
        value += unit * (text.data[i] - '0');
    }
    // Six digits are exact in integers, and the seventh on decide only the rounding.
    int64_t exact = 0;
    for (size_t i = 1; i <= 6; i++)
        exact = exact * 10 + (i < text.size ? text.data[i] - '0' : 0);
    double rest = value * 1000000 - (double)exact;
    *us = (int32_t)exact + (text.size > 7 && (rest > 0.5 || (rest >= 0.4999999 && (exact & 1))));
    return OK;
}

static enum outcome take_fraction(struct decoder *in, struct bytes text)
{
    return fraction_us(text, &in->parts.us);
}

// Run together: YYYYMMDD or YYMMDD while there is no date, hhmmss or hhmm after.
static enum outcome run_together(struct decoder *in, struct bytes text)
{
    const uint8_t *point = memchr(text.data, '.', text.size);
    bool date = (in->have & HAVE_DATE) != HAVE_DATE && !in->time_only;
    if (point != NULL) {
        size_t whole = (size_t)(point - text.data);
        enum outcome outcome = take_fraction(in, bytes_skip(text, whole));
        if (outcome != OK) return outcome;
        text.size = whole;
        date = false;
    }
    if (date && text.size >= 6) {
        if ((in->have & HAVE_DATE) != 0) return BAD_FORMAT; // Part of a date stands before it.
        in->parts.day = (int32_t)digits_value(bytes_skip(text, text.size - 2));
        in->parts.month = (int32_t)digits_value(bytes_of(text.data + text.size - 4, 2));
        in->parts.year = digits_value(bytes_of(text.data, text.size - 4));
        if (text.size == 6) in->two_digit_year = true;
        in->have |= HAVE_DATE;
        return OK;
    }
    if ((in->have & HAVE_TIME) != 0 || (text.size != 6 && text.size != 4)) return BAD_FORMAT;
    in->parts.hour = (int32_t)digits_value(bytes_of(text.data, 2));
    in->parts.minute = (int32_t)digits_value(bytes_of(text.data + 2, 2));
    in->parts.second = text.size == 6 ? (int32_t)digits_value(bytes_skip(text, 4)) : 0;
    in->have |= HAVE_TIME;
    return OK;
}

static void set_year(struct decoder *in, int64_t value, size_t digits)
{
    in->parts.year = value;
    in->two_digit_year = digits <= 2;
    in->have |= HAVE_YEAR;
}

static void set_month(struct decoder *in, int64_t value)
{
    in->parts.month = (int32_t)value;
    in->have |= HAVE_MONTH;
}

static void set_day(struct decoder *in, int64_t value)
{
    in->parts.day = (int32_t)value;
    in->have |= HAVE_DAY;
}

// A number alone: what it is depends on what is there already.
static enum outcome place_number(struct decoder *in, struct bytes text)
{
    enum date_order order = in->context->date_order;
    size_t digits = span_digits(text, 0);
    if (digits == 0) return BAD_FORMAT;
    if (digits < text.size) {
        if (digits > 2) return run_together(in, text);
        return BAD_FORMAT;
    }
    int64_t value = digits_value(text);
    uint32_t have = in->have & HAVE_DATE;
    if (digits == 3 && have == HAVE_YEAR && value >= 1 && value <= 366) {
        in->day_of_year = (int32_t)value;
        in->have |= HAVE_MONTH | HAVE_DAY | HAVE_DAY_OF_YEAR;
        return OK;
    }
    switch (have) {
    case 0:
        if (digits >= 3 || order == DATE_ORDER_YMD)
            set_year(in, value, digits);
        else if (order == DATE_ORDER_DMY)
            set_day(in, value);
        else
            set_month(in, value);
        break;
    case HAVE_YEAR: set_month(in, value); break;
    case HAVE_MONTH:
        if (in->text_month && (digits >= 3 || order == DATE_ORDER_YMD))
            set_year(in, value, digits);
        else
            set_day(in, value);
        break;
    case HAVE_YEAR | HAVE_MONTH:
        if (in->text_month && digits >= 3 && in->two_digit_year) {
            // What looked like the year was the day.
            set_day(in, in->parts.year);
            set_year(in, value, digits);
        } else {
            set_day(in, value);
        }
        break;
    case HAVE_DAY: set_month(in, value); break;
    case HAVE_MONTH | HAVE_DAY: set_year(in, value, digits); break;
    case HAVE_DATE: return run_together(in, text);
    default: return BAD_FORMAT;
    }
    return OK;
}

static enum outcome set_text_month(struct decoder *in, int32_t month)
{
    // A number taken for the month before was the day.
    if ((in->have & HAVE_MONTH) != 0 && !in->text_month && (in->have & HAVE_DAY) == 0 &&
        in->parts.month >= 1 && in->parts.month <= 31)
        set_day(in, in->parts.month);
    else if ((in->have & HAVE_MONTH) != 0)
        return BAD_FORMAT;
    in->text_month = true;
    set_month(in, month);
    return OK;
}

// a-b-c: a month's name first, wherever it stands; then the numbers in turn.
static enum outcome place_date(struct decoder *in, struct bytes text)
{
    struct bytes parts[3];
    uint32_t count = 0;
    if ((in->have & HAVE_TIME) != 0 || in->beside_date || in->daylight) return BAD_FORMAT;
    for (size_t at = 0; at < text.size;) {
        if (!is_digit(text.data[at]) && !is_alpha(text.data[at])) {
            at++;
            continue;
        }
        size_t start = at;
        bool digits = is_digit(text.data[at]);
        while (at < text.size && (digits ? is_digit(text.data[at]) : is_alpha(text.data[at])))
            at++;
        if (count == 3) return BAD_FORMAT;
        parts[count++] = bytes_of(text.data + start, at - start);
    }
    uint32_t text_part = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int32_t month = 0;
        if (!is_alpha(parts[i].data[0])) continue;
        if (classify(parts[i], &month) != WORD_MONTH || text_part != UINT32_MAX) return BAD_FORMAT;
        if ((in->have & HAVE_MONTH) != 0) return BAD_FORMAT;
        enum outcome outcome = set_text_month(in, month);
        if (outcome != OK) return outcome;
        text_part = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i == text_part) continue;
        if ((in->have & HAVE_DATE) == HAVE_DATE) return BAD_FORMAT;
        enum outcome outcome = place_number(in, parts[i]);
        if (outcome != OK) return outcome;
    }
    return (in->have & HAVE_DATE) == HAVE_DATE ? OK : BAD_FORMAT;
}

// --- time and zone --------------------------------------------------------------------------------------------

static enum outcome place_time(struct decoder *in, struct bytes text)
{
    if ((in->have & HAVE_TIME) != 0) return BAD_FORMAT;
    size_t at = span_digits(text, 0);
    int64_t first = digits_value(bytes_of(text.data, at)), second, third = 0;
    size_t start = ++at;
    at = span_digits(text, at);
    if (at == start) return BAD_FORMAT;
    second = digits_value(bytes_of(text.data + start, at - start));
    if (at < text.size && text.data[at] == ':') {
        start = ++at;
        at = span_digits(text, at);
        if (at == start) return BAD_FORMAT;
        third = digits_value(bytes_of(text.data + start, at - start));
    } else if (at < text.size && text.data[at] == '.') {
        third = second; // mm:ss.fff
        second = first;
        first = 0;
    }
    if (at < text.size) {
        enum outcome outcome = take_fraction(in, bytes_skip(text, at));
        if (outcome != OK) return outcome;
    }
    if (first > INT32_MAX || second > 59 || third > 60) return OUT_OF_RANGE;
    in->parts.hour = (int32_t)first;
    in->parts.minute = (int32_t)second;
    in->parts.second = (int32_t)third;
    in->have |= HAVE_TIME;
    return OK;
}

// [+-]hh, hhmm, hh:mm, hh:mm:ss
static enum outcome parse_offset(struct bytes text, int32_t *offset)
{
    bool negative = text.data[0] == '-';
    text = bytes_skip(text, 1);
    while (text.size > 0 && ascii_space((char)text.data[0]))
        text = bytes_skip(text, 1);
    size_t at = span_digits(text, 0);
    int64_t hours = digits_value(bytes_of(text.data, at)), minutes = 0, seconds = 0;
    if (at < text.size && text.data[at] == ':') {
        size_t start = ++at;
        at = span_digits(text, at);
        minutes = digits_value(bytes_of(text.data + start, at - start));
        if (at < text.size && text.data[at] == ':') {
            start = ++at;
            at = span_digits(text, at);
            seconds = digits_value(bytes_of(text.data + start, at - start));
        }
    } else if (at > 2) {
        minutes = hours % 100;
        hours /= 100;
    }
    if (at != text.size) return BAD_FORMAT;
    if (hours > 15 || minutes > 59 || seconds > 59) return BAD_DISPLACEMENT;
    *offset = (int32_t)(hours * 3600 + minutes * 60 + seconds);
    if (negative) *offset = -*offset;
    return OK;
}

static enum outcome place_zone(struct decoder *in, struct bytes text)
{
    int32_t offset;
    enum outcome outcome = parse_offset(text, &offset);
    if (outcome != OK) return outcome;
    if ((in->have & HAVE_ZONE) != 0) return BAD_FORMAT;
    in->offset_seconds = offset;
    in->zone = NULL;
    in->have |= HAVE_ZONE;
    return OK;
}

static enum outcome place_zone_name(struct decoder *in, struct bytes name)
{
    int32_t offset;
    bool daylight;
    if ((in->have & HAVE_ZONE) != 0) return BAD_FORMAT;
    if (time_zone_abbreviation(name, &offset, &daylight)) {
        in->offset_seconds = offset;
    } else {
        in->zone = time_zone_find(name);
        if (in->zone == NULL) return BAD_ZONE;
    }
    in->have |= HAVE_ZONE;
    return OK;
}

// --- fields in turn ---------------------------------------------------------------------------------------------

static enum outcome place_word(struct decoder *in, struct bytes word)
{
    int32_t month = 0;
    enum word_kind kind = classify(word, &month);
    bool of_dates = kind == WORD_MONTH || kind == WORD_WEEKDAY || kind == WORD_TODAY || kind == WORD_TOMORROW ||
                    kind == WORD_YESTERDAY || kind == WORD_EPOCH || kind == WORD_INFINITY || kind == WORD_MINUS_INFINITY;
    if (in->time_only && of_dates) return BAD_FORMAT;
    switch (kind) {
    case WORD_MONTH: return set_text_month(in, month);
    case WORD_WEEKDAY: in->beside_date = true; return OK;
    case WORD_AT: return OK;
    case WORD_AM:
    case WORD_PM:
        in->beside_date = true;
        in->clock = kind == WORD_AM ? CLOCK_AM : CLOCK_PM;
        return OK;
    case WORD_AD:
    case WORD_BC:
        in->beside_date = true;
        in->bc = ascii_lower((char)word.data[0]) == 'b';
        return OK;
    case WORD_NOW: in->special = SPECIAL_NOW; return OK;
    case WORD_TODAY:
    case WORD_TOMORROW:
    case WORD_YESTERDAY:
        in->special_date = true;
        in->special_days = ascii_lower((char)word.data[0]) == 'y'          ? -1
                           : ascii_lower((char)word.data[2]) == 'm' ? 1
                                                                           : 0;
        in->have |= HAVE_DATE;
        return OK;
    case WORD_EPOCH: in->special = SPECIAL_EPOCH; return OK;
    case WORD_INFINITY: in->special = SPECIAL_INFINITY; return OK;
    case WORD_MINUS_INFINITY: in->special = SPECIAL_MINUS_INFINITY; return OK;
    case WORD_ALLBALLS:
        if ((in->have & (HAVE_TIME | HAVE_ZONE)) != 0) return BAD_FORMAT;
        in->have |= HAVE_TIME | HAVE_ZONE;
        in->midnight = true;
        return OK;
    case WORD_T:
        if (!in->time_only && (in->have & HAVE_DATE) != HAVE_DATE) return BAD_FORMAT;
        in->next_is_time = true;
        return OK;
    case WORD_JULIAN: in->next_is_julian = true; return OK;
    case WORD_DST:
        if (in->daylight) return BAD_FORMAT;
        in->daylight = true;
        in->offset_seconds += 3600;
        return OK;
    case WORD_UNKNOWN: break;
    }
    enum outcome outcome = place_zone_name(in, word);
    return outcome == BAD_ZONE ? BAD_FORMAT : outcome;
}

static enum outcome place_julian(struct decoder *in, struct bytes text)
{
    size_t digits = span_digits(text, 0);
    in->next_is_julian = false;
    if (digits != text.size || (in->have & HAVE_DATE) != 0) return BAD_FORMAT;
    in->julian_date = true;
    if (!text_parse_i64(text, &in->julian) || in->julian > INT32_MAX) return OUT_OF_RANGE;
    in->have |= HAVE_DATE;
    return OK;
}

static enum outcome place_field(struct decoder *in, const struct field *field)
{
    struct bytes text = field->text;
    const uint8_t *minus;
    bool next_is_time = in->next_is_time;
    in->next_is_time = false;
    switch (field->kind) {
    case FIELD_TIME: return place_time(in, text);
    case FIELD_ZONE: return place_zone(in, text);
    case FIELD_WORD: return place_word(in, text);
    case FIELD_DATE:
        if ((in->have & HAVE_DATE) != HAVE_DATE && !next_is_time && (!in->time_only || in->takes_date))
            return place_date(in, text);
        if (!is_digit(text.data[0])) return place_zone_name(in, text);
        // hhmmss-zz
        minus = memchr(text.data, '-', text.size);
        if (minus == NULL || (in->have & HAVE_TIME) != 0) return BAD_FORMAT;
        enum outcome outcome =
            place_zone(in, bytes_of(minus, (size_t)(text.data + text.size - minus)));
        if (outcome != OK) return outcome;
        text.size = (size_t)(minus - text.data);
        return run_together(in, text);
    case FIELD_NUMBER: break;
    }
    if (in->next_is_julian) return place_julian(in, text);
    if (in->takes_date && memchr(text.data, '.', text.size) != NULL) return place_date(in, text);
    if (next_is_time || in->time_only) return run_together(in, text);
    const uint8_t *point = memchr(text.data, '.', text.size);
    size_t whole = point == NULL ? text.size : (size_t)(point - text.data);
    if (point != NULL && (in->have & HAVE_DATE) == 0) return place_date(in, text);
    if (point != NULL && whole > 2) return run_together(in, text);
    if (whole >= 6 && ((in->have & HAVE_DATE) == 0 || (in->have & HAVE_TIME) == 0))
        return run_together(in, text);
    return place_number(in, text);
}

// --- the whole -------------------------------------------------------------------------------------------------------

static enum outcome check_date(struct decoder *in)
{
    struct calendar *parts = &in->parts;
    if (in->julian_date) {
        date_to_parts(in->julian - 2451545, &parts->year, &parts->month, &parts->day);
        return OK;
    }
    if (in->two_digit_year && !in->bc)
        parts->year += parts->year < 70 ? 2000 : parts->year < 100 ? 1900 : 0;
    else if (parts->year <= 0)
        return OUT_OF_RANGE; // There is no year 0.
    if (in->bc) parts->year = 1 - parts->year;
    if ((in->have & HAVE_DAY_OF_YEAR) != 0) {
        int64_t date = date_from_parts(parts->year, 1, 1) + in->day_of_year - 1;
        date_to_parts(date, &parts->year, &parts->month, &parts->day);
    }
    if (parts->month < 1 || parts->month > 12 || parts->day < 1 || parts->day > 31)
        return BAD_DATE_ORDER;
    return parts->day > days_in_month(parts->year, parts->month) ? OUT_OF_RANGE : OK;
}

static enum outcome check_time(struct decoder *in)
{
    struct calendar *parts = &in->parts;
    if (in->clock != CLOCK_24) {
        if (parts->hour > 12 || parts->hour < 0) return OUT_OF_RANGE;
        if (in->clock == CLOCK_AM && parts->hour == 12) parts->hour = 0;
        if (in->clock == CLOCK_PM && parts->hour != 12) parts->hour += 12;
    }
    if (parts->hour > 24 || parts->minute > 59 || parts->second > 60) return OUT_OF_RANGE;
    if (parts->hour == 24 && (parts->minute > 0 || parts->second > 0 || parts->us > 0))
        return OUT_OF_RANGE;
    return OK;
}

static void take_today(struct decoder *in)
{
    int64_t local;
    struct time_zone_moment moment;
    struct status st =
        timestamptz_to_local(in->context->zone, in->context->now_us, &local, &moment);
    (void)st; // Now is in range.
    int64_t date = floor_div64(local, US_PER_DAY) + in->special_days;
    date_to_parts(date, &in->parts.year, &in->parts.month, &in->parts.day);
}

static enum outcome decode(struct decoder *in, struct bytes text)
{
    struct field fields[FIELDS_MAX];
    uint32_t count;
    enum outcome outcome = datetime_cut(text, fields, &count) ? OK : BAD_FORMAT;
    for (uint32_t i = 0; i < count && outcome == OK; i++) {
        if (in->special != SPECIAL_NONE) return BAD_FORMAT;
        // Before a time that is all that is wanted a date may stand, right before it or with a zone at the end.
        in->takes_date = in->time_only && i == 0 && count >= 2 &&
            (fields[count - 1].kind == FIELD_DATE || (fields[0].kind == FIELD_DATE && fields[1].kind == FIELD_TIME));
        outcome = place_field(in, &fields[i]);
    }
    if (outcome != OK) return outcome;
    if (in->special != SPECIAL_NONE) return in->have == 0 ? OK : BAD_FORMAT;
    if (in->next_is_julian || in->next_is_time || (in->daylight && ((in->have & HAVE_ZONE) == 0 || in->zone != NULL)))
        return BAD_FORMAT;
    if (in->special_date)
        take_today(in);
    else if ((in->have & HAVE_DATE) == HAVE_DATE)
        outcome = check_date(in);
    else if ((in->have & HAVE_DATE) != 0 || !in->time_only)
        return BAD_FORMAT;
    return outcome == OK ? check_time(in) : outcome;
}

static struct status report(
    struct arena *arena, enum outcome outcome, const char *type, struct bytes text)
{
    struct status st;
    int size = bytes_shown(text);
    const char *data = (const char *)text.data;
    switch (outcome) {
    case OUT_OF_RANGE:
        return status_format(arena, E_DATETIME_OVERFLOW,
            "date/time field value out of range: \"%.*s\"", size, data);
    case BAD_DATE_ORDER:
        st = status_format(arena, E_DATETIME_OVERFLOW,
            "date/time field value out of range: \"%.*s\"", size, data);
        return status_hint(
            arena, st, "Perhaps you need a different \"datestyle\" setting.");
    case BAD_DISPLACEMENT:
        return status_format(arena, E_TIME_ZONE_DISPLACEMENT,
            "time zone displacement out of range: \"%.*s\"", size, data);
    default:
        st = type_error_syntax(arena, type, text);
        st.code = E_INVALID_DATETIME_FORMAT;
        return st;
    }
}

// The name of a zone that is none is worth telling.
static struct status unknown_zone(struct arena *arena, struct bytes text)
{
    struct field fields[FIELDS_MAX];
    uint32_t count = 0;
    if (!datetime_cut(text, fields, &count)) count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct bytes name = fields[i].text;
        if (fields[i].kind != FIELD_DATE || is_digit(name.data[0]) || time_zone_find(name) != NULL)
            continue;
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "time zone \"%s\" not recognized", text_lower(arena, name));
    }
    return status_make(E_INVALID_PARAMETER_VALUE, "time zone not recognized");
}

struct status timestamp_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, bool with_zone, int64_t *timestamp)
{
    struct status st = STATUS_OK;
    const char *type = with_zone ? "timestamp with time zone" : "timestamp";
    struct decoder in = {.context = context};
    enum outcome outcome = decode(&in, text);
    if (outcome == BAD_ZONE) return unknown_zone(arena, text);
    if (outcome != OK) return report(arena, outcome, type, text);
    switch (in.special) {
    case SPECIAL_INFINITY: *timestamp = TIMESTAMP_INFINITY; return st;
    case SPECIAL_MINUS_INFINITY: *timestamp = TIMESTAMP_MINUS_INFINITY; return st;
    case SPECIAL_EPOCH: *timestamp = -UNIX_EPOCH_US; return st;
    case SPECIAL_NOW: {
        struct time_zone_moment moment;
        *timestamp = context->now_us;
        if (!with_zone) st = timestamptz_to_local(context->zone, *timestamp, timestamp, &moment);
        return st;
    }
    case SPECIAL_NONE: break;
    }
    st = timestamp_from_parts(&in.parts, timestamp);
    if (failed(st) && (!with_zone || status_is(st, E_DATETIME_OVERFLOW)))
        return status_format(arena, E_DATETIME_OVERFLOW, "timestamp out of range: \"%.*s\"",
            bytes_shown(text), (const char *)text.data);
    if (!with_zone) return st;
    if ((in.have & HAVE_ZONE) != 0 && in.zone == NULL) {
        *timestamp -= in.offset_seconds * US_PER_SECOND;
    } else {
        const struct time_zone *zone = in.zone != NULL ? in.zone : context->zone;
        TRY(timestamptz_from_local(zone, *timestamp, timestamp));
    }
    if (!timestamp_in_range(*timestamp))
        st = status_format(arena, E_DATETIME_OVERFLOW, "timestamp out of range: \"%.*s\"",
            bytes_shown(text), (const char *)text.data);
out:
    return st;
}

// "2024-02-29", as clients and files have nearly all of them, means the same in every style.
static bool date_parse_plain(struct bytes text, int64_t *date)
{
    int32_t parts[3] = {0};
    if (text.size != 10 || text.data[4] != '-' || text.data[7] != '-') return false;
    for (uint32_t i = 0, part = 0; i < 10; i++) {
        if (i == 4 || i == 7) {
            part++;
            continue;
        }
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        parts[part] = parts[part] * 10 + (text.data[i] - '0');
    }
    if (parts[0] < 1 || parts[1] < 1 || parts[1] > 12 || parts[2] < 1) return false;
    if (parts[2] > 28 && parts[2] > days_in_month(parts[0], parts[1])) return false;
    *date = date_from_parts(parts[0], parts[1], parts[2]);
    return true;
}

struct status date_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, int64_t *date)
{
    if (date_parse_plain(text, date)) return STATUS_OK;
    struct decoder in = {.context = context};
    enum outcome outcome = decode(&in, text);
    if (outcome == BAD_ZONE) return unknown_zone(arena, text);
    if (outcome != OK) return report(arena, outcome, "date", text);
    switch (in.special) {
    case SPECIAL_INFINITY: *date = DATE_INFINITY; return STATUS_OK;
    case SPECIAL_MINUS_INFINITY: *date = DATE_MINUS_INFINITY; return STATUS_OK;
    case SPECIAL_EPOCH: *date = -UNIX_EPOCH_DAYS; return STATUS_OK;
    case SPECIAL_NOW: take_today(&in); break;
    case SPECIAL_NONE: break;
    }
    *date = date_from_parts(in.parts.year, in.parts.month, in.parts.day);
    if (*date < DATE_MIN || *date > DATE_MAX)
        return status_format(arena, E_DATETIME_OVERFLOW, "date out of range: \"%.*s\"",
            bytes_shown(text), (const char *)text.data);
    return STATUS_OK;
}

// Time alone, or with a date before it, which is dropped.
static struct status parse_clock(struct arena *arena, const struct type_context *context,
    const char *type, struct bytes text, struct decoder *in)
{
    in->time_only = true;
    enum outcome outcome = decode(in, text);
    if (outcome == BAD_ZONE) return unknown_zone(arena, text);
    if (outcome == OK && in->special == SPECIAL_NOW) {
        int64_t local;
        struct time_zone_moment moment;
        struct status st = timestamptz_to_local(context->zone, context->now_us, &local, &moment);
        if (failed(st)) return st;
        timestamp_to_parts(local, &in->parts);
        in->have |= HAVE_TIME;
    }
    if (outcome == OK && (in->have & HAVE_TIME) == 0) outcome = BAD_FORMAT;
    // Which of its clocks a zone had, only a date can tell.
    if (outcome == OK && in->zone != NULL && (in->have & HAVE_DATE) != HAVE_DATE && !time_zone_is_fixed(in->zone))
        outcome = BAD_FORMAT;
    return outcome == OK ? STATUS_OK : report(arena, outcome, type, text);
}

struct status time_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, int64_t *time)
{
    struct decoder in = {.context = context};
    struct status st = parse_clock(arena, context, "time", text, &in);
    if (!failed(st))
        *time = time_from_parts(in.parts.hour, in.parts.minute, in.parts.second, in.parts.us);
    return st;
}

struct status timetz_parse(struct arena *arena, const struct type_context *context,
    struct bytes text, struct timetz *value)
{
    struct status st = STATUS_OK;
    struct decoder in = {.context = context};
    TRY(parse_clock(arena, context, "time with time zone", text, &in));
    value->us = time_from_parts(in.parts.hour, in.parts.minute, in.parts.second, in.parts.us);
    int32_t offset = in.offset_seconds;
    if ((in.have & HAVE_ZONE) == 0 || in.zone != NULL) {
        // The zone's clock on the date given, or today.
        const struct time_zone *zone = in.zone != NULL ? in.zone : context->zone;
        int64_t seconds = floor_div64(context->now_us + UNIX_EPOCH_US, US_PER_SECOND);
        if ((in.have & HAVE_DATE) == HAVE_DATE)
            seconds = (date_from_parts(in.parts.year, in.parts.month, in.parts.day) +
                          UNIX_EPOCH_DAYS) * 86400 + value->us / US_PER_SECOND;
        offset = time_zone_moment(zone, seconds).offset_seconds;
    }
    value->west_seconds = -offset;
out:
    return st;
}
