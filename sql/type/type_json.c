// SPDX-License-Identifier: GPL-3.0-or-later
//
// json and jsonb as types.
#include "core/task.h"
#include "core/work.h"
#include "sql/type/json.h"
#include "sql/type/type_ops.h"

// Input may yield: nobody reads texts where suspending is forbidden without saying so to the task.
static struct status json_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    (void)context, (void)type;
    TRY(type_check_utf8(arena, text));
    TRY(json_check(task_current(), arena, text));
    uint8_t *copy = arena_try_alloc(arena, text.size);
    if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    (void)task_copy_to(copy, text);
    *value = datum_bytes(bytes_of(copy, text.size));
out:
    return st;
}

static void json_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    task_append(out, datum_as_bytes(value));
}

static struct status json_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    return json_input(arena, NULL, type, binary, value);
}

static void json_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    task_append(out, datum_as_bytes(value));
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
    TRY(json_parse(task_current(), arena, text, &out));
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

// --- keys of jsonb: in json_compare's order ----------------------------------------------------------------
//
// A rank by kind, then scalars by their own key forms, containers by their count and then their parts.
// Both ways recurse, so they run on the big stack.

#define RANK_EMPTY_ARRAY 0 // At the top only: before all scalars.

struct key_work {
    struct buffer *out;
    struct bytes *in;
    struct arena *arena;
    enum key_order order;
    struct bytes raw;
    struct buffer *value;
    struct status st;
    uint32_t depth;
};

static int64_t rank_of(const struct json *json)
{
    return json->kind == JSON_TRUE ? (int64_t)JSON_FALSE + 1 : (int64_t)json->kind + 1;
}

static void encode_value(struct key_work *work, struct bytes raw)
{
    struct json json = json_open(raw);
    key_append_int(work->out, rank_of(&json), work->order);
    switch (json.kind) {
    case JSON_NULL: return;
    case JSON_FALSE:
    case JSON_TRUE: key_append_int(work->out, json.kind == JSON_TRUE, work->order); return;
    case JSON_STRING: key_append_bytes(work->out, json.scalar, work->order); return;
    case JSON_NUMBER: {
        struct status st =
            type_key_encode(work->out, TYPE_NUMERIC, datum_bytes(json.scalar), work->order);
        if (failed(st)) work->st = st;
        return;
    }
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    key_append_int(work->out, json.count, work->order);
    for (uint32_t i = 0; i < json.count; i++) {
        if (json.kind == JSON_OBJECT)
            key_append_bytes(work->out, json_key(&json, i), work->order);
        encode_value(
            work, json.kind == JSON_OBJECT ? json_member(&json, i).raw : json_element(&json, i).raw);
    }
}

static void encode_work(void *arg)
{
    struct key_work *work = arg;
    encode_value(work, work->raw);
}

static void jsonb_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    struct key_work work = {.out = key, .order = order, .raw = datum_as_bytes(value)};
    struct json json = json_open(work.raw);
    if (json.kind == JSON_ARRAY && json.count == 0)
        key_append_int(key, RANK_EMPTY_ARRAY, order);
    else
        stack_call(encode_work, &work);
}

static struct status damaged_key(void)
{
    return status_make(E_DATA_CORRUPTED, "key column is no jsonb");
}

static struct status decode_value(struct key_work *work, struct buffer *out);

static struct status decode_container(struct key_work *work, bool object, struct buffer *out)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    int64_t count;
    if (++work->depth > JSON_DEPTH_MAX) return damaged_key();
    TRY(key_decode_int(work->in, work->order, &count));
    json_builder_init(&builder, work->arena, object);
    for (int64_t i = 0; i < count; i++) {
        struct bytes key = {0};
        if (object) TRY(key_decode_bytes(work->in, work->order, work->arena, &key));
        json_builder_begin(&builder, key);
        TRY(decode_value(work, &builder.data));
        json_builder_end(&builder);
    }
    TRY(json_builder_finish(&builder, out));
    work->depth--;
out:
    return st;
}

static struct status decode_value(struct key_work *work, struct buffer *out)
{
    struct status st = STATUS_OK;
    int64_t rank, boolean;
    struct bytes text;
    struct datum number;
    TRY(key_decode_int(work->in, work->order, &rank));
    switch (rank) {
    case RANK_EMPTY_ARRAY: {
        struct json_builder builder;
        json_builder_init(&builder, work->arena, false);
        TRY(json_builder_finish(&builder, out));
        break;
    }
    case JSON_NULL + 1: json_append_null(out); break;
    case JSON_FALSE + 1:
        TRY(key_decode_int(work->in, work->order, &boolean));
        json_append_bool(out, boolean != 0);
        break;
    case JSON_STRING + 1:
        TRY(key_decode_bytes(work->in, work->order, work->arena, &text));
        json_append_string(out, text);
        break;
    case JSON_NUMBER + 1:
        TRY(type_key_decode(work->in, TYPE_NUMERIC, work->order, work->arena, &number));
        if (number.null) return damaged_key();
        json_append_number(out, number);
        break;
    case JSON_ARRAY + 1:
    case JSON_OBJECT + 1: return decode_container(work, rank == JSON_OBJECT + 1, out);
    default: return damaged_key();
    }
out:
    return st;
}

static void decode_work(void *arg)
{
    struct key_work *work = arg;
    work->st = decode_value(work, work->value);
}

static struct status jsonb_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct buffer out;
    buffer_init(&out, arena);
    struct key_work work = {.in = key, .arena = arena, .order = order, .value = &out};
    stack_call(decode_work, &work);
    *value = datum_bytes(buffer_bytes(&out));
    return work.st;
}

const struct type_ops type_ops_jsonb = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true, // Numbers keep no display scale.
    .key_encode = jsonb_key_encode,
    .key_decode = jsonb_key_decode,
    .input = jsonb_input,
    .output = jsonb_output,
    .receive = jsonb_receive,
    .send = jsonb_send,
    .compare = jsonb_compare,
    .hash = jsonb_hash};
