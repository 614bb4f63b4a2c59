// SPDX-License-Identifier: GPL-3.0-or-later
//
// Shapes: statements that differ only in values have one, and nothing whose meaning a parameter would
// change has any.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/parse/shape.h"

static struct shape shape; // Too big for a stack.

static bool make(const char *text)
{
    return shape_of(bytes_of_string(text), &shape);
}

Test(shape, text_is_normalised_and_literals_are_numbered)
{
    static const struct {
        const char *text, *want;
        uint32_t literals;
    } rows[] = {
        {"SELECT abalance FROM pgbench_accounts WHERE aid = 42;",
            "select abalance from pgbench_accounts where aid=$1", 1},
        {"select abalance  from pgbench_accounts\nwhere aid=7",
            "select abalance from pgbench_accounts where aid=$1", 1},
        {"UPDATE t SET a = a + -17 WHERE b = 'x'", "update t set a=a+$1 where b=$2", 2},
        {"UPDATE t SET a = a - 17", "update t set a=a-$1", 1},
        {"UPDATE t SET a = a -17", "update t set a=a-$1", 1},
        {"INSERT INTO t (a, b) VALUES (1, 'it''s'), (2.5, NULL)",
            "insert into t(a,b)values($1,$2),($3,null)", 3},
        {"UPSERT INTO t VALUES (1)", "upsert into t values($1)", 1},
        {"DELETE FROM t WHERE a IN (1, 2, 3)", "delete from t where a in($1,$2,$3)", 3},
        {"SELECT a FROM t WHERE b LIKE 'x%' LIMIT 10 OFFSET 5",
            "select a from t where b like $1 limit $2 offset $3", 3},
        {"SELECT \"A b\", c FROM \"T\" WHERE d = 1", "select \"A b\",c from \"T\" where d=$1", 1},
        {"SELECT a /* why */ FROM t -- end\n WHERE b = 1", "select a from t where b=$1", 1},
        {"SELECT a FROM t WHERE b = 1 ORDER BY a LIMIT 3",
            "select a from t where b=$1 order by a limit $2", 2},
        {"SELECT count(*) FROM t GROUP BY a", "select count(*)from t group by a", 0},
        {"SELECT a::text FROM t WHERE b = 1", "select a::text from t where b=$1", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert(make(rows[i].text), "%s", rows[i].text);
        cr_assert_eq(shape.size, strlen(rows[i].want), "%s: %.*s", rows[i].text, (int)shape.size,
            shape.text);
        cr_assert(memcmp(shape.text, rows[i].want, shape.size) == 0, "%s: %.*s", rows[i].text,
            (int)shape.size, shape.text);
        cr_assert_eq(shape.literal_count, rows[i].literals, "%s", rows[i].text);
    }
}

Test(shape, refuses_what_a_parameter_would_change)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"SELECT a FROM t ORDER BY 1", "an ordinal"},
        {"SELECT a, count(*) FROM t GROUP BY 1", "an ordinal"},
        {"SELECT a + 1 FROM t GROUP BY a + 1", "must stay equal to the item"},
        {"SELECT date '2020-01-01'", "typed literal"},
        {"SELECT interval '1 day'", "typed literal"},
        {"SELECT \"date\" '2020-01-01'", "typed literal with a quoted type"},
        {"SELECT numeric(10,2) '1'", "typed literal with modifiers"},
        {"SELECT a FROM t AS OF SYSTEM TIME '-1s'", "not a value of the query"},
        {"SELECT '5'::int", "cast of a literal"},
        {"SELECT a::numeric(10,2) FROM t", "type modifiers"},
        {"SELECT CAST(a AS numeric(10,2)) FROM t", "type modifiers"},
        {"SELECT extract('year' from a) FROM t", "a field, not a value"},
        {"SELECT 1; SELECT 2", "two statements"},
        {"SELECT a FROM t WHERE b = $1", "has parameters"},
        {"SELECT E'a\\n'", "escapes"},
        {"SELECT $$a$$", "dollar quotes"},
        {"SELECT b'01'", "bits"},
        {"SELECT 'a'\n'b'", "continued string"},
        {"SELECT 1 UNION SELECT 2", "types are resolved across arms"},
        {"WITH x AS (SELECT 1) SELECT * FROM x", "WITH"},
        {"SELECT 1 INTO t", "makes a table"},
        {"SELECT ARRAY[1,2]", "arrays"},
        {"SELECT DISTINCT ON (1) a FROM t", "DISTINCT"},
        {"SET a = 1", "not a query"},
        {"BEGIN", "not a query"},
        {"", "nothing"},
        {";", "nothing"},
        {"SELECT 'abc", "no end"},
        {"SELECT (1", "no end"},
        {"SELECT 1)", "no start"},
        {"SELECT 12abc", "junk after a number"},
        {"SELECT -2147483648", "integer with its sign, bigint without"},
        {"SELECT - 9223372036854775808", "bigint with its sign, numeric without"},
        {"SELECT a FROM t WHERE b = '\xff'", "not UTF-8"},
        {"SELECT [1]", "brackets"},
        {"SELECT a FROM t FETCH FIRST 3 ROWS ONLY", "FETCH"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(!make(rows[i].text), "%s (%s): %.*s", rows[i].text, rows[i].why, (int)shape.size,
            shape.text);
}

