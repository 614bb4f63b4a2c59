// SPDX-License-Identifier: GPL-3.0-or-later
//
// Queries: SELECT lists, grouping, DISTINCT, ORDER BY, LIMIT, VALUES and set operations.
#include "core/deep.h"
#include "core/invariant.h"
#include "sql/bind/bind_select.h"
#include "sql/type/collation.h"
#include "sql/user/privilege.h"
#include "sql/bind/resolution.h"

#define TARGETS_MAX 1664u

void bind_add_output(struct binder *binder, struct query *query, struct output output)
{
    (void)deep_goes_on(1 + query->column_count / 32);
    query->columns = arena_grow(binder->arena, query->columns,
        query->column_count * sizeof output, (query->column_count + 1) * sizeof output);
    query->columns[query->column_count++] = output;
}

// --- targets -----------------------------------------------------------------------------------------

static struct status add_target(
    struct binder *binder, struct target_scalars *list, struct target_scalar target)
{
    if (list->count >= TARGETS_MAX)
        return bind_error(binder, target.scalar->position, E_TOO_MANY_COLUMNS,
            "target lists can have at most %u entries", TARGETS_MAX);
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        list->items = arena_grow(binder->arena, list->items, list->capacity * sizeof target,
            capacity * sizeof target);
        list->capacity = capacity;
    }
    list->items[list->count++] = target;
    return STATUS_OK;
}

static void plain_column(
    const struct scope *scope, const struct scalar *scalar, struct target_scalar *target)
{
    if (scalar->kind != SCALAR_VAR) return;
    for (const struct range *range = scope->names.ranges; range != NULL; range = range->next)
        for (uint32_t i = 0; i < range->column_count; i++)
            if (range->columns[i].scalar->kind == SCALAR_VAR &&
                range->columns[i].scalar->var == scalar->var) {
                target->table_oid = range->columns[i].table_oid;
                target->attribute = range->columns[i].attribute;
            }
}

static struct status expand_star(struct binder *binder, struct scope *scope,
    const struct target_list *targets, const struct expr *expr, struct target_scalars *list)
{
    struct status st = STATUS_OK;
    struct range_column *columns;
    uint32_t count;
    struct expr **written;
    if (expr->kind == EXPR_FIELD) {
        type_oid oid;
        TRY(bind_field_star(binder, scope, expr, &columns, &count, &oid));
        written = bind_note_field_star(binder, targets, expr, oid, columns, count);
    } else {
        TRY(bind_star(binder, scope, expr, &columns, &count));
        written = bind_note_star(binder, scope, targets, expr, columns, count);
    }
    for (uint32_t i = 0; i < count; i++)
        TRY(add_target(binder, list,
            (struct target_scalar){.name = columns[i].name,
                .scalar = columns[i].scalar,
                .table_oid = columns[i].table_oid,
                .attribute = columns[i].attribute,
                .expr = written == NULL ? NULL : written[i],
                .named = true}));

out:
    return st;
}

static struct status bind_target_list(struct binder *binder, struct scope *scope,
    const struct target_list *targets, struct target_scalars *list)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct target *item = &targets->items[i];
        bool star = item->expr->kind == EXPR_COLUMN && item->expr->column.star;
        if (star || (item->expr->kind == EXPR_FIELD && item->expr->field.name == NULL)) {
            TRY(expand_star(binder, scope, targets, item->expr, list));
            continue;
        }
        struct target_scalar target = {
            .name = target_name(item), .expr = item->expr, .named = true};
        uint32_t noted = binder->resolutions == NULL ? 0 : binder->resolutions->count;
        TRY(bind_expr(binder, scope, item->expr, &target.scalar));
        if (binder->resolutions != NULL)
            resolution_note_target(binder->resolutions, noted, item);
        TRY(bind_row_value(binder, &target.scalar));
        plain_column(scope, target.scalar, &target);
        TRY(add_target(binder, list, target));
    }

out:
    return st;
}

static struct rel *project_of(struct binder *binder, struct rel **rel)
{
    if ((*rel)->kind == REL_PROJECT) return *rel;
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = *rel;
    *rel = project;
    return project;
}

// The variable of an expression: its own when it is one, else one of a new projection.
var_id bind_project_var(
    struct binder *binder, struct rel *project, const char *name, struct scalar *scalar)
{
    if (scalar->kind == SCALAR_VAR &&
        scalar->type.collation == binder->vars[scalar->var].type.collation)
        return scalar->var;
    for (uint32_t i = 0; i < project->project.count; i++)
        if (project->project.items[i].scalar == scalar ||
            bind_equal(project->project.items[i].scalar, scalar))
            return project->project.items[i].var;
    var_id var = bind_new_var(binder, name, NULL, scalar->type);
    binder->vars[var].row = bind_row_maker(binder, scalar);
    binder->vars[var].domain = scalar->domain;
    rel_item_add(binder->arena, &project->project, var, scalar);
    return var;
}

