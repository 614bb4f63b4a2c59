// SPDX-License-Identifier: GPL-3.0-or-later
//
// Custom plans: parameters become the constants that they are in one execution, before anything is planned. One that
// is missed here stays a parameter, and the plan right.
#include "sql/plan/plan_internal.h"

struct values {
    struct arena *arena;
    const struct datum *items;
    uint32_t count;
    uint32_t seed; // The slot of the statement's own.
};

static void put_in_rel(struct rel *rel, struct values *values);

static void put(struct scalar **at, void *context)
{
    struct values *values = context;
    struct scalar *scalar = *at;
    if (scalar == NULL) return;
    if (scalar->kind == SCALAR_PARAM) {
        if (scalar->param == PARAM_SEED) scalar->param = values->seed;
        if (scalar->param >= values->count) return;
        struct datum value = values->items[scalar->param];
        if (!value.null && !type_is_by_value(scalar->type.oid))
            value.data = arena_copy(values->arena, datum_as_bytes(value)).data;
        scalar->kind = SCALAR_CONST;
        scalar->value = value;
        return;
    }
    for (uint32_t i = 0; i < scalar->arg_count; i++) put(&scalar->args[i], values);
    if (scalar->kind == SCALAR_ANY_ARRAY) put(&scalar->any_array.compare, values);
    if (scalar->kind != SCALAR_SUBQUERY) return;
    put(&scalar->subquery.compare, values);
    put_in_rel(scalar->subquery.rel, values);
}

static void put_in_rel(struct rel *rel, struct values *values)
{
    if (rel == NULL) return;
    rel_each_scalar(rel, put, values);
    if (rel->kind == REL_UNION_ALL || rel->kind == REL_SET || rel->kind == REL_RECURSIVE)
        for (uint32_t i = 0; i < rel->set.input_count; i++) put_in_rel(rel->set.inputs[i], values);
    if (rel->kind == REL_WITH)
        for (uint32_t i = 0; i < rel->with.count; i++) put_in_rel(rel->with.ctes[i]->rel, values);
    put_in_rel(rel->left, values);
    put_in_rel(rel->right, values);
}

void plan_put_values(
    struct arena *arena, struct rel *rel, const struct datum *items, uint32_t count)
{
    struct values values = {arena, items, count, PARAM_SEED};
    put_in_rel(rel, &values);
}

void plan_put_seed(struct rel *rel, uint32_t slot)
{
    struct values values = {.seed = slot};
    put_in_rel(rel, &values);
}
