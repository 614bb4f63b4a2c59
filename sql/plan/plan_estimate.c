// SPDX-License-Identifier: GPL-3.0-or-later
//
// How many rows: selectivities of conditions from distinct counts and histograms, and rows of joins,
// groups and all else. Estimates only choose between plans; nothing relies on them.
#include <math.h>

#include "core/deep.h"
#include "sql/function/sample.h"
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"
#include "sql/plan/statistics.h"
#include "sql/plan/statistics_parts.h"

#define SELECTIVITY_EQUAL 0.01 // Where nothing is known.
#define SELECTIVITY_RANGE 0.33
#define SELECTIVITY_CALL 0.1
#define SELECTIVITY_MATCH 0.01 // Of conditions on parts of a value: @>, ? and their like.
#define SELECTIVITY_LEAST 1e-7
#define INTERVALS_MAX 16u
#define GROUP_SHARE 0.1
#define DEPTH_MAX 16u // Of expressions that may be those of statistics objects.

// --- columns -----------------------------------------------------------------------------------------

// The scan below `rel` that makes `var`, if it is a table's column.
static const struct rel *scan_of(const struct rel *rel, var_id var)
{
    if (rel == NULL) return NULL;
    switch (rel->kind) {
    case REL_SCAN:
    case REL_VIRTUAL:
        return var >= rel->scan.base && var - rel->scan.base < rel->scan.table->column_count ? rel
                                                                                            : NULL;
    case REL_JOIN: {
        const struct rel *found = scan_of(rel->left, var);
        return found != NULL || rel->join.kind == REL_SEMI || rel->join.kind == REL_ANTI
                   ? found
                   : scan_of(rel->right, var);
    }
    case REL_FILTER:
    case REL_PROJECT:
    case REL_AGGREGATE:
    case REL_DISTINCT:
    case REL_SORT:
    case REL_LIMIT:
    case REL_LOCK:
    case REL_WITH: return scan_of(rel->left, var);
    default: return NULL;
    }
}

static double table_rows(const struct rel *scan)
{
    uint64_t rows = scan->scan.table->row_estimate;
    return rows > 0 ? (double)rows : ROWS_UNKNOWN;
}

static const struct column_estimate *estimate_of(const struct rel *scan, var_id var)
{
    const struct table_desc *table = scan->scan.table;
    return table->column_estimates == NULL ? NULL : &table->column_estimates[var - scan->scan.base];
}

// Distinct values of a column in its whole table; 0: unknown.
static double distinct_in_table(const struct rel *scan, var_id var)
{
    const struct table_desc *table = scan->scan.table;
    const struct index_desc *primary = table->index_count > 0 ? &table->indexes[0] : NULL;
    if (primary != NULL && primary->column_count == 1 &&
        primary->columns[0].column_id == table->columns[var - scan->scan.base].id)
        return table_rows(scan);
    const struct column_estimate *estimate = estimate_of(scan, var);
    return estimate == NULL ? 0 : estimate->distinct;
}

// A variable that the scalar mentions; VAR_NONE: none is seen.
static var_id first_var(const struct scalar *scalar, uint32_t depth)
{
    var_id var = VAR_NONE;
    if (scalar->kind == SCALAR_VAR) return scalar->var;
    for (uint32_t i = 0; i < scalar->arg_count && depth < DEPTH_MAX && var == VAR_NONE; i++)
        var = first_var(scalar->args[i], depth + 1);
    return var;
}

static double distinct_of(const struct rel *rel, const struct scalar *scalar)
{
    scalar = scalar_strip(scalar);
    var_id var = first_var(scalar, 0);
    if (rel == NULL || var == VAR_NONE) return 0;
    const struct rel *scan = scan_of(rel, var);
    if (scan == NULL) return 0;
    return scalar->kind == SCALAR_VAR ? distinct_in_table(scan, var)
                                      : plan_expression_distinct(scan, scalar);
}

// --- ranges ------------------------------------------------------------------------------------------

struct interval { // What range conditions leave of one column, as shares of its rows.
    var_id var;
    double low, high;
};

// The share of rows at or below `rank`.
static double share_below(const struct column_estimate *estimate, uint64_t rank)
{
    const uint64_t *bounds = estimate->bounds;
    uint32_t last = estimate->bound_count - 1, low = 0, high = last;
    if (rank < bounds[0]) return 0;
    if (rank >= bounds[last]) return 1;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (bounds[middle] <= rank) low = middle;
        else high = middle;
    }
    double width = (double)(bounds[high] - bounds[low]);
    double within = width > 0 ? (double)(rank - bounds[low]) / width : 0.5;
    return (low + within) / last;
}