static struct status project_targets(struct binder *binder, struct target_scalars *targets,
    struct rel **rel, bool unknowns, struct query *query)
{
    struct status st = STATUS_OK;
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    struct var_set given = var_set_new(binder->arena, binder->var_count);
    project->left = *rel;
    rel_output_vars(*rel, &given);
    for (uint32_t i = 0; i < targets->count; i++) {
        struct target_scalar *target = &targets->items[i];
        // What comes from a query around this one is computed here, too: somebody has to give it.
        bool outer = target->scalar->kind == SCALAR_VAR && !var_set_has(&given, target->scalar->var);
        bool literal = target->scalar->kind == SCALAR_CONST || target->scalar->kind == SCALAR_PARAM;
        if (!unknowns) TRY(bind_resolve_unknown(binder, &target->scalar));
        struct output output = {.name = target->name,
            .type = target->scalar->type,
            .table_oid = target->table_oid,
            .attribute = target->attribute,
            .position = target->scalar->position};
        if (literal && scalar_is_unknown(target->scalar)) {
            output.source = ARENA_NEW(binder->arena, struct scalar);
            *output.source = *target->scalar;
            output.var = bind_new_var(binder, target->name, NULL, target->scalar->type);
            rel_item_add(binder->arena, &project->project, output.var, output.source);
        } else if (outer) {
            output.var = bind_new_var(binder, target->name, NULL, target->scalar->type);
            binder->vars[output.var].row = bind_row_maker(binder, target->scalar);
            rel_item_add(binder->arena, &project->project, output.var, target->scalar);
        } else {
            output.var = bind_project_var(binder, project, target->name, target->scalar);
        }
        bind_add_output(binder, query, output);
    }
    *rel = project;
    query->rel = project;

out:
    return st;
}

struct status bind_targets(struct binder *binder, struct scope *scope,
    const struct target_list *targets, struct rel **rel, bool unknowns, struct query *query)
{
    struct status st = STATUS_OK;
    struct target_scalars list = {0};
    TRY(bind_target_list(binder, scope, targets, &list));
    TRY(project_targets(binder, &list, rel, unknowns, query));

out:
    return st;
}

// --- ordinals and output names -----------------------------------------------------------------------

static void note_target(struct binder *binder, const struct expr *expr, struct scalar *scalar)
{
    if (binder->notes != NULL)
        hashmap_put_u64(&binder->notes->scalars, bind_note_key(expr), scalar);
}

// An ordinal or an output name in GROUP BY, ORDER BY and DISTINCT ON.
struct status bind_match_target(struct binder *binder, const struct target_scalars *targets,
    const struct expr *expr, const char *clause, bool names, struct scalar **out)
{
    *out = NULL;
    if (expr->kind == EXPR_LITERAL && expr->literal.kind == LITERAL_INTEGER) {
        int32_t ordinal = expr->literal.integer;
        if (ordinal < 1 || (uint32_t)ordinal > targets->count)
            return bind_error(binder, expr->position, E_INVALID_COLUMN_REFERENCE,
                "%s position %d is not in select list", clause, ordinal);
        *out = targets->items[ordinal - 1].scalar;
        note_target(binder, expr, *out);
        return STATUS_OK;
    }
    if (expr->kind == EXPR_LITERAL && expr->literal.kind != LITERAL_NULL)
        return bind_error(
            binder, expr->position, E_SYNTAX_ERROR, "non-integer constant in %s", clause);
    if (!names || expr->kind != EXPR_COLUMN || expr->column.count != 1 || expr->column.star)
        return STATUS_OK;
    for (uint32_t i = 0; i < targets->count; i++) {
        const struct target_scalar *target = &targets->items[i];
        if (!target->named || strcmp(target->name, expr->column.names[0]) != 0) continue;
        if (*out != NULL && !bind_equal(*out, target->scalar))
            return bind_error(binder, expr->position, E_AMBIGUOUS_COLUMN, "%s \"%s\" is ambiguous",
                clause, expr->column.names[0]);
        if (*out == NULL && binder->resolutions != NULL)
            resolution_add_output(binder->resolutions,
                &(struct resolved_output){.expr = expr,
                    .target = target->expr,
                    .ordinal = i + 1,
                    .group = strcmp(clause, "GROUP BY") == 0});
        *out = target->scalar;
        note_target(binder, expr, *out);
    }
    return STATUS_OK;
}

// --- ORDER BY, DISTINCT, LIMIT -----------------------------------------------------------------------

struct status bind_order_flags(
    struct binder *binder, const struct sort_item *item, struct rel_order *order)
{
    bool less = item->direction == SORT_USING && strcmp(item->using_operator, "<") == 0;
    bool greater = item->direction == SORT_USING && strcmp(item->using_operator, ">") == 0;
    if (item->direction == SORT_USING && !less && !greater)
        return status_hint(binder->arena,
            bind_error(binder, item->position, E_WRONG_OBJECT_TYPE,
                "operator %s is not a valid ordering operator", item->using_operator),
            "Ordering operators must be \"<\" or \">\" members of btree operator families.");
    order->descending = item->direction == SORT_DESC || greater;
    order->nulls_first = item->nulls == SORT_NULLS_DEFAULT ? order->descending
                                                           : item->nulls == SORT_NULLS_FIRST;
    if (!type_is_ordered(order->scalar->type.oid))
        return status_hint(binder->arena,
            bind_error(binder, item->expr->position, E_UNDEFINED_FUNCTION,
                "could not identify an ordering operator for type %s", bind_type_text(binder, order->scalar->type)),
            "Use an explicit ordering operator or modify the query.");
    return bind_collation_order(binder, order->scalar, item->expr->position);
}

