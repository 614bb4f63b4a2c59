// SPDX-License-Identifier: GPL-3.0-or-later
//
// json and jsonb out of SQL values: to_json, the builders and the aggregates; and their parts as rows.
#include <math.h>

#include "core/work.h"
#include "sql/type/array.h"
#include "sql/type/composite.h"
#include "sql/type/datetime.h"
#include "sql/function/function_table.h"
#include "sql/type/json.h"
#include "sql/type/record.h"
#include "sql/type/numeric.h"
#include "sql/type/type_ops.h"

#define STRING_PART ((size_t)16 << 10)
#define ITEM_WORK 64u // Of one item of an array, at least.

// --- one value ---------------------------------------------------------------------------------------------

enum shape { SHAPE_BOOL, SHAPE_NUMBER, SHAPE_JSON, SHAPE_JSONB, SHAPE_ARRAY, SHAPE_RECORD, SHAPE_TIME, SHAPE_TEXT };

static enum shape shape_of(type_oid oid)
{
    switch (oid) {
    case TYPE_BOOL: return SHAPE_BOOL;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC: return SHAPE_NUMBER;
    case TYPE_JSON: return SHAPE_JSON;
    case TYPE_JSONB: return SHAPE_JSONB;
    case TYPE_RECORD: return SHAPE_RECORD;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return SHAPE_TIME;
    default:
        return type_is_array(oid) ? SHAPE_ARRAY : type_is_composite(oid) ? SHAPE_RECORD : SHAPE_TEXT;
    }
}

// ISO 8601 writes the minutes of an offset: "+00:00", also before " BC".
static struct buffer with_minutes(struct function_call *call, struct buffer text)
{
    struct buffer out;
    size_t end = text.size;
    if (end > 3 && memcmp(text.data + end - 3, " BC", 3) == 0) end -= 3;
    if (end <= 3 || (text.data[end - 3] != '+' && text.data[end - 3] != '-')) return text;
    buffer_init(&out, call->arena);
    buffer_append(&out, text.data, end);
    buffer_append_string(&out, ":00");
    buffer_append(&out, text.data + end, text.size - end);
    return out;
}

// The text form; of dates and times that of ISO 8601, whatever the session's style.
static struct bytes text_of(struct function_call *call, type_oid oid, struct datum value)
{
    struct buffer out;
    struct type_context context = *function_context(call);
    buffer_init(&out, call->arena);
    if (shape_of(oid) == SHAPE_TIME) {
        context.date_style = DATE_STYLE_ISO;
        type_output(&out, &context, oid, value);
        // 2026-01-31T12:34:56+00:00
        for (size_t i = 0; oid != TYPE_DATE && i < out.size; i++) {
            if (out.data[i] != ' ') continue;
            out.data[i] = 'T';
            break;
        }
        if (oid == TYPE_TIMESTAMPTZ) out = with_minutes(call, out);
    } else {
        type_output(&out, &context, oid, value);
    }
    return buffer_bytes(&out);
}

// NaN and the infinities are no JSON numbers: they become strings.
static bool is_json_number(struct bytes text)
{
    uint8_t last = text.size == 0 ? 0 : text.data[text.size - 1];
    return last >= '0' && last <= '9';
}

static struct status append_string(
    struct function_call *call, struct buffer *out, struct bytes text)
{
    struct status st = STATUS_OK;
    buffer_append_u8(out, '"');
    while (text.size > 0) {
        size_t part = text.size < STRING_PART ? text.size : STRING_PART;
        json_print_characters(out, bytes_of(text.data, part));
        text = bytes_skip(text, part);
        TRY(function_work(call, part));
    }
    buffer_append_u8(out, '"');
out:
    return st;
}

static struct status append_json(
    struct function_call *call, struct buffer *out, type_oid oid, struct datum value);

