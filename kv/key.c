// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/key.h"

#include <math.h>

#include "core/invariant.h"

#define PREFIX_SYSTEM 0x01u
#define PREFIX_TENANT 0x02u
#define UVARINT_SINGLE_MAX 0xf7u

// Tags of column values, ascending. A descending value is the complement of all its bytes, tag included.
enum key_tag {
    TAG_DOUBLE = 0x20,
    TAG_BYTES = 0x40,
    TAG_DECIMAL = 0x60,
    TAG_INT_ZERO =
        0x80, // 0x78..0x7f: negative with 8..1 bytes; 0x81..0x88: positive with 1..8 bytes.
    TAG_NULL = 0xf0,
};
#define BYTES_ESCAPE 0x00u
#define BYTES_ESCAPED_ZERO 0xffu
#define BYTES_END 0x01u

static const struct status malformed = {E_DATA_CORRUPTED, RETRY_NEVER, 0, "malformed key"};

static inline uint8_t order_mask(enum key_order order)
{
    return order == KEY_DESCENDING ? 0xff : 0x00;
}

static inline uint32_t bytes_needed(uint64_t value)
{
    return value == 0 ? 0 : (71u - (uint32_t)__builtin_clzll(value)) / 8u;
}

static inline void put_big_endian(uint8_t *out, uint64_t value, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = (uint8_t)(value >> (8u * (count - 1u - i)));
}

// --- prefixes ----------------------------------------------------------------------------------------

void key_append_uvarint(struct buffer *key, uint64_t value)
{
    uint8_t *out = buffer_reserve(key, 9);
    if (value <= UVARINT_SINGLE_MAX) {
        out[0] = (uint8_t)value;
        key->size++;
        return;
    }
    uint32_t count = bytes_needed(value);
    out[0] = (uint8_t)(UVARINT_SINGLE_MAX + count);
    put_big_endian(out + 1, value, count);
    key->size += 1 + count;
}

struct status key_decode_uvarint(struct bytes *key, uint64_t *value)
{
    if (key->size == 0) return malformed;
    uint8_t first = key->data[0];
    if (first <= UVARINT_SINGLE_MAX) {
        *value = first;
        *key = bytes_skip(*key, 1);
        return STATUS_OK;
    }
    uint32_t count = (uint32_t)first - UVARINT_SINGLE_MAX;
    if (key->size < 1 + (size_t)count) return malformed;
    uint64_t result = 0;
    for (uint32_t i = 0; i < count; i++)
        result = result << 8 | key->data[1 + i];
    // One number has one encoding, or equal keys could differ.
    if (result <= UVARINT_SINGLE_MAX || bytes_needed(result) != count) return malformed;
    *value = result;
    *key = bytes_skip(*key, 1 + count);
    return STATUS_OK;
}

void key_append_tenant_prefix(struct buffer *key, uint64_t tenant)
{
    buffer_append_u8(key, PREFIX_TENANT);
    key_append_uvarint(key, tenant);
}

struct span key_tenant_span(struct arena *arena, uint64_t tenant)
{
    struct buffer prefix;
    buffer_init(&prefix, arena);
    key_append_tenant_prefix(&prefix, tenant);
    struct bytes start = buffer_bytes(&prefix);
    return (struct span){start, key_prefix_end(arena, start)};
}

struct status key_decode_tenant_prefix(struct bytes *key, uint64_t *tenant)
{
    if (key->size == 0 || key->data[0] != PREFIX_TENANT) return malformed;
    struct bytes rest = bytes_skip(*key, 1);
    struct status st = key_decode_uvarint(&rest, tenant);
    if (failed(st)) return st;
    *key = rest;
    return STATUS_OK;
}

bool key_in_tenant(struct bytes key, uint64_t tenant)
{
    uint64_t found;
    return !failed(key_decode_tenant_prefix(&key, &found)) && found == tenant;
}

struct bytes key_rewrite_tenant(struct arena *arena, struct bytes key, uint64_t to_tenant)
{
    uint64_t from;
    struct bytes rest = key;
    struct status st = key_decode_tenant_prefix(&rest, &from);
    invariant(!failed(st));
    struct buffer out;
    buffer_init(&out, arena);
    buffer_reserve(&out, rest.size + 10);
    key_append_tenant_prefix(&out, to_tenant);
    buffer_append_bytes(&out, rest);
    return buffer_bytes(&out);
}

