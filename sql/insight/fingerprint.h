// SPDX-License-Identifier: GPL-3.0-or-later
//
// A statement's fingerprint: its text without values, by which statements that differ only in these are counted together
// (sql/insight/insight.h). Not a key for plans: that is sql/parse/shape.h, which is stricter.
//
//     SELECT  v FROM t -- the key
//     WHERE k = 7 AND v <> 'x'        SELECT v FROM t WHERE k = $1 AND v <> $2
//
// In queries and DML every number and string is a value, in other statements every string (a password is one), and
// parameters are equal to values. Case of words, comments and white space make no difference.
//
// Shard    Any. Of a long text it suspends (core/work.h): when the task is cancelled then, the beginning counts.
// Memory   The text is in the arena given.
// Errors   None: text that does not end well counts as far as it goes.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"

#define FINGERPRINT_TEXT_BYTES_MAX 2048u

struct fingerprint {
    uint64_t id;      // Never 0.
    const char *text; // As first written, values as $1, $2...; cut to FINGERPRINT_TEXT_BYTES_MAX.
};
void fingerprint_make(struct arena *arena, struct bytes text, struct fingerprint *out);
// The same text with _ for each value, as crdb_internal shows it.
const char *fingerprint_anonymous(struct arena *arena, const char *text);
