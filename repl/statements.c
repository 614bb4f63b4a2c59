// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/statements.h"

#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "core/text.h"
#include "kv/admin.h"
#include "repl/connection.h"
#include "repl/consumer.h"
#include "repl/failback.h"
#include "repl/internal.h"
#include "repl/producer.h"
#include "repl/reset.h"
#include "repl/source.h"
#include "sql/bind/as_of.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "sql/user/privilege.h"
#include "sql/service/settings.h"
#include "tenant/tenant.h"

#define SLOW_STATEMENT_NS UINT64_C(2000000000) // In simulation, when it is bent.
#define RETENTION_DEFAULT_S 14400
#define RETENTION_MAX_S 2147483647
#define POSTGRES_EPOCH_US 946684800000000ll

// --- options -----------------------------------------------------------------------------------------

static struct status duration_of(
    struct statement_context *context, const struct option *option, int64_t *duration_ns)
{
    struct status st;
    struct datum value;
    if (option->value == NULL)
        TRY(status_format(
            context->arena, E_SYNTAX_ERROR, "option \"%s\" requires a value", option->name));
    TRY(statement_constant(context, option->value, TYPE_OF(TYPE_TEXT), &value));
    if (value.null || !text_parse_duration(datum_as_bytes(value), 0, duration_ns))
        TRY(status_format(context->arena, E_INVALID_PARAMETER_VALUE,
            "could not parse the value of option \"%s\" as an interval", option->name));
out:
    return st;
}

static struct status retention_of(
    struct statement_context *context, const struct option *option, int64_t *seconds)
{
    struct status st;
    int64_t duration_ns;
    TRY(duration_of(context, option, &duration_ns));
    *seconds = duration_ns / 1000000000;
    if (duration_ns < 0 || *seconds > RETENTION_MAX_S)
        TRY(status_make(E_INVALID_PARAMETER_VALUE,
            "retention should result in a number of seconds between 0 and 2147483647"));
out:
    return st;
}

static struct status window_of(
    struct statement_context *context, const struct option *option, int64_t *us)
{
    struct status st;
    int64_t duration_ns;
    TRY(duration_of(context, option, &duration_ns));
    if (duration_ns < 1000000000)
        TRY(status_make(
            E_INVALID_PARAMETER_VALUE, "the expiration window must be at least one second"));
    *us = duration_ns / 1000;
out:
    return st;
}

// READ VIRTUAL CLUSTER [= bool]
static struct status reader_of(
    struct statement_context *context, const struct option *option, bool *reader)
{
    struct status st = STATUS_OK;
    struct datum value;
    *reader = true;
    if (option->value == NULL) goto out;
    TRY(statement_constant(context, option->value, TYPE_OF(TYPE_BOOL), &value));
    if (value.null)
        TRY(status_make(E_INVALID_PARAMETER_VALUE,
            "option \"read_virtual_cluster\" requires a Boolean value"));
    *reader = value.boolean;
out:
    return st;
}

struct status replication_options_of(struct statement_context *context, const struct option_list *list,
    bool starting, struct replication_options *options)
{
    struct status st = STATUS_OK;
    *options = (struct replication_options){.retention_s = RETENTION_DEFAULT_S};
    for (uint32_t i = 0; i < list->count; i++) {
        const struct option *option = &list->items[i];
        if (strcmp(option->name, "retention") == 0) {
            if (options->has_retention)
                TRY(status_make(E_SYNTAX_ERROR, "option \"retention\" specified more than once"));
            options->has_retention = true;
            TRY(retention_of(context, option, &options->retention_s));
        } else if (strcmp(option->name, "expiration_window") == 0) {
            if (starting)
                TRY(status_make(
                    E_INVALID_PARAMETER_VALUE, "cannot specify EXPIRATION WINDOW option while "
                                               "starting a physical replication stream"));
            options->has_window = true;
            TRY(window_of(context, option, &options->window_us));
        } else if (strcmp(option->name, "read_virtual_cluster") == 0) {
            options->has_reader = true;
            TRY(reader_of(context, option, &options->reader));
        } else if (strcmp(option->name, "resume_timestamp") == 0) {
            TRY(status_make(E_FEATURE_NOT_SUPPORTED, "RESUME TIMESTAMP is not supported"));
        } else {
            TRY(status_format(context->arena, E_INVALID_PARAMETER_VALUE,
                "unknown replication option \"%s\"", option->name));
        }
    }
out:
    return st;
}

