// SPDX-License-Identifier: GPL-3.0-or-later
//
// Window functions over an input sorted by partition and order: a partition's rows are kept, each
// function is computed for all of them, and they are given out with its values. A partition that there is no
// room for goes to the temporary file, with its peers' groups and the values.
#include "core/invariant.h"
#include "core/work.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"
#include "sql/exec/row_list.h"

#define EMIT_BYTES (1u << 20) // Of copied values in a batch.
#define YIELD_ROWS 255u // Looked at between two thoughts of others.

// Who reads rows of a partition, each at a place of its own.
enum reading { READ_ROW, READ_ADDED, READ_START, READ_END, READ_VALUE, READINGS };

// A partition in the temporary file.
struct big {
    struct row_list rows, groups, starts; // Per row its peers' group; per group its first row.
    struct row_list *values;              // Per call.
    struct row_list_reader row_readers[READINGS], group_reader, start_reader;
    struct row_list_reader *value_readers;
    struct arena last; // Of the aggregate's value in hand.
    struct arena out;  // Of the rows given out.
    type_oid *value_types;
    uint64_t at;       // Next row to give out.
};

struct window_op {
    struct op op;
    struct expr_state *state, *offsets;
    struct row_store store;   // Kept columns, then the calls' values.
    struct arena scratch;     // Of the partition in hand.
    struct arena states;      // Of the aggregate in hand.
    struct batch *in;
    uint32_t in_at;
    bool ended;
    uint64_t at;              // Next row to give out.
    // The partition in hand: rows [first, first + count) of the store; or `big` ones.
    uint64_t first, count;
    struct datum **rows;
    uint64_t *group;          // Per row, the number of its peers' group.
    uint64_t *group_start;    // Per group and one more: its first row.
    uint64_t group_count;
    struct function_call *calls;
    struct datum *args;
    struct datum *offset_values; // Outputs of the program of the frames' offsets.
    struct big big;
    bool is_big;              // From when there is no room until the partition has been given out.
};

// The row is valid until the same reading asks for another one.
static inline struct status row_at(struct task *task, struct window_op *w, enum reading reading,
    uint64_t i, struct datum **row)
{
    if (UNLIKELY(w->is_big)) return row_list_get(task, &w->big.row_readers[reading], i, row);
    *row = w->rows[i];
    return STATUS_OK;
}

static struct status read_number(
    struct task *task, struct row_list_reader *reader, uint64_t i, uint64_t *number)
{
    struct datum *row;
    struct status st = row_list_get(task, reader, i, &row);
    if (!failed(st)) *number = (uint64_t)row[0].integer;
    return st;
}

static inline struct status group_of(
    struct task *task, struct window_op *w, uint64_t i, uint64_t *group)
{
    if (UNLIKELY(w->is_big)) return read_number(task, &w->big.group_reader, i, group);
    *group = w->group[i];
    return STATUS_OK;
}

static inline struct status start_of(
    struct task *task, struct window_op *w, uint64_t group, uint64_t *start)
{
    if (UNLIKELY(w->is_big)) return read_number(task, &w->big.start_reader, group, start);
    *start = w->group_start[group];
    return STATUS_OK;
}

static struct status no_memory(void)
{
    return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: window functions");
}

// --- reading partitions ------------------------------------------------------------------------------

static const type_oid number_type[1] = {TYPE_INT8};

static void big_open(struct window_op *w)
{
    const struct node_window *node = &w->op.node->window;
    struct big *big = &w->big;
    struct op *op = &w->op;
    struct arena *arena = op->run->arena;
    struct spill *spill = &op->run->spill;
    uint64_t *counter = &op->spilled_bytes;
    row_list_init(&big->rows, &op->memory, node->kept_types, node->kept_count, spill, counter);
    row_list_init(&big->groups, &op->memory, number_type, 1, spill, counter);
    row_list_init(&big->starts, &op->memory, number_type, 1, spill, counter);
    for (uint32_t i = 0; i < READINGS; i++)
        row_list_reader_init(&big->row_readers[i], &big->rows, &op->memory);
    row_list_reader_init(&big->group_reader, &big->groups, &op->memory);
    row_list_reader_init(&big->start_reader, &big->starts, &op->memory);
    big->values = ARENA_ARRAY(arena, struct row_list, node->call_count);
    big->value_readers = ARENA_ARRAY(arena, struct row_list_reader, node->call_count);
    big->value_types = ARENA_ARRAY(arena, type_oid, node->call_count);
    for (uint32_t i = 0; i < node->call_count; i++) {
        big->value_types[i] = node->calls[i].type.oid;
        row_list_init(
            &big->values[i], &op->memory, &big->value_types[i], 1, spill, counter);
        row_list_reader_init(&big->value_readers[i], &big->values[i], &op->memory);
    }
    arena_init(&big->last, &op->memory);
    arena_init(&big->out, &op->memory);
}

