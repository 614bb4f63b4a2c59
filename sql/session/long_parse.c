// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/long_parse.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena_adopt.h"
#include "core/deep.h"
#include "core/fiber.h"
#include "core/invariant.h"
#include "core/shard.h"
#include "core/work.h"
#include "sql/parse/cut_name.h"

static const char signs_known[] = "([+-*/<>=~!@#%^&|?:";

struct long_parse {
    struct memory_account account; // While the helper has it; what was left of the arena's is its limit.
    struct arena arena;
    struct bytes text;
    struct statement_list list;
    struct expr *expr;
    bool is_expression;              // Of which `expr` comes, otherwise `list`;
    struct statement_list *list_out; // where to.
    struct expr **expr_out;
    struct cut_name *cut;
    struct status st;
    struct wait_queue ended_queue;
    bool ended, abandoned; // By the task that reads; by the one that waits.
};

static void long_parse_free(struct long_parse *job)
{
    arena_fini(&job->arena);
    memory_account_fini(&job->account);
    free(job);
}

// --- on the helper ---------------------------------------------------------------------------------------

static void parse_main(struct fiber *fiber)
{
    struct long_parse *job = fiber->arg;
    job->st = job->is_expression ? parse_expression(&job->arena, job->text, &job->expr)
                                 : parse_sql(&job->arena, job->text, &job->list);
    job->cut = cut_names(&job->arena, job->text);
    fiber_suspend(fiber);
}

// A thread's own stack is not deep enough for what the grammar may need.
static void parse_on_helper(void *arg)
{
    struct long_parse *job = arg;
    struct fiber fiber = {0};
    job->st = fiber_init(&fiber, DEEP_STACK_BYTES, parse_main);
    if (failed(job->st)) return;
    fiber.arg = job;
    fiber_resume(&fiber);
    fiber_fini(&fiber);
}

// --- on the shard ----------------------------------------------------------------------------------------

static struct status read_task(struct task *task, void *arg)
{
    return helper_call(task, parse_on_helper, arg);
}

static void read_ended(struct task *task, struct status st, void *arg)
{
    struct long_parse *job = arg;
    (void)task;
    if (failed(st)) job->st = st; // The node stops.
    job->ended = true;
    if (job->abandoned) long_parse_free(job);
    else wait_queue_wake_all(&job->ended_queue, STATUS_OK);
}

// What the account and those above it have left; 0 when none has a limit.
static uint64_t left_of(const struct memory_account *account)
{
    uint64_t left = UINT64_MAX;
    for (; account != NULL; account = account->parent) {
        if (account->limit_bytes == 0) continue;
        const uint64_t own = account->limit_bytes > account->used_bytes ? account->limit_bytes - account->used_bytes : 1;
        if (own < left) left = own;
    }
    return left == UINT64_MAX ? 0 : left;
}

static struct long_parse *long_parse_new(const struct arena *arena, struct bytes text)
{
    struct long_parse *job = calloc(1, sizeof *job);
    invariant(job != NULL);
    memory_account_init(&job->account, NULL, "reading", left_of(arena->account));
    arena_init(&job->arena, &job->account);
    wait_queue_init(&job->ended_queue);
    job->text = task_copy(&job->arena, text);
    return job;
}

static bool is_long(struct bytes text)
{
    uint32_t signs = 0;
    if (text.size >= LONG_PARSE_BYTES) return true;
    if (text.size < LONG_PARSE_SIGNS) return false;
    for (size_t i = 0; i < text.size; i++) signs += memchr(signs_known, text.data[i], sizeof signs_known - 1) != NULL;
    return signs >= LONG_PARSE_SIGNS;
}

// The grammar has read up to what it could not make sense of.
static struct status tell_cut(struct session *session, struct bytes text, const struct cut_name *cut, struct status st)
{
    const struct status_report *report = failed(st) && cut != NULL ? status_report_of(st) : NULL;
    const uint32_t end = report != NULL && status_is(st, E_SYNTAX_ERROR) ? report->position : 0;
    for (; cut != NULL; cut = cut->next)
        if (end == 0 || parse_position(text, cut->position) <= end)
            session_notice(session, "NOTICE", cut_name_notice(&session->statement_arena, cut->name, cut->cut));
    return st;
}

// Lets the helper read `job`, which it is given; whether what it gave has come into `arena`, or its error.
static struct status read_long(struct task *task, struct session *session, struct arena *arena, struct long_parse *job)
{
    struct status st = task_check(task);
    if (failed(st)) {
        long_parse_free(job);
        return st;
    }
    const struct task_options options = {.fn = read_task,
        .arg = job,
        .kind = "long statement",
        .tenant = task->tenant,
        .class = task->class,
        .ended = read_ended,
        .ended_arg = job};
    st = task_start(task->shard, &options);
    if (failed(st)) {
        long_parse_free(job);
        return st;
    }
    while (!job->ended && !failed(st)) st = task_wait(task, &job->ended_queue);
    if (!job->ended) {
        job->abandoned = true;
        return st;
    }
    if (!failed(st)) {
        st = tell_cut(session, job->text, job->cut, failed(job->st) ? status_copy(arena, job->st) : STATUS_OK);
        if (job->is_expression) *job->expr_out = job->expr;
        else *job->list_out = job->list;
        if (!failed(st)) arena_adopt(arena, &job->arena);
    }
    long_parse_free(job);
    return st;
}

struct status long_parse_sql(struct task *task, struct session *session, struct arena *arena, struct bytes text,
    struct statement_list *out)
{
    if (task == NULL || task->nosuspend_depth > 0 || !is_long(text)) {
        const struct status st = parse_sql_on_stack(arena, text, out);
        return tell_cut(session, text, cut_names(arena, text), st);
    }
    struct long_parse *job = long_parse_new(arena, text);
    job->list_out = out;
    return read_long(task, session, arena, job);
}

struct status long_parse_expression(struct task *task, struct session *session, struct arena *arena, struct bytes text,
    struct expr **out)
{
    if (task == NULL || task->nosuspend_depth > 0 || !is_long(text)) return parse_expression_on_stack(arena, text, out);
    struct long_parse *job = long_parse_new(arena, text);
    job->is_expression = true;
    job->expr_out = out;
    return read_long(task, session, arena, job);
}
