// SPDX-License-Identifier: GPL-3.0-or-later
//
// When expressions are the same, and queries in them.
#include "sql/plan/scalar_equal.h"

#include <string.h>

#include "core/deep.h"
#include "sql/plan/rel.h"

static bool const_equal(const struct scalar *a, const struct scalar *b)
{
    if (a->value.null || b->value.null) return a->value.null && b->value.null;
    if (type_is_by_value(a->type.oid))
        return memcmp(&a->value.integer, &b->value.integer, sizeof(int64_t)) == 0 ||
               (a->type.oid == TYPE_BOOL && a->value.boolean == b->value.boolean);
    return bytes_equal(datum_as_bytes(a->value), datum_as_bytes(b->value));
}

struct twins;

// Element variables of the array comparisons around, which differ though what they stand for is equal.
struct equality {
    scalar_same_query *same;
    struct twins *twins; // Within queries that are compared operator for operator; else NULL.
    const struct equality *around;
    var_id a, b;
};

// The variables of one query and those of the other that stand for them, and their common table expressions and recursions.
struct twins {
    const struct scalar_naming *naming;
    var_id *of; // Per variable; VAR_NONE: it is no query's own.
    struct twin_query {
        const void *a, *b;
        struct twin_query *next;
    } *queries;
};

static bool equal(const struct scalar *a, const struct scalar *b, const struct equality *in);
static bool equal_queries(const struct scalar *a, const struct scalar *b, const struct equality *in);

static bool equal_vars(var_id a, var_id b, const struct equality *in)
{
    for (; in->around != NULL; in = in->around)
        if (a == in->a || b == in->b) return a == in->a && b == in->b;
    if (in->twins != NULL && a < in->twins->naming->var_count && in->twins->of[a] != VAR_NONE) return in->twins->of[a] == b;
    return a == b;
}

static bool equal_any(const struct scalar *a, const struct scalar *b, const struct equality *in)
{
    struct equality inner = {in->same, in->twins, in, a->any_array.element_var, b->any_array.element_var};
    return a->any_array.all == b->any_array.all && equal(a->any_array.compare, b->any_array.compare, &inner);
}

// Calls that may differ each time: whoever compares how things are written may take them for equal, too.
static bool equal_calls(const struct scalar *a, const struct scalar *b, const struct equality *in)
{
    if (a->function != b->function) return false;
    if (in->twins != NULL) return true;
    return a->function->volatility != FUNCTION_VOLATILE || (in->same != NULL && in->same(a, b));
}

static bool equal(const struct scalar *a, const struct scalar *b, const struct equality *in)
{
    if (a == b && in->twins == NULL && !scalar_is_volatile(a)) return true;
    if (a->kind != b->kind || a->type.oid != b->type.oid || a->type.typmod != b->type.typmod ||
        a->arg_count != b->arg_count || a->type.collation != b->type.collation)
        return false;
    if (!deep_goes_on(1)) return false;
    switch (a->kind) {
    case SCALAR_CONST: return const_equal(a, b);
    case SCALAR_PARAM: return a->param == b->param;
    case SCALAR_VAR: return equal_vars(a->var, b->var, in);
    case SCALAR_CALL:
        if (!equal_calls(a, b, in)) return false;
        break;
    case SCALAR_CAST:
    case SCALAR_TYPMOD:
        if (a->cast.cast != b->cast.cast || a->cast.is_explicit != b->cast.is_explicit) return false;
        break;
    case SCALAR_IS:
        if (a->test != b->test) return false;
        break;
    case SCALAR_DISTINCT:
    case SCALAR_IN:
        if (a->negated != b->negated) return false;
        break;
    case SCALAR_EXTREME:
        if (a->greatest != b->greatest) return false;
        break;
    case SCALAR_SQL_VALUE:
        if (a->sql_value != b->sql_value) return false;
        break;
    case SCALAR_SUBQUERY:
        if (in->twins != NULL) return equal_queries(a, b, in);
        return in->same != NULL && in->around == NULL && in->same(a, b);
    case SCALAR_ANY_ARRAY:
        if (!equal_any(a, b, in)) return false;
        break;
    default: break;
    }
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!equal(a->args[i], b->args[i], in)) return false;
    return true;
}

bool scalar_equal_by(const struct scalar *a, const struct scalar *b, scalar_same_query *same)
{
    return equal(a, b, &(struct equality){.same = same});
}

bool scalar_equal(const struct scalar *a, const struct scalar *b)
{
    return scalar_equal_by(a, b, NULL);
}

// --- queries ---------------------------------------------------------------------------------------------

