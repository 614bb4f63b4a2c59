// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a table is read: which index, which part of it, in which direction.
#include <math.h>

#include "core/deep.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "core/work.h"
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"

#define ROWS_BEYOND_MEMORY 3e6 // Of a table: it may not be in memory.

struct key_match { // What one key column of an index is bound by.
    struct scalar *conjunct;
    struct scalar **values;
    uint32_t value_count;
    bool is_array;
    bool is_null;               // IS NULL.
    type_oid array_element;
};

struct inverted_match { // A conjunct that says: column operator value.
    struct scalar *conjunct, *value;
    uint32_t column;
    enum inverted_strategy strategy;
};

struct candidate {
    const struct index_desc *index;
    struct row_index *keys;
    struct scalar **key_scalars; // What the key columns hold: variables, or expressions.
    struct scalar_list predicate; // Of a partial index: conjuncts that must be among the query's.
    uint32_t usable;            // Key columns that entries surely have.
    struct key_match *equals;
    uint32_t equal_count;
    struct scalar_list lower, upper, range_conjuncts;
    struct scalar_list implied; // Bounds that conditions imply which are looked at all the same.
    bool *lower_inclusive, *upper_inclusive;
    bool not_null;
    bool point, multi, has_null, covering, reverse, ordered;
    struct inverted_match *inverted; // Of an inverted index.
    uint32_t inverted_count;
    double rows;                // Entries read.
    double cost;                // Of reading.
    double choice;              // And of the sort that it would need: what is compared.
};

struct access_plan {
    struct planner *planner;
    struct rel *rel;
    struct scalar_list conjuncts;
    const struct var_set *columns; // Variables that must come out, and those of conditions.
    const struct var_set *needed;  // Those above the scan.
    const struct want *want;
    double table_rows;
};

static bool mentions(const struct access_plan *plan, const struct scalar *scalar)
{
    if (scalar->arg_count == 0 && (scalar->kind == SCALAR_CONST || scalar->kind == SCALAR_PARAM)) return false;
    struct var_set used = var_set_new(plan->planner->arena, plan->planner->binder->var_count);
    scalar_collect_vars(scalar, &used);
    var_id base = plan->rel->scan.base;
    for (uint32_t i = 0; i < plan->rel->scan.table->column_count; i++)
        if (var_set_has(&used, base + i)) return true;
    return false;
}

static bool is_key(const struct scalar *scalar, const struct scalar *key)
{
    scalar = scalar_strip(scalar);
    if (key->kind == SCALAR_VAR) return scalar->kind == SCALAR_VAR && scalar->var == key->var;
    return scalar_equal(scalar, key);
}

// Whether a comparison of the key goes by the index's collation. Texts that are equal in bytes, and those only,
// are equal in every deterministic one.
static bool same_collation(const struct scalar *key, type_oid column, bool equality)
{
    type_oid compared = collation_type(key->type);
    if (compared == column) return true;
    uint32_t other = collation_is_type(column) ? collation_type_number(column) : COLLATION_NONE;
    return equality && collation_is_deterministic(key->type.collation) &&
           collation_is_deterministic(other);
}

static bool usable_value(
    const struct access_plan *plan, const struct scalar *value, type_oid column)
{
    return scalar_key_compatible(collation_type_plain(column), scalar_strip(value)->type.oid) &&
           !scalar_is_volatile(value) && !mentions(plan, scalar_strip(value)) && deep_goes_on(1);
}

static struct scalar *strip_value(const struct scalar *value)
{
    return (struct scalar *)scalar_strip(value);
}

static bool match_in(const struct access_plan *plan, struct scalar *conjunct,
    const struct scalar *key, type_oid type, struct key_match *match)
{
    if (conjunct->negated || !is_key(conjunct->args[0], key) ||
        !same_collation(conjunct->args[0], type, true))
        return false;
    uint32_t count = conjunct->arg_count - 1;
    struct scalar **values = ARENA_ARRAY(plan->planner->arena, struct scalar *, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!usable_value(plan, conjunct->args[i + 1], type)) return false;
        values[i] = strip_value(conjunct->args[i + 1]);
    }
    *match = (struct key_match){.conjunct = conjunct, .values = values, .value_count = count};
    return true;
}

