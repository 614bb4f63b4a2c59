// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog views over the current database's objects: pg_tables, pg_indexes, statistics.
#include <string.h>

#include "sql/catalog/catalog_text.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/role.h"
#include "sql/user/privilege_object.h"
#include "sql/service/sequence.h"
#include "sql/plan/statistics.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

// --- pg_tables, pg_views -----------------------------------------------------------------------------------

static struct status put_table(struct virtual_table_sink *sink, const char *schema, const char *name,
    const char *owner, bool indexes, bool triggers)
{
    struct pg_row row;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "schemaname", schema);
    pg_put_text(&row, "tablename", name);
    pg_put_text(&row, "tableowner", owner);
    pg_put_bool(&row, "hasindexes", indexes);
    pg_put_bool(&row, "hasrules", false);
    pg_put_bool(&row, "hastriggers", triggers);
    pg_put_bool(&row, "rowsecurity", false);
    return pg_row_send(&row);
}

static struct status table_row(struct pg_rows *rows, const struct table_desc *table)
{
    bool indexes = false;
    if (table->kind != RELATION_TABLE || table->materialized) return STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++)
        indexes |= pg_index_shown(table, &table->indexes[i]);
    return put_table(rows->sink, pg_schema_name(rows, table->schema_id), table->name, table->owner, indexes,
        pg_has_triggers(table));
}

ROWS(table_rows)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    for (uint32_t i = 0; (table = pg_next_virtual_table(session, &i)) != NULL;)
        if (pg_is_catalog_table(table))
            TRY(put_table(sink, table->virtual_table->schema, table->name, ROLE_ADMIN, false, false));
    st = pg_each_table(task, session, sink, table_row);
out:
    return st;
}

static struct status view_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    const char *text;
    if (table->kind != RELATION_VIEW) return STATUS_OK;
    struct status st = catalog_view_text(rows->task, rows->session, &rows->arena, table, false, 0, &text);
    if (failed(st)) return st;
    pg_row_begin(&row, rows->sink);
    pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "viewname", table->name);
    pg_put_text(&row, "viewowner", table->owner);
    pg_put_text(&row, "definition", arena_printf(&rows->arena, "%s;", text));
    return pg_row_send(&row);
}

ROWS(view_rows)
{
    return pg_each_table(task, session, sink, view_row);
}

static struct status matview_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct pg_row row;
    const char *text;
    bool indexes = false;
    if (!table->materialized) return STATUS_OK;
    for (uint32_t i = 0; i < table->index_count; i++)
        indexes |= pg_index_shown(table, &table->indexes[i]);
    struct status st = catalog_view_text(rows->task, rows->session, &rows->arena, table, false, 0, &text);
    if (failed(st)) return st;
    pg_row_begin(&row, rows->sink);
    pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "matviewname", table->name);
    pg_put_text(&row, "matviewowner", table->owner);
    pg_put_bool(&row, "hasindexes", indexes);
    pg_put_bool(&row, "ispopulated", table->populated);
    pg_put_text(&row, "definition", arena_printf(&rows->arena, "%s;", text));
    return pg_row_send(&row);
}

ROWS(matview_rows)
{
    return pg_each_table(task, session, sink, matview_row);
}

// --- pg_indexes, pg_sequences ------------------------------------------------------------------------------

static struct status index_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    const char *schema = pg_schema_name(rows, table->schema_id);
    struct pg_row row;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        struct buffer definition;
        if (!pg_index_shown(table, index)) continue;
        buffer_init(&definition, &rows->arena);
        TRY(pg_index_definition(
            rows->task, rows->session, &definition, table, index, schema, false));
        pg_row_begin(&row, rows->sink);
        pg_put_text(&row, "schemaname", schema);
        pg_put_text(&row, "tablename", table->name);
        pg_put_text(&row, "indexname", index->name);
        pg_put(&row, "indexdef", datum_bytes(buffer_bytes(&definition)));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(index_rows)
{
    return pg_each_table(task, session, sink, index_row);
}

static struct status sequence_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    int64_t last_value = 0;
    bool is_called = false, may_see = false;
    struct pg_row row;
    if (table->kind != RELATION_SEQUENCE) return st;
    TRY(pg_user_has_any_of_table(rows->task, rows->session, table, PRIVILEGE_SELECT | PRIVILEGE_USAGE, &may_see));
    if (may_see) TRY(sequence_peek(rows->task, rows->session, table, &last_value, &is_called));
    pg_row_begin(&row, rows->sink);
    pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "sequencename", table->name);
    pg_put_text(&row, "sequenceowner", table->owner);
    pg_put_int(&row, "data_type", table->sequence.type);
    pg_put_int(&row, "start_value", table->sequence.start);
    pg_put_int(&row, "min_value", table->sequence.minimum);
    pg_put_int(&row, "max_value", table->sequence.maximum);
    pg_put_int(&row, "increment_by", table->sequence.increment);
    pg_put_bool(&row, "cycle", table->sequence.cycle);
    pg_put_int(&row, "cache_size", table->sequence.cache);
    if (is_called) pg_put_int(&row, "last_value", last_value);
    st = pg_row_send(&row);
