// SPDX-License-Identifier: GPL-3.0-or-later
//
// Views that are written to: which of them can be, whose table it is that changes, and what their columns and
// conditions mean for a row of that table.
#include "sql/bind/bind.h"
#include "sql/user/privilege.h"
#include "sql/bind/view_write.h"

#define E_NOT_IN_STATE SQLSTATE('5', '5', '0', '0', '0')

static bool has_call_of(const struct expr *expr, enum function_kind kind)
{
    const struct function *function = NULL;
    if (expr == NULL || expr->kind != EXPR_FUNCTION) return false;
    while ((function = function_next_named(expr->function->name, function)) != NULL)
        if (function->kind == kind) return true;
    return false;
}

const char *view_not_updatable(const struct select *select)
{
    if (select->kind != SELECT_SIMPLE && select->kind != SELECT_VALUES)
        return "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.";
    if (select->distinct || select->distinct_on.count > 0)
        return "Views containing DISTINCT are not automatically updatable.";
    if (select->group_by.count > 0)
        return "Views containing GROUP BY are not automatically updatable.";
    if (select->having != NULL) return "Views containing HAVING are not automatically updatable.";
    if (select->with != NULL) return "Views containing WITH are not automatically updatable.";
    if (select->limit != NULL || select->offset != NULL)
        return "Views containing LIMIT or OFFSET are not automatically updatable.";
    for (uint32_t i = 0; i < select->targets.count; i++) {
        const struct expr *expr = select->targets.items[i].expr;
        if (expr->kind == EXPR_FUNCTION && expr->function->over != NULL)
            return "Views that return window functions are not automatically updatable.";
        if (has_call_of(expr, FUNCTION_AGGREGATE))
            return "Views that return aggregate functions are not automatically updatable.";
        if (has_call_of(expr, FUNCTION_SET))
            return "Views that return set-returning functions are not automatically updatable.";
    }
    if (select->kind == SELECT_VALUES || select->from.count != 1 ||
        select->from.items[0]->kind != FROM_TABLE)
        return "Views that do not select from a single table or view are not automatically "
               "updatable.";
    if (select->from.items[0]->table.sample != NULL)
        return "Views containing TABLESAMPLE are not automatically updatable.";
    return NULL;
}

bool view_has_updatable_column(const struct select *select)
{
    for (uint32_t i = 0; i < select->targets.count; i++)
        if (select->targets.items[i].expr->kind == EXPR_COLUMN) return true;
    return false;
}

static struct status refuse(struct binder *binder, const struct table_target *target,
    const char *verb, const char *name, const char *reason)
{
    const char *doing = strcmp(verb, "insert into") == 0 ? "inserting into"
                        : strcmp(verb, "update") == 0    ? "updating"
                                                         : "deleting from";
    const char *event = strcmp(verb, "insert into") == 0 ? "INSERT"
                        : strcmp(verb, "update") == 0    ? "UPDATE"
                                                         : "DELETE";
    (void)target;
    struct status st =
        bind_error(binder, POSITION_NONE, E_NOT_IN_STATE, "cannot %s view \"%s\"", verb, name);
    st = status_detail(binder->arena, st, "%s", reason);
    return status_hint(binder->arena, st,
        "To enable %s the view, provide an INSTEAD OF %s trigger or an unconditional ON %s DO "
        "INSTEAD rule.",
        doing, event, event);
}

// What the view's only table reference means.
static struct status below(
    struct binder *binder, const struct relation *view, struct relation **relation)
{
    const struct from_item *item = view->view->from.items[0];
    struct scope scope = {.view = view};
    return bind_relation(binder, &scope, &item->table.name, relation);
}

