// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodes from relational operators.
#include <math.h>

#include "core/invariant.h"
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"

#define VALUES_CHUNK_ROWS 64u

struct node *plan_new_node(struct planner *planner, enum node_kind kind)
{
    struct node *node = ARENA_NEW(planner->arena, struct node);
    node->kind = kind;
    node->rows = 1;
    return node;
}

void plan_layout_vars(struct planner *planner, struct node *node, const var_id *vars, uint32_t count)
{
    var_id *copy = ARENA_ARRAY(planner->arena, var_id, count);
    node->types = ARENA_ARRAY(planner->arena, type_oid, count);
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = vars[i];
        node->types[i] = collation_type(planner->binder->vars[vars[i]].type);
    }
    node->layout = (struct layout){copy, count};
}

void plan_set_layout(struct planner *planner, struct node *node, const struct var_set *vars)
{
    uint32_t count = 0;
    var_id *list = ARENA_ARRAY(planner->arena, var_id, planner->binder->var_count);
    for (var_id var = 0; var < planner->binder->var_count; var++)
        if (var_set_has(vars, var)) list[count++] = var;
    plan_layout_vars(planner, node, list, count);
}

static struct var_set no_vars(struct planner *planner)
{
    return var_set_new(planner->arena, planner->binder->var_count);
}

static struct var_set copy_set(struct planner *planner, const struct var_set *set)
{
    struct var_set copy = no_vars(planner);
    var_set_add_all(&copy, set);
    return copy;
}

// needed, restricted to what the tree gives.
static struct var_set wanted_of(
    struct planner *planner, const struct rel *rel, const struct var_set *needed)
{
    struct var_set given = no_vars(planner);
    rel_output_vars(rel, &given);
    for (uint32_t w = 0; w < given.word_count; w++) given.words[w] &= needed->words[w];
    return given;
}

static void need_list(const struct scalar_list *list, struct var_set *set)
{
    for (uint32_t i = 0; i < list->count; i++) scalar_collect_vars(list->items[i], set);
}

struct status plan_program(struct planner *planner, const struct layout *layout,
    struct scalar *const *scalars, uint32_t count, struct expr_program **program)
{
    return expr_compile(planner->arena, &planner->frame->outer, layout, scalars, count, program);
}

void plan_node_depth(struct node *node)
{
    uint32_t left = node->left == NULL ? 0 : node->left->depth;
    uint32_t right = node->right == NULL ? 0 : node->right->depth;
    uint32_t deepest = left > right ? left : right;
    if (node->depth < deepest + 1) node->depth = deepest + 1;
}

// --- outer variables ---------------------------------------------------------------------------------

static struct status frame_slot(struct expr_outer *outer, var_id var, uint32_t *slot)
{
    struct outer_frame *frame = (struct outer_frame *)outer;
    struct planner *planner = frame->planner;
    for (uint32_t i = 0; i < frame->count; i++)
        if (frame->bindings[i].scalar->var == var) {
            *slot = frame->bindings[i].slot;
            return STATUS_OK;
        }
    if (frame->parent == NULL)
        return status_format(planner->arena, E_INTERNAL,
            "planner lost variable %u (%s)", var, planner->binder->vars[var].name);
    if (frame->count == frame->capacity) {
        uint32_t capacity = frame->capacity == 0 ? 4 : frame->capacity * 2;
        frame->bindings = arena_grow(planner->arena, frame->bindings,
            frame->capacity * sizeof(struct expr_binding), capacity * sizeof(struct expr_binding));
        frame->capacity = capacity;
    }
    *slot = planner->slot_count++;
    frame->bindings[frame->count++] =
        (struct expr_binding){bind_var(planner->binder, var, POSITION_NONE), *slot};
    return STATUS_OK;
}

static uint32_t frame_new_slot(struct expr_outer *outer)
{
    return ((struct outer_frame *)outer)->planner->slot_count++;
}

struct outer_frame *plan_frame_push(struct planner *planner)
{
    struct outer_frame *frame = ARENA_NEW(planner->arena, struct outer_frame);
    frame->outer = (struct expr_outer){frame_slot, plan_subquery, frame_new_slot};
    frame->planner = planner;
    frame->parent = planner->frame;
    planner->frame = frame;
    return frame;
}

void plan_frame_pop(struct planner *planner, struct outer_frame *frame)
{
    invariant(planner->frame == frame);
    planner->frame = frame->parent;
}

// --- subqueries --------------------------------------------------------------------------------------

static void need_outputs(const struct scalar *scalar, struct var_set *needed)
{
    if (scalar->subquery.kind == SUBLINK_EXISTS) return;
    for (uint32_t i = 0; i < scalar->subquery.output_count; i++)
        var_set_add(needed, scalar->subquery.outputs[i]);
}

static struct status subquery_outputs(
    struct planner *planner, const struct scalar *scalar, struct expr_subquery *subquery)
{
    if (scalar->subquery.kind == SUBLINK_EXISTS) return STATUS_OK;
    subquery->output_count = scalar->subquery.output_count;
    subquery->output_columns = ARENA_ARRAY(planner->arena, uint32_t, subquery->output_count);
    for (uint32_t i = 0; i < subquery->output_count; i++) {
        uint32_t column = layout_find(&subquery->node->layout, scalar->subquery.outputs[i]);
        if (column == UINT32_MAX) return status_make(E_INTERNAL, "planner lost a subquery's column");
        subquery->output_columns[i] = column;
    }
    return STATUS_OK;
}

