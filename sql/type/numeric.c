// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/numeric.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/text.h"
#include "core/work.h"
#include "sql/type/numeric_form.h"
#include "sql/type/type_ops.h"

#define HEAD_BYTES 3
#define NEGATIVE 0x80

static const uint8_t nan_bytes[] = {NUMERIC_NAN, 0, 0};
static const uint8_t infinity_bytes[] = {NUMERIC_INFINITE, 0, 0};
static const uint8_t minus_infinity_bytes[] = {NUMERIC_INFINITE | NEGATIVE, 0, 0};
static const uint8_t zero_bytes[] = {NUMERIC_FINITE, 0, 0};
const struct datum numeric_nan = {.data = nan_bytes, .size = HEAD_BYTES};
const struct datum numeric_infinity = {.data = infinity_bytes, .size = HEAD_BYTES};
const struct datum numeric_minus_infinity = {.data = minus_infinity_bytes, .size = HEAD_BYTES};
const struct datum numeric_zero = {.data = zero_bytes, .size = HEAD_BYTES};

// --- form ---------------------------------------------------------------------------------------------

// Up to eight bytes, little-endian: two reads that overlap.
static inline uint64_t load_short(const uint8_t *at, size_t size)
{
    if (size >= 4) {
        uint32_t low, high;
        memcpy(&low, at, sizeof low);
        memcpy(&high, at + size - sizeof high, sizeof high);
        return le32toh(low) | (uint64_t)le32toh(high) << (8 * (size - sizeof high));
    }
    if (size >= 2) {
        uint16_t low, high;
        memcpy(&low, at, sizeof low);
        memcpy(&high, at + size - sizeof high, sizeof high);
        return le16toh(low) | (uint64_t)le16toh(high) << (8 * (size - sizeof high));
    }
    return size == 1 ? *at : 0;
}

struct numeric numeric_open(struct datum value)
{
    struct numeric number = {.kind = NUMERIC_NAN};
    if (value.size < HEAD_BYTES) return number; // Not one of ours; NaN does no harm.
    number.kind = value.data[0] & 0x0f;
    number.negative = (value.data[0] & NEGATIVE) != 0;
    number.scale = (uint32_t)value.data[1] | (uint32_t)value.data[2] << 8;
    number.magnitude = bytes_of(value.data + HEAD_BYTES, value.size - HEAD_BYTES);
    number.small = number.magnitude.size <= sizeof(uint128);
    if (LIKELY(number.magnitude.size <= sizeof(uint64_t)))
        number.value = load_short(number.magnitude.data, number.magnitude.size);
    else if (number.small)
        memcpy(&number.value, number.magnitude.data, number.magnitude.size);
    return number;
}

static uint8_t *write_head(uint8_t *at, bool negative, uint32_t scale)
{
    at[0] = negative ? NEGATIVE : 0;
    at[1] = (uint8_t)scale;
    at[2] = (uint8_t)(scale >> 8);
    return at + HEAD_BYTES;
}

struct datum numeric_make_small(
    struct arena *arena, bool negative, uint32_t scale, uint128 magnitude)
{
    uint8_t *data = arena_alloc(arena, HEAD_BYTES + sizeof magnitude);
    uint8_t *at = write_head(data, negative && magnitude != 0, scale);
    uint32_t size = 0;
    memcpy(at, &magnitude, sizeof magnitude);
    for (uint128 rest = magnitude; rest != 0; rest >>= 8)
        size++;
    return datum_bytes(bytes_of(data, HEAD_BYTES + size));
}

struct status numeric_overflow(void)
{
    return status_make(E_NUMERIC_OUT_OF_RANGE, "value overflows numeric format");
}

