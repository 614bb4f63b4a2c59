// SPDX-License-Identifier: GPL-3.0-or-later
//
// Joins: inner ones taken apart and put in order (sql/plan/plan_order.c), and the method of each: hash, lookup
// into an index of the right side, or a loop.
#include <math.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"

#define JOIN_ITEMS_MAX 32u

struct join_step { // What one join combines.
    struct planner *planner;
    enum rel_join kind;
    struct node *left;
    struct rel *right;
    struct scalar_list on;
    bool lateral;
    const struct var_set *needed; // Above this join.
    bool keep_order;
    double rows; // What comes out, where it is known; else 0.
    // Where the left side is one input, it can be planned again in another order.
    struct rel *left_rel;
    const struct var_set *left_needed;
};

static struct var_set new_set(struct planner *planner)
{
    return var_set_new(planner->arena, planner->binder->var_count);
}

static struct var_set given_by(struct planner *planner, const struct rel *rel)
{
    struct var_set set = new_set(planner);
    rel_output_vars(rel, &set);
    return set;
}

static struct var_set used_by(struct planner *planner, const struct scalar *scalar)
{
    struct var_set set = new_set(planner);
    scalar_collect_vars(scalar, &set);
    return set;
}

static struct var_set layout_set(struct planner *planner, const struct layout *layout)
{
    struct var_set set = new_set(planner);
    for (uint32_t i = 0; i < layout->count; i++) var_set_add(&set, layout->vars[i]);
    return set;
}

// --- equalities --------------------------------------------------------------------------------------

struct join_keys {
    struct scalar **left, **right;
    struct scalar **conjuncts;
    type_oid *types;
    uint32_t count;
    struct scalar_list rest; // Conditions that are not such equalities.
};

static type_oid hash_type(const struct scalar *a, const struct scalar *b)
{
    type_oid x = collation_type(a->type), y = collation_type(b->type);
    if (x == y) return type_is_ordered(x) ? x : 0;
    bool ints = (x == TYPE_INT2 || x == TYPE_INT4 || x == TYPE_INT8) &&
                (y == TYPE_INT2 || y == TYPE_INT4 || y == TYPE_INT8);
    return ints ? TYPE_INT8 : 0;
}

static void find_keys(const struct join_step *step, const struct var_set *left,
    const struct var_set *right, struct join_keys *keys)
{
    struct arena *arena = step->planner->arena;
    *keys = (struct join_keys){0};
    keys->left = ARENA_ARRAY(arena, struct scalar *, step->on.count);
    keys->right = ARENA_ARRAY(arena, struct scalar *, step->on.count);
    keys->conjuncts = ARENA_ARRAY(arena, struct scalar *, step->on.count);
    keys->types = ARENA_ARRAY(arena, type_oid, step->on.count);
    for (uint32_t i = 0; i < step->on.count; i++) {
        struct scalar *conjunct = step->on.items[i];
        bool taken = false;
        for (uint32_t side = 0; side < 2 && !taken; side++) {
            if (scalar_compare_of(conjunct) != COMPARE_EQ) break;
            struct scalar *a = conjunct->args[side], *b = conjunct->args[1 - side];
            struct var_set in_a = used_by(step->planner, a), in_b = used_by(step->planner, b);
            type_oid type = hash_type(a, b);
            if (type == 0 || !var_set_overlaps(&in_a, left) || var_set_overlaps(&in_a, right) ||
                !var_set_overlaps(&in_b, right) || var_set_overlaps(&in_b, left))
                continue;
            keys->left[keys->count] = a;
            keys->right[keys->count] = b;
            keys->conjuncts[keys->count] = conjunct;
            keys->types[keys->count++] = type;
            taken = true;
        }
        if (!taken) scalar_list_add(arena, &keys->rest, conjunct);
    }
}

// --- nodes -------------------------------------------------------------------------------------------

