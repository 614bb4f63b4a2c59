// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/inverted.h"

#include <stdlib.h>

#include "core/crypto.h"
#include "core/work.h"
#include "sql/type/array.h"
#include "sql/type/json.h"

enum part_kind { PART_EMPTY = 1, PART_NULL_ITEM, PART_ITEM, PART_HASH };

#define HASH_BYTES 16u
#define PART_WORK 256u // What making one counts for, beside its bytes, and
#define SORT_WORK 32u  // a step of their sort.
#define SORT_RUN 1024u

// --- classes -----------------------------------------------------------------------------------------

static const struct {
    enum inverted_class class;
    const char *name;
} classes[] = {{INVERTED_ARRAY, "array_ops"}, {INVERTED_JSONB, "jsonb_ops"},
    {INVERTED_JSONB_PATH, "jsonb_path_ops"}};
#define CLASS_COUNT (sizeof classes / sizeof classes[0])

const char *inverted_class_name(enum inverted_class class)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (classes[i].class == class) return classes[i].name;
    return NULL;
}

enum inverted_class inverted_class_by_name(const char *name)
{
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (strcmp(classes[i].name, name) == 0) return classes[i].class;
    return INVERTED_NONE;
}

enum inverted_class inverted_class_default(type_oid type)
{
    if (type == TYPE_JSONB) return INVERTED_JSONB;
    return inverted_class_takes(INVERTED_ARRAY, type) ? INVERTED_ARRAY : INVERTED_NONE;
}

bool inverted_class_takes(enum inverted_class class, type_oid type)
{
    if (class != INVERTED_ARRAY) return class != INVERTED_NONE && type == TYPE_JSONB;
    return type_is_array(type) && type_has_key(type) && type_is_ordered(type);
}

// --- parts -------------------------------------------------------------------------------------------

static void add_part(struct arena *arena, struct inverted_parts *parts, struct bytes part)
{
    if (parts->count == parts->capacity) {
        uint32_t capacity = parts->capacity == 0 ? 8 : parts->capacity * 2;
        parts->items = arena_grow(arena, parts->items, parts->capacity * sizeof(struct bytes),
            capacity * sizeof(struct bytes));
        parts->capacity = capacity;
    }
    parts->items[parts->count++] = part;
}

static void add_kind(struct arena *arena, struct inverted_parts *parts, enum part_kind kind)
{
    uint8_t *bytes = arena_alloc(arena, 1);
    *bytes = (uint8_t)kind;
    add_part(arena, parts, bytes_of(bytes, 1));
}

static void add_hash(struct arena *arena, struct inverted_parts *parts, struct bytes hashed)
{
    uint8_t digest[32];
    uint8_t *bytes = arena_alloc(arena, 1 + HASH_BYTES);
    crypto_sha256(hashed, digest);
    bytes[0] = PART_HASH;
    memcpy(bytes + 1, digest, HASH_BYTES);
    add_part(arena, parts, bytes_of(bytes, 1 + HASH_BYTES));
}

// `item` begins with room for the kind. It must be a form of which none begins another.
static void add_item(struct arena *arena, struct inverted_parts *parts, struct buffer *item)
{
    if (item->size > INVERTED_ITEM_MAX) {
        add_hash(arena, parts, buffer_bytes(item));
        return;
    }
    item->data[0] = PART_ITEM;
    add_part(arena, parts, buffer_bytes(item));
}

static void item_begin(struct arena *arena, struct buffer *item)
{
    buffer_init(item, arena);
    buffer_append_u8(item, 0);
}

