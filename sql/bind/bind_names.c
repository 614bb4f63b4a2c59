// SPDX-License-Identifier: GPL-3.0-or-later
//
// First step of binding: which relations may the statement mean? Names are gathered on the big stack
// (without waiting), fetched from the catalog on the fiber, and again for what views and foreign keys
// lead to, until nothing new turns up.
#include <stdlib.h>

#include "core/task.h"
#include "sql/bind/bind.h"
#include "sql/function/function_sql.h"
#include "sql/parse/parse.h"
#include "sql/plan/statistics.h"
#include "sql/session/long_parse.h"
#include "sql/type/type_reference.h"

#define RELATIONS_MAX 4096u

// What a name stands for when it is no table: an entry for each `enum other_relation`.
static struct relation missing_relations[OTHER_DENIED + 1];

static bool is_missing(const struct relation *relation)
{
    return relation >= missing_relations && relation <= missing_relations + OTHER_DENIED;
}


struct gathered {
    const struct object_name *name;
    const char *alias; // Or NULL.
    bool written;      // Target of INSERT, UPDATE or DELETE.
};

struct gather {
    struct arena *arena;
    struct gathered *items;
    uint32_t count, capacity;
    const struct expr **columns; // References that may mean a whole row: t, t.*, t.c where t has no column c.
    uint32_t column_count, column_capacity;
    const struct type_name **types; // Of casts: names that no built-in type has.
    uint32_t type_count;
    const char **schemas; // That names are written with.
    uint32_t schema_count;
    const struct statement *statement;
    const struct select *select;
};

static void gather_schema(struct gather *gather, const char *schema)
{
    uint32_t id;
    if (schema == NULL || strcmp(schema, "pg_catalog") == 0 || type_is_reference(schema, &id) ||
        function_is_reference(schema, &id))
        return;
    for (uint32_t i = 0; i < gather->schema_count; i++)
        if (strcmp(gather->schemas[i], schema) == 0) return;
    gather->schemas = arena_grow(gather->arena, gather->schemas, gather->schema_count * sizeof *gather->schemas,
        (gather->schema_count + 1) * sizeof *gather->schemas);
    gather->schemas[gather->schema_count++] = schema;
}

static void gather_type(struct gather *gather, const struct type_name *type)
{
    gather_schema(gather, type->schema);
    if (type_by_name(type->name) != NULL &&
        (type->schema == NULL || strcmp(type->schema, "pg_catalog") == 0))
        return;
    gather->types = arena_grow(gather->arena, gather->types,
        gather->type_count * sizeof *gather->types,
        (gather->type_count + 1) * sizeof *gather->types);
    gather->types[gather->type_count++] = type;
}

static void gather_select(struct gather *gather, const struct select *select);
static void gather_statement(struct gather *gather, const struct statement *statement);

static void gather_name(struct gather *gather, const struct object_name *name, const char *alias, bool written)
{
    if (gather->count == gather->capacity) {
        uint32_t capacity = gather->capacity == 0 ? 8 : gather->capacity * 2;
        gather->items = arena_grow(gather->arena, gather->items,
            gather->capacity * sizeof *gather->items, capacity * sizeof *gather->items);
        gather->capacity = capacity;
    }
    gather->items[gather->count++] = (struct gathered){name, alias, written};
    gather_schema(gather, name->schema);
}

static void gather_column(struct gather *gather, const struct expr *expr)
{
    if (expr->column.count == 0) return;
    if (gather->column_count == gather->column_capacity) {
        uint32_t capacity = gather->column_capacity == 0 ? 16 : gather->column_capacity * 2;
        gather->columns = arena_grow(gather->arena, gather->columns,
            gather->column_capacity * sizeof *gather->columns, capacity * sizeof *gather->columns);
        gather->column_capacity = capacity;
    }
    gather->columns[gather->column_count++] = expr;
}

static void gather_expr(struct gather *gather, const struct expr *expr);

static void gather_list(struct gather *gather, const struct expr_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) gather_expr(gather, list->items[i]);
}

static void gather_sort(struct gather *gather, const struct sort_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) gather_expr(gather, list->items[i].expr);
}

static void gather_window(struct gather *gather, const struct window *window)
{
    gather_list(gather, &window->partition_by);
    gather_sort(gather, &window->order_by);
    gather_expr(gather, window->start_offset);
    gather_expr(gather, window->end_offset);
}

static void gather_case(struct gather *gather, const struct expr *expr)
{
    gather_expr(gather, expr->casing.arg);
    for (uint32_t i = 0; i < expr->casing.count; i++) {
        gather_expr(gather, expr->casing.whens[i].condition);
        gather_expr(gather, expr->casing.whens[i].result);
    }
    gather_expr(gather, expr->casing.otherwise);
}