// Arrays of arrays: one level of brackets a dimension.
static struct status append_json_array(
    struct function_call *call, struct buffer *out, struct datum value, const char *separator)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum item;
    uint64_t index = 0;
    TRY(array_open(value, &array));
    if (array.count == 0) {
        buffer_append_string(out, "[]");
        return st;
    }
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item); index++) {
        uint64_t stride = 1;
        // `separator` divides the elements of the outermost dimension.
        for (uint32_t i = 1; i < array.dimensions; i++) stride *= (uint32_t)array.length[i];
        if (index > 0) buffer_append_string(out, index % stride == 0 ? separator : ",");
        stride = 1;
        for (uint32_t i = array.dimensions; i-- > 0;) {
            stride *= (uint32_t)array.length[i];
            if (index % stride == 0) buffer_append_u8(out, '[');
        }
        TRY(append_json(call, out, array.element, item));
        TRY(function_work(call, ITEM_WORK));
        stride = 1;
        for (uint32_t i = array.dimensions; i-- > 0;) {
            stride *= (uint32_t)array.length[i];
            if ((index + 1) % stride == 0) buffer_append_u8(out, ']');
        }
    }
out:
    return st;
}

static struct status append_json_record(struct function_call *call, struct buffer *out,
    type_oid oid, struct datum value, const char *separator)
{
    struct status st;
    struct record_cursor cursor;
    struct record_field field;
    bool first = true;
    if (type_is_composite(oid)) TRY(composite_to_record(call->arena, oid, &value));
    TRY(record_open(value, &cursor));
    buffer_append_u8(out, '{');
    while (cursor.count > 0) {
        TRY(record_next(&cursor, &field));
        if (!first) buffer_append_string(out, separator);
        first = false;
        json_print_string(out, field.name);
        buffer_append_u8(out, ':');
        TRY(append_json(call, out, field.type, field.value));
    }
    buffer_append_u8(out, '}');
out:
    return st;
}

static struct status append_json(
    struct function_call *call, struct buffer *out, type_oid oid, struct datum value)
{
    if (value.null) {
        buffer_append_string(out, "null");
        return STATUS_OK;
    }
    struct bytes text;
    switch (shape_of(oid)) {
    case SHAPE_BOOL: buffer_append_string(out, value.boolean ? "true" : "false"); break;
    case SHAPE_JSON: buffer_append_bytes(out, datum_as_bytes(value)); break;
    case SHAPE_JSONB: return json_print_long(call->task, out, datum_as_bytes(value), false);
    case SHAPE_ARRAY: return append_json_array(call, out, value, ",");
    case SHAPE_RECORD: return append_json_record(call, out, oid, value, ",");
    case SHAPE_NUMBER:
        text = text_of(call, oid, value);
        if (is_json_number(text))
            buffer_append_bytes(out, text);
        else
            json_print_string(out, text);
        break;
    default: return append_string(call, out, text_of(call, oid, value));
    }
    return STATUS_OK;
}

// jsonb through its own builders where that is simple, else through text.
static struct status append_jsonb(
    struct function_call *call, struct buffer *out, type_oid oid, struct datum value)
{
    struct status st = STATUS_OK;
    struct buffer text;
    enum shape shape = shape_of(oid);
    if (value.null) {
        json_append_null(out);
    } else if (shape == SHAPE_BOOL) {
        json_append_bool(out, value.boolean);
    } else if (shape == SHAPE_JSONB) {
        task_append(out, datum_as_bytes(value));
    } else if (shape == SHAPE_TIME || shape == SHAPE_TEXT) {
        json_append_string(out, text_of(call, oid, value));
    } else {
        buffer_init(&text, call->arena);
        TRY(append_json(call, &text, oid, value));
        TRY(json_parse(call->task, call->arena, buffer_bytes(&text), out));
    }
out:
    return st;
}

static struct status append_value(
    struct function_call *call, struct buffer *out, type_oid oid, struct datum value)
{
    return call->result_type.oid == TYPE_JSONB ? append_jsonb(call, out, oid, value)
                                               : append_json(call, out, oid, value);
}

