// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bound queries as PostgreSQL shows views: clauses on lines of their own, columns with their tables' names, functions
// in FROM with their columns, JOINs in parentheses. Structure comes from the statement's tree, types from what its parts
// were bound to (struct bind_notes).
#include "sql/parse/deparse.h"
#include "sql/catalog/query_text.h"
#include "sql/type/type_ops.h"

void put_text(struct text_run *run, const char *text)
{
    buffer_append_string(&run->out, text);
}

void put_text_name(struct text_run *run, const char *name)
{
    deparse_identifier(&run->out, name);
}

void put_text_names(
    struct text_run *run, const char *before, const struct name_list *names, const char *after)
{
    put_text(run, before);
    for (uint32_t i = 0; i < names->count; i++) {
        if (i > 0) put_text(run, ", ");
        put_text_name(run, names->items[i]);
    }
    put_text(run, after);
}

void text_unsupported(struct text_run *run)
{
    if (!failed(run->status))
        run->status = status_make(E_FEATURE_NOT_SUPPORTED, "no text for this query");
}

void put_text_clause(struct text_run *run, unsigned plus, const char *word)
{
    run->indent -= TEXT_CLAUSE_INDENT;
    put_text_line(run, plus, word);
    run->indent += TEXT_CLAUSE_INDENT;
}

void put_text_item(struct text_run *run, struct bytes made, bool broken)
{
    size_t line = 0;
    while (line < run->out.size && run->out.data[run->out.size - line - 1] != '\n') line++;
    if (broken || line + made.size > run->width) put_text_clause(run, TEXT_ITEM_INDENT, "");
    buffer_append_bytes(&run->out, made);
}

static struct scalar *scalar_of(struct text_run *run, const struct expr *expr)
{
    struct scalar *scalar = hashmap_get_u64(&run->binder.notes->scalars, bind_note_key(expr));
    if (scalar == NULL) text_unsupported(run);
    return scalar;
}

void put_text_expr(struct text_run *run, const struct expr *expr, bool show_casts)
{
    struct scalar *scalar = scalar_of(run, expr);
    if (scalar == NULL) return;
    if (scalar_is_unknown(scalar) && scalar->kind == SCALAR_CONST) {
        // Nobody said what the literal is: a text.
        struct scalar *text = ARENA_NEW(run->out.arena, struct scalar);
        *text = *scalar;
        text->type = TYPE_OF(TYPE_TEXT);
        scalar = text;
    }
    put_scalar_text(run, scalar, show_casts);
}

// --- names of tables -----------------------------------------------------------------------------------------

static bool is_taken(const struct text_level *level, const char *name)
{
    for (; level != NULL; level = level->parent)
        for (uint32_t i = 0; i < level->count; i++)
            if (strcmp(level->names[i].shown, name) == 0) return true;
    return false;
}

const struct range *text_range_of(struct text_run *run, const struct from_item *item)
{
    return hashmap_get_u64(&run->binder.notes->ranges, bind_note_key(item));
}

// What columns are qualified with; NULL: a join without a name.
static const char *written_name(struct text_run *run, const struct from_item *item)
{
    if (item->alias != NULL || item->kind == FROM_JOIN) return item->alias;
    if (item->kind == FROM_TABLE) return item->table.name.name;
    const struct range *range = text_range_of(run, item);
    return range == NULL ? NULL : range->name;
}

static void add_names(struct text_run *run, struct text_level *level, const struct from_item *item)
{
    if (item->kind == FROM_JOIN) {
        add_names(run, level, item->join.left);
        add_names(run, level, item->join.right);
    }
    const char *written = written_name(run, item), *shown = written;
    if (written == NULL) return;
    for (unsigned n = 1; is_taken(level, shown); n++)
        shown = arena_printf(run->out.arena, "%s_%u", written, n);
    level->names = arena_grow(run->out.arena, level->names, level->count * sizeof *level->names,
        (level->count + 1) * sizeof *level->names);
    level->names[level->count++] = (struct text_name){item, written, shown};
}

const char *text_shown_name(const struct text_run *run, const struct from_item *item)
{
    for (uint32_t i = 0; run->level != NULL && i < run->level->count; i++)
        if (run->level->names[i].item == item) return run->level->names[i].shown;
    return NULL;
}