static bool match_any(const struct access_plan *plan, struct scalar *conjunct,
    const struct scalar *key, type_oid type, struct key_match *match)
{
    const struct scalar *compare = conjunct->any_array.compare;
    type_oid element = type_info(conjunct->args[1]->type.oid)->element;
    if (conjunct->any_array.all || scalar_compare_of(compare) != COMPARE_EQ ||
        !is_key(conjunct->args[0], key) || !same_collation(compare->args[0], type, true) ||
        !scalar_key_compatible(collation_type_plain(type), element) ||
        mentions(plan, conjunct->args[1]) || scalar_is_volatile(conjunct->args[1]))
        return false;
    const struct scalar *right = scalar_strip(compare->args[1]);
    if (right->kind != SCALAR_VAR || right->var != conjunct->any_array.element_var) return false;
    struct scalar **values = ARENA_ARRAY(plan->planner->arena, struct scalar *, 1);
    values[0] = conjunct->args[1];
    *match = (struct key_match){.conjunct = conjunct,
        .values = values,
        .value_count = 1,
        .is_array = true,
        .array_element = element};
    return true;
}

// flag, NOT flag, and column IS NULL.
static bool match_bare(const struct access_plan *plan, struct scalar *conjunct,
    const struct scalar *key, struct key_match *match)
{
    struct arena *arena = plan->planner->arena;
    bool negated = conjunct->kind == SCALAR_NOT;
    const struct scalar *flag = negated ? conjunct->args[0] : conjunct;
    *match = (struct key_match){.conjunct = conjunct, .value_count = 1};
    match->values = ARENA_ARRAY(arena, struct scalar *, 1);
    if (conjunct->kind == SCALAR_IS && conjunct->test == IS_NULL && is_key(conjunct->args[0], key)) {
        match->is_null = true;
        match->values[0] = scalar_null(arena, key->type, POSITION_NONE);
        return true;
    }
    if (flag->kind != SCALAR_VAR || flag->type.oid != TYPE_BOOL || !is_key(flag, key)) return false;
    match->values[0] = scalar_bool(arena, !negated);
    return true;
}

// A conjunct that says key = value(s).
static bool match_equal(const struct access_plan *plan, const struct scalar *key, type_oid type,
    struct key_match *match)
{
    struct key_match list;
    bool has_list = false;
    for (uint32_t i = 0; i < plan->conjuncts.count; i++) {
        struct scalar *conjunct = plan->conjuncts.items[i];
        if (conjunct->kind == SCALAR_IN && !has_list)
            has_list = match_in(plan, conjunct, key, type, &list);
        if (conjunct->kind == SCALAR_ANY_ARRAY && !has_list)
            has_list = match_any(plan, conjunct, key, type, &list);
        if (match_bare(plan, conjunct, key, match)) return true;
        if (scalar_compare_of(conjunct) != COMPARE_EQ) continue;
        for (uint32_t side = 0; side < 2; side++) {
            if (!is_key(conjunct->args[side], key) ||
                !same_collation(conjunct->args[side], type, true) ||
                !usable_value(plan, conjunct->args[1 - side], type))
                continue;
            struct scalar **values = ARENA_ARRAY(plan->planner->arena, struct scalar *, 1);
            values[0] = strip_value(conjunct->args[1 - side]);
            *match = (struct key_match){.conjunct = conjunct, .values = values, .value_count = 1};
            return true;
        }
    }
    if (has_list) *match = list;
    return has_list;
}

// What a pattern of LIKE begins with, up to the first wildcard. *exact: there is none.
static struct bytes like_prefix(struct arena *arena, struct bytes pattern, bool *exact)
{
    struct buffer prefix;
    buffer_init(&prefix, arena);
    *exact = true;
    for (size_t i = 0; i < pattern.size; i++) {
        uint8_t byte = pattern.data[i];
        if (byte == '\\' && ++i < pattern.size) byte = pattern.data[i];
        else if (byte == '%' || byte == '_' || byte == '\\') {
            *exact = false;
            break;
        }
        buffer_append_u8(&prefix, byte);
    }
    return buffer_bytes(&prefix);
}

// A bound, and for the estimate the condition that it stands for.
static void add_implied(const struct access_plan *plan, struct candidate *c,
    const struct scalar *key, const char *operator, struct scalar_list *bounds, struct bytes bound)
{
    struct arena *arena = plan->planner->arena;
    struct scalar *value =
        scalar_const(arena, TYPE_OF(TYPE_TEXT), datum_bytes(bound), POSITION_NONE);
    struct scalar *column = ARENA_NEW(arena, struct scalar), *compare;
    *column = *key;
    scalar_list_add(arena, bounds, value);
    struct status st = bind_operator(
        plan->planner->binder, operator, column, value, POSITION_NONE, &compare);
    if (!failed(st)) scalar_list_add(arena, &c->implied, compare);
}

