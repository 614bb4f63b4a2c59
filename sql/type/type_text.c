// SPDX-License-Identifier: GPL-3.0-or-later
//
// text, varchar, char(n), name, bytea, uuid, tid.
#include <xxhash.h>

#include "core/deep.h"
#include "core/work.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

#define PIECE_BYTES (256u << 10)

// Of a long text by pieces, at whose ends a character may be cut.
struct status type_check_utf8(struct arena *arena, struct bytes text)
{
    size_t valid = 0;
    while (text.size - valid > PIECE_BYTES) {
        const size_t good = utf8_valid_prefix(bytes_of(text.data + valid, PIECE_BYTES));
        valid += good;
        if (good + 4 <= PIECE_BYTES) break;
        const struct status st = task_work(task_current(), good);
        if (failed(st)) return st;
    }
    valid += utf8_valid_prefix(bytes_skip(text, valid));
    if (valid == text.size) return STATUS_OK;
    struct buffer bad;
    buffer_init(&bad, arena);
    size_t size = text.data[valid] >= 0xf8 ? 1 : utf8_step(text, valid);
    for (size_t i = 0; i < size; i++)
        buffer_printf(&bad, "%s0x%02x", i == 0 ? "" : " ", text.data[valid + i]);
    return status_format(arena, E_CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\": %s", buffer_string(&bad));
}

static struct status copy_bytes(struct arena *arena, struct bytes text, struct datum *value)
{
    uint8_t *copy = arena_try_alloc(arena, text.size);
    if (copy == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    (void)task_copy_to(copy, text);
    *value = datum_bytes(bytes_of(copy, text.size));
    return text.size > PIECE_BYTES && task_current() != NULL ? task_check(task_current()) : STATUS_OK;
}

static struct status text_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    struct status st = type_check_utf8(arena, text);
    if (!failed(st)) st = copy_bytes(arena, text, value);
    return st;
}

static void bytes_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    if (UNLIKELY(value.size > PIECE_BYTES)) task_append(out, datum_as_bytes(value));
    else buffer_append(out, value.data, value.size);
}

static struct status text_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    return text_input(arena, NULL, type, binary, value);
}

static void bytes_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    if (UNLIKELY(value.size > PIECE_BYTES)) task_append(out, datum_as_bytes(value));
    else buffer_append(out, value.data, value.size);
}

static int compare_bytes(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return bytes_compare(datum_as_bytes(a), datum_as_bytes(b));
}

static struct status too_long(struct arena *arena, const char *type, int32_t length)
{
    return status_format(
        arena, E_STRING_TOO_LONG, "value too long for type %s(%d)", type, length);
}

static bool all_spaces(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != ' ') return false;
    }
    return true;
}

// Text beyond the limit is cut when asked for explicitly or when it is only spaces (SQL standard).
static struct status varchar_coerce(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    *out = in;
    if (type.oid != TYPE_VARCHAR) return STATUS_OK;
    int32_t length = type.typmod - 4;
    if (in.size <= (uint32_t)length) return STATUS_OK;
    struct bytes text = datum_as_bytes(in);
    size_t keep = utf8_prefix_bytes(text, (size_t)length);
    if (!is_explicit && !all_spaces(bytes_skip(text, keep)))
        return too_long(arena, "character varying", length);
    out->size = (uint32_t)keep;
    return STATUS_OK;
}

const struct type_ops type_ops_text = {.storage = TYPE_STORE_BYTES,
    .input = text_input,
    .output = bytes_output,
    .receive = text_receive,
    .send = bytes_send,
    .compare = compare_bytes,
    .coerce = varchar_coerce};

// --- char(n): spaces at the end do not count ------------------------------------------------------------

static struct bytes without_padding(struct datum value)
{
    struct bytes text = datum_as_bytes(value);
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

static int bpchar_compare(type_oid oid, struct datum a, struct datum b)
{
    (void)oid;
    return bytes_compare(without_padding(a), without_padding(b));
}

static uint64_t bpchar_hash(type_oid oid, struct datum value)
{
    (void)oid;
    struct bytes text = without_padding(value);
    return XXH3_64bits(text.data, text.size);
}

static void bpchar_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    (void)oid;
    key_append_bytes(key, without_padding(value), order);
}