static const char *shown_qualifier(const struct text_run *run, const char *written)
{
    for (const struct text_level *level = run->level; level != NULL; level = level->parent)
        for (uint32_t i = 0; i < level->count; i++)
            if (strcmp(level->names[i].written, written) == 0) return level->names[i].shown;
    return written;
}

// --- columns and calls -----------------------------------------------------------------------------------------

// The table among those that are in sight whose variable it is, and which of its columns.
static const struct range *range_with(
    struct text_run *run, const struct scalar *scalar, const char *name, uint32_t *column)
{
    for (const struct text_level *level = run->level; level != NULL; level = level->parent)
        for (uint32_t i = 0; i < level->count; i++) {
            const struct range *range = text_range_of(run, level->names[i].item);
            if (range == NULL || strcmp(level->names[i].written, name) != 0) continue;
            for (*column = 0; *column < range->column_count; (*column)++) {
                const struct scalar *own = range->columns[*column].scalar;
                if (own->kind == SCALAR_VAR && own->var == scalar->var) return range;
            }
        }
    return NULL;
}

// The alias of a JOIN's USING columns among what is in sight; NULL: the name is a table's.
static const struct range *using_in(
    struct text_run *run, const struct from_item *item, const char *name)
{
    if (item->kind != FROM_JOIN || item->alias != NULL) return NULL;
    if (item->join.using_alias != NULL && strcmp(item->join.using_alias, name) == 0)
        return hashmap_get_u64(
            &run->binder.notes->ranges, bind_note_key(&item->join.using_alias));
    const struct range *found = using_in(run, item->join.left, name);
    return found != NULL ? found : using_in(run, item->join.right, name);
}

static const struct range *using_of(struct text_run *run, const char *name)
{
    const struct range *found = NULL;
    for (const struct text_level *level = run->level; level != NULL && found == NULL; level = level->parent) {
        for (uint32_t i = 0; i < level->count; i++)
            if (strcmp(level->names[i].written, name) == 0) return NULL;
        for (uint32_t i = 0; i < level->select->from.count && found == NULL; i++)
            found = using_in(run, level->select->from.items[i], name);
    }
    return found;
}

// A column behind such an alias is shown as its table's, or by itself when the join computes it.
static void put_using_column(struct text_run *run, const struct scalar *scalar, const char *name)
{
    uint32_t at;
    for (const struct text_level *level = run->level; level != NULL; level = level->parent)
        for (uint32_t i = 0; i < level->count; i++)
            if (range_with(run, scalar, level->names[i].written, &at) != NULL) {
                put_text_name(run, level->names[i].shown);
                put_text(run, ".");
                put_text_name(run, name);
                return;
            }
    put_text_name(run, name);
}

static void put_row(struct text_run *run, const char *name, bool top)
{
    const struct range *using = using_of(run, name);
    for (uint32_t i = 0; using != NULL && i < using->column_count; i++) {
        put_text(run, i == 0 ? "ROW(" : ", ");
        put_using_column(run, using->columns[i].scalar, using->columns[i].name);
    }
    if (using != NULL) {
        put_text(run, ")");
        return;
    }
    put_text_name(run, shown_qualifier(run, name));
    put_text(run, ".*");
    if (!top) return;
    put_text(run, "::");
    put_text_name(run, name);
}

// One column, be it of the system's (no variable stands for it); not a whole row.
static bool is_column(const struct scalar *scalar)
{
    const struct expr *source = scalar->source;
    if (source != NULL && (source->kind != EXPR_COLUMN || source->column.star)) return false;
    return scalar->kind == SCALAR_VAR ||
           (source != NULL && (scalar->type.oid == TYPE_OID || scalar->type.oid == TYPE_XID));
}

