// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/zone_config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "kv/key.h"
#include "kv/placement_zones.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/privilege.h"
#include "sql/service/settings.h"
#include "sql/session/show.h"
#include "sql/service/zone_bounds.h"
#include "sql/service/zone_object.h"
#include "sql/session/shard_state.h"

#define NS_PER_S UINT64_C(1000000000)
#define ATTEMPTS_MAX 20u

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

static bool is_object(const struct zone_target *target)
{
    return target->object == OBJECT_DATABASE || target->object == OBJECT_TABLE || target->object == OBJECT_INDEX;
}

static struct status target_check(struct statement_context *context, const struct zone_target *target)
{
    static const char *const others[] = {"meta", "liveness", "system", "timeseries", "tenants", NULL};
    const char *name = target->name.name;
    if (is_object(target) || is_default(target) || is_meta(context->session, target)) return STATUS_OK;
    if (target->object == OBJECT_PARTITION) return ddl_unsupported(context, "PARTITION");
    for (uint32_t i = 0; others[i] != NULL; i++)
        if (strcmp(name, others[i]) == 0) return ddl_unsupported(context, "a zone configuration of this RANGE");
    return ddl_error(context, E_INVALID_PARAMETER_VALUE, "\"%s\" is not a valid zone", name);
}

static struct status may_change(struct statement_context *context)
{
    struct session *session = context->session;
    struct status st = STATUS_OK;
    const bool object = is_object(&context->statement->as.zone_config->target);
    if (session->tenant != TENANT_SYSTEM) {
        TRY(settings_load(context->task, session->tenant));
        if (!settings_bool(session->shard, session->tenant, "sql.virtual_cluster.feature_access.zone_configs.enabled"))
            return status_hint(context->arena,
                status_make(E_FEATURE_NOT_SUPPORTED, "operation is disabled within a virtual cluster"),
                "Feature was disabled by the system operator.");
    }
    // Of an object its own privilege is looked at.
    if (object || session->superuser || session->internal) return STATUS_OK;
    TRY(privilege_check_system(context->task, session, "REPAIRCLUSTER"));
out:
    return st;
}

// --- CONFIGURE ZONE ------------------------------------------------------------------------------------

