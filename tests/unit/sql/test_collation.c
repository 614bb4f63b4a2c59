// SPDX-License-Identifier: GPL-3.0-or-later
//
// Protects: long texts are in the order that ICU has for them; an ICU collation's key bytes are in the order of its comparison, whatever reads them back walks over
// exactly them, and a full table of collations gives none rather than a wrong one.
#include <criterion/criterion.h>
#include <unicode/ucol.h>

#include "core/arena.h"
#include "sql/type/array.h"
#include "sql/type/collation.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(collation, .init = setup, .fini = teardown);

static const char *const words[] = {"", "a", "A", "b", "B", "ab", "a b", "a-b", "\xc3\xa4", "z", "10", "9",
    "\xc3\x9f", "ss", "  ", "\xe6\xbc\xa2\xe5\xad\x97"};
#define WORDS (sizeof words / sizeof words[0])

static type_oid type_of(const char *definition, type_oid plain)
{
    struct type type = {plain, -1, collation_number(definition)};
    cr_assert(collation_is_icu(type.collation));
    return collation_type(type);
}

static struct bytes key_of(type_oid type, struct datum value, enum key_order order)
{
    struct buffer key;
    buffer_init(&key, &arena);
    cr_assert(!failed(type_key_encode(&key, type, value, order)));
    return buffer_bytes(&key);
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

static void check_pair(type_oid type, struct datum a, struct datum b)
{
    int order = sign(type_compare(type, a, b));
    cr_expect_eq(order, sign(bytes_compare(key_of(type, a, KEY_ASCENDING), key_of(type, b, KEY_ASCENDING))));
    cr_expect_eq(
        -order, sign(bytes_compare(key_of(type, a, KEY_DESCENDING), key_of(type, b, KEY_DESCENDING))));
    if (order == 0) cr_expect_eq(type_hash(type, a), type_hash(type, b));
    struct bytes key = key_of(type, a, KEY_ASCENDING);
    struct datum walked;
    cr_expect(!failed(type_key_decode(&key, type, KEY_ASCENDING, &arena, &walked)));
    cr_expect_eq(key.size, 0u, "the key is walked over");
}

// An array's key says of which type its elements are: one that nobody knows is damage, not a belief of ours.
Test(collation, an_array_key_of_an_unknown_collation_is_refused)
{
    struct buffer key;
    struct datum value;
    buffer_init(&key, &arena);
    key_append_int(&key, COLLATION_TYPE_BASE + 0x123400, KEY_ASCENDING);
    buffer_append_u8(&key, 1);
    buffer_append_string(&key, "abc");
    struct bytes rest = buffer_bytes(&key);
    cr_expect(failed(type_key_decode(&rest, TYPE_INT4_ARRAY, KEY_ASCENDING, &arena, &value)));
}

Test(collation, keys_are_in_the_order_of_comparison)
{
    static const char *const definitions[] = {"20001 i d en en", "20002 i n und-u-ks-level2 ci",
        "20003 i d en-u-kn-true kn", "20004 i d de@collation=phonebook pb"};
    for (size_t d = 0; d < sizeof definitions / sizeof definitions[0]; d++) {
        type_oid text = type_of(definitions[d], TYPE_TEXT);
        type_oid array = type_of(definitions[d], TYPE_TEXT_ARRAY);
        for (size_t i = 0; i < WORDS; i++)
            for (size_t k = 0; k < WORDS; k++) {
                struct datum a = datum_text(words[i]), b = datum_text(words[k]), x, y;
                struct datum two[] = {a, b};
                check_pair(text, a, b);
                cr_assert(!failed(array_make(&arena, TYPE_TEXT, two, 2, &x)));
                cr_assert(!failed(array_make(&arena, TYPE_TEXT, &b, 1, &y)));
                check_pair(array, x, y);
            }
    }
}

Test(collation, what_is_equal_is_what_the_definition_says)
{
    type_oid ci = type_of("20002 i n und-u-ks-level2 ci", TYPE_TEXT);
    type_oid en = type_of("20001 i d en en", TYPE_TEXT);
    cr_expect_eq(type_compare(ci, datum_text("Abc"), datum_text("aBC")), 0);
    cr_expect_neq(type_compare(en, datum_text("Abc"), datum_text("aBC")), 0);
    cr_expect_eq(collation_type(TYPE_OF(TYPE_TEXT)), TYPE_TEXT, "the default one has no id of its own");
}

Test(collation, definitions_that_are_none_are_refused)
{
    static const char *const wrong[] = {"", "12", "12 i", "12 i d", "12 i d en", "x i d en en"};
    struct collation collation;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect(!collation_parse(&arena, wrong[i], &collation), "%s", wrong[i]);
        cr_expect_eq(collation_number(wrong[i]), COLLATION_NONE);
    }
}