static void put_column(struct text_run *run, const struct scalar *scalar, bool show_casts, bool top)
{
    const struct expr *expr = scalar->source;
    const uint32_t count = expr->column.count;
    const char *const *names = expr->column.names;
    uint32_t column;
    if (!is_column(scalar)) {
        put_row(run, names[count - 1], top);
        return;
    }
    const struct range *using = count > 1 ? using_of(run, names[count - 2]) : NULL;
    if (using != NULL) {
        put_using_column(run, scalar, names[count - 1]);
        return;
    }
    // A function of one value is that value by its own name, too.
    const struct range *range = range_with(run, scalar, names[count > 1 ? count - 2 : 0], &column);
    const bool by_itself = count == 1 && range != NULL;
    const bool as_base = show_casts && range != NULL && range->table != NULL &&
                         scalar->var >= range->base &&
                         scalar->var - range->base < range->table->column_count &&
                         range->table->columns[scalar->var - range->base].domain != 0;
    if (as_base && !run->pretty) put_text(run, "(");
    if (count > 1 || by_itself) {
        put_text_name(run, shown_qualifier(run, names[count > 1 ? count - 2 : 0]));
        put_text(run, ".");
    }
    put_text_name(run, by_itself ? range->columns[column].name : names[count - 1]);
    if (!as_base) return;
    if (!run->pretty) put_text(run, ")");
    put_text(run, "::");
    put_type_text(run, TYPE_OF(scalar->type.oid));
}

// In ORDER BY, GROUP BY and their kin what is computed by a function is in parentheses.
static bool is_called(const struct scalar *scalar)
{
    switch (scalar->kind) {
    case SCALAR_CALL: return scalar->function->kind != FUNCTION_OPERATOR;
    case SCALAR_CAST:
        return scalar->cast.cast != NULL && !scalar->cast.cast->binary && !scalar->cast.cast->through_text;
    case SCALAR_TYPMOD: return true;
    case SCALAR_VAR: return scalar->source != NULL && scalar->source->kind == EXPR_FUNCTION;
    default: return false;
    }
}

static void put_key(struct text_run *run, const struct scalar *scalar)
{
    if (scalar->kind == SCALAR_CONST) {
        put_typed_const(run, scalar);
        return;
    }
    const bool column = scalar->collate == NULL && is_column(scalar);
    const bool wanted =
        !column && (run->pretty || (scalar->collate == NULL && is_called(scalar)));
    if (wanted) put_text(run, "(");
    put_scalar_text(run, scalar, true);
    if (wanted) put_text(run, ")");
}

static void put_key_of(struct text_run *run, const struct expr *expr)
{
    struct scalar *scalar = scalar_of(run, expr);
    if (scalar != NULL) put_key(run, scalar);
}

static void put_order(struct text_run *run, const struct sort_item *item)
{
    const bool greater = item->direction == SORT_DESC ||
        (item->direction == SORT_USING && strcmp(item->using_operator, ">") == 0);
    if (greater) put_text(run, " DESC");
    if (!greater && item->nulls == SORT_NULLS_FIRST) put_text(run, " NULLS FIRST");
    if (greater && item->nulls == SORT_NULLS_LAST) put_text(run, " NULLS LAST");
}

static void put_sorts(struct text_run *run, const struct sort_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) put_text(run, ", ");
        put_key_of(run, list->items[i].expr);
        put_order(run, &list->items[i]);
    }
}

static void put_keys(struct text_run *run, const struct expr_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) put_text(run, ", ");
        put_key_of(run, list->items[i]);
    }
}

static void put_bound(struct text_run *run, enum frame_bound bound, const struct expr *offset)
{
    switch (bound) {
    case FRAME_UNBOUNDED_PRECEDING: put_text(run, "UNBOUNDED PRECEDING"); break;
    case FRAME_CURRENT_ROW: put_text(run, "CURRENT ROW"); break;
    case FRAME_UNBOUNDED_FOLLOWING: put_text(run, "UNBOUNDED FOLLOWING"); break;
    case FRAME_OFFSET_PRECEDING:
    case FRAME_OFFSET_FOLLOWING:
        put_text_expr(run, offset, false);
        put_text(run, bound == FRAME_OFFSET_PRECEDING ? " PRECEDING" : " FOLLOWING");
        break;
    }
}

