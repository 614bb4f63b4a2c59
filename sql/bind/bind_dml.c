// SPDX-License-Identifier: GPL-3.0-or-later
//
// INSERT, UPSERT, UPDATE and DELETE.
#include "core/invariant.h"
#include "sql/bind/bind.h"
#include "sql/session/cursor.h"
#include "sql/user/privilege.h"
#include "sql/bind/view_write.h"

#define E_GENERATED_ALWAYS SQLSTATE('4', '2', '8', 'C', '9')

static struct status bind_target_table(struct binder *binder, const struct scope *scope,
    const struct table_target *target, const char *verb, uint32_t privilege,
    struct relation **relation, struct written_views *views)
{
    struct status st = STATUS_OK;
    const char *name = target->name.name;
    TRY(bind_relation(binder, scope, &target->name, relation));
    switch ((*relation)->table->kind) {
    case RELATION_TABLE:
        if (!(*relation)->table->materialized || binder->session->internal) break;
        return bind_error(binder, target->name.position, E_WRONG_OBJECT_TYPE,
            "cannot change materialized view \"%s\"", name);
    case RELATION_VIEW:
        // The view's owner answers for the table.
        (*relation)->privileges |= privilege;
        binder->writes = binder->modifies = true;
        return bind_written_view(binder, target, verb, *relation, views, relation);
    case RELATION_SEQUENCE:
        return bind_error(binder, target->name.position, E_WRONG_OBJECT_TYPE,
            "cannot change sequence \"%s\"", name);
    case RELATION_ENUM:
    case RELATION_COMPOSITE:
    case RELATION_COLLATION:
    case RELATION_FUNCTION:
    case RELATION_DOMAIN: // Never found by a relation's name.
    case RELATION_VIRTUAL:
        return bind_error(binder, target->name.position, E_INSUFFICIENT_PRIVILEGE,
            "permission denied: \"%s\" is a system catalog", name);
    }
    (*relation)->privileges |= privilege;
    binder->writes = binder->modifies = true;

out:
    return st;
}

// The names that the statement gives the row at `base`: the table's, or the view's.
static struct status add_target_range(struct binder *binder, struct from_names *names,
    const struct written_views *views, const struct table_desc *table, const struct table_target *target,
    var_id base, struct range **out)
{
    struct status st = STATUS_OK;
    struct range *range;
    if (views->count == 0) {
        range = bind_add_table_range(binder, names, table, target->alias, base);
    } else {
        const struct relation *view = views->items[0];
        TRY(bind_view_range(
            binder, views, 0, target->alias != NULL ? target->alias : view->table->name, table, base, &range));
        if (target->alias == NULL) range->home = view->schema;
        range->next = names->ranges;
        names->ranges = range;
        names->columns = arena_grow(binder->arena, names->columns,
            names->column_count * sizeof(struct range_column),
            (names->column_count + range->column_count) * sizeof(struct range_column));
        memcpy(names->columns + names->column_count, range->columns,
            range->column_count * sizeof(struct range_column));
        names->column_count += range->column_count;
    }
    range->target = views->count == 0;
    if (out != NULL) *out = range;

out:
    return st;
}

// The table's column behind a column of the view.
static struct status find_view_column(struct binder *binder, const struct written_views *views,
    const struct table_desc *table, const char *name, const char *verb, uint32_t position,
    uint32_t *ordinal)
{
    struct status st = STATUS_OK;
    struct range *range;
    const char *view = views->items[0]->table->name;
    TRY(bind_view_range(binder, views, 0, view, table, 0, &range));
    for (uint32_t i = 0; i < range->column_count; i++) {
        if (strcmp(range->columns[i].name, name) != 0) continue;
        if (range->columns[i].used != NULL)
            *range->columns[i].used |=
                strcmp(verb, "update") == 0 ? PRIVILEGE_UPDATE : PRIVILEGE_INSERT;
        const struct scalar *scalar = range->columns[i].scalar;
        if (scalar->kind == SCALAR_VAR && scalar->var < table->column_count) {
            *ordinal = scalar->var;
            return st;
        }
        return status_detail(binder->arena,
            bind_error(binder, POSITION_NONE, E_FEATURE_NOT_SUPPORTED,
                "cannot %s column \"%s\" of view \"%s\"", verb, name, view),
            "View columns that are not columns of their base relation are not updatable.");
    }
    return bind_error(binder, position, E_UNDEFINED_COLUMN,
        "column \"%s\" of relation \"%s\" does not exist", name, view);

out:
    return st;
}

static struct status find_target_column(struct binder *binder, const struct table_desc *table,
    const char *name, uint32_t position, uint32_t *ordinal)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].state == ELEMENT_PUBLIC &&
            strcmp(table->columns[i].name, name) == 0) {
            *ordinal = i;
            return STATUS_OK;
        }
    return bind_error(binder, position, E_UNDEFINED_COLUMN,
        "column \"%s\" of relation \"%s\" does not exist", name, table->name);
}

