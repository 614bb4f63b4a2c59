// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/work.h"

// --- UTF-8 ---------------------------------------------------------------------------------------

// The size of the well-formed character at `at`, 0 when there is none. RFC 3629, section 4.
static size_t utf8_check(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80) return lead == 0 ? 0 : 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    size_t size = utf8_size_of(lead);
    if (size > left) return 0;
    uint8_t low = 0x80, high = 0xbf; // Of the second byte.
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    if (at[1] < low || at[1] > high) return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
    }
    return size;
}

bool utf8_valid(struct bytes text)
{
    size_t at = 0;
    while (at < text.size) {
        // Eight plain characters at a time: none has the high bit, none is zero.
        if (text.size - at >= 8) {
            uint64_t word;
            memcpy(&word, text.data + at, 8);
            uint64_t zeroes = (word - 0x0101010101010101u) & ~word;
            if (((word | zeroes) & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        size_t size = utf8_check(text.data + at, text.size - at);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

size_t utf8_length(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

size_t utf8_prefix_bytes(struct bytes text, size_t characters)
{
    size_t at = 0;
    for (; characters > 0 && at < text.size; characters--)
        at += utf8_size_of(text.data[at]);
    return at < text.size ? at : text.size;
}

uint32_t utf8_decode(const uint8_t *at)
{
    switch (utf8_size_of(at[0])) {
    case 1: return at[0];
    case 2: return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    case 3: return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    default:
        return (at[0] & 0x07u) << 18 | (at[1] & 0x3fu) << 12 | (at[2] & 0x3fu) << 6 |
               (at[3] & 0x3fu);
    }
}

size_t utf8_encode(uint32_t code, uint8_t out[4])
{
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (uint8_t)(lead[size] | code);
    return size;
}

int bytes_shown(struct bytes text)
{
    size_t size = text.size;
    if (size > BYTES_SHOWN_MAX)
        for (size = BYTES_SHOWN_MAX; size > BYTES_SHOWN_MAX - 3 && (text.data[size] & 0xc0) == 0x80;) size--;
    return (int)size;
}

void utf8_append(struct buffer *out, uint32_t code)
{
    uint8_t bytes[4];
    buffer_append(out, bytes, utf8_encode(code, bytes));
}

// --- ASCII ---------------------------------------------------------------------------------------

bool text_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.size != b.size) return false;
    for (size_t i = 0; i < a.size; i++) {
        if (ascii_lower((char)a.data[i]) != ascii_lower((char)b.data[i])) return false;
    }
    return true;
}

bool string_equal_nocase(const char *a, const char *b)
{
    return text_equal_nocase(bytes_of_string(a), bytes_of_string(b));
}

struct bytes text_trim(struct bytes text)
{
    while (text.size > 0 && ascii_space((char)text.data[0]))
        text = bytes_skip(text, 1);
    while (text.size > 0 && ascii_space((char)text.data[text.size - 1]))
        text.size--;
    return text;
}

char *text_lower(struct arena *arena, struct bytes text)
{
    char *copy = arena_string(arena, text);
    for (size_t i = 0; i < text.size; i++)
        copy[i] = ascii_lower(copy[i]);
    return copy;
}

// --- quoting -------------------------------------------------------------------------------------

void text_quote_name(struct buffer *out, struct bytes name, bool (*reserved)(struct bytes word))
{
    bool bare = name.size > 0 && !ascii_digit((char)name.data[0]);
    for (size_t i = 0; i < name.size && bare; i++) {
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
        char c = (char)name.data[i];
        bare = (c >= 'a' && c <= 'z') || ascii_digit(c) || c == '_';
    }
    if (bare && (reserved == NULL || !reserved(name))) {
        buffer_append_bytes(out, name);
        return;
    }
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < name.size; i++) {
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
        if (name.data[i] == '"') buffer_append_u8(out, '"');
        buffer_append_u8(out, name.data[i]);
    }
    buffer_append_u8(out, '"');
}

void text_quote_literal(struct buffer *out, struct bytes text)
{
    bool escape = false;
    for (size_t i = 0; i < text.size; i++)
        escape = escape || text.data[i] == '\\' || text.data[i] < 0x20 || text.data[i] == 0x7f;
    buffer_append_string(out, escape ? "e'" : "'");
    for (size_t i = 0; i < text.size; i++) {
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return;
        uint8_t c = text.data[i];
        if (c == '\'') {
            buffer_append_string(out, "''");
        } else if (c == '\\') {
            buffer_append_string(out, "\\\\");
        } else if (c == '\n') {
            buffer_append_string(out, "\\n");
        } else if (c == '\t') {
            buffer_append_string(out, "\\t");
        } else if (c == '\r') {
            buffer_append_string(out, "\\r");
        } else if (c < 0x20 || c == 0x7f) {
            buffer_printf(out, "\\x%02x", c);
        } else {
            buffer_append_u8(out, c);
        }
    }
    buffer_append_u8(out, '\'');
}

void text_quote_json(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '"');
    for (size_t at = 0; at < text.size;) {
        uint8_t c = text.data[at];
        size_t size = c == 0 ? 1 : utf8_check(text.data + at, text.size - at);
        if (c == '"' || c == '\\') {
            buffer_append_u8(out, '\\');
            buffer_append_u8(out, c);
        } else if (c == '\n') {
            buffer_append_string(out, "\\n");
        } else if (c == '\t') {
            buffer_append_string(out, "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            buffer_printf(out, "\\u%04x", c);
        } else if (size == 0) {
            buffer_append_string(out, "\xef\xbf\xbd");
            size = 1;
        } else {
            buffer_append(out, text.data + at, size);
        }
        at += size;
    }
    buffer_append_u8(out, '"');
}

// --- numbers -------------------------------------------------------------------------------------

bool text_parse_u64(struct bytes text, uint64_t *value)
{
    uint64_t result = 0;
    if (text.size > 0 && text.data[0] == '+') text = bytes_skip(text, 1);
    if (text.size == 0) return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!ascii_digit((char)text.data[i])) return false;
        if (__builtin_mul_overflow(result, 10, &result)) return false;
        if (__builtin_add_overflow(result, (uint64_t)(text.data[i] - '0'), &result)) return false;
    }
    *value = result;
    return true;
}

bool text_parse_i64(struct bytes text, int64_t *value)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t magnitude;
    if (negative) {
        text = bytes_skip(text, 1);
        if (text.size > 0 && text.data[0] == '+') return false;
    }
    if (!text_parse_u64(text, &magnitude)) return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0)) return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool text_parse_double(struct bytes text, double *value)
{
    char copy[512];
    if (text.size == 0 || text.size >= sizeof copy || ascii_space((char)text.data[0])) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    char *end;
    errno = 0;
    double result = strtod(copy, &end);
    if (end != copy + text.size || (errno == ERANGE && fabs(result) > 1)) return false;
    *value = result;
    return true;
}

