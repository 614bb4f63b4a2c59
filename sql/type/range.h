// SPDX-License-Identifier: GPL-3.0-or-later
//
// Range values: everything between two bounds of one subtype. The six types of PostgreSQL differ only in what a row of
// one table says: the subtype, and whether it has a next value, so that there is one canonical form.
//
//   u8 flags (RANGE_EMPTY, ...), then the lower and the upper bound as type_value_encode, each only when it is finite.
//
// Shard    Pure.
// Memory   Bounds of an open range point into the datum; results lie in the arena given.
// Errors   22000 bounds in the wrong order, a union or difference that is no range; 22003, 22008 no next value;
//          XX001 bytes that are no range.
// Source   PostgreSQL 15 manual, sections 8.17 and 9.20.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/type.h"

// Of the binary form too.
#define RANGE_EMPTY 0x01u
#define RANGE_LOWER_INCLUSIVE 0x02u
#define RANGE_UPPER_INCLUSIVE 0x04u
#define RANGE_LOWER_INFINITE 0x08u
#define RANGE_UPPER_INFINITE 0x10u

struct range_type {
    type_oid range, subtype, multirange;
    bool discrete;
};
const struct range_type *range_type_of(type_oid oid); // NULL: no range type.
const struct range_type *multirange_type_of(type_oid oid); // That of its ranges; NULL: no multirange type.
const struct range_type *range_type_at(uint32_t index); // All of them, for pg_range; NULL past the end.
static inline bool type_is_range(type_oid oid)
{
    return range_type_of(oid) != NULL;
}

struct range_bound {
    struct datum value;
    bool infinite, inclusive; // An infinite one is never inclusive.
    bool upper;
};
struct range {
    bool empty;
    struct range_bound lower, upper;
};

// XX001 when the bytes are no range of the type.
CHECKED struct status range_open(const struct range_type *type, struct datum value, struct range *range);
// Takes one off the front of `in`.
CHECKED struct status range_take(const struct range_type *type, struct bytes *in, struct range *range);
void range_append(struct buffer *out, const struct range_type *type, const struct range *range);
struct datum range_datum(
    struct arena *arena, const struct range_type *type, const struct range *range);
// From bounds as they are given: their order is checked, what holds nothing is empty, discrete ones get the form [a,b).
CHECKED struct status range_make(const struct range_type *type, struct range_bound lower,
    struct range_bound upper, struct range *range);

// Where the bounds lie, whatever side they are of: (1 comes after 1], which comes after 1).
int range_bound_compare(
    const struct range_type *type, const struct range_bound *a, const struct range_bound *b);
// As B-trees have it: the empty one first, then by the lower and the upper bound.
int range_compare(const struct range_type *type, const struct range *a, const struct range *b);

// Nothing lies between an upper bound and the lower one of what follows, and nothing is in both.
bool range_bounds_touch(const struct range_type *type, const struct range_bound *upper,
    const struct range_bound *lower);
bool range_holds(const struct range_type *type, const struct range *range, struct datum value);
bool range_contains(const struct range_type *type, const struct range *a, const struct range *b);
bool range_overlaps(const struct range_type *type, const struct range *a, const struct range *b);
bool range_is_before(const struct range_type *type, const struct range *a, const struct range *b);
bool range_touches(const struct range_type *type, const struct range *a, const struct range *b);

// The smallest that contains both.
struct range range_span(const struct range_type *type, const struct range *a, const struct range *b);
struct range range_intersection(
    const struct range_type *type, const struct range *a, const struct range *b);
// What of `a` lies before and after `b`; each may be empty.
CHECKED struct status range_outside(const struct range_type *type, const struct range *a,
    const struct range *b, struct range *before, struct range *after);

// One range as part of a key; its bytes in the order of range_compare.
void range_key_append(struct buffer *key, const struct range_type *type, const struct range *range,
    enum key_order order);
CHECKED struct status range_key_take(struct bytes *key, const struct range_type *type,
    enum key_order order, struct arena *arena, struct range *range);
uint64_t range_hash(const struct range_type *type, const struct range *range);
void range_print(struct buffer *out, const struct type_context *context,
    const struct range_type *type, const struct range *range);
// "[]", "[)", "(]" or "()": 42601 for others.
CHECKED struct status range_take_flags(struct bytes text, bool *lower_inclusive, bool *upper_inclusive);
