// SPDX-License-Identifier: GPL-3.0-or-later
//
// a[1] = x and a[1:2] = y: an array with items or a slice replaced, as UPDATE and INSERT assign to parts.
#include "sql/type/array.h"
#include "sql/function/function_table.h"

#define E_ARRAY_SUBSCRIPT SQLSTATE('2', '2', '0', '2', 'E')
#define E_NULL_NOT_ALLOWED SQLSTATE('2', '2', '0', '0', '4')

static struct status read_bounds(struct datum value, int32_t *bounds, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum item;
    *count = 0;
    if (value.null) return status_make(E_NULL_NOT_ALLOWED, "array subscript in assignment must not be null");
    TRY(array_open(value, &array));
    for (struct array_cursor cursor = array_first(&array);
         *count < ARRAY_DIMENSIONS_MAX && array_next(&cursor, &item);) {
        if (item.null)
            return status_make(
                E_NULL_NOT_ALLOWED, "array subscript in assignment must not be null");
        bounds[(*count)++] = (int32_t)item.integer;
    }

out:
    return st;
}

static struct status out_of_range(void)
{
    return status_make(E_ARRAY_SUBSCRIPT, "array subscript out of range");
}

static struct status source_too_small(void)
{
    return status_make(E_ARRAY_SUBSCRIPT, "source array too small");
}

static struct status too_large(struct function_call *call)
{
    return status_format(call->arena, E_PROGRAM_LIMIT_EXCEEDED,
        "array size exceeds the maximum allowed (%d)", ARRAY_COUNT_MAX);
}

// Items [lower, upper] of a row of items become those of `with`, the row growing to both sides with NULLs.
static struct status replace_span(struct function_call *call, const struct array *array,
    int64_t lower, int64_t upper, struct array_cursor *with, struct datum one,
    struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    struct datum item;
    int64_t first = array->count == 0 ? lower : array->lower[0];
    int64_t end = array->count == 0 ? lower : first + array->length[0];
    int64_t from = lower < first ? lower : first, to = upper + 1 > end ? upper + 1 : end;
    struct array_cursor old = array_first(array);
    if (to - from > ARRAY_COUNT_MAX || to > INT32_MAX)
        return too_large(call);
    array_builder_init(&builder, call->arena, array->element);
    builder.call = call;
    for (int64_t i = from; i < to; i++) {
        struct datum kept = DATUM_NULL;
        if (i >= first && i < end && array->count > 0) (void)array_next(&old, &kept);
        item = kept;
        if (i >= lower && i <= upper) {
            item = one;
            if (with != NULL && !array_next(with, &item))
                return source_too_small();
        }
        TRY(array_builder_add(&builder, item));
        if ((builder.count & 4095u) == 0) TRY(arena_check(call->arena));
    }
    int32_t length = (int32_t)(to - from), start = (int32_t)from;
    if (length == 0) return array_builder_finish(&builder, result);
    st = array_builder_finish_dimensions(&builder, 1, &length, &start, result);

out:
    return st;
}

static struct status open_or_empty(
    struct function_call *call, struct datum value, struct array *array)
{
    *array = (struct array){.element = type_info(call->result_type.oid)->element};
    return value.null ? STATUS_OK : array_open(value, array);
}

BODY(assign)
{
    struct status st;
    struct array array;
    int32_t at[ARRAY_DIMENSIONS_MAX];
    uint32_t count;
    struct datum item;
    uint64_t place = 0;
    struct array_builder builder;
    TRY(open_or_empty(call, args[0], &array));
    TRY(read_bounds(args[2], at, &count));
    if (count == 1 && array.dimensions <= 1)
        return replace_span(call, &array, at[0], at[0], NULL, args[3], result);
    if (array.dimensions == 0) { // One item, in as many dimensions.
        int32_t lengths[ARRAY_DIMENSIONS_MAX] = {1, 1, 1, 1, 1, 1};
        array_builder_init(&builder, call->arena, array.element);
        builder.call = call;
        TRY(array_builder_add(&builder, args[3]));
        return array_builder_finish_dimensions(&builder, count, lengths, at, result);
    }
    if (count != array.dimensions)
        return status_make(E_ARRAY_SUBSCRIPT, "wrong number of array subscripts");
    for (uint32_t i = 0; i < count; i++) {
        int64_t offset = (int64_t)at[i] - array.lower[i];
        if (offset < 0 || offset >= array.length[i]) return out_of_range();
        place = place * (uint32_t)array.length[i] + (uint64_t)offset;
    }
    array_builder_init(&builder, call->arena, array.element);
    builder.call = call;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);)
        TRY(array_builder_add(&builder, builder.count == place ? args[3] : item));
    st = array_builder_finish_like(&builder, &array, result);

out:
    return st;
}

static struct status no_boundaries(struct function_call *call)
{
    struct status st = status_make(E_ARRAY_SUBSCRIPT, "array slice subscript must provide both boundaries");
    return status_detail(call->arena, st,
        "When assigning to a slice of an empty array value, slice boundaries must be fully specified.");
}

