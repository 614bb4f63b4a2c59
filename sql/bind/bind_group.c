// SPDX-License-Identifier: GPL-3.0-or-later
//
// GROUP BY, GROUPING SETS, ROLLUP, CUBE and what may stand beside them in a SELECT list.
#include "core/invariant.h"
#include "sql/bind/resolution.h"
#include "sql/bind/bind_select.h"

static bool input_has_column(const struct scope *scope, const struct expr *expr)
{
    for (uint32_t i = 0; i < scope->names.column_count; i++)
        if (!scope->names.columns[i].merged &&
            strcmp(scope->names.columns[i].name, expr->column.names[0]) == 0)
            return true;
    return false;
}

// --- sets of groups ----------------------------------------------------------------------------------

#define SETS_MAX 4096u
#define CUBE_ITEMS_MAX 12u

// One set: which of build->groups it groups by.
struct set_list {
    struct group_set *items;
    uint32_t count, capacity;
};

static struct status too_many_sets(struct binder *binder, uint32_t position)
{
    return bind_error(binder, position, E_STATEMENT_TOO_COMPLEX,
        "too many grouping sets present (maximum %u)", SETS_MAX);
}

static struct status add_set(
    struct binder *binder, struct set_list *list, struct group_set set, uint32_t position)
{
    if (list->count >= SETS_MAX) return too_many_sets(binder, position);
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        list->items = arena_grow(binder->arena, list->items, list->capacity * sizeof set,
            capacity * sizeof set);
        list->capacity = capacity;
    }
    list->items[list->count++] = set;
    return STATUS_OK;
}

static bool set_has(const struct group_set *set, uint32_t group)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->groups[i] == group) return true;
    return false;
}

static struct group_set set_union(
    struct binder *binder, const struct group_set *a, const struct group_set *b)
{
    struct group_set both = {ARENA_ARRAY(binder->arena, uint32_t, a->count + b->count), 0};
    for (uint32_t i = 0; i < a->count; i++) both.groups[both.count++] = a->groups[i];
    for (uint32_t i = 0; i < b->count; i++)
        if (!set_has(&both, b->groups[i])) both.groups[both.count++] = b->groups[i];
    return both;
}

static bool same_set(const struct group_set *a, const struct group_set *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!set_has(b, a->groups[i])) return false;
    return true;
}

static struct status bind_group_item(
    struct binder *binder, struct select_build *build, const struct expr *expr, uint32_t *group)
{
    struct status st = STATUS_OK;
    struct scalar *scalar = NULL;
    // A plain name means an input column before an output one.
    bool names = expr->kind == EXPR_COLUMN && expr->column.count == 1 &&
                 !input_has_column(build->scope, expr);
    TRY(bind_match_target(binder, &build->targets, expr, "GROUP BY", names, &scalar));
    if (scalar == NULL) {
        build->scope->clause = "GROUP BY";
        st = bind_expr(binder, build->scope, expr, &scalar);
        build->scope->clause = NULL;
        TRY(st);
    }
    TRY(bind_resolve_unknown(binder, &scalar));
    if (!type_is_ordered(scalar->type.oid))
        return bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
            "could not identify an equality operator for type %s",
            bind_type_text(binder, scalar->type));
    for (*group = 0; *group < build->groups.count; (*group)++)
        if (bind_written_alike(build->groups.items[*group].scalar, scalar)) return st;
    rel_item_add(binder->arena, &build->groups, VAR_NONE, scalar);

out:
    return st;
}

// An expression, or several in parentheses: one set.
static struct status bind_group_row(
    struct binder *binder, struct select_build *build, const struct expr *expr, struct group_set *set)
{
    struct status st = STATUS_OK;
    struct expr *one = (struct expr *)(uintptr_t)expr;
    struct expr_list items = {&one, 1};
    if (expr->kind == EXPR_ROW && !expr->row.spelled) items = expr->row.items;
    *set = (struct group_set){ARENA_ARRAY(binder->arena, uint32_t, items.count), 0};
    for (uint32_t i = 0; i < items.count; i++) {
        uint32_t group = 0;
        TRY(bind_group_item(binder, build, items.items[i], &group));
        if (!set_has(set, group)) set->groups[set->count++] = group;
    }

out:
    return st;
}

