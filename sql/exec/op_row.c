// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators that work row by row: constants, VALUES, filters, projections, LIMIT, UNION ALL.
#include "core/invariant.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"

const struct op_class *op_class_of(enum node_kind kind)
{
    static const struct op_class *const classes[] = {
        [NODE_ONE] = &op_one_class, [NODE_EMPTY] = &op_empty_class, [NODE_SCAN] = &op_scan_class,
        [NODE_VIRTUAL] = &op_virtual_class, [NODE_SEQUENCE] = &op_virtual_class,
        [NODE_VALUES] = &op_values_class, [NODE_FUNCTION] = &op_function_class,
        [NODE_PROJECT_SET] = &op_project_set_class, [NODE_FILTER] = &op_filter_class,
        [NODE_PROJECT] = &op_project_class, [NODE_HASH_JOIN] = &op_hash_join_class,
        [NODE_MERGE_JOIN] = &op_merge_join_class,
        [NODE_LOOP_JOIN] = &op_loop_join_class, [NODE_AGGREGATE] = &op_aggregate_class,
        [NODE_WINDOW] = &op_window_class,
        [NODE_DISTINCT] = &op_distinct_class, [NODE_SORT] = &op_sort_class,
        [NODE_LIMIT] = &op_limit_class, [NODE_APPEND] = &op_append_class,
        [NODE_SET] = &op_set_class, [NODE_WITH] = &op_with_class, [NODE_CTE] = &op_cte_class,
        [NODE_RECURSIVE] = &op_recursive_class, [NODE_WORKTABLE] = &op_worktable_class,
        [NODE_MATERIALIZE] = &op_materialize_class, [NODE_LOCK] = &op_lock_class,
        [NODE_INSERT] = &op_insert_class, [NODE_UPDATE] = &op_update_class,
        [NODE_DELETE] = &op_delete_class};
    return classes[kind];
}

// --- one row, no row ---------------------------------------------------------------------------------

struct one_op {
    struct op op;
    bool given;
};

static struct status nothing_open(struct task *task, struct op *op)
{
    (void)task;
    op_alloc_columns(op, op->node->layout.count);
    return STATUS_OK;
}

static struct status one_rewind(struct task *task, struct op *op)
{
    (void)task;
    ((struct one_op *)op)->given = false;
    return STATUS_OK;
}

static struct status one_next(struct task *task, struct op *op, struct batch **out)
{
    struct one_op *one = (struct one_op *)op;
    (void)task;
    *out = &op->out;
    op->out.count = op->out.selected = one->given || op->node->kind == NODE_EMPTY ? 0 : 1;
    one->given = true;
    return STATUS_OK;
}

const struct op_class op_one_class = {
    sizeof(struct one_op), nothing_open, one_rewind, one_next, NULL};
const struct op_class op_empty_class = {
    sizeof(struct one_op), nothing_open, one_rewind, one_next, NULL};

// --- VALUES ------------------------------------------------------------------------------------------

struct values_op {
    struct op op;
    struct expr_state **chunks;
    uint32_t chunk; // Next one.
};

static struct status values_open(struct task *task, struct op *op)
{
    struct values_op *values = (struct values_op *)op;
    const struct node *node = op->node;
    (void)task;
    op_alloc_columns(op, node->layout.count);
    values->chunks = ARENA_ARRAY(op->run->arena, struct expr_state *, node->values.chunk_count);
    for (uint32_t i = 0; i < node->values.chunk_count; i++)
        values->chunks[i] = expr_state_new(op->run->arena, op->run, node->values.rows[i], 1);
    return STATUS_OK;
}

static struct status values_rewind(struct task *task, struct op *op)
{
    (void)task;
    ((struct values_op *)op)->chunk = 0;
    return STATUS_OK;
}

static struct status values_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct values_op *values = (struct values_op *)op;
    const struct node *node = op->node;
    const struct batch one = {.count = 1, .selected = 1};
    uint32_t width = node->values.column_count;
    uint32_t rows_max = node->values.chunk_rows < op->run->capacity ? node->values.chunk_rows
                                                                     : op->run->capacity;
    uint32_t filled = 0;
    *out = &op->out;
    op->out.count = op->out.selected = 0;
    op->out.selection = NULL;
    arena_reset(&op->arena);
    // Chunks are no larger than a batch; several small ones share one.
    while (values->chunk < node->values.chunk_count && filled + rows_max <= op->run->capacity) {
        const struct expr_program *program = node->values.rows[values->chunk];
        struct expr_state *state = values->chunks[values->chunk++];
        uint32_t rows = width == 0 ? node->values.row_count : expr_output_count(program) / width;
        TRY(expr_run(task, state, &one, &op->arena));
        for (uint32_t r = 0; r < rows; r++, filled++)
            for (uint32_t c = 0; c < node->layout.count; c++) {
                uint32_t output = r * width + node->values.columns[c];
                struct datum *value = &op->out.columns[c][filled];
                if (!expr_direct(program, output, op->run->slots, value))
                    *value = expr_column(state, output)[0];
            }
        TRY(arena_check(&op->arena));
        TRY(task_yield_if_due(task));
    }
    op->out.count = op->out.selected = filled;
    op->rows += filled;

