// SPDX-License-Identifier: GPL-3.0-or-later
//
// Texts made of values of any type: joining, quoting, format().
#include <limits.h>

#include "core/work.h"
#include "sql/function/function_table.h"
#include "sql/parse/lexer.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

#define WORK_EVERY 1024u // Characters between calls of function_work.

static struct bytes text_of(struct datum value)
{
    return datum_as_bytes(value);
}

// --- joining -----------------------------------------------------------------------------------------------------

static struct status check_size(const struct buffer *out)
{
    if (out->size > FUNCTION_BYTES_MAX) return status_make(E_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    return out->size > ARENA_UNCHECKED_BYTES ? arena_check(out->arena) : STATUS_OK;
}

BODY(concat)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    for (uint32_t i = 0; i < call->arg_count; i++) {
        if (!args[i].null) type_output(&out, call->context, call->arg_types[i].oid, args[i]);
    }
    *result = datum_bytes(buffer_bytes(&out));
    return check_size(&out);
}

BODY(concat_with)
{
    struct buffer out;
    bool first = true;
    if (args[0].null) {
        *result = DATUM_NULL;
        return STATUS_OK;
    }
    buffer_init(&out, call->arena);
    for (uint32_t i = 1; i < call->arg_count; i++) {
        if (args[i].null) continue;
        if (!first) buffer_append_bytes(&out, text_of(args[0]));
        first = false;
        type_output(&out, call->context, call->arg_types[i].oid, args[i]);
    }
    *result = datum_bytes(buffer_bytes(&out));
    return check_size(&out);
}

// --- quoting ----------------------------------------------------------------------------------------------------

BODY(quote_name)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    text_quote_name(&out, text_of(args[0]), keyword_is_reserved);
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

