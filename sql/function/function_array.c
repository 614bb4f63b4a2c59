// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions and operators of arrays.
#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/type/long_text.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

#define E_DATA_EXCEPTION SQLSTATE('2', '2', '0', '0', '0')
#define ITEM_WORK 16u // What an element counts for in function_work, besides its bytes.

// The array type's element; of an array argument that is NULL too.
static type_oid element_type(const struct function_call *call, uint32_t argument)
{
    return type_info(call->arg_types[argument].oid)->element;
}

static struct status open_or_empty(
    const struct function_call *call, const struct datum *args, uint32_t at, struct array *array)
{
    *array = (struct array){.element = element_type(call, at)};
    return args[at].null ? STATUS_OK : array_open(args[at], array);
}

// --- sizes -------------------------------------------------------------------------------------------------

enum bound { BOUND_LENGTH, BOUND_LOWER, BOUND_UPPER };

static struct status bound(const struct datum *args, enum bound which, struct datum *result)
{
    struct array array;
    struct status st = array_open(args[0], &array);
    int64_t dimension = args[1].integer;
    *result = DATUM_NULL;
    if (failed(st) || dimension < 1 || dimension > array.dimensions) return st;
    int64_t length = array.length[dimension - 1], lower = array.lower[dimension - 1];
    *result = datum_int(which == BOUND_LENGTH  ? length
                        : which == BOUND_LOWER ? lower
                                               : lower + length - 1);
    return st;
}

BODY(array_length)
{
    (void)call;
    return bound(args, BOUND_LENGTH, result);
}
BODY(array_lower)
{
    (void)call;
    return bound(args, BOUND_LOWER, result);
}
BODY(array_upper)
{
    (void)call;
    return bound(args, BOUND_UPPER, result);
}

BODY(array_ndims)
{
    struct array array;
    (void)call;
    struct status st = array_open(args[0], &array);
    if (!failed(st)) *result = array.dimensions == 0 ? DATUM_NULL : datum_int(array.dimensions);
    return st;
}

BODY(cardinality)
{
    struct array array;
    (void)call;
    struct status st = array_open(args[0], &array);
    if (!failed(st)) *result = datum_int(array.count);
    return st;
}

BODY(array_dims)
{
    struct array array;
    struct buffer out;
    struct status st = array_open(args[0], &array);
    *result = DATUM_NULL;
    if (failed(st) || array.dimensions == 0) return st;
    buffer_init(&out, call->arena);
    for (uint32_t i = 0; i < array.dimensions; i++)
        buffer_printf(
            &out, "[%d:%d]", array.lower[i], array.lower[i] + array.length[i] - 1);
    *result = datum_bytes(buffer_bytes(&out));
    return st;
}

// The number of the bucket, given the lower bounds of all but the first in ascending order. By halves: of bounds in no
// order the answer is PostgreSQL's too.
BODY(width_bucket)
{
    struct array array;
    struct datum bound, *bounds;
    struct status st = array_open(args[1], &array);
    if (failed(st)) return st;
    uint32_t count = 0, low = 0;
    if (array.dimensions > 1)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "thresholds must be one-dimensional array");
    bounds = arena_try_alloc(call->arena, array.count * sizeof *bounds + 1);
    if (bounds == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &bound);) {
        if (bound.null)
            return status_make(
                E_NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs");
        TRY(function_work(call, ITEM_WORK + bound.size));
        bounds[count++] = bound;
    }
    TRY(function_check_ordered(call, array.element, MISSING_ORDER));
    for (uint32_t high = count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (type_compare(array.element, args[0], bounds[middle]) < 0) high = middle;
        else low = middle + 1;
    }
    *result = datum_int(low);
out:
    return st;
}

// --- joining ----------------------------------------------------------------------------------------------

static struct status add_all(struct array_builder *builder, const struct array *array)
{
    struct status st = STATUS_OK;
    struct datum item;
    for (struct array_cursor cursor = array_first(array); array_next(&cursor, &item);)
        TRY(array_builder_add(builder, item));
out:
    return st;
}

