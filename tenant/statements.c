// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER, DROP and SHOW VIRTUAL CLUSTER.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "sql/bind/as_of.h"
#include "sql/session/internal.h"
#include "sql/user/privilege.h"
#include "sql/service/settings.h"
#include "sql/service/zone_object.h"
#include "tenant/internal.h"

// --- who may -----------------------------------------------------------------------------------------

struct status tenant_require_system(struct session *session, const char *what)
{
    if (session->tenant == TENANT_SYSTEM) return STATUS_OK;
    struct status st = status_format(&session->statement_arena, E_INSUFFICIENT_PRIVILEGE,
        "only the system tenant can %s other tenants", what);
    if (settings_bool(session->shard, session->tenant, "sql.error_tip_system_interface.enabled"))
        st = status_hint(&session->statement_arena, st,
            "Connect to the system interface and run the statement there.");
    return st;
}

struct status tenant_require_manager(struct statement_context *context, const char *what)
{
    struct status st;
    TRY(tenant_require_system(context->session, what));
    st = privilege_check_system(context->task, context->session, "MANAGEVIRTUALCLUSTER");
out:
    return st;
}

static struct status refuse_system(
    struct statement_context *context, const struct tenant *tenant, const char *what)
{
    if (tenant->id != TENANT_SYSTEM) return STATUS_OK;
    return status_format(context->arena, E_INVALID_PARAMETER_VALUE,
        "cannot %s tenant \"1\", ID assigned to system tenant", what);
}

// --- CREATE ------------------------------------------------------------------------------------------

static struct status like_tenant(struct statement_context *context, uint64_t *like)
{
    struct status st = STATUS_OK;
    const struct create_virtual_cluster *create = context->statement->as.create_virtual_cluster;
    struct tenant *source;
    *like = 0;
    if (create->has_like) {
        TRY(tenant_resolve(context, &create->like, &source));
    } else {
        const char *name = settings_string(
            context->session->shard, TENANT_SYSTEM, "sql.create_virtual_cluster.default_template");
        if (name[0] == '\0') goto out;
        TRY(tenant_read_by_name(context->task, NULL, context->arena, name, &source));
        if (source == NULL)
            TRY(status_hint(context->arena,
                status_format(context->arena, E_UNDEFINED_OBJECT, "tenant \"%s\" does not exist", name),
                "It is the default template: see the setting sql.create_virtual_cluster.default_template."));
    }
    if (source->id == TENANT_SYSTEM)
        TRY(status_hint(context->arena,
            status_make(E_WRONG_OBJECT_TYPE, "using the system tenant as config template"),
            "Create another virtual cluster as template."));
    *like = source->id;
out:
    return st;
}

struct status tenant_create_execute(struct statement_context *context)
{
    struct status st;
    const struct create_virtual_cluster *create = context->statement->as.create_virtual_cluster;
    TRY(tenant_require_manager(context, "create"));
    if (create->replication) {
        if (tenant_replication == NULL)
            TRY(status_make(E_FEATURE_NOT_SUPPORTED, "replication is not part of this server"));
        st = tenant_replication->create(context);
        goto out;
    }
    const char *name = NULL;
    struct tenant *tenant = NULL;
    if (create->tenant.kind == TENANT_BY_ID)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "CREATE VIRTUAL CLUSTER by ID is not supported"));
    TRY(tenant_spec_name(context, &create->tenant, &name));
    uint64_t like;
    TRY(like_tenant(context, &like));
    TRY(tenant_read_by_name(context->task, NULL, context->arena, name, &tenant));
    if (tenant != NULL && create->if_not_exists) {
        session_notice(context->session, "NOTICE",
            status_format(context->arena, E_DUPLICATE_OBJECT, "tenant \"%s\" already exists, skipping", name));
        goto out;
    }
    TRY(tenant_create(context->task, context->arena, name, like, &tenant));
    if (like != 0) zone_objects_note(context->task->shard, tenant->id); // With the bounds of the other's zones.
out:
    return st;
}

// --- ALTER -------------------------------------------------------------------------------------------

static struct status rename_tenant(struct statement_context *context, struct tenant *tenant)
{
    struct status st;
    const char *name;
    struct tenant *taken;
    TRY(refuse_system(context, tenant, "rename"));
    TRY(tenant_spec_name(context, &context->statement->as.alter_virtual_cluster->new_name, &name));
    if (tenant->service_mode != TENANT_NONE)
        TRY(status_hint(context->arena,
            status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
                "cannot rename tenant in service mode %s", tenant_service_mode_name(tenant->service_mode)),
            "Use ALTER VIRTUAL CLUSTER STOP SERVICE before renaming a tenant."));
    TRY(tenant_read_by_name(context->task, NULL, context->arena, name, &taken));
    if (taken != NULL)
        TRY(status_format(context->arena, E_DUPLICATE_OBJECT, "name \"%s\" is already taken", name));
    struct datum params[] = {datum_int((int64_t)tenant->id), datum_text(name)};
    TRY(internal_query(context->task, TENANT_SYSTEM, NULL, context->arena, NULL,
        "UPDATE system.public.tenants SET name = $2 WHERE id = $1", 2, params,
        (type_oid[]){TYPE_INT8, TYPE_TEXT}));
    service_rename(context->task, tenant->id, name);
