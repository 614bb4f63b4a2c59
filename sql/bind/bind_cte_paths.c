// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/bind/bind_cte.h"

#define LEFT_ALIAS "*left*"
#define RIGHT_ALIAS "*right*"
#define DEPTH_COLUMN "*depth*"

// --- what is wrong with the clauses ------------------------------------------------------------------

static bool has_name(struct name_list list, const char *name)
{
    for (uint32_t i = 0; i < list.count; i++)
        if (strcmp(list.items[i], name) == 0) return true;
    return false;
}

static struct status check_by(struct binder *binder, const char *clause, struct name_list by,
    struct name_list columns, uint32_t position)
{
    for (uint32_t i = 0; i < by.count; i++) {
        const struct name_list before = {by.items, i};
        if (!has_name(columns, by.items[i]))
            return bind_error(binder, position, E_SYNTAX_ERROR,
                "%s column \"%s\" not in WITH query column list", clause, by.items[i]);
        if (has_name(before, by.items[i]))
            return bind_error(binder, position, E_DUPLICATE_COLUMN,
                "%s column \"%s\" specified more than once", clause, by.items[i]);
    }
    return STATUS_OK;
}

static struct status check_new(struct binder *binder, const char *what, const char *name,
    struct name_list columns, uint32_t position)
{
    if (!has_name(columns, name)) return STATUS_OK;
    return bind_error(binder, position, E_SYNTAX_ERROR,
        "%s column name \"%s\" already used in WITH query column list", what, name);
}

static struct status check_clauses(
    struct binder *binder, const struct cte *cte, struct name_list columns)
{
    struct status st = STATUS_OK;
    const struct cte_search *search = cte->search;
    const struct cte_cycle *cycle = cte->cycle;
    if (search != NULL) {
        TRY(check_by(binder, "search", search->columns, columns, search->position));
        TRY(check_new(binder, "search sequence", search->sequence, columns, search->position));
    }
    if (cycle == NULL) return st;
    TRY(check_by(binder, "cycle", cycle->columns, columns, cycle->position));
    TRY(check_new(binder, "cycle mark", cycle->mark, columns, cycle->position));
    TRY(check_new(binder, "cycle path", cycle->path, columns, cycle->position));
    if (strcmp(cycle->mark, cycle->path) == 0)
        return bind_error(binder, cycle->position, E_SYNTAX_ERROR,
            "cycle mark column name and cycle path column name are the same");
    if (search == NULL) return st;
    if (strcmp(search->sequence, cycle->mark) == 0)
        return bind_error(binder, search->position, E_SYNTAX_ERROR,
            "search sequence column name and cycle mark column name are the same");
    if (strcmp(search->sequence, cycle->path) == 0)
        return bind_error(binder, search->position, E_SYNTAX_ERROR,
            "search sequence column name and cycle path column name are the same");

out:
    return st;
}

// --- expressions -------------------------------------------------------------------------------------

static struct expr *new_expr(struct binder *binder, enum expr_kind kind)
{
    struct expr *expr = ARENA_NEW(binder->arena, struct expr);
    expr->kind = kind;
    expr->position = POSITION_NONE;
    return expr;
}

static struct expr *column(struct binder *binder, const char *table, const char *name)
{
    struct expr *expr = new_expr(binder, EXPR_COLUMN);
    expr->column.names = ARENA_ARRAY(binder->arena, const char *, 2);
    expr->column.names[0] = table;
    expr->column.names[1] = name;
    expr->column.count = name == NULL ? 1 : 2;
    expr->column.star = name == NULL;
    return expr;
}

static struct expr *number(struct binder *binder, int32_t value)
{
    struct expr *digits = new_expr(binder, EXPR_LITERAL), *expr = new_expr(binder, EXPR_CAST);
    digits->literal.kind = LITERAL_INTEGER;
    digits->literal.integer = value;
    digits->literal.text = bytes_of_string(value == 0 ? "0" : "1");
    expr->cast.arg = digits;
    expr->cast.type = ARENA_NEW(binder->arena, struct type_name);
    *expr->cast.type =
        (struct type_name){.schema = "pg_catalog", .name = "int8", .position = POSITION_NONE};
    return expr;
}

static struct expr *operation(
    struct binder *binder, const char *name, struct expr *left, struct expr *right)
{
    struct expr *expr = new_expr(binder, EXPR_OPERATOR);
    expr->op.schema = "pg_catalog";
    expr->op.name = name;
    expr->op.left = left;
    expr->op.right = right;
    return expr;
}

static void add_expr(struct binder *binder, struct expr_list *list, struct expr *expr)
{
    struct expr **items = ARENA_ARRAY(binder->arena, struct expr *, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) items[i] = list->items[i];
    items[list->count++] = expr;
    list->items = items;
}

