// SPDX-License-Identifier: GPL-3.0-or-later
//
// Executable plans: nodes (made once, read-only) and operators (their state in one run). An operator gives
// batches of rows when asked; what it needs from its inputs it asks for.
//
//   open      once a run: state is made
//   rewind    before the first next, and again whenever slots that it depends on have changed
//   next      *batch with selected 0: no more rows
//   close     frees what is not in the run's arena
//
// Shard    The session's. Everything may suspend.
// Memory   Operators' state: run->arena. What grows with data is charged to the session's account and
//          checked once a batch (53200).
#pragma once
#include "kv/client.h"
#include "sql/exec/batch.h"
#include "sql/exec/expr.h"
#include "sql/type/inverted.h"
#include "sql/plan/rel.h"
#include "sql/exec/row.h"
#include "sql/exec/row_list.h"
#include "sql/exec/row_store.h"
#include "sql/session/session.h"
#include "sql/exec/spill.h"

// Deepest path of operators and subqueries: each takes some hundred bytes of a fiber's stack.
#define NODE_DEPTH_MAX 100u

enum node_kind {
    NODE_ONE,
    NODE_EMPTY,
    NODE_SCAN,
    NODE_VIRTUAL,
    NODE_SEQUENCE,
    NODE_VALUES,
    NODE_FUNCTION,
    NODE_PROJECT_SET,
    NODE_FILTER,
    NODE_PROJECT,
    NODE_HASH_JOIN,
    NODE_MERGE_JOIN,
    NODE_LOOP_JOIN,
    NODE_AGGREGATE,
    NODE_WINDOW,
    NODE_DISTINCT,
    NODE_SORT,
    NODE_LIMIT,
    NODE_APPEND,
    NODE_SET,
    NODE_WITH,
    NODE_CTE,
    NODE_RECURSIVE,
    NODE_WORKTABLE,
    NODE_MATERIALIZE,
    NODE_LOCK,
    NODE_INSERT,
    NODE_UPDATE,
    NODE_DELETE,
};

// What a key column of an index is compared with: expressions over slots and constants.
struct key_value {
    struct expr_program **programs; // One for =; several for IN.
    uint32_t program_count;
    bool is_array;                  // = ANY (array): programs[0] gives the array.
    bool is_null;                   // IS NULL.
    type_oid array_element;
};
struct access {
    struct key_value *equals;       // Of the first key columns.
    uint32_t equal_count;
    struct expr_program **lower;    // Bounds of the column after them; all must hold.
    bool *lower_inclusive;
    uint32_t lower_count;
    struct expr_program **upper;
    bool *upper_inclusive;
    uint32_t upper_count;
    bool not_null;                  // The column after them: without its NULLs.
    bool point;                     // All key columns of a unique index by =.
    bool multi;                     // Several spans (IN).
};

// column operator value, of a column of an inverted index: sql/type/inverted.h.
struct inverted_condition {
    uint32_t column;                // Of the index.
    enum inverted_strategy strategy;
    struct expr_program *program;   // The value.
};

struct node_scan {
    const struct table_desc *table;
    const char *alias;
    struct row_index *index;
    struct row_decoder decoder;
    struct row_index *primary;      // Where to look up what the index lacks; NULL: it has all.
    struct row_decoder lookup;      // Of the primary key's columns in the index.
    uint32_t *lookup_slots;         // Row ordinals of the lookup decoder's slots.
    uint32_t lookup_count;
    struct access access;
    struct inverted_condition *inverted; // Of an inverted index: rows that may meet all of them.
    uint32_t inverted_count;
    bool reverse;
    struct expr_program *filter;    // Over the node's layout; or NULL.
    enum rel_lock lock;
    enum lock_wait wait;
    enum rel_lock selected_lock;    // READ COMMITTED: what passes the filter is locked, and looked at again.
    bool no_validate;               // What it reads does not enter the read set.
    uint64_t limit_hint;            // Rows after which it is likely to be asked no more; 0: unknown.
    const struct scalar_list *conjuncts; // For EXPLAIN.
    struct scalar_list access_conjuncts;
};

