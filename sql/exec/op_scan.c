// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading tables: points, spans and whole indexes, with the lookup of what an index lacks.
#include "core/invariant.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"
#include "sql/exec/scan.h"
#include "sql/service/sequence.h"

// Rows looked up at once: enough that several are on one page of a store.
#define AHEAD_ROWS 32768u
#define AHEAD_GROWTH 16u // From one time to the next.
#define AHEAD_BYTES (8u << 20)

struct scan_op {
    struct op op;
    struct kv_visitor visitor;
    bool visits;                // Rows are decoded where they lie.
    struct row_conditions conditions; // What is tried there: a part of the filter.
    uint16_t *kept;             // The batch's rows that met them.
    uint32_t kept_count;
    struct access_state access;
    struct arena keys;          // Spans, until rewound.
    struct kv_scan scan;
    bool scanning;
    uint32_t next;              // Span or point to go on with.
    uint64_t batches;
    struct datum **index_columns; // Of the lookup decoder.
    struct datum *lookup_row;
    // Rows looked up ahead: many at a time, since neighbours in the primary index cost less one after another.
    struct arena ahead;
    struct kv_pair *ahead_pairs;
    uint32_t ahead_count, ahead_at;
    uint32_t ahead_max;         // Entries to gather next.
    struct expr_state *filter;
    struct inverted_scan *inverted; // Or NULL.
    bool locks_selected;
};

static struct status visit_row(struct kv_visitor *visitor, struct arena *arena, struct bytes key,
    struct bytes value, uint32_t number)
{
    struct scan_op *scan = container_of(visitor, struct scan_op, visitor);
    const struct row_decoder *decoder = &scan->op.node->scan.decoder;
    if (scan->conditions.count == 0)
        return row_decode_copy(decoder, key, value, arena, scan->op.out.columns, number);
    // Shown again from here on: what was kept of it before does not count.
    while (scan->kept_count > 0 && scan->kept[scan->kept_count - 1] >= number) scan->kept_count--;
    bool kept;
    struct status st = row_decode_kept(decoder, &scan->conditions, key, value, arena,
        scan->op.out.columns, number, &kept);
    if (!failed(st) && kept) scan->kept[scan->kept_count++] = (uint16_t)number;
    return st;
}

// For the values that parameters and outer columns have now.
static void find_conditions(struct scan_op *scan)
{
    const struct node_scan *node = &scan->op.node->scan;
    struct expr_condition found[EXPR_CONDITIONS_MAX];
    scan->conditions.count = scan->conditions.value_last = 0;
    if (!scan->visits || node->filter == NULL) return;
    const uint32_t count = expr_conditions(node->filter, scan->op.run->slots, found);
    for (uint32_t i = 0; i < count; i++)
        row_conditions_add(&node->decoder, &scan->conditions,
            (struct row_condition){found[i].column, found[i].bytes, found[i].low, found[i].high,
                found[i].value});
}

static struct status scan_open(struct task *task, struct op *op)
{
    struct scan_op *scan = (struct scan_op *)op;
    const struct node_scan *node = &op->node->scan;
    struct run *run = op->run;
    (void)task;
    arena_init(&scan->keys, run->account);
    access_state_init(&scan->access, run->arena, run, &node->access, node->index);
    op_alloc_columns(op, op->node->layout.count);
    if (node->filter != NULL)
        scan->filter = expr_state_new(run->arena, run, node->filter, run->capacity);
    const bool counts = node->filter == NULL && node->decoder.key_needed == 0 && node->decoder.value_needed == 0;
    scan->visitor.row = counts ? NULL : visit_row;
    scan->locks_selected = node->selected_lock != REL_LOCK_NONE && kv_txn_is_weak(run->txn);
    arena_init(&scan->ahead, run->account);
    scan->visits = node->primary == NULL && node->lock == REL_LOCK_NONE && !scan->locks_selected;
    if (scan->visits && node->filter != NULL) {
        scan->conditions.items = ARENA_ARRAY(run->arena, struct row_condition, EXPR_CONDITIONS_MAX);
        scan->kept = ARENA_ARRAY(run->arena, uint16_t, run->capacity);
    }
    if (node->primary == NULL) return STATUS_OK;
    scan->index_columns = ARENA_ARRAY(run->arena, struct datum *, node->lookup_count);
    for (uint32_t i = 0; i < node->lookup_count; i++)
        scan->index_columns[i] = arena_alloc(run->arena, sizeof(struct datum));
    scan->lookup_row = ARENA_ARRAY(run->arena, struct datum, row_width(node->table));
    if (node->inverted_count > 0) scan->inverted = inverted_scan_new(run, node);
    return STATUS_OK;
}

