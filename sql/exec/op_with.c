// SPDX-License-Identifier: GPL-3.0-or-later
//
// Common table expressions: WITH owns them, CTE reads one, RECURSIVE feeds its own work table. Subqueries
// in expressions are here too.
#include "core/hash.h"
#include "core/invariant.h"
#include "sql/type/array.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"
#include "sql/exec/row_seen.h"
#include "sql/exec/row_sort.h"
#include "sql/exec/row_list.h"
#include "sql/exec/writer.h"

// --- WITH --------------------------------------------------------------------------------------------

struct with_op {
    struct op op;
    bool finished;
};

static struct spool *spool_of(struct run *run, uint32_t index)
{
    if (run->spools[index] == NULL) run->spools[index] = ARENA_NEW(run->arena, struct spool);
    return run->spools[index];
}

static struct status with_open(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    const struct node *node = op->node;
    for (uint32_t i = 0; i < node->with.count; i++) {
        struct spool *spool = spool_of(op->run, node->with.indexes[i]);
        const struct node *made_by = node->with.ctes[i];
        spool->owner = op;
        row_list_init(&spool->rows, &op->memory, made_by->types, made_by->layout.count,
            &op->run->spill, &op->spilled_bytes);
        TRY(op_create(task, op->run, made_by, &spool->op));
    }

out:
    return st;
}

static struct status fill_spool(struct task *task, struct spool *spool)
{
    struct status st = STATUS_OK;
    struct op *owner = spool->owner;
    const uint64_t affected = owner->run->rows_affected; // Only the statement's own rows count.
    TRY(op_rewind(task, spool->op));
    for (;;) {
        struct batch *in;
        TRY(op_next(task, spool->op, &in));
        if (in->selected == 0) break;
        for (uint32_t n = 0; n < in->selected; n++)
            TRY(row_list_add(task, &spool->rows, in->columns, NULL, batch_row(in, n)));
        TRY(op_keep_list(owner, &spool->rows));
        TRY(task_yield_if_due(task));
    }
    spool->filled = true;
    owner->run->rows_affected = affected;

out:
    return st;
}

static struct status with_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    const struct node *node = op->node;
    if (node->with.statement) op->run->mark = kv_txn_mark(op->run->txn);
    for (uint32_t i = 0; i < node->with.count; i++) {
        struct spool *spool = spool_of(op->run, node->with.indexes[i]);
        if (node->with.modifies[i] && spool->filled) continue; // Done once, whoever reads it.
        row_list_reset(&spool->rows);
        spool->filled = false;
        // What modifies data does so even when nobody reads its result.
        if (node->with.modifies[i] && !node->with.statement) TRY(fill_spool(task, spool));
    }
    TRY(op_rewind(task, op->left));

out:
    return st;
}

// As PostgreSQL does: what nobody has read is done after the rest, the last one first; then foreign keys.
static struct status finish_statement(struct task *task, struct with_op *with)
{
    struct status st = STATUS_OK;
    struct op *op = &with->op;
    const struct node *node = op->node;
    for (uint32_t i = node->with.count; i-- > 0;) {
        struct spool *spool = spool_of(op->run, node->with.indexes[i]);
        if (node->with.modifies[i] && !spool->filled) TRY(fill_spool(task, spool));
    }
    TRY(writers_finish(task, op->run));
    with->finished = true;

out:
    return st;
}

static struct status with_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct with_op *with = (struct with_op *)op;
    TRY(op_next(task, op->left, out));
    if ((*out)->selected == 0 && op->node->with.statement && !with->finished)
        TRY(finish_statement(task, with));

out:
    return st;
}

static void with_close(struct op *op)
{
    const struct node *node = op->node;
    for (uint32_t i = 0; i < node->with.count; i++) {
        struct spool *spool = op->run->spools[node->with.indexes[i]];
        if (spool == NULL) continue;
        op_close(spool->op);
        row_list_fini(&spool->rows);
    }
}

const struct op_class op_with_class = {
    sizeof(struct with_op), with_open, with_rewind, with_next, with_close};

// --- reading a spool ---------------------------------------------------------------------------------

struct cte_op {
    struct op op;
    struct row_list_reader reader;
    uint64_t at;
};

static struct status cte_open(struct task *task, struct op *op)
{
    struct cte_op *cte = (struct cte_op *)op;
    (void)task;
    op_alloc_columns(op, op->node->layout.count);
    row_list_reader_init(&cte->reader, &spool_of(op->run, op->node->cte.index)->rows, &op->memory);
    return STATUS_OK;
}