struct bytes key_prefix_end(struct arena *arena, struct bytes prefix)
{
    size_t size = prefix.size;
    while (size > 0 && prefix.data[size - 1] == 0xff)
        size--;
    // All bytes 0xff (or none at all): nothing of ours is above; the largest key stands for the end.
    if (size == 0) return BYTES_LITERAL("\xff\xff");
    uint8_t *out = arena_alloc(arena, size);
    memcpy(out, prefix.data, size);
    out[size - 1]++;
    return bytes_of(out, size);
}

struct bytes key_next(struct arena *arena, struct bytes key)
{
    uint8_t *out = arena_alloc(arena, key.size + 1);
    if (key.size > 0) memcpy(out, key.data, key.size);
    out[key.size] = 0;
    return bytes_of(out, key.size + 1);
}

// --- column values -------------------------------------------------------------------------------------

void key_append_null(struct buffer *key, enum key_order order)
{
    buffer_append_u8(key, TAG_NULL ^ order_mask(order));
}

bool key_decode_null(struct bytes *key, enum key_order order)
{
    if (key->size == 0 || key->data[0] != (TAG_NULL ^ order_mask(order))) return false;
    *key = bytes_skip(*key, 1);
    return true;
}

void key_append_int(struct buffer *key, int64_t value, enum key_order order)
{
    uint8_t *out = buffer_reserve(key, 9);
    uint64_t bits = (uint64_t)value;
    uint32_t count;
    if (value >= 0) {
        count = bytes_needed(bits);
        out[0] = (uint8_t)(TAG_INT_ZERO + count);
    } else {
        count = bytes_needed(~bits);
        if (count == 0) count = 1;
        out[0] = (uint8_t)(TAG_INT_ZERO - count);
    }
    put_big_endian(out + 1, bits, count);
    if (order == KEY_DESCENDING) {
        for (uint32_t i = 0; i <= count; i++)
            out[i] = (uint8_t)~out[i];
    }
    key->size += 1 + count;
}

struct status key_decode_int(struct bytes *key, enum key_order order, int64_t *value)
{
    if (key->size == 0) return malformed;
    uint8_t mask = order_mask(order);
    uint8_t tag = key->data[0] ^ mask;
    if (tag < TAG_INT_ZERO - 8 || tag > TAG_INT_ZERO + 8) return malformed;
    bool negative = tag < TAG_INT_ZERO;
    uint32_t count = negative ? (uint32_t)TAG_INT_ZERO - tag : tag - (uint32_t)TAG_INT_ZERO;
    if (key->size < 1 + (size_t)count) return malformed;
    uint64_t bits = negative ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < count; i++)
        bits = bits << 8 | (uint8_t)(key->data[1 + i] ^ mask);
    if (negative != ((int64_t)bits < 0)) return malformed;
    uint32_t needed = negative ? bytes_needed(~bits) : bytes_needed(bits);
    if (negative && needed == 0) needed = 1;
    if (needed != count) return malformed;
    *value = (int64_t)bits;
    *key = bytes_skip(*key, 1 + count);
    return STATUS_OK;
}

void key_append_double(struct buffer *key, double value, enum key_order order)
{
    uint64_t bits;
    if (isnan(value)) {
        bits = UINT64_MAX; // Above +infinity, whatever the NaN's own bits.
    } else {
        if (value == 0) value = 0; // -0 equals 0, so they are one key.
        memcpy(&bits, &value, sizeof bits);
        bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
    }
    uint8_t mask = order_mask(order);
    uint8_t *out = buffer_reserve(key, 9);
    out[0] = TAG_DOUBLE;
    put_big_endian(out + 1, bits, 8);
    for (uint32_t i = 0; i < 9; i++)
        out[i] ^= mask;
    key->size += 9;
}

struct status key_decode_double(struct bytes *key, enum key_order order, double *value)
{
    uint8_t mask = order_mask(order);
    if (key->size < 9 || (key->data[0] ^ mask) != TAG_DOUBLE) return malformed;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < 8; i++)
        bits = bits << 8 | (uint8_t)(key->data[1 + i] ^ mask);
    if (bits == UINT64_MAX) {
        *value = NAN;
    } else {
        bits = bits >> 63 ? bits & ~(UINT64_C(1) << 63) : ~bits;
        memcpy(value, &bits, sizeof bits);
        if (isnan(*value)) return malformed;
    }
    *key = bytes_skip(*key, 9);
    return STATUS_OK;
}

