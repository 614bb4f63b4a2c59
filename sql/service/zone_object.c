// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/zone_object.h"

#include <stdlib.h>
#include <string.h>

#include "kv/key.h"
#include "kv/placement_zones.h"
#include "sql/catalog/catalog_store.h"
#include "sql/service/zone_bounds.h"
#include "sql/session/internal.h"
#include "sql/user/privilege.h"
#include "sql/exec/row.h"

static struct status read_zone(struct bytes bytes, struct zone *zone)
{
    *zone = (struct zone){0};
    return bytes.size == 0 ? STATUS_OK : zone_decode(bytes, zone);
}

static const char *quoted(struct arena *arena, const char *name)
{
    bool plain = name[0] != 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
                 (name[0] < '0' || name[0] > '9');
    return plain ? name : arena_printf(arena, "\"%s\"", name);
}

// "d.public.t"
static struct status table_name(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct database_desc *database, const char **name)
{
    struct status st;
    const struct schema_desc *schema;
    TRY(catalog_schema_by_id(task, session, table->schema_id, &schema));
    *name = arena_printf(arena, "%s.%s.%s", quoted(arena, database->name),
        quoted(arena, schema == NULL ? "public" : schema->name), quoted(arena, table->name));
out:
    return st;
}

// --- one ---------------------------------------------------------------------------------------------

static struct status index_find(struct statement_context *context, const struct object_name *name,
    const struct table_desc **table, const struct index_desc **index)
{
    struct status st = STATUS_OK;
    if (name->table == NULL) {
        TRY(catalog_index(context->task, context->session, name->catalog, name->schema, name->name, false, table, index));
        goto out;
    }
    TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->table, false, table));
    for (uint32_t i = 0; i < (*table)->index_count; i++) {
        *index = &(*table)->indexes[i];
        if (strcmp((*index)->name, name->name) == 0) goto out;
    }
    st = ddl_error(context, E_UNDEFINED_OBJECT, "index \"%s\" does not exist", name->name);
out:
    return st;
}

struct status zone_default_whole(struct task *task, const struct session *session, struct zone *zone)
{
    struct status st = STATUS_OK;
    const uint64_t tenant = session->tenant;
    if (tenant == TENANT_SYSTEM) return zone_get_whole(task, ZONE_ROOT, zone);
    if (session->reader) return zone_get_whole(task, tenant, zone); // Its catalog is read at another time.
    struct zone *root = ARENA_NEW(task->arena, struct zone);
    TRY(zone_default_get(task, tenant, zone));
    TRY(zone_get_whole(task, ZONE_ROOT, root));
    zone_inherit(zone, root);
out:
    return st;
}

// Each level over what is above it.
static struct status inherit(struct zone *parent, struct bytes own, struct arena *arena)
{
    struct zone *level = ARENA_NEW(arena, struct zone);
    struct status st = read_zone(own, level);
    if (failed(st)) return st;
    zone_inherit(level, parent);
    *parent = *level;
    return STATUS_OK;
}

static struct status database_find(
    struct statement_context *context, const char *name, bool change, struct zone_object *object)
{
    struct status st;
    const struct database_desc *database;
    TRY(catalog_database(context->task, context->session, name, false, &database));
    if (change) TRY(privilege_check_database(context->task, context->session, database, PRIVILEGE_ZONECONFIG));
    object->database_id = database->id;
    object->name = arena_printf(context->arena, "DATABASE %s", quoted(context->arena, database->name));
    st = read_zone(database->zone, &object->own);
out:
    return st;
}

static struct status relation_find(struct statement_context *context, const struct object_name *name, bool change,
    struct zone_object *object)
{
    struct status st;
    const struct table_desc *table;
    const struct index_desc *index = NULL;
    const struct database_desc *database;
    const char *full;
    if (object->kind == OBJECT_INDEX)
        TRY(index_find(context, name, &table, &index));
    else
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name, false, &table));
    TRY(ddl_check_kind(context, table, OBJECT_TABLE));
    if (change) TRY(privilege_check_table(context->task, context->session, table, PRIVILEGE_ZONECONFIG));
    TRY(catalog_database_by_id(context->task, context->session, table->database_id, &database));
    TRY(table_name(context->task, context->session, context->arena, table, database, &full));
    object->database_id = table->database_id;
    object->table_id = table->id;
    TRY(inherit(&object->parent, database->zone, context->arena));
    if (index == NULL) {
        object->name = arena_printf(context->arena, "TABLE %s", full);
        return read_zone(table->zone, &object->own);
    }
    object->index_id = index->id;
    object->name = arena_printf(context->arena, "INDEX %s@%s", full, quoted(context->arena, index->name));
    TRY(inherit(&object->parent, table->zone, context->arena));
    st = read_zone(index->zone, &object->own);
