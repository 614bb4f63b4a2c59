// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/work.h"
#include "core/hash.h"
#include "core/invariant.h"
#include "sql/type/array.h"
#include "sql/exec/expr_internal.h"
#include "sql/exec/op.h"

// Values computed between looks at the clock.
#define YIELD_ROWS 8192u
#define ELEMENTS_PER_LOOK 256u
#define LONG_BYTES 16384u // A value that is worth a look by itself.
#define CALL_WORK 16u // What a call counts for, besides the bytes of its values (function_work).

struct view { // An operand's values: one for all rows when mask is 0.
    const struct datum *data;
    uint32_t mask;
};

static struct datum *reg(struct expr_state *state, uint32_t number)
{
    struct datum **slot = &state->registers[number];
    if (UNLIKELY(*slot == NULL))
        *slot = arena_alloc(state->state_arena, state->capacity * sizeof(struct datum));
    return *slot;
}

static inline struct view view_of(struct expr_state *state, operand op)
{
    uint32_t number = operand_number(op);
    switch (operand_kind(op)) {
    case OPERAND_INPUT: return (struct view){state->input[number], UINT32_MAX};
    case OPERAND_REGISTER: return (struct view){reg(state, number), UINT32_MAX};
    case OPERAND_CONSTANT: return (struct view){&state->program->constants[number], 0};
    default: return (struct view){&state->slots[number], 0};
    }
}
#define AT(view, i) ((view).data[(i) & (view).mask])

struct expr_state *expr_state_new(
    struct arena *arena, struct run *run, const struct expr_program *program, uint32_t capacity)
{
    struct expr_state *state = ARENA_NEW(arena, struct expr_state);
    state->program = program;
    state->run = run;
    state->capacity = capacity;
    state->state_arena = arena;
    state->registers = ARENA_ARRAY(arena, struct datum *, program->register_count);
    state->selections = ARENA_ARRAY(arena, struct expr_selection, program->selection_depth + 1);
    state->calls = ARENA_ARRAY(arena, struct function_call, program->call_count);
    state->args = ARENA_ARRAY(arena, struct datum, program->args_max);
    state->sets = ARENA_ARRAY(arena, struct in_set, program->set_count);
    state->elements = ARENA_ARRAY(arena, struct expr_state *, program->element_count);
    state->fills = ARENA_ARRAY(arena, struct datum *, program->output_count);
    state->slots = run == NULL ? NULL : run->slots;
    static const struct type_context plain = {.extra_float_digits = 1};
    for (uint32_t i = 0; i < program->call_count; i++) {
        const struct expr_call_site *site = &program->calls[i];
        state->calls[i] = (struct function_call){
            .session = run == NULL ? NULL : run->session,
            .context = run == NULL || run->session == NULL ? &plain : &run->session->types,
            .arg_types = site->arg_types,
            .arg_count = site->arg_count,
            .result_type = site->result,
            .state_arena = arena};
    }
    for (uint32_t i = 0; i < program->element_count; i++)
        state->elements[i] = expr_state_new(arena, run, program->elements[i].compare, 1);
    return state;
}

void expr_state_rewind(struct expr_state *state)
{
    for (uint32_t i = 0; i < state->program->set_count; i++) state->sets[i].built = false;
}

// --- selections --------------------------------------------------------------------------------------

enum keep { KEEP_TRUE, KEEP_NOT_TRUE, KEEP_NOT_FALSE, KEEP_NULL };

static uint16_t *selection_rows(struct expr_state *state, uint32_t level)
{
    struct expr_selection *selection = &state->selections[level];
    if (selection->rows == NULL)
        selection->rows = arena_alloc(state->state_arena, state->capacity * sizeof(uint16_t));
    return selection->rows;
}

static uint32_t keep_rows(struct expr_state *state, struct view view, enum keep keep, uint16_t *out)
{
    const uint16_t *rows = state->rows;
    uint32_t count = state->count, kept = 0;
    for (uint32_t n = 0; n < count; n++) {
        uint16_t i = rows[n];
        struct datum value = AT(view, i);
        // KEEP_NULL is asked of values of any type (COALESCE), the others of conditions only.
        bool stays = keep == KEEP_TRUE ? !value.null && value.boolean
            : keep == KEEP_NOT_TRUE    ? value.null || !value.boolean
            : keep == KEEP_NOT_FALSE   ? value.null || value.boolean
                                       : value.null;
        out[kept] = i;
        kept += stays;
    }
    return kept;
}

