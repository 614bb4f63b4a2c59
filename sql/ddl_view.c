// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE VIEW. A view keeps its query as text in which every table has its full name, so that it means the
// same under any search path; the tables know the view, so that they cannot change beneath it.
#include "sql/ddl_internal.h"

#include "core/invariant.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/plan.h"
#include "sql/temp.h"
#include "sql/view_write.h"

struct status ddl_qualify_view(
    struct statement_context *context, const struct ddl_tables *tables, struct table_desc *view)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < tables->count; i++) {
        struct object_name *name = tables->items[i];
        const struct table_desc *table;
        const struct schema_desc *schema;
        const struct database_desc *database;
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name,
            false, &table));
        TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
        if (schema->temp_node != 0 && view->schema_id != schema->id)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                view->kind == RELATION_TABLE
                    ? "materialized views must not use temporary tables or views"
                    : "a view over a temporary relation that is not temporary itself is not "
                      "supported");
        name->schema = arena_strdup(context->arena, schema->name);
        if (table->kind == RELATION_VIRTUAL) continue;
        TRY(catalog_database_by_id(context->task, context->session, table->database_id, &database));
        name->catalog = arena_strdup(context->arena, database->name);
        bool known = false;
        for (uint32_t k = 0; k < view->depends_on_count; k++)
            known |= view->depends_on[k] == table->id;
        if (!known) DDL_APPEND(context->arena, view->depends_on, view->depends_on_count, table->id);
    }
    TRY(ddl_qualify_query_types(context, tables));
out:
    return st;
}

static struct status columns_of(struct statement_context *context, const struct create_view *create,
    const char *sql, struct table_desc *view)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    struct plan *plan;
    struct bytes text = bytes_of_string(sql);
    uint32_t param_count = 0, count;

    TRY(parse_sql_on_stack(context->arena, text, &list));
    TRY(plan_build(context->task, context->session, context->arena, list.items[0], text,
        ARENA_NEW(context->arena, struct type), &param_count, &plan));
    const struct result_column *columns = plan_columns(plan, &count);
    if (create->columns.count > count)
        return ddl_error(
            context, E_SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns");
    for (uint32_t i = 0; i < count; i++) {
        struct column_desc column = {.id = i + 1,
            .name = i < create->columns.count ? create->columns.items[i] : columns[i].name,
            .type = columns[i].type};
        if (column.type.oid == TYPE_UNKNOWN) column.type = TYPE_OF(TYPE_TEXT);
        if (ddl_column(view, column.name) != NULL)
            return ddl_error(
                context, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once", column.name);
        DDL_APPEND(context->arena, view->columns, view->column_count, column);
    }
    view->next_column_id = count + 1;
out:
    return st;
}

// The table of FROM that a qualified star is of; of a plain star, the only one. NULL: something else.
static const struct from_item *star_table(const struct select *select, const struct expr *star)
{
    const struct from_item *item = select->from.count == 1 ? select->from.items[0] : NULL;
    if (star->column.count == 0) return item != NULL && item->kind == FROM_TABLE ? item : NULL;
    if (star->column.count != 1) return NULL;
    for (uint32_t i = 0; i < select->from.count; i++) {
        item = select->from.items[i];
        if (item->kind != FROM_TABLE) continue;
        const char *name = item->alias != NULL ? item->alias : item->table.name.name;
        if (strcmp(name, star->column.names[0]) == 0) return item;
    }
    return NULL;
}

static struct status add_star(struct statement_context *context, const struct from_item *item,
    const struct target *star, struct target_list *targets)
{
    const struct object_name *name = &item->table.name;
    const struct table_desc *table;
    struct status st = catalog_table(context->task, context->session, name->catalog, name->schema,
        name->name, false, &table);
    for (uint32_t i = 0; !failed(st) && i < table->column_count; i++) {
        if (table->columns[i].hidden || table->columns[i].state != ELEMENT_PUBLIC) continue;
        const char **parts = ARENA_ARRAY(context->arena, const char *, 2);
        struct expr *column = ARENA_NEW(context->arena, struct expr);
        *column = *star->expr;
        parts[0] = item->alias != NULL ? item->alias : name->name;
        parts[1] = arena_strdup(context->arena, table->columns[i].name);
        column->column.names = parts;
        column->column.count = 2;
        column->column.star = false;
        struct target target = {.expr = column};
        DDL_APPEND(context->arena, targets->items, targets->count, target);
    }
    return st;
}

struct status ddl_expand_stars(
    struct statement_context *context, struct select *select, struct ddl_tables *tables)
{
    struct status st = STATUS_OK;
    struct target_list targets = {0};
    if (!tables->has_star || select->kind != SELECT_SIMPLE) return st;
    for (uint32_t i = 0; i < select->targets.count; i++) {
        const struct target *target = &select->targets.items[i];
        bool star = target->expr->kind == EXPR_COLUMN && target->expr->column.star;
        const struct from_item *item = star ? star_table(select, target->expr) : NULL;
        if (star && (item == NULL || item->column_aliases.count > 0 ||
                        item->table.name.schema == NULL))
            return st;
        if (star)
            TRY(add_star(context, item, target, &targets));
        else
            DDL_APPEND(context->arena, targets.items, targets.count, *target);
    }
    select->targets = targets;
    ddl_collect_tables(context->arena, select, tables);
out:
    return st;
}

static bool sorts_by_name(const struct sort_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].expr->kind != EXPR_LITERAL) return true;
    return false;
}

