// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE VIEW. A view keeps its query as text in which every table has its full name, so that it means the
// same under any search path; the tables know the view, so that they cannot change beneath it.
#include <strings.h>

#include "sql/ddl/ddl_internal.h"

#include "core/invariant.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"
#include "sql/ddl/temp.h"
#include "sql/bind/view_write.h"

static struct status qualify_tables(
    struct statement_context *context, const struct ddl_tables *tables, struct table_desc *view)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < tables->count; i++) {
        struct object_name *name = &tables->items[i]->table.name;
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
    for (uint32_t i = 0; i < tables->sequence_count; i++) {
        uint32_t id = 0;
        TRY(ddl_name_sequence(context, tables->sequences[i], &id));
        bool known = id == 0;
        for (uint32_t k = 0; k < view->depends_on_count; k++)
            known |= view->depends_on[k] == id;
        if (!known) DDL_APPEND(context->arena, view->depends_on, view->depends_on_count, id);
    }
out:
    return st;
}

static bool sorts_by_name(const struct sort_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].expr->kind != EXPR_LITERAL) return true;
    return false;
}

// Gives the columns the view's names as aliases. False where the query has no place for them.
static bool name_columns(struct select *select, const struct name_list *names)
{
    bool sorted = sorts_by_name(&select->order_by);
    bool set = select->kind != SELECT_SIMPLE;
    while (select->kind != SELECT_SIMPLE && select->kind != SELECT_VALUES) select = select->left;
    if (select->kind != SELECT_SIMPLE || (set && sorted && names->count > 0))
        return names->count == 0;
    for (uint32_t i = 0; i < select->targets.count && i < names->count; i++)
        select->targets.items[i].alias = names->items[i];
    return true;
}

// A query that has no place for the names gets them around itself.
const char *ddl_name_query(
    struct arena *arena, struct select *select, const struct name_list *names)
{
    struct buffer list, out;
    bool named = name_columns(select, names);
    const char *sql = ddl_deparse_select(arena, select);
    if (named) return sql;
    buffer_init(&list, arena);
    for (uint32_t i = 0; i < names->count; i++) {
        if (i > 0) buffer_append_string(&list, ", ");
        deparse_identifier(&list, names->items[i]);
    }
    buffer_init(&out, arena);
    buffer_printf(&out, "SELECT v.* FROM (%s) AS v (%s)", sql, buffer_string(&list));
    return buffer_string(&out);
}

// What is wrong with the query, where the client's own text has it.
static struct status as_sent(
    struct statement_context *context, struct select *select, struct status found)
{
    struct resolutions resolutions;
    struct plan *plan;
    const enum statement_tag tag = context->statement->tag;
    if (tag != STATEMENT_CREATE_VIEW && tag != STATEMENT_CREATE_MATERIALIZED_VIEW)
        return status_position(context->arena, found, 0);
    struct statement query = {.tag = STATEMENT_SELECT, .as.select = select};
    found = status_copy(context->arena, found);
    struct status st = plan_resolve(context->task, context->session, context->arena, &query,
        context->text, NULL, 0, &resolutions, &plan);
    return failed(st) && st.code == found.code ? st : status_position(context->arena, found, 0);
}

static bool has_name(const struct ddl_tables *tables, const char *name)
{
    for (uint32_t i = 0; i < tables->count; i++) {
        const struct from_item *item = tables->items[i];
        if (strcmp(item->alias != NULL ? item->alias : item->table.name.name, name) == 0) return true;
    }
    return false;
}

// Tables of one name that only their schemas tell apart get aliases, as schemas can be called otherwise later.
static struct status tell_tables_apart(
    struct statement_context *context, struct select *select, struct resolutions *resolutions)
{
    struct status st = STATUS_OK;
    struct ddl_tables tables;
    ddl_collect_tables(context->arena, select, &tables);
    for (uint32_t i = 1; i < tables.count; i++) {
        struct from_item *item = tables.items[i];
        const struct object_name *name = &item->table.name;
        const struct table_desc *table;
        bool twice = false;
        for (uint32_t k = 0; k < i && item->alias == NULL; k++) {
            const struct from_item *other = tables.items[k];
            twice |= other->alias == NULL && strcmp(other->table.name.name, name->name) == 0 &&
                     strcmp(other->table.name.schema, name->schema) != 0;
        }
        if (!twice) continue;
        TRY(catalog_kept_table(context->task, context->session, name->catalog, name->schema, name->name, false, &table));
        const char *alias;
        uint32_t number = 1;
        do alias = arena_printf(context->arena, "%s_%u", name->name, number++);
        while (has_name(&tables, alias));
        item->alias = alias;
        resolutions_alias_table(resolutions, table->id, name->name, alias);
    }
out:
    return st;
}