static void gather_xml(struct gather *gather, const struct xml_expr *xml)
{
    if (xml->type != NULL) gather_type(gather, xml->type);
    for (uint32_t i = 0; i < xml->named_count; i++) gather_expr(gather, xml->named[i].value);
    gather_list(gather, &xml->args);
    for (uint32_t i = 0; i < xml->column_count; i++) {
        if (xml->columns[i].type != NULL) gather_type(gather, xml->columns[i].type);
        gather_expr(gather, xml->columns[i].path);
        gather_expr(gather, xml->columns[i].otherwise);
    }
}

static void gather_expr(struct gather *gather, const struct expr *expr)
{
    if (expr == NULL) return;
    switch (expr->kind) {
    case EXPR_COLUMN: gather_column(gather, expr); break;
    case EXPR_OPERATOR:
        gather_schema(gather, expr->op.schema);
        gather_expr(gather, expr->op.left);
        gather_expr(gather, expr->op.right);
        break;
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_COALESCE:
    case EXPR_GREATEST:
    case EXPR_LEAST:
    case EXPR_ARRAY:
    case EXPR_GROUPING: gather_list(gather, &expr->list); break;
    case EXPR_NOT: gather_expr(gather, expr->unary.arg); break;
    case EXPR_IS: gather_expr(gather, expr->is.arg); break;
    case EXPR_DISTINCT:
        gather_expr(gather, expr->distinct.left);
        gather_expr(gather, expr->distinct.right);
        break;
    case EXPR_BETWEEN:
        gather_expr(gather, expr->between.arg);
        gather_expr(gather, expr->between.low);
        gather_expr(gather, expr->between.high);
        break;
    case EXPR_IN:
        gather_expr(gather, expr->in.arg);
        gather_list(gather, &expr->in.items);
        break;
    case EXPR_LIKE:
        gather_expr(gather, expr->like.arg);
        gather_expr(gather, expr->like.pattern);
        gather_expr(gather, expr->like.escape);
        break;
    case EXPR_ANY_ALL:
        gather_expr(gather, expr->any_all.left);
        gather_expr(gather, expr->any_all.array);
        break;
    case EXPR_FUNCTION:
        gather_schema(gather, expr->function->schema);
        gather_list(gather, &expr->function->args);
        gather_sort(gather, &expr->function->order_by);
        gather_expr(gather, expr->function->filter);
        if (expr->function->over != NULL) gather_window(gather, expr->function->over);
        break;
    case EXPR_CAST:
        gather_type(gather, expr->cast.type);
        gather_expr(gather, expr->cast.arg);
        break;
    case EXPR_CASE: gather_case(gather, expr); break;
    case EXPR_NULLIF:
        gather_expr(gather, expr->nullif.left);
        gather_expr(gather, expr->nullif.right);
        break;
    case EXPR_SUBLINK:
        gather_expr(gather, expr->sublink.test);
        gather_select(gather, expr->sublink.query);
        break;
    case EXPR_SUBSCRIPT:
        gather_expr(gather, expr->subscript.arg);
        gather_expr(gather, expr->subscript.lower);
        gather_expr(gather, expr->subscript.upper);
        break;
    case EXPR_FIELD: gather_expr(gather, expr->field.arg); break;
    case EXPR_ROW: gather_list(gather, &expr->row.items); break;
    case EXPR_COLLATE:
        gather_schema(gather, expr->collate.name.schema);
        gather_expr(gather, expr->collate.arg);
        break;
    case EXPR_GROUPING_SET: gather_list(gather, &expr->grouping_set.items); break;
    case EXPR_NAMED_ARGUMENT: gather_expr(gather, expr->named_argument.arg); break;
    case EXPR_XML: gather_xml(gather, expr->xml); break;
    default: break;
    }
}

static void gather_from(struct gather *gather, const struct from_item *item)
{
    switch (item->kind) {
    case FROM_TABLE:
        gather_name(gather, &item->table.name, item->alias, false);
        if (item->table.sample == NULL) break;
        gather_list(gather, &item->table.sample->args);
        gather_expr(gather, item->table.sample->repeatable);
        break;
    case FROM_SUBQUERY: gather_select(gather, item->query); break;
    case FROM_FUNCTION: gather_list(gather, &item->function.calls); break;
    case FROM_JOIN:
        gather_from(gather, item->join.left);
        gather_from(gather, item->join.right);
        gather_expr(gather, item->join.on);
        break;
    case FROM_STATEMENT: gather_statement(gather, item->statement); break;
    }
}

static void gather_targets(struct gather *gather, const struct target_list *targets)
{
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct expr *expr = targets->items[i].expr;
        bool star = expr != NULL && expr->kind == EXPR_COLUMN && expr->column.star; // Its columns, one by one.
        if (!star) gather_expr(gather, expr);
    }
}

static void gather_with(struct gather *gather, const struct with_clause *with)
{
    if (with == NULL) return;
    for (uint32_t i = 0; i < with->count; i++) {
        const struct cte_cycle *cycle = with->items[i].cycle;
        gather_statement(gather, with->items[i].statement);
        if (cycle == NULL) continue;
        gather_expr(gather, cycle->value);
        gather_expr(gather, cycle->otherwise);
    }
}

