// SPDX-License-Identifier: GPL-3.0-or-later
//
// Window functions over an input sorted by partition and order: a partition's rows are kept, each
// function is computed for all of them, and they are given out with its values.
#include "core/invariant.h"
#include "sql/op.h"
#include "sql/op_classes.h"

#define YIELD_ROWS 255u // Looked at between two thoughts of others.

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
    // The partition in hand: rows [first, first + count) of the store.
    uint64_t first, count;
    struct datum **rows;
    uint64_t *group;          // Per row, the number of its peers' group.
    uint64_t *group_start;    // Per group and one more: its first row.
    uint64_t group_count;
    struct function_call *calls;
    struct datum *args;
    struct datum *offset_values; // Outputs of the program of the frames' offsets.
};

static struct status no_memory(void)
{
    return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: window functions");
}

// --- reading partitions ------------------------------------------------------------------------------

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
    row_store_init(&w->store, run->account, node->kept_types, node->kept_count + node->call_count);
    arena_init(&w->scratch, run->account);
    arena_init(&w->states, run->account);
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

static bool is_negative(const struct node_frame *frame, struct datum offset)
{
    return frame->mode == FRAME_RANGE ? offset.boolean : offset.integer < 0;
}

static struct status check_offset(struct window_op *w, const struct node_frame *frame,
    uint32_t output, const char *which)
{
    if (output == UINT32_MAX) return STATUS_OK;
    struct datum offset = w->offset_values[output];
    if (offset.null)
        return status_format(w->op.run->arena, E_NULL_VALUE_NOT_ALLOWED,
            "frame %s offset must not be null", which);
    if (!is_negative(frame, offset)) return STATUS_OK;
    if (frame->mode == FRAME_RANGE)
        return status_make(E_INVALID_PRECEDING_OR_FOLLOWING,
            "invalid preceding or following size in window function");
    return status_format(w->op.run->arena, E_INVALID_PRECEDING_OR_FOLLOWING,
        "frame %s offset must not be negative", which);
}

static struct status window_rewind(struct task *task, struct op *op)
{
    struct status st = STATUS_OK;
    struct window_op *w = (struct window_op *)op;
    const struct node_window *node = &op->node->window;
    struct batch one = {.count = 1, .selected = 1};
    row_store_reset(&w->store);
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
    }
    for (uint32_t i = 0; i < node->call_count && w->offsets != NULL; i++) {
        const struct node_frame *frame = &node->calls[i].frame;
        TRY(check_offset(w, frame, frame->start_offset, "starting"));
        TRY(check_offset(w, frame, frame->end_offset, "ending"));
    }
    TRY(op_rewind(task, op->left));

out:
    return st;
}

