// SPDX-License-Identifier: GPL-3.0-or-later
//
// DROP SCHEMA, DROP DATABASE: all that is in them goes with them.
#include "sql/ddl/ddl_internal.h"
#include "sql/service/large_object.h"

#include <stdlib.h>

#include "sql/session/execute.h"

static int compare_members(const void *a, const void *b)
{
    const struct ddl_member *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static bool is_column_sequence(const struct table_desc *table)
{
    return table->kind == RELATION_SEQUENCE && table->sequence.owner_table != 0;
}

// Statistics objects of tables of other schemas; those of its own tables go with them.
static struct status statistics_members(
    struct statement_context *context, const struct schema_desc *schema, struct ddl_members *members)
{
    struct status st = STATUS_OK;
    const struct table_desc **tables;
    uint32_t count;
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, schema->database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; tables[i]->schema_id != schema->id && k < tables[i]->statistics_count; k++) {
            const struct statistics_desc *statistics = &tables[i]->statistics[k];
            if (statistics->schema_id != schema->id) continue;
            const struct ddl_member member = {statistics->id,
                arena_printf(context->arena, "statistics object %s.%s", schema->name, statistics->name)};
            DDL_APPEND(context->arena, members->items, members->count, member);
        }
    }
out:
    return st;
}

static struct status drop_statistics_of_schema(
    struct statement_context *context, uint32_t database_id, uint32_t schema_id)
{
    struct status st = STATUS_OK;
    const struct table_desc **tables;
    struct table_desc *table;
    uint32_t count;
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool any = false;
        for (uint32_t k = 0; k < tables[i]->statistics_count; k++)
            any |= tables[i]->statistics[k].schema_id == schema_id;
        if (!any) continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, tables[i]->id, &table));
        for (uint32_t k = table->statistics_count; k-- > 0;)
            if (table->statistics[k].schema_id == schema_id)
                TRY(ddl_remove_statistics(context, table, k));
        TRY(catalog_put_table(context->task, context->session, table));
    }
out:
    return st;
}

#define MEMBERS_OF(list, format_text)                                                              \
    do {                                                                                           \
        TRY(list(context->task, context->session, context->arena, schema->database_id, &found,     \
            &count));                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            if (found[i]->schema_id != schema->id || is_column_sequence(found[i])) continue;       \
            const struct ddl_member member = {found[i]->id, (format_text)};                            \
            DDL_APPEND(context->arena, members->items, members->count, member);                    \
        }                                                                                          \
    } while (0)

// In the order in which all was made. Sequences of columns go with their tables.
struct status ddl_schema_members(
    struct statement_context *context, const struct schema_desc *schema, struct ddl_members *members)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    const struct table_desc **found;
    uint32_t count;
    *members = (struct ddl_members){0};
    MEMBERS_OF(catalog_list_tables,
        arena_printf(arena, "%s %s", ddl_kind_of(found[i]), ddl_shown(context, found[i])));
    MEMBERS_OF(catalog_list_functions, arena_printf(arena, "function %s", ddl_routine_text(context, found[i])));
    MEMBERS_OF(catalog_list_collations, arena_printf(arena, "collation %s", ddl_shown(context, found[i])));
    MEMBERS_OF(catalog_list_types, arena_printf(arena, "type %s", ddl_shown(context, found[i])));
    TRY(statistics_members(context, schema, members));
    if (members->count > 0)
        qsort(members->items, members->count, sizeof *members->items, compare_members);
out:
    return st;
}

struct status ddl_remove_schema(struct statement_context *context, const struct schema_desc *schema)
{
    struct status st;
    TRY(drop_statistics_of_schema(context, schema->database_id, schema->id));
    TRY(catalog_free_name(context->task, context->session, schema->database_id, 0, schema->name));
    TRY(catalog_delete_descriptor(context->task, context->session, schema->id));
    TRY(ddl_delete_comments(context, COMMENT_ON_SCHEMA, schema->id));
out:
    return st;
}