static struct status cte_rewind(struct task *task, struct op *op)
{
    (void)task;
    ((struct cte_op *)op)->at = 0;
    return STATUS_OK;
}

static struct status cte_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct cte_op *cte = (struct cte_op *)op;
    struct spool *spool = spool_of(op->run, op->node->cte.index);
    *out = &op->out;
    op->out.selected = 0;
    if (!spool->filled && spool->op != NULL) TRY(fill_spool(task, spool));
    TRY(op_emit_list(task, op, &cte->reader, op->node->cte.columns, &cte->at));

out:
    return st;
}

static void cte_close(struct op *op)
{
    row_list_reader_fini(&((struct cte_op *)op)->reader);
}

const struct op_class op_cte_class = {
    sizeof(struct cte_op), cte_open, cte_rewind, cte_next, cte_close};
const struct op_class op_worktable_class = {
    sizeof(struct cte_op), cte_open, cte_rewind, cte_next, cte_close};

// --- WITH RECURSIVE ----------------------------------------------------------------------------------

struct recursive_op {
    struct op op;
    struct op *inputs[2];
    struct row_seen seen;     // UNION: all rows given so far.
    struct row_list result;   // Of the step in hand.
    struct row_list_reader reader;
    uint64_t at;
    bool started, finished;
    struct datum **columns;
};

static struct status recursive_open(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct recursive_op *recursive = (struct recursive_op *)op;
    const struct node *node = op->node;
    struct spool *work = spool_of(op->run, node->set.index);
    row_list_init(&work->rows, &op->memory, node->types, node->layout.count, &op->run->spill,
        &op->spilled_bytes);
    row_list_init(&recursive->result, &op->memory, node->types, node->layout.count,
        &op->run->spill, &op->spilled_bytes);
    row_list_reader_init(&recursive->reader, &recursive->result, &op->memory);
    row_seen_init(&recursive->seen, op, node->types, node->layout.count);
    recursive->columns = ARENA_ARRAY(op->run->arena, struct datum *, node->layout.count);
    op_alloc_columns(op, node->layout.count);
    for (uint32_t i = 0; i < 2; i++)
        TRY(op_create(task, op->run, node->set.inputs[i], &recursive->inputs[i]));

out:
    return st;
}

static struct status recursive_rewind(struct task *task, struct op *op)
{
    struct recursive_op *recursive = (struct recursive_op *)op;
    (void)task;
    recursive->started = recursive->finished = false;
    recursive->at = 0;
    row_seen_reset(&recursive->seen);
    row_list_reset(&recursive->result);
    return STATUS_OK;
}

static struct status recursive_step(struct task *task, struct recursive_op *recursive, uint32_t side)
{
    struct status st = STATUS_OK;
    struct op *op = &recursive->op;
    const struct node *node = op->node;
    struct spool *work = spool_of(op->run, node->set.index);
    if (side == 1) { // What the last step gave is what this one reads.
        row_list_swap(&work->rows, &recursive->result);
    }
    row_list_reset(&recursive->result);
    recursive->at = 0;
    TRY(op_rewind(task, recursive->inputs[side]));
    for (;;) {
        struct batch *in;
        TRY(row_seen_check(task, &recursive->seen));
        TRY(op_next(task, recursive->inputs[side], &in));
        if (in->selected == 0) break;
        for (uint32_t c = 0; c < node->layout.count; c++)
            recursive->columns[c] = in->columns[node->set.columns[side][c]];
        for (uint32_t n = 0; n < in->selected; n++) {
            uint32_t row = batch_row(in, n);
            bool added = true;
            if (!node->set.all)
                TRY(row_seen_add(task, &recursive->seen, recursive->columns, row, &added));
            if (added)
                TRY(row_list_add(task, &recursive->result, recursive->columns, NULL, row));
        }
        TRY(op_keep_list(op, &recursive->result));
        TRY(task_yield_if_due(task));
    }

out:
    return st;
}

static struct status recursive_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct recursive_op *recursive = (struct recursive_op *)op;
    *out = &op->out;
    op->out.selected = 0;
    while (!recursive->finished && recursive->at == recursive->result.count) {
        bool first = !recursive->started;
        recursive->started = true;
        TRY(recursive_step(task, recursive, first ? 0 : 1));
        if (recursive->result.count == 0) recursive->finished = true;
        TRY(task_yield_if_due(task));
    }
    TRY(op_emit_list(task, op, &recursive->reader, NULL, &recursive->at));