// key LIKE 'abc%': from 'abc' up to 'abd'. The condition itself is looked at for each row all the same.
static void match_like(const struct access_plan *plan, struct scalar *conjunct,
    const struct scalar *key, type_oid type, struct candidate *c)
{
    struct arena *arena = plan->planner->arena;
    bool exact;
    if (conjunct->kind != SCALAR_CALL || conjunct->function->kind != FUNCTION_OPERATOR ||
        strcmp(conjunct->function->name, "~~") != 0 || conjunct->arg_count != 2 ||
        (type != TYPE_TEXT && type != TYPE_VARCHAR) || !is_key(conjunct->args[0], key))
        return;
    const struct scalar *pattern = scalar_strip(conjunct->args[1]);
    if (pattern->kind != SCALAR_CONST || pattern->value.null || pattern->type.oid != TYPE_TEXT)
        return;
    struct bytes prefix = like_prefix(arena, datum_as_bytes(pattern->value), &exact);
    if (prefix.size == 0) return;
    struct bytes end = arena_copy(arena, prefix);
    while (end.size > 0 && end.data[end.size - 1] == 0xff) end.size--;
    if (end.size == 0) return;
    if (exact) end = prefix;
    else ((uint8_t *)(uintptr_t)end.data)[end.size - 1]++;
    c->lower_inclusive[c->lower.count] = true;
    add_implied(plan, c, key, ">=", &c->lower, prefix);
    c->upper_inclusive[c->upper.count] = exact;
    add_implied(plan, c, key, exact ? "<=" : "<", &c->upper, end);
}

static void match_range(const struct access_plan *plan, const struct scalar *key, type_oid type,
    struct candidate *c)
{
    struct arena *arena = plan->planner->arena;
    c->lower_inclusive = ARENA_ARRAY(arena, bool, plan->conjuncts.count);
    c->upper_inclusive = ARENA_ARRAY(arena, bool, plan->conjuncts.count);
    for (uint32_t i = 0; i < plan->conjuncts.count; i++) {
        struct scalar *conjunct = plan->conjuncts.items[i];
        if (conjunct->kind == SCALAR_IS && conjunct->test == IS_NOT_NULL &&
            is_key(conjunct->args[0], key)) {
            c->not_null = true;
            scalar_list_add(arena, &c->range_conjuncts, conjunct);
        }
        match_like(plan, conjunct, key, type, c);
        enum scalar_compare compare = scalar_compare_of(conjunct);
        if (compare == COMPARE_NONE || compare == COMPARE_EQ || compare == COMPARE_NE) continue;
        uint32_t side = is_key(conjunct->args[0], key) ? 0 : 1;
        if (!is_key(conjunct->args[side], key) ||
            !same_collation(conjunct->args[side], type, false) ||
            !usable_value(plan, conjunct->args[1 - side], type))
            continue;
        if (side == 1) compare = scalar_compare_swap(compare);
        struct scalar *value = strip_value(conjunct->args[1 - side]);
        scalar_list_add(arena, &c->range_conjuncts, conjunct);
        if (compare == COMPARE_GT || compare == COMPARE_GE) {
            c->lower_inclusive[c->lower.count] = compare == COMPARE_GE;
            scalar_list_add(arena, &c->lower, value);
        } else {
            c->upper_inclusive[c->upper.count] = compare == COMPARE_LE;
            scalar_list_add(arena, &c->upper, value);
        }
    }
}

// --- order -------------------------------------------------------------------------------------------

static int key_position(const struct access_plan *plan, const struct candidate *c, var_id var)
{
    for (uint32_t k = 0; k < c->usable; k++)
        if (plan->rel->scan.base + c->keys->keys[k].ordinal == var) return (int)k;
    return -1;
}

static bool is_single(const struct candidate *c, uint32_t key)
{
    return key < c->equal_count && c->equals[key].value_count == 1 && !c->equals[key].is_array;
}

// Whether the index's columns tell each row from all others: of NULLs there may be many.
static bool is_one_row(const struct access_plan *plan, const struct candidate *c)
{
    const struct table_desc *table = plan->rel->scan.table;
    if (!index_is_unique(c->index) || c->index->nulls_not_distinct) return index_is_unique(c->index);
    for (uint32_t k = 0; k < c->usable; k++) {
        uint32_t ordinal = c->keys->keys[k].ordinal;
        if (is_single(c, k) && !c->has_null) continue;
        if (ordinal >= table->column_count || !table->columns[ordinal].not_null) return false;
    }
    return true;
}