static struct status bind_order_scalar(struct binder *binder, struct select_build *build,
    const struct expr *expr, const char *clause, struct scalar **out)
{
    struct status st = STATUS_OK;
    TRY(bind_match_target(binder, &build->targets, expr, clause, true, out));
    if (*out == NULL) TRY(bind_expr(binder, build->scope, expr, out));
    TRY(bind_resolve_unknown(binder, out));

out:
    return st;
}

static struct status bind_orders(struct binder *binder, struct select_build *build)
{
    struct status st = STATUS_OK;
    const struct select *select = build->select;
    build->order = ARENA_ARRAY(binder->arena, struct rel_order, select->order_by.count);
    for (uint32_t i = 0; i < select->order_by.count; i++) {
        const struct sort_item *item = &select->order_by.items[i];
        struct rel_order *order = &build->order[i];
        TRY(bind_order_scalar(binder, build, item->expr, "ORDER BY", &order->scalar));
        TRY(bind_order_flags(binder, item, order));
        build->order_count++;
    }
    build->distinct_on =
        ARENA_ARRAY(binder->arena, struct scalar *, select->distinct_on.count);
    for (uint32_t i = 0; i < select->distinct_on.count; i++) {
        TRY(bind_order_scalar(binder, build, select->distinct_on.items[i], "SELECT DISTINCT ON",
            &build->distinct_on[i]));
        build->distinct_on_count++;
    }

out:
    return st;
}

static struct status bind_limit_value(struct binder *binder, const struct expr *expr,
    const char *clause, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scope scope = {.clause = clause};
    *out = NULL;
    if (expr == NULL || (expr->kind == EXPR_LITERAL && expr->literal.kind == LITERAL_NULL))
        return st;
    st = bind_expr(binder, &scope, expr, out);
    if (status_is(st, E_UNDEFINED_COLUMN))
        return bind_error(binder, expr->position, E_INVALID_COLUMN_REFERENCE,
            "argument of %s must not contain variables", clause);
    TRY(st);
    bool done;
    TRY(bind_coerce(binder, out, TYPE_OF(TYPE_INT8), CAST_ASSIGNMENT, &done));
    if (!done)
        return bind_error(binder, expr->position, E_DATATYPE_MISMATCH,
            "argument of %s must be type bigint, not type %s", clause,
            bind_type_text(binder, (*out)->type));

out:
    return st;
}

// `order` when rows equal in it to the last one follow it (WITH TIES), else NULL.
static struct status add_limit(struct binder *binder, const struct expr *limit,
    const struct expr *offset, struct rel_order *order, uint32_t order_count, struct rel **rel)
{
    struct status st = STATUS_OK;
    if (order != NULL && limit != NULL && limit->kind == EXPR_LITERAL &&
        limit->literal.kind == LITERAL_NULL)
        return bind_error(binder, limit->position, E_INVALID_ROW_COUNT,
            "row count cannot be null in FETCH FIRST ... WITH TIES clause");
    if (limit == NULL && offset == NULL) return st;
    struct rel *node = rel_new(binder->arena, REL_LIMIT);
    node->left = *rel;
    TRY(bind_limit_value(binder, limit, "LIMIT", &node->limit.limit));
    TRY(bind_limit_value(binder, offset, "OFFSET", &node->limit.offset));
    node->limit.ties = order;
    node->limit.tie_count = order == NULL ? 0 : order_count;
    if (node->limit.limit != NULL || node->limit.offset != NULL) *rel = node;

out:
    return st;
}

void bind_add_sort(
    struct binder *binder, const struct rel_order *order, uint32_t count, struct rel **rel)
{
    struct rel *sort = rel_new(binder->arena, REL_SORT);
    sort->sort.items = ARENA_ARRAY(binder->arena, struct rel_order, count);
    for (uint32_t i = 0; i < count; i++) {
        bool repeated = false;
        for (uint32_t s = 0; s < sort->sort.count; s++)
            repeated |= sort->sort.items[s].scalar->var == order[i].scalar->var;
        if (!repeated) sort->sort.items[sort->sort.count++] = order[i];
    }
    sort->left = *rel;
    if (sort->sort.count > 0) *rel = sort;
}

static bool is_output(const struct query *query, var_id var)
{
    for (uint32_t i = 0; i < query->column_count; i++)
        if (query->columns[i].var == var) return true;
    return false;
}

