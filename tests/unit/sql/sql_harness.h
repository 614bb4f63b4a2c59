// SPDX-License-Identifier: GPL-3.0-or-later
//
// A node with storage and SQL for tests below the wire: SQL_TEST runs its body on tenant 1, bootstrapped, with
// struct sql_test: run() and rows() in a session of user root in defaultdb, check_* for what they give.
#pragma once
#include "tests/unit/harness.h"

#include "core/invariant.h"
#include "kv/admin.h"
#include "sql/catalog/bootstrap.h"
#include "sql/session/execute.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "sql/session/register.h"
#include "sql/service/settings.h"
#include "sql/session/shard_state.h"
#include "sql/exec/spill.h"

#define TENANT 1u

struct sql_test {
    struct task *task;
    struct session *session;
    struct arena arena;
};

struct sql_test_call {
    struct status (*body)(struct task *task, struct sql_test *test);
    struct kv_options options;
};

static inline struct status sql_test_open(
    struct task *task, const char *user, struct sql_test *test)
{
    struct session_options options = {.tenant = TENANT,
        .tenant_name = "system",
        .user = user,
        .database = "defaultdb",
        .superuser = strcmp(user, "root") == 0};
    *test = (struct sql_test){.task = task};
    arena_init(&test->arena, NULL);
    struct status st = session_open(task->shard, &options, &test->session);
    if (!failed(st)) test->session->task = task;
    return st;
}

static inline void sql_test_close(struct sql_test *test)
{
    session_close(test->task, test->session);
    arena_fini(&test->arena);
}

static inline struct status sql_test_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK, stop;
    struct sql_test_call *call = (struct sql_test_call *)arg;
    struct sql_test test;
    struct bootstrap_options options = {0};

    sql_register();
    TRY(kv_start(task, &call->options));
    TRY(sql_node_start(task));
    struct spill_options spill = {
        .dir = arena_printf(task->arena, "%s/temp", call->options.dir)};
    TRY(spill_node_start(task, &spill));
    TRY(bootstrap_tenant(task, TENANT, &options));
    TRY(settings_load(task, TENANT));
    TRY(jobs_tenant_start(task, TENANT));
    TRY(sql_test_open(task, "root", &test));
    st = call->body(task, &test);
    sql_test_close(&test);
    stop = jobs_tenant_stop(task, TENANT);
    if (!failed(st)) st = stop;
    stop = sql_node_stop(task);
    if (!failed(st)) st = stop;
    stop = kv_stop(task);
    if (!failed(st)) st = stop;
out:
    return st;
}

#define SQL_TEST(suite, name, shards)                                                              \
    static struct status suite##_##name##_body(                                                    \
        struct task *task, __attribute__((unused)) struct sql_test *test);                         \
    Test(suite, name)                                                                              \
    {                                                                                              \
        char dir[256];                                                                             \
        struct sql_test_call call = {.body = suite##_##name##_body,                                \
            .options = {                                                                           \
                .dir = test_dir(dir), .store = KV_STORE_MODEL, .log_segment_bytes = 4 << 20}};     \
        struct status st = node_test(shards, sql_test_run, &call);                                 \
        char sqlstate[6];                                                                          \
        status_sqlstate(st, sqlstate);                                                             \
        const struct status_report *report = failed(st) ? status_report_of(st) : NULL;             \
        test_dirs_remove();                                                                        \
        cr_assert(!failed(st), "%s: %s (%s)", sqlstate, failed(st) ? st.message : "",              \
            report != NULL && report->detail != NULL ? report->detail : "");                       \
    }                                                                                              \
    static struct status suite##_##name##_body(                                                    \
        __attribute__((unused)) struct task *task, __attribute__((unused)) struct sql_test *test)

// Rows as text: columns joined by '|', rows by a line feed.
struct sql_text_sink {
    struct result_sink sink;
    struct buffer out;
    struct sql_test *test;
    const struct result_column *columns;
    uint32_t column_count;
    uint64_t rows;
};

