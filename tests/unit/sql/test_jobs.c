// SPDX-License-Identifier: GPL-3.0-or-later
//
// The life of jobs: what survives whom, and who may stop what.
#include "core/reactor.h"
#include "sql/service/jobs_internal.h"
#include "tests/unit/sql/sql_harness.h"

// A job that counts to the number in its payload, slowly, and remembers how far it is.
static uint32_t resumed, reverted;
static bool fail_once, fail_always;

static struct status count_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    uint8_t at = job->progress.size == 1 ? job->progress.data[0] : 0;
    resumed++;
    if (fail_once) {
        fail_once = false;
        return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION, "try again");
    }
    while (at < job->payload.data[0]) {
        at++;
        uint8_t *progress = arena_alloc(task->arena, 1);
        *progress = at;
        TRY(job_update(
            task, job, (struct bytes){progress, 1}, (double)at / job->payload.data[0], "counting"));
        if (fail_always) return status_make(E_DIVISION_BY_ZERO, "division by zero");
        TRY(task_sleep(task, 2000000));
        TRY(job_check(job));
    }
out:
    return st;
}

static struct status count_revert(struct task *task, struct job *job)
{
    (void)task;
    (void)job;
    reverted++;
    return STATUS_OK;
}

static const struct job_type count_type = {
    .name = "COUNT", .resume = count_resume, .revert = count_revert, .class = TASK_BULK};
static const struct job_type stubborn_type = {
    .name = "STUBBORN", .resume = count_resume, .not_cancelable = true, .class = TASK_BULK};

// One that is undone in the transaction that says that it has ended.
static uint32_t undone, undo_failures; // Failures to come.
static enum job_status undone_from;
static bool stands_anyway, undo_held;

static struct status count_undo(struct task *task, struct session *session, struct job *job, bool *stands)
{
    struct status st = STATUS_OK;
    struct job *recorded;
    (void)session;
    TRY(job_read(task, job->tenant, task->arena, job->id, &recorded));
    undone_from = recorded->status;
    undone++;
    *stands = stands_anyway;
    while (undo_held) TRY(task_sleep(task, 1000000));
    if (undo_failures > 0) {
        undo_failures--;
        st = status_make(E_DIVISION_BY_ZERO, "division by zero");
    }
out:
    return st;
}

static const struct job_type undone_type = {
    .name = "UNDONE", .resume = count_resume, .revert = count_revert, .undo = count_undo, .class = TASK_BULK};

static void register_types(void)
{
    static bool done;
    if (!done) {
        job_type_register(&count_type);
        job_type_register(&stubborn_type);
        job_type_register(&undone_type);
    }
    done = true;
    resumed = reverted = undone = undo_failures = 0;
    fail_once = fail_always = stands_anyway = undo_held = false;
}

static struct status start_job(
    struct task *task, const struct job_type *type, uint8_t count, int64_t *id)
{
    struct status st = STATUS_OK;
    uint8_t payload[1] = {count};
    struct job_options options = {
        .type = type, .description = "counts", .user_name = "root", .payload = {payload, 1}};
    TRY(job_create(task, TENANT, NULL, &options, id));
    TRY(job_start_committed(task, TENANT, *id));
out:
    return st;
}

static struct status wait_for(struct task *task, int64_t id, enum job_status status)
{
    struct status st = STATUS_OK;
    for (int i = 0; i < 2000; i++) {
        struct job *job;
        TRY(job_read(task, TENANT, task->arena, id, &job));
        CHECK(job != NULL);
        if (job->status == status) return STATUS_OK;
        TRY(task_sleep(task, 2000000));
    }
    st = status_make(E_INTERNAL, "the job did not come to the status that was waited for");
out:
    return st;
}

#define SQL_OF(format, id) arena_printf(&test->arena, format, (long long)(id))