out:
    return st;
}

struct status zone_object_find(
    struct statement_context *context, const struct zone_target *target, bool change, struct zone_object **object)
{
    struct status st;
    *object = ARENA_NEW(context->arena, struct zone_object);
    (*object)->kind = target->object;
    TRY(zone_default_whole(context->task, context->session, &(*object)->parent));
    st = target->object == OBJECT_DATABASE ? database_find(context, target->name.name, change, *object)
                                           : relation_find(context, &target->name, change, *object);
out:
    return st;
}

struct status zone_object_above(
    struct statement_context *context, const struct zone_object *object, struct zone_object **above)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct table_desc *table;
    const enum object_kind kind = object->kind;
    const uint32_t database_id = object->database_id, table_id = object->table_id;
    *above = NULL;
    if (kind == OBJECT_DATABASE) return STATUS_OK;
    TRY(catalog_database_by_id(context->task, context->session, database_id, &database));
    struct zone_object *found = ARENA_NEW(context->arena, struct zone_object);
    TRY(zone_default_whole(context->task, context->session, &found->parent));
    found->database_id = database_id;
    if (kind == OBJECT_TABLE) {
        found->kind = OBJECT_DATABASE;
        found->name = arena_printf(context->arena, "DATABASE %s", quoted(context->arena, database->name));
        TRY(read_zone(database->zone, &found->own));
    } else {
        const char *full;
        TRY(catalog_table_by_id(context->task, context->session, table_id, &table));
        TRY(table_name(context->task, context->session, context->arena, table, database, &full));
        found->kind = OBJECT_TABLE;
        found->table_id = table_id;
        found->name = arena_printf(context->arena, "TABLE %s", full);
        TRY(inherit(&found->parent, database->zone, context->arena));
        TRY(read_zone(table->zone, &found->own));
    }
    *above = found;
out:
    return st;
}

struct status zone_object_put(struct statement_context *context, const struct zone_object *object)
{
    struct status st;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct bytes zone =
        object->own.set == 0 ? (struct bytes){0} : zone_encode(context->arena, &object->own);
    if (object->kind == OBJECT_DATABASE) {
        struct database_desc *database;
        TRY(catalog_edit_database(task, session, context->arena, object->database_id, &database));
        database->zone = zone;
        return catalog_put_database(task, session, database);
    }
    struct table_desc *table;
    TRY(catalog_edit_table(task, session, context->arena, object->table_id, &table));
    if (object->kind == OBJECT_TABLE) table->zone = zone;
    for (uint32_t i = 0; i < table->index_count && object->kind == OBJECT_INDEX; i++)
        if (table->indexes[i].id == object->index_id) table->indexes[i].zone = zone;
    st = catalog_put_table(task, session, table);
out:
    return st;
}

// --- all ---------------------------------------------------------------------------------------------

struct status zone_objects_each(struct task *task, struct session *session, struct arena *arena,
    zone_object_visit visit, void *arg)
{
    struct status st;
    const struct database_desc **databases;
    uint32_t database_count;
    struct zone_object *object = ARENA_NEW(arena, struct zone_object);
    struct zone *root = ARENA_NEW(arena, struct zone);
    TRY(zone_default_whole(task, session, root));
    TRY(catalog_list_databases(task, session, arena, &databases, &database_count));
    for (uint32_t i = 0; i < database_count; i++) {
        const struct table_desc **tables;
        uint32_t count;
        *object = (struct zone_object){.kind = OBJECT_DATABASE, .database_id = databases[i]->id, .parent = *root};
        TRY(read_zone(databases[i]->zone, &object->own));
        object->name = arena_printf(arena, "DATABASE %s", quoted(arena, databases[i]->name));
        if (object->own.set != 0) TRY(visit(arg, object));
        TRY(catalog_list_tables(task, session, arena, databases[i]->id, &tables, &count));
        for (uint32_t k = 0; k < count; k++) {
            const struct table_desc *table = tables[k];
            const char *full;
            if (table->kind != RELATION_TABLE) continue;
            TRY(table_name(task, session, arena, table, databases[i], &full));
            *object = (struct zone_object){.kind = OBJECT_TABLE, .database_id = databases[i]->id,
                .table_id = table->id, .parent = *root};
            TRY(inherit(&object->parent, databases[i]->zone, arena));
            TRY(read_zone(table->zone, &object->own));
            object->name = arena_printf(arena, "TABLE %s", full);
            if (object->own.set != 0) TRY(visit(arg, object));
            TRY(inherit(&object->parent, table->zone, arena));
            object->kind = OBJECT_INDEX;
            for (uint32_t n = 0; n < table->index_count; n++) {
                if (table->indexes[n].zone.size == 0) continue;
                object->index_id = table->indexes[n].id;
                TRY(read_zone(table->indexes[n].zone, &object->own));
                object->name = arena_printf(arena, "INDEX %s@%s", full, quoted(arena, table->indexes[n].name));
                TRY(visit(arg, object));
            }
        }
    }
out:
    return st;
}