static void narrow(struct expr_state *state, uint32_t level, operand a, enum keep keep)
{
    uint16_t *rows = selection_rows(state, level);
    state->count = keep_rows(state, view_of(state, a), keep, rows);
    state->rows = rows;
    state->selections[level].count = state->count;
}

static void push_all(struct expr_state *state, uint32_t level)
{
    uint16_t *rows = selection_rows(state, level);
    if (state->count > 0) memcpy(rows, state->rows, state->count * sizeof(uint16_t));
    state->rows = rows;
    state->selections[level].count = state->count;
}

// --- kernels -----------------------------------------------------------------------------------------

static struct status run_arithmetic(
    struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct view a = view_of(state, op->a), b = view_of(state, op->b);
    int64_t low = op->type == TYPE_INT4 ? INT32_MIN : op->type == TYPE_INT2 ? INT16_MIN : INT64_MIN;
    int64_t high =
        op->type == TYPE_INT4 ? INT32_MAX : op->type == TYPE_INT2 ? INT16_MAX : INT64_MAX;
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        struct datum x = AT(a, i), y = AT(b, i);
        if (x.null || y.null) {
            dest[i] = DATUM_NULL;
            continue;
        }
        int64_t result;
        bool over = op->code == X_ADD ? __builtin_add_overflow(x.integer, y.integer, &result)
            : op->code == X_SUBTRACT  ? __builtin_sub_overflow(x.integer, y.integer, &result)
                                      : __builtin_mul_overflow(x.integer, y.integer, &result);
        if (over || result < low || result > high)
            return status_make(E_NUMERIC_OUT_OF_RANGE,
                op->type == TYPE_INT4       ? "integer out of range"
                    : op->type == TYPE_INT2 ? "smallint out of range"
                                            : "bigint out of range");
        dest[i] = datum_int(result);
    }
    return STATUS_OK;
}

static inline bool order_satisfies(enum scalar_compare compare, int order)
{
    switch (compare) {
    case COMPARE_EQ: return order == 0;
    case COMPARE_NE: return order != 0;
    case COMPARE_LT: return order < 0;
    case COMPARE_LE: return order <= 0;
    case COMPARE_GT: return order > 0;
    default: return order >= 0;
    }
}

#define COMPARE_LOOP(operator) \
    for (uint32_t n = 0; n < state->count; n++) { \
        uint32_t i = state->rows[n]; \
        const struct datum *x = &AT(a, i), *y = &AT(b, i); \
        dest[i] = (struct datum){ \
            .boolean = x->integer operator y->integer, .null = x->null || y->null}; \
    }

static void run_compare_int(struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct view a = view_of(state, op->a), b = view_of(state, op->b);
    switch ((enum scalar_compare)op->compare) {
    case COMPARE_EQ: COMPARE_LOOP(==) break;
    case COMPARE_NE: COMPARE_LOOP(!=) break;
    case COMPARE_LT: COMPARE_LOOP(<) break;
    case COMPARE_LE: COMPARE_LOOP(<=) break;
    case COMPARE_GT: COMPARE_LOOP(>) break;
    default: COMPARE_LOOP(>=) break;
    }
}

// A value that is long is worth a look at the clock by itself.
static inline CHECKED struct status look(struct task *task, struct datum value)
{
    return UNLIKELY(value.size > LONG_BYTES) ? task_work(task, value.size) : STATUS_OK;
}

// Equality of bytes, or the type's order.
static struct status run_compare(
    struct task *task, struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct status st = STATUS_OK;
    struct view a = view_of(state, op->a), b = view_of(state, op->b);
    const enum scalar_compare compare = (enum scalar_compare)op->compare;
    const bool bytes = op->code == X_COMPARE_BYTES;
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        struct datum x = AT(a, i), y = AT(b, i);
        if (x.null || y.null) {
            dest[i] = DATUM_NULL;
            continue;
        }
        TRY(look(task, x));
        if (bytes) {
            bool equal = bytes_equal(datum_as_bytes(x), datum_as_bytes(y));
            dest[i] = datum_bool(equal == (compare == COMPARE_EQ));
        } else {
            dest[i] = datum_bool(order_satisfies(compare, type_compare(op->type, x, y)));
        }
    }

out:
    return st;
}

