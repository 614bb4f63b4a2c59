// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/json.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/deep.h"
#include "core/work.h"
#include "core/invariant.h"
#include "sql/type/numeric.h"

// Below this size a value cannot be nested deeply enough to matter to a fiber's stack: each level takes
// nine bytes at least.
#define SHALLOW_BYTES 256
// And below this one all is done before anybody would wait for it.
#define SHORT_BYTES (16u << 10)

static uint32_t load_u32(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return value;
}

static void append_u32(struct buffer *out, uint32_t value)
{
    buffer_append(out, &value, sizeof value);
}

// --- views ----------------------------------------------------------------------------------------------

struct json json_open(struct bytes raw)
{
    struct json json = {.kind = JSON_NULL, .raw = raw};
    if (raw.size == 0 || raw.data[0] > JSON_OBJECT) return json;
    json.kind = raw.data[0];
    if (json.kind == JSON_STRING || json.kind == JSON_NUMBER) {
        json.scalar = bytes_skip(raw, 1);
    } else if (json.kind == JSON_ARRAY || json.kind == JSON_OBJECT) {
        if (raw.size >= 5) json.count = load_u32(raw.data + 1);
        // Ends beyond the value mean that it is not one of ours: shown as empty.
        uint64_t ends = (uint64_t)json.count * (json.kind == JSON_OBJECT ? 8 : 4);
        if (raw.size < 5 + ends) json.count = 0;
    }
    return json;
}

// Between two ends in the container's data, kept inside the value.
static struct bytes between(const struct json *json, size_t start, size_t end)
{
    size_t head = 5 + (size_t)json->count * (json->kind == JSON_OBJECT ? 8 : 4);
    size_t room = json->raw.size - head;
    if (end > room) end = room;
    if (start > end) start = end;
    return bytes_of(json->raw.data + head + start, end - start);
}

static size_t end_of(const struct json *json, uint32_t index)
{
    return load_u32(json->raw.data + 5 + 4 * (size_t)index);
}

struct json json_element(const struct json *array, uint32_t index)
{
    size_t start = index == 0 ? 0 : end_of(array, index - 1);
    return json_open(between(array, start, end_of(array, index)));
}

struct bytes json_key(const struct json *object, uint32_t index)
{
    size_t start = index == 0 ? 0 : end_of(object, index - 1);
    return between(object, start, end_of(object, index));
}

struct json json_member(const struct json *object, uint32_t index)
{
    // The first value begins where the last key ends.
    uint32_t slot = object->count + index;
    return json_open(between(object, end_of(object, slot - 1), end_of(object, slot)));
}

int json_compare_keys(struct bytes a, struct bytes b)
{
    if (a.size != b.size) return a.size < b.size ? -1 : 1;
    return a.size == 0 ? 0 : memcmp(a.data, b.data, a.size);
}

bool json_find(const struct json *object, struct bytes key, struct json *value)
{
    uint32_t low = 0, high = object->count;
    if (object->kind != JSON_OBJECT) return false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = json_compare_keys(key, json_key(object, middle));
        if (order == 0) {
            *value = json_member(object, middle);
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

// --- recursion on a big stack ---------------------------------------------------------------------------

struct work {
    void (*fn)(struct work *work);
    struct task *task; // NULL: it does not yield.
    struct buffer *out;
    struct bytes a, b;
    int32_t indent;
    uint32_t steps;
    struct status st; // Why it was broken off.
    int order;
    bool answer;
    uint64_t hash;
};

#define STEPS_PER_POLL 512u

// Whether to go on with the next value.
static bool may_go_on(struct work *work)
{
    if (++work->steps % STEPS_PER_POLL == 0 && !failed(work->st)) work->st = task_poll(work->task);
    return !failed(work->st);
}

static void run_work(void *arg)
{
    struct work *work = arg;
    work->fn(work);
}

static void run(struct work *work)
{
    if (work->a.size > SHORT_BYTES || work->b.size > SHORT_BYTES)
        work->task = task_current(); // Lent the stack, it yields.
    if (work->a.size <= SHALLOW_BYTES && work->b.size <= SHALLOW_BYTES)
        work->fn(work);
    else if (work->a.size <= SHORT_BYTES && work->b.size <= SHORT_BYTES)
        stack_call(run_work, work);
    else
        deep_call(work->task, run_work, work);
}

// --- printing --------------------------------------------------------------------------------------------

void json_print_characters(struct buffer *out, struct bytes text)
{
    size_t plain = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        const char *escape = NULL;
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buffer_append(out, text.data + plain, i - plain);
        plain = i + 1;
        switch (c) {
        case '"': escape = "\\\""; break;
        case '\\': escape = "\\\\"; break;
        case '\b': escape = "\\b"; break;
        case '\f': escape = "\\f"; break;
        case '\n': escape = "\\n"; break;
        case '\r': escape = "\\r"; break;
        case '\t': escape = "\\t"; break;
        default: break;
        }
        if (escape != NULL)
            buffer_append_string(out, escape);
        else
            buffer_printf(out, "\\u%04x", c);
    }
    buffer_append_bytes(out, bytes_skip(text, plain));
}

void json_print_string(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '"');
    while (text.size > SHORT_BYTES) {
        if (!task_goes_on(SHORT_BYTES)) return;
        json_print_characters(out, bytes_of(text.data, SHORT_BYTES));
        text = bytes_skip(text, SHORT_BYTES);
    }
    json_print_characters(out, text);
    buffer_append_u8(out, '"');
}

