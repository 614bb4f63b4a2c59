// SPDX-License-Identifier: GPL-3.0-or-later
//
// LIKE: % any run, _ one character, a backslash before what is meant as itself.
//
// Errors   22025 a pattern that ends with its escape character, or a wrong ESCAPE.
#pragma once
#include "core/arena.h"
#include "core/status.h"

// `call` may be NULL; otherwise they suspend as function_work does.
struct function_call;
CHECKED struct status like_match(
    struct function_call *call, struct bytes text, struct bytes pattern, bool *matches);
// Bytes, not characters: bytea.
CHECKED struct status like_match_bytes(
    struct function_call *call, struct bytes text, struct bytes pattern, bool *matches);
// What the pattern's matches all begin with, backslashes taken off; *exact: the pattern is only that.
// For the planner, which reads an index from there.
struct bytes like_prefix(struct arena *arena, struct bytes pattern, bool *exact);
// A pattern written for another escape character (none when empty) as one for the backslash.
CHECKED struct status like_escape(
    struct arena *arena, struct bytes pattern, struct bytes escape, struct bytes *result);