static void gather_from_list(struct gather *gather, const struct from_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) gather_from(gather, list->items[i]);
}

static void gather_select(struct gather *gather, const struct select *select)
{
    if (select == NULL) return;
    gather_with(gather, select->with);
    gather_list(gather, &select->distinct_on);
    gather_targets(gather, &select->targets);
    gather_from_list(gather, &select->from);
    gather_expr(gather, select->where);
    gather_list(gather, &select->group_by);
    gather_expr(gather, select->having);
    for (uint32_t i = 0; i < select->window_count; i++)
        gather_window(gather, &select->windows[i]);
    for (uint32_t i = 0; i < select->row_count; i++) gather_list(gather, &select->rows[i]);
    gather_select(gather, select->left);
    gather_select(gather, select->right);
    gather_sort(gather, &select->order_by);
    gather_expr(gather, select->limit);
    gather_expr(gather, select->offset);
}

static void gather_assignments(struct gather *gather, const struct assignment_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) gather_expr(gather, list->items[i].value);
}

static void gather_insert(struct gather *gather, const struct insert *insert)
{
    gather_with(gather, insert->with);
    gather_name(gather, &insert->target.name, insert->target.alias, true);
    if (insert->conflict_assignments.count > 0) gather_name(gather, &insert->target.name, "excluded", true);
    gather_select(gather, insert->source);
    gather_assignments(gather, &insert->conflict_assignments);
    gather_expr(gather, insert->conflict_where);
    gather_targets(gather, &insert->returning);
}

static void gather_statement(struct gather *gather, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_SELECT: gather_select(gather, statement->as.select); break;
    case STATEMENT_INSERT: gather_insert(gather, statement->as.insert); break;
    case STATEMENT_UPDATE:
        gather_with(gather, statement->as.update->with);
        gather_name(gather, &statement->as.update->target.name, statement->as.update->target.alias, true);
        gather_assignments(gather, &statement->as.update->assignments);
        gather_from_list(gather, &statement->as.update->from);
        gather_expr(gather, statement->as.update->where);
        gather_sort(gather, &statement->as.update->order_by);
        gather_targets(gather, &statement->as.update->returning);
        break;
    case STATEMENT_DELETE:
        gather_with(gather, statement->as.delete_->with);
        gather_name(gather, &statement->as.delete_->target.name, statement->as.delete_->target.alias, true);
        gather_from_list(gather, &statement->as.delete_->from);
        gather_expr(gather, statement->as.delete_->where);
        gather_sort(gather, &statement->as.delete_->order_by);
        gather_targets(gather, &statement->as.delete_->returning);
        break;
    default: break;
    }
}

static void gather_on_stack(void *arg)
{
    struct gather *gather = arg;
    if (gather->statement != NULL) gather_statement(gather, gather->statement);
    if (gather->select != NULL) gather_select(gather, gather->select);
}

// --- descriptors -------------------------------------------------------------------------------------

static const char *copy_text(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strdup(arena, text);
}

static void *copy_array(struct arena *arena, const void *array, size_t size)
{
    if (array == NULL || size == 0) return NULL;
    void *copy = arena_alloc(arena, size);
    memcpy(copy, array, size);
    return copy;
}
#define COPY_ARRAY(arena, array, count) \
    copy_array((arena), (array), (size_t)(count) * sizeof *(array))

static void copy_indexes(struct arena *arena, struct table_desc *copy)
{
    copy->indexes = COPY_ARRAY(arena, copy->indexes, copy->index_count);
    for (uint32_t i = 0; i < copy->index_count; i++) {
        struct index_desc *index = &copy->indexes[i];
        index->name = copy_text(arena, index->name);
        index->columns = COPY_ARRAY(arena, index->columns, index->column_count);
        for (uint32_t c = 0; c < index->column_count; c++)
        {
            index->columns[c].expression_sql = copy_text(arena, index->columns[c].expression_sql);
            index->columns[c].collation = copy_text(arena, index->columns[c].collation);
        }
        index->stored = COPY_ARRAY(arena, index->stored, index->stored_count);
        index->predicate_sql = copy_text(arena, index->predicate_sql);
    }
}

static void copy_constraints(struct arena *arena, struct table_desc *copy)
{
    copy->constraints = COPY_ARRAY(arena, copy->constraints, copy->constraint_count);
    for (uint32_t i = 0; i < copy->constraint_count; i++) {
        struct constraint_desc *constraint = &copy->constraints[i];
        constraint->name = copy_text(arena, constraint->name);
        constraint->check_sql = copy_text(arena, constraint->check_sql);
        constraint->columns = COPY_ARRAY(arena, constraint->columns, constraint->column_count);
        constraint->referenced_columns =
            COPY_ARRAY(arena, constraint->referenced_columns, constraint->column_count);
    }
}