struct status numeric_make(struct arena *arena, bool negative, int64_t scale, mpz_srcptr magnitude,
    struct datum *result)
{
    if (scale < 0 || scale > NUMERIC_SCALE_MAX) return numeric_overflow();
    size_t size = (mpz_sizeinbase(magnitude, 2) + 7) / 8;
    if (mpz_sgn(magnitude) == 0) size = 0;
    // sizeinbase may be one too many: decide exactly only near the limit.
    if (mpz_sizeinbase(magnitude, 10) > (size_t)scale + NUMERIC_DIGITS_MAX &&
        numeric_digits_big(magnitude) > (uint64_t)scale + NUMERIC_DIGITS_MAX)
        return numeric_overflow();
    uint8_t *data = arena_try_alloc(arena, HEAD_BYTES + size + 8);
    if (data == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    uint8_t *at = write_head(data, negative && size > 0, (uint32_t)scale);
    size_t count = 0;
    mpz_export(at, &count, -1, 1, -1, 0, magnitude);
    *result = datum_bytes(bytes_of(data, HEAD_BYTES + count));
    return STATUS_OK;
}

void numeric_load(mpz_ptr out, const struct numeric *number)
{
    mpz_import(out, number->magnitude.size, -1, 1, -1, 0, number->magnitude.data);
}

uint128 numeric_pow10(uint32_t exponent)
{
    static const uint64_t low[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
        1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000,
        1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
        10000000000000000000u};
    invariant(exponent <= 38);
    if (exponent <= 19) return low[exponent];
    return (uint128)low[19] * low[exponent - 19];
}

void numeric_pow10_big(mpz_ptr out, uint64_t exponent)
{
    big_ui_pow_ui(out, 10, exponent);
}

uint32_t numeric_digits_small(uint128 magnitude)
{
    if (magnitude == 0) return 0;
    uint64_t high = (uint64_t)(magnitude >> 64);
    uint32_t bits = high != 0 ? 128 - (uint32_t)__builtin_clzll(high)
                              : 64 - (uint32_t)__builtin_clzll((uint64_t)magnitude);
    uint32_t digits = bits * 1233 >> 12; // log10(2), rounded down; at most one too few.
    if (digits > 38) return 39;
    return digits + (magnitude >= numeric_pow10(digits));
}

uint64_t numeric_digits_big(mpz_srcptr magnitude)
{
    if (mpz_sgn(magnitude) == 0) return 0;
    size_t digits = mpz_sizeinbase(magnitude, 10); // Exact, or one too many.
    mpz_t power;
    mpz_init(power);
    numeric_pow10_big(power, digits - 1);
    if (mpz_cmp(magnitude, power) < 0) digits--;
    mpz_clear(power);
    return digits;
}

uint64_t numeric_digits(const struct numeric *number)
{
    if (number->small) return numeric_digits_small(number->value);
    mpz_t magnitude;
    mpz_init(magnitude);
    numeric_load(magnitude, number);
    uint64_t digits = numeric_digits_big(magnitude);
    mpz_clear(magnitude);
    return digits;
}

struct datum numeric_from_int(struct arena *arena, int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return numeric_make_small(arena, value < 0, 0, magnitude);
}

struct datum numeric_from_uint(struct arena *arena, uint64_t value)
{
    return numeric_make_small(arena, false, 0, value);
}

struct datum numeric_from_scaled(struct arena *arena, __int128 value, uint32_t scale)
{
    uint128 magnitude = value < 0 ? 0 - (uint128)value : (uint128)value;
    return numeric_make_small(arena, value < 0, scale, magnitude);
}

bool numeric_is_nan(struct datum value)
{
    return numeric_open(value).kind == NUMERIC_NAN;
}

bool numeric_is_infinite(struct datum value)
{
    return numeric_open(value).kind == NUMERIC_INFINITE;
}

bool numeric_is_zero(struct datum value)
{
    return value.size == HEAD_BYTES && (value.data[0] & 0x0f) == NUMERIC_FINITE;
}

int numeric_sign(struct datum value)
{
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN) return 0;
    if (number.kind == NUMERIC_FINITE && number.magnitude.size == 0) return 0;
    return number.negative ? -1 : 1;
}

uint32_t numeric_scale(struct datum value)
{
    return numeric_open(value).scale;
}

// --- text -----------------------------------------------------------------------------------------------

struct numeric_text {
    bool negative;
    const uint8_t *digits; // With a point among them, perhaps.
    size_t size, count;    // Bytes of `digits`; digits among them.
    int64_t scale;         // After the exponent.
};