// An empty array becomes the slice. Items are taken one after the other, whatever the dimensions of `source`.
static struct status make_block(struct function_call *call, const struct array *array, const int32_t *lower,
    const int32_t *upper, uint32_t count, const struct array *source, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    struct datum item;
    int32_t length[ARRAY_DIMENSIONS_MAX];
    uint64_t wanted = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (lower[i] == INT32_MIN || upper[i] == INT32_MAX) return no_boundaries(call);
        const int64_t span = 1 + (int64_t)upper[i] - lower[i];
        if (span < 0 || span > ARRAY_COUNT_MAX) return too_large(call);
        length[i] = (int32_t)span;
    }
    for (uint32_t i = 0; i < count; i++) {
        wanted *= (uint64_t)length[i];
        if (wanted > ARRAY_COUNT_MAX) return too_large(call);
    }
    if (wanted > source->count) return source_too_small();
    array_builder_init(&builder, call->arena, array->element);
    builder.call = call;
    if (wanted == 0) return array_builder_finish(&builder, result);
    for (struct array_cursor with = array_first(source); builder.count < wanted && array_next(&with, &item);)
        TRY(array_builder_add(&builder, item));
    st = array_builder_finish_dimensions(&builder, count, length, lower, result);

out:
    return st;
}

// The items within the bounds become those of `source`, one after the other; the array keeps its size.
static struct status replace_block(struct function_call *call, const struct array *array, const int32_t *lower,
    const int32_t *upper, uint32_t count, const struct array *source, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    struct datum item, taken;
    int32_t from[ARRAY_DIMENSIONS_MAX], to[ARRAY_DIMENSIONS_MAX];
    uint64_t wanted = 1;
    if (count > array->dimensions) return status_make(E_ARRAY_SUBSCRIPT, "wrong number of array subscripts");
    for (uint32_t i = 0; i < array->dimensions; i++) {
        const int32_t last = array->lower[i] + array->length[i] - 1;
        from[i] = i < count && lower[i] != INT32_MIN ? lower[i] : array->lower[i];
        to[i] = i < count && upper[i] != INT32_MAX ? upper[i] : last;
        if (from[i] > to[i])
            return status_make(E_ARRAY_SUBSCRIPT, "upper bound cannot be less than lower bound");
        if (from[i] < array->lower[i] || to[i] > last) return out_of_range();
        wanted *= (uint64_t)(to[i] - from[i] + 1);
    }
    if (wanted > source->count) return source_too_small();
    struct array_cursor with = array_first(source);
    array_builder_init(&builder, call->arena, array->element);
    builder.call = call;
    for (struct array_cursor cursor = array_first(array); array_next(&cursor, &item);) {
        if (array_in_slice(array, builder.count, from, to) && array_next(&with, &taken)) item = taken;
        TRY(array_builder_add(&builder, item));
    }
    st = array_builder_finish_like(&builder, array, result);

out:
    return st;
}

BODY(assign_slice)
{
    struct status st;
    struct array array, source;
    int32_t lower[ARRAY_DIMENSIONS_MAX], upper[ARRAY_DIMENSIONS_MAX];
    uint32_t count;
    if (args[3].null) { // Nothing to put there.
        *result = args[0];
        return STATUS_OK;
    }
    TRY(open_or_empty(call, args[0], &array));
    TRY(read_bounds(args[1], lower, &count));
    TRY(read_bounds(args[2], upper, &count));
    TRY(array_open(args[3], &source));
    if (array.dimensions > 1) return replace_block(call, &array, lower, upper, count, &source, result);
    if (count > 1 && array.dimensions == 1)
        return status_make(E_ARRAY_SUBSCRIPT, "wrong number of array subscripts");
    if (count > 1) return make_block(call, &array, lower, upper, count, &source, result);
    bool open_low = lower[0] == INT32_MIN, open_high = upper[0] == INT32_MAX;
    if (array.count == 0 && (open_low || open_high)) return no_boundaries(call);
    if (open_low) lower[0] = array.lower[0];
    if (open_high) upper[0] = array.lower[0] + array.length[0] - 1;
    if (array.count == 0 && (int64_t)lower[0] > (int64_t)upper[0] + 1) return too_large(call);
    if (array.count > 0 && lower[0] > upper[0])
        return status_make(
            E_ARRAY_SUBSCRIPT, "upper bound cannot be less than lower bound");
    struct array_cursor with = array_first(&source);
    st = replace_span(call, &array, lower[0], upper[0], &with, DATUM_NULL, result);

out:
    return st;
}

// clang-format off
static const struct function table[] = {
    LAX("array_assign", 100928, ANYARRAY, assign, TYPE_ANYARRAY, TYPE_INT4_ARRAY, TYPE_INT4_ARRAY, TYPE_ANYELEMENT),
    LAX("array_assign_slice", 100929, ANYARRAY, assign_slice, TYPE_ANYARRAY, TYPE_INT4_ARRAY, TYPE_INT4_ARRAY, TYPE_ANYARRAY),
};
// clang-format on

void functions_array_assign_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
