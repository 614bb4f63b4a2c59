// SPDX-License-Identifier: GPL-3.0-or-later
//
// Constructors, operators, functions and aggregates of multiranges. Where an argument may be a range or a multirange, a
// range is a multirange of at most one.
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/function/range_common.h"
#include "sql/type/multirange.h"

#define ITEM_WORK 16u // What a range counts for in function_work.

static struct status open_at(const struct function_call *call, const struct datum *args,
    uint32_t index, struct multirange_cursor *cursor)
{
    return multirange_open(call->arg_types[index].oid, args[index], cursor);
}

static struct status open_both(const struct function_call *call, const struct datum *args,
    struct multirange_cursor *a, struct multirange_cursor *b)
{
    struct status st = open_at(call, args, 0, a);
    return failed(st) ? st : open_at(call, args, 1, b);
}

// --- constructors --------------------------------------------------------------------------------------

// From ranges side by side; none is allowed to be NULL.
BODY(construct)
{
    struct status st = STATUS_OK;
    const struct range_type *type = multirange_type_of(call->result_type.oid);
    struct multirange_list list = {.arena = call->arena};
    struct range range;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (args[i].null)
            return status_make(E_NULL_VALUE_NOT_ALLOWED,
                "multirange values cannot contain null members");
        TRY(range_open(type, args[i], &range));
        TRY(multirange_list_add(&list, &range));
    }
    TRY(multirange_list_end(&list, type, result));
out:
    return st;
}

struct status cast_range_to_multirange(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return construct(call, args, result);
}

// --- relations -----------------------------------------------------------------------------------------

#define COMPARISON(name, condition) \
    BODY(name) \
    { \
        int order = type_compare(call->arg_types[0].oid, args[0], args[1]); \
        *result = datum_bool(condition); \
        return STATUS_OK; \
    }
COMPARISON(equal, order == 0)
COMPARISON(not_equal, order != 0)
COMPARISON(less, order < 0)
COMPARISON(less_equal, order <= 0)
COMPARISON(greater, order > 0)
COMPARISON(greater_equal, order >= 0)

BODY(compare)
{
    int order = type_compare(call->arg_types[0].oid, args[0], args[1]);
    *result = datum_int((order > 0) - (order < 0));
    return STATUS_OK;
}

// Both are walked side by side: what ends first makes way for its next one.
BODY(overlaps)
{
    struct status st;
    struct multirange_cursor a, b;
    struct range x, y;
    TRY(open_both(call, args, &a, &b));
    bool more = multirange_next(&a, &x) && multirange_next(&b, &y), found = false;
    while (more && !found) {
        TRY(function_work(call, ITEM_WORK));
        found = range_overlaps(a.type, &x, &y);
        bool a_first = range_bound_compare(a.type, &x.upper, &y.upper) < 0;
        if (!found) more = a_first ? multirange_next(&a, &x) : multirange_next(&b, &y);
    }
    *result = datum_bool(found);
out:
    return st;
}

// Each of b's ranges lies in one of a's.
static struct status holds_all(struct function_call *call, struct multirange_cursor a,
    struct multirange_cursor b, struct datum *result)
{
    struct status st = STATUS_OK;
    struct range x, y;
    bool all = true, more = multirange_next(&a, &x);
    while (all && multirange_next(&b, &y)) {
        while (more && range_is_before(a.type, &x, &y)) {
            TRY(function_work(call, ITEM_WORK));
            more = multirange_next(&a, &x);
        }
        TRY(function_work(call, ITEM_WORK));
        all = more && range_contains(a.type, &x, &y);
    }
    *result = datum_bool(all);
out:
    return st;
}

BODY(contains)
{
    struct multirange_cursor a, b;
    struct status st = open_both(call, args, &a, &b);
    return failed(st) ? st : holds_all(call, a, b, result);
}

BODY(is_contained)
{
    struct multirange_cursor a, b;
    struct status st = open_both(call, args, &a, &b);
    return failed(st) ? st : holds_all(call, b, a, result);
}

static struct status holds_value(struct function_call *call, struct multirange_cursor cursor,
    struct datum value, struct datum *result)
{
    struct status st = STATUS_OK;
    struct range range;
    *result = datum_bool(false);
    while (!result->boolean && multirange_next(&cursor, &range)) {
        TRY(function_work(call, ITEM_WORK));
        *result = datum_bool(range_holds(cursor.type, &range, value));
    }
out:
    return st;
}

BODY(contains_value)
{
    struct multirange_cursor cursor;
    struct status st = open_at(call, args, 0, &cursor);
    return failed(st) ? st : holds_value(call, cursor, args[1], result);
}

BODY(value_contained)
{
    struct multirange_cursor cursor;
    struct status st = open_at(call, args, 1, &cursor);
    return failed(st) ? st : holds_value(call, cursor, args[0], result);
}

// --- combining -----------------------------------------------------------------------------------------