static struct status add_item(struct function_call *call, const struct datum *args,
    uint32_t array_at, bool front, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array array;
    struct array_builder builder;
    struct datum item = args[1 - array_at];
    TRY(open_or_empty(call, args, array_at, &array));
    if (array.dimensions > 1)
        return status_make(E_DATA_EXCEPTION, "argument must be empty or one-dimensional array");
    array_builder_init(&builder, call->arena, array.element);
    builder.call = call;
    if (front) TRY(array_builder_add(&builder, item));
    TRY(add_all(&builder, &array));
    if (!front) TRY(array_builder_add(&builder, item));
    int32_t length = (int32_t)array.count + 1, lower = array.dimensions == 1 ? array.lower[0] : 1;
    TRY(array_builder_finish_dimensions(&builder, 1, &length, &lower, result));
out:
    return st;
}

BODY(array_append)
{
    return add_item(call, args, 0, false, result);
}

BODY(array_prepend)
{
    return add_item(call, args, 1, true, result);
}

static struct status incompatible(struct arena *arena)
{
    return status_detail(arena,
        status_format(
            arena, E_ARRAY_SUBSCRIPT_ERROR, "%s", "cannot concatenate incompatible arrays"),
        "Arrays with differing dimensions are not compatible for concatenation.");
}

BODY(array_cat)
{
    struct status st = STATUS_OK;
    struct array a, b;
    struct array_builder builder;
    if (args[0].null || args[1].null) {
        *result = args[args[0].null ? 1 : 0];
        return st;
    }
    TRY(array_open(args[0], &a));
    TRY(array_open(args[1], &b));
    if (a.dimensions == 0 || b.dimensions == 0) {
        *result = args[a.dimensions == 0 ? 1 : 0];
        return st;
    }
    // Of like dimensions the outer ones add up; one dimension less is one more outer element.
    const struct array *deep = a.dimensions >= b.dimensions ? &a : &b;
    const struct array *flat = deep == &a ? &b : &a;
    uint32_t less = deep->dimensions - flat->dimensions;
    if (less > 1) return incompatible(call->arena);
    for (uint32_t i = 1; i < deep->dimensions; i++) {
        uint32_t other = i - less;
        if (deep->length[i] != flat->length[other] || deep->lower[i] != flat->lower[other])
            return incompatible(call->arena);
    }
    array_builder_init(&builder, call->arena, a.element);
    builder.call = call;
    TRY(add_all(&builder, &a));
    TRY(add_all(&builder, &b));
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    memcpy(length, deep->length, sizeof length);
    memcpy(lower, deep == &a || less == 1 ? deep->lower : a.lower, sizeof lower);
    length[0] += less == 1 ? 1 : flat->length[0];
    TRY(array_builder_finish_dimensions(&builder, deep->dimensions, length, lower, result));
out:
    return st;
}

// --- searching --------------------------------------------------------------------------------------------

static bool same(type_oid element, struct datum a, struct datum b)
{
    if (a.null || b.null) return a.null && b.null;
    return type_equal(element, a, b);
}

static struct status check_searchable(const struct array *array)
{
    if (array->dimensions > 1)
        return status_make(E_FEATURE_NOT_SUPPORTED,
            "searching for elements in multidimensional arrays is not supported");
    return STATUS_OK;
}

BODY(array_position)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum item;
    *result = DATUM_NULL;
    if (args[0].null) return st;
    TRY(array_open(args[0], &array));
    TRY(function_check_ordered(call, array.element, MISSING_EQUALITY));
    TRY(check_searchable(&array));
    if (array.dimensions == 0) return st;
    if (args[1].null && !array.has_null) return st;
    if (call->arg_count == 3 && args[2].null)
        return status_make(E_NULL_VALUE_NOT_ALLOWED, "initial position must not be null");
    int64_t at = array.dimensions == 1 ? array.lower[0] : 1;
    int64_t from = call->arg_count == 3 ? args[2].integer : INT32_MIN;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item); at++) {
        TRY(function_work(call, ITEM_WORK + item.size));
        if (at < from || !same(array.element, item, args[1])) continue;
        *result = datum_int(at);
        return st;
    }
out:
    return st;
}

