// SPDX-License-Identifier: GPL-3.0-or-later
//
// The logical plan: a tree of relational operators over variables, made by the binder, rewritten by
// rules (sql/plan/plan_rewrite.c) and turned into a tree of executable nodes (sql/plan/plan_physical.c).
//
// Memory   The plan's arena. Rewriting changes nodes in place.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/plan/scalar.h"

enum rel_kind {
    REL_ONE,         // One row without columns.
    REL_EMPTY,       // No rows.
    REL_SCAN,        // A table.
    REL_VIRTUAL,     // A virtual table.
    REL_SEQUENCE,    // SELECT ... FROM sequence.
    REL_VALUES,
    REL_FUNCTION,    // Functions in FROM.
    REL_FILTER,
    REL_PROJECT,     // Passes all of its input through, adds variables.
    REL_PROJECT_SET, // Set-returning functions in a SELECT list.
    REL_JOIN,
    REL_AGGREGATE,
    REL_WINDOW,
    REL_DISTINCT,
    REL_SORT,
    REL_LIMIT,
    REL_UNION_ALL,
    REL_SET,         // UNION, INTERSECT, EXCEPT (but UNION ALL).
    REL_WITH,        // Owns common table expressions that `left` reads.
    REL_CTE,         // Reads one.
    REL_RECURSIVE,   // left UNION [ALL] right, right reading REL_WORKTABLE.
    REL_WORKTABLE,
    REL_LOCK,        // FOR UPDATE and its family above other operators than one scan.
    REL_INSERT,
    REL_UPDATE,
    REL_DELETE,
};

enum rel_join { REL_INNER, REL_LEFT, REL_FULL, REL_SEMI, REL_ANTI };

struct rel_item { // var = scalar
    var_id var;
    struct scalar *scalar;
};
struct rel_item_list {
    struct rel_item *items;
    uint32_t count;
    uint32_t capacity;
};
void rel_item_add(
    struct arena *arena, struct rel_item_list *list, var_id var, struct scalar *scalar);

struct rel_aggregate { // var = function(args)
    var_id var;
    const struct function *function;
    struct scalar **args;
    uint32_t arg_count;
    uint32_t direct_count; // Of an ordered-set aggregate: arguments that are one for a group.
    struct scalar *filter; // Or NULL.
    bool distinct;
    struct rel_order *order; // ORDER BY inside of the call.
    uint32_t order_count;
    struct type type;
};
struct rel_grouping { // GROUPING(...): what it is in each set.
    var_id var;
    int32_t *values;
};
struct rel_order {
    struct scalar *scalar; // A SCALAR_VAR everywhere but inside of aggregates.
    bool descending;
    bool nulls_first;
};
// The rows that a window function sees of its partition, from those of the row in hand.
struct rel_frame {
    enum frame_mode mode; // FRAME_NONE: the default, RANGE up to the current row's peers.
    enum frame_bound start, end;
    enum frame_exclusion exclusion;
    struct scalar *start_offset, *end_offset; // bigint, without columns; ROWS and GROUPS. Or NULL.
    // RANGE with an offset: the order key, and where a row's frame starts and ends, of one type; and
    // whether an offset is negative (a boolean without columns; NULL for a NULL offset).
    struct scalar *start_key, *start_value, *start_negative;
    struct scalar *end_key, *end_value, *end_negative;
};
struct rel_window_call { // var = function(args) OVER this window
    var_id var;
    const struct function *function; // Of a window or an aggregate.
    struct scalar **args;
    uint32_t arg_count;
    struct scalar *filter; // Or NULL.
    struct rel_frame frame;
    struct type type;
};
struct rel_window { // Its input is sorted by the keys: first those of PARTITION BY.
    struct rel_order *keys;
    uint32_t key_count, partition_count;
    struct rel_window_call *calls;
    uint32_t call_count;
};
struct rel_call { // One function of ROWS FROM, or one in a SELECT list.
    const struct function *function; // Scalar or set-returning.
    struct scalar **args;
    uint32_t arg_count;
    var_id *vars; // Its result columns.
    uint32_t var_count;
    struct type *types;
};

struct rel_cte {
    const char *name;
    struct rel *rel;
    var_id *vars; // What `rel` gives.
    uint32_t var_count;
    uint32_t references;
    bool materialized; // Asked for, or it must be (volatile, modifies data).
    bool modifies;
    uint32_t index;    // Of its spool in the run.
};

struct table_plan;     // sql/plan/table_plan.h: what writing to a table needs.
struct insert_plan;
struct update_plan;

