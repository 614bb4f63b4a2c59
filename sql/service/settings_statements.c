// SPDX-License-Identifier: GPL-3.0-or-later
//
// SET, RESET and SHOW CLUSTER SETTING; the settings of this layer.
#include "core/text.h"
#include "kv/key.h"
#include "sql/wire/connection_limit.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/service/settings.h"

static struct status (*tenant_describe)(
    struct statement_context *context, const struct result_column **columns, uint32_t *count);
static struct status (*tenant_show)(struct statement_context *context);
static struct status (*tenant_show_all)(struct statement_context *context);

void settings_for_tenant_register(struct status (*describe)(struct statement_context *context,
                                      const struct result_column **columns, uint32_t *count),
    struct status (*show)(struct statement_context *context),
    struct status (*show_all)(struct statement_context *context))
{
    tenant_describe = describe;
    tenant_show = show;
    tenant_show_all = show_all;
}

// --- the settings of this layer ------------------------------------------------------------------------

static struct status validate_version(struct arena *arena, const char *value)
{
    if (strcmp(value, CLUSTER_VERSION) == 0) return STATUS_OK;
    return status_format(arena, E_INVALID_PARAMETER_VALUE,
        "version %s cannot be set: this program knows only " CLUSTER_VERSION, value);
}

static const char *const password_methods[] = {"scram-sha-256", NULL};

// Only what something reads is offered.
static const struct setting builtin[] = {
    {.name = "version",
        .type = SETTING_VERSION,
        .class = SETTING_APPLICATION,
        .default_value = CLUSTER_VERSION,
        .description = "the active cluster version",
        .validate = validate_version},
    {.name = "jobs.retention_time",
        .type = SETTING_DURATION,
        .class = SETTING_APPLICATION,
        .default_value = "336h0m0s",
        .description = "how long records of finished jobs are kept"},
    {.name = SETTING_MAX_CONNECTIONS,
        .type = SETTING_INT,
        .class = SETTING_APPLICATION,
        .default_value = "-1",
        .minimum = -1,
        .maximum = 1000000,
        .description = "how many clients a node takes of a virtual cluster, superusers apart; -1: any number"},
    {.name = SETTING_MAX_TRANSACTIONS,
        .type = SETTING_INT,
        .class = SETTING_APPLICATION,
        .default_value = "-1",
        .minimum = -1,
        .maximum = 1000000,
        .description = "how many transactions of a virtual cluster's clients may be open at a node before new ones are "
                       "refused, superusers apart; -1: any number",
        .changed = transaction_limit_changed},
    {.name = "server.user_login.min_password_length",
        .type = SETTING_INT,
        .class = SETTING_APPLICATION,
        .default_value = "1",
        .minimum = 1,
        .maximum = 1000,
        .description = "the shortest password that may be set, in bytes"},
    {.name = "server.user_login.password_encryption",
        .type = SETTING_ENUM,
        .class = SETTING_APPLICATION,
        .default_value = "scram-sha-256",
        .description = "how new passwords are hashed",
        .choices = password_methods},
    {.name = "sql.restrict_system_interface.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "false",
        .description = "whether DDL and settings for applications are refused in the system "
                       "interface",
        .hidden = true},
    {.name = "sql.schema_change.inline_rows",
        .type = SETTING_INT,
        .class = SETTING_APPLICATION,
        .default_value = "5000",
        .minimum = 0,
        .maximum = 1e6,
        .description = "tables of up to so many rows are changed inside of the statement's "
                       "transaction, larger ones by a job"},
    {.name = "sql.schema_change.max_rows_per_second",
        .type = SETTING_INT,
        .class = SETTING_APPLICATION,
        .default_value = "0",
        .minimum = 0,
        .maximum = 1e9,
        .description = "how many rows a second each job of a schema change reads at most; 0: as "
                       "many as it can"},
};

void settings_register_builtin(void)
{
    settings_register(builtin, sizeof builtin / sizeof builtin[0]);
}

// --- SET, RESET ----------------------------------------------------------------------------------------

static struct status unknown(struct statement_context *context, const char *name)
{
    return ddl_error(context, E_UNDEFINED_PARAMETER, "unknown cluster setting '%s'", name);
}

