// SPDX-License-Identifier: GPL-3.0-or-later
//
// Of columns of arrays and jsonb: which parts of values (sql/type/inverted.h) are in how many rows, for what conditions like
// @> and ? leave. Kept where other columns have the bounds of their histogram: the first number is the share of the
// rows that have a part which is not listed, in 2^-40; each other one a frequent part, the upper 40 bits of its hash
// and below them its share in 2^-24.
//
// Shard    Pure.
// Memory   The counter lies in the arena given: 128 KiB, whatever is counted.
// Source   Lossy counting: Manku, Motwani, "Approximate Frequency Counts over Data Streams" (2002).
#pragma once
#include "core/arena.h"
#include "sql/type/type.h"

struct part_counter;
// NULL: values of the type have no parts.
struct part_counter *part_counter_new(struct arena *arena, type_oid type);
CHECKED struct status part_counter_add(struct part_counter *counter, struct datum value);
// *count 0: no part was seen. `rows` are those of the table. At most `most` parts are listed.
void part_counter_finish(struct arena *arena, struct part_counter *counter, uint64_t rows,
    uint32_t most, uint32_t *count, uint64_t **numbers);
void part_counter_fini(struct part_counter *counter);

// The share of the rows for which `column operator value` may hold, from these numbers; below 0: unknown.
double parts_share(const uint64_t *numbers, uint32_t count, const char *operator, type_oid column,
    type_oid value_type, struct datum value);
