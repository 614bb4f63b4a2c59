// SPDX-License-Identifier: GPL-3.0-or-later
//
// INSERT, UPDATE, DELETE and row locks as operators. Without RETURNING their layout is empty and they
// give no rows; foreign keys are settled when the input is at its end.
#include "core/hash.h"
#include "core/invariant.h"
#include "core/work.h"
#include "sql/exec/op_classes.h"
#include "sql/exec/scan.h"
#include "sql/exec/writer.h"

#define CONFLICT_WORK 512u // What a row that may conflict counts for with task_work.

struct write_op {
    struct op op;
    struct writer *writer;
    struct expr_state *defaults, *assignments, *where;
    struct datum **old;      // UPDATE, DELETE: columns of the input, by ordinal.
    struct datum *nulls;     // What columns that are not stored have.
    uint16_t *rows;          // Rows written, as positions in the input or in the writer's columns.
    struct datum *xmax;      // INSERT whose RETURNING asks: 0 of rows that are new, else this transaction.
    struct batch conflict;   // existing ++ excluded, one row.
    struct arena conflict_arena;
    bool finished;
};

static struct status write_open(struct task *task, struct op *op)
{
    struct write_op *write = (struct write_op *)op;
    const struct node_write *node = op->node->write;
    struct run *run = op->run;
    (void)task;
    write->writer = writer_of(run, node->writers, node->writer->table->index);
    uint32_t columns = node->writer->table->table->column_count;
    write->old = ARENA_ARRAY(run->arena, struct datum *, node->writer->table->width);
    write->rows = arena_alloc(run->arena, run->capacity * sizeof(uint16_t));
    write->nulls = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
    for (uint32_t i = 0; i < run->capacity; i++) write->nulls[i] = DATUM_NULL;
    if (node->returns_xmax) write->xmax = ARENA_ARRAY(run->arena, struct datum, run->capacity);
    arena_init(&write->conflict_arena, run->account);
    op->out.columns = ARENA_ARRAY(run->arena, struct datum *, op->node->layout.count);
    op->out.column_count = op->node->layout.count;
    if (node->defaults != NULL)
        write->defaults = expr_state_new(run->arena, run, node->defaults, run->capacity);
    if (node->assignments != NULL)
        write->assignments = expr_state_new(run->arena, run, node->assignments, 1);
    if (node->conflict_where != NULL)
        write->where = expr_state_new(run->arena, run, node->conflict_where, 1);
    if (node->conflict_layout.count > 0) {
        write->conflict.columns = ARENA_ARRAY(run->arena, struct datum *, columns * 2);
        for (uint32_t i = 0; i < columns * 2; i++)
            write->conflict.columns[i] = arena_alloc(run->arena, sizeof(struct datum));
        write->conflict.count = write->conflict.selected = 1;
        write->conflict.column_count = columns * 2;
    }
    return STATUS_OK;
}

static struct status write_rewind(struct task *task, struct op *op)
{
    struct write_op *write = (struct write_op *)op;
    write->finished = false;
    if (op->run->mark == 0) row_hash_reset(&write->writer->touched);
    return op_rewind(task, op->left);
}

static void write_close(struct op *op)
{
    struct write_op *write = (struct write_op *)op;
    arena_fini(&write->conflict_arena);
}

// Whether the row's primary key has not been met before in this statement; notes it.
static struct status first_touch(
    struct task *task, struct write_op *write, struct datum *const *columns, uint32_t row, bool *first)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    const struct row_index *primary = &writer->plan->indexes[0];
    struct buffer key;
    uint32_t number;
    buffer_init(&key, &write->conflict_arena);
    for (uint32_t k = 0; k < primary->key_count; k++)
        writer->row[primary->keys[k].ordinal] = columns[primary->keys[k].ordinal][row];
    TRY(row_key(primary, writer->row, &key, NULL));
    struct datum value = datum_bytes(buffer_bytes(&key));
    struct datum *column = &value;
    TRY(row_hash_find(task, &writer->touched, &column, 0, &number, first));
    TRY(arena_check(&writer->touched.keys.arena));

out:
    return st;
}

// Result columns of the rows in write->rows.
static void put_output(struct write_op *write, struct datum *const *row_columns,
    const struct batch *in, const uint16_t *selection, uint32_t count)
{
    struct op *op = &write->op;
    const struct node_write *node = op->node->write;
    for (uint32_t c = 0; c < op->out.column_count; c++)
        op->out.columns[c] = node->output_is_input[c]                ? in->columns[node->outputs[c]]
                             : node->outputs[c] == NODE_WRITE_XMAX ? write->xmax
                                                                     : row_columns[node->outputs[c]];
    op->out.count = in->count;
    op->out.selection = selection;
    op->out.selected = count;
}

