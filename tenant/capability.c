// SPDX-License-Identifier: GPL-3.0-or-later
//
// Capabilities: what a virtual cluster as a whole may ask of the storage cluster. Stored when they differ from
// the default, in system.tenant_capabilities.
#include <string.h>

#include "sql/session/internal.h"
#include "sql/service/settings.h"
#include "sql/service/zone_bounds.h"
#include "sql/service/zone_object.h"
#include "tenant/internal.h"

static const struct capability {
    const char *name;
    bool on_by_default;
} capabilities[CAPABILITY_COUNT] = {
    {"can_admin_relocate_range", false},
    {"can_admin_scatter", true},
    {"can_admin_split", true},
    {"can_admin_unsplit", false},
    {"can_check_consistency", false},
    {"can_debug_process", false},
    {"can_prepare_txns", false},
    {"can_use_nodelocal_storage", false},
    {"can_view_all_metrics", false},
    {"can_view_node_info", false},
    {"can_view_tsdb_metrics", false},
    {"exempt_from_rate_limiting", false},
    {"span_config_bounds", false},
};
#define SPAN_CONFIG_BOUNDS (CAPABILITY_COUNT - 1)

static uint32_t capability_index(const char *name)
{
    for (uint32_t i = 0; i < CAPABILITY_COUNT; i++)
        if (strcmp(capabilities[i].name, name) == 0) return i;
    return CAPABILITY_COUNT;
}

struct status capability_list(struct task *task, struct arena *arena, uint64_t tenant,
    struct capability_value values[CAPABILITY_COUNT])
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)tenant)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, arena, &result,
        "SELECT name, value FROM system.public.tenant_capabilities WHERE tenant_id = $1", 1, params,
        (type_oid[]){TYPE_INT8}));
    for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
        bool on = capabilities[i].on_by_default || tenant == TENANT_SYSTEM;
        values[i] = (struct capability_value){
            capabilities[i].name, i == SPAN_CONFIG_BOUNDS ? "{}" : on ? "true" : "false"};
    }
    for (uint64_t row = 0; row < result.row_count; row++) {
        uint32_t i = capability_index(arena_string(arena, datum_as_bytes(internal_value(&result, row, 0))));
        const struct bytes value = datum_as_bytes(internal_value(&result, row, 1));
        if (i == SPAN_CONFIG_BOUNDS) {
            struct zone_bounds bounds;
            TRY(zone_bounds_parse(task, arena, value, &bounds));
            values[i].value = zone_bounds_format(arena, &bounds);
        } else if (i < CAPABILITY_COUNT) {
            values[i].value = arena_string(arena, value);
        }
    }
out:
    return st;
}

struct status tenant_has_capability(struct task *task, uint64_t tenant, const char *name, bool *has)
{
    struct status st = STATUS_OK;
    struct capability_value values[CAPABILITY_COUNT];
    *has = true;
    if (tenant == TENANT_SYSTEM) goto out;
    if (strcmp(settings_string(task->shard, TENANT_SYSTEM, "server.virtual_cluster_authorization.mode"), "allow-all") == 0)
        goto out;
    TRY(capability_list(task, task->arena, tenant, values));
    uint32_t i = capability_index(name);
    *has = i < CAPABILITY_COUNT && strcmp(values[i].value, "true") == 0;
out:
    return st;
}

static struct status store(struct task *task, uint64_t tenant, const char *name, const char *value)
{
    struct datum params[] = {datum_int((int64_t)tenant), datum_text(name), datum_text(value)};
    return internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "INSERT INTO system.public.tenant_capabilities (tenant_id, name, value) VALUES ($1, $2, $3) "
        "ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value",
        3, params, (type_oid[]){TYPE_INT8, TYPE_TEXT, TYPE_TEXT});
}

// --- bounds of zone configurations ---------------------------------------------------------------------

static struct status bounds_read(struct task *task, uint64_t tenant, struct zone_bounds *bounds)
{
    struct status st;
    struct arena arena;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)tenant)};
    arena_init(&arena, NULL);
    TRY(internal_query(task, TENANT_SYSTEM, NULL, &arena, &result,
        "SELECT value FROM system.public.tenant_capabilities WHERE tenant_id = $1 AND name = 'span_config_bounds'", 1,
        params, (type_oid[]){TYPE_INT8}));
    if (result.row_count > 0)
        TRY(zone_bounds_parse(task, &arena, datum_as_bytes(internal_value(&result, 0, 0)), bounds));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// Its own data, which can be read.
static bool has_zones(const struct tenant *tenant)
{
    return tenant->data_state == TENANT_READY && tenant->reads == 0;
}

static struct status bounds_list(struct task *task, struct arena *arena, uint64_t **tenants, uint32_t *count)
{
    struct status st;
    struct internal_result result;
    *count = 0;
    TRY(internal_query(task, TENANT_SYSTEM, NULL, arena, &result,
        "SELECT tenant_id FROM system.public.tenant_capabilities WHERE name = 'span_config_bounds'", 0, NULL, NULL));
    *tenants = ARENA_ARRAY(arena, uint64_t, result.row_count + 1);
    for (uint64_t row = 0; row < result.row_count; row++) {
        struct tenant *tenant;
        TRY(tenant_read(task, NULL, arena, (uint64_t)internal_value(&result, row, 0).integer, &tenant));
        if (tenant != NULL && has_zones(tenant)) (*tenants)[(*count)++] = tenant->id;
    }
out:
    return st;
}

