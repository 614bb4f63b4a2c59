// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rules on the logical plan: single-use WITH queries in place, conditions as far down as they go, outer
// joins that conditions make inner, EXISTS and IN as semijoins; and estimates.
#include "core/invariant.h"
#include "sql/plan/plan_internal.h"

struct rewriter {
    struct binder *binder;
    struct arena *arena;
};

static struct rel *push(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts);

static struct var_set outputs_of(struct rewriter *r, const struct rel *rel)
{
    struct var_set set = var_set_new(r->arena, r->binder->var_count);
    rel_output_vars(rel, &set);
    return set;
}

static struct var_set vars_of(struct rewriter *r, const struct scalar *scalar)
{
    struct var_set set = var_set_new(r->arena, r->binder->var_count);
    scalar_collect_vars(scalar, &set);
    return set;
}

static struct rel *filter_above(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    if (conjuncts->count == 0) return rel;
    struct rel *filter = rel_new(r->arena, REL_FILTER);
    filter->left = rel;
    filter->filter.conjuncts = *conjuncts;
    return filter;
}

static struct rel *push_nothing(struct rewriter *r, struct rel *rel)
{
    struct scalar_list none = {0};
    return rel == NULL ? NULL : push(r, rel, &none);
}

// --- WITH --------------------------------------------------------------------------------------------

static bool is_inlined(const struct rel_cte *cte)
{
    return cte->references == 1 && !cte->materialized && !cte->modifies;
}

static struct rel *inline_cte(struct rewriter *r, struct rel *rel)
{
    const struct rel_cte *cte = rel->cte.cte;
    struct rel *project = rel_new(r->arena, REL_PROJECT);
    project->left = cte->rel;
    for (uint32_t i = 0; i < cte->var_count; i++)
        rel_item_add(r->arena, &project->project, rel->cte.vars[i],
            bind_var(r->binder, cte->vars[i], POSITION_NONE));
    return project;
}

static struct rel *push_with(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rel->with.count; i++) {
        struct rel_cte *cte = rel->with.ctes[i];
        if (is_inlined(cte) || (cte->references == 0 && !cte->modifies)) continue;
        cte->rel = push_nothing(r, cte->rel);
        rel->with.ctes[kept++] = cte;
    }
    rel->with.count = kept;
    rel->left = push(r, rel->left, conjuncts);
    return kept == 0 && !rel->with.statement ? rel->left : rel;
}

// --- EXISTS and IN -----------------------------------------------------------------------------------

// Takes off what does not matter to whether a row exists.
static struct rel *strip_for_exists(struct rel *rel)
{
    for (;;) {
        bool plain_distinct = rel->kind == REL_DISTINCT;
        if (rel->kind != REL_PROJECT && rel->kind != REL_SORT && !plain_distinct) return rel;
        rel = rel->left;
    }
}

// Moves conjuncts that mention `outer` from the filters at the top of the tree into `on`.
static struct rel *hoist(
    struct rewriter *r, struct rel *rel, const struct var_set *outer, struct scalar_list *on)
{
    if (rel->kind == REL_PROJECT) {
        rel->left = hoist(r, rel->left, outer, on);
        return rel;
    }
    if (rel->kind != REL_FILTER) return rel;
    struct scalar_list stay = {0};
    for (uint32_t i = 0; i < rel->filter.conjuncts.count; i++) {
        struct scalar *conjunct = rel->filter.conjuncts.items[i];
        struct var_set used = vars_of(r, conjunct);
        bool moves = var_set_overlaps(&used, outer) && !scalar_has_subquery(conjunct);
        scalar_list_add(r->arena, moves ? on : &stay, conjunct);
    }
    rel->left = hoist(r, rel->left, outer, on);
    if (stay.count == 0) return rel->left;
    rel->filter.conjuncts = stay;
    return rel;
}

static struct rel *semijoin(struct rewriter *r, struct rel *input, enum rel_join kind,
    struct rel *inner, struct scalar *on)
{
    struct rel *join = rel_join(r->arena, kind, input, inner);
    struct var_set outer = outputs_of(r, input);
    join->right = hoist(r, inner, &outer, &join->join.on);
    if (on != NULL) scalar_list_add_conjuncts(r->arena, &join->join.on, on);
    struct var_set used = var_set_new(r->arena, r->binder->var_count);
    rel_collect_vars(join->right, &used);
    join->join.lateral = var_set_overlaps(&used, &outer);
    return join;
}

