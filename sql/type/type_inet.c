// SPDX-License-Identifier: GPL-3.0-or-later
//
// inet and cidr: u8 family (4 or 6), u8 bits of the network, then 4 or 16 bytes of address.
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "core/text.h"
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/type_ops.h"

#define ADDRESS_BYTES_MAX 16

struct address {
    uint8_t family; // 4 or 6
    uint8_t bits;
    uint8_t bytes[ADDRESS_BYTES_MAX];
};

static uint32_t size_of(const struct address *address)
{
    return address->family == 4 ? 4 : 16;
}

static struct address address_of(struct datum value)
{
    struct address address = {.family = 4};
    if (value.size != 6 && value.size != 18) return address;
    address.family = value.size == 6 ? 4 : 6;
    address.bits = value.data[1];
    memcpy(address.bytes, value.data + 2, value.size - 2);
    return address;
}

static struct datum address_datum(struct arena *arena, const struct address *address)
{
    uint32_t size = size_of(address);
    uint8_t *data = arena_alloc(arena, size + 2);
    data[0] = address->family;
    data[1] = address->bits;
    memcpy(data + 2, address->bytes, size);
    return datum_bytes(bytes_of(data, size + 2));
}

// Clears what lies behind the network.
static void mask(struct address *address)
{
    for (uint32_t i = 0; i < size_of(address); i++) {
        uint32_t kept = address->bits > i * 8 ? address->bits - i * 8 : 0;
        if (kept < 8) address->bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
}

// The size of a network that does not say it, of so many bytes: that of its class, unless more are written.
static uint32_t class_bits(const struct address *address, uint32_t bytes)
{
    uint8_t first = address->bytes[0];
    uint32_t bits = first >= 240 ? 32 : first >= 224 ? 8 : first >= 192 ? 24 : first >= 128 ? 16 : 8;
    if (bits < bytes * 8) bits = bytes * 8;
    return bits == 8 && first == 224 ? 4 : bits;
}

static bool is_hexadecimal(const char *text)
{
    return text[0] == '0' && (text[1] | 32) == 'x' && isxdigit((unsigned char)text[2]);
}

// "0xc0a8": the first bytes of an IPv4 network; an odd digit is the high half of its byte. 0: that it is not.
static uint32_t parse_hexadecimal(const char *text, struct address *address)
{
    uint32_t digits = 0;
    for (const char *at = text + 2; *at != 0; at++, digits++) {
        if (!isxdigit((unsigned char)*at) || digits == 8) return 0;
        unsigned value = (unsigned)(*at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10);
        address->bytes[digits / 2] |= (uint8_t)(digits % 2 == 0 ? value << 4 : value);
    }
    return (digits + 1) / 2;
}

static bool parse(struct bytes text, bool network, struct address *address)
{
    char copy[64];
    if (text.size == 0) return false;
    const uint8_t *slash = memchr(text.data, '/', text.size);
    size_t size = slash == NULL ? text.size : (size_t)(slash - text.data);
    if (size == 0 || size >= sizeof copy - 8) return false;
    memcpy(copy, text.data, size);
    copy[size] = 0;
    *address = (struct address){.family = memchr(copy, ':', size) != NULL ? 6 : 4};
    uint32_t bytes = 1;
    if (network && is_hexadecimal(copy)) {
        bytes = parse_hexadecimal(copy, address);
        if (bytes == 0) return false;
    } else {
        for (size_t i = 0; address->family == 4 && i < size; i++)
            bytes += copy[i] == '.';
        // A network may leave out its last zero bytes: 10.1/16.
        for (uint32_t i = bytes; (network || slash != NULL) && address->family == 4 && i < 4; i++)
            strcat(copy, ".0");
        if (inet_pton(address->family == 4 ? AF_INET : AF_INET6, copy, address->bytes) != 1) return false;
    }
    uint32_t max = size_of(address) * 8;
    address->bits = (uint8_t)(network && slash == NULL && address->family == 4 ? class_bits(address, bytes) : max);
    if (slash == NULL) return true;
    uint32_t bits = 0;
    size_t at = size + 1;
    if (at == text.size) return false;
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9' || bits > 128) return false;
        // IPv6 has no zeros in front.
        if (address->family == 6 && bits == 0 && at > size + 1) return false;
        bits = bits * 10 + (uint32_t)(text.data[at] - '0');
    }
    if (bits > max) return false;
    address->bits = (uint8_t)bits;
    return true;
}

