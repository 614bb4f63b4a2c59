// SPDX-License-Identifier: GPL-3.0-or-later
//
// Constructors, operators, functions and aggregates of ranges; and what asks of a multirange only where it begins and ends.
#include "sql/function/function_table.h"
#include "sql/function/range_common.h"
#include "sql/type/numeric.h"
#include "sql/type/multirange.h"

// Of a multirange: from its first lower to its last upper bound.
static struct status open_one(const struct function_call *call, const struct datum *args, uint32_t index,
    const struct range_type **type, struct range *range)
{
    struct multirange_cursor cursor;
    type_oid oid = call->arg_types[index].oid;
    *type = range_type_of(oid);
    if (*type != NULL) return range_open(*type, args[index], range);
    *type = multirange_type_of(oid);
    invariant(*type != NULL);
    struct status st = multirange_open(oid, args[index], &cursor);
    if (!failed(st)) *range = multirange_span(cursor);
    return st;
}

static struct status open_both(const struct function_call *call, const struct datum *args,
    const struct range_type **type, struct range *a, struct range *b)
{
    struct status st = open_one(call, args, 0, type, a);
    return failed(st) ? st : open_one(call, args, 1, type, b);
}

// --- constructors --------------------------------------------------------------------------------------

BODY(construct)
{
    struct status st = STATUS_OK;
    const struct range_type *type = range_type_of(call->result_type.oid);
    struct range_bound lower = {.value = args[0], .infinite = args[0].null, .inclusive = true};
    struct range_bound upper = {.value = args[1], .infinite = args[1].null};
    struct range range;
    if (call->arg_count == 3) {
        if (args[2].null)
            return status_make(
                E_DATA_EXCEPTION, "range constructor flags argument must not be null");
        st = range_take_flags(datum_as_bytes(args[2]), &lower.inclusive, &upper.inclusive);
        if (failed(st))
            return status_hint(call->arena, st,
                "Valid values are \"[]\", \"[)\", \"(]\", and \"()\".");
    }
    TRY(range_make(type, lower, upper, &range));
    *result = range_datum(call->arena, type, &range);
out:
    return st;
}

// --- of one range --------------------------------------------------------------------------------------

#define OF_ONE(name, value) \
    BODY(name) \
    { \
        const struct range_type *type; \
        struct range range; \
        struct status st = open_one(call, args, 0, &type, &range); \
        if (!failed(st)) *result = value; \
        return st; \
    }
OF_ONE(lower_value, range.empty || range.lower.infinite ? DATUM_NULL : range.lower.value)
OF_ONE(upper_value, range.empty || range.upper.infinite ? DATUM_NULL : range.upper.value)
OF_ONE(is_empty, datum_bool(range.empty))
OF_ONE(lower_inclusive, datum_bool(!range.empty && range.lower.inclusive))
OF_ONE(upper_inclusive, datum_bool(!range.empty && range.upper.inclusive))
OF_ONE(lower_infinite, datum_bool(!range.empty && range.lower.infinite))
OF_ONE(upper_infinite, datum_bool(!range.empty && range.upper.infinite))

// What the types bring for indexes of other servers: the form that values have anyway, and how far two are apart.
BODY(canonical)
{
    (void)call;
    *result = args[0];
    return STATUS_OK;
}

BODY(int_distance)
{
    (void)call;
    *result = datum_real((double)args[0].integer - (double)args[1].integer);
    return STATUS_OK;
}

BODY(time_distance)
{
    (void)call;
    *result = datum_real(((double)args[0].integer - (double)args[1].integer) / 1e6);
    return STATUS_OK;
}

BODY(numeric_distance)
{
    struct datum distance;
    struct status st = numeric_subtract(call->arena, args[0], args[1], &distance);
    if (!failed(st)) *result = datum_real(numeric_to_double(distance));
    return st;
}

// --- relations -----------------------------------------------------------------------------------------

#define OF_TWO(name, value) \
    BODY(name) \
    { \
        const struct range_type *type; \
        struct range a, b; \
        struct status st = open_both(call, args, &type, &a, &b); \
        if (!failed(st)) *result = datum_bool(value); \
        return st; \
    }
