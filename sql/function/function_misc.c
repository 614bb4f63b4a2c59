// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hashes, encodings of bytes, random numbers and uuids, and functions about arguments themselves.
#include "core/shard.h"
#include "core/text.h"
#include "sql/type/encoding.h"
#include "sql/function/function_table.h"
#include "sql/type/long_text.h"
#include "sql/type/numeric.h"
#include "sql/session/session.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

#define WORK_EVERY 4096u // Bytes between calls of function_work.

// --- hashes ----------------------------------------------------------------------------------------------

static struct status give_hex(
    struct function_call *call, struct bytes bytes, struct datum *result)
{
    char *text = arena_alloc(call->arena, bytes.size * 2 + 1);
    crypto_hex_encode(bytes, text);
    *result = datum_bytes(bytes_of(text, bytes.size * 2));
    return STATUS_OK;
}

BODY(md5)
{
    uint8_t digest[CRYPTO_DIGEST_BYTES_MAX];
    size_t size;
    struct status st = long_digest(call, CRYPTO_MD5, datum_as_bytes(args[0]), digest, &size);
    return failed(st) ? st : give_hex(call, bytes_of(digest, size), result);
}

static struct status give_digest(struct function_call *call, enum crypto_digest_kind kind,
    struct bytes data, struct datum *result)
{
    uint8_t *digest = arena_alloc(call->arena, CRYPTO_DIGEST_BYTES_MAX);
    size_t size;
    struct status st = long_digest(call, kind, data, digest, &size);
    *result = datum_bytes(bytes_of(digest, size));
    return st;
}

#define SHA(name, kind) \
    BODY(name) \
    { \
        return give_digest(call, kind, datum_as_bytes(args[0]), result); \
    }
SHA(sha224, CRYPTO_SHA224)
SHA(sha256, CRYPTO_SHA256)
SHA(sha384, CRYPTO_SHA384)
SHA(sha512, CRYPTO_SHA512)

// --- encode and decode ---------------------------------------------------------------------------------------

#define BASE64_LINE 76

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct status encode_base64(
    struct function_call *call, struct bytes in, uint8_t *out, size_t *size)
{
    struct status st = STATUS_OK;
    size_t written = 0, line = 0;
    for (size_t i = 0; i < in.size; i += 3) {
        uint32_t left = in.size - i < 3 ? (uint32_t)(in.size - i) : 3;
        uint32_t bits = (uint32_t)in.data[i] << 16;
        if (left > 1) bits |= (uint32_t)in.data[i + 1] << 8;
        if (left > 2) bits |= in.data[i + 2];
        for (uint32_t j = 0; j < 4; j++)
            out[written++] = (uint8_t)(j <= left ? base64_digits[bits >> (18 - 6 * j) & 63] : '=');
        line += 4;
        if (line >= BASE64_LINE) {
            out[written++] = '\n';
            line = 0;
            TRY(function_work(call, BASE64_LINE));
        }
    }
    if (line == 0 && written > 0) written--; // No line ends at the very end.
    *size = written;
out:
    return st;
}

