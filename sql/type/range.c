// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/range.h"

#include "sql/type/datetime.h"

static const struct range_type types[] = {
    {TYPE_INT4RANGE, TYPE_INT4, TYPE_INT4MULTIRANGE, true},
    {TYPE_INT8RANGE, TYPE_INT8, TYPE_INT8MULTIRANGE, true},
    {TYPE_NUMRANGE, TYPE_NUMERIC, TYPE_NUMMULTIRANGE, false},
    {TYPE_TSRANGE, TYPE_TIMESTAMP, TYPE_TSMULTIRANGE, false},
    {TYPE_TSTZRANGE, TYPE_TIMESTAMPTZ, TYPE_TSTZMULTIRANGE, false},
    {TYPE_DATERANGE, TYPE_DATE, TYPE_DATEMULTIRANGE, true},
};

const struct range_type *range_type_of(type_oid oid)
{
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].range == oid) return &types[i];
    return NULL;
}

const struct range_type *multirange_type_of(type_oid oid)
{
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].multirange == oid) return &types[i];
    return NULL;
}

const struct range_type *range_type_at(uint32_t index)
{
    return index < sizeof types / sizeof types[0] ? &types[index] : NULL;
}

// --- bytes ---------------------------------------------------------------------------------------------

static struct status damaged(void)
{
    return status_make(E_DATA_CORRUPTED, "damaged range");
}

struct status range_take(const struct range_type *type, struct bytes *in, struct range *range)
{
    struct status st = STATUS_OK;
    *range = (struct range){.upper.upper = true};
    if (in->size == 0) return damaged();
    uint32_t flags = in->data[0];
    *in = bytes_skip(*in, 1);
    range->empty = (flags & RANGE_EMPTY) != 0;
    range->lower.inclusive = (flags & RANGE_LOWER_INCLUSIVE) != 0;
    range->upper.inclusive = (flags & RANGE_UPPER_INCLUSIVE) != 0;
    range->lower.infinite = (flags & RANGE_LOWER_INFINITE) != 0;
    range->upper.infinite = (flags & RANGE_UPPER_INFINITE) != 0;
    if (range->empty) return st;
    if (!range->lower.infinite) TRY(type_value_decode(in, type->subtype, &range->lower.value));
    if (!range->upper.infinite) TRY(type_value_decode(in, type->subtype, &range->upper.value));
out:
    return st;
}

struct status range_open(const struct range_type *type, struct datum value, struct range *range)
{
    struct bytes in = datum_as_bytes(value);
    struct status st = range_take(type, &in, range);
    return !failed(st) && in.size > 0 ? damaged() : st;
}

void range_append(struct buffer *out, const struct range_type *type, const struct range *range)
{
    if (range->empty) {
        buffer_append_u8(out, RANGE_EMPTY);
        return;
    }
    uint32_t flags = (range->lower.inclusive ? RANGE_LOWER_INCLUSIVE : 0) |
                     (range->upper.inclusive ? RANGE_UPPER_INCLUSIVE : 0) |
                     (range->lower.infinite ? RANGE_LOWER_INFINITE : 0) |
                     (range->upper.infinite ? RANGE_UPPER_INFINITE : 0);
    buffer_append_u8(out, (uint8_t)flags);
    if (!range->lower.infinite) type_value_encode(out, type->subtype, range->lower.value);
    if (!range->upper.infinite) type_value_encode(out, type->subtype, range->upper.value);
}

struct datum range_datum(
    struct arena *arena, const struct range_type *type, const struct range *range)
{
    struct buffer out;
    buffer_init(&out, arena);
    range_append(&out, type, range);
    return datum_bytes(buffer_bytes(&out));
}

// --- order ---------------------------------------------------------------------------------------------

// Beside its value: before it, at it, or after it.
static int side_of(const struct range_bound *bound)
{
    return bound->inclusive ? 0 : bound->upper ? -1 : 1;
}

// Before every value, among them, or after every one.
static int end_of(const struct range_bound *bound)
{
    return !bound->infinite ? 0 : bound->upper ? 1 : -1;
}

int range_bound_compare(
    const struct range_type *type, const struct range_bound *a, const struct range_bound *b)
{
    if (a->infinite || b->infinite) return end_of(a) - end_of(b);
    int order = type_compare(type->subtype, a->value, b->value);
    return order != 0 ? order : side_of(a) - side_of(b);
}

int range_compare(const struct range_type *type, const struct range *a, const struct range *b)
{
    if (a->empty || b->empty) return (int)b->empty - (int)a->empty;
    int order = range_bound_compare(type, &a->lower, &b->lower);
    return order != 0 ? order : range_bound_compare(type, &a->upper, &b->upper);
}

// --- making --------------------------------------------------------------------------------------------

static struct range empty_range(void)
{
    return (struct range){.empty = true, .upper.upper = true};
}

// A value that discrete bounds may have, one on from `value`.
static struct status next_value(const struct range_type *type, struct datum *value)
{
    switch (type->subtype) {
    case TYPE_DATE:
        if (value->integer >= DATE_MAX)
            return status_make(E_DATETIME_OVERFLOW, "date out of range");
        break;
    case TYPE_INT4:
        if (value->integer == INT32_MAX)
            return status_make(E_NUMERIC_OUT_OF_RANGE, "integer out of range");
        break;
    default:
        if (value->integer == INT64_MAX)
            return status_make(E_NUMERIC_OUT_OF_RANGE, "bigint out of range");
    }
    value->integer++;
    return STATUS_OK;
}

