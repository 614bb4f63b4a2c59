// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators and functions that look into json and jsonb, and change jsonb.
#include "core/deep.h"
#include "core/text.h"
#include "sql/type/array.h"
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/json.h"
#include "sql/type/numeric.h"
#include "sql/type/type_ops.h"

#define STEPS_PER_POLL 512u

static bool is_jsonb(const struct function_call *call, uint32_t argument)
{
    return call->arg_types[argument].oid == TYPE_JSONB;
}

// A jsonb value as text (->>): strings without quotes, JSON's null as NULL.
static struct status give_text(
    struct function_call *call, const struct json *json, struct datum *result)
{
    struct buffer out;
    if (json->kind == JSON_NULL) {
        *result = DATUM_NULL;
    } else if (json->kind == JSON_STRING) {
        *result = datum_bytes(json->scalar);
    } else {
        buffer_init(&out, call->arena);
        struct status st = json_print_long(call->task, &out, json->raw, false);
        if (failed(st)) return st;
        *result = datum_bytes(buffer_bytes(&out));
    }
    return STATUS_OK;
}

static struct status give_json_text(
    struct function_call *call, struct bytes text, struct datum *result)
{
    enum json_kind kind = json_text_kind(text);
    if (kind == JSON_NULL)
        *result = DATUM_NULL;
    else
        *result = datum_bytes(
            kind == JSON_STRING ? json_text_unquote(call->arena, text) : text);
    return STATUS_OK;
}

// What was found in a json or jsonb, as such or as text.
static struct status give_found(struct function_call *call, bool jsonb, const struct json *json,
    struct bytes text, struct datum *result)
{
    if (call->result_type.oid == TYPE_TEXT)
        return jsonb ? give_text(call, json, result) : give_json_text(call, text, result);
    *result = datum_bytes(jsonb ? json->raw : text);
    return STATUS_OK;
}

// --- one step down -----------------------------------------------------------------------------------------

// Of equal keys in a json the last one counts.
static bool find_text_key(
    struct arena *arena, struct bytes object, struct bytes wanted, struct bytes *value)
{
    struct bytes key, candidate;
    bool found = false;
    if (json_text_kind(object) != JSON_OBJECT) return false;
    for (struct json_scan scan = json_scan_container(object);
         json_scan_next(&scan, arena, &key, &candidate);) {
        if (!bytes_equal(key, wanted)) continue;
        *value = candidate;
        found = true;
    }
    return found;
}

static int64_t count_elements(struct bytes array)
{
    struct bytes value;
    int64_t count = 0;
    for (struct json_scan scan = json_scan_container(array); json_scan_next(&scan, NULL, NULL, &value);)
        count++;
    return count;
}

static bool find_text_index(struct bytes array, int64_t index, struct bytes *value)
{
    if (json_text_kind(array) != JSON_ARRAY) return false;
    if (index < 0) index += count_elements(array);
    if (index < 0) return false;
    for (struct json_scan scan = json_scan_container(array); json_scan_next(&scan, NULL, NULL, value);
         index--) {
        if (index == 0) return true;
    }
    return false;
}

static bool find_index(const struct json *array, int64_t index, struct json *value)
{
    if (array->kind != JSON_ARRAY) return false;
    if (index < 0) index += array->count;
    if (index < 0 || index >= array->count) return false;
    *value = json_element(array, (uint32_t)index);
    return true;
}

BODY(get_field)
{
    struct json value = {0};
    struct bytes text = {0}, key = datum_as_bytes(args[1]);
    bool jsonb = is_jsonb(call, 0), found;
    if (jsonb) {
        struct json object = json_open(datum_as_bytes(args[0]));
        found = json_find(&object, key, &value);
    } else {
        found = find_text_key(call->arena, datum_as_bytes(args[0]), key, &text);
    }
    *result = DATUM_NULL;
    return found ? give_found(call, jsonb, &value, text, result) : STATUS_OK;
}

