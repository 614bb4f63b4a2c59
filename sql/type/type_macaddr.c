// SPDX-License-Identifier: GPL-3.0-or-later
//
// macaddr and macaddr8: six or eight bytes.
#include <ctype.h>
#include <stdio.h>

#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/type_ops.h"

#define SIX 6u
#define EIGHT 8u

static uint32_t size_of(type_oid oid)
{
    return oid == TYPE_MACADDR8 ? EIGHT : SIX;
}

static struct datum bytes_datum(struct arena *arena, const uint8_t *bytes, uint32_t size)
{
    uint8_t *data = arena_alloc(arena, size);
    memcpy(data, bytes, size);
    return datum_bytes(bytes_of(data, size));
}

// Values of another size come from damaged data alone.
static void load(struct datum value, uint8_t bytes[EIGHT])
{
    memset(bytes, 0, EIGHT);
    memcpy(bytes, value.data, value.size < EIGHT ? value.size : EIGHT);
}

// Six bytes become eight with ff and fe in their midst.
static struct datum widen(struct arena *arena, const uint8_t six[SIX])
{
    const uint8_t eight[EIGHT] = {six[0], six[1], six[2], 0xff, 0xfe, six[3], six[4], six[5]};
    return bytes_datum(arena, eight, EIGHT);
}

// --- text --------------------------------------------------------------------------------------------------

// A run of hexadecimal digits: at most `most`, 0 for any number. False: there is none.
static bool take_number(struct bytes *in, uint32_t most, uint64_t *value)
{
    uint32_t count = 0;
    *value = 0;
    while (in->size > 0 && isxdigit(in->data[0]) && (most == 0 || count < most)) {
        uint8_t c = (uint8_t)tolower(in->data[0]);
        uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        *value = *value > UINT32_MAX ? *value : *value * 16 + digit;
        *in = bytes_skip(*in, 1);
        count++;
    }
    return count > 0;
}

// Six numbers, with `separator` after every `group` of them. Between separators of single ones any number of digits stands.
static bool parse_six(struct bytes text, char separator, uint32_t group, uint64_t numbers[SIX])
{
    for (uint32_t i = 0; i < SIX; i++) {
        if (i > 0 && group > 0 && i % group == 0) {
            if (text.size == 0 || text.data[0] != (uint8_t)separator) return false;
            text = bytes_skip(text, 1);
        }
        if (!take_number(&text, group == 1 ? 0 : 2, &numbers[i])) return false;
    }
    while (text.size > 0 && isspace(text.data[0])) text = bytes_skip(text, 1);
    return text.size == 0;
}

static struct status input_six(struct arena *arena, struct bytes text, struct datum *value)
{
    static const struct {
        char separator;
        uint32_t group;
    } forms[] = {{':', 1}, {'-', 1}, {':', 3}, {'-', 3}, {'.', 2}, {'-', 2}, {0, 0}};
    uint64_t numbers[SIX];
    uint8_t bytes[SIX];
    struct bytes in = text;
    bool good = false;
    while (in.size > 0 && isspace(in.data[0])) in = bytes_skip(in, 1);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && !good; i++)
        good = parse_six(in, forms[i].separator, forms[i].group, numbers);
    if (!good) return type_error_syntax(arena, "macaddr", text);
    for (uint32_t i = 0; i < SIX; i++) {
        if (numbers[i] > 255)
            return status_format(arena, E_NUMERIC_OUT_OF_RANGE,
                "invalid octet value in \"macaddr\" value: \"%s\"", arena_string(arena, text));
        bytes[i] = (uint8_t)numbers[i];
    }
    *value = bytes_datum(arena, bytes, SIX);
    return STATUS_OK;
}

// Pairs of digits, with the same separator after any of them or none.
static struct status input_eight(struct arena *arena, struct bytes text, struct datum *value)
{
    uint8_t bytes[EIGHT], separator = 0;
    uint32_t count = 0;
    struct bytes in = text;
    while (in.size > 0 && isspace(in.data[0])) in = bytes_skip(in, 1);
    while (in.size > 1) {
        uint64_t number;
        if (count == EIGHT || !isxdigit(in.data[0]) || !isxdigit(in.data[1]) ||
            !take_number(&in, 2, &number))
            return type_error_syntax(arena, "macaddr8", text);
        bytes[count++] = (uint8_t)number;
        if (in.size > 0 && (in.data[0] == ':' || in.data[0] == '-' || in.data[0] == '.')) {
            if (separator != 0 && separator != in.data[0])
                return type_error_syntax(arena, "macaddr8", text);
            separator = in.data[0];
            in = bytes_skip(in, 1);
        }
        if ((count == SIX || count == EIGHT) && in.size > 0 && isspace(in.data[0])) {
            while (in.size > 0 && isspace(in.data[0])) in = bytes_skip(in, 1);
            if (in.size > 0) return type_error_syntax(arena, "macaddr8", text);
        }
    }
    if (count != SIX && count != EIGHT) return type_error_syntax(arena, "macaddr8", text);
    *value = count == SIX ? widen(arena, bytes) : bytes_datum(arena, bytes, EIGHT);
    return STATUS_OK;
}