// Gives the columns the view's names as aliases. False where that would change what something means.
static bool name_columns(struct select *select, const struct name_list *names)
{
    bool clauses = sorts_by_name(&select->order_by);
    while (select->kind != SELECT_SIMPLE && select->kind != SELECT_VALUES) select = select->left;
    clauses |= select->group_by.count > 0 || sorts_by_name(&select->order_by) ||
               select->distinct_on.count > 0;
    if (select->kind != SELECT_SIMPLE || (clauses && names->count > 0)) return names->count == 0;
    for (uint32_t i = 0; i < select->targets.count && i < names->count; i++) {
        const struct expr *expr = select->targets.items[i].expr;
        if (expr->kind == EXPR_COLUMN && expr->column.star) return false;
        select->targets.items[i].alias = names->items[i];
    }
    return true;
}

const char *ddl_view_text(struct statement_context *context, struct select *select,
    struct ddl_tables *tables, const struct name_list *names, bool *pin)
{
    *pin = !name_columns(select, names) || tables->has_star;
    return ddl_deparse_select(context->arena, select);
}

const char *ddl_pin_columns(struct arena *arena, const struct table_desc *view, const char *sql)
{
    struct buffer names, out;
    buffer_init(&names, arena);
    bool first = true;
    for (uint32_t i = 0; i < view->column_count; i++) {
        if (view->columns[i].hidden) continue;
        if (!first) buffer_append_string(&names, ", ");
        first = false;
        deparse_identifier(&names, view->columns[i].name);
    }
    buffer_init(&out, arena);
    const char *list = buffer_string(&names);
    buffer_printf(&out, "SELECT %s FROM (%s) AS v (%s)", list, sql, list);
    return buffer_string(&out);
}

// --- views over what changes its name ----------------------------------------------------------------------

static struct status parse_view(
    struct arena *arena, const struct table_desc *view, struct select **select)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    TRY(parse_sql_on_stack(arena, bytes_of_string(view->view_sql), &list));
    *select = list.items[0]->as.select;

out:
    return st;
}

// Columns keep the names that the query knows them by.
static void keep_column_names(
    struct arena *arena, const struct table_desc *table, struct from_item *item)
{
    if (item->column_aliases.count > 0) return;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].hidden) continue;
        DDL_APPEND(arena, item->column_aliases.items, item->column_aliases.count,
            table->columns[i].name);
    }
}

static void forget_column_name(
    const struct table_desc *table, const char *column, struct from_item *item)
{
    uint32_t at = 0;
    if (item->column_aliases.count == 0) return;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].hidden) continue;
        if (strcmp(table->columns[i].name, column) == 0) break;
        at++;
    }
    if (at < item->column_aliases.count)
        DDL_REMOVE(item->column_aliases.items, item->column_aliases.count, at);
}

static void change_source(struct arena *arena, const struct table_desc *table,
    const struct ddl_view_change *change, struct from_item *item)
{
    struct object_name *name = &item->table.name;
    if (change->dropped_column != NULL) {
        forget_column_name(table, change->dropped_column, item);
        return;
    }
    if (item->alias == NULL) item->alias = name->name;
    if (change->keep_columns) keep_column_names(arena, table, item);
    if (change->name != NULL) name->name = change->name;
    if (change->schema != NULL) name->schema = change->schema;
}