static void big_close(struct window_op *w)
{
    struct big *big = &w->big;
    for (uint32_t i = 0; i < READINGS; i++) row_list_reader_fini(&big->row_readers[i]);
    row_list_reader_fini(&big->group_reader);
    row_list_reader_fini(&big->start_reader);
    for (uint32_t i = 0; i < w->op.node->window.call_count; i++) {
        row_list_reader_fini(&big->value_readers[i]);
        row_list_fini(&big->values[i]);
    }
    row_list_fini(&big->rows);
    row_list_fini(&big->groups);
    row_list_fini(&big->starts);
    arena_fini(&big->last);
    arena_fini(&big->out);
}

static void big_end(struct window_op *w)
{
    struct big *big = &w->big;
    if (!w->is_big) return;
    w->is_big = false;
    row_list_reset(&big->rows);
    row_list_reset(&big->groups);
    row_list_reset(&big->starts);
    for (uint32_t i = 0; i < w->op.node->window.call_count; i++) row_list_reset(&big->values[i]);
}

static struct status window_open(struct task *task, struct op *op)
{
    struct window_op *w = (struct window_op *)op;
    const struct node_window *node = &op->node->window;
    struct run *run = op->run;
    uint32_t args_max = 1;
    (void)task;
    w->state = expr_state_new(run->arena, run, node->program, run->capacity);
    if (node->offsets != NULL) {
        w->offsets = expr_state_new(run->arena, run, node->offsets, 1);
        w->offset_values =
            ARENA_ARRAY(run->arena, struct datum, expr_output_count(node->offsets));
    }
    row_store_init(&w->store, &op->memory, node->kept_types, node->kept_count + node->call_count);
    arena_init(&w->scratch, &op->memory);
    arena_init(&w->states, &op->memory);
    big_open(w);
    op_alloc_columns(op, op->node->layout.count);
    w->calls = ARENA_ARRAY(run->arena, struct function_call, node->call_count);
    for (uint32_t i = 0; i < node->call_count; i++) {
        const struct node_window_call *call = &node->calls[i];
        w->calls[i] = (struct function_call){.session = run->session,
            .arena = &w->states,
            .context = &run->session->types,
            .arg_types = call->arg_types,
            .arg_count = call->arg_count,
            .result_type = call->type,
            .state_arena = run->arena};
        if (call->arg_count > args_max) args_max = call->arg_count;
    }
    w->args = ARENA_ARRAY(run->arena, struct datum, args_max);
    return STATUS_OK;
}

static struct status offset_not_null(struct window_op *w, uint32_t output, const char *which)
{
    if (output == UINT32_MAX || !w->offset_values[output].null) return STATUS_OK;
    return status_format(
        w->op.run->arena, E_NULL_VALUE_NOT_ALLOWED, "frame %s offset must not be null", which);
}

// Those of RANGE are looked at where a row's key is compared with another: range_bound().
static struct status offset_not_negative(
    struct window_op *w, const struct node_frame *frame, uint32_t output, const char *which)
{
    if (output == UINT32_MAX || frame->mode == FRAME_RANGE || w->offset_values[output].integer >= 0)
        return STATUS_OK;
    return status_format(w->op.run->arena, E_INVALID_PRECEDING_OR_FOLLOWING,
        "frame %s offset must not be negative", which);
}

static struct status check_offsets(struct window_op *w)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    for (uint32_t i = 0; i < node->call_count; i++) {
        const struct node_frame *frame = &node->calls[i].frame;
        TRY(offset_not_null(w, frame->start_offset, "starting"));
        TRY(offset_not_negative(w, frame, frame->start_offset, "starting"));
        TRY(offset_not_null(w, frame->end_offset, "ending"));
        TRY(offset_not_negative(w, frame, frame->end_offset, "ending"));
    }

out:
    return st;
}

