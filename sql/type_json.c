// SPDX-License-Identifier: GPL-3.0-or-later
//
// json and jsonb as types.
#include "sql/json.h"
#include "sql/type_ops.h"

static struct status json_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    (void)context, (void)type;
    TRY(type_check_utf8(arena, text));
    TRY(json_check(arena, text));
    uint8_t *copy = arena_try_alloc(arena, text.size);
    if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    memcpy(copy, text.data, text.size);
    *value = datum_bytes(bytes_of(copy, text.size));
out:
    return st;
}

static void json_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    buffer_append(out, value.data, value.size);
}

static struct status json_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    return json_input(arena, NULL, type, binary, value);
}

static void json_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    buffer_append(out, value.data, value.size);
}

// json has no equality in SQL.
const struct type_ops type_ops_json = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = json_input,
    .output = json_output,
    .receive = json_receive,
    .send = json_send};

static struct status jsonb_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    struct buffer out;
    (void)context, (void)type;
    buffer_init(&out, arena);
    TRY(type_check_utf8(arena, text));
    TRY(json_parse(arena, text, &out));
    *value = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

static void jsonb_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    json_print(out, datum_as_bytes(value));
}

#define JSONB_VERSION 1

static struct status jsonb_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    if (binary.size < 1) return type_error_binary(arena, "jsonb");
    if (binary.data[0] != JSONB_VERSION)
        return status_format(arena, E_INVALID_BINARY_REPRESENTATION,
            "unsupported jsonb version number %d", binary.data[0]);
    return jsonb_input(arena, NULL, type, bytes_skip(binary, 1), value);
}

static void jsonb_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    buffer_append_u8(out, JSONB_VERSION);
    json_print(out, datum_as_bytes(value));
}

static int jsonb_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return json_compare(datum_as_bytes(a), datum_as_bytes(b));
}

static uint64_t jsonb_hash(type_oid oid, struct datum value)
{
    (void)oid;
    return json_hash(datum_as_bytes(value));
}

const struct type_ops type_ops_jsonb = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = jsonb_input,
    .output = jsonb_output,
    .receive = jsonb_receive,
    .send = jsonb_send,
    .compare = jsonb_compare,
    .hash = jsonb_hash};
