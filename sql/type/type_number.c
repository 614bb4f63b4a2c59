// SPDX-License-Identifier: GPL-3.0-or-later
//
// boolean, the integers, floating point, "char", oid and its kin, pg_lsn: the types by value.
#include <math.h>
#include <stdlib.h>

#include "core/text.h"
#include "sql/type/type_ops.h"
#include "sql/type/type_user.h"

const struct type_context type_context_default = {
    .date_order = DATE_ORDER_MDY,
    .date_style = DATE_STYLE_ISO,
    .interval_style = INTERVAL_POSTGRES,
    .bytea_output = BYTEA_HEX,
    .extra_float_digits = 1,
};

struct status type_error_syntax(struct arena *arena, const char *type, struct bytes text)
{
    return status_format(arena, E_INVALID_TEXT_REPRESENTATION,
        "invalid input syntax for type %s: \"%.*s\"", type, bytes_shown(text),
        (const char *)text.data);
}

struct status type_error_range(struct arena *arena, const char *type, struct bytes text)
{
    return status_format(arena, E_NUMERIC_OUT_OF_RANGE,
        "value \"%.*s\" is out of range for type %s", bytes_shown(text), (const char *)text.data,
        type);
}

struct status type_error_binary(struct arena *arena, const char *type)
{
    return status_format(
        arena, E_INVALID_BINARY_REPRESENTATION, "incorrect binary data format for type %s", type);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bytes type_trim(struct bytes text)
{
    while (text.size > 0 && is_space(text.data[0]))
        text = bytes_skip(text, 1);
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

bool type_word_is(struct bytes text, const char *word)
{
    size_t i = 0;
    for (; i < text.size && word[i] != 0; i++) {
        uint8_t c = text.data[i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c + 32);
        if (c != (uint8_t)word[i]) return false;
    }
    return i == text.size && word[i] == 0;
}

int64_t type_load_int(const uint8_t *data, uint32_t size)
{
    uint64_t value = (data[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return (int64_t)value;
}

void type_store_int(struct buffer *out, uint64_t value, uint32_t size)
{
    uint8_t *at = buffer_reserve(out, size);
    for (uint32_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    out->size += size;
}

// --- boolean -----------------------------------------------------------------------------------------

// Any unique beginning of true, false, yes, no, on, off; or 1, 0.
static bool is_beginning(struct bytes text, const char *word, size_t at_least)
{
    if (text.size < at_least || text.size > strlen(word)) return false;
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] | 0x20) != (uint8_t)word[i]) return false;
    }
    return true;
}

static struct status bool_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes whole, struct datum *value)
{
    (void)context, (void)type;
    struct bytes text = type_trim(whole);
    if (is_beginning(text, "true", 1) || is_beginning(text, "yes", 1) ||
        is_beginning(text, "on", 2) || bytes_equal(text, BYTES_LITERAL("1"))) {
        value->boolean = true;
    } else if (is_beginning(text, "false", 1) || is_beginning(text, "no", 1) ||
               is_beginning(text, "off", 2) || bytes_equal(text, BYTES_LITERAL("0"))) {
        value->boolean = false;
    } else {
        return type_error_syntax(arena, "boolean", whole);
    }
    return STATUS_OK;
}

static void bool_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    buffer_append_u8(out, value.boolean ? 't' : 'f');
}

static struct status bool_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 1) return type_error_binary(arena, "boolean");
    value->boolean = binary.data[0] != 0;
    return STATUS_OK;
}

static void bool_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    buffer_append_u8(out, value.boolean);
}

static int bool_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return (int)a.boolean - (int)b.boolean;
}

const struct type_ops type_ops_bool = {.storage = TYPE_STORE_BOOL,
    .input = bool_input,
    .output = bool_output,
    .receive = bool_receive,
    .send = bool_send,
    .compare = bool_compare};

// --- integers ----------------------------------------------------------------------------------------

