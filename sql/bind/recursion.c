// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/bind/recursion.h"

#include "sql/parse/ast_visit.h"

#define RECURSION_ITEMS_MAX 1024u

enum place { // Where a name stands within the query that has it.
    PLACE_ANYWHERE, // Of what a WITH names nothing is asked.
    PLACE_FIRST_TERM,
    PLACE_SUBQUERY,
    PLACE_OUTER_JOIN,
    PLACE_INTERSECT,
    PLACE_EXCEPT,
    PLACE_RECURSIVE_TERM, // Here the query may name itself, once.
};

struct hidden_names { // Of a WITH further in.
    const struct hidden_names *outer;
    const char *name;
};

struct walk {
    struct binder *binder;
    const struct with_clause *with;
    const struct hidden_names *hidden;
    bool *named; // Per item of the WITH.
    uint32_t self;
    enum place place;
    uint32_t references;
    struct status status; // The first that is wrong.
};

static void walk_select(struct walk *walk, const struct select *select);
static void walk_statement(struct walk *walk, const struct statement *statement);
static void walk_expr(struct walk *walk, const struct expr *expr);

static void self_reference(struct walk *walk, const struct object_name *name)
{
    static const char *const places[] = {
        [PLACE_FIRST_TERM] = "within its non-recursive term",
        [PLACE_SUBQUERY] = "within a subquery",
        [PLACE_OUTER_JOIN] = "within an outer join",
        [PLACE_INTERSECT] = "within INTERSECT",
        [PLACE_EXCEPT] = "within EXCEPT",
        [PLACE_RECURSIVE_TERM] = "more than once",
    };
    if (walk->place == PLACE_ANYWHERE || failed(walk->status)) return;
    if (walk->place == PLACE_RECURSIVE_TERM && ++walk->references == 1) return;
    walk->status = bind_error(walk->binder, name->position, E_INVALID_RECURSION,
        "recursive reference to query \"%s\" must not appear %s", name->name, places[walk->place]);
}

static void walk_name(struct walk *walk, const struct object_name *name)
{
    if (name->schema != NULL || name->catalog != NULL) return;
    for (const struct hidden_names *hidden = walk->hidden; hidden != NULL; hidden = hidden->outer)
        if (strcmp(hidden->name, name->name) == 0) return;
    for (uint32_t i = 0; i < walk->with->count; i++) {
        if (strcmp(walk->with->items[i].name, name->name) != 0) continue;
        walk->named[i] = true;
        if (i == walk->self) self_reference(walk, name);
    }
}

// What stands within at `place`, where names would otherwise be as they should.
static void walk_select_at(struct walk *walk, const struct select *select, enum place place)
{
    const enum place outer = walk->place;
    if (outer == PLACE_RECURSIVE_TERM) walk->place = place;
    walk_select(walk, select);
    walk->place = outer;
}

// --- expressions -----------------------------------------------------------------------------------------

static void walk_list(struct walk *walk, const struct expr_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) walk_expr(walk, list->items[i]);
}

static void walk_sort(struct walk *walk, const struct sort_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) walk_expr(walk, list->items[i].expr);
}

static void walk_targets(struct walk *walk, const struct target_list *targets)
{
    for (uint32_t i = 0; i < targets->count; i++) walk_expr(walk, targets->items[i].expr);
}

// Subqueries and windows, which expr_visit leaves out.
static void walk_part(struct expr *expr, void *arg)
{
    struct walk *walk = arg;
    if (expr->kind == EXPR_SUBLINK) {
        const enum place outer = walk->place;
        if (outer != PLACE_ANYWHERE) walk->place = PLACE_SUBQUERY;
        walk_select(walk, expr->sublink.query);
        walk->place = outer;
        walk_expr(walk, expr->sublink.test);
    } else if (expr->kind == EXPR_FUNCTION && expr->function->over != NULL) {
        walk_list(walk, &expr->function->over->partition_by);
        walk_sort(walk, &expr->function->over->order_by);
    } else if (expr->kind == EXPR_GROUPING_SET) {
        walk_list(walk, &expr->grouping_set.items);
    }
}

static void walk_expr(struct walk *walk, const struct expr *expr)
{
    expr_visit((struct expr *)(uintptr_t)expr, walk_part, walk);
}

// --- FROM ------------------------------------------------------------------------------------------------

static void walk_from(struct walk *walk, const struct from_item *item);

static void walk_side(struct walk *walk, const struct from_item *item, bool outer)
{
    const enum place before = walk->place;
    if (outer && before == PLACE_RECURSIVE_TERM) walk->place = PLACE_OUTER_JOIN;
    walk_from(walk, item);
    walk->place = before;
}

