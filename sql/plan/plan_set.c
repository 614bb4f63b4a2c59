// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodes of set operations and of WITH, recursive or not.
#include "core/invariant.h"
#include "sql/plan/plan_internal.h"

struct status plan_set(struct planner *planner, struct rel *rel,
    const struct var_set *needed, enum node_kind kind, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, kind);
    uint32_t count = rel->set.input_count;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, rel->set.var_count);
    uint32_t *kept = ARENA_ARRAY(planner->arena, uint32_t, rel->set.var_count);
    uint32_t width = 0;
    for (uint32_t v = 0; v < rel->set.var_count; v++) {
        // All columns matter to what is equal; UNION ALL passes on only what is asked for.
        if (kind == NODE_APPEND && !var_set_has(needed, rel->set.vars[v])) continue;
        kept[width] = v;
        vars[width++] = rel->set.vars[v];
    }
    plan_layout_vars(planner, node, vars, width);
    node->set.inputs = ARENA_ARRAY(planner->arena, struct node *, count);
    node->set.columns = ARENA_ARRAY(planner->arena, uint32_t *, count);
    node->set.input_count = count;
    node->set.kind = rel->set.kind;
    node->set.all = rel->set.all;
    node->rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct var_set below = var_set_new(planner->arena, planner->binder->var_count);
        for (uint32_t c = 0; c < width; c++) var_set_add(&below, rel->set.input_vars[i][kept[c]]);
        TRY(plan_node(planner, rel->set.inputs[i], &below, NULL, &node->set.inputs[i], NULL));
        const struct node *input = node->set.inputs[i];
        node->set.columns[i] = ARENA_ARRAY(planner->arena, uint32_t, width);
        for (uint32_t c = 0; c < width; c++) {
            uint32_t column = layout_find(&input->layout, rel->set.input_vars[i][kept[c]]);
            if (column == UINT32_MAX)
                return status_make(E_INTERNAL, "planner lost a column of a set operation");
            node->set.columns[i][c] = column;
        }
        node->rows += input->rows;
        node->cost += input->cost;
        if (node->depth < input->depth + 1) node->depth = input->depth + 1;
    }
    *out = node;

out:
    return st;
}

struct status plan_recursive(struct planner *planner, struct rel *rel, struct node **out)
{
    struct status st = STATUS_OK;
    struct var_set all = var_set_new(planner->arena, planner->binder->var_count);
    uint32_t index = planner->binder->spool_count++;
    rel->set.spool = index;
    for (uint32_t v = 0; v < rel->set.var_count; v++) var_set_add(&all, rel->set.vars[v]);
    TRY(plan_set(planner, rel, &all, NODE_RECURSIVE, out));
    (*out)->set.index = index;

out:
    return st;
}

struct status plan_with(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_WITH);
    uint32_t count = rel->with.count;
    node->with.ctes = ARENA_ARRAY(planner->arena, struct node *, count);
    node->with.indexes = ARENA_ARRAY(planner->arena, uint32_t, count);
    node->with.modifies = ARENA_ARRAY(planner->arena, bool, count);
    node->with.count = count;
    node->with.statement = rel->with.statement;
    for (uint32_t i = 0; i < count; i++) {
        const struct rel_cte *cte = rel->with.ctes[i];
        struct var_set all = var_set_new(planner->arena, planner->binder->var_count);
        for (uint32_t v = 0; v < cte->var_count; v++) var_set_add(&all, cte->vars[v]);
        struct node *made;
        TRY(plan_node(planner, cte->rel, &all, NULL, &made, NULL));
        node->with.ctes[i] = made;
        node->with.indexes[i] = cte->index;
        node->with.modifies[i] = cte->modifies;
        node->cost += made->cost;
        if (node->depth < made->depth + 1) node->depth = made->depth + 1;
        // Readers find the columns by the layout of what is made.
        hashmap_put_u64(&planner->binder->tables, ((uint64_t)1 << 40) + cte->index, made);
    }
    TRY(plan_node(planner, rel->left, needed, want, &node->left, ordered));
    node->layout = node->left->layout;
    node->types = node->left->types;
    node->rows = node->left->rows;
    node->cost += node->left->cost;
    *out = node;

out:
    return st;
}

struct status plan_cte(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct node *node = plan_new_node(planner, NODE_CTE);
    const struct rel_cte *cte = rel->cte.cte;
    const struct node *made =
        hashmap_get_u64(&planner->binder->tables, ((uint64_t)1 << 40) + cte->index);
    if (made == NULL) return status_make(E_INTERNAL, "planner lost a WITH query");
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, cte->var_count);
    node->cte.columns = ARENA_ARRAY(planner->arena, uint32_t, cte->var_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < cte->var_count; i++) {
        if (!var_set_has(needed, rel->cte.vars[i])) continue;
        node->cte.columns[count] = layout_find(&made->layout, cte->vars[i]);
        if (node->cte.columns[count] == UINT32_MAX)
            return status_make(E_INTERNAL, "planner lost a column of a WITH query");
        vars[count++] = rel->cte.vars[i];
    }
    plan_layout_vars(planner, node, vars, count);
    node->cte.index = cte->index;
    node->cte.name = cte->name;
    node->rows = made->rows;
    node->cost = made->rows * COST_FILTER;
    *out = node;
    return STATUS_OK;
}

struct status plan_worktable(struct planner *planner, struct rel *rel, struct node **out)
{
    struct node *node = plan_new_node(planner, NODE_WORKTABLE);
    node->cte.columns = ARENA_ARRAY(planner->arena, uint32_t, rel->worktable.var_count);
    for (uint32_t i = 0; i < rel->worktable.var_count; i++) node->cte.columns[i] = i;
    plan_layout_vars(planner, node, rel->worktable.vars, rel->worktable.var_count);
    node->cte.index = rel->worktable.recursive->set.spool;
    node->cte.name = "worktable";
    node->rows = 10;
    node->cost = 10;
    *out = node;
    return STATUS_OK;
}
