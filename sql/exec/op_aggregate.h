// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of aggregation, shared by sql/exec/op_aggregate.c and sql/exec/op_partial.c, which computes parts of it where rows are
// led. Nobody else includes this.
#pragma once
#include "sql/exec/op.h"
#include "sql/exec/op_partition.h"
#include "sql/exec/row_sort.h"

struct kept_args { // Arguments of one DISTINCT or ordered aggregate: group, arguments, order keys.
    const struct node_aggregate_call *call;
    struct row_sort sort;
    struct memory_account memory;
    struct row_hash seen; // DISTINCT: group and arguments, as long as there is room.
    bool unseen;          // There was none: equal ones are found when they are sorted.
    type_oid *types;
    uint32_t width;
    struct datum *last;   // DISTINCT: group and arguments of the last row.
    struct arena last_arena;
};

struct aggregate_op {
    struct op op;
    struct expr_state *state;
    struct row_hash groups;
    struct arena states;      // Aggregates' states and what they point to.
    uint8_t **group_states;   // Per group: the states of all calls, one after another.
    uint64_t group_capacity;
    size_t *offsets;          // Of each call's state.
    size_t states_bytes;
    struct function_call *calls;
    struct kept_args *kept;
    struct memory_account memory; // Of groups and states.
    struct datum **keys;
    struct datum **columns;   // Of the program's outputs, or of those that come back.
    struct datum *set_numbers, *nulls; // Columns of the keys, of GROUPING SETS.
    struct datum *args;
    uint64_t at;
    uint64_t rows_seen;
    bool filled, spilling;
    struct batch *in;         // Ordered: what is being read, and the next of its rows.
    uint32_t in_at;
    bool ended;
    struct partitions parts;
    struct partition *part;   // In hand; NULL: the input itself.
    struct datum **back;      // Its rows: keys, then outputs that are no groups.
    type_oid *back_types;
    uint32_t back_count;
    struct arena back_arena;
};

// A group of that number, the next one, with states as of no rows.
void aggregate_new_group(struct aggregate_op *agg, uint64_t number);
// Forgets all groups.
void aggregate_restart(struct aggregate_op *agg);
// All rows of the input into groups.
CHECKED struct status aggregate_take_input(struct task *task, struct aggregate_op *agg);
// The same by parts, on the shards that lead the rows. *done false: nothing was done, take the input.
CHECKED struct status aggregate_in_parts(struct task *task, struct aggregate_op *agg, bool *done);
