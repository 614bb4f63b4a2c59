// SPDX-License-Identifier: GPL-3.0-or-later
//
// The node of window functions, over an input that is sorted by their keys.
#include "core/invariant.h"
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"

#define COST_WINDOW_CALL 0.5 // Of one function for one row.

struct window_build {
    struct planner *planner;
    struct scalar **kept; // Computed for each row, behind what is passed on.
    uint32_t kept_count;
    struct scalar **single; // Computed once.
    uint32_t single_count;
};

static uint32_t keep(struct window_build *build, struct scalar *scalar)
{
    if (scalar == NULL) return UINT32_MAX;
    for (uint32_t i = 0; i < build->kept_count; i++)
        if (build->kept[i] == scalar || scalar_equal(build->kept[i], scalar)) return i;
    build->kept[build->kept_count] = scalar;
    return build->kept_count++;
}

static uint32_t single(struct window_build *build, struct scalar *scalar)
{
    if (scalar == NULL) return UINT32_MAX;
    build->single[build->single_count] = scalar;
    return build->single_count++;
}

static void plan_frame(
    struct window_build *build, const struct rel_frame *from, struct node_frame *frame)
{
    *frame = (struct node_frame){.mode = from->mode,
        .start = from->start,
        .end = from->end,
        .exclusion = from->exclusion};
    frame->start_offset = single(
        build, from->start_offset != NULL ? from->start_offset : from->start_negative);
    frame->end_offset =
        single(build, from->end_offset != NULL ? from->end_offset : from->end_negative);
    frame->start_key = keep(build, from->start_key);
    frame->start_value = keep(build, from->start_value);
    frame->end_key = keep(build, from->end_key);
    frame->end_value = keep(build, from->end_value);
    if (from->start_key != NULL) frame->start_type = collation_type(from->start_key->type);
    if (from->end_key != NULL) frame->end_type = collation_type(from->end_key->type);
}

static void plan_calls(
    struct window_build *build, const struct rel_window *window, struct node_window *node)
{
    struct arena *arena = build->planner->arena;
    node->calls = ARENA_ARRAY(arena, struct node_window_call, window->call_count);
    node->call_count = window->call_count;
    for (uint32_t i = 0; i < window->call_count; i++) {
        const struct rel_window_call *from = &window->calls[i];
        struct node_window_call *call = &node->calls[i];
        call->function = from->function;
        call->type = from->type;
        call->arg_count = from->arg_count;
        call->args = ARENA_ARRAY(arena, uint32_t, from->arg_count);
        call->arg_types = ARENA_ARRAY(arena, struct type, from->arg_count);
        for (uint32_t a = 0; a < from->arg_count; a++) {
            call->args[a] = keep(build, plan_where(arena, from->filter, from->args[a]));
            call->arg_types[a] = from->args[a]->type;
        }
        call->filter = keep(build, from->filter);
        plan_frame(build, &from->frame, &call->frame);
    }
}

// Columns of the kept rows count from the first that is passed on.
static void shift(uint32_t *column, uint32_t by)
{
    if (*column != UINT32_MAX) *column += by;
}

static void shift_columns(struct node_window *node, uint32_t by)
{
    for (uint32_t i = 0; i < node->call_count; i++) {
        struct node_window_call *call = &node->calls[i];
        for (uint32_t a = 0; a < call->arg_count; a++) shift(&call->args[a], by);
        shift(&call->filter, by);
        shift(&call->frame.start_key, by);
        shift(&call->frame.start_value, by);
        shift(&call->frame.end_key, by);
        shift(&call->frame.end_value, by);
    }
}

static void plan_keys(const struct rel_window *window, struct node *node)
{
    struct node_window *out = &node->window;
    for (uint32_t k = 0; k < window->key_count; k++) {
        const struct rel_order *key = &window->keys[k];
        uint32_t column = layout_find(&node->left->layout, key->scalar->var);
        // A variable of an outer query is the same for all rows.
        if (column == UINT32_MAX) continue;
        out->keys[out->key_count++] = (struct node_sort_key){
            column, node->left->types[column], key->descending, key->nulls_first};
        if (k < window->partition_count) out->partition_count++;
    }
}