// Turns ORDER BY's expressions into variables of the projection beneath.
static void project_orders(struct binder *binder, struct select_build *build, struct rel *project)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < build->order_count; i++) {
        struct rel_order *order = &build->order[i];
        if (order->scalar->kind == SCALAR_CONST) continue;
        var_id var = bind_project_var(binder, project, "order", order->scalar);
        order->scalar = scalar_var(binder->arena, var, order->scalar->type, order->scalar->position);
        build->order[count++] = *order;
    }
    build->order_count = count;
}

static struct status build_distinct_on(
    struct binder *binder, struct select_build *build, struct query *query)
{
    struct rel *project = project_of(binder, &query->rel);
    struct rel *distinct = rel_new(binder->arena, REL_DISTINCT);
    uint32_t count = build->distinct_on_count;
    var_id *keys = ARENA_ARRAY(binder->arena, var_id, count);
    struct var_set given = var_set_new(binder->arena, binder->var_count);
    rel_output_vars(project, &given);
    distinct->distinct.keys = ARENA_ARRAY(binder->arena, var_id, count);
    distinct->distinct.on = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct scalar *key = build->distinct_on[i];
        bool outer = key->kind == SCALAR_VAR && !var_set_has(&given, key->var);
        if (!type_is_ordered(key->type.oid))
            return bind_error(binder, key->position, E_UNDEFINED_FUNCTION,
                "could not identify an equality operator for type %s",
                bind_type_text(binder, key->type));
        keys[i] = bind_project_var(binder, project, "distinct", build->distinct_on[i]);
        // What comes from a query around this one is the same in all rows.
        if (!outer) distinct->distinct.keys[distinct->distinct.key_count++] = keys[i];
    }
    project_orders(binder, build, project);
    // Constants have gone from the order: they are no part of the keys either.
    uint32_t varying = 0;
    for (uint32_t i = 0; i < count; i++) varying += build->distinct_on[i]->kind != SCALAR_CONST;
    for (uint32_t i = 0; i < build->order_count && i < varying; i++) {
        bool found = false;
        for (uint32_t k = 0; k < count; k++)
            found |= keys[k] == build->order[i].scalar->var;
        if (!found)
            return bind_error(binder, build->order[i].scalar->position, E_INVALID_COLUMN_REFERENCE,
                "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
    }
    // The first row of each key in that order stays, and the order with it.
    bind_add_sort(binder, build->order, build->order_count, &query->rel);
    distinct->left = query->rel;
    query->rel = distinct;
    return STATUS_OK;
}

