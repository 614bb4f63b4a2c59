// SPDX-License-Identifier: GPL-3.0-or-later
//
// PostgreSQL's encodings of characters, by name and number, and texts from and to UTF-8 through ICU's converters.
//
// Shard    Pure.
// Memory   Results lie in `arena`; converters are closed before returning.
// Errors   22021 bytes that are no text of the encoding; 22P05 a character that the other encoding lacks; 0A000
//          encodings that ICU does not know (EUC_JIS_2004, SHIFT_JIS_2004, MULE_INTERNAL, JOHAB, LATIN10).
// Source   PostgreSQL 15 manual, section 24.3.
#pragma once
#include "core/arena.h"
#include "core/status.h"

#define ENCODING_SQL_ASCII 0
#define ENCODING_UTF8 6
#define ENCODING_COUNT 42

// A number from a name in any of its spellings ("latin1", "ISO-8859-1"); -1: none.
int32_t encoding_find(struct bytes name);
// "" for a number that is none.
const char *encoding_name(int64_t number);
// Of its longest character in bytes; 0 for a number that is none.
int32_t encoding_character_bytes(int64_t number);

CHECKED struct status encoding_to_utf8(
    struct arena *arena, int32_t encoding, struct bytes text, struct bytes *out);
CHECKED struct status encoding_from_utf8(
    struct arena *arena, int32_t encoding, struct bytes text, struct bytes *out);
