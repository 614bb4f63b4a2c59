// SPDX-License-Identifier: GPL-3.0-or-later
//
// Queries and data changes as text.
#include "core/task.h"
#include "sql/parse/deparse_internal.h"

void put_sorts(struct deparse *deparse, struct sort_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        const struct sort_item *item = &list.items[i];
        if (i > 0) put(deparse, ", ");
        put_expr(deparse, item->expr);
        if (item->direction == SORT_ASC) put(deparse, " ASC");
        if (item->direction == SORT_DESC) put(deparse, " DESC");
        if (item->direction == SORT_USING) {
            put(deparse, " USING ");
            put(deparse, item->using_operator);
        }
        if (item->nulls == SORT_NULLS_FIRST) put(deparse, " NULLS FIRST");
        if (item->nulls == SORT_NULLS_LAST) put(deparse, " NULLS LAST");
    }
}

static void put_bound(struct deparse *deparse, enum frame_bound bound, const struct expr *offset)
{
    if (offset != NULL && (bound == FRAME_OFFSET_PRECEDING || bound == FRAME_OFFSET_FOLLOWING))
        put_operand(deparse, offset);
    switch (bound) {
    case FRAME_UNBOUNDED_PRECEDING: put(deparse, "UNBOUNDED PRECEDING"); break;
    case FRAME_OFFSET_PRECEDING: put(deparse, " PRECEDING"); break;
    case FRAME_CURRENT_ROW: put(deparse, "CURRENT ROW"); break;
    case FRAME_OFFSET_FOLLOWING: put(deparse, " FOLLOWING"); break;
    case FRAME_UNBOUNDED_FOLLOWING: put(deparse, "UNBOUNDED FOLLOWING"); break;
    }
}

void put_window(struct deparse *deparse, const struct window *window)
{
    static const char *const modes[] = {"", "ROWS", "RANGE", "GROUPS"};
    static const char *const exclusions[] = {
        "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"};
    const char *between = "";
    put(deparse, "(");
    if (window->reference != NULL) {
        put_name(deparse, window->reference);
        between = " ";
    }
    if (window->partition_by.count > 0) {
        put(deparse, between);
        put(deparse, "PARTITION BY ");
        put_exprs(deparse, window->partition_by);
        between = " ";
    }
    if (window->order_by.count > 0) {
        put(deparse, between);
        put(deparse, "ORDER BY ");
        put_sorts(deparse, window->order_by);
        between = " ";
    }
    if (window->mode != FRAME_NONE) {
        put(deparse, between);
        put(deparse, modes[window->mode]);
        put(deparse, window->between ? " BETWEEN " : " ");
        put_bound(deparse, window->start, window->start_offset);
        if (window->between) {
            put(deparse, " AND ");
            put_bound(deparse, window->end, window->end_offset);
        }
        put(deparse, exclusions[window->exclusion]);
    }
    put(deparse, ")");
}

void put_targets(struct deparse *deparse, struct target_list list)
{
    struct deparse inner = {deparse->out, deparse->flags & ~(uint32_t)DEPARSE_LINES};
    for (uint32_t i = 0; i < list.count; i++) {
        if (i > 0) put(deparse, deparse->flags & DEPARSE_LINES ? ",\n    " : ", ");
        put_expr(&inner, list.items[i].expr);
        if (list.items[i].alias == NULL) continue;
        put(deparse, " AS ");
        put_name(deparse, list.items[i].alias);
    }
}

// What is inside of something else stays on its line.
static struct deparse within(const struct deparse *deparse)
{
    return (struct deparse){deparse->out, deparse->flags & ~(uint32_t)DEPARSE_LINES};
}

// A clause's words, behind a line break and so many spaces where lines are wanted.
static void put_clause(struct deparse *deparse, unsigned spaces, const char *words)
{
    if (deparse->flags & DEPARSE_LINES) {
        put(deparse, "\n");
        while (spaces-- > 1) put(deparse, " ");
    }
    put(deparse, words);
}

static void put_by(struct deparse *deparse, struct name_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_name(deparse, columns.items[i]);
    }
}

static void put_search(struct deparse *deparse, const struct cte_search *search)
{
    if (search == NULL) return;
    put(deparse, search->breadth ? " SEARCH BREADTH FIRST BY " : " SEARCH DEPTH FIRST BY ");
    put_by(deparse, search->columns);
    put(deparse, " SET ");
    put_name(deparse, search->sequence);
}