// --- INSERT ------------------------------------------------------------------------------------------

static struct status new_rows(struct task *task, struct write_op *write, const struct batch *in)
{
    struct status st = STATUS_OK;
    struct op *op = &write->op;
    const struct node_write *node = op->node->write;
    struct datum **columns = writer_columns(write->writer);
    uint32_t column_count = node->writer->table->table->column_count;
    for (uint32_t i = 0; i < column_count; i++) {
        if (node->sources[i] == UINT32_MAX) continue;
        const struct datum *source = in->columns[node->sources[i]];
        for (uint32_t n = 0; n < in->selected; n++) columns[i][n] = source[batch_row(in, n)];
    }
    if (write->defaults == NULL) goto out;
    struct batch rows = {.columns = columns, .count = in->selected, .selected = in->selected};
    arena_reset(&op->arena);
    TRY(expr_run(task, write->defaults, &rows, &op->arena));
    for (uint32_t i = 0; i < node->default_count; i++)
        memcpy(columns[node->default_ordinals[i]], expr_column(write->defaults, i),
            in->selected * sizeof(struct datum));

out:
    return st;
}

static void whole_row(struct writer *writer, uint32_t at)
{
    for (uint32_t i = 0; i < writer->plan->table->width; i++)
        writer->row[i] = writer->columns[i][at];
}

// The primary row that a unique entry in the way belongs to: key and value, locked.
static struct status row_in_the_way(struct task *task, struct write_op *write, uint32_t index,
    struct bytes key, struct bytes value, struct bytes *primary_key, struct bytes *primary_value)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    const struct writer_plan *plan = writer->plan;
    struct arena *arena = &write->conflict_arena;
    *primary_key = key;
    *primary_value = value;
    if (index == 0) return st;
    const struct kv_read read = scan_read(write->op.node->write->insert->conflict_lock, LOCK_WAIT_BLOCK);
    const struct row_index *primary = &plan->indexes[0];
    struct row_decoder decoder;
    uint32_t *ordinals = ARENA_ARRAY(arena, uint32_t, primary->key_count);
    struct datum **slots = ARENA_ARRAY(arena, struct datum *, primary->key_count);
    for (uint32_t k = 0; k < primary->key_count; k++) {
        ordinals[k] = primary->keys[k].ordinal;
        slots[k] = &writer->old_row[ordinals[k]];
    }
    TRY(row_decoder_init(arena, &plan->indexes[index], ordinals, primary->key_count, &decoder));
    TRY(row_decode(&decoder, key, value, arena, slots, 0));
    struct buffer buffer;
    buffer_init(&buffer, arena);
    TRY(row_key(primary, writer->old_row, &buffer, NULL));
    *primary_key = buffer_bytes(&buffer);
    TRY(kv_get(task, writer->run->txn, &read, *primary_key, arena, primary_value));

out:
    return st;
}

// Looks for a row that row `at` of the writer's columns conflicts with.
static struct status find_conflict(struct task *task, struct write_op *write, uint32_t at,
    bool *found, struct bytes *primary_key, struct bytes *primary_value)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    const struct node_write *node = write->op.node->write;
    const struct kv_read read = scan_read(write->op.node->write->insert->conflict_lock, LOCK_WAIT_BLOCK);
    *found = false;
    for (uint32_t a = 0; a < node->arbiter_count && !*found; a++) {
        struct buffer key;
        struct bytes value;
        bool has_null;
        uint32_t index = node->arbiters[a];
        uint32_t predicate = writer->plan->predicate_outputs[index];
        // What comes before it may have settled the row.
        if (writer->plan->table->table->indexes[index].deferrable)
            return status_make(E_NOT_IN_PREREQUISITE_STATE,
                "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters");
        if (predicate != UINT32_MAX) {
            struct datum holds = expr_column(writer->predicates, predicate)[at];
            if (holds.null || !holds.boolean) continue;
        }
        buffer_init(&key, &write->conflict_arena);
        whole_row(writer, at);
        TRY(row_key(&writer->plan->indexes[index], writer->row, &key, &has_null));
        if (has_null) continue;
        TRY(kv_get(task, writer->run->txn, &read, buffer_bytes(&key), &write->conflict_arena,
            &value));
        if (value.data == NULL) continue;
        *found = true;
        TRY(row_in_the_way(
            task, write, index, buffer_bytes(&key), value, primary_key, primary_value));
    }