static void put_window(struct text_run *run, const struct window *window)
{
    static const char *const modes[] = {
        [FRAME_ROWS] = "ROWS ", [FRAME_RANGE] = "RANGE ", [FRAME_GROUPS] = "GROUPS "};
    static const char *const exclusions[] = {
        "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"};
    const char *space = "";
    put_text(run, "(");
    if (window->reference != NULL) {
        put_text_name(run, window->reference);
        space = " ";
    }
    if (window->partition_by.count > 0) {
        put_text(run, space);
        put_text(run, "PARTITION BY ");
        put_keys(run, &window->partition_by);
        space = " ";
    }
    if (window->order_by.count > 0) {
        put_text(run, space);
        put_text(run, "ORDER BY ");
        put_sorts(run, &window->order_by);
        space = " ";
    }
    if (window->mode != FRAME_NONE) {
        put_text(run, space);
        put_text(run, modes[window->mode]);
        if (window->between) put_text(run, "BETWEEN ");
        put_bound(run, window->start, window->start_offset);
        if (window->between) {
            put_text(run, " AND ");
            put_bound(run, window->end, window->end_offset);
        }
        put_text(run, exclusions[window->exclusion]);
    }
    put_text(run, ")");
}

static void put_args(struct text_run *run, const struct function_expr *written,
    const struct bound_call *call, uint32_t count)
{
    if (written->distinct) put_text(run, "DISTINCT ");
    if (written->star) put_text(run, "*");
    for (uint32_t i = 0; i < count && i < call->arg_count; i++) {
        if (i > 0) put_text(run, ", ");
        if (written->variadic && i + 1 == count) put_text(run, "VARIADIC ");
        put_scalar_text(run, call->args[i], true);
    }
}

// A function in FROM, an aggregate, a window function, a set in a SELECT list.
void put_text_call(struct text_run *run, const struct expr *expr)
{
    const struct bound_call *call = hashmap_get_u64(&run->binder.notes->calls, bind_note_key(expr));
    if (call == NULL) {
        text_unsupported(run);
        return;
    }
    const struct function_expr *written = expr->function;
    const uint32_t count = written->args.count;
    put_function_name(run, call->function);
    put_text(run, "(");
    put_args(run, written, call, count);
    if (written->order_by.count > 0 && !written->within_group) {
        put_text(run, " ORDER BY ");
        put_sorts(run, &written->order_by);
    }
    put_text(run, ")");
    if (written->within_group) {
        put_text(run, " WITHIN GROUP (ORDER BY ");
        for (uint32_t i = 0; i < written->order_by.count && count + i < call->arg_count; i++) {
            if (i > 0) put_text(run, ", ");
            put_key(run, call->args[count + i]);
            put_order(run, &written->order_by.items[i]);
        }
        put_text(run, ")");
    }
    if (written->filter != NULL) {
        put_text(run, " FILTER (WHERE ");
        put_text_expr(run, written->filter, false);
        put_text(run, ")");
    }
    if (written->over == NULL) return;
    put_text(run, " OVER ");
    if (written->over->name != NULL)
        put_text_name(run, written->over->name);
    else
        put_window(run, written->over);
}

static void put_sublink(struct text_run *run, const struct scalar *scalar)
{
    const struct expr *expr = scalar->source;
    const enum sublink_kind kind = expr->sublink.kind;
    const char *op = expr->sublink.op == NULL ? "=" : expr->sublink.op;
    put_text(run, kind == SUBLINK_ARRAY ? "ARRAY(" : "(");
    if (expr->sublink.test != NULL) {
        if (scalar->arg_count > 1) put_text(run, "(");
        for (uint32_t i = 0; i < scalar->arg_count; i++) {
            if (i > 0) put_text(run, ", ");
            put_scalar_text(run, scalar->args[i], true);
        }
        if (scalar->arg_count > 1) put_text(run, ")");
    }
    if (kind == SUBLINK_EXISTS)
        put_text(run, "EXISTS (");
    else if (kind == SUBLINK_ANY && strcmp(op, "=") == 0)
        put_text(run, " IN (");
    else if (kind == SUBLINK_ANY || kind == SUBLINK_ALL)
        buffer_printf(&run->out, " %s %s (", op, kind == SUBLINK_ANY ? "ANY" : "ALL");
    else if (kind == SUBLINK_ROW)
        buffer_printf(&run->out, " %s (", op);
    const struct table_desc *view = run->view;
    run->view = NULL;
    put_query_text(run, expr->sublink.query, true);
    run->view = view;
    put_text(run, kind == SUBLINK_SCALAR || kind == SUBLINK_ARRAY ? ")" : "))");
}

