// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/user/role_dependents.h"

#include <stdlib.h>
#include <string.h>

#include "sql/ddl/ddl_internal.h"
#include "sql/service/large_object.h"

#define DEPENDENTS_SHOWN_MAX 100u // As PostgreSQL shows.

struct dependent {
    uint32_t id;
    bool owned;
    const struct table_desc *object; // Described when it is shown; or NULL, with
    const char *text;                // what it is; of an object, its column; or NULL: the large object of that id.
};

struct dependents {
    struct statement_context *context;
    const char *role;
    struct dependent *items;
    uint32_t count, capacity;
};

static void add(struct dependents *dependents, struct dependent dependent)
{
    if (dependents->count == dependents->capacity) {
        const uint32_t capacity = dependents->capacity == 0 ? 16 : dependents->capacity * 2;
        dependents->items = arena_grow(dependents->context->arena, dependents->items,
            dependents->capacity * sizeof *dependents->items, capacity * sizeof *dependents->items);
        dependents->capacity = capacity;
    }
    dependents->items[dependents->count++] = dependent;
}

static bool grants_mention(const struct privilege_grant *grants, uint32_t count, const char *role)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(grants[i].role, role) == 0) return true;
        if (grants[i].grantor != NULL && strcmp(grants[i].grantor, role) == 0) return true;
    }
    return false;
}

static const char *object_text(struct dependents *dependents, const struct table_desc *object)
{
    struct statement_context *context = dependents->context;
    const char *kind;
    switch (object->kind) {
    case RELATION_ENUM:
    case RELATION_DOMAIN:
    case RELATION_COMPOSITE: kind = "type"; break;
    case RELATION_COLLATION: kind = "collation"; break;
    case RELATION_FUNCTION:
        return arena_printf(context->arena, "function %s", ddl_routine_text(context, object));
    default: kind = ddl_kind_of(object);
    }
    return arena_printf(context->arena, "%s %s", kind, ddl_shown(context, object));
}

static void add_object(struct dependents *dependents, const struct table_desc *object)
{
    const char *role = dependents->role;
    const bool owned = strcmp(object->owner, role) == 0;
    if (owned || grants_mention(object->grants, object->grant_count, role))
        add(dependents, (struct dependent){.id = object->id, .owned = owned, .object = object});
    for (uint32_t i = 0; i < object->column_count && !owned; i++) {
        const struct column_desc *column = &object->columns[i];
        if (grants_mention(column->grants, column->grant_count, role))
            add(dependents, (struct dependent){.id = object->id, .object = object, .text = column->name});
    }
    for (uint32_t i = 0; i < object->statistics_count; i++) {
        const struct statistics_desc *statistics = &object->statistics[i];
        if (strcmp(statistics->owner, role) == 0)
            add(dependents, (struct dependent){.id = object->id, .owned = true,
                .text = arena_printf(dependents->context->arena, "statistics object %s", statistics->name)});
    }
}

static const char *schema_name(const struct schema_desc *const *schemas, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (schemas[i]->id == id) return schemas[i]->name;
    return "???";
}

static bool same_default(const struct default_grant *a, const struct default_grant *b)
{
    return a->object == b->object && a->schema_id == b->schema_id && strcmp(a->owner, b->owner) == 0;
}

static void add_defaults(
    struct dependents *dependents, const struct database_desc *database, const struct schema_desc *const *schemas,
    uint32_t schema_count)
{
    static const struct {
        char object;
        const char *name;
    } names[] = {{'r', "relations"}, {'S', "sequences"}, {'n', "schemas"}, {'f', "functions"}, {'T', "types"}};
    const struct default_grant *last = NULL;
    for (uint32_t i = 0; i < database->default_count; i++) {
        const struct default_grant *grant = &database->defaults[i];
        const bool owned = strcmp(grant->owner, dependents->role) == 0;
        const char *of = "objects";
        if (!owned && strcmp(grant->role, dependents->role) != 0) continue;
        if (last != NULL && same_default(last, grant)) continue; // To another role.
        last = grant;
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            if (names[n].object == grant->object) of = names[n].name;
        add(dependents, (struct dependent){.id = UINT32_MAX, .owned = owned,
            .text = arena_printf(dependents->context->arena,
                "default privileges on new %s belonging to role %s%s%s", of, grant->owner,
                grant->schema_id == 0 ? "" : " in schema ",
                grant->schema_id == 0 ? "" : schema_name(schemas, schema_count, grant->schema_id))});
    }
}