// digits, a point among them or not, an exponent or not. False: not a number.
static bool scan(struct bytes text, struct numeric_text *out)
{
    size_t at = 0, point = SIZE_MAX;
    *out = (struct numeric_text){0};
    if (text.size == 0) return false;
    if (at < text.size && (text.data[at] == '-' || text.data[at] == '+'))
        out->negative = text.data[at++] == '-';
    out->digits = text.data + at;
    for (; at < text.size; at++) {
        uint8_t c = text.data[at];
        if (at % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return false;
        if (c >= '0' && c <= '9') {
            out->count++;
        } else if (c == '.' && point == SIZE_MAX) {
            point = out->count;
        } else {
            break;
        }
    }
    if (out->count == 0) return false;
    out->size = (size_t)(text.data + at - out->digits);
    out->scale = point == SIZE_MAX ? 0 : (int64_t)(out->count - point);
    if (at == text.size) return true;
    if ((text.data[at++] | 0x20) != 'e') return false;
    bool minus = false;
    int64_t exponent = 0;
    while (at < text.size && ascii_space((char)text.data[at])) at++; // As strtol does.
    if (at < text.size && (text.data[at] == '-' || text.data[at] == '+'))
        minus = text.data[at++] == '-';
    if (at == text.size) return false;
    for (; at < text.size; at++) {
        uint8_t c = text.data[at];
        if (c < '0' || c > '9') return false;
        if (exponent < INT32_MAX) exponent = exponent * 10 + (c - '0');
    }
    out->scale += minus ? exponent : -exponent;
    return true;
}

static struct status parse_small(struct arena *arena, const struct numeric_text *text,
    struct datum *value)
{
    uint128 sum = 0;
    for (size_t i = 0; i < text->size; i++) {
        if (text->digits[i] != '.') sum = sum * 10 + (uint32_t)(text->digits[i] - '0');
    }
    uint32_t scale = 0;
    if (text->scale >= 0) {
        scale = (uint32_t)text->scale;
    } else {
        sum *= numeric_pow10((uint32_t)-text->scale);
    }
    *value = numeric_make_small(arena, text->negative, scale, sum);
    return STATUS_OK;
}

static struct status parse_big(struct arena *arena, const struct numeric_text *text,
    struct datum *value)
{
    struct status st = STATUS_OK;
    // Bounds first: what is beyond them is neither computed nor copied, but for zeros in front.
    if (text->scale > NUMERIC_SCALE_MAX) return numeric_overflow();
    char *digits = arena_try_alloc(arena, text->count + 1);
    if (digits == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    size_t size = 0;
    for (size_t i = 0; i < text->size; i++) {
        if (i % WORK_BYTES == WORK_BYTES - 1 && !task_goes_on(WORK_BYTES)) return task_check(task_current());
        if (text->digits[i] != '.' && (size > 0 || text->digits[i] != '0'))
            digits[size++] = (char)text->digits[i];
    }
    digits[size] = 0;
    if (size > 0 && (int64_t)size - text->scale > NUMERIC_DIGITS_MAX) return numeric_overflow();
    mpz_t magnitude, power;
    mpz_inits(magnitude, power, NULL);
    if (size > 0) big_set_str(magnitude, digits, 10);
    if (text->scale < 0 && size > 0) {
        numeric_pow10_big(power, (uint64_t)-text->scale);
        big_mul(magnitude, magnitude, power);
    }
    st = numeric_make(
        arena, text->negative, text->scale < 0 ? 0 : text->scale, magnitude, value);
    mpz_clears(magnitude, power, NULL);
    return st;
}

struct status numeric_parse(struct arena *arena, struct bytes whole, struct datum *value)
{
    struct bytes text = type_trim(whole);
    struct bytes word = text;
    bool negative = false, sign = false;
    if (word.size > 0 && (word.data[0] == '-' || word.data[0] == '+')) {
        sign = true;
        negative = word.data[0] == '-';
        word = bytes_skip(word, 1);
    }
    if (!sign && type_word_is(word, "nan")) {
        *value = numeric_nan;
        return STATUS_OK;
    }
    if (type_word_is(word, "infinity") || type_word_is(word, "inf")) {
        *value = negative ? numeric_minus_infinity : numeric_infinity;
        return STATUS_OK;
    }
    struct numeric_text parts;
    if (!scan(text, &parts)) return type_error_syntax(arena, "numeric", whole);
    bool fits = parts.scale >= 0 ? parts.count <= 38 && parts.scale <= NUMERIC_SCALE_MAX
                                 : (int64_t)parts.count - parts.scale <= 38;
    return fits ? parse_small(arena, &parts, value) : parse_big(arena, &parts, value);
}

// Digits of the magnitude, most significant first, into `text`; how many.
static size_t print_small(uint128 magnitude, char text[40])
{
    char reversed[40];
    size_t size = 0;
    while (magnitude >> 64 != 0) {
        // Nineteen digits at a time: one long division for each.
        uint64_t low = (uint64_t)(magnitude % 10000000000000000000u);
        magnitude /= 10000000000000000000u;
        for (uint32_t i = 0; i < 19; i++) {
            reversed[size++] = (char)('0' + low % 10);
            low /= 10;
        }
    }
    for (uint64_t rest = (uint64_t)magnitude; rest != 0; rest /= 10)
        reversed[size++] = (char)('0' + rest % 10);
    for (size_t i = 0; i < size; i++)
        text[i] = reversed[size - 1 - i];
    return size;
}

static void print_digits(
    struct buffer *out, bool negative, const char *digits, size_t size, uint32_t scale)
{
    if (negative) buffer_append_u8(out, '-');
    if (size <= scale) {
        buffer_append_u8(out, '0');
    } else {
        buffer_append(out, digits, size - scale);
    }
    if (scale == 0) return;
    buffer_append_u8(out, '.');
    for (size_t i = size; i < scale; i++)
        buffer_append_u8(out, '0');
    size_t fraction = size < scale ? size : scale;
    buffer_append(out, digits + size - fraction, fraction);
}

void numeric_print(struct buffer *out, struct datum value)
{
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN) {
        buffer_append_string(out, "NaN");
    } else if (number.kind == NUMERIC_INFINITE) {
        buffer_append_string(out, number.negative ? "-Infinity" : "Infinity");
    } else if (number.small) {
        char text[40];
        size_t size = print_small(number.value, text);
        print_digits(out, number.negative, text, size, number.scale);
    } else {
        mpz_t magnitude;
        mpz_init(magnitude);
        numeric_load(magnitude, &number);
        char *text = arena_alloc(out->arena, mpz_sizeinbase(magnitude, 10) + 2);
        big_get_str(text, 10, magnitude);
        mpz_clear(magnitude);
        print_digits(out, number.negative, text, strlen(text), number.scale);
    }
}

// --- conversions ---------------------------------------------------------------------------------------------

struct status numeric_from_double(
    struct arena *arena, double value, int digits, struct datum *result)
{
    char text[48];
    if (isnan(value)) {
        *result = numeric_nan;
    } else if (isinf(value)) {
        *result = value < 0 ? numeric_minus_infinity : numeric_infinity;
    } else {
        snprintf(text, sizeof text, "%.*g", digits, value);
        return numeric_parse(arena, bytes_of_string(text), result);
    }
    return STATUS_OK;
}

double numeric_to_double(struct datum value)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct numeric number = numeric_open(value);
    if (number.kind == NUMERIC_NAN) return (double)NAN;
    if (number.kind == NUMERIC_INFINITE)
        return number.negative ? -(double)INFINITY : (double)INFINITY;
    // Both exact: so their quotient is rounded once.
    if (number.small && number.value < (uint128)1 << 53 && number.scale <= 22) {
        double magnitude = (double)(uint64_t)number.value / powers[number.scale];
        return number.negative ? -magnitude : magnitude;
    }
    struct arena scratch;
    struct buffer text;
    arena_init(&scratch, NULL);
    buffer_init(&text, &scratch);
    numeric_print(&text, value);
    double result = strtod(buffer_string(&text), NULL);
    arena_fini(&scratch);
    return result;
}

