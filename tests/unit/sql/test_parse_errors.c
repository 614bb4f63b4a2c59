// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parser refuses: with PostgreSQL's words, the right SQLSTATE and the right character.
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"

static const char *state_of(struct status st)
{
    static char text[6];
    status_sqlstate(st, text);
    return text;
}

static uint32_t position_of(struct status st)
{
    const struct status_report *report = status_report_of(st);
    return report == NULL ? 0 : report->position;
}

Test(parse, errors_have_message_state_and_position)
{
    static const struct {
        const char *text, *state, *message;
        uint32_t position;
    } rows[] = {
        {"SELEC 1", "42601", "syntax error at or near \"SELEC\"", 1},
        {"SELECT 1 +", "42601", "syntax error at end of input", 11},
        {"SELECT 1; SELECT FROM WHERE", "42601", "syntax error at or near \"WHERE\"", 23},
        {"SELECT 'abc", "42601", "unterminated quoted string at or near \"'abc\"", 8},
        {"SELECT \"abc", "42601", "unterminated quoted identifier at or near \"\"abc\"", 8},
        {"SELECT /* abc", "42601", "unterminated /* comment at or near \"/* abc\"", 8},
        {"SELECT (1; SELECT 2", "42601", "syntax error at or near \";\"", 10},
        {"SELECT 1)", "42601", "syntax error at or near \")\"", 9},
        {"SELECT '\xc3\xa4\xc3\xb6' x y", "42601", "syntax error at or near \"y\"", 15},
        {"SELECT a FROM t AS OF SYSTEM TIME '-1s' WHERE WHERE", "42601",
            "syntax error at or near \"WHERE\"", 47},
        {"SELECT * FROM [SHOW JOBS] WHERE )", "42601", "syntax error at or near \")\"", 33},
        {"SELECT * FROM [SHOW JOB] x", "42601", "syntax error at end of input", 24},
        {"SELECT a@b FROM t", "42601", "syntax error at or near \"a\"", 8},
        {"UPSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "42601",
            "UPSERT cannot have an ON CONFLICT clause", 26},
        {"UPSERT INTO t", "42601", "syntax error at end of input", 14},
        {"SHOW VIRTUAL CLUSTER", "42601", "syntax error at end of input", 21},
        {"SHOW VIRTUAL CLUSTER a WITH STATUS", "42601", "syntax error at or near \"STATUS\"", 29},
        {"SHOW TABLES FROM d WITH COMMENT x", "42601", "syntax error at or near \"x\"", 33},
        {"ALTER VIRTUAL CLUSTER a START", "42601", "syntax error at end of input", 30},
        {"ALTER VIRTUAL CLUSTER a START SERVICE SHARD", "42601",
            "syntax error at or near \"SHARD\"", 39},
        {"ALTER VIRTUAL CLUSTER ALL STOP SERVICE", "42601", "syntax error at or near \"STOP\"", 27},
        {"ALTER VIRTUAL CLUSTER a REVOKE CAPABILITY x = true", "42601",
            "no value allowed in revoke: \"x\"", 43},
        {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME", "42601",
            "syntax error at end of input", 60},
        {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME 1 +", "42601",
            "syntax error at end of input", 64},
        {"CREATE USER u WITH COLOUR", "42601", "syntax error at or near \"COLOUR\"", 20},
        {"BEGIN ISOLATION LEVEL CHAOS", "42601", "syntax error at or near \"CHAOS\"", 23},
        {"EXPLAIN", "42601", "syntax error at end of input", 8},
        {"CREATE TABLE t (a int, FAMILY (b) x)", "42601", "syntax error at or near \"x\"", 35},
        {"CREATE TABLE t (a int, INDEX i (a) STORING)", "42601", "syntax error at end of input",
            43},
        {"SELECT $99999", "42P02", "there is no parameter $99999", 8},
        {"SELECT '\xff'", "22021", "invalid byte sequence for encoding \"UTF8\": 0xff", 0},
        {"SELECT 1 AS OF SYSTEM TIME 1 UNION SELECT 1 AS OF SYSTEM TIME 2", "0A000",
            "AS OF SYSTEM TIME with different times in one statement is not supported", 45},
        {"CREATE TABLE t (EXCLUDE USING gist (a WITH =))", "0A000",
            "EXCLUDE constraint is not supported", 17},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena, NULL);
        struct statement_list list;
        struct status st = parse_sql(&arena, bytes_of_string(rows[i].text), &list);
        cr_assert(failed(st), "%s", rows[i].text);
        cr_expect_str_eq(st.message, rows[i].message, "%s: %s", rows[i].text, st.message);
        cr_expect_str_eq(state_of(st), rows[i].state, "%s: %s", rows[i].text, state_of(st));
        cr_expect_eq(position_of(st), rows[i].position, "%s: %u", rows[i].text, position_of(st));
        arena_fini(&arena);
    }
}

