// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/rel.h"

#include "core/deep.h"
#include "sql/plan/table_plan.h"

struct rel *rel_new(struct arena *arena, enum rel_kind kind)
{
    struct rel *rel = ARENA_NEW(arena, struct rel);
    rel->kind = kind;
    rel->rows = -1;
    return rel;
}

struct rel *rel_filter(struct arena *arena, struct rel *input, struct scalar *condition)
{
    struct rel *rel = rel_new(arena, REL_FILTER);
    rel->left = input;
    scalar_list_add_conjuncts(arena, &rel->filter.conjuncts, condition);
    return rel;
}

struct rel *rel_join(struct arena *arena, enum rel_join kind, struct rel *left, struct rel *right)
{
    struct rel *rel = rel_new(arena, REL_JOIN);
    rel->join.kind = kind;
    rel->left = left;
    rel->right = right;
    return rel;
}

void rel_item_add(
    struct arena *arena, struct rel_item_list *list, var_id var, struct scalar *scalar)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        list->items = arena_grow(arena, list->items, list->capacity * sizeof(struct rel_item),
            capacity * sizeof(struct rel_item));
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct rel_item){var, scalar};
}

static void add_vars(struct var_set *set, const var_id *vars, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) var_set_add(set, vars[i]);
}

static void add_range(struct var_set *set, var_id base, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) var_set_add(set, base + i);
}

static void add_call_vars(const struct rel *rel, struct var_set *set)
{
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        add_vars(set, rel->function.calls[i].vars, rel->function.calls[i].var_count);
    if (rel->function.ordinality != VAR_NONE) var_set_add(set, rel->function.ordinality);
}

void rel_output_vars(const struct rel *rel, struct var_set *set)
{
    (void)deep_goes_on(1 + set->word_count / 8);
    switch (rel->kind) {
    case REL_ONE: break;
    case REL_EMPTY:
        if (rel->left != NULL) rel_output_vars(rel->left, set);
        break;
    case REL_SCAN:
    case REL_VIRTUAL:
    case REL_SEQUENCE: add_range(set, rel->scan.base, rel->scan.table->column_count); break;
    case REL_VALUES: add_range(set, rel->values.base, rel->values.column_count); break;
    case REL_FUNCTION: add_call_vars(rel, set); break;
    case REL_PROJECT_SET:
        rel_output_vars(rel->left, set);
        add_call_vars(rel, set);
        break;
    case REL_PROJECT:
        rel_output_vars(rel->left, set);
        for (uint32_t i = 0; i < rel->project.count; i++) var_set_add(set, rel->project.items[i].var);
        break;
    case REL_JOIN:
        rel_output_vars(rel->left, set);
        if (rel->join.kind != REL_SEMI && rel->join.kind != REL_ANTI)
            rel_output_vars(rel->right, set);
        break;
    case REL_AGGREGATE:
        for (uint32_t i = 0; i < rel->aggregate.groups.count; i++)
            var_set_add(set, rel->aggregate.groups.items[i].var);
        for (uint32_t i = 0; i < rel->aggregate.aggregate_count; i++)
            var_set_add(set, rel->aggregate.aggregates[i].var);
        for (uint32_t i = 0; i < rel->aggregate.grouping_count; i++)
            var_set_add(set, rel->aggregate.groupings[i].var);
        break;
    case REL_WINDOW:
        rel_output_vars(rel->left, set);
        for (uint32_t i = 0; i < rel->window.call_count; i++)
            var_set_add(set, rel->window.calls[i].var);
        break;
    case REL_FILTER:
    case REL_DISTINCT:
    case REL_SORT:
    case REL_LIMIT:
    case REL_WITH:
    case REL_LOCK: rel_output_vars(rel->left, set); break;
    case REL_UNION_ALL:
    case REL_SET:
    case REL_RECURSIVE: add_vars(set, rel->set.vars, rel->set.var_count); break;
    case REL_CTE: add_vars(set, rel->cte.vars, rel->cte.cte->var_count); break;
    case REL_WORKTABLE: add_vars(set, rel->worktable.vars, rel->worktable.var_count); break;
    case REL_INSERT:
        add_range(set, rel->insert->table->row_base, rel->insert->table->table->column_count);
        if (rel->insert->xmax != VAR_NONE) var_set_add(set, rel->insert->xmax);
        break;
    case REL_UPDATE:
        rel_output_vars(rel->left, set);
        add_range(set, rel->update->table->row_base, rel->update->table->table->column_count);
        break;
    case REL_DELETE: rel_output_vars(rel->left, set); break;
    }
}

static void each_in_list(
    struct scalar_list *list, void (*fn)(struct scalar **scalar, void *context), void *context)
{
    for (uint32_t i = 0; i < list->count; i++) fn(&list->items[i], context);
}

static void each_in_calls(
    struct rel *rel, void (*fn)(struct scalar **scalar, void *context), void *context)
{
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        for (uint32_t a = 0; a < rel->function.calls[i].arg_count; a++)
            fn(&rel->function.calls[i].args[a], context);
}

static void each_in_aggregate(
    struct rel *rel, void (*fn)(struct scalar **scalar, void *context), void *context)
{
    for (uint32_t i = 0; i < rel->aggregate.groups.count; i++)
        fn(&rel->aggregate.groups.items[i].scalar, context);
    for (uint32_t i = 0; i < rel->aggregate.aggregate_count; i++) {
        struct rel_aggregate *aggregate = &rel->aggregate.aggregates[i];
        for (uint32_t a = 0; a < aggregate->arg_count; a++) fn(&aggregate->args[a], context);
        if (aggregate->filter != NULL) fn(&aggregate->filter, context);
        for (uint32_t o = 0; o < aggregate->order_count; o++)
            fn(&aggregate->order[o].scalar, context);
    }
}

