// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/encoding.h"

#include <string.h>
#include <unicode/ucnv.h>

#include "core/deep.h"
#include "core/text.h"
#include "sql/type/type_ops.h"

#define E_UNTRANSLATABLE_CHARACTER SQLSTATE('2', '2', 'P', '0', '5')
#define CHUNK_UNITS 2048u
#define STEPS_PER_POLL 1024u
#define SHORT_BYTES (16u << 10) // Converted before anybody would wait for it.
#define ENCODING_NAME_BYTES_MAX 64u

static const struct encoding {
    const char *name;
    const char *icu; // NULL: ICU has none.
    int32_t bytes;   // Of the longest character.
} encodings[ENCODING_COUNT] = {
    {"SQL_ASCII", NULL, 1},
    {"EUC_JP", "EUC-JP", 3},
    {"EUC_CN", "EUC-CN", 3},
    {"EUC_KR", "EUC-KR", 3},
    {"EUC_TW", "EUC-TW", 4},
    {"EUC_JIS_2004", NULL, 3},
    {"UTF8", NULL, 4},
    {"MULE_INTERNAL", NULL, 4},
    {"LATIN1", "iso-8859-1", 1},
    {"LATIN2", "iso-8859-2", 1},
    {"LATIN3", "iso-8859-3", 1},
    {"LATIN4", "iso-8859-4", 1},
    {"LATIN5", "iso-8859-9", 1},
    {"LATIN6", "iso-8859-10", 1},
    {"LATIN7", "iso-8859-13", 1},
    {"LATIN8", "iso-8859-14", 1},
    {"LATIN9", "iso-8859-15", 1},
    {"LATIN10", NULL, 1},
    {"WIN1256", "windows-1256", 1},
    {"WIN1258", "windows-1258", 1},
    {"WIN866", "ibm-866", 1},
    {"WIN874", "windows-874", 1},
    {"KOI8R", "KOI8-R", 1},
    {"WIN1251", "windows-1251", 1},
    {"WIN1252", "windows-1252", 1},
    {"ISO_8859_5", "iso-8859-5", 1},
    {"ISO_8859_6", "iso-8859-6", 1},
    {"ISO_8859_7", "iso-8859-7", 1},
    {"ISO_8859_8", "iso-8859-8", 1},
    {"WIN1250", "windows-1250", 1},
    {"WIN1253", "windows-1253", 1},
    {"WIN1254", "windows-1254", 1},
    {"WIN1255", "windows-1255", 1},
    {"WIN1257", "windows-1257", 1},
    {"KOI8U", "KOI8-U", 1},
    {"SJIS", "windows-31j", 2},
    {"BIG5", "windows-950", 2},
    {"GBK", "windows-936", 2},
    {"UHC", "windows-949", 2},
    {"GB18030", "gb18030", 4},
    {"JOHAB", NULL, 3},
    {"SHIFT_JIS_2004", NULL, 2},
};

// Other spellings, in lower case and without what is neither letter nor digit.
static const struct {
    const char *name;
    int32_t encoding;
} aliases[] = {{"unicode", 6}, {"iso88591", 8}, {"iso88592", 9}, {"iso88593", 10}, {"iso88594", 11},
    {"iso88599", 12}, {"iso885910", 13}, {"iso885913", 14}, {"iso885914", 15}, {"iso885915", 16},
    {"iso885916", 17}, {"abc", 19}, {"tcvn", 19}, {"tcvn5712", 19}, {"vscii", 19}, {"alt", 20},
    {"win", 23}, {"koi8", 22}, {"windows866", 20}, {"windows874", 21}, {"windows949", 38},
    {"windows950", 36}, {"windows932", 35}, {"windows936", 37}, {"windows1250", 29},
    {"windows1251", 23}, {"windows1252", 24}, {"windows1253", 30}, {"windows1254", 31},
    {"windows1255", 32}, {"windows1256", 18}, {"windows1257", 33}, {"windows1258", 19},
    {"mskanji", 35}, {"shiftjis", 35}, {"shiftjis2004", 41}, {"win932", 35}, {"win936", 37},
    {"win949", 38}, {"win950", 36}};

static size_t fold(struct bytes name, char folded[ENCODING_NAME_BYTES_MAX])
{
    size_t size = 0;
    for (size_t i = 0; i < name.size; i++) {
        char c = ascii_lower((char)name.data[i]);
        if (!ascii_digit(c) && (c < 'a' || c > 'z')) continue;
        if (size == ENCODING_NAME_BYTES_MAX - 1) return 0;
        folded[size++] = c;
    }
    folded[size] = 0;
    return size;
}

int32_t encoding_find(struct bytes name)
{
    char wanted[ENCODING_NAME_BYTES_MAX], known[ENCODING_NAME_BYTES_MAX];
    if (fold(name, wanted) == 0) return -1;
    for (int32_t i = 0; i < ENCODING_COUNT; i++) {
        fold(bytes_of_string(encodings[i].name), known);
        if (strcmp(wanted, known) == 0) return i;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(wanted, aliases[i].name) == 0) return aliases[i].encoding;
    return -1;
}