enum rel_lock { // As enum kv_lock has them.
    REL_LOCK_NONE,
    REL_LOCK_KEY_SHARE,
    REL_LOCK_SHARE,
    REL_LOCK_NO_KEY_UPDATE,
    REL_LOCK_UPDATE,
};

struct rel {
    enum rel_kind kind;
    struct rel *left, *right;
    double rows;  // Estimate; below 0: not yet made.
    bool returns; // INSERT, UPDATE, DELETE: with RETURNING, be it of no column.
    union {
        struct {
            const struct table_desc *table; // The plan's copy.
            const char *alias;
            var_id base;           // Column i is variable base + i.
            struct scalar_list conjuncts;
            struct var_set *needed;
            const char *index_hint;
            bool no_full_scan;
            enum rel_lock lock;
            enum lock_wait wait;
            const char *locked_by; // "FOR UPDATE", where the statement says so; or NULL.
            bool no_validate;      // What it reads is read again under a lock.
            // Of the table's statistics objects, one after the other; NULL: there are no such objects. An entry is
            // NULL where the expression cannot be had.
            struct scalar **statistics_expressions;
            bool all_columns;      // Also the ones not public: for UPDATE and DELETE.
        } scan; // SCAN, VIRTUAL, SEQUENCE
        struct {
            struct scalar ***rows; // rows[i][column]
            uint32_t row_count;
            var_id base;
            uint32_t column_count;
        } values;
        struct {
            struct rel_call *calls;
            uint32_t call_count;
            var_id ordinality;     // VAR_NONE: without.
            const char *alias;
        } function; // FUNCTION, PROJECT_SET
        struct {
            struct scalar_list conjuncts;
        } filter;
        struct rel_item_list project;
        struct {
            enum rel_join kind;
            struct scalar_list on;
            bool lateral;          // right mentions variables of left.
        } join;
        struct {
            struct rel_item_list groups;
            struct rel_aggregate *aggregates;
            uint32_t aggregate_count;
            bool plain;            // Without groups: one row even of no input.
            uint32_t set_count;    // GROUPING SETS: groups not in a set are NULL; 0: one set of all.
            bool *in_set;          // [set * groups.count + group]
            struct rel_grouping *groupings;
            uint32_t grouping_count;
        } aggregate;
        struct rel_window window;
        struct {
            var_id *keys;
            uint32_t key_count;    // Of DISTINCT ON; the input is sorted by them first.
            bool on;
        } distinct;
        struct {
            struct rel_order *items;
            uint32_t count;
        } sort;
        struct {
            struct scalar *limit;  // Or NULL.
            struct scalar *offset;
            struct rel_order *ties; // WITH TIES: the order; else NULL.
            uint32_t tie_count;
        } limit;
        struct {
            enum select_kind kind; // SELECT_UNION...
            bool all;
            struct rel **inputs;
            var_id **input_vars;   // Per input, its variable for each output.
            uint32_t input_count;
            var_id *vars;          // Outputs.
            uint32_t var_count;
            uint32_t spool;        // RECURSIVE: of its work table, once planned.
        } set; // UNION_ALL, SET, RECURSIVE (inputs: start and step)
        struct {
            struct rel_cte **ctes;
            uint32_t count;
            bool statement; // Of the whole statement, which reads its tables as they were before it wrote to them.
        } with;
        struct {
            struct rel_cte *cte;
            var_id *vars;          // Of this reference.
        } cte;
        struct {
            var_id *vars;
            uint32_t var_count;
            struct rel *recursive;
        } worktable;
        struct {
            struct rel *scan;      // The REL_SCAN whose rows are locked.
            enum rel_lock lock;
            enum lock_wait wait;
        } lock;
        struct insert_plan *insert;
        struct update_plan *update; // UPDATE and DELETE
    };
};

struct rel *rel_new(struct arena *arena, enum rel_kind kind);
struct rel *rel_filter(struct arena *arena, struct rel *input, struct scalar *condition);
struct rel *rel_join(struct arena *arena, enum rel_join kind, struct rel *left, struct rel *right);
// Adds the variables that a tree gives to the operator above it.
void rel_output_vars(const struct rel *rel, struct var_set *set);
// Adds every variable mentioned anywhere in it.
void rel_collect_vars(const struct rel *rel, struct var_set *set);
// Adds the variables that the tree names where no other expression can stand: keys of its sorts, windows and DISTINCT,
// and what the inputs of its sets give.
void rel_collect_bare_vars(const struct rel *rel, struct var_set *set);
// Calls fn for each expression of the node itself (not of its inputs).
void rel_each_scalar(
    struct rel *rel, void (*fn)(struct scalar **scalar, void *context), void *context);