static struct status window_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct window_op *w = (struct window_op *)op;
    const struct node_window *node = &op->node->window;
    struct batch one = {.count = 1, .selected = 1};
    row_store_reset(&w->store);
    big_end(w);
    w->in = NULL;
    w->in_at = 0;
    w->ended = false;
    w->at = 0;
    expr_state_rewind(w->state);
    if (w->offsets != NULL) {
        expr_state_rewind(w->offsets);
        TRY(expr_run(task, w->offsets, &one, &w->scratch));
        for (uint32_t i = 0; i < expr_output_count(node->offsets); i++)
            w->offset_values[i] = expr_column(w->offsets, i)[0];
        TRY(check_offsets(w));
    }
    TRY(op_rewind(task, op->left));

out:
    return st;
}

static void window_close(struct op *op)
{
    struct window_op *w = (struct window_op *)op;
    big_close(w);
    row_store_fini(&w->store);
    arena_fini(&w->scratch);
    arena_fini(&w->states);
}

static bool same_value(type_oid type, struct datum a, struct datum b)
{
    if (a.null || b.null) return a.null && b.null;
    return type_equal(type, a, b);
}

static bool same_partition(const struct window_op *w, const struct datum *row, uint32_t at)
{
    const struct node_window *node = &w->op.node->window;
    for (uint32_t k = 0; k < node->partition_count; k++) {
        const struct node_sort_key *key = &node->keys[k];
        if (!same_value(key->type, row[key->column], w->in->columns[key->column][at]))
            return false;
    }
    return true;
}

static struct datum kept_value(const struct window_op *w, uint32_t column, uint32_t at)
{
    const uint32_t pass = w->op.node->window.pass_count;
    return column < pass ? w->in->columns[column][at] : expr_column(w->state, column - pass)[at];
}

static struct status add_row(struct task *task, struct window_op *w, uint32_t at)
{
    const struct node_window *node = &w->op.node->window;
    if (UNLIKELY(w->is_big)) {
        struct datum *values = ARENA_ARRAY(&w->scratch, struct datum, node->kept_count);
        for (uint32_t c = 0; c < node->kept_count; c++) values[c] = kept_value(w, c, at);
        struct status st = row_list_add_row(task, &w->big.rows, values);
        arena_reset(&w->scratch);
        return st;
    }
    struct datum *row = row_store_new(&w->store);
    for (uint32_t c = 0; c < node->kept_count; c++)
        row_store_set(&w->store, row, c, kept_value(w, c, at));
    return row_store_work(task, &w->store);
}

// The partition's rows so far go to the file, and those to come behind them.
static struct status become_big(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    struct big *big = &w->big;
    row_list_spill(&big->rows);
    row_list_spill(&big->groups);
    row_list_spill(&big->starts);
    for (uint32_t i = 0; i < w->op.node->window.call_count; i++) row_list_spill(&big->values[i]);
    for (uint64_t i = w->first; i < w->store.count; i++) {
        TRY(row_list_add_row(task, &big->rows, w->store.rows[i]));
        if ((i & YIELD_ROWS) == YIELD_ROWS) TRY(task_yield_if_due(task));
    }
    w->store.count = w->first;
    if (w->first == 0) row_store_reset(&w->store);
    w->is_big = true;
    big->at = 0;

out:
    return st;
}

// Its peers' groups take two numbers a row, its values a datum a call.
static bool no_room(const struct window_op *w)
{
    const uint64_t count = w->store.count - w->first;
    const uint64_t more = count * 2 * sizeof(uint64_t) + w->store.count * sizeof(struct datum *);
    return !w->is_big && count > 0 && run_spills(w->op.run, &w->op.memory, more);
}

static struct status next_input(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    struct op *op = &w->op;
    TRY(op_next(task, op->left, &w->in));
    w->in_at = 0;
    w->ended = w->in->selected == 0;
    if (w->ended) return st;
    arena_reset(&op->arena);
    TRY(expr_run(task, w->state, w->in, &op->arena));
    if (no_room(w)) TRY(become_big(task, w));
    TRY(arena_check(&w->store.arena));
    TRY(task_yield_if_due(task));

out:
    return st;
}

