// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER TABLE | INDEX ... SPLIT AT, UNSPLIT AT | ALL, SCATTER: borders of ranges made by hand, and ranges spread over the
// cluster's slices; ALTER RANGE ... RELOCATE (sql/service/relocate.h). Also the settings of what ranges do by themselves (kv/range_upkeep.h).
#include "kv/admin.h"
#include "kv/key.h"
#include "kv/range_upkeep.h"
#include "sql/type/datetime.h"
#include "sql/ddl/ddl.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/user/privilege.h"
#include "sql/service/relocate.h"
#include "sql/exec/row.h"
#include "sql/service/settings.h"
#include "sql/session/show.h"

#define ROWS_MAX 10000u

struct split_rows {
    struct result_sink sink;
    struct statement_context *context;
    const struct row_index *index;
    const struct result_column *columns;
    uint32_t column_count;
    struct bytes *keys;
    uint32_t count, capacity;
};

static const struct result_column split_columns[] = {
    {.name = "key", .type = {TYPE_BYTEA, -1}}, SHOW_TEXT("pretty"), SHOW_TIME("split_enforced_until")};
static const struct result_column other_columns[] = {
    {.name = "key", .type = {TYPE_BYTEA, -1}}, SHOW_TEXT("pretty")};

static struct status describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    const enum split_kind kind = context->statement->as.split->kind;
    if (kind == RELOCATE_LEASE || kind == RELOCATE_VOTERS) return relocate_describe(context, columns, count);
    const bool splits = kind == SPLIT_AT;
    *columns = splits ? split_columns : other_columns;
    *count = splits ? 3 : 2;
    return STATUS_OK;
}

// --- keys ----------------------------------------------------------------------------------------------

static struct status rows_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    struct split_rows *rows = container_of(sink, struct split_rows, sink);
    (void)task;
    rows->columns = columns;
    rows->column_count = count;
    if (count >= 1 && count <= rows->index->column_count) return STATUS_OK;
    return ddl_error(rows->context, E_SYNTAX_ERROR,
        "expected 1 to %u values, for the columns of the index, not %u", rows->index->column_count, count);
}

// A value as the index's column has it.
static struct status value_as(
    struct split_rows *rows, uint32_t column, const struct datum *value, struct datum *out)
{
    struct statement_context *context = rows->context;
    const type_oid from = rows->columns[column].type.oid, to = rows->index->keys[column].type;
    *out = *value;
    if (value->null || from == to) return STATUS_OK;
    const struct type_context *types = &context->session->types;
    struct buffer text;
    buffer_init(&text, context->arena);
    type_output(&text, types, from, *value);
    return type_input(context->arena, types, TYPE_OF(to), buffer_bytes(&text), out);
}

static struct status rows_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct status st = STATUS_OK;
    struct split_rows *rows = container_of(sink, struct split_rows, sink);
    struct arena *arena = rows->context->arena;
    struct buffer key;
    (void)task;
    if (rows->count == ROWS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "more than 10000 borders in one statement");
    buffer_init(&key, arena);
    buffer_append_bytes(&key, rows->index->prefix);
    for (uint32_t i = 0; i < rows->column_count; i++) {
        struct datum value;
        TRY(value_as(rows, i, &values[i], &value));
        TRY(row_key_encode(&key, &rows->index->keys[i], value));
    }
    if (rows->count == rows->capacity) {
        uint32_t capacity = rows->capacity == 0 ? 16 : rows->capacity * 2;
        rows->keys = arena_grow(
            arena, rows->keys, rows->capacity * sizeof *rows->keys, capacity * sizeof *rows->keys);
        rows->capacity = capacity;
    }
    rows->keys[rows->count++] = buffer_bytes(&key);
out:
    return st;
}

static struct status target(struct statement_context *context, const struct table_desc **table,
    const struct index_desc **index)
{
    struct status st = STATUS_OK;
    const struct split *split = context->statement->as.split;
    const struct object_name *name = &split->table;
    bool by_index = split->is_index && name->table == NULL;
    if (by_index) {
        TRY(catalog_index(context->task, context->session, name->catalog, name->schema, name->name,
            false, table, index));
    } else {
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema,
            split->is_index ? name->table : name->name, false, table));
        *index = &(*table)->indexes[0];
    }
    TRY(ddl_check_kind(context, *table, OBJECT_TABLE));
    TRY(privilege_check_table(context->task, context->session, *table, PRIVILEGE_INSERT));
    if (!split->is_index || by_index) goto out;
    for (uint32_t i = 0; i < (*table)->index_count; i++) {
        *index = &(*table)->indexes[i];
        if (strcmp((*index)->name, name->name) == 0) goto out;
    }
    st = ddl_error(context, E_UNDEFINED_OBJECT, "index \"%s\" does not exist", name->name);
out:
    return st;
}