out:
    return st;
}

// Decodes the row in the way into the first half of write->conflict, the new row into the second.
static struct status load_conflict(struct write_op *write, uint32_t at, struct bytes key,
    struct bytes value)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    const struct writer_plan *plan = writer->plan;
    uint32_t count = plan->table->table->column_count;
    struct datum **slots = ARENA_ARRAY(&write->conflict_arena, struct datum *, count);
    uint32_t slot = 0;
    for (uint32_t i = 0; i < count; i++) {
        write->conflict.columns[i][0] = DATUM_NULL;
        write->conflict.columns[count + i][0] = writer->columns[i][at];
        if (row_index_has(&plan->indexes[0], i)) slots[slot++] = write->conflict.columns[i];
    }
    TRY(row_decode(&plan->all, key, value, &write->conflict_arena, slots, 0));

out:
    return st;
}

static struct status second_touch(struct writer *writer)
{
    return status_hint(&writer->run->session->statement_arena,
        status_make(E_CARDINALITY_VIOLATION,
            "ON CONFLICT DO UPDATE command cannot affect row a second time"),
        "Ensure that no rows proposed for insertion within the same command have duplicate "
        "constrained values.");
}

// DO UPDATE of one row. *updated false: its WHERE did not hold. The row as it became stays in the
// writer's columns at 0.
static struct status update_conflict(struct task *task, struct write_op *write, bool *updated)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    const struct node_write *node = write->op.node->write;
    const struct table_plan *table = writer->plan->table;
    uint32_t count = table->table->column_count;
    struct datum outcome;
    *updated = false;
    if (write->where != NULL) {
        TRY(expr_run(task, write->where, &write->conflict, &write->conflict_arena));
        outcome = expr_column(write->where, 0)[0];
        if (outcome.null || !outcome.boolean) return st;
    }
    bool first;
    TRY(first_touch(task, write, write->conflict.columns, 0, &first));
    if (!first) return second_touch(writer);
    bool *changed = ARENA_ARRAY(&write->conflict_arena, bool, table->width);
    TRY(expr_run(task, write->assignments, &write->conflict, &write->conflict_arena));
    for (uint32_t i = 0; i < count; i++) writer->columns[i][0] = write->conflict.columns[i][0];
    for (uint32_t i = 0; i < node->assigned_count; i++) {
        writer->columns[node->assigned_ordinals[i]][0] = expr_column(write->assignments, i)[0];
        changed[node->assigned_ordinals[i]] = true;
    }
    for (uint32_t i = 0; i < table->computed.count; i++)
        changed[table->computed.items[i].var - table->row_base] = true;
    TRY(writer_check(task, writer, 1, (struct writer_changes){changed, changed}));
    TRY(writer_update(task, writer, write->conflict.columns, NULL, 1, changed));
    TRY(writer_check_views(task, writer, 1));
    *updated = true;

out:
    return st;
}

// The transaction as a number of type xid, which is never zero.
static struct datum own_number(const struct write_op *write)
{
    return datum_int((uint32_t)kv_txn_id(write->op.run->txn) | 1u);
}

// One row at a time: the row before may be what this one conflicts with.
static struct status insert_or_update(
    struct task *task, struct write_op *write, const struct batch *in, struct row_store *results)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    const struct node_write *node = write->op.node->write;
    uint32_t width = writer->plan->table->width;
    // The rows to be inserted wait here while writer->columns serves each of them in turn.
    struct datum **waiting = ARENA_ARRAY(&write->op.arena, struct datum *, width);
    for (uint32_t i = 0; i < width; i++) {
        waiting[i] = arena_alloc(&write->op.arena, in->selected * sizeof(struct datum));
        memcpy(waiting[i], writer->columns[i], in->selected * sizeof(struct datum));
    }
    for (uint32_t n = 0; n < in->selected; n++) {
        struct bytes key, value;
        bool found, wrote = false, first;
        TRY(task_work(task, CONFLICT_WORK)); // Rows that are not written wait for nothing.
        arena_reset(&write->conflict_arena);
        for (uint32_t i = 0; i < width; i++) writer->columns[i][0] = waiting[i][n];
        TRY(writer_check(task, writer, 1, (struct writer_changes){NULL, node->checked}));
        TRY(find_conflict(task, write, 0, &found, &key, &value));
        if (!found) {
            if (node->assignments != NULL)
                TRY(first_touch(task, write, writer->columns, 0, &first));
            TRY(writer_insert(task, writer, 0, 1));
            TRY(writer_check_views(task, writer, 1));
            wrote = true;
        } else if (node->assignments != NULL && value.data != NULL) {
            TRY(load_conflict(write, 0, key, value));
            TRY(update_conflict(task, write, &wrote));
        }
        if (!wrote) continue;
        write->op.run->rows_affected++;
        if (results == NULL) continue;
        if (node->returns_xmax) write->xmax[results->count] = found ? own_number(write) : datum_int(0);
        struct datum *row = row_store_new(results);
        for (uint32_t i = 0; i < width; i++) row_store_set(results, row, i, writer->columns[i][0]);
        TRY(arena_check(&results->arena));
    }

