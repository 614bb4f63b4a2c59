// SPDX-License-Identifier: GPL-3.0-or-later
//
// Multirange values: ranges of one type in their order, of which none is empty and no two touch or overlap.
//
//   u32 how many (big-endian), then each as range_append.
//
// Shard    Making and sorting poll the current task every some hundred ranges; the rest is pure.
// Memory   What a cursor gives points into the value; results lie in the arena given.
// Errors   XX001 bytes that are no multirange; those of making ranges (sql/type/range.h).
// Source   PostgreSQL 15 manual, sections 8.17 and 9.20.
#pragma once
#include "sql/type/range.h"

static inline bool type_is_multirange(type_oid oid)
{
    return multirange_type_of(oid) != NULL;
}

struct multirange_cursor {
    const struct range_type *type;
    struct bytes rest;
    uint32_t left;
};
// Of a value of the range type or of its multirange type: a range is a multirange of at most one.
CHECKED struct status multirange_open(
    type_oid oid, struct datum value, struct multirange_cursor *cursor);
bool multirange_next(struct multirange_cursor *cursor, struct range *range); // False at the end.
// From the first lower bound to the last upper one; empty when it has no ranges.
struct range multirange_span(struct multirange_cursor cursor);

// Takes ranges in the order of their lower bounds; those that touch become one, and empty ones are left out.
struct multirange_builder {
    const struct range_type *type;
    struct buffer out;
    struct range last;
    uint32_t count;
};
void multirange_begin(
    struct multirange_builder *builder, struct arena *arena, const struct range_type *type);
CHECKED struct status multirange_add(struct multirange_builder *builder, const struct range *range);
struct datum multirange_end(struct multirange_builder *builder);

// Ranges in any order. Their bounds stay where they are.
struct multirange_list {
    struct arena *arena;
    struct range *ranges;
    uint32_t count, capacity;
};
CHECKED struct status multirange_list_add(struct multirange_list *list, const struct range *range);
CHECKED struct status multirange_list_end(
    struct multirange_list *list, const struct range_type *type, struct datum *value);