SQL_TEST(jobs, run_pause_and_resume, 2)
{
    struct status st = STATUS_OK;
    int64_t id;
    enum job_status status;
    register_types();
    TRY(start_job(task, &count_type, 3, &id));
    TRY(job_wait(task, TENANT, id, &status));
    CHECK(status == JOB_SUCCEEDED);
    GIVES(SQL_OF("SELECT job_type, status, running_status, fraction_completed, error FROM "
                 "[SHOW JOB %lld]",
              id),
        "COUNT|succeeded|counting|1|NULL");
    REFUSED(SQL_OF("PAUSE JOB %lld", id), "55000");
    REFUSED(SQL_OF("RESUME JOB %lld", id), "55000");
    REFUSED(SQL_OF("CANCEL JOB %lld", id), "55000");
    REFUSED("PAUSE JOB 12345", "42704");
    REFUSED("SHOW JOB 12345", "42704");

    TRY(start_job(task, &count_type, 200, &id));
    TRY(wait_for(task, id, JOB_RUNNING));
    RUN(SQL_OF("PAUSE JOB %lld", id));
    TRY(wait_for(task, id, JOB_PAUSED));
    uint32_t before = resumed;
    struct job *job;
    TRY(job_read(task, TENANT, task->arena, id, &job));
    // It may have been paused before its first step.
    CHECK(job->progress.size <= 1 && (job->progress.size == 0 || job->progress.data[0] < 200));
    RUN(SQL_OF("RESUME JOB %lld", id));
    TRY(wait_for(task, id, JOB_RUNNING));
    while (resumed == before)
        TRY(task_sleep(task, 1000000));
    RUN(SQL_OF("CANCEL JOB %lld", id));
    TRY(wait_for(task, id, JOB_CANCELED));
    CHECK(reverted == 1);
    GIVES(SQL_OF("SELECT status FROM [SHOW JOB WHEN COMPLETE %lld]", id), "canceled");
out:
    return st;
}

SQL_TEST(jobs, failures_are_kept_and_passing_ones_tried_again, 1)
{
    struct status st = STATUS_OK;
    int64_t id;
    register_types();
    fail_once = true;
    TRY(start_job(task, &count_type, 2, &id));
    TRY(job_wait(task, TENANT, id, NULL));
    CHECK(resumed == 2);
    fail_always = true;
    TRY(start_job(task, &count_type, 2, &id));
    CHECK_FAILS(job_wait(task, TENANT, id, NULL), E_DIVISION_BY_ZERO);
    CHECK(reverted == 1);
    GIVES(SQL_OF("SELECT status, error FROM [SHOW JOB %lld]", id), "failed|division by zero");
    fail_always = false;
    TRY(start_job(task, &stubborn_type, 100, &id));
    TRY(wait_for(task, id, JOB_RUNNING));
    REFUSED(SQL_OF("CANCEL JOB %lld", id), "55000");
    TRY(job_cancel(task, TENANT, id, true));
    TRY(wait_for(task, id, JOB_CANCELED));
out:
    return st;
}

struct waiter {
    int64_t id;
    enum job_status status;
    struct status st;
    bool waits, ended;
};

static struct status wait_own(struct task *task, void *arg)
{
    struct waiter *waiter = arg;
    waiter->waits = true;
    const struct status st = job_wait_own(task, TENANT, waiter->id, &waiter->status);
    waiter->st = status_make(st.code, "");
    waiter->ended = true;
    return STATUS_OK;
}

// Who waits for a job of its own takes it along when it is cancelled, once all is taken back; not when its session ends.
SQL_TEST(jobs, are_cancelled_with_the_statement_that_waits, 2)
{
    struct status st = STATUS_OK;
    static const struct {
        uint32_t because;
        bool twice;
        uint8_t steps;
        enum job_status becomes;
        const char *why;
    } rows[] = {
        {E_QUERY_CANCELED, false, 250, JOB_CANCELED, "a cancel"},
        {E_ADMIN_SHUTDOWN, false, 20, JOB_SUCCEEDED, "the session's end leaves it"},
        {E_QUERY_CANCELED, true, 250, JOB_CANCELED, "whoever is cancelled again waits no longer"},
    };
    register_types();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct waiter waiter = {0};
        reverted = 0;
        TRY(start_job(task, &count_type, rows[i].steps, &waiter.id));
        TRY(wait_for(task, waiter.id, JOB_RUNNING));
        struct task_options options = {.fn = wait_own, .arg = &waiter, .kind = "waiter", .tenant = TENANT, .class = TASK_DEFAULT};
        struct task *started = NULL;
        TRY(task_start_call(task->shard, &options, 0, &started));
        while (!waiter.waits) TRY(task_yield(task));
        CHECK(!waiter.ended);
        task_cancel(started, status_make(rows[i].because, "because"));
        if (rows[i].twice) {
            TRY(task_yield(task));
            if (!waiter.ended) task_cancel(started, status_make(rows[i].because, "because"));
        }
        while (!waiter.ended) TRY(task_sleep(task, 1000000));
        CHECK_FAILS(waiter.st, rows[i].because);
        if (!rows[i].twice && rows[i].because == E_QUERY_CANCELED) CHECK(reverted == 1 && waiter.status == JOB_CANCELED);
        if (rows[i].twice && waiter.status != JOB_CANCELED) {
            st = job_cancel(task, TENANT, waiter.id, false);
            CHECK(!failed(st) || status_is(st, E_NOT_IN_PREREQUISITE_STATE));
            st = STATUS_OK;
        }
        TRY(wait_for(task, waiter.id, rows[i].becomes));
    }
    // A cancel that comes when the job has ended changes nothing.
    struct waiter late = {0};
    TRY(start_job(task, &count_type, 1, &late.id));
    TRY(job_wait(task, TENANT, late.id, NULL));
    task_cancel(task, status_make(E_QUERY_CANCELED, "because"));
    TRY(job_wait_own(task, TENANT, late.id, &late.status));
    CHECK(late.status == JOB_SUCCEEDED && !task->cancelled);