// --- CREATE ------------------------------------------------------------------------------------------

struct create_call {
    struct statement_context *context;
    struct tenant *tenant;
    const char *name, *source_name, *uri, *description;
    struct source_stream stream;
    int64_t retention_s, job;
    bool reader;
};

void replication_options_describe(struct buffer *out, const struct replication_options *options)
{
    if (!options->has_retention && !options->reader) return;
    buffer_append_string(out, " WITH OPTIONS (");
    if (options->has_retention) buffer_printf(out, "RETENTION = '%" PRId64 "s'", options->retention_s);
    if (options->has_retention && options->reader) buffer_append_string(out, ", ");
    if (options->reader) buffer_append_string(out, "READ VIRTUAL CLUSTER");
    buffer_append_string(out, ")");
}

static const char *describe_create(struct arena *arena, const struct create_call *call,
    const struct replication_options *options)
{
    struct buffer out;
    buffer_init(&out, arena);
    buffer_append_string(&out, "CREATE VIRTUAL CLUSTER ");
    text_quote_name(&out, bytes_of_string(call->name), NULL);
    buffer_append_string(&out, " FROM REPLICATION OF ");
    text_quote_name(&out, bytes_of_string(call->source_name), NULL);
    buffer_append_string(&out, " ON ");
    text_quote_literal(&out, bytes_of_string(source_redact(arena, call->uri)));
    replication_options_describe(&out, options);
    return buffer_string(&out);
}