// Whether reading the index, forwards or backwards, gives the order wanted. *reverse says which.
static bool gives_order(const struct access_plan *plan, const struct candidate *c, bool *reverse)
{
    const struct want *want = plan->want;
    uint32_t key = 0;
    bool known = false;
    *reverse = false;
    if (want == NULL || want->count == 0) return false;
    for (uint32_t i = 0; i < want->count; i++) {
        const struct rel_order *order = &want->order[i];
        int position = key_position(plan, c, order->scalar->var);
        if (position >= 0 &&
            collation_type(plan->planner->binder->vars[order->scalar->var].type) !=
                c->keys->keys[position].type)
            return false;
        if (position >= 0 && is_single(c, (uint32_t)position)) continue;
        while (key < c->usable && is_single(c, key)) key++;
        if (key == c->usable) return is_one_row(plan, c); // Nothing is left to order.
        if (position < 0 || (uint32_t)position != key || key < c->equal_count) return false;
        const struct row_key_column *column = &c->keys->keys[key];
        bool descending = column->order == KEY_DESCENDING;
        bool backwards = order->descending != descending;
        if (known && backwards != *reverse) return false;
        bool nullable = column->ordinal >= plan->rel->scan.table->column_count ||
                        !plan->rel->scan.table->columns[column->ordinal].not_null;
        if (nullable && order->nulls_first != (row_key_nulls_first(column) != backwards)) return false;
        *reverse = backwards;
        known = true;
        key++;
    }
    return true;
}

// --- costs -------------------------------------------------------------------------------------------

static double sort_cost(double rows)
{
    return rows < 2 ? 0 : rows * log2(rows) * COST_SORT_ROW + rows;
}

static bool is_used(const struct candidate *c, const struct scalar *conjunct)
{
    for (uint32_t i = 0; i < c->equal_count; i++)
        if (c->equals[i].conjunct == conjunct) return true;
    for (uint32_t i = 0; i < c->range_conjuncts.count; i++)
        if (c->range_conjuncts.items[i] == conjunct) return true;
    return false;
}

// Whether an inverted index finds rows by the conjunct. It is looked at for each row all the same.
static bool is_looked_for(const struct candidate *c, const struct scalar *conjunct)
{
    for (uint32_t i = 0; i < c->inverted_count; i++)
        if (c->inverted[i].conjunct == conjunct) return true;
    return false;
}

// Entries of the parts, and each row that is left of them looked up.
static void estimate_inverted(const struct access_plan *plan, struct candidate *c)
{
    double rows = plan->table_rows, entries = 0;
    for (uint32_t i = 0; i < c->inverted_count; i++) {
        double share = plan_selectivity(c->inverted[i].conjunct, plan->rel);
        rows *= share;
        entries += share * plan->table_rows;
    }
    if (rows < 1) rows = 1;
    c->rows = rows;
    c->cost = COST_START * (1 + c->inverted_count) + entries * COST_ROW + rows * COST_LOOKUP;
    c->choice = c->cost;
    if (plan->want != NULL && plan->want->count > 0) c->choice += sort_cost(rows);
}

static void estimate_candidate(const struct access_plan *plan, struct candidate *c)
{
    double rows = plan->table_rows, residual = 1, spans = 1;
    for (uint32_t i = 0; i < c->equal_count; i++) {
        rows *= plan_selectivity(c->equals[i].conjunct, plan->rel);
        spans *= c->equals[i].is_array ? 10 : c->equals[i].value_count;
    }
    rows *= plan_selectivity_all(&c->range_conjuncts, plan->rel);
    rows *= plan_selectivity_all(&c->implied, plan->rel);
    bool unique = index_is_unique(c->index) && c->equal_count >= c->keys->column_count && !c->has_null;
    if (unique || rows < 1) rows = unique ? spans : 1;
    for (uint32_t i = 0; i < plan->conjuncts.count; i++)
        if (!is_used(c, plan->conjuncts.items[i]))
            residual *= plan_selectivity(plan->conjuncts.items[i], plan->rel);
    double result = rows * residual < 1 ? 1 : rows * residual;
    c->rows = rows;
    if (c->ordered && plan->want->limit > 0 && plan->want->limit < result) {
        rows *= plan->want->limit / result;
        if (rows < 1) rows = 1;
    }
    double each = COST_ROW + (c->covering ? 0 : COST_LOOKUP);
    // Where rows are only counted, an index's entries are less to read from disk than whole rows. In memory
    // the primary index is no slower, and faster than one whose entries were written in another order.
    if (var_set_empty(plan->columns) && plan->table_rows > ROWS_BEYOND_MEMORY &&
        c->index != &plan->rel->scan.table->indexes[0])
        each *= 0.7;
    c->cost = COST_START + rows * each + (spans - 1) * (c->point ? COST_ROW : COST_POINT);
    if (c->point && spans < 2 && c->covering) c->cost = COST_POINT;
    c->choice = c->cost;
    if (plan->want != NULL && plan->want->count > 0 && !c->ordered) c->choice += sort_cost(result);
    // At equal cost the primary index, which holds all; then the index with more bound.
    if (c->index != &plan->rel->scan.table->indexes[0]) c->choice += 0.5;
    c->choice -= 0.01 * c->equal_count;
}

