// SPDX-License-Identifier: GPL-3.0-or-later
//
// The planner: from the logical plan to nodes. Private to sql/plan/plan*.c.
//
// Costs are in units of one row passed on by a scan; they only compare plans of one statement.
#pragma once
#include "sql/bind/bind.h"
#include "sql/exec/op.h"
#include "sql/plan/plan.h"
#include "sql/exec/writer.h"

#define COST_START 10.0         // Of a request to storage.
#define COST_ROW 1.0
#define COST_LOOKUP 12.0        // Of one row of a batch of lookups.
#define COST_POINT 12.0         // Of one point read by itself.
#define COST_FILTER 0.1
#define COST_HASH_BUILD 1.5
#define COST_HASH_PROBE 0.8
#define COST_MERGE 0.5          // Of one row of either side.
#define COST_SORT_ROW 0.25      // Times log2 of the rows.
#define COST_PLANNING 200.0     // Of one table, in a plan for one execution.
#define ROWS_UNKNOWN 1000.0     // Of a table without statistics.

struct planner;

// Where an expression's unknown variables come from: see struct expr_outer.
struct outer_frame {
    struct expr_outer outer;    // First.
    struct planner *planner;
    struct outer_frame *parent; // NULL at the statement's top.
    struct expr_binding *bindings;
    uint32_t count, capacity;
};

// A subquery's share of the stack, in operators.
#define SUBQUERY_DEPTH 2u

struct planner {
    struct arena *arena;
    struct binder *binder;
    struct session *session;
    uint64_t tenant;
    struct outer_frame *frame;  // In force.
    struct outer_frame *top;
    uint32_t slot_count, subquery_count;
    const struct node **shown;  // Of subqueries, for EXPLAIN.
    uint32_t shown_count, shown_capacity;
    struct writer_plan **writers;
    uint32_t depth;             // Of the rel being planned, against recursion.
    uint32_t chunk_rows;        // The most that VALUES give at once.
    uint32_t subquery_depth;    // Of the deepest subquery of the node being planned.
};

// For EXPLAIN: what a variable stands for. A call of an aggregate or a window function, or an expression.
struct shown_call {
    const struct function *function;
    struct scalar *const *args;
    uint32_t arg_count;
    const struct scalar *filter; // Or NULL.
    bool distinct, window;
};
void plan_show_scalar(struct planner *planner, var_id var, const struct scalar *scalar);
void plan_show_call(struct planner *planner, var_id var, const struct shown_call *call);
const struct scalar *plan_shown_scalar(const struct binder *binder, var_id var); // NULL: none.
const struct shown_call *plan_shown_call(const struct binder *binder, var_id var);

// Equalities between the columns of inner joins' inputs: those that follow from others are added, so that
// any of them can connect two inputs. False when some may be missing: then all must be looked at.
bool plan_equalities_close(struct planner *planner, struct rel *const *items, uint32_t count,
    struct scalar_list *on);
// Of the conditions under which input `next` joins, those that others imply are taken out again.
void plan_equalities_thin(struct planner *planner, struct rel *const *items, uint32_t count,
    uint32_t next, struct scalar_list *on);

// An order that is wanted of a node, and how many rows of it (0: all).
struct want {
    const struct rel_order *order;
    uint32_t count;
    double limit;
};

struct outer_frame *plan_frame_push(struct planner *planner);
void plan_frame_pop(struct planner *planner, struct outer_frame *frame);

// plan.c: the state of a run whose operators are measured.
const struct run *plan_run_measured(const struct plan_run *run);

// plan_rewrite.c
struct rel *plan_rewrite(struct binder *binder, struct rel *rel);

// plan_estimate.c. `scan` NULL: of no table in particular.
double plan_selectivity(const struct scalar *conjunct, const struct rel *scan);
// Of all together: two bounds of one column are one range.
double plan_selectivity_all(const struct scalar_list *conjuncts, const struct rel *scan);
// The share of all pairs of rows of what was joined so far (`lefts`) and `right` that meet `on`.
double plan_join_selectivity(const struct scalar_list *on, struct rel *const *lefts,
    uint32_t left_count, struct rel *right, double left_rows);
double plan_estimate_rows(struct rel *rel);

// plan_joint.c: what statistics objects of a scan's table say. 0: nothing.
double plan_expression_distinct(const struct rel *scan, const struct scalar *scalar);
// Distinct combinations of those of at most 64 items that *covered names by bits.
double plan_joint_distinct(const struct rel *scan, const struct scalar *const *items,
    uint32_t count, uint64_t *covered);
