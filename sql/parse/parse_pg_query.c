// SPDX-License-Identifier: GPL-3.0-or-later
//
// SELECT, INSERT, UPDATE and DELETE out of libpg_query's tree.
#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name

static struct target_list targets(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct target_list list = {ARENA_ARRAY(convert->arena, struct target, count), 0};
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != NODE(RES_TARGET)) continue;
        const PgQuery__ResTarget *target = nodes[i]->res_target;
        struct target *out = &list.items[list.count++];
        out->expr = convert_expr(convert, target->val);
        out->alias = convert_string(convert, target->name);
        out->position = convert_position(convert, target->location);
    }
    return list;
}

// --- WITH ----------------------------------------------------------------------------------------

static struct cte_search *search_clause(
    struct convert *convert, const PgQuery__CTESearchClause *node)
{
    if (node == NULL) return NULL;
    struct cte_search *search = ARENA_NEW(convert->arena, struct cte_search);
    search->columns = convert_names(convert, node->n_search_col_list, node->search_col_list);
    search->breadth = node->search_breadth_first;
    search->sequence = arena_strdup(convert->arena, node->search_seq_column);
    search->position = convert_position(convert, node->location);
    return search;
}

static struct cte_cycle *cycle_clause(
    struct convert *convert, const PgQuery__CTECycleClause *node)
{
    if (node == NULL) return NULL;
    struct cte_cycle *cycle = ARENA_NEW(convert->arena, struct cte_cycle);
    cycle->columns = convert_names(convert, node->n_cycle_col_list, node->cycle_col_list);
    cycle->mark = arena_strdup(convert->arena, node->cycle_mark_column);
    cycle->value = convert_expr(convert, node->cycle_mark_value);
    cycle->otherwise = convert_expr(convert, node->cycle_mark_default);
    cycle->path = arena_strdup(convert->arena, node->cycle_path_column);
    cycle->position = convert_position(convert, node->location);
    return cycle;
}

static struct with_clause *with_clause(struct convert *convert, const PgQuery__WithClause *with)
{
    if (with == NULL) return NULL;
    struct with_clause *out = ARENA_NEW(convert->arena, struct with_clause);
    out->recursive = with->recursive;
    out->position = convert_position(convert, with->location);
    out->items = ARENA_ARRAY(convert->arena, struct cte, with->n_ctes);
    for (size_t i = 0; i < with->n_ctes; i++) {
        if (with->ctes[i]->node_case != NODE(COMMON_TABLE_EXPR)) continue;
        const PgQuery__CommonTableExpr *node = with->ctes[i]->common_table_expr;
        struct cte *cte = &out->items[out->count++];
        cte->name = arena_strdup(convert->arena, node->ctename);
        cte->columns = convert_names(convert, node->n_aliascolnames, node->aliascolnames);
        cte->position = convert_position(convert, node->location);
        if (node->ctematerialized == PG_QUERY__CTEMATERIALIZE__CTEMaterializeAlways)
            cte->materialized = CTE_MATERIALIZED;
        if (node->ctematerialized == PG_QUERY__CTEMATERIALIZE__CTEMaterializeNever)
            cte->materialized = CTE_NOT_MATERIALIZED;
        cte->search = search_clause(convert, node->search_clause);
        cte->cycle = cycle_clause(convert, node->cycle_clause);
        if (node->ctequery == NULL) continue;
        // The clauses taken out of the text (AS OF, LIMIT) belong to the outer statement.
        struct rewrite inner = *convert->rewrite;
        inner.as_of = NULL;
        inner.limit = NULL;
        inner.order_by = (struct sort_list){0};
        struct convert sub = *convert;
        sub.rewrite = &inner;
        cte->statement = pg_statement(&sub, node->ctequery);
        cte->statement->position = cte->position;
        convert->item_count = sub.item_count;
    }
    return out;
}

// --- FROM ----------------------------------------------------------------------------------------

static struct from_item *from_item(struct convert *convert, const PgQuery__Node *node);

static void set_alias(struct convert *convert, struct from_item *item, const PgQuery__Alias *alias)
{
    if (alias == NULL) return;
    item->alias = convert_string(convert, alias->aliasname);
    item->column_aliases = convert_names(convert, alias->n_colnames, alias->colnames);
}