out:
    return st;
}

static struct status start_service(struct statement_context *context, struct tenant *tenant)
{
    struct status st;
    TRY(refuse_system(context, tenant, "set tenant service"));
    if (context->statement->as.alter_virtual_cluster->service == SERVICE_EXTERNAL)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "ALTER VIRTUAL CLUSTER START SERVICE EXTERNAL is not supported"));
    if (tenant->data_state == TENANT_DROPPING)
        TRY(status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
            "tenant %" PRIu64 " is already in state DROP", tenant->id));
    TRY(tenant_start_service(context->task, tenant->id));
out:
    return st;
}

static struct status stop_service(struct statement_context *context, struct tenant *tenant)
{
    struct status st;
    TRY(refuse_system(context, tenant, "set tenant service"));
    if (tenant->service_mode != TENANT_NONE) TRY(tenant_stop_service(context->task, tenant->id));
out:
    return st;
}

struct status tenant_alter_execute(struct statement_context *context)
{
    struct status st;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    struct tenant *tenant;
    if (alter->kind == ALTER_TENANT_SET_SETTING || alter->kind == ALTER_TENANT_RESET_SETTING) {
        TRY(tenant_require_manager(context, "set cluster settings of"));
        st = override_execute(context);
        goto out;
    }
    TRY(tenant_require_manager(context, "alter"));
    if (alter->tenant.kind == TENANT_ALL)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "ALTER VIRTUAL CLUSTER ALL is for cluster settings only"));
    TRY(tenant_resolve(context, &alter->tenant, &tenant));
    switch (alter->kind) {
    case ALTER_TENANT_RENAME: st = rename_tenant(context, tenant); break;
    case ALTER_TENANT_START_SERVICE: st = start_service(context, tenant); break;
    case ALTER_TENANT_STOP_SERVICE: st = stop_service(context, tenant); break;
    case ALTER_TENANT_GRANT_CAPABILITY: st = capability_grant(context, tenant, true); break;
    case ALTER_TENANT_REVOKE_CAPABILITY: st = capability_grant(context, tenant, false); break;
    default:
        if (tenant_replication == NULL)
            TRY(status_make(E_FEATURE_NOT_SUPPORTED, "replication is not part of this server"));
        st = tenant_replication->alter(context);
        break;
    }
out:
    return st;
}

struct status tenant_alter_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    *count = 0;
    if (tenant_replication == NULL || tenant_replication->alter_describe == NULL) return STATUS_OK;
    return tenant_replication->alter_describe(context, columns, count);
}

// --- DROP --------------------------------------------------------------------------------------------

struct status tenant_drop_execute(struct statement_context *context)
{
    struct status st;
    const struct drop_virtual_cluster *drop = context->statement->as.drop_virtual_cluster;
    struct tenant *tenant;
    TRY(tenant_require_manager(context, "drop"));
    st = tenant_resolve(context, &drop->tenant, &tenant);
    if (st.code == E_UNDEFINED_OBJECT && drop->if_exists) {
        session_notice(context->session, "NOTICE", st);
        return STATUS_OK;
    }
    TRY(st);
    TRY(refuse_system(context, tenant, "drop"));
    if (tenant->data_state == TENANT_DROPPING)
        TRY(status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
            "tenant %" PRIu64 " is already in state DROP", tenant->id));
    if (tenant->service_mode != TENANT_NONE)
        TRY(status_hint(context->arena,
            status_format(context->arena, E_NOT_IN_PREREQUISITE_STATE,
                "cannot drop tenant in service mode %s", tenant_service_mode_name(tenant->service_mode)),
            "Use ALTER VIRTUAL CLUSTER STOP SERVICE before dropping a tenant."));
    if (tenant->reads != 0) {
        st = tenant_reader_erase(context->task, tenant);
        goto out;
    }
    if (tenant->replication_job != 0 && tenant_replication != NULL)
        TRY(tenant_replication->dropping(context->task, tenant));
    TRY(tenant_reader_drop(context->task, tenant->id));
    TRY(tenant_drop(context->task, tenant->id, drop->immediate));
out:
    return st;
}

// --- SHOW --------------------------------------------------------------------------------------------

