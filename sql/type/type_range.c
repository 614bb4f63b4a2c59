// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text and binary forms, order, hash and keys of ranges.
#include "core/hash.h"
#include "core/invariant.h"
#include "core/text.h"
#include "sql/type/range.h"
#include "sql/type/type_ops.h"

// --- text in: [1,5), (,"a b"], empty -------------------------------------------------------------------

struct literal {
    struct arena *arena;
    struct bytes whole, rest;
};

static struct status malformed(const struct literal *in, const char *detail)
{
    struct status st = status_format(in->arena, E_INVALID_TEXT_REPRESENTATION,
        "malformed range literal: \"%.*s\"", bytes_shown(in->whole), (const char *)in->whole.data);
    return status_detail(in->arena, st, "%s", detail);
}

// The byte in front, 0 at the end: text has no zero bytes.
static char peek(const struct literal *in)
{
    return in->rest.size > 0 ? (char)in->rest.data[0] : 0;
}

static char take(struct literal *in)
{
    char c = peek(in);
    if (c != 0) in->rest = bytes_skip(in->rest, 1);
    return c;
}

static void skip_space(struct literal *in)
{
    while (ascii_space(peek(in))) take(in);
}

static bool take_empty(struct literal *in)
{
    const size_t size = sizeof "empty" - 1;
    if (in->rest.size < size || !type_word_is(bytes_of(in->rest.data, size), "empty")) return false;
    in->rest = bytes_skip(in->rest, size);
    return true;
}

// The text of one bound without its quotes and backslashes; spaces belong to it.
static struct status take_bound_text(struct literal *in, struct buffer *text, bool *infinite)
{
    bool quoted = false;
    char c = peek(in);
    *infinite = c == ',' || c == ')' || c == ']';
    while (quoted || (c != ',' && c != ')' && c != ']')) {
        take(in);
        if (c == '\\') c = take(in);
        else if (c == '"' && quoted && peek(in) == '"') take(in);
        else if (c == '"') {
            quoted = !quoted;
            c = peek(in);
            continue;
        }
        if (c == 0) return malformed(in, "Unexpected end of input.");
        buffer_append_u8(text, (uint8_t)c);
        c = peek(in);
    }
    return STATUS_OK;
}

static struct status take_bound(struct literal *in, const struct type_context *context,
    const struct range_type *type, struct range_bound *bound)
{
    struct status st;
    struct buffer text;
    buffer_init(&text, in->arena);
    TRY(take_bound_text(in, &text, &bound->infinite));
    if (!bound->infinite)
        TRY(type_input(
            in->arena, context, TYPE_OF(type->subtype), buffer_bytes(&text), &bound->value));
out:
    return st;
}

static struct status range_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct range_type *range_type = range_type_of(type.oid);
    struct literal in = {arena, text, text};
    struct range range = {.empty = true};
    struct range_bound lower = {0}, upper = {0};
    skip_space(&in);
    if (take_empty(&in)) {
        skip_space(&in);
        if (in.rest.size > 0) return malformed(&in, "Junk after \"empty\" keyword.");
        *value = range_datum(arena, range_type, &range);
        return st;
    }
    char open = take(&in);
    if (open != '[' && open != '(') return malformed(&in, "Missing left parenthesis or bracket.");
    lower.inclusive = open == '[';
    TRY(take_bound(&in, context, range_type, &lower));
    if (take(&in) != ',') return malformed(&in, "Missing comma after lower bound.");
    TRY(take_bound(&in, context, range_type, &upper));
    char close = take(&in);
    if (close != ']' && close != ')') return malformed(&in, "Too many commas.");
    upper.inclusive = close == ']';
    skip_space(&in);
    if (in.rest.size > 0) return malformed(&in, "Junk after right parenthesis or bracket.");
    TRY(range_make(range_type, lower, upper, &range));
    *value = range_datum(arena, range_type, &range);
out:
    return st;
}