static struct status append_literal(
    struct function_call *call, struct buffer *out, struct bytes text)
{
    struct status st = STATUS_OK;
    bool backslash = text.size > 0 && memchr(text.data, '\\', text.size) != NULL;
    if (backslash) buffer_append_u8(out, 'E');
    buffer_append_u8(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (i % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        if (text.data[i] == '\'' || text.data[i] == '\\') buffer_append_u8(out, text.data[i]);
        buffer_append_u8(out, text.data[i]);
    }
    buffer_append_u8(out, '\'');
out:
    return st;
}

BODY(quote_text)
{
    struct buffer out, text;
    buffer_init(&out, call->arena);
    buffer_init(&text, call->arena);
    if (args[0].null) {
        *result = datum_text("NULL"); // quote_nullable; quote_literal is strict.
        return STATUS_OK;
    }
    type_output(&text, call->context, call->arg_types[0].oid, args[0]);
    struct status st = append_literal(call, &out, buffer_bytes(&text));
    *result = datum_bytes(buffer_bytes(&out));
    return failed(st) ? st : check_size(&out);
}

// --- format(): %s, %I, %L with positions, widths and the minus flag ------------------------------------------------

struct format_spec {
    uint32_t position; // 1-based argument; 0: the next.
    bool left;
    bool has_width;
    bool star; // Width from an argument:
    uint32_t star_position;
    int64_t width;
    uint8_t kind;
};

static bool take_number(struct bytes text, size_t *at, int64_t *value)
{
    size_t start = *at;
    *value = 0;
    while (*at < text.size && ascii_digit((char)text.data[*at])) {
        if (*value < INT_MAX) *value = *value * 10 + (text.data[*at] - '0');
        (*at)++;
    }
    return *at > start;
}

static struct status bad_format(void)
{
    return status_make(E_INVALID_PARAMETER_VALUE, "unterminated format() type specifier");
}

static struct status parse_spec(
    struct arena *arena, struct bytes text, size_t *at, struct format_spec *spec)
{
    int64_t number;
    *spec = (struct format_spec){0};
    size_t start = *at;
    if (take_number(text, at, &number)) {
        if (*at < text.size && text.data[*at] == '$') {
            if (number == 0)
                return status_make(E_INVALID_PARAMETER_VALUE,
                    "format specifies argument 0, but arguments are numbered from 1");
            spec->position = (uint32_t)number;
            (*at)++;
        } else {
            *at = start; // It was the width.
        }
    }
    while (*at < text.size && text.data[*at] == '-') {
        spec->left = true;
        (*at)++;
    }
    if (*at < text.size && text.data[*at] == '*') {
        (*at)++;
        spec->star = true;
        start = *at;
        if (take_number(text, at, &number)) {
            if (*at >= text.size || text.data[*at] != '$')
                return status_make(E_INVALID_PARAMETER_VALUE,
                    "width argument position must be ended by \"$\"");
            if (number == 0)
                return status_make(E_INVALID_PARAMETER_VALUE,
                    "format specifies argument 0, but arguments are numbered from 1");
            spec->star_position = (uint32_t)number;
            (*at)++;
        }
    } else if (take_number(text, at, &number)) {
        spec->has_width = true;
        spec->width = number;
    }
    if (*at >= text.size) return bad_format();
    spec->kind = text.data[(*at)++];
    if (spec->kind != 's' && spec->kind != 'I' && spec->kind != 'L')
        return status_hint(arena,
            status_format(arena, E_INVALID_PARAMETER_VALUE,
                "unrecognized format() type specifier \"%c\"", spec->kind),
            "For a single \"%%\" use \"%%%%\".");
    return STATUS_OK;
}

static struct status format_argument(struct function_call *call, const struct datum *args,
    uint32_t position, uint8_t kind, struct bytes *text)
{
    struct buffer plain, out;
    if (position >= call->arg_count)
        return status_make(E_INVALID_PARAMETER_VALUE, "too few arguments for format()");
    *text = bytes_of(NULL, 0);
    if (args[position].null) {
        if (kind == 'I')
            return status_make(E_NULL_VALUE_NOT_ALLOWED,
                "null values cannot be formatted as an SQL identifier");
        if (kind == 'L') *text = BYTES_LITERAL("NULL");
        return STATUS_OK;
    }
    buffer_init(&plain, call->arena);
    buffer_init(&out, call->arena);
    type_output(&plain, call->context, call->arg_types[position].oid, args[position]);
    *text = buffer_bytes(&plain);
    if (kind == 's') return STATUS_OK;
    struct status st = STATUS_OK;
    if (kind == 'I')
        text_quote_name(&out, *text, keyword_is_reserved);
    else
        st = append_literal(call, &out, *text);
    *text = buffer_bytes(&out);
    return st;
}

static void append_padded(struct buffer *out, struct bytes text, int64_t width, bool left_side)
{
    const int64_t length = width == 0 ? 0 : (int64_t)utf8_length(text);
    if (left_side) task_append(out, text);
    for (int64_t left = width - length; left > 0;) {
        const size_t size = left < WORK_BYTES ? (size_t)left : WORK_BYTES;
        if (!task_goes_on(size)) break;
        memset(buffer_reserve(out, size), ' ', size);
        out->size += size;
        left -= (int64_t)size;
    }
    if (!left_side) task_append(out, text);
}

static struct status format_one(struct function_call *call, const struct datum *args,
    struct bytes format, size_t *at, uint32_t *next, struct buffer *out)
{
    struct status st = STATUS_OK;
    struct format_spec spec;
    struct bytes text;
    TRY(parse_spec(call->arena, format, at, &spec));
    if (spec.star) {
        uint32_t position = spec.star_position != 0 ? spec.star_position : ++*next;
        if (position >= call->arg_count)
            return status_make(E_INVALID_PARAMETER_VALUE, "too few arguments for format()");
        TRY(format_argument(call, args, position, 's', &text));
        if (text.size > 0)
            TRY(type_parse_int(call->arena, "integer", text, -INT_MAX, INT_MAX, &spec.width));
        if (spec.width < 0) {
            spec.width = -spec.width;
            spec.left = true;
        }
    }
    uint32_t position = spec.position != 0 ? spec.position : *next + 1;
    *next = position;
    TRY(format_argument(call, args, position, spec.kind, &text));
    if (spec.width > (int64_t)FUNCTION_BYTES_MAX - (int64_t)out->size) return status_make(E_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    append_padded(out, text, spec.width, spec.left);
    TRY(check_size(out));
out:
    return st;
}

BODY(format)
{
    struct status st = STATUS_OK;
    struct buffer out;
    uint32_t next = 0;
    if (args[0].null) {
        *result = DATUM_NULL;
        return st;
    }
    struct bytes format = text_of(args[0]);
    buffer_init(&out, call->arena);
    for (size_t at = 0; at < format.size;) {
        uint8_t c = format.data[at++];
        if (c != '%') {
            buffer_append_u8(&out, c);
            continue;
        }
        if (at >= format.size) return bad_format();
        if (format.data[at] == '%') {
            buffer_append_u8(&out, '%');
            at++;
            continue;
        }
        TRY(format_one(call, args, format, &at, &next, &out));
    }
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

// clang-format off
static const struct function table[] = {
    LAX_VARIADIC("concat", 3058, TEXT, concat, FUNCTION_STABLE, TYPE_ANY),
    LAX_VARIADIC("concat_ws", 3059, TEXT, concat_with, FUNCTION_STABLE, TYPE_TEXT, TYPE_ANY),
    LAX_VARIADIC("format", 3539, TEXT, format, FUNCTION_STABLE, TYPE_TEXT, TYPE_ANY),
    LAX_STABLE("format", 3540, TEXT, format, TYPE_TEXT),
    SCALAR("quote_ident", 1282, TEXT, quote_name, TYPE_TEXT),
    SCALAR("quote_literal", 1283, TEXT, quote_text, TYPE_TEXT),
    STABLE("quote_literal", 1285, TEXT, quote_text, TYPE_ANYELEMENT),
    LAX("quote_nullable", 1289, TEXT, quote_text, TYPE_TEXT),
    LAX_STABLE("quote_nullable", 1290, TEXT, quote_text, TYPE_ANYELEMENT),
};
// clang-format on

void functions_format_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