BODY(array_positions)
{
    struct status st = STATUS_OK;
    struct array array;
    struct array_builder builder;
    struct datum item;
    *result = DATUM_NULL;
    if (args[0].null) return st;
    TRY(array_open(args[0], &array));
    TRY(function_check_ordered(call, array.element, MISSING_EQUALITY));
    TRY(check_searchable(&array));
    array_builder_init(&builder, call->arena, TYPE_INT4);
    builder.call = call;
    int64_t at = array.dimensions == 1 ? array.lower[0] : 1;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item); at++) {
        TRY(function_work(call, ITEM_WORK + item.size));
        if (same(array.element, item, args[1])) TRY(array_builder_add(&builder, datum_int(at)));
    }
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

BODY(array_remove)
{
    struct status st = STATUS_OK;
    struct array array;
    struct array_builder builder;
    struct datum item;
    *result = DATUM_NULL;
    if (args[0].null) return st;
    TRY(array_open(args[0], &array));
    TRY(function_check_ordered(call, array.element, MISSING_EQUALITY));
    if (array.dimensions > 1)
        return status_make(E_FEATURE_NOT_SUPPORTED,
            "removing elements from multidimensional arrays is not supported");
    array_builder_init(&builder, call->arena, array.element);
    builder.call = call;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        TRY(function_work(call, ITEM_WORK + item.size));
        if (!same(array.element, item, args[1])) TRY(array_builder_add(&builder, item));
    }
    int32_t length = (int32_t)builder.count;
    TRY(array_builder_finish_dimensions(
        &builder, length == 0 ? 0 : 1, &length, array.lower, result));
out:
    return st;
}

BODY(array_replace)
{
    struct status st = STATUS_OK;
    struct array array;
    struct array_builder builder;
    struct datum item;
    *result = DATUM_NULL;
    if (args[0].null) return st;
    TRY(array_open(args[0], &array));
    TRY(function_check_ordered(call, array.element, MISSING_EQUALITY));
    array_builder_init(&builder, call->arena, array.element);
    builder.call = call;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);)
        TRY(array_builder_add(&builder, same(array.element, item, args[1]) ? args[2] : item));
    TRY(array_builder_finish_like(&builder, &array, result));
out:
    return st;
}

static struct status has_item(
    struct function_call *call, const struct array *array, struct datum wanted, bool *has)
{
    struct status st = STATUS_OK;
    struct datum item;
    *has = false;
    for (struct array_cursor cursor = array_first(array); array_next(&cursor, &item);) {
        TRY(function_work(call, ITEM_WORK + item.size));
        if (item.null || !type_equal(array->element, item, wanted)) continue;
        *has = true;
        return st;
    }
out:
    return st;
}

// All (or any) of b's elements are in a.
static struct status compare_sets(struct function_call *call, struct datum a, struct datum b,
    bool all, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array outer, inner;
    struct datum item;
    TRY(array_open(a, &outer));
    TRY(array_open(b, &inner));
    TRY(function_check_ordered(call, outer.element, MISSING_EQUALITY));
    bool found = all;
    for (struct array_cursor cursor = array_first(&inner); array_next(&cursor, &item);) {
        bool has = false;
        if (!item.null) TRY(has_item(call, &outer, item, &has));
        if (has == all) continue;
        found = has;
        break;
    }
    *result = datum_bool(found);
out:
    return st;
}

BODY(array_contains)
{
    return compare_sets(call, args[0], args[1], true, result);
}
BODY(array_contained)
{
    return compare_sets(call, args[1], args[0], true, result);
}
BODY(array_overlaps)
{
    return compare_sets(call, args[0], args[1], false, result);
}

// --- text ---------------------------------------------------------------------------------------------------

BODY(array_to_string)
{
    struct status st = STATUS_OK;
    struct array array;
    struct buffer out;
    struct datum item;
    bool first = true;
    *result = DATUM_NULL;
    if (args[0].null || args[1].null) return st;
    TRY(array_open(args[0], &array));
    buffer_init(&out, call->arena);
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        bool shown_null = call->arg_count == 3 && !args[2].null;
        TRY(function_work(call, ITEM_WORK + item.size));
        if (item.null && !shown_null) continue;
        if (!first) buffer_append_bytes(&out, datum_as_bytes(args[1]));
        first = false;
        if (item.null)
            buffer_append_bytes(&out, datum_as_bytes(args[2]));
        else
            type_output(&out, call->context, array.element, item);
    }
    if (out.size > FUNCTION_BYTES_MAX) return function_no_memory(out.size);
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

