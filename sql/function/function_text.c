// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions of text: lengths, parts, trimming, padding, case, normal forms.
#include <limits.h>
#include <utf8proc.h>

#include "core/text.h"
#include "sql/type/collation.h"
#include "sql/function/function_table.h"
#include "sql/type/long_text.h"
#include "sql/type/type_ops.h"
#include "sql/type/utf8.h"

// Characters between calls of function_work.
#define WORK_EVERY 1024u
#define NORMAL_PART_BYTES 2048u
#define NORMAL_WORK 16u // Steps a byte of a text that is normalized.

static struct bytes text_of(struct datum value)
{
    return datum_as_bytes(value);
}

// A part of an argument, not copied.
static struct status give(struct bytes part, struct datum *result)
{
    *result = datum_bytes(part);
    return STATUS_OK;
}

static struct status too_large(void)
{
    return status_make(E_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
}

// --- lengths -------------------------------------------------------------------------------------------

BODY(character_length)
{
    return long_length(call, text_of(args[0]), &result->integer);
}

static struct bytes without_padding(struct bytes text)
{
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

BODY(bpchar_length)
{
    return long_length(call, without_padding(text_of(args[0])), &result->integer);
}

BODY(byte_length)
{
    (void)call;
    *result = datum_int(args[0].size);
    return STATUS_OK;
}

BODY(bit_length)
{
    (void)call;
    *result = datum_int((int64_t)args[0].size * 8);
    return STATUS_OK;
}

// --- parts -----------------------------------------------------------------------------------------------

// Characters (or bytes) from `start`, counted from 1, to before `end`.
static struct status slice(struct function_call *call, struct bytes text, int64_t start,
    int64_t end, bool bytewise, struct bytes *part)
{
    struct status st = STATUS_OK;
    size_t from, size;
    *part = bytes_of(text.data, 0);
    if (start < 1) start = 1;
    if (end <= start) return st;
    if (bytewise) {
        if ((uint64_t)start > text.size) return st;
        from = (size_t)start - 1;
        size = ((uint64_t)end - 1 < text.size ? (size_t)end - 1 : text.size) - from;
    } else {
        TRY(long_prefix(call, text, start - 1, &from));
        TRY(long_prefix(call, bytes_skip(text, from), end - start, &size));
    }
    *part = bytes_of(text.data + from, size);
out:
    return st;
}

static struct status give_slice(struct function_call *call, struct bytes text, int64_t start,
    int64_t end, bool bytewise, struct datum *result)
{
    struct bytes part;
    struct status st = slice(call, text, start, end, bytewise, &part);
    return failed(st) ? st : give(part, result);
}

BODY(substring)
{
    bool bytewise = call->arg_types[0].oid == TYPE_BYTEA;
    int64_t start = args[1].integer, end = INT64_MAX;
    if (call->arg_count == 3) {
        if (args[2].integer < 0)
            return status_make(E_SUBSTRING_ERROR, "negative substring length not allowed");
        end = start + args[2].integer; // Both of 32 bits.
    }
    return give_slice(call, text_of(args[0]), start, end, bytewise, result);
}

// Negative: all but so many from the other side.
BODY(left)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]);
    int64_t count = args[1].integer, length = 0;
    if (count < 0) TRY(long_length(call, text, &length));
    st = give_slice(call, text, 1, length + count + 1, false, result);
out:
    return st;
}

BODY(right)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]);
    int64_t length, count = args[1].integer;
    TRY(long_length(call, text, &length));
    int64_t skip = count < 0 ? -count : length - count;
    st = give_slice(call, text, skip + 1, INT64_MAX, false, result);
out:
    return st;
}

BODY(position)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]);
    size_t at;
    int64_t before = 0;
    TRY(long_find(call, text, text_of(args[1]), 0, &at));
    if (at == SIZE_MAX)
        before = -1;
    else if (call->arg_types[0].oid == TYPE_BYTEA)
        before = (int64_t)at;
    else
        TRY(long_length(call, bytes_of(text.data, at), &before));
    *result = datum_int(before + 1);