struct status type_parse_int(struct arena *arena, const char *type, struct bytes whole,
    int64_t min, int64_t max, int64_t *value)
{
    struct bytes text = type_trim(whole);
    bool negative = false, too_big = false;
    size_t i = 0;
    uint64_t sum = 0;

    if (i < text.size && (text.data[i] == '-' || text.data[i] == '+')) {
        negative = text.data[i] == '-';
        i++;
    }
    if (i == text.size) return type_error_syntax(arena, type, whole);
    for (; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c < '0' || c > '9') return type_error_syntax(arena, type, whole);
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(c - '0'), &sum))
            too_big = true;
        // Whatever follows: digits that do not fit are told first.
        if (min < 0 && (too_big || (sum > 0 - (uint64_t)min && sum > (uint64_t)max)))
            return type_error_range(arena, type, whole);
    }
    if (too_big || (negative ? sum > (uint64_t)INT64_MAX + 1 : sum > INT64_MAX))
        return type_error_range(arena, type, whole);
    int64_t result = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    if (result < min || result > max) return type_error_range(arena, type, whole);
    *value = result;
    return STATUS_OK;
}

void type_print_int(struct buffer *out, int64_t value)
{
    char text[24];
    uint32_t at = sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) text[--at] = '-';
    buffer_append(out, text + at, sizeof text - at);
}

static struct status int_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context;
    switch (type.oid) {
    case TYPE_INT2:
        return type_parse_int(arena, "smallint", text, INT16_MIN, INT16_MAX, &value->integer);
    case TYPE_INT4:
        return type_parse_int(arena, "integer", text, INT32_MIN, INT32_MAX, &value->integer);
    default:
        return type_parse_int(arena, "bigint", text, INT64_MIN, INT64_MAX, &value->integer);
    }
}

static void int_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    type_print_int(out, value.integer);
}

static uint32_t int_size(type_oid oid)
{
    return oid == TYPE_INT2 ? 2 : oid == TYPE_INT8 ? 8 : 4;
}

static struct status int_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    if (binary.size != int_size(type.oid))
        return type_error_binary(arena, type_info(type.oid)->sql_name);
    value->integer = type_load_int(binary.data, (uint32_t)binary.size);
    return STATUS_OK;
}

static void int_send(struct buffer *out, type_oid oid, struct datum value)
{
    type_store_int(out, (uint64_t)value.integer, int_size(oid));
}

static int int_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return (a.integer > b.integer) - (a.integer < b.integer);
}

#define INT_OPS \
    {.storage = TYPE_STORE_INT, \
        .input = int_input, \
        .output = int_output, \
        .receive = int_receive, \
        .send = int_send, \
        .compare = int_compare}
const struct type_ops type_ops_int2 = INT_OPS;
const struct type_ops type_ops_int4 = INT_OPS;
const struct type_ops type_ops_int8 = INT_OPS;

// --- oid and its kin -----------------------------------------------------------------------------------

static struct status oid_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context;
    const char *name = type_info(type.oid)->sql_name;
    // As strtoul does, negative numbers of 32 bits are taken as their complement.
    struct status st = type_parse_int(arena, name, text, INT32_MIN, UINT32_MAX, &value->integer);
    if (!failed(st)) value->integer = (int64_t)(uint32_t)value->integer;
    return st;
}

static struct status oid_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    if (binary.size != 4) return type_error_binary(arena, type_info(type.oid)->sql_name);
    value->integer = (int64_t)(uint32_t)type_load_int(binary.data, 4);
    return STATUS_OK;
}

const struct type_ops type_ops_oid = {.storage = TYPE_STORE_INT,
    .input = oid_input,
    .output = int_output,
    .receive = oid_receive,
    .send = int_send,
    .compare = int_compare};

// "Numeric(8,2)" as "numeric": unquoted names fold, and what is in parentheses says nothing of the type's oid.
static struct bytes bare_type_name(struct arena *arena, struct bytes text)
{
    struct buffer out;
    bool quoted = false;
    unsigned depth = 0;
    buffer_init(&out, arena);
    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        if (c == '"') quoted = !quoted;
        if (c == '(' && !quoted) {
            depth++;
            while (out.size > 0 && out.data[out.size - 1] == ' ') out.size--;
        }
        if (depth == 0) buffer_append_u8(&out, (uint8_t)(quoted ? c : ascii_lower(c)));
        if (c == ')' && !quoted && depth > 0) depth--;
    }
    return buffer_bytes(&out);
}