static struct status bounds_next(struct task *task, uint64_t after, uint64_t *tenant)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, NULL);
    for (*tenant = 0; *tenant == 0;) {
        struct internal_result result;
        struct tenant *record;
        struct datum params[] = {datum_int((int64_t)after)};
        arena_reset(&arena);
        TRY(internal_query(task, TENANT_SYSTEM, NULL, &arena, &result,
            "SELECT id FROM system.public.tenants WHERE id > $1 ORDER BY id LIMIT 1", 1, params, (type_oid[]){TYPE_INT8}));
        if (result.row_count == 0) break;
        after = (uint64_t)internal_value(&result, 0, 0).integer;
        TRY(tenant_read(task, NULL, &arena, after, &record));
        if (record != NULL && has_zones(record)) *tenant = after;
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

const struct zone_bounds_source capability_bounds = {.read = bounds_read, .list = bounds_list, .next = bounds_next};

// Storage is told before the statement ends; of data that is not there yet when it is.
static struct status bounds_set(struct statement_context *context, const struct tenant *tenant, const struct zone_bounds *bounds)
{
    struct status st;
    // Kept also when there are none any more: who is listed is told.
    TRY(store(context->task, tenant->id, capabilities[SPAN_CONFIG_BOUNDS].name, zone_bounds_text(context->arena, bounds)));
    if (has_zones(tenant)) TRY(zone_objects_tell(context->task, tenant->id));
out:
    return st;
}

static struct status bounds_take(struct statement_context *context, const struct tenant *tenant, const struct option *option)
{
    struct status st;
    struct datum value;
    struct zone_bounds bounds = {0};
    TRY(statement_constant(context, option->value, TYPE_OF(TYPE_BYTEA), &value));
    if (!value.null) TRY(zone_bounds_decode(datum_as_bytes(value), &bounds));
    st = bounds_set(context, tenant, &bounds);
out:
    return st;
}

static struct status option_value(
    struct statement_context *context, const struct option *option, const char **text)
{
    struct status st;
    struct datum value;
    *text = "true";
    if (option->value == NULL) return STATUS_OK;
    if (option->value->kind == EXPR_LITERAL && option->value->literal.kind == LITERAL_INTEGER)
        return status_format(context->arena, E_DATATYPE_MISMATCH,
            "argument of ALTER VIRTUAL CLUSTER CAPABILITY %s must be type bool, not type int", option->name);
    TRY(statement_constant(context, option->value, TYPE_OF(TYPE_BOOL), &value));
    if (value.null)
        TRY(status_format(context->arena, E_INVALID_PARAMETER_VALUE,
            "parameter \"%s\" requires a Boolean value", option->name));
    *text = value.boolean ? "true" : "false";
out:
    return st;
}

static struct status change_one(struct statement_context *context, const struct tenant *tenant,
    const struct option *option, bool grant)
{
    struct status st;
    const char *text = "false";
    uint32_t index = capability_index(option->name);
    if (index == CAPABILITY_COUNT)
        TRY(status_format(context->arena, E_SYNTAX_ERROR, "unknown capability: \"%s\"", option->name));
    if (!grant && option->value != NULL)
        TRY(status_format(context->arena, E_SYNTAX_ERROR, "no value allowed in revoke: \"%s\"", option->name));
    if (index == SPAN_CONFIG_BOUNDS) {
        if (!grant)
            TRY(status_make(E_INVALID_PARAMETER_VALUE, "cannot REVOKE CAPABILITY span_config_bounds"));
        if (option->value == NULL)
            TRY(status_make(E_SYNTAX_ERROR, "value required for capability: span_config_bounds"));
        return bounds_take(context, tenant, option);
    }
    if (grant) TRY(option_value(context, option, &text));
    st = store(context->task, tenant->id, option->name, text);
out:
    return st;
}

struct status capability_grant(struct statement_context *context, const struct tenant *tenant, bool grant)
{
    struct status st = STATUS_OK;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    if (tenant->id == TENANT_SYSTEM)
        return status_make(E_INVALID_PARAMETER_VALUE,
            "cannot change capabilities of tenant \"1\", ID assigned to system tenant");
    if (alter->all_capabilities) {
        for (uint32_t i = 0; i < SPAN_CONFIG_BOUNDS; i++)
            TRY(store(context->task, tenant->id, capabilities[i].name, grant ? "true" : "false"));
        if (!grant) TRY(bounds_set(context, tenant, &(struct zone_bounds){0}));
        goto out;
    }
    for (uint32_t i = 0; i < alter->options.count; i++)
        TRY(change_one(context, tenant, &alter->options.items[i], grant));
out:
    return st;
}