static struct status create_records(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct create_call *call = arg;
    struct consumer_record record = {.job = call->job,
        .tenant = call->tenant->id,
        .tenant_name = call->name,
        .source_name = call->source_name,
        .source_tenant = call->stream.tenant,
        .source_cluster = call->stream.cluster_id,
        .stream = call->stream.id,
        .start = call->stream.start,
        .retention_s = call->retention_s};
    struct job_options options = {.type = &consumer_job,
        .description = call->description,
        .statement = call->description,
        .user_name = call->context->session->user,
        .payload = bytes_of_string(call->uri),
        .id = call->job};
    int64_t id;
    struct internal_result result;
    TRY(consumer_insert(task, session, &record));
    TRY(job_create(task, TENANT_SYSTEM, session, &options, &id));
    struct datum params[] = {datum_int((int64_t)call->tenant->id), datum_int(call->job)};
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, &result,
        "UPDATE system.public.tenants SET replication_job_id = $2 WHERE id = $1 AND data_state = 0", 2, params,
        (type_oid[]){TYPE_INT8, TYPE_INT8}));
    if (result.row_count != 1)
        TRY(status_make(E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster was dropped while it was made"));
    if (call->reader)
        TRY(tenant_reader_insert(task, session, task->arena, call->tenant->id, call->name));
    st = tenant_made(task, session, call->tenant);
out:
    return st;
}

// Makes the empty virtual cluster, protects its history from the start time on, and the job that fills it.
static struct status create_target(struct create_call *call, uint64_t like)
{
    struct status st;
    struct task *task = call->context->task;
    uint8_t id[16];
    TRY(tenant_create_record(task, call->context->arena, call->name, &call->tenant));
    if (like != 0) TRY(tenant_copy_configuration(task, like, call->tenant->id));
    TRY(kv_tenant_create(task, call->tenant->id, 0));
    TRY(kv_ingest_begin(task, call->tenant->id));
    call->job = job_new_id(task->shard);
    consumer_protection_id(call->job, id);
    struct kv_protection protection = {.tenant = call->tenant->id,
        .ts = call->stream.start,
        .meta = BYTES_LITERAL("physical replication, destination")};
    memcpy(protection.id, id, sizeof id);
    TRY(kv_protect(task, &protection));
    st = internal_transaction(task, TENANT_SYSTEM, create_records, call);
    if (failed(st)) {
        struct status undone = kv_unprotect(task, id);
        if (failed(undone))
            log_warning(TENANT_SYSTEM, "a protected timestamp was left behind: %s", undone.message);
    }
out:
    if (failed(st) && call->tenant != NULL) {
        st = status_copy(call->context->arena, st);
        struct status undone = tenant_unmake(task, call->tenant);
        if (failed(undone))
            log_warning(TENANT_SYSTEM, "virtual cluster %s was left half made: %s", call->name,
                undone.message);
    }
    return st;
}

static struct status like_of(struct statement_context *context, uint64_t *like)
{
    struct status st = STATUS_OK;
    const struct create_virtual_cluster *create = context->statement->as.create_virtual_cluster;
    struct tenant *tenant;
    *like = 0;
    if (!create->has_like) goto out;
    TRY(tenant_resolve(context, &create->like, &tenant));
    if (tenant->id == TENANT_SYSTEM)
        TRY(status_hint(context->arena,
            status_make(E_WRONG_OBJECT_TYPE, "using the system tenant as config template"),
            "Create another virtual cluster as template."));
    *like = tenant->id;
out:
    return st;
}

// Connects to the primary and has it make its producer.
static struct status start_at_source(struct create_call *call, struct pgclient **client)
{
    struct status st;
    struct task *task = call->context->task;
    struct arena *arena = call->context->arena;
    TRY(source_connect(task, call->uri, client));
    st = source_start(task, *client, arena, call->source_name, &call->stream);
    if (!failed(st) &&
        strcmp(call->stream.cluster_id, repl_cluster_id(arena, task->shard->node)) == 0 &&
        call->stream.tenant == TENANT_SYSTEM)
        st = status_make(
            E_INVALID_PARAMETER_VALUE, "a virtual cluster cannot be replicated from itself");
out:
    if (failed(st) && status_is(st, E_UNDEFINED_FUNCTION))
        st = status_hint(arena, st, "Is the address that of an Isopod cluster's system interface?");
    return st;
}

struct status replication_uri_of(struct statement_context *context, struct expr *expr, const char **uri)
{
    struct status st;
    struct datum value;
    struct pgclient_options options;
    TRY(statement_constant(context, expr, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        TRY(status_make(
            E_INVALID_PARAMETER_VALUE, "the address of the source cluster cannot be NULL"));
    *uri = arena_string(context->arena, datum_as_bytes(value));
    const char *resolved = *uri;
    if (connection_is_name(*uri)) {
        *uri = connection_address(context->arena, *uri);
        TRY(privilege_check_system(context->task, context->session, "EXTERNALCONNECTION"));
        TRY(connection_resolve(context->task, context->arena, *uri, &resolved));
    }
    st = source_options(context->arena, resolved, &options);
out:
    return st;
}

// Before anything is done at the source; when it is made that is looked at again.
static struct status reader_name_is_free(struct statement_context *context, const char *source_name)
{
    struct status st;
    const char *name;
    struct tenant *taken;
    TRY(tenant_reader_name(context->arena, source_name, &name));
    TRY(tenant_read_by_name(context->task, NULL, context->arena, name, &taken));
    if (taken != NULL)
        st = status_format(context->arena, E_DUPLICATE_OBJECT, "tenant \"%s\" already exists", name);
out:
    return st;
}

static struct status create_execute(struct statement_context *context)
{
    struct status st;
    struct task *task = context->task;
    const struct create_virtual_cluster *create = context->statement->as.create_virtual_cluster;
    struct create_call call = {.context = context};
    struct replication_options options;
    struct pgclient *client = NULL;
    struct tenant *taken;
    uint64_t like;
    TRY(replication_uri_of(context, create->source_uri, &call.uri));
    TRY(replication_options_of(context, &create->options, true, &options));
    call.retention_s = options.retention_s;
    call.reader = options.reader;
    if (create->tenant.kind == TENANT_BY_ID || create->source.kind == TENANT_BY_ID)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED,
            "CREATE VIRTUAL CLUSTER FROM REPLICATION by ID is not supported"));
    TRY(tenant_spec_name(context, &create->tenant, &call.name));
    TRY(tenant_spec_name(context, &create->source, &call.source_name));
    call.description = describe_create(context->arena, &call, &options);
    // From here on the running statement shows without its secrets.
    context->session->statement_text = call.description;
    if (strcmp(call.name, "system") == 0)
        TRY(status_make(E_INVALID_PARAMETER_VALUE,
            "the destination tenant \"system\" (1) cannot be the system tenant"));
    TRY(like_of(context, &like));
    TRY(tenant_read_by_name(task, NULL, context->arena, call.name, &taken));
    if (taken != NULL && create->if_not_exists) {
        session_notice(context->session, "NOTICE",
            status_format(context->arena, E_DUPLICATE_OBJECT,
                "tenant \"%s\" already exists, skipping", call.name));
        goto out;
    }
    if (taken != NULL)
        TRY(status_format(
            context->arena, E_DUPLICATE_OBJECT, "tenant \"%s\" already exists", call.name));
    if (options.reader) TRY(reader_name_is_free(context, call.name));
    TRY(start_at_source(&call, &client));
    st = create_target(&call, like);
    if (failed(st)) {
        struct status told = source_complete(task, client, call.stream.id, false);
        if (failed(told))
            log_warning(TENANT_SYSTEM, "the source cluster keeps a stream that nobody reads: %s",
                told.message);
        goto out;
    }
    st = job_start_committed(task, TENANT_SYSTEM, call.job);
out:
    if (failed(st)) st = status_copy(context->arena, st);
    pgclient_close(client);
    return st;
}

// --- ALTER -------------------------------------------------------------------------------------------

// The virtual cluster's consumer, which must not be over.
static struct status active_consumer(struct statement_context *context, struct tenant **tenant,
    struct consumer_record **record, struct job **job)
{
    struct status st;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    TRY(tenant_resolve(context, &alter->tenant, tenant));
    *record = NULL;
    *job = NULL;
    if ((*tenant)->replication_job != 0) {
        TRY(consumer_read(context->task, NULL, context->arena, (*tenant)->replication_job, record));
        TRY(job_read(
            context->task, TENANT_SYSTEM, context->arena, (*tenant)->replication_job, job));
    }
    if (*record == NULL || *job == NULL || job_status_terminal((*job)->status) ||
        (*record)->phase >= CONSUMER_DONE)
        st = status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
            "tenant \"%s\" (%" PRIu64 ") does not have an active replication consumer job",
            (*tenant)->name == NULL ? "" : (*tenant)->name, (*tenant)->id);
out:
    return st;
}