bool text_parse_bool(struct bytes text, bool *value)
{
    static const struct {
        const char *word;
        size_t size_least; // The shortest prefix that is no other word's.
        bool value;
    } words[] = {{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
        {"on", 2, true}, {"off", 2, false}, {"1", 1, true}, {"0", 1, false}};
    text = text_trim(text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct bytes word = bytes_of_string(words[i].word);
        if (text.size < words[i].size_least || text.size > word.size) continue;
        if (!text_equal_nocase(text, bytes_of(word.data, text.size))) continue;
        *value = words[i].value;
        return true;
    }
    return false;
}

// Takes a decimal number with an optional fraction off the front of *text: whole and numerator over
// `scale` (at most 10^9). No floating point, so that every run and machine agrees.
struct decimal {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale;
};
static bool decimal_take(struct bytes *text, struct decimal *out)
{
    struct bytes at = *text;
    size_t digits = 0;
    *out = (struct decimal){.scale = 1};
    for (; at.size > 0 && ascii_digit((char)at.data[0]); at = bytes_skip(at, 1), digits++) {
        if (__builtin_mul_overflow(out->whole, 10, &out->whole)) return false;
        if (__builtin_add_overflow(out->whole, (uint64_t)(at.data[0] - '0'), &out->whole))
            return false;
    }
    if (at.size > 0 && at.data[0] == '.') {
        at = bytes_skip(at, 1);
        for (; at.size > 0 && ascii_digit((char)at.data[0]); at = bytes_skip(at, 1), digits++) {
            if (out->scale >= 1000000000) continue;
            out->fraction = out->fraction * 10 + (uint64_t)(at.data[0] - '0');
            out->scale *= 10;
        }
    }
    *text = at;
    return digits > 0;
}

// whole * unit + fraction * unit / scale.
static bool decimal_times(struct decimal number, uint64_t unit, uint64_t *out)
{
    unsigned __int128 part = (unsigned __int128)number.fraction * unit / number.scale;
    uint64_t whole;
    if (__builtin_mul_overflow(number.whole, unit, &whole)) return false;
    return !__builtin_add_overflow(whole, (uint64_t)part, out);
}

bool text_parse_size(struct bytes text, struct size_rules rules, uint64_t *bytes)
{
    struct decimal number;
    text = text_trim(text);
    bool leading_point = text.size > 0 && text.data[0] == '.';
    if (!decimal_take(&text, &number)) return false;
    text = text_trim(text);

    bool percent = text.size == 1 && text.data[0] == '%';
    bool share = text.size == 0 && (leading_point || (number.scale > 1 && number.whole == 0));
    if (percent || share) {
        if (rules.whole == 0) return false;
        if (percent) number.scale *= 100;
        unsigned __int128 part =
            ((unsigned __int128)number.whole * (percent ? number.scale / 100 : number.scale) +
                number.fraction) *
            rules.whole / number.scale;
        if (part > rules.whole) return false;
        *bytes = (uint64_t)part;
        return true;
    }
    if (text.size == 0) return number.scale == 1 && decimal_times(number, 1, bytes);
    if (text.size == 1 && ascii_upper((char)text.data[0]) == 'B')
        return decimal_times(number, 1, bytes);

    static const char letters[] = "KMGTPE";
    const char *letter = strchr(letters, ascii_upper((char)text.data[0]));
    if (letter == NULL || *letter == 0) return false;
    struct bytes rest = bytes_skip(text, 1);
    bool binary = rest.size > 0 && ascii_lower((char)rest.data[0]) == 'i';
    bool bare = rest.size == 0;
    if (binary) rest = bytes_skip(rest, 1);
    if (rest.size > 1 || (rest.size == 1 && ascii_upper((char)rest.data[0]) != 'B')) return false;
    uint64_t unit = 1;
    for (long power = letter - letters; power >= 0; power--)
        unit *= rules.decimal_bytes && !binary && !bare ? 1000 : 1024;
    return decimal_times(number, unit, bytes);
}

void text_format_size(struct buffer *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint32_t power = 0;
    uint64_t unit = 1;
    while (power < 6 && bytes / unit >= 1024) {
        unit *= 1024;
        power++;
    }
    uint64_t whole = bytes / unit;
    uint64_t tenths = (uint64_t)((unsigned __int128)(bytes % unit) * 10 / unit);
    if (tenths == 0) {
        buffer_printf(out, "%" PRIu64 " %s", whole, units[power]);
    } else {
        buffer_printf(out, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[power]);
    }
}

// --- durations -----------------------------------------------------------------------------------

#define US INT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const struct {
    const char *name;
    int64_t unit_ns;
} duration_units[] = {
    {"ns", 1},
    {"nanosecond", 1},
    {"nanoseconds", 1},
    {"us", US},
    {"\xc2\xb5s", US},
    {"\xce\xbcs", US},
    {"microsecond", US},
    {"microseconds", US},
    {"ms", MS},
    {"millisecond", MS},
    {"milliseconds", MS},
    {"msec", MS},
    {"msecs", MS},
    {"s", SECOND},
    {"sec", SECOND},
    {"secs", SECOND},
    {"second", SECOND},
    {"seconds", SECOND},
    {"m", MINUTE},
    {"min", MINUTE},
    {"mins", MINUTE},
    {"minute", MINUTE},
    {"minutes", MINUTE},
    {"h", HOUR},
    {"hr", HOUR},
    {"hrs", HOUR},
    {"hour", HOUR},
    {"hours", HOUR},
    {"d", DAY},
    {"day", DAY},
    {"days", DAY},
    {"w", 7 * DAY},
    {"week", 7 * DAY},
    {"weeks", 7 * DAY},
};

