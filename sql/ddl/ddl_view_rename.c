// SPDX-License-Identifier: GPL-3.0-or-later
//
// What views say of tables and columns that get other names.
#include "sql/ddl/ddl_internal.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"

struct view_ids {
    uint32_t *items;
    uint32_t count;
};

struct view_query { // A view's query, parsed and bound.
    struct table_desc *view;
    struct select *select;
    struct resolutions resolutions;
};

static struct status parse_query(
    struct statement_context *context, const char *sql, struct view_query *query)
{
    struct status st;
    struct statement_list list;
    struct plan *plan;
    struct bytes text = bytes_of_string(sql);
    TRY(parse_sql_on_stack(context->arena, text, &list));
    query->select = list.items[0]->as.select;
    const bool kept = context->session->path.kept;
    context->session->path.kept = true;
    st = plan_resolve(context->task, context->session, context->arena, list.items[0], text,
        NULL, 0, &query->resolutions, &plan);
    context->session->path.kept = kept;
out:
    return st;
}

static struct status load_query(
    struct statement_context *context, uint32_t view_id, struct view_query *query)
{
    struct status st;
    TRY(catalog_edit_table(context->task, context->session, context->arena, view_id, &query->view));
    st = parse_query(context, query->view->view_sql, query);
out:
    return st;
}

static bool joins_by(const struct resolutions *resolutions, const char *column)
{
    for (uint32_t i = 0; i < resolutions->join_count; i++)
        for (uint32_t k = 0; k < resolutions->joins[i].using.count; k++)
            if (strcmp(resolutions->joins[i].using.items[k], column) == 0) return true;
    return false;
}

static struct status table_of(struct statement_context *context, const struct from_item *item,
    const struct table_desc **table)
{
    const struct object_name *name = &item->table.name;
    return catalog_kept_table(
        context->task, context->session, name->catalog, name->schema, name->name, true, table);
}

// Whether the table's own name can change wherever the query says it: else it stays as an alias.
static bool name_can_follow(const struct ddl_tables *tables, const struct resolutions *resolutions,
    const char *from, const char *to)
{
    for (uint32_t i = 0; i < tables->count; i++)
        if (tables->items[i]->alias != NULL && strcmp(tables->items[i]->alias, from) == 0)
            return false;
    for (uint32_t i = 0; i < resolutions->count; i++)
        if (resolutions->items[i].range != NULL && strcmp(resolutions->items[i].range, to) == 0)
            return false;
    return true;
}

static bool is_meant(const struct table_desc *table, const struct ddl_rename_in_views *rename)
{
    if (table == NULL || table->id >= CATALOG_VIRTUAL_ID_FIRST) return false;
    return rename->table_id != 0 ? table->id == rename->table_id : table->schema_id == rename->schema_id;
}

// One place where the query says a table's name. `alias`: what it is called in the query.
static struct status rename_table(struct statement_context *context, struct ddl_kept_query *query,
    const struct ddl_rename_in_views *rename, struct object_name *name, const char **alias)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    const char *to = rename->new_table;
    TRY(catalog_kept_table(
        context->task, context->session, name->catalog, name->schema, name->name, true, &table));
    if (!is_meant(table, rename)) goto out;
    if (to != NULL && *alias == NULL) {
        if (name_can_follow(&query->tables, query->resolutions, name->name, to))
            resolutions_rename_table(query->resolutions, table->id, name->name, to);
        else
            *alias = name->name;
    }
    if (to != NULL) name->name = to;
    if (rename->new_schema != NULL) name->schema = rename->new_schema;
out:
    return st;
}

static struct status rename_tables(struct statement_context *context, struct ddl_kept_query *query,
    const struct ddl_rename_in_views *rename)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < query->tables.count; i++) {
        struct from_item *item = query->tables.items[i];
        TRY(rename_table(context, query, rename, &item->table.name, &item->alias));
    }
    for (uint32_t i = 0; i < query->tables.write_count; i++) {
        struct table_target *target = ddl_written_table(query->tables.writes[i]);
        TRY(rename_table(context, query, rename, &target->name, &target->alias));
    }
out:
    return st;
}

// A column that tables are joined by keeps its name within the query: t AS t (a, b).
static struct status keep_names(struct statement_context *context, const struct ddl_tables *tables,
    const struct ddl_rename_in_views *rename)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < tables->count; i++) {
        struct from_item *item = tables->items[i];
        const struct table_desc *table;
        TRY(table_of(context, item, &table));
        if (table == NULL || table->id != rename->table_id || item->column_aliases.count > 0)
            continue;
        if (item->alias == NULL) item->alias = item->table.name.name;
        for (uint32_t c = 0; c < table->column_count; c++)
            if (!table->columns[c].hidden && table->columns[c].state == ELEMENT_PUBLIC)
                DDL_APPEND(context->arena, item->column_aliases.items, item->column_aliases.count,
                    arena_strdup(context->arena, table->columns[c].name));
    }
