// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scalar functions, operators, casts, aggregates and set-returning functions: their registry and how
// a call is resolved by PostgreSQL's rules.
//
// Every entry is a static table row; tables register at start-up (function_register). Layers above add
// theirs (crdb_internal.*, fingerprints) with the same call.
//
// Shard    Registration happens before shards start; lookups are read-only.
// Errors   42883 no such function or operator (with PostgreSQL's hint), 42725 ambiguous, 42804.
// Source   PostgreSQL 15 manual, chapter 10 "Type Conversion"; pg_proc, pg_operator, pg_cast.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/type/datum.h"
#include "sql/type/type.h"

struct task;
struct session;
struct table_desc;

// What a function body gets besides its arguments. One per expression evaluation, reused for rows.
struct function_call {
    struct task *task;                   // For those that suspend (nextval); may be NULL in constant folding.
    struct session *session;             // May be NULL.
    const struct function *function;     // Of set-returning ones: the entry that is called.
    struct arena *arena;                 // For results: lives as long as the batch.
    const struct type_context *context;
    const struct type *arg_types;
    uint32_t arg_count;
    struct type result_type;
    void *state;                         // Per call site, zero at first: compiled patterns and the like.
    struct arena *state_arena;           // Lives as long as the plan runs.
    bool folding;                        // The binder tries whether it is a constant: not for long.
    uint64_t work;                       // function_work's.
};

// A call is about to look at, or make, so many bytes more. Suspends when others have waited for long, and
// so learns that the statement is cancelled: functions over values of any length call this as they go,
// every some KiB. In folding what is long is refused, and done when the plan runs.
CHECKED struct status function_work(struct function_call *call, uint64_t bytes);

// *result is zero (not NULL) at the call.
typedef struct status (*function_fn)(
    struct function_call *call, const struct datum *args, struct datum *result);

enum function_volatility { FUNCTION_IMMUTABLE, FUNCTION_STABLE, FUNCTION_VOLATILE };
enum function_kind { FUNCTION_SCALAR, FUNCTION_OPERATOR, FUNCTION_AGGREGATE, FUNCTION_SET, FUNCTION_WINDOW };

// Functions that look at the rows around theirs: sql/exec/op_window.c computes them.
enum window_function {
    WINDOW_NONE,
    WINDOW_ROW_NUMBER,
    WINDOW_RANK,
    WINDOW_DENSE_RANK,
    WINDOW_PERCENT_RANK,
    WINDOW_CUME_DIST,
    WINDOW_NTILE,
    WINDOW_LAG,
    WINDOW_LEAD,
    WINDOW_FIRST_VALUE,
    WINDOW_LAST_VALUE,
    WINDOW_NTH_VALUE,
};

// An aggregate's state lives in `arena` (of the group); merge combines partial states.
struct aggregate_ops {
    size_t state_bytes;
    void (*init)(void *state);
    struct status (*step)(struct function_call *call, void *state, const struct datum *args);
    struct status (*merge)(struct function_call *call, void *state, const void *other);
    struct status (*final)(struct function_call *call, void *state, struct datum *result);
    bool ordered_set; // WITHIN GROUP: its rows come sorted by the arguments after the direct ones.
    bool takes_null; // Otherwise rows with a NULL argument are skipped (count(x), sum...).
};

// A set-returning function: `next` gives one row at a time; columns of the result are described.
struct set_ops {
    uint32_t column_count;         // 1 for generate_series.
    const char *const *column_names;
    const type_oid *column_types;
    size_t state_bytes;
    struct status (*start)(struct function_call *call, void *state, const struct datum *args);
    struct status (*next)(struct function_call *call, void *state, struct datum *row, bool *done);
    // When the run ends, however it does. Must not suspend. May be NULL.
    void (*end)(struct function_call *call, void *state);
    // Rows come over a long time: each is handed on at once, in a batch of its own, and flushed to the client.
    bool streaming;
};