static struct status finish_join(const struct join_step *step, struct node *node,
    const struct scalar_list *filter)
{
    struct status st = STATUS_OK;
    struct planner *planner = step->planner;
    const struct layout *left = &node->left->layout, *right = &node->right->layout;
    struct node_join *join = &node->join;
    var_id *wide = ARENA_ARRAY(planner->arena, var_id, left->count + right->count);
    for (uint32_t i = 0; i < left->count; i++) wide[i] = left->vars[i];
    for (uint32_t i = 0; i < right->count; i++) wide[left->count + i] = right->vars[i];
    join->wide = (struct layout){wide, left->count + right->count};
    join->kind = step->kind;
    join->keeps_order = step->keep_order;
    join->right_types = node->right->types;
    join->left_types = node->left->types;
    bool pairs = step->kind != REL_SEMI && step->kind != REL_ANTI;
    uint32_t count = 0;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, join->wide.count);
    join->outputs = ARENA_ARRAY(planner->arena, uint32_t, join->wide.count);
    for (uint32_t i = 0; i < join->wide.count; i++) {
        if ((!pairs && i >= left->count) || !var_set_has(step->needed, wide[i])) continue;
        join->outputs[count] = i;
        vars[count++] = wide[i];
    }
    plan_layout_vars(planner, node, vars, count);
    if (filter->count > 0) {
        TRY(expr_compile_filter(
            planner->arena, &planner->frame->outer, &join->wide, filter, &join->filter));
        struct scalar_list *shown = ARENA_NEW(planner->arena, struct scalar_list);
        *shown = *filter;
        join->on = shown;
    }
    plan_node_depth(node);

out:
    return st;
}

static struct status need_right(const struct join_step *step, struct var_set *needed)
{
    var_set_add_all(needed, step->needed);
    for (uint32_t i = 0; i < step->on.count; i++) scalar_collect_vars(step->on.items[i], needed);
    return STATUS_OK;
}

static double result_rows(const struct join_step *step, double right_rows, bool has_keys)
{
    double left = step->left->rows, rows;
    if (step->rows > 0) return step->rows;
    double larger = left > right_rows ? left : right_rows;
    rows = has_keys ? left * right_rows / (larger < 1 ? 1 : larger)
                    : left * right_rows * (step->on.count > 0 ? 0.33 : 1);
    if (step->kind == REL_SEMI || step->kind == REL_ANTI) rows = left * 0.5;
    if ((step->kind == REL_LEFT || step->kind == REL_FULL) && rows < left) rows = left;
    return rows < 1 ? 1 : rows;
}

// The right side runs anew for each left row, with the conditions that it can use in its access path.
static struct status make_loop(const struct join_step *step, bool parameterised, struct node **out)
{
    struct status st = STATUS_OK;
    struct planner *planner = step->planner;
    struct node *node = plan_new_node(planner, NODE_LOOP_JOIN);
    struct var_set needed = new_set(planner);
    struct scalar_list none = {0};
    TRY(need_right(step, &needed));
    struct outer_frame *frame = plan_frame_push(planner);
    if (parameterised)
        TRY(plan_scan(planner, step->right, &step->on, &needed, NULL, &node->right, NULL));
    else
        TRY(plan_node(planner, step->right, &needed, NULL, &node->right, NULL));
    plan_node_depth(node->right);
    plan_frame_pop(planner, frame);
    node->left = step->left;
    bool depends = frame->count > 0;
    if (depends) {
        struct scalar **scalars = ARENA_ARRAY(planner->arena, struct scalar *, frame->count);
        for (uint32_t i = 0; i < frame->count; i++) scalars[i] = frame->bindings[i].scalar;
        node->join.bindings = frame->bindings;
        node->join.binding_count = frame->count;
        TRY(plan_program(
            planner, &step->left->layout, scalars, frame->count, &node->join.binding_values));
    } else if (node->right->kind != NODE_CTE && node->right->kind != NODE_VALUES) {
        node->right = plan_materialize(planner, node->right);
    }
    const struct node *right = node->right;
    node->join.single = right->kind == NODE_SCAN && right->scan.access.point &&
                        !right->scan.access.multi;
    TRY(finish_join(step, node, parameterised ? &none : &step->on));
    double once = depends ? right->cost : right->rows * COST_FILTER;
    node->cost = step->left->cost + (depends ? 0 : right->cost) + step->left->rows * (once + 0.1);
    node->rows = parameterised ? step->left->rows * right->rows
                               : result_rows(step, right->rows, step->on.count > 0);
    if (step->kind == REL_SEMI || step->kind == REL_ANTI) node->rows = step->left->rows * 0.5;
    if (step->rows > 0) node->rows = step->rows;
    if (node->rows < 1) node->rows = 1;
    *out = node;

out:
    return st;
}

