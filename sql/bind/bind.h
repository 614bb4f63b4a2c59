// SPDX-License-Identifier: GPL-3.0-or-later
//
// The binder: from the statement tree to the logical plan. It looks names up, finds types and functions,
// and says what is wrong in PostgreSQL's words. Private to sql/bind/bind*.c and sql/plan/plan.c.
//
// In two steps, because recursion as deep as AST_DEPTH_MAX does not fit a fiber's stack and waiting is
// impossible on the big one: bind_names_load (suspends, flat) fetches every relation that the statement
// may mean; then bind_statement runs on a big stack without waiting. On one that is its task's own (deep_call) it
// yields in bind_work and where long values are read or copied, between nosuspend_end and nosuspend_begin, and nowhere else.
//
// Shard    One binder per statement being planned.
// Memory   Everything in the plan's arena; descriptors are copied into it.
// Errors   42P01, 42703, 42702, 42883, 42804, 42803, 42601, 0A000, ...: PostgreSQL's, with positions.
#pragma once
#include "core/hashmap.h"
#include "sql/user/privilege.h"
#include "sql/parse/ast.h"
#include "sql/plan/rel.h"
#include "sql/session/session.h"
#include "sql/plan/table_plan.h"

struct task;

// --- relations ---------------------------------------------------------------------------------------

struct relation {
    const struct table_desc *table;  // The plan's copy.
    const char *schema;              // Where it is.
    struct select *view;             // Of a view.
    struct bytes view_text;
    struct relation **depends;       // Of a view: what its names mean.
    uint32_t depend_count;
    uint32_t privileges;             // Bits that the statement needs.
    uint32_t *used;                  // Per column: what it is used for, of SELECT, INSERT and UPDATE.
    const char *view_owner;          // NULL: checked as the session's user.
    bool whole;                      // Of a table or view: its rows may be meant as a whole, as values of its type.
    bool expanded;                   // Views: dependencies loaded.
    bool written;                    // Foreign keys loaded.
    bool read;                       // Its rows are.
};

// A user-defined type that names may mean.
struct bind_type {
    const struct table_desc *type; // The plan's copy.
    const char *schema;
    bool used;
    struct expr **checks; // Of a domain: its conditions, over VALUE.
};

// A function that a user has made.
struct bind_routine {
    struct function function;
    const char *schema;
    struct expr **defaults; // Per argument; NULL: none.
    struct set_ops set;
    bool used;
};

// A collation that somebody has made.
struct binder;
struct bind_collation {
    const struct table_desc *made; // The plan's copy.
    const char *schema;
    bool used;
};

struct bind_names {
    struct arena *arena;
    struct bind_collation *collations; // Those of the current database.
    uint32_t collation_count;
    struct bind_type *types;
    uint32_t type_count;
    struct bind_routine *routines; // Those of the current database.
    uint32_t routine_count;
    const char **denied; // Schemas that the statement names, or that any of these are in, without USAGE for the user.
    uint32_t denied_count;
    uint32_t *schemas; // That the statement names and the user may use.
    uint32_t schema_count;
    struct hashmap by_name;  // "catalog\0schema\0name\0" -> struct relation, or &missing.
    struct hashmap by_id;
    struct relation **list;  // In order of arrival.
    uint32_t count;
    uint32_t capacity;
};
CHECKED struct status bind_names_load(struct task *task, struct session *session,
    struct arena *arena, const struct statement *statement, struct bind_names *names);
struct relation *bind_names_find(const struct bind_names *names, const struct object_name *name);
// Of a name for which there is none.
enum other_relation bind_names_other(const struct bind_names *names, const struct object_name *name);
// 42501 when what is said to be in the schema may not be used. NULL: it may.
CHECKED struct status bind_check_schema(const struct binder *binder, const char *schema);
struct relation *bind_names_by_id(const struct bind_names *names, uint32_t id);
// By name along the search path (`schema` NULL) or by id; NULL: none.
struct bind_type *bind_names_type(const struct bind_names *names, const struct session *session,
    const char *schema, const char *name);