static struct status refuse_generated(
    struct binder *binder, const struct column_desc *column, bool insert, bool overriding)
{
    bool always = column->identity == 'a' && !overriding;
    if (column->generated_sql == NULL && !always) return STATUS_OK;
    struct status st = insert
        ? bind_error(binder, POSITION_NONE, E_GENERATED_ALWAYS,
              "cannot insert a non-DEFAULT value into column \"%s\"", column->name)
        : bind_error(binder, POSITION_NONE, E_GENERATED_ALWAYS,
              "column \"%s\" can only be updated to DEFAULT", column->name);
    st = status_detail(binder->arena, st,
        column->generated_sql != NULL ? "Column \"%s\" is a generated column."
                                      : "Column \"%s\" is an identity column defined as GENERATED ALWAYS.",
        column->name);
    if (always && insert)
        st = status_hint(binder->arena, st, "Use OVERRIDING SYSTEM VALUE to override.");
    return st;
}

static struct scalar *default_of(
    struct binder *binder, const struct table_plan *plan, uint32_t ordinal)
{
    if (plan->defaults[ordinal] != NULL) return plan->defaults[ordinal];
    return scalar_null(binder->arena, plan->table->columns[ordinal].type, POSITION_NONE);
}

// --- INSERT ------------------------------------------------------------------------------------------

struct insert_columns {
    uint32_t *ordinals;
    uint32_t count;
    bool written; // By the client, not all of the table.
};

// How many values each row has, as far as can be seen.
static uint32_t insert_width(const struct insert *insert)
{
    const struct select *source = insert->source;
    if (source == NULL) return 0;
    return source->kind == SELECT_VALUES && source->row_count > 0 ? source->rows[0].count
                                                                  : UINT32_MAX;
}

static struct status insert_columns(struct binder *binder, const struct table_desc *table,
    const struct written_views *views, const struct insert *insert, struct insert_columns *out)
{
    struct status st = STATUS_OK;
    out->ordinals =
        ARENA_ARRAY(binder->arena, uint32_t, table->column_count + insert->columns.count +
                                                (views->count > 0 ? views->items[0]->table->column_count : 0));
    out->count = 0;
    out->written = insert->columns.count > 0;
    for (uint32_t i = 0; i < insert->columns.count; i++) {
        uint32_t ordinal;
        uint32_t position = insert->column_positions[i];
        if (views->count > 0)
            TRY(find_view_column(binder, views, table, insert->columns.items[i], "insert into",
                position, &ordinal));
        else
            TRY(find_target_column(
                binder, table, insert->columns.items[i], position, &ordinal));
        for (uint32_t k = 0; k < out->count; k++)
            if (out->ordinals[k] == ordinal &&
                (insert->part_counts[k] == 0 || insert->part_counts[i] == 0))
                return bind_error(binder, position, E_DUPLICATE_COLUMN,
                    "column \"%s\" specified more than once", insert->columns.items[i]);
        out->ordinals[out->count++] = ordinal;
    }
    const struct table_desc *view = views->count > 0 ? views->items[0]->table : NULL;
    for (uint32_t i = 0; view != NULL && i < view->column_count && !out->written; i++) {
        if (i >= insert_width(insert)) break;
        TRY(find_view_column(binder, views, table, view->columns[i].name, "insert into",
            POSITION_NONE, &out->ordinals[out->count]));
        out->count++;
    }
    for (uint32_t i = 0; view == NULL && i < table->column_count && !out->written; i++)
        if (table->columns[i].state == ELEMENT_PUBLIC && !table->columns[i].hidden)
            out->ordinals[out->count++] = i;
    const struct relation *relation = bind_names_by_id(binder->names, table->id);
    uint32_t width = out->written ? UINT32_MAX : insert_width(insert);
    for (uint32_t i = 0; view == NULL && relation != NULL && i < out->count && i < width; i++)
        relation->used[out->ordinals[i]] |= PRIVILEGE_INSERT;

out:
    return st;
}

static struct status check_width(struct binder *binder, const struct insert *insert,
    const struct insert_columns *columns, uint32_t count)
{
    const struct select *source = insert->source;
    if (count > columns->count) {
        uint32_t position = source->kind == SELECT_VALUES
            ? source->rows[0].items[columns->count]->position
            : source->position;
        return bind_error(binder, position, E_SYNTAX_ERROR,
            "INSERT has more expressions than target columns");
    }
    if (count < columns->count && columns->written)
        return bind_error(binder, insert->column_positions[count], E_SYNTAX_ERROR,
            "INSERT has more target columns than expressions");
    return STATUS_OK;
}

static struct status bind_insert_value(struct binder *binder, struct scope *scope,
    const struct insert *insert, const struct table_plan *plan, uint32_t ordinal,
    const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct column_desc *column = &plan->table->columns[ordinal];
    if (expr->kind == EXPR_DEFAULT ||
        (insert->overriding == OVERRIDING_USER && column->identity != 0)) {
        *out = default_of(binder, plan, ordinal);
        return st;
    }
    TRY(refuse_generated(binder, column, true, insert->overriding == OVERRIDING_SYSTEM));
    TRY(bind_expr(binder, scope, expr, out));
    TRY(bind_assign(binder, column, out));

out:
    return st;
}

