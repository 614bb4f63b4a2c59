// SPDX-License-Identifier: GPL-3.0-or-later
//
// FROM as PostgreSQL shows it in views: tables, functions and queries with their aliases, JOINs in parentheses.
#include "sql/catalog/query_text.h"
#include "sql/parse/deparse.h"
#include "sql/type/type_ops.h"

static void put_from(struct text_run *run, const struct from_item *item);

// The names of all its columns.
static void put_range_columns(struct text_run *run, const struct range *range)
{
    const char *before = "(";
    for (uint32_t i = 0; i < range->column_count; i++) {
        if (range->columns[i].hidden) continue;
        put_text(run, before);
        put_text_name(run, range->columns[i].name);
        before = ", ";
    }
    put_text(run, ")");
}

// Of a table whose columns are called what they are called anyway.
static bool keeps_names(struct text_run *run, const struct from_item *item, const struct range *range)
{
    if (item->kind != FROM_TABLE) return false;
    for (uint32_t i = 0; i < range->column_count; i++) {
        const struct scalar *column = range->columns[i].scalar;
        if (column->kind != SCALAR_VAR || strcmp(run->binder.vars[column->var].name, range->columns[i].name) != 0)
            return false;
    }
    return true;
}

static bool is_xml_table(const struct from_item *item)
{
    return item->kind == FROM_FUNCTION && item->function.calls.items[0]->kind == EXPR_XML;
}

static void put_alias(struct text_run *run, const struct from_item *item, const char *own_name)
{
    const char *shown = text_shown_name(run, item);
    const struct range *range = text_range_of(run, item);
    if (shown == NULL || range == NULL) {
        text_unsupported(run);
        return;
    }
    if (item->alias != NULL || own_name == NULL || strcmp(shown, own_name) != 0) {
        put_text(run, " ");
        put_text_name(run, shown);
    }
    if (item->kind == FROM_FUNCTION && item->function.column_count > 0) {
        for (uint32_t i = 0; i < range->column_count; i++) {
            put_text(run, i == 0 ? "(" : ", ");
            put_text_name(run, range->columns[i].name);
            put_text(run, " ");
            put_type_text(run, range->columns[i].scalar->type);
        }
        put_text(run, ")");
    } else if ((item->kind == FROM_FUNCTION && !is_xml_table(item)) || (item->column_aliases.count > 0 && !keeps_names(run, item, range))) {
        put_range_columns(run, range);
    }
}

static bool is_beside(struct text_run *run, const struct from_item *item, const struct var_set *used)
{
    if (item->kind == FROM_JOIN)
        return is_beside(run, item->join.left, used) || is_beside(run, item->join.right, used);
    const struct range *range = text_range_of(run, item);
    for (uint32_t i = 0; range != NULL && i < range->column_count; i++)
        if (range->columns[i].scalar->kind == SCALAR_VAR &&
            var_set_has(used, range->columns[i].scalar->var))
            return true;
    return false;
}

static void collect_expr(struct text_run *run, const struct expr *expr, struct var_set *used)
{
    const struct scalar *scalar = expr == NULL ? NULL : hashmap_get_u64(&run->binder.notes->scalars, bind_note_key(expr));
    if (scalar != NULL) scalar_collect_vars(scalar, used);
}

static void collect_xml(struct text_run *run, const struct xml_expr *xml, struct var_set *used)
{
    for (uint32_t i = 0; i < xml->named_count; i++) collect_expr(run, xml->named[i].value, used);
    for (uint32_t i = 0; i < xml->args.count; i++) collect_expr(run, xml->args.items[i], used);
    for (uint32_t i = 0; i < xml->column_count; i++) {
        collect_expr(run, xml->columns[i].path, used);
        collect_expr(run, xml->columns[i].otherwise, used);
    }
}

// A function is lateral as soon as it takes columns of what stands beside it.
static bool function_is_lateral(struct text_run *run, const struct from_item *item)
{
    struct var_set used = var_set_new(run->out.arena, run->binder.var_count);
    if (is_xml_table(item)) collect_xml(run, item->function.calls.items[0]->xml, &used);
    for (uint32_t i = 0; i < item->function.calls.count; i++) {
        const struct bound_call *call = hashmap_get_u64(
            &run->binder.notes->calls, bind_note_key(item->function.calls.items[i]));
        for (uint32_t k = 0; call != NULL && k < call->arg_count; k++)
            scalar_collect_vars(call->args[k], &used);
    }
    const struct from_list *from = &run->level->select->from;
    for (uint32_t i = 0; i < from->count; i++)
        if (from->items[i] != item && is_beside(run, from->items[i], &used)) return true;
    return item->lateral;
}

