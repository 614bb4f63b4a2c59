// SPDX-License-Identifier: GPL-3.0-or-later
//
// DROP, and DROP TABLE, VIEW and SEQUENCE; what depends on them is in the way, or goes with them.
#include "sql/ddl/ddl_internal.h"

#include "sql/catalog/catalog_text.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/ddl/schema_change.h"
#include "sql/session/execute.h"
#include "sql/session/relation_use.h"

// What one statement drops: things in it do not stand in each other's way.
struct drop_set {
    struct statement_context *context;
    enum drop_behavior behavior;
    uint32_t *ids;
    uint32_t count;
    const struct table_desc *blocked; // RESTRICT: the first that others depend on; NULL: none so far.
    const char *blocking;             // Who does, a line each.
    const char *what;                 // Is dropped, with what is its own: a column, a schema; NULL: relations.
    const struct table_desc **all;    // The database's tables, once they were needed.
    uint32_t all_count;
};

static bool set_has(const struct drop_set *set, uint32_t id)
{
    return ddl_has_id(set->ids, set->count, id);
}

static void set_add(struct drop_set *set, uint32_t id)
{
    DDL_APPEND(set->context->arena, set->ids, set->count, id);
}

const char *ddl_kind_of(const struct table_desc *table)
{
    return table->materialized                ? "materialized view"
           : table->kind == RELATION_VIEW     ? "view"
           : table->kind == RELATION_SEQUENCE ? "sequence"
                                              : "table";
}

const char *ddl_routine_text(struct statement_context *context, const struct table_desc *function)
{
    struct buffer text;
    buffer_init(&text, context->arena);
    if (!pg_routine_print(context->task, context->session, pg_oid(function->id), true, &text)) return function->name;
    return buffer_string(&text);
}

// RESTRICT: all that stand in the way are told at the end.
static void in_the_way(struct drop_set *set, const struct table_desc *table, const char *line)
{
    if (set->blocked == NULL) set->blocked = table;
    set->blocking = set->blocking == NULL
                        ? line
                        : arena_printf(set->context->arena, "%s\n%s", set->blocking, line);
}

static struct status refuse_blocked(const struct drop_set *set, uint32_t dropped)
{
    if (set->blocking == NULL) return STATUS_OK;
    const struct table_desc *table = set->blocked;
    struct arena *arena = set->context->arena;
    struct status st =
        set->what != NULL
            ? ddl_error(set->context, E_DEPENDENT_OBJECTS_EXIST,
                  "cannot drop %s because other objects depend on it", set->what)
        : dropped > 1
            ? ddl_error(set->context, E_DEPENDENT_OBJECTS_EXIST,
                  "cannot drop desired object(s) because other objects depend on them")
            : ddl_error(set->context, E_DEPENDENT_OBJECTS_EXIST,
                  "cannot drop %s %s because other objects depend on it", ddl_kind_of(table), ddl_shown(set->context, table));
    st = status_detail(arena, st, "%s", set->blocking);
    return status_hint(arena, st, "Use DROP ... CASCADE to drop the dependent objects too.");
}

static struct status drop_one(struct drop_set *set, struct table_desc *table);
static struct status drop_functions_of(struct drop_set *set, const struct table_desc *table);

// Foreign keys of other tables that point here.
static struct status drop_incoming(struct drop_set *set, struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;

    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        struct fk_back_reference reference = table->referenced_by[i];
        struct table_desc *child;
        if (reference.table_id == table->id || set_has(set, reference.table_id)) continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, reference.table_id, &child));
        for (uint32_t k = 0; k < child->constraint_count; k++) {
            struct constraint_desc key = child->constraints[k];
            if (key.id != reference.constraint_id) continue;
            if (set->behavior != DROP_CASCADE) {
                in_the_way(set, table,
                    arena_printf(context->arena, "constraint %s on table %s depends on table %s",
                        key.name, ddl_shown(context, child), ddl_shown(context, table)));
                break;
            }
            ddl_cascades_to(context, "constraint %s on table %s", key.name, ddl_shown(context, child));
            DDL_REMOVE(child->constraints, child->constraint_count, k);
            break;
        }
        TRY(catalog_put_table(context->task, context->session, child));
    }
out:
    return st;
}