static struct status pause(struct statement_context *context)
{
    struct status st;
    struct tenant *tenant;
    struct consumer_record *record;
    struct job *job;
    enum job_status status;
    TRY(active_consumer(context, &tenant, &record, &job));
    if (job->status == JOB_PAUSED) goto out;
    TRY(job_pause(context->task, TENANT_SYSTEM, job->id, NULL));
    TRY(job_wait(context->task, TENANT_SYSTEM, job->id, &status));
out:
    return st;
}

static struct status resume(struct statement_context *context)
{
    struct status st;
    struct tenant *tenant;
    struct consumer_record *record;
    struct job *job;
    TRY(active_consumer(context, &tenant, &record, &job));
    if (job->status == JOB_PAUSED || job->status == JOB_PAUSE_REQUESTED)
        st = job_resume(context->task, TENANT_SYSTEM, job->id);
out:
    return st;
}

static struct status set_retention(struct statement_context *context, int64_t retention_s)
{
    struct status st;
    struct tenant *tenant;
    struct consumer_record *record;
    struct job *job;
    TRY(active_consumer(context, &tenant, &record, &job));
    struct datum params[] = {datum_int(record->job), datum_int(retention_s)};
    TRY(internal_query(context->task, TENANT_SYSTEM, NULL, context->arena, NULL,
        "UPDATE system.public.replication_consumers SET retention_s = $2 WHERE job_id = $1", 2,
        params, (type_oid[]){TYPE_INT8, TYPE_INT8}));
    st = consumer_poke(context->task, record->job);
out:
    return st;
}

// Of the source: how long its standbys may be silent.
static struct status set_window(struct statement_context *context, int64_t window_us)
{
    struct status st;
    struct tenant *tenant;
    uint32_t count;
    TRY(tenant_resolve(context, &context->statement->as.alter_virtual_cluster->tenant, &tenant));
    TRY(producer_window_set(context->task, context->arena, tenant->id, window_us, &count));
    if (count == 0)
        st = status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
            "tenant \"%s\" (%" PRIu64 ") does not have an active replication producer job",
            tenant->name == NULL ? "" : tenant->name, tenant->id);
out:
    return st;
}

struct reader_call {
    struct arena *arena;
    const struct tenant *tenant;
};

