// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/zone_config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "kv/key.h"
#include "kv/placement.h"
#include "sql/ddl_internal.h"
#include "sql/pg_catalog.h"
#include "sql/privilege.h"
#include "sql/settings.h"
#include "sql/show.h"

#define NS_PER_S UINT64_C(1000000000)

// --- forms ---------------------------------------------------------------------------------------------

struct form {
    struct arena *arena;
    const char *text, *at;
    struct buffer out;
};

static struct status form_bad(const struct form *form, const char *what)
{
    return status_format(form->arena, E_INVALID_PARAMETER_VALUE, "could not read \"%s\": %s", form->text, what);
}

static void form_open(struct form *form, struct arena *arena, const char *text)
{
    *form = (struct form){.arena = arena, .text = text, .at = text};
    buffer_init(&form->out, arena);
}

static bool form_take(struct form *form, char c)
{
    form->at += strspn(form->at, " \t\r\n");
    if (*form->at != c) return false;
    form->at++;
    return true;
}

// Words up to one of `ends`, without the spaces around them; they may be quoted.
static struct status form_word(struct form *form, const char *ends)
{
    form->at += strspn(form->at, " \t\r\n");
    char quote = *form->at == '"' || *form->at == '\'' ? *form->at++ : 0;
    size_t size = quote != 0 ? strcspn(form->at, quote == '"' ? "\"" : "'") : strcspn(form->at, ends);
    struct bytes word = bytes_of(form->at, size);
    form->at += size;
    if (quote != 0 && *form->at++ != quote) return form_bad(form, "a quote is not closed");
    for (size_t i = 0; i < word.size; i++)
        if (strchr(" \t\r\n", word.data[i]) == NULL) buffer_append_u8(&form->out, word.data[i]);
    return word.size == 0 ? form_bad(form, "a constraint is empty") : STATUS_OK;
}

// [+a, -b]
static struct status form_list(struct form *form)
{
    struct status st = STATUS_OK;
    if (!form_take(form, '[')) return form_bad(form, "[ was expected");
    if (form_take(form, ']')) return STATUS_OK;
    do {
        TRY(form_word(form, ",]"));
        if (!form_take(form, ',')) break;
        buffer_append_u8(&form->out, ',');
    } while (true);
    if (!form_take(form, ']')) st = form_bad(form, "] was expected");
out:
    return st;
}

// {"+a,+b": 2, +c: 1}
static struct status form_counted(struct form *form)
{
    struct status st = STATUS_OK;
    struct buffer all;
    buffer_init(&all, form->arena);
    if (!form_take(form, '{')) return form_bad(form, "[ or { was expected");
    while (!form_take(form, '}')) {
        char *end;
        form->out.size = 0;
        if (all.size > 0) buffer_append_u8(&all, ';');
        TRY(form_word(form, ":}"));
        if (!form_take(form, ':')) return form_bad(form, "the number of replicas was expected");
        form->at += strspn(form->at, " \t\r\n");
        unsigned long count = *form->at >= '0' && *form->at <= '9' ? strtoul(form->at, &end, 10) : 0;
        if (count < 1 || count > ZONE_REPLICAS_MAX) return form_bad(form, "the number of replicas must be 1 to 7");
        form->at = end;
        buffer_printf(&all, "%lu:", count);
        buffer_append_bytes(&all, buffer_bytes(&form->out));
        if (!form_take(form, ',') && *form->at != '}') return form_bad(form, "} was expected");
    }
    form->out = all;
out:
    return st;
}

static struct status form_end(struct form *form, char out[ZONE_TEXT_BYTES], const struct zone *checked)
{
    form->at += strspn(form->at, " \t\r\n");
    if (*form->at != 0) return form_bad(form, "there is more than was expected");
    if (form->out.size >= ZONE_TEXT_BYTES) return form_bad(form, "it is too long");
    memset(out, 0, ZONE_TEXT_BYTES);
    if (form->out.size > 0) memcpy(out, form->out.data, form->out.size);
    return zone_check(checked);
}