BODY(get_element)
{
    struct json value = {0};
    struct bytes text = {0};
    bool jsonb = is_jsonb(call, 0), found;
    if (jsonb) {
        struct json array = json_open(datum_as_bytes(args[0]));
        // PostgreSQL keeps a lone scalar as an array of one.
        bool lone = array.kind != JSON_ARRAY && array.kind != JSON_OBJECT;
        found = lone ? args[1].integer == 0 || args[1].integer == -1
                     : find_index(&array, args[1].integer, &value);
        if (lone) value = array;
    } else {
        found = find_text_index(datum_as_bytes(args[0]), args[1].integer, &text);
    }
    *result = DATUM_NULL;
    return found ? give_found(call, jsonb, &value, text, result) : STATUS_OK;
}

// --- paths ----------------------------------------------------------------------------------------------------

static bool path_index(struct bytes text, int64_t *index)
{
    struct arena scratch;
    arena_init(&scratch, NULL);
    bool valid = !failed(type_parse_int(&scratch, "integer", text, INT32_MIN, INT32_MAX, index));
    arena_fini(&scratch);
    return valid;
}

static bool step_down(struct function_call *call, bool jsonb, struct datum step, struct json *json,
    struct bytes *text)
{
    int64_t index;
    struct bytes name = datum_as_bytes(step);
    if (step.null) return false;
    if (jsonb) {
        struct json from = *json;
        if (from.kind == JSON_OBJECT) return json_find(&from, name, json);
        return from.kind == JSON_ARRAY && path_index(name, &index) &&
               find_index(&from, index, json);
    }
    struct bytes from = *text;
    if (json_text_kind(from) == JSON_OBJECT) return find_text_key(call->arena, from, name, text);
    return json_text_kind(from) == JSON_ARRAY && path_index(name, &index) &&
           find_text_index(from, index, text);
}

BODY(get_path)
{
    struct status st = STATUS_OK;
    struct array path;
    struct datum step;
    bool jsonb = is_jsonb(call, 0);
    struct bytes text = datum_as_bytes(args[0]);
    struct json json = jsonb ? json_open(text) : (struct json){0};
    *result = DATUM_NULL;
    TRY(array_open(args[1], &path));
    for (struct array_cursor cursor = array_first(&path); array_next(&cursor, &step);) {
        if (!step_down(call, jsonb, step, &json, &text)) return st;
    }
    st = give_found(call, jsonb, &json, text, result);
out:
    return st;
}

// As above with the steps as arguments.
BODY(get_path_variadic)
{
    bool jsonb = is_jsonb(call, 0);
    struct bytes text = datum_as_bytes(args[0]);
    struct json json = jsonb ? json_open(text) : (struct json){0};
    *result = DATUM_NULL;
    for (uint32_t i = 1; i < call->arg_count; i++) {
        if (!step_down(call, jsonb, args[i], &json, &text)) return STATUS_OK;
    }
    return give_found(call, jsonb, &json, text, result);
}

// --- questions ------------------------------------------------------------------------------------------------

static bool exists(struct bytes raw, struct bytes key)
{
    struct json json = json_open(raw), value;
    if (json.kind == JSON_OBJECT) return json_find(&json, key, &value);
    if (json.kind == JSON_STRING) return bytes_equal(json.scalar, key);
    for (uint32_t i = 0; json.kind == JSON_ARRAY && i < json.count; i++) {
        value = json_element(&json, i);
        if (value.kind == JSON_STRING && bytes_equal(value.scalar, key)) return true;
    }
    return false;
}

BODY(key_exists)
{
    (void)call;
    *result = datum_bool(exists(datum_as_bytes(args[0]), datum_as_bytes(args[1])));
    return STATUS_OK;
}

static struct status keys_exist(const struct datum *args, bool all, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array keys;
    struct datum key;
    TRY(array_open(args[1], &keys));
    *result = datum_bool(all);
    for (struct array_cursor cursor = array_first(&keys); array_next(&cursor, &key);) {
        if (key.null || exists(datum_as_bytes(args[0]), datum_as_bytes(key)) == all) continue;
        *result = datum_bool(!all);
        return st;
    }
out:
    return st;
}

BODY(any_key_exists)
{
    (void)call;
    return keys_exist(args, false, result);
}

BODY(all_keys_exist)
{
    (void)call;
    return keys_exist(args, true, result);
}