BODY(to_json)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    struct status st = append_value(call, &out, call->arg_types[0].oid, args[0]);
    *result = datum_bytes(buffer_bytes(&out));
    return st;
}

BODY(array_to_json)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    struct status st = append_json_array(call, &out, args[0], args[1].boolean ? ",\n " : ",");
    *result = datum_bytes(buffer_bytes(&out));
    return st;
}

BODY(row_to_json)
{
    struct buffer out;
    bool pretty = call->arg_count == 2 && args[1].boolean;
    buffer_init(&out, call->arena);
    struct status st = append_json_record(
        call, &out, call->arg_types[0].oid, args[0], pretty ? ",\n " : ",");
    *result = datum_bytes(buffer_bytes(&out));
    return st;
}

// --- builders -------------------------------------------------------------------------------------------------

static struct status null_key(struct arena *arena, uint32_t argument)
{
    if (argument == 0)
        return status_make(E_INVALID_PARAMETER_VALUE, "field name must not be null");
    return status_format(
        arena, E_INVALID_PARAMETER_VALUE, "argument %u cannot be null", argument);
}

// A key is any value's text; containers are refused.
static struct status key_text(
    struct function_call *call, type_oid oid, struct datum value, struct bytes *key)
{
    enum shape shape = shape_of(oid);
    if (shape == SHAPE_ARRAY || shape == SHAPE_RECORD || shape == SHAPE_JSON || shape == SHAPE_JSONB)
        return status_make(E_INVALID_PARAMETER_VALUE,
            "key value must be scalar, not array, composite, or json");
    if (shape == SHAPE_BOOL)
        *key = value.boolean ? BYTES_LITERAL("true") : BYTES_LITERAL("false");
    else
        *key = text_of(call, oid, value);
    return STATUS_OK;
}

BODY(build_json_array)
{
    struct status st = STATUS_OK;
    struct buffer out;
    buffer_init(&out, call->arena);
    buffer_append_u8(&out, '[');
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (i > 0) buffer_append_string(&out, ", ");
        TRY(append_json(call, &out, call->arg_types[i].oid, args[i]));
    }
    buffer_append_u8(&out, ']');
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

static struct status odd_arguments(struct function_call *call, const char *name)
{
    return status_hint(call->arena,
        status_format(call->arena, E_INVALID_PARAMETER_VALUE, "%s",
            "argument list must have even number of elements"),
        "The arguments of %s() must consist of alternating keys and values.", name);
}

BODY(build_json_object)
{
    struct status st = STATUS_OK;
    struct buffer out;
    struct bytes key;
    if (call->arg_count % 2 != 0) return odd_arguments(call, "json_build_object");
    buffer_init(&out, call->arena);
    buffer_append_u8(&out, '{');
    for (uint32_t i = 0; i < call->arg_count; i += 2) {
        if (args[i].null)
            return status_hint(
                call->arena, null_key(call->arena, i + 1), "Object keys should be text.");
        if (i > 0) buffer_append_string(&out, ", ");
        TRY(key_text(call, call->arg_types[i].oid, args[i], &key));
        json_print_string(&out, key);
        buffer_append_string(&out, " : ");
        TRY(append_json(call, &out, call->arg_types[i + 1].oid, args[i + 1]));
    }
    buffer_append_u8(&out, '}');
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

static struct status finish(
    struct function_call *call, struct json_builder *builder, struct datum *result)
{
    struct buffer out;
    buffer_init(&out, builder->arena);
    builder->task = call->task;
    struct status st = json_builder_finish(builder, &out);
    *result = datum_bytes(buffer_bytes(&out));
    return failed(st) ? st : arena_check(builder->arena);
}

BODY(build_jsonb_array)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    json_builder_init(&builder, call->arena, false);
    for (uint32_t i = 0; i < call->arg_count; i++) {
        json_builder_begin(&builder, bytes_of(NULL, 0));
        TRY(append_jsonb(call, &builder.data, call->arg_types[i].oid, args[i]));
        json_builder_end(&builder);
    }
    st = finish(call, &builder, result);
out:
    return st;
}