out:
    return st;
}

// Rows whose keys' former rows leave no trace: they are put without a look. Only in a transaction of the statement's
// own: another's lock on the row shall be waited for before the next statement.
static struct status replace_rows(
    struct task *task, struct write_op *write, const struct batch *in)
{
    struct status st = STATUS_OK;
    struct writer *writer = write->writer;
    TRY(writer_check(task, writer, in->selected,
        (struct writer_changes){NULL, write->op.node->write->checked}));
    for (uint32_t n = 0; n < in->selected; n++) {
        bool first;
        arena_reset(&write->conflict_arena);
        TRY(first_touch(task, write, writer->columns, n, &first));
        if (!first) return second_touch(writer);
    }
    writer->replaces = true;
    st = writer_insert(task, writer, 0, in->selected);
    writer->replaces = false;
    TRY(st);
    TRY(writer_check_views(task, writer, in->selected));
    write->op.run->rows_affected += in->selected;

out:
    return st;
}

static struct status insert_with_conflicts(
    struct task *task, struct write_op *write, const struct batch *in)
{
    struct status st = STATUS_OK;
    struct op *op = &write->op;
    const struct writer_plan *plan = write->writer->plan;
    struct row_store results;
    const struct node_write *node = op->node->write;
    if (node->replaces && !node->returning && op->run->session->txn_state == TXN_IMPLICIT)
        return replace_rows(task, write, in);
    if (!node->returning) return insert_or_update(task, write, in, NULL);
    row_store_init(&results, op->run->account, plan->types, plan->table->width);
    TRY(insert_or_update(task, write, in, &results));
    // Back into columns, in this batch's arena.
    uint32_t count = (uint32_t)results.count;
    for (uint32_t i = 0; i < plan->table->width; i++)
        for (uint32_t r = 0; r < count; r++) {
            struct datum value = results.rows[r][i];
            write->writer->columns[i][r] =
                value.null ? value : type_copy(&op->arena, plan->types[i], value);
        }
    struct batch all = {.count = count, .selected = count};
    put_output(write, write->writer->columns, &all, NULL, count);

out:
    row_store_fini(&results);
    return st;
}

static struct status insert_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct write_op *write = (struct write_op *)op;
    const struct node_write *node = op->node->write;
    *out = &op->out;
    op->out.selected = 0;
    while (!write->finished && op->out.selected == 0) {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        if (in->selected == 0) {
            write->finished = true;
            if (op->run->mark == 0) TRY(writers_finish(task, op->run));
            break;
        }
        arena_reset(&op->arena);
        TRY(new_rows(task, write, in));
        for (uint32_t n = 0; node->returns_xmax && n < in->selected; n++) write->xmax[n] = datum_int(0);
        if (node->arbiter_count > 0) {
            TRY(insert_with_conflicts(task, write, in));
            continue;
        }
        TRY(writer_check(task, write->writer, in->selected,
            (struct writer_changes){NULL, op->node->write->checked}));
        TRY(writer_insert(task, write->writer, 0, in->selected));
        TRY(writer_check_views(task, write->writer, in->selected));
        op->run->rows_affected += in->selected;
        if (!node->returning) continue;
        struct batch all = {.count = in->selected, .selected = in->selected};
        put_output(write, write->writer->columns, &all, NULL, in->selected);
    }
    op->rows += op->out.selected;

out:
    return st;
}

const struct op_class op_insert_class = {
    sizeof(struct write_op), write_open, write_rewind, insert_next, write_close};

