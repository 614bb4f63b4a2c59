// SPDX-License-Identifier: GPL-3.0-or-later
//
// The order of inner joins: the cheapest left-deep one, found by dynamic programming over sets of inputs
// up to ORDER_EXACT_MAX of them, and by always taking the cheapest next one beyond.
#include <math.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "sql/plan/plan_internal.h"

#define ORDER_EXACT_MAX 10u
#define COST_UNCONNECTED 1e3 // A cross product is the last resort.

struct input {
    struct rel *rel;
    struct var_set given;
    double rows, cost; // Of reading it by itself.
};

struct step {
    double cost, rows;
    uint32_t last;   // The input that was joined last.
    uint32_t before; // The set that it was joined to.
};

// Looking an input up by the conditions `edges` (bits of `on`): once for each row of the left side.
struct lookup {
    uint32_t input;
    uint64_t edges;
    double cost, rows;
};

struct ordering {
    struct planner *planner;
    struct input *inputs;
    uint32_t count;
    const struct scalar_list *on;
    const struct var_set *needed;
    uint32_t *users;    // Per condition: the inputs that it mentions, as bits (count <= 32), or 0: none.
    struct lookup *lookups;
    uint32_t lookup_count, lookup_capacity;
};

static struct status ordering_begin(struct ordering *ordering, struct rel *const *items)
{
    struct status st = STATUS_OK;
    struct planner *planner = ordering->planner;
    struct arena *arena = planner->arena;
    ordering->inputs = ARENA_ARRAY(arena, struct input, ordering->count);
    ordering->users = ARENA_ARRAY(arena, uint32_t, ordering->on->count);
    for (uint32_t i = 0; i < ordering->count; i++) {
        struct input *input = &ordering->inputs[i];
        input->rel = items[i];
        input->given = var_set_new(arena, planner->binder->var_count);
        rel_output_vars(items[i], &input->given);
        input->rows = plan_estimate_rows(items[i]);
        input->cost = input->rows * COST_ROW;
        double rows;
        if (items[i]->kind == REL_SCAN && items[i]->scan.table->index_count > 0)
            TRY(plan_scan_cost(planner, items[i], NULL, ordering->needed, &input->cost, &rows));
    }
    for (uint32_t c = 0; c < ordering->on->count; c++) {
        struct var_set used = var_set_new(arena, planner->binder->var_count);
        scalar_collect_vars(ordering->on->items[c], &used);
        for (uint32_t i = 0; i < ordering->count; i++)
            if (var_set_overlaps(&used, &ordering->inputs[i].given))
                ordering->users[c] |= UINT32_C(1) << i;
    }
out:
    return st;
}

// Conditions that become decidable when `next` joins the set.
static void decidable(
    const struct ordering *ordering, uint32_t set, uint32_t next, struct scalar_list *out, uint64_t *edges)
{
    uint32_t with = set | UINT32_C(1) << next;
    *edges = 0;
    for (uint32_t c = 0; c < ordering->on->count; c++) {
        uint32_t users = ordering->users[c];
        if ((users & ~with) != 0 || (users >> next & 1) == 0) continue;
        scalar_list_add(ordering->planner->arena, out, ordering->on->items[c]);
        if (c < 64) *edges |= UINT64_C(1) << c;
    }
}

static struct status look_up(struct ordering *ordering, uint32_t next, uint64_t edges,
    const struct scalar_list *on, double *cost, double *rows)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < ordering->lookup_count; i++) {
        const struct lookup *known = &ordering->lookups[i];
        if (known->input != next || known->edges != edges) continue;
        *cost = known->cost;
        *rows = known->rows;
        return STATUS_OK;
    }
    struct arena *arena = ordering->planner->arena;
    TRY(plan_scan_cost(
        ordering->planner, ordering->inputs[next].rel, on, ordering->needed, cost, rows));
    if (ordering->lookup_count == ordering->lookup_capacity) {
        uint32_t capacity = ordering->lookup_capacity == 0 ? 16 : 2 * ordering->lookup_capacity;
        ordering->lookups = arena_grow(arena, ordering->lookups,
            ordering->lookup_capacity * sizeof(struct lookup), capacity * sizeof(struct lookup));
        ordering->lookup_capacity = capacity;
    }
    ordering->lookups[ordering->lookup_count++] = (struct lookup){next, edges, *cost, *rows};
out:
    return st;
}