static void copy_statistics(struct arena *arena, struct table_desc *copy)
{
    copy->statistics = COPY_ARRAY(arena, copy->statistics, copy->statistics_count);
    for (uint32_t i = 0; i < copy->statistics_count; i++) {
        struct statistics_desc *each = &copy->statistics[i];
        each->name = copy_text(arena, each->name);
        each->owner = copy_text(arena, each->owner);
        each->columns = COPY_ARRAY(arena, each->columns, each->column_count);
        each->expressions = COPY_ARRAY(arena, each->expressions, each->expression_count);
        for (uint32_t k = 0; k < each->expression_count; k++)
            each->expressions[k].sql = copy_text(arena, each->expressions[k].sql);
    }
    copy->statistics_estimates =
        COPY_ARRAY(arena, copy->statistics_estimates, copy->statistics_estimate_count);
    for (uint32_t i = 0; i < copy->statistics_estimate_count; i++)
        statistics_estimate_copy(arena, &copy->statistics_estimates[i]);
}

static struct table_rewrite *copy_rewrite(struct arena *arena, const struct table_rewrite *rewrite)
{
    struct table_rewrite *copy = arena_alloc(arena, sizeof *copy);
    *copy = *rewrite;
    copy->target = table_desc_copy(arena, rewrite->target);
    copy->column_sql = COPY_ARRAY(arena, rewrite->column_sql, rewrite->column_count);
    for (uint32_t i = 0; i < copy->column_count; i++)
        copy->column_sql[i] = copy_text(arena, rewrite->column_sql[i]);
    copy->zone = copy_text(arena, rewrite->zone);
    return copy;
}

static struct privilege_grant *copy_grants(
    struct arena *arena, const struct privilege_grant *grants, uint32_t count)
{
    struct privilege_grant *copy = COPY_ARRAY(arena, grants, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i].role = copy_text(arena, grants[i].role);
        copy[i].grantor = copy_text(arena, grants[i].grantor);
    }
    return copy;
}

struct table_desc *table_desc_copy(struct arena *arena, const struct table_desc *table)
{
    struct table_desc *copy = arena_alloc(arena, sizeof *copy);
    *copy = *table;
    if (table->rewrite != NULL) copy->rewrite = copy_rewrite(arena, table->rewrite);
    copy->name = copy_text(arena, table->name);
    copy->columns = COPY_ARRAY(arena, table->columns, table->column_count);
    for (uint32_t i = 0; i < copy->column_count; i++) {
        struct column_desc *column = &copy->columns[i];
        column->name = copy_text(arena, column->name);
        column->default_sql = copy_text(arena, column->default_sql);
        column->generated_sql = copy_text(arena, column->generated_sql);
        column->collation = copy_text(arena, column->collation);
        if (column->missing.size > 0) column->missing = arena_copy(arena, column->missing);
        column->grants = copy_grants(arena, column->grants, column->grant_count);
    }
    copy_indexes(arena, copy);
    copy_constraints(arena, copy);
    copy->referenced_by = COPY_ARRAY(arena, table->referenced_by, table->referenced_by_count);
    copy->view_sql = copy_text(arena, table->view_sql);
    copy->depends_on = COPY_ARRAY(arena, table->depends_on, table->depends_on_count);
    copy->depended_by = NULL;
    copy->depended_by_count = 0;
    copy->owner = copy_text(arena, table->owner);
    copy->collation = copy_text(arena, table->collation);
    copy->grants = copy_grants(arena, table->grants, table->grant_count);
    if (table->column_estimates != NULL) {
        copy->column_estimates = COPY_ARRAY(arena, table->column_estimates, table->column_count);
        for (uint32_t i = 0; i < copy->column_count; i++) {
            struct column_estimate *estimate = &copy->column_estimates[i];
            estimate->bounds = COPY_ARRAY(arena, estimate->bounds, estimate->bound_count);
        }
    }
    copy_statistics(arena, copy);
    struct function_desc *function = &copy->function;
    function->statements = COPY_ARRAY(arena, function->statements, function->statement_count);
    for (uint32_t i = 0; i < function->statement_count; i++)
        function->statements[i].sql = copy_text(arena, function->statements[i].sql);
    function->settings = COPY_ARRAY(arena, function->settings, function->setting_count);
    for (uint32_t i = 0; i < function->setting_count; i++) {
        function->settings[i].name = copy_text(arena, function->settings[i].name);
        function->settings[i].value = copy_text(arena, function->settings[i].value);
    }
    function->cost = copy_text(arena, function->cost);
    function->rows = copy_text(arena, function->rows);
    copy->labels = COPY_ARRAY(arena, table->labels, table->label_count);
    for (uint32_t i = 0; i < copy->label_count; i++)
        copy->labels[i].name = copy_text(arena, copy->labels[i].name);
    return copy;
}

// --- fetching ----------------------------------------------------------------------------------------

static struct bytes name_key(struct arena *arena, const struct object_name *name)
{
    struct buffer key;
    buffer_init(&key, arena);
    if (name->catalog != NULL) buffer_append_string(&key, name->catalog);
    buffer_append_u8(&key, 0);
    if (name->schema != NULL) buffer_append_string(&key, name->schema);
    buffer_append_u8(&key, 0);
    buffer_append_string(&key, name->name);
    return buffer_bytes(&key);
}