static void put_row_items(struct text_run *run, const struct expr_list *items, const struct expr_list *others)
{
    put_text(run, "ROW(");
    for (uint32_t i = 0; i < items->count && i < others->count; i++) {
        const struct scalar *scalar = scalar_of(run, items->items[i]);
        const struct scalar *other = scalar_of(run, others->items[i]);
        if (scalar == NULL || other == NULL) return;
        if (scalar_is_unknown(scalar) && !scalar_is_unknown(other) && other->type.oid != TYPE_TEXT)
            text_unsupported(run);
        if (i > 0) put_text(run, ", ");
        put_text_expr(run, items->items[i], true);
    }
    put_text(run, ")");
}

void put_source_text(struct text_run *run, const struct scalar *scalar, bool show_casts, bool top)
{
    const struct expr *expr = scalar->source;
    switch (expr->kind) {
    case EXPR_COLUMN: put_column(run, scalar, show_casts, top); break;
    case EXPR_FUNCTION:
        if (scalar->kind != SCALAR_CALL)
            put_text_call(run, expr);
        else if (!put_syntax_text(run, scalar))
            text_unsupported(run);
        break;
    case EXPR_OPERATOR:
        put_text(run, "(");
        put_row_items(run, &expr->op.left->row.items, &expr->op.right->row.items);
        buffer_printf(&run->out, " %s ", expr->op.name);
        put_row_items(run, &expr->op.right->row.items, &expr->op.left->row.items);
        put_text(run, ")");
        break;
    case EXPR_SUBLINK: put_sublink(run, scalar); break;
    case EXPR_XML: put_xml_text(run, scalar); break;
    case EXPR_GROUPING:
        put_text(run, "GROUPING(");
        for (uint32_t i = 0; i < expr->list.count; i++) {
            if (i > 0) put_text(run, ", ");
            put_text_expr(run, expr->list.items[i], true);
        }
        put_text(run, ")");
        break;
    default: text_unsupported(run);
    }
}

// --- SELECT ----------------------------------------------------------------------------------------------------

// What the column is called without AS; NULL: nothing.
static const char *given_name(struct text_run *run, const struct scalar *scalar, bool plain_names)
{
    const struct expr *source = scalar->source;
    const bool column = scalar->collate == NULL && source != NULL && is_column(scalar);
    uint32_t at;
    if (!column) return plain_names ? "?column?" : NULL;
    const char *name = source->column.names[source->column.count - 1];
    const struct range *itself =
        source->column.count == 1 ? range_with(run, scalar, name, &at) : NULL;
    return itself == NULL ? name : itself->columns[at].name;
}

static void put_target(struct text_run *run, const struct target *target, const char *name, bool plain_names)
{
    const struct scalar *scalar = scalar_of(run, target->expr);
    if (scalar == NULL) return;
    if (scalar->source != NULL && scalar->collate == NULL)
        put_source_text(run, scalar, false, true);
    else
        put_text_expr(run, target->expr, scalar->kind != SCALAR_CALL); // A cast to a domain is left at that.
    const char *given = given_name(run, scalar, plain_names);
    if (given != NULL && strcmp(given, name) == 0) return;
    put_text(run, " AS ");
    put_text_name(run, name);
}

// Each on a line of its own, or as many as fit; but the first stays on SELECT's, and CASE has begun one.
static void put_targets(struct text_run *run, const struct select *select, bool plain_names)
{
    bool broken = false; // What is before spans lines.
    for (uint32_t i = 0; i < select->targets.count; i++) {
        const struct target *target = &select->targets.items[i];
        const char *name = run->view != NULL && i < run->view->column_count
                               ? run->view->columns[i].name
                               : target_name(target);
        struct buffer outer = run->out;
        buffer_init(&run->out, outer.arena);
        put_target(run, target, name, plain_names);
        struct bytes made = buffer_bytes(&run->out);
        run->out = outer;
        const bool begins_line = made.size > 0 && made.data[0] == '\n';
        put_text(run, i > 0 ? "," : "");
        if (!begins_line) put_text(run, " ");
        if (i > 0 && !begins_line)
            put_text_item(run, made, broken);
        else
            buffer_append_bytes(&run->out, made);
        broken = made.size > 1 && memchr(made.data + begins_line, '\n', made.size - begins_line) != NULL;
    }
}