struct status ddl_view_query(struct statement_context *context, struct select *select,
    const struct name_list *names, struct table_desc *view, struct plan **plan, const char **sql)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    struct resolutions resolutions;
    struct ddl_tables tables;
    ddl_collect_tables(context->arena, select, &tables);
    TRY(qualify_tables(context, &tables, view));
    struct bytes text = bytes_of_string(ddl_deparse_select(context->arena, select));
    TRY(parse_sql_on_stack(context->arena, text, &list));
    st = plan_resolve(context->task, context->session, context->arena, list.items[0], text,
        NULL, 0, &resolutions, plan);
    if (failed(st)) return as_sent(context, select, st);
    TRY(tell_tables_apart(context, list.items[0]->as.select, &resolutions));
    resolutions_write_out(&resolutions);
    *sql = ddl_name_query(context->arena, list.items[0]->as.select, names);
out:
    return st;
}

static struct status add_columns(struct statement_context *context,
    const struct create_view *create, const struct plan *plan, struct table_desc *view)
{
    uint32_t count;
    const struct result_column *columns = plan_columns(plan, &count);
    if (create->columns.count > count)
        return ddl_error(
            context, E_SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns");
    for (uint32_t i = 0; i < count; i++) {
        struct column_desc column = {.id = i + 1,
            .name = i < create->columns.count ? create->columns.items[i] : columns[i].name,
            .type = columns[i].type};
        if (column.type.oid == TYPE_UNKNOWN) column.type = TYPE_OF(TYPE_TEXT);
        struct status st = task_yield_if_due(context->task);
        if (!failed(st)) st = ddl_keep_collation(context, &column);
        if (failed(st)) return st;
        if (ddl_column(view, column.name) != NULL)
            return ddl_error(
                context, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once", column.name);
        DDL_APPEND(context->arena, view->columns, view->column_count, column);
    }
    view->next_column_id = count + 1;
    return ddl_check_query_columns(context, view, false);
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
            return status_hint(context->arena,
                ddl_error(context, E_INVALID_TABLE_DEFINITION,
                    "cannot change name of view column \"%s\" to \"%s\"", former->columns[i].name,
                    view->columns[i].name),
                "Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.");
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
    for (uint32_t i = 0; i < (*former)->column_count; i++)
        view->columns[i].default_sql = (*former)->columns[i].default_sql;
out:
    return st;
}

static struct status security_option(
    struct statement_context *context, const struct option *option, char *kept)
{
    static const char *const words[][2] = {{"true", "false"}, {"on", "off"}, {"yes", "no"}, {"1", "0"}};
    const struct expr *value = option->value;
    const char *text = value == NULL ? "true" : "";
    if (value != NULL && value->kind == EXPR_LITERAL)
        text = value->literal.kind == LITERAL_BOOL ? (value->literal.boolean ? "true" : "false")
                                                   : arena_string(context->arena, value->literal.text);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i][0]) == 0) *kept = 't';
        else if (strcasecmp(text, words[i][1]) == 0) *kept = 'f';
        else continue;
        return STATUS_OK;
    }
    return ddl_error(context, E_INVALID_PARAMETER_VALUE,
        "invalid value for boolean option \"%s\": %s", option->name, text);
}