out:
    return st;
}

static void rename_one(const char **name, const struct ddl_rename_in_views *rename)
{
    if (*name != NULL && strcmp(*name, rename->column) == 0) *name = rename->new_column;
}

static void rename_assigned(const struct assignment_list *list, const struct ddl_rename_in_views *rename)
{
    for (uint32_t i = 0; i < list->count; i++)
        for (uint32_t k = 0; k < list->items[i].count; k++) rename_one(&list->items[i].columns[k], rename);
}

// The columns that a statement writes to.
static struct status rename_written(struct statement_context *context, struct statement *statement,
    const struct ddl_rename_in_views *rename)
{
    struct status st = STATUS_OK;
    const struct object_name *name = &ddl_written_table(statement)->name;
    const struct table_desc *table;
    TRY(catalog_kept_table(
        context->task, context->session, name->catalog, name->schema, name->name, true, &table));
    if (!is_meant(table, rename)) goto out;
    if (statement->tag == STATEMENT_UPDATE) rename_assigned(&statement->as.update->assignments, rename);
    if (statement->tag != STATEMENT_INSERT) goto out;
    struct insert *insert = statement->as.insert;
    for (uint32_t i = 0; i < insert->columns.count; i++) rename_one(&insert->columns.items[i], rename);
    for (uint32_t i = 0; i < insert->conflict_elements.count; i++)
        rename_one(&insert->conflict_elements.items[i].column, rename);
    rename_assigned(&insert->conflict_assignments, rename);
out:
    return st;
}

struct status ddl_rename_in_query(struct statement_context *context, struct ddl_kept_query *query,
    const struct ddl_rename_in_views *rename)
{
    struct status st = STATUS_OK;
    if (rename->column == NULL) return rename_tables(context, query, rename);
    for (uint32_t i = 0; i < query->tables.write_count && !rename->of_type; i++)
        TRY(rename_written(context, query->tables.writes[i], rename));
    if (!rename->of_type && joins_by(query->resolutions, rename->column))
        return keep_names(context, &query->tables, rename);
    resolutions_rename_column(query->resolutions, rename->table_id, rename->column, rename->new_column);
out:
    return st;
}

static struct status rename_in(struct statement_context *context, struct view_query *query,
    const struct ddl_rename_in_views *rename)
{
    struct ddl_kept_query kept = {.resolutions = &query->resolutions};
    ddl_collect_tables(context->arena, query->select, &kept.tables);
    struct status st = ddl_rename_in_query(context, &kept, rename);
    query->view->view_sql = ddl_deparse_select(context->arena, query->select);
    return st;
}

static void add_ids(struct arena *arena, struct view_ids *ids, const struct table_desc *table)
{
    for (uint32_t i = 0; i < table->depended_by_count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < ids->count; k++) known |= ids->items[k] == table->depended_by[i];
        if (!known) DDL_APPEND(arena, ids->items, ids->count, table->depended_by[i]);
    }
}