// --- telling storage ---------------------------------------------------------------------------------

struct telling {
    struct arena *arena;
    uint64_t tenant;
    bool has_default; // The catalog says what RANGE default is, if only that it says nothing.
    struct zone range_default;
    struct zone_bounds bounds;
    struct zone_span *spans;
    uint32_t count, capacity;
};

static void add(struct telling *telling, struct bytes start, struct bytes end, const struct zone *zone)
{
    if (zone->set == 0 || bytes_compare(start, end) >= 0) return;
    if (telling->count > 0) {
        struct zone_span *last = &telling->spans[telling->count - 1];
        if (bytes_equal(last->span.end, start) && zone_hash(&last->zone) == zone_hash(zone)) {
            last->span.end = end;
            return;
        }
    }
    if (telling->count == telling->capacity) {
        uint32_t grown = telling->capacity == 0 ? 16 : telling->capacity * 2;
        telling->spans = arena_grow(telling->arena, telling->spans, telling->capacity * sizeof *telling->spans,
            grown * sizeof *telling->spans);
        telling->capacity = grown;
    }
    telling->spans[telling->count++] = (struct zone_span){.span = {start, end}, .zone = *zone};
}

// The one with the least id of those above `after`; ids are in key order.
static const struct index_desc *index_next(const struct table_desc *table, uint64_t after)
{
    const struct index_desc *next = NULL;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (index->zone.size > 0 && index->id > after && (next == NULL || index->id < next->id)) next = index;
    }
    return next;
}

static struct status table_tell(struct telling *telling, const struct table_desc *table, struct bytes database)
{
    struct status st;
    struct zone *above = ARENA_NEW(telling->arena, struct zone), *own = ARENA_NEW(telling->arena, struct zone);
    const struct span span = row_table_span(telling->arena, telling->tenant, table->id);
    struct bytes at = span.start;
    TRY(read_zone(database, above));
    TRY(inherit(above, table->zone, telling->arena));
    for (const struct index_desc *index = index_next(table, 0); index != NULL; index = index_next(table, index->id)) {
        const struct span part = row_index_span(telling->arena, telling->tenant, table->id, index->id);
        TRY(read_zone(index->zone, own));
        zone_inherit(own, above);
        add(telling, at, part.start, above);
        add(telling, part.start, part.end, own);
        at = part.end;
    }
    add(telling, at, span.end, above);
out:
    return st;
}

static int by_start(const void *a, const void *b)
{
    return bytes_compare(((const struct zone_span *)a)->span.start, ((const struct zone_span *)b)->span.start);
}

static struct status default_read(struct task *task, struct session *session, struct telling *telling)
{
    struct status st = STATUS_OK;
    struct bytes value;
    telling->has_default = false;
    telling->range_default = (struct zone){0};
    if (session->tenant == TENANT_SYSTEM) goto out;
    TRY(kv_get(task, session->txn, NULL, catalog_zone_key(telling->arena, session->tenant), telling->arena, &value));
    telling->has_default = value.data != NULL;
    if (telling->has_default) TRY(zone_decode(value, &telling->range_default));
out:
    return st;
}

static struct status gather(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct telling *telling = arg;
    const struct database_desc **databases;
    uint32_t database_count;
    telling->count = 0;
    TRY(default_read(task, session, telling));
    TRY(catalog_list_databases(task, session, telling->arena, &databases, &database_count));
    for (uint32_t i = 0; i < database_count; i++) {
        const struct table_desc **tables;
        uint32_t count;
        TRY(catalog_list_tables(task, session, telling->arena, databases[i]->id, &tables, &count));
        for (uint32_t k = 0; k < count; k++)
            if (tables[k]->kind == RELATION_TABLE) TRY(table_tell(telling, tables[k], databases[i]->zone));
    }
out:
    return st;
}

struct status zone_objects_check(struct task *task, struct session *session)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, &session->account);
    struct telling telling = {.arena = &arena, .tenant = session->tenant};
    TRY(gather(task, session, &telling));
    if (telling.count > ZONE_SPANS_MAX)
        st = status_make(E_PROGRAM_LIMIT_EXCEEDED, "more than 4096 tables and indexes with zone configurations");
    else
        st = placement_zones_check(task, session->tenant, NULL, telling.spans, telling.count);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static bool same_default(const struct zone *a, const struct zone *b)
{
    return a->set == b->set && zone_hash(a) == zone_hash(b);
}