static void window_close(struct op *op)
{
    struct window_op *w = (struct window_op *)op;
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

static void add_row(struct window_op *w, uint32_t at)
{
    const struct node_window *node = &w->op.node->window;
    struct datum *row = row_store_new(&w->store);
    for (uint32_t c = 0; c < node->pass_count; c++)
        row_store_set(&w->store, row, c, w->in->columns[c][at]);
    for (uint32_t c = node->pass_count; c < node->kept_count; c++)
        row_store_set(&w->store, row, c, expr_column(w->state, c - node->pass_count)[at]);
}

// Adds the next partition's rows to the store.
static struct status read_partition(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    struct op *op = &w->op;
    w->first = w->store.count;
    while (!w->ended) {
        if (w->in == NULL || w->in_at == w->in->selected) {
            TRY(op_next(task, op->left, &w->in));
            w->in_at = 0;
            w->ended = w->in->selected == 0;
            if (w->ended) break;
            arena_reset(&op->arena);
            TRY(expr_run(task, w->state, w->in, &op->arena));
            TRY(arena_check(&w->store.arena));
            TRY(task_yield_if_due(task));
        }
        uint32_t at = batch_row(w->in, w->in_at);
        if (w->store.count > w->first && !same_partition(w, w->store.rows[w->first], at)) break;
        add_row(w, at);
        w->in_at++;
    }
    w->count = w->store.count - w->first;
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

static struct status find_groups(struct task *task, struct window_op *w)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    arena_reset(&w->scratch);
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

static uint64_t range_bound(const struct window_op *w, struct frame_walk *walk, uint64_t i, bool end)
{
    const struct node_frame *frame = walk->frame;
    const struct node_window *node = &w->op.node->window;
    uint64_t at = end ? walk->end : walk->start;
    uint32_t key = end ? frame->end_key : frame->start_key;
    uint32_t value = end ? frame->end_value : frame->start_value;
    const struct node_sort_key *order = &node->keys[node->key_count - 1];
    type_oid type = end ? frame->end_type : frame->start_type;
    while (at < w->count && is_before(order, type, w->rows[at][key], w->rows[i][value], end)) at++;
    return at;
}

static uint64_t frame_bound_at(
    const struct window_op *w, struct frame_walk *walk, uint64_t i, bool end)
{
    const struct node_frame *frame = walk->frame;
    enum frame_bound bound = end ? frame->end : frame->start;
    int64_t offset = end ? walk->end_offset : walk->start_offset;
    if (bound == FRAME_UNBOUNDED_PRECEDING) return 0;
    if (bound == FRAME_UNBOUNDED_FOLLOWING) return w->count;
    if (frame->mode == FRAME_ROWS) {
        offset = signed_offset(bound, offset);
        // One past the row that it names; that may lie before the first.
        if (!end) return moved(i, offset, w->count);
        return offset < 0 ? moved(i + 1, offset, w->count)
                          : moved(i, offset == INT64_MAX ? offset : offset + 1, w->count);
    }
    uint64_t group = w->group[i];
    if (frame->mode == FRAME_RANGE) {
        if (bound != FRAME_CURRENT_ROW) return range_bound(w, walk, i, end);
        return w->group_start[end ? group + 1 : group];
    }
    offset = signed_offset(bound, offset);
    if (!end) return w->group_start[moved(group, offset, w->group_count)];
    group = offset < 0 ? moved(group + 1, offset, w->group_count)
                       : moved(group, offset == INT64_MAX ? offset : offset + 1, w->group_count);
    return w->group_start[group];
}

// Rows must be asked for in turn.
static void frame_next(const struct window_op *w, struct frame_walk *walk, uint64_t i)
{
    walk->start = frame_bound_at(w, walk, i, false);
    walk->end = frame_bound_at(w, walk, i, true);
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
static uint32_t frame_parts(
    const struct window_op *w, const struct frame_walk *walk, uint64_t i, struct part parts[3])
{
    uint32_t count = 0;
    uint64_t group = w->group[i];
    switch (walk->frame->exclusion) {
    case EXCLUDE_NO_OTHERS: add_part(walk, walk->start, walk->end, parts, &count); break;
    case EXCLUDE_CURRENT_ROW:
        add_part(walk, walk->start, i, parts, &count);
        add_part(walk, i + 1, walk->end, parts, &count);
        break;
    case EXCLUDE_GROUP:
    case EXCLUDE_TIES:
        add_part(walk, walk->start, w->group_start[group], parts, &count);
        if (walk->frame->exclusion == EXCLUDE_TIES) add_part(walk, i, i + 1, parts, &count);
        add_part(walk, w->group_start[group + 1], walk->end, parts, &count);
        break;
    }
    return count;
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
        const struct datum *row = w->rows[i];
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
    if (!result->null && !type_is_by_value(call->type.oid))
        result->data = arena_copy(&w->store.arena, datum_as_bytes(*result)).data;

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

static struct status compute_aggregate(struct task *task, struct window_op *w, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    struct frame_walk walk = frame_begin(w, &node->calls[at].frame);
    struct running running = {.call = at};
    struct part parts[3], before[3] = {{0}};
    uint32_t before_count = 0;
    for (uint64_t i = 0; i < w->count; i++) {
        struct datum *result = &w->rows[i][node->kept_count + at];
        frame_next(w, &walk, i);
        uint32_t count = frame_parts(w, &walk, i, parts);
        if (i > 0 && same_frame(parts, count, before, before_count)) {
            *result = w->rows[i - 1][node->kept_count + at];
        } else {
            bool goes_on = running.state != NULL && count == 1 &&
                           before_count == 1 && parts[0].start == running.start &&
                           parts[0].end >= running.end;
            if (!goes_on) state_restart(w, &running, count == 0 ? 0 : parts[0].start);
            if (goes_on) parts[0].start = running.end;
            for (uint32_t p = 0; p < count; p++)
                TRY(state_add(task, w, &running, parts[p].start, parts[p].end));
            if (goes_on) parts[0].start = running.start;
            TRY(state_value(task, w, &running, result));
        }
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

static struct status ntile_value(
    const struct window_op *w, const struct node_window_call *call, uint64_t i, struct datum *result)
{
    // As PostgreSQL does, the first row of the partition decides.
    struct datum buckets = w->rows[0][call->args[0]];
    *result = DATUM_NULL;
    if (buckets.null) return STATUS_OK;
    if (buckets.integer <= 0)
        return status_make(E_INVALID_ARGUMENT_FOR_NTILE,
            "argument of ntile must be greater than zero");
    uint64_t count = (uint64_t)buckets.integer;
    uint64_t size = w->count / count, larger = w->count % count;
    uint64_t boundary = larger * (size + 1);
    uint64_t bucket = i < boundary ? i / (size + 1) : larger + (i - boundary) / size;
    *result = datum_int((int64_t)bucket + 1);
    return STATUS_OK;
}

static struct datum shifted_value(
    const struct window_op *w, const struct node_window_call *call, uint64_t i)
{
    const struct datum *row = w->rows[i];
    int64_t offset = 1;
    if (call->arg_count > 1) {
        if (row[call->args[1]].null) return DATUM_NULL;
        offset = row[call->args[1]].integer;
    }
    int64_t target =
        (int64_t)i + (call->function->window == WINDOW_LAG ? -offset : offset);
    if (target >= 0 && (uint64_t)target < w->count) return w->rows[target][call->args[0]];
    return call->arg_count > 2 ? row[call->args[2]] : DATUM_NULL;
}

static struct status frame_value(const struct window_op *w, const struct node_window_call *call,
    const struct frame_walk *walk, uint64_t i, struct datum *result)
{
    struct part parts[3];
    uint32_t count = frame_parts(w, walk, i, parts);
    *result = DATUM_NULL;
    uint64_t n = 0;
    if (call->function->window == WINDOW_NTH_VALUE) {
        struct datum nth = w->rows[i][call->args[1]];
        if (nth.null) return STATUS_OK;
        if (nth.integer <= 0)
            return status_make(E_INVALID_ARGUMENT_FOR_NTH_VALUE,
                "argument of nth_value must be greater than zero");
        n = (uint64_t)nth.integer - 1;
    } else if (call->function->window == WINDOW_LAST_VALUE) {
        if (count > 0) *result = w->rows[parts[count - 1].end - 1][call->args[0]];
        return STATUS_OK;
    }
    for (uint32_t p = 0; p < count; p++) {
        uint64_t size = parts[p].end - parts[p].start;
        if (n < size) {
            *result = w->rows[parts[p].start + n][call->args[0]];
            return STATUS_OK;
        }
        n -= size;
    }
    return STATUS_OK;
}

static struct status function_value(const struct window_op *w, const struct node_window_call *call,
    struct frame_walk *walk, uint64_t i, struct datum *result)
{
    uint64_t group = w->group[i], first = w->group_start[group];
    switch (call->function->window) {
    case WINDOW_ROW_NUMBER: *result = datum_int((int64_t)i + 1); break;
    case WINDOW_RANK: *result = datum_int((int64_t)first + 1); break;
    case WINDOW_DENSE_RANK: *result = datum_int((int64_t)group + 1); break;
    case WINDOW_PERCENT_RANK:
        *result = datum_real(w->count > 1 ? (double)first / (double)(w->count - 1) : 0);
        break;
    case WINDOW_CUME_DIST:
        *result = datum_real((double)w->group_start[group + 1] / (double)w->count);
        break;
    case WINDOW_NTILE: return ntile_value(w, call, i, result);
    case WINDOW_LAG:
    case WINDOW_LEAD: *result = shifted_value(w, call, i); break;
    case WINDOW_FIRST_VALUE:
    case WINDOW_LAST_VALUE:
    case WINDOW_NTH_VALUE: frame_next(w, walk, i); return frame_value(w, call, walk, i, result);
    case WINDOW_NONE: return status_make(E_INTERNAL, "not a window function");
    }
    return STATUS_OK;
}

static struct status compute_function(struct task *task, struct window_op *w, uint32_t at)
{
    struct status st = STATUS_OK;
    const struct node_window *node = &w->op.node->window;
    const struct node_window_call *call = &node->calls[at];
    struct frame_walk walk = frame_begin(w, &call->frame);
    for (uint64_t i = 0; i < w->count; i++) {
        TRY(function_value(w, call, &walk, i, &w->rows[i][node->kept_count + at]));
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
    w->at = 0;
    do {
        TRY(read_partition(task, w));
        if (w->count == 0) break;
        TRY(find_groups(task, w));
        for (uint32_t i = 0; i < node->call_count; i++)
            TRY(node->calls[i].function->kind == FUNCTION_AGGREGATE
                    ? compute_aggregate(task, w, i)
                    : compute_function(task, w, i));
    } while (w->store.count < w->op.run->capacity);
    arena_reset(&w->states);

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
    if (w->at == w->store.count) TRY(window_fill(task, w));
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