struct node_join {
    enum rel_join kind;
    struct expr_program *left_keys, *right_keys;
    type_oid *key_types;
    uint32_t key_count;
    struct expr_program *filter;    // Over left and right columns, in this order; or NULL.
    struct layout wide;             // Left columns, then right columns: the filter's.
    uint32_t *outputs;              // Per output column: its place in `wide`.
    struct expr_binding *bindings;  // LOOP: slots set from the left row before the right is rewound.
    uint32_t binding_count;
    struct expr_program *binding_values; // Over the left layout.
    type_oid *right_types, *left_types;
    bool single;                    // LOOP: the right side gives at most one row.
    bool keeps_order;               // HASH: the left side's order is relied upon.
    const struct scalar_list *on;   // For EXPLAIN.
    const struct scalar_list *merge; // MERGE: the equality that both sides are in order of.
};

struct node_aggregate_call {
    const struct function *function;
    uint32_t first_arg;             // Output of the program.
    uint32_t arg_count;
    uint32_t filter;                // Output, or UINT32_MAX.
    bool distinct;
    uint32_t first_order, order_count;
    bool *descending, *nulls_first;
    type_oid *order_types;
    struct type *arg_types;
    struct type type;
};
struct node_aggregate {
    struct expr_program *program;   // Groups, arguments, filters, orders.
    uint32_t group_count;
    type_oid *group_types;
    struct node_aggregate_call *calls;
    uint32_t call_count;
    bool plain;
    uint32_t set_count;             // See struct rel; above 0 the set's number is a key too.
    const bool *in_set;
    const struct rel_grouping *groupings; // Behind the calls in the layout.
    uint32_t grouping_count;
    bool count_only;                // count(*) alone: rows are counted, not looked at.
    bool ordered;                   // Rows of one group come after each other.
    bool partial;                   // Over a scan: can be computed where the rows are led.
};

struct node_sort_key {
    uint32_t column;
    type_oid type;
    bool descending, nulls_first;
};

// See struct rel_frame. Columns are of the kept rows, offsets outputs of the program of those.
struct node_frame {
    enum frame_mode mode;
    enum frame_bound start, end;
    enum frame_exclusion exclusion;
    uint32_t start_offset, end_offset; // UINT32_MAX: none.
    uint32_t start_key, start_value, end_key, end_value;
    type_oid start_type, end_type;
};
struct node_window_call {
    const struct function *function;
    uint32_t *args;
    uint32_t arg_count;
    uint32_t filter; // UINT32_MAX: none.
    struct type *arg_types;
    struct type type;
    struct node_frame frame;
};
struct node_window {
    struct expr_program *program;   // What the calls and frames need of each row.
    struct expr_program *offsets;   // Frames' offsets, one row; or NULL.
    uint32_t pass_count;            // Columns of the input, all of them.
    uint32_t kept_count;            // These and the program's.
    type_oid *kept_types;           // Those of the calls' results behind them.
    struct node_sort_key *keys;     // Of the input, which is sorted by them.
    uint32_t key_count, partition_count;
    struct node_window_call *calls;
    uint32_t call_count;
};

struct node_call {
    const struct function *function;
    uint32_t first_arg;
    uint32_t arg_count;
    struct type *arg_types;
    struct type result;
    uint32_t column_count;
};

struct node_same {
    uint32_t column, slot;
    type_oid type;
};

struct writer_plan; // sql/exec/writer.h

