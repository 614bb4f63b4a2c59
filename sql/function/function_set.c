// SPDX-License-Identifier: GPL-3.0-or-later
//
// generate_series, generate_subscripts, unnest, string_to_table: functions that give rows.
#include <math.h>

#include "sql/type/array.h"
#include "sql/type/datetime.h"
#include "sql/function/function_table.h"
#include "sql/type/long_text.h"
#include "sql/type/numeric.h"
#include "sql/type/utf8.h"

#define START(name) \
    static struct status name( \
        struct function_call *call, void *state_, const struct datum *args)
#define NEXT(name) \
    static struct status name( \
        struct function_call *call, void *state_, struct datum *row, bool *done)

static struct status zero_step(void)
{
    return status_make(E_INVALID_PARAMETER_VALUE, "step size cannot equal zero");
}

// --- integers --------------------------------------------------------------------------------------------

struct int_series {
    int64_t next, stop, step;
    bool ended;
};

START(int_start)
{
    struct int_series *state = state_;
    state->next = args[0].integer;
    state->stop = args[1].integer;
    state->step = call->arg_count == 3 ? args[2].integer : 1;
    return state->step == 0 ? zero_step() : STATUS_OK;
}

NEXT(int_next)
{
    struct int_series *state = state_;
    (void)call;
    bool past = state->step > 0 ? state->next > state->stop : state->next < state->stop;
    *done = state->ended || past;
    if (*done) return STATUS_OK;
    row[0] = datum_int(state->next);
    // Beyond the type there is nothing more to give.
    state->ended = __builtin_add_overflow(state->next, state->step, &state->next);
    return STATUS_OK;
}

// --- numerics ----------------------------------------------------------------------------------------------

#define NUMERIC_BYTES_KEPT 64

struct numeric_series {
    struct datum next, stop, step;
    int sign;
    uint8_t kept[NUMERIC_BYTES_KEPT]; // What `next` usually fits in, so that rows leave nothing behind.
};

static struct status check_finite(struct arena *arena, const char *which, struct datum value)
{
    const char *what = numeric_is_nan(value)        ? "NaN"
                       : numeric_is_infinite(value) ? "infinity"
                                                    : NULL;
    if (what == NULL) return STATUS_OK;
    return status_format(
        arena, E_INVALID_PARAMETER_VALUE, "%s %s cannot be %s", which,
        strcmp(which, "step") == 0 ? "size" : "value", what);
}

START(numeric_start)
{
    struct status st = STATUS_OK;
    struct numeric_series *state = state_;
    state->next = args[0];
    state->stop = args[1];
    state->step = call->arg_count == 3 ? args[2] : numeric_from_int(call->state_arena, 1);
    TRY(check_finite(call->arena, "start", state->next));
    TRY(check_finite(call->arena, "stop", state->stop));
    TRY(check_finite(call->arena, "step", state->step));
    state->sign = numeric_sign(state->step);
    if (state->sign == 0) st = zero_step();
out:
    return st;
}

NEXT(numeric_next)
{
    struct numeric_series *state = state_;
    *done = numeric_compare(state->next, state->stop) * state->sign > 0;
    if (*done) return STATUS_OK;
    row[0] = type_copy(call->arena, TYPE_NUMERIC, state->next);
    struct status st = numeric_add(call->arena, row[0], state->step, &state->next);
    if (!failed(st)) st = function_work(call, (uint64_t)state->next.size * 8);
    if (failed(st)) return st;
    if (state->next.size > NUMERIC_BYTES_KEPT) {
        state->next = type_copy(call->state_arena, TYPE_NUMERIC, state->next);
        return arena_check(call->state_arena);
    }
    memcpy(state->kept, state->next.data, state->next.size);
    state->next.data = state->kept;
    return st;
}

// --- timestamps ----------------------------------------------------------------------------------------------

struct time_series {
    int64_t next, stop;
    struct interval step;
    int sign;
    bool with_zone;
    const struct time_zone *zone;
};

START(time_start)
{
    struct time_series *state = state_;
    state->next = args[0].integer;
    state->stop = args[1].integer;
    state->step = interval_of(args[2]);
    state->sign = interval_compare(state->step, (struct interval){0});
    state->with_zone = call->arg_types[0].oid == TYPE_TIMESTAMPTZ;
    state->zone = function_context(call)->zone;
    if (state->sign == 0) return zero_step();
    if (!timestamp_is_finite(state->next) || !timestamp_is_finite(state->stop))
        return status_make(E_INVALID_PARAMETER_VALUE, "series of infinite timestamps");
    return STATUS_OK;
}

NEXT(time_next)
{
    struct time_series *state = state_;
    (void)call;
    *done = state->sign > 0 ? state->next > state->stop : state->next < state->stop;
    if (*done) return STATUS_OK;
    row[0] = datum_int(state->next);
    return state->with_zone
        ? timestamptz_add_interval(state->zone, state->next, state->step, &state->next)
        : timestamp_add_interval(state->next, state->step, &state->next);
}

// --- arrays ---------------------------------------------------------------------------------------------------

struct unnesting {
    struct array_cursor cursor;
};

START(unnest_start)
{
    struct unnesting *state = state_;
    struct array array;
    (void)call;
    struct status st = array_open(args[0], &array);
    if (!failed(st)) state->cursor = array_first(&array);
    return st;
}

NEXT(unnest_next)
{
    struct unnesting *state = state_;
    (void)call;
    *done = !array_next(&state->cursor, &row[0]);
    return STATUS_OK;
}