Test(collation, a_full_table_gives_no_number)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i <= COLLATIONS_MAX; i++)
        number = collation_number(arena_printf(&arena, "%u i d en c%u", 30000 + i, i));
    cr_expect_eq(number, COLLATION_CONFLICT);
    cr_expect_eq(collation_number("30000 i d en c0"), 1u, "those that are there stay");
}

// Long texts change their case part by part: it shows nowhere, in whichever language letters mind what stands beside them.
Test(collation, a_long_text_changes_its_case_as_a_short_one_does)
{
    static const char *const languages[] = {"de", "el", "tr", "lt", "nl"};
    static const char sentence[] = "\xce\x9f\xce\xb4\xcf\x85\xcf\x83\xcf\x83\xce\xb5\xcf\x8d\xcf\x82 \xce\xa3\xce\x91\xce\xa3 ii\xcc\x87 \xc4\xb0I "
                                   "ijI \xc3\x9f" "a1b2 \xe6\xbc\xa2\xe5\xad\x97x ";
    for (size_t l = 0; l < sizeof languages / sizeof languages[0]; l++) {
        const uint32_t number = collation_number(
            arena_printf(&arena, "%zu i d %s %s", 40000 + l, languages[l], languages[l]));
        for (int to = COLLATION_LOWER; to <= COLLATION_INITCAP; to++) {
            struct bytes one, all;
            struct buffer text, expected;
            buffer_init(&text, &arena);
            buffer_init(&expected, &arena);
            cr_assert(!failed(collation_change_case(&arena, number, (enum collation_case)to, bytes_of(sentence, sizeof sentence - 1), &one)));
            for (uint32_t i = 0; i < 3000; i++) {
                buffer_append(&text, sentence, sizeof sentence - 1);
                buffer_append_bytes(&expected, one);
            }
            cr_assert(!failed(collation_change_case(&arena, number, (enum collation_case)to, buffer_bytes(&text), &all)));
            cr_expect(bytes_equal(all, buffer_bytes(&expected)), "%s, %d", languages[l], to);
        }
    }
}

// Long texts are compared from where they differ on, or a little before: letters that are read together with those before
// them (contractions, marks, digits of one number, the Japanese sign for a long vowel) decide as in the whole text.
Test(collation, long_texts_are_in_the_order_of_the_whole)
{
    static const char *const locales[] = {"de", "da", "cs", "hu", "ja", "th", "en-u-kn-true", "und-u-ka-shifted", "fr-CA", "und-u-kk-true"};
    static const char *const pieces[] = {"a", "A", "c", "h", "H", "ch", "d", "z", "s", "\xc3\xa4", "a\xcc\x88", "\xcc\x88", "\xcc\xa3", "1", "9", "10", "-", " ",
        "\xe3\x82\xab", "\xe3\x83\xbc", "\xe3\x82\xa2", "\xe0\xb9\x80", "\xe0\xb8\x81", "\xe1\x84\x80", "\xe1\x85\xa1", "\xe1\x86\xa8",
        "\xf0\x9f\x98\x80", "\xf0\x9d\x9f\x8e", "\x01"};
    const uint32_t count = sizeof pieces / sizeof pieces[0];
    uint32_t state = 1;
    for (size_t l = 0; l < sizeof locales / sizeof locales[0]; l++) {
        UErrorCode error = U_ZERO_ERROR;
        UCollator *collator = ucol_open(locales[l], &error);
        cr_assert(!U_FAILURE(error));
        const type_oid type = type_of(arena_printf(&arena, "%zu i d %s %s", 50000 + l, locales[l], locales[l]), TYPE_TEXT);
        for (uint32_t round = 0; round < 300; round++) {
            struct buffer texts[2];
            const char *drawn[9];
            for (uint32_t i = 0; i < 9; i++) drawn[i] = pieces[(state = state * 1664525u + 1013904223u) % 65536u % count];
            for (uint32_t t = 0; t < 2; t++) {
                buffer_init(&texts[t], &arena);
                // Of two letters over and over, and two more before what differs.
                while (texts[t].size < 70000) {
                    buffer_append_string(&texts[t], drawn[0]);
                    if (round % 3 != 0) buffer_append_string(&texts[t], drawn[1]);
                }
                for (uint32_t i = 0; i < 2; i++) buffer_append_string(&texts[t], drawn[2 + i]);
                if (round % 5 != t) buffer_append_string(&texts[t], drawn[4 + 2 * t]);
                if (round % 7 != t) buffer_append_string(&texts[t], drawn[5 + 2 * t]);
                buffer_append_string(&texts[t], drawn[8]);
            }
            const struct bytes a = buffer_bytes(&texts[0]), b = buffer_bytes(&texts[1]);
            int order = (int)ucol_strcollUTF8(collator, (const char *)a.data, (int32_t)a.size, (const char *)b.data, (int32_t)b.size, &error);
            if (order == 0) order = sign(bytes_compare(a, b));
            cr_expect_eq(sign(type_compare(type, datum_bytes(a), datum_bytes(b))), order, "%s, round %u", locales[l], round);
        }
        ucol_close(collator);
    }
}
