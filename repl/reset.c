// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/reset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/log.h"
#include "core/text.h"
#include "kv/admin.h"
#include "repl/cutover.h"
#include "repl/failback.h"
#include "repl/internal.h"
#include "sql/bind/as_of.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "tenant/tenant.h"

#define SOURCE_RESET "reset:" // And when, in ns: in place of the source of a prior replication.

struct reset {
    struct statement_context *context;
    struct tenant *tenant;
    struct hlc_timestamp to;
    int64_t job;
    const char *description;
};

static void protection_id(int64_t job, uint8_t id[16])
{
    memcpy(id, "vc-reset", 8);
    codec_store(id + 8, (uint64_t)job, 8);
}

bool reset_forbids(const char *source_id, struct hlc_timestamp ts)
{
    const size_t size = sizeof SOURCE_RESET - 1;
    return source_id != NULL && strncmp(source_id, SOURCE_RESET, size) == 0 &&
           ts.wall_ns <= strtoull(source_id + size, NULL, 10);
}

// --- the job -----------------------------------------------------------------------------------------

static struct status undo(struct task *task, const struct job *job, uint64_t tenant, struct hlc_timestamp to)
{
    struct status st;
    struct hlc_timestamp now;
    uint64_t removed = 0;
    // From here on no commit of a session is taken that was still on its way.
    TRY(kv_ingest_begin(task, tenant));
    TRY(failback_index(task, tenant, to));
    TRY(kv_revert(task, tenant, to, &removed));
    TRY(kv_ingest_end(task, tenant, to));
    TRY(kv_now(task, tenant, &now));
    struct datum params[] = {datum_int((int64_t)tenant), datum_int(TENANT_ADD), datum_int(TENANT_READY),
        datum_int(job->id), datum_text(arena_printf(task->arena, SOURCE_RESET "%" PRIu64, now.wall_ns)),
        datum_int((int64_t)to.wall_ns), datum_int((int64_t)to.logical)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "UPDATE system.public.tenants SET data_state = $3, active = true, replication_job_id = NULL, source_id = $5, "
        "activation_wall = $6, activation_logical = $7 WHERE id = $1 AND data_state = $2 AND replication_job_id = $4",
        7, params,
        (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_TEXT, TYPE_INT8, TYPE_INT8}));
    cutover_zones_tell(task, tenant);
    log_info(TENANT_SYSTEM, "virtual cluster %" PRIu64 " was reset to %" PRIu64 ": %" PRIu64 " versions undone", tenant,
        to.wall_ns, removed);
out:
    return st;
}

// What storage refuses is tried again: half of an undone history is none.
static struct status resume(struct task *task, struct job *job)
{
    struct status st;
    struct tenant *tenant;
    uint8_t id[16];
    struct codec_reader in = codec_read(job->payload);
    const uint64_t number = codec_get_u64(&in);
    const struct hlc_timestamp to = codec_get_hlc(&in);
    if (!codec_done(&in)) return status_make(E_DATA_CORRUPTED, "the record of a reset is damaged");
    TRY(tenant_read(task, NULL, task->arena, number, &tenant));
    if (tenant != NULL && tenant->data_state == TENANT_ADD && tenant->replication_job == job->id)
        TRY(undo(task, job, number, to));
    protection_id(job->id, id);
    TRY(kv_unprotect(task, id));
out:
    if (failed(st) && !job->stop_requested && !status_is(st, E_DATA_CORRUPTED))
        st = status_format(task->arena, E_CONNECTION_EXCEPTION, "%s", st.message);
    return st;
}

static const struct job_type reset_job = {
    .name = "RESET VIRTUAL CLUSTER DATA", .resume = resume, .not_cancelable = true, .class = TASK_DEFAULT};

// --- the statement -----------------------------------------------------------------------------------

static struct status check_tenant(const struct reset *call)
{
    struct arena *arena = call->context->arena;
    const struct tenant *tenant = call->tenant;
    if (tenant->id == TENANT_SYSTEM)
        return status_make(E_INVALID_PARAMETER_VALUE, "cannot reset the data of tenant \"1\", ID assigned to system tenant");
    if (tenant->service_mode != TENANT_NONE)
        return status_hint(arena,
            status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "cannot reset data of tenant in service mode %s",
                tenant_service_mode_name(tenant->service_mode)),
            "Run ALTER VIRTUAL CLUSTER %s STOP SERVICE first.", tenant->name);
    if (tenant->data_state != TENANT_READY || tenant->replication_job != 0)
        return status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "cannot reset data of tenant \"%s\" in data state %s",
            tenant->name, tenant_data_state_name(tenant->data_state));
    return STATUS_OK;
}

// Who follows it would never hear of what is undone.
static struct status check_followers(const struct reset *call)
{
    struct status st;
    struct arena *arena = call->context->arena;
    struct kv_protection *protections;
    uint32_t count;
    TRY(kv_protections(call->context->task, arena, &protections, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (protections[i].tenant != call->tenant->id) continue;
        return status_hint(arena,
            status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
                "the history of tenant \"%s\" is kept for somebody: %s", call->tenant->name,
                arena_string(arena, protections[i].meta)),
            "Find its job with SHOW JOBS and cancel it first; who followed cannot go on then.");
    }
out:
    return st;
}