out:
    return st;
}

// What a statement that is cancelled has to wait for is one transaction: nothing is written before the job is undone, and
// the end is recorded with it.
SQL_TEST(jobs, are_undone_and_recorded_at_once, 2)
{
    struct status st = STATUS_OK;
    static const struct {
        uint32_t undo_failures, undone, reverted;
        bool stands, fails;
        enum job_status becomes;
        const char *why;
    } rows[] = {
        {0, 1, 0, false, false, JOB_CANCELED, "a cancel"},
        {0, 1, 0, false, true, JOB_FAILED, "a failure"},
        {1, 1, 1, false, false, JOB_CANCELED, "what cannot be undone at once is reverted on its own"},
        {0, 1, 0, true, false, JOB_SUCCEEDED, "the last step had been done"},
    };
    register_types();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct waiter waiter = {0};
        register_types();
        undo_failures = rows[i].undo_failures;
        stands_anyway = rows[i].stands;
        fail_always = rows[i].fails;
        TRY(start_job(task, &undone_type, 250, &waiter.id));
        if (!rows[i].fails) TRY(wait_for(task, waiter.id, JOB_RUNNING));
        struct task_options options = {.fn = wait_own, .arg = &waiter, .kind = "waiter", .tenant = TENANT, .class = TASK_DEFAULT};
        struct task *started = NULL;
        TRY(task_start_call(task->shard, &options, 0, &started));
        while (!waiter.waits) TRY(task_yield(task));
        if (!rows[i].fails) task_cancel(started, status_make(E_QUERY_CANCELED, "because"));
        while (!waiter.ended) TRY(task_sleep(task, 1000000));
        if (rows[i].becomes == JOB_CANCELED) CHECK_FAILS(waiter.st, E_QUERY_CANCELED);
        if (rows[i].becomes == JOB_FAILED) CHECK_FAILS(waiter.st, E_DIVISION_BY_ZERO);
        if (rows[i].becomes == JOB_SUCCEEDED) CHECK(!failed(waiter.st));
        CHECK(waiter.status == rows[i].becomes);
        CHECK(undone == rows[i].undone && reverted == rows[i].reverted);
        CHECK(undone_from == JOB_RUNNING);
        TRY(wait_for(task, waiter.id, rows[i].becomes));
    }
out:
    return st;
}

// A server that goes down between the two, when the job has stopped and its record does not say so yet, leaves a job that
// goes on: so nobody has been told by then that it was cancelled.
SQL_TEST(jobs, are_recorded_before_anybody_is_told, 1)
{
    struct status st = STATUS_OK;
    struct waiter waiter = {0};
    struct job *job;
    register_types();
    undo_held = true;
    TRY(start_job(task, &undone_type, 250, &waiter.id));
    TRY(wait_for(task, waiter.id, JOB_RUNNING));
    struct task_options options = {.fn = wait_own, .arg = &waiter, .kind = "waiter", .tenant = TENANT, .class = TASK_DEFAULT};
    struct task *started = NULL;
    TRY(task_start_call(task->shard, &options, 0, &started));
    while (!waiter.waits) TRY(task_yield(task));
    task_cancel(started, status_make(E_QUERY_CANCELED, "because"));
    while (undone == 0) TRY(task_yield(task));
    for (int i = 0; i < 100; i++) TRY(task_yield(task));
    TRY(job_read(task, TENANT, task->arena, waiter.id, &job));
    CHECK(job->status == JOB_RUNNING && !waiter.ended);
    undo_held = false;
    while (!waiter.ended) TRY(task_yield(task));
    CHECK_FAILS(waiter.st, E_QUERY_CANCELED);
    TRY(job_read(task, TENANT, task->arena, waiter.id, &job));
    CHECK(job->status == JOB_CANCELED);
out:
    return st;
}

