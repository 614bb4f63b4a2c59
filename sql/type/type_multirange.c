// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text and binary forms, order, hash and keys of multiranges.
#include "core/hash.h"
#include "core/text.h"
#include "sql/type/multirange.h"
#include "sql/type/type_ops.h"

// --- text in: {[1,5),(7,"a b"]} ------------------------------------------------------------------------

struct literal {
    struct arena *arena;
    struct bytes whole, rest;
};

static struct status malformed(const struct literal *in, const char *detail)
{
    struct status st = status_format(in->arena, E_INVALID_TEXT_REPRESENTATION,
        "malformed multirange literal: \"%.*s\"", bytes_shown(in->whole),
        (const char *)in->whole.data);
    return status_detail(in->arena, st, "%s", detail);
}

// The byte after spaces, 0 at the end.
static char next_byte(struct literal *in)
{
    while (in->rest.size > 0 && ascii_space((char)in->rest.data[0])) in->rest = bytes_skip(in->rest, 1);
    return in->rest.size > 0 ? (char)in->rest.data[0] : 0;
}

// How long the range in front is, its closing bracket included; 0: it has none.
static size_t range_size(struct bytes text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (c == '\\') i++;
        else if (c == '"') quoted = !quoted;
        else if (!quoted && (c == ']' || c == ')')) return i + 1;
    }
    return 0;
}

static struct status take_range(struct literal *in, const struct type_context *context,
    const struct range_type *type, struct multirange_list *list)
{
    struct status st;
    struct datum value;
    struct range range;
    char c = next_byte(in);
    size_t size = sizeof "empty" - 1;
    if (c == 0) return malformed(in, "Unexpected end of input.");
    if (c == '[' || c == '(') {
        size = range_size(in->rest);
        if (size == 0) return malformed(in, "Unexpected end of input.");
    } else if (in->rest.size < size || !type_word_is(bytes_of(in->rest.data, size), "empty")) {
        return malformed(in, "Expected range start.");
    }
    TRY(type_input(in->arena, context, TYPE_OF(type->range), bytes_of(in->rest.data, size), &value));
    in->rest = bytes_skip(in->rest, size);
    TRY(range_open(type, value, &range));
    TRY(multirange_list_add(list, &range));
out:
    return st;
}

static struct status multirange_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct range_type *range_type = multirange_type_of(type.oid);
    struct literal in = {arena, text, text};
    struct multirange_list list = {.arena = arena};
    char c = next_byte(&in);
    if (c != '{') return malformed(&in, "Missing left brace.");
    in.rest = bytes_skip(in.rest, 1);
    if (next_byte(&in) == '}') {
        c = '}';
    } else {
        do {
            TRY(take_range(&in, context, range_type, &list));
            c = next_byte(&in);
            if (c == 0) return malformed(&in, "Unexpected end of input.");
            if (c != ',' && c != '}') return malformed(&in, "Expected comma or end of multirange.");
            if (c == ',') in.rest = bytes_skip(in.rest, 1);
        } while (c == ',');
    }
    in.rest = bytes_skip(in.rest, 1);
    if (next_byte(&in) != 0) return malformed(&in, "Junk after closing right brace.");
    TRY(multirange_list_end(&list, range_type, value));
out:
    return st;
}

// --- out -----------------------------------------------------------------------------------------------

// What is stored; bytes that are no multirange count as one without ranges.
static struct multirange_cursor stored(type_oid oid, struct datum value)
{
    struct multirange_cursor cursor;
    if (failed(multirange_open(oid, value, &cursor)))
        cursor = (struct multirange_cursor){.type = multirange_type_of(oid)};
    return cursor;
}

static void multirange_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct multirange_cursor cursor = stored(oid, value);
    struct range range;
    buffer_append_u8(out, '{');
    for (bool first = true; multirange_next(&cursor, &range); first = false) {
        if (!first) buffer_append_u8(out, ',');
        range_print(out, context, cursor.type, &range);
    }
    buffer_append_u8(out, '}');
}

// --- binary --------------------------------------------------------------------------------------------

static struct status multirange_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct range_type *range_type = multirange_type_of(type.oid);
    struct multirange_list list = {.arena = arena};
    if (binary.size < 4) return type_error_binary(arena, "multirange");
    uint32_t count = (uint32_t)type_load_int(binary.data, 4);
    binary = bytes_skip(binary, 4);
    for (uint32_t i = 0; i < count; i++) {
        struct datum item;
        struct range range;
        struct bytes part;
        bool null;
        if (!type_take_part(&binary, &part, &null) || null)
            return type_error_binary(arena, "multirange");
        TRY(type_receive(arena, TYPE_OF(range_type->range), part, &item));
        TRY(range_open(range_type, item, &range));
        TRY(multirange_list_add(&list, &range));
    }
    if (binary.size > 0) return type_error_binary(arena, "multirange");
    TRY(multirange_list_end(&list, range_type, value));
out:
    return st;
}

static void multirange_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct multirange_cursor cursor = stored(oid, value);
    struct range range;
    type_store_int(out, cursor.left, 4);
    while (multirange_next(&cursor, &range))
        type_send_part(out, cursor.type->range, range_datum(out->arena, cursor.type, &range));
}

// --- order, hash ---------------------------------------------------------------------------------------

// Range by range; then the one with fewer comes first.
static int compare(type_oid oid, struct datum a, struct datum b)
{
    struct multirange_cursor x = stored(oid, a), y = stored(oid, b);
    struct range first, second;
    for (;;) {
        bool more = multirange_next(&x, &first), other = multirange_next(&y, &second);
        if (!more || !other) return (int)more - (int)other;
        int order = range_compare(x.type, &first, &second);
        if (order != 0) return order;
    }
}

static uint64_t hash(type_oid oid, struct datum value)
{
    struct multirange_cursor cursor = stored(oid, value);
    struct range range;
    uint64_t all = 1;
    while (multirange_next(&cursor, &range)) all = hash_combine(all, range_hash(cursor.type, &range));
    return all;
}

// --- keys: those of its ranges, then that of an empty one, which comes before any other ------------------

static void key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    struct multirange_cursor cursor = stored(oid, value);
    struct range range;
    while (multirange_next(&cursor, &range)) range_key_append(key, cursor.type, &range, order);
    range = (struct range){.empty = true};
    range_key_append(key, cursor.type, &range, order);
}

static struct status key_decode(struct bytes *key, type_oid oid, enum key_order order,
    struct arena *arena, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct range_type *type = multirange_type_of(oid);
    struct multirange_builder builder;
    struct range range;
    multirange_begin(&builder, arena, type);
    do {
        TRY(range_key_take(key, type, order, arena, &range));
        TRY(multirange_add(&builder, &range));
    } while (!range.empty);
    *value = multirange_end(&builder);
out:
    return st;
}

#define MULTIRANGE_OPS(inexact) \
    {.storage = TYPE_STORE_BYTES, \
        .key_inexact = inexact, \
        .key_encode = key_encode, \
        .key_decode = key_decode, \
        .input = multirange_input, \
        .output = multirange_output, \
        .receive = multirange_receive, \
        .send = multirange_send, \
        .compare = compare, \
        .hash = hash}

const struct type_ops type_ops_multirange = MULTIRANGE_OPS(false);
const struct type_ops type_ops_multirange_inexact = MULTIRANGE_OPS(true);