static struct status inet_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct address address, masked;
    (void)context;
    const char *name = type.oid == TYPE_CIDR ? "cidr" : "inet";
    if (!parse(text, type.oid == TYPE_CIDR, &address)) return type_error_syntax(arena, name, text);
    masked = address;
    mask(&masked);
    if (type.oid == TYPE_CIDR && memcmp(masked.bytes, address.bytes, sizeof masked.bytes) != 0)
        return status_detail(arena,
            status_format(arena, E_INVALID_TEXT_REPRESENTATION, "invalid cidr value: \"%.*s\"",
                bytes_shown(text), (const char *)text.data),
            "Value has bits set to right of mask.");
    *value = address_datum(arena, &address);
    return STATUS_OK;
}

static void print_host(struct buffer *out, const struct address *address)
{
    char text[64];
    inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof text);
    buffer_append_string(out, text);
}

static void inet_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct address address = address_of(value);
    (void)context;
    print_host(out, &address);
    if (oid == TYPE_CIDR || address.bits != size_of(&address) * 8)
        buffer_printf(out, "/%u", address.bits);
}

#define FAMILY_4 2 // As on PostgreSQL's wire.
#define FAMILY_6 3

static struct status inet_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    const char *name = type.oid == TYPE_CIDR ? "cidr" : "inet";
    struct address address = {0}, masked;
    if (binary.size < 4) return type_error_binary(arena, name);
    address.family = binary.data[0] == FAMILY_4 ? 4 : 6;
    uint32_t size = size_of(&address);
    address.bits = binary.data[1];
    if ((binary.data[0] != FAMILY_4 && binary.data[0] != FAMILY_6) || binary.data[3] != size ||
        binary.size != 4 + size || address.bits > size * 8)
        return type_error_binary(arena, name);
    memcpy(address.bytes, binary.data + 4, size);
    masked = address;
    mask(&masked);
    if (type.oid == TYPE_CIDR && memcmp(masked.bytes, address.bytes, size) != 0)
        return type_error_binary(arena, name);
    *value = address_datum(arena, &address);
    return STATUS_OK;
}

static void inet_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct address address = address_of(value);
    buffer_append_u8(out, address.family == 4 ? FAMILY_4 : FAMILY_6);
    buffer_append_u8(out, address.bits);
    buffer_append_u8(out, oid == TYPE_CIDR);
    buffer_append_u8(out, (uint8_t)size_of(&address));
    buffer_append(out, address.bytes, size_of(&address));
}

// The network first, then its size, then the host.
static int inet_compare(type_oid oid, struct datum a, struct datum b)
{
    struct address x = address_of(a), y = address_of(b), i = x, j = y;
    (void)oid;
    if (x.family != y.family) return x.family < y.family ? -1 : 1;
    i.bits = j.bits = x.bits < y.bits ? x.bits : y.bits;
    mask(&i);
    mask(&j);
    int order = memcmp(i.bytes, j.bytes, sizeof i.bytes);
    if (order != 0) return order;
    if (x.bits != y.bits) return x.bits < y.bits ? -1 : 1;
    return memcmp(x.bytes, y.bytes, sizeof x.bytes);
}

// The network's bits, each as a byte, ended by a smaller one: so the shorter network comes first; then
// the whole address.
static void inet_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    struct address address = address_of(value);
    uint8_t bytes[2 + 128 + ADDRESS_BYTES_MAX];
    uint32_t size = 0;
    bytes[size++] = address.family;
    for (uint32_t i = 0; i < address.bits; i++)
        bytes[size++] = (uint8_t)(1 + (address.bytes[i / 8] >> (7 - i % 8) & 1));
    bytes[size++] = 0;
    memcpy(bytes + size, address.bytes, size_of(&address));
    key_append_bytes(key, bytes_of(bytes, size + size_of(&address)), order);
}

