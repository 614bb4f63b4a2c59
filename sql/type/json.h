// SPDX-License-Identifier: GPL-3.0-or-later
//
// json and jsonb. json is its text, checked; jsonb is a tree in one run of bytes:
//
//   u8 kind, then for
//     null, false, true   nothing
//     number              a numeric (sql/type/numeric.h), to the end
//     string              UTF-8, to the end
//     array               u32 count, u32 end of each element from the first one's start, the elements
//     object              u32 count, u32 end of each key, u32 end of each value, keys, values; all ends
//                         counted from the first key's start
//
// A value does not know its own size: whoever holds it (the datum, or the container's ends) does. So an
// element is a jsonb value as it stands, and -> copies nothing. Keys are unique, and sorted by length,
// then bytes, as PostgreSQL sorts them; lookups are binary searches.
//
// Memory   Views point into the value; builders work in an arena.
// Errors   22P02, 22P05 (text), 54001 nested too deeply.
// Bounds   JSON_DEPTH_MAX levels. What recurses runs on a big stack; with a task (which may be NULL), it
//          yields there over long values, and ends with 57014 when the task is cancelled.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"

struct task;

#define JSON_DEPTH_MAX 6000

// In PostgreSQL's order of comparison.
enum json_kind {
    JSON_NULL,
    JSON_STRING,
    JSON_NUMBER,
    JSON_FALSE,
    JSON_TRUE,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_kind kind;
    struct bytes raw;    // The whole value.
    struct bytes scalar; // Of a number or string.
    uint32_t count;      // Of an array or object.
};

struct json json_open(struct bytes raw);
struct json json_element(const struct json *array, uint32_t index);
struct bytes json_key(const struct json *object, uint32_t index);
struct json json_member(const struct json *object, uint32_t index); // Its value.
// False when there is no such key.
bool json_find(const struct json *object, struct bytes key, struct json *value);
int json_compare_keys(struct bytes a, struct bytes b); // By length, then bytes.

void json_print(struct buffer *out, struct bytes raw); // {"a": 1, "b": [2, 3]}
// Pretty: over lines, indented by four.
CHECKED struct status json_print_long(
    struct task *task, struct buffer *out, struct bytes raw, bool pretty);
void json_print_string(struct buffer *out, struct bytes text); // With quotes and escapes.
void json_print_characters(struct buffer *out, struct bytes text); // With escapes only.
int json_compare(struct bytes a, struct bytes b);
bool json_equal(struct bytes a, struct bytes b);
uint64_t json_hash(struct bytes raw);
CHECKED struct status json_contains(
    struct task *task, struct bytes outer, struct bytes inner, bool *answer);

// --- building --------------------------------------------------------------------------------------

void json_append_null(struct buffer *out);
void json_append_bool(struct buffer *out, bool value);
void json_append_string(struct buffer *out, struct bytes text);
void json_append_number(struct buffer *out, struct datum numeric);

// An array or object being filled. Values are given as whole jsonb values.
struct json_builder {
    struct arena *arena;
    bool object;
    struct buffer data; // The values so far.
    struct json_entry {
        struct bytes key;
        size_t start, end; // In data.
        uint32_t order;    // Of arrival: among equal keys the last one stays.
    } *entries;
    uint32_t count, capacity;
    struct task *task; // May be set after json_builder_init: adding and finishing then yield.
    uint32_t steps;
    struct status st;  // Why it was broken off.
};
void json_builder_init(struct json_builder *builder, struct arena *arena, bool object);
// `key` is borrowed until the end; ignored by arrays.
void json_builder_add(struct json_builder *builder, struct bytes key, struct bytes value);
// Opens a place for a value that the caller appends to builder->data, then calls json_builder_end.
void json_builder_begin(struct json_builder *builder, struct bytes key);
void json_builder_end(struct json_builder *builder);
CHECKED struct status json_builder_finish(struct json_builder *builder, struct buffer *out);

// --- text ------------------------------------------------------------------------------------------

// Appends the jsonb value of a text.
CHECKED struct status json_parse(
    struct task *task, struct arena *arena, struct bytes text, struct buffer *out);
// Whether a text is JSON.
CHECKED struct status json_check(struct task *task, struct arena *arena, struct bytes text);

// Looking around in text known to be JSON, without building anything.
struct json_scan {
    struct bytes rest;
};
enum json_kind json_text_kind(struct bytes text);
// Members of an object, elements of an array, in turn: the value's text without spaces around.
// `key` with its escapes undone, in `arena`. False at the end.
struct json_scan json_scan_container(struct bytes text);
bool json_scan_next(
    struct json_scan *scan, struct arena *arena, struct bytes *key, struct bytes *value);
// A string's text with its escapes undone.
struct bytes json_text_unquote(struct arena *arena, struct bytes text);
