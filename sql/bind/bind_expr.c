// SPDX-License-Identifier: GPL-3.0-or-later
//
// Expressions: from the statement tree to bound scalars.
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/bind/bind.h"
#include "sql/function/function_sql.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"

#define ROW_ITEMS_MAX 1664u

static struct scalar *not_node(struct binder *binder, struct scalar *arg)
{
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_NOT, TYPE_OF(TYPE_BOOL), arg->position, 1);
    scalar->args[0] = arg;
    return scalar;
}

// --- literals ----------------------------------------------------------------------------------------

static struct status bind_decimal(
    struct binder *binder, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct bytes text = expr->literal.text;
    bool whole = text.size > 0 && text.size <= 20;
    for (size_t i = 0; i < text.size; i++)
        whole &= (text.data[i] >= '0' && text.data[i] <= '9') || (i == 0 && text.data[i] == '-');
    struct type type = TYPE_OF(TYPE_NUMERIC);
    struct datum value;
    if (whole && !failed(type_input(
                     binder->arena, binder->types, TYPE_OF(TYPE_INT8), text, &value))) {
        bool small = value.integer >= INT32_MIN && value.integer <= INT32_MAX;
        type = TYPE_OF(small ? TYPE_INT4 : TYPE_INT8);
    } else {
        TRY(bind_at(binder, type_input(binder->arena, binder->types, type, text, &value),
            expr->position));
    }
    *out = scalar_const(binder->arena, type, value, expr->position);

out:
    return st;
}

static struct status bind_literal(
    struct binder *binder, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct datum value;
    switch (expr->literal.kind) {
    case LITERAL_NULL: *out = scalar_null(binder->arena, TYPE_OF(TYPE_UNKNOWN), expr->position); break;
    case LITERAL_BOOL:
        *out = scalar_bool(binder->arena, expr->literal.boolean);
        (*out)->position = expr->position;
        break;
    case LITERAL_INTEGER:
        *out = scalar_const(binder->arena, TYPE_OF(TYPE_INT4), datum_int(expr->literal.integer),
            expr->position);
        break;
    case LITERAL_DECIMAL: return bind_decimal(binder, expr, out);
    case LITERAL_STRING:
        *out = scalar_const(binder->arena, TYPE_OF(TYPE_UNKNOWN),
            datum_bytes(bind_copy(binder, expr->literal.text)), expr->position);
        if (binder->resolutions != NULL)
            resolution_add_literal(binder->resolutions, expr, *out);
        break;
    case LITERAL_BITS:
        TRY(bind_at(binder,
            type_input(binder->arena, binder->types, TYPE_OF(TYPE_BIT), expr->literal.text, &value),
            expr->position));
        *out = scalar_const(binder->arena, TYPE_OF(TYPE_BIT), value, expr->position);
        break;
    }

out:
    return st;
}

static struct status bind_parameter(
    struct binder *binder, const struct expr *expr, struct scalar **out)
{
    uint32_t number = expr->parameter.number;
    const struct function_frame *frame = binder->session == NULL ? NULL : binder->session->frame;
    if (number == 0 || number > PLAN_PARAMS_MAX || binder->param_types == NULL ||
        (frame != NULL && number > frame->count))
        return bind_error(binder, expr->position, E_UNDEFINED_PARAMETER,
            "there is no parameter $%u", number);
    while (binder->param_count < number)
        binder->param_types[binder->param_count++] = TYPE_OF(0);
    struct type type = binder->param_types[number - 1];
    if (type.oid == 0) type = TYPE_OF(TYPE_UNKNOWN);
    *out = scalar_new(binder->arena, SCALAR_PARAM, type, expr->position);
    (*out)->param = number - 1;
    return STATUS_OK;
}

// --- conditions --------------------------------------------------------------------------------------

// x = 1 OR x = 2 OR ... is x IN (1, 2, ...), which an index can serve.
static struct scalar *or_as_in(struct binder *binder, const struct scalar *scalar)
{
    const struct scalar *first = scalar->args[0];
    if (scalar->arg_count < 2 || scalar_compare_of(first) != COMPARE_EQ) return NULL;
    type_oid type = first->args[0]->type.oid;
    for (uint32_t i = 0; i < scalar->arg_count; i++) {
        const struct scalar *equal = scalar->args[i];
        if (scalar_compare_of(equal) != COMPARE_EQ || equal->args[0]->type.oid != type ||
            equal->args[1]->type.oid != type || !type_is_ordered(type) ||
            equal->args[0]->type.collation != first->args[0]->type.collation ||
            (equal->args[1]->kind != SCALAR_CONST && equal->args[1]->kind != SCALAR_PARAM) ||
            !scalar_equal(equal->args[0], first->args[0]))
            return NULL;
    }
    struct scalar *in = scalar_with_args(
        binder->arena, SCALAR_IN, TYPE_OF(TYPE_BOOL), scalar->position, scalar->arg_count + 1);
    in->args[0] = first->args[0];
    for (uint32_t i = 0; i < scalar->arg_count; i++) in->args[i + 1] = scalar->args[i]->args[1];
    return in;
}