// Blanks, comments and stray semicolons are no statements.
Test(parse, empty_texts_have_no_statements)
{
    static const struct {
        const char *text;
        uint32_t count;
    } rows[] = {{"", 0}, {" \n\t", 0}, {";", 0}, {";;", 0}, {"-- x", 0}, {"/* a /* b */ */;", 0},
        {"SELECT 1;", 1}, {";SELECT 1;;SELECT 2;", 2}, {"SELECT ';'; -- ;\nSELECT $$;$$", 2}};
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statement_list list;
        struct status st = parse_sql(&arena, bytes_of_string(rows[i].text), &list);
        cr_assert(!failed(st), "%s", rows[i].text);
        cr_expect_eq(list.count, rows[i].count, "%s", rows[i].text);
    }
    arena_fini(&arena);
}

// Each statement knows where it stood, so that it can be shown and told apart.
Test(parse, statements_know_their_span)
{
    const char *text = "  SELECT 1 ;\n UPSERT INTO t VALUES ($3) -- end\n; SHOW JOBS  ";
    struct arena arena;
    struct statement_list list;
    arena_init(&arena, NULL);
    cr_assert(!failed(parse_sql(&arena, bytes_of_string(text), &list)));
    static const char *const spans[] = {"SELECT 1", "UPSERT INTO t VALUES ($3)", "SHOW JOBS"};
    cr_assert_eq(list.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct bytes span = bytes_of(text + list.items[i]->position, list.items[i]->length);
        cr_expect(bytes_equal(span, bytes_of_string(spans[i])), "%s", spans[i]);
    }
    cr_expect_eq(list.items[1]->parameter_count, 3);
    cr_expect_eq(list.items[2]->parameter_count, 0);
    arena_fini(&arena);
}

// Positions in the tree are those of the original text, whatever was taken out before them.
Test(parse, positions_survive_rewriting)
{
    const char *text = "SELECT a FROM [SHOW JOBS] AS OF SYSTEM TIME '-1s' WHERE bcd = 1";
    struct arena arena;
    struct statement_list list;
    arena_init(&arena, NULL);
    cr_assert(!failed(parse_sql(&arena, bytes_of_string(text), &list)));
    const struct select *select = list.items[0]->as.select;
    cr_expect_eq(select->where->op.left->position, strstr(text, "bcd") - text);
    cr_expect_eq(select->from.items[0]->position, strchr(text, '[') - text);
    cr_expect_eq(list.items[0]->as_of->position, strstr(text, "'-1s'") - text);
    arena_fini(&arena);
}