static struct status inet_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct status st = STATUS_OK;
    struct bytes bytes;
    struct address address = {0};
    TRY(key_decode_bytes(key, order, arena, &bytes));
    size_t at = 1;
    while (at < bytes.size && bytes.data[at] != 0)
        at++;
    address.family = bytes.size > 0 && bytes.data[0] == 4 ? 4 : 6;
    if (at - 1 > size_of(&address) * 8 || bytes.size != at + 1 + size_of(&address))
        return status_make(E_DATA_CORRUPTED, "key column is no network address");
    address.bits = (uint8_t)(at - 1);
    memcpy(address.bytes, bytes.data + at + 1, size_of(&address));
    *value = address_datum(arena, &address);
out:
    return st;
}

const struct type_ops type_ops_inet = {.storage = TYPE_STORE_BYTES,
    .key_encode = inet_key_encode,
    .key_decode = inet_key_decode,
    .input = inet_input,
    .output = inet_output,
    .receive = inet_receive,
    .send = inet_send,
    .compare = inet_compare};

// --- functions ---------------------------------------------------------------------------------------------

BODY(host)
{
    struct buffer out;
    struct address address = address_of(args[0]);
    buffer_init(&out, call->arena);
    print_host(&out, &address);
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

BODY(text_with_bits)
{
    struct buffer out;
    struct address address = address_of(args[0]);
    buffer_init(&out, call->arena);
    print_host(&out, &address);
    buffer_printf(&out, "/%u", address.bits);
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

BODY(family)
{
    (void)call;
    *result = datum_int(address_of(args[0]).family);
    return STATUS_OK;
}

BODY(mask_length)
{
    (void)call;
    *result = datum_int(address_of(args[0]).bits);
    return STATUS_OK;
}

BODY(network)
{
    struct address address = address_of(args[0]);
    mask(&address);
    *result = address_datum(call->arena, &address);
    return STATUS_OK;
}

static bool within(struct datum inner, struct datum outer, bool or_equal)
{
    struct address i = address_of(inner), o = address_of(outer);
    if (i.family != o.family || i.bits < o.bits || (i.bits == o.bits && !or_equal)) return false;
    i.bits = o.bits;
    mask(&i);
    mask(&o);
    return memcmp(i.bytes, o.bytes, sizeof i.bytes) == 0;
}

#define CONTAINMENT(name, expression) \
    BODY(name) \
    { \
        (void)call; \
        *result = datum_bool(expression); \
        return STATUS_OK; \
    }
CONTAINMENT(is_within, within(args[0], args[1], false))
CONTAINMENT(is_within_or_equal, within(args[0], args[1], true))
CONTAINMENT(does_contain, within(args[1], args[0], false))
CONTAINMENT(does_contain_or_equal, within(args[1], args[0], true))
CONTAINMENT(overlap, within(args[0], args[1], true) || within(args[1], args[0], true))

BODY(netmask)
{
    struct address address = address_of(args[0]);
    memset(address.bytes, 0xff, sizeof address.bytes);
    mask(&address);
    address.bits = (uint8_t)(size_of(&address) * 8);
    *result = address_datum(call->arena, &address);
    return STATUS_OK;
}

BODY(hostmask)
{
    struct address address = address_of(args[0]);
    memset(address.bytes, 0xff, sizeof address.bytes);
    mask(&address);
    for (uint32_t i = 0; i < size_of(&address); i++) address.bytes[i] = (uint8_t)~address.bytes[i];
    address.bits = (uint8_t)(size_of(&address) * 8);
    *result = address_datum(call->arena, &address);
    return STATUS_OK;
}

BODY(broadcast)
{
    struct address address = address_of(args[0]), ones = address;
    memset(ones.bytes, 0xff, sizeof ones.bytes);
    mask(&ones);
    for (uint32_t i = 0; i < size_of(&address); i++)
        address.bytes[i] = (uint8_t)(address.bytes[i] | (uint8_t)~ones.bytes[i]);
    *result = address_datum(call->arena, &address);
    return STATUS_OK;
}

BODY(same_family)
{
    (void)call;
    *result = datum_bool(address_of(args[0]).family == address_of(args[1]).family);
    return STATUS_OK;
}

// The smallest network that has both.
BODY(merge)
{
    struct address a = address_of(args[0]), b = address_of(args[1]);
    if (a.family != b.family)
        return status_make(
            E_INVALID_PARAMETER_VALUE, "cannot merge addresses from different families");
    uint32_t bits = a.bits < b.bits ? a.bits : b.bits, common = 0;
    while (common < bits &&
           ((a.bytes[common / 8] ^ b.bytes[common / 8]) & (0x80u >> common % 8)) == 0)
        common++;
    a.bits = (uint8_t)common;
    mask(&a);
    *result = address_datum(call->arena, &a);
    return STATUS_OK;
}

BODY(set_mask_length)
{
    struct address address = address_of(args[0]);
    int64_t bits = args[1].integer, most = (int64_t)size_of(&address) * 8;
    if (bits == -1) bits = most;
    if (bits < 0 || bits > most)
        return status_format(
            call->arena, E_INVALID_PARAMETER_VALUE, "invalid mask length: %lld", (long long)bits);
    address.bits = (uint8_t)bits;
    if (call->arg_types[0].oid == TYPE_CIDR) mask(&address);
    *result = address_datum(call->arena, &address);
    return STATUS_OK;
}

// An inet's host bits are told; a cidr's IPv4 network ends with its last byte that counts.
BODY(abbreviated)
{
    struct buffer out;
    struct address address = address_of(args[0]);
    buffer_init(&out, call->arena);
    bool is_cidr = call->arg_types[0].oid == TYPE_CIDR;
    if (is_cidr && address.family == 4) {
        uint32_t bytes = address.bits == 0 ? 1 : (address.bits + 7u) / 8;
        for (uint32_t i = 0; i < bytes; i++)
            buffer_printf(&out, "%s%u", i == 0 ? "" : ".", address.bytes[i]);
        buffer_printf(&out, "/%u", address.bits);
    } else {
        type_output(&out, NULL, call->arg_types[0].oid, args[0]);
    }
    *result = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

// --- arithmetic ------------------------------------------------------------------------------------------------

static struct status bitwise(
    struct function_call *call, const struct datum *args, char operation, struct datum *result)
{
    struct address a = address_of(args[0]), b = operation == '~' ? a : address_of(args[1]);
    if (a.family != b.family)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "cannot %s inet values of different sizes", operation == '&' ? "AND" : "OR");
    for (uint32_t i = 0; i < size_of(&a); i++)
        a.bytes[i] = (uint8_t)(operation == '~'   ? ~a.bytes[i]
                               : operation == '&' ? a.bytes[i] & b.bytes[i]
                                                  : a.bytes[i] | b.bytes[i]);
    if (b.bits > a.bits) a.bits = b.bits;
    *result = address_datum(call->arena, &a);
    return STATUS_OK;
}

BODY(bitwise_not)
{
    return bitwise(call, args, '~', result);
}

BODY(bitwise_and)
{
    return bitwise(call, args, '&', result);
}

BODY(bitwise_or)
{
    return bitwise(call, args, '|', result);
}

static struct status inet_out_of_range(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "result is out of range");
}

// Adds byte by byte from the last; what is carried out of the first does not fit.
static struct status add_number(
    struct function_call *call, struct datum value, __int128 number, struct datum *result)
{
    struct address a = address_of(value);
    __int128 carry = number;
    for (uint32_t i = size_of(&a); i-- > 0;) {
        __int128 sum = a.bytes[i] + carry;
        a.bytes[i] = (uint8_t)(sum & 0xff);
        carry = sum >> 8; // Rounds down: what is borrowed stays negative.
    }
    if (carry != 0) return inet_out_of_range();
    *result = address_datum(call->arena, &a);
    return STATUS_OK;
}

BODY(inet_plus)
{
    return add_number(call, args[0], args[1].integer, result);
}

BODY(plus_inet)
{
    return add_number(call, args[1], args[0].integer, result);
}

BODY(inet_minus)
{
    return add_number(call, args[0], -(__int128)args[1].integer, result);
}

BODY(inet_difference)
{
    struct address a = address_of(args[0]), b = address_of(args[1]);
    int64_t difference = 0;
    if (a.family != b.family)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "cannot subtract inet values of different sizes");
    int carry = 0;
    uint32_t size = size_of(&a);
    for (uint32_t place = 0; place < size; place++) {
        int byte = a.bytes[size - 1 - place] - b.bytes[size - 1 - place] + carry;
        carry = byte < 0 ? -1 : 0;
        if (place < 8)
            difference |= (int64_t)((uint64_t)(uint8_t)byte << place * 8);
        else if ((uint8_t)byte != (difference < 0 ? 0xff : 0))
            return inet_out_of_range();
    }
    if (size < 8 && carry < 0) difference |= (int64_t)(UINT64_MAX << size * 8);
    if (size >= 8 && (difference < 0) != (carry < 0)) return inet_out_of_range();
    *result = datum_int(difference);
    return STATUS_OK;
}