static struct status keys_read(struct statement_context *context, const struct table_desc *table,
    const struct index_desc *index, struct split_rows *rows)
{
    struct status st;
    struct row_index *form = ARENA_NEW(context->arena, struct row_index);
    TRY(row_index_init(context->arena, context->session->tenant, table, index, form));
    if (form->inverted != NULL) return ddl_unsupported(context, "SPLIT AT of an inverted index");
    *rows = (struct split_rows){.sink = {.columns = rows_columns, .row = rows_row},
        .context = context,
        .index = form};
    st = statement_query(context, context->statement->as.split->rows, &rows->sink);
out:
    return st;
}

// --- what is done --------------------------------------------------------------------------------------

// Wall clock, in ns; for good when nothing is said.
static struct status expiration(struct statement_context *context, uint64_t *until_ns, struct datum *shown)
{
    struct status st;
    const struct expr *expr = context->statement->as.split->expiration;
    *until_ns = UINT64_MAX;
    *shown = DATUM_NULL;
    if (expr == NULL) return STATUS_OK;
    TRY(statement_constant(context, expr, TYPE_OF(TYPE_TIMESTAMPTZ), shown));
    if (shown->null) return STATUS_OK;
    const int64_t us = shown->integer + UNIX_EPOCH_US;
    *until_ns = us <= 0 ? 1 : (uint64_t)us * 1000;
out:
    return st;
}

static struct status send(struct statement_context *context, struct bytes key, const struct datum *until)
{
    struct datum row[3] = {datum_bytes(key), datum_text(key_format(context->arena, key))};
    if (until != NULL) row[2] = *until;
    return show_row(context, row);
}

static struct status split_at(struct statement_context *context, const struct split_rows *rows)
{
    struct status st;
    uint64_t until_ns;
    struct datum shown;
    TRY(expiration(context, &until_ns, &shown));
    for (uint32_t i = 0; i < rows->count; i++) {
        TRY(kv_split_until(context->task, rows->keys[i], until_ns));
        TRY(send(context, rows->keys[i], &shown));
    }
out:
    return st;
}

// Borders within the span that were made by hand.
static struct status unsplit_all(struct statement_context *context, struct span span)
{
    struct status st;
    struct kv_range *ranges;
    uint32_t count;
    TRY(kv_ranges(context->task, span, context->arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (ranges[i].sticky_ns == 0 || !span_contains(span, ranges[i].span.start)) continue;
        TRY(kv_unsplit(context->task, ranges[i].span.start));
        TRY(send(context, ranges[i].span.start, NULL));
    }
out:
    return st;
}

static struct status unsplit_at(struct statement_context *context, const struct split_rows *rows)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < rows->count; i++) {
        TRY(kv_unsplit(context->task, rows->keys[i]));
        TRY(send(context, rows->keys[i], NULL));
    }
out:
    return st;
}

static uint64_t zone_of(const struct kv_slice_info *slices, uint32_t count, uint64_t slice)
{
    for (uint32_t i = 0; i < count; i++)
        if (slices[i].id == slice) return slices[i].zone;
    return 0;
}

// Each of the ranges to another slice than the one before it; what is of other tables in them stays where it is.
static struct status scatter(struct statement_context *context, struct span span)
{
    struct status st;
    struct kv_range *ranges;
    struct kv_slice_info *slices;
    uint32_t count, slice_count;
    struct task *task = context->task;
    if (context->statement->as.split->from.count > 0)
        return ddl_unsupported(context, "SCATTER FROM ... TO");
    TRY(kv_ranges(task, span, context->arena, &ranges, &count));
    TRY(kv_slices(task, context->arena, &slices, &slice_count));
    struct env *env = task->shard->env;
    const uint32_t first = slice_count == 0 ? 0 : (uint32_t)(env->random(env) % slice_count);
    for (uint32_t i = 0; i < count && slice_count > 0; i++) {
        struct span part = ranges[i].span;
        if (bytes_compare(part.start, span.start) < 0) part.start = span.start;
        if (bytes_compare(span.end, part.end) < 0) part.end = span.end;
        // Among those that have the range's zone.
        const struct kv_slice_info *to = &slices[(first + i) % slice_count];
        for (uint32_t k = 0; k < slice_count && to->zone != zone_of(slices, slice_count, ranges[i].slice); k++)
            to = &slices[(first + i + k + 1) % slice_count];
        TRY(kv_move(task, part, to->id));
        TRY(send(context, part.start, NULL));
    }
out:
    return st;
}

static struct status may(struct statement_context *context, enum split_kind kind)
{
    struct session *session = context->session;
    if (session->tenant == TENANT_SYSTEM) return STATUS_OK;
    struct status st = settings_load(context->task, session->tenant);
    if (failed(st)) return st;
    const char *setting = kind == SCATTER
                              ? "sql.virtual_cluster.feature_access.manual_range_scatter.enabled"
                              : "sql.virtual_cluster.feature_access.manual_range_split.enabled";
    if (settings_bool(session->shard, session->tenant, setting)) return STATUS_OK;
    return status_hint(context->arena,
        status_make(E_FEATURE_NOT_SUPPORTED, "operation is disabled within a virtual cluster"),
        "Feature was disabled by the system operator.");
}