// A conjunct that is an EXISTS or IN as a join with the filter's input; NULL when it is neither.
static struct rel *unnest(struct rewriter *r, struct rel *input, struct scalar *conjunct)
{
    bool negated = conjunct->kind == SCALAR_NOT;
    struct scalar *sub = negated ? conjunct->args[0] : conjunct;
    if (sub->kind != SCALAR_SUBQUERY || scalar_is_volatile(sub)) return NULL;
    if (sub->subquery.kind == SUBLINK_EXISTS)
        return semijoin(
            r, input, negated ? REL_ANTI : REL_SEMI, strip_for_exists(sub->subquery.rel), NULL);
    if (sub->subquery.kind != SUBLINK_ANY || negated || sub->subquery.compare == NULL) return NULL;
    for (uint32_t i = 0; i < sub->arg_count; i++)
        if (scalar_has_subquery(sub->args[i])) return NULL;
    struct scalar_substitution map = {sub->subquery.test_vars, sub->args, sub->arg_count};
    struct scalar *on = scalar_substitute(r->arena, sub->subquery.compare, &map);
    return semijoin(r, input, REL_SEMI, sub->subquery.rel, on);
}

static struct rel *push_filter(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct rel *input = rel->left;
    for (uint32_t i = 0; i < rel->filter.conjuncts.count; i++) {
        struct scalar *conjunct = rel->filter.conjuncts.items[i];
        struct rel *joined = unnest(r, input, conjunct);
        if (joined != NULL) input = joined;
        else scalar_list_add_conjuncts(r->arena, conjuncts, conjunct);
    }
    return push(r, input, conjuncts);
}

// --- conditions --------------------------------------------------------------------------------------

static bool is_false(const struct scalar *conjunct)
{
    return conjunct->kind == SCALAR_CONST && (conjunct->value.null || !conjunct->value.boolean);
}

// Whether a NULL in any of `vars` makes the conjunct not true.
static bool rejects_null(struct rewriter *r, const struct scalar *conjunct, const struct var_set *vars)
{
    if (conjunct->kind == SCALAR_IS && conjunct->test == IS_NOT_NULL)
        conjunct = conjunct->args[0];
    else if (conjunct->kind == SCALAR_IN)
        conjunct = conjunct->args[0];
    while (conjunct->kind == SCALAR_CAST) conjunct = conjunct->args[0];
    if (conjunct->kind == SCALAR_VAR) return var_set_has(vars, conjunct->var);
    if (conjunct->kind != SCALAR_CALL || !conjunct->function->strict) return false;
    for (uint32_t i = 0; i < conjunct->arg_count; i++)
        if (rejects_null(r, conjunct->args[i], vars)) return true;
    return false;
}

// Whether what makes the variables `made` can stand for them in the conjunct's subqueries too.
static bool is_substitutable(struct rewriter *r, const struct scalar *conjunct, const struct var_set *made)
{
    struct var_set bare = var_set_new(r->arena, r->binder->var_count);
    if (!scalar_has_subquery(conjunct)) return true;
    scalar_collect_bare_vars(conjunct, &bare);
    return !scalar_is_volatile(conjunct) && !var_set_overlaps(&bare, made);
}

static struct rel *push_project(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct scalar_list below = {0}, above = {0};
    uint32_t count = rel->project.count;
    var_id *from = ARENA_ARRAY(r->arena, var_id, count);
    struct scalar **to = ARENA_ARRAY(r->arena, struct scalar *, count);
    struct var_set fixed = var_set_new(r->arena, r->binder->var_count);
    struct var_set made = var_set_new(r->arena, r->binder->var_count);
    for (uint32_t i = 0; i < count; i++) {
        var_set_add(&made, rel->project.items[i].var);
        from[i] = rel->project.items[i].var;
        to[i] = rel->project.items[i].scalar;
        if (scalar_is_volatile(to[i]) || scalar_has_subquery(to[i])) var_set_add(&fixed, from[i]);
    }
    struct scalar_substitution map = {from, to, count};
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        struct scalar *conjunct = conjuncts->items[i];
        struct var_set used = vars_of(r, conjunct);
        if (var_set_overlaps(&used, &fixed) || !is_substitutable(r, conjunct, &made))
            scalar_list_add(r->arena, &above, conjunct);
        else
            scalar_list_add(
                r->arena, &below, scalar_substitute(r->arena, conjunct, &map));
    }
    rel->left = push(r, rel->left, &below);
    return filter_above(r, rel, &above);
}