BODY(build_jsonb_object)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    struct bytes key;
    if (call->arg_count % 2 != 0) return odd_arguments(call, "jsonb_build_object");
    json_builder_init(&builder, call->arena, true);
    for (uint32_t i = 0; i < call->arg_count; i += 2) {
        if (args[i].null)
            return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
                "argument %u: key must not be null", i + 1);
        TRY(key_text(call, call->arg_types[i].oid, args[i], &key));
        json_builder_begin(&builder, key);
        TRY(append_jsonb(call, &builder.data, call->arg_types[i + 1].oid, args[i + 1]));
        json_builder_end(&builder);
    }
    st = finish(call, &builder, result);
out:
    return st;
}

// --- aggregates ---------------------------------------------------------------------------------------------------

struct gathering {
    bool any;
    struct buffer text;
    struct json_builder builder;
};

#define STEP(name) \
    static struct status name( \
        struct function_call *call, void *state_, const struct datum *args)
#define MERGE(name) \
    static struct status name(struct function_call *call, void *state_, const void *other_)
#define FINAL(name) \
    static struct status name(struct function_call *call, void *state_, struct datum *result)

STEP(json_agg_step)
{
    struct gathering *state = state_;
    if (!state->any) buffer_init(&state->text, call->arena);
    enum shape shape = shape_of(call->arg_types[0].oid);
    bool lines = !args[0].null && (shape == SHAPE_ARRAY || shape == SHAPE_RECORD);
    buffer_append_string(&state->text, !state->any ? "" : lines ? ", \n " : ", ");
    state->any = true;
    if (state->text.size > FUNCTION_BYTES_MAX) return function_no_memory(state->text.size);
    return append_json(call, &state->text, call->arg_types[0].oid, args[0]);
}

STEP(json_object_agg_step)
{
    struct status st = STATUS_OK;
    struct gathering *state = state_;
    struct bytes key;
    if (args[0].null) return null_key(call->arena, 0);
    if (!state->any) buffer_init(&state->text, call->arena);
    buffer_append_string(&state->text, state->any ? ", " : "");
    state->any = true;
    TRY(key_text(call, call->arg_types[0].oid, args[0], &key));
    json_print_string(&state->text, key);
    buffer_append_string(&state->text, " : ");
    if (state->text.size > FUNCTION_BYTES_MAX) return function_no_memory(state->text.size);
    TRY(append_json(call, &state->text, call->arg_types[1].oid, args[1]));
out:
    return st;
}

MERGE(json_merge)
{
    struct gathering *state = state_;
    const struct gathering *other = other_;
    if (!other->any) return STATUS_OK;
    if (!state->any) buffer_init(&state->text, call->arena);
    buffer_append_string(&state->text, state->any ? ", " : "");
    state->any = true;
    buffer_append_bytes(&state->text, buffer_bytes(&other->text));
    return STATUS_OK;
}

