// SPDX-License-Identifier: GPL-3.0-or-later
//
// date, time, timetz, timestamp, timestamptz and interval as types.
#include "sql/type/datetime.h"
#include "sql/type/type_ops.h"

static int compare_int(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return (a.integer > b.integer) - (a.integer < b.integer);
}

static struct status receive_int(
    struct arena *arena, struct type type, struct bytes binary, uint32_t size, int64_t *value)
{
    if (binary.size != size) return type_error_binary(arena, type_info(type.oid)->sql_name);
    *value = type_load_int(binary.data, size);
    return STATUS_OK;
}

// --- date ------------------------------------------------------------------------------------------------

static struct status date_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)type;
    return date_parse(arena, context, text, &value->integer);
}

static void date_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)oid;
    date_print(out, context, value.integer);
}

static struct status date_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = receive_int(arena, type, binary, 4, &value->integer);
    if (!failed(st) && date_is_finite(value->integer) &&
        (value->integer < DATE_MIN || value->integer > DATE_MAX))
        return date_out_of_range();
    return st;
}

static void date_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    type_store_int(out, (uint64_t)value.integer, 4);
}

const struct type_ops type_ops_date = {.storage = TYPE_STORE_INT,
    .input = date_input,
    .output = date_output,
    .receive = date_receive,
    .send = date_send,
    .compare = compare_int};

// --- time ------------------------------------------------------------------------------------------------

static struct status time_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)type;
    return time_parse(arena, context, text, &value->integer);
}

static void time_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    time_print(out, value.integer);
}

static struct status time_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = receive_int(arena, type, binary, 8, &value->integer);
    if (!failed(st) && (value->integer < 0 || value->integer > US_PER_DAY))
        return status_make(E_DATETIME_OVERFLOW, "time out of range");
    return st;
}

static void int8_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    type_store_int(out, (uint64_t)value.integer, 8);
}

static struct status coerce_us(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    (void)arena, (void)is_explicit;
    *out = in;
    bool stamp = type.oid == TYPE_TIMESTAMP || type.oid == TYPE_TIMESTAMPTZ;
    if (stamp && !timestamp_is_finite(in.integer)) return STATUS_OK;
    out->integer = datetime_round(in.integer, type.typmod);
    return STATUS_OK;
}

const struct type_ops type_ops_time = {.storage = TYPE_STORE_INT,
    .input = time_input,
    .output = time_output,
    .receive = time_receive,
    .send = int8_send,
    .compare = compare_int,
    .coerce = coerce_us};

// --- timestamp, timestamptz ------------------------------------------------------------------------------------

static struct status timestamp_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    return timestamp_parse(arena, context, text, type.oid == TYPE_TIMESTAMPTZ, &value->integer);
}

static void timestamp_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    timestamp_print(out, context, value.integer, oid == TYPE_TIMESTAMPTZ);
}

static struct status timestamp_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = receive_int(arena, type, binary, 8, &value->integer);
    if (!failed(st) && timestamp_is_finite(value->integer) && !timestamp_in_range(value->integer))
        return timestamp_out_of_range();
    return st;
}

#define TIMESTAMP_OPS \
    {.storage = TYPE_STORE_INT, \
        .input = timestamp_input, \
        .output = timestamp_output, \
        .receive = timestamp_receive, \
        .send = int8_send, \
        .compare = compare_int, \
        .coerce = coerce_us}
const struct type_ops type_ops_timestamp = TIMESTAMP_OPS;
const struct type_ops type_ops_timestamptz = TIMESTAMP_OPS;

// --- timetz: ordered by the instant, then by the zone ------------------------------------------------------------

static struct status timetz_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct timetz timetz;
    (void)type;
    struct status st = timetz_parse(arena, context, text, &timetz);
    if (!failed(st)) *value = timetz_datum(arena, timetz);
    return st;
}

static void timetz_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    timetz_print(out, timetz_of(value));
}

static struct status timetz_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 12) return type_error_binary(arena, "time with time zone");
    struct timetz timetz = {
        type_load_int(binary.data, 8), (int32_t)type_load_int(binary.data + 8, 4)};
    if (timetz.us < 0 || timetz.us > US_PER_DAY)
        return status_make(E_DATETIME_OVERFLOW, "time out of range");
    if (timetz.west_seconds <= -16 * 3600 || timetz.west_seconds >= 16 * 3600)
        return status_make(E_TIME_ZONE_DISPLACEMENT, "time zone displacement out of range");
    *value = timetz_datum(arena, timetz);
    return STATUS_OK;
}

static void timetz_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct timetz timetz = timetz_of(value);
    (void)oid;
    type_store_int(out, (uint64_t)timetz.us, 8);
    type_store_int(out, (uint32_t)timetz.west_seconds, 4);
}

static int64_t timetz_instant(struct timetz value)
{
    return value.us + value.west_seconds * US_PER_SECOND;
}

