// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions in FROM, and set-returning functions in a SELECT list: rows of several functions side by
// side, the shorter ones filled up with NULLs.
#include "core/invariant.h"
#include "sql/exec/op.h"
#include "sql/exec/op_classes.h"

// PROJECT_SET ends a batch early when the functions behind its rows hold more than this.
#define SET_BYTES_MAX (1u << 20)

struct set_call {
    struct function_call call;
    void *state;
    struct datum *row;
    bool done;
    bool started; // Its state may hold something.
};

struct function_op {
    struct op op;
    struct expr_state *state;
    struct set_call *calls;
    struct datum *args;
    struct memory_account set_account; // What set_arena holds.
    struct arena set_arena; // Of the functions running now, and of those whose rows are in op->out.
    struct arena args_arena; // Arguments of the input batch in hand.
    // PROJECT_SET
    struct batch *in;
    uint32_t at;
    bool running;
    int64_t ordinal;
    bool finished;
};

static struct status function_open(struct task *task, struct op *op)
{
    struct function_op *function = (struct function_op *)op;
    const struct node *node = op->node;
    struct arena *arena = op->run->arena;
    uint32_t args_max = 1;
    (void)task;
    op_alloc_columns(op, node->layout.count);
    memory_account_init(&function->set_account, op->run->account, "set-returning functions", 0);
    arena_init(&function->set_arena, &function->set_account);
    arena_init(&function->args_arena, op->run->account);
    function->state = expr_state_new(arena, op->run, node->function.program, op->run->capacity);
    function->calls = ARENA_ARRAY(arena, struct set_call, node->function.call_count);
    for (uint32_t i = 0; i < node->function.call_count; i++) {
        const struct node_call *call = &node->function.calls[i];
        struct set_call *state = &function->calls[i];
        state->call = (struct function_call){.session = op->run->session,
            .function = call->function,
            .arena = &function->set_arena,
            .context = &op->run->session->types,
            .arg_types = call->arg_types,
            .arg_count = call->arg_count,
            .result_type = call->result,
            .state_arena = &function->set_arena};
        state->row = ARENA_ARRAY(arena, struct datum, call->column_count + 1);
        if (call->function->set != NULL) {
            state->state = arena_alloc_zero(arena, call->function->set->state_bytes + 16);
            op->run->streaming |= call->function->set->streaming;
        }
        if (call->arg_count > args_max) args_max = call->arg_count;
    }
    function->args = ARENA_ARRAY(arena, struct datum, args_max);
    return STATUS_OK;
}

static struct status function_rewind(struct task *task, struct op *op)
{
    struct function_op *function = (struct function_op *)op;
    function->in = NULL;
    function->running = function->finished = false;
    function->ordinal = 0;
    expr_state_rewind(function->state);
    return op->left != NULL ? op_rewind(task, op->left) : STATUS_OK;
}

static void end_call(const struct node_call *call, struct set_call *state)
{
    if (state->started && call->function->set->end != NULL)
        call->function->set->end(&state->call, state->state);
    state->started = false;
}

static void function_close(struct op *op)
{
    struct function_op *function = (struct function_op *)op;
    for (uint32_t i = 0; i < op->node->function.call_count && function->calls != NULL; i++)
        end_call(&op->node->function.calls[i], &function->calls[i]);
    arena_fini(&function->set_arena);
    arena_fini(&function->args_arena);
    memory_account_fini(&function->set_account);
}

// Starts all functions with the arguments of one input row. What earlier runs left in set_arena stays.
static struct status start_calls(struct task *task, struct function_op *function, uint32_t row)
{
    struct status st = STATUS_OK;
    const struct node *node = function->op.node;
    for (uint32_t i = 0; i < node->function.call_count; i++)
        end_call(&node->function.calls[i], &function->calls[i]);
    for (uint32_t i = 0; i < node->function.call_count; i++) {
        const struct node_call *call = &node->function.calls[i];
        struct set_call *state = &function->calls[i];
        bool null = false;
        for (uint32_t a = 0; a < call->arg_count; a++) {
            function->args[a] = expr_column(function->state, call->first_arg + a)[row];
            null |= function->args[a].null;
        }
        state->call.task = task;
        state->call.state = NULL;
        state->done = false;
        if (call->function->set == NULL) { // A scalar function gives one row.
            state->row[0] = DATUM_NULL;
            if (!null || !call->function->strict) {
                state->row[0] = (struct datum){0};
                TRY(call->function->fn(&state->call, function->args, &state->row[0]));
            }
            continue;
        }
        if (null && call->function->strict) {
            state->done = true;
            continue;
        }
        // The arguments' bytes must last as long as the function runs.
        for (uint32_t a = 0; a < call->arg_count; a++) {
            struct datum *arg = &function->args[a];
            if (arg->null) *arg = DATUM_NULL;
            else if (!type_is_by_value(call->arg_types[a].oid))
                arg->data = task_copy(&function->set_arena, datum_as_bytes(*arg)).data;
        }
        memset(state->state, 0, call->function->set->state_bytes);
        state->started = true;
        TRY(call->function->set->start(&state->call, state->state, function->args));
    }

out:
    return st;
}