// Whether the conjunct bounds a column of the scan that has a histogram; *intervals takes it in.
static bool take_range(const struct scalar *conjunct, const struct rel *scan,
    struct interval *intervals, uint32_t *count)
{
    enum scalar_compare compare = scalar_compare_of(conjunct);
    if (scan == NULL || compare == COMPARE_NONE || compare == COMPARE_EQ || compare == COMPARE_NE)
        return false;
    uint32_t side = scalar_strip(conjunct->args[0])->kind == SCALAR_VAR ? 0 : 1;
    if (side == 1) compare = scalar_compare_swap(compare);
    const struct scalar *column = scalar_strip(conjunct->args[side]);
    const struct scalar *value = scalar_strip(conjunct->args[1 - side]);
    uint64_t rank;
    if (column->kind != SCALAR_VAR || scan_of(scan, column->var) != scan ||
        value->kind != SCALAR_CONST || value->value.null ||
        collation_is_icu(conjunct->args[side]->type.collation)) // Ranks are those of bytes.
        return false;
    const struct column_estimate *estimate = estimate_of(scan, column->var);
    if (estimate == NULL || estimate->bound_count < 2 ||
        !statistics_rank(value->type.oid, value->value, &rank) ||
        !statistics_rank_comparable(column->type.oid, value->type.oid))
        return false;
    uint32_t at = 0;
    while (at < *count && intervals[at].var != column->var) at++;
    if (at == INTERVALS_MAX) return false;
    if (at == *count) intervals[(*count)++] = (struct interval){column->var, 0, 1};
    double share = share_below(estimate, rank);
    bool is_lower = compare == COMPARE_GT || compare == COMPARE_GE;
    if (is_lower && share > intervals[at].low) intervals[at].low = share;
    if (!is_lower && share < intervals[at].high) intervals[at].high = share;
    return true;
}

static double interval_share(const struct interval *interval, const struct rel *scan)
{
    const struct column_estimate *estimate = estimate_of(scan, interval->var);
    double share = interval->high - interval->low;
    double least = estimate->distinct > 0 ? 1 / estimate->distinct : 1e-4;
    if (share < least) share = least;
    return share * (1 - estimate->null_fraction);
}

// --- conditions --------------------------------------------------------------------------------------

static double in_selectivity(const struct scalar *conjunct, const struct rel *scan)
{
    double distinct = distinct_of(scan, conjunct->args[0]);
    double all = (distinct > 0 ? 1 / distinct : SELECTIVITY_EQUAL) * (conjunct->arg_count - 1);
    if (all > 0.9) all = 0.9;
    return conjunct->negated ? 1 - all : all;
}

// Whether it asks for parts of a jsonb or array value.
static bool looks_into(const struct scalar *conjunct)
{
    static const char *const names[] = {"@>", "<@", "&&", "?", "?|", "?&"};
    const struct function *function = conjunct->function;
    type_oid type = conjunct->args[0]->type.oid;
    if (function->kind != FUNCTION_OPERATOR || (type != TYPE_JSONB && !type_is_array(type)))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], function->name) == 0) return true;
    return false;
}

// From what ANALYZE has seen of the column's parts, when they are compared with a constant.
static double match_selectivity(const struct scalar *conjunct, const struct rel *scan)
{
    for (uint32_t side = 0; side < 2 && scan != NULL; side++) {
        const struct scalar *column = scalar_strip(conjunct->args[side]);
        const struct scalar *value = scalar_strip(conjunct->args[1 - side]);
        if (column->kind != SCALAR_VAR || value->kind != SCALAR_CONST) continue;
        const struct rel *of = scan_of(scan, column->var);
        const struct column_estimate *estimate = of == NULL ? NULL : estimate_of(of, column->var);
        if (estimate == NULL) continue;
        const char *operator = side == 0 ? conjunct->function->name : conjunct->function->commutator;
        const double share = parts_share(estimate->bounds, estimate->bound_count, operator,
            column->type.oid, value->type.oid, value->value);
        if (share >= 0) return share;
    }
    return SELECTIVITY_MATCH;
}