out:
    return st;
}

BODY(starts_with)
{
    (void)call;
    *result = datum_bool(bytes_has_prefix(text_of(args[0]), text_of(args[1])));
    return STATUS_OK;
}

BODY(split_part)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]), by = text_of(args[1]);
    size_t start = 0, at;
    int64_t field = args[2].integer;
    if (field == 0)
        return status_make(E_INVALID_PARAMETER_VALUE, "field position must not be zero");
    if (by.size == 0)
        return give(field == 1 || field == -1 ? text : bytes_of(text.data, 0), result);
    if (field < 0) {
        for (field++;; start = at + by.size, field++) {
            TRY(long_find(call, text, by, start, &at));
            if (at == SIZE_MAX) break;
        }
        field++;
        start = 0;
        if (field < 1) return give(bytes_of(text.data, 0), result);
    }
    for (; field > 1; field--, start = at + by.size) {
        TRY(long_find(call, text, by, start, &at));
        if (at == SIZE_MAX) return give(bytes_of(text.data, 0), result);
    }
    TRY(long_find(call, text, by, start, &at));
    if (at == SIZE_MAX) at = text.size;
    st = give(bytes_of(text.data + start, at - start), result);
out:
    return st;
}

// --- trimming -----------------------------------------------------------------------------------------------

static struct bytes trim_set(const struct function_call *call, const struct datum *args)
{
    return call->arg_count == 2 ? text_of(args[1]) : BYTES_LITERAL(" ");
}

static bool in_set(struct bytes set, const uint8_t *character, size_t size)
{
    for (size_t i = 0; i < set.size; i += utf8_step(set, i)) {
        if (utf8_step(set, i) == size && memcmp(set.data + i, character, size) == 0) return true;
    }
    return false;
}

static struct status trim(struct function_call *call, const struct datum *args, bool front,
    bool back, struct datum *result)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]), set = trim_set(call, args);
    while (front && text.size > 0 && in_set(set, text.data, utf8_step(text, 0))) {
        text = bytes_skip(text, utf8_step(text, 0));
        if (text.size % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
    }
    while (back && text.size > 0) {
        size_t last = text.size - 1;
        while (last > 0 && (text.data[last] & 0xc0) == 0x80)
            last--;
        if (!in_set(set, text.data + last, text.size - last)) break;
        text.size = last;
        if (text.size % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
    }
    st = give(text, result);
out:
    return st;
}

BODY(trim_both)
{
    return trim(call, args, true, true, result);
}

BODY(trim_left)
{
    return trim(call, args, true, false, result);
}

BODY(trim_right)
{
    return trim(call, args, false, true, result);
}

static struct status trim_of_bytes(struct function_call *call,
    const struct datum *args, bool left, bool right, struct datum *result)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]), set = text_of(args[1]);
    const uint64_t work = 8 + set.size / 8;
    while (left && text.size > 0 && set.size > 0 && memchr(set.data, text.data[0], set.size) != NULL) {
        text = bytes_skip(text, 1);
        TRY(function_work(call, work));
    }
    while (right && text.size > 0 && set.size > 0 &&
           memchr(set.data, text.data[text.size - 1], set.size) != NULL) {
        text.size--;
        TRY(function_work(call, work));
    }
    st = give(text, result);

out:
    return st;
}

BODY(trim_bytes)
{
    return trim_of_bytes(call, args, true, true, result);
}

BODY(trim_bytes_left)
{
    return trim_of_bytes(call, args, true, false, result);
}

BODY(trim_bytes_right)
{
    return trim_of_bytes(call, args, false, true, result);
}

// --- comparison of bytes, whatever the collation -------------------------------------------------------------

static int compare_bytes(const struct function_call *call, const struct datum *args)
{
    struct bytes a = text_of(args[0]), b = text_of(args[1]);
    if (call->arg_types[0].oid == TYPE_BPCHAR) {
        while (a.size > 0 && a.data[a.size - 1] == ' ') a.size--;
        while (b.size > 0 && b.data[b.size - 1] == ' ') b.size--;
    }
    return bytes_compare(a, b);
}