static struct status bind_cube(struct binder *binder, const struct expr *expr,
    const struct group_set *rows, struct set_list *list)
{
    struct status st = STATUS_OK;
    uint32_t count = expr->grouping_set.items.count;
    if (count > CUBE_ITEMS_MAX)
        return bind_error(binder, expr->position, E_TOO_MANY_COLUMNS,
            "CUBE is limited to %u elements", CUBE_ITEMS_MAX);
    for (uint32_t mask = 0; mask < 1u << count; mask++) {
        struct group_set set = {0};
        for (uint32_t i = 0; i < count; i++)
            if ((mask >> i & 1) != 0) set = set_union(binder, &set, &rows[i]);
        TRY(add_set(binder, list, set, expr->position));
    }

out:
    return st;
}

static struct status bind_set(struct binder *binder, struct select_build *build,
    const struct expr *expr, struct set_list *list)
{
    struct status st = STATUS_OK;
    struct group_set set = {0};
    if (expr->kind != EXPR_GROUPING_SET) {
        TRY(bind_group_row(binder, build, expr, &set));
        return add_set(binder, list, set, expr->position);
    }
    const struct expr_list *items = &expr->grouping_set.items;
    if (expr->grouping_set.kind == GROUPING_EMPTY)
        return add_set(binder, list, set, expr->position);
    if (expr->grouping_set.kind == GROUPING_SETS) {
        for (uint32_t i = 0; i < items->count; i++)
            TRY(bind_set(binder, build, items->items[i], list));
        return st;
    }
    struct group_set *rows = ARENA_ARRAY(binder->arena, struct group_set, items->count);
    for (uint32_t i = 0; i < items->count; i++)
        TRY(bind_group_row(binder, build, items->items[i], &rows[i]));
    if (expr->grouping_set.kind == GROUPING_CUBE) return bind_cube(binder, expr, rows, list);
    struct set_list prefixes = {0};
    TRY(add_set(binder, &prefixes, set, expr->position));
    for (uint32_t i = 0; i < items->count; i++) {
        set = set_union(binder, &set, &rows[i]);
        TRY(add_set(binder, &prefixes, set, expr->position));
    }
    for (uint32_t i = prefixes.count; i-- > 0;)
        TRY(add_set(binder, list, prefixes.items[i], expr->position));

out:
    return st;
}

// Each set of one item with each of the other.
static struct status multiply(struct binder *binder, struct set_list *list,
    const struct set_list *by, uint32_t position)
{
    struct status st = STATUS_OK;
    struct set_list product = {0};
    for (uint32_t i = 0; i < list->count; i++)
        for (uint32_t k = 0; k < by->count; k++)
            TRY(add_set(binder, &product, set_union(binder, &list->items[i], &by->items[k]),
                position));
    *list = product;

out:
    return st;
}

static void drop_repeated(struct set_list *list)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        bool repeated = false;
        for (uint32_t k = 0; k < kept; k++) repeated |= same_set(&list->items[i], &list->items[k]);
        if (!repeated) list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

struct status bind_groups(struct binder *binder, struct select_build *build)
{
    struct status st = STATUS_OK;
    const struct expr_list *items = &build->select->group_by;
    struct set_list sets = {0};
    if (items->count == 0) return st;
    TRY(add_set(binder, &sets, (struct group_set){0}, POSITION_NONE));
    for (uint32_t i = 0; i < items->count; i++) {
        struct set_list own = {0};
        TRY(bind_set(binder, build, items->items[i], &own));
        TRY(multiply(binder, &sets, &own, items->items[i]->position));
    }
    if (build->select->group_distinct) drop_repeated(&sets);
    build->sets = sets.items;
    build->set_count = sets.count;
    // In some sets a column is NULL though the input's is not: it is another variable then.
    for (uint32_t i = 0; i < build->groups.count; i++) {
        struct rel_item *item = &build->groups.items[i];
        TRY(bind_collation_order(binder, item->scalar, item->scalar->position));
        bool same = item->scalar->kind == SCALAR_VAR && sets.count == 1 &&
                    item->scalar->type.collation ==
                        binder->vars[item->scalar->var].type.collation;
        const char *name =
            item->scalar->kind == SCALAR_VAR ? binder->vars[item->scalar->var].name : "group";
        item->var =
            same ? item->scalar->var : bind_new_var(binder, name, NULL, item->scalar->type);
    }

out:
    return st;
}