START(subscripts_start)
{
    struct int_series *state = state_;
    struct array array;
    struct status st = array_open(args[0], &array);
    if (failed(st)) return st;
    int64_t dimension = args[1].integer;
    if (dimension < 1 || dimension > array.dimensions) {
        state->ended = true;
        return st;
    }
    int64_t lower = array.lower[dimension - 1];
    int64_t upper = lower + array.length[dimension - 1] - 1;
    bool reverse = call->arg_count == 3 && args[2].boolean;
    state->next = reverse ? upper : lower;
    state->stop = reverse ? lower : upper;
    state->step = reverse ? -1 : 1;
    return st;
}

// --- string_to_table ---------------------------------------------------------------------------------------------

// A row at a time from the text itself, which lasts as long as the function runs: nothing of its size is made.
struct splitting {
    struct bytes rest, by, shown_null;
    bool characters; // No delimiter.
    bool ended, has_null;
};

START(table_start)
{
    struct splitting *state = state_;
    state->ended = args[0].null || args[0].size == 0;
    if (state->ended) return STATUS_OK;
    state->rest = datum_as_bytes(args[0]);
    state->characters = args[1].null;
    if (!state->characters) state->by = datum_as_bytes(args[1]);
    state->has_null = call->arg_count == 3 && !args[2].null;
    if (state->has_null) state->shown_null = datum_as_bytes(args[2]);
    return STATUS_OK;
}

NEXT(table_next)
{
    struct status st = STATUS_OK;
    struct splitting *state = state_;
    *done = state->ended;
    if (*done) return st;
    size_t size = state->rest.size, skip = size;
    if (state->characters) {
        size = skip = utf8_step(state->rest, 0);
        state->ended = skip == state->rest.size;
    } else {
        size_t at = SIZE_MAX;
        if (state->by.size > 0) TRY(long_find(call, state->rest, state->by, 0, &at));
        state->ended = at == SIZE_MAX;
        if (!state->ended) {
            size = at;
            skip = at + state->by.size;
        }
    }
    const struct bytes piece = bytes_of(state->rest.data, size);
    row[0] = state->has_null && bytes_equal(piece, state->shown_null) ? DATUM_NULL : datum_bytes(piece);
    state->rest = bytes_skip(state->rest, skip);
out:
    return st;
}

#define SET(name, label, type, state, start_, next_) \
    static const char *const name##_names[] = {label}; \
    static const type_oid name##_types[] = {type}; \
    static const struct set_ops name = {.column_count = 1, \
        .column_names = name##_names, \
        .column_types = name##_types, \
        .state_bytes = sizeof(state), \
        .start = start_, \
        .next = next_};
SET(int4_series, "generate_series", TYPE_INT4, struct int_series, int_start, int_next)
SET(int8_series, "generate_series", TYPE_INT8, struct int_series, int_start, int_next)
SET(numerics, "generate_series", TYPE_NUMERIC, struct numeric_series, numeric_start, numeric_next)
SET(timestamps, "generate_series", TYPE_TIMESTAMP, struct time_series, time_start, time_next)
SET(timestamptzs, "generate_series", TYPE_TIMESTAMPTZ, struct time_series, time_start, time_next)
SET(unnest, "unnest", TYPE_ANYELEMENT, struct unnesting, unnest_start, unnest_next)
SET(subscripts, "generate_subscripts", TYPE_INT4, struct int_series, subscripts_start, int_next)
SET(pieces, "string_to_table", TYPE_TEXT, struct splitting, table_start, table_next)

// clang-format off
static const struct function table[] = {
    SET_RETURNING("generate_series", 1067, INT4, &int4_series, TYPE_INT4, TYPE_INT4),
    SET_RETURNING("generate_series", 1066, INT4, &int4_series, TYPE_INT4, TYPE_INT4, TYPE_INT4),
    SET_RETURNING("generate_series", 1069, INT8, &int8_series, TYPE_INT8, TYPE_INT8),
    SET_RETURNING("generate_series", 1068, INT8, &int8_series, TYPE_INT8, TYPE_INT8, TYPE_INT8),
    SET_RETURNING("generate_series", 3260, NUMERIC, &numerics, TYPE_NUMERIC, TYPE_NUMERIC),
    SET_RETURNING("generate_series", 3259, NUMERIC, &numerics, TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC),
    SET_RETURNING("generate_series", 938, TIMESTAMP, &timestamps, TYPE_TIMESTAMP, TYPE_TIMESTAMP, TYPE_INTERVAL),
    SET_RETURNING("generate_series", 939, TIMESTAMPTZ, &timestamptzs, TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ, TYPE_INTERVAL),
    SET_RETURNING("unnest", 2331, ANYELEMENT, &unnest, TYPE_ANYARRAY),
    SET_RETURNING("generate_subscripts", 1192, INT4, &subscripts, TYPE_ANYARRAY, TYPE_INT4),
    SET_RETURNING("generate_subscripts", 1191, INT4, &subscripts, TYPE_ANYARRAY, TYPE_INT4, TYPE_BOOL),
    {.name = "string_to_table", .kind = FUNCTION_SET, .oid = 6160, .result = TYPE_TEXT, .set = &pieces,
        FN_ARGS(TYPE_TEXT, TYPE_TEXT)},
    {.name = "string_to_table", .kind = FUNCTION_SET, .oid = 6161, .result = TYPE_TEXT, .set = &pieces,
        FN_ARGS(TYPE_TEXT, TYPE_TEXT, TYPE_TEXT)},
};
// clang-format on

void functions_set_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