// By name, as far as this virtual cluster may know of it.
static struct status find(
    struct statement_context *context, const char *name, const struct setting **setting)
{
    bool by_alias;
    *setting = setting_find(name, &by_alias);
    if (*setting == NULL ||
        ((*setting)->class == SETTING_SYSTEM_ONLY && context->session->tenant != TENANT_SYSTEM))
        return unknown(context, name);
    if (by_alias)
        ddl_notice(
            context, "the name \"%s\" is deprecated; use \"%s\" instead", name, (*setting)->name);
    return STATUS_OK;
}

static struct status check_may_set(struct statement_context *context, const struct setting *setting)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    bool has;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(privilege_has_system(context->task, session, session->user, "MODIFYCLUSTERSETTING", &has));
    if (!has && strncmp(setting->name, "sql.defaults.", 13) == 0)
        TRY(privilege_has_system(
            context->task, session, session->user, "MODIFYSQLCLUSTERSETTING", &has));
    if (!has)
        st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
            "only users with the MODIFYCLUSTERSETTING or MODIFYSQLCLUSTERSETTING privilege are "
            "allowed to set cluster setting '%s'",
            setting->name);
out:
    return st;
}

static struct status check_class(struct statement_context *context, const struct setting *setting)
{
    struct session *session = context->session;
    enum setting_origin origin;
    if (session->tenant == TENANT_SYSTEM) {
        if (setting->class != SETTING_APPLICATION) return STATUS_OK;
        return statement_refuse_restricted(session, "SET CLUSTER SETTING for applications");
    }
    if (setting->class == SETTING_SYSTEM_VISIBLE)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
            "setting %s is only settable by the operator", setting->name);
    setting_value(session->shard, session->tenant, setting, &origin);
    if (origin == SETTING_FROM_OVERRIDE)
        return ddl_error(context, E_NOT_IN_PREREQUISITE_STATE,
            "cluster setting '%s' is currently overridden by the operator", setting->name);
    return STATUS_OK;
}

static struct status value_text(
    struct statement_context *context, const struct setting *setting, const char **text)
{
    struct status st = STATUS_OK;
    const struct cluster_setting *set = context->statement->as.cluster_setting;
    struct datum value;

    *text = NULL;
    if (set->value == NULL || set->value->kind == EXPR_DEFAULT) goto out;
    TRY(statement_constant(context, set->value, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "cluster setting \"%s\" cannot be NULL", setting->name);
    TRY(setting_parse(
        context->arena, setting, arena_string(context->arena, datum_as_bytes(value)), text));
out:
    return st;
}

static struct status set_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct cluster_setting *set = context->statement->as.cluster_setting;
    const struct setting *setting;
    const char *text;

    if (set->for_tenant) return ddl_unsupported(context, "FOR VIRTUAL CLUSTER here");
    TRY(settings_load(context->task, context->session->tenant));
    TRY(find(context, set->name, &setting));
    TRY(check_may_set(context, setting));
    TRY(check_class(context, setting));
    TRY(value_text(context, setting, &text));
    if (text == NULL && setting->type == SETTING_VERSION)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "setting version cannot be RESET");
    TRY(settings_store(context->task, context->session->tenant, setting->name, text));
    TRY(settings_announce(context->task, context->session->tenant));
out:
    return st;
}

// --- SHOW ------------------------------------------------------------------------------------------------

static struct type shown_type(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_BOOL: return TYPE_OF(TYPE_BOOL);
    case SETTING_INT: return TYPE_OF(TYPE_INT8);
    case SETTING_FLOAT: return TYPE_OF(TYPE_FLOAT8);
    default: return TYPE_OF(TYPE_TEXT);
    }
}

static struct status show_describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct cluster_setting *show = context->statement->as.cluster_setting;
    const struct setting *setting;

    if (show->for_tenant && tenant_describe != NULL)
        return tenant_describe(context, columns, count);
    TRY(find(context, show->name, &setting));
    struct result_column *column = ARENA_NEW(context->arena, struct result_column);
    *column = (struct result_column){.name = setting->name, .type = shown_type(setting)};
    *columns = column;
    *count = 1;
out:
    return st;
}