static bool is_plain(const struct expr *expr, bool value)
{
    return expr->kind == EXPR_LITERAL && expr->literal.kind == LITERAL_BOOL &&
           expr->literal.boolean == value;
}

static void put_cycle(struct deparse *deparse, const struct cte_cycle *cycle)
{
    if (cycle == NULL) return;
    put(deparse, " CYCLE ");
    put_by(deparse, cycle->columns);
    put(deparse, " SET ");
    put_name(deparse, cycle->mark);
    if (!is_plain(cycle->value, true) || !is_plain(cycle->otherwise, false)) {
        put(deparse, " TO ");
        put_expr(deparse, cycle->value);
        put(deparse, " DEFAULT ");
        put_expr(deparse, cycle->otherwise);
    }
    put(deparse, " USING ");
    put_name(deparse, cycle->path);
}

static void put_with(struct deparse *outer, const struct with_clause *with)
{
    struct deparse inner = within(outer), *deparse = &inner;
    if (with == NULL) return;
    put(deparse, with->recursive ? "WITH RECURSIVE " : "WITH ");
    for (uint32_t i = 0; i < with->count; i++) {
        const struct cte *cte = &with->items[i];
        if (i > 0) put(deparse, ", ");
        put_name(deparse, cte->name);
        put_name_list(deparse, cte->columns);
        put(deparse, " AS ");
        if (cte->materialized == CTE_MATERIALIZED) put(deparse, "MATERIALIZED ");
        if (cte->materialized == CTE_NOT_MATERIALIZED) put(deparse, "NOT MATERIALIZED ");
        put(deparse, "(");
        put_statement(deparse, cte->statement);
        put(deparse, ")");
        put_search(deparse, cte->search);
        put_cycle(deparse, cte->cycle);
    }
    put(deparse, " ");
}

// --- FROM ----------------------------------------------------------------------------------------

static void put_alias(struct deparse *deparse, const struct from_item *item)
{
    if (item->alias == NULL) return;
    put(deparse, deparse->flags & DEPARSE_LINES ? " " : " AS ");
    put_name(deparse, item->alias);
    put_name_list(deparse, item->column_aliases);
}

static void put_from_function(struct deparse *deparse, const struct from_item *item)
{
    bool rows_from = item->function.calls.count > 1;
    if (item->lateral) put(deparse, "LATERAL ");
    if (rows_from) put(deparse, "ROWS FROM (");
    put_exprs(deparse, item->function.calls);
    if (rows_from) put(deparse, ")");
    if (item->function.ordinality) put(deparse, " WITH ORDINALITY");
    if (item->function.column_count == 0) {
        put_alias(deparse, item);
        return;
    }
    put(deparse, " AS ");
    if (item->alias != NULL) put_name(deparse, item->alias);
    put(deparse, "(");
    for (uint32_t i = 0; i < item->function.column_count; i++) {
        if (i > 0) put(deparse, ", ");
        put_column(deparse, &item->function.columns[i]);
    }
    put(deparse, ")");
}

static void put_join(struct deparse *deparse, const struct from_item *item)
{
    static const char *const words[] = {
        " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN "};
    bool aliased = item->alias != NULL;
    if (aliased) put(deparse, "(");
    put_from(deparse, item->join.left);
    if (deparse->flags & DEPARSE_LINES) put(deparse, "\n    ");
    if (item->join.natural) put(deparse, " NATURAL");
    put(deparse, words[item->join.kind]);
    bool nested = item->join.right->kind == FROM_JOIN && item->join.right->alias == NULL;
    if (nested) put(deparse, "(");
    put_from(deparse, item->join.right);
    if (nested) put(deparse, ")");
    if (item->join.using_columns.count > 0) {
        put(deparse, " USING ");
        put_name_list(deparse, item->join.using_columns);
        if (item->join.using_alias != NULL) {
            put(deparse, " AS ");
            put_name(deparse, item->join.using_alias);
        }
    } else if (item->join.on != NULL) {
        struct deparse inner = within(deparse);
        put(deparse, " ON ");
        put_expr(&inner, item->join.on);
    }
    if (!aliased) return;
    put(deparse, ")");
    put_alias(deparse, item);
}