// Adds the next partition's rows to the store.
static struct status read_partition(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    w->first = w->store.count;
    arena_reset(&w->scratch);
    while (!w->ended) {
        if (w->in == NULL || w->in_at == w->in->selected) {
            TRY(next_input(task, w));
            if (w->ended) break;
        }
        uint32_t at = batch_row(w->in, w->in_at);
        const uint64_t count = w->is_big ? w->big.rows.count : w->store.count - w->first;
        struct datum *first = NULL;
        w->rows = w->store.rows + w->first;
        if (count > 0) TRY(row_at(task, w, READ_VALUE, 0, &first));
        if (first != NULL && !same_partition(w, first, at)) break;
        TRY(add_row(task, w, at));
        w->in_at++;
    }
    w->count = w->is_big ? w->big.rows.count : w->store.count - w->first;
    w->rows = w->store.rows + w->first;

out:
    return st;
}

static bool are_peers(const struct node_window *node, const struct datum *a, const struct datum *b)
{
    for (uint32_t k = node->partition_count; k < node->key_count; k++) {
        const struct node_sort_key *key = &node->keys[k];
        if (!same_value(key->type, a[key->column], b[key->column])) return false;
    }
    return true;
}

static struct status find_big_groups(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    w->group_count = 0;
    for (uint64_t i = 0; i < w->count; i++) {
        struct datum *row, *before, number = datum_int((int64_t)i);
        bool first = i == 0;
        TRY(row_at(task, w, READ_ROW, i, &row));
        if (i > 0) {
            TRY(row_at(task, w, READ_VALUE, i - 1, &before));
            first = !are_peers(node, before, row);
        }
        if (first) TRY(row_list_add_row(task, &w->big.starts, &number));
        w->group_count += first;
        number = datum_int((int64_t)w->group_count - 1);
        TRY(row_list_add_row(task, &w->big.groups, &number));
        if ((i & YIELD_ROWS) == YIELD_ROWS) TRY(task_yield_if_due(task));
    }
    struct datum end = datum_int((int64_t)w->count);
    TRY(row_list_add_row(task, &w->big.starts, &end));

out:
    return st;
}

static struct status find_groups(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    arena_reset(&w->scratch);
    if (w->is_big) return find_big_groups(task, w);
    w->group = arena_try_alloc(&w->scratch, w->count * sizeof(uint64_t));
    w->group_start = arena_try_alloc(&w->scratch, (w->count + 1) * sizeof(uint64_t));
    if (w->group == NULL || w->group_start == NULL) return no_memory();
    w->group_count = 0;
    for (uint64_t i = 0; i < w->count; i++) {
        if (i == 0 || !are_peers(node, w->rows[i - 1], w->rows[i]))
            w->group_start[w->group_count++] = i;
        w->group[i] = w->group_count - 1;
        if ((i & YIELD_ROWS) == YIELD_ROWS) TRY(task_yield_if_due(task));
    }
    w->group_start[w->group_count] = w->count;

out:
    return st;
}

// --- frames ------------------------------------------------------------------------------------------

// Where the frame of row after row stands, before what is excluded: [start, end).
struct frame_walk {
    const struct node_frame *frame;
    uint64_t start, end;
    int64_t start_offset, end_offset;
};

static int64_t offset_of(const struct window_op *w, uint32_t output)
{
    return output == UINT32_MAX ? 0 : w->offset_values[output].integer;
}

static struct frame_walk frame_begin(const struct window_op *w, const struct node_frame *frame)
{
    struct frame_walk walk = {.frame = frame};
    if (frame->mode == FRAME_RANGE) return walk;
    walk.start_offset = offset_of(w, frame->start_offset);
    walk.end_offset = offset_of(w, frame->end_offset);
    return walk;
}

// at + offset, kept within [0, count].
static uint64_t moved(uint64_t at, int64_t offset, uint64_t count)
{
    if (offset < 0) return (uint64_t)-offset > at ? 0 : at - (uint64_t)-offset;
    return (uint64_t)offset > count - at ? count : at + (uint64_t)offset;
}

static int64_t signed_offset(enum frame_bound bound, int64_t offset)
{
    if (bound == FRAME_CURRENT_ROW) return 0;
    return bound == FRAME_OFFSET_PRECEDING ? -offset : offset;
}

// Whether `row` comes before the rows that a frame may start with (or, `past`, before its end).
static bool is_before(const struct node_sort_key *order, type_oid type, struct datum key,
    struct datum value, bool past)
{
    if (key.null || value.null) {
        if (key.null && value.null) return past;
        return key.null ? order->nulls_first : !order->nulls_first;
    }
    int compare = type_compare(type, key, value);
    if (order->descending) compare = -compare;
    return past ? compare <= 0 : compare < 0;
}

