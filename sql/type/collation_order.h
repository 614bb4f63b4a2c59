// SPDX-License-Identifier: GPL-3.0-or-later
//
// The order of two texts by an ICU collator, when they are long: in steps, so that others run in between and a cancelled
// statement ends soon. Short texts are one call of ICU's (sql/type/collation.c).
//
// What both texts begin with decides nothing, but as far as it is read together with what follows: the order is that of
// the rests from the last code point of the common beginning before which every collation element ends. ICU reads these
// rests by an iterator that counts as it goes.
//
// Shard    Any. It suspends (core/work.h), where the task may.
// Memory   The set belongs to who asked for it (uset_close). ICU keeps what it reads while the letters are the same, 8
//          bytes a letter, until it returns.
// Errors   None: a failure of ICU's is for the caller to see in `error`.
#pragma once
#include <unicode/ucol.h>
#include <unicode/uset.h>

#include "core/bytes.h"

// The code points that may be read together with what stands before them: inner ones of contractions. NULL: out of memory.
// It reads all of the collator's data, some milliseconds: once for each collator.
USet *collation_inner_code_points(const UCollator *collator);

// When the task was cancelled meanwhile, any answer.
int collation_order(const UCollator *collator, const USet *inner, struct bytes a, struct bytes b, UErrorCode *error);

// Where the rests begin, of two texts in UTF-8 that are the same up to `same` bytes. For the tests.
size_t collation_cut(const USet *inner, struct bytes a, struct bytes b, size_t same);
