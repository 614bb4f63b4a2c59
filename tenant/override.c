// SPDX-License-Identifier: GPL-3.0-or-later
//
// Overrides of cluster settings: values that the operator sets for one virtual cluster, or for all.
#include <string.h>

#include "sql/session/internal.h"
#include "sql/service/settings.h"
#include "tenant/internal.h"

// For all first, so that one for this virtual cluster wins.
static struct status overrides_of(
    struct task *task, uint64_t tenant, struct setting_override_list *list)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    if (tenant == TENANT_SYSTEM) return st;
    struct datum params[] = {datum_int((int64_t)tenant)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, &result,
        "SELECT name, value FROM system.public.tenant_settings WHERE tenant_id = 0 OR tenant_id = $1 "
        "ORDER BY tenant_id",
        1, params, (type_oid[]){TYPE_INT8}));
    for (uint64_t row = 0; row < result.row_count; row++)
        setting_override_add(list,
            arena_string(task->arena, datum_as_bytes(internal_value(&result, row, 0))),
            arena_string(task->arena, datum_as_bytes(internal_value(&result, row, 1))));
out:
    return st;
}

static struct status store(struct task *task, uint64_t tenant, const struct setting *setting, const char *value)
{
    char kind[2] = {(char)setting->type, '\0'};
    struct datum params[] = {datum_int((int64_t)tenant), datum_text(setting->name),
        value == NULL ? DATUM_NULL : datum_text(value), datum_text(kind)};
    type_oid types[] = {TYPE_INT8, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT};
    if (value == NULL)
        return internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
            "DELETE FROM system.public.tenant_settings WHERE tenant_id = $1 AND name = $2", 2, params, types);
    return internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "INSERT INTO system.public.tenant_settings (tenant_id, name, last_updated, value, value_type) "
        "VALUES ($1, $2, now(), $3, $4) ON CONFLICT (tenant_id, name) DO UPDATE "
        "SET value = excluded.value, last_updated = excluded.last_updated",
        4, params, types);
}

struct status override_execute(struct statement_context *context)
{
    struct status st;
    const struct alter_virtual_cluster *alter = context->statement->as.alter_virtual_cluster;
    uint64_t id = 0;
    if (alter->tenant.kind != TENANT_ALL) {
        struct tenant *tenant;
        TRY(tenant_resolve(context, &alter->tenant, &tenant));
        id = tenant->id;
        if (id == TENANT_SYSTEM)
            TRY(status_hint(context->arena,
                status_make(E_INVALID_PARAMETER_VALUE,
                    "cannot use this statement to access cluster settings in system tenant"),
                "Use a regular SHOW/SET CLUSTER SETTING statement."));
    }
    bool by_alias;
    const struct setting *setting = setting_find(alter->setting, &by_alias);
    if (setting == NULL)
        TRY(status_format(context->arena, SQLSTATE('4', '2', 'P', '0', '2'),
            "unknown cluster setting '%s'", alter->setting));
    if (setting->class == SETTING_SYSTEM_ONLY)
        TRY(status_format(context->arena, E_INSUFFICIENT_PRIVILEGE,
            "%s is a system-only setting and must be set in the admin tenant using SET CLUSTER SETTING",
            setting->name));
    const char *canonical = NULL;
    if (alter->kind == ALTER_TENANT_SET_SETTING && alter->value != NULL && alter->value->kind != EXPR_DEFAULT) {
        struct datum value;
        TRY(statement_constant(context, alter->value, TYPE_OF(TYPE_TEXT), &value));
        if (value.null) TRY(status_make(E_INVALID_PARAMETER_VALUE, "a cluster setting cannot be NULL"));
        TRY(setting_parse(context->arena, setting, arena_string(context->arena, datum_as_bytes(value)), &canonical));
    }
    TRY(store(context->task, id, setting, canonical));
    st = settings_announce(context->task, id);
out:
    return st;
}

// --- SHOW CLUSTER SETTING[S] FOR VIRTUAL CLUSTER ---------------------------------------------------------

static struct status not_system(struct statement_context *context, const struct tenant *tenant)
{
    if (tenant->id != TENANT_SYSTEM) return STATUS_OK;
    return status_hint(context->arena,
        status_make(E_INVALID_PARAMETER_VALUE,
            "cannot use this statement to access cluster settings in system tenant"),
        "Use a regular SHOW/SET CLUSTER SETTING statement.");
}