static struct status bpchar_coerce(struct arena *arena, struct type type, bool is_explicit,
    struct datum in, struct datum *out)
{
    uint64_t length = (uint64_t)(type.typmod - 4);
    struct bytes text = datum_as_bytes(in);
    uint64_t count = utf8_length(text);
    *out = in;
    if (count == length) return STATUS_OK;
    if (count > length) {
        size_t keep = utf8_prefix_bytes(text, length);
        if (!is_explicit && !all_spaces(bytes_skip(text, keep)))
            return too_long(arena, "character", (int32_t)length);
        out->size = (uint32_t)keep;
        return STATUS_OK;
    }
    size_t size = text.size + (size_t)(length - count);
    uint8_t *padded = arena_try_alloc(arena, size);
    if (padded == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    if (text.size > 0) memcpy(padded, text.data, text.size);
    memset(padded + text.size, ' ', size - text.size);
    *out = datum_bytes(bytes_of(padded, size));
    return STATUS_OK;
}

const struct type_ops type_ops_bpchar = {.storage = TYPE_STORE_BYTES,
    .key_inexact = true,
    .input = text_input,
    .output = bytes_output,
    .receive = text_receive,
    .send = bytes_send,
    .compare = bpchar_compare,
    .hash = bpchar_hash,
    .key_encode = bpchar_key_encode,
    .coerce = bpchar_coerce};

// --- name: at most 63 bytes, the rest is dropped ------------------------------------------------------------

#define NAME_BYTES_MAX 63

static struct status name_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    if (text.size > NAME_BYTES_MAX) {
        struct status st = type_check_utf8(arena, text);
        if (failed(st)) return st;
        size_t keep = 0;
        while (keep + utf8_step(text, keep) <= NAME_BYTES_MAX)
            keep += utf8_step(text, keep);
        text.size = keep;
    }
    return text_input(arena, context, type, text, value);
}

static struct status name_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    if (binary.size > NAME_BYTES_MAX)
        return status_make(E_INVALID_NAME, "identifier too long");
    return text_input(arena, NULL, type, binary, value);
}

const struct type_ops type_ops_name = {.storage = TYPE_STORE_BYTES,
    .input = name_input,
    .output = bytes_output,
    .receive = name_receive,
    .send = bytes_send,
    .compare = compare_bytes};

// --- bytea ---------------------------------------------------------------------------------------------------

#define POLL_BYTES (16u << 10)

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct status hex_input(struct arena *arena, struct bytes text, struct datum *value)
{
    uint8_t *out = arena_try_alloc(arena, text.size / 2 + 1);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    struct status st = STATUS_OK;
    size_t size = 0;
    for (size_t i = 0; i < text.size;) {
        uint8_t c = text.data[i];
        if (size % POLL_BYTES == 0) TRY(task_poll(task_current()));
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
            i++;
            continue;
        }
        int high = hex_digit(c);
        if (high >= 0 && i + 1 >= text.size)
            return status_make(
                E_INVALID_PARAMETER_VALUE, "invalid hexadecimal data: odd number of digits");
        int low = high < 0 ? -1 : hex_digit(text.data[i + 1]);
        if (low < 0) {
            size_t bad = high < 0 ? i : i + 1;
            return status_format(arena, E_INVALID_PARAMETER_VALUE,
                "invalid hexadecimal digit: \"%.*s\"", (int)utf8_step(text, bad),
                (const char *)text.data + bad);
        }
        out[size++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *value = datum_bytes(bytes_of(out, size));
out:
    return st;
}

static bool octal(struct bytes text, size_t at)
{
    return at + 3 < text.size && text.data[at + 1] >= '0' && text.data[at + 1] <= '3' &&
           text.data[at + 2] >= '0' && text.data[at + 2] <= '7' && text.data[at + 3] >= '0' &&
           text.data[at + 3] <= '7';
}

static struct status bytea_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    (void)context, (void)type;
    if (text.size >= 2 && text.data[0] == '\\' && text.data[1] == 'x')
        return hex_input(arena, bytes_skip(text, 2), value);
    uint8_t *out = arena_try_alloc(arena, text.size);
    if (out == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    size_t size = 0;
    for (size_t i = 0; i < text.size;) {
        if (size % POLL_BYTES == 0) TRY(task_poll(task_current()));
        if (text.data[i] != '\\') {
            out[size++] = text.data[i++];
        } else if (i + 1 < text.size && text.data[i + 1] == '\\') {
            out[size++] = '\\';
            i += 2;
        } else if (octal(text, i)) {
            out[size++] = (uint8_t)((text.data[i + 1] - '0') << 6 | (text.data[i + 2] - '0') << 3 |
                                    (text.data[i + 3] - '0'));
            i += 4;
        } else {
            return status_make(
                E_INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea");
        }
    }
    *value = datum_bytes(bytes_of(out, size));
out:
    return st;
}

static void bytea_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    static const char digits[] = "0123456789abcdef";
    (void)oid;
    if (context->bytea_output == BYTEA_HEX) {
        uint8_t *at = buffer_reserve(out, 2 + (size_t)value.size * 2);
        *at++ = '\\';
        *at++ = 'x';
        for (uint32_t i = 0; i < value.size; i++) {
            if (i % POLL_BYTES == POLL_BYTES - 1 && !task_goes_on(POLL_BYTES)) return;
            *at++ = (uint8_t)digits[value.data[i] >> 4];
            *at++ = (uint8_t)digits[value.data[i] & 15];
        }
        out->size += 2 + (size_t)value.size * 2;
        return;
    }
    for (uint32_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (i % POLL_BYTES == POLL_BYTES - 1 && !task_goes_on(POLL_BYTES)) return;
        if (c == '\\') {
            buffer_append_string(out, "\\\\");
        } else if (c < 0x20 || c > 0x7e) {
            buffer_printf(out, "\\%03o", c);
        } else {
            buffer_append_u8(out, c);
        }
    }
}

static struct status bytea_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    return copy_bytes(arena, binary, value);
}