// What the column is before a part of it is assigned to: NULL, or what an item before made of it.
static struct status insert_part(struct binder *binder, struct scope *scope,
    const struct insert *insert, const struct insert_columns *columns,
    const struct table_plan *plan, uint32_t at, struct scalar *const *before,
    struct scalar **scalar)
{
    struct status st;
    const struct column_desc *column = &plan->table->columns[columns->ordinals[at]];
    const struct expr *const *parts = (const struct expr *const *)insert->parts[at];
    struct scalar *base = scalar_null(binder->arena, column->type, POSITION_NONE);
    for (uint32_t i = 0; i < at; i++)
        if (columns->ordinals[i] == columns->ordinals[at]) base = before[i];
    TRY(refuse_generated(binder, column, true, insert->overriding == OVERRIDING_SYSTEM));
    st = bind_assign_part(binder, scope, base, column->type, parts, insert->part_counts[at],
        *scalar, scalar);

out:
    return st;
}

static bool has_parts(const struct insert *insert, uint32_t at)
{
    return insert->part_counts != NULL && at < insert->columns.count &&
           insert->part_counts[at] > 0;
}

static struct status insert_values(struct binder *binder, struct scope *parent,
    const struct insert *insert, const struct insert_columns *columns, struct insert_plan *plan,
    struct rel **rel)
{
    struct status st = STATUS_OK;
    const struct select *select = insert->source;
    uint32_t width = select->rows[0].count;
    struct rel *values = rel_new(binder->arena, REL_VALUES);
    struct scope scope = {.parent = parent, .clause = "VALUES"};
    TRY(check_width(binder, insert, columns, width));
    values->values.row_count = select->row_count;
    values->values.column_count = width;
    values->values.rows = ARENA_ARRAY(binder->arena, struct scalar **, select->row_count);
    for (uint32_t r = 0; r < select->row_count; r++) {
        if (select->rows[r].count != width)
            return bind_error(binder, select->rows[r].items[0]->position, E_SYNTAX_ERROR,
                "VALUES lists must all be the same length");
        values->values.rows[r] = ARENA_ARRAY(binder->arena, struct scalar *, width);
        for (uint32_t c = 0; c < width; c++) {
            struct scalar **row = values->values.rows[r];
            const struct expr *item = select->rows[r].items[c];
            if (has_parts(insert, c)) {
                TRY(bind_expr(binder, &scope, item, &row[c]));
                TRY(insert_part(binder, &scope, insert, columns, plan->table, c, row, &row[c]));
            } else {
                TRY(bind_insert_value(binder, &scope, insert, plan->table, columns->ordinals[c],
                    item, &row[c]));
            }
        }
    }
    values->values.base = binder->var_count;
    for (uint32_t c = 0; c < width; c++) {
        const struct column_desc *column = &plan->table->table->columns[columns->ordinals[c]];
        plan->sources[columns->ordinals[c]] =
            bind_new_var(binder, column->name, NULL, column->type);
    }
    *rel = values;

out:
    return st;
}

static struct status insert_query(struct binder *binder, struct scope *parent,
    const struct insert *insert, const struct insert_columns *columns, struct insert_plan *plan,
    struct rel **rel)
{
    struct status st = STATUS_OK;
    struct query query = {0};
    TRY(bind_select(binder, parent, insert->source, true, &query));
    TRY(check_width(binder, insert, columns, query.column_count));
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = query.rel;
    struct scope scope = {.parent = parent};
    struct scalar **made = ARENA_ARRAY(binder->arena, struct scalar *, query.column_count);
    plan->of_domain = ARENA_ARRAY(binder->arena, bool, plan->table->table->column_count);
    for (uint32_t i = 0; i < query.column_count; i++) {
        const struct column_desc *column = &plan->table->table->columns[columns->ordinals[i]];
        struct output *output = &query.columns[i];
        if (insert->overriding == OVERRIDING_USER && column->identity != 0) continue;
        TRY(refuse_generated(binder, column, true, insert->overriding == OVERRIDING_SYSTEM));
        struct scalar *scalar = output->source != NULL
            ? output->source
            : bind_var(binder, output->var, POSITION_NONE);
        if (has_parts(insert, i))
            TRY(insert_part(binder, &scope, insert, columns, plan->table, i, made, &scalar));
        else
            TRY(bind_assign(binder, column, &scalar));
        made[i] = scalar;
        plan->of_domain[columns->ordinals[i]] = scalar->domain == column->domain;
        plan->sources[columns->ordinals[i]] = output->var;
        if (scalar->kind == SCALAR_VAR) continue;
        var_id var = bind_new_var(binder, column->name, NULL, column->type);
        rel_item_add(binder->arena, &project->project, var, scalar);
        plan->sources[columns->ordinals[i]] = var;
    }
    plan->materialize = true;
    *rel = project;

out:
    return st;
}

static bool is_plain_values(const struct select *select)
{
    return select->kind == SELECT_VALUES && select->order_by.count == 0 && select->limit == NULL &&
           select->offset == NULL && select->with == NULL;
}

// --- ON CONFLICT -------------------------------------------------------------------------------------

// `rows` gets what queries for several columns give; NULL: there is no place beneath, they stand in the assignments.
static struct status bind_assignments(struct binder *binder, struct scope *scope,
    const struct assignment_list *list, const struct written_views *views,
    const struct table_plan *table, var_id base, struct rel_item_list *out, struct rel_item_list *rows);