static const struct variable {
    const char *name;
    uint32_t field;      // enum zone_field; 0: known and not supported.
    bool places;         // Where copies are: operators may keep that to themselves.
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

static struct status places_check(struct statement_context *context, const char *name)
{
    const struct session *session = context->session;
    if (session->tenant == TENANT_SYSTEM ||
        settings_bool(session->shard, session->tenant, "sql.virtual_cluster.feature_access.zone_configs_unrestricted.enabled"))
        return STATUS_OK;
    return status_hint(context->arena,
        status_format(context->arena, E_FEATURE_NOT_SUPPORTED, "%s cannot be set within a virtual cluster", name),
        "Feature was disabled by the system operator.");
}

// A condition that no node meets is most likely misspelt. Operators may say of all data what nodes will be like that
// are yet to come.
static struct status nodes_check(struct statement_context *context, const char *text)
{
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(context->task->shard, &count);
    struct zone_rule rule;
    bool malformed = false;
    for (const char *at = text; zone_rule_next(&at, &rule, &malformed);) {
        bool met = count == 0 || rule.conditions.size == 0 || rule.conditions.data[0] != '+';
        for (uint32_t i = 0; i < count && !met; i++)
            met = zone_conditions_met(rule.conditions, nodes[i].locality, nodes[i].attrs);
        if (met) continue;
        return status_hint(context->arena,
            status_format(context->arena, E_INVALID_PARAMETER_VALUE, "constraint \"%s\" matches no existing nodes within the cluster",
                arena_string(context->arena, rule.conditions)),
            "Localities and attributes of nodes are shown by \"isopod node status\".");
    }
    return STATUS_OK;
}

static struct status take_option(struct statement_context *context, struct zone *zone, const struct zone *parent,
    const struct option *option)
{
    struct status st = STATUS_OK;
    const struct zone_target *target = &context->statement->as.zone_config->target;
    const struct variable *variable = NULL;
    struct datum value;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (strcmp(variables[i].name, option->name) == 0) variable = &variables[i];
    if (variable == NULL)
        return ddl_error(context, E_SYNTAX_ERROR, "unsupported zone config parameter: \"%s\"", option->name);
    if (variable->field == 0)
        return ddl_unsupported(context, arena_printf(context->arena, "zone configuration variable %s", option->name));
    if (variable->places) TRY(places_check(context, option->name));
    bool meta = is_meta(context->session, target);
    if (meta && !variable->places)
        return ddl_unsupported(context, arena_printf(context->arena, "%s of RANGE meta", option->name));
    if (option->value == NULL) { // COPY FROM PARENT: what it is there, from now on.
        if (parent == NULL)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE, "RANGE default has no parent to copy from");
        struct zone *copied = ARENA_NEW(context->arena, struct zone);
        *copied = *parent;
        copied->set = variable->field;
        zone->set &= ~variable->field;
        zone_inherit(zone, copied);
        return STATUS_OK;
    }
    TRY(statement_constant(context, option->value, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "zone config parameter \"%s\" cannot be NULL", option->name);
    TRY(take_value(context, zone, variable, arena_string(context->arena, datum_as_bytes(value))));
    if (is_object(target) && variable->field == ZONE_CONSTRAINTS) TRY(nodes_check(context, zone->constraints));
    if (is_object(target) && variable->field == ZONE_LEASE_PREFERENCES)
        TRY(nodes_check(context, zone->lease_preferences));
out:
    return st;
}

// `zone` as the statement wants it; `parent` NULL: it inherits what the program has.
static struct status options_take(struct statement_context *context, struct zone *zone, const struct zone *parent)
{
    struct status st = STATUS_OK;
    const struct zone_config *config = context->statement->as.zone_config;
    if (config->discard) *zone = (struct zone){0};
    for (uint32_t i = 0; i < config->options.count; i++)
        TRY(take_option(context, zone, parent, &config->options.items[i]));
    // As a whole, too: numbers of copies by place against all copies.
    struct zone *whole = ARENA_NEW(context->arena, struct zone);
    *whole = *zone;
    if (parent != NULL) zone_inherit(whole, parent);
    TRY(zone_check(whole));
out:
    return st;
}

static struct status object_change(struct statement_context *context)
{
    struct status st;
    struct zone_object *object;
    TRY(zone_object_find(context, &context->statement->as.zone_config->target, true, &object));
    TRY(options_take(context, &object->own, &object->parent));
    TRY(zone_object_put(context, object));
    if (!context->statement->as.zone_config->discard) TRY(zone_objects_check(context->task, context->session));
out:
    return st;
}

// In a transaction of its own; then storage is told, so that it holds when the statement is over.
static struct status configure_object(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        TRY(session_txn_begin(task, session, true));
        st = object_change(context);
        if (failed(st)) {
            st = status_copy(context->arena, st);
            session_txn_rollback(task, session);
        } else {
            st = session_txn_commit(task, session);
        }
        if (!status_is(st, E_SERIALIZATION_FAILURE)) break;
    }
    TRY(st);
    st = zone_objects_tell(task, session->tenant);
out:
    return st;
}

static struct status configure(struct statement_context *context)
{
    struct status st;
    const struct zone_config *config = context->statement->as.zone_config;
    struct zone *zone = ARENA_NEW(context->arena, struct zone), *parent = ARENA_NEW(context->arena, struct zone);
    uint64_t tenant = zone_tenant(context->session, &config->target);
    TRY(target_check(context, &config->target));
    TRY(may_change(context));
    if (is_object(&config->target)) return configure_object(context);
    if (config->discard && tenant == ZONE_ROOT)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "cannot remove default zone");
    if (tenant == ZONE_ROOT || tenant == ZONE_META)
        TRY(zone_get(context->task, tenant, zone));
    else
        TRY(zone_default_get(context->task, tenant, zone));
    TRY(zone_get_whole(context->task, ZONE_ROOT, parent));
    if (tenant == ZONE_ROOT) {
        // What it does not say itself is the program's.
        struct zone *whole = ARENA_NEW(context->arena, struct zone);
        TRY(options_take(context, zone, NULL));
        *whole = *zone;
        zone_inherit(whole, parent);
        TRY(zone_check(whole));
    } else {
        TRY(options_take(context, zone, parent));
    }
    if (tenant != ZONE_META && !config->discard) TRY(placement_zones_check(context->task, tenant, zone, NULL, 0));
    if (tenant == ZONE_ROOT || tenant == ZONE_META)
        TRY(zone_set(context->task, tenant, zone));
    else
        TRY(zone_default_set(context->task, context->session, zone));
    if (tenant == ZONE_ROOT) TRY(zone_objects_tell_bounded(context->task)); // They inherit it as far as they may.
out:
    return st;
}

// --- SHOW ----------------------------------------------------------------------------------------------

static const struct result_column zone_columns[] = {SHOW_TEXT("target"), SHOW_TEXT("raw_config_sql")};
SHOW_DESCRIBE(describe, zone_columns)

static struct status send_zone(void *arg, const struct zone_object *object)
{
    struct statement_context *context = arg;
    struct zone *zone = ARENA_NEW(context->arena, struct zone);
    *zone = object->own;
    zone_inherit(zone, &object->parent);
    struct datum row[] = {datum_text(object->name), datum_text(zone_format(context->arena, object->name, zone))};
    return show_row(context, row);
}