#define PATTERN_OPERATOR(name, sign) \
    BODY(name) \
    { \
        *result = datum_bool(compare_bytes(call, args) sign 0); \
        return STATUS_OK; \
    }
PATTERN_OPERATOR(pattern_less, <)
PATTERN_OPERATOR(pattern_less_equal, <=)
PATTERN_OPERATOR(pattern_greater_equal, >=)
PATTERN_OPERATOR(pattern_greater, >)

// --- made anew -----------------------------------------------------------------------------------------------

BODY(concatenate)
{
    struct status st = STATUS_OK;
    uint64_t size = (uint64_t)args[0].size + args[1].size;
    uint8_t *made = function_room(call, size);
    if (made == NULL) return function_no_memory(size);
    TRY(long_copy(call, made, args[0].data, args[0].size));
    TRY(long_copy(call, made + args[0].size, args[1].data, args[1].size));
    st = give(bytes_of(made, size), result);
out:
    return st;
}

// One side of any type, cast to text.
static struct status concatenate_any(struct function_call *call, const struct datum *args,
    uint32_t other, struct datum *result)
{
    struct status st = STATUS_OK;
    struct datum both[2] = {args[0], args[1]};
    const struct cast *cast = cast_find(call->arg_types[other].oid, TYPE_TEXT, CAST_EXPLICIT);
    if (cast == NULL) return status_make(E_CANNOT_COERCE, "cannot cast to text");
    TRY(cast_apply(call, cast, call->arg_types[other], TYPE_OF(TYPE_TEXT), true, args[other],
        &both[other]));
    st = concatenate(call, both, result);
out:
    return st;
}

BODY(text_and_any)
{
    return concatenate_any(call, args, 1, result);
}

BODY(any_and_text)
{
    return concatenate_any(call, args, 0, result);
}

// Fills `size` bytes with `pattern` over and over: what is there is copied behind itself.
static struct status fill(
    struct function_call *call, uint8_t *made, uint64_t size, struct bytes pattern)
{
    struct status st = STATUS_OK;
    uint64_t filled = pattern.size < size ? pattern.size : size;
    if (filled == 0) return st;
    TRY(long_copy(call, made, pattern.data, filled));
    while (filled < size) {
        uint64_t more = filled < size - filled ? filled : size - filled;
        TRY(long_copy(call, made + filled, made, more));
        filled += more;
    }
out:
    return st;
}

BODY(repeat)
{
    int64_t count = args[1].integer < 0 ? 0 : args[1].integer;
    uint64_t size = (uint64_t)count * args[0].size;
    if (size > FUNCTION_BYTES_MAX) return too_large();
    uint8_t *out = function_room(call, size);
    if (out == NULL) return function_no_memory(size);
    struct status st = fill(call, out, size, text_of(args[0]));
    return failed(st) ? st : give(bytes_of(out, size), result);
}

BODY(reverse)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]);
    uint8_t *made = function_room(call, text.size);
    if (made == NULL) return function_no_memory(text.size);
    size_t end = text.size, count = 0;
    for (size_t i = 0; i < text.size;) {
        if (++count % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        size_t step = utf8_step(text, i);
        end -= step;
        memcpy(made + end, text.data + i, step);
        i += step;
    }
    return give(bytes_of(made, text.size), result);
out:
    return st;
}