static struct status give_between(struct function_call *call, const struct gathering *state,
    const char *open, const char *close, struct datum *result)
{
    struct buffer out;
    *result = DATUM_NULL;
    if (!state->any) return STATUS_OK;
    buffer_init(&out, call->arena);
    buffer_append_string(&out, open);
    task_append(&out, buffer_bytes(&state->text));
    buffer_append_string(&out, close);
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

FINAL(json_agg_value)
{
    return give_between(call, state_, "[", "]", result);
}

FINAL(json_object_agg_value)
{
    return give_between(call, state_, "{ ", " }", result);
}

STEP(jsonb_agg_step)
{
    struct status st = STATUS_OK;
    struct gathering *state = state_;
    if (!state->any) json_builder_init(&state->builder, call->arena, false);
    state->any = true;
    json_builder_begin(&state->builder, bytes_of(NULL, 0));
    TRY(append_jsonb(call, &state->builder.data, call->arg_types[0].oid, args[0]));
    json_builder_end(&state->builder);
out:
    return st;
}

STEP(jsonb_object_agg_step)
{
    struct status st = STATUS_OK;
    struct gathering *state = state_;
    struct bytes key;
    if (args[0].null) return null_key(call->arena, 0);
    if (!state->any) json_builder_init(&state->builder, call->arena, true);
    state->any = true;
    TRY(key_text(call, call->arg_types[0].oid, args[0], &key));
    json_builder_begin(&state->builder, arena_copy(call->arena, key));
    TRY(append_jsonb(call, &state->builder.data, call->arg_types[1].oid, args[1]));
    json_builder_end(&state->builder);
out:
    return st;
}

MERGE(jsonb_merge)
{
    struct gathering *state = state_;
    const struct gathering *other = other_;
    if (!other->any) return STATUS_OK;
    if (!state->any) json_builder_init(&state->builder, call->arena, other->builder.object);
    state->any = true;
    for (uint32_t i = 0; i < other->builder.count; i++) {
        const struct json_entry *entry = &other->builder.entries[i];
        json_builder_add(&state->builder, entry->key,
            bytes_of(other->builder.data.data + entry->start, entry->end - entry->start));
    }
    return STATUS_OK;
}

FINAL(jsonb_value)
{
    struct gathering *state = state_;
    (void)call;
    *result = DATUM_NULL;
    return state->any ? finish(call, &state->builder, result) : STATUS_OK;
}

#define OPS(name, step_, merge_, final_) \
    static const struct aggregate_ops name = {.state_bytes = sizeof(struct gathering), \
        .step = step_, \
        .merge = merge_, \
        .final = final_, \
        .takes_null = true};
OPS(json_agg_ops, json_agg_step, json_merge, json_agg_value)
OPS(json_object_agg_ops, json_object_agg_step, json_merge, json_object_agg_value)
OPS(jsonb_agg_ops, jsonb_agg_step, jsonb_merge, jsonb_value)
OPS(jsonb_object_agg_ops, jsonb_object_agg_step, jsonb_merge, jsonb_value)

// --- rows -------------------------------------------------------------------------------------------------------------

struct walking {
    bool jsonb, as_text, keys;
    struct json json;
    uint32_t at;
    struct json_scan scan;
};

static struct status refuse(struct function_call *call, const struct walking *state,
    enum json_kind kind, enum json_kind wanted, const char *function)
{
    const char *what = kind == JSON_OBJECT ? "an object" : kind == JSON_ARRAY ? "an array" : "a scalar";
    struct arena *arena = call->arena;
    if (state->keys)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "cannot call %s on %s", function, what);
    if (wanted == JSON_ARRAY && state->jsonb)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "cannot extract elements from %s", what);
    if (wanted == JSON_ARRAY)
        return status_format(arena, E_INVALID_PARAMETER_VALUE, "cannot call %s on %s", function,
            kind == JSON_OBJECT ? "a non-array" : what);
    if (state->jsonb)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "cannot call %s on a non-object", function);
    return status_format(arena, E_INVALID_PARAMETER_VALUE,
        kind == JSON_ARRAY ? "cannot deconstruct an array as an object"
                           : "cannot deconstruct a scalar");
}

static struct status walk(struct function_call *call, struct walking *state, struct bytes value,
    enum json_kind wanted, const char *function)
{
    state->jsonb = call->arg_types[0].oid == TYPE_JSONB;
    enum json_kind kind;
    if (state->jsonb) {
        state->json = json_open(value);
        kind = state->json.kind;
    } else {
        kind = json_text_kind(value);
        state->scan = json_scan_container(value);
    }
    return kind == wanted ? STATUS_OK : refuse(call, state, kind, wanted, function);
}