static void put_sample(struct deparse *deparse, const struct from_sample *sample)
{
    struct deparse inner = within(deparse);
    put(deparse, " TABLESAMPLE ");
    put_object_name(deparse, sample->method);
    for (uint32_t i = 0; i < sample->args.count; i++) {
        put(deparse, i == 0 ? " (" : ", ");
        put_expr(&inner, sample->args.items[i]);
    }
    put(deparse, ")");
    if (sample->repeatable == NULL) return;
    put(deparse, " REPEATABLE (");
    put_expr(&inner, sample->repeatable);
    put(deparse, ")");
}

void put_from(struct deparse *deparse, const struct from_item *item)
{
    struct deparse inner;
    switch (item->kind) {
    case FROM_TABLE:
        if (item->table.only) put(deparse, "ONLY ");
        put_object_name(deparse, item->table.name);
        if (item->table.no_full_scan) {
            put(deparse, "@{");
            if (item->table.index_hint != NULL) {
                put(deparse, "FORCE_INDEX=");
                put_name(deparse, item->table.index_hint);
                put(deparse, ",");
            }
            put(deparse, "NO_FULL_SCAN}");
        } else if (item->table.index_hint != NULL) {
            put(deparse, "@");
            put_name(deparse, item->table.index_hint);
        }
        put_alias(deparse, item);
        if (item->table.sample != NULL) put_sample(deparse, item->table.sample);
        break;
    case FROM_SUBQUERY:
        put(deparse, item->lateral ? "LATERAL (" : "(");
        inner = within(deparse);
        put_select(&inner, item->query);
        put(deparse, ")");
        put_alias(deparse, item);
        break;
    case FROM_FUNCTION: put_from_function(deparse, item); break;
    case FROM_JOIN: put_join(deparse, item); break;
    case FROM_STATEMENT:
        put(deparse, "[");
        put_statement(deparse, item->statement);
        put(deparse, "]");
        put_alias(deparse, item);
        break;
    }
}

static void put_from_list(struct deparse *deparse, struct from_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        if (i > 0) put(deparse, deparse->flags & DEPARSE_LINES ? ",\n    " : ", ");
        put_from(deparse, list.items[i]);
    }
}

// --- SELECT --------------------------------------------------------------------------------------

static void put_simple(struct deparse *outer, const struct select *select)
{
    struct deparse inner = within(outer), *deparse = &inner;
    put(deparse, "SELECT ");
    if (select->distinct) put(deparse, "DISTINCT ");
    if (select->distinct_on.count > 0) {
        put(deparse, "ON (");
        put_exprs(deparse, select->distinct_on);
        put(deparse, ") ");
    }
    put_targets(outer, select->targets);
    if (select->from.count > 0) {
        put_clause(outer, 3, " FROM ");
        put_from_list(outer, select->from);
    }
    if (select->where != NULL) {
        put_clause(outer, 2, " WHERE ");
        put_expr(deparse, select->where);
    }
    if (select->group_by.count > 0) {
        put_clause(outer, 2, select->group_distinct ? " GROUP BY DISTINCT " : " GROUP BY ");
        put_exprs(deparse, select->group_by);
    }
    if (select->having != NULL) {
        put_clause(outer, 1, " HAVING ");
        put_expr(deparse, select->having);
    }
    for (uint32_t i = 0; i < select->window_count; i++) {
        if (i == 0)
            put_clause(outer, 2, " WINDOW ");
        else
            put(deparse, ", ");
        put_name(deparse, select->windows[i].name);
        put(deparse, " AS ");
        put_window(deparse, &select->windows[i]);
    }
}

static void put_values(struct deparse *deparse, const struct select *select)
{
    put(deparse, "VALUES ");
    for (uint32_t i = 0; i < select->row_count; i++) {
        put(deparse, i == 0 ? "(" : ", (");
        put_exprs(deparse, select->rows[i]);
        put(deparse, ")");
    }
}

// An arm of a set operation, in parentheses where its own clauses or precedence ask for them. A
// chain from the left stays flat, as it was written.
static void put_arm(struct deparse *deparse, const struct select *parent, bool left)
{
    const struct select *arm = left ? parent->left : parent->right;
    bool clauses = arm->order_by.count > 0 || arm->limit != NULL || arm->offset != NULL ||
                   arm->locking_count > 0 || arm->with != NULL;
    bool set =
        arm->kind == SELECT_UNION || arm->kind == SELECT_INTERSECT || arm->kind == SELECT_EXCEPT;
    bool binds = arm->kind == SELECT_INTERSECT || parent->kind != SELECT_INTERSECT;
    bool parentheses = clauses || (set && !(left && binds));
    if (parentheses) put(deparse, "(");
    put_select(deparse, arm);
    if (parentheses) put(deparse, ")");
}