// ROW([first,] table.column...)
static struct expr *row_of(
    struct binder *binder, const char *table, struct name_list columns, struct expr *first)
{
    struct expr *row = new_expr(binder, EXPR_ROW);
    row->row.spelled = true;
    if (first != NULL) add_expr(binder, &row->row.items, first);
    for (uint32_t i = 0; i < columns.count; i++)
        add_expr(binder, &row->row.items, column(binder, table, columns.items[i]));
    return row;
}

static struct expr *array_of(struct binder *binder, struct expr *item)
{
    struct expr *array = new_expr(binder, EXPR_ARRAY);
    add_expr(binder, &array->list, item);
    return array;
}

static struct expr *appended(struct binder *binder, struct expr *array, struct expr *item)
{
    struct expr *expr = new_expr(binder, EXPR_FUNCTION);
    expr->function = ARENA_NEW(binder->arena, struct function_expr);
    expr->function->schema = "pg_catalog";
    expr->function->name = "array_append";
    add_expr(binder, &expr->function->args, array);
    add_expr(binder, &expr->function->args, item);
    return expr;
}

static struct expr *choice(
    struct binder *binder, struct expr *condition, struct expr *result, struct expr *otherwise)
{
    struct expr *expr = new_expr(binder, EXPR_CASE);
    expr->casing.whens = ARENA_ARRAY(binder->arena, struct case_when, 1);
    expr->casing.whens[0] = (struct case_when){condition, result};
    expr->casing.count = 1;
    expr->casing.otherwise = otherwise;
    return expr;
}

static struct expr *no(struct binder *binder)
{
    struct expr *expr = new_expr(binder, EXPR_LITERAL);
    expr->literal.kind = LITERAL_BOOL;
    return expr;
}

static void add_target(
    struct binder *binder, struct select *select, struct expr *expr, const char *alias)
{
    struct target_list *list = &select->targets;
    struct target *items = ARENA_ARRAY(binder->arena, struct target, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) items[i] = list->items[i];
    items[list->count++] =
        (struct target){.expr = expr, .alias = alias, .position = POSITION_NONE};
    list->items = items;
}

// --- the two sides -----------------------------------------------------------------------------------

// SELECT ... FROM (query) AS alias(columns)
static struct select *select_over(struct binder *binder, struct select *query, const char *alias,
    struct name_list columns)
{
    struct select *select = ARENA_NEW(binder->arena, struct select);
    struct from_item *item = ARENA_NEW(binder->arena, struct from_item);
    select->kind = SELECT_SIMPLE;
    select->position = POSITION_NONE;
    select->from.items = ARENA_ARRAY(binder->arena, struct from_item *, 1);
    select->from.items[0] = item;
    select->from.count = 1;
    item->kind = FROM_SUBQUERY;
    item->position = POSITION_NONE;
    item->alias = alias;
    item->column_aliases = columns;
    item->query = query;
    return select;
}

static struct select *left_side(struct binder *binder, const struct cte *cte,
    struct select *query, struct name_list columns)
{
    const struct cte_search *search = cte->search;
    const struct cte_cycle *cycle = cte->cycle;
    struct select *select = select_over(binder, query, LEFT_ALIAS, columns);
    add_target(binder, select, column(binder, LEFT_ALIAS, NULL), NULL);
    if (search != NULL) {
        struct expr *row = row_of(
            binder, LEFT_ALIAS, search->columns, search->breadth ? number(binder, 0) : NULL);
        add_target(
            binder, select, search->breadth ? row : array_of(binder, row), search->sequence);
    }
    if (cycle != NULL) {
        add_target(binder, select,
            choice(binder, no(binder), cycle->value, cycle->otherwise), cycle->mark);
        add_target(binder, select,
            array_of(binder, row_of(binder, LEFT_ALIAS, cycle->columns, NULL)), cycle->path);
    }
    if (search != NULL && search->breadth)
        add_target(binder, select, number(binder, 0), DEPTH_COLUMN);
    return select;
}

// What names the query itself within its right side; NULL: nothing at its top.
static const char *own_name(const struct from_item *item, const char *name)
{
    if (item->kind == FROM_JOIN) {
        const char *found = own_name(item->join.left, name);
        return found != NULL ? found : own_name(item->join.right, name);
    }
    if (item->kind != FROM_TABLE || item->table.name.schema != NULL ||
        strcmp(item->table.name.name, name) != 0)
        return NULL;
    return item->alias != NULL ? item->alias : name;
}

// The right side as written, with what is known of the row that it goes on from.
static struct select *right_inner(struct binder *binder, const struct select *query,
    const char *own, struct name_list added)
{
    struct select *select = ARENA_NEW(binder->arena, struct select);
    *select = *query;
    for (uint32_t i = 0; i < added.count; i++)
        add_target(binder, select, column(binder, own, added.items[i]), added.items[i]);
    return select;
}

