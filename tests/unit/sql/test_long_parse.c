// SPDX-License-Identifier: GPL-3.0-or-later
//
// Long statements are read by a helper: the same tree and the same errors, others run meanwhile, and who is
// cancelled does not wait for it.
#include "core/work.h"
#include "sql/parse/deparse.h"
#include "sql/session/long_parse.h"
#include "tests/unit/sql/sql_harness.h"

static struct bytes long_text(struct arena *arena, const char *end)
{
    struct buffer text;
    buffer_init(&text, arena);
    buffer_append_string(&text, "SELECT 'a', x FROM t WHERE x IN (0");
    for (uint32_t i = 1; text.size < LONG_PARSE_BYTES * 2; i++) buffer_printf(&text, ", %u", i);
    buffer_append_string(&text, end);
    return buffer_bytes(&text);
}

SQL_TEST(long_parse, reads_what_the_parser_reads, 1)
{
    struct status st = STATUS_OK;
    struct statement_list here, there;
    struct buffer one, other;
    struct arena *arena = &test->arena;
    struct bytes text = long_text(arena, ")");
    TRY(parse_sql_on_stack(arena, text, &here));
    TRY(long_parse_sql(test->task, test->session, arena, text, &there));
    memset((void *)(uintptr_t)text.data, '?', text.size); // The tree does not need it.
    cr_assert(here.count == 1 && there.count == 1);
    buffer_init(&one, arena);
    buffer_init(&other, arena);
    deparse_statement(&other, there.items[0], 0);
    cr_expect(other.size > LONG_PARSE_BYTES && there.items[0]->length == text.size);
    TRY(parse_sql_on_stack(arena, buffer_bytes(&other), &here));
    deparse_statement(&one, here.items[0], 0);
    cr_expect(bytes_equal(buffer_bytes(&one), buffer_bytes(&other)));

out:
    return st;
}

SQL_TEST(long_parse, errors_are_those_of_the_parser, 1)
{
    struct statement_list list;
    struct arena *arena = &test->arena;
    struct bytes text = long_text(arena, ") GROUP GROUP");
    struct status here = parse_sql_on_stack(arena, text, &list);
    struct status there = long_parse_sql(test->task, test->session, arena, text, &list);
    cr_assert(failed(here) && there.code == here.code);
    cr_expect_str_eq(there.message, here.message);
    cr_expect_eq(status_report_of(there)->position, status_report_of(here)->position);
    // What the statement may take is what its account has left.
    struct memory_account account;
    struct arena small;
    memory_account_init(&account, NULL, "small", 64u << 10);
    arena_init(&small, &account);
    there = long_parse_sql(test->task, test->session, &small, long_text(arena, ")"), &list);
    cr_expect_eq(there.code, E_OUT_OF_MEMORY);
    arena_fini(&small);
    cr_expect_eq(account.used_bytes, 0);
    memory_account_fini(&account);
    return STATUS_OK;
}

// What nests takes the square of its depth: it goes to a helper, too, however short. (Who is cancelled cannot wait for one.)
SQL_TEST(long_parse, what_nests_is_long, 1)
{
    struct statement_list list;
    struct buffer nested;
    struct arena *arena = &test->arena;
    buffer_init(&nested, arena);
    buffer_append_string(&nested, "SELECT ");
    for (uint32_t i = 0; i < LONG_PARSE_SIGNS; i++) buffer_append_string(&nested, i % 2 == 0 ? "abs(" : "- ");
    buffer_append_string(&nested, "1");
    for (uint32_t i = 0; i < LONG_PARSE_SIGNS / 2; i++) buffer_append_string(&nested, ")");
    cr_assert(nested.size < LONG_PARSE_BYTES);
    cr_expect(!failed(long_parse_sql(test->task, test->session, arena, buffer_bytes(&nested), &list)) && list.count == 1);
    task_cancel(test->task, status_make(E_QUERY_CANCELED, "cancelled"));
    cr_expect_eq(long_parse_sql(test->task, test->session, arena, buffer_bytes(&nested), &list).code, E_QUERY_CANCELED);
    cr_expect(!failed(long_parse_sql(test->task, test->session, arena, bytes_of_string("SELECT abs(- 1)"), &list)));
    task_cancel_clear(test->task);
    return STATUS_OK;
}

struct counting {
    uint32_t turns;
    bool stop, ended;
    struct wait_queue changed;
};

static struct status count_turns(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct counting *counting = arg;
    while (!counting->stop && !failed(st)) {
        counting->turns++;
        st = task_yield(task);
    }
    counting->ended = true;
    wait_queue_wake_all(&counting->changed, STATUS_OK);
    return st;
}

SQL_TEST(long_parse, others_run_and_a_cancelled_one_does_not_wait, 1)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    struct counting counting = {0};
    struct memory_account account;
    struct arena own;
    struct bytes text = long_text(&test->arena, ")");
    const struct task_options options = {
        .fn = count_turns, .arg = &counting, .kind = "count", .class = TASK_DEFAULT};
    wait_queue_init(&counting.changed);
    memory_account_init(&account, NULL, "own", 0);
    arena_init(&own, &account);
    TRY(task_start(test->task->shard, &options));
    TRY(long_parse_sql(test->task, test->session, &own, text, &list));
    cr_expect(counting.turns > 0, "the shard did nothing else");
    cr_expect(account.used_bytes > text.size); // Charged to whose it is now.
    task_cancel(test->task, status_make(E_QUERY_CANCELED, "canceling statement due to user request"));
    st = long_parse_sql(test->task, test->session, &own, text, &list);
    task_cancel_clear(test->task);
    CHECK_FAILS(st, E_QUERY_CANCELED);
    st = STATUS_OK;
    counting.stop = true;
    while (!counting.ended) TRY(task_wait(test->task, &counting.changed));

out:
    arena_fini(&own);
    memory_account_fini(&account);
    return st;
}