// number * 10^scale, halves rounded away from zero.
static bool to_int128(const struct numeric *number, uint32_t scale, bool exact, __int128 *result)
{
    const uint128 limit = (uint128)1 << 127;
    uint128 value;
    if (number->kind != NUMERIC_FINITE) return false;
    if (number->small && number->scale <= scale) {
        if (number->value != 0 && scale - number->scale > 38) return false;
        uint128 power = number->value == 0 ? 1 : numeric_pow10(scale - number->scale);
        if (__builtin_mul_overflow(number->value, power, &value)) return false;
    } else if (number->small) {
        uint32_t drop = number->scale - scale;
        if (drop > 38) {
            value = 0;
            if (exact && number->value != 0) return false;
        } else {
            uint128 power = numeric_pow10(drop), rest = number->value % power;
            if (exact && rest != 0) return false;
            value = number->value / power + (rest >= power - rest);
        }
    } else {
        mpz_t magnitude, power;
        mpz_inits(magnitude, power, NULL);
        numeric_load(magnitude, number);
        bool fits = true;
        if (number->scale > scale) {
            numeric_pow10_big(power, number->scale - scale);
            if (exact && !big_divisible_p(magnitude, power)) fits = false;
            mpz_mul_2exp(magnitude, magnitude, 1);
            mpz_add(magnitude, magnitude, power);
            mpz_mul_2exp(power, power, 1);
            big_fdiv_q(magnitude, magnitude, power);
        } else {
            numeric_pow10_big(power, scale - number->scale);
            big_mul(magnitude, magnitude, power);
        }
        fits = fits && mpz_sizeinbase(magnitude, 2) <= 128;
        value = 0;
        if (fits) mpz_export(&value, NULL, -1, 1, -1, 0, magnitude);
        mpz_clears(magnitude, power, NULL);
        if (!fits) return false;
    }
    if (value > limit || (value == limit && !number->negative)) return false;
    *result = number->negative ? (__int128)(0 - value) : (__int128)value;
    return true;
}