struct node {
    enum node_kind kind;
    struct node *left, *right;
    struct layout layout;
    type_oid *types;                // Of the layout's variables.
    uint32_t depth;                 // Of the tree beneath, subqueries included.
    double rows, cost;
    union {
        struct node_scan scan;
        struct {
            const struct table_desc *table;
            const char *alias;
            uint32_t *ordinals;
            struct expr_program *filter;
            const struct scalar_list *conjuncts;
        } virtual_scan; // VIRTUAL, SEQUENCE
        struct {
            struct expr_program **rows; // In chunks of chunk_rows rows.
            uint32_t chunk_count, chunk_rows, row_count, column_count;
            uint32_t *columns;          // Which of them are in the layout.
        } values;
        struct {
            struct expr_program *program; // Arguments.
            struct node_call *calls;
            uint32_t call_count;
            bool ordinality;
            uint32_t *pass;             // PROJECT_SET: columns of the input in the layout.
            uint32_t pass_count;
            const char *alias;
        } function;
        struct {
            struct expr_program *program;
            const struct scalar_list *conjuncts;
        } filter;
        struct {
            struct expr_program *program; // All columns of the layout.
        } project;
        struct node_join join;
        struct node_aggregate aggregate;
        struct node_window window;
        struct {
            uint32_t *columns;
            type_oid *types;
            uint32_t count;
        } distinct;
        struct {
            struct node_sort_key *keys;
            uint32_t count;
            struct expr_program *limit; // With its offset: top-k; or NULL.
            struct expr_program *offset;
        } sort;
        struct {
            struct expr_program *limit, *offset; // Or NULL.
            struct node_sort_key *ties;  // WITH TIES: rows equal to the last in these follow.
            uint32_t tie_count;
        } limit;
        struct {
            struct node **inputs;
            uint32_t **columns;         // Per input: its column for each output.
            uint32_t input_count;
            enum select_kind kind;
            bool all;
            uint32_t index;             // RECURSIVE: its work table.
        } set; // APPEND, SET, RECURSIVE
        struct {
            struct node **ctes;
            uint32_t *indexes;
            bool *modifies;
            bool statement; // Of the whole statement, which reads while it writes: see run->mark.
            uint32_t count;
        } with;
        struct {
            uint32_t index;
            uint32_t *columns;
            const char *name;
        } cte; // CTE, WORKTABLE
        struct {
            struct node_scan scan;      // table, alias and primary only.
            uint32_t *key_columns;      // Of the input: the primary key's.
            uint32_t key_count;
            struct expr_program *limit, *offset; // Of the LIMIT above.
            // SKIP LOCKED reads without validation: under the lock the row must still be the same.
            struct row_decoder decoder;
            struct expr_program *filter;  // The scan's conditions over the decoder's slots.
            struct node_same *same;       // Columns of the input that must be what the decoder gives.
            uint32_t same_count;
            enum rel_lock lock;
            enum lock_wait wait;
        } lock;
        struct node_write *write; // INSERT, UPDATE, DELETE: sql/exec/writer.h
    };
};

// --- running -----------------------------------------------------------------------------------------

struct op;
struct op_class {
    size_t size; // Of the operator's state, struct op first.
    struct status (*open)(struct task *task, struct op *op);
    struct status (*rewind)(struct task *task, struct op *op);
    struct status (*next)(struct task *task, struct op *op, struct batch **batch);
    void (*close)(struct op *op);
};
// What an operator and those beneath it have taken.
struct op_stats {
    uint64_t rows, loops;
    uint64_t ns, first_ns; // In all; up to the first rows of the first loop.
    uint64_t spilled_bytes;
    uint32_t parts, shards; // Of partial aggregates.
    struct kv_txn_stats kv;
};
struct op {
    const struct op_class *class;
    const struct node *node;
    struct run *run;
    struct op *left, *right;
    struct arena arena; // Of the batch in the making.
    struct memory_account memory; // Of rows that it keeps.
    uint64_t spilled_bytes;       // Written to the statement's temporary file.
    struct batch out;
    uint64_t rows;      // Given out so far.
    struct op_stats *stats; // For EXPLAIN ANALYZE; else NULL.
};

struct subquery_state;
struct spool;
struct writer;