static int compare(const void *a, const void *b)
{
    const struct dependent *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static struct status add_large_object(void *arg, const struct large_object *object)
{
    struct dependents *dependents = arg;
    const bool owned = strcmp(object->owner, dependents->role) == 0;
    if (!owned && !grants_mention(object->grants, object->grant_count, dependents->role)) return STATUS_OK;
    add(dependents, (struct dependent){.id = object->oid, .owned = owned});
    return arena_check(dependents->context->arena);
}

static struct status add_all_of(struct dependents *dependents, const struct database_desc *database)
{
    struct status st;
    struct statement_context *context = dependents->context;
    const struct table_desc **objects;
    const struct schema_desc **schemas;
    uint32_t object_count, schema_count;
    TRY(catalog_list_objects(
        context->task, context->session, context->arena, database->id, &objects, &object_count));
    TRY(catalog_list_schemas(
        context->task, context->session, context->arena, database->id, &schemas, &schema_count));
    for (uint32_t i = 0; i < object_count; i++) add_object(dependents, objects[i]);
    for (uint32_t i = 0; i < schema_count; i++) {
        const struct schema_desc *schema = schemas[i];
        const bool owned = strcmp(schema->owner, dependents->role) == 0;
        if (owned || grants_mention(schema->grants, schema->grant_count, dependents->role))
            add(dependents, (struct dependent){.id = schema->id, .owned = owned,
                .text = arena_printf(context->arena, "schema %s", schema->name)});
    }
    add_defaults(dependents, database, schemas, schema_count);
    TRY(large_object_each(context->task, context->session, database->id, add_large_object, dependents));
out:
    return st;
}

static const char *dependent_text(struct dependents *dependents, const struct dependent *dependent)
{
    if (dependent->object == NULL && dependent->text == NULL)
        return arena_printf(dependents->context->arena, "large object %u", dependent->id);
    if (dependent->object == NULL) return dependent->text;
    const char *object = object_text(dependents, dependent->object);
    return dependent->text == NULL
               ? object
               : arena_printf(dependents->context->arena, "column %s of %s", dependent->text, object);
}

struct status role_dependents(struct statement_context *context, const char *role, const char **detail)
{
    struct status st;
    struct dependents dependents = {.context = context, .role = role};
    const struct database_desc **databases;
    uint32_t count;
    struct buffer text, elsewhere;
    *detail = NULL;
    buffer_init(&text, context->arena);
    buffer_init(&elsewhere, context->arena);
    TRY(catalog_list_databases(context->task, context->session, context->arena, &databases, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct database_desc *database = databases[i];
        const bool owned = strcmp(database->owner, role) == 0;
        if (owned || grants_mention(database->grants, database->grant_count, role))
            add(&dependents, (struct dependent){.id = database->id, .owned = owned,
                .text = arena_printf(context->arena, "database %s", database->name)});
        const uint32_t before = dependents.count;
        TRY(add_all_of(&dependents, database));
        if (dependents.count == before || strcmp(database->name, context->session->database) == 0) continue;
        const uint32_t there = dependents.count - before;
        dependents.count = before;
        buffer_printf(
            &elsewhere, "\n%u %s in database %s", there, there == 1 ? "object" : "objects", database->name);
    }
    if (dependents.count > 0) qsort(dependents.items, dependents.count, sizeof *dependents.items, compare);
    for (uint32_t i = 0; i < dependents.count && i < DEPENDENTS_SHOWN_MAX; i++) {
        const struct dependent *dependent = &dependents.items[i];
        buffer_printf(&text, "\n%s %s", dependent->owned ? "owner of" : "privileges for",
            dependent_text(&dependents, dependent));
    }
    if (dependents.count > DEPENDENTS_SHOWN_MAX) {
        const uint32_t rest = dependents.count - DEPENDENTS_SHOWN_MAX;
        buffer_printf(&text, "\nand %u other %s", rest, rest == 1 ? "object" : "objects");
    }
    buffer_append_bytes(&text, buffer_bytes(&elsewhere));
    if (text.size > 0) *detail = buffer_string(&text) + 1;
out:
    return st;
}