static struct status reader_insert(struct task *task, struct session *session, void *arg)
{
    const struct reader_call *call = arg;
    return tenant_reader_insert(task, session, call->arena, call->tenant->id, call->tenant->name);
}

static struct status set_reader(struct statement_context *context, bool wanted)
{
    struct status st;
    struct tenant *tenant;
    struct consumer_record *record;
    struct job *job;
    TRY(active_consumer(context, &tenant, &record, &job));
    struct reader_call call = {context->arena, tenant};
    if (!wanted) {
        st = tenant_reader_drop(context->task, tenant->id);
        goto out;
    }
    if (!hlc_is_zero(record->cutover))
        TRY(status_make(E_NOT_IN_PREREQUISITE_STATE,
            "a virtual cluster that is being cut over gets no reader"));
    TRY(internal_transaction(context->task, TENANT_SYSTEM, reader_insert, &call));
    // Looked at again: the job may have looked before there was one. What is not known yet it will say.
    TRY(consumer_read(context->task, NULL, context->arena, job->id, &record));
    if (record != NULL && !hlc_is_zero(record->replicated)) TRY(tenant_reader_open(context->task, tenant->id));
out:
    return st;
}

static struct status set_options(struct statement_context *context)
{
    struct status st;
    struct replication_options options;
    TRY(replication_options_of(
        context, &context->statement->as.alter_virtual_cluster->options, false, &options));
    if (options.has_retention) TRY(set_retention(context, options.retention_s));
    if (options.has_window) TRY(set_window(context, options.window_us));
    if (options.has_reader) TRY(set_reader(context, options.reader));
out:
    return st;
}

// --- COMPLETE ----------------------------------------------------------------------------------------

struct complete_call {
    struct arena *arena;
    const struct tenant *tenant;
    int64_t job;
    bool latest, at_replicated;
    struct hlc_timestamp time; // When not `latest`; then the one decided on.
};

static struct status check_cutover(
    const struct complete_call *call, const struct consumer_record *record)
{
    char time[HLC_TEXT_BYTES], other[HLC_TEXT_BYTES];
    if (record->phase >= CONSUMER_CUTTING_OVER)
        return status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE,
            "job %" PRId64 " already started cutting over to timestamp %s", record->job,
            hlc_format(record->cutover, other));
    if (call->latest && hlc_is_zero(record->replicated))
        return status_hint(call->arena,
            status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE,
                "replicated tenant \"%s\" (%" PRIu64 ") has not yet recorded a retained timestamp",
                call->tenant->name, call->tenant->id),
            "The initial scan has not ended: wait until replicated_time is shown, or drop the "
            "virtual cluster.");
    if (!call->latest && hlc_less(call->time, record->retained))
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "cutover time %s is before earliest safe cutover time %s", hlc_format(call->time, time),
            hlc_format(record->retained, other));
    return STATUS_OK;
}

static struct status complete_records(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct complete_call *call = arg;
    struct consumer_record *record;
    char time[HLC_TEXT_BYTES];
    TRY(consumer_read(task, session, call->arena, call->job, &record));
    if (record == NULL)
        TRY(status_make(E_DATA_CORRUPTED, "the record of a replication consumer is gone"));
    TRY(check_cutover(call, record));
    struct hlc_timestamp to = call->latest ? record->replicated : call->time;
    struct datum params[] = {datum_int(call->job), datum_text(hlc_format(to, time))};
    TRY(internal_query(task, TENANT_SYSTEM, session, call->arena, NULL,
        "UPDATE system.public.replication_consumers SET cutover_time = $2 WHERE job_id = $1", 2,
        params, (type_oid[]){TYPE_INT8, TYPE_TEXT}));
    call->time = to;
    call->at_replicated = hlc_equal(to, record->replicated);
out:
    return st;
}