static void strengthen_join(struct rewriter *r, struct rel *rel, const struct scalar_list *above,
    const struct var_set *right)
{
    if (rel->join.kind != REL_LEFT) return;
    for (uint32_t i = 0; i < above->count; i++)
        if (rejects_null(r, above->items[i], right)) rel->join.kind = REL_INNER;
}

// (a AND x) OR (b AND y) implies a OR b: where a and b are of one input alone, that input can be filtered
// before the join.
static void push_implied(struct rewriter *r, const struct scalar *conjunct,
    const struct var_set *given, struct scalar_list *to)
{
    struct scalar *implied = NULL;
    if (conjunct->kind != SCALAR_OR || scalar_has_subquery(conjunct) ||
        scalar_is_volatile(conjunct))
        return;
    implied = scalar_with_args(
        r->arena, SCALAR_OR, conjunct->type, conjunct->position, conjunct->arg_count);
    for (uint32_t i = 0; i < conjunct->arg_count; i++) {
        struct scalar_list branch = {0};
        struct scalar *own = NULL;
        scalar_list_add_conjuncts(r->arena, &branch, conjunct->args[i]);
        for (uint32_t k = 0; k < branch.count; k++) {
            struct var_set used = vars_of(r, branch.items[k]);
            if (!var_set_empty(&used) && var_set_contains(given, &used))
                own = scalar_and(r->arena, own, branch.items[k]);
        }
        if (own == NULL) return;
        implied->args[i] = own;
    }
    scalar_list_add(r->arena, to, implied);
}

// The variables that a tree gives and that are the same in all of its rows, as what they are.
struct constants {
    var_id *from;
    struct scalar **to;
    uint32_t count, capacity;
    struct var_set made;
};

static void constants_add(struct rewriter *r, struct constants *constants, const struct rel_item *item)
{
    if (!scalar_is_row_free(item->scalar) || scalar_is_volatile(item->scalar)) return;
    if (constants->count == constants->capacity) {
        uint32_t more = constants->capacity * 2 + 4;
        constants->from = arena_grow(r->arena, constants->from, constants->capacity * sizeof(var_id), more * sizeof(var_id));
        constants->to = arena_grow(r->arena, constants->to, constants->capacity * sizeof(struct scalar *),
            more * sizeof(struct scalar *));
        constants->capacity = more;
    }
    constants->from[constants->count] = item->var;
    constants->to[constants->count++] = item->scalar;
    var_set_add(&constants->made, item->var);
}

static void constants_of(struct rewriter *r, struct constants *constants, const struct rel *rel)
{
    for (; rel != NULL; rel = rel->left) {
        bool inner = rel->kind == REL_JOIN && rel->join.kind == REL_INNER;
        if (rel->kind == REL_JOIN && rel->join.kind == REL_FULL) return;
        if (inner) constants_of(r, constants, rel->right);
        if (rel->kind == REL_PROJECT)
            for (uint32_t i = 0; i < rel->project.count; i++)
                constants_add(r, constants, &rel->project.items[i]);
        else if (rel->kind != REL_JOIN && rel->kind != REL_FILTER && rel->kind != REL_SORT && rel->kind != REL_LIMIT)
            return;
    }
}

// A condition of both inputs that needs only a constant of the one is a condition of the other.
static void put_constants(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct constants constants = {.made = var_set_new(r->arena, r->binder->var_count)};
    if (rel->join.kind == REL_FULL || conjuncts->count == 0) return;
    constants_of(r, &constants, rel->left);
    if (rel->join.kind == REL_INNER) constants_of(r, &constants, rel->right);
    struct scalar_substitution map = {constants.from, constants.to, constants.count};
    for (uint32_t i = 0; i < conjuncts->count && constants.count > 0; i++) {
        struct var_set used = vars_of(r, conjuncts->items[i]);
        if (var_set_overlaps(&used, &constants.made) && is_substitutable(r, conjuncts->items[i], &constants.made))
            conjuncts->items[i] = scalar_substitute(r->arena, conjuncts->items[i], &map);
    }
}