static void new_line(struct buffer *out, int32_t indent)
{
    buffer_append_u8(out, '\n');
    for (int32_t i = 0; i < indent * 4; i++)
        buffer_append_u8(out, ' ');
}

// `indent` negative: all on one line.
static void print(struct work *work, struct bytes raw, int32_t indent)
{
    struct buffer *out = work->out;
    struct json json = json_open(raw);
    bool object = json.kind == JSON_OBJECT;
    int32_t inner = indent < 0 ? indent : indent + 1;
    switch (json.kind) {
    case JSON_NULL: buffer_append_string(out, "null"); return;
    case JSON_FALSE: buffer_append_string(out, "false"); return;
    case JSON_TRUE: buffer_append_string(out, "true"); return;
    case JSON_STRING: json_print_string(out, json.scalar); return;
    case JSON_NUMBER: numeric_print(out, datum_bytes(json.scalar)); return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    buffer_append_u8(out, object ? '{' : '[');
    for (uint32_t i = 0; i < json.count && may_go_on(work); i++) {
        if (i > 0) buffer_append_string(out, indent < 0 ? ", " : ",");
        if (indent >= 0) new_line(out, inner);
        if (object) {
            json_print_string(out, json_key(&json, i));
            buffer_append_string(out, ": ");
        }
        print(work, object ? json_member(&json, i).raw : json_element(&json, i).raw, inner);
    }
    if (indent >= 0) new_line(out, indent);
    buffer_append_u8(out, object ? '}' : ']');
}

static void print_work(struct work *work)
{
    print(work, work->a, work->indent);
}

void json_print(struct buffer *out, struct bytes raw)
{
    struct work work = {.fn = print_work, .out = out, .a = raw, .indent = -1};
    buffer_reserve(out, raw.size);
    run(&work);
}

struct status json_print_long(struct task *task, struct buffer *out, struct bytes raw, bool pretty)
{
    struct work work = {
        .fn = print_work, .task = task, .out = out, .a = raw, .indent = pretty ? 0 : -1};
    buffer_reserve(out, raw.size); // It grows once or twice, not from the smallest size on.
    run(&work);
    return work.st;
}

// --- order ------------------------------------------------------------------------------------------------

static int rank(enum json_kind kind)
{
    return kind == JSON_TRUE ? JSON_FALSE : (int)kind; // The two are of one type.
}

static int compare(struct work *work, struct bytes a, struct bytes b)
{
    struct json x = json_open(a), y = json_open(b);
    int order = rank(x.kind) - rank(y.kind);
    if (order != 0) return order;
    switch (x.kind) {
    case JSON_NULL: return 0;
    case JSON_FALSE:
    case JSON_TRUE: return (int)x.kind - (int)y.kind;
    case JSON_STRING: return bytes_compare(x.scalar, y.scalar);
    case JSON_NUMBER: return numeric_compare(datum_bytes(x.scalar), datum_bytes(y.scalar));
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    if (x.count != y.count) return x.count < y.count ? -1 : 1;
    for (uint32_t i = 0; i < x.count && order == 0 && may_go_on(work); i++) {
        if (x.kind == JSON_OBJECT) {
            order = bytes_compare(json_key(&x, i), json_key(&y, i));
            if (order == 0) order = compare(work, json_member(&x, i).raw, json_member(&y, i).raw);
        } else {
            order = compare(work, json_element(&x, i).raw, json_element(&y, i).raw);
        }
    }
    return order;
}

static void compare_work(struct work *work)
{
    work->order = compare(work, work->a, work->b);
}

int json_compare(struct bytes a, struct bytes b)
{
    // For historical reasons PostgreSQL sorts an empty array at the top before all scalars.
    struct json x = json_open(a), y = json_open(b);
    bool x_empty = x.kind == JSON_ARRAY && x.count == 0, y_empty = y.kind == JSON_ARRAY && y.count == 0;
    if (x_empty && y.kind < JSON_ARRAY) return -1;
    if (y_empty && x.kind < JSON_ARRAY) return 1;
    struct work work = {.fn = compare_work, .a = a, .b = b};
    run(&work);
    return work.order;
}

bool json_equal(struct bytes a, struct bytes b)
{
    return json_compare(a, b) == 0;
}

static uint64_t hash(struct work *work, struct bytes raw)
{
    struct json json = json_open(raw);
    uint64_t value = (uint64_t)json.kind + 1;
    switch (json.kind) {
    case JSON_STRING: return value ^ XXH3_64bits(json.scalar.data, json.scalar.size);
    case JSON_NUMBER: return value ^ numeric_hash(datum_bytes(json.scalar));
    case JSON_ARRAY:
        for (uint32_t i = 0; i < json.count && may_go_on(work); i++)
            value = value * 0x9e3779b97f4a7c15u + hash(work, json_element(&json, i).raw);
        return value;
    case JSON_OBJECT:
        for (uint32_t i = 0; i < json.count && may_go_on(work); i++) {
            struct bytes key = json_key(&json, i);
            value = value * 0x9e3779b97f4a7c15u + XXH3_64bits(key.data, key.size);
            value = value * 0x9e3779b97f4a7c15u + hash(work, json_member(&json, i).raw);
        }
        return value;
    default: return value * 0x9e3779b97f4a7c15u;
    }
}

static void hash_work(struct work *work)
{
    work->hash = hash(work, work->a);
}

uint64_t json_hash(struct bytes raw)
{
    struct work work = {.fn = hash_work, .a = raw};
    run(&work);
    return work.hash;
}

// --- containment ----------------------------------------------------------------------------------------------

static bool is_container(const struct json *json)
{
    return json->kind == JSON_ARRAY || json->kind == JSON_OBJECT;
}

static bool contains(struct work *work, const struct json *outer, const struct json *inner);

static bool value_contains(
    struct work *work, const struct json *outer, const struct json *inner)
{
    if (outer->kind != inner->kind) return false;
    return is_container(outer) ? contains(work, outer, inner) : compare(work, outer->raw, inner->raw) == 0;
}

static bool array_has(struct work *work, const struct json *array, const struct json *wanted)
{
    for (uint32_t i = 0; i < array->count && may_go_on(work); i++) {
        struct json element = json_element(array, i);
        if (value_contains(work, &element, wanted)) return true;
    }
    return false;
}

static bool contains(struct work *work, const struct json *outer, const struct json *inner)
{
    if (outer->kind != inner->kind) return false;
    for (uint32_t i = 0; i < inner->count; i++) {
        struct json wanted, found;
        if (inner->kind == JSON_OBJECT) {
            wanted = json_member(inner, i);
            if (!json_find(outer, json_key(inner, i), &found) || !value_contains(work, &found, &wanted))
                return false;
        } else {
            wanted = json_element(inner, i);
            if (!array_has(work, outer, &wanted)) return false;
        }
    }
    return true;
}

static void contains_work(struct work *work)
{
    struct json outer = json_open(work->a), inner = json_open(work->b);
    // An array contains a scalar as its element.
    if (outer.kind == JSON_ARRAY && !is_container(&inner))
        work->answer = array_has(work, &outer, &inner);
    else
        work->answer = value_contains(work, &outer, &inner);
}

struct status json_contains(
    struct task *task, struct bytes outer, struct bytes inner, bool *answer)
{
    struct work work = {.fn = contains_work, .task = task, .a = outer, .b = inner};
    run(&work);
    *answer = work.answer;
    return work.st;
}

// --- building ---------------------------------------------------------------------------------------------------

void json_append_null(struct buffer *out)
{
    buffer_append_u8(out, JSON_NULL);
}

void json_append_bool(struct buffer *out, bool value)
{
    buffer_append_u8(out, value ? JSON_TRUE : JSON_FALSE);
}

void json_append_string(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, JSON_STRING);
    task_append(out, text);
}

void json_append_number(struct buffer *out, struct datum numeric)
{
    buffer_append_u8(out, JSON_NUMBER);
    buffer_append_bytes(out, datum_as_bytes(numeric));
}

void json_builder_init(struct json_builder *builder, struct arena *arena, bool object)
{
    *builder = (struct json_builder){.arena = arena, .object = object};
    buffer_init(&builder->data, arena);
}

// Whether to go on: each value, and each comparison of keys, is a step.
static bool builder_may_go_on(struct json_builder *builder)
{
    if (++builder->steps % STEPS_PER_POLL == 0 && !failed(builder->st))
        builder->st = task_poll(task_current());
    return !failed(builder->st);
}

void json_builder_begin(struct json_builder *builder, struct bytes key)
{
    if (builder->count == builder->capacity) {
        uint32_t capacity = builder->capacity == 0 ? 8 : builder->capacity * 2;
        builder->entries = arena_grow(builder->arena, builder->entries,
            sizeof *builder->entries * builder->capacity, sizeof *builder->entries * capacity);
        builder->capacity = capacity;
    }
    builder->entries[builder->count] =
        (struct json_entry){key, builder->data.size, builder->data.size, builder->count};
}

void json_builder_end(struct json_builder *builder)
{
    builder->entries[builder->count++].end = builder->data.size;
}

void json_builder_add(struct json_builder *builder, struct bytes key, struct bytes value)
{
    if (!builder_may_go_on(builder)) return;
    json_builder_begin(builder, key);
    task_append(&builder->data, value);
    json_builder_end(builder);
}

#define SORT_RUN 4096u // Entries that qsort sorts in one go.

static int compare_entries(const void *a, const void *b, void *builder)
{
    const struct json_entry *x = a, *y = b;
    if (!builder_may_go_on(builder)) return 0;
    int order = json_compare_keys(x->key, y->key);
    if (order != 0) return order;
    return x->order < y->order ? -1 : 1;
}

// Two sorted runs, `from` to `middle` and on to `end`, into one. False: broken off.
static bool merge_runs(struct json_builder *builder, const struct json_entry *runs, size_t from, size_t middle, size_t end,
    struct json_entry *out)
{
    size_t a = from, b = middle;
    for (size_t at = from; at < end; at++) {
        const bool first = b == end || (a < middle && compare_entries(&runs[a], &runs[b], builder) < 0);
        if (failed(builder->st)) return false;
        out[at] = first ? runs[a++] : runs[b++];
    }
    return true;
}

// By runs, since qsort goes on to its end whatever the comparisons say.
static bool sort_in_runs(struct json_builder *builder)
{
    const size_t count = builder->count;
    for (size_t at = 0; at < count; at += SORT_RUN) {
        const size_t run = count - at < SORT_RUN ? count - at : SORT_RUN;
        qsort_r(&builder->entries[at], run, sizeof *builder->entries, compare_entries, builder);
        if (failed(builder->st)) return false;
    }
    if (count <= SORT_RUN) return true;
    struct json_entry *from = builder->entries;
    struct json_entry *to = arena_try_alloc(builder->arena, count * sizeof *to);
    if (to == NULL) { // No room for two lists.
        qsort_r(builder->entries, count, sizeof *builder->entries, compare_entries, builder);
        return !failed(builder->st);
    }
    for (size_t width = SORT_RUN; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            const size_t middle = count - at < width ? count : at + width;
            const size_t end = count - at < 2 * width ? count : at + 2 * width;
            if (!merge_runs(builder, from, at, middle, end, to)) return false;
        }
        struct json_entry *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != builder->entries) builder->capacity = builder->count;
    builder->entries = from;
    return true;
}