struct status range_take_flags(struct bytes text, bool *lower_inclusive, bool *upper_inclusive)
{
    bool known = text.size == 2 && (text.data[0] == '[' || text.data[0] == '(') &&
                 (text.data[1] == ']' || text.data[1] == ')');
    if (!known) return status_make(E_SYNTAX_ERROR, "invalid range bound flags");
    *lower_inclusive = text.data[0] == '[';
    *upper_inclusive = text.data[1] == ']';
    return STATUS_OK;
}

// --- text out ------------------------------------------------------------------------------------------

static bool needs_quotes(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (strchr("\"\\()[],", c) != NULL || ascii_space(c)) return true;
    }
    return text.size == 0;
}

static void print_bound(struct buffer *out, const struct type_context *context,
    const struct range_type *type, const struct range_bound *bound)
{
    size_t start = out->size;
    if (bound->infinite) return;
    type_output(out, context, type->subtype, bound->value);
    struct bytes plain = bytes_of(out->data + start, out->size - start);
    if (!needs_quotes(plain)) return;
    plain = arena_copy(out->arena, plain);
    out->size = start;
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < plain.size; i++) {
        if (plain.data[i] == '"' || plain.data[i] == '\\') buffer_append_u8(out, plain.data[i]);
        buffer_append_u8(out, plain.data[i]);
    }
    buffer_append_u8(out, '"');
}

void range_print(struct buffer *out, const struct type_context *context,
    const struct range_type *type, const struct range *range)
{
    if (range->empty) {
        buffer_append_string(out, "empty");
        return;
    }
    buffer_append_u8(out, range->lower.inclusive ? '[' : '(');
    print_bound(out, context, type, &range->lower);
    buffer_append_u8(out, ',');
    print_bound(out, context, type, &range->upper);
    buffer_append_u8(out, range->upper.inclusive ? ']' : ')');
}

// What is stored; bytes that are no range count as the empty one.
static struct range stored(const struct range_type *type, struct datum value)
{
    struct range range;
    if (failed(range_open(type, value, &range))) range = (struct range){.empty = true};
    return range;
}

static void range_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    const struct range_type *type = range_type_of(oid);
    struct range range = stored(type, value);
    range_print(out, context, type, &range);
}

// --- binary --------------------------------------------------------------------------------------------

static struct status receive_bound(struct arena *arena, const struct range_type *type,
    struct bytes *in, struct range_bound *bound)
{
    struct bytes part;
    bool null;
    if (bound->infinite) return STATUS_OK;
    if (!type_take_part(in, &part, &null) || null) return type_error_binary(arena, "range");
    return type_receive(arena, TYPE_OF(type->subtype), part, &bound->value);
}

static struct status range_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct range_type *range_type = range_type_of(type.oid);
    struct range range = {.empty = true};
    if (binary.size == 0) return type_error_binary(arena, "range");
    uint32_t flags = binary.data[0];
    binary = bytes_skip(binary, 1);
    if ((flags & RANGE_EMPTY) == 0) {
        struct range_bound lower = {.infinite = (flags & RANGE_LOWER_INFINITE) != 0,
            .inclusive = (flags & RANGE_LOWER_INCLUSIVE) != 0};
        struct range_bound upper = {.infinite = (flags & RANGE_UPPER_INFINITE) != 0,
            .inclusive = (flags & RANGE_UPPER_INCLUSIVE) != 0};
        TRY(receive_bound(arena, range_type, &binary, &lower));
        TRY(receive_bound(arena, range_type, &binary, &upper));
        TRY(range_make(range_type, lower, upper, &range));
    }
    if (binary.size > 0) return type_error_binary(arena, "range");
    *value = range_datum(arena, range_type, &range);
out:
    return st;
}

