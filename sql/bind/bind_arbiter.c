// SPDX-License-Identifier: GPL-3.0-or-later
//
// ON CONFLICT (...): which unique indexes it means. An index is meant when its columns and expressions are those that are
// written, in any order, and the condition that is written includes the index's own.
#include "sql/bind/bind.h"
#include "sql/bind/view_write.h"
#include "sql/function/function_sql.h"
#include "sql/exec/row.h"

// What the statement has written, over the row's variables.
struct arbiter {
    struct scalar **elements;
    uint32_t count;
    struct scalar_list conditions;
};

// Names are those of what the statement writes to: the table's, or the view's.
static struct status bind_arbiter(struct binder *binder, const struct insert *insert, const struct written_views *views,
    const struct table_plan *plan, struct arbiter *arbiter)
{
    struct status st = STATUS_OK;
    const struct index_element_list *elements = &insert->conflict_elements;
    struct scope scope = {.clause = "ON CONFLICT"};
    struct range *range;
    struct scalar *condition;
    if (views->count > 0)
        TRY(bind_view_range(binder, views, 0, views->items[0]->table->name, plan->table, plan->row_base, &range));
    else
        range = bind_add_table_range(binder, &scope.names, plan->table, NULL, plan->row_base);
    bind_range_unasked(NULL, range);
    scope.names = (struct from_names){range, range->columns, range->column_count};
    arbiter->elements = ARENA_ARRAY(binder->arena, struct scalar *, elements->count + 1u);
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct expr *expr = elements->items[i].expr;
        if (elements->items[i].column != NULL) {
            struct expr *column = ARENA_NEW(binder->arena, struct expr);
            column->kind = EXPR_COLUMN;
            column->position = elements->items[i].position;
            column->column.names = ARENA_ARRAY(binder->arena, const char *, 1);
            column->column.names[0] = elements->items[i].column;
            column->column.count = 1;
            expr = column;
        }
        TRY(bind_expr(binder, &scope, expr, &arbiter->elements[arbiter->count++]));
    }
    if (insert->conflict_elements_where == NULL) goto out;
    TRY(bind_condition(binder, &scope, insert->conflict_elements_where, "WHERE", &condition));
    scalar_list_add_conjuncts(binder->arena, &arbiter->conditions, condition);

out:
    return st;
}

// A key of the index over the row's variables.
static struct scalar *key_of(
    struct binder *binder, const struct table_plan *plan, const struct index_desc *index, uint32_t key)
{
    const struct table_desc *table = plan->table;
    const struct index_column *column = &index->columns[key];
    if (column->expression_sql != NULL) {
        var_id var = plan->row_base + row_ordinal(table, index, key);
        for (uint32_t i = 0; i < plan->computed.count; i++)
            if (plan->computed.items[i].var == var) return plan->computed.items[i].scalar;
        return NULL;
    }
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].id == column->column_id) return bind_var(binder, plan->row_base + i, POSITION_NONE);
    return NULL;
}

static bool has_key(const struct arbiter *arbiter, const struct scalar *key)
{
    for (uint32_t i = 0; key != NULL && i < arbiter->count; i++)
        if (scalar_equal(arbiter->elements[i], key)) return true;
    return false;
}

static bool is_meant(struct binder *binder, const struct table_plan *plan, uint32_t at, const struct arbiter *arbiter)
{
    const struct index_desc *index = &plan->table->indexes[at];
    if (arbiter->count == 0) return false;
    for (uint32_t k = 0; k < index->column_count; k++)
        if (!has_key(arbiter, key_of(binder, plan, index, k))) return false;
    for (uint32_t i = 0; i < arbiter->count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < index->column_count && !found; k++) {
            const struct scalar *key = key_of(binder, plan, index, k);
            found = key != NULL && scalar_equal(arbiter->elements[i], key);
        }
        if (!found) return false;
    }
    if (plan->predicates[at] == NULL) return true;
    struct scalar_list own = {0};
    scalar_list_add_conjuncts(binder->arena, &own, plan->predicates[at]);
    for (uint32_t p = 0; p < own.count; p++) {
        bool found = false;
        for (uint32_t i = 0; i < arbiter->conditions.count && !found; i++)
            found = scalar_equal(arbiter->conditions.items[i], own.items[p]);
        if (!found) return false;
    }
    return true;
}

struct status bind_arbiters(struct binder *binder, const struct insert *insert, const struct written_views *views,
    struct insert_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table->table;
    struct arbiter arbiter = {0};
    TRY(bind_arbiter(binder, insert, views, plan->table, &arbiter));
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!index->unique || index->state != ELEMENT_PUBLIC) continue;
        bool matches = insert->conflict_constraint != NULL
                           ? strcmp(index->name, insert->conflict_constraint) == 0
                           : is_meant(binder, plan->table, i, &arbiter);
        if (matches) plan->arbiters[plan->arbiter_count++] = index;
    }
    if (plan->arbiter_count > 0) return st;
    if (insert->conflict_constraint != NULL)
        return bind_error(binder, insert->conflict_position, E_UNDEFINED_OBJECT,
            "constraint \"%s\" for table \"%s\" does not exist", insert->conflict_constraint,
            table->name);
    // A function is told when it runs: a dump makes its index after it.
    const struct session *session = binder->session;
    if (session != NULL && session->frame != NULL && session->frame->checked) return st;
    return bind_error(binder, POSITION_NONE, E_INVALID_COLUMN_REFERENCE,
        "there is no unique or exclusion constraint matching the ON CONFLICT specification");

out:
    return st;
}