// Nobody keeps which views are about a type: all of the database are looked at.
static struct status views_using_field(struct statement_context *context,
    const struct table_desc *type, const struct column_desc *field, struct view_ids *ids)
{
    struct status st = STATUS_OK;
    const struct table_desc **tables;
    uint32_t count;
    TRY(catalog_list_tables(context->task, context->session, context->arena, type->database_id,
        &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct view_query query;
        if (tables[i]->view_sql == NULL) continue;
        const uint32_t id = tables[i]->id;
        TRY(parse_query(context, arena_strdup(context->arena, tables[i]->view_sql), &query));
        if (resolutions_use(&query.resolutions, type->id, field->id))
            DDL_APPEND(context->arena, ids->items, ids->count, id);
    }
out:
    return st;
}

static struct status views_of(struct statement_context *context,
    const struct ddl_rename_in_views *rename, struct view_ids *ids)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    const struct table_desc *table, **tables;
    uint32_t count;
    if (rename->table_id != 0) {
        TRY(catalog_table_by_id(context->task, context->session, rename->table_id, &table));
        if (table->kind == RELATION_COMPOSITE)
            return views_using_field(context, table, table_column(table, rename->column), ids);
        add_ids(context->arena, ids, table);
        goto out;
    }
    TRY(catalog_schema_by_id(context->task, context->session, rename->schema_id, &schema));
    TRY(catalog_list_tables(context->task, context->session, context->arena, schema->database_id,
        &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        if (tables[i]->schema_id == rename->schema_id) add_ids(context->arena, ids, tables[i]);
out:
    return st;
}

struct status ddl_rename_in_views(
    struct statement_context *context, const struct ddl_rename_in_views *rename)
{
    struct status st = STATUS_OK;
    struct view_ids ids = {0};
    TRY(views_of(context, rename, &ids));
    struct table_desc **views = ARENA_ARRAY(context->arena, struct table_desc *, ids.count + 1u);
    // All are read before any is written: one may be over another.
    for (uint32_t i = 0; i < ids.count; i++) {
        struct view_query query;
        TRY(load_query(context, ids.items[i], &query));
        TRY(rename_in(context, &query, rename));
        views[i] = query.view;
    }
    TRY(ddl_rename_in_functions(context, rename));
    for (uint32_t i = 0; i < ids.count; i++)
        TRY(catalog_put_table(context->task, context->session, views[i]));
out:
    return st;
}

static struct status views_using(struct statement_context *context, const struct table_desc *table,
    const struct column_desc *column, struct table_desc ***views, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct view_ids all = {table->depended_by, table->depended_by_count};
    if (table->kind == RELATION_COMPOSITE) {
        all = (struct view_ids){0};
        TRY(views_using_field(context, table, column, &all));
    }
    *views = ARENA_ARRAY(context->arena, struct table_desc *, all.count + 1u);
    *count = 0;
    for (uint32_t i = 0; i < all.count; i++) {
        struct view_query query;
        TRY(load_query(context, all.items[i], &query));
        if (resolutions_use(&query.resolutions, table->id, column->id))
            (*views)[(*count)++] = query.view;
    }
    TRY(ddl_functions_using(context, table, column, views, count));
out:
    return st;
}

struct status ddl_view_columns(struct task *task, struct session *session, struct arena *arena,
    uint32_t view_id, const struct table_desc *table, bool **used)
{
    struct status st;
    const struct table_desc *view;
    struct view_query query = {0};
    struct statement_context context = {.task = task, .session = session, .arena = arena};
    *used = ARENA_ARRAY(arena, bool, table->column_count + 1u);
    TRY(catalog_table_by_id(task, session, view_id, &view));
    TRY(parse_query(&context, view->view_sql, &query));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        (*used)[i] = !column->hidden && column->state == ELEMENT_PUBLIC &&
                     resolutions_use(&query.resolutions, table->id, column->id);
    }
out:
    return st;
}

// FROM t AS t (a, b) names by order: what comes behind a column that goes moves up.
static struct status forget_alias(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    uint32_t at = 0;
    for (uint32_t i = 0; table->columns[i].id != column->id; i++)
        at += !table->columns[i].hidden && table->columns[i].state == ELEMENT_PUBLIC;
    for (uint32_t i = 0; i < table->depended_by_count; i++) {
        struct view_query query;
        struct ddl_tables tables;
        bool changed = false;
        TRY(load_query(context, table->depended_by[i], &query));
        ddl_collect_tables(context->arena, query.select, &tables);
        for (uint32_t k = 0; k < tables.count; k++) {
            const struct table_desc *found;
            TRY(table_of(context, tables.items[k], &found));
            struct name_list *aliases = &tables.items[k]->column_aliases;
            if (found == NULL || found->id != table->id || at >= aliases->count) continue;
            DDL_REMOVE(aliases->items, aliases->count, at);
            changed = true;
        }
        if (!changed) continue;
        query.view->view_sql = ddl_deparse_select(context->arena, query.select);
        TRY(catalog_put_table(context->task, context->session, query.view));
    }
out:
    return st;
}

static const char *kind_of(const struct table_desc *relation)
{
    return relation->kind == RELATION_COMPOSITE ? "composite type"
           : relation->kind == RELATION_FUNCTION ? relation->function.kind == 'p' ? "procedure" : "function"
           : relation->kind == RELATION_VIEW    ? "view"
           : relation->materialized             ? "materialized view"
                                                : "table";
}

static const char *name_of(struct statement_context *context, const struct table_desc *user)
{
    return user->kind == RELATION_FUNCTION ? ddl_routine_text(context, user) : ddl_shown(context, user);
}

// Of RESTRICT: what is over a view that stands in the way, one beneath the other.
static struct status tell_over(struct statement_context *context, const struct table_desc *view, uint32_t **told,
    uint32_t *told_count, struct buffer *detail)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < view->depended_by_count; i++) {
        struct table_desc *over;
        bool known = false;
        for (uint32_t k = 0; k < *told_count; k++) known |= (*told)[k] == view->depended_by[i];
        if (known) continue;
        TRY(catalog_edit_table(context->task, context->session, context->arena, view->depended_by[i], &over));
        DDL_APPEND(context->arena, *told, *told_count, over->id);
        buffer_printf(detail, "\n%s %s depends on %s %s", kind_of(over), name_of(context, over), kind_of(view),
            name_of(context, view));
        TRY(tell_over(context, over, told, told_count, detail));
    }
