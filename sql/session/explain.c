// SPDX-License-Identifier: GPL-3.0-or-later
//
// EXPLAIN: its options, the statement's plan (sql/plan/plan_explain.c), and with ANALYZE what running it took.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sql/parse/deparse.h"
#include "sql/plan/plan.h"
#include "sql/session/execute.h"

struct explain_format_name {
    const char *name;
    enum explain_format format;
    struct result_column column; // Of the answer.
};

// NULL when there is none of this name.
static const struct explain_format_name *format_of(const char *name)
{
    static const struct explain_format_name formats[] = {
        {"text", EXPLAIN_TEXT, {.name = "info", .type = {.oid = TYPE_TEXT, .typmod = -1}}},
        {"json", EXPLAIN_JSON, {.name = "QUERY PLAN", .type = {.oid = TYPE_JSON, .typmod = -1}}},
        {"xml", EXPLAIN_XML, {.name = "QUERY PLAN", .type = {.oid = TYPE_XML, .typmod = -1}}},
        {"yaml", EXPLAIN_YAML, {.name = "QUERY PLAN", .type = {.oid = TYPE_TEXT, .typmod = -1}}}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0) return &formats[i];
    return NULL;
}

static struct status explain_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    const struct option_list *options = &context->statement->as.explain->options;
    *columns = &format_of("text")->column;
    for (uint32_t i = 0; i < options->count; i++) {
        const struct expr *value = options->items[i].value;
        if (strcmp(options->items[i].name, "format") != 0 || value == NULL || value->kind != EXPR_LITERAL)
            continue;
        const struct explain_format_name *format = format_of(arena_string(context->arena, value->literal.text));
        if (format != NULL) *columns = &format->column;
    }
    *count = 1;
    return STATUS_OK;
}

static struct status discard_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task, (void)sink, (void)columns, (void)count;
    return STATUS_OK;
}
static struct status discard_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    (void)task, (void)values;
    sink->rows_sent++;
    return STATUS_OK;
}

static struct status explain_line(struct statement_context *context, const char *line)
{
    struct datum row = datum_text(line);
    return context->sink->row(context->task, context->sink, &row);
}

struct explain_run {
    struct execution execution;
    struct explain_form form;
    struct kv_txn_stats before;
};

static struct status explain_lines(
    struct statement_context *context, const struct plan *plan, const struct explain_run *run)
{
    struct status st;
    const char **lines;
    uint32_t count;
    TRY(plan_explain(
        context->task, context->session, plan, &run->form, context->arena, &lines, &count));
    for (uint32_t i = 0; i < count; i++) TRY(explain_line(context, lines[i]));
out:
    return st;
}

static struct status explain_planning(struct statement_context *context, const struct explain_run *run)
{
    return explain_line(context,
        arena_printf(context->arena, "planning time: %.3f ms", (double)run->form.planning_ns / 1e6));
}

static struct status explain_sums(struct statement_context *context, const struct explain_run *run)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    const struct execution *execution = &run->execution;
    const struct kv_txn_stats *before = &run->before;
    const struct kv_txn_stats *after = kv_txn_stats(context->session->txn);
    if (run->form.summary) {
        TRY(explain_planning(context, run));
        TRY(explain_line(context,
            arena_printf(arena, "execution time: %.3f ms", (double)run->form.execution_ns / 1e6)));
        TRY(explain_line(context, arena_printf(arena, "actual row count: %" PRIu64,
            execution->rows > 0 ? execution->rows : plan_run_rows_affected(execution->run))));
    }
    if (!run->form.summary || !run->form.requests) goto out;
    TRY(explain_line(context,
        arena_printf(arena, "rows decoded from KV: %" PRIu64 " (%" PRIu64 " B, %" PRIu64 " requests)",
            after->rows_read - before->rows_read, after->bytes_read - before->bytes_read,
            after->requests - before->requests)));
    if (run->form.timing)
        TRY(explain_line(context, arena_printf(arena, "KV contention time: %.3f ms",
            (double)(after->lock_wait_ns - before->lock_wait_ns) / 1e6)));
out:
    return st;
}

static struct status explain_analyze(
    struct statement_context *context, struct prepared *prepared, struct explain_run *run)
{
    struct status st;
    struct session *session = context->session;
    struct result_sink nowhere = {.columns = discard_columns, .row = discard_row};
    bool done;
    if (run->execution.prepared == NULL)
        run->execution = (struct execution){
            .prepared = prepared, .params = context->params, .arena = context->arena};
    run->execution.measured = true;
    run->before = *kv_txn_stats(session->txn);
    uint64_t started = task_now_ns(context->task);
    TRY(execution_next(context->task, session, &run->execution, &nowhere, 0, &done));
    run->form.execution_ns = task_now_ns(context->task) - started;
    run->form.run = run->execution.run;
    TRY(explain_lines(context, run->execution.built->plan, run));
    if (run->form.format == EXPLAIN_TEXT) TRY(explain_sums(context, run));
out:
    execution_close(context->task, &run->execution);
    return st;
}

static struct status boolean_option(struct statement_context *context, const struct option *option, bool *out)
{
    const struct expr *value = option->value;
    *out = true;
    if (value == NULL) return STATUS_OK;
    if (value->kind == EXPR_LITERAL && value->literal.kind == LITERAL_BOOL) {
        *out = value->literal.boolean;
        return STATUS_OK;
    }
    if (value->kind == EXPR_LITERAL && value->literal.kind == LITERAL_INTEGER &&
        (value->literal.integer == 0 || value->literal.integer == 1)) {
        *out = value->literal.integer == 1;
        return STATUS_OK;
    }
    const char *text =
        value->kind == EXPR_LITERAL ? arena_string(context->arena, value->literal.text) : "";
    *out = strcasecmp(text, "on") == 0 || strcasecmp(text, "true") == 0;
    if (*out || strcasecmp(text, "off") == 0 || strcasecmp(text, "false") == 0) return STATUS_OK;
    return status_format(context->arena, E_SYNTAX_ERROR, "%s requires a Boolean value", option->name);
}

