// SPDX-License-Identifier: GPL-3.0-or-later
//
// bit(n) and bit varying(n): u32 count of bits, then the bits, the first in the highest place of the
// first byte, zeros filling up the last byte.
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

#define E_STRING_LENGTH_MISMATCH SQLSTATE('2', '2', '0', '2', '6')
#define BITS_MAX (10485760u * 8u)

struct bits {
    uint32_t count;
    const uint8_t *data;
};

static struct bits bits_of(struct datum value)
{
    struct bits bits = {0, value.data + 4};
    if (value.size >= 4) memcpy(&bits.count, value.data, 4);
    if (bits.count > (uint64_t)(value.size < 4 ? 0 : value.size - 4) * 8) bits.count = 0;
    return bits;
}

static uint32_t byte_count(uint32_t bits)
{
    return bits / 8 + (bits % 8 != 0);
}

// Room for `count` bits, all zero. NULL at the memory limit.
static uint8_t *make_bits(struct arena *arena, uint32_t count, struct datum *value)
{
    uint32_t size = 4 + byte_count(count);
    uint8_t *data = arena_try_alloc(arena, size);
    if (data == NULL) return NULL;
    memset(data, 0, size);
    memcpy(data, &count, 4);
    *value = datum_bytes(bytes_of(data, size));
    return data + 4;
}

static struct status no_memory(void)
{
    return status_make(E_OUT_OF_MEMORY, "out of memory");
}

static bool get(struct bits bits, uint32_t index)
{
    return (bits.data[index / 8] >> (7 - index % 8) & 1) != 0;
}

static void set(uint8_t *data, uint32_t index)
{
    data[index / 8] |= (uint8_t)(0x80u >> (index % 8));
}

static struct status bit_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    bool hex = text.size > 0 && (text.data[0] | 0x20) == 'x';
    (void)context, (void)type;
    if (hex || (text.size > 0 && (text.data[0] | 0x20) == 'b')) text = bytes_skip(text, 1);
    if (text.size > BITS_MAX / 4)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed");
    uint8_t *data = make_bits(arena, (uint32_t)text.size * (hex ? 4 : 1), value);
    if (data == NULL) return no_memory();
    for (uint32_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0 || (!hex && digit > 1))
            return status_format(arena, E_INVALID_TEXT_REPRESENTATION,
                "\"%.*s\" is not a valid %s digit", (int)utf8_size_of(c), (const char *)&text.data[i],
                hex ? "hexadecimal" : "binary");
        for (uint32_t j = 0; hex && j < 4; j++) {
            if ((digit >> (3 - j) & 1) != 0) set(data, i * 4 + j);
        }
        if (!hex && digit == 1) set(data, i);
    }
    return STATUS_OK;
}

static void bit_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    struct bits bits = bits_of(value);
    (void)context, (void)oid;
    for (uint32_t i = 0; i < bits.count; i++)
        buffer_append_u8(out, get(bits, i) ? '1' : '0');
}

static struct status bit_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    const char *name = type_info(type.oid)->sql_name;
    if (binary.size < 4) return type_error_binary(arena, name);
    int64_t count = type_load_int(binary.data, 4);
    if (count < 0 || count > BITS_MAX || binary.size != 4 + (size_t)byte_count((uint32_t)count))
        return type_error_binary(arena, name);
    uint8_t *data = make_bits(arena, (uint32_t)count, value);
    if (data == NULL) return no_memory();
    memcpy(data, binary.data + 4, binary.size - 4);
    if (count % 8 != 0) data[count / 8] &= (uint8_t)(0xff00u >> (count % 8));
    return STATUS_OK;
}

static void bit_send(struct buffer *out, type_oid oid, struct datum value)
{
    struct bits bits = bits_of(value);
    (void)oid;
    type_store_int(out, bits.count, 4);
    buffer_append(out, bits.data, byte_count(bits.count));
}