// A statement may be cancelled when its job has not begun yet: it does nothing then.
SQL_TEST(jobs, are_cancelled_before_they_begin, 1)
{
    struct status st = STATUS_OK;
    struct waiter waiter = {0};
    register_types();
    TRY(start_job(task, &undone_type, 250, &waiter.id));
    CHECK(!list_empty(&jobs_of(task->shard)->claims));
    task_cancel(task, status_make(E_QUERY_CANCELED, "because"));
    waiter.st = job_wait_own(task, TENANT, waiter.id, &waiter.status);
    task_cancel_clear(task);
    CHECK_FAILS(waiter.st, E_QUERY_CANCELED);
    CHECK(waiter.status == JOB_CANCELED && resumed == 0 && undone == 1);
out:
    return st;
}

// Who waits on the shard of the job is told of its end, however that comes, and need not look for it.
SQL_TEST(jobs, wake_who_waits_for_them, 1)
{
    struct status st = STATUS_OK;
    static const struct {
        const char *statement; // NULL: nothing.
        bool stops;            // The service does.
        enum job_status becomes;
    } rows[] = {
        {NULL, false, JOB_SUCCEEDED},
        {"PAUSE JOB %lld", false, JOB_PAUSED},
        {"CANCEL JOB %lld", false, JOB_CANCELED},
        {NULL, true, JOB_RUNNING},
    };
    register_types();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct job *job;
        struct job_waiter waiter = {.tenant = TENANT};
        const bool ends = rows[i].becomes == JOB_SUCCEEDED;
        TRY(start_job(task, &count_type, ends ? 2 : 250, &waiter.id));
        if (!ends) TRY(wait_for(task, waiter.id, JOB_RUNNING));
        wait_queue_init(&waiter.queue);
        list_append(&jobs_of(task->shard)->waiters, &waiter.link);
        if (rows[i].statement != NULL) RUN(SQL_OF(rows[i].statement, waiter.id));
        if (rows[i].stops) TRY(jobs_tenant_stop(task, TENANT));
        while (!waiter.let_go) TRY(task_wait(task, &waiter.queue)); // For ever, if nobody tells.
        list_remove(&waiter.link);
        TRY(job_read(task, TENANT, task->arena, waiter.id, &job));
        CHECK(job->status == rows[i].becomes);
    }
out:
    return st;
}

// The service stops in the middle of a job, and another one goes on where it was.
SQL_TEST(jobs, are_adopted_with_their_progress, 2)
{
    struct status st = STATUS_OK;
    int64_t id;
    struct job *job;
    register_types();
    TRY(start_job(task, &count_type, 60, &id));
    for (;;) {
        TRY(job_read(task, TENANT, task->arena, id, &job));
        if (job->progress.size == 1 && job->progress.data[0] > 2) break;
        TRY(task_sleep(task, 1000000));
    }
    TRY(jobs_tenant_stop(task, TENANT));
    TRY(job_read(task, TENANT, task->arena, id, &job));
    CHECK(job->status == JOB_RUNNING);
    CHECK(job->progress.data[0] >= 3 && job->progress.data[0] < 60);
    TRY(jobs_tenant_start(task, TENANT));
    TRY(job_wait(task, TENANT, id, NULL));
    CHECK(resumed == 2);
    TRY(job_read(task, TENANT, task->arena, id, &job));
    CHECK(job->progress.data[0] == 60);
out:
    return st;
}

// A job that does a step each time it is told to, in one of the ways of a job to write.
static struct guarded {
    bool step, own; // To be done; job_check_own instead of job_update.
    uint32_t steps;
    bool ended;
    struct status st;
} guarded;

