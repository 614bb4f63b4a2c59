// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state of joins, shared by sql/exec/op_join.c, sql/exec/op_join_spill.c and sql/exec/op_merge.c.
//
// A hash join whose right side there is no room for divides both sides by the hash of their keys into parts
// in the temporary file, and joins part by part. A part that is still too large is divided again; when that
// does not help (many rows of one key) its right side is taken in pieces, and the left one read once for each.
#pragma once
#include "sql/exec/op.h"
#include "sql/exec/op_partition.h"
#include "sql/exec/row_sort.h"

enum join_phase { JOIN_FETCH, JOIN_PROBE, JOIN_TAIL, JOIN_RIGHT_REST, JOIN_DONE };
enum { JOIN_LEFT_SIDE, JOIN_RIGHT_SIDE };

struct join_spill {
    struct partitions parts;
    struct partition *part;          // In hand.
    bool divided;                    // Both sides are in parts.
    bool more_pieces;                // Of the part's right side, behind the one in hand.
    uint8_t *matched_left;           // A bit for each of the part's left rows, when it is taken in pieces.
    struct arena bits_arena;
    uint64_t left_number;            // Of the batch's first row in the part.
    struct spill_reader left, right;
    struct datum **left_columns, **right_columns; // Of batches read back.
    struct arena left_arena, right_arena;
    struct batch in;
    type_oid *left_types;            // Of the left layout, then of the row's number.
    uint32_t left_width;             // With the number, when order is to be kept.
    uint64_t number;
    struct row_sort sort;            // Results by left rows' numbers, when order is to be kept.
    type_oid *sort_types;
    uint32_t sort_width;
    struct datum **sort_columns;
    struct datum *sort_numbers;
    bool sorted;
};

// Of a merge join: where the right side is, and its rows of one key.
struct join_merge {
    struct batch *in;
    uint32_t at;            // Its selected row that comes next.
    struct datum *keys;     // Of the batch.
    bool ended, any, opened;
    struct datum key;       // Of the rows kept, when there are `any`.
    struct row_list group;
    struct row_list_reader reader;
    uint64_t group_at;      // Next one for the left row in hand.
    struct arena arena, key_arena;
};

struct join_op {
    struct op op;
    enum join_phase phase;
    struct batch *in;      // Of the left side.
    uint32_t at;           // Its selected row in hand.
    bool *matched;         // Per row of the left batch.
    // Candidates.
    struct batch wide;
    uint16_t *origin;      // Left row of each.
    uint16_t *selection;
    uint32_t *right_number; // FULL: right row of each.
    struct arena probe;     // Keys and bindings of the left batch.
    struct expr_state *filter;
    struct datum *nulls;   // A column of NULLs.

    // Hash.
    struct memory_account memory; // Of what follows.
    struct expr_state *left_keys, *right_keys;
    struct datum **keys;
    struct row_hash hash;  // Distinct keys.
    struct row_store rows; // The right side.
    struct arena chains;
    uint32_t *first, *next; // Per key, per row: number + 1; 0 ends.
    uint32_t first_capacity, next_capacity;
    uint32_t null_first;   // FULL: chain of rows whose keys are NULL.
    bool *right_matched;
    bool built;
    uint32_t chain;        // Next candidate of the row in hand; 0: none.
    bool probing;          // The row in hand has been looked up.
    uint64_t right_at;
    struct join_spill spill;

    // Merge.
    struct join_merge merge;

    // Loop.
    struct expr_state *bindings;
    struct batch *right;
    uint32_t right_row;
};

void join_hash_reset(struct join_op *join);
// Adds a batch of the right side to the hash table.
CHECKED struct status join_add_right(
    struct task *task, struct join_op *join, const struct batch *in);

void join_spill_open(struct join_op *join);
void join_spill_reset(struct join_op *join);
void join_spill_close(struct join_op *join);
// Whether there is no room for the next batch of the right side.
bool join_is_full(const struct join_op *join);
// Divides what is in the hash table; the rest of the right side follows with join_divide_right.
CHECKED struct status join_divide_table(struct task *task, struct join_op *join);
CHECKED struct status join_divide_right(
    struct task *task, struct join_op *join, const struct batch *in);
// Divides the left side, all of it.
CHECKED struct status join_divide_left(struct task *task, struct join_op *join);
// The hash table of the next part or piece. *found false at the end of all.
CHECKED struct status join_next_part(struct task *task, struct join_op *join, bool *found);
// A batch of the part's left side; *in has 0 rows at its end.
CHECKED struct status join_part_left(
    struct task *task, struct join_op *join, struct batch **in);
// Before the results of a left batch's end: false when they must wait for further pieces.
bool join_part_tail(struct join_op *join);
// Takes the batch in op->out, to be given out in order at the end.
CHECKED struct status join_keep_result(struct task *task, struct join_op *join, bool pairs);
CHECKED struct status join_emit_sorted(struct task *task, struct join_op *join);

void join_merge_open(struct join_op *join);
CHECKED struct status join_merge_rewind(struct task *task, struct join_op *join);
void join_merge_close(struct join_op *join);
CHECKED struct status join_merge_candidates(
    struct task *task, struct join_op *join, uint32_t *count);
