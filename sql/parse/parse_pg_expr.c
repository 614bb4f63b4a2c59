// SPDX-License-Identifier: GPL-3.0-or-later
//
// Expressions, types, sort lists and windows out of libpg_query's tree.
#include "core/invariant.h"
#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name

struct expr *convert_new(struct convert *convert, enum expr_kind kind, int32_t location)
{
    struct expr *expr = ARENA_NEW(convert->arena, struct expr);
    expr->kind = kind;
    expr->position = convert_position(convert, location);
    return expr;
}

struct expr_list convert_exprs(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct expr_list list = {ARENA_ARRAY(convert->arena, struct expr *, count), (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        list.items[i] = convert_expr(convert, nodes[i]);
    return list;
}

// A literal that was too long for libpg_query's memory: its value from the text.
static bool put_aside(struct convert *convert, struct expr *expr)
{
    struct parse *parse = convert->parse;
    uint32_t at = parse_aside_from(parse, expr->position);
    if (at == parse->aside_count || parse->asides[at].token.position != expr->position)
        return false;
    struct lexer lexer;
    lexer_init(&lexer, parse->text);
    parse->asides[at].used =
        token_string(convert->arena, &lexer, parse->asides[at].token, &expr->literal.text);
    return parse->asides[at].used;
}

static struct expr *constant(struct convert *convert, const PgQuery__AConst *node)
{
    struct expr *expr = convert_new(convert, EXPR_LITERAL, node->location);
    if (node->isnull) return expr; // LITERAL_NULL
    switch (node->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        expr->literal.kind = LITERAL_INTEGER;
        expr->literal.integer = node->ival->ival;
        expr->literal.text = bytes_of_string(arena_printf(convert->arena, "%d", node->ival->ival));
        break;
    case PG_QUERY__A__CONST__VAL_FVAL:
        expr->literal.kind = LITERAL_DECIMAL;
        expr->literal.text = arena_copy(convert->arena, bytes_of_string(node->fval->fval));
        break;
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        expr->literal.kind = LITERAL_BOOL;
        expr->literal.boolean = node->boolval->boolval;
        break;
    case PG_QUERY__A__CONST__VAL_SVAL:
        expr->literal.kind = LITERAL_STRING;
        if (node->sval->sval[0] == 0 && put_aside(convert, expr)) break;
        expr->literal.text = arena_copy(convert->arena, bytes_of_string(node->sval->sval));
        break;
    case PG_QUERY__A__CONST__VAL_BSVAL:
        expr->literal.kind = LITERAL_BITS;
        expr->literal.text = arena_copy(convert->arena, bytes_of_string(node->bsval->bsval));
        break;
    default: // An integer 0 comes as an empty message in some releases.
        expr->literal.kind = LITERAL_INTEGER;
        expr->literal.text = BYTES_LITERAL("0");
    }
    return expr;
}

static struct expr *column(struct convert *convert, const PgQuery__ColumnRef *node)
{
    struct expr *expr = convert_new(convert, EXPR_COLUMN, node->location);
    size_t count = node->n_fields;
    if (count > 0 && node->fields[count - 1]->node_case == NODE(A_STAR)) {
        expr->column.star = true;
        count--;
    }
    if (count > 4) {
        parse_fail_at(convert->parse, E_SYNTAX_ERROR, expr->position,
            "improper qualified name (too many dotted names)");
        count = 4;
    }
    struct name_list names = convert_names(convert, count, node->fields);
    expr->column.names = names.items;
    expr->column.count = names.count;
    return expr;
}

static bool operator_is(const PgQuery__AExpr *node, const char *name)
{
    return node->n_name > 0 && strcmp(node_text(node->name[node->n_name - 1]), name) == 0;
}

// x LIKE y: the pattern is y, or a call of like_escape or similar_to_escape over it.
static struct expr *like(struct convert *convert, const PgQuery__AExpr *node)
{
    struct expr *expr = convert_new(convert, EXPR_LIKE, node->location);
    expr->like.arg = convert_expr(convert, node->lexpr);
    expr->like.negated = node_text(node->name[node->n_name - 1])[0] == '!';
    expr->like.kind = node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_LIKE    ? LIKE_LIKE
                      : node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE ? LIKE_ILIKE
                                                                           : LIKE_SIMILAR;
    const PgQuery__Node *pattern = node->rexpr;
    if (pattern != NULL && pattern->node_case == NODE(FUNC_CALL)) {
        const PgQuery__FuncCall *call = pattern->func_call;
        const char *name = call->n_funcname == 2 ? node_text(call->funcname[1]) : "";
        bool made = call->n_funcname == 2 &&
                    strcmp(node_text(call->funcname[0]), "pg_catalog") == 0 &&
                    (strcmp(name, "like_escape") == 0 || strcmp(name, "similar_to_escape") == 0) &&
                    call->n_args >= 1 && call->n_args <= 2;
        if (made && (expr->like.kind == LIKE_SIMILAR || call->n_args == 2)) {
            if (call->n_args == 2) expr->like.escape = convert_expr(convert, call->args[1]);
            pattern = call->args[0];
        }
    }
    expr->like.pattern = convert_expr(convert, pattern);
    return expr;
}

static struct expr *between(struct convert *convert, const PgQuery__AExpr *node)
{
    struct expr *expr = convert_new(convert, EXPR_BETWEEN, node->location);
    expr->between.arg = convert_expr(convert, node->lexpr);
    PgQuery__AExprKind kind = node->kind;
    expr->between.negated = kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN ||
                            kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    expr->between.symmetric = kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM ||
                              kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    if (node->rexpr != NULL && node->rexpr->node_case == NODE(LIST) &&
        node->rexpr->list->n_items == 2) {
        expr->between.low = convert_expr(convert, node->rexpr->list->items[0]);
        expr->between.high = convert_expr(convert, node->rexpr->list->items[1]);
    }
    return expr;
}

static struct expr *in_list(struct convert *convert, const PgQuery__AExpr *node)
{
    struct expr *expr = convert_new(convert, EXPR_IN, node->location);
    expr->in.arg = convert_expr(convert, node->lexpr);
    expr->in.negated = operator_is(node, "<>");
    if (node->rexpr != NULL && node->rexpr->node_case == NODE(LIST))
        expr->in.items =
            convert_exprs(convert, node->rexpr->list->n_items, node->rexpr->list->items);
    return expr;
}

// ROW(...) op (SELECT ...): the query's row is compared, not one value of it.
static struct expr *row_comparison(struct convert *convert, const PgQuery__AExpr *node)
{
    const PgQuery__Node *left = node->lexpr, *right = node->rexpr;
    if (left == NULL || right == NULL || left->node_case != NODE(ROW_EXPR) || right->node_case != NODE(SUB_LINK) ||
        right->sub_link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK || node->n_name == 0)
        return NULL;
    struct expr *expr = convert_new(convert, EXPR_SUBLINK, node->location);
    const PgQuery__Node *query = right->sub_link->subselect;
    expr->sublink.kind = SUBLINK_ROW;
    expr->sublink.test = convert_expr(convert, left);
    expr->sublink.op = arena_strdup(convert->arena, node_text(node->name[node->n_name - 1]));
    if (query != NULL && query->node_case == NODE(SELECT_STMT))
        expr->sublink.query = convert_select(convert, query->select_stmt);
    return expr;
}

static struct expr *plain_operator(struct convert *convert, const PgQuery__AExpr *node)
{
    struct expr *row = row_comparison(convert, node);
    if (row != NULL) return row;
    struct expr *expr = convert_new(convert, EXPR_OPERATOR, node->location);
    if (node->n_name > 1) expr->op.schema = convert_string(convert, node_text(node->name[0]));
    expr->op.name = arena_strdup(
        convert->arena, node->n_name > 0 ? node_text(node->name[node->n_name - 1]) : "");
    expr->op.left = convert_expr(convert, node->lexpr);
    expr->op.right = convert_expr(convert, node->rexpr);
    return expr;
}

static struct expr *operation(struct convert *convert, const PgQuery__AExpr *node)
{
    struct expr *expr;
    switch (node->kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ANY:
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL:
        expr = convert_new(convert, EXPR_ANY_ALL, node->location);
        expr->any_all.left = convert_expr(convert, node->lexpr);
        expr->any_all.op = arena_strdup(convert->arena, node_text(node->name[node->n_name - 1]));
        expr->any_all.array = convert_expr(convert, node->rexpr);
        expr->any_all.all = node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_OP_ALL;
        return expr;
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
        expr = convert_new(convert, EXPR_DISTINCT, node->location);
        expr->distinct.left = convert_expr(convert, node->lexpr);
        expr->distinct.right = convert_expr(convert, node->rexpr);
        expr->distinct.negated = node->kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT;
        return expr;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        expr = convert_new(convert, EXPR_NULLIF, node->location);
        expr->nullif.left = convert_expr(convert, node->lexpr);
        expr->nullif.right = convert_expr(convert, node->rexpr);
        return expr;
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN: return in_list(convert, node);
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR: return like(convert, node);
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM: return between(convert, node);
    default: return plain_operator(convert, node);
    }
}

static struct expr *boolean(struct convert *convert, const PgQuery__BoolExpr *node)
{
    if (node->boolop == PG_QUERY__BOOL_EXPR_TYPE__NOT_EXPR) {
        struct expr *expr = convert_new(convert, EXPR_NOT, node->location);
        expr->unary.arg = convert_expr(convert, node->n_args > 0 ? node->args[0] : NULL);
        return expr;
    }
    bool is_and = node->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR;
    struct expr *expr = convert_new(convert, is_and ? EXPR_AND : EXPR_OR, node->location);
    expr->list = convert_exprs(convert, node->n_args, node->args);
    return expr;
}

struct window *convert_window(struct convert *convert, const PgQuery__WindowDef *def)
{
    // Bits of PostgreSQL's FRAMEOPTION_*.
    enum {
        NONDEFAULT = 0x1,
        RANGE = 0x2,
        ROWS = 0x4,
        GROUPS = 0x8,
        BETWEEN = 0x10,
        START_UNBOUNDED_PRECEDING = 0x20,
        END_UNBOUNDED_PRECEDING = 0x40,
        START_UNBOUNDED_FOLLOWING = 0x80,
        END_UNBOUNDED_FOLLOWING = 0x100,
        START_CURRENT = 0x200,
        END_CURRENT = 0x400,
        START_OFFSET_PRECEDING = 0x800,
        END_OFFSET_PRECEDING = 0x1000,
        START_OFFSET_FOLLOWING = 0x2000,
        END_OFFSET_FOLLOWING = 0x4000,
        EXCLUDE_ROW = 0x8000,
        EXCLUDE_PEERS = 0x10000,
        EXCLUDE_TIE = 0x20000,
    };
    struct window *window = ARENA_NEW(convert->arena, struct window);
    uint32_t bits = (uint32_t)def->frame_options;
    window->name = convert_string(convert, def->name);
    window->reference = convert_string(convert, def->refname);
    window->partition_by = convert_exprs(convert, def->n_partition_clause, def->partition_clause);
    window->order_by = convert_sorts(convert, def->n_order_clause, def->order_clause);
    window->position = convert_position(convert, def->location);
    window->start_offset = convert_expr(convert, def->start_offset);
    window->end_offset = convert_expr(convert, def->end_offset);
    if (bits & NONDEFAULT) {
        window->mode = bits & ROWS ? FRAME_ROWS : bits & GROUPS ? FRAME_GROUPS : FRAME_RANGE;
    }
    window->between = (bits & BETWEEN) != 0;
    window->start = bits & START_UNBOUNDED_FOLLOWING ? FRAME_UNBOUNDED_FOLLOWING
                    : bits & START_CURRENT           ? FRAME_CURRENT_ROW
                    : bits & START_OFFSET_PRECEDING  ? FRAME_OFFSET_PRECEDING
                    : bits & START_OFFSET_FOLLOWING  ? FRAME_OFFSET_FOLLOWING
                                                     : FRAME_UNBOUNDED_PRECEDING;
    window->end = bits & END_UNBOUNDED_PRECEDING   ? FRAME_UNBOUNDED_PRECEDING
                  : bits & END_UNBOUNDED_FOLLOWING ? FRAME_UNBOUNDED_FOLLOWING
                  : bits & END_OFFSET_PRECEDING    ? FRAME_OFFSET_PRECEDING
                  : bits & END_OFFSET_FOLLOWING    ? FRAME_OFFSET_FOLLOWING
                                                   : FRAME_CURRENT_ROW;
    window->exclusion = bits & EXCLUDE_ROW     ? EXCLUDE_CURRENT_ROW
                        : bits & EXCLUDE_PEERS ? EXCLUDE_GROUP
                        : bits & EXCLUDE_TIE   ? EXCLUDE_TIES
                                               : EXCLUDE_NO_OTHERS;
    return window;
}

static struct expr *function(struct convert *convert, const PgQuery__FuncCall *node)
{
    struct expr *expr = convert_new(convert, EXPR_FUNCTION, node->location);
    struct function_expr *call = expr->function = ARENA_NEW(convert->arena, struct function_expr);
    struct object_name name =
        convert_object_name(convert, node->n_funcname, node->funcname, expr->position);
    call->schema = name.schema;
    call->name = name.name;
    call->args = convert_exprs(convert, node->n_args, node->args);
    call->order_by = convert_sorts(convert, node->n_agg_order, node->agg_order);
    call->filter = convert_expr(convert, node->agg_filter);
    call->over = node->over == NULL ? NULL : convert_window(convert, node->over);
    call->star = node->agg_star;
    call->distinct = node->agg_distinct;
    call->variadic = node->func_variadic;
    call->within_group = node->agg_within_group;
    call->sql_syntax = node->funcformat == PG_QUERY__COERCION_FORM__COERCE_SQL_SYNTAX;
    return expr;
}

struct type_name *convert_type(struct convert *convert, const PgQuery__TypeName *type)
{
    if (type == NULL) return NULL;
    struct type_name *out = ARENA_NEW(convert->arena, struct type_name);
    out->position = convert_position(convert, type->location);
    struct object_name name =
        convert_object_name(convert, type->n_names, type->names, out->position);
    out->schema = name.schema;
    out->name = name.name;
    out->modifiers = convert_exprs(convert, type->n_typmods, type->typmods);
    out->array_dimensions = (uint32_t)type->n_array_bounds;
    out->setof = type->setof;
    out->percent_type = type->pct_type;
    return out;
}

static struct expr *cast(struct convert *convert, const PgQuery__TypeCast *node)
{
    struct expr *expr = convert_new(convert, EXPR_CAST, node->location);
    expr->cast.arg = convert_expr(convert, node->arg);
    expr->cast.type = convert_type(convert, node->type_name);
    return expr;
}

static struct expr *casing(struct convert *convert, const PgQuery__CaseExpr *node)
{
    struct expr *expr = convert_new(convert, EXPR_CASE, node->location);
    expr->casing.arg = convert_expr(convert, node->arg);
    expr->casing.whens = ARENA_ARRAY(convert->arena, struct case_when, node->n_args);
    for (size_t i = 0; i < node->n_args; i++) {
        if (node->args[i]->node_case != NODE(CASE_WHEN)) continue;
        const PgQuery__CaseWhen *when = node->args[i]->case_when;
        struct case_when *out = &expr->casing.whens[expr->casing.count++];
        out->condition = convert_expr(convert, when->expr);
        out->result = convert_expr(convert, when->result);
    }
    expr->casing.otherwise = convert_expr(convert, node->defresult);
    return expr;
}

static struct expr *sublink(struct convert *convert, const PgQuery__SubLink *node)
{
    struct expr *expr = convert_new(convert, EXPR_SUBLINK, node->location);
    switch (node->sub_link_type) {
    case PG_QUERY__SUB_LINK_TYPE__EXISTS_SUBLINK: expr->sublink.kind = SUBLINK_EXISTS; break;
    case PG_QUERY__SUB_LINK_TYPE__ALL_SUBLINK: expr->sublink.kind = SUBLINK_ALL; break;
    case PG_QUERY__SUB_LINK_TYPE__ANY_SUBLINK: expr->sublink.kind = SUBLINK_ANY; break;
    case PG_QUERY__SUB_LINK_TYPE__ARRAY_SUBLINK: expr->sublink.kind = SUBLINK_ARRAY; break;
    default: expr->sublink.kind = SUBLINK_SCALAR;
    }
    bool compares = expr->sublink.kind == SUBLINK_ANY || expr->sublink.kind == SUBLINK_ALL;
    expr->sublink.test = convert_expr(convert, node->testexpr);
    if (compares) {
        const char *name =
            node->n_oper_name == 0 ? "=" : node_text(node->oper_name[node->n_oper_name - 1]);
        expr->sublink.op = arena_strdup(convert->arena, name);
    }
    if (node->subselect != NULL && node->subselect->node_case == NODE(SELECT_STMT))
        expr->sublink.query = convert_select(convert, node->subselect->select_stmt);
    return expr;
}

// a[1].b[2:3]: one node for each step.
static struct expr *indirection(struct convert *convert, const PgQuery__AIndirection *node)
{
    struct expr *expr = convert_expr(convert, node->arg);
    uint32_t entered = 0;
    for (size_t i = 0; i < node->n_indirection; i++) {
        const PgQuery__Node *step = node->indirection[i];
        entered++;
        if (!convert_enter(convert)) break;
        struct expr *outer = ARENA_NEW(convert->arena, struct expr);
        outer->position = expr->position;
        if (step->node_case == NODE(A_INDICES)) {
            outer->kind = EXPR_SUBSCRIPT;
            outer->subscript.arg = expr;
            outer->subscript.slice = step->a_indices->is_slice;
            outer->subscript.apart = i == 0 && expr->kind == EXPR_SUBSCRIPT;
            outer->subscript.lower = convert_expr(
                convert, step->a_indices->is_slice ? step->a_indices->lidx : step->a_indices->uidx);
            if (step->a_indices->is_slice)
                outer->subscript.upper = convert_expr(convert, step->a_indices->uidx);
        } else {
            outer->kind = EXPR_FIELD;
            outer->field.arg = expr;
            if (step->node_case == NODE(STRING))
                outer->field.name = arena_strdup(convert->arena, node_text(step));
        }
        expr = outer;
    }
    convert->depth -= entered;
    return expr;
}

static struct expr *sql_value(struct convert *convert, const PgQuery__SQLValueFunction *node)
{
    static const enum sql_value values[] = {
        [1] = SQL_CURRENT_DATE,
        [2] = SQL_CURRENT_TIME,
        [3] = SQL_CURRENT_TIME,
        [4] = SQL_CURRENT_TIMESTAMP,
        [5] = SQL_CURRENT_TIMESTAMP,
        [6] = SQL_LOCALTIME,
        [7] = SQL_LOCALTIME,
        [8] = SQL_LOCALTIMESTAMP,
        [9] = SQL_LOCALTIMESTAMP,
        [10] = SQL_CURRENT_ROLE,
        [11] = SQL_CURRENT_USER,
        [12] = SQL_USER,
        [13] = SQL_SESSION_USER,
        [14] = SQL_CURRENT_CATALOG,
        [15] = SQL_CURRENT_SCHEMA,
    };
    struct expr *expr = convert_new(convert, EXPR_SQL_VALUE, node->location);
    uint32_t op = (uint32_t)node->op;
    expr->sql_value.value = op < sizeof values / sizeof values[0] ? values[op] : SQL_CURRENT_DATE;
    bool has_precision = op == 3 || op == 5 || op == 7 || op == 9;
    expr->sql_value.precision = has_precision ? node->typmod : -1;
    return expr;
}

static struct expr *truth_test(struct convert *convert, const PgQuery__BooleanTest *node)
{
    static const enum is_test tests[] = {
        [1] = IS_TRUE,
        [2] = IS_NOT_TRUE,
        [3] = IS_FALSE,
        [4] = IS_NOT_FALSE,
        [5] = IS_UNKNOWN,
        [6] = IS_NOT_UNKNOWN,
    };
    struct expr *expr = convert_new(convert, EXPR_IS, node->location);
    expr->is.arg = convert_expr(convert, node->arg);
    uint32_t test = (uint32_t)node->booltesttype;
    expr->is.test = test < sizeof tests / sizeof tests[0] ? tests[test] : IS_TRUE;
    return expr;
}

static struct expr *grouping_set(struct convert *convert, const PgQuery__GroupingSet *node)
{
    struct expr *expr = convert_new(convert, EXPR_GROUPING_SET, node->location);
    switch (node->kind) {
    case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_ROLLUP:
        expr->grouping_set.kind = GROUPING_ROLLUP;
        break;
    case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_CUBE:
        expr->grouping_set.kind = GROUPING_CUBE;
        break;
    case PG_QUERY__GROUPING_SET_KIND__GROUPING_SET_SETS:
        expr->grouping_set.kind = GROUPING_SETS;
        break;
    default: expr->grouping_set.kind = GROUPING_EMPTY;
    }
    expr->grouping_set.items = convert_exprs(convert, node->n_content, node->content);
    return expr;
}

static struct expr *collation(struct convert *convert, const PgQuery__CollateClause *node)
{
    struct expr *expr = convert_new(convert, EXPR_COLLATE, node->location);
    expr->collate.arg = convert_expr(convert, node->arg);
    expr->collate.name =
        convert_object_name(convert, node->n_collname, node->collname, expr->position);
    return expr;
}

static struct expr *list_of(struct convert *convert, enum expr_kind kind, int32_t location,
    size_t count, PgQuery__Node **nodes)
{
    struct expr *expr = convert_new(convert, kind, location);
    expr->list = convert_exprs(convert, count, nodes);
    return expr;
}

static struct expr *row(struct convert *convert, const PgQuery__RowExpr *node)
{
    struct expr *expr = convert_new(convert, EXPR_ROW, node->location);
    expr->row.items = convert_exprs(convert, node->n_args, node->args);
    expr->row.spelled = node->row_format == PG_QUERY__COERCION_FORM__COERCE_EXPLICIT_CALL;
    return expr;
}

static struct expr *parameter(struct convert *convert, const PgQuery__ParamRef *node)
{
    struct expr *expr = convert_new(convert, EXPR_PARAMETER, node->location);
    expr->parameter.number = (uint32_t)node->number;
    if (node->number < 1 || node->number > 65535) {
        struct status st = status_format(
            convert->arena, E_UNDEFINED_PARAMETER, "there is no parameter $%d", node->number);
        parse_fail(convert->parse,
            parse_error_at(convert->arena, st, convert->parse->text, expr->position));
    } else if (expr->parameter.number > convert->parse->parameter_count) {
        convert->parse->parameter_count = expr->parameter.number;
    }
    return expr;
}

static struct expr *dispatch(struct convert *convert, const PgQuery__Node *node)
{
    struct expr *expr;
    switch (node->node_case) {
    case NODE(A_CONST): return constant(convert, node->a_const);
    case NODE(COLUMN_REF): return column(convert, node->column_ref);
    case NODE(PARAM_REF): return parameter(convert, node->param_ref);
    case NODE(A_EXPR): return operation(convert, node->a_expr);
    case NODE(BOOL_EXPR): return boolean(convert, node->bool_expr);
    case NODE(FUNC_CALL): return function(convert, node->func_call);
    case NODE(TYPE_CAST): return cast(convert, node->type_cast);
    case NODE(CASE_EXPR): return casing(convert, node->case_expr);
    case NODE(SUB_LINK): return sublink(convert, node->sub_link);
    case NODE(A_INDIRECTION): return indirection(convert, node->a_indirection);
    case NODE(SQLVALUE_FUNCTION): return sql_value(convert, node->sqlvalue_function);
    case NODE(BOOLEAN_TEST): return truth_test(convert, node->boolean_test);
    case NODE(GROUPING_SET): return grouping_set(convert, node->grouping_set);
    case NODE(COLLATE_CLAUSE): return collation(convert, node->collate_clause);
    case NODE(ROW_EXPR): return row(convert, node->row_expr);
    case NODE(NULL_TEST):
        expr = convert_new(convert, EXPR_IS, node->null_test->location);
        expr->is.arg = convert_expr(convert, node->null_test->arg);
        expr->is.test = node->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NULL
                            ? IS_NULL
                            : IS_NOT_NULL;
        return expr;
    case NODE(COALESCE_EXPR):
        return list_of(convert, EXPR_COALESCE, node->coalesce_expr->location,
            node->coalesce_expr->n_args, node->coalesce_expr->args);
    case NODE(MIN_MAX_EXPR):
        return list_of(convert,
            node->min_max_expr->op == PG_QUERY__MIN_MAX_OP__IS_GREATEST ? EXPR_GREATEST
                                                                        : EXPR_LEAST,
            node->min_max_expr->location, node->min_max_expr->n_args, node->min_max_expr->args);
    case NODE(A_ARRAY_EXPR):
        return list_of(convert, EXPR_ARRAY, node->a_array_expr->location,
            node->a_array_expr->n_elements, node->a_array_expr->elements);
    case NODE(GROUPING_FUNC):
        return list_of(convert, EXPR_GROUPING, node->grouping_func->location,
            node->grouping_func->n_args, node->grouping_func->args);
    case NODE(SET_TO_DEFAULT):
        return convert_new(convert, EXPR_DEFAULT, node->set_to_default->location);
    case NODE(NAMED_ARG_EXPR):
        expr = convert_new(convert, EXPR_NAMED_ARGUMENT, node->named_arg_expr->location);
        expr->named_argument.name = arena_strdup(convert->arena, node->named_arg_expr->name);
        expr->named_argument.arg = convert_expr(convert, node->named_arg_expr->arg);
        return expr;
    case NODE(CURRENT_OF_EXPR):
        expr = convert_new(convert, EXPR_CURRENT_OF, -1);
        expr->current_of.cursor = arena_strdup(convert->arena, node->current_of_expr->cursor_name);
        return expr;
    case NODE(LIST): { // A row of GROUP BY or IN, where PostgreSQL writes it as a list.
        expr = convert_new(convert, EXPR_ROW, -1);
        expr->row.items = convert_exprs(convert, node->list->n_items, node->list->items);
        return expr;
    }
    case NODE(XML_EXPR): return convert_xml(convert, node->xml_expr);
    case NODE(XML_SERIALIZE): return convert_xml_serialize(convert, node->xml_serialize);
    default: convert_unsupported(convert, -1, "this form of expression");
    }
    return convert_new(convert, EXPR_LITERAL, -1);
}

struct expr *convert_expr(struct convert *convert, const PgQuery__Node *node)
{
    if (node == NULL || node->node_case == PG_QUERY__NODE__NODE__NOT_SET) return NULL;
    struct expr *expr =
        convert_enter(convert) ? dispatch(convert, node) : convert_new(convert, EXPR_LITERAL, -1);
    convert_leave(convert);
    return expr;
}

struct sort_list convert_sorts(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct sort_list list = {ARENA_ARRAY(convert->arena, struct sort_item, count), 0};
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != NODE(SORT_BY)) continue;
        const PgQuery__SortBy *by = nodes[i]->sort_by;
        struct sort_item *item = &list.items[list.count++];
        item->expr = convert_expr(convert, by->node);
        item->position = convert_position(convert, by->location);
        if (item->position == POSITION_NONE && item->expr != NULL)
            item->position = item->expr->position;
        switch (by->sortby_dir) {
        case PG_QUERY__SORT_BY_DIR__SORTBY_ASC: item->direction = SORT_ASC; break;
        case PG_QUERY__SORT_BY_DIR__SORTBY_DESC: item->direction = SORT_DESC; break;
        case PG_QUERY__SORT_BY_DIR__SORTBY_USING:
            item->direction = SORT_USING;
            if (by->n_use_op > 0)
                item->using_operator =
                    convert_string(convert, node_text(by->use_op[by->n_use_op - 1]));
            break;
        default: item->direction = SORT_DEFAULT;
        }
        switch (by->sortby_nulls) {
        case PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST: item->nulls = SORT_NULLS_FIRST; break;
        case PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST: item->nulls = SORT_NULLS_LAST; break;
        default: item->nulls = SORT_NULLS_DEFAULT;
        }
    }
    return list;
}
