// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writing rows of one table: its indexes kept in step, NOT NULL, CHECK, unique and foreign keys held.
//
// Unique keys are checked as rows are written; foreign keys when the statement is at its end
// (writers_finish), so that rows of one statement may refer to each other. What a deleted or re-keyed
// parent entails (CASCADE, SET NULL) is done there too, by the children's own writers, until nothing is
// left to do.
//
// Shard    The session's. Everything with a task suspends.
// Memory   Queues of foreign keys are charged to the session's account.
// Errors   23502, 23505, 23514, 23503 with PostgreSQL's messages and details; KV's own.
// Source   PostgreSQL 15: ri_triggers.c for what each referential action does (not how).
#pragma once
#include "sql/exec/op.h"
#include "sql/plan/table_plan.h"

// In the order in which they are looked at. Domains' come before any NOT NULL, views' when the row is written.
enum writer_check_kind { WRITER_CHECK_DOMAIN, WRITER_CHECK_TABLE, WRITER_CHECK_VIEW, WRITER_CHECK_KINDS };
struct writer_checks {
    struct expr_program *program;       // One output a check; NULL: there are none.
    uint32_t *which;                    // Among the table plan's.
    uint32_t count;
};

// Compiled with the plan.
struct writer_plan {
    struct table_plan *table;
    struct row_index *indexes;          // Per index of the table.
    struct layout row;                  // row_base + ordinal.
    type_oid *types;
    struct expr_program *generated;     // Outputs for generated_ordinals.
    uint32_t *generated_ordinals;
    uint32_t generated_count;
    struct expr_program *expressions;   // Of indexes.
    uint32_t *expression_ordinals;
    uint32_t expression_count;
    struct writer_checks checks[WRITER_CHECK_KINDS];
    struct expr_program *predicates;    // One output a partial index.
    uint32_t *predicate_outputs;        // Per index; UINT32_MAX: no predicate.
    struct expr_program *defaults;      // For SET DEFAULT: one output a column.
    struct row_index *parents;          // Per reference: the parent's index.
    type_oid **reference_types;         // Per reference: of its columns here.
    struct row_index *children;         // Per back reference: index to find children by.
    struct row_decoder *child_keys;     // Its primary key columns, and its own.
    uint32_t **child_key_ordinals;
    uint32_t *child_key_counts;
    type_oid **key_types;               // Per back reference: of old and new key columns.
    struct row_decoder all;             // The whole row out of the primary index.
    bool has_unique_secondary;
    bool *uncertain;                    // Per index: row_index_is_uncertain().
    struct expr_program *target_columns; // One output a column of what the table is rewritten as; or NULL.
};
CHECKED struct status writer_compile(struct arena *arena, uint64_t tenant,
    struct expr_outer *outer, struct table_plan *table, struct writer_plan *plan);

// How INSERT, UPDATE and DELETE use it.
#define NODE_WRITE_XMAX UINT32_MAX
struct node_write {
    struct writer_plan *writer;
    struct writer_plan **writers;       // All of the statement's, by table_plan.index.
    const struct insert_plan *insert;
    const struct update_plan *update;
    uint32_t *sources;                  // Per column: the input's, or UINT32_MAX (default, or unchanged).
    uint32_t *old;                      // UPDATE, DELETE: per column, the input's of the row as it is.
    bool *changed;                      // UPDATE: per ordinal of the row, whether it may change.
    bool *checked;                      // Whether what it gets is looked at by its domain's conditions; NULL: of each.
    struct expr_program *defaults;      // INSERT: one output a column without source.
    uint32_t *default_ordinals;
    uint32_t default_count;
    struct layout conflict_layout;      // existing ++ excluded.
    struct expr_program *assignments;   // ON CONFLICT: outputs for assigned_ordinals.
    uint32_t *assigned_ordinals;
    uint32_t assigned_count;
    struct expr_program *conflict_where;
    uint32_t *arbiters;                 // Positions in the table's indexes.
    uint32_t arbiter_count;
    bool replaces;                      // ON CONFLICT: the row in the way leaves no trace; it need not be looked at.
    uint32_t *outputs;                  // Per column of the node's layout: the row's ordinal, NODE_WRITE_XMAX, or
    bool *output_is_input;              // a column of the input.
    bool returns_xmax;
    bool returning;                     // Gives rows, with or without columns.
};