static struct status build_distinct(
    struct binder *binder, struct select_build *build, struct query *query)
{
    struct rel *distinct = rel_new(binder->arena, REL_DISTINCT);
    distinct->distinct.keys = ARENA_ARRAY(binder->arena, var_id, query->column_count);
    for (uint32_t i = 0; i < query->column_count; i++) {
        if (!type_is_ordered(query->columns[i].type.oid))
            return bind_error(binder, query->columns[i].position, E_UNDEFINED_FUNCTION,
                "could not identify an equality operator for type %s",
                bind_type_text(binder, query->columns[i].type));
        distinct->distinct.keys[distinct->distinct.key_count++] = query->columns[i].var;
    }
    project_orders(binder, build, project_of(binder, &query->rel));
    for (uint32_t i = 0; i < build->order_count; i++)
        if (!is_output(query, build->order[i].scalar->var))
            return bind_error(binder, build->order[i].scalar->position, E_INVALID_COLUMN_REFERENCE,
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    distinct->left = query->rel;
    query->rel = distinct;
    bind_add_sort(binder, build->order, build->order_count, &query->rel);
    return STATUS_OK;
}

struct status bind_order_limit(struct binder *binder, struct scope *scope,
    const struct sort_list *order_by, const struct expr *limit, const struct expr *offset,
    bool with_ties, struct query *query)
{
    struct status st = STATUS_OK;
    uint32_t order_count = order_by->count;
    struct rel_order *order = ARENA_ARRAY(binder->arena, struct rel_order, order_by->count);
    struct target_scalars targets = {0};
    for (uint32_t i = 0; i < query->column_count; i++)
        TRY(add_target(binder, &targets,
            (struct target_scalar){.name = query->columns[i].name,
                .scalar = bind_var(binder, query->columns[i].var, POSITION_NONE),
                .named = true}));
    for (uint32_t i = 0; i < order_by->count; i++) {
        const struct sort_item *item = &order_by->items[i];
        TRY(bind_match_target(binder, &targets, item->expr, "ORDER BY", true, &order[i].scalar));
        if (order[i].scalar == NULL && scope != NULL) {
            TRY(bind_expr(binder, scope, item->expr, &order[i].scalar));
            var_id var = bind_project_var(
                binder, project_of(binder, &query->rel), "order", order[i].scalar);
            order[i].scalar = bind_var(binder, var, item->expr->position);
        }
        if (order[i].scalar == NULL)
            return status_detail(binder->arena,
                bind_error(binder, item->expr->position, E_FEATURE_NOT_SUPPORTED,
                    "invalid UNION/INTERSECT/EXCEPT ORDER BY clause"),
                "Only result column names can be used, not expressions or functions.");
        TRY(bind_order_flags(binder, item, &order[i]));
    }
    bind_add_sort(binder, order, order_by->count, &query->rel);
    TRY(add_limit(binder, limit, offset, with_ties ? order : NULL, order_count, &query->rel));

out:
    return st;
}

// --- FOR UPDATE --------------------------------------------------------------------------------------

static const char *locking_name(const struct locking *locking)
{
    static const char *const names[] = {[LOCK_FOR_KEY_SHARE] = "FOR KEY SHARE",
        [LOCK_FOR_SHARE] = "FOR SHARE", [LOCK_FOR_NO_KEY_UPDATE] = "FOR NO KEY UPDATE",
        [LOCK_FOR_UPDATE] = "FOR UPDATE"};
    return names[locking->strength];
}

static struct status mark_locks(struct binder *binder, struct rel *rel,
    const struct locking *locking, uint32_t *scans, struct rel **last)
{
    static const enum rel_lock rel_locks[] = {[LOCK_FOR_KEY_SHARE] = REL_LOCK_KEY_SHARE,
        [LOCK_FOR_SHARE] = REL_LOCK_SHARE, [LOCK_FOR_NO_KEY_UPDATE] = REL_LOCK_NO_KEY_UPDATE,
        [LOCK_FOR_UPDATE] = REL_LOCK_UPDATE};
    struct status st = STATUS_OK;
    if (rel == NULL) return st;
    if (rel->kind == REL_SCAN) {
        if (rel->scan.table->materialized)
            return bind_error(binder, locking->position, E_WRONG_OBJECT_TYPE,
                "cannot lock rows in materialized view \"%s\"", rel->scan.table->name);
        struct relation *relation = bind_names_by_id(binder->names, rel->scan.table->id);
        if (relation != NULL) relation->privileges |= PRIVILEGE_UPDATE;
        rel->scan.lock = rel_locks[locking->strength];
        rel->scan.wait = locking->wait;
        rel->scan.locked_by = locking_name(locking);
        (*scans)++;
        *last = rel;
        return st;
    }
    if (rel->kind != REL_JOIN && rel->kind != REL_FILTER && rel->kind != REL_PROJECT &&
        rel->kind != REL_SORT && rel->kind != REL_LIMIT)
        return st;
    TRY(mark_locks(binder, rel->left, locking, scans, last));
    if (rel->kind == REL_JOIN) TRY(mark_locks(binder, rel->right, locking, scans, last));

out:
    return st;
}

// What keeps FOR UPDATE from the rows of this SELECT itself; NULL: nothing.
static const char *no_locks(const struct select_build *build)
{
    const struct select *select = build->select;
    return select->distinct || select->distinct_on.count > 0 ? "DISTINCT clause"
        : select->group_by.count > 0                         ? "GROUP BY clause"
        : select->having != NULL                             ? "HAVING clause"
        : build->level.aggregate_count > 0                   ? "aggregate functions"
        : build->level.window_count > 0                      ? "window functions"
        : build->level.set_count > 0                         ? "set-returning functions in the target list"
                                                             : NULL;
}

// What whoever reads from this SELECT cannot lock, as far down as its subqueries and views.
static void note_locks(const struct select_build *build, struct query *query)
{
    query->no_locks = no_locks(build);
    for (const struct range *range = build->scope->names.ranges; range != NULL; range = range->next) {
        if (query->no_locks == NULL) query->no_locks = range->no_locks;
        query->reads_tables |= range->rel != NULL;
    }
}

static struct status lock_range(struct binder *binder, const struct range *range,
    const struct locking *locking, uint32_t *scans, struct rel **last)
{
    if (range->no_locks != NULL)
        return bind_error(binder, POSITION_NONE, E_FEATURE_NOT_SUPPORTED, "%s is not allowed with %s",
            locking_name(locking), range->no_locks);
    return mark_locks(binder, range->rel, locking, scans, last);
}

static struct status lock_of(struct binder *binder, const struct scope *scope,
    const struct locking *locking, const struct object_name *of, uint32_t *scans, struct rel **last)
{
    for (const struct range *range = scope->names.ranges; range != NULL; range = range->next) {
        if (strcmp(range->name, of->name) != 0) continue;
        if (range->unlockable != NULL)
            return bind_error(binder, of->position, E_FEATURE_NOT_SUPPORTED, "%s cannot be applied to %s",
                locking_name(locking), range->unlockable);
        return lock_range(binder, range, locking, scans, last);
    }
    return bind_error(binder, of->position, E_UNDEFINED_TABLE,
        "relation \"%s\" in %s clause not found in FROM clause", of->name, locking_name(locking));
}

static struct status bind_locking(
    struct binder *binder, struct select_build *build, struct rel **locked)
{
    struct status st = STATUS_OK;
    const struct select *select = build->select;
    const char *with = no_locks(build);
    *locked = NULL;
    for (uint32_t i = 0; i < select->locking_count; i++) {
        const struct locking *locking = &select->lockings[i];
        if (with != NULL)
            return bind_error(binder, locking->position, E_FEATURE_NOT_SUPPORTED,
                "%s is not allowed with %s", locking_name(locking), with);
        uint32_t scans = 0;
        struct rel *last = NULL;
        for (uint32_t k = 0; k < locking->of.count; k++)
            TRY(lock_of(binder, build->scope, locking, &locking->of.items[k], &scans, &last));
        const struct range *range = locking->of.count == 0 ? build->scope->names.ranges : NULL;
        for (; range != NULL; range = range->next) TRY(lock_range(binder, range, locking, &scans, &last));
        binder->writes |= scans > 0;
        // With LIMIT only the rows that are returned are to be locked: above sort and filter.
        if (scans == 1 && select->limit != NULL && select->locking_count == 1) *locked = last;
    }

out:
    return st;
}

static void add_lock(struct binder *binder, struct rel *scan, struct query *query)
{
    struct rel *lock = rel_new(binder->arena, REL_LOCK);
    lock->left = query->rel;
    lock->lock.scan = scan;
    lock->lock.lock = scan->scan.lock;
    lock->lock.wait = scan->scan.wait;
    scan->scan.lock = REL_LOCK_NONE;
    // Rows that others hold and change meanwhile are passed over, not conflicts.
    scan->scan.no_validate = scan->scan.wait == LOCK_WAIT_SKIP;
    query->rel = lock;
}

// --- simple SELECT -----------------------------------------------------------------------------------

static void add_sets(struct binder *binder, struct select_build *build)
{
    if (build->level.set_count == 0) return;
    struct rel *sets = rel_new(binder->arena, REL_PROJECT_SET);
    sets->left = build->rel;
    sets->function.calls = build->level.sets;
    sets->function.call_count = build->level.set_count;
    sets->function.ordinality = VAR_NONE;
    build->rel = sets;
}

static bool has_grouping_sets(const struct select *select)
{
    for (uint32_t i = 0; i < select->group_by.count; i++)
        if (select->group_by.items[i]->kind == EXPR_GROUPING_SET) return true;
    return false;
}

static struct status bind_simple(struct binder *binder, struct scope *scope,
    const struct select *select, bool unknowns, struct query *query)
{
    struct status st = STATUS_OK;
    struct select_build *build = ARENA_NEW(binder->arena, struct select_build);
    struct scalar *where;
    struct rel *locked;
    build->select = select;
    build->scope = scope;
    scope->level = &build->level;
    if (select->distinct || select->distinct_on.count > 0) unknowns = false;
    build->level.select = select;
    TRY(bind_window_names(binder, &build->level));
    const bool separate = binder->separate;
    binder->separate = has_grouping_sets(select);
    st = bind_from(binder, scope, &select->from, &build->rel);
    binder->separate = separate;
    TRY(st);
    // In PostgreSQL's order: of two errors it is the first that is told, and parameters get their types from it.
    scope->sets_allowed = true;
    TRY(bind_target_list(binder, scope, &select->targets, &build->targets));
    scope->sets_allowed = false;
    if (select->where != NULL) {
        TRY(bind_condition(binder, scope, select->where, "WHERE", &where));
        build->rel = rel_filter(binder->arena, build->rel, where);
    }
    for (uint32_t i = 0; i < build->targets.count && !unknowns; i++)
        TRY(bind_resolve_unknown(binder, &build->targets.items[i].scalar));
    TRY(bind_groups(binder, build));
    if (select->having != NULL) {
        build->level.no_windows = "HAVING";
        TRY(bind_expr(binder, scope, select->having, &build->having));
        build->level.no_windows = NULL;
        TRY(bind_coerce_bool(binder, &build->having, "HAVING"));
    }
    TRY(bind_orders(binder, build));
    TRY(bind_windows(binder, scope));
    TRY(bind_locking(binder, build, &locked));
    note_locks(build, query);
    TRY(bind_group_build(binder, build));
    bind_window_build(binder, &build->level, &build->rel);
    add_sets(binder, build);
    TRY(project_targets(binder, &build->targets, &build->rel, unknowns, query));
    if (build->distinct_on_count > 0) {
        TRY(build_distinct_on(binder, build, query));
    } else if (select->distinct) {
        TRY(build_distinct(binder, build, query));
    } else {
        project_orders(binder, build, project_of(binder, &query->rel));
        bind_add_sort(binder, build->order, build->order_count, &query->rel);
    }
    if (locked != NULL) add_lock(binder, locked, query);
    TRY(add_limit(binder, select->limit, select->offset, select->with_ties ? build->order : NULL,
        build->order_count, &query->rel));

out:
    return st;
}

// --- VALUES ------------------------------------------------------------------------------------------

static struct status bind_values(struct binder *binder, struct scope *scope,
    const struct select *select, bool unknowns, struct query *query)
{
    struct status st = STATUS_OK;
    uint32_t width = select->rows[0].count;
    struct rel *values = rel_new(binder->arena, REL_VALUES);
    values->values.row_count = select->row_count;
    values->values.column_count = width;
    values->values.rows = ARENA_ARRAY(binder->arena, struct scalar **, select->row_count);
    scope->clause = "VALUES";
    for (uint32_t r = 0; r < select->row_count; r++) {
        if (select->rows[r].count != width)
            return bind_error(binder, select->position, E_SYNTAX_ERROR,
                "VALUES lists must all be the same length");
        values->values.rows[r] = ARENA_ARRAY(binder->arena, struct scalar *, width);
        for (uint32_t c = 0; c < width; c++)
            TRY(bind_expr(binder, scope, select->rows[r].items[c], &values->values.rows[r][c]));
    }
    scope->clause = NULL;
    struct scalar **column = ARENA_ARRAY(binder->arena, struct scalar *, select->row_count);
    struct type *types = ARENA_ARRAY(binder->arena, struct type, width);
    for (uint32_t c = 0; c < width; c++) {
        for (uint32_t r = 0; r < select->row_count; r++) column[r] = values->values.rows[r][c];
        types[c] = TYPE_OF(TYPE_UNKNOWN);
        if (!unknowns || select->row_count > 1 || !scalar_is_unknown(column[0]))
            TRY(bind_common_type(binder, "VALUES", column, select->row_count, &types[c]));
        for (uint32_t r = 0; r < select->row_count; r++) {
            values->values.rows[r][c] = column[r];
            note_target(binder, select->rows[r].items[c], column[r]);
        }
    }
    values->values.base = binder->var_count;
    for (uint32_t c = 0; c < width; c++) {
        const char *name = arena_printf(binder->arena, "column%u", c + 1);
        struct output output = {.name = name, .type = types[c], .position = POSITION_NONE};
        output.var = bind_new_var(binder, name, "*VALUES*", types[c]);
        if (scalar_is_unknown(values->values.rows[0][c]) && select->row_count == 1)
            output.source = values->values.rows[0][c];
        bind_add_output(binder, query, output);
    }
    query->rel = values;
    TRY(bind_order_limit(
        binder, NULL, &select->order_by, select->limit, select->offset, select->with_ties,
        query));

out:
    return st;
}

// --- set operations ----------------------------------------------------------------------------------

static bool is_plain_set(const struct select *select, const struct select *like)
{
    return select->kind == like->kind && select->all == like->all && select->kind == SELECT_UNION &&
           select->order_by.count == 0 && select->limit == NULL && select->offset == NULL &&
           select->with == NULL && select->locking_count == 0;
}

static uint32_t collect_inputs(
    const struct select *select, const struct select *like, const struct select **inputs)
{
    // Left-deep chains are as long as the statement; they are walked, not recursed into.
    uint32_t count = 0;
    const struct select *node = select;
    while (is_plain_set(node->left, like)) {
        node = node->left;
        count++;
    }
    uint32_t total = count + 2;
    if (inputs == NULL) return total;
    node = select;
    for (uint32_t i = total; i-- > 1;) {
        inputs[i] = node->right;
        if (i > 1) node = node->left;
    }
    inputs[0] = node->left;
    return total;
}

// `compared`: rows are looked for that are equal.
static struct status set_column_type(struct binder *binder, const char *what, bool compared,
    struct query *queries, uint32_t count, uint32_t column, struct type *type)
{
    struct status st = STATUS_OK;
    type_oid *types = ARENA_ARRAY(binder->arena, type_oid, count);
    bool same = true;
    for (uint32_t i = 0; i < count; i++) {
        types[i] = queries[i].columns[column].type.oid;
        same &= queries[i].columns[column].type.typmod == queries[0].columns[column].type.typmod &&
                types[i] == types[0];
    }
    *type = queries[0].columns[column].type;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t other = queries[i].columns[column].type.collation;
        if (other == type->collation || other == COLLATION_NONE) continue;
        type->collation = type->collation == COLLATION_NONE ? other : COLLATION_CONFLICT;
    }
    if (!same) type->typmod = -1;
    TRY(bind_at(binder, type_common(binder->arena, what, types, count, &type->oid),
        queries[count - 1].columns[column].position));
    if (type->oid == TYPE_UNKNOWN) *type = TYPE_OF(TYPE_TEXT);
    if (!compared || type_is_ordered(type->oid)) return st;
    uint32_t position = POSITION_NONE; // Of the first one that is of the type.
    for (uint32_t i = 0; i < count && position == POSITION_NONE; i++)
        if (types[i] == type->oid) position = queries[i].columns[column].position;
    st = bind_error(binder, position, E_UNDEFINED_FUNCTION,
        "could not identify an equality operator for type %s", bind_type_text(binder, *type));

out:
    return st;
}

