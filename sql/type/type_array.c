// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text and binary forms, order and hash of arrays, int2vector and oidvector.
#include "core/deep.h"
#include "core/work.h"
#include "sql/type/array.h"
#include "sql/type/array_literal.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

static type_oid element_of(type_oid array)
{
    return type_info(array)->element;
}

// --- text ------------------------------------------------------------------------------------------------------

#define ITEMS_PER_POLL 256u
#define ITEMS_WORK (ITEMS_PER_POLL * 32u) // What they count for (task_goes_on).
#define LONG_BYTES (16u << 10)            // An item that counts by itself.

static struct status array_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    const struct type element = {.oid = element_of(type.oid), .typmod = type.typmod};
    return array_literal_read(arena, context, element, text, value);
}

static bool needs_quotes(struct bytes text, char delimiter)
{
    if (text.size == 0 || type_word_is(text, "null")) return true;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\' || c == '{' || c == '}' || c == delimiter || ascii_space((char)c))
            return true;
    }
    return false;
}

// Numbers and truth values have nothing in them that would be quoted.
static bool is_never_quoted(type_oid element)
{
    switch (element) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC: return true;
    default: return false;
    }
}

// The element has been appended plain at `start`; quotes go around it afterwards where needed.
static void quote_element(struct buffer *out, size_t start, char delimiter)
{
    struct bytes plain = bytes_of(out->data + start, out->size - start);
    if (!needs_quotes(plain, delimiter)) return;
    struct bytes copy = arena_copy(out->arena, plain);
    out->size = start;
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < copy.size; i++) {
        if (copy.data[i] == '"' || copy.data[i] == '\\') buffer_append_u8(out, '\\');
        buffer_append_u8(out, copy.data[i]);
    }
    buffer_append_u8(out, '"');
}

static void array_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct array array;
    struct datum item;
    uint64_t index = 0;
    bool bounds = false;
    (void)oid;
    if (failed(array_open(value, &array)) || array.count == 0) {
        buffer_append_string(out, "{}");
        return;
    }
    const bool plain = is_never_quoted(array.element);
    const char delimiter = type_delimiter(array.element);
    for (uint32_t i = 0; i < array.dimensions; i++)
        bounds = bounds || array.lower[i] != 1;
    for (uint32_t i = 0; bounds && i < array.dimensions; i++)
        buffer_printf(
            out, "[%d:%d]", array.lower[i], array.lower[i] + array.length[i] - 1);
    if (bounds) buffer_append_u8(out, '=');
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item); index++) {
        if (index % ITEMS_PER_POLL == ITEMS_PER_POLL - 1 && !task_goes_on(ITEMS_WORK)) return;
        // Braces open before the first element of each level, and close after its last.
        if (index > 0) buffer_append_u8(out, (uint8_t)delimiter);
        uint64_t stride = 1;
        for (uint32_t i = array.dimensions; i-- > 0;) {
            stride *= (uint32_t)array.length[i];
            if (index % stride == 0) buffer_append_u8(out, '{');
        }
        size_t start = out->size;
        if (item.null) {
            buffer_append_string(out, "NULL");
        } else {
            type_output(out, context, array.element, item);
            if (!plain) quote_element(out, start, delimiter);
            if (out->size - start > LONG_BYTES && !task_goes_on(out->size - start)) return;
        }
        stride = 1;
        for (uint32_t i = array.dimensions; i-- > 0;) {
            stride *= (uint32_t)array.length[i];
            if ((index + 1) % stride == 0) buffer_append_u8(out, '}');
        }
    }
}

// --- binary -------------------------------------------------------------------------------------------------------

static struct status receive_items(struct arena *arena, struct bytes in, struct type element,
    uint64_t count, struct array_builder *builder)
{
    struct status st = STATUS_OK;
    for (uint64_t i = 0; i < count; i++) {
        struct datum item = DATUM_NULL;
        struct bytes part;
        bool null;
        if (!type_take_part(&in, &part, &null)) return type_error_binary(arena, "array");
        if (!null) TRY(type_receive(arena, element, part, &item));
        TRY(array_builder_add(builder, item));
    }
    if (in.size != 0) return type_error_binary(arena, "array");
out:
    return st;
}

