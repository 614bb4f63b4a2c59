// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog's views of counters for each relation. Rows and keys are counted for a whole virtual cluster
// (SHOW STATEMENTS, metrics), not for each relation: here, what nobody keeps is NULL.
#include <string.h>

#include "sql/catalog/pg_catalog.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

static struct status relation_row(
    struct pg_rows *rows, const struct table_desc *table, enum relation_kind kind)
{
    struct pg_row row;
    if (table->kind != kind) return STATUS_OK;
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "relid", pg_oid(table->id));
    pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
    pg_put_text(&row, "relname", table->name);
    return pg_row_send(&row);
}

static struct status table_row(struct pg_rows *rows, const struct table_desc *table)
{
    return relation_row(rows, table, RELATION_TABLE);
}

static struct status sequence_row(struct pg_rows *rows, const struct table_desc *table)
{
    return relation_row(rows, table, RELATION_SEQUENCE);
}

struct status pg_index_name_rows(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index)) continue;
        pg_row_begin(&row, rows->sink);
        pg_put_int(&row, "relid", pg_oid(table->id));
        pg_put_int(&row, "indexrelid", pg_index_oid(table->id, index->id));
        pg_put_text(&row, "schemaname", pg_schema_name(rows, table->schema_id));
        pg_put_text(&row, "relname", table->name);
        pg_put_text(&row, "indexrelname", index->name);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(table_rows)
{
    return pg_each_table(task, session, sink, table_row);
}

ROWS(sequence_rows)
{
    return pg_each_table(task, session, sink, sequence_row);
}

ROWS(index_rows)
{
    return pg_each_table(task, session, sink, pg_index_name_rows);
}

#define STATIO_TABLES \
    "relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8, " \
    "idx_blks_read int8, idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8, " \
    "tidx_blks_read int8, tidx_blks_hit int8"
#define STATIO_INDEXES \
    "relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, " \
    "idx_blks_read int8, idx_blks_hit int8"
#define STATIO_SEQUENCES \
    "relid oid, schemaname name, relname name, blks_read int8, blks_hit int8"
#define XACT_TABLES \
    "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8, " \
    "idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8"

static const struct pg_table tables[] = {
    {"pg_statio_all_tables", STATIO_TABLES, table_rows},
    {"pg_statio_user_tables", STATIO_TABLES, table_rows},
    {"pg_statio_all_indexes", STATIO_INDEXES, index_rows},
    {"pg_statio_user_indexes", STATIO_INDEXES, index_rows},
    {"pg_statio_all_sequences", STATIO_SEQUENCES, sequence_rows},
    {"pg_statio_user_sequences", STATIO_SEQUENCES, sequence_rows},
    {"pg_stat_xact_all_tables", XACT_TABLES, table_rows},
    {"pg_stat_xact_user_tables", XACT_TABLES, table_rows},
};

void pg_catalog_counters_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