out:
    return st;
}

const struct op_class op_values_class = {
    sizeof(struct values_op), values_open, values_rewind, values_next, NULL};

// --- filter and project ------------------------------------------------------------------------------

struct expr_op_state {
    struct op op;
    struct expr_state *state;
};

static struct status filter_open(struct task *task, struct op *op)
{
    struct expr_op_state *filter = (struct expr_op_state *)op;
    (void)task;
    filter->state =
        expr_state_new(op->run->arena, op->run, op->node->filter.program, op->run->capacity);
    return STATUS_OK;
}

static struct status filter_rewind(struct task *task, struct op *op)
{
    expr_state_rewind(((struct expr_op_state *)op)->state);
    return op_rewind(task, op->left);
}

static struct status filter_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct expr_op_state *filter = (struct expr_op_state *)op;
    *out = &op->out;
    do {
        struct batch *in;
        arena_reset(&op->arena);
        TRY(op_next(task, op->left, &in));
        op->out = *in;
        if (in->selected == 0) break;
        TRY(expr_run(task, filter->state, in, &op->arena));
        op->out.selection = expr_selection(filter->state, &op->out.selected);
        TRY(task_yield_if_due(task));
    } while (op->out.selected == 0);
    op->rows += op->out.selected;

out:
    return st;
}

const struct op_class op_filter_class = {
    sizeof(struct expr_op_state), filter_open, filter_rewind, filter_next, NULL};

static struct status project_open(struct task *task, struct op *op)
{
    struct expr_op_state *project = (struct expr_op_state *)op;
    (void)task;
    project->state =
        expr_state_new(op->run->arena, op->run, op->node->project.program, op->run->capacity);
    op->out.columns = ARENA_ARRAY(op->run->arena, struct datum *, op->node->layout.count);
    op->out.column_count = op->node->layout.count;
    return STATUS_OK;
}

static struct status project_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct expr_op_state *project = (struct expr_op_state *)op;
    struct batch *in;
    *out = &op->out;
    arena_reset(&op->arena);
    TRY(op_next(task, op->left, &in));
    op->out.count = in->count;
    op->out.selection = in->selection;
    op->out.selected = in->selected;
    if (in->selected == 0) goto out;
    TRY(expr_run(task, project->state, in, &op->arena));
    for (uint32_t c = 0; c < op->out.column_count; c++)
        op->out.columns[c] = expr_column(project->state, c);
    op->rows += op->out.selected;
    TRY(arena_check(&op->arena));

out:
    return st;
}

const struct op_class op_project_class = {
    sizeof(struct expr_op_state), project_open, filter_rewind, project_next, NULL};

// --- LIMIT -------------------------------------------------------------------------------------------

struct limit_op {
    struct op op;
    struct expr_state *limit, *offset;
    uint64_t skip, left;
    uint16_t *selection;
    struct arena last_arena; // Of the last row's keys, WITH TIES.
    struct datum *last;
    bool ties;               // Only rows equal to the last one follow.
};

static struct status limit_open(struct task *task, struct op *op)
{
    struct limit_op *limit = (struct limit_op *)op;
    const struct node *node = op->node;
    struct arena *arena = op->run->arena;
    (void)task;
    if (node->limit.limit != NULL)
        limit->limit = expr_state_new(arena, op->run, node->limit.limit, 1);
    if (node->limit.offset != NULL)
        limit->offset = expr_state_new(arena, op->run, node->limit.offset, 1);
    limit->selection = arena_alloc(arena, op->run->capacity * sizeof(uint16_t));
    arena_init(&limit->last_arena, op->run->account);
    limit->last = ARENA_ARRAY(arena, struct datum, node->limit.tie_count + 1);
    return STATUS_OK;
}

static struct status limit_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct limit_op *limit = (struct limit_op *)op;
    struct datum value;
    limit->skip = 0;
    limit->left = UINT64_MAX;
    limit->ties = false;
    if (limit->limit != NULL) {
        TRY(expr_run_single(task, limit->limit, &op->arena, &value));
        if (!value.null && value.integer < 0)
            return status_make(
                SQLSTATE('2', '2', '0', '1', 'W'), "LIMIT must not be negative");
        if (!value.null) limit->left = (uint64_t)value.integer;
    }
    if (limit->offset != NULL) {
        TRY(expr_run_single(task, limit->offset, &op->arena, &value));
        if (!value.null && value.integer < 0)
            return status_make(
                SQLSTATE('2', '2', '0', '1', 'X'), "OFFSET must not be negative");
        if (!value.null) limit->skip = (uint64_t)value.integer;
    }
    TRY(op_rewind(task, op->left));