static struct status show_one(struct statement_context *context, uint64_t tenant, const char *target)
{
    struct zone_object *object = ARENA_NEW(context->arena, struct zone_object);
    struct status st = tenant == ZONE_META ? zone_get_whole(context->task, tenant, &object->own)
                                           : zone_default_whole(context->task, context->session, &object->own);
    if (failed(st)) return st;
    object->name = target;
    return send_zone(context, object);
}

// Who says nothing himself shows the one that he inherits from.
static struct status show_object(struct statement_context *context, const struct zone_target *target)
{
    struct status st = STATUS_OK;
    struct zone_object *object;
    TRY(zone_object_find(context, target, false, &object));
    while (object != NULL && object->own.set == 0) TRY(zone_object_above(context, object, &object));
    st = object != NULL ? send_zone(context, object)
                        : show_one(context, zone_tenant(context->session, NULL), "RANGE default");
out:
    return st;
}

static struct status show(struct statement_context *context)
{
    struct status st;
    const struct show_zone *asked = context->statement->as.show_zone;
    struct zone meta = {0};
    if (!asked->all) TRY(target_check(context, &asked->target));
    bool operators = context->session->tenant == TENANT_SYSTEM;
    if (operators) TRY(zone_get(context->task, ZONE_META, &meta));
    bool of_meta = !asked->all && is_meta(context->session, &asked->target);
    TRY(SHOW_SEND_COLUMNS(context, zone_columns));
    if (!asked->all && is_object(&asked->target)) return show_object(context, &asked->target);
    // Who has none shows the one that it inherits from, which is the default.
    if (!of_meta || meta.set == 0)
        TRY(show_one(context, zone_tenant(context->session, NULL), "RANGE default"));
    if (meta.set != 0 && (of_meta || asked->all)) TRY(show_one(context, ZONE_META, "RANGE meta"));
    if (asked->all)
        TRY(zone_objects_each(context->task, context->session, context->arena, send_zone, context));
out:
    return st;
}

struct zone_rows {
    struct arena *arena;
    struct zone_bounds bounds;
    struct virtual_table_sink *sink;
};

static struct status put_zone_row(void *arg, const struct zone_object *object)
{
    struct zone_rows *rows = arg;
    struct pg_row row;
    struct zone *zone = ARENA_NEW(rows->arena, struct zone);
    *zone = object->own;
    zone_inherit(zone, &object->parent);
    const char *sql = zone_format(rows->arena, object->name, zone);
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "zone_id", object->table_id != 0 ? object->table_id : object->database_id);
    pg_put_int(&row, "subzone_id", object->index_id);
    pg_put_text(&row, "target", object->name);
    if (object->kind == OBJECT_RANGE) pg_put_text(&row, "range_name", "default");
    pg_put_text(&row, "raw_config_sql", sql);
    zone_bounds_clamp(&rows->bounds, zone, NULL); // What holds.
    pg_put_text(&row, "full_config_sql", zone_format(rows->arena, object->name, zone));
    return pg_row_send(&row);
}

static struct status zone_rows(struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, &session->account);
    struct zone_rows rows = {.arena = &arena, .sink = sink};
    struct zone_object *object = ARENA_NEW(&arena, struct zone_object);
    object->kind = OBJECT_RANGE;
    object->name = "RANGE default";
    TRY(zone_bounds_read(task, session->tenant, &rows.bounds));
    TRY(zone_default_whole(task, session, &object->own));
    TRY(put_zone_row(&rows, object));
    TRY(zone_objects_each(task, session, &arena, put_zone_row, &rows));
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

static void bounds_changed(struct shard *shard, uint64_t tenant, const struct setting *setting)
{
    (void)setting;
    if (tenant == TENANT_SYSTEM && shard->index == 0 && sql_shard(shard) != NULL && sql_shard(shard)->zones != NULL)
        zone_objects_note(shard, ZONE_OBJECTS_BOUNDED);
}

static const struct setting settings[] = {
    {.name = ZONE_BOUNDS_SETTING,
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "true",
        .description = "whether the bounds that operators set for zone configurations of virtual clusters hold",
        .changed = bounds_changed},
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
    {.name = "sql.virtual_cluster.feature_access.zone_configs_unrestricted.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "true",
        .description = "whether virtual clusters may say how many copies of their data there are, and where"},
};

void zone_config_register(void)
{
    settings_register(settings, sizeof settings / sizeof settings[0]);
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
    pg_tables_register("crdb_internal", tables, sizeof tables / sizeof tables[0]);
}