out:
    return st;
}

static void recursive_close(struct op *op)
{
    struct recursive_op *recursive = (struct recursive_op *)op;
    struct spool *work = op->run->spools[op->node->set.index];
    op_close(recursive->inputs[0]);
    op_close(recursive->inputs[1]);
    row_seen_fini(&recursive->seen);
    row_list_reader_fini(&recursive->reader);
    row_list_fini(&recursive->result);
    if (work != NULL) row_list_fini(&work->rows);
}

const struct op_class op_recursive_class = {sizeof(struct recursive_op), recursive_open,
    recursive_rewind, recursive_next, recursive_close};

// --- subqueries in expressions -----------------------------------------------------------------------

struct subquery_state {
    struct op *op;
    bool known;              // Uncorrelated, and evaluated.
    struct datum value;
    struct expr_state *compare;
    struct arena arena;      // Of `value` and of comparisons.
    // = ANY by hash.
    struct memory_account memory;
    struct row_hash hash;
    bool hashed, has_null;
    struct datum **columns;
    // When there is no room for that: all values in order, in the temporary file.
    struct in_file *file;
};
struct in_file {
    type_oid type;
    struct row_sort sort;
    struct row_list values;
    struct row_list_reader reader;
    struct datum last;
    struct arena last_arena;
    struct datum *marks; // Every IN_MARK_ROWS-th value: most of a search needs no file.
    uint64_t mark_count, mark_capacity;
    struct arena mark_arena;
};
#define IN_MARK_ROWS 64u

static int compare_values(const void *arg, const struct datum *a, const struct datum *b)
{
    const struct in_file *file = arg;
    return type_compare(file->type, a[0], b[0]);
}

static void in_file_close(struct in_file *file)
{
    if (file == NULL) return;
    row_sort_fini(&file->sort);
    row_list_reader_fini(&file->reader);
    row_list_fini(&file->values);
    arena_fini(&file->last_arena);
    arena_fini(&file->mark_arena);
}

// What is in the hash table goes into the file, and what comes after follows it.
static void in_file_open(
    struct run *run, const struct expr_subquery *subquery, struct subquery_state *state)
{
    struct in_file *file = state->file = ARENA_NEW(run->arena, struct in_file);
    struct op *op = state->op;
    file->type = subquery->hash_types[0];
    row_sort_init(&file->sort, op, subquery->hash_types, 1, compare_values, file);
    row_list_init(
        &file->values, &op->memory, subquery->hash_types, 1, &run->spill, &op->spilled_bytes);
    row_list_reader_init(&file->reader, &file->values, &op->memory);
    arena_init(&file->last_arena, &op->memory);
    arena_init(&file->mark_arena, &op->memory);
    for (uint64_t i = 0; i < state->hash.keys.count; i++)
        row_store_set(&file->sort.store, row_store_new(&file->sort.store), 0,
            state->hash.keys.rows[i][0]);
    row_hash_reset(&state->hash);
}

static void add_mark(struct in_file *file, struct datum value)
{
    if (file->mark_count == file->mark_capacity) {
        uint64_t capacity = file->mark_capacity == 0 ? 64 : file->mark_capacity * 2;
        file->marks = arena_grow(&file->mark_arena, file->marks,
            file->mark_capacity * sizeof(struct datum), capacity * sizeof(struct datum));
        file->mark_capacity = capacity;
    }
    file->marks[file->mark_count++] = type_copy(&file->mark_arena, file->type, value);
}

static struct status in_file_finish(struct task *task, struct in_file *file)
{
    struct status st = STATUS_OK;
    const struct datum *row;
    TRY(row_sort_finish(task, &file->sort));
    row_list_spill(&file->values);
    for (uint64_t n = 0;; n++) {
        TRY(row_sort_next(task, &file->sort, &row));
        if (row == NULL) break;
        if ((n & 255u) == 255u) TRY(task_yield_if_due(task));
        if (n > 0 && type_compare(file->type, row[0], file->last) == 0) continue;
        arena_reset(&file->last_arena);
        file->last = type_copy(&file->last_arena, file->type, row[0]);
        if (file->values.count % IN_MARK_ROWS == 0) add_mark(file, row[0]);
        TRY(row_list_add_row(task, &file->values, row));
    }
    TRY(arena_check(&file->mark_arena));
    row_sort_reset(&file->sort);

out:
    return st;
}