static struct status range_bound(
    struct task *task, struct window_op *w, struct frame_walk *walk, uint64_t i, bool end, uint64_t *bound)
{
    struct status st = STATUS_OK;
    const struct node_frame *frame = walk->frame;
    const struct node_window *node = &w->op.node->window;
    uint64_t at = end ? walk->end : walk->start;
    uint32_t key = end ? frame->end_key : frame->start_key;
    uint32_t value = end ? frame->end_value : frame->start_value;
    const struct node_sort_key *order = &node->keys[node->key_count - 1];
    type_oid type = end ? frame->end_type : frame->start_type;
    struct datum *row, *other;
    TRY(row_at(task, w, READ_ROW, i, &row));
    const bool negative = w->offset_values[end ? frame->end_offset : frame->start_offset].boolean;
    for (; at < w->count; at++) {
        TRY(row_at(task, w, end ? READ_END : READ_START, at, &other));
        if (negative && !row[value].null && !other[key].null)
            return status_make(E_INVALID_PRECEDING_OR_FOLLOWING,
                "invalid preceding or following size in window function");
        if (!is_before(order, type, other[key], row[value], end)) break;
    }
    *bound = at;

out:
    return st;
}

static struct status frame_bound_at(
    struct task *task, struct window_op *w, struct frame_walk *walk, uint64_t i, bool end, uint64_t *at)
{
    struct status st = STATUS_OK;
    const struct node_frame *frame = walk->frame;
    enum frame_bound bound = end ? frame->end : frame->start;
    int64_t offset = end ? walk->end_offset : walk->start_offset;
    uint64_t group;
    *at = 0;
    if (bound == FRAME_UNBOUNDED_PRECEDING) return st;
    *at = w->count;
    if (bound == FRAME_UNBOUNDED_FOLLOWING) return st;
    if (frame->mode == FRAME_ROWS) {
        offset = signed_offset(bound, offset);
        // One past the row that it names; that may lie before the first.
        if (!end) *at = moved(i, offset, w->count);
        else if (offset < 0) *at = moved(i + 1, offset, w->count);
        else *at = moved(i, offset == INT64_MAX ? offset : offset + 1, w->count);
        return st;
    }
    if (frame->mode == FRAME_RANGE && bound != FRAME_CURRENT_ROW)
        return range_bound(task, w, walk, i, end, at);
    TRY(group_of(task, w, i, &group));
    if (frame->mode == FRAME_RANGE) return start_of(task, w, end ? group + 1 : group, at);
    offset = signed_offset(bound, offset);
    if (!end) group = moved(group, offset, w->group_count);
    else if (offset < 0) group = moved(group + 1, offset, w->group_count);
    else group = moved(group, offset == INT64_MAX ? offset : offset + 1, w->group_count);
    TRY(start_of(task, w, group, at));

out:
    return st;
}

// Rows must be asked for in turn.
static struct status frame_next(
    struct task *task, struct window_op *w, struct frame_walk *walk, uint64_t i)
{
    struct status st = STATUS_OK;
    uint64_t start, end;
    TRY(frame_bound_at(task, w, walk, i, false, &start));
    TRY(frame_bound_at(task, w, walk, i, true, &end));
    walk->start = start;
    walk->end = end;

out:
    return st;
}

struct part { // [start, end) of a frame
    uint64_t start, end;
};

static void add_part(
    const struct frame_walk *walk, uint64_t start, uint64_t end, struct part *parts, uint32_t *count)
{
    if (start < walk->start) start = walk->start;
    if (end > walk->end) end = walk->end;
    if (start < end) parts[(*count)++] = (struct part){start, end};
}

// What is left of row i's frame after the exclusion, in order.
static struct status frame_parts(struct task *task, struct window_op *w,
    const struct frame_walk *walk, uint64_t i, struct part parts[3], uint32_t *count)
{
    struct status st = STATUS_OK;
    uint64_t group, first = 0, end = 0;
    *count = 0;
    switch (walk->frame->exclusion) {
    case EXCLUDE_NO_OTHERS: add_part(walk, walk->start, walk->end, parts, count); break;
    case EXCLUDE_CURRENT_ROW:
        add_part(walk, walk->start, i, parts, count);
        add_part(walk, i + 1, walk->end, parts, count);
        break;
    case EXCLUDE_GROUP:
    case EXCLUDE_TIES:
        TRY(group_of(task, w, i, &group));
        TRY(start_of(task, w, group, &first));
        TRY(start_of(task, w, group + 1, &end));
        add_part(walk, walk->start, first, parts, count);
        if (walk->frame->exclusion == EXCLUDE_TIES) add_part(walk, i, i + 1, parts, count);
        add_part(walk, end, walk->end, parts, count);
        break;
    }

out:
    return st;
}