struct assigned {
    const struct rel_item_list *items;
    var_id base;
};

static bool is_assigned(const void *arg, uint32_t ordinal)
{
    const struct assigned *assigned = arg;
    for (uint32_t i = 0; i < assigned->items->count; i++) {
        if (assigned->items->items[i].var == assigned->base + ordinal) return true;
    }
    return false;
}

static struct status bind_conflict_update(struct binder *binder, struct scope *parent,
    const struct insert *insert, struct insert_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table->table;
    struct scope scope = {.parent = parent, .clause = "ON CONFLICT"};
    bind_add_table_range(binder, &scope.names, table, insert->target.alias, plan->existing_base);
    struct range *excluded =
        bind_add_table_range(binder, &scope.names, table, "excluded", plan->excluded_base);
    bind_range_unasked(&scope.names, excluded);
    static const struct written_views none;
    TRY(bind_assignments(binder, &scope, &insert->conflict_assignments, &none, plan->table,
        plan->existing_base, &plan->assignments, NULL));
    const struct assigned assigned = {&plan->assignments, plan->existing_base};
    plan->conflict_lock = bind_update_lock(table, is_assigned, &assigned);
    if (insert->conflict_where != NULL)
        TRY(bind_condition(
            binder, &scope, insert->conflict_where, "WHERE", &plan->conflict_where));

out:
    return st;
}

static bool is_key_column(const struct index_desc *index, uint32_t column_id)
{
    for (uint32_t i = 0; i < index->column_count; i++)
        if (index->columns[i].column_id == column_id) return true;
    return false;
}

// UPSERT is ON CONFLICT (primary key) DO UPDATE SET every given column.
static void bind_upsert(
    struct binder *binder, const struct insert_columns *columns, struct insert_plan *plan)
{
    const struct table_desc *table = plan->table->table;
    plan->arbiters[plan->arbiter_count++] = &table->indexes[0];
    plan->conflict = CONFLICT_UPDATE;
    for (uint32_t i = 0; i < columns->count; i++) {
        uint32_t ordinal = columns->ordinals[i];
        if (is_key_column(&table->indexes[0], table->columns[ordinal].id) ||
            table->columns[ordinal].generated_sql != NULL)
            continue;
        rel_item_add(binder->arena, &plan->assignments, plan->existing_base + ordinal,
            bind_var(binder, plan->excluded_base + ordinal, POSITION_NONE));
    }
    if (plan->assignments.count == 0) plan->conflict = CONFLICT_NOTHING;
    const struct assigned assigned = {&plan->assignments, plan->existing_base};
    plan->conflict_lock = bind_update_lock(table, is_assigned, &assigned);
}

static struct status bind_conflict(struct binder *binder, struct scope *parent,
    const struct insert *insert, const struct insert_columns *columns, const struct written_views *views,
    struct relation *relation, struct insert_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table->table;
    plan->conflict = insert->conflict;
    plan->upsert = insert->upsert;
    plan->conflict_lock = REL_LOCK_NO_KEY_UPDATE;
    plan->arbiters =
        ARENA_ARRAY(binder->arena, const struct index_desc *, table->index_count);
    if (insert->conflict == CONFLICT_NONE && !insert->upsert) return st;
    plan->existing_base = bind_new_row(binder, table, table->name);
    plan->excluded_base = bind_new_row(binder, table, "excluded");
    relation->privileges |= PRIVILEGE_SELECT;
    if (insert->upsert) {
        relation->privileges |= PRIVILEGE_UPDATE;
        bind_upsert(binder, columns, plan);
        return st;
    }
    if (insert->conflict_elements.count == 0 && insert->conflict_constraint == NULL) {
        if (insert->conflict == CONFLICT_UPDATE)
            return status_hint(binder->arena,
                bind_error(binder, insert->conflict_position, E_SYNTAX_ERROR,
                    "ON CONFLICT DO UPDATE requires inference specification or constraint name"),
                "For example, ON CONFLICT (column_name).");
        plan->any_arbiter = true;
        for (uint32_t i = 0; i < table->index_count; i++)
            if (table->indexes[i].unique && table->indexes[i].state != ELEMENT_DELETE_ONLY)
                plan->arbiters[plan->arbiter_count++] = &table->indexes[i];
        return st;
    }
    TRY(bind_arbiters(binder, insert, views, plan));
    if (insert->conflict == CONFLICT_UPDATE) {
        relation->privileges |= PRIVILEGE_UPDATE;
        TRY(bind_conflict_update(binder, parent, insert, plan));
    }

out:
    return st;
}

// Whose privileges count: the view's, when the statement names one.
static struct relation *named_relation(
    const struct written_views *views, struct relation *relation)
{
    return views->count > 0 ? views->items[0] : relation;
}

static struct status bind_returning(struct binder *binder, struct scope *scope,
    const struct target_list *returning, struct relation *relation, struct rel *rel,
    struct query *query)
{
    struct status st = STATUS_OK;
    query->rel = rel;
    if (returning->count == 0) return st;
    rel->returns = true;
    relation->privileges |= PRIVILEGE_SELECT;
    scope->clause = "RETURNING";
    TRY(bind_targets(binder, scope, returning, &rel, false, query));
    if (query->column_count == 0)
        st = bind_error(binder, returning->items[0].position, E_SYNTAX_ERROR, "RETURNING must have at least one column");

out:
    return st;
}

