// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/xid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sql/type/type_ops.h"

void xid_store(struct buffer *out, uint64_t id)
{
    type_store_int(out, id, 8);
}

uint64_t xid_load(struct bytes snapshot, size_t at)
{
    return (uint64_t)type_load_int(snapshot.data + at * 8, 8);
}

bool xid_is_visible(struct bytes snapshot, uint64_t id)
{
    if (id < xid_load(snapshot, 0)) return true;
    if (id >= xid_load(snapshot, 1)) return false;
    size_t low = 0, high = xid_snapshot_count(snapshot);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uint64_t at = xid_load(snapshot, middle + 2);
        if (at == id) return false;
        if (at < id)
            low = middle + 1;
        else
            high = middle;
    }
    return true;
}

// --- xid8 ------------------------------------------------------------------------------------------------

// As strtoull() reads it, which stops at what is no digit, and is not asked whether it did: PostgreSQL's xid8in.
static struct status xid8_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    value->integer = (int64_t)strtoull(arena_string(arena, text), NULL, 0);
    return STATUS_OK;
}

static void xid8_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    buffer_printf(out, "%llu", (unsigned long long)value.integer);
}

static struct status xid8_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 8) return type_error_binary(arena, "xid8");
    value->integer = type_load_int(binary.data, 8);
    return STATUS_OK;
}

static void xid8_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    type_store_int(out, (uint64_t)value.integer, 8);
}

static int xid8_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    const uint64_t x = (uint64_t)a.integer, y = (uint64_t)b.integer;
    return (x > y) - (x < y);
}

#define SIGN ((uint64_t)1 << 63)

// Unsigned numbers as signed ones of the same order.
static void xid8_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    key_append_int(key, (int64_t)((uint64_t)value.integer ^ SIGN), order);
}

static struct status xid8_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid, (void)arena;
    struct status st = key_decode_int(key, order, &value->integer);
    if (!failed(st)) value->integer = (int64_t)((uint64_t)value->integer ^ SIGN);
    return st;
}

const struct type_ops type_ops_xid8 = {.storage = TYPE_STORE_INT,
    .key_encode = xid8_key_encode,
    .key_decode = xid8_key_decode,
    .input = xid8_input,
    .output = xid8_output,
    .receive = xid8_receive,
    .send = xid8_send,
    .compare = xid8_compare};

// --- snapshots -------------------------------------------------------------------------------------------

static struct status snapshot_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    struct buffer out;
    char *at = arena_string(arena, text);
    const uint64_t least = strtoull(at, &at, 10);
    if (*at++ != ':') goto bad;
    const uint64_t next = strtoull(at, &at, 10);
    if (*at++ != ':' || least == 0 || next == 0 || next < least) goto bad;
    buffer_init(&out, arena);
    xid_store(&out, least);
    xid_store(&out, next);
    for (uint64_t last = 0; *at != '\0';) {
        const uint64_t id = strtoull(at, &at, 10);
        if (id < least || id >= next || id < last) goto bad;
        if (id != last) xid_store(&out, id);
        last = id;
        if (*at == ',')
            at++;
        else if (*at != '\0')
            goto bad;
    }
    *value = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
bad:
    return type_error_syntax(arena, "pg_snapshot", text);
}

static void snapshot_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    const struct bytes snapshot = datum_as_bytes(value);
    buffer_printf(out, "%llu:%llu:", (unsigned long long)xid_load(snapshot, 0), (unsigned long long)xid_load(snapshot, 1));
    for (size_t i = 0; i < xid_snapshot_count(snapshot); i++)
        buffer_printf(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)xid_load(snapshot, i + 2));
}

// How many are in progress, xmin, xmax, and they.
static struct status snapshot_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    struct buffer out;
    if (binary.size < 20) return type_error_binary(arena, "pg_snapshot");
    const int64_t count = type_load_int(binary.data, 4);
    const struct bytes numbers = bytes_skip(binary, 4);
    const uint64_t least = xid_load(numbers, 0), next = xid_load(numbers, 1);
    if (count < 0 || (uint64_t)count != numbers.size / 8 - 2 || numbers.size % 8 != 0)
        return type_error_binary(arena, "pg_snapshot");
    if (least == 0 || next == 0 || next < least) goto bad;
    buffer_init(&out, arena);
    xid_store(&out, least);
    xid_store(&out, next);
    uint64_t last = 0;
    for (size_t i = 0; i < (size_t)count; i++) {
        const uint64_t id = xid_load(numbers, i + 2);
        if (id < last || id < least || next < id) goto bad;
        if (id != last) xid_store(&out, id);
        last = id;
    }
    *value = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
bad:
    return status_make(SQLSTATE('2', '2', 'P', '0', '3'), "invalid external pg_snapshot data");
}

static void snapshot_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    const struct bytes snapshot = datum_as_bytes(value);
    type_store_int(out, xid_snapshot_count(snapshot), 4);
    buffer_append_bytes(out, snapshot);
}

const struct type_ops type_ops_snapshot = {.storage = TYPE_STORE_BYTES,
    .input = snapshot_input,
    .output = snapshot_output,
    .receive = snapshot_receive,
    .send = snapshot_send,
    .no_key = true};