static void from_table(
    struct convert *convert, struct from_item *item, const PgQuery__RangeVar *var)
{
    item->position = convert_position(convert, var->location);
    set_alias(convert, item, var->alias);
    const struct extra *statement =
        rewrite_extra(convert->rewrite, EXTRA_STATEMENT, item->position);
    if (statement != NULL) {
        item->kind = FROM_STATEMENT;
        item->statement = statement->statement;
        return;
    }
    item->kind = FROM_TABLE;
    item->table.name = convert_range_var(convert, var);
    item->table.only = !var->inh;
    const struct extra *hint = rewrite_extra(convert->rewrite, EXTRA_INDEX_HINT, item->position);
    if (hint != NULL) {
        item->table.index_hint = hint->name;
        item->table.no_full_scan = hint->flag;
    }
}

static void from_function(
    struct convert *convert, struct from_item *item, const PgQuery__RangeFunction *node)
{
    item->kind = FROM_FUNCTION;
    item->lateral = node->lateral;
    set_alias(convert, item, node->alias);
    item->function.ordinality = node->ordinality;
    item->function.calls.items = ARENA_ARRAY(convert->arena, struct expr *, node->n_functions);
    for (size_t i = 0; i < node->n_functions; i++) {
        // Each is a list of the call and its own column definitions (ROWS FROM (f() AS (...))).
        const PgQuery__Node *pair = node->functions[i];
        if (pair->node_case != NODE(LIST) || pair->list->n_items == 0) continue;
        struct expr *call = convert_expr(convert, pair->list->items[0]);
        if (call == NULL) continue;
        item->function.calls.items[item->function.calls.count++] = call;
        if (i == 0) item->position = call->position;
        if (pair->list->n_items > 1 && pair->list->items[1]->node_case == NODE(LIST) &&
            pair->list->items[1]->list->n_items > 0)
            convert_unsupported(convert, -1, "ROWS FROM with column definitions");
    }
    item->function.columns =
        ARENA_ARRAY(convert->arena, struct column_definition, node->n_coldeflist);
    for (size_t i = 0; i < node->n_coldeflist; i++) {
        if (node->coldeflist[i]->node_case != NODE(COLUMN_DEF)) continue;
        item->function.columns[item->function.column_count++] =
            convert_column(convert, node->coldeflist[i]->column_def);
    }
}

static void from_join(
    struct convert *convert, struct from_item *item, const PgQuery__JoinExpr *node)
{
    item->kind = FROM_JOIN;
    set_alias(convert, item, node->alias);
    item->join.left = from_item(convert, node->larg);
    item->join.right = from_item(convert, node->rarg);
    item->position = item->join.left == NULL ? POSITION_NONE : item->join.left->position;
    item->join.natural = node->is_natural;
    item->join.using_columns = convert_names(convert, node->n_using_clause, node->using_clause);
    if (node->join_using_alias != NULL)
        item->join.using_alias = convert_string(convert, node->join_using_alias->aliasname);
    item->join.on = convert_expr(convert, node->quals);
    switch (node->jointype) {
    case PG_QUERY__JOIN_TYPE__JOIN_LEFT: item->join.kind = JOIN_LEFT; break;
    case PG_QUERY__JOIN_TYPE__JOIN_RIGHT: item->join.kind = JOIN_RIGHT; break;
    case PG_QUERY__JOIN_TYPE__JOIN_FULL: item->join.kind = JOIN_FULL; break;
    default:
        item->join.kind =
            item->join.on == NULL && !item->join.natural && item->join.using_columns.count == 0
                ? JOIN_CROSS
                : JOIN_INNER;
    }
}

static void from_sampled(
    struct convert *convert, struct from_item *item, const PgQuery__RangeTableSample *node)
{
    if (node->relation == NULL || node->relation->node_case != NODE(RANGE_VAR)) return;
    from_table(convert, item, node->relation->range_var);
    if (item->kind != FROM_TABLE) {
        convert_unsupported(convert, -1, "TABLESAMPLE of a statement");
        return;
    }
    struct name_list method = convert_names(convert, node->n_method, node->method);
    struct from_sample *sample = ARENA_NEW(convert->arena, struct from_sample);
    if (method.count > 1) sample->method.schema = method.items[method.count - 2];
    sample->method.name = method.count == 0 ? "" : method.items[method.count - 1];
    sample->position = convert_position(convert, node->location);
    sample->args = convert_exprs(convert, node->n_args, node->args);
    sample->repeatable = convert_expr(convert, node->repeatable);
    item->table.sample = sample;
}