const struct type_ops type_ops_bytea = {.storage = TYPE_STORE_BYTES,
    .input = bytea_input,
    .output = bytea_output,
    .receive = bytea_receive,
    .send = bytes_send,
    .compare = compare_bytes};

// --- uuid ------------------------------------------------------------------------------------------------------

// 32 hexadecimal digits, hyphens after any group of four, braces around or not.
static struct status uuid_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    (void)context, (void)type;
    size_t at = 0;
    bool braces = text.size > 0 && text.data[0] == '{';
    if (braces) at++;
    uint8_t *out = arena_alloc(arena, 16);
    for (uint32_t i = 0; i < 16; i++) {
        if (at + 1 >= text.size) return type_error_syntax(arena, "uuid", text);
        int high = hex_digit(text.data[at]), low = hex_digit(text.data[at + 1]);
        if (high < 0 || low < 0) return type_error_syntax(arena, "uuid", text);
        out[i] = (uint8_t)(high << 4 | low);
        at += 2;
        if (i % 2 == 1 && i < 15 && at < text.size && text.data[at] == '-') at++;
    }
    if (braces) {
        if (at >= text.size || text.data[at] != '}') return type_error_syntax(arena, "uuid", text);
        at++;
    }
    if (at != text.size) return type_error_syntax(arena, "uuid", text);
    *value = datum_bytes(bytes_of(out, 16));
    return STATUS_OK;
}

static void uuid_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    static const char digits[] = "0123456789abcdef";
    (void)context, (void)oid;
    for (uint32_t i = 0; i < value.size; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) buffer_append_u8(out, '-');
        buffer_append_u8(out, (uint8_t)digits[value.data[i] >> 4]);
        buffer_append_u8(out, (uint8_t)digits[value.data[i] & 15]);
    }
}

static struct status uuid_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 16) return type_error_binary(arena, "uuid");
    return copy_bytes(arena, binary, value);
}

const struct type_ops type_ops_uuid = {.storage = TYPE_STORE_BYTES,
    .input = uuid_input,
    .output = uuid_output,
    .receive = uuid_receive,
    .send = bytes_send,
    .compare = compare_bytes};

// --- tid: block and item, as six big-endian bytes ------------------------------------------------------------------

static struct status tid_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes whole, struct datum *value)
{
    (void)context, (void)type;
    struct bytes text = type_trim(whole);
    const uint8_t *comma = text.size < 5 ? NULL : memchr(text.data, ',', text.size);
    if (comma == NULL || text.data[0] != '(' || text.data[text.size - 1] != ')')
        return type_error_syntax(arena, "tid", whole);
    int64_t block, item;
    struct bytes first = bytes_of(text.data + 1, (size_t)(comma - text.data) - 1);
    struct bytes second = bytes_of(comma + 1, (size_t)(text.data + text.size - comma) - 2);
    if (failed(type_parse_int(arena, "tid", first, 0, UINT32_MAX, &block)) ||
        failed(type_parse_int(arena, "tid", second, 0, UINT16_MAX, &item)))
        return type_error_syntax(arena, "tid", whole);
    struct buffer out;
    buffer_init(&out, arena);
    type_store_int(&out, (uint64_t)block, 4);
    type_store_int(&out, (uint64_t)item, 2);
    *value = datum_bytes(buffer_bytes(&out));
    return STATUS_OK;
}

static void tid_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    if (value.size != 6) return;
    buffer_printf(out, "(%u,%u)", (uint32_t)type_load_int(value.data, 4),
        (uint32_t)(uint16_t)type_load_int(value.data + 4, 2));
}

static struct status tid_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    (void)type;
    if (binary.size != 6) return type_error_binary(arena, "tid");
    return copy_bytes(arena, binary, value);
}

const struct type_ops type_ops_tid = {.storage = TYPE_STORE_BYTES,
    .input = tid_input,
    .output = tid_output,
    .receive = tid_receive,
    .send = bytes_send,
    .compare = compare_bytes};