struct status cast_inet_to_text(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return text_with_bits(call, args, result);
}

struct status cast_inet_to_cidr(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct address address = address_of(args[0]);
    mask(&address);
    *result = address_datum(call->arena, &address);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    OPERATOR("~", 2634, INET, bitwise_not, NULL, NULL, TYPE_INET),
    OPERATOR("&", 2635, INET, bitwise_and, NULL, NULL, TYPE_INET, TYPE_INET),
    OPERATOR("|", 2636, INET, bitwise_or, NULL, NULL, TYPE_INET, TYPE_INET),
    OPERATOR("+", 2637, INET, inet_plus, "+", NULL, TYPE_INET, TYPE_INT8),
    OPERATOR("+", 2638, INET, plus_inet, "+", NULL, TYPE_INT8, TYPE_INET),
    OPERATOR("-", 2639, INET, inet_minus, NULL, NULL, TYPE_INET, TYPE_INT8),
    OPERATOR("-", 2640, INT8, inet_difference, NULL, NULL, TYPE_INET, TYPE_INET),
    SCALAR("netmask", 696, INET, netmask, TYPE_INET),
    SCALAR("hostmask", 1362, INET, hostmask, TYPE_INET),
    SCALAR("broadcast", 698, INET, broadcast, TYPE_INET),
    SCALAR("inet_same_family", 4071, BOOL, same_family, TYPE_INET, TYPE_INET),
    SCALAR("inet_merge", 4063, CIDR, merge, TYPE_INET, TYPE_INET),
    SCALAR("set_masklen", 605, INET, set_mask_length, TYPE_INET, TYPE_INT4),
    SCALAR("set_masklen", 635, CIDR, set_mask_length, TYPE_CIDR, TYPE_INT4),
    SCALAR("abbrev", 598, TEXT, abbreviated, TYPE_INET),
    SCALAR("abbrev", 599, TEXT, abbreviated, TYPE_CIDR),
    SCALAR("host", 699, TEXT, host, TYPE_INET),
    SCALAR("family", 711, INT4, family, TYPE_INET),
    SCALAR("masklen", 697, INT4, mask_length, TYPE_INET),
    SCALAR("network", 683, CIDR, network, TYPE_INET),
    OPERATOR("<<", 931, BOOL, is_within, ">>", NULL, TYPE_INET, TYPE_INET),
    OPERATOR("<<=", 932, BOOL, is_within_or_equal, ">>=", NULL, TYPE_INET, TYPE_INET),
    OPERATOR(">>", 933, BOOL, does_contain, "<<", NULL, TYPE_INET, TYPE_INET),
    OPERATOR(">>=", 934, BOOL, does_contain_or_equal, "<<=", NULL, TYPE_INET, TYPE_INET),
    OPERATOR("&&", 3552, BOOL, overlap, "&&", NULL, TYPE_INET, TYPE_INET),
};
// clang-format on

void functions_inet_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