out:
    return st;
}

static void remember_last(struct limit_op *limit, const struct batch *in, uint32_t row)
{
    const struct node *node = limit->op.node;
    arena_reset(&limit->last_arena);
    for (uint32_t i = 0; i < node->limit.tie_count; i++) {
        const struct node_sort_key *key = &node->limit.ties[i];
        struct datum value = in->columns[key->column][row];
        if (!value.null && !type_is_by_value(key->type))
            value.data = task_copy(&limit->last_arena, datum_as_bytes(value)).data;
        limit->last[i] = value;
    }
    limit->ties = true;
}

static bool equals_last(const struct limit_op *limit, const struct batch *in, uint32_t row)
{
    const struct node *node = limit->op.node;
    for (uint32_t i = 0; i < node->limit.tie_count; i++) {
        const struct node_sort_key *key = &node->limit.ties[i];
        struct datum a = limit->last[i], b = in->columns[key->column][row];
        if (a.null != b.null || (!a.null && !type_equal(key->type, a, b))) return false;
    }
    return true;
}

// How many of the input's rows stay: from *first on.
static uint32_t limit_batch(struct limit_op *limit, const struct batch *in, uint32_t *first)
{
    *first = limit->skip < in->selected ? (uint32_t)limit->skip : in->selected;
    limit->skip -= *first;
    uint32_t rest = in->selected - *first;
    uint32_t count = rest < limit->left ? rest : (uint32_t)limit->left;
    if (limit->left != UINT64_MAX) limit->left -= count;
    if (limit->op.node->limit.ties == NULL || limit->left > 0) return count;
    if (!limit->ties && count > 0) remember_last(limit, in, batch_row(in, *first + count - 1));
    while (limit->ties && count < rest) {
        limit->ties = equals_last(limit, in, batch_row(in, *first + count));
        count += limit->ties;
    }
    return count;
}

static struct status limit_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct limit_op *limit = (struct limit_op *)op;
    *out = &op->out;
    op->out.selected = 0;
    while (op->out.selected == 0) {
        struct batch *in;
        uint32_t first;
        if (limit->left == 0 && !limit->ties) {
            op->out.selected = 0;
            return st;
        }
        TRY(op_next(task, op->left, &in));
        op->out = *in;
        if (in->selected == 0) return st;
        uint32_t count = limit_batch(limit, in, &first);
        if (first > 0 || count < in->selected) {
            for (uint32_t n = 0; n < count; n++)
                limit->selection[n] = (uint16_t)batch_row(in, first + n);
            op->out.selection = limit->selection;
            op->out.selected = count;
        }
    }
    op->rows += op->out.selected;

out:
    return st;
}

static void limit_close(struct op *op)
{
    arena_fini(&((struct limit_op *)op)->last_arena);
}

const struct op_class op_limit_class = {
    sizeof(struct limit_op), limit_open, limit_rewind, limit_next, limit_close};

// --- UNION ALL ---------------------------------------------------------------------------------------

struct append_op {
    struct op op;
    struct op **inputs;
    uint32_t at;
};

static struct status append_open(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct append_op *append = (struct append_op *)op;
    const struct node *node = op->node;
    append->inputs = ARENA_ARRAY(op->run->arena, struct op *, node->set.input_count);
    for (uint32_t i = 0; i < node->set.input_count; i++)
        TRY(op_create(task, op->run, node->set.inputs[i], &append->inputs[i]));
    op->out.columns = ARENA_ARRAY(op->run->arena, struct datum *, node->layout.count);
    op->out.column_count = node->layout.count;

out:
    return st;
}

static struct status append_rewind(struct task *task, struct op *op)
{
    struct append_op *append = (struct append_op *)op;
    append->at = 0;
    return op_rewind(task, append->inputs[0]);
}

static struct status append_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct append_op *append = (struct append_op *)op;
    const struct node *node = op->node;
    *out = &op->out;
    op->out.selected = 0;
    while (append->at < node->set.input_count) {
        struct batch *in;
        TRY(op_next(task, append->inputs[append->at], &in));
        if (in->selected == 0) {
            append->at++;
            if (append->at < node->set.input_count)
                TRY(op_rewind(task, append->inputs[append->at]));
            continue;
        }
        op->out.count = in->count;
        op->out.selection = in->selection;
        op->out.selected = in->selected;
        for (uint32_t c = 0; c < op->out.column_count; c++)
            op->out.columns[c] = in->columns[node->set.columns[append->at][c]];
        break;
    }
    op->rows += op->out.selected;

out:
    return st;
}

static void append_close(struct op *op)
{
    struct append_op *append = (struct append_op *)op;
    for (uint32_t i = 0; append->inputs != NULL && i < op->node->set.input_count; i++)
        op_close(append->inputs[i]);
}

const struct op_class op_append_class = {
    sizeof(struct append_op), append_open, append_rewind, append_next, append_close};