static void run_is(struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct view a = view_of(state, op->a);
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        struct datum x = AT(a, i);
        bool result = false;
        switch ((enum is_test)op->aux) {
        case IS_NULL:
        case IS_UNKNOWN: result = x.null; break;
        case IS_NOT_NULL:
        case IS_NOT_UNKNOWN: result = !x.null; break;
        case IS_TRUE: result = !x.null && x.boolean; break;
        case IS_NOT_TRUE: result = x.null || !x.boolean; break;
        case IS_FALSE: result = !x.null && !x.boolean; break;
        case IS_NOT_FALSE: result = x.null || x.boolean; break;
        }
        dest[i] = datum_bool(result);
    }
}

static struct status run_simple(
    struct task *task, struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct status st = STATUS_OK;
    struct view a = view_of(state, op->a);
    struct view b = op->b == OPERAND_NONE ? a : view_of(state, op->b);
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        struct datum x = AT(a, i), y = AT(b, i);
        switch ((enum expr_code)op->code) {
        case X_MOVE: dest[i] = x; break;
        case X_NOT: dest[i] = x.null ? DATUM_NULL : datum_bool(!x.boolean); break;
        case X_NULLIF: dest[i] = !y.null && y.boolean ? DATUM_NULL : x; break;
        case X_AND: // dest is true or NULL here.
            if (x.null) dest[i] = DATUM_NULL;
            else if (!x.boolean) dest[i] = datum_bool(false);
            break;
        case X_OR: // dest is false or NULL here.
            if (x.null) dest[i] = DATUM_NULL;
            else if (x.boolean) dest[i] = datum_bool(true);
            break;
        default: { // X_DISTINCT
            TRY(look(task, x));
            bool distinct = x.null || y.null ? x.null != y.null : !type_equal(op->type, x, y);
            dest[i] = datum_bool(distinct != op->flag);
            break;
        }
        }
    }

out:
    return st;
}

// --- calls -------------------------------------------------------------------------------------------

static struct status call_one(const struct expr_op *op, struct function_call *call, const struct datum *args, struct datum *result)
{
    *result = DATUM_NULL;
    switch ((enum expr_code)op->code) {
    case X_CAST:
        if (args[0].null) return STATUS_OK;
        *result = (struct datum){0};
        return cast_apply(call, op->object, call->arg_types[0], call->result_type, op->flag,
            args[0], result);
    case X_TYPMOD:
        if (args[0].null) return STATUS_OK;
        *result = (struct datum){0};
        return cast_apply_typmod(call, call->result_type, op->flag, args[0], result);
    default: {
        const struct function *function = op->object;
        if (function->strict)
            for (uint32_t a = 0; a < op->arg_count; a++)
                if (args[a].null) return STATUS_OK;
        // Bodies start from a zero datum, not from NULL (sql/function/function.h).
        *result = (struct datum){0};
        call->function = function;
        return function->fn(call, args, result);
    }
    }
}

static struct status run_call(
    struct task *task, struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct status st = STATUS_OK;
    struct function_call *call = &state->calls[op->aux];
    const operand *operands = &state->program->args[op->args];
    call->task = task;
    call->arena = state->arena;
    if (op->code == X_CALL && ((const struct function *)op->object)->fn == NULL)
        return status_format(state->arena, E_FEATURE_NOT_SUPPORTED, "function %s is not supported",
            ((const struct function *)op->object)->name);
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        if (n > 0 && op->constant) {
            dest[i] = dest[state->rows[0]];
            continue;
        }
        uint64_t work = CALL_WORK;
        for (uint32_t a = 0; a < op->arg_count; a++) {
            struct view view = view_of(state, operands[a]);
            state->args[a] = AT(view, i);
            work += state->args[a].size;
        }
        TRY(call_one(op, call, state->args, &dest[i]));
        TRY(function_work(call, work + dest[i].size));
    }

out:
    return st;
}

static void gather_args(struct expr_state *state, const struct expr_op *op, uint32_t i)
{
    const operand *operands = &state->program->args[op->args];
    for (uint32_t a = 0; a < op->arg_count; a++) {
        struct view view = view_of(state, operands[a]);
        state->args[a] = AT(view, i);
    }
}