static struct datum part(
    struct function_call *call, const struct walking *state, const struct json *json, struct bytes text)
{
    struct buffer out;
    enum json_kind kind = state->jsonb ? json->kind : json_text_kind(text);
    if (!state->as_text) return datum_bytes(state->jsonb ? json->raw : text);
    if (kind == JSON_NULL) return DATUM_NULL;
    if (!state->jsonb)
        return datum_bytes(kind == JSON_STRING ? json_text_unquote(call->arena, text) : text);
    if (kind == JSON_STRING) return datum_bytes(json->scalar);
    buffer_init(&out, call->arena);
    json_print(&out, json->raw);
    return datum_bytes(buffer_bytes(&out));
}

static bool walk_next(struct function_call *call, struct walking *state, bool object,
    struct bytes *key, struct datum *value)
{
    struct json json = {0};
    struct bytes text = {0};
    if (state->jsonb) {
        if (state->at >= state->json.count) return false;
        uint32_t at = state->at++;
        if (object) *key = json_key(&state->json, at);
        json = object ? json_member(&state->json, at) : json_element(&state->json, at);
    } else if (!json_scan_next(&state->scan, call->arena, object ? key : NULL, &text)) {
        return false;
    }
    *value = part(call, state, &json, text);
    return true;
}

#define START(name, wanted, text, keys_, label) \
    static struct status name( \
        struct function_call *call, void *state_, const struct datum *args) \
    { \
        struct walking *state = state_; \
        state->as_text = text; \
        state->keys = keys_; \
        return walk(call, state, datum_as_bytes(args[0]), wanted, \
            call->arg_types[0].oid == TYPE_JSONB ? "jsonb_" label : "json_" label); \
    }
START(start_elements, JSON_ARRAY, false, false, "array_elements")
START(start_elements_text, JSON_ARRAY, true, false, "array_elements_text")
START(start_each, JSON_OBJECT, false, false, "each")
START(start_each_text, JSON_OBJECT, true, false, "each_text")
START(start_keys, JSON_OBJECT, false, true, "object_keys")

static struct status next_element(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    *done = !walk_next(call, state, false, NULL, &row[0]);
    return STATUS_OK;
}

static struct status next_member(
    struct function_call *call, void *state_, struct datum *row, bool *done)
{
    struct walking *state = state_;
    struct bytes key = {0};
    struct datum value;
    *done = !walk_next(call, state, true, &key, &value);
    if (*done) return STATUS_OK;
    row[0] = datum_bytes(key);
    if (!state->keys) row[1] = value;
    return STATUS_OK;
}

static const char *const each_names[] = {"key", "value"};
static const char *const value_names[] = {"value"};
static const char *const json_keys_names[] = {"json_object_keys"};
static const char *const jsonb_keys_names[] = {"jsonb_object_keys"};
static const type_oid key_json[] = {TYPE_TEXT, TYPE_JSON};
static const type_oid key_jsonb[] = {TYPE_TEXT, TYPE_JSONB};
static const type_oid key_text_types[] = {TYPE_TEXT, TYPE_TEXT};
#define ROWS(name, columns, names, types, start_, next_) \
    static const struct set_ops name = {.column_count = columns, \
        .column_names = names, \
        .column_types = types, \
        .state_bytes = sizeof(struct walking), \
        .start = start_, \
        .next = next_};
ROWS(json_elements, 1, value_names, key_json + 1, start_elements, next_element)
ROWS(jsonb_elements, 1, value_names, key_jsonb + 1, start_elements, next_element)
ROWS(text_elements, 1, value_names, key_text_types, start_elements_text, next_element)
ROWS(json_each, 2, each_names, key_json, start_each, next_member)
ROWS(jsonb_each, 2, each_names, key_jsonb, start_each, next_member)
ROWS(text_each, 2, each_names, key_text_types, start_each_text, next_member)
ROWS(json_keys, 1, json_keys_names, key_text_types, start_keys, next_member)
ROWS(jsonb_keys, 1, jsonb_keys_names, key_text_types, start_keys, next_member)