static struct select *right_side(struct binder *binder, const struct cte *cte,
    struct select *query, struct name_list columns, struct name_list all)
{
    const struct cte_search *search = cte->search;
    const struct cte_cycle *cycle = cte->cycle;
    struct select *select = select_over(binder, query, RIGHT_ALIAS, all);
    struct expr *deeper = operation(
        binder, "+", column(binder, RIGHT_ALIAS, DEPTH_COLUMN), number(binder, 1));
    for (uint32_t i = 0; i < columns.count; i++)
        add_target(binder, select, column(binder, RIGHT_ALIAS, columns.items[i]), NULL);
    if (search != NULL) {
        struct expr *row =
            row_of(binder, RIGHT_ALIAS, search->columns, search->breadth ? deeper : NULL);
        struct expr *before = column(binder, RIGHT_ALIAS, search->sequence);
        add_target(binder, select,
            search->breadth ? row : appended(binder, before, row), search->sequence);
    }
    if (cycle != NULL) {
        struct expr *met = new_expr(binder, EXPR_ANY_ALL);
        met->any_all.left = row_of(binder, RIGHT_ALIAS, cycle->columns, NULL);
        met->any_all.op = "=";
        met->any_all.array = column(binder, RIGHT_ALIAS, cycle->path);
        add_target(
            binder, select, choice(binder, met, cycle->value, cycle->otherwise), cycle->mark);
        add_target(binder, select,
            appended(binder, column(binder, RIGHT_ALIAS, cycle->path),
                row_of(binder, RIGHT_ALIAS, cycle->columns, NULL)),
            cycle->path);
        select->where =
            operation(binder, "<>", column(binder, RIGHT_ALIAS, cycle->mark), cycle->value);
    }
    if (search != NULL && search->breadth) add_target(binder, select, deeper, DEPTH_COLUMN);
    return select;
}

static struct name_list names_of(
    struct binder *binder, const struct cte_scope *known, uint32_t count, struct name_list added)
{
    struct name_list list = {ARENA_ARRAY(binder->arena, const char *, count + added.count), 0};
    for (uint32_t i = 0; i < count; i++) list.items[list.count++] = known->columns[i];
    for (uint32_t i = 0; i < added.count; i++) list.items[list.count++] = added.items[i];
    return list;
}

static struct status check_shape(
    struct binder *binder, const struct cte *cte, const struct select *select, const char **own)
{
    if (select->left->kind != SELECT_SIMPLE && select->left->kind != SELECT_VALUES)
        return bind_error(binder, cte->position, E_FEATURE_NOT_SUPPORTED,
            "with a SEARCH or CYCLE clause, the left side of the UNION must be a SELECT");
    if (select->right->kind != SELECT_SIMPLE && select->right->kind != SELECT_VALUES)
        return bind_error(binder, cte->position, E_FEATURE_NOT_SUPPORTED,
            "with a SEARCH or CYCLE clause, the right side of the UNION must be a SELECT");
    for (uint32_t i = 0; i < select->right->from.count && *own == NULL; i++)
        *own = own_name(select->right->from.items[i], cte->name);
    if (*own == NULL)
        return bind_error(binder, cte->position, E_FEATURE_NOT_SUPPORTED,
            "with a SEARCH or CYCLE clause, the recursive reference to WITH query \"%s\" must be at "
            "the top level of its right-hand SELECT",
            cte->name);
    return STATUS_OK;
}

struct status bind_cte_paths(struct binder *binder, struct scope *scope, const struct cte *cte,
    const struct select *select, struct cte_paths *paths)
{
    struct status st = STATUS_OK;
    struct query first = {0}; // Bound once for its names alone.
    struct cte_scope known = {0};
    struct rel_cte unused = {0};
    const char *own = NULL, *names[4];
    struct name_list added = {names, 0};
    TRY(check_shape(binder, cte, select, &own));
    TRY(bind_select(binder, scope, select->left, false, &first));
    TRY(bind_cte_columns(binder, cte, &first, &known, &unused));
    const struct name_list columns =
        names_of(binder, &known, first.column_count, (struct name_list){0});
    TRY(check_clauses(binder, cte, columns));
    if (cte->search != NULL) names[added.count++] = cte->search->sequence;
    if (cte->cycle != NULL) names[added.count++] = cte->cycle->mark;
    if (cte->cycle != NULL) names[added.count++] = cte->cycle->path;
    paths->depth = cte->search != NULL && cte->search->breadth;
    if (paths->depth) names[added.count++] = DEPTH_COLUMN;
    paths->hidden = added.count;
    paths->left = left_side(binder, cte, select->left, columns);
    paths->right = right_side(binder, cte, right_inner(binder, select->right, own, added),
        columns, names_of(binder, &known, first.column_count, added));

out:
    return st;
}