static struct status bind_logic(struct binder *binder, struct scope *scope, const struct expr *expr,
    enum scalar_kind kind, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *scalar = scalar_with_args(
        binder->arena, kind, TYPE_OF(TYPE_BOOL), expr->position, expr->list.count);
    for (uint32_t i = 0; i < expr->list.count; i++) {
        TRY(bind_expr(binder, scope, expr->list.items[i], &scalar->args[i]));
        TRY(bind_coerce_bool(binder, &scalar->args[i], kind == SCALAR_AND ? "AND" : "OR"));
    }
    struct scalar *in = kind == SCALAR_OR && !binder->verbatim ? or_as_in(binder, scalar) : NULL;
    *out = in != NULL ? in : scalar;

out:
    return st;
}

static struct scalar *is_node(struct binder *binder, struct scalar *arg, enum is_test test)
{
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), arg->position, 1);
    scalar->args[0] = arg;
    scalar->test = test;
    return scalar;
}

static struct status bind_is(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    static const char *const names[] = {[IS_TRUE] = "IS TRUE", [IS_NOT_TRUE] = "IS NOT TRUE",
        [IS_FALSE] = "IS FALSE", [IS_NOT_FALSE] = "IS NOT FALSE", [IS_UNKNOWN] = "IS UNKNOWN",
        [IS_NOT_UNKNOWN] = "IS NOT UNKNOWN"};
    struct status st = STATUS_OK;
    struct scalar *arg;
    enum is_test test = expr->is.test;
    TRY(bind_expr(binder, scope, expr->is.arg, &arg));
    if (test != IS_NULL && test != IS_NOT_NULL) {
        TRY(bind_coerce_bool(binder, &arg, names[test]));
    } else if (arg->kind == SCALAR_ROW) {
        *out = NULL;
        for (uint32_t i = 0; i < arg->arg_count; i++)
            *out = bind_logic_node(binder, SCALAR_AND, *out, is_node(binder, arg->args[i], test));
        if (*out == NULL) *out = scalar_bool(binder->arena, true);
        return st;
    } else if (type_is_composite(arg->type.oid) || arg->type.oid == TYPE_RECORD) {
        *out = bind_composite_is_null(binder, arg, test == IS_NULL);
        return st;
    } else if (arg->kind != SCALAR_PARAM) { // A parameter's type is what it is elsewhere.
        TRY(bind_resolve_unknown(binder, &arg));
    }
    *out = is_node(binder, arg, test);

out:
    return st;
}

// Dates and times of day compare as what they are: not every date is a timestamp.
static bool mixes_times(const type_oid *types, uint32_t count)
{
    bool mixes = false;
    for (uint32_t i = 0; i < count; i++) {
        if (types[i] != TYPE_DATE && types[i] != TYPE_TIMESTAMP && types[i] != TYPE_TIMESTAMPTZ) continue;
        for (uint32_t k = 0; k < i; k++)
            mixes |= types[k] != types[i] &&
                     (types[k] == TYPE_DATE || types[k] == TYPE_TIMESTAMP || types[k] == TYPE_TIMESTAMPTZ);
    }
    return mixes;
}

// Records may have nothing in common, which their operator tells.
static bool mixes_records(const struct scalar *left, const struct scalar *right)
{
    if (scalar_is_unknown(left) || scalar_is_unknown(right)) return false;
    bool row = type_is_composite(left->type.oid) && type_is_composite(right->type.oid);
    return left->type.oid == TYPE_RECORD || right->type.oid == TYPE_RECORD || (row && left->type.oid != right->type.oid);
}

// a IS NOT DISTINCT FROM b: a = b is true, or both are NULL.
static struct status distinct_by_operator(struct binder *binder, struct scalar *left, struct scalar *right,
    const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *equal;
    TRY(bind_operator(binder, "=", bind_again(binder, left), bind_again(binder, right), expr->position, &equal));
    *out = bind_logic_node(binder, SCALAR_OR, is_node(binder, equal, IS_TRUE),
        bind_logic_node(binder, SCALAR_AND, is_node(binder, left, IS_NULL), is_node(binder, right, IS_NULL)));
    if (!expr->distinct.negated) *out = not_node(binder, *out);

out:
    return st;
}