static struct status contains_value(
    struct function_call *call, struct datum outer, struct datum inner, struct datum *result)
{
    bool answer;
    struct status st =
        json_contains(call->task, datum_as_bytes(outer), datum_as_bytes(inner), &answer);
    if (!failed(st)) *result = datum_bool(answer);
    return st;
}

BODY(contains)
{
    return contains_value(call, args[0], args[1], result);
}

BODY(contained)
{
    return contains_value(call, args[1], args[0], result);
}

BODY(kind_of)
{
    static const char *const names[] = {
        "null", "string", "number", "boolean", "boolean", "array", "object"};
    struct bytes value = datum_as_bytes(args[0]);
    *result = datum_text(names[is_jsonb(call, 0) ? json_open(value).kind : json_text_kind(value)]);
    return STATUS_OK;
}

BODY(length_of)
{
    struct bytes value = datum_as_bytes(args[0]);
    enum json_kind kind = is_jsonb(call, 0) ? json_open(value).kind : json_text_kind(value);
    if (kind == JSON_OBJECT)
        return status_make(
            E_INVALID_PARAMETER_VALUE, "cannot get array length of a non-array");
    if (kind != JSON_ARRAY)
        return status_make(E_INVALID_PARAMETER_VALUE, "cannot get array length of a scalar");
    *result = datum_int(is_jsonb(call, 0) ? json_open(value).count : count_elements(value));
    return STATUS_OK;
}

BODY(pretty)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    struct status st = json_print_long(call->task, &out, datum_as_bytes(args[0]), true);
    if (!failed(st)) *result = datum_bytes(buffer_bytes(&out));
    return st;
}

// --- changes ------------------------------------------------------------------------------------------------------

static struct status finish(struct json_builder *builder, struct datum *result)
{
    struct buffer out;
    buffer_init(&out, builder->arena);
    struct status st = json_builder_finish(builder, &out);
    *result = datum_bytes(buffer_bytes(&out));
    return failed(st) ? st : arena_check(builder->arena);
}

static void add_all(struct json_builder *builder, const struct json *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        if (from->kind == JSON_OBJECT)
            json_builder_add(builder, json_key(from, i), json_member(from, i).raw);
        else
            json_builder_add(builder, bytes_of(NULL, 0), json_element(from, i).raw);
    }
}

BODY(concatenate)
{
    struct json_builder builder;
    struct json sides[2] = {json_open(datum_as_bytes(args[0])), json_open(datum_as_bytes(args[1]))};
    bool objects = sides[0].kind == JSON_OBJECT && sides[1].kind == JSON_OBJECT;
    json_builder_init(&builder, call->arena, objects);
    builder.task = call->task;
    for (int i = 0; i < 2; i++) {
        // Two objects merge; otherwise what is no array stands for an array of itself.
        if (objects || sides[i].kind == JSON_ARRAY)
            add_all(&builder, &sides[i]);
        else
            json_builder_add(&builder, bytes_of(NULL, 0), sides[i].raw);
    }
    return finish(&builder, result);
}

static struct status cannot_delete(const char *what)
{
    return status_make(E_INVALID_PARAMETER_VALUE, what);
}

static bool in_array(const struct array *array, struct bytes wanted)
{
    struct datum item;
    for (struct array_cursor cursor = array_first(array); array_next(&cursor, &item);) {
        if (!item.null && bytes_equal(datum_as_bytes(item), wanted)) return true;
    }
    return false;
}

// Keys of an object, or strings of an array.
static struct status delete_keys(
    struct function_call *call, struct bytes raw, const struct array *keys, struct datum *result)
{
    struct json json = json_open(raw);
    struct json_builder builder;
    if (json.kind < JSON_ARRAY) return cannot_delete("cannot delete from scalar");
    json_builder_init(&builder, call->arena, json.kind == JSON_OBJECT);
    builder.task = call->task;
    for (uint32_t i = 0; i < json.count; i++) {
        if (json.kind == JSON_OBJECT) {
            struct bytes key = json_key(&json, i);
            if (!in_array(keys, key)) json_builder_add(&builder, key, json_member(&json, i).raw);
        } else {
            struct json element = json_element(&json, i);
            if (element.kind != JSON_STRING || !in_array(keys, element.scalar))
                json_builder_add(&builder, bytes_of(NULL, 0), element.raw);
        }
    }
    return finish(&builder, result);
}