struct status ddl_change_views(struct statement_context *context, const struct table_desc *table,
    const struct ddl_view_change *change)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    const struct schema_desc *schema;
    if (table->depended_by_count == 0) return st;
    TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
    const char *schema_name = arena_strdup(arena, schema->name);
    for (uint32_t i = 0; i < table->depended_by_count; i++) {
        struct table_desc *view;
        struct select *select;
        struct ddl_tables tables;
        TRY(catalog_edit_table(
            context->task, context->session, arena, table->depended_by[i], &view));
        TRY(parse_view(arena, view, &select));
        ddl_collect_tables(arena, select, &tables);
        for (uint32_t k = 0; k < tables.count; k++) {
            const struct object_name *name = tables.items[k];
            if (strcmp(name->name, table->name) != 0 || name->schema == NULL ||
                strcmp(name->schema, schema_name) != 0)
                continue;
            change_source(arena, table, change, tables.sources[k]);
        }
        view->view_sql = ddl_deparse_select(arena, select);
        TRY(catalog_put_table(context->task, context->session, view));
    }

out:
    return st;
}

// The name that a query's table reference gives to a column of the table.
static const char *name_within(
    const struct table_desc *table, const char *column, const struct from_item *item)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].hidden) continue;
        if (strcmp(table->columns[i].name, column) == 0) break;
        at++;
    }
    return at < item->column_aliases.count ? item->column_aliases.items[at] : column;
}

struct status ddl_view_mentions(struct arena *arena, const struct table_desc *view,
    const struct table_desc *table, const char *column, bool *mentions)
{
    struct status st = STATUS_OK;
    struct select *select;
    struct ddl_tables tables;
    *mentions = true;
    TRY(parse_view(arena, view, &select));
    ddl_collect_tables(arena, select, &tables);
    *mentions = tables.has_star || tables.has_natural;
    for (uint32_t k = 0; k < tables.count; k++) {
        if (strcmp(tables.items[k]->name, table->name) != 0) continue;
        const char *name = name_within(table, column, tables.sources[k]);
        for (uint32_t i = 0; i < tables.column_count; i++)
            *mentions |= strcmp(tables.columns[i], name) == 0;
    }

out:
    return st;
}

struct status ddl_link_view(
    struct statement_context *context, const struct table_desc *view, bool add)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < view->depends_on_count; i++) {
        struct table_desc *table;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, view->depends_on[i], &table));
        uint32_t at = 0;
        while (at < table->depended_by_count && table->depended_by[at] != view->id)
            at++;
        if (add && at == table->depended_by_count)
            DDL_APPEND(context->arena, table->depended_by, table->depended_by_count, view->id);
        if (!add && at < table->depended_by_count)
            DDL_REMOVE(table->depended_by, table->depended_by_count, at);
        TRY(catalog_put_table(context->task, context->session, table));
    }
out:
    return st;
}

static struct status check_replacement(struct statement_context *context,
    const struct table_desc *former, const struct table_desc *view)
{
    if (view->column_count < former->column_count)
        return ddl_error(context, E_INVALID_TABLE_DEFINITION, "cannot drop columns from view");
    for (uint32_t i = 0; i < former->column_count; i++) {
        if (strcmp(former->columns[i].name, view->columns[i].name) != 0)
            return ddl_error(context, E_INVALID_TABLE_DEFINITION,
                "cannot change name of view column \"%s\" to \"%s\"", former->columns[i].name,
                view->columns[i].name);
        if (former->columns[i].type.oid != view->columns[i].type.oid)
            return ddl_error(context, E_INVALID_TABLE_DEFINITION,
                "cannot change data type of view column \"%s\" from %s to %s",
                former->columns[i].name, type_format(context->arena, former->columns[i].type),
                type_format(context->arena, view->columns[i].type));
    }
    return STATUS_OK;
}

