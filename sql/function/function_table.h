// SPDX-License-Identifier: GPL-3.0-or-later
//
// Short forms for the rows of function tables, and what function bodies share.
#pragma once
#include "core/invariant.h"
#include "sql/function/function.h"

#define FN_ARGS(...) \
    .args = (const type_oid[]){__VA_ARGS__}, \
    .arg_count = sizeof((const type_oid[]){__VA_ARGS__}) / sizeof(type_oid)

// Strict and immutable: most of them. What differs is written behind the arguments' list by the
// OPTIONS form: SCALAR_WITH("now", 1299, TIMESTAMPTZ, fn_now, .volatility = FUNCTION_STABLE).
#define SCALAR(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, FN_ARGS(__VA_ARGS__)}
#define STABLE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = FUNCTION_STABLE, FN_ARGS(__VA_ARGS__)}
#define SCALAR_NO_ARGS(name_, oid_, result_, fn_, volatility_) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = volatility_}
// Sees NULLs itself.
#define LAX(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .fn = fn_, \
        FN_ARGS(__VA_ARGS__)}
#define LAX_STABLE(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .fn = fn_, \
        .volatility = FUNCTION_STABLE, FN_ARGS(__VA_ARGS__)}
#define LAX_VARIADIC(name_, oid_, result_, fn_, volatility_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, .fn = fn_, \
        .variadic = true, .volatility = volatility_, FN_ARGS(__VA_ARGS__)}
#define OPERATOR(name_, oid_, result_, fn_, commutator_, negator_, ...) \
    {.name = name_, .kind = FUNCTION_OPERATOR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .commutator = commutator_, .negator = negator_, \
        FN_ARGS(__VA_ARGS__)}
#define LAX_OPERATOR(name_, oid_, result_, fn_, ...) \
    {.name = name_, .kind = FUNCTION_OPERATOR, .oid = oid_, .result = TYPE_##result_, .fn = fn_, \
        FN_ARGS(__VA_ARGS__)}
#define STABLE_OPERATOR(name_, oid_, result_, fn_, commutator_, ...) \
    {.name = name_, .kind = FUNCTION_OPERATOR, .oid = oid_, .result = TYPE_##result_, \
        .strict = true, .fn = fn_, .volatility = FUNCTION_STABLE, .commutator = commutator_, \
        FN_ARGS(__VA_ARGS__)}
#define AGGREGATE(name_, oid_, result_, ops_, ...) \
    {.name = name_, .kind = FUNCTION_AGGREGATE, .oid = oid_, .result = TYPE_##result_, \
        .aggregate = ops_, FN_ARGS(__VA_ARGS__)}
#define SET_RETURNING(name_, oid_, result_, ops_, ...) \
    {.name = name_, .kind = FUNCTION_SET, .oid = oid_, .result = TYPE_##result_, .strict = true, \
        .set = ops_, FN_ARGS(__VA_ARGS__)}

// The signature of bodies, for their definitions.
#define BODY(name_) \
    static struct status name_( \
        struct function_call *call, const struct datum *args, struct datum *result)

#define TABLE_COUNT(table) (sizeof(table) / sizeof((table)[0]))

// The largest value a function makes: PostgreSQL's limit of one allocation.
#define FUNCTION_BYTES_MAX 0x3fffffffu

static inline const struct type_context *function_context(const struct function_call *call)
{
    return call->context == NULL ? &type_context_default : call->context;
}

// Room for a result whose size comes from data. NULL: return function_no_memory(size).
static inline uint8_t *function_room(struct function_call *call, uint64_t size)
{
    if (size > FUNCTION_BYTES_MAX) return NULL;
    return arena_try_alloc(call->arena, (size_t)size);
}
struct status function_no_memory(uint64_t size);
// Copies `text` into the result; 53200 when there is no room.
CHECKED struct status function_text(
    struct function_call *call, struct bytes text, struct datum *result);

// lower() of a text, for others' use.
CHECKED struct status function_lower(
    struct function_call *call, struct datum text, struct datum *result);

// "could not identify a comparison function for type json": 42883, of values and items that are to be compared and
// have no order. `missing`: what is not there.
#define MISSING_EQUALITY "an equality operator"
#define MISSING_ORDER "a comparison function"
CHECKED struct status function_check_ordered(
    struct function_call *call, type_oid type, const char *missing);

static inline struct status division_by_zero(void)
{
    return status_make(E_DIVISION_BY_ZERO, "division by zero");
}

struct status number_out_of_range(type_oid oid); // "integer out of range"
struct status number_overflow(void);             // "value out of range: overflow"
struct status number_underflow(void);

// The tables of this layer.
#define FUNCTION_TABLES(X) \
    X(operators_compare) \
    X(operators_number) \
    X(operators_datetime) \
    X(functions_number) \
    X(functions_numeric) \
    X(functions_datetime) \
    X(functions_extract) \
    X(aggregates) \
    X(aggregates_number) \
    X(aggregates_ordered) \
    X(functions_text) \
    X(functions_format) \
    X(functions_regex) \
    X(functions_set) \
    X(functions_window) \
    X(functions_array) \
    X(functions_array_assign) \
    X(functions_misc) \
    X(functions_crypto) \
    X(functions_json) \
    X(functions_json_make) \
    X(functions_json_record) \
    X(functions_jsonpath) \
    X(formats_datetime) \
    X(formats_number) \
    X(functions_bit) \
    X(functions_inet) \
    X(functions_macaddr) \
    X(functions_enum) \
    X(functions_range) \
    X(functions_multirange) \
    X(functions_geometry) \
    X(functions_outline) \
    X(functions_money) \
    X(functions_xml) \
    X(functions_xml_path) \
    X(functions_ascii) \
    X(functions_degrees) \
    X(functions_identifier) \
    X(functions_cast)
#define X(name) void name##_register(void);
FUNCTION_TABLES(X)
#undef X