OF_TWO(equal, range_compare(type, &a, &b) == 0)
OF_TWO(not_equal, range_compare(type, &a, &b) != 0)
OF_TWO(less, range_compare(type, &a, &b) < 0)
OF_TWO(less_equal, range_compare(type, &a, &b) <= 0)
OF_TWO(greater, range_compare(type, &a, &b) > 0)
OF_TWO(greater_equal, range_compare(type, &a, &b) >= 0)
BODY(order)
{
    const struct range_type *type;
    struct range a, b;
    struct status st = open_both(call, args, &type, &a, &b);
    if (failed(st)) return st;
    int compared = range_compare(type, &a, &b);
    *result = datum_int((compared > 0) - (compared < 0));
    return st;
}

OF_TWO(overlaps, range_overlaps(type, &a, &b))
OF_TWO(contains, range_contains(type, &a, &b))
OF_TWO(is_contained, range_contains(type, &b, &a))
OF_TWO(before, range_is_before(type, &a, &b))
OF_TWO(after, range_is_before(type, &b, &a))
OF_TWO(ends_no_later,
    !a.empty && !b.empty && range_bound_compare(type, &a.upper, &b.upper) <= 0)
OF_TWO(begins_no_earlier,
    !a.empty && !b.empty && range_bound_compare(type, &a.lower, &b.lower) >= 0)
OF_TWO(adjacent, range_touches(type, &a, &b))

BODY(contains_value)
{
    const struct range_type *type;
    struct range range;
    struct status st = open_one(call, args, 0, &type, &range);
    if (!failed(st)) *result = datum_bool(range_holds(type, &range, args[1]));
    return st;
}

BODY(value_contained)
{
    const struct range_type *type;
    struct range range;
    struct status st = open_one(call, args, 1, &type, &range);
    if (!failed(st)) *result = datum_bool(range_holds(type, &range, args[0]));
    return st;
}

// --- combining -----------------------------------------------------------------------------------------

BODY(merge)
{
    const struct range_type *type;
    struct range a, b;
    struct status st = open_both(call, args, &type, &a, &b);
    if (failed(st)) return st;
    a = range_span(type, &a, &b);
    *result = range_datum(call->arena, type, &a);
    return st;
}

BODY(merge_all)
{
    const struct range_type *type;
    struct range span;
    struct status st = open_one(call, args, 0, &type, &span);
    if (!failed(st)) *result = range_datum(call->arena, type, &span);
    return st;
}

BODY(add)
{
    const struct range_type *type;
    struct range a, b;
    struct status st = open_both(call, args, &type, &a, &b);
    if (failed(st)) return st;
    if (!a.empty && !b.empty && !range_overlaps(type, &a, &b) && !range_touches(type, &a, &b))
        return status_make(E_DATA_EXCEPTION, "result of range union would not be contiguous");
    a = range_span(type, &a, &b);
    *result = range_datum(call->arena, type, &a);
    return st;
}

BODY(intersect)
{
    const struct range_type *type;
    struct range a, b;
    struct status st = open_both(call, args, &type, &a, &b);
    if (failed(st)) return st;
    a = range_intersection(type, &a, &b);
    *result = range_datum(call->arena, type, &a);
    return st;
}

BODY(subtract)
{
    struct status st;
    const struct range_type *type;
    struct range a, b, first, second;
    TRY(open_both(call, args, &type, &a, &b));
    TRY(range_outside(type, &a, &b, &first, &second));
    if (!first.empty && !second.empty)
        return status_make(E_DATA_EXCEPTION, "result of range difference would not be contiguous");
    *result = range_datum(call->arena, type, first.empty ? &second : &first);
out:
    return st;
}

// --- range_intersect_agg -------------------------------------------------------------------------------

void range_common_keep(struct function_call *call, struct range_common *state, struct datum value,
    struct arena_mark mark)
{
    if (value.size > state->capacity) {
        state->capacity = value.size;
        state->value = value;
    } else {
        memcpy((uint8_t *)(uintptr_t)state->value.data, value.data, value.size);
        state->value.size = value.size;
        arena_release(call->arena, mark);
    }
    state->any = true;
}

