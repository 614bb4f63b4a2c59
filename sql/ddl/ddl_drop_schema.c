// SPDX-License-Identifier: GPL-3.0-or-later
//
// DROP SCHEMA, DROP DATABASE: all that is in them goes with them.
#include "sql/ddl/ddl_internal.h"

#include <stdlib.h>

#include "sql/session/execute.h"

struct member { // What a schema holds, as a DETAIL names it.
    uint32_t id;
    const char *text;
};
struct members {
    struct member *items;
    uint32_t count;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static bool is_column_sequence(const struct table_desc *table)
{
    return table->kind == RELATION_SEQUENCE && table->sequence.owner_table != 0;
}

// Statistics objects of tables of other schemas; those of its own tables go with them.
static struct status statistics_members(
    struct statement_context *context, const struct schema_desc *schema, struct members *members)
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
            const struct member member = {statistics->id,
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
            const struct member member = {found[i]->id, (format_text)};                            \
            DDL_APPEND(context->arena, members->items, members->count, member);                    \
        }                                                                                          \
    } while (0)

// In the order in which all was made. Sequences of columns go with their tables.
static struct status schema_members(
    struct statement_context *context, const struct schema_desc *schema, struct members *members)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    const struct table_desc **found;
    uint32_t count;
    *members = (struct members){0};
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

// Of a schema, or (0) of the whole database.
static struct status drop_members(
    struct statement_context *context, uint32_t database_id, uint32_t schema_id)
{
    struct status st = STATUS_OK;
    const struct table_desc **objects;
    uint32_t count, members = 0;
    TRY(catalog_list_objects(
        context->task, context->session, context->arena, database_id, &objects, &count));
    for (uint32_t i = 0; i < count; i++)
        if (schema_id == 0 || objects[i]->schema_id == schema_id) objects[members++] = objects[i];
    TRY(ddl_drop_together(context, objects, members, schema_id == 0, DROP_CASCADE));
out:
    return st;
}

// RESTRICT: nothing is in it. CASCADE: tells what goes with it.
static struct status schema_may_go(
    struct statement_context *context, const struct schema_desc *schema, enum drop_behavior behavior)
{
    struct status st;
    struct members members;
    struct buffer lines;

    TRY(schema_members(context, schema, &members));
    buffer_init(&lines, context->arena);
    for (uint32_t i = 0; i < members.count; i++) {
        if (behavior == DROP_CASCADE) ddl_cascades_to(context, "%s", members.items[i].text);
        else
            buffer_printf(&lines, "\n%s depends on schema %s", members.items[i].text, schema->name);
    }
    if (behavior == DROP_CASCADE || members.count == 0) goto out;
    st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
        "cannot drop schema %s because other objects depend on it", schema->name);
    st = status_detail(context->arena, st, "%s", buffer_string(&lines) + 1);
    st = status_hint(context->arena, st, "Use DROP ... CASCADE to drop the dependent objects too.");
out:
    return st;
}

// With all that is in it.
static struct status remove_schema(
    struct statement_context *context, uint32_t id, uint32_t database_id, const char *name)
{
    struct status st;
    TRY(drop_members(context, database_id, id));
    TRY(drop_statistics_of_schema(context, database_id, id));
    TRY(catalog_free_name(context->task, context->session, database_id, 0, name));
    TRY(catalog_delete_descriptor(context->task, context->session, id));
    TRY(ddl_delete_comments(context, COMMENT_ON_SCHEMA, id));
out:
    return st;
}

struct status ddl_drop_schema(
    struct statement_context *context, const struct schema_desc *schema, enum drop_behavior behavior)
{
    struct status st;
    const uint32_t id = schema->id, database_id = schema->database_id;
    const char *name = arena_strdup(context->arena, schema->name);
    TRY(schema_may_go(context, schema, behavior));
    TRY(remove_schema(context, id, database_id, name));
out:
    return st;
}

static struct status drop_named(
    struct statement_context *context, const struct object_name *name, const struct drop *drop)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;

    TRY(catalog_schema(
        context->task, context->session, name->catalog, name->name, drop->if_exists, &schema));
    if (schema == NULL) {
        ddl_notice(context, "schema \"%s\" does not exist, skipping", name->name);
        goto out;
    }
    if (schema->database_id == 0 || schema->id < CATALOG_FIRST_ID)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot drop schema %s", name->name);
    TRY(privilege_check_owner(
        context->task, context->session, schema->owner, OBJECT_SCHEMA, schema->name));
    TRY(ddl_drop_schema(context, schema, drop->behavior));
out:
    return st;
}

struct status ddl_drop_schemas(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    for (uint32_t i = 0; i < drop->names.count; i++)
        TRY(drop_named(context, &drop->names.items[i], drop));
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
    TRY(drop_members(context, id, 0));
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