static void from_any(struct convert *convert, struct from_item *item, const PgQuery__Node *node)
{
    item->position = POSITION_NONE;
    switch (node->node_case) {
    case NODE(RANGE_VAR): from_table(convert, item, node->range_var); break;
    case NODE(RANGE_FUNCTION): from_function(convert, item, node->range_function); break;
    case NODE(JOIN_EXPR): from_join(convert, item, node->join_expr); break;
    case NODE(RANGE_SUBSELECT): {
        const PgQuery__RangeSubselect *sub = node->range_subselect;
        item->kind = FROM_SUBQUERY;
        item->lateral = sub->lateral;
        set_alias(convert, item, sub->alias);
        if (sub->subquery != NULL && sub->subquery->node_case == NODE(SELECT_STMT))
            item->query = convert_select(convert, sub->subquery->select_stmt);
        break;
    }
    case NODE(RANGE_TABLE_SAMPLE): from_sampled(convert, item, node->range_table_sample); break;
    case NODE(RANGE_TABLE_FUNC):
        item->kind = FROM_FUNCTION;
        item->lateral = node->range_table_func->lateral;
        set_alias(convert, item, node->range_table_func->alias);
        memset(&item->function, 0, sizeof item->function);
        item->function.calls = (struct expr_list){ARENA_ARRAY(convert->arena, struct expr *, 1), 1};
        item->function.calls.items[0] = convert_xml_table(convert, node->range_table_func);
        break;
    default: convert_unsupported(convert, -1, "this form of FROM");
    }
}

static struct from_item *from_item(struct convert *convert, const PgQuery__Node *node)
{
    struct from_item *item = ARENA_NEW(convert->arena, struct from_item);
    item->kind = FROM_TABLE;
    item->table.name.name = "";
    if (node == NULL) return item;
    if (convert_enter(convert)) from_any(convert, item, node);
    convert_leave(convert);
    return item;
}

static struct from_list from_list(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct from_list list = {
        ARENA_ARRAY(convert->arena, struct from_item *, count), (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        list.items[i] = from_item(convert, nodes[i]);
    return list;
}

// --- SELECT --------------------------------------------------------------------------------------

static void lockings(
    struct convert *convert, struct select *select, size_t count, PgQuery__Node **nodes)
{
    select->lockings = ARENA_ARRAY(convert->arena, struct locking, count);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != NODE(LOCKING_CLAUSE)) continue;
        const PgQuery__LockingClause *node = nodes[i]->locking_clause;
        struct locking *locking = &select->lockings[select->locking_count++];
        switch (node->strength) {
        case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORKEYSHARE:
            locking->strength = LOCK_FOR_KEY_SHARE;
            break;
        case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORSHARE:
            locking->strength = LOCK_FOR_SHARE;
            break;
        case PG_QUERY__LOCK_CLAUSE_STRENGTH__LCS_FORNOKEYUPDATE:
            locking->strength = LOCK_FOR_NO_KEY_UPDATE;
            break;
        default: locking->strength = LOCK_FOR_UPDATE;
        }
        if (node->wait_policy == PG_QUERY__LOCK_WAIT_POLICY__LockWaitSkip)
            locking->wait = LOCK_WAIT_SKIP;
        if (node->wait_policy == PG_QUERY__LOCK_WAIT_POLICY__LockWaitError)
            locking->wait = LOCK_WAIT_ERROR;
        locking->of = convert_range_vars(convert, node->n_locked_rels, node->locked_rels);
        locking->position = locking->of.count > 0 ? locking->of.items[0].position : POSITION_NONE;
    }
}