struct status bind_grouping(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct select_level *level = scope->level;
    if (scope->clause != NULL || level == NULL)
        return bind_error(binder, expr->position, E_GROUPING_ERROR,
            "grouping operations are not allowed in %s",
            scope->clause == NULL ? "this context"
                : strcmp(scope->clause, "JOIN/ON") == 0 ? "JOIN conditions"
                                                        : scope->clause);
    if (level->in_aggregate)
        return bind_error(binder, expr->position, E_GROUPING_ERROR,
            "aggregate function calls cannot be nested");
    if (expr->list.count > 31)
        return bind_error(binder, expr->position, E_TOO_MANY_ARGUMENTS,
            "GROUPING must have fewer than 32 arguments");
    struct select_grouping grouping = {.position = expr->position, .arg_count = expr->list.count};
    grouping.args = ARENA_ARRAY(binder->arena, struct scalar *, expr->list.count);
    for (uint32_t i = 0; i < expr->list.count; i++)
        TRY(bind_expr(binder, scope, expr->list.items[i], &grouping.args[i]));
    grouping.var = bind_new_var(binder, "grouping", NULL, TYPE_OF(TYPE_INT4));
    level->groupings = arena_grow(binder->arena, level->groupings,
        level->grouping_count * sizeof grouping, (level->grouping_count + 1) * sizeof grouping);
    level->groupings[level->grouping_count++] = grouping;
    *out = scalar_var(binder->arena, grouping.var, TYPE_OF(TYPE_INT4), expr->position);

out:
    return st;
}

// Per set, the bits of the arguments that are not in it, the first one's highest.
static struct status grouping_values(struct binder *binder, const struct select_build *build,
    const struct select_grouping *grouping, struct rel_grouping *out)
{
    out->var = grouping->var;
    out->values = ARENA_ARRAY(binder->arena, int32_t, build->set_count + 1);
    for (uint32_t a = 0; a < grouping->arg_count; a++) {
        uint32_t group = 0;
        while (group < build->groups.count &&
               !bind_written_alike(build->groups.items[group].scalar, grouping->args[a]))
            group++;
        if (group == build->groups.count)
            return bind_error(binder, grouping->args[a]->position, E_GROUPING_ERROR,
                "arguments to GROUPING must be grouping expressions of the associated query level");
        for (uint32_t s = 0; s < build->set_count; s++)
            out->values[s] = out->values[s] * 2 + !set_has(&build->sets[s], group);
    }
    return STATUS_OK;
}

// --- what is grouped ---------------------------------------------------------------------------------

static bool is_grouped(const struct select_build *build, var_id var)
{
    for (uint32_t i = 0; i < build->groups.count; i++) {
        const struct scalar *scalar = build->groups.items[i].scalar;
        if (scalar->kind == SCALAR_VAR && scalar->var == var) return true;
    }
    return false;
}

// Grouped in every set.
static bool is_always_grouped(const struct select_build *build, var_id var)
{
    for (uint32_t i = 0; i < build->groups.count; i++) {
        const struct scalar *scalar = build->groups.items[i].scalar;
        if (scalar->kind != SCALAR_VAR || scalar->var != var) continue;
        for (uint32_t s = 0; s < build->set_count; s++)
            if (!set_has(&build->sets[s], i)) return false;
        return true;
    }
    return false;
}

static const struct range *range_of(const struct scope *scope, var_id var)
{
    for (const struct range *range = scope->names.ranges; range != NULL; range = range->next)
        for (uint32_t i = 0; i < range->column_count; i++)
            if (range->columns[i].scalar->kind == SCALAR_VAR &&
                range->columns[i].scalar->var == var)
                return range;
    return NULL;
}