static bool pair(var_id a, var_id b, const struct equality *in)
{
    const struct scalar_naming *naming = in->twins->naming;
    if (a == VAR_NONE || b == VAR_NONE) return a == b;
    if (a >= naming->var_count || b >= naming->var_count) return false;
    in->twins->of[a] = b;
    return naming->alike(naming, a, b);
}

static bool pair_all(const var_id *a, const var_id *b, uint32_t count, const struct equality *in)
{
    for (uint32_t i = 0; i < count; i++)
        if (!pair(a[i], b[i], in)) return false;
    return true;
}

static bool pair_row(var_id a, var_id b, uint32_t count, const struct equality *in)
{
    for (uint32_t i = 0; i < count; i++)
        if (!pair(a + i, b + i, in)) return false;
    return true;
}

static bool equal_vars_of(const var_id *a, const var_id *b, uint32_t count, const struct equality *in)
{
    for (uint32_t i = 0; i < count; i++)
        if (!equal_vars(a[i], b[i], in)) return false;
    return true;
}

static bool equal_or_none(const struct scalar *a, const struct scalar *b, const struct equality *in)
{
    if (a == NULL || b == NULL) return a == b;
    return equal(a, b, in);
}

static bool equal_args(struct scalar *const *a, struct scalar *const *b, uint32_t count, const struct equality *in)
{
    for (uint32_t i = 0; i < count; i++)
        if (!equal(a[i], b[i], in)) return false;
    return true;
}

static bool equal_list(const struct scalar_list *a, const struct scalar_list *b, const struct equality *in)
{
    return a->count == b->count && equal_args(a->items, b->items, a->count, in);
}

static bool equal_items(const struct rel_item_list *a, const struct rel_item_list *b, const struct equality *in)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++) {
        // A column that is grouped by is the same variable above.
        const struct scalar *of = a->items[i].scalar;
        bool itself = of->kind == SCALAR_VAR && of->var == a->items[i].var;
        if (!equal(of, b->items[i].scalar, in)) return false;
        if (itself ? !equal_vars(a->items[i].var, b->items[i].var, in) : !pair(a->items[i].var, b->items[i].var, in))
            return false;
    }
    return true;
}

static bool equal_order(const struct rel_order *a, const struct rel_order *b, uint32_t count, const struct equality *in)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].descending != b[i].descending || a[i].nulls_first != b[i].nulls_first || !equal(a[i].scalar, b[i].scalar, in))
            return false;
    return true;
}

static bool equal_calls_of(const struct rel *a, const struct rel *b, const struct equality *in)
{
    if (a->function.call_count != b->function.call_count) return false;
    for (uint32_t i = 0; i < a->function.call_count; i++) {
        const struct rel_call *x = &a->function.calls[i], *y = &b->function.calls[i];
        if (x->function != y->function || x->arg_count != y->arg_count || x->var_count != y->var_count ||
            !equal_args(x->args, y->args, x->arg_count, in))
            return false;
        for (uint32_t v = 0; v < x->var_count; v++)
            if (x->types[v].oid != y->types[v].oid) return false;
        if (!pair_all(x->vars, y->vars, x->var_count, in)) return false;
    }
    return pair(a->function.ordinality, b->function.ordinality, in);
}

static bool equal_aggregates(const struct rel *a, const struct rel *b, const struct equality *in)
{
    if (!equal_items(&a->aggregate.groups, &b->aggregate.groups, in)) return false;
    if (a->aggregate.aggregate_count != b->aggregate.aggregate_count || a->aggregate.plain != b->aggregate.plain ||
        a->aggregate.set_count != b->aggregate.set_count || a->aggregate.grouping_count != b->aggregate.grouping_count)
        return false;
    for (uint32_t i = 0; i < a->aggregate.aggregate_count; i++) {
        const struct rel_aggregate *x = &a->aggregate.aggregates[i], *y = &b->aggregate.aggregates[i];
        if (x->function != y->function || x->arg_count != y->arg_count || x->direct_count != y->direct_count ||
            x->distinct != y->distinct || x->order_count != y->order_count || x->type.oid != y->type.oid ||
            !equal_args(x->args, y->args, x->arg_count, in) || !equal_or_none(x->filter, y->filter, in) ||
            !equal_order(x->order, y->order, x->order_count, in) || !pair(x->var, y->var, in))
            return false;
    }
    const uint32_t sets = a->aggregate.set_count, groups = a->aggregate.groups.count;
    if (sets > 0 && memcmp(a->aggregate.in_set, b->aggregate.in_set, sets * groups * sizeof(bool)) != 0) return false;
    for (uint32_t i = 0; i < a->aggregate.grouping_count; i++) {
        const struct rel_grouping *x = &a->aggregate.groupings[i], *y = &b->aggregate.groupings[i];
        if (memcmp(x->values, y->values, (sets > 0 ? sets : 1) * sizeof *x->values) != 0 || !pair(x->var, y->var, in))
            return false;
    }
    return true;
}

