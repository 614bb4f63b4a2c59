// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a table asks of those who write to it: defaults, generated columns, checks, foreign keys.
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/bind/bind.h"
#include "sql/exec/foreign_key.h"
#include "sql/parse/parse.h"
#include "sql/exec/row.h"

struct status bind_assign(
    struct binder *binder, const struct column_desc *column, struct scalar **scalar)
{
    struct status st = STATUS_OK;
    bool done = false;
    struct type type = column->type;
    bool literal = scalar_is_unknown(*scalar) && (*scalar)->kind == SCALAR_CONST;
    TRY(bind_coerce(binder, scalar, literal ? TYPE_OF(type.oid) : type, CAST_ASSIGNMENT, &done));
    if (!done)
        return status_hint(binder->arena,
            bind_error(binder, (*scalar)->position, E_DATATYPE_MISMATCH,
                "column \"%s\" is of type %s but expression is of type %s", column->name,
                bind_type_text(binder, type), bind_type_text(binder, (*scalar)->type)),
            "You will need to rewrite or cast the expression.");
    TRY(bind_coerce(binder, scalar, type, CAST_ASSIGNMENT, NULL));

out:
    return st;
}

// The table's columns under their plain names, public or not.
static void row_scope(
    struct binder *binder, const struct table_desc *table, var_id base, struct scope *scope)
{
    struct range *range = ARENA_NEW(binder->arena, struct range);
    range->name = table->name;
    range->base = base;
    range->table = table;
    range->columns = ARENA_ARRAY(binder->arena, struct range_column, table->column_count);
    range->column_count = table->column_count;
    for (uint32_t i = 0; i < table->column_count; i++)
        range->columns[i] = (struct range_column){.name = table->columns[i].name,
            .scalar = bind_var(binder, base + i, POSITION_NONE)};
    *scope = (struct scope){.clause = "this context"};
    scope->names.ranges = range;
    scope->names.columns = range->columns;
    scope->names.column_count = range->column_count;
}

void bind_table_scope(
    struct binder *binder, const struct table_desc *table, struct scope *scope)
{
    row_scope(binder, table, bind_new_row(binder, table, table->name), scope);
}

static struct status bind_stored(
    struct binder *binder, struct scope *scope, const char *sql, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct expr *expr;
    struct bytes text = binder->text;
    binder->text = (struct bytes){0};
    TRY(parse_expression(binder->arena, bytes_of_string(sql), &expr));
    TRY(bind_expr(binder, scope, expr, out));

out:
    binder->text = text;
    return st;
}

struct status bind_table_expression(struct binder *binder, const struct table_desc *table,
    var_id base, const char *sql, struct scalar **out)
{
    struct scope scope;
    row_scope(binder, table, base, &scope);
    return bind_stored(binder, &scope, sql, out);
}

struct status bind_column_default(
    struct binder *binder, const struct column_desc *column, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scope scope = {.clause = "DEFAULT expressions"};
    *out = NULL;
    if (column->generated_sql != NULL) return st;
    const char *sql = column->default_sql;
    if (sql == NULL && type_is_domain(column->domain))
        sql = bind_names_type_by_id(binder->names, type_user_id(column->domain))
                  ->type->columns[0]
                  .default_sql;
    if (sql != NULL) {
        TRY(bind_stored(binder, &scope, sql, out));
    } else if (column->identity != 0 && column->owned_sequence != 0) {
        struct scalar *sequence = scalar_const(binder->arena, TYPE_OF(TYPE_REGCLASS),
            datum_int(column->owned_sequence), POSITION_NONE);
        TRY(bind_call(binder, "nextval", &sequence, 1, POSITION_NONE, out));
    } else {
        return st;
    }
    TRY(bind_assign(binder, column, out));

out:
    return st;
}