struct status range_common_value(struct function_call *call, void *state_, struct datum *result)
{
    const struct range_common *state = state_;
    (void)call;
    *result = state->any ? state->value : DATUM_NULL;
    return STATUS_OK;
}

static struct status intersect_step(
    struct function_call *call, void *state_, const struct datum *args)
{
    struct status st = STATUS_OK;
    struct range_common *state = state_;
    const struct range_type *type;
    struct range range, all;
    struct arena_mark mark = arena_mark(call->arena);
    TRY(open_one(call, args, 0, &type, &range));
    if (state->any) {
        TRY(range_open(type, state->value, &all));
        range = range_intersection(type, &all, &range);
    }
    // Its parts may be those of the value that it takes the place of, so it is made beside that.
    range_common_keep(call, state, range_datum(call->arena, type, &range), mark);
out:
    return st;
}

static const struct aggregate_ops intersect_ops = {
    .state_bytes = sizeof(struct range_common), .step = intersect_step, .final = range_common_value};

// clang-format off
#define CONSTRUCTORS(name, two, three, type, subtype) \
    LAX(name, two, type, construct, TYPE_##subtype, TYPE_##subtype), \
    LAX(name, three, type, construct, TYPE_##subtype, TYPE_##subtype, TYPE_TEXT)
#define PAIR TYPE_ANYRANGE, TYPE_ANYRANGE

static const struct function table[] = {
    CONSTRUCTORS("int4range", 3840, 3841, INT4RANGE, INT4),
    CONSTRUCTORS("int8range", 3945, 3946, INT8RANGE, INT8),
    CONSTRUCTORS("numrange", 3844, 3845, NUMRANGE, NUMERIC),
    CONSTRUCTORS("tsrange", 3933, 3934, TSRANGE, TIMESTAMP),
    CONSTRUCTORS("tstzrange", 3937, 3938, TSTZRANGE, TIMESTAMPTZ),
    CONSTRUCTORS("daterange", 3941, 3942, DATERANGE, DATE),
    SCALAR("lower", 3848, ANYELEMENT, lower_value, TYPE_ANYRANGE),
    SCALAR("upper", 3849, ANYELEMENT, upper_value, TYPE_ANYRANGE),
    SCALAR("isempty", 3850, BOOL, is_empty, TYPE_ANYRANGE),
    SCALAR("lower_inc", 3851, BOOL, lower_inclusive, TYPE_ANYRANGE),
    SCALAR("upper_inc", 3852, BOOL, upper_inclusive, TYPE_ANYRANGE),
    SCALAR("lower_inf", 3853, BOOL, lower_infinite, TYPE_ANYRANGE),
    SCALAR("upper_inf", 3854, BOOL, upper_infinite, TYPE_ANYRANGE),
    SCALAR("range_merge", 4057, ANYRANGE, merge, PAIR),
    SCALAR("range_cmp", 3870, INT4, order, PAIR),
    SCALAR("int4range_canonical", 3914, INT4RANGE, canonical, TYPE_INT4RANGE),
    SCALAR("int8range_canonical", 3928, INT8RANGE, canonical, TYPE_INT8RANGE),
    SCALAR("daterange_canonical", 3915, DATERANGE, canonical, TYPE_DATERANGE),
    SCALAR("int4range_subdiff", 3922, FLOAT8, int_distance, TYPE_INT4, TYPE_INT4),
    SCALAR("int8range_subdiff", 3923, FLOAT8, int_distance, TYPE_INT8, TYPE_INT8),
    SCALAR("numrange_subdiff", 3924, FLOAT8, numeric_distance, TYPE_NUMERIC, TYPE_NUMERIC),
    SCALAR("daterange_subdiff", 3925, FLOAT8, int_distance, TYPE_DATE, TYPE_DATE),
    SCALAR("tsrange_subdiff", 3929, FLOAT8, time_distance, TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    SCALAR("tstzrange_subdiff", 3930, FLOAT8, time_distance, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    AGGREGATE("range_intersect_agg", 4450, ANYRANGE, &intersect_ops, TYPE_ANYRANGE),
    OPERATOR("=", 3882, BOOL, equal, "=", "<>", PAIR),
    OPERATOR("<>", 3883, BOOL, not_equal, "<>", "=", PAIR),
    OPERATOR("<", 3884, BOOL, less, ">", ">=", PAIR),
    OPERATOR("<=", 3885, BOOL, less_equal, ">=", ">", PAIR),
    OPERATOR(">=", 3886, BOOL, greater_equal, "<=", "<", PAIR),
    OPERATOR(">", 3887, BOOL, greater, "<", "<=", PAIR),
    OPERATOR("&&", 3888, BOOL, overlaps, "&&", NULL, PAIR),
    OPERATOR("@>", 3889, BOOL, contains_value, "<@", NULL, TYPE_ANYRANGE, TYPE_ANYELEMENT),
    OPERATOR("@>", 3890, BOOL, contains, "<@", NULL, PAIR),
    OPERATOR("<@", 3891, BOOL, value_contained, "@>", NULL, TYPE_ANYELEMENT, TYPE_ANYRANGE),
    OPERATOR("<@", 3892, BOOL, is_contained, "@>", NULL, PAIR),
    OPERATOR("<<", 3893, BOOL, before, ">>", NULL, PAIR),
    OPERATOR(">>", 3894, BOOL, after, "<<", NULL, PAIR),
    OPERATOR("&<", 3895, BOOL, ends_no_later, NULL, NULL, PAIR),
    OPERATOR("&>", 3896, BOOL, begins_no_earlier, NULL, NULL, PAIR),
    OPERATOR("-|-", 3897, BOOL, adjacent, "-|-", NULL, PAIR),
    OPERATOR("+", 3898, ANYRANGE, add, "+", NULL, PAIR),
    OPERATOR("-", 3899, ANYRANGE, subtract, NULL, NULL, PAIR),
    OPERATOR("*", 3900, ANYRANGE, intersect, "*", NULL, PAIR),
    SCALAR("lower", 4235, ANYELEMENT, lower_value, TYPE_ANYMULTIRANGE),
    SCALAR("upper", 4236, ANYELEMENT, upper_value, TYPE_ANYMULTIRANGE),
    SCALAR("isempty", 4237, BOOL, is_empty, TYPE_ANYMULTIRANGE),
    SCALAR("lower_inc", 4238, BOOL, lower_inclusive, TYPE_ANYMULTIRANGE),
    SCALAR("upper_inc", 4239, BOOL, upper_inclusive, TYPE_ANYMULTIRANGE),
    SCALAR("lower_inf", 4240, BOOL, lower_infinite, TYPE_ANYMULTIRANGE),
    SCALAR("upper_inf", 4241, BOOL, upper_infinite, TYPE_ANYMULTIRANGE),
    SCALAR("range_merge", 4228, ANYRANGE, merge_all, TYPE_ANYMULTIRANGE),
    OPERATOR("<<", 4395, BOOL, before, ">>", NULL, TYPE_ANYRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("<<", 4396, BOOL, before, ">>", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYRANGE),
    OPERATOR("<<", 4397, BOOL, before, ">>", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR(">>", 4398, BOOL, after, "<<", NULL, TYPE_ANYRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR(">>", 4399, BOOL, after, "<<", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYRANGE),
    OPERATOR(">>", 4400, BOOL, after, "<<", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("&<", 2875, BOOL, ends_no_later, NULL, NULL, TYPE_ANYRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("&<", 2876, BOOL, ends_no_later, NULL, NULL, TYPE_ANYMULTIRANGE, TYPE_ANYRANGE),
    OPERATOR("&<", 2877, BOOL, ends_no_later, NULL, NULL, TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("&>", 3585, BOOL, begins_no_earlier, NULL, NULL, TYPE_ANYRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("&>", 4035, BOOL, begins_no_earlier, NULL, NULL, TYPE_ANYMULTIRANGE, TYPE_ANYRANGE),
    OPERATOR("&>", 4142, BOOL, begins_no_earlier, NULL, NULL, TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("-|-", 4179, BOOL, adjacent, "-|-", NULL, TYPE_ANYRANGE, TYPE_ANYMULTIRANGE),
    OPERATOR("-|-", 4180, BOOL, adjacent, "-|-", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYRANGE),
    OPERATOR("-|-", 4198, BOOL, adjacent, "-|-", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE),
};
// clang-format on

void functions_range_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