out:
    return st;
}

struct status ddl_drop_views_using(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column, enum drop_behavior behavior,
    bool *dropped)
{
    struct status st = STATUS_OK;
    struct table_desc **views;
    struct buffer detail;
    uint32_t count;
    const struct column_desc key = {.id = RESOLUTION_KEY, .name = ""};
    const char *part = column != NULL ? arena_printf(context->arena, "column %s of", column->name)
                                      : arena_printf(context->arena, "constraint %s on", table->indexes[0].name);

    *dropped = false;
    TRY(views_using(context, table, column != NULL ? column : &key, &views, &count));
    if (count == 0) return column != NULL ? forget_alias(context, table, column) : st;
    if (behavior == DROP_CASCADE) {
        *dropped = true;
        for (uint32_t i = 0; i < count; i++) {
            const struct table_desc *left;
            st = catalog_table_by_id(context->task, context->session, views[i]->id, &left);
            if (status_is(st, E_UNDEFINED_TABLE)) { // It was over one of the others.
                st = STATUS_OK;
                continue;
            }
            TRY(st);
            ddl_cascades_to(context, "%s %s", kind_of(views[i]), name_of(context, views[i]));
            TRY(views[i]->kind == RELATION_FUNCTION ? ddl_drop_function(context, views[i], DROP_CASCADE)
                                                    : ddl_drop_relation(context, views[i], DROP_CASCADE));
        }
        TRY(catalog_table_by_id(context->task, context->session, table->id, &table));
        return column != NULL ? forget_alias(context, table, column) : st;
    }
    buffer_init(&detail, context->arena);
    uint32_t *told = NULL, told_count = 0;
    for (uint32_t i = 0; i < count; i++) DDL_APPEND(context->arena, told, told_count, views[i]->id);
    for (uint32_t i = 0; i < count; i++) {
        buffer_printf(&detail, "%s%s %s depends on %s %s %s", i == 0 ? "" : "\n",
            kind_of(views[i]), name_of(context, views[i]), part, kind_of(table),
            ddl_shown(context, table));
        TRY(tell_over(context, views[i], &told, &told_count, &detail));
    }
    st = ddl_error(context, E_DEPENDENT_OBJECTS_EXIST,
        "cannot drop %s %s %s because other objects depend on it", part,
        kind_of(table), ddl_shown(context, table));
    st = status_detail(context->arena, st, "%s", buffer_string(&detail));
    st = status_hint(context->arena, st, "Use DROP ... CASCADE to drop the dependent objects too.");
out:
    return st;
}

struct status ddl_keep_type_for_views(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    struct table_desc **views;
    uint32_t count;
    TRY(views_using(context, table, column, &views, &count));
    if (count > 0 && views[0]->kind == RELATION_FUNCTION)
        return status_detail(context->arena,
            ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "cannot alter type of a column used by a function or procedure"),
            "%s %s depends on column \"%s\"", kind_of(views[0]), name_of(context, views[0]), column->name);
    if (count > 0)
        return status_detail(context->arena,
            ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "cannot alter type of a column used by a view or rule"),
            "rule _RETURN on %s %s depends on column \"%s\"", kind_of(views[0]), ddl_shown(context, views[0]),
            column->name);
out:
    return st;
}

struct status ddl_rename_view_column(
    struct statement_context *context, uint32_t view_id, const char *from, const char *to)
{
    struct status st = STATUS_OK;
    struct view_query query;
    struct name_list names = {0};
    TRY(ddl_rename_in_views(context,
        &(struct ddl_rename_in_views){.table_id = view_id, .column = from, .new_column = to}));
    TRY(load_query(context, view_id, &query));
    struct table_desc *view = query.view;
    for (uint32_t i = 0; i < view->column_count; i++) {
        if (strcmp(view->columns[i].name, from) == 0) view->columns[i].name = to;
        if (!view->columns[i].hidden)
            DDL_APPEND(context->arena, names.items, names.count, view->columns[i].name);
    }
    view->view_sql = ddl_name_query(context->arena, query.select, &names);
    TRY(catalog_put_table(context->task, context->session, view));
out:
    return st;
}
