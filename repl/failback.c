// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/failback.h"

#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "core/text.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "repl/flow.h"
#include "repl/internal.h"
#include "repl/reset.h"
#include "repl/source.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "tenant/tenant.h"

#define UNDO_PIECE_BYTES (1u << 20)

struct failback {
    struct statement_context *context;
    struct tenant *tenant;
    const char *source_name, *uri, *description;
    struct replication_options options;
    struct source_prior prior; // Of the source.
    struct hlc_timestamp resume;
    struct source_stream stream;
    int64_t job;
};

// --- the statement -----------------------------------------------------------------------------------

static struct status check_tenant(const struct failback *call)
{
    struct arena *arena = call->context->arena;
    const struct tenant *tenant = call->tenant;
    const char *name = tenant->name == NULL ? "" : tenant->name;
    if (tenant->id == TENANT_SYSTEM)
        return status_make(E_INVALID_PARAMETER_VALUE,
            "the destination tenant \"system\" (1) cannot be the system tenant");
    if (tenant->service_mode != TENANT_NONE)
        return status_hint(arena,
            status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                "cannot start replication for tenant \"%s\" (%" PRIu64
                ") in service mode %s; service mode must be none",
                name, tenant->id, tenant_service_mode_name(tenant->service_mode)),
            "Run ALTER VIRTUAL CLUSTER %s STOP SERVICE first.", name);
    if (tenant->data_state != TENANT_READY || tenant->replication_job != 0)
        return status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
            "cannot start replication for tenant \"%s\" (%" PRIu64
            ") in state %s (is replication or a restore already running?)",
            name, tenant->id, tenant_data_state_name(tenant->data_state));
    return STATUS_OK;
}

// Where the histories of the two parted: when this one last cut over from the source, or the source from this one.
static struct status resume_time(struct failback *call, const char *own_cluster)
{
    struct arena *arena = call->context->arena;
    const struct tenant *tenant = call->tenant;
    const char *own = arena_printf(arena, "%s:%" PRIu64, own_cluster, tenant->id);
    const char *other = arena_printf(arena, "%s:%" PRIu64, call->prior.cluster_id, call->prior.tenant);
    const char *own_source = tenant->source_id == NULL ? "" : tenant->source_id;
    call->resume = HLC_ZERO;
    if (strcmp(own_source, other) == 0) call->resume = tenant->activation;
    if (strcmp(call->prior.source_id, own) == 0)
        call->resume = hlc_max(call->resume, call->prior.activation);
    if (reset_forbids(own_source, call->resume) || reset_forbids(call->prior.source_id, call->resume))
        return status_hint(arena,
            status_make(E_NOT_IN_PREREQUISITE_STATE,
                "cannot reconfigure existing tenant to replicate from specified source: the data of one of them was reset "
                "since then"),
            "Create a virtual cluster FROM REPLICATION OF the source instead.");
    if (!hlc_is_zero(call->resume)) return STATUS_OK;
    return status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
        "cannot reconfigure existing tenant to replicate from specified source: it was neither "
        "previously replicating from this source (prior replication source was \"%s\"), nor was "
        "the source previously replicating from it (\"%s\")",
        own_source, call->prior.source_id);
}

static struct status write_records(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct failback *call = arg;
    struct internal_result result;
    struct consumer_record record = {.job = call->job,
        .tenant = call->tenant->id,
        .tenant_name = call->tenant->name,
        .source_name = call->source_name,
        .source_tenant = call->stream.tenant,
        .source_cluster = call->stream.cluster_id,
        .stream = call->stream.id,
        .start = call->resume,
        .phase = CONSUMER_PREPARING,
        .retention_s = call->options.retention_s};
    struct job_options options = {.type = &consumer_job,
        .description = call->description,
        .statement = call->description,
        .user_name = call->context->session->user,
        .payload = bytes_of_string(call->uri),
        .id = call->job};
    int64_t id;
    struct datum params[] = {datum_int((int64_t)call->tenant->id), datum_int(call->job),
        datum_int(TENANT_READY), datum_int(TENANT_ADD), datum_int(TENANT_NONE)};
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, &result,
        "UPDATE system.public.tenants SET data_state = $4, active = false, replication_job_id = $2 "
        "WHERE id = $1 AND data_state = $3 AND service_mode = $5 AND replication_job_id IS NULL",
        5, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8}));
    if (result.row_count != 1)
        TRY(status_make(
            E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster has changed meanwhile: try again"));
    TRY(consumer_insert(task, session, &record));
    if (call->options.reader)
        TRY(tenant_reader_insert(task, session, task->arena, call->tenant->id, call->tenant->name));
    TRY(job_create(task, TENANT_SYSTEM, session, &options, &id));
out:
    return st;
}

static const char *describe(struct arena *arena, const struct failback *call)
{
    struct buffer out;
    buffer_init(&out, arena);
    buffer_append_string(&out, "ALTER VIRTUAL CLUSTER ");
    text_quote_name(&out, bytes_of_string(call->tenant->name), NULL);
    buffer_append_string(&out, " START REPLICATION OF ");
    text_quote_name(&out, bytes_of_string(call->source_name), NULL);
    buffer_append_string(&out, " ON ");
    text_quote_literal(&out, bytes_of_string(source_redact(arena, call->uri)));
    replication_options_describe(&out, &call->options);
    return buffer_string(&out);
}

// History from there on must be here still, and stays.
static struct status protect(struct failback *call)
{
    struct task *task = call->context->task;
    struct kv_protection protection = {.tenant = call->tenant->id,
        .ts = call->resume,
        .meta = BYTES_LITERAL("physical replication, destination")};
    char time[HLC_TEXT_BYTES];
    call->job = job_new_id(task->shard);
    consumer_protection_id(call->job, protection.id);
    struct status st = kv_protect(task, &protection);
    if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) return st;
    return status_hint(call->context->arena,
        status_format(call->context->arena, E_NOT_IN_PREREQUISITE_STATE,
            "cannot resume replication into tenant \"%s\" (%" PRIu64
            ") by reverting to %s (history is no longer retained)",
            call->tenant->name, call->tenant->id, hlc_format(call->resume, time)),
        "Create a virtual cluster FROM REPLICATION OF the source instead.");
}