static struct status bind_index_expressions(struct binder *binder, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table;
    struct scope scope;
    struct scalar *scalar;
    row_scope(binder, table, plan->row_base, &scope);
    plan->predicates = ARENA_ARRAY(binder->arena, struct scalar *, table->index_count);
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        for (uint32_t c = 0; c < index->column_count; c++) {
            if (index->columns[c].expression_sql == NULL) continue;
            TRY(bind_stored(binder, &scope, index->columns[c].expression_sql, &scalar));
            TRY(bind_coerce(
                binder, &scalar, TYPE_OF(index->columns[c].column_id), CAST_ASSIGNMENT, NULL));
            rel_item_add(binder->arena, &plan->computed,
                plan->row_base + row_ordinal(table, index, c), scalar);
        }
        if (index->predicate_sql == NULL) continue;
        TRY(bind_stored(binder, &scope, index->predicate_sql, &plan->predicates[i]));
        TRY(bind_coerce_bool(binder, &plan->predicates[i], "WHERE"));
    }

out:
    return st;
}

static struct status bind_computed(struct binder *binder, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table;
    struct scope scope;
    struct scalar *scalar;
    row_scope(binder, table, plan->row_base, &scope);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].generated_sql == NULL) continue;
        TRY(bind_stored(binder, &scope, table->columns[i].generated_sql, &scalar));
        TRY(bind_assign(binder, &table->columns[i], &scalar));
        rel_item_add(binder->arena, &plan->computed, plan->row_base + i, scalar);
    }
    TRY(bind_index_expressions(binder, plan));

out:
    return st;
}

static int order_by_name(const void *a, const void *b)
{
    return strcmp(((const struct table_plan_check *)a)->name, ((const struct table_plan_check *)b)->name);
}

static struct status bind_checks(struct binder *binder, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table;
    struct scope scope;
    row_scope(binder, table, plan->row_base, &scope);
    plan->checks =
        ARENA_ARRAY(binder->arena, struct table_plan_check,
            table->constraint_count + bind_domain_check_count(binder, table));
    TRY(bind_domain_checks(binder, plan));
    uint32_t first = plan->check_count;
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        if (constraint->kind != TABLE_CHECK || constraint->state == ELEMENT_DELETE_ONLY) continue;
        struct table_plan_check *check = &plan->checks[plan->check_count];
        check->name = constraint->name;
        TRY(bind_stored(binder, &scope, constraint->check_sql, &check->condition));
        TRY(bind_coerce_bool(binder, &check->condition, "CHECK"));
        plan->check_count++;
    }
    // PostgreSQL looks at them in the order of their names.
    if (plan->check_count > first)
        qsort(plan->checks + first, plan->check_count - first, sizeof *plan->checks, order_by_name);

out:
    return st;
}

// --- foreign keys ------------------------------------------------------------------------------------

static uint32_t ordinal_of(const struct table_desc *table, uint32_t column_id)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].id == column_id) return i;
    return ROW_SLOT_NONE;
}

static int find_column(const uint32_t *columns, uint32_t count, uint32_t column_id)
{
    for (uint32_t i = 0; i < count; i++)
        if (columns[i] == column_id) return (int)i;
    return -1;
}

// Whether the first `count` columns of the index are these, in any order.
static bool index_starts_with(
    const struct index_desc *index, const uint32_t *columns, uint32_t count)
{
    if (index->column_count < count || index->predicate_sql != NULL || index->inverted) return false;
    for (uint32_t i = 0; i < count; i++)
        if (index->columns[i].expression_sql != NULL ||
            find_column(columns, count, index->columns[i].column_id) < 0)
            return false;
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

// Whether an index of children has its keys in the form that the parent's values give.
static bool same_form(const struct table_desc *child, const struct index_desc *index,
    const struct table_desc *parent, const struct constraint_desc *constraint)
{
    for (uint32_t c = 0; c < constraint->column_count; c++) {
        const struct column_desc *column = table_column_by_id(child, constraint->columns[c]);
        const struct column_desc *key =
            table_column_by_id(parent, constraint->referenced_columns[c]);
        if (!same_text(column->collation, key->collation)) return false;
        if (!foreign_key_same_form(column->type.oid, key->type.oid)) return false;
        for (uint32_t i = 0; i < index->column_count; i++)
            if (index->columns[i].column_id == column->id && index->columns[i].collation != NULL)
                return false;
    }
    return true;
}

// The entry there is what references lock, and what a parent's change locks against them: the same for all who ask, and no
// other one when indexes are added.
static const struct index_desc *referenced_index(
    const struct table_desc *parent, const struct constraint_desc *constraint)
{
    for (uint32_t i = 0; i < parent->index_count; i++) {
        const struct index_desc *index = &parent->indexes[i];
        if (index_is_unique(index) && index->column_count == constraint->column_count &&
            index->state == ELEMENT_PUBLIC &&
            index_starts_with(index, constraint->referenced_columns, constraint->column_count))
            return index;
    }
    return NULL;
}

enum rel_lock bind_update_lock(
    const struct table_desc *table, bool (*changes)(const void *arg, uint32_t ordinal), const void *arg)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!index_is_unique(index) || index->predicate_sql != NULL || index->inverted) continue;
        for (uint32_t k = 0; k < index->column_count; k++) {
            if (index->columns[k].expression_sql != NULL) continue;
            const uint32_t ordinal = ordinal_of(table, index->columns[k].column_id);
            if (ordinal == ROW_SLOT_NONE) continue;
            // What it is made of may change.
            if (table->columns[ordinal].generated_sql != NULL || changes(arg, ordinal)) return REL_LOCK_UPDATE;
        }
    }
    return REL_LOCK_NO_KEY_UPDATE;
}