static struct status default_look(struct task *task, struct session *session, void *arg)
{
    return default_read(task, session, arg);
}

static struct status default_keep(struct task *task, struct session *session, void *arg)
{
    const struct zone *const *zone = arg;
    return kv_put(task, session->txn, catalog_zone_key(task->arena, session->tenant),
        zone_encode(task->arena, *zone));
}

// What was said is written down before storage is told something else.
static struct status default_keep_told(struct task *task, struct telling *telling)
{
    struct status st = STATUS_OK;
    if (telling->has_default || !zone_bounds_any(&telling->bounds)) goto out;
    TRY(zone_get(task, telling->tenant, &telling->range_default));
    const struct zone *zone = &telling->range_default;
    TRY(internal_transaction(task, telling->tenant, default_keep, &zone));
    telling->has_default = true;
out:
    return st;
}

// What somebody has changed meanwhile counts: he may have told storage before.
static struct status default_tell(struct task *task, struct telling *telling)
{
    struct status st = STATUS_OK;
    struct zone *told = ARENA_NEW(telling->arena, struct zone);
    struct zone *root = ARENA_NEW(telling->arena, struct zone);
    TRY(default_keep_told(task, telling));
    for (;;) {
        const struct zone said = telling->range_default;
        struct zone wanted = said;
        if (!telling->has_default) goto out;
        TRY(zone_get_whole(task, ZONE_ROOT, root));
        zone_bounds_clamp(&telling->bounds, &wanted, root);
        TRY(zone_get(task, telling->tenant, told));
        if (same_default(told, &wanted)) goto out;
        TRY(zone_set(task, telling->tenant, &wanted));
        TRY(internal_transaction(task, telling->tenant, default_look, telling));
        if (same_default(&telling->range_default, &said)) goto out;
    }
out:
    return st;
}

struct status zone_default_set(struct task *task, struct session *session, const struct zone *zone)
{
    struct status st;
    struct zone_bounds bounds;
    TRY(internal_transaction(task, session->tenant, default_keep, &zone));
    TRY(zone_bounds_read(task, session->tenant, &bounds));
    st = zone_bounds_any(&bounds) ? zone_objects_tell(task, session->tenant) : zone_set(task, session->tenant, zone);
out:
    return st;
}

struct status zone_default_get(struct task *task, uint64_t tenant, struct zone *zone)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, NULL);
    struct telling telling = {.arena = &arena, .tenant = tenant};
    TRY(internal_transaction(task, tenant, default_look, &telling));
    *zone = telling.range_default;
    if (!telling.has_default) TRY(zone_get(task, tenant, zone));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status spans_clamp(struct task *task, struct telling *telling)
{
    struct status st = STATUS_OK;
    struct zone *above = ARENA_NEW(telling->arena, struct zone);
    if (!zone_bounds_any(&telling->bounds) || telling->count == 0) goto out;
    TRY(zone_get_whole(task, telling->tenant, above)); // Within the bounds by now.
    for (uint32_t i = 0; i < telling->count; i++)
        zone_bounds_clamp(&telling->bounds, &telling->spans[i].zone, above);
out:
    return st;
}

struct status zone_objects_tell(struct task *task, uint64_t tenant)
{
    struct status st;
    struct arena arena;
    arena_init(&arena, NULL);
    struct telling telling = {.arena = &arena, .tenant = tenant};
    struct zone_bounds now;
    TRY(zone_bounds_read(task, tenant, &telling.bounds));
    for (;;) {
        TRY(internal_transaction(task, tenant, gather, &telling));
        if (telling.count > 1) qsort(telling.spans, telling.count, sizeof *telling.spans, by_start);
        TRY(default_tell(task, &telling));
        TRY(spans_clamp(task, &telling));
        TRY(zone_spans_set(task, tenant, telling.spans, telling.count));
        TRY(zone_bounds_read(task, tenant, &now)); // Somebody else's may have been told before ours.
        if (zone_bounds_equal(&now, &telling.bounds)) goto out;
        telling.bounds = now;
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status zone_objects_tell_bounded(struct task *task)
{
    struct status st = STATUS_OK;
    uint64_t *tenants;
    uint32_t count;
    if (zone_bounds_source == NULL) goto out;
    TRY(zone_bounds_source->list(task, task->arena, &tenants, &count));
    for (uint32_t i = 0; i < count; i++)
        TRY(zone_objects_tell(task, tenants[i]));
out:
    return st;
}