// A column of a table whose whole primary key is grouped has one value in each group.
static bool depends_on_key(const struct select_build *build, const struct range *range)
{
    if (range->table == NULL || range->table->kind != RELATION_TABLE) return false;
    const struct index_desc *primary = &range->table->indexes[0];
    for (uint32_t i = 0; i < primary->column_count; i++) {
        bool found = false;
        for (uint32_t c = 0; c < range->table->column_count; c++)
            if (range->table->columns[c].id == primary->columns[i].column_id)
                found = is_always_grouped(build, range->base + c);
        if (!found) return false;
    }
    return true;
}

static struct status check_grouped(struct binder *binder, struct select_build *build, var_id var,
    uint32_t position, bool in_subquery)
{
    const struct range *range = range_of(build->scope, var);
    if (range == NULL || is_grouped(build, var)) return STATUS_OK;
    if (depends_on_key(build, range)) {
        const struct resolved_using key = {.table_id = range->table->id, .attribute = RESOLUTION_KEY};
        if (binder->resolutions != NULL) resolution_add_using(binder->resolutions, &key);
        for (uint32_t s = 0; s < build->set_count; s++) {
            struct group_set own = {&build->groups.count, 1};
            build->sets[s] = set_union(binder, &build->sets[s], &own);
        }
        rel_item_add(
            binder->arena, &build->groups, var, bind_var(binder, var, POSITION_NONE));
        return STATUS_OK;
    }
    const char *name = binder->vars[var].name;
    if (in_subquery)
        return bind_error(binder, position, E_GROUPING_ERROR,
            "subquery uses ungrouped column \"%s.%s\" from outer query", range->name, name);
    return bind_error(binder, position, E_GROUPING_ERROR,
        "column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function",
        range->name, name);
}

// Columns that sets of groups make NULL are other variables outside of the aggregates.
static struct status replace_in_subquery(
    struct binder *binder, const struct select_build *build, struct scalar **scalar)
{
    uint32_t count = 0;
    if (build->set_count < 2) return STATUS_OK;
    var_id *from = ARENA_ARRAY(binder->arena, var_id, build->groups.count);
    struct scalar **to = ARENA_ARRAY(binder->arena, struct scalar *, build->groups.count);
    for (uint32_t i = 0; i < build->groups.count; i++) {
        const struct rel_item *item = &build->groups.items[i];
        if (item->scalar->kind != SCALAR_VAR || item->var == item->scalar->var) continue;
        from[count] = item->scalar->var;
        to[count++] = bind_var(binder, item->var, POSITION_NONE);
    }
    struct scalar_substitution map = {from, to, count};
    *scalar = scalar_substitute(binder->arena, *scalar, &map);
    return STATUS_OK;
}

static struct status group_replace(
    struct binder *binder, struct select_build *build, struct scalar **scalar)
{
    struct status st = STATUS_OK;
    struct scalar *node = *scalar;
    for (uint32_t i = 0; i < build->groups.count; i++) {
        if (!bind_written_alike(build->groups.items[i].scalar, node)) continue;
        *scalar = scalar_var(
            binder->arena, build->groups.items[i].var, node->type, node->position);
        return st;
    }
    if (node->kind == SCALAR_VAR)
        return check_grouped(binder, build, node->var, node->position, false);
    if (node->kind == SCALAR_SUBQUERY) {
        struct var_set used = var_set_new(binder->arena, binder->var_count);
        rel_collect_vars(node->subquery.rel, &used);
        for (var_id var = 0; var < binder->var_count; var++)
            if (var_set_has(&used, var))
                TRY(check_grouped(binder, build, var, node->position, true));
        TRY(replace_in_subquery(binder, build, scalar));
        node = *scalar;
    }
    if (node->arg_count == 0) return st;
    struct scalar *copy = ARENA_NEW(binder->arena, struct scalar);
    *copy = *node;
    copy->args = ARENA_ARRAY(binder->arena, struct scalar *, node->arg_count);
    for (uint32_t i = 0; i < node->arg_count; i++) {
        copy->args[i] = node->args[i];
        TRY(group_replace(binder, build, &copy->args[i]));
    }
    *scalar = copy;

out:
    return st;
}