static bool is_reference(const void *arg, uint32_t ordinal)
{
    const struct table_plan_back_reference *back = arg;
    for (uint32_t c = 0; c < back->count; c++) {
        if (back->child_ordinals[c] == ordinal) return true;
    }
    return false;
}

static struct status bind_references(struct binder *binder, struct table_plan *plan)
{
    const struct table_desc *table = plan->table;
    plan->references =
        ARENA_ARRAY(binder->arena, struct table_plan_reference, table->constraint_count);
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        if (constraint->kind != TABLE_FOREIGN_KEY || constraint->state == ELEMENT_DELETE_ONLY)
            continue;
        struct relation *parent = bind_names_by_id(binder->names, constraint->referenced_table);
        if (parent == NULL) {
            // Looked at as a child whose rows nobody changes: its own parents were not loaded.
            const struct relation *self = bind_names_by_id(binder->names, table->id);
            if (self != NULL && !self->written) continue;
            return status_make(E_DATA_CORRUPTED, "foreign key without its table");
        }
        struct table_plan_reference *reference = &plan->references[plan->reference_count++];
        uint32_t count = constraint->column_count;
        *reference = (struct table_plan_reference){
            .constraint = constraint, .parent = parent->table, .count = count};
        reference->parent_index = referenced_index(parent->table, constraint);
        if (reference->parent_index == NULL)
            return status_make(E_DATA_CORRUPTED, "foreign key without a unique index");
        reference->ordinals = ARENA_ARRAY(binder->arena, uint32_t, count);
        reference->parent_ordinals = ARENA_ARRAY(binder->arena, uint32_t, count);
        for (uint32_t c = 0; c < count; c++) {
            uint32_t parent_column = reference->parent_index->columns[c].column_id;
            int at = find_column(constraint->referenced_columns, count, parent_column);
            reference->ordinals[c] = ordinal_of(table, constraint->columns[at]);
            reference->parent_ordinals[c] = ordinal_of(parent->table, parent_column);
            if (reference->ordinals[c] == ROW_SLOT_NONE)
                return status_make(E_DATA_CORRUPTED, "foreign key without its column");
        }
    }
    return STATUS_OK;
}

static const struct constraint_desc *constraint_by_id(const struct table_desc *table, uint32_t id)
{
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].id == id) return &table->constraints[i];
    return NULL;
}