static bool covers(const struct access_plan *plan, const struct candidate *c)
{
    for (uint32_t i = 0; i < plan->rel->scan.table->column_count; i++)
        if (var_set_has(plan->columns, plan->rel->scan.base + i) && !row_index_has(c->keys, i))
            return false;
    // Only the primary index's rows can be locked.
    return plan->rel->scan.lock == REL_LOCK_NONE || c->index->primary;
}

static struct status bind_keys(const struct access_plan *plan, struct candidate *c)
{
    struct status st = STATUS_OK;
    struct planner *planner = plan->planner;
    const struct table_desc *table = plan->rel->scan.table;
    var_id base = plan->rel->scan.base;
    c->key_scalars = ARENA_ARRAY(planner->arena, struct scalar *, c->keys->key_count);
    for (uint32_t k = 0; k < c->keys->key_count && !c->index->inverted; k++) {
        uint32_t ordinal = c->keys->keys[k].ordinal;
        if (ordinal < table->column_count)
            c->key_scalars[k] = bind_var(planner->binder, base + ordinal, POSITION_NONE);
        else
            TRY(bind_table_expression(planner->binder, table, base,
                c->index->columns[k].expression_sql, &c->key_scalars[k]));
    }
    if (c->index->predicate_sql != NULL) {
        struct scalar *predicate;
        TRY(bind_table_expression(
            planner->binder, table, base, c->index->predicate_sql, &predicate));
        scalar_list_add_conjuncts(planner->arena, &c->predicate, predicate);
    }

out:
    return st;
}

// A partial index serves a query whose conditions include its own, word for word.
static bool is_implied(const struct access_plan *plan, const struct candidate *c)
{
    for (uint32_t p = 0; p < c->predicate.count; p++) {
        bool found = false;
        for (uint32_t i = 0; i < plan->conjuncts.count && !found; i++)
            found = scalar_equal(plan->conjuncts.items[i], c->predicate.items[p]);
        if (!found) return false;
    }
    return true;
}

static void match_inverted(
    const struct access_plan *plan, struct candidate *c, uint32_t column, const struct scalar *key)
{
    const struct row_inverted_column *keys = &c->keys->inverted[column];
    for (uint32_t i = 0; i < plan->conjuncts.count; i++) {
        struct scalar *conjunct = plan->conjuncts.items[i];
        if (conjunct->kind != SCALAR_CALL || conjunct->arg_count != 2 ||
            conjunct->function->kind != FUNCTION_OPERATOR)
            continue;
        uint32_t side = is_key(conjunct->args[0], key) ? 0 : 1;
        const char *name = side == 0 ? conjunct->function->name : conjunct->function->commutator;
        struct scalar *value = conjunct->args[1 - side];
        if (name == NULL || !is_key(conjunct->args[side], key) || mentions(plan, value) ||
            scalar_is_volatile(value))
            continue;
        enum inverted_strategy strategy =
            inverted_strategy_of((enum inverted_class)keys->operator_class, name, keys->type,
                value->type.oid == TYPE_VARCHAR ? TYPE_TEXT : value->type.oid);
        if (strategy == INVERTED_NO_STRATEGY) continue;
        c->inverted[c->inverted_count++] = (struct inverted_match){
            .conjunct = conjunct, .value = value, .column = column, .strategy = strategy};
    }
}

static struct status inverted_candidate(const struct access_plan *plan, struct candidate *c)
{
    struct status st = STATUS_OK;
    struct planner *planner = plan->planner;
    const struct table_desc *table = plan->rel->scan.table;
    c->inverted = ARENA_ARRAY(planner->arena, struct inverted_match,
        (size_t)plan->conjuncts.count * c->keys->inverted_count);
    for (uint32_t i = 0; i < c->keys->inverted_count; i++) {
        uint32_t ordinal = c->keys->inverted[i].ordinal;
        struct scalar *key;
        if (ordinal < table->column_count)
            key = bind_var(planner->binder, plan->rel->scan.base + ordinal, POSITION_NONE);
        else
            TRY(bind_table_expression(planner->binder, table, plan->rel->scan.base,
                c->index->columns[i].expression_sql, &key));
        match_inverted(plan, c, i, key);
    }
    estimate_inverted(plan, c);

out:
    return st;
}

