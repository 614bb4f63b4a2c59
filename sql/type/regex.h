// SPDX-License-Identifier: GPL-3.0-or-later
//
// Regular expressions, by PCRE2, in the dialect of PostgreSQL's advanced ones where the two agree:
// . and [^x] match newlines, ^ and $ only the ends of the text, \m \M \y \Y \A \Z are understood, as are
// options in front: (?i), ***=. Where several matches are possible PCRE2's rule (the first alternative
// that fits) holds, not the longest.
//
// Bounds   Backtracking steps and memory are limited: 54001 beyond.
// Memory   Compiled patterns live in the call's state, and are made anew when the pattern changes.
// Errors   2201B invalid regular expression, 22023 invalid option.
#pragma once
#include "sql/function/function.h"

struct regex;

struct regex_options {
    bool ignore_case;
    bool global;     // "g"
    bool whole;      // Anchored at both ends: for SIMILAR TO.
    bool lines;      // ^ and $ are the ends of lines ("n", "w").
    bool no_newline; // . and [^x] match no newline ("n", "p").
    bool expanded;   // "x": blanks and comments in the pattern count for nothing.
    bool literal;    // "q": the pattern is a string.
};
// "gi" and the like.
CHECKED struct status regex_options_parse(
    struct arena *arena, struct bytes text, struct regex_options *options);

// The compiled pattern, from the call's state when it is the same as before.
CHECKED struct status regex_compile(struct function_call *call, struct bytes pattern,
    struct regex_options options, struct regex **regex);

struct regex_span {
    size_t start, end; // start SIZE_MAX: this group took no part.
};
uint32_t regex_group_count(const struct regex *regex); // Without the whole match.
// Searches from byte offset `from`. The spans (whole match, then groups) last until the next search.
CHECKED struct status regex_search(struct regex *regex, struct bytes text, size_t from,
    bool *found, const struct regex_span **spans);

// SIMILAR TO's pattern as a regular expression. Empty `escape`: none.
CHECKED struct status regex_from_similar(
    struct arena *arena, struct bytes pattern, struct bytes escape, struct bytes *result);