static void walk_from(struct walk *walk, const struct from_item *item)
{
    switch (item->kind) {
    case FROM_TABLE:
        walk_name(walk, &item->table.name);
        if (item->table.sample == NULL) break;
        walk_list(walk, &item->table.sample->args);
        walk_expr(walk, item->table.sample->repeatable);
        break;
    case FROM_SUBQUERY: walk_select(walk, item->query); break;
    case FROM_FUNCTION: walk_list(walk, &item->function.calls); break;
    case FROM_JOIN: {
        const enum join_kind kind = item->join.kind;
        walk_side(walk, item->join.left, kind == JOIN_RIGHT || kind == JOIN_FULL);
        walk_side(walk, item->join.right, kind == JOIN_LEFT || kind == JOIN_FULL);
        walk_expr(walk, item->join.on);
        break;
    }
    case FROM_STATEMENT: walk_statement(walk, item->statement); break;
    }
}

static void walk_from_list(struct walk *walk, const struct from_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) walk_from(walk, list->items[i]);
}

// --- queries ---------------------------------------------------------------------------------------------

// Names of a WITH hide those around it: of a recursive one all of them everywhere, else each behind itself.
static const struct hidden_names *hide(struct walk *walk, const char *name)
{
    struct hidden_names *hidden = ARENA_NEW(walk->binder->arena, struct hidden_names);
    *hidden = (struct hidden_names){walk->hidden, name};
    return hidden;
}

static void walk_with(struct walk *walk, const struct with_clause *with)
{
    if (with == NULL) return;
    for (uint32_t i = 0; with->recursive && i < with->count; i++)
        walk->hidden = hide(walk, with->items[i].name);
    for (uint32_t i = 0; i < with->count; i++) {
        const enum place outer = walk->place;
        if (outer != PLACE_ANYWHERE) walk->place = PLACE_SUBQUERY;
        walk_statement(walk, with->items[i].statement);
        walk->place = outer;
        if (!with->recursive) walk->hidden = hide(walk, with->items[i].name);
    }
}

static void walk_sides(struct walk *walk, const struct select *select)
{
    enum place left = walk->place, right = walk->place;
    if (select->kind == SELECT_INTERSECT && select->all) left = right = PLACE_INTERSECT;
    if (select->kind == SELECT_EXCEPT) right = PLACE_EXCEPT;
    if (select->kind == SELECT_EXCEPT && select->all) left = PLACE_EXCEPT;
    walk_select_at(walk, select->left, left);
    walk_select_at(walk, select->right, right);
}

static void walk_select(struct walk *walk, const struct select *select)
{
    if (select == NULL || failed(walk->status)) return;
    const struct hidden_names *hidden = walk->hidden;
    walk_with(walk, select->with);
    walk_list(walk, &select->distinct_on);
    walk_targets(walk, &select->targets);
    walk_from_list(walk, &select->from);
    walk_expr(walk, select->where);
    walk_list(walk, &select->group_by);
    walk_expr(walk, select->having);
    for (uint32_t i = 0; i < select->window_count; i++) {
        walk_list(walk, &select->windows[i].partition_by);
        walk_sort(walk, &select->windows[i].order_by);
    }
    for (uint32_t i = 0; i < select->row_count; i++) walk_list(walk, &select->rows[i]);
    walk_sort(walk, &select->order_by);
    walk_expr(walk, select->offset);
    walk_expr(walk, select->limit);
    walk_sides(walk, select);
    walk->hidden = hidden;
}

static void walk_assignments(struct walk *walk, const struct assignment_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) walk_expr(walk, list->items[i].value);
}

static void walk_insert(struct walk *walk, const struct insert *insert)
{
    walk_with(walk, insert->with);
    walk_select(walk, insert->source);
    walk_assignments(walk, &insert->conflict_assignments);
    walk_expr(walk, insert->conflict_where);
    walk_targets(walk, &insert->returning);
}

static void walk_update(struct walk *walk, const struct update *update)
{
    walk_with(walk, update->with);
    walk_assignments(walk, &update->assignments);
    walk_from_list(walk, &update->from);
    walk_expr(walk, update->where);
    walk_targets(walk, &update->returning);
}

static void walk_delete(struct walk *walk, const struct delete_ *delete_)
{
    walk_with(walk, delete_->with);
    walk_from_list(walk, &delete_->from);
    walk_expr(walk, delete_->where);
    walk_targets(walk, &delete_->returning);
}