// --- UPDATE and DELETE -------------------------------------------------------------------------------

static struct status chosen_rows(
    struct task *task, struct write_op *write, const struct batch *in, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct node_write *node = write->op.node->write;
    *count = 0;
    for (uint32_t n = 0; n < in->selected; n++) {
        bool first = true;
        uint32_t row = batch_row(in, n);
        if (node->update->once || write->op.run->mark != 0)
            TRY(first_touch(task, write, write->old, row, &first));
        if (first) write->rows[(*count)++] = (uint16_t)row;
    }
    arena_reset(&write->conflict_arena);

out:
    return st;
}

static struct status update_batch(
    struct task *task, struct write_op *write, const struct batch *in, uint32_t count)
{
    struct status st = STATUS_OK;
    struct op *op = &write->op;
    const struct node_write *node = op->node->write;
    struct datum **columns = writer_columns(write->writer);
    uint32_t column_count = node->writer->table->table->column_count;
    for (uint32_t i = 0; i < column_count; i++) {
        const struct datum *source = node->sources[i] != UINT32_MAX
            ? in->columns[node->sources[i]]
            : write->old[i];
        for (uint32_t n = 0; n < count; n++) columns[i][n] = source[write->rows[n]];
    }
    TRY(writer_check(
        task, write->writer, count, (struct writer_changes){node->changed, node->checked}));
    TRY(writer_update(task, write->writer, write->old, write->rows, count, node->changed));
    TRY(writer_check_views(task, write->writer, count));
    if (!node->returning) return st;
    // Back to the input's positions, where FROM's columns are.
    for (uint32_t c = 0; c < op->out.column_count; c++) {
        if (node->output_is_input[c]) continue;
        struct datum *spread = arena_alloc(&op->arena, in->count * sizeof(struct datum));
        for (uint32_t n = 0; n < count; n++)
            spread[write->rows[n]] = columns[node->outputs[c]][n];
        op->out.columns[c] = spread;
    }
    for (uint32_t c = 0; c < op->out.column_count; c++)
        if (node->output_is_input[c]) op->out.columns[c] = in->columns[node->outputs[c]];
    op->out.count = in->count;
    op->out.selection = write->rows;
    op->out.selected = count;

out:
    return st;
}

static struct status change_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct write_op *write = (struct write_op *)op;
    const struct node_write *node = op->node->write;
    bool update = op->node->kind == NODE_UPDATE;
    *out = &op->out;
    op->out.selected = 0;
    while (!write->finished && op->out.selected == 0) {
        struct batch *in;
        uint32_t count;
        TRY(op_next(task, op->left, &in));
        if (in->selected == 0) {
            write->finished = true;
            if (op->run->mark == 0) TRY(writers_finish(task, op->run));
            break;
        }
        arena_reset(&op->arena);
        uint32_t column_count = node->writer->table->table->column_count;
        for (uint32_t i = 0; i < column_count; i++)
            write->old[i] = node->old[i] == UINT32_MAX ? write->nulls : in->columns[node->old[i]];
        TRY(chosen_rows(task, write, in, &count));
        if (update) {
            TRY(update_batch(task, write, in, count));
        } else {
            TRY(writer_delete(task, write->writer, write->old, write->rows, count));
            if (node->returning) put_output(write, NULL, in, write->rows, count);
        }
        op->run->rows_affected += count;
    }
    op->rows += op->out.selected;

out:
    return st;
}

const struct op_class op_update_class = {
    sizeof(struct write_op), write_open, write_rewind, change_next, write_close};
const struct op_class op_delete_class = {
    sizeof(struct write_op), write_open, write_rewind, change_next, write_close};

// --- FOR UPDATE above other operators ----------------------------------------------------------------

struct lock_op {
    struct op op;
    uint16_t *selection;
    struct datum *row;
    struct expr_state *limit, *offset;
    uint64_t left; // Rows that are still to be locked.
    struct expr_state *filter;
    struct batch fresh; // The row under its lock.
};