// Takes "HH:MM[:SS[.ffffff]]", of which `hours` has been read and *text is at the colon.
static bool clock_take(struct bytes *text, uint64_t hours, uint64_t *ns)
{
    struct decimal minutes, seconds = {.scale = 1};
    *text = bytes_skip(*text, 1);
    if (!decimal_take(text, &minutes) || minutes.scale != 1 || minutes.whole > 59) return false;
    if (text->size > 0 && text->data[0] == ':') {
        *text = bytes_skip(*text, 1);
        if (!decimal_take(text, &seconds) || seconds.whole > 59) return false;
    }
    uint64_t parts[3];
    if (!decimal_times((struct decimal){hours, 0, 1}, (uint64_t)HOUR, &parts[0])) return false;
    if (!decimal_times(minutes, (uint64_t)MINUTE, &parts[1])) return false;
    if (!decimal_times(seconds, (uint64_t)SECOND, &parts[2])) return false;
    return !__builtin_add_overflow(parts[0], parts[1] + parts[2], ns);
}

// Takes one part: a number and its unit, or a clock.
static bool duration_part_take(struct bytes *text, int64_t bare_unit_ns, bool only, uint64_t *ns)
{
    struct decimal number;
    if (!decimal_take(text, &number)) return false;
    if (text->size > 0 && text->data[0] == ':' && number.scale == 1)
        return clock_take(text, number.whole, ns);

    *text = text_trim(*text);
    size_t size = 0;
    while (size < text->size) {
        uint8_t c = text->data[size];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
        if (!letter) break;
        size++;
    }
    if (size == 0) {
        if (text->size > 0 || !only) return false;
        if (number.whole == 0 && number.fraction == 0) bare_unit_ns = 1;
        return bare_unit_ns > 0 && decimal_times(number, (uint64_t)bare_unit_ns, ns);
    }
    struct bytes unit = bytes_of(text->data, size);
    *text = bytes_skip(*text, size);
    for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++) {
        if (!text_equal_nocase(unit, bytes_of_string(duration_units[i].name))) continue;
        return decimal_times(number, (uint64_t)duration_units[i].unit_ns, ns);
    }
    return false;
}