static struct status scan_rewind(struct task *task, struct op *op)
{
    struct scan_op *scan = (struct scan_op *)op;
    arena_reset(&scan->keys);
    scan->next = 0;
    scan->batches = 0;
    scan->scanning = false;
    scan->ahead_count = scan->ahead_at = scan->ahead_max = 0;
    if (scan->filter != NULL) expr_state_rewind(scan->filter);
    find_conditions(scan);
    if (op->run->parts != NULL) return STATUS_OK;
    if (scan->inverted != NULL) return inverted_scan_rewind(task, scan->inverted);
    return access_spans(task, &scan->access, &scan->keys);
}

static void scan_close(struct op *op)
{
    struct scan_op *scan = (struct scan_op *)op;
    if (scan->inverted != NULL) inverted_scan_close(scan->inverted);
    arena_fini(&scan->keys);
    arena_fini(&scan->ahead);
}

// Up to a batch of keys and values of the index. *count 0: the end.
static struct status next_points(struct task *task, struct scan_op *scan, struct kv_read read,
    struct arena *arena, struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct op *op = &scan->op;
    uint32_t left = scan->access.count - scan->next;
    uint32_t asked = left < op->run->capacity ? left : op->run->capacity;
    struct bytes *keys = scan->access.points + scan->next;
    *count = 0;
    if (asked == 0) return st;
    scan->next += asked;
    *pairs = arena_alloc(arena, asked * sizeof(struct kv_pair));
    if (asked == 1 && read.wait != KV_WAIT_SKIP) {
        (*pairs)[0].key = keys[0];
        TRY(kv_get(task, op->run->txn, &read, keys[0], arena, &(*pairs)[0].value));
        *count = (*pairs)[0].value.data != NULL;
        return st;
    }
    struct bytes *values = arena_alloc(arena, asked * sizeof(struct bytes));
    bool *skipped = arena_alloc_zero(arena, asked * sizeof(bool));
    TRY(kv_get_many(
        task, op->run->txn, &read, keys, asked, arena, values, skipped));
    for (uint32_t i = 0; i < asked; i++)
        if (values[i].data != NULL && !skipped[i])
            (*pairs)[(*count)++] = (struct kv_pair){keys[i], values[i]};

out:
    return st;
}

static uint32_t batch_rows(const struct scan_op *scan)
{
    uint32_t capacity = scan->op.run->capacity;
    uint64_t hint = scan->op.node->scan.limit_hint;
    if (hint == 0 || scan->batches > 1 || hint > capacity) return capacity;
    return (uint32_t)hint;
}

static struct status next_spans(struct task *task, struct scan_op *scan, struct kv_read read,
    struct arena *arena, struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    const struct node_scan *node = &scan->op.node->scan;
    struct kv_batch batch = {0};
    const struct run *run = scan->op.run;
    *count = 0;
    if (run->parts != NULL)
        return kv_part_next(task, run->parts, run->part, run->capacity, &scan->visitor,
            arena, count);
    while (batch.count == 0) {
        if (!scan->scanning) {
            if (scan->next == scan->access.count) return st;
            uint32_t at = node->reverse ? scan->access.count - 1 - scan->next : scan->next;
            scan->next++;
            kv_scan_init(&scan->scan, scan->access.spans[at]);
            scan->scan.reverse = node->reverse;
            scan->scan.read = read;
            if (scan->visits) scan->scan.visitor = &scan->visitor;
            scan->scanning = true;
        }
        scan->scan.batch_rows = batch_rows(scan);
        scan->batches++;
        TRY(kv_scan_next(task, scan->op.run->txn, &scan->scan, arena, &batch));
        if (batch.count == 0) scan->scanning = false;
    }
    *pairs = batch.pairs;
    *count = batch.count;

out:
    return st;
}