// --- aggregates --------------------------------------------------------------------------------------

struct running {
    uint32_t call;
    uint8_t *state;
    uint64_t start, end; // Rows that the state has seen.
};

static void state_restart(struct window_op *w, struct running *running, uint64_t start)
{
    const struct aggregate_ops *ops =
        w->op.node->window.calls[running->call].function->aggregate;
    arena_reset(&w->states);
    running->state = arena_alloc_aligned(&w->states, ops->state_bytes + 16, 16);
    memset(running->state, 0, ops->state_bytes);
    if (ops->init != NULL) ops->init(running->state);
    running->start = running->end = start;
}

static struct status state_add(
    struct task *task, struct window_op *w, struct running *running, uint64_t start, uint64_t end)
{
    struct status st = STATUS_OK;
    const struct node_window_call *call = &w->op.node->window.calls[running->call];
    const struct aggregate_ops *ops = call->function->aggregate;
    w->calls[running->call].task = task;
    for (uint64_t i = start; i < end; i++) {
        struct datum *row;
        TRY(row_at(task, w, READ_ADDED, i, &row));
        bool taken = call->filter == UINT32_MAX ||
                     (!row[call->filter].null && row[call->filter].boolean);
        for (uint32_t a = 0; a < call->arg_count; a++) {
            w->args[a] = row[call->args[a]];
            taken &= ops->takes_null || !w->args[a].null;
        }
        if (taken) TRY(ops->step(&w->calls[running->call], running->state, w->args));
        if ((i & YIELD_ROWS) == YIELD_ROWS) {
            TRY(arena_check(&w->states));
            TRY(task_yield_if_due(task));
        }
    }
    running->end = end;

out:
    return st;
}

static struct status state_value(
    struct task *task, struct window_op *w, struct running *running, struct datum *result)
{
    struct status st = STATUS_OK;
    const struct node_window_call *call = &w->op.node->window.calls[running->call];
    *result = (struct datum){0};
    w->calls[running->call].task = task;
    TRY(call->function->aggregate->final(&w->calls[running->call], running->state, result));
    // It may point into the state, which goes on.
    struct arena *arena = w->is_big ? &w->big.last : &w->store.arena;
    if (w->is_big) arena_reset(arena);
    if (!result->null && !type_is_by_value(call->type.oid))
        result->data = task_copy(arena, datum_as_bytes(*result)).data;

out:
    return st;
}

static bool same_frame(const struct part *a, uint32_t a_count, const struct part *b, uint32_t b_count)
{
    if (a_count != b_count) return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (a[i].start != b[i].start || a[i].end != b[i].end) return false;
    return true;
}

static struct status put_value(
    struct task *task, struct window_op *w, uint32_t call, uint64_t i, struct datum value)
{
    if (UNLIKELY(w->is_big)) return row_list_add_row(task, &w->big.values[call], &value);
    w->rows[i][w->op.node->window.kept_count + call] = value;
    return STATUS_OK;
}

static struct status compute_aggregate(struct task *task, struct window_op *w, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    struct frame_walk walk = frame_begin(w, &node->calls[at].frame);
    struct running running = {.call = at};
    struct part parts[3], before[3] = {{0}};
    struct datum value = DATUM_NULL;
    uint32_t before_count = 0;
    for (uint64_t i = 0; i < w->count; i++) {
        uint32_t count;
        TRY(frame_next(task, w, &walk, i));
        TRY(frame_parts(task, w, &walk, i, parts, &count));
        if (i == 0 || !same_frame(parts, count, before, before_count)) {
            bool goes_on = running.state != NULL && count == 1 &&
                           before_count == 1 && parts[0].start == running.start &&
                           parts[0].end >= running.end;
            if (!goes_on) state_restart(w, &running, count == 0 ? 0 : parts[0].start);
            if (goes_on) parts[0].start = running.end;
            for (uint32_t p = 0; p < count; p++)
                TRY(state_add(task, w, &running, parts[p].start, parts[p].end));
            if (goes_on) parts[0].start = running.start;
            TRY(state_value(task, w, &running, &value));
        }
        TRY(put_value(task, w, at, i, value));
        memcpy(before, parts, sizeof before);
        before_count = count;
        if ((i & YIELD_ROWS) == YIELD_ROWS) {
            TRY(arena_check(&w->store.arena));
            TRY(task_yield_if_due(task));
        }
    }

out:
    return st;
}