static struct status encode_escape(
    struct function_call *call, struct bytes in, uint8_t *out, size_t *size)
{
    struct status st = STATUS_OK;
    size_t written = 0;
    for (size_t i = 0; i < in.size; i++) {
        if (i % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        uint8_t c = in.data[i];
        if (c == 0 || c >= 0x80) {
            out[written++] = '\\';
            out[written++] = (uint8_t)('0' + (c >> 6));
            out[written++] = (uint8_t)('0' + (c >> 3 & 7));
            out[written++] = (uint8_t)('0' + (c & 7));
        } else {
            if (c == '\\') out[written++] = '\\';
            out[written++] = c;
        }
    }
    *size = written;
out:
    return st;
}

static struct status encode_hex(
    struct function_call *call, struct bytes in, uint8_t *out, size_t *size)
{
    struct status st = STATUS_OK;
    for (size_t i = 0; i < in.size; i++) {
        if (i % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        out[2 * i] = (uint8_t)"0123456789abcdef"[in.data[i] >> 4];
        out[2 * i + 1] = (uint8_t)"0123456789abcdef"[in.data[i] & 15];
    }
    *size = in.size * 2;
out:
    return st;
}

static struct status unknown_encoding(struct function_call *call, struct bytes name)
{
    return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
        "unrecognized encoding: \"%.*s\"", bytes_shown(name), (const char *)name.data);
}

BODY(encode)
{
    struct bytes in = datum_as_bytes(args[0]), format = datum_as_bytes(args[1]);
    uint64_t size = (uint64_t)in.size * 4 + 8;
    uint8_t *out = function_room(call, size);
    if (out == NULL) return function_no_memory(size);
    size_t written = 0;
    struct status st = type_word_is(format, "hex")      ? encode_hex(call, in, out, &written)
                       : type_word_is(format, "base64") ? encode_base64(call, in, out, &written)
                       : type_word_is(format, "escape") ? encode_escape(call, in, out, &written)
                                                        : unknown_encoding(call, format);
    *result = datum_bytes(bytes_of(out, written));
    return st;
}

static struct status decode_base64(
    struct function_call *call, struct bytes in, uint8_t *out, size_t *written)
{
    uint32_t bits = 0, count = 0, end = 0;
    struct status st = STATUS_OK;
    *written = 0;
    for (size_t i = 0; i < in.size; i++) {
        if (i % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        uint8_t c = in.data[i];
        const char *digit = c == 0 ? NULL : strchr(base64_digits, c);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
        if (c == '=') {
            if (end == 0 && count < 2)
                return status_make(
                    E_INVALID_PARAMETER_VALUE, "unexpected \"=\" while decoding base64 sequence");
            if (end == 0) end = count == 2 ? 1 : 2; // Bytes of the last group.
            bits <<= 6;
        } else if (digit == NULL || end != 0) {
            return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
                "invalid symbol \"%.*s\" found while decoding base64 sequence",
                (int)utf8_step(in, i), (const char *)in.data + i);
        } else {
            bits = bits << 6 | (uint32_t)(digit - base64_digits);
        }
        if (++count < 4) continue;
        uint32_t bytes = end == 0 ? 3 : end;
        for (uint32_t j = 0; j < bytes; j++)
            out[(*written)++] = (uint8_t)(bits >> (16 - 8 * j));
        bits = count = 0;
    }
    if (count == 0) return st;
    return status_hint(call->arena,
        status_format(
            call->arena, E_INVALID_PARAMETER_VALUE, "%s", "invalid base64 end sequence"),
        "Input data is missing padding, is truncated, or is otherwise corrupted.");
out:
    return st;
}

BODY(decode)
{
    struct bytes in = datum_as_bytes(args[0]), format = datum_as_bytes(args[1]);
    if (type_word_is(format, "base64")) {
        uint8_t *out = function_room(call, in.size);
        size_t written;
        if (out == NULL) return function_no_memory(in.size);
        struct status st = decode_base64(call, in, out, &written);
        if (!failed(st)) *result = datum_bytes(bytes_of(out, written));
        return st;
    }
    bool hex = type_word_is(format, "hex");
    if (!hex && !type_word_is(format, "escape")) return unknown_encoding(call, format);
    // bytea's own text forms; a \x in front would make the one out of the other.
    uint8_t *text = function_room(call, (uint64_t)in.size + 2);
    if (text == NULL) return function_no_memory(in.size);
    size_t prefix = hex ? 2 : 0;
    text[0] = '\\';
    text[1] = 'x';
    if (in.size > 0) memcpy(text + prefix, in.data, in.size);
    return type_input(
        call->arena, call->context, TYPE_OF(TYPE_BYTEA), bytes_of(text, in.size + prefix), result);
}

static struct status find_encoding(
    struct function_call *call, struct datum name, const char *what, int32_t *encoding)
{
    *encoding = encoding_find(datum_as_bytes(name));
    if (*encoding >= 0) return STATUS_OK;
    return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "invalid %sencoding name \"%.*s\"",
        what, bytes_shown(datum_as_bytes(name)), (const char *)name.data);
}

BODY(convert_from)
{
    struct status st = STATUS_OK;
    int32_t source;
    struct bytes text;
    TRY(find_encoding(call, args[1], "source ", &source));
    TRY(encoding_to_utf8(call->arena, source, datum_as_bytes(args[0]), &text));
    *result = datum_bytes(text);
out:
    return st;
}