out:
    return st;
}

ROWS(sequence_rows)
{
    return pg_each_table(task, session, sink, sequence_row);
}

// --- statistics --------------------------------------------------------------------------------------------

static struct status stats_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct table_statistics statistics;
    bool found, may_see;
    struct pg_row row;
    if (table->kind != RELATION_TABLE) return st;
    TRY(pg_user_has_any_of_table(rows->task, rows->session, table, PRIVILEGE_SELECT, &may_see));
    if (!may_see) return st;
    TRY(statistics_read(
        rows->task, rows->session, &rows->arena, table->id, &statistics, &found));
    for (uint32_t i = 0; found && i < statistics.column_count; i++) {
        const struct column_statistics *column = &statistics.columns[i];
        const struct column_desc *of = table_column_by_id(table, column->column_id);
        if (of == NULL || of->hidden) continue;
        double count = statistics.row_count == 0 ? 1 : (double)statistics.row_count;
        pg_row_begin(&row, rows->sink);
        pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
        pg_put_text(&row, "tablename", table->name);
        pg_put_text(&row, "attname", of->name);
        pg_put_bool(&row, "inherited", false);
        pg_put(&row, "null_frac", datum_real((double)column->null_count / count));
        pg_put_int(&row, "avg_width", (int64_t)column->size_average);
        // Minus one: as many as there are rows, however many these become.
        bool all = statistics.row_count > 0 && column->distinct_count >= statistics.row_count;
        pg_put(&row, "n_distinct", datum_real(all ? -1 : (double)column->distinct_count));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(stats_rows)
{
    return pg_each_table(task, session, sink, stats_row);
}

// Counters that nobody keeps are NULL.
static struct status stat_table_row(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct table_statistics statistics;
    bool found;
    struct pg_row row;
    if (table->kind != RELATION_TABLE) return st;
    TRY(statistics_read(
        rows->task, rows->session, &rows->arena, table->id, &statistics, &found));
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "relid", pg_oid(table->id));
    pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "relname", table->name);
    if (found) {
        pg_put_int(&row, "n_live_tup", (int64_t)statistics.row_count);
        pg_put_int(&row, "last_analyze", statistics.created_us);
    }
    st = pg_row_send(&row);
out:
    return st;
}

ROWS(stat_table_rows)
{
    return pg_each_table(task, session, sink, stat_table_row);
}

ROWS(stat_index_rows)
{
    return pg_each_table(task, session, sink, pg_index_name_rows);
}

static const struct pg_table tables[] = {
    {"pg_matviews",
        "schemaname name, matviewname name, matviewowner name, tablespace name, "
        "hasindexes bool, ispopulated bool, definition text",
        matview_rows},
    {"pg_tables",
        "schemaname name, tablename name, tableowner name, tablespace name, "
        "hasindexes bool, hasrules bool, hastriggers bool, rowsecurity bool",
        table_rows},
    {"pg_views",
        "schemaname name, viewname name, viewowner name, definition text",
        view_rows},
    {"pg_indexes",
        "schemaname name, tablename name, indexname name, tablespace name, indexdef text",
        index_rows},
    {"pg_sequences",
        "schemaname name, sequencename name, sequenceowner name, data_type regtype, "
        "start_value int8, min_value int8, max_value int8, increment_by int8, "
        "cycle bool, cache_size int8, last_value int8",
        sequence_rows},
    {"pg_stats",
        "schemaname name, tablename name, attname name, inherited bool, "
        "null_frac float4, avg_width int4, n_distinct float4, most_common_vals anyarray, "
        "most_common_freqs float4[], histogram_bounds anyarray, correlation float4, "
        "most_common_elems anyarray, most_common_elem_freqs float4[], "
        "elem_count_histogram float4[]",
        stats_rows},
    {"pg_stat_all_tables",
        "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, "
        "idx_scan int8, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, "
        "n_tup_del int8, n_tup_hot_upd int8, n_live_tup int8, n_dead_tup int8, "
        "n_mod_since_analyze int8, n_ins_since_vacuum int8, last_vacuum timestamptz, "
        "last_autovacuum timestamptz, last_analyze timestamptz, "
        "last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, "
        "analyze_count int8, autoanalyze_count int8",
        stat_table_rows},
    {"pg_stat_user_tables",
        "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, "
        "idx_scan int8, idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, "
        "n_tup_del int8, n_tup_hot_upd int8, n_live_tup int8, n_dead_tup int8, "
        "n_mod_since_analyze int8, n_ins_since_vacuum int8, last_vacuum timestamptz, "
        "last_autovacuum timestamptz, last_analyze timestamptz, "
        "last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, "
        "analyze_count int8, autoanalyze_count int8",
        stat_table_rows},
    {"pg_stat_all_indexes",
        "relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, "
        "idx_scan int8, idx_tup_read int8, idx_tup_fetch int8",
        stat_index_rows},
    {"pg_stat_user_indexes",
        "relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, "
        "idx_scan int8, idx_tup_read int8, idx_tup_fetch int8",
        stat_index_rows},
};

void pg_catalog_views_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