struct status zone_constraints_parse(struct arena *arena, const char *text, char out[ZONE_TEXT_BYTES])
{
    struct status st = STATUS_OK;
    struct form form;
    struct zone *zone = ARENA_NEW(arena, struct zone);
    form_open(&form, arena, text + strspn(text, " "));
    if (*form.at == '[')
        TRY(form_list(&form));
    else if (*form.at != 0)
        TRY(form_counted(&form));
    TRY(form_end(&form, zone->constraints, zone));
    memcpy(out, zone->constraints, ZONE_TEXT_BYTES);
out:
    return st;
}

struct status zone_preferences_parse(struct arena *arena, const char *text, char out[ZONE_TEXT_BYTES])
{
    struct status st = STATUS_OK;
    struct form form;
    struct zone *zone = ARENA_NEW(arena, struct zone);
    form_open(&form, arena, text + strspn(text, " "));
    if (*form.at != 0) {
        if (!form_take(&form, '[')) return form_bad(&form, "[ was expected");
        while (!form_take(&form, ']')) {
            if (form.out.size > 0) buffer_append_u8(&form.out, ';');
            TRY(form_list(&form));
            if (!form_take(&form, ',') && *form.at != ']') return form_bad(&form, "] was expected");
        }
    }
    TRY(form_end(&form, zone->lease_preferences, zone));
    memcpy(out, zone->lease_preferences, ZONE_TEXT_BYTES);
out:
    return st;
}

// "+a,-b" as "+a, -b".
static void put_conditions(struct buffer *out, struct bytes conditions, bool spaced)
{
    for (size_t i = 0; i < conditions.size; i++) {
        buffer_append_u8(out, conditions.data[i]);
        if (spaced && conditions.data[i] == ',') buffer_append_u8(out, ' ');
    }
}

const char *zone_constraints_format(struct arena *arena, const char *constraints)
{
    struct buffer out;
    struct zone_rule rule = {0};
    bool malformed = false, first = true;
    buffer_init(&out, arena);
    for (const char *at = constraints; zone_rule_next(&at, &rule, &malformed); first = false) {
        buffer_append_bytes(&out, bytes_of_string(!first ? ", " : rule.count > 0 ? "{" : "["));
        if (rule.count > 0) buffer_append_u8(&out, '"');
        put_conditions(&out, rule.conditions, rule.count == 0);
        if (rule.count > 0) buffer_printf(&out, "\": %u", rule.count);
    }
    if (first) return "[]";
    buffer_append_u8(&out, rule.count > 0 ? '}' : ']');
    return buffer_string(&out);
}

const char *zone_preferences_format(struct arena *arena, const char *preferences)
{
    struct buffer out;
    struct zone_rule rule;
    bool malformed = false, first = true;
    buffer_init(&out, arena);
    buffer_append_u8(&out, '[');
    for (const char *at = preferences; zone_rule_next(&at, &rule, &malformed); first = false) {
        buffer_append_bytes(&out, bytes_of_string(first ? "[" : ", ["));
        put_conditions(&out, rule.conditions, true);
        buffer_append_u8(&out, ']');
    }
    buffer_append_u8(&out, ']');
    return buffer_string(&out);
}

const char *zone_format(struct arena *arena, const char *target, const struct zone *zone)
{
    if (strcmp(target, "RANGE meta") == 0) // All that can be said of it.
        return arena_printf(arena,
            "ALTER %s CONFIGURE ZONE USING\n"
            "\tnum_replicas = %u,\n"
            "\tconstraints = '%s',\n"
            "\tlease_preferences = '%s'",
            target, zone->replicas, zone_constraints_format(arena, zone->constraints),
            zone_preferences_format(arena, zone->lease_preferences));
    return arena_printf(arena,
        "ALTER %s CONFIGURE ZONE USING\n"
        "\trange_max_bytes = %" PRIu64 ",\n"
        "\tgc.ttlseconds = %" PRIu64 ",\n"
        "\tnum_replicas = %u,\n"
        "\tconstraints = '%s',\n"
        "\tlease_preferences = '%s'",
        target, zone->range_bytes_max, zone->ttl_ns / NS_PER_S, zone->replicas,
        zone_constraints_format(arena, zone->constraints),
        zone_preferences_format(arena, zone->lease_preferences));
}