// One more row of the functions, side by side. *any false: all are done.
static struct status next_row(
    struct task *task, struct function_op *function, bool first, bool *any)
{
    struct status st = STATUS_OK;
    const struct node *node = function->op.node;
    *any = false;
    for (uint32_t i = 0; i < node->function.call_count; i++) {
        const struct node_call *call = &node->function.calls[i];
        struct set_call *state = &function->calls[i];
        if (call->function->set == NULL) {
            state->done = !first;
        } else if (!state->done) {
            state->call.task = task;
            state->call.arena = &function->op.arena;
            TRY(call->function->set->next(
                &state->call, state->state, state->row, &state->done));
        }
        *any |= !state->done;
    }

out:
    for (uint32_t i = 0; i < node->function.call_count; i++)
        function->calls[i].call.arena = &function->set_arena;
    return st;
}

static void put_row(struct function_op *function, uint32_t at, uint32_t input_row)
{
    struct op *op = &function->op;
    const struct node *node = op->node;
    uint32_t column = 0;
    for (uint32_t i = 0; i < node->function.pass_count; i++)
        op->out.columns[column++][at] = function->in->columns[node->function.pass[i]][input_row];
    for (uint32_t i = 0; i < node->function.call_count; i++)
        for (uint32_t c = 0; c < node->function.calls[i].column_count; c++)
            op->out.columns[column++][at] =
                function->calls[i].done ? DATUM_NULL : function->calls[i].row[c];
    if (node->function.ordinality) op->out.columns[column][at] = datum_int(++function->ordinal);
}

// FROM: one run of the functions.
static struct status function_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct function_op *function = (struct function_op *)op;
    const struct batch one = {.count = 1, .selected = 1};
    uint32_t count = 0;
    *out = &op->out;
    op->out.selected = 0;
    if (function->finished) goto out;
    bool first = !function->running;
    if (first) {
        arena_reset(&op->arena);
        TRY(expr_run(task, function->state, &one, &op->arena));
        arena_reset(&function->set_arena);
        TRY(start_calls(task, function, 0));
        function->running = true;
    }
    arena_reset(&op->arena);
    while (count < op->run->capacity) {
        bool any;
        TRY(next_row(task, function, first, &any));
        first = false;
        if (!any) {
            function->finished = true;
            break;
        }
        put_row(function, count++, 0);
        if (op->run->streaming) break;
    }
    TRY(arena_check(&op->arena));
    TRY(task_yield_if_due(task));
    op->out.count = op->out.selected = count;
    op->out.selection = NULL;
    op->rows += count;

out:
    return st;
}

const struct op_class op_function_class = {
    sizeof(struct function_op), function_open, function_rewind, function_next, function_close};

// SELECT list: the functions run anew for each input row.
static struct status project_set_next(struct task *task, struct op *op, struct batch **out)
{
    struct status st = STATUS_OK;
    struct function_op *function = (struct function_op *)op;
    uint32_t count = 0;
    *out = &op->out;
    op->out.selected = 0;
    op->out.selection = NULL;
    arena_reset(&op->arena);
    while (count < op->run->capacity && !function->finished) {
        if (function->in == NULL || function->at == function->in->selected) {
            if (count > 0) break; // What is in hand points into the input's batch.
            TRY(op_next(task, op->left, &function->in));
            function->at = 0;
            if (function->in->selected == 0) {
                function->finished = true;
                break;
            }
            arena_reset(&function->args_arena);
            TRY(expr_run(task, function->state, function->in, &function->args_arena));
        }
        uint32_t row = batch_row(function->in, function->at);
        bool first = !function->running, any;
        if (first) {
            // The rows in hand may point into what the functions of earlier input rows made.
            if (count == 0) arena_reset(&function->set_arena);
            TRY(start_calls(task, function, row));
            function->running = true;
        }
        TRY(next_row(task, function, first, &any));
        if (any) {
            put_row(function, count++, row);
        } else {
            function->running = false;
            function->at++;
            if (count > 0 && function->set_account.used_bytes > SET_BYTES_MAX) break;
        }
        if ((count & 255u) == 255u) TRY(task_yield_if_due(task));
    }
    TRY(arena_check(&op->arena));
    op->out.count = op->out.selected = count;
    op->rows += count;

out:
    return st;
}

const struct op_class op_project_set_class = {sizeof(struct function_op), function_open,
    function_rewind, project_set_next, function_close};