struct status bind_insert(
    struct binder *binder, struct scope *parent, const struct insert *insert, struct query *query)
{
    struct status st = STATUS_OK;
    struct relation *relation;
    struct insert_columns columns;
    struct scope scope = {.parent = parent};
    struct rel *owner = NULL;
    struct rel *source = NULL;
    if (insert->with != NULL) TRY(bind_with(binder, &scope, insert->with, &owner));
    struct written_views *views = ARENA_NEW(binder->arena, struct written_views);
    TRY(bind_target_table(
        binder, &scope, &insert->target, "insert into", PRIVILEGE_INSERT, &relation, views));
    const struct table_desc *table = relation->table;
    if (views->count > 0 && (insert->conflict == CONFLICT_UPDATE || insert->upsert))
        return bind_unsupported(binder, POSITION_NONE, "ON CONFLICT DO UPDATE on a view");
    struct insert_plan *plan = ARENA_NEW(binder->arena, struct insert_plan);
    plan->xmax = VAR_NONE;
    TRY(bind_table_plan(binder, table, TABLE_FOR_INSERT, &plan->table));
    plan->sources = ARENA_ARRAY(binder->arena, var_id, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) plan->sources[i] = VAR_NONE;
    TRY(bind_view_defaults(binder, views, plan->table));
    TRY(bind_view_checks(binder, views, plan->table));
    TRY(insert_columns(binder, table, views, insert, &columns));
    if (insert->source == NULL)
        source = rel_new(binder->arena, REL_ONE);
    else if (is_plain_values(insert->source))
        TRY(insert_values(binder, &scope, insert, &columns, plan, &source));
    else
        TRY(insert_query(binder, &scope, insert, &columns, plan, &source));
    TRY(bind_conflict(binder, &scope, insert, &columns, views, relation, plan));
    struct rel *rel = rel_new(binder->arena, REL_INSERT);
    rel->insert = plan;
    rel->left = source;
    struct scope returning = {.parent = &scope};
    struct range *written;
    TRY(add_target_range(
        binder, &returning.names, views, table, &insert->target, plan->table->row_base, &written));
    written->xmax = &plan->xmax;
    TRY(bind_returning(binder, &returning, &insert->returning, named_relation(views, relation),
        rel, query));
    if (owner != NULL) {
        owner->left = query->rel;
        query->rel = owner;
    }

out:
    return st;
}

// --- UPDATE ------------------------------------------------------------------------------------------

// The whole column's new value, from one for it or for a part of it.
static struct status finish_assignment(struct binder *binder, struct scope *scope,
    const struct assignment *assignment, uint32_t at, const struct column_desc *column,
    struct scalar *former, struct scalar **out)
{
    if (assignment->part_counts[at] == 0) return bind_assign(binder, column, out);
    return bind_assign_part(binder, scope, former, column->type,
        (const struct expr *const *)assignment->parts[at], assignment->part_counts[at], *out, out);
}

// (a, b) = (SELECT x, y ...): the row of x and y is computed once, and its items are the columns' values.
struct assigned_row {
    const struct assignment *of;
    struct query query;
    struct scalar *once; // The row, as a query or as a variable of one beneath; NULL: of one column, there is no row.
};

static struct status bind_assigned_row(struct binder *binder, struct scope *scope, const struct assignment *assignment,
    struct rel_item_list *rows, struct assigned_row *row)
{
    struct status st = STATUS_OK;
    const struct expr *value = assignment->value;
    struct query *query = &row->query;
    *row = (struct assigned_row){.of = assignment};
    TRY(bind_select(binder, scope, value->sublink.query, false, query));
    if (query->column_count != assignment->count)
        return bind_error(binder, value->position, E_SYNTAX_ERROR,
            "number of columns does not match number of values");
    if (query->column_count == 1) return st;
    struct scalar *made =
        scalar_with_args(binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), value->position, query->column_count);
    for (uint32_t i = 0; i < query->column_count; i++)
        made->args[i] = bind_var(binder, query->columns[i].var, value->position);
    TRY(bind_row_value(binder, &made));
    var_id inner = bind_new_var(binder, "row", NULL, made->type);
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = query->rel;
    rel_item_add(binder->arena, &project->project, inner, made);
    struct scalar *sublink = scalar_new(binder->arena, SCALAR_SUBQUERY, made->type, value->position);
    sublink->subquery.kind = SUBLINK_SCALAR;
    sublink->subquery.rel = project;
    sublink->subquery.outputs = ARENA_ARRAY(binder->arena, var_id, 1);
    sublink->subquery.outputs[0] = inner;
    sublink->subquery.output_count = 1;
    sublink->subquery.once = true;
    row->once = sublink;
    if (rows == NULL) return st;
    var_id var = bind_new_var(binder, "row", NULL, made->type);
    rel_item_add(binder->arena, rows, var, sublink);
    row->once = bind_var(binder, var, value->position);

out:
    return st;
}