static struct status make_candidate(
    const struct access_plan *plan, const struct index_desc *index, struct candidate *c)
{
    struct status st = STATUS_OK;
    struct arena *arena = plan->planner->arena;
    const struct table_desc *table = plan->rel->scan.table;
    *c = (struct candidate){.index = index};
    c->keys = ARENA_NEW(arena, struct row_index);
    TRY(row_index_init(arena, plan->planner->tenant, table, index, c->keys));
    TRY(bind_keys(plan, c));
    if (index->inverted) return inverted_candidate(plan, c);
    c->usable = index_is_unique(index) && !index->primary ? c->keys->column_count : c->keys->key_count;
    c->equals = ARENA_ARRAY(arena, struct key_match, c->usable);
    while (c->equal_count < c->usable) {
        struct key_match *match = &c->equals[c->equal_count];
        if (!match_equal(plan, c->key_scalars[c->equal_count], c->keys->keys[c->equal_count].type,
                match))
            break;
        c->multi |= match->value_count > 1 || match->is_array;
        c->has_null |= match->is_null;
        c->equal_count++;
    }
    if (c->equal_count < c->usable)
        match_range(
            plan, c->key_scalars[c->equal_count], c->keys->keys[c->equal_count].type, c);
    c->covering = covers(plan, c);
    c->ordered = gives_order(plan, c, &c->reverse);
    c->point = index_is_unique(index) && c->equal_count == c->keys->column_count && !c->has_null &&
               !(c->multi && c->reverse);
    estimate_candidate(plan, c);

out:
    return st;
}

static struct status choose(const struct access_plan *plan, struct candidate *best)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->rel->scan.table;
    const char *hint = plan->rel->scan.index_hint;
    bool found = false;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        struct candidate c;
        if (index->state != ELEMENT_PUBLIC) continue;
        if (hint != NULL && strcmp(index->name, hint) != 0 &&
            !(i == 0 && strcmp(hint, "primary") == 0))
            continue;
        TRY(make_candidate(plan, index, &c));
        if (!is_implied(plan, &c)) continue;
        // An inverted index has not all rows: only those that a condition looks for.
        if (index->inverted && c.inverted_count == 0) continue;
        if (!found || (c.choice < best->choice) != SIM_MAYBE("plan.other_index")) *best = c;
        found = true;
    }
    if (!found)
        return hint != NULL
            ? status_format(plan->planner->arena, E_UNDEFINED_OBJECT,
                  "index \"%s\" not found", hint)
            : status_make(E_DATA_CORRUPTED, "table has no readable index");

out:
    return st;
}

// --- the node ----------------------------------------------------------------------------------------

static struct status compile_values(const struct access_plan *plan, struct scalar *const *values,
    uint32_t count, struct expr_program ***programs)
{
    struct status st = STATUS_OK;
    struct layout none = {0};
    *programs = ARENA_ARRAY(plan->planner->arena, struct expr_program *, count);
    for (uint32_t i = 0; i < count; i++)
        TRY(plan_program(plan->planner, &none, &values[i], 1, &(*programs)[i]));

out:
    return st;
}

static struct status compile_access(
    const struct access_plan *plan, const struct candidate *c, struct node_scan *scan)
{
    struct status st = STATUS_OK;
    struct arena *arena = plan->planner->arena;
    struct access *access = &scan->access;
    access->equals = ARENA_ARRAY(arena, struct key_value, c->equal_count);
    access->equal_count = c->equal_count;
    for (uint32_t i = 0; i < c->equal_count; i++) {
        struct key_value *value = &access->equals[i];
        value->program_count = c->equals[i].value_count;
        value->is_array = c->equals[i].is_array;
        value->array_element = c->equals[i].array_element;
        value->is_null = c->equals[i].is_null;
        TRY(compile_values(plan, c->equals[i].values, value->program_count, &value->programs));
        scalar_list_add(arena, &scan->access_conjuncts, c->equals[i].conjunct);
    }
    TRY(compile_values(plan, c->lower.items, c->lower.count, &access->lower));
    TRY(compile_values(plan, c->upper.items, c->upper.count, &access->upper));
    access->lower_count = c->lower.count;
    access->upper_count = c->upper.count;
    access->lower_inclusive = c->lower_inclusive;
    access->upper_inclusive = c->upper_inclusive;
    access->not_null = c->not_null;
    access->point = c->point;
    access->multi = c->multi;
    scalar_list_add_list(arena, &scan->access_conjuncts, &c->range_conjuncts);

out:
    return st;
}