static struct status lock_open(struct task *task, struct op *op)
{
    struct lock_op *lock = (struct lock_op *)op;
    const struct node *node = op->node;
    struct run *run = op->run;
    (void)task;
    lock->selection = arena_alloc(run->arena, run->capacity * sizeof(uint16_t));
    lock->row = ARENA_ARRAY(run->arena, struct datum, row_width(node->lock.scan.table));
    if (node->lock.filter != NULL) {
        uint32_t slots = node->lock.decoder.slot_count;
        lock->filter = expr_state_new(run->arena, run, node->lock.filter, 1);
        lock->fresh = (struct batch){.column_count = slots, .count = 1, .selected = 1};
        lock->fresh.columns = ARENA_ARRAY(run->arena, struct datum *, slots);
        for (uint32_t i = 0; i < slots; i++)
            lock->fresh.columns[i] = ARENA_ARRAY(run->arena, struct datum, 1);
    }
    if (node->lock.limit != NULL)
        lock->limit = expr_state_new(run->arena, run, node->lock.limit, 1);
    if (node->lock.offset != NULL)
        lock->offset = expr_state_new(run->arena, run, node->lock.offset, 1);
    return STATUS_OK;
}

static struct status lock_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct lock_op *lock = (struct lock_op *)op;
    struct datum limit, offset = datum_int(0);
    lock->left = UINT64_MAX;
    if (lock->limit != NULL) {
        TRY(expr_run_single(task, lock->limit, &op->arena, &limit));
        if (lock->offset != NULL) TRY(expr_run_single(task, lock->offset, &op->arena, &offset));
        if (!limit.null && limit.integer >= 0 && !offset.null && offset.integer >= 0)
            lock->left = (uint64_t)limit.integer + (uint64_t)offset.integer;
    }
    TRY(op_rewind(task, op->left));

out:
    return st;
}

// Whether the row is still what the scan read without validation.
static struct status is_same(struct task *task, struct lock_op *lock, struct bytes key,
    struct bytes value, const struct batch *in, uint32_t at, bool *same)
{
    struct status st = STATUS_OK;
    struct op *op = &lock->op;
    const struct node *node = op->node;
    *same = true;
    if (lock->filter == NULL) return st;
    TRY(row_decode(&node->lock.decoder, key, value, &op->arena, lock->fresh.columns, 0));
    for (uint32_t i = 0; i < node->lock.same_count; i++) {
        struct datum before = in->columns[node->lock.same[i].column][at];
        struct datum now = lock->fresh.columns[node->lock.same[i].slot][0];
        if (before.null || now.null) *same &= before.null == now.null;
        else *same &= type_equal(node->lock.same[i].type, before, now);
    }
    uint32_t selected = 1;
    TRY(expr_run(task, lock->filter, &lock->fresh, &op->arena));
    expr_selection(lock->filter, &selected);
    *same &= selected == 1;

out:
    return st;
}

// Locks each row by its primary key. One that is gone, or (SKIP LOCKED) held by another, is left out. A
// row that has changed since it was read is found at commit, or by KV when it moves the snapshot.
static struct status lock_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct lock_op *lock = (struct lock_op *)op;
    const struct node *node = op->node;
    const struct row_index *primary = node->lock.scan.primary;
    struct kv_read read = scan_read(node->lock.lock, node->lock.wait);
    read.mark = op->run->mark;
    *out = &op->out;
    do {
        struct batch *in;
        TRY(op_next(task, op->left, &in));
        op->out = *in;
        if (in->selected == 0) break;
        arena_reset(&op->arena);
        // A row at a time: LIMIT above takes only as many as it needs.
        uint32_t kept = 0;
        for (uint32_t n = 0; n < in->selected && lock->left > 0; n++) {
            uint32_t at = batch_row(in, n);
            struct buffer key;
            struct bytes value;
            bool skipped = false;
            for (uint32_t k = 0; k < node->lock.key_count; k++)
                lock->row[primary->keys[k].ordinal] = in->columns[node->lock.key_columns[k]][at];
            buffer_init(&key, &op->arena);
            TRY(row_key(primary, lock->row, &key, NULL));
            struct bytes key_bytes = buffer_bytes(&key);
            TRY(kv_get_many(
                task, op->run->txn, &read, &key_bytes, 1, &op->arena, &value, &skipped));
            if (value.data == NULL || skipped) continue;
            bool same;
            TRY(is_same(task, lock, key_bytes, value, in, at, &same));
            if (!same) continue;
            lock->selection[kept++] = (uint16_t)at;
            lock->left--;
        }
        op->out.selection = lock->selection;
        op->out.selected = kept;
    } while (op->out.selected == 0 && lock->left > 0);
    op->rows += op->out.selected;

out:
    return st;
}

const struct op_class op_lock_class = {
    sizeof(struct lock_op), lock_open, lock_rewind, lock_next, NULL};