// What joining `next` to the set costs in all, and how many rows then are there.
static struct status extend(struct ordering *ordering, uint32_t set, const struct step *from,
    uint32_t next, struct step *to)
{
    struct status st = STATUS_OK;
    struct input *input = &ordering->inputs[next];
    struct scalar_list on = {0};
    uint64_t edges;
    decidable(ordering, set, next, &on, &edges);
    struct rel *lefts[32];
    uint32_t left_count = 0;
    for (uint32_t i = 0; i < ordering->count; i++)
        if (set >> i & 1) lefts[left_count++] = ordering->inputs[i].rel;
    double share = plan_join_selectivity(&on, lefts, left_count, input->rel, from->rows);
    double rows = from->rows * input->rows * share;
    if (rows < 1) rows = 1;
    double smaller = from->rows < input->rows ? from->rows : input->rows;
    double larger = from->rows < input->rows ? input->rows : from->rows;
    double cost = input->cost + smaller * COST_HASH_BUILD + larger * COST_HASH_PROBE;
    if (on.count == 0) cost += from->rows * input->rows * COST_FILTER + COST_UNCONNECTED;
    if (on.count > 0 && input->rel->kind == REL_SCAN && input->rel->scan.table->index_count > 0) {
        double once, matches;
        TRY(look_up(ordering, next, edges, &on, &once, &matches));
        double looped = from->rows * (once + 0.1);
        if (looped < cost) cost = looped;
    }
    *to = (struct step){from->cost + cost + rows * COST_FILTER, rows, next, set};
out:
    return st;
}

static bool connects(const struct ordering *ordering, uint32_t set, uint32_t next)
{
    for (uint32_t c = 0; c < ordering->on->count; c++) {
        uint32_t users = ordering->users[c];
        if ((users >> next & 1) && (users & set) != 0) return true;
    }
    return false;
}

static struct step alone(const struct ordering *ordering, uint32_t input)
{
    return (struct step){
        ordering->inputs[input].cost, ordering->inputs[input].rows, input, 0};
}

static struct status exact(struct ordering *ordering, uint32_t *order, double *rows)
{
    struct status st = STATUS_OK;
    uint32_t all = (UINT32_C(1) << ordering->count) - 1;
    struct step *steps = ARENA_ARRAY(ordering->planner->arena, struct step, all + 1);
    for (uint32_t set = 1; set <= all; set++) steps[set].cost = INFINITY;
    for (uint32_t i = 0; i < ordering->count; i++) steps[UINT32_C(1) << i] = alone(ordering, i);
    for (uint32_t set = 1; set < all; set++) {
        if (steps[set].cost == INFINITY) continue;
        bool any = false;
        for (uint32_t i = 0; i < ordering->count; i++)
            any |= !(set >> i & 1) && connects(ordering, set, i);
        for (uint32_t i = 0; i < ordering->count; i++) {
            if (set >> i & 1 || (any && !connects(ordering, set, i))) continue;
            struct step step, *known = &steps[set | UINT32_C(1) << i];
            TRY(extend(ordering, set, &steps[set], i, &step));
            if (known->cost == INFINITY || (step.cost < known->cost) != SIM_MAYBE("plan.other_order"))
                *known = step;
        }
    }
    uint32_t at = ordering->count;
    for (uint32_t set = all; set != 0; set = steps[set].before) {
        invariant(at > 0 && steps[set].cost < INFINITY);
        order[--at] = steps[set].last;
        rows[at] = steps[set].rows;
    }
out:
    return st;
}

static struct status greedy(struct ordering *ordering, uint32_t *order, double *rows)
{
    struct status st = STATUS_OK;
    uint32_t set = 0, first = 0;
    for (uint32_t i = 1; i < ordering->count; i++)
        if (ordering->inputs[i].rows < ordering->inputs[first].rows) first = i;
    struct step step = alone(ordering, first);
    for (uint32_t n = 0; n < ordering->count; n++) {
        order[n] = step.last;
        rows[n] = step.rows;
        set |= UINT32_C(1) << step.last;
        struct step best = {.cost = INFINITY};
        bool best_connects = false;
        for (uint32_t i = 0; i < ordering->count; i++) {
            if (set >> i & 1) continue;
            struct step next;
            bool linked = connects(ordering, set, i);
            if (best_connects && !linked) continue;
            TRY(extend(ordering, set, &step, i, &next));
            if (next.cost < best.cost || (linked && !best_connects)) best = next;
            best_connects |= linked;
        }
        step = best;
    }
out:
    return st;
}

struct status plan_join_order(struct planner *planner, struct rel *const *items, uint32_t count,
    const struct scalar_list *on, const struct var_set *needed, uint32_t *order, double *rows)
{
    struct status st;
    struct ordering ordering = {.planner = planner, .count = count, .on = on, .needed = needed};
    invariant(count >= 1 && count <= 32);
    TRY(ordering_begin(&ordering, items));
    TRY(count <= ORDER_EXACT_MAX ? exact(&ordering, order, rows)
                                 : greedy(&ordering, order, rows));
out:
    return st;
}