BODY(add)
{
    struct status st;
    struct multirange_cursor a, b;
    struct multirange_builder builder;
    struct range x, y;
    TRY(open_both(call, args, &a, &b));
    multirange_begin(&builder, call->arena, a.type);
    bool more_a = multirange_next(&a, &x), more_b = multirange_next(&b, &y);
    while (more_a || more_b) {
        bool take_a = more_a && (!more_b || range_compare(a.type, &x, &y) <= 0);
        TRY(multirange_add(&builder, take_a ? &x : &y));
        if (take_a)
            more_a = multirange_next(&a, &x);
        else
            more_b = multirange_next(&b, &y);
    }
    *result = multirange_end(&builder);
out:
    return st;
}

static struct status intersection(struct function_call *call, struct multirange_cursor a,
    struct multirange_cursor b, struct arena *arena, struct datum *result)
{
    struct status st = STATUS_OK;
    struct multirange_builder builder;
    struct range x, y;
    multirange_begin(&builder, arena, a.type);
    bool more = multirange_next(&a, &x) && multirange_next(&b, &y);
    while (more) {
        struct range both = range_intersection(a.type, &x, &y);
        TRY(function_work(call, ITEM_WORK));
        TRY(multirange_add(&builder, &both));
        more = range_bound_compare(a.type, &x.upper, &y.upper) < 0 ? multirange_next(&a, &x)
                                                                   : multirange_next(&b, &y);
    }
    *result = multirange_end(&builder);
out:
    return st;
}

BODY(intersect)
{
    struct multirange_cursor a, b;
    struct status st = open_both(call, args, &a, &b);
    return failed(st) ? st : intersection(call, a, b, call->arena, result);
}

// From each of a's ranges what b's take away goes from its front on.
BODY(subtract)
{
    struct status st;
    struct multirange_cursor a, b;
    struct multirange_builder builder;
    struct range x, y, before, after;
    TRY(open_both(call, args, &a, &b));
    multirange_begin(&builder, call->arena, a.type);
    bool more = multirange_next(&b, &y);
    while (multirange_next(&a, &x)) {
        while (more && !x.empty && !range_is_before(a.type, &x, &y)) {
            TRY(function_work(call, ITEM_WORK));
            if (range_is_before(a.type, &y, &x)) {
                more = multirange_next(&b, &y);
                continue;
            }
            TRY(range_outside(a.type, &x, &y, &before, &after));
            TRY(multirange_add(&builder, &before));
            x = after; // Of which the next of b's may take more.
        }
        TRY(multirange_add(&builder, &x));
    }
    *result = multirange_end(&builder);
out:
    return st;
}

// --- unnest --------------------------------------------------------------------------------------------

static struct status unnest_start(
    struct function_call *call, void *state, const struct datum *args)
{
    return open_at(call, args, 0, state);
}

static struct status unnest_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct multirange_cursor *cursor = state;
    struct range range;
    *done = !multirange_next(cursor, &range);
    if (!*done) row[0] = range_datum(call->arena, cursor->type, &range);
    return STATUS_OK;
}

static const struct set_ops unnest_ops = {.column_count = 1,
    .column_names = (const char *const[]){"unnest"},
    .column_types = (const type_oid[]){TYPE_ANYRANGE},
    .state_bytes = sizeof(struct multirange_cursor),
    .start = unnest_start,
    .next = unnest_next};

// --- aggregates ----------------------------------------------------------------------------------------

struct all_ranges {
    bool any;
    struct multirange_list list;
};

static struct status agg_step(struct function_call *call, void *state_, const struct datum *args)
{
    struct status st;
    struct all_ranges *state = state_;
    struct multirange_cursor cursor;
    struct range range;
    struct datum kept = type_copy(call->arena, call->arg_types[0].oid, args[0]);
    state->any = true;
    state->list.arena = call->arena;
    TRY(multirange_open(call->arg_types[0].oid, kept, &cursor));
    while (multirange_next(&cursor, &range)) TRY(multirange_list_add(&state->list, &range));
out:
    return st;
}

