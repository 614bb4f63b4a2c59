// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ordered-set aggregates: percentile_disc, percentile_cont, mode. Rows come in the order of WITHIN GROUP; the
// direct arguments are repeated before each row's value. rank and the other hypothetical ones are counts:
// sql/bind/bind_ordered.c.
#include <math.h>

#include "sql/type/collation.h"
#include "sql/type/array.h"
#include "sql/type/datetime.h"
#include "sql/function/function_table.h"

#define STEP(name) \
    static struct status name( \
        struct function_call *call, void *state_, const struct datum *args)
#define FINAL(name) \
    static struct status name(struct function_call *call, void *state_, struct datum *result)

// Values stay where they are until the group is finished: the operator keeps them.
struct ordered {
    struct datum direct;
    struct datum *values;
    uint64_t count, capacity;
};

static struct status keep(struct function_call *call, struct ordered *state, struct datum value)
{
    if (state->count == state->capacity) {
        uint64_t capacity = state->capacity == 0 ? 16 : state->capacity * 2;
        struct datum *values = arena_try_alloc(call->arena, capacity * sizeof *values);
        if (values == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        if (state->count > 0) memcpy(values, state->values, state->count * sizeof *values);
        state->values = values;
        state->capacity = capacity;
    }
    state->values[state->count++] = value;
    return STATUS_OK;
}

STEP(percentile_step)
{
    struct ordered *state = state_;
    if (state->count == 0) state->direct = args[0];
    return keep(call, state, args[1]);
}

static struct status check_fraction(struct function_call *call, double fraction)
{
    if (fraction >= 0 && fraction <= 1) return STATUS_OK;
    return status_format(call->arena, E_NUMERIC_OUT_OF_RANGE,
        "percentile value %g is not between 0 and 1", fraction);
}

// --- percentile_disc -----------------------------------------------------------------------------------

static struct status disc_at(struct function_call *call, const struct ordered *state,
    struct datum fraction, struct datum *result)
{
    struct status st = STATUS_OK;
    TRY(check_fraction(call, fraction.real));
    double row = ceil(fraction.real * (double)state->count);
    *result = state->values[row < 1 ? 0 : (uint64_t)row - 1];

out:
    return st;
}

FINAL(disc_value)
{
    const struct ordered *state = state_;
    *result = DATUM_NULL;
    return state->count == 0 ? STATUS_OK : disc_at(call, state, state->direct, result);
}

// --- percentile_cont -----------------------------------------------------------------------------------

static struct status between(struct function_call *call, struct datum low, struct datum high,
    double part, struct datum *result)
{
    struct status st = STATUS_OK;
    struct interval difference;
    if (call->arg_types[1].oid != TYPE_INTERVAL) {
        *result = datum_real(low.real + part * (high.real - low.real));
        return st;
    }
    TRY(interval_negate(interval_of(low), &difference));
    TRY(interval_add(interval_of(high), difference, &difference));
    TRY(interval_multiply(difference, part, &difference));
    TRY(interval_add(difference, interval_of(low), &difference));
    *result = interval_datum(call->arena, difference);

out:
    return st;
}

static struct status cont_at(struct function_call *call, const struct ordered *state,
    struct datum fraction, struct datum *result)
{
    struct status st = STATUS_OK;
    TRY(check_fraction(call, fraction.real));
    double place = fraction.real * (double)(state->count - 1);
    uint64_t low = (uint64_t)floor(place), high = (uint64_t)ceil(place);
    *result = state->values[low];
    if (low != high)
        TRY(between(call, state->values[low], state->values[high], place - (double)low, result));

out:
    return st;
}

FINAL(cont_value)
{
    const struct ordered *state = state_;
    *result = DATUM_NULL;
    return state->count == 0 ? STATUS_OK : cont_at(call, state, state->direct, result);
}

// --- several at once -----------------------------------------------------------------------------------

static struct status each_fraction(struct function_call *call, const struct ordered *state,
    struct status (*at)(
        struct function_call *, const struct ordered *, struct datum, struct datum *),
    struct datum *result)
{
    struct status st = STATUS_OK;
    struct array fractions;
    struct array_builder builder;
    struct datum fraction, value;
    *result = DATUM_NULL;
    if (state->count == 0) return st;
    TRY(array_open(state->direct, &fractions));
    array_builder_init(&builder, call->arena, call->arg_types[1].oid);
    for (struct array_cursor cursor = array_first(&fractions); array_next(&cursor, &fraction);) {
        value = DATUM_NULL;
        if (!fraction.null) TRY(at(call, state, fraction, &value));
        TRY(array_builder_add(&builder, value));
    }
    if (fractions.count == 0) return array_builder_finish(&builder, result);
    TRY(array_builder_finish_like(&builder, &fractions, result));

out:
    return st;
}

FINAL(disc_values)
{
    return each_fraction(call, state_, disc_at, result);
}

FINAL(cont_values)
{
    return each_fraction(call, state_, cont_at, result);
}

// --- mode ----------------------------------------------------------------------------------------------

struct mode {
    struct datum best, last;
    uint64_t best_count, last_count;
};

// Equal values come one after another; of those as frequent the first stays.
STEP(mode_step)
{
    struct mode *state = state_;
    if (state->last_count == 0 || !type_equal(collation_type(call->arg_types[0]), state->last, args[0])) {
        state->last = args[0];
        state->last_count = 0;
    }
    state->last_count++;
    if (state->last_count > state->best_count) {
        state->best = state->last;
        state->best_count = state->last_count;
    }
    return STATUS_OK;
}

FINAL(mode_value)
{
    const struct mode *state = state_;
    (void)call;
    *result = state->best_count == 0 ? DATUM_NULL : state->best;
    return STATUS_OK;
}

#define OPS(name, state_, step_, final_) \
    static const struct aggregate_ops name = {.state_bytes = sizeof(struct state_), \
        .step = step_, \
        .final = final_, \
        .ordered_set = true};
OPS(disc_ops, ordered, percentile_step, disc_value)
OPS(cont_ops, ordered, percentile_step, cont_value)
OPS(discs_ops, ordered, percentile_step, disc_values)
OPS(conts_ops, ordered, percentile_step, cont_values)
OPS(mode_ops, mode, mode_step, mode_value)

// clang-format off
static const struct function table[] = {
    AGGREGATE("percentile_disc", 3972, ANYELEMENT, &disc_ops, TYPE_FLOAT8, TYPE_ANYELEMENT),
    AGGREGATE("percentile_cont", 3974, FLOAT8, &cont_ops, TYPE_FLOAT8, TYPE_FLOAT8),
    AGGREGATE("percentile_cont", 3976, INTERVAL, &cont_ops, TYPE_FLOAT8, TYPE_INTERVAL),
    AGGREGATE("percentile_disc", 3978, ANYARRAY, &discs_ops, TYPE_FLOAT8_ARRAY, TYPE_ANYELEMENT),
    AGGREGATE("percentile_cont", 3980, FLOAT8_ARRAY, &conts_ops, TYPE_FLOAT8_ARRAY, TYPE_FLOAT8),
    AGGREGATE("percentile_cont", 3982, INTERVAL_ARRAY, &conts_ops, TYPE_FLOAT8_ARRAY, TYPE_INTERVAL),
    AGGREGATE("mode", 3984, ANYELEMENT, &mode_ops, TYPE_ANYELEMENT),
};
// clang-format on

void aggregates_ordered_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