// This table's own foreign keys: the parents forget them.
static struct status drop_outgoing(struct drop_set *set, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;

    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *key = &table->constraints[i];
        struct table_desc *parent;
        if (key->kind != TABLE_FOREIGN_KEY || key->referenced_table == table->id ||
            set_has(set, key->referenced_table))
            continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, key->referenced_table, &parent));
        for (uint32_t k = 0; k < parent->referenced_by_count; k++) {
            if (parent->referenced_by[k].table_id != table->id ||
                parent->referenced_by[k].constraint_id != key->id)
                continue;
            DDL_REMOVE(parent->referenced_by, parent->referenced_by_count, k);
            break;
        }
        TRY(catalog_put_table(context->task, context->session, parent));
    }
out:
    return st;
}

static struct status drop_views_of(struct drop_set *set, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;

    for (uint32_t i = 0; i < table->depended_by_count; i++) {
        struct table_desc *view;
        if (set_has(set, table->depended_by[i])) continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, table->depended_by[i], &view));
        if (set->behavior != DROP_CASCADE) {
            in_the_way(set, table,
                arena_printf(context->arena, "%s %s depends on %s %s", ddl_kind_of(view), ddl_shown(context, view),
                    ddl_kind_of(table), ddl_shown(context, table)));
            set_add(set, view->id);
            TRY(drop_views_of(set, view));
            TRY(drop_functions_of(set, view));
            continue;
        }
        ddl_cascades_to(context, "%s %s", ddl_kind_of(view), ddl_shown(context, view));
        set_add(set, view->id);
        TRY(drop_one(set, view));
    }
out:
    return st;
}

static struct status forget_view(struct drop_set *set, const struct table_desc *view)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;
    for (uint32_t i = 0; i < view->depends_on_count; i++) {
        struct table_desc *used;
        if (set_has(set, view->depends_on[i])) continue;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, view->depends_on[i], &used));
        ddl_remove_id(used->depended_by, &used->depended_by_count, view->id);
        TRY(catalog_put_table(context->task, context->session, used));
    }
out:
    return st;
}

static struct status identity_needs(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column,
    const struct table_desc *sequence)
{
    struct status st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
        "cannot drop sequence %s because column %s of table %s requires it",
        ddl_shown(context, sequence), column->name, ddl_shown(context, table));
    return status_hint(context->arena, st, "You can drop column %s of table %s instead.",
        column->name, ddl_shown(context, table));
}

// Defaults that take their values from a sequence.
static struct status drop_users_of_sequence(struct drop_set *set, const struct table_desc *sequence)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;
    char *text = catalog_nextval_text(context->arena, sequence->id);

    // What the set's other sequences have changed since concerns those alone.
    if (set->all == NULL)
        TRY(catalog_list_tables(context->task, context->session, context->arena, sequence->database_id,
            &set->all, &set->all_count));
    const struct table_desc **tables = set->all;
    for (uint32_t i = 0; i < set->all_count; i++) {
        if (set_has(set, tables[i]->id)) continue;
        struct table_desc *edited = NULL;
        for (uint32_t k = 0; k < tables[i]->column_count; k++) {
            const struct column_desc *column = &tables[i]->columns[k];
            bool uses = column->default_sql != NULL && strstr(column->default_sql, text) != NULL;
            if (!uses && column->owned_sequence != sequence->id) continue;
            if (column->identity != 0)
                return identity_needs(context, tables[i], column, sequence);
            if (uses && set->behavior != DROP_CASCADE) {
                in_the_way(set, sequence,
                    arena_printf(context->arena,
                        "default value for column %s of table %s depends on sequence %s",
                        column->name, ddl_shown(context, tables[i]), ddl_shown(context, sequence)));
                continue;
            }
            if (edited == NULL)
                TRY(catalog_edit_table(
                    context->task, context->session, context->arena, tables[i]->id, &edited));
            if (uses)
                ddl_cascades_to(context, "default value for column %s of table %s",
                    column->name, ddl_shown(context, edited));
            if (uses) edited->columns[k].default_sql = NULL;
            if (column->owned_sequence == sequence->id) edited->columns[k].owned_sequence = 0;
        }
        if (edited != NULL) TRY(catalog_put_table(context->task, context->session, edited));
    }
out:
    return st;
}

static struct status drop_owned_sequences(struct drop_set *set, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct table_desc *sequence;
        if (table->columns[i].owned_sequence == 0 || set_has(set, table->columns[i].owned_sequence))
            continue;
        TRY(catalog_edit_table(context->task, context->session, context->arena,
            table->columns[i].owned_sequence, &sequence));
        set_add(set, sequence->id);
        bool first = set->blocked == NULL;
        TRY(drop_one(set, sequence));
        if (first && set->blocked != NULL) set->blocked = table; // That is what was asked for.
    }