static struct datum piece_datum(
    const struct function_call *call, const struct datum *args, struct bytes piece)
{
    bool is_null = call->arg_count == 3 && !args[2].null &&
                   bytes_equal(piece, datum_as_bytes(args[2]));
    return is_null ? DATUM_NULL : datum_bytes(piece);
}

static struct status string_to_array(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    *result = DATUM_NULL;
    if (args[0].null) return st;
    struct bytes text = datum_as_bytes(args[0]), by = datum_as_bytes(args[1]);
    array_builder_init(&builder, call->arena, TYPE_TEXT);
    builder.call = call;
    if (text.size > 0 && args[1].null) {
        // No delimiter: every character for itself.
        for (size_t i = 0; i < text.size; i += utf8_step(text, i)) {
            struct bytes piece = bytes_of(text.data + i, utf8_step(text, i));
            TRY(array_builder_add(&builder, piece_datum(call, args, piece)));
        }
    } else if (text.size > 0) {
        for (;;) {
            size_t at = SIZE_MAX;
            if (by.size > 0) TRY(long_find(call, text, by, 0, &at));
            struct bytes piece = bytes_of(text.data, at == SIZE_MAX ? text.size : at);
            TRY(array_builder_add(&builder, piece_datum(call, args, piece)));
            if (at == SIZE_MAX) break;
            text = bytes_skip(text, piece.size + by.size);
        }
    }
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

// --- what ARRAY[[...]] and subscripts become -----------------------------------------------------------------

// Arrays of one shape, one on the other: one more dimension outside.
BODY(array_stack)
{
    struct status st = STATUS_OK;
    struct array array;
    struct array_builder builder;
    int32_t length[ARRAY_DIMENSIONS_MAX] = {0}, lower[ARRAY_DIMENSIONS_MAX] = {0};
    uint32_t dimensions = 0;
    bool empty = false;
    array_builder_init(&builder, call->arena, element_type(call, 0));
    builder.call = call;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        TRY(open_or_empty(call, args, i, &array));
        if (i == 0) {
            dimensions = array.dimensions;
            empty = dimensions == 0;
            for (uint32_t d = 0; d < dimensions && d + 1 < ARRAY_DIMENSIONS_MAX; d++) {
                length[d + 1] = array.length[d];
                lower[d + 1] = array.lower[d];
            }
        }
        bool same_shape = array.dimensions == dimensions;
        for (uint32_t d = 0; same_shape && d < dimensions && d + 1 < ARRAY_DIMENSIONS_MAX; d++)
            same_shape = length[d + 1] == array.length[d] && lower[d + 1] == array.lower[d];
        if (!same_shape)
            return status_make(E_ARRAY_SUBSCRIPT_ERROR,
                "multidimensional arrays must have array expressions with matching dimensions");
        if (dimensions == ARRAY_DIMENSIONS_MAX)
            return status_format(call->arena, E_PROGRAM_LIMIT_EXCEEDED,
                "number of array dimensions (%d) exceeds the maximum allowed (%d)",
                ARRAY_DIMENSIONS_MAX + 1, ARRAY_DIMENSIONS_MAX);
        TRY(add_all(&builder, &array));
    }
    if (empty) return array_builder_finish(&builder, result);
    length[0] = (int32_t)call->arg_count;
    lower[0] = 1;
    TRY(array_builder_finish_dimensions(&builder, dimensions + 1, length, lower, result));
out:
    return st;
}

// Subscripts from an int4[]; *null when one of them is.
static struct status read_subscripts(
    struct datum value, int32_t out[ARRAY_DIMENSIONS_MAX], uint32_t *count, bool *null)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum item;
    *count = 0;
    TRY(array_open(value, &array));
    for (struct array_cursor cursor = array_first(&array);
         *count < ARRAY_DIMENSIONS_MAX && array_next(&cursor, &item);) {
        if (item.null) *null = true;
        out[(*count)++] = item.null ? 0 : (int32_t)item.integer;
    }
out:
    return st;
}