static struct status execute(struct statement_context *context)
{
    struct status st;
    const struct split *split = context->statement->as.split;
    const struct result_column *columns;
    const struct table_desc *table;
    const struct index_desc *index;
    struct split_rows rows;
    uint32_t count;
    const uint64_t tenant = context->session->tenant;
    if (split->kind == RELOCATE_LEASE || split->kind == RELOCATE_VOTERS) return relocate_execute(context);
    TRY(may(context, split->kind));
    TRY(target(context, &table, &index));
    const struct span span = split->is_index
                                 ? row_index_span(context->arena, tenant, table->id, index->id)
                                 : row_table_span(context->arena, tenant, table->id);
    const bool by_rows = split->kind == SPLIT_AT || split->kind == UNSPLIT_AT;
    if (by_rows) TRY(keys_read(context, table, index, &rows));
    TRY(describe(context, &columns, &count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    switch (split->kind) {
    case SPLIT_AT: st = split_at(context, &rows); break;
    case UNSPLIT_AT: st = unsplit_at(context, &rows); break;
    case UNSPLIT_ALL: st = unsplit_all(context, span); break;
    case SCATTER: st = scatter(context, span); break;
    case RELOCATE_LEASE:
    case RELOCATE_VOTERS: break;
    }
out:
    return st;
}

// --- settings ------------------------------------------------------------------------------------------

static void tuning_changed(struct shard *shard, uint64_t tenant, const struct setting *setting)
{
    (void)setting;
    if (tenant != TENANT_SYSTEM || kv_shard_of(shard) == NULL) return;
    *range_tuning(shard) = (struct range_tuning){
        .split_by_load = settings_bool(shard, tenant, "kv.range_split.by_load.enabled"),
        .split_rate = (uint64_t)settings_int(shard, tenant, "kv.range_split.load_qps_threshold"),
        .merge = settings_bool(shard, tenant, "kv.range_merge.queue.enabled"),
        .look_ns = settings_duration_ns(shard, tenant, "kv.range_upkeep.interval"),
        .move = settings_bool(shard, tenant, "kv.range_move.by_load.enabled"),
        .move_rate = (uint64_t)settings_int(shard, tenant, "kv.range_move.by_load.qps_threshold"),
        .move_wait_ns = settings_duration_ns(shard, tenant, "kv.range_move.by_load.interval"),
    };
}

static const struct setting settings[] = {
    {.name = "kv.range_split.by_load.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "true",
        .description = "whether ranges are split where they are asked for too often",
        .changed = tuning_changed},
    {.name = "kv.range_split.load_qps_threshold",
        .type = SETTING_INT,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "2500",
        .minimum = 1,
        .maximum = 1e12,
        .description = "how many keys a second a range is asked for before it is split",
        .changed = tuning_changed},
    {.name = "kv.range_merge.queue.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "true",
        .description = "whether small ranges that are hardly asked for are joined with their neighbours",
        .changed = tuning_changed},
    {.name = "kv.range_upkeep.interval",
        .type = SETTING_DURATION,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "5s",
        .minimum = 1e8,
        .maximum = 3.6e12,
        .description = "how often leaders look at how large their ranges are and what they are asked for",
        .changed = tuning_changed},
    {.name = "kv.range_move.by_load.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "true",
        .description = "whether ranges go by themselves from cores with much to do to others, and to neighbours to be joined",
        .changed = tuning_changed},
    {.name = "kv.range_move.by_load.qps_threshold",
        .type = SETTING_INT,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "200",
        .minimum = 1,
        .maximum = 1e12,
        .description = "by how many requests a second two cores differ, at least, before a range goes from one to the other",
        .changed = tuning_changed},
    {.name = "kv.range_move.by_load.interval",
        .type = SETTING_DURATION,
        .class = SETTING_SYSTEM_ONLY,
        .default_value = "10s",
        .minimum = 1e8,
        .maximum = 3.6e12,
        .description = "how often the load of all cores is looked at; no more than one range goes elsewhere in that time",
        .changed = tuning_changed},
    {.name = "sql.virtual_cluster.feature_access.manual_range_split.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "true",
        .description = "whether virtual clusters may split ranges by hand"},
    {.name = "sql.virtual_cluster.feature_access.manual_range_scatter.enabled",
        .type = SETTING_BOOL,
        .class = SETTING_SYSTEM_VISIBLE,
        .default_value = "true",
        .description = "whether virtual clusters may scatter ranges by hand"},
};

static const struct statement_handler handlers[] = {
    {.tag = STATEMENT_SPLIT, .describe = describe, .execute = execute},
};

void split_register(void)
{
    settings_register(settings, sizeof settings / sizeof settings[0]);
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