static struct status array_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = STATUS_OK;
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    struct array_builder builder;
    struct type element = {.oid = element_of(type.oid), .typmod = type.typmod};
    if (binary.size < 12) return type_error_binary(arena, "array");
    int64_t dimensions = type_load_int(binary.data, 4);
    uint32_t oid = (uint32_t)type_load_int(binary.data + 8, 4);
    if (dimensions < 0 || dimensions > ARRAY_DIMENSIONS_MAX ||
        binary.size < 12 + 8 * (size_t)dimensions)
        return type_error_binary(arena, "array");
    int64_t flags = type_load_int(binary.data + 4, 4);
    if (flags != 0 && flags != 1)
        return status_make(E_INVALID_BINARY_REPRESENTATION, "invalid array flags");
    if (oid != element.oid && dimensions > 0)
        return status_make(E_DATATYPE_MISMATCH, "wrong element type");
    uint64_t count = dimensions == 0 ? 0 : 1;
    for (uint32_t i = 0; i < (uint32_t)dimensions; i++) {
        length[i] = (int32_t)type_load_int(binary.data + 12 + 8 * i, 4);
        lower[i] = (int32_t)type_load_int(binary.data + 16 + 8 * i, 4);
        if (length[i] < 0 || (int64_t)lower[i] + length[i] > INT32_MAX)
            return type_error_binary(arena, "array");
        count *= (uint32_t)length[i];
        if (count > ARRAY_COUNT_MAX)
            return status_make(E_PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed");
    }
    array_builder_init(&builder, arena, element.oid);
    TRY(receive_items(arena, bytes_skip(binary, 12 + 8 * (size_t)dimensions), element, count,
        &builder));
    // An empty array has no dimensions; an empty vector keeps its one.
    bool vector = type.oid == TYPE_INT2VECTOR || type.oid == TYPE_OIDVECTOR;
    if (vector && (dimensions != 1 || lower[0] != 0 || builder.has_null))
        return type_error_binary(arena, type_info(type.oid)->sql_name);
    if (count == 0 && !vector) return array_builder_finish(&builder, value);
    TRY(array_builder_finish_dimensions(&builder, (uint32_t)dimensions, length, lower, value));
out:
    return st;
}

static void array_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct array array;
    struct datum item;
    if (failed(array_open(value, &array)))
        array = (struct array){.element = element_of(oid)};
    type_store_int(out, array.dimensions, 4);
    type_store_int(out, array.has_null, 4);
    type_store_int(out, array.element, 4);
    for (uint32_t i = 0; i < array.dimensions; i++) {
        type_store_int(out, (uint32_t)array.length[i], 4);
        type_store_int(out, (uint32_t)array.lower[i], 4);
    }
    uint32_t count = 0;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        if (++count % ITEMS_PER_POLL == 0 && !task_goes_on(ITEMS_WORK)) return;
        type_send_part(out, array.element, item);
    }
}

// --- order --------------------------------------------------------------------------------------------------------

// Element by element, NULL after all else; then the shorter; then by dimensions.
static int array_compare(type_oid oid, struct datum a, struct datum b)
{
    struct array x, y;
    struct datum i, j;
    (void)oid;
    if (failed(array_open(a, &x)) || failed(array_open(b, &y)))
        return bytes_compare(datum_as_bytes(a), datum_as_bytes(b));
    struct array_cursor at_x = array_first(&x), at_y = array_first(&y);
    for (uint32_t n = 1; array_next(&at_x, &i) && array_next(&at_y, &j); n++) {
        if (n % ITEMS_PER_POLL == 0 && !task_goes_on(ITEMS_WORK)) return 0;
        int order = i.null || j.null ? (int)i.null - (int)j.null : type_compare(x.element, i, j);
        if (order != 0) return order;
    }
    if (x.count != y.count) return x.count < y.count ? -1 : 1;
    if (x.dimensions != y.dimensions) return x.dimensions < y.dimensions ? -1 : 1;
    for (uint32_t k = 0; k < x.dimensions; k++) {
        if (x.length[k] != y.length[k]) return x.length[k] < y.length[k] ? -1 : 1;
    }
    for (uint32_t k = 0; k < x.dimensions; k++) {
        if (x.lower[k] != y.lower[k]) return x.lower[k] < y.lower[k] ? -1 : 1;
    }
    return 0;
}

static uint64_t array_hash(type_oid oid, struct datum value)
{
    struct array array;
    struct datum item;
    uint64_t hash = 1;
    (void)oid;
    if (failed(array_open(value, &array))) return 0;
    uint32_t count = 0;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        if (++count % ITEMS_PER_POLL == 0 && !task_goes_on(ITEMS_WORK)) break;
        hash = hash * 0x9e3779b97f4a7c15u + (item.null ? 0 : type_hash(array.element, item));
    }
    return hash;
}

// --- keys -----------------------------------------------------------------------------------------------------------
//
// The element type, then before each element a mark that sorts the end of the shorter first and NULL last,
// then the shape. Elements keep their own key forms; what those lose is lost here too.

enum mark { MARK_END, MARK_ITEM, MARK_NULL };