static struct status bind_back_references(struct binder *binder, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = plan->table;
    plan->back_references = ARENA_ARRAY(
        binder->arena, struct table_plan_back_reference, table->referenced_by_count);
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        struct relation *child =
            bind_names_by_id(binder->names, table->referenced_by[i].table_id);
        if (child == NULL) continue;
        const struct constraint_desc *constraint =
            constraint_by_id(child->table, table->referenced_by[i].constraint_id);
        if (constraint == NULL || constraint->state == ELEMENT_DELETE_ONLY) continue;
        uint32_t count = constraint->column_count;
        struct table_plan_back_reference *back =
            &plan->back_references[plan->back_reference_count++];
        *back = (struct table_plan_back_reference){.constraint = constraint,
            .count = count,
            .key_index = referenced_index(table, constraint)};
        if (back->key_index == NULL)
            return status_make(E_DATA_CORRUPTED, "foreign key without a unique index");
        TRY(bind_table_plan(
            binder, child->table, TABLE_FOR_UPDATE | TABLE_FOR_DELETE, &back->child));
        for (uint32_t x = 0; x < child->table->index_count; x++) {
            const struct index_desc *index = &child->table->indexes[x];
            if (index->state == ELEMENT_PUBLIC && back->child_index == NULL &&
                index_starts_with(index, constraint->columns, count) &&
                same_form(child->table, index, table, constraint))
                back->child_index = index;
        }
        back->ordinals = ARENA_ARRAY(binder->arena, uint32_t, count);
        back->child_ordinals = ARENA_ARRAY(binder->arena, uint32_t, count);
        for (uint32_t c = 0; c < count; c++) {
            uint32_t child_column = back->child_index != NULL
                ? back->child_index->columns[c].column_id
                : constraint->columns[c];
            int at = find_column(constraint->columns, count, child_column);
            back->child_ordinals[c] = ordinal_of(child->table, child_column);
            back->ordinals[c] = ordinal_of(table, constraint->referenced_columns[at]);
        }
        back->update_lock = bind_update_lock(child->table, is_reference, back);
    }

out:
    return st;
}

// What the table is to become: its indexes alone. All else is asked of the table itself.
static struct status bind_target(struct binder *binder, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_rewrite *rewrite = plan->table->rewrite;
    struct table_plan *target = ARENA_NEW(binder->arena, struct table_plan);
    plan->target = target;
    target->table = rewrite->target;
    target->index = binder->table_count++;
    target->width = row_width(rewrite->target);
    target->row_base = bind_new_row(binder, rewrite->target, rewrite->target->name);
    target->defaults = ARENA_ARRAY(binder->arena, struct scalar *, rewrite->column_count);
    TRY(bind_index_expressions(binder, target));
    plan->target_columns = ARENA_ARRAY(binder->arena, struct scalar *, rewrite->column_count);
    for (uint32_t i = 0; i < rewrite->column_count; i++) {
        struct scalar **column = &plan->target_columns[i];
        if (rewrite->column_sql[i] == NULL) {
            *column = scalar_null(binder->arena, rewrite->target->columns[i].type, POSITION_NONE);
            continue;
        }
        TRY(bind_table_expression(
            binder, plan->table, plan->row_base, rewrite->column_sql[i], column));
        TRY(bind_assign(binder, &rewrite->target->columns[i], column));
    }

out:
    return st;
}

struct status bind_table_plan(struct binder *binder, const struct table_desc *table,
    uint32_t purpose, struct table_plan **out)
{
    struct status st = STATUS_OK;
    struct table_plan *plan = hashmap_get_u64(&binder->tables, table->id);
    *out = plan;
    if (plan != NULL) return st;
    (void)purpose;
    plan = ARENA_NEW(binder->arena, struct table_plan);
    *out = plan;
    hashmap_put_u64(&binder->tables, table->id, plan);
    plan->table = table;
    plan->index = binder->table_count++;
    plan->width = row_width(table);
    plan->row_base = bind_new_row(binder, table, table->name);
    plan->defaults = ARENA_ARRAY(binder->arena, struct scalar *, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(bind_column_default(binder, &table->columns[i], &plan->defaults[i]));
    TRY(bind_computed(binder, plan));
    TRY(bind_checks(binder, plan));
    TRY(bind_references(binder, plan));
    TRY(bind_back_references(binder, plan));
    if (table->rewrite != NULL) TRY(bind_target(binder, plan));

out:
    return st;
}

static void each_item(struct rel_item_list *list,
    void (*fn)(struct scalar **scalar, void *context), void *context)
{
    for (uint32_t i = 0; i < list->count; i++) fn(&list->items[i].scalar, context);
}

// Only what is evaluated over the statement's own variables; the table's own expressions see nothing but
// the row that is written.
void insert_plan_each_scalar(struct insert_plan *plan,
    void (*fn)(struct scalar **scalar, void *context), void *context)
{
    each_item(&plan->assignments, fn, context);
    if (plan->conflict_where != NULL) fn(&plan->conflict_where, context);
}

void update_plan_each_scalar(struct update_plan *plan,
    void (*fn)(struct scalar **scalar, void *context), void *context)
{
    (void)plan;
    (void)fn;
    (void)context;
}