static struct status regtype_input(struct arena *arena, struct bytes text, uint32_t *id)
{
    struct bytes name = bare_type_name(arena, text);
    if (bytes_has_prefix(name, BYTES_LITERAL("pg_catalog."))) name = bytes_skip(name, 11);
    if (bytes_has_prefix(name, BYTES_LITERAL("\"pg_catalog\"."))) name = bytes_skip(name, 13);
    if (name.size > 2 && name.data[0] == '"' && name.data[name.size - 1] == '"')
        name = bytes_of(name.data + 1, name.size - 2);
    const struct type_info *info = type_by_name(arena_string(arena, name));
    if (info == NULL)
        return status_format(arena, E_UNDEFINED_OBJECT, "type \"%.*s\" does not exist",
            bytes_shown(text), (const char *)text.data);
    *id = info->oid;
    return STATUS_OK;
}

static struct status reg_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes whole, struct datum *value)
{
    struct bytes text = type_trim(whole);
    uint32_t id = 0;
    bool operator = type.oid == TYPE_REGOPER || type.oid == TYPE_REGOPERATOR;
    if (!operator && bytes_equal(text, BYTES_LITERAL("-"))) {
        value->integer = 0;
        return STATUS_OK;
    }
    if (text.size > 0 && text.data[0] >= '0' && text.data[0] <= '9')
        return oid_input(arena, context, TYPE_OF(TYPE_OID), text, value);
    struct status st;
    if (type.oid == TYPE_REGTYPE) {
        st = regtype_input(arena, text, &id);
        if (failed(st) && context->names != NULL)
            st = context->names->find(context->names->arg, type.oid, arena, text, &id);
    } else if (context->names != NULL) {
        st = context->names->find(context->names->arg, type.oid, arena, text, &id);
    } else {
        st = status_format(arena, E_FEATURE_NOT_SUPPORTED, "%s by name is not supported here",
            type_info(type.oid)->sql_name);
    }
    value->integer = id;
    return st;
}

static void reg_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    uint32_t id = (uint32_t)value.integer;
    if (id == 0) {
        buffer_append_u8(out, oid == TYPE_REGOPER || oid == TYPE_REGOPERATOR ? '0' : '-');
        return;
    }
    if (oid == TYPE_REGTYPE && type_is_user(id) && context->names != NULL &&
        context->names->print(context->names->arg, oid, id, out))
        return;
    if (oid == TYPE_REGTYPE && type_info(id) != NULL) {
        buffer_append_string(out, type_info(id)->sql_name);
        return;
    }
    if (context->names != NULL && context->names->print(context->names->arg, oid, id, out)) return;
    type_print_int(out, value.integer);
}

const struct type_ops type_ops_reg = {.storage = TYPE_STORE_INT,
    .input = reg_input,
    .output = reg_output,
    .receive = oid_receive,
    .send = int_send,
    .compare = int_compare};

// --- "char": one byte --------------------------------------------------------------------------------------

static struct status char_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)arena, (void)context, (void)type;
    value->integer = text.size == 0 ? 0 : text.data[0];
    // \ooo, as bytes that are no ASCII are written.
    bool octal = text.size == 4 && text.data[0] == '\\' && text.data[1] <= '3';
    for (size_t i = 1; octal && i < 4; i++) octal = text.data[i] >= '0' && text.data[i] <= '7';
    if (octal)
        value->integer = (text.data[1] - '0') << 6 | (text.data[2] - '0') << 3 | (text.data[3] - '0');
    return STATUS_OK;
}

static void char_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    uint32_t byte = (uint8_t)value.integer;
    if (byte >= 0x80)
        buffer_printf(out, "\\%03o", byte);
    else if (byte != 0)
        buffer_append_u8(out, (uint8_t)byte);
}

static struct status char_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 1) return type_error_binary(arena, "\"char\"");
    value->integer = binary.data[0];
    return STATUS_OK;
}

static void char_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    buffer_append_u8(out, (uint8_t)value.integer);
}

const struct type_ops type_ops_char = {.storage = TYPE_STORE_INT,
    .input = char_input,
    .output = char_output,
    .receive = char_receive,
    .send = char_send,
    .compare = int_compare};

// --- pg_lsn: two hexadecimal halves; drivers of replication ask for it -------------------------------------

static bool hex_half(struct bytes *text, uint64_t *half)
{
    *half = 0;
    size_t i = 0;
    for (; i < text->size && i < 8; i++) {
        uint8_t c = text->data[i];
        uint32_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint32_t)c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (uint32_t)(c | 0x20) - 'a' + 10;
        } else {
            break;
        }
        *half = *half << 4 | digit;
    }
    *text = bytes_skip(*text, i);
    return i > 0;
}