// The override in force for `tenant`, NULL when there is none; *for_all when it is the one for all.
static struct status override_of(struct statement_context *context, uint64_t tenant,
    const char *name, const char **value, bool *for_all)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)tenant), datum_text(name)};
    *value = NULL;
    TRY(internal_query(context->task, TENANT_SYSTEM, NULL, context->arena, &result,
        "SELECT value, tenant_id FROM system.public.tenant_settings WHERE (tenant_id = 0 OR tenant_id = $1) "
        "AND name = $2 ORDER BY tenant_id DESC LIMIT 1",
        2, params, (type_oid[]){TYPE_INT8, TYPE_TEXT}));
    if (result.row_count == 0) goto out;
    *value = arena_string(context->arena, datum_as_bytes(internal_value(&result, 0, 0)));
    *for_all = internal_value(&result, 0, 1).integer == 0;
out:
    return st;
}

struct status override_show(struct statement_context *context)
{
    struct status st;
    const struct cluster_setting *show = context->statement->as.cluster_setting;
    struct tenant *tenant;
    bool by_alias, for_all;
    const char *value;
    TRY(tenant_require_manager(context, "show cluster settings of"));
    TRY(tenant_resolve(context, &show->tenant, &tenant));
    TRY(not_system(context, tenant));
    const struct setting *setting = setting_find(show->name, &by_alias);
    if (setting == NULL)
        TRY(status_format(context->arena, SQLSTATE('4', '2', 'P', '0', '2'), "unknown cluster setting '%s'", show->name));
    TRY(override_of(context, tenant->id, setting->name, &value, &for_all));
    struct result_column column = {.name = setting->name, .type = TYPE_OF(TYPE_TEXT)};
    TRY(context->sink->columns(context->task, context->sink, &column, 1));
    struct datum row = value == NULL ? DATUM_NULL : datum_text(setting_shown(setting, value));
    TRY(context->sink->row(context->task, context->sink, &row));
out:
    return st;
}

static const struct result_column all_columns[] = {
    {.name = "variable", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "value", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "setting_type", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "origin", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "description", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "public", .type = {.oid = TYPE_BOOL, .typmod = -1}}, // SHOW ALL only.
};

struct status override_show_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    if (context->statement->tag == STATEMENT_SHOW_CLUSTER_SETTINGS) {
        *columns = all_columns;
        *count = context->statement->as.show_cluster_settings->all ? 6 : 5;
        return STATUS_OK;
    }
    struct result_column *column = ARENA_NEW(context->arena, struct result_column);
    *column = (struct result_column){
        .name = context->statement->as.cluster_setting->name, .type = TYPE_OF(TYPE_TEXT)};
    *columns = column;
    *count = 1;
    return STATUS_OK;
}

struct status override_show_all(struct statement_context *context)
{
    struct status st;
    const struct show_cluster_settings *show = context->statement->as.show_cluster_settings;
    struct tenant *tenant;
    TRY(tenant_require_manager(context, "show cluster settings of"));
    TRY(tenant_resolve(context, &show->tenant, &tenant));
    TRY(not_system(context, tenant));
    TRY(context->sink->columns(context->task, context->sink, all_columns, show->all ? 6 : 5));
    const struct setting *setting;
    for (uint32_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        const char *value;
        bool for_all = false;
        char kind[2] = {(char)setting->type, '\0'};
        if (setting->class == SETTING_SYSTEM_ONLY || (setting->hidden && !show->all)) continue;
        TRY(override_of(context, tenant->id, setting->name, &value, &for_all));
        struct datum row[] = {datum_text(setting->name), value == NULL ? DATUM_NULL : datum_text(setting_shown(setting, value)),
            datum_text(kind),
            datum_text(value == NULL ? "no-override" : for_all ? "all-tenants-override" : "per-tenant-override"),
            datum_text(setting->description), datum_bool(!setting->hidden)};
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

void override_register(void)
{
    settings_override_register(overrides_of);
    settings_for_tenant_register(override_show_describe, override_show, override_show_all);
}
