// SPDX-License-Identifier: GPL-3.0-or-later
//
// A statement's shape: its text with literals taken out as parameters, so that statements which
// differ only in values share one plan. The grammar runs once a shape.
//
//     SELECT abalance FROM t WHERE aid = 42;      shape: select abalance from t where aid=$1
//                                                 literal 1: integer 42
//
// Only where a parameter of the literal's type means the same as the literal: one SELECT, INSERT,
// UPDATE, DELETE or UPSERT statement. Refused (the caller parses the text as it is): several
// statements, $n already there, typed literals (date '...'), intervals, casts of literals, literals
// in ORDER BY and GROUP BY, WITH, set operations, arrays, names that are cut, and whatever else is in doubt.
//
// When a shape's text does not parse or plan, the caller goes back to the statement's own text (and
// its error positions): a parameter of unknown type may be refused where a literal is not.
//
// Shard    Any. Pure.
// Memory   The caller's struct, too big for a fiber's stack: keep one a session or shard.
// Errors   None: false when the text has no shape.
#pragma once
#include <stdbool.h>

#include "core/bytes.h"

#define SHAPE_TEXT_BYTES_MAX 4096u
#define SHAPE_LITERALS_MAX 64u

enum shape_literal_kind {
    SHAPE_INTEGER, // Type int4.
    SHAPE_BIGINT,  // Type int8: the digits do not fit int4.
    SHAPE_DECIMAL, // Type numeric.
    SHAPE_STRING,  // Of unknown type: takes that of its place.
};

struct shape_literal {
    enum shape_literal_kind kind;
    bool escaped;      // A string with '' in it: `text` still has them doubled.
    uint32_t position; // Byte offset in the statement's text.
    struct bytes text; // There: a number with its minus; a string without its outer quotes.
    int64_t integer;   // SHAPE_INTEGER, SHAPE_BIGINT.
};

struct shape {
    uint64_t hash; // Of text, and of the literals' kinds.
    uint32_t size; // Of text.
    uint32_t literal_count;
    struct shape_literal literals[SHAPE_LITERALS_MAX];
    // Normalised: literals are $1, $2, ...; white space and comments collapsed; words in lower
    // case. A valid statement by itself: what is parsed and planned for the shape.
    uint8_t text[SHAPE_TEXT_BYTES_MAX];
};

// False: this text has no shape, and *out is undefined.
bool shape_of(struct bytes text, struct shape *out);

// Copies a literal's text with doubled quotes made single. `out` has at least literal->text.size
// bytes; returns the size.
size_t shape_literal_unescape(const struct shape_literal *literal, uint8_t *out);