static struct status assignment_value(struct binder *binder, struct scope *scope,
    const struct assignment *assignment, uint32_t at, const struct table_plan *table,
    uint32_t ordinal, struct scalar *former, struct rel_item_list *rows, struct assigned_row *row,
    struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct expr *value = assignment->value;
    const struct column_desc *column = &table->table->columns[ordinal];
    if (assignment->row) {
        if (value->kind == EXPR_SUBLINK && value->sublink.kind == SUBLINK_SCALAR) {
            if (row->of != assignment || row->once == NULL)
                TRY(bind_assigned_row(binder, scope, assignment, rows, row));
            struct type type = row->query.columns[at].type;
            if (row->once != NULL) {
                *out = bind_composite_item(binder, row->once, at, type, value->position);
                return finish_assignment(binder, scope, assignment, at, column, former, out);
            }
            *out = scalar_new(binder->arena, SCALAR_SUBQUERY, type, value->position);
            (*out)->subquery.kind = SUBLINK_SCALAR;
            (*out)->subquery.rel = row->query.rel;
            (*out)->subquery.outputs = ARENA_ARRAY(binder->arena, var_id, 1);
            (*out)->subquery.outputs[0] = row->query.columns[at].var;
            (*out)->subquery.output_count = 1;
            return finish_assignment(binder, scope, assignment, at, column, former, out);
        }
        if (value->kind != EXPR_ROW)
            return bind_error(binder, value->position, E_FEATURE_NOT_SUPPORTED,
                "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression");
        if (value->row.items.count != assignment->count)
            return bind_error(binder, value->position, E_SYNTAX_ERROR,
                "number of columns does not match number of values");
        value = value->row.items.items[at];
    }
    if (value->kind == EXPR_DEFAULT) {
        *out = default_of(binder, table, ordinal);
        return st;
    }
    TRY(refuse_generated(binder, column, false, false));
    TRY(bind_expr(binder, scope, value, out));
    TRY(finish_assignment(binder, scope, assignment, at, column, former, out));

out:
    return st;
}

static struct status bind_assignments(struct binder *binder, struct scope *scope,
    const struct assignment_list *list, const struct written_views *views,
    const struct table_plan *table, var_id base, struct rel_item_list *out, struct rel_item_list *rows)
{
    struct status st = STATUS_OK;
    struct assigned_row row = {0};
    bool *partial = ARENA_ARRAY(binder->arena, bool, table->table->column_count);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct assignment *assignment = &list->items[i];
        for (uint32_t c = 0; c < assignment->count; c++) {
            uint32_t ordinal;
            struct scalar *scalar;
            if (views->count > 0)
                TRY(find_view_column(binder, views, table->table, assignment->columns[c], "update",
                    assignment->position, &ordinal));
            else
                TRY(find_target_column(binder, table->table, assignment->columns[c],
                    assignment->position, &ordinal));
            const struct relation *relation =
                views->count > 0 ? NULL : bind_names_by_id(binder->names, table->table->id);
            if (relation != NULL) relation->used[ordinal] |= PRIVILEGE_UPDATE;
            struct rel_item *before = NULL;
            for (uint32_t k = 0; k < out->count; k++)
                if (out->items[k].var == base + ordinal) before = &out->items[k];
            bool part = assignment->part_counts[c] > 0;
            if (before != NULL && (!part || !partial[ordinal]))
                return bind_error(binder, POSITION_NONE, E_SYNTAX_ERROR,
                    "multiple assignments to same column \"%s\"", assignment->columns[c]);
            partial[ordinal] = part;
            struct scalar *former = before != NULL
                ? before->scalar
                : bind_var(binder, base + ordinal, assignment->position);
            TRY(assignment_value(binder, scope, assignment, c, table, ordinal, former, rows, &row, &scalar));
            if (before != NULL) {
                before->scalar = scalar;
                continue;
            }
            if (table->table->columns[ordinal].generated_sql != NULL) continue;
            rel_item_add(binder->arena, out, base + ordinal, scalar);
        }
    }

out:
    return st;
}

struct change { // What UPDATE and DELETE have in common.
    const struct table_target *target;
    const struct from_list *from;
    const struct expr *where;
    const struct sort_list *order_by;
    const struct expr *limit;
    struct relation *relation;
    struct rel *scan;
    struct rel *rel;
    struct scope scope;
    struct range *range;
    struct update_plan *plan;
    struct written_views views;
};

// The key of the cursor's current row, one of its columns, at run time.
static struct status current_key(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    if (call->session == NULL) return status_make(E_INTERNAL, "no session");
    const char *name = arena_string(call->arena, datum_as_bytes(args[0]));
    const char *table = arena_string(call->arena, datum_as_bytes(args[2]));
    return cursor_current_key(call->task, call->session, name, (uint32_t)args[1].integer, table,
        (uint32_t)args[3].integer, result);
}