static bool equal_frames(const struct rel_frame *a, const struct rel_frame *b, const struct equality *in)
{
    return a->mode == b->mode && a->start == b->start && a->end == b->end && a->exclusion == b->exclusion &&
           equal_or_none(a->start_offset, b->start_offset, in) && equal_or_none(a->end_offset, b->end_offset, in) &&
           equal_or_none(a->start_key, b->start_key, in) && equal_or_none(a->start_value, b->start_value, in) &&
           equal_or_none(a->start_negative, b->start_negative, in) && equal_or_none(a->end_key, b->end_key, in) &&
           equal_or_none(a->end_value, b->end_value, in) && equal_or_none(a->end_negative, b->end_negative, in);
}

static bool equal_windows(const struct rel_window *a, const struct rel_window *b, const struct equality *in)
{
    if (a->key_count != b->key_count || a->partition_count != b->partition_count || a->call_count != b->call_count ||
        !equal_order(a->keys, b->keys, a->key_count, in))
        return false;
    for (uint32_t i = 0; i < a->call_count; i++) {
        const struct rel_window_call *x = &a->calls[i], *y = &b->calls[i];
        if (x->function != y->function || x->arg_count != y->arg_count || x->type.oid != y->type.oid ||
            !equal_args(x->args, y->args, x->arg_count, in) || !equal_or_none(x->filter, y->filter, in) ||
            !equal_frames(&x->frame, &y->frame, in) || !pair(x->var, y->var, in))
            return false;
    }
    return true;
}

static bool equal_rels(const struct rel *a, const struct rel *b, const struct equality *in);

static bool are_twins(const void *a, const void *b, const struct equality *in)
{
    for (const struct twin_query *each = in->twins->queries; each != NULL; each = each->next)
        if (each->a == a) return each->b == b;
    return a == b;
}

static void make_twins(const void *a, const void *b, const struct equality *in)
{
    struct twin_query *query = ARENA_NEW(in->twins->naming->arena, struct twin_query);
    *query = (struct twin_query){a, b, in->twins->queries};
    in->twins->queries = query;
}

// Inputs of a recursion: its step reads what it has made so far.
static bool equal_sets(const struct rel *a, const struct rel *b, const struct equality *in)
{
    if (a->set.kind != b->set.kind || a->set.all != b->set.all || a->set.input_count != b->set.input_count ||
        a->set.var_count != b->set.var_count)
        return false;
    make_twins(a, b, in);
    for (uint32_t i = 0; i < a->set.input_count; i++)
        if (!equal_rels(a->set.inputs[i], b->set.inputs[i], in) ||
            !equal_vars_of(a->set.input_vars[i], b->set.input_vars[i], a->set.var_count, in))
            return false;
    return pair_all(a->set.vars, b->set.vars, a->set.var_count, in);
}

static bool equal_withs(const struct rel *a, const struct rel *b, const struct equality *in)
{
    if (a->with.count != b->with.count || a->with.statement || b->with.statement) return false;
    for (uint32_t i = 0; i < a->with.count; i++) {
        const struct rel_cte *x = a->with.ctes[i], *y = b->with.ctes[i];
        if (strcmp(x->name, y->name) != 0 || x->materialized != y->materialized || x->modifies || y->modifies ||
            x->var_count != y->var_count)
            return false;
        make_twins(x, y, in);
        if (!equal_rels(x->rel, y->rel, in) || !equal_vars_of(x->vars, y->vars, x->var_count, in)) return false;
    }
    return true;
}

static bool equal_texts(const char *a, const char *b)
{
    if (a == NULL || b == NULL) return a == b;
    return strcmp(a, b) == 0;
}

static bool equal_scans(const struct rel *a, const struct rel *b, const struct equality *in)
{
    return a->scan.table->id == b->scan.table->id && strcmp(a->scan.table->name, b->scan.table->name) == 0 &&
           equal_texts(a->scan.alias, b->scan.alias) && equal_texts(a->scan.index_hint, b->scan.index_hint) &&
           a->scan.no_full_scan == b->scan.no_full_scan && a->scan.lock == b->scan.lock && a->scan.wait == b->scan.wait &&
           pair_row(a->scan.base, b->scan.base, a->scan.table->column_count, in) &&
           equal_list(&a->scan.conjuncts, &b->scan.conjuncts, in);
}