static const struct result_column base_columns[] = {
    {.name = "id", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "data_state", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "service_mode", .type = {.oid = TYPE_TEXT, .typmod = -1}},
};
static const struct result_column status_columns[TENANT_STATUS_COLUMNS] = {
    {.name = "source_tenant_name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "source_cluster_uri", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "replication_job_id", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "replicated_time", .type = {.oid = TYPE_TIMESTAMPTZ, .typmod = -1}},
    {.name = "retained_time", .type = {.oid = TYPE_TIMESTAMPTZ, .typmod = -1}},
    {.name = "cutover_time", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
    {.name = "replication_lag", .type = {.oid = TYPE_INTERVAL, .typmod = -1}},
    {.name = "failover_time", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
    {.name = "ingestion_job_id", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "status", .type = {.oid = TYPE_TEXT, .typmod = -1}},
};
static const struct result_column prior_columns[] = {
    {.name = "source_id", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "activation_time", .type = {.oid = TYPE_NUMERIC, .typmod = -1}},
};
static const struct result_column capability_columns[] = {
    {.name = "capability_name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "capability_value", .type = {.oid = TYPE_TEXT, .typmod = -1}},
};

static void add_columns(struct result_column *out, uint32_t *count,
    const struct result_column *columns, uint32_t more)
{
    memcpy(out + *count, columns, more * sizeof *out);
    *count += more;
}

struct status tenant_show_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    const struct show_virtual_cluster *show = context->statement->as.show_virtual_cluster;
    struct result_column *out = ARENA_ARRAY(context->arena, struct result_column, 18);
    *count = 0;
    add_columns(out, count, base_columns, 4);
    if (show->with_replication_status) add_columns(out, count, status_columns, TENANT_STATUS_COLUMNS);
    if (show->with_prior_replication) add_columns(out, count, prior_columns, 2);
    if (show->with_capabilities) add_columns(out, count, capability_columns, 2);
    *columns = out;
    return STATUS_OK;
}

static struct status state_text(
    struct statement_context *context, const struct tenant *tenant, const char **text)
{
    *text = tenant_data_state_name(tenant->data_state);
    if (tenant->data_state != TENANT_ADD || tenant->replication_job == 0 || tenant_replication == NULL)
        return STATUS_OK;
    return tenant_replication->state_name(context->task, context->arena, tenant, text);
}

static struct status show_one(struct statement_context *context, const struct tenant *tenant)
{
    struct status st;
    const struct show_virtual_cluster *show = context->statement->as.show_virtual_cluster;
    struct datum row[18];
    uint32_t count = 4;
    const char *state;
    TRY(state_text(context, tenant, &state));
    row[0] = datum_int((int64_t)tenant->id);
    row[1] = tenant->name == NULL ? DATUM_NULL : datum_text(tenant->name);
    row[2] = datum_text(state);
    row[3] = datum_text(tenant_service_mode_name(tenant->service_mode));
    if (show->with_replication_status) {
        for (uint32_t i = 0; i < TENANT_STATUS_COLUMNS; i++) row[count + i] = DATUM_NULL;
        row[count + TENANT_STATUS_COLUMNS - 1] = datum_text(state);
        if (tenant->replication_job != 0 && tenant_replication != NULL)
            TRY(tenant_replication->status(context->task, context->arena, tenant, row + count));
        count += TENANT_STATUS_COLUMNS;
    }
    if (show->with_prior_replication) {
        row[count] = row[count + 1] = DATUM_NULL;
        if (tenant->source_id != NULL) {
            char text[HLC_TEXT_BYTES];
            row[count] = datum_text(tenant->source_id);
            TRY(type_input(context->arena, &context->session->types, TYPE_OF(TYPE_NUMERIC),
                bytes_of_string(hlc_format(tenant->activation, text)), &row[count + 1]));
        }
        count += 2;
    }
    if (!show->with_capabilities) {
        st = context->sink->row(context->task, context->sink, row);
        goto out;
    }
    struct capability_value values[CAPABILITY_COUNT];
    TRY(capability_list(context->task, context->arena, tenant->id, values));
    for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
        row[count] = datum_text(values[i].name);
        row[count + 1] = datum_text(values[i].value);
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

struct status tenant_show_execute(struct statement_context *context)
{
    struct status st;
    const struct show_virtual_cluster *show = context->statement->as.show_virtual_cluster;
    const struct result_column *columns;
    uint32_t count;
    TRY(tenant_require_system(context->session, "show"));
    TRY(privilege_check_system(context->task, context->session, "MANAGEVIRTUALCLUSTER"));
    TRY(tenant_show_describe(context, &columns, &count));
    if (!show->all) {
        struct tenant *tenant;
        TRY(tenant_resolve(context, &show->tenant, &tenant));
        TRY(context->sink->columns(context->task, context->sink, columns, count));
        st = show_one(context, tenant);
        goto out;
    }
    struct tenant **tenants;
    uint32_t tenant_count;
    TRY(tenant_list(context->task, NULL, context->arena, &tenants, &tenant_count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    for (uint32_t i = 0; i < tenant_count; i++)
        if (tenants[i]->data_state != TENANT_DROPPING) TRY(show_one(context, tenants[i]));
out:
    return st;
}