// --- targets -------------------------------------------------------------------------------------------

static bool is_default(const struct zone_target *target)
{
    return target->object == OBJECT_RANGE && strcmp(target->name.name, "default") == 0;
}

// The cluster's own records, which only operators place.
static bool is_meta(const struct session *session, const struct zone_target *target)
{
    return session->tenant == TENANT_SYSTEM && target->object == OBJECT_RANGE && strcmp(target->name.name, "meta") == 0;
}

// The default of all is the operators'; that of a virtual cluster its own.
static uint64_t zone_tenant(const struct session *session, const struct zone_target *target)
{
    if (target != NULL && is_meta(session, target)) return ZONE_META;
    return session->tenant == TENANT_SYSTEM ? ZONE_ROOT : session->tenant;
}

static struct status target_check(struct statement_context *context, const struct zone_target *target, bool change)
{
    static const char *const others[] = {"meta", "liveness", "system", "timeseries", "tenants", NULL};
    const struct database_desc *database;
    const struct table_desc *table;
    struct status st = STATUS_OK;
    const char *name = target->name.name;
    if (is_default(target) || is_meta(context->session, target)) return STATUS_OK;
    if (target->object == OBJECT_RANGE) {
        for (uint32_t i = 0; others[i] != NULL; i++)
            if (strcmp(name, others[i]) == 0)
                return ddl_unsupported(context, "a zone configuration of this RANGE");
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "\"%s\" is not a valid zone", name);
    }
    if (target->object == OBJECT_PARTITION) return ddl_unsupported(context, "PARTITION");
    if (change)
        return ddl_unsupported(context, target->object == OBJECT_DATABASE ? "a zone configuration of a DATABASE"
                                        : target->object == OBJECT_TABLE  ? "a zone configuration of a TABLE"
                                                                          : "a zone configuration of an INDEX");
    if (target->object == OBJECT_DATABASE)
        TRY(catalog_database(context->task, context->session, name, false, &database));
    else if (target->object == OBJECT_TABLE)
        TRY(catalog_table(context->task, context->session, target->name.catalog, target->name.schema,
            name, false, &table));
out:
    return st;
}

static struct status may_change(struct statement_context *context)
{
    struct session *session = context->session;
    struct status st = STATUS_OK;
    if (session->tenant != TENANT_SYSTEM) {
        TRY(settings_load(context->task, session->tenant));
        if (!settings_bool(session->shard, session->tenant, "sql.virtual_cluster.feature_access.zone_configs.enabled"))
            return status_hint(context->arena,
                status_make(E_FEATURE_NOT_SUPPORTED, "operation is disabled within a virtual cluster"),
                "Feature was disabled by the system operator.");
    }
    if (session->superuser || session->internal) return STATUS_OK;
    TRY(privilege_check_system(context->task, session, "REPAIRCLUSTER"));
out:
    return st;
}

// --- CONFIGURE ZONE ------------------------------------------------------------------------------------

static const struct variable {
    const char *name;
    uint32_t field;      // enum zone_field; 0: known and not supported.
    bool operators_only; // Where copies are is told for all of a slice.
} variables[] = {
    {"range_max_bytes", ZONE_RANGE_BYTES_MAX, false},
    {"gc.ttlseconds", ZONE_TTL, false},
    {"num_replicas", ZONE_REPLICAS, true},
    {"constraints", ZONE_CONSTRAINTS, true},
    {"lease_preferences", ZONE_LEASE_PREFERENCES, true},
    {"range_min_bytes", 0, false},
    {"num_voters", 0, false},
    {"voter_constraints", 0, false},
    {"global_reads", 0, false},
};

