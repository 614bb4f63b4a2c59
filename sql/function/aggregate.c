// SPDX-License-Identifier: GPL-3.0-or-later
//
// count, min, max, bool_and and bool_or, the bit aggregates, string_agg and array_agg.
#include "core/work.h"
#include "sql/type/collation.h"
#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/type/type_ops.h"

#define STEP(name) \
    static struct status name( \
        struct function_call *call, void *state_, const struct datum *args)
#define MERGE(name) \
    static struct status name(struct function_call *call, void *state_, const void *other_)
#define FINAL(name) \
    static struct status name(struct function_call *call, void *state_, struct datum *result)

// --- count ----------------------------------------------------------------------------------------------

STEP(count_step)
{
    (void)call, (void)args;
    ++*(int64_t *)state_;
    return STATUS_OK;
}

MERGE(count_merge)
{
    (void)call;
    *(int64_t *)state_ += *(const int64_t *)other_;
    return STATUS_OK;
}

FINAL(count_value)
{
    (void)call;
    *result = datum_int(*(int64_t *)state_);
    return STATUS_OK;
}

static const struct aggregate_ops count_ops = {
    .state_bytes = sizeof(int64_t), .step = count_step, .merge = count_merge, .final = count_value};

// --- min, max -------------------------------------------------------------------------------------------

struct extreme {
    bool any;
    struct datum value;
    uint32_t capacity; // Of value.data.
};