static struct datum extreme(const struct expr_op *op, const struct datum *args)
{
    struct datum best = DATUM_NULL;
    for (uint32_t a = 0; a < op->arg_count; a++) {
        if (args[a].null) continue;
        if (best.null) {
            best = args[a];
            continue;
        }
        int order = type_compare(op->type, args[a], best);
        if (op->flag ? order > 0 : order < 0) best = args[a];
    }
    return best;
}

// --- IN ----------------------------------------------------------------------------------------------

static void build_set(struct expr_state *state, const struct expr_op *op, struct in_set *set)
{
    uint32_t count = op->arg_count - 1u;
    uint32_t size = 16;
    while (size < count * 2) size *= 2;
    set->mask = size - 1;
    if (set->buckets == NULL) {
        set->buckets = arena_alloc(state->state_arena, size * sizeof(uint32_t));
        set->values = arena_alloc(state->state_arena, count * sizeof(struct datum));
    }
    memset(set->buckets, 0, size * sizeof(uint32_t));
    set->has_null = false;
    for (uint32_t k = 0; k < count; k++) {
        struct view view = view_of(state, state->program->args[op->args + 1 + k]);
        set->values[k] = view.data[0];
        if (set->values[k].null) {
            set->has_null = true;
            continue;
        }
        uint32_t at = (uint32_t)type_hash(op->type, set->values[k]) & set->mask;
        while (set->buckets[at] != 0) at = (at + 1) & set->mask;
        set->buckets[at] = k + 1;
    }
    set->built = true;
}

static struct datum in_by_hash(
    const struct expr_op *op, const struct in_set *set, struct datum value)
{
    uint32_t at = (uint32_t)type_hash(op->type, value) & set->mask;
    for (; set->buckets[at] != 0; at = (at + 1) & set->mask)
        if (type_equal(op->type, set->values[set->buckets[at] - 1], value))
            return datum_bool(!op->flag);
    return set->has_null ? DATUM_NULL : datum_bool(op->flag);
}

static struct datum in_by_list(struct expr_state *state, const struct expr_op *op, uint32_t i)
{
    bool has_null = false;
    struct view test = view_of(state, state->program->args[op->args]);
    for (uint32_t k = 1; k < op->arg_count; k++) {
        struct view view = view_of(state, state->program->args[op->args + k]);
        struct datum item = AT(view, i);
        if (item.null) has_null = true;
        else if (type_equal(op->type, item, AT(test, i))) return datum_bool(!op->flag);
    }
    return has_null ? DATUM_NULL : datum_bool(op->flag);
}

static struct status run_in(
    struct task *task, struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct status st = STATUS_OK;
    struct view test = view_of(state, state->program->args[op->args]);
    struct in_set *set = op->aux == UINT32_MAX ? NULL : &state->sets[op->aux];
    if (set != NULL && !set->built) build_set(state, op, set);
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        struct datum value = AT(test, i);
        TRY(look(task, value));
        dest[i] = value.null ? DATUM_NULL
            : set != NULL    ? in_by_hash(op, set, value)
                             : in_by_list(state, op, i);
    }

out:
    return st;
}

// --- arrays ------------------------------------------------------------------------------------------

static struct status build_array(
    struct expr_state *state, const struct expr_op *op, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array_builder builder;
    array_builder_init(&builder, state->arena, op->type);
    for (uint32_t a = 0; a < op->arg_count; a++)
        TRY(array_builder_add(&builder, state->args[a]));
    TRY(array_builder_finish(&builder, result));

out:
    return st;
}

static struct status subscript(struct datum value, struct datum at, struct datum *result)
{
    struct status st = STATUS_OK;
    struct array array;
    *result = DATUM_NULL;
    if (value.null || at.null) return st;
    TRY(array_open(value, &array));
    int32_t index = (int32_t)at.integer;
    *result = array_item(&array, &index, 1);
    // Broken off, each would begin to look for the next one.
    if (array.count > LONG_BYTES / 8 && task_current() != NULL) st = task_check(task_current());

out:
    return st;
}