static struct status take_number(
    struct statement_context *context, const char *name, const char *text, uint64_t most, uint64_t *value)
{
    if (text_parse_u64(bytes_of_string(text), value) && *value >= 1 && *value <= most) return STATUS_OK;
    return ddl_error(context, E_INVALID_PARAMETER_VALUE, "%s must be a number from 1 to %" PRIu64 ", not \"%s\"",
        name, most, text);
}

static struct status take_value(
    struct statement_context *context, struct zone *zone, const struct variable *variable, const char *text)
{
    struct status st = STATUS_OK;
    uint64_t number;
    switch (variable->field) {
    case ZONE_RANGE_BYTES_MAX:
        TRY(take_number(context, variable->name, text, UINT64_C(1) << 40, &zone->range_bytes_max));
        break;
    case ZONE_TTL:
        TRY(take_number(context, variable->name, text, INT32_MAX, &number));
        zone->ttl_ns = number * NS_PER_S;
        break;
    case ZONE_REPLICAS:
        TRY(take_number(context, variable->name, text, ZONE_REPLICAS_MAX, &number));
        zone->replicas = (uint32_t)number;
        break;
    case ZONE_CONSTRAINTS: TRY(zone_constraints_parse(context->arena, text, zone->constraints)); break;
    case ZONE_LEASE_PREFERENCES:
        TRY(zone_preferences_parse(context->arena, text, zone->lease_preferences));
        break;
    default: break;
    }
    zone->set |= variable->field;
out:
    return st;
}

static struct status take_option(struct statement_context *context, struct zone *zone, const struct option *option)
{
    struct status st = STATUS_OK;
    const struct variable *variable = NULL;
    struct datum value;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (strcmp(variables[i].name, option->name) == 0) variable = &variables[i];
    if (variable == NULL)
        return ddl_error(context, E_SYNTAX_ERROR, "unsupported zone config parameter: \"%s\"", option->name);
    if (variable->field == 0)
        return ddl_unsupported(context, arena_printf(context->arena, "zone configuration variable %s", option->name));
    if (variable->operators_only && context->session->tenant != TENANT_SYSTEM)
        return ddl_unsupported(context,
            arena_printf(context->arena, "%s in the zone configuration of a virtual cluster", option->name));
    bool meta = is_meta(context->session, &context->statement->as.zone_config->target);
    if (meta && !variable->operators_only)
        return ddl_unsupported(context, arena_printf(context->arena, "%s of RANGE meta", option->name));
    if (option->value == NULL) { // COPY FROM PARENT: what it is there, from now on.
        struct zone parent;
        TRY(zone_get_whole(context->task, ZONE_ROOT, &parent));
        if (!meta && zone_tenant(context->session, NULL) == ZONE_ROOT)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE, "RANGE default has no parent to copy from");
        parent.set = variable->field;
        zone->set &= ~variable->field;
        zone_inherit(zone, &parent);
        return STATUS_OK;
    }
    TRY(statement_constant(context, option->value, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "zone config parameter \"%s\" cannot be NULL", option->name);
    TRY(take_value(context, zone, variable, arena_string(context->arena, datum_as_bytes(value))));
out:
    return st;
}

static struct status configure(struct statement_context *context)
{
    struct status st;
    const struct zone_config *config = context->statement->as.zone_config;
    struct zone *zone = ARENA_NEW(context->arena, struct zone), whole;
    uint64_t tenant = zone_tenant(context->session, &config->target);
    TRY(target_check(context, &config->target, true));
    TRY(may_change(context));
    if (config->discard && tenant == ZONE_ROOT)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "cannot remove default zone");
    if (!config->discard) TRY(zone_get(context->task, tenant, zone));
    for (uint32_t i = 0; i < config->options.count; i++)
        TRY(take_option(context, zone, &config->options.items[i]));
    // As a whole, too: numbers of copies by place against all copies.
    struct zone *kept = ARENA_NEW(context->arena, struct zone);
    *kept = *zone;
    TRY(zone_get_whole(context->task, ZONE_ROOT, &whole));
    zone_inherit(kept, &whole);
    TRY(zone_check(kept));
    TRY(zone_set(context->task, tenant, zone));