BODY(delete_key)
{
    struct status st = STATUS_OK;
    struct datum key = args[1], keys;
    struct array array;
    if (call->arg_types[1].oid == TYPE_TEXT_ARRAY)
        keys = args[1];
    else
        TRY(array_make(call->arena, TYPE_TEXT, &key, 1, &keys));
    TRY(array_open(keys, &array));
    if (array.dimensions > 1)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    st = delete_keys(call, datum_as_bytes(args[0]), &array, result);
out:
    return st;
}

BODY(delete_index)
{
    struct json json = json_open(datum_as_bytes(args[0]));
    struct json_builder builder;
    int64_t index = args[1].integer;
    if (json.kind == JSON_OBJECT)
        return cannot_delete("cannot delete from object using integer index");
    if (json.kind != JSON_ARRAY) return cannot_delete("cannot delete from scalar");
    if (index < 0) index += json.count;
    json_builder_init(&builder, call->arena, false);
    builder.task = call->task;
    for (uint32_t i = 0; i < json.count; i++) {
        if (i != index) json_builder_add(&builder, bytes_of(NULL, 0), json_element(&json, i).raw);
    }
    return finish(&builder, result);
}

// --- jsonb_set, jsonb_insert, #- -----------------------------------------------------------------------------------

enum edit_kind { EDIT_SET, EDIT_SET_EXISTING, EDIT_INSERT, EDIT_INSERT_AFTER, EDIT_DELETE };

struct edit {
    struct task *task;
    struct arena *arena;
    enum edit_kind kind;
    struct datum steps[32];
    uint32_t step_count;
    struct bytes value;
};

static struct status edit_value(
    struct edit *edit, uint32_t level, const struct json *json, struct buffer *out);

// The value at the last step of the path; `found` is what is there.
static void place_last(struct edit *edit, struct json_builder *builder, struct bytes key,
    const struct json *found)
{
    bool replace = edit->kind == EDIT_SET || edit->kind == EDIT_SET_EXISTING;
    if (edit->kind == EDIT_INSERT) json_builder_add(builder, key, edit->value);
    if (replace) json_builder_add(builder, key, edit->value);
    if (edit->kind == EDIT_INSERT || edit->kind == EDIT_INSERT_AFTER)
        json_builder_add(builder, key, found->raw);
    if (edit->kind == EDIT_INSERT_AFTER) json_builder_add(builder, key, edit->value);
}

static struct status place(struct edit *edit, uint32_t level, struct json_builder *builder,
    struct bytes key, const struct json *found)
{
    struct status st = STATUS_OK;
    if (level + 1 == edit->step_count) {
        place_last(edit, builder, key, found);
        return st;
    }
    json_builder_begin(builder, key);
    TRY(edit_value(edit, level + 1, found, &builder->data));
    json_builder_end(builder);
out:
    return st;
}

static struct status edit_object(
    struct edit *edit, uint32_t level, const struct json *json, struct json_builder *builder)
{
    struct status st = STATUS_OK;
    struct bytes wanted = datum_as_bytes(edit->steps[level]);
    bool last = level + 1 == edit->step_count, found = false;
    for (uint32_t i = 0; i < json->count; i++) {
        struct bytes key = json_key(json, i);
        struct json member = json_member(json, i);
        if (!bytes_equal(key, wanted)) {
            json_builder_add(builder, key, member.raw);
            continue;
        }
        found = true;
        if (last && (edit->kind == EDIT_INSERT || edit->kind == EDIT_INSERT_AFTER))
            return status_hint(edit->arena,
                status_format(edit->arena, E_INVALID_PARAMETER_VALUE, "%s",
                    "cannot replace existing key"),
                "Try using the function jsonb_set to replace key value.");
        TRY(place(edit, level, builder, key, &member));
    }
    bool adds = edit->kind == EDIT_SET || edit->kind == EDIT_INSERT || edit->kind == EDIT_INSERT_AFTER;
    if (!found && last && adds) json_builder_add(builder, wanted, edit->value);
out:
    return st;
}

