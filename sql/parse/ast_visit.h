// SPDX-License-Identifier: GPL-3.0-or-later
//
// Walks over expressions of the statement tree.
//
// Shard    Pure. Recursive as deep as AST_DEPTH_MAX: run it on the big stack (stack_call).
// Memory   Nothing is allocated.
#pragma once
#include "sql/parse/ast.h"

typedef void (*expr_visit_fn)(struct expr *expr, void *arg);
// Calls fn for the expression and everything in it, except for subqueries. fn may change the node.
void expr_visit(struct expr *expr, expr_visit_fn fn, void *arg);
void expr_visit_list(const struct expr_list *list, expr_visit_fn fn, void *arg);
