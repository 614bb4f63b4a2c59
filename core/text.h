// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text as people type and read it: UTF-8, quoted names and literals, numbers, byte sizes
// ("128MiB"), durations ("1h30m"), and the nearest of some names for "did you mean".
//
// Not collation, case mapping beyond ASCII or SQL types: those are sql/'s.
//
// Time     Durations are signed nanoseconds.
// Memory   Writers append to a struct buffer or fill the caller's array; nothing is kept.
// Errors   Parsers return false and leave the result alone: their callers know which SQLSTATE it
//          is.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"

// --- UTF-8 ---------------------------------------------------------------------------------------

// Well-formed by RFC 3629 (no surrogates, no over-long forms) and without U+0000.
bool utf8_valid(struct bytes text);
// Characters in well-formed text.
size_t utf8_length(struct bytes text);
// Bytes of the first `characters` characters, or of all when there are fewer.
size_t utf8_prefix_bytes(struct bytes text, size_t characters);
// Bytes of the character that starts with this byte; 1 for a byte that starts none.
static inline size_t utf8_size_of(uint8_t first)
{
    if (first < 0xc0) return 1;
    if (first < 0xe0) return 2;
    return first < 0xf0 ? 3 : 4;
}
// Decodes one character of well-formed text.
uint32_t utf8_decode(const uint8_t *at);
// Writes one character; returns its size, 0 when `code` is none.
size_t utf8_encode(uint32_t code, uint8_t out[4]);
// How much of what may be of any size a message shows ("%.*s"): whole characters.
#define BYTES_SHOWN_MAX 8192u
int bytes_shown(struct bytes text);
// Appends one character; nothing when `code` is none.
void utf8_append(struct buffer *out, uint32_t code);

// --- ASCII ---------------------------------------------------------------------------------------

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
static inline char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}
static inline bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
// Equality and order without regard to ASCII case.
bool text_equal_nocase(struct bytes a, struct bytes b);
bool string_equal_nocase(const char *a, const char *b);
struct bytes text_trim(struct bytes text);
// A lower-case copy (ASCII letters only, as PostgreSQL folds names).
char *text_lower(struct arena *arena, struct bytes text);

// --- quoting -------------------------------------------------------------------------------------

// An SQL name: bare when it is lower-case letters, digits and underscores and no reserved word (as
// `reserved` says; NULL: none is), else in double quotes.
void text_quote_name(struct buffer *out, struct bytes name, bool (*reserved)(struct bytes word));
// An SQL string literal: 'it''s', or e'...' when it holds a backslash or a control character.
void text_quote_literal(struct buffer *out, struct bytes text);
// A JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
void text_quote_json(struct buffer *out, struct bytes text);

// --- numbers -------------------------------------------------------------------------------------

// The whole text, decimal, an optional sign; no spaces. False also when out of range.
bool text_parse_i64(struct bytes text, int64_t *value);
bool text_parse_u64(struct bytes text, uint64_t *value);
bool text_parse_double(struct bytes text, double *value);
// true/t/yes/y/on/1 and their opposites, any case, as PostgreSQL takes them (unique prefixes too).
bool text_parse_bool(struct bytes text, bool *value);

// "4096", "128MiB", "128 MB", "1.5GiB", "64k". Letters K M G T P E; with an i, or alone, they are
// powers of 1024; as kB, MB ... they are what `decimal_bytes` says. "25%", "0.25" and ".25" are
// shares of `whole`, refused when it is 0 and beyond 100 %.
struct size_rules {
    uint64_t whole;     // What a share is of.
    bool decimal_bytes; // MB = 10^6 (command line) instead of 2^20 (PostgreSQL's settings).
};
bool text_parse_size(struct bytes text, struct size_rules rules, uint64_t *bytes);
// "512 B", "1.5 KiB", "128 MiB": one decimal when not whole.
void text_format_size(struct buffer *out, uint64_t bytes);

// "1h30m", "-10s", "1.5h", "250ms", "10us", "1 hour 30 minutes", "00:01:30", "-00:00:30.5", "1d2h",
// "2 days 03:04:05". A bare number is in `bare_unit_ns`, refused when that is 0 (a bare 0 is always
// taken). Months and years are no durations.
bool text_parse_duration(struct bytes text, int64_t bare_unit_ns, int64_t *duration_ns);
// "1h30m0s", "250ms", "1.5s", "0s".
void text_format_duration(struct buffer *out, int64_t duration_ns);
// "01:30:00", "-00:00:00.25", "26:00:00": as an interval without days prints.
void text_format_interval(struct buffer *out, int64_t duration_ns);
// "2026-06-12 22:42:01.123456+00" (UTC, microseconds, trailing zeros dropped).
void text_format_time(struct buffer *out, int64_t wall_ns);

// Civil date from days since 1970-01-01 and back (proleptic Gregorian).
struct civil_date {
    int64_t year;
    uint32_t month, day; // From 1.
};
struct civil_date civil_from_days(int64_t days);
int64_t days_from_civil(int64_t year, uint32_t month, uint32_t day);

// --- suggestions ---------------------------------------------------------------------------------

// Of `names` (NULL-terminated) the nearest to `text` by edits, when near enough to be meant; else
// NULL.
const char *text_nearest(const char *text, const char *const *names);
