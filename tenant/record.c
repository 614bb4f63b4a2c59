// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records of virtual clusters: rows of system.tenants.
#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "kv/admin.h"
#include "sql/catalog/bootstrap.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "tenant/internal.h"

#define TENANT_COLUMNS \
    "id, name, data_state, service_mode, replication_job_id, source_id, activation_wall, " \
    "activation_logical, info"

#define CREATE_ATTEMPTS_MAX 10u

const struct tenant_replication_hooks *tenant_replication;

void tenant_replication_register(const struct tenant_replication_hooks *hooks)
{
    tenant_replication = hooks;
}

const char *tenant_data_state_name(enum tenant_data_state state)
{
    static const char *const names[] = {"add", "ready", "dropping"};
    return names[state];
}

const char *tenant_service_mode_name(enum tenant_service_mode mode)
{
    static const char *const names[] = {"none", "external", "shared", "stopping"};
    return names[mode];
}

// --- reading -----------------------------------------------------------------------------------------

static struct tenant *of_row(
    struct arena *arena, const struct internal_result *result, uint64_t row)
{
    struct tenant *tenant = ARENA_NEW(arena, struct tenant);
    tenant->id = (uint64_t)internal_value(result, row, 0).integer;
    struct datum name = internal_value(result, row, 1);
    if (!name.null) tenant->name = arena_string(arena, datum_as_bytes(name));
    tenant->data_state = (enum tenant_data_state)internal_value(result, row, 2).integer;
    tenant->service_mode = (enum tenant_service_mode)internal_value(result, row, 3).integer;
    struct datum job = internal_value(result, row, 4);
    tenant->replication_job = job.null ? 0 : job.integer;
    struct datum source = internal_value(result, row, 5);
    if (!source.null) {
        tenant->source_id = arena_string(arena, datum_as_bytes(source));
        tenant->activation.wall_ns = (uint64_t)internal_value(result, row, 6).integer;
        tenant->activation.logical = (uint32_t)internal_value(result, row, 7).integer;
    }
    tenant->reads = reader_info_decode(internal_value(result, row, 8));
    return tenant;
}

struct status tenant_read(struct task *task, struct session *session, struct arena *arena,
    uint64_t id, struct tenant **tenant)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)id)};
    TRY(internal_query(task, TENANT_SYSTEM, session, arena, &result,
        "SELECT " TENANT_COLUMNS " FROM system.public.tenants WHERE id = $1", 1, params,
        (type_oid[]){TYPE_INT8}));
    *tenant = result.row_count == 0 ? NULL : of_row(arena, &result, 0);
out:
    return st;
}

struct status tenant_read_by_name(struct task *task, struct session *session, struct arena *arena,
    const char *name, struct tenant **tenant)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_text(name)};
    TRY(internal_query(task, TENANT_SYSTEM, session, arena, &result,
        "SELECT " TENANT_COLUMNS " FROM system.public.tenants WHERE name = $1", 1, params,
        (type_oid[]){TYPE_TEXT}));
    *tenant = result.row_count == 0 ? NULL : of_row(arena, &result, 0);
out:
    return st;
}

struct status tenant_list(struct task *task, struct session *session, struct arena *arena,
    struct tenant ***tenants, uint32_t *count)
{
    struct status st;
    struct internal_result result;
    TRY(internal_query(task, TENANT_SYSTEM, session, arena, &result,
        "SELECT " TENANT_COLUMNS " FROM system.public.tenants ORDER BY id", 0, NULL, NULL));
    *tenants = ARENA_ARRAY(arena, struct tenant *, result.row_count + 1);
    *count = (uint32_t)result.row_count;
    for (uint32_t i = 0; i < *count; i++) (*tenants)[i] = of_row(arena, &result, i);
out:
    return st;
}

// --- names in statements -----------------------------------------------------------------------------

static struct status check_name(struct arena *arena, const char *name)
{
    size_t size = strlen(name);
    bool good = size > 0 && size <= TENANT_NAME_BYTES_MAX;
    for (size_t i = 0; good && i < size; i++) {
        bool alnum = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');
        good = alnum || (name[i] == '-' && i > 0 && i + 1 < size);
    }
    if (good) return STATUS_OK;
    return status_hint(arena,
        status_format(arena, E_SYNTAX_ERROR, "invalid tenant name: \"%.120s\"", name),
        "Use lower-case letters, digits and hyphens, with a letter or digit first and last, at most %u.",
        TENANT_NAME_BYTES_MAX);
}