BODY(convert_to)
{
    struct status st = STATUS_OK;
    int32_t target;
    struct bytes text;
    TRY(find_encoding(call, args[1], "destination ", &target));
    TRY(encoding_from_utf8(call->arena, target, datum_as_bytes(args[0]), &text));
    *result = datum_bytes(text);
out:
    return st;
}

// Besides those with UTF8 PostgreSQL has conversions within a few families.
static bool is_direct(int32_t source, int32_t target)
{
    static const uint64_t families[] = {1ull << 20 | 1ull << 22 | 1ull << 23 | 1ull << 25,
        1ull << 9 | 1ull << 29, 1ull << 1 | 1ull << 35, 1ull << 4 | 1ull << 36};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if ((families[i] >> source & 1) != 0 && (families[i] >> target & 1) != 0) return true;
    return source == ENCODING_UTF8 || target == ENCODING_UTF8 || source == target ||
           source == ENCODING_SQL_ASCII || target == ENCODING_SQL_ASCII;
}

BODY(convert)
{
    struct status st = STATUS_OK;
    int32_t source, target;
    struct bytes text = datum_as_bytes(args[0]), utf8;
    TRY(find_encoding(call, args[1], "source ", &source));
    TRY(find_encoding(call, args[2], "destination ", &target));
    *result = args[0];
    if (source == ENCODING_SQL_ASCII) goto out;
    if (!is_direct(source, target))
        return status_format(call->arena, E_UNDEFINED_FUNCTION,
            "default conversion function for encoding \"%s\" to \"%s\" does not exist",
            encoding_name(source), encoding_name(target));
    TRY(encoding_to_utf8(call->arena, source, text, &utf8));
    if (source == target || target == ENCODING_SQL_ASCII) goto out;
    TRY(encoding_from_utf8(call->arena, target, utf8, &text));
    *result = datum_bytes(text);
out:
    return st;
}

BODY(length_in_encoding)
{
    struct status st = STATUS_OK;
    int32_t encoding;
    struct bytes text = datum_as_bytes(args[0]);
    TRY(find_encoding(call, args[1], "", &encoding));
    *result = datum_int((int64_t)text.size);
    if (encoding == ENCODING_SQL_ASCII) goto out;
    TRY(encoding_to_utf8(call->arena, encoding, text, &text));
    int64_t count;
    TRY(long_length(call, text, &count));
    *result = datum_int(count);
out:
    return st;
}

// --- bytes and bits of a bytea ---------------------------------------------------------------------------------

static struct status check_index(struct function_call *call, int64_t index, int64_t count)
{
    if (index >= 0 && index < count) return STATUS_OK;
    return status_format(call->arena, E_ARRAY_SUBSCRIPT_ERROR,
        "index %lld out of valid range, 0..%lld", (long long)index, (long long)count - 1);
}

BODY(get_byte)
{
    struct status st = check_index(call, args[1].integer, args[0].size);
    if (!failed(st)) *result = datum_int(args[0].data[args[1].integer]);
    return st;
}

BODY(set_byte)
{
    struct status st = check_index(call, args[1].integer, args[0].size);
    if (failed(st)) return st;
    st = function_text(call, datum_as_bytes(args[0]), result);
    if (!failed(st)) ((uint8_t *)(uintptr_t)result->data)[args[1].integer] = (uint8_t)args[2].integer;
    return st;
}

BODY(get_bit)
{
    int64_t index = args[1].integer;
    struct status st = check_index(call, index, (int64_t)args[0].size * 8);
    if (!failed(st)) *result = datum_int(args[0].data[index / 8] >> (index % 8) & 1);
    return st;
}

BODY(set_bit)
{
    int64_t index = args[1].integer;
    struct status st = check_index(call, index, (int64_t)args[0].size * 8);
    if (failed(st)) return st;
    if (args[2].integer != 0 && args[2].integer != 1)
        return status_make(E_INVALID_PARAMETER_VALUE, "new bit must be 0 or 1");
    st = function_text(call, datum_as_bytes(args[0]), result);
    if (failed(st)) return st;
    uint8_t *byte = (uint8_t *)(uintptr_t)result->data + index / 8;
    *byte = (uint8_t)((*byte & ~(1u << (index % 8))) | (uint32_t)args[2].integer << (index % 8));
    return st;
}