BODY(item_at)
{
    struct status st = STATUS_OK;
    struct array array;
    int32_t subscripts[ARRAY_DIMENSIONS_MAX];
    uint32_t count;
    bool null = false;
    (void)call;
    *result = DATUM_NULL;
    TRY(array_open(args[0], &array));
    TRY(read_subscripts(args[1], subscripts, &count, &null));
    if (!null) *result = array_item(&array, subscripts, count);
out:
    return st;
}

BODY(slice_at)
{
    struct status st = STATUS_OK;
    struct array array;
    int32_t lower[ARRAY_DIMENSIONS_MAX], upper[ARRAY_DIMENSIONS_MAX];
    uint32_t count;
    bool null = false;
    *result = DATUM_NULL;
    TRY(array_open(args[0], &array));
    TRY(read_subscripts(args[1], lower, &count, &null));
    TRY(read_subscripts(args[2], upper, &count, &null));
    if (!null) TRY(array_slice(call->arena, &array, lower, upper, count, result));
out:
    return st;
}

// --- making ---------------------------------------------------------------------------------------------------

static struct status read_ints(struct datum value, const char *what, struct arena *arena,
    int32_t out[ARRAY_DIMENSIONS_MAX], uint32_t *count)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum item;
    *count = 0;
    if (value.null)
        return status_make(
            E_NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null");
    TRY(array_open(value, &array));
    if (array.dimensions > 1)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    if (array.count > ARRAY_DIMENSIONS_MAX)
        return status_format(arena, E_PROGRAM_LIMIT_EXCEEDED,
            "number of array dimensions (%u) exceeds the maximum allowed (%d)", array.count,
            ARRAY_DIMENSIONS_MAX);
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        if (item.null)
            return status_format(
                arena, E_NULL_VALUE_NOT_ALLOWED, "%s values cannot be null", what);
        out[(*count)++] = (int32_t)item.integer;
    }
out:
    return st;
}