static struct status start(struct failback *call, struct pgclient *client)
{
    struct status st;
    struct task *task = call->context->task;
    bool streaming = false;
    uint8_t id[16];
    TRY(protect(call));
    st = source_resume(
        task, client, call->context->arena, call->source_name, call->resume, &call->stream);
    streaming = !failed(st);
    if (!failed(st)) st = internal_transaction(task, TENANT_SYSTEM, write_records, call);
    if (failed(st)) {
        st = status_copy(call->context->arena, st);
        consumer_protection_id(call->job, id);
        struct status undone = kv_unprotect(task, id);
        if (streaming && !failed(undone))
            undone = source_complete(task, client, call->stream.id, false);
        if (failed(undone))
            log_warning(TENANT_SYSTEM, "START REPLICATION was not undone in full: %s", undone.message);
        goto out;
    }
    st = job_start_committed(task, TENANT_SYSTEM, call->job);
out:
    return st;
}

struct status failback_execute(struct statement_context *context)
{
    struct status st;
    struct task *task = context->task;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    struct failback call = {.context = context};
    struct pgclient *client = NULL;
    TRY(replication_uri_of(context, alter->source_uri, &call.uri));
    TRY(replication_options_of(context, &alter->options, true, &call.options));
    if (alter->source.kind == TENANT_BY_ID)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "START REPLICATION OF by ID is not supported"));
    TRY(tenant_spec_name(context, &alter->source, &call.source_name));
    TRY(tenant_resolve(context, &alter->tenant, &call.tenant));
    call.description = describe(context->arena, &call);
    // From here on the running statement shows without its secrets.
    context->session->statement_text = call.description;
    TRY(check_tenant(&call));
    TRY(source_connect(task, call.uri, &client));
    TRY(source_prior(task, client, context->arena, call.source_name, &call.prior));
    TRY(resume_time(&call, repl_cluster_id(context->arena, task->shard->node)));
    // One that has stayed from before: its time may be undone.
    TRY(tenant_reader_drop(task, call.tenant->id));
    st = start(&call, client);
out:
    if (failed(st)) st = status_copy(context->arena, st);
    pgclient_close(client);
    return st;
}

// --- the job -----------------------------------------------------------------------------------------

struct status failback_index(struct task *task, uint64_t tenant, struct hlc_timestamp after)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, NULL);
    struct kv_export export = {.tenant = tenant,
        .span = key_tenant_span(task->arena, tenant),
        .after = after,
        .all = true,
        .bytes_max = UNDO_PIECE_BYTES};
    TRY(kv_now(task, tenant, &export.at));
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        arena_reset(&arena);
        TRY(kv_export_next(task, &export, &arena, &versions, &count));
        TRY(kv_ingest(task, tenant, versions, count));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status failback_prepare(struct task *task, struct consumer *consumer)
{
    struct status st;
    struct consumer_record *record = consumer->record;
    uint64_t removed = 0;
    TRY(job_update(task, consumer->job, consumer->job->progress, -1,
        "reverting existing data to prepare for replication"));
    TRY(kv_ingest_begin(task, record->tenant));
    TRY(failback_index(task, record->tenant, record->start));
    TRY(kv_revert(task, record->tenant, record->start, &removed));
    log_info(TENANT_SYSTEM, "virtual cluster %s goes back to %" PRIu64 ": %" PRIu64 " versions undone",
        record->tenant_name, record->start.wall_ns, removed);
    if (removed > 0) covered("failback.undoes");
    record->replicated = record->retained = record->start;
    record->phase = CONSUMER_REPLICATING;
    st = consumer_write(task, record);
out:
    return st;
}