static struct status keep(struct function_call *call, struct extreme *state, struct datum value)
{
    state->any = true;
    if (type_is_by_value(call->arg_types[0].oid)) {
        state->value = value;
        return STATUS_OK;
    }
    if (value.size > state->capacity) {
        uint32_t capacity = value.size < 64 ? 64 : value.size + value.size / 2;
        uint8_t *data = arena_try_alloc(call->arena, capacity);
        if (data == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        state->value.data = data;
        state->capacity = capacity;
    }
    if (value.size > 0) memcpy((uint8_t *)(uintptr_t)state->value.data, value.data, value.size);
    state->value.size = value.size;
    return STATUS_OK;
}

// Of equals the later one stays, of char(n) the first, as in PostgreSQL: they may differ in form (1.5 and 1.50).
static struct status consider(
    struct function_call *call, struct extreme *state, struct datum value, int sign)
{
    if (state->any) {
        if (UNLIKELY(!type_is_ordered(call->arg_types[0].oid)))
            return function_check_ordered(
                call, type_info(call->arg_types[0].oid)->element, MISSING_ORDER);
        int order = type_compare(collation_type(call->arg_types[0]), value, state->value) * sign;
        if (order < 0 || (order == 0 && call->arg_types[0].oid == TYPE_BPCHAR)) return STATUS_OK;
    }
    return keep(call, state, value);
}

STEP(min_step)
{
    return consider(call, state_, args[0], -1);
}

STEP(max_step)
{
    return consider(call, state_, args[0], 1);
}

MERGE(min_merge)
{
    const struct extreme *other = other_;
    return other->any ? consider(call, state_, other->value, -1) : STATUS_OK;
}

MERGE(max_merge)
{
    const struct extreme *other = other_;
    return other->any ? consider(call, state_, other->value, 1) : STATUS_OK;
}

FINAL(extreme_value)
{
    const struct extreme *state = state_;
    (void)call;
    *result = state->any ? state->value : DATUM_NULL;
    return STATUS_OK;
}

static const struct aggregate_ops min_ops = {.state_bytes = sizeof(struct extreme),
    .step = min_step,
    .merge = min_merge,
    .final = extreme_value};
static const struct aggregate_ops max_ops = {.state_bytes = sizeof(struct extreme),
    .step = max_step,
    .merge = max_merge,
    .final = extreme_value};

// --- and, or, xor of booleans and of bits ------------------------------------------------------------------

struct bits {
    bool any;
    int64_t value;
};

#define BITS(name, expression) \
    static void name##_one(struct bits *state, int64_t value) \
    { \
        state->value = state->any ? (expression) : value; \
        state->any = true; \
    } \
    STEP(name##_step) \
    { \
        bool boolean = call->arg_types[0].oid == TYPE_BOOL; \
        name##_one(state_, boolean ? args[0].boolean : args[0].integer); \
        return STATUS_OK; \
    } \
    MERGE(name##_merge) \
    { \
        const struct bits *other = other_; \
        (void)call; \
        if (other->any) name##_one(state_, other->value); \
        return STATUS_OK; \
    } \
    static const struct aggregate_ops name##_ops = {.state_bytes = sizeof(struct bits), \
        .step = name##_step, \
        .merge = name##_merge, \
        .final = bits_value};

FINAL(bits_value)
{
    const struct bits *state = state_;
    if (!state->any)
        *result = DATUM_NULL;
    else
        *result = call->result_type.oid == TYPE_BOOL ? datum_bool(state->value != 0)
                                                     : datum_int(state->value);
    return STATUS_OK;
}

BITS(and, state->value & value)
BITS(or, state->value | value)
BITS(xor, state->value ^ value)

// --- string_agg ----------------------------------------------------------------------------------------------

struct text_sum {
    bool any;
    struct buffer text;
};

static struct status append(struct function_call *call, struct text_sum *state, struct bytes text)
{
    if (state->text.arena == NULL) buffer_init(&state->text, call->arena);
    if (state->text.size + text.size > FUNCTION_BYTES_MAX)
        return function_no_memory(state->text.size + text.size);
    task_append(&state->text, text);
    return text.size > ARENA_UNCHECKED_BYTES ? arena_check(call->arena) : STATUS_OK;
}

STEP(string_step)
{
    struct status st = STATUS_OK;
    struct text_sum *state = state_;
    if (args[0].null) return st;
    if (state->any && !args[1].null) TRY(append(call, state, datum_as_bytes(args[1])));
    state->any = true;
    TRY(append(call, state, datum_as_bytes(args[0])));
out:
    return st;
}

// The delimiter between two partial texts is not known: the planner does not split string_agg.
MERGE(string_merge)
{
    const struct text_sum *other = other_;
    struct text_sum *state = state_;
    if (!other->any) return STATUS_OK;
    state->any = true;
    return append(call, state, buffer_bytes(&other->text));
}

FINAL(string_value)
{
    const struct text_sum *state = state_;
    (void)call;
    *result = state->any ? datum_bytes(buffer_bytes(&state->text)) : DATUM_NULL;
    return STATUS_OK;
}

static const struct aggregate_ops string_ops = {.state_bytes = sizeof(struct text_sum),
    .step = string_step,
    .merge = string_merge,
    .final = string_value,
    .takes_null = true};

// --- array_agg -------------------------------------------------------------------------------------------------

struct array_sum {
    bool any;
    struct array_builder builder;
    int32_t outer;        // Arrays so far, when arrays are gathered.
    uint32_t dimensions;  // Of each.
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
};

STEP(array_step)
{
    struct array_sum *state = state_;
    if (!state->any)
        array_builder_init(&state->builder, call->arena, call->arg_types[0].oid);
    state->any = true;
    return array_builder_add(&state->builder, args[0]);
}

FINAL(array_value)
{
    struct array_sum *state = state_;
    (void)call;
    *result = DATUM_NULL;
    return state->any ? array_builder_finish(&state->builder, result) : STATUS_OK;
}

static struct status add_items(struct array_sum *state, const struct array *array)
{
    struct status st = STATUS_OK;
    struct datum item;
    for (struct array_cursor cursor = array_first(array); array_next(&cursor, &item);)
        TRY(array_builder_add(&state->builder, item));
out:
    return st;
}

STEP(arrays_step)
{
    struct status st = STATUS_OK;
    struct array_sum *state = state_;
    struct array array;
    if (args[0].null)
        return status_make(E_NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays");
    TRY(array_open(args[0], &array));
    if (array.dimensions == 0)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays");
    if (array.dimensions == ARRAY_DIMENSIONS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED,
            "number of array dimensions (7) exceeds the maximum allowed (6)");
    if (!state->any) {
        array_builder_init(&state->builder, call->arena, array.element);
        state->any = true;
        state->dimensions = array.dimensions;
        for (uint32_t i = 0; i < array.dimensions; i++) {
            state->length[i + 1] = array.length[i];
            state->lower[i + 1] = array.lower[i];
        }
    }
    bool same = state->dimensions == array.dimensions;
    for (uint32_t i = 0; same && i < array.dimensions; i++)
        same = state->length[i + 1] == array.length[i] && state->lower[i + 1] == array.lower[i];
    if (!same)
        return status_make(
            E_ARRAY_SUBSCRIPT_ERROR, "cannot accumulate arrays of different dimensionality");
    state->outer++;
    TRY(add_items(state, &array));
out:
    return st;
}

FINAL(arrays_value)
{
    struct array_sum *state = state_;
    (void)call;
    *result = DATUM_NULL;
    if (!state->any) return STATUS_OK;
    state->length[0] = state->outer;
    state->lower[0] = 1;
    return array_builder_finish_dimensions(
        &state->builder, state->dimensions + 1, state->length, state->lower, result);
}

MERGE(array_merge)
{
    struct status st = STATUS_OK;
    struct array_sum *state = state_;
    const struct array_sum *other = other_;
    struct array_sum copy;
    struct datum items;
    struct array array;
    if (!other->any) return st;
    copy = *other;
    TRY(array_builder_finish(&copy.builder, &items));
    TRY(array_open(items, &array));
    if (!state->any) {
        *state = *other;
        state->outer = 0;
        array_builder_init(&state->builder, call->arena, other->builder.element);
    }
    if (state->dimensions != other->dimensions ||
        memcmp(state->length, other->length, sizeof state->length) != 0)
        return status_make(
            E_ARRAY_SUBSCRIPT_ERROR, "cannot accumulate arrays of different dimensionality");
    state->outer += other->outer;
    TRY(add_items(state, &array));
out:
    return st;
}

static const struct aggregate_ops array_ops = {.state_bytes = sizeof(struct array_sum),
    .step = array_step,
    .merge = array_merge,
    .final = array_value,
    .takes_null = true};
static const struct aggregate_ops arrays_ops = {.state_bytes = sizeof(struct array_sum),
    .step = arrays_step,
    .merge = array_merge,
    .final = arrays_value,
    .takes_null = true};

// clang-format off
static const struct function table[] = {
    {.name = "count", .kind = FUNCTION_AGGREGATE, .oid = 2803, .result = TYPE_INT8, .aggregate = &count_ops},
    AGGREGATE("count", 2147, INT8, &count_ops, TYPE_ANY),
    AGGREGATE("min", 2133, INT2, &min_ops, TYPE_INT2),
    AGGREGATE("min", 2132, INT4, &min_ops, TYPE_INT4),
    AGGREGATE("min", 2131, INT8, &min_ops, TYPE_INT8),
    AGGREGATE("min", 2134, OID, &min_ops, TYPE_OID),
    AGGREGATE("min", 2135, FLOAT4, &min_ops, TYPE_FLOAT4),
    AGGREGATE("min", 2136, FLOAT8, &min_ops, TYPE_FLOAT8),
    AGGREGATE("min", 2146, NUMERIC, &min_ops, TYPE_NUMERIC),
    AGGREGATE("min", 2138, DATE, &min_ops, TYPE_DATE),
    AGGREGATE("min", 2139, TIME, &min_ops, TYPE_TIME),
    AGGREGATE("min", 2140, TIMETZ, &min_ops, TYPE_TIMETZ),
    AGGREGATE("min", 2142, TIMESTAMP, &min_ops, TYPE_TIMESTAMP),
    AGGREGATE("min", 2143, TIMESTAMPTZ, &min_ops, TYPE_TIMESTAMPTZ),
    AGGREGATE("min", 2141, MONEY, &min_ops, TYPE_MONEY),
    AGGREGATE("max", 2125, MONEY, &max_ops, TYPE_MONEY),
    AGGREGATE("min", 2144, INTERVAL, &min_ops, TYPE_INTERVAL),
    AGGREGATE("min", 2145, TEXT, &min_ops, TYPE_TEXT),
    AGGREGATE("min", 2245, BPCHAR, &min_ops, TYPE_BPCHAR),
    AGGREGATE("min", 3524, ANYENUM, &min_ops, TYPE_ANYENUM),
    AGGREGATE("max", 3525, ANYENUM, &max_ops, TYPE_ANYENUM),
    AGGREGATE("min", 2051, ANYARRAY, &min_ops, TYPE_ANYARRAY),
    AGGREGATE("min", 2798, TID, &min_ops, TYPE_TID),
    AGGREGATE("min", 4190, PG_LSN, &min_ops, TYPE_PG_LSN),
    AGGREGATE("min", 5100, XID8, &min_ops, TYPE_XID8),
    AGGREGATE("max", 5099, XID8, &max_ops, TYPE_XID8),
    AGGREGATE("min", 3565, INET, &min_ops, TYPE_INET),
    AGGREGATE("max", 2117, INT2, &max_ops, TYPE_INT2),
    AGGREGATE("max", 2116, INT4, &max_ops, TYPE_INT4),
    AGGREGATE("max", 2115, INT8, &max_ops, TYPE_INT8),
    AGGREGATE("max", 2118, OID, &max_ops, TYPE_OID),
    AGGREGATE("max", 2119, FLOAT4, &max_ops, TYPE_FLOAT4),
    AGGREGATE("max", 2120, FLOAT8, &max_ops, TYPE_FLOAT8),
    AGGREGATE("max", 2130, NUMERIC, &max_ops, TYPE_NUMERIC),
    AGGREGATE("max", 2122, DATE, &max_ops, TYPE_DATE),
    AGGREGATE("max", 2123, TIME, &max_ops, TYPE_TIME),
    AGGREGATE("max", 2124, TIMETZ, &max_ops, TYPE_TIMETZ),
    AGGREGATE("max", 2126, TIMESTAMP, &max_ops, TYPE_TIMESTAMP),
    AGGREGATE("max", 2127, TIMESTAMPTZ, &max_ops, TYPE_TIMESTAMPTZ),
    AGGREGATE("max", 2128, INTERVAL, &max_ops, TYPE_INTERVAL),
    AGGREGATE("max", 2129, TEXT, &max_ops, TYPE_TEXT),
    AGGREGATE("max", 2244, BPCHAR, &max_ops, TYPE_BPCHAR),
    AGGREGATE("max", 2050, ANYARRAY, &max_ops, TYPE_ANYARRAY),
    AGGREGATE("max", 2797, TID, &max_ops, TYPE_TID),
    AGGREGATE("max", 4189, PG_LSN, &max_ops, TYPE_PG_LSN),
    AGGREGATE("max", 3564, INET, &max_ops, TYPE_INET),
    AGGREGATE("bit_and", 2236, INT2, &and_ops, TYPE_INT2),
    AGGREGATE("bit_and", 2238, INT4, &and_ops, TYPE_INT4),
    AGGREGATE("bit_and", 2240, INT8, &and_ops, TYPE_INT8),
    AGGREGATE("bit_or", 2237, INT2, &or_ops, TYPE_INT2),
    AGGREGATE("bit_or", 2239, INT4, &or_ops, TYPE_INT4),
    AGGREGATE("bit_or", 2241, INT8, &or_ops, TYPE_INT8),
    AGGREGATE("bit_xor", 6164, INT2, &xor_ops, TYPE_INT2),
    AGGREGATE("bit_xor", 6165, INT4, &xor_ops, TYPE_INT4),
    AGGREGATE("bit_xor", 6166, INT8, &xor_ops, TYPE_INT8),
    AGGREGATE("bool_and", 2517, BOOL, &and_ops, TYPE_BOOL),
    AGGREGATE("bool_or", 2518, BOOL, &or_ops, TYPE_BOOL),
    AGGREGATE("every", 2519, BOOL, &and_ops, TYPE_BOOL),
    AGGREGATE("string_agg", 3538, TEXT, &string_ops, TYPE_TEXT, TYPE_TEXT),
    AGGREGATE("string_agg", 3545, BYTEA, &string_ops, TYPE_BYTEA, TYPE_BYTEA),
    AGGREGATE("array_agg", 2335, ANYARRAY, &array_ops, TYPE_ANYNONARRAY),
    AGGREGATE("array_agg", 4053, ANYARRAY, &arrays_ops, TYPE_ANYARRAY),
};
// clang-format on

static const struct aggregate_ops count_rows_ops = {.state_bytes = sizeof(int64_t),
    .step = count_step,
    .merge = count_merge,
    .final = count_value,
    .takes_null = true};
const struct function aggregate_count_rows = {.name = "count",
    .kind = FUNCTION_AGGREGATE,
    .oid = 2803,
    .result = TYPE_INT8,
    .aggregate = &count_rows_ops};

void aggregates_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