// --- window functions --------------------------------------------------------------------------------

static struct status ntile_value(struct task *task, struct window_op *w,
    const struct node_window_call *call, uint64_t i, struct datum *result)
{
    struct status st = STATUS_OK;
    struct datum *first;
    *result = DATUM_NULL;
    // As PostgreSQL does, the first row of the partition decides.
    TRY(row_at(task, w, READ_VALUE, 0, &first));
    struct datum buckets = first[call->args[0]];
    if (buckets.null) return st;
    if (buckets.integer <= 0)
        return status_make(E_INVALID_ARGUMENT_FOR_NTILE,
            "argument of ntile must be greater than zero");
    uint64_t count = (uint64_t)buckets.integer;
    uint64_t size = w->count / count, larger = w->count % count;
    uint64_t boundary = larger * (size + 1);
    uint64_t bucket = i < boundary ? i / (size + 1) : larger + (i - boundary) / size;
    *result = datum_int((int64_t)bucket + 1);

out:
    return st;
}

static struct status shifted_value(struct task *task, struct window_op *w,
    const struct node_window_call *call, uint64_t i, struct datum *result)
{
    struct status st = STATUS_OK;
    struct datum *row, *other;
    int64_t offset = 1;
    *result = DATUM_NULL;
    TRY(row_at(task, w, READ_ROW, i, &row));
    if (call->arg_count > 1) {
        if (row[call->args[1]].null) return st;
        offset = row[call->args[1]].integer;
    }
    int64_t target =
        (int64_t)i + (call->function->window == WINDOW_LAG ? -offset : offset);
    if (target >= 0 && (uint64_t)target < w->count) {
        TRY(row_at(task, w, READ_VALUE, (uint64_t)target, &other));
        *result = other[call->args[0]];
    } else if (call->arg_count > 2) {
        *result = row[call->args[2]];
    }

out:
    return st;
}

static struct status frame_value(struct task *task, struct window_op *w,
    const struct node_window_call *call, const struct frame_walk *walk, uint64_t i,
    struct datum *result)
{
    struct status st = STATUS_OK;
    struct part parts[3];
    struct datum *row;
    uint32_t count;
    uint64_t n = 0;
    *result = DATUM_NULL;
    TRY(frame_parts(task, w, walk, i, parts, &count));
    if (call->function->window == WINDOW_NTH_VALUE) {
        TRY(row_at(task, w, READ_ROW, i, &row));
        struct datum nth = row[call->args[1]];
        if (nth.null) return st;
        if (nth.integer <= 0)
            return status_make(E_INVALID_ARGUMENT_FOR_NTH_VALUE,
                "argument of nth_value must be greater than zero");
        n = (uint64_t)nth.integer - 1;
    } else if (call->function->window == WINDOW_LAST_VALUE) {
        if (count == 0) return st;
        TRY(row_at(task, w, READ_VALUE, parts[count - 1].end - 1, &row));
        *result = row[call->args[0]];
        return st;
    }
    for (uint32_t p = 0; p < count; p++) {
        uint64_t size = parts[p].end - parts[p].start;
        if (n < size) {
            TRY(row_at(task, w, READ_VALUE, parts[p].start + n, &row));
            *result = row[call->args[0]];
            return st;
        }
        n -= size;
    }

out:
    return st;
}

// What the rank of a row rests on: the first row of its group, and the first after it.
static struct status rank_value(
    struct task *task, struct window_op *w, enum window_function kind, uint64_t i, struct datum *result)
{
    struct status st = STATUS_OK;
    uint64_t group, first = 0, end = 0;
    TRY(group_of(task, w, i, &group));
    if (kind == WINDOW_RANK || kind == WINDOW_PERCENT_RANK)
        TRY(start_of(task, w, group, &first));
    if (kind == WINDOW_CUME_DIST) TRY(start_of(task, w, group + 1, &end));
    if (kind == WINDOW_RANK) *result = datum_int((int64_t)first + 1);
    else if (kind == WINDOW_DENSE_RANK) *result = datum_int((int64_t)group + 1);
    else if (kind == WINDOW_CUME_DIST) *result = datum_real((double)end / (double)w->count);
    else *result = datum_real(w->count > 1 ? (double)first / (double)(w->count - 1) : 0);

out:
    return st;
}