static struct status distinct_items(struct binder *binder, struct scalar *left,
    struct scalar *right, const struct expr *expr, struct scalar **out)
{
    struct status st;
    struct scalar *args[2] = {left, right};
    struct type type;
    type_oid types[2] = {left->type.oid, right->type.oid};
    bool twice = !scalar_is_volatile(left) && !scalar_is_volatile(right) && !scalar_has_subquery(left) &&
                 !scalar_has_subquery(right);
    bool by_operator = mixes_times(types, 2) || mixes_records(left, right);
    if (by_operator && twice && !binder->verbatim) return distinct_by_operator(binder, left, right, expr, out);
    // It is a matter of the types' operator: without one they cannot be told apart. NULL of no type is told without it.
    struct function_match match;
    bool untyped = (scalar_is_null_const(left) && scalar_is_unknown(left)) || (scalar_is_null_const(right) && scalar_is_unknown(right));
    if (!untyped) {
        TRY(bind_domain_operands(binder, "=", &args[0], &args[1], expr->position));
        left = args[0];
        right = args[1];
    }
    const struct type *operands = (const struct type[]){left->type, right->type};
    if (!untyped)
        TRY(bind_at(binder,
            function_resolve(binder->arena, FUNCTION_OPERATOR, NULL, "=", operands, 2, &match), expr->position));
    TRY(bind_common_type(binder, "IS DISTINCT FROM", args, 2, &type));
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_DISTINCT, TYPE_OF(TYPE_BOOL), expr->position, 2);
    TRY(bind_collation_compared(binder, args, 2, expr->position));
    memcpy(scalar->args, args, sizeof args);
    scalar->negated = expr->distinct.negated;
    *out = scalar;

out:
    return st;
}

static struct status bind_distinct(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *args[2];
    TRY(bind_expr(binder, scope, expr->distinct.left, &args[0]));
    TRY(bind_expr(binder, scope, expr->distinct.right, &args[1]));
    if (!bind_rows_by_item(args[0], args[1])) {
        TRY(bind_row_value(binder, &args[0]));
        TRY(bind_row_value(binder, &args[1]));
        return distinct_items(binder, args[0], args[1], expr, out);
    }
    TRY(bind_same_items(binder, args[0], args[1], expr->position));
    bool negated = expr->distinct.negated;
    *out = NULL;
    for (uint32_t i = 0; i < args[0]->arg_count; i++) {
        struct scalar *item;
        TRY(distinct_items(binder, args[0]->args[i], args[1]->args[i], expr, &item));
        *out = bind_logic_node(binder, negated ? SCALAR_AND : SCALAR_OR, *out, item);
    }

out:
    return st;
}

static struct status between_pair(struct binder *binder, struct scalar *arg, struct scalar *low,
    struct scalar *high, bool negated, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *above, *below;
    TRY(bind_operator(binder, negated ? "<" : ">=", bind_again(binder, arg), bind_again(binder, low),
        position, &above));
    TRY(bind_operator(binder, negated ? ">" : "<=", bind_again(binder, arg), bind_again(binder, high),
        position, &below));
    *out = bind_logic_node(binder, negated ? SCALAR_OR : SCALAR_AND, above, below);

out:
    return st;
}

static struct status bind_between(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *arg, *low, *high;
    TRY(bind_expr(binder, scope, expr->between.arg, &arg));
    TRY(bind_expr(binder, scope, expr->between.low, &low));
    TRY(bind_expr(binder, scope, expr->between.high, &high));
    bool negated = expr->between.negated;
    TRY(between_pair(binder, arg, low, high, negated, expr->position, out));
    if (expr->between.symmetric) {
        struct scalar *swapped;
        TRY(between_pair(binder, arg, high, low, negated, expr->position, &swapped));
        *out = bind_logic_node(binder, negated ? SCALAR_AND : SCALAR_OR, *out, swapped);
    }

out:
    return st;
}

#define IN_WORK 16u // What an item that is compared by an operator of its own counts for with bind_work.

static struct status bind_in_as_or(struct binder *binder, struct scalar *arg, struct scalar **items,
    uint32_t count, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar **equal = ARENA_ARRAY(binder->arena, struct scalar *, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind_work(binder, IN_WORK));
        TRY(bind_operator(
            binder, "=", bind_again(binder, arg), items[i], expr->position, &equal[i]));
    }
    *out = equal[0];
    if (count > 1) {
        *out = scalar_with_args(binder->arena, SCALAR_OR, TYPE_OF(TYPE_BOOL), equal[0]->position, count);
        memcpy((*out)->args, equal, count * sizeof *equal);
    }
    if (expr->in.negated) *out = not_node(binder, *out);

