// SPDX-License-Identifier: GPL-3.0-or-later
//
// WITHIN GROUP: ordered-set aggregates as aggregates over sorted rows, and the hypothetical ones (where would
// this row stand?) as counts of the rows that would stand before it.
#include "core/invariant.h"
#include "sql/bind/bind.h"

bool bind_is_hypothetical(const struct function_expr *call)
{
    static const char *const names[] = {"rank", "dense_rank", "percent_rank", "cume_dist"};
    if (!call->within_group || (call->schema != NULL && strcmp(call->schema, "pg_catalog") != 0))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(call->name, names[i]) == 0) return true;
    return false;
}

static struct scalar *node2(struct binder *binder, enum scalar_kind kind, struct scalar *a,
    struct scalar *b)
{
    struct scalar *scalar =
        scalar_with_args(binder->arena, kind, TYPE_OF(TYPE_BOOL), POSITION_NONE, 2);
    scalar->args[0] = a;
    scalar->args[1] = b;
    return scalar;
}

static struct scalar *is_null(struct binder *binder, struct scalar *arg, enum is_test test)
{
    struct scalar *scalar =
        scalar_with_args(binder->arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), POSITION_NONE, 1);
    scalar->args[0] = arg;
    scalar->test = test;
    return scalar;
}

// Whether the row's key sorts before `value`; with NULLs where the order puts them. Never NULL.
static struct status key_before(struct binder *binder, const struct rel_order *key,
    struct scalar *value, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *less;
    TRY(bind_operator(binder, key->descending ? ">" : "<", key->scalar, value, position, &less));
    struct scalar *first = key->nulls_first ? key->scalar : value;
    struct scalar *second = key->nulls_first ? value : key->scalar;
    struct scalar *by_null = node2(binder, SCALAR_AND, is_null(binder, first, IS_NULL),
        is_null(binder, second, IS_NOT_NULL));
    struct scalar *is_less =
        scalar_with_args(binder->arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), POSITION_NONE, 1);
    is_less->args[0] = less;
    is_less->test = IS_TRUE;
    *out = node2(binder, SCALAR_OR, by_null, is_less);

out:
    return st;
}

struct hypothetical {
    struct rel_order *keys;
    struct scalar **values;
    uint32_t count;
};

// Whether the row sorts before the hypothetical one, or (`or_equal`) not after it.
static struct status row_before(struct binder *binder, const struct hypothetical *row,
    bool or_equal, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    *out = scalar_bool(binder->arena, or_equal);
    for (uint32_t i = row->count; i-- > 0;) {
        struct scalar *before;
        TRY(key_before(binder, &row->keys[i], row->values[i], position, &before));
        struct scalar *same =
            node2(binder, SCALAR_DISTINCT, row->keys[i].scalar, row->values[i]);
        same->negated = true;
        *out = node2(binder, SCALAR_OR, before, node2(binder, SCALAR_AND, same, *out));
    }

out:
    return st;
}

static struct scalar *constant(struct binder *binder, int64_t value)
{
    return scalar_const(binder->arena, TYPE_OF(TYPE_INT8), datum_int(value), POSITION_NONE);
}

static struct status count_rows(struct binder *binder, struct scope *scope,
    const struct hypothetical *row, struct scalar *filter, bool distinct, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct function_match match;
    TRY(function_resolve(
        binder->arena, FUNCTION_AGGREGATE, "pg_catalog", "count", NULL, 0, &match));
    struct rel_aggregate aggregate = {
        .function = match.function, .type = match.result, .filter = filter};
    if (distinct) {
        aggregate.args = ARENA_ARRAY(binder->arena, struct scalar *, row->count);
        for (uint32_t i = 0; i < row->count; i++) aggregate.args[i] = row->keys[i].scalar;
        aggregate.arg_count = row->count;
        aggregate.distinct = true;
        aggregate.function = &aggregate_count_rows;
    }
    struct rel_aggregate *added = bind_add_aggregate(binder, scope->level, &aggregate);
    *out = scalar_var(binder->arena, added->var, added->type, POSITION_NONE);

out:
    return st;
}

static struct status add(struct binder *binder, struct scalar *a, int64_t b, struct scalar **out)
{
    return bind_operator(binder, "+", a, constant(binder, b), POSITION_NONE, out);
}

static struct status divide(
    struct binder *binder, struct scalar *a, struct scalar *b, struct scalar **out)
{
    struct status st = STATUS_OK;
    TRY(bind_coerce(binder, &a, TYPE_OF(TYPE_FLOAT8), CAST_EXPLICIT, NULL));
    TRY(bind_coerce(binder, &b, TYPE_OF(TYPE_FLOAT8), CAST_EXPLICIT, NULL));
    TRY(bind_operator(binder, "/", a, b, POSITION_NONE, out));

out:
    return st;
}