static void simple(struct convert *convert, struct select *select, const PgQuery__SelectStmt *stmt)
{
    select->targets = targets(convert, stmt->n_target_list, stmt->target_list);
    select->from = from_list(convert, stmt->n_from_clause, stmt->from_clause);
    select->where = convert_expr(convert, stmt->where_clause);
    select->group_by = convert_exprs(convert, stmt->n_group_clause, stmt->group_clause);
    select->group_distinct = stmt->group_distinct;
    select->having = convert_expr(convert, stmt->having_clause);
    // DISTINCT without ON is a list of one empty node.
    if (stmt->n_distinct_clause > 0) {
        select->distinct = true;
        if (stmt->distinct_clause[0] != NULL &&
            stmt->distinct_clause[0]->node_case != PG_QUERY__NODE__NODE__NOT_SET)
            select->distinct_on =
                convert_exprs(convert, stmt->n_distinct_clause, stmt->distinct_clause);
    }
    select->windows = ARENA_ARRAY(convert->arena, struct window, stmt->n_window_clause);
    for (size_t i = 0; i < stmt->n_window_clause; i++) {
        if (stmt->window_clause[i]->node_case != NODE(WINDOW_DEF)) continue;
        select->windows[select->window_count++] =
            *convert_window(convert, stmt->window_clause[i]->window_def);
    }
}

static void values(struct convert *convert, struct select *select, const PgQuery__SelectStmt *stmt)
{
    select->kind = SELECT_VALUES;
    select->rows = ARENA_ARRAY(convert->arena, struct expr_list, stmt->n_values_lists);
    for (size_t i = 0; i < stmt->n_values_lists; i++) {
        if (stmt->values_lists[i]->node_case != NODE(LIST)) continue;
        const PgQuery__List *list = stmt->values_lists[i]->list;
        select->rows[select->row_count++] = convert_exprs(convert, list->n_items, list->items);
    }
}

struct select *convert_select(struct convert *convert, const PgQuery__SelectStmt *stmt)
{
    struct select *select = ARENA_NEW(convert->arena, struct select);
    select->position = POSITION_NONE;
    if (!convert_enter(convert)) {
        convert_leave(convert);
        return select;
    }
    select->with = with_clause(convert, stmt->with_clause);
    if (stmt->op != PG_QUERY__SET_OPERATION__SETOP_NONE &&
        stmt->op != PG_QUERY__SET_OPERATION__SET_OPERATION_UNDEFINED && stmt->larg != NULL &&
        stmt->rarg != NULL) {
        select->kind = stmt->op == PG_QUERY__SET_OPERATION__SETOP_UNION       ? SELECT_UNION
                       : stmt->op == PG_QUERY__SET_OPERATION__SETOP_INTERSECT ? SELECT_INTERSECT
                                                                              : SELECT_EXCEPT;
        select->all = stmt->all;
        select->left = convert_select(convert, stmt->larg);
        select->right = convert_select(convert, stmt->rarg);
        select->position = select->left->position;
    } else if (stmt->n_values_lists > 0) {
        values(convert, select, stmt);
        if (select->rows[0].count > 0) select->position = select->rows[0].items[0]->position;
    } else {
        simple(convert, select, stmt);
        if (select->targets.count > 0) select->position = select->targets.items[0].position;
    }
    select->order_by = convert_sorts(convert, stmt->n_sort_clause, stmt->sort_clause);
    select->limit = convert_expr(convert, stmt->limit_count);
    select->offset = convert_expr(convert, stmt->limit_offset);
    select->with_ties = stmt->limit_option == PG_QUERY__LIMIT_OPTION__LIMIT_OPTION_WITH_TIES;
    lockings(convert, select, stmt->n_locking_clause, stmt->locking_clause);
    convert_leave(convert);
    return select;
}

// --- INSERT, UPDATE, DELETE ----------------------------------------------------------------------

static struct table_target table_target(struct convert *convert, const PgQuery__RangeVar *var)
{
    struct table_target target = {.name = convert_range_var(convert, var)};
    if (var == NULL) return target;
    if (var->alias != NULL) target.alias = convert_string(convert, var->alias->aliasname);
    target.only = !var->inh;
    const struct extra *hint =
        rewrite_extra(convert->rewrite, EXTRA_INDEX_HINT, target.name.position);
    if (hint != NULL) target.index_hint = hint->name;
    return target;
}