struct writer;
struct writer *writer_of(struct run *run, struct writer_plan *const *plans, uint32_t index);
// Columns of rows to be written, by ordinal: room for run->capacity rows.
struct datum **writer_columns(struct writer *writer);
// What a change may have made other than it was, per ordinal of the row.
struct writer_changes {
    const bool *changed; // NULL: all is new.
    const bool *checked; // Whose domains' conditions are looked at; NULL: all.
};
// Computes generated columns and expressions, checks domains, NOT NULL and CHECK, for rows 0..count. Of several
// faults the first row's is told.
CHECKED struct status writer_check(struct task *task, struct writer *writer, uint32_t count,
    struct writer_changes changes);
// Checks the CHECK OPTION of views for rows 0..count. After they are written: of rows that conflict with others nothing
// is said.
CHECKED struct status writer_check_views(struct task *task, struct writer *writer, uint32_t count);
// Writes rows first..first+count of writer_columns as new ones.
CHECKED struct status writer_insert(
    struct task *task, struct writer *writer, uint32_t first, uint32_t count);
// Replaces old rows (columns by ordinal, row old_rows[i]) by rows i of writer_columns.
CHECKED struct status writer_update(struct task *task, struct writer *writer,
    struct datum *const *old, const uint16_t *old_rows, uint32_t count, const bool *changed);
CHECKED struct status writer_delete(struct task *task, struct writer *writer,
    struct datum *const *old, const uint16_t *old_rows, uint32_t count);
// Foreign keys and their actions. At the end of the statement.
CHECKED struct status writers_finish(struct task *task, struct run *run);
void writers_close(struct run *run);

// Private to writer*.c and op_write.c.
struct reference_queue { // Keys of parents that must exist.
    struct row_hash keys;
    uint32_t done;
};
struct back_queue { // Keys that are gone (and what replaced them).
    struct row_store rows; // Old key, new key (or NULLs), then 1 when it is an update.
    uint64_t done;
};
struct writer {
    struct run *run;
    struct writer_plan *const *plans;
    const struct writer_plan *plan;
    struct datum **columns;
    struct expr_state *generated, *expressions, *predicates, *defaults;
    struct expr_state *checks[WRITER_CHECK_KINDS];
    struct expr_state *old_expressions, *old_predicates;
    struct datum **old_columns;     // Old rows with their expressions.
    struct datum *row, *old_row;
    uint64_t written;               // Rows, for sql/plan/statistics_auto.h.
    struct row_hash touched;        // Primary keys met: ON CONFLICT DO UPDATE, UPDATE ... FROM, WITH.
    struct arena arena;             // Of the batch.
    struct arena check_arena;
    struct reference_queue *references;
    struct back_queue *back_references;
    struct writer *target;          // Of what the table is being rewritten as; or NULL.
    struct expr_state *target_columns;
    struct type_context target_types; // Those that its values are made by.
    bool replaces;                  // Whatever row has the key is replaced.
    bool copying;                   // Rows that were there before: duplicates are told of as of an index's.
};
void writer_rewrite_open(struct writer *writer);
// sql/exec/writer_rewrite.c: rows 0..count as those of the target, too.
CHECKED struct status writer_rewrite_insert(struct task *task, struct writer *writer, uint32_t count);
// Takes those of old rows out again.
CHECKED struct status writer_rewrite_delete(
    struct task *task, struct writer *writer, struct datum *const *old, uint32_t count);

// The writer's own queues of what rows leave behind.
// Before an index's entry is deleted: whoever refers to it has ended then, and nobody comes to refer to it. A row's own key
// has been locked by who looked for the row.
CHECKED struct status writer_lock_gone(
    struct task *task, struct writer *writer, uint32_t index, struct bytes key);
CHECKED struct status writer_note_parents(struct task *task, struct writer *writer,
    const struct datum *row, const bool *changed);
CHECKED struct status writer_note_gone(struct task *task, struct writer *writer,
    const struct datum *old, const struct datum *replaced);
// A row has come into a deferrable key: whether another one has the same is looked at later, if one has now.
CHECKED struct status writer_note_duplicate(
    struct task *task, struct writer *writer, uint32_t index, const struct datum *row);
// `st` with the fields that say what it is about. Suspends.
struct status writer_names(struct writer *writer, struct status st, const struct table_desc *table,
    const char *column, const char *constraint);
// 23505 for the row's key in that index.
struct status writer_duplicate(struct writer *writer, uint32_t index, const struct datum *row);