// The lower bound is inclusive and the upper one is not, but at the infinities of dates, which have no next value.
static struct status make_canonical(const struct range_type *type, struct range_bound *bound)
{
    bool wanted = !bound->upper;
    if (bound->infinite || bound->inclusive == wanted ||
        (type->subtype == TYPE_DATE && !date_is_finite(bound->value.integer)))
        return STATUS_OK;
    bound->inclusive = wanted;
    return next_value(type, &bound->value);
}

// Whether the bounds have nothing between them; 22000 when they are the wrong way round.
static struct status check_bounds(
    const struct range_type *type, const struct range *range, bool *empty)
{
    *empty = false;
    if (range->lower.infinite || range->upper.infinite) return STATUS_OK;
    int order = type_compare(type->subtype, range->lower.value, range->upper.value);
    if (order > 0)
        return status_make(E_DATA_EXCEPTION,
            "range lower bound must be less than or equal to range upper bound");
    *empty = order == 0 && !(range->lower.inclusive && range->upper.inclusive);
    return STATUS_OK;
}

struct status range_make(const struct range_type *type, struct range_bound lower,
    struct range_bound upper, struct range *range)
{
    struct status st;
    lower.upper = false;
    upper.upper = true;
    lower.inclusive = lower.inclusive && !lower.infinite;
    upper.inclusive = upper.inclusive && !upper.infinite;
    *range = (struct range){.lower = lower, .upper = upper};
    TRY(check_bounds(type, range, &range->empty));
    if (type->discrete && !range->empty) {
        TRY(make_canonical(type, &range->lower));
        TRY(make_canonical(type, &range->upper));
        TRY(check_bounds(type, range, &range->empty));
    }
    if (range->empty) *range = empty_range();
out:
    return st;
}

// --- relations -----------------------------------------------------------------------------------------

bool range_bounds_touch(const struct range_type *type, const struct range_bound *upper,
    const struct range_bound *lower)
{
    // Discrete ones are canonical, so that here too the values are equal.
    return !upper->infinite && !lower->infinite && upper->inclusive != lower->inclusive &&
           type_compare(type->subtype, upper->value, lower->value) == 0;
}

bool range_holds(const struct range_type *type, const struct range *range, struct datum value)
{
    struct range_bound at = {.value = value, .inclusive = true};
    return !range->empty && range_bound_compare(type, &range->lower, &at) <= 0 &&
           range_bound_compare(type, &at, &range->upper) <= 0;
}

bool range_contains(const struct range_type *type, const struct range *a, const struct range *b)
{
    if (a->empty || b->empty) return b->empty;
    return range_bound_compare(type, &a->lower, &b->lower) <= 0 &&
           range_bound_compare(type, &b->upper, &a->upper) <= 0;
}

bool range_overlaps(const struct range_type *type, const struct range *a, const struct range *b)
{
    return !a->empty && !b->empty && range_bound_compare(type, &a->lower, &b->upper) <= 0 &&
           range_bound_compare(type, &b->lower, &a->upper) <= 0;
}

bool range_is_before(const struct range_type *type, const struct range *a, const struct range *b)
{
    return !a->empty && !b->empty && range_bound_compare(type, &a->upper, &b->lower) < 0;
}

bool range_touches(const struct range_type *type, const struct range *a, const struct range *b)
{
    return !a->empty && !b->empty && (range_bounds_touch(type, &a->upper, &b->lower) ||
                                         range_bounds_touch(type, &b->upper, &a->lower));
}

// --- combining -----------------------------------------------------------------------------------------

struct range range_span(const struct range_type *type, const struct range *a, const struct range *b)
{
    if (a->empty) return *b;
    if (b->empty) return *a;
    // Of equals the later one stays, in an intersection the first, as in PostgreSQL: they may differ in form (5.5 and 5.50).
    bool a_first = range_bound_compare(type, &a->lower, &b->lower) < 0;
    bool a_last = range_bound_compare(type, &a->upper, &b->upper) > 0;
    return (struct range){
        .lower = a_first ? a->lower : b->lower, .upper = a_last ? a->upper : b->upper};
}

struct range range_intersection(
    const struct range_type *type, const struct range *a, const struct range *b)
{
    if (!range_overlaps(type, a, b)) return empty_range();
    bool a_later = range_bound_compare(type, &a->lower, &b->lower) >= 0;
    bool a_earlier = range_bound_compare(type, &a->upper, &b->upper) <= 0;
    return (struct range){
        .lower = a_later ? a->lower : b->lower, .upper = a_earlier ? a->upper : b->upper};
}

// The same place seen from the other side.
static struct range_bound turned(struct range_bound bound)
{
    bound.inclusive = !bound.inclusive;
    bound.upper = !bound.upper;
    return bound;
}

struct status range_outside(const struct range_type *type, const struct range *a,
    const struct range *b, struct range *before, struct range *after)
{
    struct status st = STATUS_OK;
    *before = *after = empty_range();
    if (!range_overlaps(type, a, b)) {
        *before = *a;
        return st;
    }
    if (range_bound_compare(type, &a->lower, &b->lower) < 0)
        TRY(range_make(type, a->lower, turned(b->lower), before));
    if (range_bound_compare(type, &a->upper, &b->upper) > 0)
        TRY(range_make(type, turned(b->upper), a->upper, after));
out:
    return st;
}