static struct status make_hash(const struct join_step *step, const struct join_keys *keys,
    struct node *right, struct node **out)
{
    struct status st = STATUS_OK;
    struct planner *planner = step->planner;
    struct node *node = plan_new_node(planner, NODE_HASH_JOIN);
    struct scalar **left_keys = keys->left, **right_keys = keys->right;
    node->left = step->left;
    node->right = right;
    // The smaller side goes into the table.
    if (step->kind == REL_INNER && !step->keep_order &&
        (right->rows > 2 * step->left->rows) != SIM_MAYBE("plan.other_side")) {
        node->left = right;
        node->right = step->left;
        left_keys = keys->right;
        right_keys = keys->left;
    }
    node->join.key_types = keys->types;
    node->join.key_count = keys->count;
    TRY(plan_program(
        planner, &node->left->layout, left_keys, keys->count, &node->join.left_keys));
    TRY(plan_program(
        planner, &node->right->layout, right_keys, keys->count, &node->join.right_keys));
    struct scalar_list *equal = ARENA_NEW(planner->arena, struct scalar_list);
    for (uint32_t i = 0; i < keys->count; i++)
        scalar_list_add(planner->arena, equal, keys->conjuncts[i]);
    node->join.merge = equal;
    TRY(finish_join(step, node, &keys->rest));
    node->rows = result_rows(step, right->rows, true);
    node->cost = step->left->cost + right->cost + node->right->rows * COST_HASH_BUILD +
                 node->left->rows * COST_HASH_PROBE + node->rows * COST_FILTER;
    *out = node;

out:
    return st;
}

// Whether some index of the table that is scanned begins with the column.
static bool index_begins_with(const struct rel *scan, var_id var)
{
    if (scan->kind != REL_SCAN) return false;
    const struct table_desc *table = scan->scan.table;
    uint32_t ordinal = var - scan->scan.base;
    for (uint32_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].state == ELEMENT_PUBLIC && table->indexes[i].column_count > 0 &&
            ordinal < table->column_count &&
            table->indexes[i].columns[0].expression_sql == NULL &&
            table->indexes[i].columns[0].column_id == table->columns[ordinal].id)
            return true;
    return false;
}

// A side of a merge join, read in the order of its key. *node NULL when nothing gives that order.
static struct status in_order(const struct join_step *step, struct rel *rel, struct scalar *key,
    const struct var_set *needed, struct node **node)
{
    struct status st;
    bool ordered = false;
    const struct rel_order order = {.scalar = key};
    const struct want want = {&order, 1, 0};
    TRY(plan_node(step->planner, rel, needed, &want, node, &ordered));
    if (!ordered) *node = NULL;

out:
    return st;
}

static bool can_merge(
    const struct join_step *step, const struct join_keys *keys, uint32_t k)
{
    const struct scalar *left = keys->left[k], *right = keys->right[k];
    return left->kind == SCALAR_VAR && right->kind == SCALAR_VAR &&
           index_begins_with(step->left_rel, left->var) &&
           index_begins_with(step->right, right->var);
}

// Both sides in the order of an equality's columns, when indexes give that for less than a hash table costs.
static struct status make_merge(const struct join_step *step, const struct join_keys *keys,
    uint32_t k, const struct var_set *needed, struct node **best)
{
    struct status st = STATUS_OK;
    struct planner *planner = step->planner;
    struct node *left, *right;
    TRY(in_order(step, step->left_rel, keys->left[k], step->left_needed, &left));
    if (left == NULL) return st;
    TRY(in_order(step, step->right, keys->right[k], needed, &right));
    if (right == NULL) return st;
    const double rows = result_rows(step, right->rows, true);
    const double cost = left->cost + right->cost + (left->rows + right->rows) * COST_MERGE +
                        rows * COST_FILTER;
    if (cost >= (*best)->cost && !SIM_MAYBE("plan.merge_join")) return st;
    struct node *node = plan_new_node(planner, NODE_MERGE_JOIN);
    struct scalar_list *merge = ARENA_NEW(planner->arena, struct scalar_list), rest = {0};
    scalar_list_add(planner->arena, merge, keys->conjuncts[k]);
    scalar_list_add_list(planner->arena, &rest, &keys->rest);
    for (uint32_t i = 0; i < keys->count; i++)
        if (i != k) scalar_list_add(planner->arena, &rest, keys->conjuncts[i]);
    node->left = left;
    node->right = right;
    node->join.merge = merge;
    node->join.key_types = &keys->types[k];
    node->join.key_count = 1;
    TRY(plan_program(planner, &left->layout, &keys->left[k], 1, &node->join.left_keys));
    TRY(plan_program(planner, &right->layout, &keys->right[k], 1, &node->join.right_keys));
    TRY(finish_join(step, node, &rest));
    node->rows = rows;
    node->cost = cost;
    *best = node;

out:
    return st;
}