static int bit_compare(type_oid oid, struct datum a, struct datum b)
{
    struct bits x = bits_of(a), y = bits_of(b);
    (void)oid;
    int order = bytes_compare(
        bytes_of(x.data, byte_count(x.count)), bytes_of(y.data, byte_count(y.count)));
    return order != 0 ? order : (x.count > y.count) - (x.count < y.count);
}

static void bit_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    struct bits bits = bits_of(value);
    key_append_bytes(key, bytes_of(bits.data, byte_count(bits.count)), order);
    key_append_int(key, bits.count, order);
}

static struct status bit_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena, struct datum *value)
{
    (void)oid;
    struct status st = STATUS_OK;
    struct bytes bytes;
    int64_t count;
    TRY(key_decode_bytes(key, order, arena, &bytes));
    TRY(key_decode_int(key, order, &count));
    if (count < 0 || count > BITS_MAX || byte_count((uint32_t)count) != bytes.size)
        return status_make(E_DATA_CORRUPTED, "key column is no bit string");
    uint8_t *data = make_bits(arena, (uint32_t)count, value);
    if (data == NULL) return no_memory();
    if (bytes.size > 0) memcpy(data, bytes.data, bytes.size);
out:
    return st;
}

static struct status resize(struct arena *arena, struct bits bits, uint32_t count, struct datum *out)
{
    uint8_t *data = make_bits(arena, count, out);
    if (data == NULL) return no_memory();
    for (uint32_t i = 0; i < count && i < bits.count; i++) {
        if (get(bits, i)) set(data, i);
    }
    return STATUS_OK;
}

// A cast fits the length; an assignment wants it as it is (bit) or not too long (bit varying).
static struct status bit_coerce(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    struct bits bits = bits_of(in);
    uint32_t length = (uint32_t)type.typmod;
    *out = in;
    if (bits.count == length || (type.oid == TYPE_VARBIT && bits.count < length)) return STATUS_OK;
    if (is_explicit) return resize(arena, bits, length, out);
    if (type.oid == TYPE_BIT)
        return status_format(arena, E_STRING_LENGTH_MISMATCH,
            "bit string length %u does not match type bit(%u)", bits.count, length);
    return status_format(
        arena, E_STRING_TOO_LONG, "bit string too long for type bit varying(%u)", length);
}

const struct type_ops type_ops_bit = {.storage = TYPE_STORE_BYTES,
    .input = bit_input,
    .output = bit_output,
    .receive = bit_receive,
    .send = bit_send,
    .compare = bit_compare,
    .key_encode = bit_key_encode,
    .key_decode = bit_key_decode,
    .coerce = bit_coerce};

// --- functions ---------------------------------------------------------------------------------------------

enum operation { BITS_AND, BITS_OR, BITS_XOR };

static struct status combine(
    struct function_call *call, const struct datum *args, enum operation operation, struct datum *result)
{
    static const char *const names[] = {"AND", "OR", "XOR"};
    struct bits a = bits_of(args[0]), b = bits_of(args[1]);
    if (a.count != b.count)
        return status_format(call->arena, E_STRING_LENGTH_MISMATCH,
            "cannot %s bit strings of different sizes", names[operation]);
    uint8_t *data = make_bits(call->arena, a.count, result);
    if (data == NULL) return no_memory();
    for (uint32_t i = 0; i < byte_count(a.count); i++)
        data[i] = (uint8_t)(operation == BITS_AND  ? a.data[i] & b.data[i]
                            : operation == BITS_OR ? a.data[i] | b.data[i]
                                                   : a.data[i] ^ b.data[i]);
    return STATUS_OK;
}

BODY(bit_and)
{
    return combine(call, args, BITS_AND, result);
}
BODY(bit_or)
{
    return combine(call, args, BITS_OR, result);
}
BODY(bit_xor)
{
    return combine(call, args, BITS_XOR, result);
}

// Bits at [start, start + count) of `from`, moved to `to`.
static void copy_bits(uint8_t *to, uint32_t at, struct bits from, uint32_t start, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (get(from, start + i)) set(to, at + i);
    }
}