BODY(bit_count)
{
    struct status st = STATUS_OK;
    int64_t count = 0;
    for (uint32_t i = 0; i < args[0].size; i++) {
        if (i % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        count += __builtin_popcount(args[0].data[i]);
    }
    *result = datum_int(count);
out:
    return st;
}

// --- randomness ---------------------------------------------------------------------------------------------------

static struct env *env_of(const struct function_call *call)
{
    if (call->task != NULL) return call->task->shard->env;
    return call->session == NULL ? NULL : call->session->shard->env;
}

static struct status no_env(void)
{
    return status_make(E_INTERNAL, "volatile function outside of a statement");
}

static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// The session's own sequence after setseed(), the node's randomness before.
BODY(random_number)
{
    struct env *env = env_of(call);
    (void)args;
    if (env == NULL) return no_env();
    uint64_t bits = call->session != NULL && call->session->random_seeded
        ? split_mix(&call->session->random_state)
        : env->random(env);
    *result = datum_real((double)(bits >> 11) * 0x1p-53);
    return STATUS_OK;
}

BODY(set_seed)
{
    double seed = args[0].real;
    if (!(seed >= -1 && seed <= 1))
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "setseed parameter %g is out of allowed range [-1,1]", seed);
    if (call->session == NULL) return no_env();
    memcpy(&call->session->random_state, &seed, sizeof seed);
    call->session->random_seeded = true;
    *result = datum_bytes(bytes_of(NULL, 0));
    return STATUS_OK;
}

BODY(random_uuid)
{
    struct env *env = env_of(call);
    (void)args;
    if (env == NULL) return no_env();
    uint8_t *uuid = arena_alloc(call->arena, 16);
    env->random_bytes(env, uuid, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); // RFC 4122, version 4
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    *result = datum_bytes(bytes_of(uuid, 16));
    return STATUS_OK;
}

// --- about arguments -----------------------------------------------------------------------------------------------

BODY(type_of)
{
    (void)args;
    *result = datum_int(call->arg_types[0].oid);
    return STATUS_OK;
}

static int64_t count_nulls(const struct function_call *call, const struct datum *args)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < call->arg_count; i++)
        count += args[i].null;
    return count;
}

BODY(num_nulls)
{
    *result = datum_int(count_nulls(call, args));
    return STATUS_OK;
}

BODY(num_nonnulls)
{
    *result = datum_int((int64_t)call->arg_count - count_nulls(call, args));
    return STATUS_OK;
}

// Bytes of the stored form.
BODY(column_size)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    type_value_encode(&out, call->arg_types[0].oid, args[0]);
    *result = datum_int((int64_t)out.size);
    return STATUS_OK;
}

// --- positions in a log --------------------------------------------------------------------------------------

static struct status move_lsn(struct function_call *call, struct datum lsn, struct datum bytes,
    int sign, struct datum *result)
{
    struct status st = STATUS_OK;
    __int128 by;
    if (numeric_is_nan(bytes))
        return status_make(E_FEATURE_NOT_SUPPORTED,
            sign > 0 ? "cannot add NaN to pg_lsn" : "cannot subtract NaN from pg_lsn");
    if (numeric_is_infinite(bytes))
        return status_make(E_FEATURE_NOT_SUPPORTED, "cannot convert infinity to pg_lsn");
    if (sign < 0) bytes = numeric_negate(call->arena, bytes);
    struct datum position = numeric_from_scaled(call->arena, (__int128)(uint64_t)lsn.integer, 0);
    TRY(numeric_add(call->arena, position, bytes, &bytes));
    // It is where one ends that is rounded: half a byte less is not half a byte more the other way.
    TRY(numeric_round(call->arena, bytes, 0, NUMERIC_HALF_AWAY, &bytes));
    if (!numeric_to_int128(bytes, 0, &by) || by < 0 || by > UINT64_MAX)
        return status_make(E_INVALID_PARAMETER_VALUE, "pg_lsn out of range");
    *result = datum_int((int64_t)(uint64_t)by);

out:
    return st;
}