static void walk_statement(struct walk *walk, const struct statement *statement)
{
    const struct hidden_names *hidden = walk->hidden;
    switch (statement->tag) {
    case STATEMENT_SELECT: walk_select(walk, statement->as.select); break;
    case STATEMENT_INSERT: walk_insert(walk, statement->as.insert); break;
    case STATEMENT_UPDATE: walk_update(walk, statement->as.update); break;
    case STATEMENT_DELETE: walk_delete(walk, statement->as.delete_); break;
    default: break;
    }
    walk->hidden = hidden;
}

// --- the order -------------------------------------------------------------------------------------------

// depends[i * count + k]: item i names item k.
static struct status put_in_order(struct binder *binder, const struct with_clause *with,
    const bool *depends, struct recursion *recursion)
{
    const uint32_t count = with->count;
    uint32_t *missing = ARENA_ARRAY(binder->arena, uint32_t, count); // That it names and that have no place yet.
    bool *placed = ARENA_ARRAY(binder->arena, bool, count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < count; k++) missing[i] += k != i && depends[i * count + k];
    for (uint32_t at = 0; at < count; at++) {
        uint32_t first = 0, next = 0;
        while (placed[first]) first++;
        while (next < count && (placed[next] || missing[next] > 0)) next++;
        if (next == count)
            return bind_error(binder, with->items[first].position, E_FEATURE_NOT_SUPPORTED,
                "mutual recursion between WITH items is not implemented");
        placed[next] = true;
        recursion->order[at] = next;
        for (uint32_t i = 0; i < count; i++) missing[i] -= i != next && depends[i * count + next];
    }
    return STATUS_OK;
}

// --- queries that name themselves --------------------------------------------------------------------------

static struct status not_implemented(
    struct binder *binder, const struct expr *expr, uint32_t position, const char *what)
{
    return bind_error(binder, expr == NULL ? position : expr->position, E_FEATURE_NOT_SUPPORTED,
        "%s in a recursive query is not implemented", what);
}

static struct status check_form(
    struct binder *binder, const struct with_clause *with, uint32_t self, bool *named)
{
    const struct cte *cte = &with->items[self];
    struct walk walk = {.binder = binder, .with = with, .named = named, .self = self};
    if (cte->statement->tag != STATEMENT_SELECT)
        return bind_error(binder, cte->position, E_INVALID_RECURSION,
            "recursive query \"%s\" must not contain data-modifying statements", cte->name);
    const struct select *select = cte->statement->as.select;
    if (select->kind != SELECT_UNION)
        return bind_error(binder, cte->position, E_INVALID_RECURSION,
            "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] "
            "recursive-term",
            cte->name);
    walk.place = PLACE_FIRST_TERM;
    walk_select(&walk, select->left);
    walk.place = PLACE_RECURSIVE_TERM;
    walk_select(&walk, select->right);
    walk.place = PLACE_SUBQUERY;
    walk_with(&walk, select->with);
    if (failed(walk.status)) return walk.status;
    if (select->order_by.count > 0)
        return not_implemented(binder, select->order_by.items[0].expr, cte->position, "ORDER BY");
    if (select->offset != NULL)
        return not_implemented(binder, select->offset, cte->position, "OFFSET");
    if (select->limit != NULL)
        return not_implemented(binder, select->limit, cte->position, "LIMIT");
    if (select->locking_count > 0)
        return not_implemented(binder, NULL, POSITION_NONE, "FOR UPDATE/SHARE");
    return STATUS_OK;
}

struct status recursion_check(
    struct binder *binder, const struct with_clause *with, struct recursion *recursion)
{
    struct status st = STATUS_OK;
    const uint32_t count = with->count;
    recursion->order = ARENA_ARRAY(binder->arena, uint32_t, count);
    recursion->recursive = ARENA_ARRAY(binder->arena, bool, count);
    for (uint32_t i = 0; i < count; i++) recursion->order[i] = i;
    if (!with->recursive) return st;
    if (count > RECURSION_ITEMS_MAX)
        return bind_error(binder, with->position, E_PROGRAM_LIMIT_EXCEEDED,
            "WITH RECURSIVE can have at most %u queries", RECURSION_ITEMS_MAX);
    bool *depends = ARENA_ARRAY(binder->arena, bool, (size_t)count * count);
    for (uint32_t i = 0; i < count; i++) {
        struct walk walk = {
            .binder = binder, .with = with, .named = &depends[i * count], .self = count};
        walk_statement(&walk, with->items[i].statement);
        recursion->recursive[i] = depends[i * count + i];
    }
    TRY(put_in_order(binder, with, depends, recursion));
    for (uint32_t i = 0; i < count; i++)
        if (recursion->recursive[i]) TRY(check_form(binder, with, i, &depends[i * count]));

out:
    return st;
}