// Replaces index entries by the rows of the primary index that they point to.
static struct status look_up(struct task *task, struct scan_op *scan, struct arena *arena,
    struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    struct op *op = &scan->op;
    const struct node_scan *node = &op->node->scan;
    struct kv_read read = scan_read(node->lock, node->wait);
    read.no_validate = node->no_validate;
    read.mark = op->run->mark;
    struct bytes *keys = arena_alloc(arena, *count * sizeof(struct bytes));
    struct bytes *values = arena_alloc(arena, *count * sizeof(struct bytes));
    bool *skipped = arena_alloc_zero(arena, *count * sizeof(bool));
    for (uint32_t i = 0; i < *count; i++) {
        TRY(row_decode(&node->lookup, (*pairs)[i].key, (*pairs)[i].value, arena,
            scan->index_columns, 0));
        for (uint32_t c = 0; c < node->lookup_count; c++)
            scan->lookup_row[node->lookup_slots[c]] = scan->index_columns[c][0];
        struct buffer key;
        buffer_init(&key, arena);
        TRY(row_key(node->primary, scan->lookup_row, &key, NULL));
        keys[i] = buffer_bytes(&key);
    }
    TRY(kv_get_many(
        task, op->run->txn, &read, keys, *count, arena, values, skipped));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (values[i].data != NULL && !skipped[i])
            (*pairs)[kept++] = (struct kv_pair){keys[i], values[i]};
    *count = kept;

out:
    return st;
}

// The next entries of the index, `arena` takes them. *count 0: the end.
static struct status next_entries(struct task *task, struct scan_op *scan, struct kv_read read,
    struct arena *arena, struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    if (!scan->op.node->scan.access.point)
        return next_spans(task, scan, read, arena, pairs, count);
    do {
        const uint32_t before = scan->next;
        TRY(next_points(task, scan, read, arena, pairs, count));
        if (*count == 0 && scan->next == before) return st;
    } while (*count == 0);

out:
    return st;
}

// By the size of the rows just read: what is read at once stays within AHEAD_BYTES or so.
static void adjust_ahead(struct scan_op *scan)
{
    const uint32_t capacity = scan->op.run->capacity;
    const uint32_t growth = scan->ahead_max > AHEAD_ROWS / AHEAD_GROWTH ? AHEAD_ROWS
                                                                       : scan->ahead_max * AHEAD_GROWTH;
    uint64_t size = 0;
    for (uint32_t i = 0; i < scan->ahead_count; i++)
        size += scan->ahead_pairs[i].key.size + scan->ahead_pairs[i].value.size;
    if (size == 0) return;
    const uint64_t fits = AHEAD_BYTES * (uint64_t)scan->ahead_count / size;
    scan->ahead_max = fits > growth ? growth : fits < capacity ? capacity : (uint32_t)fits;
}

static struct status fill_ahead(struct task *task, struct scan_op *scan, struct kv_read read)
{
    struct status st = STATUS_OK;
    uint32_t room = 0;
    arena_reset(&scan->ahead);
    scan->ahead_pairs = NULL;
    scan->ahead_count = scan->ahead_at = 0;
    if (scan->ahead_max == 0) scan->ahead_max = batch_rows(scan);
    while (scan->ahead_count < scan->ahead_max) {
        struct kv_pair *pairs = NULL;
        uint32_t count;
        TRY(next_entries(task, scan, read, &scan->ahead, &pairs, &count));
        if (count == 0) break;
        if (scan->ahead_count + count > room) {
            const uint32_t grown = (scan->ahead_count + count) * 2;
            scan->ahead_pairs = arena_grow(&scan->ahead, scan->ahead_pairs,
                room * sizeof(struct kv_pair), grown * sizeof(struct kv_pair));
            room = grown;
        }
        memcpy(scan->ahead_pairs + scan->ahead_count, pairs, count * sizeof *pairs);
        scan->ahead_count += count;
        TRY(arena_check(&scan->ahead));
    }
    if (scan->ahead_count == 0) return st;
    TRY(look_up(task, scan, &scan->ahead, &scan->ahead_pairs, &scan->ahead_count));
    adjust_ahead(scan);

out:
    return st;
}