static struct status format_option(
    struct statement_context *context, const struct option *option, struct explain_form *form)
{
    const struct explain_format_name *known;
    if (option->value == NULL || option->value->kind != EXPR_LITERAL)
        return status_format(context->arena, E_SYNTAX_ERROR, "%s requires a parameter", option->name);
    const char *format = arena_string(context->arena, option->value->literal.text);
    known = format_of(format);
    if (known != NULL) {
        form->format = known->format;
        return STATUS_OK;
    }
    return status_format(context->arena, E_INVALID_PARAMETER_VALUE,
        "unrecognized value for EXPLAIN option \"format\": \"%s\"", format);
}

static struct status explain_options(
    struct statement_context *context, const struct explain *explain, struct explain_form *form)
{
    static const char *const refused[] = {"settings", "wal"};
    struct status st = STATUS_OK;
    bool timing_given = false, summary_given = false, analyze;
    *form = (struct explain_form){.costs = true, .timing = true, .requests = true};
    struct {
        const char *name;
        bool *value, *given;
    } known[] = {{"analyze", &analyze, NULL}, {"costs", &form->costs, NULL}, {"verbose", &form->verbose, NULL},
        {"buffers", &form->requests, NULL}, {"timing", &form->timing, &timing_given},
        {"summary", &form->summary, &summary_given}};
    for (uint32_t i = 0; i < explain->options.count; i++) {
        const struct option *option = &explain->options.items[i];
        bool found = strcmp(option->name, "format") == 0;
        if (found) TRY(format_option(context, option, form));
        for (size_t k = 0; !found && k < sizeof known / sizeof *known; k++) {
            if (strcmp(option->name, known[k].name) != 0) continue;
            TRY(boolean_option(context, option, known[k].value));
            if (known[k].given != NULL) *known[k].given = true;
            found = true;
        }
        for (size_t k = 0; !found && k < sizeof refused / sizeof *refused; k++)
            if (strcmp(option->name, refused[k]) == 0)
                return status_format(
                    context->arena, E_FEATURE_NOT_SUPPORTED, "EXPLAIN (%s) is not supported", option->name);
        if (!found)
            return status_format(
                context->arena, E_SYNTAX_ERROR, "unrecognized EXPLAIN option \"%s\"", option->name);
    }
    if (timing_given && form->timing && !explain->analyze)
        return status_make(E_INVALID_PARAMETER_VALUE, "EXPLAIN option TIMING requires ANALYZE");
    if (!summary_given) form->summary = explain->analyze;
out:
    return st;
}

// EXPLAIN EXECUTE: the plan that the statement would get for these values.
static struct status explain_prepared(
    struct statement_context *context, struct explain_run *run, struct prepared **out)
{
    struct status st;
    struct prepared *prepared = NULL;
    struct datum *params;
    const struct execute *execute = context->statement->as.explain->statement->as.execute;
    TRY(execute_target(context, execute, &prepared));
    if (prepared->statement == NULL)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "EXPLAIN of an empty statement is not supported"));
    if (prepared->built == NULL)
        TRY(status_format(context->arena, E_FEATURE_NOT_SUPPORTED, "EXPLAIN of %s is not supported",
            statement_name(prepared->statement)));
    TRY(execute_params(context, execute, prepared, &params));
    TRY(prepared_renew(context->task, context->session, prepared));
    prepared->references++;
    *out = prepared;
    run->execution =
        (struct execution){.prepared = prepared, .params = params, .arena = context->arena};
    TRY(execution_choose(context->task, context->session, &run->execution));
out:
    return st;
}

static struct status explain_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct explain *explain = context->statement->as.explain;
    const bool named = explain->statement->tag == STATEMENT_EXECUTE;
    struct prepared *prepared = NULL;
    struct explain_run *run = ARENA_NEW(context->arena, struct explain_run);
    struct buffer text;
    TRY(explain_options(context, explain, &run->form));
    buffer_init(&text, context->arena);
    deparse_statement(&text, explain->statement, 0);
    uint64_t started = task_now_ns(context->task);
    if (named)
        TRY(explain_prepared(context, run, &prepared));
    else
        TRY(prepared_make(context->task, context->session, buffer_bytes(&text), NULL,
            context->param_types, context->param_count, &prepared));
    run->form.planning_ns = task_now_ns(context->task) - started;
    if (prepared->built == NULL)
        TRY(status_format(context->arena, E_FEATURE_NOT_SUPPORTED, "EXPLAIN of %s is not supported",
            statement_name(explain->statement)));
    const struct result_column *columns;
    uint32_t count;
    TRY(explain_describe(context, &columns, &count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    if (explain->analyze) {
        TRY(explain_analyze(context, prepared, run));
    } else {
        TRY(explain_lines(
            context, named ? run->execution.built->plan : prepared->built->plan, run));
        if (run->form.summary && run->form.format == EXPLAIN_TEXT) TRY(explain_planning(context, run));
    }
    snprintf(context->tag, sizeof context->tag, "EXPLAIN");
out:
    execution_close(context->task, &run->execution);
    if (prepared != NULL) {
        if (failed(st)) st = status_copy(&context->session->statement_arena, st);
        prepared_release(prepared);
    }
    return st;
}

void explain_register(void)
{
    static const struct statement_handler handler = {
        STATEMENT_EXPLAIN, HANDLER_READ_ONLY, explain_describe, explain_execute};
    statement_handler_register(&handler, 1);
}