static void each_in_window(
    struct rel *rel, void (*fn)(struct scalar **scalar, void *context), void *context)
{
    for (uint32_t i = 0; i < rel->window.key_count; i++)
        fn(&rel->window.keys[i].scalar, context);
    for (uint32_t i = 0; i < rel->window.call_count; i++) {
        struct rel_window_call *call = &rel->window.calls[i];
        struct rel_frame *frame = &call->frame;
        struct scalar **others[] = {&call->filter, &frame->start_offset, &frame->end_offset,
            &frame->start_key, &frame->start_value, &frame->start_negative, &frame->end_key,
            &frame->end_value, &frame->end_negative};
        for (uint32_t a = 0; a < call->arg_count; a++) fn(&call->args[a], context);
        for (size_t o = 0; o < sizeof others / sizeof others[0]; o++)
            if (*others[o] != NULL) fn(others[o], context);
    }
}

void rel_each_scalar(
    struct rel *rel, void (*fn)(struct scalar **scalar, void *context), void *context)
{
    switch (rel->kind) {
    case REL_SCAN:
    case REL_VIRTUAL:
    case REL_SEQUENCE: each_in_list(&rel->scan.conjuncts, fn, context); break;
    case REL_VALUES:
        for (uint32_t r = 0; r < rel->values.row_count; r++)
            for (uint32_t c = 0; c < rel->values.column_count; c++)
                fn(&rel->values.rows[r][c], context);
        break;
    case REL_FUNCTION:
    case REL_PROJECT_SET: each_in_calls(rel, fn, context); break;
    case REL_FILTER: each_in_list(&rel->filter.conjuncts, fn, context); break;
    case REL_PROJECT:
        for (uint32_t i = 0; i < rel->project.count; i++) fn(&rel->project.items[i].scalar, context);
        break;
    case REL_JOIN: each_in_list(&rel->join.on, fn, context); break;
    case REL_AGGREGATE: each_in_aggregate(rel, fn, context); break;
    case REL_WINDOW: each_in_window(rel, fn, context); break;
    case REL_SORT:
        for (uint32_t i = 0; i < rel->sort.count; i++) fn(&rel->sort.items[i].scalar, context);
        break;
    case REL_LIMIT:
        if (rel->limit.limit != NULL) fn(&rel->limit.limit, context);
        if (rel->limit.offset != NULL) fn(&rel->limit.offset, context);
        for (uint32_t i = 0; i < rel->limit.tie_count; i++)
            fn(&rel->limit.ties[i].scalar, context);
        break;
    case REL_INSERT: insert_plan_each_scalar(rel->insert, fn, context); break;
    case REL_UPDATE:
    case REL_DELETE: update_plan_each_scalar(rel->update, fn, context); break;
    default: break;
    }
}

static void collect_scalar(struct scalar **scalar, void *context)
{
    scalar_collect_vars(*scalar, context);
}

static void collect_set_vars(const struct rel *rel, struct var_set *set)
{
    for (uint32_t i = 0; i < rel->set.input_count; i++) {
        add_vars(set, rel->set.input_vars[i], rel->set.var_count);
        rel_collect_vars(rel->set.inputs[i], set);
    }
}

void rel_collect_vars(const struct rel *rel, struct var_set *set)
{
    if (rel == NULL) return;
    rel_each_scalar((struct rel *)rel, collect_scalar, set);
    switch (rel->kind) {
    case REL_DISTINCT: add_vars(set, rel->distinct.keys, rel->distinct.key_count); break;
    case REL_UNION_ALL:
    case REL_SET:
    case REL_RECURSIVE: collect_set_vars(rel, set); break;
    case REL_WITH:
        for (uint32_t i = 0; i < rel->with.count; i++)
            rel_collect_vars(rel->with.ctes[i]->rel, set);
        break;
    case REL_LOCK: add_range(set, rel->lock.scan->scan.base,
        rel->lock.scan->scan.table->column_count); break;
    default: break;
    }
    rel_collect_vars(rel->left, set);
    rel_collect_vars(rel->right, set);
}

static void add_order_vars(struct var_set *set, const struct rel_order *order, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) scalar_collect_vars(order[i].scalar, set);
}

static void collect_bare(struct scalar **scalar, void *context)
{
    scalar_collect_bare_vars(*scalar, context);
}

void rel_collect_bare_vars(const struct rel *rel, struct var_set *set)
{
    if (rel == NULL) return;
    rel_each_scalar((struct rel *)rel, collect_bare, set);
    switch (rel->kind) {
    case REL_DISTINCT: add_vars(set, rel->distinct.keys, rel->distinct.key_count); break;
    case REL_SORT: add_order_vars(set, rel->sort.items, rel->sort.count); break;
    case REL_LIMIT: add_order_vars(set, rel->limit.ties, rel->limit.tie_count); break;
    case REL_WINDOW: add_order_vars(set, rel->window.keys, rel->window.key_count); break;
    case REL_UNION_ALL:
    case REL_SET:
    case REL_RECURSIVE:
        for (uint32_t i = 0; i < rel->set.input_count; i++) {
            add_vars(set, rel->set.input_vars[i], rel->set.var_count);
            rel_collect_bare_vars(rel->set.inputs[i], set);
        }
        break;
    case REL_WITH:
        for (uint32_t i = 0; i < rel->with.count; i++) {
            add_vars(set, rel->with.ctes[i]->vars, rel->with.ctes[i]->var_count);
            rel_collect_bare_vars(rel->with.ctes[i]->rel, set);
        }
        break;
    default: break;
    }
    rel_collect_bare_vars(rel->left, set);
    rel_collect_bare_vars(rel->right, set);
}