static double compare_selectivity(const struct scalar *conjunct, const struct rel *scan)
{
    enum scalar_compare compare = scalar_compare_of(conjunct);
    if (compare == COMPARE_EQ) {
        double distinct = distinct_of(scan, conjunct->args[0]);
        double other = distinct_of(scan, conjunct->args[1]);
        if (other > distinct) distinct = other;
        return distinct > 0 ? 1 / distinct : SELECTIVITY_EQUAL;
    }
    if (compare == COMPARE_NE) return 0.95;
    if (compare == COMPARE_NONE)
        return looks_into(conjunct) ? match_selectivity(conjunct, scan) : SELECTIVITY_CALL;
    return SELECTIVITY_RANGE;
}

static double sample_selectivity(const struct scalar *call)
{
    const struct scalar *percent = call->args[0];
    if (percent->kind != SCALAR_CONST || percent->value.null || !(percent->value.real >= 0)) return SELECTIVITY_CALL;
    return percent->value.real > 100 ? 1 : percent->value.real / 100;
}

double plan_selectivity(const struct scalar *conjunct, const struct rel *scan)
{
    if (conjunct->kind == SCALAR_CALL && sample_is_call(conjunct->function)) return sample_selectivity(conjunct);
    struct interval interval[1];
    uint32_t count = 0;
    (void)deep_goes_on(1);
    if (conjunct->kind == SCALAR_CALL && take_range(conjunct, scan, interval, &count))
        return interval_share(interval, scan);
    switch (conjunct->kind) {
    case SCALAR_CALL: return compare_selectivity(conjunct, scan);
    case SCALAR_IN: return in_selectivity(conjunct, scan);
    case SCALAR_ANY_ARRAY: return 0.05;
    case SCALAR_AND: {
        struct scalar_list list = {conjunct->args, conjunct->arg_count, conjunct->arg_count};
        return plan_selectivity_all(&list, scan);
    }
    case SCALAR_OR: {
        double none = 1;
        for (uint32_t i = 0; i < conjunct->arg_count; i++)
            none *= 1 - plan_selectivity(conjunct->args[i], scan);
        return 1 - none;
    }
    case SCALAR_NOT: return 1 - plan_selectivity(conjunct->args[0], scan);
    case SCALAR_IS: return conjunct->test == IS_NULL ? 0.05 : 0.9;
    default: return 0.5;
    }
}

double plan_selectivity_all(const struct scalar_list *conjuncts, const struct rel *scan)
{
    struct interval intervals[INTERVALS_MAX];
    uint32_t count = 0;
    uint64_t taken;
    double share = plan_joint_share(scan, conjuncts, &taken);
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        const struct scalar *conjunct = conjuncts->items[i];
        if (i < 64 && (taken >> i & 1) != 0) continue;
        if (conjunct->kind == SCALAR_CALL && take_range(conjunct, scan, intervals, &count))
            continue;
        share *= plan_selectivity(conjunct, scan);
    }
    for (uint32_t i = 0; i < count; i++) share *= interval_share(&intervals[i], scan);
    return share < SELECTIVITY_LEAST ? SELECTIVITY_LEAST : share;
}

// --- joins -------------------------------------------------------------------------------------------

// Of the equalities between two inputs: which columns of one scan they bind.
struct bound_columns {
    const struct rel *scan;
    const struct scalar *columns[8];
    uint32_t count;
};

static void note_column(struct bound_columns *bound, const struct rel *rel, const struct scalar *side)
{
    const struct scalar *column = scalar_strip(side);
    if (column->kind != SCALAR_VAR) return;
    const struct rel *scan = scan_of(rel, column->var);
    if (scan == NULL || (bound->scan != NULL && bound->scan != scan)) return;
    bound->scan = scan;
    if (bound->count < 8) bound->columns[bound->count++] = column;
}

static bool has_unique_key(const struct bound_columns *bound)
{
    if (bound->scan == NULL) return false;
    const struct table_desc *table = bound->scan->scan.table;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        bool all = index->unique && index->state == ELEMENT_PUBLIC && index->predicate_sql == NULL;
        for (uint32_t k = 0; k < index->column_count && all; k++) {
            bool found = false;
            for (uint32_t b = 0; b < bound->count && !found; b++)
                found = index->columns[k].expression_sql == NULL &&
                        index->columns[k].column_id ==
                            table->columns[bound->columns[b]->var - bound->scan->scan.base].id;
            all = found;
        }
        if (all) return true;
    }
    return false;
}

// Distinct combinations of all `count` columns that the equalities bind; 0: unknown.
static double combined_distinct(const struct bound_columns *bound, uint32_t count)
{
    uint64_t covered;
    if (count < 2 || bound->count != count) return 0;
    double distinct = plan_joint_distinct(bound->scan, bound->columns, count, &covered);
    return (uint32_t)__builtin_popcountll(covered) == count ? distinct : 0;
}