// ANY and ALL: the left operands go into slots, the comparison runs over the subquery's batches.
static struct status subquery_tests(struct planner *planner, const struct scalar *scalar,
    struct expr_subquery *subquery)
{
    struct status st = STATUS_OK;
    uint32_t count = scalar->arg_count;
    struct scalar **slots = ARENA_ARRAY(planner->arena, struct scalar *, count);
    subquery->tests = ARENA_ARRAY(planner->arena, struct expr_binding, count);
    subquery->test_count = count;
    for (uint32_t i = 0; i < count; i++) {
        subquery->tests[i] = (struct expr_binding){scalar->args[i], planner->slot_count};
        slots[i] = scalar_new(
            planner->arena, SCALAR_PARAM, scalar->args[i]->type, POSITION_NONE);
        slots[i]->param = planner->slot_count++;
    }
    struct scalar_substitution map = {scalar->subquery.test_vars, slots, count};
    struct scalar *compare =
        scalar_substitute(planner->arena, scalar->subquery.compare, &map);
    TRY(plan_program(planner, &subquery->node->layout, &compare, 1, &subquery->compare));

out:
    return st;
}

// x = ANY (uncorrelated query) of one column without casts: by hash.
static void subquery_hash(
    struct planner *planner, const struct scalar *scalar, struct expr_subquery *subquery)
{
    const struct scalar *compare = scalar->subquery.compare;
    if (scalar->subquery.kind != SUBLINK_ANY || subquery->binding_count > 0 ||
        scalar->arg_count != 1 || scalar_compare_of(compare) != COMPARE_EQ)
        return;
    const struct scalar *left = scalar_strip(compare->args[0]);
    const struct scalar *right = scalar_strip(compare->args[1]);
    if (left->kind != SCALAR_VAR || right->kind != SCALAR_VAR ||
        left->var != scalar->subquery.test_vars[0] || right->var != scalar->subquery.outputs[0] ||
        !scalar_key_compatible(left->type.oid, right->type.oid))
        return;
    subquery->hash_types = ARENA_ARRAY(planner->arena, type_oid, 1);
    subquery->hash_types[0] = collation_type(compare->args[0]->type);
}

struct status plan_subquery(struct expr_outer *outer, const struct layout *layout,
    const struct scalar *scalar, struct expr_subquery **out)
{
    struct status st = STATUS_OK;
    struct planner *planner = ((struct outer_frame *)outer)->planner;
    struct outer_frame *before = planner->frame;
    (void)layout;
    planner->frame = (struct outer_frame *)outer;
    struct outer_frame *frame = plan_frame_push(planner);
    struct expr_subquery *subquery = ARENA_NEW(planner->arena, struct expr_subquery);
    struct var_set needed = no_vars(planner);
    struct node *node;
    bool exists = scalar->subquery.kind == SUBLINK_EXISTS;
    struct want one = {.limit = exists ? 1 : 0};
    need_outputs(scalar, &needed);
    struct rel *rel = plan_rewrite(planner->binder, scalar->subquery.rel);
    while (exists && rel->kind == REL_PROJECT) rel = rel->left; // Columns do not matter, whatever they do.
    TRY(plan_node(planner, rel, &needed, exists ? &one : NULL, &node, NULL));
    subquery->kind = scalar->subquery.kind;
    subquery->index = planner->subquery_count++;
    subquery->node = node;
    TRY(subquery_outputs(planner, scalar, subquery));
    bool test = subquery->kind == SUBLINK_ANY || subquery->kind == SUBLINK_ALL || subquery->kind == SUBLINK_ROW;
    if (test) TRY(subquery_tests(planner, scalar, subquery));
    subquery->bindings = frame->bindings;
    subquery->binding_count = frame->count;
    if (test) subquery_hash(planner, scalar, subquery);
    // Run again for each row though it is the same each time: keep its rows.
    if (test && subquery->binding_count == 0 && subquery->hash_types == NULL)
        subquery->node = plan_materialize(planner, node);
    if (subquery->kind == SUBLINK_ARRAY)
        subquery->element_type = node->types[subquery->output_columns[0]];
    if (planner->subquery_depth < subquery->node->depth + SUBQUERY_DEPTH)
        planner->subquery_depth = subquery->node->depth + SUBQUERY_DEPTH;
    if (planner->shown_count == planner->shown_capacity) {
        uint32_t capacity = planner->shown_capacity == 0 ? 4 : planner->shown_capacity * 2;
        planner->shown = arena_grow(planner->arena, planner->shown,
            planner->shown_capacity * sizeof *planner->shown, capacity * sizeof *planner->shown);
        planner->shown_capacity = capacity;
    }
    planner->shown[planner->shown_count++] = subquery->node;
    *out = subquery;

out:
    planner->frame = before;
    return st;
}

// What reads the rows of a recursion's last round gives others in the next.
static bool reads_worktable(const struct node *node)
{
    if (node == NULL) return false;
    return node->kind == NODE_WORKTABLE || reads_worktable(node->left) || reads_worktable(node->right);
}