bool text_parse_duration(struct bytes text, int64_t bare_unit_ns, int64_t *duration_ns)
{
    uint64_t total = 0;
    text = text_trim(text);
    bool negative = text.size > 0 && text.data[0] == '-';
    if (negative || (text.size > 0 && text.data[0] == '+')) text = text_trim(bytes_skip(text, 1));
    if (text.size == 0) return false;
    for (bool first = true; text.size > 0; first = false) {
        uint64_t part;
        if (!duration_part_take(&text, bare_unit_ns, first, &part)) return false;
        if (__builtin_add_overflow(total, part, &total)) return false;
        text = text_trim(text);
    }
    if (total > (uint64_t)INT64_MAX) return false;
    *duration_ns = negative ? -(int64_t)total : (int64_t)total;
    return true;
}

// `value` / 10^digits as a decimal without trailing zeros.
static void append_decimal(struct buffer *out, uint64_t value, uint32_t digits)
{
    uint64_t scale = 1;
    for (uint32_t i = 0; i < digits; i++)
        scale *= 10;
    buffer_printf(out, "%" PRIu64, value / scale);
    uint64_t fraction = value % scale;
    if (fraction == 0) return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    buffer_printf(out, ".%0*" PRIu64, (int)digits, fraction);
}

static uint64_t magnitude_of(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

void text_format_duration(struct buffer *out, int64_t duration_ns)
{
    uint64_t ns = magnitude_of(duration_ns);
    if (duration_ns < 0) buffer_append_u8(out, '-');
    if (ns == 0) {
        buffer_append_string(out, "0s");
    } else if (ns < (uint64_t)US) {
        buffer_printf(out, "%" PRIu64 "ns", ns);
    } else if (ns < (uint64_t)MS) {
        append_decimal(out, ns, 3);
        buffer_append_string(out, "us");
    } else if (ns < (uint64_t)SECOND) {
        append_decimal(out, ns, 6);
        buffer_append_string(out, "ms");
    } else {
        uint64_t hours = ns / (uint64_t)HOUR;
        uint64_t minutes = ns / (uint64_t)MINUTE % 60;
        if (hours > 0) buffer_printf(out, "%" PRIu64 "h", hours);
        if (hours > 0 || minutes > 0) buffer_printf(out, "%" PRIu64 "m", minutes);
        append_decimal(out, ns % (uint64_t)MINUTE, 9);
        buffer_append_u8(out, 's');
    }
}

void text_format_interval(struct buffer *out, int64_t duration_ns)
{
    uint64_t us = magnitude_of(duration_ns) / 1000;
    uint64_t seconds = us / 1000000;
    buffer_printf(out, "%s%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, duration_ns < 0 ? "-" : "",
        seconds / 3600, seconds / 60 % 60, seconds % 60);
    uint64_t fraction = us % 1000000;
    int digits = 6;
    if (fraction == 0) return;
    for (; fraction % 10 == 0; digits--)
        fraction /= 10;
    buffer_printf(out, ".%0*" PRIu64, digits, fraction);
}

// Both directions count years from 1 March, so that the leap day is a year's last.
int64_t days_from_civil(int64_t year, uint32_t month, uint32_t day)
{
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct civil_date civil_from_days(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    uint32_t month = (uint32_t)(shifted < 10 ? shifted + 3 : shifted - 9);
    return (struct civil_date){
        .year = year_of_era + era * 400 + (month <= 2 ? 1 : 0),
        .month = month,
        .day = (uint32_t)(day_of_year - (153 * shifted + 2) / 5 + 1),
    };
}

void text_format_time(struct buffer *out, int64_t wall_ns)
{
    int64_t days = wall_ns / DAY - (wall_ns % DAY < 0 ? 1 : 0);
    struct civil_date date = civil_from_days(days);
    buffer_printf(out, "%04" PRId64 "-%02u-%02u ", date.year, date.month, date.day);
    text_format_interval(out, wall_ns - days * DAY);
    buffer_append_string(out, "+00");
}

// --- suggestions ---------------------------------------------------------------------------------

#define NEAREST_BYTES_MAX 64

// Edits (insert, delete, replace, swap of neighbours counts two) between two short words.
static uint32_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    uint32_t row[NEAREST_BYTES_MAX + 1];
    for (uint32_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_size; j++) {
            uint32_t replace = diagonal + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));
            uint32_t best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = replace < best ? replace : best;
        }
    }
    return row[b_size];
}

const char *text_nearest(const char *text, const char *const *names)
{
    const char *nearest = NULL;
    size_t size = strlen(text);
    if (size == 0 || size > NEAREST_BYTES_MAX) return NULL;
    uint32_t best = (uint32_t)size / 3 + 1; // More edits than that are another word.
    for (; *names != NULL; names++) {
        size_t name_size = strlen(*names);
        if (name_size > NEAREST_BYTES_MAX) continue;
        uint32_t distance = edit_distance(text, size, *names, name_size);
        bool nearer = nearest == NULL ? distance <= best : distance < best;
        if (!nearer) continue;
        nearest = *names;
        best = distance;
    }
    return nearest;
}