static struct status lsn_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes whole, struct datum *value)
{
    (void)context, (void)type;
    struct bytes text = whole;
    uint64_t high, low;
    if (!hex_half(&text, &high) || text.size == 0 || text.data[0] != '/')
        return type_error_syntax(arena, "pg_lsn", whole);
    text = bytes_skip(text, 1);
    if (!hex_half(&text, &low) || text.size != 0) return type_error_syntax(arena, "pg_lsn", whole);
    value->integer = (int64_t)(high << 32 | low);
    return STATUS_OK;
}

static void lsn_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    uint64_t bits = (uint64_t)value.integer;
    buffer_printf(out, "%X/%X", (uint32_t)(bits >> 32), (uint32_t)bits);
}

static struct status lsn_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 8) return type_error_binary(arena, "pg_lsn");
    value->integer = type_load_int(binary.data, 8);
    return STATUS_OK;
}

static void lsn_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    type_store_int(out, (uint64_t)value.integer, 8);
}

static int lsn_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    uint64_t x = (uint64_t)a.integer, y = (uint64_t)b.integer;
    return (x > y) - (x < y);
}

// Unsigned numbers as signed ones of the same order.
static void lsn_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    key_append_int(key, (int64_t)((uint64_t)value.integer ^ (uint64_t)1 << 63), order);
}

static struct status lsn_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid, (void)arena;
    struct status st = key_decode_int(key, order, &value->integer);
    if (!failed(st)) value->integer = (int64_t)((uint64_t)value->integer ^ (uint64_t)1 << 63);
    return st;
}

const struct type_ops type_ops_lsn = {.storage = TYPE_STORE_INT,
    .key_encode = lsn_key_encode,
    .key_decode = lsn_key_decode,
    .input = lsn_input,
    .output = lsn_output,
    .receive = lsn_receive,
    .send = lsn_send,
    .compare = lsn_compare};

// --- floating point ------------------------------------------------------------------------------------------

static struct status float8_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    return type_parse_float8(arena, text, &value->real);
}

static void float8_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)oid;
    type_print_float8(out, value.real, context->extra_float_digits);
}

static struct status float8_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 8) return type_error_binary(arena, "double precision");
    int64_t bits = type_load_int(binary.data, 8);
    memcpy(&value->real, &bits, sizeof bits);
    return STATUS_OK;
}

static void float8_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    uint64_t bits;
    memcpy(&bits, &value.real, sizeof bits);
    type_store_int(out, bits, 8);
}

// NaN is the greatest and equals itself; -0 equals 0.
static int float_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    if (isnan(a.real)) return isnan(b.real) ? 0 : 1;
    if (isnan(b.real)) return -1;
    return (a.real > b.real) - (a.real < b.real);
}

const struct type_ops type_ops_float8 = {.storage = TYPE_STORE_FLOAT8,
    .key_inexact = true, // -0 comes back as 0.
    .input = float8_input,
    .output = float8_output,
    .receive = float8_receive,
    .send = float8_send,
    .compare = float_compare};

static struct status float4_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    return type_parse_float4(arena, text, &value->real);
}

static void float4_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)oid;
    type_print_float4(out, (float)value.real, context->extra_float_digits);
}

static struct status float4_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 4) return type_error_binary(arena, "real");
    uint32_t bits = (uint32_t)type_load_int(binary.data, 4);
    float real;
    memcpy(&real, &bits, sizeof real);
    value->real = (double)real;
    return STATUS_OK;
}

static void float4_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    float real = (float)value.real;
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    type_store_int(out, bits, 4);
}

const struct type_ops type_ops_float4 = {.storage = TYPE_STORE_FLOAT4,
    .key_inexact = true,
    .input = float4_input,
    .output = float4_output,
    .receive = float4_receive,
    .send = float4_send,
    .compare = float_compare};

// --- pseudo-types -----------------------------------------------------------------------------------------------

static void void_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)out, (void)context, (void)oid, (void)value;
}

static void void_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)out, (void)oid, (void)value;
}

// void has one value, the empty text; the other pseudo-types have none.
const struct type_ops type_ops_void = {
    .storage = TYPE_STORE_BYTES, .no_key = true, .output = void_output, .send = void_send};