struct status tenant_spec_name(
    struct statement_context *context, const struct tenant_spec *spec, const char **name)
{
    struct status st;
    struct datum value;
    TRY(statement_constant(context, spec->expr, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        TRY(status_make(E_INVALID_PARAMETER_VALUE, "the name of a virtual cluster cannot be NULL"));
    *name = arena_string(context->arena, datum_as_bytes(value));
    st = check_name(context->arena, *name);
out:
    return st;
}

struct status tenant_resolve(
    struct statement_context *context, const struct tenant_spec *spec, struct tenant **tenant)
{
    struct status st;
    struct datum value;
    if (spec->kind == TENANT_BY_ID) {
        TRY(statement_constant(context, spec->expr, TYPE_OF(TYPE_INT8), &value));
        if (value.null || value.integer <= 0)
            TRY(status_make(E_INVALID_PARAMETER_VALUE, "invalid tenant ID"));
        TRY(tenant_read(context->task, NULL, context->arena, (uint64_t)value.integer, tenant));
        if (*tenant == NULL)
            st = status_format(context->arena, E_UNDEFINED_OBJECT, "tenant \"%" PRId64 "\" does not exist", value.integer);
    } else {
        TRY(statement_constant(context, spec->expr, TYPE_OF(TYPE_TEXT), &value));
        const char *name = value.null ? "" : arena_string(context->arena, datum_as_bytes(value));
        TRY(tenant_read_by_name(context->task, NULL, context->arena, name, tenant));
        if (*tenant == NULL)
            st = status_format(context->arena, E_UNDEFINED_OBJECT, "tenant \"%s\" does not exist", name);
    }
out:
    return st;
}

// --- writing -----------------------------------------------------------------------------------------

struct create_record {
    struct arena *arena;
    const char *name;
    struct tenant *tenant;
};

struct status tenant_next_id(
    struct task *task, struct session *session, struct arena *arena, struct internal_result *result)
{
    return internal_query(task, TENANT_SYSTEM, session, arena, result,
        "UPDATE system.public.tenant_id_seq SET last_id = last_id + 1 WHERE id = 1 RETURNING last_id", 0, NULL,
        NULL);
}

static struct status create_record(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct create_record *call = arg;
    struct internal_result result;
    if (call->name != NULL) {
        struct tenant *taken;
        TRY(tenant_read_by_name(task, session, call->arena, call->name, &taken));
        if (taken != NULL)
            TRY(status_format(call->arena, E_DUPLICATE_OBJECT, "tenant \"%s\" already exists", call->name));
    }
    TRY(tenant_next_id(task, session, call->arena, &result));
    int64_t id = internal_value(&result, 0, 0).integer;
    const char *name = call->name != NULL ? call->name : arena_printf(call->arena, "tenant-%" PRId64, id);
    struct datum params[] = {datum_int(id), datum_text(name)};
    TRY(internal_query(task, TENANT_SYSTEM, session, call->arena, NULL,
        "INSERT INTO system.public.tenants (id, active, name, data_state, service_mode) VALUES ($1, false, $2, 0, 0)",
        2, params, (type_oid[]){TYPE_INT8, TYPE_TEXT}));
    call->tenant = ARENA_NEW(call->arena, struct tenant);
    call->tenant->id = (uint64_t)id;
    call->tenant->name = name;
    TRY(tenant_making_job_create(task, session, (uint64_t)id, &call->tenant->making_job));
out:
    return st;
}

struct status tenant_create_record(
    struct task *task, struct arena *arena, const char *name, struct tenant **tenant)
{
    struct create_record call = {.arena = arena, .name = name};
    struct status st = internal_transaction(task, TENANT_SYSTEM, create_record, &call);
    *tenant = call.tenant;
    return st;
}

static struct status run(struct task *task, const char *sql, uint32_t count,
    const struct datum *params, const type_oid *types, uint64_t *affected)
{
    struct internal_result result;
    struct status st =
        internal_query(task, TENANT_SYSTEM, NULL, task->arena, &result, sql, count, params, types);
    if (affected != NULL) *affected = failed(st) ? 0 : result.row_count;
    return st;
}

struct status tenant_copy_configuration(struct task *task, uint64_t from, uint64_t to)
{
    struct status st;
    struct datum params[] = {datum_int((int64_t)from), datum_int((int64_t)to)};
    type_oid types[] = {TYPE_INT8, TYPE_INT8};
    TRY(run(task,
        "INSERT INTO system.public.tenant_capabilities (tenant_id, name, value) "
        "SELECT $2, name, value FROM system.public.tenant_capabilities WHERE tenant_id = $1",
        2, params, types, NULL));
    TRY(run(task,
        "INSERT INTO system.public.tenant_settings (tenant_id, name, last_updated, value, value_type) "
        "SELECT $2, name, last_updated, value, value_type FROM system.public.tenant_settings WHERE tenant_id = $1",
        2, params, types, NULL));
out:
    return st;
}

struct status tenant_set_data_state(
    struct task *task, uint64_t id, enum tenant_data_state from, enum tenant_data_state to)
{
    struct status st;
    uint64_t affected;
    struct datum params[] = {
        datum_int((int64_t)id), datum_int((int64_t)from), datum_int((int64_t)to), datum_bool(to == TENANT_READY)};
    TRY(run(task, "UPDATE system.public.tenants SET data_state = $3, active = $4 WHERE id = $1 AND data_state = $2",
        4, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_BOOL}, &affected));
    if (affected == 0)
        st = status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "tenant %" PRIu64 " is not in data state %s", id, tenant_data_state_name(from));
out:
    return st;
}