BODY(lsn_plus)
{
    return move_lsn(call, args[0], args[1], 1, result);
}

BODY(plus_lsn)
{
    return move_lsn(call, args[1], args[0], 1, result);
}

BODY(lsn_minus)
{
    return move_lsn(call, args[0], args[1], -1, result);
}

BODY(lsn_difference)
{
    __int128 difference = (__int128)(uint64_t)args[0].integer - (uint64_t)args[1].integer;
    *result = numeric_from_scaled(call->arena, difference, 0);
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    OPERATOR("-", 3228, NUMERIC, lsn_difference, NULL, NULL, TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR("+", 5025, PG_LSN, lsn_plus, "+", NULL, TYPE_PG_LSN, TYPE_NUMERIC),
    OPERATOR("+", 5026, PG_LSN, plus_lsn, "+", NULL, TYPE_NUMERIC, TYPE_PG_LSN),
    OPERATOR("-", 5027, PG_LSN, lsn_minus, NULL, NULL, TYPE_PG_LSN, TYPE_NUMERIC),
    SCALAR("md5", 2311, TEXT, md5, TYPE_TEXT),
    SCALAR("md5", 2321, TEXT, md5, TYPE_BYTEA),
    SCALAR("sha224", 3419, BYTEA, sha224, TYPE_BYTEA),
    SCALAR("sha256", 3420, BYTEA, sha256, TYPE_BYTEA),
    SCALAR("sha384", 3421, BYTEA, sha384, TYPE_BYTEA),
    SCALAR("sha512", 3422, BYTEA, sha512, TYPE_BYTEA),
    SCALAR("encode", 1946, TEXT, encode, TYPE_BYTEA, TYPE_TEXT),
    SCALAR("decode", 1947, BYTEA, decode, TYPE_TEXT, TYPE_TEXT),
    STABLE("convert_from", 1714, TEXT, convert_from, TYPE_BYTEA, TYPE_NAME),
    STABLE("convert_to", 1717, BYTEA, convert_to, TYPE_TEXT, TYPE_NAME),
    SCALAR("convert", 1813, BYTEA, convert, TYPE_BYTEA, TYPE_NAME, TYPE_NAME),
    SCALAR("length", 1713, INT4, length_in_encoding, TYPE_BYTEA, TYPE_NAME),
    SCALAR("get_byte", 721, INT4, get_byte, TYPE_BYTEA, TYPE_INT4),
    SCALAR("set_byte", 722, BYTEA, set_byte, TYPE_BYTEA, TYPE_INT4, TYPE_INT4),
    SCALAR("get_bit", 723, INT4, get_bit, TYPE_BYTEA, TYPE_INT8),
    SCALAR("set_bit", 724, BYTEA, set_bit, TYPE_BYTEA, TYPE_INT8, TYPE_INT4),
    SCALAR("bit_count", 6163, INT8, bit_count, TYPE_BYTEA),
    SCALAR_NO_ARGS("random", 1598, FLOAT8, random_number, FUNCTION_VOLATILE),
    {.name = "setseed", .kind = FUNCTION_SCALAR, .oid = 1599, .result = TYPE_VOID, .strict = true,
        .volatility = FUNCTION_VOLATILE, .fn = set_seed, FN_ARGS(TYPE_FLOAT8)},
    SCALAR_NO_ARGS("gen_random_uuid", 3432, UUID, random_uuid, FUNCTION_VOLATILE),
    SCALAR_NO_ARGS("uuid_generate_v4", 100913, UUID, random_uuid, FUNCTION_VOLATILE),
    LAX_STABLE("pg_typeof", 1619, REGTYPE, type_of, TYPE_ANY),
    LAX_VARIADIC("num_nulls", 440, INT4, num_nulls, FUNCTION_IMMUTABLE, TYPE_ANY),
    LAX_VARIADIC("num_nonnulls", 438, INT4, num_nonnulls, FUNCTION_IMMUTABLE, TYPE_ANY),
    STABLE("pg_column_size", 1269, INT4, column_size, TYPE_ANY),
};
// clang-format on

void functions_misc_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