struct node *plan_materialize(struct planner *planner, struct node *input)
{
    if (reads_worktable(input)) return input;
    struct node *node = plan_new_node(planner, NODE_MATERIALIZE);
    node->left = input;
    node->layout = input->layout;
    node->types = input->types;
    node->rows = input->rows;
    node->cost = input->cost + input->rows * COST_HASH_BUILD;
    plan_node_depth(node);
    return node;
}

// --- simple nodes ------------------------------------------------------------------------------------

struct status plan_filter_node(struct planner *planner, struct node *input,
    const struct scalar_list *conjuncts, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_FILTER);
    node->left = input;
    node->layout = input->layout;
    node->types = input->types;
    node->filter.conjuncts = conjuncts;
    node->rows = input->rows;
    for (uint32_t i = 0; i < conjuncts->count; i++)
        node->rows *= plan_selectivity(conjuncts->items[i], NULL);
    node->cost = input->cost + input->rows * COST_FILTER;
    TRY(expr_compile_filter(planner->arena, &planner->frame->outer, &input->layout, conjuncts,
        &node->filter.program));
    *out = node;

out:
    return st;
}

static struct status plan_filter(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **node, bool *ordered)
{
    struct status st = STATUS_OK;
    struct var_set below = copy_set(planner, needed);
    struct want order = {0};
    struct node *input;
    need_list(&rel->filter.conjuncts, &below);
    if (want != NULL) order = (struct want){want->order, want->count, want->limit * 4};
    TRY(plan_node(planner, rel->left, &below, &order, &input, ordered));
    TRY(plan_filter_node(planner, input, &rel->filter.conjuncts, node));

out:
    return st;
}

// What a column does besides having a value, it does though nobody asks for the value.
static struct var_set with_volatile(struct planner *planner, const struct rel *rel, const struct var_set *needed)
{
    struct var_set all = copy_set(planner, needed);
    for (uint32_t i = 0; i < rel->project.count; i++)
        if (scalar_is_volatile(rel->project.items[i].scalar)) var_set_add(&all, rel->project.items[i].var);
    return all;
}

static struct status plan_project(struct planner *planner, struct rel *rel,
    const struct var_set *asked, const struct want *want, struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    struct var_set below = no_vars(planner), all = with_volatile(planner, rel, asked);
    const struct var_set *needed = &all;
    struct var_set given = wanted_of(planner, rel, needed);
    struct var_set passed = wanted_of(planner, rel->left, needed);
    uint32_t computed = 0;
    var_set_add_all(&below, &passed);
    for (uint32_t i = 0; i < rel->project.count; i++) {
        if (!var_set_has(needed, rel->project.items[i].var)) continue;
        scalar_collect_vars(rel->project.items[i].scalar, &below);
        computed++;
    }
    struct node *input;
    TRY(plan_node(planner, rel->left, &below, want, &input, ordered));
    if (computed == 0) {
        *out = input;
        return st;
    }
    struct node *node = plan_new_node(planner, NODE_PROJECT);
    node->left = input;
    plan_set_layout(planner, node, &given);
    struct scalar **scalars = ARENA_ARRAY(planner->arena, struct scalar *, node->layout.count);
    for (uint32_t c = 0; c < node->layout.count; c++) {
        var_id var = node->layout.vars[c];
        scalars[c] = NULL;
        for (uint32_t i = 0; i < rel->project.count; i++)
            if (rel->project.items[i].var == var) scalars[c] = rel->project.items[i].scalar;
        if (scalars[c] != NULL) plan_show_scalar(planner, var, scalars[c]);
        else scalars[c] = bind_var(planner->binder, var, POSITION_NONE);
    }
    TRY(plan_program(planner, &input->layout, scalars, node->layout.count, &node->project.program));
    node->rows = input->rows;
    node->cost = input->cost + input->rows * COST_FILTER;
    *out = node;

out:
    return st;
}

static struct status plan_values(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_VALUES);
    struct var_set given = wanted_of(planner, rel, needed);
    uint32_t width = rel->values.column_count, rows = rel->values.row_count;
    plan_set_layout(planner, node, &given);
    node->values.columns = ARENA_ARRAY(planner->arena, uint32_t, node->layout.count);
    for (uint32_t c = 0; c < node->layout.count; c++)
        node->values.columns[c] = node->layout.vars[c] - rel->values.base;
    node->values.row_count = rows;
    node->values.column_count = width;
    node->values.chunk_rows = rows < VALUES_CHUNK_ROWS ? rows : VALUES_CHUNK_ROWS;
    if (node->values.chunk_rows > planner->chunk_rows) planner->chunk_rows = node->values.chunk_rows;
    node->values.chunk_count = (rows + VALUES_CHUNK_ROWS - 1) / VALUES_CHUNK_ROWS;
    node->values.rows =
        ARENA_ARRAY(planner->arena, struct expr_program *, node->values.chunk_count);
    struct scalar **scalars =
        ARENA_ARRAY(planner->arena, struct scalar *, (size_t)VALUES_CHUNK_ROWS * width);
    struct layout none = {0};
    for (uint32_t chunk = 0; chunk < node->values.chunk_count; chunk++) {
        uint32_t first = chunk * VALUES_CHUNK_ROWS, count = 0;
        for (uint32_t r = first; r < rows && r < first + VALUES_CHUNK_ROWS; r++)
            for (uint32_t c = 0; c < width; c++) scalars[count++] = rel->values.rows[r][c];
        TRY(plan_program(planner, &none, scalars, count, &node->values.rows[chunk]));
    }
    node->rows = rows;
    node->cost = rows * COST_FILTER;
    *out = node;