struct bind_type *bind_names_type_by_id(const struct bind_names *names, uint32_t id);
CHECKED struct status bind_names_add_type(
    struct task *task, struct session *session, struct bind_names *names, uint32_t id);
// The plan relies on it, and on what its fields are of.
void bind_names_use_type(const struct bind_names *names, uint32_t id);
// Makes the shard know them, just before they are used. Does not suspend.
void bind_names_install_types(struct session *session, const struct bind_names *names);
// A deep copy of what plans need.
struct table_desc *table_desc_copy(struct arena *arena, const struct table_desc *table);

// --- scopes ------------------------------------------------------------------------------------------

struct range_column {
    const char *name;
    struct scalar *scalar; // A variable.
    bool hidden;           // Not in `*`.
    bool merged;           // By JOIN USING: found by its plain name through the merged one.
    uint32_t table_oid;
    uint16_t attribute;
    uint32_t *used;        // Of its relation, for privileges; NULL: nobody asks.
};
static inline void range_column_read(const struct range_column *column)
{
    if (column->used != NULL) *column->used |= PRIVILEGE_SELECT;
}
struct range { // A table reference that columns can be qualified with.
    const char *name;
    const char *home;      // The schema that the relation is in; NULL: no relation, or it has an alias.
    struct range_column *columns;
    uint32_t column_count;
    const struct table_desc *table; // Of a plain table, for functional dependency; else NULL.
    var_id base;
    uint32_t relation_id; // Of a table, view or sequence; else 0.
    bool aliased;         // Its columns, or the first of them, have other names here.
    bool scalar; // A function of one value: as a whole row it is that value.
    type_oid row_type; // Of a function's rows when they are values of a composite type; else 0.
    struct rel *source;  // What gives its rows, where it is one item of FROM; else NULL.
    bool outer;          // An outer join may put NULLs in the place of its rows.
    var_id found;        // Not NULL where an outer join found a row, for what has no key: VAR_NONE until somebody asks.
    bool itself; // Of a recursive query's recursive term: that query.
    bool using_alias; // JOIN ... USING (...) AS: its columns are other ranges', or of those of a full join computed.
    bool target;  // What INSERT, UPDATE or DELETE writes: as it is before or, in RETURNING, after.
    // In RETURNING of INSERT: the variable of its system column xmax, VAR_NONE until somebody asks; else NULL.
    var_id *xmax;
    bool deleted; // In RETURNING of DELETE.
    // For FOR UPDATE: what it reads; NULL: nothing that can be locked.
    struct rel *rel;
    const char *no_locks;   // What keeps it from the rows, of a subquery or view: "GROUP BY clause"; or NULL.
    const char *unlockable; // OF it is refused: "a function"; or NULL.
    struct range *next;
};
// What FROM gives: ranges for t.c, columns for plain names and `*`.
struct from_names {
    struct range *ranges;  // Last added first.
    struct range_column *columns;
    uint32_t column_count;
};

struct select_grouping { // var = GROUPING(args)
    var_id var;
    struct scalar **args;
    uint32_t arg_count;
    uint32_t position;
};
// One SELECT's own collections while its expressions are bound.
struct select_level {
    struct rel_aggregate *aggregates;
    uint32_t aggregate_count, aggregate_capacity;
    struct rel_call *sets; // Set-returning functions of the SELECT list.
    uint32_t set_count, set_capacity;
    bool in_aggregate;
    struct select_grouping *groupings;
    uint32_t grouping_count;
    struct rel_window *windows;
    uint32_t window_count, window_capacity;
    const struct select *select;     // Whose WINDOW clause names windows.
    struct window *window_names;     // That clause, each with what it takes over from others.
    uint32_t window_name_count;
    const char *no_windows;          // Why window functions are refused; NULL: they are allowed.
};
struct scope {
    struct scope *parent;
    struct from_names names;
    struct select_level *level; // NULL: no aggregates here.
    const char *clause;         // Where aggregates are refused: "WHERE"; NULL: they are allowed.
    bool sets_allowed;
    struct cte_scope *ctes;
    const struct relation *view; // Names are those of this view.
    bool nested_from;            // Of the right side of a join: `parent` is of the same SELECT.
};
struct cte_scope {
    struct cte_scope *parent;
    const char *name;
    struct rel_cte *cte;
    const char **columns;
    struct type *types;
    struct rel *worktable_of;   // While a recursive term is bound: its REL_RECURSIVE.
    uint32_t hidden;            // Then: so many of its last columns, of SEARCH and CYCLE, are not in `*`.
    uint32_t worktable_references;
};