static struct status edit_array(
    struct edit *edit, uint32_t level, const struct json *json, struct json_builder *builder)
{
    struct status st = STATUS_OK;
    int64_t index;
    bool last = level + 1 == edit->step_count;
    bool adds = edit->kind == EDIT_SET || edit->kind == EDIT_INSERT || edit->kind == EDIT_INSERT_AFTER;
    struct bytes none = bytes_of(NULL, 0), step = datum_as_bytes(edit->steps[level]);
    if (!path_index(step, &index))
        return status_format(edit->arena, E_INVALID_TEXT_REPRESENTATION,
            "path element at position %u is not an integer: \"%.*s\"", level + 1, bytes_shown(step),
            (const char *)step.data);
    if (index < 0) index += json->count;
    if (last && adds && index < 0) json_builder_add(builder, none, edit->value);
    for (uint32_t i = 0; i < json->count; i++) {
        struct json element = json_element(json, i);
        if (i == index)
            TRY(place(edit, level, builder, none, &element));
        else
            json_builder_add(builder, none, element.raw);
    }
    if (last && adds && index >= json->count) json_builder_add(builder, none, edit->value);
out:
    return st;
}

static struct status edit_value(
    struct edit *edit, uint32_t level, const struct json *json, struct buffer *out)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    if (edit->steps[level].null)
        return status_format(edit->arena, E_NULL_VALUE_NOT_ALLOWED,
            "path element at position %u is null", level + 1);
    if (json->kind < JSON_ARRAY) {
        buffer_append_bytes(out, json->raw); // The path ends in a scalar: nothing changes.
        return st;
    }
    json_builder_init(&builder, edit->arena, json->kind == JSON_OBJECT);
    builder.task = edit->task;
    TRY(json->kind == JSON_OBJECT ? edit_object(edit, level, json, &builder)
                                  : edit_array(edit, level, json, &builder));
    TRY(json_builder_finish(&builder, out));
    TRY(arena_check(edit->arena));
out:
    return st;
}