struct run {
    struct session *session;
    struct kv_txn *txn;
    struct arena *arena;         // Operators' state.
    struct memory_account *account; // The statement's.
    struct spill spill;
    struct datum *slots;         // Parameters first.
    uint32_t capacity;           // Rows of a batch.
    struct subquery_state **subqueries;
    struct spool **spools;
    struct writer **writers;
    uint32_t subquery_count, spool_count, writer_count;
    const struct plan *plan;
    uint64_t rows_affected;
    uint64_t mark;               // Of a statement that reads while it writes: what it has written itself is not read. Or 0.
    bool measured;               // For EXPLAIN ANALYZE.
    struct op **measured_ops;
    uint32_t measured_count;
    bool streaming;              // Some function gives rows over a long time: each goes on at once.
    struct kv_parts *parts;      // Of a partial aggregate, which has no session: what its scan reads.
    uint32_t part;
};
// Of formats and the like, for functions; the plain ones without a session.
const struct type_context *run_types(const struct run *run);

const struct op_class *op_class_of(enum node_kind kind);
CHECKED struct status op_create(
    struct task *task, struct run *run, const struct node *node, struct op **op);
struct status op_rewind_measured(struct task *task, struct op *op);
struct status op_next_measured(struct task *task, struct op *op, struct batch **batch);
static inline struct status op_rewind(struct task *task, struct op *op)
{
    if (op->stats != NULL) return op_rewind_measured(task, op);
    return op->class->rewind(task, op);
}
static inline struct status op_next(struct task *task, struct op *op, struct batch **batch)
{
    if (op->stats != NULL) return op_next_measured(task, op, batch);
    return op->class->next(task, op, batch);
}
void op_close(struct op *op);
// What a scan by spans reads, after its rewind.
void op_scan_spans(const struct op *op, const struct span **spans, uint32_t *count);
// Whether what the account pays for should go to the temporary file, rather than take `more` bytes.
bool run_spills(const struct run *run, const struct memory_account *account, uint64_t more);
// After rows were added to a list that op->memory pays for: lets it go on in the file when it must.
CHECKED struct status op_keep_list(struct op *op, struct row_list *list);
// Rows of the list from *at on as a batch: columns[i] of the list in column map[i]; `map` NULL: i.
CHECKED struct status op_emit_list(struct task *task, struct op *op, struct row_list_reader *reader,
    const uint32_t *map, uint64_t *at);
// Columns of `out`, of run->capacity rows each.
void op_alloc_columns(struct op *op, uint32_t count);

// --- rows kept ---------------------------------------------------------------------------------------

// A hash table from rows of key datums to numbers.
struct row_hash {
    struct row_store keys;
    uint64_t *hashes;      // Per key row.
    uint32_t *buckets;     // Number of the row + 1; 0 free.
    uint32_t mask;
};
void row_hash_init(
    struct row_hash *hash, struct memory_account *account, const type_oid *types, uint32_t width);
void row_hash_reset(struct row_hash *hash);
// Bytes that the table itself grows by when `rows` more keys are added.
uint64_t row_hash_growth(const struct row_hash *hash, uint64_t rows);
void row_hash_fini(struct row_hash *hash);
uint64_t row_hash_of(const type_oid *types, uint32_t width, struct datum *const *columns, uint32_t at);
// The number of the row that equals it (NULLs equal), adding it when *added is not NULL.
CHECKED struct status row_hash_find(struct task *task, struct row_hash *hash,
    struct datum *const *columns, uint32_t at, uint32_t *number, bool *added);
#define ROW_HASH_NONE UINT32_MAX

// --- subqueries and shared results -------------------------------------------------------------------

struct spool { // The rows of a common table expression.
    struct row_list rows;
    struct op *owner;      // Pays for them.
    struct op *op;         // What makes them; NULL when another operator fills it in.
    bool filled;
};
CHECKED struct status subquery_value(struct task *task, struct run *run,
    const struct expr_subquery *subquery, struct arena *arena, struct datum *value);
void subquery_close(struct run *run);