struct status ddl_view_options(
    struct statement_context *context, const struct option_list *options, struct table_desc *view)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        const struct expr *value = option->value;
        const char *text = value == NULL || value->kind != EXPR_LITERAL
            ? ""
            : arena_string(context->arena, value->literal.text);
        bool barrier = strcmp(option->name, "security_barrier") == 0;
        if (barrier || strcmp(option->name, "security_invoker") == 0) {
            TRY(security_option(
                context, option, barrier ? &view->security_barrier : &view->security_invoker));
            continue;
        }
        if (strcmp(option->name, "check_option") != 0)
            return ddl_error(context, E_INVALID_PARAMETER_VALUE,
                "unrecognized parameter \"%s\"", option->name);
        if (strcmp(text, "local") != 0 && strcmp(text, "cascaded") != 0)
            return status_detail(context->arena,
                ddl_error(context, E_INVALID_PARAMETER_VALUE,
                    "invalid value for enum option \"check_option\": %s", text),
                "Valid values are \"local\" and \"cascaded\".");
        view->check_option = *text;
    }
out:
    return st;
}

struct status ddl_check_view_option(struct statement_context *context, const struct select *query)
{
    const char *reason = view_not_updatable(query);
    if (reason == NULL && !view_has_updatable_column(query))
        reason = "Views that have no updatable columns are not automatically updatable.";
    if (reason == NULL) return STATUS_OK;
    return status_hint(context->arena,
        ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "WITH CHECK OPTION is supported only on automatically updatable views"),
        "%s", reason);
}

static struct status refuse_query(
    struct statement_context *context, const struct create_view *create, const struct ddl_tables *tables)
{
    const struct with_clause *with = create->query->with;
    if (tables->has_parameter)
        return ddl_error(context, E_UNDEFINED_PARAMETER, "there is no parameter $1");
    if (create->into)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "views must not contain SELECT INTO");
    for (uint32_t i = 0; with != NULL && i < with->count; i++)
        if (with->items[i].statement->tag != STATEMENT_SELECT)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "views must not contain data-modifying statements in WITH");
    return STATUS_OK;
}

// A view over a temporary relation is one itself.
static struct status find_persistence(struct statement_context *context,
    const struct create_view *create, const struct ddl_tables *tables,
    enum persistence *persistence)
{
    struct status st = STATUS_OK;
    *persistence = create->persistence;
    for (uint32_t i = 0; i < tables->count && *persistence != PERSISTENCE_TEMPORARY; i++) {
        const struct object_name *name = &tables->items[i]->table.name;
        const struct table_desc *table;
        const struct schema_desc *schema;
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name,
            false, &table));
        TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
        if (schema->temp_node == 0) continue;
        *persistence = PERSISTENCE_TEMPORARY;
        ddl_notice(context, "view \"%s\" will be a temporary view", create->name.name);
    }
out:
    return st;
}

struct status ddl_create_view(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_view *create = context->statement->as.create_view;
    const struct schema_desc *schema;
    bool is_temp;
    struct table_desc *former;
    struct plan *plan;
    struct ddl_tables tables;
    enum persistence persistence;

    struct table_desc options = {.check_option = create->check == VIEW_CHECK_LOCAL      ? 'l'
                                                 : create->check == VIEW_CHECK_CASCADED ? 'c'
                                                                                        : 0};
    TRY(ddl_view_options(context, &create->options, &options));
    ddl_collect_tables(context->arena, create->query, &tables);
    TRY(refuse_query(context, create, &tables));
    if (options.check_option != 0) TRY(ddl_check_view_option(context, create->query));
    TRY(find_persistence(context, create, &tables, &persistence));
    TRY(temp_target_schema(context, &create->name, persistence, &schema, &is_temp));
    if (is_temp) context->session->temp_generation++;
    struct table_desc view = {.kind = RELATION_VIEW,
        .check_option = options.check_option,
        .security_barrier = options.security_barrier,
        .security_invoker = options.security_invoker,
        .database_id = schema->database_id,
        .schema_id = schema->id,
        .name = create->name.name,
        .owner = ddl_owner(context->session),
        .next_index_id = 1,
        .next_constraint_id = 1};
    if (!is_temp)
        TRY(privilege_default_grants(context, OBJECT_TABLE, view.database_id, view.schema_id,
            view.owner, &view.grants, &view.grant_count));
    TRY(ddl_view_query(context, create->query, &create->columns, &view, &plan, &view.view_sql));
    TRY(add_columns(context, create, plan, &view));
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