// Sorted, and of equal keys the last.
static void sort_entries(struct json_builder *builder)
{
    uint32_t kept = 0;
    if (builder->count == 0) return;
    if (!sort_in_runs(builder)) return;
    for (uint32_t i = 0; i < builder->count; i++) {
        if (i % STEPS_PER_POLL == 0 && !task_goes_on(WORK_BYTES)) return;
        bool last = i + 1 == builder->count ||
                    json_compare_keys(builder->entries[i].key, builder->entries[i + 1].key) != 0;
        if (last) builder->entries[kept++] = builder->entries[i];
    }
    builder->count = kept;
}

struct status json_builder_finish(struct json_builder *builder, struct buffer *out)
{
    size_t end = 0, keys = 0;
    // Of what is nested deep each level copies those within it.
    if (!task_goes_on(builder->data.size)) return task_check(task_current());
    if (builder->object) sort_entries(builder);
    for (uint32_t i = 0; builder->object && i < builder->count && builder_may_go_on(builder); i++)
        keys += builder->entries[i].key.size;
    buffer_reserve(out, 5 + (builder->object ? 8 : 4) * (size_t)builder->count + keys + builder->data.size);
    buffer_append_u8(out, builder->object ? JSON_OBJECT : JSON_ARRAY);
    append_u32(out, builder->count);
    for (uint32_t i = 0; builder->object && i < builder->count && builder_may_go_on(builder); i++) {
        end += builder->entries[i].key.size;
        append_u32(out, (uint32_t)end);
    }
    for (uint32_t i = 0; i < builder->count && builder_may_go_on(builder); i++) {
        end += builder->entries[i].end - builder->entries[i].start;
        append_u32(out, (uint32_t)end);
    }
    for (uint32_t i = 0; builder->object && i < builder->count && builder_may_go_on(builder); i++)
        buffer_append_bytes(out, builder->entries[i].key);
    for (uint32_t i = 0; i < builder->count && builder_may_go_on(builder); i++) {
        const struct json_entry *entry = &builder->entries[i];
        task_append(out, bytes_of(builder->data.data + entry->start, entry->end - entry->start));
    }
    return builder->st;
}