static double equal_selectivity(const struct scalar *a, const struct scalar *b,
    const struct rel *left, const struct rel *right, double larger)
{
    double x = distinct_of(left, a), y = distinct_of(right, a);
    double most = x > y ? x : y;
    x = distinct_of(left, b);
    y = distinct_of(right, b);
    if (x > most) most = x;
    if (y > most) most = y;
    return 1 / (most > 0 ? most : larger < 1 ? 1 : larger);
}

// Whether a former condition compares the same column of `rel`: then what both compare it with is equal.
static bool says_no_more(const struct scalar_list *on, uint32_t at, const struct rel *rel)
{
    if (rel->kind != REL_SCAN || !deep_goes_on(1 + on->count / 8)) return false;
    for (uint32_t side = 0; side < 2; side++) {
        const struct scalar *column = on->items[at]->args[side];
        if (column->kind != SCALAR_VAR || column->var < rel->scan.base ||
            column->var - rel->scan.base >= rel->scan.table->column_count)
            continue;
        for (uint32_t i = 0; i < at; i++) {
            const struct scalar *former = on->items[i];
            if (former->kind != SCALAR_CALL || former->arg_count != 2) continue;
            for (uint32_t s = 0; s < 2; s++)
                if (former->args[s]->kind == SCALAR_VAR && former->args[s]->var == column->var &&
                    scalar_compare_of(former) == COMPARE_EQ)
                    return true;
        }
    }
    return false;
}

double plan_join_selectivity(const struct scalar_list *on, struct rel *const *lefts,
    uint32_t left_count, struct rel *right, double left_rows)
{
    struct bound_columns inner = {0}, outer = {0};
    double share = 1, rest = 1;
    uint32_t equalities = 0;
    double right_rows = plan_estimate_rows(right);
    double larger = left_rows > right_rows ? left_rows : right_rows;
    for (uint32_t i = 0; i < on->count; i++) {
        const struct scalar *conjunct = on->items[i];
        if (scalar_compare_of(conjunct) == COMPARE_EQ && says_no_more(on, i, right)) continue;
        if (scalar_compare_of(conjunct) != COMPARE_EQ) {
            rest *= conjunct->kind == SCALAR_CALL && scalar_compare_of(conjunct) != COMPARE_NONE
                        ? SELECTIVITY_RANGE
                        : plan_selectivity(conjunct, NULL);
            continue;
        }
        double one = 1;
        for (uint32_t l = 0; l < left_count; l++) {
            double with = equal_selectivity(conjunct->args[0], conjunct->args[1], lefts[l], right, larger);
            if (l == 0 || with > one) one = with;
            for (uint32_t side = 0; side < 2; side++) note_column(&outer, lefts[l], conjunct->args[side]);
        }
        for (uint32_t side = 0; side < 2; side++) note_column(&inner, right, conjunct->args[side]);
        // Columns of one key go together: each further equality counts for less.
        share = share == 1 ? one : share * sqrt(one);
        equalities++;
    }
    double inner_distinct = combined_distinct(&inner, equalities);
    double outer_distinct = combined_distinct(&outer, equalities);
    double most = inner_distinct > outer_distinct ? inner_distinct : outer_distinct;
    if (most >= 1) share = 1 / most;
    // A unique key meets one row of its whole table.
    if (has_unique_key(&inner)) share = 1 / table_rows(inner.scan);
    else if (has_unique_key(&outer)) share = 1 / table_rows(outer.scan);
    return share * rest;
}

static double semi_share(const struct rel *rel)
{
    double share = 1;
    bool known = false;
    for (uint32_t i = 0; i < rel->join.on.count; i++) {
        const struct scalar *conjunct = rel->join.on.items[i];
        if (scalar_compare_of(conjunct) != COMPARE_EQ) continue;
        for (uint32_t side = 0; side < 2; side++) {
            double left = distinct_of(rel->left, conjunct->args[side]);
            double right = distinct_of(rel->right, conjunct->args[1 - side]);
            double rows = plan_estimate_rows(rel->right);
            if (left <= 0) continue;
            if (right <= 0 || right > rows) right = rows;
            if (right < left) share *= right / left;
            known = true;
        }
    }
    return known ? share : 0.5;
}

