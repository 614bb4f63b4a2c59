// SPDX-License-Identifier: GPL-3.0-or-later
//
// The registry of virtual tables: descriptors made once at start-up, shared read-only by all shards.
#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "sql/catalog/catalog_store.h"
#include "sql/user/privilege.h"
#include "sql/session/session.h"

#define VIRTUAL_TABLES_MAX 512u

static const struct schema_desc virtual_schemas[] = {
    {.id = CATALOG_PG_CATALOG_ID, .name = "pg_catalog", .owner = "admin"},
    {.id = CATALOG_INFORMATION_SCHEMA_ID, .name = "information_schema", .owner = "admin"},
    {.id = CATALOG_CRDB_INTERNAL_ID, .name = "crdb_internal", .owner = "admin"},
};
#define VIRTUAL_SCHEMA_COUNT (sizeof virtual_schemas / sizeof virtual_schemas[0])

static struct table_desc *registered[VIRTUAL_TABLES_MAX];
static uint32_t registered_count;
// Everybody may read them; what they show is for them to limit.
static struct privilege_grant virtual_grants[] = {
    {.role = "public", .privileges = PRIVILEGE_SELECT | PRIVILEGE_USAGE}};

const struct schema_desc *catalog_virtual_schema_at(uint32_t index)
{
    return index < VIRTUAL_SCHEMA_COUNT ? &virtual_schemas[index] : NULL;
}

const struct schema_desc *catalog_virtual_schema(const char *name)
{
    for (uint32_t i = 0; name != NULL && i < VIRTUAL_SCHEMA_COUNT; i++) {
        if (strcmp(virtual_schemas[i].name, name) == 0) return &virtual_schemas[i];
    }
    return NULL;
}

void virtual_table_register(const struct virtual_table *table)
{
    const struct schema_desc *schema = catalog_virtual_schema(table->schema);
    invariant(schema != NULL && registered_count < VIRTUAL_TABLES_MAX);
    for (uint32_t i = 0; i < registered_count; i++) {
        if (registered[i]->virtual_table == table) return;
    }
    struct table_desc *desc = calloc(1, sizeof *desc);
    struct column_desc *columns = calloc(table->column_count, sizeof *columns);
    invariant(desc != NULL && columns != NULL);
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i] = (struct column_desc){
            .id = i + 1, .name = table->columns[i].name, .type = TYPE_OF(table->columns[i].type)};
    }
    *desc = (struct table_desc){
        .id = CATALOG_VIRTUAL_ID_FIRST + registered_count,
        .schema_id = schema->id,
        .version = 1,
        .name = table->name,
        .kind = RELATION_VIRTUAL,
        .columns = columns,
        .column_count = table->column_count,
        .next_column_id = table->column_count + 1,
        .owner = "admin",
        .grants = virtual_grants,
        .grant_count = 1,
        .virtual_table = table,
    };
    registered[registered_count++] = desc;
}

const struct table_desc *catalog_virtual_table_at(uint32_t index)
{
    return index < registered_count ? registered[index] : NULL;
}

const struct table_desc *catalog_virtual_table_by_id(uint32_t id)
{
    if (id < CATALOG_VIRTUAL_ID_FIRST) return NULL;
    return catalog_virtual_table_at(id - CATALOG_VIRTUAL_ID_FIRST);
}

const struct table_desc *catalog_virtual_table(const char *schema, const char *name)
{
    if (catalog_virtual_schema(schema) == NULL) return NULL;
    for (uint32_t i = 0; i < registered_count; i++) {
        const struct virtual_table *table = registered[i]->virtual_table;
        if (strcmp(table->name, name) != 0 || strcmp(table->schema, schema) != 0) continue;
        return registered[i];
    }
    return NULL;
}

// --- rows ----------------------------------------------------------------------------------------

struct virtual_table_sink {
    const struct virtual_table *table;
    struct arena *arena;
    struct datum *values;
    uint64_t row_count, row_capacity;
};

const struct virtual_table *virtual_table_of(const struct virtual_table_sink *sink)
{
    return sink->table;
}

struct status virtual_table_row(struct virtual_table_sink *sink, const struct datum *values)
{
    uint32_t width = sink->table->column_count;
    if (sink->row_count == sink->row_capacity) {
        uint64_t capacity = sink->row_capacity == 0 ? 64 : sink->row_capacity * 2;
        struct datum *grown = arena_try_alloc(sink->arena, capacity * width * sizeof *grown);
        if (grown == NULL)
            return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: rows of a virtual table");
        if (sink->row_count > 0)
            memcpy(grown, sink->values, sink->row_count * width * sizeof *grown);
        sink->values = grown;
        sink->row_capacity = capacity;
    }
    struct datum *row = sink->values + sink->row_count * width;
    for (uint32_t i = 0; i < width; i++) {
        row[i] = values[i].null ? DATUM_NULL
                                : type_copy(sink->arena, sink->table->columns[i].type, values[i]);
    }
    sink->row_count++;
    return arena_check(sink->arena);
}

struct status virtual_table_collect(struct task *task, struct session *session,
    const struct table_desc *table, struct arena *arena, struct datum **values, uint64_t *row_count)
{
    invariant(table->kind == RELATION_VIRTUAL);
    struct virtual_table_sink sink = {.table = table->virtual_table, .arena = arena};
    if (sink.table->rows == NULL)
        return status_format(task->arena, E_FEATURE_NOT_SUPPORTED,
            "virtual table \"%s\" is not supported", table->name);
    // As of the snapshot: whoever looks at the catalog is no party to schema changes, as in PostgreSQL.
    const bool shows = session->shows_catalog;
    session->shows_catalog = !session->internal;
    struct status st = sink.table->rows(task, session, &sink);
    session->shows_catalog = shows;
    *values = sink.values;
    *row_count = sink.row_count;
    return st;
}