// A batch of rows that have been looked up. *count 0: the end.
static struct status next_ahead(struct task *task, struct scan_op *scan, struct kv_read read,
    struct kv_pair **pairs, uint32_t *count)
{
    struct status st = STATUS_OK;
    *count = 0;
    while (scan->ahead_at == scan->ahead_count) {
        TRY(fill_ahead(task, scan, read));
        if (scan->ahead_pairs == NULL) return st; // Not one entry: the end.
    }
    const uint32_t left = scan->ahead_count - scan->ahead_at;
    *count = left < scan->op.run->capacity ? left : scan->op.run->capacity;
    *pairs = scan->ahead_pairs + scan->ahead_at;
    scan->ahead_at += *count;

out:
    return st;
}

// Decodes the rows, and leaves selected what passes the filter.
static struct status take_rows(
    struct task *task, struct scan_op *scan, const struct kv_pair *pairs, uint32_t count)
{
    struct status st = STATUS_OK;
    struct op *op = &scan->op;
    const struct node_scan *node = &op->node->scan;
    for (uint32_t i = 0; i < count && (!scan->visits || node->access.point); i++)
        TRY(row_decode(&node->decoder, pairs[i].key, pairs[i].value, &op->arena, op->out.columns, i));
    TRY(arena_check(&op->arena));
    op->out.count = count;
    op->out.selected = count;
    op->out.selection = NULL;
    if (scan->conditions.count > 0 && !node->access.point) {
        op->out.selection = scan->kept;
        op->out.selected = scan->kept_count;
    }
    if (scan->filter != NULL && op->out.selected > 0) {
        TRY(expr_run(task, scan->filter, &op->out, &op->arena));
        op->out.selection = expr_selection(scan->filter, &op->out.selected);
    }
out:
    return st;
}

// Whoever wrote them meanwhile has committed when the lock is there: the newest versions are what counts.
static struct status lock_selected(struct task *task, struct scan_op *scan, const struct kv_pair *pairs)
{
    struct status st = STATUS_OK;
    struct op *op = &scan->op;
    const struct kv_read read = scan_read(op->node->scan.selected_lock, LOCK_WAIT_BLOCK);
    const uint32_t count = op->out.selected;
    struct bytes *keys = arena_alloc(&op->arena, count * sizeof(struct bytes));
    struct bytes *values = arena_alloc(&op->arena, count * sizeof(struct bytes));
    struct kv_pair *locked = arena_alloc(&op->arena, count * sizeof(struct kv_pair));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = pairs[op->out.selection == NULL ? i : op->out.selection[i]].key;
    TRY(kv_get_many(task, op->run->txn, &read, keys, count, &op->arena, values, NULL));
    for (uint32_t i = 0; i < count; i++)
        if (values[i].data != NULL) locked[kept++] = (struct kv_pair){keys[i], values[i]};
    st = take_rows(task, scan, locked, kept);
out:
    return st;
}

static struct status scan_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct scan_op *scan = (struct scan_op *)op;
    const struct node_scan *node = &op->node->scan;
    // Rows that are to be locked are not looked up before they are asked for.
    const bool ahead = node->primary != NULL && scan->inverted == NULL &&
        node->lock == REL_LOCK_NONE && !scan->locks_selected && op->run->parts == NULL;
    struct kv_read read = node->primary == NULL ? scan_read(node->lock, node->wait)
                                                : (struct kv_read){0};
    read.no_validate = node->no_validate;
    read.mark = op->run->mark;
    *out = &op->out;
    op->out.selected = 0;
    while (op->out.selected == 0) {
        struct kv_pair *pairs = NULL;
        uint32_t count;
        arena_reset(&op->arena);
        scan->kept_count = 0;
        bool whole = scan->inverted != NULL && inverted_scan_is_whole(scan->inverted);
        struct kv_read rows = scan_read(node->lock, node->wait);
        rows.mark = op->run->mark;
        if (scan->inverted != NULL)
            TRY(inverted_scan_next(task, scan->inverted, whole ? rows : read, &op->arena,
                batch_rows(scan), &pairs, &count));
        else if (ahead) TRY(next_ahead(task, scan, read, &pairs, &count));
        else TRY(next_entries(task, scan, read, &op->arena, &pairs, &count));
        if (count == 0) return st;
        if (node->primary != NULL && !whole && !ahead)
            TRY(look_up(task, scan, &op->arena, &pairs, &count));
        TRY(task_yield_if_due(task));
        TRY(take_rows(task, scan, pairs, count));
        if (UNLIKELY(scan->locks_selected) && op->out.selected > 0) TRY(lock_selected(task, scan, pairs));
    }
    op->rows += op->out.selected;