struct relation *bind_names_find(const struct bind_names *names, const struct object_name *name)
{
    struct relation *relation = hashmap_get(&names->by_name, name_key(names->arena, name));
    return is_missing(relation) ? NULL : relation;
}

enum other_relation bind_names_other(const struct bind_names *names, const struct object_name *name)
{
    struct relation *relation = hashmap_get(&names->by_name, name_key(names->arena, name));
    return is_missing(relation) ? (enum other_relation)(relation - missing_relations) : OTHER_NOTHING;
}

struct relation *bind_names_by_id(const struct bind_names *names, uint32_t id)
{
    return hashmap_get_u64(&names->by_id, id);
}

static struct status add_type(
    struct task *task, struct session *session, struct bind_names *names, uint32_t id);

static struct status add_relation(struct task *task, struct session *session, struct bind_names *names,
    const struct table_desc *table, struct relation **out)
{
    struct status st = STATUS_OK;
    struct relation *relation = hashmap_get_u64(&names->by_id, table->id);
    const struct schema_desc *schema;
    *out = relation;
    if (relation != NULL) return STATUS_OK;
    if (names->count >= RELATIONS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "statement refers to too many relations");
    relation = ARENA_NEW(names->arena, struct relation);
    relation->table = table_desc_copy(names->arena, table);
    TRY(catalog_schema_by_id(task, session, relation->table->schema_id, &schema));
    relation->schema = arena_strdup(names->arena, schema->name);
    relation->used = ARENA_ARRAY(names->arena, uint32_t, table->column_count + 1u);
    if (names->count == names->capacity) {
        uint32_t capacity = names->capacity == 0 ? 8 : names->capacity * 2;
        names->list = arena_grow(names->arena, names->list,
            names->capacity * sizeof(struct relation *), capacity * sizeof(struct relation *));
        names->capacity = capacity;
    }
    names->list[names->count++] = relation;
    hashmap_put_u64(&names->by_id, relation->table->id, relation);
    *out = relation;

out:
    return st;
}

static struct status fetch_id(struct task *task, struct session *session, struct bind_names *names,
    uint32_t id, struct relation **out)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    *out = hashmap_get_u64(&names->by_id, id);
    if (*out != NULL) return st;
    TRY(catalog_table_by_id(task, session, id, &table));
    TRY(add_relation(task, session, names, table, out));

out:
    return st;
}

// --- schemas -----------------------------------------------------------------------------------------

static bool is_denied(const struct bind_names *names, const char *schema)
{
    for (uint32_t i = 0; schema != NULL && i < names->denied_count; i++)
        if (strcmp(names->denied[i], schema) == 0) return true;
    return false;
}

struct status bind_check_schema(const struct binder *binder, const char *schema)
{
    if (binder->names == NULL || !is_denied(binder->names, schema)) return STATUS_OK;
    return status_format(binder->arena, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", schema);
}

static bool asks_for_usage(const struct session *session)
{
    return !session->internal && !session->superuser && !session->path.kept;
}

static struct status note_schema(
    struct task *task, struct session *session, struct bind_names *names, const char *name, uint32_t *id)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    *id = 0;
    TRY(catalog_schema(task, session, NULL, name, true, &schema));
    if (schema == NULL || schema->database_id == 0) goto out;
    const uint32_t found = schema->id;
    st = catalog_check_usage(task, session, NULL, name);
    if (!failed(st)) *id = found;
    if (!status_is(st, E_INSUFFICIENT_PRIVILEGE)) goto out;
    st = STATUS_OK;
    names->denied = arena_grow(names->arena, names->denied, names->denied_count * sizeof *names->denied,
        (names->denied_count + 1) * sizeof *names->denied);
    names->denied[names->denied_count++] = arena_strdup(names->arena, name);

out:
    return st;
}

// Of the schemas that the statement itself says.
static struct status note_written_schemas(
    struct task *task, struct session *session, struct bind_names *names, const struct gather *gather)
{
    struct status st = STATUS_OK;
    if (gather->schema_count == 0 || !asks_for_usage(session)) return st;
    names->schemas = ARENA_ARRAY(names->arena, uint32_t, gather->schema_count);
    for (uint32_t i = 0; i < gather->schema_count; i++) {
        TRY(note_schema(task, session, names, gather->schemas[i], &names->schemas[names->schema_count]));
        if (names->schemas[names->schema_count] != 0) names->schema_count++;
    }

out:
    return st;
}