struct status bind_written_view(struct binder *binder, const struct table_target *target,
    const char *verb, struct relation *view, struct written_views *views,
    struct relation **table)
{
    struct status st = STATUS_OK;
    struct relation *at = view;
    while (at->table->kind == RELATION_VIEW) {
        const char *reason = view_not_updatable(at->view);
        if (reason == NULL && strcmp(verb, "delete from") != 0 && !view_has_updatable_column(at->view))
            reason = "Views that have no updatable columns are not automatically updatable.";
        if (reason != NULL) return refuse(binder, target, verb, at->table->name, reason);
        if (views->count == WRITTEN_VIEWS_MAX)
            return bind_error(binder, POSITION_NONE, E_STATEMENT_TOO_COMPLEX,
                "views are nested deeper than %u", WRITTEN_VIEWS_MAX);
        views->items[views->count++] = at;
        const struct relation *view_above = at;
        TRY(below(binder, at, &at));
        // Whoever writes needs the right to what is below, too.
        if (view_above->table->security_invoker == 't') at->privileges |= view_above->privileges;
        if (at->table->materialized || (at->table->kind != RELATION_VIEW && at->table->kind != RELATION_TABLE))
            return refuse(binder, target, verb, view->table->name,
                "Views that do not select from a single table or view are not automatically "
                "updatable.");
    }
    *table = at;

out:
    return st;
}

static struct range *range_of(
    struct binder *binder, const char *name, uint32_t count, struct range_column *columns)
{
    struct range *range = ARENA_NEW(binder->arena, struct range);
    range->name = name;
    range->base = VAR_NONE;
    range->columns = columns;
    range->column_count = count;
    return range;
}

// The scope in which the expressions of view `at` are bound: the columns of what is below it.
static struct status scope_below(struct binder *binder, const struct written_views *views,
    uint32_t at, const struct table_desc *table, var_id base, struct scope *scope)
{
    struct status st = STATUS_OK;
    const struct from_item *item = views->items[at]->view->from.items[0];
    *scope = (struct scope){.view = views->items[at]};
    struct range *range;
    if (at + 1 == views->count) {
        range = bind_add_table_range(binder, &scope->names, table, item->alias, base);
    } else {
        const char *alias = item->alias != NULL ? item->alias : item->table.name.name;
        TRY(bind_view_range(binder, views, at + 1, alias, table, base, &range));
        if (item->alias == NULL) range->home = views->items[at + 1]->schema;
    }
    bind_range_unasked(NULL, range);
    TRY(bind_column_aliases(binder, range, &item->column_aliases, item->position));
    scope->names = (struct from_names){range, range->columns, range->column_count};

out:
    return st;
}

struct status bind_view_range(struct binder *binder, const struct written_views *views,
    uint32_t at, const char *name, const struct table_desc *table, var_id base,
    struct range **range)
{
    struct status st = STATUS_OK;
    const struct relation *view = views->items[at];
    const struct target_list *targets = &view->view->targets;
    struct bytes text = binder->text;
    struct scope scope;
    uint32_t count = 0;
    struct range_column *columns =
        ARENA_ARRAY(binder->arena, struct range_column, view->table->column_count + 1);
    binder->text = (struct bytes){0};
    TRY(scope_below(binder, views, at, table, base, &scope));
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct expr *expr = targets->items[i].expr;
        struct range_column *all = NULL;
        uint32_t more = 1;
        bool star = expr->kind == EXPR_COLUMN && expr->column.star;
        if (star) TRY(bind_star(binder, &scope, expr, &all, &more));
        for (uint32_t k = 0; k < more && count < view->table->column_count; k++, count++) {
            struct scalar *scalar = star ? all[k].scalar : NULL;
            if (!star) TRY(bind_expr(binder, &scope, expr, &scalar));
            columns[count] = (struct range_column){
                .name = view->table->columns[count].name,
                .scalar = scalar,
                .used = at == 0 ? &view->used[count] : NULL};
        }
    }
    *range = range_of(binder, name, count, columns);

out:
    binder->text = text;
    return st;
}