// c[1], c.f: what of the column is assigned to.
static void convert_parts(struct convert *convert, const PgQuery__ResTarget *target,
    struct expr ***parts, uint32_t *count)
{
    *count = 0;
    *parts = ARENA_ARRAY(convert->arena, struct expr *, target->n_indirection);
    for (size_t i = 0; i < target->n_indirection; i++) {
        const PgQuery__Node *node = target->indirection[i];
        struct expr *part;
        if (node->node_case == NODE(A_INDICES)) {
            part = convert_new(convert, EXPR_SUBSCRIPT, target->location);
            part->subscript.slice = node->a_indices->is_slice;
            struct expr *low = convert_expr(convert, node->a_indices->lidx);
            struct expr *high = convert_expr(convert, node->a_indices->uidx);
            part->subscript.lower = node->a_indices->is_slice ? low : high;
            part->subscript.upper = node->a_indices->is_slice ? high : NULL;
        } else {
            part = convert_new(convert, EXPR_FIELD, target->location);
            part->field.name = arena_strdup(convert->arena, node_text(node));
        }
        (*parts)[(*count)++] = part;
    }
}

// SET a = 1, (b, c) = (2, 3): PostgreSQL gives one item a column, the items of a row in sequence.
static struct assignment_list assignments(
    struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct assignment_list list = {ARENA_ARRAY(convert->arena, struct assignment, count), 0};
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != NODE(RES_TARGET)) continue;
        const PgQuery__ResTarget *target = nodes[i]->res_target;
        const PgQuery__MultiAssignRef *multi = NULL;
        if (target->val != NULL && target->val->node_case == NODE(MULTI_ASSIGN_REF))
            multi = target->val->multi_assign_ref;
        if (multi != NULL && multi->colno > 1 && list.count > 0) {
            struct assignment *open = &list.items[list.count - 1];
            convert_parts(convert, target, &open->parts[open->count], &open->part_counts[open->count]);
            open->columns[open->count++] = arena_strdup(convert->arena, target->name);
            continue;
        }
        struct assignment *out = &list.items[list.count++];
        size_t columns = multi == NULL || multi->ncolumns < 1 ? 1 : (size_t)multi->ncolumns;
        if (columns > count) columns = count;
        out->columns = ARENA_ARRAY(convert->arena, const char *, columns);
        out->parts = ARENA_ARRAY(convert->arena, struct expr **, columns);
        out->part_counts = ARENA_ARRAY(convert->arena, uint32_t, columns);
        convert_parts(convert, target, &out->parts[0], &out->part_counts[0]);
        out->columns[out->count++] = arena_strdup(convert->arena, target->name);
        out->position = convert_position(convert, target->location);
        out->row = multi != NULL;
        out->value = convert_expr(convert, multi == NULL ? target->val : multi->source);
    }
    return list;
}

struct index_element_list convert_index_elements(
    struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct index_element_list list = {ARENA_ARRAY(convert->arena, struct index_element, count), 0};
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != NODE(INDEX_ELEM)) continue;
        const PgQuery__IndexElem *node = nodes[i]->index_elem;
        struct index_element *out = &list.items[list.count++];
        out->column = convert_string(convert, node->name);
        out->expr = convert_expr(convert, node->expr);
        out->position = out->expr == NULL ? POSITION_NONE : out->expr->position;
        if (node->n_collation > 0)
            out->collation =
                convert_object_name(convert, node->n_collation, node->collation, POSITION_NONE);
        if (node->n_opclass > 0)
            out->operator_class =
                convert_object_name(convert, node->n_opclass, node->opclass, POSITION_NONE);
        if (node->n_opclassopts > 0) convert_unsupported(convert, -1, "operator class options");
        if (node->ordering == PG_QUERY__SORT_BY_DIR__SORTBY_ASC) out->direction = SORT_ASC;
        if (node->ordering == PG_QUERY__SORT_BY_DIR__SORTBY_DESC) out->direction = SORT_DESC;
        if (node->nulls_ordering == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST)
            out->nulls = SORT_NULLS_FIRST;
        if (node->nulls_ordering == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST)
            out->nulls = SORT_NULLS_LAST;
    }
    return list;
}