// --- the binder --------------------------------------------------------------------------------------

struct var_info {
    const char *name;
    const char *table; // Of a column, for EXPLAIN and messages; or NULL.
    struct type type;
    const struct scalar *row; // Of a record that an expression made: that expression; or NULL.
    type_oid domain;          // As a scalar's.
    bool column;              // It is a table's own.
};

struct binder {
    struct task *task;               // Yields in bind_poll; NULL: never.
    uint32_t steps;                  // Since it last looked whether to yield.
    struct arena *arena;
    struct session *session;         // NULL in tests of constants.
    const struct type_context *types;
    const struct bind_names *names;
    struct bytes text;               // For positions; empty: none are told.
    struct type *param_types;
    uint32_t param_count;
    struct var_info *vars;
    uint32_t var_count, var_capacity;
    struct hashmap tables;           // id -> struct table_plan
    uint32_t table_count;
    const struct with_clause *with; // The statement's own: queries within have no WITH that modifies data.
    uint32_t spool_count;
    uint32_t sample_count;           // TABLESAMPLE without REPEATABLE.
    uint32_t view_depth;
    bool writes;                     // Modifies data or locks.
    bool modifies;                   // Modifies data, be it in WITH.
    bool has_volatile;               // Calls something volatile (nextval).
    bool separate;                   // The SELECT whose FROM is bound has sets of groups.
    bool verbatim;                   // For showing it: nothing is computed or rearranged.
    struct bind_notes *notes;        // With `verbatim`; NULL: nobody asks.
    struct cte_scope *ctes;          // Innermost WITH names outside of any SELECT.
    struct resolutions *resolutions; // What the statement's own names mean is told here; NULL: nobody asks.
};

// What the parts of a statement's tree were bound to, by their addresses: for showing it as text (sql/catalog/query_text.c).
struct bind_notes {
    struct hashmap scalars; // struct expr -> struct scalar.
    struct hashmap calls;   // struct expr, of functions other than scalar ones -> struct bound_call.
    struct hashmap ranges;  // struct from_item -> struct range; &from_item.join.using_alias -> that alias's.
    struct hashmap joins;   // struct from_item -> struct name_list: columns of USING or NATURAL.
};
struct bound_call {
    const struct function *function;
    struct scalar **args; // As the function takes them.
    uint32_t arg_count;
};
// Yields now and then, if the binder may: to be called for each part of a statement. 57014.
CHECKED struct status bind_poll(struct binder *binder);
CHECKED struct status bind_work(struct binder *binder, uint32_t parts); // So many at once.
// A copy in the binder's arena of what may be of any size; yields as bind_poll does, and is cut short by a cancel, of
// which the statement hears before it runs.
struct bytes bind_copy(struct binder *binder, struct bytes bytes);
static inline uint64_t bind_note_key(const void *node)
{
    return (uint64_t)(uintptr_t)node;
}
void bind_note_call(struct binder *binder, const struct expr *expr, const struct function *function,
    struct scalar **args, uint32_t arg_count);

// One column of a query's result.
struct output {
    const char *name;
    var_id var;
    struct type type;
    struct scalar *source; // A literal of unknown type, while it may still be coerced; or NULL.
    uint32_t table_oid;
    uint16_t attribute;
    uint32_t position;
};
struct query {
    struct rel *rel;
    struct output *columns;
    uint32_t column_count;
    const char *no_locks; // What keeps FOR UPDATE from its rows: "GROUP BY clause"; or NULL.
    bool reads_tables;    // By name, in subqueries or in views: not a set operation.
};