out:
    return st;
}

static struct status bind_in(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    uint32_t count = expr->in.items.count;
    struct scalar **args = ARENA_ARRAY(binder->arena, struct scalar *, count + 1);
    bool rows = false, one_type = true;
    type_oid *types = ARENA_ARRAY(binder->arena, type_oid, count + 1);
    TRY(bind_expr(binder, scope, expr->in.arg, &args[0]));
    rows |= args[0]->kind == SCALAR_ROW || type_is_domain_array(args[0]->domain);
    types[0] = args[0]->type.oid;
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind_expr(binder, scope, expr->in.items.items[i], &args[i + 1]));
        rows |= args[i + 1]->kind == SCALAR_ROW;
        types[i + 1] = args[i + 1]->type.oid;
    }
    type_oid common;
    one_type = !rows && !mixes_times(types, count + 1) && !failed(type_common(binder->arena, "IN", types, count + 1, &common)) &&
               type_is_ordered(common);
    if (!one_type) return bind_in_as_or(binder, args[0], args + 1, count, expr, out);
    struct type type;
    TRY(bind_work(binder, count));
    TRY(bind_common_type(binder, "IN", args, count + 1, &type));
    TRY(bind_work(binder, count));
    TRY(bind_collation_compared(binder, args, count + 1, expr->position));
    TRY(bind_work(binder, count));
    struct scalar *scalar = scalar_with_args(
        binder->arena, SCALAR_IN, TYPE_OF(TYPE_BOOL), expr->position, count + 1);
    memcpy(scalar->args, args, (count + 1) * sizeof(struct scalar *));
    scalar->negated = expr->in.negated;
    *out = scalar;

out:
    return st;
}

static struct status bind_like(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    static const char *const operators[3][2] = {
        [LIKE_LIKE] = {"~~", "!~~"}, [LIKE_ILIKE] = {"~~*", "!~~*"}, [LIKE_SIMILAR] = {"~", "!~"}};
    struct status st = STATUS_OK;
    struct scalar *arg;
    struct scalar *pattern[2] = {NULL, NULL};
    uint32_t count = 1;
    TRY(bind_expr(binder, scope, expr->like.arg, &arg));
    TRY(bind_expr(binder, scope, expr->like.pattern, &pattern[0]));
    if (expr->like.escape != NULL) {
        TRY(bind_expr(binder, scope, expr->like.escape, &pattern[1]));
        count = 2;
    }
    if (expr->like.kind == LIKE_SIMILAR)
        TRY(bind_call(
            binder, "similar_to_escape", pattern, count, expr->position, &pattern[0]));
    else if (count == 2)
        TRY(bind_call(binder, "like_escape", pattern, count, expr->position, &pattern[0]));
    TRY(bind_operator(binder, operators[expr->like.kind][expr->like.negated], arg, pattern[0],
        expr->position, out));

out:
    return st;
}

// a op ANY (array): the operator is bound over a variable for the element.
static struct status bind_any_all(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *left, *array, *compare;
    TRY(bind_expr(binder, scope, expr->any_all.left, &left));
    TRY(bind_expr(binder, scope, expr->any_all.array, &array));
    if (scalar_is_unknown(array)) {
        TRY(bind_resolve_unknown(binder, &left));
        type_oid oid = type_array_of(left->type.oid);
        if (oid != 0) TRY(bind_coerce(binder, &array, TYPE_OF(oid), CAST_IMPLICIT, NULL));
    }
    const struct type_info *info = type_info(array->type.oid);
    if (info == NULL || info->element == 0)
        return bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE,
            "op ANY/ALL (array) requires array on right side");
    struct scalar *scalar = scalar_with_args(
        binder->arena, SCALAR_ANY_ARRAY, TYPE_OF(TYPE_BOOL), expr->position, 2);
    if (scalar_is_unknown(left))
        TRY(bind_coerce(binder, &left, TYPE_OF(info->element), CAST_IMPLICIT, NULL));
    TRY(bind_row_value(binder, &left));
    struct type element_type = TYPE_OF(info->element);
    element_type.collation = array->type.collation;
    var_id element = bind_new_var(binder, "element", NULL, element_type);
    TRY(bind_operator(binder, expr->any_all.op, left,
        bind_var(binder, element, expr->position), expr->position, &compare));
    scalar->args[0] = left;
    scalar->args[1] = array;
    scalar->any_array.compare = compare;
    scalar->any_array.element_var = element;
    scalar->any_array.all = expr->any_all.all;
    *out = scalar;

