// SPDX-License-Identifier: GPL-3.0-or-later
//
// INSERT, UPDATE and DELETE as nodes.
#include "core/invariant.h"
#include "sql/plan/plan_internal.h"

static struct status compile_writer(struct planner *planner, struct table_plan *table)
{
    struct writer_plan *plan = ARENA_NEW(planner->arena, struct writer_plan);
    planner->writers[table->index] = plan;
    return writer_compile(planner->arena, planner->tenant, &planner->frame->outer, table, plan);
}

static struct status compile_writers(struct planner *planner)
{
    struct status st = STATUS_OK;
    struct binder *binder = planner->binder;
    if (planner->writers != NULL) return st;
    planner->writers = ARENA_ARRAY(planner->arena, struct writer_plan *, binder->table_count);
    uint32_t cursor = 0;
    struct hashmap_entry *entry;
    while ((entry = hashmap_next(&binder->tables, &cursor)) != NULL) {
        if (hashmap_entry_u64(entry) > UINT32_MAX) continue; // Not a table.
        struct table_plan *table = entry->value;
        TRY(compile_writer(planner, table));
        if (table->target != NULL) TRY(compile_writer(planner, table->target));
    }

out:
    return st;
}

// What comes out for RETURNING: the row as written, or columns of the input.
static void write_outputs(struct planner *planner, struct node *node, const struct rel *rel,
    const struct var_set *needed)
{
    struct node_write *write = node->write;
    const struct table_plan *table = write->writer->table;
    struct var_set given = var_set_new(planner->arena, planner->binder->var_count);
    rel_output_vars(rel, &given);
    write->returning = rel->returns;
    for (uint32_t w = 0; w < given.word_count; w++) given.words[w] &= needed->words[w];
    plan_set_layout(planner, node, &given);
    write->outputs = ARENA_ARRAY(planner->arena, uint32_t, node->layout.count);
    write->output_is_input = ARENA_ARRAY(planner->arena, bool, node->layout.count);
    for (uint32_t c = 0; c < node->layout.count; c++) {
        var_id var = node->layout.vars[c];
        bool in_row = var >= table->row_base && var < table->row_base + table->width;
        bool is_xmax = rel->kind == REL_INSERT && var == rel->insert->xmax;
        write->output_is_input[c] = !in_row && !is_xmax;
        write->outputs[c] = is_xmax ? NODE_WRITE_XMAX
                            : in_row ? var - table->row_base
                                     : layout_find(&node->left->layout, var);
        write->returns_xmax |= is_xmax;
    }
}

// --- INSERT ------------------------------------------------------------------------------------------

static struct status insert_defaults(
    struct planner *planner, const struct insert_plan *insert, struct node_write *write)
{
    struct status st = STATUS_OK;
    const struct table_plan *table = insert->table;
    uint32_t columns = table->table->column_count;
    struct scalar **scalars = ARENA_ARRAY(planner->arena, struct scalar *, columns);
    write->default_ordinals = ARENA_ARRAY(planner->arena, uint32_t, columns);
    for (uint32_t i = 0; i < columns; i++) {
        if (insert->sources[i] != VAR_NONE) continue;
        scalars[write->default_count] = table->defaults[i] != NULL
            ? table->defaults[i]
            : scalar_null(planner->arena, table->table->columns[i].type, POSITION_NONE);
        write->default_ordinals[write->default_count++] = i;
    }
    struct layout none = {0};
    if (write->default_count > 0)
        TRY(plan_program(planner, &none, scalars, write->default_count, &write->defaults));

out:
    return st;
}

// Equal values of these types are the same value.
static bool equal_is_same(const struct column_desc *column)
{
    switch (column->type.oid) {
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_UUID:
    case TYPE_BYTEA:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return true;
    case TYPE_TEXT:
    case TYPE_VARCHAR: return column->collation == NULL;
    default: return false;
    }
}

static bool is_assigned_as_given(const struct insert_plan *insert, uint32_t ordinal)
{
    for (uint32_t i = 0; i < insert->assignments.count; i++) {
        if (insert->assignments.items[i].var != insert->existing_base + ordinal) continue;
        const struct scalar *scalar = insert->assignments.items[i].scalar;
        return scalar->kind == SCALAR_VAR && scalar->var == insert->excluded_base + ordinal;
    }
    return false;
}