struct status tenant_set_replication_job(struct task *task, uint64_t id, int64_t job)
{
    struct datum params[] = {datum_int((int64_t)id), job == 0 ? DATUM_NULL : datum_int(job)};
    return run(task, "UPDATE system.public.tenants SET replication_job_id = $2 WHERE id = $1", 2, params,
        (type_oid[]){TYPE_INT8, TYPE_INT8}, NULL);
}

struct status tenant_set_prior_replication(
    struct task *task, uint64_t id, const char *source_id, struct hlc_timestamp activation)
{
    struct datum params[] = {datum_int((int64_t)id), datum_text(source_id),
        datum_int((int64_t)activation.wall_ns), datum_int((int64_t)activation.logical)};
    return run(task,
        "UPDATE system.public.tenants SET source_id = $2, activation_wall = $3, activation_logical = $4 WHERE id = $1",
        4, params, (type_oid[]){TYPE_INT8, TYPE_TEXT, TYPE_INT8, TYPE_INT8}, NULL);
}

// --- making and dropping -----------------------------------------------------------------------------

struct status tenant_made(struct task *task, struct session *session, const struct tenant *tenant)
{
    struct datum params[] = {datum_int(tenant->making_job)};
    return internal_query(task, TENANT_SYSTEM, session, task->arena, NULL,
        "DELETE FROM system.public.jobs WHERE id = $1", 1, params, (type_oid[]){TYPE_INT8});
}

static struct status make_ready(struct task *task, struct session *session, void *arg)
{
    struct status st;
    const struct tenant *tenant = arg;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)tenant->id)};
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, &result,
        "UPDATE system.public.tenants SET data_state = 1, active = true WHERE id = $1 AND data_state = 0", 1,
        params, (type_oid[]){TYPE_INT8}));
    if (result.row_count != 1)
        TRY(status_make(E_NOT_IN_PREREQUISITE_STATE, "the virtual cluster was dropped while it was made"));
    st = tenant_made(task, session, tenant);
out:
    return st;
}

static struct status create_once(
    struct task *task, struct arena *arena, const char *name, uint64_t like, struct tenant **tenant)
{
    struct status st;
    *tenant = NULL;
    TRY(tenant_create_record(task, arena, name, tenant));
    if (like != 0) TRY(tenant_copy_configuration(task, like, (*tenant)->id));
    TRY(kv_tenant_create(task, (*tenant)->id, 0));
    if (SIM_MAYBE("tenant.create_conflict"))
        TRY(status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION, "a conflict, for once"));
    struct bootstrap_options options = {0};
    TRY(bootstrap_tenant(task, (*tenant)->id, &options));
    TRY(internal_transaction(task, TENANT_SYSTEM, make_ready, *tenant));
out:
    if (!failed(st) || *tenant == NULL) return st;
    st = status_copy(arena, st);
    // A commit of unknown fate may have made it ready: then it stays.
    struct status undone = tenant_unmake(task, *tenant);
    if (failed(undone))
        log_warning(TENANT_SYSTEM, "virtual cluster %s is half made until a job drops it: %s", (*tenant)->name,
            undone.message);
    return st;
}

struct status tenant_create(
    struct task *task, struct arena *arena, const char *name, uint64_t like, struct tenant **tenant)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < CREATE_ATTEMPTS_MAX; attempt++) {
        st = create_once(task, arena, name, like, tenant);
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
    }
    TRY(st);
    (*tenant)->data_state = TENANT_READY;
    log_info(TENANT_SYSTEM, "created virtual cluster %s (%" PRIu64 ")", (*tenant)->name, (*tenant)->id);
out:
    return st;
}