// Expressions of utility statements are not gathered from: all that they may find is asked for.
static struct status note_schemas_of_all(struct task *task, struct session *session, struct bind_names *names)
{
    struct status st = STATUS_OK;
    const char *known = NULL;
    uint32_t id;
    if (!asks_for_usage(session)) return st;
    const uint32_t routines = names->routine_count, types = routines + names->type_count;
    for (uint32_t i = 0; i < types + names->collation_count; i++) {
        const char *schema = i < routines ? names->routines[i].schema
                             : i < types  ? names->types[i - routines].schema
                                          : names->collations[i - types].schema;
        if (*schema == 0 || is_denied(names, schema) || (known != NULL && strcmp(known, schema) == 0)) continue;
        TRY(note_schema(task, session, names, schema, &id));
        known = schema;
    }

out:
    return st;
}

// A table's name can stand for the type of its rows; a type of that name comes first.
static struct status fetch_row_type(struct task *task, struct session *session,
    struct bind_names *names, const struct type_name *name)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    uint32_t id;
    TRY(catalog_type(task, session, NULL, name->schema, name->name, &found));
    if (found != NULL) return st;
    if (type_is_reference(name->schema, &id)) {
        st = add_type(task, session, names, id);
        return status_is(st, E_UNDEFINED_TABLE) ? STATUS_OK : st; // Binding says that there is none.
    }
    TRY(catalog_table(task, session, NULL, name->schema, name->name, true, &found));
    if (found != NULL && (found->kind == RELATION_TABLE || found->kind == RELATION_VIEW))
        TRY(add_type(task, session, names, found->id));

out:
    return st;
}

// Whether a reference may mean a row of the table as a whole, under the name that it has in FROM. What else that name may
// mean is not looked at: the type is known in vain then.
static bool may_mean_row(const struct gather *gather, const struct gathered *item, const struct table_desc *table)
{
    const char *name = item->alias != NULL ? item->alias : table->name;
    if (table->kind != RELATION_TABLE && table->kind != RELATION_VIEW) return false;
    for (uint32_t i = 0; i < gather->column_count; i++) {
        const struct expr *expr = gather->columns[i];
        uint32_t count = expr->column.count;
        const char *const *parts = expr->column.names;
        if ((count == 1 || expr->column.star) && strcmp(parts[count - 1], name) == 0) return true;
        if (count > 1 && strcmp(parts[count - 2], name) == 0 && table_column(table, parts[count - 1]) == NULL) return true;
    }
    return false;
}

static struct status fetch_names(struct task *task, struct session *session,
    struct bind_names *names, const struct gather *gather)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < gather->type_count; i++)
        if (!is_denied(names, gather->types[i]->schema)) TRY(fetch_row_type(task, session, names, gather->types[i]));
    for (uint32_t i = 0; i < gather->count; i++) {
        const struct object_name *name = gather->items[i].name;
        struct bytes key = name_key(names->arena, name);
        struct relation *relation = hashmap_get(&names->by_name, key);
        if (relation == NULL && is_denied(names, name->schema)) {
            relation = &missing_relations[OTHER_DENIED];
            hashmap_put(&names->by_name, key, relation);
        }
        if (relation == NULL) {
            const struct table_desc *table = NULL;
            TRY(catalog_table(
                task, session, name->catalog, name->schema, name->name, true, &table));
            if (table != NULL) {
                TRY(add_relation(task, session, names, table, &relation));
            } else {
                enum other_relation other;
                TRY(catalog_other_relation(
                    task, session, name->catalog, name->schema, name->name, &other));
                relation = &missing_relations[other];
            }
            hashmap_put(&names->by_name, key, relation);
        }
        if (is_missing(relation)) continue;
        relation->written |= gather->items[i].written;
        relation->whole |= may_mean_row(gather, &gather->items[i], relation->table);
    }

out:
    return st;
}

static struct status expand_view(struct task *task, struct session *session,
    struct bind_names *names, struct relation *relation)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = relation->table;
    struct statement_list list;
    const bool kept = session->path.kept;
    session->path.kept = true;
    relation->view_text = bytes_of_string(table->view_sql);
    TRY(long_parse_sql(task, session, names->arena, relation->view_text, &list));
    if (list.count != 1 || list.items[0]->tag != STATEMENT_SELECT)
        TRY(status_make(E_DATA_CORRUPTED, "stored view is not a query"));
    relation->view = list.items[0]->as.select;
    relation->depends = ARENA_ARRAY(names->arena, struct relation *, table->depends_on_count);
    for (uint32_t i = 0; i < table->depends_on_count; i++) {
        struct relation *used;
        TRY(fetch_id(task, session, names, table->depends_on[i], &used));
        relation->depends[relation->depend_count++] = used;
    }
    // What is not a stored dependency (virtual tables) is looked up by name.
    struct gather gather = {.arena = names->arena, .select = relation->view};
    stack_call(gather_on_stack, &gather);
    for (uint32_t i = 0; i < relation->depend_count; i++)
        for (uint32_t k = 0; k < gather.count; k++)
            if (strcmp(gather.items[k].name->name, relation->depends[i]->table->name) == 0)
                relation->depends[i]->whole |= may_mean_row(&gather, &gather.items[k], relation->depends[i]->table);
    TRY(fetch_names(task, session, names, &gather));

out:
    session->path.kept = kept;
    return st;
}