// `length` characters: filled up with the third argument over and over, or cut.
static struct status pad(
    struct function_call *call, const struct datum *args, bool left_side, struct datum *result)
{
    struct bytes text = text_of(args[0]);
    struct status st = STATUS_OK;
    struct bytes with = call->arg_count == 3 ? text_of(args[2]) : BYTES_LITERAL(" ");
    int64_t length = args[1].integer < 0 ? 0 : args[1].integer;
    int64_t own;
    TRY(long_length(call, text, &own));
    // PostgreSQL counts four bytes a character here.
    if ((uint64_t)length * 4 > FUNCTION_BYTES_MAX) return too_large();
    if (own >= length || with.size == 0) return give_slice(call, text, 1, length + 1, false, result);
    uint64_t missing = (uint64_t)(length - own), with_length = utf8_length(with);
    uint64_t padding = missing / with_length * with.size +
                       utf8_prefix_bytes(with, (size_t)(missing % with_length));
    uint64_t size = text.size + padding;
    uint8_t *made = function_room(call, size);
    if (made == NULL) return function_no_memory(size);
    TRY(fill(call, left_side ? made : made + text.size, padding, with));
    TRY(long_copy(call, left_side ? made + padding : made, text.data, text.size));
    st = give(bytes_of(made, size), result);
out:
    return st;
}

BODY(lpad)
{
    return pad(call, args, true, result);
}

BODY(rpad)
{
    return pad(call, args, false, result);
}

BODY(replace)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]), from = text_of(args[1]), to = text_of(args[2]);
    if (from.size == 0 || text.size == 0) return give(text, result);
    uint64_t count = 0;
    for (size_t at = 0;; at += from.size, count++) {
        TRY(long_find(call, text, from, at, &at));
        if (at == SIZE_MAX) break;
    }
    if (count == 0) return give(text, result);
    uint64_t size = text.size - count * from.size + count * to.size;
    uint8_t *made = function_room(call, size);
    if (made == NULL) return function_no_memory(size);
    size_t written = 0, start = 0;
    for (size_t at = 0;; start = at + from.size) {
        TRY(long_find(call, text, from, start, &at));
        if (at == SIZE_MAX) break;
        TRY(long_copy(call, made + written, text.data + start, at - start));
        written += at - start;
        TRY(long_copy(call, made + written, to.data, to.size));
        written += to.size;
    }
    TRY(long_copy(call, made + written, text.data + start, text.size - start));
    return give(bytes_of(made, size), result);
out:
    return st;
}