static void on_conflict(
    struct convert *convert, struct insert *insert, const PgQuery__OnConflictClause *node)
{
    if (node == NULL) return;
    insert->conflict_position = convert_position(convert, node->location);
    insert->conflict = node->action == PG_QUERY__ON_CONFLICT_ACTION__ONCONFLICT_UPDATE
                           ? CONFLICT_UPDATE
                           : CONFLICT_NOTHING;
    if (node->infer != NULL) {
        insert->conflict_elements =
            convert_index_elements(convert, node->infer->n_index_elems, node->infer->index_elems);
        insert->conflict_elements_where = convert_expr(convert, node->infer->where_clause);
        insert->conflict_constraint = convert_string(convert, node->infer->conname);
    }
    insert->conflict_assignments = assignments(convert, node->n_target_list, node->target_list);
    insert->conflict_where = convert_expr(convert, node->where_clause);
}

struct insert *convert_insert(struct convert *convert, const PgQuery__InsertStmt *stmt)
{
    struct insert *insert = ARENA_NEW(convert->arena, struct insert);
    insert->with = with_clause(convert, stmt->with_clause);
    insert->target = table_target(convert, stmt->relation);
    insert->upsert =
        rewrite_extra(convert->rewrite, EXTRA_UPSERT, insert->target.name.position) != NULL;
    insert->columns.items = ARENA_ARRAY(convert->arena, const char *, stmt->n_cols);
    insert->column_positions = ARENA_ARRAY(convert->arena, uint32_t, stmt->n_cols);
    insert->parts = ARENA_ARRAY(convert->arena, struct expr **, stmt->n_cols);
    insert->part_counts = ARENA_ARRAY(convert->arena, uint32_t, stmt->n_cols);
    for (size_t i = 0; i < stmt->n_cols; i++) {
        if (stmt->cols[i]->node_case != NODE(RES_TARGET)) continue;
        const PgQuery__ResTarget *column = stmt->cols[i]->res_target;
        uint32_t at = insert->columns.count++;
        insert->columns.items[at] = arena_strdup(convert->arena, column->name);
        insert->column_positions[at] = convert_position(convert, column->location);
        convert_parts(convert, column, &insert->parts[at], &insert->part_counts[at]);
    }
    switch (stmt->override) {
    case PG_QUERY__OVERRIDING_KIND__OVERRIDING_USER_VALUE:
        insert->overriding = OVERRIDING_USER;
        break;
    case PG_QUERY__OVERRIDING_KIND__OVERRIDING_SYSTEM_VALUE:
        insert->overriding = OVERRIDING_SYSTEM;
        break;
    default: insert->overriding = OVERRIDING_NONE;
    }
    if (stmt->select_stmt != NULL && stmt->select_stmt->node_case == NODE(SELECT_STMT))
        insert->source = convert_select(convert, stmt->select_stmt->select_stmt);
    on_conflict(convert, insert, stmt->on_conflict_clause);
    if (insert->upsert && insert->conflict != CONFLICT_NONE)
        parse_fail_at(convert->parse, E_SYNTAX_ERROR, insert->conflict_position,
            "UPSERT cannot have an ON CONFLICT clause");
    insert->returning = targets(convert, stmt->n_returning_list, stmt->returning_list);
    return insert;
}

struct update *convert_update(struct convert *convert, const PgQuery__UpdateStmt *stmt)
{
    struct update *update = ARENA_NEW(convert->arena, struct update);
    update->with = with_clause(convert, stmt->with_clause);
    update->target = table_target(convert, stmt->relation);
    update->assignments = assignments(convert, stmt->n_target_list, stmt->target_list);
    update->from = from_list(convert, stmt->n_from_clause, stmt->from_clause);
    update->where = convert_expr(convert, stmt->where_clause);
    update->order_by = convert->rewrite->order_by;
    update->limit = convert->rewrite->limit;
    update->returning = targets(convert, stmt->n_returning_list, stmt->returning_list);
    return update;
}

struct delete_ *convert_delete(struct convert *convert, const PgQuery__DeleteStmt *stmt)
{
    struct delete_ *delete_ = ARENA_NEW(convert->arena, struct delete_);
    delete_->with = with_clause(convert, stmt->with_clause);
    delete_->target = table_target(convert, stmt->relation);
    delete_->from = from_list(convert, stmt->n_using_clause, stmt->using_clause);
    delete_->where = convert_expr(convert, stmt->where_clause);
    delete_->order_by = convert->rewrite->order_by;
    delete_->limit = convert->rewrite->limit;
    delete_->returning = targets(convert, stmt->n_returning_list, stmt->returning_list);
    return delete_;
}