out:
    return st;
}

static struct status drop_names(struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    TRY(catalog_free_name(
        context->task, context->session, table->database_id, table->schema_id, table->name));
    for (uint32_t i = 0; i < table->index_count; i++)
        TRY(catalog_free_name(context->task, context->session, table->database_id, table->schema_id,
            table->indexes[i].name));
out:
    return st;
}

// A function takes or gives rows of the table, or arrays of them.
static bool takes_rows(const struct table_desc *function, uint32_t table_id, bool *arrays)
{
    type_oid result = function->function.result.oid;
    bool takes = type_is_user(result) && type_user_id(result) == table_id;
    *arrays = takes && type_is_array(result);
    for (uint32_t i = 0; i < function->column_count; i++) {
        type_oid of = function->columns[i].type.oid;
        if (!type_is_user(of) || type_user_id(of) != table_id) continue;
        *arrays = !takes ? type_is_array(of) : *arrays && type_is_array(of);
        takes = true;
    }
    return takes;
}

static bool reads_in_body(const struct table_desc *function, uint32_t table_id)
{
    for (uint32_t i = 0; i < function->depends_on_count; i++)
        if (function->depends_on[i] == table_id) return true;
    return false;
}

// Functions of the relation's rows, and those with the relation in an SQL-standard body, are in the way, or go with it.
static struct status drop_functions_of(struct drop_set *set, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;
    const struct table_desc **functions;
    uint32_t count;

    if (table->kind != RELATION_TABLE && table->kind != RELATION_VIEW) return st;
    TRY(catalog_list_functions(
        context->task, context->session, context->arena, table->database_id, &functions, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool arrays;
        const bool takes = takes_rows(functions[i], table->id, &arrays);
        if ((!takes && !reads_in_body(functions[i], table->id)) || set_has(set, functions[i]->id)) continue;
        const char *text = ddl_routine_text(context, functions[i]);
        set_add(set, functions[i]->id);
        if (set->behavior != DROP_CASCADE) {
            in_the_way(set, table,
                arena_printf(context->arena, "function %s depends on %s %s%s", text, takes ? "type" : ddl_kind_of(table),
                    ddl_shown(context, table), arrays ? "[]" : ""));
            continue;
        }
        ddl_cascades_to(context, "function %s", text);
        TRY(ddl_drop_function(context, functions[i], DROP_CASCADE));
    }
out:
    return st;
}

// The relation is in the set already.
static struct status drop_one(struct drop_set *set, struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct statement_context *context = set->context;

    if (set->behavior != DROP_CASCADE) TRY(drop_functions_of(set, table));
    if (table->kind == RELATION_TABLE) {
        // In the order in which they were made, as PostgreSQL tells them.
        bool views_first = table->depended_by_count > 0 && table->referenced_by_count > 0 &&
                           table->depended_by[0] < table->referenced_by[0].table_id;
        if (views_first) TRY(drop_views_of(set, table));
        TRY(drop_incoming(set, table));
        if (!views_first) TRY(drop_views_of(set, table));
        TRY(drop_outgoing(set, table));
        TRY(drop_owned_sequences(set, table));
    }
    if (table->kind == RELATION_SEQUENCE) {
        TRY(drop_users_of_sequence(set, table));
        TRY(kv_delete(context->task, context->session->txn,
            catalog_sequence_key(context->arena, context->session->tenant, table->id)));
    }
    if (table->kind == RELATION_VIEW || table->materialized) TRY(forget_view(set, table));
    TRY(drop_views_of(set, table));
    // Their views that read the table, too, are gone by now.
    if (set->behavior == DROP_CASCADE) TRY(drop_functions_of(set, table));
    if (set->blocked == NULL && (table->kind != RELATION_VIEW || table->materialized))
        TRY(relation_refuse_used(context, table, "DROP TABLE"));
    TRY(drop_names(context, table));
    TRY(catalog_delete_descriptor(context->task, context->session, table->id));
    TRY(kv_delete(context->task, context->session->txn,
        catalog_statistics_key(context->arena, context->session->tenant, table->id)));
    TRY(ddl_delete_comments(context, COMMENT_ON_RELATION, table->id));
    TRY(ddl_forget_statistics(context, table));
    if (table->kind == RELATION_TABLE) TRY(ddl_erase_later(context, table->id, NULL, 0));
out:
    return st;
}

struct status ddl_drop_relation(
    struct statement_context *context, struct table_desc *table, enum drop_behavior behavior)
{
    struct drop_set set = {.context = context, .behavior = behavior};
    set_add(&set, table->id);
    // An owned sequence goes with its column, which has let go of it.
    if (table->kind == RELATION_SEQUENCE && table->sequence.owner_table != 0)
        set_add(&set, table->sequence.owner_table);
    struct status st = drop_one(&set, table);
    return failed(st) ? st : refuse_blocked(&set, 1);
}

struct status ddl_drop_column_sequence(struct statement_context *context, const struct table_desc *table,
    const char *column, struct table_desc *sequence, enum drop_behavior behavior)
{
    struct drop_set set = {.context = context, .behavior = behavior};
    set.what = arena_printf(context->arena, "column %s of table %s", column, ddl_shown(context, table));
    set_add(&set, sequence->id);
    struct status st = drop_one(&set, sequence);
    return failed(st) ? st : refuse_blocked(&set, 1);
}

// --- DROP TABLE, VIEW, SEQUENCE ----------------------------------------------------------------------

struct status ddl_use_other_drop(
    struct statement_context *context, struct status refused, const struct object_name *name)
{
    const struct table_desc *found;
    enum other_relation other;
    struct status st = catalog_other_relation(
        context->task, context->session, name->catalog, name->schema, name->name, &other);
    if (!failed(st) && other == OTHER_COMPOSITE)
        return status_hint(context->arena, refused, "Use DROP TYPE to remove a type.");
    st = catalog_table(
        context->task, context->session, name->catalog, name->schema, name->name, true, &found);
    if (failed(st) || found == NULL) return refused;
    const char *kind = ddl_kind_of(found), *verb = found->materialized ? "MATERIALIZED VIEW"
                       : found->kind == RELATION_VIEW              ? "VIEW"
                       : found->kind == RELATION_SEQUENCE          ? "SEQUENCE"
                                                                   : "TABLE";
    return status_hint(context->arena, refused, "Use DROP %s to remove a %s.", verb, kind);
}

static struct status drop_relations(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    struct drop_set set = {.context = context, .behavior = drop->behavior};
    struct table_desc **tables =
        ARENA_ARRAY(context->arena, struct table_desc *, drop->names.count);
    uint32_t count = 0;

    for (uint32_t i = 0; i < drop->names.count; i++) {
        struct table_desc *table;
        st = ddl_edit(context, &drop->names.items[i], drop->if_exists, drop->object, &table);
        if (status_is(st, E_WRONG_OBJECT_TYPE)) TRY(ddl_use_other_drop(context, st, &drop->names.items[i]));
        TRY(st);
        if (table == NULL || set_has(&set, table->id)) continue;
        if (table->id < CATALOG_FIRST_ID && !context->session->internal)
            return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
                "permission denied: \"%s\" is a system table", table->name);
        set_add(&set, table->id);
        tables[count++] = table;
    }
    for (uint32_t i = 0; i < count; i++) {
        // What was dropped before may have changed it.
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, tables[i]->id, &tables[i]));
        TRY(drop_one(&set, tables[i]));
    }
    TRY(refuse_blocked(&set, count));
