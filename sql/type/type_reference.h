// SPDX-License-Identifier: GPL-3.0-or-later
//
// How stored expressions, queries and bodies name what users have made: types by their ids in the place of their schemas
// (pg_type_107.mood), as functions are (function_reference()), so that both can be renamed and moved. What stands behind the
// dot is the name that it had then, and counts for nothing.
#pragma once
#include "core/arena.h"

const char *type_reference(struct arena *arena, uint32_t id);
// False: it is the name of a schema, or NULL.
bool type_is_reference(const char *schema, uint32_t *id);

// A word of a statement's text that stands by itself, not in a literal or in quotes.
struct stored_word {
    const char *start, *end;
};
// The next one from *at on, which moves behind it. False: there is none.
bool stored_word_next(const char **at, struct stored_word *word);

struct stored_reference {
    bool type; // Else a function.
    uint32_t id;
    const char *start, *end; // With the name behind the dot.
};
// Whether the word is the start of one.
bool stored_reference_at(struct arena *arena, struct stored_word word, struct stored_reference *reference);