static bool gives_order(const struct rel_window *window, const struct want *want)
{
    if (want == NULL || want->count == 0 || want->count > window->key_count) return false;
    for (uint32_t i = 0; i < want->count; i++) {
        const struct rel_order *a = &want->order[i], *b = &window->keys[i];
        if (a->scalar->kind != SCALAR_VAR || a->scalar->var != b->scalar->var ||
            a->descending != b->descending || a->nulls_first != b->nulls_first)
            return false;
    }
    return true;
}

static uint32_t scalar_count(const struct rel_window *window)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < window->call_count; i++) count += window->calls[i].arg_count + 5;
    return count;
}

static struct status plan_programs(
    struct planner *planner, struct window_build *build, struct node *node)
{
    struct status st = STATUS_OK;
    struct node_window *window = &node->window;
    const struct layout *input = &node->left->layout;
    uint32_t width = input->count + build->kept_count;
    struct layout none = {0};
    window->pass_count = input->count;
    window->kept_count = width;
    window->kept_types = ARENA_ARRAY(planner->arena, type_oid, width + window->call_count);
    for (uint32_t i = 0; i < input->count; i++) window->kept_types[i] = node->left->types[i];
    for (uint32_t i = 0; i < build->kept_count; i++)
        window->kept_types[input->count + i] = collation_type(build->kept[i]->type);
    for (uint32_t i = 0; i < window->call_count; i++)
        window->kept_types[width + i] = window->calls[i].type.oid;
    TRY(plan_program(planner, input, build->kept, build->kept_count, &window->program));
    if (build->single_count > 0)
        TRY(plan_program(planner, &none, build->single, build->single_count, &window->offsets));

out:
    return st;
}

struct status plan_window(struct planner *planner, struct rel *rel, const struct var_set *needed,
    const struct want *want, struct node **out, bool *ordered)
{
    struct status st = STATUS_OK;
    const struct rel_window *window = &rel->window;
    struct node *node = plan_new_node(planner, NODE_WINDOW);
    struct var_set below = var_set_new(planner->arena, planner->binder->var_count);
    struct window_build build = {.planner = planner,
        .kept = ARENA_ARRAY(planner->arena, struct scalar *, scalar_count(window)),
        .single = ARENA_ARRAY(planner->arena, struct scalar *, 2 * (size_t)window->call_count)};
    rel_output_vars(rel->left, &below);
    for (uint32_t w = 0; w < below.word_count; w++) below.words[w] &= needed->words[w];
    for (uint32_t k = 0; k < window->key_count; k++)
        scalar_collect_vars(window->keys[k].scalar, &below);
    plan_calls(&build, window, &node->window);
    for (uint32_t i = 0; i < build.kept_count; i++) scalar_collect_vars(build.kept[i], &below);
    TRY(plan_node(planner, rel->left, &below, NULL, &node->left, NULL));
    const struct layout *input = &node->left->layout;
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, input->count + window->call_count);
    for (uint32_t i = 0; i < input->count; i++) vars[i] = input->vars[i];
    for (uint32_t i = 0; i < window->call_count; i++) {
        const struct rel_window_call *call = &window->calls[i];
        vars[input->count + i] = call->var;
        plan_show_call(planner, call->var,
            &(struct shown_call){call->function, call->args, call->arg_count, call->filter, false,
                true});
    }
    plan_layout_vars(planner, node, vars, input->count + window->call_count);
    node->window.keys = ARENA_ARRAY(planner->arena, struct node_sort_key, window->key_count);
    plan_keys(window, node);
    shift_columns(&node->window, input->count);
    TRY(plan_programs(planner, &build, node));
    node->rows = node->left->rows;
    node->cost = node->left->cost + node->rows * window->call_count * COST_WINDOW_CALL;
    if (ordered != NULL) *ordered = gives_order(window, want);
    *out = node;

out:
    return st;
}