static inline struct status sql_text_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    struct sql_text_sink *self = container_of(sink, struct sql_text_sink, sink);
    (void)task;
    self->columns = columns;
    self->column_count = count;
    return STATUS_OK;
}

static inline struct status sql_text_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct sql_text_sink *self = container_of(sink, struct sql_text_sink, sink);
    (void)task;
    if (self->rows++ > 0) buffer_append_u8(&self->out, '\n');
    for (uint32_t i = 0; i < self->column_count; i++) {
        if (i > 0) buffer_append_u8(&self->out, '|');
        if (values[i].null)
            buffer_append_string(&self->out, "NULL");
        else
            type_output(
                &self->out, &self->test->session->types, self->columns[i].type.oid, values[i]);
    }
    return STATUS_OK;
}

// One statement as a client would send it, with the session's own privileges.
static inline struct status sql_rows(struct sql_test *test, const char *sql, const char **text)
{
    struct status st;
    struct task *task = test->task;
    struct session *session = test->session;
    struct prepared *prepared = NULL;
    struct sql_text_sink sink = {
        .sink = {.columns = sql_text_columns, .row = sql_text_row}, .test = test};
    struct execution execution = {.arena = &test->arena};
    bool done;

    arena_reset(&session->statement_arena);
    buffer_init(&sink.out, &test->arena);
    TRY(prepared_make(task, session, bytes_of_string(sql), NULL, NULL, 0, &prepared));
    execution.prepared = prepared;
    TRY(execution_begin(task, session, &execution, false));
    TRY(prepared_describe(task, session, prepared, &sink.columns, &sink.column_count));
    TRY(execution_next(task, session, &execution, &sink.sink, 0, &done));
out:
    if (failed(st)) st = status_copy(&test->arena, st);
    execution_close(task, &execution);
    st = execute_settle(task, session, st, true);
    if (failed(st)) st = status_copy(&test->arena, st);
    if (prepared != NULL) prepared_release(prepared);
    *text = buffer_string(&sink.out);
    return st;
}

static inline struct status sql_run(struct sql_test *test, const char *sql)
{
    const char *text;
    return sql_rows(test, sql, &text);
}

__attribute__((unused)) static char sql_test_message[4096];
#define RUN(sql)                                                                                   \
    do {                                                                                           \
        st = sql_run(test, sql);                                                                   \
        if (failed(st)) {                                                                          \
            char state_[6];                                                                        \
            status_sqlstate(st, state_);                                                           \
            snprintf(sql_test_message, sizeof sql_test_message, "%s:%d: %s: %s [%s]", __FILE__,    \
                __LINE__, state_, st.message, sql);                                                \
            st = status_make(E_INTERNAL, sql_test_message);                                        \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)
#define GIVES(sql, expected)                                                                       \
    do {                                                                                           \
        const char *text_ = "";                                                                    \
        st = sql_rows(test, sql, &text_);                                                          \
        if (failed(st) || strcmp(text_, expected) != 0) {                                          \
            snprintf(sql_test_message, sizeof sql_test_message,                                    \
                "%s:%d: wanted \"%s\", got \"%s\" %s [%s]", __FILE__, __LINE__, expected, text_,   \
                failed(st) ? st.message : "", sql);                                                \
            st = status_make(E_INTERNAL, sql_test_message);                                        \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)
#define REFUSED(sql, code_)                                                                        \
    do {                                                                                           \
        char state_[6] = "00000";                                                                  \
        st = sql_run(test, sql);                                                                   \
        if (failed(st)) status_sqlstate(st, state_);                                               \
        if (strcmp(state_, code_) != 0) {                                                          \
            snprintf(sql_test_message, sizeof sql_test_message,                                    \
                "%s:%d: wanted %s, got %s: %s [%s]", __FILE__, __LINE__, code_, state_,            \
                failed(st) ? st.message : "", sql);                                                \
            st = status_make(E_INTERNAL, sql_test_message);                                        \
            goto out;                                                                              \
        }                                                                                          \
        st = STATUS_OK;                                                                            \
    } while (0)