static void put_xml_table(struct text_run *run, const struct from_item *item)
{
    const struct range *range = text_range_of(run, item);
    if (function_is_lateral(run, item)) put_text(run, "LATERAL ");
    if (range == NULL) text_unsupported(run);
    else put_xml_table_text(run, item->function.calls.items[0]->xml, range);
    if (item->alias != NULL) put_alias(run, item, NULL);
}

static void put_function(struct text_run *run, const struct from_item *item)
{
    if (is_xml_table(item)) {
        put_xml_table(run, item);
        return;
    }
    const bool several = item->function.calls.count > 1;
    if (function_is_lateral(run, item)) put_text(run, "LATERAL ");
    if (several) put_text(run, "ROWS FROM(");
    for (uint32_t i = 0; i < item->function.calls.count; i++) {
        if (i > 0) put_text(run, ", ");
        put_text_call(run, item->function.calls.items[i]);
    }
    if (several) put_text(run, ")");
    if (item->function.ordinality) put_text(run, " WITH ORDINALITY");
    put_alias(run, item, NULL);
}

static void put_join(struct text_run *run, const struct from_item *item)
{
    static const char *const words[] = {
        " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN "};
    const struct name_list *using = hashmap_get_u64(&run->binder.notes->joins, bind_note_key(item));
    const struct from_item *right = item->join.right;
    const bool around = !run->pretty || item->alias != NULL;
    const bool nested = run->pretty && right->kind == FROM_JOIN && right->alias == NULL;
    const bool bare = (using == NULL || using->count == 0) && item->join.on == NULL;
    const bool cross = item->join.kind == JOIN_CROSS || (item->join.kind == JOIN_INNER && bare);
    if (around) put_text(run, "(");
    put_from(run, item->join.left);
    put_text_clause(run, TEXT_ITEM_INDENT, words[cross ? JOIN_CROSS : item->join.kind]);
    if (nested) put_text(run, "(");
    put_from(run, right);
    if (nested) put_text(run, ")");
    if (using != NULL && using->count > 0) {
        put_text_names(run, " USING (", using, ")");
        if (item->join.using_alias != NULL) {
            put_text(run, " AS ");
            put_text_name(run, item->join.using_alias);
        }
    } else if (item->join.on != NULL) {
        put_text(run, run->pretty ? " ON " : " ON (");
        put_text_expr(run, item->join.on, false);
        if (!run->pretty) put_text(run, ")");
    } else if (!cross) {
        put_text(run, " ON TRUE");
    }
    if (around) put_text(run, ")");
    if (item->alias != NULL) put_alias(run, item, NULL);
}

static void put_sample(struct text_run *run, const struct from_sample *sample)
{
    put_text(run, " TABLESAMPLE ");
    put_text_name(run, sample->method.name);
    for (uint32_t i = 0; i < sample->args.count; i++) {
        put_text(run, i == 0 ? " (" : ", ");
        put_text_expr(run, sample->args.items[i], false);
    }
    put_text(run, ")");
    if (sample->repeatable == NULL) return;
    put_text(run, " REPEATABLE (");
    put_text_expr(run, sample->repeatable, false);
    put_text(run, ")");
}

static void put_from(struct text_run *run, const struct from_item *item)
{
    switch (item->kind) {
    case FROM_TABLE:
        if (item->table.only) put_text(run, "ONLY ");
        if (item->table.name.catalog != NULL || item->table.index_hint != NULL ||
            item->table.no_full_scan)
            text_unsupported(run);
        if (item->table.name.schema != NULL) {
            put_text_name(run, item->table.name.schema);
            put_text(run, ".");
        }
        put_text_name(run, item->table.name.name);
        put_alias(run, item, item->table.name.name);
        if (item->table.sample != NULL) put_sample(run, item->table.sample);
        break;
    case FROM_SUBQUERY: {
        const struct table_desc *view = run->view;
        put_text(run, item->lateral ? "LATERAL (" : "(");
        run->view = NULL;
        put_query_text(run, item->query, false);
        run->view = view;
        put_text(run, ")");
        put_alias(run, item, NULL);
        break;
    }
    case FROM_FUNCTION: put_function(run, item); break;
    case FROM_JOIN: put_join(run, item); break;
    case FROM_STATEMENT: text_unsupported(run); break;
    }
}

void put_from_text(struct text_run *run, const struct from_list *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        if (i == 0) {
            put_text_clause(run, 2, " FROM ");
            put_from(run, from->items[i]);
        } else {
            put_text(run, ", ");
            struct buffer outer = run->out;
            buffer_init(&run->out, outer.arena);
            put_from(run, from->items[i]);
            struct bytes made = buffer_bytes(&run->out);
            run->out = outer;
            put_text_item(run, made, false);
        }
    }
}