// *schema NULL: there is none, which a notice has said.
static struct status droppable(
    struct statement_context *context, const struct object_name *name, bool if_exists, struct schema_desc **schema)
{
    struct status st = STATUS_OK;
    const struct schema_desc *found;
    *schema = NULL;
    TRY(catalog_schema(context->task, context->session, name->catalog, name->name, if_exists, &found));
    if (found == NULL) {
        ddl_notice(context, "schema \"%s\" does not exist, skipping", name->name);
        goto out;
    }
    if (found->database_id == 0 || found->id < CATALOG_FIRST_ID)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot drop schema %s", name->name);
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_SCHEMA, found->name));
    TRY(catalog_edit_schema(context->task, context->session, context->arena, found->id, schema));
out:
    return st;
}

struct status ddl_drop_schemas(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    const struct schema_desc **schemas = ARENA_ARRAY(context->arena, const struct schema_desc *, drop->names.count);
    struct ddl_drop_list list = {.schemas = schemas};
    for (uint32_t i = 0; i < drop->names.count; i++) {
        struct schema_desc *schema;
        bool twice = false;
        TRY(droppable(context, &drop->names.items[i], drop->if_exists, &schema));
        for (uint32_t k = 0; schema != NULL && k < list.schema_count; k++) twice |= schemas[k]->id == schema->id;
        if (schema != NULL && !twice) schemas[list.schema_count++] = schema;
    }
    TRY(ddl_drop_together(context, &list, drop->behavior));
out:
    return st;
}

static struct status drop_all(struct statement_context *context, uint32_t database_id)
{
    struct status st;
    struct ddl_drop_list list = {.everything = true};
    const struct table_desc **objects;
    TRY(catalog_list_objects(
        context->task, context->session, context->arena, database_id, &objects, &list.count));
    list.objects = objects;
    TRY(ddl_drop_together(context, &list, DROP_CASCADE));
out:
    return st;
}

struct status ddl_drop_database(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    const char *name = drop->names.items[0].name;
    const struct database_desc *database;
    const struct schema_desc **schemas;
    uint32_t count;

    TRY(statement_alone(context->session, context->arena, "DROP DATABASE"));
    TRY(catalog_database(context->task, context->session, name, drop->if_exists, &database));
    if (database == NULL) {
        ddl_notice(context, "database \"%s\" does not exist, skipping", name);
        goto out;
    }
    if (database->id == CATALOG_SYSTEM_DATABASE)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot drop a system database");
    TRY(privilege_check_owner(
        context->task, context->session, database->owner, OBJECT_DATABASE, database->name));
    if (strcmp(context->session->database, name) == 0)
        return ddl_error(context, E_OBJECT_IN_USE, "cannot drop the currently open database");
    uint32_t id = database->id;
    TRY(catalog_list_schemas(
        context->task, context->session, context->arena, id, &schemas, &count));
    if (drop->behavior == DROP_RESTRICT) {
        const struct table_desc **tables;
        uint32_t table_count;
        TRY(catalog_list_tables(
            context->task, context->session, context->arena, id, &tables, &table_count));
        if (table_count > 0)
            return ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
                "database \"%s\" is not empty and RESTRICT was specified", name);
    }
    TRY(drop_all(context, id));
    TRY(large_object_drop_all(context->task, context->session, id));
    for (uint32_t i = 0; i < count; i++) {
        TRY(catalog_free_name(context->task, context->session, id, 0, schemas[i]->name));
        TRY(catalog_delete_descriptor(context->task, context->session, schemas[i]->id));
    }
    TRY(catalog_free_name(context->task, context->session, 0, 0, name));
    TRY(catalog_delete_descriptor(context->task, context->session, id));
    TRY(ddl_delete_comments(context, COMMENT_ON_DATABASE, id));
out:
    return st;
}