static bool equal_values(const struct rel *a, const struct rel *b, const struct equality *in)
{
    if (a->values.row_count != b->values.row_count || a->values.column_count != b->values.column_count) return false;
    for (uint32_t i = 0; i < a->values.row_count; i++)
        if (!equal_args(a->values.rows[i], b->values.rows[i], a->values.column_count, in)) return false;
    return pair_row(a->values.base, b->values.base, a->values.column_count, in);
}

// The operators themselves, after their inputs.
static bool equal_nodes(const struct rel *a, const struct rel *b, const struct equality *in)
{
    switch (a->kind) {
    case REL_ONE:
    case REL_EMPTY: return true;
    case REL_SCAN:
    case REL_VIRTUAL:
    case REL_SEQUENCE: return equal_scans(a, b, in);
    case REL_VALUES: return equal_values(a, b, in);
    case REL_FUNCTION:
    case REL_PROJECT_SET: return equal_calls_of(a, b, in);
    case REL_FILTER: return equal_list(&a->filter.conjuncts, &b->filter.conjuncts, in);
    case REL_PROJECT: return equal_items(&a->project, &b->project, in);
    case REL_JOIN:
        return a->join.kind == b->join.kind && a->join.lateral == b->join.lateral && equal_list(&a->join.on, &b->join.on, in);
    case REL_AGGREGATE: return equal_aggregates(a, b, in);
    case REL_WINDOW: return equal_windows(&a->window, &b->window, in);
    case REL_DISTINCT:
        return a->distinct.key_count == b->distinct.key_count && a->distinct.on == b->distinct.on &&
               equal_vars_of(a->distinct.keys, b->distinct.keys, a->distinct.key_count, in);
    case REL_SORT:
        return a->sort.count == b->sort.count && equal_order(a->sort.items, b->sort.items, a->sort.count, in);
    case REL_LIMIT:
        return a->limit.tie_count == b->limit.tie_count && equal_or_none(a->limit.limit, b->limit.limit, in) &&
               equal_or_none(a->limit.offset, b->limit.offset, in) &&
               equal_order(a->limit.ties, b->limit.ties, a->limit.tie_count, in);
    case REL_UNION_ALL:
    case REL_SET:
    case REL_RECURSIVE: return equal_sets(a, b, in);
    case REL_CTE:
        return are_twins(a->cte.cte, b->cte.cte, in) &&
               pair_all(a->cte.vars, b->cte.vars, a->cte.cte->var_count, in);
    case REL_WORKTABLE:
        return a->worktable.var_count == b->worktable.var_count && are_twins(a->worktable.recursive, b->worktable.recursive, in) &&
               pair_all(a->worktable.vars, b->worktable.vars, a->worktable.var_count, in);
    default: return false; // Locks; writing has no place in an expression.
    }
}

static bool equal_rels(const struct rel *a, const struct rel *b, const struct equality *in)
{
    if (a == NULL || b == NULL) return a == b;
    if (a->kind != b->kind) return false;
    if (a->kind == REL_WITH) return equal_withs(a, b, in) && equal_rels(a->left, b->left, in);
    return equal_rels(a->left, b->left, in) && equal_rels(a->right, b->right, in) && equal_nodes(a, b, in);
}

static bool equal_queries(const struct scalar *a, const struct scalar *b, const struct equality *in)
{
    if (a->subquery.kind != b->subquery.kind || a->subquery.output_count != b->subquery.output_count ||
        !equal_args(a->args, b->args, a->arg_count, in) || !equal_rels(a->subquery.rel, b->subquery.rel, in) ||
        !equal_vars_of(a->subquery.outputs, b->subquery.outputs, a->subquery.output_count, in))
        return false;
    if (a->subquery.compare == NULL || b->subquery.compare == NULL) return a->subquery.compare == b->subquery.compare;
    return pair_all(a->subquery.test_vars, b->subquery.test_vars, a->arg_count, in) &&
           equal(a->subquery.compare, b->subquery.compare, in);
}

bool subquery_equal(const struct scalar *a, const struct scalar *b, const struct scalar_naming *naming)
{
    if (!deep_goes_on(1 + naming->var_count / 8)) return false;
    struct twins twins = {.naming = naming, .of = ARENA_ARRAY(naming->arena, var_id, naming->var_count + 1u)};
    for (uint32_t i = 0; i < naming->var_count; i++) twins.of[i] = VAR_NONE;
    return equal(a, b, &(struct equality){.twins = &twins});
}