BODY(translate)
{
    struct status st = STATUS_OK;
    struct bytes text = text_of(args[0]), from = text_of(args[1]), to = text_of(args[2]);
    uint64_t size = (uint64_t)text.size * 4;
    uint8_t *made = function_room(call, size);
    if (made == NULL) return function_no_memory(size);
    size_t written = 0, count = 0;
    for (size_t i = 0; i < text.size;) {
        size_t step = utf8_step(text, i), place = 0, at = 0;
        while (at < from.size && !(utf8_step(from, at) == step &&
                                     memcmp(from.data + at, text.data + i, step) == 0)) {
            at += utf8_step(from, at);
            place++;
        }
        if (++count % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        const uint8_t *source = text.data + i;
        size_t source_size = step;
        if (at < from.size) {
            size_t other = utf8_prefix_bytes(to, place);
            source = to.data + other;
            source_size = other < to.size ? utf8_step(to, other) : 0; // No partner: dropped.
        }
        memcpy(made + written, source, source_size);
        written += source_size;
        i += step;
    }
    return give(bytes_of(made, written), result);
out:
    return st;
}

BODY(overlay)
{
    struct status st = STATUS_OK;
    bool bytewise = call->arg_types[0].oid == TYPE_BYTEA;
    struct bytes text = text_of(args[0]), part = text_of(args[1]), head, tail;
    int64_t start = args[2].integer, length = (int64_t)part.size;
    if (call->arg_count == 4)
        length = args[3].integer;
    else if (!bytewise)
        TRY(long_length(call, part, &length));
    if (start <= 0) return status_make(E_SUBSTRING_ERROR, "negative substring length not allowed");
    if (start + length > INT32_MAX)
        return status_make(E_NUMERIC_OUT_OF_RANGE, "integer out of range");
    TRY(slice(call, text, 1, start, bytewise, &head));
    TRY(slice(call, text, start + length, INT64_MAX, bytewise, &tail));
    uint64_t size = head.size + part.size + tail.size;
    uint8_t *made = function_room(call, size);
    if (made == NULL) return function_no_memory(size);
    TRY(long_copy(call, made, head.data, head.size));
    TRY(long_copy(call, made + head.size, part.data, part.size));
    TRY(long_copy(call, made + head.size + part.size, tail.data, tail.size));
    st = give(bytes_of(made, size), result);
out:
    return st;
}

// --- case ------------------------------------------------------------------------------------------------------

enum letter_case { CASE_LOWER, CASE_UPPER, CASE_TITLE };

static bool is_alphanumeric(uint32_t code)
{
    if (code < 0x80) return (code >= '0' && code <= '9') || ((code | 0x20) >= 'a' && (code | 0x20) <= 'z');
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           category == UTF8PROC_CATEGORY_ND;
}

static uint32_t map_case(uint32_t code, bool upper)
{
    if (code < 0x80) {
        if (upper) return code >= 'a' && code <= 'z' ? code - 32 : code;
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    }
    utf8proc_int32_t c = (utf8proc_int32_t)code;
    if (code == 0xdf) return code; // The sharp s has no upper case in ordinary writing.
    return (uint32_t)(upper ? utf8proc_toupper(c) : utf8proc_tolower(c));
}

static struct status change_case(
    struct function_call *call, struct bytes text, enum letter_case to, struct datum *result)
{
    if (call->arg_count > 0 && collation_is_icu(call->arg_types[0].collation)) {
        static const enum collation_case cases[] = {[CASE_LOWER] = COLLATION_LOWER,
            [CASE_UPPER] = COLLATION_UPPER,
            [CASE_TITLE] = COLLATION_INITCAP};
        struct bytes changed;
        struct status st = collation_change_case(
            call->arena, call->arg_types[0].collation, cases[to], text, &changed);
        return failed(st) ? st : give(changed, result);
    }
    const bool ascii = call->arg_count > 0 && collation_is_ascii(call->arg_types[0].collation);
    // A letter and its other case differ by at most a byte or two; three times is room enough.
    uint64_t size = utf8_is_ascii(text) ? text.size : (uint64_t)text.size * 3;
    uint8_t *made = function_room(call, size);
    if (made == NULL) return function_no_memory(size);
    struct status st = STATUS_OK;
    size_t written = 0, count = 0;
    bool in_word = false;
    for (size_t i = 0; i < text.size; i += utf8_step(text, i)) {
        if (++count % WORK_EVERY == 0) TRY(function_work(call, WORK_EVERY));
        uint32_t code = utf8_decode(text.data + i);
        bool upper = to == CASE_UPPER || (to == CASE_TITLE && !in_word);
        uint8_t character[4];
        const bool known = code < 0x80 || !ascii;
        size_t step = utf8_encode(known ? map_case(code, upper) : code, character);
        memcpy(made + written, character, step);
        written += step;
        in_word = known && is_alphanumeric(code);
    }
    return give(bytes_of(made, written), result);
out:
    return st;
}

BODY(lower)
{
    return change_case(call, text_of(args[0]), CASE_LOWER, result);
}

struct status function_lower(
    struct function_call *call, struct datum text, struct datum *result)
{
    return change_case(call, text_of(text), CASE_LOWER, result);
}

BODY(upper)
{
    return change_case(call, text_of(args[0]), CASE_UPPER, result);
}

BODY(initcap)
{
    return change_case(call, text_of(args[0]), CASE_TITLE, result);
}

BODY(ascii)
{
    (void)call;
    *result = datum_int(args[0].size == 0 ? 0 : utf8_decode(args[0].data));
    return STATUS_OK;
}

BODY(chr)
{
    int64_t code = args[0].integer;
    uint8_t *out = arena_alloc(call->arena, 4);
    if (code == 0)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "null character not permitted");
    if (code < 0) return status_make(E_INVALID_PARAMETER_VALUE, "character number must be positive");
    size_t size = code > 0x10ffff ? 0 : utf8_encode((uint32_t)code, out);
    if (size == 0)
        return status_format(call->arena, E_PROGRAM_LIMIT_EXCEEDED,
            code > 0x10ffff ? "requested character too large for encoding: %u"
                            : "requested character not valid for encoding: %u",
            (unsigned)code);
    return give(bytes_of(out, size), result);
}