static void put_tail(struct deparse *outer, const struct select *select)
{
    struct deparse inner = within(outer), *deparse = &inner;
    static const char *const strengths[] = {
        " FOR KEY SHARE", " FOR SHARE", " FOR NO KEY UPDATE", " FOR UPDATE"};
    if (select->order_by.count > 0) {
        put_clause(outer, 2, " ORDER BY ");
        put_sorts(deparse, select->order_by);
    }
    if (select->offset != NULL) {
        put_clause(outer, 1, " OFFSET ");
        put_operand(deparse, select->offset);
    }
    if (select->limit != NULL && select->with_ties) {
        put_clause(outer, 1, " FETCH FIRST ");
        put_operand(deparse, select->limit);
        put(deparse, " ROWS WITH TIES");
    } else if (select->limit != NULL) {
        bool all =
            select->limit->kind == EXPR_LITERAL && select->limit->literal.kind == LITERAL_NULL;
        put_clause(outer, 1, " LIMIT ");
        if (all) {
            put(deparse, "ALL");
        } else {
            put_operand(deparse, select->limit);
        }
    }
    for (uint32_t i = 0; i < select->locking_count; i++) {
        const struct locking *locking = &select->lockings[i];
        put(deparse, strengths[locking->strength]);
        if (locking->of.count > 0) {
            put(deparse, " OF ");
            put_object_names(deparse, locking->of);
        }
        if (locking->wait == LOCK_WAIT_SKIP) put(deparse, " SKIP LOCKED");
        if (locking->wait == LOCK_WAIT_ERROR) put(deparse, " NOWAIT");
    }
}

void put_select(struct deparse *deparse, const struct select *select)
{
    static const char *const words[] = {"", "", "UNION", "INTERSECT", "EXCEPT"};
    put_with(deparse, select->with);
    switch (select->kind) {
    case SELECT_SIMPLE: put_simple(deparse, select); break;
    case SELECT_VALUES: put_values(deparse, select); break;
    default:
        put_arm(deparse, select, true);
        bool lines = (deparse->flags & DEPARSE_LINES) != 0;
        put(deparse, lines ? "\n" : " ");
        put(deparse, words[select->kind]);
        if (select->all) put(deparse, " ALL");
        put(deparse, lines ? "\n " : " ");
        put_arm(deparse, select, false);
    }
    put_tail(deparse, select);
}

static void select_on_stack(void *arg)
{
    struct deparse_call *call = arg;
    put_select(&call->deparse, call->tree);
}

void deparse_select(struct buffer *out, const struct select *select, uint32_t flags)
{
    struct deparse_call call = {{out, flags}, select};
    stack_call(select_on_stack, &call);
}

// --- INSERT, UPDATE, DELETE ----------------------------------------------------------------------

static void put_table_target(struct deparse *deparse, const struct table_target *target)
{
    if (target->only) put(deparse, "ONLY ");
    put_object_name(deparse, target->name);
    if (target->index_hint != NULL) {
        put(deparse, "@");
        put_name(deparse, target->index_hint);
    }
    if (target->alias == NULL) return;
    put(deparse, " AS ");
    put_name(deparse, target->alias);
}

// c, c[1], c.f
static void put_target_column(
    struct deparse *deparse, const char *name, struct expr **parts, uint32_t part_count)
{
    put_name(deparse, name);
    for (uint32_t i = 0; i < part_count; i++) {
        const struct expr *part = parts[i];
        if (part->kind == EXPR_FIELD) {
            put(deparse, ".");
            put_name(deparse, part->field.name);
            continue;
        }
        put(deparse, "[");
        if (part->subscript.lower != NULL) put_expr(deparse, part->subscript.lower);
        if (part->subscript.slice) put(deparse, ":");
        if (part->subscript.upper != NULL) put_expr(deparse, part->subscript.upper);
        put(deparse, "]");
    }
}

static void put_target_columns(struct deparse *deparse, struct name_list columns,
    struct expr ***parts, const uint32_t *part_counts)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_target_column(deparse, columns.items[i], parts == NULL ? NULL : parts[i],
            part_counts == NULL ? 0 : part_counts[i]);
    }
}