static struct status macaddr_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context;
    return type.oid == TYPE_MACADDR8 ? input_eight(arena, text, value)
                                     : input_six(arena, text, value);
}

static void macaddr_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    for (uint32_t i = 0; i < value.size; i++)
        buffer_printf(out, "%s%02x", i == 0 ? "" : ":", value.data[i]);
}

// --- binary ------------------------------------------------------------------------------------------------

static struct status macaddr_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    if (type.oid == TYPE_MACADDR8 && binary.size == SIX) {
        *value = widen(arena, binary.data);
        return STATUS_OK;
    }
    if (binary.size != size_of(type.oid))
        return type_error_binary(arena, type.oid == TYPE_MACADDR8 ? "macaddr8" : "macaddr");
    *value = bytes_datum(arena, binary.data, (uint32_t)binary.size);
    return STATUS_OK;
}

static void macaddr_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    buffer_append_bytes(out, datum_as_bytes(value));
}

static int macaddr_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return bytes_compare(datum_as_bytes(a), datum_as_bytes(b));
}

const struct type_ops type_ops_macaddr = {.storage = TYPE_STORE_BYTES,
    .input = macaddr_input,
    .output = macaddr_output,
    .receive = macaddr_receive,
    .send = macaddr_send,
    .compare = macaddr_compare};

// --- functions ---------------------------------------------------------------------------------------------

static struct datum bitwise(
    struct function_call *call, const struct datum *args, char operation)
{
    uint8_t a[EIGHT], b[EIGHT];
    load(args[0], a);
    load(operation == '~' ? args[0] : args[1], b);
    for (uint32_t i = 0; i < EIGHT; i++)
        a[i] = (uint8_t)(operation == '~' ? ~a[i] : operation == '&' ? a[i] & b[i] : a[i] | b[i]);
    return bytes_datum(call->arena, a, size_of(call->arg_types[0].oid));
}

BODY(bitwise_not)
{
    *result = bitwise(call, args, '~');
    return STATUS_OK;
}

BODY(bitwise_and)
{
    *result = bitwise(call, args, '&');
    return STATUS_OK;
}

BODY(bitwise_or)
{
    *result = bitwise(call, args, '|');
    return STATUS_OK;
}

// The manufacturer's prefix.
BODY(truncate_address)
{
    uint8_t bytes[EIGHT];
    load(args[0], bytes);
    memset(bytes + 3, 0, EIGHT - 3);
    *result = bytes_datum(call->arena, bytes, size_of(call->arg_types[0].oid));
    return STATUS_OK;
}

BODY(set_seventh_bit)
{
    uint8_t bytes[EIGHT];
    load(args[0], bytes);
    bytes[0] |= 0x02;
    *result = bytes_datum(call->arena, bytes, EIGHT);
    return STATUS_OK;
}

struct status cast_macaddr_to_macaddr8(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    uint8_t bytes[EIGHT];
    load(args[0], bytes);
    *result = widen(call->arena, bytes);
    return STATUS_OK;
}

struct status cast_macaddr8_to_macaddr(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    uint8_t bytes[EIGHT];
    load(args[0], bytes);
    if (bytes[3] != 0xff || bytes[4] != 0xfe)
        return status_hint(call->arena,
            status_make(
                E_NUMERIC_OUT_OF_RANGE, "macaddr8 data out of range to convert to macaddr"),
            "Only addresses that have FF and FE as values in the 4th and 5th bytes from the left, "
            "for example xx:xx:xx:ff:fe:xx:xx:xx, are eligible to be converted from macaddr8 to "
            "macaddr.");
    memmove(bytes + 3, bytes + 5, 3);
    *result = bytes_datum(call->arena, bytes, SIX);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    OPERATOR("~", 3147, MACADDR, bitwise_not, NULL, NULL, TYPE_MACADDR),
    OPERATOR("&", 3148, MACADDR, bitwise_and, NULL, NULL, TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR("|", 3149, MACADDR, bitwise_or, NULL, NULL, TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR("~", 3368, MACADDR8, bitwise_not, NULL, NULL, TYPE_MACADDR8),
    OPERATOR("&", 3369, MACADDR8, bitwise_and, NULL, NULL, TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR("|", 3370, MACADDR8, bitwise_or, NULL, NULL, TYPE_MACADDR8, TYPE_MACADDR8),
    SCALAR("trunc", 753, MACADDR, truncate_address, TYPE_MACADDR),
    SCALAR("trunc", 4112, MACADDR8, truncate_address, TYPE_MACADDR8),
    SCALAR("macaddr8_set7bit", 4125, MACADDR8, set_seventh_bit, TYPE_MACADDR8),
};
// clang-format on

void functions_macaddr_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