out:
    return st;
}

// --- the rest ----------------------------------------------------------------------------------------

static struct status bind_case(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    uint32_t count = expr->casing.count;
    struct scalar *arg = NULL;
    struct scalar **results = ARENA_ARRAY(binder->arena, struct scalar *, count + 1);
    struct scalar *scalar = scalar_with_args(
        binder->arena, SCALAR_CASE, TYPE_OF(TYPE_TEXT), expr->position, count * 2 + 1);
    if (expr->casing.arg != NULL) {
        TRY(bind_expr(binder, scope, expr->casing.arg, &arg));
        TRY(bind_resolve_unknown(binder, &arg));
    }
    for (uint32_t i = 0; i < count; i++) {
        struct scalar *condition;
        TRY(bind_expr(binder, scope, expr->casing.whens[i].condition, &condition));
        if (arg != NULL)
            TRY(bind_operator(
                binder, "=", bind_again(binder, arg), condition, expr->position, &condition));
        TRY(bind_coerce_bool(binder, &condition, "CASE/WHEN"));
        scalar->args[i * 2] = condition;
        TRY(bind_expr(binder, scope, expr->casing.whens[i].result, &results[i + 1]));
    }
    // ELSE comes first when types are compared, as in PostgreSQL.
    results[0] = scalar_null(binder->arena, TYPE_OF(TYPE_UNKNOWN), expr->position);
    if (expr->casing.otherwise != NULL)
        TRY(bind_expr(binder, scope, expr->casing.otherwise, &results[0]));
    TRY(bind_common_type(binder, "CASE", results, count + 1, &scalar->type));
    TRY(bind_collation_result(binder, scalar, results, count + 1));
    for (uint32_t i = 0; i < count; i++) scalar->args[i * 2 + 1] = results[i + 1];
    scalar->args[count * 2] = results[0];
    scalar->simple_case = arg != NULL;
    *out = scalar;

out:
    return st;
}

static struct status bind_list_of_one_type(struct binder *binder, struct scope *scope,
    const struct expr *expr, enum scalar_kind kind, const char *what, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *scalar = scalar_with_args(
        binder->arena, kind, TYPE_OF(TYPE_TEXT), expr->position, expr->list.count);
    for (uint32_t i = 0; i < expr->list.count; i++)
        TRY(bind_expr(binder, scope, expr->list.items[i], &scalar->args[i]));
    TRY(bind_common_type(binder, what, scalar->args, scalar->arg_count, &scalar->type));
    if (kind == SCALAR_EXTREME && !type_is_ordered(scalar->type.oid))
        return bind_error(binder, POSITION_NONE, E_UNDEFINED_FUNCTION,
            "could not identify a comparison function for type %s",
            bind_type_text(binder, scalar->type));
    if (kind == SCALAR_EXTREME)
        TRY(bind_collation_compared(binder, scalar->args, scalar->arg_count, expr->position));
    if (kind == SCALAR_ARRAY) {
        type_oid array = type_is_array(scalar->type.oid) ? scalar->type.oid
                                                         : type_array_of(scalar->type.oid);
        // Arrays in an array are one more dimension.
        if (type_is_array(scalar->type.oid))
            return bind_call(binder, "array_stack", scalar->args, scalar->arg_count,
                expr->position, out);
        if (array == 0)
            return bind_error(binder, expr->position, E_UNDEFINED_OBJECT,
                "could not find array type for data type %s",
                bind_type_text(binder, scalar->type));
        scalar->type = TYPE_OF(array);
    }
    TRY(bind_collation_result(binder, scalar, scalar->args, scalar->arg_count));
    scalar->greatest = expr->kind == EXPR_GREATEST;
    *out = scalar;

out:
    return st;
}

// The value is what `=` compares: of its type, and a literal is what the other side makes of it.
static struct status nullif_operands(struct binder *binder, struct scalar **args, uint32_t position)
{
    struct status st = STATUS_OK;
    struct type types[2];
    struct function_match match;
    TRY(bind_row_value(binder, &args[0]));
    TRY(bind_row_value(binder, &args[1]));
    TRY(bind_domain_operands(binder, "=", &args[0], &args[1], position));
    for (uint32_t i = 0; i < 2; i++) types[i] = args[i]->type;
    TRY(bind_at(binder,
        function_resolve(binder->arena, FUNCTION_OPERATOR, NULL, "=", types, 2, &match), position));
    // A composite value is a record as it is.
    if (!type_is_composite(args[0]->type.oid)) TRY(bind_coerce_args(binder, args, 2, &match));

out:
    return st;
}