static int compare_parts(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

// Runs are sorted, then merged, so that a cancel ends it.
static struct status sort_merge(struct inverted_parts *parts, uint32_t run, struct bytes *to)
{
    struct status st = STATUS_OK;
    const struct bytes *from = parts->items;
    for (uint32_t start = 0; start < parts->count; start += 2 * run) {
        const uint32_t middle = parts->count - start < run ? parts->count : start + run;
        const uint32_t end = parts->count - middle < run ? parts->count : middle + run;
        for (uint32_t left = start, right = middle, at = start; at < end; at++) {
            const bool first = right == end || (left < middle && bytes_compare(from[left], from[right]) <= 0);
            to[at] = from[first ? left++ : right++];
            TRY(task_work(task_current(), SORT_WORK));
        }
    }
out:
    return st;
}

static struct status sort_parts(struct arena *arena, struct inverted_parts *parts)
{
    struct status st = STATUS_OK;
    if (parts->count < 2) return st;
    for (uint32_t start = 0; start < parts->count; start += SORT_RUN) {
        const uint32_t left = parts->count - start, count = left < SORT_RUN ? left : SORT_RUN;
        qsort(parts->items + start, count, sizeof(struct bytes), compare_parts);
        TRY(task_work(task_current(), (uint64_t)count * SORT_WORK));
    }
    struct bytes *spare = parts->count <= SORT_RUN ? NULL : ARENA_ARRAY(arena, struct bytes, parts->count);
    TRY(arena_check(arena));
    for (uint32_t run = SORT_RUN; run < parts->count; run *= 2) {
        TRY(sort_merge(parts, run, spare));
        struct bytes *merged = spare;
        spare = parts->items;
        parts->items = merged;
    }
    uint32_t kept = 1;
    for (uint32_t i = 1; i < parts->count; i++)
        if (!bytes_equal(parts->items[i], parts->items[kept - 1]))
            parts->items[kept++] = parts->items[i];
    parts->count = kept;
out:
    return st;
}

// --- arrays ------------------------------------------------------------------------------------------

static struct status add_array(struct arena *arena, struct datum value, bool with_nulls,
    struct inverted_parts *parts, bool *has_null)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum element;
    bool null = false;
    TRY(array_open(value, &array));
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &element);) {
        struct buffer item;
        null |= element.null;
        if (element.null) continue;
        item_begin(arena, &item);
        TRY(type_key_encode(&item, array.element, element, KEY_ASCENDING));
        add_item(arena, parts, &item);
        TRY(task_work(task_current(), PART_WORK + item.size));
    }
    if (null && with_nulls) add_kind(arena, parts, PART_NULL_ITEM);
    if (has_null != NULL) *has_null = null;

out:
    return st;
}

// --- jsonb -------------------------------------------------------------------------------------------

static struct status append_scalar(struct buffer *out, const struct json *scalar, bool is_key)
{
    switch (scalar->kind) {
    case JSON_STRING:
        buffer_append_u8(out, is_key ? 'k' : 's');
        key_append_bytes(out, scalar->scalar, KEY_ASCENDING);
        break;
    case JSON_NUMBER:
        buffer_append_u8(out, 'n');
        return type_key_encode(out, TYPE_NUMERIC, datum_bytes(scalar->scalar), KEY_ASCENDING);
    case JSON_FALSE:
    case JSON_TRUE:
        buffer_append_u8(out, 'b');
        buffer_append_u8(out, scalar->kind == JSON_TRUE);
        break;
    default: buffer_append_u8(out, '0'); break;
    }
    return STATUS_OK;
}

static void add_key(struct arena *arena, struct inverted_parts *parts, struct bytes key)
{
    struct buffer item;
    item_begin(arena, &item);
    buffer_append_u8(&item, 'k');
    key_append_bytes(&item, key, KEY_ASCENDING);
    add_item(arena, parts, &item);
}

struct json_level { // A container that is being walked through.
    struct json json;
    uint32_t next;
    uint8_t path[HASH_BYTES]; // Of the keys that lead to it.
};

struct json_walk {
    struct arena *arena;
    bool paths;
    struct inverted_parts *parts;
    struct json_level *levels;
    uint32_t depth, capacity;
};