static struct status group_window(
    struct binder *binder, struct select_build *build, struct rel_window *window)
{
    struct status st = STATUS_OK;
    for (uint32_t k = 0; k < window->key_count; k++)
        TRY(group_replace(binder, build, &window->keys[k].scalar));
    for (uint32_t i = 0; i < window->call_count; i++) {
        struct rel_window_call *call = &window->calls[i];
        struct rel_frame *frame = &call->frame;
        struct scalar **others[] = {&call->filter, &frame->start_key, &frame->start_value,
            &frame->end_key, &frame->end_value};
        for (uint32_t a = 0; a < call->arg_count; a++)
            TRY(group_replace(binder, build, &call->args[a]));
        for (size_t o = 0; o < sizeof others / sizeof others[0]; o++)
            if (*others[o] != NULL) TRY(group_replace(binder, build, others[o]));
    }

out:
    return st;
}

static struct status set_groupings(
    struct binder *binder, const struct select_build *build, struct rel *aggregate)
{
    struct status st = STATUS_OK;
    const struct select_level *level = &build->level;
    aggregate->aggregate.groupings =
        ARENA_ARRAY(binder->arena, struct rel_grouping, level->grouping_count);
    for (uint32_t i = 0; i < level->grouping_count; i++)
        TRY(grouping_values(
            binder, build, &level->groupings[i], &aggregate->aggregate.groupings[i]));
    aggregate->aggregate.grouping_count = level->grouping_count;
    if (build->set_count < 2) return st;
    aggregate->aggregate.set_count = build->set_count;
    aggregate->aggregate.in_set =
        ARENA_ARRAY(binder->arena, bool, (size_t)build->set_count * build->groups.count + 1);
    for (uint32_t s = 0; s < build->set_count; s++)
        for (uint32_t g = 0; g < build->groups.count; g++)
            aggregate->aggregate.in_set[s * build->groups.count + g] =
                set_has(&build->sets[s], g);

out:
    return st;
}

static struct status replace_all(struct binder *binder, struct select_build *build)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < build->targets.count; i++)
        TRY(group_replace(binder, build, &build->targets.items[i].scalar));
    for (uint32_t i = 0; i < build->order_count; i++)
        TRY(group_replace(binder, build, &build->order[i].scalar));
    for (uint32_t i = 0; i < build->distinct_on_count; i++)
        TRY(group_replace(binder, build, &build->distinct_on[i]));
    for (uint32_t i = 0; i < build->level.set_count; i++)
        for (uint32_t a = 0; a < build->level.sets[i].arg_count; a++)
            TRY(group_replace(binder, build, &build->level.sets[i].args[a]));
    if (build->having != NULL) TRY(group_replace(binder, build, &build->having));
    for (uint32_t i = 0; i < build->level.aggregate_count; i++)
        for (uint32_t a = 0; a < build->level.aggregates[i].direct_count; a++) {
            struct scalar *only_checked = build->level.aggregates[i].args[a];
            TRY(group_replace(binder, build, &only_checked));
        }
    for (uint32_t i = 0; i < build->level.window_count; i++)
        TRY(group_window(binder, build, &build->level.windows[i]));

out:
    return st;
}

struct status bind_group_build(struct binder *binder, struct select_build *build)
{
    struct status st = STATUS_OK;
    const struct select *select = build->select;
    if (select->group_by.count == 0 && build->level.aggregate_count == 0 &&
        build->having == NULL && build->level.grouping_count == 0)
        return st;
    TRY(replace_all(binder, build));
    struct rel *aggregate = rel_new(binder->arena, REL_AGGREGATE);
    aggregate->left = build->rel;
    aggregate->aggregate.groups = build->groups;
    aggregate->aggregate.aggregates = build->level.aggregates;
    aggregate->aggregate.aggregate_count = build->level.aggregate_count;
    aggregate->aggregate.plain = build->groups.count == 0;
    TRY(set_groupings(binder, build, aggregate));
    build->rel = aggregate;
    if (build->having != NULL) build->rel = rel_filter(binder->arena, build->rel, build->having);

out:
    return st;
}