Test(parse, expressions_and_types_stand_alone)
{
    static const struct {
        const char *text, *want; // NULL: refused.
    } expressions[] = {{"1 + a", "1 + a"}, {"(a, b)", "(a, b)"}, {"nextval('s')", "nextval('s')"},
        {"a > 0 -- x", "a > 0"}, {"1, 2", NULL}, {"1 FROM t", NULL}, {"1 AS b", NULL}, {"", NULL},
        {"SELECT 1", NULL}, {"1; 2", NULL}, {"1) + (2", NULL}, {"1) FROM (SELECT 1", NULL},
        {"(SELECT 1)", "(SELECT 1)"}};
    static const struct {
        const char *text, *want;
    } types[] = {{"int", "integer"}, {"numeric(10, 2)[]", "numeric(10,2)[]"}, {"string", "string"},
        {"timestamp(3) with time zone", "timestamp(3) with time zone"}, {"s.t", "s.t"},
        {"interval day to second(3)", "interval DAY TO SECOND(3)"}, {"int + 1", NULL}, {"", NULL},
        {"int) , (1", NULL}, {"int; int", NULL}};
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        struct expr *expr = NULL;
        struct buffer buffer;
        struct status st = parse_expression(&arena, bytes_of_string(expressions[i].text), &expr);
        cr_assert_eq(failed(st), expressions[i].want == NULL, "%s", expressions[i].text);
        if (failed(st)) continue;
        buffer_init(&buffer, &arena);
        deparse_expression(&buffer, expr, 0);
        cr_expect_str_eq(buffer_string(&buffer), expressions[i].want);
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct type_name *type = NULL;
        struct buffer buffer;
        struct status st = parse_type_name(&arena, bytes_of_string(types[i].text), &type);
        cr_assert_eq(failed(st), types[i].want == NULL, "%s", types[i].text);
        if (failed(st)) continue;
        buffer_init(&buffer, &arena);
        deparse_type_name(&buffer, type);
        cr_expect_str_eq(buffer_string(&buffer), types[i].want);
    }
    arena_fini(&arena);
}