static struct status check_may_show(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    bool has;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(privilege_has_system(context->task, session, session->user, "MODIFYCLUSTERSETTING", &has));
    if (!has) TRY(privilege_check_system(context->task, session, "VIEWCLUSTERSETTING"));
out:
    return st;
}

static struct status show_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct cluster_setting *show = context->statement->as.cluster_setting;
    const struct result_column *columns;
    const struct setting *setting;
    struct datum value;
    uint32_t count;

    if (show->for_tenant) {
        if (tenant_show == NULL || context->session->tenant != TENANT_SYSTEM)
            return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
                "only the system tenant can show cluster settings of other tenants");
        return tenant_show(context);
    }
    TRY(settings_load(context->task, context->session->tenant));
    TRY(find(context, show->name, &setting));
    TRY(check_may_show(context));
    TRY(show_describe(context, &columns, &count));
    const char *text =
        setting_value(context->session->shard, context->session->tenant, setting, NULL);
    TRY(type_input(context->arena, &context->session->types, columns[0].type,
        bytes_of_string(arena_strdup(context->arena, setting_shown(setting, text))), &value));
    TRY(context->sink->columns(context->task, context->sink, columns, 1));
    TRY(context->sink->row(context->task, context->sink, &value));
out:
    return st;
}

static const struct result_column all_columns[] = {
    {.name = "variable", .type = {.oid = TYPE_TEXT, .typmod = -1}}, {.name = "value", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "setting_type", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "description", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "default_value", .type = {.oid = TYPE_TEXT, .typmod = -1}}, {.name = "origin", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "public", .type = {.oid = TYPE_BOOL, .typmod = -1}}, // SHOW ALL only.
};
#define ALL_COLUMNS_COUNT ((uint32_t)(sizeof all_columns / sizeof all_columns[0]))

static struct status show_all_describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    const struct show_cluster_settings *show = context->statement->as.show_cluster_settings;
    if (show->for_tenant && tenant_describe != NULL)
        return tenant_describe(context, columns, count);
    *columns = all_columns;
    *count = show->all ? ALL_COLUMNS_COUNT : ALL_COLUMNS_COUNT - 1;
    return STATUS_OK;
}

static struct status show_all_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show_cluster_settings *show = context->statement->as.show_cluster_settings;
    uint64_t tenant = context->session->tenant;
    const struct setting *setting;

    if (show->for_tenant) {
        if (tenant_show_all == NULL || tenant != TENANT_SYSTEM)
            return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
                "only the system tenant can show cluster settings of other tenants");
        return tenant_show_all(context);
    }
    TRY(check_may_show(context));
    TRY(settings_load(context->task, tenant));
    TRY(context->sink->columns(context->task, context->sink, all_columns,
        show->all ? ALL_COLUMNS_COUNT : ALL_COLUMNS_COUNT - 1));
    for (uint32_t i = 0; (setting = setting_at(i)) != NULL; i++) {
        enum setting_origin origin;
        char kind[2] = {(char)setting->type, 0};
        if (setting->hidden && !show->all) continue;
        if (setting->class == SETTING_SYSTEM_ONLY && tenant != TENANT_SYSTEM) continue;
        const char *value = arena_strdup(
            context->arena, setting_value(context->session->shard, tenant, setting, &origin));
        const char *from = origin == SETTING_FROM_OWN       ? "override"
                           : origin == SETTING_FROM_DEFAULT ? "default"
                                                            : "external-override";
        struct datum row[] = {datum_text(setting->name), datum_text(setting_shown(setting, value)), datum_text(kind),
            datum_text(setting->description), datum_text(setting->default_value), datum_text(from),
            datum_bool(!setting->hidden)};
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_SET_CLUSTER_SETTING, HANDLER_NO_TRANSACTION, NULL, set_execute},
    {STATEMENT_RESET_CLUSTER_SETTING, HANDLER_NO_TRANSACTION, NULL, set_execute},
    {STATEMENT_SHOW_CLUSTER_SETTING, HANDLER_READ_ONLY, show_describe, show_execute},
    {STATEMENT_SHOW_CLUSTER_SETTINGS, HANDLER_READ_ONLY, show_all_describe, show_all_execute},
};

void settings_statements_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