static struct status take_view_name(struct statement_context *context,
    const struct create_view *create, struct table_desc *view, struct table_desc **former)
{
    struct status st = STATUS_OK;
    struct name_value existing;
    bool taken;

    *former = NULL;
    TRY(catalog_peek_name(context->task, context->session, view->database_id, view->schema_id,
        view->name, &existing));
    if (existing.id == 0) {
        TRY(catalog_new_id(context->task, context->session->tenant, &view->id));
        return ddl_take_name(context, view->database_id, view->schema_id, view->name,
            (struct name_value){.kind = NAME_RELATION, .id = view->id}, &taken);
    }
    if (!create->or_replace || existing.kind != NAME_RELATION)
        return ddl_name_taken(context, view->name);
    TRY(catalog_edit_table(context->task, context->session, context->arena, existing.id, former));
    TRY(ddl_check_kind(context, *former, OBJECT_VIEW));
    TRY(privilege_check_owner(
        context->task, context->session, (*former)->owner, OBJECT_VIEW, view->name));
    TRY(check_replacement(context, *former, view));
    view->id = (*former)->id;
    view->owner = (*former)->owner;
    view->grants = (*former)->grants;
    view->grant_count = (*former)->grant_count;
    view->depended_by = (*former)->depended_by;
    view->depended_by_count = (*former)->depended_by_count;
out:
    return st;
}

// WITH (check_option = local)
static struct status view_options(
    struct statement_context *context, const struct create_view *create, char *check_option)
{
    for (uint32_t i = 0; i < create->options.count; i++) {
        const struct option *option = &create->options.items[i];
        const struct expr *value = option->value;
        if (strcmp(option->name, "check_option") != 0)
            return ddl_unsupported(
                context, arena_printf(context->arena, "%s of a view", option->name));
        const char *text = value == NULL || value->kind != EXPR_LITERAL
            ? ""
            : arena_string(context->arena, value->literal.text);
        if (strcmp(text, "local") != 0 && strcmp(text, "cascaded") != 0)
            return status_detail(context->arena,
                ddl_error(context, E_INVALID_PARAMETER_VALUE,
                    "invalid value for enum option \"check_option\": %s", text),
                "Valid values are \"local\" and \"cascaded\".");
        *check_option = *text;
    }
    return STATUS_OK;
}

struct status ddl_create_view(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_view *create = context->statement->as.create_view;
    const struct schema_desc *schema;
    bool is_temp, pin;
    struct table_desc *former;
    struct ddl_tables tables;

    char check_option = create->check == VIEW_CHECK_LOCAL      ? 'l'
                        : create->check == VIEW_CHECK_CASCADED ? 'c'
                                                               : 0;
    TRY(view_options(context, create, &check_option));
    if (check_option != 0 && view_not_updatable(create->query) != NULL)
        return status_detail(context->arena,
            ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "WITH CHECK OPTION is supported only on automatically updatable views"),
            "%s", view_not_updatable(create->query));
    TRY(temp_target_schema(context, &create->name, create->persistence, &schema, &is_temp));
    if (is_temp) context->session->temp_generation++;
    struct table_desc view = {.kind = RELATION_VIEW,
        .check_option = check_option,
        .database_id = schema->database_id,
        .schema_id = schema->id,
        .name = create->name.name,
        .owner = ddl_owner(context->session),
        .next_index_id = 1,
        .next_constraint_id = 1};
    if (!is_temp)
        TRY(privilege_default_grants(context, OBJECT_TABLE, view.database_id, view.schema_id,
            view.owner, &view.grants, &view.grant_count));
    ddl_collect_tables(context->arena, create->query, &tables);
    if (tables.has_parameter)
        return ddl_error(context, E_UNDEFINED_PARAMETER, "there is no parameter $1");
    TRY(ddl_qualify_view(context, &tables, &view));
    TRY(ddl_expand_stars(context, create->query, &tables));
    const char *sql =
        ddl_view_text(context, create->query, &tables, &create->columns, &pin);
    TRY(columns_of(context, create, sql, &view));
    view.view_sql = pin ? ddl_pin_columns(context->arena, &view, sql) : sql;
    TRY(take_view_name(context, create, &view, &former));
    for (uint32_t i = 0; i < view.depends_on_count; i++) {
        if (view.depends_on[i] == view.id)
            return ddl_error(context, SQLSTATE('4', '2', 'P', '1', '7'),
                "infinite recursion detected in rules for relation \"%s\"", view.name);
    }
    if (former != NULL) TRY(ddl_link_view(context, former, false));
    TRY(catalog_put_table(context->task, context->session, &view));
    TRY(ddl_link_view(context, &view, true));
out:
    return st;
}