Test(shape, literals_keep_their_kind_and_value)
{
    cr_assert(make("SELECT 1, -2, 2147483647, 2147483649, -2147483649, 9223372036854775807, "
                   "9223372036854775809, 1.5, -.5, 1e10, 'it''s'"));
    static const struct {
        enum shape_literal_kind kind;
        int64_t integer;
        const char *text;
    } rows[] = {
        {SHAPE_INTEGER, 1, "1"},
        {SHAPE_INTEGER, -2, "-2"},
        {SHAPE_INTEGER, 2147483647, "2147483647"},
        {SHAPE_BIGINT, 2147483649, "2147483649"},
        {SHAPE_BIGINT, -2147483649, "-2147483649"},
        {SHAPE_BIGINT, INT64_MAX, "9223372036854775807"},
        {SHAPE_DECIMAL, 0, "9223372036854775809"},
        {SHAPE_DECIMAL, 0, "1.5"},
        {SHAPE_DECIMAL, 0, "-.5"},
        {SHAPE_DECIMAL, 0, "1e10"},
        {SHAPE_STRING, 0, "it''s"},
    };
    cr_assert_eq(shape.literal_count, sizeof rows / sizeof rows[0]);
    for (uint32_t i = 0; i < shape.literal_count; i++) {
        const struct shape_literal *literal = &shape.literals[i];
        cr_expect_eq(literal->kind, rows[i].kind, "%s", rows[i].text);
        cr_expect_eq(literal->integer, rows[i].integer, "%s", rows[i].text);
        cr_expect(bytes_equal(literal->text, bytes_of_string(rows[i].text)), "%s", rows[i].text);
    }
    uint8_t out[8];
    size_t size = shape_literal_unescape(&shape.literals[10], out);
    cr_expect(bytes_equal(bytes_of(out, size), BYTES_LITERAL("it's")));
}

// An int4 and an int8 in the same place give different plans.
Test(shape, kinds_are_part_of_the_hash)
{
    cr_assert(make("SELECT 1"));
    uint64_t small = shape.hash;
    cr_assert(make("SELECT 99999999999"));
    cr_expect_neq(shape.hash, small);
    cr_assert(make("select   2"));
    cr_expect_eq(shape.hash, small);
}

Test(shape, random_texts_do_no_harm)
{
    static const char *const parts[] = {"select ", "insert into t ", "values", "(", ")", ",", "1",
        "-2.5", "'a''b'", "'", "\"x\"", "\"", " from t ", " where ", "=", "::", ".", "$1", "--\n",
        "/*", "*/", " order by ", "\xc3\xa9", "\xff", ";", "e", "+", "limit "};
    char text[512];
    srand(1);
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)snprintf(text, sizeof text, "select ");
        for (int i = rand() % 20; i > 0; i--) {
            const char *part = parts[(size_t)rand() % (sizeof parts / sizeof parts[0])];
            memcpy(text + size, part, strlen(part));
            size += strlen(part);
        }
        // An exact allocation, so that a read past the end is seen.
        uint8_t *copy = malloc(size);
        memcpy(copy, text, size);
        (void)shape_of(bytes_of(copy, size), &shape);
        free(copy);
    }
}
