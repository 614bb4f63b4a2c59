// SPDX-License-Identifier: GPL-3.0-or-later
//
// Array values: any element type, up to six dimensions with lower bounds of their own, NULL elements.
// int2vector and oidvector are the same form with lower bound 0 and another text form.
//
//   u32 element type, u8 dimensions, u8 has NULLs, u16 0, (i32 length, i32 lower bound) a dimension,
//   then the elements in row-major order: 0x00 for NULL, or 0x01 and the element as type_value_encode.
//
// Memory   An open array and its elements point into the datum.
// Errors   22P02 malformed literal, 2202E subscripts, 54000 too many elements or dimensions.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"
#include "sql/type/type.h"

#define ARRAY_DIMENSIONS_MAX 6
#define ARRAY_COUNT_MAX 134217727

struct array {
    type_oid element;
    uint32_t dimensions; // 0: empty.
    int32_t length[ARRAY_DIMENSIONS_MAX];
    int32_t lower[ARRAY_DIMENSIONS_MAX];
    uint32_t count; // Of all elements.
    bool has_null;
    struct bytes items;
};

// XX001 when the bytes are not an array's.
CHECKED struct status array_open(struct datum value, struct array *array);

struct array_cursor {
    struct bytes rest;
    type_oid element;
    uint32_t left;
};
struct array_cursor array_first(const struct array *array);
bool array_next(struct array_cursor *cursor, struct datum *item); // False at the end.

// The element at these subscripts; NULL when out of bounds or when their number is not that of the
// dimensions.
struct datum array_item(const struct array *array, const int32_t *subscripts, uint32_t count);
// Whether item number `index` lies within the bounds in each dimension.
bool array_in_slice(const struct array *array, uint64_t index, const int32_t *lower, const int32_t *upper);
// array[lower:upper] in each dimension, as PostgreSQL: the result's lower bounds are 1.
// NULL bounds pointers are not allowed; use INT32_MIN and INT32_MAX for open ends.
CHECKED struct status array_slice(struct arena *arena, const struct array *array,
    const int32_t *lower, const int32_t *upper, uint32_t count, struct datum *result);

struct function_call;
struct array_builder {
    struct buffer out;
    type_oid element;
    uint32_t count;
    bool has_null;
    struct function_call *call; // NULL, or the call that makes it: adding then suspends as function_work does.
    size_t worked;              // Bytes that `call` has heard of.
};
void array_builder_init(struct array_builder *builder, struct arena *arena, type_oid element);
CHECKED struct status array_builder_add(struct array_builder *builder, struct datum item);
// One dimension from 1; no dimensions when empty.
CHECKED struct status array_builder_finish(struct array_builder *builder, struct datum *result);
// With the dimensions of `like`, or given ones.
CHECKED struct status array_builder_finish_like(
    struct array_builder *builder, const struct array *like, struct datum *result);
CHECKED struct status array_builder_finish_dimensions(struct array_builder *builder,
    uint32_t dimensions, const int32_t *length, const int32_t *lower, struct datum *result);

// An array of text values and the like from plain items, for callers in other modules.
CHECKED struct status array_make(struct arena *arena, type_oid element, const struct datum *items,
    uint32_t count, struct datum *result);
