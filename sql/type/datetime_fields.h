// SPDX-License-Identifier: GPL-3.0-or-later
//
// The fields that the text of a date, time or interval is cut into. For datetime_input.c and interval.c.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

#define FIELDS_MAX 25
#define FIELD_BYTES_MAX 64

enum field_kind {
    FIELD_NUMBER, // 12, 12.5, .5
    FIELD_DATE,   // 2026-01-31, 31/Jan/2026; also names with such characters: America/New_York
    FIELD_TIME,   // 12:34:56.789
    FIELD_ZONE,   // A sign and digits: +01:30
    FIELD_WORD,   // Letters, perhaps with a sign before: -infinity
};
struct field {
    enum field_kind kind;
    struct bytes text;
};

// False when the text has what belongs into none, or too many.
bool datetime_cut(struct bytes text, struct field fields[FIELDS_MAX], uint32_t *count);