static struct status bind_nullif(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *args[2], *equal;
    TRY(bind_expr(binder, scope, expr->nullif.left, &args[0]));
    TRY(bind_expr(binder, scope, expr->nullif.right, &args[1]));
    TRY(nullif_operands(binder, args, expr->position));
    TRY(bind_operator(binder, "=", bind_again(binder, args[0]), args[1], expr->position, &equal));
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_NULLIF, args[0]->type, expr->position, 2);
    scalar->args[0] = args[0];
    scalar->args[1] = equal;
    *out = scalar;

out:
    return st;
}

static struct status cast_to(struct binder *binder, uint32_t position, struct type type, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct type bare = TYPE_OF(type.oid);
    bool literal = scalar_is_unknown(*out), done;
    bool whole = !literal || type.oid == TYPE_INTERVAL; // '1' day needs its field to be read.
    TRY(bind_coerce(binder, out, whole ? type : bare, CAST_EXPLICIT, &done));
    if (!done)
        TRY(bind_error(binder, position, E_CANNOT_COERCE, "cannot cast type %s to %s",
            bind_type_text(binder, (*out)->type), bind_type_text(binder, type)));
    if (literal) TRY(bind_coerce(binder, out, type, CAST_EXPLICIT, NULL));

out:
    return st;
}

// ARRAY[...]::type: each item is cast by itself, so that they need no type in common. What is an array in the array is
// cast to the whole type.
static struct status bind_array_cast(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct type type, struct scalar **out)
{
    struct status st = STATUS_OK;
    const uint32_t count = expr->list.count;
    struct scalar *scalar = scalar_with_args(binder->arena, SCALAR_ARRAY, type, expr->position, count);
    bool stacked = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct expr *item = expr->list.items[i];
        if (item->kind == EXPR_ARRAY)
            TRY(bind_array_cast(binder, scope, item, type, &scalar->args[i]));
        else
            TRY(bind_expr(binder, scope, item, &scalar->args[i]));
        stacked |= type_is_array(scalar->args[i]->type.oid);
    }
    struct type one = type;
    if (!stacked) one.oid = type_info(type.oid)->element;
    for (uint32_t i = 0; i < count; i++)
        TRY(cast_to(binder, scalar->args[i]->position, one, &scalar->args[i]));
    if (stacked) return bind_call(binder, "array_stack", scalar->args, count, expr->position, out);
    *out = scalar;

out:
    return st;
}

static struct status bind_cast(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct type type;
    TRY(bind_type_name(binder, expr->cast.type, &type));
    if (type_is_domain(type.oid)) return bind_domain_cast(binder, scope, expr, type.oid, out);
    if (type_is_domain_array(type.oid)) return bind_domain_array_cast(binder, scope, expr, type.oid, out);
    if (expr->cast.arg->kind == EXPR_ARRAY && type_is_array(type.oid))
        return bind_array_cast(binder, scope, expr->cast.arg, type, out);
    TRY(bind_expr(binder, scope, expr->cast.arg, out));
    TRY(cast_to(binder, expr->position, type, out));
    if ((*out)->domain != 0) {
        *out = bind_again(binder, *out);
        (*out)->domain = 0;
    }

out:
    return st;
}

static struct status bind_row(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    if (expr->row.items.count > ROW_ITEMS_MAX)
        return bind_error(binder, expr->position, E_TOO_MANY_COLUMNS,
            "ROW expressions can have at most %u entries", ROW_ITEMS_MAX);
    uint32_t room = 0;
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), expr->position, 0);
    for (uint32_t i = 0; i < expr->row.items.count; i++) {
        const struct expr *item = expr->row.items.items[i];
        bool star = item->kind == EXPR_COLUMN && item->column.star;
        struct range_column *columns = NULL;
        uint32_t count = 1;
        if (star) TRY(bind_star(binder, scope, item, &columns, &count));
        scalar->args = arena_grow(binder->arena, scalar->args, room * sizeof(struct scalar *),
            (room + count) * sizeof(struct scalar *));
        room += count;
        if (!star) TRY(bind_expr(binder, scope, item, &scalar->args[scalar->arg_count]));
        for (uint32_t c = 0; star && c < count; c++)
            scalar->args[scalar->arg_count + c] = columns[c].scalar;
        scalar->arg_count += count;
    }
    *out = scalar;

out:
    return st;
}