out:
    return st;
}

// --- what belongs together ---------------------------------------------------------------------------

// *object NULL when it is gone already: with another one of the set.
static struct status edit_if_there(struct statement_context *context, uint32_t id, struct table_desc **object)
{
    struct status st = catalog_edit_table(context->task, context->session, context->arena, id, object);
    if (!status_is(st, E_UNDEFINED_TABLE)) return st;
    *object = NULL;
    return STATUS_OK;
}

static bool is_relation(const struct table_desc *object)
{
    return object->kind == RELATION_TABLE || object->kind == RELATION_VIEW || object->kind == RELATION_SEQUENCE;
}

static bool is_function(const struct table_desc *object)
{
    return object->kind == RELATION_FUNCTION;
}
static bool is_type(const struct table_desc *object)
{
    return relation_is_type(object->kind);
}
static bool is_collation(const struct table_desc *object)
{
    return object->kind == RELATION_COLLATION;
}

// In the order in which they go: a type's users may be functions.
static const struct other_kind {
    bool (*is)(const struct table_desc *object);
    struct status (*drop)(
        struct statement_context *context, const struct table_desc *object, enum drop_behavior behavior);
    struct status (*remove)(struct statement_context *context, const struct table_desc *object);
} other_kinds[] = {{is_function, ddl_drop_function, ddl_remove_function}, {is_type, ddl_drop_type, ddl_remove_type},
    {is_collation, ddl_drop_collation, ddl_remove_collation}};