out:
    return st;
}

static struct status plan_calls(struct planner *planner, struct rel *rel,
    const struct layout *layout, struct node *node)
{
    struct status st = STATUS_OK;
    uint32_t count = rel->function.call_count, args = 0;
    for (uint32_t i = 0; i < count; i++) args += rel->function.calls[i].arg_count;
    struct scalar **scalars = ARENA_ARRAY(planner->arena, struct scalar *, args);
    node->function.calls = ARENA_ARRAY(planner->arena, struct node_call, count);
    node->function.call_count = count;
    args = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rel_call *from = &rel->function.calls[i];
        struct node_call *call = &node->function.calls[i];
        *call = (struct node_call){.function = from->function,
            .first_arg = args,
            .arg_count = from->arg_count,
            .column_count = from->var_count,
            .result = from->types[0]};
        call->arg_types = ARENA_ARRAY(planner->arena, struct type, from->arg_count);
        for (uint32_t a = 0; a < from->arg_count; a++) {
            call->arg_types[a] = from->args[a]->type;
            scalars[args++] = from->args[a];
        }
    }
    TRY(plan_program(planner, layout, scalars, args, &node->function.program));

out:
    return st;
}

static struct status plan_function(struct planner *planner, struct rel *rel, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_FUNCTION);
    struct layout none = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        count += rel->function.calls[i].var_count;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, count + 1);
    count = 0;
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        for (uint32_t v = 0; v < rel->function.calls[i].var_count; v++)
            vars[count++] = rel->function.calls[i].vars[v];
    if (rel->function.ordinality != VAR_NONE) vars[count++] = rel->function.ordinality;
    plan_layout_vars(planner, node, vars, count);
    node->function.ordinality = rel->function.ordinality != VAR_NONE;
    node->function.alias = rel->function.alias;
    node->rows = 100;
    node->cost = 100;
    TRY(plan_calls(planner, rel, &none, node));
    *out = node;

out:
    return st;
}

static struct status plan_project_set(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_PROJECT_SET);
    struct var_set below = wanted_of(planner, rel->left, needed);
    struct var_set passed = copy_set(planner, &below);
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        for (uint32_t a = 0; a < rel->function.calls[i].arg_count; a++)
            scalar_collect_vars(rel->function.calls[i].args[a], &below);
    TRY(plan_node(planner, rel->left, &below, NULL, &node->left, NULL));
    const struct layout *input = &node->left->layout;
    uint32_t given = 0;
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        given += rel->function.calls[i].var_count;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, input->count + given);
    node->function.pass = ARENA_ARRAY(planner->arena, uint32_t, input->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < input->count; i++) {
        if (!var_set_has(&passed, input->vars[i])) continue;
        node->function.pass[node->function.pass_count++] = i;
        vars[count++] = input->vars[i];
    }
    for (uint32_t i = 0; i < rel->function.call_count; i++)
        for (uint32_t v = 0; v < rel->function.calls[i].var_count; v++)
            vars[count++] = rel->function.calls[i].vars[v];
    plan_layout_vars(planner, node, vars, count);
    node->rows = node->left->rows * 10;
    node->cost = node->left->cost + node->rows;
    TRY(plan_calls(planner, rel, input, node));
    *out = node;

out:
    return st;
}

static struct status plan_virtual(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node =
        plan_new_node(planner, rel->kind == REL_VIRTUAL ? NODE_VIRTUAL : NODE_SEQUENCE);
    struct var_set all = copy_set(planner, needed);
    need_list(&rel->scan.conjuncts, &all);
    struct var_set given = wanted_of(planner, rel, &all);
    plan_set_layout(planner, node, &given);
    node->virtual_scan.table = rel->scan.table;
    node->virtual_scan.alias = rel->scan.alias;
    node->virtual_scan.ordinals = ARENA_ARRAY(planner->arena, uint32_t, node->layout.count);
    for (uint32_t c = 0; c < node->layout.count; c++)
        node->virtual_scan.ordinals[c] = node->layout.vars[c] - rel->scan.base;
    if (rel->scan.conjuncts.count > 0) {
        node->virtual_scan.conjuncts = &rel->scan.conjuncts;
        TRY(expr_compile_filter(planner->arena, &planner->frame->outer, &node->layout,
            &rel->scan.conjuncts, &node->virtual_scan.filter));
    }
    node->rows = plan_estimate_rows(rel);
    node->cost = 1000;
    *out = node;

out:
    return st;
}

// --- aggregates --------------------------------------------------------------------------------------

struct aggregate_build {
    struct planner *planner;
    struct scalar **scalars;
    uint32_t count;
};

