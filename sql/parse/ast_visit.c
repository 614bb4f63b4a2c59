// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/ast_visit.h"

void expr_visit_list(const struct expr_list *list, expr_visit_fn fn, void *arg)
{
    for (uint32_t i = 0; i < list->count; i++)
        expr_visit(list->items[i], fn, arg);
}

static void visit_function(struct function_expr *call, expr_visit_fn fn, void *arg)
{
    expr_visit_list(&call->args, fn, arg);
    for (uint32_t i = 0; i < call->order_by.count; i++)
        expr_visit(call->order_by.items[i].expr, fn, arg);
    expr_visit(call->filter, fn, arg);
}

void expr_visit(struct expr *expr, expr_visit_fn fn, void *arg)
{
    if (expr == NULL) return;
    fn(expr, arg);
    switch (expr->kind) {
    case EXPR_OPERATOR:
        expr_visit(expr->op.left, fn, arg);
        expr_visit(expr->op.right, fn, arg);
        break;
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_COALESCE:
    case EXPR_GREATEST:
    case EXPR_LEAST:
    case EXPR_ARRAY:
    case EXPR_GROUPING: expr_visit_list(&expr->list, fn, arg); break;
    case EXPR_NOT: expr_visit(expr->unary.arg, fn, arg); break;
    case EXPR_IS: expr_visit(expr->is.arg, fn, arg); break;
    case EXPR_DISTINCT:
        expr_visit(expr->distinct.left, fn, arg);
        expr_visit(expr->distinct.right, fn, arg);
        break;
    case EXPR_BETWEEN:
        expr_visit(expr->between.arg, fn, arg);
        expr_visit(expr->between.low, fn, arg);
        expr_visit(expr->between.high, fn, arg);
        break;
    case EXPR_IN:
        expr_visit(expr->in.arg, fn, arg);
        expr_visit_list(&expr->in.items, fn, arg);
        break;
    case EXPR_LIKE:
        expr_visit(expr->like.arg, fn, arg);
        expr_visit(expr->like.pattern, fn, arg);
        expr_visit(expr->like.escape, fn, arg);
        break;
    case EXPR_ANY_ALL:
        expr_visit(expr->any_all.left, fn, arg);
        expr_visit(expr->any_all.array, fn, arg);
        break;
    case EXPR_FUNCTION: visit_function(expr->function, fn, arg); break;
    case EXPR_CAST: expr_visit(expr->cast.arg, fn, arg); break;
    case EXPR_CASE:
        expr_visit(expr->casing.arg, fn, arg);
        for (uint32_t i = 0; i < expr->casing.count; i++) {
            expr_visit(expr->casing.whens[i].condition, fn, arg);
            expr_visit(expr->casing.whens[i].result, fn, arg);
        }
        expr_visit(expr->casing.otherwise, fn, arg);
        break;
    case EXPR_NULLIF:
        expr_visit(expr->nullif.left, fn, arg);
        expr_visit(expr->nullif.right, fn, arg);
        break;
    case EXPR_SUBSCRIPT:
        expr_visit(expr->subscript.arg, fn, arg);
        expr_visit(expr->subscript.lower, fn, arg);
        expr_visit(expr->subscript.upper, fn, arg);
        break;
    case EXPR_FIELD: expr_visit(expr->field.arg, fn, arg); break;
    case EXPR_ROW: expr_visit_list(&expr->row.items, fn, arg); break;
    case EXPR_COLLATE: expr_visit(expr->collate.arg, fn, arg); break;
    case EXPR_NAMED_ARGUMENT: expr_visit(expr->named_argument.arg, fn, arg); break;
    case EXPR_XML:
        for (uint32_t i = 0; i < expr->xml->named_count; i++) expr_visit(expr->xml->named[i].value, fn, arg);
        expr_visit_list(&expr->xml->args, fn, arg);
        for (uint32_t i = 0; i < expr->xml->column_count; i++) {
            expr_visit(expr->xml->columns[i].path, fn, arg);
            expr_visit(expr->xml->columns[i].otherwise, fn, arg);
        }
        break;
    default: // Leaves, and subqueries.
        break;
    }
}