static struct status any_array(struct task *task, struct expr_state *state,
    const struct expr_op *op, const struct datum *args, struct datum *result)
{
    struct status st = STATUS_OK;
    const struct expr_element *element = &state->program->elements[op->aux];
    struct expr_state *compare = state->elements[op->aux];
    struct array array;
    struct datum item, outcome;
    bool has_null = false;
    *result = DATUM_NULL;
    if (args[1].null) return st;
    TRY(array_open(args[1], &array));
    state->run->slots[element->left_slot] = args[0];
    struct array_cursor cursor = array_first(&array);
    for (uint32_t n = 1; array_next(&cursor, &item); n++) {
        if (n % ELEMENTS_PER_LOOK == 0 && task != NULL) TRY(task_yield_if_due(task));
        state->run->slots[element->element_slot] = item;
        TRY(expr_run_single(task, compare, state->arena, &outcome));
        if (outcome.null) {
            has_null = true;
        } else if (outcome.boolean != element->all) {
            *result = datum_bool(!element->all);
            return st;
        }
    }
    if (!has_null) *result = datum_bool(element->all);

out:
    return st;
}

// --- the rest ----------------------------------------------------------------------------------------

static struct datum sql_value(const struct expr_state *state, enum sql_value value)
{
    const struct session *session = state->run == NULL ? NULL : state->run->session;
    const char *text = NULL;
    if (session == NULL) return DATUM_NULL;
    switch (value) {
    case SQL_CURRENT_ROLE:
    case SQL_CURRENT_USER:
    case SQL_USER: text = session->user; break;
    case SQL_SESSION_USER: text = session->session_user; break;
    case SQL_CURRENT_CATALOG: text = session->database; break;
    case SQL_CURRENT_SCHEMA:
        text = session->search_path == NULL ? NULL : session->search_path[0];
        if (text != NULL && text == session->temp_name) text = session->search_path[1];
        break;
    default: break;
    }
    return text == NULL ? DATUM_NULL : datum_text(text);
}

static struct status run_subquery(
    struct task *task, struct expr_state *state, const struct expr_op *op, uint32_t i,
    struct datum *result)
{
    const struct expr_subquery *subquery = op->object;
    const operand *operands = &state->program->args[op->args];
    for (uint32_t a = 0; a < op->arg_count; a++) {
        struct view view = view_of(state, operands[a]);
        uint32_t slot = a < subquery->binding_count
            ? subquery->bindings[a].slot
            : subquery->tests[a - subquery->binding_count].slot;
        state->run->slots[slot] = AT(view, i);
    }
    return subquery_value(task, state->run, subquery, state->arena, result);
}

static struct status run_rows(
    struct task *task, struct expr_state *state, const struct expr_op *op, struct datum *dest)
{
    struct status st = STATUS_OK;
    for (uint32_t n = 0; n < state->count; n++) {
        uint32_t i = state->rows[n];
        switch ((enum expr_code)op->code) {
        case X_EXTREME:
            gather_args(state, op, i);
            dest[i] = extreme(op, state->args);
            break;
        case X_ARRAY:
            gather_args(state, op, i);
            TRY(build_array(state, op, &dest[i]));
            break;
        case X_ANY_ARRAY:
            gather_args(state, op, i);
            TRY(any_array(task, state, op, state->args, &dest[i]));
            break;
        case X_SUBSCRIPT: {
            struct view a = view_of(state, op->a), b = view_of(state, op->b);
            TRY(subscript(AT(a, i), AT(b, i), &dest[i]));
            break;
        }
        case X_SUBQUERY: TRY(run_subquery(task, state, op, i, &dest[i])); break;
        default: dest[i] = sql_value(state, (enum sql_value)op->aux); break;
        }
    }

out:
    return st;
}

static struct status run_op(
    struct task *task, struct expr_state *state, const struct expr_op *op)
{
    struct datum *dest = reg(state, op->dest);
    switch ((enum expr_code)op->code) {
    case X_CALL:
    case X_CAST:
    case X_TYPMOD: return run_call(task, state, op, dest);
    case X_ADD:
    case X_SUBTRACT:
    case X_MULTIPLY: return run_arithmetic(state, op, dest);
    case X_COMPARE_INT: run_compare_int(state, op, dest); break;
    case X_COMPARE_BYTES:
    case X_COMPARE_TYPE: return run_compare(task, state, op, dest);
    case X_IS: run_is(state, op, dest); break;
    case X_IN: return run_in(task, state, op, dest);
    case X_EXTREME:
    case X_ARRAY:
    case X_ANY_ARRAY:
    case X_SUBSCRIPT:
    case X_SUBQUERY:
    case X_SQL_VALUE: return run_rows(task, state, op, dest);
    default: return run_simple(task, state, op, dest);
    }
    return STATUS_OK;
}