static struct rel *push_join(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    put_constants(r, rel, conjuncts);
    struct var_set left = outputs_of(r, rel->left), right = outputs_of(r, rel->right);
    struct scalar_list to_left = {0}, to_right = {0}, on = {0}, above = {0};
    strengthen_join(r, rel, conjuncts, &right);
    enum rel_join kind = rel->join.kind;
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        struct scalar *conjunct = conjuncts->items[i];
        struct var_set used = vars_of(r, conjunct);
        bool uses_left = var_set_overlaps(&used, &left), uses_right = var_set_overlaps(&used, &right);
        // A subquery for each row is worth more when the join has taken rows away before.
        bool later = (kind == REL_SEMI || kind == REL_ANTI) && scalar_has_subquery(conjunct);
        if (kind == REL_FULL || later) scalar_list_add(r->arena, &above, conjunct);
        else if (!uses_right) scalar_list_add(r->arena, &to_left, conjunct);
        else if (kind != REL_INNER) scalar_list_add(r->arena, &above, conjunct);
        else if (!uses_left) scalar_list_add(r->arena, &to_right, conjunct);
        else scalar_list_add(r->arena, &on, conjunct);
    }
    // Not where it has been done already: conditions may be pushed more than once.
    uint32_t fresh = on.count;
    for (uint32_t i = 0; i < rel->join.on.count; i++) {
        struct scalar *conjunct = rel->join.on.items[i];
        struct var_set used = vars_of(r, conjunct);
        bool uses_left = var_set_overlaps(&used, &left), uses_right = var_set_overlaps(&used, &right);
        if (kind == REL_FULL) scalar_list_add(r->arena, &on, conjunct);
        else if (!uses_left && (uses_right || kind != REL_INNER))
            scalar_list_add(r->arena, &to_right, conjunct);
        else if (!uses_right && (kind == REL_INNER || kind == REL_SEMI))
            scalar_list_add(r->arena, &to_left, conjunct);
        else scalar_list_add(r->arena, &on, conjunct);
    }
    for (uint32_t i = 0; i < fresh && kind == REL_INNER; i++) {
        push_implied(r, on.items[i], &left, &to_left);
        push_implied(r, on.items[i], &right, &to_right);
    }
    rel->join.on = on;
    rel->left = push(r, rel->left, &to_left);
    rel->right = push(r, rel->right, &to_right);
    return filter_above(r, rel, &above);
}

static struct rel *push_aggregate(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct scalar_list below = {0}, above = {0};
    uint32_t count = rel->aggregate.groups.count;
    var_id *from = ARENA_ARRAY(r->arena, var_id, count);
    struct scalar **to = ARENA_ARRAY(r->arena, struct scalar *, count);
    struct var_set aggregates = var_set_new(r->arena, r->binder->var_count);
    for (uint32_t i = 0; i < count; i++) {
        from[i] = rel->aggregate.groups.items[i].var;
        to[i] = rel->aggregate.groups.items[i].scalar;
    }
    for (uint32_t i = 0; i < rel->aggregate.aggregate_count; i++)
        var_set_add(&aggregates, rel->aggregate.aggregates[i].var);
    struct scalar_substitution map = {from, to, count};
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        struct scalar *conjunct = conjuncts->items[i];
        struct var_set used = vars_of(r, conjunct);
        if (count == 0 || rel->aggregate.set_count > 0 || var_set_overlaps(&used, &aggregates) || scalar_has_subquery(conjunct) ||
            scalar_is_volatile(conjunct))
            scalar_list_add(r->arena, &above, conjunct);
        else
            scalar_list_add(
                r->arena, &below, scalar_substitute(r->arena, conjunct, &map));
    }
    rel->left = push(r, rel->left, &below);
    return filter_above(r, rel, &above);
}

static struct rel *push_distinct(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct scalar_list below = {0}, above = {0};
    struct var_set keys = var_set_new(r->arena, r->binder->var_count);
    struct var_set given = outputs_of(r, rel->left);
    for (uint32_t i = 0; i < rel->distinct.key_count; i++) var_set_add(&keys, rel->distinct.keys[i]);
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        struct var_set used = vars_of(r, conjuncts->items[i]);
        for (uint32_t w = 0; w < used.word_count && w < given.word_count; w++)
            used.words[w] &= given.words[w];
        bool moves = var_set_contains(&keys, &used) && !scalar_is_volatile(conjuncts->items[i]);
        scalar_list_add(r->arena, moves ? &below : &above, conjuncts->items[i]);
    }
    rel->left = push(r, rel->left, &below);
    return filter_above(r, rel, &above);
}