static bool can_look_up(const struct join_step *step, const struct join_keys *keys)
{
    if (step->kind == REL_FULL) return false;
    for (uint32_t k = 0; k < keys->count; k++) {
        const struct scalar *column = scalar_strip(keys->right[k]);
        if (column->kind == SCALAR_VAR && index_begins_with(step->right, column->var)) return true;
    }
    return false;
}

// One join of a planned left side and a right side still to be planned.
static struct status join_one(const struct join_step *step, struct node **out)
{
    struct status st = STATUS_OK;
    struct planner *planner = step->planner;
    struct var_set left = layout_set(planner, &step->left->layout);
    struct var_set right = given_by(planner, step->right);
    struct join_keys keys;
    struct node *loop = NULL;
    if (step->lateral) return make_loop(step, false, out);
    find_keys(step, &left, &right, &keys);
    if (keys.count == 0) {
        if (step->kind == REL_FULL)
            return status_make(E_FEATURE_NOT_SUPPORTED,
                "FULL JOIN is only supported with merge-joinable or hash-joinable join conditions");
        return make_loop(step, false, out);
    }
    if (can_look_up(step, &keys)) TRY(make_loop(step, true, &loop));
    struct var_set needed = new_set(planner);
    struct node *inner;
    TRY(need_right(step, &needed));
    TRY(plan_node(planner, step->right, &needed, NULL, &inner, NULL));
    TRY(make_hash(step, &keys, inner, out));
    if (loop != NULL && (loop->cost < (*out)->cost) != SIM_MAYBE("plan.other_join")) {
        loop->rows = (*out)->rows < loop->rows ? (*out)->rows : loop->rows;
        *out = loop;
    }
    if (step->left_rel == NULL || step->keep_order || step->kind == REL_FULL) return st;
    for (uint32_t k = 0; k < keys.count; k++)
        if (can_merge(step, &keys, k)) TRY(make_merge(step, &keys, k, &needed, out));

out:
    return st;
}

// --- order -------------------------------------------------------------------------------------------

struct cluster { // Inner joins without LATERAL, taken apart.
    struct rel *items[JOIN_ITEMS_MAX];
    uint32_t count;
    struct scalar_list on;
};

static bool can_take_apart(const struct rel *rel)
{
    return rel->kind == REL_JOIN && rel->join.kind == REL_INNER && !rel->join.lateral;
}

static void take_apart(struct planner *planner, struct rel *rel, struct cluster *cluster)
{
    if (!can_take_apart(rel) || cluster->count + 2 > JOIN_ITEMS_MAX) {
        cluster->items[cluster->count++] = rel;
        return;
    }
    take_apart(planner, rel->left, cluster);
    take_apart(planner, rel->right, cluster);
    scalar_list_add_list(planner->arena, &cluster->on, &rel->join.on);
}

static uint32_t count_items(const struct rel *rel)
{
    if (!can_take_apart(rel)) return 1;
    return count_items(rel->left) + count_items(rel->right);
}

static bool connected(struct planner *planner, const struct cluster *cluster,
    const struct var_set *have, const struct var_set *item)
{
    for (uint32_t i = 0; i < cluster->on.count; i++) {
        struct var_set used = used_by(planner, cluster->on.items[i]);
        if (var_set_overlaps(&used, have) && var_set_overlaps(&used, item)) return true;
    }
    return false;
}

