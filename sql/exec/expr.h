// SPDX-License-Identifier: GPL-3.0-or-later
//
// Compiled expressions: bound scalars (sql/plan/scalar.h) as a flat array of instructions over registers,
// evaluated a batch of rows at a time. AND, OR, CASE and COALESCE evaluate their later parts only for the
// rows that need them, by narrowing the selection of rows.
//
// An operand is a column of the input, a register, a constant, or a slot of the run: a parameter, or a
// value that an operator above has set (columns of an outer query, of the outer side of a join).
//
// Shard    A program is read-only and may be used by many runs; a struct expr_state belongs to one.
// Memory   Results live in the arena given to expr_run: as long as the batch. State in the run's.
// Errors   Those of the functions called; 21000 of scalar subqueries. Calls may suspend (nextval,
//          subqueries).
#pragma once
#include "core/arena.h"
#include "core/task.h"
#include "sql/exec/batch.h"
#include "sql/function/function.h"
#include "sql/plan/scalar.h"

struct run;
struct node;
struct expr_program;
struct expr_state;
struct expr_subquery;

// Variables and where they stand in a batch.
struct layout {
    const var_id *vars;
    uint32_t count;
};
static inline uint32_t layout_find(const struct layout *layout, var_id var)
{
    for (uint32_t i = 0; i < layout->count; i++)
        if (layout->vars[i] == var) return i;
    return UINT32_MAX;
}

// Finds what is not in the layout: the slot of an outer variable. XX000 when there is none.
struct expr_outer {
    struct status (*slot)(struct expr_outer *outer, var_id var, uint32_t *slot);
    // Plans a subquery: its node, and how its outer variables get into slots.
    struct status (*subquery)(struct expr_outer *outer, const struct layout *layout,
        const struct scalar *scalar, struct expr_subquery **subquery);
    uint32_t (*new_slot)(struct expr_outer *outer);
};

struct expr_binding { // slot = operand, before the subquery runs.
    struct scalar *scalar;
    uint32_t slot;
};
struct expr_subquery {
    enum sublink_kind kind;
    const struct node *node;
    struct layout outputs;            // Of the node, restricted to the query's columns.
    uint32_t *output_columns;         // Where they stand in the node's batches.
    uint32_t output_count;
    struct expr_binding *bindings;    // Correlated variables.
    uint32_t binding_count;
    struct expr_binding *tests;       // Left operands of ANY and ALL.
    uint32_t test_count;
    struct expr_program *compare;     // Over the node's batches; tests in slots.
    type_oid *hash_types;             // Uncorrelated `= ANY`: by hash; else NULL.
    type_oid element_type;            // SUBLINK_ARRAY.
    uint32_t index;                   // Of its state in the run.
};

// Compiles several expressions as one program over one layout; those equal share their work.
CHECKED struct status expr_compile(struct arena *arena, struct expr_outer *outer,
    const struct layout *layout, struct scalar *const *scalars, uint32_t count,
    struct expr_program **program);
// A program that only narrows the selection to the rows for which all conjuncts are true.
CHECKED struct status expr_compile_filter(struct arena *arena, struct expr_outer *outer,
    const struct layout *layout, const struct scalar_list *conjuncts,
    struct expr_program **program);
// What a filter program asks of single columns of its input, of such sorts: an integer in a range, a text that is equal.
// All rows that it keeps meet all of them; NULL meets none. For the values that `slots` have now.
struct expr_condition {
    uint32_t column;   // Of the input.
    bool bytes;        // Equal to `value`; else in [low, high].
    int64_t low, high;
    struct bytes value;
};
#define EXPR_CONDITIONS_MAX 8u
uint32_t expr_conditions(const struct expr_program *program, const struct datum *slots,
    struct expr_condition out[EXPR_CONDITIONS_MAX]);
uint32_t expr_output_count(const struct expr_program *program);

// The state of one program in one run, for batches of at most `capacity` rows.
struct expr_state *expr_state_new(
    struct arena *arena, struct run *run, const struct expr_program *program, uint32_t capacity);
// Forgets what subqueries have cached: the run's slots have changed.
void expr_state_rewind(struct expr_state *state);
// Evaluates for the selected rows of `batch`. `arena` takes the results.
CHECKED struct status expr_run(struct task *task, struct expr_state *state,
    const struct batch *batch, struct arena *arena);
// Column `output` of the last expr_run: values at the positions of the input's rows.
struct datum *expr_column(struct expr_state *state, uint32_t output);
// What is left of the input's selection after a filter program.
const uint16_t *expr_selection(struct expr_state *state, uint32_t *selected);

// One row, no input: programs over slots and constants only. The value of output 0.
CHECKED struct status expr_run_single(
    struct task *task, struct expr_state *state, struct arena *arena, struct datum *value);
// Direct access when output `output` is no more than a constant or a slot: no program need run. False else.
bool expr_direct(const struct expr_program *program, uint32_t output, const struct datum *slots,
    struct datum *value);