// --- from arrays of text -----------------------------------------------------------------------------------

static struct status pair(struct json_builder *builder, struct datum key, struct datum value)
{
    struct buffer text;
    if (key.null)
        return status_make(E_NULL_VALUE_NOT_ALLOWED, "null value not allowed for object key");
    buffer_init(&text, builder->arena);
    if (value.null)
        json_append_null(&text);
    else
        json_append_string(&text, datum_as_bytes(value));
    json_builder_add(builder, datum_as_bytes(key), buffer_bytes(&text));
    return STATUS_OK;
}

static struct status pairs_of_one(struct json_builder *builder, struct datum list)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum key, value;
    TRY(array_open(list, &array));
    bool pairs = array.dimensions == 2 && array.length[1] == 2;
    if (array.dimensions > 2 || (array.dimensions == 2 && !pairs))
        return array.dimensions == 2
            ? status_make(E_ARRAY_SUBSCRIPT_ERROR, "array must have two columns")
            : status_make(E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    if (array.dimensions == 1 && array.count % 2 != 0)
        return status_make(
            E_ARRAY_SUBSCRIPT_ERROR, "array must have even number of elements");
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &key);) {
        if (!array_next(&cursor, &value)) break;
        TRY(pair(builder, key, value));
    }
out:
    return st;
}

static struct status pairs_of_two(
    struct json_builder *builder, struct datum names, struct datum list)
{
    struct status st = STATUS_OK;
    struct array keys, values;
    struct datum key, value;
    TRY(array_open(names, &keys));
    TRY(array_open(list, &values));
    if (keys.dimensions > 1 || values.dimensions > 1)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    if (keys.count != values.count)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "mismatched array dimensions");
    struct array_cursor at = array_first(&values);
    for (struct array_cursor cursor = array_first(&keys); array_next(&cursor, &key);) {
        if (!array_next(&at, &value)) break;
        TRY(pair(builder, key, value));
    }
out:
    return st;
}

static void text_pair(struct buffer *out, struct datum key, struct datum value)
{
    buffer_append_string(out, out->size == 1 ? "" : ", ");
    json_print_string(out, datum_as_bytes(key));
    buffer_append_string(out, " : ");
    if (value.null)
        buffer_append_string(out, "null");
    else
        json_print_string(out, datum_as_bytes(value));
}

