// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bound scalar expressions: what the binder makes of sql/parse/ast.h expressions once names and types are known.
// A column is a variable (var_id), unique in its statement whatever table reference, projection or
// aggregate makes it; so moving an expression from one place of the plan to another changes nothing in it.
//
// Shard    Plain data of the plan that owns it. Trees may share subtrees; they are not changed once bound.
// Memory   The plan's arena.
// Source   PostgreSQL 15, chapters 4.2 and 10.
#pragma once
#include "core/arena.h"
#include "sql/parse/ast.h"
#include "sql/function/function.h"

typedef uint32_t var_id;
#define VAR_NONE UINT32_MAX

struct rel;

enum scalar_kind {
    SCALAR_CONST,
    SCALAR_PARAM,     // $n, by number from 0.
    SCALAR_VAR,
    SCALAR_CALL,      // Functions and operators.
    SCALAR_CAST,
    SCALAR_TYPMOD,    // args[0] made to fit type.typmod.
    SCALAR_AND,
    SCALAR_OR,
    SCALAR_NOT,
    SCALAR_IS,        // is_test of args[0].
    SCALAR_DISTINCT,  // args[0] IS [NOT] DISTINCT FROM args[1], of one type.
    SCALAR_CASE,      // args: condition, result, condition, result, ..., otherwise.
    SCALAR_COALESCE,
    SCALAR_EXTREME,   // GREATEST (greatest) or LEAST of args, of one type.
    SCALAR_NULLIF,    // args[0], unless args[1] (a comparison) is true.
    SCALAR_IN,        // args[0] among args[1..], all of one type.
    SCALAR_ANY_ARRAY, // args[0] op ANY|ALL(args[1]); compare: over element and args[0].
    SCALAR_ARRAY,     // ARRAY[args...]
    SCALAR_SUBSCRIPT, // args[0][args[1]]
    SCALAR_SUBQUERY,
    SCALAR_ROW,       // While binding only: becomes comparisons of its items, or a record.
    SCALAR_SQL_VALUE, // current_user and others of the session.
};

struct scalar {
    enum scalar_kind kind;
    struct type type;
    uint32_t position; // In the statement's text, in bytes, or POSITION_NONE.
    struct scalar **args;
    uint32_t arg_count;
    bool collation_explicit; // type.collation is one that COLLATE named.
    const char *collate;     // It is this node: the name as SQL. Else NULL.
    const struct expr *source; // In a verbatim binding, of what has no other form than in the tree (columns, aggregates,
                               // queries): where it stands there. Else NULL.
    type_oid domain;   // While binding only: it was declared as of this domain, or as an array of one; 0: not, or not known.
    bool unread;       // CAST of a literal that is read when it runs: 'now', names of objects.
    union {
        struct datum value;  // CONST
        uint32_t param; // Or PARAM_SEED, until the parameters are counted.
        var_id var;
        const struct function *function; // CALL
        struct {
            const struct cast *cast;
            bool is_explicit;
        } cast;                          // CAST, TYPMOD
        bool simple_case;                // CASE x WHEN value: conditions are x = value.
        enum is_test test;
        bool negated;                    // DISTINCT (IS NOT DISTINCT FROM), IN
        bool greatest;
        struct {
            const char *const *names; // NULL: f1, f2, ...
            struct scalar *present;   // NULL where an outer join found no row; or NULL: it has one.
        } row;                           // ROW
        struct {
            struct scalar *compare;      // Over element_var and the left operand.
            var_id element_var;
            bool all;
        } any_array;
        struct {
            enum sublink_kind kind;
            struct rel *rel;
            var_id *outputs;             // What the query gives, one or several columns.
            uint32_t output_count;
            bool once;                   // Stands in several places, and is computed once for them.
            struct scalar *compare;      // ANY, ALL: over outputs and test_vars.
            var_id *test_vars;           // Stand for args[] in `compare`.
            struct sublink_origin *origin; // As it was written (sql/bind/bind_sublink.c); NULL: it was not.
        } subquery;
        enum sql_value sql_value;
    };
};

#define PARAM_SEED UINT32_MAX

struct scalar *scalar_new(
    struct arena *arena, enum scalar_kind kind, struct type type, uint32_t position);
struct scalar *scalar_const(
    struct arena *arena, struct type type, struct datum value, uint32_t position);