struct scalar *plan_where(struct arena *arena, struct scalar *filter, struct scalar *scalar)
{
    if (filter == NULL || scalar->kind == SCALAR_VAR || scalar->kind == SCALAR_CONST ||
        scalar->kind == SCALAR_PARAM)
        return scalar;
    struct scalar *when = scalar_with_args(arena, SCALAR_CASE, scalar->type, scalar->position, 3);
    when->args[0] = filter;
    when->args[1] = scalar;
    when->args[2] = scalar_null(arena, scalar->type, scalar->position);
    return when;
}

static void aggregate_call(struct aggregate_build *build, const struct rel_aggregate *from,
    struct node_aggregate_call *call)
{
    struct arena *arena = build->planner->arena;
    *call = (struct node_aggregate_call){.function = from->function,
        .first_arg = build->count,
        .arg_count = from->arg_count,
        .filter = UINT32_MAX,
        .distinct = from->distinct,
        .order_count = from->order_count,
        .type = from->type};
    call->arg_types = ARENA_ARRAY(arena, struct type, from->arg_count);
    for (uint32_t a = 0; a < from->arg_count; a++) {
        call->arg_types[a] = from->args[a]->type;
        build->scalars[build->count++] = plan_where(arena, from->filter, from->args[a]);
    }
    if (from->filter != NULL) {
        call->filter = build->count;
        build->scalars[build->count++] = from->filter;
    }
    call->first_order = build->count;
    call->descending = ARENA_ARRAY(arena, bool, from->order_count);
    call->nulls_first = ARENA_ARRAY(arena, bool, from->order_count);
    call->order_types = ARENA_ARRAY(arena, type_oid, from->order_count);
    for (uint32_t o = 0; o < from->order_count; o++) {
        call->descending[o] = from->order[o].descending;
        call->nulls_first[o] = from->order[o].nulls_first;
        call->order_types[o] = collation_type(from->order[o].scalar->type);
        build->scalars[build->count++] = plan_where(arena, from->filter, from->order[o].scalar);
    }
}

static uint32_t aggregate_scalar_count(const struct rel *rel)
{
    uint32_t count = rel->aggregate.groups.count;
    for (uint32_t i = 0; i < rel->aggregate.aggregate_count; i++) {
        const struct rel_aggregate *call = &rel->aggregate.aggregates[i];
        count += call->arg_count + call->order_count + (call->filter != NULL);
    }
    return count;
}

static bool is_count_only(const struct rel *rel)
{
    if (rel->aggregate.groups.count > 0 || rel->aggregate.set_count > 0 ||
        rel->aggregate.grouping_count > 0 || rel->aggregate.aggregate_count != 1)
        return false;
    const struct rel_aggregate *call = &rel->aggregate.aggregates[0];
    return call->arg_count == 0 && call->filter == NULL && strcmp(call->function->name, "count") == 0;
}

static bool is_indexed(const struct table_desc *table, uint32_t ordinal)
{
    for (uint32_t i = 0; i < table->index_count; i++)
        for (uint32_t c = 0; c < table->indexes[i].column_count; c++)
            if (table->indexes[i].state == ELEMENT_PUBLIC &&
                table->indexes[i].columns[c].expression_sql == NULL &&
                table->indexes[i].columns[c].column_id == table->columns[ordinal].id)
                return true;
    return false;
}

// min(c) and max(c) alone, of a column that an index may give in order: of the first row of that order.
static void extreme_by_order(struct planner *planner, struct rel *rel)
{
    struct arena *arena = planner->arena;
    const struct rel_aggregate *call = rel->aggregate.aggregates;
    struct rel *scan = rel->left;
    if (rel->aggregate.groups.count > 0 || rel->aggregate.set_count > 0 ||
        rel->aggregate.aggregate_count != 1 || scan->kind != REL_SCAN || call->arg_count != 1 || call->filter != NULL || call->distinct ||
        call->args[0]->kind != SCALAR_VAR)
        return;
    bool max = strcmp(call->function->name, "max") == 0;
    uint32_t ordinal = call->args[0]->var - scan->scan.base;
    if ((!max && strcmp(call->function->name, "min") != 0) ||
        call->args[0]->var < scan->scan.base || ordinal >= scan->scan.table->column_count ||
        !is_indexed(scan->scan.table, ordinal))
        return;
    struct scalar *present =
        scalar_with_args(arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), POSITION_NONE, 1);
    present->args[0] = call->args[0];
    present->test = IS_NOT_NULL;
    scalar_list_add(arena, &scan->scan.conjuncts, present);
    struct rel *sort = rel_new(arena, REL_SORT);
    sort->left = scan;
    sort->sort.items = ARENA_ARRAY(arena, struct rel_order, 1);
    sort->sort.count = 1;
    sort->sort.items[0] =
        (struct rel_order){.scalar = call->args[0], .descending = max, .nulls_first = max};
    struct rel *limit = rel_new(arena, REL_LIMIT);
    limit->left = sort;
    limit->limit.limit = scalar_const(arena, TYPE_OF(TYPE_INT8), datum_int(1), POSITION_NONE);
    rel->left = limit;
}