static struct scalar *key_call(struct binder *binder, const struct change *change,
    const char *cursor, const struct column_desc *column, uint32_t key)
{
    static const type_oid arg_types[] = {TYPE_TEXT, TYPE_INT8, TYPE_TEXT, TYPE_INT4};
    const struct table_desc *table = change->relation->table;
    struct function *function = ARENA_NEW(binder->arena, struct function);
    *function = (struct function){.name = "current_of",
        .kind = FUNCTION_SCALAR,
        .result = column->type.oid,
        .args = arg_types,
        .arg_count = 4,
        .strict = true,
        .volatility = FUNCTION_STABLE,
        .fn = current_key};
    struct scalar *call =
        scalar_with_args(binder->arena, SCALAR_CALL, column->type, POSITION_NONE, 4);
    call->function = function;
    const struct datum values[] = {datum_text(arena_strdup(binder->arena, cursor)),
        datum_int(table->id), datum_text(table->name), datum_int(key)};
    for (uint32_t i = 0; i < 4; i++)
        call->args[i] =
            scalar_const(binder->arena, TYPE_OF(arg_types[i]), values[i], POSITION_NONE);
    return call;
}

// WHERE CURRENT OF c: by the primary key of c's row.
static struct status bind_current_of(
    struct binder *binder, struct change *change, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = change->relation->table;
    const struct index_desc *primary = &table->indexes[0];
    *out = NULL;
    for (uint32_t k = 0; k < primary->column_count; k++)
        for (uint32_t c = 0; c < table->column_count; c++) {
            struct scalar *equal;
            if (table->columns[c].id != primary->columns[k].column_id) continue;
            struct scalar *value = key_call(
                binder, change, change->where->current_of.cursor, &table->columns[c], k);
            TRY(bind_operator(binder, "=",
                bind_var(binder, change->scan->scan.base + c, POSITION_NONE), value,
                POSITION_NONE, &equal));
            *out = scalar_and(binder->arena, *out, equal);
        }

out:
    return st;
}

static struct status bind_change_where(
    struct binder *binder, struct change *change, struct scalar **where)
{
    if (change->where->kind == EXPR_CURRENT_OF) return bind_current_of(binder, change, where);
    return bind_condition(binder, &change->scope, change->where, "WHERE", where);
}

static struct status bind_change_input(struct binder *binder, struct change *change)
{
    struct status st = STATUS_OK;
    struct rel *from = NULL;
    struct scalar *where;
    struct scope *scope = &change->scope;
    const struct table_desc *table = change->relation->table;
    const char *alias = change->target->alias != NULL ? change->target->alias
                    : change->views.count > 0     ? change->views.items[0]->table->name
                                                  : table->name;
    change->scan = bind_scan(binder, change->relation, alias);
    change->scan->scan.all_columns = true;
    change->scan->scan.lock = REL_LOCK_UPDATE;
    change->scan->scan.index_hint = change->target->index_hint;
    TRY(add_target_range(binder, &scope->names, &change->views, table, change->target,
        change->scan->scan.base, &change->range));
    change->rel = change->scan;
    change->plan->scan = change->scan;
    // From the innermost view on: what a barrier hides is not shown to the conditions of those above it.
    for (uint32_t i = change->views.count; i-- > 0;) {
        TRY(bind_view_condition(
            binder, &change->views, i, table, change->scan->scan.base, &where));
        if (where != NULL) {
            change->rel = rel_filter(binder->arena, change->rel, where);
            change->plan->materialize |= scalar_has_subquery(where);
        }
        if (change->views.items[i]->table->security_barrier != 't') continue;
        struct rel *limit = rel_new(binder->arena, REL_LIMIT); // No condition gets below it.
        limit->left = change->rel;
        change->rel = limit;
    }
    if (change->from->count > 0) {
        TRY(bind_from(binder, scope, change->from, &from));
        change->rel = rel_join(binder->arena, REL_INNER, change->rel, from);
        change->plan->once = true;
        change->plan->materialize = true;
    }
    if (change->where != NULL) {
        TRY(bind_change_where(binder, change, &where));
        change->rel = rel_filter(binder->arena, change->rel, where);
        change->plan->materialize |= scalar_has_subquery(where);
        named_relation(&change->views, change->relation)->privileges |= PRIVILEGE_SELECT;
    }
    struct query ordered = {.rel = change->rel};
    TRY(bind_order_limit(
        binder, scope, change->order_by, change->limit, NULL, false, &ordered));
    change->rel = ordered.rel;

out:
    return st;
}

// RETURNING sees the row as it has become, and the tables of FROM.
static struct status returning_scope(
    struct binder *binder, const struct change *change, var_id base, struct scope *scope)
{
    struct status st = STATUS_OK;
    *scope = (struct scope){.parent = change->scope.parent, .ctes = change->scope.ctes};
    TRY(add_target_range(binder, &scope->names, &change->views, change->relation->table,
        change->target, base, NULL));
    const struct from_names *names = &change->scope.names;
    uint32_t skip = change->range->column_count;
    for (struct range *range = names->ranges; range != NULL; range = range->next) {
        if (range == change->range) continue;
        struct range *copy = ARENA_NEW(binder->arena, struct range);
        *copy = *range;
        copy->next = scope->names.ranges;
        scope->names.ranges = copy;
    }
    uint32_t more = names->column_count - skip;
    struct range_column *columns = ARENA_ARRAY(binder->arena, struct range_column, skip + more);
    memcpy(columns, scope->names.columns, skip * sizeof *columns);
    if (more > 0) memcpy(columns + skip, names->columns + skip, more * sizeof *columns);
    scope->names.columns = columns;
    scope->names.column_count = skip + more;

out:
    return st;
}