static struct status bind_sql_value(
    struct binder *binder, const struct expr *expr, struct scalar **out)
{
    static const struct {
        type_oid type;
        bool clock;
    } values[] = {
        [SQL_CURRENT_DATE] = {TYPE_DATE, true}, [SQL_CURRENT_TIME] = {TYPE_TIMETZ, true},
        [SQL_CURRENT_TIMESTAMP] = {TYPE_TIMESTAMPTZ, true}, [SQL_LOCALTIME] = {TYPE_TIME, true},
        [SQL_LOCALTIMESTAMP] = {TYPE_TIMESTAMP, true}, [SQL_CURRENT_ROLE] = {TYPE_NAME, false},
        [SQL_CURRENT_USER] = {TYPE_NAME, false}, [SQL_USER] = {TYPE_NAME, false},
        [SQL_SESSION_USER] = {TYPE_NAME, false}, [SQL_CURRENT_CATALOG] = {TYPE_NAME, false},
        [SQL_CURRENT_SCHEMA] = {TYPE_NAME, false}};
    struct status st = STATUS_OK;
    enum sql_value value = expr->sql_value.value;
    struct type type = TYPE_OF(values[value].type);
    if (value == SQL_CURRENT_SCHEMA) // The first of the search path that exists.
        return bind_call(binder, "current_schema", NULL, 0, expr->position, out);
    if (binder->verbatim) type.typmod = values[value].clock ? expr->sql_value.precision : -1;
    if (!values[value].clock || binder->verbatim) {
        *out = scalar_new(binder->arena, SCALAR_SQL_VALUE, type, expr->position);
        (*out)->sql_value = value;
        return st;
    }
    TRY(bind_call(binder, "now", NULL, 0, expr->position, out));
    type.typmod = expr->sql_value.precision;
    TRY(bind_coerce(binder, out, type, CAST_EXPLICIT, NULL));

out:
    return st;
}

static struct status bind_unary(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *arg;
    TRY(bind_expr(binder, scope, expr->unary.arg, &arg));
    TRY(bind_coerce_bool(binder, &arg, "NOT"));
    *out = not_node(binder, arg);

out:
    return st;
}

static struct status bind_op(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *left = NULL, *right;
    TRY(bind_check_schema(binder, expr->op.schema));
    if (expr->op.schema != NULL && strcmp(expr->op.schema, "pg_catalog") != 0)
        return bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
            "operator does not exist: %s.%s", expr->op.schema, expr->op.name);
    if (expr->op.left != NULL) TRY(bind_expr(binder, scope, expr->op.left, &left));
    if (expr->op.right == NULL)
        return bind_error(binder, expr->position, E_SYNTAX_ERROR, "postfix operators are not supported");
    TRY(bind_expr(binder, scope, expr->op.right, &right));
    TRY(bind_operator(binder, expr->op.name, left, right, expr->position, out));

out:
    return st;
}

// t.* where one value is wanted: the whole row.
static struct status bind_row_star(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct range *range;
    if (expr->column.count == 0)
        return bind_unsupported(binder, expr->position, "* in this place");
    TRY(bind_qualified_range(binder, scope, expr, &range));
    bind_note_row(binder, range, expr);
    *out = bind_whole_row(binder, scope, range, expr->position);

out:
    return st;
}

void bind_note_call(struct binder *binder, const struct expr *expr, const struct function *function,
    struct scalar **args, uint32_t arg_count)
{
    if (binder->notes == NULL) return;
    struct bound_call *call = ARENA_NEW(binder->arena, struct bound_call);
    *call = (struct bound_call){function, args, arg_count};
    hashmap_put_u64(&binder->notes->calls, bind_note_key(expr), call);
}

// (a, b) < (c, d): bound to a comparison of each.
static bool orders_rows(const struct expr *expr)
{
    return expr->kind == EXPR_OPERATOR && expr->op.left != NULL && expr->op.left->kind == EXPR_ROW &&
           expr->op.right->kind == EXPR_ROW && (*expr->op.name == '<' || *expr->op.name == '>') &&
           strcmp(expr->op.name, "<>") != 0;
}

// Whether what it was bound to says too little of how it is written.
static bool is_own_source(const struct expr *expr, const struct scalar *scalar)
{
    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_SUBLINK:
    case EXPR_XML:
    case EXPR_GROUPING: return true;
    case EXPR_FUNCTION:
        return scalar->kind == SCALAR_VAR ||
               (scalar->kind == SCALAR_CALL && expr->function->sql_syntax);
    default: return orders_rows(expr);
    }
}