struct status bind_view_condition(struct binder *binder, const struct written_views *views,
    uint32_t at, const struct table_desc *table, var_id base, struct scalar **condition)
{
    struct status st = STATUS_OK;
    struct scope scope;
    struct bytes text = binder->text;
    *condition = NULL;
    if (views->items[at]->view->where == NULL) return st;
    binder->text = (struct bytes){0};
    TRY(scope_below(binder, views, at, table, base, &scope));
    TRY(bind_condition(binder, &scope, views->items[at]->view->where, "WHERE", condition));

out:
    binder->text = text;
    return st;
}

struct status bind_view_checks(
    struct binder *binder, const struct written_views *views, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    bool all = false;
    for (uint32_t i = 0; i < views->count; i++) {
        const struct table_desc *view = views->items[i]->table;
        struct scalar *condition;
        bool checked = all || view->check_option != 0;
        all |= view->check_option == 'c';
        if (!checked) continue;
        TRY(bind_view_condition(binder, views, i, plan->table, plan->row_base, &condition));
        if (condition == NULL) continue;
        if (scalar_has_subquery(condition))
            return bind_unsupported(
                binder, POSITION_NONE, "WITH CHECK OPTION of a view whose condition has a subquery");
        struct scalar *is = scalar_with_args(
            binder->arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), POSITION_NONE, 1);
        is->args[0] = condition;
        is->test = IS_TRUE;
        plan->checks = arena_grow(binder->arena, plan->checks,
            plan->check_count * sizeof *plan->checks,
            (plan->check_count + 1) * sizeof *plan->checks);
        plan->checks[plan->check_count++] =
            (struct table_plan_check){.name = view->name, .condition = is, .view = true};
    }

out:
    return st;
}

// One table's plan serves all of a statement that writes to it, with one set of defaults.
static struct status take_defaults(
    struct binder *binder, const struct table_desc *view, struct table_plan *plan)
{
    if (plan->targets++ > 0 && plan->defaults_of != view)
        return bind_unsupported(binder, POSITION_NONE,
            "writing to a table twice in one statement, once through a view with defaults");
    plan->defaults_of = view;
    return STATUS_OK;
}

// A view's column is of the domain of the column beneath it, whose default goes before that column's own.
static const struct column_desc *column_with_default(struct binder *binder,
    const struct column_desc *column, const struct column_desc *beneath, bool *is_domain)
{
    *is_domain = false;
    if (column->default_sql != NULL) return column;
    if (!type_is_domain(beneath->domain)) return NULL;
    const struct bind_type *domain =
        bind_names_type_by_id(binder->names, type_user_id(beneath->domain));
    if (domain->type->columns[0].default_sql == NULL) return NULL;
    struct column_desc *bare = ARENA_NEW(binder->arena, struct column_desc);
    *bare = *beneath;
    bare->default_sql = NULL;
    *is_domain = true;
    return bare;
}

struct status bind_view_defaults(
    struct binder *binder, const struct written_views *views, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    bool differs = false, is_domain;
    for (uint32_t v = views->count; v > 0; v--) {
        const struct table_desc *view = views->items[v - 1]->table;
        struct range *range;
        TRY(bind_view_range(binder, views, v - 1, view->name, plan->table, plan->row_base, &range));
        for (uint32_t i = 0; i < range->column_count && i < view->column_count; i++) {
            const struct scalar *below = range->columns[i].scalar;
            if (below->kind != SCALAR_VAR || below->var < plan->row_base ||
                below->var >= plan->row_base + plan->table->column_count)
                continue;
            uint32_t ordinal = below->var - plan->row_base;
            const struct column_desc *beneath = &plan->table->columns[ordinal];
            const struct column_desc *column =
                column_with_default(binder, &view->columns[i], beneath, &is_domain);
            if (column == NULL || beneath->generated_sql != NULL) continue;
            TRY(bind_column_default(binder, column, &plan->defaults[ordinal]));
            differs |= !is_domain || beneath->default_sql != NULL;
        }
    }
    TRY(take_defaults(binder, differs ? views->items[0]->table : NULL, plan));

out:
    return st;
}