static void append_mark(struct buffer *key, enum mark mark, enum key_order order)
{
    buffer_append_u8(key, (uint8_t)(order == KEY_DESCENDING ? ~(uint32_t)mark : mark));
}

static bool array_has_key(type_oid element)
{
    return !type_ops(element)->no_key;
}

static void array_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    struct array array;
    struct datum item;
    if (failed(array_open(value, &array))) array = (struct array){.element = TYPE_INT4};
    key_append_int(key, array.element, order);
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        append_mark(key, item.null ? MARK_NULL : MARK_ITEM, order);
        if (item.null) continue;
        struct status st = type_key_encode(key, array.element, item, order);
        (void)st; // Element types without a key are refused for the whole array.
    }
    append_mark(key, MARK_END, order);
    key_append_int(key, array.dimensions, order);
    for (uint32_t i = 0; i < array.dimensions; i++)
        key_append_int(key, array.length[i], order);
    for (uint32_t i = 0; i < array.dimensions; i++)
        key_append_int(key, array.lower[i], order);
}

static struct status damaged_key(void)
{
    return status_make(E_DATA_CORRUPTED, "key column is no array");
}

static struct status array_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct status st = STATUS_OK;
    struct array_builder builder;
    struct datum item;
    int64_t element, dimensions, number;
    int32_t length[ARRAY_DIMENSIONS_MAX], lower[ARRAY_DIMENSIONS_MAX];
    uint64_t count;
    TRY(key_decode_int(key, order, &element));
    if (element <= 0 || type_info((type_oid)element) == NULL || type_is_array((type_oid)element))
        return damaged_key();
    array_builder_init(&builder, arena, (type_oid)element);
    for (;;) {
        if (key->size == 0) return damaged_key();
        uint8_t mark = order == KEY_DESCENDING ? (uint8_t)~key->data[0] : key->data[0];
        *key = bytes_skip(*key, 1);
        if (mark == MARK_END) break;
        if (mark > MARK_NULL) return damaged_key();
        item = DATUM_NULL;
        if (mark == MARK_ITEM)
            TRY(type_key_decode(key, (type_oid)element, order, arena, &item));
        TRY(array_builder_add(&builder, item));
    }
    TRY(key_decode_int(key, order, &dimensions));
    if (dimensions < 0 || dimensions > ARRAY_DIMENSIONS_MAX) return damaged_key();
    count = dimensions == 0 ? 0 : 1;
    for (int64_t i = 0; i < 2 * dimensions; i++) {
        TRY(key_decode_int(key, order, &number));
        if (number != (int32_t)number || (i < dimensions && number < 0)) return damaged_key();
        if (i < dimensions) count *= (uint64_t)number;
        *(i < dimensions ? &length[i] : &lower[i - dimensions]) = (int32_t)number;
        if (count > ARRAY_COUNT_MAX) return damaged_key();
    }
    if (count != builder.count) return damaged_key();
    TRY(array_builder_finish_dimensions(&builder, (uint32_t)dimensions, length, lower, value));
out:
    return st;
}

const struct type_ops type_ops_array = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true,
    .key_encode = array_key_encode,
    .key_decode = array_key_decode,
    .element_has_key = array_has_key,
    .input = array_input,
    .output = array_output,
    .receive = array_receive,
    .send = array_send,
    .compare = array_compare,
    .hash = array_hash};

// --- int2vector, oidvector: numbers with spaces between ---------------------------------------------------------------

static struct status vector_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    struct datum item;
    struct type element = TYPE_OF(element_of(type.oid));
    int32_t lower = 0;
    array_builder_init(&builder, arena, element.oid);
    for (;;) {
        while (text.size > 0 && ascii_space((char)text.data[0]))
            text = bytes_skip(text, 1);
        if (text.size == 0) break;
        size_t size = 0;
        while (size < text.size && !ascii_space((char)text.data[size]))
            size++;
        TRY(type_input(arena, context, element, bytes_of(text.data, size), &item));
        TRY(array_builder_add(&builder, item));
        text = bytes_skip(text, size);
    }
    int32_t length = (int32_t)builder.count;
    TRY(array_builder_finish_dimensions(&builder, 1, &length, &lower, value));
out:
    return st;
}

static void vector_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct array array;
    struct datum item;
    bool first = true;
    (void)oid;
    if (failed(array_open(value, &array))) return;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        if (!first) buffer_append_u8(out, ' ');
        first = false;
        if (!item.null) type_output(out, context, array.element, item);
    }
}

const struct type_ops type_ops_vector = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true,
    .key_encode = array_key_encode,
    .key_decode = array_key_decode,
    .element_has_key = array_has_key,
    .input = vector_input,
    .output = vector_output,
    .receive = array_receive,
    .send = array_send,
    .compare = array_compare,
    .hash = array_hash};