// Whether an order is one of this input's columns alone: only then can reading it give the order.
static bool order_is_of(struct planner *planner, const struct rel *rel, const struct want *want)
{
    if (want == NULL) return false;
    struct var_set given = given_by(planner, rel);
    for (uint32_t i = 0; i < want->count; i++)
        if (!var_set_has(&given, want->order[i].scalar->var)) return false;
    return want->count > 0;
}

// Which item comes first: the one with fewest rows, or the one whose order is wanted.
static uint32_t first_item(struct planner *planner, const struct cluster *cluster,
    const struct want *want)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < cluster->count; i++)
        if (plan_estimate_rows(cluster->items[i]) < plan_estimate_rows(cluster->items[best]))
            best = i;
    if (want == NULL || want->count == 0 || want->limit <= 0) return best;
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct var_set given = given_by(planner, cluster->items[i]);
        if (var_set_has(&given, want->order[0].scalar->var) &&
            plan_estimate_rows(cluster->items[i]) <= plan_estimate_rows(cluster->items[best]) * 10)
            return i;
    }
    return best;
}

static uint32_t next_connected(struct planner *planner, const struct cluster *cluster, const bool *done,
    const struct var_set *have)
{
    uint32_t best = UINT32_MAX;
    bool best_connected = false;
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (done[i]) continue;
        struct var_set given = given_by(planner, cluster->items[i]);
        bool linked = connected(planner, cluster, have, &given);
        if (best == UINT32_MAX || (linked && !best_connected) ||
            (linked == best_connected &&
                plan_estimate_rows(cluster->items[i]) < plan_estimate_rows(cluster->items[best]))) {
            best = i;
            best_connected = linked;
        }
    }
    return best;
}

// Conditions that become decidable with `have`; the others stay in the cluster.
static void take_decidable(struct planner *planner, struct cluster *cluster,
    const struct var_set *have, const struct var_set *all, struct scalar_list *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cluster->on.count; i++) {
        struct var_set used = used_by(planner, cluster->on.items[i]);
        // Variables of outer queries are decidable always.
        for (uint32_t w = 0; w < used.word_count; w++) used.words[w] &= all->words[w];
        if (var_set_contains(have, &used)) scalar_list_add(planner->arena, out, cluster->on.items[i]);
        else cluster->on.items[kept++] = cluster->on.items[i];
    }
    cluster->on.count = kept;
}

static struct status plan_cluster(struct planner *planner, struct cluster *cluster,
    const struct var_set *needed, const struct want *want, struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    bool done[JOIN_ITEMS_MAX] = {false};
    struct var_set have = new_set(planner), all = new_set(planner);
    bool keep_order = false;
    struct want order = {0};
    for (uint32_t i = 0; i < cluster->count; i++) rel_output_vars(cluster->items[i], &all);
    uint32_t order_of[JOIN_ITEMS_MAX];
    double rows[JOIN_ITEMS_MAX];
    // A few rows in an order: the input that has it goes first, the others as they are connected.
    bool few = want != NULL && want->count > 0 && want->limit > 0;
    uint32_t first = few ? first_item(planner, cluster, want) : 0;
    few &= order_is_of(planner, cluster->items[first], want) &&
           index_begins_with(cluster->items[first], want->order[0].scalar->var);
    bool closed = plan_equalities_close(planner, cluster->items, cluster->count, &cluster->on);
    struct var_set above = new_set(planner);
    var_set_add_all(&above, needed);
    for (uint32_t i = 0; i < cluster->on.count; i++)
        scalar_collect_vars(cluster->on.items[i], &above);
    if (!few)
        TRY(plan_join_order(planner, cluster->items, cluster->count, &cluster->on, &above, order_of, rows));
    if (!few) first = order_of[0];
    if (order_is_of(planner, cluster->items[first], want))
        order = (struct want){want->order, want->count, want->limit};
    struct node *left;
    TRY(plan_node(planner, cluster->items[first], &above, &order, &left, &keep_order));
    rel_output_vars(cluster->items[first], &have);
    done[first] = true;
    for (uint32_t n = 1; n < cluster->count; n++) {
        uint32_t next = few ? next_connected(planner, cluster, done, &have) : order_of[n];
        struct join_step step = {.planner = planner,
            .kind = REL_INNER,
            .left = left,
            .right = cluster->items[next],
            .keep_order = keep_order,
            .rows = few ? 0 : rows[n],
            .left_rel = n == 1 ? cluster->items[first] : NULL,
            .left_needed = &above};
        rel_output_vars(cluster->items[next], &have);
        done[next] = true;
        take_decidable(planner, cluster, &have, &all, &step.on);
        if (closed)
            plan_equalities_thin(planner, cluster->items, cluster->count, next, &step.on);
        struct var_set later = new_set(planner);
        var_set_add_all(&later, needed);
        for (uint32_t i = 0; i < cluster->on.count; i++)
            scalar_collect_vars(cluster->on.items[i], &later);
        step.needed = &later;
        TRY(join_one(&step, &left));
    }
    *out = left;
    if (ordered != NULL) *ordered = keep_order;

out:
    return st;
}