static struct status function_value(struct task *task, struct window_op *w,
    const struct node_window_call *call, struct frame_walk *walk, uint64_t i, struct datum *result)
{
    struct status st = STATUS_OK;
    switch (call->function->window) {
    case WINDOW_ROW_NUMBER: *result = datum_int((int64_t)i + 1); break;
    case WINDOW_RANK:
    case WINDOW_DENSE_RANK:
    case WINDOW_PERCENT_RANK:
    case WINDOW_CUME_DIST: return rank_value(task, w, call->function->window, i, result);
    case WINDOW_NTILE: return ntile_value(task, w, call, i, result);
    case WINDOW_LAG:
    case WINDOW_LEAD: return shifted_value(task, w, call, i, result);
    case WINDOW_FIRST_VALUE:
    case WINDOW_LAST_VALUE:
    case WINDOW_NTH_VALUE:
        TRY(frame_next(task, w, walk, i));
        return frame_value(task, w, call, walk, i, result);
    case WINDOW_NONE: return status_make(E_INTERNAL, "not a window function");
    }

out:
    return st;
}

static struct status compute_function(struct task *task, struct window_op *w, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct node_window_call *call = &w->op.node->window.calls[at];
    struct frame_walk walk = frame_begin(w, &call->frame);
    for (uint64_t i = 0; i < w->count; i++) {
        struct datum value;
        TRY(function_value(task, w, call, &walk, i, &value));
        TRY(put_value(task, w, at, i, value));
        if ((i & YIELD_ROWS) == YIELD_ROWS) TRY(task_yield_if_due(task));
    }

out:
    return st;
}

// --- giving out --------------------------------------------------------------------------------------

// Whole partitions, until they make a batch.
static struct status window_fill(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    row_store_reset(&w->store);
    big_end(w);
    w->at = 0;
    do {
        TRY(read_partition(task, w));
        if (w->count == 0) break;
        TRY(find_groups(task, w));
        for (uint32_t i = 0; i < node->call_count; i++)
            TRY(node->calls[i].function->kind == FUNCTION_AGGREGATE
                    ? compute_aggregate(task, w, i)
                    : compute_function(task, w, i));
    } while (w->store.count < w->op.run->capacity && !w->is_big);
    arena_reset(&w->states);

out:
    return st;
}

static struct status big_emit(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    struct op *op = &w->op;
    struct big *big = &w->big;
    uint32_t count = 0;
    uint64_t bytes = 0;
    arena_reset(&big->out);
    for (; count < op->run->capacity && bytes < EMIT_BYTES && big->at < w->count;
         count++, big->at++) {
        struct datum *row, *value;
        TRY(row_at(task, w, READ_ROW, big->at, &row));
        for (uint32_t c = 0; c < node->pass_count + node->call_count; c++) {
            const uint32_t call = c - node->pass_count;
            type_oid type = c < node->pass_count ? node->kept_types[c] : big->value_types[call];
            if (c >= node->pass_count)
                TRY(row_list_get(task, &big->value_readers[call], big->at, &value));
            struct datum datum = c < node->pass_count ? row[c] : value[0];
            if (!datum.null && !type_is_by_value(type)) {
                bytes += datum.size;
                datum.data = task_copy(&big->out, datum_as_bytes(datum)).data;
            }
            op->out.columns[c][count] = datum;
        }
    }
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    op->rows += count;
    TRY(arena_check(&big->out));

out:
    return st;
}

static struct status window_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct window_op *w = (struct window_op *)op;
    const struct node_window *node = &op->node->window;
    uint32_t count = 0;
    *out = &op->out;
    op->out.selected = 0;
    if (w->at == w->store.count && (!w->is_big || w->big.at == w->count))
        TRY(window_fill(task, w));
    if (w->at == w->store.count && w->is_big) return big_emit(task, w);
    for (; count < op->run->capacity && w->at < w->store.count; count++, w->at++) {
        const struct datum *row = w->store.rows[w->at];
        for (uint32_t c = 0; c < node->pass_count; c++) op->out.columns[c][count] = row[c];
        for (uint32_t i = 0; i < node->call_count; i++)
            op->out.columns[node->pass_count + i][count] = row[node->kept_count + i];
    }
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    op->rows += count;

out:
    return st;
}

const struct op_class op_window_class = {
    sizeof(struct window_op), window_open, window_rewind, window_next, window_close};
