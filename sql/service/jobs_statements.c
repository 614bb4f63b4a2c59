// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHOW JOBS; PAUSE, RESUME and CANCEL JOB.
#include <stdio.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"

#define TEXT_COLUMN(name_)                                                                         \
    {                                                                                              \
        .name = name_, .type = { TYPE_TEXT, -1 }                                                   \
    }
#define TIME_COLUMN(name_)                                                                         \
    {                                                                                              \
        .name = name_, .type = { TYPE_TIMESTAMPTZ, -1 }                                            \
    }

static const struct result_column columns[] = {
    {.name = "job_id", .type = {.oid = TYPE_INT8, .typmod = -1}},
    TEXT_COLUMN("job_type"),
    TEXT_COLUMN("description"),
    TEXT_COLUMN("statement"),
    TEXT_COLUMN("user_name"),
    TEXT_COLUMN("status"),
    TEXT_COLUMN("running_status"),
    TIME_COLUMN("created"),
    TIME_COLUMN("started"),
    TIME_COLUMN("finished"),
    TIME_COLUMN("modified"),
    {.name = "fraction_completed", .type = {.oid = TYPE_FLOAT8, .typmod = -1}},
    TEXT_COLUMN("error"),
    {.name = "coordinator_id", .type = {.oid = TYPE_INT8, .typmod = -1}},
};
#define COLUMN_COUNT ((uint32_t)(sizeof columns / sizeof columns[0]))

// --- which jobs ------------------------------------------------------------------------------------------

struct id_list {
    struct result_sink sink;
    struct arena *arena;
    int64_t *ids;
    uint32_t count;
    type_oid type;
};

static struct status ids_columns(struct task *task, struct result_sink *sink,
    const struct result_column *result_columns, uint32_t count)
{
    struct id_list *list = container_of(sink, struct id_list, sink);
    (void)task;
    list->type = result_columns[0].type.oid;
    if (count != 1 || (list->type != TYPE_INT8 && list->type != TYPE_INT4))
        return status_make(E_DATATYPE_MISMATCH, "the query of jobs must give one integer column");
    return STATUS_OK;
}

static struct status ids_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct id_list *list = container_of(sink, struct id_list, sink);
    (void)task;
    if (values[0].null) return STATUS_OK;
    DDL_APPEND(list->arena, list->ids, list->count, values[0].integer);
    return STATUS_OK;
}

static struct status one_id(
    struct statement_context *context, const struct expr *expr, struct id_list *list)
{
    struct datum value;
    struct status st = statement_constant(context, expr, TYPE_OF(TYPE_INT8), &value);
    if (failed(st)) return st;
    if (value.null) return ddl_error(context, E_INVALID_PARAMETER_VALUE, "a job ID cannot be NULL");
    DDL_APPEND(context->arena, list->ids, list->count, value.integer);
    return STATUS_OK;
}

// PAUSE ALL x JOBS: "backup" stands for every type with that word in its name.
static struct status ids_of_type(
    struct statement_context *context, const char *word, struct id_list *list)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    const char *upper = arena_strdup(context->arena, word);
    for (char *at = (char *)(uintptr_t)upper; *at != 0; at++)
        *at = ascii_upper(*at);
    struct datum params[] = {datum_text(upper)};
    TRY(internal_query(context->task, context->session->tenant, NULL, context->arena, &result,
        "SELECT id FROM system.public.jobs WHERE strpos(job_type, $1) > 0 AND status NOT IN "
        "('succeeded', 'failed', 'canceled', 'revert-failed') ORDER BY id",
        1, params, (const type_oid[]){TYPE_TEXT}));
    for (uint64_t i = 0; i < result.row_count; i++)
        DDL_APPEND(context->arena, list->ids, list->count, internal_value(&result, i, 0).integer);
out:
    return st;
}

// --- control ---------------------------------------------------------------------------------------------

static struct status check_may_control(struct statement_context *context, int64_t id)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct job *job;
    bool has;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(privilege_has_system(context->task, session, session->user, "CONTROLJOB", &has));
    if (has) goto out;
    TRY(job_read(context->task, session->tenant, context->arena, id, &job));
    if (job != NULL && strcmp(job->user_name, session->user) == 0) goto out;
    st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
        "user %s does not have privileges for job %lld", session->user, (long long)id);
out:
    return st;
}

static struct status control_execute(struct statement_context *context)
{
    static const char *const tags[] = {"PAUSE JOBS", "RESUME JOBS", "CANCEL JOBS"};
    struct status st = STATUS_OK;
    const struct job_control *control = context->statement->as.job_control;
    uint64_t tenant = context->session->tenant;
    struct id_list list = {
        .sink = {.columns = ids_columns, .row = ids_row}, .arena = context->arena};
    const char *reason = NULL;