static struct status agg_value(struct function_call *call, void *state_, struct datum *result)
{
    struct all_ranges *state = state_;
    struct multirange_list list = state->list; // Windows ask for the value of one state again and again.
    *result = DATUM_NULL;
    if (!state->any) return STATUS_OK;
    list.arena = call->arena;
    list.ranges = arena_try_alloc(call->arena, (list.count + 1) * sizeof *list.ranges);
    if (list.ranges == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    if (list.count > 0) memcpy(list.ranges, state->list.ranges, list.count * sizeof *list.ranges);
    return multirange_list_end(&list, multirange_type_of(call->result_type.oid), result);
}

static const struct aggregate_ops agg_ops = {
    .state_bytes = sizeof(struct all_ranges), .step = agg_step, .final = agg_value};

static struct status intersect_step(
    struct function_call *call, void *state_, const struct datum *args)
{
    struct status st = STATUS_OK;
    struct range_common *state = state_;
    struct multirange_cursor all, next;
    struct datum value;
    type_oid type = call->arg_types[0].oid;
    struct arena_mark mark = arena_mark(call->arena);
    if (!state->any) {
        value = type_copy(call->arena, type, args[0]);
    } else {
        TRY(multirange_open(type, state->value, &all));
        TRY(multirange_open(type, args[0], &next));
        TRY(intersection(call, all, next, call->arena, &value));
    }
    range_common_keep(call, state, value, mark);
out:
    return st;
}

static const struct aggregate_ops intersect_ops = {
    .state_bytes = sizeof(struct range_common), .step = intersect_step, .final = range_common_value};

// clang-format off
#define CONSTRUCTORS(label, none, many, multirange, range) \
    {.name = label, .kind = FUNCTION_SCALAR, .oid = none, .result = TYPE_##multirange, .strict = true, .fn = construct}, \
    LAX_VARIADIC(label, many, multirange, construct, FUNCTION_IMMUTABLE, TYPE_##range)
#define ONE_ONE TYPE_ANYMULTIRANGE, TYPE_ANYMULTIRANGE
#define ONE_RANGE TYPE_ANYMULTIRANGE, TYPE_ANYRANGE
#define RANGE_ONE TYPE_ANYRANGE, TYPE_ANYMULTIRANGE

static const struct function table[] = {
    CONSTRUCTORS("int4multirange", 4280, 4282, INT4MULTIRANGE, INT4RANGE),
    CONSTRUCTORS("nummultirange", 4283, 4285, NUMMULTIRANGE, NUMRANGE),
    CONSTRUCTORS("tsmultirange", 4286, 4288, TSMULTIRANGE, TSRANGE),
    CONSTRUCTORS("tstzmultirange", 4289, 4291, TSTZMULTIRANGE, TSTZRANGE),
    CONSTRUCTORS("datemultirange", 4292, 4294, DATEMULTIRANGE, DATERANGE),
    CONSTRUCTORS("int8multirange", 4295, 4297, INT8MULTIRANGE, INT8RANGE),
    SCALAR("multirange", 4298, ANYMULTIRANGE, construct, TYPE_ANYRANGE),
    SCALAR("multirange_cmp", 4273, INT4, compare, ONE_ONE),
    SET_RETURNING("unnest", 1293, ANYRANGE, &unnest_ops, TYPE_ANYMULTIRANGE),
    AGGREGATE("range_agg", 4301, ANYMULTIRANGE, &agg_ops, TYPE_ANYRANGE),
    AGGREGATE("range_agg", 6227, ANYMULTIRANGE, &agg_ops, TYPE_ANYMULTIRANGE),
    AGGREGATE("range_intersect_agg", 4389, ANYMULTIRANGE, &intersect_ops, TYPE_ANYMULTIRANGE),
    OPERATOR("=", 2860, BOOL, equal, "=", "<>", ONE_ONE),
    OPERATOR("<>", 2861, BOOL, not_equal, "<>", "=", ONE_ONE),
    OPERATOR("<", 2862, BOOL, less, ">", ">=", ONE_ONE),
    OPERATOR("<=", 2863, BOOL, less_equal, ">=", ">", ONE_ONE),
    OPERATOR(">=", 2864, BOOL, greater_equal, "<=", "<", ONE_ONE),
    OPERATOR(">", 2865, BOOL, greater, "<", "<=", ONE_ONE),
    OPERATOR("&&", 2866, BOOL, overlaps, "&&", NULL, RANGE_ONE),
    OPERATOR("&&", 2867, BOOL, overlaps, "&&", NULL, ONE_RANGE),
    OPERATOR("&&", 2868, BOOL, overlaps, "&&", NULL, ONE_ONE),
    OPERATOR("@>", 2869, BOOL, contains_value, "<@", NULL, TYPE_ANYMULTIRANGE, TYPE_ANYELEMENT),
    OPERATOR("@>", 2870, BOOL, contains, "<@", NULL, ONE_RANGE),
    OPERATOR("@>", 2871, BOOL, contains, "<@", NULL, ONE_ONE),
    OPERATOR("@>", 4539, BOOL, contains, "<@", NULL, RANGE_ONE),
    OPERATOR("<@", 2872, BOOL, value_contained, "@>", NULL, TYPE_ANYELEMENT, TYPE_ANYMULTIRANGE),
    OPERATOR("<@", 2873, BOOL, is_contained, "@>", NULL, RANGE_ONE),
    OPERATOR("<@", 2874, BOOL, is_contained, "@>", NULL, ONE_ONE),
    OPERATOR("<@", 4540, BOOL, is_contained, "@>", NULL, ONE_RANGE),
    OPERATOR("+", 4392, ANYMULTIRANGE, add, "+", NULL, ONE_ONE),
    OPERATOR("-", 4393, ANYMULTIRANGE, subtract, NULL, NULL, ONE_ONE),
    OPERATOR("*", 4394, ANYMULTIRANGE, intersect, "*", NULL, ONE_ONE),
};
// clang-format on

void functions_multirange_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