BODY(bit_not)
{
    struct bits bits = bits_of(args[0]);
    uint8_t *data = make_bits(call->arena, bits.count, result);
    if (data == NULL) return no_memory();
    for (uint32_t i = 0; i < bits.count; i++) {
        if (!get(bits, i)) set(data, i);
    }
    return STATUS_OK;
}

static struct status shift(
    struct function_call *call, struct bits bits, int64_t by, struct datum *result)
{
    uint8_t *data = make_bits(call->arena, bits.count, result);
    if (data == NULL) return no_memory();
    if (by >= 0 && by < bits.count) copy_bits(data, 0, bits, (uint32_t)by, bits.count - (uint32_t)by);
    if (by < 0 && -by < bits.count) copy_bits(data, (uint32_t)-by, bits, 0, bits.count - (uint32_t)-by);
    return STATUS_OK;
}

BODY(bit_shift_left)
{
    return shift(call, bits_of(args[0]), args[1].integer, result);
}

BODY(bit_shift_right)
{
    return shift(call, bits_of(args[0]), -args[1].integer, result);
}

BODY(bit_concatenate)
{
    struct bits a = bits_of(args[0]), b = bits_of(args[1]);
    if (a.count + b.count > BITS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed");
    uint8_t *data = make_bits(call->arena, a.count + b.count, result);
    if (data == NULL) return no_memory();
    copy_bits(data, 0, a, 0, a.count);
    copy_bits(data, a.count, b, 0, b.count);
    return STATUS_OK;
}

BODY(bit_length)
{
    (void)call;
    *result = datum_int(bits_of(args[0]).count);
    return STATUS_OK;
}

BODY(bit_count)
{
    struct bits bits = bits_of(args[0]);
    int64_t count = 0;
    (void)call;
    for (uint32_t i = 0; i < byte_count(bits.count); i++)
        count += __builtin_popcount(bits.data[i]);
    *result = datum_int(count);
    return STATUS_OK;
}

BODY(bit_substring)
{
    struct bits bits = bits_of(args[0]);
    int64_t start = args[1].integer, end = (int64_t)bits.count + 1;
    if (call->arg_count == 3) {
        if (args[2].integer < 0)
            return status_make(E_SUBSTRING_ERROR, "negative substring length not allowed");
        if (start + args[2].integer < end) end = start + args[2].integer;
    }
    if (start < 1) start = 1;
    uint32_t count = end > start ? (uint32_t)(end - start) : 0;
    uint8_t *data = make_bits(call->arena, count, result);
    if (data == NULL) return no_memory();
    copy_bits(data, 0, bits, (uint32_t)start - 1, count);
    return STATUS_OK;
}

BODY(bit_get)
{
    struct bits bits = bits_of(args[0]);
    int64_t index = args[1].integer;
    if (index < 0 || index >= bits.count)
        return status_format(call->arena, E_ARRAY_SUBSCRIPT_ERROR,
            "bit index %lld out of valid range (0..%lld)", (long long)index,
            (long long)bits.count - 1);
    *result = datum_int(get(bits, (uint32_t)index));
    return STATUS_OK;
}

BODY(bit_set)
{
    struct bits bits = bits_of(args[0]);
    int64_t index = args[1].integer;
    if (index < 0 || index >= bits.count)
        return status_format(call->arena, E_ARRAY_SUBSCRIPT_ERROR,
            "bit index %lld out of valid range (0..%lld)", (long long)index,
            (long long)bits.count - 1);
    if (args[2].integer != 0 && args[2].integer != 1)
        return status_make(E_INVALID_PARAMETER_VALUE, "new bit must be 0 or 1");
    uint8_t *data = make_bits(call->arena, bits.count, result);
    if (data == NULL) return no_memory();
    for (uint32_t i = 0; i < bits.count; i++) {
        if (i == (uint32_t)index ? args[2].integer == 1 : get(bits, i)) set(data, i);
    }
    return STATUS_OK;
}

BODY(bit_octets)
{
    (void)call;
    *result = datum_int(byte_count(bits_of(args[0]).count));
    return STATUS_OK;
}

// Where the second stands in the first, from 1; 0: nowhere.
BODY(bit_position)
{
    (void)call;
    struct bits in = bits_of(args[0]), what = bits_of(args[1]);
    *result = datum_int(0);
    if (in.count == 0 || what.count > in.count) return STATUS_OK;
    for (uint32_t start = 0; start <= in.count - what.count; start++) {
        uint32_t same = 0;
        while (same < what.count && get(in, start + same) == get(what, same)) same++;
        if (same < what.count) continue;
        *result = datum_int(start + 1);
        break;
    }
    return STATUS_OK;
}

BODY(bit_overlay)
{
    struct bits bits = bits_of(args[0]), part = bits_of(args[1]);
    int64_t start = args[2].integer, length = call->arg_count == 4 ? args[3].integer : part.count;
    if (start <= 0) return status_make(E_SUBSTRING_ERROR, "negative substring length not allowed");
    int64_t after = start + length;
    if (after > INT32_MAX) return status_make(E_NUMERIC_OUT_OF_RANGE, "integer out of range");
    uint32_t head = start - 1 < bits.count ? (uint32_t)start - 1 : bits.count;
    uint32_t tail = after < 1 ? 0 : after - 1 < bits.count ? (uint32_t)after - 1 : bits.count;
    uint64_t count = (uint64_t)head + part.count + bits.count - tail;
    if (count > BITS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "bit string length exceeds the maximum allowed");
    uint8_t *data = make_bits(call->arena, (uint32_t)count, result);
    if (data == NULL) return no_memory();
    copy_bits(data, 0, bits, 0, head);
    copy_bits(data, head, part, 0, part.count);
    copy_bits(data, head + part.count, bits, tail, bits.count - tail);
    return STATUS_OK;
}

// The number's lowest bits, as many as the type has places; filled with its sign.
struct status cast_int_to_bit(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    uint32_t count = call->result_type.typmod < 0 ? 1 : (uint32_t)call->result_type.typmod;
    uint64_t value = (uint64_t)args[0].integer;
    uint8_t *data = make_bits(call->arena, count, result);
    if (data == NULL) return no_memory();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = count - 1 - i;
        bool one = place < 64 ? (value >> place & 1) != 0 : args[0].integer < 0;
        if (one) set(data, i);
    }
    return STATUS_OK;
}