static struct status in_file_find(
    struct task *task, struct in_file *file, struct datum value, bool *found)
{
    struct status st = STATUS_OK;
    uint64_t low = 0, high = file->mark_count;
    *found = false;
    while (low < high) { // The marks up to the value.
        uint64_t middle = low + (high - low) / 2;
        if (type_compare(file->type, value, file->marks[middle]) < 0) high = middle;
        else low = middle + 1;
    }
    if (low == 0) return st;
    low = (low - 1) * IN_MARK_ROWS;
    high = low + IN_MARK_ROWS < file->values.count ? low + IN_MARK_ROWS : file->values.count;
    while (low < high && !*found) {
        uint64_t middle = low + (high - low) / 2;
        struct datum *row;
        TRY(row_list_get(task, &file->reader, middle, &row));
        int order = type_compare(file->type, value, row[0]);
        *found = order == 0;
        if (order < 0) high = middle;
        else low = middle + 1;
    }

out:
    return st;
}

static struct status subquery_open(struct task *task, struct run *run,
    const struct expr_subquery *subquery, struct subquery_state **out)
{
    struct status st = STATUS_OK;
    struct subquery_state *state = run->subqueries[subquery->index];
    *out = state;
    if (state != NULL) return st;
    state = ARENA_NEW(run->arena, struct subquery_state);
    *out = run->subqueries[subquery->index] = state;
    arena_init(&state->arena, run->account);
    memory_account_init(&state->memory, run->account, "subquery", 0);
    row_hash_init(&state->hash, &state->memory, subquery->hash_types, subquery->test_count);
    state->columns = ARENA_ARRAY(run->arena, struct datum *, subquery->output_count);
    if (subquery->compare != NULL)
        state->compare =
            expr_state_new(run->arena, run, subquery->compare, run->capacity);
    TRY(op_create(task, run, subquery->node, &state->op));

out:
    return st;
}

void subquery_close(struct run *run)
{
    for (uint32_t i = 0; i < run->subquery_count; i++) {
        struct subquery_state *state = run->subqueries[i];
        if (state == NULL) continue;
        in_file_close(state->file);
        op_close(state->op);
        row_hash_fini(&state->hash);
        memory_account_fini(&state->memory);
        arena_fini(&state->arena);
    }
}

static struct status eval_scalar(struct task *task, const struct expr_subquery *subquery,
    struct subquery_state *state, struct arena *arena, struct datum *value)
{
    struct status st = STATUS_OK;
    struct batch *in;
    *value = DATUM_NULL;
    TRY(op_next(task, state->op, &in));
    if (in->selected == 0) return st;
    if (in->selected > 1) goto many;
    struct datum first = in->columns[subquery->output_columns[0]][batch_row(in, 0)];
    type_oid type = subquery->node->types[subquery->output_columns[0]];
    *value = first.null ? first : type_copy(arena, type, first);
    TRY(op_next(task, state->op, &in));
    if (in->selected > 0) goto many;

out:
    return st;
many:
    return status_make(E_CARDINALITY_VIOLATION,
        "more than one row returned by a subquery used as an expression");
}

static struct status eval_array(struct task *task, const struct expr_subquery *subquery,
    struct subquery_state *state, struct arena *arena, struct datum *value)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    array_builder_init(&builder, arena, subquery->element_type);
    for (;;) {
        struct batch *in;
        TRY(op_next(task, state->op, &in));
        if (in->selected == 0) break;
        for (uint32_t n = 0; n < in->selected; n++)
            TRY(array_builder_add(
                &builder, in->columns[subquery->output_columns[0]][batch_row(in, n)]));
        TRY(arena_check(arena));
    }
    TRY(array_builder_finish(&builder, value));

out:
    return st;
}

static struct status eval_any(struct task *task, const struct expr_subquery *subquery,
    struct subquery_state *state, struct datum *value)
{
    struct status st = STATUS_OK;
    bool all = subquery->kind == SUBLINK_ALL, has_null = false;
    for (;;) {
        struct batch *in;
        TRY(op_next(task, state->op, &in));
        if (in->selected == 0) break;
        arena_reset(&state->arena);
        TRY(expr_run(task, state->compare, in, &state->arena));
        const struct datum *outcome = expr_column(state->compare, 0);
        for (uint32_t n = 0; n < in->selected; n++) {
            struct datum one = outcome[batch_row(in, n)];
            if (one.null) {
                has_null = true;
            } else if (one.boolean != all) {
                *value = datum_bool(!all);
                return st;
            }
        }
        TRY(task_yield_if_due(task));
    }
    *value = has_null ? DATUM_NULL : datum_bool(all);

out:
    return st;
}