// The order in which a table's rows would come group by group; none when there is no such thing.
static struct want group_order(struct planner *planner, const struct rel *rel)
{
    struct want none = {0};
    uint32_t count = rel->aggregate.groups.count;
    if (count == 0 || rel->aggregate.set_count > 0 || rel->left->kind != REL_SCAN) return none;
    struct rel_order *order = ARENA_ARRAY(planner->arena, struct rel_order, count);
    for (uint32_t i = 0; i < count; i++) {
        struct scalar *scalar = rel->aggregate.groups.items[i].scalar;
        if (scalar->kind != SCALAR_VAR) return none;
        order[i].scalar = scalar;
    }
    return (struct want){order, count, 0};
}

static struct status plan_aggregate(struct planner *planner, struct rel *rel, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_AGGREGATE);
    struct node_aggregate *aggregate = &node->aggregate;
    extreme_by_order(planner, rel);
    uint32_t groups = rel->aggregate.groups.count, calls = rel->aggregate.aggregate_count;
    struct aggregate_build build = {.planner = planner,
        .scalars = ARENA_ARRAY(planner->arena, struct scalar *, aggregate_scalar_count(rel))};
    struct var_set below = no_vars(planner);
    uint32_t groupings = rel->aggregate.grouping_count;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, groups + calls + groupings);
    aggregate->group_types = ARENA_ARRAY(planner->arena, type_oid, groups + 1);
    aggregate->group_types[groups] = TYPE_INT8; // The set's number.
    aggregate->set_count = rel->aggregate.set_count;
    aggregate->in_set = rel->aggregate.in_set;
    aggregate->groupings = rel->aggregate.groupings;
    aggregate->grouping_count = groupings;
    aggregate->calls = ARENA_ARRAY(planner->arena, struct node_aggregate_call, calls);
    aggregate->group_count = groups;
    aggregate->call_count = calls;
    aggregate->plain = rel->aggregate.plain;
    aggregate->count_only = is_count_only(rel);
    for (uint32_t i = 0; i < groups; i++) {
        const struct rel_item *item = &rel->aggregate.groups.items[i];
        vars[i] = item->var;
        aggregate->group_types[i] = collation_type(item->scalar->type);
        build.scalars[build.count++] = item->scalar;
        if (item->scalar->kind != SCALAR_VAR || item->scalar->var != item->var)
            plan_show_scalar(planner, item->var, item->scalar);
    }
    for (uint32_t i = 0; i < calls; i++) {
        const struct rel_aggregate *call = &rel->aggregate.aggregates[i];
        vars[groups + i] = call->var;
        plan_show_call(planner, call->var,
            &(struct shown_call){call->function, call->args, call->arg_count, call->filter,
                call->distinct, false});
        aggregate_call(&build, &rel->aggregate.aggregates[i], &aggregate->calls[i]);
    }
    for (uint32_t i = 0; i < build.count; i++) scalar_collect_vars(build.scalars[i], &below);
    struct want order = group_order(planner, rel);
    TRY(plan_node(planner, rel->left, &below, order.count > 0 ? &order : NULL, &node->left,
        order.count > 0 ? &aggregate->ordered : NULL));
    for (uint32_t i = 0; i < groupings; i++)
        vars[groups + calls + i] = rel->aggregate.groupings[i].var;
    plan_layout_vars(planner, node, vars, groups + calls + groupings);
    TRY(plan_program(
        planner, &node->left->layout, build.scalars, build.count, &aggregate->program));
    aggregate->partial = plan_aggregate_is_partial(rel, node);
    node->rows = groups == 0 ? 1 : plan_estimate_rows(rel);
    if (groups > 0 && node->rows > node->left->rows) node->rows = node->left->rows;
    node->cost = node->left->cost +
                 node->left->rows * (aggregate->ordered ? COST_FILTER : COST_HASH_BUILD);
    *out = node;

out:
    return st;
}

static struct status plan_distinct(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_DISTINCT);
    struct var_set below = copy_set(planner, needed);
    struct want order = {0};
    uint32_t count = rel->distinct.key_count;
    if (want != NULL) order = (struct want){want->order, want->count, 0};
    for (uint32_t i = 0; i < count; i++) var_set_add(&below, rel->distinct.keys[i]);
    TRY(plan_node(planner, rel->left, &below, &order, &node->left, ordered));
    node->layout = node->left->layout;
    node->types = node->left->types;
    node->distinct.columns = ARENA_ARRAY(planner->arena, uint32_t, count);
    node->distinct.types = ARENA_ARRAY(planner->arena, type_oid, count);
    node->distinct.count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = layout_find(&node->layout, rel->distinct.keys[i]);
        if (column == UINT32_MAX) return status_make(E_INTERNAL, "planner lost a DISTINCT column");
        node->distinct.columns[i] = column;
        node->distinct.types[i] = node->types[column];
    }
    node->rows = node->left->rows * 0.3 + 1;
    node->cost = node->left->cost + node->left->rows * COST_HASH_BUILD;
    *out = node;

out:
    return st;
}

// --- order and limit ---------------------------------------------------------------------------------