// Writing to a view is writing to the relation that it is over.
static bool pass_written(struct bind_names *names, const struct relation *view)
{
    const struct from_list *from = &view->view->from;
    bool passed = false;
    if (from->count != 1 || from->items[0]->kind != FROM_TABLE) return false;
    for (uint32_t i = 0; i < view->depend_count; i++) {
        struct relation *used = view->depends[i];
        const struct object_name *name = &from->items[0]->table.name;
        if (used->written || strcmp(used->table->name, name->name) != 0 ||
            (name->schema != NULL && strcmp(used->schema, name->schema) != 0))
            continue;
        used->written = passed = true;
        if (used->table->kind == RELATION_TABLE) used->expanded = false;
    }
    (void)names;
    return passed;
}

static bool action_writes(enum reference_action action)
{
    return action == REFERENCE_CASCADE || action == REFERENCE_SET_NULL ||
           action == REFERENCE_SET_DEFAULT;
}

static const struct constraint_desc *find_constraint(const struct table_desc *table, uint32_t id)
{
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].id == id) return &table->constraints[i];
    return NULL;
}

static struct status expand_written(struct task *task, struct session *session,
    struct bind_names *names, struct relation *relation)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = relation->table;
    struct relation *other;
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].kind == TABLE_FOREIGN_KEY)
            TRY(fetch_id(task, session, names, table->constraints[i].referenced_table, &other));
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        TRY(fetch_id(task, session, names, table->referenced_by[i].table_id, &other));
        const struct constraint_desc *constraint =
            find_constraint(other->table, table->referenced_by[i].constraint_id);
        if (constraint != NULL &&
            (action_writes(constraint->on_delete) || action_writes(constraint->on_update)))
            other->written = true;
    }

out:
    return st;
}

// --- types -------------------------------------------------------------------------------------------

struct bind_type *bind_names_type_by_id(const struct bind_names *names, uint32_t id)
{
    for (uint32_t i = 0; i < names->type_count; i++)
        if (names->types[i].type->id == id) return &names->types[i];
    return NULL;
}

struct bind_type *bind_names_type(const struct bind_names *names, const struct session *session,
    const char *schema, const char *name)
{
    uint32_t id;
    if (type_is_reference(schema, &id)) return bind_names_type_by_id(names, id);
    const char *const *path = session == NULL ? NULL : session->search_path;
    const char *const only[] = {schema, NULL};
    if (schema != NULL) path = only;
    for (; path != NULL && *path != NULL; path++)
        for (uint32_t i = 0; i < names->type_count; i++)
            if (strcmp(names->types[i].schema, *path) == 0 &&
                strcmp(names->types[i].type->name, name) == 0)
                return &names->types[i];
    return NULL;
}

void bind_names_use_type(const struct bind_names *names, uint32_t id)
{
    struct bind_type *type = bind_names_type_by_id(names, id);
    if (type == NULL || type->used) return;
    type->used = true;
    for (uint32_t i = 0; i < type->type->column_count; i++)
        if (type_is_user(type->type->columns[i].type.oid))
            bind_names_use_type(names, type_user_id(type->type->columns[i].type.oid));
    if (type->type->kind == RELATION_DOMAIN && type->type->columns[0].domain != 0)
        bind_names_use_type(names, type_user_id(type->type->columns[0].domain));
}

void bind_names_install_types(struct session *session, const struct bind_names *names)
{
    for (uint32_t i = 0; i < names->type_count; i++)
        catalog_type_install(session, names->types[i].type);
}

struct status bind_names_add_type(
    struct task *task, struct session *session, struct bind_names *names, uint32_t id)
{
    return add_type(task, session, names, id);
}

static int order_by_name(const void *a, const void *b)
{
    return strcmp(((const struct constraint_desc *)a)->name, ((const struct constraint_desc *)b)->name);
}

// What a domain over another one asks of its values is what that one does, and then what itself does.
static void put_beneath(struct arena *arena, struct table_desc *domain, const struct table_desc *beneath)
{
    const uint32_t count = beneath->constraint_count + domain->constraint_count;
    struct constraint_desc *all = ARENA_ARRAY(arena, struct constraint_desc, count + 1);
    if (beneath->constraint_count > 0)
        memcpy(all, beneath->constraints, beneath->constraint_count * sizeof *all);
    if (domain->constraint_count > 0)
        memcpy(all + beneath->constraint_count, domain->constraints, domain->constraint_count * sizeof *all);
    domain->constraints = all;
    domain->constraint_count = count;
    domain->columns[0].not_null |= beneath->columns[0].not_null;
}

