// SPDX-License-Identifier: GPL-3.0-or-later
//
// a = b AND b = c: then a = c, too. Which of the three connects the inputs of joins is for their order to say.
#include "core/deep.h"
#include "sql/plan/plan_internal.h"

#define MEMBERS_MAX 32u
#define CONDITIONS_MAX 60u

struct member {
    struct scalar *column;
    const struct scalar *sample; // An equality that mentions it.
    uint32_t item, class;
};
struct members {
    struct member items[MEMBERS_MAX];
    uint32_t count;
};

static bool is_column_equality(const struct scalar *conjunct)
{
    return conjunct->kind == SCALAR_CALL && scalar_compare_of(conjunct) == COMPARE_EQ &&
           conjunct->arg_count == 2 && conjunct->args[0]->kind == SCALAR_VAR &&
           conjunct->args[1]->kind == SCALAR_VAR &&
           conjunct->args[0]->type.oid == conjunct->args[1]->type.oid;
}

static uint32_t item_of(
    struct planner *planner, struct rel *const *items, uint32_t count, var_id var)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i]->kind == REL_SCAN) {
            if (var >= items[i]->scan.base && var - items[i]->scan.base < items[i]->scan.table->column_count) return i;
            continue;
        }
        if (!deep_goes_on(1 + planner->binder->var_count / 32)) break;
        struct var_set given = var_set_new(planner->arena, planner->binder->var_count);
        rel_output_vars(items[i], &given);
        if (var_set_has(&given, var)) return i;
    }
    return UINT32_MAX;
}

static uint32_t member_of(struct members *members, struct scalar *column,
    const struct scalar *sample, uint32_t item)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].column->var == column->var) return i;
    if (members->count == MEMBERS_MAX || item == UINT32_MAX) return UINT32_MAX;
    uint32_t at = members->count++;
    members->items[at] = (struct member){column, sample, item, at};
    return at;
}

static void unite(struct members *members, uint32_t a, uint32_t b)
{
    uint32_t from = members->items[a].class, to = members->items[b].class;
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].class == from) members->items[i].class = to;
}

static bool is_there(const struct scalar_list *on, var_id a, var_id b)
{
    for (uint32_t i = 0; i < on->count; i++) {
        const struct scalar *conjunct = on->items[i];
        if (!is_column_equality(conjunct)) continue;
        var_id x = conjunct->args[0]->var, y = conjunct->args[1]->var;
        if ((x == a && y == b) || (x == b && y == a)) return true;
    }
    return false;
}

bool plan_equalities_close(struct planner *planner, struct rel *const *items, uint32_t count,
    struct scalar_list *on)
{
    struct arena *arena = planner->arena;
    bool complete = true;
    if (count < 3) return false;
    struct members *members = ARENA_NEW(arena, struct members);
    for (uint32_t i = 0; i < on->count; i++) {
        struct scalar *conjunct = on->items[i];
        uint32_t at[2];
        if (!is_column_equality(conjunct)) continue;
        for (uint32_t side = 0; side < 2; side++)
            at[side] = member_of(members, conjunct->args[side], conjunct,
                item_of(planner, items, count, conjunct->args[side]->var));
        bool alike = at[0] != UINT32_MAX && at[1] != UINT32_MAX &&
                     members->items[at[0]].sample->function == conjunct->function &&
                     members->items[at[1]].sample->function == conjunct->function;
        if (alike) unite(members, at[0], at[1]);
        complete &= alike;
    }
    for (uint32_t i = 0; i < members->count; i++) {
        for (uint32_t k = i + 1; k < members->count; k++) {
            const struct member *a = &members->items[i], *b = &members->items[k];
            if (a->class != b->class || a->item == b->item ||
                is_there(on, a->column->var, b->column->var))
                continue;
            if (on->count >= CONDITIONS_MAX) return false;
            struct scalar *made = ARENA_NEW(arena, struct scalar);
            *made = *a->sample;
            made->args = ARENA_ARRAY(arena, struct scalar *, 2);
            made->args[0] = a->column;
            made->args[1] = b->column;
            scalar_list_add(arena, on, made);
        }
    }
    return complete;
}

// r = a and r = b, where a and b are of two inputs that have been joined: their equality was a condition of
// that join, or followed from one.
void plan_equalities_thin(struct planner *planner, struct rel *const *items, uint32_t count,
    uint32_t next, struct scalar_list *on)
{
    uint32_t kept = 0;
    if (count < 3) return;
    for (uint32_t i = 0; i < on->count; i++) {
        struct scalar *conjunct = on->items[i];
        bool implied = false;
        if (is_column_equality(conjunct)) {
            uint32_t side = item_of(planner, items, count, conjunct->args[0]->var) == next ? 0 : 1;
            uint32_t item = item_of(planner, items, count, conjunct->args[1 - side]->var);
            for (uint32_t k = 0; k < kept && !implied; k++) {
                const struct scalar *former = on->items[k];
                if (!is_column_equality(former) || former->function != conjunct->function) continue;
                uint32_t own = former->args[0]->var == conjunct->args[side]->var ? 0 : 1;
                if (former->args[own]->var != conjunct->args[side]->var) continue;
                uint32_t other = item_of(planner, items, count, former->args[1 - own]->var);
                implied = other != item && other != UINT32_MAX && item != UINT32_MAX &&
                          other != next && item != next;
            }
        }
        if (!implied) on->items[kept++] = conjunct;
    }
    on->count = kept;
}