// t WHERE k IN (few rows): rather than reading all of t, look k up for each distinct value. NULL when the
// conditions are no such equalities, or the right side is not small.
static struct rel *semijoin_by_lookup(struct planner *planner, struct rel *rel)
{
    struct arena *arena = planner->arena;
    const struct scalar_list *on = &rel->join.on;
    if (rel->join.kind != REL_SEMI || rel->join.lateral || rel->left->kind != REL_SCAN ||
        on->count == 0 ||
        plan_estimate_rows(rel->right) * 2 * COST_POINT > plan_estimate_rows(rel->left))
        return NULL;
    struct var_set left = given_by(planner, rel->left), right = given_by(planner, rel->right);
    struct join_step step = {.planner = planner, .kind = REL_INNER, .right = rel->left, .on = *on};
    struct join_keys keys;
    find_keys(&step, &right, &left, &keys);
    if (keys.count != on->count || !can_look_up(&step, &keys)) return NULL;
    struct rel *distinct = rel_new(arena, REL_DISTINCT);
    distinct->left = rel->right;
    distinct->distinct.keys = ARENA_ARRAY(arena, var_id, keys.count);
    for (uint32_t i = 0; i < keys.count; i++) {
        if (keys.left[i]->kind != SCALAR_VAR) return NULL;
        distinct->distinct.keys[distinct->distinct.key_count++] = keys.left[i]->var;
    }
    struct rel *join = rel_join(arena, REL_INNER, distinct, rel->left);
    join->join.on = *on;
    return join;
}

struct status plan_join(struct planner *planner, struct rel *rel, const struct var_set *needed,
    const struct want *want, struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    struct rel *looked_up = semijoin_by_lookup(planner, rel);
    if (looked_up != NULL) rel = looked_up;
    if (can_take_apart(rel) && count_items(rel) <= JOIN_ITEMS_MAX) {
        struct cluster *cluster = ARENA_NEW(planner->arena, struct cluster);
        take_apart(planner, rel, cluster);
        return plan_cluster(planner, cluster, needed, want, out, ordered);
    }
    struct join_step step = {.planner = planner,
        .kind = rel->join.kind,
        .right = rel->right,
        .on = rel->join.on,
        .lateral = rel->join.lateral,
        .needed = needed,
        .left_rel = rel->join.lateral ? NULL : rel->left,
        .rows = plan_estimate_rows(rel)};
    // The left side must give what the conditions and a lateral right side mention.
    struct var_set below = new_set(planner);
    bool keep_order = false;
    struct want order = {0};
    if (order_is_of(planner, rel->left, want))
        order = (struct want){want->order, want->count, 0};
    bool preserves = rel->join.kind == REL_INNER || rel->join.kind == REL_SEMI ||
                     rel->join.kind == REL_ANTI;
    TRY(need_right(&step, &below));
    if (rel->join.lateral) rel_collect_vars(rel->right, &below);
    TRY(plan_node(planner, rel->left, &below, preserves ? &order : NULL, &step.left, &keep_order));
    step.keep_order = keep_order && preserves;
    step.left_needed = &below;
    TRY(join_one(&step, out));
    if (ordered != NULL) *ordered = step.keep_order;

out:
    return st;
}