// Binds a whole statement: *query's rel is its plan, columns what it returns (none: no rows).
CHECKED struct status bind_statement(
    struct binder *binder, const struct statement *statement, struct query *query);

// --- bind.c ------------------------------------------------------------------------------------------

struct status bind_error(struct binder *binder, uint32_t position, uint32_t code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
struct status bind_at(struct binder *binder, struct status st, uint32_t position);
struct status bind_unsupported(struct binder *binder, uint32_t position, const char *what);
var_id bind_new_var(struct binder *binder, const char *name, const char *table, struct type type);
// `count` consecutive ones, for the table's row (columns and expression columns).
var_id bind_new_row(struct binder *binder, const struct table_desc *table, const char *alias);
struct scalar *bind_var(struct binder *binder, var_id var, uint32_t position);
CHECKED struct status bind_type_name(
    struct binder *binder, const struct type_name *name, struct type *type);
// Makes *scalar one of `type`; CAST_IMPLICIT, CAST_ASSIGNMENT or CAST_EXPLICIT rules. 42846 or, for
// assignments, left to the caller: *done false.
CHECKED struct status bind_coerce(struct binder *binder, struct scalar **scalar, struct type type,
    enum cast_context context, bool *done);
CHECKED struct status bind_coerce_bool(
    struct binder *binder, struct scalar **scalar, const char *clause);
// Brings all to their common type (type_common).
CHECKED struct status bind_common_type(struct binder *binder, const char *what,
    struct scalar **scalars, uint32_t count, struct type *type);
// What is still of unknown type becomes text.
CHECKED struct status bind_resolve_unknown(struct binder *binder, struct scalar **scalar);
// Evaluates calls of constants.
// A copy of the node at the top, so that changing one use does not touch another.
struct scalar *bind_again(struct binder *binder, const struct scalar *scalar);
struct scalar *bind_fold(struct binder *binder, struct scalar *scalar);
const char *bind_type_text(struct binder *binder, struct type type);

// --- bind_expr.c, bind_function.c --------------------------------------------------------------------

CHECKED struct status bind_expr(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
CHECKED struct status bind_condition(struct binder *binder, struct scope *scope,
    const struct expr *expr, const char *clause, struct scalar **out);
CHECKED struct status bind_operator(struct binder *binder, const char *name, struct scalar *left,
    struct scalar *right, uint32_t position, struct scalar **out);
CHECKED struct status bind_call(struct binder *binder, const char *name, struct scalar **args,
    uint32_t count, uint32_t position, struct scalar **out);
// bind_operator.c: `a` may be NULL, then it is `b`.
struct scalar *bind_logic_node(
    struct binder *binder, enum scalar_kind kind, struct scalar *a, struct scalar *b);
// Whether two rows are compared item by item: both are written as rows, or both are whole rows with columns alike, of which
// only equality is. Otherwise they are compared as values, with NULLs the greatest.
bool bind_rows_by_item(const struct scalar *left, const struct scalar *right);
CHECKED struct status bind_same_items(
    struct binder *binder, struct scalar *left, struct scalar *right, uint32_t position);
// bind_subscript.c, bind_sublink.c. The bounds of several subscripts, as int4[].
CHECKED struct status bind_subscript_bounds(struct binder *binder, struct scope *scope,
    const struct expr *const *steps, uint32_t count, bool upper, struct scalar **out);
CHECKED struct status bind_subscript(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
CHECKED struct status bind_sublink(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
// scalar_equal, and queries that are written alike in one scope are equal, too.
bool bind_equal(const struct scalar *a, const struct scalar *b);
// The same, and what may differ each time that it is computed is equal when it is written alike: in GROUP BY it is computed
// once.
bool bind_written_alike(const struct scalar *a, const struct scalar *b);
CHECKED struct status bind_function(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
// A call whose only argument is bound already; *out NULL: there is no such function.
CHECKED struct status bind_function_of(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar *arg, struct scalar **out);
CHECKED struct status bind_coerce_args(struct binder *binder, struct scalar **args, uint32_t count,
    const struct function_match *match);
// The call that `match` says, of arguments of its types, computed at once where it can be.
CHECKED struct status bind_call_node(struct binder *binder, const struct function_match *match,
    struct scalar **args, uint32_t count, uint32_t position, struct scalar **out);
// A function in FROM.
struct record_fields;
CHECKED struct status bind_from_call(struct binder *binder, struct scope *scope,
    const struct expr *expr, const struct record_fields *defined, struct rel_call *call);

// --- bind_xml.c --------------------------------------------------------------------------------------

CHECKED struct status bind_xml(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
// XMLTABLE: a relation that gives the columns of `range`, which has room for them.
CHECKED struct status bind_xml_table(struct binder *binder, struct scope *scope, const struct xml_expr *xml,
    struct range *range, struct rel **rel);

// --- bind_collation.c --------------------------------------------------------------------------------

CHECKED struct status bind_collations_load(
    struct task *task, struct session *session, struct bind_names *names);
// The shard's number of it. 42704.
CHECKED struct status bind_collation_named(struct binder *binder, const struct object_name *name,
    uint32_t position, uint32_t *number);
struct type bind_column_type(const struct column_desc *column); // With its collation.
CHECKED struct status bind_collate(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
// Arguments that are compared with each other: all get the collation that they are compared by. 42P21, 42P22.
CHECKED struct status bind_collation_compared(
    struct binder *binder, struct scalar **args, uint32_t count, uint32_t position);
// What `scalar` has when its value is one of `args`, or made of them. 42P21.
CHECKED struct status bind_collation_result(struct binder *binder, struct scalar *scalar,
    struct scalar *const *args, uint32_t count);
// Of a call whose arguments have their types: its own, and whether the function can do with it.
CHECKED struct status bind_collation_call(struct binder *binder, struct scalar *call);
// 42P21 when rows cannot be ordered or grouped by it.
CHECKED struct status bind_collation_order(
    struct binder *binder, const struct scalar *scalar, uint32_t position);

// --- bind_domain.c -----------------------------------------------------------------------------------

// bind_arbiter.c: the unique indexes that ON CONFLICT names by columns, expressions and a condition, or as a constraint.
// 42P10, 42704 when there is none. (55000 when a row gets to one that is deferrable: exec/op_write.c.)
struct written_views;
CHECKED struct status bind_arbiters(struct binder *binder, const struct insert *insert, const struct written_views *views,
    struct insert_plan *plan);
// A cast to a domain: to its base type, then its conditions.
CHECKED struct status bind_domain_cast(struct binder *binder, struct scope *scope,
    const struct expr *expr, type_oid domain, struct scalar **out);
// The same of an array, element by element; `domain` is the array's type.
CHECKED struct status bind_domain_array_cast(struct binder *binder, struct scope *scope,
    const struct expr *expr, type_oid domain, struct scalar **out);
// Of what domain's arrays and elements a function is called that takes any; 0: of none's, or of several.
type_oid bind_domain_args(const struct function *function, struct scalar *const *args, uint32_t count);
// Of what domain's elements the array is that it makes of these; 0: of none's.
type_oid bind_domain_result(const struct function *function, struct scalar *const *args, uint32_t count);
// What is assigned to an element, or to a slice, of an array of a domain's: it is checked, unless it can only be computed once.
CHECKED struct status bind_domain_part(
    struct binder *binder, type_oid domain, bool slice, struct scalar **value, bool *checked);
// Of two operands of an operator between arrays, when one is an array of a domain: 42883 unless the other is, too. A literal
// becomes one.
CHECKED struct status bind_domain_operands(struct binder *binder, const char *name, struct scalar **left,
    struct scalar **right, uint32_t position);
// The conditions of the columns' domains, as checks of the row.
CHECKED struct status bind_domain_checks(struct binder *binder, struct table_plan *plan);
uint32_t bind_domain_check_count(const struct binder *binder, const struct table_desc *table);

// --- bind_from.c -------------------------------------------------------------------------------------

CHECKED struct status bind_from(
    struct binder *binder, struct scope *scope, const struct from_list *from, struct rel **rel);
CHECKED struct status bind_column(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
// All columns of `*` or `t.*`, in order.
CHECKED struct status bind_star(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct range_column **columns, uint32_t *count);
CHECKED struct status bind_relation(struct binder *binder, const struct scope *scope,
    const struct object_name *name, struct relation **relation);
// A range over the table's columns from variable `base` on; added to the scope. `alias` NULL: it has none.
struct range *bind_add_table_range(struct binder *binder, struct from_names *names,
    const struct table_desc *table, const char *alias, var_id base);
// The names of t (a, b): columns beyond them keep theirs.
CHECKED struct status bind_column_aliases(struct binder *binder, struct range *range,
    const struct name_list *aliases, uint32_t position);
CHECKED struct status bind_check_alias(
    struct binder *binder, const struct from_names *names, const struct range *range, uint32_t position);
void bind_range_unasked(struct from_names *names, struct range *range);
struct rel *bind_scan(struct binder *binder, const struct relation *relation, const char *alias);

// --- bind_select.c -----------------------------------------------------------------------------------

// `unknowns`: literals of unknown type in the result stay so (INSERT coerces them).
CHECKED struct status bind_select(struct binder *binder, struct scope *parent,
    const struct select *select, bool unknowns, struct query *query);
CHECKED struct status bind_with(struct binder *binder, struct scope *scope,
    const struct with_clause *with, struct rel **owner);
CHECKED struct status bind_targets(struct binder *binder, struct scope *scope,
    const struct target_list *targets, struct rel **rel, bool unknowns, struct query *query);
CHECKED struct status bind_order_limit(struct binder *binder, struct scope *scope,
    const struct sort_list *order_by, const struct expr *limit, const struct expr *offset,
    bool with_ties, struct query *query);
// bind_row.c: rows as values (where *scalar is a SCALAR_ROW) of the type that they have: record, or of a whole row that of
// its table. Whole rows of tables, fields.
CHECKED struct status bind_row_value(struct binder *binder, struct scalar **scalar);
// The call that makes the record, as far as its fields are known; else NULL.
const struct scalar *bind_row_maker(const struct binder *binder, const struct scalar *record);
// The table reference of that name in this scope alone; `schema` NULL: of any. NULL: none.
struct range *bind_find_range(const struct scope *scope, const char *schema, const char *name);
// That the call is of a user's function, if it is; NULL: of none.
void bind_note_routine(struct binder *binder, const struct function_expr *call, const struct function *function);
// bind_resolution.c. `range` NULL: found by its plain name, in `found_in`.
void bind_note_column(struct binder *binder, const struct scope *scope, const struct scope *found_in,
    const struct range *range, const struct expr *expr, const struct range_column *column);
// A field of a composite type; `expr` NULL: nothing names it.
void bind_note_field(
    struct binder *binder, type_oid oid, const char *name, const struct expr *expr);
// A join is by this column of one of its sides.
void bind_note_using(
    struct binder *binder, const struct from_names *names, const struct range_column *column);
void bind_note_row(struct binder *binder, const struct range *range, const struct expr *expr);
// What stands for each column; NULL: nobody asks.
struct expr **bind_note_field_star(struct binder *binder, const struct target_list *list,
    const struct expr *expr, type_oid oid, const struct range_column *columns, uint32_t count);
struct expr **bind_note_star(struct binder *binder, struct scope *scope, const struct target_list *list,
    const struct expr *expr, const struct range_column *columns, uint32_t count);
// A column of it that is never NULL in a row that is there; NULL when none is known.
struct scalar *bind_present_column(struct binder *binder, struct range *range);
// The scalar, NULL where `present` is: the row is one that an outer join did not find.
struct scalar *bind_if_present(struct binder *binder, struct scalar *present, struct scalar *scalar);
struct scalar *bind_whole_row(struct binder *binder, const struct scope *scope,
    struct range *range, uint32_t position);
CHECKED struct status bind_field(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);
CHECKED struct status bind_field_star(struct binder *binder, struct scope *scope,
    const struct expr *expr, struct range_column **columns, uint32_t *count, type_oid *oid);
CHECKED struct status bind_qualified_range(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct range **range);

// The row's field, NULL when it has none; `expr` is noted as naming it.
struct scalar *bind_field_named(
    struct binder *binder, struct scalar *row, const char *name, const struct expr *expr);
// bind_notation.c: *out NULL when it is not that either. `row` is what `value` was bound from.
CHECKED struct status bind_field_as_call(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct expr *row, const char *name, struct scalar *value, struct scalar **out);
CHECKED struct status bind_column_as_call(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct range *range, struct scalar **out);
CHECKED struct status bind_call_as_field(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar *value, struct scalar **out);

// bind_composite.c: a field of a value; the value as a SCALAR_ROW of its fields; a SCALAR_ROW as a value of the type.
struct scalar *bind_composite_item(struct binder *binder, struct scalar *value, uint32_t slot,
    struct type type, uint32_t position);
struct scalar *bind_composite_row(struct binder *binder, struct scalar *value);
bool bind_composite_find(type_oid oid, const char *name, uint32_t *slot, struct type *type);
CHECKED struct status bind_row_as_composite(
    struct binder *binder, struct scalar **scalar, type_oid oid, enum cast_context context);
// Whether all fields are NULL (or none is).
struct scalar *bind_composite_is_null(struct binder *binder, struct scalar *value, bool null);
// The new value of `base`, whose part at the steps (EXPR_FIELD, EXPR_SUBSCRIPT; outermost first) becomes `value`.
CHECKED struct status bind_assign_part(struct binder *binder, struct scope *scope,
    struct scalar *base, struct type type, const struct expr *const *steps, uint32_t count,
    struct scalar *value, struct scalar **out);

// bind_record.c: which fields a row has.
struct record_fields {
    struct type_field *items;
    uint32_t count;
};
CHECKED struct status bind_record_fields(struct binder *binder,
    const struct column_definition *columns, uint32_t count, struct record_fields *fields);
// A call of json_populate_record and its kin gets what it needs; others stay as they are. `defined` may be NULL.
CHECKED struct status bind_json_record(struct binder *binder, const struct expr *expr,
    const struct record_fields *defined, struct function_match *match, struct scalar ***args,
    uint32_t *count);
// The fields of a function's row as columns, made by `project`.
void bind_expand_record(struct binder *binder, struct rel_call *call,
    const struct record_fields *defined, struct rel *project, struct range_column *columns,
    uint32_t *count);
// f(..., VARIADIC array)
CHECKED struct status bind_variadic(struct binder *binder, const struct expr *expr,
    struct scalar **args, struct type *types, uint32_t count, struct scalar **out);

// bind_sample.c: what TABLESAMPLE takes of the scan's rows; and the error where there is nothing to take it of.
struct from_item;
CHECKED struct status bind_sample(struct binder *binder, const struct scope *scope, const struct from_item *item,
    const struct table_desc *table, struct rel *scan);
CHECKED struct status bind_no_sample(struct binder *binder, const struct from_item *item);

// bind_routine.c: functions that users have made.
CHECKED struct status bind_routines_load(
    struct task *task, struct session *session, struct bind_names *names);
// Those that the name can mean.
uint32_t bind_routines_named(struct binder *binder, const char *schema, const char *name,
    bool procedures, const struct function ***found);
// Whether it is what CALL names.
bool bind_is_called(const struct binder *binder, const char *name);
// A call by names as one by places; *out NULL: there is no such function.
CHECKED struct status bind_routine_names(
    struct binder *binder, const struct expr *expr, struct expr **out);
// After resolution: what was left out is added, and what VARIADIC takes becomes an array. Built-in functions stay as
// they are.
CHECKED struct status bind_routine_args(
    struct binder *binder, const struct function_match *match, bool spread, struct scalar ***args, uint32_t *count);
// A name that no column has, as a parameter of the function whose body is bound; *out NULL: none.
CHECKED struct status bind_routine_parameter(
    struct binder *binder, const struct expr *expr, struct scalar **out);

// bind_ordered.c: WITHIN GROUP.
bool bind_is_hypothetical(const struct function_expr *call);
CHECKED struct status bind_hypothetical(struct binder *binder, struct scope *scope,
    const struct expr *expr, struct scalar **args, struct scalar **out);
CHECKED struct status bind_ordered_args(struct binder *binder, struct scope *scope,
    const struct function_expr *call, struct scalar ***args, struct type **types, uint32_t *count);
struct rel_aggregate *bind_add_aggregate(
    struct binder *binder, struct select_level *level, const struct rel_aggregate *aggregate);

// bind_group.c
CHECKED struct status bind_grouping(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out);

// bind_window.c: the WINDOW clause is read before anything that may use it; bind_windows checks what no
// function used; build adds the operators above *rel.
CHECKED struct status bind_window_names(struct binder *binder, struct select_level *level);
CHECKED struct status bind_windows(struct binder *binder, struct scope *scope);
CHECKED struct status bind_window_call(struct binder *binder, struct scope *scope,
    const struct expr *expr, struct scalar **args, const struct function_match *match,
    struct scalar **out);
CHECKED struct status bind_window_allowed(
    struct binder *binder, const struct scope *scope, const struct expr *expr);
const char *bind_window_nested(void); // no_windows while a window function's arguments are bound.
void bind_window_build(struct binder *binder, struct select_level *level, struct rel **rel);
var_id bind_project_var(
    struct binder *binder, struct rel *project, const char *name, struct scalar *scalar);
CHECKED struct status bind_order_flags(
    struct binder *binder, const struct sort_item *item, struct rel_order *order);
void bind_add_sort(
    struct binder *binder, const struct rel_order *order, uint32_t count, struct rel **rel);
void bind_add_output(
    struct binder *binder, struct query *query, struct output output);

// --- bind_table.c, bind_dml.c ------------------------------------------------------------------------

enum { TABLE_FOR_INSERT = 1, TABLE_FOR_UPDATE = 2, TABLE_FOR_DELETE = 4 };
// What a row is locked in by a statement that sets those columns: REL_LOCK_UPDATE if a foreign key may refer to one of them.
enum rel_lock bind_update_lock(
    const struct table_desc *table, bool (*changes)(const void *arg, uint32_t ordinal), const void *arg);
CHECKED struct status bind_table_plan(struct binder *binder, const struct table_desc *table,
    uint32_t purpose, struct table_plan **plan);
// The table's columns under their plain names, as variables of a new row.
void bind_table_scope(
    struct binder *binder, const struct table_desc *table, struct scope *scope);
// A stored expression of the table (of an index) over the row at `base`.
// NULL: it has none.
CHECKED struct status bind_column_default(
    struct binder *binder, const struct column_desc *column, struct scalar **out);
CHECKED struct status bind_table_expression(struct binder *binder, const struct table_desc *table,
    var_id base, const char *sql, struct scalar **out);
CHECKED struct status bind_assign(struct binder *binder, const struct column_desc *column,
    struct scalar **scalar);
CHECKED struct status bind_insert(
    struct binder *binder, struct scope *parent, const struct insert *insert, struct query *query);
CHECKED struct status bind_update(
    struct binder *binder, struct scope *parent, const struct update *update, struct query *query);
CHECKED struct status bind_delete(
    struct binder *binder, struct scope *parent, const struct delete_ *delete, struct query *query);