static struct status add_scalar(
    struct json_walk *walk, const struct json *scalar, const uint8_t *path, bool in_array)
{
    struct status st = STATUS_OK;
    struct buffer item;
    item_begin(walk->arena, &item);
    if (walk->paths) buffer_append(&item, path, HASH_BYTES);
    TRY(append_scalar(&item, scalar, in_array && !walk->paths));
    if (walk->paths) add_hash(walk->arena, walk->parts, buffer_bytes(&item));
    else add_item(walk->arena, walk->parts, &item);

out:
    return st;
}

static void push_level(struct json_walk *walk, struct json json, const uint8_t *path)
{
    if (walk->depth == walk->capacity) {
        uint32_t capacity = walk->capacity == 0 ? 8 : walk->capacity * 2;
        walk->levels = arena_grow(walk->arena, walk->levels,
            walk->capacity * sizeof *walk->levels, capacity * sizeof *walk->levels);
        walk->capacity = capacity;
    }
    uint8_t copy[HASH_BYTES];
    memcpy(copy, path, HASH_BYTES);
    struct json_level *level = &walk->levels[walk->depth++];
    *level = (struct json_level){.json = json};
    memcpy(level->path, copy, HASH_BYTES);
}

static void member_path(
    struct arena *arena, const uint8_t *above, struct bytes key, uint8_t path[HASH_BYTES])
{
    struct buffer text;
    uint8_t digest[32];
    buffer_init(&text, arena);
    buffer_append(&text, above, HASH_BYTES);
    buffer_append_bytes(&text, key);
    crypto_sha256(buffer_bytes(&text), digest);
    memcpy(path, digest, HASH_BYTES);
}

static struct status add_json(
    struct arena *arena, struct bytes raw, bool paths, struct inverted_parts *parts)
{
    struct status st = STATUS_OK;
    struct json_walk walk = {.arena = arena, .paths = paths, .parts = parts};
    uint8_t path[HASH_BYTES] = {0};
    struct json root = json_open(raw);
    if (root.kind != JSON_ARRAY && root.kind != JSON_OBJECT)
        return add_scalar(&walk, &root, path, true);
    push_level(&walk, root, path);
    while (walk.depth > 0) {
        struct json_level *level = &walk.levels[walk.depth - 1];
        if (level->next == level->json.count) {
            walk.depth--;
            continue;
        }
        uint32_t at = level->next++;
        bool in_array = level->json.kind == JSON_ARRAY;
        struct json value =
            in_array ? json_element(&level->json, at) : json_member(&level->json, at);
        memcpy(path, level->path, HASH_BYTES);
        if (!in_array && !paths) add_key(arena, parts, json_key(&level->json, at));
        if (!in_array && paths) member_path(arena, level->path, json_key(&level->json, at), path);
        if (value.kind == JSON_ARRAY || value.kind == JSON_OBJECT) push_level(&walk, value, path);
        else TRY(add_scalar(&walk, &value, path, in_array));
        TRY(task_work(task_current(), PART_WORK + value.scalar.size));
    }

out:
    return st;
}

struct status inverted_parts_of(struct arena *arena, enum inverted_class class, struct datum value,
    struct inverted_parts *parts)
{
    struct status st = STATUS_OK;
    *parts = (struct inverted_parts){0};
    if (class == INVERTED_ARRAY) TRY(add_array(arena, value, true, parts, NULL));
    else TRY(add_json(arena, datum_as_bytes(value), class == INVERTED_JSONB_PATH, parts));
    if (parts->count == 0) add_kind(arena, parts, PART_EMPTY);
    TRY(sort_parts(arena, parts));

out:
    return st;
}

// --- conditions --------------------------------------------------------------------------------------