struct status cast_bit_to_int(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct bits bits = bits_of(args[0]);
    uint32_t width = call->result_type.oid == TYPE_INT4 ? 32 : 64;
    uint64_t value = 0;
    if (bits.count > width) return number_out_of_range(call->result_type.oid);
    for (uint32_t i = 0; i < bits.count; i++)
        value = value << 1 | get(bits, i);
    *result = datum_int(width == 32 ? (int64_t)(int32_t)value : (int64_t)value);
    return STATUS_OK;
}

// --- aggregates --------------------------------------------------------------------------------------------

struct bit_fold {
    bool any;
    uint32_t count;
    uint8_t *data;
};

static struct status fold(
    struct function_call *call, struct bit_fold *state, struct bits bits, enum operation operation)
{
    static const char *const names[] = {"AND", "OR", "XOR"};
    uint32_t size = byte_count(bits.count);
    if (!state->any) {
        *state = (struct bit_fold){true, bits.count, arena_try_alloc(call->arena, size + 1u)};
        if (state->data == NULL) return no_memory();
        memcpy(state->data, bits.data, size);
        return STATUS_OK;
    }
    if (state->count != bits.count)
        return status_format(call->arena, E_STRING_LENGTH_MISMATCH,
            "cannot %s bit strings of different sizes", names[operation]);
    for (uint32_t i = 0; i < size; i++)
        state->data[i] = (uint8_t)(operation == BITS_AND  ? state->data[i] & bits.data[i]
                                   : operation == BITS_OR ? state->data[i] | bits.data[i]
                                                          : state->data[i] ^ bits.data[i]);
    return STATUS_OK;
}

