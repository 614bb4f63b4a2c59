// SPDX-License-Identifier: GPL-3.0-or-later
//
// Virtual tables from their columns' text, and rows filled in by column name.
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/text.h"
#include "sql/catalog/pg_catalog.h"

static struct status no_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    (void)task;
    (void)session;
    (void)sink;
    return STATUS_OK;
}

// One "name type" of the list; what is kept lives as long as the process.
static void parse_column(struct bytes text, struct virtual_column *column)
{
    text = text_trim(text);
    size_t name_size = 0;
    while (name_size < text.size && text.data[name_size] != ' ') name_size++;
    invariant(name_size > 0 && name_size + 1 < text.size);
    char *name = malloc(name_size + 1);
    char type_name[64];
    struct bytes type = text_trim(bytes_of(text.data + name_size, text.size - name_size));
    invariant(name != NULL && type.size < sizeof type_name);
    memcpy(name, text.data, name_size);
    name[name_size] = 0;
    memcpy(type_name, type.data, type.size);
    type_name[type.size] = 0;
    const struct type_info *info = type_by_name(type_name);
    invariant(info != NULL); // A slip in a table's text: every start would meet it.
    *column = (struct virtual_column){name, info->oid};
}

static void register_one(const char *schema, const struct pg_table *table, bool system_only)
{
    uint32_t count = 1;
    for (const char *at = table->columns; *at != 0; at++) count += *at == ',';
    invariant(count <= PG_ROW_COLUMNS_MAX);
    struct virtual_column *columns = calloc(count, sizeof *columns);
    struct virtual_table *made = calloc(1, sizeof *made);
    invariant(columns != NULL && made != NULL);
    const char *at = table->columns;
    for (uint32_t i = 0; i < count; i++) {
        const char *end = strchrnul(at, ',');
        parse_column(bytes_of((const uint8_t *)at, (size_t)(end - at)), &columns[i]);
        at = end + 1;
    }
    *made = (struct virtual_table){.schema = schema,
        .name = table->name,
        .columns = columns,
        .column_count = count,
        .rows = table->rows == NULL ? no_rows : table->rows,
        .system_only = system_only};
    virtual_table_register(made);
}

void pg_tables_register(const char *schema, const struct pg_table *tables, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) register_one(schema, &tables[i], false);
}

void pg_tables_register_system(const char *schema, const struct pg_table *tables, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) register_one(schema, &tables[i], true);
}

const struct table_desc *pg_next_virtual_table(const struct session *session, uint32_t *at)
{
    const struct table_desc *table;
    while ((table = catalog_virtual_table_at((*at)++)) != NULL) {
        if (!table->virtual_table->system_only || session->tenant == TENANT_SYSTEM) break;
    }
    return table;
}

// --- rows ------------------------------------------------------------------------------------------------

void pg_row_begin(struct pg_row *row, struct virtual_table_sink *sink)
{
    row->sink = sink;
    row->table = virtual_table_of(sink);
    row->next = 0;
    for (uint32_t i = 0; i < row->table->column_count; i++) row->values[i] = DATUM_NULL;
}

void pg_put(struct pg_row *row, const char *column, struct datum value)
{
    uint32_t count = row->table->column_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = row->next + i < count ? row->next + i : row->next + i - count;
        if (strcmp(row->table->columns[at].name, column) != 0) continue;
        row->values[at] = value;
        row->next = at + 1 == count ? 0 : at + 1;
        return;
    }
    bool is_column_of_the_table = false;
    invariant(is_column_of_the_table);
}

void pg_put_text(struct pg_row *row, const char *column, const char *text)
{
    pg_put(row, column, text == NULL ? DATUM_NULL : datum_text(text));
}

struct status pg_row_send(struct pg_row *row)
{
    return virtual_table_row(row->sink, row->values);
}

struct datum pg_text_array(
    struct arena *arena, type_oid element, const char *const *items, uint32_t count)
{
    struct datum *values = ARENA_ARRAY(arena, struct datum, count + 1u);
    for (uint32_t i = 0; i < count; i++) values[i] = datum_text(items[i]);
    struct datum array;
    return failed(array_make(arena, element, values, count, &array)) ? DATUM_NULL : array;
}

struct datum pg_vector(
    struct arena *arena, type_oid element, const int64_t *values, uint32_t count)
{
    struct array_builder builder;
    struct datum result;
    struct status st = STATUS_OK;
    int32_t length = (int32_t)count, lower = 0;
    array_builder_init(&builder, arena, element);
    for (uint32_t i = 0; i < count && !failed(st); i++) st = array_builder_add(&builder, datum_int(values[i]));
    if (!failed(st)) st = array_builder_finish_dimensions(&builder, count == 0 ? 0 : 1, &length, &lower, &result);
    return failed(st) ? DATUM_NULL : result;
}