static struct status add_type(
    struct task *task, struct session *session, struct bind_names *names, uint32_t id)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    const struct schema_desc *schema;
    if (bind_names_type_by_id(names, id) != NULL) return st;
    TRY(catalog_table_by_id(task, session, id, &found));
    if (!relation_is_type(found->kind) && found->kind != RELATION_TABLE &&
        found->kind != RELATION_VIEW)
        return status_make(E_DATA_CORRUPTED, "the catalog's type is something else");
    struct table_desc *desc = table_desc_copy(names->arena, found);
    struct bind_type type = {.type = desc};
    const struct bind_type *beneath = NULL;
    if (desc->kind == RELATION_DOMAIN && desc->columns[0].domain != 0) {
        TRY(add_type(task, session, names, type_user_id(desc->columns[0].domain)));
        beneath = bind_names_type_by_id(names, type_user_id(desc->columns[0].domain));
    }
    // PostgreSQL looks at conditions in the order of their names.
    if (desc->constraint_count > 1)
        qsort(desc->constraints, desc->constraint_count, sizeof *desc->constraints, order_by_name);
    TRY(catalog_schema_by_id(task, session, desc->schema_id, &schema));
    type.schema = arena_strdup(names->arena, schema->name);
    if (beneath != NULL) put_beneath(names->arena, desc, beneath->type);
    type.checks = ARENA_ARRAY(names->arena, struct expr *, desc->constraint_count);
    for (uint32_t i = 0; i < desc->constraint_count && desc->kind == RELATION_DOMAIN; i++)
        TRY(parse_expression_on_stack(
            names->arena, bytes_of_string(desc->constraints[i].check_sql), &type.checks[i]));
    names->types = arena_grow(names->arena, names->types, names->type_count * sizeof type,
        (names->type_count + 1) * sizeof type);
    names->types[names->type_count++] = type;
    for (uint32_t i = 0; i < desc->column_count; i++)
        if (type_is_user(desc->columns[i].type.oid))
            TRY(add_type(task, session, names, type_user_id(desc->columns[i].type.oid)));

out:
    return st;
}

static struct status add_column_types(struct task *task, struct session *session,
    struct bind_names *names, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t k = 0; k < table->column_count; k++) {
        const struct column_desc *column = &table->columns[k];
        if (type_is_user(column->type.oid))
            TRY(add_type(task, session, names, type_user_id(column->type.oid)));
        if (column->domain != 0)
            TRY(add_type(task, session, names, type_user_id(column->domain)));
    }
    if (table->rewrite != NULL)
        TRY(add_column_types(task, session, names, table->rewrite->target));

out:
    return st;
}

// Whoever reads or writes the column relies on the type.
static void use_column_types(struct bind_names *names, const struct table_desc *table)
{
    for (uint32_t k = 0; k < table->column_count; k++) {
        const struct column_desc *column = &table->columns[k];
        if (type_is_user(column->type.oid))
            bind_names_use_type(names, type_user_id(column->type.oid));
        if (column->domain != 0)
            bind_names_use_type(names, type_user_id(column->domain));
    }
    if (table->rewrite != NULL) use_column_types(names, table->rewrite->target);
}

// Those of the current database, which any name may mean, and those of the columns.
static struct status load_types(
    struct task *task, struct session *session, struct bind_names *names)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    TRY(catalog_database(task, session, session->database, true, &database));
    if (database != NULL && database->type_count > 0) {
        uint32_t count = database->type_count;
        const uint32_t *ids = COPY_ARRAY(names->arena, database->types, count);
        for (uint32_t i = 0; i < count; i++) TRY(add_type(task, session, names, ids[i]));
    }
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->list[i]->whole) TRY(add_type(task, session, names, names->list[i]->table->id));
        TRY(add_column_types(task, session, names, names->list[i]->table));
    }
    for (uint32_t i = 0; i < names->count; i++)
        use_column_types(names, names->list[i]->table);

out:
    return st;
}

struct status bind_names_load(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bind_names *names)
{
    struct status st = STATUS_OK;
    const bool kept = session->path.kept;
    session->path.kept |= session->frame != NULL && session->frame->kept;
    *names = (struct bind_names){.arena = arena};
    hashmap_init(&names->by_name, arena);
    hashmap_init(&names->by_id, arena);
    struct gather gather = {.arena = arena, .statement = statement};
    stack_call(gather_on_stack, &gather);
    TRY(note_written_schemas(task, session, names, &gather));
    TRY(fetch_names(task, session, names, &gather));
    // A relation marked as written after it was passed needs another round.
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < names->count; i++) {
            struct relation *relation = names->list[i];
            if (relation->table->kind == RELATION_VIEW && !relation->expanded) {
                relation->expanded = again = true;
                TRY(expand_view(task, session, names, relation));
            }
            if (relation->written && relation->table->kind == RELATION_VIEW)
                again |= pass_written(names, relation);
            if (relation->written && relation->table->kind == RELATION_TABLE &&
                !relation->expanded) {
                relation->expanded = again = true;
                TRY(expand_written(task, session, names, relation));
            }
        }
    }
    TRY(bind_routines_load(task, session, names));
    TRY(bind_collations_load(task, session, names));
    TRY(load_types(task, session, names));
    if (statement == NULL) TRY(note_schemas_of_all(task, session, names));

out:
    session->path.kept = kept;
    return st;
}