static struct status coerce_output(struct binder *binder, const char *what, struct query *query,
    uint32_t column, struct type type, var_id *var)
{
    struct status st = STATUS_OK;
    struct output *output = &query->columns[column];
    *var = output->var;
    if (output->type.oid == type.oid) return st;
    struct scalar *scalar = output->source;
    bool done;
    if (scalar != NULL) {
        TRY(bind_coerce(binder, &scalar, TYPE_OF(type.oid), CAST_IMPLICIT, &done));
        *output->source = *scalar;
        binder->vars[output->var].type = TYPE_OF(type.oid);
        return st;
    }
    scalar = bind_var(binder, output->var, POSITION_NONE);
    TRY(bind_coerce(binder, &scalar, TYPE_OF(type.oid), CAST_IMPLICIT, &done));
    if (!done)
        return bind_error(binder, POSITION_NONE, E_CANNOT_COERCE,
            "%s could not convert type %s to %s", what, bind_type_text(binder, output->type),
            bind_type_text(binder, type));
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = query->rel;
    *var = bind_new_var(binder, output->name, NULL, type);
    rel_item_add(binder->arena, &project->project, *var, scalar);
    query->rel = project;

out:
    return st;
}

static struct status bind_set_inputs(struct binder *binder, struct scope *scope, const char *what,
    const struct select **inputs, uint32_t count, struct rel *set, struct query *query)
{
    struct status st = STATUS_OK;
    struct query *queries = ARENA_ARRAY(binder->arena, struct query, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind_select(binder, scope, inputs[i], true, &queries[i]));
        if (queries[i].column_count != queries[0].column_count)
            return bind_error(binder, inputs[i]->position, E_SYNTAX_ERROR,
                "each %s query must have the same number of columns", what);
    }
    uint32_t width = queries[0].column_count;
    set->set.inputs = ARENA_ARRAY(binder->arena, struct rel *, count);
    set->set.input_vars = ARENA_ARRAY(binder->arena, var_id *, count);
    set->set.input_count = count;
    set->set.vars = ARENA_ARRAY(binder->arena, var_id, width);
    set->set.var_count = width;
    for (uint32_t i = 0; i < count; i++)
        set->set.input_vars[i] = ARENA_ARRAY(binder->arena, var_id, width);
    for (uint32_t c = 0; c < width; c++) {
        struct type type;
        TRY(set_column_type(binder, what, set->set.kind != SELECT_UNION || !set->set.all, queries,
            count, c, &type));
        for (uint32_t i = 0; i < count; i++)
            TRY(coerce_output(binder, what, &queries[i], c, type, &set->set.input_vars[i][c]));
        const char *name = queries[0].columns[c].name;
        set->set.vars[c] = bind_new_var(binder, name, NULL, type);
        bind_add_output(binder, query,
            (struct output){.name = name,
                .var = set->set.vars[c],
                .type = type,
                .position = POSITION_NONE});
    }
    for (uint32_t i = 0; i < count; i++) set->set.inputs[i] = queries[i].rel;

