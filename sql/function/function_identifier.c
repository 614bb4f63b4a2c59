// SPDX-License-Identifier: GPL-3.0-or-later
//
// parse_ident, unistr and pg_size_bytes: texts with a small grammar of their own.
#include "core/text.h"
#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/type/numeric.h"
#include "sql/type/type_ops.h"

#define WORK_EVERY 1024u // Steps between calls of function_work.

// --- parse_ident -------------------------------------------------------------------------------------------

static bool starts_identifier(uint8_t c)
{
    return c == '_' || c >= 0x80 || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool in_identifier(uint8_t c)
{
    return starts_identifier(c) || c == '$' || (c >= '0' && c <= '9');
}

static struct status not_identifier(
    struct function_call *call, struct bytes whole, const char *detail)
{
    struct status st = status_format(call->arena, E_INVALID_PARAMETER_VALUE,
        "string is not a valid identifier: \"%.*s\"", bytes_shown(whole), (const char *)whole.data);
    return detail == NULL ? st : status_detail(call->arena, st, "%s", detail);
}

// One part off the front of *rest.
static struct status take_identifier(
    struct function_call *call, struct bytes whole, struct bytes *rest, struct buffer *part)
{
    size_t at = 0;
    if (rest->size > 0 && rest->data[0] == '"') {
        for (at = 1;; at++) {
            if (at >= rest->size)
                return not_identifier(call, whole, "String has unclosed double quotes.");
            if (rest->data[at] == '"') {
                if (at + 1 >= rest->size || rest->data[at + 1] != '"') break;
                at++;
            }
            buffer_append_u8(part, rest->data[at]);
        }
        at++;
        if (part->size == 0)
            return not_identifier(call, whole, "Quoted identifier must not be empty.");
    } else if (rest->size > 0 && starts_identifier(rest->data[0])) {
        for (; at < rest->size && in_identifier(rest->data[at]); at++)
            buffer_append_u8(part, (uint8_t)ascii_lower((char)rest->data[at]));
    }
    *rest = bytes_skip(*rest, at);
    return STATUS_OK;
}

BODY(parse_ident)
{
    struct status st = STATUS_OK;
    struct bytes whole = datum_as_bytes(args[0]), rest = text_trim(whole);
    bool strict = call->arg_count < 2 || args[1].boolean;
    struct array_builder builder;
    bool after_dot = false;
    array_builder_init(&builder, call->arena, TYPE_TEXT);
    builder.call = call;
    for (;;) {
        struct buffer part;
        buffer_init(&part, call->arena);
        bool starts_with_dot = rest.size > 0 && rest.data[0] == '.';
        TRY(take_identifier(call, whole, &rest, &part));
        if (part.size == 0)
            return not_identifier(call, whole,
                starts_with_dot ? "No valid identifier before \".\"."
                : after_dot     ? "No valid identifier after \".\"."
                                : NULL);
        TRY(array_builder_add(&builder, datum_bytes(buffer_bytes(&part))));
        while (rest.size > 0 && ascii_space((char)rest.data[0])) rest = bytes_skip(rest, 1);
        if (rest.size == 0) break;
        if (rest.data[0] != '.') {
            if (strict) return not_identifier(call, whole, NULL);
            break;
        }
        rest = bytes_skip(rest, 1);
        after_dot = true;
        while (rest.size > 0 && ascii_space((char)rest.data[0])) rest = bytes_skip(rest, 1);
    }
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

// --- unistr ------------------------------------------------------------------------------------------------

static bool hex_number(struct bytes text, uint32_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        uint32_t digit = c >= '0' && c <= '9'                ? (uint32_t)c - '0'
                         : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (uint32_t)(c | 0x20) - 'a' + 10
                                                             : 16;
        if (digit == 16) return false;
        *value = *value << 4 | digit;
    }
    return true;
}

BODY(unistr)
{
    struct status st = STATUS_OK;
    struct bytes text = datum_as_bytes(args[0]);
    struct buffer out;
    uint32_t steps = 0, high = 0; // First half of a surrogate pair.
    buffer_init(&out, call->arena);
    for (size_t i = 0; i < text.size;) {
        if (++steps % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        if (text.data[i] != '\\') {
            if (high != 0) return status_make(E_SYNTAX_ERROR, "invalid Unicode surrogate pair");
            buffer_append_u8(&out, text.data[i++]);
            continue;
        }
        struct bytes rest = bytes_skip(text, i + 1);
        size_t skip = 0, digits = 4;
        if (rest.size > 0 && rest.data[0] == '\\') {
            if (high != 0) return status_make(E_SYNTAX_ERROR, "invalid Unicode surrogate pair");
            buffer_append_u8(&out, '\\');
            i += 2;
            continue;
        }
        if (rest.size > 0 && (rest.data[0] == 'u' || rest.data[0] == '+' || rest.data[0] == 'U')) {
            digits = rest.data[0] == 'u' ? 4 : rest.data[0] == '+' ? 6 : 8;
            skip = 1;
        }
        uint32_t c;
        if (rest.size < skip + digits || !hex_number(bytes_of(rest.data + skip, digits), &c))
            return status_hint(call->arena,
                status_make(E_SYNTAX_ERROR, "invalid Unicode escape"),
                "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.");
        i += 1 + skip + digits;
        bool is_low = c >= 0xdc00 && c <= 0xdfff, is_high = c >= 0xd800 && c <= 0xdbff;
        if ((high != 0) != is_low)
            return status_make(E_SYNTAX_ERROR, "invalid Unicode surrogate pair");
        if (is_high) {
            high = c;
            continue;
        }
        if (is_low) c = 0x10000 + ((high & 0x3ff) << 10 | (c & 0x3ff));
        high = 0;
        if (c == 0 || c > 0x10ffff)
            return status_format(
                call->arena, E_INVALID_PARAMETER_VALUE, "invalid Unicode code point: %04X", c);
        utf8_append(&out, c);
    }
    if (high != 0) return status_make(E_SYNTAX_ERROR, "invalid Unicode surrogate pair");
    *result = datum_bytes(buffer_bytes(&out));
out:
    return st;
}

// --- pg_size_bytes -----------------------------------------------------------------------------------------

BODY(size_bytes)
{
    static const char *const units[] = {"bytes", "kb", "mb", "gb", "tb", "pb"};
    struct bytes text = text_trim(datum_as_bytes(args[0])), unit;
    double value = 0;
    size_t at = 0, digits;
    while (at < text.size && (strchr("+-.eE", text.data[at]) != NULL ||
                                 ascii_digit((char)text.data[at])))
        at++;
    digits = at;
    unit = text_trim(bytes_skip(text, digits));
    if (digits == 0 ||
        failed(type_parse_float8(call->arena, bytes_of(text.data, digits), &value)))
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "invalid size: \"%.*s\"",
            bytes_shown(text), (const char *)text.data);
    double factor = 1;
    bool known = unit.size == 0 || type_word_is(unit, "b");
    for (uint32_t i = 0; !known && i < 6; i++) {
        known = type_word_is(unit, units[i]);
        if (!known) factor *= 1024;
    }
    if (!known) {
        struct status st = status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "invalid size: \"%.*s\"", bytes_shown(text), (const char *)text.data);
        st = status_detail(call->arena, st, "Invalid size unit: \"%.*s\".", bytes_shown(unit),
            (const char *)unit.data);
        return status_hint(call->arena, st,
            "Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".");
    }
    value *= factor;
    if (!(value < 9.2233720368547758e18 && value > -9.2233720368547758e18))
        return number_out_of_range(TYPE_INT8);
    *result = datum_int((int64_t)(value < 0 ? value - 0.5 : value + 0.5));
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    SCALAR("parse_ident", 131800, TEXT_ARRAY, parse_ident, TYPE_TEXT),
    SCALAR("parse_ident", 1268, TEXT_ARRAY, parse_ident, TYPE_TEXT, TYPE_BOOL),
    SCALAR("unistr", 6198, TEXT, unistr, TYPE_TEXT),
    SCALAR("pg_size_bytes", 3334, INT8, size_bytes, TYPE_TEXT),
};
// clang-format on

void functions_identifier_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