// Whether a row that is in the way becomes the very row that was to be inserted, and nothing but its own key tells of
// it: then it need not be read.
static bool conflict_replaces(const struct insert_plan *insert)
{
    const struct table_plan *plan = insert->table;
    const struct table_desc *table = plan->table;
    const struct index_desc *primary = &table->indexes[0];
    if (insert->arbiter_count != 1 || insert->arbiters[0] != primary || table->index_count != 1 ||
        insert->conflict_where != NULL || plan->reference_count + plan->back_reference_count > 0 ||
        plan->target != NULL || table->rewrite != NULL || primary->predicate_sql != NULL)
        return false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        bool is_key = false;
        for (uint32_t k = 0; k < primary->column_count; k++)
            is_key = is_key || primary->columns[k].column_id == column->id;
        if (is_key ? !equal_is_same(column)
                   : column->generated_sql == NULL && !is_assigned_as_given(insert, i))
            return false;
    }
    return true;
}

static struct status insert_conflict(
    struct planner *planner, const struct insert_plan *insert, struct node_write *write)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = insert->table->table;
    uint32_t columns = table->column_count;
    if (insert->arbiter_count == 0) return st;
    write->arbiters = ARENA_ARRAY(planner->arena, uint32_t, insert->arbiter_count);
    write->arbiter_count = insert->arbiter_count;
    for (uint32_t i = 0; i < insert->arbiter_count; i++)
        write->arbiters[i] = (uint32_t)(insert->arbiters[i] - table->indexes);
    var_id *vars = ARENA_ARRAY(planner->arena, var_id, columns * 2);
    for (uint32_t i = 0; i < columns; i++) {
        vars[i] = insert->existing_base + i;
        vars[columns + i] = insert->excluded_base + i;
    }
    write->conflict_layout = (struct layout){vars, columns * 2};
    if (insert->conflict != CONFLICT_UPDATE) return st;
    uint32_t count = insert->assignments.count;
    struct scalar **scalars = ARENA_ARRAY(planner->arena, struct scalar *, count);
    write->assigned_ordinals = ARENA_ARRAY(planner->arena, uint32_t, count);
    write->assigned_count = count;
    for (uint32_t i = 0; i < count; i++) {
        scalars[i] = insert->assignments.items[i].scalar;
        write->assigned_ordinals[i] = insert->assignments.items[i].var - insert->existing_base;
    }
    TRY(plan_program(planner, &write->conflict_layout, scalars, count, &write->assignments));
    struct scalar *where = insert->conflict_where;
    if (where != NULL)
        TRY(plan_program(planner, &write->conflict_layout, &where, 1, &write->conflict_where));
    write->replaces = conflict_replaces(insert);

out:
    return st;
}

static struct status plan_insert(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct status st = STATUS_OK;
    const struct insert_plan *insert = rel->insert;
    uint32_t columns = insert->table->table->column_count;
    struct node *node = plan_new_node(planner, NODE_INSERT);
    struct node_write *write = node->write = ARENA_NEW(planner->arena, struct node_write);
    struct var_set below = var_set_new(planner->arena, planner->binder->var_count);
    write->insert = insert;
    write->writers = planner->writers;
    write->writer = planner->writers[insert->table->index];
    for (uint32_t i = 0; i < columns; i++)
        if (insert->sources[i] != VAR_NONE) var_set_add(&below, insert->sources[i]);
    TRY(plan_node(planner, rel->left, &below, NULL, &node->left, NULL));
    if (insert->materialize) node->left = plan_materialize(planner, node->left);
    write->sources = ARENA_ARRAY(planner->arena, uint32_t, columns);
    if (insert->of_domain != NULL) write->checked = ARENA_ARRAY(planner->arena, bool, columns);
    for (uint32_t i = 0; i < columns; i++) {
        write->sources[i] = UINT32_MAX;
        if (write->checked != NULL) write->checked[i] = !insert->of_domain[i];
        if (insert->sources[i] == VAR_NONE) continue;
        write->sources[i] = layout_find(&node->left->layout, insert->sources[i]);
        if (write->sources[i] == UINT32_MAX)
            return status_make(E_INTERNAL, "planner lost a column to insert");
    }
    TRY(insert_defaults(planner, insert, write));
    TRY(insert_conflict(planner, insert, write));
    write_outputs(planner, node, rel, needed);
    node->rows = node->left->rows;
    node->cost = node->left->cost + node->rows * COST_POINT;
    *out = node;

out:
    return st;
}