static void put_assignments(struct deparse *deparse, struct assignment_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        const struct assignment *assignment = &list.items[i];
        struct name_list columns = {assignment->columns, assignment->count};
        if (i > 0) put(deparse, ", ");
        if (assignment->row) put(deparse, "(");
        put_target_columns(deparse, columns, assignment->parts, assignment->part_counts);
        if (assignment->row) put(deparse, ")");
        put(deparse, " = ");
        put_expr(deparse, assignment->value);
    }
}

static void put_returning(struct deparse *deparse, struct target_list returning)
{
    if (returning.count == 0) return;
    put(deparse, " RETURNING ");
    put_targets(deparse, returning);
}

static void put_conflict(struct deparse *deparse, const struct insert *insert)
{
    if (insert->conflict == CONFLICT_NONE) return;
    put(deparse, " ON CONFLICT");
    if (insert->conflict_constraint != NULL) {
        put(deparse, " ON CONSTRAINT ");
        put_name(deparse, insert->conflict_constraint);
    } else if (insert->conflict_elements.count > 0) {
        put(deparse, " (");
        put_index_elements(deparse, insert->conflict_elements);
        put(deparse, ")");
        if (insert->conflict_elements_where != NULL) {
            put(deparse, " WHERE ");
            put_expr(deparse, insert->conflict_elements_where);
        }
    }
    if (insert->conflict == CONFLICT_NOTHING) {
        put(deparse, " DO NOTHING");
        return;
    }
    put(deparse, " DO UPDATE SET ");
    put_assignments(deparse, insert->conflict_assignments);
    if (insert->conflict_where != NULL) {
        put(deparse, " WHERE ");
        put_expr(deparse, insert->conflict_where);
    }
}

static void put_insert(struct deparse *deparse, const struct insert *insert)
{
    put_with(deparse, insert->with);
    put(deparse, insert->upsert ? "UPSERT INTO " : "INSERT INTO ");
    put_table_target(deparse, &insert->target);
    if (insert->columns.count > 0) {
        put(deparse, " (");
        put_target_columns(deparse, insert->columns, insert->parts, insert->part_counts);
        put(deparse, ")");
    }
    if (insert->overriding == OVERRIDING_USER) put(deparse, " OVERRIDING USER VALUE");
    if (insert->overriding == OVERRIDING_SYSTEM) put(deparse, " OVERRIDING SYSTEM VALUE");
    put(deparse, " ");
    if (insert->source == NULL) {
        put(deparse, "DEFAULT VALUES");
    } else {
        put_select(deparse, insert->source);
    }
    put_conflict(deparse, insert);
    put_returning(deparse, insert->returning);
}

// WHERE, ORDER BY, LIMIT, RETURNING of UPDATE and DELETE.
static void put_change_tail(struct deparse *deparse, const struct expr *where,
    struct sort_list order_by, const struct expr *limit, struct target_list returning)
{
    if (where != NULL) {
        put(deparse, " WHERE ");
        put_expr(deparse, where);
    }
    if (order_by.count > 0) {
        put(deparse, " ORDER BY ");
        put_sorts(deparse, order_by);
    }
    if (limit != NULL) {
        put(deparse, " LIMIT ");
        put_operand(deparse, limit);
    }
    put_returning(deparse, returning);
}

static void put_update(struct deparse *deparse, const struct update *update)
{
    put_with(deparse, update->with);
    put(deparse, "UPDATE ");
    put_table_target(deparse, &update->target);
    put(deparse, " SET ");
    put_assignments(deparse, update->assignments);
    if (update->from.count > 0) {
        put(deparse, " FROM ");
        put_from_list(deparse, update->from);
    }
    put_change_tail(deparse, update->where, update->order_by, update->limit, update->returning);
}

static void put_delete(struct deparse *deparse, const struct delete_ *delete_)
{
    put_with(deparse, delete_->with);
    put(deparse, "DELETE FROM ");
    put_table_target(deparse, &delete_->target);
    if (delete_->from.count > 0) {
        put(deparse, " USING ");
        put_from_list(deparse, delete_->from);
    }
    put_change_tail(deparse, delete_->where, delete_->order_by, delete_->limit, delete_->returning);
}

bool put_query_statement(struct deparse *deparse, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_SELECT: put_select(deparse, statement->as.select); break;
    case STATEMENT_INSERT: put_insert(deparse, statement->as.insert); break;
    case STATEMENT_UPDATE: put_update(deparse, statement->as.update); break;
    case STATEMENT_DELETE: put_delete(deparse, statement->as.delete_); break;
    default: return false;
    }
    return true;
}