static void project_assignments(struct binder *binder, struct change *change,
    const struct rel_item_list *assignments, const struct rel_item_list *rows)
{
    const struct table_desc *table = change->relation->table;
    if (rows->count > 0) {
        struct rel *below = rel_new(binder->arena, REL_PROJECT);
        below->left = change->rel;
        below->project = *rows;
        change->rel = below;
        change->plan->materialize = true;
    }
    struct rel *project = rel_new(binder->arena, REL_PROJECT);
    project->left = change->rel;
    change->plan->sources = ARENA_ARRAY(binder->arena, var_id, table->column_count);
    change->plan->of_domain = ARENA_ARRAY(binder->arena, bool, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) change->plan->sources[i] = VAR_NONE;
    for (uint32_t i = 0; i < assignments->count; i++) {
        uint32_t ordinal = assignments->items[i].var - change->scan->scan.base;
        struct scalar *scalar = assignments->items[i].scalar;
        var_id var =
            bind_new_var(binder, table->columns[ordinal].name, NULL, scalar->type);
        rel_item_add(binder->arena, &project->project, var, scalar);
        change->plan->sources[ordinal] = var;
        const struct column_desc *column = &table->columns[ordinal];
        change->plan->of_domain[ordinal] = column->domain == scalar->domain;
        change->plan->materialize |= scalar_has_subquery(scalar);
    }
    change->rel = project;
}

struct status bind_update(
    struct binder *binder, struct scope *parent, const struct update *update, struct query *query)
{
    struct status st = STATUS_OK;
    struct rel *owner = NULL;
    struct rel_item_list assignments = {0}, rows = {0};
    struct change *change = ARENA_NEW(binder->arena, struct change);
    *change = (struct change){.target = &update->target,
        .from = &update->from,
        .where = update->where,
        .order_by = &update->order_by,
        .limit = update->limit,
        .scope = {.parent = parent},
        .plan = ARENA_NEW(binder->arena, struct update_plan)};
    if (update->with != NULL) TRY(bind_with(binder, &change->scope, update->with, &owner));
    TRY(bind_target_table(binder, &change->scope, &update->target, "update", PRIVILEGE_UPDATE,
        &change->relation, &change->views));
    TRY(bind_table_plan(
        binder, change->relation->table, TABLE_FOR_UPDATE, &change->plan->table));
    TRY(bind_view_defaults(binder, &change->views, change->plan->table));
    TRY(bind_view_checks(binder, &change->views, change->plan->table));
    TRY(bind_change_input(binder, change));
    // What is asked for is looked at before what is set, as PostgreSQL does.
    struct rel *rel = rel_new(binder->arena, REL_UPDATE);
    rel->update = change->plan;
    rel->left = change->rel;
    struct scope returning;
    TRY(returning_scope(binder, change, change->plan->table->row_base, &returning));
    TRY(bind_returning(binder, &returning, &update->returning,
        named_relation(&change->views, change->relation), rel, query));
    change->scope.clause = "UPDATE";
    TRY(bind_assignments(binder, &change->scope, &update->assignments, &change->views,
        change->plan->table, change->scan->scan.base, &assignments, &rows));
    const struct assigned assigned = {&assignments, change->scan->scan.base};
    change->scan->scan.lock = bind_update_lock(change->relation->table, is_assigned, &assigned);
    project_assignments(binder, change, &assignments, &rows);
    rel->left = change->rel;
    if (owner != NULL) {
        owner->left = query->rel;
        query->rel = owner;
    }

out:
    return st;
}

struct status bind_delete(
    struct binder *binder, struct scope *parent, const struct delete_ *delete, struct query *query)
{
    struct status st = STATUS_OK;
    struct rel *owner = NULL;
    struct change *change = ARENA_NEW(binder->arena, struct change);
    *change = (struct change){.target = &delete->target,
        .from = &delete->from,
        .where = delete->where,
        .order_by = &delete->order_by,
        .limit = delete->limit,
        .scope = {.parent = parent},
        .plan = ARENA_NEW(binder->arena, struct update_plan)};
    if (delete->with != NULL) TRY(bind_with(binder, &change->scope, delete->with, &owner));
    TRY(bind_target_table(binder, &change->scope, &delete->target, "delete from",
        PRIVILEGE_DELETE, &change->relation, &change->views));
    TRY(bind_table_plan(
        binder, change->relation->table, TABLE_FOR_DELETE, &change->plan->table));
    TRY(bind_change_input(binder, change));
    struct rel *rel = rel_new(binder->arena, REL_DELETE);
    rel->update = change->plan;
    rel->left = change->rel;
    struct scope returning;
    TRY(returning_scope(binder, change, change->scan->scan.base, &returning));
    for (struct range *range = returning.names.ranges; range != NULL; range = range->next) range->deleted = range->target;
    TRY(bind_returning(binder, &returning, &delete->returning,
        named_relation(&change->views, change->relation), rel, query));
    if (owner != NULL) {
        owner->left = query->rel;
        query->rel = owner;
    }

out:
    return st;
}