// Keys stay in their order, and twice where they are given twice.
BODY(text_object)
{
    struct status st = STATUS_OK;
    struct json_builder check;
    struct buffer out;
    struct array keys, values;
    struct datum key, value;
    bool two = call->arg_count == 2;
    // The same errors, told the same way.
    json_builder_init(&check, call->arena, true);
    if (two)
        TRY(pairs_of_two(&check, args[0], args[1]));
    else
        TRY(pairs_of_one(&check, args[0]));
    buffer_init(&out, call->arena);
    buffer_append_u8(&out, '{');
    TRY(array_open(args[0], &keys));
    TRY(array_open(args[two ? 1 : 0], &values));
    struct array_cursor at = array_first(&values), cursor = array_first(&keys);
    while (array_next(&cursor, &key)) {
        if (!array_next(two ? &at : &cursor, &value)) break;
        text_pair(&out, key, value);
    }
    buffer_append_u8(&out, '}');
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

BODY(object_of_text)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    struct buffer out;
    json_builder_init(&builder, call->arena, true);
    if (call->arg_count == 1)
        TRY(pairs_of_one(&builder, args[0]));
    else
        TRY(pairs_of_two(&builder, args[0], args[1]));
    buffer_init(&out, call->arena);
    TRY(json_builder_finish(&builder, &out));
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

// clang-format off
static const struct function table[] = {
    STABLE("row_to_json", 3155, JSON, row_to_json, TYPE_RECORD),
    STABLE("row_to_json", 3156, JSON, row_to_json, TYPE_RECORD, TYPE_BOOL),
    SCALAR("jsonb_object", 3263, JSONB, object_of_text, TYPE_TEXT_ARRAY),
    SCALAR("jsonb_object", 3264, JSONB, object_of_text, TYPE_TEXT_ARRAY, TYPE_TEXT_ARRAY),
    STABLE("to_json", 3176, JSON, to_json, TYPE_ANYELEMENT),
    STABLE("to_jsonb", 3787, JSONB, to_json, TYPE_ANYELEMENT),
    STABLE("array_to_json", 3153, JSON, to_json, TYPE_ANYARRAY),
    STABLE("array_to_json", 3154, JSON, array_to_json, TYPE_ANYARRAY, TYPE_BOOL),
    SCALAR("json_object", 3202, JSON, text_object, TYPE_TEXT_ARRAY),
    SCALAR("json_object", 3203, JSON, text_object, TYPE_TEXT_ARRAY, TYPE_TEXT_ARRAY),
    LAX_VARIADIC("json_build_array", 3198, JSON, build_json_array, FUNCTION_STABLE, TYPE_ANY),
    SCALAR_NO_ARGS("json_build_array", 3199, JSON, build_json_array, FUNCTION_STABLE),
    LAX_VARIADIC("json_build_object", 3200, JSON, build_json_object, FUNCTION_STABLE, TYPE_ANY),
    SCALAR_NO_ARGS("json_build_object", 3201, JSON, build_json_object, FUNCTION_STABLE),
    LAX_VARIADIC("jsonb_build_array", 3271, JSONB, build_jsonb_array, FUNCTION_STABLE, TYPE_ANY),
    SCALAR_NO_ARGS("jsonb_build_array", 3272, JSONB, build_jsonb_array, FUNCTION_STABLE),
    LAX_VARIADIC("jsonb_build_object", 3273, JSONB, build_jsonb_object, FUNCTION_STABLE, TYPE_ANY),
    SCALAR_NO_ARGS("jsonb_build_object", 3274, JSONB, build_jsonb_object, FUNCTION_STABLE),
    AGGREGATE("json_agg", 3175, JSON, &json_agg_ops, TYPE_ANYELEMENT),
    AGGREGATE("jsonb_agg", 3267, JSONB, &jsonb_agg_ops, TYPE_ANYELEMENT),
    AGGREGATE("json_object_agg", 3197, JSON, &json_object_agg_ops, TYPE_ANY, TYPE_ANY),
    AGGREGATE("jsonb_object_agg", 3270, JSONB, &jsonb_object_agg_ops, TYPE_ANY, TYPE_ANY),
    SET_RETURNING("json_array_elements", 3955, JSON, &json_elements, TYPE_JSON),
    SET_RETURNING("jsonb_array_elements", 3219, JSONB, &jsonb_elements, TYPE_JSONB),
    SET_RETURNING("json_array_elements_text", 3969, TEXT, &text_elements, TYPE_JSON),
    SET_RETURNING("jsonb_array_elements_text", 3465, TEXT, &text_elements, TYPE_JSONB),
    SET_RETURNING("json_each", 3958, RECORD, &json_each, TYPE_JSON),
    SET_RETURNING("jsonb_each", 3208, RECORD, &jsonb_each, TYPE_JSONB),
    SET_RETURNING("json_each_text", 3959, RECORD, &text_each, TYPE_JSON),
    SET_RETURNING("jsonb_each_text", 3932, RECORD, &text_each, TYPE_JSONB),
    SET_RETURNING("json_object_keys", 3957, TEXT, &json_keys, TYPE_JSON),
    SET_RETURNING("jsonb_object_keys", 3931, TEXT, &jsonb_keys, TYPE_JSONB),
};
// clang-format on

void functions_json_make_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
