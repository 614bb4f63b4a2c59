// SPDX-License-Identifier: GPL-3.0-or-later
//
// Queries within expressions: EXISTS, IN, ANY, ALL, one value, ARRAY.
#include "sql/bind/bind.h"
#include "sql/parse/deparse.h"
#include "sql/plan/scalar_equal.h"

// Where a query within an expression stood. Alike in one scope, two mean the same: as they are written, or as what they
// were bound to, with the same names.
struct sublink_origin {
    struct arena *arena;
    const struct binder *binder;
    const struct scope *scope;
    const struct expr *expr;
    const char *text; // Of `expr`, once somebody asked for it.
    const char **outputs; // What its columns are called.
};

static const char *origin_text(struct sublink_origin *origin)
{
    struct buffer out;
    if (origin->text != NULL) return origin->text;
    buffer_init(&out, origin->arena);
    deparse_expression(&out, origin->expr, 0);
    return origin->text = buffer_string(&out);
}

static bool same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) return a == b;
    return strcmp(a, b) == 0;
}

static bool alike(const struct scalar_naming *naming, var_id a, var_id b)
{
    const struct var_info *vars = ((const struct binder *)naming->context)->vars;
    return same_text(vars[a].name, vars[b].name) && same_text(vars[a].table, vars[b].table);
}

static bool same_query(const struct scalar *a, const struct scalar *b)
{
    struct sublink_origin *of_a = a->subquery.origin, *of_b = b->subquery.origin;
    if (of_a == NULL || of_b == NULL || of_a->scope != of_b->scope) return false;
    if (strcmp(origin_text(of_a), origin_text(of_b)) == 0) return true;
    if (a->subquery.output_count != b->subquery.output_count) return false;
    for (uint32_t i = 0; i < a->subquery.output_count; i++)
        if (!same_text(of_a->outputs[i], of_b->outputs[i])) return false;
    const struct binder *binder = of_a->binder;
    return subquery_equal(a, b,
        &(struct scalar_naming){.arena = binder->arena, .var_count = binder->var_count, .alike = alike, .context = binder});
}

static bool same_stable(const struct scalar *a, const struct scalar *b)
{
    return a->kind == SCALAR_SUBQUERY && same_query(a, b) && !scalar_is_volatile(a);
}

static bool same_written(const struct scalar *a, const struct scalar *b)
{
    return a->kind == SCALAR_CALL || same_query(a, b);
}

bool bind_equal(const struct scalar *a, const struct scalar *b)
{
    return scalar_equal_by(a, b, same_stable);
}

bool bind_written_alike(const struct scalar *a, const struct scalar *b)
{
    return scalar_equal_by(a, b, same_written);
}

static struct status sublink_compare(struct binder *binder, const struct expr *expr,
    struct scalar *test, struct scalar *sublink)
{
    struct status st = STATUS_OK;
    if (test->kind == SCALAR_ROW && test->row.names != NULL) TRY(bind_row_value(binder, &test)); // t IN (SELECT t ...)
    uint32_t count = test->kind == SCALAR_ROW ? test->arg_count : 1;
    struct scalar **tests = test->kind == SCALAR_ROW ? test->args : &test;
    if (count != sublink->subquery.output_count)
        return bind_error(binder, expr->position, E_SYNTAX_ERROR, "subquery has too %s columns",
            count < sublink->subquery.output_count ? "many" : "few");
    sublink->args = ARENA_ARRAY(binder->arena, struct scalar *, count);
    sublink->arg_count = count;
    sublink->subquery.test_vars = ARENA_ARRAY(binder->arena, var_id, count);
    const char *op = expr->sublink.op == NULL ? "=" : expr->sublink.op;
    bool row = test->kind == SCALAR_ROW;
    struct scalar *pair[2] = {NULL, NULL}, *compare;
    for (uint32_t i = 0; row && i < 2; i++)
        pair[i] = scalar_with_args(binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), test->position, count);
    for (uint32_t i = 0; i < count; i++) {
        struct scalar *output =
            bind_var(binder, sublink->subquery.outputs[i], expr->position);
        if (scalar_is_unknown(tests[i]))
            TRY(bind_coerce(binder, &tests[i], output->type, CAST_IMPLICIT, NULL));
        var_id var = bind_new_var(binder, "test", NULL, tests[i]->type);
        *(row ? &pair[0]->args[i] : &pair[0]) = bind_var(binder, var, expr->position);
        *(row ? &pair[1]->args[i] : &pair[1]) = output;
        sublink->args[i] = tests[i];
        sublink->subquery.test_vars[i] = var;
    }
    TRY(bind_operator(binder, op, pair[0], pair[1], expr->position, &compare));
    TRY(bind_coerce_bool(binder, &compare, "ANY/ALL"));
    sublink->subquery.compare = compare;

out:
    return st;
}

struct status bind_sublink(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct query query = {0};
    struct scalar *test = NULL;
    enum sublink_kind kind = expr->sublink.kind;
    if (expr->sublink.test != NULL) TRY(bind_expr(binder, scope, expr->sublink.test, &test));
    TRY(bind_select(binder, scope, expr->sublink.query, false, &query));
    struct scalar *sublink =
        scalar_new(binder->arena, SCALAR_SUBQUERY, TYPE_OF(TYPE_BOOL), expr->position);
    sublink->subquery.origin = ARENA_NEW(binder->arena, struct sublink_origin);
    const char **names = ARENA_ARRAY(binder->arena, const char *, query.column_count + 1u);
    for (uint32_t i = 0; i < query.column_count; i++) names[i] = query.columns[i].name;
    *sublink->subquery.origin = (struct sublink_origin){binder->arena, binder, scope, expr, NULL, names};
    sublink->subquery.kind = kind;
    sublink->subquery.rel = query.rel;
    sublink->subquery.outputs = ARENA_ARRAY(binder->arena, var_id, query.column_count);
    sublink->subquery.output_count = query.column_count;
    for (uint32_t i = 0; i < query.column_count; i++)
        sublink->subquery.outputs[i] = query.columns[i].var;
    if (kind == SUBLINK_SCALAR || kind == SUBLINK_ARRAY) {
        if (query.column_count != 1)
            return bind_error(binder, expr->position, E_SYNTAX_ERROR,
                "subquery must return only one column");
        sublink->type = query.columns[0].type;
        if (kind == SUBLINK_ARRAY) {
            sublink->type = TYPE_OF(type_array_of(query.columns[0].type.oid));
            if (sublink->type.oid == 0)
                return bind_unsupported(binder, expr->position, "ARRAY of this type");
        }
    } else if (test != NULL) {
        TRY(sublink_compare(binder, expr, test, sublink));
    }
    *out = sublink;
    // NOT IN is NOT (= ANY), <> ALL: the tree has it already.

out:
    return st;
}