static void range_send(struct buffer *out, type_oid oid, struct datum value)
{
    const struct range_type *type = range_type_of(oid);
    struct range range = stored(type, value);
    if (range.empty) {
        buffer_append_u8(out, RANGE_EMPTY);
        return;
    }
    buffer_append_u8(out, value.data[0]);
    if (!range.lower.infinite) type_send_part(out, type->subtype, range.lower.value);
    if (!range.upper.infinite) type_send_part(out, type->subtype, range.upper.value);
}

// --- order, hash ---------------------------------------------------------------------------------------

static int compare(type_oid oid, struct datum a, struct datum b)
{
    const struct range_type *type = range_type_of(oid);
    struct range x = stored(type, a), y = stored(type, b);
    return range_compare(type, &x, &y);
}

static uint64_t hash_bound(const struct range_type *type, const struct range_bound *bound)
{
    if (bound->infinite) return 2;
    return hash_combine(bound->inclusive, type_hash(type->subtype, bound->value));
}

uint64_t range_hash(const struct range_type *type, const struct range *range)
{
    if (range->empty) return 1;
    return hash_combine(hash_bound(type, &range->lower), hash_bound(type, &range->upper));
}

static uint64_t hash(type_oid oid, struct datum value)
{
    const struct range_type *type = range_type_of(oid);
    struct range range = stored(type, value);
    return range_hash(type, &range);
}

// --- keys ----------------------------------------------------------------------------------------------
//
// Whether it holds anything; then of each bound whether it lies before, among or after all values, the value
// and its side, so that bytes sort as range_bound_compare does.

void range_key_append(struct buffer *key, const struct range_type *type, const struct range *range,
    enum key_order order)
{
    const struct range_bound *const bounds[] = {&range->lower, &range->upper};
    key_append_int(key, !range->empty, order);
    for (unsigned i = 0; i < 2 && !range->empty; i++) {
        const struct range_bound *bound = bounds[i];
        key_append_int(key, !bound->infinite ? 0 : bound->upper ? 1 : -1, order);
        if (bound->infinite) continue;
        struct status st = type_key_encode(key, type->subtype, bound->value, order);
        invariant(!failed(st)); // Subtypes have keys.
        key_append_int(key, bound->inclusive ? 0 : bound->upper ? -1 : 1, order);
    }
}

struct status range_key_take(struct bytes *key, const struct range_type *type,
    enum key_order order, struct arena *arena, struct range *range)
{
    struct status st;
    struct range_bound *const bounds[] = {&range->lower, &range->upper};
    int64_t number;
    *range = (struct range){.upper.upper = true};
    TRY(key_decode_int(key, order, &number));
    range->empty = number == 0;
    for (unsigned i = 0; i < 2 && !range->empty; i++) {
        TRY(key_decode_int(key, order, &number));
        bounds[i]->infinite = number != 0;
        if (bounds[i]->infinite) continue;
        TRY(type_key_decode(key, type->subtype, order, arena, &bounds[i]->value));
        TRY(key_decode_int(key, order, &number));
        bounds[i]->inclusive = number == 0;
    }
out:
    return st;
}

static void key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    const struct range_type *type = range_type_of(oid);
    struct range range = stored(type, value);
    range_key_append(key, type, &range, order);
}

static struct status key_decode(struct bytes *key, type_oid oid, enum key_order order,
    struct arena *arena, struct datum *value)
{
    const struct range_type *type = range_type_of(oid);
    struct range range;
    struct status st = range_key_take(key, type, order, arena, &range);
    if (!failed(st)) *value = range_datum(arena, type, &range);
    return st;
}

#define RANGE_OPS(inexact) \
    {.storage = TYPE_STORE_BYTES, \
        .key_inexact = inexact, \
        .key_encode = key_encode, \
        .key_decode = key_decode, \
        .input = range_input, \
        .output = range_output, \
        .receive = range_receive, \
        .send = range_send, \
        .compare = compare, \
        .hash = hash}

const struct type_ops type_ops_range = RANGE_OPS(false);
const struct type_ops type_ops_range_inexact = RANGE_OPS(true); // Their subtype's keys are.