// What the tree does not hold comes with its name, for the 0A000 of whoever runs it.
Test(parse, unsupported_statements_have_names)
{
    static const struct {
        const char *text, *name;
    } rows[] = {{"LISTEN x", "LISTEN"}, {"DO $$ x $$", "DO"},
        {"ALTER GROUP g ADD USER u", "ALTER GROUP"},
        {"CREATE AGGREGATE a (int) (sfunc = f, stype = int)", "CREATE AGGREGATE"},
        {"ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE ... ROW LEVEL SECURITY"},
        {"CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f()", "CREATE TRIGGER"},
        {"CREATE CHANGEFEED FOR t", "CREATE CHANGEFEED"}, {"SHOW SCHEDULES", "SHOW SCHEDULES"},
        {"MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "MERGE"}};
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct statement_list list;
        cr_assert(
            !failed(parse_sql(&arena, bytes_of_string(rows[i].text), &list)), "%s", rows[i].text);
        cr_expect_eq(list.items[0]->tag, STATEMENT_UNSUPPORTED, "%s", rows[i].text);
        cr_expect_str_eq(statement_name(list.items[0]), rows[i].name);
    }
    arena_fini(&arena);
}

// --- nesting -------------------------------------------------------------------------------------

static char *nest(
    const char *before, const char *open, uint32_t count, const char *middle, const char *close)
{
    size_t size = strlen(before) + strlen(middle) + count * (strlen(open) + strlen(close)) + 1;
    char *text = malloc(size), *at = text;
    at += sprintf(at, "%s", before);
    for (uint32_t i = 0; i < count; i++)
        at += sprintf(at, "%s", open);
    at += sprintf(at, "%s", middle);
    for (uint32_t i = 0; i < count; i++)
        at += sprintf(at, "%s", close);
    return text;
}

// libpg_query has no bound of its own: ours stands before it. Wide statements are not deep.
Test(parse, nesting_is_bounded)
{
    static const struct {
        const char *before, *open, *middle, *close;
    } rows[] = {
        {"SELECT 1", "+1", "", ""},
        {"SELECT ", "(", "1", ")"},
        {"SELECT ", "(1+", "1", ")"},
        {"SELECT ", "CASE WHEN a THEN ", "1", " END"},
        {"SELECT ", "(SELECT ", "1", ")"},
        {"SELECT * FROM ", "(SELECT * FROM ", "t", ") x"},
        {"SELECT ", "NOT ", "a", ""},
        {"SELECT 1", " UNION SELECT 1", "", ""},
        {"SELECT * FROM t", " JOIN t ON a", "", ""},
        {"SELECT a", "[1]", "", ""},
        {"SELECT ", "ARRAY[", "1", "]"},
        {"SELECT ", "f(", "1", ")"},
        {"SELECT 1", "::int", "", ""},
        {"SELECT ", "(a AND (b OR ", "c", "))"},
        {"SELECT ", "((1+", "1", ")+1)"},
        {"SELECT a", " IS NULL", "", ""},
        {"SELECT ", "- ", "a", ""},
        {"SHOW JOB ", "(", "1", ")"},
        {"SELECT * FROM ", "[SELECT * FROM ", "t", "]"},
        {"", "EXPLAIN ", "SELECT 1", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t deep = 0; deep < 2; deep++) {
            struct arena arena;
            struct statement_list list;
            arena_init(&arena, NULL);
            char *text = nest(
                rows[i].before, rows[i].open, deep ? 200000 : 10, rows[i].middle, rows[i].close);
            struct status st = parse_sql(&arena, bytes_of_string(text), &list);
            if (deep) {
                cr_expect_str_eq(state_of(st), "54001", "%s", rows[i].open);
                cr_expect_str_eq(st.message, "stack depth limit exceeded");
            } else {
                cr_expect(!failed(st), "%s: %s", rows[i].open, st.message);
            }
            free(text);
            arena_fini(&arena);
        }
    }
}

// What a shard reserves is 64 MiB (core/task.h, stack_call); parse.h promises half of it.
#define STACK_BYTES (64u << 20)
#define STACK_PROMISED_BYTES (32u << 20)

static void *parse_and_deparse(void *arg)
{
    struct arena arena;
    struct statement_list list;
    arena_init(&arena, NULL);
    struct status st = parse_sql(&arena, bytes_of_string(arg), &list);
    bool ok = !failed(st);
    if (ok) {
        struct buffer buffer;
        buffer_init(&buffer, &arena);
        deparse_statement(&buffer, list.items[0], 0);
    }
    arena_fini(&arena);
    return ok ? arg : NULL;
}

// Whether the deepest statement of each form that is accepted fits the stack, sanitizers included.
Test(parse, the_bound_fits_the_big_stack)
{
    static const struct {
        const char *before, *open, *middle, *close;
    } rows[] = {
        {"SELECT 1", "+1", "", ""},
        {"SELECT ", "CASE WHEN a THEN ", "1", " END"},
        {"SELECT ", "(SELECT ", "1", ")"},
        {"SELECT * FROM ", "(SELECT * FROM ", "t", ") x"},
        {"SELECT * FROM t", " JOIN t ON a", "", ""},
        {"SELECT 1", " UNION SELECT 1", "", ""},
        {"SELECT ", "ARRAY[", "1", "]"},
        {"SELECT ", "(a AND (b OR ", "c", "))"},
    };
    uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert(stack != MAP_FAILED);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t accepted = 0, refused = 2 * AST_DEPTH_MAX;
        while (refused - accepted > 64) {
            uint32_t count = (accepted + refused) / 2;
            char *text = nest(rows[i].before, rows[i].open, count, rows[i].middle, rows[i].close);
            pthread_attr_t attributes;
            pthread_t thread;
            void *result;
            pthread_attr_init(&attributes);
            pthread_attr_setstack(&attributes, stack, STACK_BYTES);
            cr_assert_eq(pthread_create(&thread, &attributes, parse_and_deparse, text), 0);
            pthread_join(thread, &result);
            pthread_attr_destroy(&attributes);
            free(text);
            if (result != NULL) {
                accepted = count;
            } else {
                refused = count;
            }
        }
        cr_expect_gt(accepted, 300, "%s", rows[i].open);
    }
    // Pages that were never touched read as zero.
    size_t untouched = 0;
    while (untouched < STACK_BYTES && stack[untouched] == 0)
        untouched += 64;
    cr_expect_lt(
        STACK_BYTES - untouched, STACK_PROMISED_BYTES, "%zu KiB", (STACK_BYTES - untouched) >> 10);
    munmap(stack, STACK_BYTES);
}