out:
    return st;
}

static struct status bind_set_operation(struct binder *binder, struct scope *scope,
    const struct select *select, struct query *query)
{
    struct status st = STATUS_OK;
    const char *what = select->kind == SELECT_UNION ? "UNION"
        : select->kind == SELECT_INTERSECT          ? "INTERSECT"
                                                    : "EXCEPT";
    if (select->locking_count > 0)
        return bind_error(binder, select->lockings[0].position, E_FEATURE_NOT_SUPPORTED,
            "%s is not allowed with UNION/INTERSECT/EXCEPT", locking_name(&select->lockings[0]));
    uint32_t count = collect_inputs(select, select, NULL);
    const struct select **inputs = ARENA_ARRAY(binder->arena, const struct select *, count);
    collect_inputs(select, select, inputs);
    struct rel *set = rel_new(
        binder->arena, select->kind == SELECT_UNION ? REL_UNION_ALL : REL_SET);
    set->set.kind = select->kind;
    set->set.all = select->all;
    TRY(bind_set_inputs(binder, scope, what, inputs, count, set, query));
    query->rel = set;
    query->no_locks = "UNION/INTERSECT/EXCEPT";
    if (select->kind == SELECT_UNION && !select->all) {
        struct rel *distinct = rel_new(binder->arena, REL_DISTINCT);
        distinct->distinct.keys = set->set.vars;
        distinct->distinct.key_count = set->set.var_count;
        distinct->left = set;
        query->rel = distinct;
    }
    TRY(bind_order_limit(
        binder, NULL, &select->order_by, select->limit, select->offset, select->with_ties,
        query));

out:
    return st;
}

struct status bind_select(struct binder *binder, struct scope *parent, const struct select *select,
    bool unknowns, struct query *query)
{
    struct status st = STATUS_OK;
    struct scope scope = {.parent = parent};
    struct rel *owner = NULL;
    if (select->with != NULL) TRY(bind_with(binder, &scope, select->with, &owner));
    switch (select->kind) {
    case SELECT_SIMPLE: TRY(bind_simple(binder, &scope, select, unknowns, query)); break;
    case SELECT_VALUES: TRY(bind_values(binder, &scope, select, unknowns, query)); break;
    default: TRY(bind_set_operation(binder, &scope, select, query)); break;
    }
    if (owner != NULL) {
        owner->left = query->rel;
        query->rel = owner;
    }

out:
    return st;
}