static struct status make_lookup(
    const struct access_plan *plan, const struct candidate *c, struct node_scan *scan)
{
    struct status st = STATUS_OK;
    struct arena *arena = plan->planner->arena;
    const struct table_desc *table = plan->rel->scan.table;
    scan->primary = ARENA_NEW(arena, struct row_index);
    TRY(row_index_init(
        arena, plan->planner->tenant, table, &table->indexes[0], scan->primary));
    scan->lookup_count = scan->primary->key_count;
    scan->lookup_slots = ARENA_ARRAY(arena, uint32_t, scan->lookup_count);
    for (uint32_t k = 0; k < scan->lookup_count; k++)
        scan->lookup_slots[k] = scan->primary->keys[k].ordinal;
    TRY(row_decoder_init(
        arena, c->keys, scan->lookup_slots, scan->lookup_count, &scan->lookup));

out:
    return st;
}

static struct status compile_inverted(
    const struct access_plan *plan, const struct candidate *c, struct node_scan *scan)
{
    struct status st = STATUS_OK;
    struct arena *arena = plan->planner->arena;
    struct layout none = {0};
    scan->inverted = ARENA_ARRAY(arena, struct inverted_condition, c->inverted_count);
    scan->inverted_count = c->inverted_count;
    for (uint32_t i = 0; i < c->inverted_count; i++) {
        struct inverted_match *match = &c->inverted[i];
        scan->inverted[i] = (struct inverted_condition){
            .column = match->column, .strategy = match->strategy};
        TRY(plan_program(plan->planner, &none, &match->value, 1, &scan->inverted[i].program));
        scalar_list_add(arena, &scan->access_conjuncts, match->conjunct);
    }

out:
    return st;
}

static struct status make_scan(
    const struct access_plan *plan, const struct candidate *c, struct node **out)
{
    struct status st = STATUS_OK;
    struct planner *planner = plan->planner;
    struct rel *rel = plan->rel;
    struct node *node = plan_new_node(planner, NODE_SCAN);
    struct node_scan *scan = &node->scan;
    const struct table_desc *table = rel->scan.table;
    scan->table = table;
    scan->alias = rel->scan.alias;
    scan->index = c->keys;
    scan->reverse = c->ordered && c->reverse;
    scan->lock = rel->scan.lock;
    scan->wait = rel->scan.wait;
    scan->no_validate = rel->scan.no_validate;
    if (!c->covering) TRY(make_lookup(plan, c, scan));
    const struct row_index *source = c->covering ? c->keys : scan->primary;
    uint32_t count = 0;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, table->column_count);
    uint32_t *ordinals = ARENA_ARRAY(planner->arena, uint32_t, table->column_count);
    struct var_set wanted = var_set_new(planner->arena, planner->binder->var_count);
    // A row that is locked is the newest version, which need not be where the index said.
    const bool rechecks = scan->lock != REL_LOCK_NONE && !c->covering;
    for (uint32_t i = 0; i < plan->conjuncts.count; i++)
        if (rechecks || !is_used(c, plan->conjuncts.items[i]))
            scalar_collect_vars(plan->conjuncts.items[i], &wanted);
    for (uint32_t i = 0; i < table->column_count; i++) {
        bool out_of_here = rel->scan.all_columns || var_set_has(plan->needed, rel->scan.base + i);
        if ((!out_of_here && !var_set_has(&wanted, rel->scan.base + i)) ||
            !row_index_has(source, i))
            continue;
        vars[count] = rel->scan.base + i;
        ordinals[count++] = i;
    }
    plan_layout_vars(planner, node, vars, count);
    TRY(row_decoder_init(planner->arena, source, ordinals, count, &scan->decoder));
    if (c->inverted_count > 0) TRY(compile_inverted(plan, c, scan));
    else TRY(compile_access(plan, c, scan));
    struct scalar_list *residual = ARENA_NEW(planner->arena, struct scalar_list);
    for (uint32_t i = 0; i < plan->conjuncts.count; i++)
        if (!is_used(c, plan->conjuncts.items[i]))
            scalar_list_add(planner->arena, residual, plan->conjuncts.items[i]);
    struct scalar_list other = {0};
    for (uint32_t i = 0; i < residual->count; i++)
        if (!is_looked_for(c, residual->items[i])) scalar_list_add(planner->arena, &other, residual->items[i]);
    node->rows = c->rows * plan_selectivity_all(c->inverted_count > 0 ? &other : residual, rel);
    if (node->rows < 1) node->rows = 1;
    if (residual->count > 0) scan->conjuncts = residual;
    const struct scalar_list *filter = rechecks ? &plan->conjuncts : residual;
    if (filter->count > 0)
        TRY(expr_compile_filter(planner->arena, &planner->frame->outer, &node->layout, filter,
            &scan->filter));
    // An UPDATE that looks for its rows in all of the table would lock all of it: it locks what it writes. Where what it
    // reads is not validated (READ COMMITTED), that is before it looks at the row's newest version.
    if (rel->scan.all_columns && residual->count > 0 && c->equal_count == 0 &&
        c->range_conjuncts.count == 0 && c->inverted_count == 0) {
        scan->selected_lock = scan->lock;
        scan->lock = REL_LOCK_NONE;
    }
    if (plan->want != NULL && plan->want->limit > 0 && (plan->want->count == 0 || c->ordered))
        scan->limit_hint = residual->count == 0 ? (uint64_t)plan->want->limit
                                                : (uint64_t)plan->want->limit * 8;
    node->cost = c->cost;
    *out = node;