static struct status run_edit(struct function_call *call, const struct datum *args,
    enum edit_kind kind, struct bytes value, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array path;
    struct buffer out;
    struct json json = json_open(datum_as_bytes(args[0]));
    struct edit *edit = ARENA_NEW(call->arena, struct edit);
    *edit = (struct edit){.task = call->task, .arena = call->arena, .kind = kind, .value = value};
    TRY(array_open(args[1], &path));
    if (path.dimensions > 1)
        return status_make(E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    if (json.kind < JSON_ARRAY)
        return status_make(E_INVALID_PARAMETER_VALUE,
            kind == EDIT_DELETE ? "cannot delete path in scalar" : "cannot set path in scalar");
    struct array_cursor cursor = array_first(&path);
    for (struct datum step; array_next(&cursor, &step); edit->steps[edit->step_count++] = step) {
        if (edit->step_count == sizeof edit->steps / sizeof edit->steps[0])
            return status_make(E_STATEMENT_TOO_COMPLEX, "jsonb path is too long");
    }
    *result = args[0];
    if (edit->step_count == 0 || (json.count == 0 && (kind == EDIT_DELETE || kind == EDIT_SET_EXISTING)))
        return st;
    buffer_init(&out, call->arena);
    TRY(edit_value(edit, 0, &json, &out));
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

BODY(set_path)
{
    bool create = call->arg_count < 4 || args[3].boolean;
    return run_edit(
        call, args, create ? EDIT_SET : EDIT_SET_EXISTING, datum_as_bytes(args[2]), result);
}

// What happens when the new value is NULL is said by the last argument.
BODY(set_path_lax)
{
    for (uint32_t i = 0; i < 2; i++) {
        *result = DATUM_NULL;
        if (args[i].null) return STATUS_OK;
    }
    if (call->arg_count > 3 && args[3].null) return STATUS_OK;
    if (call->arg_count > 4 && args[4].null)
        return status_make(E_INVALID_PARAMETER_VALUE,
            "null_value_treatment must be \"delete_key\", \"return_target\", "
            "\"use_json_null\", or \"raise_exception\"");
    if (!args[2].null) return set_path(call, args, result);
    struct bytes how = call->arg_count > 4 ? datum_as_bytes(args[4])
                                           : BYTES_LITERAL("use_json_null");
    if (bytes_equal(how, BYTES_LITERAL("raise_exception")))
        return status_make(E_NULL_VALUE_NOT_ALLOWED, "JSON value must not be null");
    if (bytes_equal(how, BYTES_LITERAL("return_target"))) {
        *result = args[0];
        return STATUS_OK;
    }
    if (bytes_equal(how, BYTES_LITERAL("delete_key")))
        return run_edit(call, args, EDIT_DELETE, bytes_of(NULL, 0), result);
    if (!bytes_equal(how, BYTES_LITERAL("use_json_null")))
        return status_make(E_INVALID_PARAMETER_VALUE,
            "null_value_treatment must be \"delete_key\", \"return_target\", "
            "\"use_json_null\", or \"raise_exception\"");
    struct buffer null;
    buffer_init(&null, call->arena);
    json_append_null(&null);
    bool create = call->arg_count < 4 || args[3].boolean;
    return run_edit(
        call, args, create ? EDIT_SET : EDIT_SET_EXISTING, buffer_bytes(&null), result);
}

BODY(insert_path)
{
    bool after = call->arg_count == 4 && args[3].boolean;
    return run_edit(
        call, args, after ? EDIT_INSERT_AFTER : EDIT_INSERT, datum_as_bytes(args[2]), result);
}

BODY(delete_path)
{
    return run_edit(call, args, EDIT_DELETE, bytes_of(NULL, 0), result);
}

static struct status strip(
    struct function_call *call, const struct json *json, struct buffer *out, uint32_t depth)
{
    struct status st = STATUS_OK;
    struct json_builder builder;
    if (json->kind < JSON_ARRAY) {
        buffer_append_bytes(out, json->raw);
        return st;
    }
    if (depth > 64)
        return status_make(E_STATEMENT_TOO_COMPLEX, "jsonb is nested too deeply to strip");
    TRY(function_work(call, json->count));
    json_builder_init(&builder, call->arena, json->kind == JSON_OBJECT);
    builder.task = call->task;
    for (uint32_t i = 0; i < json->count; i++) {
        bool object = json->kind == JSON_OBJECT;
        struct json value = object ? json_member(json, i) : json_element(json, i);
        if (object && value.kind == JSON_NULL) continue;
        json_builder_begin(&builder, object ? json_key(json, i) : bytes_of(NULL, 0));
        TRY(strip(call, &value, &builder.data, depth + 1));
        json_builder_end(&builder);
    }
    TRY(json_builder_finish(&builder, out));
out:
    return st;
}

struct text_strip {
    struct task *task;
    struct status st;
    uint32_t steps;
    struct arena *arena;
    struct buffer out;
    struct bytes text;
};

// Members that are null go; what is left stays in its order, written without spaces.
static void strip_text(struct text_strip *strip, struct bytes text)
{
    enum json_kind kind = json_text_kind(text);
    struct bytes key, value;
    const char *comma = "";
    if (kind == JSON_STRING) {
        json_print_string(&strip->out, json_text_unquote(strip->arena, text));
        return;
    }
    if (kind != JSON_OBJECT && kind != JSON_ARRAY) {
        buffer_append_bytes(&strip->out, text);
        return;
    }
    bool object = kind == JSON_OBJECT;
    struct json_scan scan = json_scan_container(text);
    buffer_append_u8(&strip->out, object ? '{' : '[');
    while (!failed(strip->st) && json_scan_next(&scan, strip->arena, object ? &key : NULL, &value)) {
        if (++strip->steps % STEPS_PER_POLL == 0) strip->st = task_poll(strip->task);
        if (object && json_text_kind(value) == JSON_NULL) continue;
        buffer_append_string(&strip->out, comma);
        comma = ",";
        if (object) {
            json_print_string(&strip->out, key);
            buffer_append_u8(&strip->out, ':');
        }
        strip_text(strip, value);
    }
    buffer_append_u8(&strip->out, object ? '}' : ']');
}

static void strip_on_stack(void *arg)
{
    struct text_strip *strip = arg;
    strip_text(strip, type_trim(strip->text));
}

BODY(strip_text_nulls)
{
    struct text_strip strip = {.task = call->task, .arena = call->arena, .text = datum_as_bytes(args[0])};
    buffer_init(&strip.out, call->arena);
    deep_call(call->task, strip_on_stack, &strip);
    *result = datum_bytes(buffer_bytes(&strip.out));
    return strip.st;
}

BODY(strip_nulls)
{
    struct status st = STATUS_OK;
    struct buffer out;
    struct json json = json_open(datum_as_bytes(args[0]));
    buffer_init(&out, call->arena);
    TRY(strip(call, &json, &out, 0));
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

// --- casts -----------------------------------------------------------------------------------------------------------

static struct status cannot_cast(struct function_call *call, const struct json *json)
{
    static const char *const names[] = {
        "null", "string", "numeric", "boolean", "boolean", "array", "object"};
    bool container = json->kind >= JSON_ARRAY;
    return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "cannot cast jsonb %s to type %s",
        container && json->kind == JSON_ARRAY ? "array" : names[json->kind],
        type_info(call->result_type.oid)->sql_name);
}

struct status cast_jsonb_to_bool(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct json json = json_open(datum_as_bytes(args[0]));
    if (json.kind != JSON_TRUE && json.kind != JSON_FALSE) return cannot_cast(call, &json);
    *result = datum_bool(json.kind == JSON_TRUE);
    return STATUS_OK;
}

struct status cast_jsonb_to_number(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct json json = json_open(datum_as_bytes(args[0]));
    if (json.kind != JSON_NUMBER) return cannot_cast(call, &json);
    struct datum number = datum_bytes(json.scalar);
    switch (call->result_type.oid) {
    case TYPE_NUMERIC: *result = number; return STATUS_OK;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return cast_numeric_to_float(call, &number, result);
    default: return cast_numeric_to_int(call, &number, result);
    }
}

// clang-format off
static const struct function table[] = {
    OPERATOR("->", 3962, JSON, get_field, NULL, NULL, TYPE_JSON, TYPE_TEXT),
    OPERATOR("->", 3964, JSON, get_element, NULL, NULL, TYPE_JSON, TYPE_INT4),
    OPERATOR("->>", 3963, TEXT, get_field, NULL, NULL, TYPE_JSON, TYPE_TEXT),
    OPERATOR("->>", 3965, TEXT, get_element, NULL, NULL, TYPE_JSON, TYPE_INT4),
    OPERATOR("#>", 3966, JSON, get_path, NULL, NULL, TYPE_JSON, TYPE_TEXT_ARRAY),
    OPERATOR("#>>", 3967, TEXT, get_path, NULL, NULL, TYPE_JSON, TYPE_TEXT_ARRAY),
    OPERATOR("->", 3211, JSONB, get_field, NULL, NULL, TYPE_JSONB, TYPE_TEXT),
    OPERATOR("->", 3212, JSONB, get_element, NULL, NULL, TYPE_JSONB, TYPE_INT4),
    OPERATOR("->>", 3477, TEXT, get_field, NULL, NULL, TYPE_JSONB, TYPE_TEXT),
    OPERATOR("->>", 3481, TEXT, get_element, NULL, NULL, TYPE_JSONB, TYPE_INT4),
    OPERATOR("#>", 3213, JSONB, get_path, NULL, NULL, TYPE_JSONB, TYPE_TEXT_ARRAY),
    OPERATOR("#>>", 3206, TEXT, get_path, NULL, NULL, TYPE_JSONB, TYPE_TEXT_ARRAY),
    OPERATOR("@>", 3246, BOOL, contains, "<@", NULL, TYPE_JSONB, TYPE_JSONB),
    OPERATOR("<@", 3250, BOOL, contained, "@>", NULL, TYPE_JSONB, TYPE_JSONB),
    OPERATOR("?", 3247, BOOL, key_exists, NULL, NULL, TYPE_JSONB, TYPE_TEXT),
    OPERATOR("?|", 3248, BOOL, any_key_exists, NULL, NULL, TYPE_JSONB, TYPE_TEXT_ARRAY),
    OPERATOR("?&", 3249, BOOL, all_keys_exist, NULL, NULL, TYPE_JSONB, TYPE_TEXT_ARRAY),
    OPERATOR("||", 3284, JSONB, concatenate, NULL, NULL, TYPE_JSONB, TYPE_JSONB),
    OPERATOR("-", 3285, JSONB, delete_key, NULL, NULL, TYPE_JSONB, TYPE_TEXT),
    OPERATOR("-", 3398, JSONB, delete_key, NULL, NULL, TYPE_JSONB, TYPE_TEXT_ARRAY),
    OPERATOR("-", 3286, JSONB, delete_index, NULL, NULL, TYPE_JSONB, TYPE_INT4),
    OPERATOR("#-", 3287, JSONB, delete_path, NULL, NULL, TYPE_JSONB, TYPE_TEXT_ARRAY),
    SCALAR("json_object_field", 3947, JSON, get_field, TYPE_JSON, TYPE_TEXT),
    SCALAR("jsonb_object_field", 3478, JSONB, get_field, TYPE_JSONB, TYPE_TEXT),
    SCALAR("json_array_element", 3949, JSON, get_element, TYPE_JSON, TYPE_INT4),
    SCALAR("jsonb_array_element", 3215, JSONB, get_element, TYPE_JSONB, TYPE_INT4),
    {.name = "json_extract_path", .kind = FUNCTION_SCALAR, .oid = 3951, .result = TYPE_JSON,
        .strict = true, .variadic = true, .fn = get_path_variadic, FN_ARGS(TYPE_JSON, TYPE_TEXT)},
    {.name = "jsonb_extract_path", .kind = FUNCTION_SCALAR, .oid = 3217, .result = TYPE_JSONB,
        .strict = true, .variadic = true, .fn = get_path_variadic, FN_ARGS(TYPE_JSONB, TYPE_TEXT)},
    {.name = "json_extract_path_text", .kind = FUNCTION_SCALAR, .oid = 3953, .result = TYPE_TEXT,
        .strict = true, .variadic = true, .fn = get_path_variadic, FN_ARGS(TYPE_JSON, TYPE_TEXT)},
    {.name = "jsonb_extract_path_text", .kind = FUNCTION_SCALAR, .oid = 3940, .result = TYPE_TEXT,
        .strict = true, .variadic = true, .fn = get_path_variadic, FN_ARGS(TYPE_JSONB, TYPE_TEXT)},
    SCALAR("json_typeof", 3968, TEXT, kind_of, TYPE_JSON),
    SCALAR("jsonb_typeof", 3210, TEXT, kind_of, TYPE_JSONB),
    SCALAR("json_array_length", 3956, INT4, length_of, TYPE_JSON),
    SCALAR("jsonb_array_length", 3207, INT4, length_of, TYPE_JSONB),
    SCALAR("jsonb_pretty", 3306, TEXT, pretty, TYPE_JSONB),
    LAX("jsonb_set_lax", 100926, JSONB, set_path_lax, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB),
    LAX("jsonb_set_lax", 100927, JSONB, set_path_lax, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB,
        TYPE_BOOL),
    LAX("jsonb_set_lax", 5054, JSONB, set_path_lax, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB,
        TYPE_BOOL, TYPE_TEXT),
    SCALAR("jsonb_set", 100914, JSONB, set_path, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB),
    SCALAR("jsonb_set", 3305, JSONB, set_path, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB, TYPE_BOOL),
    SCALAR("jsonb_insert", 100915, JSONB, insert_path, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB),
    SCALAR("jsonb_insert", 3579, JSONB, insert_path, TYPE_JSONB, TYPE_TEXT_ARRAY, TYPE_JSONB, TYPE_BOOL),
    SCALAR("jsonb_delete_path", 3304, JSONB, delete_path, TYPE_JSONB, TYPE_TEXT_ARRAY),
    SCALAR("jsonb_concat", 3301, JSONB, concatenate, TYPE_JSONB, TYPE_JSONB),
    SCALAR("jsonb_exists", 4047, BOOL, key_exists, TYPE_JSONB, TYPE_TEXT),
    SCALAR("jsonb_contains", 4046, BOOL, contains, TYPE_JSONB, TYPE_JSONB),
    SCALAR("jsonb_strip_nulls", 3262, JSONB, strip_nulls, TYPE_JSONB),
    SCALAR("json_strip_nulls", 3261, JSON, strip_text_nulls, TYPE_JSON),
};
// clang-format on

void functions_json_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