// --- Unicode normal forms ----------------------------------------------------------------------------------------

static bool normal_form(struct bytes name, utf8proc_option_t *options)
{
    static const struct {
        const char *name;
        int options;
    } forms[] = {{"nfc", UTF8PROC_COMPOSE}, {"nfd", UTF8PROC_DECOMPOSE},
        {"nfkc", UTF8PROC_COMPOSE | UTF8PROC_COMPAT}, {"nfkd", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!type_word_is(name, forms[i].name)) continue;
        *options = (utf8proc_option_t)(forms[i].options | UTF8PROC_STABLE);
        return true;
    }
    return false;
}

// Whether normal forms may be made of what is before `c` and of what begins with it apart from each
// other: it combines with nothing before it, and stays where it is. True only where that is known.
static bool begins_part(uint32_t c)
{
    if (c < 0x80) return true;
    if (c >= 0x1100 && !(c >= 0x3400 && c <= 0x9fff) && !(c >= 0xac00 && c <= 0xd7a3)) return false;
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LO;
}

// Bytes of the first part of a text that is normalized by itself.
static size_t normal_part(struct bytes text)
{
    size_t at = NORMAL_PART_BYTES;
    if (at >= text.size) return text.size;
    while (at < text.size && ((text.data[at] & 0xc0) == 0x80 || !begins_part(utf8_decode(text.data + at))))
        at++;
    return at;
}

// Code points first, as many as there are; then composed and encoded in place.
static struct status normalize_part(struct function_call *call, struct bytes part,
    utf8proc_option_t options, struct arena *scratch, struct buffer *out)
{
    const utf8proc_ssize_t bytes = (utf8proc_ssize_t)part.size;
    if (utf8_is_ascii(part)) {
        buffer_append_bytes(out, part);
        return function_work(call, part.size);
    }
    utf8proc_ssize_t count = utf8proc_decompose(part.data, bytes, NULL, 0, options);
    if (count < 0 || (uint64_t)count > FUNCTION_BYTES_MAX / 4) return too_large();
    utf8proc_int32_t *points = arena_try_alloc(scratch, ((size_t)count + 1) * sizeof *points);
    if (points == NULL) return function_no_memory((uint64_t)count * 4);
    utf8proc_decompose(part.data, bytes, points, count, options);
    utf8proc_ssize_t size = utf8proc_reencode(points, count, options);
    if (size < 0 || out->size + (size_t)size > FUNCTION_BYTES_MAX) return too_large();
    buffer_append(out, points, (size_t)size);
    return function_work(call, part.size * NORMAL_WORK);
}

static struct status normalize_text(
    struct function_call *call, const struct datum *args, struct bytes *normal)
{
    struct status st = STATUS_OK;
    utf8proc_option_t options;
    struct buffer out;
    struct arena scratch;
    struct bytes text = text_of(args[0]);
    struct bytes name = call->arg_count == 2 ? text_of(args[1]) : BYTES_LITERAL("NFC");
    if (!normal_form(name, &options))
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "invalid normalization form: %.*s", bytes_shown(name), (const char *)name.data);
    buffer_init(&out, call->arena);
    arena_init(&scratch, call->arena->account);
    while (text.size > 0) {
        size_t part = normal_part(text);
        TRY(normalize_part(call, bytes_of(text.data, part), options, &scratch, &out));
        arena_reset(&scratch);
        TRY(arena_check(call->arena));
        text = bytes_skip(text, part);
    }
    *normal = buffer_bytes(&out);

out:
    arena_fini(&scratch);
    return st;
}