out:
    return st;
}

// --- SHOW ----------------------------------------------------------------------------------------------

static const struct result_column zone_columns[] = {SHOW_TEXT("target"), SHOW_TEXT("raw_config_sql")};
SHOW_DESCRIBE(describe, zone_columns)

static struct status show_one(struct statement_context *context, uint64_t tenant, const char *target)
{
    struct zone *zone = ARENA_NEW(context->arena, struct zone);
    struct status st = zone_get_whole(context->task, tenant, zone);
    if (failed(st)) return st;
    struct datum row[] = {datum_text(target), datum_text(zone_format(context->arena, target, zone))};
    return show_row(context, row);
}

static struct status show(struct statement_context *context)
{
    struct status st;
    const struct show_zone *asked = context->statement->as.show_zone;
    struct zone meta = {0};
    if (!asked->all) TRY(target_check(context, &asked->target, false));
    bool operators = context->session->tenant == TENANT_SYSTEM;
    if (operators) TRY(zone_get(context->task, ZONE_META, &meta));
    bool of_meta = !asked->all && is_meta(context->session, &asked->target);
    TRY(SHOW_SEND_COLUMNS(context, zone_columns));
    // Who has none shows the one that it inherits from, which is the default.
    if (!of_meta || meta.set == 0)
        TRY(show_one(context, zone_tenant(context->session, NULL), "RANGE default"));
    if (meta.set != 0 && (of_meta || asked->all)) TRY(show_one(context, ZONE_META, "RANGE meta"));
out:
    return st;
}

static struct status zone_rows(struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct arena arena;
    struct pg_row row;
    arena_init(&arena, &session->account);
    struct zone *zone = ARENA_NEW(&arena, struct zone);
    TRY(zone_get_whole(task, zone_tenant(session, NULL), zone));
    pg_row_begin(&row, sink);
    pg_put_int(&row, "zone_id", 0);
    pg_put_int(&row, "subzone_id", 0);
    pg_put_text(&row, "target", "RANGE default");
    pg_put_text(&row, "range_name", "default");
    pg_put_text(&row, "raw_config_sql", zone_format(&arena, "RANGE default", zone));
    pg_put_text(&row, "full_config_sql", zone_format(&arena, "RANGE default", zone));
    TRY(pg_row_send(&row));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static const struct pg_table tables[] = {
    {"zones",
        "zone_id int8, subzone_id int8, target text, range_name text, database_name text, schema_name text, "
        "table_name text, index_name text, partition_name text, raw_config_sql text, full_config_sql text",
        zone_rows},
};

static const struct statement_handler handlers[] = {
    {STATEMENT_CONFIGURE_ZONE, HANDLER_NO_TRANSACTION, NULL, configure},
    {STATEMENT_SHOW_ZONE, HANDLER_READ_ONLY, describe, show},
};

static void dead_after_changed(struct shard *shard, uint64_t tenant, const struct setting *setting)
{
    if (tenant != TENANT_SYSTEM) return;
    placement_dead_after_set(shard, settings_duration_ns(shard, tenant, setting->name));
}

static const struct setting settings[] = {
    {.name = "server.time_until_store_dead",
        .type = SETTING_DURATION,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "5m0s",
        .minimum = (double)CLUSTER_LIVENESS_NS,
        .maximum = 1e18,
        .description = "how long a node is silent before its replicas are replaced on other nodes",
        .changed = dead_after_changed},
    {.name = "sql.virtual_cluster.feature_access.zone_configs.enabled",
        .alias = "sql.zone_configs.allow_for_secondary_tenant.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "true",
        .description = "whether virtual clusters may change their zone configurations"},
};

void zone_config_register(void)
{
    settings_register(settings, sizeof settings / sizeof settings[0]);
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
    pg_tables_register("crdb_internal", tables, sizeof tables / sizeof tables[0]);
}