// Only a condition on what is one for all of a partition may take rows away before the functions see them.
static struct rel *push_window(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct scalar_list below = {0}, above = {0};
    struct var_set keys = var_set_new(r->arena, r->binder->var_count);
    struct var_set given = outputs_of(r, rel);
    for (uint32_t i = 0; i < rel->window.partition_count; i++)
        scalar_collect_vars(rel->window.keys[i].scalar, &keys);
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        struct var_set used = vars_of(r, conjuncts->items[i]);
        for (uint32_t w = 0; w < used.word_count && w < given.word_count; w++)
            used.words[w] &= given.words[w];
        bool moves = var_set_contains(&keys, &used) && !scalar_is_volatile(conjuncts->items[i]) &&
                     !scalar_has_subquery(conjuncts->items[i]);
        scalar_list_add(r->arena, moves ? &below : &above, conjuncts->items[i]);
    }
    rel->left = push(r, rel->left, &below);
    return filter_above(r, rel, &above);
}

static struct rel *push_union(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    struct scalar_list above = {0};
    struct scalar_list *below = ARENA_ARRAY(r->arena, struct scalar_list, rel->set.input_count);
    struct scalar **to = ARENA_ARRAY(r->arena, struct scalar *, rel->set.var_count);
    for (uint32_t c = 0; c < conjuncts->count; c++) {
        struct scalar *conjunct = conjuncts->items[c];
        if (scalar_has_subquery(conjunct) || scalar_is_volatile(conjunct)) {
            scalar_list_add(r->arena, &above, conjunct);
            continue;
        }
        for (uint32_t i = 0; i < rel->set.input_count; i++) {
            for (uint32_t v = 0; v < rel->set.var_count; v++)
                to[v] = bind_var(r->binder, rel->set.input_vars[i][v], POSITION_NONE);
            struct scalar_substitution map = {rel->set.vars, to, rel->set.var_count};
            scalar_list_add(
                r->arena, &below[i], scalar_substitute(r->arena, conjunct, &map));
        }
    }
    for (uint32_t i = 0; i < rel->set.input_count; i++)
        rel->set.inputs[i] = push(r, rel->set.inputs[i], &below[i]);
    return filter_above(r, rel, &above);
}

static struct rel *push(struct rewriter *r, struct rel *rel, struct scalar_list *conjuncts)
{
    for (uint32_t i = 0; i < conjuncts->count; i++)
        if (is_false(conjuncts->items[i]) && rel->kind != REL_INSERT && rel->kind != REL_UPDATE &&
            rel->kind != REL_DELETE) {
            struct rel *empty = rel_new(r->arena, REL_EMPTY);
            empty->left = rel; // What its variables would have been.
            return empty;
        }
    switch (rel->kind) {
    case REL_FILTER: return push_filter(r, rel, conjuncts);
    case REL_PROJECT: return push_project(r, rel, conjuncts);
    case REL_JOIN: return push_join(r, rel, conjuncts);
    case REL_AGGREGATE: return push_aggregate(r, rel, conjuncts);
    case REL_WINDOW: return push_window(r, rel, conjuncts);
    case REL_DISTINCT: return push_distinct(r, rel, conjuncts);
    case REL_UNION_ALL: return push_union(r, rel, conjuncts);
    case REL_WITH: return push_with(r, rel, conjuncts);
    case REL_CTE:
        if (is_inlined(rel->cte.cte)) return push(r, inline_cte(r, rel), conjuncts);
        return filter_above(r, rel, conjuncts);
    case REL_SORT: rel->left = push(r, rel->left, conjuncts); return rel;
    case REL_SCAN:
    case REL_VIRTUAL:
    case REL_SEQUENCE:
        scalar_list_add_list(r->arena, &rel->scan.conjuncts, conjuncts);
        return rel;
    case REL_SET:
    case REL_RECURSIVE:
        for (uint32_t i = 0; i < rel->set.input_count; i++)
            rel->set.inputs[i] = push_nothing(r, rel->set.inputs[i]);
        return filter_above(r, rel, conjuncts);
    default:
        rel->left = push_nothing(r, rel->left);
        rel->right = push_nothing(r, rel->right);
        return filter_above(r, rel, conjuncts);
    }
}

struct rel *plan_rewrite(struct binder *binder, struct rel *rel)
{
    struct rewriter r = {binder, binder->arena};
    return push_nothing(&r, rel);
}