struct scalar *scalar_bool(struct arena *arena, bool value);
struct scalar *scalar_null(struct arena *arena, struct type type, uint32_t position);
struct scalar *scalar_var(struct arena *arena, var_id var, struct type type, uint32_t position);
// With room for `count` args, all NULL.
struct scalar *scalar_with_args(struct arena *arena, enum scalar_kind kind, struct type type,
    uint32_t position, uint32_t count);
// a AND b; either may be NULL (true).
struct scalar *scalar_and(struct arena *arena, struct scalar *a, struct scalar *b);

static inline bool scalar_is_const(const struct scalar *scalar)
{
    return scalar->kind == SCALAR_CONST;
}
static inline bool scalar_is_null_const(const struct scalar *scalar)
{
    return scalar->kind == SCALAR_CONST && scalar->value.null;
}
static inline bool scalar_is_unknown(const struct scalar *scalar)
{
    return scalar->type.oid == TYPE_UNKNOWN;
}
// Same value for the same rows; volatile calls are never equal.
bool scalar_equal(const struct scalar *a, const struct scalar *b);
// Likewise, and `same` tells which queries are equal; to scalar_equal none are.
typedef bool scalar_same_query(const struct scalar *a, const struct scalar *b);
bool scalar_equal_by(const struct scalar *a, const struct scalar *b, scalar_same_query *same);
bool scalar_is_volatile(const struct scalar *scalar);
bool scalar_is_immutable_itself(const struct scalar *scalar); // As below, its arguments apart.
bool scalar_is_immutable(const struct scalar *scalar); // Calls and casts that settings and names do not change.
bool scalar_has_subquery(const struct scalar *scalar);
// Without columns: literals, parameters and calls of them.
bool scalar_is_row_free(const struct scalar *scalar);

// --- sets of variables -------------------------------------------------------------------------------

struct var_set {
    uint64_t *words;
    uint32_t word_count;
};
struct var_set var_set_new(struct arena *arena, uint32_t var_count);
static inline bool var_set_has(const struct var_set *set, var_id var)
{
    return var / 64 < set->word_count && (set->words[var / 64] >> (var % 64) & 1) != 0;
}
static inline void var_set_add(struct var_set *set, var_id var)
{
    set->words[var / 64] |= (uint64_t)1 << (var % 64);
}
void var_set_add_all(struct var_set *set, const struct var_set *other);
bool var_set_contains(const struct var_set *set, const struct var_set *other);
bool var_set_overlaps(const struct var_set *set, const struct var_set *other);
bool var_set_empty(const struct var_set *set);
// Adds every variable that the expression mentions, those inside of subqueries included.
void scalar_collect_vars(const struct scalar *scalar, struct var_set *set);
// Adds those that its subqueries name where no other expression can stand (rel_collect_bare_vars).
void scalar_collect_bare_vars(const struct scalar *scalar, struct var_set *set);

// --- conjuncts ---------------------------------------------------------------------------------------

struct scalar_list {
    struct scalar **items;
    uint32_t count;
    uint32_t capacity;
};
void scalar_list_add(struct arena *arena, struct scalar_list *list, struct scalar *scalar);
// Adds a's conjuncts (a AND b AND ... flattened; constant true left out).
void scalar_list_add_conjuncts(struct arena *arena, struct scalar_list *list, struct scalar *scalar);
void scalar_list_add_list(
    struct arena *arena, struct scalar_list *list, const struct scalar_list *other);

// Replaces variables: to[i] for from[i]. Copies what changes, but subqueries, which change in place: each has one place in
// the tree. Of variables that they name where no other expression can stand, to[i] must be a variable.
struct scalar_substitution {
    const var_id *from;
    struct scalar *const *to;
    uint32_t count;
};
struct scalar *scalar_substitute(
    struct arena *arena, struct scalar *scalar, const struct scalar_substitution *map);

// Comparisons by a btree operator, recognised in calls: column op value.
enum scalar_compare { COMPARE_NONE, COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum scalar_compare scalar_compare_of(const struct scalar *call);
enum scalar_compare scalar_compare_swap(enum scalar_compare compare); // a < b is b > a.
// The expression beneath casts that change no bits (varchar to text).
const struct scalar *scalar_strip(const struct scalar *scalar);
// Whether the index order of type `column` is the order in which `value` compares with it.
bool scalar_key_compatible(type_oid column, type_oid value);

// Text for EXPLAIN. `name` gives the names of variables.
struct scalar_namer {
    const char *(*name)(const struct scalar_namer *namer, var_id var);
    const void *context;
};
void scalar_format(
    struct buffer *out, const struct scalar *scalar, const struct scalar_namer *namer);