static struct status fold_final(struct function_call *call, void *state_, struct datum *result)
{
    const struct bit_fold *state = state_;
    *result = DATUM_NULL;
    if (!state->any) return STATUS_OK;
    uint8_t *data = make_bits(call->arena, state->count, result);
    if (data == NULL) return no_memory();
    memcpy(data, state->data, byte_count(state->count));
    return STATUS_OK;
}

#define FOLD(name, operation)                                                                      \
    static struct status name##_step(                                                              \
        struct function_call *call, void *state, const struct datum *args)                         \
    {                                                                                              \
        return fold(call, state, bits_of(args[0]), operation);                                     \
    }                                                                                              \
    static struct status name##_merge(struct function_call *call, void *state, const void *other_) \
    {                                                                                              \
        const struct bit_fold *other = other_;                                                     \
        return other->any ? fold(call, state, (struct bits){other->count, other->data}, operation) \
                          : STATUS_OK;                                                             \
    }                                                                                              \
    static const struct aggregate_ops name##_ops = {.state_bytes = sizeof(struct bit_fold),        \
        .step = name##_step,                                                                       \
        .merge = name##_merge,                                                                     \
        .final = fold_final};
FOLD(fold_and, BITS_AND)
FOLD(fold_or, BITS_OR)
FOLD(fold_xor, BITS_XOR)

// clang-format off
static const struct function table[] = {
    AGGREGATE("bit_and", 2242, BIT, &fold_and_ops, TYPE_BIT),
    AGGREGATE("bit_or", 2243, BIT, &fold_or_ops, TYPE_BIT),
    AGGREGATE("bit_xor", 6167, BIT, &fold_xor_ops, TYPE_BIT),
    OPERATOR("&", 1791, BIT, bit_and, "&", NULL, TYPE_BIT, TYPE_BIT),
    OPERATOR("|", 1792, BIT, bit_or, "|", NULL, TYPE_BIT, TYPE_BIT),
    OPERATOR("#", 1793, BIT, bit_xor, "#", NULL, TYPE_BIT, TYPE_BIT),
    OPERATOR("~", 1794, BIT, bit_not, NULL, NULL, TYPE_BIT),
    OPERATOR("<<", 1795, BIT, bit_shift_left, NULL, NULL, TYPE_BIT, TYPE_INT4),
    OPERATOR(">>", 1796, BIT, bit_shift_right, NULL, NULL, TYPE_BIT, TYPE_INT4),
    OPERATOR("||", 1797, VARBIT, bit_concatenate, NULL, NULL, TYPE_VARBIT, TYPE_VARBIT),
    SCALAR("length", 1681, INT4, bit_length, TYPE_BIT),
    SCALAR("bit_length", 1812, INT4, bit_length, TYPE_BIT),
    SCALAR("bit_count", 6162, INT8, bit_count, TYPE_BIT),
    SCALAR("substring", 1699, BIT, bit_substring, TYPE_BIT, TYPE_INT4),
    SCALAR("substring", 1680, BIT, bit_substring, TYPE_BIT, TYPE_INT4, TYPE_INT4),
    SCALAR("set_bit", 3033, BIT, bit_set, TYPE_BIT, TYPE_INT4, TYPE_INT4),
    SCALAR("octet_length", 1682, INT4, bit_octets, TYPE_BIT),
    SCALAR("position", 1698, INT4, bit_position, TYPE_BIT, TYPE_BIT),
    SCALAR("overlay", 3030, BIT, bit_overlay, TYPE_BIT, TYPE_BIT, TYPE_INT4, TYPE_INT4),
    SCALAR("overlay", 3031, BIT, bit_overlay, TYPE_BIT, TYPE_BIT, TYPE_INT4),
    SCALAR("get_bit", 3032, INT4, bit_get, TYPE_BIT, TYPE_INT4),
};
// clang-format on

void functions_bit_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