// The share of rows that meet those conjuncts that *taken names, of the first 64.
double plan_joint_share(
    const struct rel *scan, const struct scalar_list *conjuncts, uint64_t *taken);

// plan_physical.c
CHECKED struct status plan_node(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **node, bool *ordered);
struct node *plan_new_node(struct planner *planner, enum node_kind kind);
void plan_set_layout(struct planner *planner, struct node *node, const struct var_set *vars);
void plan_layout_vars(
    struct planner *planner, struct node *node, const var_id *vars, uint32_t count);
// `scalar` where `filter` (or NULL) is true, and NULL elsewhere without looking at it: sum(1 / x) FILTER (WHERE x <> 0).
struct scalar *plan_where(struct arena *arena, struct scalar *filter, struct scalar *scalar);
CHECKED struct status plan_filter_node(
    struct planner *planner, struct node *input, const struct scalar_list *conjuncts, struct node **node);
CHECKED struct status plan_program(struct planner *planner, const struct layout *layout,
    struct scalar *const *scalars, uint32_t count, struct expr_program **program);
CHECKED struct status plan_subquery(struct expr_outer *outer, const struct layout *layout,
    const struct scalar *scalar, struct expr_subquery **subquery);
struct node *plan_materialize(struct planner *planner, struct node *input);
void plan_node_depth(struct node *node);

// plan_access.c: `more` are conjuncts of a join that mention other tables (parameterised access); may be NULL.
CHECKED struct status plan_scan(struct planner *planner, struct rel *rel,
    const struct scalar_list *more, const struct var_set *needed, const struct want *want,
    struct node **node, bool *ordered);

// What plan_scan would cost, and how many rows it would give, without planning it.
CHECKED struct status plan_scan_cost(struct planner *planner, struct rel *rel,
    const struct scalar_list *more, const struct var_set *needed, double *cost, double *rows);

// plan_order.c: the order in which to join inputs, each with all before it, and the rows after each.
CHECKED struct status plan_join_order(struct planner *planner, struct rel *const *items,
    uint32_t count, const struct scalar_list *on, const struct var_set *needed, uint32_t *order,
    double *rows);

// plan_join.c
CHECKED struct status plan_join(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **node, bool *ordered);

// plan_window.c
CHECKED struct status plan_window(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **node, bool *ordered);

// plan_set.c
CHECKED struct status plan_set(struct planner *planner, struct rel *rel,
    const struct var_set *needed, enum node_kind kind, struct node **node);
CHECKED struct status plan_recursive(struct planner *planner, struct rel *rel, struct node **node);
CHECKED struct status plan_with(struct planner *planner, struct rel *rel,
    const struct var_set *needed, const struct want *want, struct node **node, bool *ordered);
CHECKED struct status plan_cte(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **node);
CHECKED struct status plan_worktable(struct planner *planner, struct rel *rel, struct node **node);

// plan_write.c
CHECKED struct status plan_write(
    struct planner *planner, struct rel *rel, const struct var_set *needed, struct node **node);

struct plan_table {
    uint32_t id, version;
    uint32_t privileges;
    const uint32_t *used; // Per column, what of them it is used for; NULL: nothing.
    bool written, read;
    const struct table_desc *table;
};
struct plan {
    struct arena *arena;
    struct node *root;
    struct result_column *columns;
    uint32_t *output_columns;   // Of the root's layout.
    uint32_t column_count;
    uint32_t param_count, slot_count, subquery_count, spool_count, writer_count;
    uint32_t seed_slot; // Of samples without a seed of their own; PARAM_SEED: there are none.
    uint32_t capacity;
    bool read_only;
    bool modifies;              // The statement itself is INSERT, UPDATE or DELETE.
    const char *verb;           // "INSERT": for messages.
    struct plan_table *tables;
    uint32_t table_count;
    const char *const *search_path; // That names were resolved by.
    const uint32_t *schemas; // That the statement says, for which the user had to have USAGE.
    uint32_t schema_count;
    const char *database;
    const char *user; // Whose privileges were checked.
    uint32_t temp_generation; // session.h
    const struct node **subplans; // For EXPLAIN.
    uint32_t subplan_count;
    struct binder *binder;      // For the names of variables in EXPLAIN.
    struct plan_run *idle;      // A run kept for the next execution.
};
// plan_custom.c: parameters of the query become these constants.
void plan_put_values(
    struct arena *arena, struct rel *rel, const struct datum *items, uint32_t count);
// The seed of samples without one of their own is in that slot.
void plan_put_seed(struct rel *rel, uint32_t slot);

// Whether the aggregate over a scan can be computed in parts: sql/plan/plan_partial.c.
bool plan_aggregate_is_partial(const struct rel *rel, const struct node *node);