static struct status guarded_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    static const uint8_t mine[] = {7};
    while (!failed(st)) {
        while (!guarded.step && !failed(st)) st = task_sleep(task, 1000000);
        guarded.step = false;
        if (!failed(st)) st = guarded.own ? job_check_own(task, job) : job_update(task, job, bytes_of(mine, 1), 0.5, "mine");
        if (!failed(st)) guarded.steps++;
    }
    guarded.ended = true;
    guarded.st = st;
    return st;
}

static const struct job_type guarded_type = {
    .name = "GUARDED", .resume = guarded_resume, .class = TASK_BULK};

static struct status guarded_step(struct task *task, uint32_t steps)
{
    guarded.step = true;
    while (!guarded.ended && guarded.steps < steps) {
        struct status st = task_sleep(task, 1000000);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

// A node that was silent for long finds that another one runs its job: it writes nothing more, neither how far it is nor
// how it ended, and leaves the job as the other one has it.
static struct status taken_over(struct task *task, struct sql_test *test, bool own)
{
    struct status st = STATUS_OK;
    int64_t id;
    struct job *job;
    guarded = (struct guarded){.own = own};
    TRY(start_job(task, &guarded_type, 1, &id));
    TRY(guarded_step(task, 1));
    CHECK(guarded.steps == 1 && !guarded.ended);
    // Of a node that this one has not heard of: nobody here adopts the job.
    RUN(SQL_OF("UPDATE system.public.jobs SET coordinator_id = 9::int8 << 40, progress = '\\x63', "
               "running_status = 'theirs' WHERE id = %lld", id));
    TRY(guarded_step(task, 2));
    CHECK(guarded.ended && guarded.steps == 1);
    CHECK(status_is(guarded.st, E_JOB_TAKEN));
    TRY(task_sleep(task, 50000000));
    TRY(job_read(task, TENANT, task->arena, id, &job));
    CHECK(job->status == JOB_RUNNING && job->progress.size == 1 && job->progress.data[0] == 0x63);
    GIVES(SQL_OF("SELECT running_status, coordinator_id = 9::int8 << 40 FROM system.public.jobs WHERE id = %lld", id),
        "theirs|t");
out:
    return st;
}

SQL_TEST(jobs, who_was_taken_over_writes_no_more, 1)
{
    struct status st = STATUS_OK;
    static bool registered;
    if (!registered) job_type_register(&guarded_type);
    registered = true;
    TRY(taken_over(task, test, true));
    TRY(taken_over(task, test, false));
out:
    return st;
}

struct client {
    struct status st;
    bool ended;
};

static struct status change_the_table(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct client *client = arg;
    struct sql_test own, *test = &own;
    TRY(sql_test_open(task, "root", test));
    RUN("ALTER TABLE t ADD PRIMARY KEY (a)");
    RUN("CREATE UNIQUE INDEX t_b ON t (b)");
    sql_test_close(test);
out:
    client->st = st;
    client->ended = true;
    return st;
}

// A schema change that is cut off again and again ends as if it had not been.
SQL_TEST(jobs, schema_changes_survive_their_server, 1)
{
    struct status st = STATUS_OK;
    struct client *client = calloc(1, sizeof *client);
    RUN("SET CLUSTER SETTING sql.schema_change.inline_rows = 3");
    RUN("CREATE TABLE t (a int, b text)");
    RUN("INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 3000) g");
    struct task_options options = {
        .fn = change_the_table, .arg = client, .kind = "test.client", .tenant = TENANT};
    TRY(task_start(task->shard, &options));
    for (int i = 0; i < 100 && !client->ended; i++) {
        TRY(task_sleep(task, 15000000));
        TRY(jobs_tenant_stop(task, TENANT));
        TRY(jobs_tenant_start(task, TENANT));
    }
    while (!client->ended)
        TRY(task_sleep(task, 5000000));
    TRY(client->st);
    GIVES("SELECT b FROM t WHERE a = 2999", "v2999");
    GIVES("SELECT count(*) FROM t", "3000");
    GIVES("SELECT a FROM t@t_b WHERE b = 'v77'", "77");
    REFUSED("INSERT INTO t VALUES (3001, 'v1')", "23505");
    REFUSED("INSERT INTO t VALUES (1, 'w')", "23505");
    GIVES("SELECT column_name FROM [SHOW COLUMNS FROM t]", "a\nb");
out:
    free(client);
    return st;
}