// Those of the set's first `count` that are of the kind, the last that was made first.
static struct status drop_others(struct drop_set *set, uint32_t count, const struct other_kind *kind, bool everything)
{
    struct status st = STATUS_OK;
    for (uint32_t i = count; i-- > 0;) {
        struct table_desc *object;
        TRY(edit_if_there(set->context, set->ids[i], &object));
        if (object == NULL || !kind->is(object)) continue;
        TRY(everything ? kind->remove(set->context, object) : kind->drop(set->context, object, set->behavior));
    }
out:
    return st;
}

// What is in the schema and not in the set is in the way, or goes with it.
static struct status add_schema(struct drop_set *set, const struct schema_desc *schema)
{
    struct status st;
    struct ddl_members members;
    TRY(ddl_schema_members(set->context, schema, &members));
    for (uint32_t i = 0; i < members.count; i++) {
        const struct ddl_member *member = &members.items[i];
        if (set_has(set, member->id)) continue;
        set_add(set, member->id);
        if (set->behavior == DROP_CASCADE)
            ddl_cascades_to(set->context, "%s", member->text);
        else
            in_the_way(set, NULL,
                arena_printf(set->context->arena, "%s depends on schema %s", member->text, schema->name));
    }
out:
    return st;
}

struct status ddl_drop_together(
    struct statement_context *context, const struct ddl_drop_list *list, enum drop_behavior behavior)
{
    struct status st = STATUS_OK;
    struct drop_set set = {.context = context, .behavior = behavior};
    set.ids = ARENA_ARRAY(context->arena, uint32_t, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) set.ids[set.count++] = list->objects[i]->id;
    if (list->count == 0 && list->schema_count == 1)
        set.what = arena_printf(context->arena, "schema %s", list->schemas[0]->name);
    for (uint32_t i = 0; i < list->schema_count; i++) TRY(add_schema(&set, list->schemas[i]));
    const uint32_t count = set.count; // More come, which their dropping drops.
    for (uint32_t i = 0; i < count && (behavior == DROP_CASCADE || i < list->count); i++) {
        struct table_desc *table;
        TRY(edit_if_there(context, set.ids[i], &table));
        if (table != NULL && is_relation(table)) TRY(drop_one(&set, table));
    }
    TRY(refuse_blocked(&set, list->count + list->schema_count));
    for (size_t k = 0; k < sizeof other_kinds / sizeof *other_kinds; k++)
        TRY(drop_others(&set, count, &other_kinds[k], list->everything));
    for (uint32_t i = 0; i < list->schema_count; i++) TRY(ddl_remove_schema(context, list->schemas[i]));
out:
    return st;
}

// What does not exist here can be dropped if it exists.
static struct status drop_unknown(struct statement_context *context)
{
    const struct drop *drop = context->statement->as.drop;
    const char *kind = object_kind_name(drop->object);
    const char *name = drop->parts.count > 0 ? drop->parts.items[0] : drop->names.items[0].name;
    switch (drop->object) {
    case OBJECT_AGGREGATE:
    case OBJECT_TRIGGER:
    case OBJECT_EXTENSION: break;
    default: return ddl_unsupported(context, statement_name(context->statement));
    }
    if (drop->object == OBJECT_EXTENSION && pg_extension_oid(name) != 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "DROP EXTENSION of \"%s\" is not supported", name);
    if (!drop->if_exists)
        return ddl_error(context, E_UNDEFINED_OBJECT,
            "%s \"%s\" does not exist", kind, name);
    ddl_notice(context, "%s \"%s\" does not exist, skipping", kind, name);
    return STATUS_OK;
}

struct status ddl_drop(struct statement_context *context)
{
    const struct drop *drop = context->statement->as.drop;
    switch (drop->object) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATERIALIZED_VIEW:
    case OBJECT_SEQUENCE: return drop_relations(context);
    case OBJECT_INDEX: return ddl_drop_indexes(context);
    case OBJECT_SCHEMA: return ddl_drop_schemas(context);
    case OBJECT_DATABASE: return ddl_drop_database(context);
    case OBJECT_TYPE:
    case OBJECT_DOMAIN: return ddl_drop_types(context);
    case OBJECT_COLLATION: return ddl_drop_collations(context);
    case OBJECT_STATISTICS: return ddl_drop_statistics(context);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE: return ddl_drop_functions(context);
    default: return drop_unknown(context);
    }
}