static struct status plan_sort(struct planner *planner, struct rel *rel,
    const struct var_set *needed, double limit, struct node **out)
{
    struct status st = STATUS_OK;
    struct want want = {rel->sort.items, rel->sort.count, limit};
    struct var_set below = copy_set(planner, needed);
    struct node *input;
    bool ordered = false;
    for (uint32_t i = 0; i < rel->sort.count; i++)
        scalar_collect_vars(rel->sort.items[i].scalar, &below);
    TRY(plan_node(planner, rel->left, &below, &want, &input, &ordered));
    *out = input;
    if (ordered) return st;
    struct node *node = plan_new_node(planner, NODE_SORT);
    node->left = input;
    node->layout = input->layout;
    node->types = input->types;
    node->sort.keys = ARENA_ARRAY(planner->arena, struct node_sort_key, rel->sort.count);
    for (uint32_t i = 0; i < rel->sort.count; i++) {
        const struct rel_order *item = &rel->sort.items[i];
        uint32_t column = layout_find(&node->layout, item->scalar->var);
        // A variable of an outer query is the same for all rows.
        if (column == UINT32_MAX) continue;
        node->sort.keys[node->sort.count++] = (struct node_sort_key){
            column, node->types[column], item->descending, item->nulls_first};
    }
    node->rows = input->rows;
    node->cost = input->cost + (input->rows < 2 ? 0 : input->rows * log2(input->rows) * COST_SORT_ROW);
    *out = node;

out:
    return st;
}

static struct node *sort_beneath(struct node *node)
{
    while (node->kind == NODE_PROJECT) node = node->left;
    return node->kind == NODE_SORT ? node : NULL;
}

static void limit_ties(struct planner *planner, const struct rel *rel, struct node *node)
{
    if (rel->limit.ties == NULL) return;
    node->limit.ties = ARENA_ARRAY(planner->arena, struct node_sort_key, rel->limit.tie_count + 1);
    for (uint32_t i = 0; i < rel->limit.tie_count; i++) {
        uint32_t column = layout_find(&node->layout, rel->limit.ties[i].scalar->var);
        if (column == UINT32_MAX) continue;
        node->limit.ties[node->limit.tie_count++] =
            (struct node_sort_key){.column = column, .type = node->types[column]};
    }
}

static struct status plan_limit(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_LIMIT);
    struct layout none = {0};
    struct want want = {0};
    const struct scalar *limit = rel->limit.limit, *offset = rel->limit.offset;
    // An unknown limit is taken to be small, as most are.
    if (limit != NULL)
        want.limit = limit->kind == SCALAR_CONST && !limit->value.null
            ? (double)limit->value.integer
            : 100;
    if (offset != NULL && offset->kind == SCALAR_CONST && !offset->value.null)
        want.limit += (double)offset->value.integer;
    if (limit != NULL && want.limit < 1) want.limit = 1;
    struct var_set below = copy_set(planner, needed);
    for (uint32_t i = 0; i < rel->limit.tie_count; i++)
        scalar_collect_vars(rel->limit.ties[i].scalar, &below);
    TRY(plan_node(planner, rel->left, &below, &want, &node->left, NULL));
    node->layout = node->left->layout;
    node->types = node->left->types;
    limit_ties(planner, rel, node);
    if (limit != NULL)
        TRY(plan_program(planner, &none, &rel->limit.limit, 1, &node->limit.limit));
    if (offset != NULL)
        TRY(plan_program(planner, &none, &rel->limit.offset, 1, &node->limit.offset));
    struct node *lock = node->left->kind == NODE_LOCK ? node->left : NULL;
    struct node *sort = sort_beneath(node->left);
    if (lock != NULL && node->limit.ties == NULL) {
        lock->lock.limit = node->limit.limit;
        lock->lock.offset = node->limit.offset;
    }
    if (sort != NULL && node->limit.limit != NULL && node->limit.ties == NULL) {
        sort->sort.limit = node->limit.limit;
        sort->sort.offset = node->limit.offset;
    }
    node->rows = want.limit > 0 && want.limit < node->left->rows ? want.limit : node->left->rows;
    node->cost = node->left->cost;
    *out = node;

out:
    return st;
}

// What SKIP LOCKED looks at again once it has the lock.
static struct status lock_recheck(struct planner *planner, const struct rel *scan, struct node *node)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = scan->scan.table;
    struct var_set used = no_vars(planner);
    need_list(&scan->scan.conjuncts, &used);
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, table->column_count);
    uint32_t *ordinals = ARENA_ARRAY(planner->arena, uint32_t, table->column_count);
    uint32_t count = 0;
    node->lock.same = ARENA_ARRAY(planner->arena, struct node_same, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        var_id var = scan->scan.base + i;
        uint32_t column = layout_find(&node->layout, var);
        if (column == UINT32_MAX && !var_set_has(&used, var)) continue;
        if (column != UINT32_MAX)
            node->lock.same[node->lock.same_count++] =
                (struct node_same){column, count, table->columns[i].type.oid};
        vars[count] = var;
        ordinals[count++] = i;
    }
    struct layout layout = {vars, count};
    TRY(row_decoder_init(
        planner->arena, node->lock.scan.primary, ordinals, count, &node->lock.decoder));
    TRY(expr_compile_filter(planner->arena, &planner->frame->outer, &layout,
        &scan->scan.conjuncts, &node->lock.filter));

out:
    return st;
}