const char *encoding_name(int64_t number)
{
    return number < 0 || number >= ENCODING_COUNT ? "" : encodings[number].name;
}

int32_t encoding_character_bytes(int64_t number)
{
    return number < 0 || number >= ENCODING_COUNT ? 0 : encodings[number].bytes;
}

// --- ICU -------------------------------------------------------------------------------------------------

struct conversion {
    struct arena *arena;
    const struct encoding *encoding;
    struct bytes in;
    struct buffer out;
    bool to_utf8;
    struct status st;
};

static void append_bytes(struct buffer *text, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer_printf(text, " 0x%02x", data[i]);
}

static struct status lacks(struct conversion *run, const uint8_t *data, size_t size)
{
    struct buffer text;
    buffer_init(&text, run->arena);
    append_bytes(&text, data, size);
    return status_format(run->arena, E_UNTRANSLATABLE_CHARACTER,
        "character with byte sequence%s in encoding \"%s\" has no equivalent in encoding \"%s\"",
        buffer_string(&text), run->to_utf8 ? run->encoding->name : "UTF8",
        run->to_utf8 ? "UTF8" : run->encoding->name);
}

// As many bytes as a character has that begins so, as PostgreSQL counts them.
static size_t character_bytes(const struct encoding *encoding, struct bytes text)
{
    const uint8_t first = text.data[0];
    const char *name = encoding->name;
    if (first < 0x80 || encoding->bytes == 1) return 1;
    if (strcmp(name, "SJIS") == 0) return first >= 0xa1 && first <= 0xdf ? 1 : 2;
    if (strcmp(name, "GB18030") == 0) return text.size > 1 && text.data[1] >= 0x30 && text.data[1] <= 0x39 ? 4 : 2;
    if (strncmp(name, "EUC_", 4) != 0 || strcmp(name, "EUC_CN") == 0) return 2;
    if (first == 0x8e) return strcmp(name, "EUC_TW") == 0 ? 4 : 2;
    return first == 0x8f ? 3 : 2;
}

static struct status malformed(struct conversion *run, const uint8_t *data, size_t size)
{
    struct buffer text;
    buffer_init(&text, run->arena);
    append_bytes(&text, data, size);
    return status_format(run->arena, E_CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"%s\":%s", run->encoding->name, buffer_string(&text));
}

static size_t utf8_put(uint8_t *out, UChar32 c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0) | c);
    return size;
}

// Windows' code pages have places that PostgreSQL's tables leave empty and ICU fills with control characters.
static bool is_empty_place(const struct encoding *encoding, UChar32 c)
{
    return c >= 0x80 && c < 0xa0 && encoding->icu[0] == 'w' && encoding->bytes == 1;
}

static struct status units_to_utf8(struct conversion *run, const UChar *units, size_t count)
{
    uint8_t utf8[4];
    for (size_t i = 0; i < count;) {
        UChar32 c = units[i++];
        // ICU gives whole pairs.
        if (c >= 0xd800 && c < 0xdc00 && i < count)
            c = 0x10000 + ((c - 0xd800) << 10) + (units[i++] - 0xdc00);
        size_t size = utf8_put(utf8, c);
        if (is_empty_place(run->encoding, c)) return lacks(run, &(uint8_t){(uint8_t)c}, 1);
        buffer_append(&run->out, utf8, size);
    }
    return arena_check(run->arena);
}

static struct status bytes_to_utf8(struct conversion *run, UConverter *converter)
{
    struct status st = STATUS_OK;
    UChar *units = arena_alloc(run->arena, sizeof(UChar) * CHUNK_UNITS);
    const char *at = (const char *)run->in.data, *end = at + run->in.size;
    UErrorCode error = U_BUFFER_OVERFLOW_ERROR;
    size_t kept = 0; // Half of a pair goes with the other half.
    while (error == U_BUFFER_OVERFLOW_ERROR) {
        UChar *to = units + kept;
        error = U_ZERO_ERROR;
        ucnv_toUnicode(converter, &to, units + CHUNK_UNITS, &at, end, NULL, true, &error);
        size_t count = (size_t)(to - units);
        kept = error == U_BUFFER_OVERFLOW_ERROR && count > 0 && U16_IS_LEAD(units[count - 1]);
        TRY(units_to_utf8(run, units, count - kept));
        TRY(task_poll(task_current()));
        if (kept > 0) units[0] = units[count - 1];
    }
    if (U_FAILURE(error)) {
        char bad[32];
        int8_t size = sizeof bad;
        UErrorCode ignored = U_ZERO_ERROR;
        ucnv_getInvalidChars(converter, bad, &size, &ignored);
        if (U_FAILURE(ignored) || size < 0) size = 0;
        // From where it began: `at` is behind it.
        const struct bytes rest = bytes_skip(run->in, (size_t)(at - (const char *)run->in.data) - (size_t)size);
        if (error != U_INVALID_CHAR_FOUND && rest.size > 0) {
            const size_t whole = character_bytes(run->encoding, rest);
            const char *name = run->encoding->name;
            // Of these PostgreSQL knows no more than that the second byte is there.
            const bool any = strcmp(name, "BIG5") == 0 || strcmp(name, "GBK") == 0 || strcmp(name, "UHC") == 0;
            if (any && whole <= rest.size) return lacks(run, rest.data, whole);
            return malformed(run, rest.data, whole < rest.size ? whole : rest.size);
        }
        st = error == U_INVALID_CHAR_FOUND ? lacks(run, (const uint8_t *)bad, (size_t)size)
                                           : malformed(run, (const uint8_t *)bad, (size_t)size);
    }
out:
    return st;
}