bool numeric_to_int(struct datum value, int64_t *result)
{
    struct numeric number = numeric_open(value);
    __int128 wide;
    if (!to_int128(&number, 0, false, &wide) || wide < INT64_MIN || wide > INT64_MAX) return false;
    *result = (int64_t)wide;
    return true;
}

bool numeric_to_int128(struct datum value, uint32_t scale, __int128 *result)
{
    struct numeric number = numeric_open(value);
    return to_int128(&number, scale, true, result);
}

// --- order -----------------------------------------------------------------------------------------------------

// Magnitudes of two finite numbers, brought to one scale.
static int compare_magnitudes(const struct numeric *a, const struct numeric *b)
{
    uint32_t scale = a->scale > b->scale ? a->scale : b->scale;
    uint128 x, y;
    if (a->small && b->small && scale - a->scale <= 38 && scale - b->scale <= 38 &&
        !__builtin_mul_overflow(a->value, numeric_pow10(scale - a->scale), &x) &&
        !__builtin_mul_overflow(b->value, numeric_pow10(scale - b->scale), &y))
        return (x > y) - (x < y);
    mpz_t left, right, power;
    mpz_inits(left, right, power, NULL);
    numeric_load(left, a);
    numeric_load(right, b);
    numeric_pow10_big(power, scale - a->scale);
    big_mul(left, left, power);
    numeric_pow10_big(power, scale - b->scale);
    big_mul(right, right, power);
    int order = mpz_cmp(left, right);
    mpz_clears(left, right, power, NULL);
    return (order > 0) - (order < 0);
}

int numeric_compare(struct datum a, struct datum b)
{
    struct numeric x = numeric_open(a), y = numeric_open(b);
    if (x.kind == NUMERIC_FINITE && y.kind == NUMERIC_FINITE) {
        if (x.negative != y.negative) return x.negative ? -1 : 1;
        int order = x.scale == y.scale && x.small && y.small
                        ? (x.value > y.value) - (x.value < y.value)
                        : compare_magnitudes(&x, &y);
        return x.negative ? -order : order;
    }
    // -Infinity, finite, Infinity, NaN.
    int rank_x = x.kind == NUMERIC_NAN ? 2 : x.kind == NUMERIC_FINITE ? 0 : x.negative ? -1 : 1;
    int rank_y = y.kind == NUMERIC_NAN ? 2 : y.kind == NUMERIC_FINITE ? 0 : y.negative ? -1 : 1;
    return (rank_x > rank_y) - (rank_x < rank_y);
}

uint32_t numeric_min_scale(struct datum value)
{
    struct numeric number = numeric_open(value);
    uint32_t scale = number.scale;
    if (number.magnitude.size == 0) return 0;
    if (number.small) {
        uint128 rest = number.value;
        while (scale > 0 && rest % 10 == 0) {
            rest /= 10;
            scale--;
        }
        return scale;
    }
    mpz_t magnitude;
    mpz_init(magnitude);
    numeric_load(magnitude, &number);
    while (scale > 0 && mpz_divisible_ui_p(magnitude, 10)) {
        mpz_divexact_ui(magnitude, magnitude, 10);
        scale--;
    }
    mpz_clear(magnitude);
    return scale;
}

uint64_t numeric_hash(struct datum value)
{
    struct numeric number = numeric_open(value);
    if (number.kind != NUMERIC_FINITE) return XXH3_64bits(value.data, 1);
    if (number.small) {
        uint128 rest = number.value;
        uint32_t scale = number.scale;
        while (scale > 0 && rest % 10 == 0 && rest != 0) {
            rest /= 10;
            scale--;
        }
        if (rest == 0) scale = 0;
        struct {
            uint128 rest;
            uint64_t scale, negative;
        } form = {rest, scale, number.negative};
        return XXH3_64bits(&form, sizeof form);
    }
    // A large number may equal a small one with fewer zeros behind: both are hashed in small form.
    struct arena scratch;
    struct datum trimmed;
    arena_init(&scratch, NULL);
    uint64_t hash = 0;
    uint32_t scale = numeric_min_scale(value);
    if (!failed(numeric_round(&scratch, value, (int32_t)scale, NUMERIC_TRUNCATE, &trimmed)))
        hash = trimmed.size <= HEAD_BYTES + sizeof(uint128)
                   ? numeric_hash(trimmed)
                   : XXH3_64bits(trimmed.data, trimmed.size);
    arena_fini(&scratch);
    return hash;
}