static struct status plan_lock(
    struct planner *planner, struct rel *rel, const struct var_set *needed, const struct want *want,
    struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    struct node *node = plan_new_node(planner, NODE_LOCK);
    struct rel *scan = rel->lock.scan;
    const struct table_desc *table = scan->scan.table;
    struct var_set below = copy_set(planner, needed);
    struct row_index *primary = ARENA_NEW(planner->arena, struct row_index);
    TRY(row_index_init(planner->arena, planner->tenant, table, &table->indexes[0], primary));
    for (uint32_t k = 0; k < primary->key_count; k++)
        var_set_add(&below, scan->scan.base + primary->keys[k].ordinal);
    TRY(plan_node(planner, rel->left, &below, want, &node->left, ordered));
    node->layout = node->left->layout;
    node->types = node->left->types;
    node->lock.scan.table = table;
    node->lock.scan.alias = scan->scan.alias;
    node->lock.scan.primary = primary;
    node->lock.lock = rel->lock.lock;
    node->lock.wait = rel->lock.wait;
    node->lock.key_count = primary->key_count;
    node->lock.key_columns = ARENA_ARRAY(planner->arena, uint32_t, primary->key_count);
    for (uint32_t k = 0; k < primary->key_count; k++) {
        uint32_t column =
            layout_find(&node->layout, scan->scan.base + primary->keys[k].ordinal);
        if (column == UINT32_MAX) return status_make(E_INTERNAL, "planner lost a key to lock");
        node->lock.key_columns[k] = column;
    }
    if (scan->scan.no_validate) TRY(lock_recheck(planner, scan, node));
    node->rows = node->left->rows;
    node->cost = node->left->cost + node->rows * COST_POINT;
    *out = node;

out:
    return st;
}

// --- dispatch ----------------------------------------------------------------------------------------

static struct node *empty_node(
    struct planner *planner, const struct rel *rel, const struct var_set *needed)
{
    struct node *node = plan_new_node(planner, rel->kind == REL_ONE ? NODE_ONE : NODE_EMPTY);
    struct var_set given = wanted_of(planner, rel, needed);
    plan_set_layout(planner, node, &given);
    node->rows = rel->kind == REL_ONE;
    return node;
}

#define NODE_WORK 8u // For bind_work.

struct status plan_node(struct planner *planner, struct rel *rel, const struct var_set *needed,
    const struct want *want, struct node **node, bool *ordered)
{
    struct status st = STATUS_OK;
    uint32_t subqueries_above = planner->subquery_depth;
    planner->subquery_depth = 0;
    if (ordered != NULL) *ordered = false;
    if (++planner->depth > 4 * NODE_DEPTH_MAX)
        TRY(status_make(E_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
    TRY(bind_work(planner->binder, NODE_WORK));
    switch (rel->kind) {
    case REL_ONE:
    case REL_EMPTY: *node = empty_node(planner, rel, needed); break;
    case REL_SCAN: TRY(plan_scan(planner, rel, NULL, needed, want, node, ordered)); break;
    case REL_VIRTUAL:
    case REL_SEQUENCE: TRY(plan_virtual(planner, rel, needed, node)); break;
    case REL_VALUES: TRY(plan_values(planner, rel, needed, node)); break;
    case REL_FUNCTION: TRY(plan_function(planner, rel, node)); break;
    case REL_FILTER: TRY(plan_filter(planner, rel, needed, want, node, ordered)); break;
    case REL_PROJECT: TRY(plan_project(planner, rel, needed, want, node, ordered)); break;
    case REL_PROJECT_SET: TRY(plan_project_set(planner, rel, needed, node)); break;
    case REL_JOIN: TRY(plan_join(planner, rel, needed, want, node, ordered)); break;
    case REL_AGGREGATE: TRY(plan_aggregate(planner, rel, node)); break;
    case REL_WINDOW: TRY(plan_window(planner, rel, needed, want, node, ordered)); break;
    case REL_DISTINCT: TRY(plan_distinct(planner, rel, needed, want, node, ordered)); break;
    case REL_SORT:
        TRY(plan_sort(planner, rel, needed, want == NULL ? 0 : want->limit, node));
        break;
    case REL_LIMIT: TRY(plan_limit(planner, rel, needed, node)); break;
    case REL_UNION_ALL: TRY(plan_set(planner, rel, needed, NODE_APPEND, node)); break;
    case REL_SET: TRY(plan_set(planner, rel, needed, NODE_SET, node)); break;
    case REL_WITH: TRY(plan_with(planner, rel, needed, want, node, ordered)); break;
    case REL_CTE: TRY(plan_cte(planner, rel, needed, node)); break;
    case REL_RECURSIVE: TRY(plan_recursive(planner, rel, node)); break;
    case REL_WORKTABLE: TRY(plan_worktable(planner, rel, node)); break;
    case REL_LOCK: TRY(plan_lock(planner, rel, needed, want, node, ordered)); break;
    case REL_INSERT:
    case REL_UPDATE:
    case REL_DELETE: TRY(plan_write(planner, rel, needed, node)); break;
    }
    plan_node_depth(*node);
    if ((*node)->depth < planner->subquery_depth + 1) (*node)->depth = planner->subquery_depth + 1;
    if ((*node)->depth > NODE_DEPTH_MAX)
        TRY(status_make(E_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));

out:
    planner->depth--;
    planner->subquery_depth = subqueries_above;
    return st;
}