// --- UPDATE and DELETE -------------------------------------------------------------------------------

static const struct node *find_scan(const struct node *node, const struct table_desc *table)
{
    if (node == NULL) return NULL;
    if (node->kind == NODE_SCAN && node->scan.table == table) return node;
    const struct node *found = find_scan(node->left, table);
    return found != NULL ? found : find_scan(node->right, table);
}

// Whether an update moves rows within the index that finds them: it could meet them again.
static bool moves_rows(const struct node *input, const struct node_write *write)
{
    const struct node *scan = find_scan(input, write->writer->table->table);
    if (scan == NULL) return true;
    if (scan->scan.access.point) return false;
    const struct row_index *index = scan->scan.index;
    for (uint32_t i = 0; i < index->key_count; i++)
        if (write->changed[index->keys[i].ordinal]) return true;
    return false;
}

static struct status plan_change(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **out)
{
    struct status st = STATUS_OK;
    const struct update_plan *update = rel->update;
    const struct table_desc *table = update->table->table;
    bool is_update = rel->kind == REL_UPDATE;
    struct node *node = plan_new_node(planner, is_update ? NODE_UPDATE : NODE_DELETE);
    struct node_write *write = node->write = ARENA_NEW(planner->arena, struct node_write);
    struct var_set below = var_set_new(planner->arena, planner->binder->var_count);
    struct var_set given = var_set_new(planner->arena, planner->binder->var_count);
    write->update = update;
    write->writers = planner->writers;
    write->writer = planner->writers[update->table->index];
    rel_output_vars(rel->left, &given);
    for (uint32_t w = 0; w < given.word_count; w++)
        below.words[w] = given.words[w] & needed->words[w];
    for (uint32_t i = 0; i < table->column_count; i++) {
        var_set_add(&below, update->scan->scan.base + i);
        if (is_update && update->sources[i] != VAR_NONE) var_set_add(&below, update->sources[i]);
    }
    TRY(plan_node(planner, rel->left, &below, NULL, &node->left, NULL));
    write->sources = ARENA_ARRAY(planner->arena, uint32_t, table->column_count);
    write->old = ARENA_ARRAY(planner->arena, uint32_t, table->column_count);
    write->changed = ARENA_ARRAY(planner->arena, bool, update->table->width);
    write->checked = ARENA_ARRAY(planner->arena, bool, update->table->width);
    for (uint32_t i = 0; i < table->column_count; i++) {
        write->sources[i] = UINT32_MAX;
        // Columns that are not stored (any more) have no variable: NULL.
        write->old[i] = layout_find(&node->left->layout, update->scan->scan.base + i);
        if (!is_update || update->sources[i] == VAR_NONE) continue;
        write->sources[i] = layout_find(&node->left->layout, update->sources[i]);
        write->changed[i] = true;
        write->checked[i] = !update->of_domain[i];
        if (write->sources[i] == UINT32_MAX)
            return status_make(E_INTERNAL, "planner lost a column to update");
    }
    for (uint32_t i = 0; i < update->table->computed.count; i++)
        write->changed[update->table->computed.items[i].var - update->table->row_base] =
            write->checked[update->table->computed.items[i].var - update->table->row_base] = true;
    if (update->materialize || (is_update && moves_rows(node->left, write)))
        node->left = plan_materialize(planner, node->left);
    write_outputs(planner, node, rel, needed);
    node->rows = node->left->rows;
    node->cost = node->left->cost + node->rows * COST_POINT;
    *out = node;

out:
    return st;
}

struct status plan_write(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **node)
{
    struct status st = STATUS_OK;
    TRY(compile_writers(planner));
    if (rel->kind == REL_INSERT) return plan_insert(planner, rel, needed, node);
    return plan_change(planner, rel, needed, node);

out:
    return st;
}
