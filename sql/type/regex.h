// SPDX-License-Identifier: GPL-3.0-or-later
//
// Regular expressions: PostgreSQL's advanced ones, with its rule of which match is found. The match starts as far left as
// one can. Of those that start there the longest is taken, or the shortest when the whole expression prefers that: an
// expression prefers what its first quantified part does, one of several alternatives the longest. Parts then share the
// match out by their own preferences, earlier ones first; of alternatives that fit a part's share the first is taken.
//
// The expression becomes a tree of the parts that matter for that (groups, references, parts of other preferences) and one
// nondeterministic automaton (regex_tree.h). Matching walks deterministic ones that are made of it as they are needed
// (regex_run.c): one look a character, whatever the pattern. Only references to groups (\1) make it try again and again.
//
// Bounds   Patterns of 64 KiB; 65,536 states, after which it is "too complex" (2201B); states that are made as needed live in
//          1 MiB and are made again beyond. Long searches let others run, and can be cancelled. Where that cannot be, 54001
//          ends what takes too many steps.
// Memory   Compiled patterns live in the call's state, and are made anew when the pattern changes.
// Errors   2201B invalid regular expression, 22023 invalid option, 0A000 basic regular expressions ("b").
#pragma once
#include "sql/function/function.h"

struct regex;

struct regex_options {
    bool ignore_case;
    bool global;     // "g"
    bool lines;      // ^ and $ are the ends of lines ("n", "w").
    bool no_newline; // . and [^x] match no newline ("n", "p").
    bool expanded;   // "x": blanks and comments in the pattern count for nothing.
    bool literal;    // "q": the pattern is a string.
    bool extended;   // "e": no escapes of letters, nothing lazy, no (?.
    bool basic;      // "b", which is refused.
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

enum regex_want {
    REGEX_WHETHER, // There is a match: no spans.
    REGEX_WHOLE,   // Where it is: the first span.
    REGEX_GROUPS,  // And where each group is.
};
// Searches from byte offset `from`. The spans (whole match, then groups) last until the next search.
CHECKED struct status regex_search(struct regex *regex, struct bytes text, size_t from,
    enum regex_want want, bool *found, const struct regex_span **spans);

// SIMILAR TO's pattern as a regular expression. Empty `escape`: none.
CHECKED struct status regex_from_similar(
    struct arena *arena, struct bytes pattern, struct bytes escape, struct bytes *result);