static void put_grouping(struct text_run *run, const struct expr *expr, bool bare)
{
    static const char *const words[] = {
        [GROUPING_ROLLUP] = "ROLLUP(", [GROUPING_CUBE] = "CUBE(", [GROUPING_SETS] = "GROUPING SETS ("};
    if (expr->kind != EXPR_GROUPING_SET) {
        struct expr *one = (struct expr *)(uintptr_t)expr;
        struct expr_list items = {&one, 1};
        if (expr->kind == EXPR_ROW && !expr->row.spelled) items = expr->row.items;
        const bool wanted = !bare || items.count != 1;
        if (wanted) put_text(run, "(");
        put_keys(run, &items);
        if (wanted) put_text(run, ")");
        return;
    }
    if (expr->grouping_set.kind == GROUPING_EMPTY) {
        put_text(run, "()");
        return;
    }
    put_text(run, words[expr->grouping_set.kind]);
    for (uint32_t i = 0; i < expr->grouping_set.items.count; i++) {
        if (i > 0) put_text(run, ", ");
        put_grouping(run, expr->grouping_set.items.items[i], expr->grouping_set.kind != GROUPING_SETS);
    }
    put_text(run, ")");
}

static void put_group_by(struct text_run *run, const struct select *select)
{
    put_text_clause(run, 1, " GROUP BY ");
    if (select->group_distinct) put_text(run, "DISTINCT ");
    bool sets = false;
    for (uint32_t i = 0; i < select->group_by.count; i++)
        sets |= select->group_by.items[i]->kind == EXPR_GROUPING_SET;
    for (uint32_t i = 0; i < select->group_by.count; i++) {
        const struct expr *expr = select->group_by.items[i];
        if (i > 0) put_text(run, ", ");
        if (!sets && expr->kind == EXPR_ROW && !expr->row.spelled)
            put_keys(run, &expr->row.items);
        else
            put_grouping(run, expr, true);
    }
}

static void put_simple(struct text_run *run, const struct select *select, bool plain_names)
{
    run->indent += TEXT_CLAUSE_INDENT;
    put_text(run, " SELECT");
    if (select->distinct) put_text(run, " DISTINCT");
    if (select->distinct_on.count > 0) {
        put_text(run, select->distinct ? " ON (" : " DISTINCT ON (");
        put_keys(run, &select->distinct_on);
        put_text(run, ")");
    }
    put_targets(run, select, plain_names);
    put_from_text(run, &select->from);
    if (select->where != NULL) {
        put_text_clause(run, 1, " WHERE ");
        put_text_expr(run, select->where, false);
    }
    if (select->group_by.count > 0) put_group_by(run, select);
    if (select->having != NULL) {
        put_text_clause(run, 0, " HAVING ");
        put_text_expr(run, select->having, false);
    }
    for (uint32_t i = 0; i < select->window_count; i++) {
        if (i == 0)
            put_text_clause(run, 1, " WINDOW ");
        else
            put_text(run, ", ");
        put_text_name(run, select->windows[i].name);
        put_text(run, " AS ");
        put_window(run, &select->windows[i]);
    }
}

static void put_values(struct text_run *run, const struct select *select)
{
    run->indent += TEXT_CLAUSE_INDENT;
    put_text(run, " VALUES ");
    for (uint32_t i = 0; i < select->row_count; i++) {
        put_text(run, i == 0 ? "(" : ", (");
        for (uint32_t k = 0; k < select->rows[i].count; k++) {
            if (k > 0) put_text(run, ",");
            put_text_expr(run, select->rows[i].items[k], false);
        }
        put_text(run, ")");
    }
}

// --- set operations ----------------------------------------------------------------------------------------------