BODY(array_fill)
{
    struct status st = STATUS_OK;
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    uint32_t dimensions, lowers = 0;
    struct array_builder builder;
    if (call->arg_count == 3 && args[2].null) // Told before what is wrong with the others.
        return status_make(
            E_NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null");
    TRY(read_ints(args[1], "dimension", call->arena, length, &dimensions));
    for (uint32_t i = 0; i < ARRAY_DIMENSIONS_MAX; i++)
        lower[i] = 1;
    if (call->arg_count == 3) {
        TRY(read_ints(args[2], "low bound", call->arena, lower, &lowers));
        if (lowers != dimensions)
            return status_make(E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    }
    uint64_t count = dimensions == 0 ? 0 : 1;
    for (uint32_t i = 0; i < dimensions; i++) {
        if (length[i] < 0)
            return status_make(
                E_PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (134217727)");
        count *= (uint32_t)length[i];
        if (count > ARRAY_COUNT_MAX)
            return status_format(call->arena, E_PROGRAM_LIMIT_EXCEEDED,
                "array size exceeds the maximum allowed (%d)", ARRAY_COUNT_MAX);
    }
    array_builder_init(&builder, call->arena, call->arg_types[0].oid);
    builder.call = call;
    for (uint64_t i = 0; i < count; i++)
        TRY(array_builder_add(&builder, args[0]));
    TRY(count == 0 ? array_builder_finish(&builder, result)
                   : array_builder_finish_dimensions(&builder, dimensions, length, lower, result));
out:
    return st;
}

BODY(trim_array)
{
    struct status st = STATUS_OK;
    struct array array;
    TRY(array_open(args[0], &array));
    int32_t length = array.dimensions > 0 ? array.length[0] : 0;
    int64_t count = args[1].integer;
    if (count < 0 || count > length)
        return status_format(call->arena, SQLSTATE('2', '2', '0', '2', 'E'),
            "number of elements to trim must be between 0 and %d", length);
    int32_t lower[ARRAY_DIMENSIONS_MAX], upper[ARRAY_DIMENSIONS_MAX];
    for (uint32_t i = 0; i < array.dimensions; i++) {
        lower[i] = array.lower[i];
        upper[i] = array.lower[i] + array.length[i] - 1;
    }
    if (array.dimensions == 0) {
        *result = args[0];
        return st;
    }
    upper[0] -= (int32_t)count;
    TRY(array_slice(call->arena, &array, lower, upper, array.dimensions, result));
out:
    return st;
}

// clang-format off
static const struct function table[] = {
    SCALAR("array_length", 2176, INT4, array_length, TYPE_ANYARRAY, TYPE_INT4),
    SCALAR("array_lower", 2091, INT4, array_lower, TYPE_ANYARRAY, TYPE_INT4),
    SCALAR("array_upper", 2092, INT4, array_upper, TYPE_ANYARRAY, TYPE_INT4),
    SCALAR("array_ndims", 748, INT4, array_ndims, TYPE_ANYARRAY),
    SCALAR("array_dims", 747, TEXT, array_dims, TYPE_ANYARRAY),
    SCALAR("cardinality", 3179, INT4, cardinality, TYPE_ANYARRAY),
    LAX("array_append", 378, ANYCOMPATIBLEARRAY, array_append, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE),
    LAX("array_prepend", 379, ANYCOMPATIBLEARRAY, array_prepend, TYPE_ANYCOMPATIBLE, TYPE_ANYCOMPATIBLEARRAY),
    LAX("array_cat", 383, ANYCOMPATIBLEARRAY, array_cat, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLEARRAY),
    LAX_OPERATOR("||", 349, ANYCOMPATIBLEARRAY, array_append, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE),
    LAX_OPERATOR("||", 374, ANYCOMPATIBLEARRAY, array_prepend, TYPE_ANYCOMPATIBLE, TYPE_ANYCOMPATIBLEARRAY),
    LAX_OPERATOR("||", 375, ANYCOMPATIBLEARRAY, array_cat, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLEARRAY),
    OPERATOR("@>", 2751, BOOL, array_contains, "<@", NULL, TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR("<@", 2752, BOOL, array_contained, "@>", NULL, TYPE_ANYARRAY, TYPE_ANYARRAY),
    SCALAR("width_bucket", 3218, INT4, width_bucket, TYPE_ANYCOMPATIBLE, TYPE_ANYCOMPATIBLEARRAY),
    OPERATOR("&&", 2750, BOOL, array_overlaps, "&&", NULL, TYPE_ANYARRAY, TYPE_ANYARRAY),
    LAX("array_position", 3277, INT4, array_position, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE),
    LAX("array_position", 3278, INT4, array_position, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE, TYPE_INT4),
    LAX("array_positions", 3279, INT4_ARRAY, array_positions, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE),
    LAX("array_remove", 3167, ANYCOMPATIBLEARRAY, array_remove, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE),
    LAX("array_replace", 3168, ANYCOMPATIBLEARRAY, array_replace, TYPE_ANYCOMPATIBLEARRAY, TYPE_ANYCOMPATIBLE, TYPE_ANYCOMPATIBLE),
    LAX_STABLE("array_to_string", 395, TEXT, array_to_string, TYPE_ANYARRAY, TYPE_TEXT),
    LAX_STABLE("array_to_string", 384, TEXT, array_to_string, TYPE_ANYARRAY, TYPE_TEXT, TYPE_TEXT),
    LAX("string_to_array", 394, TEXT_ARRAY, string_to_array, TYPE_TEXT, TYPE_TEXT),
    LAX("string_to_array", 376, TEXT_ARRAY, string_to_array, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    LAX("array_fill", 1193, ANYARRAY, array_fill, TYPE_ANYELEMENT, TYPE_INT4_ARRAY),
    LAX("array_fill", 1286, ANYARRAY, array_fill, TYPE_ANYELEMENT, TYPE_INT4_ARRAY, TYPE_INT4_ARRAY),
    LAX_VARIADIC("array_stack", 100923, ANYARRAY, array_stack, FUNCTION_IMMUTABLE, TYPE_ANYARRAY),
    SCALAR("array_item", 100924, ANYELEMENT, item_at, TYPE_ANYARRAY, TYPE_INT4_ARRAY),
    SCALAR("array_slice", 100925, ANYARRAY, slice_at, TYPE_ANYARRAY, TYPE_INT4_ARRAY, TYPE_INT4_ARRAY),
    SCALAR("trim_array", 6172, ANYARRAY, trim_array, TYPE_ANYARRAY, TYPE_INT4),
};
// clang-format on

void functions_array_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