#define ROWS_4(n) (n), (n) + 1, (n) + 2, (n) + 3
#define ROWS_16(n) ROWS_4(n), ROWS_4((n) + 4), ROWS_4((n) + 8), ROWS_4((n) + 12)
#define ROWS_64(n) ROWS_16(n), ROWS_16((n) + 16), ROWS_16((n) + 32), ROWS_16((n) + 48)
#define ROWS_256(n) ROWS_64(n), ROWS_64((n) + 64), ROWS_64((n) + 128), ROWS_64((n) + 192)
static const uint16_t identity[BATCH_ROWS_MAX] = {
    ROWS_256(0), ROWS_256(256), ROWS_256(512), ROWS_256(768)};

struct status expr_run(
    struct task *task, struct expr_state *state, const struct batch *batch, struct arena *arena)
{
    struct status st = STATUS_OK;
    const struct expr_program *program = state->program;
    uint32_t level = 0;
    // Outer selections: where POP goes back to.
    state->arena = arena;
    state->input = batch->columns;
    state->slots = state->run == NULL ? NULL : state->run->slots;
    state->rows = batch->selection == NULL ? identity : batch->selection;
    state->count = batch->selected;
    const uint16_t *base_rows = state->rows;
    uint32_t base_count = state->count;
    uint32_t work = 0; // Rows looked at since the last yield.
    for (uint32_t pc = 0; pc < program->op_count; pc++) {
        const struct expr_op *op = &program->ops[pc];
        switch ((enum expr_code)op->code) {
        case X_FILTER:
            narrow(state, 0, op->a, KEEP_TRUE);
            base_rows = state->rows;
            base_count = state->count;
            if (base_count == 0) goto out;
            break;
        case X_PUSH_ALL: push_all(state, ++level); break;
        case X_PUSH_TRUE: narrow(state, ++level, op->a, KEEP_TRUE); break;
        case X_PUSH_NOT_FALSE: narrow(state, ++level, op->a, KEEP_NOT_FALSE); break;
        case X_PUSH_NOT_TRUE: narrow(state, ++level, op->a, KEEP_NOT_TRUE); break;
        case X_PUSH_NULL: narrow(state, ++level, op->a, KEEP_NULL); break;
        case X_NARROW_NOT_TRUE: narrow(state, level, op->a, KEEP_NOT_TRUE); break;
        case X_NARROW_NOT_FALSE: narrow(state, level, op->a, KEEP_NOT_FALSE); break;
        case X_NARROW_NULL: narrow(state, level, op->a, KEEP_NULL); break;
        case X_POP:
            level--;
            state->rows = level == 0 ? base_rows : state->selections[level].rows;
            state->count = level == 0 ? base_count : state->selections[level].count;
            break;
        default:
            if (state->count == 0) break;
            TRY(run_op(task, state, op));
            work += state->count;
            if (work > YIELD_ROWS && task != NULL) {
                work = 0;
                TRY(task_yield_if_due(task));
            }
            break;
        }
    }
    // Comparisons of long values break off when the task is cancelled, and have no status to say so.
    if (task != NULL) st = task_check(task);

out:
    return st;
}

struct datum *expr_column(struct expr_state *state, uint32_t output)
{
    operand op = state->program->outputs[output];
    switch (operand_kind(op)) {
    case OPERAND_INPUT: return state->input[operand_number(op)];
    case OPERAND_REGISTER: return reg(state, operand_number(op));
    default: break;
    }
    if (state->fills[output] == NULL)
        state->fills[output] =
            arena_alloc(state->state_arena, state->capacity * sizeof(struct datum));
    struct datum value = view_of(state, op).data[0];
    for (uint32_t n = 0; n < state->count; n++) state->fills[output][state->rows[n]] = value;
    return state->fills[output];
}

const uint16_t *expr_selection(struct expr_state *state, uint32_t *selected)
{
    *selected = state->count;
    return state->rows;
}

struct status expr_run_single(
    struct task *task, struct expr_state *state, struct arena *arena, struct datum *value)
{
    struct status st = STATUS_OK;
    struct batch one = {.count = 1, .selected = 1};
    state->slots = state->run == NULL ? NULL : state->run->slots;
    if (expr_direct(state->program, 0, state->slots, value)) return st;
    TRY(expr_run(task, state, &one, arena));
    *value = *expr_column(state, 0);

out:
    return st;
}