static bool is_set(const struct select *select)
{
    return select->kind == SELECT_UNION || select->kind == SELECT_INTERSECT ||
           select->kind == SELECT_EXCEPT;
}

// With clauses of its own it is a query by itself.
static bool is_whole(const struct select *select)
{
    return select->with != NULL || select->order_by.count > 0 || select->limit != NULL ||
           select->offset != NULL || select->locking_count > 0;
}

static void put_set(struct text_run *run, const struct select *select, bool plain_names);

static void put_arm(struct text_run *run, const struct select *arm, bool plain_names)
{
    if (is_set(arm) && !is_whole(arm)) {
        put_set(run, arm, plain_names);
        return;
    }
    if (is_whole(arm)) put_text(run, "(");
    put_query_text(run, arm, plain_names);
    if (is_whole(arm)) put_text(run, ")");
}

static void put_set(struct text_run *run, const struct select *select, bool plain_names)
{
    static const char *const words[] = {
        [SELECT_UNION] = "UNION ", [SELECT_INTERSECT] = "INTERSECT ", [SELECT_EXCEPT] = "EXCEPT "};
    const struct select *left = select->left, *right = select->right;
    const bool left_set = is_set(left) && !is_whole(left), right_set = is_set(right) && !is_whole(right);
    const bool inner = left_set && (left->kind != select->kind || left->all != select->all);
    if (inner) {
        put_text(run, "(");
        run->indent += TEXT_CLAUSE_INDENT;
        put_text_line(run, 0, "");
    }
    put_arm(run, left, plain_names);
    if (inner) run->indent -= TEXT_CLAUSE_INDENT;
    put_text_line(run, 0, inner ? ") " : "");
    put_text(run, words[select->kind]);
    if (select->all) put_text(run, "ALL ");
    if (right_set) {
        put_text(run, "(");
        run->indent += TEXT_CLAUSE_INDENT;
    }
    put_text_line(run, 0, "");
    put_arm(run, right, true);
    if (!right_set) return;
    run->indent -= TEXT_CLAUSE_INDENT;
    put_text_line(run, 0, ")");
}

// --- the query -----------------------------------------------------------------------------------------------------

static bool is_bool(const struct scalar *scalar, bool value)
{
    return scalar != NULL && scalar->type.oid == TYPE_BOOL && scalar->value.boolean == value;
}

static void put_paths(struct text_run *run, const struct cte *cte)
{
    const struct cte_search *search = cte->search;
    const struct cte_cycle *cycle = cte->cycle;
    if (search != NULL) {
        put_text(run, search->breadth ? " SEARCH BREADTH" : " SEARCH DEPTH");
        put_text_names(run, " FIRST BY ", &search->columns, " SET ");
        put_text_name(run, search->sequence);
    }
    if (cycle == NULL) return;
    put_text_names(run, " CYCLE ", &cycle->columns, " SET ");
    put_text_name(run, cycle->mark);
    if (!is_bool(scalar_of(run, cycle->value), true) || !is_bool(scalar_of(run, cycle->otherwise), false)) {
        put_text(run, " TO ");
        put_text_expr(run, cycle->value, true);
        put_text(run, " DEFAULT ");
        put_text_expr(run, cycle->otherwise, true);
    }
    put_text(run, " USING ");
    put_text_name(run, cycle->path);
}

static void put_with(struct text_run *run, const struct with_clause *with)
{
    if (with == NULL) return;
    run->indent += TEXT_CLAUSE_INDENT;
    put_text(run, with->recursive ? " WITH RECURSIVE " : " WITH ");
    for (uint32_t i = 0; i < with->count; i++) {
        const struct cte *cte = &with->items[i];
        if (cte->statement->tag != STATEMENT_SELECT) {
            text_unsupported(run);
            return;
        }
        if (i > 0) put_text(run, ", ");
        put_text_name(run, cte->name);
        if (cte->columns.count > 0) put_text_names(run, "(", &cte->columns, ")");
        put_text(run, " AS ");
        if (cte->materialized == CTE_MATERIALIZED) put_text(run, "MATERIALIZED ");
        if (cte->materialized == CTE_NOT_MATERIALIZED) put_text(run, "NOT MATERIALIZED ");
        put_text(run, "(");
        put_text_line(run, 0, "");
        const struct table_desc *view = run->view;
        run->view = NULL;
        put_query_text(run, cte->statement->as.select, false);
        run->view = view;
        put_text_line(run, 0, ")");
        put_paths(run, cte);
    }
    run->indent -= TEXT_CLAUSE_INDENT;
    put_text_line(run, 0, "");
}