out:
    return st;
}

static void access_begin(
    struct access_plan *plan, const struct scalar_list *more, const struct var_set *needed)
{
    struct arena *arena = plan->planner->arena;
    const struct rel *rel = plan->rel;
    const struct table_desc *table = rel->scan.table;
    struct var_set *columns = ARENA_NEW(arena, struct var_set);
    *columns = var_set_new(arena, plan->planner->binder->var_count);
    scalar_list_add_list(arena, &plan->conjuncts, &rel->scan.conjuncts);
    if (more != NULL) scalar_list_add_list(arena, &plan->conjuncts, more);
    for (uint32_t i = 0; i < table->column_count; i++)
        if (rel->scan.all_columns || var_set_has(needed, rel->scan.base + i))
            var_set_add(columns, rel->scan.base + i);
    plan->table_rows = table->row_estimate > 0 ? (double)table->row_estimate : ROWS_UNKNOWN;
    plan->columns = columns;
    plan->needed = needed;
    // Conditions need their columns too; which of them an index absorbs is known only per index, so an
    // index that lacks only those still counts as not covering.
    for (uint32_t i = 0; i < plan->conjuncts.count; i++) {
        struct var_set used = var_set_new(arena, plan->planner->binder->var_count);
        scalar_collect_vars(plan->conjuncts.items[i], &used);
        for (uint32_t c = 0; c < table->column_count; c++)
            if (var_set_has(&used, rel->scan.base + c)) var_set_add(columns, rel->scan.base + c);
    }
}

struct status plan_scan_cost(struct planner *planner, struct rel *rel,
    const struct scalar_list *more, const struct var_set *needed, double *cost, double *rows)
{
    struct status st;
    struct access_plan plan = {.planner = planner, .rel = rel};
    struct candidate best;
    if (!deep_goes_on(1 + rel->scan.table->column_count / 8)) return task_check(task_current());
    access_begin(&plan, more, needed);
    TRY(choose(&plan, &best));
    struct scalar_list residual = {0};
    for (uint32_t i = 0; i < plan.conjuncts.count; i++)
        if (!is_used(&best, plan.conjuncts.items[i]) && !is_looked_for(&best, plan.conjuncts.items[i]))
            scalar_list_add(planner->arena, &residual, plan.conjuncts.items[i]);
    *cost = best.cost;
    *rows = best.rows * plan_selectivity_all(&residual, rel);
out:
    return st;
}

struct status plan_scan(struct planner *planner, struct rel *rel, const struct scalar_list *more,
    const struct var_set *needed, const struct want *want, struct node **node, bool *ordered)
{
    struct status st = STATUS_OK;
    struct access_plan plan = {.planner = planner, .rel = rel, .want = want};
    struct candidate best;
    if (!deep_goes_on(1 + rel->scan.table->column_count / 8)) return task_check(task_current());
    access_begin(&plan, more, needed);
    TRY(choose(&plan, &best));
    bool full = best.equal_count == 0 && best.range_conjuncts.count == 0 &&
                best.implied.count == 0 && best.inverted_count == 0;
    if (full && rel->scan.no_full_scan)
        return status_format(planner->arena, E_FEATURE_NOT_SUPPORTED,
            "could not produce a query plan conforming to the NO_FULL_SCAN hint");
    TRY(make_scan(&plan, &best, node));
    if (ordered != NULL) *ordered = best.ordered;

out:
    return st;
}