static double join_rows(struct rel *rel)
{
    double left = plan_estimate_rows(rel->left), right = plan_estimate_rows(rel->right);
    if (rel->join.kind == REL_SEMI) return left * semi_share(rel) + 1;
    if (rel->join.kind == REL_ANTI) {
        double kept = 1 - semi_share(rel);
        return left * (kept < 0.1 ? 0.1 : kept) + 1;
    }
    double rows = left * right * plan_join_selectivity(&rel->join.on, &rel->left, 1, rel->right, left);
    switch (rel->join.kind) {
    case REL_LEFT: return rows > left ? rows : left;
    case REL_FULL: return rows > left + right ? rows : left + right;
    default: return rows < 1 ? 1 : rows;
    }
}

// --- rows --------------------------------------------------------------------------------------------

// Distinct values of a key, with those keys of the same table of which statistics know together with it.
static double group_distinct(const struct rel *rel, uint32_t key, uint64_t *counted)
{
    const struct rel_item_list *keys = &rel->aggregate.groups;
    const struct scalar *items[64] = {NULL};
    uint32_t places[64], count = 0;
    uint64_t covered = 0;
    var_id var = first_var(keys->items[key].scalar, 0);
    const struct rel *scan = var == VAR_NONE ? NULL : scan_of(rel->left, var);
    for (uint32_t i = key; scan != NULL && i < keys->count && i < 64; i++) {
        var = first_var(keys->items[i].scalar, 0);
        if ((*counted >> i & 1) != 0 || var == VAR_NONE || scan_of(rel->left, var) != scan) continue;
        places[count] = i;
        items[count++] = keys->items[i].scalar;
    }
    double distinct = count == 0 ? 0 : plan_joint_distinct(scan, items, count, &covered);
    if ((covered & 1) == 0) return distinct_of(rel->left, keys->items[key].scalar);
    for (uint32_t i = 0; i < count; i++)
        if (covered >> i & 1) *counted |= UINT64_C(1) << places[i];
    return distinct;
}

static double group_rows(struct rel *rel)
{
    double rows = plan_estimate_rows(rel->left), groups = 1;
    const struct rel_item_list *keys = &rel->aggregate.groups;
    if (keys->count == 0) return 1;
    uint64_t counted = 0; // Of the first 64.
    for (uint32_t i = 0; i < keys->count; i++) {
        if (i < 64 && (counted >> i & 1) != 0) continue;
        double distinct = group_distinct(rel, i, &counted);
        if (distinct <= 0) distinct = rows * GROUP_SHARE;
        groups *= distinct < 1 ? 1 : distinct;
    }
    if (groups > rows) groups = rows;
    return groups < 1 ? 1 : groups;
}

static double const_limit(const struct scalar *limit, double otherwise)
{
    if (limit == NULL) return otherwise;
    if (limit->kind == SCALAR_CONST && !limit->value.null) return (double)limit->value.integer;
    return otherwise < 100 ? otherwise : 100;
}

static double estimate(struct rel *rel)
{
    double rows = 1;
    switch (rel->kind) {
    case REL_EMPTY: return 0;
    case REL_SCAN:
    case REL_VIRTUAL:
        rows = table_rows(rel) * plan_selectivity_all(&rel->scan.conjuncts, rel);
        return rows < 1 ? 1 : rows;
    case REL_VALUES: return rel->values.row_count;
    case REL_FUNCTION: return 100;
    case REL_PROJECT_SET: return plan_estimate_rows(rel->left) * 10;
    case REL_JOIN: return join_rows(rel);
    case REL_FILTER:
        rows = plan_estimate_rows(rel->left) * plan_selectivity_all(&rel->filter.conjuncts, NULL);
        return rows < 1 ? 1 : rows;
    case REL_AGGREGATE: return group_rows(rel);
    case REL_DISTINCT: return plan_estimate_rows(rel->left) * 0.3 + 1;
    case REL_LIMIT:
        rows = plan_estimate_rows(rel->left);
        double limit = const_limit(rel->limit.limit, rows);
        return rows < limit ? rows : limit;
    case REL_UNION_ALL:
    case REL_SET:
        rows = 0;
        for (uint32_t i = 0; i < rel->set.input_count; i++)
            rows += plan_estimate_rows(rel->set.inputs[i]);
        return rows;
    case REL_CTE: return plan_estimate_rows(rel->cte.cte->rel);
    case REL_RECURSIVE: return plan_estimate_rows(rel->set.inputs[0]) * 10;
    case REL_WORKTABLE: return 10;
    case REL_ONE:
    case REL_SEQUENCE: return 1;
    default: return rel->left == NULL ? 1 : plan_estimate_rows(rel->left);
    }
}

double plan_estimate_rows(struct rel *rel)
{
    if (rel->rows < 0) rel->rows = estimate(rel);
    return rel->rows;
}