// Of a set operation: the number of the column.
static void put_ordinal(struct text_run *run, const struct select *select, const struct expr *expr)
{
    const struct select *first = select;
    while (is_set(first)) first = first->left;
    if (expr->kind == EXPR_LITERAL && expr->literal.kind == LITERAL_INTEGER) {
        buffer_printf(&run->out, "%d", expr->literal.integer);
        return;
    }
    const char *name = expr->kind == EXPR_COLUMN ? expr->column.names[expr->column.count - 1] : "";
    for (uint32_t i = 0; i < first->targets.count; i++)
        if (strcmp(target_name(&first->targets.items[i]), name) == 0) {
            buffer_printf(&run->out, "%u", i + 1);
            return;
        }
    text_unsupported(run);
}

static void put_order_by(struct text_run *run, const struct select *select)
{
    put_text_clause(run, 1, " ORDER BY ");
    if (!is_set(select)) {
        put_sorts(run, &select->order_by);
        return;
    }
    for (uint32_t i = 0; i < select->order_by.count; i++) {
        if (i > 0) put_text(run, ", ");
        put_ordinal(run, select, select->order_by.items[i].expr);
        put_order(run, &select->order_by.items[i]);
    }
}

static void put_tail(struct text_run *run, const struct select *select)
{
    static const char *const strengths[] = {
        " FOR KEY SHARE", " FOR SHARE", " FOR NO KEY UPDATE", " FOR UPDATE"};
    if (select->order_by.count > 0) put_order_by(run, select);
    if (select->offset != NULL) {
        put_text_clause(run, 0, " OFFSET ");
        put_text_expr(run, select->offset, false);
    }
    if (select->limit != NULL) {
        const bool all =
            select->limit->kind == EXPR_LITERAL && select->limit->literal.kind == LITERAL_NULL;
        put_text_clause(run, 0, select->with_ties ? " FETCH FIRST " : " LIMIT ");
        if (select->with_ties) put_text(run, "(");
        if (all)
            put_text(run, "ALL");
        else
            put_text_expr(run, select->limit, false);
        if (select->with_ties) put_text(run, ") ROWS WITH TIES");
    }
    for (uint32_t i = 0; i < select->locking_count; i++) {
        const struct locking *locking = &select->lockings[i];
        // Each table by itself, and all when none is named.
        for (uint32_t k = 0; k < run->level->count; k++) {
            const struct text_name *name = &run->level->names[k];
            bool meant = locking->of.count == 0 &&
                         (name->item->kind == FROM_TABLE || name->item->kind == FROM_SUBQUERY);
            for (uint32_t m = 0; m < locking->of.count; m++)
                meant |= strcmp(locking->of.items[m].name, name->written) == 0;
            if (!meant) continue;
            put_text_clause(run, 0, strengths[locking->strength]);
            put_text(run, " OF ");
            put_text_name(run, name->shown);
            if (locking->wait == LOCK_WAIT_SKIP) put_text(run, " SKIP LOCKED");
            if (locking->wait == LOCK_WAIT_ERROR) put_text(run, " NOWAIT");
        }
    }
}

void put_query_text(struct text_run *run, const struct select *select, bool plain_names)
{
    struct text_level level = {.parent = run->level, .select = select};
    const unsigned indent = run->indent;
    for (uint32_t i = 0; i < select->from.count; i++) add_names(run, &level, select->from.items[i]);
    run->level = &level;
    put_with(run, select->with);
    if (is_set(select)) {
        put_set(run, select, plain_names);
        run->indent += TEXT_CLAUSE_INDENT;
    } else if (select->kind == SELECT_VALUES) {
        put_values(run, select);
    } else {
        put_simple(run, select, plain_names);
    }
    put_tail(run, select);
    run->indent = indent;
    run->level = level.parent;
}