static struct status utf8_to_bytes(struct conversion *run, UConverter *converter)
{
    struct status st = STATUS_OK;
    char encoded[32];
    const uint8_t *in = run->in.data;
    size_t size = run->in.size;
    uint32_t steps = 0;
    for (size_t i = 0; i < size;) {
        size_t start = i;
        UChar32 c;
        if (++steps % STEPS_PER_POLL == 0) {
            TRY(task_poll(task_current()));
            TRY(arena_check(run->arena));
        }
        UChar units[2];
        U8_NEXT(in, i, size, c);
        if (c < 0)
            return status_make(
                E_CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"");
        if (c < 0x80 && run->encoding->bytes == 1) {
            buffer_append_u8(&run->out, (uint8_t)c);
            continue;
        }
        int32_t count = 0;
        UErrorCode error = U_ZERO_ERROR;
        bool failure = false;
        U16_APPEND(units, count, 2, c, failure);
        ucnv_resetFromUnicode(converter);
        int32_t length = ucnv_fromUChars(converter, encoded, sizeof encoded, units, count, &error);
        if (failure || U_FAILURE(error) || length <= 0 || is_empty_place(run->encoding, c))
            return lacks(run, in + start, i - start);
        buffer_append(&run->out, encoded, (size_t)length);
    }
    st = arena_check(run->arena);
out:
    return st;
}

// ICU reads its data with deep calls.
static void convert_on_stack(void *arg)
{
    struct conversion *run = arg;
    UErrorCode error = U_ZERO_ERROR;
    UConverter *converter = ucnv_open(run->encoding->icu, &error);
    if (U_FAILURE(error)) {
        run->st = status_format(run->arena, E_FEATURE_NOT_SUPPORTED,
            "conversion between %s and UTF8 is not supported", run->encoding->name);
        return;
    }
    ucnv_setFallback(converter, false);
    ucnv_setToUCallBack(converter, UCNV_TO_U_CALLBACK_STOP, NULL, NULL, NULL, &error);
    ucnv_setFromUCallBack(converter, UCNV_FROM_U_CALLBACK_STOP, NULL, NULL, NULL, &error);
    run->st = run->to_utf8 ? bytes_to_utf8(run, converter) : utf8_to_bytes(run, converter);
    ucnv_close(converter);
}

static struct status convert(
    struct arena *arena, int32_t encoding, struct bytes text, bool to_utf8, struct bytes *out)
{
    struct conversion run = {
        .arena = arena, .encoding = &encodings[encoding], .in = text, .to_utf8 = to_utf8};
    if (run.encoding->icu == NULL)
        return status_format(arena, E_FEATURE_NOT_SUPPORTED,
            "conversion between %s and UTF8 is not supported", run.encoding->name);
    buffer_init(&run.out, arena);
    if (text.size <= SHORT_BYTES)
        stack_call(convert_on_stack, &run);
    else
        deep_call(task_current(), convert_on_stack, &run);
    *out = buffer_bytes(&run.out);
    return run.st;
}

struct status encoding_to_utf8(
    struct arena *arena, int32_t encoding, struct bytes text, struct bytes *out)
{
    *out = text;
    if (encoding == ENCODING_UTF8 || encoding == ENCODING_SQL_ASCII)
        return type_check_utf8(arena, text);
    const uint8_t *zero = text.size == 0 ? NULL : memchr(text.data, 0, text.size);
    if (zero != NULL)
        return status_format(arena, E_CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"%s\": 0x00", encodings[encoding].name);
    return convert(arena, encoding, text, true, out);
}

struct status encoding_from_utf8(
    struct arena *arena, int32_t encoding, struct bytes text, struct bytes *out)
{
    *out = text;
    if (encoding == ENCODING_UTF8 || encoding == ENCODING_SQL_ASCII) return STATUS_OK;
    return convert(arena, encoding, text, false, out);
}