static void note_scalar(struct binder *binder, const struct expr *expr, struct scalar **out)
{
    if (is_own_source(expr, *out)) {
        // A node of its own: others of the same variable stand elsewhere.
        struct scalar *own = ARENA_NEW(binder->arena, struct scalar);
        *own = **out;
        own->source = expr;
        *out = own;
    }
    hashmap_put_u64(&binder->notes->scalars, bind_note_key(expr), *out);
}

static struct status bind_kind(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    switch (expr->kind) {
    case EXPR_LITERAL: return bind_literal(binder, expr, out);
    case EXPR_PARAMETER: return bind_parameter(binder, expr, out);
    case EXPR_COLUMN:
        if (expr->column.star) return bind_row_star(binder, scope, expr, out);
        return bind_column(binder, scope, expr, out);
    case EXPR_OPERATOR: return bind_op(binder, scope, expr, out);
    case EXPR_AND: return bind_logic(binder, scope, expr, SCALAR_AND, out);
    case EXPR_OR: return bind_logic(binder, scope, expr, SCALAR_OR, out);
    case EXPR_NOT: return bind_unary(binder, scope, expr, out);
    case EXPR_IS: return bind_is(binder, scope, expr, out);
    case EXPR_DISTINCT: return bind_distinct(binder, scope, expr, out);
    case EXPR_BETWEEN: return bind_between(binder, scope, expr, out);
    case EXPR_IN: return bind_in(binder, scope, expr, out);
    case EXPR_LIKE: return bind_like(binder, scope, expr, out);
    case EXPR_ANY_ALL: return bind_any_all(binder, scope, expr, out);
    case EXPR_FUNCTION: return bind_function(binder, scope, expr, out);
    case EXPR_CAST: return bind_cast(binder, scope, expr, out);
    case EXPR_CASE: return bind_case(binder, scope, expr, out);
    case EXPR_COALESCE:
        return bind_list_of_one_type(binder, scope, expr, SCALAR_COALESCE, "COALESCE", out);
    case EXPR_GREATEST:
        return bind_list_of_one_type(binder, scope, expr, SCALAR_EXTREME, "GREATEST", out);
    case EXPR_LEAST:
        return bind_list_of_one_type(binder, scope, expr, SCALAR_EXTREME, "LEAST", out);
    case EXPR_NULLIF: return bind_nullif(binder, scope, expr, out);
    case EXPR_SUBLINK: return bind_sublink(binder, scope, expr, out);
    case EXPR_ARRAY:
        if (expr->list.count == 0)
            return bind_error(binder, expr->position, E_INDETERMINATE_DATATYPE,
                "cannot determine type of empty array");
        return bind_list_of_one_type(binder, scope, expr, SCALAR_ARRAY, "ARRAY", out);
    case EXPR_SUBSCRIPT: return bind_subscript(binder, scope, expr, out);
    case EXPR_ROW: return bind_row(binder, scope, expr, out);
    case EXPR_COLLATE: return bind_collate(binder, scope, expr, out);
    case EXPR_SQL_VALUE: return bind_sql_value(binder, expr, out);
    case EXPR_DEFAULT:
        return bind_error(
            binder, expr->position, E_SYNTAX_ERROR, "DEFAULT is not allowed in this context");
    case EXPR_FIELD: return bind_field(binder, scope, expr, out);
    case EXPR_GROUPING: return bind_grouping(binder, scope, expr, out);
    case EXPR_GROUPING_SET:
        return bind_unsupported(binder, expr->position, "GROUPING SETS, ROLLUP or CUBE");
    case EXPR_XML: return bind_xml(binder, scope, expr, out);
    case EXPR_NAMED_ARGUMENT: return bind_unsupported(binder, expr->position, "a named argument");
    case EXPR_CURRENT_OF:
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "WHERE CURRENT OF is not supported for this place");
    }
    return STATUS_OK;
}

struct status bind_expr(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = bind_poll(binder);
    if (!failed(st)) st = bind_kind(binder, scope, expr, out);
    if (!failed(st) && binder->notes != NULL) note_scalar(binder, expr, out);
    return st;
}

struct status bind_condition(struct binder *binder, struct scope *scope, const struct expr *expr,
    const char *clause, struct scalar **out)
{
    struct status st = STATUS_OK;
    const char *before = scope->clause;
    bool sets_allowed = scope->sets_allowed;
    scope->clause = clause;
    scope->sets_allowed = false;
    TRY(bind_expr(binder, scope, expr, out));
    TRY(bind_coerce_bool(binder, out, clause));

out:
    scope->clause = before;
    scope->sets_allowed = sets_allowed;
    return st;
}