Test(parse, wide_statements_are_not_deep)
{
    static const struct {
        const char *before, *item;
    } rows[] = {
        {"SELECT a FROM t WHERE a = 1", " OR a = 1 AND b = -2"},
        {"INSERT INTO t VALUES (1)", ", (1, -2, 'x' || 'y')"},
        {"SELECT 1", ", a + b * (c - d)"},
        {"SELECT CASE WHEN a THEN b", " WHEN a + 1 = 2 THEN b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct statement_list list;
        arena_init(&arena, NULL);
        char *text = nest(rows[i].before, rows[i].item, 5000, i == 3 ? " END" : "", "");
        struct status st = parse_sql(&arena, bytes_of_string(text), &list);
        cr_expect(!failed(st), "%s: %s", rows[i].item, failed(st) ? st.message : "");
        free(text);
        arena_fini(&arena);
    }
}

Test(parse, sizes_and_memory_are_bounded)
{
    struct arena arena;
    struct statement_list list;
    char *text = malloc(PARSE_TEXT_BYTES_MAX + 2);
    memset(text, ' ', PARSE_TEXT_BYTES_MAX + 1);
    arena_init(&arena, NULL);
    struct status st = parse_sql(&arena, bytes_of(text, PARSE_TEXT_BYTES_MAX + 1), &list);
    cr_expect_str_eq(state_of(st), "54000");
    cr_expect(!failed(parse_sql(&arena, bytes_of(text, PARSE_TEXT_BYTES_MAX), &list)));
    arena_fini(&arena);

    // A large text is not begun when the tenant has no room for its tree.
    struct memory_account account;
    memory_account_init(&account, NULL, "test", 1 << 20);
    arena_init(&arena, &account);
    st = parse_sql(&arena, bytes_of(text, 1 << 17), &list);
    cr_expect_str_eq(state_of(st), "53200");
    arena_fini(&arena);
    memory_account_fini(&account);
    free(text);
}

// --- noise ---------------------------------------------------------------------------------------

// Whatever the bytes: a status or a tree, whose text parses again.
Test(parse, random_statements_do_no_harm)
{
    static const char *const parts[] = {"SELECT ", "1", "a", "(", ")", ",", " FROM ", "t",
        " WHERE ", "=", "[SHOW JOBS]", "[", "]", "@i", "@{NO_FULL_SCAN}", " AS OF SYSTEM TIME ",
        "'-1s'", "'", "\"", "$1", "$$", "::int", " UNION ", "CREATE TABLE t (", "INDEX i (a)",
        " STORING (b)", "FAMILY f (a)", " NOT VISIBLE", " ON UPDATE now()", " AS (a) STORED",
        "UPSERT INTO t ", "VALUES ", "ALTER VIRTUAL CLUSTER ", "SHOW ", "VIRTUAL CLUSTER ", "x ",
        "WITH ", "REPLICATION STATUS", "SET ", "CLUSTER SETTING ", "a.b", "EXPLAIN ", "CASE ",
        "END ", "WHEN ", "UPDATE t SET a = 1", " ORDER BY a", " LIMIT 1", "ALTER TABLE t ",
        "SPLIT AT ", "CONFIGURE ZONE USING ", "DROP INDEX ", "t@i", "GRANT ", "SYSTEM ", "ALL ",
        " TO ", "BACKUP ", "INTO ", "IN ", "--x\n", "/*", "*/", ";", "\xc3\xa9", "E'\\", "U&'\\",
        "BEGIN ", "NOT ", "PREPARE p AS ", "{", "}", ".", "e'\\x41'", "COPY ", "CREATE USER u ",
        "PASSWORD ", "ADD "};
    char text[1024];
    srand(7);
    for (int round = 0; round < 6000; round++) {
        size_t size = 0;
        for (int i = 1 + rand() % 14; i > 0; i--) {
            const char *part = parts[(size_t)rand() % (sizeof parts / sizeof parts[0])];
            memcpy(text + size, part, strlen(part));
            size += strlen(part);
        }
        uint8_t *copy = malloc(size); // An exact size, so that a read past the end is seen.
        memcpy(copy, text, size);
        struct arena arena;
        struct statement_list list, again;
        arena_init(&arena, NULL);
        if (!failed(parse_sql(&arena, bytes_of(copy, size), &list))) {
            for (uint32_t i = 0; i < list.count; i++) {
                struct buffer buffer;
                buffer_init(&buffer, &arena);
                deparse_statement(&buffer, list.items[i], 0);
                if (list.items[i]->tag == STATEMENT_UNSUPPORTED) continue;
                struct status st = parse_sql(&arena, buffer_bytes(&buffer), &again);
                cr_expect(!failed(st), "%.*s\n%s: %s", (int)size, copy, buffer_string(&buffer),
                    st.message);
            }
        }
        arena_fini(&arena);
        free(copy);
    }
}