// Zero bytes become 00 ff and the end is 00 01, so that a prefix sorts before what it is a prefix of.
void key_append_bytes(struct buffer *key, struct bytes value, enum key_order order)
{
    uint8_t mask = order_mask(order);
    buffer_reserve(key, value.size + 3);
    buffer_append_u8(key, TAG_BYTES ^ mask);
    struct bytes rest = value;
    while (rest.size > 0) {
        const uint8_t *zero = memchr(rest.data, BYTES_ESCAPE, rest.size);
        size_t plain = zero == NULL ? rest.size : (size_t)(zero - rest.data);
        uint8_t *out = buffer_reserve(key, plain + 4);
        for (size_t i = 0; i < plain; i++)
            out[i] = rest.data[i] ^ mask;
        key->size += plain;
        rest = bytes_skip(rest, plain);
        if (zero == NULL) break;
        buffer_append_u8(key, BYTES_ESCAPE ^ mask);
        buffer_append_u8(key, BYTES_ESCAPED_ZERO ^ mask);
        rest = bytes_skip(rest, 1);
    }
    buffer_append_u8(key, BYTES_ESCAPE ^ mask);
    buffer_append_u8(key, BYTES_END ^ mask);
}

struct status key_decode_bytes(
    struct bytes *key, enum key_order order, struct arena *arena, struct bytes *value)
{
    uint8_t mask = order_mask(order);
    if (key->size < 3 || (key->data[0] ^ mask) != TAG_BYTES) return malformed;
    const uint8_t *at = key->data + 1, *end = key->data + key->size;
    uint8_t *out = arena_alloc(arena, key->size);
    size_t size = 0;
    for (;;) {
        if (at >= end) return malformed;
        uint8_t byte = *at++ ^ mask;
        if (byte != BYTES_ESCAPE) {
            out[size++] = byte;
            continue;
        }
        if (at >= end) return malformed;
        uint8_t next = *at++ ^ mask;
        if (next == BYTES_END) break;
        if (next != BYTES_ESCAPED_ZERO) return malformed;
        out[size++] = 0;
    }
    *value = bytes_of(out, size);
    *key = bytes_of(at, (size_t)(end - at));
    return STATUS_OK;
}

// tag | sign class | exponent, biased | pairs of digits as 1..100 | 0. The exponent and what follows are
// complemented for negative numbers, so that larger magnitudes sort first.
enum decimal_class {
    DECIMAL_NEGATIVE_INFINITY,
    DECIMAL_NEGATIVE,
    DECIMAL_ZERO,
    DECIMAL_POSITIVE,
    DECIMAL_INFINITY,
    DECIMAL_NAN,
};

void key_append_decimal(struct buffer *key, int sign, int32_t exponent, const uint8_t *digits,
    uint32_t digit_count, enum key_order order)
{
    invariant(sign >= -2 && sign <= 3);
    size_t start = key->size;
    uint8_t *out = buffer_reserve(key, (size_t)digit_count / 2 + 8);
    size_t size = 0;
    out[size++] = TAG_DECIMAL;
    out[size++] = (uint8_t)(sign + 2);
    if (sign == 1 || sign == -1) {
        invariant(digit_count > 0 && digits[0] != 0 && digits[digit_count - 1] != 0);
        uint8_t flip = sign < 0 ? 0xff : 0;
        put_big_endian(out + size, (uint32_t)exponent ^ UINT32_C(0x80000000), 4);
        for (uint32_t i = 0; i < 4; i++)
            out[size + i] ^= flip;
        size += 4;
        for (uint32_t i = 0; i < digit_count; i += 2) {
            uint32_t pair = digits[i] * 10u + (i + 1 < digit_count ? digits[i + 1] : 0u);
            out[size++] = (uint8_t)((pair + 1u) ^ flip);
        }
        out[size++] = flip;
    }
    key->size += size;
    if (order == KEY_DESCENDING) {
        for (size_t i = start; i < key->size; i++)
            key->data[i] = (uint8_t)~key->data[i];
    }
}