static struct status and_filter(struct binder *binder, struct scalar *condition,
    struct scalar *filter, struct scalar **out)
{
    *out = condition == NULL ? filter
        : filter == NULL     ? condition
                             : node2(binder, SCALAR_AND, condition, filter);
    return STATUS_OK;
}

// percent_rank: before / all, and 0 where there are no rows.
static struct status percent_rank(struct binder *binder, struct scalar *before,
    struct scalar *all, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *quotient, *none;
    struct scalar *casing = scalar_with_args(
        binder->arena, SCALAR_CASE, TYPE_OF(TYPE_FLOAT8), POSITION_NONE, 3);
    TRY(bind_operator(binder, "=", all, constant(binder, 0), POSITION_NONE, &none));
    TRY(divide(binder, before, all, &quotient));
    casing->args[0] = none;
    casing->args[1] = scalar_const(
        binder->arena, TYPE_OF(TYPE_FLOAT8), datum_real(0), POSITION_NONE);
    casing->args[2] = quotient;
    *out = casing;

out:
    return st;
}

static struct status bind_pairs(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct scalar **args, struct hypothetical *row)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    if (call->args.count != call->order_by.count) {
        st = bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
            "function %s does not exist", call->name);
        return status_hint(binder->arena, st,
            "To use the hypothetical-set aggregate, the number of hypothetical direct arguments "
            "must match the number of ordering columns.");
    }
    row->count = call->args.count;
    row->keys = ARENA_ARRAY(binder->arena, struct rel_order, row->count);
    row->values = ARENA_ARRAY(binder->arena, struct scalar *, row->count);
    for (uint32_t i = 0; i < row->count; i++) {
        const struct sort_item *item = &call->order_by.items[i];
        struct scalar *pair[2] = {NULL, args[i]};
        struct type type;
        TRY(bind_expr(binder, scope, item->expr, &pair[0]));
        TRY(bind_common_type(binder, "WITHIN GROUP", pair, 2, &type));
        row->keys[i].scalar = pair[0];
        row->values[i] = pair[1];
        TRY(bind_order_flags(binder, item, &row->keys[i]));
    }

out:
    return st;
}

struct status bind_hypothetical(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct scalar **args, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    struct hypothetical row = {0};
    struct scalar *filter = NULL, *before, *all, *condition, *up_to;
    scope->level->in_aggregate = true;
    st = bind_pairs(binder, scope, expr, args, &row);
    if (!failed(st) && call->filter != NULL)
        st = bind_condition(binder, scope, call->filter, "FILTER", &filter);
    scope->level->in_aggregate = false;
    TRY(st);
    bool dense = strcmp(call->name, "dense_rank") == 0;
    TRY(row_before(binder, &row, false, expr->position, &condition));
    TRY(and_filter(binder, condition, filter, &condition));
    TRY(count_rows(binder, scope, &row, condition, dense, &before));
    if (dense || strcmp(call->name, "rank") == 0) return add(binder, before, 1, out);
    TRY(count_rows(binder, scope, &row, filter, false, &all));
    if (strcmp(call->name, "percent_rank") == 0) return percent_rank(binder, before, all, out);
    TRY(row_before(binder, &row, true, expr->position, &condition));
    TRY(and_filter(binder, condition, filter, &condition));
    TRY(count_rows(binder, scope, &row, condition, false, &up_to));
    TRY(add(binder, up_to, 1, &up_to));
    TRY(add(binder, all, 1, &all));
    TRY(divide(binder, up_to, all, out));

out:
    return st;
}

// The columns of WITHIN GROUP follow the direct arguments.
struct status bind_ordered_args(struct binder *binder, struct scope *scope,
    const struct function_expr *call, struct scalar ***args, struct type **types, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint32_t direct = call->args.count, total = direct + call->order_by.count;
    struct scalar **all = ARENA_ARRAY(binder->arena, struct scalar *, total);
    struct type *all_types = ARENA_ARRAY(binder->arena, struct type, total);
    for (uint32_t i = 0; i < direct; i++) {
        all[i] = (*args)[i];
        all_types[i] = (*types)[i];
    }
    for (uint32_t i = direct; i < total; i++) {
        TRY(bind_expr(binder, scope, call->order_by.items[i - direct].expr, &all[i]));
        TRY(bind_resolve_unknown(binder, &all[i]));
        all_types[i] = all[i]->type;
    }
    *args = all;
    *types = all_types;
    *count = total;

out:
    return st;
}
