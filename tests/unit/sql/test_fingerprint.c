// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "sql/insight/fingerprint.h"

static struct fingerprint of(struct arena *arena, const char *text)
{
    struct fingerprint made;
    fingerprint_make(arena, bytes_of_string(text), &made);
    return made;
}

// What a statement is about stays out of its text; what it does stays in.
Test(fingerprint, values_are_taken_out)
{
    static const struct {
        const char *text, *expect;
    } rows[] = {
        {"SELECT  v FROM t -- the key\nWHERE k = 7 AND v <> 'x';", "SELECT v FROM t WHERE k = $1 AND v <> $2"},
        {"SELECT $2, 5", "SELECT $2, $3"},
        {"CREATE TABLE t (a numeric(10,2) DEFAULT 'x')", "CREATE TABLE t (a numeric(10,2) DEFAULT $1)"},
        {"ALTER ROLE bob PASSWORD 'secret'", "ALTER ROLE bob PASSWORD $1"},
        {"CREATE FUNCTION f() AS $$ secret $$", "CREATE FUNCTION f() AS $1"},
        {"select \"A\", x'ff', 1e5", "select \"A\", $1, $2"},
        {"SELECT 'no end", "SELECT"},
        {"", ""},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(of(&arena, rows[i].text).text, rows[i].expect);
    cr_expect_str_eq(fingerprint_anonymous(&arena, "SELECT $1, '$2', $13"), "SELECT _, '$2', _");
    arena_fini(&arena);
}

Test(fingerprint, same_where_only_values_and_looks_differ)
{
    static const struct {
        const char *one, *other;
        bool same;
    } rows[] = {
        {"SELECT 1", "select\n2 /* two */", true},
        {"SELECT $1", "SELECT 'x'", true},
        {"SELECT a", "SELECT A", true},
        {"SELECT \"a\"", "SELECT \"A\"", false},
        {"SELECT a b", "SELECT ab", false},
        {"SELECT 1", "SELECT 1, 2", false},
        {"SET a = 1", "SET a = 2", false},
        {"SET a = '1'", "SET a = '2'", true},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_eq(of(&arena, rows[i].one).id == of(&arena, rows[i].other).id, rows[i].same, "%s", rows[i].one);
    arena_fini(&arena);
}

Test(fingerprint, text_is_bounded_and_its_end_still_counts)
{
    static char long_one[20000], long_other[20000];
    struct arena arena;
    arena_init(&arena, NULL);
    memset(long_one, '+', sizeof long_one - 1);
    memcpy(long_one, "SELECT ", 7);
    for (size_t i = 7; i < sizeof long_one - 1; i += 2) long_one[i] = 'a';
    memcpy(long_other, long_one, sizeof long_one);
    long_other[sizeof long_other - 2] = long_other[sizeof long_other - 2] == 'a' ? 'b' : '-';
    cr_expect_leq(strlen(of(&arena, long_one).text), FINGERPRINT_TEXT_BYTES_MAX);
    cr_expect_neq(of(&arena, long_one).id, of(&arena, long_other).id);
    arena_fini(&arena);
}