// It was there, and whole, at that time: ready, or since its cutover.
static struct status check_time(const struct reset *call)
{
    struct status st = STATUS_OK;
    struct task *task = call->context->task;
    struct arena *arena = call->context->arena;
    struct internal_result result;
    char time[HLC_TEXT_BYTES];
    struct datum params[] = {datum_int((int64_t)call->tenant->id), datum_int(TENANT_READY)};
    if (call->tenant->source_id != NULL && hlc_less_equal(call->tenant->activation, call->to)) return STATUS_OK;
    st = internal_query(task, TENANT_SYSTEM, NULL, arena, &result,
        arena_printf(arena,
            "SELECT id FROM system.public.tenants AS OF SYSTEM TIME '%s' WHERE id = $1 AND data_state = $2",
            hlc_format(call->to, time)),
        2, params, (type_oid[]){TYPE_INT8, TYPE_INT8});
    // Before there was any, not even the list of them was there.
    const bool nothing = status_is(st, E_UNDEFINED_TABLE) || status_is(st, E_INVALID_CATALOG_NAME);
    if (nothing) st = STATUS_OK;
    TRY(st);
    if (nothing || result.row_count != 1)
        st = status_format(arena, E_INVALID_PARAMETER_VALUE, "tenant \"%s\" was not ready yet at %s", call->tenant->name, time);
out:
    return st;
}

static struct status write_records(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct reset *call = arg;
    struct internal_result result;
    struct buffer payload;
    int64_t id;
    buffer_init(&payload, task->arena);
    codec_put_u64(&payload, call->tenant->id);
    codec_put_hlc(&payload, call->to);
    struct job_options options = {.type = &reset_job,
        .description = call->description,
        .statement = call->description,
        .user_name = call->context->session->user,
        .payload = buffer_bytes(&payload),
        .id = call->job};
    struct datum params[] = {datum_int((int64_t)call->tenant->id), datum_int(call->job), datum_int(TENANT_READY),
        datum_int(TENANT_ADD), datum_int(TENANT_NONE)};
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, &result,
        "UPDATE system.public.tenants SET data_state = $4, active = false, replication_job_id = $2 "
        "WHERE id = $1 AND data_state = $3 AND service_mode = $5 AND replication_job_id IS NULL",
        5, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8}));
    if (result.row_count != 1)
        TRY(status_make(E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster has changed meanwhile: try again"));
    TRY(job_create(task, TENANT_SYSTEM, session, &options, &id));
out:
    return st;
}

static const char *describe(struct arena *arena, const struct reset *call)
{
    struct buffer out;
    char time[HLC_TEXT_BYTES];
    buffer_init(&out, arena);
    buffer_append_string(&out, "ALTER VIRTUAL CLUSTER ");
    text_quote_name(&out, bytes_of_string(call->tenant->name), NULL);
    buffer_append_string(&out, " RESET DATA TO SYSTEM TIME ");
    text_quote_literal(&out, bytes_of_string(hlc_format(call->to, time)));
    return buffer_string(&out);
}

// History since that time must be here still, and stays until it is undone.
static struct status protect(struct reset *call)
{
    struct arena *arena = call->context->arena;
    struct kv_protection protection = {
        .tenant = call->tenant->id, .ts = call->to, .meta = BYTES_LITERAL("reset of the data")};
    char time[HLC_TEXT_BYTES];
    protection_id(call->job, protection.id);
    struct status st = kv_protect(call->context->task, &protection);
    if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) return st;
    return status_hint(arena,
        status_format(arena, E_NOT_IN_PREREQUISITE_STATE, "cannot reset data of tenant \"%s\" to %s: history is kept no longer",
            call->tenant->name, hlc_format(call->to, time)),
        "How long it is kept is said by gc.ttlseconds of its zone configuration.");
}

struct status reset_execute(struct statement_context *context)
{
    struct status st;
    struct task *task = context->task;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    struct reset call = {.context = context};
    enum job_status status;
    uint8_t id[16];
    TRY(tenant_resolve(context, &alter->tenant, &call.tenant));
    TRY(check_tenant(&call));
    TRY(as_of_evaluate(task, context->session, context->arena, alter->time, AS_OF_PAST, &call.to));
    TRY(check_time(&call));
    TRY(check_followers(&call));
    call.description = describe(context->arena, &call);
    call.job = job_new_id(task->shard);
    TRY(protect(&call));
    // Who reads it as of a time may read what is undone.
    st = tenant_reader_drop(task, call.tenant->id);
    if (!failed(st)) st = internal_transaction(task, TENANT_SYSTEM, write_records, &call);
    if (failed(st)) {
        st = status_copy(context->arena, st);
        protection_id(call.job, id);
        struct status undone = kv_unprotect(task, id);
        if (failed(undone)) log_warning(TENANT_SYSTEM, "a protected timestamp was left behind: %s", undone.message);
        goto out;
    }
    TRY(job_start_committed(task, TENANT_SYSTEM, call.job));
    st = job_wait(task, TENANT_SYSTEM, call.job, &status);
out:
    return st;
}

void reset_register(void)
{
    job_type_register(&reset_job);
}