enum inverted_strategy inverted_strategy_of(
    enum inverted_class class, const char *operator, type_oid column, type_oid value)
{
    static const struct {
        const char *name;
        enum inverted_strategy strategy;
        bool array, jsonb, path;
    } operators[] = {{"@>", INVERTED_CONTAINS, true, true, true},
        {"<@", INVERTED_CONTAINED, true, false, false}, {"&&", INVERTED_OVERLAPS, true, false, false},
        {"=", INVERTED_EQUAL, true, false, false}, {"?", INVERTED_EXISTS, false, true, false},
        {"?|", INVERTED_EXISTS_ANY, false, true, false},
        {"?&", INVERTED_EXISTS_ALL, false, true, false}};
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strcmp(operators[i].name, operator) != 0) continue;
        enum inverted_strategy strategy = operators[i].strategy;
        bool has = class == INVERTED_ARRAY   ? operators[i].array
                   : class == INVERTED_JSONB ? operators[i].jsonb
                                             : operators[i].path;
        type_oid wanted = column;
        if (strategy == INVERTED_EXISTS) wanted = TYPE_TEXT;
        if (strategy == INVERTED_EXISTS_ANY || strategy == INVERTED_EXISTS_ALL)
            wanted = TYPE_TEXT_ARRAY;
        return has && value == wanted ? strategy : INVERTED_NO_STRATEGY;
    }
    return INVERTED_NO_STRATEGY;
}

static struct status query_array(struct arena *arena, enum inverted_strategy strategy,
    struct datum value, enum inverted_mode *mode, struct inverted_parts *parts)
{
    struct status st = STATUS_OK;
    bool has_null;
    TRY(add_array(arena, value, strategy == INVERTED_EQUAL, parts, &has_null));
    bool empty = parts->count == 0 && !has_null;
    if (strategy == INVERTED_CONTAINS) {
        *mode = has_null ? INVERTED_NOTHING : empty ? INVERTED_EVERYTHING : INVERTED_ALL;
    } else if (strategy == INVERTED_EQUAL) {
        *mode = INVERTED_ALL;
        if (empty) add_kind(arena, parts, PART_EMPTY);
    } else {
        *mode = INVERTED_ANY;
        if (strategy == INVERTED_CONTAINED) add_kind(arena, parts, PART_EMPTY);
        if (parts->count == 0) *mode = INVERTED_NOTHING;
    }

out:
    return st;
}

static struct status query_keys(struct arena *arena, enum inverted_strategy strategy,
    struct datum value, enum inverted_mode *mode, struct inverted_parts *parts)
{
    struct status st = STATUS_OK;
    struct array array;
    struct datum element;
    *mode = strategy == INVERTED_EXISTS_ANY ? INVERTED_ANY : INVERTED_ALL;
    if (strategy == INVERTED_EXISTS) {
        add_key(arena, parts, datum_as_bytes(value));
        return st;
    }
    TRY(array_open(value, &array));
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &element);) {
        if (!element.null) add_key(arena, parts, datum_as_bytes(element));
        TRY(task_work(task_current(), PART_WORK));
    }
    if (parts->count == 0)
        *mode = strategy == INVERTED_EXISTS_ANY ? INVERTED_NOTHING : INVERTED_EVERYTHING;

out:
    return st;
}

struct status inverted_query(struct arena *arena, enum inverted_class class,
    enum inverted_strategy strategy, struct datum value, enum inverted_mode *mode,
    struct inverted_parts *parts)
{
    struct status st = STATUS_OK;
    *parts = (struct inverted_parts){0};
    if (value.null) {
        *mode = INVERTED_NOTHING;
        return st;
    }
    if (class == INVERTED_ARRAY) {
        TRY(query_array(arena, strategy, value, mode, parts));
    } else if (strategy == INVERTED_CONTAINS) {
        TRY(add_json(arena, datum_as_bytes(value), class == INVERTED_JSONB_PATH, parts));
        *mode = parts->count == 0 ? INVERTED_EVERYTHING : INVERTED_ALL;
    } else {
        TRY(query_keys(arena, strategy, value, mode, parts));
    }
    TRY(sort_parts(arena, parts));
    if (*mode == INVERTED_ANY && parts->count > INVERTED_PARTS_MAX) *mode = INVERTED_EVERYTHING;

out:
    return st;
}