static const struct result_column complete_columns[] = {
    {.name = "cutover_time", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
    {.name = "failover_time", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
};

static struct status time_numeric(struct arena *arena, struct hlc_timestamp ts, struct datum *value)
{
    char text[HLC_TEXT_BYTES];
    return type_input(arena, &type_context_default, TYPE_OF(TYPE_NUMERIC),
        bytes_of_string(hlc_format(ts, text)), value);
}

static struct status complete(struct statement_context *context)
{
    struct status st;
    struct task *task = context->task;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    struct tenant *tenant;
    struct consumer_record *record;
    struct job *job;
    struct complete_call call = {.arena = context->arena, .latest = alter->latest};
    TRY(active_consumer(context, &tenant, &record, &job));
    call.tenant = tenant;
    call.job = job->id;
    if (!alter->latest)
        TRY(as_of_evaluate(
            task, context->session, context->arena, alter->time, AS_OF_ANY, &call.time));
    // What the job has already counts: the cutover must not need the primary again.
    TRY(consumer_checkpoint(task, job->id));
    // What it reads will be undone, or is not what it will have: it is gone before anything can be undone.
    TRY(consumer_read(task, NULL, context->arena, job->id, &record));
    if (!call.latest && record != NULL) {
        TRY(check_cutover(&call, record));
        if (!hlc_equal(call.time, record->replicated)) TRY(tenant_reader_drop(task, tenant->id));
    }
    TRY(internal_transaction(task, TENANT_SYSTEM, complete_records, &call));
    if (SIM_MAYBE("cutover.asked_slowly")) TRY(task_sleep(task, SLOW_STATEMENT_NS));
    if (!call.at_replicated) TRY(tenant_reader_drop(task, tenant->id));
    TRY(consumer_poke(task, job->id));
    if (job->status == JOB_PAUSED || job->status == JOB_PAUSE_REQUESTED)
        TRY(job_resume(task, TENANT_SYSTEM, job->id));
    struct datum row[2];
    TRY(time_numeric(context->arena, call.time, &row[0]));
    row[1] = row[0];
    TRY(context->sink->columns(task, context->sink, complete_columns, 2));
    st = context->sink->row(task, context->sink, row);
out:
    return st;
}

static struct status alter_execute(struct statement_context *context)
{
    switch (context->statement->as.alter_virtual_cluster->kind) {
    case ALTER_TENANT_PAUSE_REPLICATION: return pause(context);
    case ALTER_TENANT_RESUME_REPLICATION: return resume(context);
    case ALTER_TENANT_COMPLETE_REPLICATION: return complete(context);
    case ALTER_TENANT_SET_REPLICATION: return set_options(context);
    case ALTER_TENANT_START_REPLICATION: return failback_execute(context);
    case ALTER_TENANT_RESET_DATA: return reset_execute(context);
    default:
        return status_make(
            E_FEATURE_NOT_SUPPORTED, "this form of ALTER VIRTUAL CLUSTER is not supported");
    }
}

static struct status alter_describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    bool rows =
        context->statement->as.alter_virtual_cluster->kind == ALTER_TENANT_COMPLETE_REPLICATION;
    *columns = complete_columns;
    *count = rows ? 2 : 0;
    return STATUS_OK;
}

// --- SHOW and DROP -----------------------------------------------------------------------------------

static const char *state_of(const struct consumer_record *record, const struct job *job)
{
    bool failing = record->error[0] != '\0';
    if (job == NULL || job->status == JOB_CANCELED || job->status == JOB_FAILED ||
        job->status == JOB_REVERTING || job->status == JOB_CANCEL_REQUESTED ||
        record->phase == CONSUMER_CANCELED)
        return "add";
    if (record->phase >= CONSUMER_CUTTING_OVER) return "replication cutting over";
    if (job->status == JOB_PAUSED || job->status == JOB_PAUSE_REQUESTED)
        return failing ? "replication error" : "replication paused";
    if (failing) return "replication error";
    if (!hlc_is_zero(record->cutover)) return "replication pending cutover";
    return hlc_is_zero(record->replicated) ? "initializing replication" : "replicating";
}

// The same in the words of the column `status`.
static const char *status_of(const struct consumer_record *record, const struct job *job)
{
    const char *state = state_of(record, job);
    if (strcmp(state, "replication cutting over") == 0) return "replication failing over";
    if (strcmp(state, "replication pending cutover") == 0) return "replication pending failover";
    if (strcmp(state, "initializing replication") != 0) return state;
    if (record->topology != 0) return "running initial scan"; // There is a plan.
    bool splitting = job->running_status != NULL &&
                     strncmp(job->running_status, REPL_SPLITTING " ", strlen(REPL_SPLITTING " ")) == 0;
    return splitting ? "creating initial splits" : state;
}

struct status_call {
    struct consumer_record *record;
    struct job *job;
};

static struct status status_read(
    struct task *task, struct arena *arena, const struct tenant *tenant, struct status_call *call)
{
    struct status st;
    TRY(consumer_read(task, NULL, arena, tenant->replication_job, &call->record));
    TRY(job_read(task, TENANT_SYSTEM, arena, tenant->replication_job, &call->job));
out:
    return st;
}

static struct status state_name(
    struct task *task, struct arena *arena, const struct tenant *tenant, const char **name)
{
    struct status st;
    struct status_call call;
    TRY(status_read(task, arena, tenant, &call));
    *name = call.record == NULL ? "add" : state_of(call.record, call.job);
out:
    return st;
}

static struct datum timestamptz(struct hlc_timestamp ts, bool up)
{
    if (hlc_is_zero(ts)) return DATUM_NULL;
    uint64_t ns = ts.wall_ns;
    if (up && (ns % 1000 != 0 || ts.logical > 0)) ns += 1000;
    return datum_int((int64_t)(ns / 1000) - POSTGRES_EPOCH_US);
}

static struct status lag(
    struct task *task, struct arena *arena, struct hlc_timestamp replicated, struct datum *value)
{
    struct buffer text;
    int64_t lag_ns = task->shard->env->wall_ns(task->shard->env) - (int64_t)replicated.wall_ns;
    *value = DATUM_NULL;
    if (hlc_is_zero(replicated)) return STATUS_OK;
    buffer_init(&text, arena);
    text_format_interval(&text, lag_ns > 0 ? lag_ns / 1000 * 1000 : 0);
    return type_input(
        arena, &type_context_default, TYPE_OF(TYPE_INTERVAL), buffer_bytes(&text), value);
}

static struct status status_columns(
    struct task *task, struct arena *arena, const struct tenant *tenant, struct datum *values)
{
    struct status st;
    struct status_call call;
    TRY(status_read(task, arena, tenant, &call));
    if (call.record == NULL || call.job == NULL) goto out;
    struct hlc_timestamp replicated = call.record->replicated;
    values[0] = datum_text(call.record->source_name);
    values[1] = datum_text(source_redact(arena, arena_string(arena, call.job->payload)));
    values[2] = datum_int(call.record->job);
    values[3] = timestamptz(replicated, false);
    values[4] = timestamptz(call.record->retained, true);
    if (!hlc_is_zero(call.record->cutover))
        TRY(time_numeric(arena, call.record->cutover, &values[5]));
    TRY(lag(task, arena, replicated, &values[6]));
    values[7] = values[5];
    values[8] = values[2];
    values[9] = datum_text(
        tenant->data_state == TENANT_READY ? "ready" : status_of(call.record, call.job));
out:
    return st;
}

// What is written down holds after a crash, too; what is to be undone is not read.
static struct status reader_time(struct task *task, struct arena *arena, const struct tenant *tenant,
    struct hlc_timestamp *ts)
{
    struct status st = STATUS_OK;
    struct consumer_record *record;
    *ts = tenant->activation; // Cut over: from then on its history is its own.
    if (tenant->replication_job == 0) {
        covered("reader.of_promoted");
        goto out;
    }
    TRY(consumer_read(task, NULL, arena, tenant->replication_job, &record));
    *ts = record == NULL ? HLC_ZERO : record->replicated;
    if (record != NULL && !hlc_is_zero(record->cutover)) *ts = hlc_min(*ts, record->cutover);
out:
    return st;
}

static struct status dropping(struct task *task, const struct tenant *tenant)
{
    struct status st;
    struct job *job;
    enum job_status status;
    TRY(job_read(task, TENANT_SYSTEM, task->arena, tenant->replication_job, &job));
    if (job == NULL || job_status_terminal(job->status)) goto out;
    TRY(job_cancel(task, TENANT_SYSTEM, job->id, true));
    st = job_wait(task, TENANT_SYSTEM, job->id, &status);
    // How it ended is the job's business: it ends because it was told to.
    if (failed(st) && job_status_terminal(status)) st = STATUS_OK;
out:
    return st;
}

static const struct tenant_replication_hooks hooks = {
    .create = create_execute,
    .alter = alter_execute,
    .alter_describe = alter_describe,
    .state_name = state_name,
    .status = status_columns,
    .reader_time = reader_time,
    .dropping = dropping,
};

void repl_statements_register(void)
{
    tenant_replication_register(&hooks);
}