    if (control->id != NULL) TRY(one_id(context, control->id, &list));
    if (control->query != NULL) TRY(statement_query(context, control->query, &list.sink));
    if (control->all_type != NULL) TRY(ids_of_type(context, control->all_type, &list));
    if (control->reason != NULL) {
        struct datum value;
        TRY(statement_constant(context, control->reason, TYPE_OF(TYPE_TEXT), &value));
        if (!value.null) reason = arena_string(context->arena, datum_as_bytes(value));
    }
    for (uint32_t i = 0; i < list.count; i++) {
        TRY(check_may_control(context, list.ids[i]));
        if (control->action == JOB_PAUSE)
            TRY(job_pause(context->task, tenant, list.ids[i], reason));
        else if (control->action == JOB_RESUME)
            TRY(job_resume(context->task, tenant, list.ids[i]));
        else
            TRY(job_cancel(context->task, tenant, list.ids[i], false));
    }
    snprintf(context->tag, sizeof context->tag, "%s %u", tags[control->action], list.count);
out:
    return st;
}

// --- SHOW JOBS -------------------------------------------------------------------------------------------

static struct status describe(
    struct statement_context *context, const struct result_column **result_columns, uint32_t *count)
{
    (void)context;
    *result_columns = columns;
    *count = COLUMN_COUNT;
    return STATUS_OK;
}

#define JOBS_SELECT                                                                                \
    "SELECT id, job_type, description, statement, user_name, status, running_status, created, "    \
    "started, finished, modified, fraction_completed, error, coordinator_id "                      \
    "FROM system.public.jobs "

static bool type_is_automatic(struct datum name)
{
    const struct job_type *type;
    for (uint32_t i = 0; (type = job_type_at(i)) != NULL; i++) {
        if (bytes_equal(datum_as_bytes(name), bytes_of_string(type->name))) return type->automatic;
    }
    return false;
}

static struct status send_rows(struct statement_context *context,
    const struct internal_result *result, bool all_types, bool automatic)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    bool sees_all = session->internal || session->superuser;

    if (!sees_all)
        TRY(privilege_has_system(context->task, session, session->user, "VIEWJOB", &sees_all));
    if (!sees_all)
        TRY(privilege_has_system(context->task, session, session->user, "CONTROLJOB", &sees_all));
    for (uint64_t i = 0; i < result->row_count; i++) {
        const struct datum *row = &result->values[i * result->column_count];
        if (!sees_all && !bytes_equal(datum_as_bytes(row[4]), bytes_of_string(session->user)))
            continue;
        if (!all_types && type_is_automatic(row[1]) != automatic) continue;
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

static struct status show_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    uint64_t tenant = context->session->tenant;
    struct internal_result result;
    struct id_list list = {
        .sink = {.columns = ids_columns, .row = ids_row}, .arena = context->arena};

    TRY(context->sink->columns(context->task, context->sink, columns, COLUMN_COUNT));
    if (show->id != NULL) TRY(one_id(context, show->id, &list));
    if (show->query != NULL) TRY(statement_query(context, show->query, &list.sink));
    if (show->id == NULL && show->query == NULL) {
        TRY(internal_query(context->task, tenant, NULL, context->arena, &result,
            JOBS_SELECT "WHERE finished IS NULL OR finished > now() - interval '12 hours' "
                        "ORDER BY finished IS NOT NULL, created DESC, id DESC",
            0, NULL, NULL));
        return send_rows(context, &result, false, (show->flags & SHOW_AUTOMATIC) != 0);
    }
    for (uint32_t i = 0; i < list.count; i++) {
        if (show->flags & SHOW_WHEN_COMPLETE) {
            // A job's failure is not the statement's: its row shows it.
            st = job_wait(context->task, tenant, list.ids[i], NULL);
            if (failed(st) && context->task->cancelled) goto out;
        }
        struct datum params[] = {datum_int(list.ids[i])};
        TRY(internal_query(context->task, tenant, NULL, context->arena, &result,
            JOBS_SELECT "WHERE id = $1", 1, params, (const type_oid[]){TYPE_INT8}));
        if (result.row_count == 0 && show->id != NULL)
            return ddl_error(context, E_UNDEFINED_OBJECT, "job with ID %lld does not exist",
                (long long)list.ids[i]);
        TRY(send_rows(context, &result, true, false));
    }
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SHOW_JOBS, HANDLER_READ_ONLY, describe, show_execute},
    {STATEMENT_JOB_CONTROL, 0, NULL, control_execute},
};

void jobs_statements_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