BODY(normalize)
{
    struct bytes normal;
    struct status st = normalize_text(call, args, &normal);
    if (!failed(st)) *result = datum_bytes(normal);
    return st;
}

BODY(is_normalized)
{
    struct bytes normal;
    struct status st = normalize_text(call, args, &normal);
    if (!failed(st)) *result = datum_bool(bytes_equal(normal, text_of(args[0])));
    return st;
}

// clang-format off
static const struct function table[] = {
    SCALAR("length", 1317, INT4, character_length, TYPE_TEXT),
    SCALAR("length", 1318, INT4, bpchar_length, TYPE_BPCHAR),
    SCALAR("length", 2010, INT4, byte_length, TYPE_BYTEA),
    SCALAR("char_length", 1381, INT4, character_length, TYPE_TEXT),
    SCALAR("char_length", 1372, INT4, bpchar_length, TYPE_BPCHAR),
    SCALAR("character_length", 1369, INT4, character_length, TYPE_TEXT),
    SCALAR("character_length", 1367, INT4, bpchar_length, TYPE_BPCHAR),
    SCALAR("octet_length", 1374, INT4, byte_length, TYPE_TEXT),
    SCALAR("octet_length", 1375, INT4, byte_length, TYPE_BPCHAR),
    SCALAR("octet_length", 720, INT4, byte_length, TYPE_BYTEA),
    SCALAR("bit_length", 1811, INT4, bit_length, TYPE_TEXT),
    SCALAR("bit_length", 1810, INT4, bit_length, TYPE_BYTEA),
    SCALAR("substring", 937, TEXT, substring, TYPE_TEXT, TYPE_INT4),
    SCALAR("substring", 936, TEXT, substring, TYPE_TEXT, TYPE_INT4, TYPE_INT4),
    SCALAR("substring", 2013, BYTEA, substring, TYPE_BYTEA, TYPE_INT4),
    SCALAR("substring", 2012, BYTEA, substring, TYPE_BYTEA, TYPE_INT4, TYPE_INT4),
    SCALAR("substr", 883, TEXT, substring, TYPE_TEXT, TYPE_INT4),
    SCALAR("substr", 877, TEXT, substring, TYPE_TEXT, TYPE_INT4, TYPE_INT4),
    SCALAR("substr", 2086, BYTEA, substring, TYPE_BYTEA, TYPE_INT4),
    SCALAR("substr", 2085, BYTEA, substring, TYPE_BYTEA, TYPE_INT4, TYPE_INT4),
    SCALAR("left", 3060, TEXT, left, TYPE_TEXT, TYPE_INT4),
    SCALAR("right", 3061, TEXT, right, TYPE_TEXT, TYPE_INT4),
    SCALAR("position", 849, INT4, position, TYPE_TEXT, TYPE_TEXT),
    SCALAR("position", 2014, INT4, position, TYPE_BYTEA, TYPE_BYTEA),
    SCALAR("strpos", 868, INT4, position, TYPE_TEXT, TYPE_TEXT),
    SCALAR("starts_with", 3696, BOOL, starts_with, TYPE_TEXT, TYPE_TEXT),
    SCALAR("split_part", 2088, TEXT, split_part, TYPE_TEXT, TYPE_TEXT, TYPE_INT4),
    OPERATOR("~<~", 2314, BOOL, pattern_less, "~>~", "~>=~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~<=~", 2315, BOOL, pattern_less_equal, "~>=~", "~>~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~>=~", 2317, BOOL, pattern_greater_equal, "~<=~", "~<~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~>~", 2318, BOOL, pattern_greater, "~<~", "~<=~", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("~<~", 2326, BOOL, pattern_less, "~>~", "~>=~", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("~<=~", 2327, BOOL, pattern_less_equal, "~>=~", "~>~", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("~>=~", 2329, BOOL, pattern_greater_equal, "~<=~", "~<~", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("~>~", 2330, BOOL, pattern_greater, "~<~", "~<=~", TYPE_BPCHAR, TYPE_BPCHAR),
    SCALAR("btrim", 885, TEXT, trim_both, TYPE_TEXT),
    SCALAR("btrim", 884, TEXT, trim_both, TYPE_TEXT, TYPE_TEXT),
    SCALAR("btrim", 2015, BYTEA, trim_bytes, TYPE_BYTEA, TYPE_BYTEA),
    SCALAR("ltrim", 6195, BYTEA, trim_bytes_left, TYPE_BYTEA, TYPE_BYTEA),
    SCALAR("rtrim", 6196, BYTEA, trim_bytes_right, TYPE_BYTEA, TYPE_BYTEA),
    SCALAR("ltrim", 881, TEXT, trim_left, TYPE_TEXT),
    SCALAR("ltrim", 875, TEXT, trim_left, TYPE_TEXT, TYPE_TEXT),
    SCALAR("rtrim", 882, TEXT, trim_right, TYPE_TEXT),
    SCALAR("rtrim", 876, TEXT, trim_right, TYPE_TEXT, TYPE_TEXT),
    SCALAR("repeat", 1622, TEXT, repeat, TYPE_TEXT, TYPE_INT4),
    SCALAR("reverse", 3062, TEXT, reverse, TYPE_TEXT),
    SCALAR("lpad", 879, TEXT, lpad, TYPE_TEXT, TYPE_INT4),
    SCALAR("lpad", 873, TEXT, lpad, TYPE_TEXT, TYPE_INT4, TYPE_TEXT),
    SCALAR("rpad", 880, TEXT, rpad, TYPE_TEXT, TYPE_INT4),
    SCALAR("rpad", 874, TEXT, rpad, TYPE_TEXT, TYPE_INT4, TYPE_TEXT),
    SCALAR("replace", 2087, TEXT, replace, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("translate", 878, TEXT, translate, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("overlay", 1405, TEXT, overlay, TYPE_TEXT, TYPE_TEXT, TYPE_INT4),
    SCALAR("overlay", 1404, TEXT, overlay, TYPE_TEXT, TYPE_TEXT, TYPE_INT4, TYPE_INT4),
    SCALAR("overlay", 752, BYTEA, overlay, TYPE_BYTEA, TYPE_BYTEA, TYPE_INT4),
    SCALAR("overlay", 749, BYTEA, overlay, TYPE_BYTEA, TYPE_BYTEA, TYPE_INT4, TYPE_INT4),
    SCALAR("lower", 870, TEXT, lower, TYPE_TEXT),
    SCALAR("upper", 871, TEXT, upper, TYPE_TEXT),
    SCALAR("initcap", 872, TEXT, initcap, TYPE_TEXT),
    SCALAR("ascii", 1620, INT4, ascii, TYPE_TEXT),
    SCALAR("chr", 1621, TEXT, chr, TYPE_INT4),
    SCALAR("normalize", 100921, TEXT, normalize, TYPE_TEXT),
    SCALAR("normalize", 4350, TEXT, normalize, TYPE_TEXT, TYPE_TEXT),
    SCALAR("is_normalized", 100922, BOOL, is_normalized, TYPE_TEXT),
    SCALAR("is_normalized", 4351, BOOL, is_normalized, TYPE_TEXT, TYPE_TEXT),
    OPERATOR("||", 654, TEXT, concatenate, NULL, NULL, TYPE_TEXT, TYPE_TEXT),
    OPERATOR("||", 2018, BYTEA, concatenate, NULL, NULL, TYPE_BYTEA, TYPE_BYTEA),
    STABLE_OPERATOR("||", 2779, TEXT, text_and_any, NULL, TYPE_TEXT, TYPE_ANYNONARRAY),
    STABLE_OPERATOR("||", 2780, TEXT, any_and_text, NULL, TYPE_ANYNONARRAY, TYPE_TEXT),
    OPERATOR("^@", 3877, BOOL, starts_with, NULL, NULL, TYPE_TEXT, TYPE_TEXT),
};
// clang-format on

void functions_text_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