static struct status eval_row(struct task *task, struct subquery_state *state, struct datum *value)
{
    struct status st = STATUS_OK;
    uint32_t rows = 0;
    *value = DATUM_NULL;
    for (;;) {
        struct batch *in;
        TRY(op_next(task, state->op, &in));
        if (in->selected == 0) break;
        rows += in->selected;
        if (rows > 1)
            return status_make(E_CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression");
        arena_reset(&state->arena);
        TRY(expr_run(task, state->compare, in, &state->arena));
        *value = expr_column(state->compare, 0)[batch_row(in, 0)];
    }

out:
    return st;
}

static struct status fill_hash(struct task *task, struct run *run,
    const struct expr_subquery *subquery, struct subquery_state *state)
{
    struct status st = STATUS_OK;
    for (;;) {
        struct batch *in;
        if (state->file == NULL &&
            run_spills(run, &state->memory, row_hash_growth(&state->hash, run->capacity)))
            in_file_open(run, subquery, state);
        TRY(op_next(task, state->op, &in));
        if (in->selected == 0) break;
        for (uint32_t c = 0; c < subquery->output_count; c++)
            state->columns[c] = in->columns[subquery->output_columns[c]];
        for (uint32_t n = 0; n < in->selected; n++) {
            uint32_t number, row = batch_row(in, n);
            bool added;
            if (state->columns[0][row].null) {
                state->has_null = true;
                continue;
            }
            if (state->file != NULL)
                row_store_add(&state->file->sort.store, state->columns, NULL, row);
            else
                TRY(row_hash_find(task, &state->hash, state->columns, row, &number, &added));
        }
        if (state->file != NULL) TRY(row_sort_check(task, &state->file->sort));
        TRY(arena_check(&state->hash.keys.arena));
        TRY(task_yield_if_due(task));
    }
    if (state->file != NULL) TRY(in_file_finish(task, state->file));
    if (state->op->stats != NULL) state->op->stats->spilled_bytes = state->op->spilled_bytes;
    state->hashed = true;

out:
    return st;
}

// x IN (uncorrelated subquery), one column: by hash, with NULL's three values.
static struct status eval_hashed(struct task *task, struct run *run,
    const struct expr_subquery *subquery, struct subquery_state *state, struct datum *value)
{
    struct status st = STATUS_OK;
    uint32_t number;
    if (!state->hashed) {
        TRY(op_rewind(task, state->op));
        TRY(fill_hash(task, run, subquery, state));
    }
    struct datum test = run->slots[subquery->tests[0].slot];
    const bool empty = state->file == NULL ? state->hash.keys.count == 0
                                           : state->file->values.count == 0;
    if (empty && !state->has_null) {
        *value = datum_bool(false);
        return st;
    }
    *value = DATUM_NULL;
    if (test.null) return st;
    struct datum *column = &test;
    if (state->file != NULL) {
        bool found;
        TRY(in_file_find(task, state->file, test, &found));
        number = found ? 0 : ROW_HASH_NONE;
    } else {
        TRY(row_hash_find(task, &state->hash, &column, 0, &number, NULL));
    }
    if (number != ROW_HASH_NONE) *value = datum_bool(true);
    else if (!state->has_null) *value = datum_bool(false);

out:
    return st;
}

struct status subquery_value(struct task *task, struct run *run,
    const struct expr_subquery *subquery, struct arena *arena, struct datum *value)
{
    struct status st = STATUS_OK;
    struct subquery_state *state;
    TRY(subquery_open(task, run, subquery, &state));
    if (state->known) {
        *value = state->value;
        return st;
    }
    if (subquery->hash_types != NULL) return eval_hashed(task, run, subquery, state, value);
    bool keep = subquery->binding_count == 0 && subquery->test_count == 0;
    struct arena *to = keep ? &state->arena : arena;
    TRY(op_rewind(task, state->op));
    switch (subquery->kind) {
    case SUBLINK_EXISTS: {
        struct batch *in;
        TRY(op_next(task, state->op, &in));
        *value = datum_bool(in->selected > 0);
        break;
    }
    case SUBLINK_SCALAR: TRY(eval_scalar(task, subquery, state, to, value)); break;
    case SUBLINK_ARRAY: TRY(eval_array(task, subquery, state, to, value)); break;
    case SUBLINK_ROW: TRY(eval_row(task, state, value)); break;
    default: TRY(eval_any(task, subquery, state, value)); break;
    }
    if (keep) {
        state->known = true;
        state->value = *value;
    }

out:
    return st;
}