static int timetz_compare(type_oid oid, struct datum a, struct datum b)
{
    struct timetz x = timetz_of(a), y = timetz_of(b);
    int64_t i = timetz_instant(x), j = timetz_instant(y);
    (void)oid;
    if (i != j) return i < j ? -1 : 1;
    return (x.west_seconds > y.west_seconds) - (x.west_seconds < y.west_seconds);
}

static void timetz_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    struct timetz timetz = timetz_of(value);
    key_append_int(key, timetz_instant(timetz), order);
    key_append_int(key, timetz.west_seconds, order);
}

static struct status timetz_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct status st = STATUS_OK;
    int64_t instant, west;
    TRY(key_decode_int(key, order, &instant));
    TRY(key_decode_int(key, order, &west));
    if (west <= -16 * 3600 || west >= 16 * 3600 || instant < -US_PER_DAY || instant > 2 * US_PER_DAY)
        return status_make(E_DATA_CORRUPTED, "key column is no time");
    *value = timetz_datum(
        arena, (struct timetz){instant - west * US_PER_SECOND, (int32_t)west});
out:
    return st;
}

static struct status timetz_coerce(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    (void)is_explicit;
    struct timetz timetz = timetz_of(in);
    timetz.us = datetime_round(timetz.us, type.typmod);
    *out = timetz_datum(arena, timetz);
    return STATUS_OK;
}

const struct type_ops type_ops_timetz = {.storage = TYPE_STORE_BYTES,
    .input = timetz_input,
    .output = timetz_output,
    .receive = timetz_receive,
    .send = timetz_send,
    .compare = timetz_compare,
    .key_encode = timetz_key_encode,
    .key_decode = timetz_key_decode,
    .coerce = timetz_coerce};

// --- interval: ordered by its span, a month counting 30 days ------------------------------------------------------

static struct status interval_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct interval interval;
    struct status st = interval_parse(arena, context, text, type.typmod, &interval);
    if (!failed(st)) *value = interval_datum(arena, interval);
    return st;
}

static void interval_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)oid;
    interval_print(out, context, interval_of(value));
}

static struct status interval_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 16) return type_error_binary(arena, "interval");
    struct interval interval = {type_load_int(binary.data, 8),
        (int32_t)type_load_int(binary.data + 8, 4), (int32_t)type_load_int(binary.data + 12, 4)};
    *value = interval_datum(arena, interval);
    return STATUS_OK;
}

static void interval_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct interval interval = interval_of(value);
    (void)oid;
    type_store_int(out, (uint64_t)interval.us, 8);
    type_store_int(out, (uint32_t)interval.days, 4);
    type_store_int(out, (uint32_t)interval.months, 4);
}

static int compare_intervals(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return interval_compare(interval_of(a), interval_of(b));
}

// The span as days and the time left, which is never negative.
static void split_span(struct interval interval, int64_t *days, int64_t *us)
{
    __int128 span = interval_span(interval);
    __int128 whole = span / US_PER_DAY - (span % US_PER_DAY < 0);
    *days = (int64_t)whole;
    *us = (int64_t)(span - whole * US_PER_DAY);
}

static uint64_t interval_hash(type_oid oid, struct datum value)
{
    int64_t days, us;
    (void)oid;
    split_span(interval_of(value), &days, &us);
    return ((uint64_t)days * 0x9e3779b97f4a7c15u ^ (uint64_t)us) * 0xbf58476d1ce4e5b9u;
}

static void interval_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    int64_t days, us;
    split_span(interval_of(value), &days, &us);
    key_append_int(key, days, order);
    key_append_int(key, us, order);
}

static struct status interval_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct status st = STATUS_OK;
    int64_t days, us;
    TRY(key_decode_int(key, order, &days));
    TRY(key_decode_int(key, order, &us));
    // An equal interval: what does not fit days goes into months of 30, what does not fit these into
    // days, and then into time.
    struct interval interval = {.us = us};
    int64_t left = days;
    if (days != (int32_t)days) {
        int64_t months = days / 30;
        months = months > INT32_MAX ? INT32_MAX : months < INT32_MIN ? INT32_MIN : months;
        interval.months = (int32_t)months;
        left = days - months * 30;
    }
    interval.days = (int32_t)(left > INT32_MAX ? INT32_MAX : left < INT32_MIN ? INT32_MIN : left);
    left -= interval.days;
    int64_t more;
    if (__builtin_mul_overflow(left, US_PER_DAY, &more) ||
        __builtin_add_overflow(interval.us, more, &interval.us))
        return status_make(E_DATA_CORRUPTED, "key column is no interval");
    *value = interval_datum(arena, interval);
out:
    return st;
}

static struct status coerce_interval(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    struct interval interval;
    (void)is_explicit;
    struct status st = interval_coerce(interval_of(in), type.typmod, &interval);
    if (!failed(st)) *out = interval_datum(arena, interval);
    return st;
}

const struct type_ops type_ops_interval = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true,
    .input = interval_input,
    .output = interval_output,
    .receive = interval_receive,
    .send = interval_send,
    .compare = compare_intervals,
    .hash = interval_hash,
    .key_encode = interval_key_encode,
    .key_decode = interval_key_decode,
    .coerce = coerce_interval};