out:
    return st;
}

void op_scan_spans(const struct op *op, const struct span **spans, uint32_t *count)
{
    const struct scan_op *scan = (const struct scan_op *)op;
    *spans = scan->access.spans;
    *count = scan->access.count;
}

const struct op_class op_scan_class = {
    sizeof(struct scan_op), scan_open, scan_rewind, scan_next, scan_close};

// --- virtual tables and sequences --------------------------------------------------------------------

struct virtual_op {
    struct op op;
    struct arena rows_arena;
    struct datum *values;
    uint64_t row_count, at;
    uint32_t width;
    bool filled;
    struct expr_state *filter;
};

static struct status virtual_open(struct task *task, struct op *op)
{
    struct virtual_op *scan = (struct virtual_op *)op;
    (void)task;
    arena_init(&scan->rows_arena, op->run->account);
    op_alloc_columns(op, op->node->layout.count);
    if (op->node->virtual_scan.filter != NULL)
        scan->filter = expr_state_new(
            op->run->arena, op->run, op->node->virtual_scan.filter, op->run->capacity);
    return STATUS_OK;
}

static struct status fill_sequence(struct task *task, struct virtual_op *scan)
{
    struct status st = STATUS_OK;
    int64_t last_value;
    bool is_called;
    scan->values = ARENA_ARRAY(&scan->rows_arena, struct datum, 3);
    TRY(sequence_peek(task, scan->op.run->session, scan->op.node->virtual_scan.table, &last_value,
        &is_called));
    scan->values[0] = datum_int(last_value);
    scan->values[1] = datum_int(0);
    scan->values[2] = datum_bool(is_called);
    scan->row_count = 1;

out:
    return st;
}

static struct status virtual_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct virtual_op *scan = (struct virtual_op *)op;
    const struct table_desc *table = op->node->virtual_scan.table;
    scan->at = 0;
    scan->width = table->column_count;
    if (scan->filter != NULL) expr_state_rewind(scan->filter);
    if (scan->filled) return st;
    if (op->node->kind == NODE_SEQUENCE)
        TRY(fill_sequence(task, scan));
    else
        TRY(virtual_table_collect(task, op->run->session, table, &scan->rows_arena, &scan->values,
            &scan->row_count));
    scan->filled = true;

out:
    return st;
}

static struct status virtual_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct virtual_op *scan = (struct virtual_op *)op;
    *out = &op->out;
    op->out.selected = 0;
    while (op->out.selected == 0 && scan->at < scan->row_count) {
        uint32_t count = 0;
        arena_reset(&op->arena);
        for (; count < op->run->capacity && scan->at < scan->row_count; count++, scan->at++)
            for (uint32_t c = 0; c < op->out.column_count; c++)
                op->out.columns[c][count] =
                    scan->values[scan->at * scan->width + op->node->virtual_scan.ordinals[c]];
        op->out.count = op->out.selected = count;
        op->out.selection = NULL;
        TRY(task_yield_if_due(task));
        if (scan->filter == NULL) continue;
        TRY(expr_run(task, scan->filter, &op->out, &op->arena));
        op->out.selection = expr_selection(scan->filter, &op->out.selected);
    }
    op->rows += op->out.selected;

out:
    return st;
}

static void virtual_close(struct op *op)
{
    arena_fini(&((struct virtual_op *)op)->rows_arena);
}

const struct op_class op_virtual_class = {
    sizeof(struct virtual_op), virtual_open, virtual_rewind, virtual_next, virtual_close};