struct status key_decode_decimal(struct bytes *key, enum key_order order, struct arena *arena,
    int *sign, int32_t *exponent, const uint8_t **digits, uint32_t *digit_count)
{
    uint8_t mask = order_mask(order);
    if (key->size < 2 || (key->data[0] ^ mask) != TAG_DECIMAL) return malformed;
    uint8_t class = key->data[1] ^ mask;
    if (class > DECIMAL_NAN) return malformed;
    *sign = class - 2;
    *exponent = 0;
    *digits = NULL;
    *digit_count = 0;
    struct bytes rest = bytes_skip(*key, 2);
    if (class == DECIMAL_NEGATIVE || class == DECIMAL_POSITIVE) {
        uint8_t flip = mask ^ (class == DECIMAL_NEGATIVE ? 0xff : 0);
        if (rest.size < 6) return malformed;
        uint32_t bits = 0;
        for (uint32_t i = 0; i < 4; i++)
            bits = bits << 8 | (uint8_t)(rest.data[i] ^ flip);
        *exponent = (int32_t)(bits ^ UINT32_C(0x80000000));
        rest = bytes_skip(rest, 4);
        uint8_t *out = arena_alloc(arena, 2 * rest.size);
        uint32_t count = 0;
        for (;;) {
            if (rest.size == 0) return malformed;
            uint8_t byte = rest.data[0] ^ flip;
            rest = bytes_skip(rest, 1);
            if (byte == 0) break;
            if (byte > 100) return malformed;
            out[count++] = (uint8_t)((byte - 1) / 10);
            out[count++] = (uint8_t)((byte - 1) % 10);
        }
        if (count == 0 || out[0] == 0) return malformed;
        if (out[count - 1] == 0) count--;
        if (out[count - 1] == 0) return malformed;
        *digits = out;
        *digit_count = count;
    }
    *key = rest;
    return STATUS_OK;
}

// --- text --------------------------------------------------------------------------------------------

static void format_bytes(struct buffer *out, struct bytes value)
{
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < value.size && i < 64; i++) {
        uint8_t c = value.data[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            buffer_append_u8(out, c);
        } else {
            buffer_printf(out, "\\x%02x", c);
        }
    }
    buffer_append_string(out, value.size > 64 ? "...\"" : "\"");
}

// One column value; false when it is none that we can tell. Ascending columns are told apart by their tags.
static bool format_value(struct buffer *out, struct arena *arena, struct bytes *key)
{
    int64_t integer;
    double number;
    struct bytes value;
    int sign;
    int32_t exponent;
    const uint8_t *digits;
    uint32_t digit_count;
    if (key_decode_null(key, KEY_ASCENDING)) {
        buffer_append_string(out, "/NULL");
    } else if (!failed(key_decode_int(key, KEY_ASCENDING, &integer))) {
        buffer_printf(out, "/%lld", (long long)integer);
    } else if (!failed(key_decode_double(key, KEY_ASCENDING, &number))) {
        buffer_printf(out, "/%g", number);
    } else if (!failed(key_decode_bytes(key, KEY_ASCENDING, arena, &value))) {
        buffer_append_u8(out, '/');
        format_bytes(out, value);
    } else if (!failed(key_decode_decimal(
                   key, KEY_ASCENDING, arena, &sign, &exponent, &digits, &digit_count))) {
        buffer_append_string(out, sign < 0 ? "/-0." : "/0.");
        for (uint32_t i = 0; i < digit_count && i < 64; i++)
            buffer_append_u8(out, (uint8_t)('0' + digits[i]));
        buffer_printf(out, "e%d", exponent);
    } else {
        return false;
    }
    return true;
}

char *key_format(struct arena *arena, struct bytes key)
{
    struct buffer out;
    buffer_init(&out, arena);
    uint64_t tenant, table, index;
    struct bytes rest = key;
    if (key.size == 0) {
        buffer_append_string(&out, "/Min");
    } else if (key.data[0] == PREFIX_SYSTEM) {
        buffer_append_string(&out, "/System");
        rest = bytes_skip(rest, 1);
    } else if (!failed(key_decode_tenant_prefix(&rest, &tenant))) {
        if (tenant != TENANT_SYSTEM || rest.size == 0)
            buffer_printf(&out, "/Tenant/%llu", (unsigned long long)tenant);
        if (rest.size > 0 && !failed(key_decode_uvarint(&rest, &table))) {
            buffer_printf(&out, "/Table/%llu", (unsigned long long)table);
            if (rest.size > 0 && !failed(key_decode_uvarint(&rest, &index)))
                buffer_printf(&out, "/%llu", (unsigned long long)index);
        }
        while (rest.size > 0 && format_value(&out, arena, &rest))
            ;
    } else if (key.data[0] > PREFIX_TENANT) {
        buffer_append_string(&out, "/Max");
        rest = bytes_of(NULL, 0);
    }
    if (rest.size > 0) {
        buffer_append_string(&out, "/0x");
        for (size_t i = 0; i < rest.size && i < 64; i++)
            buffer_printf(&out, "%02x", rest.data[i]);
    }
    return buffer_string(&out);
}