struct function {
    const char *name;      // "lower", or an operator's "+"
    enum function_kind kind;
    uint32_t oid;          // PostgreSQL's pg_proc/pg_operator oid where it has one; else assigned from 100,000.
    type_oid result;       // Pseudo-types (anyelement, anyarray) are resolved from the arguments.
    uint8_t arg_count;     // Of args, the variadic last one included. Prefix operators: 1.
    bool variadic;         // The last argument repeats (VARIADIC).
    bool strict;           // NULL in, NULL out, without a call.
    enum function_volatility volatility;
    const type_oid *args;
    function_fn fn;        // Scalars and operators.
    const struct aggregate_ops *aggregate;
    const struct set_ops *set;
    enum window_function window; // Of FUNCTION_WINDOW.
    const char *commutator, *negator; // Operators: for the planner; may be NULL.
    // A result typmod from the argument types, where it is not -1; may be NULL.
    int32_t (*typmod)(const struct type *args, uint32_t count);
    const char *schema;    // NULL: pg_catalog.
    const struct table_desc *user; // Of a function in SQL that a user has made; else NULL.
    bool writes;                   // Though it is not volatile: not in a transaction that only reads.
    uint8_t default_count;         // So many of the last arguments may be left out.
};

// count(*) of whatever arguments, NULL ones too: for counts of distinct rows.
extern const struct function aggregate_count_rows;

void function_register(const struct function *table, uint32_t count);
void function_register_builtin(void); // All of this layer's tables; once.
const struct function *function_at(uint32_t index); // For pg_proc; NULL past the end.
// Those of one name (operators too), in turn: start with `after` NULL.
const struct function *function_next_named(const char *name, const struct function *after);
const struct function *function_by_oid(enum function_kind kind, uint32_t oid);

struct cast {
    type_oid from, to;
    enum cast_context { CAST_IMPLICIT, CAST_ASSIGNMENT, CAST_EXPLICIT } context;
    bool binary;    // The datum is the same: no function.
    function_fn fn; // With call->result_type for the typmod. NULL with `binary`, or through text.
    bool through_text;
    bool elements; // Array to array, element by element.
    uint32_t function_oid; // pg_cast.castfunc, or 0.
};
// The cast allowed in `context`, or NULL. Explicit allows all, assignment allows implicit ones too.
const struct cast *cast_find(type_oid from, type_oid to, enum cast_context context);
// Whether it gives the same whatever the session has set: not where a zone, a style of dates or a name decides.
bool cast_is_immutable(const struct cast *cast, type_oid from, type_oid to);
// Equal types give a binary cast; TYPE_UNKNOWN can become anything.
const struct cast *cast_at(uint32_t index); // For pg_cast; NULL past the end.
// Runs a cast, text forms and typmod coercion (22001, rounding) included.
CHECKED struct status cast_apply(struct function_call *call, const struct cast *cast, struct type from,
    struct type to, bool is_explicit, struct datum in, struct datum *out);
// Applies `to`'s typmod to a value that is already of its type.
CHECKED struct status cast_apply_typmod(
    struct function_call *call, struct type to, bool is_explicit, struct datum in, struct datum *out);

// What resolution decided: the entry, the type each argument is to be cast to, the result's type.
struct function_match {
    const struct function *function;
    type_oid *args; // `count` of them, in the arena given.
    struct type result;
};
// `schema` NULL: pg_catalog and public. An unknown literal alone as argument of a function named like a
// type resolves to that type's input function, whose argument stays TYPE_UNKNOWN. Arguments of type TYPE_UNKNOWN are untyped literals and parameters.
CHECKED struct status function_resolve(struct arena *arena, enum function_kind kind, const char *schema,
    const char *name, const struct type *args, uint32_t count, struct function_match *match);
// Stored expressions name a user's function by its id, in the place of the schema: it may be moved and renamed.
const char *function_reference(struct arena *arena, uint32_t id);
// False: it is the name of a schema, or NULL.
bool function_is_reference(const char *schema, uint32_t *id);
// Whether a stored expression (or NULL) may call such a function.
bool function_in_text(const char *sql);
// As above for any of scalar, aggregate, set-returning and window; NULL match->function on 42883.
// `extra`: functions of that name that are in no table, those that users have made.
CHECKED struct status function_resolve_any(struct arena *arena, const char *schema, const char *name,
    const struct function *const *extra, uint32_t extra_count, const struct type *args,
    uint32_t count, struct function_match *match);
// CALL of a function, or a procedure in an expression: 42809. No such procedure: 42883.
CHECKED struct status function_of_other_kind(struct arena *arena, const char *name,
    const struct type *args, uint32_t count, bool calling);
CHECKED struct status function_no_procedure(
    struct arena *arena, const char *name, const struct type *args, uint32_t count);
// The common type of UNION, CASE, VALUES, COALESCE: chapter 10.5. `what` is for the message: "CASE".
CHECKED struct status type_common(
    struct arena *arena, const char *what, const type_oid *types, uint32_t count, type_oid *common);
